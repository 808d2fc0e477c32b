/* farm.c - the controller's side of a task's life.
 *
 *     submit -> sched: SUBMIT ---> SEND ---> FUNCTION?, BATCH -> worker
 *     worker -> RESULTS -> sched: RESULTS -> SEND ... , JOB_DONE -> job done
 *     worker gone -> sched: TEAM_LOST ---> DROP -> job failed, JOB_DONE
 */
#include "farm.h"

#include "log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A worker that works for this farm. */
struct team {
    struct cadre_farm *farm;
    struct cadre_crew *crew;
    int peer;
    cadre_team_id id; /* index + 1 */
    bool is_alive;
    bool is_starved; /* memory for its tasks is wanting */
};

struct cadre_farm {
    struct cadre_engine *engine;
    struct cadre_sched *sched;
    struct cadre_crew *own_crew; /* spawned for this farm; NULL: none */
    struct team *teams;
    int nteams;
    int nalive;
    bool has_starved;
    uint64_t njobs;      /* submitted and not done */
    char last_lost[160]; /* what became of the worker lost last */
};

static struct cadre_worker *worker_of(const struct team *team)
{
    return &team->crew->workers[team->peer];
}

static struct cadre_job *job_of(cadre_job_id id)
{
    return (struct cadre_job *)(uintptr_t)id;
}

static cadre_job_id id_of(const struct cadre_job *job)
{
    return (cadre_job_id)(uintptr_t)job;
}

/* --- doing what the scheduler decided ------------------------------------- */

/* Tell the worker what function number `f` is, before it is first used. */
static cadre_err introduce(struct team *t, const struct cadre_function *f,
                           struct cadre_buffer *buffer)
{
    struct cadre_msg_function msg = {.id = f->id,
                                     .library = f->library,
                                     .symbol = f->symbol,
                                     .written = f->written,
                                     .expanded = f->expanded};
    bool knew;
    cadre_err err = cadre_worker_learns(worker_of(t), f->id, &knew);

    if (err != CADRE_OK || knew)
        return err;
    return cadre_function_encode(&msg, t->crew->generation, buffer);
}

static cadre_err encode_batch(struct team *t, const struct cadre_action *a)
{
    struct cadre_buffer *buffer =
        cadre_channel_buffer(t->crew->channel, t->peer);
    struct cadre_job *job = job_of(a->job);
    struct cadre_msg_batch msg = {.job = a->job,
                                  .first = a->first,
                                  .count = a->count,
                                  .function = job->function->id};
    size_t mark;
    cadre_err err;

    if ((err = introduce(t, job->function, buffer)) != CADRE_OK ||
        (err = cadre_batch_begin(&msg, t->crew->generation, buffer, &mark)) !=
            CADRE_OK)
        return err;
    err = job->ops->pack(job, a->first, a->count, buffer);
    if (err == CADRE_OK)
        err = cadre_batch_end(buffer, mark);
    if (err != CADRE_OK)
        cadre_frame_abort(buffer, mark);
    return err;
}

static void fail(struct cadre_job *job, uint64_t first, uint64_t count,
                 cadre_err err, const char *text)
{
    struct cadre_fault fault = {.first = first,
                                .count = count,
                                .err = err,
                                .rank = -1,
                                .host = "",
                                .text = text};

    job->ops->failed(job, &fault);
}

/* Where memory for a batch is wanting, the worker is given up with all it
 * holds: its tasks fail and nothing waits for ever. */
static void do_send(struct cadre_farm *farm, const struct cadre_action *a)
{
    struct team *t = &farm->teams[a->team - 1];

    if (t->is_starved)
        return;
    if (encode_batch(t, a) != CADRE_OK) {
        cadre_log(CADRE_LOG_ERROR,
                  "out of memory: worker %d is given up with its tasks",
                  t->peer);
        t->is_starved = true;
        farm->has_starved = true;
    }
}

static void do_drop(struct cadre_farm *farm, const struct cadre_action *a)
{
    char text[256];

    if (a->err == CADRE_ELOST)
        snprintf(text, sizeof text, "%s while it had this task",
                 farm->last_lost);
    else
        snprintf(text, sizeof text, "cancelled before it ran");
    fail(job_of(a->job), a->first, a->count, a->err, text);
}

