/* bench_map.c - how many tasks a second does a map of many small ones run?
 *
 * `int64_t f(int64_t)` over 10^6 items on two workers, default settings, paired
 * with mpi4py.futures: its default map (few items, scaled) and its best chunk
 * size. Then: a function of mixed types over two columns, items of 1 and 100
 * us against the ideal (items x one call in a plain loop here / workers), and
 * all on the resident workers of `mpirun -n 3` as well. Since two cores may be
 * less than twice one, and others may use them, the same work shared by two
 * bare processes is printed beside the ideal.
 *
 * The program starts itself in its parts, with mpirun and python3 in turn.
 */
#include "bench.h"

#include <cadre.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef BENCH_PYTHON
#define BENCH_PYTHON "/usr/bin/python3" /* the one with Debian's packages */
#endif

enum { WORKERS = 2, ITEMS = 1000000, REPETITIONS = 7, ROUNDS = 2 };

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

CADRE_TASK(double, scale, (int32_t i, double x))
{
    return i * x;
}

/* Some work: so many steps of a random sequence. */
CADRE_TASK(uint64_t, work, (uint64_t seed, uint64_t steps))
{
    for (uint64_t i = 0; i < steps; i++)
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return seed;
}

/* --- one part: measure, and say seconds for a task --- */

static void *array(size_t count, size_t size)
{
    void *x = calloc(count, size);

    bench_must(x != NULL, "no memory");
    return x;
}

static void measure_plain(struct cadre_pool *pool, const char *series)
{
    int64_t *in = array(ITEMS, sizeof *in), *out = array(ITEMS, sizeof *out);

    for (int r = 0; r <= REPETITIONS; r++) { /* the first warms up */
        for (int64_t i = 0; i < ITEMS; i++)
            in[i] = i + r;
        double start = bench_seconds();
        CADRE_CHECK(cadre_pool_map(pool, CADRE_FN(square), ITEMS,
                                   CADRE_EACH(in), CADRE_INTO(out)));
        double seconds = bench_seconds() - start;
        for (int64_t i = 0; i < ITEMS; i++)
            bench_must(out[i] == in[i] * in[i], "a wrong square");
        if (r > 0)
            bench_say(series, seconds / ITEMS);
    }
    free(in);
    free(out);
}

static void measure_mixed(struct cadre_pool *pool, const char *series)
{
    int32_t *in = array(ITEMS, sizeof *in);
    double *x = array(ITEMS, sizeof *x), *out = array(ITEMS, sizeof *out);

    for (int r = 0; r <= REPETITIONS; r++) {
        for (int32_t i = 0; i < ITEMS; i++) {
            in[i] = i + r;
            x[i] = i * 0.5;
        }
        double start = bench_seconds();
        CADRE_CHECK(cadre_pool_starmap(
            pool, CADRE_FN(scale), ITEMS,
            CADRE_COLUMNS(CADRE_EACH(in), CADRE_EACH(x)), CADRE_INTO(out)));
        double seconds = bench_seconds() - start;
        for (int32_t i = 0; i < ITEMS; i++)
            bench_must(out[i] == in[i] * x[i], "a wrong product");
        if (r > 0)
            bench_say(series, seconds / ITEMS);
    }
    free(in);
    free(x);
    free(out);
}

/* Steps of work() that take `seconds`. */
static uint64_t steps_of(double seconds)
{
    const uint64_t steps = 1000000;
    double best = 1;

    for (int i = 0; i < 20; i++) {
        double start = bench_seconds();
        volatile uint64_t result = work((uint64_t)i, steps);
        double took = bench_seconds() - start;
        (void)result;
        best = took < best ? took : best;
    }
    return (uint64_t)(seconds / best * (double)steps);
}

/* `out[i]` for part of the items, here. */
static void work_here(const uint64_t *in, uint64_t *out, uint64_t count,
                      uint64_t steps)
{
    for (uint64_t i = 0; i < count; i++)
        out[i] = work(in[i], steps);
}

/* The same, shared by two bare processes: seconds. */
static double work_in_two(const uint64_t *in, uint64_t *out, uint64_t count,
                          uint64_t steps)
{
    double start = bench_seconds();
    pid_t child = fork();
    int status = 1;

    bench_must(child >= 0, "no fork");
    work_here(in, out, count / 2, steps);
    if (child == 0)
        _exit(0);
    bench_must(waitpid(child, &status, 0) == child && status == 0,
               "the bare process failed");
    return bench_seconds() - start;
}

