/* future.c - single tasks.
 *
 * A future is the job itself: what the farm queues, with the arguments packed
 * behind it. A task that waits costs this struct and its scheduler entry.
 *
 * The arguments lie in slots, one for each parameter in order: a scalar's
 * value, or a pointer into the bytes behind the slots.
 */
#include "internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct cadre_future {
    struct cadre_job job;        /* first: the farm knows only this */
    struct cadre_engine *engine; /* NULL: it never was submitted */
    void *outcome; /* outputs as they came, or the text of the error */
    size_t outcome_len;
    int32_t err;
    _Atomic bool is_done; /* set last, under the lock; from then on the future
                             needs neither, and outlives the engine */
    bool is_let_go;       /* nobody holds it: freed when it is done */
    _Alignas(16) unsigned char args[];
};

static_assert(sizeof(struct cadre_future) <= 56 + 8,
              "a queued task must stay small");

static const size_t ALIGN = 16;

static size_t padded(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t slot_size(const struct cadre_param *p)
{
    size_t size =
        p->kind == CADRE_PARAM_SCALAR ? cadre_param_size(p) : sizeof(void *);

    return cadre_param_is_sent(p) ? (size + 7) / 8 * 8 : 0;
}

static void destroy(struct cadre_future *f)
{
    free(f->outcome);
    free(f);
}

/* --- the arguments -----------------------------------------------------------
 */

/* Bytes of one argument behind the slots. */
static cadre_err extra_bytes(const struct cadre_proto *proto, int i,
                             const struct cadre_value *const *by_param,
                             size_t *bytes, struct cadre_error *error)
{
    const struct cadre_param *p = &proto->params[i];
    uint64_t length = 0;
    cadre_err err = CADRE_OK;

    *bytes = 0;
    if (by_param[i] == NULL)
        return CADRE_OK;
    if (p->kind == CADRE_PARAM_STRING && by_param[i]->string != NULL)
        *bytes = strlen(by_param[i]->string) + 1;
    if (p->kind == CADRE_PARAM_ARRAY) {
        err = cadre_values_length(proto, i, by_param, &length, error);
        *bytes = length * cadre_param_size(p);
    }
    return err;
}

/* Room for the future with its arguments: `*slots` bytes of slots first. */
static cadre_err measure(const struct cadre_proto *proto,
                         const struct cadre_value *const *by_param,
                         size_t *slots, size_t *total,
                         struct cadre_error *error)
{
    size_t extra = 0, bytes;
    cadre_err err = CADRE_OK;

    *slots = 0;
    for (int i = 0; i < proto->nparams && err == CADRE_OK; i++) {
        *slots += slot_size(&proto->params[i]);
        err = extra_bytes(proto, i, by_param, &bytes, error);
        extra += bytes > 0 ? padded(bytes) : 0;
    }
    *total = extra > 0 ? padded(*slots) + extra : *slots;
    return err;
}

static cadre_err put_args(struct cadre_future *f,
                          const struct cadre_value *const *by_param,
                          size_t slots, struct cadre_error *error)
{
    const struct cadre_proto *proto = f->job.function->proto;
    unsigned char *slot = f->args, *extra = f->args + padded(slots);
    cadre_err err = CADRE_OK;

    for (int i = 0; i < proto->nparams && err == CADRE_OK; i++) {
        const struct cadre_param *p = &proto->params[i];
        size_t bytes;

        if (slot_size(p) == 0)
            continue;
        if (p->kind == CADRE_PARAM_SCALAR) {
            err = cadre_value_convert(by_param[i], p, slot, error);
        } else {
            void *copy = NULL;

            extra_bytes(proto, i, by_param, &bytes, NULL);
            if (bytes > 0) {
                copy = memcpy(extra, by_param[i]->pointer, bytes);
                extra += padded(bytes);
            }
            memcpy(slot, &copy, sizeof copy);
        }
        slot += slot_size(p);
    }
    return err;
}

/* The future's arguments as a table of one row, measured. */
static cadre_err table_of(const struct cadre_future *f,
                          struct cadre_table **table, struct cadre_error *error)
{
    const struct cadre_proto *proto = f->job.function->proto;
    struct cadre_table *t = cadre_table_new(proto);
    const unsigned char *slot = f->args;
    cadre_err err;

    if (t == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    t->count = 1;
    for (int i = 0; i < proto->nparams; i++) {
        const struct cadre_param *p = &proto->params[i];

        if (slot_size(p) == 0)
            continue;
        t->args[i] = (struct cadre_view){.form = p->kind == CADRE_PARAM_SCALAR
                                                     ? CADRE_FORM_DENSE
                                                     : CADRE_FORM_POINTERS,
                                         .data = slot};
        slot += slot_size(p);
    }
    if ((err = cadre_table_measure(t, error)) != CADRE_OK) {
        cadre_table_free(t);
        return err;
    }
    *table = t;
    return CADRE_OK;
}

/* --- a future as the farm sees it
 * --------------------------------------------- */

static struct cadre_future *future_of(struct cadre_job *job)
{
    return (struct cadre_future *)job;
}

static cadre_err pack(struct cadre_job *job, uint64_t first, uint64_t count,
                      struct cadre_buffer *buffer)
{
    struct cadre_table *t;
    cadre_err err;

    (void)first;
    (void)count;
    if ((err = table_of(future_of(job), &t, NULL)) != CADRE_OK)
        return err;
    err = cadre_args_pack(t, 0, 1, buffer);
    cadre_table_free(t);
    return err;
}

/* The outputs are kept as they came until somebody wants them. */
static cadre_err unpack(struct cadre_job *job, int rank, uint64_t first,
                        uint64_t count, const void *outputs, size_t len,
                        struct cadre_error *error)
{
    struct cadre_future *f = future_of(job);

    (void)rank;
    (void)first;
    (void)count;
    if (f->is_let_go || len == 0)
        return CADRE_OK;
    if ((f->outcome = malloc(len)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "out of memory for the result");
    memcpy(f->outcome, outputs, len);
    f->outcome_len = len;
    return CADRE_OK;
}

static void on_failed(struct cadre_job *job, const struct cadre_fault *fault)
{
    struct cadre_future *f = future_of(job);

    free(f->outcome);
    f->outcome = strdup(fault->text);
    f->outcome_len = 0;
    f->err = (int32_t)fault->err;
}

static void on_done(struct cadre_job *job)
{
    struct cadre_future *f = future_of(job);

    if (f->is_let_go)
        destroy(f);
    else
        f->is_done = true;
}

static const struct cadre_job_ops future_ops = {
    .pack = pack, .unpack = unpack, .failed = on_failed, .done = on_done};

/* --- submit
 * -------------------------------------------------------------------- */

/* What cadre_submit() returns where not even a future could be had. */
static struct cadre_future no_memory = {.err = CADRE_ENOMEM, .is_done = true};

/* A future that has failed already. */
static struct cadre_future *failed_future(cadre_err err,
                                          const struct cadre_error *error)
{
    struct cadre_future *f = calloc(1, sizeof *f);

    if (f == NULL)
        return &no_memory;
    f->err = (int32_t)err;
    f->is_done = true;
    f->outcome = strdup(error->text);
    return f;
}

static cadre_err create(struct cadre_invocation call,
                        struct cadre_future **future, struct cadre_error *error)
{
    const struct cadre_value *by_param[CADRE_PARAMS_MAX];
    struct cadre_future *f;
    size_t slots, total;
    cadre_err err;

    if ((err = cadre_function_check(call.function, false, error)) != CADRE_OK ||
        (err = cadre_values_bind(call.function, call.values, false, by_param,
                                 error)) != CADRE_OK ||
        (err = measure(call.function->proto, by_param, &slots, &total,
                       error)) != CADRE_OK)
        return err;
    if ((f = malloc(sizeof *f + total)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    *f = (struct cadre_future){
        .job = {.ops = &future_ops, .function = call.function}};
    if ((err = put_args(f, by_param, slots, error)) != CADRE_OK) {
        destroy(f);
        return err;
    }
    *future = f;
    return CADRE_OK;
}

struct cadre_future *cadre_object_submit(struct cadre_object *object,
                                         struct cadre_invocation call)
{
    struct cadre_error error = {""};
    struct cadre_future *f = NULL;
    struct cadre_table *t;
    uint64_t bytes;
    cadre_err err;

    if (object == NULL)
        return failed_future(
            cadre_error_set(&error, CADRE_EINVAL, "submit: the object is NULL"),
            &error);
    if ((err = create(call, &f, &error)) != CADRE_OK)
        return failed_future(err, &error);
    if ((err = table_of(f, &t, &error)) == CADRE_OK) {
        bytes = t->row_bytes != NULL ? t->row_bytes[1] : t->bytes_per_row;
        cadre_table_free(t);
        f->engine = cadre_farm_engine(object->farm);
        cadre_engine_lock(f->engine);
        err = cadre_farm_submit(
            object->farm, &f->job,
            &(struct cadre_submission){.count = 1, .bytes_per_task = bytes},
            &error);
        cadre_engine_unlock(f->engine);
    }
    if (err == CADRE_OK)
        return f;
    destroy(f);
    return failed_future(err, &error);
}

/* --- the outcome
 * ---------------------------------------------------------------- */

static bool is_done(void *arg)
{
    return ((const struct cadre_future *)arg)->is_done;
}

static bool wait(struct cadre_future *f, uint64_t deadline_ns)
{
    bool done;

    if (f->is_done)
        return true;
    cadre_engine_lock(f->engine);
    done = cadre_engine_wait(f->engine, is_done, f, deadline_ns);
    cadre_engine_unlock(f->engine);
    return done;
}

cadre_err cadre_future_wait(struct cadre_future *future, double timeout_ms)
{
    uint64_t deadline = UINT64_MAX;

    if (timeout_ms >= 0 && timeout_ms < 1e12) /* else: for ever */
        deadline = cadre_now_ns() + (uint64_t)(timeout_ms * 1e6);
    if (timeout_ms == 0 && !future->is_done) {
        cadre_engine_lock(future->engine);
        cadre_engine_poll(future->engine);
        cadre_engine_unlock(future->engine);
    }
    if (wait(future, deadline) || cadre_future_done(future))
        return CADRE_OK;
    return cadre_error_publish(
        &(struct cadre_error){"the task has not ended in time"},
        CADRE_ETIMEOUT);
}

bool cadre_future_done(struct cadre_future *future)
{
    return future->is_done;
}

static cadre_err take_outputs(struct cadre_future *f,
                              const struct cadre_outputs *into,
                              struct cadre_error *error)
{
    struct cadre_table *t;
    cadre_err err;

    if ((err = table_of(f, &t, error)) != CADRE_OK)
        return err;
    if ((err = cadre_outputs_view(t, into, error)) == CADRE_OK &&
        (err = cadre_outputs_check_sizes(t, into, error)) == CADRE_OK)
        err = cadre_outputs_unpack(t, 0, 1, f->outcome, f->outcome_len, error);
    cadre_table_free(t);
    return err;
}

cadre_err cadre_future_result(struct cadre_future *future,
                              struct cadre_outputs into)
{
    struct cadre_error error = {""};
    cadre_err err;

    wait(future, UINT64_MAX);
    err = (cadre_err)future->err;
    if (err != CADRE_OK)
        cadre_error_set(&error, err, "%s",
                        future->outcome != NULL ? (char *)future->outcome
                                                : cadre_strerror(err));
    else if (into.count > 0)
        err = take_outputs(future, &into, &error);
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

void cadre_future_free(struct cadre_future *future)
{
    bool done;

    if (future == NULL || future == &no_memory)
        return;
    if (future->is_done) {
        destroy(future);
        return;
    }
    cadre_engine_lock(future->engine);
    done = future->is_done;
    future->is_let_go = true;
    cadre_engine_unlock(future->engine);
    if (done)
        destroy(future);
}
