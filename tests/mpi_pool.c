/* mpi_pool.c - Pool with real workers, however the program was started. */
#include "mpi_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

CADRE_TASK(int, add, (int i, int j))
{
    return i + j;
}

CADRE_TASK(int, nap, (int i, int ms))
{
    usleep((useconds_t)ms * 1000);
    return i;
}

CADRE_TASK(int64_t, fail_at, (int64_t i, int64_t at))
{
    if (i == at)
        cadre_task_fail(42, "%d is not to my taste", (int)i);
    return 10 * i;
}

bool pool_works(struct cadre_pool *pool)
{
    enum { N = 50 };
    int64_t in[N], out[N];

    for (int i = 0; i < N; i++)
        in[i] = i;
    if (cadre_pool_map(pool, CADRE_FN(square), N, CADRE_EACH(in),
                       CADRE_INTO(out)) != CADRE_OK) {
        fprintf(stderr, "pool_works: %s\n", cadre_error_text());
        return false;
    }
    for (int i = 0; i < N; i++) {
        if (out[i] != in[i] * in[i])
            return false;
    }
    return true;
}

/* --- the end -----------------------------------------------------------------
 */

static void after_finalize_everything_is_an_error(void)
{
    struct cadre_pool *pool = pool_of(1);
    int argc = 1;
    char name[] = "mpi_pool", *list[] = {name, NULL}, **argv = list;
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(add), 2, 3);
    int sum = 0;

    CU_ASSERT(cadre_is_controller());
    CU_ASSERT(pool_works(pool));
    CHECK_ERR(CADRE_ESTATE, cadre_init(&argc, &argv));

    CU_ASSERT_EQUAL(cadre_finalize(), 0); /* ends the pool, too */
    CU_ASSERT_FALSE(cadre_is_controller());
    CHECK_ERR(CADRE_ESTATE, cadre_pool_create(NULL, &pool));
    CHECK_SAYS("cadre_finalize() has been called");
    CU_ASSERT_EQUAL(cadre_finalize(), 0);

    CU_ASSERT(cadre_future_done(f)); /* what had been submitted has run */
    CHECK_OK(cadre_future_wait(f, 0));
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&sum)));
    CU_ASSERT_EQUAL(sum, 5);
    cadre_future_free(f);
}

static const struct check_test end_tests[] = {
    CHECK(after_finalize_everything_is_an_error), {NULL, NULL}};

int main(int argc, char **argv)
{
    const struct check_test *const parts[] = {
        case_tests,   iterator_tests, column_tests, library_tests, future_tests,
        option_tests, fault_tests,    struct_tests, end_tests};
    struct check_test all[128] = {{NULL, NULL}};
    size_t n = 0;

    CADRE_CHECK(cadre_init(&argc, &argv));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (const struct check_test *t = parts[i]; t->run != NULL; t++)
            all[n++] = *t;
    }
    return check_run("mpi_pool", all);
}
