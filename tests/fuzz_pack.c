/* fuzz_pack.c - any bytes may come in as arguments or outputs.
 *
 * The first byte chooses one of a few prototypes and whether there is a store,
 * the second the number of rows, the third the side. A worker that accepts the
 * bytes runs all rows as a function would: reads every element of every
 * argument, writes every output. The controller unpacks them as the outputs of
 * a table of its own. With a store the worker's rows take from it what is
 * absent, and the controller has left out all it can.
 *
 * Prototypes are built by hand, so that proto.c has no part in this. Lengths of
 * arrays that are out only are narrow: what a worker makes room for is bounded.
 */
#include "pack.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ROWS = 8 }; /* of the controller's table */

#define SCALAR(t)                                                              \
    {                                                                          \
        .name = "n", .kind = CADRE_PARAM_SCALAR, .type = (t)                   \
    }
#define STRING                                                                 \
    {                                                                          \
        .name = "s", .kind = CADRE_PARAM_STRING, .type = CADRE_STRING          \
    }
#define ARRAY(d, t, length)                                                    \
    {                                                                          \
        .name = "x", .kind = CADRE_PARAM_ARRAY, .direction = (d), .type = (t), \
        .ndims = 1, .dims = {                                                  \
            {.param = (length)}                                                \
        }                                                                      \
    }
#define MATRIX(d, t, rows, cols)                                               \
    {                                                                          \
        .name = "m", .kind = CADRE_PARAM_ARRAY, .direction = (d), .type = (t), \
        .ndims = 3, .dims = {                                                  \
            {.param = -1, .count = 2},                                         \
            {.param = (rows)},                                                 \
            {.param = (cols)}                                                  \
        }                                                                      \
    }

/* int64_t f(int64_t n, bool n, float complex n) */
static struct cadre_param scalars[] = {SCALAR(CADRE_INT64), SCALAR(CADRE_BOOL),
                                       SCALAR(CADRE_FLOAT_COMPLEX)};

/* const char *f(const char *s, int32_t n, const char *s) */
static struct cadre_param strings[] = {STRING, SCALAR(CADRE_INT32), STRING};

/* double f(int64_t n, const double x[n], int8_t x[n], OUT short x[n2],
 * uint8_t n2) */
static struct cadre_param arrays[] = {
    SCALAR(CADRE_INT64), ARRAY(CADRE_DIR_IN, CADRE_DOUBLE, 0),
    ARRAY(CADRE_DIR_INOUT, CADRE_INT8, 0), ARRAY(CADRE_DIR_OUT, CADRE_INT16, 4),
    SCALAR(CADRE_UINT8)};

/* void f(uint64_t n, int16_t n2, const float m[2][n][n2], long double m[..],
 * struct thing *t) */
static struct cadre_param matrices[] = {
    SCALAR(CADRE_UINT64),
    SCALAR(CADRE_INT16),
    MATRIX(CADRE_DIR_IN, CADRE_FLOAT, 0, 1),
    MATRIX(CADRE_DIR_INOUT, CADRE_LONG_DOUBLE, 1, 0),
    {.name = "t", .kind = CADRE_PARAM_OBJECT}};

#define PROTO(r, p)                                                            \
    {                                                                          \
        .text = "", .name = "f", .result = (r),                                \
        .nparams = sizeof(p) / sizeof(p)[0], .params = (p)                     \
    }
static const struct cadre_proto protos[] = {
    PROTO(CADRE_INT64, scalars), PROTO(CADRE_STRING, strings),
    PROTO(CADRE_DOUBLE, arrays), PROTO(CADRE_VOID, matrices)};

enum { NPROTOS = sizeof protos / sizeof protos[0], PARAMS_MAX = 5 };

static volatile size_t touched;

static void touch(const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        touched += bytes[i];
}

/* Elements of array `p`, as the function would count them. */
static size_t elements(const struct cadre_proto *proto,
                       const struct cadre_param *p, void **args)
{
    size_t n = 1;

    for (int d = 0; d < p->ndims; d++)
        n *= p->dims[d].param < 0
                 ? p->dims[d].count
                 : cadre_type_length(proto->params[p->dims[d].param].type,
                                     args[p->dims[d].param]);
    return n;
}

