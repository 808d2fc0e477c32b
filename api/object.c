/* object.c - what pools and executors have in common: a farm, and a place on
 * the list of what finalize ends. */
#include "internal.h"

#include "runtime/log.h"
#include "runtime/place.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cadre_object *open_objects, *destroyed_objects;

enum { RANKS_MAX = CADRE_BELLS_MAX / 2, MAX_PENDING = 1000000 };

/* What a submitter may be ahead of the workers, in bytes. They are never idle
 * because of it, so that more would not make anything quicker; and it leaves
 * small machines three quarters of their memory. */
static uint64_t default_max_bytes(void)
{
    const uint64_t most = UINT64_C(1) << 30;
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

    if (pages <= 0 || size <= 0 || (uint64_t)pages / 4 >= most / (uint64_t)size)
        return most;
    return (uint64_t)pages / 4 * (uint64_t)size;
}

/* --- options -------------------------------------------------------------- */

cadre_err cadre_option_check(const char *name, int value, int most,
                             struct cadre_error *error)
{
    if (value >= 0 && value <= most)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EINVAL,
                           "%s is %d: it can be 1 to %d, or 0 for the default",
                           name, value, most);
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

/* With how many teams the object would go on; 0: with no fewer than `teams`. */
static cadre_err count_least(const struct cadre_staffing *s, int teams,
                             int *least, struct cadre_error *error)
{
    int given = s->counts_ranks ? s->min_ranks : s->min_teams;
    int most = s->counts_ranks ? teams * s->ranks : teams;

    if (given < 0 || given > most)
        return cadre_error_set(error, CADRE_EINVAL,
                               "%s is %d: it can be 1 to %s, which is %d, or 0 "
                               "for all",
                               s->min_option, given, s->option, most);
    *least = s->counts_ranks ? (given + s->ranks - 1) / s->ranks : given;
    return CADRE_OK;
}

/* How many teams, and whether there is room for their ranks. */
static cadre_err count_teams(const struct cadre_staffing *s, int residents,
                             int *teams, int *least, struct cadre_error *error)
{
    int cores = cadre_host_cores();
    int room = cores > residents ? cores : residents;
    int all = residents > 0 ? residents : cores;
    int ranks = s->ranks;
    cadre_err err;

    if (s->max_ranks > 0 || s->counts_ranks) {
        int max_ranks = s->max_ranks > 0 ? s->max_ranks : all;

        if (max_ranks < ranks && s->max_ranks == 0)
            max_ranks = ranks;
        if (ranks > max_ranks)
            return cadre_error_set(
                error, CADRE_EINVAL, "%s is %d: it can be 1 to %s, which is %d",
                s->ranks_option, ranks, s->option, max_ranks);
        *teams = max_ranks / ranks;
    } else {
        *teams = s->teams > 0 ? s->teams : all / ranks > 1 ? all / ranks : 1;
    }
    if ((int64_t)*teams * ranks > RANKS_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "%d x %d ranks: there can be %d", *teams, ranks,
                               RANKS_MAX);
    if ((err = count_least(s, *teams, least, error)) != CADRE_OK)
        return err;
    if (*teams * ranks <= room || s->oversubscribe)
        return CADRE_OK;
    if (*least == 0 || *least * ranks > room)
        return cadre_error_set(
            error, CADRE_EINVAL,
            "%s is %d%s%s%s: there are %d cores and %d free resident workers; "
            "ask for fewer, or set oversubscribe",
            s->option, s->counts_ranks ? *teams * ranks : *teams,
            ranks > 1 && !s->counts_ranks ? ", of several ranks each" : "",
            *least > 0 ? ", and that is too many even with " : "",
            *least > 0 ? s->min_option : "", cores, residents);
    cadre_log(
        CADRE_LOG_WARN,
        "%s is %d: there are %d cores and %d free resident workers, going "
        "on with %d",
        s->option, s->counts_ranks ? *teams * ranks : *teams, cores, residents,
        s->counts_ranks ? room / ranks * ranks : room / ranks);
    *teams = room / ranks;
    return CADRE_OK;
}

