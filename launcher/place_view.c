/* place_view.c - a plan as text: the machine in rows of cores, each with the
 * rank that has it, and a table of the ranks.
 */
#include "place_view.h"

#include <stdlib.h>
#include <string.h>

bool cadre_place_view_init(struct cadre_place_view *view,
                           const struct cadre_machine *machine,
                           const struct cadre_plan *plan,
                           const struct cadre_place_request *request)
{
    struct cadre_place_view v = {machine, plan, request, NULL, NULL};

    v.ranks = calloc(machine->nnodes, sizeof *v.ranks);
    v.count = calloc(machine->nnodes, sizeof *v.count);
    if (v.ranks == NULL || v.count == NULL) {
        cadre_place_view_fini(&v);
        return false;
    }
    for (uint32_t r = plan->nplaces; r-- > 0;)
        for (uint32_t k = 0; k < plan->places[r].npus; k++)
            for (uint32_t i = 0; i < machine->nnodes; i++)
                if (machine->nodes[i].type == CADRE_NODE_PU &&
                    machine->nodes[i].index == plan->places[r].pus[k]) {
                    v.ranks[i] = r + 1;
                    v.count[i]++;
                }
    *view = v;
    return true;
}

void cadre_place_view_fini(struct cadre_place_view *view)
{
    free(view->ranks);
    free(view->count);
}

int64_t cadre_place_view_gpu(const struct cadre_place_view *view, uint32_t gpu)
{
    const struct cadre_gpu *g = &view->machine->gpus[gpu];

    for (uint32_t r = 0; r < view->plan->nplaces; r++)
        for (uint32_t i = 0; i < view->plan->places[r].ngpus; i++)
            if (memcmp(&view->plan->places[r].gpus[i], g, sizeof *g) == 0)
                return r;
    return -1;
}

const char *cadre_place_policy_name(enum cadre_place_policy policy)
{
    switch (policy) {
    case CADRE_PLACE_COMPACT:
        return "compact";
    case CADRE_PLACE_SCATTER:
        return "scatter";
    case CADRE_PLACE_NUMA:
        return "numa";
    case CADRE_PLACE_NONE:
        return "none";
    }
    return "?";
}

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

const char *cadre_place_view_machine(const struct cadre_place_view *view,
                                     char *text, size_t room)
{
    const struct cadre_machine *m = view->machine;
    uint32_t cores = cadre_machine_cores(m), pus = cadre_machine_pus(m);
    uint32_t numa = 0, threads = 0;
    size_t len;

    for (uint32_t i = 0; i < m->nnodes; i++) {
        numa += m->nodes[i].type == CADRE_NODE_NUMA;
        threads += m->nodes[i].type == CADRE_NODE_PU;
    }
    snprintf(text, room, "%u core%s", cores, plural(cores));
    len = strlen(text);
    if (pus != cores)
        snprintf(text + len, room - len, ", %u hardware threads", pus);
    len = strlen(text);
    snprintf(text + len, room - len, ", %u NUMA node%s, %u GPU%s", numa,
             plural(numa), m->ngpus, plural(m->ngpus));
    len = strlen(text);
    if (threads > pus)
        snprintf(text + len, room - len,
                 "; %u hardware thread%s not for this job", threads - pus,
                 plural(threads - pus));
    return text;
}

const char *cadre_place_view_request(const struct cadre_place_view *view,
                                     char *text, size_t room)
{
    const struct cadre_place_request *r = view->request;
    size_t len;

    snprintf(text, room, "%u rank%s of %u thread%s", r->ranks, plural(r->ranks),
             r->threads_per_rank, plural(r->threads_per_rank));
    len = strlen(text);
    if (r->gpus_per_rank > 0)
        snprintf(text + len, room - len, " and %u GPU%s", r->gpus_per_rank,
                 plural(r->gpus_per_rank));
    len = strlen(text);
    if (r->ranks_per_team > 1)
        snprintf(text + len, room - len, " in teams of %u", r->ranks_per_team);
    len = strlen(text);
    snprintf(text + len, room - len, ", %s",
             cadre_place_policy_name(r->policy));
    return text;
}

/* --- the machine ---------------------------------------------------------- */

/* Does node i hold cores as its children? */
static bool has_cores(const struct cadre_machine *m, uint32_t i)
{
    for (uint32_t c = i + 1; c < m->nodes[i].end; c = m->nodes[c].end)
        if (m->nodes[c].type == CADRE_NODE_CORE)
            return true;
    return false;
}

/* "package 0, NUMA node 0, L3 1", without the machine. */
static void path_of(const struct cadre_machine *m, uint32_t i, char *text,
                    size_t room)
{
    size_t len;

    text[0] = '\0';
    if (i == 0)
        return;
    path_of(m, m->nodes[i].parent, text, room);
    len = strlen(text);
    if (m->nodes[i].type == CADRE_NODE_KIND)
        snprintf(text + len, room - len, "%s%s cores", len > 0 ? ", " : "",
                 m->nodes[i].kind > 0 ? "fast" : "slow");
    else
        snprintf(text + len, room - len, "%s%s %u", len > 0 ? ", " : "",
                 cadre_node_type_name(m->nodes[i].type), m->nodes[i].index);
}

/* A PU: its rank, "." free, "x" not ours, "+" after the rank: and others. */
static int print_pu(const struct cadre_place_view *v, uint32_t pu, FILE *file)
{
    if (!v->machine->nodes[pu].is_allowed)
        return fprintf(file, "x");
    if (v->ranks[pu] == 0)
        return fprintf(file, ".");
    return fprintf(file, "%u%s", v->ranks[pu] - 1, v->count[pu] > 1 ? "+" : "");
}

