/* mpi_teams.c - MPI-parallel functions on teams, however the program was
 * started. */
#include "mpi_check.h"

#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

CADRE_TASK(void, who, (int i, MPI_Comm comm, CADRE_OUT int out[3]))
{
    out[0] = i;
    MPI_Comm_size(comm, &out[1]);
    MPI_Comm_rank(comm, &out[2]);
}

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

CADRE_TASK(int, sum_of_ranks, (int i, MPI_Comm comm))
{
    int rank, sum;

    MPI_Comm_rank(comm, &rank);
    rank += i;
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
    return sum;
}

CADRE_TASK(int, sum_of_both, (int i, int j, MPI_Comm comm))
{
    int mine = i + j, sum;

    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, comm);
    return sum;
}

CADRE_TASK(int, process_id, (int i))
{
    (void)i;
    return (int)getpid();
}

/* Rank 1 fails, the others wait for it for ever. */
CADRE_TASK(int, one_fails, (int i, MPI_Comm comm))
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    if (i == 2 && rank == 1) {
        cadre_task_fail(7, "rank %d has no data", rank);
        return 0;
    }
    MPI_Barrier(comm);
    return i;
}

CADRE_TASK(int, one_dies, (int i, MPI_Comm comm))
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    if (i == 1 && rank == 1)
        kill(getpid(), SIGKILL);
    MPI_Barrier(comm);
    return i;
}

/* Tasks that run now, and how many did at most; kept in a file. */
struct crowd {
    int now, most;
};

static struct crowd count(const char *path, int change)
{
    struct crowd c = {0, 0};
    int fd = open(path, O_RDWR);

    flock(fd, LOCK_EX);
    if (pread(fd, &c, sizeof c, 0) != sizeof c)
        c = (struct crowd){0, 0};
    c.now += change;
    c.most = c.now > c.most ? c.now : c.most;
    if (pwrite(fd, &c, sizeof c, 0) != sizeof c)
        cadre_task_fail(1, "%s cannot be written", path);
    close(fd);
    return c;
}

/* Stays until `size` tasks have run at a time, and a while longer, in which
 * there might be more. */
CADRE_TASK(int, join, (const char *path, int size, MPI_Comm comm))
{
    double start = seconds();
    int rank, most = 0;

    MPI_Comm_rank(comm, &rank);
    if (rank == 0) {
        most = count(path, 1).most;
        while ((most < size && seconds() - start < 20) ||
               (most <= size && seconds() - start < 0.5)) {
            usleep(10000);
            most = count(path, 0).most;
        }
        count(path, -1);
    }
    MPI_Barrier(comm);
    return most;
}

static struct cadre_spawn_pool *spawn_pool(int max_ranks, int ranks, bool keep)
{
    struct cadre_spawn_pool *pool;

    CADRE_CHECK(cadre_spawn_pool_create(
        &(struct cadre_spawn_pool_options){.max_ranks = max_ranks,
                                           .ranks_per_task = ranks,
                                           .keep_teams = keep,
                                           .oversubscribe = true},
        &pool));
    return pool;
}

/* Each of `n` tasks has one result, rank 0's, and a communicator of `ranks`. */
static void check_who(struct cadre_spawn_pool *pool, int n, int ranks)
{
    int in[8], out[8][3];

    for (int i = 0; i < n; i++)
        in[i] = i + 1;
    memset(out, -1, sizeof out);
    CHECK_OK(cadre_spawn_pool_map(pool, CADRE_FN(who), (uint64_t)n,
                                  CADRE_EACH(in), CADRE_INTO(out)));
    for (int i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(out[i][0], i + 1);
        CU_ASSERT_EQUAL(out[i][1], ranks);
        CU_ASSERT_EQUAL(out[i][2], 0);
    }
}

static void a_task_of_two_ranks_has_one_result(void)
{
    for (int keep = 0; keep < 2; keep++) {
        struct cadre_spawn_pool *pool = spawn_pool(4, 2, keep);

        check_who(pool, 4, 2);
        check_who(pool, 3, 2);
        cadre_spawn_pool_destroy(pool);
    }
}

static void ranks_that_do_not_divide_are_left_over(void)
{
    struct cadre_spawn_pool *pool = spawn_pool(3, 2, true);

    CU_ASSERT_EQUAL(cadre_teams(pool), 1);
    check_who(pool, 3, 2);
    cadre_spawn_pool_destroy(pool);
}

static void a_task_of_one_rank_has_a_communicator_of_one(void)
{
    for (int keep = 0; keep < 2; keep++) {
        struct cadre_spawn_pool *pool = spawn_pool(2, 1, keep);

        check_who(pool, 3, 1);
        cadre_spawn_pool_destroy(pool);
    }
}

