/* convert.c - every number passes through its widest form. */
#include "convert.h"

#include <cadre/value.h>

#include <complex.h>
#include <math.h>
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

bool cadre_type_is_arithmetic(cadre_type type)
{
    return cadre_type_is_integer(type) || is_real(type) || is_complex(type);
}

bool cadre_value_integer(const struct cadre_value *v, bool *is_negative,
                         uint64_t *magnitude)
{
    long double real;

    *is_negative = false;
    if (!cadre_type_is_arithmetic(v->type))
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
    } else {
        real = v->real;
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

    if (!cadre_value_integer(v, &is_negative, &magnitude))
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
    if (!cadre_value_integer(v, &is_negative, &magnitude))
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

bool cadre_value_write(const struct cadre_value *value, cadre_type type,
                       void *slot)
{
    if (!cadre_type_is_arithmetic(type) ||
        !cadre_type_is_arithmetic(value->type) || value->is_array)
        return false;
    if (is_real(type))
        return put_real(value, type, slot);
    if (is_complex(type))
        return put_complex(value, type, slot);
    return put_integer(value, type, slot);
}

/* The real number of type `type` at `data`. */
static long double read_real(cadre_type type, const void *data)
{
    long double x;
    double d;
    float f;

    if (type == CADRE_FLOAT) {
        memcpy(&f, data, sizeof f);
        return f;
    }
    if (type == CADRE_DOUBLE) {
        memcpy(&d, data, sizeof d);
        return d;
    }
    memcpy(&x, data, sizeof x);
    return x;
}

static long double _Complex read_complex(cadre_type type, const void *data)
{
    long double _Complex z;
    double _Complex d;
    float _Complex f;

    if (type == CADRE_FLOAT_COMPLEX) {
        memcpy(&f, data, sizeof f);
        return f;
    }
    if (type == CADRE_DOUBLE_COMPLEX) {
        memcpy(&d, data, sizeof d);
        return d;
    }
    memcpy(&z, data, sizeof z);
    return z;
}

/* Little-endian; the sign goes on to the left. */
static int64_t read_signed(size_t size, const void *data)
{
    unsigned unused = 64 - (unsigned)size * 8;
    uint64_t word = 0;

    memcpy(&word, data, size);
    return (int64_t)(word << unused) >> unused;
}

struct cadre_value cadre_value_read(cadre_type type, const void *data)
{
    struct cadre_value v = {.type = type};
    unsigned char byte;

    if (is_real(type)) {
        v.real = read_real(type, data);
    } else if (is_complex(type)) {
        v.complex_number = read_complex(type, data);
    } else if (type == CADRE_BOOL) {
        memcpy(&byte, data, sizeof byte);
        v.boolean = byte != 0;
    } else if (is_signed(type)) {
        v.integer = read_signed(cadre_type_size(type), data);
    } else {
        memcpy(&v.natural, data, cadre_type_size(type));
    }
    return v;
}

bool cadre_convert(cadre_type from, const void *data, cadre_type to, void *slot)
{
    struct cadre_value v;

    if (!cadre_type_is_arithmetic(from))
        return false;
    if (from == to) {
        memcpy(slot, data, cadre_type_size(to));
        return true;
    }
    v = cadre_value_read(from, data);
    return cadre_value_write(&v, to, slot);
}
