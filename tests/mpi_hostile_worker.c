/* mpi_hostile_worker.c - the plain worker, until the first number of a batch
 * tells it to send what docs/protocol.md forbids (mpi_hostile.h). */
#define main plain_main
#include "mpi_plain_worker.c"
#undef main

#include "mpi_hostile.h"

enum {
    TAG_BULKS = 2,
    NEWS = 13,
    PULSE = 18,
    NOT_A_TYPE = 99,
    COLUMN_AT = 8, /* of its set */
    RESULTS_AT = 80
};

static void send_bytes(const void *data, size_t n, int tag)
{
    MPI_Send(data, (int)n, MPI_BYTE, 0, tag, controller);
}

/* Results of `count` rows from `first`, left in `frame`: a failure of row
 * `failed` (-1: none), and 7s. */
static void make_results(uint64_t job, uint64_t first, uint64_t count,
                         int64_t failed)
{
    size_t at;

    begin(RESULTS);
    put(job, 8);
    put(first, 8);
    put(count, 8);
    put(1000, 8);
    put(failed >= 0, 4);
    put(0, 4);
    put(0, 8);
    put(0, 8);
    if (failed >= 0) {
        put((uint64_t)failed, 8);
        put(ETASK, 4);
        put(7, 4);
        put(0, 4);
        put_text("hostile");
    }
    set(64, len - RESULTS_AT);
    pad();
    at = len;
    put(1, 4);
    put(0, 4);
    put(DENSE, 1);
    put(INT64, 1);
    put(0, 6);
    put(8 * count, 8);
    pad();
    for (uint64_t i = 0; i < count; i++)
        put(7, 8);
    set(72, len - at);
    pad();
    set(8, len);
}

/* An announcement of `said` arrays with room for one, of `bytes`, before what
 * stands in `frame`. */
static void send_announced(uint32_t said, uint64_t bytes)
{
    size_t n = 32 + len;
    unsigned char *message = calloc(1, n);

    if (message == NULL)
        abort();
    memcpy(message, "CDRB", 4);
    for (int i = 0; i < 4; i++)
        message[4 + i] = (unsigned char)(said >> 8 * i);
    for (int i = 0; i < 8; i++)
        message[16 + i] = (unsigned char)(bytes >> 8 * i);
    memcpy(message + 32, frame, len);
    send_bytes(message, n, TAG);
    free(message);
}

/* The same, whose outputs are the array, and the array of `sent` bytes. */
static void send_with_bulk(uint64_t bytes, size_t sent)
{
    unsigned char *bulk = calloc(1, sent);

    if (bulk == NULL)
        abort();
    frame[RESULTS_AT + COLUMN_AT + 4] = 1; /* the first */
    set(72, 24 + 8);                       /* the column alone */
    len = RESULTS_AT + 32;
    set(8, len);
    send_announced(1, bytes);
    send_bytes(bulk, sent, TAG_BULKS);
    free(bulk);
}

/* What stands in `frame`, in one message. */
static void send_twice(void)
{
    unsigned char *both = malloc(2 * len);

    if (both == NULL)
        abort();
    memcpy(both, frame, len);
    memcpy(both + len, frame, len);
    send_bytes(both, 2 * len, TAG);
    free(both);
}

static void send_random(void)
{
    unsigned char bytes[4096];
    uint32_t x = 12345;

    for (size_t i = 0; i < sizeof bytes; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(x >> 24);
    }
    send_bytes(bytes, sizeof bytes, TAG);
}

static void send_news(uint64_t job)
{
    begin(NEWS);
    put(job, 8);
    put(UINT64_MAX, 8);
    put(0, 8);
    put_text("news");
    end_and_send();
}

/* An empty frame of any type. */
static void send_type(int type)
{
    begin(type);
    end_and_send();
}

