/* mpi_executors.c - HPCExecutor: several teams, balanced; PoolExecutor: submit
 * over serial functions. */
#include "mpi_check.h"

#include <mpi.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

CADRE_TASK(void, who, (int i, MPI_Comm comm, CADRE_OUT int out[3]))
{
    out[0] = i;
    MPI_Comm_size(comm, &out[1]);
    MPI_Comm_rank(comm, &out[2]);
}

CADRE_TASK(int, square, (int i))
{
    return i * i;
}

CADRE_TASK(int, add, (int i, int j))
{
    return i + j;
}

CADRE_INIT(fill, (struct cadre_store * store))
{
    cadre_store_put(store, "j", 4);
    cadre_store_put(store, "k", 3);
}

CADRE_TASK(int, calc, (int i, int j, int k))
{
    return i + j + k;
}

CADRE_TASK(int, nap, (int i, int ms))
{
    usleep((useconds_t)ms * 1000);
    return i;
}

/* Who took the nap. */
CADRE_TASK(int, nap_of, (int ms))
{
    usleep((useconds_t)ms * 1000);
    return (int)getpid();
}

CADRE_TASK(int, fail_or_die, (int i, MPI_Comm comm))
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    if (i == 1)
        cadre_task_fail(1, "not today");
    if (i == 2 && rank == 0)
        raise(SIGKILL);
    if (i == 3 && rank == 1)
        raise(SIGSEGV);
    MPI_Barrier(comm);
    return i;
}

static struct cadre_hpc_executor *hpc(int teams, int ranks,
                                      struct cadre_function *init)
{
    struct cadre_hpc_executor *ex;

    CADRE_CHECK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){.max_workers = teams,
                                             .cores_per_worker = ranks,
                                             .init_function = init,
                                             .oversubscribe = true},
        &ex));
    return ex;
}

static struct cadre_pool_executor *pool_executor(int workers)
{
    struct cadre_pool_executor *ex;

    CADRE_CHECK(cadre_pool_executor_create(
        &(struct cadre_pool_executor_options){.max_workers = workers,
                                              .oversubscribe = true},
        &ex));
    return ex;
}

/* Distinct numbers among `n`. */
static int distinct(const int *x, int n)
{
    int count = 0;

    for (int i = 0; i < n; i++) {
        bool is_new = true;

        for (int k = 0; k < i; k++)
            is_new &= x[k] != x[i];
        count += is_new;
    }
    return count;
}

/* --- HPCExecutor ---------------------------------------------------------- */

static void check_who(struct cadre_hpc_executor *ex, int n)
{
    struct cadre_future *f[8];
    int out[8][2][3];

    memset(out, -1, sizeof out);
    for (int i = 0; i < n; i++)
        f[i] = cadre_submit(ex, CADRE_FN(who), i + 1);
    CHECK_OK(cadre_gather(f, (size_t)n, CADRE_INTO(out)));
    for (int i = 0; i < n; i++) {
        for (int rank = 0; rank < 2; rank++) {
            CU_ASSERT_EQUAL(out[i][rank][0], i + 1);
            CU_ASSERT_EQUAL(out[i][rank][1], 2);
            CU_ASSERT_EQUAL(out[i][rank][2], rank);
        }
        cadre_future_free(f[i]);
    }
}

static void teams_of_two_give_two_results(void)
{
    for (int teams = 1; teams <= 2; teams++) {
        struct cadre_hpc_executor *ex = hpc(teams, 2, NULL);

        CU_ASSERT_EQUAL(cadre_teams(ex), teams);
        check_who(ex, 1);
        check_who(ex, 3);
        CHECK_OK(cadre_hpc_executor_destroy(ex));
    }
}

static void naps_share_the_teams(void)
{
    struct cadre_hpc_executor *ex = hpc(2, 1, NULL);
    struct cadre_future *f[6];
    int pids[6], out[4];
    double start = seconds();

    for (int i = 0; i < 4; i++)
        f[i] = cadre_submit(ex, CADRE_FN(nap), i, 500);
    CHECK_OK(cadre_gather(f, 4, CADRE_INTO(out)));
    CU_ASSERT(seconds() - start >= 1.0);
    CU_ASSERT(seconds() - start < 1.45);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(out[i], i);
        cadre_future_free(f[i]);
    }
    for (int i = 0; i < 6; i++)
        f[i] = cadre_submit(ex, CADRE_FN(nap_of), 300);
    CHECK_OK(cadre_gather(f, 6, CADRE_INTO(pids)));
    CU_ASSERT_EQUAL(distinct(pids, 6), 2);
    for (int i = 0; i < 6; i++)
        cadre_future_free(f[i]);
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

