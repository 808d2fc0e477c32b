/* farm.c - the controller's side of a task's life.
 *
 *     submit -> sched: SUBMIT ---> SEND ---> FUNCTION?, BATCH -> each member
 *     each member -> RESULTS; all have -> sched: RESULTS -> SEND ... , JOB_DONE
 *     a member gone -> sched: TEAM_LOST ---> DROP -> job failed, JOB_DONE
 */
#include "farm_internal.h"

#include "log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cadre_job *job_of(cadre_job_id id)
{
    return (struct cadre_job *)(uintptr_t)id;
}

static cadre_job_id id_of(const struct cadre_job *job)
{
    return (cadre_job_id)(uintptr_t)job;
}

/* --- doing what the scheduler decided ------------------------------------- */

cadre_err cadre_farm_introduce(struct cadre_crew *crew, int peer,
                               const struct cadre_function *f)
{
    struct cadre_msg_function msg = {
        .id = f->id,
        .library = f->library,
        .symbol = f->symbol,
        .written = f->sent != NULL ? f->sent : f->written,
        .expanded = f->sent != NULL ? "" : f->expanded};
    bool knew;
    cadre_err err = cadre_worker_learns(&crew->workers[peer], f->id, &knew);

    if (err != CADRE_OK || knew)
        return err;
    return cadre_function_encode(&msg, crew->generation,
                                 cadre_channel_buffer(crew->channel, peer));
}

static cadre_err encode_batch(const struct member *m,
                              const struct cadre_action *a)
{
    struct cadre_buffer *buffer =
        cadre_channel_buffer(m->crew->channel, m->peer);
    struct cadre_job *job = job_of(a->job);
    struct cadre_msg_batch msg = {.job = a->job,
                                  .first = a->first,
                                  .count = a->count,
                                  .function = job->function->id,
                                  .team = m->team->number,
                                  .attempt = a->attempt};
    size_t mark;
    cadre_err err;

    if ((err = cadre_farm_introduce(m->crew, m->peer, job->function)) !=
            CADRE_OK ||
        (err = cadre_batch_begin(&msg, m->crew->generation, buffer, &mark)) !=
            CADRE_OK)
        return err;
    err = job->ops->pack(job, a->first, a->count, buffer);
    if (err == CADRE_OK)
        err = cadre_batch_end(buffer, mark);
    if (err != CADRE_OK)
        cadre_frame_abort(buffer, mark);
    else
        cadre_member_worker(m)->batches++;
    return err;
}

static void fail(struct cadre_job *job, uint64_t first, uint64_t count,
                 cadre_err err, const char *host, const char *text)
{
    struct cadre_fault fault = {.first = first,
                                .count = count,
                                .err = err,
                                .rank = -1,
                                .host = host,
                                .text = text};

    job->ops->failed(job, &fault);
}

/* Where memory for a batch is wanting, the team is given up with all it holds:
 * its tasks fail and nothing waits for ever. */
static void do_send(struct cadre_farm *farm, const struct cadre_action *a)
{
    struct team *t = farm->teams[a->team - 1];
    struct sent batch = {
        .job = job_of(a->job), .first = a->first, .count = a->count};
    cadre_err err;

    if (batch.job->ops->deadline != NULL)
        batch.deadline_ns = batch.job->ops->deadline(batch.job);
    if (batch.deadline_ns == 0)
        batch.deadline_ns = farm->options.deadline_ns;
    if (t->is_starved)
        return;
    if (farm->nlanes > 1)
        t->lane->since_ns = cadre_now_ns();
    if ((err = cadre_farm_team_reserve_batch(t)) == CADRE_OK)
        cadre_farm_team_push_batch(t, batch);
    if (err == CADRE_OK && t->held == 1)
        cadre_farm_team_begin(t);
    for (int i = 0; i < t->size && err == CADRE_OK; i++)
        err = encode_batch(&t->members[i], a);
    if (err != CADRE_OK) {
        cadre_log(CADRE_LOG_ERROR,
                  "out of memory: team %d is given up with its tasks",
                  (int)t->id - 1);
        t->is_starved = true;
        farm->has_starved = true;
        return;
    }
    cadre_farm_put_sent(t, batch.job);
    if (batch.job->ops->started != NULL)
        batch.job->ops->started(batch.job, a->first, a->count);
}

static void do_again(const struct cadre_action *a)
{
    struct cadre_job *job = job_of(a->job);

    if (job->ops->again != NULL)
        job->ops->again(job, a->first, a->count);
}

