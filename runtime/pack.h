/* pack.h - arguments and results, to bytes and back, column by column.
 *
 * A batch of rows (tasks of one function) travels as one column for each
 * parameter, so that a map over plain arrays is a few memcpy and nothing is
 * said twice. The same code serves one row or a million, one type or many.
 *
 * The bytes of a set of columns:
 *
 *     u32 number of columns, u32 zero, then for each column
 *         u8 form (enum cadre_form), u8 type, u16 zero, u32 bulk, u64 bytes
 *     then each column's payload, each starting on a multiple of 16 bytes
 *
 * but for those that are large and travel beside the frame: `bulk` is which of
 * the message's bulks (bulk.h) the payload is, counted from 1; 0: it is here,
 *
 * counted from the start of the set (which the frame has aligned to 16).
 * Payloads by the parameter's kind:
 *
 *     scalar   count values (SAME: one)
 *     string   count times: a byte 1, the characters, a zero byte; a byte 0
 *              alone is a null pointer (SAME: once)
 *     array    the elements of all rows one after another; how many each row
 *              has follows from the length parameters (SAME: of one row)
 *     others   ABSENT, nothing
 *     array whose lengths the controller does not know (below)
 *              COUNTED: a u64 for each row, its number of elements; zeros up to
 *              a multiple of 16; the elements of all rows
 *
 * The type is the parameter's own; values are as the machine has them in
 * memory, so both sides must be of one kind.
 *
 * In arguments (controller to worker) there is one column per parameter, in
 * order, ABSENT for what is not sent. In outputs (worker to controller) there
 * is one per output (proto.h), DENSE or COUNTED; a failed row still has its
 * place, in a COUNTED column with no elements.
 *
 * Where the workers have a store (store.h), the caller may leave out what would
 * be sent: it is ABSENT too, and filled in from the store, row by row, by the
 * parameter's name. An array that is given needs its lengths given. Those of an
 * array that is filled or only written to may be left out: then the worker
 * alone knows them. So the column of an output is COUNTED if the array itself
 * or one of its lengths was left out, else DENSE; both sides know which.
 */
#ifndef CADRE_RUNTIME_PACK_H
#define CADRE_RUNTIME_PACK_H

#include "frame.h"
#include "proto.h"

/* The numbers travel between processes: never renumber. */
enum cadre_form {
    CADRE_FORM_ABSENT = 0,   /* no value from the caller */
    CADRE_FORM_SAME = 1,     /* one value for all rows */
    CADRE_FORM_DENSE = 2,    /* one after another */
    CADRE_FORM_POINTERS = 3, /* in memory only, never on the wire: one pointer
                                per row, to a string or an array */
    CADRE_FORM_COUNTED = 4   /* on the wire only, outputs: numbers of elements,
                                then the elements */
};

/* Where the caller has, or wants, the values of one column. Borrowed memory.
 *
 *     kind     SAME                      DENSE              POINTERS
 *     scalar   T *                       T[rows]            -
 *     string   char ** (one)             -                  char *[rows]
 *     array    T * (one row)             T *, concatenated  T *[rows]
 */
struct cadre_view {
    enum cadre_form form;
    const void *data;
};

enum { CADRE_TABLE_ROOM = sizeof(uint64_t *) + sizeof(uint64_t) };

/* All the columns of a job, seen from the controller. */
struct cadre_table {
    const struct cadre_proto *proto;
    uint64_t count; /* rows */
    bool has_store; /* the workers' store may have what has no view in `args` */
    struct cadre_keeper *keeper; /* large arrays are not copied but sent from,
                                    and received to, the views' memory, which
                                    this holds; NULL: all is copied */
    struct cadre_view *args;     /* one per parameter */
    struct cadre_view *outputs;  /* one per output; ABSENT: not wanted. A string
                                    column is filled with malloc()ed copies */
    void *room; /* CADRE_TABLE_ROOM bytes for each parameter, aligned as
                   pointers are, for cadre_table_measure(); NULL: it takes
                   memory of its own */
    /* Filled in by cadre_table_measure(): */
    uint64_t **starts;      /* per parameter: for an array whose length varies
                               from row to row, count + 1 element offsets of the
                               rows in a concatenated column; else NULL */
    uint64_t *row_len;      /* per parameter: elements of each row where that
                               does not vary; scalars and strings 1; of an array
                               whose lengths the workers alone know 0 */
    uint64_t *row_bytes;    /* count + 1 running totals of bytes, arguments and
                               outputs together (wanted or not; a string result
                               is taken for 16 bytes), where rows differ; else
                               NULL */
    uint64_t bytes_per_row; /* where they do not; else 0 */
    uint64_t shared_bytes;  /* of the SAME arguments, which each batch carries
                               once: not part of the two above */
};

