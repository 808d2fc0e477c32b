/* lengths.h - how many elements an array parameter has in each row, which both
 * sides work out from the values of its length parameters.
 */
#ifndef CADRE_RUNTIME_LENGTHS_H
#define CADRE_RUNTIME_LENGTHS_H

#include "frame.h"
#include "proto.h"

/* The values of one scalar parameter: row r's is at data + r * stride. */
struct cadre_values {
    const unsigned char *data;
    size_t stride; /* bytes; 0: the same value for all rows */
};

/* Zeroed memory is empty. Can be measured again and again. */
struct cadre_lengths {
    bool varies;                /* from row to row */
    uint64_t row_len;           /* elements of each row, if not */
    struct cadre_buffer starts; /* count + 1 uint64_t element offsets of the
                                   rows one after another, if so */
};

/* Work out the lengths of array `param` in `count` rows. `values` has one entry
 * per parameter; only those of its length parameters are read. Each row, and
 * all of them where they vary, have a size that 64 bits hold.
 *
 * CADRE_ETYPE   not so, or a length is negative; `error` names parameter and
 *               row, counted from 0.
 * CADRE_ENOMEM
 */
cadre_err cadre_lengths_measure(struct cadre_lengths *lengths,
                                const struct cadre_proto *proto, int param,
                                const struct cadre_values *values,
                                uint64_t count, struct cadre_error *error);
void cadre_lengths_fini(struct cadre_lengths *lengths); /* then empty */

/* The elements of array `param` in row `row` alone, as above. */
cadre_err cadre_lengths_of_row(const struct cadre_proto *proto, int param,
                               const struct cadre_values *values, uint64_t row,
                               uint64_t *len, struct cadre_error *error);

/* Where row `row` starts, in elements of the rows one after another; `row` may
 * be the number of rows. */
static inline uint64_t cadre_lengths_start(const struct cadre_lengths *lengths,
                                           uint64_t row)
{
    return lengths->varies
               ? ((const uint64_t *)(const void *)lengths->starts.data)[row]
               : row * lengths->row_len;
}

/* "parameter 2 `x`", or "the result" for -1. */
struct cadre_label {
    char text[96];
};
struct cadre_label cadre_param_label(const struct cadre_proto *proto,
                                     int param);

#endif
