/* crew_spawn.c - the two doors: new processes, and ranks that are there
 * already.
 *
 * MPI_Comm_spawn can hang for ever (a program that never calls MPI_Init; the
 * runtime losing a child's connection), and no MPI function ends it. So it is
 * called by a thread of its own, and whoever wants the workers waits for that
 * thread at most until the deadline. After a deadline the thread stays behind
 * with what it holds, and the processes it started are found by a token in
 * their environment and ended. Open MPI gives up as well, minutes later: until
 * then MPI cannot be ended in an orderly way, and nobody starts processes, but
 * where the start was one that may stray: who made it makes another.
 *
 *     call_spawn (thread)                    wait_for_spawn (who wants workers)
 *       enter: its turn, as some are alone     done ──► takes the communicator
 *       MPI_Comm_spawn                         deadline ──► abandons it, and
 *       leave                                              leaves in its place
 */
#include "crew.h"

#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Set for spawned workers: "TOKEN PID PID_NAMESPACE HOST". */
#define SPAWN_VARIABLE "CADRE_SPAWNED_BY"

/* One call of MPI_Comm_spawn, shared by who waits and the thread that calls. */
struct spawning {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
    bool is_abandoned; /* nobody waits any more: the thread frees this */
    char *program;
    char **argv;
    int count;
    MPI_Info info;
    char token[64];
    bool is_alone;  /* no other may be inside together with it, ... */
    bool is_inside; /* ... which it is */
    bool is_astray; /* abandoned, and others start all the same */
    int code;
    MPI_Comm comm;
};

/* Calls that have not come back, though nobody waits any more. */
static _Atomic int abandoned, astray;

static bool is_executable(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           access(path, X_OK) == 0;
}

/* `name` in folder `dir` (`len` characters), if it can be executed there. */
static char *in_folder(const char *dir, size_t len, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%.*s/%s", (int)len, dir, name) < 0)
        return NULL;
    if (is_executable(path))
        return path;
    free(path);
    return NULL;
}

static char *in_path(const char *name)
{
    const char *path = getenv("PATH");
    char *found = NULL;

    while (path != NULL && *path != '\0' && found == NULL) {
        size_t len = strcspn(path, ":");

        if (len > 0)
            found = in_folder(path, len, name);
        path += len + (path[len] == ':');
    }
    return found;
}

static char *this_program(void)
{
    return realpath("/proc/self/exe", NULL);
}

static char *beside_this_program(const char *name)
{
    char *self = this_program();
    char *slash = self != NULL ? strrchr(self, '/') : NULL;
    char *found = NULL;

    if (slash != NULL)
        found = in_folder(self, (size_t)(slash - self), name);
    free(self);
    return found;
}

cadre_err cadre_program_find(const char *name, char **path,
                             struct cadre_error *error)
{
    char *found = NULL;

    if (strchr(name, '/') != NULL) {
        if (is_executable(name))
            found = realpath(name, NULL);
    } else if ((found = beside_this_program(name)) == NULL &&
               (found = in_folder(CADRE_BINDIR, strlen(CADRE_BINDIR), name)) ==
                   NULL) {
        found = in_path(name);
    }
    if (found == NULL)
        return cadre_error_set(error, CADRE_ENOTFOUND,
                               "worker program '%s' %s: check the path, or "
                               "leave it out to run this program",
                               name,
                               strchr(name, '/') != NULL
                                   ? "does not exist or cannot be executed"
                                   : "is not beside this program, where Cadre "
                                     "is installed, or in PATH");
    *path = found;
    return CADRE_OK;
}

