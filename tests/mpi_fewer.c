/* mpi_fewer.c - fewer workers than asked for: where cores are wanting, where
 * some do not come up, and where lost ones cannot be replaced; with real
 * workers, however the program was started.
 *
 * Where a gate is closed (its file is there), spawned processes do not become
 * workers: all, every second of those started together, or once the first.
 */
#include "mpi_check.h"

#include <fcntl.h>
#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

CADRE_TASK(int, twice, (int i))
{
    return 2 * i;
}

CADRE_TASK(int, nap, (int i, int ms))
{
    usleep((useconds_t)ms * 1000);
    return i;
}

CADRE_TASK(int, die, (int i))
{
    raise(SIGKILL);
    return i;
}

CADRE_TASK(int, size_of, (MPI_Comm comm))
{
    int size;

    MPI_Comm_size(comm, &size);
    return size;
}

/* Its name is the same in all processes of a run, thanks to the judge. */
static const char *gate(const char *which)
{
    static char path[128];
    const char *mark = getenv("CADRE_TEST_MARK");

    snprintf(path, sizeof path, "/tmp/mpi_fewer.%s.%s", which,
             mark != NULL ? mark : "by-hand");
    return path;
}

static void close_gate(const char *which)
{
    int fd = open(gate(which), O_CREAT | O_WRONLY, 0600);

    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
}

static void open_gate(const char *which)
{
    unlink(gate(which));
}

static void pass_gates(void)
{
    int rank;

    if (getenv("CADRE_SPAWNED_BY") == NULL)
        return;
    if (unlink(gate("once")) == 0)
        pause();
    while (access(gate("all"), F_OK) == 0)
        usleep(10000);
    if (access(gate("second"), F_OK) != 0)
        return;
    MPI_Init(NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    while (rank % 2 == 1)
        sleep(1000);
}

static int cores(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    return CPU_COUNT(&set);
}

static struct cadre_pool *pool_with(const struct cadre_pool_options *options)
{
    struct cadre_pool *pool = NULL;

    CHECK_OK(cadre_pool_create(options, &pool));
    CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
    return pool;
}

static void all_are_right(struct cadre_pool *pool)
{
    int in[100], out[100] = {0};

    for (int i = 0; i < 100; i++)
        in[i] = i;
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(twice), 100, CADRE_EACH(in),
                            CADRE_INTO(out)));
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(out[i], 2 * i);
}

static void lose_one(struct cadre_pool *pool)
{
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(die), 1);

    CHECK_ERR(CADRE_ELOST, cadre_future_error(f, NULL));
    cadre_future_free(f);
}

/* --- at the start --------------------------------------------------------- */

static void where_cores_are_wanting_there_are_fewer_workers(void)
{
    enum { RESIDENTS = 4 }; /* at most, in the tests */
    int many = cores() + RESIDENTS + 3;
    struct cadre_pool_options o = {.max_workers = many, .min_workers = 1};
    struct cadre_pool *pool = NULL;
    char said[4096];
    cadre_err err;

    listen_begin();
    err = cadre_pool_create(&o, &pool);
    listen_end(said, sizeof said);
    CU_ASSERT_EQUAL_FATAL(err, CADRE_OK);
    CU_ASSERT(cadre_pool_workers(pool) >= cores());
    CU_ASSERT(cadre_pool_workers(pool) < many);
    CU_ASSERT_EQUAL(times(said, "going on with"), 1);
    all_are_right(pool);
    cadre_pool_destroy(pool);
    o.min_workers = many;
    CHECK_ERR(CADRE_EINVAL, cadre_pool_create(&o, &pool));
    CHECK_SAYS("too many even with min_workers");
    o.min_workers = 0;
    CHECK_ERR(CADRE_EINVAL, cadre_pool_create(&o, &pool));
    CHECK_SAYS("ask for fewer");
}

static void less_than_the_most_is_wanted_at_least(void)
{
    struct cadre_pool_options o = {
        .max_workers = 2, .oversubscribe = true, .min_workers = 3};
    struct cadre_spawn_pool_options s = {
        .max_ranks = 4, .ranks_per_task = 2, .min_ranks = -1};
    struct cadre_spawn_pool *spawn_pool;
    struct cadre_pool *pool;

    CHECK_ERR(CADRE_EINVAL, cadre_pool_create(&o, &pool));
    CHECK_SAYS("min_workers is 3: it can be 1 to max_workers, which is 2");
    CHECK_ERR(CADRE_EINVAL, cadre_spawn_pool_create(&s, &spawn_pool));
    CHECK_SAYS("min_ranks is -1");
}

