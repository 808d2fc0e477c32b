/* cadre/executor.h - single tasks, on teams of processes that stay.
 *
 *     struct cadre_executor *ex;
 *     CADRE_CHECK(cadre_executor_create(
 *         &(struct cadre_executor_options){.cores = 2}, &ex));
 *     struct cadre_future *f = cadre_submit(ex, CADRE_FN(who), 3);
 *     int out[2][3];
 *     CADRE_CHECK(cadre_future_result(f, CADRE_INTO(out)));
 *     cadre_future_free(f);
 *     cadre_executor_destroy(ex);
 *
 * An Executor is one team, whose tasks run one after another in the order of
 * submission, always in the same processes. An HPCExecutor has several teams,
 * and a task goes to whichever is free. In both a function may be MPI-parallel
 * (`MPI_Comm comm` among its parameters is the team's communicator), and each
 * rank's outputs come back, those of rank 0 first. A PoolExecutor runs serial
 * functions on single workers.
 *
 * Where a rank fails, its task fails; if others hang in a collective call, they
 * are ended and the team is replaced, its stores filled again.
 */
#ifndef CADRE_EXECUTOR_H
#define CADRE_EXECUTOR_H

#include <cadre/future.h>
#include <cadre/object.h>

struct cadre_executor_options {
    int cores;         /* ranks of the team; default 1 */
    int gpus_per_task; /* that each rank sees, the nearest to its cores */
    CADRE_COMMON_OPTIONS;
};

/* Get the workers. Resident ones (mpirun -n 5) come first, the rest is spawned.
 * `*executor` is given: cadre_executor_destroy(). From any thread.
 *
 * CADRE_EINVAL    an option is negative, or asks for more than there is.
 * CADRE_ENOTFOUND the worker program or the directory does not exist.
 * CADRE_ESPAWN    the workers did not start.
 * CADRE_EVERSION  the worker program is linked with another Cadre.
 * CADRE_ETIMEOUT  they did not start in time; those that did are ended.
 * CADRE_ESTATE    before cadre_init() or after cadre_finalize().
 */
CADRE_API cadre_err
cadre_executor_create(const struct cadre_executor_options *options,
                      struct cadre_executor **executor);

/* Finish what was submitted, then let the workers go. NULL is allowed.
 * CADRE_OK, or how the first task failed of those whose failure nobody has
 * looked at by asking for the result or the error, of the future or of one that
 * needs it; the text says how many there are. Gone it is in any case. */
CADRE_API cadre_err cadre_executor_destroy(struct cadre_executor *executor);

struct cadre_hpc_executor_options {
    int max_workers;      /* teams; default: as many as there are cores for */
    int min_workers;      /* where there are not cores for max_workers, or not
                             all of them start, go on with what there is, so many
                             at least (cadre_teams() says how many), and say so
                             in the log; default: all or none */
    int cores_per_worker; /* ranks of each; default 1 */
    int gpus_per_worker;  /* that each rank sees, the nearest to its cores */
    CADRE_COMMON_OPTIONS;
};

/* As cadre_executor_create(). */
CADRE_API cadre_err
cadre_hpc_executor_create(const struct cadre_hpc_executor_options *options,
                          struct cadre_hpc_executor **executor);
CADRE_API cadre_err
cadre_hpc_executor_destroy(struct cadre_hpc_executor *executor);

/* From now on `max_workers` teams: more are started meanwhile, of too many
 * those with the highest numbers (cadre/stored.h) leave, at once where they are
 * idle and else when they have ended their tasks. Does not wait. CADRE_EINVAL:
 * less than 1, or more than there are cores for. */
CADRE_API cadre_err
cadre_hpc_executor_resize(struct cadre_hpc_executor *executor, int max_workers);

struct cadre_pool_executor_options {
    int max_workers; /* default: the cores this process may use, or the resident
                        workers if there are */
    int min_workers; /* as in struct cadre_hpc_executor_options */
    int gpus_per_worker; /* that each rank sees, the nearest to its cores */
    CADRE_COMMON_OPTIONS;
};

/* As cadre_executor_create(). */
CADRE_API cadre_err
cadre_pool_executor_create(const struct cadre_pool_executor_options *options,
                           struct cadre_pool_executor **executor);
CADRE_API cadre_err
cadre_pool_executor_destroy(struct cadre_pool_executor *executor);

#endif
