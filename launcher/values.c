/* values.c - reads and prints values of every C type; see values.h.
 *
 * Numbers go through the C library's own conversions: strtold and friends to
 * read, and to print the shortest of the few candidates of %.{15,16,17}g that
 * reads back as the same value. Two fast ways stand in front of that, for what
 * most columns hold: short integers, and reals with an integer value.
 */
#include "values.h"

#include <assert.h>
#include <complex.h>
#include <csv.h>
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- types ---------------------------------------------------------------- */

/* What an integer type can hold. */
struct range {
    int64_t min;
    uint64_t max;
};

static const struct range ranges[] = {
    [CADRE_BOOL] = {0, 1},
    [CADRE_INT8] = {INT8_MIN, INT8_MAX},
    [CADRE_UINT8] = {0, UINT8_MAX},
    [CADRE_INT16] = {INT16_MIN, INT16_MAX},
    [CADRE_UINT16] = {0, UINT16_MAX},
    [CADRE_INT32] = {INT32_MIN, INT32_MAX},
    [CADRE_UINT32] = {0, UINT32_MAX},
    [CADRE_INT64] = {INT64_MIN, INT64_MAX},
    [CADRE_UINT64] = {0, UINT64_MAX},
};

static bool is_signed(cadre_type type)
{
    return type == CADRE_INT8 || type == CADRE_INT16 || type == CADRE_INT32 ||
           type == CADRE_INT64;
}

const char *cadre_value_type_name(cadre_type type)
{
    static const char *const names[] = {
        [CADRE_VOID] = "void",
        [CADRE_BOOL] = "bool",
        [CADRE_INT8] = "int8_t",
        [CADRE_UINT8] = "uint8_t",
        [CADRE_INT16] = "short",
        [CADRE_UINT16] = "unsigned short",
        [CADRE_INT32] = "int",
        [CADRE_UINT32] = "unsigned int",
        [CADRE_INT64] = "long",
        [CADRE_UINT64] = "unsigned long",
        [CADRE_FLOAT] = "float",
        [CADRE_DOUBLE] = "double",
        [CADRE_LONG_DOUBLE] = "long double",
        [CADRE_FLOAT_COMPLEX] = "float complex",
        [CADRE_DOUBLE_COMPLEX] = "double complex",
        [CADRE_LONG_DOUBLE_COMPLEX] = "long double complex",
        [CADRE_STRING] = "string",
        [CADRE_AGGREGATE] = "struct",
    };

    assert((size_t)type < sizeof names / sizeof names[0]);
    return names[type];
}

size_t cadre_value_size(cadre_type type)
{
    static const size_t sizes[] = {
        [CADRE_BOOL] = sizeof(bool),
        [CADRE_INT8] = 1,
        [CADRE_UINT8] = 1,
        [CADRE_INT16] = 2,
        [CADRE_UINT16] = 2,
        [CADRE_INT32] = 4,
        [CADRE_UINT32] = 4,
        [CADRE_INT64] = 8,
        [CADRE_UINT64] = 8,
        [CADRE_FLOAT] = sizeof(float),
        [CADRE_DOUBLE] = sizeof(double),
        [CADRE_LONG_DOUBLE] = sizeof(long double),
        [CADRE_FLOAT_COMPLEX] = sizeof(float _Complex),
        [CADRE_DOUBLE_COMPLEX] = sizeof(double _Complex),
        [CADRE_LONG_DOUBLE_COMPLEX] = sizeof(long double _Complex),
    };

    assert(type > CADRE_VOID && type < CADRE_STRING);
    return sizes[type];
}

/* --- reading -------------------------------------------------------------- */

enum { SHOWN_MAX = 40 }; /* bytes of a bad value that a message repeats */

/* A message about `text`. */
static bool refuse(struct cadre_why *why, const char *text, size_t len,
                   const char *reason, cadre_type type)
{
    return cadre_why_set(
        why, "'%.*s%s' %s %s", (int)(len < SHOWN_MAX ? len : SHOWN_MAX), text,
        len > SHOWN_MAX ? "..." : "", reason, cadre_value_type_name(type));
}

static bool refuse_range(struct cadre_why *why, const char *text, size_t len,
                         cadre_type type)
{
    return cadre_why_set(
        why, "'%.*s' is out of the range of %s (%" PRId64 " to %" PRIu64 ")",
        (int)(len < SHOWN_MAX ? len : SHOWN_MAX), text,
        cadre_value_type_name(type), ranges[type].min, ranges[type].max);
}

