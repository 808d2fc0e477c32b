/* init.c - how a process becomes the controller or a worker, and how it ends.
 */
#include "internal.h"

#include "runtime/environment.h"
#include "runtime/log.h"
#include "runtime/sentinel.h"
#include "runtime/worker.h"
#include "runtime/worker_stored.h"

#include <cadre/mpi.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    RESIDENTS_ANSWER_S = 60, /* other ranks may be slow to reach cadre_init() */
    OPEN_S = 10,             /* tasks of what was left open may take so long, */
    NESTED_S = 2,            /* and those that a worker's tasks left open */
    FINALIZE_S = 20,         /* MPI_Finalize may take so long, ... */
    FAR_FINALIZE_S = 4,      /* ... in a worker that nobody watches meanwhile */
    GIVE_UP_S = 2,           /* ... or only so long after a failed check */
    RISKS_LEN = 256          /* of what cadre_environment_risks() says */
};

/* This process's part, between init and finalize. */
static struct {
    struct cadre_engine *engine; /* of the controller, or of a worker one of
                                    whose tasks has workers of its own */
    bool is_worker;
    bool has_begun;
    bool owns_mpi;
    bool keep_environment; /* its MPI settings are the program's choice */
    bool is_ending;        /* nothing can be opened any more */
    bool has_finalized;
} process;

const char *cadre_version(void)
{
    return CADRE_VERSION;
}

void cadre_set_mpi_environment(void)
{
    cadre_environment_set();
}

bool cadre_is_controller(void)
{
    return process.engine != NULL && !process.is_worker &&
           !process.has_finalized;
}

static cadre_err become_controller(int thread_level, bool keep_environment,
                                   struct cadre_error *error)
{
    cadre_err err = cadre_engine_create(thread_level, cadre_farms_check,
                                        &process.engine, error);

    if (err == CADRE_OK)
        process.engine->keep_environment = keep_environment;
    return err;
}

/* A task that submits tasks gets workers of its own, started by this process:
 * so it never waits for a place in the pool that it runs in itself. */
static cadre_err become_nested(struct cadre_error *error)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    cadre_err err = CADRE_OK;
    int level;

    MPI_Query_thread(&level);
    pthread_mutex_lock(&lock);
    if (process.engine == NULL)
        err = become_controller(level, process.keep_environment, error);
    pthread_mutex_unlock(&lock);
    return err;
}

struct cadre_engine *cadre_engine_now(void)
{
    return process.engine;
}

cadre_err cadre_engine_current(struct cadre_engine **engine,
                               struct cadre_error *error)
{
    if (process.engine == NULL && cadre_worker_is_in_task() &&
        become_nested(error) != CADRE_OK)
        return CADRE_ENOMEM;
    *engine = process.engine;
    if (process.engine != NULL && !process.is_ending)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_ESTATE, "%s",
                           process.is_ending || process.has_finalized
                               ? "cadre_finalize() has been called"
                               : "call cadre_init() first, in the controller");
}

/* --- ending
 * --------------------------------------------------------------------- */

/* When to leave, and with what, if MPI_Finalize does not return. */
struct watch {
    int status;
    int limit_s;
};

static void *watch_finalize(void *arg)
{
    const struct watch *w = arg;
    struct timespec limit = {.tv_sec = w->limit_s};

    nanosleep(&limit, NULL);
    cadre_log(CADRE_LOG_WARN, "MPI did not end in %d s: leaving without it",
              w->limit_s);
    fflush(stdout);
    _exit(w->status);
}

/* On another host nothing tells a worker any more that the controller is gone.
 */
static int worker_limit_s(void)
{
    return cadre_sentinel_has_listened() ? FAR_FINALIZE_S : FINALIZE_S;
}

/* MPI_Finalize, with a limit: a peer that has died, or is still busy, can hold
 * it up for ever. */
static void finalize_mpi(int status, int limit_s)
{
    static struct watch watch; /* the thread's, as long as it lives */
    pthread_t thread;

    watch = (struct watch){.status = status, .limit_s = limit_s};
    if (pthread_create(&thread, NULL, watch_finalize, &watch) == 0)
        pthread_detach(thread);
    MPI_Finalize();
}

static bool has_lost_any(const struct cadre_crew *crew)
{
    for (int i = 0; i < crew->nworkers; i++) {
        if (crew->workers[i].is_lost)
            return true;
    }
    return false;
}

/* Returns whether MPI can be ended: MPI_Finalize waits for every process of
 * this world, and may do so for ever if one of them has died. */
static bool dismiss_all(struct cadre_engine *e)
{
    bool can_end;

    cadre_engine_lock(e);
    can_end = !cadre_crew_spawn_is_out();
    while (e->crews != NULL) {
        if (e->crews->is_resident && has_lost_any(e->crews))
            can_end = false;
        cadre_engine_dismiss(e, e->crews);
    }
    cadre_engine_unlock(e);
    return can_end;
}

static uint64_t ns_from_now(double timeout_ms)
{
    if (!(timeout_ms >= 0 && timeout_ms < 1e12))
        return UINT64_MAX; /* for ever */
    return cadre_now_ns() + (uint64_t)(timeout_ms * 1e6);
}

