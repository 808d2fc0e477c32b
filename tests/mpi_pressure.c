/* mpi_pressure.c - who submits faster than the workers work: what is held is
 * counted and bounded, and nothing waits for ever; with real workers, however
 * the program was started. */
#include "mpi_check.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MB = 1 << 20, LARGE = MB / (int)sizeof(int), WAIT_S = 60 };

/* --- tasks ---------------------------------------------------------------- */

CADRE_TASK(int, ends_of, (int n, const int v[n]))
{
    return v[0] + v[n - 1];
}

CADRE_TASK(int, count_up, (int n, const int v[n]))
{
    static int calls;

    (void)v;
    return calls++;
}

CADRE_TASK(int, add_to, (int sum, int n, const int v[n]))
{
    return sum + v[n / 2];
}

CADRE_TASK(void, fill, (int with, int n, CADRE_OUT int v[n]))
{
    for (int i = 0; i < n; i++)
        v[i] = with;
}

/* Until the file is gone. */
CADRE_TASK(int, hold, (const char *path, int n, const int v[n]))
{
    while (access(path, F_OK) == 0)
        usleep(1000);
    return v[n - 1];
}

CADRE_TASK(int, die_once, (const char *path, int n, const int v[n]))
{
    if (unlink(path) == 0)
        raise(SIGKILL);
    return v[0] + v[n - 1];
}

static int *numbers(int n, int with)
{
    int *v = malloc((size_t)n * sizeof *v);

    for (int i = 0; v != NULL && i < n; i++)
        v[i] = with;
    return v;
}

/* 20 large tasks to workers of this worker's own. */
CADRE_TASK(int, from_within, (int i))
{
    struct cadre_pool *pool;
    struct cadre_future *f[20];
    int *v = numbers(LARGE, i), sum = 0, x = 0;

    if (v == NULL ||
        cadre_pool_create(&(struct cadre_pool_options){.max_workers = 1,
                                                       .oversubscribe = true,
                                                       .max_pending_bytes = MB},
                          &pool) != CADRE_OK)
        return -1;
    for (int k = 0; k < 20; k++)
        f[k] = cadre_submit(pool, CADRE_FN(ends_of), LARGE, CADRE_ARRAY(v));
    for (int k = 0; k < 20; k++) {
        if (cadre_future_result(f[k], CADRE_INTO(&x)) == CADRE_OK)
            sum += x;
        cadre_future_free(f[k]);
    }
    cadre_pool_destroy(pool);
    free(v);
    return sum;
}

/* --- help ----------------------------------------------------------------- */

static struct cadre_pool *limited(int workers, uint64_t max_pending_bytes)
{
    struct cadre_pool *pool = NULL;

    CHECK_OK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = workers,
                                     .oversubscribe = true,
                                     .max_pending_bytes = max_pending_bytes},
        &pool));
    CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
    return pool;
}

/* A file that holds a task. */
static void new_path(char path[32])
{
    int fd;

    strcpy(path, "/tmp/mpi_pressure.XXXXXX");
    fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
}

/* "VmHWM" or "VmRSS" of this process, in MB. */
static double memory_of(const char *what)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    double kb = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, what, strlen(what)) == 0)
            kb = strtod(line + strlen(what) + 1, NULL);
    }
    if (f != NULL)
        fclose(f);
    return kb / 1024;
}

/* From here on VmHWM is new. */
static void forget_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY);

    malloc_trim(0);
    CU_ASSERT(fd >= 0 && write(fd, "5", 1) == 1);
    if (fd >= 0)
        close(fd);
}

static void until_it_holds(struct cadre_pool *pool, uint64_t bytes)
{
    double end = seconds() + WAIT_S;

    while (cadre_pending_bytes(pool) < bytes && seconds() < end)
        usleep(1000);
    CU_ASSERT(cadre_pending_bytes(pool) >= bytes);
}

