/* mpi_soak.c - what is left of many spawns, tasks and replaced crews.
 *
 *     mpi_soak [SPAWNS TASKS CREWS]
 *
 * SPAWNS crews of two are started and let go, TASKS tasks run, and CREWS teams
 * die and are replaced, all in one program. After each part it prints how the
 * controller and the daemon of MPI (mpirun, or the one behind a program started
 * alone) have grown since the part's first tenth: memory, descriptors, threads,
 * communicators.
 *
 * The bounds:
 *
 *     threads, communicators                none more: what a crew had is gone
 *     descriptors                           likewise, but for FEW_FDS that may
 *                                           be open just then: UCX asks by TCP
 *                                           whether a peer that died is there
 *     memory of a task                      none: 16 MB for all of them, as
 *                                           buffers of messages are kept, and
 *                                           grow to the largest they carried
 *     memory of a spawn                     what Open MPI itself keeps of one,
 *                                           seen in the same run from bare
 *                                           MPI_Comm_spawn and MPI_Comm_free,
 *                                           and 64 kB for the heap's breath
 *
 * How many communicators there are is told by the number of a new one: Open MPI
 * gives it the lowest that is free.
 */
#include "mpi_check.h"

#include <dirent.h>
#include <malloc.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    KB = 1024,
    MB = 1024 * 1024,
    BARE = 4,   /* one bare spawn for so many */
    FEW_FDS = 4 /* however many crews there were */
};

static long spawns = 40, tasks = 50000, crews = 10;

/* --- what there is ----------------------------------------------------------
 */

struct figures {
    double own, daemon;         /* bytes */
    double heap;                /* of them in use: the controller's malloc() */
    int own_fds, daemon_fds;    /* descriptors */
    int threads, communicators; /* the controller's */
};

/* The number behind `field` in /proc/PID/status. */
static double status_of(pid_t pid, const char *field)
{
    char path[64], line[256];
    size_t len = strlen(field);
    double value = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f = fopen(path, "r"));
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, field, len) == 0 && line[len] == ':')
            value = strtod(line + len + 1, NULL);
    }
    fclose(f);
    return value;
}

static bool is_called(pid_t pid, const char *name)
{
    char path[64], line[64] = "";
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    if ((f = fopen(path, "r")) == NULL)
        return false;
    if (fgets(line, sizeof line, f) != NULL)
        line[strcspn(line, "\n")] = '\0';
    fclose(f);
    return strcmp(line, name) == 0;
}

/* Numbers in folder `path`: descriptors, or processes. `pick` (NULL: any) says
 * which counts as `*found`. */
static int count_numbers(const char *path, bool (*pick)(pid_t), pid_t *found)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int n = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    while ((entry = readdir(dir)) != NULL) {
        pid_t number = (pid_t)strtol(entry->d_name, NULL, 10);

        if (entry->d_name[0] == '.')
            continue;
        n++;
        if (pick != NULL && number > 0 && pick(number))
            *found = number;
    }
    closedir(dir);
    return n;
}

static bool is_own_daemon(pid_t pid)
{
    return is_called(pid, "orted") && (pid_t)status_of(pid, "PPid") == getpid();
}

/* Open MPI's process that starts workers. */
static pid_t daemon_of(void)
{
    static pid_t daemon;

    if (daemon == 0)
        count_numbers("/proc", is_own_daemon, &daemon);
    if (daemon == 0)
        daemon = getppid();
    return daemon;
}

static int descriptors_of(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    return count_numbers(path, NULL, NULL);
}

static int communicators(void)
{
    MPI_Comm comm;
    int number;

    MPI_Comm_dup(MPI_COMM_SELF, &comm);
    number = (int)MPI_Comm_c2f(comm);
    MPI_Comm_free(&comm);
    return number;
}

static struct figures look(void)
{
    struct figures f = {.own_fds = descriptors_of(getpid()),
                        .daemon_fds = descriptors_of(daemon_of()),
                        .threads = (int)status_of(getpid(), "Threads"),
                        .communicators = communicators()};

