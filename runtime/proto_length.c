/* proto_length.c - constant expressions, by precedence climbing.
 *
 * Values are int64_t and stay above INT64_MIN, so that a sign can be changed;
 * whatever leaves that range is an error.
 */
#include "proto_length.h"
#include "proto_specifiers.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { NESTING_MAX = 32 }; /* parentheses in a length */

static bool equals_suffix(const char *s, size_t len)
{
    static const char *const suffixes[] = {"",   "u",   "l",   "ul", "lu",
                                           "ll", "ull", "llu", NULL};

    for (int i = 0; suffixes[i] != NULL; i++) {
        if (strlen(suffixes[i]) == len && strncasecmp(s, suffixes[i], len) == 0)
            return true;
    }
    return false;
}

static int digit_value(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : 16;
}

/* An integer constant of C, at its token. */
static cadre_err read_number(struct parser *p, int64_t *value)
{
    const char *s = p->text + p->token.at;
    size_t len = p->token.len, i = 0;
    int base = 10;
    char shown[SHOWN_MAX];

    if (len > 2 && s[0] == '0' && strchr("xXbB", s[1]) != NULL) {
        base = tolower((unsigned char)s[1]) == 'x' ? 16 : 2;
        i = 2;
    } else if (s[0] == '0') {
        base = 8;
    }
    *value = 0;
    for (; i < len && digit_value(s[i]) < base; i++) {
        if (__builtin_mul_overflow(*value, base, value) ||
            __builtin_add_overflow(*value, digit_value(s[i]), value))
            return cadre_parser_fail(p, p->token.at,
                                     "the number '%s' is too large",
                                     cadre_parser_shown(p, p->token, shown));
    }
    if (!equals_suffix(s + i, len - i) || (base != 8 && base != 10 && i == 2))
        return cadre_parser_fail(p, p->token.at, "'%s' is not an integer",
                                 cadre_parser_shown(p, p->token, shown));
    cadre_parser_advance(p);
    return CADRE_OK;
}

static cadre_err read_sum(struct parser *p, struct length *n, int binding,
                          int depth);

/* A number, a name, or either in parentheses, with or without a sign. */
static cadre_err read_term(struct parser *p, struct length *n, int depth)
{
    size_t at = p->token.at;
    bool is_negative = cadre_parser_at_sign(p, "-");
    cadre_err err;

    if (depth > NESTING_MAX)
        return cadre_parser_fail(
            p, at, "parentheses or signs are nested more than %d deep",
            NESTING_MAX);
    if (is_negative || cadre_parser_at_sign(p, "+")) {
        cadre_parser_advance(p);
        if ((err = read_term(p, n, depth + 1)) != CADRE_OK)
            return err;
        if (n->name.kind == TOKEN_WORD)
            return cadre_parser_fail(
                p, at,
                "a length is a constant or one parameter, not "
                "a computation with one");
        if (is_negative) /* values are above INT64_MIN: see apply() */
            n->value = -n->value;
        return CADRE_OK;
    }
    if (cadre_parser_at_sign(p, "(")) {
        cadre_parser_advance(p);
        if ((err = read_sum(p, n, 0, depth + 1)) != CADRE_OK)
            return err;
        if (!cadre_parser_at_sign(p, ")"))
            return cadre_parser_fail_expected(p, "')'");
        cadre_parser_advance(p);
        return CADRE_OK;
    }
    memset(n, 0, sizeof *n);
    if (p->token.kind == TOKEN_NUMBER)
        return read_number(p, &n->value);
    if (p->token.kind != TOKEN_WORD || cadre_parser_at_keyword(p))
        return cadre_parser_fail_expected(
            p, "a number or the name of an integer parameter");
    n->name = p->token;
    cadre_parser_advance(p);
    return CADRE_OK;
}

/* How tightly the operator at the token binds; 0 if it is none. */
static int binding_here(const struct parser *p)
{
    return cadre_parser_at_sign(p, "*") || cadre_parser_at_sign(p, "/")   ? 3
           : cadre_parser_at_sign(p, "+") || cadre_parser_at_sign(p, "-") ? 2
           : cadre_parser_at_sign(p, "<<")                                ? 1
                                                                          : 0;
}

/* `*a` = `*a` `sign` `b`; false if C could not say what that is. */
static bool apply(char sign, int64_t *a, int64_t b)
{
    bool overflows = false;

    switch (sign) {
    case '+':
        overflows = __builtin_add_overflow(*a, b, a);
        break;
    case '-':
        overflows = __builtin_sub_overflow(*a, b, a);
        break;
    case '*':
        overflows = __builtin_mul_overflow(*a, b, a);
        break;
    case '/':
        if (b == 0)
            return false;
        *a /= b; /* INT64_MIN / -1 cannot be: see below */
        break;
    case '<':
        if (b < 0 || b > 62)
            return false;
        overflows = __builtin_mul_overflow(*a, INT64_C(1) << b, a);
        break;
    }
    return !overflows && *a > INT64_MIN;
}

/* Terms joined by operators that bind more tightly than `binding`. */
static cadre_err read_sum(struct parser *p, struct length *n, int binding,
                          int depth)
{
    cadre_err err;

    if ((err = read_term(p, n, depth)) != CADRE_OK)
        return err;
    while (binding_here(p) > binding) {
        struct token sign = p->token;
        int tighter = binding_here(p);
        struct length right;

        cadre_parser_advance(p);
        if ((err = read_sum(p, &right, tighter, depth + 1)) != CADRE_OK)
            return err;
        if (n->name.kind == TOKEN_WORD || right.name.kind == TOKEN_WORD)
            return cadre_parser_fail(p, sign.at,
                                     "a length is a constant or one parameter, "
                                     "not a computation with one");
        if (!apply(p->text[sign.at], &n->value, right.value))
            return cadre_parser_fail(p, sign.at,
                                     "the length cannot be computed: a number "
                                     "too large, or a division by zero");
    }
    return CADRE_OK;
}

cadre_err cadre_length_read(struct parser *p, struct length *length)
{
    return read_sum(p, length, 0, 0);
}
