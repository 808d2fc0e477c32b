/* type.h - sizes, names and kinds of the C types that Cadre carries. */
#ifndef CADRE_RUNTIME_TYPE_H
#define CADRE_RUNTIME_TYPE_H

#include <cadre/type.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is `type` one of the enumeration's values (a byte from a frame may not be)?
 */
bool cadre_type_is_valid(unsigned type);

/* Bytes of one value; 0 for CADRE_VOID and CADRE_AGGREGATE, the size of a
 * pointer for CADRE_STRING. */
size_t cadre_type_size(cadre_type type);

/* What the address of a number is a multiple of in a struct. */
size_t cadre_type_align(cadre_type type);

/* The C name: "int32_t", "double", "char *"; lent for ever. */
const char *cadre_type_name(cadre_type type);

/* bool and the integers of every width. */
bool cadre_type_is_integer(cadre_type type);

/* The integer at `value`, of integer type `type`. A uint64_t beyond INT64_MAX
 * and a negative number give UINT64_MAX: neither can be a length. */
uint64_t cadre_type_length(cadre_type type, const void *value);

#endif
