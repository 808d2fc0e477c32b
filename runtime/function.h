/* function.h - the functions of this program, by name and by number.
 *
 * One registry for each process, safe from any thread. On the controller a
 * function gets an id, which is how batches name it; a worker finds the same
 * function by library and symbol.
 */
#ifndef CADRE_RUNTIME_FUNCTION_H
#define CADRE_RUNTIME_FUNCTION_H

#include "call.h"
#include "proto.h"

#include <cadre/function.h>

/* A function that can be named to workers. Never freed. */
struct cadre_function {
    struct cadre_function *next;
    const struct cadre_task_record *record; /* of a task; else NULL */
    uint32_t id;                            /* 1 and up */
    char *library; /* "": this program and what it is linked with */
    char *symbol;
    char *written;  /* the prototype as text, and ... */
    char *expanded; /* after the preprocessor; "" if there is none */
    char *sent; /* the prototype with its structs, for workers; NULL: `written`
                   and `expanded` say all */
    struct cadre_proto *proto; /* NULL if `err` */
    struct cadre_parameter *parameters;
    cadre_err err; /* why it cannot be used; CADRE_OK */
    struct cadre_error error;
};

/* The program's own tasks, [begin, end). Call before there are threads. */
void cadre_tasks_register(const struct cadre_task_record *const *begin,
                          const struct cadre_task_record *const *end);

/* Tasks of the library's own, which every worker has. Likewise. */
void cadre_builtins_register(const struct cadre_task_record *const *begin,
                             const struct cadre_task_record *const *end);

/* Where `symbol` of `library` is in this process; library "" looks among the
 * library's and the program's own tasks first. CADRE_ENOTFOUND. */
cadre_err cadre_task_find(const char *library, const char *symbol,
                          cadre_symbol_fn *fn, struct cadre_error *error);

/* The function behind a task's record; the same for the same record. Never NULL
 * but for want of memory: what is wrong with it stands in `err`. */
struct cadre_function *
cadre_function_of_record(const struct cadre_task_record *record);

/* The function of a library; the same for the same texts. Errors as in
 * cadre/function.h. */
cadre_err cadre_function_find(const char *library, const char *prototype,
                              struct cadre_function **function,
                              struct cadre_error *error);

#endif