/* Every second of four comes up. */
static void where_some_do_not_come_up_the_others_work(void)
{
    struct cadre_pool_options o = {.max_workers = 4,
                                   .min_workers = 3,
                                   .oversubscribe = true,
                                   .cwd = "/tmp", /* no resident worker */
                                   .spawn_timeout_s = 8};
    struct cadre_pool *pool = NULL;
    char said[4096];
    cadre_err err;

    close_gate("second");
    CHECK_ERR(CADRE_ETIMEOUT, cadre_pool_create(&o, &pool));
    o.min_workers = 2;
    listen_begin();
    err = cadre_pool_create(&o, &pool);
    listen_end(said, sizeof said);
    CU_ASSERT_EQUAL_FATAL(err, CADRE_OK);
    CU_ASSERT_EQUAL(times(said, "going on with 2 of 4 workers"), 1);
    CU_ASSERT_EQUAL(cadre_pool_workers(pool), 2);
    open_gate("second");
    all_are_right(pool);
    lose_one(pool); /* and another takes its place, but no more than that */
    for (int i = 0; i < 1000 && cadre_pool_workers(pool) != 2; i++)
        usleep(10000);
    usleep(300000);
    CU_ASSERT_EQUAL(cadre_pool_workers(pool), 2);
    all_are_right(pool);
    cadre_pool_destroy(pool);
}

static void a_gang_is_smaller_too(void)
{
    struct cadre_spawn_pool_options o = {.max_ranks = 4,
                                         .min_ranks = 2,
                                         .keep_teams = true,
                                         .oversubscribe = true,
                                         .cwd = "/tmp",
                                         .spawn_timeout_s = 8};
    struct cadre_task_options three = {.ranks = 3}, two = {.ranks = 2};
    struct cadre_spawn_pool *pool = NULL;
    struct cadre_future *f;
    int size = 0;

    close_gate("second");
    CHECK_OK(cadre_spawn_pool_create(&o, &pool));
    open_gate("second");
    CU_ASSERT_EQUAL_FATAL(cadre_teams(pool), 2);
    f = cadre_submit_with(pool, &two, CADRE_FN(size_of));
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&size)));
    CU_ASSERT_EQUAL(size, 2);
    cadre_future_free(f);
    f = cadre_submit_with(pool, &three, CADRE_FN(size_of));
    CHECK_ERR(CADRE_EINVAL, cadre_future_error(f, NULL));
    cadre_future_free(f);
    cadre_spawn_pool_destroy(pool);
}

/* --- later ---------------------------------------------------------------- */

/* A copy of this program, beside it, which can be taken away. */
static void copy_program(char path[PATH_MAX])
{
    char command[4 * PATH_MAX], self[PATH_MAX - 32];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    CU_ASSERT_FATAL(n > 0);
    self[n] = '\0';
    snprintf(path, PATH_MAX, "%s.%d", self, (int)getpid());
    snprintf(command, sizeof command, "cp '%s' '%s.new' && mv '%s.new' '%s'",
             self, path, path, path);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

/* It fails at once to start new ones, and then does not. */
static void lost_workers_come_back_as_soon_as_they_can(void)
{
    struct cadre_pool *pool;
    char path[PATH_MAX], said[65536];
    double lost;

    copy_program(path);
    pool = pool_with(&(struct cadre_pool_options){
        .max_workers = 2, .oversubscribe = true, .worker_program = path});
    unlink(path);
    listen_begin();
    lose_one(pool);
    lost = seconds();
    while (seconds() - lost < 2)
        all_are_right(pool);
    CU_ASSERT_EQUAL(cadre_pool_workers(pool), 1);
    copy_program(path);
    for (int i = 0; i < 3000 && cadre_pool_workers(pool) != 2; i++)
        usleep(10000);
    listen_end(said, sizeof said);
    CU_ASSERT_EQUAL(cadre_pool_workers(pool), 2);
    CU_ASSERT(times(said, "no new workers") > 0);
    CU_ASSERT(times(said, "no new workers") < 8); /* not with every result */
    unlink(path);
    cadre_pool_destroy(pool);
}

static void where_none_is_left_tasks_fail_and_say_why(void)
{
    struct cadre_pool *pool;
    struct cadre_future *f[3];
    char path[PATH_MAX];
    double start;

    copy_program(path);
    pool = pool_with(&(struct cadre_pool_options){
        .max_workers = 2, .oversubscribe = true, .worker_program = path});
    unlink(path);
    start = seconds();
    lose_one(pool);
    f[0] = cadre_submit(pool, CADRE_FN(die), 1);
    f[1] = cadre_submit(pool, CADRE_FN(twice), 1);
    f[2] = cadre_submit(pool, CADRE_FN(twice), f[1]);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(cadre_future_wait(f[i], 60000));
        CU_ASSERT(cadre_future_error(f[i], NULL) != CADRE_OK);
    }
    CHECK_ERR(CADRE_ENOTFOUND, cadre_future_result(f[1], CADRE_NOTHING));
    CHECK_SAYS("no worker is left");
    CHECK_SAYS(path);
    CU_ASSERT(seconds() - start > 2); /* it was tried more than once */
    for (int i = 0; i < 3; i++)
        cadre_future_free(f[i]);
    cadre_pool_destroy(pool);
}

/* Of a program that has started before: what does not come back is started
 * again, long before the deadline. */
