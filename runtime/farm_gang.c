/* farm_gang.c - lanes, the bench, and communicators that are kept.
 *
 *     bench: worker worker worker     -- form -->  team of lane 2
 *            worker                   <- leave --
 *
 * gang.c decides; here it is done.
 */
#include "farm_internal.h"

#include "gang.h"
#include "log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- lanes ---------------------------------------------------------------- */

/* One task at a time, and nothing sent ahead: where processes are for one task,
 * and where a rank that fails may leave the others in a collective call, which
 * must not meet that of the next task. */
static cadre_err new_lane(struct cadre_farm *farm, int ranks,
                          struct lane **lane)
{
    bool is_single = ranks > 1 || farm->options.is_fresh;
    struct cadre_sched_options how = {.ahead_ns = is_single ? 1 : 0};
    struct lane *l = calloc(1, sizeof *l);

    if (l == NULL)
        return CADRE_ENOMEM;
    *l = (struct lane){.farm = farm, .ranks = ranks};
    if (cadre_sched_create(&how, &l->sched) != CADRE_OK ||
        cadre_engine_add_sched(farm->engine, l->sched) != CADRE_OK) {
        cadre_sched_destroy(l->sched);
        free(l);
        return CADRE_ENOMEM;
    }
    farm->lanes[farm->nlanes++] = *lane = l;
    return CADRE_OK;
}

cadre_err cadre_farm_lane(struct cadre_farm *farm, int ranks,
                          struct lane **lane, struct cadre_error *error)
{
    int most = farm->options.max_ranks;