/* --- what is held --------------------------------------------------------- */

static void arguments_count_until_their_tasks_have_ended(void)
{
    enum { COUNT = 10, N = 1000 };
    struct cadre_pool *pool = limited(1, 0);
    struct cadre_future *f[COUNT], *held;
    uint64_t bytes, one;
    int *v = numbers(N, 3);
    char path[32];

    new_path(path);
    held = cadre_submit(pool, CADRE_FN(hold), path, 1, CADRE_ARRAY(v));
    bytes = cadre_pending_bytes(pool);
    CU_ASSERT(bytes > strlen(path) && bytes < 128);
    for (int i = 0; i < COUNT; i++)
        f[i] = cadre_submit(pool, CADRE_FN(ends_of), N, CADRE_ARRAY(v));
    one = (cadre_pending_bytes(pool) - bytes) / COUNT;
    CU_ASSERT(one >= N * sizeof *v && one < N * sizeof *v + 64);
    CU_ASSERT(cadre_future_cancel(f[COUNT - 1]));
    CU_ASSERT_EQUAL(cadre_pending_bytes(pool), bytes + (COUNT - 1) * one);
    unlink(path);
    CU_ASSERT_EQUAL(int_of(held), 3);
    for (int i = 0; i < COUNT - 1; i++)
        CU_ASSERT_EQUAL(int_of(f[i]), 6);
    cadre_future_free(f[COUNT - 1]);
    CU_ASSERT_EQUAL(cadre_pending_bytes(pool), 0);
    f[0] = cadre_submit(pool, CADRE_FN(ends_of), "one", CADRE_ARRAY(v));
    CU_ASSERT_EQUAL(cadre_pending_bytes(pool), 0); /* it never was one */
    cadre_future_free(f[0]);
    cadre_pool_destroy(pool);
    free(v);
}

