/* mpi_hosts.c - a controller and workers on another host, with which something
 * happens. Run by tests/hosts, which makes the hosts, with the name
 * of a case; how it went is written to the file CADRE_TEST_VERDICT. */
#include "mpi_check.h"

#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double silence_s = 5;

static struct cadre_pool *pool;
static bool is_good = true;

#define EXPECT(what) expect((what), #what, __LINE__)

static void expect(bool is_so, const char *what, int line)
{
    if (!is_so)
        fprintf(stderr, "line %d: not so: %s; last error: %s\n", line, what,
                cadre_error_text());
    is_good &= is_so;
}

CADRE_TASK(int, host_is_far, (int unused))
{
    char host[64] = "";

    (void)unused;
    usleep(20000); /* so that both workers get some */
    gethostname(host, sizeof host - 1);
    return strcmp(host, "far") == 0;
}

CADRE_TASK(int, compute, (double for_s))
{
    double end = seconds() + for_s;

    while (seconds() < end) {
    }
    return 1;
}

/* Dies while the other one computes. */
CADRE_TASK(int, die, (int ms))
{
    usleep((useconds_t)ms * 1000);
    kill(getpid(), SIGKILL);
    return 0;
}

CADRE_TASK(double, sum, (size_t n, const double x[n]))
{
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += x[i];
    return s;
}

/* Is this rank on the far host, and how many of its team are? */
CADRE_TASK(void, far_ones, (MPI_Comm comm, CADRE_OUT int out[2]))
{
    out[0] = host_is_far(0);
    MPI_Allreduce(&out[0], &out[1], 1, MPI_INT, MPI_SUM, comm);
}

/* On the near host, by the script that made it. */
static void act(const char *action)
{
    char command[4096];

    snprintf(command, sizeof command, "'%s' act %s", getenv("CADRE_TEST_HOSTS"),
             action);
    EXPECT(system(command) == 0);
}

static void both_answer(void)
{
    struct cadre_future *f[20];

    for (int i = 0; i < 20; i++)
        f[i] = cadre_submit(pool, CADRE_FN(host_is_far), 0);
    for (int i = 0; i < 20; i++) {
        int is_far = 0;

        EXPECT(cadre_future_result(f[i], CADRE_INTO(&is_far)) == CADRE_OK);
        EXPECT(is_far == 1);
        cadre_future_free(f[i]);
    }
}

/* How long it takes until `f` fails because its worker is lost. */
static double lost_after(struct cadre_future *f, double limit_s)
{
    double start = seconds();
    cadre_err err;

    EXPECT(cadre_future_wait(f, (int64_t)(limit_s * 1000)) == CADRE_OK);
    err = cadre_future_result(f, CADRE_NOTHING);
    if (err != CADRE_ELOST)
        fprintf(stderr, "the task ends with '%s'\n", cadre_strerror(err));
    EXPECT(err == CADRE_ELOST);
    fprintf(stderr, "found after %.2f s\n", seconds() - start);
    return seconds() - start;
}

static void busy_workers_are_not_lost(void)
{
    struct cadre_future *f[2];

    for (int i = 0; i < 2; i++)
        f[i] = cadre_submit(pool, CADRE_FN(compute), 2 * silence_s);
    for (int i = 0; i < 2; i++) {
        EXPECT(cadre_future_result(f[i], CADRE_NOTHING) == CADRE_OK);
        cadre_future_free(f[i]);
    }
    both_answer();
}

/* One that is killed is found a beat later, and takes nobody along. */
static void a_killed_worker_is_found(void)
{
    struct cadre_future *dies = cadre_submit(pool, CADRE_FN(die), 500);
    struct cadre_future *goes_on = cadre_submit(pool, CADRE_FN(compute), 3.0);
    double found = lost_after(dies, 30) - 0.5;

    EXPECT(found < 2);
    EXPECT(cadre_future_result(goes_on, CADRE_NOTHING) == CADRE_OK);
    cadre_future_free(dies);
    cadre_future_free(goes_on);
}

/* mpirun would end everything. */
static void none_is_started_any_more(void)
{
    struct cadre_pool *other = NULL;

    EXPECT(cadre_pool_create(&(struct cadre_pool_options){.max_workers = 1},
                             &other) == CADRE_ESPAWN);
    EXPECT(error_says("host far was lost"));
}

static void all_are_lost(const char *action)
{
    struct cadre_future *f[2];

    for (int i = 0; i < 2; i++)
        f[i] = cadre_submit(pool, CADRE_FN(compute), 1000.0);
    usleep(500000);
    act(action);
    for (int i = 0; i < 2; i++) {
        EXPECT(lost_after(f[i], silence_s + 25) < silence_s + 20);
        cadre_future_free(f[i]);
    }
    none_is_started_any_more();
}

static void a_killed_host_is_found(void)
{
    all_are_lost("kill");
}

static void a_cut_link_is_found(void)
{
    all_are_lost("cut");
}

