/* structs.c - structs go in and come out by value, in arrays and in rows. */
#include <cadre.h>

#include <complex.h>
#include <math.h>
#include <stdio.h>

CADRE_STRUCT(point, double x; double y;);
CADRE_STRUCT(circle, struct point centre; double radius;);

/* A triangle's circumscribed circle. */
CADRE_TASK(circle, around, (const point p[3]))
{
    double complex a = p[0].x + p[0].y * I, b = p[1].x + p[1].y * I - a,
                   c = p[2].x + p[2].y * I - a;
    double complex m =
        b * c * (conj(b) - conj(c)) / (conj(b) * c - b * conj(c));
    circle found = {{creal(a + m), cimag(a + m)}, cabs(m)};

    return found;
}

/* The point after a turn about the origin. */
CADRE_TASK(point, turned, (point p, double complex by))
{
    double complex z = (p.x + p.y * I) * by;

    return (point){creal(z), cimag(z)};
}

/* Each row's image in a mirror: m times every point. */
CADRE_TASK(void, transform,
           (const double m[2][2], size_t n, const double x[n][2],
            CADRE_OUT double y[n][2]))
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            y[i][k] = m[k][0] * x[i][0] + m[k][1] * x[i][1];
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_pool *pool;
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2}, &pool));

    /* Arrays of structs: three corners for each triangle, a circle back. */
    point corners[2][3] = {{{0, 0}, {4, 0}, {0, 2}}, {{1, 0}, {-1, 0}, {0, 1}}};
    circle circles[2];
    CADRE_CHECK(cadre_pool_map(pool, CADRE_FN(around), 2, CADRE_EACH(corners),
                               CADRE_INTO(circles)));
    for (int i = 0; i < 2; i++)
        printf("centre (%g, %g), radius %g\n", circles[i].centre.x + 0.0,
               circles[i].centre.y + 0.0, circles[i].radius);

    /* One struct and a complex number. */
    point p = {3, 4};
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(turned), p, 1.0 * I);
    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&p)));
    cadre_future_free(f);
    printf("turned (%g, %g)\n", p.x, p.y);

    /* Arrays of two dimensions. */
    double mirror[2][2] = {{0, 1}, {1, 0}}, x[2][2] = {{1, 2}, {3, 4}}, y[2][2];
    f = cadre_submit(pool, CADRE_FN(transform), CADRE_ARRAY(mirror), 2,
                     CADRE_ARRAY(x));
    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(y)));
    cadre_future_free(f);
    printf("mirrored (%g, %g) (%g, %g)\n", y[0][0], y[0][1], y[1][0], y[1][1]);

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
