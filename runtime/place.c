/* place.c - the ledger: hosts, who holds what on them, and what a request gets.
 *
 * A request is tried with what is best first: free cores; hardware threads of
 * free cores; hardware threads of any. Each try counts what fits on every host
 * before anything is taken, so that a request gets all or nothing.
 *
 * Teams go to hosts whole; what is left of the hosts then takes teams that span
 * several, rank by rank. place_fit.c does the rest on each host.
 */
#include "place.h"

#include "place_fit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOWHERE = -1 };

struct host {
    struct cadre_machine *machine; /* owned unless it is shared */
    bool is_shared;                /* another host owns it */
    char name[CADRE_MACHINE_HOST_MAX];
    struct cadre_use use;
};

struct cadre_ledger {
    struct host *hosts;
    uint32_t nhosts, room;
    bool has_said; /* that something is oversubscribed */
};

/* The arrays behind a plan. */
struct cadre_plan_own {
    struct cadre_taken_list taken;
    uint32_t *rank_of; /* entry of the list -> rank; a rank may have none */
    uint32_t *host_of; /* entry of the list -> host */
    uint32_t *numbers; /* of PUs and NUMA nodes, for the places */
    struct cadre_gpu *gpus;
};

/* One request on its way. */
struct planning {
    struct cadre_ledger *ledger;
    struct cadre_place_request request; /* defaults filled in */
    struct cadre_shape shape;
    uint32_t *teams;    /* for each host: teams that fit */
    uint32_t *ranks;    /* for each host: ranks that fit, were they alone */
    int64_t *team_host; /* for each team: its host, or NOWHERE: it spans some */
    uint32_t *rank_host; /* for each rank: its host */
    struct cadre_plan *plan;
};

/* --- the ledger ----------------------------------------------------------- */

cadre_err cadre_ledger_create(struct cadre_ledger **ledger)
{
    struct cadre_ledger *l = calloc(1, sizeof *l);

    if (l == NULL)
        return CADRE_ENOMEM;
    *ledger = l;
    return CADRE_OK;
}

void cadre_ledger_destroy(struct cadre_ledger *ledger)
{
    if (ledger == NULL)
        return;
    for (uint32_t i = 0; i < ledger->nhosts; i++) {
        free(ledger->hosts[i].use.pus);
        free(ledger->hosts[i].use.gpus);
        if (!ledger->hosts[i].is_shared)
            cadre_machine_destroy(ledger->hosts[i].machine);
    }
    free(ledger->hosts);
    free(ledger);
}

static cadre_err make_room(struct cadre_ledger *l)
{
    uint32_t room = l->room > 0 ? 2 * l->room : 4;
    struct host *hosts;

    if (l->nhosts < l->room)
        return CADRE_OK;
    if ((hosts = realloc(l->hosts, room * sizeof *hosts)) == NULL)
        return CADRE_ENOMEM;
    l->hosts = hosts;
    l->room = room;
    return CADRE_OK;
}

static cadre_err add(struct cadre_ledger *l, struct cadre_machine *machine,
                     const char *name, bool is_shared, uint32_t *number,
                     struct cadre_error *error)
{
    cadre_err err = make_room(l);
    struct host h = {.machine = machine, .is_shared = is_shared};

    if (err != CADRE_OK)
        return err;
    snprintf(h.name, sizeof h.name, "%s", name);
    if (cadre_ledger_find(l, h.name) >= 0)
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement: host %s is there already", name);
    if (cadre_machine_pus(machine) == 0)
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement: host %s has no core that this job "
                               "may use",
                               name);
    h.use.pus = calloc(machine->nnodes, sizeof *h.use.pus);
    h.use.gpus = calloc(machine->ngpus + 1, sizeof *h.use.gpus);
    if (h.use.pus == NULL || h.use.gpus == NULL) {
        free(h.use.pus);
        free(h.use.gpus);
        return CADRE_ENOMEM;
    }
    *number = l->nhosts;
    l->hosts[l->nhosts++] = h;
    return CADRE_OK;
}

cadre_err cadre_ledger_add(struct cadre_ledger *ledger,
                           struct cadre_machine *machine, uint32_t *host,
                           struct cadre_error *error)
{
    return add(ledger, machine, machine->host, false, host, error);
}