/* Longer than the limit lets be silent: it takes this network so long. */
static void a_large_array_may_take_its_time(void)
{
    size_t n = 56000000 / sizeof(double);
    double *x = calloc(n, sizeof *x), result = 0, start;
    struct cadre_future *f;

    if (x == NULL)
        return;
    x[n - 1] = 3;
    act("slow");
    start = seconds();
    f = cadre_submit(pool, CADRE_FN(sum), n, x);
    EXPECT(cadre_future_result(f, CADRE_INTO(&result)) == CADRE_OK);
    EXPECT(result == 3);
    fprintf(stderr, "it took %.1f s\n", seconds() - start);
    cadre_future_free(f);
    free(x);
}

/* Of the workers every other one is on the far host. */
static void teams_are_on_one_host_if_they_fit(void)
{
    struct cadre_hpc_executor *ex;
    struct cadre_future *f[20];
    int teams_far = 0;

    CADRE_CHECK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){
            .max_workers = 2, .cores_per_worker = 2, .oversubscribe = true},
        &ex));
    for (int i = 0; i < 20; i++)
        f[i] = cadre_submit(ex, CADRE_FN(far_ones));
    for (int i = 0; i < 20; i++) {
        int out[2][2] = {{-1, -1}, {-1, -1}};

        EXPECT(cadre_future_result(f[i], CADRE_INTO(out)) == CADRE_OK);
        EXPECT(out[0][0] == out[1][0]);
        EXPECT(out[0][1] == 2 * out[0][0]);
        EXPECT(out[1][1] == 2 * out[1][0]);
        teams_far += out[0][0];
        cadre_future_free(f[i]);
    }
    EXPECT(teams_far > 0 && teams_far < 20);
    EXPECT(cadre_hpc_executor_destroy(ex) == CADRE_OK);
}

static void a_team_over_both_hosts_computes_together(void)
{
    struct cadre_executor *ex;
    struct cadre_future *f;
    int out[4][2] = {{0}}, ranks_far = 0;

    CADRE_CHECK(cadre_executor_create(
        &(struct cadre_executor_options){.cores = 4, .oversubscribe = true},
        &ex));
    f = cadre_submit(ex, CADRE_FN(far_ones));
    EXPECT(cadre_future_result(f, CADRE_INTO(out)) == CADRE_OK);
    for (int i = 0; i < 4; i++) {
        ranks_far += out[i][0];
        EXPECT(out[i][1] == 2);
    }
    EXPECT(ranks_far == 2);
    cadre_future_free(f);
    EXPECT(cadre_executor_destroy(ex) == CADRE_OK);
}

static void so_does_one_of_a_spawn_pool(void)
{
    struct cadre_spawn_pool *kept;
    int out[3][2] = {{0}};

    CADRE_CHECK(cadre_spawn_pool_create(
        &(struct cadre_spawn_pool_options){.max_ranks = 4,
                                           .ranks_per_task = 4,
                                           .keep_teams = true,
                                           .oversubscribe = true},
        &kept));
    for (int i = 0; i < 3; i++) {
        struct cadre_future *f = cadre_submit(kept, CADRE_FN(far_ones));

        EXPECT(cadre_future_result(f, CADRE_INTO(out[i])) == CADRE_OK);
        EXPECT(out[i][1] == 2);
        cadre_future_free(f);
    }
    cadre_spawn_pool_destroy(kept);
}

static void teams_over_two_hosts(void)
{
    teams_are_on_one_host_if_they_fit();
    a_team_over_both_hosts_computes_together();
    so_does_one_of_a_spawn_pool();
}

static void say_verdict(void)
{
    FILE *f = fopen(getenv("CADRE_TEST_VERDICT"), "w");

    fprintf(f, "%s\n", is_good ? "passed" : "failed");
    fclose(f);
}

/* They compute when it dies; the script looks whether they end. */
static void without_the_controller_they_end(void)
{
    for (int i = 0; i < 2; i++)
        EXPECT(cadre_submit(pool, CADRE_FN(compute), 1000.0) != NULL);
    usleep(500000);
    say_verdict();
    kill(getpid(), SIGKILL);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"both-answer", both_answer},
                 {"busy", busy_workers_are_not_lost},
                 {"large", a_large_array_may_take_its_time},
                 {"worker-killed", a_killed_worker_is_found},
                 {"host-killed", a_killed_host_is_found},
                 {"link-cut", a_cut_link_is_found},
                 {"controller-killed", without_the_controller_they_end},
                 {"teams", teams_over_two_hosts}};
    const char *limit = getenv("CADRE_SILENCE_S");

    CADRE_CHECK(cadre_init(&argc, &argv));
    silence_s = limit != NULL ? strtod(limit, NULL) : 5;
    if (argc < 2 || strcmp(argv[1], "teams") != 0)
        CADRE_CHECK(cadre_pool_create(
            &(struct cadre_pool_options){.max_workers = 2,
                                         .oversubscribe = true},
            &pool));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc == 2 && strcmp(argv[1], cases[i].name) == 0)
            cases[i].run();
    }
    say_verdict();
    cadre_pool_destroy(pool);
    return cadre_finalize();
}
