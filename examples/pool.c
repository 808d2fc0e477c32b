/* pool.c - square four numbers on two other processes. */
#include <cadre.h>

#include <inttypes.h>
#include <stdio.h>

CADRE_TASK(int64_t, calc, (int64_t i))
{
    return i * i;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv)); /* workers stay in here */

    struct cadre_pool *pool;
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2}, &pool));

    int64_t in[] = {1, 2, 3, 4}, out[4];
    CADRE_CHECK(cadre_pool_map(pool, CADRE_FN(calc), 4, CADRE_EACH(in),
                               CADRE_INTO(out)));
    for (int i = 0; i < 4; i++)
        printf("%" PRId64 "\n", out[i]);

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
