/* test_pack.c - arguments reach the function and outputs come back; lengths
 * that do not fit are found on both sides.
 *
 * Prototypes are built by hand, so that nothing is proved about proto.c.
 */
#include "alloc.h"
#include "check.h"
#include "pack.h"

#include <stdlib.h>
#include <string.h>

enum { MAX = 6 }; /* parameters of the prototypes here */

/* A function, a table of its arguments, and the way to a worker and back. */
struct trip {
    struct cadre_proto proto;
    struct cadre_param params[MAX];
    struct cadre_view args[MAX], outputs[MAX + 1];
    struct cadre_table table;
    struct cadre_buffer sent, returned;
    struct cadre_rows *rows;
    struct cadre_error error;
};

/* The function: true if the row failed. */
typedef bool (*run_fn)(void **args, void *result);

static void init(struct trip *t, cadre_type result, uint64_t count)
{
    *t = (struct trip){0};
    t->proto = (struct cadre_proto){
        .text = "", .name = "f", .result = result, .params = t->params};
    t->table = (struct cadre_table){.proto = &t->proto,
                                    .count = count,
                                    .args = t->args,
                                    .outputs = t->outputs};
}

static void fini(struct trip *t)
{
    cadre_table_fini(&t->table);
    cadre_rows_destroy(t->rows);
    cadre_buffer_fini(&t->sent);
    cadre_buffer_fini(&t->returned);
}

static int add(struct trip *t, struct cadre_param param, enum cadre_form form,
               const void *data)
{
    int i = t->proto.nparams++;

    t->params[i] = param;
    t->args[i] = (struct cadre_view){form, data};
    return i;
}

static int scalar(struct trip *t, const char *name, cadre_type type,
                  enum cadre_form form, const void *data)
{
    return add(t,
               (struct cadre_param){
                   .name = name, .kind = CADRE_PARAM_SCALAR, .type = type},
               form, data);
}

static int string(struct trip *t, const char *name, enum cadre_form form,
                  const void *data)
{
    return add(t,
               (struct cadre_param){.name = name,
                                    .kind = CADRE_PARAM_STRING,
                                    .type = CADRE_STRING},
               form, data);
}

static int special(struct trip *t, const char *name, enum cadre_param_kind kind)
{
    return add(t, (struct cadre_param){.name = name, .kind = kind},
               CADRE_FORM_ABSENT, NULL);
}

/* An array of as many elements as parameter `length` says. */
static int array(struct trip *t, const char *name,
                 enum cadre_direction direction, cadre_type type, int length,
                 enum cadre_form form, const void *data)
{
    return add(t,
               (struct cadre_param){.name = name,
                                    .kind = CADRE_PARAM_ARRAY,
                                    .direction = direction,
                                    .type = type,
                                    .ndims = 1,
                                    .dims = {{.param = length}}},
               form, data);
}

/* An array of rows x cols elements. */
static int matrix(struct trip *t, const char *name,
                  enum cadre_direction direction, uint64_t rows, uint64_t cols,
                  enum cadre_form form, const void *data)
{
    return add(t,
               (struct cadre_param){.name = name,
                                    .kind = CADRE_PARAM_ARRAY,
                                    .direction = direction,
                                    .type = CADRE_INT32,
                                    .ndims = 2,
                                    .dims = {{.param = -1, .count = rows},
                                             {.param = -1, .count = cols}}},
               form, data);
}

static void want(struct trip *t, int output, enum cadre_form form,
                 const void *data)
{
    t->outputs[output] = (struct cadre_view){form, data};
}

static cadre_err measure(struct trip *t)
{
    cadre_table_fini(&t->table);
    return cadre_table_measure(&t->table, &t->error);
}

/* What measure says is wrong. */
static const char *complaint(struct trip *t, cadre_err expected)
{
    t->error.text[0] = '\0';
    CU_ASSERT_EQUAL(measure(t), expected);
    return t->error.text;
}

/* The worker's loop. */
static cadre_err run_rows(struct trip *t, run_fn run)
{
    bool failed;

    while (cadre_rows_next(t->rows)) {
        failed = run(cadre_rows_args(t->rows), cadre_rows_result(t->rows));
        if (cadre_rows_store(t->rows, failed) != CADRE_OK) {
            CU_ASSERT_EQUAL(cadre_rows_store(t->rows, true), CADRE_OK);
            return CADRE_ENOMEM;
        }
    }
    return CADRE_OK;
}

/* Rows [first, first + count) to the worker. */
static cadre_err send(struct trip *t, uint64_t first, uint64_t count)
{
    cadre_err err;

    if (t->rows == NULL &&
        (err = cadre_rows_create(&t->proto, &t->rows)) != CADRE_OK)
        return err;
    t->sent.len = 0;
    if ((err = cadre_args_pack(&t->table, first, count, &t->sent)) != CADRE_OK)
        return err;
    return cadre_rows_load(t->rows, count, t->sent.data, t->sent.len,
                           &t->error);
}

static cadre_err come_back(struct trip *t, uint64_t first)
{
    uint64_t count = cadre_rows_unflushed(t->rows);
    cadre_err err;

    t->returned.len = 0;
    if ((err = cadre_rows_flush(t->rows, &t->returned)) != CADRE_OK)
        return err;
    CU_ASSERT_EQUAL(cadre_rows_unflushed(t->rows), 0);
    return cadre_outputs_unpack(&t->table, first, count, t->returned.data,
                                t->returned.len, &t->error);
}

/* There and back again. */
static cadre_err travel(struct trip *t, uint64_t first, uint64_t count,
                        run_fn run)
{
    cadre_err err;

    if ((err = send(t, first, count)) != CADRE_OK ||
        (err = run_rows(t, run)) != CADRE_OK)
        return err;
    CU_ASSERT_EQUAL(cadre_rows_unflushed(t->rows), count);
    return come_back(t, first);
}

static void expect_trip(struct trip *t, run_fn run)
{
    CU_ASSERT_EQUAL_FATAL(measure(t), CADRE_OK);
    CU_ASSERT_EQUAL(travel(t, 0, t->table.count, run), CADRE_OK);
}

/* Functions. */

/* int64_t f(int64_t x) */
static bool twice(void **args, void *result)
{
    *(int64_t *)result = *(int64_t *)args[0] * 2;
    return false;
}

/* int64_t f(int64_t x, int64_t y) */
static bool minus(void **args, void *result)
{
    *(int64_t *)result = *(int64_t *)args[0] - *(int64_t *)args[1];
    return false;
}

/* void f(...) */
static bool nothing(void **args, void *result)
{
    (void)args;
    CU_ASSERT_PTR_NULL(result);
    return false;
}

/* int64_t f(int32_t n, const double x[n]) */
static bool sum(void **args, void *result)
{
    const double *x = *(double **)args[1];
    double total = 0;

    for (int32_t i = 0; i < *(int32_t *)args[0]; i++)
        total += x[i];
    *(int64_t *)result = (int64_t)total;
    return false;
}

/* void f(int32_t n, int32_t x[n], OUT int32_t y[n]): a row that starts with 99
 * fails after it has written. */
static bool add_one(void **args, void *result)
{
    int32_t n = *(int32_t *)args[0], *x = *(int32_t **)args[1],
            *y = *(int32_t **)args[2];
    bool failed = n > 0 && x[0] == 99;

    (void)result;
    for (int32_t i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(y[i], 0);
        y[i] = x[i] * 10;
        x[i]++;
    }
    return failed;
}

