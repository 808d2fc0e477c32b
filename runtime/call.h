/* call.h - finds C functions and calls them by their prototype.
 *
 * The only module that knows libffi and the dynamic loader.
 */
#ifndef CADRE_RUNTIME_CALL_H
#define CADRE_RUNTIME_CALL_H

#include "proto.h"

/* Any C function; cast before the call. */
typedef void (*cadre_symbol_fn)(void);

/* Find `symbol` in the shared library `library` (a path, or a name as the
 * loader takes it), opening it if need be. It stays open: the code of a task
 * must never vanish. `library` NULL or "": this program and what it is linked
 * with.
 *
 * CADRE_ENOTFOUND  no such library, or no such symbol in it; `error` names
 *                  both and says what to check.
 */
cadre_err cadre_symbol_find(const char *library, const char *symbol,
                            cadre_symbol_fn *fn, struct cadre_error *error);

/* Where a function of a loaded library lives, to find it in another process:
 * the library's absolute path and the symbol's name, both lent for ever.
 * CADRE_ENOTFOUND where `fn` is not a dynamic symbol of a shared library: a
 * function of the program itself, a static one, or one that its library chooses
 * for the processor (memcpy; sin of glibc). CADRE_ENOMEM. */
cadre_err cadre_symbol_locate(cadre_symbol_fn fn, const char **library,
                              const char **symbol, struct cadre_error *error);

struct cadre_call; /* a function, ready to be called many times */

/* Prepare calls of `fn` as `proto` says; `proto` is borrowed until destroy.
 * `*call` is given. CADRE_ENOMEM; CADRE_EINVAL if libffi cannot do it. */
cadre_err cadre_call_create(const struct cadre_proto *proto, cadre_symbol_fn fn,
                            struct cadre_call **call,
                            struct cadre_error *error);
void cadre_call_destroy(struct cadre_call *call);

/* Call it. `args[i]` points to parameter i's value: a scalar or a struct; for
 * arrays, strings and objects a pointer variable; for MPI_Comm a variable of
 * that type, which is taken to be as large as a pointer (it is one in Open
 * MPI). `result` points to room for one value of the result type, suitably
 * aligned and exactly as large (NULL for void): narrow integers come back in
 * their own width. Thread-safe. */
void cadre_call_invoke(const struct cadre_call *call, void **args,
                       void *result);

#endif
