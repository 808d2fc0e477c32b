/* proto_specifiers.h - the words in front of a declaration: `const unsigned
 * long` and the like. Private to the proto files.
 */
#ifndef CADRE_RUNTIME_PROTO_SPECIFIERS_H
#define CADRE_RUNTIME_PROTO_SPECIFIERS_H

#include "proto_parser.h"

/* What the specifiers of a declaration say. */
enum base {
    BASE_NONE,
    BASE_WORDS,  /* words like `unsigned long`: `set` */
    BASE_VALUE,  /* a number: `type` */
    BASE_CHAR,   /* a number: a plain `char` */
    BASE_VOID,   /* nothing, or behind a pointer anything */
    BASE_COMM,   /* MPI_Comm */
    BASE_STORE,  /* cadre_store */
    BASE_TASK,   /* cadre_task */
    BASE_STRUCT, /* another struct */
    BASE_UNION,  /* a union */
    BASE_UNKNOWN /* a typedef we know nothing of */
};

struct specifiers {
    enum base base;
    unsigned set;
    cadre_type type;
    const struct cadre_struct *of; /* STRUCT, UNKNOWN: if it is declared */
    struct token word;             /* that named the type */
    bool is_const;
    bool is_out;
};

/* Read all words up to the '*', the name or the sign after them. */
cadre_err cadre_specifiers_read(struct parser *p, struct specifiers *s);

bool cadre_specifiers_is_number(const struct specifiers *s);

/* A number, or a struct that is declared. */
bool cadre_specifiers_is_value(const struct specifiers *s);

/* What these specifiers are the type of cannot be sent by value: a struct that
 * is not declared, a union, an unknown word. */
cadre_err cadre_specifiers_fail_value(const struct parser *p,
                                      const struct specifiers *s);

/* "unknown type ...", and which known one looks like it. */
cadre_err cadre_specifiers_fail_unknown(const struct parser *p,
                                        struct token word);

/* Is the token a word of the language, which cannot be a name? */
bool cadre_parser_at_keyword(const struct parser *p);

/* Is it a word that may stand behind a '*' or a '['? */
bool cadre_parser_at_qualifier(const struct parser *p);

/* Step over `__attribute__((...))`, any number of times. */
cadre_err cadre_parser_skip_attributes(struct parser *p);

#endif