/* const char *f(const char *a): the same; fails where it is "fail". */
static bool echo(void **args, void *result)
{
    char *text = *(char **)args[0];

    *(char **)result = text;
    return text != NULL && strcmp(text, "fail") == 0;
}

/* char *f(const char *a) */
static bool echo_copy(void **args, void *result)
{
    const char *text = *(char **)args[0];
    size_t len = text != NULL ? strlen(text) + 1 : 0;

    *(char **)result = text != NULL ? malloc(len) : NULL;
    if (*(char **)result != NULL)
        memcpy(*(char **)result, text, len);
    return text != NULL && strcmp(text, "fail") == 0;
}

static void scalars_are_carried(void)
{
    int64_t x[5] = {1, -2, 3, INT64_MAX / 2, 0}, y[5];
    struct trip t;

    init(&t, CADRE_INT64, 5);
    scalar(&t, "x", CADRE_INT64, CADRE_FORM_DENSE, x);
    want(&t, 0, CADRE_FORM_DENSE, y);
    expect_trip(&t, twice);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(y[i], x[i] * 2);
    CU_ASSERT_EQUAL(t.table.bytes_per_row, 16);
    CU_ASSERT_EQUAL(t.table.shared_bytes, 0);
    CU_ASSERT_PTR_NULL(t.table.row_bytes);
    fini(&t);
}

struct spot {
    double x;
    int8_t tag;
};

/* struct spot f(struct spot s, const struct spot p[2], struct spot q[1]): s
 * moved by the sum of p, and q by s. */
static bool move(void **args, void *result)
{
    struct spot s = *(struct spot *)args[0], *q = *(struct spot **)args[2];
    const struct spot *p = *(struct spot **)args[1];

    q->x += s.x;
    s.x += p[0].x + p[1].x;
    s.tag++;
    *(struct spot *)result = s;
    return false;
}

static void structs_are_carried_as_they_lie(void)
{
    static const struct cadre_struct spot = {.name = "struct spot",
                                             .size = sizeof(struct spot)};
    struct spot s[3] = {{1, 1}, {2, 2}, {3, 3}}, got[3];
    struct spot p[6] = {{1, 0}, {1, 0}, {2, 0}, {2, 0}, {3, 0}, {3, 0}};
    struct spot q = {100, 7}, moved[3];
    struct trip t;

    init(&t, CADRE_AGGREGATE, 3);
    t.proto.result_of = &spot;
    scalar(&t, "s", CADRE_AGGREGATE, CADRE_FORM_DENSE, s);
    array(&t, "p", CADRE_DIR_IN, CADRE_AGGREGATE, -1, CADRE_FORM_DENSE, p);
    array(&t, "q", CADRE_DIR_INOUT, CADRE_AGGREGATE, -1, CADRE_FORM_SAME, &q);
    for (int i = 0; i < 3; i++) {
        t.params[i].of = &spot;
        t.params[i].dims[0].count = i == 1 ? 2 : 1;
    }
    want(&t, 0, CADRE_FORM_DENSE, got);
    want(&t, 1, CADRE_FORM_DENSE, moved);
    expect_trip(&t, move);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(got[i].x, 3 * (i + 1));
        CU_ASSERT_EQUAL(got[i].tag, i + 2);
        CU_ASSERT_EQUAL(moved[i].x, 101 + i);
        CU_ASSERT_EQUAL(moved[i].tag, 7);
    }
    CU_ASSERT_EQUAL(t.table.bytes_per_row, 5 * sizeof(struct spot));
    CU_ASSERT_EQUAL(t.table.shared_bytes, sizeof(struct spot));
    fini(&t);
}

static void a_scalar_for_all_rows_is_carried_once(void)
{
    int64_t x[3] = {10, 20, 30}, one = 1, y[3];
    struct trip t;

    init(&t, CADRE_INT64, 3);
    scalar(&t, "x", CADRE_INT64, CADRE_FORM_DENSE, x);
    scalar(&t, "one", CADRE_INT64, CADRE_FORM_SAME, &one);
    want(&t, 0, CADRE_FORM_DENSE, y);
    expect_trip(&t, minus);
    CU_ASSERT_EQUAL(y[0], 9);
    CU_ASSERT_EQUAL(y[1], 19);
    CU_ASSERT_EQUAL(y[2], 29);
    CU_ASSERT_EQUAL(t.table.bytes_per_row, 16);
    CU_ASSERT_EQUAL(t.table.shared_bytes, 8);
    fini(&t);
}

static void rows_travel_in_any_pieces(void)
{
    int64_t x[100], y[100];
    struct trip t;

    for (int i = 0; i < 100; i++)
        x[i] = i;
    init(&t, CADRE_INT64, 100);
    scalar(&t, "x", CADRE_INT64, CADRE_FORM_DENSE, x);
    want(&t, 0, CADRE_FORM_DENSE, y);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL(travel(&t, 7, 93, twice), CADRE_OK);
    CU_ASSERT_EQUAL(travel(&t, 1, 6, twice), CADRE_OK);
    CU_ASSERT_EQUAL(travel(&t, 0, 1, twice), CADRE_OK);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(y[i], 2 * i);
    fini(&t);
}

/* T f(T x), of any type. */
static size_t identity_size;
static bool identity(void **args, void *result)
{
    memcpy(result, args[0], identity_size);
    return false;
}

static void every_scalar_type_is_carried(void)
{
    unsigned char x[96], y[96];
    struct trip t;

    for (size_t i = 0; i < sizeof x; i++)
        x[i] = (unsigned char)(i % 2);
    for (cadre_type type = CADRE_BOOL; type < CADRE_STRING; type++) {
        identity_size = cadre_type_size(type);
        memset(y, 0xff, sizeof y);
        init(&t, type, 3);
        scalar(&t, "x", type, CADRE_FORM_DENSE, x);
        want(&t, 0, CADRE_FORM_DENSE, y);
        expect_trip(&t, identity);
        CU_ASSERT_EQUAL(memcmp(x, y, 3 * identity_size), 0);
        fini(&t);
    }
}

static void a_function_of_nothing_can_be_called(void)
{
    struct trip t;

    init(&t, CADRE_VOID, 4);
    expect_trip(&t, nothing);
    CU_ASSERT_EQUAL(t.table.bytes_per_row, 0);
    CU_ASSERT_EQUAL(t.sent.len, 8);
    fini(&t);
}

static void strings_are_carried_and_null_stays_null(void)
{
    const char *in[] = {"one", NULL, "", "four", NULL};
    char *out[5];
    struct trip t;

    init(&t, CADRE_STRING, 5);
    string(&t, "s", CADRE_FORM_POINTERS, in);
    want(&t, 0, CADRE_FORM_POINTERS, out);
    expect_trip(&t, echo);
    for (int i = 0; i < 5; i++) {
        if (in[i] == NULL)
            CU_ASSERT_PTR_NULL(out[i]);
        if (in[i] != NULL && out[i] != NULL)
            CU_ASSERT_STRING_EQUAL(out[i], in[i]);
        CU_ASSERT_EQUAL(in[i] == NULL, out[i] == NULL);
        free(out[i]);
    }
    fini(&t);
}

