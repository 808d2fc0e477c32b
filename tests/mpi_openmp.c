/* mpi_openmp.c - a program with OpenMP, whose workers have looked at the
 * environment before they have a place: how many threads they really get. */
#include "mpi_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RESIDENTS_MAX = 4 };

/* Threads of a parallel region, in milliseconds enough for each worker to get
 * a task. */
CADRE_TASK(int, count_threads, (int ms))
{
    int n = 0;

#pragma omp parallel reduction(+ : n)
    n++;
    usleep((useconds_t)ms * 1000);
    return n;
}

/* What each of `workers` workers starts, those that want `threads` (0: that
 * have no wish); -1 if they differ. */
static int threads_in_pool(int workers, int threads)
{
    struct cadre_future *f[2 * RESIDENTS_MAX];
    struct cadre_pool *pool;
    int n = 2 * workers, all = 0;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = workers,
                                     .threads_per_rank = threads,
                                     .oversubscribe = true},
        &pool));
    for (int i = 0; i < n; i++)
        f[i] = cadre_submit(pool, CADRE_FN(count_threads), 50);
    for (int i = 0; i < n; i++) {
        int started = int_of(f[i]);

        all = i == 0 || started == all ? started : -1;
    }
    cadre_pool_destroy(pool);
    return all;
}

static void a_rank_of_one_thread_starts_one(void)
{
    CU_ASSERT_EQUAL(threads_in_pool(1, 1), 1);
}

static void a_rank_of_two_threads_starts_two(void)
{
    CU_ASSERT_EQUAL(threads_in_pool(1, 2), 2);
}

/* More than there are cores for: nothing is bound, but all start. */
static void ranks_that_share_cores_start_what_they_asked_for(void)
{
    CU_ASSERT_EQUAL(threads_in_pool(RESIDENTS_MAX, 3), 3);
}

/* What it is then depends on how the process was bound when it was started. */
static void without_a_wish_openmp_is_left_alone(void)
{
    static int before;
    int now = threads_in_pool(RESIDENTS_MAX, 0);

    CU_ASSERT_NOT_EQUAL(now, 0);
    if (before != 0) /* residents have had other wishes meanwhile */
        CU_ASSERT_EQUAL(now, before);
    before = now;
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(without_a_wish_openmp_is_left_alone),
        CHECK(a_rank_of_one_thread_starts_one),
        CHECK(a_rank_of_two_threads_starts_two),
        CHECK(ranks_that_share_cores_start_what_they_asked_for),
        {"after_all_that_openmp_is_as_it_was",
         without_a_wish_openmp_is_left_alone},
        {NULL, NULL}};
    int status;

    unsetenv("OMP_NUM_THREADS"); /* of whoever runs this; workers inherit it */
    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("openmp", tests);
    return cadre_finalize() == 0 ? status : 1;
}
