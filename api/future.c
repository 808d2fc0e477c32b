/* future.c - what becomes of a task: its outcome, and who is told.
 *
 * When it has ended, under the lock: those who watch it see it at once; tasks
 * that need it, and callbacks, come later, when the engine is not in the middle
 * of something (finish()), so that a chain of any length needs no recursion.
 */
#include "future.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What cadre_submit() returns where not even a future could be had. */
static struct cadre_future no_memory = {
    .err = CADRE_ENOMEM, .refs = 1, .state = CADRE_FUTURE_FAILED};

bool cadre_future_has_ended(const struct cadre_future *future)
{
    return future->state >= CADRE_FUTURE_DONE;
}

/* --- life
 * ---------------------------------------------------------------------
 */

static void free_outcome(struct cadre_outcome *outcome)
{
    if (outcome != NULL)
        cadre_bulks_fini(&outcome->bulks);
    free(outcome);
}

/* Forget what is known of how it went. */
static void drop_outcome(struct cadre_future *f)
{
    if (f->err == CADRE_OK)
        free_outcome(f->outcome);
    else
        cadre_mishap_free(f->mishap);
    f->outcome = NULL;
    f->err = CADRE_OK;
    for (int i = 1; f->more != NULL && i < f->more->ranks; i++) {
        free_outcome(f->more->rest[i - 1]);
        f->more->rest[i - 1] = NULL;
    }
}

static void destroy(struct cadre_future *f)
{
    drop_outcome(f);
    if (!cadre_future_has_ended(f)) /* it was not even queued */
        cadre_args_drop(f);
    if (f->more != NULL) {
        cadre_needs_drop(f);
        cadre_mishap_free(f->more->reason);
        free(f->more->needs);
        free(f->more->rest);
    }
    free(f->more);
    free(f);
}

struct cadre_future *cadre_future_ref(struct cadre_future *future)
{
    future->refs++;
    return future;
}

void cadre_future_unref(struct cadre_future *future)
{
    if (future != &no_memory && --future->refs == 0)
        destroy(future);
}

void cadre_future_free(struct cadre_future *future)
{
    if (future != NULL)
        cadre_future_unref(future);
}

cadre_err cadre_future_need_more(struct cadre_future *future)
{
    struct cadre_future_more *more;

    if (future->more != NULL)
        return CADRE_OK;
    if ((more = calloc(1, sizeof *more)) == NULL)
        return CADRE_ENOMEM;
    more->future = future;
    more->last_dependent = &more->dependents;
    more->last_callback = &more->callbacks;
    more->ranks = 1;
    future->more = more;
    return CADRE_OK;
}

struct cadre_future *cadre_future_failed(cadre_err err,
                                         const struct cadre_error *error)
{
    struct cadre_future *f = calloc(1, sizeof *f);

    if (f == NULL)
        return &no_memory;
    f->refs = 1;
    f->err = (int16_t)err;
    f->mishap = cadre_mishap_create(0, -1, "", error->text);
    f->state = CADRE_FUTURE_FAILED;
    return f;
}

void cadre_future_unseen(struct cadre_object *object,
                         const struct cadre_future *future)
{
    if (future != &no_memory)
        cadre_unseen_add(&object->unseen, future->mishap,
                         (cadre_err)future->err);
}

const char *cadre_future_text(const struct cadre_future *future)
{
    if (future->err == CADRE_OK)
        return "";
    return future->mishap != NULL ? future->mishap->text
                                  : cadre_strerror((cadre_err)future->err);
}

/* --- a future as the farm sees it
 * ---------------------------------------------
 */

static struct cadre_future *future_of(struct cadre_job *job)
{
    return (struct cadre_future *)job;
}

/* Nobody will run the task again. */
static void drop_arguments(struct cadre_future *f)
{
    cadre_args_drop(f);
    if (f->more != NULL)
        cadre_needs_drop(f);
}

/* The last of the large arguments has left. */
static void on_released(struct cadre_keeper *keeper)
{
    struct cadre_future_more *more =
        (void *)((char *)keeper - offsetof(struct cadre_future_more, keeper));

    if (cadre_future_has_ended(more->future))
        drop_arguments(more->future);
    cadre_future_unref(more->future);
}

static bool has_large(const struct cadre_table *t)
{
    return (t->row_bytes != NULL ? t->row_bytes[1] : t->bytes_per_row) >=
           CADRE_BULK_MIN;
}

