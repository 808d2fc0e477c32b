/* cadre/value.h - what goes into a task and what comes out, with its type.
 *
 * Nothing here is filled in by hand: CADRE_EACH, CADRE_SAME, CADRE_INTO and
 * cadre_submit() read type and size off the variable they are given, so that a
 * mismatch with the function's prototype is an error and never a wild write.
 */
#ifndef CADRE_VALUE_H
#define CADRE_VALUE_H

#include <cadre/error.h>
#include <cadre/macros.h>
#include <cadre/type.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values of one parameter for many tasks. */
struct cadre_column {
    const char *name; /* of the parameter; NULL: by position */
    const void *data;
    cadre_type type;  /* of one value, or one element of an array */
    bool is_same;     /* one value serves all tasks */
    bool is_pointers; /* `data` is an array of pointers, one for each task, to
                         the elements of its array */
    size_t bytes;     /* behind `data`; SIZE_MAX where nobody knows */
    size_t size;      /* of one struct, where `type` is CADRE_AGGREGATE */
};

/* One after another: `x` is an array (or a pointer to the first) of
 *   T               one value for each task;
 *   T, T[m]         for an array parameter: the elements of all tasks, each
 *                   with as many as its length parameters say;
 *   T *             for an array parameter: a pointer to each task's elements;
 *   char *          one string for each task.
 * T is a number or a struct (which is checked by its size), and may be the
 * element of an array of up to 8 dimensions. */
#define CADRE_EACH(x)                                                          \
    ((struct cadre_column){.data = (x),                                        \
                           .type = CADRE_ELEMENT_TYPE_(x),                     \
                           .is_pointers = CADRE_IS_POINTERS_(x),               \
                           .bytes = CADRE_BYTES_(x),                           \
                           .size = sizeof(CADRE_ELEMENT_(x))})

/* The value (or the array's elements) at `x` for every task. */
#define CADRE_SAME(x)                                                          \
    ((struct cadre_column){.data = (x),                                        \
                           .type = CADRE_ELEMENT_TYPE_(x),                     \
                           .is_same = true,                                    \
                           .is_pointers = CADRE_IS_POINTERS_(x),               \
                           .bytes = CADRE_BYTES_(x),                           \
                           .size = sizeof(CADRE_ELEMENT_(x))})

/* A column for the parameter called `parameter`, wherever that stands. */
#define CADRE_NAMED(parameter, column)                                         \
    (cadre_column_named((parameter), (column)))

static inline struct cadre_column cadre_column_named(const char *name,
                                                     struct cadre_column column)
{
    column.name = name;
    return column;
}

/* Several columns: CADRE_COLUMNS(CADRE_EACH(i), CADRE_SAME(&j)). */
struct cadre_columns {
    size_t count;
    const struct cadre_column *list;
};

#define CADRE_COLUMNS(...)                                                     \
    ((struct cadre_columns){.count =                                           \
                                sizeof((struct cadre_column[]){__VA_ARGS__}) / \
                                sizeof(struct cadre_column),                   \
                            .list = (struct cadre_column[]){__VA_ARGS__}})

/* Room for one output of one task or of many. */
struct cadre_output {
    void *data;
    cadre_type type;
    bool is_pointers; /* an array of pointers, one for each task, to room for
                         its elements */
    size_t bytes;     /* of room; SIZE_MAX where nobody knows */
    size_t size;      /* of one struct, where `type` is CADRE_AGGREGATE */
};

struct cadre_outputs {
    size_t count;
    const struct cadre_output *list;
};

#define CADRE_OUTPUT_(x)                                                       \
    {.data = (x),                                                              \
     .type = CADRE_ELEMENT_TYPE_(x),                                           \
     .is_pointers = CADRE_IS_POINTERS_(x),                                     \
     .bytes = CADRE_BYTES_(x),                                                 \
     .size = sizeof(CADRE_ELEMENT_(x))},

/* Where the outputs go: first the return value (unless void), then the arrays
 * that the function fills, in the order of the prototype. A string result goes
 * into `char *out[]`, each a copy for the caller to free(). */