    ranks = ranks > 0 ? ranks : farm->options.ranks;
    for (int i = 0; i < farm->nlanes; i++) {
        *lane = farm->lanes[i];
        if ((*lane)->ranks == ranks)
            return CADRE_OK;
    }
    if (farm->nlanes > 0 && ranks > most)
        return cadre_error_set(error, CADRE_EINVAL,
                               most > 0 ? "ranks is %d: it can be 1 to %d, the "
                                          "ranks of the pool"
                                        : "ranks is %d: here every task has %d",
                               ranks, most > 0 ? most : farm->options.ranks);
    if (farm->nlanes == LANES_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "ranks is %d: tasks of %d other numbers of "
                               "ranks have come already, which is the most",
                               ranks, LANES_MAX);
    if (new_lane(farm, ranks, lane) != CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    return CADRE_OK;
}

void cadre_farm_free_lanes(struct cadre_farm *farm)
{
    for (int i = 0; i < farm->nlanes; i++) {
        cadre_sched_destroy(farm->lanes[i]->sched);
        free(farm->lanes[i]);
    }
    farm->nlanes = 0;
}

/* --- the bench ------------------------------------------------------------ */

cadre_err cadre_farm_bench(struct cadre_farm *farm, struct cadre_crew *crew,
                           int peer)
{
    struct team *t = cadre_farm_team_new(farm, 1);

    if (t != NULL && farm->nbench == farm->bench_cap) {
        int cap = 2 * farm->bench_cap + 8;
        struct team **grown =
            reallocarray(farm->bench, (size_t)cap, sizeof(struct team *));

        if (grown == NULL) {
            cadre_farm_team_free(t);
            return CADRE_ENOMEM;
        }
        farm->bench = grown;
        farm->bench_cap = cap;
    }
    if (t == NULL)
        return CADRE_ENOMEM;
    t->state = TEAM_BENCH;
    t->members[0].crew = crew;
    t->members[0].peer = peer;
    crew->workers[peer].team = &t->members[0];
    farm->bench[farm->nbench++] = t;
    return CADRE_OK;
}

void cadre_farm_unbench(struct team *team)
{
    struct cadre_farm *farm = team->farm;
    struct member *m = &team->members[0];
    struct cadre_worker *w = cadre_member_worker(m);
    int i = 0;

    while (i < farm->nbench && farm->bench[i] != team)
        i++;
    assert(i < farm->nbench);
    memmove(&farm->bench[i], &farm->bench[i + 1],
            (size_t)(farm->nbench - i - 1) * sizeof(struct team *));
    farm->nbench--;
    if (w->team == m)
        w->team = NULL;
    if (w->is_lost)
        cadre_farm_forget_comms(farm, m->crew, m->peer);
    cadre_farm_team_free(team);
}

static void send_off_bench(struct cadre_farm *farm)
{
    struct team *t = farm->bench[farm->nbench - 1];
    struct cadre_crew *crew = t->members[0].crew;

    cadre_farm_forget_comms(farm, crew, t->members[0].peer);
    cadre_farm_send_off(&t->members[0]);
    cadre_farm_unbench(t);
    cadre_engine_tidy(farm->engine, crew);
}

void cadre_farm_clear_bench(struct cadre_farm *farm)
{
    while (farm->nbench > 0)
        send_off_bench(farm);
    for (int i = 0; i < farm->nkept; i++)
        free(farm->kept[i].peers);
    farm->nkept = 0;
    free(farm->bench);
    farm->bench = NULL;
}

/* --- communicators that are kept ------------------------------------------ */

/* Every member of `kept` that lives may forget it. */
static void let_go(struct kept_team *kept)
{
    struct cadre_msg_end msg = {.number = kept->number};

    for (int i = 0; i < kept->size; i++) {
        if (!kept->crew->workers[kept->peers[i]].is_lost)
            cadre_disband_encode(
                &msg, kept->crew->generation,
                cadre_channel_buffer(kept->crew->channel, kept->peers[i]));
    }
    free(kept->peers);
}

void cadre_farm_keep_comm(struct team *team)
{
    struct cadre_farm *farm = team->farm;
    int *peers = malloc((size_t)team->size * sizeof *peers);

    if (farm->nkept == KEPT_MAX)
        let_go(&farm->kept[--farm->nkept]);
    if (peers == NULL)
        return; /* its number is never used again: a communicator is wasted */
    for (int i = 0; i < team->size; i++)
        peers[i] = team->members[i].peer;
    memmove(&farm->kept[1], &farm->kept[0],
            (size_t)farm->nkept * sizeof farm->kept[0]);
    farm->kept[0] = (struct kept_team){.number = team->number,
                                       .crew = team->members[0].crew,
                                       .size = team->size,
                                       .peers = peers};
    farm->nkept++;
}

static void take_out(struct cadre_farm *farm, int i)
{
    memmove(&farm->kept[i], &farm->kept[i + 1],
            (size_t)(farm->nkept - i - 1) * sizeof farm->kept[0]);
    farm->nkept--;
}

/* The number of the communicator of these workers, now in use; 0: none. */
static uint32_t kept_comm(struct cadre_farm *farm,
                          const struct cadre_crew *crew, const int *peers,
                          int size)
{
    for (int i = 0; i < farm->nkept; i++) {
        struct kept_team *k = &farm->kept[i];
        uint32_t number = k->number;

        if (k->crew != crew || k->size != size ||
            memcmp(k->peers, peers, (size_t)size * sizeof *peers) != 0)
            continue;
        free(k->peers);
        take_out(farm, i);
        return number;
    }
    return 0;
}

void cadre_farm_forget_comms(struct cadre_farm *farm, struct cadre_crew *crew,
                             int peer)
{
    for (int i = farm->nkept; i > 0; i--) {
        struct kept_team *k = &farm->kept[i - 1];
        bool is_in = false;

        for (int r = 0; r < k->size && k->crew == crew; r++)
            is_in |= k->peers[r] == peer;
        if (!is_in)
            continue;
        let_go(k);
        take_out(farm, i - 1);
    }
}

/* --- forming -------------------------------------------------------------- */

/* Free workers of `crew`, those of `host` only if it is not NULL: up to `size`
 * in ascending order. Returns how many. */
static int choose(const struct cadre_farm *farm, const struct cadre_crew *crew,
                  const char *host, int *peers, int size)
{
    int n = 0;

    for (int p = 0; p < crew->nworkers && n < size; p++) {
        const struct cadre_worker *w = &crew->workers[p];
        const struct member *m = w->team;

        if (m != NULL && m->team->farm == farm &&
            m->team->state == TEAM_BENCH &&
            (host == NULL || strcmp(w->process.host, host) == 0))
            peers[n++] = p;
    }
    return n;
}

/* `size` free workers of one crew, on one host if they fit. NULL: no crew has
 * as many. */
static struct cadre_crew *find_free(const struct cadre_farm *farm, int *peers,
                                    int size)
{
    for (int i = 0; i < farm->nbench; i++) {
        const struct member *m = &farm->bench[i]->members[0];

        if (choose(farm, m->crew, cadre_member_worker(m)->process.host, peers,
                   size) == size)
            return m->crew;
    }
    for (int i = 0; i < farm->nbench; i++) {
        struct cadre_crew *crew = farm->bench[i]->members[0].crew;

        if (choose(farm, crew, NULL, peers, size) == size)
            return crew;
    }
    return NULL;
}

/* The free workers cannot have a communicator of all, having been started at
 * different times: as many new ones take their place. */
static void gather(struct cadre_farm *farm, int size)
{
    if (!cadre_farm_may_start(farm, size))
        return;
    for (int i = 0; i < size && farm->nbench > 0; i++)
        send_off_bench(farm);
    if (!cadre_farm_start(farm, size))
        cadre_log(CADRE_LOG_WARN, "no %d workers of one start are left", size);
}

static bool form(struct lane *lane, bool is_once)
{
    struct cadre_farm *farm = lane->farm;
    int *peers = malloc((size_t)lane->ranks * sizeof *peers);
    struct cadre_crew *crew;
    uint32_t number;
    bool is_formed = false;

    if (peers == NULL)
        return false;
    if ((crew = find_free(farm, peers, lane->ranks)) == NULL) {
        gather(farm, lane->ranks);
    } else {
        for (int i = 0; i < lane->ranks; i++) {
            struct member *m = crew->workers[peers[i]].team;

            cadre_farm_unbench(m->team);
        }
        number = kept_comm(farm, crew, peers, lane->ranks);
        is_formed = cadre_farm_hire(lane, crew, peers, number,
                                    is_once ? CADRE_HIRE_ONCE
                                            : CADRE_HIRE_BENCH) == CADRE_OK;
    }
    free(peers);
    return is_formed;
}

/* --- arranging ------------------------------------------------------------ */

static int lane_index(const struct cadre_farm *farm, const struct lane *lane)
{
    int i = 0;

    while (farm->lanes[i] != lane)
        i++;
    return i;
}

static void see(struct cadre_farm *farm, struct cadre_gang_state *state)
{
    uint64_t now = cadre_now_ns();

    for (int i = 0; i < farm->nlanes; i++) {
        const struct lane *l = farm->lanes[i];
        struct cadre_lane_state *s = &state->lanes[i];
        uint64_t next = cadre_sched_next_results_ns(l->sched);

        *s = (struct cadre_lane_state){.ranks = l->ranks,
                                       .since_ns = l->since_ns};
        s->is_waiting = cadre_sched_is_ready(l->sched, &s->task_ns);
        if (next != UINT64_MAX && next > now &&
            (state->gap_ns == 0 || next - now < state->gap_ns))
            state->gap_ns = next - now;
    }
    for (uint32_t i = 0; i < farm->nteams; i++) {
        const struct team *t = farm->teams[i];

        if (t == NULL)
            continue;
        if (t->state == TEAM_LEAVING)
            state->leaving += t->size;
        else if (t->held > 0)
            state->lanes[lane_index(farm, t->lane)].busy++;
        else
            state->lanes[lane_index(farm, t->lane)].idle++;
    }
    state->nlanes = farm->nlanes;
    state->free = farm->nbench;
}

static struct team *team_of(const struct lane *lane, bool is_idle)
{
    const struct cadre_farm *farm = lane->farm;

