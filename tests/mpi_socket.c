/* mpi_socket.c - SocketInterface with real processes at the other end, however
 * the program was started. */
#include "mpi_socket.h"

#include "mpi_check.h"

#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_MS = 20000 };

CADRE_TASK(int, add, (int i, int j))
{
    return i + j;
}

CADRE_TASK(int, process_id, (void))
{
    return (int)getpid();
}

CADRE_TASK(int, nap, (int ms))
{
    usleep((useconds_t)ms * 1000);
    return ms;
}

CADRE_TASK(int, fail, (int kind))
{
    cadre_task_fail(kind, "kind %d is not to my taste", kind);
    return 0;
}

CADRE_TASK(int, sum_of_ranks, (int more, MPI_Comm comm))
{
    int rank, sum;

    MPI_Comm_rank(comm, &rank);
    rank += more;
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
    return sum;
}

CADRE_TASK(double, scale, (size_t n, double x[n], const char *name))
{
    for (size_t i = 0; i < n; i++)
        x[i] *= 2;
    return (double)strlen(name);
}

static int prepared; /* by init functions, in the worker */

CADRE_TASK(void, prepare, (void))
{
    prepared += 7;
}

CADRE_TASK(void, prepare_in_vain, (void))
{
    cadre_task_fail(3, "no licence");
}

CADRE_TASK(void, prepare_for_ever, (void))
{
    sleep(1000);
}

CADRE_INIT(store_j, (struct cadre_store * store))
{
    cadre_store_put(store, "j", 40);
}

CADRE_TASK(int, what_is_prepared, (void))
{
    return prepared;
}

static struct cadre_socket *open_with(struct cadre_socket_options options)
{
    struct cadre_socket *sock;

    options.oversubscribe = true;
    CADRE_CHECK(cadre_socket_open(&options, &sock));
    return sock;
}

static struct cadre_socket *workers(int ranks)
{
    return open_with((struct cadre_socket_options){.ranks = ranks});
}

static struct cadre_socket *peers(int ranks)
{
    return open_with(
        (struct cadre_socket_options){.ranks = ranks, .command = PEER});
}

/* The next reply is that of call `number`, an int. */
static int next_int(struct cadre_socket *sock, uint64_t number)
{
    struct cadre_reply reply;
    int out = -1;

    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CU_ASSERT_EQUAL(reply.number, number);
    CHECK_OK(cadre_reply_result(&reply, CADRE_INTO(&out)));
    return out;
}

static bool says(const struct cadre_reply *reply, const char *part)
{
    if (strstr(reply->text, part) != NULL)
        return true;
    fprintf(stderr, "the reply says '%s', not '%s'\n", reply->text, part);
    return false;
}

/* --- calls ---------------------------------------------------------------- */

static void a_call_is_answered(void)
{
    struct cadre_socket *sock = workers(1);
    uint64_t number = cadre_socket_call(sock, CADRE_FN(add), 2, 5);

    CU_ASSERT_EQUAL(cadre_socket_ranks(sock), 1);
    CU_ASSERT_EQUAL(number, 1);
    CU_ASSERT_EQUAL(next_int(sock, number), 7);
    cadre_socket_close(sock);
}

static void calls_sent_before_any_is_read_are_answered_in_order(void)
{
    enum { N = 500 };
    struct cadre_socket *sock = workers(1);

    for (int i = 0; i < N; i++)
        CU_ASSERT_EQUAL(cadre_socket_call(sock, CADRE_FN(add), i, i),
                        (uint64_t)i + 1);
    for (int i = 0; i < N; i++)
        CU_ASSERT_EQUAL(next_int(sock, (uint64_t)i + 1), 2 * i);
    cadre_socket_close(sock);
}

