/* bench_parallel_task.c - what does it cost that several processes run a task?
 *
 * - A task that does nothing on a kept team of two, from cadre_submit() to its
 *   result; against a raw trip: a message to each of two spawned processes, a
 *   barrier of theirs, a reply from each.
 * - A new communicator for such a team in the place of its old one, which comes
 *   after a task that has failed, less what a failure costs a team of one;
 *   against what a raw trip to two processes takes longer if each calls
 *   MPI_Comm_create_group and MPI_Comm_free before it replies. (Two of four
 *   processes that do nothing else, for whom nobody waits: printed beside it.)
 * - The same task in new processes, which a spawn pool starts for each of its
 *   tasks where it does not keep teams.
 * - 10^5 tasks of one to four ranks on four workers: their rate, and how the
 *   memory and the communicators of all processes grow after the first tenth.
 *
 * The controller and two workers are three processes that poll: with fewer
 * cores they wait for each other, the raw ones too.
 */
#include "bench.h"

#include <cadre.h>

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BYTES = 64,
    TAG_TRIP = 1, /* a barrier, then reply */
    TAG_STOP = 2,
    TAG_PLAIN = 3, /* reply */
    TAG_FORM = 4,  /* a communicator, then reply */
    TRIPS = 2000,
    WARM = 200,
    GROUPS = 500,
    FRESH = 5,
    ROUNDS = 5,
    MANY = 100000,
    AHEAD = 200,
    RANKS = 4
};

CADRE_TASK(int, nothing, (int i))
{
    return i;
}

CADRE_TASK(int, last_fails, (MPI_Comm comm))
{
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    if (rank == size - 1)
        cadre_task_fail(1, "as it should");
    return size;
}

/* The number of its communicator tells whether those of teams that are gone
 * were freed. */
CADRE_TASK(void, describe, (MPI_Comm comm, CADRE_OUT int out[2]))
{
    MPI_Comm_size(comm, &out[0]);
    out[1] = (int)MPI_Comm_c2f(comm);
}

/* --- raw ------------------------------------------------------------------ */

static void send(MPI_Comm comm, int to, const void *bytes, int tag)
{
    MPI_Request request;

    MPI_Isend(bytes, BYTES, MPI_BYTE, to, tag, comm, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
}

/* Poll for a message and take it; returns its tag. */
static int receive(MPI_Comm comm, void *bytes)
{
    MPI_Message message;
    MPI_Status status;
    int is_there = 0;

    while (!is_there)
        MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &is_there, &message,
                    &status);
    MPI_Mrecv(bytes, BYTES, MPI_BYTE, &message, MPI_STATUS_IGNORE);
    return status.MPI_TAG;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The median time of a communicator of ranks 0 and 1. */
static double time_groups(int rank)
{
    double seconds[GROUPS];
    MPI_Group all, two;
    int ranks[] = {0, 1};

    MPI_Comm_group(MPI_COMM_WORLD, &all);
    MPI_Group_incl(all, 2, ranks, &two);
    for (int i = 0; i < GROUPS && rank < 2; i++) {
        double start = bench_seconds();
        MPI_Comm comm;

        MPI_Comm_create_group(MPI_COMM_WORLD, two, 7, &comm);
        MPI_Comm_free(&comm);
        seconds[i] = bench_seconds() - start;
    }
    MPI_Group_free(&two);
    MPI_Group_free(&all);
    qsort(seconds, GROUPS, sizeof *seconds, by_value);
    return seconds[GROUPS / 2];
}

static void make_group(void)
{
    MPI_Group all;
    MPI_Comm comm;

    MPI_Comm_group(MPI_COMM_WORLD, &all);
    MPI_Comm_create_group(MPI_COMM_WORLD, all, 7, &comm);
    MPI_Comm_free(&comm);
    MPI_Group_free(&all);
}

static int child(void)
{
    union {
        char bytes[BYTES];
        double seconds;
    } message = {{0}};
    MPI_Comm parent;
    int rank, size, level, tag;

    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level);
    MPI_Comm_get_parent(&parent);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    while ((tag = receive(parent, &message)) != TAG_STOP) {
        if (tag == TAG_TRIP)
            MPI_Barrier(MPI_COMM_WORLD);
        else if (tag == TAG_FORM)
            make_group();
        send(parent, 0, &message, tag);
    }
    if (size == RANKS && rank < 2)
        message.seconds = time_groups(rank);
    if (size == RANKS && rank == 0)
        send(parent, 0, &message, TAG_TRIP);
    MPI_Comm_disconnect(&parent);
    MPI_Finalize();
    return 0;
}

