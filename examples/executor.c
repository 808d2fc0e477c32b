/* executor.c - a function on two ranks at once: each says who it is. */
#include <cadre.h>

#include <mpi.h>
#include <stdio.h>

CADRE_TASK(void, who, (int i, MPI_Comm comm, CADRE_OUT int out[3]))
{
    out[0] = i;
    MPI_Comm_size(comm, &out[1]);
    MPI_Comm_rank(comm, &out[2]);
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_executor *ex;
    CADRE_CHECK(cadre_executor_create(
        &(struct cadre_executor_options){.cores = 2}, &ex));

    /* The communicator and the output are not the caller's to give. */
    struct cadre_future *f = cadre_submit(ex, CADRE_FN(who), 3);
    int out[2][3]; /* a row for each rank */
    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(out)));
    for (int n = 0; n < 2; n++)
        printf("%d: rank %d of %d\n", out[n][0], out[n][2], out[n][1]);

    cadre_future_free(f);
    cadre_executor_destroy(ex);
    return cadre_finalize();
}
