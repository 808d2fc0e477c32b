/* store.h - what a worker keeps between tasks: values with names.
 *
 * A value is a number, a string, an array of numbers, or an object: a pointer
 * that means something to the tasks alone, and a function that frees it. The
 * store owns its values. It is used by one thread, the one that runs the tasks.
 *
 * A store holds tens of names, not thousands: a look-up compares a number for
 * each.
 *
 * Values other than objects also travel, one at a time, as bytes:
 *
 *     offset  bytes
 *          0      1  kind (enum cadre_kept_kind)
 *          1      1  type
 *          2      2  length of the name in bytes, 1 to CADRE_STORE_NAME_MAX
 *          4      4  zero
 *          8      8  bytes of the payload
 *         16         the name, a zero byte, zeros up to a multiple of 16
 *                    the payload: the number; the characters and a zero byte,
 *                    nothing for a null pointer; the elements
 */
#ifndef CADRE_RUNTIME_STORE_H
#define CADRE_RUNTIME_STORE_H

#include "frame.h"
#include "type.h"

#include <cadre/task.h>

enum { CADRE_STORE_NAME_MAX = 255 }; /* bytes of a name */

/* The numbers travel between processes: never renumber. */
enum cadre_kept_kind {
    CADRE_KEPT_SCALAR = 0,
    CADRE_KEPT_STRING = 1,
    CADRE_KEPT_ARRAY = 2,
    CADRE_KEPT_OBJECT = 3 /* never travels */
};

typedef void (*cadre_destructor_fn)(void *object);

/* One value: in a store, or seen in somebody else's memory. */
struct cadre_kept {
    enum cadre_kept_kind kind;
    cadre_type type; /* CADRE_STRING for strings, CADRE_VOID for objects */
    uint64_t count;  /* elements of an array; else 1 */
    void *data; /* the number; the characters (may be NULL); the elements (never
                   NULL in a store); the object itself */
    cadre_destructor_fn destructor; /* of an object; may be NULL */
};

/* "int64_t", "an array of double", "an object"; for errors. */
struct cadre_kept_label {
    char text[64];
};
struct cadre_kept_label cadre_kept_label(const struct cadre_kept *kept);

/* NULL: out of memory. */
struct cadre_store *cadre_store_new(void);

/* Empty it, then free it. NULL is allowed. */
void cadre_store_free(struct cadre_store *store);

/* Remove everything, the last put first, each object with its destructor. Until
 * that has ended nothing can be put. */
void cadre_store_empty(struct cadre_store *store);

/* Keep `value` as `name`, in place of what has that name, whose destructor runs
 * when the new value is in place. Numbers, strings and elements are copied
 * (`data` NULL: zeros); an object is taken. The same object again keeps it and
 * changes its destructor. After a failure all is as it was.
 *
 * CADRE_EINVAL  a name that is empty or too long.
 * CADRE_ESTATE  the store is being emptied.
 * CADRE_ENOMEM
 */
cadre_err cadre_store_keep(struct cadre_store *store, const char *name,
                           const struct cadre_kept *value,
                           struct cadre_error *error);

/* The value called `name`, or NULL. Lent until that name is put or removed, its
 * `data` also until the array changes its size. */
const struct cadre_kept *cadre_store_find(const struct cadre_store *store,
                                          const char *name);

/* As above; CADRE_ENOTFOUND. */
cadre_err cadre_store_require(const struct cadre_store *store, const char *name,
                              const struct cadre_kept **kept,
                              struct cadre_error *error);

/* The names, in the order of putting: how many, and the one at `index`, NULL
 * where there is none; lent as above. */
size_t cadre_store_size(const struct cadre_store *store);
const char *cadre_store_name_at(const struct cadre_store *store, size_t index);

/* Remove `name` with its destructor; CADRE_ENOTFOUND. */
cadre_err cadre_store_drop(struct cadre_store *store, const char *name,
                           struct cadre_error *error);

/* Give array `name` `count` elements: those that fit stay, new ones are zero.
 *
 * CADRE_ENOTFOUND, CADRE_ENOMEM
 * CADRE_ETYPE  not an array.
 */
cadre_err cadre_store_resize_array(struct cadre_store *store, const char *name,
                                   uint64_t count, struct cadre_error *error);

/* Append `more`, a number or an array, converted to the array's type, to array
 * `name`. Errors as above; CADRE_ETYPE also where a number would change. */
cadre_err cadre_store_extend(struct cadre_store *store, const char *name,
                             const struct cadre_kept *more,
                             struct cadre_error *error);

/* Append `name` and `kept` as bytes to `buffer`, whose length is a multiple of
 * 16 before (and need not be after).
 *
 * CADRE_EINVAL  a name that is empty or too long.
 * CADRE_ETYPE   an object.
 * CADRE_ENOMEM  the buffer is as it was.
 */
cadre_err cadre_kept_encode(const char *name, const struct cadre_kept *kept,
                            struct cadre_buffer *buffer,
                            struct cadre_error *error);

/* Read the value that is all of `data`, which starts on a multiple of 16 bytes.
 * Name and value are lent by it.
 *
 * CADRE_EPROTO  it is none; `error` says why.
 */
cadre_err cadre_kept_decode(const void *data, size_t len, const char **name,
                            struct cadre_kept *kept, struct cadre_error *error);

#endif