/* Large arguments are not copied: they stay until they have left. */
static cadre_err pack(struct cadre_job *job, uint64_t first, uint64_t count,
                      struct cadre_buffer *buffer)
{
    struct cadre_future *f = future_of(job);
    struct cadre_table *t;
    cadre_err err;

    (void)first;
    (void)count;
    if ((err = cadre_future_table_at_hand(f, &t, NULL)) != CADRE_OK)
        return err;
    if (has_large(t) && cadre_future_need_more(f) == CADRE_OK) {
        t->keeper = &f->more->keeper;
        t->keeper->released = on_released;
        if (t->keeper->count == 0)
            cadre_future_ref(f);
        cadre_keeper_hold(t->keeper);
    }
    err = cadre_args_pack(t, 0, 1, buffer);
    cadre_keeper_release(t->keeper);
    cadre_table_free(t);
    return err;
}

/* The outputs are kept as they came until somebody wants them. */
static cadre_err unpack(struct cadre_job *job, int rank, uint64_t first,
                        uint64_t count, const void *outputs, size_t len,
                        struct cadre_bulks *bulks, struct cadre_error *error)
{
    struct cadre_future *f = future_of(job);
    struct cadre_outcome *outcome, **at;
    cadre_err err;

    (void)first;
    (void)count;
    if (f->refs == 1 || len == 0) /* nobody but the farm has it */
        return CADRE_OK;
    assert(rank == 0 || (f->more != NULL && rank < f->more->ranks));
    if ((outcome = malloc(sizeof *outcome + len)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "out of memory for the result");
    outcome->len = len;
    memcpy(outcome->outputs, outputs, len);
    err = cadre_outputs_take_bulks(job->function->proto, outputs, len, bulks,
                                   &outcome->bulks, error);
    if (err != CADRE_OK) {
        free(outcome);
        return err;
    }
    at = rank == 0 ? &f->outcome : &f->more->rest[rank - 1];
    free_outcome(*at);
    *at = outcome;
    return CADRE_OK;
}

/* Where the task could not run for a reason of its own, the farm knows only
 * that it was dropped. */
static void on_failed(struct cadre_job *job, const struct cadre_fault *fault)
{
    struct cadre_future *f = future_of(job);

    drop_outcome(f);
    if (f->more != NULL && f->more->broken != CADRE_OK) {
        f->mishap = f->more->reason;
        f->more->reason = NULL;
        f->err = (int16_t)f->more->broken;
        return;
    }
    f->mishap =
        cadre_mishap_create(fault->kind, fault->rank, fault->host, fault->text);
    f->err = (int16_t)fault->err;
}

static void on_started(struct cadre_job *job, uint64_t first, uint64_t count)
{
    (void)first;
    (void)count;
    future_of(job)->state = CADRE_FUTURE_RUNNING;
}

/* Where memory is short nobody hears of it. */
static void on_news(struct cadre_job *job, uint64_t index, double progress,
                    const char *text)
{
    struct cadre_future *f = future_of(job);

    (void)index;
    if (cadre_future_need_more(f) != CADRE_OK)
        return;
    f->more->progress = progress;
    snprintf(f->more->news, sizeof f->more->news, "%s", text);
}

static uint64_t deadline_of(struct cadre_job *job)
{
    const struct cadre_future *f = future_of(job);

    return f->more != NULL ? f->more->deadline_ns : 0;
}

static void on_again(struct cadre_job *job, uint64_t first, uint64_t count)
{
    (void)first;
    (void)count;
    drop_outcome(future_of(job));
    future_of(job)->state = CADRE_FUTURE_PENDING;
}

static void finish(struct cadre_later *later);

static void on_done(struct cadre_job *job)
{
    struct cadre_future *f = future_of(job);
    enum cadre_future_state state = CADRE_FUTURE_DONE;
    struct cadre_object *object =
        f->farm != NULL ? cadre_farm_options_of(f->farm)->owner : NULL;

    if (f->err != CADRE_OK)
        state = f->err == CADRE_ECANCELLED ? CADRE_FUTURE_CANCELLED
                                           : CADRE_FUTURE_FAILED;
    if (object != NULL)
        object->bytes -= cadre_future_weight(f);
    if (f->more == NULL || f->more->keeper.count == 0)
        drop_arguments(f);
    if (state == CADRE_FUTURE_FAILED && object != NULL)
        cadre_future_unseen(object, f);
    f->state = (uint8_t)state;
    if (f->more != NULL)
        cadre_watchers_tell(f);
    if (f->more != NULL &&
        (f->more->dependents != NULL || f->more->has_callbacks)) {
        if (f->more->has_callbacks)
            cadre_farm_hold(f->farm);
        cadre_future_ref(f);
        f->more->later.run = finish;
        cadre_engine_later(cadre_engine_now(), &f->more->later);
    }
    cadre_future_unref(f);
}

const struct cadre_job_ops cadre_future_ops = {.pack = pack,
                                               .unpack = unpack,
                                               .failed = on_failed,
                                               .news = on_news,
                                               .started = on_started,
                                               .again = on_again,
                                               .deadline = deadline_of,
                                               .done = on_done};

/* --- callbacks
 * ----------------------------------------------------------------
 */

/* Callbacks that this thread is running, the innermost first. */
struct running {
    struct running *outer;
    struct cadre_farm *farm; /* is held for them; NULL: not any more */
};

static _Thread_local struct running *innermost;

bool cadre_is_in_callback(void)
{
    return innermost != NULL;
}

void cadre_futures_leave(struct cadre_farm *farm)
{
    for (struct running *r = innermost; r != NULL; r = r->outer) {
        if (r->farm != farm)
            continue;
        cadre_engine_lock(cadre_farm_engine(farm));
        cadre_farm_unhold(farm);
        cadre_engine_unlock(cadre_farm_engine(farm));
        r->farm = NULL;
    }
}

/* The lock is let go for each. More may be added meanwhile. */
static void run_callbacks(struct cadre_future *f)
{
    struct running running = {.outer = innermost, .farm = f->farm};
    struct cadre_engine *e = cadre_engine_now();
    struct cadre_callback *c;

    innermost = &running;
    while ((c = f->more->callbacks) != NULL) {
        if ((f->more->callbacks = c->next) == NULL)
            f->more->last_callback = &f->more->callbacks;
        cadre_engine_unlock(e);
        c->fn(f, c->user);
        free(c);
        cadre_engine_lock(e);
    }
    innermost = running.outer;
    f->more->has_callbacks = false;
    if (running.farm != NULL)
        cadre_farm_unhold(running.farm);
    cadre_future_unref(f); /* theirs */
    cadre_engine_wake(e);
}

/* The task has ended: let those go on that need it, then run the callbacks. */
static void finish(struct cadre_later *later)
{
    struct cadre_future *f =
        ((struct cadre_future_more *)later)->future; /* its first member */
    struct cadre_need *need;

    while ((need = f->more->dependents) != NULL) {
        f->more->dependents = need->next;
        cadre_need_ended(need);
    }
    if (f->more->has_callbacks)
        run_callbacks(f);
    /* The callbacks had a reference of their own. */
    cadre_future_unref(f); /* NOLINT(clang-analyzer-unix.Malloc) */
}

/* Add `c` unless all callbacks have run. Under the lock. */
static cadre_err add_callback(struct cadre_future *f, struct cadre_callback *c)
{
    cadre_err err = cadre_future_need_more(f);

    if (err != CADRE_OK)
        return err;
    if (!f->more->has_callbacks)
        cadre_future_ref(f);
    f->more->has_callbacks = true;
    *f->more->last_callback = c;
    f->more->last_callback = &c->next;
    return CADRE_OK;
}

/* Have all callbacks run, so that one more is run at once? */
static bool is_over(const struct cadre_future *f)
{
    return cadre_future_has_ended(f) &&
           (f->more == NULL || !f->more->has_callbacks);
}

cadre_err cadre_future_add_done_callback(struct cadre_future *future,
                                         cadre_done_fn fn, void *user)
{
    struct cadre_error error = {"out of memory"};
    struct cadre_callback *c = NULL;
    cadre_err err = CADRE_OK;
    bool is_late = true;

    if (fn == NULL)
        return cadre_error_publish(
            &(struct cadre_error){"the callback is a null pointer"},
            CADRE_EINVAL);
    if (!is_over(future)) {
        if ((c = malloc(sizeof *c)) == NULL)
            return cadre_error_publish(&error, CADRE_ENOMEM);
        *c = (struct cadre_callback){.fn = fn, .user = user};
        cadre_engine_lock(cadre_engine_now());
        if (!(is_late = is_over(future)))
            err = add_callback(future, c);
        cadre_engine_unlock(cadre_engine_now());
    }
    if (is_late || err != CADRE_OK)
        free(c);
    if (err != CADRE_OK)
        return cadre_error_publish(&error, err);
    if (is_late)
        fn(future, user);
    return CADRE_OK;
}

/* --- waiting
 * --------------------------------------------------------------------
 */

bool cadre_await(struct cadre_engine *engine, bool (*done)(void *arg),
                 void *arg, double timeout_ms)
{
    uint64_t deadline = UINT64_MAX;
    bool is_done;

    if (timeout_ms >= 0 && timeout_ms < 1e12) /* else: for ever */
        deadline = cadre_now_ns() + (uint64_t)(timeout_ms * 1e6);
    cadre_engine_lock(engine);
    if (timeout_ms == 0)
        cadre_engine_poll(engine);
    is_done = cadre_engine_wait(engine, done, arg, deadline);
    cadre_engine_unlock(engine);
    return is_done;
}

static bool is_done(void *arg)
{
    return cadre_future_has_ended(arg);
}

static cadre_err await(struct cadre_future *f, double timeout_ms)
{
    if (cadre_future_has_ended(f) ||
        cadre_await(cadre_engine_now(), is_done, f, timeout_ms))
        return CADRE_OK;
    return cadre_error_publish(
        &(struct cadre_error){"the task has not ended in time"},
        CADRE_ETIMEOUT);
}

cadre_err cadre_future_wait(struct cadre_future *future, double timeout_ms)
{
    return await(future, timeout_ms);
}

bool cadre_future_done(struct cadre_future *future)
{
    return cadre_future_has_ended(future);
}

enum cadre_future_state cadre_future_state(struct cadre_future *future)
{
    enum cadre_future_state state = (enum cadre_future_state)future->state;

