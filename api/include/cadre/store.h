/* cadre/store.h - what a worker keeps between tasks: values with names.
 *
 * Each worker of an executor has a store of its own. An init function
 * (CADRE_INIT) fills it, tasks that have a parameter `struct cadre_store *` use
 * it, and what a caller leaves out is filled in from it by the parameter's
 * name:
 *
 *     CADRE_INIT(setup, (struct cadre_store *store))
 *     {
 *         cadre_store_put(store, "k", 3L);
 *         cadre_store_put_object(store, "solver", solver_new(), solver_free);
 *     }
 *     CADRE_TASK(long, add, (long i, long k)) { return i + k; }
 *     CADRE_TASK(double, advance, (struct solver *solver, int steps)) ...
 *
 * Types are read off what is put in and where it is to go. A number is
 * converted as C does it; where that would lose value, it is an error.
 *
 * A store is used by one thread: a task's, while the task runs. Every function
 * that fails leaves the store as it was and says why in cadre_error_text(),
 * naming the value and the types. All of them give CADRE_EINVAL where the store
 * or another pointer is NULL.
 */
#ifndef CADRE_STORE_H
#define CADRE_STORE_H

#include <cadre/error.h>
#include <cadre/task.h>
#include <cadre/value.h>

#include <stdbool.h>
#include <stddef.h>

/* Workers have their store; this is one for a program of its own, such as the
 * test of a task. `*store` is given: cadre_store_destroy(). CADRE_ENOMEM. */
CADRE_API cadre_err cadre_store_create(struct cadre_store **store);

/* Clear and free it. NULL is allowed. */
CADRE_API void cadre_store_destroy(struct cadre_store *store);

/* Remove everything; objects are destroyed in the reverse order of putting. */
CADRE_API void cadre_store_clear(struct cadre_store *store);

/* Keep the number or string `x` as `name` (1 to 255 bytes), copied. What was
 * called so before is removed, an object destroyed. `x` is evaluated once.
 *
 * CADRE_EINVAL  the name.
 * CADRE_ETYPE   an array: cadre_store_put_array().
 * CADRE_ESTATE  the store is being cleared: a destructor cannot put.
 * CADRE_ENOMEM
 */
#define cadre_store_put(store, name, x)                                        \
    cadre_store_put_value((store), (name), CADRE_VALUE_(x))
CADRE_API cadre_err cadre_store_put_value(struct cadre_store *store,
                                          const char *name,
                                          struct cadre_value value);

/* Keep the `count` numbers at `x`, copied; a null pointer of the type gives as
 * many zeros. `x` may have several dimensions: `count` counts numbers. Errors
 * as above; CADRE_ETYPE where `x` has less than that, as far as the compiler
 * knows. */
#define cadre_store_put_array(store, name, count, x)                           \
    cadre_store_put_elements((store), (name), CADRE_NUMBERS_((count), (x)))
CADRE_API cadre_err cadre_store_put_elements(struct cadre_store *store,
                                             const char *name,
                                             struct cadre_numbers array);

/* Keep `object`, a pointer, taken: `destructor`, a function that takes that
 * pointer alone, or NULL, is called when it is replaced or removed and when the
 * store ends. Putting the same object again under its name changes nothing but
 * the destructor. After a failure the caller still owns it. Errors as for
 * cadre_store_put(); CADRE_EINVAL where the object is NULL. */
#define cadre_store_put_object(store, name, object, destructor)                \
    cadre_store_put_pointer((store), (name), (object),                         \
                            (void (*)(void *))(destructor))
CADRE_API cadre_err cadre_store_put_pointer(struct cadre_store *store,
                                            const char *name, void *object,
                                            void (*destructor)(void *));

/* Read the number or string called `name` into `*to`: a variable of any
 * arithmetic type, or a `const char *`, which is lent until the name is put or
 * removed.
 *
 * CADRE_ENOTFOUND  no such name.
 * CADRE_ETYPE      it cannot become what `*to` is, or would lose value.
 */
#define cadre_store_get(store, name, to)                                       \
    cadre_store_get_scalar((store), (name), CADRE_ELEMENT_TYPE_(to),           \
                           CADRE_IS_POINTERS_(to), (to))
CADRE_API cadre_err cadre_store_get_scalar(const struct cadre_store *store,
                                           const char *name, cadre_type type,
                                           bool is_pointer, void *to);

/* Set `*x`, a pointer variable of the elements' type, to the array called
 * `name`, and `*count` (which may be NULL) to the number of its elements.
 * Nothing is copied: what is written there stays for later tasks. Lent until
 * the name is put or removed or the array changes its size. CADRE_ENOTFOUND;
 * CADRE_ETYPE unless the types are the same.
 *
 *     double *x;
 *     size_t n;
 *     cadre_store_get_array(store, "x", &n, &x);
 */
#define cadre_store_get_array(store, name, count, x)                           \
    cadre_store_get_elements((store), (name), CADRE_ELEMENT_TYPE_(*(x)),       \
                             CADRE_IS_POINTERS_(*(x)), (count), (x))
CADRE_API cadre_err cadre_store_get_elements(const struct cadre_store *store,
                                             const char *name, cadre_type type,
                                             bool is_pointers, size_t *count,
                                             void *x);

/* Set `*object`, a pointer variable, to the object called `name`, lent until
 * that is replaced or removed. CADRE_ENOTFOUND; CADRE_ETYPE if it is no object.
 */
#define cadre_store_get_object(store, name, object)                            \
    cadre_store_get_pointer((store), (name),                                   \
                            ((void)sizeof(*(object) == (void *)0), (object)))
CADRE_API cadre_err cadre_store_get_pointer(const struct cadre_store *store,
                                            const char *name, void *object);

/* Give the array called `name` `count` elements: those that fit stay, new ones
 * are zero. It moves. CADRE_ENOTFOUND; CADRE_ETYPE if it is no array;
 * CADRE_ENOMEM. */
CADRE_API cadre_err cadre_store_resize(struct cadre_store *store,
                                       const char *name, size_t count);

/* Append the number `x`, or the `count` numbers at `x`, to the array called
 * `name`, converted to its type. It moves now and then. Errors as above;
 * CADRE_ETYPE also where a number would lose value. */
#define cadre_store_append(store, name, x)                                     \
    cadre_store_append_value((store), (name), CADRE_VALUE_(x))
CADRE_API cadre_err cadre_store_append_value(struct cadre_store *store,
                                             const char *name,
                                             struct cadre_value value);
#define cadre_store_append_array(store, name, count, x)                        \
    cadre_store_append_elements((store), (name), CADRE_NUMBERS_((count), (x)))
CADRE_API cadre_err cadre_store_append_elements(struct cadre_store *store,
                                                const char *name,
                                                struct cadre_numbers array);

/* Remove what is called `name`; an object is destroyed. CADRE_ENOTFOUND. */
CADRE_API cadre_err cadre_store_remove(struct cadre_store *store,
                                       const char *name);

CADRE_API bool cadre_store_has(const struct cadre_store *store,
                               const char *name);

/* What is in a store, in the order of putting. */
struct cadre_store_entry {
    const char *name; /* lent until it is put or removed */
    cadre_type type;  /* of the number or of one element; CADRE_STRING;
                         CADRE_VOID for an object */
    bool is_array;
    size_t count; /* elements of an array, else 1 */
};

CADRE_API size_t cadre_store_count(const struct cadre_store *store);

/* Describe entry `index`, from 0. CADRE_EINVAL: there is none. */
CADRE_API cadre_err cadre_store_entry(const struct cadre_store *store,
                                      size_t index,
                                      struct cadre_store_entry *entry);

#endif