/* Tell the job how one task failed. */
static void tell_failed(const struct failed_task *f)
{
    struct cadre_fault fault = {
        .first = f->index,
        .count = 1,
        .err = f->err,
        .kind = f->kind,
        .rank = f->rank,
        .host = f->host,
        .text = f->text != NULL ? f->text : cadre_strerror(f->err)};
    struct cadre_job *job = (struct cadre_job *)f->job;

    job->ops->failed(job, &fault);
}

/* Tasks [first, first + count) of `job`, sent to `team`, will not run (again);
 * some may have failed already and only waited for the other ranks. */
static void fail_sent(const struct team *team, const struct cadre_action *a,
                      cadre_err err, const char *text)
{
    const char *host = cadre_member_worker(&team->members[0])->process.host;
    uint64_t from = a->first, end = a->first + a->count;
    struct cadre_job *job = job_of(a->job);

    for (uint64_t i = from; i < end && team->nfailed > 0; i++) {
        const struct failed_task *f = cadre_farm_team_failure(team, job, i);

        if (f == NULL)
            continue;
        if (i > from)
            fail(job, from, i - from, err, host, text);
        tell_failed(f);
        from = i + 1;
    }
    if (from < end)
        fail(job, from, end - from, err, host, text);
}

static void do_drop(struct cadre_farm *farm, const struct cadre_action *a)
{
    cadre_err err = a->err;
    char text[CADRE_ERROR_TEXT_MAX];

    if (a->team != 0 && err != CADRE_ELOST)
        snprintf(text, sizeof text, "%s", farm->teams[a->team - 1]->stop_text);
    else if (a->team != 0)
        snprintf(text, sizeof text, "%s while it had this task",
                 farm->last_lost);
    else if (farm->broken != CADRE_OK)
        snprintf(text, sizeof text, "%s", farm->cause.text);
    else if (err == CADRE_ELOST)
        snprintf(text, sizeof text,
                 "the team for it is gone, and no other takes its place");
    else
        snprintf(text, sizeof text, "cancelled before it ran");
    if (a->team != 0)
        fail_sent(farm->teams[a->team - 1], a, err, text);
    else
        fail(job_of(a->job), a->first, a->count,
             farm->broken != CADRE_OK ? farm->broken : err, "", text);
}

static void do_job_done(struct cadre_farm *farm, const struct cadre_action *a)
{
    struct cadre_job *job = job_of(a->job);

    farm->njobs--;
    cadre_farm_put_done(farm, job);
    job->ops->done(job);
}

static void do_actions(struct cadre_farm *farm,
                       const struct cadre_actions *actions)
{
    for (size_t i = 0; i < actions->count; i++) {
        const struct cadre_action *a = &actions->list[i];

        switch (a->type) {
        case CADRE_ACT_SEND:
            do_send(farm, a);
            break;
        case CADRE_ACT_DROP:
            do_drop(farm, a);
            break;
        case CADRE_ACT_JOB_DONE:
            do_job_done(farm, a);
            break;
        case CADRE_ACT_AGAIN:
            do_again(a);
            break;
        case CADRE_ACT_TEAM_OUT:
            cadre_farm_team_release(farm->teams[a->team - 1]);
            break;
        }
    }
}

cadre_err cadre_farm_step(struct lane *lane, struct cadre_event *event)
{
    struct cadre_actions actions;
    cadre_err err;

    event->now_ns = cadre_now_ns();
    if ((err = cadre_sched_step(lane->sched, event, &actions)) != CADRE_OK)
        return err;
    do_actions(lane->farm, &actions);
    cadre_engine_check_by(lane->farm->engine,
                          cadre_sched_next_retry_ns(lane->sched));
    return CADRE_OK;
}

/* Nothing that waits is to run. */
static void cancel_all(struct cadre_farm *farm)
{
    for (int i = 0; i < farm->nlanes; i++)
        cadre_farm_step(farm->lanes[i],
                        &(struct cadre_event){.type = CADRE_EV_CANCEL});
}

/* Teams that are for one task get no second one. */
static void retire_fresh(struct cadre_farm *farm)
{
    if (!farm->options.is_fresh && farm->nlanes == 1)
        return;
    for (uint32_t i = 0; i < farm->nteams; i++) {
        struct team *t = farm->teams[i];

        if (t != NULL && t->state == TEAM_WORKING && t->held > 0 &&
            (t->is_once || farm->options.is_fresh))
            cadre_farm_team_retire(t);
    }
}