/* Put the number -`magnitude` or `magnitude` into `value` if `type` has it. */
static bool put_integer(cadre_type type, bool is_negative, uint64_t magnitude,
                        struct cadre_value *value)
{
    const struct range *range = &ranges[type];

    if (is_negative ? magnitude > (uint64_t)0 - (uint64_t)range->min
                    : magnitude > range->max)
        return false;
    *value = (struct cadre_value){.type = type};
    if (type == CADRE_BOOL)
        value->boolean = magnitude != 0;
    else if (is_signed(type))
        value->integer =
            (int64_t)(is_negative ? (uint64_t)0 - magnitude : magnitude);
    else
        value->natural = magnitude;
    return true;
}

/* 0 to 15; 16 for what is no digit. */
static unsigned digit_of(unsigned char c)
{
    if (isdigit(c))
        return (unsigned)(c - '0');
    return isxdigit(c) ? (unsigned)((c | 0x20) - 'a') + 10 : 16;
}

/* Digits of base 10 or 16, nothing else. False: not a number, or (with
 * `*is_big`) one beyond 64 bits. */
static bool scan_digits(const char *text, size_t len, uint64_t *magnitude,
                        bool *is_big)
{
    bool is_hex = len > 2 && text[0] == '0' && (text[1] | 0x20) == 'x';
    unsigned base = is_hex ? 16 : 10;
    uint64_t sum = 0;

    *is_big = false;
    for (size_t i = is_hex ? 2 : 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned digit = digit_of(c);

        if (digit >= base)
            return *is_big = false;
        *is_big |= __builtin_mul_overflow(sum, base, &sum) ||
                   __builtin_add_overflow(sum, digit, &sum);
    }
    *magnitude = sum;
    return len > 0 && !*is_big;
}

static bool scan_integer(cadre_type type, const char *text, size_t len,
                         struct cadre_value *value, struct cadre_why *why)
{
    bool is_negative = len > 0 && text[0] == '-';
    size_t sign = is_negative || (len > 0 && text[0] == '+') ? 1 : 0;
    uint64_t magnitude;
    bool is_big;

    if (!scan_digits(text + sign, len - sign, &magnitude, &is_big)) {
        if (is_big)
            return refuse_range(why, text, len, type);
        return refuse(why, text, len, "is not of type", type);
    }
    if (!put_integer(type, is_negative, magnitude, value))
        return refuse_range(why, text, len, type);
    return true;
}

static bool scan_bool(const char *text, size_t len, struct cadre_value *value,
                      struct cadre_why *why)
{
    bool is_true = (len == 4 && memcmp(text, "true", 4) == 0) ||
                   (len == 1 && text[0] == '1');
    bool is_false = (len == 5 && memcmp(text, "false", 5) == 0) ||
                    (len == 1 && text[0] == '0');

    if (!is_true && !is_false)
        return cadre_why_set(why, "'%.*s' is not 0, 1, true or false",
                             (int)(len < SHOWN_MAX ? len : SHOWN_MAX), text);
    *value = (struct cadre_value){.type = CADRE_BOOL, .boolean = is_true};
    return true;
}

/* The real type of the parts of `type`. */
static cadre_type part_type(cadre_type type)
{
    switch (type) {
    case CADRE_FLOAT_COMPLEX:
        return CADRE_FLOAT;
    case CADRE_DOUBLE_COMPLEX:
        return CADRE_DOUBLE;
    case CADRE_LONG_DOUBLE_COMPLEX:
        return CADRE_LONG_DOUBLE;
    default:
        return type;
    }
}

/* One real number as far as it goes; `*is_big` if no `type` holds it. */
static long double scan_part(cadre_type type, const char *text, char **end,
                             bool *is_big)
{
    long double x;

    errno = 0;
    if (type == CADRE_FLOAT)
        x = strtof(text, end);
    else if (type == CADRE_DOUBLE)
        x = strtod(text, end);
    else
        x = strtold(text, end);
    *is_big = errno == ERANGE && isinf(x);
    return x;
}

static bool scan_real(cadre_type type, const char *text, size_t len,
                      struct cadre_value *value, struct cadre_why *why)
{
    bool is_big;
    char *end;
    long double x = scan_part(type, text, &end, &is_big);

