/* mpi_deadlines.c - tasks that take too long, and those that are cancelled
 * while they run; with real workers, however the program was started. */
#include "mpi_check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Sleeps, whatever anybody says; brings its process. */
CADRE_TASK(int, sleeper, (int ms))
{
    usleep((useconds_t)ms * 1000);
    return getpid();
}

/* Returns early where it is asked to. */
CADRE_TASK(int, listener, (int ms, cadre_task *self))
{
    for (int i = 0; i < ms && !cadre_task_is_cancelled(self); i++)
        usleep(1000);
    return getpid();
}

CADRE_TASK(int, attempt, (int ms_of_first, cadre_task *self))
{
    struct cadre_task_info info;

    cadre_task_describe(self, &info);
    if (info.attempt == 1)
        usleep((useconds_t)ms_of_first * 1000);
    return info.attempt;
}

/* Its first rank sleeps, the others return. */
CADRE_TASK(int, one_sleeps, (int ms, cadre_task *self))
{
    struct cadre_task_info info;

    cadre_task_describe(self, &info);
    if (info.rank == 0)
        usleep((useconds_t)ms * 1000);
    return getpid();
}

static struct cadre_pool *pool_within(int workers, double task_timeout_s)
{
    struct cadre_pool *pool;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = workers,
                                     .oversubscribe = true,
                                     .task_timeout_s = task_timeout_s},
        &pool));
    return pool;
}

/* A worker that was ended is gone within two seconds. */
static bool is_gone(int pid)
{
    for (int i = 0; i < 200 && kill(pid, 0) == 0; i++)
        usleep(10000);
    return kill(pid, 0) != 0 && errno == ESRCH;
}

/* --- deadlines --------------------------------------------------------------
 */

static const struct cadre_task_options in_200_ms = {.deadline_s = 0.2};

static void a_task_that_ignores_its_deadline_is_ended(void)
{
    struct cadre_pool *pool = pool_within(1, 0);
    int pid = int_of(cadre_submit(pool, CADRE_FN(sleeper), 0));
    double began = seconds();

    fails(cadre_submit_with(pool, &in_200_ms, CADRE_FN(sleeper), 60000),
          CADRE_ETIMEOUT, "has not ended within 0.2 s");
    CU_ASSERT(seconds() - began >= 0.2);
    CU_ASSERT(seconds() - began < 2);
    CU_ASSERT(is_gone(pid));
    CU_ASSERT_NOT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(sleeper), 0)), pid);
    cadre_pool_destroy(pool);
}

static void a_task_that_listens_leaves_its_worker_alive(void)
{
    struct cadre_pool *pool = pool_within(1, 0);
    int pid = int_of(cadre_submit(pool, CADRE_FN(sleeper), 0));
    double began = seconds();

    fails(cadre_submit_with(pool, &in_200_ms, CADRE_FN(listener), 60000),
          CADRE_ETIMEOUT, "has not ended within 0.2 s");
    CU_ASSERT(seconds() - began < 2);
    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(sleeper), 0)), pid);
    CU_ASSERT_EQUAL(
        int_of(cadre_submit_with(pool, &in_200_ms, CADRE_FN(listener), 1)),
        pid);
    cadre_pool_destroy(pool);
}

