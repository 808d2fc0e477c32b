/* map_options.c - reads the command line of `cadre map`; help.c describes it.
 */
#include "map_options.h"

#include "help.h"
#include "numbers.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORKERS_MAX = 4096, /* of a pool */
    RETRIES_MAX = 1000,
    GRACE_MAX_S = 86400,
    GO_ON = -1,

    /* Options without a letter. */
    OPT_FORMAT = 256,
    OPT_HEADER,
    OPT_SET,
    OPT_STRUCT,
    OPT_EACH_FILE,
    OPT_FILE_PARAM,
    OPT_UNORDERED,
    OPT_KEEP_GOING,
    OPT_CHUNK,
    OPT_AT_LEAST,
    OPT_SPAWN_TIMEOUT,
    OPT_WORKER,
    OPT_DRY_RUN,
    OPT_PROGRESS,
    OPT_JOURNAL,
    OPT_RETRY_FAILED,
    OPT_TIMEOUT,
    OPT_TASK_TIMEOUT,
    OPT_RETRIES,
    OPT_MAX_FAILURES,
    OPT_GRACE
};

static const double TIMEOUT_MAX_S = 1e6;

static const struct option long_options[] = {
    {"format", required_argument, NULL, OPT_FORMAT},
    {"header", no_argument, NULL, OPT_HEADER},
    {"set", required_argument, NULL, OPT_SET},
    {"struct", required_argument, NULL, OPT_STRUCT},
    {"each-file", no_argument, NULL, OPT_EACH_FILE},
    {"file-param", required_argument, NULL, OPT_FILE_PARAM},
    {"null", no_argument, NULL, '0'},
    {"unordered", no_argument, NULL, OPT_UNORDERED},
    {"keep-going", no_argument, NULL, OPT_KEEP_GOING},
    {"chunk", required_argument, NULL, OPT_CHUNK},
    {"at-least", required_argument, NULL, OPT_AT_LEAST},
    {"spawn-timeout", required_argument, NULL, OPT_SPAWN_TIMEOUT},
    {"worker", required_argument, NULL, OPT_WORKER},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"progress", required_argument, NULL, OPT_PROGRESS},
    {"journal", required_argument, NULL, OPT_JOURNAL},
    {"retry-failed", no_argument, NULL, OPT_RETRY_FAILED},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"task-timeout", required_argument, NULL, OPT_TASK_TIMEOUT},
    {"retries", required_argument, NULL, OPT_RETRIES},
    {"max-failures", required_argument, NULL, OPT_MAX_FAILURES},
    {"grace", required_argument, NULL, OPT_GRACE},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Index of `word` in `words` (ended by NULL), or -1. */
static int find_word(const char *word, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return -1;
}

static int set_format(struct cadre_map_options *o, const char *word)
{
    static const char *const words[] = {"auto",  "csv",  "tsv",
                                        "space", "line", NULL};
    int found = find_word(word, words);

    if (found < 0)
        return cadre_complain_usage("--format %s: write auto, csv, tsv, space "
                                    "or line",
                                    word);
    o->input.format = (enum cadre_input_format)found;
    return GO_ON;
}

static int set_progress(struct cadre_map_options *o, const char *word)
{
    static const char *const words[] = {"auto", "always", "never", NULL};
    int found = find_word(word, words);

    if (found < 0)
        return cadre_complain_usage(
            "--progress %s: write auto, always or never", word);
    o->progress = (enum cadre_when)found;
    return GO_ON;
}

static int set_workers(struct cadre_map_options *o, const char *text)
{
    uint64_t n;

    if (!cadre_number_scan(text, 1, WORKERS_MAX, &n))
        return cadre_complain_usage("-n %s: write a number from 1 to %d, or "
                                    "leave it out for one worker per core",
                                    text, WORKERS_MAX);
    o->workers = (int)n;
    return GO_ON;
}

static int set_at_least(struct cadre_map_options *o, const char *text)
{
    uint64_t n;

    if (!cadre_number_scan(text, 1, WORKERS_MAX, &n))
        return cadre_complain_usage("--at-least %s: write a number from 1 to "
                                    "%d, or leave it out to want all of -n",
                                    text, WORKERS_MAX);
    o->at_least = (int)n;
    return GO_ON;
}

static int set_chunk(struct cadre_map_options *o, const char *text)
{
    if (!cadre_number_scan(text, 1, UINT32_MAX, &o->chunk_size))
        return cadre_complain_usage("--chunk %s: write a number of rows from "
                                    "1, or leave it out",
                                    text);
    return GO_ON;
}

/* `most`: 0 is without a limit. */
static int set_seconds(const char *option, const char *text, double most,
                       double *seconds)
{
    double s;

    if (!cadre_seconds_scan(text, &s))
        return cadre_complain_usage("--%s %s: write a number of seconds above "
                                    "0",
                                    option, text);
    if (most > 0 && s > most)
        return cadre_complain_usage("--%s %s: at most %g seconds, or leave it "
                                    "out",
                                    option, text, most);
    *seconds = s;
    return GO_ON;
}

