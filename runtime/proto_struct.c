/* proto_struct.c - reads declarations of structs, and writes them.
 *
 *     declaration = 'struct' name '{' fields '}' ';'
 *                 | 'typedef' 'struct' [name] '{' fields '}' name ';'
 *                 | 'struct' name ';'
 *     fields      = field {(';' | ',') field} [';']
 *     field       = specifiers name {'[' constant ']'}
 *                   {',' name {'[' constant ']'}}
 *
 * so that both the text between a struct's braces and a list like that of a
 * function's parameters will do. After a comma a word is one more name if it
 * is followed by what ends a field, else a type.
 *
 * A field is laid out as C does: at the next multiple of its alignment. What
 * would change that (bit-fields, attributes) is refused.
 */
#include "proto_struct.h"

#include "proto_length.h"
#include "proto_specifiers.h"
#include "structs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 }; /* structs in structs */

static const char prefix[] = "struct "; /* of every name */

static const struct cadre_declared *declared_of(const struct cadre_struct *type)
{
    return (
        const struct cadre_declared *)((const char *)type -
                                       offsetof(struct cadre_declared, type));
}

static bool is_called(const struct cadre_struct *type, const char *name,
                      size_t len)
{
    const char *tag = type->name + strlen(prefix);

    return strlen(tag) == len && memcmp(tag, name, len) == 0;
}

static const struct cadre_struct *find_in_text(const struct parser *p,
                                               const char *name, size_t len)
{
    const struct cadre_declared *d =
        p->proto != NULL ? p->proto->declared : NULL;

    for (; d != NULL; d = d->next) {
        if (is_called(&d->type, name, len))
            return &d->type;
    }
    return NULL;
}

const struct cadre_struct *cadre_declared_find(const struct parser *p,
                                               struct token name)
{
    const struct cadre_struct *found =
        find_in_text(p, p->text + name.at, name.len);

    return found != NULL ? found
                         : cadre_struct_find(p->text + name.at, name.len);
}

void cadre_declared_destroy(struct cadre_declared *list)
{
    struct cadre_declared *next;

    for (; list != NULL; list = next) {
        next = list->next;
        free(list);
    }
}

/* There is one declaration for each name, so the fields' own structs are the
 * same or they are not. */
bool cadre_declared_equal(const struct cadre_struct *a,
                          const struct cadre_struct *b)
{
    if (strcmp(a->name, b->name) != 0 || a->nfields != b->nfields ||
        a->size != b->size)
        return false;
    for (size_t i = 0; i < a->nfields; i++) {
        const struct cadre_field *f = &a->fields[i], *g = &b->fields[i];

        if (strcmp(f->name, g->name) != 0 || f->type != g->type ||
            f->is_array != g->is_array || f->count != g->count ||
            f->of != g->of)
            return false;
    }
    return true;
}

/* --- fields --------------------------------------------------------------- */

/* A struct being read. */
struct builder {
    struct cadre_declared *declared;
    struct cadre_field *fields; /* behind it */
    char *names;                /* room behind the fields, not used yet */
};

/* Not fewer than the fields from the token to the end of the struct or of the
 * text, which is `*len` bytes away. */
static size_t count_fields(const struct parser *p, size_t *len)
{
    struct token t = p->token;
    size_t n = 1;

    while (t.kind != TOKEN_END && !cadre_token_is(p->text, t, "}")) {
        n += cadre_token_is(p->text, t, ",") || cadre_token_is(p->text, t, ";");
        t = cadre_token_next(p->text, t.at + t.len);
    }
    *len = t.at - p->token.at;
    return n;
}

static char *keep(struct builder *b, const char *name, size_t len)
{
    char *kept = b->names;

    memcpy(kept, name, len);
    kept[len] = '\0';
    b->names += len + 1;
    return kept;
}

/* Room for the struct called `name` whose fields start at the token. */
static cadre_err begin(struct parser *p, const char *name, size_t name_len,
                       struct builder *b)
{
    size_t len, nfields = count_fields(p, &len);

