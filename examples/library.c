/* library.c - call a function of a library that knows nothing of Cadre: the
 * logarithm of the gamma function, from the C library's libm. */
#include <cadre.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_function *lgamma_fn;
    CADRE_CHECK(cadre_function_open("libm.so.6", "double lgamma(double x)",
                                    &lgamma_fn));

    struct cadre_pool *pool;
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2}, &pool));

    double x[] = {0.5, 2, 10, 100}, out[4];
    CADRE_CHECK(
        cadre_pool_map(pool, lgamma_fn, 4, CADRE_EACH(x), CADRE_INTO(out)));
    for (int i = 0; i < 4; i++)
        printf("lgamma(%g) = %.6f\n", x[i], out[i]);

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
