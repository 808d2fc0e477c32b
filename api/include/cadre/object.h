/* cadre/object.h - what pools and executors have in common.
 *
 * An object is a queue of tasks and the teams of workers that run them. Its
 * kind says what a team is and what comes back:
 *
 *     struct cadre_pool           map, starmap     teams of 1
 *     struct cadre_executor       submit           one team of `cores` ranks
 *     struct cadre_hpc_executor   submit           several such teams
 *     struct cadre_pool_executor  submit           teams of 1
 *     struct cadre_spawn_pool     map, starmap     teams of `ranks_per_task`,
 *                                                  new processes for each task
 *
 * Any number of them live side by side in one controller. The functions here
 * take any of them, from any thread. What is asked of one that was shut down or
 * destroyed fails with CADRE_ECLOSED.
 */
#ifndef CADRE_OBJECT_H
#define CADRE_OBJECT_H

#include <cadre/function.h>
#include <cadre/value.h>

#include <stdbool.h>
#include <stdint.h>

struct cadre_pool;
struct cadre_executor;
struct cadre_hpc_executor;
struct cadre_pool_executor;
struct cadre_spawn_pool;
struct cadre_object; /* any of these */

/* How ranks are bound to cores; docs/placement.md, and `cadre place` shows it.
 */
enum cadre_placement {
    CADRE_PLACEMENT_DEFAULT = 0, /* compact where threads_per_rank or GPUs are
                                    asked for, else none */
    CADRE_PLACEMENT_COMPACT = 1, /* near each other */
    CADRE_PLACEMENT_SCATTER = 2, /* teams as far apart as can be */
    CADRE_PLACEMENT_NUMA = 3,    /* dealt evenly to the NUMA nodes, and their
                                    memory with them */
    CADRE_PLACEMENT_NONE = 4     /* the system moves them as it likes */
};

/* Options of every object; zero means the default. */
#define CADRE_COMMON_OPTIONS                                                   \
    /* Fills each worker's store before its first task, and that of a worker   \
     * that takes the place of a lost one: CADRE_FN of a CADRE_INIT. */        \
    struct cadre_function *init_function;                                      \
    /* Cores bound for each rank, and OMP_NUM_THREADS. */                      \
    int threads_per_rank;                                                      \
    /* Where ranks run. Two objects of one program never get the same core     \
     * while there are free ones. */                                           \
    enum cadre_placement placement;                                            \
    /* More ranks than cores are allowed. */                                   \
    bool oversubscribe;                                                        \
    /* What workers run: a path, or a name found beside the library or in      \
     * PATH; default: this program. "cadre-worker" knows the functions of      \
     * libraries only, and starts at once. */                                  \
    const char *worker_program;                                                \
    /* The workers' working directory; default: this one. */                   \
    const char *cwd;                                                           \
    /* Starting them may take this long; default 60. If they do not come as    \
     * soon as earlier ones of their program they are started again. */        \
    double spawn_timeout_s;                                                    \
    /* A task may run for so long, if its own options do not say how long;     \
     * default: for ever. Then it fails with CADRE_ETIMEOUT, and if it does    \
     * not return when cadre_task_is_cancelled() says so its worker is         \
     * replaced. Tasks are then sent one by one, which costs where they are    \
     * short. */                                                               \
    double task_timeout_s;                                                     \
    uint64_t max_pending; /* cadre_submit() waits while so many single tasks   \
                             have not been sent, but not from a callback;      \
                             default: 1,000,000 */                             \
    /* Likewise while the arguments of single tasks that have not ended are so \
     * many bytes (cadre_pending_bytes()) and some of these tasks have not     \
     * been sent: so no worker is idle because of it, and a task of any size   \
     * goes through. Default: 1 GiB, or a quarter of the machine's memory if   \
     * that is less. */                                                        \
    uint64_t max_pending_bytes;                                                \
    /* Each task runs in a process of its own, forked from the worker:         \
     * whatever it does, also exit(), a crash or a leak, ends with it. Costs   \
     * some 0.2 ms for each. Not for teams of several ranks nor functions with \
     * an MPI_Comm; what the function puts into a store and                    \
     * cadre_task_progress() are lost. */                                      \
    bool isolate;                                                              \
    uint64_t memory_bytes; /* with `isolate`: it may use so much more than the \
                              worker does; default: without limit */           \
    double cpu_s           /* and so much time on a core, to the millisecond */

