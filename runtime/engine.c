/* engine.c - progress: poll, spin, sleep; and the crews it serves. */
#include "engine.h"

#include "log.h"
#include "place_host.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SPIN_US = 1000,      /* poll this long before sleeping: a shorter phase is
                            used up while descheduled where processes share
                            cores, and the sleeper then costs more than it saves */
    SPIN_FEW = 5000,     /* empty polls before giving others the core */
    GLANCES = 16,        /* of them between looks at the clock, which costs a
                            third of one */
    LOOKS = 3,           /* polls before sleeping */
    NAP_US = 50,         /* between polls while MPI has a message under way */
    LONG_NAP_US = 500,   /* likewise, where results are not due yet */
    POLL_MS = 2,         /* between polls where there is no bell */
    CHECK_MS = 100,      /* between looks for dead workers */
    GREET_MS = 500,      /* the same for those that have not answered yet */
    SPAWNS_MAX = 4,      /* of one crew, while some die at once or go astray */
    BURY_MS = 1000,      /* from a crew's end to that of its communicator */
    LAST_WORDS_MS = 20,  /* for what a dead one has sent to arrive */
    EXPECTED_US = 300,   /* results further away than this: sleep at once */
    SHORT_US = 50,       /* instead of both where tasks need the core */
    IDLE_CHECK_MS = 1000 /* of the background thread when nothing runs */
};

static const uint64_t US = 1000, MS = 1000000;

struct cadre_sched_list {
    struct cadre_sched_list *next;
    const struct cadre_sched *sched;
};

/* Who drives lets go of the lock for those that want it. */
void cadre_engine_lock(struct cadre_engine *engine)
{
    if (pthread_mutex_trylock(&engine->lock) == 0)
        return;
    atomic_fetch_add(&engine->wanting, 1);
    pthread_mutex_lock(&engine->lock);
    atomic_fetch_sub(&engine->wanting, 1);
}

void cadre_engine_unlock(struct cadre_engine *engine)
{
    pthread_mutex_unlock(&engine->lock);
}

/* --- what comes in ------------------------------------------------------- */

void cadre_engine_lose(struct cadre_engine *engine, struct cadre_crew *crew,
                       struct cadre_worker *worker)
{
    if (worker->is_lost)
        return;
    worker->is_lost = true;
    /* One that still lives but cannot be trusted must not stay behind. */
    cadre_crew_end(crew, (int)(worker - crew->workers));
    cadre_channel_drop_peer(crew->channel, (int)(worker - crew->workers));
    if (worker->team != NULL)
        worker->events->on_lost(worker);
    pthread_cond_broadcast(&engine->changed); /* others may wait for it */
}

/* A worker that refuses while it is greeted fails the crew's start; later it is
 * of no use any more. */
static cadre_err on_refuse(struct cadre_engine *e, struct cadre_crew *crew,
                           int peer, const struct cadre_frame *frame,
                           struct cadre_error *error)
{
    cadre_err err = cadre_crew_on_refuse(crew, peer, frame, error);

    if (err == CADRE_OK && crew->workers[peer].team != NULL) {
        cadre_log(CADRE_LOG_WARN, "%s", crew->refusal.text);
        cadre_engine_lose(e, crew, &crew->workers[peer]);
    }
    return err;
}

/* One frame of worker `peer`; an error means that it cannot be trusted. */
static cadre_err on_frame(struct cadre_engine *e, struct cadre_crew *crew,
                          int peer, const struct cadre_frame *frame,
                          struct cadre_error *error)
{
    struct cadre_worker *w = &crew->workers[peer];

    /* MPI gives a new communicator the context of one that was freed, and what
     * workers of that one sent last, such as those that were ended, turns up
     * here. */
    if (frame->generation > 0 &&
        (int32_t)(frame->generation - crew->generation) < 0)
        return CADRE_OK;
    if (frame->generation != crew->generation)
        return cadre_error_set(error, CADRE_EPROTO,
                               "a frame of another generation");
    switch (frame->type) {
    case CADRE_FRAME_WELCOME:
        return cadre_crew_on_welcome(crew, peer, frame, error);
    case CADRE_FRAME_REFUSE:
        return on_refuse(e, crew, peer, frame, error);
    case CADRE_FRAME_RESULTS:
        if (w->team != NULL)
            w->events->on_results(w, frame);
        return CADRE_OK;
    case CADRE_FRAME_READY:
        if (w->team != NULL)
            w->events->on_ready(w, frame);
        return CADRE_OK;
    case CADRE_FRAME_NEWS:
        if (w->team != NULL)
            w->events->on_news(w, frame);
        return CADRE_OK;
    case CADRE_FRAME_LETTER:
        if (w->team != NULL && w->events->on_letter != NULL)
            w->events->on_letter(w, frame);
        return CADRE_OK;
    case CADRE_FRAME_HELLO:
    case CADRE_FRAME_FUNCTION:
    case CADRE_FRAME_BATCH:
    case CADRE_FRAME_BYE:
    case CADRE_FRAME_TEAM:
    case CADRE_FRAME_INIT:
    case CADRE_FRAME_DISBAND:
    case CADRE_FRAME_CLOSE:
    case CADRE_FRAME_STORE_PUT:
    case CADRE_FRAME_PULSE: /* has a tag of its own */
        break;
    }
    return cadre_error_set(error, CADRE_EPROTO,
                           "a frame that only controllers send");
}

