/* proto.c - reads a C prototype: a tokenizer and a recursive descent.
 *
 *     prototype   = {struct} specifiers {'*'} name '(' [parameters] ')' [';']
 *     parameters  = 'void' | parameter {',' parameter}
 *     parameter   = specifiers {'*' {qualifier}} [name] {'[' length ']'}
 *     specifiers  = the words of C in any order, and CADRE_OUT
 *     length      = a constant expression (+ - * / << and parentheses), or a
 *                   name
 *
 * A name in a length may belong to a later parameter, so it is kept as an
 * offset in the text until all parameters are known (resolve).
 *
 * Structs are read by proto_struct.c. A prototype is one block of memory but
 * for those: the struct, its parameters, the text, and
 * a second copy of the text in which a zero byte is put behind each name.
 */
#include "proto.h"
#include "proto_length.h"
#include "proto_parser.h"
#include "proto_specifiers.h"
#include "proto_struct.h"

#include <stdlib.h>
#include <string.h>

/* In cadre_dim.param: `count` is still the name's offset in the text. */
enum { DIM_UNRESOLVED = -2 };

/* `[length]`, at the bracket: the next dimension of `param`. */
static cadre_err read_dim(struct parser *p, struct cadre_param *param)
{
    struct cadre_dim *dim = &param->dims[param->ndims];
    size_t at = p->token.at;
    struct length n;
    struct token after;
    cadre_err err;

    if (param->ndims == CADRE_DIMS_MAX)
        return cadre_parser_fail(p, at, "more than %d dimensions",
                                 CADRE_DIMS_MAX);
    cadre_parser_advance(p);
    while (cadre_parser_at_qualifier(p)) /* x[static n] */
        cadre_parser_advance(p);
    after = cadre_token_next(p->text, p->token.at + p->token.len);
    if (cadre_parser_at_sign(p, "]") ||
        (cadre_parser_at_sign(p, "*") && cadre_token_is(p->text, after, "]")))
        return cadre_parser_fail(
            p, at,
            "the length is missing: write a number or the name of an "
            "integer parameter between the brackets");
    if ((err = cadre_length_read(p, &n)) != CADRE_OK)
        return err;
    if (!cadre_parser_at_sign(p, "]"))
        return cadre_parser_fail_expected(
            p, "']' (a length is a constant or one parameter)");
    cadre_parser_advance(p);
    if (n.name.kind == TOKEN_WORD) {
        dim->param = DIM_UNRESOLVED;
        dim->count = n.name.at;
        p->names[n.name.at + n.name.len] = '\0';
    } else if (n.value <= 0) {
        return cadre_parser_fail(p, at,
                                 "the length is %lld: it has to be 1 or more",
                                 (long long)n.value);
    } else {
        dim->param = -1;
        dim->count = (uint64_t)n.value;
    }
    param->ndims++;
    return CADRE_OK;
}

/* Declarators. */

/* The pointers and the name between the specifiers and the brackets. */
struct declarator {
    int npointers;
    struct token name; /* TOKEN_END where there is none */
};

static cadre_err read_declarator(struct parser *p, struct declarator *d)
{
    memset(d, 0, sizeof *d);
    while (cadre_parser_at_sign(p, "*")) {
        d->npointers++;
        cadre_parser_advance(p);
        while (cadre_parser_at_qualifier(p))
            cadre_parser_advance(p);
    }
    if (p->token.kind != TOKEN_WORD)
        return CADRE_OK;
    if (cadre_parser_at_keyword(p))
        return cadre_parser_fail_expected(p, "a name");
    d->name = p->token;
    p->names[d->name.at + d->name.len] = '\0';
    cadre_parser_advance(p);
    return CADRE_OK;
}

/* Kinds of parameters. */

/* A struct is copied to the stack. */
static cadre_err check_by_value(const struct parser *p,
                                const struct specifiers *s)
{
    char shown[SHOWN_MAX];

    if (s->of == NULL || s->of->size <= CADRE_BY_VALUE_MAX)
        return CADRE_OK;
    return cadre_parser_fail(p, p->start,
                             "'%s' has %zu bytes, too many to be passed by "
                             "value: make it an array of 1",
                             cadre_parser_declared(p, shown), s->of->size);
}

static cadre_err classify_value(const struct parser *p,
                                const struct specifiers *s,
                                struct cadre_param *param)
{
    char shown[SHOWN_MAX];

