/* test_values.c - text to values and back. */
#include "values.h"

#include "fields.h"

#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct cadre_why why;
static struct cadre_value value;

static bool scan(cadre_type type, const char *text)
{
    why.text[0] = '\0';
    return cadre_value_scan(type, text, strlen(text), &value, &why);
}

/* What a value looks like in text; lent until the next call. */
static const char *print_as(cadre_type type, const void *data, uint64_t count,
                            bool is_csv)
{
    static struct cadre_text text;
    static char shown[4096];

    cadre_value_print(&text, type, data, count, is_csv);
    snprintf(shown, sizeof shown, "%.*s", (int)text.len, text.data);
    cadre_text_fini(&text);
    return shown;
}

static const char *print(cadre_type type, const void *data)
{
    return print_as(type, data, 1, false);
}

static void integers_are_decimal_or_hexadecimal(void)
{
    CU_ASSERT(scan(CADRE_INT32, "12") && value.integer == 12);
    CU_ASSERT(scan(CADRE_INT32, " -12 ") && value.integer == -12);
    CU_ASSERT(scan(CADRE_INT32, "+7") && value.integer == 7);
    CU_ASSERT(scan(CADRE_INT32, "010") && value.integer == 10);
    CU_ASSERT(scan(CADRE_UINT8, "0xfF") && value.natural == 255);
    CU_ASSERT(scan(CADRE_INT64, "-0x10") && value.integer == -16);
    CU_ASSERT(scan(CADRE_UINT64, "18446744073709551615") &&
              value.natural == UINT64_MAX);
    CU_ASSERT(scan(CADRE_INT64, "-9223372036854775808") &&
              value.integer == INT64_MIN);
    CU_ASSERT_EQUAL(value.type, CADRE_INT64);
}

static void integers_out_of_range_are_refused(void)
{
    CU_ASSERT(!scan(CADRE_UINT8, "256"));
    CU_ASSERT_STRING_EQUAL(why.text,
                           "'256' is out of the range of uint8_t (0 to 255)");
    CU_ASSERT(!scan(CADRE_UINT8, "-1"));
    CU_ASSERT(scan(CADRE_UINT8, "-0"));
    CU_ASSERT(!scan(CADRE_INT8, "128"));
    CU_ASSERT(scan(CADRE_INT8, "-128"));
    CU_ASSERT(!scan(CADRE_INT16, "-32769"));
    CU_ASSERT(!scan(CADRE_INT32, "2147483648"));
    CU_ASSERT(!scan(CADRE_UINT64, "18446744073709551616"));
    CU_ASSERT(!scan(CADRE_INT64, "9223372036854775808"));
    CU_ASSERT(!scan(CADRE_INT64, "99999999999999999999999999"));
}

static void what_is_no_number_is_refused(void)
{
    static const char *const texts[] = {"",    " ",   "x",    "1x",  "0x",
                                        "1.5", "1e3", "- 1",  "--1", "1 2",
                                        "0xg", "+",   "0x-1", "१",   NULL};

    for (int i = 0; texts[i] != NULL; i++)
        CU_ASSERT_FALSE(scan(CADRE_INT32, texts[i]));
    CU_ASSERT(!scan(CADRE_DOUBLE, "1.5x"));
    CU_ASSERT_STRING_EQUAL(why.text, "'1.5x' is not of type double");
    CU_ASSERT(!scan(CADRE_DOUBLE, "1,5"));
    CU_ASSERT(!scan(CADRE_DOUBLE, ""));
}

static void bool_is_a_digit_or_a_word(void)
{
    CU_ASSERT(scan(CADRE_BOOL, "1") && value.boolean);
    CU_ASSERT(scan(CADRE_BOOL, "true") && value.boolean);
    CU_ASSERT(scan(CADRE_BOOL, "0") && !value.boolean);
    CU_ASSERT(scan(CADRE_BOOL, "false") && !value.boolean);
    CU_ASSERT(!scan(CADRE_BOOL, "2"));
    CU_ASSERT(!scan(CADRE_BOOL, "yes"));
}