static void lose_starved(struct cadre_farm *farm)
{
    while (farm->has_starved) {
        farm->has_starved = false;
        for (uint32_t i = 0; i < farm->nteams; i++) {
            struct team *t = farm->teams[i];

            if (t != NULL && t->is_starved)
                cadre_engine_lose(farm->engine, t->members[0].crew,
                                  cadre_member_worker(&t->members[0]));
        }
    }
}

void cadre_farm_flush(struct cadre_farm *farm)
{
    struct cadre_error error;

    cadre_error_clear(&error);
    cadre_farm_arrange(farm);
    retire_fresh(farm);
    /* The engine loses a peer that cannot be sent to. */
    for (struct cadre_crew *c = farm->engine->crews; c != NULL; c = c->next) {
        if (cadre_channel_flush(c->channel, &error) != CADRE_OK)
            cadre_log(CADRE_LOG_WARN, "%s", error.text);
    }
    lose_starved(farm);
}

/* --- what workers say ----------------------------------------------------- */

/* The next `count` tasks of `m` have ended because they were to. */
static cadre_err fail_stopped(struct member *m, uint64_t count)
{
    struct team *t = m->team;
    uint64_t begin = m->done.task;
    cadre_err err = CADRE_OK;

    for (uint64_t i = begin; i < begin + count && err == CADRE_OK; i++)
        err = cadre_farm_team_note_failed(
            m,
            (struct failed_task){.task = i,
                                 .err = t->stop_err,
                                 .rank = -1,
                                 .host = cadre_member_worker(m)->process.host,
                                 .text = t->stop_text});
    return err;
}

static cadre_err take_failures(struct member *m,
                               const struct cadre_msg_results *msg)
{
    uint64_t begin = m->done.task;
    struct cadre_failure failure;
    char where[128], text[CADRE_ERROR_TEXT_MAX];
    cadre_err err = CADRE_OK;
    size_t at = 0;

    if (cadre_farm_team_is_stopped(m))
        return fail_stopped(m, msg->count);
    if (msg->nfailures == 0)
        return CADRE_OK;
    cadre_member_name(m, where, sizeof where);
    while (cadre_failure_next(msg, &at, &failure) && err == CADRE_OK) {
        if (failure.row < msg->first || failure.row - msg->first >= msg->count)
            continue;
        snprintf(text, sizeof text, "%s [%s]", failure.text, where);
        err = cadre_farm_team_note_failed(
            m,
            (struct failed_task){.task = begin + failure.row - msg->first,
                                 .err = (cadre_err)failure.err,
                                 .kind = failure.kind,
                                 .rank = (int)(m - m->team->members),
                                 .host = cadre_member_worker(m)->process.host,
                                 .text = text});
    }
    return err;
}

static int by_task(const void *a, const void *b)
{
    const struct cadre_failed_task *x = a, *y = b;

    return x->task < y->task ? -1 : x->task > y->task;
}

/* Those of `run` that failed, as the scheduler is told. CADRE_ENOMEM. */
static cadre_err list_failed(struct cadre_farm *farm, const struct team *t,
                             const struct sent *run,
                             struct cadre_ev_results *results)
{
    uint64_t n = 0;

    if (t->nfailed > farm->failed_cap) {
        size_t cap = 2 * (size_t)t->nfailed;
        struct cadre_failed_task *grown =
            reallocarray(farm->failed, cap, sizeof *grown);

        if (grown == NULL)
            return CADRE_ENOMEM;
        farm->failed = grown;
        farm->failed_cap = cap;
    }
    for (uint32_t i = 0; i < t->nfailed; i++) {
        const struct failed_task *f = &t->failed[i];

        if (f->job == run->job && f->index - run->first < run->count)
            farm->failed[n++] =
                (struct cadre_failed_task){.task = f->index, .err = f->err};
    }
    if (t->size > 1 && n > 1)
        qsort(farm->failed, n, sizeof *farm->failed, by_task);
    results->failed = farm->failed;
    results->nfailed = n;
    return CADRE_OK;
}

/* The job is told of those that are not tried again. */
static void tell_all_failed(const struct team *t, const struct sent *run,
                            const struct cadre_actions *actions)
{
    for (uint32_t i = 0; i < t->nfailed; i++) {
        const struct failed_task *f = &t->failed[i];
        bool is_again = false;

        if (f->job != run->job || f->index - run->first >= run->count)
            continue;
        for (size_t k = 0; k < actions->count && !is_again; k++)
            is_again =
                actions->list[k].type == CADRE_ACT_AGAIN &&
                job_of(actions->list[k].job) == f->job &&
                f->index - actions->list[k].first < actions->list[k].count;
        if (!is_again)
            tell_failed(f);
    }
}