    if (s->of != NULL) {
        param->kind = CADRE_PARAM_SCALAR;
        param->type = s->type;
        param->of = s->of;
        return check_by_value(p, s);
    }
    switch (s->base) {
    case BASE_VALUE:
    case BASE_CHAR:
        param->kind = CADRE_PARAM_SCALAR;
        param->type = s->type;
        return CADRE_OK;
    case BASE_COMM:
        param->kind = CADRE_PARAM_COMM;
        return CADRE_OK;
    case BASE_VOID:
        return cadre_parser_fail(p, p->start,
                                 "'%s' has no value: a parameter cannot be "
                                 "void",
                                 cadre_parser_declared(p, shown));
    case BASE_STORE:
        return cadre_parser_fail(p, p->start,
                                 "'%s' has to be a pointer: write "
                                 "'cadre_store *store'",
                                 cadre_parser_declared(p, shown));
    case BASE_TASK:
        return cadre_parser_fail(p, p->start,
                                 "'%s' has to be a pointer: write "
                                 "'cadre_task *self'",
                                 cadre_parser_declared(p, shown));
    case BASE_STRUCT:
    case BASE_UNION:
    case BASE_UNKNOWN:
    case BASE_NONE:
    case BASE_WORDS:
        break;
    }
    return cadre_specifiers_fail_value(p, s);
}

static cadre_err classify_pointer(const struct parser *p,
                                  const struct specifiers *s,
                                  struct cadre_param *param)
{
    const char *name = param->name[0] != '\0' ? param->name : "x";
    char shown[SHOWN_MAX];

    switch (s->base) {
    case BASE_CHAR:
        if (!s->is_const)
            return cadre_parser_fail(
                p, p->start,
                "'%s' may be written to: write 'const char *%.40s' for "
                "a string, or '%.40s[n]' with its length for an array",
                cadre_parser_declared(p, shown), name, name);
        param->kind = CADRE_PARAM_STRING;
        param->type = CADRE_STRING;
        return CADRE_OK;
    case BASE_VALUE:
        return cadre_parser_fail(
            p, p->start,
            "'%s' is a pointer to numbers: write '%.40s[n]' with its "
            "length",
            cadre_parser_declared(p, shown), name);
    case BASE_COMM:
        return cadre_parser_fail(p, p->start,
                                 "'%s' is a pointer: write 'MPI_Comm comm'",
                                 cadre_parser_declared(p, shown));
    case BASE_STORE:
        param->kind = CADRE_PARAM_STORE;
        return CADRE_OK;
    case BASE_TASK:
        param->kind = CADRE_PARAM_TASK;
        return CADRE_OK;
    case BASE_VOID:
    case BASE_STRUCT:
    case BASE_UNION:
    case BASE_UNKNOWN:
    case BASE_NONE:
    case BASE_WORDS:
        break;
    }
    param->kind = CADRE_PARAM_OBJECT;
    return CADRE_OK;
}

/* May the array be addressed at all? Its constant lengths alone decide that. */
static cadre_err check_size(const struct parser *p,
                            const struct cadre_param *param)
{
    uint64_t bytes = cadre_param_size(param);
    char shown[SHOWN_MAX];

    for (int d = 0; d < param->ndims; d++) {
        if (param->dims[d].param == -1 &&
            (__builtin_mul_overflow(bytes, param->dims[d].count, &bytes) ||
             bytes > PTRDIFF_MAX))
            return cadre_parser_fail(p, p->start,
                                     "'%s' is larger than any memory",
                                     cadre_parser_declared(p, shown));
    }
    return CADRE_OK;
}

static cadre_err classify_array(const struct parser *p,
                                const struct specifiers *s,
                                struct cadre_param *param)
{
    char shown[SHOWN_MAX];

    if (s->of == NULL && (s->base == BASE_UNKNOWN || s->base == BASE_STRUCT ||
                          s->base == BASE_UNION))
        return cadre_specifiers_fail_value(p, s);
    if (!cadre_specifiers_is_value(s))
        return cadre_parser_fail(p, p->start,
                                 "'%s' is not an array of numbers or structs",
                                 cadre_parser_declared(p, shown));
    param->kind = CADRE_PARAM_ARRAY;
    param->type = s->type;
    param->of = s->of;
    param->direction = s->is_const ? CADRE_DIR_IN
                       : s->is_out ? CADRE_DIR_OUT
                                   : CADRE_DIR_INOUT;
    return check_size(p, param);
}

