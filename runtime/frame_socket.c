/* frame_socket.c - the message that programs send each other: LETTER.
 *
 * Its values are a set of columns (pack.h): a number and a string are SAME, an
 * array is DENSE. */
#include "frame_fields.h"

#include "columns.h"
#include "type.h"

enum { LETTER_VALUES_AT = 48 }; /* a multiple of CADRE_FRAME_ALIGN */

static bool can_travel(cadre_type type, bool is_array)
{
    return type > CADRE_VOID && type <= CADRE_STRING &&
           !(is_array && type == CADRE_STRING);
}

static struct cadre_column column_of(const struct cadre_part *part)
{
    struct cadre_column c = {.form = part->is_array ? CADRE_FORM_DENSE
                                                    : CADRE_FORM_SAME,
                             .type = part->type};

    assert(can_travel(part->type, part->is_array));
    c.bytes = part->type == CADRE_STRING
                  ? cadre_string_size(part->data)
                  : part->count * cadre_type_size(part->type);
    return c;
}

static cadre_err append_values(const struct cadre_msg_letter *msg,
                               struct cadre_buffer *buffer)
{
    struct cadre_column columns[CADRE_PARTS_MAX];

    for (uint32_t i = 0; i < msg->count; i++)
        columns[i] = column_of(&msg->parts[i]);
    if (cadre_columns_append(columns, (int)msg->count, buffer) != CADRE_OK)
        return CADRE_ENOMEM;
    for (uint32_t i = 0; i < msg->count; i++) {
        const struct cadre_part *part = &msg->parts[i];

        if (part->type == CADRE_STRING)
            cadre_string_put(columns[i].data, part->data);
        else if (columns[i].bytes > 0)
            memcpy(columns[i].data, part->data, columns[i].bytes);
    }
    return CADRE_OK;
}

cadre_err cadre_letter_encode(const struct cadre_msg_letter *msg,
                              uint32_t generation, struct cadre_buffer *buffer)
{
    size_t mark, values_len;

    assert(msg->count <= CADRE_PARTS_MAX);
    if (begin(buffer, CADRE_FRAME_LETTER, generation,
              LETTER_VALUES_AT - CADRE_FRAME_HEADER, &mark) != CADRE_OK)
        return CADRE_ENOMEM;
    put_u32(buffer, (uint32_t)msg->tag);
    put_u32(buffer, msg->count);
    put_u64(buffer, 0); /* bytes of values */
    put_u64(buffer, 0);
    assert(buffer->len - mark == LETTER_VALUES_AT);
    if (append_values(msg, buffer) == CADRE_OK) {
        values_len = buffer->len - mark - LETTER_VALUES_AT;
        cadre_put_u64(buffer->data + mark + CADRE_FRAME_HEADER + 8, values_len);
        if (end(buffer, mark) == CADRE_OK)
            return CADRE_OK;
    }
    cadre_frame_abort(buffer, mark);
    return CADRE_ENOMEM;
}

/* What `column` holds; false if that is none of what can be sent. */
static bool see_part(const struct cadre_column *column, struct cadre_part *part)
{
    const unsigned char *at = column->data, *end = at + column->bytes;
    const char *text = NULL;
    size_t size;

    part->type = column->type;
    part->is_array = column->form == CADRE_FORM_DENSE;
    part->count = 1;
    part->data = column->data;
    if ((column->form != CADRE_FORM_DENSE && column->form != CADRE_FORM_SAME) ||
        !can_travel(part->type, part->is_array))
        return false;
    if (part->type == CADRE_STRING) {
        if (!cadre_string_next(&at, end, &text) || at != end)
            return false;
        part->data = text;
        return true;
    }
    size = cadre_type_size(part->type);
    if (column->bytes % size != 0 || (!part->is_array && column->bytes != size))
        return false;
    part->count = column->bytes / size;
    return true;
}

static void see_values(struct reader *r, const unsigned char *values,
                       uint64_t len, struct cadre_msg_letter *m)
{
    struct cadre_column columns[CADRE_PARTS_MAX];
    struct cadre_error why = {""};

    if (r->err != CADRE_OK)
        return;
    /* The columns are only read: nothing is written through them. */
    if (cadre_columns_read((unsigned char *)(uintptr_t)values, (size_t)len,
                           NULL, columns, (int)m->count, &why) != CADRE_OK)
        complain(r, "values:", why.text);
    for (uint32_t i = 0; i < m->count && r->err == CADRE_OK; i++) {
        if (!see_part(&columns[i], &m->parts[i]))
            complain(r, "values", "are of a kind that cannot be sent");
    }
}

cadre_err cadre_letter_decode(const struct cadre_frame *frame,
                              struct cadre_msg_letter *msg,
                              struct cadre_error *error)
{
    struct reader r = reader_of(frame, CADRE_FRAME_LETTER, "LETTER", error);
    const unsigned char *values;
    uint64_t len;

    msg->tag = get_i32(&r, "tag");
    msg->count = get_u32(&r, "count");
    if (msg->count > CADRE_PARTS_MAX)
        complain(&r, "count", "is too large");
    len = get_u64(&r, "values_len");
    get_padding(&r, 8);
    values = get_bytes(&r, len, "values");
    see_values(&r, values, len, msg);
    return finish(&r);
}