static void every_team_is_filled(void)
{
    struct cadre_hpc_executor *ex = hpc(2, 1, CADRE_FN(fill));
    struct cadre_future *f[20];

    for (int i = 0; i < 20; i++)
        f[i] = cadre_submit(ex, CADRE_FN(calc), i);
    for (int i = 0; i < 20; i++)
        brings(f[i], i + 7);
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

static void pending_is_exact_with_two_teams(void)
{
    enum { N = 6 };
    struct cadre_hpc_executor *ex = hpc(2, 1, NULL);
    struct cadre_future *f[N];

    for (int i = 0; i < N; i++)
        f[i] = cadre_submit(ex, CADRE_FN(nap), i, 500);
    for (int i = 0; i < N; i += 2) {
        await_state(f[i], CADRE_FUTURE_RUNNING);
        await_state(f[i + 1], CADRE_FUTURE_RUNNING);
        CU_ASSERT_EQUAL(cadre_pending(ex), (uint64_t)(N - 2 - i));
        CHECK_OK(cadre_wait(&f[i], 2, CADRE_ALL_DONE, -1, NULL));
    }
    CU_ASSERT_EQUAL(cadre_pending(ex), 0);
    for (int i = 0; i < N; i++)
        brings(f[i], i);
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

static void tasks_after_a_crash_succeed(void)
{
    enum { N = 12 };
    struct cadre_hpc_executor *ex = hpc(2, 2, CADRE_FN(fill));

    for (int how = 1; how <= 3; how++) {
        struct cadre_future *bad = cadre_submit(ex, CADRE_FN(fail_or_die), how);
        struct cadre_future *f[N];
        int sums[2 * N];

        for (int i = 0; i < N; i++)
            f[i] = cadre_submit(ex, CADRE_FN(calc), i);
        CHECK_OK(cadre_gather(f, N, CADRE_INTO(sums)));
        for (int i = 0; i < N; i++) {
            CU_ASSERT_EQUAL(sums[2 * i], i + 7);
            CU_ASSERT_EQUAL(sums[2 * i + 1], i + 7);
            cadre_future_free(f[i]);
        }
        CU_ASSERT_NOT_EQUAL(cadre_future_error(bad, NULL), CADRE_OK);
        cadre_future_free(bad);
    }
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

static void await_teams(struct cadre_hpc_executor *ex, int n)
{
    for (int i = 0; i < 2000 && cadre_teams(ex) != n; i++) {
        cadre_pending(ex);
        usleep(5000);
    }
    CU_ASSERT_EQUAL(cadre_teams(ex), n);
}

static void teams_come_and_go_while_tasks_run(void)
{
    enum { N = 400 };
    static const int sizes[] = {3, 1, 4, 2};
    struct cadre_hpc_executor *ex = hpc(1, 1, CADRE_FN(fill));
    static struct cadre_future *f[N];
    static int sums[N];

    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < N; i++)
            f[i] = i % 10 == 0 ? cadre_submit(ex, CADRE_FN(nap), i + 7, 10)
                               : cadre_submit(ex, CADRE_FN(calc), i);
        CHECK_OK(cadre_hpc_executor_resize(ex, sizes[k]));
        CHECK_OK(cadre_gather(f, N, CADRE_INTO(sums)));
        for (int i = 0; i < N; i++) {
            CU_ASSERT_EQUAL(sums[i], i + 7);
            cadre_future_free(f[i]);
        }
        await_teams(ex, sizes[k]);
    }
    CHECK_ERR(CADRE_EINVAL, cadre_hpc_executor_resize(ex, 0));
    CHECK_SAYS("max_workers is 0");
    CHECK_OK(cadre_shutdown(ex, 0));
    CHECK_OK(cadre_hpc_executor_destroy(ex));
    CHECK_ERR(CADRE_ECLOSED, cadre_hpc_executor_resize(ex, 2));
}

static void resizing_before_teams_have_come_settles(void)
{
    enum { N = 300 };
    static const int sizes[] = {2, 4, 1, 3, 1, 2, 4, 2};
    struct cadre_hpc_executor *ex = hpc(1, 1, NULL);
    static struct cadre_future *f[N];

    for (int i = 0; i < N; i++)
        f[i] = cadre_submit(ex, CADRE_FN(nap), i, 3);
    for (int k = 0; k < 8; k++) {
        CHECK_OK(cadre_hpc_executor_resize(ex, sizes[k]));
        usleep(40000);
    }
    for (int i = 0; i < N; i++)
        brings(f[i], i);
    await_teams(ex, 2);
    CHECK_OK(cadre_hpc_executor_resize(ex, 4)); /* nobody waits for them */
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

/* --- PoolExecutor --------------------------------------------------------- */

static void single_tasks_have_their_results(void)
{
    struct cadre_pool_executor *ex = pool_executor(2);
    struct cadre_future *f[4];
    int in[] = {1, 2, 3}, out[3];
    size_t n;

    for (int i = 0; i < 4; i++)
        f[i] = cadre_submit(ex, CADRE_FN(add), 2 * i + 1, 2 * i + 2);
    for (int i = 0; i < 4; i++)
        brings(f[i], 4 * i + 3);
    brings(cadre_submit(ex, CADRE_FN(square), CADRE_ARG("i", 2)), 4);
    CHECK_OK(cadre_map_values(ex, CADRE_FN(square),
                              CADRE_COLUMNS(CADRE_EACH(in)), 3, CADRE_INTO(out),
                              &n));
    CU_ASSERT(n == 3 && out[0] == 1 && out[1] == 4 && out[2] == 9);
    CHECK_OK(cadre_pool_executor_destroy(ex));
}

static void count_down(struct cadre_future *f, void *user)
{
    (void)f;
    usleep(20000);
    atomic_fetch_sub((atomic_int *)user, 1);
}

static void shutdown_waits_for_callbacks(void)
{
    struct cadre_pool_executor *ex = pool_executor(2);
    static atomic_int left = 5;

    for (int i = 0; i < 5; i++) {
        struct cadre_future *f = cadre_submit(ex, CADRE_FN(nap), i, 20);

        CHECK_OK(cadre_future_add_done_callback(f, count_down, &left));
        cadre_future_free(f);
    }
    CHECK_OK(cadre_shutdown(ex, 0));
    CU_ASSERT_EQUAL(left, 0);
    CHECK_OK(cadre_pool_executor_destroy(ex));
}

static void cancelled_tasks_are_done_or_cancelled(void)
{
    struct cadre_pool_executor *ex = pool_executor(2);
    struct cadre_future *f[4];
    int ended[2] = {0, 0};

    for (int i = 0; i < 4; i++)
        f[i] = cadre_submit(ex, CADRE_FN(nap), i, 600);
    usleep(300000);
    for (int i = 0; i < 4; i++)
        cadre_future_cancel(f[i]);
    CHECK_OK(cadre_wait(f, 4, CADRE_ALL_DONE, 5000, NULL));
    for (int i = 0; i < 4; i++) {
        enum cadre_future_state state = cadre_future_state(f[i]);

        CU_ASSERT(state == CADRE_FUTURE_DONE ||
                  state == CADRE_FUTURE_CANCELLED);
        ended[state == CADRE_FUTURE_CANCELLED]++;
        cadre_future_free(f[i]);
    }
    CU_ASSERT(ended[0] == 2 && ended[1] == 2);
    CHECK_OK(cadre_pool_executor_destroy(ex));
}

/* Writes a file, by which it is seen that it ran. */
CADRE_TASK(int, leave_a_trace, (const char *path))
{
    FILE *file = fopen(path, "w");

    return file != NULL && fclose(file) == 0;
}

static void a_cancelled_task_never_runs(void)
{
    struct cadre_pool_executor *ex = pool_executor(1);
    struct cadre_future *busy, *f, *bad;
    char path[64];

    snprintf(path, sizeof path, "/tmp/cadre-test-trace-%d", (int)getpid());
    busy = cadre_submit(ex, CADRE_FN(nap), 1, 300);
    await_state(busy, CADRE_FUTURE_RUNNING);
    f = cadre_submit(ex, CADRE_FN(leave_a_trace), path);
    bad = cadre_submit(ex, CADRE_FN(fail_or_die), 1);
    CU_ASSERT(cadre_future_cancel(f));
    CU_ASSERT_EQUAL(cadre_future_state(f), CADRE_FUTURE_CANCELLED);
    brings(busy, 1);
    CHECK_ERR(CADRE_ETASK, cadre_future_result(bad, CADRE_NOTHING));
    brings(cadre_submit(ex, CADRE_FN(square), 3), 9);
    CHECK_OK(cadre_pool_executor_destroy(ex));
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    cadre_future_free(f);
    cadre_future_free(bad);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(teams_of_two_give_two_results),
        CHECK(naps_share_the_teams),
        CHECK(every_team_is_filled),
        CHECK(pending_is_exact_with_two_teams),
        CHECK(tasks_after_a_crash_succeed),
        CHECK(teams_come_and_go_while_tasks_run),
        CHECK(resizing_before_teams_have_come_settles),
        CHECK(single_tasks_have_their_results),
        CHECK(shutdown_waits_for_callbacks),
        CHECK(cancelled_tasks_are_done_or_cancelled),
        CHECK(a_cancelled_task_never_runs),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("executors", tests);
    return cadre_finalize() == 0 ? status : 1;
}
