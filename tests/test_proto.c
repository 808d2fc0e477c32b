/* test_proto.c - prototypes that are understood, and what is said of others.
 *
 * read_text() turns a text into one line: the prototype with fixed-width types,
 * the kind or direction of each parameter and names for lengths; or the error.
 */
#include "proto.h"

#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <wchar.h>

static char line[16384];
static struct cadre_error error;

/* The nth allocation from now on fails; 0: none does. */
static int failing;

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
    return failing > 0 && --failing == 0 ? NULL : __real_calloc(n, size);
}

void *__wrap_malloc(size_t size)
{
    return failing > 0 && --failing == 0 ? NULL : __real_malloc(size);
}

static void put(const char *format, ...) CADRE_PRINTF(1, 2);
static void put(const char *format, ...)
{
    size_t len = strlen(line);
    va_list ap;

    va_start(ap, format);
    vsnprintf(line + len, sizeof line - len, format, ap);
    va_end(ap);
}

static void put_param(const struct cadre_proto *proto,
                      const struct cadre_param *param)
{
    static const char *const kinds[] = {"",      "",     "",      "comm",
                                        "store", "task", "object"};
    static const char *const directions[] = {"in ", "inout ", "out "};

    if (param->kind == CADRE_PARAM_ARRAY)
        put("%s", directions[param->direction]);
    put("%s", kinds[param->kind]);
    if (kinds[param->kind][0] == '\0')
        put("%s", cadre_type_name(param->type));
    if (param->name[0] != '\0')
        put(" %s", param->name);
    for (int d = 0; d < param->ndims; d++) {
        if (param->dims[d].param >= 0)
            put("[%s]", proto->params[param->dims[d].param].name);
        else
            put("[%llu]", (unsigned long long)param->dims[d].count);
    }
}

static const char *describe(cadre_err err, struct cadre_proto *proto)
{
    line[0] = '\0';
    if (err != CADRE_OK) {
        put("%s", error.text);
        return line;
    }
    put("%s%s %s(", cadre_type_name(proto->result),
        proto->frees_result ? " freed" : "", proto->name);
    for (int i = 0; i < proto->nparams; i++) {
        put("%s", i > 0 ? ", " : "");
        put_param(proto, &proto->params[i]);
    }
    put(")");
    cadre_proto_destroy(proto);
    return line;
}

static const char *read_text(const char *text)
{
    struct cadre_proto *proto = NULL;
    cadre_err err = cadre_proto_parse(text, &proto, &error);

    return describe(err, proto);
}

static const char *read_task(const char *written, const char *expanded)
{
    struct cadre_proto *proto = NULL;
    cadre_err err = cadre_proto_parse_task(written, expanded, &proto, &error);

    return describe(err, proto);
}

/* The description of `text` is `expected`; a failure shows both. */
static void same(const char *text, const char *expected)
{
    const char *got = read_text(text);

    if (strcmp(got, expected) != 0)
        printf("\n    %s\n    gives    %s\n    expected %s\n", text, got,
               expected);
    CU_ASSERT_STRING_EQUAL(got, expected);
}

/* `text` is refused at `column` with a sentence that contains `part`. */
static void refused(const char *text, int column, const char *part)
{
    const char *got = read_text(text);
    int found = 0;

    if (sscanf(got, "column %d:", &found) != 1 || found != column ||
        strstr(got, part) == NULL || strchr(got, '\n') != NULL)
        printf("\n    %s\n    gives    %s\n    expected column %d, '%s'\n",
               text, got, column, part);
    CU_ASSERT_EQUAL(found, column);
    CU_ASSERT_PTR_NOT_NULL(strstr(got, part));
    CU_ASSERT_PTR_NULL(strchr(got, '\n'));
}

static void a_prototype_gives_name_result_and_parameters(void)
{
    same("double norm(size_t n, const double x[n])",
         "double norm(uint64_t n, in double x[n])");
    same("double lgamma(double x);", "double lgamma(double x)");
    same("  int\n\tf ( int a ,\n int b ) ; ",
         "int32_t f(int32_t a, int32_t b)");
}

