/* proto_specifiers.c - which words of C make which type.
 *
 * The words of C's own types are collected as a set and looked up at the end,
 * so that they may come in any order. Other words name a type alone.
 */
#include "proto_specifiers.h"

#include "proto_struct.h"

#include <string.h>
#include <sys/types.h>
#include <wchar.h>

/* Words that a type is made of; a set of them is one type. */
enum {
    VOID = 1 << 0,
    BOOL = 1 << 1,
    CHAR = 1 << 2,
    SHORT = 1 << 3,
    INT = 1 << 4,
    LONG = 1 << 5,
    LONG_LONG = 1 << 6, /* the second `long` */
    FLOAT = 1 << 7,
    DOUBLE = 1 << 8,
    SIGNED = 1 << 9,
    UNSIGNED = 1 << 10,
    COMPLEX = 1 << 11
};

/* Words that are no part of the type. */
enum word_role {
    ROLE_TYPE,      /* one of the above */
    ROLE_CONST,     /* const */
    ROLE_NOTHING,   /* says nothing about how to call */
    ROLE_OUT,       /* CADRE_OUT */
    ROLE_STRUCT,    /* struct: a tag follows */
    ROLE_UNION,     /* the same for a union */
    ROLE_ENUM,      /* the same for an integer */
    ROLE_ATTRIBUTE, /* __attribute__: parentheses follow, skipped */
};

struct keyword {
    const char *word;
    enum word_role role;
    unsigned bit;
};

static const struct keyword keywords[] = {
    {"void", ROLE_TYPE, VOID},
    {"bool", ROLE_TYPE, BOOL},
    {"_Bool", ROLE_TYPE, BOOL},
    {"char", ROLE_TYPE, CHAR},
    {"short", ROLE_TYPE, SHORT},
    {"int", ROLE_TYPE, INT},
    {"long", ROLE_TYPE, LONG},
    {"float", ROLE_TYPE, FLOAT},
    {"double", ROLE_TYPE, DOUBLE},
    {"signed", ROLE_TYPE, SIGNED},
    {"__signed__", ROLE_TYPE, SIGNED},
    {"unsigned", ROLE_TYPE, UNSIGNED},
    {"complex", ROLE_TYPE, COMPLEX},
    {"_Complex", ROLE_TYPE, COMPLEX},
    {"__complex__", ROLE_TYPE, COMPLEX},
    {"const", ROLE_CONST, 0},
    {"__const", ROLE_CONST, 0},
    {"volatile", ROLE_NOTHING, 0},
    {"__volatile__", ROLE_NOTHING, 0},
    {"restrict", ROLE_NOTHING, 0},
    {"__restrict", ROLE_NOTHING, 0},
    {"__restrict__", ROLE_NOTHING, 0},
    {"static", ROLE_NOTHING, 0},
    {"extern", ROLE_NOTHING, 0},
    {"register", ROLE_NOTHING, 0},
    {"inline", ROLE_NOTHING, 0},
    {"__inline", ROLE_NOTHING, 0},
    {"__inline__", ROLE_NOTHING, 0},
    {"_Noreturn", ROLE_NOTHING, 0},
    {"__extension__", ROLE_NOTHING, 0},
    {"CADRE_OUT", ROLE_OUT, 0},
    {"struct", ROLE_STRUCT, 0},
    {"union", ROLE_UNION, 0},
    {"enum", ROLE_ENUM, 0},
    {"__attribute__", ROLE_ATTRIBUTE, 0},
    {NULL, ROLE_NOTHING, 0},
};

/* The cadre_type of the integer type `T` on this machine. */
#define INTEGER(T)                                                             \
    ((T)-1 < (T)1 ? (sizeof(T) == 1   ? CADRE_INT8                             \
                     : sizeof(T) == 2 ? CADRE_INT16                            \
                     : sizeof(T) == 4 ? CADRE_INT32                            \
                                      : CADRE_INT64)                           \
                  : (sizeof(T) == 1   ? CADRE_UINT8                            \
                     : sizeof(T) == 2 ? CADRE_UINT16                           \
                     : sizeof(T) == 4 ? CADRE_UINT32                           \
                                      : CADRE_UINT64))

/* Signed integers may be written with and without `signed` and `int`. */
#define SIGNED_SETS(set, T)                                                    \
    {(set), INTEGER(T)}, {(set) | SIGNED, INTEGER(T)},                         \
        {(set) | INT, INTEGER(T)},                                             \
    {                                                                          \
        (set) | SIGNED | INT, INTEGER(T)                                       \
    }
#define UNSIGNED_SETS(set, T)                                                  \
    {(set) | UNSIGNED, INTEGER(T)},                                            \
    {                                                                          \
        (set) | UNSIGNED | INT, INTEGER(T)                                     \
    }

