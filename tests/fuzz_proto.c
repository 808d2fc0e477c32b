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

static void check_array(const struct cadre_proto *proto,
                        const struct cadre_param *param)
{
    uint64_t bytes = cadre_type_size(param->type);

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
    switch (param->kind) {
    case CADRE_PARAM_SCALAR:
        REQUIRE(param->type != CADRE_VOID && param->type != CADRE_STRING);
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
    REQUIRE(a->nparams == b->nparams);
    for (int i = 0; i < a->nparams; i++) {
        const struct cadre_param *p = &a->params[i], *q = &b->params[i];

        REQUIRE(strcmp(p->name, q->name) == 0);
        REQUIRE(p->kind == q->kind && p->type == q->type);
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

    if (err != CADRE_OK) {
        check_error(err, error);
        return;
    }
    check_proto(proto);
    REQUIRE(cadre_proto_parse(proto->text, &again, NULL) == CADRE_OK);
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