/* Check that every parameter the caller must give has a view, and work out the
 * lengths and bytes of all rows. Length parameters must have a view when an
 * array that is given depends on them, without a store any array. Call
 * cadre_table_fini() afterwards in any case.
 *
 * CADRE_ETYPE   a length is negative or too large (`error` names parameter and
 *               row, counted from 0); a SAME array whose length differs between
 *               rows; an output is wanted whose length nobody knows before.
 * CADRE_EINVAL  a parameter without a view, or with one that it cannot have; a
 *               null pointer to an array that is not empty; `error` names it.
 * CADRE_ENOMEM
 */
cadre_err cadre_table_measure(struct cadre_table *table,
                              struct cadre_error *error);
void cadre_table_fini(struct cadre_table *table); /* frees what measure made */

/* Do the workers alone know the lengths of array `param`? Its column among the
 * outputs is COUNTED then. */
bool cadre_table_is_counted(const struct cadre_table *table, int param);

/* Learn the lengths of such arrays from `outputs` (from RESULTS; `bulks`: that
 * came with them, or NULL), which are
 * those of all rows of the table, measured before with no such output wanted.
 * Then there can be room for them, and they can be unpacked.
 *
 * CADRE_EPROTO  they do not fit the prototype.
 * CADRE_ENOMEM
 */
cadre_err cadre_table_learn_with(struct cadre_table *table, const void *outputs,
                                 size_t len, const struct cadre_bulks *bulks,
                                 struct cadre_error *error);
cadre_err cadre_table_learn(struct cadre_table *table, const void *outputs,
                            size_t len, struct cadre_error *error);

/* Elements of array parameter `param` in `row`. Needs measure. */
uint64_t cadre_table_length(const struct cadre_table *table, int param,
                            uint64_t row);

/* Append the arguments of rows [first, first + count) to the frame under way in
 * `buffer`. CADRE_ENOMEM leaves the buffer as it was. */
cadre_err cadre_args_pack(const struct cadre_table *table, uint64_t first,
                          uint64_t count, struct cadre_buffer *buffer);

/* Check `outputs` (from RESULTS) against rows [first, first + count) and copy
 * them to the table's output views.
 *
 * CADRE_EPROTO  they do not fit the prototype; nothing was copied.
 * CADRE_ENOMEM  a string could not be copied; its pointer is NULL.
 */
cadre_err cadre_outputs_unpack(const struct cadre_table *table, uint64_t first,
                               uint64_t count, const void *outputs, size_t len,
                               struct cadre_error *error);

/* The same with the bulks that came with them; NULL: none. */
cadre_err cadre_outputs_unpack_with(const struct cadre_table *table,
                                    uint64_t first, uint64_t count,
                                    const void *outputs, size_t len,
                                    const struct cadre_bulks *bulks,
                                    struct cadre_error *error);

/* Before the bulks come: let those that are arrays of these rows be received
 * straight to where the table's views want them. Does nothing where that cannot
 * be. */
void cadre_outputs_place(const struct cadre_table *table, uint64_t first,
                         uint64_t count, const void *outputs, size_t len,
                         struct cadre_bulks *bulks);

/* Take the memory of those bulks that `outputs` of one row has: `*taken` is
 * given, cadre_bulks_fini(), and serves as `bulks` for these outputs.
 *
 * CADRE_EPROTO, CADRE_ENOMEM  nothing was taken.
 */
cadre_err cadre_outputs_take_bulks(const struct cadre_proto *proto,
                                   const void *outputs, size_t len,
                                   struct cadre_bulks *bulks,
                                   struct cadre_bulks *taken,
                                   struct cadre_error *error);

/* Where the one row in `outputs` has output `output`: `*data` is lent by
 * `outputs`; of a string it is the text, or NULL. CADRE_EPROTO. */
cadre_err cadre_outputs_find_with(const struct cadre_proto *proto, int output,
                                  const void *outputs, size_t len,
                                  const struct cadre_bulks *bulks,
                                  const void **data, uint64_t *bytes,
                                  struct cadre_error *error);
