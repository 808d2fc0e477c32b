/* mpi_pool_structs.c - structs, complex numbers and arrays of several
 * dimensions through real workers.
 */
#include "mpi_pool.h"

#include <complex.h>
#include <stdlib.h>
#include <string.h>

#define CORNERS 3

CADRE_STRUCT(spot, double x, y; char tag;);
CADRE_STRUCT(shape, spot corners[CORNERS]; long double area; float _Complex z;
             _Bool is_open;);
CADRE_STRUCT(other, int a, b, c;);

/* --- structs ----------------------------------------------------------------
 */

CADRE_TASK(spot, moved, (struct spot s, double by))
{
    s.x += by;
    s.y -= by;
    s.tag++;
    return s;
}

CADRE_TASK(shape, framed,
           (int many, const spot s[many], CADRE_OUT struct spot last[1],
            shape seen[2]))
{
    shape found = {.area = many, .z = 1 - 2 * I, .is_open = many > 0};

    for (int i = 0; i < many && i < CORNERS; i++)
        found.corners[i] = s[i];
    last[0] = found.corners[0];
    seen[1] = seen[0];
    seen[0] = found;
    return found;
}

static void structs_go_there_and_back_by_value(void)
{
    struct cadre_pool *pool = pool_of(2);
    spot in[50], out[50];
    double by[50];

    for (int i = 0; i < 50; i++) {
        in[i] = (spot){.x = i, .y = 100 + i, .tag = (char)i};
        by[i] = 0.5 * i;
    }
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(moved), 50,
                                CADRE_COLUMNS(CADRE_EACH(in), CADRE_EACH(by)),
                                CADRE_INTO(out)));
    for (int i = 0; i < 50; i++) {
        CU_ASSERT_EQUAL(out[i].x, 1.5 * i);
        CU_ASSERT_EQUAL(out[i].y, 100 + 0.5 * i);
        CU_ASSERT_EQUAL(out[i].tag, i + 1);
    }
    CHECK_OK(cadre_pool_starmap(
        pool, CADRE_FN(moved), 50,
        CADRE_COLUMNS(CADRE_SAME(&in[7]), CADRE_EACH(by)), CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[49].x, 7 + 24.5);
    cadre_pool_destroy(pool);
}

static void arrays_of_structs_go_in_and_out(void)
{
    struct cadre_pool *pool = pool_of(2);
    int many[2] = {1, 2};
    spot s[3] = {{1, 2, 'a'}, {3, 4, 'b'}, {5, 6, 'c'}}, last[2][1];
    spot *rows[2] = {s, s + 1};
    shape out[2], seen[2][2];

    memset(seen, 0, sizeof seen);
    seen[1][0].area = 70;
    CHECK_OK(cadre_pool_starmap(
        pool, CADRE_FN(framed), 2,
        CADRE_COLUMNS(CADRE_EACH(many), CADRE_EACH(rows), CADRE_EACH(seen)),
        CADRE_INTO(out, last, seen)));
    CU_ASSERT_EQUAL(out[1].area, 2);
    CU_ASSERT_EQUAL(out[1].corners[1].tag, 'c');
    CU_ASSERT_TRUE(out[1].z == 1 - 2 * I);
    CU_ASSERT_TRUE(out[1].is_open);
    CU_ASSERT_EQUAL(last[1][0].x, 3);
    CU_ASSERT_EQUAL(seen[1][1].area, 70);
    CU_ASSERT_EQUAL(seen[0][0].corners[0].tag, 'a');
    cadre_pool_destroy(pool);
}

static void a_struct_is_one_argument_of_a_task(void)
{
    struct cadre_pool *pool = pool_of(1);
    spot s = {.x = 1, .y = 2, .tag = 3}, out = {.x = 0}, last;
    shape seen[2] = {{.area = 1}, {.area = 2}}, found;
    struct cadre_future *f;

    f = cadre_submit(pool, CADRE_FN(moved), s, 1);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&out)));
    CU_ASSERT_EQUAL(out.x, 2);
    cadre_future_free(f);

    f = cadre_submit(pool, CADRE_FN(moved), CADRE_ARG("by", 2.5),
                     CADRE_ARG("s", ((spot){.x = 40})));
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&out)));
    CU_ASSERT_EQUAL(out.x, 42.5);
    cadre_future_free(f);

    f = cadre_submit(pool, CADRE_FN(framed), 1, CADRE_ARRAY(&s),
                     CADRE_ARRAY(seen));
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&found, &last, seen)));
    CU_ASSERT_EQUAL(found.corners[0].y, 2);
    CU_ASSERT_EQUAL(last.tag, 3);
    CU_ASSERT_EQUAL(seen[1].area, 1);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

/* Give ten rows. */
static bool next_spot(void *user, struct cadre_row *row)
{
    int *given = user;
    spot s = {.x = *given, .tag = 1};

    if (*given == 10)
        return false;
    CHECK_OK(cadre_row_give(row, s, *given));
    ++*given;
    return true;
}