static void a_starmap_takes_several_columns(void)
{
    for (int keep = 0; keep < 2; keep++) {
        struct cadre_spawn_pool *pool = spawn_pool(4, 2, keep);
        int i[] = {1, 2, 3}, j[] = {10, 20, 30}, out[3] = {0};

        CHECK_OK(cadre_spawn_pool_starmap(
            pool, CADRE_FN(sum_of_both), 3,
            CADRE_COLUMNS(CADRE_EACH(i), CADRE_EACH(j)), CADRE_INTO(out)));
        CU_ASSERT(out[0] == 22 && out[1] == 44 && out[2] == 66);
        cadre_spawn_pool_destroy(pool);
    }
}

static void fresh_means_new_processes_for_each_task(void)
{
    enum { N = 5 };
    struct cadre_spawn_pool *pool = spawn_pool(2, 1, false);
    int in[N] = {0}, pid[N];

    CHECK_OK(cadre_spawn_pool_map(pool, CADRE_FN(process_id), N, CADRE_EACH(in),
                                  CADRE_INTO(pid)));
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < i; k++)
            CU_ASSERT_NOT_EQUAL(pid[i], pid[k]);
    }
    cadre_spawn_pool_destroy(pool);
}

static void as_many_fresh_tasks_run_as_fit(void)
{
    enum { N = 4, FIT = 2 };
    struct cadre_spawn_pool *pool = spawn_pool(5, 2, false);
    char path[] = "/tmp/mpi_teams.XXXXXX";
    int fd = mkstemp(path), most[N] = {0};
    struct cadre_future *f[N];

    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    for (int i = 0; i < N; i++)
        f[i] = cadre_submit(pool, CADRE_FN(join), path, FIT);
    CHECK_OK(cadre_gather(f, N, CADRE_INTO(most)));
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(most[i], FIT);
        cadre_future_free(f[i]);
    }
    CU_ASSERT_EQUAL(count(path, 0).now, 0);
    unlink(path);
    cadre_spawn_pool_destroy(pool);
}

static void kept_means_the_same_processes(void)
{
    enum { N = 50 };
    struct cadre_spawn_pool *pool = spawn_pool(1, 1, true);
    int in[N] = {0}, pid[N];

    CHECK_OK(cadre_spawn_pool_map(pool, CADRE_FN(process_id), N, CADRE_EACH(in),
                                  CADRE_INTO(pid)));
    for (int i = 1; i < N; i++)
        CU_ASSERT_EQUAL(pid[i], pid[0]);
    cadre_spawn_pool_destroy(pool);
}

static void many_tasks_of_a_team_compute_together(void)
{
    enum { N = 3000 };
    struct cadre_spawn_pool *pool = spawn_pool(4, 2, true);
    static int in[N], out[N];

    for (int i = 0; i < N; i++)
        in[i] = i;
    CHECK_OK(cadre_spawn_pool_map(pool, CADRE_FN(sum_of_ranks), N,
                                  CADRE_EACH(in), CADRE_INTO(out)));
    for (int i = 0; i < N; i++)
        CU_ASSERT_EQUAL(out[i], 2 * i + 1);
    cadre_spawn_pool_destroy(pool);
}

/* The failing task fails with its rank's word, within a second or so, and
 * nothing else does. */
static void a_rank_that_fails_frees_the_others(void)
{
    for (int keep = 0; keep < 2; keep++) {
        struct cadre_spawn_pool *pool = spawn_pool(2, 2, keep);
        int in[] = {1, 2, 3, 4}, out[4] = {0};
        cadre_err errors[4];
        double start = seconds();

        CHECK_ERR(CADRE_ETASK,
                  cadre_spawn_pool_run(
                      pool, &(struct cadre_map){
                                .fn = CADRE_FN(one_fails),
                                .count = 4,
                                .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                .into = CADRE_INTO(out),
                                .chunk_size = 1,
                                .errors = errors}));
        CU_ASSERT(seconds() - start < 20);
        CHECK_SAYS("item 1: rank 1 has no data");
        CHECK_SAYS("rank 1 of team");
        for (int i = 0; i < 4; i++) {
            CU_ASSERT_EQUAL(errors[i], i == 1 ? CADRE_ETASK : CADRE_OK);
            if (i != 1)
                CU_ASSERT_EQUAL(out[i], in[i]);
        }
        check_who(pool, 2, 2);
        cadre_spawn_pool_destroy(pool);
    }
}

static void a_rank_that_dies_takes_its_task_along_and_no_other(void)
{
    struct cadre_spawn_pool *pool = spawn_pool(2, 2, true);
    int in[] = {0, 1, 2, 3}, out[4] = {0};
    cadre_err errors[4];

    CHECK_ERR(
        CADRE_ELOST,
        cadre_spawn_pool_run(
            pool, &(struct cadre_map){.fn = CADRE_FN(one_dies),
                                      .count = 4,
                                      .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                      .into = CADRE_INTO(out),
                                      .chunk_size = 1,
                                      .errors = errors}));
    CHECK_SAYS("item 1: rank 1 of team");
    CU_ASSERT_EQUAL(errors[1], CADRE_ELOST);
    CU_ASSERT_EQUAL(errors[0], CADRE_OK);
    CU_ASSERT_EQUAL(errors[3], CADRE_OK);
    check_who(pool, 4, 2);
    cadre_spawn_pool_destroy(pool);
}