/* End all objects and let the workers go. Returns whether MPI can be ended.
 * Where a callback does not return the engine stays, since it is used. */
static bool end_all(double timeout_ms)
{
    struct cadre_engine *e = process.engine;
    bool can_end;

    process.is_ending = true;
    cadre_sockets_close_all();
    if (!cadre_objects_end_all(e, ns_from_now(timeout_ms)))
        return false; /* the workers end with this process */
    can_end = dismiss_all(e);
    process.engine = NULL;
    cadre_engine_destroy(e);
    process.is_ending = false;
    return can_end;
}

int cadre_finalize_within(double timeout_ms)
{
    bool can_end;

    if (process.engine == NULL || process.has_finalized)
        return 0;
    can_end = end_all(timeout_ms);
    process.has_finalized = true;
    if (process.owns_mpi && can_end)
        finalize_mpi(0, FINALIZE_S);
    return 0;
}

int cadre_finalize(void)
{
    return cadre_finalize_within(1e3 * OPEN_S);
}

/* Workers are told to leave; nothing is waited for that might not come. */
_Noreturn void cadre_check_failed(cadre_err err, const char *call,
                                  const char *file, int line)
{
    const char *text = cadre_error_text();

    fflush(stdout);
    fprintf(stderr, "%s:%d: %.60s: %s\n", file, line, call,
            text[0] != '\0' ? text : cadre_strerror(err));
    if (process.engine != NULL && dismiss_all(process.engine) &&
        process.owns_mpi)
        finalize_mpi(1, GIVE_UP_S);
    _exit(1);
}

/* --- beginning
 * ------------------------------------------------------------------- */

/* What this worker's tasks have left open. */
static void end_nested(void)
{
    if (process.engine == NULL || end_all(1e3 * NESTED_S) || !process.owns_mpi)
        return;
    /* A thread still calls MPI, or starts processes that never come. */
    fflush(stdout);
    _exit(1);
}

/* A worker's whole life. */
static cadre_err work(MPI_Comm comm, MPI_Comm crew)
{
    struct cadre_error error = {""};
    char role[32];
    cadre_err err;
    int rank;

    MPI_Comm_rank(crew, &rank);
    snprintf(role, sizeof role, "worker %d", rank);
    cadre_log_role(role);
    process.is_worker = true;
    err = cadre_worker_run(comm, crew, &error);
    end_nested();
    process.is_worker = false;
    fflush(stdout);
    fflush(stderr);
    return err == CADRE_OK ? err : cadre_error_publish(&error, err);
}

/* The other ranks of `comm` are workers already. */
static cadre_err take_residents(MPI_Comm inter, struct cadre_error *error)
{
    struct cadre_engine *e = process.engine;
    struct cadre_crew *crew;
    cadre_err err;

    cadre_engine_lock(e);
    err = cadre_engine_add_crew(
        e, inter, NULL, 0, cadre_now_ns() + RESIDENTS_ANSWER_S * 1000000000ull,
        &crew, error);
    if (err == CADRE_OK)
        crew->is_resident = true;
    cadre_engine_unlock(e);
    return err;
}

/* Where MPI is the business of others: of mpirun, or of the program. */
static void warn_of(const char *risks)
{
    if (risks[0] != '\0')
        cadre_log(CADRE_LOG_WARN,
                  "MPI was started %s: start with 'cadre run -n N -- PROGRAM', "
                  "or have that in the environment before mpirun or MPI_Init",
                  risks);
}

/* Every rank of `comm` (ours) takes its part. On a worker returns when it has
 * been released. */
static cadre_err take_part(MPI_Comm comm, bool keep_environment,
                           struct cadre_error *error)
{
    MPI_Comm inter = MPI_COMM_NULL, side = MPI_COMM_NULL;
    int rank, size, thread_level;
    cadre_err err = CADRE_OK;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    MPI_Query_thread(&thread_level);
    if (size > 1 &&
        (err = cadre_crew_carve(comm, &inter, &side, error)) != CADRE_OK)
        return err;
    if (rank > 0) {
        err = work(inter, side);
        MPI_Comm_free(&side);
        return err;
    }
    if (side != MPI_COMM_NULL)
        MPI_Comm_free(&side);
    cadre_log_role("controller");
    if ((err = become_controller(thread_level, keep_environment, error)) ==
            CADRE_OK &&
        size > 1)
        err = take_residents(inter, error);
    return err;
}

static bool has_parent(void)
{
    MPI_Comm parent;

    MPI_Comm_get_parent(&parent);
    return parent != MPI_COMM_NULL;
}

/* This process was started by a controller: work for it, and leave. */
static _Noreturn void work_and_leave(void)
{
    MPI_Comm parent;
    cadre_err err = CADRE_EMPI;

    MPI_Comm_get_parent(&parent);
    if (parent != MPI_COMM_NULL)
        err = work(parent, MPI_COMM_WORLD);
    finalize_mpi(err == CADRE_OK ? 0 : 1, worker_limit_s());
    exit(err == CADRE_OK ? 0 : 1);
}

