/* rows.h - a batch under way, as the files of the worker's side of pack.h share
 * it: rows.c, and rows_fill.c for what comes from a store.
 */
#ifndef CADRE_RUNTIME_ROWS_H
#define CADRE_RUNTIME_ROWS_H

#include "lengths.h"
#include "pack.h"

/* A pointer that moves on by `stride` bytes with each row. */
struct cursor {
    void **at;
    size_t stride;
};

/* One parameter. */
struct slot {
    bool is_absent;  /* left out by the caller */
    bool is_counted; /* an output whose `lengths` become known row by row:
                        offsets from the last flush on */
    struct cadre_lengths lengths; /* of arrays */
    struct cadre_buffer offsets;  /* of DENSE strings: where each row's starts,
                                     uint64_t */
    struct cadre_buffer room;     /* the rows of an array that do not lie in the
                                     arguments */
    unsigned char *rows;          /* all rows' elements or characters */
    const unsigned char *same;    /* SAME arrays that are changed: the value
                                     each row starts with */
    void *pointer; /* arrays and strings: this row's, what args() points to */
    size_t size;   /* bytes of one element */
};

struct cadre_rows {
    const struct cadre_proto *proto;
    int noutputs;
    uint64_t count;              /* rows of the batch */
    uint64_t begun;              /* rows that next() has come to */
    uint64_t stored;             /* rows that have ended */
    uint64_t flushed;            /* rows that have been flushed */
    struct cadre_keeper *keeper; /* of large outputs; NULL: they are copied */

    int ncursors;
    int nsteps;
    struct cursor cursors[CADRE_PARAMS_MAX + 1];
    int nfills;
    int steps[CADRE_PARAMS_MAX];  /* parameters */
    int fills[CADRE_PARAMS_MAX];  /* parameters: arrays after all others */
    struct cadre_store *store;    /* what the current row was filled from */
    void *args[CADRE_PARAMS_MAX]; /* to each parameter's value */
    void *result;                 /* to the current row's; NULL for void */

    size_t result_size;          /* bytes of a scalar result, else 0 */
    struct cadre_buffer results; /* scalar results of all rows */
    char *string;                /* the current row's string result */
    struct cadre_buffer strings; /* coded results since the last flush; has a
                                    byte free for each row not stored yet */
    void *nothing[2];            /* null: the value of what is not bound */
    struct slot slots[];         /* one per parameter */
};

/* The offsets of the rows of an array whose lengths become known row by row.
 */
static inline uint64_t *cadre_starts_of(struct slot *slot)
{
    return (uint64_t *)(void *)slot->lengths.starts.data;
}

/* The current row's task has ended well. Make room for copies of the stored
 * arrays that are in and out (CADRE_ENOMEM leaves all as it was), then copy
 * them, as they are in the store now, as outputs of row `row`. */
cadre_err cadre_rows_reserve_stored(struct cadre_rows *rows);
void cadre_rows_copy_stored(struct cadre_rows *rows, uint64_t row);

#endif
