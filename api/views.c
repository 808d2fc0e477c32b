/* views.c - the caller's arrays, checked and seen as the runtime sees them. */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *param_name(const struct cadre_param *p)
{
    return p->name[0] != '\0' ? p->name : "(unnamed)";
}

cadre_err cadre_function_check(const struct cadre_function *fn, bool has_store,
                               struct cadre_error *error)
{
    if (fn == NULL)
        return cadre_error_set(error, CADRE_EINVAL, "the function is NULL");
    if (fn->err != CADRE_OK) {
        if (error != NULL)
            *error = fn->error;
        return fn->err;
    }
    for (int i = 0; i < fn->proto->nparams && !has_store; i++) {
        const struct cadre_param *p = &fn->proto->params[i];

        if (p->kind == CADRE_PARAM_STORE || p->kind == CADRE_PARAM_OBJECT)
            return cadre_error_set(error, CADRE_EINVAL,
                                   "parameter `%s` of %s comes from a store, "
                                   "and a pool has none",
                                   param_name(p), fn->proto->name);
    }
    return CADRE_OK;
}

/* --- tables -----------------------------------------------------------------
 */

/* One block for all of it; a task alone needs several. */
struct cadre_table *cadre_table_new(const struct cadre_proto *proto)
{
    size_t nargs = (size_t)proto->nparams;
    size_t nviews = nargs + (size_t)cadre_proto_noutputs(proto);
    struct cadre_table *t =
        malloc(sizeof *t + nviews * sizeof(struct cadre_view) +
               nargs * CADRE_TABLE_ROOM);

    if (t == NULL)
        return NULL;
    *t = (struct cadre_table){.proto = proto};
    t->args = (struct cadre_view *)(t + 1);
    t->outputs = t->args + nargs;
    t->room = t->args + nviews;
    for (size_t i = 0; i < nviews; i++)
        t->args[i] = (struct cadre_view){.form = CADRE_FORM_ABSENT};
    return t;
}

void cadre_table_free(struct cadre_table *table)
{
    if (table == NULL)
        return;
    cadre_table_fini(table);
    free(table);
}

uint64_t cadre_output_start(const struct cadre_table *table, int output,
                            uint64_t row)
{
    int p = cadre_proto_output_param(table->proto, output);

    if (p < 0)
        return row;
    return table->starts[p] != NULL ? table->starts[p][row]
                                    : table->row_len[p] * row;
}

uint64_t cadre_output_length(const struct cadre_table *table, int output,
                             uint64_t row)
{
    int p = cadre_proto_output_param(table->proto, output);

    return p < 0 ? 1 : cadre_table_length(table, p, row);
}

static cadre_type output_type(const struct cadre_proto *proto, int output)
{
    int p = cadre_proto_output_param(proto, output);

    return p < 0 ? proto->result : proto->params[p].type;
}

static const struct cadre_struct *output_of(const struct cadre_proto *proto,
                                            int output)
{
    int p = cadre_proto_output_param(proto, output);

    return p < 0 ? proto->result_of : proto->params[p].of;
}

size_t cadre_output_size(const struct cadre_proto *proto, int output)
{
    int p = cadre_proto_output_param(proto, output);

    return p < 0 ? cadre_proto_result_size(proto)
                 : cadre_param_size(&proto->params[p]);
}

/* "struct of 16 bytes" where `type` does not say it. */
static const char *type_text(cadre_type type, size_t size, char shown[48])
{
    if (type != CADRE_AGGREGATE)
        return cadre_type_name(type);
    snprintf(shown, 48, "struct of %zu bytes", size);
    return shown;
}

static const char *output_name(const struct cadre_proto *proto, int output)
{
    int p = cadre_proto_output_param(proto, output);

    return p < 0 ? "the return value" : param_name(&proto->params[p]);
}

/* Room for output `output` of all rows, rounded so that the next is aligned. */
static uint64_t output_bytes(const struct cadre_table *t, int output)
{
    uint64_t bytes = cadre_output_start(t, output, t->count) *
                     cadre_output_size(t->proto, output);

    return (bytes + CADRE_FRAME_ALIGN - 1) / CADRE_FRAME_ALIGN *
           CADRE_FRAME_ALIGN;
}