/* This program's arguments after the first, as the kernel keeps them. */
static char **own_arguments(void)
{
    FILE *f = fopen("/proc/self/cmdline", "r");
    char **argv = calloc(1, sizeof *argv);
    size_t n = 0, size = 0;
    char *line = NULL;

    while (f != NULL && argv != NULL && getdelim(&line, &size, 0, f) > 0) {
        char **grown = realloc(argv, (n + 2) * sizeof *argv);

        if (grown == NULL)
            break;
        argv = grown;
        argv[n++] = line;
        argv[n] = NULL;
        line = NULL;
        size = 0;
    }
    free(line);
    if (f != NULL)
        fclose(f);
    if (n > 0) { /* MPI wants them without the program's name */
        free(argv[0]);
        memmove(argv, argv + 1, n * sizeof *argv);
    }
    return argv;
}

/* A copy of `args`. NULL: out of memory. */
static char **copy_arguments(const char *const *args)
{
    size_t n = 0;
    char **argv;

    while (args[n] != NULL)
        n++;
    argv = calloc(n + 1, sizeof *argv);
    for (size_t i = 0; argv != NULL && i < n; i++) {
        if ((argv[i] = strdup(args[i])) == NULL) {
            while (i > 0)
                free(argv[--i]);
            free(argv);
            return NULL;
        }
    }
    return argv;
}

static void free_spawning(struct spawning *s)
{
    if (s == NULL)
        return;
    if (s->info != MPI_INFO_NULL)
        MPI_Info_free(&s->info);
    for (char **a = s->argv; a != NULL && *a != NULL; a++)
        free(*a);
    free(s->argv);
    free(s->program);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void make_token(char token[64])
{
    static _Atomic unsigned counter;
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    snprintf(token, 64, "cadre-%ld-%u-%lx%lx", (long)getpid(),
             atomic_fetch_add(&counter, 1), (unsigned long)t.tv_sec,
             (unsigned long)t.tv_nsec);
}

static void put_environment(struct spawning *s, const struct cadre_spawn *spawn,
                            const char *token)
{
    struct cadre_process self;
    char text[512];

    cadre_process_self(&self);
    snprintf(text, sizeof text, "%s=%s %d %llu %s%s%s", SPAWN_VARIABLE, token,
             (int)self.pid, (unsigned long long)self.pid_namespace, self.host,
             spawn->keep_environment ? "\nCADRE_KEEP_MPI_ENVIRONMENT=1" : "",
             spawn->avoid_memory ? "\nUCX_TLS=^mm,cma" : "");
    MPI_Info_set(s->info, "env", text);
}

static struct spawning *new_spawning(const struct cadre_spawn *spawn,
                                     const char *token)
{
    struct spawning *s = calloc(1, sizeof *s);
    char cwd[4096];

    if (s == NULL)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->comm = MPI_COMM_NULL;
    s->info = MPI_INFO_NULL;
    s->count = spawn->count;
    s->program =
        spawn->program != NULL ? strdup(spawn->program) : this_program();
    if (spawn->args != NULL)
        s->argv = copy_arguments(spawn->args);
    else if (spawn->program == NULL)
        s->argv = own_arguments();
    if (s->program == NULL || (spawn->args != NULL && s->argv == NULL) ||
        MPI_Info_create(&s->info) != MPI_SUCCESS) {
        free_spawning(s);
        return NULL;
    }
    snprintf(s->token, sizeof s->token, "%s", token);
    put_environment(s, spawn, token);
    MPI_Info_set(s->info, "bind_to", "none");
    /* Slots are counted by us: mpirun's own count would refuse more workers
     * than cores, and a refused spawn can leave it damaged. */
    if (getenv("OMPI_MCA_rmaps_base_oversubscribe") == NULL)
        MPI_Info_set(s->info, "map_by", "slot:OVERSUBSCRIBE");
    if (spawn->cwd != NULL && realpath(spawn->cwd, cwd) != NULL)
        MPI_Info_set(s->info, "wdir", cwd);
    else if (getcwd(cwd, sizeof cwd) != NULL)
        MPI_Info_set(s->info, "wdir", cwd);
    return s;
}

/* --- whose turn it is ------------------------------------------------------
 *
 * PMIx 4.2 has an array with an entry for each start of processes, of which it
 * still uses one, without a lock, when another thread adds the next. That
 * crashes where the array has no room left, is made twice as large, and moves.
 * So starts overlap, for their speed, but for those after which it may move:
 * the first eleven, then 13 to 19, 29 to 35, and so on. Their time runs while
 * they wait for their turn.
 */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;    /* of all starts */
    int inside;        /* calls of MPI_Comm_spawn that somebody waits for */
    bool has_alone;    /* one of them is alone */
    int waiting_alone; /* for the others to leave */
} starts = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .changed = PTHREAD_COND_INITIALIZER};

