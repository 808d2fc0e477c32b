/* convert.h - C's conversions between arithmetic types, without their losses.
 *
 * A whole number must stay what it is; a real number may lose digits, as in C,
 * but must not become infinite; a complex number may become a real one if its
 * imaginary part is 0. Strings and arrays are not converted.
 */
#ifndef CADRE_RUNTIME_CONVERT_H
#define CADRE_RUNTIME_CONVERT_H

#include "type.h"

struct cadre_value; /* cadre/value.h; a scalar, here */

/* Is `type` one that has a value of its own: not void, not a string? */
bool cadre_type_is_arithmetic(cadre_type type);

/* Write `value` as a `type` at `slot`, which need not be aligned. False where
 * that would change it; what `slot` holds then is of no use. */
bool cadre_value_write(const struct cadre_value *value, cadre_type type,
                       void *slot);

/* The value of type `type` at `data`, which need not be aligned. */
struct cadre_value cadre_value_read(cadre_type type, const void *data);

/* The value as a whole number: its sign and magnitude. False if it is none. */
bool cadre_value_integer(const struct cadre_value *value, bool *is_negative,
                         uint64_t *magnitude);

/* Read as one type, write as another: `from` at `data` becomes `to` at `slot`.
 */
bool cadre_convert(cadre_type from, const void *data, cadre_type to,
                   void *slot);

#endif
