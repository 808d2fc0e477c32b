/* bench_idle.c - what does a pool cost that waits, and how soon does it wake?
 *
 * Processor time of the controller (asleep in nanosleep, nobody waiting), of
 * each worker, and of the processes that workers have, over five seconds, as a
 * share of one core; Open MPI's daemon apart. Then the next task after one idle
 * second.
 */
#include "bench.h"

#include <cadre.h>

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 2, WATCHED_MAX = 16, SECONDS = 5, WAKES = 31 };

struct watched {
    pid_t pid;
    const char *what;
    double used;
};

CADRE_TASK(int64_t, who, (int ms))
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
    return getpid();
}

static void sleep_s(int seconds)
{
    nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
}

/* Every process that belongs to the pool; returns how many. */
static int watch(struct cadre_pool *pool, struct watched *all)
{
    struct cadre_future *f[WORKERS];
    pid_t children[4];
    int64_t pid;
    int count = 0;

    all[count++] = (struct watched){.pid = getpid(), .what = "controller"};
    for (int i = 0; i < WORKERS; i++)
        f[i] = cadre_submit(pool, CADRE_FN(who), 200);
    for (int i = 0; i < WORKERS; i++) {
        CADRE_CHECK(cadre_future_result(f[i], CADRE_INTO(&pid)));
        cadre_future_free(f[i]);
        bench_must(i == 0 || pid != all[count - 1].pid, "one worker twice");
        all[count++] = (struct watched){.pid = (pid_t)pid, .what = "worker"};
    }
    for (int i = 1; i <= WORKERS; i++) {
        size_t n = bench_children(all[i].pid, children, 4);
        for (size_t c = 0; c < n; c++)
            all[count++] = (struct watched){children[c], "of a worker", 0};
    }
    all[count++] = (struct watched){bench_parent(all[1].pid), NULL, 0};
    return count;
}

static void measure_idle(struct bench *b, struct watched *all, int count)
{
    sleep_s(2); /* let the back-off come to rest */
    for (int i = 0; i < count; i++)
        all[i].used = bench_cpu_seconds(all[i].pid);
    double start = bench_seconds();
    sleep_s(SECONDS);
    double seconds = bench_seconds() - start;
    for (int i = 0; i < count; i++) {
        double used = bench_cpu_seconds(all[i].pid) - all[i].used;
        double share = 100 * used / seconds;
        if (all[i].what != NULL)
            bench_at_most(b, all[i].what, share, 2, "%");
        else
            printf("  %-44s %10.4g %%\n", "(Open MPI's daemon)", share);
    }
}

static void measure_wake(struct bench *b, struct cadre_pool *pool)
{
    int64_t pid;

    for (int i = 0; i < WAKES; i++) {
        sleep_s(1);
        double start = bench_seconds();
        struct cadre_future *f = cadre_submit(pool, CADRE_FN(who), 0);
        CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&pid)));
        bench_add(b, "wake", bench_seconds() - start);
        cadre_future_free(f);
    }
    bench_row(b, "wake", "next task after an idle second", 1e3, "ms");
    bench_at_most(b, "  median", 1e3 * bench_median(b, "wake"), 2, "ms");
    printf("  %-44s %10.4g ms\n", "  p99",
           1e3 * bench_quantile(b, "wake", 0.99));
}

int main(int argc, char **argv)
{
    struct watched all[WATCHED_MAX];
    struct cadre_pool *pool;

    CADRE_CHECK(cadre_init(&argc, &argv));
    struct bench *b = bench_open("idle: a pool of 2 workers that waits");
    CADRE_CHECK(
        cadre_pool_create(&(struct cadre_pool_options){.max_workers = WORKERS,
                                                       .oversubscribe = true},
                          &pool));
    measure_idle(b, all, watch(pool, all));
    measure_wake(b, pool);
    bench_close(b);
    cadre_pool_destroy(pool);
    return cadre_finalize();
}
