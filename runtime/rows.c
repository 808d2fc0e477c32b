/* rows.c - the worker's side of pack.h: a batch, row by row.
 *
 * Everything is decided when a batch is loaded, so that a step to the next row
 * is as little as can be:
 *
 *     the same in all rows        set once
 *     scalars; arrays of one      `cursors`: a pointer moves on by a fixed
 *     length; scalar results      number of bytes
 *     strings; arrays of varying  `steps`: a pointer is looked up, or a private
 *     length; SAME arrays that    copy is made
 *     are changed
 *
 * Where outputs lie until they are flushed, which copies them once:
 *
 *     scalar results                                           `results`
 *     arrays that are out only, SAME arrays that are changed   `room`
 *     DENSE arrays that are changed                            the arguments
 *     string results, coded                                    `strings`
 *
 *     arrays whose lengths the worker alone knows, from the    `room`
 *     last flush on
 *
 * What comes from a store is filled in row by row (rows_fill.c). All memory is
 * kept from batch to batch.
 */
#include "rows.h"

#include "bytes.h"
#include "columns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* In the offsets of strings: a null pointer. */
#define NO_STRING UINT64_MAX

cadre_err cadre_rows_create(const struct cadre_proto *proto,
                            struct cadre_rows **rows)
{
    size_t nparams = (size_t)proto->nparams;
    struct cadre_rows *r;

    if ((r = calloc(1, sizeof *r + nparams * sizeof r->slots[0])) == NULL)
        return CADRE_ENOMEM;
    r->proto = proto;
    r->noutputs = cadre_proto_noutputs(proto);
    for (size_t i = 0; i < nparams; i++) {
        r->slots[i].size = cadre_param_size(&proto->params[i]);
        r->args[i] = r->nothing;
    }
    if (proto->result == CADRE_STRING)
        r->result = &r->string;
    else
        r->result_size = cadre_proto_result_size(proto);
    *rows = r;
    return CADRE_OK;
}

void cadre_rows_destroy(struct cadre_rows *rows)
{
    if (rows == NULL)
        return;
    for (int i = 0; i < rows->proto->nparams; i++) {
        cadre_lengths_fini(&rows->slots[i].lengths);
        cadre_buffer_fini(&rows->slots[i].offsets);
        cadre_buffer_fini(&rows->slots[i].room);
    }
    cadre_buffer_fini(&rows->results);
    cadre_buffer_fini(&rows->strings);
    free(rows);
}

/* Loading a batch. What is under way: */
struct load {
    struct cadre_rows *rows;
    uint64_t count;
    struct cadre_column columns[CADRE_PARAMS_MAX];
    struct cadre_values values[CADRE_PARAMS_MAX]; /* of scalars */
    struct cadre_error *error;
};

static cadre_err bad_column(const struct load *load, int param,
                            const char *what)
{
    return cadre_error_set(load->error, CADRE_EPROTO, "arguments: %s %s",
                           cadre_param_label(load->rows->proto, param).text,
                           what);
}

static cadre_err no_memory(const struct load *load, int param)
{
    return cadre_error_set(load->error, CADRE_ENOMEM, "no memory for %s",
                           cadre_param_label(load->rows->proto, param).text);
}

static void add_cursor(struct cadre_rows *rows, void **at, size_t stride)
{
    rows->cursors[rows->ncursors++] = (struct cursor){at, stride};
}

/* Make `room` hold `count` times `size` bytes. Never empty, so that a pointer
 * to it is never null. */
static cadre_err make_room(struct cadre_buffer *room, uint64_t count,
                           uint64_t size)
{
    uint64_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return CADRE_ENOMEM;
    return cadre_buffer_reserve(room, bytes > 0 ? bytes : 1);
}

/* Something that each row takes from the store: empty until then. */
static cadre_err load_absent(struct load *load, int param)
{
    struct cadre_rows *rows = load->rows;
    struct slot *slot = &rows->slots[param];

    rows->fills[rows->nfills++] = param;
    slot->pointer = NULL;
    rows->args[param] = &slot->pointer;
    if (rows->proto->params[param].kind != CADRE_PARAM_SCALAR)
        return CADRE_OK;
    if (make_room(&slot->room, 1, slot->size) != CADRE_OK)
        return no_memory(load, param);
    memset(slot->room.data, 0, slot->size);
    rows->args[param] = slot->room.data;
    return CADRE_OK;
}