static void both_ways_to_write_no_parameters_are_the_same(void)
{
    same("void f(void)", "void f()");
    same("void f()", "void f()");
    same("void f( void )", "void f()");
}

/* One parameter of C type `words` becomes `type`. */
static void same_type(const char *words, cadre_type type)
{
    char text[128], expected[128];

    snprintf(text, sizeof text, "%s f(%s x)", words, words);
    snprintf(expected, sizeof expected, "%s f(%s x)", cadre_type_name(type),
             cadre_type_name(type));
    same(text, expected);
}

/* The cadre_type of C integer type `T`. */
#define OF(T)                                                                  \
    ((T)-1 < (T)1 ? (sizeof(T) == 1   ? CADRE_INT8                             \
                     : sizeof(T) == 2 ? CADRE_INT16                            \
                     : sizeof(T) == 4 ? CADRE_INT32                            \
                                      : CADRE_INT64)                           \
                  : (sizeof(T) == 1   ? CADRE_UINT8                            \
                     : sizeof(T) == 2 ? CADRE_UINT16                           \
                     : sizeof(T) == 4 ? CADRE_UINT32                           \
                                      : CADRE_UINT64))
#define SAME_TYPE(T) same_type(#T, OF(T))

static void words_of_a_type_may_come_in_any_order(void)
{
    SAME_TYPE(char);
    SAME_TYPE(signed char);
    SAME_TYPE(char unsigned);
    SAME_TYPE(short);
    SAME_TYPE(int short signed);
    SAME_TYPE(unsigned short int);
    SAME_TYPE(signed);
    SAME_TYPE(unsigned);
    SAME_TYPE(int unsigned);
    SAME_TYPE(long);
    SAME_TYPE(unsigned long int);
    SAME_TYPE(long unsigned);
    SAME_TYPE(long int long);
    SAME_TYPE(long unsigned int long);
    same_type("long double", CADRE_LONG_DOUBLE);
    same_type("double long", CADRE_LONG_DOUBLE);
    same_type("double complex", CADRE_DOUBLE_COMPLEX);
    same_type("_Complex float", CADRE_FLOAT_COMPLEX);
    same_type("long _Complex double", CADRE_LONG_DOUBLE_COMPLEX);
    same_type("bool", CADRE_BOOL);
    same_type("_Bool", CADRE_BOOL);
}

static void names_of_the_standard_library_get_their_width(void)
{
    SAME_TYPE(int8_t);
    SAME_TYPE(uint16_t);
    SAME_TYPE(int32_t);
    SAME_TYPE(uint64_t);
    SAME_TYPE(size_t);
    SAME_TYPE(ssize_t);
    SAME_TYPE(ptrdiff_t);
    SAME_TYPE(intptr_t);
    SAME_TYPE(uintptr_t);
    SAME_TYPE(intmax_t);
    SAME_TYPE(uintmax_t);
    SAME_TYPE(int_fast8_t);
    SAME_TYPE(int_fast16_t);
    SAME_TYPE(uint_fast32_t);
    SAME_TYPE(uint_least64_t);
    SAME_TYPE(wchar_t);
    SAME_TYPE(off_t);
    same("enum color f(enum color c)", "int32_t f(int32_t c)");
}

static void words_that_do_not_change_the_call_are_skipped(void)
{
    same("static inline int f(register int x, volatile int y)",
         "int32_t f(int32_t x, int32_t y)");
    same("extern double g(const double * __restrict p[1])",
         "column 17: 'const double * __restrict p[1]' is an array of "
         "pointers: an array is one of numbers, such as 'p[rows][cols]'");
    same("int const f(int x /* the number */, // and\n int const y)",
         "int32_t f(int32_t x, int32_t y)");
    same("extern double lgamma (double __x) __attribute__ ((__nothrow__ , "
         "__leaf__)) __attribute__((pure));",
         "double lgamma(double __x)");
    same("void f(const char *restrict s, struct s *const restrict p)",
         "void f(char * s, object p)");
    same("void f(int n, double x[restrict static n], double y[const 3])",
         "void f(int32_t n, inout double x[n], inout double y[3])");
}