cadre_err cadre_outputs_find(const struct cadre_proto *proto, int output,
                             const void *outputs, size_t len, const void **data,
                             uint64_t *bytes, struct cadre_error *error);

/* The worker's side: a batch being run, row by row. One object serves all the
 * batches of one function. */
struct cadre_rows;

/* `proto` is borrowed until destroy; `*rows` is given. */
cadre_err cadre_rows_create(const struct cadre_proto *proto,
                            struct cadre_rows **rows);
void cadre_rows_destroy(struct cadre_rows *rows);

/* Start on a batch: check every length in `args` against the prototype, make
 * room for the outputs (zeroed arrays where out only), stand before row 0.
 * `args` starts on a multiple of 16 bytes, is lent until the next load and is
 * written to: arrays that are in and out are changed in place or in a private
 * copy (SAME). After a failure there are no rows.
 *
 * CADRE_EPROTO  the bytes do not fit the prototype.
 * CADRE_ENOMEM
 */
cadre_err cadre_rows_load(struct cadre_rows *rows, uint64_t count, void *args,
                          size_t len, struct cadre_error *error);

/* The same with the bulks that came with them (NULL: none), lent and written to
 * likewise. */
cadre_err cadre_rows_load_with(struct cadre_rows *rows, uint64_t count,
                               void *args, size_t len,
                               const struct cadre_bulks *bulks,
                               struct cadre_error *error);

/* From now on flush() does not copy large arrays: their memory must stay as it
 * is while `keeper` (borrowed) holds it. */
void cadre_rows_keep(struct cadre_rows *rows, struct cadre_keeper *keeper);

/* The same for rows that are given nothing: of an init function, or of tasks
 * that take all from the store. CADRE_ENOMEM. */
cadre_err cadre_rows_load_nothing(struct cadre_rows *rows, uint64_t count,
                                  struct cadre_error *error);

/* Step to the next row; false after the last. After it returned true, args() is
 * what cadre_call_invoke() takes and result() is where the result goes (NULL
 * for void; for a string a `char *` variable, which the caller of store() has
 * filled). */
bool cadre_rows_next(struct cadre_rows *rows);
void **cadre_rows_args(struct cadre_rows *rows);
void *cadre_rows_result(struct cadre_rows *rows);

/* Fill what the current row takes from `store` (NULL: there is none): the store
 * itself, objects, and what the caller left out, by the parameters' names;
 * arrays that are only written to get their room. To be called after each
 * next() and before args() are used; a row that needs none of it is left at
 * once. What is lent by the store is so until its name is put, removed or
 * resized.
 *
 * Numbers are converted as C does it unless they would lose value; strings,
 * arrays and objects must be of the parameter's type. A length that was neither
 * given nor stored is that of the stored array that has it. An array must have
 * as many elements as its lengths say.
 *
 * After a failure the row cannot be run: `error` names the parameter, and the
 * row is to be stored as failed.
 *
 * CADRE_ETYPE   neither given nor stored, or not of that type or length.
 * CADRE_ENOMEM
 */
struct cadre_store;
bool cadre_rows_has_fills(const struct cadre_rows *rows); /* is there any need
                                                             of it? */
cadre_err cadre_rows_fill(struct cadre_rows *rows, struct cadre_store *store,
                          struct cadre_error *error);

/* Let parameter `param` of every row be `*value` from now on, in later batches
 * too: a communicator or the task. `value` is borrowed.
 * What is not bound is a null pointer. */
void cadre_rows_bind(struct cadre_rows *rows, int param, void *value);

/* The current row has ended; to be called for each before the next one. Keeps a
 * string result (copied, and freed if the prototype says so), and a copy of
 * each stored array that is in and out, as it is in the store now. `failed`:
 * the row's outputs are cleared instead (zeros, a null pointer, no elements).
 *
 * CADRE_ENOMEM  not kept: call it again with `failed`, which cannot fail.
 */
cadre_err cadre_rows_store(struct cadre_rows *rows, bool failed);

/* Append the outputs of the rows stored since the last flush (or load) to the
 * frame under way; cadre_rows_unflushed() tells how many those are.
 * CADRE_ENOMEM leaves both as they were. */
uint64_t cadre_rows_unflushed(const struct cadre_rows *rows);
cadre_err cadre_rows_flush(struct cadre_rows *rows,
                           struct cadre_buffer *buffer);

#endif
