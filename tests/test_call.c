/* test_call.c - finding functions and calling them by their prototype. */
#include "call.h"

#include "check.h"

#include <complex.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct cadre_error error;

/* The nth allocation from now on fails; 0: none does. */
static int failing;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
    return failing > 0 && --failing == 0 ? NULL : __real_calloc(n, size);
}

/* Look `prototype` up in `library` and call it once. */
static void call_in(const char *library, const char *prototype, void **args,
                    void *result)
{
    struct cadre_proto *proto = NULL;
    struct cadre_call *call;
    cadre_symbol_fn fn = NULL;

    if (cadre_proto_parse(prototype, &proto, &error) != CADRE_OK ||
        cadre_symbol_find(library, proto->name, &fn, &error) != CADRE_OK)
        CU_FAIL_FATAL(error.text);
    CU_ASSERT_EQUAL_FATAL(cadre_call_create(proto, fn, &call, &error),
                          CADRE_OK);
    cadre_call_invoke(call, args, result);
    cadre_call_destroy(call);
    cadre_proto_destroy(proto);
}

#define ARGS(...) ((void *[]){__VA_ARGS__})

/* `value` of type `T` comes back from call_`name` unchanged, and the bytes
 * behind the result are not touched. */
#define SAME(name, T, value)                                                   \
    do {                                                                       \
        struct {                                                               \
            T value_;                                                          \
            unsigned char after[16];                                           \
        } r;                                                                   \
        T x = value;                                                           \
        unsigned char want[16];                                                \
                                                                               \
        memset(&r, 0xa5, sizeof r);                                            \
        memset(want, 0xa5, sizeof want);                                       \
        call_in(CALLLIB, #T " call_" #name "(" #T " x)", ARGS(&x), &r.value_); \
        CU_ASSERT_TRUE(r.value_ == x);                                         \
        CU_ASSERT_EQUAL(memcmp(r.after, want, sizeof want), 0);                \
    } while (0)

static void a_result_of_every_type_fits_its_own_width(void)
{
    SAME(bool, bool, true);
    SAME(bool, bool, false);
    SAME(int8, int8_t, INT8_MIN);
    SAME(uint8, uint8_t, UINT8_MAX);
    SAME(int16, int16_t, INT16_MIN);
    SAME(uint16, uint16_t, UINT16_MAX);
    SAME(int32, int32_t, INT32_MIN);
    SAME(uint32, uint32_t, UINT32_MAX);
    SAME(int64, int64_t, INT64_MIN);
    SAME(uint64, uint64_t, UINT64_MAX);
    SAME(float, float, -1.5f);
    SAME(double, double, -1e300);
    SAME(long_double, long double, 1.0L / 3);
    SAME(float_complex, float complex, 1.5f - 2.5f * I);
    SAME(double_complex, double complex, 1e300 - 1e-300 * I);
    SAME(long_double_complex, long double complex, 1.0L / 3 + 2.0L / 3 * I);
}

#define FULL                                                                   \
    "int8_t a, double b, uint16_t c, float d, int32_t e, double f, bool g, "   \
    "float h, uint64_t i, double j, int16_t k, float l, double m, float n"

/* Arguments for all registers, and room for one more. */
struct full {
    int8_t a;
    double b;
    uint16_t c;
    float d;
    int32_t e;
    double f;
    bool g;
    float h;
    uint64_t i;
    double j;
    int16_t k;
    float l;
    double m;
    float n;
};

static const struct full full = {-1,           2,   65533, -4, -5, 6,  true, 8,
                                 (uint64_t)-9, -10, -11,   12, 13, -14};

static void list_full(struct full *f, void *args[14])
{
    void *all[] = {&f->a, &f->b, &f->c, &f->d, &f->e, &f->f, &f->g,
                   &f->h, &f->i, &f->j, &f->k, &f->l, &f->m, &f->n};

    memcpy(args, all, sizeof all);
}

static void arguments_may_fill_all_registers(void)
{
    struct full f = full;
    int16_t got = 0;
    float real = 0;
    void *args[14];

    list_full(&f, args);
    call_in(CALLLIB, "int16_t call_full(" FULL ")", args, &got);
    CU_ASSERT_EQUAL(got, -321);
    call_in(CALLLIB, "float call_full_of_real(" FULL ")", args, &real);
    CU_ASSERT_EQUAL(real, -0.5f);
}

/* As SAME, behind arguments that take all registers. */
#define LATE(name, T, value)                                                   \
    do {                                                                       \
        struct {                                                               \
            T value_;                                                          \
            unsigned char after[16];                                           \
        } r;                                                                   \
        unsigned char want[16];                                                \
        struct full f = full;                                                  \
        void *args[15];                                                        \
        T x = value;                                                           \
                                                                               \
        list_full(&f, args);                                                   \
        args[14] = &x;                                                         \
        memset(&r, 0xa5, sizeof r);                                            \
        memset(want, 0xa5, sizeof want);                                       \
        call_in(CALLLIB, #T " call_" #name "_late(" FULL ", " #T " x)", args,  \
                &r.value_);                                                    \
        CU_ASSERT_TRUE(r.value_ == x);                                         \
        CU_ASSERT_EQUAL(memcmp(r.after, want, sizeof want), 0);                \
    } while (0)

static void one_argument_more_than_registers_arrives_too(void)
{
    LATE(bool, bool, true);
    LATE(int8, int8_t, INT8_MIN);
    LATE(uint8, uint8_t, UINT8_MAX);
    LATE(int16, int16_t, INT16_MIN);
    LATE(uint16, uint16_t, UINT16_MAX);
    LATE(int32, int32_t, INT32_MIN);
    LATE(uint32, uint32_t, UINT32_MAX);
    LATE(int64, int64_t, INT64_MIN);
    LATE(uint64, uint64_t, UINT64_MAX);
    LATE(float, float, -1.5f);
    LATE(double, double, -1e300);
}

/* One way of calling them at least can be written as a prototype. */
static void functions_with_dots_find_their_arguments(void)
{
    double a = 0.5, b = 0.25, got = 0;
    const char *format = "%.3f %d";
    int two = 2, seven = 7, len = 0;

    for (int i = 0; i < 3; i++) {
        call_in(CALLLIB, "double call_sum(int count, double a, double b)",
                ARGS(&two, &a, &b), &got);
        CU_ASSERT_EQUAL(got, 0.75);
    }
    call_in(CALLLIB, "int call_length_of(const char *format, double a, int b)",
            ARGS(&format, &a, &seven), &len);
    CU_ASSERT_EQUAL(len, 7);
}

#define MANY(n)                                                                \
    "bool a" #n ", int8_t b" #n ", float c" #n ", uint8_t d" #n                \
    ", double e" #n ", int16_t f" #n ", long double g" #n ", uint16_t h" #n    \
    ", int32_t i" #n ", double complex j" #n ", int64_t k" #n                  \
    ", uint64_t l" #n

static void thirty_six_parameters_of_all_types_arrive_in_place(void)
{
    bool a = true;
    int8_t b = -100;
    float c = 0.5f;
    uint8_t d = 200;
    double e = -0.25;
    int16_t f = -30000;
    long double g = 1.0L / 1024;
    uint16_t h = 60000;
    int32_t i = -2000000000;
    double complex j = 3 - 4 * I;
    int64_t k = -4000000000;
    uint64_t l = 8000000000;
    void *one[] = {&a, &b, &c, &d, &e, &f, &g, &h, &i, &j, &k, &l}, *args[36];
    long double values[] = {1, b, c, d, e, f, g, h, i, 7, k, l};
    long double expected = 0, got = 0;

    for (int n = 0; n < 36; n++) {
        args[n] = one[n % 12];
        expected += (n + 1) * values[n % 12];
    }
    call_in(CALLLIB,
            "long double call_many(" MANY(0) "," MANY(1) "," MANY(2) ")", args,
            &got);
    CU_ASSERT_TRUE(got == expected);
}

static void complex_numbers_of_every_width_arrive_between_others(void)
{
    char a = 1;
    float complex b = 4 + 2 * I;
    int c = 3;
    long double complex d = 1 - 3 * I;
    double e = 5, got = 0;
    double complex f = 9 + 3 * I;
    float complex g = 2 - 5 * I;

    call_in(CALLLIB,
            "double call_complex(char a, float complex b, int c, long double "
            "complex d, double e, double complex f, float complex g)",
            ARGS(&a, &b, &c, &d, &e, &f, &g), &got);
    CU_ASSERT_EQUAL(got, 7654321);
}

static void a_function_without_arguments_or_result_is_called(void)
{
    int before = 0, after = 0;

    call_in(CALLLIB, "int call_ticks()", NULL, &before);
    call_in(CALLLIB, "void call_tick(void)", NULL, NULL);
    call_in(CALLLIB, "int call_ticks(void)", NULL, &after);
    CU_ASSERT_EQUAL(after, before + 1);
}

static void strings_go_in_and_come_out_as_pointers(void)
{
    const char *s = "hello", *none = NULL;
    char *copy = NULL;
    const char *greeting = NULL;
    int len = 0;

    call_in(CALLLIB, "int call_length(const char *s)", ARGS(&s), &len);
    CU_ASSERT_EQUAL(len, 5);
    call_in(CALLLIB, "int call_length(const char *s)", ARGS(&none), &len);
    CU_ASSERT_EQUAL(len, -1);
    call_in(CALLLIB, "char *call_copy(const char *s)", ARGS(&s), &copy);
    CU_ASSERT_STRING_EQUAL(copy, "hello");
    free(copy);
    call_in(CALLLIB, "const char *call_greeting(void)", NULL, &greeting);
    CU_ASSERT_STRING_EQUAL(greeting, "good morning");
}

static void arrays_are_read_and_filled_where_they_are(void)
{
    size_t rows = 2, cols = 3;
    double m[2][3] = {{1, 2, 3}, {4, 5, 6}}, *mp = &m[0][0];
    float sums[2] = {0}, *sp = sums;

    call_in(CALLLIB,
            "void call_rows(size_t rows, size_t cols, double m[rows][cols], "
            "CADRE_OUT float sums[rows])",
            ARGS(&rows, &cols, &mp, &sp), NULL);
    CU_ASSERT_EQUAL(sums[0], 6);
    CU_ASSERT_EQUAL(sums[1], 15);
    CU_ASSERT_EQUAL(m[1][2], 12);
}

static void communicator_store_task_and_objects_are_passed_as_pointers(void)
{
    int a, b, c, d, n = 0;
    void *comm = &a, *store = &b, *self = &c, *object = &d;
    void *seen[4] = {0}, *seenp = seen;

    call_in(CALLLIB,
            "int call_pointers(MPI_Comm comm, cadre_store *store, cadre_task "
            "*self, struct thing *object, void *seen)",
            ARGS(&comm, &store, &self, &object, &seenp), &n);
    CU_ASSERT_EQUAL(n, 4);
    CU_ASSERT_PTR_EQUAL(seen[0], &a);
    CU_ASSERT_PTR_EQUAL(seen[1], &b);
    CU_ASSERT_PTR_EQUAL(seen[2], &c);
    CU_ASSERT_PTR_EQUAL(seen[3], &d);
}

static void functions_of_system_libraries_are_called(void)
{
    double x = 2, y = 10, got = 0;
    int e = 3;
    size_t len = 0;
    const char *s = "four";

    call_in("libm.so.6", "double pow(double, double)", ARGS(&x, &y), &got);
    CU_ASSERT_EQUAL(got, 1024);
    call_in("libm.so.6", "double ldexp(double x, int e)", ARGS(&x, &e), &got);
    CU_ASSERT_EQUAL(got, 16);
    call_in(NULL, "size_t strlen(const char *s)", ARGS(&s), &len);
    CU_ASSERT_EQUAL(len, 4);
    call_in("", "int abs(int)", ARGS(&e), &e);
    CU_ASSERT_EQUAL(e, 3);
}

/* cadre_symbol_find() fails with a sentence of one line that has all parts. */
static void not_found(const char *library, const char *symbol, const char *a,
                      const char *b)
{
    cadre_symbol_fn fn = (cadre_symbol_fn)abort;

    error.text[0] = '\0';
    CU_ASSERT_EQUAL(cadre_symbol_find(library, symbol, &fn, &error),
                    CADRE_ENOTFOUND);
    if (strstr(error.text, a) == NULL || strstr(error.text, b) == NULL)
        printf("\n    %s\n    expected '%s' and '%s'\n", error.text, a, b);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, a));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, b));
    CU_ASSERT_PTR_NULL(strchr(error.text, '\n'));
    CU_ASSERT_TRUE(fn == (cadre_symbol_fn)abort);
}