static void a_parameter_without_a_name_has_the_empty_one(void)
{
    same("double pow(double, double)", "double pow(double, double)");
    same("int f(const char *, MPI_Comm, unsigned)",
         "int32_t f(char *, comm, uint32_t)");
}

static void strings_come_in_and_go_out(void)
{
    same("const char *f(const char *s, char const *const t)",
         "char * f(char * s, char * t)");
    same("char *strdup(const char *s)", "char * freed strdup(char * s)");
}

static void const_and_cadre_out_give_arrays_their_direction(void)
{
    same("void f(int n, const float a[n], float b[n], CADRE_OUT float c[n])",
         "void f(int32_t n, in float a[n], inout float b[n], out float c[n])");
    same("void f(float const a[2], double CADRE_OUT b[2])",
         "void f(in float a[2], out double b[2])");
    same("void f(char name[16], const unsigned char bytes[4])",
         OF(char) == CADRE_INT8
             ? "void f(inout int8_t name[16], in uint8_t bytes[4])"
             : "void f(inout uint8_t name[16], in uint8_t bytes[4])");
}

static void an_array_has_up_to_eight_dimensions(void)
{
    same("void f(int r, int c, double a[r][c][3])",
         "void f(int32_t r, int32_t c, inout double a[r][c][3])");
    same("void f(int a[1][2][3][4][5][6][7][8])",
         "void f(inout int32_t a[1][2][3][4][5][6][7][8])");
    refused("void f(int a[1][2][3][4][5][6][7][8][9])", 37,
            "more than 8 dimensions");
}

static void a_length_may_name_a_later_parameter(void)
{
    same("int f(const char buf[len], unsigned char len)",
         OF(char) == CADRE_INT8 ? "int32_t f(in int8_t buf[len], uint8_t len)"
                                : "int32_t f(in uint8_t buf[len], uint8_t "
                                  "len)");
}

static void a_constant_length_is_computed(void)
{
    same("void f(int a[0x10], int b[010], int c[3u], int d[5UL], int e[0b11])",
         "void f(inout int32_t a[16], inout int32_t b[8], inout int32_t c[3], "
         "inout int32_t d[5], inout int32_t e[3])");
    same("void f(int a[2+3*4], int b[(2+3)*4], int c[10-2-3], int d[-(-7)])",
         "void f(inout int32_t a[14], inout int32_t b[20], inout int32_t c[5], "
         "inout int32_t d[7])");
    same("void f(int a[(1 << 10)], int b[1024 / 8 / 2], int c[1 << 2 + 1])",
         "void f(inout int32_t a[1024], inout int32_t b[64], inout int32_t "
         "c[8])");
    same("void f(int n, int a[((n))])",
         "void f(int32_t n, inout int32_t a[n])");
}

static void a_length_that_is_no_length_is_refused(void)
{
    refused("void f(int a[])", 13, "the length is missing");
    refused("void f(int n, int a[*])", 20, "the length is missing");
    refused("void f(int n, int a[n][])", 23, "the length is missing");
    refused("void f(int a[0])", 13, "the length is 0");
    refused("void f(int a[2-5])", 13, "the length is -3");
    refused("void f(int a[3.0])", 14, "'3.0' is not an integer");
    refused("void f(int a[08])", 14, "'08' is not an integer");
    refused("void f(int a[0x])", 14, "'0x' is not an integer");
    refused("void f(int a[12ulul])", 14, "not an integer");
    refused("void f(int a[9223372036854775808])", 14, "too large");
    refused("void f(int a[9223372036854775807+1])", 33, "cannot be computed");
    refused("void f(int a[4611686018427387904*4])", 33, "cannot be computed");
    refused("void f(int a[1/0])", 15, "cannot be computed");
    refused("void f(int a[1<<63])", 15, "cannot be computed");
    refused("void f(int a[4000000000][4000000000])", 8, "larger than any");
    refused("void f(int n, int a[n+1])", 22, "not a computation");
    refused("void f(int n, int a[2*(n)])", 22, "not a computation");
    refused("void f(int n, int a[-n])", 21, "not a computation");
    refused("void f(int a[sizeof(int)])", 20, "expected ']'");
    refused("void f(int a[3)", 15, "expected ']'");
    refused("void f(int a[int])", 14, "expected a number or the name");
    refused("void f(int a[", 14, "the text ends here");
    refused("void f(int a[(((((((((((((((((((((((((((((((((((1", 47,
            "nested more than 32 deep");
}

