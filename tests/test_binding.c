/* test_binding.c - rows to arguments. */
#include "binding.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct cadre_why why;
static struct cadre_binding binding;
static struct cadre_input_row row;
static struct cadre_input_field fields[8];

#define SCALAR(NAME, TYPE)                                                     \
    {                                                                          \
        .name = NAME, .type = TYPE, .is_input = true, .length = -1             \
    }
#define ARRAY(NAME, TYPE, LENGTH)                                              \
    {                                                                          \
        .name = NAME, .type = TYPE, .is_array = true, .is_input = true,        \
        .length = LENGTH                                                       \
    }

/* int n, double x */
static const struct cadre_parameter two[] = {SCALAR("n", CADRE_INT32),
                                             SCALAR("x", CADRE_DOUBLE)};
/* size_t n, const double x[n] */
static const struct cadre_parameter vector[] = {SCALAR("n", CADRE_UINT64),
                                                ARRAY("x", CADRE_DOUBLE, 0)};
/* unsigned long crc, const uint8_t buf[len], unsigned len */
static const struct cadre_parameter crc[] = {SCALAR("crc", CADRE_UINT64),
                                             ARRAY("buf", CADRE_UINT8, 2),
                                             SCALAR("len", CADRE_UINT32)};

static bool bind(const struct cadre_parameter *params, size_t n,
                 struct cadre_binding_options options)
{
    cadre_binding_fini(&binding);
    why.text[0] = '\0';
    return cadre_binding_init(&binding, params, n, &options, &why);
}

#define BIND(params, ...)                                                      \
    bind(params, sizeof(params) / sizeof((params)[0]),                         \
         (struct cadre_binding_options){__VA_ARGS__})

static void fill(const char *const *texts)
{
    row = (struct cadre_input_row){.number = 1, .file = "f", .fields = fields};
    for (; texts[row.count] != NULL; row.count++)
        fields[row.count] = (struct cadre_input_field){
            .text = texts[row.count], .len = strlen(texts[row.count])};
}

#define ROW(...)                                                               \
    (fill((const char *const[]){__VA_ARGS__, NULL}),                           \
     cadre_binding_row(&binding, &row, &why))
#define HEADER(...)                                                            \
    (fill((const char *const[]){__VA_ARGS__, NULL}),                           \
     cadre_binding_header(&binding, &row, &why))

static void columns_go_by_position(void)
{
    CU_ASSERT_TRUE_FATAL(BIND(two, .nsettings = 0));
    CU_ASSERT_TRUE_FATAL(ROW("3", "0.5"));
    CU_ASSERT_EQUAL(binding.nvalues, 2);
    CU_ASSERT_EQUAL(binding.values[0].integer, 3);
    CU_ASSERT(binding.values[1].real == 0.5L);
}

static void constants_take_no_column(void)
{
    char *settings[] = {"n=7"};

    CU_ASSERT_TRUE_FATAL(BIND(two, .settings = settings, .nsettings = 1));
    CU_ASSERT_TRUE_FATAL(ROW("0.5"));
    CU_ASSERT_EQUAL(binding.values[0].integer, 7);
    CU_ASSERT(binding.values[1].real == 0.5L);
}

static void a_wrong_number_of_columns_is_refused(void)
{
    CU_ASSERT_TRUE_FATAL(BIND(two, .nsettings = 0));
    CU_ASSERT_FALSE(ROW("1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "1 column where 2 are wanted "
                                            "(n, x)"));
    CU_ASSERT_FALSE(ROW("1", "2", "3"));
}

static void a_bad_value_names_its_column(void)
{
    CU_ASSERT_TRUE_FATAL(BIND(two, .nsettings = 0));
    CU_ASSERT_FALSE(ROW("1", "abc"));
    CU_ASSERT_STRING_EQUAL(why.text,
                           "column 2 (x): 'abc' is not of type double");
}

static void a_header_binds_by_name(void)
{
    CU_ASSERT_TRUE_FATAL(BIND(two, .has_header = true));
    CU_ASSERT_TRUE_FATAL(HEADER("x", "other", "n"));
    CU_ASSERT_TRUE_FATAL(ROW("0.5", "?", "3"));
    CU_ASSERT_EQUAL(binding.values[0].integer, 3);
    CU_ASSERT(binding.values[1].real == 0.5L);
    CU_ASSERT_FALSE(ROW("0.5", "?"));
    CU_ASSERT_TRUE_FATAL(HEADER("n", "x")); /* of the next file */
    CU_ASSERT_TRUE(ROW("4", "1"));
    CU_ASSERT_EQUAL(binding.values[0].integer, 4);
}