    if (state != CADRE_FUTURE_RUNNING)
        return state;
    cadre_engine_lock(cadre_engine_now()); /* sent, but begun? */
    state = (enum cadre_future_state)future->state;
    if (state == CADRE_FUTURE_RUNNING &&
        !cadre_farm_has_begun(future->farm, &future->job))
        state = CADRE_FUTURE_PENDING;
    cadre_engine_unlock(cadre_engine_now());
    return state;
}

double cadre_future_progress(struct cadre_future *future, char *text,
                             size_t len)
{
    bool is_open = !cadre_future_has_ended(future);
    double progress = 0;

    if (is_open) {
        cadre_engine_lock(cadre_engine_now());
        cadre_engine_poll(cadre_engine_now());
    }
    if (len > 0)
        snprintf(text, len, "%s",
                 future->more != NULL ? future->more->news : "");
    if (future->more != NULL)
        progress = future->more->progress;
    if (is_open) {
        cadre_engine_run_later(cadre_engine_now());
        cadre_engine_unlock(cadre_engine_now());
    }
    return progress;
}

/* A worker has it: tell it to end. Under the lock. */
static bool cancel_sent(struct cadre_future *f)
{
    return f->more != NULL && f->more->may_be_cancelled &&
           cadre_farm_stop(f->farm, &f->job, CADRE_ECANCELLED,
                           "cancelled while it ran");
}

/* It waits, now or for its next attempt. Under the lock. */
static bool cancel_waiting(struct cadre_future *f)
{
    bool is_cancelled;

    cadre_farm_cancel(f->farm, &f->job);
    cadre_engine_run_later(cadre_engine_now());
    is_cancelled = f->state == CADRE_FUTURE_CANCELLED;
    return is_cancelled;
}

bool cadre_future_cancel(struct cadre_future *future)
{
    bool is_cancelled = false;

    if (cadre_future_has_ended(future))
        return false;
    cadre_engine_lock(cadre_engine_now());
    cadre_future_ref(future);
    if (future->state == CADRE_FUTURE_PENDING)
        is_cancelled = cancel_waiting(future);
    else if (!cadre_future_has_ended(future))
        is_cancelled = cancel_sent(future);
    if (is_cancelled)
        cadre_engine_wake(cadre_engine_now());
    cadre_engine_unlock(cadre_engine_now());
    cadre_future_unref(future);
    return is_cancelled;
}

/* --- the outcome
 * ----------------------------------------------------------------
 */

void cadre_room_rest(const struct cadre_room *room, struct cadre_output *list)
{
    for (size_t i = 0; i < room->into.count; i++) {
        struct cadre_output o = room->into.list[i];
        size_t size = o.is_pointers               ? sizeof(void *)
                      : o.type == CADRE_AGGREGATE ? o.size
                                                  : cadre_type_size(o.type);
        size_t used = room->used[i] * size;

        if (o.data != NULL)
            o.data = (unsigned char *)o.data + used;
        if (o.bytes != SIZE_MAX)
            o.bytes = o.bytes > used ? o.bytes - used : 0;
        list[i] = o;
    }
}

/* The lengths that the workers alone knew, from the outputs themselves. */
static cadre_err learn(struct cadre_table *t,
                       const struct cadre_outcome *outcome,
                       struct cadre_error *error)
{
    return t->has_store && outcome != NULL
               ? cadre_table_learn_with(t, outcome->outputs, outcome->len,
                                        &outcome->bulks, error)
               : CADRE_OK;
}

static cadre_err take_rank(const struct cadre_outcome *outcome,
                           struct cadre_table *t, struct cadre_room *room,
                           struct cadre_error *error)
{
    struct cadre_output list[CADRE_PARAMS_MAX + 1];
    struct cadre_outputs into = {.count = room->into.count, .list = list};
    cadre_err err;