static bool on_spot(void *user, const struct cadre_item *item)
{
    const spot *s = item->outputs[0].data;

    (void)user;
    CU_ASSERT_EQUAL(item->outputs[0].type, CADRE_AGGREGATE);
    CU_ASSERT_STRING_EQUAL(item->outputs[0].of->name, "struct spot");
    CU_ASSERT_EQUAL(s->x, 2.0 * (double)item->index);
    return true;
}

static void structs_come_from_an_iterator(void)
{
    struct cadre_pool *pool = pool_of(2);
    int given = 0;

    CHECK_OK(cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(moved),
                                                      .next = next_spot,
                                                      .on_item = on_spot,
                                                      .user = &given}));
    CU_ASSERT_EQUAL(given, 10);
    cadre_pool_destroy(pool);
}

static void a_struct_of_another_size_is_an_error(void)
{
    struct cadre_pool *pool = pool_of(1);
    other wrong[2] = {{1, 2, 3}, {4, 5, 6}};
    spot s[2] = {{1, 2, 3}, {4, 5, 6}}, out[2];
    double by = 1;
    struct cadre_future *f;

    CHECK_ERR(CADRE_ETYPE, cadre_pool_starmap(pool, CADRE_FN(moved), 2,
                                              CADRE_COLUMNS(CADRE_EACH(wrong),
                                                            CADRE_SAME(&by)),
                                              CADRE_INTO(out)));
    CHECK_SAYS("`s` of moved is struct of 24 bytes, its column has struct of "
               "12 bytes");
    CHECK_ERR(CADRE_ETYPE,
              cadre_pool_starmap(pool, CADRE_FN(moved), 2,
                                 CADRE_COLUMNS(CADRE_EACH(s), CADRE_SAME(&by)),
                                 CADRE_INTO(wrong)));
    CHECK_SAYS("is struct of 24 bytes, the room is for struct of 12 bytes");
    CHECK_ERR(CADRE_ETYPE,
              cadre_pool_starmap(pool, CADRE_FN(moved), 3,
                                 CADRE_COLUMNS(CADRE_EACH(s), CADRE_SAME(&by)),
                                 CADRE_INTO(out)));
    CHECK_SAYS("`s` holds 2 values, the map has 3");
    f = cadre_submit(pool, CADRE_FN(moved), wrong[0], 1);
    CHECK_ERR(CADRE_ETYPE, cadre_future_result(f, CADRE_INTO(out)));
    CHECK_SAYS("`s` is struct of 24 bytes, the value given is struct of 12");
    cadre_future_free(f);
    f = cadre_submit(pool, CADRE_FN(moved), 1.5, 1);
    CHECK_ERR(CADRE_ETYPE, cadre_future_result(f, CADRE_INTO(out)));
    CHECK_SAYS("the value given is double");
    cadre_future_free(f);
    f = cadre_submit(pool, CADRE_FN(moved), s[0], s[1]);
    CHECK_ERR(CADRE_ETYPE, cadre_future_result(f, CADRE_INTO(out)));
    CHECK_SAYS("`by` is double, the value given is struct of 24 bytes");
    cadre_future_free(f);
    f = cadre_submit(pool, CADRE_FN(framed), 4, CADRE_ARRAY(s), CADRE_ARRAY(s));
    CHECK_ERR(CADRE_ETYPE, cadre_future_result(f, CADRE_INTO(out)));
    CHECK_SAYS("`seen` is an array of struct of");
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

/* --- structs of libraries ---------------------------------------------------
 */

static void a_library_gets_structs_that_are_declared_once(void)
{
    struct cadre_pool *pool = NULL;
    struct cadre_function *divide = NULL, *show = NULL;
    int n[3] = {7, 8, -9};
    int d = 2;
    div_t out[3];
    uint32_t address = 0x0100007f; /* as bytes: 127 0 0 1 */
    struct {
        uint32_t s_addr;
    } in = {address};
    char *text = NULL;
    struct cadre_future *f;

    CHECK_ERR(
        CADRE_EPARSE,
        cadre_function_open("libc.so.6", "div_t div(int n, int by)", &divide));
    CHECK_OK(cadre_struct("div_t", "int quot, int rem"));
    CHECK_OK(cadre_struct("struct in_addr", "uint32_t s_addr;"));
    CHECK_OK(cadre_struct("div_t", "int quot; int rem;"));
    CHECK_ERR(CADRE_EPARSE, cadre_struct("div_t", "long quot, long rem"));
    CHECK_SAYS("'struct div_t' has been declared with other fields");
    CHECK_ERR(CADRE_EPARSE, cadre_struct("bad", "int a; char *b"));
    CHECK_SAYS("struct 'bad': column 8: 'char *' is a pointer");
    CHECK_ERR(CADRE_EINVAL, cadre_struct(NULL, "int a"));
    CU_ASSERT_EQUAL(cadre_struct_of("div_t")->size, sizeof(div_t));
    CU_ASSERT_PTR_NULL(cadre_struct_of("bad"));
    CHECK_OK(
        cadre_function_open("libc.so.6", "div_t div(int n, int by)", &divide));
    CHECK_OK(cadre_function_open(
        "libc.so.6", "const char *inet_ntoa(struct in_addr in)", &show));

    /* Workers that know nothing of this program. */
    CHECK_OK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 1,
                                     .oversubscribe = true,
                                     .worker_program = WORKER_PROGRAM},
        &pool));
    CHECK_OK(cadre_pool_starmap(pool, divide, 3,
                                CADRE_COLUMNS(CADRE_EACH(n), CADRE_SAME(&d)),
                                CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[0].quot, 3);
    CU_ASSERT_EQUAL(out[0].rem, 1);
    CU_ASSERT_EQUAL(out[2].quot, -4);
    CU_ASSERT_EQUAL(out[2].rem, -1);
    f = cadre_submit(pool, show, in);
    CHECK_OK(cadre_future_result(f, CADRE_INTO(&text)));
    CU_ASSERT_STRING_EQUAL(text, "127.0.0.1");
    free(text);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

/* --- complex numbers and dimensions -----------------------------------------
 */

CADRE_TASK(long double _Complex, dot,
           (size_t n, const double _Complex a[n], float _Complex b[n]))
{
    long double _Complex sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += a[i] * conj(b[i]);
        b[i] = conjf(b[i]);
    }
    return sum;
}