static void do_job_done(struct cadre_farm *farm, const struct cadre_action *a)
{
    struct cadre_job *job = job_of(a->job);

    farm->njobs--;
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
        case CADRE_ACT_TEAM_OUT:
            break;
        }
    }
}

/* Let the scheduler take `event` and do what it says. */
static cadre_err step(struct cadre_farm *farm, struct cadre_event *event)
{
    struct cadre_actions actions;
    cadre_err err;

    event->now_ns = cadre_now_ns();
    if ((err = cadre_sched_step(farm->sched, event, &actions)) != CADRE_OK)
        return err;
    do_actions(farm, &actions);
    return CADRE_OK;
}

/* Send what step() has encoded. The engine loses a peer that cannot be sent to.
 */
static void flush(struct cadre_farm *farm)
{
    struct cadre_error error = {""};

    for (int i = 0; i < farm->nteams; i++) {
        struct cadre_crew *crew = farm->teams[i].crew;

        if (i > 0 && crew == farm->teams[i - 1].crew)
            continue;
        if (cadre_channel_flush(crew->channel, &error) != CADRE_OK)
            cadre_log(CADRE_LOG_WARN, "%s", error.text);
    }
    while (farm->has_starved) {
        farm->has_starved = false;
        for (int i = 0; i < farm->nteams; i++) {
            if (farm->teams[i].is_starved && farm->teams[i].is_alive)
                cadre_engine_lose(farm->engine, farm->teams[i].crew,
                                  worker_of(&farm->teams[i]));
        }
    }
}

/* --- what workers say ------------------------------------------------------
 */

/* Where a task ran, for people. */
static void name_worker(const struct team *t, char *text, size_t len)
{
    const struct cadre_worker *w = worker_of(t);

    snprintf(text, len, "worker %d (process %d on %s)", (int)t->id - 1,
             (int)w->process.pid, w->process.host);
}

static void take_failures(struct team *t, struct cadre_job *job,
                          const struct cadre_msg_results *msg)
{
    struct cadre_failure failure;
    char where[128], text[CADRE_ERROR_TEXT_MAX];
    size_t at = 0;

    while (cadre_failure_next(msg, &at, &failure)) {
        struct cadre_fault fault = {.first = failure.row,
                                    .count = 1,
                                    .err = (cadre_err)failure.err,
                                    .kind = failure.kind,
                                    .rank = (int)failure.rank,
                                    .host = worker_of(t)->process.host,
                                    .text = text};

        if (failure.row < msg->first || failure.row - msg->first >= msg->count)
            continue;
        if (failure.err <= CADRE_OK || failure.err > CADRE_ECANCELLED)
            fault.err = CADRE_EPROTO;
        name_worker(t, where, sizeof where);
        snprintf(text, sizeof text, "%s [%s]", failure.text, where);
        job->ops->failed(job, &fault);
    }
}

/* Results of a worker: first the scheduler says whether they can be true, while
 * the job still exists; then the job takes them; only then is the step's
 * outcome (the job may be done) carried out. */
static void take_results(struct team *t, const struct cadre_msg_results *msg)
{
    struct cadre_farm *farm = t->farm;
    struct cadre_event event = {.type = CADRE_EV_RESULTS,
                                .now_ns = cadre_now_ns(),
                                .results = {.team = t->id,
                                            .job = msg->job,
                                            .first = msg->first,
                                            .count = msg->count,
                                            .elapsed_ns = msg->elapsed_ns}};
    struct cadre_error error = {""};
    struct cadre_actions actions;
    struct cadre_job *job;
    cadre_err err;

    err = cadre_sched_step(farm->sched, &event, &actions);
    if (err != CADRE_OK) {
        cadre_log(CADRE_LOG_WARN,
                  "worker %d: results of tasks it does not have", t->peer);
        cadre_engine_lose(farm->engine, t->crew, worker_of(t));
        return;
    }
    job = job_of(msg->job);
    err = job->ops->unpack(job, 0, msg->first, msg->count, msg->outputs,
                           msg->outputs_len, &error);
    if (err != CADRE_OK)
        fail(job, msg->first, msg->count, err, error.text);
    else if (msg->nfailures > 0)
        take_failures(t, job, msg);
    do_actions(farm, &actions);
}

