/* mpi_chaos.c - workers die at random, in every way and at every moment; with
 * real workers, however the program was started.
 *
 * What dies when is drawn from a seed (CADRE_CHAOS_SEED), so that a run can be
 * repeated; when the system lets a worker die relative to all else is not. Each
 * task's outcome is known from the seed alone:
 *
 *     its fate is its own          it fails in just that way
 *     its worker is killed by      it is tried again until it succeeds
 *     somebody else
 *
 * The moments: before the first frame and in the init function; in a task; in a
 * collective call; while large arguments or results travel; idle; while it is
 * told to leave.
 */
#include "mpi_check.h"

#include <cadre/mpi.h>

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum fate {
    LIVES,
    EXITS,
    LEAVES,
    IS_KILLED,
    ABORTS_MPI,
    ABORTS_MPI_ELSEWHERE, /* in a thread of its own */
    MISUSES_MPI,
    CRASHES,
    HAS_NO_MEMORY,
    IS_FULL, /* its stack */
    BREAKS_BUS,
    DIVIDES_BY_0,
    IS_ILLEGAL,
    ABORTS,
    FATES
};

static const cadre_err wanted[FATES] = {[EXITS] = CADRE_EEXIT,
                                        [LEAVES] = CADRE_ELOST,
                                        [IS_KILLED] = CADRE_ELOST,
                                        [ABORTS_MPI] = CADRE_EEXIT,
                                        [ABORTS_MPI_ELSEWHERE] = CADRE_ELOST,
                                        [MISUSES_MPI] = CADRE_EMPI,
                                        [CRASHES] = CADRE_ECRASH,
                                        [HAS_NO_MEMORY] = CADRE_ECRASH,
                                        [IS_FULL] = CADRE_ECRASH,
                                        [BREAKS_BUS] = CADRE_ECRASH,
                                        [DIVIDES_BY_0] = CADRE_ECRASH,
                                        [IS_ILLEGAL] = CADRE_ECRASH,
                                        [ABORTS] = CADRE_ECRASH};

static uint64_t seed = 1;

/* --- random numbers (splitmix64) --------------------------------------------
 */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* 0 to n - 1, the same for the same `what` and `which` of one seed. */
static unsigned draw(unsigned what, unsigned which, unsigned n)
{
    return (unsigned)(mix(mix(seed ^ mix(what)) + which) % n);
}

/* --- tasks ------------------------------------------------------------------
 */

static volatile int *volatile nowhere;
static volatile int zero;

static void *abort_mpi(void *unused)
{
    (void)unused;
    MPI_Abort(MPI_COMM_WORLD, 1);
    return NULL;
}

static void abort_mpi_elsewhere(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, abort_mpi, NULL) == 0)
        pthread_join(thread, NULL);
}

/* As programs do that never ask whether there was memory. */
static void use_all_memory(void)
{
    struct rlimit limit;
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%ld", &pages) != 1)
        _exit(9);
    fclose(f);
    limit.rlim_cur = limit.rlim_max =
        (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (16 << 20);
    setrlimit(RLIMIT_AS, &limit);
    for (;;)
        *(volatile char *)malloc(4096) = 1;
}

static void touch_beyond_a_file(void)
{
    int fd = memfd_create("empty", 0);
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    *(volatile char *)page = 1;
}

static int fill_stack(int depth)
{
    volatile char much[4096];

    much[depth % 4096] = (char)depth;
    return depth < 0 ? depth : fill_stack(depth + 1) + much[0];
}

static void meet(int fate)
{
    switch (fate) {
    case ABORTS_MPI:
        MPI_Abort(MPI_COMM_WORLD, 2);
        break;
    case ABORTS_MPI_ELSEWHERE:
        abort_mpi_elsewhere();
        break;
    case HAS_NO_MEMORY:
        use_all_memory();
        break;
    case IS_FULL:
        zero = fill_stack(zero);
        break;
    case BREAKS_BUS:
        touch_beyond_a_file();
        break;
    case DIVIDES_BY_0:
        zero = 100 / zero;
        break;
    case IS_ILLEGAL:
#ifdef __x86_64__
        __asm__ volatile("ud2");
#else
        raise(SIGILL);
#endif
        break;
    case EXITS:
        exit(3);
    case LEAVES:
        _exit(0);
    case IS_KILLED:
        raise(SIGKILL);
        break;
    case CRASHES:
        *nowhere = 1;
        break;
    case ABORTS:
        abort();
    default:
        break;
    }
}

/* `n` numbers that only `key` determines. */
CADRE_TASK(uint64_t, work,
           (uint64_t key, int us, int fate, int n, CADRE_OUT uint64_t out[n],
            MPI_Comm comm))
{
    uint64_t sum = 0;

    usleep((useconds_t)us);
    for (int i = 0; i < n; i++) {
        if (i == n / 2 && fate == MISUSES_MPI)
            MPI_Send(&i, 1, MPI_INT, 99, 0, comm);
        else if (i == n / 2)
            meet(fate);
        sum += out[i] = mix(key + (uint64_t)i);
    }
    return sum;
}

static void *kill_later(void *arg)
{
    usleep((useconds_t)(uintptr_t)arg);
    raise(SIGKILL);
    return NULL;
}

/* Its process dies `after_us` from now: in this task, in the next one, while it
 * sends, idle, or while it leaves. */
CADRE_TASK(int, doom, (int after_us))
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, kill_later,
                       (void *)(uintptr_t)(unsigned)after_us) == 0)
        pthread_detach(thread);
    return after_us;
}