    malloc_trim(0);
    f.own = status_of(getpid(), "VmRSS") * KB;
    f.daemon = status_of(daemon_of(), "VmRSS") * KB;
    f.heap = (double)mallinfo2().uordblks;
    return f;
}

/* What goes when a crew does goes a second later: wait for as little as in
 * `least`, NULL: for three seconds. */
static struct figures settle(const struct figures *least)
{
    double until = seconds() + (least != NULL ? 20 : 3);
    struct figures f;

    do {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        f = look();
    } while (seconds() < until &&
             (least == NULL || f.own_fds > least->own_fds ||
              f.daemon_fds > least->daemon_fds || f.threads > least->threads ||
              f.communicators > least->communicators));
    return f;
}

/* --- a part -----------------------------------------------------------------
 */

struct growth {
    double own, daemon, heap; /* bytes, for each */
};

static struct growth grown; /* by the last part */
static struct growth bare;  /* of a bare spawn */

static void report(const char *what, long count, const struct figures *a,
                   const struct figures *b)
{
    printf("\n    %ld %s: controller %.1f MB (%+.2f kB each, of them %+.2f on "
           "the heap), daemon %.1f MB (%+.2f kB each); descriptors %d (%+d), "
           "%d (%+d), threads %d (%+d), communicators %d (%+d)\n  ",
           count, what, b->own / MB, grown.own / KB, grown.heap / KB,
           b->daemon / MB, grown.daemon / KB, b->own_fds,
           b->own_fds - a->own_fds, b->daemon_fds,
           b->daemon_fds - a->daemon_fds, b->threads, b->threads - a->threads,
           b->communicators, b->communicators - a->communicators);
    fflush(stdout);
}

/* Do `once` `count` times; the first tenth of them is to become warm. */
static void repeat(const char *what, long count, long at_once,
                   void (*once)(void *), void *arg)
{
    long warm = count / 10, done = 0;
    struct figures before, after;

    for (; done < warm; done += at_once)
        once(arg);
    before = settle(NULL);
    warm = done;
    for (; done < count; done += at_once)
        once(arg);
    after = settle(&before);
    grown.own = (after.own - before.own) / (double)(done - warm);
    grown.daemon = (after.daemon - before.daemon) / (double)(done - warm);
    grown.heap = (after.heap - before.heap) / (double)(done - warm);
    report(what, done, &before, &after);
    CU_ASSERT(after.own_fds <= before.own_fds + FEW_FDS);
    CU_ASSERT(after.daemon_fds <= before.daemon_fds + FEW_FDS);
    CU_ASSERT(after.threads <= before.threads);
    CU_ASSERT(after.communicators <= before.communicators);
}

static void costs_no_more_than_bare(void)
{
    CU_ASSERT(grown.own <= bare.own + 64 * KB);
    CU_ASSERT(grown.daemon <= bare.daemon + 64 * KB);
}

/* --- spawns -----------------------------------------------------------------
 */

/* Two processes that begin and end MPI, with nothing of Cadre's between. */
static void spawn_bare(void *unused)
{
    char *argv[] = {(char[]){"bare"}, NULL};
    char *program = realpath("/proc/self/exe", NULL);
    MPI_Comm comm;
    MPI_Info info;

    (void)unused;
    CU_ASSERT_PTR_NOT_NULL_FATAL(program);
    MPI_Info_create(&info);
    MPI_Info_set(info, "bind_to", "none");
    MPI_Info_set(info, "map_by", "slot:OVERSUBSCRIBE");
    MPI_Comm_spawn(program, argv, 2, info, 0, MPI_COMM_SELF, &comm,
                   MPI_ERRCODES_IGNORE);
    MPI_Info_free(&info);
    free(program);
    MPI_Comm_free(&comm);
}

static void bare_spawns_show_what_open_mpi_keeps(void)
{
    repeat("bare spawns of 2", spawns / BARE > 20 ? spawns / BARE : 20, 1,
           spawn_bare, NULL);
    bare = grown;
}

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