static int set_number(const char *option, const char *text, uint64_t most,
                      uint64_t *number)
{
    if (!cadre_number_scan(text, 1, most, number))
        return cadre_complain_usage("--%s %s: write a number from 1 to %" PRIu64
                                    ", or leave it out",
                                    option, text, most);
    return GO_ON;
}

/* Add `word` to a list of `*count`. */
static char **add_word(char **list, size_t *count, char *word)
{
    list = reallocarray(list, *count + 1, sizeof *list);
    if (list == NULL)
        cadre_out_of_memory();
    list[(*count)++] = word;
    return list;
}

static int set_option(struct cadre_map_options *o, int option, char **argv)
{
    switch (option) {
    case 'n':
        return set_workers(o, optarg);
    case OPT_FORMAT:
        return set_format(o, optarg);
    case OPT_CHUNK:
        return set_chunk(o, optarg);
    case OPT_AT_LEAST:
        return set_at_least(o, optarg);
    case OPT_SPAWN_TIMEOUT:
        return set_seconds("spawn-timeout", optarg, 0, &o->spawn_timeout_s);
    case OPT_TIMEOUT:
        return set_seconds("timeout", optarg, TIMEOUT_MAX_S, &o->timeout_s);
    case OPT_TASK_TIMEOUT:
        return set_seconds("task-timeout", optarg, TIMEOUT_MAX_S,
                           &o->task_timeout_s);
    case OPT_RETRIES:
        return set_number("retries", optarg, RETRIES_MAX, &o->retries);
    case OPT_MAX_FAILURES:
        o->keeps_going = true;
        return set_number("max-failures", optarg, UINT32_MAX, &o->max_failures);
    case OPT_GRACE:
        return set_number("grace", optarg, GRACE_MAX_S, &o->grace_s);
    case OPT_PROGRESS:
        return set_progress(o, optarg);
    case OPT_SET:
        o->binding.settings = add_word((char **)o->binding.settings,
                                       &o->binding.nsettings, optarg);
        return GO_ON;
    case OPT_STRUCT:
        o->structs = add_word(o->structs, &o->nstructs, optarg);
        return GO_ON;
    case OPT_HEADER:
        o->input.has_header = o->binding.has_header = true;
        return GO_ON;
    case OPT_EACH_FILE:
        o->binding.has_files = true;
        return GO_ON;
    case OPT_FILE_PARAM:
        o->binding.file_param = optarg;
        return GO_ON;
    case '0':
        o->input.is_null_ended = true;
        return GO_ON;
    case OPT_UNORDERED:
        o->is_unordered = true;
        return GO_ON;
    case OPT_KEEP_GOING:
        o->keeps_going = true;
        return GO_ON;
    case OPT_WORKER:
        o->worker_program = optarg;
        return GO_ON;
    case OPT_JOURNAL:
        o->journal = optarg;
        return GO_ON;
    case OPT_RETRY_FAILED:
        o->retries_failed = true;
        return GO_ON;
    case OPT_DRY_RUN:
        o->is_dry_run = true;
        return GO_ON;
    case 'v':
        o->is_verbose = true;
        return GO_ON;
    case 'h':
        return cadre_help_print(cadre_help_map);
    case ':':
        return cadre_complain_option("wants a value", optopt, argv[optind - 1]);
    default:
        return cadre_complain_option("is unknown", optopt, argv[optind - 1]);
    }
}

/* Options that do not go together. */
static int check(struct cadre_map_options *o)
{
    if (o->binding.file_param != NULL && !o->binding.has_files)
        return cadre_complain_usage("--file-param is for --each-file");
    if (o->workers > 0 && o->at_least > o->workers)
        return cadre_complain_usage("--at-least %d: that is more than -n %d",
                                    o->at_least, o->workers);
    if (o->retries_failed && o->journal == NULL)
        return cadre_complain_usage("--retry-failed is for --journal");
    if (!o->input.is_null_ended)
        return GO_ON;
    if (o->input.format != CADRE_INPUT_AUTO &&
        o->input.format != CADRE_INPUT_LINE)
        return cadre_complain_usage("--null and --format %s: with --null each "
                                    "row is one value",
                                    cadre_input_format_name(o->input.format));
    o->input.format = CADRE_INPUT_LINE;
    return GO_ON;
}

int cadre_map_options_init(struct cadre_map_options *options, int argc,
                           char **argv)
{
    int option, status;

    *options = (struct cadre_map_options){0};
    opterr = 0;
    optind = 0; /* start anew, GNU */
    while ((option = getopt_long(argc, argv, ":n:0vh", long_options, NULL)) !=
           -1)
        if ((status = set_option(options, option, argv)) != GO_ON)
            return status;
    if (argc - optind < 2)
        return cadre_complain_usage(
            argc == optind ? "which function? Give LIBRARY and 'PROTOTYPE'"
                           : "the function's prototype is missing: cadre map "
                             "LIBRARY 'double f(double x)'");
    if (argv[optind][0] == '\0')
        return cadre_complain_usage("the library's name is empty");
    options->library = argv[optind];
    options->prototype = argv[optind + 1];
    options->input.files = argv + optind + 2;
    options->input.nfiles = (size_t)(argc - optind - 2);
    return check(options);
}

void cadre_map_options_fini(struct cadre_map_options *options)
{
    free((char **)options->binding.settings);
    free(options->structs);
}