static cadre_err load_scalar(struct load *load, int param)
{
    const struct cadre_column *column = &load->columns[param];
    struct cadre_rows *rows = load->rows;
    bool same = column->form == CADRE_FORM_SAME;
    size_t stride = same ? 0 : rows->slots[param].size;

    if (!cadre_column_holds(column, same ? 1 : load->count,
                            rows->slots[param].size))
        return bad_column(load, param, "has the wrong number of bytes");
    load->values[param] = (struct cadre_values){column->data, stride};
    rows->args[param] = column->data;
    if (!same)
        add_cursor(rows, &rows->args[param], stride);
    return CADRE_OK;
}

static cadre_err load_string(struct load *load, int param)
{
    const struct cadre_column *column = &load->columns[param];
    const unsigned char *at = column->data, *end = at + column->bytes;
    struct slot *slot = &load->rows->slots[param];
    bool same = column->form == CADRE_FORM_SAME;
    uint64_t count = same ? 1 : load->count, *offsets;
    const char *text;

    /* Each string has a byte or more; this bounds the memory for offsets. */
    if (count > column->bytes)
        return bad_column(load, param, "has fewer strings than rows");
    if (make_room(&slot->offsets, count, sizeof *offsets) != CADRE_OK)
        return no_memory(load, param);
    offsets = (uint64_t *)(void *)slot->offsets.data;
    for (uint64_t row = 0; row < count; row++) {
        if (!cadre_string_next(&at, end, &text))
            return bad_column(load, param, "has a damaged string");
        offsets[row] =
            text == NULL
                ? NO_STRING
                : (uint64_t)((const unsigned char *)text - column->data);
    }
    if (at != end)
        return bad_column(load, param, "has more strings than rows");
    slot->rows = column->data;
    slot->pointer =
        same && offsets[0] != NO_STRING ? slot->rows + offsets[0] : NULL;
    if (!same)
        load->rows->steps[load->rows->nsteps++] = param;
    load->rows->args[param] = &slot->pointer;
    return CADRE_OK;
}

/* The payload of an array that is sent: `len` elements. */
static cadre_err load_elements(struct load *load, int param, uint64_t len)
{
    const struct cadre_column *column = &load->columns[param];
    struct slot *slot = &load->rows->slots[param];

    if (!cadre_column_holds(column, len, slot->size))
        return bad_column(load, param, "has the wrong number of elements");
    slot->rows = column->data;
    return CADRE_OK;
}

/* The rows of an array that is out only: zeros. */
static cadre_err load_out(struct load *load, int param, uint64_t len)
{
    struct slot *slot = &load->rows->slots[param];

    if (make_room(&slot->room, len, slot->size) != CADRE_OK)
        return no_memory(load, param);
    memset(slot->room.data, 0, len * slot->size);
    slot->rows = slot->room.data;
    return CADRE_OK;
}

/* One array for all rows, of which each row that changes it gets a copy. */
static cadre_err load_same(struct load *load, int param)
{
    struct cadre_rows *rows = load->rows;
    struct slot *slot = &rows->slots[param];
    cadre_err err;

    if (slot->lengths.varies)
        return bad_column(load, param, "is one array of several lengths");
    if ((err = load_elements(load, param, slot->lengths.row_len)) != CADRE_OK)
        return err;
    slot->pointer = slot->rows;
    if (!cadre_param_is_output(&rows->proto->params[param]))
        return CADRE_OK;
    slot->same = slot->rows;
    if (make_room(&slot->room, load->count,
                  slot->lengths.row_len * slot->size) != CADRE_OK)
        return no_memory(load, param);
    slot->rows = slot->room.data;
    rows->steps[rows->nsteps++] = param;
    return CADRE_OK;
}

/* The parameter with the first of the array's lengths that was left out, or -1.
 */
