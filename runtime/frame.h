/* frame.h - the messages between controller and workers, as bytes.
 *
 * A frame is a header of 24 bytes, the message's fixed fields, and for some a
 * tail of variable length. Numbers are little-endian and of fixed width; every
 * frame starts and ends on a multiple of 16 bytes (padding is zero), so that a
 * row of frames in one buffer keeps its values aligned.
 *
 *     offset  bytes
 *          0      4  magic "CDRE"
 *          4      2  version of the protocol
 *          6      2  type (enum cadre_frame_type)
 *          8      8  length of the whole frame in bytes, header and padding too
 *         16      4  generation of the crew
 *         20      4  zero
 *
 * One struct, one encode, one decode for each message. Decoding never reads
 * past the bytes it is given and never trusts a length, a count or an enum.
 *
 * Conversation:
 *
 *     controller                         worker
 *         HELLO    ------------------->              once, first
 *                  <-------------------  WELCOME     or REFUSE
 *         FUNCTION ------------------->              before its first use
 *         TEAM     ------------------->              to each of its members
 *         INIT     ------------------->              if the object has one
 *                  <-------------------  READY       the outcome of INIT
 *         STORE_PUT ------------------>              a value for the store
 *         BATCH    ------------------->              to each of the members
 *                  <-------------------  NEWS        when a task tells some
 *                  <-------------------  RESULTS     one or more per batch
 *         DISBAND  ------------------->              the team is no more
 *         CLOSE    ------------------->              the object's store is
 *         LETTER   <------------------>              between two programs that
 *                                                    know each other (socket.h)
 *         BYE      ------------------->              no frame follows
 *         PULSE    <------------------>              beside all this, with a
 *                                                    tag of its own (line.h)
 *
 * Who adds a message: give it the next number, a struct, an encode and a
 * decode here, a handler in `farm` or `worker`, and raise CADRE_FRAME_VERSION
 * if an older side would misread it.
 */
#ifndef CADRE_RUNTIME_FRAME_H
#define CADRE_RUNTIME_FRAME_H

#include "bulk.h"
#include "error.h"

#include <cadre/message.h>

#include <stdbool.h>
#include <stdint.h>

enum {
    CADRE_FRAME_VERSION = 3,
    CADRE_FRAME_HEADER = 24, /* bytes */
    CADRE_FRAME_ALIGN = 16   /* bytes; every frame and every column payload */
};

/* The numbers travel between processes: never renumber. */
enum cadre_frame_type {
    CADRE_FRAME_HELLO = 1,
    CADRE_FRAME_WELCOME = 2,
    CADRE_FRAME_REFUSE = 3,
    CADRE_FRAME_FUNCTION = 4,
    CADRE_FRAME_BATCH = 5,
    CADRE_FRAME_RESULTS = 6,
    CADRE_FRAME_BYE = 7,
    CADRE_FRAME_TEAM = 8,
    CADRE_FRAME_READY = 9,
    CADRE_FRAME_INIT = 10,
    CADRE_FRAME_DISBAND = 11,
    CADRE_FRAME_CLOSE = 12,
    CADRE_FRAME_NEWS = 13,
    CADRE_FRAME_STORE_PUT = 14,
    CADRE_FRAME_LETTER = 17, /* 15 and 16 are reserved for the store */
    CADRE_FRAME_PULSE = 18
};

/* A growing, 16-aligned byte buffer that frames are encoded into, one after
 * another. Zeroed memory is an empty buffer. */
struct cadre_buffer {
    unsigned char *data;
    size_t len;               /* bytes in use */
    size_t capacity;          /* bytes allocated */
    struct cadre_bulks bulks; /* that go beside the frames */
};

/* Make room for `more` bytes after `len`; CADRE_ENOMEM leaves it as it was. */
cadre_err cadre_buffer_reserve(struct cadre_buffer *buffer, size_t more);
void cadre_buffer_fini(struct cadre_buffer *buffer); /* frees; then empty */

/* Take back what stands from byte `len` on, with its bulks. */
void cadre_buffer_cut(struct cadre_buffer *buffer, size_t len);

/* The decoded header of a frame. */
struct cadre_frame {
    enum cadre_frame_type type;
    uint32_t generation;
    const unsigned char *body; /* after the header; lent by the input */
    size_t body_len;
    size_t len; /* of the whole frame: where the next one starts */
    struct cadre_bulks *bulks; /* of its message, for who has received that to
                                  fill in; decode sets NULL */
};

