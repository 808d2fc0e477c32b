/* mpi_isolation.c - tasks in processes of their own: what they do to themselves
 * does nothing to their worker; with real workers, however the program was
 * started. */
#include "mpi_check.h"

#include <cadre/mpi.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The worker, which is the parent. */
CADRE_TASK(int, parent, (void))
{
    return getppid();
}

static volatile int *volatile nowhere;

/* Ends in way `how`. */
CADRE_TASK(int, end, (int how))
{
    switch (how) {
    case 1:
        exit(3);
    case 2:
        _exit(0);
    case 3:
        raise(SIGKILL);
        break;
    case 4:
        *nowhere = 1;
        break;
    case 5:
        abort();
    case 6:
        cadre_task_fail(42, "way %d", how);
        break;
    default:
        break;
    }
    return getppid();
}

CADRE_TASK(double, stats,
           (size_t n, const double x[n], double y[n], CADRE_OUT int sign[n],
            int count))
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        y[i] *= count;
        sign[i] = x[i] < 0 ? -1 : 1;
    }
    return sum;
}

CADRE_TASK(char *, greet, (const char *name))
{
    char *text = NULL;

    return asprintf(&text, "hello %s", name) < 0 ? NULL : text;
}

CADRE_TASK(int, hog, (size_t mib))
{
    volatile char *p = malloc(mib << 20);

    if (p == NULL)
        abort();
    memset((void *)(uintptr_t)p, 1, mib << 20);
    return p[1];
}

CADRE_TASK(int, spin, (void))
{
    volatile int i = 0;

    for (;;)
        i++;
    return i;
}

CADRE_TASK(int, sleeper, (int ms, cadre_task *self))
{
    for (int i = 0; i < 20 && !cadre_task_is_cancelled(self); i++)
        usleep((useconds_t)ms * 50);
    cadre_task_progress(self, 1, "lost");
    return getppid();
}

CADRE_TASK(int, team_size, (MPI_Comm comm))
{
    int size;

    MPI_Comm_size(comm, &size);
    return size;
}

static struct cadre_pool *pool_with(struct cadre_pool_options options)
{
    struct cadre_pool *pool;

    options.isolate = true;
    options.oversubscribe = true;
    CADRE_CHECK(cadre_pool_create(&options, &pool));
    return pool;
}

static void what_a_task_does_to_itself_leaves_its_worker_alive(void)
{
    struct cadre_pool *pool =
        pool_with((struct cadre_pool_options){.max_workers = 1});
    int pid = int_of(cadre_submit(pool, CADRE_FN(parent)));
    struct cadre_failure_info info;
    struct cadre_future *f;

    CU_ASSERT_NOT_EQUAL(pid, getpid());
    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(end), 0)), pid);
    fails(cadre_submit(pool, CADRE_FN(end), 1), CADRE_EEXIT, "exit");
    fails(cadre_submit(pool, CADRE_FN(end), 2), CADRE_EEXIT, "exit");
    fails(cadre_submit(pool, CADRE_FN(end), 3), CADRE_ECRASH, "SIGKILL");
    fails(cadre_submit(pool, CADRE_FN(end), 4), CADRE_ECRASH, "SIGSEGV");
    fails(cadre_submit(pool, CADRE_FN(end), 5), CADRE_ECRASH, "SIGABRT");
    f = cadre_submit(pool, CADRE_FN(end), 6);
    CHECK_ERR(CADRE_ETASK, cadre_future_error(f, &info));
    CU_ASSERT_EQUAL(info.kind, 42);
    CU_ASSERT_PTR_NOT_NULL(strstr(info.text, "way 6"));
    cadre_future_free(f);
    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(parent))), pid);
    cadre_pool_destroy(pool);
}

static void all_kinds_of_outputs_come_back(void)
{
    enum { COUNT = 500 };
    struct cadre_pool *pool =
        pool_with((struct cadre_pool_options){.max_workers = 2});
    size_t n[COUNT];
    double x[4 * COUNT], y[4 * COUNT], sums[COUNT], out[4 * COUNT];
    int signs[4 * COUNT], count = 3;
    size_t total = 0;
    char *words[2];
    const char *names[2] = {"you", ""};

    for (int i = 0; i < COUNT; i++) {
        n[i] = (size_t)i % 4;
        for (size_t k = 0; k < n[i]; k++, total++) {
            x[total] = k == 1 ? -i : i + 0.5;
            y[total] = i;
        }
    }
    CHECK_OK(
        cadre_pool_starmap(pool, CADRE_FN(stats), COUNT,
                           CADRE_COLUMNS(CADRE_EACH(n), CADRE_EACH(x),
                                         CADRE_EACH(y), CADRE_SAME(&count)),
                           CADRE_INTO(sums, out, signs)));
    total = 0;
    for (int i = 0; i < COUNT; i++) {
        double sum = 0;

        for (size_t k = 0; k < n[i]; k++, total++) {
            sum += x[total];
            CU_ASSERT_EQUAL(out[total], 3.0 * i);
            CU_ASSERT_EQUAL(signs[total], k == 1 && i > 0 ? -1 : 1);
        }
        CU_ASSERT_EQUAL(sums[i], sum);
    }
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(greet), 2, CADRE_EACH(names),
                            CADRE_INTO(words)));
    CU_ASSERT_STRING_EQUAL(words[0], "hello you");
    CU_ASSERT_STRING_EQUAL(words[1], "hello ");
    free(words[0]);
    free(words[1]);
    cadre_pool_destroy(pool);
}