static void on_message(struct cadre_engine *e, struct cadre_crew *crew,
                       const struct cadre_message *message)
{
    const unsigned char *at = message->data;
    size_t left = message->len;
    struct cadre_error error;
    struct cadre_frame frame;
    cadre_err err = CADRE_OK;

    cadre_error_clear(&error);
    while (left > 0 && err == CADRE_OK) {
        err = cadre_frame_decode(at, left, &frame, &error);
        frame.bulks = message->bulks;
        if (err == CADRE_OK)
            err = on_frame(e, crew, message->peer, &frame, &error);
        if (err == CADRE_OK) {
            at += frame.len;
            left -= frame.len;
        }
    }
    if (err == CADRE_OK)
        return;
    cadre_log(CADRE_LOG_WARN, "worker %d of crew %u: %s", message->peer,
              (unsigned)crew->generation, error.text);
    if (crew->refused == CADRE_OK) {
        crew->refused = err;
        crew->refusal = error;
    }
    cadre_engine_lose(e, crew, &crew->workers[message->peer]);
}

/* Where the bulks of a message are wanted. Only the first results say it: those
 * behind them are not the next ones yet. */
static void on_place(void *user, const struct cadre_message *message)
{
    struct cadre_crew *crew = user;
    struct cadre_worker *w = &crew->workers[message->peer];
    const unsigned char *at = message->data;
    size_t left = message->len;
    struct cadre_error ignored;
    struct cadre_frame frame;

    while (left > 0 && w->team != NULL &&
           cadre_frame_decode(at, left, &frame, &ignored) == CADRE_OK &&
           frame.generation == crew->generation) {
        if (frame.type == CADRE_FRAME_RESULTS) {
            frame.bulks = message->bulks;
            if (w->events->on_place != NULL)
                w->events->on_place(w, &frame);
            return;
        }
        at += frame.len;
        left -= frame.len;
    }
}

/* Its process has ended, or nothing can be sent to it any more, but what it
 * sent before may still be on the way. */
static bool has_last_words(struct cadre_engine *e, struct cadre_worker *w)
{
    uint64_t now = cadre_now_ns();

    if (w->ended_ns == 0)
        w->ended_ns = now;
    if (now - w->ended_ns >= LAST_WORDS_MS * MS)
        return false;
    cadre_engine_check_by(e, w->ended_ns + LAST_WORDS_MS * MS);
    return true;
}

/* --- what is done later ---------------------------------------------------
 */

/* How deep this thread is in cadre_engine_run_later(): what is run may wait,
 * and so run more of it, but not without end. */
static _Thread_local int depth;

static bool may_run_later(const struct cadre_engine *e)
{
    enum { DEPTH_MAX = 16 };

    return e->later != NULL && depth < DEPTH_MAX;
}

void cadre_engine_later(struct cadre_engine *engine, struct cadre_later *later)
{
    later->next = NULL;
    if (engine->later == NULL)
        engine->later = later;
    else
        engine->last_later->next = later;
    engine->last_later = later;
}

void cadre_engine_run_later(struct cadre_engine *engine)
{
    while (may_run_later(engine)) {
        struct cadre_later *later = engine->later;

        engine->later = later->next;
        depth++;
        later->run(later);
        depth--;
    }
}

/* Free the crews that were dismissed before `until_ns`. MPI gives the number of
 * a communicator that was freed to the next one, and with it what its dead
 * processes had sent and what arrives only then: half of a message, for
 * example, on which a channel waits for ever. So all of it is to arrive before.
 */
static void bury(struct cadre_engine *e, uint64_t until_ns)
{
    struct cadre_crew **at = &e->gone, *crew;

    while (*at != NULL && (*at)->gone_ns > until_ns)
        at = &(*at)->next;
    while ((crew = *at) != NULL) {
        *at = crew->next;
        cadre_crew_destroy(crew, 0);
    }
}

/* Workers of the crews in `list` on `host`: those that live, as far as is
 * known, and those that have died. */
static void count_there(const struct cadre_crew *list, const char *host,
                        int *living, int *dead)
{
    for (const struct cadre_crew *c = list; c != NULL; c = c->next) {
        for (int i = 0; i < c->nworkers; i++) {
            const struct cadre_worker *w = &c->workers[i];

            if (strcmp(w->process.host, host) != 0)
                continue;
            *living += !w->is_lost && !w->has_died;
            *dead += w->has_died;
        }
    }
}

/* Is it likely that not just this worker, but its whole host is gone? It was
 * silent, or others have died there, too, and nobody is left. (Those that this
 * process has ended say nothing.) */
static bool was_host(const struct cadre_engine *e,
                     const struct cadre_crew *crew, int worker)
{
    const char *host = crew->workers[worker].process.host;
    int living = 0, dead = 0;

    if (cadre_lookout_state(crew->lookout, worker) == CADRE_LOOKOUT_SILENT)
        return true;
    count_there(e->crews, host, &living, &dead);
    count_there(e->gone, host, &living, &dead);
    return living == 0 && dead > 1;
}

/* A worker has ended by itself. If mpirun's part on its host has ended, too,
 * the next start of processes ends everything: then there is none. */
static void note_death(struct cadre_engine *e, const struct cadre_crew *crew,
                       int worker)
{
    const char *host = crew->workers[worker].process.host;
    struct cadre_process self;

    crew->workers[worker].has_died = true;
    cadre_process_self(&self);
    if (crew->lookout == NULL || e->lost_host[0] != '\0' ||
        strcmp(self.host, host) == 0 || !was_host(e, crew, worker))
        return;
    memcpy(e->lost_host, host, sizeof e->lost_host);
    cadre_log(CADRE_LOG_WARN,
              "host %s seems to be lost: no more workers are started", host);
}

