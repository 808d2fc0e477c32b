/* mpi_hostile_controller.c - a controller, written from docs/protocol.md with
 * plain MPI, that sends to Cadre's own worker program, and to one that takes
 * messages, what it must not. These say what is wrong, and leave when they are
 * told to, or of themselves. */
#include "check.h"

#include <cadre/error.h>
#include <mpi.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    TAG = 1,
    VERSION = 3,
    HEADER = 24,
    HELLO = 1,
    WELCOME = 2,
    REFUSE = 3,
    FUNCTION = 4,
    BATCH = 5,
    RESULTS = 6,
    BYE = 7,
    TEAM = 8,
    INIT = 10,
    STORE_PUT = 14,
    NOT_A_TYPE = 99,
    GENERATION = 1,
    PATIENCE_S = 20
};

static MPI_Comm worker;
static char end_path[64]; /* the worker's exit status is to be here */

/* --- bytes ---------------------------------------------------------------- */

static unsigned char frame[4096];
static size_t len;

static void put_bytes(const void *data, size_t n)
{
    memcpy(frame + len, data, n);
    len += n;
}

static void put_zeros(size_t n)
{
    memset(frame + len, 0, n);
    len += n;
}

static void put(uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        frame[len++] = (unsigned char)(value >> 8 * i);
}

static void put_name(const char *name, size_t size)
{
    put_bytes(name, strlen(name));
    put_zeros(size - strlen(name));
}

static void put_text(const char *text)
{
    put(strlen(text), 2);
    put_bytes(text, strlen(text) + 1);
}

static void begin(int type)
{
    len = 0;
    put_bytes("CDRE", 4);
    put(VERSION, 2);
    put((uint64_t)type, 2);
    put(0, 8);
    put(GENERATION, 4);
    put(0, 4);
}

static void send_bytes(const void *data, size_t n)
{
    MPI_Send(data, (int)n, MPI_BYTE, 0, TAG, worker);
}

static void end(void)
{
    put_zeros(-len % 16);
    for (size_t i = 0; i < 8; i++)
        frame[8 + i] = (unsigned char)(len >> 8 * i);
}

static void end_and_send(void)
{
    end();
    send_bytes(frame, len);
}

static void send_type(int type)
{
    begin(type);
    end_and_send();
}

static unsigned long long pid_namespace(void)
{
    struct stat st = {0};

    stat("/proc/self/ns/pid", &st);
    return (unsigned long long)st.st_ino;
}

/* --- frames that are right ------------------------------------------------ */

static void hello(const char *version)
{
    char host[64] = "";

    gethostname(host, sizeof host - 1);
    begin(HELLO);
    put_name(version, 16);
    put_name(host, 64);
    put(pid_namespace(), 8);
    put((uint64_t)getpid(), 4);
    put(UINT32_MAX, 4); /* no bell */
    put(0, 4);
    put(1000, 4);
    put(0, 4);
    put(0, 4);
    end_and_send();
}

static void team(uint32_t number, uint32_t size, const uint32_t *members,
                 const char *place)
{
    begin(TEAM);
    put(number, 4);
    put(1, 4);
    put(0, 4);
    put(size, 4);
    put(0, 4);
    put(0, 4);
    put(0, 4);
    put(0, 8);
    put(strlen(place), 8);
    for (uint32_t i = 0; i < size; i++)
        put(members[i], 4);
    put_bytes(place, strlen(place));
    end_and_send();
}

static void function(uint32_t number, const char *prototype)
{
    begin(FUNCTION);
    put(number, 4);
    put_text("libc.so.6");
    put_text("abs");
    put_text(prototype);
    put_text("");
    end_and_send();
}

/* A batch of one row whose arguments are `args`. */
static void batch(uint32_t function_number, uint32_t team_number,
                  const char *args)
{
    begin(BATCH);
    put(1, 8);
    put(0, 8);
    put(1, 8);
    put(function_number, 4);
    put(team_number, 4);
    put(1, 4);
    put(0, 4);
    put(strlen(args), 8);
    put(0, 8);
    put_bytes(args, strlen(args));
    end_and_send();
}

