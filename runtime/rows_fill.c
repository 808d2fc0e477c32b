/* rows_fill.c - what a row takes from the worker's store.
 *
 * Everything is looked up in every row, by the parameter's name: tasks may
 * change what is stored. First numbers, strings and objects; then lengths that
 * are not stored are worked out from stored arrays; then the arrays, which must
 * be as long as their lengths say. Arrays are passed where they lie.
 */
#include "convert.h"
#include "rows.h"
#include "store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "`k`", or "parameter 2" where it has no name. */
static struct cadre_label name_of(const struct cadre_rows *rows, int param)
{
    const char *name = rows->proto->params[param].name;
    struct cadre_label label;

    if (name[0] == '\0')
        return cadre_param_label(rows->proto, param);
    snprintf(label.text, sizeof label.text, "`%.64s`", name);
    return label;
}

static cadre_err is_missing(const struct cadre_rows *rows, int param,
                            struct cadre_error *error)
{
    return cadre_error_set(error, CADRE_ETYPE,
                           rows->proto->params[param].kind == CADRE_PARAM_OBJECT
                               ? "%s, an object, is not stored"
                               : "%s was neither given nor stored",
                           name_of(rows, param).text);
}

/* Stored as `kept`, which parameter `param` cannot be. */
static cadre_err is_other(const struct cadre_rows *rows, int param,
                          const struct cadre_kept *kept,
                          struct cadre_error *error)
{
    const struct cadre_param *p = &rows->proto->params[param];

    if (p->kind == CADRE_PARAM_OBJECT)
        return cadre_error_set(error, CADRE_ETYPE,
                               "%s is stored as %s, %s takes an object",
                               name_of(rows, param).text,
                               cadre_kept_label(kept).text, rows->proto->name);
    if (p->kind == CADRE_PARAM_SCALAR && kept->kind == CADRE_KEPT_SCALAR)
        return cadre_error_set(error, CADRE_ETYPE,
                               "%s is stored as %s, and its value does not fit "
                               "the %s that %s takes",
                               name_of(rows, param).text,
                               cadre_kept_label(kept).text,
                               cadre_type_name(p->type), rows->proto->name);
    return cadre_error_set(
        error, CADRE_ETYPE, "%s is stored as %s, %s takes %s%s",
        name_of(rows, param).text, cadre_kept_label(kept).text,
        rows->proto->name, p->kind == CADRE_PARAM_ARRAY ? "an array of " : "",
        cadre_type_name(p->type));
}

static const struct cadre_kept *find(const struct cadre_rows *rows, int param)
{
    return rows->store != NULL
               ? cadre_store_find(rows->store, rows->proto->params[param].name)
               : NULL;
}

/* Anything but an array; `*found` says whether it is stored. */
static cadre_err fill_value(struct cadre_rows *rows, int param, bool *found,
                            struct cadre_error *error)
{
    const struct cadre_param *p = &rows->proto->params[param];
    const struct cadre_kept *kept;

    *found = true;
    if (p->kind == CADRE_PARAM_STORE) {
        rows->args[param] = &rows->store;
        return CADRE_OK;
    }
    if ((kept = find(rows, param)) == NULL) {
        *found = false;
        return CADRE_OK;
    }
    if (p->kind == CADRE_PARAM_SCALAR)
        return kept->kind == CADRE_KEPT_SCALAR &&
                       cadre_convert(kept->type, kept->data, p->type,
                                     rows->args[param])
                   ? CADRE_OK
                   : is_other(rows, param, kept, error);
    if (kept->kind !=
        (p->kind == CADRE_PARAM_STRING ? CADRE_KEPT_STRING : CADRE_KEPT_OBJECT))
        return is_other(rows, param, kept, error);
    rows->slots[param].pointer = kept->data;
    rows->args[param] = &rows->slots[param].pointer;
    return CADRE_OK;
}

