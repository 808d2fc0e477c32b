/* frame_team.c - the messages about teams: TEAM, INIT, READY, DISBAND, CLOSE,
 * NEWS. */
#include "frame_fields.h"

#include <math.h>

uint32_t cadre_team_member(const struct cadre_msg_team *msg, uint32_t rank)
{
    return cadre_get_u32(msg->members + (size_t)rank * CADRE_TEAM_MEMBER);
}

void cadre_team_put_member(unsigned char *members, uint32_t rank,
                           uint32_t member)
{
    cadre_put_u32(members + (size_t)rank * CADRE_TEAM_MEMBER, member);
}

cadre_err cadre_team_encode(const struct cadre_msg_team *msg,
                            uint32_t generation, struct cadre_buffer *buffer)
{
    size_t members_len = (size_t)msg->size * CADRE_TEAM_MEMBER, mark;

    if (begin(buffer, CADRE_FRAME_TEAM, generation,
              44 + members_len + msg->place_len, &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u32(buffer, msg->team);
    put_u32(buffer, msg->object);
    put_u32(buffer, msg->rank);
    put_u32(buffer, msg->size);
    put_u32(buffer, msg->has_all);
    put_u32(buffer, msg->isolates);
    put_u32(buffer, msg->cpu_ms);
    put_u64(buffer, msg->memory);
    put_u64(buffer, msg->place_len);
    put_bytes(buffer, msg->members, members_len);
    if (msg->place_len > 0)
        put_bytes(buffer, msg->place, msg->place_len);
    return end(buffer, mark);
}

cadre_err cadre_team_decode(const struct cadre_frame *frame,
                            struct cadre_msg_team *msg,
                            struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_TEAM, "TEAM", error);
    struct cadre_msg_team m;
    uint64_t place_len;

    m.team = get_u32(&r, "team");
    m.object = get_u32(&r, "object");
    m.rank = get_u32(&r, "rank");
    m.size = get_u32(&r, "size");
    m.has_all = get_u32(&r, "has_all");
    m.isolates = get_u32(&r, "isolates");
    m.cpu_ms = get_u32(&r, "cpu_ms");
    m.memory = get_u64(&r, "memory");
    place_len = get_u64(&r, "place_len");
    if (m.team == 0)
        complain(&r, "team", "is 0");
    if (m.object == 0)
        complain(&r, "object", "is 0");
    if (m.size == 0 || m.size > CADRE_TEAM_MAX)
        complain(&r, "size", "is out of range");
    if (m.rank >= m.size)
        complain(&r, "rank", "is not below the size");
    if (m.has_all > 1)
        complain(&r, "has_all", "is neither 0 nor 1");
    if (m.isolates > 1 || (m.isolates == 1 && m.size > 1))
        complain(&r, "isolates", "is neither 0 nor 1, or the team too large");
    m.members = get_bytes(&r, (uint64_t)m.size * CADRE_TEAM_MEMBER, "members");
    m.place = get_bytes(&r, place_len, "place");
    m.place_len = (size_t)place_len;
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

cadre_err cadre_init_encode(const struct cadre_msg_init *msg,
                            uint32_t generation, struct cadre_buffer *buffer)
{
    size_t mark;

    if (begin(buffer, CADRE_FRAME_INIT, generation, 8, &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u32(buffer, msg->team);
    put_u32(buffer, msg->function);
    return end(buffer, mark);
}

cadre_err cadre_init_decode(const struct cadre_frame *frame,
                            struct cadre_msg_init *msg,
                            struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_INIT, "INIT", error);
    struct cadre_msg_init m;

    m.team = get_u32(&r, "team");
    m.function = get_u32(&r, "function");
    if (m.team == 0)
        complain(&r, "team", "is 0");
    if (m.function == 0)
        complain(&r, "function", "is 0");
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

cadre_err cadre_ready_encode(const struct cadre_msg_ready *msg,
                             uint32_t generation, struct cadre_buffer *buffer)
{
    size_t mark;

    if (begin(buffer, CADRE_FRAME_READY, generation, 12 + text_size(msg->text),
              &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u32(buffer, msg->team);
    put_u32(buffer, (uint32_t)msg->err);
    put_u32(buffer, (uint32_t)msg->kind);
    put_text(buffer, msg->text);
    return end(buffer, mark);
}

cadre_err cadre_ready_decode(const struct cadre_frame *frame,
                             struct cadre_msg_ready *msg,
                             struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_READY, "READY", error);
    struct cadre_msg_ready m;

    m.team = get_u32(&r, "team");
    m.err = get_i32(&r, "err");
    m.kind = get_i32(&r, "kind");
    if (m.team == 0)
        complain(&r, "team", "is 0");
    if (m.err < CADRE_OK || m.err > CADRE_ERR_LAST)
        complain(&r, "err", "is no error code");
    m.text = get_text(&r, "text");
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

static cadre_err encode_end(enum cadre_frame_type type,
                            const struct cadre_msg_end *msg,
                            uint32_t generation, struct cadre_buffer *buffer)
{
    size_t mark;

    if (begin(buffer, type, generation, 4, &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u32(buffer, msg->number);
    return end(buffer, mark);
}

cadre_err cadre_disband_encode(const struct cadre_msg_end *msg,
                               uint32_t generation, struct cadre_buffer *buffer)
{
    return encode_end(CADRE_FRAME_DISBAND, msg, generation, buffer);
}

cadre_err cadre_close_encode(const struct cadre_msg_end *msg,
                             uint32_t generation, struct cadre_buffer *buffer)
{
    return encode_end(CADRE_FRAME_CLOSE, msg, generation, buffer);
}

cadre_err cadre_end_decode(const struct cadre_frame *frame,
                           struct cadre_msg_end *msg, struct cadre_error *error)
{
    struct reader r = reader_of(
        frame, frame->type,
        frame->type == CADRE_FRAME_DISBAND ? "DISBAND" : "CLOSE", error);
    struct cadre_msg_end m;

    m.number = get_u32(&r, "number");
    if (m.number == 0)
        complain(&r, "number", "is 0");
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

cadre_err cadre_news_encode(const struct cadre_msg_news *msg,
                            uint32_t generation, struct cadre_buffer *buffer)
{
    uint64_t bits;
    size_t mark;

    if (begin(buffer, CADRE_FRAME_NEWS, generation, 24 + text_size(msg->text),
              &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    memcpy(&bits, &msg->progress, sizeof bits);
    put_u64(buffer, msg->job);
    put_u64(buffer, msg->row);
    put_u64(buffer, bits);
    put_text(buffer, msg->text);
    return end(buffer, mark);
}

cadre_err cadre_news_decode(const struct cadre_frame *frame,
                            struct cadre_msg_news *msg,
                            struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_NEWS, "NEWS", error);
    struct cadre_msg_news m;
    uint64_t bits;

    m.job = get_u64(&r, "job");
    m.row = get_u64(&r, "row");
    bits = get_u64(&r, "progress");
    memcpy(&m.progress, &bits, sizeof bits);
    if (!(m.progress >= 0 && m.progress <= 1))
        complain(&r, "progress", "is not between 0 and 1");
    m.text = get_text(&r, "text");
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}

/* A large value goes beside the frame. */
cadre_err cadre_store_put_encode(const struct cadre_msg_store_put *msg,
                                 uint32_t generation,
                                 struct cadre_buffer *buffer)
{
    bool is_apart = msg->len >= CADRE_BULK_MIN;
    size_t within = is_apart ? 0 : msg->len, mark;

    if ((is_apart && !cadre_bulks_reserve(&buffer->bulks, 1)) ||
        begin(buffer, CADRE_FRAME_STORE_PUT, generation, 24 + within, &mark) !=
            CADRE_OK)
        return CADRE_ENOMEM;
    if (is_apart) {
        cadre_keeper_hold(msg->keeper);
        buffer->bulks.list[buffer->bulks.count++] =
            (struct cadre_bulk){.data = (void *)(uintptr_t)msg->data,
                                .len = msg->len,
                                .at = mark,
                                .keeper = msg->keeper};
    }
    put_u32(buffer, msg->team);
    put_u32(buffer, is_apart ? (uint32_t)buffer->bulks.count : 0);
    put_u64(buffer, msg->len);
    put_zeros(buffer, 8);
    put_bytes(buffer, msg->data, within);
    return end(buffer, mark);
}

cadre_err cadre_store_put_decode(const struct cadre_frame *frame,
                                 struct cadre_msg_store_put *msg,
                                 struct cadre_error *error)
{
    struct reader r =
        reader_of(frame, CADRE_FRAME_STORE_PUT, "STORE_PUT", error);
    struct cadre_msg_store_put m = {0};
    const struct cadre_bulk *bulk = NULL;
    uint32_t number;
    uint64_t len;

    m.team = get_u32(&r, "team");
    if (m.team == 0)
        complain(&r, "team", "is 0");
    number = get_u32(&r, "bulk");
    len = get_u64(&r, "len");
    get_padding(&r, 8);
    if (number == 0)
        m.data = get_bytes(&r, len, "value");
    else if (frame->bulks != NULL && number <= frame->bulks->count)
        bulk = &frame->bulks->list[number - 1];
    if (bulk != NULL && bulk->len == len)
        m.data = bulk->data;
    if (m.data == NULL)
        complain(&r, "value", "is not with it");
    m.len = (size_t)len;
    if (finish(&r) == CADRE_OK)
        *msg = m;
    return r.err;
}