/* The same at its first attempt, with large arguments and results: in the task,
 * or while they travel. */
CADRE_TASK(int, exchange,
           (cadre_task * self, int after_us, int n, const uint64_t in[n],
            CADRE_OUT uint64_t out[n]))
{
    struct cadre_task_info info;

    cadre_task_describe(self, &info);
    if (after_us >= 0 && info.attempt == 1)
        doom(after_us);
    for (int i = 0; i < n; i++)
        out[i] = mix(in[i]);
    return n;
}

/* Its ranks talk for a while; at the first attempt one dies meanwhile. */
CADRE_TASK(double, talk,
           (cadre_task * self, int who, int after_us, MPI_Comm comm))
{
    static double numbers[2][5000];
    struct cadre_task_info info;

    cadre_task_describe(self, &info);
    if (info.rank == who && info.attempt == 1)
        doom(after_us);
    for (int i = 0; i < 5000; i++)
        numbers[0][i] = 1;
    for (int i = 0; i < 100; i++)
        MPI_Allreduce(numbers[0], numbers[1], 5000, MPI_DOUBLE, MPI_SUM, comm);
    return numbers[1][4999];
}

/* One rank of a team dies, before the others meet or while they wait. */
CADRE_TASK(int, meet_others, (int fate, int who, MPI_Comm comm))
{
    int rank, sum;

    MPI_Comm_rank(comm, &rank);
    if (rank == who && fate == MISUSES_MPI)
        MPI_Send(&rank, 1, MPI_INT, 99, 0, comm);
    else if (rank == who)
        meet(fate);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
    return sum;
}

/* --- workers that die while they start --------------------------------------
 */

/* How often has this been called in this folder, this time too? */
static int count_start(const char *name, int flags)
{
    int fd = open(name, O_WRONLY | O_APPEND | flags, 0600), n;

    if (fd < 0 || write(fd, "x", 1) != 1)
        return -1;
    n = (int)lseek(fd, 0, SEEK_END);
    close(fd);
    return n;
}

CADRE_INIT(dies_twice, (struct cadre_store * store))
{
    cadre_store_put(store, "ready", 1L);
    if (count_start("starts", O_CREAT) <= 2)
        _exit(1);
}

/* What cadre_init() calls. Workers that start where there is a file 'doomed'
 * die then: MPI has them, and they have not been greeted. Not at once: MPI has
 * them when their controller's call has come back, and Open MPI lets it wait
 * for minutes for who dies before. */
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    int code = PMPI_Init_thread(argc, argv, required, provided);
    int starts =
        getenv("CADRE_SPAWNED_BY") != NULL ? count_start("doomed", 0) : 0;

    if (starts == 1 || starts == 2)
        usleep(50000);
    if (starts == 1)
        _exit(1);
    if (starts == 2)
        raise(SIGKILL);
    return code;
}

CADRE_INIT(dies_always, (struct cadre_store * store))
{
    (void)store;
    raise(SIGKILL);
}

CADRE_INIT(crashes, (struct cadre_store * store))
{
    (void)store;
    *nowhere = 1;
}

/* --- helpers ----------------------------------------------------------------
 */

/* It ends within `s`, as it should. */
static void ends(struct cadre_future *f, cadre_err want)
{
    CHECK_OK(cadre_future_wait(f, 60000));
    CHECK_ERR(want, cadre_future_error(f, NULL));
    cadre_future_free(f);
}

static const struct cadre_task_options again = {.retries = 100,
                                                .retry_on = CADRE_RETRY_LOST};

static int length_of(unsigned i)
{
    static const int lengths[] = {1, 10, 100, 3000, 20000};

    return lengths[draw(1, i, 5)];
}

