/* mpi_pool_faults.c - options that cannot be, and workers that die. */
#include "mpi_pool.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- options
 * -------------------------------------------------------------------- */

CADRE_TASK(char *, where, (int i))
{
    (void)i;
    return getcwd(NULL, 0);
}

/* Processes that carry this controller's mark. */
static int workers_alive(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    char mark[64], text[65536], path[300];
    int n = 0;

    snprintf(mark, sizeof mark, "CADRE_SPAWNED_BY=cadre-%ld-", (long)getpid());
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        size_t len;
        FILE *f;

        snprintf(path, sizeof path, "/proc/%s/environ", entry->d_name);
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
            (f = fopen(path, "r")) == NULL)
            continue;
        len = fread(text, 1, sizeof text, f);
        n += memmem(text, len, mark, strlen(mark)) != NULL;
        fclose(f);
    }
    if (proc != NULL)
        closedir(proc);
    return n;
}

/* Spawned workers of earlier tests take a moment to leave. */
static int settled_workers(void)
{
    for (int i = 0; i < 50 && workers_alive() > 0; i++)
        usleep(100000);
    return workers_alive();
}

static void bad_options_are_named_and_start_nothing(void)
{
    const struct {
        struct cadre_pool_options options;
        cadre_err err;
        const char *name, *value, *remedy;
    } bad[] = {
        {{.max_workers = -1}, CADRE_EINVAL, "max_workers", "-1", "0 for"},
        {{.max_workers = INT_MAX, .oversubscribe = true},
         CADRE_EINVAL,
         "max_workers",
         "2147483647",
         "1 to"},
        {{.max_workers = 500}, CADRE_EINVAL, "max_workers", "500", "fewer"},
        {{.max_workers = 1, .spawn_timeout_s = -2},
         CADRE_EINVAL,
         "spawn_timeout_s",
         "-2",
         "0 (the default)"},
        {{.max_workers = 1, .spawn_timeout_s = NAN},
         CADRE_EINVAL,
         "spawn_timeout_s",
         "nan",
         "0 (the default)"},
        {{.max_workers = 1, .oversubscribe = true, .cwd = "/no/such/folder"},
         CADRE_ENOTFOUND,
         "directory",
         "/no/such/folder",
         "leave cwd out"},
        {{.max_workers = 1, .oversubscribe = true, .cwd = "/proc/version"},
         CADRE_ENOTFOUND,
         "directory",
         "/proc/version",
         "not a folder"},
        {{.max_workers = 1,
          .oversubscribe = true,
          .worker_program = "/no/such/program"},
         CADRE_ENOTFOUND,
         "worker program",
         "/no/such/program",
         "check the path"},
        {{.max_workers = 1,
          .oversubscribe = true,
          .worker_program = "no-such-program"},
         CADRE_ENOTFOUND,
         "worker program",
         "no-such-program",
         "check the path"},
    };
    struct cadre_pool *pool = NULL;
    int before = settled_workers();
    double start = seconds();

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_ERR(bad[i].err, cadre_pool_create(&bad[i].options, &pool));
        CU_ASSERT_PTR_NULL(pool);
        CHECK_SAYS(bad[i].name);
        CHECK_SAYS(bad[i].value);
        CHECK_SAYS(bad[i].remedy);
    }
    CU_ASSERT(seconds() - start < 1);
    CU_ASSERT_EQUAL(workers_alive(), before);
}

static void workers_run_in_the_folder_they_were_given(void)
{
    char folder[] = "/tmp/cadre-test-XXXXXX", *out[2] = {NULL}, *here, *real;
    struct cadre_pool *pool;
    int in[] = {1, 2};

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    here = getcwd(NULL, 0);
    real = realpath(folder, NULL);
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){
            .max_workers = 1, .oversubscribe = true, .cwd = folder},
        &pool));
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(where), 2, CADRE_EACH(in),
                            CADRE_INTO(out)));
    cadre_pool_destroy(pool);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_STRING_EQUAL(out[i], real);
        free(out[i]);
        out[i] = NULL;
    }
    pool = pool_of(1);
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(where), 2, CADRE_EACH(in),
                            CADRE_INTO(out)));
    cadre_pool_destroy(pool);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_STRING_EQUAL(out[i], here);
        free(out[i]);
    }
    free(here);
    free(real);
    rmdir(folder);
}