/* Parameters whose values are not known (yet), as bits. */
_Static_assert(CADRE_PARAMS_MAX <= 64, "a parameter is a bit");

static bool has_bit(uint64_t set, int param)
{
    return (set >> param & 1) != 0;
}

/* If array `param` is stored, and length `length` is the only one of it that is
 * not known: what must it be? */
static bool solve(const struct cadre_rows *rows, int param, int length,
                  uint64_t unknown, uint64_t *solution)
{
    const struct cadre_param *array = &rows->proto->params[param];
    const struct cadre_kept *kept;
    uint64_t others = 1, n;
    int times = 0, p;

    if (!rows->slots[param].is_absent || (kept = find(rows, param)) == NULL ||
        kept->kind != CADRE_KEPT_ARRAY)
        return false;
    for (int d = 0; d < array->ndims; d++) {
        n = array->dims[d].count;
        if ((p = array->dims[d].param) == length) {
            times++;
            continue;
        }
        if (p >= 0 && has_bit(unknown, p))
            return false;
        if (p >= 0)
            n = cadre_type_length(rows->proto->params[p].type, rows->args[p]);
        if (__builtin_mul_overflow(others, n, &others))
            return false;
    }
    if (times != 1 || others == 0)
        return false;
    *solution = kept->count / others; /* a remainder is found by the array */
    return true;
}

/* Take length `param`, which is not stored, from an array that is. */
static bool derive(struct cadre_rows *rows, int param, uint64_t unknown)
{
    const struct cadre_param *p = &rows->proto->params[param];
    uint64_t n;

    if (p->kind != CADRE_PARAM_SCALAR || !cadre_type_is_integer(p->type))
        return false;
    for (int i = 0; i < rows->proto->nparams; i++)
        if (rows->proto->params[i].kind == CADRE_PARAM_ARRAY &&
            solve(rows, i, param, unknown, &n))
            return cadre_convert(CADRE_UINT64, &n, p->type, rows->args[param]);
    return false;
}

/* Derive what can be derived; one may need another. */
static cadre_err derive_all(struct cadre_rows *rows, uint64_t unknown,
                            struct cadre_error *error)
{
    uint64_t before;

    do {
        before = unknown;
        for (int i = 0; i < rows->proto->nparams; i++)
            if (has_bit(unknown, i) && derive(rows, i, unknown))
                unknown &= ~(UINT64_C(1) << i);
    } while (unknown != 0 && unknown != before);
    for (int i = 0; i < rows->proto->nparams; i++)
        if (has_bit(unknown, i))
            return is_missing(rows, i, error);
    return CADRE_OK;
}

/* Let `room` have space for `count` elements of row `row` after those of the
 * rows before it; `room.len` is where they start. */
static cadre_err open_room(struct slot *slot, uint64_t row, uint64_t count)
{
    uint64_t bytes;

    slot->room.len = cadre_starts_of(slot)[row] * slot->size;
    if (__builtin_mul_overflow(count, slot->size, &bytes) ||
        bytes > PTRDIFF_MAX)
        return CADRE_ENOMEM;
    return cadre_buffer_reserve(&slot->room, bytes > 0 ? bytes : 1);
}

static cadre_err fill_out(struct cadre_rows *rows, int param, uint64_t len,
                          struct cadre_error *error)
{
    struct slot *slot = &rows->slots[param];
    uint64_t row = rows->stored;

    if (open_room(slot, row, len) != CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM, "no memory for %s",
                               name_of(rows, param).text);
    slot->pointer = slot->room.data + slot->room.len;
    memset(slot->pointer, 0, len * slot->size);
    cadre_starts_of(slot)[row + 1] = cadre_starts_of(slot)[row] + len;
    return CADRE_OK;
}

static cadre_err fill_array(struct cadre_rows *rows, int param,
                            struct cadre_error *error)
{
    const struct cadre_param *p = &rows->proto->params[param];
    struct cadre_values values[CADRE_PARAMS_MAX];
    const struct cadre_kept *kept = NULL;
    uint64_t len;
    cadre_err err;

