/* columns.c - writes and reads sets of columns. */
#include "columns.h"

#include "bytes.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

_Static_assert(SIZE_MAX == UINT64_MAX, "sizes and lengths are 64 bits wide");

enum {
    SET_HEADER = 8,    /* bytes before the first column's header */
    COLUMN_HEADER = 16 /* bytes of each column's header */
};

static size_t padding(size_t len)
{
    return -len % CADRE_FRAME_ALIGN;
}

/* Bytes of the payload within the set. */
static size_t bytes_within(const struct cadre_column *column)
{
    return column->is_apart ? 0 : column->bytes;
}

/* Bytes of the whole set; false if they are more than there can be. */
static bool set_size(const struct cadre_column *columns, int ncolumns,
                     size_t *size)
{
    size_t len = SET_HEADER + (size_t)ncolumns * COLUMN_HEADER;

    for (int i = 0; i < ncolumns; i++)
        if (__builtin_add_overflow(len, padding(len), &len) ||
            __builtin_add_overflow(len, bytes_within(&columns[i]), &len))
            return false;
    *size = len;
    return true;
}

static bool reserve(struct cadre_buffer *buffer, size_t size,
                    const struct cadre_column *columns, int ncolumns)
{
    size_t apart = 0;

    for (int i = 0; i < ncolumns; i++)
        apart += columns[i].is_apart;
    return (apart == 0 || cadre_bulks_reserve(&buffer->bulks, apart)) &&
           cadre_buffer_reserve(buffer, size) == CADRE_OK;
}

/* Let the payload of `column` go beside the set that starts at `at`. Its number
 * among the bulks, from 1. */
static uint32_t put_apart(struct cadre_buffer *buffer, size_t at,
                          const struct cadre_column *column)
{
    cadre_keeper_hold(column->keeper);
    buffer->bulks.list[buffer->bulks.count++] =
        (struct cadre_bulk){.data = column->data,
                            .len = column->bytes,
                            .at = at,
                            .keeper = column->keeper};
    return (uint32_t)buffer->bulks.count;
}

cadre_err cadre_columns_append(struct cadre_column *columns, int ncolumns,
                               struct cadre_buffer *buffer)
{
    unsigned char *set, *header;
    size_t size, at;

    assert(buffer->len % CADRE_FRAME_ALIGN == 0);
    if (!set_size(columns, ncolumns, &size) ||
        !reserve(buffer, size, columns, ncolumns))
        return CADRE_ENOMEM;
    set = buffer->data + buffer->len;
    cadre_put_u32(set, (uint32_t)ncolumns);
    cadre_put_u32(set + 4, 0);
    at = SET_HEADER + (size_t)ncolumns * COLUMN_HEADER;
    for (int i = 0; i < ncolumns; i++) {
        header = set + SET_HEADER + i * COLUMN_HEADER;
        header[0] = (unsigned char)columns[i].form;
        header[1] = (unsigned char)columns[i].type;
        memset(header + 2, 0, 6);
        cadre_put_u64(header + 8, columns[i].bytes);
        memset(set + at, 0, padding(at));
        at += padding(at);
        if (columns[i].is_apart)
            cadre_put_u32(header + 4,
                          put_apart(buffer, buffer->len, &columns[i]));
        else
            columns[i].data = set + at;
        at += bytes_within(&columns[i]);
    }
    buffer->len += size;
    return CADRE_OK;
}

/* Let the payload of `column` be bulk number `number`, from 1. */
static bool find_apart(const struct cadre_bulks *bulks, uint32_t number,
                       struct cadre_column *column)
{
    const struct cadre_bulk *bulk;

    if (bulks == NULL || number > bulks->count ||
        column->type == CADRE_STRING ||
        (column->form != CADRE_FORM_SAME && column->form != CADRE_FORM_DENSE))
        return false;
    bulk = &bulks->list[number - 1];
    column->is_apart = true;
    column->data = bulk->data;
    return bulk->len == column->bytes;
}

/* The header of one column; its payload is not looked at. */
static bool read_header(const unsigned char *header,
                        const struct cadre_bulks *bulks,
                        struct cadre_column *column)
{
    uint32_t number = cadre_get_u32(header + 4);