/* What a function does with its arguments: reads all, writes what it may. */
static void call(const struct cadre_proto *proto, void **args, void *result)
{
    static char text[] = "a result";
    const struct cadre_param *p;
    size_t bytes;

    for (int i = 0; i < proto->nparams; i++) {
        p = &proto->params[i];
        if (p->kind == CADRE_PARAM_SCALAR)
            touch(args[i], cadre_type_size(p->type));
        if (p->kind == CADRE_PARAM_STRING && *(char **)args[i] != NULL)
            touch(*(char **)args[i], strlen(*(char **)args[i]));
        if (p->kind == CADRE_PARAM_OBJECT && *(void **)args[i] != &touched)
            abort();
        if (p->kind != CADRE_PARAM_ARRAY)
            continue;
        bytes = elements(proto, p, args) * cadre_type_size(p->type);
        touch(*(void **)args[i], bytes);
        if (cadre_param_is_output(p) && bytes > 0)
            memset(*(void **)args[i], 0x55, bytes);
    }
    if (proto->result == CADRE_STRING)
        *(char **)result = text;
    else if (proto->result != CADRE_VOID)
        memset(result, 0x55, cadre_type_size(proto->result));
}

static void check(cadre_err err, const struct cadre_error *error)
{
    if (err != CADRE_OK && ((err != CADRE_EPROTO && err != CADRE_ENOMEM) ||
                            error->text[0] == '\0'))
        abort();
}

static void keep(struct cadre_store *store, const char *name,
                 struct cadre_kept value)
{
    if (store != NULL &&
        cadre_store_keep(store, name, &value, NULL) != CADRE_OK)
        abort();
}

/* Something for every parameter there is. */
static struct cadre_store *fill_store(void)
{
    static unsigned char two[4] = {2}, text[] = "stored";
    struct cadre_store *store = cadre_store_new();

    keep(store, "n",
         (struct cadre_kept){CADRE_KEPT_SCALAR, CADRE_INT32, 1, two, NULL});
    keep(store, "s",
         (struct cadre_kept){CADRE_KEPT_STRING, CADRE_STRING, 1, text, NULL});
    keep(store, "x",
         (struct cadre_kept){CADRE_KEPT_ARRAY, CADRE_INT8, 2, NULL, NULL});
    keep(store, "m",
         (struct cadre_kept){CADRE_KEPT_ARRAY, CADRE_FLOAT, 8, NULL, NULL});
    keep(store, "t",
         (struct cadre_kept){CADRE_KEPT_OBJECT, CADRE_VOID, 1,
                             (void *)(uintptr_t)&touched, NULL});
    return store;
}

/* Run the current row; false if the store could not fill it. */
static bool run_row(const struct cadre_proto *proto, struct cadre_rows *rows,
                    struct cadre_store *store)
{
    struct cadre_error error = {""};
    cadre_err err = cadre_rows_fill(rows, store, &error);

    if (err != CADRE_OK &&
        ((err != CADRE_ETYPE && err != CADRE_ENOMEM) || error.text[0] == '\0'))
        abort();
    if (err == CADRE_OK)
        call(proto, cadre_rows_args(rows), cadre_rows_result(rows));
    return err == CADRE_OK;
}

static void run_worker(const struct cadre_proto *proto, uint64_t count,
                       unsigned char *args, size_t len, bool has_store)
{
    struct cadre_store *store = has_store ? fill_store() : NULL;
    struct cadre_buffer outputs = {0};
    struct cadre_error error = {""};
    struct cadre_rows *rows;
    uint64_t row = 0;
    cadre_err err;

    if (cadre_rows_create(proto, &rows) != CADRE_OK)
        return;
    err = cadre_rows_load(rows, count, args, len, &error);
    check(err, &error);
    for (; cadre_rows_next(rows); row++) {
        bool has_run = run_row(proto, rows, store);

        if (cadre_rows_store(rows, !has_run || row % 5 == 4) != CADRE_OK)
            abort();
        outputs.len = 0;
        if (row == 2 && cadre_rows_flush(rows, &outputs) != CADRE_OK)
            abort();
    }
    if (row != (err == CADRE_OK ? count : 0))
        abort();
    outputs.len = 0;
    if (cadre_rows_flush(rows, &outputs) != CADRE_OK)
        abort();
    touch(outputs.data, outputs.len);
    cadre_buffer_fini(&outputs);
    cadre_rows_destroy(rows);
    cadre_store_free(store);
}