static cadre_err classify(const struct parser *p, const struct specifiers *s,
                          int npointers, struct cadre_param *param)
{
    char shown[SHOWN_MAX];
    cadre_err err;

    if (npointers > 0 && param->ndims > 0)
        return cadre_parser_fail(p, p->start,
                                 "'%s' is an array of pointers: an array is "
                                 "one of numbers, such as '%.40s[rows][cols]'",
                                 cadre_parser_declared(p, shown),
                                 param->name[0] != '\0' ? param->name : "x");
    if (npointers > 1)
        return cadre_parser_fail(p, p->start,
                                 "'%s' is a pointer to a pointer, which "
                                 "cannot be sent",
                                 cadre_parser_declared(p, shown));
    err = param->ndims > 0 ? classify_array(p, s, param)
          : npointers > 0  ? classify_pointer(p, s, param)
                           : classify_value(p, s, param);
    if (err != CADRE_OK)
        return err;
    if (s->is_out && param->direction != CADRE_DIR_OUT)
        return cadre_parser_fail(p, p->start,
                                 "'%s': CADRE_OUT goes with an array that is "
                                 "not const",
                                 cadre_parser_declared(p, shown));
    if (param->name[0] == '\0' &&
        (param->kind == CADRE_PARAM_ARRAY || param->kind == CADRE_PARAM_OBJECT))
        return cadre_parser_fail(p, p->start, "'%s' needs a name",
                                 cadre_parser_declared(p, shown));
    return CADRE_OK;
}

/* Parameters. */

/* Parentheses and dots where a parameter's name or end should be. */
static cadre_err fail_parameter_end(const struct parser *p,
                                    const struct specifiers *s,
                                    const struct declarator *d)
{
    if (cadre_parser_at_sign(p, "("))
        return cadre_parser_fail(
            p, p->token.at,
            "a pointer to a function (or an array) cannot be sent: a "
            "function is a symbol that the worker looks up");
    if (s->base == BASE_UNKNOWN && s->of == NULL && d->npointers == 0)
        return cadre_specifiers_fail_unknown(p, s->word);
    return cadre_parser_fail_expected(p, "',' or ')'");
}

static cadre_err read_parameter(struct parser *p)
{
    struct cadre_proto *proto = p->proto;
    struct cadre_param *param = &proto->params[proto->nparams];
    struct specifiers s;
    struct declarator d;
    cadre_err err;

    if (cadre_parser_at_sign(p, "..."))
        return cadre_parser_fail(p, p->token.at,
                                 "functions with variable arguments cannot "
                                 "be called: write one around it with the "
                                 "arguments you need");
    if (proto->nparams == CADRE_PARAMS_MAX)
        return cadre_parser_fail(p, p->token.at, "more than %d parameters",
                                 CADRE_PARAMS_MAX);
    if ((err = cadre_specifiers_read(p, &s)) != CADRE_OK ||
        (err = read_declarator(p, &d)) != CADRE_OK)
        return err;
    param->name = d.name.kind == TOKEN_WORD ? p->names + d.name.at : "";
    while (cadre_parser_at_sign(p, "[")) {
        if ((err = read_dim(p, param)) != CADRE_OK)
            return err;
    }
    if ((err = cadre_parser_skip_attributes(p)) != CADRE_OK)
        return err;
    if (!cadre_parser_at_sign(p, ",") && !cadre_parser_at_sign(p, ")"))
        return fail_parameter_end(p, &s, &d);
    if ((err = classify(p, &s, d.npointers, param)) != CADRE_OK)
        return err;
    if (cadre_proto_find(proto, param->name) >= 0)
        return cadre_parser_fail(
            p, d.name.at, "a second parameter called '%.40s'", param->name);
    proto->nparams++;
    return CADRE_OK;
}

/* Is `(void)` or `()` here, before the ')'? */
static bool at_no_parameters(const struct parser *p)
{
    struct token after = cadre_token_next(p->text, p->token.at + p->token.len);

    return cadre_parser_at_sign(p, ")") ||
           (p->token.kind == TOKEN_WORD &&
            cadre_token_is(p->text, p->token, "void") &&
            cadre_token_is(p->text, after, ")"));
}