static cadre_err check_isolation(const struct cadre_staffing *s,
                                 struct cadre_error *error)
{
    if (!s->isolate && (s->memory_bytes > 0 || s->cpu_s != 0))
        return cadre_error_set(error, CADRE_EINVAL,
                               "memory_bytes and cpu_s go with isolate");
    if (!(s->cpu_s >= 0 && s->cpu_s <= 1e6))
        return cadre_error_set(error, CADRE_EINVAL,
                               "cpu_s is %g: it can be 0 (without limit) to "
                               "1e6 seconds",
                               s->cpu_s);
    if (s->isolate && s->ranks > 1)
        return cadre_error_set(error, CADRE_EINVAL,
                               "isolate goes with teams of 1 rank: %s is %d",
                               s->ranks_option, s->ranks);
    return CADRE_OK;
}

static cadre_err check(const struct cadre_staffing *s,
                       struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    if (!(s->spawn_timeout_s >= 0 && s->spawn_timeout_s < 1e6))
        return cadre_error_set(error, CADRE_EINVAL,
                               "spawn_timeout_s is %g: it can be 0 (the "
                               "default) to 1e6 seconds",
                               s->spawn_timeout_s);
    if (!(s->task_timeout_s >= 0 && s->task_timeout_s <= 1e6))
        return cadre_error_set(error, CADRE_EINVAL,
                               "task_timeout_s is %g: it can be 0 (for ever) "
                               "to 1e6 seconds",
                               s->task_timeout_s);
    if (s->ranks_option != NULL)
        err = cadre_option_check(s->ranks_option, s->ranks, RANKS_MAX, error);
    if (err == CADRE_OK)
        err = cadre_option_check("threads_per_rank", s->threads_per_rank, 4096,
                                 error);
    if (err == CADRE_OK && s->gpus_option != NULL)
        err = cadre_option_check(s->gpus_option, s->gpus_per_rank, 1024, error);
    if (err == CADRE_OK && (s->placement < CADRE_PLACEMENT_DEFAULT ||
                            s->placement > CADRE_PLACEMENT_NONE))
        return cadre_error_set(error, CADRE_EINVAL,
                               "placement is %d: it is a CADRE_PLACEMENT_*",
                               (int)s->placement);
    if (err == CADRE_OK && s->option != NULL)
        err = cadre_option_check(s->option,
                                 s->counts_ranks ? s->max_ranks : s->teams,
                                 RANKS_MAX, error);
    if (err == CADRE_OK)
        err = check_isolation(s, error);
    if (err == CADRE_OK && s->init_function != NULL)
        err = cadre_function_check_init(s->init_function, error);
    return err;
}

/* --- places --------------------------------------------------------------- */

static bool wants_places(const struct cadre_staffing *s)
{
    return s->threads_per_rank > 0 || s->gpus_per_rank > 0 ||
           (s->placement != CADRE_PLACEMENT_DEFAULT &&
            s->placement != CADRE_PLACEMENT_NONE);
}

static enum cadre_place_policy policy_of(const struct cadre_staffing *s)
{
    switch (s->placement) {
    case CADRE_PLACEMENT_SCATTER:
        return CADRE_PLACE_SCATTER;
    case CADRE_PLACEMENT_NUMA:
        return CADRE_PLACE_NUMA;
    case CADRE_PLACEMENT_NONE:
        return CADRE_PLACE_NONE;
    case CADRE_PLACEMENT_DEFAULT:
    case CADRE_PLACEMENT_COMPACT:
        break;
    }
    return CADRE_PLACE_COMPACT;
}

/* A place for each rank; NULL where none is asked for. */
static cadre_err plan_places(const struct cadre_staffing *s,
                             struct cadre_engine *engine,
                             struct cadre_farm_options *options,
                             struct cadre_error *error)
{
    struct cadre_place_request request = {
        .ranks = (uint32_t)(options->teams * options->ranks),
        .threads_per_rank = (uint32_t)s->threads_per_rank,
        .gpus_per_rank = (uint32_t)s->gpus_per_rank,
        .ranks_per_team = (uint32_t)options->ranks,
        .policy = policy_of(s),
        .oversubscribe = s->oversubscribe};
    struct cadre_ledger *ledger;
    cadre_err err;