/* Is the `n`th start such a one? Where exactly depends on who started us. */
static bool is_near_power_of_2(unsigned n)
{
    enum { NEAR = 3 };
    unsigned power = 1;

    while (power + NEAR < n)
        power *= 2;
    return power <= n + NEAR;
}

static void enter(struct spawning *s)
{
    pthread_mutex_lock(&starts.lock);
    s->is_alone = is_near_power_of_2(++starts.count);
    starts.waiting_alone += s->is_alone;
    while (starts.has_alone ||
           (s->is_alone ? starts.inside : starts.waiting_alone) > 0)
        pthread_cond_wait(&starts.changed, &starts.lock);
    starts.waiting_alone -= s->is_alone;
    starts.has_alone = s->is_alone;
    starts.inside++;
    s->is_inside = true;
    pthread_mutex_unlock(&starts.lock);
}

/* Also for a call that nobody waits for any more: the others do not, either.
 * False: it was not inside. */
static bool leave(struct spawning *s)
{
    bool was_inside;

    pthread_mutex_lock(&starts.lock);
    was_inside = s->is_inside;
    if (was_inside) {
        starts.inside--;
        if (s->is_alone)
            starts.has_alone = false;
        s->is_inside = false;
        pthread_cond_broadcast(&starts.changed);
    }
    pthread_mutex_unlock(&starts.lock);
    return was_inside;
}

/* --- the call --------------------------------------------------------------
 */

/* On a communicator of its own: errors come back, and whatever error handler
 * the program has chosen for its communicators stays. */
static int spawn_alone(struct spawning *s)
{
    MPI_Comm self;
    int code = MPI_Comm_dup(MPI_COMM_SELF, &self);

    if (code != MPI_SUCCESS)
        return code;
    MPI_Comm_set_errhandler(self, MPI_ERRORS_RETURN);
    code = MPI_Comm_spawn(s->program, s->argv != NULL ? s->argv : MPI_ARGV_NULL,
                          s->count, s->info, 0, self, &s->comm,
                          MPI_ERRCODES_IGNORE);
    MPI_Comm_free(&self);
    return code;
}

static bool is_wanted(struct spawning *s)
{
    bool is;

    pthread_mutex_lock(&s->lock);
    is = !s->is_abandoned;
    pthread_mutex_unlock(&s->lock);
    return is;
}

/* Who is not waited for any more is not started. */
static int spawn_in_turn(struct spawning *s)
{
    int code = MPI_ERR_SPAWN;

    enter(s);
    if (is_wanted(s))
        code = spawn_alone(s);
    leave(s);
    return code;
}

static void *call_spawn(void *arg)
{
    struct spawning *s = arg;
    bool is_abandoned, is_astray;
    int code = spawn_in_turn(s);

    pthread_mutex_lock(&s->lock);
    s->code = code;
    s->is_done = true;
    is_abandoned = s->is_abandoned;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (is_abandoned) {
        /* They came later than they were ended. The communicator stays, as
         * does all that Open MPI knows of a peer. */
        if (code == MPI_SUCCESS)
            cadre_crew_end_strays(s->token, NULL);
        is_astray = s->is_astray;
        free_spawning(s); /* calls MPI, which may end after the next line */
        atomic_fetch_sub(is_astray ? &astray : &abandoned, 1);
    }
    return NULL;
}

