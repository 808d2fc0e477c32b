/* mpi_stored.c - a team's stored values, put and read by the controller. */
#include "mpi_check.h"

#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

CADRE_INIT(fill, (struct cadre_store * store))
{
    cadre_store_put(store, "k", 1);
    cadre_store_put(store, "pid", (int)getpid());
    cadre_store_put_array(store, "x", 3, ((double[]){1, 2, 3}));
}

/* The stored k, after a while. */
CADRE_TASK(int, late_k, (int ms, struct cadre_store *store))
{
    int k = -1;

    usleep((useconds_t)ms * 1000);
    cadre_store_get(store, "k", &k);
    return k;
}

CADRE_TASK(int, k_of, (int i, int k))
{
    return i + k;
}

/* Each rank changes what it has. */
CADRE_TASK(void, change, (int ms, MPI_Comm comm, struct cadre_store *store))
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    usleep((useconds_t)ms * 1000);
    cadre_store_put(store, "k", 100 + rank);
    cadre_store_put_array(store, "x", (size_t)rank + 1,
                          ((double[]){rank, rank + 0.5}));
    cadre_store_put(store, "name", rank == 0 ? "zero" : "one");
}

CADRE_TASK(int, rank_1_fails, (int ms, MPI_Comm comm))
{
    int rank, sum = 0;

    MPI_Comm_rank(comm, &rank);
    if (rank == 1) {
        usleep((useconds_t)ms * 1000);
        cadre_task_fail(1, "as it should");
    }
    if (rank == 2) /* it never comes */
        MPI_Recv(&sum, 1, MPI_INT, 1, 0, comm, MPI_STATUS_IGNORE);
    return sum;
}

CADRE_TASK(int, rank_1_naps, (int ms, MPI_Comm comm))
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    usleep((useconds_t)(rank * ms) * 1000);
    return rank;
}

/* Only rank 0 has it. */
CADRE_TASK(void, leave_out, (MPI_Comm comm, struct cadre_store *store))
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    if (rank == 0)
        cadre_store_put(store, "lone", 1);
}

static void let_go(void *object)
{
    free(object);
    cadre_task_fail(1, "the old table is still in use");
}

CADRE_TASK(void, keep_object, (struct cadre_store * store))
{
    cadre_store_put_object(store, "table", strdup("a table"), let_go);
}

CADRE_TASK(double, sum_of, (size_t n, const double x[n]))
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static struct cadre_executor *executor(int cores)
{
    struct cadre_executor *ex;

    CADRE_CHECK(cadre_executor_create(
        &(struct cadre_executor_options){.cores = cores,
                                         .init_function = CADRE_FN(fill),
                                         .oversubscribe = true},
        &ex));
    return ex;
}

static struct cadre_hpc_executor *hpc(int teams, int ranks)
{
    struct cadre_hpc_executor *ex;

    CADRE_CHECK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){.max_workers = teams,
                                             .cores_per_worker = ranks,
                                             .init_function = CADRE_FN(fill),
                                             .oversubscribe = true},
        &ex));
    return ex;
}

static void bring(struct cadre_future **f, int n, int want)
{
    for (int i = 0; i < n; i++)
        brings(f[i], want);
}

/* What was read does not go into that room. */
static void refuses(struct cadre_future *f, const char *part,
                    struct cadre_outputs into)
{
    CHECK_ERR(CADRE_ETYPE, cadre_future_result(f, into));
    CHECK_SAYS(part);
}

/* --- putting and reading ---------------------------------------------------
 */