    cadre_room_rest(room, list);
    if ((err = learn(t, outcome, error)) != CADRE_OK ||
        (err = cadre_outputs_view(t, &into, error)) != CADRE_OK ||
        (err = cadre_outputs_check_sizes(t, &into, error)) != CADRE_OK ||
        (err = cadre_outputs_unpack_with(
             t, 0, 1, outcome != NULL ? outcome->outputs : NULL,
             outcome != NULL ? outcome->len : 0,
             outcome != NULL ? &outcome->bulks : NULL, error)) != CADRE_OK)
        return err;
    for (size_t i = 0; i < into.count; i++)
        room->used[i] +=
            list[i].is_pointers ? 1 : cadre_output_start(t, (int)i, 1);
    return CADRE_OK;
}

cadre_err cadre_future_take(const struct cadre_future *future,
                            struct cadre_room *room, struct cadre_error *error)
{
    int ranks = future->more != NULL ? future->more->ranks : 1;
    struct cadre_table *t;
    cadre_err err;

    if (room->into.count == 0)
        return CADRE_OK;
    if (cadre_future_is_read(future))
        return cadre_stored_take(future, room, error);
    if ((err = cadre_future_table(future, &t, error)) != CADRE_OK)
        return err;
    if (room->into.count > (size_t)cadre_proto_noutputs(t->proto))
        err = cadre_outputs_view(t, &room->into, error);
    if (err == CADRE_OK)
        err = take_rank(future->outcome, t, room, error);
    cadre_table_free(t);
    for (int i = 1; i < ranks && err == CADRE_OK; i++) {
        if ((err = cadre_future_table(future, &t, error)) != CADRE_OK)
            return err;
        err = take_rank(future->more->rest[i - 1], t, room, error);
        cadre_table_free(t);
    }
    return err;
}

cadre_err cadre_future_result_within(struct cadre_future *future,
                                     double timeout_ms,
                                     struct cadre_outputs into)
{
    struct cadre_room room = {.into = into, .is_whole = true};
    struct cadre_error error;
    cadre_err err;

    cadre_error_clear(&error);
    if ((err = await(future, timeout_ms)) != CADRE_OK)
        return err;
    err = (cadre_err)future->err;
    if (err != CADRE_OK) {
        cadre_mishap_saw(future->mishap);
        cadre_error_set(&error, err, "%s", cadre_future_text(future));
    } else {
        err = cadre_future_take(future, &room, &error);
    }
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

cadre_err cadre_future_result(struct cadre_future *future,
                              struct cadre_outputs into)
{
    return cadre_future_result_within(future, -1, into);
}

cadre_err cadre_future_error(struct cadre_future *future,
                             struct cadre_failure_info *info)
{
    struct cadre_mishap *m;

    await(future, -1);
    m = future->err != CADRE_OK ? future->mishap : NULL;
    cadre_mishap_saw(m);
    if (info != NULL)
        *info = (struct cadre_failure_info){.err = (cadre_err)future->err,
                                            .kind = m != NULL ? m->kind : 0,
                                            .rank = m != NULL ? m->rank : -1,
                                            .host = m != NULL ? m->host : "",
                                            .text = cadre_future_text(future)};
    return (cadre_err)future->err;
}