static void a_missing_column_is_named(void)
{
    CU_ASSERT_TRUE_FATAL(BIND(two, .has_header = true));
    CU_ASSERT_FALSE(HEADER("a", "n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "no column called 'x'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "a, n"));
    CU_ASSERT_FALSE(HEADER("x", "n", "x"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "two columns called 'x'"));
}

static void a_length_is_counted(void)
{
    CU_ASSERT_TRUE_FATAL(BIND(vector, .nsettings = 0));
    CU_ASSERT_TRUE_FATAL(ROW("1 2 3"));
    CU_ASSERT_EQUAL(binding.values[0].natural, 3);
    CU_ASSERT_EQUAL(binding.values[1].bytes, 3 * sizeof(double));
    CU_ASSERT_TRUE(binding.values[1].is_array);
    CU_ASSERT_TRUE_FATAL(ROW(""));
    CU_ASSERT_EQUAL(binding.values[0].natural, 0);
    CU_ASSERT_PTR_NOT_NULL(binding.values[1].pointer);
}

static void a_length_that_is_given_must_be_right(void)
{
    char *settings[] = {"n=2"};

    CU_ASSERT_TRUE_FATAL(BIND(vector, .settings = settings, .nsettings = 1));
    CU_ASSERT_TRUE(ROW("1 2"));
    CU_ASSERT_FALSE(ROW("1 2 3"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "x has 3 elements, but n"));
    CU_ASSERT_TRUE_FATAL(BIND(vector, .has_header = true));
    CU_ASSERT_TRUE_FATAL(HEADER("x", "n"));
    CU_ASSERT_TRUE(ROW("1 2", "2"));
    CU_ASSERT_FALSE(ROW("1 2", "1"));
    CU_ASSERT_TRUE_FATAL(HEADER("x")); /* the next file leaves it out */
    CU_ASSERT_TRUE(ROW("1 2 3 4"));
    CU_ASSERT_EQUAL(binding.values[0].natural, 4);
}

static void two_arrays_of_one_length_must_agree(void)
{
    static const struct cadre_parameter dot[] = {SCALAR("n", CADRE_INT32),
                                                 ARRAY("a", CADRE_FLOAT, 0),
                                                 ARRAY("b", CADRE_FLOAT, 0)};
    CU_ASSERT_TRUE_FATAL(BIND(dot, .nsettings = 0));
    CU_ASSERT_TRUE(ROW("1 2", "3 4"));
    CU_ASSERT_FALSE(ROW("1 2", "3 4 5"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "b has 3 elements"));
}

static void a_constant_length_must_be_met(void)
{
    static const struct cadre_parameter point[] = {{.name = "p",
                                                    .type = CADRE_INT32,
                                                    .is_array = true,
                                                    .is_input = true,
                                                    .constant = 3,
                                                    .length = -1}};
    CU_ASSERT_TRUE_FATAL(BIND(point, .nsettings = 0));
    CU_ASSERT_TRUE(ROW("1 2 3"));
    CU_ASSERT_FALSE(ROW("1 2"));
}

static void outputs_and_what_workers_fill_are_not_given(void)
{
    static const struct cadre_parameter params[] = {
        {.name = "comm", .type = CADRE_VOID, .length = -1},
        SCALAR("n", CADRE_INT32),
        {.name = "y",
         .type = CADRE_DOUBLE,
         .is_array = true,
         .is_output = true,
         .length = 1}};

    CU_ASSERT_TRUE_FATAL(BIND(params, .nsettings = 0));
    CU_ASSERT_TRUE_FATAL(
        ROW("5")); /* an output's length is given, not counted */
    CU_ASSERT_EQUAL(binding.nvalues, 1);
    CU_ASSERT_EQUAL(binding.values[0].integer, 5);
}

static void bad_settings_are_named(void)
{
    char *none[] = {"q=1"}, *text[] = {"n"}, *bad[] = {"n=x"};
    char *twice[] = {"n=1", "n=2"}, *all[] = {"n=1", "x=2"};

    CU_ASSERT_FALSE(BIND(two, .settings = none, .nsettings = 1));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "--set q=1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "n, x"));
    CU_ASSERT_FALSE(BIND(two, .settings = text, .nsettings = 1));
    CU_ASSERT_FALSE(BIND(two, .settings = bad, .nsettings = 1));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "'x' is not of type int"));
    CU_ASSERT_FALSE(BIND(two, .settings = twice, .nsettings = 2));
    CU_ASSERT_FALSE(BIND(two, .settings = all, .nsettings = 2));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "no parameter takes"));
}

