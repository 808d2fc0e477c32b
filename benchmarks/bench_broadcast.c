/* bench_broadcast.c - is a value that many tasks use sent once to each worker?
 *
 * 64 MB are broadcast to two workers, and 1,000 tasks take an element each. In
 * turn with it, the same bytes are sent once to each of the two with MPI_Send
 * (mpirun -n 3, where they share MPI_COMM_WORLD). The time of the tasks alone,
 * with the value there, is subtracted. Then the same tasks with the value as an
 * argument, which is sent with each of their batches.
 */
#include "bench.h"

#include <cadre.h>

#include <mpi.h>

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 7, TASKS = 1000, WORKERS = 2, TAG = 98 };

static const size_t COUNT = 8000000; /* doubles: 64 MB */

CADRE_TASK(double, look_up, (int64_t i, size_t n, const double table[n]))
{
    return table[(size_t)i * (n / TASKS)];
}

/* Receive by MPI, and say so. */
CADRE_TASK(int, receive, (size_t n))
{
    static double *room;
    char done = 1;

    if (room == NULL)
        room = calloc(n, sizeof *room);
    MPI_Recv(room, (int)n, MPI_DOUBLE, 0, TAG, MPI_COMM_WORLD,
             MPI_STATUS_IGNORE);
    MPI_Send(&done, 1, MPI_BYTE, 0, TAG, MPI_COMM_WORLD);
    return 0;
}

static double send_once(struct cadre_pool *pool, const double *x)
{
    struct cadre_future *f[WORKERS];
    double start, seconds;
    char done;

    for (int i = 0; i < WORKERS; i++)
        f[i] = cadre_submit(pool, CADRE_FN(receive), COUNT);
    start = bench_seconds();
    for (int i = 1; i <= WORKERS; i++)
        MPI_Send(x, (int)COUNT, MPI_DOUBLE, i, TAG, MPI_COMM_WORLD);
    for (int i = 1; i <= WORKERS; i++)
        MPI_Recv(&done, 1, MPI_BYTE, i, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    seconds = bench_seconds() - start;
    for (int i = 0; i < WORKERS; i++) {
        CADRE_CHECK(cadre_future_result(f[i], CADRE_NOTHING));
        cadre_future_free(f[i]);
    }
    return seconds;
}

static double run_tasks(struct cadre_pool *pool, const int64_t *i,
                        const double *x)
{
    double out[TASKS], start = bench_seconds(), seconds;

    CADRE_CHECK(cadre_pool_starmap(
        pool, CADRE_FN(look_up), TASKS,
        CADRE_COLUMNS(CADRE_NAMED("i", CADRE_EACH(i))), CADRE_INTO(out)));
    seconds = bench_seconds() - start;
    for (int k = 0; k < TASKS; k++)
        bench_must(out[k] == x[(size_t)k * (COUNT / TASKS)], "a wrong element");
    return seconds;
}

/* Few of them suffice to see what it costs. */
static double run_with_argument(struct cadre_pool *pool, const int64_t *i,
                                const double *x)
{
    enum { FEW = 20 };
    double out[FEW], start = bench_seconds();

    CADRE_CHECK(cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(look_up),
                                  .count = FEW,
                                  .columns = CADRE_COLUMNS(CADRE_EACH(i),
                                                           CADRE_SAME(&COUNT),
                                                           CADRE_SAME(x)),
                                  .into = CADRE_INTO(out),
                                  .chunk_size = 1}));
    return (bench_seconds() - start) / FEW * TASKS;
}

static void run_part(void)
{
    double *x = malloc(COUNT * sizeof *x);
    struct cadre_pool *pool;
    int64_t i[TASKS];

    bench_must(x != NULL, "no memory");
    for (int k = 0; k < TASKS; k++)
        i[k] = k;
    CADRE_CHECK(
        cadre_pool_create(&(struct cadre_pool_options){.max_workers = WORKERS,
                                                       .oversubscribe = true},
                          &pool));
    for (int round = 0; round <= ROUNDS; round++) {
        double raw, start, whole, tasks;

        for (size_t k = 0; k < COUNT; k++)
            x[k] = (double)(k + (size_t)round);
        raw = send_once(pool, x);
        start = bench_seconds();
        CADRE_CHECK(cadre_broadcast_array(pool, "table", COUNT, x));
        run_tasks(pool, i, x);
        whole = bench_seconds() - start;
        tasks = run_tasks(pool, i, x);
        if (round == 0) /* MPI and the machine get to know the arrays */
            continue;
        bench_say("raw", raw);
        bench_say("whole", whole);
        bench_say("tasks", tasks);
        bench_say("ratio", (whole - tasks) / raw);
    }
    bench_say("argument", run_with_argument(pool, i, x));
    cadre_pool_destroy(pool);
    free(x);
}

int main(int argc, char **argv)
{
    struct bench *b;

    if (bench_part() != NULL) {
        CADRE_CHECK(cadre_init(&argc, &argv));
        run_part();
        return cadre_finalize();
    }
    b = bench_open("64 MB used by 1,000 tasks on 2 workers");
    setenv("EVENT_NOEPOLL", "1", 0); /* as `cadre run` does */
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 0);
    bench_run_part(b, "mpirun -n 3", "carved");
    bench_row(b, "raw", "MPI_Send to each worker once", 1e3, "ms");
    bench_row(b, "whole", "broadcast and tasks", 1e3, "ms");
    bench_row(b, "tasks", "the tasks alone", 1e3, "ms");
    bench_row(b, "argument", "as an argument of each task (estimated)", 1e3,
              "ms");
    bench_row(b, "ratio", "broadcast, of raw", 1, "");
    bench_at_most(b, "broadcast, of raw", bench_median(b, "ratio"), 5, "");
    bench_close(b);
    return 0;
}