static const struct {
    unsigned set;
    cadre_type type;
} type_sets[] = {
    {VOID, CADRE_VOID},
    {BOOL, CADRE_BOOL},
    {CHAR, INTEGER(char)},
    {CHAR | SIGNED, INTEGER(signed char)},
    {CHAR | UNSIGNED, INTEGER(unsigned char)},
    SIGNED_SETS(SHORT, short),
    UNSIGNED_SETS(SHORT, unsigned short),
    {INT, INTEGER(int)},
    {SIGNED, INTEGER(int)},
    {SIGNED | INT, INTEGER(int)},
    UNSIGNED_SETS(0, unsigned),
    SIGNED_SETS(LONG, long),
    UNSIGNED_SETS(LONG, unsigned long),
    SIGNED_SETS(LONG | LONG_LONG, long long),
    UNSIGNED_SETS(LONG | LONG_LONG, unsigned long long),
    {FLOAT, CADRE_FLOAT},
    {DOUBLE, CADRE_DOUBLE},
    {LONG | DOUBLE, CADRE_LONG_DOUBLE},
    {FLOAT | COMPLEX, CADRE_FLOAT_COMPLEX},
    {DOUBLE | COMPLEX, CADRE_DOUBLE_COMPLEX},
    {LONG | DOUBLE | COMPLEX, CADRE_LONG_DOUBLE_COMPLEX},
    {0, CADRE_VOID},
};

/* Names of the standard library for integers. */
static const struct {
    const char *name;
    cadre_type type;
} typedefs[] = {
    {"int8_t", CADRE_INT8},
    {"int16_t", CADRE_INT16},
    {"int32_t", CADRE_INT32},
    {"int64_t", CADRE_INT64},
    {"uint8_t", CADRE_UINT8},
    {"uint16_t", CADRE_UINT16},
    {"uint32_t", CADRE_UINT32},
    {"uint64_t", CADRE_UINT64},
    {"size_t", INTEGER(size_t)},
    {"ssize_t", INTEGER(ssize_t)},
    {"ptrdiff_t", INTEGER(ptrdiff_t)},
    {"intptr_t", INTEGER(intptr_t)},
    {"uintptr_t", INTEGER(uintptr_t)},
    {"intmax_t", INTEGER(intmax_t)},
    {"uintmax_t", INTEGER(uintmax_t)},
    {"int_fast8_t", INTEGER(int_fast8_t)},
    {"int_fast16_t", INTEGER(int_fast16_t)},
    {"int_fast32_t", INTEGER(int_fast32_t)},
    {"int_fast64_t", INTEGER(int_fast64_t)},
    {"uint_fast8_t", INTEGER(uint_fast8_t)},
    {"uint_fast16_t", INTEGER(uint_fast16_t)},
    {"uint_fast32_t", INTEGER(uint_fast32_t)},
    {"uint_fast64_t", INTEGER(uint_fast64_t)},
    {"int_least8_t", INTEGER(int_least8_t)},
    {"int_least16_t", INTEGER(int_least16_t)},
    {"int_least32_t", INTEGER(int_least32_t)},
    {"int_least64_t", INTEGER(int_least64_t)},
    {"uint_least8_t", INTEGER(uint_least8_t)},
    {"uint_least16_t", INTEGER(uint_least16_t)},
    {"uint_least32_t", INTEGER(uint_least32_t)},
    {"uint_least64_t", INTEGER(uint_least64_t)},
    {"wchar_t", INTEGER(wchar_t)},
    {"off_t", INTEGER(off_t)},
    {NULL, CADRE_VOID},
};

bool cadre_specifiers_is_number(const struct specifiers *s)
{
    return s->base == BASE_VALUE || s->base == BASE_CHAR;
}

bool cadre_specifiers_is_value(const struct specifiers *s)
{
    return cadre_specifiers_is_number(s) || s->of != NULL;
}

static const struct keyword *find_keyword(const char *text, struct token t)
{
    const struct keyword *k = keywords;

    if (t.kind != TOKEN_WORD)
        return NULL;
    while (k->word != NULL && !cadre_token_is(text, t, k->word))
        k++;
    return k->word != NULL ? k : NULL;
}

bool cadre_parser_at_keyword(const struct parser *p)
{
    return find_keyword(p->text, p->token) != NULL;
}

bool cadre_parser_at_qualifier(const struct parser *p)
{
    const struct keyword *k = find_keyword(p->text, p->token);

    return k != NULL && (k->role == ROLE_CONST || k->role == ROLE_NOTHING);
}

/* Steps from `a` to `b`: characters put in, left out, changed or, next to each
 * other, swapped; LONG_WORD if they are too long to be looked at. */
