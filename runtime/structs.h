/* structs.h - the structs that this program has declared, by name.
 *
 * One registry for each process, safe from any thread. What is in it stays.
 */
#ifndef CADRE_RUNTIME_STRUCTS_H
#define CADRE_RUNTIME_STRUCTS_H

#include "error.h"
#include "type.h"

/* Declare `struct name` with these fields, as text. `size`: bytes that the
 * compiler gives it, or 0 where that is not known. The same declaration again
 * is fine.
 *
 * CADRE_EPARSE  the text, with its column; other fields than before; a size
 *               that the fields do not have.
 * CADRE_ENOMEM
 */
cadre_err cadre_struct_declare(const char *name, const char *fields,
                               size_t size, struct cadre_error *error);

/* The struct called `name` (`len` bytes, without "struct"), or NULL. Lent for
 * ever. */
const struct cadre_struct *cadre_struct_find(const char *name, size_t len);

#endif
