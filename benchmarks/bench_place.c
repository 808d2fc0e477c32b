/* bench_place.c - what does a plan cost, and what does a place bring?
 *
 * The planner: 1,000 hosts of 128 cores (two packages of four NUMA nodes of two
 * caches of eight cores, two hardware threads each), filled by one request.
 *
 * The place: a process for each core adds arrays that are too large for any
 * cache (STREAM's triad, a = b + s * c), once where the system puts it, once in
 * its place; memory is touched first where it is used. The gain is that of the
 * machine: with one NUMA node and nothing else to do there is hardly any.
 */
#include "bench.h"

#include "../runtime/place_host.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HOSTS = 1000,
    PLANS = 5,
    ROUNDS = 5,
    TRIADS = 6,
    DOUBLES = 1 << 22, /* of one array: 32 MiB */
    RANKS_MAX = 256
};

static struct cadre_error error;

static void must(cadre_err err)
{
    if (err != CADRE_OK)
        fprintf(stderr, "bench_place: %s\n", error.text);
    bench_must(err == CADRE_OK, "a plan or a place failed");
}

/* --- the planner ---------------------------------------------------------- */

static struct cadre_ledger *cluster(void)
{
    struct cadre_machine *machine;
    struct cadre_ledger *ledger;
    char name[32];
    uint32_t host;

    must(cadre_ledger_create(&ledger));
    must(cadre_machine_read_synthetic(
        "package:2 group:4 [numa] l3:2 core:8 pu:2", &machine, &error));
    must(cadre_ledger_add(ledger, machine, &host, &error));
    for (int i = 1; i < HOSTS; i++) {
        snprintf(name, sizeof name, "n%d", i);
        must(cadre_ledger_add_like(ledger, 0, name, &host, &error));
    }
    return ledger;
}

static void measure_plan(struct bench *b, const char *series,
                         struct cadre_ledger *ledger,
                         struct cadre_place_request request)
{
    for (int i = 0; i < PLANS; i++) {
        struct cadre_plan *plan;
        double start = bench_seconds();
        must(cadre_ledger_reserve(ledger, &request, &plan, &error));
        bench_add(b, series, bench_seconds() - start);
        bench_must(plan->places[request.ranks - 1].npus ==
                           2 * request.threads_per_rank &&
                       plan->places[request.ranks - 1].host == HOSTS - 1,
                   "the cluster is not filled");
        cadre_ledger_release(ledger, plan);
    }
    bench_row(b, series, series, 1e3, "ms");
    bench_at_most(b, series, bench_median(b, series), 1, "s");
}

static void measure_plans(struct bench *b)
{
    struct cadre_ledger *ledger = cluster();

    measure_plan(b, "128,000 ranks of 1 thread", ledger,
                 (struct cadre_place_request){.ranks = HOSTS * 128,
                                              .threads_per_rank = 1});
    measure_plan(b, "the same, scattered", ledger,
                 (struct cadre_place_request){.ranks = HOSTS * 128,
                                              .threads_per_rank = 1,
                                              .policy = CADRE_PLACE_SCATTER});
    measure_plan(b, "16,000 ranks of 8, teams of 4", ledger,
                 (struct cadre_place_request){.ranks = HOSTS * 16,
                                              .threads_per_rank = 8,
                                              .ranks_per_team = 4});
    cadre_ledger_destroy(ledger);
}

/* --- the triad ------------------------------------------------------------ */

/* Shared by the processes of one round. */
struct round {
    _Atomic int ready;
    double seconds[RANKS_MAX];
};

static double *array(double value)
{
    double *a = malloc(DOUBLES * sizeof *a);

    bench_must(a != NULL, "no memory");
    for (long i = 0; i < DOUBLES; i++)
        a[i] = value;
    return a;
}

static void triad(struct round *round, int rank, int ranks)
{
    double *a = array(0), *b = array(1), *c = array(2), start;

    atomic_fetch_add(&round->ready, 1);
    while (atomic_load(&round->ready) < ranks)
        sched_yield();
    start = bench_seconds();
    for (int n = 0; n < TRIADS; n++)
        for (long i = 0; i < DOUBLES; i++)
            a[i] = b[i] + (3 + n) * c[i];
    round->seconds[rank] = bench_seconds() - start;
    bench_must(a[DOUBLES / 2] == 1 + (3 + TRIADS - 1) * 2, "a wrong sum");
    free(a);
    free(b);
    free(c);
}

static void run_rank(const struct cadre_plan *plan, int rank, bool is_bound,
                     struct round *round)
{
    if (is_bound)
        must(cadre_place_apply(&plan->places[rank], &error));
    triad(round, rank, (int)plan->nplaces);
}

/* GB a second of all ranks together: each moves three arrays a triad. */
static double run_round(const struct cadre_plan *plan, bool is_bound)
{
    struct round *round = mmap(NULL, sizeof *round, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ranks = (int)plan->nplaces, status;
    double slowest = 0, bytes = 3.0 * sizeof(double) * DOUBLES * TRIADS;

    bench_must(round != MAP_FAILED, "no shared memory");
    fflush(NULL);
    for (int i = 0; i < ranks; i++)
        if (fork() == 0) {
            alarm(120);
            run_rank(plan, i, is_bound, round);
            _exit(0);
        }
    for (int i = 0; i < ranks; i++)
        bench_must(wait(&status) > 0 && WIFEXITED(status) &&
                       WEXITSTATUS(status) == 0,
                   "a rank failed");
    for (int i = 0; i < ranks; i++)
        if (round->seconds[i] > slowest)
            slowest = round->seconds[i];
    munmap(round, sizeof *round);
    return ranks * bytes / slowest * 1e-9;
}

static void measure_triad(struct bench *b)
{
    struct cadre_ledger *ledger;
    struct cadre_plan *plan;
    uint32_t host, cores;

    must(cadre_ledger_create(&ledger));
    must(cadre_ledger_add_this_host(ledger, &host, &error));
    cores = cadre_machine_cores(cadre_ledger_machine(ledger, host));
    must(cadre_ledger_reserve(
        ledger,
        &(struct cadre_place_request){.ranks = cores < RANKS_MAX ? cores
                                                                 : RANKS_MAX},
        &plan, &error));
    for (int i = 0; i < ROUNDS; i++) {
        bench_add(b, "unpinned", run_round(plan, false));
        bench_add(b, "pinned", run_round(plan, true));
    }
    bench_row(b, "unpinned", "triad, unpinned", 1, "GB/s");
    bench_row(b, "pinned", "triad, pinned", 1, "GB/s");
    bench_add(b, "ratio",
              bench_median(b, "pinned") / bench_median(b, "unpinned"));
    bench_row(b, "ratio", "pinned / unpinned", 1, "");
    cadre_ledger_release(ledger, plan);
    cadre_ledger_destroy(ledger);
}

int main(void)
{
    struct bench *b = bench_open("place: the cost of a plan, the gain of a "
                                 "place");

    measure_plans(b);
    measure_triad(b);
    bench_close(b);
    return 0;
}