cadre_err cadre_engine_may_spawn(const struct cadre_engine *engine,
                                 struct cadre_error *error)
{
    if (cadre_crew_spawn_is_stuck())
        return cadre_error_set(
            error, CADRE_ESPAWN,
            "an earlier start of workers has not come back, and no more can "
            "be started before Open MPI has given it up: wait for some "
            "minutes, or start this program again");
    if (engine->lost_host[0] != '\0')
        return cadre_error_set(
            error, CADRE_ESPAWN,
            "host %s was lost, and mpirun would end everything if it were to "
            "start workers now: go on with those that are left, or start the "
            "program again without that host",
            engine->lost_host);
    return CADRE_OK;
}

/* Has a worker ended, or can nothing be sent to it, and it has no more to say?
 */
static bool has_ended(struct cadre_engine *e, const struct cadre_crew *crew,
                      int worker)
{
    struct cadre_worker *w = &crew->workers[worker];

    if ((!cadre_crew_has_lost(crew, worker) && !w->is_cut_off) ||
        has_last_words(e, w))
        return false;
    note_death(e, crew, worker);
    return true;
}

/* Do messages of worker `peer` no longer arrive, here or there? */
static bool is_out_of_touch(struct cadre_engine *e, struct cadre_crew *crew,
                            int peer, uint64_t now_ns)
{
    struct cadre_worker *w = &crew->workers[peer];
    struct cadre_traffic traffic;
    struct cadre_rest rest;

    if (crew->bells == NULL)
        return false;
    traffic = cadre_channel_traffic(crew->channel, peer);
    rest = cadre_board_rested(crew->bells, w->bell, crew->generation);
    switch (cadre_touch_look(&w->touch, &rest, &traffic, now_ns)) {
    case CADRE_TOUCH_FINE:
        return false;
    case CADRE_TOUCH_MUTE:
        cadre_log(
            CADRE_LOG_WARN, "what worker %d sends does not arrive%s", peer,
            e->avoids_memory ? ""
                             : ": one that was killed has blocked the shared "
                               "memory; from now on workers are started "
                               "without it");
        e->avoids_memory = true;
        return true;
    case CADRE_TOUCH_DEAF:
        cadre_log(CADRE_LOG_WARN, "what is sent to worker %d does not arrive",
                  peer);
        return true;
    }
    return false;
}

/* Workers that ended without a word, or to which no word comes. */
static void check_workers(struct cadre_engine *e)
{
    uint64_t now = cadre_now_ns();

    if (e->gone != NULL && now > BURY_MS * MS)
        bury(e, now - BURY_MS * MS);
    e->next_check_ns = now + CHECK_MS * MS;
    e->due_ns = UINT64_MAX;
    for (struct cadre_crew *c = e->crews; c != NULL; c = c->next) {
        for (int i = 0; i < c->nworkers; i++) {
            struct cadre_worker *w = &c->workers[i];

            if (w->is_lost)
                continue;
            if (!has_ended(e, c, i) && !is_out_of_touch(e, c, i, now))
                continue;
            cadre_engine_lose(e, c, w);
        }
    }
    e->on_check(e, cadre_now_ns());
}

/* Take a message that has arrived, and send what follows from it. One at a
 * time: it may be what somebody waits for. */
static bool poll_crew(struct cadre_engine *e, struct cadre_crew *crew)
{
    struct cadre_message message;
    bool moved = cadre_channel_receive(crew->channel, &message), can_come;
    int broken;

    if (moved)
        on_message(e, crew, &message);
    while ((broken = cadre_channel_take_broken(crew->channel, &can_come)) >=
           0) {
        struct cadre_worker *w = &crew->workers[broken];

        if (!w->is_cut_off && !w->is_lost)
            cadre_log(CADRE_LOG_WARN, "a message %s worker %d was lost",
                      can_come ? "to" : "from", broken);
        w->is_cut_off = true;
        if (!can_come || !has_last_words(e, w)) {
            note_death(e, crew, broken);
            cadre_engine_lose(e, crew, w);
        }
        moved = true;
    }
    return moved;
}

static bool progress(struct cadre_engine *e)
{
    bool moved = false;

    if (e->has_unused)
        cadre_engine_reap(e);
    for (struct cadre_crew *c = e->crews; c != NULL; c = c->next)
        moved |= poll_crew(e, c);
    return moved;
}

void cadre_engine_poll(struct cadre_engine *engine)
{
    while (progress(engine)) {
    }
}

/* --- waiting ------------------------------------------------------------- */

/* When the farms expect the next results; UINT64_MAX: nobody knows. */
static uint64_t expected_ns(const struct cadre_engine *e)
{
    uint64_t soonest = UINT64_MAX;

    for (const struct cadre_sched_list *l = e->scheds; l != NULL; l = l->next) {
        uint64_t t = cadre_sched_next_results_ns(l->sched);

        soonest = t < soonest ? t : soonest;
    }
    return soonest;
}

static bool has_work(const struct cadre_engine *e)
{
    if (e->expecting > 0)
        return true;
    for (const struct cadre_sched_list *l = e->scheds; l != NULL; l = l->next) {
        if (cadre_sched_running(l->sched) > 0)
            return true;
    }
    return false;
}