static void a_length_names_an_integer_parameter(void)
{
    refused("void f(const double x[n])", 23,
            "the length 'n' of 'x' is not a parameter");
    refused("void f(double n, const double x[n])", 33, "not an integer");
    refused("void f(const char *n, const double x[n])", 38, "not an integer");
    refused("void f(const double x[x])", 23, "not an integer");
    same("void f(bool any, const double x[any])",
         "void f(bool any, in double x[any])");
}

static void special_pointers_are_filled_in_by_the_worker(void)
{
    same("void f(MPI_Comm comm, cadre_store *store, cadre_task *self)",
         "void f(comm comm, store store, task self)");
    same("void f(struct cadre_store *s, const struct cadre_task *t)",
         "void f(store s, task t)");
    refused("void f(MPI_Comm *comm)", 8, "write 'MPI_Comm comm'");
    refused("void f(cadre_store s)", 8, "write 'cadre_store *store'");
    refused("void f(cadre_task s)", 8, "write 'cadre_task *self'");
}

static void other_pointers_are_objects_of_the_store(void)
{
    same("void f(struct mesh *m, union u *u, void *p, const void *q, FILE *h)",
         "void f(object m, object u, object p, object q, object h)");
    refused("void f(struct mesh *)", 8, "'struct mesh *' needs a name");
    refused("void f(int n, const double[n])", 15, "needs a name");
}

static void a_pointer_that_cannot_be_sent_says_what_to_write(void)
{
    refused("double norm(int n, double *x)", 20,
            "'double *x' is a pointer to numbers: write 'x[n]' with its "
            "length");
    refused("void f(const unsigned char *s)", 8, "write 's[n]'");
    refused("void f(size_t *)", 8, "write 'x[n]'");
    refused("void f(char *s)", 8,
            "write 'const char *s' for a string, or 's[n]' with its length");
    refused("void f(char **argv)", 8, "pointer to a pointer");
    refused("void f(const char *s[3])", 8, "array of pointers");
    refused("void f(int (*fn)(int))", 12, "pointer to a function");
    refused("void f(int fn(int))", 14, "pointer to a function");
    refused("void f(struct s v)", 15, "'struct s' is not declared");
    refused("void f(struct s v[3])", 15, "'struct s' is not declared");
    refused("void f(union u v)", 8, "is a union");
    refused("void f(void x)", 8, "a parameter cannot be void");
    refused("void f(int a, void)", 15, "a parameter cannot be void");
    refused("void f(CADRE_OUT const int x[2])", 8, "CADRE_OUT goes with");
    refused("void f(CADRE_OUT int x)", 8, "CADRE_OUT goes with");
}

static void an_unknown_type_is_named_with_the_nearest_known(void)
{
    refused("void f(unit32_t x)", 8,
            "unknown type 'unit32_t': is it "
            "'uint32_t'?");
    refused("doubel f(void)", 1, "unknown type 'doubel': is it 'double'?");
    refused("void f(int a, MPI_comm c)", 15, "is it 'MPI_Comm'?");
    refused("void f(real x)", 8, "unknown type 'real': known are");
    refused("void f(real x[3])", 8, "unknown type 'real'");
    refused("void f(real x, real)", 8, "unknown type 'real'");
    refused("void f(__int128 x)", 8, "unknown type '__int128'");
}

static void words_that_make_no_type_are_refused(void)
{
    refused("void f(short double x)", 8, "'short double' is not a type");
    refused("void f(long long long x)", 18, "'long' does not go with");
    refused("void f(int int x)", 12, "'int' does not go with");
    refused("void f(size_t unsigned x)", 15, "'unsigned' does not go with");
    refused("void f(int struct s *x)", 12, "'struct' does not go with");
    refused("void f(complex x)", 8, "write 'double complex'");
    refused("void f(unsigned bool x)", 8, "not a type");
    refused("void f(const)", 13, "expected a type, not ')'");
    refused("void f(struct *x)", 15, "the name of the struct");
    refused("void f(int *double)", 13, "expected a name, not 'double'");
}

