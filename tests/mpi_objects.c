/* mpi_objects.c - what all pools and executors have in common: options, init
 * functions, shutdown, many of them at once, many threads. */
#include "mpi_check.h"

#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

CADRE_TASK(int, square, (int i))
{
    return i * i;
}

CADRE_TASK(int, add, (int i, int j))
{
    return i + j;
}

CADRE_TASK(int, nap, (int i, int ms))
{
    usleep((useconds_t)ms * 1000);
    return i;
}

CADRE_TASK(int, fail_at, (int i))
{
    if (i % 2 == 1)
        cadre_task_fail(i, "%d is odd", i);
    return i;
}

/* 200 kB. */
CADRE_TASK(int, chatter, (int lines))
{
    for (int i = 0; i < lines; i++)
        printf("chatter %4d %087d\n", i, 0);
    fflush(stdout);
    return lines;
}

/* An object that leaves a file when it ends. */
struct traced {
    char path[128];
};

static void leave_trace(struct traced *t)
{
    FILE *file = fopen(t->path, "w");

    if (file != NULL)
        fclose(file);
    free(t);
}

CADRE_TASK(int, keep_traced, (const char *path, struct cadre_store *store))
{
    struct traced *t = calloc(1, sizeof *t);

    if (t == NULL)
        return -1;
    snprintf(t->path, sizeof t->path, "%s", path);
    return cadre_store_put_object(store, "traced", t, leave_trace) == CADRE_OK;
}

/* Takes a communicator, and counts how often it has run here. */
CADRE_INIT(init_together, (struct cadre_store * store, MPI_Comm comm))
{
    int rank, size, sum, runs = 0;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
    if (cadre_store_has(store, "runs"))
        cadre_store_get(store, "runs", &runs);
    cadre_store_put(store, "runs", runs + 1);
    cadre_store_put(store, "sum", sum);
    cadre_store_put(store, "size", size);
}

CADRE_TASK(int, what_init_saw, (int sum, int size, int runs))
{
    return 100 * runs + 10 * size + sum;
}

CADRE_TASK(int, is_there, (const char *path))
{
    return access(path, F_OK) == 0;
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

/* A path of its own for each call. */
static void make_path(char path[64])
{
    static int n;

    snprintf(path, 64, "/tmp/cadre-test-%d-%d", (int)getpid(), n++);
    unlink(path);
}

/* --- shutdown ------------------------------------------------------------- */

static void what_is_shut_down_is_closed(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    struct cadre_pool *pool = pool_of(1);
    int in[] = {1, 2}, out[2];
    struct cadre_future *f = cadre_submit(ex, CADRE_FN(nap), 1, 50);

    CHECK_OK(cadre_shutdown(ex, 0));
    CU_ASSERT(cadre_future_done(f));
    fails(cadre_submit(ex, CADRE_FN(square), 2), CADRE_ECLOSED, "shut down");
    CHECK_OK(cadre_shutdown(ex, 0));
    CHECK_OK(cadre_shutdown(ex, CADRE_CANCEL_FUTURES | CADRE_NO_WAIT));
    CHECK_OK(cadre_shutdown(pool, 0));
    CHECK_ERR(CADRE_ECLOSED, cadre_pool_map(pool, CADRE_FN(square), 2,
                                            CADRE_EACH(in), CADRE_INTO(out)));
    CHECK_SAYS("shut down");
    brings(f, 1);
    CHECK_OK(cadre_executor_destroy(ex));
    cadre_pool_destroy(pool);
}

static void what_is_destroyed_is_closed(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(ex, CADRE_FN(square), 3);
    int in[] = {1, 2}, out[2];
    size_t n;

    CHECK_OK(cadre_executor_destroy(ex));
    cadre_pool_destroy(pool);
    brings(f, 9); /* a future outlives its executor */
    fails(cadre_submit(ex, CADRE_FN(square), 2), CADRE_ECLOSED, "destroyed");
    CHECK_ERR(CADRE_ECLOSED, cadre_map_values(ex, CADRE_FN(square),
                                              CADRE_COLUMNS(CADRE_EACH(in)), 2,
                                              CADRE_INTO(out), &n));
    CHECK_ERR(CADRE_ECLOSED, cadre_pool_map(pool, CADRE_FN(square), 2,
                                            CADRE_EACH(in), CADRE_INTO(out)));
    CHECK_SAYS("destroyed");
    CU_ASSERT_EQUAL(cadre_pending(ex), 0);
    CU_ASSERT_EQUAL(cadre_teams(pool), 0);
    CHECK_OK(cadre_shutdown(ex, 0));
    CHECK_OK(cadre_executor_destroy(ex));
    cadre_pool_destroy(pool);
}

static void shutdown_need_not_wait(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    struct cadre_future *f[4];
    double start;

    for (int i = 0; i < 4; i++)
        f[i] = cadre_submit(ex, CADRE_FN(nap), i, 150);
    start = seconds();
    CHECK_OK(cadre_shutdown(ex, CADRE_NO_WAIT));
    CU_ASSERT(seconds() - start < 0.15);
    for (int i = 0; i < 4; i++)
        brings(f[i], i);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void cancelling_without_waiting_cancels_what_waits(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    struct cadre_future *f[4];

    for (int i = 0; i < 4; i++)
        f[i] = cadre_submit(ex, CADRE_FN(nap), i, 400);
    while (cadre_pending(ex) > 3)
        usleep(1000);
    CHECK_OK(cadre_shutdown(ex, CADRE_CANCEL_FUTURES | CADRE_NO_WAIT));
    for (int i = 1; i < 4; i++) {
        CU_ASSERT_EQUAL(cadre_future_state(f[i]), CADRE_FUTURE_CANCELLED);
        fails(f[i], CADRE_ECANCELLED, "cancelled");
    }
    brings(f[0], 0);
    CHECK_OK(cadre_executor_destroy(ex)); /* cancelled is not failed */
}

/* --- several at once ------------------------------------------------------ */

static void three_executors_are_waited_for_in_reverse(void)
{
    enum { N = 100 };
    struct cadre_executor *ex[3];
    static struct cadre_future *f[3][N];

    for (int k = 0; k < 3; k++)
        ex[k] = executor(1, NULL);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 3; k++)
            f[k][i] = cadre_submit(ex[k], CADRE_FN(add), 1000 * k, i);
    }
    for (int k = 2; k >= 0; k--) {
        for (int i = N - 1; i >= 0; i--)
            brings(f[k][i], 1000 * k + i);
    }
    for (int k = 0; k < 3; k++)
        CHECK_OK(cadre_executor_destroy(ex[k]));
}

