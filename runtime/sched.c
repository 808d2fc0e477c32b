/* sched.c - events in, actions out: the teams and the policy.
 *
 * A step checks its event and makes room for all that may follow before it
 * changes anything, so that a failed step leaves no trace. Then it takes the
 * event and hands out work:
 *
 *     serve_idle   each idle team gets a batch, while tasks wait; cannot fail
 *     send_ahead   the team that holds least gets another, up to a limit; stops
 *                  where memory is short, as every team here has work
 *
 * Both first send what is next to its seat, if it is for one (next_for_any).
 *
 * A team that is passed over for sending ahead (no room for more bytes, late,
 * ...) is looked at again with its next results. So nothing here takes longer
 * than O(log teams) for each event and action, but for UNSENT, which looks
 * through the team's batches.
 */
#include "sched.h"
#include "sched_queue.h"
#include "sched_team.h"

#include <assert.h>
#include <stdlib.h>

enum {
    GROWTH = 16,     /* of a batch over the longest one finished */
    HELD_MAX = 4096, /* batches of a team; bounds the work of one step, too */
    TEAM_ACTIONS_MAX = 2, /* that one team's work needs beside DROP */
    ERR_MAX = 31          /* a bit of retry_on for each */
};

#define TASKS_MAX (UINT64_C(1) << 48) /* of a job, and bytes of a task */
#define RETRY_WAIT_MAX (UINT64_C(1) << 50)

static const struct cadre_sched_options defaults = {
    .batch_ns = 5000000,
    .min_batch_ns = 50000,
    .ahead_ns = 10000000,
    .inflight_bytes = 16 << 20,
};

struct cadre_sched {
    struct cadre_sched_options options;
    struct cadre_queue queue;
    struct cadre_teams teams;
    uint64_t running; /* tasks */
    uint64_t now_ns;
    struct cadre_action *actions; /* of this step */
    uint32_t action_count;
    uint32_t action_cap;
};

/* Room for `count` actions, and the batches that idle teams will get. */
static cadre_err reserve_actions(struct cadre_sched *s, uint64_t count)
{
    return cadre_array_reserve(&s->actions, &s->action_cap,
                               count + s->teams.slots.count + 1,
                               sizeof *s->actions);
}

static void act(struct cadre_sched *s, struct cadre_action action)
{
    assert(s->action_count < s->action_cap);
    s->actions[s->action_count++] = action;
}

/* A team has ended a batch or more: if it holds nothing now it waits for more,
 * or it is out. */
static void settle(struct cadre_sched *s, uint32_t slot, bool is_warm)
{
    const struct cadre_team *team = cadre_team_at(&s->teams, slot);

    if (team->held > 0)
        return;
    if (!team->is_retiring) {
        cadre_team_rest(&s->teams, slot, is_warm);
        return;
    }
    act(s, (struct cadre_action){.type = CADRE_ACT_TEAM_OUT,
                                 .team = (cadre_team_id)team->slot.id});
    cadre_teams_remove(&s->teams, slot);
}

/* `count` tasks of the job in `slot` have ended, one way or the other. */
static void end_tasks(struct cadre_sched *s, uint32_t slot, uint64_t count)
{
    struct cadre_job *job = cadre_queue_job(&s->queue, slot);

    job->ended += count;
    if (job->ended < job->count)
        return;
    act(s,
        (struct cadre_action){.type = CADRE_ACT_JOB_DONE, .job = job->slot.id});
    cadre_queue_remove(&s->queue, slot);
}

/* Forget how often a task was tried that has ended. Such a task travels alone:
 * of several none was tried before. */
static void end_attempts(struct cadre_sched *s, struct cadre_run run)
{
    const struct cadre_job *job = cadre_queue_job(&s->queue, run.job);
    struct cadre_terms *terms = cadre_queue_terms(&s->queue, job);

    if (terms != NULL && run.count == 1)
        cadre_attempt_end(&s->queue.terms, terms, run.first);
}

static void drop_tasks(struct cadre_sched *s, cadre_err err, cadre_team_id team,
                       struct cadre_run run)
{
    act(s, (struct cadre_action){
               .type = CADRE_ACT_DROP,
               .err = err,
               .team = team,
               .job = cadre_queue_job(&s->queue, run.job)->slot.id,
               .first = run.first,
               .count = run.count});
    end_attempts(s, run);
    end_tasks(s, run.job, run.count);
}

