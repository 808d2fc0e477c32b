/* mpi_place.c - workers are where the plan wants them, as the system says. */
#include "mpi_check.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS 16 /* of 64 cores */

/* Is the task told exactly the cores of `set`? */
static bool are_cores(const struct cadre_task_info *info, const cpu_set_t *set)
{
    for (int i = 0; i < info->npus; i++) {
        if (!CPU_ISSET(info->pus[i], set))
            return false;
    }
    return CPU_COUNT(set) == info->npus;
}

/* The cores that the process may run on, its process, OMP_NUM_THREADS, and what
 * the task is told. */
CADRE_TASK(int, where,
           (CADRE_OUT uint64_t cores[WORDS], CADRE_OUT int pid[1],
            cadre_task *self, CADRE_OUT int is_told[1], CADRE_OUT int told[1]))
{
    const char *threads = getenv("OMP_NUM_THREADS");
    struct cadre_task_info info;
    cpu_set_t set;

    memset(cores, 0, WORDS * sizeof cores[0]);
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    memcpy(cores, &set, sizeof set < WORDS * 8 ? sizeof set : WORDS * 8);
    pid[0] = (int)getpid();
    cadre_task_describe(self, &info);
    is_told[0] = strstr(info.place, "PU") != NULL;
    if (info.npus > 0 && !are_cores(&info, &set))
        cadre_task_fail(1, "told other cores than it is bound to");
    if (is_told[0] != (info.npus > 0) || info.ngpus != 0)
        cadre_task_fail(2, "told %d PUs and %d GPUs as numbers, but \"%s\"",
                        info.npus, info.ngpus, info.place);
    told[0] = info.threads;
    usleep(100000); /* so that each worker gets one */
    return threads != NULL ? (int)strtol(threads, NULL, 10) : 0;
}

/* What the environment says to OpenMP. */
static const char *told_openmp(void)
{
    static const char *const names[] = {"OMP_NUM_THREADS", "OMP_PLACES",
                                        "OMP_PROC_BIND"};
    static char text[256];
    size_t len = 0;

    for (int i = 0; i < 3; i++) {
        const char *is = getenv(names[i]);

        len += (size_t)snprintf(text + len, sizeof text - len, "%s;",
                                is != NULL ? is : "not set");
    }
    return text;
}

CADRE_TASK(const char *, ask_told, (int ms))
{
    usleep((useconds_t)ms * 1000); /* so that each worker gets one */
    return told_openmp();
}

CADRE_TASK(int, leave, (int i))
{
    if (i == 1)
        kill(getpid(), SIGKILL);
    return i;
}

struct seen {
    int threads;
    uint64_t cores[WORDS];
    int pid, is_told, told_threads;
};

static int count(const struct seen *s)
{
    int n = 0;

    for (int i = 0; i < WORDS; i++)
        n += __builtin_popcountll(s->cores[i]);
    return n;
}

static bool share(const struct seen *a, const struct seen *b)
{
    for (int i = 0; i < WORDS; i++) {
        if ((a->cores[i] & b->cores[i]) != 0)
            return true;
    }
    return false;
}

/* Cores that this process may use. */
static int cores_here(void)
{
    cpu_set_t set;

    sched_getaffinity(0, sizeof set, &set);
    return CPU_COUNT(&set);
}

static struct cadre_pool *pool_placed(int workers, int threads,
                                      enum cadre_placement placement)
{
    struct cadre_pool *pool;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = workers,
                                     .threads_per_rank = threads,
                                     .placement = placement,
                                     .oversubscribe = true},
        &pool));
    return pool;
}

/* Where the pool's `n` workers are, in the order of their processes. */
static void look(struct cadre_pool *pool, struct seen *seen, int n)
{
    int found = 0;

    for (int tries = 0; tries < 20 && found < n; tries++) {
        struct cadre_future *f[8];
        struct seen s;

        for (int i = 0; i < n; i++)
            f[i] = cadre_submit(pool, CADRE_FN(where));
        for (int i = 0; i < n; i++) {
            bool is_new = true;

            CHECK_OK(cadre_future_result(f[i], CADRE_INTO(&s.threads, s.cores,
                                                          &s.pid, &s.is_told,
                                                          &s.told_threads)));
            cadre_future_free(f[i]);
            for (int k = 0; k < found; k++)
                is_new &= seen[k].pid != s.pid;
            if (is_new && found < n)
                seen[found++] = s;
        }
    }
    CU_ASSERT_EQUAL(found, n);
}

static void each_worker_is_bound_to_a_core_of_its_own(void)
{
    int n = cores_here() < 2 ? 1 : 2;
    struct cadre_pool *pool = pool_placed(n, 1, CADRE_PLACEMENT_COMPACT);
    struct seen seen[2];

    look(pool, seen, n);
    for (int i = 0; i < n; i++) {
        CU_ASSERT(count(&seen[i]) >= 1 && count(&seen[i]) <= 2); /* threads */
        CU_ASSERT_EQUAL(seen[i].threads, 1);
        CU_ASSERT(seen[i].is_told);
        CU_ASSERT_EQUAL(seen[i].told_threads, 1);
    }
    if (n == 2)
        CU_ASSERT_FALSE(share(&seen[0], &seen[1]));
    cadre_pool_destroy(pool);
}

static void two_pools_share_no_core_while_there_are_free_ones(void)
{
    struct cadre_pool *a, *b;
    struct seen in_a, in_b, again;

    if (cores_here() < 2)
        return;
    a = pool_placed(1, 1, CADRE_PLACEMENT_COMPACT);
    b = pool_placed(1, 1, CADRE_PLACEMENT_SCATTER);
    look(a, &in_a, 1);
    look(b, &in_b, 1);
    CU_ASSERT_FALSE(share(&in_a, &in_b));
    cadre_pool_destroy(a); /* its core is free again */
    a = pool_placed(1, 1, CADRE_PLACEMENT_COMPACT);
    look(a, &again, 1);
    CU_ASSERT_FALSE(share(&again, &in_b));
    cadre_pool_destroy(a);
    cadre_pool_destroy(b);
}

