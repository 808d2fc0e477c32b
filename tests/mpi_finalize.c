/* mpi_finalize.c - cadre_finalize() ends, whatever was left open. Each case is
 * a run of its own, named by the argument, as finalize comes once. */
#include "mpi_check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* While this file exists new workers never come up. Its name is the same in
 * all processes of a run, thanks to the judge. */
static const char *gate(void)
{
    static char path[128];
    const char *mark = getenv("CADRE_TEST_MARK");

    snprintf(path, sizeof path, "/tmp/mpi_finalize.%s",
             mark != NULL ? mark : "by-hand");
    return path;
}

CADRE_TASK(int, nap, (int i, int ms))
{
    usleep((useconds_t)ms * 1000);
    return i;
}

CADRE_TASK(int, nap_long, (int s))
{
    sleep((unsigned)s);
    return 0;
}

CADRE_TASK(int, until_told, (cadre_task *self))
{
    while (!cadre_task_is_cancelled(self))
        usleep(1000);
    return 1;
}

CADRE_TASK(int, die, (int i))
{
    raise(SIGKILL);
    return i;
}

/* Finalize; what is said meanwhile comes into `said`. Returns the seconds it
 * took. */
static double finalize(double timeout_ms, char *said, size_t len)
{
    double start;
    int status;

    listen_begin();
    start = seconds();
    status =
        timeout_ms < 0 ? cadre_finalize() : cadre_finalize_within(timeout_ms);
    start = seconds() - start;
    listen_end(said, len);
    CU_ASSERT_EQUAL(status, 0);
    return start;
}

static void is_cancelled(struct cadre_future *f)
{
    CHECK_ERR(CADRE_ECANCELLED, cadre_future_error(f, NULL));
    CU_ASSERT_EQUAL(cadre_future_state(f), CADRE_FUTURE_CANCELLED);
    cadre_future_free(f);
}

static bool runs(struct cadre_future *f)
{
    for (int i = 0; i < 2000 && cadre_future_state(f) != CADRE_FUTURE_RUNNING;
         i++)
        usleep(10000);
    return cadre_future_state(f) == CADRE_FUTURE_RUNNING;
}

/* Of a pool, and of a team of two; what waits, and what waits for that. */
static void long_tasks_have_ten_seconds(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_executor *ex = NULL;
    struct cadre_future *f[4], *of_two;
    char said[4096];
    double took;

    CHECK_OK(cadre_executor_create(
        &(struct cadre_executor_options){.cores = 2, .oversubscribe = true},
        &ex));
    f[0] = cadre_submit_with(pool, &(struct cadre_task_options){.retries = 5},
                             CADRE_FN(nap), 1, 1000000);
    f[1] = cadre_submit(pool, CADRE_FN(nap), 1, 1000000);
    f[2] = cadre_submit(pool, CADRE_FN(nap), f[1], 1);
    f[3] = cadre_submit(pool, CADRE_FN(nap), f[2], 1);
    of_two = cadre_submit(ex, CADRE_FN(nap_long), 1000);
    CU_ASSERT(runs(f[0]) && runs(of_two));
    took = finalize(-1, said, sizeof said);
    CU_ASSERT(took > 9.9 && took < 20);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "cadre_finalize: pool left open: 3 "
                                        "that wait are cancelled, and what "
                                        "runs is ended: nap on worker"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "cadre_finalize: executor left open"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "nap_long on"));
    for (int i = 0; i < 4; i++)
        is_cancelled(f[i]);
    is_cancelled(of_two);
}

static void tasks_that_look_whether_they_are_cancelled_end(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f[2];
    char said[4096];
    double took;

    for (int i = 0; i < 2; i++)
        f[i] = cadre_submit(pool, CADRE_FN(until_told));
    CU_ASSERT(runs(f[0]) && runs(f[1]));
    took = finalize(200, said, sizeof said);
    CU_ASSERT(took > 0.2 && took < 10);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "until_told on worker"));
    CU_ASSERT_PTR_NULL(strstr(said, "was lost")); /* nobody was ended */
    for (int i = 0; i < 2; i++)
        is_cancelled(f[i]);
}

static void what_ends_in_time_is_left_alone(void)
{
    struct cadre_pool *pool = pool_of(1), *closed = pool_of(1);
    struct cadre_future *f[40];
    char said[4096];
    int x = 0;

    for (int i = 0; i < 20; i++)
        f[i] = cadre_submit(pool, CADRE_FN(nap), i, 20);
    for (int i = 20; i < 40; i++)
        f[i] = cadre_submit(closed, CADRE_FN(nap), i, 20);
    CHECK_OK(cadre_shutdown(closed, CADRE_NO_WAIT));
    CU_ASSERT(finalize(30000, said, sizeof said) < 30);
    CU_ASSERT_PTR_NULL(strstr(said, "warn"));
    for (int i = 0; i < 40; i++) {
        CHECK_OK(cadre_future_result(f[i], CADRE_INTO(&x)));
        CU_ASSERT_EQUAL(x, i);
        cadre_future_free(f[i]);
    }
    CHECK_ERR(CADRE_ESTATE, cadre_pool_create(NULL, &pool));
}

static void sleep_on(struct cadre_future *future, void *user)
{
    (void)future;
    *(volatile bool *)user = true;
    sleep(1000);
}

/* It runs in the background thread, as nobody waits. */
static void a_callback_that_does_not_return_is_left_behind(void)
{
    static volatile bool is_called;
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(nap), 1, 1);
    char said[4096];

    CHECK_OK(cadre_future_add_done_callback(f, sleep_on, (void *)&is_called));
    for (int i = 0; i < 2000 && !is_called; i++)
        usleep(10000);
    CU_ASSERT(is_called);
    CU_ASSERT(finalize(100, said, sizeof said) < 10);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(said, "pool left open: a callback still runs"));
}

/* A lost worker is being replaced by one that never calls cadre_init(). */
static void workers_that_do_not_come_up_hold_up_nothing(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f;
    char said[4096];
    int fd = open(gate(), O_CREAT | O_EXCL | O_WRONLY, 0600);

    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    f = cadre_submit(pool, CADRE_FN(die), 1);
    CHECK_ERR(CADRE_ELOST, cadre_future_error(f, NULL));
    cadre_future_free(f);
    usleep(500000); /* for it to be started; if not, that is no harm */
    CU_ASSERT(finalize(100, said, sizeof said) < 15);
    CU_ASSERT_PTR_NULL(strstr(said, "still runs"));
    unlink(gate());
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        {"long", long_tasks_have_ten_seconds},
        {"willing", tasks_that_look_whether_they_are_cancelled_end},
        {"short", what_ends_in_time_is_left_alone},
        {"callback", a_callback_that_does_not_return_is_left_behind},
        {"starting", workers_that_do_not_come_up_hold_up_nothing},
        {NULL, NULL}};

    while (access(gate(), F_OK) == 0)
        usleep(10000);
    CADRE_CHECK(cadre_init(&argc, &argv));
    for (int i = 0; argc == 2 && tests[i].name != NULL; i++) {
        struct check_test one[] = {tests[i], {NULL, NULL}};

        if (strcmp(argv[1], tests[i].name) == 0)
            return check_run("finalize", one);
    }
    return 2;
}