static void on_results(struct cadre_worker *worker,
                       const struct cadre_frame *frame)
{
    struct team *t = worker->team;
    struct cadre_farm *farm = t->farm;
    struct cadre_error error = {""};
    struct cadre_msg_results msg;

    if (cadre_results_decode(frame, &msg, &error) != CADRE_OK) {
        cadre_log(CADRE_LOG_WARN, "worker %d: %s", t->peer, error.text);
        cadre_engine_lose(farm->engine, t->crew, worker);
    } else {
        take_results(t, &msg);
    }
    flush(farm);
}

/* The team's tasks are dropped by the scheduler. With the last worker goes the
 * hope for all that waits. */
static void on_lost(struct cadre_worker *worker)
{
    struct team *t = worker->team;
    struct cadre_farm *farm = t->farm;
    struct cadre_event event = {.type = CADRE_EV_TEAM_LOST, .team = t->id};
    char name[128];

    name_worker(t, name, sizeof name);
    snprintf(farm->last_lost, sizeof farm->last_lost, "%s was lost", name);
    cadre_log(CADRE_LOG_WARN, "%s", farm->last_lost);
    worker->team = NULL;
    t->is_alive = false;
    farm->nalive--;
    step(farm, &event);
    if (farm->nalive == 0) {
        event = (struct cadre_event){.type = CADRE_EV_CANCEL, .job = 0};
        step(farm, &event);
    }
    flush(farm);
}

const struct cadre_engine_events cadre_farm_events = {
    .on_results = on_results,
    .on_lost = on_lost,
};

/* --- workers come and go ---------------------------------------------------
 */

/* Take worker `peer` of `crew` into the farm. */
static cadre_err hire(struct cadre_farm *farm, struct cadre_crew *crew,
                      int peer)
{
    struct team *t = &farm->teams[farm->nteams];
    struct cadre_event event = {.type = CADRE_EV_TEAM_READY,
                                .team = (cadre_team_id)farm->nteams + 1};
    cadre_err err;

    *t = (struct team){.farm = farm,
                       .crew = crew,
                       .peer = peer,
                       .id = event.team,
                       .is_alive = true};
    farm->nteams++;
    farm->nalive++;
    if ((err = step(farm, &event)) != CADRE_OK) {
        farm->nteams--;
        farm->nalive--;
        return err;
    }
    crew->workers[peer].team = t;
    return CADRE_OK;
}

/* Resident workers that are free, up to what is still needed. */
static cadre_err hire_residents(struct cadre_farm *farm, int wanted)
{
    cadre_err err = CADRE_OK;

    for (struct cadre_crew *c = farm->engine->crews; c != NULL; c = c->next) {
        for (int i = 0; c->is_resident && i < c->nworkers; i++) {
            struct cadre_worker *w = &c->workers[i];

            if (farm->nteams < wanted && w->team == NULL && !w->is_lost &&
                err == CADRE_OK)
                err = hire(farm, c, i);
        }
    }
    return err;
}

/* Start the workers that are still missing. The engine is free meanwhile. */
static cadre_err hire_spawned(struct cadre_farm *farm,
                              const struct cadre_farm_options *options,
                              struct cadre_error *error)
{
    struct cadre_engine *e = farm->engine;
    double timeout_s = options->spawn_timeout_s;
    uint64_t deadline = cadre_now_ns() + (uint64_t)(timeout_s * 1e9);
    struct cadre_spawn spawn = {
        .program = options->program,
        .count = options->workers - farm->nteams,
        .cwd = options->cwd,
        .timeout_s = timeout_s,
        .use_thread = e->thread_level == MPI_THREAD_MULTIPLE,
        .keep_environment = e->keep_environment,
    };
    struct cadre_spawned spawned;
    cadre_err err;