static bool is_busy(const struct cadre_engine *e)
{
    for (const struct cadre_crew *c = e->crews; c != NULL; c = c->next) {
        if (cadre_channel_is_busy(c->channel))
            return true;
    }
    return false;
}

/* Must MPI be called all the time, to move something large? */
static bool is_pressed(const struct cadre_engine *e)
{
    for (const struct cadre_crew *c = e->crews; c != NULL; c = c->next) {
        if (cadre_channel_is_pressed(c->channel))
            return true;
    }
    return false;
}

static void nap(uint64_t ns)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = (long)ns};

    nanosleep(&t, NULL);
}

/* A thorough look before sleeping: MPI_Improbe may look first and only then
 * take from the transport what has arrived, so that one look finds nothing. */
static bool look_well(struct cadre_engine *e)
{
    for (int i = 0; i < LOOKS; i++) {
        if (progress(e))
            return true;
    }
    return false;
}

/* Whoever sends us something rings only if somebody sleeps: a driver, or the
 * background thread while nobody drives. Called whenever that changes. */
static void update_bell(struct cadre_engine *e)
{
    if (e->bells == NULL)
        return;
    if (e->driver_sleeps || (e->background_sleeps && e->waiters == 0))
        cadre_bell_prepare(e->bells, 0);
    else
        cadre_bell_awake(e->bells, 0);
}

/* Does another thread look for what comes, and is awake? */
static bool is_seen_to(const struct cadre_engine *e)
{
    return e->waiters > 0 && !e->driver_sleeps;
}

/* Sleep until something arrives, at most `limit_ns`. The lock is let go.
 * `sleeps` is what tells update_bell() of this thread. True if there is a
 * reason to look for a while: MPI may deliver later than the bell rings. */
static bool sleep_at_bell(struct cadre_engine *e, bool *sleeps,
                          uint64_t limit_ns)
{
    bool was_rung = true;
    uint32_t ticket;

    if (!e->all_have_bells && has_work(e) && limit_ns > POLL_MS * MS)
        limit_ns = POLL_MS * MS;
    if (e->bells == NULL) {
        cadre_engine_unlock(e);
        nap(limit_ns < POLL_MS * MS ? limit_ns : POLL_MS * MS);
        cadre_engine_lock(e);
        return false;
    }
    *sleeps = true;
    ticket = cadre_bell_ticket(e->bells, 0);
    update_bell(e);
    if (is_seen_to(e) || (!look_well(e) && !is_busy(e))) {
        cadre_engine_unlock(e);
        was_rung = cadre_bell_sleep(e->bells, 0, ticket, limit_ns);
        cadre_engine_lock(e);
    }
    *sleeps = false;
    update_bell(e);
    return was_rung;
}

/* Let other threads have the lock, and other processes the core. */
static void give_way(struct cadre_engine *e, unsigned empty)
{
    cadre_engine_unlock(e);
    if (empty > SPIN_FEW || atomic_load(&e->wanting) > 0)
        sched_yield();
    cadre_engine_lock(e);
}

/* How a driver has waited since something last happened. */
struct patience {
    unsigned empty;    /* polls that found nothing */
    uint64_t since_ns; /* the first of them */
    bool is_calm;      /* no bell has rung since the last arrival */
    unsigned glances;  /* so many more before the next look at the clock */
};

/* MPI has a message under way, perhaps to a worker that is deep in its tasks:
 * it wants to be looked after, but not so often that the looking takes the core
 * from the worker when no results are due. */
static void wait_busy(struct cadre_engine *e, const struct patience *p,
                      uint64_t now, uint64_t expected)
{
    uint64_t ns = NAP_US * US;

    if (is_pressed(e)) {
        give_way(e, 0);
        return;
    }
    if (expected != UINT64_MAX && expected > now + EXPECTED_US * US) {
        ns = (expected - now) / 2;
        ns = ns < LONG_NAP_US * US ? ns : LONG_NAP_US * US;
    } else if (now - p->since_ns <= SPIN_US * US) {
        give_way(e, p->empty);
        return;
    }
    cadre_engine_unlock(e);
    nap(ns);
    cadre_engine_lock(e);
}

/* How long to poll, or for results how near, `us` at most. Where every core has
 * a team that runs tasks, who polls takes one from them. (Teams of another host
 * do not, and they cannot ring.) */
static uint64_t may_poll_ns(const struct cadre_engine *e, uint64_t us)
{
    uint32_t busy = 0;

    if (!e->all_have_bells || us <= SHORT_US)
        return us * US;
    for (const struct cadre_sched_list *l = e->scheds; l != NULL; l = l->next)
        busy += cadre_sched_busy(l->sched);
    return (busy >= e->cores ? SHORT_US : us) * US;
}

/* Nothing has arrived: wait a little, in the way that fits. */
static void wait_well(struct cadre_engine *e, struct patience *p,
                      uint64_t deadline_ns)
{
    uint64_t now = cadre_now_ns();
    uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
    uint64_t limit = CHECK_MS * MS;
    uint64_t expected;

    if (p->empty++ == 0)
        p->since_ns = now;
    p->glances = 0;
    if (now >= e->next_check_ns || now >= e->due_ns)
        check_workers(e);
    if (e->due_ns < now + limit)
        limit = e->due_ns > now ? e->due_ns - now : 0;
    limit = left < limit ? left : limit;
    expected = expected_ns(e);
    if (is_busy(e)) {
        wait_busy(e, p, now, expected);
        return;
    }
    if (now - p->since_ns > may_poll_ns(e, SPIN_US) ||
        (p->is_calm && expected != UINT64_MAX &&
         expected > now + may_poll_ns(e, EXPECTED_US))) {
        e->driver_has_slept = true;
        p->is_calm = !sleep_at_bell(e, &e->driver_sleeps, limit);
        if (!p->is_calm)
            p->empty = 0;
    } else {
        give_way(e, p->empty);
        p->glances = GLANCES;
    }
}