/* Tasks that `team` held are to run once more, as attempt `attempt`. */
static void run_again(struct cadre_sched *s, cadre_team_id team,
                      struct cadre_run run, uint64_t attempt)
{
    act(s, (struct cadre_action){
               .type = CADRE_ACT_AGAIN,
               .team = team,
               .attempt = (uint32_t)attempt,
               .job = cadre_queue_job(&s->queue, run.job)->slot.id,
               .first = run.first,
               .count = run.count});
}

/* A task of `team` has failed and is tried again when its time comes. */
static void retry_task(struct cadre_sched *s, cadre_team_id team, uint32_t job,
                       uint64_t task)
{
    uint64_t made = cadre_queue_retry(&s->queue, job, task, s->now_ns);

    run_again(s, team, (struct cadre_run){job, task, 1}, made + 1);
}

/* The terms of a job whose tasks may be tried again; NULL: they may not. */
static struct cadre_terms *retry_terms(const struct cadre_sched *s,
                                       uint32_t slot)
{
    const struct cadre_job *job = cadre_queue_job(&s->queue, slot);
    struct cadre_terms *terms = cadre_queue_terms(&s->queue, job);

    return terms == NULL || terms->retries == 0 || job->is_cancelled ? NULL
                                                                     : terms;
}

/* May `task` be tried again, which was being tried and failed with `err`? */
static bool may_retry(const struct cadre_sched *s,
                      const struct cadre_terms *terms, uint64_t task,
                      cadre_err err)
{
    uint64_t made = cadre_attempts_made(&s->queue.terms, terms, task) + 1;

    return cadre_terms_allow(terms, made, err);
}

/* Handing out work. */

/* How long a team's work should last: no longer than its fair part of the work
 * that waits, with a floor, below which sending costs more than it gives. */
static uint64_t fair_ns(const struct cadre_sched *s, uint64_t most_ns)
{
    uint64_t active = s->teams.slots.count - s->teams.retiring;
    uint64_t fair = s->queue.worth_ns / (2 * active);

    if (fair < s->options.min_batch_ns)
        fair = s->options.min_batch_ns;
    return fair < most_ns ? fair : most_ns;
}

/* How many tasks of `run` make a batch, room for bytes left aside. */
static uint64_t wanted(const struct cadre_sched *s, struct cadre_run run)
{
    const struct cadre_job *job = cadre_queue_job(&s->queue, run.job);
    const struct cadre_kind *kind = cadre_queue_kind(&s->queue, job);
    uint64_t count = job->chunk;

    if (count == 0 && kind->mean_ns > 0) {
        double n = (double)fair_ns(s, s->options.batch_ns) / kind->mean_ns;

        count = n < UINT32_MAX ? (uint64_t)n : UINT32_MAX;
        if (count > GROWTH * kind->longest)
            count = GROWTH * kind->longest;
    }
    if (count == 0)
        count = 1;
    return count < run.count ? count : run.count;
}

/* How many of `count` tasks from the front of `run` the team has room for. */
static uint64_t fitting(const struct cadre_sched *s,
                        const struct cadre_team *team, struct cadre_run run,
                        uint64_t count)
{
    const struct cadre_job *job = cadre_queue_job(&s->queue, run.job);
    uint64_t limit = s->options.inflight_bytes;
    uint64_t room = limit - team->bytes, fit;

    if (team->bytes > limit) /* one task that is always allowed */
        return 0;
    if (job->chunk == 0 && count > 1 && room > limit / 2)
        room = limit / 2; /* the next batch is to travel while this one runs */
    fit = cadre_job_fit(job, run.first, count, room);
    return fit == 0 && team->held == 0 ? 1 : fit;
}

/* Which attempt of these tasks is this? One tried before travels alone. */
static uint32_t attempt_of(const struct cadre_sched *s, uint32_t slot,
                           uint64_t first, uint64_t count)
{
    const struct cadre_job *job = cadre_queue_job(&s->queue, slot);
    const struct cadre_terms *terms = cadre_queue_terms(&s->queue, job);

    if (terms == NULL || count > 1)
        return 1;
    return 1 + (uint32_t)cadre_attempts_made(&s->queue.terms, terms, first);
}

