/* executor.c - Executor, HPCExecutor, PoolExecutor, MPISpawnPool: what each
 * makes of its options. */
#include "internal.h"

#include <cadre/executor.h>
#include <cadre/spawn_pool.h>

/* What all options have in common. */
#define COMMON(o)                                                              \
    .init_function = (o)->init_function,                                       \
    .threads_per_rank = (o)->threads_per_rank, .placement = (o)->placement,    \
    .oversubscribe = (o)->oversubscribe,                                       \
    .worker_program = (o)->worker_program, .cwd = (o)->cwd,                    \
    .spawn_timeout_s = (o)->spawn_timeout_s,                                   \
    .task_timeout_s = (o)->task_timeout_s, .max_pending = (o)->max_pending,    \
    .max_pending_bytes = (o)->max_pending_bytes, .isolate = (o)->isolate,      \
    .memory_bytes = (o)->memory_bytes, .cpu_s = (o)->cpu_s

cadre_err cadre_executor_create(const struct cadre_executor_options *options,
                                struct cadre_executor **executor)
{
    static const struct cadre_executor_options defaults;
    const struct cadre_executor_options *o =
        options != NULL ? options : &defaults;

    return cadre_object_create(
        "executor",
        &(struct cadre_staffing){COMMON(o), .teams = 1, .ranks = o->cores,
                                 .option = "cores", .ranks_option = "cores",
                                 .gpus_per_rank = o->gpus_per_task,
                                 .gpus_option = "gpus_per_task",
                                 .has_all_ranks = true, .has_store = true},
        (struct cadre_object **)executor);
}

cadre_err cadre_executor_destroy(struct cadre_executor *executor)
{
    return cadre_object_end((struct cadre_object *)executor);
}

cadre_err
cadre_hpc_executor_create(const struct cadre_hpc_executor_options *options,
                          struct cadre_hpc_executor **executor)
{
    static const struct cadre_hpc_executor_options defaults;
    const struct cadre_hpc_executor_options *o =
        options != NULL ? options : &defaults;

    return cadre_object_create(
        "hpc executor",
        &(struct cadre_staffing){
            COMMON(o), .teams = o->max_workers, .ranks = o->cores_per_worker,
            .option = "max_workers", .ranks_option = "cores_per_worker",
            .min_teams = o->min_workers, .min_option = "min_workers",
            .gpus_per_rank = o->gpus_per_worker,
            .gpus_option = "gpus_per_worker", .has_all_ranks = true,
            .has_store = true},
        (struct cadre_object **)executor);
}

cadre_err cadre_hpc_executor_destroy(struct cadre_hpc_executor *executor)
{
    return cadre_object_end((struct cadre_object *)executor);
}

cadre_err cadre_hpc_executor_resize(struct cadre_hpc_executor *executor,
                                    int max_workers)
{
    return cadre_object_resize((struct cadre_object *)executor, "max_workers",
                               max_workers);
}

cadre_err
cadre_pool_executor_create(const struct cadre_pool_executor_options *options,
                           struct cadre_pool_executor **executor)
{
    static const struct cadre_pool_executor_options defaults;
    const struct cadre_pool_executor_options *o =
        options != NULL ? options : &defaults;

    return cadre_object_create(
        "pool executor",
        &(struct cadre_staffing){
            COMMON(o), .teams = o->max_workers, .option = "max_workers",
            .min_teams = o->min_workers, .min_option = "min_workers",
            .has_store = true},
        (struct cadre_object **)executor);
}

cadre_err cadre_pool_executor_destroy(struct cadre_pool_executor *executor)
{
    return cadre_object_end((struct cadre_object *)executor);
}

cadre_err
cadre_spawn_pool_create(const struct cadre_spawn_pool_options *options,
                        struct cadre_spawn_pool **pool)
{
    static const struct cadre_spawn_pool_options defaults;
    const struct cadre_spawn_pool_options *o =
        options != NULL ? options : &defaults;

    return cadre_object_create(
        "spawn pool",
        &(struct cadre_staffing){
            COMMON(o), .counts_ranks = true, .max_ranks = o->max_ranks,
            .ranks = o->ranks_per_task, .option = "max_ranks",
            .min_ranks = o->min_ranks, .min_option = "min_ranks",
            .ranks_option = "ranks_per_task", .gpus_per_rank = o->gpus_per_task,
            .gpus_option = "gpus_per_task", .is_fresh = !o->keep_teams},
        (struct cadre_object **)pool);
}

void cadre_spawn_pool_destroy(struct cadre_spawn_pool *pool)
{
    cadre_object_destroy((struct cadre_object *)pool);
}

cadre_err cadre_spawn_pool_run(struct cadre_spawn_pool *pool,
                               const struct cadre_map *map)
{
    return cadre_object_run((struct cadre_object *)pool, map);
}

cadre_err cadre_spawn_pool_starmap(struct cadre_spawn_pool *pool,
                                   struct cadre_function *fn, uint64_t count,
                                   struct cadre_columns columns,
                                   struct cadre_outputs into)
{
    return cadre_spawn_pool_run(
        pool, &(struct cadre_map){
                  .fn = fn, .count = count, .columns = columns, .into = into});
}

cadre_err cadre_spawn_pool_map(struct cadre_spawn_pool *pool,
                               struct cadre_function *fn, uint64_t count,
                               struct cadre_column column,
                               struct cadre_outputs into)
{
    return cadre_spawn_pool_starmap(
        pool, fn, count, (struct cadre_columns){.count = 1, .list = &column},
        into);
}