static void a_pool_without_options_has_the_defaults(void)
{
    struct cadre_pool *pool = NULL;

    CHECK_OK(cadre_pool_create(NULL, &pool));
    CU_ASSERT(cadre_pool_workers(pool) >= 1);
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

const struct check_test option_tests[] = {
    CHECK(bad_options_are_named_and_start_nothing),
    CHECK(workers_run_in_the_folder_they_were_given),
    CHECK(a_pool_without_options_has_the_defaults),
    {NULL, NULL}};

/* --- faults
 * --------------------------------------------------------------------- */

CADRE_TASK(int, killed_at, (int i, int at))
{
    if (i == at || at < 0)
        raise(SIGKILL);
    usleep(1000);
    return i;
}

CADRE_TASK(int, chatter, (int lines, CADRE_OUT int y[1000]))
{
    for (int i = 0; i < lines; i++)
        printf("chatter %4d %087d\n", i, 0);
    for (int i = 0; i < 1000; i++)
        y[i] = i;
    return lines;
}

/* Whoever runs this program counts the lines. */
static void a_task_that_prints_much_finishes(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(chatter), 2000);
    int lines = 0, y[1000] = {0};

    CHECK_OK(cadre_future_wait(f, 10000));
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&lines, y)));
    CU_ASSERT_EQUAL(lines, 2000);
    CU_ASSERT_EQUAL(y[999], 999);
    cadre_future_free(f);
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

static void a_killed_worker_fails_its_task_and_the_rest_goes_on(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(killed_at), 1, 1);
    double start = seconds();
    int in[200], out[200], at = 0, lost = 0, right = 0;
    cadre_err errors[200];

    CHECK_OK(cadre_future_wait(f, 5000));
    CU_ASSERT(seconds() - start < 2);
    CHECK_ERR(CADRE_ELOST, cadre_future_result(f, CADRE_NOTHING));
    CHECK_SAYS("was lost");
    cadre_future_free(f);
    CU_ASSERT(cadre_pool_workers(pool) >= 1);
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);

    pool = pool_of(2);
    for (int i = 0; i < 200; i++)
        in[i] = i;
    CHECK_ERR(CADRE_ELOST,
              cadre_pool_run(pool, &(struct cadre_map){
                                       .fn = CADRE_FN(killed_at),
                                       .count = 200,
                                       .columns = CADRE_COLUMNS(
                                           CADRE_EACH(in), CADRE_SAME(&at)),
                                       .into = CADRE_INTO(out),
                                       .errors = errors,
                                       .chunk_size = 1}));
    CHECK_SAYS("item 0");
    for (int i = 0; i < 200; i++) {
        lost += errors[i] == CADRE_ELOST;
        right += errors[i] == CADRE_OK && out[i] == i;
    }
    CU_ASSERT_EQUAL(errors[0], CADRE_ELOST);
    CU_ASSERT_EQUAL(lost + right, 200);
    CU_ASSERT(right >= 100);
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

static void workers_that_die_one_after_another_are_replaced(void)
{
    enum { N = 8 };
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f[N];

    for (int i = 0; i < N; i++)
        f[i] = cadre_submit(pool, CADRE_FN(killed_at), i, -1);
    for (int i = 0; i < N; i++) {
        CHECK_OK(cadre_future_wait(f[i], 30000));
        CU_ASSERT_EQUAL(cadre_future_result(f[i], CADRE_NOTHING), CADRE_ELOST);
        CHECK_SAYS("while it had this task");
        cadre_future_free(f[i]);
    }
    CU_ASSERT(pool_works(pool));
    for (int i = 0; i < 300 && cadre_pool_workers(pool) < 2; i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    CU_ASSERT_EQUAL(cadre_pool_workers(pool), 2);
    cadre_pool_destroy(pool);
}

CADRE_TASK(int, end_by, (int how))
{
    switch (how) {
    case 0:
        exit(3);
    case 1:
        _exit(0);
    case 2:
        abort();
    default:
        raise(SIGSEGV);
    }
    return how;
}

static void however_a_worker_ends_its_task_fails_soon(void)
{
    static const struct {
        cadre_err err;
        const char *says;
    } wanted[] = {{CADRE_EEXIT, "the task called exit(3)"},
                  {CADRE_ELOST, "was lost"},
                  {CADRE_ECRASH, "SIGABRT: abort() was called"},
                  {CADRE_ECRASH, "end_by"}};

    for (int how = 0; how < 4; how++) {
        struct cadre_pool *pool = pool_of(2);
        struct cadre_future *f = cadre_submit(pool, CADRE_FN(end_by), how);
        double start = seconds();

        CHECK_OK(cadre_future_wait(f, 5000));
        CU_ASSERT(seconds() - start < 2);
        CHECK_ERR(wanted[how].err, cadre_future_result(f, CADRE_NOTHING));
        CHECK_SAYS(wanted[how].says);
        cadre_future_free(f);
        CU_ASSERT(pool_works(pool));
        cadre_pool_destroy(pool);
    }
}

const struct check_test fault_tests[] = {
    CHECK(however_a_worker_ends_its_task_fails_soon),
    CHECK(a_task_that_prints_much_finishes),
    CHECK(a_killed_worker_fails_its_task_and_the_rest_goes_on),
    CHECK(workers_that_die_one_after_another_are_replaced),
    {NULL, NULL}};