/* The job is told of those that did not fail. */
static void tell_ended(const struct sent *run,
                       const struct cadre_ev_results *results)
{
    uint64_t from = run->first, end = run->first + run->count;
    struct cadre_job *job = run->job;

    if (job->ops->ended == NULL)
        return;
    for (uint64_t i = 0; i < results->nfailed; i++) {
        uint64_t task = results->failed[i].task;

        if (task > from)
            job->ops->ended(job, from, task - from);
        from = task + 1;
    }
    if (from < end)
        job->ops->ended(job, from, end - from);
}

/* A run of tasks has ended on all members. */
static cadre_err end_run(struct team *t, const struct sent *run,
                         uint64_t elapsed_ns)
{
    struct cadre_farm *farm = t->farm;
    struct cadre_event event = {.type = CADRE_EV_RESULTS,
                                .now_ns = cadre_now_ns(),
                                .results = {.team = t->id,
                                            .job = id_of(run->job),
                                            .first = run->first,
                                            .count = run->count,
                                            .elapsed_ns = elapsed_ns}};
    struct cadre_actions actions;
    cadre_err err = CADRE_OK;

    if (t->nfailed > 0)
        err = list_failed(farm, t, run, &event.results);
    if (err == CADRE_OK)
        err = cadre_sched_step(t->lane->sched, &event, &actions);
    if (err != CADRE_OK)
        return err;
    if (event.results.nfailed > 0)
        tell_all_failed(t, run, &actions);
    tell_ended(run, &event.results);
    if (event.results.nfailed == 0)
        cadre_farm_put_ended(t, run->job);
    if (event.results.nfailed > 0 && t->size > 1 && t->state == TEAM_WORKING)
        cadre_farm_team_renew(t);
    cadre_farm_team_forget_failed(t);
    do_actions(farm, &actions);
    cadre_engine_check_by(farm->engine,
                          cadre_sched_next_retry_ns(t->lane->sched));
    return CADRE_OK;
}

/* What all members have ended is over. May free the team. */
static void end_tasks(struct team *t, uint64_t elapsed_ns)
{
    struct cadre_farm *farm = t->farm;
    struct sent run;

    while (cadre_farm_team_next_done(t, &run)) {
        farm->barren = 0;
        if (t->done.task == 0)
            cadre_farm_team_begin(t);
        if (end_run(t, &run, elapsed_ns) != CADRE_OK) {
            cadre_log(CADRE_LOG_ERROR, "out of memory for results");
            t->is_starved = true;
            farm->has_starved = true;
            return;
        }
        if (t->state == TEAM_GONE) {
            cadre_farm_team_free(t);
            return;
        }
    }
}

/* Are these results of the tasks that come next at `m`? */
static bool are_next(const struct member *m,
                     const struct cadre_msg_results *msg)
{
    const struct sent *b = cadre_member_batch(m);

    return b != NULL && id_of(b->job) == msg->job &&
           b->first + m->done.task == msg->first && msg->count > 0 &&
           msg->count <= b->count - m->done.task;
}

/* Results of one member, if they are the next: the job takes them. */
static bool take_results(struct member *m, const struct cadre_msg_results *msg)
{
    int rank = (int)(m - m->team->members);
    struct cadre_error error;
    struct cadre_job *job;
    cadre_err err = CADRE_OK;

    cadre_error_clear(&error);
    if (!are_next(m, msg))
        return false;
    job = cadre_member_batch(m)->job;
    if (rank == 0 || m->team->farm->options.has_all_ranks)
        err = job->ops->unpack(job, rank, msg->first, msg->count, msg->outputs,
                               msg->outputs_len, msg->bulks, &error);
    if (err != CADRE_OK)
        fail(job, msg->first, msg->count, err, "", error.text);
    else if (take_failures(m, msg) != CADRE_OK) {
        m->team->is_starved = true;
        m->team->farm->has_starved = true;
    }
    cadre_member_advance(m, msg->count);
    return true;
}

/* Who says what cannot be is not to be trusted. */
static void distrust(struct member *m, const char *text)
{
    char name[128];

    cadre_member_name(m, name, sizeof name);
    cadre_log(CADRE_LOG_WARN, "%s: %s", name, text);
    cadre_engine_lose(m->team->farm->engine, m->crew, cadre_member_worker(m));
}

