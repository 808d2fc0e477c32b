/* mpi_far.c - workers as on another host: no process of theirs can be seen from
 * here, no memory is shared, and only beats tell whether they live. Run with
 * CADRE_ALL_FAR in the environment. */
#include "mpi_check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static double silence_s; /* the limit, from the environment */

CADRE_TASK(int, whoami, (int unused))
{
    (void)unused;
    return (int)getpid();
}

CADRE_TASK(int, compute, (double for_s))
{
    double end = seconds() + for_s;

    while (seconds() < end) {
    }
    return (int)getpid();
}

CADRE_TASK(int, end_by, (int signal, CADRE_OUT int pid[1]))
{
    pid[0] = (int)getpid();
    kill(getpid(), signal);
    return 0;
}

static void say_who(const char *path)
{
    FILE *f = fopen(path, "w");

    fprintf(f, "%d\n", (int)getpid());
    fclose(f);
}

CADRE_TASK(int, hang, (const char *path))
{
    say_who(path);
    for (;;)
        pause();
}

CADRE_TASK(int, stop, (const char *path))
{
    say_who(path);
    kill(getpid(), SIGSTOP);
    return 0;
}

CADRE_TASK(double, used_s, (int unused))
{
    struct rusage u;

    (void)unused;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int worker_pid(struct cadre_pool *pool)
{
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(whoami), 0);
    int pid = 0;

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&pid)));
    cadre_future_free(f);
    return pid;
}

/* Has it ended within the time? A dead one that nobody has waited for yet has,
 * too. */
static bool ends_within(int pid, double limit_s)
{
    double end = seconds() + limit_s;
    char path[64], state = 'R';

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    while (seconds() < end) {
        FILE *f = fopen(path, "r");

        if (f == NULL)
            return true;
        if (fscanf(f, "%*d (%*[^)]) %c", &state) == 1 && state == 'Z') {
            fclose(f);
            return true;
        }
        fclose(f);
        usleep(50000);
    }
    return false;
}

static void who_is_busy_for_long_is_not_lost(void)
{
    struct cadre_pool *pool = pool_of(1);
    int pid = worker_pid(pool), busy = 0;
    struct cadre_future *f =
        cadre_submit(pool, CADRE_FN(compute), 2.5 * silence_s);

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&busy)));
    CU_ASSERT_EQUAL(busy, pid);
    cadre_future_free(f);
    CU_ASSERT_EQUAL(worker_pid(pool), pid);
    cadre_pool_destroy(pool);
}

static void who_waits_for_long_is_not_lost(void)
{
    struct cadre_pool *pool = pool_of(1);
    int pid = worker_pid(pool);

    usleep((useconds_t)(2.5e6 * silence_s));
    CU_ASSERT_EQUAL(worker_pid(pool), pid);
    cadre_pool_destroy(pool);
}

static void who_is_killed_is_lost(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f;
    int pid = worker_pid(pool);

    f = cadre_submit(pool, CADRE_FN(end_by), SIGKILL);
    CHECK_ERR(CADRE_ELOST, cadre_future_result(f, CADRE_NOTHING));
    cadre_future_free(f);
    CU_ASSERT_NOT_EQUAL(worker_pid(pool), pid); /* another has its place */
    cadre_pool_destroy(pool);
}

/* It cannot be seen to end, so the order to end is what reaches it later. */
static void who_is_stopped_is_lost_and_ends_when_it_goes_on(void)
{
    struct cadre_pool *pool = pool_of(1);
    int pid = worker_pid(pool);
    double start = seconds();
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(end_by), SIGSTOP);

    CHECK_ERR(CADRE_ELOST, cadre_future_result(f, CADRE_NOTHING));
    CU_ASSERT(seconds() - start > 0.9 * silence_s);
    cadre_future_free(f);
    CU_ASSERT_FALSE(ends_within(pid, 0.2));
    kill(pid, SIGCONT);
    CU_ASSERT(ends_within(pid, 20));
    cadre_pool_destroy(pool);
}

/* The process that wrote itself down in the file, which is removed. */
static int read_who(int fd, const char *path)
{
    FILE *f = fdopen(fd, "r");
    int pid = 0;

    if (fscanf(f, "%d", &pid) != 1)
        pid = 0;
    fclose(f);
    unlink(path);
    return pid;
}

static void the_others_go_on_meanwhile(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *stopped, *f[50];
    char path[] = "/tmp/cadre-far-XXXXXX";
    int fd = mkstemp(path), sum = 0, pid;

    stopped = cadre_submit(pool, CADRE_FN(stop), path);
    for (int i = 0; i < 50; i++)
        f[i] = cadre_submit(pool, CADRE_FN(whoami), 0);
    for (int i = 0; i < 50; i++) {
        int pid = 0;

        CHECK_OK(cadre_future_result(f[i], CADRE_INTO(&pid)));
        sum += pid > 0;
        cadre_future_free(f[i]);
    }
    CU_ASSERT_EQUAL(sum, 50);
    CHECK_ERR(CADRE_ELOST, cadre_future_result(stopped, CADRE_NOTHING));
    cadre_future_free(stopped);
    pid = read_who(fd, path);
    CU_ASSERT(pid > 0 && kill(pid, SIGCONT) == 0); /* mpirun waits for it */
    cadre_pool_destroy(pool);
}

static void a_task_past_its_deadline_is_ended_there(void)
{
    struct cadre_pool *pool = pool_of(1);
    char path[] = "/tmp/cadre-far-XXXXXX";
    int fd = mkstemp(path), pid;
    struct cadre_future *f;

    worker_pid(pool);
    f = cadre_submit_with(pool, &(struct cadre_task_options){.deadline_s = 1},
                          CADRE_FN(hang), path);
    CHECK_ERR(CADRE_ETIMEOUT, cadre_future_result(f, CADRE_NOTHING));
    cadre_future_free(f);
    pid = read_who(fd, path);
    CU_ASSERT(pid > 0 && ends_within(pid, 20));
    cadre_pool_destroy(pool);
}

/* Time on a core, which other processes do not take. */
static void waiting_costs_little(void)
{
    struct cadre_pool *pool = pool_of(1);
    double before = 0, after = 0, here, start;
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(used_s), 0);

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&before)));
    cadre_future_free(f);
    usleep(1200000); /* until it has nothing to do */
    here = used_s(0);
    start = seconds();
    usleep(3000000);
    here = (used_s(0) - here) / (seconds() - start);
    f = cadre_submit(pool, CADRE_FN(used_s), 0);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&after)));
    cadre_future_free(f);
    fprintf(stderr, "waiting: %.2f %% of a core here, %.2f %% there\n",
            100 * here, 100 * (after - before) / (seconds() - start + 1.2));
    CU_ASSERT(here < 0.05);
    CU_ASSERT((after - before) / (seconds() - start) < 0.05);
    cadre_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(who_is_busy_for_long_is_not_lost),
        CHECK(who_waits_for_long_is_not_lost),
        CHECK(waiting_costs_little),
        CHECK(a_task_past_its_deadline_is_ended_there),
        CHECK(who_is_stopped_is_lost_and_ends_when_it_goes_on),
        CHECK(the_others_go_on_meanwhile),
        CHECK(who_is_killed_is_lost),
        {NULL, NULL}};
    const char *limit = getenv("CADRE_SILENCE_S");
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    silence_s = limit != NULL ? strtod(limit, NULL) : 5;
    status = check_run("far", tests);
    return cadre_finalize() == 0 ? status : 1;
}