/* All futures are kept to the end. */
static void large_arrays_do_not_fill_the_memory(void)
{
    enum { COUNT = 500, LIMIT = 16, MOST = 150 };
    struct cadre_pool *pool = limited(2, (uint64_t)LIMIT * MB);
    struct cadre_future **f = malloc(COUNT * sizeof(struct cadre_future *));
    int *v = numbers(LARGE, 0);
    double before;

    forget_peak();
    before = memory_of("VmRSS");
    for (int i = 0; i < COUNT; i++) {
        v[0] = i;
        f[i] = cadre_submit(pool, CADRE_FN(ends_of), LARGE, CADRE_ARRAY(v));
        CU_ASSERT(cadre_pending_bytes(pool) < (uint64_t)(LIMIT + 40) * MB);
    }
    CHECK_OK(cadre_wait(f, COUNT, CADRE_ALL_DONE, -1, NULL));
    if (memory_of("VmHWM") - before > MOST)
        fprintf(stderr, "%g MB more\n", memory_of("VmHWM") - before);
    CU_ASSERT(memory_of("VmHWM") - before < MOST);
    for (int i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL(int_of(f[i]), i);
    cadre_pool_destroy(pool);
    free(f);
    free(v);
}

static void who_waits_is_served_in_order(void)
{
    enum { COUNT = 200, N = 10000 };
    struct cadre_pool *pool = limited(1, 100000);
    struct cadre_future *f[COUNT];
    int *v = numbers(N, 1), first;

    for (int i = 0; i < COUNT; i++)
        f[i] = cadre_submit(pool, CADRE_FN(count_up), N, CADRE_ARRAY(v));
    first = int_of(f[0]); /* a resident worker may have counted before */
    for (int i = 1; i < COUNT; i++)
        CU_ASSERT_EQUAL(int_of(f[i]), first + i);
    cadre_pool_destroy(pool);
    free(v);
}

static void what_is_tried_again_has_its_arguments(void)
{
    struct cadre_pool *pool = limited(1, MB);
    struct cadre_task_options twice = {.retries = 1};
    int *v = numbers(2 * LARGE, 21);
    char path[32];

    for (int n = 10; n <= 2 * LARGE; n = n == 10 ? 10000 : n * 20) {
        new_path(path);
        CU_ASSERT_EQUAL(
            int_of(cadre_submit_with(pool, &twice, CADRE_FN(die_once), path, n,
                                     CADRE_ARRAY(v))),
            42);
        CU_ASSERT_EQUAL(cadre_pending_bytes(pool), 0);
    }
    cadre_pool_destroy(pool);
    free(v);
}

/* --- nothing waits for ever ----------------------------------------------- */

static void tasks_larger_than_the_limit_go_through(void)
{
    struct cadre_pool *pool = limited(1, 1000);
    struct cadre_future *f[20];
    int *v = numbers(LARGE, 0);

    for (int i = 0; i < 20; i++) {
        v[LARGE - 1] = i;
        f[i] = cadre_submit(pool, CADRE_FN(ends_of), LARGE, CADRE_ARRAY(v));
    }
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(int_of(f[i]), i);
    cadre_pool_destroy(pool);
    free(v);
}

/* Each needs the one before, and the large array that another pool makes. */
static void tasks_that_wait_for_others_do_not_block(void)
{
    enum { COUNT = 50 };
    struct cadre_pool *pool = limited(1, 1000), *other = limited(1, 1000);
    struct cadre_future *sum =
        cadre_submit(pool, CADRE_FN(ends_of), 1, &(int){0});
    int *v = numbers(LARGE, 2);

    for (int i = 0; i < COUNT; i++) {
        struct cadre_future *made =
            cadre_submit(other, CADRE_FN(fill), 1, LARGE);
        struct cadre_future *mine =
            cadre_submit(pool, CADRE_FN(add_to), sum, LARGE, made);
        struct cadre_future *next =
            cadre_submit(pool, CADRE_FN(add_to), mine, LARGE, CADRE_ARRAY(v));

        cadre_future_free(sum);
        cadre_future_free(made);
        cadre_future_free(mine);
        sum = next;
    }
    CU_ASSERT_EQUAL(int_of(sum), COUNT * 3);
    CU_ASSERT_EQUAL(cadre_pending_bytes(pool), 0);
    cadre_pool_destroy(pool);
    cadre_pool_destroy(other);
    free(v);
}

static struct cadre_future *from_callback[60];
static uint64_t held_then;

static void submit_more(struct cadre_future *future, void *user)
{
    int *v = numbers(LARGE, 1);

    (void)future;
    for (int i = 0; i < 60; i++)
        from_callback[i] =
            cadre_submit((struct cadre_pool *)user, CADRE_FN(ends_of), LARGE,
                         CADRE_ARRAY(v));
    held_then = cadre_pending_bytes((struct cadre_pool *)user);
    free(v);
}

static void callbacks_do_not_wait(void)
{
    struct cadre_pool *pool = limited(1, 1000);
    struct cadre_future *f;
    int *v = numbers(LARGE, 1);
    char path[32];

    new_path(path);
    f = cadre_submit(pool, CADRE_FN(hold), path, LARGE, CADRE_ARRAY(v));
    CHECK_OK(cadre_future_add_done_callback(f, submit_more, pool));
    unlink(path);
    CU_ASSERT_EQUAL(int_of(f), 1);
    CHECK_OK(cadre_shutdown(pool, 0)); /* which waits for callbacks */
    CU_ASSERT(held_then > (uint64_t)30 * MB);
    for (int i = 0; i < 60; i++)
        CU_ASSERT_EQUAL(int_of(from_callback[i]), 2);
    cadre_pool_destroy(pool);
    free(v);
}

static void a_task_may_submit_to_workers_of_its_own(void)
{
    struct cadre_pool *pool = limited(1, 1000);

    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(from_within), 3)), 120);
    cadre_pool_destroy(pool);
}