/* A table of ROWS rows with lengths from 0 to 2, all outputs wanted. */
static void run_controller(const struct cadre_proto *proto, uint64_t first,
                           uint64_t count, const unsigned char *bytes,
                           size_t len)
{
    static const unsigned char lengths[ROWS][8] = {{2}, {0}, {1}, {1},
                                                   {2}, {2}, {0}, {1}};
    static unsigned char sink[PARAMS_MAX + 1][ROWS * 8 * 16];
    static const unsigned char source[ROWS * 8 * 16];
    char *texts[ROWS] = {NULL};
    struct cadre_view args[PARAMS_MAX] = {0}, outputs[PARAMS_MAX + 1];
    struct cadre_table table = {
        .proto = proto, .count = ROWS, .args = args, .outputs = outputs};
    struct cadre_error error = {""};
    unsigned char narrow[PARAMS_MAX][ROWS * 8];
    size_t size;

    for (int i = 0; i < proto->nparams; i++) {
        size = cadre_type_size(proto->params[i].type);
        if (!cadre_param_is_sent(&proto->params[i]))
            continue;
        args[i] = (struct cadre_view){CADRE_FORM_DENSE, source};
        if (proto->params[i].kind == CADRE_PARAM_STRING)
            args[i] = (struct cadre_view){CADRE_FORM_POINTERS, texts};
        if (proto->params[i].kind != CADRE_PARAM_SCALAR)
            continue;
        for (size_t row = 0; row < ROWS; row++)
            memcpy(narrow[i] + row * size, lengths[row], size);
        args[i].data = narrow[i];
    }
    for (int i = 0; i < cadre_proto_noutputs(proto); i++)
        outputs[i] = (struct cadre_view){CADRE_FORM_DENSE, sink[i]};
    if (proto->result == CADRE_STRING)
        outputs[0] = (struct cadre_view){CADRE_FORM_POINTERS, texts};
    if (cadre_table_measure(&table, &error) == CADRE_OK)
        check(cadre_outputs_unpack(&table, first, count, bytes, len, &error),
              &error);
    else
        abort();
    cadre_table_fini(&table);
    for (int i = 0; i < ROWS; i++)
        free(texts[i]);
}

/* Bytes of output `output` of all rows. */
static size_t output_bytes(const struct cadre_table *table, int output)
{
    int param = cadre_proto_output_param(table->proto, output);
    size_t n = 0;

    if (param < 0)
        return table->count * cadre_type_size(table->proto->result);
    for (uint64_t row = 0; row < table->count; row++)
        n += cadre_table_length(table, param, row);
    return n * cadre_type_size(table->proto->params[param].type);
}

/* A table that has given nothing and learns from the outputs what lengths its
 * rows have. */
static void run_learner(const struct cadre_proto *proto, uint64_t count,
                        const unsigned char *bytes, size_t len)
{
    struct cadre_view args[PARAMS_MAX] = {0}, outputs[PARAMS_MAX + 1] = {0};
    struct cadre_table table = {.proto = proto,
                                .count = count,
                                .has_store = true,
                                .args = args,
                                .outputs = outputs};
    struct cadre_error error = {""};
    char *texts[ROWS] = {NULL};
    void *room[PARAMS_MAX + 1] = {NULL};
    cadre_err err;

    if (cadre_table_measure(&table, &error) != CADRE_OK)
        abort();
    check(err = cadre_table_learn(&table, bytes, len, &error), &error);
    for (int i = 0; err == CADRE_OK && i < cadre_proto_noutputs(proto); i++) {
        room[i] = malloc(output_bytes(&table, i));
        outputs[i] = (struct cadre_view){CADRE_FORM_DENSE, room[i]};
        if (proto->result == CADRE_STRING && i == 0)
            outputs[i] = (struct cadre_view){CADRE_FORM_POINTERS, texts};
    }
    if (err == CADRE_OK)
        check(cadre_outputs_unpack(&table, 0, count, bytes, len, &error),
              &error);
    cadre_table_fini(&table);
    for (int i = 0; i <= PARAMS_MAX; i++)
        free(room[i]);
    for (int i = 0; i < ROWS; i++)
        free(texts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    bool has_store;
    const struct cadre_proto *proto;
    unsigned char *copy;
    uint64_t count;

    if (len < 3)
        return 0;
    proto = &protos[data[0] % NPROTOS];
    has_store = data[0] / NPROTOS % 2 == 1;
    count = data[1];
    /* Aligned, writable, and of exactly its size: a step beyond is seen. */
    if ((copy = malloc(len - 3)) == NULL)
        return 0;
    memcpy(copy, data + 3, len - 3);
    if (data[2] % 2 == 0)
        run_worker(proto, count, copy, len - 3, has_store);
    else if (has_store)
        run_learner(proto, count % ROWS + 1, copy, len - 3);
    else
        run_controller(proto, data[2] / 2 % ROWS,
                       count % (ROWS - data[2] / 2 % ROWS) + 1, copy, len - 3);
    free(copy);
    return 0;
}