cadre_err cadre_ledger_add_like(struct cadre_ledger *ledger, uint32_t like,
                                const char *name, uint32_t *host,
                                struct cadre_error *error)
{
    if (like >= ledger->nhosts)
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement: there is no host %u", like);
    return add(ledger, ledger->hosts[like].machine, name, true, host, error);
}

uint32_t cadre_ledger_hosts(const struct cadre_ledger *ledger)
{
    return ledger->nhosts;
}

const struct cadre_machine *
cadre_ledger_machine(const struct cadre_ledger *ledger, uint32_t host)
{
    return ledger->hosts[host].machine;
}

int64_t cadre_ledger_find(const struct cadre_ledger *ledger, const char *name)
{
    for (uint32_t i = 0; i < ledger->nhosts; i++)
        if (strcmp(ledger->hosts[i].name, name) == 0)
            return i;
    return NOWHERE;
}

/* --- what was asked for, what is there ------------------------------------ */

/* What all hosts have together. */
struct stock {
    uint64_t cores, pus, gpus;
    uint64_t free_cores, free_pus, free_gpus;
};

static void add_stock(const struct host *h, struct stock *s)
{
    const struct cadre_node *n = h->machine->nodes;
    bool core_is_free = false;

    for (uint32_t i = h->machine->nnodes; i-- > 0;) {
        if (n[i].type == CADRE_NODE_PU && n[i].is_allowed) {
            s->pus++;
            s->free_pus += h->use.pus[i] == 0;
        }
        if (n[i].type != CADRE_NODE_CORE || !n[i].is_allowed)
            continue;
        core_is_free = true;
        for (uint32_t k = i + 1; k < n[i].end; k++)
            if (n[k].is_allowed && h->use.pus[k] > 0)
                core_is_free = false;
        s->cores++;
        s->free_cores += core_is_free;
    }
    s->gpus += h->machine->ngpus;
    for (uint32_t i = 0; i < h->machine->ngpus; i++)
        s->free_gpus += h->use.gpus[i] == 0;
}

struct text {
    char *at;
    size_t room;
};

static void say(struct text *t, const char *format, ...) CADRE_PRINTF(2, 3);

