/* columns.h - a set of columns as bytes, the layout drawn in pack.h.
 *
 * Knows forms, types and sizes; what belongs into which column is known to
 * pack.c (the controller's side) and rows.c (the worker's).
 */
#ifndef CADRE_RUNTIME_COLUMNS_H
#define CADRE_RUNTIME_COLUMNS_H

#include "pack.h"

struct cadre_column {
    enum cadre_form form;
    cadre_type type;
    uint64_t bytes;      /* of the payload */
    unsigned char *data; /* the payload; lent by the buffer or the input */
    bool is_apart;       /* the payload is a bulk (bulk.h) */
    struct cadre_keeper *keeper; /* going out apart: of its memory */
};

/* Append a set of `ncolumns` columns to `buffer`, with room for the payloads,
 * and set each column's `data` to where its payload is to be written. One that
 * is apart stays where its `data` says, held by its keeper.
 * CADRE_ENOMEM leaves all as it was. */
cadre_err cadre_columns_append(struct cadre_column *columns, int ncolumns,
                               struct cadre_buffer *buffer);

/* Read the set of `ncolumns` columns that is all of `data`. Forms are those
 * that travel, types are valid, payloads lie within `data` or are one of
 * `bulks` (NULL: there are none), which has their length; where it is said to
 * be NULL, so is the payload.
 *
 * CADRE_EPROTO  it is none; `error` says why.
 */
cadre_err cadre_columns_read(unsigned char *data, size_t len,
                             const struct cadre_bulks *bulks,
                             struct cadre_column *columns, int ncolumns,
                             struct cadre_error *error);

/* Has every column of `columns` that is apart its payload? */
bool cadre_columns_are_there(const struct cadre_column *columns, int ncolumns);

/* Which bulk column `column` of the set that starts at `data` is, from 1; 0:
 * none. */
uint32_t cadre_column_bulk(const unsigned char *data, int column);

/* Has `column` the bytes of exactly `count` values of `size` bytes? */
bool cadre_column_holds(const struct cadre_column *column, uint64_t count,
                        size_t size);

/* A COUNTED column: bytes of the numbers of `count` rows with the padding after
 * them, which is where the elements start. UINT64_MAX: more than there can be.
 */
uint64_t cadre_counts_size(uint64_t count);

/* Is `column` one, of `count` rows with elements of `size` bytes? */
bool cadre_column_holds_counted(const struct cadre_column *column,
                                uint64_t count, size_t size);

/* The number of elements of row `row` of such a column. */
uint64_t cadre_column_elements(const struct cadre_column *column, uint64_t row);

/* Strings, each coded as a byte 1, the characters and a zero byte, or for a
 * null pointer as a byte 0. */
size_t cadre_string_size(const char *text); /* bytes when coded */
unsigned char *cadre_string_put(unsigned char *at, const char *text);

/* Step over the coded string at `*at`; `*text` is lent by it, or NULL. False,
 * with nothing changed, where no whole string is left before `end`. */
bool cadre_string_next(const unsigned char **at, const unsigned char *end,
                       const char **text);

#endif