static struct cadre_future *submit_work(struct cadre_pool *pool, unsigned i,
                                        int fate,
                                        const struct cadre_task_options *how)
{
    return cadre_submit_with(pool, how, CADRE_FN(work), mix(seed + i),
                             (int)draw(2, i, 2000), fate, length_of(i));
}

static void check_work(struct cadre_future *f, unsigned i, int fate)
{
    static uint64_t out[20000];
    uint64_t got, sum = 0;
    bool is_same = true;

    cadre_err err;

    CHECK_OK(cadre_future_wait(f, 60000));
    err = cadre_future_result_within(f, 0, CADRE_INTO(&got, out));
    if (fate == HAS_NO_MEMORY && err == CADRE_ELOST)
        err = CADRE_ECRASH; /* there was none left to say so */
    check_err(err, wanted[fate], "a task's result", __LINE__, __FILE__);
    for (int k = 0; fate == LIVES && k < length_of(i); k++) {
        uint64_t x = mix(mix(seed + i) + (uint64_t)k);

        is_same &= out[k] == x;
        sum += x;
    }
    CU_ASSERT(is_same);
    CU_ASSERT(fate != LIVES || got == sum);
    cadre_future_free(f);
}

/* --- the tests --------------------------------------------------------------
 */

/* About 3 of 100 tasks end their worker. */
static void of_a_thousand_tasks_those_that_kill_their_worker_fail(void)
{
    enum { COUNT = 1000 };
    static struct cadre_future *f[COUNT];
    struct cadre_pool *pool = pool_of(4);
    int fates[COUNT];

    for (unsigned i = 0; i < COUNT; i++) {
        fates[i] = draw(3, i, 33) == 0 ? 1 + (int)draw(4, i, FATES - 1) : LIVES;
        f[i] = submit_work(pool, i, fates[i],
                           fates[i] == LIVES && draw(5, i, 2) == 0 ? &again
                                                                   : NULL);
    }
    for (unsigned i = 0; i < COUNT; i++)
        check_work(f[i], i, fates[i]);
    cadre_pool_destroy(pool);
}

/* Processes that die at any moment, with tasks that are tried again. */
static void who_is_tried_again_outlives_all_deaths(void)
{
    enum { COUNT = 600 };
    static struct cadre_future *f[COUNT];
    struct cadre_pool *pool = pool_of(3);

    for (unsigned i = 0; i < COUNT; i++) {
        if (draw(6, i, 40) == 0)
            cadre_future_free(
                cadre_submit(pool, CADRE_FN(doom), (int)draw(7, i, 30000)));
        f[i] = submit_work(pool, i, LIVES, &again);
    }
    for (unsigned i = 0; i < COUNT; i++)
        check_work(f[i], i, LIVES);
    cadre_pool_destroy(pool);
}

static void a_team_dies_with_its_rank(void)
{
    enum { COUNT = 60 };
    struct cadre_hpc_executor *e;
    struct cadre_future *f[COUNT];
    bool dies[COUNT];

    CADRE_CHECK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){
            .max_workers = 2, .cores_per_worker = 2, .oversubscribe = true},
        &e));
    for (unsigned i = 0; i < COUNT; i++) {
        dies[i] = draw(8, i, 12) == 0;
        f[i] = cadre_submit(e, CADRE_FN(meet_others),
                            dies[i] ? 1 + (int)draw(9, i, FATES - 1) : LIVES,
                            (int)draw(10, i, 2));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        int sums[2] = {0, 0};
        cadre_err err;

        CHECK_OK(cadre_future_wait(f[i], 60000));
        err = cadre_future_result_within(f[i], 0, CADRE_INTO(sums));
        if (dies[i])
            CU_ASSERT(err == CADRE_EEXIT || err == CADRE_ELOST ||
                      err == CADRE_ECRASH || err == CADRE_EMPI)
        else
            check_err(err, CADRE_OK, "a team that lives", __LINE__, __FILE__);
        CU_ASSERT(dies[i] || (sums[0] == 1 && sums[1] == 1));
        cadre_future_free(f[i]);
    }
    cadre_hpc_executor_destroy(e);
}

/* While the others of its world work on, which are not tried again. */
static void each_way_to_die_ends_no_more_than_its_task(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f[2 * FATES];

    for (unsigned i = 0; i < 2 * FATES; i++)
        f[i] = submit_work(pool, i, i % 2 == 0 ? LIVES : (int)i / 2, NULL);
    for (unsigned i = 0; i < 2 * FATES; i++)
        check_work(f[i], i, i % 2 == 0 ? LIVES : (int)i / 2);
    cadre_pool_destroy(pool);
}

