/* farm_staff.c - teams come and go.
 *
 *     resident workers that are free --+--> hire: TEAM, INIT --> at work
 *     MPI_Comm_spawn, by a thread -----+                           |
 *              ^                                                   |
 *              |   a member is gone: the team is lost, those of    |
 *              +--  its members that may hang are ended     <------+
 *                                                                  |
 *     free again, or dismissed with their crew  <-- retired <------+
 */
#include "farm_internal.h"

#include "gang.h"
#include "log.h"
#include "place_wish.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BARREN_MAX = 16, /* teams lost in a row without a result; those that are
                        known not to have begun a task count four times */
    GRACE_MS = 400,  /* for the ranks of a team one of which has failed */
    STOP_MS = 500,   /* for a task that is to end */
    LOOK_MS = 100,   /* between looks whether a task has begun */
    STUCK_MS = 1000, /* the same whether workers can be started again */
    STARTS_MAX = 3,  /* in a row that fail, where nothing goes on without; the
                        pause after each is twice as long, up to ... */
    PAUSE_S = 60
};

/* Ranks in teams that stay, and on the bench. */
static int present_ranks(const struct cadre_farm *farm)
{
    bool counts_leaving = farm->options.is_fresh || farm->nlanes > 1;
    int n = farm->nbench;

    for (uint32_t i = 0; i < farm->nteams; i++) {
        const struct team *t = farm->teams[i];

        if (t != NULL && (t->state == TEAM_WORKING || counts_leaving))
            n += t->size;
    }
    return n;
}

/* --- hiring --------------------------------------------------------------- */

/* A place for one more team; its index is its id - 1. */
static cadre_err find_place(struct cadre_farm *f, uint32_t *index)
{
    uint32_t cap = 2 * f->teams_cap + 8;
    struct team **grown;

    for (uint32_t i = 0; i < f->nteams; i++) {
        if (f->teams[i] == NULL) {
            *index = i;
            return CADRE_OK;
        }
    }
    if (f->nteams == f->teams_cap) {
        if ((grown = reallocarray(f->teams, cap, sizeof *grown)) == NULL)
            return CADRE_ENOMEM;
        f->teams = grown;
        f->teams_cap = cap;
    }
    f->teams[f->nteams] = NULL;
    *index = f->nteams++;
    return CADRE_OK;
}

/* The first number that no team at work has. */
static uint32_t free_seat(const struct cadre_farm *f)
{
    uint32_t seat = 0;
    bool is_taken = true;

    if (f->options.is_fresh || f->options.max_ranks > 0)
        return 0;
    while (is_taken) {
        is_taken = false;
        seat++;
        for (uint32_t i = 0; i < f->nteams && !is_taken; i++)
            is_taken = f->teams[i] != NULL && f->teams[i]->seat == seat &&
                       f->teams[i]->state == TEAM_WORKING;
    }
    return seat;
}

static cadre_err send_init(const struct member *m, uint32_t number)
{
    const struct cadre_function *init = m->team->farm->options.init;
    struct cadre_msg_init msg = {.team = number, .function = init->id};
    cadre_err err;

    err = cadre_farm_introduce(m->crew, m->peer, init);
    return err != CADRE_OK ? err
                           : cadre_init_encode(&msg, m->crew->generation,
                                               cadre_channel_buffer(
                                                   m->crew->channel, m->peer));
}

/* --- places --------------------------------------------------------------- */

/* A place of the farm's plan for a worker that has none. Those of one team come
 * one after another, as the plan wants them near each other. */
static void take_place(struct cadre_farm *f, struct cadre_worker *w)
{
    const struct cadre_plan *plan = f->options.plan;

    for (uint32_t i = 0; plan != NULL && w->place == 0 && i < plan->nplaces;
         i++) {
        if (f->place_used[i])
            continue;
        f->place_used[i] = 1;
        w->place = i + 1;
    }
}

static void give_place_back(struct cadre_farm *f, struct cadre_worker *w)
{
    if (f->place_used != NULL && w->place > 0)
        f->place_used[w->place - 1] = 0;
    w->place = 0;
}

/* On another host the worker plans for itself, as one of those that were
 * started there with it. */
static cadre_err encode_wish(const struct member *m, struct cadre_buffer *place)
{
    const struct cadre_farm_options *o = &m->team->farm->options;
    const struct cadre_worker *all = m->crew->workers;
    struct cadre_place_wish wish = {.request = o->request};

    wish.request.ranks = 0;
    for (int i = 0; i < m->crew->nworkers; i++) {
        if (strcmp(all[i].process.host, all[m->peer].process.host) != 0)
            continue;
        wish.index += i < m->peer;
        wish.request.ranks++;
    }
    if (wish.request.ranks_per_team > 0 &&
        wish.request.ranks % wish.request.ranks_per_team != 0)
        wish.request.ranks_per_team = 1;
    return cadre_wish_encode(&wish, place);
}

