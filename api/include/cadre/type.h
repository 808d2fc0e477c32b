/* cadre/type.h - the C types that Cadre can carry to a worker and back. */
#ifndef CADRE_TYPE_H
#define CADRE_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The type of one value, or of one element of an array. Integer types of C are
 * named by their width on this machine: `long` is CADRE_INT64 where it has 64
 * bits. The numbers travel between processes: never renumber. */
typedef enum cadre_type {
    CADRE_VOID = 0,
    CADRE_BOOL = 1,
    CADRE_INT8 = 2,
    CADRE_UINT8 = 3,
    CADRE_INT16 = 4,
    CADRE_UINT16 = 5,
    CADRE_INT32 = 6,
    CADRE_UINT32 = 7,
    CADRE_INT64 = 8,
    CADRE_UINT64 = 9,
    CADRE_FLOAT = 10,
    CADRE_DOUBLE = 11,
    CADRE_LONG_DOUBLE = 12,
    CADRE_FLOAT_COMPLEX = 13,
    CADRE_DOUBLE_COMPLEX = 14,
    CADRE_LONG_DOUBLE_COMPLEX = 15,
    CADRE_STRING = 16,   /* char *, ended by a zero byte; may be NULL */
    CADRE_AGGREGATE = 17 /* a struct by value; struct cadre_struct says which */
} cadre_type;

/* A struct that has been declared (cadre/struct.h), laid out as C does. */
struct cadre_struct {
    const char *name; /* "struct point" */
    size_t size;
    size_t align;
    size_t nfields; /* 1 or more */
    const struct cadre_field *fields;
};

struct cadre_field {
    const char *name;
    cadre_type type;               /* of the field, or of one element */
    const struct cadre_struct *of; /* CADRE_AGGREGATE: which; else NULL */
    bool is_array;
    uint64_t count; /* elements in all dimensions; 1 if it is no array */
    size_t offset;  /* bytes from the start of the struct */
};

#endif
