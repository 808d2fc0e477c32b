/* proto_struct.h - declarations of structs in text. Private to the proto files
 * and to the registry of structs.
 */
#ifndef CADRE_RUNTIME_PROTO_STRUCT_H
#define CADRE_RUNTIME_PROTO_STRUCT_H

#include "proto_parser.h"

/* One struct that has been read, with all that its description points to but
 * for the structs that its fields are of. */
struct cadre_declared {
    struct cadre_declared *next;
    struct cadre_struct type;
    int depth; /* of structs in structs; 1 for one of numbers only */
    /* its fields and names stand behind it */
};

/* The struct called `name` in the text so far, else in the program; NULL. */
const struct cadre_struct *cadre_declared_find(const struct parser *p,
                                               struct token name);

/* Read the declarations in front of a prototype, which then starts at the
 * parser's token. */
cadre_err cadre_declarations_read(struct parser *p);

/* Set proto->declarations. CADRE_ENOMEM. */
cadre_err cadre_declarations_write(struct cadre_proto *proto,
                                   struct cadre_error *error);

/* Read the text `fields` ("double x, double y") as those of a struct called
 * `name`. `*declared` is given. CADRE_EPARSE: `error` names a column of
 * `fields`, or `name` is none. CADRE_ENOMEM. */
cadre_err cadre_declared_parse(const char *name, const char *fields,
                               struct cadre_declared **declared,
                               struct cadre_error *error);

/* The whole list; NULL is allowed. */
void cadre_declared_destroy(struct cadre_declared *list);

/* Have both the same fields? */
bool cadre_declared_equal(const struct cadre_struct *a,
                          const struct cadre_struct *b);

#endif
