/* bench_spawn.c - how long from cadre_pool_create() to the first result?
 *
 * Two workers, each time in a fresh process, in turn with a raw MPI_Comm_spawn
 * of two and one round trip: with Open MPI's stock transports and with the lean
 * ones that Cadre sets. Both raw ones get what a spawn needs not to hang, and
 * ask for MPI_THREAD_MULTIPLE as Cadre does.
 */
#include "bench.h"

#include <cadre.h>

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 12, LIMIT_S = 60, BYTES = 64, WORKERS = 2 };

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

static int play_cadre(int *argc, char ***argv)
{
    struct cadre_pool *pool;
    int64_t result = 0;

    CADRE_CHECK(cadre_init(argc, argv));
    double start = bench_seconds();
    CADRE_CHECK(
        cadre_pool_create(&(struct cadre_pool_options){.max_workers = WORKERS,
                                                       .oversubscribe = true},
                          &pool));
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(square), 7);
    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&result)));
    double seconds = bench_seconds() - start;
    cadre_future_free(f);
    bench_must(result == 49, "a wrong square");
    bench_say("cadre", seconds);
    cadre_pool_destroy(pool);
    return cadre_finalize();
}

static int play_raw(const char *series, char *program)
{
    char bytes[BYTES] = {0};
    MPI_Comm parent, children;
    int level, rank;
    double start;

    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level);
    MPI_Comm_get_parent(&parent);
    if (parent == MPI_COMM_NULL) {
        start = bench_seconds();
        MPI_Comm_spawn(program, MPI_ARGV_NULL, WORKERS, MPI_INFO_NULL, 0,
                       MPI_COMM_SELF, &children, MPI_ERRCODES_IGNORE);
        MPI_Send(bytes, BYTES, MPI_BYTE, 0, 0, children);
        MPI_Recv(bytes, BYTES, MPI_BYTE, 0, 0, children, MPI_STATUS_IGNORE);
        bench_say(series, bench_seconds() - start);
        MPI_Comm_disconnect(&children);
    } else {
        MPI_Comm_rank(MPI_COMM_WORLD, &rank);
        if (rank == 0) {
            MPI_Recv(bytes, BYTES, MPI_BYTE, 0, 0, parent, MPI_STATUS_IGNORE);
            MPI_Send(bytes, BYTES, MPI_BYTE, 0, 0, parent);
        }
        MPI_Comm_disconnect(&parent);
    }
    MPI_Finalize();
    return 0;
}

/* What a stock spawn needs to work at all on a small machine; see
 * docs/design.md, 'Open MPI'. */
static void set_stock_environment(void)
{
    setenv("EVENT_NOEPOLL", "1", 0);
    setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 0);
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
}

int main(int argc, char **argv)
{
    const char *part = bench_part();

    alarm(part == NULL ? 0 : LIMIT_S); /* a spawn may hang */
    if (part != NULL && strcmp(part, "cadre") == 0)
        return play_cadre(&argc, &argv);
    if (part != NULL && strcmp(part, "raw-lean") == 0)
        cadre_set_mpi_environment();
    else
        set_stock_environment();
    if (part != NULL)
        return play_raw(part, argv[0]);

    struct bench *b = bench_open("spawn: to the first result of 2 workers");
    for (int i = 0; i < ROUNDS; i++) {
        bench_run_part(b, "", "cadre");
        bench_run_part(b, "", "raw-lean");
        bench_run_part(b, "", "raw-stock");
    }
    bench_row(b, "cadre", "cadre_pool_create() to first result", 1e3, "ms");
    bench_row(b, "raw-lean", "MPI_Comm_spawn + round trip, lean", 1e3, "ms");
    bench_row(b, "raw-stock", "MPI_Comm_spawn + round trip, stock", 1e3, "ms");
    bench_at_most(b, "times raw, lean",
                  bench_median(b, "cadre") / bench_median(b, "raw-lean"), 1.3,
                  "");
    printf("  %-44s %10.4g\n", "times raw, stock",
           bench_median(b, "cadre") / bench_median(b, "raw-stock"));
    bench_close(b);
    return 0;
}
