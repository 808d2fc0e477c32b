/* pool.c - Pool: one function over many inputs. */
#include "internal.h"

cadre_err cadre_pool_create(const struct cadre_pool_options *options,
                            struct cadre_pool **pool)
{
    static const struct cadre_pool_options defaults;
    const struct cadre_pool_options *o = options != NULL ? options : &defaults;

    return cadre_object_create(
        "pool",
        &(struct cadre_staffing){.teams = o->max_workers,
                                 .option = "max_workers",
                                 .min_teams = o->min_workers,
                                 .min_option = "min_workers",
                                 .init_function = o->init_function,
                                 .threads_per_rank = o->threads_per_rank,
                                 .placement = o->placement,
                                 .gpus_per_rank = o->gpus_per_worker,
                                 .gpus_option = "gpus_per_worker",
                                 .oversubscribe = o->oversubscribe,
                                 .worker_program = o->worker_program,
                                 .cwd = o->cwd,
                                 .spawn_timeout_s = o->spawn_timeout_s,
                                 .task_timeout_s = o->task_timeout_s,
                                 .max_pending = o->max_pending,
                                 .max_pending_bytes = o->max_pending_bytes,
                                 .isolate = o->isolate,
                                 .memory_bytes = o->memory_bytes,
                                 .cpu_s = o->cpu_s},
        (struct cadre_object **)pool);
}

void cadre_pool_destroy(struct cadre_pool *pool)
{
    cadre_object_destroy((struct cadre_object *)pool);
}

int cadre_pool_workers(const struct cadre_pool *pool)
{
    return cadre_object_teams((struct cadre_object *)pool);
}

cadre_err cadre_object_run(struct cadre_object *object,
                           const struct cadre_map *map)
{
    struct cadre_error error = {""};
    cadre_err err;

    err = cadre_object_check(object, "map", &error);
    if (err == CADRE_OK && map == NULL)
        err = cadre_error_set(&error, CADRE_EINVAL, "map: the map is NULL");
    if (err == CADRE_OK)
        err = cadre_map_run(object->farm, map, &error);
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

cadre_err cadre_pool_run(struct cadre_pool *pool, const struct cadre_map *map)
{
    return cadre_object_run((struct cadre_object *)pool, map);
}

cadre_err cadre_pool_starmap(struct cadre_pool *pool, struct cadre_function *fn,
                             uint64_t count, struct cadre_columns columns,
                             struct cadre_outputs into)
{
    return cadre_pool_run(
        pool, &(struct cadre_map){
                  .fn = fn, .count = count, .columns = columns, .into = into});
}

cadre_err cadre_pool_map(struct cadre_pool *pool, struct cadre_function *fn,
                         uint64_t count, struct cadre_column column,
                         struct cadre_outputs into)
{
    return cadre_pool_starmap(
        pool, fn, count, (struct cadre_columns){.count = 1, .list = &column},
        into);
}