    /* A name and its zero byte are no longer than the name and the sign behind
     * it; the last one has the byte of the end. */
    b->declared = calloc(1, sizeof *b->declared + nfields * sizeof *b->fields +
                                sizeof prefix + name_len + len + 1);
    if (b->declared == NULL)
        return cadre_error_set(p->error, CADRE_ENOMEM,
                               "no memory for the declaration of a struct");
    b->fields = (struct cadre_field *)(void *)(b->declared + 1);
    b->names = (char *)(b->fields + nfields);
    b->declared->type.name = b->names;
    b->declared->type.fields = b->fields;
    b->declared->type.align = 1;
    b->declared->depth = 1;
    memcpy(b->names, prefix, strlen(prefix));
    b->names += strlen(prefix);
    keep(b, name, name_len);
    p->within = name;
    p->within_len = name_len;
    return CADRE_OK;
}

/* `[constant]`, at the bracket. */
static cadre_err read_dim(struct parser *p, struct cadre_field *field)
{
    size_t at = p->token.at;
    struct length n;
    cadre_err err;

    cadre_parser_advance(p);
    if (cadre_parser_at_sign(p, "]"))
        return cadre_parser_fail(p, at,
                                 "a field without a length (a flexible array) "
                                 "cannot be sent: write a number between the "
                                 "brackets");
    if ((err = cadre_length_read(p, &n)) != CADRE_OK)
        return err;
    if (n.name.kind == TOKEN_WORD)
        return cadre_parser_fail(p, n.name.at,
                                 "the length of a field has to be a constant");
    if (!cadre_parser_at_sign(p, "]"))
        return cadre_parser_fail_expected(p, "']'");
    if (n.value <= 0)
        return cadre_parser_fail(p, at,
                                 "the length is %lld: it has to be 1 or more",
                                 (long long)n.value);
    cadre_parser_advance(p);
    field->is_array = true;
    if (__builtin_mul_overflow(field->count, (uint64_t)n.value, &field->count))
        field->count = UINT64_MAX; /* too large, as place() finds */
    return CADRE_OK;
}

/* Put `field` behind those before it. */
static cadre_err place(const struct parser *p, struct builder *b,
                       struct cadre_field *field)
{
    struct cadre_struct *type = &b->declared->type;
    bool is_struct = field->of != NULL;
    size_t size = is_struct ? field->of->size : cadre_type_size(field->type);
    size_t align = is_struct ? field->of->align : cadre_type_align(field->type);
    size_t bytes, end;
    int depth = is_struct ? declared_of(field->of)->depth + 1 : 1;

    field->offset = type->size + -type->size % align;
    if (__builtin_mul_overflow(size, field->count, &bytes) ||
        __builtin_add_overflow(field->offset, bytes, &end) ||
        end > PTRDIFF_MAX / 2)
        return cadre_parser_fail(p, p->start,
                                 "the struct is larger than any memory");
    if (depth > DEPTH_MAX)
        return cadre_parser_fail(
            p, p->start, "structs are nested more than %d deep", DEPTH_MAX);
    if (depth > b->declared->depth)
        b->declared->depth = depth;
    type->size = end;
    if (type->align < align)
        type->align = align;
    type->nfields++;
    return CADRE_OK;
}

