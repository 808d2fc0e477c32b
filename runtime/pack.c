/* pack.c - the controller's side of pack.h: arguments out of the caller's
 * memory, outputs into it. Columns that lie in memory as they travel are one
 * memcpy; only POINTERS are gone through row by row.
 */
#include "pack.h"

#include "columns.h"
#include "lengths.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a string result is taken for in row_bytes: nobody knows it before. */
enum { STRING_BYTES = 16 };

static const struct cadre_param *param_of(const struct cadre_table *table,
                                          int param)
{
    return &table->proto->params[param];
}

/* Where row `row` of array `param` starts in a concatenated column. */
static uint64_t start_of(const struct cadre_table *table, int param,
                         uint64_t row)
{
    return table->starts[param] != NULL ? table->starts[param][row]
                                        : row * table->row_len[param];
}

uint64_t cadre_table_length(const struct cadre_table *table, int param,
                            uint64_t row)
{
    return table->starts[param] != NULL
               ? table->starts[param][row + 1] - table->starts[param][row]
               : table->row_len[param];
}

/* `what` is wrong with the view of parameter `param` (-1: of the result). */
static cadre_err bad_view(const struct cadre_table *table, int param,
                          const char *what, struct cadre_error *error)
{
    return cadre_error_set(error, CADRE_EINVAL, "%s %s",
                           cadre_param_label(table->proto, param).text, what);
}

/* Has array `param` a length that was left out? */
static bool lacks_length(const struct cadre_table *table, int param)
{
    const struct cadre_param *array = param_of(table, param);

    for (int d = 0; d < array->ndims; d++)
        if (array->dims[d].param >= 0 &&
            table->args[array->dims[d].param].form == CADRE_FORM_ABSENT)
            return true;
    return false;
}

bool cadre_table_is_counted(const struct cadre_table *table, int param)
{
    const struct cadre_param *p = param_of(table, param);

    return p->kind == CADRE_PARAM_ARRAY &&
           ((cadre_param_is_sent(p) &&
             table->args[param].form == CADRE_FORM_ABSENT) ||
            lacks_length(table, param));
}

/* The lengths of array `param` are values of other parameters: are they there?
 */
static cadre_err check_dims(const struct cadre_table *table, int param,
                            struct cadre_error *error)
{
    const struct cadre_param *array = param_of(table, param);
    int p;

    for (int d = 0; d < array->ndims; d++)
        if ((p = array->dims[d].param) >= 0 &&
            table->args[p].form == CADRE_FORM_ABSENT)
            return cadre_error_set(
                error, CADRE_EINVAL,
                "%s has its length in %s, which has no value",
                cadre_param_label(table->proto, param).text,
                cadre_param_label(table->proto, p).text);
    return CADRE_OK;
}

static bool form_fits(enum cadre_param_kind kind, enum cadre_form form)
{
    switch (form) {
    case CADRE_FORM_SAME:
        return true;
    case CADRE_FORM_DENSE:
        return kind != CADRE_PARAM_STRING;
    case CADRE_FORM_POINTERS:
        return kind != CADRE_PARAM_SCALAR;
    case CADRE_FORM_ABSENT:
    case CADRE_FORM_COUNTED:
        break;
    }
    return false;
}

static cadre_err check_arg(const struct cadre_table *table, int param,
                           struct cadre_error *error)
{
    const struct cadre_param *p = param_of(table, param);
    const struct cadre_view *view = &table->args[param];

    if (!cadre_param_is_sent(p)) {
        if (view->form != CADRE_FORM_ABSENT)
            return bad_view(table, param, "takes no value", error);
        return CADRE_OK;
    }
    if (view->form == CADRE_FORM_ABSENT)
        return table->has_store ? CADRE_OK
                                : bad_view(table, param, "has no value", error);
    if (!form_fits(p->kind, view->form))
        return bad_view(table, param, "cannot have this form", error);
    if (p->kind != CADRE_PARAM_ARRAY && view->data == NULL &&
        (view->form == CADRE_FORM_SAME || table->count > 0))
        return bad_view(table, param, "is a null pointer", error);
    return CADRE_OK;
}