static MPI_Comm start(char *program, int count)
{
    char *argv[] = {"--child", NULL};
    MPI_Comm children;

    MPI_Comm_spawn(program, argv, count, MPI_INFO_NULL, 0, MPI_COMM_SELF,
                   &children, MPI_ERRCODES_IGNORE);
    return children;
}

/* A message to each of the two, and their replies. */
static void trip(MPI_Comm children, int tag)
{
    char bytes[BYTES] = {0};

    for (int k = 0; k < 2; k++)
        send(children, k, bytes, tag);
    for (int k = 0; k < 2; k++)
        receive(children, bytes);
}

static double pair(MPI_Comm children, int tag)
{
    double begin = bench_seconds();

    trip(children, tag);
    trip(children, TAG_PLAIN);
    return bench_seconds() - begin;
}

static void measure_raw(struct bench *b, char *program)
{
    char bytes[BYTES] = {0};
    double seconds[TRIPS], plain[GROUPS], form[GROUPS];
    MPI_Comm children = start(program, 2);

    for (int i = 0; i < WARM + TRIPS; i++) {
        double begin = bench_seconds();
        trip(children, TAG_TRIP);
        if (i >= WARM)
            seconds[i - WARM] = bench_seconds() - begin;
    }
    for (int i = 0; i < GROUPS; i++) { /* as cost_of_failure() does it */
        plain[i] = pair(children, TAG_PLAIN);
        form[i] = pair(children, TAG_FORM);
    }
    for (int k = 0; k < 2; k++)
        send(children, k, bytes, TAG_STOP);
    MPI_Comm_disconnect(&children);
    bench_add(b, "raw", bench_pick(seconds, TRIPS, 0.5));
    bench_add(b, "raw-form",
              bench_pick(form, GROUPS, 0.5) - bench_pick(plain, GROUPS, 0.5));
}

static void measure_groups(struct bench *b, char *program)
{
    union {
        char bytes[BYTES];
        double seconds;
    } message = {{0}};
    MPI_Comm children = start(program, RANKS);

    for (int k = 0; k < RANKS; k++)
        send(children, k, &message, TAG_STOP);
    receive(children, &message); /* polls, as Cadre's controller does */
    MPI_Comm_disconnect(&children);
    bench_add(b, "raw-group", message.seconds);
}

/* --- Cadre ---------------------------------------------------------------- */

static struct cadre_spawn_pool *new_pool(int max_ranks, int ranks,
                                         bool keep_teams)
{
    struct cadre_spawn_pool *pool;

    CADRE_CHECK(cadre_spawn_pool_create(
        &(struct cadre_spawn_pool_options){.max_ranks = max_ranks,
                                           .ranks_per_task = ranks,
                                           .keep_teams = keep_teams,
                                           .oversubscribe = true},
        &pool));
    return pool;
}

static struct cadre_spawn_pool *pool_of(int max_ranks, int ranks)
{
    return new_pool(max_ranks, ranks, true);
}

static void do_nothing(struct cadre_spawn_pool *pool)
{
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(nothing), 3);
    int result = 0;

    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&result)));
    bench_must(result == 3, "a wrong result");
    cadre_future_free(f);
}

static void fail(struct cadre_spawn_pool *pool)
{
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(last_fails));

    bench_must(cadre_future_error(f, NULL) == CADRE_ETASK, "no failure");
    cadre_future_free(f);
}

/* What a task that fails costs more than one that does not, with all that comes
 * of it until the next is done. */
static double cost_of_failure(struct cadre_spawn_pool *pool)
{
    double well[GROUPS], failing[GROUPS];

    for (int i = 0; i < GROUPS; i++) {
        double begin = bench_seconds();

        do_nothing(pool);
        do_nothing(pool);
        well[i] = bench_seconds() - begin;
        begin = bench_seconds();
        fail(pool);
        do_nothing(pool);
        failing[i] = bench_seconds() - begin;
    }
    return bench_pick(failing, GROUPS, 0.5) - bench_pick(well, GROUPS, 0.5);
}

static void measure_tasks(struct bench *b)
{
    struct cadre_spawn_pool *pool = pool_of(2, 2), *single = pool_of(1, 1);
    double one[TRIPS];

    for (int i = 0; i < WARM + TRIPS; i++) {
        double begin = bench_seconds();

        do_nothing(pool);
        if (i >= WARM)
            one[i - WARM] = bench_seconds() - begin;
    }
    bench_add(b, "task", bench_pick(one, TRIPS, 0.5));
    bench_add(b, "failure", cost_of_failure(single));
    bench_add(b, "form", cost_of_failure(pool) - bench_median(b, "failure"));
    cadre_spawn_pool_destroy(pool);
    cadre_spawn_pool_destroy(single);
}

