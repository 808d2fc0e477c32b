/* mpi_own_mpi.c - Cadre in a program that uses MPI itself.
 *
 * Started with four ranks: the first three are the controller and two workers,
 * the fourth has nothing to do with Cadre.
 */
#include "check.h"

#include <cadre.h>
#include <cadre/mpi.h>

#include <stdio.h>
#include <unistd.h>

enum { CREW = 3, RANKS = 4 };

static MPI_Comm crew;             /* the user's communicator */
static MPI_Errhandler handler;    /* of his on MPI_COMM_WORLD and `crew` */
static cadre_err outcome_of_init; /* on this rank */
static struct cadre_pool *pool;

CADRE_TASK(int, world_rank, (int i))
{
    int rank;

    (void)i;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

static void on_error(MPI_Comm *comm, int *code, ...)
{
    (void)comm;
    (void)code;
}

/* Are the user's error handlers where he put them? */
static bool has_own_handlers(void)
{
    MPI_Errhandler world, mine;
    bool same;

    MPI_Comm_get_errhandler(MPI_COMM_WORLD, &world);
    MPI_Comm_get_errhandler(crew, &mine);
    same = world == handler && mine == handler;
    MPI_Errhandler_free(&world);
    MPI_Errhandler_free(&mine);
    return same;
}

static void only_rank_0_is_the_controller(void)
{
    CU_ASSERT_EQUAL(outcome_of_init, CADRE_OK);
    CU_ASSERT(cadre_is_controller());
    CU_ASSERT_EQUAL(cadre_init_comm(crew), CADRE_ESTATE);
}

static void the_ranks_of_the_communicator_are_the_workers(void)
{
    int in[100], out[100], seen[RANKS] = {0};
    cadre_err err = cadre_pool_create(NULL, &pool);

    CU_ASSERT_EQUAL_FATAL(err, CADRE_OK);
    CU_ASSERT_EQUAL(cadre_pool_workers(pool), CREW - 1);
    err = cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(world_rank),
                                  .count = 100,
                                  .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                  .into = CADRE_INTO(out),
                                  .chunk_size = 1});
    CU_ASSERT_EQUAL(err, CADRE_OK);
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_FATAL(out[i] == 1 || out[i] == 2);
        seen[out[i]]++;
    }
    CU_ASSERT(seen[1] > 0);
    CU_ASSERT(seen[2] > 0);
}

static void the_users_error_handlers_stay(void)
{
    CU_ASSERT(has_own_handlers());
}

/* What every rank does when Cadre has ended; the number of ranks that are
 * well. */
static int count_the_well(bool is_well)
{
    int mine = is_well && !cadre_is_controller() && has_own_handlers();
    int sum = 0;

    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    return sum;
}

static void every_rank_goes_on_with_its_own_mpi(void)
{
    int is_finalized = 1;

    cadre_pool_destroy(pool);
    CU_ASSERT_EQUAL(cadre_finalize(), 0);
    MPI_Finalized(&is_finalized);
    CU_ASSERT_FALSE(is_finalized);
    CU_ASSERT_EQUAL(count_the_well(true), RANKS);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(only_rank_0_is_the_controller),
        CHECK(the_ranks_of_the_communicator_are_the_workers),
        CHECK(the_users_error_handlers_stay),
        CHECK(every_rank_goes_on_with_its_own_mpi),
        {NULL, NULL}};
    int level, rank, status = 0;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split(MPI_COMM_WORLD, rank < CREW, rank, &crew);
    MPI_Comm_create_errhandler(on_error, &handler);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler);
    MPI_Comm_set_errhandler(crew, handler);
    if (rank < CREW)
        outcome_of_init = cadre_init_comm(crew);
    if (rank == 0)
        status = check_run("own_mpi", tests);
    else
        count_the_well(outcome_of_init == CADRE_OK);
    MPI_Errhandler_free(&handler);
    MPI_Comm_free(&crew);
    MPI_Finalize();
    return status;
}
