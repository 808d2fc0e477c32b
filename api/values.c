/* values.c - the arguments of one task: whose they are, and C's conversions. */
#include "internal.h"

#include "runtime/convert.h"

#include <stdio.h>
#include <string.h>

static const char *param_name(const struct cadre_param *p)
{
    return p->name[0] != '\0' ? p->name : "(unnamed)";
}

/* --- whose value is it ------------------------------------------------------
 */

static bool fits_kind(const struct cadre_value *v, const struct cadre_param *p)
{
    if (v->is_future) /* what it brings is checked where it is known */
        return true;
    if (v->type == CADRE_AGGREGATE && p->of != NULL && v->size != p->of->size)
        return false;
    switch (p->kind) {
    case CADRE_PARAM_STRING:
        return v->type == CADRE_STRING;
    case CADRE_PARAM_ARRAY:
        return (v->is_array && v->type == p->type) ||
               (v->type == CADRE_STRING && cadre_type_size(p->type) == 1);
    default:
        return (v->type == CADRE_AGGREGATE) == (p->of != NULL) &&
               !v->is_array && v->type != CADRE_STRING && v->type != CADRE_VOID;
    }
}

/* "struct of 16 bytes" where `type` does not say it. */
static const char *type_text(cadre_type type, size_t size, char shown[48])
{
    if (type != CADRE_AGGREGATE)
        return cadre_type_name(type);
    snprintf(shown, 48, "struct of %zu bytes", size);
    return shown;
}

static cadre_err wrong_type(const struct cadre_value *v,
                            const struct cadre_param *p,
                            struct cadre_error *error)
{
    char has[48], wants[48];

    return cadre_error_set(
        error, CADRE_ETYPE, "parameter `%s` is %s%s, the value given is %s%s",
        param_name(p), p->kind == CADRE_PARAM_ARRAY ? "an array of " : "",
        type_text(p->type, cadre_param_size(p), wants),
        v->is_array ? "an array of " : "", type_text(v->type, v->size, has));
}

/* The parameter that the next value without a name is for. */
static int next_param(const struct cadre_proto *proto, int from)
{
    while (from < proto->nparams && !cadre_param_is_sent(&proto->params[from]))
        from++;
    return from;
}

static int target_of(const struct cadre_proto *proto,
                     const struct cadre_value *v, int *position)
{
    int i;

    if (v->name != NULL)
        return cadre_proto_find(proto, v->name);
    i = next_param(proto, *position);
    *position = i + 1;
    return i < proto->nparams ? i : -1;
}

static cadre_err no_target(const struct cadre_proto *proto,
                           const struct cadre_value *v,
                           struct cadre_error *error)
{
    if (v->name != NULL)
        return cadre_error_set(error, CADRE_ETYPE,
                               "%s has no parameter called `%s`: it is '%s'",
                               proto->name, v->name, proto->text);
    return cadre_error_set(error, CADRE_ETYPE, "too many arguments for '%s'",
                           proto->text);
}

cadre_err cadre_values_bind(const struct cadre_function *fn,
                            struct cadre_values values, bool has_store,
                            const struct cadre_value **by_param,
                            struct cadre_error *error)
{
    const struct cadre_proto *proto = fn->proto;
    int position = 0;

    memset(by_param, 0, (size_t)proto->nparams * sizeof(by_param[0]));
    for (size_t i = 0; i < values.count; i++) {
        const struct cadre_value *v = &values.list[i];
        int p = target_of(proto, v, &position);

        if (p < 0)
            return no_target(proto, v, error);
        if (!cadre_param_is_sent(&proto->params[p]))
            return cadre_error_set(error, CADRE_ETYPE,
                                   "parameter `%s` is not the caller's to give",
                                   param_name(&proto->params[p]));
        if (by_param[p] != NULL)
            return cadre_error_set(error, CADRE_ETYPE,
                                   "parameter `%s` is given twice",
                                   param_name(&proto->params[p]));
        if (!fits_kind(v, &proto->params[p]))
            return wrong_type(v, &proto->params[p], error);
        by_param[p] = v;
    }
    for (int p = 0; p < proto->nparams && !has_store; p++) {
        if (by_param[p] == NULL && cadre_param_is_sent(&proto->params[p]))
            return cadre_error_set(error, CADRE_ETYPE,
                                   "parameter `%s` of %s has no value",
                                   param_name(&proto->params[p]), proto->name);
    }
    return CADRE_OK;
}

/* --- conversions ------------------------------------------------------------
 */

static cadre_err lossy(const struct cadre_param *p, struct cadre_error *error)
{
    return cadre_error_set(error, CADRE_ETYPE,
                           "the value for parameter `%s` does not fit %s",
                           param_name(p), cadre_type_name(p->type));
}

cadre_err cadre_value_convert(const struct cadre_value *value,
                              const struct cadre_param *param, void *slot,
                              struct cadre_error *error)
{
    if (param->of != NULL) {
        memcpy(slot, value->pointer, param->of->size);
        return CADRE_OK;
    }
    return cadre_value_write(value, param->type, slot) ? CADRE_OK
                                                       : lossy(param, error);
}

static cadre_err dimension(const struct cadre_proto *proto,
                           const struct cadre_param *p,
                           const struct cadre_dim *dim,
                           const struct cadre_value *const *by_param,
                           uint64_t *count, struct cadre_error *error)
{
    bool is_negative;

    *count = dim->count;
    if (dim->param < 0)
        return CADRE_OK;
    if (by_param[dim->param] == NULL)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the array `%s` is given, so its length `%s` "
                               "must be too",
                               param_name(p),
                               param_name(&proto->params[dim->param]));
    if (by_param[dim->param]->is_future)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the length `%s` is not known yet: give it as a "
                               "value, or the array as a future, too",
                               param_name(&proto->params[dim->param]));
    if (!cadre_value_integer(by_param[dim->param], &is_negative, count) ||
        is_negative)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the length `%s` is not a whole number of 0 or "
                               "more",
                               param_name(&proto->params[dim->param]));
    return CADRE_OK;
}

/* Bytes behind an array argument. */
static size_t room_of(const struct cadre_value *v)
{
    return v->is_array ? v->bytes : strlen(v->string) + 1;
}

cadre_err cadre_values_length(const struct cadre_proto *proto, int param,
                              const struct cadre_value *const *by_param,
                              uint64_t *length, struct cadre_error *error)
{
    const struct cadre_param *p = &proto->params[param];
    const struct cadre_value *v = by_param[param];
    uint64_t count, elements = 1, bytes;
    cadre_err err;

    for (int d = 0; d < p->ndims; d++) {
        if ((err = dimension(proto, p, &p->dims[d], by_param, &count, error)) !=
            CADRE_OK)
            return err;
        if (__builtin_mul_overflow(elements, count, &elements))
            elements = UINT64_MAX;
    }
    if (__builtin_mul_overflow(elements, cadre_param_size(p), &bytes) ||
        bytes > PTRDIFF_MAX)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the length of `%s` is too large",
                               param_name(p));
    if (v != NULL && elements > 0 && v->pointer == NULL)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the array for `%s` is a null pointer",
                               param_name(p));
    if (v != NULL && elements > 0 && room_of(v) < bytes)
        return cadre_error_set(
            error, CADRE_ETYPE,
            "the array for `%s` has %zu bytes, its lengths say %llu",
            param_name(p), room_of(v), (unsigned long long)bytes);
    *length = elements;
    return CADRE_OK;
}