static void arrays_and_strings_go_both_ways(void)
{
    struct cadre_socket *sock = workers(1);
    double x[] = {1, 2, 3}, y[3] = {0}, len = 0;
    float wrong = 0;
    struct cadre_reply reply;

    cadre_socket_call(sock, CADRE_FN(scale), 3, x, "four");
    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CHECK_OK(cadre_reply_result(&reply, CADRE_INTO(&len, y)));
    CU_ASSERT_EQUAL(len, 4);
    CU_ASSERT_EQUAL(y[2], 6);
    CHECK_ERR(CADRE_ETYPE, cadre_reply_result(&reply, CADRE_INTO(&wrong)));
    CHECK_SAYS("the room is for float");
    CHECK_OK(cadre_reply_result(&reply, CADRE_INTO(&len)));
    cadre_socket_close(sock);
}

/* Each wrong call has its reply in its place, and the worker lives on. */
static void wrong_arguments_are_answered_with_an_error(void)
{
    struct cadre_socket *sock = workers(1);
    struct cadre_reply reply;
    const char *parts[] = {"too many arguments",
                           "`j` was neither given nor stored", "`i` is int32_t",
                           "does not fit int32_t"};
    int pid;

    cadre_socket_call(sock, CADRE_FN(process_id));
    cadre_socket_call(sock, CADRE_FN(add), 1, 2, 3);
    cadre_socket_call(sock, CADRE_FN(add), 1);
    cadre_socket_call(sock, CADRE_FN(add), "one", 2);
    cadre_socket_call(sock, CADRE_FN(add), 0.5, 2);
    cadre_socket_call(sock, CADRE_FN(process_id));
    pid = next_int(sock, 1);
    for (uint64_t i = 0; i < 4; i++) {
        CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
        CU_ASSERT_EQUAL(reply.number, i + 2);
        CU_ASSERT_EQUAL(reply.err, CADRE_ETYPE);
        CU_ASSERT(says(&reply, parts[i]));
        CHECK_ERR(CADRE_ETYPE, cadre_reply_result(&reply, CADRE_NOTHING));
        CHECK_SAYS(parts[i]);
    }
    CU_ASSERT_EQUAL(next_int(sock, 6), pid);
    cadre_socket_close(sock);
}

static void a_function_that_fails_is_answered_with_its_word(void)
{
    struct cadre_socket *sock = workers(1);
    struct cadre_reply reply;

    cadre_socket_call(sock, CADRE_FN(fail), 42);
    cadre_socket_call(sock, CADRE_FN(add), 1, 1);
    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CU_ASSERT_EQUAL(reply.err, CADRE_ETASK);
    CU_ASSERT_EQUAL(reply.kind, 42);
    CU_ASSERT(says(&reply, "kind 42 is not to my taste [worker 0 (process "));
    CU_ASSERT_EQUAL(next_int(sock, 2), 2);
    cadre_socket_close(sock);
}

static void init_answers(void)
{
    struct cadre_socket *sock = workers(1);
    struct cadre_reply reply;
    int before;

    cadre_socket_call(sock, CADRE_FN(what_is_prepared));
    before = next_int(sock, 1);
    CU_ASSERT_EQUAL(cadre_socket_init(sock, 0, CADRE_FN(prepare)), 2);
    cadre_socket_call(sock, CADRE_FN(what_is_prepared));
    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CU_ASSERT_EQUAL(reply.number, 2);
    CU_ASSERT_EQUAL(reply.err, CADRE_OK);
    CU_ASSERT_EQUAL(next_int(sock, 3), before + 7);
    cadre_socket_close(sock);
}

static void what_init_stored_fills_what_a_call_leaves_out(void)
{
    struct cadre_socket *sock = workers(1);
    struct cadre_reply reply;

    cadre_socket_init(sock, 0, CADRE_FN(store_j));
    cadre_socket_call(sock, CADRE_FN(add), 2);
    cadre_socket_call(sock, CADRE_FN(add), 2, 3);
    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CU_ASSERT_EQUAL(reply.err, CADRE_OK);
    CU_ASSERT_EQUAL(next_int(sock, 2), 42);
    CU_ASSERT_EQUAL(next_int(sock, 3), 5);
    cadre_socket_close(sock);
}

