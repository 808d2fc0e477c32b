/* mpi_not_cadre.c - a program that starts MPI and knows nothing of Cadre. */
#include <mpi.h>

#include <unistd.h>

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    sleep(1000);
    MPI_Finalize();
    return 0;
}