    if ((header[0] > CADRE_FORM_DENSE && header[0] != CADRE_FORM_COUNTED) ||
        !cadre_type_is_valid(header[1]) || cadre_get_u16(header + 2) != 0)
        return false;
    *column = (struct cadre_column){.form = (enum cadre_form)header[0],
                                    .type = (cadre_type)header[1],
                                    .bytes = cadre_get_u64(header + 8)};
    return number == 0 || find_apart(bulks, number, column);
}

cadre_err cadre_columns_read(unsigned char *data, size_t len,
                             const struct cadre_bulks *bulks,
                             struct cadre_column *columns, int ncolumns,
                             struct cadre_error *error)
{
    size_t at = SET_HEADER + (size_t)ncolumns * COLUMN_HEADER;

    if (len < at)
        return cadre_error_set(error, CADRE_EPROTO,
                               "%zu bytes cannot be %d columns", len, ncolumns);
    if (cadre_get_u32(data) != (uint32_t)ncolumns ||
        cadre_get_u32(data + 4) != 0)
        return cadre_error_set(error, CADRE_EPROTO,
                               "%" PRIu32 " columns instead of %d",
                               cadre_get_u32(data), ncolumns);
    for (int i = 0; i < ncolumns; i++) {
        if (!read_header(data + SET_HEADER + i * COLUMN_HEADER, bulks,
                         &columns[i]))
            return cadre_error_set(error, CADRE_EPROTO,
                                   "column %d has a damaged header", i + 1);
        if (padding(at) > len - at ||
            bytes_within(&columns[i]) > len - at - padding(at))
            return cadre_error_set(error, CADRE_EPROTO,
                                   "column %d is cut short", i + 1);
        at += padding(at);
        if (!columns[i].is_apart)
            columns[i].data = data + at;
        at += bytes_within(&columns[i]);
    }
    if (at != len)
        return cadre_error_set(error, CADRE_EPROTO,
                               "%zu bytes follow the last column", len - at);
    return CADRE_OK;
}

bool cadre_columns_are_there(const struct cadre_column *columns, int ncolumns)
{
    for (int i = 0; i < ncolumns; i++)
        if (columns[i].is_apart && columns[i].data == NULL)
            return false;
    return true;
}

uint32_t cadre_column_bulk(const unsigned char *data, int column)
{
    return cadre_get_u32(data + SET_HEADER + column * COLUMN_HEADER + 4);
}

bool cadre_column_holds(const struct cadre_column *column, uint64_t count,
                        size_t size)
{
    uint64_t bytes;

    return !__builtin_mul_overflow(count, size, &bytes) &&
           column->bytes == bytes;
}

uint64_t cadre_counts_size(uint64_t count)
{
    uint64_t bytes;

    if (__builtin_mul_overflow(count, sizeof(uint64_t), &bytes) ||
        __builtin_add_overflow(bytes, padding(bytes), &bytes))
        return UINT64_MAX;
    return bytes;
}

uint64_t cadre_column_elements(const struct cadre_column *column, uint64_t row)
{
    return cadre_get_u64(column->data + row * sizeof(uint64_t));
}

bool cadre_column_holds_counted(const struct cadre_column *column,
                                uint64_t count, size_t size)
{
    uint64_t start = cadre_counts_size(count), total = 0, bytes;

    if (start > column->bytes)
        return false;
    for (uint64_t row = 0; row < count; row++)
        if (__builtin_add_overflow(total, cadre_column_elements(column, row),
                                   &total))
            return false;
    for (uint64_t at = count * sizeof(uint64_t); at < start; at++)
        if (column->data[at] != 0)
            return false;
    return !__builtin_mul_overflow(total, size, &bytes) &&
           column->bytes - start == bytes;
}

size_t cadre_string_size(const char *text)
{
    return text != NULL ? 1 + strlen(text) + 1 : 1;
}

unsigned char *cadre_string_put(unsigned char *at, const char *text)
{
    size_t len;

    *at++ = text != NULL;
    if (text == NULL)
        return at;
    len = strlen(text) + 1;
    memcpy(at, text, len);
    return at + len;
}

bool cadre_string_next(const unsigned char **at, const unsigned char *end,
                       const char **text)
{
    const unsigned char *p = *at, *zero;

    if (p == end || *p > 1)
        return false;
    if (*p == 0) {
        *text = NULL;
        *at = p + 1;
        return true;
    }
    p++;
    if (p == end || (zero = memchr(p, 0, (size_t)(end - p))) == NULL)
        return false;
    *text = (const char *)p;
    *at = zero + 1;
    return true;
}