static void a_failing_init_answers_with_its_error(void)
{
    struct cadre_socket *sock = workers(1);
    struct cadre_reply reply;

    cadre_socket_init(sock, 0, CADRE_FN(prepare_in_vain));
    cadre_socket_init(sock, 0, CADRE_FN(add));
    cadre_socket_call(sock, CADRE_FN(add), CADRE_ARG("i", 2));
    cadre_socket_call(sock, CADRE_FN(add), 2, 2);
    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CU_ASSERT_EQUAL(reply.err, CADRE_ETASK);
    CU_ASSERT_EQUAL(reply.kind, 3);
    CU_ASSERT(says(&reply, "no licence"));
    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CU_ASSERT_EQUAL(reply.err, CADRE_ETYPE);
    CU_ASSERT(says(&reply, "add cannot be an init function"));
    /* What init should have put there is missing, by its name. */
    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CU_ASSERT_NOT_EQUAL(reply.err, CADRE_OK);
    CU_ASSERT(says(&reply, "`j`"));
    CU_ASSERT_EQUAL(next_int(sock, 4), 4);
    cadre_socket_close(sock);
}

static void an_init_function_can_be_an_option(void)
{
    struct cadre_socket *sock = open_with((struct cadre_socket_options){
        .ranks = 2, .init_function = CADRE_FN(prepare)});
    struct cadre_socket *none = NULL;

    for (int rank = 0; rank < 2; rank++) {
        uint64_t number =
            cadre_socket_call_on(sock, rank, CADRE_FN(what_is_prepared));

        CU_ASSERT_EQUAL(number, (uint64_t)rank + 1);
        CU_ASSERT(next_int(sock, number) >= 7);
    }
    cadre_socket_close(sock);
    CHECK_ERR(CADRE_ETASK, cadre_socket_open(
                               &(struct cadre_socket_options){
                                   .init_function = CADRE_FN(prepare_in_vain)},
                               &none));
    CHECK_SAYS("socket: the init function failed: no licence");
    CU_ASSERT_PTR_NULL(none);
}

static void an_init_function_that_does_not_end_is_given_up(void)
{
    struct cadre_socket *sock = NULL;
    double start = seconds();

    CHECK_ERR(CADRE_ETIMEOUT,
              cadre_socket_open(
                  &(struct cadre_socket_options){.command = "/proc/self/exe",
                                                 .init_function =
                                                     CADRE_FN(prepare_for_ever),
                                                 .spawn_timeout_s = 5,
                                                 .close_timeout_s = 0.2},
                  &sock));
    CHECK_SAYS("the init function has not ended in time");
    CU_ASSERT(seconds() - start < 10);
}

static void ranks_of_a_socket_compute_together(void)
{
    struct cadre_socket *sock = workers(2);
    struct cadre_reply reply;
    int sum, seen = 0;

    for (int round = 0; round < 3; round++) {
        for (int rank = 0; rank < 2; rank++)
            cadre_socket_call_on(sock, rank, CADRE_FN(sum_of_ranks), round);
        for (int i = 0; i < 2; i++) {
            CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
            CHECK_OK(cadre_reply_result(&reply, CADRE_INTO(&sum)));
            CU_ASSERT_EQUAL(sum, 1 + 2 * round);
            seen += 1 + reply.rank;
        }
    }
    CU_ASSERT_EQUAL(seen, 3 * (1 + 2));
    cadre_socket_close(sock);
}

static void waiting_for_a_reply_has_a_limit(void)
{
    struct cadre_socket *sock = workers(1);
    struct cadre_reply reply;
    unsigned events = 0;
    double start;

    CHECK_ERR(CADRE_ESTATE, cadre_socket_receive(sock, &reply, -1));
    CHECK_SAYS("every call has been answered");
    CHECK_ERR(CADRE_ETIMEOUT, cadre_socket_poll(sock, 0, &events));
    cadre_socket_call(sock, CADRE_FN(nap), 700);
    start = seconds();
    CHECK_ERR(CADRE_ETIMEOUT, cadre_socket_receive(sock, &reply, 0));
    CHECK_ERR(CADRE_ETIMEOUT, cadre_socket_receive(sock, &reply, 50));
    CU_ASSERT(seconds() - start < 0.6);
    CHECK_OK(cadre_socket_poll(sock, LIMIT_MS, &events));
    CU_ASSERT_EQUAL(events, CADRE_HAS_REPLY);
    CU_ASSERT_EQUAL(next_int(sock, 1), 700);
    cadre_socket_close(sock);
}

