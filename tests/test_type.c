/* test_type.c - sizes, names and lengths of the C types. */
#include "type.h"

#include "check.h"

#include <limits.h>
#include <string.h>

static void a_type_has_the_size_of_its_c_type(void)
{
    static const size_t sizes[] = {[CADRE_VOID] = 0,
                                   [CADRE_BOOL] = sizeof(_Bool),
                                   [CADRE_INT8] = 1,
                                   [CADRE_UINT8] = 1,
                                   [CADRE_INT16] = 2,
                                   [CADRE_UINT16] = 2,
                                   [CADRE_INT32] = 4,
                                   [CADRE_UINT32] = 4,
                                   [CADRE_INT64] = 8,
                                   [CADRE_UINT64] = 8,
                                   [CADRE_FLOAT] = sizeof(float),
                                   [CADRE_DOUBLE] = sizeof(double),
                                   [CADRE_LONG_DOUBLE] = sizeof(long double),
                                   [CADRE_FLOAT_COMPLEX] = 2 * sizeof(float),
                                   [CADRE_DOUBLE_COMPLEX] = 2 * sizeof(double),
                                   [CADRE_LONG_DOUBLE_COMPLEX] =
                                       2 * sizeof(long double),
                                   [CADRE_STRING] = sizeof(char *),
                                   [CADRE_AGGREGATE] = 0};

    for (int t = CADRE_VOID; t <= CADRE_AGGREGATE; t++)
        CU_ASSERT_EQUAL(cadre_type_size((cadre_type)t), sizes[t]);
}

static void every_type_has_a_name_of_its_own(void)
{
    for (int a = CADRE_VOID; a <= CADRE_AGGREGATE; a++) {
        for (int b = CADRE_VOID; b < a; b++)
            CU_ASSERT_STRING_NOT_EQUAL(cadre_type_name((cadre_type)a),
                                       cadre_type_name((cadre_type)b));
    }
    CU_ASSERT_STRING_EQUAL(cadre_type_name(CADRE_INT32), "int32_t");
    CU_ASSERT_STRING_EQUAL(cadre_type_name(CADRE_DOUBLE), "double");
    CU_ASSERT_STRING_EQUAL(cadre_type_name(CADRE_STRING), "char *");
}

static void a_byte_from_a_frame_is_checked_before_it_is_a_type(void)
{
    CU_ASSERT_TRUE(cadre_type_is_valid(CADRE_VOID));
    CU_ASSERT_TRUE(cadre_type_is_valid(CADRE_STRING));
    CU_ASSERT_TRUE(cadre_type_is_valid(CADRE_AGGREGATE));
    CU_ASSERT_FALSE(cadre_type_is_valid(CADRE_AGGREGATE + 1));
    CU_ASSERT_FALSE(cadre_type_is_valid(255));
    CU_ASSERT_FALSE(cadre_type_is_valid(UINT_MAX));
}

static void bool_and_integers_of_every_width_are_integers(void)
{
    int n = 0;

    for (int t = CADRE_VOID; t <= CADRE_STRING; t++)
        n += cadre_type_is_integer((cadre_type)t);
    CU_ASSERT_EQUAL(n, 9);
    CU_ASSERT_TRUE(cadre_type_is_integer(CADRE_BOOL));
    CU_ASSERT_TRUE(cadre_type_is_integer(CADRE_UINT64));
    CU_ASSERT_FALSE(cadre_type_is_integer(CADRE_FLOAT));
    CU_ASSERT_FALSE(cadre_type_is_integer(CADRE_VOID));
}

#define LENGTH(type, ctype, value) cadre_type_length(type, &(ctype){value})

static void a_length_of_any_width_keeps_its_value(void)
{
    CU_ASSERT_EQUAL(LENGTH(CADRE_BOOL, bool, true), 1);
    CU_ASSERT_EQUAL(LENGTH(CADRE_BOOL, bool, false), 0);
    CU_ASSERT_EQUAL(LENGTH(CADRE_INT8, int8_t, INT8_MAX), INT8_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_UINT8, uint8_t, UINT8_MAX), UINT8_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_INT16, int16_t, INT16_MAX), INT16_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_UINT16, uint16_t, UINT16_MAX), UINT16_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_INT32, int32_t, INT32_MAX), INT32_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_UINT32, uint32_t, UINT32_MAX), UINT32_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_INT64, int64_t, INT64_MAX), INT64_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_UINT64, uint64_t, INT64_MAX), INT64_MAX);
}

static void what_cannot_be_a_length_is_the_largest_number(void)
{
    CU_ASSERT_EQUAL(LENGTH(CADRE_INT8, int8_t, -1), UINT64_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_INT16, int16_t, INT16_MIN), UINT64_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_INT32, int32_t, -1), UINT64_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_INT64, int64_t, INT64_MIN), UINT64_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_UINT64, uint64_t, (uint64_t)INT64_MAX + 1),
                    UINT64_MAX);
    CU_ASSERT_EQUAL(LENGTH(CADRE_DOUBLE, double, 3.0), UINT64_MAX);
}

static void a_length_may_lie_at_any_address(void)
{
    unsigned char bytes[1 + sizeof(uint64_t)];
    uint64_t n = 123456789;

    memcpy(bytes + 1, &n, sizeof n);
    CU_ASSERT_EQUAL(cadre_type_length(CADRE_UINT64, bytes + 1), n);
    bytes[0] = 200; /* no bool that C makes, but one that a frame may hold */
    CU_ASSERT_EQUAL(cadre_type_length(CADRE_BOOL, bytes), 1);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(a_type_has_the_size_of_its_c_type),
        CHECK(every_type_has_a_name_of_its_own),
        CHECK(a_byte_from_a_frame_is_checked_before_it_is_a_type),
        CHECK(bool_and_integers_of_every_width_are_integers),
        CHECK(a_length_of_any_width_keeps_its_value),
        CHECK(what_cannot_be_a_length_is_the_largest_number),
        CHECK(a_length_may_lie_at_any_address),
        {NULL, NULL}};

    return check_run("type", tests);
}