/* --- what comes back ------------------------------------------------------ */

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The type of the next message's first frame; 0: none came. */
static unsigned next(unsigned char message[4096])
{
    double limit = now_s() + PATIENCE_S;
    int found = 0;

    memset(message, 0, 4096);
    while (!found && now_s() < limit) {
        MPI_Iprobe(0, TAG, worker, &found, MPI_STATUS_IGNORE);
        usleep(1000);
    }
    if (found)
        MPI_Recv(message, 4096 - 1, MPI_BYTE, 0, TAG, worker,
                 MPI_STATUS_IGNORE);
    return message[6] | (unsigned)message[7] << 8;
}

/* The worker refuses with `err`, saying `part`. */
static void refuses(cadre_err err, const char *part)
{
    unsigned char message[4096];
    const char *text = (const char *)message + HEADER + 6;

    CU_ASSERT_EQUAL(next(message), REFUSE);
    printf("  %s\n", text);
    fflush(stdout);
    CU_ASSERT_EQUAL((cadre_err)message[HEADER], err);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
}

/* --- workers -------------------------------------------------------------- */

/* A shell between tells how the worker ends, signals too. */
static void start_program(char *program)
{
    char script[] = "CADRE_SPAWNED_BY=\"$2\" \"$0\"; echo $? >\"$1.part\"; "
                    "mv \"$1.part\" \"$1\"";
    char flag[] = "-c";
    char by[160], host[64] = "";
    char *argv[] = {flag, script, program, end_path, by, NULL};

    gethostname(host, sizeof host - 1);
    snprintf(by, sizeof by, "hostile %ld %llu %s", (long)getpid(),
             pid_namespace(), host);
    snprintf(end_path, sizeof end_path, "/tmp/mpi_hostile.%ld", (long)getpid());
    unlink(end_path);
    MPI_Comm_spawn("/bin/sh", argv, 1, MPI_INFO_NULL, 0, MPI_COMM_SELF, &worker,
                   MPI_ERRCODES_IGNORE);
}

static void start(void)
{
    char program[] = WORKER_PROGRAM;

    start_program(program);
}

static void greet_it(void)
{
    unsigned char message[4096];

    hello(CADRE_VERSION);
    CU_ASSERT_EQUAL_FATAL(next(message), WELCOME);
}

static void greet(void)
{
    start();
    greet_it();
}

static void greet_peer(void)
{
    char program[] = PEER_PROGRAM;

    start_program(program);
    greet_it();
}

/* It ends of itself, and by no signal. */
static void ended(void)
{
    double limit = now_s() + PATIENCE_S;
    FILE *f = NULL;
    int status = -1;

    while ((f = fopen(end_path, "r")) == NULL && now_s() < limit)
        usleep(1000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fscanf(f, "%d", &status), 1);
    fclose(f);
    unlink(end_path);
    CU_ASSERT(status >= 0 && status < 128);
    MPI_Comm_free(&worker);
}

static void leaves(void)
{
    send_type(BYE);
    ended();
}

static const uint32_t alone[] = {0};

static void a_frame_before_hello_is_refused(void)
{
    start();
    team(1, 1, alone, "");
    refuses(CADRE_EPROTO, "no HELLO came first");
    leaves();
}

static void another_library_is_refused_and_both_are_named(void)
{
    start();
    hello("9.8.7");
    refuses(CADRE_EVERSION, "Cadre 9.8.7, the worker program " CADRE_VERSION);
    leaves();
}

static void another_protocol_is_refused_and_both_are_named(void)
{
    start();
    begin(HELLO);
    frame[4] = 77;
    end_and_send();
    refuses(CADRE_EVERSION, "version 77 of the protocol, this side version 3");
    frame[4] = VERSION;
    leaves();
}

static void a_second_hello_is_refused(void)
{
    greet();
    hello(CADRE_VERSION);
    refuses(CADRE_EPROTO, "HELLO came twice");
    hello(CADRE_VERSION); /* nothing more is looked at */
    leaves();
}

static void what_is_unknown_is_refused(void)
{
    greet();
    batch(5, 1, "");
    refuses(CADRE_EPROTO, "unknown function");
    leaves();
    greet();
    function(5, "int abs(int i)");
    batch(5, 1, "");
    refuses(CADRE_EPROTO, "unknown team");
    leaves();
    greet();
    begin(INIT);
    put(3, 4);
    put(4, 4);
    end_and_send();
    refuses(CADRE_EPROTO, "init of an unknown");
    leaves();
}

