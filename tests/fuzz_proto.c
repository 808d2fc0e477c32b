/* fuzz_proto.c - any text at all, given to the prototype parser.
 *
 * The input is read as a prototype, and where it contains a newline or a zero
 * byte, also as the two texts of a task. Seeds lie in fuzz/proto/.
 */
#include "proto.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                     \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);            \
            abort();                                                           \
        }                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(cadre_err err, const struct cadre_error *error)
{
    unsigned column;

    REQUIRE(err == CADRE_EPARSE);
    REQUIRE(memchr(error->text, '\0', sizeof error->text) != NULL);
    REQUIRE(sscanf(error->text, "column %u: ", &column) == 1 && column > 0);
    for (const char *c = error->text; *c != '\0'; c++)
        REQUIRE(*c >= ' ' && *c <= '~');
}

/* Fields lie behind each other, aligned, within the struct. */
static void check_struct(cadre_type type, const struct cadre_struct *of)
{
    size_t end = 0;

    REQUIRE((type == CADRE_AGGREGATE) == (of != NULL));
    if (of == NULL)
        return;
    REQUIRE(of->nfields > 0 && of->size > 0 && of->align > 0);
    REQUIRE(of->size % of->align == 0 && of->size <= PTRDIFF_MAX);
    for (size_t i = 0; i < of->nfields; i++) {
        const struct cadre_field *f = &of->fields[i];
        size_t size = f->of != NULL ? f->of->size : cadre_type_size(f->type);
        size_t align = f->of != NULL ? f->of->align : cadre_type_align(f->type);

        REQUIRE((f->type == CADRE_AGGREGATE) == (f->of != NULL));
        REQUIRE(f->name[0] != '\0' && f->count > 0);
        REQUIRE(f->is_array || f->count == 1);
        REQUIRE(f->offset >= end && f->offset - end < align);
        REQUIRE(f->offset % align == 0 && of->align % align == 0);
        end = f->offset + size * f->count;
    }
    REQUIRE(end <= of->size && of->size - end < of->align);
}

static void check_array(const struct cadre_proto *proto,
                        const struct cadre_param *param)
{
    uint64_t bytes = cadre_param_size(param);

    REQUIRE(bytes > 0 && param->type != CADRE_STRING);
    REQUIRE(param->ndims > 0 && param->ndims <= CADRE_DIMS_MAX);
    for (int d = 0; d < param->ndims; d++) {
        int length = param->dims[d].param;

        REQUIRE(length >= -1 && length < proto->nparams);
        if (length == -1) {
            REQUIRE(param->dims[d].count > 0);
            REQUIRE(
                !__builtin_mul_overflow(bytes, param->dims[d].count, &bytes));
            REQUIRE(bytes <= PTRDIFF_MAX);
        } else {
            REQUIRE(proto->params[length].kind == CADRE_PARAM_SCALAR);
            REQUIRE(cadre_type_is_integer(proto->params[length].type));
            REQUIRE(proto->params[length].name[0] != '\0');
        }
    }
}

static void check_param(const struct cadre_proto *proto, int i)
{
    const struct cadre_param *param = &proto->params[i];

    if (param->name[0] != '\0')
        REQUIRE(cadre_proto_find(proto, param->name) == i);
    REQUIRE(cadre_type_is_valid(param->type));
    check_struct(param->type, param->of);
    switch (param->kind) {
    case CADRE_PARAM_SCALAR:
        REQUIRE(param->type != CADRE_VOID && param->type != CADRE_STRING);
        REQUIRE(cadre_param_size(param) <= CADRE_BY_VALUE_MAX);
        break;
    case CADRE_PARAM_STRING:
        REQUIRE(param->type == CADRE_STRING);
        break;
    case CADRE_PARAM_ARRAY:
        check_array(proto, param);
        REQUIRE(param->name[0] != '\0');
        return;
    case CADRE_PARAM_OBJECT:
        REQUIRE(param->name[0] != '\0');
        REQUIRE(param->type == CADRE_VOID);
        break;
    case CADRE_PARAM_COMM:
    case CADRE_PARAM_STORE:
    case CADRE_PARAM_TASK:
        REQUIRE(param->type == CADRE_VOID);
        break;
    default:
        REQUIRE(!"a kind of parameter");
    }
    REQUIRE(param->ndims == 0 && param->direction == CADRE_DIR_IN);
}

static void check_proto(const struct cadre_proto *proto)
{
    int noutputs = cadre_proto_noutputs(proto);

    REQUIRE(proto->name[0] != '\0');
    REQUIRE(strstr(proto->text, proto->name) != NULL);
    REQUIRE(cadre_type_is_valid(proto->result));
    check_struct(proto->result, proto->result_of);
    REQUIRE(!proto->frees_result || proto->result == CADRE_STRING);
    REQUIRE(proto->nparams >= 0 && proto->nparams <= CADRE_PARAMS_MAX);
    for (int i = 0; i < proto->nparams; i++)
        check_param(proto, i);
    for (int o = 0; o < noutputs; o++) {
        int i = cadre_proto_output_param(proto, o);

        REQUIRE(i == -1 ? o == 0 && proto->result != CADRE_VOID
                        : cadre_param_is_output(&proto->params[i]));
    }
}

static void check_same(const struct cadre_proto *a, const struct cadre_proto *b)
{
    REQUIRE(strcmp(a->name, b->name) == 0);
    REQUIRE(a->result == b->result && a->frees_result == b->frees_result);
    REQUIRE(strcmp(a->declarations, b->declarations) == 0);
    REQUIRE(cadre_proto_result_size(a) == cadre_proto_result_size(b));
    REQUIRE(a->nparams == b->nparams);
    for (int i = 0; i < a->nparams; i++) {
        const struct cadre_param *p = &a->params[i], *q = &b->params[i];

        REQUIRE(strcmp(p->name, q->name) == 0);
        REQUIRE(p->kind == q->kind && p->type == q->type);
        REQUIRE(cadre_param_size(p) == cadre_param_size(q));
        REQUIRE(p->direction == q->direction && p->ndims == q->ndims);
        for (int d = 0; d < p->ndims; d++)
            REQUIRE(p->dims[d].param == q->dims[d].param &&
                    p->dims[d].count == q->dims[d].count);
    }
}

/* What came of one parse; a prototype's text has to give it once more. */
static void check_outcome(cadre_err err, struct cadre_proto *proto,
                          const struct cadre_error *error)
{
    struct cadre_proto *again = NULL;
    char *whole = NULL;

    if (err != CADRE_OK) {
        check_error(err, error);
        return;
    }
    check_proto(proto);
    REQUIRE(asprintf(&whole, "%s%s", proto->declarations, proto->text) >= 0);
    REQUIRE(cadre_proto_parse(whole, &again, NULL) == CADRE_OK);
    free(whole);
    check_same(proto, again);
    cadre_proto_destroy(again);
    cadre_proto_destroy(proto);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct cadre_proto *proto = NULL;
    struct cadre_error error;
    cadre_err err;
    size_t len;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    err = cadre_proto_parse(text, &proto, &error);
    check_outcome(err, proto, &error);

    if ((len = strcspn(text, "\n")) < size) {
        text[len] = '\0';
        err = cadre_proto_parse_task(text, text + len + 1, &proto, &error);
        check_outcome(err, proto, &error);
    }
    free(text);
    return 0;
}