static void among_many_only_the_bad_ones_fail(void)
{
    enum { COUNT = 300 };
    struct cadre_pool *pool =
        pool_with((struct cadre_pool_options){.max_workers = 2});
    int how[COUNT], out[COUNT], pids[2] = {0, 0};
    cadre_err errors[COUNT];

    for (int i = 0; i < COUNT; i++)
        how[i] = i % 50 < 7 ? i % 50 : 0;
    cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(end),
                                  .count = COUNT,
                                  .columns = CADRE_COLUMNS(CADRE_EACH(how)),
                                  .into = CADRE_INTO(out),
                                  .errors = errors});
    for (int i = 0; i < COUNT; i++) {
        static const cadre_err want[] = {
            CADRE_OK,     CADRE_EEXIT,  CADRE_EEXIT, CADRE_ECRASH,
            CADRE_ECRASH, CADRE_ECRASH, CADRE_ETASK};

        CU_ASSERT_EQUAL(errors[i], want[how[i]]);
        if (errors[i] != CADRE_OK)
            continue;
        if (pids[0] == 0 || out[i] == pids[0])
            pids[0] = out[i];
        else if (pids[1] == 0 || out[i] == pids[1])
            pids[1] = out[i];
        else
            CU_FAIL("a worker was replaced");
    }
    cadre_pool_destroy(pool);
}

static void memory_and_time_are_limited(void)
{
    struct cadre_pool *pool = pool_with((struct cadre_pool_options){
        .max_workers = 1, .memory_bytes = 64 << 20, .cpu_s = 0.3});
    int pid = int_of(cadre_submit(pool, CADRE_FN(parent)));

    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(hog), 16)), 1);
    fails(cadre_submit(pool, CADRE_FN(hog), 128), CADRE_ECRASH, "memory");
    fails(cadre_submit(pool, CADRE_FN(spin)), CADRE_ETIMEOUT, "CPU time");
    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(parent))), pid);
    cadre_pool_destroy(pool);
}

static void a_deadline_ends_only_the_task(void)
{
    static const struct cadre_task_options cancellable = {
        .deadline_s = 60, .cancel_running = true};
    struct cadre_pool *pool = pool_with(
        (struct cadre_pool_options){.max_workers = 1, .task_timeout_s = 0.2});
    int pid = int_of(cadre_submit(pool, CADRE_FN(parent)));
    struct cadre_future *f;

    fails(cadre_submit(pool, CADRE_FN(spin)), CADRE_ETIMEOUT, "0.2 s");
    fails(cadre_submit(pool, CADRE_FN(sleeper), 60000), CADRE_ETIMEOUT,
          "0.2 s");
    f = cadre_submit_with(pool, &cancellable, CADRE_FN(spin));
    while (cadre_future_state(f) == CADRE_FUTURE_PENDING)
        usleep(1000);
    CU_ASSERT(cadre_future_cancel(f));
    fails(f, CADRE_ECANCELLED, "cancelled");
    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(parent))), pid);
    cadre_pool_destroy(pool);
}

static void what_cannot_be_isolated_is_refused(void)
{
    struct cadre_hpc_executor *e;
    struct cadre_pool *pool;

    CHECK_ERR(CADRE_EINVAL,
              cadre_hpc_executor_create(
                  &(struct cadre_hpc_executor_options){.isolate = true,
                                                       .cores_per_worker = 2,
                                                       .oversubscribe = true},
                  &e));
    CHECK_SAYS("isolate goes with teams of 1 rank: cores_per_worker is 2");
    CHECK_ERR(CADRE_EINVAL,
              cadre_pool_create(&(struct cadre_pool_options){.memory_bytes = 1},
                                &pool));
    CHECK_SAYS("go with isolate");
    pool = pool_with((struct cadre_pool_options){.max_workers = 1});
    fails(cadre_submit(pool, CADRE_FN(team_size)), CADRE_EINVAL,
          "parameter `comm` of team_size is a communicator");
    cadre_pool_destroy(pool);
}

static const struct check_test tests[] = {
    CHECK(what_a_task_does_to_itself_leaves_its_worker_alive),
    CHECK(all_kinds_of_outputs_come_back),
    CHECK(among_many_only_the_bad_ones_fail),
    CHECK(memory_and_time_are_limited),
    CHECK(a_deadline_ends_only_the_task),
    CHECK(what_cannot_be_isolated_is_refused),
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));
    return check_run("mpi_isolation", tests);
}
