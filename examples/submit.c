/* submit.c - single tasks: each has a future that brings its result. */
#include <cadre.h>

#include <stdio.h>

CADRE_TASK(int, add, (int i, int j))
{
    return i + j;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_pool *pool;
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2}, &pool));

    struct cadre_future *f[4];
    for (int n = 0; n < 3; n++)
        f[n] = cadre_submit(pool, CADRE_FN(add), 2 * n + 1, 2 * n + 2);
    f[3] =
        cadre_submit(pool, CADRE_FN(add), CADRE_ARG("j", 8), 7); /* by name */

    for (int n = 0; n < 4; n++) {
        int sum;

        CADRE_CHECK(cadre_future_result(f[n], CADRE_INTO(&sum)));
        printf("%d\n", sum);
        cadre_future_free(f[n]);
    }

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