static void nobody_need_wait_for_a_deadline(void)
{
    struct cadre_pool *pool = pool_within(1, 0);
    int pid = int_of(cadre_submit(pool, CADRE_FN(sleeper), 0));
    struct cadre_future *f;

    usleep(200000); /* who looks after the pool sleeps by now */
    f = cadre_submit_with(pool, &in_200_ms, CADRE_FN(sleeper), 60000);
    CU_ASSERT(is_gone(pid));
    usleep(100000);
    CU_ASSERT_EQUAL(cadre_future_state(f), CADRE_FUTURE_FAILED);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

/* The time spent waiting does not count, however it was sent. */
static void a_deadline_runs_from_the_start_of_the_task(void)
{
    struct cadre_pool *pool = pool_within(1, 0);
    struct cadre_future *f[4];

    f[0] = cadre_submit(pool, CADRE_FN(sleeper), 600);
    for (int i = 1; i < 3; i++)
        f[i] = cadre_submit_with(
            pool, &(struct cadre_task_options){.deadline_s = 0.5},
            CADRE_FN(sleeper), 200);
    f[3] = cadre_submit_with(pool, &in_200_ms, CADRE_FN(listener), 60000);
    for (int i = 0; i < 3; i++)
        int_of(f[i]);
    fails(f[3], CADRE_ETIMEOUT, "0.2 s");
    cadre_pool_destroy(pool);
}

static void what_took_too_long_is_tried_again_if_asked(void)
{
    struct cadre_pool *pool = pool_within(1, 0);
    struct cadre_task_options again = {.deadline_s = 0.2, .retries = 1};

    CU_ASSERT_EQUAL(
        int_of(cadre_submit_with(pool, &again, CADRE_FN(attempt), 60000)), 2);
    again.retry_on = CADRE_RETRY_LOST;
    fails(cadre_submit_with(pool, &again, CADRE_FN(attempt), 60000),
          CADRE_ETIMEOUT, "0.2 s");
    cadre_pool_destroy(pool);
}

static void an_object_gives_all_its_tasks_a_deadline(void)
{
    struct cadre_pool *pool = pool_within(2, 0.2);
    int ms[4] = {0, 60000, 10, 20}, out[4];
    cadre_err errors[4];

    fails(cadre_submit(pool, CADRE_FN(listener), 60000), CADRE_ETIMEOUT,
          "0.2 s");
    int_of(cadre_submit_with(pool,
                             &(struct cadre_task_options){.deadline_s = 10},
                             CADRE_FN(sleeper), 400));
    CHECK_ERR(CADRE_ETIMEOUT,
              cadre_pool_run(pool, &(struct cadre_map){
                                       .fn = CADRE_FN(sleeper),
                                       .count = 4,
                                       .columns = CADRE_COLUMNS(CADRE_EACH(ms)),
                                       .into = CADRE_INTO(out),
                                       .errors = errors}));
    CHECK_SAYS("item 1: the task has not ended within 0.2 s");
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(errors[i], i == 1 ? CADRE_ETIMEOUT : CADRE_OK);
    cadre_pool_destroy(pool);
}

static void a_team_is_ended_as_one(void)
{
    struct cadre_hpc_executor *e;
    struct cadre_future *f;
    int before[2], after[2];

    CHECK_OK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){
            .max_workers = 1, .cores_per_worker = 2, .oversubscribe = true},
        &e));
    f = cadre_submit(e, CADRE_FN(one_sleeps), 0);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(before)));
    cadre_future_free(f);
    fails(cadre_submit_with(e, &in_200_ms, CADRE_FN(one_sleeps), 60000),
          CADRE_ETIMEOUT, "0.2 s");
    f = cadre_submit(e, CADRE_FN(one_sleeps), 0);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(after)));
    cadre_future_free(f);
    CU_ASSERT(is_gone(before[0]));
    CU_ASSERT_NOT_EQUAL(after[0], before[0]);
    f = cadre_submit_with(e, &in_200_ms, CADRE_FN(listener), 60000);
    fails(f, CADRE_ETIMEOUT, "0.2 s");
    f = cadre_submit(e, CADRE_FN(one_sleeps), 0);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(before)));
    cadre_future_free(f);
    CU_ASSERT_EQUAL(before[0], after[0]);
    CU_ASSERT_EQUAL(before[1], after[1]);
    cadre_hpc_executor_destroy(e);
}

/* --- cancelling -------------------------------------------------------------
 */

static const struct cadre_task_options cancellable = {.cancel_running = true};

