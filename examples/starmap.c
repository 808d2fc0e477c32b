/* starmap.c - a function of two parameters: a column of values for each. */
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

    int i[] = {1, 3, 5, 7}, j[] = {2, 4, 6, 8}, out[4];
    CADRE_CHECK(cadre_pool_starmap(pool, CADRE_FN(add), 4,
                                   CADRE_COLUMNS(CADRE_EACH(i), CADRE_EACH(j)),
                                   CADRE_INTO(out)));
    for (int n = 0; n < 4; n++)
        printf("%d\n", out[n]);

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