static cadre_err read_parameters(struct parser *p)
{
    cadre_err err;

    if (!cadre_parser_at_sign(p, "("))
        return cadre_parser_fail_expected(p,
                                          "'(' after the name of the function");
    cadre_parser_advance(p);
    if (at_no_parameters(p)) {
        if (!cadre_parser_at_sign(p, ")"))
            cadre_parser_advance(p);
    } else {
        for (;;) {
            if ((err = read_parameter(p)) != CADRE_OK)
                return err;
            if (!cadre_parser_at_sign(p, ","))
                break;
            cadre_parser_advance(p);
        }
    }
    cadre_parser_advance(p); /* the ')' */
    return CADRE_OK;
}

/* Find the parameters that lengths name. */
static cadre_err resolve(struct parser *p)
{
    struct cadre_proto *proto = p->proto;

    for (int i = 0; i < proto->nparams; i++) {
        for (int d = 0; d < proto->params[i].ndims; d++) {
            struct cadre_dim *dim = &proto->params[i].dims[d];
            size_t at = (size_t)dim->count;
            const struct cadre_param *length;

            if (dim->param != DIM_UNRESOLVED)
                continue;
            dim->param = cadre_proto_find(proto, p->names + at);
            dim->count = 0;
            if (dim->param < 0)
                return cadre_parser_fail(
                    p, at,
                    "the length '%.40s' of '%.40s' is not a "
                    "parameter: name an integer parameter, or write a "
                    "number",
                    p->names + at, proto->params[i].name);
            length = &proto->params[dim->param];
            if (length->kind != CADRE_PARAM_SCALAR ||
                !cadre_type_is_integer(length->type))
                return cadre_parser_fail(
                    p, at, "the length '%.40s' of '%.40s' is not an integer",
                    p->names + at, proto->params[i].name);
        }
    }
    return CADRE_OK;
}

/* The function. */

static cadre_err set_result(struct parser *p, const struct specifiers *s,
                            int npointers)
{
    struct cadre_proto *proto = p->proto;
    char shown[SHOWN_MAX];

    if (s->is_out)
        return cadre_parser_fail(p, p->start,
                                 "CADRE_OUT goes with an array parameter, not "
                                 "with the result");
    if (npointers == 0 &&
        (cadre_specifiers_is_value(s) || s->base == BASE_VOID)) {
        proto->result = s->type;
        proto->result_of = s->of;
        return check_by_value(p, s);
    }
    if (npointers == 1 && s->base == BASE_CHAR) {
        proto->result = CADRE_STRING;
        proto->frees_result = !s->is_const;
        return CADRE_OK;
    }
    if (npointers == 0 && (s->base == BASE_UNKNOWN || s->base == BASE_STRUCT ||
                           s->base == BASE_UNION))
        return cadre_specifiers_fail_value(p, s);
    return cadre_parser_fail(
        p, p->start,
        "'%s' cannot be sent back: a result is void, a number, a struct, "
        "'const char *' (copied) or 'char *' (copied and freed)",
        cadre_parser_declared(p, shown));
}

/* The result and the name, up to the '('. */
static cadre_err read_function(struct parser *p)
{
    struct specifiers s;
    struct declarator d;
    cadre_err err;

    if ((err = cadre_specifiers_read(p, &s)) != CADRE_OK ||
        (err = read_declarator(p, &d)) != CADRE_OK)
        return err;
    if (cadre_parser_at_sign(p, "["))
        return cadre_parser_fail(p, p->token.at,
                                 "the result cannot be an array: let the "
                                 "function fill a parameter such as "
                                 "'CADRE_OUT double y[n]'");
    if (d.name.kind != TOKEN_WORD && cadre_parser_at_sign(p, "(") &&
        s.base == BASE_UNKNOWN && s.of == NULL && d.npointers == 0) {
        char shown[SHOWN_MAX];

        return cadre_parser_fail(p, s.word.at,
                                 "'%s' has no type for its result: write "
                                 "'void' in front if it has none",
                                 cadre_parser_shown(p, s.word, shown));
    }
    if (d.name.kind != TOKEN_WORD)
        return cadre_parser_fail_expected(p, "the name of the function");
    p->proto->name = p->names + d.name.at;
    return set_result(p, &s, d.npointers);
}