static void say(struct text *t, const char *format, ...)
{
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(t->at, t->room, format, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= t->room)
        len = t->room > 0 ? (int)t->room - 1 : 0;
    t->at += len;
    t->room -= (size_t)len;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void say_asked(struct text *t, const struct cadre_place_request *r)
{
    uint64_t threads = (uint64_t)r->ranks * r->threads_per_rank;
    uint64_t gpus = (uint64_t)r->ranks * r->gpus_per_rank;

    say(t, "%u rank%s of %u thread%s", r->ranks, plural(r->ranks),
        r->threads_per_rank, plural(r->threads_per_rank));
    if (r->gpus_per_rank > 0)
        say(t, " and %u GPU%s", r->gpus_per_rank, plural(r->gpus_per_rank));
    if (r->policy == CADRE_PLACE_NUMA)
        say(t, ", each within a NUMA node");
    say(t, " (%llu core%s", (unsigned long long)threads, plural(threads));
    if (gpus > 0)
        say(t, ", %llu GPU%s", (unsigned long long)gpus, plural(gpus));
    say(t, ")");
}

static void say_part(struct text *t, uint64_t all, uint64_t free,
                     const char *what)
{
    say(t, "%llu %s%s", (unsigned long long)all, what, plural(all));
    if (free < all)
        say(t, " (%llu free)", (unsigned long long)free);
}

static void say_stock(struct text *t, const struct cadre_ledger *l)
{
    struct stock s = {0};

    for (uint32_t i = 0; i < l->nhosts; i++)
        add_stock(&l->hosts[i], &s);
    if (l->nhosts > 1)
        say(t, "%u hosts have ", l->nhosts);
    else
        say(t, "%s has ", l->hosts[0].name[0] ? l->hosts[0].name : "the host");
    say_part(t, s.cores, s.free_cores, "core");
    if (s.pus > s.cores) {
        say(t, ", ");
        say_part(t, s.pus, s.free_pus, "hardware thread");
    }
    say(t, " and ");
    say_part(t, s.gpus, s.free_gpus, "GPU");
}

static bool has_gpus_enough(const struct planning *p);

static cadre_err too_little(const struct planning *p, struct cadre_error *error)
{
    char asked[160], there[160];
    struct text t = {asked, sizeof asked}, u = {there, sizeof there};
    const char *advice = "ask for less, or oversubscribe";

    say_asked(&t, &p->request);
    say_stock(&u, p->ledger);
    if (!has_gpus_enough(p))
        advice = "ask for less; GPUs are never shared";
    else if (p->request.oversubscribe)
        advice = "ask for less"; /* cannot be but for the hosts given */
    return cadre_error_set(error, CADRE_EINVAL,
                           "placement: asked for %s, but %s: %s", asked, there,
                           advice);
}

/* --- the request ---------------------------------------------------------- */

static void set_defaults(struct cadre_place_request *r)
{
    if (r->threads_per_rank == 0)
        r->threads_per_rank = 1;
    if (r->ranks_per_team == 0)
        r->ranks_per_team = 1;
}

static cadre_err check_hosts(const struct cadre_ledger *l,
                             const struct cadre_place_request *r,
                             struct cadre_error *error)
{
    for (uint32_t i = 0; r->hosts != NULL && i < r->ranks; i++)
        if (r->hosts[i] >= l->nhosts)
            return cadre_error_set(error, CADRE_EINVAL,
                                   "placement: rank %u is on host %u of %u", i,
                                   r->hosts[i], l->nhosts);
    return CADRE_OK;
}

static cadre_err check(const struct cadre_ledger *l,
                       const struct cadre_place_request *r,
                       struct cadre_error *error)
{
    if (r->ranks == 0 || r->ranks > CADRE_PLACE_RANKS_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement: %u ranks: from 1 to %d", r->ranks,
                               CADRE_PLACE_RANKS_MAX);
    if (r->ranks % r->ranks_per_team != 0)
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement: %u ranks do not make teams of %u",
                               r->ranks, r->ranks_per_team);
    if (r->threads_per_rank > CADRE_MACHINE_NODES_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement: %u threads per rank: from 1 to %d",
                               r->threads_per_rank, CADRE_MACHINE_NODES_MAX);
    if (r->gpus_per_rank > CADRE_MACHINE_GPUS_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement: %u GPUs per rank: from 0 to %d",
                               r->gpus_per_rank, CADRE_MACHINE_GPUS_MAX);
    if (r->policy > CADRE_PLACE_NONE)
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement: policy %d is unknown",
                               (int)r->policy);
    if (l->nhosts == 0)
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement: there is no host");
    return check_hosts(l, r, error);
}

/* --- a plan --------------------------------------------------------------- */

static void destroy_plan(struct cadre_plan *plan)
{
    if (plan->own != NULL) {
        cadre_taken_list_fini(&plan->own->taken);
        free(plan->own->rank_of);
        free(plan->own->host_of);
        free(plan->own->numbers);
        free(plan->own->gpus);
    }
    free(plan->own);
    free(plan->places);
    free(plan);
}

void cadre_ledger_release(struct cadre_ledger *ledger, struct cadre_plan *plan)
{
    if (plan == NULL)
        return;
    for (uint32_t i = 0; i < plan->own->taken.nranks; i++)
        cadre_fit_give_back(&plan->own->taken, i,
                            &ledger->hosts[plan->own->host_of[i]].use);
    destroy_plan(plan);
}

static cadre_err create_plan(uint32_t ranks, struct cadre_plan **plan)
{
    struct cadre_plan *p = calloc(1, sizeof *p);

    if (p == NULL)
        return CADRE_ENOMEM;
    p->nplaces = ranks;
    p->places = calloc(ranks, sizeof *p->places);
    if ((p->own = calloc(1, sizeof *p->own)) != NULL) {
        p->own->rank_of = calloc(ranks, sizeof *p->own->rank_of);
        p->own->host_of = calloc(ranks, sizeof *p->own->host_of);
    }
    if (p->places == NULL || p->own == NULL || p->own->rank_of == NULL ||
        p->own->host_of == NULL) {
        destroy_plan(p);
        return CADRE_ENOMEM;
    }
    *plan = p;
    return CADRE_OK;
}

/* --- the teams' hosts ----------------------------------------------------- */

/* For work on one host after another: hosts of the same machine share columns.
 */
