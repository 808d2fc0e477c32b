/* cadre/submit_all.h - one function over columns, as single tasks.
 *
 *     int in[] = {1, 2, 3}, out[3];
 *     struct cadre_future *futures[3];
 *     size_t n;
 *
 *     CADRE_CHECK(cadre_submit_all(ex, CADRE_FN(square),
 *                                  CADRE_COLUMNS(CADRE_EACH(in)), futures, 3,
 *                                  &n));
 *     CADRE_CHECK(cadre_gather(futures, n, CADRE_INTO(out)));
 *
 * or, where only the values are wanted:
 *
 *     CADRE_CHECK(cadre_map_values(ex, CADRE_FN(square),
 *                                  CADRE_COLUMNS(CADRE_EACH(in)), 3,
 *                                  CADRE_INTO(out), &n));
 *
 * For any object; executors have no other map. A pool's map, which sends many
 * items together, is much faster for short ones.
 */
#ifndef CADRE_SUBMIT_ALL_H
#define CADRE_SUBMIT_ALL_H

#include <cadre/future.h>
#include <cadre/object.h>
#include <cadre/value.h>

/* Submit a task for each row of `columns`: as many as the shortest column has,
 * and at most `room`. (CADRE_SAME serves any number; of what is behind a
 * pointer nobody knows the end, so there `room` says it.) Numbers are converted
 * as by cadre_submit(); arrays one after another need their lengths among the
 * columns. `futures` gets `*count` futures, given, in the order of the rows.
 * What is wrong with one row is the result of its future.
 *
 * CADRE_EINVAL   the object or the function is NULL.
 * CADRE_ECLOSED  the object is destroyed. (Shut down: each future says so.)
 * CADRE_ETYPE    a column that is no parameter's, or of the wrong kind, or a
 *                parameter without one that no store can bring: nothing was
 *                submitted.
 */
#define cadre_submit_all(object, fn, columns, futures, room, count)            \
    (cadre_object_submit_all((struct cadre_object *)CADRE_OBJECT_(object),     \
                             NULL, (fn), (columns), (futures), (room),         \
                             (count)))

/* The same with options for every task; NULL: the defaults. */
CADRE_API cadre_err cadre_object_submit_all(
    struct cadre_object *object, const struct cadre_task_options *options,
    struct cadre_function *fn, struct cadre_columns columns,
    struct cadre_future **futures, size_t room, size_t *count);

/* Submit all and wait: the outputs of `*count` tasks, in the order of the rows.
 *
 * CADRE_ETASK, ...  as cadre_gather(): the first one that failed; all have run.
 * Others            as above.
 */
#define cadre_map_values(object, fn, columns, room, into, count)               \
    (cadre_object_map_values((struct cadre_object *)CADRE_OBJECT_(object),     \
                             (fn), (columns), (room), (into), (count)))
CADRE_API cadre_err cadre_object_map_values(struct cadre_object *object,
                                            struct cadre_function *fn,
                                            struct cadre_columns columns,
                                            size_t room,
                                            struct cadre_outputs into,
                                            size_t *count);

#endif