cadre_err cadre_table_own_outputs(struct cadre_table *table, void **room)
{
    int n = cadre_proto_noutputs(table->proto);
    uint64_t bytes = 0;
    unsigned char *at;

    for (int i = 0; i < n; i++)
        if (table->outputs[i].form == CADRE_FORM_ABSENT)
            bytes += output_bytes(table, i);
    if ((at = calloc(1, bytes + 1)) == NULL)
        return CADRE_ENOMEM;
    *room = at;
    for (int i = 0; i < n; i++) {
        bool is_string = output_type(table->proto, i) == CADRE_STRING;

        if (table->outputs[i].form != CADRE_FORM_ABSENT)
            continue;
        table->outputs[i].form =
            is_string ? CADRE_FORM_POINTERS : CADRE_FORM_DENSE;
        table->outputs[i].data = at;
        at += output_bytes(table, i);
    }
    return CADRE_OK;
}

void cadre_table_free_strings(struct cadre_table *table)
{
    int n = cadre_proto_noutputs(table->proto);

    for (int i = 0; i < n; i++) {
        char *const *strings = table->outputs[i].data;

        if (output_type(table->proto, i) != CADRE_STRING || strings == NULL)
            continue;
        for (uint64_t row = 0; row < table->count; row++)
            free(strings[row]);
    }
}

/* --- columns ----------------------------------------------------------------
 */

static enum cadre_form form_of(const struct cadre_column *c)
{
    if (c->is_same)
        return CADRE_FORM_SAME;
    return c->is_pointers ? CADRE_FORM_POINTERS : CADRE_FORM_DENSE;
}

static bool fits(const struct cadre_column *c, const struct cadre_param *p)
{
    if (c->type != p->type || (p->of != NULL && c->size != p->of->size))
        return false;
    switch (p->kind) {
    case CADRE_PARAM_SCALAR:
        return !c->is_pointers;
    case CADRE_PARAM_STRING:
        return c->is_pointers;
    default:
        return !(c->is_same && c->is_pointers);
    }
}

/* The column's place, and whether its type and size can be right. */
static cadre_err view_column(struct cadre_table *t, int param,
                             const struct cadre_column *c,
                             struct cadre_error *error)
{
    const struct cadre_param *p = &t->proto->params[param];
    uint64_t rows = c->is_same ? 1 : t->count;
    char has[48], wants[48];

    if (!cadre_param_is_sent(p))
        return cadre_error_set(error, CADRE_ETYPE,
                               "parameter `%s` is not the caller's to give",
                               param_name(p));
    if (t->args[param].form != CADRE_FORM_ABSENT)
        return cadre_error_set(error, CADRE_ETYPE,
                               "parameter `%s` has two columns", param_name(p));
    if (!fits(c, p))
        return cadre_error_set(
            error, CADRE_ETYPE,
            "parameter `%s` of %s is %s%s, its column has %s%s", param_name(p),
            t->proto->name, p->kind == CADRE_PARAM_ARRAY ? "an array of " : "",
            type_text(p->type, cadre_param_size(p), wants),
            c->is_pointers ? "pointers to " : "",
            type_text(c->type, c->size, has));
    if (c->data == NULL && rows > 0)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the column for `%s` is a null pointer",
                               param_name(p));
    if (p->kind != CADRE_PARAM_ARRAY && c->bytes != SIZE_MAX &&
        c->bytes / cadre_param_size(p) < rows)
        return cadre_error_set(
            error, CADRE_ETYPE,
            "the column for `%s` holds %zu values, the map has %" PRIu64
            " items",
            param_name(p), c->bytes / cadre_param_size(p), t->count);
    t->args[param] = (struct cadre_view){.form = form_of(c), .data = c->data};
    return CADRE_OK;
}

static int next_param(const struct cadre_proto *proto, int from)
{
    while (from < proto->nparams && !cadre_param_is_sent(&proto->params[from]))
        from++;
    return from;
}

int cadre_column_target(const struct cadre_proto *proto,
                        const struct cadre_column *c, int *position)
{
    int i;

    if (c->name != NULL)
        return cadre_proto_find(proto, c->name);
    i = next_param(proto, *position);
    *position = i + 1;
    return i < proto->nparams ? i : -1;
}