static void on_results(struct cadre_worker *worker,
                       const struct cadre_frame *frame)
{
    struct member *m = worker->team;
    struct cadre_farm *farm = m->team->farm;
    struct cadre_error error;
    struct cadre_msg_results msg;

    cadre_error_clear(&error);
    if (cadre_results_decode(frame, &msg, &error) != CADRE_OK)
        distrust(m, error.text);
    else if (!take_results(m, &msg))
        distrust(m, "results of tasks it does not have");
    else
        end_tasks(m->team, msg.elapsed_ns);
    cadre_farm_recruit(farm);
    cadre_farm_flush(farm);
}

/* The first rank's outputs go straight to where the job wants them. */
static void on_place(struct cadre_worker *worker,
                     const struct cadre_frame *frame)
{
    struct member *m = worker->team;
    struct cadre_error ignored;
    struct cadre_msg_results msg;
    struct cadre_job *job;

    if (m != m->team->members ||
        cadre_results_decode(frame, &msg, &ignored) != CADRE_OK ||
        !are_next(m, &msg))
        return;
    job = cadre_member_batch(m)->job;
    if (job->ops->place != NULL)
        job->ops->place(job, msg.first, msg.count, msg.outputs, msg.outputs_len,
                        msg.bulks);
}

/* INIT has ended; where it failed no task can run. */
static void on_ready(struct cadre_worker *worker,
                     const struct cadre_frame *frame)
{
    struct member *m = worker->team;
    struct cadre_farm *farm = m->team->farm;
    struct cadre_error error = {""};
    struct cadre_msg_ready msg;
    char where[128];

    if (cadre_ready_decode(frame, &msg, &error) != CADRE_OK) {
        distrust(m, error.text);
        return;
    }
    if (msg.err == CADRE_OK ||
        (msg.team != m->team->number && farm->options.max_ranks == 0))
        return;
    cadre_member_name(m, where, sizeof where);
    cadre_error_set(&error, (cadre_err)msg.err, "%.300s [%s]", msg.text, where);
    cadre_farm_break(farm, (cadre_err)msg.err, &error);
    cadre_farm_flush(farm);
}

/* A running task says how far it is. */
static void on_news(struct cadre_worker *worker,
                    const struct cadre_frame *frame)
{
    struct member *m = worker->team;
    struct cadre_error error = {""};
    struct cadre_msg_news msg;
    const struct sent *b;

    if (cadre_news_decode(frame, &msg, &error) != CADRE_OK) {
        distrust(m, error.text);
        return;
    }
    b = cadre_member_batch(m);
    if (b != NULL && id_of(b->job) == msg.job && b->job->ops->news != NULL)
        b->job->ops->news(b->job, msg.row, msg.progress, msg.text);
}

static void on_lost(struct cadre_worker *worker)
{
    struct member *m = worker->team;
    struct cadre_farm *farm = m->team->farm;

    cadre_farm_team_lose(m);
    cadre_farm_recruit(farm);
    cadre_farm_flush(farm);
}

void cadre_farms_check(struct cadre_engine *engine, uint64_t now_ns)
{
    for (struct cadre_farm *f = engine->farms; f != NULL; f = f->next) {
        for (uint32_t i = 0; i < f->nteams; i++) {
            if (f->teams[i] != NULL)
                cadre_farm_team_check(f->teams[i], now_ns);
            if (f->teams[i] != NULL) /* it may be lost now */
                cadre_farm_team_watch(f->teams[i], now_ns);
        }
        for (int i = 0; i < f->nlanes; i++) {
            if (cadre_sched_next_retry_ns(f->lanes[i]->sched) <= now_ns)
                cadre_farm_step(f->lanes[i],
                                &(struct cadre_event){.type = CADRE_EV_TICK});
            cadre_engine_check_by(
                engine, cadre_sched_next_retry_ns(f->lanes[i]->sched));
        }
        cadre_farm_recruit(f);
        cadre_farm_flush(f);
    }
}

const struct cadre_engine_events cadre_farm_events = {
    .on_results = on_results,
    .on_ready = on_ready,
    .on_news = on_news,
    .on_place = on_place,
    .on_lost = on_lost,
};

void cadre_farm_break(struct cadre_farm *farm, cadre_err err,
                      const struct cadre_error *error)
{
    if (farm->broken == CADRE_OK) {
        farm->broken = err;
        farm->cause = *error;
        cadre_log(CADRE_LOG_WARN, "%s", error->text);
    }
    cancel_all(farm);
}