/* Send the first `count` tasks of `run`, which is what is next; the team and
 * the list of actions have room. */
static void send_batch(struct cadre_sched *s, uint32_t slot,
                       struct cadre_run run, uint64_t count)
{
    const struct cadre_team *team = cadre_team_at(&s->teams, slot);
    uint32_t attempt = attempt_of(s, run.job, run.first, count);
    const struct cadre_job *job = cadre_queue_job(&s->queue, run.job);
    const struct cadre_kind *kind = cadre_queue_kind(&s->queue, job);
    struct cadre_batch batch = {.first = run.first,
                                .est_ns = cadre_kind_estimate(kind, count),
                                .job = run.job,
                                .count = (uint32_t)count,
                                .sent = (uint32_t)count};

    cadre_team_push(&s->teams, slot, batch,
                    cadre_job_bytes(job, run.first, count), s->now_ns);
    s->running += count;
    cadre_queue_take(&s->queue, count);
    act(s, (struct cadre_action){.type = CADRE_ACT_SEND,
                                 .team = (cadre_team_id)team->slot.id,
                                 .attempt = attempt,
                                 .job = job->slot.id,
                                 .first = run.first,
                                 .count = count});
}

/* Room for one more batch and its action. */
static cadre_err reserve_send(struct cadre_sched *s, struct cadre_team *team)
{
    cadre_err err = cadre_team_reserve(team);

    if (err != CADRE_OK)
        return err;
    return reserve_actions(s, (uint64_t)s->action_count + 1);
}

/* Send `run` to the team in `slot`, behind what it holds. False: it has to
 * wait, for room there or for memory. */
static bool send_behind(struct cadre_sched *s, uint32_t slot,
                        struct cadre_run run)
{
    struct cadre_team *team = cadre_team_at(&s->teams, slot);

    if (team->held >= HELD_MAX || fitting(s, team, run, run.count) == 0 ||
        reserve_send(s, team) != CADRE_OK)
        return false;
    send_batch(s, slot, run, run.count);
    return true;
}

/* No team will run `run`, which is what is next. */
static bool drop_next(struct cadre_sched *s, struct cadre_run run)
{
    enum { ACTIONS = 2 };

    if (reserve_actions(s, (uint64_t)s->action_count + ACTIONS) != CADRE_OK)
        return false;
    cadre_queue_take(&s->queue, run.count);
    drop_tasks(s, CADRE_ELOST, 0, run);
    return true;
}

/* The seat for which `run` is; 0: any team may have it. */
static uint32_t seat_of(const struct cadre_sched *s, struct cadre_run run)
{
    const struct cadre_job *job = cadre_queue_job(&s->queue, run.job);
    const struct cadre_terms *terms = cadre_queue_terms(&s->queue, job);

    return terms != NULL ? terms->seat : 0;
}

/* Send what is next to its seat, as long as it is for one; then `*run` is what
 * any team may have. False: there is nothing, or it waits for its seat. */
static bool next_for_any(struct cadre_sched *s, struct cadre_run *run)
{
    uint32_t seat, slot;
    bool goes_on = true;

    while (goes_on && cadre_queue_peek(&s->queue, run)) {
        if ((seat = seat_of(s, *run)) == 0)
            return true;
        switch (cadre_seat_find(&s->teams, seat, &slot)) {
        case CADRE_SEAT_EMPTY:
            return false;
        case CADRE_SEAT_TAKEN:
            goes_on = send_behind(s, slot, *run);
            break;
        case CADRE_SEAT_CLOSED:
            goes_on = drop_next(s, *run);
            break;
        }
    }
    return false;
}

static void serve_idle(struct cadre_sched *s)
{
    struct cadre_run run;
    uint32_t slot;

    while (next_for_any(s, &run) &&
           (slot = s->teams.idle.first) != CADRE_NO_SLOT) {
        const struct cadre_team *team = cadre_team_at(&s->teams, slot);

        send_batch(s, slot, run, fitting(s, team, run, wanted(s, run)));
    }
}

