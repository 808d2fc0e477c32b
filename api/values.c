/* values.c - the arguments of one task: whose they are, and C's conversions. */
#include "internal.h"

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_signed(cadre_type t)
{
    return t == CADRE_INT8 || t == CADRE_INT16 || t == CADRE_INT32 ||
           t == CADRE_INT64;
}

static bool is_real(cadre_type t)
{
    return t == CADRE_FLOAT || t == CADRE_DOUBLE || t == CADRE_LONG_DOUBLE;
}

static bool is_complex(cadre_type t)
{
    return t == CADRE_FLOAT_COMPLEX || t == CADRE_DOUBLE_COMPLEX ||
           t == CADRE_LONG_DOUBLE_COMPLEX;
}

static const char *param_name(const struct cadre_param *p)
{
    return p->name[0] != '\0' ? p->name : "(unnamed)";
}

/* --- whose value is it ------------------------------------------------------
 */

static bool fits_kind(const struct cadre_value *v, const struct cadre_param *p)
{
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
                            struct cadre_values values,
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
    for (int p = 0; p < proto->nparams; p++) {
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

/* The value as a whole number: its sign and magnitude. */
static bool to_integer(const struct cadre_value *v, bool *is_negative,
                       uint64_t *magnitude)
{
    long double real = v->real;

    *is_negative = false;
    if (v->type == CADRE_AGGREGATE)
        return false;
    if (v->type == CADRE_BOOL) {
        *magnitude = v->boolean;
        return true;
    }
    if (is_signed(v->type)) {
        *is_negative = v->integer < 0;
        *magnitude =
            *is_negative ? -(uint64_t)v->integer : (uint64_t)v->integer;
        return true;
    }
    if (!is_real(v->type) && !is_complex(v->type)) {
        *magnitude = v->natural;
        return true;
    }
    if (is_complex(v->type)) {
        if (cimagl(v->complex_number) != 0)
            return false;
        real = creall(v->complex_number);
    }
    *is_negative = real < 0;
    real = fabsl(real);
    if (!(real < 0x1p64L) || real != floorl(real))
        return false;
    *magnitude = (uint64_t)real;
    return true;
}

static bool put_integer(const struct cadre_value *v, cadre_type type,
                        void *slot)
{
    unsigned bits = (unsigned)cadre_type_size(type) * 8;
    uint64_t magnitude, word, limit;
    bool is_negative;

    if (!to_integer(v, &is_negative, &magnitude))
        return false;
    if (type == CADRE_BOOL)
        limit = 1;
    else if (is_signed(type))
        limit = (1ull << (bits - 1)) - (is_negative ? 0 : 1);
    else
        limit = is_negative ? 0 : UINT64_MAX >> (64 - bits);
    if (magnitude > limit || (type == CADRE_BOOL && is_negative))
        return false;
    word = is_negative ? -magnitude : magnitude;
    memcpy(slot, &word, cadre_type_size(type)); /* little-endian */
    return true;
}

/* Widest form of a number; false where it cannot be exact. */
static bool to_complex(const struct cadre_value *v, long double _Complex *z)
{
    uint64_t magnitude;
    bool is_negative;

    if (is_complex(v->type)) {
        *z = v->complex_number;
        return true;
    }
    if (is_real(v->type)) {
        *z = v->real;
        return true;
    }
    if (!to_integer(v, &is_negative, &magnitude))
        return false;
    *z = (long double)magnitude;
    if (is_negative)
        *z = -*z;
    return true;
}

/* An integer must stay what it is; a real number may lose digits, as in C, but
 * must not become infinite. */
static bool is_kept(const struct cadre_value *v, long double before,
                    long double after)
{
    if (is_real(v->type) || is_complex(v->type))
        return isinf(after) == 0 || isinf(before) != 0;
    return before == after;
}

static bool put_real(const struct cadre_value *v, cadre_type type, void *slot)
{
    long double _Complex z;
    long double x, kept;
    double d;
    float f;

    if (!to_complex(v, &z) || cimagl(z) != 0)
        return false;
    x = creall(z);
    if (type == CADRE_FLOAT) {
        f = (float)x;
        kept = f;
        memcpy(slot, &f, sizeof f);
    } else if (type == CADRE_DOUBLE) {
        d = (double)x;
        kept = d;
        memcpy(slot, &d, sizeof d);
    } else {
        kept = x;
        memcpy(slot, &x, sizeof x);
    }
    return is_kept(v, x, kept);
}

static bool put_complex(const struct cadre_value *v, cadre_type type,
                        void *slot)
{
    long double _Complex z;
    float _Complex f;
    double _Complex d;

    if (!to_complex(v, &z))
        return false;
    f = (float _Complex)z;
    d = (double _Complex)z;
    if (type == CADRE_FLOAT_COMPLEX) {
        memcpy(slot, &f, sizeof f);
        return is_kept(v, creall(z), crealf(f)) &&
               is_kept(v, cimagl(z), cimagf(f));
    }
    if (type == CADRE_DOUBLE_COMPLEX) {
        memcpy(slot, &d, sizeof d);
        return is_kept(v, creall(z), creal(d)) &&
               is_kept(v, cimagl(z), cimag(d));
    }
    memcpy(slot, &z, sizeof z);
    return true;
}

cadre_err cadre_value_convert(const struct cadre_value *value,
                              const struct cadre_param *param, void *slot,
                              struct cadre_error *error)
{
    bool fits;

    if (param->of != NULL) {
        memcpy(slot, value->pointer, param->of->size);
        return CADRE_OK;
    }
    if (is_real(param->type))
        fits = put_real(value, param->type, slot);
    else if (is_complex(param->type))
        fits = put_complex(value, param->type, slot);
    else
        fits = put_integer(value, param->type, slot);
    return fits ? CADRE_OK : lossy(param, error);
}

static cadre_err dimension(const struct cadre_proto *proto,
                           const struct cadre_dim *dim,
                           const struct cadre_value *const *by_param,
                           uint64_t *count, struct cadre_error *error)
{
    bool is_negative;

    *count = dim->count;
    if (dim->param < 0)
        return CADRE_OK;
    if (by_param[dim->param] == NULL ||
        !to_integer(by_param[dim->param], &is_negative, count) || is_negative)
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
        if ((err = dimension(proto, &p->dims[d], by_param, &count, error)) !=
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
