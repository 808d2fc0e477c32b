/* mpi_bulk.c - large arrays, which travel beside their frames, and values that
 * are broadcast, through real workers.
 */
#include "mpi_check.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    N = 300000, /* elements of a large array: 2.4 MB */
    ROWS = 6
};

CADRE_TASK(void, shift, (size_t n, double x[n], double by))
{
    for (size_t i = 0; i < n; i++)
        x[i] += by;
}

CADRE_TASK(double, total, (size_t n, const double x[n]))
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

CADRE_TASK(int, ramp, (size_t n, double from, CADRE_OUT double y[n]))
{
    for (size_t i = 0; i < n; i++)
        y[i] = from + (double)i;
    return 7;
}

CADRE_TASK(int64_t, blend,
           (size_t n, const double x[n], int64_t i, const double y[n]))
{
    return i * (int64_t)(x[n - 1] + y[0]);
}

/* Dies in place of task `at`, or says that it failed in place of `wrong`. */
CADRE_TASK(void, fragile,
           (int64_t i, size_t n, double x[n], int64_t at, int64_t wrong))
{
    if (i == at)
        raise(SIGKILL);
    if (i == wrong)
        cadre_task_fail(3, "on purpose");
    for (size_t k = 0; k < n; k++)
        x[k] += (double)i;
}

CADRE_TASK(int, add, (int i, int j))
{
    return i + j;
}

/* `rows` arrays of N elements, 0, 1, 2, ... */
static double *counted(size_t rows)
{
    double *x = malloc(rows * N * sizeof *x);

    CU_ASSERT_PTR_NOT_NULL_FATAL(x);
    for (size_t i = 0; i < rows * N; i++)
        x[i] = (double)i;
    return x;
}

/* Are the `count` elements of `x` from, from + 1, ...? */
static bool counts_from(const double *x, double from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (x[i] != from + (double)i)
            return false;
    return true;
}

static void large_arrays_are_mapped(void)
{
    struct cadre_pool *pool = pool_of(2);
    double *x = counted(ROWS), *y = calloc(ROWS * N, sizeof *y), by = 5;
    size_t n = N;

    CHECK_OK(cadre_pool_starmap(
        pool, CADRE_FN(shift), ROWS,
        CADRE_COLUMNS(CADRE_SAME(&n), CADRE_EACH(x), CADRE_SAME(&by)),
        CADRE_INTO(y)));
    CU_ASSERT(counts_from(x, 0, ROWS * N));
    CU_ASSERT(counts_from(y, 5, ROWS * N));
    for (int i = 0; i < 3; i++)
        CHECK_OK(cadre_pool_starmap(
            pool, CADRE_FN(shift), ROWS,
            CADRE_COLUMNS(CADRE_SAME(&n), CADRE_EACH(x), CADRE_SAME(&by)),
            CADRE_INTO(x)));
    CU_ASSERT(counts_from(x, 15, ROWS * N));
    cadre_pool_destroy(pool);
    free(x);
    free(y);
}

static void large_arrays_are_gathered_from_pointers_and_scattered(void)
{
    struct cadre_pool *pool = pool_of(2);
    double *x[ROWS], *y[ROWS], by = 1, from[ROWS] = {0, 10, 20, 30, 40, 50};
    int got[ROWS];
    size_t n = N;

    for (int i = 0; i < ROWS; i++) {
        x[i] = counted(1);
        y[i] = calloc(N, sizeof *y[i]);
    }
    CHECK_OK(cadre_pool_starmap(
        pool, CADRE_FN(shift), ROWS,
        CADRE_COLUMNS(CADRE_SAME(&n), CADRE_EACH(x), CADRE_SAME(&by)),
        CADRE_INTO(y)));
    for (int i = 0; i < ROWS; i++)
        CU_ASSERT(counts_from(y[i], 1, N));
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(ramp), ROWS,
                                CADRE_COLUMNS(CADRE_SAME(&n), CADRE_EACH(from)),
                                CADRE_INTO(got, y)));
    for (int i = 0; i < ROWS; i++) {
        CU_ASSERT(counts_from(y[i], from[i], N));
        CU_ASSERT_EQUAL(got[i], 7);
        free(x[i]);
        free(y[i]);
    }
    cadre_pool_destroy(pool);
}

static bool count_item(void *user, const struct cadre_item *item)
{
    int64_t *sum = user, value;

    CU_ASSERT_EQUAL_FATAL(item->err, CADRE_OK);
    memcpy(&value, item->outputs[0].data, sizeof value);
    *sum += value;
    return true;
}