/* While it polls for an answer that is near, it does little else. */
static void wait_a_little(struct cadre_engine *e, struct patience *p,
                          uint64_t deadline_ns)
{
    if (p->glances == 0 || atomic_load(&e->wanting) > 0) {
        wait_well(e, p, deadline_ns);
        return;
    }
    p->glances--;
    p->empty++;
}

static void drive(struct cadre_engine *e, bool (*done)(void *arg), void *arg,
                  uint64_t deadline_ns)
{
    struct patience patience = {.is_calm = true};

    e->driver_has_slept = false;
    update_bell(e); /* we look ourselves: no need to ring */
    while (!done(arg)) {
        bool moved = progress(e);

        if (moved && e->waiters > 1)
            pthread_cond_broadcast(&e->changed);
        if (deadline_ns != UINT64_MAX && patience.glances == 0 &&
            cadre_now_ns() >= deadline_ns)
            break;
        if (may_run_later(e))
            break;
        if (moved) {
            patience = (struct patience){.is_calm = true};
            if (atomic_load(&e->wanting) > 0)
                give_way(e, 0);
            continue;
        }
        wait_a_little(e, &patience, deadline_ns);
    }
}

/* Another thread drives: sleep until it has news, a moment at most. */
static void wait_for_driver(struct cadre_engine *e, uint64_t deadline_ns)
{
    uint64_t limit_ns = cadre_now_ns() + CHECK_MS * MS;

    cadre_wait_until(&e->changed, &e->lock,
                     deadline_ns < limit_ns ? deadline_ns : limit_ns);
}

/* Nobody waits, and something is to come: the thread in the background is to be
 * rung for it. What came before rang nobody; what follows from it is for that
 * thread, and so is what does not end soon, or is still to leave. */
static void attend(struct cadre_engine *e)
{
    enum { MANY = 64 };
    int i = 0;

    if (e->background_waits)
        pthread_cond_signal(&e->quiet);
    if (!e->background_sleeps)
        return;
    update_bell(e);
    while (i < MANY && look_well(e))
        i++;
    if (i == MANY || e->later != NULL || is_busy(e))
        cadre_engine_wake(e);
}

void cadre_engine_attend(struct cadre_engine *engine)
{
    if (engine->bells != NULL && engine->waiters == 0 &&
        !cadre_bell_is_wanted(engine->bells, 0))
        attend(engine);
}

/* The last thread that waits leaves. */
static void hand_over(struct cadre_engine *e)
{
    if (e->background_waits)
        pthread_cond_signal(&e->quiet);
    if (has_work(e) || e->later != NULL)
        attend(e);
    if (e->background_sleeps && e->due_ns != UINT64_MAX) {
        update_bell(e); /* it is to sleep until then */
        cadre_engine_wake(e);
    }
}

bool cadre_engine_wait(struct cadre_engine *engine, bool (*done)(void *arg),
                       void *arg, uint64_t deadline_ns)
{
    bool is_done;

    engine->waiters++;
    for (;;) {
        cadre_engine_run_later(engine);
        is_done = done(arg);
        if (is_done ||
            (deadline_ns != UINT64_MAX && cadre_now_ns() >= deadline_ns))
            break;
        if (engine->is_driving) {
            wait_for_driver(engine, deadline_ns);
            continue;
        }
        engine->is_driving = true;
        drive(engine, done, arg, deadline_ns);
        engine->is_driving = false;
        if (engine->waiters > 1)
            pthread_cond_broadcast(&engine->changed);
    }
    if (--engine->waiters == 0)
        hand_over(engine);
    return is_done;
}

/* The background thread: asleep at the bell; woken while nobody waits, it takes
 * what has come. */
static void *run_background(void *arg)
{
    struct cadre_engine *e = arg;

    cadre_engine_lock(e);
    while (!e->is_closed) {
        uint64_t limit, now;

        if (may_run_later(e) && e->waiters == 0) { /* what the last one left */
            cadre_engine_run_later(e);
            continue;
        }
        limit = (has_work(e) ? CHECK_MS : IDLE_CHECK_MS) * MS;
        now = cadre_now_ns();
        if (e->due_ns < now + limit)
            limit = e->due_ns > now ? e->due_ns - now : 0;
        if (e->waiters > 0 && e->driver_has_slept) {
            /* At the bell it would be woken with that one each time. */
            e->background_waits = true;
            pthread_cond_wait(&e->quiet, &e->lock);
            e->background_waits = false;
            continue;
        }
        if (e->waiters > 0) {
            sleep_at_bell(e, &e->background_sleeps, IDLE_CHECK_MS * MS);
        } else if (is_busy(e)) {
            /* MPI must go on, and others must get the lock. */
            bool has_hurry = is_pressed(e);

            cadre_engine_unlock(e);
            if (has_hurry)
                sched_yield();
            else
                nap(NAP_US * US);
            cadre_engine_lock(e);
        } else {
            sleep_at_bell(e, &e->background_sleeps, limit);
        }
        if (e->waiters > 0)
            continue;
        cadre_engine_poll(e);
        now = cadre_now_ns();
        if (now >= e->next_check_ns || now >= e->due_ns)
            check_workers(e);
    }
    cadre_engine_unlock(e);
    return NULL;
}

