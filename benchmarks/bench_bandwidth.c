/* bench_bandwidth.c - how fast do large arrays go there and back, and how often
 * do they lie in memory?
 *
 * 256 MB in, 256 MB out as one task of a map over plain arrays, in turn with
 * MPI_Send and MPI_Recv between the same two processes (mpirun -n 2, where they
 * share MPI_COMM_WORLD). How far the controller rises above its own two arrays,
 * and the worker above nothing: it has the one array that it changes. Then a
 * future, which copies its arguments, and an array beyond 2^31 bytes.
 */
#include "bench.h"

#include <cadre.h>

#include <mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 9, TAG = 99 };

static const size_t MB = 1000000, SIZE = 256000000;

/* Looks at both ends only: what is measured is the way. */
CADRE_TASK(void, touch, (size_t n, char x[n]))
{
    x[0]++;
    x[n - 1]++;
}

CADRE_TASK(int64_t, who, (int unused))
{
    (void)unused;
    return getpid();
}

/* What comes by MPI goes back. */
CADRE_TASK(int, echo, (size_t n))
{
    static char *room;

    if (room == NULL)
        room = calloc(1, n);
    MPI_Recv(room, (int)n, MPI_BYTE, 0, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    room[0]++;
    room[n - 1]++;
    MPI_Send(room, (int)n, MPI_BYTE, 0, TAG, MPI_COMM_WORLD);
    return 0;
}

static char *array_of(size_t n, int value)
{
    char *x = malloc(n);

    bench_must(x != NULL, "no memory");
    memset(x, value, n);
    return x;
}

static void check(const char *y, size_t n)
{
    bench_must(y[0] == 2 && y[1] == 1 && y[n / 2] == 1 && y[n - 1] == 2,
               "a wrong array");
}

static double map_once(struct cadre_pool *pool, size_t n, char *x, char *y)
{
    double start = bench_seconds();

    CADRE_CHECK(cadre_pool_starmap(pool, CADRE_FN(touch), 1,
                                   CADRE_COLUMNS(CADRE_SAME(&n), CADRE_EACH(x)),
                                   CADRE_INTO(y)));
    return bench_seconds() - start;
}

static double send_once(struct cadre_pool *pool, char *x, char *y)
{
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(echo), SIZE);
    double start = bench_seconds(), seconds;

    MPI_Send(x, (int)SIZE, MPI_BYTE, 1, TAG, MPI_COMM_WORLD);
    MPI_Recv(y, (int)SIZE, MPI_BYTE, 1, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    seconds = bench_seconds() - start;
    CADRE_CHECK(cadre_future_result(f, CADRE_NOTHING));
    cadre_future_free(f);
    return seconds;
}

static double submit_once(struct cadre_pool *pool, char *x, char *y)
{
    double start = bench_seconds();
    struct cadre_future *f =
        cadre_submit(pool, CADRE_FN(touch), SIZE,
                     ((struct cadre_value){.type = CADRE_INT8,
                                           .is_array = true,
                                           .bytes = SIZE,
                                           .size = 1,
                                           .pointer = x}));

    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(y)));
    cadre_future_free(f);
    return bench_seconds() - start;
}

/* The first of all: nothing has been large before. */
static void measure_memory(struct cadre_pool *pool, char *x, char *y)
{
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(who), 0);
    double here, there;
    int64_t worker;

    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&worker)));
    cadre_future_free(f);
    bench_memory_restart(getpid());
    bench_memory_restart((pid_t)worker);
    here = bench_memory(getpid(), "VmHWM");
    there = bench_memory((pid_t)worker, "VmHWM");
    map_once(pool, SIZE, x, y);
    check(y, SIZE);
    bench_say("controller", bench_memory(getpid(), "VmHWM") - here);
    bench_say("worker", bench_memory((pid_t)worker, "VmHWM") - there);
}

/* An array of more bytes than an int counts, changed in place. */
static void measure_huge(struct cadre_pool *pool)
{
    size_t n = 2600 * MB;
    char *x = array_of(n, 1);
    double seconds = map_once(pool, n, x, x);

    check(x, n);
    bench_say("huge", 2 * (double)n / seconds);
    free(x);
}

/* `has_raw`: the other process of MPI_COMM_WORLD is the worker. */
static void run_part(bool has_raw)
{
    struct cadre_pool *pool;
    char *x = array_of(SIZE, 1), *y = array_of(SIZE, 0);

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 1}, &pool));
    measure_memory(pool, x, y);
    for (int i = 0; i < ROUNDS; i++) {
        double raw = 0, mapped, submitted;

        memset(y, 0, SIZE);
        if (has_raw) {
            raw = send_once(pool, x, y);
            check(y, SIZE);
        }
        memset(y, 0, SIZE);
        mapped = map_once(pool, SIZE, x, y);
        check(y, SIZE);
        memset(y, 0, SIZE);
        submitted = submit_once(pool, x, y);
        check(y, SIZE);
        if (i == 0) /* MPI and the machine get to know the arrays */
            continue;
        bench_say(has_raw ? "map" : "spawned", 2 * (double)SIZE / mapped);
        bench_say("future", 2 * (double)SIZE / submitted);
        if (has_raw) {
            bench_say("raw", 2 * (double)SIZE / raw);
            bench_say("ratio", raw / mapped);
        }
    }
    free(y);
    free(x);
    if (has_raw)
        measure_huge(pool);
    cadre_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    struct bench *b;

    if (bench_part() != NULL) {
        CADRE_CHECK(cadre_init(&argc, &argv));
        run_part(strcmp(bench_part(), "carved") == 0);
        return cadre_finalize();
    }
    b = bench_open("256 MB in, 256 MB out");
    setenv("EVENT_NOEPOLL", "1", 0); /* as `cadre run` does */
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    bench_run_part(b, "mpirun -n 2", "carved");
    bench_run_part(b, "", "spawned");
    bench_row(b, "raw", "MPI_Send, MPI_Recv", 1e-9, "GB/s");
    bench_row(b, "map", "a map", 1e-9, "GB/s");
    bench_row(b, "spawned", "a map, spawned worker", 1e-9, "GB/s");
    bench_row(b, "future", "a future", 1e-9, "GB/s");
    bench_row(b, "huge", "a map of 2.6 GB", 1e-9, "GB/s");
    bench_row(b, "ratio", "a map, of raw", 1, "");
    bench_at_least(b, "a map, of raw", bench_median(b, "ratio"), 0.85, "");
    bench_at_most(b, "controller, beyond its arrays, of one",
                  bench_quantile(b, "controller", 1) / (double)SIZE, 0.1, "");
    bench_at_most(b, "worker, of the array it changes",
                  bench_quantile(b, "worker", 1) / (double)SIZE, 1.1, "");
    bench_close(b);
    return 0;
}
