/* cadre/spawn_pool.h - one MPI-parallel function over many inputs.
 *
 *     struct cadre_spawn_pool *pool;
 *     CADRE_CHECK(cadre_spawn_pool_create(
 *         &(struct cadre_spawn_pool_options){.max_ranks = 4,
 *                                            .ranks_per_task = 2},
 *         &pool));
 *     CADRE_CHECK(cadre_spawn_pool_map(pool, CADRE_FN(who), 4, CADRE_EACH(in),
 *                                      CADRE_INTO(out)));
 *     cadre_spawn_pool_destroy(pool);
 *
 * Every task gets new processes, as many at a time as fit, and what comes back
 * is rank 0's. With `keep_teams` the processes stay and take one task after
 * another, which is a thousand times faster and gives the same results.
 */
#ifndef CADRE_SPAWN_POOL_H
#define CADRE_SPAWN_POOL_H

#include <cadre/object.h>
#include <cadre/pool.h>

struct cadre_spawn_pool_options {
    int max_ranks;      /* in all; default: the cores this process may use, or
                           the resident workers if there are */
    int min_ranks;      /* where there are not cores for max_ranks, or, with
                           keep_teams, not all of them start, go on with what
                           there is, so many at least, and say so in the log;
                           default: all or none */
    int ranks_per_task; /* default 1; max_ranks / ranks_per_task tasks, rounded
                           down, run at a time */
    bool keep_teams;    /* processes stay between tasks. An init function runs
                           once in each; a communicator that it takes is the
                           first team's, or, where tasks have asked for other
                           numbers of ranks before, its process's alone */
    int gpus_per_task;  /* that each rank sees, the nearest to its cores */
    CADRE_COMMON_OPTIONS;
};

/* As cadre_pool_create(); without keep_teams nothing is started yet. */
CADRE_API cadre_err
cadre_spawn_pool_create(const struct cadre_spawn_pool_options *options,
                        struct cadre_spawn_pool **pool);

/* Finish what was submitted, then let the workers go. NULL is allowed. A
 * failure of a single task that nobody has looked at is logged. */
CADRE_API void cadre_spawn_pool_destroy(struct cadre_spawn_pool *pool);

/* As cadre_pool_map(), cadre_pool_starmap() and cadre_pool_run(). */
CADRE_API cadre_err cadre_spawn_pool_map(struct cadre_spawn_pool *pool,
                                         struct cadre_function *fn,
                                         uint64_t count,
                                         struct cadre_column column,
                                         struct cadre_outputs into);
CADRE_API cadre_err cadre_spawn_pool_starmap(struct cadre_spawn_pool *pool,
                                             struct cadre_function *fn,
                                             uint64_t count,
                                             struct cadre_columns columns,
                                             struct cadre_outputs into);
CADRE_API cadre_err cadre_spawn_pool_run(struct cadre_spawn_pool *pool,
                                         const struct cadre_map *map);

#endif