/* --- farms and crews ----------------------------------------------------- */

cadre_err cadre_engine_add_sched(struct cadre_engine *engine,
                                 const struct cadre_sched *sched)
{
    struct cadre_sched_list *l = malloc(sizeof *l);

    if (l == NULL)
        return CADRE_ENOMEM;
    *l = (struct cadre_sched_list){.next = engine->scheds, .sched = sched};
    engine->scheds = l;
    return CADRE_OK;
}

void cadre_engine_remove_sched(struct cadre_engine *engine,
                               const struct cadre_sched *sched)
{
    struct cadre_sched_list **at = &engine->scheds;

    while (*at != NULL && (*at)->sched != sched)
        at = &(*at)->next;
    if (*at != NULL) {
        struct cadre_sched_list *gone = *at;

        *at = gone->next;
        free(gone);
    }
}

/* `count` bells in a row; 0 if there are none left (then these workers poll).
 */
static uint32_t take_bells(struct cadre_engine *e, int count)
{
    int run = 0;

    if (e->bells == NULL)
        return 0;
    for (uint32_t i = 1; i < CADRE_BELLS_MAX; i++) {
        run = e->bell_used[i] ? 0 : run + 1;
        if (run == count) {
            uint32_t base = i + 1 - (uint32_t)count;

            memset(&e->bell_used[base], 1, (size_t)count);
            for (uint32_t k = base; k <= i; k++)
                cadre_board_clear(e->bells, k);
            return base;
        }
    }
    return 0;
}

static void give_bells_back(struct cadre_engine *e,
                            const struct cadre_crew *crew)
{
    if (crew->bells != NULL && crew->nworkers > 0)
        memset(&e->bell_used[crew->workers[0].bell], 0, (size_t)crew->nworkers);
}

static void look_for_bells(struct cadre_engine *e)
{
    uint32_t near = 1; /* this process */

    e->all_have_bells = e->bells != NULL;
    for (const struct cadre_crew *c = e->crews; c != NULL; c = c->next) {
        for (int i = 0; i < c->nworkers; i++) {
            const struct cadre_worker *w = &c->workers[i];

            e->all_have_bells &= w->has_bell || w->is_lost;
            near += w->has_bell && !w->is_lost;
        }
    }
    if (e->bells != NULL)
        cadre_board_set_crowded(e->bells, near > e->cores);
}

static bool has_lost(const struct cadre_crew *crew)
{
    for (int i = 0; i < crew->nworkers; i++) {
        if (crew->workers[i].is_lost)
            return true;
    }
    return false;
}

/* Whom one waits for, and who does. */
struct welcome {
    struct cadre_engine *engine;
    struct cadre_crew *crew;
    int least; /* so many are enough; 0: all */
};

/* Workers of whom no answer is to be expected any more, or who have given it
 * (`living`). */
static int count(const struct cadre_crew *crew, bool living)
{
    int n = 0;

    for (int i = 0; i < crew->nworkers; i++) {
        const struct cadre_worker *w = &crew->workers[i];

        n += (w->is_welcome && !w->is_lost) || (!living && w->is_lost);
    }
    return n;
}

static bool has_answered(void *arg)
{
    const struct welcome *w = arg;

    return (w->least == 0 && has_lost(w->crew)) ||
           w->crew->refused != CADRE_OK ||
           count(w->crew, false) == w->crew->nworkers || w->engine->is_leaving;
}

/* How many of them live, as far as is known; one may have died before it has
 * said who it is, so that nobody watches it. */
static int count_living(struct cadre_engine *e, const struct cadre_crew *crew,
                        const char *token)
{
    int living;

    if (token == NULL || !cadre_crew_is_on_one_host())
        return crew->nworkers;
    cadre_engine_unlock(e);
    living = cadre_crew_count_strays(token);
    cadre_engine_lock(e);
    return living;
}

/* Wait for them; true: no more answers are to be expected. */
static bool await_answers(const struct welcome *w, const char *token,
                          int needed, uint64_t deadline_ns)
{
    uint64_t next = cadre_now_ns() + GREET_MS * MS;

    while (!cadre_engine_wait(w->engine, has_answered, (void *)w,
                              next < deadline_ns ? next : deadline_ns)) {
        int living;

        if (cadre_now_ns() >= deadline_ns)
            return false;
        next = cadre_now_ns() + GREET_MS * MS;
        living = count_living(w->engine, w->crew, token);
        if (living < needed || living <= count(w->crew, true))
            break;
    }
    return true;
}

static cadre_err await_welcome(const struct welcome *w, const char *token,
                               uint64_t deadline_ns, struct cadre_error *error)
{
    struct cadre_crew *crew = w->crew;
    int needed = w->least > 0 ? w->least : crew->nworkers;
    bool has_all = await_answers(w, token, needed, deadline_ns);

    if (crew->refused != CADRE_OK) {
        *error = crew->refusal;
        return crew->refused;
    }
    if (w->engine->is_leaving)
        return cadre_error_set(error, CADRE_ETIMEOUT,
                               "the program ends while workers start");
    if (count(crew, true) >= needed)
        return CADRE_OK;
    if (has_all)
        return cadre_error_set(error, CADRE_ESPAWN,
                               "a worker ended while it was greeted");
    return cadre_error_set(
        error, CADRE_ETIMEOUT,
        "the workers started but did not answer in time: does the worker "
        "program call cadre_init()?");
}