static void rows_of_a_submit_all_wait_too(void)
{
    enum { COUNT = 100, N = LARGE };
    struct cadre_pool *pool = limited(1, MB);
    struct cadre_future *f[COUNT];
    int *v = numbers(N, 4), n = N;
    const int *each[COUNT];
    size_t count = 0;

    for (int i = 0; i < COUNT; i++)
        each[i] = v;
    CHECK_OK(cadre_submit_all(pool, CADRE_FN(ends_of),
                              CADRE_COLUMNS(CADRE_SAME(&n), CADRE_EACH(each)),
                              f, COUNT, &count));
    CU_ASSERT_EQUAL(count, COUNT);
    CU_ASSERT(cadre_pending_bytes(pool) < (uint64_t)40 * MB);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL(int_of(f[i]), 8);
    cadre_pool_destroy(pool);
    free(v);
}

/* A thread that submits until it is refused. */
struct submitter {
    struct cadre_pool *pool;
    int taken;
    cadre_err err;
};

static void *submit_on(void *arg)
{
    struct submitter *s = arg;
    int *v = numbers(LARGE, 1);

    while (s->err == CADRE_OK && s->taken < 1000) {
        struct cadre_future *f =
            cadre_submit(s->pool, CADRE_FN(ends_of), LARGE, CADRE_ARRAY(v));

        if (cadre_future_done(f))
            s->err = cadre_future_error(f, NULL);
        else
            s->taken++;
        cadre_future_free(f);
    }
    free(v);
    return NULL;
}

static void *destroy(void *arg)
{
    cadre_pool_destroy(arg);
    return NULL;
}

/* While a thread waits for room the pool is shut down, or destroyed, by this
 * one. */
static void the_end_lets_go_who_waits(bool by_destroying)
{
    struct submitter s = {.pool = limited(1, 4 * MB)};
    struct cadre_future *f;
    pthread_t submitter, destroyer;
    char path[32];

    new_path(path);
    f = cadre_submit(s.pool, CADRE_FN(hold), path, 1, &(int){5});
    CU_ASSERT_EQUAL(pthread_create(&submitter, NULL, submit_on, &s), 0);
    until_it_holds(s.pool, 4 * MB);
    usleep(100000); /* by now it waits; if not it is refused all the same */
    if (by_destroying) {
        CU_ASSERT_EQUAL(pthread_create(&destroyer, NULL, destroy, s.pool), 0);
    } else {
        CHECK_OK(cadre_shutdown(s.pool, CADRE_NO_WAIT));
    }
    pthread_join(submitter, NULL);
    CU_ASSERT_EQUAL(s.err, CADRE_ECLOSED);
    CU_ASSERT(s.taken < 40);
    unlink(path);
    CU_ASSERT_EQUAL(int_of(f), 5);
    if (by_destroying)
        pthread_join(destroyer, NULL);
    else
        cadre_pool_destroy(s.pool);
}

static void a_shutdown_lets_go_who_waits_for_room(void)
{
    the_end_lets_go_who_waits(false);
}

static void a_destroy_lets_go_who_waits_for_room(void)
{
    the_end_lets_go_who_waits(true);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(arguments_count_until_their_tasks_have_ended),
        CHECK(large_arrays_do_not_fill_the_memory),
        CHECK(who_waits_is_served_in_order),
        CHECK(what_is_tried_again_has_its_arguments),
        CHECK(tasks_larger_than_the_limit_go_through),
        CHECK(tasks_that_wait_for_others_do_not_block),
        CHECK(callbacks_do_not_wait),
        CHECK(a_task_may_submit_to_workers_of_its_own),
        CHECK(rows_of_a_submit_all_wait_too),
        CHECK(a_shutdown_lets_go_who_waits_for_room),
        CHECK(a_destroy_lets_go_who_waits_for_room),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("pressure", tests);
    cadre_finalize();
    return status;
}
