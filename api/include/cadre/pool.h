/* cadre/pool.h - one function over many inputs.
 *
 *     struct cadre_pool *pool;
 *     CADRE_CHECK(cadre_pool_create(
 *         &(struct cadre_pool_options){.max_workers = 2}, &pool));
 *     int64_t in[] = {1, 2, 3, 4}, out[4];
 *     CADRE_CHECK(cadre_pool_map(pool, CADRE_FN(square), 4, CADRE_EACH(in),
 *                                CADRE_INTO(out)));
 *     cadre_pool_destroy(pool);
 */
#ifndef CADRE_POOL_H
#define CADRE_POOL_H

#include <cadre/function.h>
#include <cadre/future.h>
#include <cadre/object.h>
#include <cadre/value.h>

#include <signal.h>

/* Zero means the default. */
struct cadre_pool_options {
    int max_workers; /* processes that run tasks, the controller not counted;
                        default: the cores this process may use, or the resident
                        workers if there are */
    int min_workers; /* where there are not cores for max_workers, or not all of
                        them start, go on with what there is, so many at least
                        (cadre_pool_workers() says how many), and say so in the
                        log; default: all or none */
    int gpus_per_worker; /* that each rank sees, the nearest to its cores */
    CADRE_COMMON_OPTIONS;
};

/* Get the workers. Resident ones (mpirun -n 5) come first, the rest is spawned.
 * `*pool` is given: cadre_pool_destroy(). From any thread.
 *
 * CADRE_EINVAL    an option is negative, or asks for more than there is.
 * CADRE_ENOTFOUND the worker program or the directory does not exist.
 * CADRE_ESPAWN    the workers did not start.
 * CADRE_EVERSION  the worker program is linked with another Cadre.
 * CADRE_ETIMEOUT  they did not start in time; those that did are ended.
 * CADRE_ESTATE    before cadre_init() or after cadre_finalize().
 */
CADRE_API cadre_err cadre_pool_create(const struct cadre_pool_options *options,
                                      struct cadre_pool **pool);

/* Finish what was submitted, then let the workers go. NULL is allowed. A
 * failure of a single task that nobody has looked at is logged. */
CADRE_API void cadre_pool_destroy(struct cadre_pool *pool);

/* Workers that live. */
CADRE_API int cadre_pool_workers(const struct cadre_pool *pool);

/* Call `fn`, a function of one parameter, for each of `count` values; wait for
 * all. Results stand in the order of the values.
 *
 * CADRE_ETASK and others  an item failed: the text names the first one's index
 *                         and reason. All others have run and their results are
 *                         in place.
 * CADRE_ETYPE             a column or an output of the wrong type or size, or a
 *                         parameter without one; nothing has run.
 */
CADRE_API cadre_err cadre_pool_map(struct cadre_pool *pool,
                                   struct cadre_function *fn, uint64_t count,
                                   struct cadre_column column,
                                   struct cadre_outputs into);

/* The same for a function of several parameters, a column each:
 * cadre_pool_starmap(pool, fn, 4, CADRE_COLUMNS(CADRE_EACH(i), CADRE_SAME(&j)),
 * CADRE_INTO(out)). */
CADRE_API cadre_err cadre_pool_starmap(struct cadre_pool *pool,
                                       struct cadre_function *fn,
                                       uint64_t count,
                                       struct cadre_columns columns,
                                       struct cadre_outputs into);

/* One output of one item, lent during the callback. */
struct cadre_item_output {
    cadre_type type;
    const struct cadre_struct *of; /* CADRE_AGGREGATE: which; else NULL */
    uint64_t count;                /* elements; a single value: 1 */
    const void *data; /* the first; a string itself, not a pointer to it (NULL
                         for a null pointer) */
};

/* One item that has ended. */
struct cadre_item {
    uint64_t index;
    cadre_err err;    /* CADRE_OK, or how it failed */
    int kind;         /* the number given to cadre_task_fail() */
    const char *text; /* why it failed; "" */
    size_t noutputs;  /* 0 if it failed */
    const struct cadre_item_output *outputs;
};