static int absent_length(const struct cadre_rows *rows, int param)
{
    const struct cadre_param *array = &rows->proto->params[param];
    int p;

    for (int d = 0; d < array->ndims; d++)
        if ((p = array->dims[d].param) >= 0 && rows->slots[p].is_absent)
            return p;
    return -1;
}

/* An array that comes from the store, or whose lengths do. */
static cadre_err load_unknown(struct load *load, int param)
{
    struct cadre_rows *rows = load->rows;
    struct slot *slot = &rows->slots[param];
    uint64_t count;

    slot->is_counted = cadre_param_is_output(&rows->proto->params[param]);
    if (!slot->is_counted)
        return load_absent(load, param);
    slot->lengths.varies = true;
    slot->lengths.starts.len = 0;
    if (__builtin_add_overflow(load->count, 1, &count) ||
        make_room(&slot->lengths.starts, count, sizeof(uint64_t)) != CADRE_OK)
        return no_memory(load, param);
    memset(slot->lengths.starts.data, 0, sizeof(uint64_t));
    return load_absent(load, param);
}

static cadre_err load_array(struct load *load, int param)
{
    struct cadre_rows *rows = load->rows;
    struct slot *slot = &rows->slots[param];
    int unknown = absent_length(rows, param);
    uint64_t len;
    cadre_err err;

    if (slot->is_absent ||
        (unknown >= 0 && rows->proto->params[param].direction == CADRE_DIR_OUT))
        return load_unknown(load, param);
    if (unknown >= 0)
        return bad_column(load, unknown,
                          "is missing, the length of an array that is not");
    err = cadre_lengths_measure(&slot->lengths, rows->proto, param,
                                load->values, load->count, load->error);
    if (err != CADRE_OK)
        return cadre_error_prefix(load->error,
                                  err == CADRE_ETYPE ? CADRE_EPROTO : err,
                                  "arguments: ");
    slot->same = NULL;
    rows->args[param] = &slot->pointer;
    if (load->columns[param].form == CADRE_FORM_SAME)
        return load_same(load, param);

    if (slot->lengths.varies)
        len = cadre_lengths_start(&slot->lengths, load->count);
    else if (__builtin_mul_overflow(slot->lengths.row_len, load->count, &len))
        return bad_column(load, param, "has more elements than there can be");
    err = rows->proto->params[param].direction == CADRE_DIR_OUT
              ? load_out(load, param, len)
              : load_elements(load, param, len);
    if (err != CADRE_OK)
        return err;
    slot->pointer = slot->rows;
    if (slot->lengths.varies)
        rows->steps[rows->nsteps++] = param;
    else
        add_cursor(rows, &slot->pointer, slot->lengths.row_len * slot->size);
    return CADRE_OK;
}

/* Is the column of `param` of its type, and there if it has to be? */
static cadre_err check_column(const struct load *load, int param)
{
    const struct cadre_param *p = &load->rows->proto->params[param];
    const struct cadre_column *column = &load->columns[param];

    if (column->type != p->type)
        return bad_column(load, param, "is of another type");
    if (column->form == CADRE_FORM_COUNTED)
        return bad_column(load, param, "has a form for outputs");
    if (!cadre_param_is_sent(p) && column->form != CADRE_FORM_ABSENT)
        return bad_column(load, param, "is not to be sent");
    if (column->form == CADRE_FORM_ABSENT && column->bytes > 0)
        return bad_column(load, param, "is absent but has bytes");
    return CADRE_OK;
}

/* Anything but an array. */
static cadre_err load_value(struct load *load, int param)
{
    const struct cadre_param *p = &load->rows->proto->params[param];
    struct slot *slot = &load->rows->slots[param];

    slot->is_counted = false;
    slot->room.len = 0;
    slot->is_absent = cadre_param_is_sent(p) &&
                      load->columns[param].form == CADRE_FORM_ABSENT;
    switch (p->kind) {
    case CADRE_PARAM_SCALAR:
        return slot->is_absent ? load_absent(load, param)
                               : load_scalar(load, param);
    case CADRE_PARAM_STRING:
        return slot->is_absent ? load_absent(load, param)
                               : load_string(load, param);
    case CADRE_PARAM_STORE:
    case CADRE_PARAM_OBJECT:
        load->rows->fills[load->rows->nfills++] = param;
        break;
    case CADRE_PARAM_ARRAY:
    case CADRE_PARAM_COMM:
    case CADRE_PARAM_TASK:
        break;
    }
    return CADRE_OK;
}