static void a_worker_killed_before_it_answers_is_lost_at_once(void)
{
    struct cadre_socket *sock = open_with((struct cadre_socket_options){
        .command = "/proc/self/exe", .close_timeout_s = 3});
    struct cadre_reply reply;
    double start;
    int pid;

    cadre_socket_call(sock, CADRE_FN(process_id));
    pid = next_int(sock, 1);
    cadre_socket_call(sock, CADRE_FN(nap), 60000);
    cadre_socket_call(sock, CADRE_FN(add), 1, 1);
    start = seconds();
    kill(pid, SIGKILL);
    for (uint64_t n = 2; n < 4; n++) {
        CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
        CU_ASSERT_EQUAL(reply.number, n);
        CU_ASSERT_EQUAL(reply.err, CADRE_ELOST);
        CU_ASSERT(says(&reply, "worker 0 (process "));
    }
    CU_ASSERT(seconds() - start < 2);
    cadre_socket_call(sock, CADRE_FN(add), 1, 1);
    CHECK_OK(cadre_socket_receive(sock, &reply, -1));
    CU_ASSERT_EQUAL(reply.err, CADRE_ELOST);
    cadre_socket_close(sock);
}

static void a_busy_worker_is_ended_in_time(void)
{
    struct cadre_socket *sock = open_with((struct cadre_socket_options){
        .command = "/proc/self/exe", .close_timeout_s = 0.5});
    double start = seconds();
    int pid;

    cadre_socket_call(sock, CADRE_FN(process_id));
    pid = next_int(sock, 1);
    start = seconds();
    cadre_socket_call(sock, CADRE_FN(nap), 600000);
    cadre_socket_close(sock);
    CU_ASSERT(seconds() - start < 3);
    for (int i = 0; i < 100 && kill(pid, 0) == 0; i++)
        usleep(20000);
    CU_ASSERT(kill(pid, 0) != 0);
}

static void a_library_can_be_called_on_the_worker_program(void)
{
    struct cadre_socket *sock =
        open_with((struct cadre_socket_options){.command = WORKER_PROGRAM});
    struct cadre_function *hypotenuse;
    struct cadre_reply reply;
    double out = 0;

    CHECK_OK(cadre_function_open(
        "libm.so.6", "double hypot(double x, double y)", &hypotenuse));
    cadre_socket_call(sock, hypotenuse, 3, 4);
    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CHECK_OK(cadre_reply_result(&reply, CADRE_INTO(&out)));
    CU_ASSERT_EQUAL(out, 5);
    cadre_socket_close(sock);
}

static void sockets_and_pools_live_side_by_side(void)
{
    struct cadre_socket *a = workers(1), *b = workers(1);
    struct cadre_pool *pool;
    int in[] = {1, 2, 3}, two = 2, out[3];

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 1, .oversubscribe = true},
        &pool));
    cadre_socket_call(a, CADRE_FN(add), 1, 10);
    cadre_socket_call(b, CADRE_FN(add), 1, 20);
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(add), 3,
                                CADRE_COLUMNS(CADRE_EACH(in), CADRE_SAME(&two)),
                                CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[2], 5);
    CU_ASSERT_EQUAL(next_int(b, 1), 21);
    CU_ASSERT_EQUAL(next_int(a, 1), 11);
    cadre_socket_close(a);
    cadre_pool_destroy(pool);
    cadre_socket_call(b, CADRE_FN(add), 2, 20);
    CU_ASSERT_EQUAL(next_int(b, 2), 22);
    cadre_socket_close(b);
}

/* --- messages ------------------------------------------------------------- */