static void workers_may_die_while_large_arrays_travel(void)
{
    enum { COUNT = 40, MOST = 400000 };
    static const int lengths[] = {2000, 20000, 100000, 150000, MOST};
    static uint64_t in[MOST], out[MOST];
    struct cadre_pool *pool = pool_of(3);
    struct cadre_future *f[COUNT];

    for (unsigned i = 0; i < MOST; i++)
        in[i] = i;
    for (unsigned i = 0; i < COUNT; i++)
        f[i] =
            cadre_submit_with(pool, &again, CADRE_FN(exchange),
                              draw(14, i, 3) == 0 ? (int)draw(15, i, 8000) : -1,
                              lengths[draw(16, i, 5)], CADRE_ARRAY(in));
    for (unsigned i = 0; i < COUNT; i++) {
        bool is_same = true;
        int n = 0;

        memset(out, 0, sizeof out);
        CHECK_OK(cadre_future_wait(f[i], 60000));
        CHECK_OK(cadre_future_result_within(f[i], 0, CADRE_INTO(&n, out)));
        CU_ASSERT_EQUAL(n, lengths[draw(16, i, 5)]);
        for (int k = 0; k < n; k++)
            is_same &= out[k] == mix((uint64_t)k);
        CU_ASSERT(is_same);
        cadre_future_free(f[i]);
    }
    cadre_pool_destroy(pool);
}

static void a_rank_may_die_in_a_collective_call(void)
{
    enum { COUNT = 12 };
    struct cadre_hpc_executor *e;
    struct cadre_future *f[COUNT];

    CADRE_CHECK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){
            .max_workers = 2, .cores_per_worker = 2, .oversubscribe = true},
        &e));
    for (unsigned i = 0; i < COUNT; i++)
        f[i] =
            cadre_submit_with(e, &again, CADRE_FN(talk),
                              (int)draw(17, i, 6) - 2, (int)draw(18, i, 10000));
    for (unsigned i = 0; i < COUNT; i++) {
        double sums[2] = {0, 0};

        CHECK_OK(cadre_future_wait(f[i], 60000));
        CHECK_OK(cadre_future_result_within(f[i], 0, CADRE_INTO(sums)));
        CU_ASSERT(sums[0] == 2 && sums[1] == 2);
        cadre_future_free(f[i]);
    }
    cadre_hpc_executor_destroy(e);
}

CADRE_TASK(int, who, (int us))
{
    usleep((useconds_t)us);
    return (int)getpid();
}

static void workers_may_die_while_they_are_idle(void)
{
    struct cadre_pool *pool = pool_of(3);

    for (unsigned i = 0; i < 5; i++) {
        struct cadre_future *f[3];
        int pid[3] = {0};

        for (unsigned k = 0; k < 3; k++)
            f[k] = cadre_submit_with(pool, &again, CADRE_FN(who), 2000);
        for (unsigned k = 0; k < 3; k++) {
            CHECK_OK(cadre_future_wait(f[k], 60000));
            CHECK_OK(cadre_future_result_within(f[k], 0, CADRE_INTO(&pid[k])));
            cadre_future_free(f[k]);
        }
        for (unsigned k = 0; k < 3; k++) {
            if (draw(19, 3 * i + k, 2) == 0 && pid[k] > 0)
                kill(pid[k], SIGKILL);
        }
        usleep(draw(20, i, 50000));
        for (unsigned k = 0; k < 10; k++)
            check_work(submit_work(pool, 10 * i + k, LIVES, &again), 10 * i + k,
                       LIVES);
    }
    cadre_pool_destroy(pool);
}

static struct cadre_pool_executor *executor_with(struct cadre_function *init,
                                                 int workers, const char *cwd)
{
    struct cadre_pool_executor *e = NULL;

    CADRE_CHECK(cadre_pool_executor_create(
        &(struct cadre_pool_executor_options){.max_workers = workers,
                                              .init_function = init,
                                              .oversubscribe = true,
                                              .cwd = cwd},
        &e));
    return e;
}

CADRE_TASK(int64_t, negative, (int64_t x))
{
    return -x;
}

CADRE_TASK(long, get_ready, (long ready))
{
    return ready;
}

static void workers_may_die_while_they_start(void)
{
    struct cadre_pool_executor *e;
    struct cadre_future *f;
    char folder[] = "/tmp/mpi_chaos.XXXXXX", path[64];
    long x = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/starts", folder);
    e = executor_with(CADRE_FN(dies_twice), 1, folder);
    f = cadre_submit(e, CADRE_FN(get_ready));
    CHECK_OK(cadre_future_wait(f, 60000));
    CHECK_OK(cadre_future_result_within(f, 0, CADRE_INTO(&x)));
    CU_ASSERT_EQUAL(x, 1);
    cadre_future_free(f);
    cadre_pool_executor_destroy(e);
    unlink(path);
    rmdir(folder);
}

