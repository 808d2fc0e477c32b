/* proto_parser.h - the parser's place in a prototype's text: tokens, and errors
 * that name a column. Private to the proto files.
 */
#ifndef CADRE_RUNTIME_PROTO_PARSER_H
#define CADRE_RUNTIME_PROTO_PARSER_H

#include "proto.h"

enum { SHOWN_MAX = 64 }; /* bytes of the author's text quoted in an error */

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NUMBER,
    TOKEN_SIGN, /* one character, or "..." or "<<" */
    TOKEN_BAD   /* nothing that a prototype contains */
};

struct token {
    enum token_kind kind;
    size_t at; /* offset in the text */
    size_t len;
};

struct parser {
    struct cadre_error *error;
    struct cadre_proto *proto; /* half-built; NULL for a struct alone */
    const char *text;          /* proto's copy */
    char *names;               /* the copy in which names are ended */
    struct token token;        /* the one to look at next */
    size_t start;              /* offset of the declaration under way */
    const char *within; /* name of the struct being read, `within_len` bytes;
                           else NULL */
    size_t within_len;
};

/* The offset of the first byte from `at` on that is neither white space nor
 * part of a comment. */
size_t cadre_token_skip_space(const char *text, size_t at);

/* The token that starts there. */
struct token cadre_token_next(const char *text, size_t from);
bool cadre_token_is(const char *text, struct token t, const char *what);

void cadre_parser_advance(struct parser *p);
bool cadre_parser_at_sign(const struct parser *p, const char *sign);

/* CADRE_EPARSE, with a text about offset `at`. */
cadre_err cadre_parser_fail(const struct parser *p, size_t at,
                            const char *format, ...) CADRE_PRINTF(3, 4);

/* "expected `what`, not ...", about the token to look at next. */
cadre_err cadre_parser_fail_expected(const struct parser *p, const char *what);

/* Write text[from..to) into `shown` as one line that fits, white space and
 * foreign characters made harmless; returns `shown`. */
const char *cadre_parser_quote(const char *text, size_t from, size_t to,
                               char *shown, size_t size);

/* The same for the declaration under way, as far as it has been read, and for
 * one token. */
const char *cadre_parser_declared(const struct parser *p,
                                  char shown[SHOWN_MAX]);
const char *cadre_parser_shown(const struct parser *p, struct token t,
                               char shown[SHOWN_MAX]);

#endif
