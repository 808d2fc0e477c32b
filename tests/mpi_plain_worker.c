/* mpi_plain_worker.c - a worker written from docs/protocol.md, without Cadre:
 * it squares numbers, `int64_t square(int64_t i)`, and fails for those below 0.
 */
#include <mpi.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    DISBAND = 11,
    CLOSE = 12,
    INT64 = 8,
    SAME = 1,
    DENSE = 2,
    ETASK = 14
};

#ifndef NAME /* the tests make some that are refused */
#define NAME "plain"
#endif
#ifndef SPEAKS
#define SPEAKS VERSION
#endif

static MPI_Comm controller;
static uint32_t generation;
static uint32_t square; /* the function's number */

/* --- bytes ---------------------------------------------------------------- */

static uint64_t get(const unsigned char *at, int size)
{
    uint64_t value = 0;

    for (int i = size; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

/* A frame being written. */
static unsigned char *frame;
static size_t len;

static void put_bytes(const void *data, size_t n)
{
    frame = realloc(frame, len + n + 1);
    if (frame == NULL)
        abort();
    if (data != NULL)
        memcpy(frame + len, data, n);
    else
        memset(frame + len, 0, n);
    len += n;
}

static void put(uint64_t value, int size)
{
    unsigned char bytes[8];

    for (int i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    put_bytes(bytes, (size_t)size);
}

static void set(size_t at, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        frame[at + i] = (unsigned char)(value >> 8 * i);
}

static void pad(void)
{
    put_bytes(NULL, -len % 16);
}

static void put_name(const char *name, size_t size)
{
    put_bytes(name, strlen(name));
    put_bytes(NULL, size - strlen(name));
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
    put(SPEAKS, 2);
    put((uint64_t)type, 2);
    put(0, 8);
    put(generation, 4);
    put(0, 4);
}

/* The controller polls us, so a send that blocks until it looks is fine. */
static void end_and_send(void)
{
    pad();
    set(8, len);
    MPI_Send(frame, (int)len, MPI_BYTE, 0, TAG, controller);
}

/* --- frames --------------------------------------------------------------- */

static void welcome(void)
{
    char host[64] = "";
    struct stat st = {0};

    gethostname(host, sizeof host - 1);
    stat("/proc/self/ns/pid", &st);
    begin(WELCOME);
    put_name(NAME, 16);
    put_name(host, 64);
    put((uint64_t)st.st_ino, 8);
    put((uint64_t)getpid(), 4);
    put(0, 4); /* no bell */
    put(0, 4); /* no pulse */
    end_and_send();
}

static void refuse(const char *why)
{
    begin(REFUSE);
    put(10, 4);
    put_text(why);
    end_and_send();
}

/* The texts of a FUNCTION: is it the one we know? */
static void learn(const unsigned char *fields)
{
    const unsigned char *library = fields + 4;
    const unsigned char *symbol = library + 2 + get(library, 2) + 1;

    if (strcmp((const char *)symbol + 2, "square") == 0)
        square = (uint32_t)get(fields, 4);
}

/* The failure of each row below 0; how many there are. */
static uint32_t put_failures(const int64_t *in, uint64_t first, uint64_t count)
{
    uint32_t n = 0;

    for (uint64_t i = 0; i < count; i++) {
        if (in[i] >= 0)
            continue;
        n++;
        put(first + i, 8);
        put(ETASK, 4);
        put(7, 4);
        put(0, 4);
        put_text("plainly negative");
    }
    return n;
}

/* One column of numbers. */
static void put_outputs(const int64_t *in, uint64_t count)
{
    put(1, 4);
    put(0, 4);
    put(DENSE, 1);
    put(INT64, 1);
    put(0, 6);
    put(8 * count, 8);
    pad();
    for (uint64_t i = 0; i < count; i++)
        put((uint64_t)(in[i] * in[i]), 8);
}

/* The numbers of the only column of `args`. NULL: that is not what came. */
static int64_t *read_numbers(const unsigned char *args, uint64_t count)
{
    unsigned form = args[8], type = args[9];
    int64_t *in = malloc(8 * count);

    if (get(args, 4) != 1 || type != INT64 ||
        get(args + 16, 8) != (form == SAME ? 8 : 8 * count) || in == NULL) {
        free(in);
        return NULL;
    }
    for (uint64_t i = 0; i < count; i++)
        in[i] = (int64_t)get(args + 32 + (form == SAME ? 0 : 8 * i), 8);
    return in;
}

static void run(const unsigned char *fields)
{
    uint64_t first = get(fields + 8, 8), count = get(fields + 16, 8);
    int64_t *in = read_numbers(fields + 56, count);
    uint32_t nfailures;
    size_t at;

    if (get(fields + 24, 4) != square || in == NULL) {
        refuse("a plain worker only squares");
        free(in);
        return;
    }
    begin(RESULTS);
    put_bytes(fields, 8); /* the job */
    put(first, 8);
    put(count, 8);
    put(1000 * count, 8); /* nobody measured */
    put(0, 4);
    put(0, 4);
    put(0, 8);
    put(0, 8);
    nfailures = put_failures(in, first, count);
    set(56, nfailures);
    set(64, len - 80);
    pad();
    at = len;
    put_outputs(in, count);
    set(72, len - at);
    end_and_send();
    free(in);
}

/* False: it was the last one. */
static int handle(const unsigned char *at)
{
    const unsigned char *fields = at + HEADER;

    switch (get(at + 6, 2)) {
    case HELLO:
        generation = (uint32_t)get(at + 16, 4);
        welcome();
        return 1;
    case FUNCTION:
        learn(fields);
        return 1;
    case BATCH:
        run(fields);
        return 1;
    case TEAM:
    case DISBAND:
    case CLOSE:
        return 1;
    case BYE:
        return 0;
    default:
        refuse("a plain worker does not know this");
        return 1;
    }
}

/* The frames of the next message. */
static int next_message(void)
{
    unsigned char *message;
    MPI_Status status;
    int bytes, goes_on = 1;

    MPI_Probe(0, TAG, controller, &status);
    MPI_Get_count(&status, MPI_BYTE, &bytes);
    if ((message = malloc((size_t)bytes)) == NULL)
        abort();
    MPI_Recv(message, bytes, MPI_BYTE, 0, TAG, controller, MPI_STATUS_IGNORE);
    for (int at = 0; at < bytes && goes_on;
         at += (int)get(message + at + 8, 8)) {
        if (memcmp(message + at, "CDRE", 4) != 0 ||
            get(message + at + 4, 2) != VERSION)
            abort();
        goes_on = handle(message + at);
    }
    free(message);
    return goes_on;
}

int main(int argc, char **argv)
{
    alarm(100); /* nobody else would notice that the controller has ended */
    MPI_Init(&argc, &argv);
    MPI_Comm_get_parent(&controller);
    while (controller != MPI_COMM_NULL && next_message()) {
    }
    free(frame);
    MPI_Finalize();
    return 0;
}