static void a_result_is_nothing_a_number_or_a_string(void)
{
    refused("double *f(void)", 1, "'double *f' cannot be sent back");
    refused("void *f(void)", 1, "cannot be sent back");
    refused("char **f(void)", 1, "cannot be sent back");
    refused("struct s f(void)", 8, "'struct s' is not declared");
    refused("MPI_Comm f(void)", 1, "cannot be sent back");
    refused("double f[3](void)", 9, "the result cannot be an array");
    refused("double[3] f(void)", 7, "the result cannot be an array");
    refused("double f(void)[3]", 15, "cannot be an array or a function");
    refused("CADRE_OUT double f(void)", 1, "not with the result");
    refused("f(int x)", 1, "'f' has no type for its result");
}

static void what_is_no_prototype_is_refused_at_its_column(void)
{
    refused("", 1, "expected a type, but the text ends here");
    refused("   ", 4, "expected a type, but the text ends here");
    refused("double", 7, "expected the name of the function");
    refused("double (x)", 8, "expected the name of the function");
    refused("double f", 9, "expected '('");
    refused("double f(", 10, "expected a type");
    refused("double f(int x", 15, "expected ',' or ')'");
    refused("double f(int x,)", 16, "expected a type");
    refused("double f(int x y)", 16, "expected ',' or ')', not 'y'");
    refused("double f(int x) { return 0; }", 17, "the end of the prototype");
    refused("double f(int x);;", 17, "the end of the prototype");
    refused("double f(int x, ...)", 17, "variable arguments");
    refused("double f(int x, double x)", 24, "a second parameter called 'x'");
    refused("double f(\"x\")", 10, "expected a type, not '\"'");
    refused("double f(\x01)", 10, "expected a type, not '?'");
    refused("double f(\xc3\xa4)", 10, "expected a type, not '?'");
    refused("double f(int x /* no end", 16, "expected ',' or ')', not '/'");
    refused("int f(int x) __attribute__((pure)", 34, "__attribute__");
    refused("int f(int x) __attribute__ pure", 28, "__attribute__");
}

static void more_than_64_parameters_are_refused(void)
{
    char text[1024] = "void f(int p0";
    struct cadre_proto *proto;

    for (int i = 1; i < CADRE_PARAMS_MAX; i++)
        snprintf(text + strlen(text), 16, ",int p%d", i);
    strcat(text, ")");
    CU_ASSERT_EQUAL_FATAL(cadre_proto_parse(text, &proto, &error), CADRE_OK);
    CU_ASSERT_EQUAL(proto->nparams, CADRE_PARAMS_MAX);
    CU_ASSERT_EQUAL(cadre_proto_find(proto, "p63"), 63);
    cadre_proto_destroy(proto);

    strcpy(strrchr(text, ')'), ",int q)");
    refused(text, (int)strlen(text) - 5, "more than 64 parameters");
}

static void a_long_name_is_cut_in_the_error_but_not_in_the_prototype(void)
{
    char name[3001], text[7000], expected[3100];

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "int f(int %s)", name);
    snprintf(expected, sizeof expected, "int32_t f(int32_t %s)", name);
    same(text, expected);
    snprintf(text, sizeof text, "int f(int %s, int %s)", name, name);
    refused(text, 3017, "a second parameter called 'xxxxx");
    snprintf(text, sizeof text, "int f(double *%s)", name);
    refused(text, 7, "xxx...' is a pointer to numbers");
}

