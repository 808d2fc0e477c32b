/* arrays.c - arrays of different lengths go in, arrays come out. */
#include <cadre.h>

#include <math.h>
#include <stdio.h>

/* The length of a vector; `unit` is the vector scaled to length 1. */
CADRE_TASK(double, norm,
           (size_t n, const double x[n], CADRE_OUT double unit[n]))
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    for (size_t i = 0; i < n; i++)
        unit[i] = x[i] / sqrt(sum);
    return sqrt(sum);
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_pool *pool;
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2}, &pool));

    size_t n[] = {2, 1, 4};              /* three vectors, ... */
    double x[] = {3, 4, 7, 1, 1, 1, -1}; /* ... one after another */
    double norms[3], units[7];
    CADRE_CHECK(cadre_pool_starmap(pool, CADRE_FN(norm), 3,
                                   CADRE_COLUMNS(CADRE_EACH(n), CADRE_EACH(x)),
                                   CADRE_INTO(norms, units)));

    const double *unit = units;
    for (int v = 0; v < 3; v++) {
        printf("%g:", norms[v]);
        for (size_t i = 0; i < n[v]; i++)
            printf(" %g", *unit++);
        printf("\n");
    }

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
