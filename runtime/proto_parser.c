/* proto_parser.c - cuts a prototype into tokens and words its errors. */
#include "proto_parser.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ASCII in every locale. */
static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '$';
}

size_t cadre_token_skip_space(const char *text, size_t at)
{
    const char *end;

    for (;;) {
        while (isspace((unsigned char)text[at]))
            at++;
        if (strncmp(text + at, "//", 2) == 0) {
            at += strcspn(text + at, "\n");
        } else if (strncmp(text + at, "/*", 2) == 0 &&
                   (end = strstr(text + at + 2, "*/")) != NULL) {
            at = (size_t)(end + 2 - text);
        } else {
            return at;
        }
    }
}

struct token cadre_token_next(const char *text, size_t from)
{
    struct token t = {.at = cadre_token_skip_space(text, from), .len = 1};
    const char *s = text + t.at;

    if (*s == '\0') {
        t.kind = TOKEN_END;
        t.len = 0;
    } else if (is_word_char(*s)) {
        t.kind = isdigit((unsigned char)*s) ? TOKEN_NUMBER : TOKEN_WORD;
        while (is_word_char(s[t.len]) ||
               (t.kind == TOKEN_NUMBER && s[t.len] == '.'))
            t.len++;
    } else if (strncmp(s, "...", 3) == 0) {
        t.kind = TOKEN_SIGN;
        t.len = 3;
    } else if (strncmp(s, "<<", 2) == 0) {
        t.kind = TOKEN_SIGN;
        t.len = 2;
    } else if (strncmp(s, "/*", 2) != 0 && ispunct((unsigned char)*s)) {
        t.kind = TOKEN_SIGN;
    } else {
        t.kind =
            TOKEN_BAD; /* a control or foreign character, an open comment */
    }
    return t;
}

bool cadre_token_is(const char *text, struct token t, const char *what)
{
    return strlen(what) == t.len && memcmp(text + t.at, what, t.len) == 0;
}

void cadre_parser_advance(struct parser *p)
{
    p->token = cadre_token_next(p->text, p->token.at + p->token.len);
}

bool cadre_parser_at_sign(const struct parser *p, const char *sign)
{
    return p->token.kind == TOKEN_SIGN &&
           cadre_token_is(p->text, p->token, sign);
}

cadre_err cadre_parser_fail(const struct parser *p, size_t at,
                            const char *format, ...)
{
    char text[CADRE_ERROR_TEXT_MAX];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return cadre_error_set(p->error, CADRE_EPARSE, "column %zu: %s", at + 1,
                           text);
}

const char *cadre_parser_quote(const char *text, size_t from, size_t to,
                               char *shown, size_t size)
{
    size_t n = 0;

    for (; from < to && n + 4 < size; from++) {
        unsigned char c = (unsigned char)text[from];

        if (!isspace(c))
            shown[n++] = isprint(c) ? (char)c : '?';
        else if (n > 0 && shown[n - 1] != ' ')
            shown[n++] = ' ';
    }
    while (n > 0 && shown[n - 1] == ' ')
        n--;
    snprintf(shown + n, size - n, "%s", from < to ? "..." : "");
    return shown;
}

const char *cadre_parser_declared(const struct parser *p, char shown[SHOWN_MAX])
{
    return cadre_parser_quote(p->text, p->start, p->token.at, shown, SHOWN_MAX);
}

const char *cadre_parser_shown(const struct parser *p, struct token t,
                               char shown[SHOWN_MAX])
{
    return cadre_parser_quote(p->text, t.at, t.at + t.len, shown, SHOWN_MAX);
}

cadre_err cadre_parser_fail_expected(const struct parser *p, const char *what)
{
    char shown[SHOWN_MAX];

    if (p->token.kind == TOKEN_END)
        return cadre_parser_fail(p, p->token.at,
                                 "expected %s, but the text ends here", what);
    return cadre_parser_fail(p, p->token.at, "expected %s, not '%s'", what,
                             cadre_parser_shown(p, p->token, shown));
}