static cadre_err load_results(struct load *load)
{
    struct cadre_rows *rows = load->rows;

    if (rows->proto->result == CADRE_VOID)
        return CADRE_OK;
    if (rows->proto->result == CADRE_STRING)
        return make_room(&rows->strings, load->count, 1) == CADRE_OK
                   ? CADRE_OK
                   : no_memory(load, -1);
    if (make_room(&rows->results, load->count, rows->result_size) != CADRE_OK)
        return no_memory(load, -1);
    rows->result = rows->results.data;
    add_cursor(rows, &rows->result, rows->result_size);
    return CADRE_OK;
}

/* Start on the batch whose columns are read. */
static cadre_err load_columns(struct load *load)
{
    struct cadre_rows *rows = load->rows;
    const struct cadre_param *params = rows->proto->params;
    int nparams = rows->proto->nparams;
    cadre_err err;

    for (int i = 0; i < nparams; i++)
        if ((err = check_column(load, i)) != CADRE_OK ||
            (err = load_value(load, i)) != CADRE_OK)
            return err;
    for (int i = 0; i < nparams; i++) /* now that all lengths are known */
        if (params[i].kind == CADRE_PARAM_ARRAY &&
            (err = load_array(load, i)) != CADRE_OK)
            return err;
    if ((err = load_results(load)) != CADRE_OK)
        return err;
    rows->count = load->count;
    return CADRE_OK;
}

/* Forget the last batch. */
static void unload(struct cadre_rows *rows)
{
    rows->count = rows->begun = rows->stored = rows->flushed = 0;
    rows->ncursors = rows->nsteps = rows->nfills = 0;
    rows->strings.len = 0;
}

cadre_err cadre_rows_load(struct cadre_rows *rows, uint64_t count, void *args,
                          size_t len, struct cadre_error *error)
{
    return cadre_rows_load_with(rows, count, args, len, NULL, error);
}

void cadre_rows_keep(struct cadre_rows *rows, struct cadre_keeper *keeper)
{
    rows->keeper = keeper;
}

cadre_err cadre_rows_load_with(struct cadre_rows *rows, uint64_t count,
                               void *args, size_t len,
                               const struct cadre_bulks *bulks,
                               struct cadre_error *error)
{
    struct load load;
    cadre_err err;

    assert((uintptr_t)args % CADRE_FRAME_ALIGN == 0);
    unload(rows);
    load.rows = rows;
    load.count = count;
    load.error = error;
    if ((err = cadre_columns_read(args, len, bulks, load.columns,
                                  rows->proto->nparams, error)) != CADRE_OK)
        return cadre_error_prefix(error, err, "arguments: ");
    if (!cadre_columns_are_there(load.columns, rows->proto->nparams))
        return cadre_error_set(error, CADRE_EPROTO,
                               "arguments: an array is not with them");
    return load_columns(&load);
}

cadre_err cadre_rows_load_nothing(struct cadre_rows *rows, uint64_t count,
                                  struct cadre_error *error)
{
    struct load load;

    unload(rows);
    load.rows = rows;
    load.count = count;
    load.error = error;
    for (int i = 0; i < rows->proto->nparams; i++)
        load.columns[i] = (struct cadre_column){
            .form = CADRE_FORM_ABSENT, .type = rows->proto->params[i].type};
    return load_columns(&load);
}

/* Elements of one row, as bytes. */
static size_t row_bytes(const struct slot *slot, uint64_t row)
{
    return (cadre_lengths_start(&slot->lengths, row + 1) -
            cadre_lengths_start(&slot->lengths, row)) *
           slot->size;
}