/* Called in the thread that waits. Return false to stop: what has not been sent
 * is dropped, and the call returns CADRE_ECANCELLED once the rest has ended. */
typedef bool (*cadre_item_fn)(void *user, const struct cadre_item *item);

struct cadre_row; /* the arguments of one item, being given */

/* Give the next item's arguments with cadre_row_give() and return true, or
 * return false: there are no more. True without having given anything: there is
 * nothing yet; it is asked again within 16 ms. Called in the thread that waits,
 * only when workers will soon need more; while it blocks, finished items wait
 * to be handed over, so one that reads from a pipe should look first whether
 * something is there (poll(2)). */
typedef bool (*cadre_next_fn)(void *user, struct cadre_row *row);

/* The arguments of the next item; values are checked and converted as by
 * cadre_submit(), arrays and strings copied. A mistake ends the map with an
 * error that names the item. */
#define cadre_row_give(row, ...)                                               \
    (cadre_row_give_values((row), CADRE_VALUES(__VA_ARGS__)))
CADRE_API cadre_err cadre_row_give_values(struct cadre_row *row,
                                          struct cadre_values values);

/* Everything a map can do. Zero means: without. */
struct cadre_map {
    struct cadre_function *fn;
    uint64_t count;               /* items; not with `next` */
    struct cadre_columns columns; /* inputs; with `next` only those that are the
                                     same for all, by name */
    cadre_next_fn next;           /* inputs pulled one by one, lazily: memory
                                     stays flat however many there are */
    struct cadre_outputs into;    /* outputs into arrays; not with `next` */
    cadre_item_fn on_item;        /* outputs handed over one by one */
    bool unordered;               /* on_item as they come, not in order */
    void *user;                   /* for next and on_item */
    uint64_t chunk_size;          /* items sent together; default: adaptive */
    cadre_err *errors;            /* `count` of them: each item's outcome */
    const char *journal; /* keep every item's outcome in this file, and do not
                            run again what it has: the same map goes on where
                            it was cut off, and gives all results */
    bool retry_failed;   /* do run again what the journal has as failed */

    /* As for single tasks (struct cadre_task_options), for each item. */
    int retries; /* then at most 2^32 items */
    unsigned retry_on;
    double retry_wait_s;
    double task_timeout_s; /* default: the object's */

    double timeout_s;      /* of the whole map; default: for ever. What has not
                              ended by then fails with CADRE_ETIMEOUT: what runs
                              is told so and ended half a second later, no more
                              items are taken */
    uint64_t max_failures; /* after so many failed items those that wait fail
                              with CADRE_ECANCELLED, and no more are taken;
                              default: go on */
    const volatile sig_atomic_t *stop; /* becomes other than 0 (a signal handler
                              may set it): no more items are taken, what has not
                              been sent fails with CADRE_ECANCELLED, what runs
                              ends; looked at 20 times a second */
};

/* Run `map` and wait for it; errors as for cadre_pool_map(). With a journal,
 * the callback gets an item, and the call returns, only when the item is in the
 * journal; a task whose outcome was not in it yet when the controller died runs
 * again. More is said in docs/journal.md.
 *
 * CADRE_EINVAL    the journal is of another function or input, or is none.
 * CADRE_EVERSION  the journal is of another version of Cadre's journals.
 * CADRE_ESTATE    the journal is in use.
 * CADRE_ENOTFOUND there is no folder for it.
 * CADRE_EIO       it cannot be read or written (the disk is full): the run has
 *                 stopped, and what is in the journal stays.
 * CADRE_ETIMEOUT  the map's `timeout_s` has passed.
 * CADRE_ECANCELLED  `stop` was set before all items had ended.
 * CADRE_ETASK     it has stopped after `max_failures`; the text tells the
 *                 first item that failed.
 */
CADRE_API cadre_err cadre_pool_run(struct cadre_pool *pool,
                                   const struct cadre_map *map);

#endif