/* Those who have not answered are not waited for any more. */
static void lose_silent(struct cadre_engine *e, struct cadre_crew *crew)
{
    for (int i = 0; i < crew->nworkers; i++) {
        if (!crew->workers[i].is_welcome)
            cadre_engine_lose(e, crew, &crew->workers[i]);
    }
}

/* Not even a farewell: those that leave MPI in good order while the others of
 * their start are ended can make Open MPI's daemon crash. */
static void lose_all(struct cadre_engine *e, struct cadre_crew *crew)
{
    for (int i = 0; i < crew->nworkers; i++)
        cadre_engine_lose(e, crew, &crew->workers[i]);
}

cadre_err cadre_engine_add_crew(struct cadre_engine *engine, MPI_Comm comm,
                                const char *token, int least,
                                uint64_t deadline_ns, struct cadre_crew **crew,
                                struct cadre_error *error)
{
    struct cadre_crew *c;
    uint32_t base;
    int n = 0;
    cadre_err err;

    MPI_Comm_remote_size(comm, &n);
    base = take_bells(engine, n);
    err = cadre_crew_create(comm, ++engine->last_generation,
                            base > 0 ? engine->bells : NULL, base, &c, error);
    if (err != CADRE_OK)
        return err;
    cadre_channel_set_place(c->channel, on_place, c);
    c->next = engine->crews;
    engine->crews = c;
    look_for_bells(engine);
    err = cadre_crew_greet(c, SPIN_US, error);
    if (err == CADRE_OK)
        err = await_welcome(
            &(struct welcome){.engine = engine, .crew = c, .least = least},
            token, deadline_ns, error);
    if (err != CADRE_OK) {
        if (token != NULL)
            lose_all(engine, c);
        cadre_engine_dismiss(engine, c);
        return err;
    }
    lose_silent(engine, c);
    look_for_bells(engine);
    *crew = c;
    return CADRE_OK;
}

static const char *program_of(const struct cadre_spawn *spawn)
{
    return spawn->program != NULL ? spawn->program : "";
}

static void note_start(struct cadre_starts *known,
                       const struct cadre_spawn *spawn, double took_s)
{
    if (known->program == NULL ||
        strcmp(known->program, program_of(spawn)) != 0) {
        free(known->program);
        *known = (struct cadre_starts){.program = strdup(program_of(spawn))};
    }
    if (spawn->count > known->most)
        known->most = spawn->count;
    if (took_s > known->slowest_s)
        known->slowest_s = took_s;
}

/* How long to wait for a start, so that there is time for another. Now and then
 * one never comes back: PMIx 4 loses a message between mpirun and a process
 * when it has another for it at the same moment. Who has started before needs
 * not much longer than then. 0: one cannot say. */
static double patience_s(const struct cadre_starts *known,
                         const struct cadre_spawn *spawn, int nth,
                         double left_s)
{
    enum { LEAST_S = 10, LEAST_TIMES = 5, TIMES = 20 };
    double s = TIMES * known->slowest_s;

    if (known->program == NULL || spawn->count > known->most ||
        strcmp(known->program, program_of(spawn)) != 0 || nth == SPAWNS_MAX - 1)
        return 0;
    s = (s > LEAST_S ? s : LEAST_S) * (1 << nth);
    s = s < left_s / 2 ? s : left_s / 2;
    return s >= LEAST_S && s >= LEAST_TIMES * known->slowest_s ? s : 0;
}

static void set_timeout(struct cadre_spawn *spawn,
                        const struct cadre_starts *known, int nth,
                        uint64_t now_ns, uint64_t deadline_ns)
{
    double left_s =
        deadline_ns > now_ns ? 1e-9 * (double)(deadline_ns - now_ns) : 0;
    double s = patience_s(known, spawn, nth, left_s);

    spawn->may_stray = spawn->use_thread && s > 0;
    spawn->timeout_s = spawn->may_stray ? s : left_s;
}

/* `*has_failed`: they were started, but are of no use, or do not come back. */
static cadre_err spawn_once(struct cadre_engine *e, struct cadre_spawn *spawn,
                            int nth, uint64_t deadline_ns,
                            struct cadre_crew **crew, bool *has_failed,
                            struct cadre_error *error)
{
    uint64_t now = cadre_now_ns();
    struct cadre_spawned spawned;
    cadre_err err;

    *has_failed = false;
    spawn->avoid_memory = e->avoids_memory;
    set_timeout(spawn, &e->starts, nth, now, deadline_ns);
    if ((err = cadre_engine_may_spawn(e, error)) != CADRE_OK)
        return err;
    cadre_engine_unlock(e);
    err = cadre_crew_spawn(spawn, &spawned, error);
    cadre_engine_lock(e);
    if (err != CADRE_OK) {
        *has_failed =
            err == CADRE_ETIMEOUT && spawn->may_stray && !e->is_leaving;
        if (*has_failed)
            cadre_log(CADRE_LOG_WARN,
                      "a start of workers did not come back in %g s, as "
                      "earlier ones did: they are started again",
                      spawn->timeout_s);
        return err;
    }
    note_start(&e->starts, spawn, 1e-9 * (double)(cadre_now_ns() - now));
    err = cadre_engine_add_crew(e, spawned.comm, spawned.token, spawn->least,
                                deadline_ns, crew, error);
    if (err != CADRE_OK)
        cadre_crew_end_strays(spawned.token, NULL);
    else if (has_lost(*crew))
        cadre_crew_end_strays(spawned.token, *crew);
    *has_failed = err == CADRE_ESPAWN || err == CADRE_EMPI;
    return err;
}

