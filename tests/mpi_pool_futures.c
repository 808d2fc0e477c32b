/* mpi_pool_futures.c - single tasks, from one thread and from many. */
#include "mpi_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

CADRE_TASK(double, half, (double x))
{
    return x / 2;
}

CADRE_TASK(int8_t, tiny, (int8_t x))
{
    return x;
}

CADRE_TASK(char *, repeat, (const char *s, int n, const int by[n]))
{
    char *text = calloc(1, 1000);

    for (int i = 0; i < n; i++) {
        for (int k = 0; k < by[i]; k++)
            strcat(text, s);
        strcat(text, "|");
    }
    return text;
}

CADRE_TASK(void, fill, (int n, CADRE_OUT double y[n]))
{
    for (int i = 0; i < n; i++)
        y[i] = i + 0.5;
}

static int64_t square_of(struct cadre_future *f)
{
    int64_t x = -1;

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&x)));
    return x;
}

static void a_future_brings_its_result_as_often_as_wanted(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(add), 2, 5);
    int x = 0;

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&x)));
    CU_ASSERT_EQUAL(x, 7);
    x = 0;
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&x)));
    CU_ASSERT_EQUAL(x, 7);
    CHECK_OK(cadre_future_result(f, CADRE_NOTHING));
    CU_ASSERT(cadre_future_done(f));
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

static void waiting_has_a_limit(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(nap), 1, 600);
    double start = seconds();

    CU_ASSERT_FALSE(cadre_future_done(f));
    CHECK_ERR(CADRE_ETIMEOUT, cadre_future_wait(f, 0));
    CHECK_ERR(CADRE_ETIMEOUT, cadre_future_wait(f, 100));
    CU_ASSERT(seconds() - start >= 0.1);
    CU_ASSERT(seconds() - start < 0.5);
    CHECK_OK(cadre_future_wait(f, -1));
    CU_ASSERT(cadre_future_done(f));
    CU_ASSERT(seconds() - start >= 0.6);
    CU_ASSERT(seconds() - start < 2);
    CHECK_OK(cadre_future_wait(f, 0));
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

static void a_future_let_go_of_early_still_runs(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *last;
    double start = seconds();

    for (int i = 0; i < 5; i++)
        cadre_future_free(cadre_submit(pool, CADRE_FN(nap), i, 60));
    last = cadre_submit(pool, CADRE_FN(square), 9);
    CU_ASSERT_EQUAL(square_of(last), 81);
    CU_ASSERT(seconds() - start >= 0.3);
    cadre_future_free(last);
    cadre_future_free(NULL);
    cadre_pool_destroy(pool);
}

static void futures_outlive_their_pool(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f[20];

    for (int i = 0; i < 20; i++)
        f[i] = cadre_submit(pool, CADRE_FN(square), i);
    cadre_pool_destroy(pool); /* finishes them */
    for (int i = 0; i < 20; i++) {
        CU_ASSERT(cadre_future_done(f[i]));
        CU_ASSERT_EQUAL(square_of(f[i]), i * i);
        cadre_future_free(f[i]);
    }
}

/* `f` fails with `err`, and says `part`. Frees it. */
static void fails_untouched(struct cadre_future *f, cadre_err err,
                            const char *part)
{
    int64_t x = -77;

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CHECK_ERR(err, cadre_future_result(f, CADRE_INTO(&x)));
    CHECK_SAYS(part);
    CU_ASSERT(cadre_future_done(f));
    CU_ASSERT_EQUAL(x, -77);
    cadre_future_free(f);
}

static void arguments_are_converted_unless_their_value_would_change(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(half), 3);
    double x = 0;
    int8_t t = 0;

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&x)));
    CU_ASSERT_EQUAL(x, 1.5);
    cadre_future_free(f);
    f = cadre_submit(pool, CADRE_FN(tiny), -128.0);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&t)));
    CU_ASSERT_EQUAL(t, -128);
    cadre_future_free(f);
    fails_untouched(cadre_submit(pool, CADRE_FN(square), 1.5), CADRE_ETYPE,
                    "`i`");
    fails_untouched(cadre_submit(pool, CADRE_FN(tiny), 300), CADRE_ETYPE,
                    "`x`");
    fails_untouched(cadre_submit(pool, CADRE_FN(tiny), 128), CADRE_ETYPE,
                    "`x`");
    fails_untouched(cadre_submit(pool, CADRE_FN(square), "1"), CADRE_ETYPE,
                    "`i`");
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

static void arguments_go_by_name_or_place_and_all_must_be_there(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f =
        cadre_submit(pool, CADRE_FN(nap), CADRE_ARG("ms", 1), 6);
    int x = 0;

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&x)));
    CU_ASSERT_EQUAL(x, 6);
    cadre_future_free(f);
    fails_untouched(cadre_submit(pool, CADRE_FN(add), 1, CADRE_ARG("k", 2)),
                    CADRE_ETYPE, "`k`");
    fails_untouched(cadre_submit(pool, CADRE_FN(add), 1), CADRE_ETYPE, "`j`");
    fails_untouched(cadre_submit(pool, CADRE_FN(add)), CADRE_ETYPE, "`i`");
    fails_untouched(cadre_submit(pool, CADRE_FN(add), 1, 2, 3), CADRE_ETYPE,
                    "too many");
    fails_untouched(cadre_submit(pool, CADRE_FN(add), 1, CADRE_ARG("i", 2)),
                    CADRE_ETYPE, "twice");
    fails_untouched(
        cadre_submit((struct cadre_pool *)NULL, CADRE_FN(add), 1, 2),
        CADRE_EINVAL, "the object is NULL");
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