static void a_replacement_takes_the_place_of_the_lost(void)
{
    struct cadre_pool *pool = pool_placed(1, 1, CADRE_PLACEMENT_COMPACT);
    struct seen before, after;
    struct cadre_future *f;

    look(pool, &before, 1);
    f = cadre_submit(pool, CADRE_FN(leave), 1);
    CHECK_ERR(CADRE_ELOST, cadre_future_result(f, CADRE_NOTHING));
    cadre_future_free(f);
    look(pool, &after, 1);
    CU_ASSERT_NOT_EQUAL(before.pid, after.pid);
    CU_ASSERT_EQUAL(memcmp(before.cores, after.cores, sizeof before.cores), 0);
    cadre_pool_destroy(pool);
}

static void without_a_wish_nothing_is_bound(void)
{
    struct cadre_pool *pool = pool_placed(1, 0, CADRE_PLACEMENT_DEFAULT);
    struct seen seen;

    look(pool, &seen, 1);
    CU_ASSERT_FALSE(seen.is_told);
    CU_ASSERT_EQUAL(seen.told_threads, 0);
    CU_ASSERT(count(&seen) >= cores_here());
    cadre_pool_destroy(pool);
}

/* All workers of a pool have been told this. */
static void check_told(struct cadre_pool *pool, const char *want)
{
    struct cadre_future *f[8];

    for (int i = 0; i < 8; i++)
        f[i] = cadre_submit(pool, CADRE_FN(ask_told), 50);
    for (int i = 0; i < 8; i++) {
        char *told = NULL;

        CHECK_OK(cadre_future_result(f[i], CADRE_INTO(&told)));
        if (told != NULL)
            CU_ASSERT_STRING_EQUAL(told, want);
        free(told);
        cadre_future_free(f[i]);
    }
}

/* A resident is the same process in one pool after another. */
static void the_environment_of_a_place_ends_with_it(void)
{
    struct cadre_pool *pool = pool_placed(1, 1, CADRE_PLACEMENT_COMPACT);

    check_told(pool, "1;cores;close;");
    cadre_pool_destroy(pool);
    pool = pool_placed(4, 0, CADRE_PLACEMENT_DEFAULT);
    check_told(pool, told_openmp());
    cadre_pool_destroy(pool);
}

/* A program that runs this one under another host's name; false where that is
 * not allowed. */
static bool write_script(char *path)
{
    char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    FILE *f;
    int fd;

    if (len < 0 || system("unshare --uts true 2>/dev/null") != 0 ||
        (fd = mkstemp(path)) < 0)
        return false;
    self[len] = '\0';
    f = fdopen(fd, "w");
    fprintf(f,
            "#!/bin/sh\n"
            "exec unshare --uts sh -c 'hostname elsewhere; exec \"$0\"' %s\n",
            self);
    fchmod(fd, 0700);
    return fclose(f) == 0;
}

/* The controller cannot see that host: the workers there look for themselves,
 * and agree. */
static void workers_on_another_host_plan_for_themselves(void)
{
    int n = cores_here() < 2 ? 1 : 2;
    char path[] = "/tmp/cadre-place-XXXXXX";
    struct cadre_pool *pool;
    struct seen seen[2];

    if (!write_script(path)) {
        fprintf(stderr, "no host names of one's own here: nothing tested\n");
        return;
    }
    CHECK_OK(
        cadre_pool_create(&(struct cadre_pool_options){.max_workers = n,
                                                       .threads_per_rank = 1,
                                                       .worker_program = path,
                                                       .oversubscribe = true},
                          &pool));
    look(pool, seen, n);
    for (int i = 0; i < n; i++) {
        CU_ASSERT(seen[i].is_told);
        CU_ASSERT(count(&seen[i]) <= 2);
    }
    if (n == 2)
        CU_ASSERT_FALSE(share(&seen[0], &seen[1]));
    cadre_pool_destroy(pool);
    unlink(path);
}

static void what_is_not_there_is_refused(void)
{
    struct cadre_hpc_executor *ex = NULL;
    struct cadre_pool *pool = NULL;

    CHECK_ERR(CADRE_EINVAL, cadre_pool_create(
                                &(struct cadre_pool_options){
                                    .max_workers = 1, .threads_per_rank = 4000},
                                &pool));
    CHECK_SAYS("4000");
    CHECK_ERR(CADRE_EINVAL,
              cadre_pool_create(
                  &(struct cadre_pool_options){.threads_per_rank = -1}, &pool));
    CHECK_SAYS("threads_per_rank is -1");
    CHECK_ERR(CADRE_EINVAL, cadre_hpc_executor_create(
                                &(struct cadre_hpc_executor_options){
                                    .max_workers = 1, .gpus_per_worker = 1000},
                                &ex));
    CHECK_SAYS("GPU");
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(each_worker_is_bound_to_a_core_of_its_own),
        CHECK(two_pools_share_no_core_while_there_are_free_ones),
        CHECK(a_replacement_takes_the_place_of_the_lost),
        CHECK(without_a_wish_nothing_is_bound),
        CHECK(the_environment_of_a_place_ends_with_it),
        CHECK(workers_on_another_host_plan_for_themselves),
        CHECK(what_is_not_there_is_refused),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("placing", tests);
    return cadre_finalize() == 0 ? status : 1;
}