static struct cadre_pool *pool_of_two(void)
{
    struct cadre_pool *pool;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2, .oversubscribe = true},
        &pool));
    return pool;
}

static void use_a_pool(void *unused)
{
    struct cadre_pool *pool = pool_of_two();
    int64_t in[] = {1, 2, 3, 4}, out[4] = {0};

    (void)unused;
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(square), 4, CADRE_EACH(in),
                            CADRE_INTO(out)));
    CU_ASSERT(out[0] == 1 && out[3] == 16);
    cadre_pool_destroy(pool);
}

static void a_spawn_leaves_only_what_open_mpi_keeps(void)
{
    repeat("pools of 2", spawns, 1, use_a_pool, NULL);
    costs_no_more_than_bare();
}

/* --- tasks ------------------------------------------------------------------
 */

enum { AT_ONCE = 1000 }; /* half of them single, half in a map */

static void run_tasks(void *arg)
{
    static struct cadre_future *f[AT_ONCE / 2];
    static int64_t in[AT_ONCE / 2], out[AT_ONCE / 2];
    struct cadre_pool *pool = arg;
    bool is_right = true;

    for (int64_t i = 0; i < AT_ONCE / 2; i++) {
        in[i] = i;
        f[i] = cadre_submit(pool, CADRE_FN(square), i);
    }
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(square), AT_ONCE / 2, CADRE_EACH(in),
                            CADRE_INTO(out)));
    for (int64_t i = 0; i < AT_ONCE / 2; i++) {
        int64_t x = 0;

        is_right &= cadre_future_result(f[i], CADRE_INTO(&x)) == CADRE_OK &&
                    x == i * i && out[i] == x;
        cadre_future_free(f[i]);
    }
    CU_ASSERT(is_right);
}

static void tasks_leave_nothing(void)
{
    struct cadre_pool *pool = pool_of_two();

    repeat("tasks", tasks, AT_ONCE, run_tasks, pool);
    CU_ASSERT(grown.own * (double)tasks <= 16 * MB);
    CU_ASSERT(grown.daemon * (double)tasks <= 16 * MB);
    cadre_pool_destroy(pool);
}

/* --- crews that die ---------------------------------------------------------
 */

CADRE_TASK(int, leave, (int status))
{
    _exit(status);
}

/* Both processes of the team end. */
static void lose_a_crew(void *arg)
{
    struct cadre_hpc_executor *e = arg;
    struct cadre_future *last = cadre_submit(e, CADRE_FN(leave), 1);
    struct cadre_future *next = cadre_submit(e, CADRE_FN(square), 3);
    int64_t out[2] = {0};

    CHECK_ERR(CADRE_ELOST, cadre_future_error(last, NULL));
    CHECK_OK(cadre_future_result(next, CADRE_INTO(out)));
    CU_ASSERT(out[0] == 9 && out[1] == 9);
    cadre_future_free(last);
    cadre_future_free(next);
}

static void a_replaced_crew_leaves_only_what_open_mpi_keeps(void)
{
    struct cadre_hpc_executor *e;

    CADRE_CHECK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){
            .max_workers = 1, .cores_per_worker = 2, .oversubscribe = true},
        &e));
    repeat("replaced crews of 2", crews, 1, lose_a_crew, e);
    costs_no_more_than_bare();
    cadre_hpc_executor_destroy(e);
}

static const struct check_test tests[] = {
    CHECK(bare_spawns_show_what_open_mpi_keeps),
    CHECK(a_spawn_leaves_only_what_open_mpi_keeps),
    CHECK(tasks_leave_nothing),
    CHECK(a_replaced_crew_leaves_only_what_open_mpi_keeps),
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "bare") == 0) {
        MPI_Init(NULL, NULL);
        return MPI_Finalize();
    }
    CADRE_CHECK(cadre_init(&argc, &argv));
    if (argc == 4) {
        spawns = strtol(argv[1], NULL, 10);
        tasks = strtol(argv[2], NULL, 10);
        crews = strtol(argv[3], NULL, 10);
    }
    return check_run("mpi_soak", tests);
}