static void a_missing_library_is_named_with_what_to_check(void)
{
    not_found("libdoesnotexist.so.7", "f",
              "cannot open library 'libdoesnotexist.so.7': "
              "libdoesnotexist.so.7: cannot open shared object file",
              "run ldconfig");
    not_found("libdoesnotexist.so", "f", "'libdoesnotexist.so'",
              "write the version, such as 'libdoesnotexist.so.1'");
    not_found("/does/not/exist.so", "f", "'/does/not/exist.so'",
              "no such file here: check the path");
    not_found("/dev/null", "f", "'/dev/null'", "check that it is a shared");
}

static void a_library_beside_the_program_needs_a_slash(void)
{
    char there[PATH_MAX];

    CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(there, sizeof there));
    CU_ASSERT_EQUAL_FATAL(chdir("/dev"), 0);
    not_found("null", "f", "cannot open library 'null'", "write './null'");
    CU_ASSERT_EQUAL(chdir(there), 0);
}

static void a_missing_symbol_is_told_from_a_missing_library(void)
{
    not_found("libm.so.6", "lgama", "library 'libm.so.6' has no function",
              "'lgama'");
    not_found(NULL, "no_such_task", "no function 'no_such_task' in this",
              "CADRE_TASK");
    not_found("", "no_such_task", "no function 'no_such_task' in this",
              "CADRE_TASK");
    not_found(CALLLIB, "call_version", "'call_version'",
              "is data, not a function");
}

