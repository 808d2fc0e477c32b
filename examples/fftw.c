/* fftw.c - a Fourier transform over two ranks with FFTW. Each plans once, and
 * keeps plan and slab; the transform of a distributed array comes back slab by
 * slab, which together are the whole. */
#include <cadre.h>

#include <complex.h>
#include <fftw3-mpi.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 64
#define COLS 48
#define RANKS 2
#define SLAB 32 /* rows of each rank */

struct fft {
    fftw_complex *slab;
    fftw_plan plan;
};

static void fft_free(struct fft *fft)
{
    fftw_destroy_plan(fft->plan);
    fftw_free(fft->slab);
    free(fft);
}

CADRE_INIT(plan_fft, (struct cadre_store *store, MPI_Comm comm))
{
    struct fft *fft = malloc(sizeof *fft);
    ptrdiff_t rows, first, room;

    fftw_mpi_init();
    room = fftw_mpi_local_size_2d(ROWS, COLS, comm, &rows, &first);
    if (fft == NULL || rows != SLAB) {
        free(fft);
        cadre_task_fail(1, "this is made for %d ranks", RANKS);
        return;
    }
    fft->slab = fftw_alloc_complex((size_t)room);
    fft->plan = fftw_mpi_plan_dft_2d(ROWS, COLS, fft->slab, fft->slab, comm,
                                     FFTW_FORWARD, FFTW_ESTIMATE);
    cadre_store_put_object(store, "fft", fft, fft_free);
    cadre_store_put(store, "first", first);
}

CADRE_TASK(void, transform,
           (const double _Complex whole[ROWS][COLS], struct fft *fft,
            ptrdiff_t first, CADRE_OUT double _Complex slab[SLAB][COLS]))
{
    memcpy(fft->slab, whole[first], sizeof(fftw_complex[SLAB][COLS]));
    fftw_execute(fft->plan);
    memcpy(slab, fft->slab, sizeof(fftw_complex[SLAB][COLS]));
}

/* The largest difference from what one process finds. */
static double compare(double _Complex a[ROWS][COLS],
                      double _Complex transformed[ROWS][COLS])
{
    double worst = 0;
    fftw_plan plan =
        fftw_plan_dft_2d(ROWS, COLS, a[0], a[0], FFTW_FORWARD, FFTW_ESTIMATE);

    fftw_execute(plan);
    fftw_destroy_plan(plan);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLS; j++)
            worst = fmax(worst, cabs(a[i][j] - transformed[i][j]));
    return worst;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_executor *ex;
    CADRE_CHECK(cadre_executor_create(
        &(struct cadre_executor_options){.cores = RANKS,
                                         .init_function = CADRE_FN(plan_fft)},
        &ex));

    static double _Complex a[ROWS][COLS], out[ROWS][COLS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLS; j++)
            a[i][j] = cexp(2 * M_PI * I * (3.0 * i / ROWS + 5.0 * j / COLS)) +
                      cos(0.1 * i * j);

    struct cadre_future *f =
        cadre_submit(ex, CADRE_FN(transform), CADRE_ARRAY(a));
    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(out)));
    printf("%d x %d on %d ranks: %s\n", ROWS, COLS, RANKS,
           compare(a, out) < 1e-9 ? "as the serial transform" : "wrong");

    cadre_future_free(f);
    cadre_executor_destroy(ex);
    return cadre_finalize();
}