static cadre_err check_output(const struct cadre_table *table, int output,
                              struct cadre_error *error)
{
    int param = cadre_proto_output_param(table->proto, output);
    const struct cadre_view *view = &table->outputs[output];
    enum cadre_param_kind kind = param >= 0 ? CADRE_PARAM_ARRAY
                                 : table->proto->result == CADRE_STRING
                                     ? CADRE_PARAM_STRING
                                     : CADRE_PARAM_SCALAR;

    if (view->form == CADRE_FORM_ABSENT)
        return CADRE_OK;
    if (view->form == CADRE_FORM_SAME || !form_fits(kind, view->form))
        return bad_view(table, param, "cannot be filled in this form", error);
    if (param < 0 && view->data == NULL && table->count > 0)
        return bad_view(table, param, "is to go to a null pointer", error);
    return CADRE_OK;
}

static cadre_err check_views(const struct cadre_table *table,
                             struct cadre_error *error)
{
    const struct cadre_proto *proto = table->proto;
    int noutputs = cadre_proto_noutputs(proto);
    cadre_err err;

    for (int i = 0; i < proto->nparams; i++)
        if (proto->params[i].kind == CADRE_PARAM_ARRAY &&
            ((proto->params[i].direction == CADRE_DIR_OUT &&
              !table->has_store) ||
             table->args[i].form != CADRE_FORM_ABSENT) &&
            (err = check_dims(table, i, error)) != CADRE_OK)
            return err;
    for (int i = 0; i < proto->nparams; i++)
        if ((err = check_arg(table, i, error)) != CADRE_OK)
            return err;
    for (int i = 0; i < noutputs; i++)
        if ((err = check_output(table, i, error)) != CADRE_OK)
            return err;
    return CADRE_OK;
}

/* Array `param` has elements: is there memory for them in `view`? */
static cadre_err check_memory(const struct cadre_table *table, int param,
                              const struct cadre_view *view,
                              struct cadre_error *error)
{
    void *const *pointers = view->data;

    if (view->form == CADRE_FORM_ABSENT || table->count == 0)
        return CADRE_OK;
    if (view->form == CADRE_FORM_SAME && table->starts[param] != NULL)
        return cadre_error_set(
            error, CADRE_ETYPE,
            "%s is the same in all rows, but its length differs",
            cadre_param_label(table->proto, param).text);
    if (view->data == NULL && (view->form == CADRE_FORM_POINTERS ||
                               start_of(table, param, table->count) > 0))
        return bad_view(table, param, "is a null pointer", error);
    if (view->form != CADRE_FORM_POINTERS)
        return CADRE_OK;
    for (uint64_t row = 0; row < table->count; row++)
        if (pointers[row] == NULL && cadre_table_length(table, param, row) > 0)
            return cadre_error_set(
                error, CADRE_EINVAL, "%s, row %" PRIu64 ": a null pointer",
                cadre_param_label(table->proto, param).text, row);
    return CADRE_OK;
}

static cadre_err measure_arrays(struct cadre_table *table,
                                struct cadre_error *error)
{
    const struct cadre_proto *proto = table->proto;
    struct cadre_values values[CADRE_PARAMS_MAX];
    struct cadre_lengths lengths;
    cadre_err err;

    for (int i = 0; i < proto->nparams; i++)
        values[i] = (struct cadre_values){
            .data = table->args[i].data,
            .stride = table->args[i].form == CADRE_FORM_DENSE
                          ? cadre_param_size(&proto->params[i])
                          : 0};
    for (int i = 0; i < proto->nparams; i++) {
        if (proto->params[i].kind != CADRE_PARAM_ARRAY) {
            table->row_len[i] = 1;
            continue;
        }
        if (cadre_table_is_counted(table, i))
            continue;
        lengths = (struct cadre_lengths){0};
        err = cadre_lengths_measure(&lengths, proto, i, values, table->count,
                                    error);
        if (err == CADRE_OK && lengths.varies) {
            table->starts[i] = (uint64_t *)(void *)lengths.starts.data;
            lengths.starts = (struct cadre_buffer){0}; /* now the table's */
        }
        table->row_len[i] = lengths.row_len;
        cadre_lengths_fini(&lengths);
        if (err != CADRE_OK ||
            (err = check_memory(table, i, &table->args[i], error)) != CADRE_OK)
            return err;
    }
    for (int i = 0, p; i < cadre_proto_noutputs(proto); i++) {
        if ((p = cadre_proto_output_param(proto, i)) < 0)
            continue;
        if (cadre_table_is_counted(table, p) &&
            table->outputs[i].form != CADRE_FORM_ABSENT)
            return cadre_error_set(
                error, CADRE_ETYPE,
                "%s has its length from the workers' store: nobody knows what "
                "room it needs here (a single task gives it, or give the "
                "length)",
                cadre_param_label(proto, p).text);
        if ((err = check_memory(table, p, &table->outputs[i], error)) !=
            CADRE_OK)
            return err;
    }
    return CADRE_OK;
}

