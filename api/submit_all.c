/* submit_all.c - see cadre/submit_all.h.
 *
 * A row is made of its columns as the values of a call. Arrays that follow one
 * another are the exception: how much of them is this row's is known when the
 * row's lengths are.
 */
#include "internal.h"

#include "runtime/convert.h"

#include <cadre/submit_all.h>

#include <stdlib.h>
#include <string.h>

/* The columns, and how far they are used up. */
struct rows {
    struct cadre_function *fn;
    struct cadre_columns columns;
    bool has_store;
    uint64_t row;
    struct cadre_value *values; /* of the row, one for each column */
    int *params;                /* each column's */
    uint64_t *starts;           /* elements before the row */
};

static size_t size_of(const struct cadre_column *c)
{
    if (c->is_pointers)
        return sizeof(void *);
    return c->type == CADRE_AGGREGATE ? c->size : cadre_type_size(c->type);
}

/* Is column `i` arrays, one after another? */
static bool is_run(const struct rows *r, size_t i)
{
    const struct cadre_column *c = &r->columns.list[i];

    return !c->is_pointers && !c->is_same &&
           r->fn->proto->params[r->params[i]].kind == CADRE_PARAM_ARRAY;
}

/* The value of column `i` in the row; false: it has no such row. */
static bool see(const struct rows *r, size_t i, struct cadre_value *value)
{
    const struct cadre_column *c = &r->columns.list[i];
    bool is_array =
        r->fn->proto->params[r->params[i]].kind == CADRE_PARAM_ARRAY;
    uint64_t at = c->is_same ? 0 : is_run(r, i) ? r->starts[i] : r->row;
    size_t size = size_of(c);
    const unsigned char *data = c->data;
    const void *pointer;

    if (c->bytes != SIZE_MAX && !is_run(r, i) && c->bytes / size <= at)
        return false;
    data += at * size;
    *value = (struct cadre_value){
        .type = c->type, .size = c->size, .bytes = SIZE_MAX, .pointer = data};
    if (c->is_pointers) {
        memcpy(&pointer, data, sizeof pointer);
        value->is_array = c->type != CADRE_STRING;
        value->pointer = pointer;
    } else if (is_array) {
        value->is_array = true;
        if (c->bytes != SIZE_MAX)
            value->bytes = c->bytes - at * size;
    } else if (c->type != CADRE_AGGREGATE) {
        *value = cadre_value_read(c->type, data);
    }
    value->name = c->name;
    return true;
}

/* Take what is the row's of arrays that follow one another; false: there is not
 * as much. */
static cadre_err cut_runs(struct rows *r, bool *is_there,
                          struct cadre_error *error)
{
    const struct cadre_value *by_param[CADRE_PARAMS_MAX];
    const struct cadre_values values = {r->columns.count, r->values};
    uint64_t length;
    cadre_err err =
        cadre_values_bind(r->fn, values, r->has_store, by_param, error);

    for (size_t i = 0; i < r->columns.count && err == CADRE_OK && *is_there;
         i++) {
        const struct cadre_column *c = &r->columns.list[i];
        struct cadre_value *v = &r->values[i];
        size_t left = v->bytes;

        if (!is_run(r, i))
            continue;
        v->bytes = SIZE_MAX;
        err = cadre_values_length(r->fn->proto, r->params[i], by_param, &length,
                                  error);
        if (err != CADRE_OK)
            break;
        *is_there = left == SIZE_MAX || length <= left / size_of(c);
        v->bytes = left == SIZE_MAX ? left : length * size_of(c);
        r->starts[i] += length;
    }
    return err;
}

/* The next row's values; `*is_there` false: there is none. */
static cadre_err next(struct rows *r, bool *is_there, struct cadre_error *error)
{
    *is_there = true;
    for (size_t i = 0; i < r->columns.count && *is_there; i++)
        *is_there = see(r, i, &r->values[i]);
    return *is_there ? cut_runs(r, is_there, error) : CADRE_OK;
}

static void close_rows(struct rows *r)
{
    free(r->values);
    free(r->params);
    free(r->starts);
}

static cadre_err open_rows(struct rows *r, struct cadre_error *error)
{
    size_t n = r->columns.count;
    cadre_err err = cadre_function_check(r->fn, r->has_store, error);
    int position = 0;

    if (err != CADRE_OK)
        return err;
    r->values = calloc(n + 1, sizeof *r->values);
    r->params = calloc(n + 1, sizeof *r->params);
    r->starts = calloc(n + 1, sizeof *r->starts);
    if (r->values == NULL || r->params == NULL || r->starts == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct cadre_column *c = &r->columns.list[i];

        r->params[i] = cadre_column_target(r->fn->proto, c, &position);
        if (r->params[i] < 0)
            return cadre_error_set(
                error, CADRE_ETYPE, "column %zu%s%s has no parameter in '%s'",
                i + 1, c->name != NULL ? " called " : "",
                c->name != NULL ? c->name : "", r->fn->proto->text);
        if (c->data == NULL)
            return cadre_error_set(error, CADRE_ETYPE,
                                   "column %zu is a null pointer", i + 1);
    }
    return CADRE_OK;
}

/* Submit row after row. A mistake that shows in a later row only, such as a
 * length that does not fit, is the result of that row, the last one then. */
static cadre_err submit_rows(struct rows *r, struct cadre_object *object,
                             const struct cadre_task_options *options,
                             struct cadre_future **futures, size_t room,
                             size_t *count, struct cadre_error *error)
{
    size_t n = 0;

    for (; n < room; n++, r->row++) {
        bool is_there;
        cadre_err err = next(r, &is_there, error);

        if (err != CADRE_OK && n == 0)
            return err;
        if (!is_there)
            break;
        futures[n] = cadre_object_submit(
            object, options,
            (struct cadre_invocation){r->fn, {r->columns.count, r->values}});
        if (err != CADRE_OK) {
            n++;
            break;
        }
    }
    *count = n;
    return CADRE_OK;
}

cadre_err cadre_object_submit_all(struct cadre_object *object,
                                  const struct cadre_task_options *options,
                                  struct cadre_function *fn,
                                  struct cadre_columns columns,
                                  struct cadre_future **futures, size_t room,
                                  size_t *count)
{
    struct cadre_error error = {""};
    struct rows rows = {.fn = fn, .columns = columns};
    cadre_err err = cadre_object_check(object, "submit_all", &error);

    if (err == CADRE_OK) {
        rows.has_store = cadre_farm_has_store(object->farm);
        err = open_rows(&rows, &error);
    }
    if (err == CADRE_OK)
        err = submit_rows(&rows, object, options, futures, room, count, &error);
    close_rows(&rows);
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

cadre_err cadre_object_map_values(struct cadre_object *object,
                                  struct cadre_function *fn,
                                  struct cadre_columns columns, size_t room,
                                  struct cadre_outputs into, size_t *count)
{
    struct cadre_future **futures = calloc(room + 1, sizeof(*futures));
    size_t n = 0;
    cadre_err err;

    if (futures == NULL)
        return cadre_error_publish(&(struct cadre_error){"out of memory"},
                                   CADRE_ENOMEM);
    err = cadre_object_submit_all(object, NULL, fn, columns, futures, room, &n);
    if (err == CADRE_OK && (err = cadre_gather(futures, n, into)) == CADRE_OK)
        *count = n;
    for (size_t i = 0; i < n; i++)
        cadre_future_free(futures[i]);
    free(futures);
    return err;
}