static cadre_err fit_to(struct cadre_fit *fit, struct planning *p,
                        uint32_t host)
{
    struct host *h = &p->ledger->hosts[host];
    cadre_err err;

    if (fit->machine != h->machine) {
        cadre_fit_fini(fit);
        if ((err = cadre_fit_init(fit, h->machine)) != CADRE_OK)
            return err;
    }
    cadre_fit_count(fit, &h->use, &p->shape);
    return CADRE_OK;
}

static cadre_err count_hosts(struct planning *p)
{
    struct cadre_fit fit = {0};
    cadre_err err = CADRE_OK;

    for (uint32_t i = 0; i < p->ledger->nhosts; i++) {
        if ((err = fit_to(&fit, p, i)) != CADRE_OK)
            break;
        p->teams[i] = fit.teams;
        p->ranks[i] = fit.ranks;
    }
    cadre_fit_fini(&fit);
    return err;
}

static uint32_t nteams(const struct planning *p)
{
    return p->request.ranks / p->shape.ranks;
}

/* The ranks' hosts are given: is there room? */
static bool follow_hosts(struct planning *p)
{
    const uint32_t *hosts = p->request.hosts, size = p->shape.ranks;

    for (uint32_t i = 0; i < p->request.ranks; i++) {
        p->rank_host[i] = hosts[i];
        if (p->ranks[hosts[i]]-- == 0)
            return false;
    }
    for (uint32_t t = 0; t < nteams(p); t++) {
        p->team_host[t] = hosts[t * size];
        for (uint32_t k = 1; k < size; k++)
            if (hosts[t * size + k] != hosts[t * size])
                p->team_host[t] = NOWHERE;
    }
    return true;
}

/* The host that holds all teams with the least to spare, or NOWHERE. */
static int64_t one_host(const struct planning *p)
{
    int64_t best = NOWHERE;

    for (uint32_t i = 0; i < p->ledger->nhosts; i++)
        if (p->teams[i] >= nteams(p) &&
            (best == NOWHERE || p->teams[i] < p->teams[best]))
            best = i;
    return best;
}

static void put_team(struct planning *p, uint32_t team, uint32_t host)
{
    p->team_host[team] = host;
    p->teams[host]--;
    p->ranks[host] -= p->shape.ranks;
}

/* One host after another; returns how many teams have one. */
static uint32_t fill_hosts(struct planning *p)
{
    int64_t only = one_host(p);
    uint32_t t = 0;

    for (uint32_t i = 0; i < p->ledger->nhosts; i++)
        while ((only == NOWHERE || only == i) && p->teams[i] > 0 &&
               t < nteams(p))
            put_team(p, t++, i);
    return t;
}

/* A team to each host in turn. */
static uint32_t deal_to_hosts(struct planning *p)
{
    bool goes_on = true;
    uint32_t t = 0;

    while (goes_on && t < nteams(p)) {
        goes_on = false;
        for (uint32_t i = 0; i < p->ledger->nhosts && t < nteams(p); i++)
            if (p->teams[i] > 0) {
                put_team(p, t++, i);
                goes_on = true;
            }
    }
    return t;
}

/* Teams from `team` on span hosts: their ranks go where there is room. */
static void spread_teams(struct planning *p, uint32_t team)
{
    uint32_t host = 0, first = team * p->shape.ranks;

    for (; team < nteams(p); team++)
        p->team_host[team] = NOWHERE;
    for (uint32_t r = first; r < p->request.ranks; r++) {
        while (p->ranks[host] == 0)
            host++;
        p->ranks[host]--;
        p->rank_host[r] = host;
    }
}

/* Find a host for every team; false if there is not enough. */
static bool find_hosts(struct planning *p)
{
    uint64_t room = 0;
    uint32_t done;

    if (p->request.hosts != NULL)
        return follow_hosts(p);
    for (uint32_t i = 0; i < p->ledger->nhosts; i++)
        room += p->ranks[i];
    if (room < p->request.ranks)
        return false;
    done = p->request.policy == CADRE_PLACE_SCATTER ? deal_to_hosts(p)
                                                    : fill_hosts(p);
    spread_teams(p, done);
    return true;
}

/* --- taking --------------------------------------------------------------- */