    if (!wants_places(s))
        return CADRE_OK;
    if (options->max_ranks > (int)request.ranks) { /* they form any team */
        request.ranks = (uint32_t)options->max_ranks;
        request.ranks_per_team = 1;
    }
    options->request = request;
    cadre_engine_lock(engine);
    err = cadre_engine_ledger(engine, &ledger, error);
    if (err == CADRE_OK)
        err = cadre_ledger_reserve(ledger, &request, &options->plan, error);
    cadre_engine_unlock(engine);
    if (err == CADRE_OK && options->plan->must_say)
        cadre_log(CADRE_LOG_WARN, "%s", options->plan->note);
    return err;
}

/* --- creating ------------------------------------------------------------- */

/* Workers that did not start need not be the end. */
static void hint_at_fewer(cadre_err err, const char *option,
                          struct cadre_error *error)
{
    size_t used = strlen(error->text);

    if (err == CADRE_ESPAWN || err == CADRE_ETIMEOUT)
        snprintf(error->text + used, sizeof error->text - used,
                 "; or set %s, to go on with those that do start", option);
}

static cadre_err get_farm(struct cadre_staffing s, struct cadre_object *object,
                          struct cadre_error *error)
{
    struct cadre_farm_options options = {
        .owner = object,
        .has_all_ranks = s.has_all_ranks,
        .has_store = s.has_store,
        .is_fresh = s.is_fresh,
        .init = s.init_function,
        .cwd = s.cwd,
        .spawn_timeout_s = s.spawn_timeout_s > 0 ? s.spawn_timeout_s : 60,
        .deadline_ns = cadre_ns_of(s.task_timeout_s),
        .max_waiting = s.max_pending > 0 ? s.max_pending : MAX_PENDING,
        .isolates = s.isolate,
        .memory = s.memory_bytes,
        .cpu_ms = (uint32_t)(s.cpu_s * 1e3) + (s.cpu_s > 0),
        .only_spawned =
            s.worker_program != NULL || s.cwd != NULL || s.is_fresh};
    struct cadre_engine *engine;
    char *program = NULL;
    int residents, least;
    cadre_err err;

    if ((err = check(&s, error)) != CADRE_OK ||
        (err = cadre_engine_current(&engine, error)) != CADRE_OK)
        return err;
    s.ranks = s.ranks > 0 ? s.ranks : 1;
    options.ranks = s.ranks;
    residents = options.only_spawned ? 0 : free_residents(engine);
    if ((err = count_teams(&s, residents, &options.teams, &least, error)) !=
        CADRE_OK)
        return err;
    options.min_ranks = least * s.ranks;
    if (s.counts_ranks && !s.is_fresh)
        options.max_ranks = s.max_ranks / s.ranks == options.teams
                                ? s.max_ranks
                                : options.teams * s.ranks;
    if (s.worker_program != NULL &&
        (err = cadre_program_find(s.worker_program, &program, error)) !=
            CADRE_OK)
        return err;
    options.program = program;
    object->oversubscribe = s.oversubscribe;
    object->max_bytes =
        s.max_pending_bytes > 0 ? s.max_pending_bytes : default_max_bytes();
    if ((err = plan_places(&s, engine, &options, error)) == CADRE_OK)
        err = cadre_farm_create(engine, &options, &object->farm, error);
    if (s.min_option != NULL && least == 0 && options.teams > 1)
        hint_at_fewer(err, s.min_option, error);
    free(program);
    return err;
}

static void put_on(struct cadre_object **list, struct cadre_object *object)
{
    pthread_mutex_lock(&lock);
    object->next = *list;
    *list = object;
    pthread_mutex_unlock(&lock);
}

cadre_err cadre_object_create(const char *kind,
                              const struct cadre_staffing *staffing,
                              struct cadre_object **object)
{
    struct cadre_error error = {""};
    struct cadre_object *o = calloc(1, sizeof *o);
    cadre_err err;

    if (object == NULL)
        err = cadre_error_set(&error, CADRE_EINVAL, "no place for the result");
    else if (o == NULL)
        err = cadre_error_set(&error, CADRE_ENOMEM, "out of memory");
    else
        err = get_farm(*staffing, o, &error);
    if (err != CADRE_OK) {
        free(o);
        cadre_error_prefix(&error, err, "%s: ", kind);
        return cadre_error_publish(&error, err);
    }
    o->kind = kind;
    put_on(&open_objects, o);
    *object = o;
    return CADRE_OK;
}