/* Is what comes next short and known enough to wait behind other work? */
static bool may_wait(const struct cadre_sched *s, struct cadre_run run,
                     uint64_t limit_ns)
{
    const struct cadre_job *job = cadre_queue_job(&s->queue, run.job);
    const struct cadre_kind *kind = cadre_queue_kind(&s->queue, job);
    uint64_t least = job->chunk == 0 ? 1 : wanted(s, run);

    return kind->mean_ns > 0 && cadre_kind_estimate(kind, least) <= limit_ns;
}

/* How many tasks of `run` to send to a working team; 0: it is passed over. */
static uint64_t ahead_count(const struct cadre_sched *s,
                            const struct cadre_team *team, struct cadre_run run)
{
    const struct cadre_job *job = cadre_queue_job(&s->queue, run.job);
    const struct cadre_kind *kind = cadre_queue_kind(&s->queue, job);
    uint64_t patience_ns =
        2 * cadre_team_batch(team, 0)->est_ns + s->options.batch_ns;
    uint64_t count = wanted(s, run), fit;

    if (team->held >= HELD_MAX || team->tasks >= GROWTH * kind->measured)
        return 0;
    if (s->now_ns - team->started_ns > patience_ns) /* late: who knows why */
        return 0;
    fit = fitting(s, team, run, count);
    return fit < count && job->chunk > 0 ? 0 : fit;
}

static void send_ahead(struct cadre_sched *s)
{
    const struct cadre_heap_entry *least;
    struct cadre_run run;
    uint64_t limit_ns, count;

    while (next_for_any(s, &run) &&
           (least = cadre_heap_first(&s->teams.ahead)) != NULL) {
        struct cadre_team *team = cadre_team_at(&s->teams, least->slot);

        limit_ns = fair_ns(s, s->options.ahead_ns);
        if (least->key >= limit_ns || !may_wait(s, run, limit_ns))
            return;
        if ((count = ahead_count(s, team, run)) == 0)
            cadre_heap_remove(&s->teams.ahead, least->slot);
        else if (reserve_send(s, team) == CADRE_OK)
            send_batch(s, least->slot, run, count);
        else
            return;
    }
}

/* Taking events. Each checks, reserves, changes. */

static cadre_err on_submit(struct cadre_sched *s,
                           const struct cadre_ev_submit *submit)
{
    cadre_err err;

    if (submit->job == 0 || submit->count == 0 || submit->count > TASKS_MAX ||
        (submit->bytes == NULL && submit->bytes_per_task > TASKS_MAX) ||
        (submit->retries > 0 && (submit->count > UINT32_MAX ||
                                 submit->retry_wait_ns > RETRY_WAIT_MAX)) ||
        (submit->seat > 0 && submit->count > 1) ||
        cadre_slots_find(&s->queue.jobs, submit->job) != CADRE_NO_SLOT)
        return CADRE_EINVAL;
    if ((err = reserve_actions(s, 0)) != CADRE_OK ||
        (err = cadre_queue_reserve(&s->queue, submit)) != CADRE_OK)
        return err;
    cadre_queue_push(&s->queue, submit);
    return CADRE_OK;
}

static cadre_err on_release(struct cadre_sched *s,
                            const struct cadre_ev_release *release)
{
    const struct cadre_terms *terms =
        cadre_terms_find(&s->queue.terms, release->job);
    cadre_err err;

    if (terms == NULL || terms->holds == 0 ||
        release->bytes_per_task > TASKS_MAX)
        return CADRE_EINVAL;
    if ((err = reserve_actions(s, 0)) != CADRE_OK)
        return err;
    cadre_queue_release(&s->queue, release);
    return CADRE_OK;
}

/* Is it one that no team has? */
static bool is_free(const struct cadre_sched *s, uint32_t seat)
{
    uint32_t slot;

    return cadre_seat_find(&s->teams, seat, &slot) != CADRE_SEAT_TAKEN;
}

static cadre_err on_team_ready(struct cadre_sched *s, cadre_team_id id,
                               uint32_t seat)
{
    cadre_err err;
    uint32_t slot;

    if (id == 0 || cadre_team_find(&s->teams, id, &slot) != NULL ||
        !is_free(s, seat))
        return CADRE_EINVAL;
    if ((err = reserve_actions(s, 1)) != CADRE_OK)
        return err;
    return cadre_teams_add(&s->teams, id, seat);
}

