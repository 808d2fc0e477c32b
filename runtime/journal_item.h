/* journal_item.h - what a journal knows of one item: a digest of its arguments,
 * by which it is known again, and the bytes of its outputs.
 *
 * The digest is the 128-bit XXH3 of the row's arguments packed alone (pack.h)
 * without what all rows share; the hash of the shared ones is its seed. So the
 * same values given in the same way have the same digest in every run. It tells
 * mistakes, not forgeries.
 */
#ifndef CADRE_RUNTIME_JOURNAL_ITEM_H
#define CADRE_RUNTIME_JOURNAL_ITEM_H

#include "pack.h"

struct cadre_digest {
    unsigned char bytes[16];
};

/* Work out the digests of rows [first, first + count) of `table` (measured).
 * CADRE_ENOMEM. */
cadre_err cadre_digest_rows(const struct cadre_table *table, uint64_t first,
                            uint64_t count, struct cadre_digest *digests);

/* The outputs of one row. */
struct cadre_slice {
    const void *outputs; /* as those of a batch of one (pack.h) */
    size_t len;
    cadre_type type;   /* of the return value; CADRE_VOID: there is none */
    const void *value; /* it, at any address; a string itself, or NULL */
};

/* Pack the outputs of `row`, which are in the table's views, all of them, into
 * `buffer` (emptied before): what cadre_outputs_unpack() takes. `*slice` is
 * lent by both. CADRE_ENOMEM. */
cadre_err cadre_slice_pack(const struct cadre_table *table, uint64_t row,
                           struct cadre_buffer *buffer,
                           struct cadre_slice *slice);

#endif