/* Add count * size to *sum, or to be found later set *too_many. */
static void add(uint64_t *sum, uint64_t count, size_t size, bool *too_many)
{
    uint64_t bytes;

    *too_many |= __builtin_mul_overflow(count, size, &bytes) ||
                 __builtin_add_overflow(*sum, bytes, sum);
}

/* Bytes of argument `param` if all rows share it. */
static uint64_t shared_size(const struct cadre_table *table, int param)
{
    const struct cadre_view *view = &table->args[param];

    if (param_of(table, param)->kind == CADRE_PARAM_STRING)
        return cadre_string_size(*(char *const *)view->data);
    return table->row_len[param] * cadre_param_size(param_of(table, param));
}

/* How often do the bytes of a row have those of parameter `param`: as an
 * argument of its own, as an output, both or none? */
static unsigned times_in_row(const struct cadre_table *table, int param)
{
    enum cadre_form form = table->args[param].form;

    return (form == CADRE_FORM_DENSE || form == CADRE_FORM_POINTERS) +
           cadre_param_is_output(param_of(table, param));
}

static bool is_strings(const struct cadre_table *table, int param)
{
    return param_of(table, param)->kind == CADRE_PARAM_STRING &&
           table->args[param].form == CADRE_FORM_POINTERS;
}

/* Running totals of the bytes of rows of which `fixed` are in every row. */
static cadre_err measure_rows(struct cadre_table *table, uint64_t fixed,
                              struct cadre_error *error)
{
    uint64_t *totals, bytes;
    bool too_many = false;
    char *const *texts;
    unsigned times;

    if (__builtin_add_overflow(table->count, 1, &bytes) ||
        __builtin_mul_overflow(bytes, sizeof *totals, &bytes) ||
        (totals = malloc(bytes)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "no memory for the sizes of %" PRIu64 " rows",
                               table->count);
    table->row_bytes = totals;
    for (uint64_t row = 0; row <= table->count; row++)
        totals[row] = row == 0 ? 0 : fixed;
    for (int i = 0; i < table->proto->nparams; i++) {
        times = times_in_row(table, i);
        if (is_strings(table, i)) {
            texts = table->args[i].data;
            for (uint64_t row = 0; row < table->count; row++)
                add(&totals[row + 1], cadre_string_size(texts[row]), 1,
                    &too_many);
        } else if (table->starts[i] != NULL && times > 0) {
            for (uint64_t row = 0; row < table->count; row++)
                add(&totals[row + 1], cadre_table_length(table, i, row),
                    times * cadre_param_size(param_of(table, i)), &too_many);
        }
    }
    for (uint64_t row = 0; row < table->count; row++)
        add(&totals[row + 1], totals[row], 1, &too_many);
    if (too_many)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the rows have more bytes than there can be");
    return CADRE_OK;
}

static cadre_err measure_bytes(struct cadre_table *table,
                               struct cadre_error *error)
{
    bool too_many = false, varies = false;
    uint64_t fixed = 0, total = 0;