static void reals_may_be_inf_and_nan(void)
{
    CU_ASSERT(scan(CADRE_DOUBLE, "1.5e-3") && (double)value.real == 1.5e-3);
    CU_ASSERT(scan(CADRE_DOUBLE, "0.1") && (double)value.real == 0.1);
    CU_ASSERT(scan(CADRE_FLOAT, "0.1") && (float)value.real == 0.1f);
    CU_ASSERT(scan(CADRE_DOUBLE, "-inf") && isinf(value.real) &&
              value.real < 0);
    CU_ASSERT(scan(CADRE_DOUBLE, "nan") && isnan(value.real));
    CU_ASSERT(scan(CADRE_DOUBLE, "0x1p-3") && value.real == 0.125L);
    CU_ASSERT(!scan(CADRE_DOUBLE, "1e999"));
    CU_ASSERT(!scan(CADRE_FLOAT, "1e39"));
    CU_ASSERT(scan(CADRE_LONG_DOUBLE, "1e999") && value.real == 1e999L);
    CU_ASSERT(scan(CADRE_DOUBLE, "5e-324") && value.real > 0);
}

static void complex_numbers_have_two_parts(void)
{
    static const struct {
        const char *text;
        double re, im;
    } cases[] = {
        {"1+2i", 1, 2}, {"1-2i", 1, -2},          {"3", 3, 0},
        {"-4i", 0, -4}, {"1e3+2e-3j", 1e3, 2e-3}, {"-1.5-2.5i", -1.5, -2.5}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_TRUE_FATAL(scan(CADRE_DOUBLE_COMPLEX, cases[i].text));
        CU_ASSERT_EQUAL((double)__real__ value.complex_number, cases[i].re);
        CU_ASSERT_EQUAL((double)__imag__ value.complex_number, cases[i].im);
    }
    CU_ASSERT(scan(CADRE_DOUBLE_COMPLEX, "inf-infi"));
    CU_ASSERT(isinf(__imag__ value.complex_number));
    CU_ASSERT(!scan(CADRE_DOUBLE_COMPLEX, "1+2"));
    CU_ASSERT(!scan(CADRE_DOUBLE_COMPLEX, "1 + 2i"));
    CU_ASSERT(!scan(CADRE_DOUBLE_COMPLEX, "1+"));
    CU_ASSERT(!scan(CADRE_DOUBLE_COMPLEX, "i"));
    CU_ASSERT(!scan(CADRE_DOUBLE_COMPLEX, "1+2ii"));
}

static void strings_are_taken_as_they_are(void)
{
    CU_ASSERT(scan(CADRE_STRING, " a b "));
    CU_ASSERT_STRING_EQUAL(value.string, " a b ");
    CU_ASSERT(scan(CADRE_STRING, ""));
    CU_ASSERT(!cadre_value_scan(CADRE_STRING, "a\0b", 3, &value, &why));
}

static void a_failed_scan_leaves_the_value(void)
{
    CU_ASSERT(scan(CADRE_INT32, "5"));
    CU_ASSERT(!scan(CADRE_INT32, "x"));
    CU_ASSERT_EQUAL(value.integer, 5);
}