static void a_task_has_lengths_from_one_text_and_out_from_the_other(void)
{
    CU_ASSERT_STRING_EQUAL(
        read_task("void f (bool b, const double x[N], CADRE_OUT double y[N])",
                  "void f (_Bool b, const double x[3], double y[3])"),
        "void f(bool b, in double x[3], out double y[3])");
    CU_ASSERT_STRING_EQUAL(
        read_task("REAL f (CADRE_OUT REAL y[2 * (N)], double complex z)",
                  "double f ( double y[2 * (7)], double _Complex z)"),
        "double f(out double y[14], double complex z)");
    CU_ASSERT_STRING_EQUAL(read_task("int f (V(3, 4), CADRE_OUT int b[2])",
                                     "int f (const int a[3], int b[2])"),
                           "int32_t f(in int32_t a[3], out int32_t b[2])");
    CU_ASSERT_STRING_EQUAL(
        read_task("int f(CADRE_OUT int b[N]) __attribute__((pure))",
                  "int f(int b[2]) __attribute__((pure))"),
        "int32_t f(out int32_t b[2])");
}

static void a_task_that_the_preprocessor_leaves_alone_is_read_as_written(void)
{
    CU_ASSERT_STRING_EQUAL(
        read_task("void f(CADRE_OUT int x[2])", "void f(CADRE_OUT int x[2])"),
        "void f(out int32_t x[2])");
    CU_ASSERT_STRING_EQUAL(read_task("void f(CADRE_OUT int x[2])", ""),
                           "void f(out int32_t x[2])");
    CU_ASSERT_STRING_EQUAL(read_task("", "int f(int x)"),
                           "int32_t f(int32_t x)");
}

static void a_tasks_text_gives_the_same_prototype_again(void)
{
    struct cadre_proto *proto;
    char text[128];

    CU_ASSERT_EQUAL_FATAL(
        cadre_proto_parse_task("void f(int n, CADRE_OUT int x[n][N])",
                               "void f(int n, int x[n][3])", &proto, NULL),
        CADRE_OK);
    CU_ASSERT_STRING_EQUAL(proto->text, "void f(int n, CADRE_OUT int x[n][3])");
    snprintf(text, sizeof text, "%s", proto->text);
    cadre_proto_destroy(proto);
    same(text, "void f(int32_t n, out int32_t x[n][3])");
}

static void an_error_in_a_task_quotes_the_text_its_column_belongs_to(void)
{
    CU_ASSERT_STRING_EQUAL(
        read_task("void f(CADRE_OUT int x[N], T *y)",
                  "void f( int x[3],\n double *y)"),
        "column 30: 'double *y' is a pointer to numbers: write 'y[n]' with its "
        "length (in 'void f( CADRE_OUT int x[3], double *y)')");
    CU_ASSERT_STRING_EQUAL(
        read_task("void f(TWO, CADRE_OUT int x[3])",
                  "void f(int a, int b, int x[3])"),
        "column 13: a macro changes the number of parameters from 2 to 3, so "
        "it is not clear which one CADRE_OUT belongs to");
}

static void outputs_are_the_result_and_then_the_arrays(void)
{
    struct cadre_proto *proto;

    CU_ASSERT_EQUAL_FATAL(
        cadre_proto_parse("double f(const int a[2], int b[2], double s, "
                          "CADRE_OUT int c[2], const char *t)",
                          &proto, NULL),
        CADRE_OK);
    CU_ASSERT_EQUAL(cadre_proto_noutputs(proto), 3);
    CU_ASSERT_EQUAL(cadre_proto_output_param(proto, 0), -1);
    CU_ASSERT_EQUAL(cadre_proto_output_param(proto, 1), 1);
    CU_ASSERT_EQUAL(cadre_proto_output_param(proto, 2), 3);
    CU_ASSERT_TRUE(cadre_param_is_sent(&proto->params[0]));
    CU_ASSERT_TRUE(cadre_param_is_sent(&proto->params[1]));
    CU_ASSERT_TRUE(cadre_param_is_sent(&proto->params[2]));
    CU_ASSERT_FALSE(cadre_param_is_sent(&proto->params[3]));
    CU_ASSERT_TRUE(cadre_param_is_sent(&proto->params[4]));
    CU_ASSERT_FALSE(cadre_param_is_output(&proto->params[0]));
    CU_ASSERT_TRUE(cadre_param_is_output(&proto->params[1]));
    CU_ASSERT_FALSE(cadre_param_is_output(&proto->params[2]));
    CU_ASSERT_TRUE(cadre_param_is_output(&proto->params[3]));
    cadre_proto_destroy(proto);

    CU_ASSERT_EQUAL_FATAL(
        cadre_proto_parse("void f(MPI_Comm c, int x[1])", &proto, NULL),
        CADRE_OK);
    CU_ASSERT_EQUAL(cadre_proto_noutputs(proto), 1);
    CU_ASSERT_EQUAL(cadre_proto_output_param(proto, 0), 1);
    CU_ASSERT_FALSE(cadre_param_is_sent(&proto->params[0]));
    cadre_proto_destroy(proto);
}