    if (len == 0 || end != text + len)
        return refuse(why, text, len, "is not of type", type);
    if (is_big)
        return refuse(why, text, len, "is out of the range of", type);
    *value = (struct cadre_value){.type = type, .real = x};
    return true;
}

static bool is_imaginary_unit(const char *c, const char *end)
{
    return c + 1 == end && (*c == 'i' || *c == 'j');
}

/* re+imi, re-imi, re, imi */
static bool scan_complex(cadre_type type, const char *text, size_t len,
                         struct cadre_value *value, struct cadre_why *why)
{
    const char *stop = text + len;
    long double re = 0, im = 0;
    bool is_big, is_big_too = false;
    char *end;

    re = scan_part(part_type(type), text, &end, &is_big);
    if (len == 0 || end == text)
        return refuse(why, text, len, "is not of type", type);
    if (is_imaginary_unit(end, stop)) {
        im = re;
        re = 0;
    } else if (end != stop) {
        char *sign = end;

        im = scan_part(part_type(type), sign, &end, &is_big_too);
        if ((*sign != '+' && *sign != '-') || end == sign ||
            !is_imaginary_unit(end, stop))
            return refuse(why, text, len, "is not of type", type);
    }
    if (is_big || is_big_too)
        return refuse(why, text, len, "is out of the range of", type);
    *value = (struct cadre_value){.type = type};
    memcpy(&value->complex_number, (long double[]){re, im}, 2 * sizeof re);
    return true;
}

static bool scan_string(const char *text, size_t len, struct cadre_value *value,
                        struct cadre_why *why)
{
    if (strlen(text) != len)
        return cadre_why_set(why, "there is a zero byte in the string");
    *value = (struct cadre_value){.type = CADRE_STRING, .string = text};
    return true;
}

bool cadre_value_scan(cadre_type type, const char *text, size_t len,
                      struct cadre_value *value, struct cadre_why *why)
{
    if (type == CADRE_STRING)
        return scan_string(text, len, value, why);
    while (len > 0 && isspace((unsigned char)text[0])) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    if (len == 0)
        return cadre_why_set(why,
                             "nothing stands where a value of type %s "
                             "should be",
                             cadre_value_type_name(type));
    switch (type) {
    case CADRE_BOOL:
        return scan_bool(text, len, value, why);
    case CADRE_FLOAT:
    case CADRE_DOUBLE:
    case CADRE_LONG_DOUBLE:
        return scan_real(type, text, len, value, why);
    case CADRE_FLOAT_COMPLEX:
    case CADRE_DOUBLE_COMPLEX:
    case CADRE_LONG_DOUBLE_COMPLEX:
        return scan_complex(type, text, len, value, why);
    default:
        return scan_integer(type, text, len, value, why);
    }
}

/* --- arrays --------------------------------------------------------------- */

#define STORE(T, from)                                                         \
    do {                                                                       \
        T x = (T)(from);                                                       \
        memcpy(to, &x, sizeof x);                                              \
    } while (0)

/* Write `value` to `to` as C stores its type. */
static void store(const struct cadre_value *value, char *to)
{
    switch (value->type) {
    case CADRE_BOOL:
        STORE(bool, value->boolean);
        break;
    case CADRE_INT8:
        STORE(int8_t, value->integer);
        break;
    case CADRE_INT16:
        STORE(int16_t, value->integer);
        break;
    case CADRE_INT32:
        STORE(int32_t, value->integer);
        break;
    case CADRE_INT64:
        STORE(int64_t, value->integer);
        break;
    case CADRE_UINT8:
        STORE(uint8_t, value->natural);
        break;
    case CADRE_UINT16:
        STORE(uint16_t, value->natural);
        break;
    case CADRE_UINT32:
        STORE(uint32_t, value->natural);
        break;
    case CADRE_UINT64:
        STORE(uint64_t, value->natural);
        break;
    case CADRE_FLOAT:
        STORE(float, value->real);
        break;
    case CADRE_DOUBLE:
        STORE(double, value->real);
        break;
    case CADRE_LONG_DOUBLE:
        STORE(long double, value->real);
        break;
    case CADRE_FLOAT_COMPLEX:
        STORE(float _Complex, value->complex_number);
        break;
    case CADRE_DOUBLE_COMPLEX:
        STORE(double _Complex, value->complex_number);
        break;
    case CADRE_LONG_DOUBLE_COMPLEX:
        STORE(long double _Complex, value->complex_number);
        break;
    case CADRE_VOID:
    case CADRE_STRING:
    case CADRE_AGGREGATE:
        assert(!"an element type");
    }
}