cadre_err
cadre_init_program_comm(MPI_Comm comm,
                        const struct cadre_task_record *const *tasks,
                        const struct cadre_task_record *const *tasks_end)
{
    struct cadre_error error = {""};
    struct cadre_process controller;
    MPI_Comm mine = MPI_COMM_NULL;
    char risks[RISKS_LEN];
    int is_initialized = 0, rank;
    cadre_err err;

    MPI_Initialized(&is_initialized);
    if (!is_initialized || process.has_begun)
        return cadre_error_publish(
            &(struct cadre_error){"cadre_init_comm: after MPI_Init, and once"},
            CADRE_ESTATE);
    process.has_begun = true;
    process.keep_environment = true;
    cadre_tasks_register(tasks, tasks_end);
    cadre_stored_register();
    if (cadre_crew_is_spawned(&controller) && has_parent()) {
        cadre_sentinel_start(&controller, true);
        work_and_leave();
    }
    err = cadre_mpi_err(MPI_Comm_dup(comm, &mine), "duplicate", &error);
    if (err == CADRE_OK) {
        MPI_Comm_set_errhandler(mine, MPI_ERRORS_RETURN);
        MPI_Comm_rank(mine, &rank);
        cadre_environment_risks(true, risks, sizeof risks);
        if (rank == 0)
            warn_of(risks);
        err = take_part(mine, true, &error);
        MPI_Comm_free(&mine);
    }
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

/* In a program started alone MPI_Init starts a daemon, which would share our
 * standard input and read from it what is meant for us. So it is started with
 * an empty one. Returns what restore_input() takes. */
static int hide_input(void)
{
    int input, nothing;

    if (getenv("PMIX_RANK") != NULL)
        return -1; /* under mpirun, whose business it is */
    input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input >= 0 && nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    if (nothing > STDIN_FILENO)
        close(nothing);
    return input;
}

static void restore_input(int input)
{
    if (input < 0)
        return;
    dup2(input, STDIN_FILENO);
    close(input);
}

static cadre_err start_mpi(int *argc, char ***argv, struct cadre_error *error)
{
    int level, input;
    cadre_err err;

    cadre_environment_set();
    input = hide_input();
    err =
        cadre_mpi_err(MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &level),
                      "MPI_Init", error);
    restore_input(input);
    cadre_environment_started();
    if (err == CADRE_OK)
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    return err;
}

cadre_err cadre_init_program(int *argc, char ***argv,
                             const struct cadre_task_record *const *tasks,
                             const struct cadre_task_record *const *tasks_end)
{
    struct cadre_error error = {""};
    struct cadre_process controller;
    bool is_spawned = cadre_crew_is_spawned(&controller);
    char risks[RISKS_LEN];
    int is_initialized = 0, rank;
    cadre_err err;

    MPI_Initialized(&is_initialized);
    if (is_initialized)
        return cadre_init_program_comm(MPI_COMM_WORLD, tasks, tasks_end);
    if (process.has_begun)
        return cadre_error_publish(
            &(struct cadre_error){"cadre_init has been called before"},
            CADRE_ESTATE);
    process.has_begun = true;
    process.owns_mpi = true;
    cadre_tasks_register(tasks, tasks_end);
    cadre_stored_register();
    if (is_spawned)
        cadre_sentinel_start(&controller, true);
    cadre_environment_risks(false, risks, sizeof risks);
    if ((err = start_mpi(argc, argv, &error)) != CADRE_OK)
        return cadre_error_publish(&error, err);
    if (is_spawned)
        work_and_leave();
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0)
        warn_of(risks);
    err = take_part(MPI_COMM_WORLD, false, &error);
    if (rank > 0) {
        finalize_mpi(err == CADRE_OK ? 0 : 1, worker_limit_s());
        exit(err == CADRE_OK ? 0 : 1);
    }
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

cadre_err cadre_child_begin(int *argc, char ***argv, MPI_Comm *comm,
                            struct cadre_error *error)
{
    struct cadre_process controller;
    int is_initialized = 0;
    cadre_err err;

    if (!cadre_crew_is_spawned(&controller))
        return cadre_error_set(error, CADRE_ESTATE,
                               "this program was not started by a controller "
                               "(cadre_socket_open): start it by one, or call "
                               "cadre_init()");
    if (process.has_begun)
        return cadre_error_set(error, CADRE_ESTATE,
                               "cadre_init() or cadre_socket_accept() has been "
                               "called before");
    process.has_begun = true;
    cadre_sentinel_start(&controller, true);
    MPI_Initialized(&is_initialized);
    process.owns_mpi = !is_initialized;
    if (!is_initialized && (err = start_mpi(argc, argv, error)) != CADRE_OK)
        return err;
    MPI_Comm_get_parent(comm);
    if (*comm != MPI_COMM_NULL)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_ESTATE,
                           "this program was not started by MPI_Comm_spawn");
}

void cadre_child_end(void)
{
    if (process.owns_mpi)
        finalize_mpi(0, worker_limit_s());
}