static int distance(const char *a, size_t alen, const char *b)
{
    enum { LONG_WORD = 24 };
    int d[LONG_WORD + 1][LONG_WORD + 1];
    size_t blen = strlen(b);

    if (alen > LONG_WORD || blen > LONG_WORD)
        return LONG_WORD;
    for (size_t i = 0; i <= alen; i++) {
        for (size_t j = 0; j <= blen; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (int)(i + j);
                continue;
            }
            d[i][j] = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < d[i][j])
                d[i][j] = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < d[i][j])
                d[i][j] = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    }
    return d[alen][blen];
}

/* The known type written most like `word`, or NULL. */
static const char *nearest_type(const char *word, size_t len)
{
    const char *best = NULL;
    int bound = len > 4 ? 2 : 1, d; /* more differences are another word */

    for (int i = 0; typedefs[i].name != NULL; i++) {
        if ((d = distance(word, len, typedefs[i].name)) <= bound) {
            best = typedefs[i].name;
            bound = d - 1;
        }
    }
    for (int i = 0; keywords[i].role == ROLE_TYPE; i++) {
        if ((d = distance(word, len, keywords[i].word)) <= bound) {
            best = keywords[i].word;
            bound = d - 1;
        }
    }
    return best != NULL || distance(word, len, "MPI_Comm") > bound ? best
                                                                   : "MPI_Comm";
}

cadre_err cadre_specifiers_fail_unknown(const struct parser *p,
                                        struct token word)
{
    const char *near = nearest_type(p->text + word.at, word.len);
    char shown[SHOWN_MAX];

    cadre_parser_shown(p, word, shown);
    if (near != NULL)
        return cadre_parser_fail(p, word.at, "unknown type '%s': is it '%s'?",
                                 shown, near);
    return cadre_parser_fail(
        p, word.at,
        "unknown type '%s': known are C's own types, bool, size_t, "
        "ssize_t, ptrdiff_t, int8_t to uint64_t and the like, and "
        "MPI_Comm",
        shown);
}

/* A struct whose fields nobody knows. */
static cadre_err fail_undeclared(const struct parser *p, struct token tag)
{
    char shown[SHOWN_MAX];

    cadre_parser_shown(p, tag, shown);
    if (p->within != NULL && p->within_len == tag.len &&
        memcmp(p->within, p->text + tag.at, tag.len) == 0)
        return cadre_parser_fail(p, tag.at,
                                 "'struct %s' is incomplete here: a struct "
                                 "cannot contain itself",
                                 shown);
    return cadre_parser_fail(
        p, tag.at,
        "'struct %s' is not declared: write 'struct %s { double x, y; };' in "
        "front, or declare it once with cadre_struct(\"%s\", \"double x, "
        "double y\")",
        shown, shown, shown);
}

cadre_err cadre_specifiers_fail_value(const struct parser *p,
                                      const struct specifiers *s)
{
    char shown[SHOWN_MAX];

    if (s->base == BASE_UNION)
        return cadre_parser_fail(p, p->start,
                                 "'%s' is a union, which cannot be sent: pass "
                                 "the member that is meant",
                                 cadre_parser_declared(p, shown));
    if (s->base == BASE_STRUCT)
        return fail_undeclared(p, s->word);
    return cadre_specifiers_fail_unknown(p, s->word);
}

static cadre_err add_type_word(struct parser *p, const struct keyword *k,
                               struct specifiers *s)
{
    unsigned bit = k->bit;
    char shown[SHOWN_MAX];

    if (bit == LONG && (s->set & LONG) != 0)
        bit = LONG_LONG;
    if ((s->base != BASE_NONE && s->base != BASE_WORDS) || (s->set & bit) != 0)
        return cadre_parser_fail(p, p->token.at,
                                 "'%s' does not go with the type before it",
                                 cadre_parser_shown(p, p->token, shown));
    if (s->base == BASE_NONE)
        s->word = p->token;
    s->base = BASE_WORDS;
    s->set |= bit;
    cadre_parser_advance(p);
    return CADRE_OK;
}

static enum base base_of_name(const struct parser *p, struct token name)
{
    if (cadre_token_is(p->text, name, "cadre_store"))
        return BASE_STORE;
    if (cadre_token_is(p->text, name, "cadre_task"))
        return BASE_TASK;
    return BASE_UNKNOWN;
}

/* `struct NAME`, `union NAME` and `enum NAME`, at the first word. */
static cadre_err add_tag(struct parser *p, enum word_role role,
                         struct specifiers *s)
{
    char shown[SHOWN_MAX];

    if (s->base != BASE_NONE)
        return cadre_parser_fail(p, p->token.at,
                                 "'%s' does not go with the type before it",
                                 cadre_parser_shown(p, p->token, shown));
    cadre_parser_advance(p);
    if (p->token.kind != TOKEN_WORD || cadre_parser_at_keyword(p))
        return cadre_parser_fail_expected(
            p, "the name of the struct, union or enum");
    s->word = p->token;
    if (role == ROLE_ENUM) {
        s->base = BASE_VALUE;
        s->type = INTEGER(int);
    } else if (role == ROLE_UNION) {
        s->base = BASE_UNION;
    } else if ((s->base = base_of_name(p, p->token)) == BASE_UNKNOWN) {
        s->base = BASE_STRUCT;
    }
    cadre_parser_advance(p);
    return CADRE_OK;
}