static void typed_values_go_both_ways(void)
{
    struct cadre_socket *sock = peers(1);
    struct cadre_socket_message m;
    double x[] = {0.5, 1, 1.5}, y[3];
    char *text = NULL;
    int i = 0;

    CHECK_OK(cadre_socket_send(sock, 0, TAG_CHANGE, 41, CADRE_ELEMENTS(x, 3),
                               "this"));
    CHECK_OK(cadre_socket_receive_message(sock, 0, &m, LIMIT_MS));
    CU_ASSERT_EQUAL(m.rank, 0);
    CU_ASSERT_EQUAL(m.tag, TAG_CHANGE);
    CU_ASSERT_EQUAL(m.count, 3);
    CHECK_OK(cadre_message_read(&m, CADRE_INTO(&i, y, &text)));
    CU_ASSERT_EQUAL(i, 42);
    CU_ASSERT_EQUAL(y[2], 3);
    CU_ASSERT_STRING_EQUAL(text, "got this");
    free(text);
    cadre_socket_close(sock);
}

static void a_mismatch_names_both_sides(void)
{
    struct cadre_socket *sock = peers(1);
    struct cadre_socket_message m;
    double x[] = {1, 2, 3}, two[2] = {-1, -1}, three[3];
    char *text = NULL;
    int i = -1;
    int64_t wide;

    CHECK_OK(
        cadre_socket_send(sock, 0, TAG_CHANGE, 1, CADRE_ELEMENTS(x, 3), "a"));
    CHECK_OK(cadre_socket_receive_message(sock, CADRE_ANY_RANK, &m, LIMIT_MS));
    CHECK_ERR(CADRE_ETYPE, cadre_message_read(&m, CADRE_INTO(&i, three)));
    CHECK_SAYS("message 1 of rank 0: the message has 3 values, 2 are wanted");
    CHECK_ERR(CADRE_ETYPE,
              cadre_message_read(&m, CADRE_INTO(&wide, three, &text)));
    CHECK_SAYS("value 1 is int32_t, its place is for int64_t");
    CHECK_ERR(CADRE_ETYPE, cadre_message_read(&m, CADRE_INTO(&i, two, &text)));
    CHECK_SAYS("value 2 is an array of 3 double, its place is for an array of "
               "2 double");
    CHECK_ERR(CADRE_ETYPE, cadre_message_read(&m, CADRE_INTO(&i, three, two)));
    CHECK_SAYS("value 3 is char *");
    CU_ASSERT_EQUAL(i, -1);
    CHECK_OK(cadre_message_read(&m, CADRE_INTO(&i, three, &text)));
    CU_ASSERT_EQUAL(i, 2);
    free(text);
    cadre_socket_close(sock);
}

static void what_cannot_be_sent_is_named(void)
{
    struct cadre_socket *sock = peers(1);
    static struct cadre_value many[CADRE_PARTS_MAX + 1];
    double x[4] = {0}, *behind = NULL;
    const char *strings[] = {"a", "b"};

    CHECK_ERR(CADRE_ETYPE, cadre_socket_send(sock, 0, 1, 1, x));
    CHECK_SAYS("value 2 is an array of unknown length");
    CHECK_ERR(CADRE_ETYPE, cadre_socket_send(sock, 0, 1, CADRE_ELEMENTS(x, 5)));
    CHECK_SAYS("has fewer elements");
    CHECK_ERR(CADRE_ETYPE,
              cadre_socket_send(sock, 0, 1, CADRE_ELEMENTS(behind, 1)));
    CHECK_SAYS("value 1 is a null pointer");
    CHECK_ERR(CADRE_ETYPE,
              cadre_socket_send(sock, 0, 1, CADRE_ELEMENTS(strings, 2)));
    CHECK_ERR(CADRE_ETYPE, cadre_socket_send(sock, 0, 1, CADRE_FN(add)));
    CHECK_SAYS("neither a number");
    CHECK_ERR(
        CADRE_EINVAL,
        cadre_socket_send_values(
            sock, 0, 1,
            (struct cadre_values){.count = CADRE_PARTS_MAX + 1, .list = many}));
    CHECK_SAYS("65 values");
    CHECK_ERR(CADRE_EINVAL, cadre_socket_send(sock, 1, 1, 1));
    CHECK_SAYS("rank 1 is not below 1");
    cadre_socket_close(sock);
}