static void a_team_that_cannot_be_is_refused(void)
{
    static const uint32_t far[] = {7}, huge[] = {UINT32_MAX}, both[] = {0, 0},
                          others[] = {0, 1};

    greet();
    team(1, 1, far, "");
    refuses(CADRE_EPROTO, "team 1 cannot be formed");
    leaves();
    greet();
    team(1, 1, huge, "");
    refuses(CADRE_EPROTO, "team 1 cannot be formed");
    leaves();
    greet();
    team(1, 2, both, "");
    refuses(CADRE_EPROTO, "team 1 cannot be formed");
    leaves();
    greet();
    team(1, 2, others, "");
    refuses(CADRE_EPROTO, "team 1 cannot be formed");
    leaves();
    greet();
    team(1, 0, alone, "");
    refuses(CADRE_EPROTO, "size");
    leaves();
    greet();
    team(1, 1, alone, "");
    team(1, 1, alone, "");
    refuses(CADRE_EPROTO, "team 1 cannot be formed");
    leaves();
    greet();
    team(1, 1, alone, "nowhere that could be");
    refuses(CADRE_EPROTO, "place");
    leaves();
}

static void a_function_that_cannot_be_is_refused(void)
{
    greet();
    function(UINT32_MAX, "int abs(int i)");
    refuses(CADRE_EPROTO, "a function has number 4294967295: it can be 1 to");
    leaves();
    greet();
    function(1, "int abs(int i)");
    function(1, "int abs(int i)");
    refuses(CADRE_EPROTO, "function number 1 twice");
    leaves();
}

static void arguments_that_do_not_fit_are_refused(void)
{
    greet();
    function(1, "int abs(int i)");
    team(1, 1, alone, "");
    batch(1, 1, "these are no columns");
    refuses(CADRE_EPROTO, "");
    leaves();
}

static void what_is_no_frame_is_refused(void)
{
    static const char noise[] = "These are 48 bytes of something else.........";
    static const char bulks[64] = "CDRB\377\377\377\377";

    greet();
    send_bytes(noise, 48 - 2);
    refuses(CADRE_ENOMEM, "damaged");
    leaves();
    greet();
    send_bytes(noise, 32);
    refuses(CADRE_EPROTO, "no frame");
    leaves();
    greet();
    send_bytes(bulks, sizeof bulks);
    refuses(CADRE_ENOMEM, "damaged");
    leaves();
    greet();
    send_type(NOT_A_TYPE);
    refuses(CADRE_EPROTO, "unknown type 99");
    leaves();
    greet();
    send_type(RESULTS);
    refuses(CADRE_EPROTO, "only workers send");
    leaves();
    greet();
    send_type(STORE_PUT);
    refuses(CADRE_EPROTO, "STORE_PUT");
    leaves();
}

static void a_goodbye_behind_a_bad_frame_is_heard(void)
{
    unsigned char both[64];

    greet();
    begin(BATCH);
    end();
    memcpy(both, frame, 32);
    begin(BYE);
    end();
    memcpy(both + 32, frame, 32);
    send_bytes(both, sizeof both);
    refuses(CADRE_EPROTO, "BATCH");
    ended();
}

static void an_empty_message_says_nothing(void)
{
    greet();
    send_bytes("", 0);
    leaves();
}

static void who_takes_messages_refuses_what_is_none(void)
{
    greet_peer();
    hello(CADRE_VERSION);
    refuses(CADRE_EPROTO, "HELLO came twice");
    ended();
    greet_peer();
    function(1, "int abs(int i)");
    refuses(CADRE_EPROTO, "takes messages, not calls");
    ended();
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(a_frame_before_hello_is_refused),
        CHECK(another_library_is_refused_and_both_are_named),
        CHECK(another_protocol_is_refused_and_both_are_named),
        CHECK(a_second_hello_is_refused),
        CHECK(what_is_unknown_is_refused),
        CHECK(a_team_that_cannot_be_is_refused),
        CHECK(a_function_that_cannot_be_is_refused),
        CHECK(arguments_that_do_not_fit_are_refused),
        CHECK(what_is_no_frame_is_refused),
        CHECK(a_goodbye_behind_a_bad_frame_is_heard),
        CHECK(an_empty_message_says_nothing),
        CHECK(who_takes_messages_refuses_what_is_none),
        {NULL, NULL}};
    int status;

    MPI_Init(&argc, &argv);
    status = check_run("hostile_controller", tests);
    MPI_Finalize();
    return status;
}