static void what_is_put_is_seen_by_later_tasks_alone(void)
{
    struct cadre_executor *ex = executor(1);
    struct cadre_future *before[2], *after;

    before[0] = cadre_submit(ex, CADRE_FN(late_k), 150);
    before[1] = cadre_submit(ex, CADRE_FN(late_k), 0);
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "k", 2));
    after = cadre_submit(ex, CADRE_FN(k_of), 10);
    brings(after, 12);
    bring(before, 2, 1);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void reading_waits_for_the_tasks_before(void)
{
    struct cadre_executor *ex = executor(2);
    struct cadre_future *change, *k;
    int got[2];

    change = cadre_submit(ex, CADRE_FN(change), 150);
    k = cadre_stored_get(ex, CADRE_TEAM(0), "k");
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "k", 5));
    CHECK_OK(cadre_future_result(k, CADRE_INTO(got)));
    CU_ASSERT(got[0] == 100 && got[1] == 101);
    CU_ASSERT(cadre_future_done(change));
    cadre_future_free(change);
    cadre_future_free(k);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void each_rank_has_its_own(void)
{
    struct cadre_executor *ex = executor(2);
    struct cadre_future *all, *one;
    int got[2] = {0};
    long second = 0;

    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "k", 5));
    CHECK_OK(cadre_stored_put(ex, CADRE_RANK(0, 1), "k", 7.0));
    all = cadre_stored_get(ex, CADRE_TEAM(0), "k");
    one = cadre_stored_get(ex, CADRE_RANK(0, 1), "k");
    CHECK_OK(cadre_future_result(all, CADRE_INTO(got)));
    CU_ASSERT(got[0] == 5 && got[1] == 7);
    CHECK_OK(cadre_future_result(one, CADRE_INTO(&second)));
    CU_ASSERT_EQUAL(second, 7);
    cadre_future_free(all);
    cadre_future_free(one);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void strings_and_arrays_travel(void)
{
    struct cadre_executor *ex = executor(2);
    double x[] = {0.5, 1.5, 2.5}, got[2][3] = {{0}};
    struct cadre_future *array, *text, *nothing;
    char *name[2] = {NULL}, *none[2] = {(char *)x, (char *)x};
    struct cadre_store_entry entry;

    CHECK_OK(cadre_stored_put_array(ex, CADRE_TEAM(0), "x", 3, x));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "s", "wide"));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "none", (char *)NULL));
    array = cadre_stored_get(ex, CADRE_TEAM(0), "x");
    text = cadre_stored_get(ex, CADRE_TEAM(0), "s");
    nothing = cadre_stored_get(ex, CADRE_TEAM(0), "none");
    CHECK_OK(cadre_future_result(array, CADRE_INTO(got)));
    CU_ASSERT_EQUAL(memcmp(got[0], x, sizeof x), 0);
    CU_ASSERT_EQUAL(memcmp(got[1], x, sizeof x), 0);
    CHECK_OK(cadre_stored_entry(array, 1, &entry));
    CU_ASSERT(strcmp(entry.name, "x") == 0 && entry.type == CADRE_DOUBLE &&
              entry.is_array && entry.count == 3);
    CHECK_OK(cadre_future_result(text, CADRE_INTO(name)));
    CU_ASSERT(strcmp(name[0], "wide") == 0 && strcmp(name[1], "wide") == 0);
    CHECK_OK(cadre_future_result(nothing, CADRE_INTO(none)));
    CU_ASSERT(none[0] == NULL && none[1] == NULL);
    free(name[0]);
    free(name[1]);
    cadre_future_free(array);
    cadre_future_free(text);
    cadre_future_free(nothing);
    CHECK_OK(cadre_executor_destroy(ex));
}