static void a_running_task_is_cancelled_if_that_was_asked_for(void)
{
    struct cadre_pool *pool = pool_within(1, 0);
    int pid = int_of(cadre_submit(pool, CADRE_FN(sleeper), 0));
    struct cadre_future *f =
        cadre_submit_with(pool, &cancellable, CADRE_FN(listener), 60000);
    struct cadre_future *g;
    double began = seconds();

    await_state(f, CADRE_FUTURE_RUNNING);
    CU_ASSERT(cadre_future_cancel(f));
    CHECK_ERR(CADRE_ECANCELLED, cadre_future_result(f, CADRE_NOTHING));
    CHECK_SAYS("cancelled while it ran");
    CU_ASSERT_EQUAL(cadre_future_state(f), CADRE_FUTURE_CANCELLED);
    CU_ASSERT_FALSE(cadre_future_cancel(f));
    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(sleeper), 0)), pid);

    g = cadre_submit_with(pool, &cancellable, CADRE_FN(sleeper), 60000);
    await_state(g, CADRE_FUTURE_RUNNING);
    CU_ASSERT(cadre_future_cancel(g));
    fails(g, CADRE_ECANCELLED, "cancelled while it ran");
    CU_ASSERT(seconds() - began < 10);
    CU_ASSERT_NOT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(sleeper), 0)), pid);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

static void else_a_running_task_is_left_alone(void)
{
    struct cadre_pool *pool = pool_within(1, 0);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(listener), 300);

    await_state(f, CADRE_FUTURE_RUNNING);
    CU_ASSERT_FALSE(cadre_future_cancel(f));
    int_of(f);
    cadre_pool_destroy(pool);
}

/* Several are with the worker; only the first runs. */
static void what_was_sent_ahead_is_cancelled_in_its_turn(void)
{
    struct cadre_pool *pool = pool_within(1, 0);
    struct cadre_future *f[20];

    for (int i = 0; i < 200; i++) /* it learns that they are short */
        int_of(cadre_submit(pool, CADRE_FN(listener), 0));
    for (int i = 0; i < 20; i++)
        f[i] = cadre_submit_with(pool, &cancellable, CADRE_FN(listener),
                                 i == 7 ? 60000 : 20);
    await_state(f[0], CADRE_FUTURE_RUNNING);
    CU_ASSERT(cadre_future_cancel(f[7]));
    for (int i = 0; i < 20; i++) {
        if (i == 7)
            fails(f[i], CADRE_ECANCELLED, "cancelled");
        else
            int_of(f[i]);
    }
    cadre_pool_destroy(pool);
}

/* --- maps -------------------------------------------------------------------
 */

CADRE_TASK(int, odd_fails, (int i))
{
    if (i % 2 == 1)
        cadre_task_fail(i, "%d is odd", i);
    return 10 * i;
}

CADRE_TASK(int, second_time, (int i, cadre_task *self))
{
    struct cadre_task_info info;

    cadre_task_describe(self, &info);
    if (info.attempt == 1 && i % 100 == 7)
        cadre_task_fail(1, "not at once");
    if (info.attempt == 1 && i == 150)
        raise(SIGKILL);
    return i + 1;
}

static void a_map_out_of_time_ends(void)
{
    enum { COUNT = 200 };

    for (int listens = 0; listens <= 1; listens++) {
        struct cadre_pool *pool = pool_within(2, 0);
        int ms[COUNT], out[COUNT], done = 0, late = 0;
        cadre_err errors[COUNT];
        double began = seconds();

        for (int i = 0; i < COUNT; i++)
            ms[i] = i < 20 ? 1 : 30000;
        CHECK_ERR(
            CADRE_ETIMEOUT,
            cadre_pool_run(pool, &(struct cadre_map){
                                     .fn = listens != 0 ? CADRE_FN(listener)
                                                        : CADRE_FN(sleeper),
                                     .count = COUNT,
                                     .columns = CADRE_COLUMNS(CADRE_EACH(ms)),
                                     .into = CADRE_INTO(out),
                                     .chunk_size = 7,
                                     .errors = errors,
                                     .timeout_s = 0.5}));
        CHECK_SAYS("the map has not ended within 0.5 s: 1");
        CU_ASSERT(seconds() - began < 3);
        for (int i = 0; i < COUNT; i++) {
            done += errors[i] == CADRE_OK;
            late += errors[i] == CADRE_ETIMEOUT;
        }
        CU_ASSERT(done >= 14 && done <= 20);
        CU_ASSERT_EQUAL(done + late, COUNT);
        int_of(cadre_submit(pool, CADRE_FN(sleeper), 0));
        cadre_pool_destroy(pool);
    }
}