    for (int i = 0; i < table->proto->nparams; i++) {
        if (table->args[i].form == CADRE_FORM_SAME)
            add(&table->shared_bytes, shared_size(table, i), 1, &too_many);
        if (is_strings(table, i) || table->starts[i] != NULL)
            varies = true;
        else
            add(&fixed, table->row_len[i],
                times_in_row(table, i) * cadre_param_size(param_of(table, i)),
                &too_many);
    }
    add(&fixed, 1,
        table->proto->result == CADRE_STRING
            ? STRING_BYTES
            : cadre_proto_result_size(table->proto),
        &too_many);
    add(&total, table->count, fixed, &too_many);
    if (too_many)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the rows have more bytes than there can be");
    if (varies)
        return measure_rows(table, fixed, error);
    table->bytes_per_row = fixed;
    return CADRE_OK;
}

cadre_err cadre_table_measure(struct cadre_table *table,
                              struct cadre_error *error)
{
    size_t nparams = (size_t)table->proto->nparams;
    cadre_err err;

    table->starts = NULL; /* from here on fini is safe */
    table->row_len = NULL;
    table->row_bytes = NULL;
    table->bytes_per_row = 0;
    table->shared_bytes = 0;
    if ((err = check_views(table, error)) != CADRE_OK)
        return err;
    /* One block for both; never of 0 bytes. */
    if (table->room != NULL)
        table->starts = memset(table->room, 0, nparams * CADRE_TABLE_ROOM);
    else
        table->starts = calloc(nparams + 1, CADRE_TABLE_ROOM);
    if (table->starts == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "no memory for %d columns",
                               table->proto->nparams);
    table->row_len = (uint64_t *)(void *)(table->starts + nparams);
    if ((err = measure_arrays(table, error)) != CADRE_OK)
        return err;
    return measure_bytes(table, error);
}

void cadre_table_fini(struct cadre_table *table)
{
    for (int i = 0; table->starts != NULL && i < table->proto->nparams; i++)
        free(table->starts[i]);
    if (table->starts != table->room)
        free(table->starts); /* row_len is in the same block */
    free(table->row_bytes);
    table->starts = NULL;
    table->row_len = NULL;
    table->row_bytes = NULL;
}

/* Unless it was received there. */
static void copy(void *to, const void *from, uint64_t bytes)
{
    if (bytes > 0 && to != from)
        memcpy(to, from, bytes);
}

/* Where rows [first, first + count) of array `param` lie in one piece, by
 * `view`; NULL: they do not. */
static unsigned char *piece_of(const struct cadre_table *table, int param,
                               const struct cadre_view *view, uint64_t first,
                               uint64_t count)
{
    unsigned char *data = (void *)(uintptr_t)view->data;
    void *const *pointers = view->data;

    if (view->form == CADRE_FORM_SAME)
        return data;
    if (view->form == CADRE_FORM_DENSE)
        return data + start_of(table, param, first) *
                          cadre_param_size(param_of(table, param));
    return view->form == CADRE_FORM_POINTERS && count == 1 ? pointers[first]
                                                           : NULL;
}

/* Let the column, if it is large, be sent from where it lies. */
static struct cadre_column or_apart(const struct cadre_table *table, int param,
                                    uint64_t first, uint64_t count,
                                    struct cadre_column column)
{
    unsigned char *data;