/* A task with a pool of its own. */
CADRE_TASK(int64_t, sum_of_squares, (int64_t n))
{
    int64_t in[100], out[100], sum = 0;
    struct cadre_pool *pool;

    for (int64_t i = 0; i < n; i++)
        in[i] = i;
    if (cadre_pool_create(&(struct cadre_pool_options){.max_workers = 1,
                                                       .oversubscribe = true},
                          &pool) != CADRE_OK ||
        cadre_pool_map(pool, CADRE_FN(square), (uint64_t)n, CADRE_EACH(in),
                       CADRE_INTO(out)) != CADRE_OK) {
        cadre_task_fail(1, "%s", cadre_error_text());
        return -1;
    }
    for (int64_t i = 0; i < n; i++)
        sum += out[i];
    if (n % 2 == 0) /* else it is left open */
        cadre_pool_destroy(pool);
    return sum;
}

static void a_task_may_have_a_pool_of_its_own(void)
{
    int64_t in[] = {10, 100, 11, 4}, out[4];
    struct cadre_pool *pool;

    CHECK_OK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2, .oversubscribe = true},
        &pool));
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(sum_of_squares), 4, CADRE_EACH(in),
                            CADRE_INTO(out)));
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(out[i], (in[i] - 1) * in[i] * (2 * in[i] - 1) / 6);
    cadre_pool_destroy(pool);
}

static void a_worker_program_can_be_given(void)
{
    struct cadre_function *fabs_fn;
    struct cadre_spawn_pool *pool;
    double in[] = {-1, 2}, out[2];

    CHECK_OK(
        cadre_function_open("libm.so.6", "double fabs(double x)", &fabs_fn));
    CHECK_OK(cadre_spawn_pool_create(
        &(struct cadre_spawn_pool_options){.max_ranks = 2,
                                           .oversubscribe = true,
                                           .worker_program = WORKER_PROGRAM},
        &pool));
    CHECK_OK(cadre_spawn_pool_map(pool, fabs_fn, 2, CADRE_EACH(in),
                                  CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[0], 1);
    CU_ASSERT_EQUAL(out[1], 2);
    cadre_spawn_pool_destroy(pool);
}

static void impossible_options_are_named(void)
{
    struct cadre_spawn_pool *pool = NULL;
    struct cadre_executor *ex = NULL;
    struct cadre_hpc_executor *hpc = NULL;

    CHECK_ERR(CADRE_EINVAL, cadre_spawn_pool_create(
                                &(struct cadre_spawn_pool_options){
                                    .max_ranks = 2, .ranks_per_task = 3},
                                &pool));
    CHECK_SAYS("ranks_per_task is 3: it can be 1 to max_ranks, which is 2");
    CHECK_ERR(CADRE_EINVAL,
              cadre_spawn_pool_create(
                  &(struct cadre_spawn_pool_options){.max_ranks = -1}, &pool));
    CHECK_SAYS("max_ranks is -1");
    CHECK_ERR(CADRE_EINVAL,
              cadre_executor_create(
                  &(struct cadre_executor_options){.cores = -2}, &ex));
    CHECK_SAYS("cores is -2");
    CHECK_ERR(CADRE_EINVAL, cadre_hpc_executor_create(
                                &(struct cadre_hpc_executor_options){
                                    .max_workers = 1000, .cores_per_worker = 2},
                                &hpc));
    CHECK_SAYS("max_workers is 1000");
    CHECK_SAYS("oversubscribe");
    CHECK_ERR(CADRE_ENOTFOUND, cadre_executor_create(
                                   &(struct cadre_executor_options){
                                       .worker_program = "/no/such/program"},
                                   &ex));
    CHECK_ERR(
        CADRE_ENOTFOUND,
        cadre_executor_create(
            &(struct cadre_executor_options){.cwd = "/no/such/folder"}, &ex));
    CHECK_SAYS("/no/such/folder");
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(a_task_of_two_ranks_has_one_result),
        CHECK(ranks_that_do_not_divide_are_left_over),
        CHECK(a_task_of_one_rank_has_a_communicator_of_one),
        CHECK(a_starmap_takes_several_columns),
        CHECK(fresh_means_new_processes_for_each_task),
        CHECK(as_many_fresh_tasks_run_as_fit),
        CHECK(kept_means_the_same_processes),
        CHECK(many_tasks_of_a_team_compute_together),
        CHECK(a_rank_that_fails_frees_the_others),
        CHECK(a_rank_that_dies_takes_its_task_along_and_no_other),
        CHECK(a_task_may_have_a_pool_of_its_own),
        CHECK(a_worker_program_can_be_given),
        CHECK(impossible_options_are_named),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("teams", tests);
    return cadre_finalize() == 0 ? status : 1;
}