struct submitter {
    pthread_t thread;
    struct cadre_executor *ex;
    struct cadre_pool *pools[2];
    int number;
    int wrong;
};

static void *submit_everywhere(void *arg)
{
    enum { N = 150 };
    struct submitter *s = arg;

    for (int round = 0; round < 3; round++) {
        struct cadre_future *f[3][N];
        int in[N], sums[N];

        for (int i = 0; i < N; i++) {
            int x = 1000 * s->number + i;

            in[i] = i;
            f[0][i] = cadre_submit(s->ex, CADRE_FN(add), x, 1);
            f[1][i] = cadre_submit(s->pools[i % 2], CADRE_FN(add), x, 2);
            f[2][i] = cadre_submit(s->pools[1], CADRE_FN(add), f[1][i], 3);
        }
        s->wrong += cadre_pool_map(s->pools[round % 2], CADRE_FN(square), N,
                                   CADRE_EACH(in), CADRE_INTO(sums)) != 0;
        for (int i = 0; i < N; i++)
            s->wrong += sums[i] != i * i;
        for (int k = 0; k < 3; k++) {
            s->wrong += cadre_gather(f[k], N, CADRE_INTO(sums)) != CADRE_OK;
            for (int i = 0; i < N; i++) {
                s->wrong += sums[i] != 1000 * s->number + i +
                                           (k == 0   ? 1
                                            : k == 1 ? 2
                                                     : 5);
                cadre_future_free(f[k][i]);
            }
        }
    }
    return NULL;
}