static cadre_err on_seat(struct cadre_sched *s, const struct cadre_ev_seat *of)
{
    cadre_err err;

    if (of->seat == 0 || !is_free(s, of->seat))
        return CADRE_EINVAL;
    if ((err = reserve_actions(s, 0)) != CADRE_OK)
        return err;
    if (of->is_closed)
        return cadre_seat_close(&s->teams, of->seat);
    cadre_seat_open(&s->teams, of->seat);
    return CADRE_OK;
}

/* `count` tasks from the front of the team's first batch have run. */
static void finish_tasks(struct cadre_sched *s, uint32_t slot, uint32_t count)
{
    const struct cadre_team *team = cadre_team_at(&s->teams, slot);
    struct cadre_batch batch = *cadre_team_batch(team, 0);
    const struct cadre_job *job = cadre_queue_job(&s->queue, batch.job);
    struct cadre_kind *kind = cadre_queue_kind(&s->queue, job);

    cadre_team_pop(&s->teams, slot, count,
                   cadre_job_bytes(job, batch.first, count),
                   cadre_kind_estimate(kind, batch.count - count), s->now_ns);
    if (count == batch.count && kind->longest < batch.sent)
        kind->longest = batch.sent;
    s->running -= count;
}

/* What RESULTS says of failures: are these tasks its own, in ascending order?
 */
static bool are_failures_true(const struct cadre_ev_results *results)
{
    uint64_t end = results->first + results->count, from = results->first;

    for (uint64_t i = 0; i < results->nfailed; i++) {
        const struct cadre_failed_task *f = &results->failed[i];

        if (f->task < from || f->task >= end || f->err <= CADRE_OK ||
            (int)f->err > ERR_MAX)
            return false;
        from = f->task + 1;
    }
    return true;
}

/* Let the tasks that failed and may be tried again wait for that; returns how
 * many those are. */
static uint64_t retry_failed(struct cadre_sched *s, uint32_t job,
                             const struct cadre_ev_results *results)
{
    const struct cadre_terms *terms = retry_terms(s, job);
    uint64_t count = 0;

    for (uint64_t i = 0; terms != NULL && i < results->nfailed; i++) {
        const struct cadre_failed_task *f = &results->failed[i];

        if (!may_retry(s, terms, f->task, f->err))
            continue;
        retry_task(s, results->team, job, f->task);
        count++;
    }
    return count;
}

static cadre_err reserve_results(struct cadre_sched *s, uint32_t job,
                                 const struct cadre_ev_results *results)
{
    uint64_t again = retry_terms(s, job) != NULL ? results->nfailed : 0;
    cadre_err err = reserve_actions(s, TEAM_ACTIONS_MAX + again);

    return err != CADRE_OK ? err
                           : cadre_attempts_reserve(&s->queue.terms, again);
}

static cadre_err on_results(struct cadre_sched *s,
                            const struct cadre_ev_results *results)
{
    const struct cadre_batch *batch;
    const struct cadre_team *team;
    const struct cadre_job *job;
    struct cadre_run run;
    uint64_t again;
    cadre_err err;
    uint32_t slot;

    team = cadre_team_find(&s->teams, results->team, &slot);
    if (team == NULL || team->held == 0)
        return CADRE_EINVAL;
    batch = cadre_team_batch(team, 0);
    job = cadre_queue_job(&s->queue, batch->job);
    run = (struct cadre_run){batch->job, results->first, results->count};
    if (job->slot.id != results->job || batch->first != results->first ||
        results->count == 0 || results->count > batch->count ||
        !are_failures_true(results))
        return CADRE_EINVAL;
    if ((err = reserve_results(s, run.job, results)) != CADRE_OK)
        return err;

    cadre_queue_measured(&s->queue, cadre_queue_kind(&s->queue, job),
                         results->count, results->elapsed_ns);
    finish_tasks(s, slot, (uint32_t)results->count);
    again = retry_failed(s, run.job, results);
    if (again == 0)
        end_attempts(s, run);
    end_tasks(s, run.job, run.count - again);
    settle(s, slot, true);
    return CADRE_OK;
}

/* Room for what becomes of the tasks of a lost team: of a job with retries each
 * goes its own way; of others there are those that it had begun, the last of
 * these, and the rest. */
