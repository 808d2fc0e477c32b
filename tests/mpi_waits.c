/* mpi_waits.c - waits that must end: workers that give up, die or are busy. */
#include "check.h"

#include <cadre.h>

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LARGE = 250000 };

CADRE_TASK(double, no_room, (size_t n, CADRE_OUT double x[n]))
{
    return (double)n + x[0];
}

CADRE_TASK(int, die_from_3, (int i))
{
    if (i >= 3)
        raise(SIGKILL);
    return i;
}

CADRE_TASK(int, long_one, (int n, const double x[n]))
{
    usleep(700000);
    return n + (int)x[0];
}

CADRE_TASK(int, two_outputs, (int i, CADRE_OUT int x[3]))
{
    x[0] = x[1] = x[2] = i;
    return i;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct cadre_pool *pool_of_one(void)
{
    struct cadre_pool *pool;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 1, .oversubscribe = true},
        &pool));
    return pool;
}

static void a_task_whose_worker_gives_up_ends(void)
{
    struct cadre_pool *pool = pool_of_one();
    struct cadre_future *f =
        cadre_submit(pool, CADRE_FN(no_room), (size_t)1 << 44);

    CU_ASSERT_EQUAL(cadre_future_wait(f, 10000), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_future_result(f, CADRE_NOTHING), CADRE_ELOST);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

struct stream {
    int given, ended;
};

static bool next(void *user, struct cadre_row *row)
{
    struct stream *s = user;

    if (s->given == 20)
        return false;
    cadre_row_give(row, s->given++);
    return true;
}

static bool on_item(void *user, const struct cadre_item *item)
{
    struct stream *s = user;

    CU_ASSERT(item->err == CADRE_OK || item->err == CADRE_ELOST);
    CU_ASSERT(item->err != CADRE_OK || item->index < 3);
    s->ended++;
    return true;
}

static void a_map_from_an_iterator_ends_with_its_last_worker(void)
{
    struct cadre_pool *pool = pool_of_one();
    struct stream s = {0};

    CU_ASSERT_EQUAL(
        cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(die_from_3),
                                                 .next = next,
                                                 .on_item = on_item,
                                                 .user = &s}),
        CADRE_ELOST);
    CU_ASSERT_EQUAL(s.ended, s.given);
    cadre_pool_destroy(pool);
}

static void a_look_does_not_wait_for_large_messages_under_way(void)
{
    static double x[LARGE];
    struct cadre_pool *pool = pool_of_one();
    struct cadre_future *f[3];
    double start;
    int n = 0;

    for (int i = 0; i < 3; i++)
        f[i] = cadre_submit(pool, CADRE_FN(long_one), LARGE, (double *)x);
    start = seconds();
    for (int i = 0; i < 50; i++) {
        CU_ASSERT_FALSE(cadre_future_done(f[2]));
        usleep(1000);
    }
    CU_ASSERT(seconds() - start < 0.6);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(cadre_future_result(f[i], CADRE_INTO(&n)), CADRE_OK);
        CU_ASSERT_EQUAL(n, LARGE);
        cadre_future_free(f[i]);
    }
    cadre_pool_destroy(pool);
}

static bool has_one_output(void *user, const struct cadre_item *item)
{
    (void)user;
    CU_ASSERT_EQUAL(item->noutputs, 2);
    CU_ASSERT_EQUAL(item->outputs[0].count, 1);
    CU_ASSERT_EQUAL(item->outputs[1].count, 0);
    CU_ASSERT_PTR_NULL(item->outputs[1].data);
    return true;
}

static void an_output_that_is_not_wanted_is_empty(void)
{
    struct cadre_pool *pool = pool_of_one();
    int in[] = {1, 2}, out[2] = {0};

    CU_ASSERT_EQUAL(
        cadre_pool_run(
            pool, &(struct cadre_map){.fn = CADRE_FN(two_outputs),
                                      .count = 2,
                                      .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                      .into = CADRE_INTO(out),
                                      .on_item = has_one_output}),
        CADRE_OK);
    CU_ASSERT_EQUAL(out[1], 2);
    cadre_pool_destroy(pool);
}

static void what_is_no_function_is_not_called(void)
{
    struct cadre_pool *pool = pool_of_one();
    struct cadre_future *f = cadre_submit(pool, 5, 2);

    CU_ASSERT_EQUAL(cadre_future_result(f, CADRE_NOTHING), CADRE_EINVAL);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

static const struct check_test tests[] = {
    CHECK(a_look_does_not_wait_for_large_messages_under_way),
    CHECK(an_output_that_is_not_wanted_is_empty),
    CHECK(what_is_no_function_is_not_called),
    CHECK(a_task_whose_worker_gives_up_ends),
    CHECK(a_map_from_an_iterator_ends_with_its_last_worker),
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("waits", tests);
    cadre_finalize();
    return status;
}