    for (uint32_t i = 0; i < farm->nteams; i++) {
        struct team *t = farm->teams[i];

        if (t != NULL && t->lane == lane && t->state == TEAM_WORKING &&
            (t->held == 0) == is_idle)
            return t;
    }
    return NULL;
}

static bool end_team(struct lane *lane, bool is_idle)
{
    struct team *t = team_of(lane, is_idle);

    if (t == NULL)
        return false;
    cadre_farm_team_retire(t);
    return true;
}

static void arrange(struct cadre_farm *farm)
{
    struct cadre_lane_state lanes[LANES_MAX] = {{0}};
    bool goes_on = true;

    while (goes_on) {
        struct cadre_gang_state state = {.lanes = lanes};
        struct cadre_gang_decision d;

        see(farm, &state);
        d = cadre_gang_decide(&state);
        switch (d.action) {
        case CADRE_GANG_NONE:
            goes_on = false;
            break;
        case CADRE_GANG_FORM:
        case CADRE_GANG_FORM_ONE:
            goes_on =
                form(farm->lanes[d.lane], d.action == CADRE_GANG_FORM_ONE);
            break;
        case CADRE_GANG_END_IDLE:
        case CADRE_GANG_END_BUSY:
            goes_on =
                end_team(farm->lanes[d.lane], d.action == CADRE_GANG_END_IDLE);
            break;
        }
    }
}

/* Called with every task: what has one lane pays nothing. */
void cadre_farm_arrange(struct cadre_farm *farm)
{
    if ((farm->nlanes > 1 || farm->nbench > 0) && farm->broken == CADRE_OK &&
        !farm->is_ending)
        arrange(farm);
}