static void messages_come_in_the_order_sent(void)
{
    enum { N = 3000 };
    struct cadre_socket *sock = peers(2);
    struct cadre_socket_message m;
    int next[2] = {0};
    int64_t square;

    for (int rank = 0; rank < 2; rank++)
        CHECK_OK(cadre_socket_send(sock, rank, TAG_STREAM, N));
    for (int i = 0; i < 2 * N; i++) {
        CHECK_OK(
            cadre_socket_receive_message(sock, CADRE_ANY_RANK, &m, LIMIT_MS));
        CHECK_OK(cadre_message_read(&m, CADRE_INTO(&square)));
        CU_ASSERT_FATAL(m.rank == 0 || m.rank == 1);
        CU_ASSERT_EQUAL(m.tag, next[m.rank]);
        CU_ASSERT_EQUAL(square, (int64_t)m.tag * m.tag);
        next[m.rank]++;
    }
    CHECK_ERR(CADRE_ETIMEOUT,
              cadre_socket_receive_message(sock, CADRE_ANY_RANK, &m, 20));
    cadre_socket_close(sock);
}

static void messages_of_one_rank_can_be_chosen(void)
{
    struct cadre_socket *sock = peers(2);
    struct cadre_socket_message m;
    int pid[2];

    for (int rank = 0; rank < 2; rank++)
        CHECK_OK(
            cadre_socket_send_values(sock, rank, TAG_PID, CADRE_NO_VALUES));
    for (int rank = 1; rank >= 0; rank--) {
        CHECK_OK(cadre_socket_receive_message(sock, rank, &m, LIMIT_MS));
        CU_ASSERT_EQUAL(m.rank, rank);
        CHECK_OK(cadre_message_read(&m, CADRE_INTO(&pid[rank])));
    }
    CU_ASSERT_NOT_EQUAL(pid[0], pid[1]);
    cadre_socket_close(sock);
}

static void a_large_array_is_one_message(void)
{
    enum { N = 1 << 21 };
    struct cadre_socket *sock = peers(1);
    struct cadre_socket_message m;
    double *x = calloc(N, sizeof *x), sum = 0;
    uint64_t count = 0;

    for (int i = 0; i < N; i++)
        x[i] = 1;
    CHECK_OK(cadre_socket_send(sock, 0, TAG_SUM, CADRE_ELEMENTS(x, N)));
    free(x);
    CHECK_OK(cadre_socket_receive_message(sock, 0, &m, LIMIT_MS));
    CHECK_OK(cadre_message_read(&m, CADRE_INTO(&sum, &count)));
    CU_ASSERT_EQUAL(sum, N);
    CU_ASSERT_EQUAL(count, N);
    cadre_socket_close(sock);
}

static void arguments_reach_the_program(void)
{
    const char *const args[] = {"--hello there", NULL};
    struct cadre_socket *sock =
        open_with((struct cadre_socket_options){.command = PEER, .args = args});
    struct cadre_socket_message m;
    char *text = NULL;
    unsigned events = 0;

    CHECK_OK(cadre_socket_poll(sock, LIMIT_MS, &events));
    CU_ASSERT_EQUAL(events, CADRE_HAS_MESSAGE);
    CHECK_OK(cadre_socket_receive_message(sock, 0, &m, LIMIT_MS));
    CHECK_OK(cadre_message_read(&m, CADRE_INTO(&text)));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, "--hello there");
    free(text);
    cadre_socket_close(sock);
}

/* The first one has spoken long before the second one has started. */
static void a_program_may_speak_while_others_start(void)
{
    const char *const args[] = {"first", NULL};
    struct cadre_socket *sock = open_with((struct cadre_socket_options){
        .command = PEER, .args = args, .ranks = 2});
    struct cadre_socket_message m;

    for (int rank = 0; rank < 2; rank++) {
        CHECK_OK(cadre_socket_receive_message(sock, rank, &m, LIMIT_MS));
        CU_ASSERT_EQUAL(m.rank, rank);
    }
    cadre_socket_close(sock);
}

