/* frame.c - the messages as bytes. The layout of each is its encode function,
 * read from top to bottom; the decode function below it reads the same fields
 * in the same order.
 */
#include "frame_fields.h"

#include <inttypes.h>

enum {
    /* Offsets in the frame of what is filled in at the end. */
    BATCH_ARGS_LEN_AT = 64,
    BATCH_ARGS_AT = 80, /* a multiple of CADRE_FRAME_ALIGN */
    RESULTS_COUNT_AT = 40,
    RESULTS_ELAPSED_AT = 48,
    RESULTS_NFAILURES_AT = 56,
    RESULTS_FAILURES_LEN_AT = 64,
    RESULTS_OUTPUTS_LEN_AT = 72,
    RESULTS_FAILURES_AT = 80
};

/* In a frame under way: the failures have not ended yet. */
#define FAILURES_OPEN UINT64_MAX

cadre_err cadre_frame_decode(const void *data, size_t len,
                             struct cadre_frame *frame,
                             struct cadre_error *error)
{
    const unsigned char *at = data;
    unsigned version, type;
    uint64_t frame_len;

    if (len < CADRE_FRAME_HEADER)
        return cadre_error_set(error, CADRE_EPROTO,
                               "a frame is cut short: %zu bytes", len);
    if (memcmp(at, magic, sizeof magic) != 0)
        return cadre_error_set(error, CADRE_EPROTO,
                               "no frame: it starts with %02x%02x%02x%02x",
                               at[0], at[1], at[2], at[3]);
    if ((version = cadre_get_u16(at + 4)) != CADRE_FRAME_VERSION)
        return cadre_error_set(error, CADRE_EVERSION,
                               "the other side speaks version %u of the "
                               "protocol, this side version %d",
                               version, CADRE_FRAME_VERSION);
    type = cadre_get_u16(at + 6);
    if (type < CADRE_FRAME_HELLO ||
        (type > CADRE_FRAME_STORE_PUT && type != CADRE_FRAME_LETTER &&
         type != CADRE_FRAME_PULSE))
        return cadre_error_set(error, CADRE_EPROTO,
                               "a frame of unknown type %u", type);
    frame_len = cadre_get_u64(at + LENGTH_AT);
    if (frame_len > len)
        return cadre_error_set(error, CADRE_EPROTO,
                               "a frame of %" PRIu64
                               " bytes is cut short: %zu bytes",
                               frame_len, len);
    if (frame_len < CADRE_FRAME_HEADER || frame_len % CADRE_FRAME_ALIGN != 0 ||
        cadre_get_u32(at + 20) != 0)
        return cadre_error_set(error, CADRE_EPROTO,
                               "a damaged frame header: length %" PRIu64,
                               frame_len);
    *frame = (struct cadre_frame){
        .type = (enum cadre_frame_type)type,
        .generation = cadre_get_u32(at + 16),
        .body = at + CADRE_FRAME_HEADER,
        .body_len = (size_t)frame_len - CADRE_FRAME_HEADER,
        .len = (size_t)frame_len,
    };
    return CADRE_OK;
}

cadre_err cadre_hello_encode(const struct cadre_msg_hello *msg,
                             uint32_t generation, struct cadre_buffer *buffer)
{
    size_t mark;

    if (begin(buffer, CADRE_FRAME_HELLO, generation, sizeof *msg, &mark) !=
        CADRE_OK)
        return CADRE_ENOMEM;
    put_name(buffer, msg->version, sizeof msg->version);
    put_name(buffer, msg->host, sizeof msg->host);
    put_u64(buffer, msg->pid_namespace);
    put_u32(buffer, (uint32_t)msg->pid);
    put_u32(buffer, (uint32_t)msg->bell_fd);
    put_u32(buffer, msg->bell_base);
    put_u32(buffer, msg->spin_us);
    put_u32(buffer, msg->beat_ms);
    put_u32(buffer, msg->silence_ms);
    return end(buffer, mark);
}

cadre_err cadre_hello_decode(const struct cadre_frame *frame,
                             struct cadre_msg_hello *msg,
                             struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_HELLO, "HELLO", error);
    struct cadre_msg_hello m;

    get_name(&r, m.version, sizeof m.version, "version");
    get_name(&r, m.host, sizeof m.host, "host");
    m.pid_namespace = get_u64(&r, "pid_namespace");
    m.pid = get_i32(&r, "pid");
    m.bell_fd = get_i32(&r, "bell_fd");
    m.bell_base = get_u32(&r, "bell_base");
    m.spin_us = get_u32(&r, "spin_us");
    m.beat_ms = get_u32(&r, "beat_ms");
    m.silence_ms = get_u32(&r, "silence_ms");
    if ((m.beat_ms == 0) != (m.silence_ms == 0))
        complain(&r, "silence_ms", "does not fit beat_ms");
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

