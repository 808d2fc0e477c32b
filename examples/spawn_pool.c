/* spawn_pool.c - two new processes for each of four tasks, two tasks at a time:
 * how many ranks there are, and which one answers. */
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

    struct cadre_spawn_pool *pool;
    CADRE_CHECK(cadre_spawn_pool_create(
        &(struct cadre_spawn_pool_options){
            .max_ranks = 4, .ranks_per_task = 2, .oversubscribe = true},
        &pool));

    int in[] = {1, 2, 3, 4}, out[4][3];
    CADRE_CHECK(cadre_spawn_pool_map(pool, CADRE_FN(who), 4, CADRE_EACH(in),
                                     CADRE_INTO(out)));
    for (int n = 0; n < 4; n++)
        printf("task %d: rank %d of %d\n", out[n][0], out[n][2], out[n][1]);

    cadre_spawn_pool_destroy(pool);
    return cadre_finalize();
}