    if (table->keeper == NULL || column.bytes < CADRE_BULK_MIN ||
        param_of(table, param)->kind != CADRE_PARAM_ARRAY ||
        (data = piece_of(table, param, &table->args[param], first, count)) ==
            NULL)
        return column;
    column.data = data;
    column.is_apart = true;
    column.keeper = table->keeper;
    return column;
}

/* The column that rows [first, first + count) of argument `param` become,
 * without its payload. */
static struct cadre_column arg_column(const struct cadre_table *table,
                                      int param, uint64_t first, uint64_t count)
{
    const struct cadre_view *view = &table->args[param];
    struct cadre_column column = {.form = view->form,
                                  .type = param_of(table, param)->type};
    char *const *texts = view->data;

    switch (view->form) {
    case CADRE_FORM_ABSENT:
    case CADRE_FORM_COUNTED:
        return column;
    case CADRE_FORM_SAME:
        column.bytes = shared_size(table, param);
        return column;
    case CADRE_FORM_DENSE:
    case CADRE_FORM_POINTERS:
        break;
    }
    column.form = CADRE_FORM_DENSE;
    if (is_strings(table, param))
        for (uint64_t row = first; row < first + count; row++)
            column.bytes += cadre_string_size(texts[row]);
    else
        column.bytes = (start_of(table, param, first + count) -
                        start_of(table, param, first)) *
                       cadre_param_size(param_of(table, param));
    return column;
}

static void fill_arg(const struct cadre_table *table, int param, uint64_t first,
                     uint64_t count, const struct cadre_column *column)
{
    const struct cadre_view *view = &table->args[param];
    size_t size = cadre_param_size(param_of(table, param)), bytes;
    bool is_string = param_of(table, param)->kind == CADRE_PARAM_STRING;
    void *const *pointers = view->data;
    unsigned char *at = column->data;

    switch (view->form) {
    case CADRE_FORM_ABSENT:
    case CADRE_FORM_COUNTED:
        return;
    case CADRE_FORM_SAME:
        if (is_string)
            cadre_string_put(at, pointers[0]);
        else
            copy(at, view->data, column->bytes);
        return;
    case CADRE_FORM_DENSE:
        if (column->bytes > 0)
            memcpy(at,
                   (const unsigned char *)view->data +
                       start_of(table, param, first) * size,
                   column->bytes);
        return;
    case CADRE_FORM_POINTERS:
        for (uint64_t row = first; row < first + count; row++) {
            if (is_string) {
                at = cadre_string_put(at, pointers[row]);
                continue;
            }
            bytes = cadre_table_length(table, param, row) * size;
            copy(at, pointers[row], bytes);
            at += bytes;
        }
        return;
    }
}

cadre_err cadre_args_pack(const struct cadre_table *table, uint64_t first,
                          uint64_t count, struct cadre_buffer *buffer)
{
    struct cadre_column columns[CADRE_PARAMS_MAX];
    int nparams = table->proto->nparams;

    assert(first <= table->count && count <= table->count - first);
    for (int i = 0; i < nparams; i++)
        columns[i] = or_apart(table, i, first, count,
                              arg_column(table, i, first, count));
    if (cadre_columns_append(columns, nparams, buffer) != CADRE_OK)
        return CADRE_ENOMEM;
    for (int i = 0; i < nparams; i++)
        if (!columns[i].is_apart)
            fill_arg(table, i, first, count, &columns[i]);
    return CADRE_OK;
}

/* Bytes of one element of output parameter `param`, or of the result (-1). */
static size_t output_size(const struct cadre_table *table, int param)
{
    return param >= 0 ? cadre_param_size(param_of(table, param))
                      : cadre_proto_result_size(table->proto);
}

/* Is `column` exactly `count` coded strings? */
static bool holds_strings(const struct cadre_column *column, uint64_t count)
{
    const unsigned char *at = column->data, *end = at + column->bytes;
    const char *text;

    for (uint64_t row = 0; row < count; row++)
        if (!cadre_string_next(&at, end, &text))
            return false;
    return at == end;
}

/* Is COUNTED `column` what array `param` of rows [first, first + count) can be?
 * `is_wanted`: the table has learned how long each is. */
static bool holds_counted(const struct cadre_table *table, int param,
                          uint64_t first, uint64_t count, bool is_wanted,
                          const struct cadre_column *column)
{
    if (column->form != CADRE_FORM_COUNTED ||
        column->type != param_of(table, param)->type ||
        !cadre_column_holds_counted(column, count, output_size(table, param)))
        return false;
    for (uint64_t row = 0; row < count && is_wanted; row++)
        if (cadre_column_elements(column, row) !=
            cadre_table_length(table, param, first + row))
            return false;
    return true;
}

/* Is `column` output `output` of rows [first, first + count)? */
static cadre_err read_output(const struct cadre_table *table, int output,
                             uint64_t first, uint64_t count,
                             const struct cadre_column *column,
                             struct cadre_error *error)
{
    int param = cadre_proto_output_param(table->proto, output);
    cadre_type type =
        param < 0 ? table->proto->result : param_of(table, param)->type;
    bool fits = column->form == CADRE_FORM_DENSE && column->type == type;