static void a_start_that_goes_astray_is_made_again(void)
{
    struct cadre_pool_options o = {
        .max_workers = 1, .oversubscribe = true, .cwd = "/tmp"};
    struct cadre_pool *pool = pool_with(&o), *again = NULL;
    char said[4096];
    double start;

    all_are_right(pool);
    close_gate("once");
    listen_begin();
    start = seconds();
    again = pool_with(&o);
    listen_end(said, sizeof said);
    CU_ASSERT(seconds() - start > 9 && seconds() - start < 40);
    CU_ASSERT_EQUAL(times(said, "they are started again"), 1);
    all_are_right(again);
    all_are_right(pool);
    cadre_pool_destroy(again);
    /* What never came back is in nobody's way. */
    again = pool_with(&o);
    all_are_right(again);
    cadre_pool_destroy(again);
    cadre_pool_destroy(pool);
}

/* The last test, as MPI is stuck then: the replacement never comes up. */
static void a_start_that_hangs_leaves_what_lives_at_work(void)
{
    enum { PATIENCE_S = 6 };
    struct cadre_pool_options o = {.max_workers = 2,
                                   .oversubscribe = true,
                                   .cwd = "/tmp",
                                   .spawn_timeout_s = PATIENCE_S};
    struct cadre_spawn_pool *gang = NULL;
    struct cadre_pool *pool = pool_with(&o), *small;
    struct cadre_future *f;
    double lost;
    char said[4096];

    CHECK_OK(cadre_spawn_pool_create(
        &(struct cadre_spawn_pool_options){.max_ranks = 2,
                                           .ranks_per_task = 2,
                                           .keep_teams = true,
                                           .oversubscribe = true,
                                           .cwd = "/tmp",
                                           .spawn_timeout_s = PATIENCE_S},
        &gang));
    close_gate("all");
    listen_begin();
    lose_one(pool);
    lost = seconds();
    while (seconds() - lost < PATIENCE_S + 2)
        all_are_right(pool);
    listen_end(said, sizeof said);
    CU_ASSERT_EQUAL(times(said, "goes on with the 1 there are"), 1);
    CU_ASSERT_EQUAL(cadre_pool_workers(pool), 1);
    /* One of a team of two is gone, and cannot be replaced: it does not hang */
    f = cadre_submit(gang, CADRE_FN(die), 1);
    CHECK_ERR(CADRE_ELOST, cadre_future_error(f, NULL));
    cadre_future_free(f);
    f = cadre_submit(gang, CADRE_FN(twice), 1);
    CHECK_OK(cadre_future_wait(f, 30000));
    CU_ASSERT_EQUAL(cadre_future_state(f), CADRE_FUTURE_FAILED);
    cadre_future_free(f);
    cadre_spawn_pool_destroy(gang);
    lose_one(pool);
    f = cadre_submit(pool, CADRE_FN(twice), 1);
    CHECK_OK(cadre_future_wait(f, 30000));
    CHECK_ERR(CADRE_ELOST, cadre_future_result(f, CADRE_NOTHING));
    CHECK_SAYS("has not come back");
    cadre_future_free(f);
    cadre_pool_destroy(pool);
    CHECK_ERR(CADRE_ESPAWN, cadre_pool_create(&o, &small));
    open_gate("all");
}

/* Open MPI has no slot to spare here and is told not to oversubscribe: it
 * refuses, however few are asked for. (Under mpirun it would end the job.) */
static void where_open_mpi_refuses_the_error_says_what_to_change(void)
{
    struct cadre_pool_options o = {.max_workers = 8, .oversubscribe = true};
    struct cadre_pool *pool = NULL;
    double start = seconds();

    CHECK_ERR(CADRE_ESPAWN, cadre_pool_create(&o, &pool));
    CHECK_SAYS("8 workers could not be started");
    CHECK_SAYS("set min_workers");
    o.min_workers = 1;
    CHECK_ERR(CADRE_ESPAWN, cadre_pool_create(&o, &pool));
    CHECK_SAYS("1 workers could not be started"); /* it was tried */
    CU_ASSERT(seconds() - start < 30);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(where_cores_are_wanting_there_are_fewer_workers),
        CHECK(less_than_the_most_is_wanted_at_least),
        CHECK(where_some_do_not_come_up_the_others_work),
        CHECK(a_gang_is_smaller_too),
        CHECK(lost_workers_come_back_as_soon_as_they_can),
        CHECK(where_none_is_left_tasks_fail_and_say_why),
        CHECK(a_start_that_goes_astray_is_made_again),
        CHECK(a_start_that_hangs_leaves_what_lives_at_work),
        {NULL, NULL}};
    static const struct check_test slots[] = {
        CHECK(where_open_mpi_refuses_the_error_says_what_to_change),
        {NULL, NULL}};
    int status;

    pass_gates();
    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("fewer", argc > 1 ? slots : tests);
    cadre_finalize();
    return status;
}
