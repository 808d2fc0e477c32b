/* mpi_plain.c - a pool on workers that were written from docs/protocol.md and
 * know nothing of Cadre (mpi_plain_worker.c). */
#include "mpi_check.h"

#include <stdlib.h>

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

CADRE_TASK(int64_t, cube, (int64_t i))
{
    return i * i * i;
}

static struct cadre_pool *plain_pool(int workers)
{
    struct cadre_pool *pool;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = workers,
                                     .worker_program = PLAIN_WORKER,
                                     .oversubscribe = true},
        &pool));
    return pool;
}

static void plain_workers_serve_a_pool(void)
{
    enum { N = 20000 };
    struct cadre_pool *pool = plain_pool(2);
    static int64_t in[N], out[N];

    for (int i = 0; i < N; i++)
        in[i] = i;
    for (int round = 0; round < 3; round++) {
        CHECK_OK(cadre_pool_map(pool, CADRE_FN(square), N, CADRE_EACH(in),
                                CADRE_INTO(out)));
        for (int i = 0; i < N; i++)
            CU_ASSERT_EQUAL_FATAL(out[i], in[i] * in[i]);
    }
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(square), 3, CADRE_SAME(&in[5]),
                            CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[2], 25);
    cadre_pool_destroy(pool);
}

static void their_failures_come_with_text_and_kind(void)
{
    struct cadre_pool *pool = plain_pool(1);
    int64_t in[] = {3, -1, 4}, out[3] = {0};
    cadre_err errors[3];

    CHECK_ERR(CADRE_ETASK,
              cadre_pool_run(pool, &(struct cadre_map){
                                       .fn = CADRE_FN(square),
                                       .count = 3,
                                       .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                       .into = CADRE_INTO(out),
                                       .errors = errors}));
    CHECK_SAYS("item 1: plainly negative");
    CU_ASSERT_EQUAL(errors[1], CADRE_ETASK);
    CU_ASSERT_EQUAL(out[0], 9);
    CU_ASSERT_EQUAL(out[2], 16);
    cadre_pool_destroy(pool);
}

static void they_answer_calls_through_a_socket(void)
{
    struct cadre_socket *sock;
    struct cadre_reply reply;
    int64_t out = 0;

    CADRE_CHECK(cadre_socket_open(
        &(struct cadre_socket_options){.command = PLAIN_WORKER}, &sock));
    for (int i = 0; i < 50; i++)
        cadre_socket_call(sock, CADRE_FN(square), i);
    for (int i = 0; i < 50; i++) {
        CHECK_OK(cadre_socket_receive(sock, &reply, 20000));
        CHECK_OK(cadre_reply_result(&reply, CADRE_INTO(&out)));
        CU_ASSERT_EQUAL(out, (int64_t)i * i);
    }
    cadre_socket_call(sock, CADRE_FN(square), -2);
    CHECK_OK(cadre_socket_receive(sock, &reply, 20000));
    CU_ASSERT_EQUAL(reply.err, CADRE_ETASK);
    CU_ASSERT_EQUAL(reply.kind, 7);
    cadre_socket_close(sock);
}

static void what_they_refuse_is_told(void)
{
    struct cadre_socket *sock;
    struct cadre_reply reply;

    CADRE_CHECK(cadre_socket_open(
        &(struct cadre_socket_options){.command = PLAIN_WORKER}, &sock));
    cadre_socket_call(sock, CADRE_FN(cube), 3);
    CHECK_OK(cadre_socket_receive(sock, &reply, 20000));
    CU_ASSERT_EQUAL(reply.err, CADRE_ELOST);
    CHECK_ERR(CADRE_ELOST, cadre_reply_result(&reply, CADRE_NOTHING));
    CHECK_SAYS("a plain worker only squares");
    cadre_socket_close(sock);
}

static void refused(const char *program, const char *theirs, const char *ours)
{
    struct cadre_pool *pool;

    CHECK_ERR(CADRE_EVERSION,
              cadre_pool_create(
                  &(struct cadre_pool_options){.max_workers = 1,
                                               .worker_program = program,
                                               .oversubscribe = true},
                  &pool));
    CHECK_SAYS(theirs);
    CHECK_SAYS(ours);
}

static void another_version_is_refused_and_both_are_named(void)
{
    refused(OTHER_LIBRARY, "worker program is Cadre 9.8.7",
            "the controller " CADRE_VERSION);
    refused(OTHER_PROTOCOL, "version 77 of the protocol", "version 3");
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(plain_workers_serve_a_pool),
        CHECK(their_failures_come_with_text_and_kind),
        CHECK(they_answer_calls_through_a_socket),
        CHECK(what_they_refuse_is_told),
        CHECK(another_version_is_refused_and_both_are_named),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("plain", tests);
    return cadre_finalize() == 0 ? status : 1;
}