static void long_bad_values_are_cut_in_messages(void)
{
    char text[1000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    CU_ASSERT(!scan(CADRE_INT32, text));
    CU_ASSERT(strlen(why.text) < 100);
}

static void arrays_have_blanks_commas_or_semicolons_between(void)
{
    struct cadre_text elements = {0};
    size_t count;
    double x[4];
    uint8_t b[3];

    CU_ASSERT(cadre_value_scan_array(CADRE_DOUBLE, "1 2.5,3;  4", 11, &elements,
                                     &count, &why));
    CU_ASSERT_EQUAL_FATAL(count, 4);
    CU_ASSERT_EQUAL_FATAL(elements.len, sizeof x);
    memcpy(x, elements.data, sizeof x);
    CU_ASSERT(x[0] == 1 && x[1] == 2.5 && x[2] == 3 && x[3] == 4);
    elements.len = 0;
    CU_ASSERT(cadre_value_scan_array(CADRE_UINT8, "1,0xff, 3", 9, &elements,
                                     &count, &why));
    CU_ASSERT_EQUAL_FATAL(elements.len, sizeof b);
    memcpy(b, elements.data, sizeof b);
    CU_ASSERT(b[0] == 1 && b[1] == 255 && b[2] == 3);
    elements.len = 0;
    CU_ASSERT(
        cadre_value_scan_array(CADRE_INT32, "  ", 2, &elements, &count, &why) &&
        count == 0 && elements.len == 0);
    CU_ASSERT(!cadre_value_scan_array(CADRE_INT32, "1,x", 3, &elements, &count,
                                      &why));
    CU_ASSERT(!cadre_value_scan_array(CADRE_UINT8, "1,256", 5, &elements,
                                      &count, &why));
    cadre_text_fini(&elements);
}

/* Every type with a width: what is printed from an array is what was read. */
static void arrays_of_every_type_come_back(void)
{
    static const struct {
        cadre_type type;
        const char *text;
    } cases[] = {{CADRE_BOOL, "1 0"},
                 {CADRE_INT8, "-128 127"},
                 {CADRE_UINT8, "0 255"},
                 {CADRE_INT16, "-32768 32767"},
                 {CADRE_UINT16, "65535"},
                 {CADRE_INT32, "-2147483648 2147483647"},
                 {CADRE_UINT32, "4294967295"},
                 {CADRE_INT64, "-9223372036854775808 9223372036854775807"},
                 {CADRE_UINT64, "18446744073709551615"},
                 {CADRE_FLOAT, "0.1 -1e-30"},
                 {CADRE_DOUBLE, "0.1 1e+300 -0 inf nan"},
                 {CADRE_LONG_DOUBLE, "0.1 1e+3000 -inf"},
                 {CADRE_FLOAT_COMPLEX, "0.1+2i 1-0.5i"},
                 {CADRE_DOUBLE_COMPLEX, "0.1+2i -inf-infi 0-0i nan+nani"},
                 {CADRE_LONG_DOUBLE_COMPLEX, "0.1+2i"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cadre_text elements = {0};
        const char *text = cases[i].text;
        size_t count = 0;

        CU_ASSERT_TRUE(cadre_value_scan_array(cases[i].type, text, strlen(text),
                                              &elements, &count, &why));
        CU_ASSERT_EQUAL(elements.len, count * cadre_value_size(cases[i].type));
        CU_ASSERT_STRING_EQUAL(
            print_as(cases[i].type, elements.data, count, false), text);
        cadre_text_fini(&elements);
    }
}

static void doubles_have_as_few_digits_as_come_back(void)
{
    static const struct {
        double x;
        const char *text;
    } cases[] = {{0.1, "0.1"},
                 {1.0 / 3, "0.3333333333333333"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {100, "100"},
                 {-3, "-3"},
                 {1e15, "1e+15"},
                 {123456789012345, "123456789012345"},
                 {9007199254740992, "9007199254740992"},
                 {1e22, "1e+22"},
                 {-0.0, "-0"},
                 {DBL_MAX, "1.7976931348623157e+308"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_STRING_EQUAL(print(CADRE_DOUBLE, &cases[i].x), cases[i].text);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void any_double_comes_back(void)
{
    uint64_t state = 88172645463325252;
    int lost = 0;

    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random(&state);
        double x;
        float y;

        memcpy(&x, &bits, sizeof x);
        memcpy(&y, &bits, sizeof y);
        lost += !isnan(x) && strtod(print(CADRE_DOUBLE, &x), NULL) != x;
        lost += !isnan(y) && strtof(print(CADRE_FLOAT, &y), NULL) != y;
        x = (double)(int64_t)bits;
        lost += strtod(print(CADRE_DOUBLE, &x), NULL) != x;
    }
    CU_ASSERT_EQUAL(lost, 0);
}

static void strings_stay_on_their_line(void)
{
    CU_ASSERT_STRING_EQUAL(print(CADRE_STRING, "a b,c"), "a b,c");
    CU_ASSERT_STRING_EQUAL(print(CADRE_STRING, "a\nb\tc\\d\r"),
                           "a\\nb\\tc\\\\d\\r");
    CU_ASSERT_STRING_EQUAL(print(CADRE_STRING, ""), "");
    CU_ASSERT_STRING_EQUAL(print(CADRE_STRING, NULL), "");
}

static void csv_strings_are_quoted_where_needed(void)
{
    CU_ASSERT_STRING_EQUAL(print_as(CADRE_STRING, "ab", 1, true), "ab");
    CU_ASSERT_STRING_EQUAL(print_as(CADRE_STRING, "a,b", 1, true), "\"a,b\"");
    CU_ASSERT_STRING_EQUAL(print_as(CADRE_STRING, "a\"b", 1, true),
                           "\"a\"\"b\"");
    CU_ASSERT_STRING_EQUAL(print_as(CADRE_STRING, " a", 1, true), "\" a\"");
    CU_ASSERT_STRING_EQUAL(print_as(CADRE_STRING, "", 1, true), "\"\"");
    CU_ASSERT_STRING_EQUAL(print_as(CADRE_STRING, NULL, 1, true), "");
}

static void counts_must_fit_their_type(void)
{
    CU_ASSERT(cadre_value_from_count(CADRE_UINT8, 255, &value, &why));
    CU_ASSERT_EQUAL(cadre_value_to_count(&value), 255);
    CU_ASSERT(!cadre_value_from_count(CADRE_UINT8, 256, &value, &why));
    CU_ASSERT(!cadre_value_from_count(CADRE_INT32, 1ull << 31, &value, &why));
    CU_ASSERT(cadre_value_from_count(CADRE_INT64, 7, &value, &why));
    CU_ASSERT_EQUAL(cadre_value_to_count(&value), 7);
    CU_ASSERT(scan(CADRE_INT32, "-1"));
    CU_ASSERT_EQUAL(cadre_value_to_count(&value), UINT64_MAX);
}

/* struct { bool b; struct pair { int8_t i; float _Complex z; } p, q[2]; } */
struct pair {
    int8_t i;
    float _Complex z;
};
struct outer {
    bool b;
    struct pair p, q[2];
};

static const struct cadre_field pair_fields[] = {
    {.name = "i", .type = CADRE_INT8, .count = 1},
    {.name = "z",
     .type = CADRE_FLOAT_COMPLEX,
     .count = 1,
     .offset = offsetof(struct pair, z)}};
static const struct cadre_struct pair = {.name = "struct pair",
                                         .size = sizeof(struct pair),
                                         .nfields = 2,
                                         .fields = pair_fields};
static const struct cadre_field outer_fields[] = {
    {.name = "b", .type = CADRE_BOOL, .count = 1},
    {.name = "p",
     .type = CADRE_AGGREGATE,
     .of = &pair,
     .count = 1,
     .offset = offsetof(struct outer, p)},
    {.name = "q",
     .type = CADRE_AGGREGATE,
     .of = &pair,
     .is_array = true,
     .count = 2,
     .offset = offsetof(struct outer, q)}};
static const struct cadre_struct outer = {.name = "struct outer",
                                          .size = sizeof(struct outer),
                                          .nfields = 3,
                                          .fields = outer_fields};

static void a_struct_is_read_and_printed_by_its_fields(void)
{
    static const char *const columns[] = {"true", "-5", "1-2i", "1 2i;3 4+1i"};
    static const char *const names[] = {"o.b", "o.p.i", "o.p.z", "o.q"};
    struct cadre_leaves leaves;
    struct cadre_text out = {NULL, 0, 0};
    struct cadre_why why;
    struct outer o;

    memset(&o, 0, sizeof o);
    cadre_leaves_init(&leaves, "o", &outer);
    CU_ASSERT_EQUAL_FATAL(leaves.count, 4);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_STRING_EQUAL(leaves.list[i].name, names[i]);
        CU_ASSERT_TRUE(cadre_leaf_scan(&leaves.list[i], columns[i],
                                       strlen(columns[i]), &o, &why));
    }
    CU_ASSERT_FALSE(cadre_leaf_scan(&leaves.list[3], "1 2 3 4 5", 9, &o, &why));
    CU_ASSERT_STRING_EQUAL(why.text, "there are more numbers than o.q has");
    CU_ASSERT_TRUE(cadre_leaf_scan(&leaves.list[3], columns[3],
                                   strlen(columns[3]), &o, &why));
    CU_ASSERT_FALSE(cadre_leaf_scan(&leaves.list[1], "200", 3, &o, &why));
    cadre_leaves_fini(&leaves);

    cadre_struct_print(&out, &outer, &o, '|');
    cadre_text_add_char(&out, '\0');
    CU_ASSERT_STRING_EQUAL(out.data, "1|-5|1-2i|1 0+2i 3 4+1i");
    out.len = 0;
    cadre_structs_print(&out, &pair, o.q, 2);
    cadre_text_add_char(&out, '\0');
    CU_ASSERT_STRING_EQUAL(out.data, "1 0+2i 3 4+1i");
    cadre_text_fini(&out);
}

static void structs_are_read_number_by_number(void)
{
    static const char good[] = "1,2i , -3 4;5 6";
    struct cadre_text elements = {NULL, 0, 0};
    const struct pair *p;
    struct cadre_why why;
    size_t count = 0;

    CU_ASSERT_TRUE(
        cadre_structs_scan(&pair, good, strlen(good), &elements, &count, &why));
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_EQUAL_FATAL(elements.len, 3 * sizeof *p);
    p = (const struct pair *)(const void *)elements.data;
    CU_ASSERT_EQUAL(p[1].i, -3);
    CU_ASSERT_TRUE(p[2].z == 6);
    elements.len = 0;
    CU_ASSERT_TRUE(cadre_structs_scan(&pair, " ", 1, &elements, &count, &why));
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_FALSE(
        cadre_structs_scan(&pair, "1 2 3", 5, &elements, &count, &why));
    CU_ASSERT_STRING_EQUAL(why.text, "the numbers end before z");
    CU_ASSERT_FALSE(
        cadre_structs_scan(&pair, "x 2", 3, &elements, &count, &why));
    CU_ASSERT_STRING_EQUAL(why.text, "'x' is not of type int8_t");
    cadre_text_fini(&elements);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(integers_are_decimal_or_hexadecimal),
        CHECK(integers_out_of_range_are_refused),
        CHECK(what_is_no_number_is_refused),
        CHECK(bool_is_a_digit_or_a_word),
        CHECK(reals_may_be_inf_and_nan),
        CHECK(complex_numbers_have_two_parts),
        CHECK(strings_are_taken_as_they_are),
        CHECK(a_failed_scan_leaves_the_value),
        CHECK(long_bad_values_are_cut_in_messages),
        CHECK(arrays_have_blanks_commas_or_semicolons_between),
        CHECK(arrays_of_every_type_come_back),
        CHECK(doubles_have_as_few_digits_as_come_back),
        CHECK(any_double_comes_back),
        CHECK(strings_stay_on_their_line),
        CHECK(csv_strings_are_quoted_where_needed),
        CHECK(counts_must_fit_their_type),
        CHECK(a_struct_is_read_and_printed_by_its_fields),
        CHECK(structs_are_read_number_by_number),
        {NULL, NULL}};

    return check_run("values", tests);
}