static cadre_err reserve_lost(struct cadre_sched *s,
                              const struct cadre_team *team)
{
    enum { BATCH_ACTIONS_MAX = 4 };
    uint64_t actions = 0, attempts = 0;
    cadre_err err;

    for (uint32_t i = 0; i < team->held; i++) {
        const struct cadre_batch *batch = cadre_team_batch(team, i);

        actions += BATCH_ACTIONS_MAX;
        if (retry_terms(s, batch->job) != NULL)
            attempts += batch->count;
    }
    if ((err = reserve_actions(s, actions + attempts)) != CADRE_OK ||
        (err = cadre_attempts_reserve(&s->queue.terms, attempts)) != CADRE_OK)
        return err;
    return cadre_slots_reserve_many(&s->queue.ranges, team->held);
}

/* Tasks that a lost team may have begun, and that all failed with `err`. */
static void lose_begun(struct cadre_sched *s, cadre_team_id team, cadre_err err,
                       struct cadre_run run)
{
    const struct cadre_terms *terms;

    if (run.count == 0) /* the job may be done already */
        return;
    if ((terms = retry_terms(s, run.job)) == NULL) {
        drop_tasks(s, err, team, run);
        return;
    }
    for (uint64_t task = run.first; task < run.first + run.count; task++) {
        if (!may_retry(s, terms, task, err)) {
            drop_tasks(s, err, team, (struct cadre_run){run.job, task, 1});
            continue;
        }
        retry_task(s, team, run.job, task);
        if (terms->seat > 0) /* it keeps its place among what the team held */
            cadre_queue_hurry(&s->queue, run.job);
    }
}

/* Tasks that a lost team had not begun. */
static void lose_unbegun(struct cadre_sched *s, cadre_team_id team,
                         struct cadre_run run)
{
    if (run.count == 0)
        return;
    if (cadre_queue_job(&s->queue, run.job)->is_cancelled) {
        drop_tasks(s, CADRE_ECANCELLED, team, run);
        return;
    }
    run_again(s, team, run, attempt_of(s, run.job, run.first, run.count));
    cadre_queue_give_back(&s->queue, run.job, run.first, (uint32_t)run.count);
}

/* A batch of which a lost team had begun the first `begun` tasks; the last one
 * failed with `err`. */
static void lose_batch(struct cadre_sched *s, cadre_team_id team,
                       struct cadre_batch batch, uint64_t begun, cadre_err err)
{
    uint64_t ended = err != CADRE_ELOST && begun > 0 ? begun - 1 : begun;
    struct cadre_run rest = {batch.job, batch.first + begun,
                             batch.count - begun};

    s->running -= batch.count;
    lose_begun(s, team, CADRE_ELOST,
               (struct cadre_run){batch.job, batch.first, ended});
    lose_begun(
        s, team, err,
        (struct cadre_run){batch.job, batch.first + ended, begun - ended});
    lose_unbegun(s, team, rest);
}

/* The first batch of a lost team of which nobody knows how far it was: any of
 * its tasks may be the one that failed with `err`. */
static void lose_vague_batch(struct cadre_sched *s, cadre_team_id team,
                             struct cadre_batch batch, cadre_err err)
{
    s->running -= batch.count;
    lose_begun(s, team, err,
               (struct cadre_run){batch.job, batch.first, batch.count});
}

static cadre_err on_team_lost(struct cadre_sched *s,
                              const struct cadre_ev_lost *lost)
{
    cadre_err last_err = lost->err != CADRE_OK ? lost->err : CADRE_ELOST;
    struct cadre_team *team;
    uint64_t begun; /* tasks of the batches from here on */
    cadre_err err;
    uint32_t slot;

    if ((team = cadre_team_find(&s->teams, lost->team, &slot)) == NULL)
        return CADRE_EINVAL;
    if ((err = reserve_lost(s, team)) != CADRE_OK)
        return err;
    begun = lost->is_known ? lost->begun : UINT64_MAX;
    if (lost->is_known && begun > team->tasks)
        begun = team->tasks;
    for (uint32_t i = 0; i < team->held; i++) {
        struct cadre_batch batch = *cadre_team_batch(team, i);
        uint64_t of_it = begun < batch.count ? begun : batch.count;

        begun -= of_it;
        if (i == 0 && !lost->is_known) {
            lose_vague_batch(s, lost->team, batch, last_err);
            continue;
        }
        lose_batch(s, lost->team, batch, of_it,
                   begun == 0 ? last_err : CADRE_ELOST);
    }
    cadre_teams_remove(&s->teams, slot);
    return CADRE_OK;
}