/* All PUs of a core the same: once; else "3/4". */
static void print_core(const struct cadre_place_view *v, uint32_t core,
                       int width, FILE *file)
{
    const struct cadre_node *n = v->machine->nodes;
    bool is_one = true;
    int len = 0;

    for (uint32_t i = core + 1; i < n[core].end; i++)
        is_one = is_one && v->ranks[i] == v->ranks[core + 1] &&
                 v->count[i] == v->count[core + 1] &&
                 n[i].is_allowed == n[core + 1].is_allowed;
    for (uint32_t i = core + 1; i < n[core].end; i++) {
        if (i > core + 1 && is_one)
            break;
        if (i > core + 1)
            len += fprintf(file, "/");
        len += print_pu(v, i, file);
    }
    fprintf(file, "%*s", len < width ? width - len : 1, "");
}

static int digits(uint32_t x)
{
    return x < 10 ? 1 : 1 + digits(x / 10);
}

static void print_row(const struct cadre_place_view *v, uint32_t node,
                      int path_width, FILE *file)
{
    const struct cadre_machine *m = v->machine;
    int width = digits(v->plan->nplaces) + 1;
    char path[256];

    path_of(m, node, path, sizeof path);
    fprintf(file, "  %-*s  ", path_width, path);
    for (uint32_t c = node + 1; c < m->nodes[node].end; c = m->nodes[c].end)
        if (m->nodes[c].type == CADRE_NODE_CORE)
            print_core(v, c, width, file);
    fprintf(file, "\n");
}

static void print_machine(const struct cadre_place_view *v, FILE *file)
{
    const struct cadre_machine *m = v->machine;
    char path[256];
    int width = 0;

    for (uint32_t i = 0; i < m->nnodes; i++) {
        path_of(m, i, path, sizeof path);
        if (has_cores(m, i) && (int)strlen(path) > width)
            width = (int)strlen(path);
    }
    for (uint32_t i = 0; i < m->nnodes; i++)
        if (has_cores(m, i))
            print_row(v, i, width, file);
}

static void print_gpus(const struct cadre_place_view *v, FILE *file)
{
    const struct cadre_machine *m = v->machine;
    char path[256];

    for (uint32_t i = 0; i < m->ngpus; i++) {
        int64_t rank = cadre_place_view_gpu(v, i);
        path_of(m, m->gpus[i].node, path, sizeof path);
        fprintf(file, "  %s GPU %u %s%s%s: ",
                cadre_gpu_vendor_name(m->gpus[i].vendor), m->gpus[i].index,
                m->gpus[i].pci, path[0] != '\0' ? ", near " : "", path);
        if (rank < 0)
            fprintf(file, "free\n");
        else
            fprintf(file, "rank %lld\n", (long long)rank);
    }
}

/* --- the ranks ------------------------------------------------------------ */

static void list_gpus(const struct cadre_place *p, char *text, size_t room)
{
    size_t len = 0;

    snprintf(text, room, "-");
    for (uint32_t i = 0; i < p->ngpus && len < room; i++)
        len += (size_t)snprintf(
            text + len, room - len, "%s%s %u", i > 0 ? ", " : "",
            cadre_gpu_vendor_name(p->gpus[i].vendor), p->gpus[i].index);
}

static void print_rank(const struct cadre_place_view *v, uint32_t rank,
                       int width, FILE *file)
{
    const struct cadre_place *p = &v->plan->places[rank];
    char pus[256], numa[64], gpus[256];

    cadre_place_list(p->pus, p->npus, pus, sizeof pus);
    cadre_place_list(p->numa, p->nnuma, numa, sizeof numa);
    list_gpus(p, gpus, sizeof gpus);
    fprintf(file, "%6u", rank);
    if (v->request->ranks_per_team > 1)
        fprintf(file, "%6u", rank / v->request->ranks_per_team);
    fprintf(file, "  %-*s  %-9s  %s\n", width, p->npus > 0 ? pus : "not bound",
            p->nnuma > 0 ? numa : "-", gpus);
}

static void print_ranks(const struct cadre_place_view *v, FILE *file)
{
    char pus[256];
    int width = 9;

    for (uint32_t r = 0; r < v->plan->nplaces; r++) {
        const struct cadre_place *p = &v->plan->places[r];
        int len =
            (int)strlen(cadre_place_list(p->pus, p->npus, pus, sizeof pus));
        if (len > width)
            width = len;
    }
    fprintf(file, "  rank%s  %-*s  %-9s  GPUs\n",
            v->request->ranks_per_team > 1 ? "  team" : "", width, "PUs",
            "NUMA node");
    for (uint32_t r = 0; r < v->plan->nplaces; r++)
        print_rank(v, r, width, file);
}

void cadre_place_view_text(const struct cadre_place_view *view, FILE *file)
{
    char machine[160], request[160];

    cadre_place_view_machine(view, machine, sizeof machine);
    cadre_place_view_request(view, request, sizeof request);
    fprintf(file, "%s: %s\n%s%s%s\n\n", view->machine->host, machine, request,
            view->plan->note[0] != '\0' ? "\n" : "", view->plan->note);
    print_machine(view, file);
    print_gpus(view, file);
    fprintf(file, "\n");
    print_ranks(view, file);
}