static void a_map_in_time_is_left_alone(void)
{
    struct cadre_pool *pool = pool_within(2, 0);
    int ms[3] = {1, 2, 3}, out[3];

    CHECK_OK(cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(sleeper),
                                  .count = 3,
                                  .columns = CADRE_COLUMNS(CADRE_EACH(ms)),
                                  .into = CADRE_INTO(out),
                                  .timeout_s = 30,
                                  .task_timeout_s = 20,
                                  .max_failures = 1}));
    CHECK_ERR(CADRE_ETIMEOUT,
              cadre_pool_run(
                  pool, &(struct cadre_map){.fn = CADRE_FN(listener),
                                            .count = 1,
                                            .columns = CADRE_COLUMNS(
                                                CADRE_EACH(((int[]){60000}))),
                                            .into = CADRE_INTO(out),
                                            .task_timeout_s = 0.1}));
    CHECK_SAYS("item 0: the task has not ended within 0.1 s");
    cadre_pool_destroy(pool);
}

struct rows {
    int next, ended, cancelled, failed;
};

static bool endless(void *user, struct cadre_row *row)
{
    struct rows *rows = user;

    return cadre_row_give(row, rows->next++) == CADRE_OK;
}

static bool count_row(void *user, const struct cadre_item *item)
{
    struct rows *rows = user;

    rows->ended += item->err == CADRE_OK;
    rows->cancelled += item->err == CADRE_ECANCELLED;
    rows->failed += item->err != CADRE_OK && item->err != CADRE_ECANCELLED;
    return true;
}

static void a_map_stops_after_some_failures(void)
{
    struct cadre_pool *pool = pool_within(2, 0);
    struct rows rows = {0};

    CHECK_ERR(CADRE_ETASK, cadre_pool_run(pool, &(struct cadre_map){
                                                    .fn = CADRE_FN(odd_fails),
                                                    .next = endless,
                                                    .on_item = count_row,
                                                    .user = &rows,
                                                    .max_failures = 5}));
    CHECK_SAYS("failed items, the first: item 1: 1 is odd");
    CU_ASSERT(rows.failed >= 5);
    CU_ASSERT(rows.ended >= 4);
    CU_ASSERT_EQUAL(rows.ended + rows.failed + rows.cancelled, rows.next);
    cadre_pool_destroy(pool);
}

static void an_endless_map_ends_in_time(void)
{
    struct cadre_pool *pool = pool_within(2, 0);
    struct rows rows = {0};

    CHECK_ERR(CADRE_ETIMEOUT,
              cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(sleeper),
                                                       .next = endless,
                                                       .on_item = count_row,
                                                       .user = &rows,
                                                       .timeout_s = 0.3}));
    CHECK_SAYS("no more were taken");
    CU_ASSERT(rows.ended > 0);
    CU_ASSERT_EQUAL(rows.ended + rows.failed, rows.next);
    cadre_pool_destroy(pool);
}

static volatile sig_atomic_t stop;

static void on_alarm(int number)
{
    stop = number;
}

/* A signal comes in the middle of it. */
static void stop_soon(void)
{
    stop = 0;
    signal(SIGALRM, on_alarm);
    alarm(1);
}

static void an_endless_map_ends_when_told_to(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct rows rows = {0};

    stop_soon();
    CHECK_ERR(CADRE_ECANCELLED,
              cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(sleeper),
                                                       .next = endless,
                                                       .on_item = count_row,
                                                       .user = &rows,
                                                       .stop = &stop}));
    CHECK_SAYS("the map was told to stop");
    CU_ASSERT(rows.ended > 0);
    CU_ASSERT_EQUAL(rows.failed, 0);
    CU_ASSERT_EQUAL(rows.ended + rows.cancelled, rows.next);
    cadre_pool_destroy(pool);
}

