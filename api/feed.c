/* feed.c - rows given one by one become columns.
 *
 * Scalars and the elements of arrays are appended to one growing column for
 * each parameter; strings go into chunks that never move, and their column
 * holds pointers. Parameters that are the same for all rows keep the caller's
 * memory.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 64 * 1024 };

/* A piece of memory for strings. */
struct chunk {
    struct chunk *next;
    size_t used, size;
    char text[];
};

/* One parameter's values. */
struct column {
    unsigned char *data;
    size_t len, capacity; /* bytes */
};

/* What the tables made of the rows point into. */
struct cadre_feed_memory {
    struct cadre_table *table;
    void *outputs;
    struct chunk *chunks;
    int ncolumns;
    struct column columns[];
};

struct cadre_row {
    const struct cadre_function *fn;
    struct cadre_columns same;
    struct cadre_view same_views[CADRE_PARAMS_MAX];
    struct cadre_feed_memory *memory; /* of the rows being collected */
    uint64_t nrows;
    size_t bytes;
    bool is_given; /* the current row has its values */
    cadre_err err; /* the first mistake */
    struct cadre_error error;
};

static struct cadre_feed_memory *new_memory(int ncolumns)
{
    struct cadre_feed_memory *m =
        calloc(1, sizeof *m + (size_t)ncolumns * sizeof m->columns[0]);

    if (m != NULL)
        m->ncolumns = ncolumns;
    return m;
}