cadre_err cadre_engine_spawn_crew(struct cadre_engine *engine,
                                  struct cadre_spawn *spawn,
                                  struct cadre_crew **crew,
                                  struct cadre_error *error)
{
    uint64_t deadline = cadre_now_ns() + (uint64_t)(spawn->timeout_s * 1e9);
    bool has_failed = true;
    cadre_err err = CADRE_OK;

    spawn->use_thread = engine->thread_level == MPI_THREAD_MULTIPLE;
    spawn->is_called_off = &engine->is_leaving;
    spawn->keep_environment = engine->keep_environment;
    for (int i = 0; i < SPAWNS_MAX && has_failed; i++)
        err = spawn_once(engine, spawn, i, deadline, crew, &has_failed, error);
    return err;
}

void cadre_engine_dismiss(struct cadre_engine *engine, struct cadre_crew *crew)
{
    enum { LINGER_MS = 500 };
    struct cadre_crew **at = &engine->crews;

    while (*at != NULL && *at != crew)
        at = &(*at)->next;
    assert(*at == crew);
    *at = crew->next;
    cadre_crew_say_bye(crew);
    give_bells_back(engine, crew);
    cadre_channel_settle(crew->channel, LINGER_MS);
    crew->gone_ns = cadre_now_ns();
    crew->next = engine->gone;
    engine->gone = crew;
    look_for_bells(engine);
}

void cadre_engine_tidy(struct cadre_engine *engine, struct cadre_crew *crew)
{
    for (int i = 0; i < crew->nworkers; i++) {
        if (crew->workers[i].team != NULL)
            return;
    }
    if (crew->is_resident)
        return;
    crew->is_unused = true;
    engine->has_unused = true;
    cadre_engine_wake(engine);
}

void cadre_engine_reap(struct cadre_engine *engine)
{
    struct cadre_crew **at = &engine->crews;

    engine->has_unused = false;
    while (*at != NULL) {
        if ((*at)->is_unused)
            cadre_engine_dismiss(engine, *at);
        else
            at = &(*at)->next;
    }
}

void cadre_engine_check_by(struct cadre_engine *engine, uint64_t when_ns)
{
    if (when_ns >= engine->due_ns)
        return;
    engine->due_ns = when_ns;
    /* The background thread sleeps until what was due before. */
    if (engine->background_sleeps && engine->waiters == 0) {
        update_bell(engine);
        cadre_engine_wake(engine);
    }
}

cadre_err cadre_engine_ledger(struct cadre_engine *engine,
                              struct cadre_ledger **ledger,
                              struct cadre_error *error)
{
    uint32_t host;
    cadre_err err;

    *ledger = engine->ledger;
    if (engine->ledger != NULL)
        return CADRE_OK;
    if ((err = cadre_ledger_create(ledger)) != CADRE_OK)
        return cadre_error_set(error, err, "out of memory");
    if ((err = cadre_ledger_add_this_host(*ledger, &host, error)) != CADRE_OK) {
        cadre_ledger_destroy(*ledger);
        return err;
    }
    engine->ledger = *ledger;
    return CADRE_OK;
}

void cadre_engine_wake(struct cadre_engine *engine)
{
    pthread_cond_broadcast(&engine->changed);
    if (engine->bells != NULL)
        cadre_bell_ring(engine->bells, 0);
}

void cadre_engine_destroy(struct cadre_engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->has_background) {
        cadre_engine_lock(engine);
        engine->is_closed = true;
        pthread_cond_broadcast(&engine->quiet);
        cadre_engine_unlock(engine);
        /* It may be about to sleep: ring until it has seen the flag. */
        cadre_bell_prepare(engine->bells, 0);
        cadre_bell_ring(engine->bells, 0);
        pthread_join(engine->background, NULL);
    }
    assert(engine->crews == NULL && engine->scheds == NULL);
    bury(engine, UINT64_MAX);
    cadre_ledger_destroy(engine->ledger);
    cadre_bells_destroy(engine->bells);
    free(engine->starts.program);
    pthread_cond_destroy(&engine->quiet);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

cadre_err cadre_engine_create(int thread_level, cadre_check_fn on_check,
                              struct cadre_engine **engine,
                              struct cadre_error *error)
{
    struct cadre_engine *e = calloc(1, sizeof *e);

    if (e == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    pthread_cond_init(&e->quiet, NULL);
    e->thread_level = thread_level;
    e->on_check = on_check;
    e->due_ns = UINT64_MAX;
    e->cores = (uint32_t)cadre_host_cores();
    if (cadre_bells_create(&e->bells) != CADRE_OK)
        cadre_log(CADRE_LOG_INFO, "no shared memory for bells: polling");
    e->all_have_bells = e->bells != NULL;
    e->has_background =
        thread_level == MPI_THREAD_MULTIPLE && e->bells != NULL &&
        pthread_create(&e->background, NULL, run_background, e) == 0;
    *engine = e;
    return CADRE_OK;
}