/* Wait for the calling thread; false: the deadline passed and the thread now
 * owns `s`. */
static bool wait_for_spawn(struct spawning *s, const struct cadre_spawn *spawn)
{
    const uint64_t look_ns = 100000000; /* whether it is called off */
    uint64_t until = cadre_now_ns() + (uint64_t)(spawn->timeout_s * 1e9), now;
    bool is_done;

    pthread_mutex_lock(&s->lock);
    while (!s->is_done && (now = cadre_now_ns()) < until &&
           (spawn->is_called_off == NULL || !*spawn->is_called_off))
        cadre_wait_until(&s->changed, &s->lock,
                         until - now < look_ns ? until : now + look_ns);
    is_done = s->is_done;
    if (!is_done) {
        s->is_abandoned = true;
        s->is_astray = !leave(s) || spawn->may_stray;
        atomic_fetch_add(s->is_astray ? &astray : &abandoned, 1);
    }
    pthread_mutex_unlock(&s->lock);
    return is_done;
}

static cadre_err check_folder(const char *cwd, struct cadre_error *error)
{
    struct stat st;

    if (cwd == NULL)
        return CADRE_OK;
    if (stat(cwd, &st) != 0)
        return cadre_error_set(
            error, CADRE_ENOTFOUND,
            "working directory '%s': %s: create it, or leave "
            "cwd out",
            cwd, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return cadre_error_set(error, CADRE_ENOTFOUND,
                               "working directory '%s' is not a folder", cwd);
    return CADRE_OK;
}

bool cadre_crew_spawn_is_stuck(void)
{
    return atomic_load(&abandoned) > 0;
}

bool cadre_crew_spawn_is_out(void)
{
    return atomic_load(&abandoned) + atomic_load(&astray) > 0;
}

static cadre_err make_call(struct spawning *s, const struct cadre_spawn *spawn)
{
    pthread_t thread;

    if (!spawn->use_thread ||
        pthread_create(&thread, NULL, call_spawn, s) != 0) {
        s->code = spawn_in_turn(s);
        return CADRE_OK;
    }
    pthread_detach(thread);
    if (wait_for_spawn(s, spawn))
        return CADRE_OK;
    return CADRE_ETIMEOUT;
}

cadre_err cadre_crew_spawn(const struct cadre_spawn *spawn,
                           struct cadre_spawned *spawned,
                           struct cadre_error *error)
{
    struct spawning *s;
    cadre_err err;

    *spawned = (struct cadre_spawned){.comm = MPI_COMM_NULL};
    make_token(spawned->token);
    if ((err = check_folder(spawn->cwd, error)) != CADRE_OK)
        return err;
    if (spawn->program != NULL && !is_executable(spawn->program))
        return cadre_error_set(error, CADRE_ENOTFOUND,
                               "worker program '%s' cannot be executed",
                               spawn->program);
    if ((s = new_spawning(spawn, spawned->token)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    cadre_log(CADRE_LOG_INFO, "starting %d workers of %s", s->count,
              s->program);
    if (make_call(s, spawn) == CADRE_ETIMEOUT) {
        cadre_crew_end_strays(spawned->token, NULL);
        return cadre_error_set(
            error, CADRE_ETIMEOUT,
            "%d workers of '%s' did not start within %g s: is it a program "
            "that "
            "calls cadre_init()? If it is, start this one with 'cadre run' or "
            "alone, or raise spawn_timeout_s",
            spawn->count,
            spawn->program != NULL ? spawn->program : "this program",
            spawn->timeout_s);
    }
    spawned->comm = s->comm;
    err = cadre_mpi_err(s->code, "MPI_Comm_spawn", error);
    free_spawning(s);
    if (err == CADRE_OK)
        return CADRE_OK;
    return cadre_error_prefix(error, CADRE_ESPAWN,
                              "%d workers could not be started (start the "
                              "program with 'cadre run', or ask for fewer): ",
                              spawn->count);
}

/* Was process `pid` started with `token`? */
static bool carries(long pid, const char *token)
{
    char path[64], wanted[128], *entry = NULL;
    int len = snprintf(wanted, sizeof wanted, SPAWN_VARIABLE "=%s ", token);
    size_t size = 0;
    bool does = false;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/environ", pid);
    if ((f = fopen(path, "r")) == NULL)
        return false;
    while (!does && getdelim(&entry, &size, 0, f) > 0)
        does = strncmp(entry, wanted, (size_t)len) == 0;
    free(entry);
    fclose(f);
    return does;
}

/* The next process that carries `token`; 0: there are no more. */
static pid_t next_stray(DIR *proc, const char *token)
{
    struct dirent *entry;

    while ((entry = readdir(proc)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);

        if (pid > 1 && pid != (long)getpid() && carries(pid, token))
            return (pid_t)pid;
    }
    return 0;
}

/* (A worker in another namespace of processes has another number there.) */
static bool works_in(const struct cadre_crew *crew, long pid)
{
    struct cadre_process self;

    cadre_process_self(&self);
    for (int i = 0; crew != NULL && i < crew->nworkers; i++) {
        const struct cadre_worker *w = &crew->workers[i];

        if (w->is_welcome && !w->is_lost &&
            (w->process.pid == pid ||
             w->process.pid_namespace != self.pid_namespace))
            return true;
    }
    return false;
}

void cadre_crew_end_strays(const char *token, const struct cadre_crew *crew)
{
    DIR *proc = opendir("/proc");
    pid_t pid;

    while (proc != NULL && (pid = next_stray(proc, token)) > 0) {
        if (works_in(crew, pid))
            continue;
        cadre_log(CADRE_LOG_INFO, "ending process %ld, started in vain",
                  (long)pid);
        kill(pid, SIGKILL);
    }
    if (proc != NULL)
        closedir(proc);
}

int cadre_crew_count_strays(const char *token)
{
    DIR *proc = opendir("/proc");
    int n = 0;

    while (proc != NULL && next_stray(proc, token) > 0)
        n++;
    if (proc != NULL)
        closedir(proc);
    return n;
}

bool cadre_crew_is_on_one_host(void)
{
    static const char *const lists[] = {"OMPI_MCA_orte_default_hostfile",
                                        "SLURM_JOB_ID", "PBS_NODEFILE",
                                        "LSB_HOSTS", "PE_HOSTFILE"};
    const char *nodes = getenv("OMPI_MCA_orte_num_nodes");

    if (nodes != NULL) /* mpirun has said it */
        return strcmp(nodes, "1") == 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (getenv(lists[i]) != NULL)
            return false;
    }
    return true;
}

bool cadre_crew_is_spawned(struct cadre_process *controller)
{
    const char *text = getenv(SPAWN_VARIABLE);
    unsigned long long name_space;
    int pid;

    memset(controller, 0, sizeof *controller);
    if (text == NULL || sscanf(text, "%*63s %d %llu %63s", &pid, &name_space,
                               controller->host) != 3)
        return false;
    controller->pid = pid;
    controller->pid_namespace = name_space;
    return true;
}

cadre_err cadre_crew_carve(MPI_Comm comm, MPI_Comm *inter, MPI_Comm *side,
                           struct cadre_error *error)
{
    cadre_err err;
    int rank;

    *side = MPI_COMM_NULL;
    MPI_Comm_rank(comm, &rank);
    err = cadre_mpi_err(MPI_Comm_split(comm, rank == 0 ? 0 : 1, rank, side),
                        "split of the world", error);
    if (err == CADRE_OK)
        err = cadre_mpi_err(
            MPI_Intercomm_create(*side, 0, comm, rank == 0 ? 1 : 0, 77, inter),
            "intercommunicator", error);
    return err;
}
