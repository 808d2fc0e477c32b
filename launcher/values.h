/* values.h - text to values and back, by C type.
 *
 *     integers   decimal, or hexadecimal after 0x; range-checked
 *     bool       0 1 true false
 *     reals      as strtod() reads them, with inf and nan; printed with as few
 *                digits as give the same value again
 *     complex    re+imi, re, imi
 *     strings    as they are
 *     arrays     elements separated by blanks, commas or semicolons; printed
 *                with one space between them
 */
#ifndef CADRE_LAUNCHER_VALUES_H
#define CADRE_LAUNCHER_VALUES_H

#include "say.h"
#include "text.h"

#include <cadre/type.h>
#include <cadre/value.h>

/* The C name: "int", "uint8_t", "double"; lent for ever. */
const char *cadre_value_type_name(cadre_type type);

/* Bytes of one array element (or scalar) of `type`; not for strings. */
size_t cadre_value_size(cadre_type type);

/* Read one value of `type` (not CADRE_VOID) from `text`, which has `len` bytes
 * and a zero byte after them. Blanks around numbers are allowed. A string value
 * borrows `text`. On failure `*value` is unchanged and `why` says what is wrong
 * with which text. */
bool cadre_value_scan(cadre_type type, const char *text, size_t len,
                      struct cadre_value *value, struct cadre_why *why);

/* Read elements and append them, as C stores them, to `elements`; `*count` of
 * them. No element is a valid array. `text` as above. */
bool cadre_value_scan_array(cadre_type type, const char *text, size_t len,
                            struct cadre_text *elements, size_t *count,
                            struct cadre_why *why);

/* Make `count` a value of integer type `type`, if it fits. */
bool cadre_value_from_count(cadre_type type, uint64_t count,
                            struct cadre_value *value, struct cadre_why *why);

/* The number in a value of an integer type; UINT64_MAX for negative ones. */
uint64_t cadre_value_to_count(const struct cadre_value *value);

/* Append `count` values at `data` (a string: itself, or NULL) in text. A string
 * is quoted as CSV wants it if `is_csv`; otherwise line ends, tabs and
 * backslashes in it become \n, \r, \t and \\. */
void cadre_value_print(struct cadre_text *out, cadre_type type,
                       const void *data, uint64_t count, bool is_csv);

#endif