    if (e->is_stuck)
        return cadre_error_set(error, CADRE_ESPAWN,
                               "an earlier start of workers never came back: "
                               "this program cannot start any more");
    cadre_engine_unlock(e);
    err = cadre_crew_spawn(&spawn, &spawned, error);
    cadre_engine_lock(e);
    e->is_stuck |= spawned.is_stuck;
    if (err != CADRE_OK)
        return err;
    err = cadre_engine_add_crew(e, spawned.comm, deadline, &farm->own_crew,
                                error);
    if (err != CADRE_OK)
        cadre_crew_end_strays(spawned.token);
    for (int i = 0; err == CADRE_OK && i < farm->own_crew->nworkers; i++)
        err = hire(farm, farm->own_crew, i);
    return err;
}

/* Let every worker go: residents are free for others, spawned ones end. */
static void dismiss(struct cadre_farm *farm)
{
    for (int i = 0; i < farm->nteams; i++) {
        struct cadre_worker *w = worker_of(&farm->teams[i]);

        if (w->team == &farm->teams[i])
            w->team = NULL;
    }
    if (farm->own_crew != NULL)
        cadre_engine_dismiss(farm->engine, farm->own_crew);
}

static bool is_drained(void *arg)
{
    const struct cadre_farm *farm = arg;

    return farm->njobs == 0;
}

void cadre_farm_destroy(struct cadre_farm *farm)
{
    struct cadre_engine *e;

    if (farm == NULL)
        return;
    e = farm->engine;
    cadre_engine_lock(e);
    cadre_engine_wait(e, is_drained, farm, UINT64_MAX);
    dismiss(farm);
    if (farm->sched != NULL)
        cadre_engine_remove_sched(e, farm->sched);
    cadre_engine_unlock(e);
    cadre_sched_destroy(farm->sched);
    free(farm->teams);
    free(farm);
}

cadre_err cadre_farm_create(struct cadre_engine *engine,
                            const struct cadre_farm_options *options,
                            struct cadre_farm **farm, struct cadre_error *error)
{
    struct cadre_farm *f = calloc(1, sizeof *f);
    cadre_err err;

    if (f == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    f->engine = engine;
    f->teams = calloc((size_t)options->workers, sizeof *f->teams);
    err = cadre_sched_create(&(struct cadre_sched_options){0}, &f->sched);
    cadre_engine_lock(engine);
    if (err == CADRE_OK && f->teams != NULL)
        err = cadre_engine_add_sched(engine, f->sched);
    else
        err = CADRE_ENOMEM;
    if (err == CADRE_OK && !options->only_spawned)
        err = hire_residents(f, options->workers);
    if (err != CADRE_OK)
        cadre_error_set(error, err, "out of memory");
    else if (f->nteams < options->workers)
        err = hire_spawned(f, options, error);
    cadre_engine_unlock(engine);
    if (err != CADRE_OK) {
        cadre_farm_destroy(f);
        return err;
    }
    *farm = f;
    return CADRE_OK;
}

/* --- jobs ------------------------------------------------------------------
 */

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
                   .bytes = how->bytes}};
    cadre_err err;

    if (farm->nalive == 0)
        return cadre_error_set(error, CADRE_ELOST,
                               "no worker is left (the last one: %s)",
                               farm->last_lost);
    farm->njobs++;
    if ((err = step(farm, &event)) != CADRE_OK) {
        farm->njobs--;
        return cadre_error_set(error, err, "the job could not be queued: %s",
                               cadre_strerror(err));
    }
    flush(farm);
    return CADRE_OK;
}

void cadre_farm_cancel(struct cadre_farm *farm, struct cadre_job *job)
{
    struct cadre_event event = {.type = CADRE_EV_CANCEL, .job = id_of(job)};

    step(farm, &event);
    flush(farm);
}

uint64_t cadre_farm_waiting(const struct cadre_farm *farm)
{
    return cadre_sched_waiting(farm->sched);
}

int cadre_farm_workers(const struct cadre_farm *farm)
{
    return farm->nalive;
}

struct cadre_engine *cadre_farm_engine(const struct cadre_farm *farm)
{
    return farm->engine;
}