/* Read the frame at the start of `data`.
 *
 * CADRE_EPROTO    not a frame, cut short, or of an unknown type.
 * CADRE_EVERSION  a frame of another protocol version; `error` names both.
 */
cadre_err cadre_frame_decode(const void *data, size_t len,
                             struct cadre_frame *frame,
                             struct cadre_error *error);

/* Controller to worker: who calls. */
struct cadre_msg_hello {
    char version[16];       /* of the library, "0.1.0" */
    char host[64];          /* the controller's host name */
    uint64_t pid_namespace; /* inode of its PID namespace: pids compare only if
                               host and this are the same */
    int32_t pid;
    int32_t bell_fd; /* the controller's doorbell memory (bell.h), -1: none */
    uint32_t bell_base;  /* bell of worker 0 of this crew; the controller's own
                            is bell 0 */
    uint32_t spin_us;    /* how long to poll before sleeping */
    uint32_t beat_ms;    /* PULSE between hosts so often, ... */
    uint32_t silence_ms; /* ... and without it for so long: the end. Both 0: the
                            controller does not */
};

/* Worker to controller: here I am. */
struct cadre_msg_welcome {
    char version[16];
    char host[64];
    uint64_t pid_namespace;
    int32_t pid;
    uint32_t has_bell;  /* 1: it opened the doorbell memory */
    uint32_t has_pulse; /* 1: it is on another host, sends PULSE and wants it
                         */
};

/* Worker to controller: I cannot work for you. The worker then waits for BYE.
 */
struct cadre_msg_refuse {
    int32_t err;      /* cadre_err */
    const char *text; /* lent by the input when decoded */
};

/* Controller to worker: from now on `id` means this function. */
struct cadre_msg_function {
    uint32_t id;         /* unique among one controller's functions, never 0 */
    const char *library; /* "": a task of the program itself */
    const char *symbol;
    const char *written;  /* prototype, as written */
    const char *expanded; /* and after the preprocessor; "" if there is none */
};

/* Controller to worker: run these tasks. The arguments (pack.h) follow. */
struct cadre_msg_batch {
    uint64_t job;              /* names the tasks together with `first` */
    uint64_t first;            /* index of the first row in its job */
    uint64_t count;            /* rows, 1 or more */
    uint32_t function;         /* id of an earlier FUNCTION */
    uint32_t team;             /* number of an earlier TEAM */
    uint32_t attempt;          /* these tasks' first, second, ... (from 1) */
    const unsigned char *args; /* lent by the input when decoded */
    size_t args_len;
    struct cadre_bulks *bulks; /* the frame's */
};

/* Worker to controller: these tasks have ended. The outputs (pack.h) follow. */
struct cadre_msg_results {
    uint64_t job;
    uint64_t first;
    uint64_t count;      /* rows, 1 or more */
    uint64_t elapsed_ns; /* running them took this long on the worker */
    uint32_t nfailures;  /* failure records, one for each failed row */
    const unsigned char *failures; /* read with cadre_failure_next() */
    size_t failures_len;
    const unsigned char *outputs; /* lent by the input when decoded */
    size_t outputs_len;
    struct cadre_bulks *bulks; /* the frame's */
};

/* Controller to worker: from now on `team` means these processes, of which you
 * are number `rank`. They make a communicator, all at the same time. */
struct cadre_msg_team {
    uint32_t team;   /* unique among one controller's teams, never 0 */
    uint32_t object; /* whose store it works with; never 0 */
    uint32_t rank;
    uint32_t size;     /* 1 to CADRE_TEAM_MAX */
    uint32_t has_all;  /* 1: every rank's outputs are wanted, 0: only
                          those of rank 0 */
    uint32_t isolates; /* 1: each task runs in a process of its own; only with
                          size 1 */
    uint32_t cpu_ms;   /* and may use so much; 0: without limit */
    uint64_t memory;   /* bytes; likewise */
    const unsigned char *members; /* their numbers in the crew by rank, read
                                     with cadre_team_member(); lent */
    const unsigned char *place;   /* where to run: cadre_place_encode(); lent */
    size_t place_len;             /* 0: anywhere */
};

enum {
    CADRE_TEAM_MAX = 1 << 16,
    CADRE_TEAM_MEMBER = 4 /* bytes in `members` */
};

