/* lengths.c - multiplies the dimensions of arrays, row by row. */
#include "lengths.h"

#include <inttypes.h>
#include <stdio.h>

struct cadre_label cadre_param_label(const struct cadre_proto *proto, int param)
{
    struct cadre_label label;
    const char *name;

    if (param < 0) {
        snprintf(label.text, sizeof label.text, "the result");
        return label;
    }
    name = proto->params[param].name;
    if (name[0] == '\0')
        snprintf(label.text, sizeof label.text, "parameter %d", param + 1);
    else
        snprintf(label.text, sizeof label.text, "parameter %d `%.64s`",
                 param + 1, name);
    return label;
}

static cadre_err complain(const struct cadre_proto *proto, int param,
                          uint64_t row, const char *what,
                          struct cadre_error *error)
{
    return cadre_error_set(error, CADRE_ETYPE, "%s, row %" PRIu64 ": %s",
                           cadre_param_label(proto, param).text, row, what);
}

cadre_err cadre_lengths_of_row(const struct cadre_proto *proto, int param,
                               const struct cadre_values *values, uint64_t row,
                               uint64_t *len, struct cadre_error *error)
{
    const struct cadre_param *array = &proto->params[param];
    const struct cadre_dim *dim;
    const struct cadre_values *v;
    uint64_t product = 1, n, bytes;
    bool too_long = false;

    for (int d = 0; d < array->ndims; d++) {
        dim = &array->dims[d];
        n = dim->count;
        if (dim->param >= 0) {
            v = &values[dim->param];
            n = cadre_type_length(proto->params[dim->param].type,
                                  v->data + row * v->stride);
            if (n == UINT64_MAX)
                return cadre_error_set(
                    error, CADRE_ETYPE,
                    "%s, row %" PRIu64
                    ": its length, %s, is negative or too large",
                    cadre_param_label(proto, param).text, row,
                    cadre_param_label(proto, dim->param).text);
        }
        too_long |= __builtin_mul_overflow(product, n, &product);
    }
    /* A dimension of 0 makes an empty array, however long the others are; that
     * is not told apart from one that is too long. */
    if (too_long ||
        __builtin_mul_overflow(product, cadre_param_size(array), &bytes))
        return complain(proto, param, row, "more elements than there can be",
                        error);
    *len = product;
    return CADRE_OK;
}

/* Do the dimensions have to be looked at in every row? */
static bool may_vary(const struct cadre_param *array,
                     const struct cadre_values *values)
{
    for (int d = 0; d < array->ndims; d++)
        if (array->dims[d].param >= 0 &&
            values[array->dims[d].param].stride != 0)
            return true;
    return false;
}

cadre_err cadre_lengths_measure(struct cadre_lengths *lengths,
                                const struct cadre_proto *proto, int param,
                                const struct cadre_values *values,
                                uint64_t count, struct cadre_error *error)
{
    uint64_t max = UINT64_MAX / cadre_param_size(&proto->params[param]);
    uint64_t *starts, bytes, len, first = 0;
    cadre_err err;

    lengths->varies = false;
    lengths->row_len = 0;
    if (!may_vary(&proto->params[param], values))
        return cadre_lengths_of_row(proto, param, values, 0, &lengths->row_len,
                                    error);
    lengths->starts.len = 0;
    if (__builtin_add_overflow(count, 1, &bytes) ||
        __builtin_mul_overflow(bytes, sizeof *starts, &bytes) ||
        cadre_buffer_reserve(&lengths->starts, bytes) != CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "no memory for the lengths of %s",
                               cadre_param_label(proto, param).text);
    starts = (uint64_t *)(void *)lengths->starts.data;
    starts[0] = 0;
    for (uint64_t row = 0; row < count; row++) {
        if ((err = cadre_lengths_of_row(proto, param, values, row, &len,
                                        error)) != CADRE_OK)
            return err;
        if (__builtin_add_overflow(starts[row], len, &starts[row + 1]) ||
            starts[row + 1] > max)
            return complain(proto, param, row,
                            "more elements than there can be", error);
        if (row == 0)
            first = len;
        lengths->varies |= len != first;
    }
    lengths->row_len = first;
    return CADRE_OK;
}

void cadre_lengths_fini(struct cadre_lengths *lengths)
{
    cadre_buffer_fini(&lengths->starts);
    *lengths = (struct cadre_lengths){0};
}
