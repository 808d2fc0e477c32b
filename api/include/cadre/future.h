/* cadre/future.h - the outcome of a single task.
 *
 *     struct cadre_future *f1 = cadre_submit(pool, CADRE_FN(add), 1, 2);
 *     struct cadre_future *f2 = cadre_submit(pool, CADRE_FN(add), 1, f1);
 *     int sum;
 *
 *     CADRE_CHECK(cadre_future_result(f2, CADRE_INTO(&sum)));
 *     cadre_future_free(f1);
 *     cadre_future_free(f2);
 *
 * A task is pending, then running, then done, failed or cancelled. A future
 * outlives the pool it was submitted to, and cadre_finalize(). All functions
 * may be called from any thread, and from callbacks.
 *
 * Who holds what: arguments are the object's, in copies, until the task has
 * ended, and max_pending_bytes bounds them (those of less than 256 bytes stay
 * in the future); outputs are the future's, until it is freed, whether they are
 * taken or not, and a program that keeps many futures keeps their outputs.
 */
#ifndef CADRE_FUTURE_H
#define CADRE_FUTURE_H

#include <cadre/function.h>
#include <cadre/object.h>
#include <cadre/value.h>

struct cadre_future; /* the handle to a task's outcome */

/* --- submitting ----------------------------------------------------------- */

/* Run one task: cadre_submit(pool, CADRE_FN(add), 2, 5). Arguments are given by
 * position or as CADRE_ARG("name", value); C's conversions between arithmetic
 * types are done unless the value would change. Arrays and strings are copied.
 * The future is given: cadre_future_free(). It is never NULL: what was wrong
 * with the call is its result. Waits only where the object has too much to do:
 * max_pending, max_pending_bytes.
 *
 * An argument may be a future, of any object: the task starts when that is
 * done, with its return value where the parameter is a number or a string, and
 * with the first array that the function fills where it is an array (of which
 * only as much is used as the lengths say). Where it fails or is cancelled, the
 * new task fails in the same way, without running; the text names the argument.
 * The future given may be freed at once. */
#define cadre_submit(object, ...)                                              \
    (cadre_object_submit((struct cadre_object *)CADRE_OBJECT_(object), NULL,   \
                         CADRE_CALL_(__VA_ARGS__)))

/* The same with options of its own:
 *
 *     cadre_submit_with(pool, &(struct cadre_task_options){.retries = 2},
 *                       CADRE_FN(add), 2, 5)
 */
#define cadre_submit_with(object, options, ...)                                \
    (cadre_object_submit((struct cadre_object *)CADRE_OBJECT_(object),         \
                         (options), CADRE_CALL_(__VA_ARGS__)))

/* Which failures are worth another attempt. */
enum cadre_retry {
    CADRE_RETRY_LOST = 1,     /* its worker died */
    CADRE_RETRY_DEADLINE = 2, /* it took too long */
    CADRE_RETRY_FAILED = 4    /* the function said so: cadre_task_fail() */
};

/* Zero means the default. */
struct cadre_task_options {
    int retries;       /* attempts after the first one, 0 to 1000; default: 0.
                          Such a task may run more than once, also after it
                          has ended, where that did not become known */
    unsigned retry_on; /* for which failures: enum cadre_retry; default: all */
    double retry_wait_s; /* not before this long after the first failure, twice
                            as long after each further one; up to 1e6 */
    double deadline_s;   /* each attempt may run for so long; default: as the
                            object's task_timeout_s says. Then it fails with
                            CADRE_ETIMEOUT: cadre_task_is_cancelled() says so to
                            it, and half a second later its worker is ended and
                            replaced */
    bool cancel_running; /* cadre_future_cancel() ends it also when a worker has
                            it, in the same way */
    int ranks;           /* processes that run it together; default: the
                            object's */
};

/* The function, and its arguments behind it. */
struct cadre_invocation {
    struct cadre_function *function;
    struct cadre_values values;
};

#define CADRE_CALL_(...) (cadre_invocation_of(CADRE_VALUES(__VA_ARGS__)))

static inline struct cadre_invocation
cadre_invocation_of(struct cadre_values all)
{
    const struct cadre_value *first = &all.list[0];
    bool is_function = first->type == CADRE_VOID && !first->is_future;

    return (struct cadre_invocation){
        .function = is_function ? first->function : NULL,
        .values = {.count = all.count - 1, .list = all.list + 1}};
}

/* `options` NULL: the defaults. */
CADRE_API struct cadre_future *
cadre_object_submit(struct cadre_object *object,
                    const struct cadre_task_options *options,
                    struct cadre_invocation call);

/* Let go of it; the task still runs. NULL is allowed. */
CADRE_API void cadre_future_free(struct cadre_future *future);

/* --- one future ----------------------------------------------------------- */

enum cadre_future_state {
    CADRE_FUTURE_PENDING = 0, /* it waits: for a worker, for others, for its
                                 next attempt */
    CADRE_FUTURE_RUNNING = 1, /* a worker has it */
    CADRE_FUTURE_DONE = 2,
    CADRE_FUTURE_FAILED = 3,
    CADRE_FUTURE_CANCELLED = 4
};

/* How is it? Does not wait, and lets nothing move. */
CADRE_API enum cadre_future_state
cadre_future_state(struct cadre_future *future);

/* How far it is, 0 to 1, as it says itself by cadre_task_progress(), and its
 * words, cut to `len` bytes of `text` (at most 63 and a zero are kept; `len` 0:
 * not wanted). Takes what has arrived, but does not wait. */
CADRE_API double cadre_future_progress(struct cadre_future *future, char *text,
                                       size_t len);