static void a_program_that_dies_is_lost_at_once(void)
{
    struct cadre_socket *sock = peers(2);
    struct cadre_socket_message m;
    double start = seconds();
    unsigned events = 0;

    CHECK_OK(cadre_socket_send_values(sock, 1, TAG_DIE, CADRE_NO_VALUES));
    CHECK_ERR(CADRE_ELOST, cadre_socket_receive_message(sock, 1, &m, LIMIT_MS));
    CHECK_SAYS("worker 1 (process ");
    CHECK_OK(cadre_socket_poll(sock, 0, &events));
    CU_ASSERT_EQUAL(events, CADRE_HAS_LOSS);
    CHECK_ERR(CADRE_ELOST,
              cadre_socket_receive_message(sock, CADRE_ANY_RANK, &m, LIMIT_MS));
    CU_ASSERT(seconds() - start < 3);
    CHECK_ERR(CADRE_ELOST, cadre_socket_send(sock, 1, 1, 1));
    /* The other one is as it was. */
    CHECK_OK(cadre_socket_send_values(sock, 0, TAG_PID, CADRE_NO_VALUES));
    CHECK_OK(cadre_socket_receive_message(sock, CADRE_ANY_RANK, &m, LIMIT_MS));
    CU_ASSERT_EQUAL(m.rank, 0);
    cadre_socket_close(sock);
}

static void a_program_that_does_not_leave_is_ended(void)
{
    struct cadre_socket *sock = open_with(
        (struct cadre_socket_options){.command = PEER, .close_timeout_s = 0.5});
    struct cadre_socket_message m;
    double start;
    int pid = 0;

    CHECK_OK(cadre_socket_send_values(sock, 0, TAG_PID, CADRE_NO_VALUES));
    CHECK_OK(cadre_socket_receive_message(sock, 0, &m, LIMIT_MS));
    CHECK_OK(cadre_message_read(&m, CADRE_INTO(&pid)));
    CHECK_OK(cadre_socket_send_values(sock, 0, TAG_HANG, CADRE_NO_VALUES));
    start = seconds();
    cadre_socket_close(sock);
    CU_ASSERT(seconds() - start < 3);
    for (int i = 0; i < 100 && kill(pid, 0) == 0; i++)
        usleep(20000);
    CU_ASSERT(kill(pid, 0) != 0);
}

/* --- mistakes ------------------------------------------------------------- */

static void calls_and_messages_are_not_mixed_up(void)
{
    struct cadre_socket *sock = peers(1);
    struct cadre_socket_message m;
    struct cadre_reply reply;

    cadre_socket_call(sock, CADRE_FN(add), 1, 2);
    CHECK_OK(cadre_socket_receive(sock, &reply, LIMIT_MS));
    CU_ASSERT_EQUAL(reply.err, CADRE_ELOST);
    CU_ASSERT(says(&reply, "this program takes messages, not calls"));
    cadre_socket_close(sock);

    sock = open_with((struct cadre_socket_options){.command = WORKER_PROGRAM});
    CHECK_OK(cadre_socket_send(sock, 0, 1, 1));
    CHECK_ERR(CADRE_ELOST, cadre_socket_receive_message(sock, 0, &m, LIMIT_MS));
    CHECK_SAYS("a message for a program that runs functions");
    cadre_socket_close(sock);
}