static void a_string_for_all_rows_is_carried_once(void)
{
    const char *same = "same";
    char *out[3];
    struct trip t;

    init(&t, CADRE_STRING, 3);
    string(&t, "s", CADRE_FORM_SAME, &same);
    want(&t, 0, CADRE_FORM_POINTERS, out);
    expect_trip(&t, echo);
    CU_ASSERT_EQUAL(t.table.shared_bytes, 6);
    CU_ASSERT_PTR_NULL(t.table.row_bytes);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_STRING_EQUAL(out[i], "same");
        free(out[i]);
    }
    same = NULL;
    expect_trip(&t, echo);
    CU_ASSERT_PTR_NULL(out[0]);
    CU_ASSERT_PTR_NULL(out[2]);
    fini(&t);
}

static void a_result_that_is_to_be_freed_is_freed(void)
{
    const char *in[] = {"one", NULL, "fail", "four"};
    char *out[4];
    struct trip t;

    init(&t, CADRE_STRING, 4);
    t.proto.frees_result = true; /* the leak checker sees what is not */
    string(&t, "s", CADRE_FORM_POINTERS, in);
    want(&t, 0, CADRE_FORM_POINTERS, out);
    expect_trip(&t, echo_copy);
    CU_ASSERT_STRING_EQUAL(out[0], "one");
    CU_ASSERT_PTR_NULL(out[1]);
    CU_ASSERT_PTR_NULL(out[2]);
    CU_ASSERT_STRING_EQUAL(out[3], "four");
    free(out[0]);
    free(out[3]);
    fini(&t);
}

/* void f(int32_t m[2][3]): the transpose of its first two columns. */
static bool swap(void **args, void *result)
{
    int32_t(*m)[3] = *(int32_t(**)[3])args[0], x = m[0][1];

    (void)result;
    m[0][1] = m[1][0];
    m[1][0] = x;
    return false;
}

static void a_matrix_is_changed_in_place(void)
{
    int32_t m[2][2][3] = {{{1, 2, 3}, {4, 5, 6}}, {{7, 8, 9}, {10, 11, 12}}};
    struct trip t;

    init(&t, CADRE_VOID, 2);
    matrix(&t, "m", CADRE_DIR_INOUT, 2, 3, CADRE_FORM_DENSE, m);
    want(&t, 0, CADRE_FORM_DENSE, m);
    expect_trip(&t, swap);
    CU_ASSERT_EQUAL(m[0][0][1], 4);
    CU_ASSERT_EQUAL(m[0][1][0], 2);
    CU_ASSERT_EQUAL(m[1][0][1], 10);
    CU_ASSERT_EQUAL(m[1][1][0], 8);
    CU_ASSERT_EQUAL(m[1][1][2], 12);
    CU_ASSERT_EQUAL(t.table.bytes_per_row, 48);
    CU_ASSERT_EQUAL(cadre_table_length(&t.table, 0, 1), 6);
    fini(&t);
}

static void an_array_is_read_where_the_arguments_lie(void)
{
    int32_t m[2][6] = {{0}};
    unsigned char *pointer;
    struct trip t;

    init(&t, CADRE_VOID, 2);
    matrix(&t, "m", CADRE_DIR_IN, 2, 3, CADRE_FORM_DENSE, m);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(send(&t, 0, 2), CADRE_OK);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_TRUE_FATAL(cadre_rows_next(t.rows));
        pointer = *(unsigned char **)cadre_rows_args(t.rows)[0];
        CU_ASSERT_PTR_EQUAL(pointer, t.sent.data + 32 + i * 24);
        CU_ASSERT_EQUAL(cadre_rows_store(t.rows, false), CADRE_OK);
    }
    CU_ASSERT_FALSE(cadre_rows_next(t.rows));
    fini(&t);
}

/* Four rows of 2, 0, 3 and 1 elements; add_one() fails in the third. */
static const int32_t some_lengths[] = {2, 0, 3, 1};

static void init_some_arrays(struct trip *t, enum cadre_form form,
                             const void *x)
{
    init(t, CADRE_VOID, 4);
    scalar(t, "n", CADRE_INT32, CADRE_FORM_DENSE, some_lengths);
    array(t, "x", CADRE_DIR_INOUT, CADRE_INT32, 0, form, x);
    array(t, "y", CADRE_DIR_OUT, CADRE_INT32, 0, CADRE_FORM_ABSENT, NULL);
}

static void arrays_of_varying_length_lie_one_after_another(void)
{
    int32_t x[6] = {1, 2, 3, 4, 5, 6}, y[6];
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_DENSE, x);
    want(&t, 0, CADRE_FORM_DENSE, x);
    want(&t, 1, CADRE_FORM_DENSE, y);
    expect_trip(&t, add_one);
    for (int i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(x[i], i + 2);
        CU_ASSERT_EQUAL(y[i], (i + 1) * 10);
    }
    CU_ASSERT_EQUAL(t.table.starts[1][3], 5);
    CU_ASSERT_EQUAL(t.table.starts[1][4], 6);
    CU_ASSERT_EQUAL(cadre_table_length(&t.table, 2, 2), 3);
    /* 4 for n, 4 for each x there and back, 4 for each y back */
    CU_ASSERT_EQUAL(t.table.row_bytes[1], 4 + 24);
    CU_ASSERT_EQUAL(t.table.row_bytes[2], 2 * 4 + 24);
    CU_ASSERT_EQUAL(t.table.row_bytes[4], 4 * 4 + 6 * 12);
    CU_ASSERT_EQUAL(t.table.bytes_per_row, 0);
    fini(&t);
}

static void arrays_of_varying_length_travel_in_pieces(void)
{
    int32_t x[6] = {1, 2, 3, 4, 5, 6}, y[6];
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_DENSE, x);
    want(&t, 0, CADRE_FORM_DENSE, x);
    want(&t, 1, CADRE_FORM_DENSE, y);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL(travel(&t, 2, 2, add_one), CADRE_OK);
    CU_ASSERT_EQUAL(travel(&t, 1, 1, add_one), CADRE_OK);
    CU_ASSERT_EQUAL(travel(&t, 0, 1, add_one), CADRE_OK);
    for (int i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(x[i], i + 2);
        CU_ASSERT_EQUAL(y[i], (i + 1) * 10);
    }
    fini(&t);
}

static void arrays_are_gathered_from_pointers_and_scattered_to_them(void)
{
    int32_t a[2] = {1, 2}, c[3] = {3, 4, 5}, d[1] = {6}, y[6];
    int32_t *x[] = {a, NULL, c, d}; /* no elements: may be null */
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_POINTERS, x);
    want(&t, 0, CADRE_FORM_POINTERS, x);
    want(&t, 1, CADRE_FORM_DENSE, y);
    expect_trip(&t, add_one);
    CU_ASSERT_EQUAL(a[0], 2);
    CU_ASSERT_EQUAL(a[1], 3);
    CU_ASSERT_EQUAL(c[0], 4);
    CU_ASSERT_EQUAL(c[2], 6);
    CU_ASSERT_EQUAL(d[0], 7);
    CU_ASSERT_EQUAL(y[5], 60);
    fini(&t);
}