/* Found out by looking, long before starting them has taken too long. */
static void workers_may_die_before_they_are_greeted(void)
{
    char folder[] = "/tmp/mpi_chaos.XXXXXX", path[64];
    struct cadre_spawn_pool *pool;
    int64_t in[] = {7}, out[] = {0};
    double start = seconds();
    FILE *f;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/doomed", folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f = fopen(path, "w"));
    fclose(f);
    CADRE_CHECK(cadre_spawn_pool_create(
        &(struct cadre_spawn_pool_options){
            .max_ranks = 1, .cwd = folder, .oversubscribe = true},
        &pool));
    CHECK_OK(cadre_spawn_pool_map(pool, CADRE_FN(negative), 1, CADRE_EACH(in),
                                  CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[0], -7);
    CU_ASSERT(seconds() - start < 45);
    cadre_spawn_pool_destroy(pool);
    unlink(path);
    rmdir(folder);
}

static void if_none_ever_starts_tasks_fail(void)
{
    struct cadre_pool_executor *e =
        executor_with(CADRE_FN(dies_always), 2, ".");
    struct cadre_future *f[3];

    for (int i = 0; i < 3; i++)
        f[i] = cadre_submit(e, CADRE_FN(doom), 0);
    for (int i = 0; i < 3; i++)
        ends(f[i], CADRE_ELOST);
    ends(cadre_submit(e, CADRE_FN(doom), 0), CADRE_ELOST);
    cadre_pool_executor_destroy(e);
}

static void a_crash_in_the_init_function_is_named(void)
{
    struct cadre_pool_executor *e = executor_with(CADRE_FN(crashes), 2, ".");
    struct cadre_future *f = cadre_submit(e, CADRE_FN(get_ready));

    CHECK_OK(cadre_future_wait(f, 60000));
    CHECK_ERR(CADRE_ECRASH, cadre_future_result(f, CADRE_NOTHING));
    CU_ASSERT_PTR_NOT_NULL(strstr(cadre_error_text(), "init function"));
    cadre_future_free(f);
    cadre_pool_executor_destroy(e);
}

/* New workers are coming, or about to die. */
static void a_pool_may_be_destroyed_while_workers_die(void)
{
    for (unsigned i = 0; i < 6; i++) {
        struct cadre_pool *pool = pool_of(2);
        struct cadre_future *f[4];

        for (unsigned k = 0; k < 4; k++)
            f[k] = k < 2 ? cadre_submit_with(pool, &again, CADRE_FN(doom),
                                             (int)draw(11, 4 * i + k, 20000))
                         : submit_work(pool, 4 * i + k, LIVES, &again);
        if (draw(12, i, 2) == 0)
            CHECK_OK(cadre_future_wait(f[0], 60000));
        usleep(draw(13, i, 30000));
        cadre_pool_destroy(pool);
        for (unsigned k = 0; k < 4; k++) {
            if (k < 2)
                ends(f[k], CADRE_OK);
            else
                check_work(f[k], 4 * i + k, LIVES);
        }
    }
}

/* First those in which tasks are not tried again. In the others processes are
 * killed at any moment, and one that is killed while it sends can block the
 * shared memory (touch.h): until that is found out, whoever is tried again
 * outlives it, and others do not. */
static const struct check_test tests[] = {
    CHECK(of_a_thousand_tasks_those_that_kill_their_worker_fail),
    CHECK(a_team_dies_with_its_rank),
    CHECK(each_way_to_die_ends_no_more_than_its_task),
    CHECK(workers_may_die_before_they_are_greeted),
    CHECK(workers_may_die_while_they_start),
    CHECK(if_none_ever_starts_tasks_fail),
    CHECK(a_crash_in_the_init_function_is_named),
    CHECK(who_is_tried_again_outlives_all_deaths),
    CHECK(workers_may_die_while_large_arrays_travel),
    CHECK(a_rank_may_die_in_a_collective_call),
    CHECK(workers_may_die_while_they_are_idle),
    CHECK(a_pool_may_be_destroyed_while_workers_die),
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    const char *text = getenv("CADRE_CHAOS_SEED");

    if (text != NULL)
        seed = strtoull(text, NULL, 10);
    CADRE_CHECK(cadre_init(&argc, &argv));
    fprintf(stderr, "seed %" PRIu64 "\n", seed);
    return check_run("mpi_chaos", tests);
}