static void an_error_may_be_of_no_interest(void)
{
    cadre_symbol_fn fn;

    CU_ASSERT_EQUAL(cadre_symbol_find("/none.so", "f", &fn, NULL),
                    CADRE_ENOTFOUND);
    CU_ASSERT_EQUAL(cadre_symbol_find(NULL, "no_such_task", &fn, NULL),
                    CADRE_ENOTFOUND);
}

static void a_located_function_is_found_again(void)
{
    const char *library = NULL, *symbol = NULL;
    cadre_symbol_fn fn = NULL, again = NULL;

    CU_ASSERT_EQUAL_FATAL(cadre_symbol_find(CALLLIB, "call_many", &fn, &error),
                          CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_symbol_locate(fn, &library, &symbol, &error),
                          CADRE_OK);
    CU_ASSERT_EQUAL(library[0], '/');
    CU_ASSERT_STRING_EQUAL(symbol, "call_many");
    CU_ASSERT_EQUAL(cadre_symbol_find(library, symbol, &again, &error),
                    CADRE_OK);
    CU_ASSERT_TRUE(again == fn);
}

static void a_library_opened_by_a_relative_path_is_located_absolutely(void)
{
    const char *library = NULL, *symbol = NULL, *second = NULL;
    char there[PATH_MAX], copy[PATH_MAX] = "/tmp/cadre_call_XXXXXX";
    char command[2 * PATH_MAX];
    cadre_symbol_fn fn = NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(there, sizeof there));
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(copy));
    snprintf(command, sizeof command, "cp '%s' '%s/lib.so'", CALLLIB, copy);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
    CU_ASSERT_EQUAL_FATAL(chdir(copy), 0);

    CU_ASSERT_EQUAL(cadre_symbol_find("./lib.so", "call_tick", &fn, &error),
                    CADRE_OK);
    CU_ASSERT_EQUAL(cadre_symbol_locate(fn, &library, &symbol, &error),
                    CADRE_OK);
    CU_ASSERT_EQUAL(cadre_symbol_locate(fn, &second, &symbol, &error),
                    CADRE_OK);
    strcat(copy, "/lib.so");
    CU_ASSERT_STRING_EQUAL(library, copy);
    CU_ASSERT_PTR_EQUAL(library, second);

    CU_ASSERT_EQUAL(chdir(there), 0);
    CU_ASSERT_EQUAL(unlink(copy), 0);
    *strrchr(copy, '/') = '\0';
    CU_ASSERT_EQUAL(rmdir(copy), 0);
}