/* Where a worker that is new in this farm is to run; nothing: anywhere. */
static cadre_err encode_place(const struct member *m,
                              struct cadre_buffer *place)
{
    struct cadre_farm *f = m->team->farm;
    struct cadre_worker *w = cadre_member_worker(m);
    struct cadre_process self;

    if (f->options.plan == NULL)
        return CADRE_OK;
    cadre_process_self(&self);
    if (strcmp(self.host, w->process.host) != 0)
        return encode_wish(m, place);
    take_place(f, w);
    return w->place > 0
               ? cadre_place_encode(f->options.plan, w->place - 1, place)
               : CADRE_OK;
}

/* --- filling stores ------------------------------------------------------- */

/* Fill the store of a worker that comes from the bench, where it has not been:
 * others of its team may have been, and would not take part. So it is, for the
 * moment, a team of its own, else as in `whole`. */
static cadre_err fill_alone(const struct member *m,
                            const struct cadre_msg_team *whole)
{
    struct cadre_msg_team msg = *whole;
    unsigned char self[CADRE_TEAM_MEMBER];
    struct cadre_msg_end end;
    struct cadre_buffer *buffer =
        cadre_channel_buffer(m->crew->channel, m->peer);
    cadre_err err;

    msg.team = end.number = ++m->team->farm->engine->last_team;
    msg.size = 1;
    msg.rank = 0;
    msg.members = self;
    cadre_team_put_member(self, 0, (uint32_t)m->peer);
    if ((err = cadre_team_encode(&msg, m->crew->generation, buffer)) ==
            CADRE_OK &&
        (err = send_init(m, msg.team)) == CADRE_OK)
        err = cadre_disband_encode(&end, m->crew->generation, buffer);
    return err;
}

/* Whose stores are filled when a team is told that it is one. */
enum filling { FILL_NONE, FILL_TOGETHER, FILL_ALONE };

/* Tell every member of the team. */
static cadre_err introduce_team(const struct team *t, enum filling filling)
{
    const struct cadre_farm *f = t->farm;
    unsigned char *members = calloc((size_t)t->size, CADRE_TEAM_MEMBER);
    struct cadre_msg_team msg = {.team = t->number,
                                 .object = f->object,
                                 .size = (uint32_t)t->size,
                                 .has_all = f->options.has_all_ranks,
                                 .isolates = f->options.isolates,
                                 .cpu_ms = f->options.cpu_ms,
                                 .memory = f->options.memory,
                                 .members = members};
    cadre_err err = members != NULL ? CADRE_OK : CADRE_ENOMEM;
    struct cadre_buffer place = {0};

    for (int i = 0; i < t->size && err == CADRE_OK; i++)
        cadre_team_put_member(members, (uint32_t)i,
                              (uint32_t)t->members[i].peer);
    for (int i = 0; i < t->size && err == CADRE_OK; i++) {
        const struct member *m = &t->members[i];

        msg.rank = (uint32_t)i;
        place.len = 0;
        if (filling != FILL_NONE && (err = encode_place(m, &place)) != CADRE_OK)
            break;
        msg.place = place.data;
        msg.place_len = place.len;
        if (filling == FILL_ALONE && f->options.init != NULL)
            err = fill_alone(m, &msg);
        if (err == CADRE_OK)
            err = cadre_team_encode(
                &msg, m->crew->generation,
                cadre_channel_buffer(m->crew->channel, m->peer));
        if (err == CADRE_OK && filling == FILL_TOGETHER &&
            f->options.init != NULL)
            err = send_init(m, t->number);
    }
    free(members);
    cadre_buffer_fini(&place);
    return err;
}

static void free_members(struct team *t)
{
    for (int i = 0; i < t->size; i++) {
        struct cadre_worker *w = cadre_member_worker(&t->members[i]);

        if (w->team == &t->members[i])
            w->team = NULL;
    }
}

cadre_err cadre_farm_hire(struct lane *lane, struct cadre_crew *crew,
                          const int *peers, uint32_t number,
                          enum cadre_hire how)
{
    struct cadre_farm *farm = lane->farm;
    struct team *t = cadre_farm_team_new(farm, lane->ranks);
    struct cadre_event event = {.type = CADRE_EV_TEAM_READY};
    cadre_err err = CADRE_OK;
    uint32_t index;