static void a_parameter_is_found_by_its_name(void)
{
    struct cadre_proto *proto;

    CU_ASSERT_EQUAL_FATAL(
        cadre_proto_parse("void f(int a, int, int ab)", &proto, NULL),
        CADRE_OK);
    CU_ASSERT_EQUAL(cadre_proto_find(proto, "a"), 0);
    CU_ASSERT_EQUAL(cadre_proto_find(proto, "ab"), 2);
    CU_ASSERT_EQUAL(cadre_proto_find(proto, "f"), -1);
    CU_ASSERT_EQUAL(cadre_proto_find(proto, ""), -1);
    CU_ASSERT_STRING_EQUAL(proto->params[1].name, "");
    cadre_proto_destroy(proto);
    cadre_proto_destroy(NULL);
}

static void without_memory_nothing_is_given_and_nothing_is_lost(void)
{
    struct cadre_proto *none = (struct cadre_proto *)&line, *proto = none;
    cadre_err err;
    int n = 0;

    do {
        failing = ++n;
        err = cadre_proto_parse_task("void f(CADRE_OUT int x[N])",
                                     "void f(int x[3])", &proto, &error);
        if (err != CADRE_OK) {
            CU_ASSERT_EQUAL(err, CADRE_ENOMEM);
            CU_ASSERT_PTR_EQUAL(proto, none);
            CU_ASSERT_STRING_EQUAL(error.text, "no memory for a prototype");
        }
    } while (err != CADRE_OK && n < 100);
    failing = 0;
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_STRING_EQUAL(describe(err, proto), "void f(out int32_t x[3])");
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(a_prototype_gives_name_result_and_parameters),
        CHECK(both_ways_to_write_no_parameters_are_the_same),
        CHECK(words_of_a_type_may_come_in_any_order),
        CHECK(names_of_the_standard_library_get_their_width),
        CHECK(words_that_do_not_change_the_call_are_skipped),
        CHECK(a_parameter_without_a_name_has_the_empty_one),
        CHECK(strings_come_in_and_go_out),
        CHECK(const_and_cadre_out_give_arrays_their_direction),
        CHECK(an_array_has_up_to_eight_dimensions),
        CHECK(a_length_may_name_a_later_parameter),
        CHECK(a_constant_length_is_computed),
        CHECK(a_length_that_is_no_length_is_refused),
        CHECK(a_length_names_an_integer_parameter),
        CHECK(special_pointers_are_filled_in_by_the_worker),
        CHECK(other_pointers_are_objects_of_the_store),
        CHECK(a_pointer_that_cannot_be_sent_says_what_to_write),
        CHECK(an_unknown_type_is_named_with_the_nearest_known),
        CHECK(words_that_make_no_type_are_refused),
        CHECK(a_result_is_nothing_a_number_or_a_string),
        CHECK(what_is_no_prototype_is_refused_at_its_column),
        CHECK(more_than_64_parameters_are_refused),
        CHECK(a_long_name_is_cut_in_the_error_but_not_in_the_prototype),
        CHECK(a_task_has_lengths_from_one_text_and_out_from_the_other),
        CHECK(a_task_that_the_preprocessor_leaves_alone_is_read_as_written),
        CHECK(a_tasks_text_gives_the_same_prototype_again),
        CHECK(an_error_in_a_task_quotes_the_text_its_column_belongs_to),
        CHECK(outputs_are_the_result_and_then_the_arrays),
        CHECK(a_parameter_is_found_by_its_name),
        CHECK(without_memory_nothing_is_given_and_nothing_is_lost),
        {NULL, NULL}};

    return check_run("proto", tests);
}