/* Arrays of different lengths, and many futures. */
static void what_differs_goes_into_pointers(void)
{
    struct cadre_executor *ex = executor(2);
    double first[1], second[2], *rows[2] = {first, second}, got[2];
    struct cadre_future *change, *x, *k[2];
    struct cadre_store_entry entry;
    int ks[2][2];

    change = cadre_submit(ex, CADRE_FN(change), 0);
    x = cadre_stored_get(ex, CADRE_TEAM(0), "x");
    k[0] = cadre_stored_get(ex, CADRE_TEAM(0), "k");
    k[1] = cadre_stored_get(ex, CADRE_TEAM(0), "k");
    CHECK_OK(cadre_stored_entry(x, 1, &entry));
    CU_ASSERT_EQUAL(entry.count, 2);
    CHECK_OK(cadre_future_result(x, CADRE_INTO(rows)));
    CU_ASSERT(first[0] == 0 && second[0] == 1 && second[1] == 1.5);
    refuses(x, "1 elements on rank 0, 2 on rank 1", CADRE_INTO(got));
    CHECK_OK(cadre_gather(k, 2, CADRE_INTO(ks)));
    CU_ASSERT(ks[0][0] == 100 && ks[0][1] == 101 && ks[1][1] == 101);
    cadre_future_free(change);
    cadre_future_free(x);
    cadre_future_free(k[0]);
    cadre_future_free(k[1]);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void large_arrays_travel(void)
{
    enum { COUNT = 1 << 20 };
    struct cadre_executor *ex = executor(1);
    double *x = malloc(COUNT * sizeof *x), *got = calloc(COUNT, sizeof *got);
    struct cadre_future *f, *sum;
    double s = 0;

    for (int i = 0; i < COUNT; i++)
        x[i] = i;
    CHECK_OK(cadre_stored_put_array(ex, CADRE_TEAM(0), "x", COUNT, x));
    sum = cadre_submit(ex, CADRE_FN(sum_of));
    f = cadre_stored_get(ex, CADRE_TEAM(0), "x");
    CHECK_OK(cadre_future_result(f, CADRE_INTO(got)));
    CU_ASSERT_EQUAL(memcmp(got, x, COUNT * sizeof *x), 0);
    CHECK_OK(cadre_future_result(sum, CADRE_INTO(&s)));
    CU_ASSERT_EQUAL(s, (double)COUNT * (COUNT - 1) / 2);
    cadre_future_free(f);
    cadre_future_free(sum);
    free(x);
    free(got);
    CHECK_OK(cadre_executor_destroy(ex));
}

/* --- what is wrong ---------------------------------------------------------
 */

static void what_cannot_be_read_says_why(void)
{
    struct cadre_executor *ex = executor(2);
    struct cadre_future *object = cadre_submit(ex, CADRE_FN(keep_object));
    struct cadre_future *lone = cadre_submit(ex, CADRE_FN(leave_out));
    struct cadre_future *k;
    int got[2];

    fails(cadre_stored_get(ex, CADRE_TEAM(0), "nothing"), CADRE_ENOTFOUND,
          "nothing");
    fails(cadre_stored_get(ex, CADRE_TEAM(0), "lone"), CADRE_ENOTFOUND,
          "rank 1 of team 0");
    fails(cadre_stored_get(ex, CADRE_TEAM(0), "table"), CADRE_ETYPE,
          "`table` is an object, which cannot leave its process");
    fails(cadre_stored_get(ex, CADRE_TEAM(1), "k"), CADRE_EINVAL,
          "there is no team 1: there is one, team 0");
    fails(cadre_stored_get(ex, CADRE_RANK(0, 2), "k"), CADRE_EINVAL,
          "there is no rank 2 in a team: there are ranks 0 to 1");
    fails(cadre_stored_get(ex, CADRE_ALL_TEAMS, "k"), CADRE_EINVAL,
          "one team after another");
    fails(cadre_stored_get(ex, CADRE_TEAM(0), NULL), CADRE_EINVAL, "NULL");
    /* And the team goes on. */
    k = cadre_stored_get(ex, CADRE_TEAM(0), "k");
    CHECK_OK(cadre_future_result(k, CADRE_INTO(got)));
    CU_ASSERT(got[0] == 1 && got[1] == 1);
    fails(cadre_submit(ex, CADRE_FN(k_of), 1, k), CADRE_ETYPE,
          "leave the parameter to the store");
    cadre_future_free(k);
    cadre_future_free(object);
    cadre_future_free(lone);
    CHECK_OK(cadre_executor_destroy(ex));
}

/* Rank 0 says so long before rank 1 comes to it. */
static void a_rank_at_an_earlier_task_is_waited_for(void)
{
    struct cadre_executor *ex = executor(2);
    struct cadre_future *nap = cadre_submit(ex, CADRE_FN(rank_1_naps), 1500);
    int got[2];

    fails(cadre_stored_get(ex, CADRE_TEAM(0), "nothing"), CADRE_ENOTFOUND,
          "rank 0 of team 0");
    CHECK_OK(cadre_future_result(nap, CADRE_INTO(got)));
    CU_ASSERT(got[0] == 0 && got[1] == 1);
    cadre_future_free(nap);
    CHECK_OK(cadre_executor_destroy(ex));
}

/* Rank 0 goes ahead, and what it reads is not there; then rank 1 fails in the
 * task before, and rank 2 waits for it there. */
static void a_rank_that_hangs_behind_a_failure_is_ended(void)
{
    struct cadre_executor *ex = executor(3);
    struct cadre_future *task = cadre_submit(ex, CADRE_FN(rank_1_fails), 700);
    struct cadre_future *value = cadre_stored_get(ex, CADRE_TEAM(0), "nothing");

    CHECK_OK(cadre_future_wait(task, 20000));
    fails(task, CADRE_ETASK, "as it should");
    CHECK_OK(cadre_future_wait(value, 20000));
    fails(value, CADRE_ENOTFOUND, "nothing");
    CHECK_OK(cadre_executor_destroy(ex));
}

static void room_that_does_not_fit_says_why(void)
{
    struct cadre_executor *ex = executor(2);
    struct cadre_future *k, *x;
    struct cadre_store_entry entry;
    double three[3], rows[2][3], *pointers[2] = {rows[0], rows[1]};
    float wrong[2][3];
    int numbers[2], few[1];
    char text[2], *texts[2];

    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "k", 2.5));
    k = cadre_stored_get(ex, CADRE_TEAM(0), "k");
    x = cadre_stored_get(ex, CADRE_TEAM(0), "x");
    refuses(k,
            "`k` of rank 0 is stored as double, and its "
            "value does not fit int",
            CADRE_INTO(numbers));
    refuses(k, "the room is for 3, not 2", CADRE_INTO(three));
    refuses(k, "`k`", CADRE_INTO(texts));
    refuses(k, "`k`", CADRE_INTO(pointers));
    refuses(x, "the room is for 3, not 6", CADRE_INTO(three));
    refuses(x, "an array of double", CADRE_INTO(wrong));
    refuses(x, "an array of double", CADRE_INTO(text));
    refuses(x, "one output, not 2", CADRE_INTO(rows, numbers));
    CHECK_OK(cadre_future_result(x, CADRE_INTO(rows)));
    CU_ASSERT_EQUAL(rows[1][2], 3);
    CHECK_ERR(CADRE_EINVAL, cadre_stored_entry(x, 2, &entry));
    CHECK_SAYS("rank 2");
    CHECK_ERR(CADRE_EINVAL, cadre_stored_entry(x, 0, NULL));
    cadre_future_free(k);
    k = cadre_stored_get(ex, CADRE_RANK(0, 1), "k");
    CHECK_ERR(CADRE_EINVAL, cadre_stored_entry(k, 0, &entry));
    CHECK_OK(cadre_stored_entry(k, 1, &entry));
    refuses(k, "does not fit", CADRE_INTO(few));
    cadre_future_free(k);
    k = cadre_submit(ex, CADRE_FN(k_of), 1, 2);
    CHECK_ERR(CADRE_EINVAL, cadre_stored_entry(k, 0, &entry));
    CHECK_SAYS("of another task");
    cadre_future_free(k);
    cadre_future_free(x);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void what_cannot_be_put_says_why(void)
{
    struct cadre_executor *ex = executor(2);
    struct cadre_spawn_pool *spawned;
    double x[3] = {0};

    CHECK_ERR(CADRE_EINVAL, cadre_stored_put(ex, CADRE_TEAM(7), "k", 1));
    CHECK_SAYS("there is no team 7: there is one, team 0");
    CHECK_ERR(CADRE_EINVAL, cadre_stored_put(ex, CADRE_TEAM(-2), "k", 1));
    CHECK_ERR(CADRE_EINVAL, cadre_stored_put(ex, CADRE_RANK(0, 5), "k", 1));
    CHECK_SAYS("no rank 5");
    CHECK_ERR(CADRE_EINVAL, cadre_stored_put(ex, CADRE_TEAM(0), "", 1));
    CHECK_ERR(CADRE_EINVAL, cadre_stored_put(ex, CADRE_TEAM(0), NULL, 1));
    CHECK_ERR(CADRE_ETYPE, cadre_stored_put(ex, CADRE_TEAM(0), "x", x));
    CHECK_SAYS("needs its length");
    CHECK_ERR(CADRE_ETYPE,
              cadre_stored_put_array(ex, CADRE_TEAM(0), "x", 4, x));
    CHECK_SAYS("3 elements");
    CHECK_ERR(CADRE_EINVAL, cadre_stored_put((struct cadre_executor *)NULL,
                                             CADRE_TEAM(0), "k", 1));
    CADRE_CHECK(cadre_spawn_pool_create(
        &(struct cadre_spawn_pool_options){.max_ranks = 1,
                                           .oversubscribe = true},
        &spawned));
    CHECK_ERR(CADRE_EINVAL, cadre_stored_put(spawned, CADRE_TEAM(0), "k", 1));
    CHECK_SAYS("come and go");
    cadre_spawn_pool_destroy(spawned);
    CHECK_OK(cadre_shutdown(ex, 0));
    CHECK_ERR(CADRE_ECLOSED, cadre_stored_put(ex, CADRE_TEAM(0), "k", 1));
    fails(cadre_stored_get(ex, CADRE_TEAM(0), "k"), CADRE_ECLOSED, "shut down");
    CHECK_OK(cadre_executor_destroy(ex));
    CHECK_ERR(CADRE_ECLOSED, cadre_stored_put(ex, CADRE_TEAM(0), "k", 1));
    fails(cadre_stored_get(ex, CADRE_TEAM(0), "k"), CADRE_ECLOSED, "destroyed");
}