    if (t == NULL || find_place(farm, &index) != CADRE_OK) {
        cadre_farm_team_free(t);
        return CADRE_ENOMEM;
    }
    t->lane = lane;
    t->is_once = how == CADRE_HIRE_ONCE;
    t->id = event.team = index + 1;
    t->seat = event.seat = free_seat(farm);
    t->number = number > 0 ? number : ++farm->engine->last_team;
    t->state = TEAM_WORKING;
    for (int i = 0; i < t->size; i++) {
        struct member *m = &t->members[i];

        m->crew = crew;
        m->peer = peers[i];
        m->first_batch = cadre_member_worker(m)->batches;
        cadre_member_worker(m)->team = m;
        cadre_member_worker(m)->events = &cadre_farm_events;
    }
    farm->teams[index] = t;
    farm->alive++;
    if (number == 0)
        err = introduce_team(t, how == CADRE_HIRE_NEW ? FILL_TOGETHER
                                                      : FILL_ALONE);
    if (err == CADRE_OK)
        err = cadre_farm_send_values(t);
    if (err == CADRE_OK)
        err = cadre_farm_step(lane, &event);
    if (err == CADRE_OK)
        return CADRE_OK;
    farm->alive--;
    farm->teams[index] = NULL;
    free_members(t);
    cadre_farm_team_free(t);
    return err;
}

/* Is there room for one more team? */
static bool has_room(const struct cadre_farm *farm)
{
    return farm->alive < farm->wanted && farm->nlanes == 1;
}

/* Teams of the workers at `hosts` (NULL: not free): on one host each as long as
 * a host has enough, then of what is left. */
static cadre_err hire_teams(struct cadre_farm *farm, struct cadre_crew *crew,
                            const char **hosts, int *peers)
{
    struct lane *lane = farm->lanes[0];
    bool is_near = true;
    cadre_err err = CADRE_OK;

    while (err == CADRE_OK && has_room(farm)) {
        if (cadre_gang_choose(hosts, crew->nworkers, lane->ranks, is_near,
                              peers)) {
            for (int i = 0; i < lane->ranks; i++)
                hosts[peers[i]] = NULL;
            err = cadre_farm_hire(lane, crew, peers, 0, CADRE_HIRE_NEW);
        } else if (is_near) {
            is_near = false;
        } else {
            break;
        }
    }
    return err;
}

static bool is_free(const struct cadre_worker *w)
{
    return w->team == NULL && !w->is_lost;
}

/* Teams of `crew`'s workers that are free; the rest sits on the bench, where
 * there is one. */
static cadre_err hire_crew(struct cadre_farm *farm, struct cadre_crew *crew)
{
    int *peers = calloc((size_t)farm->options.ranks, sizeof *peers);
    const char **hosts = calloc((size_t)crew->nworkers, sizeof *hosts);
    cadre_err err = CADRE_ENOMEM;

    if (peers != NULL && hosts != NULL) {
        for (int i = 0; i < crew->nworkers; i++)
            hosts[i] = is_free(&crew->workers[i])
                           ? crew->workers[i].process.host
                           : NULL;
        err = hire_teams(farm, crew, hosts, peers);
    }
    free(hosts);
    free(peers);
    for (int i = 0; i < crew->nworkers && err == CADRE_OK; i++) {
        if (is_free(&crew->workers[i]) &&
            present_ranks(farm) < farm->options.max_ranks)
            err = cadre_farm_bench(farm, crew, i);
    }
    return err;
}

static cadre_err hire_residents(struct cadre_farm *farm)
{
    cadre_err err = CADRE_OK;

    for (struct cadre_crew *c = farm->engine->crews; c != NULL; c = c->next) {
        if (c->is_resident && err == CADRE_OK)
            err = hire_crew(farm, c);
    }
    return err;
}

/* Start `ranks` workers in one go, or at least `least` of them, if that is not
 * 0. The lock is let go meanwhile. */
static cadre_err hire_spawned(struct cadre_farm *farm, int ranks, int least,
                              uint64_t deadline, struct cadre_error *error)
{
    struct cadre_engine *e = farm->engine;
    uint64_t now = cadre_now_ns();
    struct cadre_spawn spawn = {
        .program = farm->options.program,
        .count = ranks,
        .least = least,
        .cwd = farm->options.cwd,
        .timeout_s = deadline > now ? 1e-9 * (double)(deadline - now) : 0};
    struct cadre_crew *crew;
    cadre_err err = cadre_engine_spawn_crew(e, &spawn, &crew, error);

    if (err != CADRE_OK)
        return err;
    err = hire_crew(farm, crew);
    cadre_engine_tidy(e, crew);
    return err == CADRE_OK ? err : cadre_error_set(error, err, "out of memory");
}

/* Ranks that the farm is to have. */
static int wanted_ranks(const struct cadre_farm *farm)
{
    int ranks = farm->wanted * farm->options.ranks;

    return farm->options.max_ranks > ranks ? farm->options.max_ranks : ranks;
}

