/* proto.h - a C function prototype, read from text.
 *
 *     double norm(size_t n, const double x[n])
 *
 * becomes a struct cadre_proto. What is understood:
 *
 *   result     void, every arithmetic type, `const char *` (copied), `char *`
 *              (copied, then freed with free())
 *   scalars    every arithmetic type of C, bool, size_t, ssize_t, ptrdiff_t,
 *              intptr_t, uintptr_t, the <stdint.h> types, wchar_t, off_t; enum
 *              NAME is int
 *
 *   structs    `struct point p`, or `point p`, by value and as a result: one
 *              that is declared in front of the prototype, `struct point {
 *              double x, y; };`, or in this program (structs.h)
 *
 *   strings    `const char *s`
 *
 *   arrays     `const T x[n]`, `T x[rows][cols]` of numbers or structs; each
 * length a constant (C integer literals, joined by + - * / << and parentheses)
 * or the name of an integer parameter, in text also a later one. const: in.
 * Without it: in and out. CADRE_OUT in front: out only.
 *
 *   special    `MPI_Comm comm`, `cadre_store *store`, `cadre_task *self` (also
 *              written with `struct`)
 *   objects    `struct NAME *p`, `void *p`, `NAME *p` of an unknown NAME: an
 *              opaque object found in the store by its name
 *
 * A pointer to an arithmetic type other than char is an error that says to
 * write `x[n]`. Arrays and objects need a name, other parameters may do
 * without. Words that do not change how a function is called (static, restrict,
 * __attribute__((...)), comments) are skipped. Errors name the column (bytes,
 * from 1) in the text.
 *
 * Nothing but `type`, `error` and `structs` is known here.
 */
#ifndef CADRE_RUNTIME_PROTO_H
#define CADRE_RUNTIME_PROTO_H

#include "error.h"
#include "type.h"

enum {
    CADRE_PARAMS_MAX = 64,     /* parameters of one function */
    CADRE_DIMS_MAX = 8,        /* dimensions of one array */
    CADRE_BY_VALUE_MAX = 65536 /* bytes of a struct that is passed or returned
                                  by value; elements of arrays may be larger */
};

enum cadre_param_kind {
    CADRE_PARAM_SCALAR = 0,
    CADRE_PARAM_STRING = 1,
    CADRE_PARAM_ARRAY = 2,
    CADRE_PARAM_COMM = 3,  /* the team's communicator */
    CADRE_PARAM_STORE = 4, /* the worker's storage */
    CADRE_PARAM_TASK = 5,  /* the running task */
    CADRE_PARAM_OBJECT = 6 /* an object in the store, by the parameter's name */
};

enum cadre_direction {
    CADRE_DIR_IN = 0,
    CADRE_DIR_INOUT = 1,
    CADRE_DIR_OUT = 2
};

/* One dimension of an array. */
struct cadre_dim {
    int param;      /* index of the integer parameter that holds it, or -1 */
    uint64_t count; /* the constant, where `param` is -1 */
};

struct cadre_param {
    const char *name; /* "" where the text gives none */
    enum cadre_param_kind kind;
    enum cadre_direction direction; /* IN for everything but arrays */
    cadre_type type;                /* of the scalar or one array element;
                                       CADRE_STRING; CADRE_VOID for the rest */
    const struct cadre_struct *of;  /* CADRE_AGGREGATE: which; else NULL */
    int ndims;                      /* arrays: 1 or more; else 0 */
    struct cadre_dim dims[CADRE_DIMS_MAX];
};

struct cadre_proto {
    const char *text; /* the prototype: with `declarations` in front it gives
                         the same again, in any process */
    const char *declarations; /* of the structs that it uses; "" */
    const char *name;         /* of the function */
    cadre_type result;
    const struct cadre_struct
        *result_of;    /* CADRE_AGGREGATE: which; else NULL */
    bool frees_result; /* `char *` result: free() it after the copy */
    int nparams;
    struct cadre_param *params;
    struct cadre_declared *declared; /* private: the structs of its own text */
};

/* Read `text`. `*proto` is given: cadre_proto_destroy().
 *
 * CADRE_EPARSE  not a prototype that can be called; `error` says why and where.
 * CADRE_ENOMEM
 */
cadre_err cadre_proto_parse(const char *text, struct cadre_proto **proto,
                            struct cadre_error *error);

/* Read a task's prototype from its two texts: `written` as its author wrote it,
 * `expanded` after the preprocessor. Lengths and types come from `expanded`
 * (where a macro N has become 3), CADRE_OUT from `written` (the preprocessor
 * removes it). The prototype's text is `expanded` with CADRE_OUT put back.
 * `expanded` "": `written` is all there is. Errors as above; a column is one of
 * the prototype's text, which the error quotes where it is not `written`. */
cadre_err cadre_proto_parse_task(const char *written, const char *expanded,
                                 struct cadre_proto **proto,
                                 struct cadre_error *error);

/* NULL is allowed. */
void cadre_proto_destroy(struct cadre_proto *proto);

/* Index of the parameter called `name`, or -1; "" finds none. */
int cadre_proto_find(const struct cadre_proto *proto, const char *name);

/* Bytes of a scalar or of one element; a pointer's for a string; else 0. */
size_t cadre_param_size(const struct cadre_param *param);

/* Bytes of the result; 0 for void, a pointer's for a string. */
size_t cadre_proto_result_size(const struct cadre_proto *proto);

/* "double", "struct point": of `of` if there is one, else of `type`. */
const char *cadre_type_label(cadre_type type, const struct cadre_struct *of);

/* May the caller give a value for this parameter? (scalars, strings, arrays
 * that are not out only) */
bool cadre_param_is_sent(const struct cadre_param *param);

/* Does the function fill this parameter? (arrays without const) */
bool cadre_param_is_output(const struct cadre_param *param);

/* Outputs of a call, in the one order used everywhere: the return value (if not
 * void), then the non-const arrays as declared. */
int cadre_proto_noutputs(const struct cadre_proto *proto);

/* The parameter behind output `output`, or -1 for the return value. */
int cadre_proto_output_param(const struct cadre_proto *proto, int output);

#endif