void cadre_feed_release(struct cadre_feed_memory *memory)
{
    if (memory == NULL)
        return;
    if (memory->table != NULL && memory->outputs != NULL)
        cadre_table_free_strings(memory->table);
    cadre_table_free(memory->table);
    free(memory->outputs);
    for (struct chunk *c = memory->chunks, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    for (int i = 0; i < memory->ncolumns; i++)
        free(memory->columns[i].data);
    free(memory);
}

void cadre_feed_destroy(struct cadre_row *row)
{
    if (row == NULL)
        return;
    cadre_feed_release(row->memory);
    free(row);
}

/* Columns that come with the map are for all rows, and by name. */
static cadre_err take_same(struct cadre_row *r,
                           const struct cadre_columns *same,
                           struct cadre_error *error)
{
    struct cadre_table *t = cadre_table_new(r->fn->proto);
    cadre_err err;

    if (t == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    for (size_t i = 0; i < same->count; i++) {
        if (!same->list[i].is_same || same->list[i].name == NULL) {
            cadre_table_free(t);
            return cadre_error_set(
                error, CADRE_EINVAL,
                "columns beside an iterator are the same for "
                "all and have names: CADRE_NAMED(\"n\", "
                "CADRE_SAME(&n))");
        }
    }
    t->count = 1;
    if ((err = cadre_columns_view(t, same, false, error)) == CADRE_OK)
        memcpy(r->same_views, t->args,
               (size_t)r->fn->proto->nparams * sizeof t->args[0]);
    cadre_table_free(t);
    return err;
}

cadre_err cadre_feed_create(const struct cadre_function *fn,
                            const struct cadre_columns *same,
                            struct cadre_row **row, struct cadre_error *error)
{
    struct cadre_row *r = calloc(1, sizeof *r);
    cadre_err err;

    if (r == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    r->fn = fn;
    r->same = *same;
    if ((err = take_same(r, same, error)) == CADRE_OK &&
        (r->memory = new_memory(fn->proto->nparams)) == NULL)
        err = cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    if (err != CADRE_OK) {
        cadre_feed_destroy(r);
        return err;
    }
    *row = r;
    return CADRE_OK;
}

uint64_t cadre_feed_rows(const struct cadre_row *row)
{
    return row->nrows;
}

size_t cadre_feed_bytes(const struct cadre_row *row)
{
    return row->bytes;
}

cadre_err cadre_feed_error(const struct cadre_row *row,
                           struct cadre_error *error)
{
    if (row->err != CADRE_OK)
        *error = row->error;
    return row->err;
}

/* --- one row ----------------------------------------------------------------
 */

static void *append(struct column *c, size_t bytes)
{
    if (c->data == NULL || c->len + bytes > c->capacity) {
        size_t capacity = (c->len + bytes) * 2 + 256;
        unsigned char *grown = realloc(c->data, capacity);

        if (grown == NULL)
            return NULL;
        c->data = grown;
        c->capacity = capacity;
    }
    c->len += bytes;
    return c->data + c->len - bytes;
}

/* A copy that stays where it is. */
static char *keep_string(struct cadre_feed_memory *m, const char *text)
{
    size_t len = strlen(text) + 1;
    struct chunk *c = m->chunks;
    char *copy;

    if (c == NULL || c->size - c->used < len) {
        size_t size = len > CHUNK_BYTES ? len : CHUNK_BYTES;

        if ((c = malloc(sizeof *c + size)) == NULL)
            return NULL;
        *c = (struct chunk){.next = m->chunks, .size = size};
        m->chunks = c;
    }
    copy = c->text + c->used;
    memcpy(copy, text, len);
    c->used += len;
    return copy;
}

static cadre_err add_string(struct cadre_row *r, int param,
                            const struct cadre_value *v)
{
    char *copy = NULL;
    void *slot;

    if (v->string != NULL && (copy = keep_string(r->memory, v->string)) == NULL)
        return CADRE_ENOMEM;
    if ((slot = append(&r->memory->columns[param], sizeof copy)) == NULL)
        return CADRE_ENOMEM;
    memcpy(slot, &copy, sizeof copy);
    r->bytes += copy != NULL ? strlen(copy) : 0;
    return CADRE_OK;
}

static cadre_err add_array(struct cadre_row *r, int param,
                           const struct cadre_value *const *by_param)
{
    const struct cadre_proto *proto = r->fn->proto;
    size_t size = cadre_param_size(&proto->params[param]);
    uint64_t length;
    void *slot;
    cadre_err err;

    err = cadre_values_length(proto, param, by_param, &length, &r->error);
    if (err != CADRE_OK)
        return err;
    if ((slot = append(&r->memory->columns[param], length * size)) == NULL)
        return CADRE_ENOMEM;
    if (length > 0)
        memcpy(slot, by_param[param]->pointer, length * size);
    r->bytes += length * size;
    return CADRE_OK;
}

static cadre_err add_scalar(struct cadre_row *r, int param,
                            const struct cadre_value *v)
{
    const struct cadre_param *p = &r->fn->proto->params[param];
    size_t size = cadre_param_size(p);
    void *slot = append(&r->memory->columns[param], size);

    if (slot == NULL)
        return CADRE_ENOMEM;
    r->bytes += size;
    return cadre_value_convert(v, p, slot, &r->error);
}

/* The values that are the same for all rows take part in lengths too. */
static void add_same(const struct cadre_row *r, struct cadre_value *room,
                     const struct cadre_value **by_param)
{
    for (int i = 0; i < r->fn->proto->nparams; i++) {
        const struct cadre_param *p = &r->fn->proto->params[i];
        const void *data = r->same_views[i].data;

        if (r->same_views[i].form != CADRE_FORM_SAME)
            continue;
        room[i] = (struct cadre_value){.type = p->type};
        if (p->kind == CADRE_PARAM_SCALAR && cadre_type_is_integer(p->type)) {
            room[i].type = CADRE_UINT64;
            room[i].natural = cadre_type_length(p->type, data);
        }
        by_param[i] = &room[i];
    }
}

/* Positional values skip the parameters that are the same for all. */
static cadre_err bind(struct cadre_row *r, struct cadre_values values,
                      struct cadre_value *room,
                      const struct cadre_value **by_param)
{
    struct cadre_value named[2 * CADRE_PARAMS_MAX];
    size_t n = 0;
    int position = 0;

    for (int i = 0; i < r->fn->proto->nparams; i++) {
        const struct cadre_param *p = &r->fn->proto->params[i];

        if (r->same_views[i].form != CADRE_FORM_SAME)
            continue;
        named[n] =
            (struct cadre_value){.name = p->name,
                                 .type = p->type,
                                 .size = cadre_param_size(p),
                                 .is_array = p->kind == CADRE_PARAM_ARRAY};
        n++;
    }
    for (size_t i = 0; i < values.count && n < 2 * CADRE_PARAMS_MAX; i++) {
        const struct cadre_proto *proto = r->fn->proto;

        named[n] = values.list[i];
        if (named[n].name == NULL) {
            while (position < proto->nparams &&
                   (!cadre_param_is_sent(&proto->params[position]) ||
                    r->same_views[position].form == CADRE_FORM_SAME))
                position++;
            if (position < proto->nparams)
                named[n].name = proto->params[position++].name;
        }
        n++;
    }
    memcpy(room, named, n * sizeof named[0]);
    return cadre_values_bind(r->fn,
                             (struct cadre_values){.count = n, .list = room},
                             false, by_param, &r->error);
}

static cadre_err add_row(struct cadre_row *r, struct cadre_values values)
{
    const struct cadre_proto *proto = r->fn->proto;
    const struct cadre_value *by_param[CADRE_PARAMS_MAX];
    struct cadre_value same[CADRE_PARAMS_MAX];
    struct cadre_value room[2 * CADRE_PARAMS_MAX];
    cadre_err err;

    for (size_t i = 0; i < values.count; i++) {
        if (values.list[i].is_future)
            return cadre_error_set(&r->error, CADRE_ETYPE,
                                   "value %zu is a future: take its result "
                                   "first, or submit the item as a task",
                                   i + 1);
    }
    if (r->same.count > 0)
        err = bind(r, values, room, by_param);
    else
        err = cadre_values_bind(r->fn, values, false, by_param, &r->error);
    if (err == CADRE_OK)
        add_same(r, same, by_param);
    for (int i = 0; i < proto->nparams && err == CADRE_OK; i++) {
        if (by_param[i] == NULL || r->same_views[i].form == CADRE_FORM_SAME)
            continue;
        if (proto->params[i].kind == CADRE_PARAM_STRING)
            err = add_string(r, i, by_param[i]);
        else if (proto->params[i].kind == CADRE_PARAM_ARRAY)
            err = add_array(r, i, by_param);
        else
            err = add_scalar(r, i, by_param[i]);
    }
    return err;
}

cadre_err cadre_row_give_values(struct cadre_row *row,
                                struct cadre_values values)
{
    if (row->err != CADRE_OK)
        return cadre_error_publish(&row->error, row->err);
    row->err = add_row(row, values);
    if (row->err == CADRE_ENOMEM)
        cadre_error_set(&row->error, CADRE_ENOMEM, "out of memory");
    if (row->err != CADRE_OK)
        return cadre_error_publish(&row->error, row->err);
    row->nrows++;
    return CADRE_OK;
}

/* --- many rows --------------------------------------------------------------
 */

static void view_columns(const struct cadre_row *r, struct cadre_table *t)
{
    const struct cadre_feed_memory *m = r->memory;

    for (int i = 0; i < m->ncolumns; i++) {
        const struct cadre_param *p = &r->fn->proto->params[i];

        if (r->same_views[i].form == CADRE_FORM_SAME)
            t->args[i] = r->same_views[i];
        else if (cadre_param_is_sent(p))
            t->args[i] = (struct cadre_view){
                .form = p->kind == CADRE_PARAM_STRING ? CADRE_FORM_POINTERS
                                                      : CADRE_FORM_DENSE,
                .data = m->columns[i].data};
    }
}

cadre_err cadre_feed_take(struct cadre_row *row, struct cadre_table **table,
                          struct cadre_feed_memory **memory,
                          struct cadre_error *error)
{
    struct cadre_table *t = cadre_table_new(row->fn->proto);
    struct cadre_feed_memory *fresh = new_memory(row->fn->proto->nparams);
    cadre_err err = CADRE_ENOMEM;

    if (t == NULL || fresh == NULL) {
        cadre_error_set(error, CADRE_ENOMEM, "out of memory");
        goto fail;
    }
    t->count = row->nrows;
    view_columns(row, t);
    if ((err = cadre_table_measure(t, error)) != CADRE_OK ||
        (err = cadre_columns_check_sizes(t, &row->same, error)) != CADRE_OK)
        goto fail;
    if ((err = cadre_table_own_outputs(t, &row->memory->outputs)) != CADRE_OK) {
        cadre_error_set(error, err, "out of memory");
        goto fail;
    }
    row->memory->table = t;
    *table = t;
    *memory = row->memory;
    row->memory = fresh;
    row->nrows = 0;
    row->bytes = 0;
    return CADRE_OK;

fail:
    cadre_table_free(t);
    cadre_feed_release(fresh);
    return err;
}