/* What may follow the parameters. */
static cadre_err read_end(struct parser *p)
{
    cadre_err err;

    if ((err = cadre_parser_skip_attributes(p)) != CADRE_OK)
        return err;
    if (cadre_parser_at_sign(p, "[") || cadre_parser_at_sign(p, "("))
        return cadre_parser_fail(p, p->token.at,
                                 "the result cannot be an array or a function");
    if (cadre_parser_at_sign(p, ";"))
        cadre_parser_advance(p);
    if (p->token.kind != TOKEN_END)
        return cadre_parser_fail_expected(p, "the end of the prototype");
    return CADRE_OK;
}

/* More parameters than `text` has, or CADRE_PARAMS_MAX. */
static size_t count_params(const char *text)
{
    size_t n = 1;

    for (; (text = strchr(text, ',')) != NULL && n < CADRE_PARAMS_MAX; text++)
        n++;
    return n;
}

/* One block for all, see the top; the parser stands before the first token. */
static cadre_err prepare(struct parser *p, const char *text)
{
    size_t len = strlen(text), nparams = count_params(text);
    struct cadre_proto *proto;
    char *copies;

    proto = calloc(1, sizeof *proto + nparams * sizeof *proto->params +
                          2 * (len + 1));
    if (proto == NULL)
        return cadre_error_set(p->error, CADRE_ENOMEM,
                               "no memory for a prototype");
    proto->params = (struct cadre_param *)(proto + 1);
    copies = (char *)(proto->params + nparams);
    proto->text = memcpy(copies, text, len);
    proto->declarations = "";
    p->names = memcpy(copies + len + 1, text, len);
    p->text = proto->text;
    p->proto = proto;
    p->token = cadre_token_next(p->text, 0);
    return CADRE_OK;
}

void cadre_proto_destroy(struct cadre_proto *proto)
{
    if (proto == NULL)
        return;
    if (proto->declarations[0] != '\0')
        free((char *)(uintptr_t)proto->declarations);
    cadre_declared_destroy(proto->declared);
    free(proto);
}

cadre_err cadre_proto_parse(const char *text, struct cadre_proto **proto,
                            struct cadre_error *error)
{
    struct parser p = {.error = error};
    cadre_err err;

    if ((err = prepare(&p, text)) != CADRE_OK)
        return err;
    if ((err = cadre_declarations_read(&p)) != CADRE_OK ||
        (err = read_function(&p)) != CADRE_OK ||
        (err = read_parameters(&p)) != CADRE_OK ||
        (err = read_end(&p)) != CADRE_OK || (err = resolve(&p)) != CADRE_OK ||
        (err = cadre_declarations_write(p.proto, error)) != CADRE_OK) {
        cadre_proto_destroy(p.proto);
        return err;
    }
    *proto = p.proto;
    return CADRE_OK;
}

int cadre_proto_find(const struct cadre_proto *proto, const char *name)
{
    for (int i = 0; i < proto->nparams; i++) {
        if (name[0] != '\0' && strcmp(proto->params[i].name, name) == 0)
            return i;
    }
    return -1;
}

size_t cadre_param_size(const struct cadre_param *param)
{
    return param->of != NULL ? param->of->size : cadre_type_size(param->type);
}

size_t cadre_proto_result_size(const struct cadre_proto *proto)
{
    return proto->result_of != NULL ? proto->result_of->size
                                    : cadre_type_size(proto->result);
}

const char *cadre_type_label(cadre_type type, const struct cadre_struct *of)
{
    return of != NULL ? of->name : cadre_type_name(type);
}

bool cadre_param_is_sent(const struct cadre_param *param)
{
    return param->kind == CADRE_PARAM_SCALAR ||
           param->kind == CADRE_PARAM_STRING ||
           (param->kind == CADRE_PARAM_ARRAY &&
            param->direction != CADRE_DIR_OUT);
}

bool cadre_param_is_output(const struct cadre_param *param)
{
    return param->kind == CADRE_PARAM_ARRAY && param->direction != CADRE_DIR_IN;
}

int cadre_proto_noutputs(const struct cadre_proto *proto)
{
    int n = proto->result != CADRE_VOID;

    for (int i = 0; i < proto->nparams; i++)
        n += cadre_param_is_output(&proto->params[i]);
    return n;
}

int cadre_proto_output_param(const struct cadre_proto *proto, int output)
{
    int n = proto->result != CADRE_VOID;

    if (output < n)
        return -1;
    for (int i = 0; i < proto->nparams; i++) {
        if (cadre_param_is_output(&proto->params[i]) && n++ == output)
            return i;
    }
    return -1;
}
