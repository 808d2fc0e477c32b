/* place.c - `cadre place`: what every rank would get, on this machine or on
 * another one. Starts and binds nothing.
 *
 * Unlike the other commands it asks the runtime's planner itself, which it is
 * linked with: a plan on paper needs no engine.
 */
#include "place.h"

#include "help.h"
#include "numbers.h"
#include "place_view.h"
#include "say.h"

#include "../runtime/place_host.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    GO_ON = -1,
    RANKS_MAX = 1000000,

    /* Options without a letter. */
    OPT_THREADS = 256,
    OPT_GPUS,
    OPT_POLICY,
    OPT_TEAM,
    OPT_WHOLE_CORES,
    OPT_OVERSUBSCRIBE,
    OPT_SHARE,
    OPT_TOPOLOGY,
    OPT_SYNTHETIC,
    OPT_SVG,
    OPT_DRY_RUN
};

struct options {
    struct cadre_place_request request; /* ranks 0: as many as fit */
    const char *topology, *synthetic;   /* NULL: this machine */
    const char *svg;                    /* NULL: no picture */
};

static const struct option long_options[] = {
    {"threads", required_argument, NULL, OPT_THREADS},
    {"gpus", required_argument, NULL, OPT_GPUS},
    {"policy", required_argument, NULL, OPT_POLICY},
    {"ranks-per-team", required_argument, NULL, OPT_TEAM},
    {"whole-cores", no_argument, NULL, OPT_WHOLE_CORES},
    {"oversubscribe", no_argument, NULL, OPT_OVERSUBSCRIBE},
    {"share-cores", no_argument, NULL, OPT_SHARE},
    {"topology", required_argument, NULL, OPT_TOPOLOGY},
    {"synthetic", required_argument, NULL, OPT_SYNTHETIC},
    {"svg", required_argument, NULL, OPT_SVG},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int set_count(const char *option, const char *text, uint64_t max,
                     uint32_t *count)
{
    uint64_t n;

    if (!cadre_number_scan(text, 1, max, &n))
        return cadre_complain_usage("%s %s: write a number from 1 to %llu",
                                    option, text, (unsigned long long)max);
    *count = (uint32_t)n;
    return GO_ON;
}

static int set_policy(struct options *o, const char *word)
{
    for (int i = CADRE_PLACE_COMPACT; i <= CADRE_PLACE_NONE; i++)
        if (strcmp(word, cadre_place_policy_name((enum cadre_place_policy)i)) ==
            0) {
            o->request.policy = (enum cadre_place_policy)i;
            return GO_ON;
        }
    return cadre_complain_usage(
        "--policy %s: write compact, scatter, numa or none", word);
}

static int set_option(struct options *o, int option, char **argv)
{
    switch (option) {
    case 'n':
        return set_count("-n", optarg, RANKS_MAX, &o->request.ranks);
    case OPT_THREADS:
        return set_count("--threads", optarg, CADRE_MACHINE_NODES_MAX,
                         &o->request.threads_per_rank);
    case OPT_GPUS:
        return set_count("--gpus", optarg, CADRE_MACHINE_GPUS_MAX,
                         &o->request.gpus_per_rank);
    case OPT_TEAM:
        return set_count("--ranks-per-team", optarg, RANKS_MAX,
                         &o->request.ranks_per_team);
    case OPT_POLICY:
        return set_policy(o, optarg);
    case OPT_WHOLE_CORES:
        o->request.whole_cores = true;
        return GO_ON;
    case OPT_SHARE:
        o->request.binds_oversubscribed = true;
        o->request.oversubscribe = true;
        return GO_ON;
    case OPT_OVERSUBSCRIBE:
        o->request.oversubscribe = true;
        return GO_ON;
    case OPT_TOPOLOGY:
        o->topology = optarg;
        return GO_ON;
    case OPT_SYNTHETIC:
        o->synthetic = optarg;
        return GO_ON;
    case OPT_SVG:
        o->svg = optarg;
        return GO_ON;
    case OPT_DRY_RUN: /* it never is anything else */
        return GO_ON;
    case 'h':
        return cadre_help_print(cadre_help_place);
    case ':':
        return cadre_complain_option("wants a value", optopt, argv[optind - 1]);
    default:
        return cadre_complain_option("is unknown", optopt, argv[optind - 1]);
    }
}

static int read_options(struct options *o, int argc, char **argv)
{
    int option, status;

    *o = (struct options){
        .request = {.threads_per_rank = 1, .ranks_per_team = 1}};
    opterr = 0;
    optind = 0; /* start anew, GNU */
    while ((option = getopt_long(argc, argv, ":n:h", long_options, NULL)) != -1)
        if ((status = set_option(o, option, argv)) != GO_ON)
            return status;
    if (optind < argc)
        return cadre_complain_usage("%s: what is this? All is said by options",
                                    argv[optind]);
    if (o->topology != NULL && o->synthetic != NULL)
        return cadre_complain_usage("--topology and --synthetic: write one");
    return GO_ON;
}

/* --- the plan ------------------------------------------------------------- */

static cadre_err read_machine(const struct options *o,
                              struct cadre_machine **machine,
                              struct cadre_error *error)
{
    if (o->topology != NULL)
        return cadre_machine_read_file(o->topology, machine, error);
    if (o->synthetic != NULL)
        return cadre_machine_read_synthetic(o->synthetic, machine, error);
    return cadre_machine_read(machine, error);
}

/* Without -n: as many ranks as there are cores (and GPUs) for, whole teams. */
static uint32_t ranks_that_fit(const struct cadre_machine *m,
                               const struct cadre_place_request *r)
{
    uint32_t ranks = cadre_machine_cores(m) / r->threads_per_rank;

    if (r->gpus_per_rank > 0 && m->ngpus / r->gpus_per_rank < ranks)
        ranks = m->ngpus / r->gpus_per_rank;
    ranks -= ranks % r->ranks_per_team;
    return ranks > 0 ? ranks : r->ranks_per_team;
}

static int save_picture(const struct cadre_place_view *view, const char *path)
{
    bool is_stdout = strcmp(path, "-") == 0, is_good;
    FILE *file = is_stdout ? stdout : fopen(path, "we");

    if (file == NULL) {
        cadre_complain("%s cannot be written: %s", path, strerror(errno));
        return CADRE_EXIT_USAGE;
    }
    if (!cadre_place_view_svg(view, file))
        cadre_out_of_memory();
    is_good = fflush(file) == 0 && !ferror(file);
    if (!is_stdout)
        is_good = fclose(file) == 0 && is_good;
    if (is_good)
        return CADRE_EXIT_OK;
    cadre_complain("%s cannot be written: %s", path, strerror(errno));
    return CADRE_EXIT_RUNTIME;
}

static int show(const struct options *o, const struct cadre_machine *machine,
                const struct cadre_plan *plan)
{
    struct cadre_place_view view;
    int status = CADRE_EXIT_OK;

    if (!cadre_place_view_init(&view, machine, plan, &o->request))
        cadre_out_of_memory();
    if (o->svg == NULL || strcmp(o->svg, "-") != 0) {
        cadre_place_view_text(&view, stdout);
        if (fflush(stdout) == EOF) {
            cadre_complain("standard output: %s", strerror(errno));
            status = CADRE_EXIT_RUNTIME;
        }
    }
    if (status == CADRE_EXIT_OK && o->svg != NULL)
        status = save_picture(&view, o->svg);
    cadre_place_view_fini(&view);
    return status;
}

/* The planner's sentences are for programs, too: without their first word. */
static int complain(const struct cadre_error *error)
{
    static const char prefix[] = "placement: ";
    const char *text = error->text;

    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        text += sizeof prefix - 1;
    cadre_complain("%s", text);
    return CADRE_EXIT_USAGE;
}

static int plan_and_show(struct options *o, struct cadre_ledger *ledger)
{
    struct cadre_machine *machine = NULL;
    struct cadre_error error = {{0}};
    struct cadre_plan *plan = NULL;
    uint32_t host;
    int status;

    if (read_machine(o, &machine, &error) != CADRE_OK)
        return complain(&error);
    if (cadre_ledger_add(ledger, machine, &host, &error) != CADRE_OK) {
        cadre_machine_destroy(machine);
        return complain(&error);
    }
    if (o->request.ranks == 0)
        o->request.ranks = ranks_that_fit(machine, &o->request);
    if (cadre_ledger_reserve(ledger, &o->request, &plan, &error) != CADRE_OK)
        return complain(&error);
    status = show(o, machine, plan);
    cadre_ledger_release(ledger, plan);
    return status;
}

int cadre_place_main(int argc, char **argv)
{
    struct cadre_ledger *ledger;
    struct options options;
    int status = read_options(&options, argc, argv);

    if (status != GO_ON)
        return status;
    if (cadre_ledger_create(&ledger) != CADRE_OK)
        cadre_out_of_memory();
    status = plan_and_show(&options, ledger);
    cadre_ledger_destroy(ledger);
    return status;
}