/* The entries appended since `from` belong to these ranks. */
static void note_ranks(struct planning *p, uint32_t from, uint32_t host,
                       const uint32_t *firsts, uint32_t count, uint32_t size)
{
    struct cadre_plan_own *own = p->plan->own;

    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < size; k++, from++) {
            own->rank_of[from] = firsts[i] + k;
            own->host_of[from] = host;
        }
}

/* Take `count` teams on a host; their first ranks are `firsts`. */
static cadre_err take_on(struct planning *p, struct cadre_fit *fit,
                         uint32_t host, const uint32_t *firsts, uint32_t count)
{
    struct cadre_plan_own *own = p->plan->own;
    uint32_t from = own->taken.nranks;
    cadre_err err;

    if (count == 0)
        return CADRE_OK;
    if ((err = fit_to(fit, p, host)) != CADRE_OK)
        return err;
    err = p->shape.unit == CADRE_UNIT_NOTHING
              ? cadre_fit_take_gpus(fit, count, &own->taken)
              : cadre_fit_take(fit, count, &own->taken);
    if (err == CADRE_OK)
        note_ranks(p, from, host, firsts, count, p->shape.ranks);
    return err;
}

/* Numbers sorted into a box for each host: box h is at[h] to at[h + 1]. */
struct boxes {
    uint32_t *at;
    uint32_t *numbers;
};

static void boxes_fini(struct boxes *b)
{
    free(b->at);
    free(b->numbers);
}

static cadre_err boxes_init(struct boxes *b, uint32_t hosts, uint32_t count)
{
    b->at = calloc((size_t)hosts + 2, sizeof *b->at);
    b->numbers = calloc((size_t)count + 1, sizeof *b->numbers);
    if (b->at != NULL && b->numbers != NULL)
        return CADRE_OK;
    boxes_fini(b);
    return CADRE_ENOMEM;
}

/* The first ranks of whole teams, or (`whole` false) the ranks of others. */
static void boxes_fill(struct boxes *b, const struct planning *p, bool whole)
{
    uint32_t step = whole ? p->shape.ranks : 1, hosts = p->ledger->nhosts;

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t r = 0; r < p->request.ranks; r += step) {
            int64_t host = p->team_host[r / p->shape.ranks];
            if ((host != NOWHERE) != whole)
                continue;
            if (!whole)
                host = p->rank_host[r];
            if (pass == 0)
                b->at[host + 2]++;
            else
                b->numbers[b->at[host + 1]++] = r;
        }
        for (uint32_t h = 0; pass == 0 && h < hosts; h++)
            b->at[h + 2] += b->at[h + 1];
    }
}

/* What find_hosts() decided: whole teams, then single ranks of others. */
static cadre_err take(struct planning *p, bool whole)
{
    struct cadre_shape shape = p->shape;
    struct cadre_fit fit = {0};
    struct boxes b;
    cadre_err err = boxes_init(&b, p->ledger->nhosts, p->request.ranks);

    if (err != CADRE_OK)
        return err;
    boxes_fill(&b, p, whole);
    if (!whole)
        p->shape.ranks = 1;
    for (uint32_t h = 0; h < p->ledger->nhosts && err == CADRE_OK; h++)
        err = take_on(p, &fit, h, b.numbers + b.at[h], b.at[h + 1] - b.at[h]);
    p->shape = shape;
    cadre_fit_fini(&fit);
    boxes_fini(&b);
    return err;
}

/* CADRE_ENOTFOUND: it does not fit like this. */
static cadre_err try_shape(struct planning *p)
{
    cadre_err err = count_hosts(p);

    if (err != CADRE_OK)
        return err;
    if (!find_hosts(p))
        return CADRE_ENOTFOUND;
    if ((err = take(p, true)) != CADRE_OK)
        return err;
    return p->shape.ranks > 1 ? take(p, false) : CADRE_OK;
}

static cadre_err try_bound(struct planning *p)
{
    cadre_err err;

    p->shape.unit = CADRE_UNIT_CORE;
    err = try_shape(p);
    if (err != CADRE_ENOTFOUND || p->request.whole_cores)
        return err;
    p->shape.unit = CADRE_UNIT_PU;
    p->shape.free_cores = true;
    if ((err = try_shape(p)) != CADRE_ENOTFOUND)
        return err;
    p->shape.free_cores = false;
    return try_shape(p);
}

/* --- more threads than there are ------------------------------------------ */

