/* frame_fields.h - writing and reading the fields of a frame; for the files of
 * `frame` only.
 *
 * A text is its length (u16), its characters and a zero byte, so that a decoded
 * one is lent straight from the input.
 */
#ifndef CADRE_RUNTIME_FRAME_FIELDS_H
#define CADRE_RUNTIME_FRAME_FIELDS_H

#include "bytes.h"
#include "frame.h"

#include <assert.h>
#include <string.h>

static const unsigned char magic[4] = {'C', 'D', 'R', 'E'};

enum {
    TEXT_MAX = 65535, /* characters */
    LENGTH_AT = 8     /* offset of the frame's length, filled in at the end */
};

static inline size_t padding(size_t len)
{
    return -len % CADRE_FRAME_ALIGN;
}

/* Writing. Room has been reserved before: nothing here can fail. */

static inline void put_bytes(struct cadre_buffer *buffer, const void *data,
                             size_t len)
{
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
}

static inline void put_zeros(struct cadre_buffer *buffer, size_t len)
{
    memset(buffer->data + buffer->len, 0, len);
    buffer->len += len;
}

static inline void put_u16(struct cadre_buffer *buffer, uint16_t value)
{
    cadre_put_u16(buffer->data + buffer->len, value);
    buffer->len += 2;
}

static inline void put_u32(struct cadre_buffer *buffer, uint32_t value)
{
    cadre_put_u32(buffer->data + buffer->len, value);
    buffer->len += 4;
}

static inline void put_u64(struct cadre_buffer *buffer, uint64_t value)
{
    cadre_put_u64(buffer->data + buffer->len, value);
    buffer->len += 8;
}

/* A name in a field of `size` bytes, cut to fit. */
static inline void put_name(struct cadre_buffer *buffer, const char *name,
                            size_t size)
{
    size_t len = strnlen(name, size - 1);

    put_bytes(buffer, name, len);
    put_zeros(buffer, size - len);
}

/* Bytes that `text` takes in a frame. */
static inline size_t text_size(const char *text)
{
    return 2 + strnlen(text, TEXT_MAX) + 1;
}

static inline void put_text(struct cadre_buffer *buffer, const char *text)
{
    size_t len = strnlen(text, TEXT_MAX);

    put_u16(buffer, (uint16_t)len);
    put_bytes(buffer, text, len);
    put_zeros(buffer, 1);
}

/* Start a frame whose body is `body_len` bytes as far as is known; there is
 * room for them and for padding then. */
static inline cadre_err begin(struct cadre_buffer *buffer,
                              enum cadre_frame_type type, uint32_t generation,
                              size_t body_len, size_t *mark)
{
    assert(buffer->len % CADRE_FRAME_ALIGN == 0);
    if (cadre_buffer_reserve(buffer, CADRE_FRAME_HEADER + body_len +
                                         CADRE_FRAME_ALIGN) != CADRE_OK)
        return CADRE_ENOMEM;
    *mark = buffer->len;
    put_bytes(buffer, magic, sizeof magic);
    put_u16(buffer, CADRE_FRAME_VERSION);
    put_u16(buffer, (uint16_t)type);
    put_u64(buffer, 0); /* the length: end() */
    put_u32(buffer, generation);
    put_u32(buffer, 0);
    return CADRE_OK;
}

static inline cadre_err pad(struct cadre_buffer *buffer)
{
    size_t len = padding(buffer->len);

    if (cadre_buffer_reserve(buffer, len) != CADRE_OK)
        return CADRE_ENOMEM;
    if (len > 0)
        put_zeros(buffer, len);
    return CADRE_OK;
}

static inline cadre_err end(struct cadre_buffer *buffer, size_t mark)
{
    if (pad(buffer) != CADRE_OK)
        return CADRE_ENOMEM;
    cadre_put_u64(buffer->data + mark + LENGTH_AT, buffer->len - mark);
    return CADRE_OK;
}

/* Reading. The first thing that is wrong is written to `error`; from then on
 * every field reads as zero, so that a decode function needs one check. */
struct reader {
    const unsigned char *at, *end;
    const char *message; /* what is being read, for `error` */
    cadre_err err;
    struct cadre_error *error; /* may be NULL */
};

static inline struct reader reader_of(const struct cadre_frame *frame,
                                      enum cadre_frame_type type,
                                      const char *message,
                                      struct cadre_error *error)
{
    assert(frame->type == type);
    (void)type;
    return (struct reader){.at = frame->body,
                           .end = frame->body + frame->body_len,
                           .message = message,
                           .err = CADRE_OK,
                           .error = error};
}

/* `what` is wrong with `field`. */
static inline void complain(struct reader *r, const char *field,
                            const char *what)
{
    if (r->err == CADRE_OK)
        r->err = cadre_error_set(r->error, CADRE_EPROTO, "%s message: %s %s",
                                 r->message, field, what);
}

/* The next `len` bytes, or NULL. */
static inline const unsigned char *get_bytes(struct reader *r, uint64_t len,
                                             const char *field)
{
    const unsigned char *at = r->at;

    if (r->err == CADRE_OK && len > (uint64_t)(r->end - r->at))
        complain(r, field, "is cut short");
    if (r->err != CADRE_OK)
        return NULL;
    r->at += len;
    return at;
}

static inline uint16_t get_u16(struct reader *r, const char *field)
{
    const unsigned char *at = get_bytes(r, 2, field);

    return at != NULL ? cadre_get_u16(at) : 0;
}

static inline uint32_t get_u32(struct reader *r, const char *field)
{
    const unsigned char *at = get_bytes(r, 4, field);

    return at != NULL ? cadre_get_u32(at) : 0;
}

static inline uint64_t get_u64(struct reader *r, const char *field)
{
    const unsigned char *at = get_bytes(r, 8, field);

    return at != NULL ? cadre_get_u64(at) : 0;
}

static inline int32_t get_i32(struct reader *r, const char *field)
{
    return (int32_t)get_u32(r, field);
}

/* An error code that says that something failed. */
static inline int32_t get_err(struct reader *r, const char *field)
{
    int32_t err = get_i32(r, field);

    if (r->err == CADRE_OK && (err <= CADRE_OK || err > CADRE_ERR_LAST))
        complain(r, field, "is no error code");
    return err;
}

static inline void get_name(struct reader *r, char *name, size_t size,
                            const char *field)
{
    const unsigned char *at = get_bytes(r, size, field);

    if (at != NULL && memchr(at, 0, size) == NULL)
        complain(r, field, "does not end");
    else if (at != NULL)
        memcpy(name, at, size);
}

static inline const char *get_text(struct reader *r, const char *field)
{
    size_t len = get_u16(r, field);
    const unsigned char *at = get_bytes(r, len + 1, field);

    if (at != NULL && memchr(at, 0, len + 1) != at + len)
        complain(r, field, "does not end where it says");
    return r->err == CADRE_OK ? (const char *)at : NULL;
}

static inline void get_padding(struct reader *r, size_t len)
{
    const unsigned char *at = get_bytes(r, len, "padding");

    for (size_t i = 0; at != NULL && i < len; i++)
        if (at[i] != 0)
            complain(r, "padding", "is not zero");
}

/* Nothing but the padding of the frame may be left. */
static inline cadre_err finish(struct reader *r)
{
    size_t left = (size_t)(r->end - r->at);

    if (r->err == CADRE_OK && left >= CADRE_FRAME_ALIGN)
        complain(r, "end", "does not come where it should");
    get_padding(r, left);
    return r->err;
}

#endif
