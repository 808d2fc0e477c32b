/* cadre/function.h - the functions that tasks run. */
#ifndef CADRE_FUNCTION_H
#define CADRE_FUNCTION_H

#include <cadre/task.h>

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

/* What a function takes and gives, for programs that build calls at run time.
 * All texts are lent until the program ends. */
CADRE_API const char *
cadre_function_name(const struct cadre_function *function);
CADRE_API const char *
cadre_function_prototype(const struct cadre_function *function);

#endif