cadre_err cadre_columns_view(struct cadre_table *table,
                             const struct cadre_columns *columns,
                             bool must_have_all, struct cadre_error *error)
{
    const struct cadre_proto *proto = table->proto;
    int position = 0;
    cadre_err err;

    for (size_t i = 0; i < columns->count; i++) {
        const struct cadre_column *c = &columns->list[i];
        int p = cadre_column_target(proto, c, &position);

        if (p < 0)
            return cadre_error_set(error, CADRE_ETYPE,
                                   "column %zu%s%s has no parameter in '%s'",
                                   i + 1, c->name != NULL ? " called " : "",
                                   c->name != NULL ? c->name : "", proto->text);
        if ((err = view_column(table, p, c, error)) != CADRE_OK)
            return err;
    }
    for (int p = 0; p < proto->nparams && must_have_all; p++) {
        if (table->args[p].form == CADRE_FORM_ABSENT &&
            cadre_param_is_sent(&proto->params[p]))
            return cadre_error_set(error, CADRE_ETYPE,
                                   "parameter `%s` of %s has no column: give "
                                   "one, or CADRE_SAME(&value)",
                                   param_name(&proto->params[p]), proto->name);
    }
    return CADRE_OK;
}

/* Elements that parameter `param` takes from a concatenated column. */
static uint64_t elements_of(const struct cadre_table *t, int param,
                            enum cadre_form form)
{
    uint64_t rows = form == CADRE_FORM_SAME ? 1 : t->count;

    if (form == CADRE_FORM_POINTERS || rows == 0)
        return rows;
    return t->starts[param] != NULL ? t->starts[param][rows]
                                    : t->row_len[param] * rows;
}

static cadre_err check_size(const char *name, size_t bytes, uint64_t elements,
                            size_t size, struct cadre_error *error)
{
    if (bytes == SIZE_MAX || bytes / size >= elements)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_ETYPE,
                           "the memory for `%s` has room for %zu elements, "
                           "%" PRIu64 " are needed",
                           name, bytes / size, elements);
}

cadre_err cadre_columns_check_sizes(const struct cadre_table *table,
                                    const struct cadre_columns *columns,
                                    struct cadre_error *error)
{
    int position = 0;

    for (size_t i = 0; i < columns->count; i++) {
        const struct cadre_column *c = &columns->list[i];
        int p = cadre_column_target(table->proto, c, &position);
        size_t size = c->is_pointers
                          ? sizeof(void *)
                          : cadre_param_size(&table->proto->params[p]);
        cadre_err err =
            check_size(param_name(&table->proto->params[p]), c->bytes,
                       elements_of(table, p, table->args[p].form), size, error);

        if (err != CADRE_OK)
            return err;
    }
    return CADRE_OK;
}

/* --- outputs ----------------------------------------------------------------
 */

cadre_err cadre_outputs_view(struct cadre_table *table,
                             const struct cadre_outputs *into,
                             struct cadre_error *error)
{
    const struct cadre_proto *proto = table->proto;
    int n = cadre_proto_noutputs(proto);

    if (into->count > (size_t)n)
        return cadre_error_set(error, CADRE_ETYPE,
                               "%zu outputs are wanted, %s has %d", into->count,
                               proto->name, n);
    for (int i = 0; i < (int)into->count; i++) {
        const struct cadre_output *o = &into->list[i];
        bool is_return = cadre_proto_output_param(proto, i) < 0;
        char has[48], wants[48];

        if (o->type != output_type(proto, i) ||
            (output_of(proto, i) != NULL &&
             o->size != output_of(proto, i)->size) ||
            (is_return && o->is_pointers != (o->type == CADRE_STRING)))
            return cadre_error_set(
                error, CADRE_ETYPE,
                "output %d of %s (%s) is %s, the room is "
                "for %s%s",
                i + 1, proto->name, output_name(proto, i),
                type_text(output_type(proto, i), cadre_output_size(proto, i),
                          wants),
                o->is_pointers && o->type != CADRE_STRING ? "pointers to " : "",
                type_text(o->type, o->size, has));
        if (o->data == NULL && table->count > 0)
            return cadre_error_set(error, CADRE_ETYPE,
                                   "the room for output %d is a null pointer",
                                   i + 1);
        table->outputs[i] = (struct cadre_view){
            .form = o->is_pointers ? CADRE_FORM_POINTERS : CADRE_FORM_DENSE,
            .data = o->data};
    }
    return CADRE_OK;
}

cadre_err cadre_outputs_check_sizes(const struct cadre_table *table,
                                    const struct cadre_outputs *into,
                                    struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    for (int i = 0; i < (int)into->count && err == CADRE_OK; i++) {
        const struct cadre_output *o = &into->list[i];
        uint64_t elements = o->is_pointers
                                ? table->count
                                : cadre_output_start(table, i, table->count);

        err = check_size(output_name(table->proto, i), o->bytes, elements,
                         o->is_pointers ? sizeof(void *)
                                        : cadre_output_size(table->proto, i),
                         error);
    }
    return err;
}