static void destroy_tells_of_a_put_that_failed(void)
{
    struct cadre_executor *ex = executor(1);
    struct cadre_future *f = cadre_submit(ex, CADRE_FN(keep_object));

    CHECK_OK(cadre_future_result(f, CADRE_NOTHING));
    cadre_future_free(f);
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "table", 4));
    CHECK_ERR(CADRE_ETASK, cadre_executor_destroy(ex));
    CHECK_SAYS("the old table is still in use");
}

/* --- several teams ---------------------------------------------------------
 */

static void each_team_has_its_own(void)
{
    struct cadre_hpc_executor *ex = hpc(2, 2);
    struct cadre_future *f[2];
    int got[2][2];

    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "k", 5));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(1), "k", 6));
    CHECK_OK(cadre_stored_put(ex, CADRE_RANK(1, 1), "k", 7));
    for (int t = 0; t < 2; t++)
        f[t] = cadre_stored_get(ex, CADRE_TEAM(t), "k");
    CHECK_OK(cadre_gather(f, 2, CADRE_INTO(got)));
    CU_ASSERT(got[0][0] == 5 && got[0][1] == 5);
    CU_ASSERT(got[1][0] == 6 && got[1][1] == 7);
    CHECK_ERR(CADRE_EINVAL, cadre_stored_put(ex, CADRE_TEAM(2), "k", 1));
    CHECK_SAYS("there are teams 0 to 1");
    cadre_future_free(f[0]);
    cadre_future_free(f[1]);
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