#define CADRE_INTO(...)                                                        \
    ((struct cadre_outputs){.count = CADRE_COUNT_(__VA_ARGS__),                \
                            .list = (struct cadre_output[]){                   \
                                CADRE_FOR_EACH_(CADRE_OUTPUT_, __VA_ARGS__)}})

/* In the place of CADRE_INTO(...): no output is wanted. */
#define CADRE_NOTHING ((struct cadre_outputs){.count = 0, .list = NULL})

/* Numbers one after another, with their type. */
struct cadre_numbers {
    const void *data;
    cadre_type type;
    bool is_pointers; /* no numbers, but pointers to some: a mistake */
    size_t count;
    size_t bytes; /* behind `data`; SIZE_MAX where nobody knows */
};

#define CADRE_NUMBERS_(n, x)                                                   \
    ((struct cadre_numbers){.data = (x),                                       \
                            .type = CADRE_ELEMENT_TYPE_(x),                    \
                            .is_pointers = CADRE_IS_POINTERS_(x),              \
                            .count = (n),                                      \
                            .bytes = CADRE_BYTES_(x)})

struct cadre_function;
struct cadre_future;

/* One argument of one task. */
struct cadre_value {
    const char *name; /* of the parameter; NULL: by position */
    cadre_type type;  /* of the scalar, or of one element of the array */
    bool is_array;    /* `pointer` is its first element */
    bool is_future;   /* the value is what `future` brings */
    size_t bytes;     /* of the array; SIZE_MAX where nobody knows */
    size_t size;      /* of one struct, where `type` is CADRE_AGGREGATE */
    union {
        bool boolean;
        int64_t integer;  /* every signed type */
        uint64_t natural; /* every unsigned type */
        long double real; /* float, double, long double */
        long double _Complex complex_number;
        const char *string;
        const void *pointer;             /* to an array, or a struct */
        struct cadre_function *function; /* the one to call */
        struct cadre_future *future;
    };
};

/* An array as one argument, of which type and size are checked: an array or a
 * pointer to the first element, of numbers or structs, in up to 8 dimensions.
 * cadre_submit(pool, fn, 2, 3, CADRE_ARRAY(matrix)). An array of numbers in one
 * dimension may also be given as it is. */
#define CADRE_ARRAY(x)                                                         \
    ((struct cadre_value){.type = CADRE_ELEMENT_TYPE_(x),                      \
                          .is_array = true,                                    \
                          .bytes = CADRE_BYTES_(x),                            \
                          .size = sizeof(CADRE_ELEMENT_(x)),                   \
                          .pointer = (x)})

/* An argument for the parameter called `parameter`:
 * cadre_submit(pool, fn, 2, CADRE_ARG("j", 5)). */
#define CADRE_ARG(parameter, x)                                                \
    (cadre_value_named((parameter), CADRE_VALUE_(x)))

static inline struct cadre_value cadre_value_named(const char *name,
                                                   struct cadre_value value)
{
    value.name = name;
    return value;
}

static inline struct cadre_value cadre_value_identity(struct cadre_value value)
{
    return value;
}

/* Values as arguments: CADRE_VALUES(2, 5.0). */
struct cadre_values {
    size_t count;
    const struct cadre_value *list;
};

#define CADRE_VALUES(...)                                                      \
    ((struct cadre_values){.count = CADRE_COUNT_(__VA_ARGS__),                 \
                           .list = (struct cadre_value[]){CADRE_FOR_EACH_(     \
                               CADRE_VALUE_ITEM_, __VA_ARGS__)}})
#define CADRE_VALUE_ITEM_(x) CADRE_VALUE_(x),

/* No arguments. */
#define CADRE_NO_VALUES ((struct cadre_values){.count = 0, .list = NULL})

#define CADRE_BOX_INTEGER_(T, NAME)                                            \
    static inline struct cadre_value cadre_box_##NAME(T x) {                   \
        return (struct cadre_value){.type = CADRE_INTEGER_TYPE_(T),            \
                                    .integer = (int64_t)x};                    \
    }