/* --- ending --------------------------------------------------------------- */

/* Take `object` off the list; false: it is not on it (any more). */
static bool take_off(struct cadre_object *object)
{
    struct cadre_object **at = &open_objects;
    bool found;

    pthread_mutex_lock(&lock);
    while (*at != NULL && *at != object)
        at = &(*at)->next;
    if ((found = *at != NULL))
        *at = object->next;
    pthread_mutex_unlock(&lock);
    return found;
}

/* CADRE_OK, or the first failure that nobody looked at. */
static cadre_err end(struct cadre_object *object, struct cadre_error *error)
{
    cadre_err err;

    if (object == NULL || !take_off(object))
        return CADRE_OK;
    cadre_futures_leave(object->farm);
    cadre_farm_destroy(object->farm);
    assert(object->bytes == 0);
    object->farm = NULL;
    put_on(&destroyed_objects, object);
    if ((err = cadre_unseen_close(&object->unseen, error)) != CADRE_OK)
        cadre_error_prefix(error, err, "%s: ", object->kind);
    return err;
}

cadre_err cadre_object_end(struct cadre_object *object)
{
    struct cadre_error error = {""};
    cadre_err err = end(object, &error);

    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

void cadre_object_destroy(struct cadre_object *object)
{
    struct cadre_error error = {""};

    if (end(object, &error) != CADRE_OK)
        cadre_log(CADRE_LOG_WARN, "%s", error.text);
}

/* Its tasks have not ended in time. Under the engine's lock. */
static void abort_tasks(struct cadre_object *object)
{
    uint64_t waiting = cadre_farm_pending(object->farm);
    struct cadre_error error;
    char running[512];

    cadre_farm_describe(object->farm, running, sizeof running);
    cadre_error_set(&error, CADRE_ECANCELLED,
                    "cadre_finalize: %s left open: %llu that wait are "
                    "cancelled%s%s (to wait for tasks, destroy or shut down "
                    "their object before)",
                    object->kind, (unsigned long long)waiting,
                    running[0] != '\0' ? ", and what runs is ended: " : "",
                    running);
    cadre_farm_abort(object->farm, &error);
}

/* False: somebody holds it. */
static bool end_aborted(struct cadre_object *object)
{
    const uint64_t told_ns = UINT64_C(1000000000); /* STOP_MS, and more */
    struct cadre_error error = {""};

    if (!cadre_farm_destroy_by(object->farm, cadre_now_ns() + told_ns)) {
        cadre_log(CADRE_LOG_WARN,
                  "cadre_finalize: %s left open: a callback still runs: "
                  "leaving without it",
                  object->kind);
        return false;
    }
    assert(object->bytes == 0);
    object->farm = NULL;
    if (cadre_unseen_close(&object->unseen, &error) != CADRE_OK)
        cadre_log(CADRE_LOG_WARN, "%s: %s", object->kind, error.text);
    return true;
}

/* All tasks together have until `deadline_ns`. */
static bool end_list(struct cadre_object *list, struct cadre_engine *e,
                     uint64_t deadline_ns)
{
    bool are_ended = true;

    for (struct cadre_object *o = list; o != NULL; o = o->next)
        cadre_futures_leave(o->farm);
    cadre_engine_lock(e);
    for (struct cadre_object *o = list; o != NULL; o = o->next)
        cadre_farm_close(o->farm, false);
    for (struct cadre_object *o = list; o != NULL; o = o->next) {
        if (!cadre_farm_drain_until(o->farm, deadline_ns))
            e->is_leaving = true;
    }
    for (struct cadre_object *o = list; o != NULL; o = o->next) {
        if (e->is_leaving && cadre_farm_is_busy(o->farm))
            abort_tasks(o);
    }
    cadre_engine_run_later(e);
    cadre_engine_unlock(e);
    while (list != NULL) {
        struct cadre_object *o = list;

        list = o->next;
        are_ended &= end_aborted(o);
        put_on(&destroyed_objects, o);
    }
    return are_ended;
}

bool cadre_objects_end_all(struct cadre_engine *engine, uint64_t deadline_ns)
{
    bool are_ended = true;

    while (are_ended) {
        struct cadre_object *list;

        pthread_mutex_lock(&lock);
        list = open_objects;
        open_objects = NULL;
        pthread_mutex_unlock(&lock);
        if (list == NULL)
            break;
        are_ended = end_list(list, engine, deadline_ns);
    }
    return are_ended;
}

cadre_err cadre_object_shutdown(struct cadre_object *object, unsigned flags)
{
    struct cadre_error error = {""};
    struct cadre_engine *e;

    if (object == NULL)
        return cadre_error_publish(
            &error, cadre_object_check(object, "shutdown", &error));
    if (object->farm == NULL)
        return CADRE_OK;
    e = cadre_farm_engine(object->farm);
    if ((flags & CADRE_NO_WAIT) == 0)
        cadre_futures_leave(object->farm);
    cadre_engine_lock(e);
    cadre_farm_close(object->farm, (flags & CADRE_CANCEL_FUTURES) != 0);
    cadre_engine_run_later(e);
    cadre_engine_wake(e);
    if ((flags & CADRE_NO_WAIT) == 0)
        cadre_farm_drain(object->farm);
    cadre_engine_unlock(e);
    return CADRE_OK;
}

/* --- asking --------------------------------------------------------------- */

cadre_err cadre_object_check(const struct cadre_object *object,
                             const char *call, struct cadre_error *error)
{
    if (object == NULL)
        return cadre_error_set(error, CADRE_EINVAL, "%s: the object is NULL",
                               call);
    if (object->farm == NULL)
        return cadre_error_set(error, CADRE_ECLOSED,
                               "%s: the object has been destroyed", call);
    return CADRE_OK;
}

uint64_t cadre_object_pending(struct cadre_object *object)
{
    struct cadre_engine *e;
    uint64_t n;

    if (object == NULL || object->farm == NULL)
        return 0;
    e = cadre_farm_engine(object->farm);
    cadre_engine_lock(e);
    cadre_engine_poll(e);
    n = cadre_farm_pending(object->farm);
    cadre_engine_run_later(e);
    cadre_engine_unlock(e);
    return n;
}

uint64_t cadre_object_pending_bytes(struct cadre_object *object)
{
    struct cadre_engine *e;
    uint64_t bytes;

    if (object == NULL || object->farm == NULL)
        return 0;
    e = cadre_farm_engine(object->farm);
    cadre_engine_lock(e);
    cadre_engine_poll(e);
    bytes = object->bytes;
    cadre_engine_run_later(e);
    cadre_engine_unlock(e);
    return bytes;
}

int cadre_object_teams(struct cadre_object *object)
{
    struct cadre_engine *e;
    int n;

    if (object == NULL || object->farm == NULL)
        return 0;
    e = cadre_farm_engine(object->farm);
    cadre_engine_lock(e);
    n = cadre_farm_teams(object->farm);
    cadre_engine_unlock(e);
    return n;
}

cadre_err cadre_object_resize(struct cadre_object *object, const char *option,
                              int teams)
{
    struct cadre_staffing s = {.teams = teams, .option = option};
    struct cadre_error error = {""};
    struct cadre_engine *e;
    cadre_err err = cadre_object_check(object, "resize", &error);
    int checked, least;

    if (err != CADRE_OK)
        return cadre_error_publish(&error, err);
    e = cadre_farm_engine(object->farm);
    s.ranks = cadre_farm_options_of(object->farm)->ranks;
    s.oversubscribe = object->oversubscribe;
    if (teams < 1)
        err = cadre_error_set(&error, CADRE_EINVAL,
                              "%s is %d: it can be 1 or "
                              "more",
                              option, teams);
    else
        err = count_teams(&s, free_residents(e) + cadre_object_teams(object),
                          &checked, &least, &error);
    if (err != CADRE_OK)
        return cadre_error_publish(&error, err);
    cadre_engine_lock(e);
    cadre_farm_resize(object->farm, teams);
    cadre_engine_unlock(e);
    return CADRE_OK;
}