/* The tasks before it wait in the queue when it is put. */
static void all_teams_get_it_in_their_turn(void)
{
    enum { TASKS = 6 };
    struct cadre_hpc_executor *ex = hpc(2, 1);
    struct cadre_future *before[TASKS], *after[TASKS];

    for (int i = 0; i < TASKS; i++)
        before[i] = cadre_submit(ex, CADRE_FN(late_k), 30);
    CHECK_OK(cadre_stored_put(ex, CADRE_ALL_TEAMS, "k", 2));
    for (int i = 0; i < TASKS; i++)
        after[i] = cadre_submit(ex, CADRE_FN(late_k), 10);
    bring(before, TASKS, 1);
    bring(after, TASKS, 2);
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

/* What is for a team that is at work does not hold up the others. */
static void a_busy_team_holds_nobody_up(void)
{
    struct cadre_hpc_executor *ex = hpc(2, 1);
    struct cadre_future *busy = cadre_submit(ex, CADRE_FN(late_k), 2000);
    struct cadre_future *k[2], *quick;
    int got;

    k[0] = cadre_stored_get(ex, CADRE_TEAM(0), "k");
    k[1] = cadre_stored_get(ex, CADRE_TEAM(1), "k");
    quick = cadre_submit(ex, CADRE_FN(k_of), 1);
    brings(quick, 2);
    CHECK_OK(cadre_wait(k, 2, CADRE_FIRST_DONE, -1, NULL));
    CU_ASSERT(!cadre_future_done(busy));
    CHECK_OK(cadre_gather(k, 1, CADRE_INTO(&got)));
    CU_ASSERT_EQUAL(got, 1);
    bring(k, 2, 1);
    CU_ASSERT(cadre_future_done(busy));
    cadre_future_free(busy);
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

/* --- teams that are lost ---------------------------------------------------
 */

static int read_int(struct cadre_hpc_executor *ex, struct cadre_where where,
                    const char *name)
{
    struct cadre_future *f = cadre_stored_get(ex, where, name);
    int got = -1;

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&got)));
    cadre_future_free(f);
    return got;
}

