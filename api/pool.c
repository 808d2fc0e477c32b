/* pool.c - Pool: one function over many inputs. */
#include "internal.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cadre_pool *open_pools;

static cadre_err check_options(const struct cadre_pool_options *o,
                               struct cadre_error *error)
{
    enum { WORKERS_MAX = CADRE_BELLS_MAX / 2 };

    if (o->max_workers < 0 || o->max_workers > WORKERS_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "max_workers is %d: it can be 1 to %d, or 0 for "
                               "the default",
                               o->max_workers, WORKERS_MAX);
    if (!(o->spawn_timeout_s >= 0 && o->spawn_timeout_s < 1e6))
        return cadre_error_set(error, CADRE_EINVAL,
                               "spawn_timeout_s is %g: it can be 0 (the "
                               "default) to 1e6 seconds",
                               o->spawn_timeout_s);
    return CADRE_OK;
}

static int free_residents(struct cadre_engine *e)
{
    int n = 0;

    cadre_engine_lock(e);
    for (struct cadre_crew *c = e->crews; c != NULL; c = c->next) {
        for (int i = 0; c->is_resident && i < c->nworkers; i++)
            n += c->workers[i].team == NULL && !c->workers[i].is_lost;
    }
    cadre_engine_unlock(e);
    return n;
}

/* How many workers, and whether the machine has room for those to be started.
 */
static cadre_err count_workers(const struct cadre_pool_options *o,
                               int residents, int *workers,
                               struct cadre_error *error)
{
    int cores = cadre_host_cores();
    int room = cores > residents ? cores : residents;

    *workers = o->max_workers;
    if (*workers == 0)
        *workers = residents > 0 ? residents : cores;
    if (*workers > room && !o->oversubscribe)
        return cadre_error_set(
            error, CADRE_EINVAL,
            "max_workers is %d: there are %d cores and %d free resident "
            "workers; ask for fewer, or set oversubscribe",
            *workers, cores, residents);
    return CADRE_OK;
}

static cadre_err create(const struct cadre_pool_options *o,
                        struct cadre_pool *pool, struct cadre_error *error)
{
    struct cadre_farm_options options = {
        .cwd = o->cwd,
        .spawn_timeout_s = o->spawn_timeout_s > 0 ? o->spawn_timeout_s : 60,
        .only_spawned = o->worker_program != NULL || o->cwd != NULL};
    struct cadre_engine *engine;
    char *program = NULL;
    cadre_err err;
    int residents;

    if ((err = check_options(o, error)) != CADRE_OK ||
        (err = cadre_engine_current(&engine, error)) != CADRE_OK)
        return err;
    residents = options.only_spawned ? 0 : free_residents(engine);
    if ((err = count_workers(o, residents, &options.teams, error)) != CADRE_OK)
        return err;
    if (o->worker_program != NULL &&
        (err = cadre_program_find(o->worker_program, &program, error)) !=
            CADRE_OK)
        return err;
    options.program = program;
    err = cadre_farm_create(engine, &options, &pool->farm, error);
    free(program);
    return err;
}

cadre_err cadre_pool_create(const struct cadre_pool_options *options,
                            struct cadre_pool **pool)
{
    static const struct cadre_pool_options defaults;
    struct cadre_error error = {""};
    struct cadre_pool *p = calloc(1, sizeof *p);
    cadre_err err;

    if (pool == NULL)
        err = cadre_error_set(&error, CADRE_EINVAL, "no place for the result");
    else if (p == NULL)
        err = cadre_error_set(&error, CADRE_ENOMEM, "out of memory");
    else
        err = create(options != NULL ? options : &defaults, p, &error);
    if (err != CADRE_OK) {
        free(p);
        cadre_error_prefix(&error, err, "pool: ");
        return cadre_error_publish(&error, err);
    }
    pthread_mutex_lock(&lock);
    p->next = open_pools;
    open_pools = p;
    pthread_mutex_unlock(&lock);
    *pool = p;
    return CADRE_OK;
}

/* Take `pool` off the list; false: it is not on it (any more). */
static bool take_off(struct cadre_pool *pool)
{
    struct cadre_pool **at = &open_pools;
    bool found;

    pthread_mutex_lock(&lock);
    while (*at != NULL && *at != pool)
        at = &(*at)->next;
    if ((found = *at != NULL))
        *at = pool->next;
    pthread_mutex_unlock(&lock);
    return found;
}

void cadre_pool_destroy(struct cadre_pool *pool)
{
    if (pool == NULL || !take_off(pool))
        return;
    cadre_farm_destroy(pool->farm);
    free(pool);
}

void cadre_pools_destroy_all(void)
{
    for (;;) {
        struct cadre_pool *p;

        pthread_mutex_lock(&lock);
        p = open_pools;
        pthread_mutex_unlock(&lock);
        if (p == NULL)
            return;
        cadre_pool_destroy(p);
    }
}

int cadre_pool_workers(const struct cadre_pool *pool)
{
    struct cadre_engine *e = cadre_farm_engine(pool->farm);
    int n;

    cadre_engine_lock(e);
    n = cadre_farm_teams(pool->farm);
    cadre_engine_unlock(e);
    return n;
}

cadre_err cadre_pool_run(struct cadre_pool *pool, const struct cadre_map *map)
{
    struct cadre_error error = {""};
    cadre_err err;

    if (pool == NULL || map == NULL)
        err = cadre_error_set(&error, CADRE_EINVAL,
                              "map: the pool and the map must not be NULL");
    else
        err = cadre_map_run(pool->farm, map, &error);
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
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
