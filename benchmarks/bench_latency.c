/* bench_latency.c - how long does one task take that does nothing?
 *
 * From cadre_submit() to cadre_future_result(), the caller waiting, no other
 * task around; against a raw round trip of 64 bytes to a process spawned in the
 * same way, with MPI_Isend, MPI_Improbe and MPI_Mrecv. Then with two workers
 * that are idle in turn, beside raw trips to two processes in turn (which poll
 * without end: with fewer than three free cores they wait for each other).
 *
 * How often a machine interrupts what runs on it shows in the 99th percentile,
 * and the more the longer that is: three raw trips in a row, which take about
 * as long as a task, are printed beside it.
 *
 * Rounds of all four follow one another. Where processes share cores a round
 * depends on who shares with whom, so the figures are those of the best round.
 */
#include "bench.h"

#include <cadre.h>

#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    BYTES = 64,
    TAG_ECHO = 1,
    TAG_STOP = 2,
    TRIPS = 5000,
    IN_A_ROW = 3,
    WARM = 500,
    ROUNDS = 7
};

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

/* Median and p99 of one round of `count` of `seconds`. */
static void add_round(struct bench *b, const char *series, double *seconds,
                      int count)
{
    static const double parts[] = {0.5, 0.99};
    static const char *const names[] = {"median", "p99"};
    char name[64];

    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s-%s", series, names[i]);
        bench_add(b, name, bench_pick(seconds, (size_t)count, parts[i]));
    }
}

/* The same of several trips in a row. */
static void add_rows(struct bench *b, const char *series, const double *seconds)
{
    double sums[TRIPS / IN_A_ROW] = {0};

    for (int i = 0; i < TRIPS / IN_A_ROW * IN_A_ROW; i++)
        sums[i / IN_A_ROW] += seconds[i];
    add_round(b, series, sums, TRIPS / IN_A_ROW);
}

static void measure_raw(struct bench *b, const char *series, char *program,
                        int count)
{
    char *argv[] = {"--echo", NULL}, bytes[BYTES] = {0};
    double seconds[TRIPS];
    MPI_Comm children[2];

    for (int i = 0; i < count; i++)
        MPI_Comm_spawn(program, argv, 1, MPI_INFO_NULL, 0, MPI_COMM_SELF,
                       &children[i], MPI_ERRCODES_IGNORE);
    for (int i = 0; i < WARM + TRIPS; i++) {
        double start = bench_seconds();
        send(children[i % count], bytes, TAG_ECHO);
        receive(children[i % count], bytes);
        if (i >= WARM)
            seconds[i - WARM] = bench_seconds() - start;
    }
    for (int i = 0; i < count; i++) {
        send(children[i], bytes, TAG_STOP);
        MPI_Comm_disconnect(&children[i]);
    }
    if (count == 1)
        add_rows(b, "raw-three", seconds);
    add_round(b, series, seconds, TRIPS);
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

static void measure_task(struct bench *b, const char *series, int count)
{
    struct cadre_pool *pools[2];
    double seconds[TRIPS];

    for (int i = 0; i < count; i++)
        pools[i] = pool_of_one();
    for (int i = 0; i < WARM + TRIPS; i++) {
        int result = 1;
        double start = bench_seconds();
        struct cadre_future *f =
            cadre_submit(pools[i % count], CADRE_FN(nothing));
        CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&result)));
        if (i >= WARM)
            seconds[i - WARM] = bench_seconds() - start;
        cadre_future_free(f);
        bench_must(result == 0, "a wrong result");
    }
    for (int i = 0; i < count; i++)
        cadre_pool_destroy(pools[i]);
    add_round(b, series, seconds, TRIPS);
}

/* The best round of "SERIES-WHICH", in us; prints its line. */
static double best(struct bench *b, const char *series, const char *which)
{
    char name[64];

    snprintf(name, sizeof name, "%s-%s", series, which);
    bench_row(b, name, name, 1e6, "us");
    return 1e6 * bench_quantile(b, name, 0);
}

static double allowed(double raw)
{
    return raw + 2 > 1.5 * raw ? raw + 2 : 1.5 * raw;
}

static void print(struct bench *b, const char *which)
{
    double raw = best(b, "raw", which);
    best(b, "raw-three", which);
    double lone = best(b, "lone", which);
    double raw_turn = best(b, "raw-turn", which);
    double turn = best(b, "turn", which);

    bench_at_most(b, "lone, best round", lone, allowed(raw), "us");
    bench_at_most(b, "turn, best round, to raw-turn", turn, allowed(raw_turn),
                  "us");
    bench_at_most(b, "turn, best round, to raw", turn, allowed(raw), "us");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--echo") == 0)
        return echo();
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct bench *b = bench_open("latency: one task that does nothing");
    for (int i = 0; i < ROUNDS; i++) {
        measure_raw(b, "raw", argv[0], 1);
        measure_task(b, "lone", 1);
        measure_raw(b, "raw-turn", argv[0], 2);
        measure_task(b, "turn", 2);
    }
    print(b, "median");
    print(b, "p99");
    bench_close(b);
    return cadre_finalize();
}