/* End a rank's process; the team is lost, and another takes its place. */
static int end_rank(struct cadre_hpc_executor *ex, int team, int rank)
{
    int pid = read_int(ex, CADRE_RANK(team, rank), "pid");

    CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
    return pid;
}

/* Until team `team` is another. Reading fails where the old one is lost with
 * it. */
static void await_other(struct cadre_hpc_executor *ex, int team, int rank,
                        int old)
{
    int pid = old;

    for (int i = 0; i < 1000 && pid == old; i++) {
        struct cadre_future *f =
            cadre_stored_get(ex, CADRE_RANK(team, rank), "pid");

        if (cadre_future_result(f, CADRE_INTO(&pid)) != CADRE_OK)
            pid = old;
        cadre_future_free(f);
        usleep(10000);
    }
    CU_ASSERT_NOT_EQUAL(pid, old);
}

static void who_takes_a_team_s_place_has_what_was_put(void)
{
    struct cadre_hpc_executor *ex = hpc(2, 2);
    struct cadre_future *change[2];
    double x[2][3];
    struct cadre_future *f;
    int old;

    for (int i = 0; i < 2; i++)
        change[i] = cadre_submit(ex, CADRE_FN(change), 50);
    CHECK_OK(cadre_wait(change, 2, CADRE_ALL_DONE, -1, NULL));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(1), "j", 11));
    CHECK_OK(cadre_stored_put(ex, CADRE_RANK(1, 1), "j", 12));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "j", 10));
    CHECK_OK(cadre_broadcast(ex, "l", 13));
    old = end_rank(ex, 1, 0);
    await_other(ex, 1, 0, old);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_RANK(1, 0), "j"), 11);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_RANK(1, 1), "j"), 12);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_RANK(1, 0), "l"), 13);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_RANK(0, 1), "j"), 10);
    /* What tasks changed is as the init function makes it, but where they are
     * still there. */
    CU_ASSERT_EQUAL(read_int(ex, CADRE_RANK(0, 1), "k"), 101);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_RANK(1, 1), "k"), 1);
    f = cadre_stored_get(ex, CADRE_TEAM(1), "x");
    CHECK_OK(cadre_future_result(f, CADRE_INTO(x)));
    CU_ASSERT_EQUAL(x[1][2], 3);
    cadre_future_free(f);
    cadre_future_free(change[0]);
    cadre_future_free(change[1]);
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

/* The last one counts there, too, and only where it was put. */
static void what_is_put_and_broadcast_keeps_its_order(void)
{
    struct cadre_hpc_executor *ex = hpc(2, 1);
    int old;

    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "j", 1));
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(0), "j"), 1);
    CHECK_OK(cadre_broadcast(ex, "j", 2));
    CHECK_OK(cadre_broadcast(ex, "l", 3));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "l", 4));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "k", 5));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "k", 6));
    old = end_rank(ex, 0, 0);
    await_other(ex, 0, 0, old);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(0), "j"), 2);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(0), "l"), 4);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(0), "k"), 6);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(1), "l"), 3);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(1), "k"), 1);
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