static cadre_err on_team_retire(struct cadre_sched *s, cadre_team_id id)
{
    struct cadre_team *team;
    cadre_err err;
    uint32_t slot;

    if ((team = cadre_team_find(&s->teams, id, &slot)) == NULL)
        return CADRE_EINVAL;
    if ((err = reserve_actions(s, 1)) != CADRE_OK || team->is_retiring)
        return err;
    cadre_team_retire(&s->teams, slot);
    settle(s, slot, false);
    return CADRE_OK;
}

static cadre_err cancel_job(struct cadre_sched *s, uint32_t slot)
{
    size_t runs = cadre_queue_runs(&s->queue, slot);
    struct cadre_run run;
    cadre_err err;

    if ((err = reserve_actions(s, s->action_count + runs + 1)) != CADRE_OK)
        return err;
    cadre_queue_job(&s->queue, slot)->is_cancelled = true;
    for (; runs > 0 && cadre_queue_withdraw(&s->queue, slot, &run); runs--)
        drop_tasks(s, CADRE_ECANCELLED, 0, run);
    return CADRE_OK;
}

static cadre_err cancel_all(struct cadre_sched *s)
{
    struct cadre_run run;
    uint32_t job;
    cadre_err err = CADRE_OK;

    while (err == CADRE_OK && cadre_queue_peek(&s->queue, &run))
        err = cancel_job(s, run.job);
    while (err == CADRE_OK && s->queue.terms.held.first != CADRE_NO_SLOT)
        err = cancel_job(
            s, cadre_terms_at(&s->queue.terms, s->queue.terms.held.first)
                   ->slot.tag);
    while (err == CADRE_OK && cadre_queue_delayed(&s->queue, &job))
        err = cancel_job(s, job);
    return err;
}

static cadre_err on_cancel(struct cadre_sched *s, cadre_job_id id)
{
    uint32_t slot;

    if (id == 0)
        return cancel_all(s);
    slot = cadre_slots_find(&s->queue.jobs, id);
    return slot == CADRE_NO_SLOT ? CADRE_EINVAL : cancel_job(s, slot);
}

/* The place in the ring of a batch that was sent as it is; `held` if none. */
static uint32_t find_batch(const struct cadre_sched *s,
                           const struct cadre_team *team,
                           const struct cadre_ev_unsent *unsent)
{
    uint32_t job = cadre_slots_find(&s->queue.jobs, unsent->job), i;

    for (i = 0; i < team->held; i++) {
        const struct cadre_batch *b = cadre_team_batch(team, i);

        if (b->job == job && b->first == unsent->first &&
            b->count == unsent->count && b->sent == b->count)
            break;
    }
    return i;
}

static cadre_err on_unsent(struct cadre_sched *s,
                           const struct cadre_ev_unsent *unsent)
{
    const struct cadre_job *job;
    struct cadre_batch batch;
    struct cadre_team *team;
    struct cadre_run run;
    cadre_err err;
    uint32_t slot, i;

    if ((team = cadre_team_find(&s->teams, unsent->team, &slot)) == NULL ||
        (i = find_batch(s, team, unsent)) == team->held)
        return CADRE_EINVAL;
    if ((err = reserve_actions(s, TEAM_ACTIONS_MAX + 1)) != CADRE_OK ||
        (err = cadre_slots_reserve(&s->queue.ranges)) != CADRE_OK)
        return err;

    batch = *cadre_team_batch(team, i);
    job = cadre_queue_job(&s->queue, batch.job);
    run = (struct cadre_run){batch.job, batch.first, batch.count};
    cadre_team_recall(&s->teams, slot, i,
                      cadre_job_bytes(job, batch.first, batch.count),
                      s->now_ns);
    s->running -= batch.count;
    if (job->is_cancelled)
        drop_tasks(s, CADRE_ECANCELLED, unsent->team, run);
    else
        cadre_queue_give_back(&s->queue, batch.job, batch.first, batch.count);
    settle(s, slot, false);
    return CADRE_OK;
}