/* What no cursor does for row `row`. */
static void step(struct cadre_rows *rows, uint64_t row)
{
    const uint64_t *offsets;
    struct slot *slot;

    for (int i = 0; i < rows->nsteps; i++) {
        slot = &rows->slots[rows->steps[i]];
        if (rows->proto->params[rows->steps[i]].kind == CADRE_PARAM_STRING) {
            offsets = (const uint64_t *)(const void *)slot->offsets.data;
            slot->pointer =
                offsets[row] == NO_STRING ? NULL : slot->rows + offsets[row];
            continue;
        }
        slot->pointer =
            slot->rows + cadre_lengths_start(&slot->lengths, row) * slot->size;
        if (slot->same != NULL)
            memcpy(slot->pointer, slot->same, row_bytes(slot, row));
    }
}

/* Until a row is filled, its arrays have no elements. */
static void empty_row(struct cadre_rows *rows, uint64_t row)
{
    struct slot *slot;

    rows->store = NULL;
    for (int i = 0; i < rows->nfills; i++) {
        slot = &rows->slots[rows->fills[i]];
        slot->pointer = NULL;
        if (slot->is_counted)
            cadre_starts_of(slot)[row + 1] = cadre_starts_of(slot)[row];
    }
}

bool cadre_rows_has_fills(const struct cadre_rows *rows)
{
    return rows->nfills > 0;
}

bool cadre_rows_next(struct cadre_rows *rows)
{
    struct cursor *cursor = rows->cursors, *end = cursor + rows->ncursors;

    assert(rows->stored == rows->begun);
    if (rows->begun == rows->count)
        return false;
    if (rows->begun > 0)
        for (; cursor < end; cursor++)
            *cursor->at = (unsigned char *)*cursor->at + cursor->stride;
    if (rows->nsteps > 0)
        step(rows, rows->begun);
    if (rows->nfills > 0)
        empty_row(rows, rows->begun);
    rows->begun++;
    return true;
}

void **cadre_rows_args(struct cadre_rows *rows)
{
    return rows->args;
}

void *cadre_rows_result(struct cadre_rows *rows)
{
    return rows->result;
}

void cadre_rows_bind(struct cadre_rows *rows, int param, void *value)
{
    assert(rows->proto->params[param].kind >= CADRE_PARAM_COMM);
    rows->args[param] = value;
}

static cadre_err store_string(struct cadre_rows *rows, bool failed)
{
    const char *text = failed ? NULL : rows->string;
    struct cadre_buffer *strings = &rows->strings;
    size_t size = cadre_string_size(text);

    if (cadre_buffer_reserve(strings, size + (rows->count - rows->begun)) !=
        CADRE_OK)
        return CADRE_ENOMEM;
    cadre_string_put(strings->data + strings->len, text);
    strings->len += size;
    if (rows->proto->frees_result)
        free(rows->string);
    rows->string = NULL;
    return CADRE_OK;
}

static void clear_outputs(struct cadre_rows *rows, uint64_t row)
{
    int param;

    if (rows->result_size > 0)
        memset(rows->result, 0, rows->result_size);
    for (int i = 0; i < rows->noutputs; i++) {
        param = cadre_proto_output_param(rows->proto, i);
        if (param >= 0 && rows->slots[param].is_counted)
            cadre_starts_of(&rows->slots[param])[row + 1] =
                cadre_starts_of(&rows->slots[param])[row];
        else if (param >= 0)
            memset(rows->slots[param].pointer, 0,
                   row_bytes(&rows->slots[param], row));
    }
}

cadre_err cadre_rows_store(struct cadre_rows *rows, bool failed)
{
    assert(rows->begun == rows->stored + 1);
    if (rows->nfills > 0 && !failed &&
        cadre_rows_reserve_stored(rows) != CADRE_OK)
        return CADRE_ENOMEM;
    if (rows->proto->result == CADRE_STRING &&
        store_string(rows, failed) != CADRE_OK)
        return CADRE_ENOMEM;
    if (failed)
        clear_outputs(rows, rows->stored);
    else if (rows->nfills > 0)
        cadre_rows_copy_stored(rows, rows->stored);
    rows->stored = rows->begun;
    return CADRE_OK;
}