/* It waits for who comes, with what is behind it, and in order. */
static void what_is_put_while_a_team_is_lost_waits_for_the_next(void)
{
    struct cadre_executor *ex = executor(1);
    struct cadre_future *pid, *nap, *before, *after, *k;
    int old;

    pid = cadre_stored_get(ex, CADRE_TEAM(0), "pid");
    CHECK_OK(cadre_future_result(pid, CADRE_INTO(&old)));
    nap = cadre_submit(ex, CADRE_FN(late_k), 10000);
    await_state(nap, CADRE_FUTURE_RUNNING);
    usleep(50000); /* it has begun, most likely */
    before = cadre_submit(ex, CADRE_FN(late_k), 0);
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "k", 9));
    k = cadre_stored_get(ex, CADRE_TEAM(0), "k");
    after = cadre_submit(ex, CADRE_FN(late_k), 0);
    CU_ASSERT_EQUAL(kill(old, SIGKILL), 0);
    brings(after, 9);
    brings(k, 9);
    brings(before, 1);
    fails(nap, CADRE_ELOST, "lost");
    cadre_future_free(pid);
    CHECK_OK(cadre_executor_destroy(ex));
}

static void numbers_of_teams_are_those_that_stay(void)
{
    struct cadre_hpc_executor *ex = hpc(3, 1);

    CHECK_OK(cadre_stored_put(ex, CADRE_ALL_TEAMS, "j", 1));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "j", 2));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(1), "k", 5));
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(1), "k"), 5);
    CHECK_OK(cadre_hpc_executor_resize(ex, 1));
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(0), "j"), 2);
    CHECK_ERR(CADRE_EINVAL, cadre_stored_put(ex, CADRE_TEAM(1), "k", 1));
    CHECK_SAYS("there is one, team 0");
    CHECK_OK(cadre_hpc_executor_resize(ex, 2));
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(1), "k"), 1); /* another one */
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(1), "k", 6));
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(1), "k"), 6);
    CU_ASSERT_EQUAL(read_int(ex, CADRE_TEAM(0), "j"), 2);
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

/* --- other objects ---------------------------------------------------------
 */

static void workers_of_a_pool_are_its_teams(void)
{
    struct cadre_pool *pool;
    int i[40], out[40];
    struct cadre_future *f;
    int right = 0, k = 0;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2, .oversubscribe = true},
        &pool));
    fails(cadre_stored_get(pool, CADRE_TEAM(1), "k"), CADRE_ENOTFOUND, "`k`");
    CHECK_OK(cadre_stored_put(pool, CADRE_TEAM(0), "k", 100));
    CHECK_OK(cadre_stored_put(pool, CADRE_TEAM(1), "k", 200));
    for (int n = 0; n < 40; n++)
        i[n] = n;
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(k_of), 40,
                                CADRE_COLUMNS(CADRE_NAMED("i", CADRE_EACH(i))),
                                CADRE_INTO(out)));
    for (int n = 0; n < 40; n++)
        right += out[n] == n + 100 || out[n] == n + 200;
    CU_ASSERT_EQUAL(right, 40);
    f = cadre_stored_get(pool, CADRE_TEAM(1), "k");
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&k)));
    CU_ASSERT_EQUAL(k, 200);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

/* A task that runs in a process of its own leaves the store as it was. */
static void isolated_workers_keep_what_is_put(void)
{
    struct cadre_pool_executor *ex;

    CADRE_CHECK(cadre_pool_executor_create(
        &(struct cadre_pool_executor_options){.max_workers = 1,
                                              .init_function = CADRE_FN(fill),
                                              .isolate = true,
                                              .oversubscribe = true},
        &ex));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "k", 3));
    brings(cadre_submit(ex, CADRE_FN(k_of), 1), 4);
    brings(cadre_stored_get(ex, CADRE_TEAM(0), "k"), 3);
    CHECK_OK(cadre_pool_executor_destroy(ex));
}

