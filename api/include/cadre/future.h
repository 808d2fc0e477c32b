/* cadre/future.h - the outcome of a single task. */
#ifndef CADRE_FUTURE_H
#define CADRE_FUTURE_H

#include <cadre/function.h>
#include <cadre/object.h>
#include <cadre/value.h>

struct cadre_future; /* the handle to a task's outcome */

/* Run one task: cadre_submit(pool, CADRE_FN(add), 2, 5). Arguments are given by
 * position or as CADRE_ARG("name", value); C's conversions between arithmetic
 * types are done unless the value would change. Arrays and strings are copied.
 * The future is given: cadre_future_free(). It is never NULL: what was wrong
 * with the call is its result. From any thread; does not wait. */
#define cadre_submit(object, ...)                                              \
    (cadre_object_submit((struct cadre_object *)CADRE_OBJECT_(object),         \
                         CADRE_CALL_(__VA_ARGS__)))

/* The function, and its arguments behind it. */
struct cadre_invocation {
    struct cadre_function *function;
    struct cadre_values values;
};

#define CADRE_CALL_(...) (cadre_invocation_of(CADRE_VALUES(__VA_ARGS__)))

static inline struct cadre_invocation
cadre_invocation_of(struct cadre_values all)
{
    return (struct cadre_invocation){
        .function =
            all.list[0].type == CADRE_VOID ? all.list[0].function : NULL,
        .values = {.count = all.count - 1, .list = all.list + 1}};
}

CADRE_API struct cadre_future *
cadre_object_submit(struct cadre_object *object, struct cadre_invocation call);

/* Wait for the task and take its outputs: cadre_future_result(f,
 * CADRE_INTO(&sum)). May be called again.
 *
 * CADRE_ETASK, CADRE_ELOST, ...  how the task failed; the text says where.
 * CADRE_ETYPE                    the room is of the wrong type or too small.
 */
CADRE_API cadre_err cadre_future_result(struct cadre_future *future,
                                        struct cadre_outputs into);

/* Wait until the task has ended, at most `timeout_ms` (negative: for ever; 0:
 * just look, and let things move). CADRE_OK however the task ended;
 * CADRE_ETIMEOUT. */
CADRE_API cadre_err cadre_future_wait(struct cadre_future *future,
                                      double timeout_ms);

/* Has it ended? Does not wait. */
CADRE_API bool cadre_future_done(struct cadre_future *future);

/* Let go of it; the task still runs. NULL is allowed. */
CADRE_API void cadre_future_free(struct cadre_future *future);

#endif