/* Controller to worker: fill the store of the team's object. */
struct cadre_msg_init {
    uint32_t team;
    uint32_t function; /* id of an earlier FUNCTION */
};

/* Controller to worker: keep this value (store.h) in the store of the team's
 * object. A large one is a bulk. */
struct cadre_msg_store_put {
    uint32_t team;
    const unsigned char *data; /* as cadre_kept_encode() wrote it; lent by the
                                  input when decoded */
    size_t len;
    struct cadre_keeper *keeper; /* encoding: of `data`, if it goes apart */
};

/* Worker to controller: INIT has ended, or a TEAM could not be formed. */
struct cadre_msg_ready {
    uint32_t team;
    int32_t err;      /* cadre_err; CADRE_OK: it is ready */
    int32_t kind;     /* the function's own number (cadre_task_fail) */
    const char *text; /* why not; "" */
};

/* Controller to worker: `number` is the team's (DISBAND) or the object's
 * (CLOSE). */
struct cadre_msg_end {
    uint32_t number;
};

/* Worker to controller: how far a running task is. */
struct cadre_msg_news {
    uint64_t job;
    uint64_t row;
    double progress;  /* 0 to 1 */
    const char *text; /* "" */
};

/* The numbers travel between processes: never renumber. */
enum cadre_pulse_kind {
    CADRE_PULSE_KIND_BEAT = 1, /* I am here */
    CADRE_PULSE_KIND_END = 2   /* controller to worker: end your process */
};

enum { CADRE_PULSE_LEN = 32 }; /* bytes of the whole frame */

/* Either to the other, between hosts. */
struct cadre_msg_pulse {
    enum cadre_pulse_kind kind;
};

/* Either to the other: values that mean something to the two programs. */
struct cadre_msg_letter {
    int32_t tag;    /* what kind of letter this is, to the programs */
    uint32_t count; /* 0 to CADRE_PARTS_MAX */
    struct cadre_part
        parts[CADRE_PARTS_MAX]; /* lent by the input when decoded */
};

/* One failed row. */
struct cadre_failure {
    uint64_t row;     /* index in the job */
    int32_t err;      /* cadre_err */
    int32_t kind;     /* the function's own number (cadre_task_fail) */
    uint32_t rank;    /* in the team */
    const char *text; /* ended by zero; lent by the input when decoded */
};

/* Each encode appends one whole frame to `buffer`; CADRE_ENOMEM leaves it as it
 * was. Texts longer than 65,535 bytes are cut. */
cadre_err cadre_hello_encode(const struct cadre_msg_hello *msg,
                             uint32_t generation, struct cadre_buffer *buffer);
cadre_err cadre_welcome_encode(const struct cadre_msg_welcome *msg,
                               uint32_t generation,
                               struct cadre_buffer *buffer);
cadre_err cadre_refuse_encode(const struct cadre_msg_refuse *msg,
                              uint32_t generation, struct cadre_buffer *buffer);
cadre_err cadre_function_encode(const struct cadre_msg_function *msg,
                                uint32_t generation,
                                struct cadre_buffer *buffer);
cadre_err cadre_bye_encode(uint32_t generation, struct cadre_buffer *buffer);

cadre_err cadre_team_encode(const struct cadre_msg_team *msg,
                            uint32_t generation, struct cadre_buffer *buffer);
cadre_err cadre_init_encode(const struct cadre_msg_init *msg,
                            uint32_t generation, struct cadre_buffer *buffer);
cadre_err cadre_ready_encode(const struct cadre_msg_ready *msg,
                             uint32_t generation, struct cadre_buffer *buffer);
cadre_err cadre_disband_encode(const struct cadre_msg_end *msg,
                               uint32_t generation,
                               struct cadre_buffer *buffer);
cadre_err cadre_close_encode(const struct cadre_msg_end *msg,
                             uint32_t generation, struct cadre_buffer *buffer);
cadre_err cadre_news_encode(const struct cadre_msg_news *msg,
                            uint32_t generation, struct cadre_buffer *buffer);
cadre_err cadre_store_put_encode(const struct cadre_msg_store_put *msg,
                                 uint32_t generation,
                                 struct cadre_buffer *buffer);
cadre_err cadre_pulse_encode(const struct cadre_msg_pulse *msg,
                             uint32_t generation, struct cadre_buffer *buffer);