static bool is_separator(char c)
{
    return c == ',' || c == ';' || isspace((unsigned char)c);
}

/* Read the element [text, text + len), which more may follow: what the C
 * library stops at is a zero byte, so it gets a copy. */
static bool scan_element(cadre_type type, const char *text, size_t len,
                         struct cadre_text *elements, struct cadre_why *why)
{
    size_t size = cadre_value_size(type);
    struct cadre_value value;
    char copy[128];

    if (len >= sizeof copy)
        return refuse(why, text, len, "is not of type", type);
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (!cadre_value_scan(type, copy, len, &value, why))
        return false;
    store(&value, cadre_text_room(elements, size));
    elements->len += size;
    return true;
}

bool cadre_value_scan_array(cadre_type type, const char *text, size_t len,
                            struct cadre_text *elements, size_t *count,
                            struct cadre_why *why)
{
    const char *end = text + len;
    size_t found = 0;

    if (type == CADRE_STRING)
        return cadre_why_set(why, "arrays of strings cannot be given");
    for (const char *c = text; c < end; found++) {
        const char *start;

        while (c < end && is_separator(*c))
            c++;
        if (c == end)
            break;
        for (start = c; c < end && !is_separator(*c);)
            c++;
        if (!scan_element(type, start, (size_t)(c - start), elements, why))
            return false;
    }
    *count = found;
    return true;
}

/* --- lengths -------------------------------------------------------------- */

bool cadre_value_from_count(cadre_type type, uint64_t count,
                            struct cadre_value *value, struct cadre_why *why)
{
    assert(type >= CADRE_BOOL && type <= CADRE_UINT64);
    if (!put_integer(type, false, count, value))
        return cadre_why_set(why, "%" PRIu64 " elements are too many for %s",
                             count, cadre_value_type_name(type));
    return true;
}

uint64_t cadre_value_to_count(const struct cadre_value *value)
{
    if (value->type == CADRE_BOOL)
        return value->boolean;
    if (is_signed(value->type))
        return value->integer < 0 ? UINT64_MAX : (uint64_t)value->integer;
    return value->natural;
}

/* --- printing ------------------------------------------------------------- */

enum { NUMBER_MAX = 64 }; /* characters of any number of any type */

static void print_natural(struct cadre_text *out, uint64_t x)
{
    char digits[20];
    size_t n = sizeof digits;

    do
        digits[--n] = (char)('0' + x % 10);
    while ((x /= 10) > 0);
    cadre_text_add(out, digits + n, sizeof digits - n);
}

static void print_integer(struct cadre_text *out, int64_t x)
{
    if (x < 0)
        cadre_text_add_char(out, '-');
    print_natural(out, x < 0 ? (uint64_t)0 - (uint64_t)x : (uint64_t)x);
}

static bool print_if_integer(struct cadre_text *out, double x)
{
    if (!(fabs(x) < 1e15) || x != (double)(int64_t)x || (x == 0 && signbit(x)))
        return false;
    print_integer(out, (int64_t)x);
    return true;
}

/* snprintf() is told the type by its format, so each type has its own few
 * lines: as few digits as read back as the same value. */
#define PRINT_SHORTEST(out, x, FORMAT, SCAN, LEAST, MOST)                      \
    do {                                                                       \
        char *to = cadre_text_room((out), NUMBER_MAX);                         \
        int len, digits = (LEAST);                                             \
        do                                                                     \
            len = snprintf(to, NUMBER_MAX, FORMAT, digits, (x));               \
        while (digits++ < (MOST) && SCAN(to, NULL) != (x));                    \
        (out)->len += (size_t)len;                                             \
    } while (0)

static bool print_if_special(struct cadre_text *out, long double x)
{
    const char *word = isnan(x) ? "nan" : isinf(x) ? "inf" : NULL;

    if (word == NULL)
        return false;
    if (!isnan(x) && x < 0)
        cadre_text_add_char(out, '-');
    cadre_text_add(out, word, strlen(word));
    return true;
}

static void print_float(struct cadre_text *out, float x)
{
    if (!print_if_special(out, x))
        PRINT_SHORTEST(out, x, "%.*g", strtof, FLT_DIG, FLT_DECIMAL_DIG);
}