static void what_runs_ends_when_a_map_is_told_to_stop(void)
{
    enum { COUNT = 200 };
    struct cadre_pool *pool = pool_of(2);
    int in[COUNT], out[COUNT] = {0}, ended = 0;
    cadre_err errors[COUNT];

    for (int i = 0; i < COUNT; i++)
        in[i] = 100;
    stop_soon();
    CHECK_ERR(CADRE_ECANCELLED,
              cadre_pool_run(pool, &(struct cadre_map){
                                       .fn = CADRE_FN(listener),
                                       .count = COUNT,
                                       .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                       .into = CADRE_INTO(out),
                                       .errors = errors,
                                       .stop = &stop}));
    for (int i = 0; i < COUNT; i++) {
        ended += errors[i] == CADRE_OK;
        CU_ASSERT(errors[i] == CADRE_OK || errors[i] == CADRE_ECANCELLED);
        CU_ASSERT_EQUAL(out[i] != 0, errors[i] == CADRE_OK);
    }
    CU_ASSERT(ended > 0 && ended < COUNT);
    stop = 0; /* one that is not told */
    CHECK_OK(cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(listener),
                                  .count = 2,
                                  .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                  .into = CADRE_INTO(out),
                                  .stop = &stop}));
    cadre_pool_destroy(pool);
}

static void items_are_tried_again_if_asked(void)
{
    enum { COUNT = 300 };
    struct cadre_pool *pool = pool_within(2, 0);
    int in[COUNT], out[COUNT];

    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    CHECK_OK(cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(second_time),
                                  .count = COUNT,
                                  .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                  .into = CADRE_INTO(out),
                                  .retries = 1}));
    for (int i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL(out[i], i + 1);
    cadre_pool_destroy(pool);
}

static void timeouts_out_of_range_are_refused(void)
{
    struct cadre_pool *pool;
    struct cadre_pool_options o = {.task_timeout_s = -1};

    CHECK_ERR(CADRE_EINVAL, cadre_pool_create(&o, &pool));
    CHECK_SAYS("task_timeout_s is -1");
    pool = pool_within(1, 0);
    CHECK_ERR(CADRE_EINVAL,
              cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(sleeper),
                                                       .timeout_s = -2}));
    CHECK_SAYS("a timeout is -2");
    CHECK_ERR(CADRE_EINVAL,
              cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(sleeper),
                                                       .retries = -1}));
    CHECK_SAYS("retries is -1");
    cadre_pool_destroy(pool);
}

static const struct check_test tests[] = {
    CHECK(a_task_that_ignores_its_deadline_is_ended),
    CHECK(a_task_that_listens_leaves_its_worker_alive),
    CHECK(nobody_need_wait_for_a_deadline),
    CHECK(a_deadline_runs_from_the_start_of_the_task),
    CHECK(what_took_too_long_is_tried_again_if_asked),
    CHECK(an_object_gives_all_its_tasks_a_deadline),
    CHECK(a_team_is_ended_as_one),
    CHECK(a_running_task_is_cancelled_if_that_was_asked_for),
    CHECK(else_a_running_task_is_left_alone),
    CHECK(what_was_sent_ahead_is_cancelled_in_its_turn),
    CHECK(a_map_out_of_time_ends),
    CHECK(a_map_in_time_is_left_alone),
    CHECK(a_map_stops_after_some_failures),
    CHECK(an_endless_map_ends_in_time),
    CHECK(an_endless_map_ends_when_told_to),
    CHECK(what_runs_ends_when_a_map_is_told_to_stop),
    CHECK(items_are_tried_again_if_asked),
    CHECK(timeouts_out_of_range_are_refused),
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));
    return check_run("mpi_deadlines", tests);
}