static void lengths_that_happen_to_be_equal_do_not_vary(void)
{
    int32_t n[3] = {2, 2, 2};
    double x[2] = {1, 2};
    int64_t y[3];
    struct trip t;

    init(&t, CADRE_INT64, 3);
    scalar(&t, "n", CADRE_INT32, CADRE_FORM_DENSE, n);
    array(&t, "x", CADRE_DIR_IN, CADRE_DOUBLE, 0, CADRE_FORM_SAME, x);
    want(&t, 0, CADRE_FORM_DENSE, y);
    expect_trip(&t, sum);
    CU_ASSERT_PTR_NULL(t.table.starts[1]);
    CU_ASSERT_EQUAL(t.table.row_len[1], 2);
    CU_ASSERT_EQUAL(t.table.bytes_per_row, 12);
    CU_ASSERT_EQUAL(t.table.shared_bytes, 16);
    CU_ASSERT_EQUAL(y[0], 3);
    CU_ASSERT_EQUAL(y[2], 3);
    fini(&t);
}

static void each_row_changes_its_own_copy_of_a_shared_array(void)
{
    int32_t n = 2, x[2] = {1, 2}, changed[3][2], y[3][2];
    struct trip t;

    init(&t, CADRE_VOID, 3);
    scalar(&t, "n", CADRE_INT32, CADRE_FORM_SAME, &n);
    array(&t, "x", CADRE_DIR_INOUT, CADRE_INT32, 0, CADRE_FORM_SAME, x);
    array(&t, "y", CADRE_DIR_OUT, CADRE_INT32, 0, CADRE_FORM_ABSENT, NULL);
    want(&t, 0, CADRE_FORM_DENSE, changed);
    want(&t, 1, CADRE_FORM_DENSE, y);
    expect_trip(&t, add_one);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(changed[i][0], 2);
        CU_ASSERT_EQUAL(changed[i][1], 3);
        CU_ASSERT_EQUAL(y[i][1], 20);
    }
    CU_ASSERT_EQUAL(x[0], 1);
    CU_ASSERT_EQUAL(t.table.bytes_per_row, 16);
    CU_ASSERT_EQUAL(t.table.shared_bytes, 12);
    fini(&t);
}

static void a_length_may_come_after_its_array(void)
{
    double x[3] = {1, 2, 3};
    int32_t n[2] = {1, 2};
    struct trip t;

    init(&t, CADRE_VOID, 2);
    array(&t, "x", CADRE_DIR_IN, CADRE_DOUBLE, 1, CADRE_FORM_DENSE, x);
    scalar(&t, "n", CADRE_INT32, CADRE_FORM_DENSE, n);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(send(&t, 0, 2), CADRE_OK);
    CU_ASSERT_TRUE_FATAL(cadre_rows_next(t.rows));
    CU_ASSERT_EQUAL(cadre_rows_store(t.rows, false), CADRE_OK);
    CU_ASSERT_TRUE_FATAL(cadre_rows_next(t.rows));
    CU_ASSERT_EQUAL((*(double **)cadre_rows_args(t.rows)[0])[1], 3);
    CU_ASSERT_EQUAL(cadre_rows_store(t.rows, false), CADRE_OK);
    fini(&t);
}

static void out_arrays_are_zero_at_the_start_of_each_batch(void)
{
    int32_t x[6] = {1, 2, 3, 4, 5, 6};
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_DENSE, x);
    expect_trip(&t, add_one); /* it checks */
    expect_trip(&t, add_one);
    fini(&t);
}

static void a_failed_row_has_cleared_outputs(void)
{
    int32_t x[6] = {1, 2, 99, 4, 5, 6}, y[6];
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_DENSE, x);
    want(&t, 0, CADRE_FORM_DENSE, x);
    want(&t, 1, CADRE_FORM_DENSE, y);
    expect_trip(&t, add_one);
    CU_ASSERT_EQUAL(x[1], 3);
    CU_ASSERT_EQUAL(y[1], 20);
    for (int i = 2; i < 5; i++) {
        CU_ASSERT_EQUAL(x[i], 0);
        CU_ASSERT_EQUAL(y[i], 0);
    }
    CU_ASSERT_EQUAL(x[5], 7);
    CU_ASSERT_EQUAL(y[5], 60);
    fini(&t);
}

/* int64_t f(int64_t x): fails if it is odd. */
static bool odd_fails(void **args, void *result)
{
    *(int64_t *)result = -1;
    return *(int64_t *)args[0] % 2 == 1;
}

static void a_failed_row_has_a_result_of_zero(void)
{
    int64_t x[2] = {1, 2}, y[2];
    struct trip t;

    init(&t, CADRE_INT64, 2);
    scalar(&t, "x", CADRE_INT64, CADRE_FORM_DENSE, x);
    want(&t, 0, CADRE_FORM_DENSE, y);
    expect_trip(&t, odd_fails);
    CU_ASSERT_EQUAL(y[0], 0);
    CU_ASSERT_EQUAL(y[1], -1);
    fini(&t);
}

static void outputs_are_flushed_in_parts(void)
{
    const char *in[] = {"a", "bb", "fail", "dddd", "eeeee"};
    char *out[5];
    struct trip t;

    init(&t, CADRE_STRING, 5);
    string(&t, "s", CADRE_FORM_POINTERS, in);
    want(&t, 0, CADRE_FORM_POINTERS, out);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(send(&t, 0, 5), CADRE_OK);
    for (uint64_t row = 0; row < 5; row++) {
        CU_ASSERT_TRUE_FATAL(cadre_rows_next(t.rows));
        CU_ASSERT_EQUAL(
            cadre_rows_store(t.rows, echo(cadre_rows_args(t.rows),
                                          cadre_rows_result(t.rows))),
            CADRE_OK);
        if (row == 1) {
            CU_ASSERT_EQUAL(cadre_rows_unflushed(t.rows), 2);
            CU_ASSERT_EQUAL(come_back(&t, 0), CADRE_OK);
        }
    }
    CU_ASSERT_EQUAL(cadre_rows_unflushed(t.rows), 3);
    CU_ASSERT_EQUAL(come_back(&t, 2), CADRE_OK);
    CU_ASSERT_STRING_EQUAL(out[1], "bb");
    CU_ASSERT_PTR_NULL(out[2]);
    CU_ASSERT_STRING_EQUAL(out[4], "eeeee");
    for (int i = 0; i < 5; i++)
        free(out[i]);
    fini(&t);
}

static void array_outputs_are_flushed_in_parts(void)
{
    int32_t x[6] = {1, 2, 3, 4, 5, 6}, y[6];
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_DENSE, x);
    want(&t, 0, CADRE_FORM_DENSE, x);
    want(&t, 1, CADRE_FORM_DENSE, y);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(send(&t, 0, 4), CADRE_OK);
    for (uint64_t row = 0; row < 4; row++) {
        CU_ASSERT_TRUE_FATAL(cadre_rows_next(t.rows));
        add_one(cadre_rows_args(t.rows), NULL);
        CU_ASSERT_EQUAL(cadre_rows_store(t.rows, false), CADRE_OK);
        CU_ASSERT_EQUAL(come_back(&t, row), CADRE_OK);
    }
    for (int i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(x[i], i + 2);
        CU_ASSERT_EQUAL(y[i], (i + 1) * 10);
    }
    fini(&t);
}

static void a_flush_of_no_rows_is_empty_columns(void)
{
    struct trip t;

    init(&t, CADRE_STRING, 1);
    matrix(&t, "m", CADRE_DIR_OUT, 2, 3, CADRE_FORM_ABSENT, NULL);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_rows_create(&t.proto, &t.rows), CADRE_OK);
    CU_ASSERT_FALSE(cadre_rows_next(t.rows));
    CU_ASSERT_EQUAL(come_back(&t, 0), CADRE_OK);
    fini(&t);
}

