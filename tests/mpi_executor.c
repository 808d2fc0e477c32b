/* mpi_executor.c - Executor: one team, first in first out. */
#include "mpi_check.h"

#include <mpi.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

CADRE_TASK(int, square, (int i))
{
    return i * i;
}

CADRE_TASK(void, who, (int i, MPI_Comm comm, CADRE_OUT int out[3]))
{
    out[0] = i;
    MPI_Comm_size(comm, &out[1]);
    MPI_Comm_rank(comm, &out[2]);
}

CADRE_INIT(fill, (struct cadre_store * store))
{
    cadre_store_put(store, "j", 4);
    cadre_store_put(store, "k", 3);
    cadre_store_put(store, "l", 2);
    cadre_store_put_array(store, "memory", 1, ((int[]){5}));
}

CADRE_INIT(fill_fails, (struct cadre_store * store))
{
    cadre_store_put(store, "j", 4);
    cadre_task_fail(3, "the table of opacities is missing");
}

CADRE_TASK(int, calc, (int i, int j, int k))
{
    return i + j + k;
}

CADRE_TASK(int, first_of, (size_t n, const int memory[n]))
{
    return n == 1 ? memory[0] : -1;
}

/* Each rank appends its own number; returns the sum of all that it has. */
CADRE_TASK(int, append, (int i, struct cadre_store *store, MPI_Comm comm))
{
    int rank, sum = 0, *x;
    size_t n;

    MPI_Comm_rank(comm, &rank);
    cadre_store_append(store, "memory", i + 100 * rank);
    if (cadre_store_get_array(store, "memory", &n, &x) != CADRE_OK)
        return -1;
    for (size_t k = 0; k < n; k++)
        sum += x[k];
    return sum;
}

CADRE_TASK(int, nap, (int i, int ms))
{
    usleep((useconds_t)ms * 1000);
    return i;
}

CADRE_TASK(int, process_id, (int i))
{
    return i < 0 ? i : (int)getpid();
}

CADRE_TASK(int, rank_1_fails, (int i, MPI_Comm comm))
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    if (rank == 1) {
        cadre_task_fail(7, "no data for %d", i);
        return 0;
    }
    MPI_Barrier(comm);
    return i;
}

enum death { BY_EXIT, BY_SEGV, BY_KILL, BY_ABORT, DEATHS };

CADRE_TASK(int, die, (int how))
{
    switch ((enum death)how) {
    case BY_EXIT:
        exit(3);
    case BY_SEGV:
        raise(SIGSEGV);
        break;
    case BY_KILL:
        raise(SIGKILL);
        break;
    case BY_ABORT:
        abort();
    default:
        break;
    }
    return 0;
}