void cadre_sched_destroy(struct cadre_sched *s)
{
    if (s == NULL)
        return;
    cadre_queue_fini(&s->queue);
    cadre_teams_fini(&s->teams);
    free(s->actions);
    free(s);
}

cadre_err cadre_sched_create(const struct cadre_sched_options *options,
                             struct cadre_sched **sched)
{
    struct cadre_sched *s = calloc(1, sizeof *s);

    if (s == NULL)
        return CADRE_ENOMEM;
    s->options = defaults;
    if (options != NULL && options->batch_ns > 0)
        s->options.batch_ns = options->batch_ns;
    if (options != NULL && options->min_batch_ns > 0)
        s->options.min_batch_ns = options->min_batch_ns;
    if (options != NULL && options->ahead_ns > 0)
        s->options.ahead_ns = options->ahead_ns;
    if (options != NULL && options->inflight_bytes > 0)
        s->options.inflight_bytes = options->inflight_bytes;
    cadre_queue_init(&s->queue);
    cadre_teams_init(&s->teams);
    *sched = s;
    return CADRE_OK;
}

static cadre_err take(struct cadre_sched *s, const struct cadre_event *event)
{
    switch (event->type) {
    case CADRE_EV_SUBMIT:
        return on_submit(s, &event->submit);
    case CADRE_EV_TEAM_READY:
        return on_team_ready(s, event->team, event->seat);
    case CADRE_EV_RESULTS:
        return on_results(s, &event->results);
    case CADRE_EV_TEAM_LOST:
        return on_team_lost(s, &event->lost);
    case CADRE_EV_TEAM_RETIRE:
        return on_team_retire(s, event->team);
    case CADRE_EV_CANCEL:
        return on_cancel(s, event->job);
    case CADRE_EV_TICK:
        return reserve_actions(s, 0);
    case CADRE_EV_UNSENT:
        return on_unsent(s, &event->unsent);
    case CADRE_EV_RELEASE:
        return on_release(s, &event->release);
    case CADRE_EV_SEAT:
        return on_seat(s, &event->of_seat);
    }
    return CADRE_EINVAL;
}

cadre_err cadre_sched_step(struct cadre_sched *s,
                           const struct cadre_event *event,
                           struct cadre_actions *actions)
{
    uint64_t before_ns = s->now_ns;
    cadre_err err;

    if (event->now_ns > s->now_ns)
        s->now_ns = event->now_ns;
    s->action_count = 0;
    if ((err = take(s, event)) != CADRE_OK) {
        s->now_ns = before_ns;
        return err;
    }
    if (event->type != CADRE_EV_UNSENT) {
        cadre_queue_take_due(&s->queue, s->now_ns);
        serve_idle(s);
        send_ahead(s);
    }
    *actions =
        (struct cadre_actions){.list = s->actions, .count = s->action_count};
    return CADRE_OK;
}

uint64_t cadre_sched_waiting(const struct cadre_sched *s)
{
    return s->queue.waiting + s->queue.aside;
}

uint64_t cadre_sched_running(const struct cadre_sched *s)
{
    return s->running;
}

uint32_t cadre_sched_busy(const struct cadre_sched *s)
{
    return s->teams.finish.count;
}

uint32_t cadre_sched_teams(const struct cadre_sched *s)
{
    return s->teams.slots.count;
}

uint64_t cadre_sched_next_results_ns(const struct cadre_sched *s)
{
    const struct cadre_heap_entry *first = cadre_heap_first(&s->teams.finish);

    return first != NULL ? first->key : UINT64_MAX;
}

uint64_t cadre_sched_next_retry_ns(const struct cadre_sched *s)
{
    return cadre_attempts_due_ns(&s->queue.terms);
}

bool cadre_sched_is_ready(const struct cadre_sched *sched, uint64_t *task_ns)
{
    struct cadre_run run;

    *task_ns = 0;
    if (!cadre_queue_peek(&sched->queue, &run))
        return false;
    *task_ns = cadre_kind_estimate(
        cadre_queue_kind(&sched->queue,
                         cadre_queue_job(&sched->queue, run.job)),
        1);
    return true;
}