static uint64_t start_deadline(const struct cadre_farm *farm)
{
    return cadre_now_ns() + (uint64_t)(farm->options.spawn_timeout_s * 1e9);
}

/* Could a start fail like this with many workers and not with few? */
static bool may_be_too_many(cadre_err err)
{
    return err == CADRE_ESPAWN || err == CADRE_ETIMEOUT || err == CADRE_ENOMEM;
}

/* So many ranks are too many: half of them, whole teams, and not less than
 * `least`. */
static int fewer(const struct cadre_farm *farm, int ranks, int least)
{
    int half = ranks / 2 / farm->options.ranks * farm->options.ranks;

    return half > least ? half : least;
}

/* The farm has fewer than it was to have: it is to have no more. */
static void settle(struct cadre_farm *farm, const struct cadre_error *cause)
{
    int ranks = present_ranks(farm) + farm->recruiting;
    int wanted = wanted_ranks(farm);

    if (ranks >= wanted)
        return;
    cadre_log(CADRE_LOG_WARN, "going on with %d of %d workers%s%.300s", ranks,
              wanted, cause->text[0] != '\0' ? ": " : "", cause->text);
    farm->wanted = ranks / farm->options.ranks;
    if (farm->options.max_ranks > 0)
        farm->options.max_ranks = ranks;
}

/* Start `missing` workers, at least `least` of them: where it fails, with fewer
 * and fewer, all within one deadline. */
static cadre_err start(struct cadre_farm *farm, int missing, int least,
                       struct cadre_error *error)
{
    uint64_t deadline = start_deadline(farm);
    cadre_err err = CADRE_ESPAWN;

    for (int n = missing; n > 0; n = fewer(farm, n, least)) {
        int enough = least > 0 ? least : farm->options.ranks;

        err = hire_spawned(farm, n, enough < n ? enough : 0, deadline, error);
        if (err == CADRE_OK || !may_be_too_many(err) || n <= least ||
            cadre_crew_spawn_is_stuck() || cadre_now_ns() >= deadline)
            break;
        cadre_log(CADRE_LOG_INFO, "%d workers did not start: %s", n,
                  error->text);
    }
    return err;
}