/* What the team was sent of `job` (NULL: of any) is to end. */
static void stop_sent(struct team *t, const struct cadre_job *job,
                      cadre_err err, const char *text)
{
    for (uint32_t k = 0; k < t->held; k++) {
        struct sent *s = &t->ring[(t->head + k) & (t->ring_cap - 1)];

        if ((job != NULL && s->job != job) || s->stop_err != CADRE_OK)
            continue;
        s->stop_err = err;
        s->stop_text = text;
        if (k == 0)
            cadre_farm_team_stop(t, err, text);
    }
}

/* --- the farm ------------------------------------------------------------- */

static char *copy(const char *text, bool *is_short)
{
    char *c = text != NULL ? strdup(text) : NULL;

    *is_short |= text != NULL && c == NULL;
    return c;
}

static void free_farm(struct cadre_farm *farm)
{
    cadre_farm_free_lanes(farm);
    if (farm->options.plan != NULL)
        cadre_ledger_release(farm->engine->ledger, farm->options.plan);
    free(farm->place_used);
    free((char *)farm->options.program);
    free((char *)farm->options.cwd);
    free(farm->teams);
    free(farm->failed);
    cadre_farm_free_values(farm);
    free(farm);
}

static struct cadre_farm *new_farm(struct cadre_engine *engine,
                                   const struct cadre_farm_options *options)
{
    struct cadre_farm *f = calloc(1, sizeof *f);
    bool is_short = false;

    if (f == NULL)
        return NULL;
    f->engine = engine;
    f->options = *options;
    f->options.program = copy(options->program, &is_short);
    f->options.cwd = copy(options->cwd, &is_short);
    f->wanted = options->teams;
    if (options->plan != NULL)
        is_short |= (f->place_used = calloc(options->plan->nplaces, 1)) == NULL;
    if (f->options.ranks == 0)
        f->options.ranks = 1;
    if (is_short) {
        free_farm(f);
        return NULL;
    }
    return f;
}

static void take_off(struct cadre_farm *farm)
{
    struct cadre_farm **at = &farm->engine->farms;

    while (*at != NULL && *at != farm)
        at = &(*at)->next;
    if (*at != NULL)
        *at = farm->next;
    for (int i = 0; i < farm->nlanes; i++)
        cadre_engine_remove_sched(farm->engine, farm->lanes[i]->sched);
}

static bool is_idle(void *arg)
{
    const struct cadre_farm *farm = arg;

    return farm->njobs == 0 && farm->recruiting == 0;
}

void cadre_farm_close(struct cadre_farm *farm, bool cancels)
{
    farm->is_closed = true;
    if (cancels)
        cancel_all(farm);
    cadre_farm_flush(farm);
}

bool cadre_farm_drain_until(struct cadre_farm *farm, uint64_t deadline_ns)
{
    return cadre_engine_wait(farm->engine, is_idle, farm, deadline_ns);
}

void cadre_farm_describe(const struct cadre_farm *farm, char *text, size_t len)
{
    enum { SHOWN = 4 };
    int n = 0;
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < farm->nteams && used < len && n <= SHOWN; i++) {
        const struct team *t = farm->teams[i];
        char name[128];

        if (t == NULL || t->held == 0)
            continue;
        cadre_member_name(&t->members[0], name, sizeof name);
        if (++n > SHOWN)
            snprintf(text + used, len - used, ", ...");
        else
            used += (size_t)snprintf(
                text + used, len - used, "%s%s on %s", n > 1 ? ", " : "",
                t->ring[t->head].job->function->symbol, name);
    }
}

void cadre_farm_abort(struct cadre_farm *farm, const struct cadre_error *why)
{
    farm->is_closed = farm->is_ending = true;
    cadre_farm_break(farm, CADRE_ECANCELLED, why);
    for (uint32_t i = 0; i < farm->nteams; i++) {
        if (farm->teams[i] != NULL)
            stop_sent(farm->teams[i], NULL, CADRE_ECANCELLED, farm->cause.text);
    }
    cadre_farm_flush(farm);
}

/* Teams that still have tasks. */
static void lose_all(struct cadre_farm *farm)
{
    for (uint32_t i = 0; i < farm->nteams; i++) {
        struct team *t = farm->teams[i];

        if (t != NULL && t->held > 0)
            cadre_engine_lose(farm->engine, t->members[0].crew,
                              cadre_member_worker(&t->members[0]));
    }
}

static bool is_drained(void *arg)
{
    return ((const struct cadre_farm *)arg)->njobs == 0;
}

void cadre_farm_drain(struct cadre_farm *farm)
{
    cadre_engine_wait(farm->engine, is_drained, farm, UINT64_MAX);
}

/* Nobody has anything to do with it any more. Under the lock, as the ledger
 * is. */
