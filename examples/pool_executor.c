/* pool_executor.c - single tasks on a pool of workers. */
#include <cadre.h>

#include <stdio.h>

CADRE_TASK(int, add, (int i, int j))
{
    return i + j;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_pool_executor *ex;
    CADRE_CHECK(cadre_pool_executor_create(
        &(struct cadre_pool_executor_options){.max_workers = 2}, &ex));

    struct cadre_future *f[4];
    for (int n = 0; n < 4; n++)
        f[n] = cadre_submit(ex, CADRE_FN(add), 2 * n + 1, 2 * n + 2);

    for (int n = 0; n < 4; n++) {
        int sum;

        CADRE_CHECK(cadre_future_result(f[n], CADRE_INTO(&sum)));
        printf("%d\n", sum);
        cadre_future_free(f[n]);
    }

    cadre_pool_executor_destroy(ex);
    return cadre_finalize();
}