static void print_double(struct cadre_text *out, double x)
{
    if (!print_if_integer(out, x) && !print_if_special(out, x))
        PRINT_SHORTEST(out, x, "%.*g", strtod, DBL_DIG, DBL_DECIMAL_DIG);
}

static void print_long_double(struct cadre_text *out, long double x)
{
    if (!print_if_special(out, x))
        PRINT_SHORTEST(out, x, "%.*Lg", strtold, LDBL_DIG, LDBL_DECIMAL_DIG);
}

static void print_sign(struct cadre_text *out, bool is_negative)
{
    if (!is_negative) /* a number brings its own minus */
        cadre_text_add_char(out, '+');
}

#define PRINT_COMPLEX(T, PRINT, REAL, IMAG)                                    \
    do {                                                                       \
        T _Complex z;                                                          \
        T im;                                                                  \
        memcpy(&z, data, sizeof z);                                            \
        im = IMAG(z);                                                          \
        PRINT(out, REAL(z));                                                   \
        print_sign(out, !isnan(im) && signbit(im));                            \
        PRINT(out, im);                                                        \
        cadre_text_add_char(out, 'i');                                         \
    } while (0)

static void print_csv_string(struct cadre_text *out, const char *s)
{
    size_t len = strlen(s);

    if (len > 0 && strcspn(s, ",\"\r\n") == len && s[0] != ' ' &&
        s[len - 1] != ' ') {
        cadre_text_add(out, s, len);
        return;
    }
    out->len +=
        csv_write(cadre_text_room(out, 2 * len + 2), 2 * len + 2, s, len);
}

static void print_string(struct cadre_text *out, const char *s)
{
    static const char special[] = "\n\r\t\\", letters[] = "nrt\\";

    for (;;) {
        size_t plain = strcspn(s, special);

        cadre_text_add(out, s, plain);
        s += plain;
        if (*s == '\0')
            return;
        cadre_text_add_char(out, '\\');
        cadre_text_add_char(out, letters[strchr(special, *s) - special]);
        s++;
    }
}

#define PRINT(T, PRINT_ONE)                                                    \
    do {                                                                       \
        T x;                                                                   \
        memcpy(&x, data, sizeof x);                                            \
        PRINT_ONE(out, x);                                                     \
    } while (0)

static void print_one(struct cadre_text *out, cadre_type type, const char *data)
{
    switch (type) {
    case CADRE_BOOL:
        PRINT(uint8_t, print_natural);
        break;
    case CADRE_INT8:
        PRINT(int8_t, print_integer);
        break;
    case CADRE_INT16:
        PRINT(int16_t, print_integer);
        break;
    case CADRE_INT32:
        PRINT(int32_t, print_integer);
        break;
    case CADRE_INT64:
        PRINT(int64_t, print_integer);
        break;
    case CADRE_UINT8:
        PRINT(uint8_t, print_natural);
        break;
    case CADRE_UINT16:
        PRINT(uint16_t, print_natural);
        break;
    case CADRE_UINT32:
        PRINT(uint32_t, print_natural);
        break;
    case CADRE_UINT64:
        PRINT(uint64_t, print_natural);
        break;
    case CADRE_FLOAT:
        PRINT(float, print_float);
        break;
    case CADRE_DOUBLE:
        PRINT(double, print_double);
        break;
    case CADRE_LONG_DOUBLE:
        PRINT(long double, print_long_double);
        break;
    case CADRE_FLOAT_COMPLEX:
        PRINT_COMPLEX(float, print_float, crealf, cimagf);
        break;
    case CADRE_DOUBLE_COMPLEX:
        PRINT_COMPLEX(double, print_double, creal, cimag);
        break;
    case CADRE_LONG_DOUBLE_COMPLEX:
        PRINT_COMPLEX(long double, print_long_double, creall, cimagl);
        break;
    case CADRE_VOID:
    case CADRE_STRING:
    case CADRE_AGGREGATE:
        assert(!"a number");
    }
}

void cadre_value_print(struct cadre_text *out, cadre_type type,
                       const void *data, uint64_t count, bool is_csv)
{
    size_t size;

    if (type == CADRE_STRING) {
        if (data != NULL && is_csv)
            print_csv_string(out, data);
        else if (data != NULL)
            print_string(out, data);
        return;
    }
    size = cadre_value_size(type);
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            cadre_text_add_char(out, ' ');
        print_one(out, type, (const char *)data + i * size);
    }
}