    if (param >= 0 && cadre_table_is_counted(table, param))
        fits = holds_counted(table, param, first, count,
                             table->outputs[output].form != CADRE_FORM_ABSENT,
                             column);
    else if (fits && param >= 0)
        fits = cadre_column_holds(column,
                                  start_of(table, param, first + count) -
                                      start_of(table, param, first),
                                  output_size(table, param));
    else if (fits && type == CADRE_STRING)
        fits = holds_strings(column, count);
    else if (fits)
        fits = cadre_column_holds(column, count, output_size(table, -1));
    if (fits)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EPROTO,
                           "%s of %" PRIu64 " rows cannot be %" PRIu64
                           " bytes of %s",
                           cadre_param_label(table->proto, param).text, count,
                           column->bytes, cadre_type_name(column->type));
}

static cadre_err copy_strings(const struct cadre_column *column, char **texts,
                              uint64_t count)
{
    const unsigned char *at = column->data, *end = at + column->bytes;
    cadre_err err = CADRE_OK;
    const char *text = NULL;
    size_t size;

    for (uint64_t row = 0; row < count; row++) {
        texts[row] = NULL;
        if (!cadre_string_next(&at, end, &text) || text == NULL)
            continue;
        size = (size_t)((const char *)at - text);
        if ((texts[row] = malloc(size)) == NULL)
            err = CADRE_ENOMEM;
        else
            memcpy(texts[row], text, size);
    }
    return err;
}

/* Copy `column`, which has been checked, to where the caller wants it. */
static cadre_err write_output(const struct cadre_table *table, int output,
                              uint64_t first, uint64_t count,
                              const struct cadre_column *column)
{
    int param = cadre_proto_output_param(table->proto, output);
    const struct cadre_view *view = &table->outputs[output];
    /* An output's memory is the caller's, who wants it written to. */
    void *data = (void *)(uintptr_t)view->data;
    size_t size = output_size(table, param), bytes;
    const unsigned char *at = column->data;
    void *const *pointers = data;

    if (view->form == CADRE_FORM_ABSENT)
        return CADRE_OK;
    if (column->form == CADRE_FORM_COUNTED)
        at += cadre_counts_size(count);
    if (column->type == CADRE_STRING)
        return copy_strings(column, (char **)data + first, count);
    if (view->form == CADRE_FORM_DENSE) {
        bytes = column->bytes - (size_t)(at - column->data);
        if (bytes > 0)
            copy((unsigned char *)data +
                     (param < 0 ? first : start_of(table, param, first)) * size,
                 at, bytes);
        return CADRE_OK;
    }
    for (uint64_t row = first; row < first + count; row++) {
        bytes = cadre_table_length(table, param, row) * size;
        copy(pointers[row], at, bytes);
        at += bytes;
    }
    return CADRE_OK;
}

/* The lengths of array `param` in the rows of `column`. */
static cadre_err learn(struct cadre_table *table, int param,
                       const struct cadre_column *column,
                       struct cadre_error *error)
{
    uint64_t count = table->count, *starts;

    free(table->starts[param]);
    table->starts[param] = NULL;
    table->row_len[param] = count > 0 ? cadre_column_elements(column, 0) : 0;
    if (count < 2)
        return CADRE_OK;
    /* The column has 8 bytes for each row, so this is no wild size. */
    if ((starts = malloc((count + 1) * sizeof *starts)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "no memory for the lengths of %s",
                               cadre_param_label(table->proto, param).text);
    starts[0] = 0;
    for (uint64_t row = 0; row < count; row++)
        starts[row + 1] = starts[row] + cadre_column_elements(column, row);
    table->starts[param] = starts;
    return CADRE_OK;
}

cadre_err cadre_table_learn_with(struct cadre_table *table, const void *outputs,
                                 size_t len, const struct cadre_bulks *bulks,
                                 struct cadre_error *error)
{
    struct cadre_column columns[CADRE_PARAMS_MAX + 1];
    int noutputs = cadre_proto_noutputs(table->proto), param;
    cadre_err err;