static void impossible_options_are_named(void)
{
    const struct {
        struct cadre_socket_options options;
        cadre_err err;
        const char *says;
    } bad[] = {
        {{.ranks = -1}, CADRE_EINVAL, "socket: ranks is -1"},
        {{.ranks = 1000}, CADRE_EINVAL, "ranks is 1000: there are"},
        {{.spawn_timeout_s = -1}, CADRE_EINVAL, "spawn_timeout_s is -1"},
        {{.close_timeout_s = -2}, CADRE_EINVAL, "close_timeout_s is -2"},
        {{.command = "/no/such/program"}, CADRE_ENOTFOUND, "/no/such/program"},
        {{.cwd = "/no/such/folder"}, CADRE_ENOTFOUND, "/no/such/folder"},
        {{.init_function = CADRE_FN(add)},
         CADRE_ETYPE,
         "add cannot be an init"}};
    struct cadre_socket *sock = NULL;
    int argc = 0;
    char **argv = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_ERR(bad[i].err, cadre_socket_open(&bad[i].options, &sock));
        CHECK_SAYS(bad[i].says);
        CU_ASSERT_PTR_NULL(sock);
    }
    CHECK_ERR(CADRE_EINVAL, cadre_socket_open(NULL, NULL));
    CHECK_ERR(CADRE_ESTATE, cadre_socket_accept(&argc, &argv, 0, &sock));
    CHECK_SAYS("was not started by a controller");
    CU_ASSERT_EQUAL(
        cadre_socket_call((struct cadre_socket *)NULL, CADRE_FN(add), 1, 2), 0);
    cadre_socket_close(NULL);
}

static void a_rank_that_is_none_gets_no_call(void)
{
    struct cadre_socket *sock = workers(1);

    CU_ASSERT_EQUAL(cadre_socket_call_on(sock, 1, CADRE_FN(add), 1, 2), 0);
    CHECK_SAYS("rank 1 is not below 1");
    CU_ASSERT_EQUAL(cadre_socket_call_on(sock, -1, CADRE_FN(add), 1, 2), 0);
    CU_ASSERT_EQUAL(cadre_socket_call(sock, CADRE_FN(add), 1, 2), 1);
    CU_ASSERT_EQUAL(next_int(sock, 1), 3);
    cadre_socket_close(sock);
}

static void finalize_closes_what_is_open(void)
{
    struct cadre_socket *a = workers(1), *b = peers(1), *none = NULL;

    cadre_socket_call(a, CADRE_FN(add), 1, 2);
    CHECK_OK(cadre_socket_send_values(b, 0, TAG_PID, CADRE_NO_VALUES));
    CU_ASSERT_EQUAL(cadre_finalize(), 0);
    CHECK_ERR(CADRE_ESTATE, cadre_socket_open(NULL, &none));
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(a_call_is_answered),
        CHECK(calls_sent_before_any_is_read_are_answered_in_order),
        CHECK(arrays_and_strings_go_both_ways),
        CHECK(wrong_arguments_are_answered_with_an_error),
        CHECK(a_function_that_fails_is_answered_with_its_word),
        CHECK(init_answers),
        CHECK(what_init_stored_fills_what_a_call_leaves_out),
        CHECK(a_failing_init_answers_with_its_error),
        CHECK(an_init_function_can_be_an_option),
        CHECK(an_init_function_that_does_not_end_is_given_up),
        CHECK(ranks_of_a_socket_compute_together),
        CHECK(waiting_for_a_reply_has_a_limit),
        CHECK(a_worker_killed_before_it_answers_is_lost_at_once),
        CHECK(a_busy_worker_is_ended_in_time),
        CHECK(a_library_can_be_called_on_the_worker_program),
        CHECK(sockets_and_pools_live_side_by_side),
        CHECK(typed_values_go_both_ways),
        CHECK(a_mismatch_names_both_sides),
        CHECK(what_cannot_be_sent_is_named),
        CHECK(messages_come_in_the_order_sent),
        CHECK(messages_of_one_rank_can_be_chosen),
        CHECK(a_large_array_is_one_message),
        CHECK(arguments_reach_the_program),
        CHECK(a_program_may_speak_while_others_start),
        CHECK(a_program_that_dies_is_lost_at_once),
        CHECK(a_program_that_does_not_leave_is_ended),
        CHECK(calls_and_messages_are_not_mixed_up),
        CHECK(impossible_options_are_named),
        CHECK(a_rank_that_is_none_gets_no_call),
        CHECK(finalize_closes_what_is_open),
        {NULL, NULL}};

    CADRE_CHECK(cadre_init(&argc, &argv));
    return check_run("socket", tests);
}