    if (rows->slots[param].is_absent) {
        if ((kept = find(rows, param)) == NULL)
            return is_missing(rows, param, error);
        if (kept->kind != CADRE_KEPT_ARRAY || kept->type != p->type)
            return is_other(rows, param, kept, error);
    }
    for (int i = 0; i < rows->proto->nparams; i++)
        values[i] = (struct cadre_values){.data = rows->args[i], .stride = 0};
    if ((err = cadre_lengths_of_row(rows->proto, param, values, rows->stored,
                                    &len, error)) != CADRE_OK)
        return err;
    if (!rows->slots[param].is_absent)
        return fill_out(rows, param, len, error);
    if (len != kept->count)
        return cadre_error_set(error, CADRE_ETYPE,
                               "%s is stored with %" PRIu64
                               " elements, its lengths say %" PRIu64,
                               name_of(rows, param).text, kept->count, len);
    rows->slots[param].pointer = kept->data;
    return CADRE_OK;
}

cadre_err cadre_rows_fill(struct cadre_rows *rows, struct cadre_store *store,
                          struct cadre_error *error)
{
    uint64_t missing = 0;
    cadre_err err;
    bool found;
    int i;

    if (rows->nfills == 0)
        return CADRE_OK;
    assert(rows->begun == rows->stored + 1);
    rows->store = store;
    for (i = 0; i < rows->nfills; i++) {
        if (rows->proto->params[rows->fills[i]].kind == CADRE_PARAM_ARRAY)
            break; /* the rest is arrays */
        if ((err = fill_value(rows, rows->fills[i], &found, error)) != CADRE_OK)
            return err;
        if (!found)
            missing |= UINT64_C(1) << rows->fills[i];
    }
    if (missing != 0 && (err = derive_all(rows, missing, error)) != CADRE_OK)
        return err;
    for (; i < rows->nfills; i++)
        if ((err = fill_array(rows, rows->fills[i], error)) != CADRE_OK)
            return err;
    return CADRE_OK;
}

/* --- what the task has changed ---------------------------------------------
 */

/* The stored array that parameter `param` is, as the task has left it; NULL if
 * it is none any more, or no output. */
static const struct cadre_kept *changed_array(const struct cadre_rows *rows,
                                              int param)
{
    const struct cadre_param *p = &rows->proto->params[param];
    const struct slot *slot = &rows->slots[param];
    const struct cadre_kept *kept;

    if (!slot->is_counted || !slot->is_absent || rows->store == NULL ||
        (kept = cadre_store_find(rows->store, p->name)) == NULL ||
        kept->kind != CADRE_KEPT_ARRAY || kept->type != p->type)
        return NULL;
    return kept;
}

cadre_err cadre_rows_reserve_stored(struct cadre_rows *rows)
{
    const struct cadre_kept *kept;
    struct slot *slot;

    for (int i = 0; i < rows->nfills; i++) {
        slot = &rows->slots[rows->fills[i]];
        kept = changed_array(rows, rows->fills[i]);
        if (kept != NULL &&
            open_room(slot, rows->stored, kept->count) != CADRE_OK)
            return CADRE_ENOMEM;
    }
    return CADRE_OK;
}

void cadre_rows_copy_stored(struct cadre_rows *rows, uint64_t row)
{
    const struct cadre_kept *kept;
    struct slot *slot;

    for (int i = 0; i < rows->nfills; i++) {
        if ((kept = changed_array(rows, rows->fills[i])) == NULL)
            continue;
        slot = &rows->slots[rows->fills[i]];
        if (kept->count > 0)
            memcpy(slot->room.data + slot->room.len, kept->data,
                   kept->count * slot->size);
        cadre_starts_of(slot)[row + 1] =
            cadre_starts_of(slot)[row] + kept->count;
    }
}
