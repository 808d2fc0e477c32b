/* bench_latency.c - how long does one task take that does nothing?
 *
 * From cadre_submit() to cadre_future_result(), the caller waiting, no other
 * task around; against a raw round trip of 64 bytes to a process spawned in the
 * same way, with MPI_Isend, MPI_Improbe and MPI_Imrecv, measured by the same
 * program before and after. Then with two workers that are idle in turn.
 */
#include "bench.h"

#include <cadre.h>

#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BYTES = 64, TAG_ECHO = 1, TAG_STOP = 2, TRIPS = 20000, WARM = 2000 };

CADRE_TASK(int, nothing, (void))
{
    return 0;
}

/* --- raw --- */

static void send(MPI_Comm comm, const char *bytes, int tag)
{
    MPI_Request request;

    MPI_Isend(bytes, BYTES, MPI_BYTE, 0, tag, comm, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
}

/* Poll for a message and take it; returns its tag. */
static int receive(MPI_Comm comm, char *bytes)
{
    MPI_Message message;
    MPI_Status status;
    int is_there = 0;

    while (!is_there)
        MPI_Improbe(0, MPI_ANY_TAG, comm, &is_there, &message, &status);
    MPI_Mrecv(bytes, BYTES, MPI_BYTE, &message, MPI_STATUS_IGNORE);
    return status.MPI_TAG;
}

static int echo(void)
{
    MPI_Comm parent;
    char bytes[BYTES];
    int level;

    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level);
    MPI_Comm_get_parent(&parent);
    while (receive(parent, bytes) == TAG_ECHO)
        send(parent, bytes, TAG_ECHO);
    MPI_Comm_disconnect(&parent);
    MPI_Finalize();
    return 0;
}

static void measure_raw(struct bench *b, char *program)
{
    char *argv[] = {"--echo", NULL}, bytes[BYTES] = {0};
    MPI_Comm child;

    MPI_Comm_spawn(program, argv, 1, MPI_INFO_NULL, 0, MPI_COMM_SELF, &child,
                   MPI_ERRCODES_IGNORE);
    for (int i = -WARM; i < TRIPS; i++) {
        double start = bench_seconds();
        send(child, bytes, TAG_ECHO);
        receive(child, bytes);
        if (i >= 0)
            bench_add(b, "raw", bench_seconds() - start);
    }
    send(child, bytes, TAG_STOP);
    MPI_Comm_disconnect(&child);
}

/* --- Cadre --- */

static struct cadre_pool *pool_of_one(void)
{
    struct cadre_pool *pool;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 1, .oversubscribe = true},
        &pool));
    return pool;
}

static void measure_task(struct bench *b, const char *series,
                         struct cadre_pool *const *pools, int count)
{
    for (int i = -WARM; i < TRIPS; i++) {
        int result = 1;
        double start = bench_seconds();
        struct cadre_future *f =
            cadre_submit(pools[(i + WARM) % count], CADRE_FN(nothing));
        CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&result)));
        double seconds = bench_seconds() - start;
        cadre_future_free(f);
        bench_must(result == 0, "a wrong result");
        if (i >= 0)
            bench_add(b, series, seconds);
    }
}

static void print(struct bench *b, const char *series, const char *what)
{
    static const double parts[] = {0.5, 0.99};
    static const char *const names[] = {"  median", "  p99"};

    printf("  %s\n", what);
    for (int i = 0; i < 2; i++) {
        double raw = 1e6 * bench_quantile(b, "raw", parts[i]);
        double task = 1e6 * bench_quantile(b, series, parts[i]);
        double allowed = raw + 2 > 1.5 * raw ? raw + 2 : 1.5 * raw;

        printf("  %-44s %10.4g us\n", i == 0 ? "  raw, median" : "  raw, p99",
               raw);
        bench_at_most(b, names[i], task, allowed, "us");
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--echo") == 0)
        return echo();
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct bench *b = bench_open("latency: one task that does nothing");
    measure_raw(b, argv[0]);
    struct cadre_pool *pools[] = {pool_of_one(), NULL};
    measure_task(b, "lone", pools, 1);
    pools[1] = pool_of_one();
    measure_task(b, "alternating", pools, 2);
    cadre_pool_destroy(pools[0]);
    cadre_pool_destroy(pools[1]);
    measure_raw(b, argv[0]);

    print(b, "lone", "one worker");
    print(b, "alternating", "two idle workers in turn");
    bench_close(b);
    return cadre_finalize();
}