/* Efficiency with items that take `us` each. */
static void measure_work(struct cadre_pool *pool, const char *door, double us,
                         uint64_t count)
{
    uint64_t *in = array(count, sizeof *in), *out = array(count, sizeof *out);
    uint64_t *want = array(count, sizeof *want), steps = steps_of(us * 1e-6);
    char series[64];

    for (uint64_t i = 0; i < count; i++)
        in[i] = i;
    for (int r = 0; r <= REPETITIONS; r++) {
        double start = bench_seconds();
        work_here(in, want, count, steps);
        double ideal = (bench_seconds() - start) / WORKERS;
        double bare = work_in_two(in, out, count, steps);

        double used = bench_cpu_seconds(getpid());
        start = bench_seconds();
        CADRE_CHECK(cadre_pool_starmap(
            pool, CADRE_FN(work), count,
            CADRE_COLUMNS(CADRE_EACH(in), CADRE_SAME(&steps)),
            CADRE_INTO(out)));
        double seconds = bench_seconds() - start;
        used = bench_cpu_seconds(getpid()) - used;
        for (uint64_t i = 0; i < count; i++)
            bench_must(out[i] == want[i], "wrong work");
        if (r == 0)
            continue;
        snprintf(series, sizeof series, "%s-%gus", door, us);
        bench_say(series, ideal / seconds);
        snprintf(series, sizeof series, "%s-%gus-bare", door, us);
        bench_say(series, ideal / bare);
        snprintf(series, sizeof series, "%s-%gus-controller", door, us);
        bench_say(series, used / seconds);
    }
    free(in);
    free(out);
    free(want);
}

static int play(const char *door, int *argc, char ***argv)
{
    struct cadre_pool *pool;
    char mixed[64];

    CADRE_CHECK(cadre_init(argc, argv));
    CADRE_CHECK(
        cadre_pool_create(&(struct cadre_pool_options){.max_workers = WORKERS,
                                                       .oversubscribe = true},
                          &pool));
    measure_plain(pool, door);
    snprintf(mixed, sizeof mixed, "%s-mixed", door);
    measure_mixed(pool, mixed);
    measure_work(pool, door, 1, 300000);
    measure_work(pool, door, 100, 4000);
    cadre_pool_destroy(pool);
    return cadre_finalize();
}

/* --- the whole --- */

static const char *best_chunk(struct bench *b)
{
    static const char *const all[] = {"mpi4py-100", "mpi4py-1000",
                                      "mpi4py-10000", "mpi4py-100000"};
    const char *best = all[0];

    for (size_t i = 1; i < sizeof all / sizeof all[0]; i++)
        if (bench_median(b, all[i]) < bench_median(b, best))
            best = all[i];
    return best;
}

static void print_work(struct bench *b, const char *series, const char *what,
                       double target)
{
    char bare[64], controller[64];

    snprintf(bare, sizeof bare, "%s-bare", series);
    snprintf(controller, sizeof controller, "%s-controller", series);
    bench_row(b, series, what, 1, "of ideal");
    bench_row(b, bare, "  two bare processes", 1, "of ideal");
    bench_row(b, controller, "  controller", 100, "% of core");
    bench_at_least(b, "  efficiency", bench_median(b, series), target, "");
    bench_at_least(b, "  to two bare processes",
                   bench_median(b, series) / bench_median(b, bare), target, "");
}

static void print(struct bench *b)
{
    double plain = bench_median(b, "spawned");
    const char *best = best_chunk(b);

    bench_row(b, "spawned", "int64 f(int64), 10^6 items, spawned", 1e9, "ns");
    bench_row(b, "mpi4py", "mpi4py map, 5,000 items", 1e9, "ns");
    bench_row(b, best, best, 1e9, "ns");
    bench_at_least(b, "tasks/s (on an idle machine)", 1e-6 / plain, 5, "M/s");
    bench_at_least(b, "times mpi4py's default",
                   bench_median(b, "mpi4py") / plain, 1000, "");
    bench_at_least(b, "times mpi4py's best chunk size",
                   bench_median(b, best) / plain, 3, "");

    bench_row(b, "spawned-mixed", "double g(int32, double)", 1e9, "ns");
    bench_at_least(b, "rate, of the plain rate",
                   plain / bench_median(b, "spawned-mixed"), 0.5, "");
    bench_row(b, "carved", "carved (mpirun -n 3)", 1e9, "ns");
    bench_row(b, "carved-mixed", "carved, double g(int32, double)", 1e9, "ns");
    bench_at_least(b, "rate, of spawned", plain / bench_median(b, "carved"),
                   0.8, "");

    print_work(b, "spawned-1us", "300,000 items of 1 us", 0.9);
    print_work(b, "spawned-100us", "4,000 items of 100 us", 0.97);
    print_work(b, "carved-1us", "carved, 300,000 items of 1 us", 0.9);
    print_work(b, "carved-100us", "carved, 4,000 items of 100 us", 0.97);
}

int main(int argc, char **argv)
{
    if (bench_part() != NULL)
        return play(bench_part(), &argc, &argv);

    struct bench *b = bench_open("map: many small tasks on 2 workers");
    cadre_set_mpi_environment();
    for (int r = 0; r < ROUNDS; r++) {
        bench_run_part(b, "", "spawned");
        bench_run(b, "mpirun -n 1 " BENCH_PYTHON " '" BENCH_SOURCE
                     "/mpi4py_map.py'");
        bench_run_part(b, "mpirun -n 3", "carved");
    }
    print(b);
    bench_close(b);
    return 0;
}
