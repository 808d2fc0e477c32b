/* cadre/stored.h - what a team's workers keep, from the controller: put a value
 * into their stores (cadre/store.h), read one back.
 *
 *     double k[2];
 *
 *     cadre_stored_put(ex, CADRE_TEAM(0), "k", 2.5);
 *     f = cadre_stored_get(ex, CADRE_TEAM(0), "k");
 *     cadre_future_result(f, CADRE_INTO(k));      each rank's, rank 0 first
 *
 * Both are tasks of that team, in line with all others: what was submitted
 * before a value is put sees the old one, what is submitted after it the new
 * one; what is read is what the tasks submitted before have left. Numbers,
 * strings and arrays of numbers travel; objects stay where they are.
 *
 * Teams are numbered from 0: the one of an Executor is team 0, those of an
 * HPCExecutor, a PoolExecutor and a Pool are 0 to max_workers - 1, also after
 * cadre_hpc_executor_resize(). A team that takes the place of a lost one has
 * its number. Its stores hold what the init function put, then what was
 * broadcast and put, in that order: not what tasks put or changed, which only
 * they know how to make again. (A task that runs again on it sees what was put
 * meanwhile.) A spawn pool has no numbered teams.
 */
#ifndef CADRE_STORED_H
#define CADRE_STORED_H

#include <cadre/future.h>
#include <cadre/store.h>

/* Whose stores. */
struct cadre_where {
    int team; /* -1: every team */
    int rank; /* in the team; -1: every rank */
};

#define CADRE_TEAM(number) ((struct cadre_where){.team = (number), .rank = -1})
#define CADRE_RANK(number, of_team)                                            \
    ((struct cadre_where){.team = (number), .rank = (of_team)})
#define CADRE_ALL_TEAMS ((struct cadre_where){.team = -1, .rank = -1})

/* Let the stores of `where` have the number or string `x` as `name` (1 to 255
 * bytes), in place of what has that name there; an object's destructor is
 * called. It is copied, and a copy is kept for a team that takes the place of a
 * lost one. Does not wait for it, but where max_pending tasks wait already.
 * With CADRE_ALL_TEAMS each team gets it in its turn (where it fails, for one
 * that a resize has just let go, say, those before have it); cadre_broadcast()
 * costs less, and serves teams to come, but tasks that wait may see the value,
 * too.
 *
 * Where it comes to nothing (a worker has no memory for it; a team is lost and
 * cannot be replaced), destroying the object says so, as of any task.
 *
 * CADRE_EINVAL   the name; no such team or rank; a spawn pool.
 * CADRE_ETYPE    neither a number nor a string, or an array without its length.
 * CADRE_ECLOSED  it has been shut down.
 * CADRE_ENOMEM
 */
#define cadre_stored_put(object, where, name, x)                               \
    (cadre_object_put((struct cadre_object *)CADRE_OBJECT_(object), (where),   \
                      (name), CADRE_VALUE_(x)))
CADRE_API cadre_err cadre_object_put(struct cadre_object *object,
                                     struct cadre_where where, const char *name,
                                     struct cadre_value value);

/* The same for the `count` numbers at `x`; a null pointer of the type gives as
 * many zeros. CADRE_ETYPE also where `x` has less than that, as far as the
 * compiler knows. */
#define cadre_stored_put_array(object, where, name, count, x)                  \
    (cadre_object_put_array((struct cadre_object *)CADRE_OBJECT_(object),      \
                            (where), (name), CADRE_NUMBERS_((count), (x))))
CADRE_API cadre_err cadre_object_put_array(struct cadre_object *object,
                                           struct cadre_where where,
                                           const char *name,
                                           struct cadre_numbers array);

/* Read what `where`, one team or one rank of it, has as `name`. The future is
 * given, as that of cadre_submit(): never NULL, and what was wrong is its
 * result. It fails with
 *
 * CADRE_ENOTFOUND  no such name, on some rank; the text says which.
 * CADRE_ETYPE      an object.
 * CADRE_EINVAL     no such team or rank; every team: read one after another; a
 *                  spawn pool.
 * CADRE_ECLOSED, CADRE_ELOST, ...  as any task.
 *
 * cadre_future_result() takes the value: of a number into any arithmetic type
 * that has it, of a string into a `char *`, a copy to free(), of an array into
 * elements of its type. Of several ranks each has its row, and the rows are as
 * long as the room says. Into pointers (`double *x[2]`) goes an array of each
 * rank, of whatever length. CADRE_ETYPE: another type, a number that does not
 * fit, another length; the text says which, and nothing was taken.
 *
 * It is no argument of another task: leave the parameter to the store. */
#define cadre_stored_get(object, where, name)                                  \
    (cadre_object_get((struct cadre_object *)CADRE_OBJECT_(object), (where),   \
                      (name)))
CADRE_API struct cadre_future *cadre_object_get(struct cadre_object *object,
                                                struct cadre_where where,
                                                const char *name);

/* Wait for such a future, and describe what rank `rank` of the team has: its
 * type, and how many elements. The name is lent until the future is freed.
 *
 * CADRE_EINVAL  it is no future of cadre_stored_get(), or has no value of that
 *               rank.
 * CADRE_ENOTFOUND, ...  how it failed.
 */
CADRE_API cadre_err cadre_stored_entry(struct cadre_future *future, int rank,
                                       struct cadre_store_entry *entry);

#endif