static void eight_threads_submit_to_three_objects(void)
{
    enum { THREADS = 8 };
    struct submitter s[THREADS];
    struct cadre_executor *ex = executor(1, NULL);
    struct cadre_pool *pools[2] = {pool_of(1), pool_of(2)};

    for (int i = 0; i < THREADS; i++) {
        s[i] = (struct submitter){
            .ex = ex, .pools = {pools[0], pools[1]}, .number = i};
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&s[i].thread, NULL, submit_everywhere, &s[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(s[i].thread, NULL);
        CU_ASSERT_EQUAL(s[i].wrong, 0);
    }
    CHECK_OK(cadre_executor_destroy(ex));
    cadre_pool_destroy(pools[0]);
    cadre_pool_destroy(pools[1]);
}

/* --- workers -------------------------------------------------------------- */

static void a_task_may_print_much(void)
{
    struct cadre_executor *ex = executor(1, NULL);

    brings(cadre_submit(ex, CADRE_FN(chatter), 2000), 2000);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void a_failure_leaves_the_worker_to_others(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    struct cadre_future *f[50];

    for (int i = 0; i < 50; i++)
        f[i] = cadre_submit(ex, CADRE_FN(fail_at), i);
    for (int i = 0; i < 50; i++) {
        struct cadre_failure_info info;

        CU_ASSERT_EQUAL(cadre_future_error(f[i], &info),
                        i % 2 == 1 ? CADRE_ETASK : CADRE_OK);
        CU_ASSERT_EQUAL(info.kind, i % 2 == 1 ? i : 0);
        if (i % 2 == 1) {
            CU_ASSERT_PTR_NOT_NULL(strstr(info.text, "is odd"));
            CU_ASSERT(info.host[0] != '\0');
        }
        cadre_future_free(f[i]);
    }
    CHECK_OK(cadre_executor_destroy(ex));
}

static void an_init_function_may_communicate_and_runs_once(void)
{
    struct cadre_executor *ex = executor(2, CADRE_FN(init_together));
    int seen[2];

    for (int i = 0; i < 3; i++) {
        struct cadre_future *f = cadre_submit(ex, CADRE_FN(what_init_saw));

        CHECK_OK(cadre_future_result(f, CADRE_INTO(seen)));
        CU_ASSERT(seen[0] == 121 && seen[1] == 121);
        cadre_future_free(f);
    }
    CHECK_OK(cadre_executor_destroy(ex));
}

static void stored_objects_end_with_their_executor(void)
{
    struct cadre_executor *ex = executor(1, NULL);
    char paths[2][64];

    make_path(paths[0]);
    make_path(paths[1]);
    brings(cadre_submit(ex, CADRE_FN(keep_traced), paths[0]), 1);
    brings(cadre_submit(ex, CADRE_FN(is_there), paths[0]), 0);
    brings(cadre_submit(ex, CADRE_FN(keep_traced), paths[1]), 1);
    brings(cadre_submit(ex, CADRE_FN(is_there), paths[0]), 1); /* replaced */
    brings(cadre_submit(ex, CADRE_FN(is_there), paths[1]), 0);
    CHECK_OK(cadre_executor_destroy(ex));
    for (int i = 0; i < 400 && access(paths[1], F_OK) != 0; i++)
        usleep(10000);
    CU_ASSERT_EQUAL(access(paths[1], F_OK), 0);
    unlink(paths[0]);
    unlink(paths[1]);
}

/* A file given by a relative path is there in the workers' directory only. */
static void workers_have_their_own_directory(void)
{
    char dir[] = "/tmp/cadre-test-XXXXXX", path[64];
    struct cadre_pool_executor *ex;
    FILE *file;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/here", dir);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file = fopen(path, "w"));
    fclose(file);
    CHECK_OK(cadre_pool_executor_create(
        &(struct cadre_pool_executor_options){
            .max_workers = 1, .cwd = dir, .oversubscribe = true},
        &ex));
    brings(cadre_submit(ex, CADRE_FN(is_there), "here"), 1);
    CHECK_OK(cadre_pool_executor_destroy(ex));
    unlink(path);
    rmdir(dir);
}

static void options_out_of_range_are_named(void)
{
    struct cadre_pool_executor *pe = NULL;
    struct cadre_executor *ex = NULL;
    struct cadre_pool *pool = NULL;

    CHECK_ERR(
        CADRE_EINVAL,
        cadre_pool_executor_create(
            &(struct cadre_pool_executor_options){.max_workers = -3}, &pe));
    CHECK_SAYS("pool executor: max_workers is -3: it can be 1 to ");
    CHECK_ERR(CADRE_EINVAL,
              cadre_pool_create(
                  &(struct cadre_pool_options){.spawn_timeout_s = -1}, &pool));
    CHECK_SAYS("spawn_timeout_s is -1");
    CHECK_ERR(CADRE_EINVAL,
              cadre_executor_create(
                  &(struct cadre_executor_options){.cores = 100000}, &ex));
    CHECK_SAYS("cores is 100000");
    CHECK_ERR(CADRE_ETYPE,
              cadre_executor_create(
                  &(struct cadre_executor_options){
                      .cores = 1, .init_function = CADRE_FN(square)},
                  &ex));
    CHECK_SAYS("square");
    CU_ASSERT(pe == NULL && ex == NULL && pool == NULL);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(what_is_shut_down_is_closed),
        CHECK(what_is_destroyed_is_closed),
        CHECK(shutdown_need_not_wait),
        CHECK(cancelling_without_waiting_cancels_what_waits),
        CHECK(three_executors_are_waited_for_in_reverse),
        CHECK(eight_threads_submit_to_three_objects),
        CHECK(a_task_may_print_much),
        CHECK(a_failure_leaves_the_worker_to_others),
        CHECK(an_init_function_may_communicate_and_runs_once),
        CHECK(stored_objects_end_with_their_executor),
        CHECK(workers_have_their_own_directory),
        CHECK(options_out_of_range_are_named),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("objects", tests);
    return cadre_finalize() == 0 ? status : 1;
}