uint64_t cadre_rows_unflushed(const struct cadre_rows *rows)
{
    return rows->stored - rows->flushed;
}

/* The column of output `output`, rows [flushed, stored); its `data` is where
 * they lie now. */
static struct cadre_column output_column(const struct cadre_rows *rows,
                                         int output)
{
    int param = cadre_proto_output_param(rows->proto, output);
    const struct slot *slot;
    uint64_t first;

    if (rows->stored == rows->flushed)
        return (struct cadre_column){
            .form = param >= 0 && rows->slots[param].is_counted
                        ? CADRE_FORM_COUNTED
                        : CADRE_FORM_DENSE,
            .type = param >= 0 ? rows->proto->params[param].type
                               : rows->proto->result};
    if (param >= 0) {
        slot = &rows->slots[param];
        first = cadre_lengths_start(&slot->lengths, rows->flushed);
        if (slot->is_counted)
            return (struct cadre_column){
                CADRE_FORM_COUNTED,
                rows->proto->params[param].type,
                cadre_counts_size(rows->stored - rows->flushed) +
                    cadre_lengths_start(&slot->lengths, rows->stored) *
                        slot->size,
                slot->room.data,
                false,
                NULL};
        return (struct cadre_column){
            CADRE_FORM_DENSE,
            rows->proto->params[param].type,
            (cadre_lengths_start(&slot->lengths, rows->stored) - first) *
                slot->size,
            slot->rows + first * slot->size,
            false,
            NULL};
    }
    if (rows->proto->result == CADRE_STRING)
        return (struct cadre_column){
            CADRE_FORM_DENSE,   CADRE_STRING, rows->strings.len,
            rows->strings.data, false,        NULL};
    return (struct cadre_column){
        CADRE_FORM_DENSE,
        rows->proto->result,
        (rows->stored - rows->flushed) * rows->result_size,
        rows->results.data + rows->flushed * rows->result_size,
        false,
        NULL};
}

/* Write array `param` to COUNTED column `to`; its room is free again. */
static void flush_counted(struct cadre_rows *rows, int param,
                          const struct cadre_column *to)
{
    struct slot *slot = &rows->slots[param];
    uint64_t *starts = cadre_starts_of(slot),
             count = rows->stored - rows->flushed;
    uint64_t start = cadre_counts_size(count);
    unsigned char *at = to->data;

    if (count == 0)
        return;
    for (uint64_t row = rows->flushed; row < rows->stored; row++, at += 8)
        cadre_put_u64(at, starts[row + 1] - starts[row]);
    memset(at, 0, (size_t)(to->data + start - at));
    if (to->bytes > start)
        memcpy(to->data + start, slot->room.data, to->bytes - start);
    starts[rows->stored] = 0;
}

/* Let the column, if it is a large array, be sent from where it lies. */
static struct cadre_column or_apart(const struct cadre_rows *rows, int output,
                                    struct cadre_column column)
{
    column.is_apart = rows->keeper != NULL && column.bytes >= CADRE_BULK_MIN &&
                      column.form == CADRE_FORM_DENSE &&
                      cadre_proto_output_param(rows->proto, output) >= 0;
    column.keeper = rows->keeper;
    return column;
}

cadre_err cadre_rows_flush(struct cadre_rows *rows, struct cadre_buffer *buffer)
{
    struct cadre_column from[CADRE_PARAMS_MAX + 1], to[CADRE_PARAMS_MAX + 1];

    for (int i = 0; i < rows->noutputs; i++)
        to[i] = from[i] = or_apart(rows, i, output_column(rows, i));
    if (cadre_columns_append(to, rows->noutputs, buffer) != CADRE_OK)
        return CADRE_ENOMEM;
    for (int i = 0; i < rows->noutputs; i++) {
        if (from[i].form == CADRE_FORM_COUNTED)
            flush_counted(rows, cadre_proto_output_param(rows->proto, i),
                          &to[i]);
        else if (from[i].bytes > 0 && !from[i].is_apart)
            memcpy(to[i].data, from[i].data, from[i].bytes);
    }
    rows->strings.len = 0;
    rows->flushed = rows->stored;
    return CADRE_OK;
}
