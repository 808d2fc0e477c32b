/* mpi_mixed.c - tasks of one to four ranks side by side on four workers. */
#include "mpi_check.h"

#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RANKS = 4 };

/* Every rank takes part; the number of the communicator tells whether those of
 * teams that are gone have been freed. */
CADRE_TASK(void, together, (int i, int ms, MPI_Comm comm, CADRE_OUT int out[3]))
{
    int one = 1;

    usleep((useconds_t)ms * 1000);
    MPI_Allreduce(&one, &out[1], 1, MPI_INT, MPI_SUM, comm);
    out[0] = i;
    out[2] = (int)MPI_Comm_c2f(comm);
}

CADRE_TASK(int, alone, (int i, int ms))
{
    usleep((useconds_t)ms * 1000);
    return i;
}

/* The last rank fails or dies, the others wait for it. */
CADRE_TASK(int, break_down, (int dies, MPI_Comm comm))
{
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    if (rank == size - 1 && dies)
        raise(SIGKILL);
    if (rank == size - 1) {
        cadre_task_fail(5, "out of ideas");
        return 0;
    }
    MPI_Barrier(comm);
    return size;
}

CADRE_INIT(count_runs, (struct cadre_store * store, MPI_Comm comm))
{
    int runs = 0;

    MPI_Barrier(comm);
    if (cadre_store_has(store, "runs"))
        cadre_store_get(store, "runs", &runs);
    cadre_store_put(store, "runs", runs + 1);
}

CADRE_INIT(fail_at_once, (struct cadre_store * store))
{
    cadre_task_fail(2, "no table in %zu names", cadre_store_count(store));
}

/* How often the init function has run in these processes, on average. */
CADRE_TASK(double, mean_runs, (int runs, MPI_Comm comm))
{
    int size, sum;

    MPI_Comm_size(comm, &size);
    MPI_Allreduce(&runs, &sum, 1, MPI_INT, MPI_SUM, comm);
    return (double)sum / size;
}

static struct cadre_spawn_pool *pool_with(struct cadre_function *init,
                                          int ranks)
{
    struct cadre_spawn_pool *pool;

    CADRE_CHECK(cadre_spawn_pool_create(
        &(struct cadre_spawn_pool_options){.max_ranks = RANKS,
                                           .ranks_per_task = ranks,
                                           .keep_teams = true,
                                           .init_function = init,
                                           .oversubscribe = true},
        &pool));
    return pool;
}

static struct cadre_spawn_pool *pool_of_four(void)
{
    return pool_with(NULL, 1);
}

#define ON(n) (&(struct cadre_task_options){.ranks = (n)})

/* The future, which is freed, is of task `i`, run by `ranks`. Returns the
 * number of its communicator. */