#define CADRE_BOX_REAL_(T, NAME, TYPE)                                         \
    static inline struct cadre_value cadre_box_##NAME(T x) {                   \
        return (struct cadre_value){.type = TYPE, .real = x};                  \
    }
#define CADRE_BOX_COMPLEX_(T, NAME, TYPE)                                      \
    static inline struct cadre_value cadre_box_##NAME(T x) {                   \
        return (struct cadre_value){.type = TYPE, .complex_number = x};        \
    }
#define CADRE_BOX_ARRAY_(T, NAME)                                              \
    static inline struct cadre_value cadre_box_##NAME##_array(const T *x)      \
    {                                                                          \
        return (struct cadre_value){.type = CADRE_TYPE_OF_((T)0),              \
                                    .is_array = true,                          \
                                    .bytes = SIZE_MAX,                         \
                                    .pointer = x};                             \
    }

CADRE_BOX_INTEGER_(char, char)
CADRE_BOX_INTEGER_(signed char, schar)
CADRE_BOX_INTEGER_(unsigned char, uchar)
CADRE_BOX_INTEGER_(short, short)
CADRE_BOX_INTEGER_(unsigned short, ushort)
CADRE_BOX_INTEGER_(int, int)
CADRE_BOX_INTEGER_(unsigned, uint)
CADRE_BOX_INTEGER_(long, long)
CADRE_BOX_INTEGER_(unsigned long, ulong)
CADRE_BOX_INTEGER_(long long, llong)
CADRE_BOX_INTEGER_(unsigned long long, ullong)
CADRE_BOX_REAL_(float, float, CADRE_FLOAT)
CADRE_BOX_REAL_(double, double, CADRE_DOUBLE)
CADRE_BOX_REAL_(long double, ldouble, CADRE_LONG_DOUBLE)
CADRE_BOX_COMPLEX_(float _Complex, cfloat, CADRE_FLOAT_COMPLEX)
CADRE_BOX_COMPLEX_(double _Complex, cdouble, CADRE_DOUBLE_COMPLEX)
CADRE_BOX_COMPLEX_(long double _Complex, cldouble, CADRE_LONG_DOUBLE_COMPLEX)
CADRE_BOX_ARRAY_(_Bool, bool)
CADRE_BOX_ARRAY_(signed char, schar)
CADRE_BOX_ARRAY_(unsigned char, uchar)
CADRE_BOX_ARRAY_(short, short)
CADRE_BOX_ARRAY_(unsigned short, ushort)
CADRE_BOX_ARRAY_(int, int)
CADRE_BOX_ARRAY_(unsigned, uint)
CADRE_BOX_ARRAY_(long, long)
CADRE_BOX_ARRAY_(unsigned long, ulong)
CADRE_BOX_ARRAY_(long long, llong)
CADRE_BOX_ARRAY_(unsigned long long, ullong)
CADRE_BOX_ARRAY_(float, float)
CADRE_BOX_ARRAY_(double, double)
CADRE_BOX_ARRAY_(long double, ldouble)
CADRE_BOX_ARRAY_(float _Complex, cfloat)
CADRE_BOX_ARRAY_(double _Complex, cdouble)
CADRE_BOX_ARRAY_(long double _Complex, cldouble)

static inline struct cadre_value cadre_box_bool(bool x)
{
    return (struct cadre_value){.type = CADRE_BOOL, .boolean = x};
}

/* A copy of a struct, and its size. */
struct cadre_struct_behind_ {
    const void *data;
    size_t bytes;
};

static inline struct cadre_value cadre_box_struct(struct cadre_struct_behind_ x)
{
    return (struct cadre_value){.type = CADRE_AGGREGATE,
                                .bytes = x.bytes,
                                .size = x.bytes,
                                .pointer = x.data};
}

static inline struct cadre_value cadre_box_function(struct cadre_function *x)
{
    return (struct cadre_value){.function = x};
}

static inline struct cadre_value cadre_box_future(struct cadre_future *x)
{
    return (struct cadre_value){.is_future = true, .future = x};
}

static inline struct cadre_value cadre_box_string(const char *x)
{
    return (struct cadre_value){.type = CADRE_STRING, .string = x};
}

#endif