static void complex_arrays_go_in_and_out(void)
{
    struct cadre_pool *pool = pool_of(1);
    double _Complex a[2] = {1 + 2 * I, 3};
    float _Complex b[2] = {I, 2 - I};
    long double _Complex sum = 0;
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(dot), 2, a, b);

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&sum, b)));
    CU_ASSERT_TRUE(sum == 8 + 2 * I);
    CU_ASSERT_TRUE(b[1] == 2 + I);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

/* The sum over the middle, and a copy in which the outer two are swapped. */
CADRE_TASK(void, swap,
           (int a, short b, const float x[a][b][2][1 + 2],
            CADRE_OUT double sums[a][2][3], CADRE_OUT float y[b][a][2][3]))
{
    for (int i = 0; i < a; i++)
        for (int j = 0; j < b; j++)
            for (int k = 0; k < 2; k++)
                for (int l = 0; l < 3; l++) {
                    y[j][i][k][l] = x[i][j][k][l];
                    sums[i][k][l] += (double)x[i][j][k][l];
                }
}

static void arrays_have_up_to_eight_dimensions(void)
{
    struct cadre_pool *pool = pool_of(2);
    int a[2] = {4, 4};
    short b[2] = {5, 5};
    static float x[2][4][5][2][3], y[2][5][4][2][3];
    static double sums[2][4][2][3], want;
    struct cadre_future *f;

    for (size_t i = 0; i < sizeof x / sizeof(float); i++)
        (&x[0][0][0][0][0])[i] = (float)i;
    CHECK_OK(cadre_pool_starmap(
        pool, CADRE_FN(swap), 2,
        CADRE_COLUMNS(CADRE_EACH(a), CADRE_EACH(b), CADRE_EACH(x)),
        CADRE_INTO(sums, y)));
    CU_ASSERT_EQUAL(y[1][4][3][1][2], x[1][3][4][1][2]);
    for (int j = 0; j < 5; j++)
        want += (double)x[1][2][j][0][1];
    CU_ASSERT_EQUAL(sums[1][2][0][1], want);

    memset(y, 0, sizeof y);
    f = cadre_submit(pool, CADRE_FN(swap), 4, 5, CADRE_ARRAY(x[0]));
    CHECK_OK(cadre_future_result(f, CADRE_INTO(sums[0], y[0])));
    CU_ASSERT_EQUAL(y[0][4][3][1][2], x[0][3][4][1][2]);
    cadre_future_free(f);

    f = cadre_submit(pool, CADRE_FN(swap), 4, 6, CADRE_ARRAY(x[0]));
    CHECK_ERR(CADRE_ETYPE, cadre_future_result(f, CADRE_NOTHING));
    CHECK_SAYS("the array for `x` has 480 bytes, its lengths say 576");
    cadre_future_free(f);
    f = cadre_submit(pool, CADRE_FN(swap), 2147483647, 32767,
                     CADRE_ARRAY(x[0]));
    CHECK_ERR(CADRE_ETYPE, cadre_future_result(f, CADRE_NOTHING));
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

const struct check_test struct_tests[] = {
    CHECK(structs_go_there_and_back_by_value),
    CHECK(arrays_of_structs_go_in_and_out),
    CHECK(a_struct_is_one_argument_of_a_task),
    CHECK(structs_come_from_an_iterator),
    CHECK(a_struct_of_another_size_is_an_error),
    CHECK(a_library_gets_structs_that_are_declared_once),
    CHECK(complex_arrays_go_in_and_out),
    CHECK(arrays_have_up_to_eight_dimensions),
    {NULL, NULL}};