cadre_err cadre_welcome_encode(const struct cadre_msg_welcome *msg,
                               uint32_t generation, struct cadre_buffer *buffer)
{
    size_t mark;

    if (begin(buffer, CADRE_FRAME_WELCOME, generation, sizeof *msg, &mark) !=
        CADRE_OK)
        return CADRE_ENOMEM;
    put_name(buffer, msg->version, sizeof msg->version);
    put_name(buffer, msg->host, sizeof msg->host);
    put_u64(buffer, msg->pid_namespace);
    put_u32(buffer, (uint32_t)msg->pid);
    put_u32(buffer, msg->has_bell);
    put_u32(buffer, msg->has_pulse);
    return end(buffer, mark);
}

cadre_err cadre_welcome_decode(const struct cadre_frame *frame,
                               struct cadre_msg_welcome *msg,
                               struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_WELCOME, "WELCOME", error);
    struct cadre_msg_welcome m;

    get_name(&r, m.version, sizeof m.version, "version");
    get_name(&r, m.host, sizeof m.host, "host");
    m.pid_namespace = get_u64(&r, "pid_namespace");
    m.pid = get_i32(&r, "pid");
    m.has_bell = get_u32(&r, "has_bell");
    if (m.has_bell > 1)
        complain(&r, "has_bell", "is neither 0 nor 1");
    m.has_pulse = get_u32(&r, "has_pulse");
    if (m.has_pulse > 1)
        complain(&r, "has_pulse", "is neither 0 nor 1");
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