/* What is wrong with the numbers in `frame`, right results of one row. */
static void damage(enum hostile_mode mode)
{
    switch (mode) {
    case OTHER_GENERATION:
        frame[16]++;
        break;
    case TOO_LONG:
        set(8, len + 16);
        break;
    case LENGTH_OF_NOTHING:
        set(8, 0);
        break;
    case UNKNOWN_BULK:
        frame[RESULTS_AT + COLUMN_AT + 4] = 9;
        break;
    case CUT_OUTPUTS:
        frame[RESULTS_AT + COLUMN_AT + 8] = 200;
        break;
    case OUTPUTS_OF_MORE:
        set(72, 4096);
        break;
    case FAILURES_OF_MORE:
        frame[56] = 200;
        break;
    default:
        break;
    }
    send_bytes(frame, len, TAG);
}

static void misbehave(enum hostile_mode mode, uint64_t job, uint64_t first)
{
    static const unsigned char nothing[24];

    make_results(job, first, 1, mode == FAILURE_ELSEWHERE ? 5000 : -1);
    switch (mode) {
    case OF_NO_BATCH:
        make_results(job + 77, first, 1, -1);
        send_bytes(frame, len, TAG);
        break;
    case OF_OTHER_ROWS:
        make_results(job, first + 1, 1, -1);
        send_bytes(frame, len, TAG);
        break;
    case TOO_MANY:
        make_results(job, first, 1000, -1);
        send_bytes(frame, len, TAG);
        break;
    case TWICE:
        send_twice();
        break;
    case UNKNOWN_TYPE:
        send_type(NOT_A_TYPE);
        break;
    case RANDOM:
        send_random();
        break;
    case EMPTY:
        send_bytes(nothing, 0, TAG);
        send_random();
        break;
    case ODD_LENGTH:
        send_bytes(nothing, sizeof nothing - 1, TAG);
        break;
    case WELCOME_TWICE:
        welcome();
        break;
    case BULKS_TOO_LARGE:
        send_announced(1, 1ull << 62);
        break;
    case BULKS_WITHOUT_END:
        send_announced(UINT32_MAX, 1 << 20);
        break;
    case BULKS_OF_NOTHING:
        send_announced(1, 0);
        break;
    case BULKS_THAT_STAY_OUT:
        send_announced(1, 1 << 20);
        sleep(1);
        _exit(1);
    case BULK_TOO_SHORT:
        send_with_bulk(8, 4);
        break;
    case BULK_TOO_LONG:
        send_with_bulk(8, 1 << 20);
        break;
    case OF_A_CONTROLLER:
        send_type(BYE);
        break;
    case NEWS_OF_NO_TASK:
        send_news(job + 77);
        send_news(job);
        make_results(job, first, 1, -1);
        send_bytes(frame, len, TAG);
        break;
    case PULSE_HERE:
        send_type(PULSE);
        break;
    default:
        damage(mode);
    }
}

/* The mode that a BATCH asks for, or -1. */
static int mode_of(const unsigned char *at)
{
    int64_t *in = read_numbers(at + HEADER + 56, get(at + HEADER + 16, 8));
    int mode = in != NULL ? (int)(in[0] - HOSTILE) : -1;

    free(in);
    return mode < HOSTILE_MODES ? mode : -1;
}

static int handle_or_not(const unsigned char *at)
{
    int mode = get(at + 6, 2) == BATCH ? mode_of(at) : -1;

    if (mode < 0)
        return handle(at);
    misbehave((enum hostile_mode)mode, get(at + HEADER, 8),
              get(at + HEADER + 8, 8));
    return 1;
}

static int next(void)
{
    static unsigned char message[1 << 16];
    MPI_Status status;
    int bytes, goes_on = 1;

    MPI_Recv(message, sizeof message, MPI_BYTE, 0, TAG, controller, &status);
    MPI_Get_count(&status, MPI_BYTE, &bytes);
    for (int at = 0; at < bytes && goes_on; at += (int)get(message + at + 8, 8))
        goes_on = handle_or_not(message + at);
    return goes_on;
}

int main(int argc, char **argv)
{
    alarm(100);
    MPI_Init(&argc, &argv);
    MPI_Comm_get_parent(&controller);
    while (controller != MPI_COMM_NULL && next()) {
    }
    free(frame);
    MPI_Finalize();
    return 0;
}