    /* The payloads are only read from. */
    if ((err = cadre_columns_read((unsigned char *)(uintptr_t)outputs, len,
                                  bulks, columns, noutputs, error)) != CADRE_OK)
        return cadre_error_prefix(error, err, "outputs: ");
    for (int i = 0; i < noutputs; i++) {
        param = cadre_proto_output_param(table->proto, i);
        if (param < 0 || !cadre_table_is_counted(table, param))
            continue;
        if (!holds_counted(table, param, 0, table->count, false, &columns[i]))
            return cadre_error_set(error, CADRE_EPROTO,
                                   "outputs: %s has no lengths",
                                   cadre_param_label(table->proto, param).text);
        if ((err = learn(table, param, &columns[i], error)) != CADRE_OK)
            return err;
    }
    return CADRE_OK;
}

cadre_err cadre_table_learn(struct cadre_table *table, const void *outputs,
                            size_t len, struct cadre_error *error)
{
    return cadre_table_learn_with(table, outputs, len, NULL, error);
}

/* Are `columns` the outputs of rows [first, first + count)? */
static cadre_err read_outputs(const struct cadre_table *table, uint64_t first,
                              uint64_t count, const void *outputs, size_t len,
                              const struct cadre_bulks *bulks,
                              struct cadre_column *columns,
                              struct cadre_error *error)
{
    int noutputs = cadre_proto_noutputs(table->proto);
    cadre_err err;

    assert(first <= table->count && count <= table->count - first);
    /* The payloads are only read from. */
    if ((err = cadre_columns_read((unsigned char *)(uintptr_t)outputs, len,
                                  bulks, columns, noutputs, error)) != CADRE_OK)
        return cadre_error_prefix(error, err, "outputs: ");
    for (int i = 0; i < noutputs; i++)
        if ((err = read_output(table, i, first, count, &columns[i], error)) !=
            CADRE_OK)
            return cadre_error_prefix(error, err, "outputs: ");
    return CADRE_OK;
}

/* The bulk that `column` is. */
static struct cadre_bulk *bulk_of(struct cadre_bulks *bulks,
                                  const unsigned char *outputs, int column)
{
    return &bulks->list[cadre_column_bulk(outputs, column) - 1];
}

void cadre_outputs_place(const struct cadre_table *table, uint64_t first,
                         uint64_t count, const void *outputs, size_t len,
                         struct cadre_bulks *bulks)
{
    struct cadre_column columns[CADRE_PARAMS_MAX + 1];
    struct cadre_error ignored;
    struct cadre_bulk *bulk;
    int param;

    if (table->keeper == NULL ||
        read_outputs(table, first, count, outputs, len, bulks, columns,
                     &ignored) != CADRE_OK)
        return;
    for (int i = 0; i < cadre_proto_noutputs(table->proto); i++) {
        param = cadre_proto_output_param(table->proto, i);
        if (param < 0 || !columns[i].is_apart ||
            table->outputs[i].form == CADRE_FORM_SAME)
            continue;
        bulk = bulk_of(bulks, outputs, i);
        if (bulk->data != NULL || bulk->len == 0 ||
            (bulk->data = piece_of(table, param, &table->outputs[i], first,
                                   count)) == NULL)
            continue;
        bulk->keeper = table->keeper;
        cadre_keeper_hold(bulk->keeper);
    }
}

static cadre_err is_gone(struct cadre_error *error)
{
    return cadre_error_set(error, CADRE_EPROTO,
                           "outputs: an array is not with them");
}

cadre_err cadre_outputs_take_bulks(const struct cadre_proto *proto,
                                   const void *outputs, size_t len,
                                   struct cadre_bulks *bulks,
                                   struct cadre_bulks *taken,
                                   struct cadre_error *error)
{
    struct cadre_column columns[CADRE_PARAMS_MAX + 1];
    int noutputs = cadre_proto_noutputs(proto);
    cadre_err err;

