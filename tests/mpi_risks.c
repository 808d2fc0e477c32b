/* mpi_risks.c - starts Cadre, and a worker if there is none: `mpi_risks` leaves
 * MPI to Cadre, `mpi_risks own` starts it itself, `mpi_risks helped` too, with
 * Cadre's settings. Run by tests/risks. */
#include <cadre.h>

#include <mpi.h>
#include <stdio.h>
#include <string.h>

CADRE_TASK(int, answer, (int i))
{
    return i;
}

static bool does_work(void)
{
    struct cadre_pool *pool;
    struct cadre_future *f;
    int got = 0;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 1, .oversubscribe = true},
        &pool));
    f = cadre_submit(pool, CADRE_FN(answer), 7);
    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&got)));
    cadre_future_free(f);
    cadre_pool_destroy(pool);
    return got == 7;
}

int main(int argc, char **argv)
{
    bool has_own = argc > 1;
    int level;

    if (has_own && strcmp(argv[1], "helped") == 0)
        cadre_set_mpi_environment();
    if (has_own)
        MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level);
    CADRE_CHECK(cadre_init(&argc, &argv));
    if (cadre_is_controller() && does_work())
        puts("works");
    cadre_finalize();
    if (has_own)
        MPI_Finalize();
    return 0;
}