static void what_is_bound_is_an_argument_of_every_row(void)
{
    int object = 0, *pointer = &object;
    struct trip t;
    void **args;

    init(&t, CADRE_VOID, 2);
    special(&t, "comm", CADRE_PARAM_COMM);
    special(&t, "thing", CADRE_PARAM_OBJECT);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(send(&t, 0, 1), CADRE_OK);
    cadre_rows_bind(t.rows, 1, &pointer);
    for (int batch = 0; batch < 2; batch++) {
        CU_ASSERT_EQUAL_FATAL(send(&t, 0, 2), CADRE_OK);
        while (cadre_rows_next(t.rows)) {
            args = cadre_rows_args(t.rows);
            CU_ASSERT_PTR_NULL(*(void **)args[0]);
            CU_ASSERT_PTR_EQUAL(*(void **)args[1], &object);
            CU_ASSERT_EQUAL(cadre_rows_store(t.rows, false), CADRE_OK);
        }
    }
    fini(&t);
}

static void outputs_that_nobody_wants_are_skipped(void)
{
    int32_t x[6] = {1, 2, 3, 4, 5, 6};
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_DENSE, x);
    expect_trip(&t, add_one);
    CU_ASSERT_EQUAL(x[0], 1);
    fini(&t);
}

static void a_table_of_no_rows_can_be_measured(void)
{
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_DENSE, NULL);
    t.table.count = 0;
    t.args[0].data = NULL;
    CU_ASSERT_EQUAL(measure(&t), CADRE_OK);
    fini(&t);
}

static void a_missing_value_is_named(void)
{
    int64_t x = 0;
    struct trip t;

    init(&t, CADRE_VOID, 1);
    scalar(&t, "x", CADRE_INT64, CADRE_FORM_DENSE, &x);
    scalar(&t, "y", CADRE_INT64, CADRE_FORM_ABSENT, NULL);
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 2 `y` has no value");
    t.params[1].name = "";
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 2 has no value");
    t.args[1].form = CADRE_FORM_DENSE;
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 2 is a null pointer");
    fini(&t);
}

static void a_missing_length_is_named_with_its_array(void)
{
    int32_t x[6] = {0};
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_DENSE, x);
    t.args[0].form = CADRE_FORM_ABSENT;
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 2 `x` has its length in parameter 1 `n`, "
                           "which has no value");
    fini(&t);
}

static void a_form_that_a_parameter_cannot_have_is_refused(void)
{
    const char *texts[] = {"a", "b"};
    int64_t x[2] = {0};
    struct trip t;

    init(&t, CADRE_STRING, 2);
    scalar(&t, "x", CADRE_INT64, CADRE_FORM_POINTERS, x);
    string(&t, "s", CADRE_FORM_POINTERS, texts);
    special(&t, "o", CADRE_PARAM_OBJECT);
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 1 `x` cannot have this form");
    t.args[0].form = (enum cadre_form)17;
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 1 `x` cannot have this form");
    t.args[0].form = CADRE_FORM_DENSE;
    t.args[1].form = CADRE_FORM_DENSE;
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 2 `s` cannot have this form");
    t.args[1].form = CADRE_FORM_POINTERS;
    t.args[2].form = CADRE_FORM_SAME;
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 3 `o` takes no value");
    t.args[2].form = CADRE_FORM_ABSENT;
    want(&t, 0, CADRE_FORM_DENSE, texts);
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "the result cannot be filled in this form");
    want(&t, 0, CADRE_FORM_POINTERS, NULL);
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "the result is to go to a null pointer");
    want(&t, 0, CADRE_FORM_POINTERS, texts);
    CU_ASSERT_EQUAL(measure(&t), CADRE_OK);
    fini(&t);
}

static void an_impossible_length_is_named_with_its_row(void)
{
    int32_t n[2] = {1, -3};
    double x[1] = {0};
    int64_t many[2] = {1, INT64_MAX};
    struct trip t;

    init(&t, CADRE_VOID, 2);
    scalar(&t, "n", CADRE_INT32, CADRE_FORM_DENSE, n);
    array(&t, "x", CADRE_DIR_IN, CADRE_DOUBLE, 0, CADRE_FORM_DENSE, x);
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_ETYPE),
                           "parameter 2 `x`, row 1: its length, parameter 1 "
                           "`n`, is negative or too large");
    t.params[0].type = CADRE_INT64;
    t.args[0].data = many;
    CU_ASSERT_STRING_EQUAL(
        complaint(&t, CADRE_ETYPE),
        "parameter 2 `x`, row 1: more elements than there can be");
    t.params[1].type = CADRE_INT8; /* each is possible, both are not */
    many[0] = INT64_MAX;
    many[1] = INT64_MAX;
    t.table.count = 3;
    t.args[0] = (struct cadre_view){CADRE_FORM_SAME, many};
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_ETYPE),
                           "the rows have more bytes than there can be");
    fini(&t);
}

static void a_product_of_lengths_that_overflows_is_refused(void)
{
    struct trip t;

    init(&t, CADRE_VOID, 1);
    matrix(&t, "m", CADRE_DIR_OUT, UINT64_C(1) << 40, UINT64_C(1) << 40,
           CADRE_FORM_ABSENT, NULL);
    CU_ASSERT_STRING_EQUAL(
        complaint(&t, CADRE_ETYPE),
        "parameter 1 `m`, row 0: more elements than there can be");
    fini(&t);
}

static void a_shared_array_of_several_lengths_is_refused(void)
{
    int32_t x[6] = {0};
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_SAME, x);
    CU_ASSERT_STRING_EQUAL(
        complaint(&t, CADRE_ETYPE),
        "parameter 2 `x` is the same in all rows, but its length differs");
    fini(&t);
}

static void a_null_array_of_some_elements_is_refused(void)
{
    int32_t a[3] = {0};
    int32_t *x[] = {a, NULL, NULL, a};
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_POINTERS, x);
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 2 `x`, row 2: a null pointer");
    x[2] = a;
    want(&t, 1, CADRE_FORM_DENSE, NULL);
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 3 `y` is a null pointer");
    t.args[1] = (struct cadre_view){CADRE_FORM_DENSE, NULL};
    CU_ASSERT_STRING_EQUAL(complaint(&t, CADRE_EINVAL),
                           "parameter 2 `x` is a null pointer");
    fini(&t);
}

/* A prototype with a column of each kind, two rows of it. */
static void init_every_kind(struct trip *t)
{
    static const int32_t n[2] = {1, 2}, x[3] = {1, 2, 3};
    static const char *const texts[2] = {"one", NULL};
    static const int64_t same = 5;

    init(t, CADRE_STRING, 2);
    scalar(t, "n", CADRE_INT32, CADRE_FORM_DENSE, n);
    array(t, "x", CADRE_DIR_INOUT, CADRE_INT32, 0, CADRE_FORM_DENSE, x);
    array(t, "y", CADRE_DIR_OUT, CADRE_DOUBLE, 0, CADRE_FORM_ABSENT, NULL);
    string(t, "s", CADRE_FORM_POINTERS, texts);
    scalar(t, "same", CADRE_INT64, CADRE_FORM_SAME, &same);
    matrix(t, "m", CADRE_DIR_INOUT, 1, 3, CADRE_FORM_SAME, x);
    CU_ASSERT_EQUAL_FATAL(measure(t), CADRE_OK);
}