/* A name that stands where a type has to be. */
static void add_typedef(struct parser *p, struct specifiers *s)
{
    s->word = p->token;
    s->base = cadre_token_is(p->text, p->token, "MPI_Comm")
                  ? BASE_COMM
                  : base_of_name(p, p->token);
    for (int i = 0; typedefs[i].name != NULL; i++) {
        if (cadre_token_is(p->text, p->token, typedefs[i].name)) {
            s->base = BASE_VALUE;
            s->type = typedefs[i].type;
        }
    }
    cadre_parser_advance(p);
}

/* `__attribute__((...))`, at its first word. */
static cadre_err skip_attribute(struct parser *p)
{
    size_t depth = 0;

    if (p->within != NULL)
        return cadre_parser_fail(p, p->token.at,
                                 "an attribute may change how a struct lies in "
                                 "memory: one that is sent has none");
    cadre_parser_advance(p);
    if (!cadre_parser_at_sign(p, "("))
        return cadre_parser_fail_expected(p, "'(' after __attribute__");
    do {
        if (p->token.kind == TOKEN_END)
            return cadre_parser_fail_expected(
                p, "')' at the end of __attribute__");
        if (cadre_parser_at_sign(p, "("))
            depth++;
        else if (cadre_parser_at_sign(p, ")"))
            depth--;
        cadre_parser_advance(p);
    } while (depth > 0);
    return CADRE_OK;
}

cadre_err cadre_parser_skip_attributes(struct parser *p)
{
    const struct keyword *k;
    cadre_err err;

    while ((k = find_keyword(p->text, p->token)) != NULL &&
           k->role == ROLE_ATTRIBUTE) {
        if ((err = skip_attribute(p)) != CADRE_OK)
            return err;
    }
    return CADRE_OK;
}

/* One word of the specifiers; `*done` where it is not one of them. */
static cadre_err add_word(struct parser *p, struct specifiers *s, bool *done)
{
    const struct keyword *k = find_keyword(p->text, p->token);

    if (p->token.kind != TOKEN_WORD || (k == NULL && s->base != BASE_NONE)) {
        *done = true;
        return CADRE_OK;
    }
    if (k == NULL) {
        add_typedef(p, s);
        return CADRE_OK;
    }
    switch (k->role) {
    case ROLE_TYPE:
        return add_type_word(p, k, s);
    case ROLE_STRUCT:
    case ROLE_UNION:
    case ROLE_ENUM:
        return add_tag(p, k->role, s);
    case ROLE_ATTRIBUTE:
        return skip_attribute(p);
    case ROLE_CONST:
        s->is_const = true;
        break;
    case ROLE_OUT:
        s->is_out = true;
        break;
    case ROLE_NOTHING:
        break;
    }
    cadre_parser_advance(p);
    return CADRE_OK;
}

/* The type that the words in `s->set` make together. */
static cadre_err combine(const struct parser *p, struct specifiers *s)
{
    char shown[SHOWN_MAX];

    for (int i = 0; type_sets[i].set != 0; i++) {
        if (type_sets[i].set == s->set) {
            s->type = type_sets[i].type;
            s->base = s->set == CHAR   ? BASE_CHAR
                      : s->set == VOID ? BASE_VOID
                                       : BASE_VALUE;
            return CADRE_OK;
        }
    }
    if (s->set == COMPLEX)
        return cadre_parser_fail(p, s->word.at,
                                 "complex of which type? write 'double "
                                 "complex'");
    return cadre_parser_fail(p, s->word.at, "'%s' is not a type of C",
                             cadre_parser_declared(p, shown));
}

cadre_err cadre_specifiers_read(struct parser *p, struct specifiers *s)
{
    cadre_err err = CADRE_OK;
    bool done = false;

    memset(s, 0, sizeof *s);
    p->start = p->token.at;
    while (err == CADRE_OK && !done)
        err = add_word(p, s, &done);
    if (err == CADRE_OK && s->base == BASE_NONE)
        err = cadre_parser_fail_expected(p, "a type");
    if (err == CADRE_OK && s->base == BASE_WORDS)
        err = combine(p, s);
    if (err == CADRE_OK &&
        (s->base == BASE_STRUCT || s->base == BASE_UNKNOWN)) {
        s->of = cadre_declared_find(p, s->word);
        s->type = s->of != NULL ? CADRE_AGGREGATE : CADRE_VOID;
    }
    return err;
}