cadre_err cadre_letter_encode(const struct cadre_msg_letter *msg,
                              uint32_t generation, struct cadre_buffer *buffer);

/* Number in the crew of the team's rank `rank`; for encoding, `members` is an
 * array written with cadre_team_put_member(). */
uint32_t cadre_team_member(const struct cadre_msg_team *msg, uint32_t rank);
void cadre_team_put_member(unsigned char *members, uint32_t rank,
                           uint32_t member);

/* BATCH and RESULTS are written in two steps, so that the columns go straight
 * into the frame: begin, append the columns (pack.h), end. `*mark` remembers
 * where the frame began; cadre_frame_abort() takes a begun frame back. */
cadre_err cadre_batch_begin(const struct cadre_msg_batch *msg,
                            uint32_t generation, struct cadre_buffer *buffer,
                            size_t *mark);
cadre_err cadre_batch_end(struct cadre_buffer *buffer, size_t mark);

/* RESULTS: begin, cadre_failure_add() for each failed row in ascending order,
 * the outputs, end. begin takes job and first; end fills in count and time. */
cadre_err cadre_results_begin(const struct cadre_msg_results *msg,
                              uint32_t generation, struct cadre_buffer *buffer,
                              size_t *mark);
cadre_err cadre_failure_add(const struct cadre_failure *failure,
                            struct cadre_buffer *buffer, size_t mark);
cadre_err cadre_results_outputs(struct cadre_buffer *buffer, size_t mark);
cadre_err cadre_results_end(struct cadre_buffer *buffer, size_t mark,
                            uint64_t count, uint64_t elapsed_ns);
void cadre_frame_abort(struct cadre_buffer *buffer, size_t mark);

/* Each decode reads the body of a frame of its type. CADRE_EPROTO, with
 * `error` naming the field, if it is cut short or holds an impossible value. */
cadre_err cadre_hello_decode(const struct cadre_frame *frame,
                             struct cadre_msg_hello *msg,
                             struct cadre_error *error);
cadre_err cadre_welcome_decode(const struct cadre_frame *frame,
                               struct cadre_msg_welcome *msg,
                               struct cadre_error *error);
cadre_err cadre_refuse_decode(const struct cadre_frame *frame,
                              struct cadre_msg_refuse *msg,
                              struct cadre_error *error);
cadre_err cadre_function_decode(const struct cadre_frame *frame,
                                struct cadre_msg_function *msg,
                                struct cadre_error *error);
cadre_err cadre_batch_decode(const struct cadre_frame *frame,
                             struct cadre_msg_batch *msg,
                             struct cadre_error *error);
cadre_err cadre_results_decode(const struct cadre_frame *frame,
                               struct cadre_msg_results *msg,
                               struct cadre_error *error);

cadre_err cadre_team_decode(const struct cadre_frame *frame,
                            struct cadre_msg_team *msg,
                            struct cadre_error *error);
cadre_err cadre_init_decode(const struct cadre_frame *frame,
                            struct cadre_msg_init *msg,
                            struct cadre_error *error);
cadre_err cadre_ready_decode(const struct cadre_frame *frame,
                             struct cadre_msg_ready *msg,
                             struct cadre_error *error);
cadre_err cadre_end_decode(const struct cadre_frame *frame, /* DISBAND, CLOSE */
                           struct cadre_msg_end *msg,
                           struct cadre_error *error);
cadre_err cadre_news_decode(const struct cadre_frame *frame,
                            struct cadre_msg_news *msg,
                            struct cadre_error *error);
cadre_err cadre_store_put_decode(const struct cadre_frame *frame,
                                 struct cadre_msg_store_put *msg,
                                 struct cadre_error *error);
cadre_err cadre_pulse_decode(const struct cadre_frame *frame,
                             struct cadre_msg_pulse *msg,
                             struct cadre_error *error);

/* Sets `*msg` on failure too. */
cadre_err cadre_letter_decode(const struct cadre_frame *frame,
                              struct cadre_msg_letter *msg,
                              struct cadre_error *error);

/* Walk the failure records: `*at` starts at 0; false when there are no more.
 * cadre_results_decode() has checked them. */
bool cadre_failure_next(const struct cadre_msg_results *msg, size_t *at,
                        struct cadre_failure *failure);

#endif