/* Without cores: what fits by GPUs. */
static void shape_gpus(struct planning *p)
{
    p->shape = (struct cadre_shape){.unit = CADRE_UNIT_NOTHING,
                                    .threads = 1,
                                    .gpus = p->request.gpus_per_rank,
                                    .ranks = 1,
                                    .limit = UINT32_MAX};
}

static uint32_t free_gpu_ranks(const struct host *h, uint32_t gpus_per_rank)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < h->machine->ngpus; i++)
        n += h->use.gpus[i] == 0;
    return n / gpus_per_rank;
}

static bool has_gpus_enough(const struct planning *p)
{
    uint64_t ranks = 0;

    if (p->request.gpus_per_rank == 0)
        return true;
    for (uint32_t i = 0; i < p->ledger->nhosts; i++)
        ranks += free_gpu_ranks(&p->ledger->hosts[i], p->request.gpus_per_rank);
    return ranks >= p->request.ranks;
}

/* Nobody is bound: hosts in turn, as many ranks as they have cores. */
static void deal_unbound(struct planning *p)
{
    uint32_t host = 0, on_it = 0;

    for (uint32_t r = 0; r < p->request.ranks; r++) {
        uint32_t cores = cadre_machine_pus(p->ledger->hosts[host].machine) /
                         p->request.threads_per_rank;
        p->rank_host[r] = host;
        if (++on_it >= cores) {
            host = (host + 1) % p->ledger->nhosts;
            on_it = 0;
        }
    }
}

/* Only GPUs are taken. A plan without any has an empty list. */
static cadre_err plan_unbound(struct planning *p)
{
    const uint32_t *hosts = p->request.hosts;
    cadre_err err = CADRE_OK;

    shape_gpus(p);
    if (p->request.gpus_per_rank > 0) {
        for (uint32_t i = 0; i < p->ledger->nhosts; i++)
            p->teams[i] = p->ranks[i] =
                free_gpu_ranks(&p->ledger->hosts[i], p->request.gpus_per_rank);
        if (!find_hosts(p))
            return CADRE_ENOTFOUND;
        err = take(p, true);
        for (uint32_t i = 0; i < p->plan->own->taken.nranks; i++)
            p->rank_host[p->plan->own->rank_of[i]] = p->plan->own->host_of[i];
    } else if (hosts != NULL) {
        memcpy(p->rank_host, hosts, p->request.ranks * sizeof *hosts);
    } else {
        deal_unbound(p);
    }
    for (uint32_t r = 0; r < p->request.ranks; r++)
        p->plan->places[r].host = p->rank_host[r];
    return err;
}

/* The most threads that a rank can be bound to. */
static uint32_t largest_host(const struct planning *p)
{
    uint32_t most = 1;

    for (uint32_t i = 0; i < p->ledger->nhosts; i++) {
        const struct cadre_machine *m = p->ledger->hosts[i].machine;
        uint32_t n = p->shape.unit == CADRE_UNIT_CORE ? cadre_machine_cores(m)
                                                      : cadre_machine_pus(m);
        if (n > most)
            most = n;
    }
    return most;
}

/* One round: what fits on a host now, of the ranks that go there and have no
 * place yet. `box` is all of them if their hosts are open. */
static cadre_err share_host(struct planning *p, struct cadre_fit *fit,
                            uint32_t host, struct boxes *b, uint32_t box)
{
    cadre_err err = fit_to(fit, p, host);
    uint32_t left = b->at[box + 1] - b->at[box] - p->teams[box];
    uint32_t count = fit->ranks < left ? fit->ranks : left;

    if (err == CADRE_OK)
        err = take_on(p, fit, host, b->numbers + b->at[box] + p->teams[box],
                      count);
    p->teams[box] += count;
    return err;
}

static uint32_t highest_use(const struct cadre_ledger *l)
{
    uint32_t most = 0;

    for (uint32_t h = 0; h < l->nhosts; h++)
        for (uint32_t i = 0; i < l->hosts[h].machine->nnodes; i++)
            if (l->hosts[h].use.pus[i] > most)
                most = l->hosts[h].use.pus[i];
    return most;
}

/* Every core may be held by one rank, then by two, and so on, until all ranks
 * have theirs. `teams` counts those of each box that do. */