/* `object`, one of the kinds above, as what it has in common with the others;
 * anything else does not compile. */
#define CADRE_OBJECT_(object)                                                  \
    (_Generic((object), struct cadre_object *                                  \
              : (object), struct cadre_pool *                                  \
              : (object), struct cadre_executor *                              \
              : (object), struct cadre_hpc_executor *                          \
              : (object), struct cadre_pool_executor *                         \
              : (object), struct cadre_spawn_pool *                            \
              : (object)))

enum cadre_shutdown_flags {
    CADRE_NO_WAIT = 1,       /* return at once: what runs and what waits still
                                ends, and its futures stay valid */
    CADRE_CANCEL_FUTURES = 2 /* what has not started is not to run */
};

/* Take no more tasks, and wait for those that are there (or not: `flags`). Does
 * nothing the second time. CADRE_ESTATE on a worker. */
#define cadre_shutdown(object, flags)                                          \
    (cadre_object_shutdown((struct cadre_object *)CADRE_OBJECT_(object),       \
                           (flags)))
CADRE_API cadre_err cadre_object_shutdown(struct cadre_object *object,
                                          unsigned flags);

/* Tasks that were submitted and have not started; none after its end. */
#define cadre_pending(object)                                                  \
    (cadre_object_pending((struct cadre_object *)CADRE_OBJECT_(object)))
CADRE_API uint64_t cadre_object_pending(struct cadre_object *object);

/* Bytes of the arguments of single tasks that were submitted and have not
 * ended: copies of the caller's, which the object holds until then. What a task
 * gets from other tasks is not among them, nor what maps work on: that stays
 * where it is. */
#define cadre_pending_bytes(object)                                            \
    (cadre_object_pending_bytes((struct cadre_object *)CADRE_OBJECT_(object)))
CADRE_API uint64_t cadre_object_pending_bytes(struct cadre_object *object);

/* Let the store of every worker have the number or string `x` as `name` (1 to
 * 255 bytes), before any task that is submitted from now on, in place of what
 * has that name there. It is copied, and sent once to each process, also to
 * those that take the place of lost ones: tasks that leave the parameter `name`
 * out find it there, however many they are.
 *
 * (cadre/stored.h: into the stores of one team, in order with its tasks.)
 *
 *     cadre_broadcast_array(pool, "table", n, table);
 *     cadre_pool_starmap(pool, CADRE_FN(look_up), count,
 *                        CADRE_COLUMNS(CADRE_NAMED("i", CADRE_EACH(i))), ...);
 *
 * CADRE_EINVAL   the name.
 * CADRE_ETYPE    neither a number nor a string, or an array without its length.
 * CADRE_ECLOSED  it has been shut down.
 * CADRE_ENOMEM
 */
#define cadre_broadcast(object, name, x)                                       \
    (cadre_object_broadcast((struct cadre_object *)CADRE_OBJECT_(object),      \
                            (name), CADRE_VALUE_(x)))
CADRE_API cadre_err cadre_object_broadcast(struct cadre_object *object,
                                           const char *name,
                                           struct cadre_value value);

/* The same for the `count` numbers at `x`. CADRE_ETYPE also where `x` has less
 * than that, as far as the compiler knows. */
#define cadre_broadcast_array(object, name, count, x)                          \
    (cadre_object_broadcast_array(                                             \
        (struct cadre_object *)CADRE_OBJECT_(object), (name),                  \
        CADRE_NUMBERS_((count), (x))))
CADRE_API cadre_err cadre_object_broadcast_array(struct cadre_object *object,
                                                 const char *name,
                                                 struct cadre_numbers array);

/* Teams at work; fewer than asked for while lost ones are being replaced. */
#define cadre_teams(object)                                                    \
    (cadre_object_teams((struct cadre_object *)CADRE_OBJECT_(object)))
CADRE_API int cadre_object_teams(struct cadre_object *object);

#endif
