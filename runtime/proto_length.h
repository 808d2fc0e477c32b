/* proto_length.h - what stands between the brackets of an array. Private to the
 * proto files.
 */
#ifndef CADRE_RUNTIME_PROTO_LENGTH_H
#define CADRE_RUNTIME_PROTO_LENGTH_H

#include "proto_parser.h"

/* A constant, or where `name` is a word, the value of that parameter. */
struct length {
    int64_t value;
    struct token name;
};

/* Read up to what cannot belong to a length. A constant may be negative. */
cadre_err cadre_length_read(struct parser *p, struct length *length);

#endif
