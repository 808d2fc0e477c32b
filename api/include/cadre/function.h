/* cadre/function.h - the functions that tasks run. */
#ifndef CADRE_FUNCTION_H
#define CADRE_FUNCTION_H

#include <cadre/task.h>
#include <cadre/type.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cadre_function; /* a function that workers can find and call */

/* The handle of a task defined with CADRE_TASK; lent until the program ends.
 * Never NULL: a prototype that cannot be used is reported by the first call
 * that is given the handle. From any thread. */
#define CADRE_FN(name) (cadre_function_of(&cadre_record_##name))

CADRE_API struct cadre_function *
cadre_function_of(const struct cadre_task_record *record);

/* A function of a shared library that knows nothing of Cadre:
 *
 *     cadre_function_open("libm.so.6", "double lgamma(double x)", &fn)
 *
 * `library` is what the dynamic loader takes (a path with a slash, or a name to
 * be searched for); NULL means the program and what it is linked with. The
 * prototype is C; the length of an array may be named after the array here. The
 * library is opened in this process too, to find mistakes before any task is
 * sent. `*function` is lent until the program ends; opening the same one again
 * gives the same handle. From any thread, before or after cadre_init().
 *
 * CADRE_EPARSE     the prototype; the text names the column.
 * CADRE_ENOTFOUND  no such library, or no such symbol in it.
 */
CADRE_API cadre_err cadre_function_open(const char *library,
                                        const char *prototype,
                                        struct cadre_function **function);

/* One parameter of a function, for programs that build calls at run time. */
struct cadre_parameter {
    const char *name; /* "" where the prototype gives none */
    cadre_type type;  /* of the scalar, or of one element of the array;
                         CADRE_VOID for what the worker fills in itself
                         (MPI_Comm, the store, the task, objects) */
    const struct cadre_struct *of; /* CADRE_AGGREGATE: which; else NULL */
    bool is_array;
    bool is_input;  /* the caller gives it */
    bool is_output; /* the function fills it */
    uint64_t
        constant; /* elements of an array whose length is constant; else 0 */
    int length;   /* index of the parameter that is the length of an array in
                     one dimension, where all others are constant; else -1 */
    uint64_t per_length; /* elements for each 1 of it: 3 for x[n][3] */
};

/* The parameters, `*count` of them; lent, as are all texts, until the program
 * ends. */
CADRE_API const struct cadre_parameter *
cadre_function_parameters(const struct cadre_function *function, size_t *count);
CADRE_API cadre_type
cadre_function_result(const struct cadre_function *function);
CADRE_API const char *
cadre_function_name(const struct cadre_function *function);
CADRE_API const char *
cadre_function_prototype(const struct cadre_function *function);

#endif
