/* journal_item.c - digests of arguments and slices of outputs. */
#include "journal_item.h"

#include "columns.h"

#include <assert.h>
#include <string.h>
#include <xxhash.h>

/* --- digests -------------------------------------------------------------- */

/* Copy the table's arguments to `args`: only what all rows share, or only the
 * rest. */
static void choose(const struct cadre_table *table, bool is_shared,
                   struct cadre_view *args)
{
    for (int i = 0; i < table->proto->nparams; i++) {
        args[i] = table->args[i];
        if ((args[i].form == CADRE_FORM_SAME) != is_shared)
            args[i] = (struct cadre_view){.form = CADRE_FORM_ABSENT};
    }
}

/* Pack one row alone. */
static cadre_err pack_row(const struct cadre_table *table, uint64_t row,
                          struct cadre_buffer *buffer)
{
    buffer->len = 0;
    return cadre_args_pack(table, row, 1, buffer);
}

cadre_err cadre_digest_rows(const struct cadre_table *table, uint64_t first,
                            uint64_t count, struct cadre_digest *digests)
{
    struct cadre_view args[CADRE_PARAMS_MAX];
    struct cadre_table part = *table;
    struct cadre_buffer buffer = {0};
    XXH64_hash_t seed;
    cadre_err err;

    part.args = args;
    choose(table, true, args);
    err = pack_row(&part, first, &buffer);
    seed = err == CADRE_OK ? XXH3_64bits(buffer.data, buffer.len) : 0;
    choose(table, false, args);
    for (uint64_t i = 0; err == CADRE_OK && i < count; i++) {
        XXH128_canonical_t hash;

        if ((err = pack_row(&part, first + i, &buffer)) != CADRE_OK)
            break;
        XXH128_canonicalFromHash(
            &hash, XXH3_128bits_withSeed(buffer.data, buffer.len, seed));
        memcpy(digests[i].bytes, hash.digest, sizeof digests[i].bytes);
    }
    cadre_buffer_fini(&buffer);
    return err;
}

/* --- slices --------------------------------------------------------------- */

/* Where the elements of array `param` are in output view `view`, and their
 * number. */
static const void *array_at(const struct cadre_table *table, int param,
                            const struct cadre_view *view, uint64_t row,
                            uint64_t *count)
{
    size_t size = cadre_param_size(&table->proto->params[param]);
    uint64_t start = table->starts[param] != NULL ? table->starts[param][row]
                                                  : row * table->row_len[param];

    *count = cadre_table_length(table, param, row);
    if (view->form == CADRE_FORM_POINTERS)
        return ((void *const *)view->data)[row];
    return (const unsigned char *)view->data + start * size;
}

/* What output `output` of `row` holds, as a column without its place in the
 * set. Of a string `*from` is the text. */
static struct cadre_column measure(const struct cadre_table *table, int output,
                                   uint64_t row, const void **from)
{
    const struct cadre_view *view = &table->outputs[output];
    int param = cadre_proto_output_param(table->proto, output);
    struct cadre_column c = {.form = CADRE_FORM_DENSE,
                             .type = param < 0
                                         ? table->proto->result
                                         : table->proto->params[param].type};
    size_t size = param < 0 ? cadre_proto_result_size(table->proto)
                            : cadre_param_size(&table->proto->params[param]);
    uint64_t count = 1;

    assert(view->form != CADRE_FORM_ABSENT);
    if (param < 0 && c.type == CADRE_STRING) {
        *from = ((char *const *)view->data)[row];
        c.bytes = cadre_string_size(*from);
        return c;
    }
    if (param < 0)
        *from = (const unsigned char *)view->data + row * size;
    else
        *from = array_at(table, param, view, row, &count);
    c.bytes = count * size;
    return c;
}

cadre_err cadre_slice_pack(const struct cadre_table *table, uint64_t row,
                           struct cadre_buffer *buffer,
                           struct cadre_slice *slice)
{
    struct cadre_column columns[CADRE_PARAMS_MAX + 1];
    const void *from[CADRE_PARAMS_MAX + 1];
    int n = cadre_proto_noutputs(table->proto);

    for (int i = 0; i < n; i++)
        columns[i] = measure(table, i, row, &from[i]);
    buffer->len = 0;
    if (cadre_columns_append(columns, n, buffer) != CADRE_OK)
        return CADRE_ENOMEM;
    for (int i = 0; i < n; i++) {
        if (columns[i].type == CADRE_STRING)
            cadre_string_put(columns[i].data, from[i]);
        else if (columns[i].bytes > 0)
            memcpy(columns[i].data, from[i], columns[i].bytes);
    }
    *slice = (struct cadre_slice){.outputs = buffer->data,
                                  .len = buffer->len,
                                  .type = table->proto->result};
    if (n > 0 && slice->type != CADRE_VOID)
        slice->value = from[0];
    return CADRE_OK;
}
