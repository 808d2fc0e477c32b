/* bench_memory.c - what does a queued task cost, and does a long map stay flat?
 *
 * 200,000 tasks of one int64_t are submitted while the only worker is busy: the
 * controller's growth for each, without the 8 bytes of argument. Then a map of
 * 10^7 items from an iterator: how far controller and workers rise above what
 * they had before it.
 */
#include "bench.h"

#include <cadre.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { QUEUED = 200000, ITEMS = 10000000, WORKERS = 2 };

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

CADRE_TASK(int64_t, who, (int ms))
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000,
                                 .tv_nsec = ms % 1000 * 1000000L},
              NULL);
    return getpid();
}

static struct cadre_pool *pool_of(int workers)
{
    struct cadre_pool *pool;

    CADRE_CHECK(
        cadre_pool_create(&(struct cadre_pool_options){.max_workers = workers,
                                                       .oversubscribe = true},
                          &pool));
    return pool;
}

static void measure_queued(struct bench *b)
{
    struct cadre_future **f = malloc(QUEUED * sizeof *f), *busy;
    struct cadre_pool *pool = pool_of(1);
    int64_t result = 0;

    bench_must(f != NULL, "no memory");
    memset(f, 1, QUEUED * sizeof *f); /* resident from here on */
    busy = cadre_submit(pool, CADRE_FN(who), 3000);
    double before = bench_memory(getpid(), "VmRSS"), start = bench_seconds();
    for (int64_t i = 0; i < QUEUED; i++)
        f[i] = cadre_submit(pool, CADRE_FN(square), i);
    double seconds = bench_seconds() - start;
    double grown = bench_memory(getpid(), "VmRSS") - before;
    bench_must(seconds < 2.5, "the worker was free again too soon");
    for (int64_t i = 0; i < QUEUED; i++) {
        CADRE_CHECK(cadre_future_result(f[i], CADRE_INTO(&result)));
        bench_must(result == i * i, "a wrong square");
        cadre_future_free(f[i]);
    }
    cadre_future_free(busy);
    free(f);
    cadre_pool_destroy(pool);
    printf("  %-44s %10.4g us\n", "submit", 1e6 * seconds / QUEUED);
    bench_at_most(b, "a queued task, beyond its argument",
                  grown / QUEUED - sizeof(int64_t), 128, "bytes");
}

/* What the iterator gives, and what has come back. */
struct flow {
    int64_t given;
    uint64_t taken;
};

static bool next(void *user, struct cadre_row *row)
{
    struct flow *flow = user;

    if (flow->given == ITEMS)
        return false;
    CADRE_CHECK(cadre_row_give(row, flow->given));
    flow->given++;
    return true;
}

static bool on_item(void *user, const struct cadre_item *item)
{
    struct flow *flow = user;
    int64_t i = (int64_t)item->index, result;

    bench_must(item->err == CADRE_OK && item->index == flow->taken,
               "an item failed or came out of turn");
    memcpy(&result, item->outputs[0].data, sizeof result);
    bench_must(result == i * i, "a wrong square");
    flow->taken++;
    return true;
}

static void find_workers(struct cadre_pool *pool, pid_t *pids)
{
    struct cadre_future *f[WORKERS];
    int64_t pid;

    for (int i = 0; i < WORKERS; i++)
        f[i] = cadre_submit(pool, CADRE_FN(who), 200);
    for (int i = 0; i < WORKERS; i++) {
        CADRE_CHECK(cadre_future_result(f[i], CADRE_INTO(&pid)));
        cadre_future_free(f[i]);
        pids[i] = (pid_t)pid;
    }
    bench_must(pids[0] != pids[1], "one worker twice");
}

static void measure_long(struct bench *b)
{
    struct cadre_pool *pool = pool_of(WORKERS);
    pid_t pids[WORKERS + 1] = {getpid()};
    double before[WORKERS + 1];
    struct flow flow = {0};

    malloc_trim(0); /* what the queue has left */
    find_workers(pool, pids + 1);
    for (int i = 0; i <= WORKERS; i++) {
        bench_memory_restart(pids[i]);
        before[i] = bench_memory(pids[i], "VmRSS");
    }
    double start = bench_seconds();
    CADRE_CHECK(cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                                         .next = next,
                                                         .on_item = on_item,
                                                         .user = &flow}));
    double seconds = bench_seconds() - start;
    bench_must(flow.taken == ITEMS, "items are missing");
    printf("  %-44s %10.4g M/s\n", "10^7 items from an iterator",
           1e-6 * ITEMS / seconds);
    for (int i = 0; i <= WORKERS; i++)
        bench_at_most(
            b, i == 0 ? "  growth of the controller" : "  growth of a worker",
            (bench_memory(pids[i], "VmHWM") - before[i]) / 1e6, 64, "MB");
    cadre_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));
    struct bench *b = bench_open("memory: queued tasks and long maps");
    measure_queued(b);
    measure_long(b);
    bench_close(b);
    return cadre_finalize();
}