struct point {
    float x;
    double y;
};

static const struct cadre_field point_fields[] = {
    {.name = "x", .type = CADRE_FLOAT, .count = 1},
    {.name = "y",
     .type = CADRE_DOUBLE,
     .count = 1,
     .offset = offsetof(struct point, y)}};
static const struct cadre_struct point = {.name = "struct point",
                                          .size = sizeof(struct point),
                                          .align = _Alignof(struct point),
                                          .nfields = 2,
                                          .fields = point_fields};
/* int n, struct point p, const struct point q[n] */
static const struct cadre_parameter points[] = {SCALAR("n", CADRE_INT32),
                                                {.name = "p",
                                                 .type = CADRE_AGGREGATE,
                                                 .of = &point,
                                                 .is_input = true,
                                                 .length = -1},
                                                {.name = "q",
                                                 .type = CADRE_AGGREGATE,
                                                 .of = &point,
                                                 .is_array = true,
                                                 .is_input = true,
                                                 .length = 0}};

static void a_struct_takes_a_column_for_each_field(void)
{
    const struct point *p, *q;

    CU_ASSERT_TRUE_FATAL(BIND(points, .nsettings = 0));
    CU_ASSERT_TRUE_FATAL(ROW(" 0.5", "1e300", "1 2;3 4"));
    CU_ASSERT_EQUAL(binding.values[0].integer, 2);
    p = binding.values[1].pointer;
    CU_ASSERT_FALSE(binding.values[1].is_array);
    CU_ASSERT_EQUAL(binding.values[1].size, sizeof *p);
    CU_ASSERT(p->x == 0.5f && p->y == 1e300);
    q = binding.values[2].pointer;
    CU_ASSERT_TRUE(binding.values[2].is_array);
    CU_ASSERT_EQUAL(binding.values[2].bytes, 2 * sizeof *q);
    CU_ASSERT(q[1].x == 3 && q[1].y == 4);
    CU_ASSERT_FALSE(ROW("1", "two", ""));
    CU_ASSERT_STRING_EQUAL(why.text,
                           "column 2 (p.y): 'two' is not of type double");
    CU_ASSERT_FALSE(ROW("1", "", ""));
    CU_ASSERT_FALSE(ROW("1", "2 3", ""));
    CU_ASSERT_FALSE(ROW("1", "2", "1 2 3"));
    CU_ASSERT_STRING_EQUAL(why.text, "column 3 (q): the numbers end before y");
    CU_ASSERT_FALSE(ROW("1", "2"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "(p.x, p.y, q)"));
}