static void a_large_array_is_shared_by_small_tasks(void)
{
    enum { TASKS = 200 };
    struct cadre_pool *pool = pool_of(2);
    int64_t i[TASKS], out[TASKS], sum = 0, want = 0;
    double *x = counted(1), *y = counted(1);
    size_t n = N;

    y[0] = 1;
    for (int k = 0; k < TASKS; k++) {
        i[k] = k;
        want += (int64_t)k * N;
    }
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(blend), TASKS,
                                CADRE_COLUMNS(CADRE_SAME(&n), CADRE_SAME(x),
                                              CADRE_EACH(i), CADRE_SAME(y)),
                                CADRE_INTO(out)));
    for (int k = 0; k < TASKS; k++)
        CU_ASSERT_EQUAL(out[k], (int64_t)k * N);
    CHECK_OK(cadre_pool_run(
        pool, &(struct cadre_map){
                  .fn = CADRE_FN(blend),
                  .count = TASKS,
                  .columns = CADRE_COLUMNS(CADRE_SAME(&n), CADRE_SAME(x),
                                           CADRE_EACH(i), CADRE_SAME(y)),
                  .on_item = count_item,
                  .user = &sum}));
    CU_ASSERT_EQUAL(sum, want);
    cadre_pool_destroy(pool);
    free(x);
    free(y);
}

static void futures_take_and_bring_large_arrays(void)
{
    struct cadre_pool *pool = pool_of(2);
    double *x = counted(1), *y = calloc(N, sizeof *y), sum = 0;
    struct cadre_future *f[ROWS], *g;

    for (int i = 0; i < ROWS; i++) {
        x[0] = i;
        f[i] = cadre_submit(pool, CADRE_FN(total), N, CADRE_ARRAY(x));
    }
    memset(x, 0, N * sizeof *x); /* it was copied */
    for (int i = 0; i < ROWS; i++) {
        CHECK_OK(cadre_future_result(f[i], CADRE_INTO(&sum)));
        CU_ASSERT_EQUAL(sum, i + (double)N * (N - 1) / 2);
        cadre_future_free(f[i]);
    }
    for (int i = 0; i < ROWS; i++)
        f[i] = cadre_submit(pool, CADRE_FN(shift), N, CADRE_ARRAY(x), i);
    cadre_future_free(f[0]); /* nobody wants it */
    for (int i = 1; i < ROWS; i++) {
        CHECK_OK(cadre_future_result(f[i], CADRE_INTO(y)));
        CU_ASSERT(y[0] == i && y[N / 2] == i && y[N - 1] == i);
        cadre_future_free(f[i]);
    }
    f[0] = cadre_submit(pool, CADRE_FN(ramp), N, 3);
    g = cadre_submit(pool, CADRE_FN(total), N, f[0]);
    cadre_future_free(f[0]);
    CHECK_OK(cadre_future_result(g, CADRE_INTO(&sum)));
    CU_ASSERT_EQUAL(sum, 3.0 * N + (double)N * (N - 1) / 2);
    cadre_future_free(g);
    cadre_pool_destroy(pool);
    free(x);
    free(y);
}

static void small_tasks_go_between_large_ones(void)
{
    enum { PAIRS = 40 };
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *large[PAIRS], *small[PAIRS];
    double *x = counted(1), *y = calloc(N, sizeof *y);
    int sum = 0;

    for (int i = 0; i < PAIRS; i++) {
        large[i] = cadre_submit(pool, CADRE_FN(shift), N, CADRE_ARRAY(x), i);
        small[i] = cadre_submit(pool, CADRE_FN(add), i, i);
    }
    for (int i = PAIRS - 1; i >= 0; i--) {
        CHECK_OK(cadre_future_result(small[i], CADRE_INTO(&sum)));
        CU_ASSERT_EQUAL(sum, 2 * i);
        CHECK_OK(cadre_future_result(large[i], CADRE_INTO(y)));
        CU_ASSERT(counts_from(y, i, N));
        cadre_future_free(small[i]);
        cadre_future_free(large[i]);
    }
    cadre_pool_destroy(pool);
    free(x);
    free(y);
}