CADRE_TASK(double, total, (const char *name, size_t n, const double x[n]))
{
    double sum = name[0] == 'b' ? 100 : 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static struct cadre_executor *executor(int cores, struct cadre_function *init)
{
    struct cadre_executor *ex;

    CADRE_CHECK(cadre_executor_create(
        &(struct cadre_executor_options){
            .cores = cores, .init_function = init, .oversubscribe = true},
        &ex));
    return ex;
}

/* --- the cases ------------------------------------------------------------ */

static void every_rank_has_a_result(void)
{
    struct cadre_executor *ex = executor(2, NULL);
    struct cadre_future *f = cadre_submit(ex, CADRE_FN(who), 3);
    struct cadre_future *g = cadre_submit(ex, CADRE_FN(square), 2);
    int out[2][3] = {{0}}, squares[2] = {0};

    CHECK_OK(cadre_future_result(f, CADRE_INTO(out)));
    for (int rank = 0; rank < 2; rank++) {
        CU_ASSERT_EQUAL(out[rank][0], 3);
        CU_ASSERT_EQUAL(out[rank][1], 2);
        CU_ASSERT_EQUAL(out[rank][2], rank);
    }
    CHECK_OK(cadre_future_result(g, CADRE_INTO(squares)));
    CU_ASSERT_EQUAL(squares[0], 4);
    CU_ASSERT_EQUAL(squares[1], 4);
    cadre_future_free(f);
    cadre_future_free(g);
    CHECK_OK(cadre_executor_destroy(ex));
    ex = executor(1, NULL);
    brings(cadre_submit(ex, CADRE_FN(square), 2), 4);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void stored_names_fill_what_is_left_out(void)
{
    struct cadre_executor *ex = executor(1, CADRE_FN(fill));

    brings(cadre_submit(ex, CADRE_FN(calc), 2, CADRE_ARG("j", 5)), 10);
    brings(cadre_submit(ex, CADRE_FN(calc), 2), 9);
    brings(cadre_submit(ex, CADRE_FN(calc), 1, 1, 1), 3);
    brings(cadre_submit(ex, CADRE_FN(first_of)), 5);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void the_store_keeps_what_tasks_write(void)
{
    struct cadre_executor *ex = executor(2, CADRE_FN(fill));
    struct cadre_future *f[3];
    int sums[6] = {0};

    for (int i = 0; i < 3; i++)
        f[i] = cadre_submit(ex, CADRE_FN(append), i + 1);
    CHECK_OK(cadre_gather(f, 3, CADRE_INTO(sums)));
    CU_ASSERT_EQUAL(sums[0], 6); /* 5 1 2 3 on rank 0 */
    CU_ASSERT_EQUAL(sums[2], 8);
    CU_ASSERT_EQUAL(sums[4], 11);
    CU_ASSERT_EQUAL(sums[1], 106); /* 5 101 102 103 on rank 1 */
    CU_ASSERT_EQUAL(sums[3], 208);
    CU_ASSERT_EQUAL(sums[5], 311);
    for (int i = 0; i < 3; i++)
        cadre_future_free(f[i]);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void pending_counts_what_has_not_started(void)
{
    enum { N = 4 };
    struct cadre_executor *ex = executor(1, NULL);
    struct cadre_future *f[N];

    for (int i = 0; i < N; i++)
        f[i] = cadre_submit(ex, CADRE_FN(nap), i, 400);
    for (int i = 0; i < N; i++) {
        await_state(f[i], CADRE_FUTURE_RUNNING);
        CU_ASSERT_EQUAL(cadre_pending(ex), (uint64_t)(N - 1 - i));
        brings(f[i], i);
    }
    CU_ASSERT_EQUAL(cadre_pending(ex), 0);
    CHECK_OK(cadre_executor_destroy(ex));
}

/* What four threads submit at the same time. */
struct submitter {
    struct cadre_executor *ex;
    pthread_t thread;
    struct cadre_future *f[50];
};

static void *submit_naps(void *arg)
{
    struct submitter *s = arg;

    for (int i = 0; i < 50; i++)
        s->f[i] = cadre_submit(s->ex, CADRE_FN(nap), i, 1);
    return NULL;
}

static uint64_t pending_of(struct submitter s[4])
{
    uint64_t n = 0;

    for (int i = 0; i < 200; i++)
        n += cadre_future_state(s[i / 50].f[i % 50]) == CADRE_FUTURE_PENDING;
    return n;
}

/* The first task holds the others back until all are submitted. While they run
 * pending lies between what the futures say before and after; at the end, and
 * after one of them was cancelled, it is what they say. */
static void pending_is_exact_when_four_threads_submit(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    struct cadre_future *first = cadre_submit(ex, CADRE_FN(nap), 7, 3000);
    struct submitter s[4] = {{.ex = ex}, {.ex = ex}, {.ex = ex}, {.ex = ex}};
    uint64_t before, pending;

    await_state(first, CADRE_FUTURE_RUNNING);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&s[i].thread, NULL, submit_naps, &s[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(s[i].thread, NULL);
    CU_ASSERT_EQUAL(cadre_future_state(first), CADRE_FUTURE_RUNNING);
    CU_ASSERT_EQUAL(pending_of(s), 200);
    CU_ASSERT_EQUAL(cadre_pending(ex), 200);
    CU_ASSERT(cadre_future_cancel(s[1].f[3]));
    CU_ASSERT_EQUAL(cadre_pending(ex), pending_of(s));
    CU_ASSERT_EQUAL(cadre_pending(ex), 199);
    brings(first, 7);
    do {
        before = pending_of(s);
        pending = cadre_pending(ex);
        CU_ASSERT(pending <= before && pending >= pending_of(s));
        cadre_future_progress(s[3].f[49], NULL, 0);
    } while (before > 0);
    CU_ASSERT_EQUAL(cadre_pending(ex), 0);
    for (int i = 0; i < 200; i++)
        cadre_future_free(s[i / 50].f[i % 50]);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void shutdown_cancels_what_has_not_started(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    struct cadre_future *f = cadre_submit(ex, CADRE_FN(nap), 1, 1000);
    struct cadre_future *g = cadre_submit(ex, CADRE_FN(nap), 2, 1000);
    double start;

    await_state(f, CADRE_FUTURE_RUNNING);
    start = seconds();
    CHECK_OK(cadre_shutdown(ex, CADRE_CANCEL_FUTURES));
    CU_ASSERT(seconds() - start < 1.9);
    CU_ASSERT(cadre_future_done(f));
    CU_ASSERT_EQUAL(cadre_future_state(g), CADRE_FUTURE_CANCELLED);
    brings(f, 1);
    fails(g, CADRE_ECANCELLED, "cancelled");
    CHECK_OK(cadre_executor_destroy(ex));
}

static void all_tasks_run_in_the_same_processes(void)
{
    enum { N = 20 };
    struct cadre_executor *ex = executor(2, NULL);
    struct cadre_future *f[N];
    int pids[N][2];

    for (int i = 0; i < N; i++)
        f[i] = cadre_submit(ex, CADRE_FN(process_id), i);
    CHECK_OK(cadre_gather(f, N, CADRE_INTO(pids)));
    CU_ASSERT_NOT_EQUAL(pids[0][0], pids[0][1]);
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(pids[i][0], pids[0][0]);
        CU_ASSERT_EQUAL(pids[i][1], pids[0][1]);
        cadre_future_free(f[i]);
    }
    CHECK_OK(cadre_executor_destroy(ex));
}

static void map_gives_futures_or_values_in_order(void)
{
    struct cadre_executor *ex = executor(1, CADRE_FN(fill));
    int in[] = {1, 2, 3}, j[] = {10, 20}, out[8] = {0};
    struct cadre_future *f[8];
    size_t n = 0;

    CHECK_OK(cadre_submit_all(ex, CADRE_FN(square),
                              CADRE_COLUMNS(CADRE_EACH(in)), f, 8, &n));
    CU_ASSERT_EQUAL(n, 3);
    for (size_t i = 0; i < n; i++)
        brings(f[i], in[i] * in[i]);
    CHECK_OK(cadre_map_values(ex, CADRE_FN(square),
                              CADRE_COLUMNS(CADRE_EACH(in)), 8, CADRE_INTO(out),
                              &n));
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT(out[0] == 1 && out[1] == 4 && out[2] == 9);
    CHECK_OK(cadre_map_values(ex, CADRE_FN(calc),
                              CADRE_COLUMNS(CADRE_EACH(in), CADRE_EACH(j)), 8,
                              CADRE_INTO(out), &n));
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT(out[0] == 14 && out[1] == 25);
    CHECK_OK(cadre_map_values(
        ex, CADRE_FN(calc),
        CADRE_COLUMNS(CADRE_EACH(in), CADRE_NAMED("k", CADRE_SAME(&j[0]))), 2,
        CADRE_INTO(out), &n));
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT(out[0] == 15 && out[1] == 16);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void rows_may_be_strings_and_arrays(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    const char *names[] = {"a", "b", "c"};
    size_t lengths[] = {2, 0, 3};
    double x[] = {1, 2, 3, 4, 5}, y[] = {7}, out[4] = {0};
    const double *each[] = {x, NULL, x};
    size_t n = 0, one = 1;

    CHECK_OK(cadre_map_values(
        ex, CADRE_FN(total),
        CADRE_COLUMNS(CADRE_EACH(names), CADRE_EACH(lengths), CADRE_EACH(x)), 4,
        CADRE_INTO(out), &n));
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT(out[0] == 3 && out[1] == 100 && out[2] == 12);
    lengths[2] = 4; /* x has three left: the rows stop there */
    CHECK_OK(cadre_map_values(
        ex, CADRE_FN(total),
        CADRE_COLUMNS(CADRE_EACH(names), CADRE_EACH(lengths), CADRE_EACH(x)), 4,
        CADRE_INTO(out), &n));
    CU_ASSERT_EQUAL(n, 2);
    CHECK_OK(cadre_map_values(
        ex, CADRE_FN(total),
        CADRE_COLUMNS(CADRE_EACH(names), CADRE_EACH(lengths), CADRE_EACH(each)),
        4, CADRE_INTO(out), &n));
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT(out[0] == 3 && out[1] == 100 && out[2] == 10);
    CHECK_OK(cadre_map_values(
        ex, CADRE_FN(total),
        CADRE_COLUMNS(CADRE_EACH(names), CADRE_SAME(&one), CADRE_SAME(y)), 4,
        CADRE_INTO(out), &n));
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT(out[0] == 7 && out[1] == 107 && out[2] == 7);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void columns_that_cannot_be_are_named(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    const char *names[] = {"a", "b"};
    int in[] = {1, 2};
    double x[] = {1, 2}, real[] = {1, 2.5};
    struct cadre_future *f[4];
    size_t n = 77;

    CHECK_ERR(CADRE_ETYPE,
              cadre_submit_all(ex, CADRE_FN(square),
                               CADRE_COLUMNS(CADRE_NAMED("z", CADRE_EACH(in))),
                               f, 4, &n));
    CHECK_SAYS("called z has no parameter");
    CHECK_ERR(CADRE_ETYPE,
              cadre_submit_all(ex, CADRE_FN(square),
                               CADRE_COLUMNS(CADRE_EACH(names)), f, 4, &n));
    CHECK_SAYS("parameter `i` is int");
    CHECK_ERR(CADRE_ETYPE,
              cadre_submit_all(ex, CADRE_FN(total),
                               CADRE_COLUMNS(CADRE_EACH(names),
                                             CADRE_NAMED("x", CADRE_EACH(x))),
                               f, 4, &n));
    CHECK_SAYS("`n`");
    CU_ASSERT_EQUAL(n, 77);
    CHECK_OK(cadre_submit_all(ex, CADRE_FN(square),
                              CADRE_COLUMNS(CADRE_EACH(real)), f, 4, &n));
    CU_ASSERT_EQUAL(n, 2);
    brings(f[0], 1);
    fails(f[1], CADRE_ETYPE, "does not fit int");
    CHECK_OK(cadre_executor_destroy(ex));
}

static void a_wrong_call_is_its_future_s_error(void)
{
    struct cadre_executor *ex = executor(1, NULL);

    fails(cadre_submit(ex, CADRE_FN(calc), 2, 3), CADRE_ETYPE, "`k`");
    fails(cadre_submit(ex, CADRE_FN(calc), 2, CADRE_ARG("zz", 1)), CADRE_ETYPE,
          "no parameter called `zz`");
    fails(cadre_submit(ex, CADRE_FN(square), 1, 2), CADRE_ETYPE,
          "too many arguments");
    brings(cadre_submit(ex, CADRE_FN(square), 3), 9);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void a_rank_that_fails_is_named_and_frees_the_others(void)
{
    struct cadre_executor *ex = executor(2, CADRE_FN(fill));
    struct cadre_future *f, *g;
    struct cadre_failure_info info;
    int sums[2];
    double start;

    f = cadre_submit(ex, CADRE_FN(calc), 2);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(sums)));
    cadre_future_free(f);
    start = seconds();
    f = cadre_submit(ex, CADRE_FN(rank_1_fails), 5);
    g = cadre_submit(ex, CADRE_FN(calc), 2);
    CU_ASSERT_EQUAL(cadre_future_error(f, &info), CADRE_ETASK);
    CU_ASSERT(seconds() - start < 2); /* one on a machine that is not shared */
    CU_ASSERT_EQUAL(info.kind, 7);
    CU_ASSERT_EQUAL(info.rank, 1);
    CU_ASSERT(info.host[0] != '\0');
    CU_ASSERT_PTR_NOT_NULL(strstr(info.text, "no data for 5"));
    CU_ASSERT_PTR_NOT_NULL(strstr(info.text, "rank 1 of team"));
    CHECK_OK(cadre_future_result(g, CADRE_INTO(sums)));
    CU_ASSERT(sums[0] == 9 && sums[1] == 9);
    cadre_future_free(f);
    cadre_future_free(g);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void a_worker_that_dies_is_replaced_and_filled(void)
{
    static const char *const says[DEATHS] = {"exit", "SIGSEGV", "was lost",
                                             "SIGABRT"};
    struct cadre_executor *ex = executor(1, CADRE_FN(fill));

    for (int how = 0; how < DEATHS; how++) {
        struct cadre_future *f, *g;
        struct cadre_failure_info info;
        double start;

        brings(cadre_submit(ex, CADRE_FN(append), 7), 12);
        start = seconds();
        f = cadre_submit(ex, CADRE_FN(die), how);
        g = cadre_submit(ex, CADRE_FN(first_of));
        CU_ASSERT_NOT_EQUAL(cadre_future_error(f, &info), CADRE_OK);
        CU_ASSERT(seconds() - start < 3);
        if (strcasestr(info.text, says[how]) == NULL)
            fprintf(stderr, "death %d: '%s'\n", how, info.text);
        CU_ASSERT_PTR_NOT_NULL(strcasestr(info.text, says[how]));
        brings(g, 5);
        cadre_future_free(f);
    }
    CHECK_OK(cadre_executor_destroy(ex));
}

static void an_init_function_that_fails_fails_all(void)
{
    struct cadre_executor *ex = executor(2, CADRE_FN(fill_fails));
    struct cadre_future *f[10];

    for (int i = 0; i < 10; i++)
        f[i] = cadre_submit(ex, CADRE_FN(square), i);
    for (int i = 0; i < 10; i++)
        fails(f[i], CADRE_ETASK, "the table of opacities is missing");
    CHECK_OK(cadre_shutdown(ex, 0));
    CHECK_OK(cadre_executor_destroy(ex));
}

static void destroy_tells_of_failures_nobody_saw(void)
{
    struct cadre_executor *ex = executor(2, NULL);
    struct cadre_future *f[4], *g;

    for (int i = 0; i < 4; i++)
        f[i] = cadre_submit(ex, CADRE_FN(rank_1_fails), i);
    g = cadre_submit(ex, CADRE_FN(square), f[3]); /* passes its failure on */
    fails(f[0], CADRE_ETASK, "no data for 0");
    fails(g, CADRE_ETASK, "argument `i` of square");
    cadre_future_free(f[2]);
    CHECK_ERR(CADRE_ETASK, cadre_executor_destroy(ex));
    CHECK_SAYS("executor: 2 tasks failed and nobody looked at their results; "
               "the first: ");
    CHECK_SAYS("no data for 1");
    cadre_future_free(f[1]);
    cadre_future_free(f[3]);
    ex = executor(1, NULL);
    cadre_future_free(cadre_submit(ex, CADRE_FN(calc), 1, 2));
    cadre_future_free(cadre_submit(ex, CADRE_FN(square), 2));
    CHECK_ERR(CADRE_ETYPE, cadre_executor_destroy(ex));
    CHECK_SAYS("a task failed and nobody looked at its result: ");
    CHECK_SAYS("`k`");
    CHECK_OK(cadre_executor_destroy(ex)); /* once is enough */
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(every_rank_has_a_result),
        CHECK(stored_names_fill_what_is_left_out),
        CHECK(the_store_keeps_what_tasks_write),
        CHECK(pending_counts_what_has_not_started),
        CHECK(pending_is_exact_when_four_threads_submit),
        CHECK(shutdown_cancels_what_has_not_started),
        CHECK(all_tasks_run_in_the_same_processes),
        CHECK(map_gives_futures_or_values_in_order),
        CHECK(rows_may_be_strings_and_arrays),
        CHECK(columns_that_cannot_be_are_named),
        CHECK(a_wrong_call_is_its_future_s_error),
        CHECK(a_rank_that_fails_is_named_and_frees_the_others),
        CHECK(a_worker_that_dies_is_replaced_and_filled),
        CHECK(an_init_function_that_fails_fails_all),
        CHECK(destroy_tells_of_failures_nobody_saw),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("executor", tests);
    return cadre_finalize() == 0 ? status : 1;
}