static void strings_and_arrays_are_copied_at_once(void)
{
    struct cadre_pool *pool = pool_of(1);
    char word[] = "ab", *text = NULL, *list[1];
    int by[] = {1, 0, 2};
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(repeat), word, 3, by);
    double y[4] = {0, 0, 0, -77}, small[2] = {-77, -77};

    memset(word, 'x', 2);
    memset(by, 0, sizeof by);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(list)));
    text = list[0];
    CU_ASSERT_STRING_EQUAL(text, "ab||abab|");
    free(text);
    cadre_future_free(f);

    f = cadre_submit(pool, CADRE_FN(fill), 3);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(y)));
    CU_ASSERT_EQUAL(y[2], 2.5);
    CU_ASSERT_EQUAL(y[3], -77);
    CHECK_ERR(CADRE_ETYPE, cadre_future_result(f, CADRE_INTO(small)));
    CU_ASSERT_EQUAL(small[1], -77);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(y)));
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

static void a_failing_task_tells_its_future(void)
{
    struct cadre_pool *pool = pool_of(1);

    fails_untouched(cadre_submit(pool, CADRE_FN(fail_at), 3, 3), CADRE_ETASK,
                    "3 is not to my taste");
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

static void three_pools_are_read_in_reverse_order(void)
{
    enum { POOLS = 3, TASKS = 100 };
    struct cadre_pool *pools[POOLS];
    struct cadre_future *f[POOLS][TASKS];

    for (int p = 0; p < POOLS; p++)
        pools[p] = pool_of(1);
    for (int i = 0; i < TASKS; i++) {
        for (int p = 0; p < POOLS; p++)
            f[p][i] = cadre_submit(pools[p], CADRE_FN(square), 1000 * p + i);
    }
    for (int p = POOLS - 1; p >= 0; p--) {
        for (int i = TASKS - 1; i >= 0; i--) {
            int64_t n = 1000 * p + i;

            CU_ASSERT_EQUAL(square_of(f[p][i]), n * n);
            cadre_future_free(f[p][i]);
        }
        cadre_pool_destroy(pools[p]);
    }
}

struct submitter {
    pthread_t thread;
    struct cadre_pool *pools[2];
    int number;
    int wrong;
};

static void *submit_many(void *arg)
{
    struct submitter *s = arg;

    for (int i = 0; i < 50; i++) {
        int64_t n = 1000 * s->number + i, x[2] = {-1, -1};
        struct cadre_future *f[2];

        for (int p = 0; p < 2; p++)
            f[p] = cadre_submit(s->pools[p], CADRE_FN(square), n + p);
        for (int p = 0; p < 2; p++) {
            s->wrong +=
                cadre_future_result(f[p], CADRE_INTO(&x[p])) != CADRE_OK ||
                x[p] != (n + p) * (n + p);
            cadre_future_free(f[p]);
        }
    }
    s->wrong += !pool_works(s->pools[s->number % 2]);
    return NULL;
}

static void eight_threads_share_two_pools(void)
{
    struct cadre_pool *pools[2] = {pool_of(1), pool_of(2)};
    struct submitter s[8];

    for (int i = 0; i < 8; i++) {
        s[i] = (struct submitter){.pools = {pools[0], pools[1]}, .number = i};
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&s[i].thread, NULL, submit_many, &s[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(s[i].thread, NULL);
        CU_ASSERT_EQUAL(s[i].wrong, 0);
    }
    cadre_pool_destroy(pools[0]);
    cadre_pool_destroy(pools[1]);
}

static void *make_use_and_end(void *arg)
{
    int *right = arg;

    for (int i = 0; i < 3; i++) {
        struct cadre_pool *pool = pool_of(2);

        *right += pool_works(pool);
        cadre_pool_destroy(pool);
    }
    return NULL;
}

static void threads_make_and_end_pools_at_once(void)
{
    pthread_t threads[3];
    int right[3] = {0};

    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&threads[i], NULL, make_use_and_end, &right[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(right[i], 3);
    }
}

const struct check_test future_tests[] = {
    CHECK(a_future_brings_its_result_as_often_as_wanted),
    CHECK(waiting_has_a_limit),
    CHECK(a_future_let_go_of_early_still_runs),
    CHECK(futures_outlive_their_pool),
    CHECK(arguments_are_converted_unless_their_value_would_change),
    CHECK(arguments_go_by_name_or_place_and_all_must_be_there),
    CHECK(strings_and_arrays_are_copied_at_once),
    CHECK(a_failing_task_tells_its_future),
    CHECK(three_pools_are_read_in_reverse_order),
    CHECK(eight_threads_share_two_pools),
    CHECK(threads_make_and_end_pools_at_once),
    {NULL, NULL}};