cadre_err cadre_farm_staff(struct cadre_farm *farm, struct cadre_error *error)
{
    int min = farm->options.min_ranks, missing, least;
    cadre_err err = CADRE_OK;

    if (!farm->options.only_spawned && hire_residents(farm) != CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    if ((missing = wanted_ranks(farm) - present_ranks(farm)) > 0) {
        least = min > present_ranks(farm) ? min - present_ranks(farm) : 0;
        farm->recruiting += missing;
        err = start(farm, missing, min > 0 ? least : missing, error);
        farm->recruiting -= missing;
    }
    if (min > 0 && present_ranks(farm) >= min) {
        settle(farm, error);
        err = CADRE_OK;
    }
    cadre_farm_flush(farm);
    return err;
}

/* --- recruiting ----------------------------------------------------------- */

struct recruit {
    struct cadre_farm *farm;
    int ranks;
};

/* With nobody at work and nobody to come, what waits would wait for ever. */
static void give_up(struct cadre_farm *farm, cadre_err err,
                    const struct cadre_error *cause)
{
    struct cadre_error error;

    cadre_error_set(&error, err, "no worker is left%s%s%s%s",
                    farm->last_lost[0] != '\0' ? " (the last one: " : "",
                    farm->last_lost, farm->last_lost[0] != '\0' ? ")" : "",
                    cause != NULL ? ", and starting new ones failed" : "");
    if (cause != NULL)
        snprintf(error.text + strlen(error.text),
                 sizeof error.text - strlen(error.text), ": %.300s",
                 cause->text);
    cadre_farm_break(farm, err, &error);
}

/* What is for team `number`, if there is none, waits for one or does not. */
static void set_seat(struct cadre_farm *farm, int number, bool is_closed)
{
    struct cadre_event event = {
        .type = CADRE_EV_SEAT,
        .of_seat = {.seat = (uint32_t)number + 1, .is_closed = is_closed}};

    cadre_farm_step(farm->lanes[0], &event);
}

/* Nobody comes for the teams that are missing: what is for them would wait for
 * ever, and hold up the rest. (A seat that is taken stays so.) */
static void close_seats(struct cadre_farm *farm)
{
    if (farm->has_closed_seats)
        return;
    farm->has_closed_seats = true;
    for (int i = 0; i < farm->wanted; i++)
        set_seat(farm, i, true);
}

/* Is there a worker, and can all that waits run with those there are? */
static bool can_go_on(const struct cadre_farm *farm)
{
    int ranks = present_ranks(farm);

    for (int i = 0; i < farm->nlanes; i++) {
        if (farm->lanes[i]->ranks > ranks &&
            cadre_sched_waiting(farm->lanes[i]->sched) > 0)
            return false;
    }
    return ranks > 0;
}

/* New workers did not start. Others may be enough for what there is to do; if
 * not it is tried again, a few times. */
static void on_failed_start(struct cadre_farm *farm, cadre_err err,
                            const struct cadre_error *error)
{
    int pause_s = farm->failed_starts < 6 ? 1 << farm->failed_starts : PAUSE_S;
    bool can_try = cadre_engine_may_spawn(farm->engine, NULL) == CADRE_OK;

    farm->failed_starts++;
    farm->next_start_ns = cadre_now_ns() + (uint64_t)pause_s * 1000000000;
    if (!can_go_on(farm) && farm->recruiting == 0 &&
        (!can_try || farm->failed_starts >= STARTS_MAX)) {
        give_up(farm, err, error);
        return;
    }
    if (!can_try || farm->failed_starts >= STARTS_MAX)
        close_seats(farm);
    cadre_engine_check_by(farm->engine, farm->next_start_ns);
    if (can_try)
        cadre_log(CADRE_LOG_WARN,
                  "no new workers: %s; with %d there are it goes on, and tries "
                  "again in %d s",
                  error->text, present_ranks(farm), pause_s);
    else
        cadre_log(CADRE_LOG_WARN,
                  "no new workers: %s; it goes on with the %d "
                  "there are",
                  error->text, present_ranks(farm));
}

static void recruit(struct cadre_farm *farm, int ranks)
{
    struct cadre_error error = {""};
    cadre_err err = CADRE_OK;

    if (!farm->is_ending)
        err = hire_spawned(farm, ranks, 0, start_deadline(farm), &error);
    farm->recruiting -= ranks;
    if (err == CADRE_OK) {
        farm->failed_starts = 0;
        farm->has_closed_seats = false;
    } else if (!farm->is_ending) {
        on_failed_start(farm, err, &error);
    }
    cadre_farm_flush(farm);
}

static void *run_recruit(void *arg)
{
    struct recruit r = *(struct recruit *)arg;
    struct cadre_engine *e = r.farm->engine;

    free(arg);
    cadre_engine_lock(e);
    recruit(r.farm, r.ranks);
    cadre_engine_wake(e);
    cadre_engine_unlock(e);
    return NULL;
}

bool cadre_farm_start(struct cadre_farm *farm, int ranks)
{
    struct recruit *r;
    pthread_t thread;

    if (farm->engine->thread_level != MPI_THREAD_MULTIPLE ||
        (r = malloc(sizeof *r)) == NULL)
        return false;
    *r = (struct recruit){.farm = farm, .ranks = ranks};
    farm->recruiting += ranks;
    if (pthread_create(&thread, NULL, run_recruit, r) == 0) {
        pthread_detach(thread);
        return true;
    }
    farm->recruiting -= ranks;
    free(r);
    return false;
}

/* Processes for one task are started when there is one, as many as fit. */
static int missing_fresh(const struct cadre_farm *farm)
{
    int size = farm->options.ranks;
    int room =
        (wanted_ranks(farm) - present_ranks(farm) - farm->recruiting) / size;
    uint64_t coming = (uint64_t)(farm->recruiting / size), waiting, ignored;

    if (room <= 0 || !cadre_sched_is_ready(farm->lanes[0]->sched, &ignored))
        return 0;
    waiting = cadre_farm_waiting(farm);
    waiting = waiting > coming ? waiting - coming : 0;
    return size * (waiting < (uint64_t)room ? (int)waiting : room);
}

static int missing_ranks(const struct cadre_farm *farm)
{
    return farm->options.is_fresh
               ? missing_fresh(farm)
               : wanted_ranks(farm) - present_ranks(farm) - farm->recruiting;
}

/* Will it be tried again to start workers, but not yet? */
static bool is_to_try(const struct cadre_farm *farm)
{
    return cadre_now_ns() < farm->next_start_ns &&
           cadre_engine_may_spawn(farm->engine, NULL) == CADRE_OK;
}

static bool may_start(struct cadre_farm *farm)
{
    if (is_to_try(farm)) {
        cadre_engine_check_by(farm->engine, farm->next_start_ns);
        return false;
    }
    if (cadre_crew_spawn_is_stuck())
        cadre_engine_check_by(farm->engine,
                              cadre_now_ns() + STUCK_MS * UINT64_C(1000000));
    return cadre_engine_may_spawn(farm->engine, NULL) == CADRE_OK;
}

bool cadre_farm_may_start(struct cadre_farm *farm, int ranks)
{
    struct cadre_error cause = {""}, error;
    cadre_err err = cadre_engine_may_spawn(farm->engine, &cause);

    if (err == CADRE_OK && farm->engine->thread_level == MPI_THREAD_MULTIPLE)
        return may_start(farm);
    cadre_error_set(&error, CADRE_ELOST,
                    "no %d workers of one start are left, and no new ones can "
                    "be started%s%.300s",
                    ranks, cause.text[0] != '\0' ? ": " : "", cause.text);
    cadre_farm_break(farm, CADRE_ELOST, &error);
    return false;
}

void cadre_farm_recruit(struct cadre_farm *farm)
{
    int missing = missing_ranks(farm);
    struct cadre_error error;

    if (missing <= 0 || farm->is_ending || farm->broken != CADRE_OK ||
        (farm->is_closed && farm->njobs == 0))
        return;
    if (!farm->options.only_spawned && farm->engine->has_free_residents) {
        farm->engine->has_free_residents = false;
        if (hire_residents(farm) == CADRE_OK)
            missing = missing_ranks(farm);
    }
    if (missing <= 0 || (may_start(farm) && cadre_farm_start(farm, missing)))
        return;
    if (farm->recruiting > 0 || is_to_try(farm))
        return;
    if (can_go_on(farm))
        close_seats(farm);
    else if (cadre_engine_may_spawn(farm->engine, &error) != CADRE_OK)
        give_up(farm, CADRE_ELOST, &error);
    else
        give_up(farm, CADRE_ELOST, NULL);
}

/* --- leaving -------------------------------------------------------------- */

/* A member is free: a resident one for others, a spawned one until its crew is
 * dismissed. It forgets the team and what the object has stored. */
void cadre_farm_send_off(struct member *m)
{
    struct cadre_worker *w = cadre_member_worker(m);
    struct cadre_buffer *buffer;
    struct cadre_msg_end team = {.number = m->team->number};
    struct cadre_msg_end object = {.number = m->team->farm->object};
    cadre_err err = CADRE_OK;

    if (w->team == m)
        w->team = NULL;
    give_place_back(m->team->farm, w);
    if (w->is_lost)
        return;
    w->last_value = 0;
    buffer = cadre_channel_buffer(m->crew->channel, m->peer);
    if (m->team->state != TEAM_BENCH)
        err = cadre_disband_encode(&team, m->crew->generation, buffer);
    if (err == CADRE_OK)
        err = cadre_close_encode(&object, m->crew->generation, buffer);
    if (err != CADRE_OK)
        cadre_log(CADRE_LOG_WARN, "out of memory to free a worker");
    m->team->farm->engine->has_free_residents |= m->crew->is_resident;
}

static void drop_team(struct team *t)
{
    t->farm->teams[t->id - 1] = NULL;
    t->state = TEAM_GONE;
}

/* Freed by who stepped the scheduler. */
void cadre_farm_team_release(struct team *team)
{
    struct cadre_farm *farm = team->farm;
    struct cadre_crew *crew = team->members[0].crew;

    if (farm->options.max_ranks > 0 && !farm->is_ending)
        cadre_farm_keep_comm(team);
    for (int i = 0; i < team->size; i++) {
        if (farm->options.max_ranks > 0 && !farm->is_ending)
            cadre_farm_bench(farm, crew, team->members[i].peer);
        else
            cadre_farm_send_off(&team->members[i]);
    }
    cadre_engine_tidy(farm->engine, crew);
    if (team->state == TEAM_WORKING)
        farm->alive--;
    drop_team(team);
}

void cadre_farm_team_retire(struct team *team)
{
    struct cadre_event event = {.type = CADRE_EV_TEAM_RETIRE, .team = team->id};

    if (team->state != TEAM_WORKING)
        return;
    team->state = TEAM_LEAVING;
    team->farm->alive--;
    cadre_farm_step(team->lane, &event);
    if (team->state == TEAM_GONE)
        cadre_farm_team_free(team);
}

static bool is_behind(const struct member *m)
{
    return m->team->size > 1 &&
           (!m->team->has_worked || cadre_member_batch(m) != NULL);
}

/* The others may be in a collective call with the dead, for ever: those are
 * ended too. */
static void end_siblings(struct team *t)
{
    for (int i = 0; i < t->size; i++) {
        struct member *m = &t->members[i];
        struct cadre_worker *w = cadre_member_worker(m);

        w->team = NULL;
        cadre_farm_forget_comms(t->farm, m->crew, m->peer);
        if (w->is_lost || is_behind(m))
            give_place_back(t->farm, w);
        if (w->is_lost || is_behind(m))
            cadre_engine_lose(t->farm->engine, m->crew, w);
        else if (t->farm->options.max_ranks == 0 ||
                 cadre_farm_bench(t->farm, m->crew, m->peer) != CADRE_OK)
            cadre_farm_send_off(m);
    }
}

void cadre_farm_team_lose(struct member *member)
{
    struct team *t = member->team;
    struct cadre_farm *farm = t->farm;
    struct cadre_crew *crew = member->crew;
    struct cadre_event event = {.type = CADRE_EV_TEAM_LOST,
                                .lost = {.team = t->id}};
    uint64_t held;
    bool was_barren, is_vague;
    char name[128];

    if (t->state == TEAM_BENCH) {
        cadre_farm_unbench(t);
        cadre_engine_tidy(farm->engine, crew);
        return;
    }
    if (t->stop_err != CADRE_OK && t->done.batch == t->stop_batch)
        event.lost.err = t->stop_err;
    event.lost.is_known = cadre_farm_team_begun(t, &held, &event.lost.begun);
    is_vague = !t->has_worked && !event.lost.is_known;
    was_barren = !t->has_worked &&
                 (held == 0 || (event.lost.is_known && event.lost.begun == 0));

    cadre_member_name(member, name, sizeof name);
    snprintf(farm->last_lost, sizeof farm->last_lost, "%s was lost", name);
    cadre_log(CADRE_LOG_WARN, "%s", farm->last_lost);
    farm->alive -= t->state == TEAM_WORKING;
    farm->has_closed_seats = false;
    t->state = TEAM_GONE;
    for (int i = 0; i < t->size; i++)
        cadre_member_worker(&t->members[i])->team = NULL;
    cadre_farm_step(t->lane, &event);
    end_siblings(t);
    drop_team(t);
    cadre_engine_tidy(farm->engine, crew);
    cadre_farm_team_free(t);
    if (!was_barren)
        farm->barren = is_vague ? farm->barren + 1 : 0;
    else
        farm->barren += BARREN_MAX / 4;
    if (farm->barren > BARREN_MAX)
        give_up(farm, CADRE_ELOST, NULL);
    else if (farm->broken != CADRE_OK) /* what it had not begun waits again */
        cadre_farm_break(farm, farm->broken, &farm->cause);
}

static cadre_err disband(const struct team *t)
{
    struct cadre_msg_end msg = {.number = t->number};
    cadre_err err = CADRE_OK;

    for (int i = 0; i < t->size && err == CADRE_OK; i++) {
        const struct member *m = &t->members[i];

        err = cadre_disband_encode(
            &msg, m->crew->generation,
            cadre_channel_buffer(m->crew->channel, m->peer));
    }
    return err;
}

void cadre_farm_team_renew(struct team *team)
{
    cadre_err err = disband(team);

    team->number = ++team->farm->engine->last_team;
    if (err == CADRE_OK)
        err = introduce_team(team, FILL_NONE);
    if (err == CADRE_OK)
        return;
    team->is_starved = true;
    team->farm->has_starved = true;
}

/* --- ending a task that runs ---------------------------------------------- */

bool cadre_farm_team_is_stopped(const struct member *member)
{
    return member->team->stop_err != CADRE_OK &&
           member->done.batch == member->team->stop_batch;
}

void cadre_farm_team_stop(struct team *team, cadre_err err, const char *text)
{
    team->stop_err = err;
    team->stop_batch = team->done.batch;
    team->stop_ns = cadre_now_ns();
    snprintf(team->stop_text, sizeof team->stop_text, "%s", text);
    for (int i = 0; i < team->size; i++) {
        const struct member *m = &team->members[i];

        if (m->crew->bells != NULL)
            cadre_board_cancel(
                m->crew->bells, cadre_member_worker(m)->bell,
                (uint32_t)(m->first_batch + team->stop_batch + 1));
    }
    cadre_engine_check_by(team->farm->engine,
                          team->stop_ns + STOP_MS * 1000000ull);
}

void cadre_farm_team_begin(struct team *team)
{
    const struct sent *first;

    team->stop_err = CADRE_OK;
    if (team->held == 0)
        return;
    first = &team->ring[team->head];
    if (first->stop_err != CADRE_OK)
        cadre_farm_team_stop(team, first->stop_err, first->stop_text);
    if (first->deadline_ns == 0)
        return;
    team->first_ns = cadre_now_ns();
    cadre_engine_check_by(team->farm->engine,
                          team->first_ns + first->deadline_ns);
}

/* When the first batch began, as far as is known. */
static uint64_t begun_ns(const struct team *t)
{
    const struct member *leader = &t->members[0];
    struct cadre_begun b;

    if (leader->crew->bells == NULL || !cadre_member_worker(leader)->has_bell)
        return t->first_ns;
    b = cadre_board_begun(leader->crew->bells,
                          cadre_member_worker(leader)->bell);
    return b.batch == (uint32_t)(leader->first_batch + t->done.batch + 1)
               ? b.since_ns
               : 0;
}

static void check_deadline(struct team *t, uint64_t now_ns)
{
    uint64_t limit = t->held > 0 ? t->ring[t->head].deadline_ns : 0;
    uint64_t since;
    char text[96];

    if (limit == 0 || t->stop_err != CADRE_OK)
        return;
    if ((since = begun_ns(t)) == 0) { /* look again soon */
        since = now_ns;
        limit = limit < LOOK_MS * 1000000ull ? limit : LOOK_MS * 1000000ull;
    }
    if (now_ns < since + limit) {
        cadre_engine_check_by(t->farm->engine, since + limit);
        return;
    }
    snprintf(text, sizeof text, "the task has not ended within %g s",
             (double)limit / 1e9);
    cadre_farm_team_stop(t, CADRE_ETIMEOUT, text);
}

/* It was told to end and does not. May lose the team. */
static void check_stop(struct team *t, uint64_t now_ns)
{
    if (t->stop_err == CADRE_OK || now_ns < t->stop_ns + STOP_MS * 1000000ull)
        return;
    if (t->done.batch == t->stop_batch)
        cadre_engine_lose(t->farm->engine, t->members[0].crew,
                          cadre_member_worker(&t->members[0]));
}

void cadre_farm_team_watch(struct team *team, uint64_t now_ns)
{
    if (team->state == TEAM_BENCH || team->held == 0)
        return;
    check_deadline(team, now_ns);
    check_stop(team, now_ns);
}

/* --- ranks that hang ------------------------------------------------------ */

/* Is `task` of `batch` before that where `f` failed? */
static bool is_before(uint64_t batch, uint64_t task,
                      const struct failed_task *f)
{
    return batch < f->batch || (batch == f->batch && task < f->task);
}

static const struct failed_task *earliest_failure(const struct team *t)
{
    const struct failed_task *first = &t->failed[0];

    for (uint32_t i = 1; i < t->nfailed; i++) {
        if (is_before(t->failed[i].batch, t->failed[i].task, first))
            first = &t->failed[i];
    }
    return first;
}

/* A rank of `t` that is at the task where `f` failed. NULL: none is, or one is
 * before it and may yet go on. */
static struct member *find_late(const struct team *t,
                                const struct failed_task *f)
{
    struct member *late = NULL;

    for (int i = 0; i < t->size; i++) {
        struct place p = t->members[i].done;

        if (is_before(p.batch, p.task, f))
            return NULL;
        if (p.batch == f->batch && p.task == f->task)
            late = &t->members[i];
    }
    return late;
}

/* Does a rank hang in a task that has failed elsewhere in its team? */
void cadre_farm_team_check(struct team *team, uint64_t now_ns)
{
    struct member *late;

    if (team->nfailed == 0)
        return;
    if ((late = find_late(team, earliest_failure(team))) == NULL) {
        team->failed_ns = now_ns;
        return;
    }
    if (now_ns - team->failed_ns < GRACE_MS * 1000000ull)
        return;
    cadre_log(CADRE_LOG_INFO,
              "team %d: a rank has failed and rank %d does not come back",
              (int)team->id - 1, (int)(late - team->members));
    cadre_engine_lose(team->farm->engine, late->crew,
                      cadre_member_worker(late));
}

void cadre_farm_dismiss(struct cadre_farm *farm)
{
    for (uint32_t i = 0; i < farm->nteams; i++) {
        struct team *t = farm->teams[i];

        if (t == NULL)
            continue;
        for (int k = 0; k < t->size; k++)
            cadre_farm_send_off(&t->members[k]);
        cadre_engine_tidy(farm->engine, t->members[0].crew);
        farm->teams[i] = NULL;
        cadre_farm_team_free(t);
    }
    cadre_farm_clear_bench(farm);
    cadre_farm_flush(farm);
    cadre_engine_reap(farm->engine);
}

/* --- more or fewer -------------------------------------------------------- */

/* The numbers that stay are 0 to `teams` - 1. */
void cadre_farm_resize(struct cadre_farm *farm, int teams)
{
    int before = farm->wanted;

    farm->wanted = teams;
    farm->has_closed_seats = false;
    for (uint32_t i = 0; i < farm->nteams; i++) {
        struct team *t = farm->teams[i];

        if (t != NULL && t->state == TEAM_WORKING && t->seat > (uint32_t)teams)
            cadre_farm_team_retire(t);
    }
    for (int i = teams; i < before; i++)
        set_seat(farm, i, true);
    for (int i = before; i < teams; i++)
        set_seat(farm, i, false);
    cadre_farm_drop_values(farm, teams);
    cadre_farm_recruit(farm);
    cadre_farm_flush(farm);
}