/* Locating `fn` fails with a sentence that contains `part`. */
static void not_located(cadre_symbol_fn fn, const char *part)
{
    const char *library = part, *symbol = part;

    CU_ASSERT_EQUAL(cadre_symbol_locate(fn, &library, &symbol, &error),
                    CADRE_ENOTFOUND);
    if (strstr(error.text, part) == NULL)
        printf("\n    %s\n    expected '%s'\n", error.text, part);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, part));
    CU_ASSERT_PTR_EQUAL(library, part);
    CU_ASSERT_PTR_EQUAL(symbol, part);
}

static void what_is_no_symbol_of_a_library_is_not_located(void)
{
    cadre_symbol_fn inside = NULL;
    static char data[64];

    not_located(an_error_may_be_of_no_interest, "part of this program");
    CU_ASSERT_EQUAL_FATAL(
        cadre_symbol_find(CALLLIB, "call_many", &inside, &error), CADRE_OK);
    not_located((cadre_symbol_fn)((uintptr_t)inside + 1), "has no name");
    not_located((cadre_symbol_fn)(uintptr_t)data, "part of this program");
    not_located((cadre_symbol_fn)(uintptr_t)16, "in no program or library");
}

static void without_memory_no_call_is_made_and_nothing_is_lost(void)
{
    struct cadre_call *none = (struct cadre_call *)&error, *call = none;
    struct cadre_proto *proto;
    cadre_err err;
    int n = 0;

    CU_ASSERT_EQUAL_FATAL(
        cadre_proto_parse("int f(int a, double b)", &proto, &error), CADRE_OK);
    do {
        failing = ++n;
        err = cadre_call_create(proto, (cadre_symbol_fn)abort, &call, &error);
        if (err != CADRE_OK) {
            CU_ASSERT_EQUAL(err, CADRE_ENOMEM);
            CU_ASSERT_STRING_EQUAL(error.text, "no memory to call 'f'");
            CU_ASSERT_PTR_EQUAL(call, none);
        }
    } while (err != CADRE_OK && n < 100);
    failing = 0;
    CU_ASSERT_EQUAL(n, 2);
    cadre_call_destroy(call);
    cadre_call_destroy(NULL);
    cadre_proto_destroy(proto);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(a_result_of_every_type_fits_its_own_width),
        CHECK(arguments_may_fill_all_registers),
        CHECK(one_argument_more_than_registers_arrives_too),
        CHECK(functions_with_dots_find_their_arguments),
        CHECK(thirty_six_parameters_of_all_types_arrive_in_place),
        CHECK(complex_numbers_of_every_width_arrive_between_others),
        CHECK(a_function_without_arguments_or_result_is_called),
        CHECK(strings_go_in_and_come_out_as_pointers),
        CHECK(arrays_are_read_and_filled_where_they_are),
        CHECK(communicator_store_task_and_objects_are_passed_as_pointers),
        CHECK(functions_of_system_libraries_are_called),
        CHECK(a_missing_library_is_named_with_what_to_check),
        CHECK(a_library_beside_the_program_needs_a_slash),
        CHECK(a_missing_symbol_is_told_from_a_missing_library),
        CHECK(an_error_may_be_of_no_interest),
        CHECK(a_located_function_is_found_again),
        CHECK(a_library_opened_by_a_relative_path_is_located_absolutely),
        CHECK(what_is_no_symbol_of_a_library_is_not_located),
        CHECK(without_memory_no_call_is_made_and_nothing_is_lost),
        {NULL, NULL}};

    return check_run("call", tests);
}