static int ran(struct cadre_future *f, int i, int ranks)
{
    int out[3] = {-1, -1, 0};

    CHECK_OK(cadre_future_result(f, CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[0], i);
    CU_ASSERT_EQUAL(out[1], ranks);
    cadre_future_free(f);
    return out[2];
}

static void tasks_of_all_sizes_share_the_workers(void)
{
    enum { N = 400 };
    struct cadre_spawn_pool *pool = pool_of_four();
    static struct cadre_future *f[N];
    static int ranks[N];

    srand(7);
    for (int i = 0; i < N; i++) {
        ranks[i] = 1 + rand() % RANKS;
        f[i] = cadre_submit_with(pool, ON(ranks[i]), CADRE_FN(together), i,
                                 rand() % 3);
    }
    for (int i = 0; i < N; i++)
        ran(f[i], i, ranks[i]);
    cadre_spawn_pool_destroy(pool);
}

static void a_wide_task_is_not_starved_by_narrow_ones(void)
{
    enum { N = 400 };
    struct cadre_spawn_pool *pool = pool_of_four();
    struct cadre_future *wide;
    static struct cadre_future *f[N];

    for (int i = 0; i < N / 2; i++)
        f[i] = cadre_submit(pool, CADRE_FN(alone), i, 5);
    wide = cadre_submit_with(pool, ON(4), CADRE_FN(together), 1, 1);
    for (int i = N / 2; i < N; i++)
        f[i] = cadre_submit(pool, CADRE_FN(alone), i, 5);
    ran(wide, 1, 4);
    CU_ASSERT(cadre_pending(pool) > N / 2);
    for (int i = 0; i < N; i++) {
        int out = -1;

        CHECK_OK(cadre_future_result(f[i], CADRE_INTO(&out)));
        CU_ASSERT_EQUAL(out, i);
        cadre_future_free(f[i]);
    }
    cadre_spawn_pool_destroy(pool);
}

static void serial_tasks_fill_the_gaps(void)
{
    enum { WIDE = 20, NARROW = 100 };
    struct cadre_spawn_pool *pool = pool_of_four();
    struct cadre_future *wide[WIDE], *narrow[NARROW];
    double start = seconds();

    for (int i = 0; i < WIDE; i++)
        wide[i] = cadre_submit_with(pool, ON(3), CADRE_FN(together), i, 50);
    for (int i = 0; i < NARROW; i++)
        narrow[i] = cadre_submit(pool, CADRE_FN(alone), i, 8);
    CHECK_OK(cadre_wait(wide, WIDE, CADRE_ALL_DONE, -1, NULL));
    CHECK_OK(cadre_wait(narrow, NARROW, CADRE_ALL_DONE, -1, NULL));
    CU_ASSERT(seconds() - start < 1.6); /* 1.0 and 0.8, one after another 1.8 */
    for (int i = 0; i < WIDE; i++)
        ran(wide[i], i, 3);
    for (int i = 0; i < NARROW; i++)
        cadre_future_free(narrow[i]);
    cadre_spawn_pool_destroy(pool);
}

static void a_task_that_breaks_down_leaves_the_others(void)
{
    enum { N = 60 };
    struct cadre_spawn_pool *pool = pool_of_four();

    for (int dies = 0; dies < 2; dies++) {
        struct cadre_future *f[N];

        for (int i = 0; i < N; i++)
            f[i] = i == 20 ? cadre_submit_with(pool, ON(3),
                                               CADRE_FN(break_down), dies)
                           : cadre_submit_with(pool, ON(1 + i % RANKS),
                                               CADRE_FN(together), i, 1);
        for (int i = 0; i < N; i++) {
            if (i == 20) {
                CHECK_ERR(dies ? CADRE_ELOST : CADRE_ETASK,
                          cadre_future_result(f[i], CADRE_NOTHING));
                CHECK_SAYS("rank 2 of team");
                cadre_future_free(f[i]);
            } else {
                ran(f[i], i, 1 + i % RANKS);
            }
        }
    }
    cadre_spawn_pool_destroy(pool);
}

static void more_ranks_than_there_are_is_an_error(void)
{
    struct cadre_spawn_pool *pool = pool_of_four();
    struct cadre_future *f =
        cadre_submit_with(pool, ON(5), CADRE_FN(together), 1, 1);

    CHECK_ERR(CADRE_EINVAL, cadre_future_result(f, CADRE_NOTHING));
    CHECK_SAYS("ranks is 5: it can be 1 to 4");
    cadre_future_free(f);
    f = cadre_submit_with(pool, ON(-1), CADRE_FN(together), 1, 1);
    CHECK_ERR(CADRE_EINVAL, cadre_future_result(f, CADRE_NOTHING));
    CHECK_SAYS("ranks is -1");
    cadre_future_free(f);
    cadre_spawn_pool_destroy(pool);
}

static void stores_are_filled_once_whatever_the_teams(void)
{
    enum { N = 120 };

    for (int ranks = 1; ranks <= 2; ranks++) {
        struct cadre_spawn_pool *pool = pool_with(CADRE_FN(count_runs), ranks);
        struct cadre_future *f[N];

        for (int i = 0; i < N; i++)
            f[i] = cadre_submit_with(pool, ON(1 + i * 7 % RANKS),
                                     CADRE_FN(mean_runs));
        for (int i = 0; i < N; i++) {
            double runs = 0;

            CHECK_OK(cadre_future_result(f[i], CADRE_INTO(&runs)));
            CU_ASSERT_EQUAL(runs, 1);
            cadre_future_free(f[i]);
        }
        cadre_spawn_pool_destroy(pool);
    }
}

static void an_init_function_that_fails_fails_tasks_of_all_sizes(void)
{
    struct cadre_spawn_pool *pool = pool_with(CADRE_FN(fail_at_once), 2);

    for (int i = 0; i < 12; i++) {
        struct cadre_future *f = cadre_submit_with(pool, ON(1 + i % RANKS),
                                                   CADRE_FN(together), i, 0);

        CHECK_ERR(CADRE_ETASK, cadre_future_result(f, CADRE_NOTHING));
        CHECK_SAYS("no table in 0 names");
        cadre_future_free(f);
    }
    cadre_spawn_pool_destroy(pool);
}

/* What is formed and given up again and again does not add up. */
static void communicators_are_freed_or_used_again(void)
{
    enum { N = 3000, AHEAD = 100 };
    struct cadre_spawn_pool *pool = pool_of_four();
    static struct cadre_future *f[N];
    static int ranks[N];
    int highest = 0;

    srand(11);
    for (int i = 0; i < N + AHEAD; i++) {
        if (i < N) {
            ranks[i] = 1 + rand() % RANKS;
            f[i] =
                cadre_submit_with(pool, ON(ranks[i]), CADRE_FN(together), i, 0);
        }
        if (i >= AHEAD) {
            int number = ran(f[i - AHEAD], i - AHEAD, ranks[i - AHEAD]);

            highest = number > highest ? number : highest;
        }
    }
    CU_ASSERT(highest < 60);
    if (highest >= 60)
        fprintf(stderr, "a communicator has number %d\n", highest);
    cadre_spawn_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(tasks_of_all_sizes_share_the_workers),
        CHECK(a_wide_task_is_not_starved_by_narrow_ones),
        CHECK(serial_tasks_fill_the_gaps),
        CHECK(a_task_that_breaks_down_leaves_the_others),
        CHECK(more_ranks_than_there_are_is_an_error),
        CHECK(stores_are_filled_once_whatever_the_teams),
        CHECK(an_init_function_that_fails_fails_tasks_of_all_sizes),
        CHECK(communicators_are_freed_or_used_again),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("mixed", tests);
    return cadre_finalize() == 0 ? status : 1;
}