static void the_worker_program_has_them_too(void)
{
    struct cadre_function *power;
    struct cadre_executor *ex;
    struct cadre_future *f;
    double got = 0;

    CHECK_OK(cadre_function_open("libm.so.6", "double ldexp(double x, int exp)",
                                 &power));
    CADRE_CHECK(cadre_executor_create(
        &(struct cadre_executor_options){.worker_program = WORKER_PROGRAM,
                                         .oversubscribe = true},
        &ex));
    CHECK_OK(cadre_stored_put(ex, CADRE_TEAM(0), "exp", 3));
    f = cadre_submit(ex, power, 2.0);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&got)));
    CU_ASSERT_EQUAL(got, 16);
    cadre_future_free(f);
    brings(cadre_stored_get(ex, CADRE_TEAM(0), "exp"), 3);
    CHECK_OK(cadre_executor_destroy(ex));
}

/* Nobody takes the place of a lost team whose program is gone. */
static void what_is_for_a_team_that_never_comes_fails(void)
{
    struct cadre_hpc_executor *ex;
    struct cadre_function *power, *process_id;
    char program[4096];
    struct cadre_future *f, *pids[2];
    int pid[2] = {0};
    double got = 0;

    snprintf(program, sizeof program, "%s-%d", WORKER_PROGRAM, (int)getpid());
    CU_ASSERT_EQUAL(link(WORKER_PROGRAM, program), 0);
    CHECK_OK(cadre_function_open("libm.so.6", "double ldexp(double x, int exp)",
                                 &power));
    CHECK_OK(cadre_function_open(NULL, "int getpid(void)", &process_id));
    CADRE_CHECK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){
            .max_workers = 2, .worker_program = program, .oversubscribe = true},
        &ex));
    CHECK_OK(cadre_stored_put(ex, CADRE_ALL_TEAMS, "exp", 3));
    pids[0] = cadre_submit(ex, process_id);
    CHECK_OK(cadre_future_result(pids[0], CADRE_INTO(&pid[0])));
    cadre_future_free(pids[0]);
    unlink(program);
    CU_ASSERT_EQUAL(kill(pid[0], SIGKILL), 0);
    for (int i = 0; i < 2; i++)
        pids[i] = cadre_stored_get(ex, CADRE_TEAM(i), "exp");
    f = cadre_submit(ex, power, 2.0);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&got)));
    CU_ASSERT_EQUAL(got, 16);
    cadre_future_free(f);
    CHECK_OK(cadre_wait(pids, 2, CADRE_ALL_DONE, 20000, NULL));
    CU_ASSERT_EQUAL((cadre_future_state(pids[0]) == CADRE_FUTURE_FAILED) +
                        (cadre_future_state(pids[1]) == CADRE_FUTURE_FAILED),
                    1);
    for (int i = 0; i < 2; i++) {
        if (cadre_future_state(pids[i]) == CADRE_FUTURE_FAILED)
            fails(pids[i], CADRE_ELOST, "no other takes its place");
        else
            brings(pids[i], 3);
    }
    CHECK_OK(cadre_hpc_executor_destroy(ex));
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(what_is_put_is_seen_by_later_tasks_alone),
        CHECK(reading_waits_for_the_tasks_before),
        CHECK(each_rank_has_its_own),
        CHECK(strings_and_arrays_travel),
        CHECK(what_differs_goes_into_pointers),
        CHECK(large_arrays_travel),
        CHECK(what_cannot_be_read_says_why),
        CHECK(a_rank_at_an_earlier_task_is_waited_for),
        CHECK(a_rank_that_hangs_behind_a_failure_is_ended),
        CHECK(room_that_does_not_fit_says_why),
        CHECK(what_cannot_be_put_says_why),
        CHECK(destroy_tells_of_a_put_that_failed),
        CHECK(each_team_has_its_own),
        CHECK(all_teams_get_it_in_their_turn),
        CHECK(a_busy_team_holds_nobody_up),
        CHECK(who_takes_a_team_s_place_has_what_was_put),
        CHECK(what_is_put_and_broadcast_keeps_its_order),
        CHECK(what_is_put_while_a_team_is_lost_waits_for_the_next),
        CHECK(what_is_for_a_team_that_never_comes_fails),
        CHECK(numbers_of_teams_are_those_that_stay),
        CHECK(workers_of_a_pool_are_its_teams),
        CHECK(isolated_workers_keep_what_is_put),
        CHECK(the_worker_program_has_them_too),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("stored", tests);
    return cadre_finalize() == 0 ? status : 1;
}
