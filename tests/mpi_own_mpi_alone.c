/* mpi_own_mpi_alone.c - a program that has called MPI_Init itself starts
 * workers of its own kind: they must become workers, not controllers. */
#include "check.h"

#include <cadre.h>

#include <mpi.h>

static struct cadre_pool *pool;

CADRE_TASK(int, is_controller, (int i))
{
    return i * 10 + cadre_is_controller();
}

static void its_spawned_processes_are_workers(void)
{
    struct cadre_future *f;
    int is = -1;

    CU_ASSERT_EQUAL_FATAL(
        cadre_pool_create(&(struct cadre_pool_options){.max_workers = 1},
                          &pool),
        CADRE_OK);
    f = cadre_submit(pool, CADRE_FN(is_controller), 4);
    CU_ASSERT_EQUAL(cadre_future_result(f, CADRE_INTO(&is)), CADRE_OK);
    CU_ASSERT_EQUAL(is, 40);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

static const struct check_test tests[] = {
    CHECK(its_spawned_processes_are_workers),
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    int level, status;

    cadre_set_mpi_environment();
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level);
    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("own_mpi_alone", tests);
    cadre_finalize();
    MPI_Finalize();
    return status;
}