static void a_task_with_a_large_array_can_fail(void)
{
    struct cadre_pool *pool = pool_of(2);
    double *x = counted(ROWS), *y = calloc(ROWS * N, sizeof *y);
    int64_t i[ROWS] = {0, 1, 2, 3, 4, 5}, at = -1, wrong = 2;
    cadre_err errors[ROWS];
    size_t n = N;

    CHECK_ERR(CADRE_ETASK,
              cadre_pool_run(
                  pool, &(struct cadre_map){.fn = CADRE_FN(fragile),
                                            .count = ROWS,
                                            .columns = CADRE_COLUMNS(
                                                CADRE_EACH(i), CADRE_SAME(&n),
                                                CADRE_EACH(x), CADRE_SAME(&at),
                                                CADRE_SAME(&wrong)),
                                            .into = CADRE_INTO(y),
                                            .errors = errors}));
    CHECK_SAYS("on purpose");
    for (int k = 0; k < ROWS; k++) {
        CU_ASSERT_EQUAL(errors[k], k == wrong ? CADRE_ETASK : CADRE_OK);
        CU_ASSERT(k == wrong || counts_from(y + k * N, (double)k * N + k, N));
    }
    cadre_pool_destroy(pool);
    free(x);
    free(y);
}

/* The arrays of tasks that were under way to it are free afterwards. */
static void a_worker_that_dies_leaves_the_large_arrays_of_others(void)
{
    enum { MANY = 24 };
    struct cadre_pool *pool = pool_of(3);
    double *x = counted(MANY), *y = calloc((size_t)MANY * N, sizeof *y);
    int64_t i[MANY], at = 4, wrong = -1;
    int lost = 0, right = 0, sum = 0;
    struct cadre_future *f;
    cadre_err errors[MANY];
    size_t n = N;

    for (int k = 0; k < MANY; k++)
        i[k] = k;
    CHECK_ERR(CADRE_ELOST,
              cadre_pool_run(
                  pool, &(struct cadre_map){.fn = CADRE_FN(fragile),
                                            .count = MANY,
                                            .columns = CADRE_COLUMNS(
                                                CADRE_EACH(i), CADRE_SAME(&n),
                                                CADRE_EACH(x), CADRE_SAME(&at),
                                                CADRE_SAME(&wrong)),
                                            .into = CADRE_INTO(y),
                                            .errors = errors}));
    for (int k = 0; k < MANY; k++) {
        lost += errors[k] == CADRE_ELOST;
        right += errors[k] == CADRE_OK &&
                 counts_from(y + (size_t)k * N, (double)k * N + k, N);
    }
    CU_ASSERT_EQUAL(errors[4], CADRE_ELOST);
    CU_ASSERT_EQUAL(lost + right, MANY);
    free(x);
    free(y);
    f = cadre_submit(pool, CADRE_FN(add), 2, 3);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&sum)));
    CU_ASSERT_EQUAL(sum, 5);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

static void a_pool_that_ends_early_lets_large_arrays_go(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f[ROWS];
    double *x = counted(1);

    for (int i = 0; i < ROWS; i++)
        f[i] = cadre_submit(pool, CADRE_FN(shift), N, CADRE_ARRAY(x), i);
    for (int i = 0; i < ROWS; i++)
        cadre_future_free(f[i]);
    cadre_pool_destroy(pool); /* waits for them */
    free(x);
    pool = pool_of(1);
    cadre_pool_destroy(pool);
}

/* --- broadcast --------------------------------------------------------------
 */

CADRE_TASK(double, look_up,
           (int64_t i, size_t n, const double table[n], long factor))
{
    return i < (int64_t)n ? factor * table[i] : -1;
}

CADRE_TASK(size_t, length_of, (const char *text, int i))
{
    return strlen(text) + (size_t)i;
}

CADRE_TASK(int, die, (int i))
{
    raise(SIGKILL);
    return i;
}

/* Do `count` tasks find the table, whose elements are 0, 1, ... plus `from`,
 * and `factor`? */
static bool finds(struct cadre_pool *pool, double from, long factor)
{
    enum { TASKS = 300 };
    double out[TASKS];
    int64_t i[TASKS];
    bool is_right = true;

    for (int k = 0; k < TASKS; k++)
        i[k] = k;
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(look_up), TASKS,
                                CADRE_COLUMNS(CADRE_NAMED("i", CADRE_EACH(i))),
                                CADRE_INTO(out)));
    for (int k = 0; k < TASKS; k++)
        is_right &= out[k] == (double)factor * (from + k);
    return is_right;
}