static void let_go(struct cadre_farm *farm)
{
    cadre_farm_dismiss(farm);
    take_off(farm);
    free_farm(farm);
}

void cadre_farm_destroy(struct cadre_farm *farm)
{
    struct cadre_engine *e;

    if (farm == NULL)
        return;
    e = farm->engine;
    cadre_engine_lock(e);
    farm->is_closed = true;
    cadre_farm_drain(farm);
    farm->is_ending = true;
    cadre_engine_wait(e, is_idle, farm, UINT64_MAX);
    let_go(farm);
    cadre_engine_unlock(e);
}

bool cadre_farm_destroy_by(struct cadre_farm *farm, uint64_t deadline_ns)
{
    const uint64_t second = UINT64_C(1000000000);
    struct cadre_engine *e = farm->engine;
    bool is_free;

    cadre_engine_lock(e);
    farm->is_closed = farm->is_ending = true;
    is_free = cadre_farm_drain_until(farm, deadline_ns);
    if (!is_free) {
        lose_all(farm);
        is_free = cadre_farm_drain_until(farm, cadre_now_ns() + second);
    }
    if (is_free)
        let_go(farm);
    cadre_engine_unlock(e);
    return is_free;
}

cadre_err cadre_farm_create(struct cadre_engine *engine,
                            const struct cadre_farm_options *options,
                            struct cadre_farm **farm, struct cadre_error *error)
{
    struct cadre_farm *f = new_farm(engine, options);
    struct lane *lane;
    cadre_err err;

    if (f == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    cadre_engine_lock(engine);
    f->object = ++engine->last_object;
    f->next = engine->farms;
    engine->farms = f;
    err = cadre_farm_lane(f, 0, &lane, error);
    if (err == CADRE_OK && !options->is_fresh)
        err = cadre_farm_staff(f, error);
    cadre_engine_unlock(engine);
    if (err != CADRE_OK) {
        cadre_farm_destroy(f);
        return err;
    }
    *farm = f;
    return CADRE_OK;
}

/* --- jobs ----------------------------------------------------------------- */

cadre_err cadre_farm_check_open(const struct cadre_farm *farm,
                                struct cadre_error *error)
{
    if (farm->is_closed)
        return cadre_error_set(error, CADRE_ECLOSED,
                               "it has been shut down and takes no more tasks");
    if (farm->broken != CADRE_OK) {
        *error = farm->cause;
        return farm->broken;
    }
    return CADRE_OK;
}

bool cadre_farm_is_open(const struct cadre_farm *farm)
{
    return !farm->is_closed && farm->broken == CADRE_OK;
}

bool cadre_farm_is_busy(const struct cadre_farm *farm)
{
    return farm->njobs > 0;
}

cadre_err cadre_farm_submit(struct cadre_farm *farm, struct cadre_job *job,
                            const struct cadre_submission *how,
                            struct cadre_error *error)
{
    struct cadre_event event = {
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = id_of(job),
                   .count = how->count,
                   .chunk = how->chunk,
                   .kind = job->function->id,
                   .bytes_per_task = how->bytes_per_task,
                   .bytes = how->bytes,
                   .holds = how->holds,
                   .retries = how->retries,
                   .retry_on = how->retry_on,
                   .retry_wait_ns = how->retry_wait_ns,
                   .seat = how->is_for_team ? (uint32_t)how->team + 1 : 0}};
    struct lane *lane;
    uint64_t task_ns;
    cadre_err err;

    if ((err = cadre_farm_check_open(farm, error)) != CADRE_OK ||
        (how->is_for_team &&
         (err = cadre_farm_check_place(farm,
                                       (struct cadre_farm_place){how->team, -1},
                                       error)) != CADRE_OK) ||
        (err = cadre_farm_lane(farm, how->ranks, &lane, error)) != CADRE_OK)
        return err;
    if (lane->ranks > 1 || farm->options.is_fresh || how->deadline_ns > 0 ||
        farm->options.deadline_ns > 0)
        event.submit.chunk = 1;
    if (farm->nlanes > 1 && !cadre_sched_is_ready(lane->sched, &task_ns))
        lane->since_ns = cadre_now_ns();
    farm->njobs++;
    if ((err = cadre_farm_step(lane, &event)) != CADRE_OK) {
        farm->njobs--;
        return cadre_error_set(error, err, "the job could not be queued: %s",
                               cadre_strerror(err));
    }
    cadre_farm_recruit(farm);
    cadre_farm_flush(farm);
    return CADRE_OK;
}

