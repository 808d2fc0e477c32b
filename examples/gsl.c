/* gsl.c - how much longer a pendulum takes when it swings wide: an integral by
 * GSL for each of many amplitudes. */
#include <cadre.h>

#include <gsl/gsl_errno.h>
#include <gsl/gsl_integration.h>
#include <gsl/gsl_sf_ellint.h>
#include <math.h>
#include <stdio.h>

static double integrand(double phi, void *k)
{
    return 1 / sqrt(1 - pow(*(double *)k * sin(phi), 2));
}

/* The period, compared with that of a small swing. */
CADRE_TASK(double, period, (double degrees))
{
    double k = sin(degrees * M_PI / 360), quarter, error;
    size_t evaluations;
    gsl_function f = {.function = integrand, .params = &k};

    gsl_set_error_handler_off();
    int status = gsl_integration_qng(&f, 0, M_PI_2, 0, 1e-9, &quarter, &error,
                                     &evaluations);
    if (status != GSL_SUCCESS)
        cadre_task_fail(status, "%g degrees: %s", degrees,
                        gsl_strerror(status));
    return quarter / M_PI_2;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_pool *pool;
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2}, &pool));

    enum { N = 151 };
    double degrees[N], out[N], worst = 0;
    for (int n = 0; n < N; n++)
        degrees[n] = n;
    CADRE_CHECK(cadre_pool_map(pool, CADRE_FN(period), N, CADRE_EACH(degrees),
                               CADRE_INTO(out)));

    for (int n = 0; n < N; n++) {
        double k = sin(degrees[n] * M_PI / 360);
        double known = gsl_sf_ellint_Kcomp(k, GSL_PREC_DOUBLE) / M_PI_2;

        worst = fmax(worst, fabs(out[n] - known));
        if (n % 30 == 0)
            printf("%3d degrees: %.6f\n", n, out[n]);
    }
    printf("%s\n", worst < 1e-9 ? "as the elliptic integral" : "wrong");

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