static void measure_fresh(struct bench *b)
{
    struct cadre_spawn_pool *pool = new_pool(2, 2, false);

    for (int i = 0; i < FRESH; i++) {
        double begin = bench_seconds();

        do_nothing(pool);
        bench_add(b, "fresh", bench_seconds() - begin);
    }
    cadre_spawn_pool_destroy(pool);
}

/* --- many ----------------------------------------------------------------- */

struct pending {
    struct cadre_future *future;
    int ranks;
};

/* Returns the number of the communicator. */
static int check(struct pending *p)
{
    int out[2] = {0, 0};

    CADRE_CHECK(cadre_future_result(p->future, CADRE_INTO(out)));
    bench_must(out[0] == p->ranks, "a team of another size");
    cadre_future_free(p->future);
    p->future = NULL;
    return out[1];
}

/* Run `count` tasks; returns the highest number of a communicator. */
static int run_many(struct cadre_spawn_pool *pool, int count)
{
    static struct pending ring[AHEAD];
    int highest = 0;

    for (int i = 0; i < count + AHEAD; i++) {
        struct pending *p = &ring[i % AHEAD];
        int number = p->future != NULL ? check(p) : 0;

        highest = number > highest ? number : highest;
        if (i >= count)
            continue;
        p->ranks = 1 + rand() % RANKS;
        p->future = cadre_submit_with(
            pool, &(struct cadre_task_options){.ranks = p->ranks},
            CADRE_FN(describe));
    }
    return highest;
}

/* All of this program's processes: started alone, its workers are its
 * daemon's children. */
static double memory_of_workers(const int *pids)
{
    double sum = 0;

    for (int i = 0; i < RANKS; i++)
        sum += bench_memory(pids[i], "VmRSS");
    return sum;
}

CADRE_TASK(void, pids_of, (MPI_Comm comm, CADRE_OUT int pids[4]))
{
    int pid = (int)getpid();

    MPI_Allgather(&pid, 1, MPI_INT, pids, 1, MPI_INT, comm);
}

static void measure_many(struct bench *b)
{
    struct cadre_spawn_pool *pool = pool_of(RANKS, 1);
    struct cadre_future *f = cadre_submit_with(
        pool, &(struct cadre_task_options){.ranks = RANKS}, CADRE_FN(pids_of));
    int pids[RANKS], numbers[2];
    double own, workers, begin, seconds;

    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(pids)));
    cadre_future_free(f);
    numbers[0] = run_many(pool, MANY / 10);
    own = bench_memory(getpid(), "VmRSS");
    workers = memory_of_workers(pids);
    begin = bench_seconds();
    numbers[1] = run_many(pool, MANY);
    seconds = bench_seconds() - begin;
    bench_add(b, "rate", MANY / seconds);
    bench_row(b, "rate", "tasks of 1 to 4 ranks", 1e-3, "k/s");
    bench_at_most(b, "growth of the controller",
                  (bench_memory(getpid(), "VmRSS") - own) / 1e6, 4, "MB");
    bench_at_most(b, "growth of the four workers together",
                  (memory_of_workers(pids) - workers) / 1e6, 8, "MB");
    bench_at_most(b, "growth of the communicators' highest number",
                  numbers[1] - numbers[0], 0, "");
    cadre_spawn_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--child") == 0)
        return child();
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct bench *b = bench_open("parallel task: two ranks and more");
    for (int i = 0; i < ROUNDS; i++) {
        measure_raw(b, argv[0]);
        measure_tasks(b);
        measure_groups(b, argv[0]);
        measure_fresh(b);
    }
    bench_row(b, "raw", "raw trip to two, with a barrier", 1e6, "us");
    bench_row(b, "task", "task on a kept team of two", 1e6, "us");
    bench_at_most(b, "task, best round", 1e6 * bench_quantile(b, "task", 0),
                  2.5e6 * bench_quantile(b, "raw", 0), "us");
    bench_row(b, "fresh", "task on a new team of two", 1e3, "ms");
    bench_row(b, "raw-group", "bare MPI_Comm_create_group, and free", 1e6,
              "us");
    bench_row(b, "raw-form", "the same between a message and its reply", 1e6,
              "us");
    bench_row(b, "failure", "a failure", 1e6, "us");
    bench_row(b, "form", "a new team of two", 1e6, "us");
    bench_at_most(b, "form, best round", 1e6 * bench_quantile(b, "form", 0),
                  2e6 * bench_quantile(b, "raw-form", 0), "us");
    measure_many(b);
    bench_close(b);
    return cadre_finalize();
}