cadre_err cadre_farm_release(struct cadre_farm *farm, struct cadre_job *job,
                             uint64_t bytes_per_task)
{
    struct cadre_event event = {
        .type = CADRE_EV_RELEASE,
        .release = {.job = id_of(job), .bytes_per_task = bytes_per_task}};
    cadre_err err = CADRE_EINVAL;

    for (int i = 0; i < farm->nlanes && err == CADRE_EINVAL; i++)
        err = cadre_farm_step(farm->lanes[i], &event);
    cadre_farm_recruit(farm);
    cadre_farm_flush(farm);
    return err;
}

void cadre_farm_hold(struct cadre_farm *farm)
{
    farm->njobs++;
}

void cadre_farm_unhold(struct cadre_farm *farm)
{
    farm->njobs--;
}

bool cadre_farm_stop(struct cadre_farm *farm, struct cadre_job *job,
                     cadre_err err, const char *text)
{
    bool any = false;

    for (uint32_t i = 0; i < farm->nteams; i++) {
        struct team *t = farm->teams[i];

        if (t == NULL || cadre_farm_team_find(t, job) == NULL)
            continue;
        any = true;
        stop_sent(t, job, err, text);
    }
    return any;
}

bool cadre_farm_has_begun(const struct cadre_farm *farm,
                          const struct cadre_job *job)
{
    for (uint32_t i = 0; i < farm->nteams; i++) {
        if (farm->teams[i] != NULL &&
            cadre_farm_team_has_begun(farm->teams[i], job))
            return true;
    }
    return false;
}

void cadre_farm_cancel(struct cadre_farm *farm, struct cadre_job *job)
{
    struct cadre_event event = {.type = CADRE_EV_CANCEL, .job = id_of(job)};

    for (int i = 0; i < farm->nlanes; i++) {
        if (cadre_farm_step(farm->lanes[i], &event) == CADRE_OK)
            break;
    }
    cadre_farm_flush(farm);
}

/* "there is one, team 0", "there are teams 0 to 3"; of ranks likewise. */
static void say_range(char *text, size_t len, const char *what, int count)
{
    if (count == 1)
        snprintf(text, len, "there is one, %s 0", what);
    else
        snprintf(text, len, "there are %ss 0 to %d", what, count - 1);
}

cadre_err cadre_farm_check_place(const struct cadre_farm *farm,
                                 struct cadre_farm_place place,
                                 struct cadre_error *error)
{
    const struct cadre_farm_options *o = &farm->options;
    char range[64];

    if (o->is_fresh || o->max_ranks > 0)
        return cadre_error_set(error, CADRE_EINVAL,
                               "its teams come and go, and have no numbers: "
                               "broadcast the value, or use an executor");
    say_range(range, sizeof range, "team", farm->wanted);
    if (place.team < 0 || place.team >= farm->wanted)
        return cadre_error_set(error, CADRE_EINVAL, "there is no team %d: %s",
                               place.team, range);
    say_range(range, sizeof range, "rank", o->ranks);
    if (place.rank < -1 || place.rank >= o->ranks)
        return cadre_error_set(error, CADRE_EINVAL,
                               "there is no rank %d in a team: %s", place.rank,
                               range);
    return CADRE_OK;
}

uint64_t cadre_farm_waiting(const struct cadre_farm *farm)
{
    uint64_t n = 0;

    for (int i = 0; i < farm->nlanes; i++)
        n += cadre_sched_waiting(farm->lanes[i]->sched);
    return n;
}

uint64_t cadre_farm_pending(const struct cadre_farm *farm)
{
    uint64_t n = cadre_farm_waiting(farm);

    for (uint32_t i = 0; i < farm->nteams; i++) {
        uint64_t held, begun;

        if (farm->teams[i] == NULL)
            continue;
        /* Where nobody knows, the first task that is out counts as begun. */
        if (!cadre_farm_team_begun(farm->teams[i], &held, &begun))
            begun = held > 0;
        n += held - begun;
    }
    return n;
}

int cadre_farm_wanted(const struct cadre_farm *farm)
{
    return farm->wanted;
}

int cadre_farm_teams(const struct cadre_farm *farm)
{
    return farm->alive;
}

struct cadre_engine *cadre_farm_engine(const struct cadre_farm *farm)
{
    return farm->engine;
}

const struct cadre_farm_options *
cadre_farm_options_of(const struct cadre_farm *farm)
{
    return &farm->options;
}

bool cadre_farm_has_store(const struct cadre_farm *farm)
{
    return farm->options.has_store || farm->options.init != NULL;
}