static void what_is_broadcast_is_found_by_every_task(void)
{
    struct cadre_pool *pool = pool_of(3);
    double *x = counted(1);
    struct cadre_future *f;
    size_t n = 0;

    CHECK_OK(cadre_broadcast(pool, "factor", 2));
    CHECK_OK(cadre_broadcast_array(pool, "table", N, x));
    memset(x, 0, N * sizeof *x); /* it was copied */
    CU_ASSERT(finds(pool, 0, 2));
    CHECK_OK(cadre_broadcast(pool, "factor", 3));
    for (int i = 0; i < N; i++)
        x[i] = 100 + i;
    for (int i = 0; i < 5; i++) /* the last one counts */
        CHECK_OK(cadre_broadcast_array(pool, "table", N - i, x));
    CU_ASSERT(finds(pool, 100, 3));
    CHECK_OK(cadre_broadcast_array(pool, "table", 400, x)); /* a small one */
    CU_ASSERT(finds(pool, 100, 3));
    CHECK_OK(cadre_broadcast(pool, "text", "twelve bytes"));
    f = cadre_submit(pool, CADRE_FN(length_of), CADRE_ARG("i", 5));
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&n)));
    CU_ASSERT_EQUAL(n, 17);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
    free(x);
}

static void a_worker_that_comes_later_has_what_was_broadcast(void)
{
    struct cadre_pool *pool = pool_of(2);
    double *x = counted(1);

    CHECK_OK(cadre_broadcast_array(pool, "table", N, x));
    CHECK_OK(cadre_broadcast(pool, "factor", 7));
    for (int i = 0; i < 2; i++) {
        struct cadre_future *f = cadre_submit(pool, CADRE_FN(die), i);

        CHECK_ERR(CADRE_ELOST, cadre_future_result(f, CADRE_NOTHING));
        cadre_future_free(f);
        CU_ASSERT(finds(pool, 0, 7));
    }
    cadre_pool_destroy(pool);
    pool = pool_of(2); /* resident workers have forgotten it */
    CHECK_OK(cadre_broadcast(pool, "factor", 7));
    struct cadre_future *f =
        cadre_submit(pool, CADRE_FN(look_up), CADRE_ARG("i", 1));

    CHECK_ERR(CADRE_ETYPE, cadre_future_result(f, CADRE_NOTHING));
    CHECK_SAYS("neither given nor stored");
    cadre_future_free(f);
    cadre_pool_destroy(pool);
    free(x);
}

static void a_mistake_in_broadcasting_is_told(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_object *none = NULL;
    double x[3] = {1, 2, 3};
    char name[300];

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_ERR(CADRE_EINVAL, cadre_broadcast(none, "k", 1));
    CHECK_SAYS("the object is NULL");
    CHECK_ERR(CADRE_EINVAL, cadre_broadcast(pool, NULL, 1));
    CHECK_SAYS("the name is NULL");
    CHECK_ERR(CADRE_EINVAL, cadre_broadcast(pool, "", 1));
    CHECK_ERR(CADRE_EINVAL, cadre_broadcast(pool, name, 1));
    CHECK_ERR(CADRE_ETYPE, cadre_broadcast(pool, "x", x));
    CHECK_SAYS("needs its length");
    CHECK_ERR(CADRE_ETYPE, cadre_broadcast_array(pool, "x", 4, x));
    CHECK_SAYS("3 elements");
    CHECK_OK(cadre_shutdown(pool, 0));
    CHECK_ERR(CADRE_ECLOSED, cadre_broadcast(pool, "k", 1));
    cadre_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(large_arrays_are_mapped),
        CHECK(large_arrays_are_gathered_from_pointers_and_scattered),
        CHECK(a_large_array_is_shared_by_small_tasks),
        CHECK(futures_take_and_bring_large_arrays),
        CHECK(small_tasks_go_between_large_ones),
        CHECK(a_task_with_a_large_array_can_fail),
        CHECK(a_worker_that_dies_leaves_the_large_arrays_of_others),
        CHECK(a_pool_that_ends_early_lets_large_arrays_go),
        CHECK(what_is_broadcast_is_found_by_every_task),
        CHECK(a_worker_that_comes_later_has_what_was_broadcast),
        CHECK(a_mistake_in_broadcasting_is_told),
        {NULL, NULL}};

    CADRE_CHECK(cadre_init(&argc, &argv));
    return check_run("mpi_bulk", tests);
}