/* Load a copy of what was sent that has exactly its `len` bytes. */
static cadre_err load_copy(struct trip *t, size_t len)
{
    unsigned char *copy = malloc(len + 1);
    cadre_err err;

    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, t->sent.data, len);
    t->error.text[0] = '\0';
    err = cadre_rows_load(t->rows, 2, copy, len, &t->error);
    if (err != CADRE_OK)
        CU_ASSERT_FALSE(cadre_rows_next(t->rows));
    free(copy);
    return err;
}

static void arguments_cut_anywhere_are_refused(void)
{
    struct trip t;

    init_every_kind(&t);
    CU_ASSERT_EQUAL_FATAL(send(&t, 0, 2), CADRE_OK);
    for (size_t len = 0; len < t.sent.len; len++) {
        CU_ASSERT_EQUAL(load_copy(&t, len), CADRE_EPROTO);
        CU_ASSERT_PTR_NOT_NULL(strstr(t.error.text, "arguments: "));
    }
    CU_ASSERT_EQUAL(load_copy(&t, t.sent.len), CADRE_OK);
    fini(&t);
}

/* Change the sent byte at `offset` and expect a refusal that says `words`. */
static void expect_damage(struct trip *t, size_t offset, unsigned value,
                          const char *words)
{
    unsigned char byte = t->sent.data[offset];

    t->sent.data[offset] = (unsigned char)value;
    CU_ASSERT_EQUAL(load_copy(t, t->sent.len), CADRE_EPROTO);
    if (strstr(t->error.text, words) == NULL)
        printf("\n    %s\n    expected '%s'\n", t->error.text, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(t->error.text, words));
    t->sent.data[offset] = byte;
}

static void damaged_arguments_are_refused(void)
{
    enum { HEAD = 8, COLUMN = 16, N = 112, X = 128, S = 144 };
    struct trip t;

    init_every_kind(&t);
    CU_ASSERT_EQUAL_FATAL(send(&t, 0, 2), CADRE_OK);
    expect_damage(&t, 0, 5, "5 columns instead of 6");
    expect_damage(&t, 4, 1, "columns");
    expect_damage(&t, HEAD, CADRE_FORM_POINTERS, "damaged header");
    expect_damage(&t, HEAD, CADRE_FORM_ABSENT, "`n` is absent but has bytes");
    expect_damage(&t, HEAD, CADRE_FORM_COUNTED, "`n` has a form for outputs");
    expect_damage(&t, HEAD, CADRE_FORM_SAME, "`n` has the wrong number");
    expect_damage(&t, HEAD + 1, CADRE_FLOAT, "`n` is of another type");
    expect_damage(&t, HEAD + 1, CADRE_AGGREGATE + 1, "damaged header");
    expect_damage(&t, HEAD + 2, 1, "damaged header");
    expect_damage(&t, HEAD + 7, 1, "damaged header");
    expect_damage(&t, HEAD + 8, 12, "`n` has the wrong number");
    expect_damage(&t, HEAD + 15, 0xff, "column 1 is cut short");
    expect_damage(&t, HEAD + COLUMN, CADRE_FORM_SAME, "several lengths");
    expect_damage(&t, HEAD + 2 * COLUMN, CADRE_FORM_DENSE,
                  "`y` is not to be sent");
    expect_damage(&t, N, 2, "`x` has the wrong number of elements");
    expect_damage(&t, N + 3, 0x80, "`x`, row 0: its length");
    expect_damage(&t, S, 2, "`s` has a damaged string");
    expect_damage(&t, S, 0, "`s` has a damaged string");
    expect_damage(&t, S + 1, 0, "`s` has a damaged string");
    expect_damage(&t, S + 2, 0, "`s` has a damaged string");
    expect_damage(&t, S + 4, 'x', "`s` has a damaged string");
    expect_damage(&t, HEAD + 3 * COLUMN + 8, 1, "`s` has fewer strings");
    expect_damage(&t, HEAD + 3 * COLUMN + 8, 7, "`s` has more strings");
    CU_ASSERT_EQUAL(
        cadre_rows_load(t.rows, UINT64_MAX, t.sent.data, t.sent.len, NULL),
        CADRE_EPROTO);
    fini(&t);
}

static void an_absent_argument_with_bytes_is_refused(void)
{
    struct trip t;

    init(&t, CADRE_VOID, 2);
    matrix(&t, "m", CADRE_DIR_OUT, 1, 3, CADRE_FORM_ABSENT, NULL);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(send(&t, 0, 2), CADRE_OK);
    t.sent.data[t.sent.len++] = 0;
    t.sent.data[8 + 8] = 1;
    CU_ASSERT_EQUAL(load_copy(&t, t.sent.len), CADRE_EPROTO);
    CU_ASSERT_STRING_EQUAL(
        t.error.text, "arguments: parameter 1 `m` is absent but has bytes");
    fini(&t);
}

/* The outputs of a trip of init_every_kind(), flushed but not unpacked. */
static void return_every_kind(struct trip *t)
{
    CU_ASSERT_EQUAL_FATAL(send(t, 0, 2), CADRE_OK);
    while (cadre_rows_next(t->rows)) {
        *(const char **)cadre_rows_result(t->rows) = "text";
        CU_ASSERT_EQUAL_FATAL(cadre_rows_store(t->rows, false), CADRE_OK);
    }
    CU_ASSERT_EQUAL_FATAL(cadre_rows_flush(t->rows, &t->returned), CADRE_OK);
}

static cadre_err unpack_copy(struct trip *t, size_t len)
{
    unsigned char *copy = malloc(len + 1);
    cadre_err err;

    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(copy, t->returned.data, len);
    t->error.text[0] = '\0';
    err = cadre_outputs_unpack(&t->table, 0, 2, copy, len, &t->error);
    free(copy);
    return err;
}

static void damaged_outputs_are_refused_and_none_is_copied(void)
{
    char *texts[2] = {NULL, NULL};
    int32_t x[3] = {-1, -1, -1};
    struct trip t;

    init_every_kind(&t);
    want(&t, 0, CADRE_FORM_POINTERS, texts);
    want(&t, 1, CADRE_FORM_DENSE, x);
    return_every_kind(&t);
    for (size_t len = 0; len < t.returned.len; len++) {
        CU_ASSERT_EQUAL(unpack_copy(&t, len), CADRE_EPROTO);
        CU_ASSERT_PTR_NOT_NULL(strstr(t.error.text, "outputs: "));
    }
    for (size_t column = 0; column < 4; column++) { /* unwanted ones too */
        t.returned.data[8 + column * 16] = CADRE_FORM_SAME;
        CU_ASSERT_EQUAL(unpack_copy(&t, t.returned.len), CADRE_EPROTO);
        t.returned.data[8 + column * 16] = CADRE_FORM_DENSE;
        t.returned.data[8 + column * 16 + 1] ^= 1;
        CU_ASSERT_EQUAL(unpack_copy(&t, t.returned.len), CADRE_EPROTO);
        t.returned.data[8 + column * 16 + 1] ^= 1;
        t.returned.data[8 + column * 16 + 8] -= 4;
        CU_ASSERT_EQUAL(unpack_copy(&t, t.returned.len), CADRE_EPROTO);
        t.returned.data[8 + column * 16 + 8] += 4;
    }
    CU_ASSERT_PTR_NULL(texts[0]);
    CU_ASSERT_EQUAL(x[0], -1);
    CU_ASSERT_EQUAL(unpack_copy(&t, t.returned.len), CADRE_OK);
    CU_ASSERT_STRING_EQUAL(texts[1], "text");
    CU_ASSERT_EQUAL(x[2], 3);
    free(texts[0]);
    free(texts[1]);
    fini(&t);
}