cadre_err cadre_pulse_encode(const struct cadre_msg_pulse *msg,
                             uint32_t generation, struct cadre_buffer *buffer)
{
    size_t mark;

    if (begin(buffer, CADRE_FRAME_PULSE, generation, 8, &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u32(buffer, (uint32_t)msg->kind);
    put_u32(buffer, 0);
    return end(buffer, mark);
}

cadre_err cadre_pulse_decode(const struct cadre_frame *frame,
                             struct cadre_msg_pulse *msg,
                             struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_PULSE, "PULSE", error);
    uint32_t kind = get_u32(&r, "kind");

    if (kind != CADRE_PULSE_KIND_BEAT && kind != CADRE_PULSE_KIND_END)
        complain(&r, "kind", "is neither 1 nor 2");
    get_padding(&r, 4);
    if (finish(&r) == CADRE_OK)
        msg->kind = (enum cadre_pulse_kind)kind;
    return r.err;
}

cadre_err cadre_refuse_encode(const struct cadre_msg_refuse *msg,
                              uint32_t generation, struct cadre_buffer *buffer)
{
    size_t mark;

    if (begin(buffer, CADRE_FRAME_REFUSE, generation, 4 + text_size(msg->text),
              &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u32(buffer, (uint32_t)msg->err);
    put_text(buffer, msg->text);
    return end(buffer, mark);
}

cadre_err cadre_refuse_decode(const struct cadre_frame *frame,
                              struct cadre_msg_refuse *msg,
                              struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_REFUSE, "REFUSE", error);
    struct cadre_msg_refuse m;

    m.err = get_err(&r, "err");
    m.text = get_text(&r, "text");
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

cadre_err cadre_function_encode(const struct cadre_msg_function *msg,
                                uint32_t generation,
                                struct cadre_buffer *buffer)
{
    size_t mark;

    if (begin(buffer, CADRE_FRAME_FUNCTION, generation,
              4 + text_size(msg->library) + text_size(msg->symbol) +
                  text_size(msg->written) + text_size(msg->expanded),
              &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u32(buffer, msg->id);
    put_text(buffer, msg->library);
    put_text(buffer, msg->symbol);
    put_text(buffer, msg->written);
    put_text(buffer, msg->expanded);
    return end(buffer, mark);
}

cadre_err cadre_function_decode(const struct cadre_frame *frame,
                                struct cadre_msg_function *msg,
                                struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_FUNCTION, "FUNCTION", error);
    struct cadre_msg_function m;

    m.id = get_u32(&r, "id");
    if (m.id == 0)
        complain(&r, "id", "is 0");
    m.library = get_text(&r, "library");
    m.symbol = get_text(&r, "symbol");
    m.written = get_text(&r, "written");
    m.expanded = get_text(&r, "expanded");
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

cadre_err cadre_bye_encode(uint32_t generation, struct cadre_buffer *buffer)
{
    size_t mark;

    if (begin(buffer, CADRE_FRAME_BYE, generation, 0, &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    return end(buffer, mark);
}

/* Rows [first, first + count), at least one. */
static void check_rows(struct reader *r, uint64_t first, uint64_t count)
{
    uint64_t end;

    if (count == 0)
        complain(r, "count", "is 0");
    else if (__builtin_add_overflow(first, count, &end))
        complain(r, "count", "is too large");
}

cadre_err cadre_batch_begin(const struct cadre_msg_batch *msg,
                            uint32_t generation, struct cadre_buffer *buffer,
                            size_t *mark)
{
    if (begin(buffer, CADRE_FRAME_BATCH, generation,
              BATCH_ARGS_AT - CADRE_FRAME_HEADER, mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u64(buffer, msg->job);
    put_u64(buffer, msg->first);
    put_u64(buffer, msg->count);
    put_u32(buffer, msg->function);
    put_u32(buffer, msg->team);
    put_u32(buffer, msg->attempt);
    put_u32(buffer, 0);
    put_u64(buffer, 0); /* bytes of arguments: cadre_batch_end() */
    put_u64(buffer, 0);
    assert(buffer->len - *mark == BATCH_ARGS_AT);
    return CADRE_OK;
}

cadre_err cadre_batch_end(struct cadre_buffer *buffer, size_t mark)
{
    size_t args_len = buffer->len - mark - BATCH_ARGS_AT;

    if (end(buffer, mark) != CADRE_OK)
        return CADRE_ENOMEM;
    cadre_put_u64(buffer->data + mark + BATCH_ARGS_LEN_AT, args_len);
    return CADRE_OK;
}

cadre_err cadre_batch_decode(const struct cadre_frame *frame,
                             struct cadre_msg_batch *msg,
                             struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_BATCH, "BATCH", error);
    struct cadre_msg_batch m;
    uint64_t args_len;

    m.job = get_u64(&r, "job");
    m.first = get_u64(&r, "first");
    m.count = get_u64(&r, "count");
    check_rows(&r, m.first, m.count);
    m.function = get_u32(&r, "function");
    if (m.function == 0)
        complain(&r, "function", "is 0");
    m.team = get_u32(&r, "team");
    if (m.team == 0)
        complain(&r, "team", "is 0");
    m.attempt = get_u32(&r, "attempt");
    get_padding(&r, 4);
    args_len = get_u64(&r, "args_len");
    get_padding(&r, 8);
    m.args = get_bytes(&r, args_len, "args");
    m.args_len = (size_t)args_len;
    m.bulks = frame->bulks;
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

cadre_err cadre_results_begin(const struct cadre_msg_results *msg,
                              uint32_t generation, struct cadre_buffer *buffer,
                              size_t *mark)
{
    if (begin(buffer, CADRE_FRAME_RESULTS, generation,
              RESULTS_FAILURES_AT - CADRE_FRAME_HEADER, mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u64(buffer, msg->job);
    put_u64(buffer, msg->first);
    put_u64(buffer, 0); /* count, elapsed_ns: cadre_results_end() */
    put_u64(buffer, 0);
    put_u32(buffer, 0); /* nfailures: cadre_failure_add() */
    put_u32(buffer, 0);
    put_u64(buffer, FAILURES_OPEN);
    put_u64(buffer, 0);
    assert(buffer->len - *mark == RESULTS_FAILURES_AT);
    return CADRE_OK;
}

cadre_err cadre_failure_add(const struct cadre_failure *failure,
                            struct cadre_buffer *buffer, size_t mark)
{
    unsigned char *nfailures;

    if (cadre_buffer_reserve(buffer, 20 + text_size(failure->text)) != CADRE_OK)
        return CADRE_ENOMEM;
    nfailures = buffer->data + mark + RESULTS_NFAILURES_AT;
    cadre_put_u32(nfailures, cadre_get_u32(nfailures) + 1);
    put_u64(buffer, failure->row);
    put_u32(buffer, (uint32_t)failure->err);
    put_u32(buffer, (uint32_t)failure->kind);
    put_u32(buffer, failure->rank);
    put_text(buffer, failure->text);
    return CADRE_OK;
}

cadre_err cadre_results_outputs(struct cadre_buffer *buffer, size_t mark)
{
    size_t failures_len = buffer->len - mark - RESULTS_FAILURES_AT;

    if (pad(buffer) != CADRE_OK)
        return CADRE_ENOMEM;
    cadre_put_u64(buffer->data + mark + RESULTS_FAILURES_LEN_AT, failures_len);
    return CADRE_OK;
}

/* Where the outputs of the frame at `mark` start, counted from it. */
static size_t outputs_at(const struct cadre_buffer *buffer, size_t mark)
{
    uint64_t failures_len =
        cadre_get_u64(buffer->data + mark + RESULTS_FAILURES_LEN_AT);

    assert(failures_len != FAILURES_OPEN); /* cadre_results_outputs() */
    return RESULTS_FAILURES_AT + (size_t)failures_len +
           padding((size_t)failures_len);
}

cadre_err cadre_results_end(struct cadre_buffer *buffer, size_t mark,
                            uint64_t count, uint64_t elapsed_ns)
{
    size_t outputs_len = buffer->len - mark - outputs_at(buffer, mark);

    if (end(buffer, mark) != CADRE_OK)
        return CADRE_ENOMEM;
    cadre_put_u64(buffer->data + mark + RESULTS_COUNT_AT, count);
    cadre_put_u64(buffer->data + mark + RESULTS_ELAPSED_AT, elapsed_ns);
    cadre_put_u64(buffer->data + mark + RESULTS_OUTPUTS_LEN_AT, outputs_len);
    return CADRE_OK;
}

void cadre_frame_abort(struct cadre_buffer *buffer, size_t mark)
{
    cadre_buffer_cut(buffer, mark);
}

static void get_failure(struct reader *r, struct cadre_failure *failure)
{
    failure->row = get_u64(r, "failure row");
    failure->err = get_err(r, "failure err");
    failure->kind = get_i32(r, "failure kind");
    failure->rank = get_u32(r, "failure rank");
    failure->text = get_text(r, "failure text");
}

/* The records must be as many as said, fill their bytes exactly and name rows
 * of this message in ascending order. */
static void check_failures(struct reader *r, const struct cadre_msg_results *m)
{
    struct cadre_failure failure;
    struct reader f = *r;
    uint64_t first = m->first;

    if (r->err != CADRE_OK)
        return;
    f.at = m->failures;
    f.end = m->failures + m->failures_len;
    for (uint32_t n = 0; n < m->nfailures && f.err == CADRE_OK; n++) {
        get_failure(&f, &failure);
        if (f.err == CADRE_OK &&
            (failure.row < first || failure.row - m->first >= m->count))
            complain(&f, "failure row", "is out of order or range");
        first = failure.row + 1;
    }
    if (f.err == CADRE_OK && f.at != f.end)
        complain(&f, "failures", "are more than it says");
    r->err = f.err;
}

cadre_err cadre_results_decode(const struct cadre_frame *frame,
                               struct cadre_msg_results *msg,
                               struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_RESULTS, "RESULTS", error);
    struct cadre_msg_results m;
    uint64_t failures_len, outputs_len;

    m.job = get_u64(&r, "job");
    m.first = get_u64(&r, "first");
    m.count = get_u64(&r, "count");
    check_rows(&r, m.first, m.count);
    m.elapsed_ns = get_u64(&r, "elapsed_ns");
    m.nfailures = get_u32(&r, "nfailures");
    get_padding(&r, 4);
    failures_len = get_u64(&r, "failures_len");
    outputs_len = get_u64(&r, "outputs_len");
    m.failures = get_bytes(&r, failures_len, "failures");
    m.failures_len = (size_t)failures_len;
    check_failures(&r, &m);
    get_padding(&r, padding(m.failures_len));
    m.outputs = get_bytes(&r, outputs_len, "outputs");
    m.outputs_len = (size_t)outputs_len;
    m.bulks = frame->bulks;
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

bool cadre_failure_next(const struct cadre_msg_results *msg, size_t *at,
                        struct cadre_failure *failure)
{
    struct reader r = {.at = msg->failures + *at,
                       .end = msg->failures + msg->failures_len,
                       .message = "RESULTS"};

    if (r.at == r.end)
        return false;
    get_failure(&r, failure);
    assert(r.err == CADRE_OK);
    *at = (size_t)(r.at - msg->failures);
    return true;
}
