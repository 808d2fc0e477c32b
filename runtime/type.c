/* type.c - what the rest of the runtime asks about a cadre_type. */
#include "type.h"

#include <string.h>

bool cadre_type_is_valid(unsigned type)
{
    return type <= CADRE_AGGREGATE;
}

size_t cadre_type_size(cadre_type type)
{
    switch (type) {
    case CADRE_VOID:
    case CADRE_AGGREGATE:
        return 0;
    case CADRE_BOOL:
        return sizeof(bool);
    case CADRE_INT8:
    case CADRE_UINT8:
        return 1;
    case CADRE_INT16:
    case CADRE_UINT16:
        return 2;
    case CADRE_INT32:
    case CADRE_UINT32:
        return 4;
    case CADRE_INT64:
    case CADRE_UINT64:
        return 8;
    case CADRE_FLOAT:
        return sizeof(float);
    case CADRE_DOUBLE:
        return sizeof(double);
    case CADRE_LONG_DOUBLE:
        return sizeof(long double);
    case CADRE_FLOAT_COMPLEX:
        return sizeof(float _Complex);
    case CADRE_DOUBLE_COMPLEX:
        return sizeof(double _Complex);
    case CADRE_LONG_DOUBLE_COMPLEX:
        return sizeof(long double _Complex);
    case CADRE_STRING:
        return sizeof(char *);
    }
    return 0;
}

const char *cadre_type_name(cadre_type type)
{
    switch (type) {
    case CADRE_VOID:
        return "void";
    case CADRE_BOOL:
        return "bool";
    case CADRE_INT8:
        return "int8_t";
    case CADRE_UINT8:
        return "uint8_t";
    case CADRE_INT16:
        return "int16_t";
    case CADRE_UINT16:
        return "uint16_t";
    case CADRE_INT32:
        return "int32_t";
    case CADRE_UINT32:
        return "uint32_t";
    case CADRE_INT64:
        return "int64_t";
    case CADRE_UINT64:
        return "uint64_t";
    case CADRE_FLOAT:
        return "float";
    case CADRE_DOUBLE:
        return "double";
    case CADRE_LONG_DOUBLE:
        return "long double";
    case CADRE_FLOAT_COMPLEX:
        return "float complex";
    case CADRE_DOUBLE_COMPLEX:
        return "double complex";
    case CADRE_LONG_DOUBLE_COMPLEX:
        return "long double complex";
    case CADRE_STRING:
        return "char *";
    case CADRE_AGGREGATE:
        return "struct";
    }
    return "unknown type";
}

/* A complex number is aligned as its parts are. */
size_t cadre_type_align(cadre_type type)
{
    switch (type) {
    case CADRE_INT64:
    case CADRE_UINT64:
        return _Alignof(struct { int64_t x; });
    case CADRE_FLOAT_COMPLEX:
        return _Alignof(struct { float _Complex x; });
    case CADRE_DOUBLE:
    case CADRE_DOUBLE_COMPLEX:
        return _Alignof(struct { double x; });
    case CADRE_LONG_DOUBLE:
    case CADRE_LONG_DOUBLE_COMPLEX:
        return _Alignof(struct { long double x; });
    default:
        return cadre_type_size(type);
    }
}

bool cadre_type_is_integer(cadre_type type)
{
    return type >= CADRE_BOOL && type <= CADRE_UINT64;
}

/* The values are copied out: in a frame they need not be aligned, and the byte
 * of a bool need not be 0 or 1. */
static int64_t read_signed(cadre_type type, const void *value)
{
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;

    switch (type) {
    case CADRE_INT8:
        memcpy(&i8, value, sizeof i8);
        return i8;
    case CADRE_INT16:
        memcpy(&i16, value, sizeof i16);
        return i16;
    case CADRE_INT32:
        memcpy(&i32, value, sizeof i32);
        return i32;
    case CADRE_INT64:
        memcpy(&i64, value, sizeof i64);
        return i64;
    default:
        return -1;
    }
}

uint64_t cadre_type_length(cadre_type type, const void *value)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int64_t n;

    switch (type) {
    case CADRE_BOOL:
        memcpy(&u8, value, sizeof u8);
        return u8 != 0;
    case CADRE_UINT8:
        memcpy(&u8, value, sizeof u8);
        return u8;
    case CADRE_UINT16:
        memcpy(&u16, value, sizeof u16);
        return u16;
    case CADRE_UINT32:
        memcpy(&u32, value, sizeof u32);
        return u32;
    case CADRE_UINT64:
        memcpy(&u64, value, sizeof u64);
        return u64 <= INT64_MAX ? u64 : UINT64_MAX;
    default:
        n = read_signed(type, value);
        return n >= 0 ? (uint64_t)n : UINT64_MAX;
    }
}