static void after_the_first_batch_nothing_is_allocated(void)
{
    int32_t x[6] = {1, 2, 3, 4, 5, 6};
    const char *texts[4] = {"a", "b", NULL, "d"};
    unsigned long before;
    struct trip t;

    init_some_arrays(&t, CADRE_FORM_DENSE, x);
    t.proto.result = CADRE_STRING;
    string(&t, "s", CADRE_FORM_POINTERS, texts);
    matrix(&t, "m", CADRE_DIR_INOUT, 2, 3, CADRE_FORM_SAME, x);
    expect_trip(&t, add_one);
    before = alloc_count();
    for (int i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(travel(&t, 0, 4, add_one), CADRE_OK);
    CU_ASSERT_EQUAL(alloc_count(), before);
    fini(&t);
}

static void without_memory_nothing_is_lost_but_the_trip(void)
{
    const char *in[] = {"a string", "fail", NULL};
    char *out[3];
    struct trip t;
    cadre_err err = CADRE_ENOMEM;
    unsigned n;

    for (n = 1; err != CADRE_OK; n++) {
        memset(out, 0, sizeof out);
        init(&t, CADRE_STRING, 3);
        t.proto.frees_result = true;
        string(&t, "s", CADRE_FORM_POINTERS, in);
        want(&t, 0, CADRE_FORM_POINTERS, out);
        alloc_fail_at(n);
        if ((err = measure(&t)) == CADRE_OK)
            err = travel(&t, 0, 3, echo_copy);
        /* echo_copy() itself has no way to say so */
        if (alloc_has_failed() && err == CADRE_OK && out[0] == NULL)
            err = CADRE_ENOMEM;
        if (err != CADRE_OK)
            CU_ASSERT_EQUAL(err, CADRE_ENOMEM);
        if (err == CADRE_OK && n > 4)
            CU_ASSERT_STRING_EQUAL(out[0], "a string");
        for (int i = 0; i < 3; i++)
            free(out[i]);
        fini(&t);
    }
    CU_ASSERT(n > 8);
}

static void without_memory_a_batch_of_arrays_fails_cleanly(void)
{
    cadre_err err = CADRE_ENOMEM;
    struct trip t;
    unsigned n;

    for (n = 1; err != CADRE_OK; n++) {
        int32_t x[6] = {1, 2, 3, 4, 5, 6};

        init_some_arrays(&t, CADRE_FORM_DENSE, x);
        matrix(&t, "m", CADRE_DIR_INOUT, 2, 3, CADRE_FORM_SAME, x);
        want(&t, 0, CADRE_FORM_DENSE, x);
        alloc_fail_at(n);
        if ((err = measure(&t)) == CADRE_OK)
            err = travel(&t, 0, 4, add_one);
        CU_ASSERT_EQUAL(err, alloc_has_failed() ? CADRE_ENOMEM : CADRE_OK);
        CU_ASSERT_EQUAL(x[0], err == CADRE_OK ? 2 : 1);
        fini(&t);
    }
    CU_ASSERT(n > 8);
}

static void without_memory_a_flush_can_be_repeated(void)
{
    int64_t x[3] = {1, 2, 3}, y[3];
    struct trip t;

    init(&t, CADRE_INT64, 3);
    scalar(&t, "x", CADRE_INT64, CADRE_FORM_DENSE, x);
    want(&t, 0, CADRE_FORM_DENSE, y);
    CU_ASSERT_EQUAL_FATAL(measure(&t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(send(&t, 0, 3), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(run_rows(&t, twice), CADRE_OK);
    alloc_fail_at(1);
    CU_ASSERT_EQUAL(cadre_rows_flush(t.rows, &t.returned), CADRE_ENOMEM);
    CU_ASSERT_TRUE(alloc_has_failed());
    CU_ASSERT_EQUAL(t.returned.len, 0);
    CU_ASSERT_EQUAL(cadre_rows_unflushed(t.rows), 3);
    CU_ASSERT_EQUAL(come_back(&t, 0), CADRE_OK);
    CU_ASSERT_EQUAL(y[2], 6);
    fini(&t);
}

/* --- large arrays ----------------------------------------------------------
 */

enum { LARGE = CADRE_BULK_MIN / 4 }; /* elements of the smallest that is */

/* What the channel does: other memory for each bulk, unless it is placed. */
static void carry_bulks(const struct cadre_buffer *from, struct cadre_bulks *to)
{
    for (size_t i = 0; i < from->bulks.count; i++) {
        struct cadre_bulk *b = &to->list[i];

        if (b->data == NULL) {
            b->data = malloc(b->len);
            b->is_owned = true;
        }
        memcpy(b->data, from->bulks.list[i].data, b->len);
    }
}

static struct cadre_bulks announced(const struct cadre_buffer *from)
{
    struct cadre_bulks to = {0};

    CU_ASSERT_TRUE_FATAL(cadre_bulks_reserve(&to, from->bulks.count));
    for (; to.count < from->bulks.count; to.count++)
        to.list[to.count] =
            (struct cadre_bulk){.len = from->bulks.list[to.count].len};
    return to;
}

/* void f(int32_t n, int32_t x[n]), with two rows of LARGE elements. */
static void init_large(struct trip *t, const int32_t *n, const int32_t *x,
                       struct cadre_keeper *keeper)
{
    init(t, CADRE_VOID, 2);
    array(t, "x", CADRE_DIR_INOUT, CADRE_INT32,
          scalar(t, "n", CADRE_INT32, CADRE_FORM_SAME, n), CADRE_FORM_DENSE, x);
    want(t, 0, CADRE_FORM_DENSE, x);
    t->table.keeper = keeper;
    CU_ASSERT_EQUAL_FATAL(measure(t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_rows_create(&t->proto, &t->rows), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_args_pack(&t->table, 0, 2, &t->sent), CADRE_OK);
}

static void a_large_array_stays_where_it_is_until_it_is_sent(void)
{
    int32_t n = LARGE, *x = calloc(2 * LARGE, sizeof *x), *got;
    struct cadre_keeper keeper = {0}, outputs = {0};
    struct cadre_bulks bulks;
    struct trip t;

    x[0] = 1;
    x[LARGE] = 2;
    init_large(&t, &n, x, &keeper);
    CU_ASSERT_EQUAL_FATAL(t.sent.bulks.count, 1);
    CU_ASSERT_PTR_EQUAL(t.sent.bulks.list[0].data, x);
    CU_ASSERT(t.sent.len < 100);
    CU_ASSERT_EQUAL(keeper.count, 1);
    bulks = announced(&t.sent);
    carry_bulks(&t.sent, &bulks);
    cadre_buffer_cut(&t.sent, 0);
    CU_ASSERT_EQUAL(keeper.count, 0);

    cadre_rows_keep(t.rows, &outputs);
    t.sent.len = 0;
    CU_ASSERT_EQUAL_FATAL(cadre_args_pack(&t.table, 0, 2, &t.sent), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_rows_load_with(t.rows, 2, t.sent.data, t.sent.len,
                                         &bulks, &t.error),
                    CADRE_OK);
    CU_ASSERT_TRUE_FATAL(cadre_rows_next(t.rows));
    got = *(int32_t **)cadre_rows_args(t.rows)[1];
    CU_ASSERT_PTR_EQUAL(got, bulks.list[0].data);
    got[1] = 10;
    CU_ASSERT_EQUAL(cadre_rows_store(t.rows, false), CADRE_OK);
    CU_ASSERT_TRUE_FATAL(cadre_rows_next(t.rows));
    got = *(int32_t **)cadre_rows_args(t.rows)[1];
    got[1] = 20;
    CU_ASSERT_EQUAL(cadre_rows_store(t.rows, false), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_rows_flush(t.rows, &t.returned), CADRE_OK);
    CU_ASSERT_EQUAL(outputs.count, 1);
    CU_ASSERT_PTR_EQUAL(t.returned.bulks.list[0].data, bulks.list[0].data);

    struct cadre_bulks back = announced(&t.returned);

    cadre_outputs_place(&t.table, 0, 2, t.returned.data, t.returned.len, &back);
    CU_ASSERT_PTR_EQUAL(back.list[0].data, x);
    CU_ASSERT_EQUAL(keeper.count, 2);
    carry_bulks(&t.returned, &back);
    CU_ASSERT_EQUAL(cadre_outputs_unpack_with(&t.table, 0, 2, t.returned.data,
                                              t.returned.len, &back, &t.error),
                    CADRE_OK);
    CU_ASSERT(x[0] == 1 && x[1] == 10 && x[LARGE] == 2 && x[LARGE + 1] == 20);
    cadre_bulks_fini(&back);
    cadre_bulks_fini(&bulks);
    fini(&t);
    CU_ASSERT_EQUAL(keeper.count, 0);
    CU_ASSERT_EQUAL(outputs.count, 0);
    free(x);
}

static void outputs_without_their_large_array_are_refused(void)
{
    int32_t n = LARGE, *x = calloc(2 * LARGE, sizeof *x);
    struct cadre_keeper keeper = {0};
    struct cadre_bulks bulks, none = {0}, taken;
    struct trip t;

    init_large(&t, &n, x, &keeper);
    bulks = announced(&t.sent);
    CU_ASSERT_EQUAL(
        cadre_rows_load(t.rows, 2, t.sent.data, t.sent.len, &t.error),
        CADRE_EPROTO); /* where there are no bulks */
    CU_ASSERT_EQUAL(cadre_rows_load_with(t.rows, 2, t.sent.data, t.sent.len,
                                         &none, &t.error),
                    CADRE_EPROTO);
    CU_ASSERT_EQUAL(cadre_rows_load_with(t.rows, 2, t.sent.data, t.sent.len,
                                         &bulks, &t.error),
                    CADRE_EPROTO); /* where it has not come */
    carry_bulks(&t.sent, &bulks);
    bulks.list[0].len--;
    CU_ASSERT_EQUAL(cadre_rows_load_with(t.rows, 2, t.sent.data, t.sent.len,
                                         &bulks, &t.error),
                    CADRE_EPROTO);
    bulks.list[0].len++;
    CU_ASSERT_EQUAL(cadre_rows_load_with(t.rows, 2, t.sent.data, t.sent.len,
                                         &bulks, &t.error),
                    CADRE_OK);
    run_rows(&t, nothing);
    cadre_rows_keep(t.rows, &keeper);
    CU_ASSERT_EQUAL(cadre_rows_flush(t.rows, &t.returned), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_outputs_unpack(&t.table, 0, 2, t.returned.data,
                                         t.returned.len, &t.error),
                    CADRE_EPROTO);
    CU_ASSERT_EQUAL(cadre_outputs_take_bulks(&t.proto, t.returned.data,
                                             t.returned.len, &bulks, &taken,
                                             &t.error),
                    CADRE_OK);
    CU_ASSERT_PTR_NOT_NULL(taken.list[0].data);
    CU_ASSERT_EQUAL(cadre_outputs_unpack_with(&t.table, 0, 2, t.returned.data,
                                              t.returned.len, &taken, &t.error),
                    CADRE_OK);
    cadre_bulks_fini(&taken);
    CU_ASSERT_EQUAL(cadre_outputs_take_bulks(&t.proto, t.returned.data,
                                             t.returned.len, &bulks, &taken,
                                             &t.error),
                    CADRE_EPROTO); /* it has been taken */
    cadre_bulks_fini(&bulks);
    fini(&t);
    CU_ASSERT_EQUAL(keeper.count, 0);
    free(x);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(scalars_are_carried),
        CHECK(structs_are_carried_as_they_lie),
        CHECK(a_scalar_for_all_rows_is_carried_once),
        CHECK(rows_travel_in_any_pieces),
        CHECK(every_scalar_type_is_carried),
        CHECK(a_function_of_nothing_can_be_called),
        CHECK(strings_are_carried_and_null_stays_null),
        CHECK(a_string_for_all_rows_is_carried_once),
        CHECK(a_result_that_is_to_be_freed_is_freed),
        CHECK(a_matrix_is_changed_in_place),
        CHECK(an_array_is_read_where_the_arguments_lie),
        CHECK(arrays_of_varying_length_lie_one_after_another),
        CHECK(arrays_of_varying_length_travel_in_pieces),
        CHECK(arrays_are_gathered_from_pointers_and_scattered_to_them),
        CHECK(lengths_that_happen_to_be_equal_do_not_vary),
        CHECK(each_row_changes_its_own_copy_of_a_shared_array),
        CHECK(a_length_may_come_after_its_array),
        CHECK(out_arrays_are_zero_at_the_start_of_each_batch),
        CHECK(a_failed_row_has_cleared_outputs),
        CHECK(a_failed_row_has_a_result_of_zero),
        CHECK(outputs_are_flushed_in_parts),
        CHECK(array_outputs_are_flushed_in_parts),
        CHECK(a_flush_of_no_rows_is_empty_columns),
        CHECK(what_is_bound_is_an_argument_of_every_row),
        CHECK(outputs_that_nobody_wants_are_skipped),
        CHECK(a_table_of_no_rows_can_be_measured),
        CHECK(a_missing_value_is_named),
        CHECK(a_missing_length_is_named_with_its_array),
        CHECK(a_form_that_a_parameter_cannot_have_is_refused),
        CHECK(an_impossible_length_is_named_with_its_row),
        CHECK(a_product_of_lengths_that_overflows_is_refused),
        CHECK(a_shared_array_of_several_lengths_is_refused),
        CHECK(a_null_array_of_some_elements_is_refused),
        CHECK(arguments_cut_anywhere_are_refused),
        CHECK(damaged_arguments_are_refused),
        CHECK(an_absent_argument_with_bytes_is_refused),
        CHECK(damaged_outputs_are_refused_and_none_is_copied),
        CHECK(after_the_first_batch_nothing_is_allocated),
        CHECK(without_memory_nothing_is_lost_but_the_trip),
        CHECK(without_memory_a_batch_of_arrays_fails_cleanly),
        CHECK(a_large_array_stays_where_it_is_until_it_is_sent),
        CHECK(outputs_without_their_large_array_are_refused),
        CHECK(without_memory_a_flush_can_be_repeated),
        {NULL, NULL},
    };

    return check_run("pack", tests);
}