static void fields_are_found_by_name(void)
{
    const struct point *p;

    CU_ASSERT_TRUE_FATAL(BIND(points, .has_header = true));
    CU_ASSERT_TRUE_FATAL(HEADER("q", "p.y", "p.x"));
    CU_ASSERT_TRUE_FATAL(ROW("", "7", "8"));
    p = binding.values[1].pointer;
    CU_ASSERT(p->x == 8 && p->y == 7);
    CU_ASSERT_FALSE(HEADER("q", "p.y", "x"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "no column called 'p.x'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "--set p=VALUE"));
}

static void a_struct_may_be_a_constant(void)
{
    char *settings[] = {"p=1,2"}, *few[] = {"p=1"}, *many[] = {"p=1,2,3,4"};

    CU_ASSERT_TRUE_FATAL(BIND(points, .settings = settings, .nsettings = 1));
    CU_ASSERT_TRUE_FATAL(ROW("3 4"));
    CU_ASSERT(((const struct point *)binding.values[1].pointer)->y == 2);
    CU_ASSERT_FALSE(BIND(points, .settings = few, .nsettings = 1));
    CU_ASSERT_FALSE(BIND(points, .settings = many, .nsettings = 1));
    CU_ASSERT_STRING_EQUAL(why.text,
                           "--set p=1,2,3,4: these are 2 of struct point, not "
                           "1");
}

static void rows_of_a_table_are_counted(void)
{
    /* int n, const double x[n][2][3] */
    static const struct cadre_parameter table[] = {SCALAR("n", CADRE_INT32),
                                                   {.name = "x",
                                                    .type = CADRE_DOUBLE,
                                                    .is_array = true,
                                                    .is_input = true,
                                                    .length = 0,
                                                    .per_length = 6}};

    CU_ASSERT_TRUE_FATAL(BIND(table, .nsettings = 0));
    CU_ASSERT_TRUE_FATAL(ROW("1 2 3 4 5 6 7 8 9 10 11 12"));
    CU_ASSERT_EQUAL(binding.values[0].integer, 2);
    CU_ASSERT_FALSE(ROW("1 2 3 4 5 6 7"));
    CU_ASSERT_STRING_EQUAL(why.text, "x has 7 elements, but n, its length, is "
                                     "1 of 6 elements each");
}

static void a_constant_array_brings_its_length(void)
{
    static const struct cadre_parameter params[] = {SCALAR("n", CADRE_INT32),
                                                    ARRAY("w", CADRE_INT32, 0),
                                                    SCALAR("x", CADRE_DOUBLE)};
    char *settings[] = {"w=1,2,3"};

    CU_ASSERT_TRUE_FATAL(BIND(params, .settings = settings, .nsettings = 1));
    CU_ASSERT_TRUE_FATAL(ROW("0.5"));
    CU_ASSERT_EQUAL(binding.values[0].integer, 3);
    CU_ASSERT_EQUAL(((const int *)binding.values[1].pointer)[2], 3);
}

static char *new_file(const char *text)
{
    char *path = strdup("/tmp/cadre-test-binding-XXXXXX");
    int fd = mkstemp(path);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static void a_file_becomes_the_array_of_bytes(void)
{
    char *settings[] = {"crc=0"};
    char *path = new_file("hello");

    CU_ASSERT_TRUE_FATAL(
        BIND(crc, .settings = settings, .nsettings = 1, .has_files = true));
    CU_ASSERT_TRUE_FATAL(ROW(path));
    CU_ASSERT_EQUAL(binding.values[2].natural, 5);
    CU_ASSERT_EQUAL(memcmp(binding.values[1].pointer, "hello", 5), 0);
    CU_ASSERT_EQUAL(binding.values[1].bytes, 5);
    CU_ASSERT_FALSE(ROW("/nowhere"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "/nowhere cannot be read"));
    CU_ASSERT_FALSE(ROW("/"));
    CU_ASSERT_TRUE(ROW("/dev/null"));
    CU_ASSERT_EQUAL(binding.values[2].natural, 0);
    unlink(path);
    free(path);
}

static void the_files_array_must_be_clear(void)
{
    static const struct cadre_parameter pair[] = {
        SCALAR("n", CADRE_INT32), ARRAY("a", CADRE_UINT8, 0),
        SCALAR("m", CADRE_INT32), ARRAY("b", CADRE_INT8, 2)};

    CU_ASSERT_FALSE(BIND(two, .has_files = true));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "no array of bytes"));
    CU_ASSERT_FALSE(BIND(pair, .has_files = true));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "--file-param"));
    CU_ASSERT_TRUE(BIND(pair, .has_files = true, .file_param = "b"));
    CU_ASSERT_EQUAL(binding.sources[3].kind, CADRE_SOURCE_FILE);
    CU_ASSERT_EQUAL(binding.sources[1].kind, CADRE_SOURCE_COLUMN);
    CU_ASSERT_FALSE(BIND(pair, .has_files = true, .file_param = "n"));
    CU_ASSERT_FALSE(BIND(pair, .has_files = true, .file_param = "q"));
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(columns_go_by_position),
        CHECK(constants_take_no_column),
        CHECK(a_wrong_number_of_columns_is_refused),
        CHECK(a_bad_value_names_its_column),
        CHECK(a_header_binds_by_name),
        CHECK(a_missing_column_is_named),
        CHECK(a_length_is_counted),
        CHECK(a_length_that_is_given_must_be_right),
        CHECK(two_arrays_of_one_length_must_agree),
        CHECK(a_constant_length_must_be_met),
        CHECK(outputs_and_what_workers_fill_are_not_given),
        CHECK(bad_settings_are_named),
        CHECK(a_struct_takes_a_column_for_each_field),
        CHECK(fields_are_found_by_name),
        CHECK(a_struct_may_be_a_constant),
        CHECK(rows_of_a_table_are_counted),
        CHECK(a_constant_array_brings_its_length),
        CHECK(a_file_becomes_the_array_of_bytes),
        CHECK(the_files_array_must_be_clear),
        {NULL, NULL}};
    int status = check_run("binding", tests);

    cadre_binding_fini(&binding);
    return status;
}