static cadre_err share_all(struct planning *p, struct boxes *b)
{
    bool is_open = p->request.hosts == NULL;
    struct cadre_fit fit = {0};
    cadre_err err = CADRE_OK;

    memset(p->teams, 0, p->ledger->nhosts * sizeof *p->teams);
    for (p->shape.limit = 1; err == CADRE_OK; p->shape.limit++) {
        uint32_t before = p->plan->own->taken.nranks;
        for (uint32_t h = 0; h < p->ledger->nhosts && err == CADRE_OK; h++)
            err = share_host(p, &fit, h, b, is_open ? 0 : h);
        if (p->plan->own->taken.nranks == p->request.ranks)
            break;
        if (err == CADRE_OK && p->plan->own->taken.nranks == before &&
            p->shape.limit > highest_use(p->ledger))
            err = CADRE_ENOTFOUND; /* all is free, and still none fits */
    }
    cadre_fit_fini(&fit);
    return err;
}

static cadre_err plan_shared(struct planning *p)
{
    struct boxes b;
    cadre_err err = boxes_init(&b, p->ledger->nhosts, p->request.ranks);

    if (err != CADRE_OK)
        return err;
    p->shape = (struct cadre_shape){
        .threads = p->request.threads_per_rank,
        .gpus = p->request.gpus_per_rank,
        .ranks = 1,
        .policy = p->request.policy,
        .unit = p->request.whole_cores ? CADRE_UNIT_CORE : CADRE_UNIT_PU};
    if (p->shape.policy == CADRE_PLACE_NUMA)
        p->shape.policy = CADRE_PLACE_COMPACT;
    if (p->shape.threads > largest_host(p))
        p->shape.threads = largest_host(p);
    for (uint32_t r = 0; r < p->request.ranks; r++) {
        p->team_host[r] = NOWHERE;
        p->rank_host[r] = p->request.hosts != NULL ? p->request.hosts[r] : 0;
    }
    boxes_fill(&b, p, false);
    err = share_all(p, &b);
    boxes_fini(&b);
    return err;
}

/* Before anything is taken. */
static void note_oversubscribed(struct planning *p)
{
    char asked[160], there[160];
    struct text t = {asked, sizeof asked}, u = {there, sizeof there};

    say_asked(&t, &p->request);
    say_stock(&u, p->ledger);
    p->plan->is_oversubscribed = true;
    p->plan->must_say = !p->ledger->has_said;
    snprintf(p->plan->note, sizeof p->plan->note,
             "oversubscribed: %s, but %s: %s", asked, there,
             p->request.binds_oversubscribed ? "ranks share cores"
                                             : "ranks are not bound");
}

/* --- from what was taken to places ---------------------------------------- */