static bool has_field(const struct cadre_struct *type, const char *name)
{
    for (size_t i = 0; i < type->nfields; i++) {
        if (strcmp(type->fields[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Can there be fields of this type at all? */
static cadre_err check_type(const struct parser *p, const struct specifiers *s)
{
    char shown[SHOWN_MAX];

    if (s->is_out)
        return cadre_parser_fail(p, p->start,
                                 "CADRE_OUT goes with an array parameter, not "
                                 "with a field");
    if (cadre_parser_at_sign(p, "{"))
        return cadre_parser_fail(p, p->token.at,
                                 "a struct within a struct is declared on its "
                                 "own, in front of the other");
    if (cadre_parser_at_sign(p, "*") || cadre_parser_at_sign(p, "("))
        return cadre_parser_fail(p, p->start,
                                 "'%s *' is a pointer, which has no meaning in "
                                 "another process: make what it points to a "
                                 "parameter of its own",
                                 cadre_parser_declared(p, shown));
    if (s->base == BASE_VOID || s->base == BASE_COMM || s->base == BASE_STORE ||
        s->base == BASE_TASK)
        return cadre_parser_fail(p, p->start, "'%s' cannot be a field",
                                 cadre_parser_declared(p, shown));
    if (!cadre_specifiers_is_value(s))
        return cadre_specifiers_fail_value(p, s);
    return CADRE_OK;
}

/* One name with its lengths. */
static cadre_err read_field(struct parser *p, struct builder *b,
                            const struct specifiers *s)
{
    struct cadre_struct *type = &b->declared->type;
    struct cadre_field *field = &b->fields[type->nfields];
    struct token name = p->token;
    cadre_err err;

    if ((err = check_type(p, s)) != CADRE_OK)
        return err;
    if (cadre_parser_at_sign(p, ":"))
        return cadre_parser_fail(p, p->token.at, "a bit-field cannot be sent");
    if (name.kind != TOKEN_WORD || cadre_parser_at_keyword(p))
        return cadre_parser_fail_expected(p, "the name of a field");
    *field = (struct cadre_field){.name = keep(b, p->text + name.at, name.len),
                                  .type = s->type,
                                  .of = s->of,
                                  .count = 1};
    if (has_field(type, field->name))
        return cadre_parser_fail(p, name.at, "a second field called '%.40s'",
                                 field->name);
    cadre_parser_advance(p);
    while (cadre_parser_at_sign(p, "[")) {
        if ((err = read_dim(p, field)) != CADRE_OK)
            return err;
    }
    if (cadre_parser_at_sign(p, ":"))
        return cadre_parser_fail(p, p->token.at, "a bit-field cannot be sent");
    if ((err = cadre_parser_skip_attributes(p)) != CADRE_OK)
        return err;
    return place(p, b, field);
}

/* Behind a comma: another name for the same type, not a type? */
static bool at_same_type(const struct parser *p)
{
    struct token after = cadre_token_next(p->text, p->token.at + p->token.len);

    if (p->token.kind == TOKEN_SIGN)
        return cadre_parser_at_sign(p, "*") || cadre_parser_at_sign(p, ":");
    return p->token.kind == TOKEN_WORD && !cadre_parser_at_keyword(p) &&
           (after.kind == TOKEN_END ||
            (after.kind == TOKEN_SIGN && strchr(",;[}:", p->text[after.at])));
}

static bool at_end(const struct parser *p)
{
    return p->token.kind == TOKEN_END || cadre_parser_at_sign(p, "}");
}

/* All fields, up to the '}' or the end of the text. */
static cadre_err read_fields(struct parser *p, struct builder *b)
{
    struct cadre_struct *type = &b->declared->type;
    struct specifiers s = {.base = BASE_NONE};
    bool is_same = false;
    cadre_err err;

    if (at_end(p))
        return cadre_parser_fail(p, p->token.at,
                                 "a struct without fields cannot be sent");
    while (!at_end(p)) {
        if (!is_same && (err = cadre_specifiers_read(p, &s)) != CADRE_OK)
            return err;
        if ((err = read_field(p, b, &s)) != CADRE_OK)
            return err;
        if (at_end(p))
            break;
        is_same = cadre_parser_at_sign(p, ",");
        if (!is_same && !cadre_parser_at_sign(p, ";"))
            return cadre_parser_fail_expected(p, "';' or ',' behind a field");
        cadre_parser_advance(p);
        is_same = is_same && at_same_type(p);
    }
    type->size += -type->size % type->align;
    return CADRE_OK;
}

/* --- declarations --------------------------------------------------------- */

/* Add what was read to the prototype's structs, if it is new. */
static cadre_err add(struct parser *p, struct cadre_declared *declared,
                     struct token name)
{
    const struct cadre_struct *known = cadre_declared_find(p, name);

    if (known != NULL) {
        bool is_same = cadre_declared_equal(known, &declared->type);

        cadre_declared_destroy(declared);
        if (is_same)
            return CADRE_OK;
        return cadre_parser_fail(p, name.at,
                                 "'%.60s' has been declared with other fields",
                                 known->name);
    }
    declared->next = p->proto->declared;
    p->proto->declared = declared;
    return CADRE_OK;
}

/* Step over `sign`. */
static cadre_err expect(struct parser *p, const char *sign, const char *what)
{
    if (!cadre_parser_at_sign(p, sign))
        return cadre_parser_fail_expected(p, what);
    cadre_parser_advance(p);
    return CADRE_OK;
}

/* Of `typedef struct {...} name`, at the '{': `name`. */
static struct token name_behind(const struct parser *p)
{
    struct token t = p->token;

    while (t.kind != TOKEN_END && !cadre_token_is(p->text, t, "}"))
        t = cadre_token_next(p->text, t.at + t.len);
    return cadre_token_next(p->text, t.at + t.len);
}

/* From the '{' to the '}'. */
static cadre_err read_body(struct parser *p, struct token name,
                           struct cadre_declared **declared)
{
    struct builder b = {.declared = NULL};
    cadre_err err;

    cadre_parser_advance(p);
    if ((err = begin(p, p->text + name.at, name.len, &b)) != CADRE_OK)
        return err;
    if ((err = read_fields(p, &b)) == CADRE_OK)
        err = expect(p, "}", "'}' behind the fields");
    p->within = NULL;
    if (err != CADRE_OK) {
        cadre_declared_destroy(b.declared);
        return err;
    }
    *declared = b.declared;
    return CADRE_OK;
}

/* Behind the '}' of a typedef. */
static cadre_err read_typedef_name(struct parser *p, struct token name)
{
    if (p->token.kind != TOKEN_WORD)
        return cadre_parser_fail_expected(p, "the name of the type");
    if (p->token.len != name.len ||
        memcmp(p->text + p->token.at, p->text + name.at, name.len) != 0)
        return cadre_parser_fail(p, p->token.at,
                                 "a struct and its typedef need the same name");
    cadre_parser_advance(p);
    return CADRE_OK;
}

/* One declaration, at `struct` or `typedef`. */
static cadre_err read_declaration(struct parser *p)
{
    bool is_typedef = cadre_token_is(p->text, p->token, "typedef");
    struct cadre_declared *declared = NULL;
    struct token name;
    cadre_err err;

    if (is_typedef)
        cadre_parser_advance(p);
    if (!cadre_token_is(p->text, p->token, "struct"))
        return cadre_parser_fail_expected(p, "'struct' behind typedef");
    cadre_parser_advance(p);
    name = p->token;
    if (is_typedef && cadre_parser_at_sign(p, "{"))
        name = name_behind(p);
    if (name.kind != TOKEN_WORD)
        return cadre_parser_fail_expected(p, "the name of the struct");
    if (!cadre_parser_at_sign(p, "{"))
        cadre_parser_advance(p);
    if (!is_typedef && cadre_parser_at_sign(p, ";")) {
        cadre_parser_advance(p); /* says nothing about its fields */
        return CADRE_OK;
    }
    if (!cadre_parser_at_sign(p, "{"))
        return cadre_parser_fail_expected(p, "'{' and the fields");
    if ((err = read_body(p, name, &declared)) != CADRE_OK ||
        (err = add(p, declared, name)) != CADRE_OK ||
        (is_typedef && (err = read_typedef_name(p, name)) != CADRE_OK))
        return err;
    return expect(p, ";", "';' behind the declaration of a struct");
}

/* Is this a declaration, not the result of a function? */
static bool at_declaration(const struct parser *p)
{
    struct token t = p->token;

    if (t.kind != TOKEN_WORD)
        return false;
    if (cadre_token_is(p->text, t, "typedef"))
        return true;
    if (!cadre_token_is(p->text, t, "struct"))
        return false;
    t = cadre_token_next(p->text, t.at + t.len);
    if (cadre_token_is(p->text, t, "{"))
        return true;
    t = cadre_token_next(p->text, t.at + t.len);
    return cadre_token_is(p->text, t, "{") || cadre_token_is(p->text, t, ";");
}

cadre_err cadre_declarations_read(struct parser *p)
{
    bool any = false;
    cadre_err err;

    for (; at_declaration(p); any = true) {
        if ((err = read_declaration(p)) != CADRE_OK)
            return err;
    }
    if (any)
        p->proto->text = p->text + p->token.at;
    return CADRE_OK;
}

/* Is `name` one word that C takes for a name? */
static bool is_name(struct parser *p, const char *name)
{
    p->text = name;
    p->token = cadre_token_next(name, 0);
    return p->token.kind == TOKEN_WORD && !cadre_parser_at_keyword(p) &&
           p->token.len == strlen(name);
}

cadre_err cadre_declared_parse(const char *name, const char *fields,
                               struct cadre_declared **declared,
                               struct cadre_error *error)
{
    struct parser p = {.error = error};
    struct builder b = {.declared = NULL};
    cadre_err err;

    if (strncmp(name, prefix, strlen(prefix)) == 0)
        name += strlen(prefix);
    if (!is_name(&p, name))
        return cadre_error_set(error, CADRE_EPARSE,
                               "'%.60s' is not a name for a struct", name);
    p.text = fields;
    p.token = cadre_token_next(fields, 0);
    if ((err = begin(&p, name, strlen(name), &b)) != CADRE_OK)
        return err;
    if ((err = read_fields(&p, &b)) == CADRE_OK && p.token.kind != TOKEN_END)
        err = cadre_parser_fail_expected(&p, "the end of the fields");
    if (err != CADRE_OK) {
        cadre_declared_destroy(b.declared);
        return err;
    }
    *declared = b.declared;
    return CADRE_OK;
}

/* --- as text -------------------------------------------------------------- */

/* Structs, each behind those that it contains. */
struct order {
    size_t n, room;
    const struct cadre_struct **list;
};

static bool is_listed(const struct order *o, const struct cadre_struct *type)
{
    for (size_t i = 0; i < o->n; i++) {
        if (strcmp(o->list[i]->name, type->name) == 0)
            return true;
    }
    return false;
}

static cadre_err list(struct order *o, const struct cadre_struct *type)
{
    const struct cadre_struct **more;
    cadre_err err;

    if (type == NULL || is_listed(o, type))
        return CADRE_OK;
    for (size_t i = 0; i < type->nfields; i++) {
        if ((err = list(o, type->fields[i].of)) != CADRE_OK)
            return err;
    }
    if (o->n == o->room) {
        o->room = 2 * o->room + 8;
        more = realloc(o->list, o->room * sizeof(o->list[0]));
        if (more == NULL)
            return CADRE_ENOMEM;
        o->list = more;
    }
    o->list[o->n++] = type;
    return CADRE_OK;
}

/* Append to `to`, or count only where that is NULL. */
static void put(char *to, size_t *len, const char *text)
{
    size_t n = strlen(text);

    if (to != NULL)
        memcpy(to + *len, text, n + 1);
    *len += n;
}

static void write_struct(char *to, size_t *len, const struct cadre_struct *type)
{
    char number[32];

    put(to, len, type->name);
    put(to, len, " { ");
    for (size_t i = 0; i < type->nfields; i++) {
        const struct cadre_field *f = &type->fields[i];

        put(to, len, cadre_type_label(f->type, f->of));
        put(to, len, " ");
        put(to, len, f->name);
        if (f->is_array) {
            snprintf(number, sizeof number, "[%llu]",
                     (unsigned long long)f->count);
            put(to, len, number);
        }
        put(to, len, "; ");
    }
    put(to, len, "}; ");
}

static size_t write_all(char *to, const struct order *o)
{
    size_t len = 0;

    for (size_t i = 0; i < o->n; i++)
        write_struct(to, &len, o->list[i]);
    return len;
}

cadre_err cadre_declarations_write(struct cadre_proto *proto,
                                   struct cadre_error *error)
{
    struct order order = {.list = NULL};
    cadre_err err = list(&order, proto->result_of);
    char *text;

    for (int i = 0; i < proto->nparams && err == CADRE_OK; i++)
        err = list(&order, proto->params[i].of);
    if (err == CADRE_OK && order.n > 0) {
        if ((text = malloc(write_all(NULL, &order) + 1)) != NULL) {
            write_all(text, &order);
            proto->declarations = text;
        } else {
            err = CADRE_ENOMEM;
        }
    }
    free(order.list);
    if (err != CADRE_OK)
        return cadre_error_set(error, err, "no memory for a prototype");
    return CADRE_OK;
}
