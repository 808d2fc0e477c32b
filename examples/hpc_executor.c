/* hpc_executor.c - MPI-parallel tasks on two teams of two ranks: pi as an
 * integral, each rank summing its share. */
#include <cadre.h>

#include <mpi.h>
#include <stdio.h>

CADRE_TASK(double, pi, (long strips, MPI_Comm comm))
{
    int rank, size;
    double mine = 0, all;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    for (long i = rank; i < strips; i += size) {
        double x = ((double)i + 0.5) / (double)strips;

        mine += 4 / (1 + x * x) / (double)strips;
    }
    MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, comm);
    return all;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_hpc_executor *ex;
    CADRE_CHECK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){
            .max_workers = 2, .cores_per_worker = 2, .oversubscribe = true},
        &ex));

    long strips[] = {10, 100, 1000};
    struct cadre_future *f[3];
    for (int n = 0; n < 3; n++)
        f[n] = cadre_submit(ex, CADRE_FN(pi), strips[n]);

    for (int n = 0; n < 3; n++) {
        double out[2]; /* each rank's */

        CADRE_CHECK(cadre_future_result(f[n], CADRE_INTO(out)));
        printf("%4ld strips: %.8f %.8f\n", strips[n], out[0], out[1]);
        cadre_future_free(f[n]);
    }

    cadre_hpc_executor_destroy(ex);
    return cadre_finalize();
}