static bool has_number(const uint32_t *numbers, uint32_t count, uint32_t x)
{
    for (uint32_t i = 0; i < count; i++)
        if (numbers[i] == x)
            return true;
    return false;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The NUMA nodes that the PUs lie in; returns how many. */
static uint32_t list_numa(const struct cadre_node *n, const uint32_t *pus,
                          uint32_t npus, uint32_t *numa)
{
    uint32_t count = 0, last = UINT32_MAX;

    for (uint32_t i = 0; i < npus; i++) {
        uint32_t at = pus[i];
        while (at != 0 && n[at].type != CADRE_NODE_NUMA)
            at = n[at].parent;
        if (at == 0 || at == last)
            continue;
        last = at;
        if (!has_number(numa, count, n[at].index))
            numa[count++] = n[at].index;
    }
    qsort(numa, count, sizeof *numa, compare_numbers);
    return count;
}

static void write_place(struct planning *p, uint32_t entry, uint32_t *numbers)
{
    struct cadre_plan_own *own = p->plan->own;
    const struct cadre_taken *t = &own->taken.ranks[entry];
    struct host *h = &p->ledger->hosts[own->host_of[entry]];
    struct cadre_place *place = &p->plan->places[own->rank_of[entry]];

    place->host = own->host_of[entry];
    for (uint32_t i = 0; i < t->npus; i++)
        numbers[i] = h->machine->nodes[own->taken.nodes[t->pus + i]].index;
    qsort(numbers, t->npus, sizeof *numbers, compare_numbers);
    place->pus = numbers;
    place->npus = t->npus;
    place->numa = numbers + t->npus;
    place->nnuma = list_numa(h->machine->nodes, own->taken.nodes + t->pus,
                             t->npus, numbers + t->npus);
    for (uint32_t i = 0; i < t->ngpus; i++)
        own->gpus[t->gpus + i] = h->machine->gpus[own->taken.gpus[t->gpus + i]];
    place->gpus = own->gpus + t->gpus;
    place->ngpus = t->ngpus;
}

static enum cadre_place_memory memory_of(const struct planning *p,
                                         const struct cadre_place *place)
{
    if (place->nnuma == 0)
        return CADRE_MEMORY_ANY;
    return p->request.policy == CADRE_PLACE_NUMA && !p->plan->is_oversubscribed
               ? CADRE_MEMORY_BIND
               : CADRE_MEMORY_PREFER;
}

static cadre_err write_places(struct planning *p)
{
    struct cadre_plan_own *own = p->plan->own;

    own->numbers =
        calloc(2 * (size_t)own->taken.nnodes + 1, sizeof *own->numbers);
    own->gpus = calloc((size_t)own->taken.ngpus + 1, sizeof *own->gpus);
    if (own->numbers == NULL || own->gpus == NULL)
        return CADRE_ENOMEM;
    for (uint32_t i = 0; i < own->taken.nranks; i++)
        write_place(p, i, own->numbers + 2 * (size_t)own->taken.ranks[i].pus);
    for (uint32_t r = 0; r < p->plan->nplaces; r++) {
        struct cadre_place *place = &p->plan->places[r];
        place->host_name = p->ledger->hosts[place->host].name;
        place->threads = p->request.threads_per_rank;
        place->unit = place->npus > 0 ? p->shape.unit : CADRE_UNIT_NOTHING;
        place->memory = memory_of(p, place);
    }
    return CADRE_OK;
}

/* --- reserving ------------------------------------------------------------ */

static void fini(struct planning *p)
{
    free(p->teams);
    free(p->ranks);
    free(p->team_host);
    free(p->rank_host);
}

static cadre_err init(struct planning *p, struct cadre_ledger *ledger)
{
    size_t ranks = p->request.ranks, hosts = ledger->nhosts;

    p->ledger = ledger;
    p->shape = (struct cadre_shape){.threads = p->request.threads_per_rank,
                                    .gpus = p->request.gpus_per_rank,
                                    .ranks = p->request.ranks_per_team,
                                    .policy = p->request.policy,
                                    .limit = 1};
    p->teams = calloc(hosts, sizeof *p->teams);
    p->ranks = calloc(hosts, sizeof *p->ranks);
    p->team_host = calloc(ranks, sizeof *p->team_host);
    p->rank_host = calloc(ranks, sizeof *p->rank_host);
    if (p->teams == NULL || p->ranks == NULL || p->team_host == NULL ||
        p->rank_host == NULL)
        return CADRE_ENOMEM;
    return create_plan(p->request.ranks, &p->plan);
}

static cadre_err fill(struct planning *p)
{
    cadre_err err;

    if (p->request.policy == CADRE_PLACE_NONE)
        return plan_unbound(p);
    if ((err = try_bound(p)) != CADRE_ENOTFOUND)
        return err;
    if (!p->request.oversubscribe || !has_gpus_enough(p))
        return CADRE_ENOTFOUND;
    note_oversubscribed(p);
    err = p->request.binds_oversubscribed ? plan_shared(p) : plan_unbound(p);
    if (err == CADRE_OK)
        p->ledger->has_said = true;
    return err;
}

cadre_err cadre_ledger_reserve(struct cadre_ledger *ledger,
                               const struct cadre_place_request *request,
                               struct cadre_plan **plan,
                               struct cadre_error *error)
{
    struct planning p = {.request = *request};
    cadre_err err;

    set_defaults(&p.request);
    if ((err = check(ledger, &p.request, error)) != CADRE_OK)
        return err;
    if ((err = init(&p, ledger)) == CADRE_OK && (err = fill(&p)) == CADRE_OK)
        err = write_places(&p);
    if (err == CADRE_ENOTFOUND)
        err = too_little(&p, error);
    if (err == CADRE_ENOMEM)
        cadre_error_set(error, err, "placement: out of memory");
    if (err != CADRE_OK)
        cadre_ledger_release(ledger, p.plan);
    else
        *plan = p.plan;
    fini(&p);
    return err;
}