/* Has it ended, in whatever way? Does not wait. */
CADRE_API bool cadre_future_done(struct cadre_future *future);

/* Wait for the task and take its outputs: cadre_future_result(f,
 * CADRE_INTO(&sum)). May be called again. Where several ranks ran the task each
 * has its row: CADRE_INTO(out) with `double out[2]`, or `int out[2][3]` for an
 * array of three.
 *
 * CADRE_ETASK, CADRE_ELOST, ...  how the task failed; the text says where.
 * CADRE_ETYPE                    the room is of the wrong type or too small.
 */
CADRE_API cadre_err cadre_future_result(struct cadre_future *future,
                                        struct cadre_outputs into);

/* The same, but wait at most `timeout_ms` (negative: for ever; 0: just look,
 * and let things move): CADRE_ETIMEOUT, and the task goes on. */
CADRE_API cadre_err cadre_future_result_within(struct cadre_future *future,
                                               double timeout_ms,
                                               struct cadre_outputs into);

/* Wait until the task has ended, at most `timeout_ms` (as above). CADRE_OK
 * however the task ended; CADRE_ETIMEOUT. */
CADRE_API cadre_err cadre_future_wait(struct cadre_future *future,
                                      double timeout_ms);

/* How a task failed. The texts are lent until the future is freed. */
struct cadre_failure_info {
    cadre_err err;    /* CADRE_OK: it did not fail */
    int kind;         /* the number given to cadre_task_fail() */
    int rank;         /* in its team; -1: none in particular */
    const char *host; /* where it ran; "": nowhere */
    const char *text; /* why; "" */
};

/* Wait for the task and say how it ended: its error, or CADRE_OK. `info` (NULL
 * is allowed) is filled. */
CADRE_API cadre_err cadre_future_error(struct cadre_future *future,
                                       struct cadre_failure_info *info);

/* Do not run it. True: it had not begun, is cancelled now, and never runs.
 * False: it has ended, or a worker has it (several short tasks are sent to a
 * worker in advance); nothing has changed. Tasks that wait for it fail.
 *
 * With `cancel_running` among its options, true also where a worker has it: it
 * is told to end, and cancelled within a second, but for one that is just
 * ending by itself. Does not wait for that. */
CADRE_API bool cadre_future_cancel(struct cadre_future *future);

typedef void (*cadre_done_fn)(struct cadre_future *future, void *user);

/* Call `fn(future, user)` once the task has ended, in whatever way; at once, in
 * this thread, if it has. Several are called in the order in which they were
 * added, after the task's end became visible. They run in a thread that waits
 * inside Cadre, or in its background thread: keep them short. They may submit,
 * add callbacks, cancel, and free the future. Destroying a pool waits for those
 * of its tasks. The future may be freed before; `fn` still gets it.
 *
 * CADRE_EINVAL  no function.
 * CADRE_ENOMEM
 */
CADRE_API cadre_err cadre_future_add_done_callback(struct cadre_future *future,
                                                   cadre_done_fn fn,
                                                   void *user);

/* --- many futures --------------------------------------------------------- */

enum cadre_wait_for {
    CADRE_FIRST_DONE = 1,   /* any of them has ended */
    CADRE_FIRST_FAILED = 2, /* any has failed or was cancelled, or all have
                               ended */
    CADRE_ALL_DONE = 3      /* all have ended */
};

/* Wait for `count` futures, borrowed, at most `timeout_ms` (negative: for ever;
 * 0: just look). `*ended` (NULL is allowed) is how many have ended, however
 * long it took. Nothing to wait for is there at once.
 *
 * CADRE_ETIMEOUT
 * CADRE_EINVAL    a null pointer among them, or an unknown `what`.
 * CADRE_ENOMEM
 */
CADRE_API cadre_err cadre_wait(struct cadre_future *const *futures,
                               size_t count, enum cadre_wait_for what,
                               double timeout_ms, size_t *ended);

struct cadre_completed; /* futures, as they end */

/* Look at `count` futures as they end: each once, in the order in which they
 * ended, first those that have already, as they stand in `futures`.
 *
 *     struct cadre_completed *all;
 *     struct cadre_future *f;
 *
 *     CADRE_CHECK(cadre_as_completed(futures, 100, &all));
 *     while (cadre_completed_next(all, -1, &f, NULL) == CADRE_OK && f != NULL)
 *         ...
 *     cadre_completed_free(all);
 *
 * `*completed` is given. Futures may be freed while it lives. Errors as above.
 */
CADRE_API cadre_err cadre_as_completed(struct cadre_future *const *futures,
                                       size_t count,
                                       struct cadre_completed **completed);

/* The next one that has ended, lent until `completed` is freed, and its place
 * in the array (NULL is allowed); NULL after the last one. CADRE_ETIMEOUT: none
 * within `timeout_ms`. From one thread at a time. */
CADRE_API cadre_err cadre_completed_next(struct cadre_completed *completed,
                                         double timeout_ms,
                                         struct cadre_future **future,
                                         size_t *index);
CADRE_API void cadre_completed_free(struct cadre_completed *completed);

/* Wait for `count` futures and take all their outputs, one after another in the
 * order of the array: int sums[100]; cadre_gather(futures, 100,
 * CADRE_INTO(sums)).
 *
 * CADRE_ETASK, ...  the first one in the array that failed; the text names its
 *                   place. Nothing was taken.
 * CADRE_ETYPE       the room is of the wrong type or too small.
 */
CADRE_API cadre_err cadre_gather(struct cadre_future *const *futures,
                                 size_t count, struct cadre_outputs into);

#endif