    *taken = (struct cadre_bulks){0};
    if (bulks == NULL || bulks->count == 0)
        return CADRE_OK;
    if ((err = cadre_columns_read((unsigned char *)(uintptr_t)outputs, len,
                                  bulks, columns, noutputs, error)) != CADRE_OK)
        return cadre_error_prefix(error, err, "outputs: ");
    if (!cadre_bulks_reserve(taken, bulks->count))
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    for (; taken->count < bulks->count; taken->count++)
        taken->list[taken->count] =
            (struct cadre_bulk){.len = bulks->list[taken->count].len};
    for (int i = 0; i < noutputs; i++) {
        struct cadre_bulk *bulk;

        if (!columns[i].is_apart)
            continue;
        bulk = bulk_of(bulks, outputs, i);
        if (!bulk->is_owned)
            continue;
        taken->list[bulk - bulks->list] = *bulk;
        bulk->data = NULL;
        bulk->is_owned = false;
    }
    for (int i = 0; i < noutputs; i++) {
        if (columns[i].is_apart &&
            bulk_of(taken, outputs, i)->data == NULL) { /* another has it */
            cadre_bulks_fini(taken);
            return is_gone(error);
        }
    }
    return CADRE_OK;
}

cadre_err cadre_outputs_unpack(const struct cadre_table *table, uint64_t first,
                               uint64_t count, const void *outputs, size_t len,
                               struct cadre_error *error)
{
    return cadre_outputs_unpack_with(table, first, count, outputs, len, NULL,
                                     error);
}

cadre_err cadre_outputs_unpack_with(const struct cadre_table *table,
                                    uint64_t first, uint64_t count,
                                    const void *outputs, size_t len,
                                    const struct cadre_bulks *bulks,
                                    struct cadre_error *error)
{
    struct cadre_column columns[CADRE_PARAMS_MAX + 1];
    int noutputs = cadre_proto_noutputs(table->proto);
    cadre_err err;

    if ((err = read_outputs(table, first, count, outputs, len, bulks, columns,
                            error)) != CADRE_OK)
        return err;
    if (!cadre_columns_are_there(columns, noutputs))
        return is_gone(error);
    for (int i = 0; i < noutputs; i++)
        if (write_output(table, i, first, count, &columns[i]) != CADRE_OK)
            err = cadre_error_set(error, CADRE_ENOMEM,
                                  "no memory for a string result");
    return err;
}

cadre_err cadre_outputs_find(const struct cadre_proto *proto, int output,
                             const void *outputs, size_t len, const void **data,
                             uint64_t *bytes, struct cadre_error *error)
{
    return cadre_outputs_find_with(proto, output, outputs, len, NULL, data,
                                   bytes, error);
}

cadre_err cadre_outputs_find_with(const struct cadre_proto *proto, int output,
                                  const void *outputs, size_t len,
                                  const struct cadre_bulks *bulks,
                                  const void **data, uint64_t *bytes,
                                  struct cadre_error *error)
{
    struct cadre_column columns[CADRE_PARAMS_MAX + 1], *c = &columns[output];
    int param = cadre_proto_output_param(proto, output);
    cadre_type type = param < 0 ? proto->result : proto->params[param].type;
    const unsigned char *at, *end;
    const char *text = NULL;
    cadre_err err;

    /* The payloads are only read from. */
    if ((err = cadre_columns_read((unsigned char *)(uintptr_t)outputs, len,
                                  bulks, columns, cadre_proto_noutputs(proto),
                                  error)) != CADRE_OK)
        return cadre_error_prefix(error, err, "outputs: ");
    if (!cadre_columns_are_there(c, 1))
        return is_gone(error);
    at = c->data;
    end = at + c->bytes;
    if (param >= 0 && c->form == CADRE_FORM_COUNTED && c->type == type &&
        cadre_column_holds_counted(c, 1,
                                   cadre_param_size(&proto->params[param]))) {
        *data = c->data + cadre_counts_size(1);
        *bytes = cadre_column_elements(c, 0) *
                 cadre_param_size(&proto->params[param]);
        return CADRE_OK;
    }
    if (c->form != CADRE_FORM_DENSE || c->type != type ||
        (param < 0 && type != CADRE_STRING &&
         !cadre_column_holds(c, 1, cadre_proto_result_size(proto))) ||
        (type == CADRE_STRING && !cadre_string_next(&at, end, &text)))
        return cadre_error_set(error, CADRE_EPROTO,
                               "the outputs do not fit '%s'", proto->text);
    *data = type == CADRE_STRING ? (const void *)text : c->data;
    *bytes = c->bytes;
    return CADRE_OK;
}
