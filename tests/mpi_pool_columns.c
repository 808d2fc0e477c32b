/* mpi_pool_columns.c - every kind of argument and output through real workers.
 */
#include "mpi_pool.h"

#include <mpi.h>

#include <complex.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- scalars ----------------------------------------------------------------
 */

/* For each type a task that doubles, and a test of it. */
#define DOUBLING(T, NAME, VALUE)                                               \
    CADRE_TASK(T, twice_##NAME, (T x))                                         \
    {                                                                          \
        return (T)(x + x);                                                     \
    }                                                                          \
    static void check_##NAME(struct cadre_pool *pool)                          \
    {                                                                          \
        T in[3] = {0, 1, VALUE}, out[3];                                       \
        CHECK_OK(cadre_pool_map(pool, CADRE_FN(twice_##NAME), 3,               \
                                CADRE_EACH(in), CADRE_INTO(out)));             \
        for (int i = 0; i < 3; i++)                                            \
            CU_ASSERT(out[i] == (T)(in[i] + in[i]));                           \
    }

DOUBLING(_Bool, bool, 1)
DOUBLING(char, char, 63)
DOUBLING(signed char, schar, -64)
DOUBLING(unsigned char, uchar, 127)
DOUBLING(short, short, -16384)
DOUBLING(unsigned short, ushort, 32767)
DOUBLING(int, int, -1073741824)
DOUBLING(unsigned, uint, 2147483647u)
DOUBLING(long, long, -(1L << 62))
DOUBLING(unsigned long, ulong, (1UL << 63) - 1)
DOUBLING(long long, llong, -(1LL << 62))
DOUBLING(unsigned long long, ullong, (1ULL << 63) - 1)
DOUBLING(float, float, 1.25f)
DOUBLING(double, double, 1e300)
DOUBLING(long double, ldouble, 0x1.0000000000000002p4000L)
DOUBLING(float _Complex, cfloat, 1.5f - 2.5f * I)
DOUBLING(double _Complex, cdouble, 1e300 + 3 * I)
DOUBLING(long double _Complex, cldouble,
         0x1p4000L + 0x1.0000000000000002p0L * I)

static void every_scalar_type_goes_there_and_back(void)
{
    struct cadre_pool *pool = pool_of(2);
    void (*const checks[])(struct cadre_pool *) = {
        check_bool,   check_char,    check_schar,   check_uchar,  check_short,
        check_ushort, check_int,     check_uint,    check_long,   check_ulong,
        check_llong,  check_ullong,  check_float,   check_double, check_ldouble,
        check_cfloat, check_cdouble, check_cldouble};

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        checks[i](pool);
    cadre_pool_destroy(pool);
}

CADRE_TASK(double, mix,
           (int8_t a, float b, const char *s, uint16_t c, long double d,
            _Bool e, double _Complex z, const int v[2], unsigned long f))
{
    return a + (double)b + (double)strlen(s) + c + (double)d + e + creal(z) +
           10 * cimag(z) + v[0] * v[1] + (double)f;
}

static void types_mix_and_columns_come_by_name(void)
{
    struct cadre_pool *pool = pool_of(2);
    int8_t a[] = {-1, 1};
    float b = 0.5f;
    const char *s[] = {"one", "three"};
    uint16_t c[] = {1000, 2000};
    long double d[] = {0.25L, 0.75L};
    _Bool e = 1;
    double _Complex z[] = {1 + 2 * I, 3 - 4 * I};
    int v[2][2] = {{2, 3}, {4, 5}};
    unsigned long f[] = {1UL << 40, 7};
    double out[2];

    CHECK_OK(cadre_pool_starmap(
        pool, CADRE_FN(mix), 2,
        CADRE_COLUMNS(
            CADRE_NAMED("f", CADRE_EACH(f)), CADRE_EACH(a),
            CADRE_NAMED("z", CADRE_EACH(z)), CADRE_NAMED("b", CADRE_SAME(&b)),
            CADRE_NAMED("v", CADRE_EACH(v)), CADRE_NAMED("s", CADRE_EACH(s)),
            CADRE_NAMED("c", CADRE_EACH(c)), CADRE_NAMED("e", CADRE_SAME(&e)),
            CADRE_NAMED("d", CADRE_EACH(d))),
        CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[0],
                    mix(a[0], b, s[0], c[0], d[0], e, z[0], v[0], f[0]));
    CU_ASSERT_EQUAL(out[1],
                    mix(a[1], b, s[1], c[1], d[1], e, z[1], v[1], f[1]));
    cadre_pool_destroy(pool);
}

/* --- arrays -----------------------------------------------------------------
 */

CADRE_TASK(double, dot3, (const double x[3], const double y[3]))
{
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2];
}

CADRE_TASK(double, sum, (size_t n, const double x[n]))
{
    double s = 0;

    for (size_t i = 0; i < n; i++)
        s += x[i];
    return s;
}

CADRE_TASK(int, ramp, (int n, int from, CADRE_OUT int y[n]))
{
    for (int i = 0; i < n; i++)
        y[i] = from + i;
    return n;
}

CADRE_TASK(void, negate, (size_t n, float x[n], CADRE_OUT float old[n]))
{
    for (size_t i = 0; i < n; i++) {
        old[i] = x[i];
        x[i] = -x[i];
    }
}

CADRE_TASK(double, trace,
           (size_t rows, size_t columns, const double m[rows][columns]))
{
    double s = 0;

    for (size_t i = 0; i < rows && i < columns; i++)
        s += m[i][i];
    return s;
}

static void arrays_of_fixed_length_lie_side_by_side(void)
{
    struct cadre_pool *pool = pool_of(2);
    double x[4][3], y[3] = {1, 10, 100}, out[4];

    for (int i = 0; i < 12; i++)
        x[i / 3][i % 3] = i;
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(dot3), 4,
                                CADRE_COLUMNS(CADRE_EACH(x), CADRE_SAME(y)),
                                CADRE_INTO(out)));
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(out[i], dot3(x[i], y));
    cadre_pool_destroy(pool);
}

static void arrays_of_different_lengths_are_one_after_another_or_pointers(void)
{
    struct cadre_pool *pool = pool_of(2);
    size_t n[] = {3, 0, 1, 4};
    double x[] = {1, 2, 3, 4, 5, 6, 7, 8}, out[4];
    const double *pointers[] = {x, NULL, x + 3, x + 4};
    double want[] = {6, 0, 4, 26};

    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(sum), 4,
                                CADRE_COLUMNS(CADRE_EACH(n), CADRE_EACH(x)),
                                CADRE_INTO(out)));
    CU_ASSERT_EQUAL(memcmp(out, want, sizeof want), 0);
    memset(out, 0, sizeof out);
    CHECK_OK(cadre_pool_starmap(
        pool, CADRE_FN(sum), 4,
        CADRE_COLUMNS(CADRE_EACH(n), CADRE_EACH(pointers)), CADRE_INTO(out)));
    CU_ASSERT_EQUAL(memcmp(out, want, sizeof want), 0);
    cadre_pool_destroy(pool);
}

static void arrays_to_fill_are_one_after_another_or_pointers(void)
{
    struct cadre_pool *pool = pool_of(2);
    int n[] = {2, 0, 3}, from[] = {10, 20, 30}, len[3], y[6], a[2], c[3];
    int want[] = {10, 11, 30, 31, 32};
    int *rooms[] = {a, NULL, c};

    y[5] = -77; /* behind the end */
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(ramp), 3,
                                CADRE_COLUMNS(CADRE_EACH(n), CADRE_EACH(from)),
                                CADRE_INTO(len, y)));
    CU_ASSERT_EQUAL(memcmp(len, n, sizeof n), 0);
    CU_ASSERT_EQUAL(memcmp(y, want, sizeof want), 0);
    CU_ASSERT_EQUAL(y[5], -77);
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(ramp), 3,
                                CADRE_COLUMNS(CADRE_EACH(n), CADRE_EACH(from)),
                                CADRE_INTO(len, rooms)));
    CU_ASSERT_EQUAL(memcmp(a, want, sizeof a), 0);
    CU_ASSERT_EQUAL(memcmp(c, want + 2, sizeof c), 0);
    cadre_pool_destroy(pool);
}

static void arrays_are_changed_in_place(void)
{
    struct cadre_pool *pool = pool_of(2);
    size_t n[] = {2, 3};
    float x[] = {1, 2, 3, 4, 5}, old[5];

    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(negate), 2,
                                CADRE_COLUMNS(CADRE_EACH(n), CADRE_EACH(x)),
                                CADRE_INTO(x, old)));
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(x[i], -(float)(i + 1));
        CU_ASSERT_EQUAL(old[i], (float)(i + 1));
    }
    cadre_pool_destroy(pool);
}

static void matrices_have_two_lengths(void)
{
    struct cadre_pool *pool = pool_of(1);
    size_t rows[] = {2, 1}, columns[] = {2, 3};
    double m[] = {1, 2, 3, 4, 5, 6, 7}, out[2];

    CHECK_OK(cadre_pool_starmap(
        pool, CADRE_FN(trace), 2,
        CADRE_COLUMNS(CADRE_EACH(rows), CADRE_EACH(columns), CADRE_EACH(m)),
        CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[0], 5);
    CU_ASSERT_EQUAL(out[1], 5);
    cadre_pool_destroy(pool);
}

static void megabytes_go_there_and_back(void)
{
    enum { TASKS = 4, LEN = 1 << 20 };
    struct cadre_pool *pool = pool_of(2);
    size_t n = LEN;
    float *x = malloc((size_t)TASKS * LEN * sizeof *x);
    float *old = malloc((size_t)TASKS * LEN * sizeof *old);
    int wrong = 0;

    for (int i = 0; i < TASKS * LEN; i++)
        x[i] = (float)(i % 1000);
    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(negate), TASKS,
                                CADRE_COLUMNS(CADRE_SAME(&n), CADRE_EACH(x)),
                                CADRE_INTO(x, old)));
    for (int i = 0; i < TASKS * LEN; i++)
        wrong += x[i] != -(float)(i % 1000) || old[i] != (float)(i % 1000);
    CU_ASSERT_EQUAL(wrong, 0);
    cadre_pool_destroy(pool);
    free(x);
    free(old);
}

/* --- strings ----------------------------------------------------------------
 */

CADRE_TASK(char *, shout, (const char *s))
{
    char *copy = s != NULL ? strdup(s) : NULL;

    for (char *c = copy; c != NULL && *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    return copy;
}

CADRE_TASK(const char *, parity, (int i))
{
    return i % 2 == 0 ? "even" : "odd";
}

static void strings_go_in_and_copies_come_out(void)
{
    struct cadre_pool *pool = pool_of(2);
    const char *in[] = {"ab", "", NULL, "four"},
               *want[] = {"AB", "", NULL, "FOUR"};
    int numbers[] = {1, 2, 3, 4};
    char *out[4] = {NULL};

    CHECK_OK(cadre_pool_map(pool, CADRE_FN(shout), 4, CADRE_EACH(in),
                            CADRE_INTO(out)));
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(out[i] == NULL, want[i] == NULL);
        if (out[i] != NULL && want[i] != NULL)
            CU_ASSERT_STRING_EQUAL(out[i], want[i]);
        free(out[i]);
        out[i] = NULL;
    }
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(parity), 4, CADRE_EACH(numbers),
                            CADRE_INTO(out)));
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_STRING_EQUAL(out[i], parity(numbers[i]));
        free(out[i]);
    }
    cadre_pool_destroy(pool);
}

/* --- what the worker fills in
 * -------------------------------------------------- */

CADRE_TASK(int, comm_size, (int i, MPI_Comm comm))
{
    int size = -1, rank = -1, sum = -1;

    MPI_Comm_size(comm, &size);
    MPI_Comm_rank(comm, &rank);
    MPI_Allreduce(&i, &sum, 1, MPI_INT, MPI_SUM, comm);
    return sum == i ? 10 * size + rank : -1;
}

static void a_communicator_has_the_worker_alone(void)
{
    struct cadre_pool *pool = pool_of(2);
    int in[] = {1, 2, 3, 4}, out[4];

    CHECK_OK(cadre_pool_map(pool, CADRE_FN(comm_size), 4, CADRE_EACH(in),
                            CADRE_INTO(out)));
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(out[i], 10);
    cadre_pool_destroy(pool);
}

/* --- mistakes
 * ------------------------------------------------------------------ */

static void wrong_types_and_sizes_are_errors_and_nothing_is_written(void)
{
    struct cadre_pool *pool = pool_of(1);
    int64_t in[] = {1, 2, 3, 4}, out[4];
    int32_t narrow[] = {1, 2, 3, 4};
    double real[4];
    struct {
        int64_t room[3], behind;
    } few = {{-1, -1, -1}, -77};

    CHECK_ERR(CADRE_ETYPE, cadre_pool_map(pool, CADRE_FN(square), 4,
                                          CADRE_EACH(narrow), CADRE_INTO(out)));
    CHECK_SAYS("`i`");
    CHECK_SAYS("int32_t");
    CHECK_ERR(CADRE_ETYPE, cadre_pool_map(pool, CADRE_FN(square), 5,
                                          CADRE_EACH(in), CADRE_INTO(out)));
    CHECK_SAYS("4 values");
    CHECK_ERR(CADRE_ETYPE, cadre_pool_map(pool, CADRE_FN(square), 4,
                                          CADRE_EACH(in), CADRE_INTO(real)));
    CHECK_SAYS("double");
    CHECK_ERR(CADRE_ETYPE,
              cadre_pool_map(pool, CADRE_FN(square), 4, CADRE_EACH(in),
                             CADRE_INTO(few.room)));
    CHECK_SAYS("room for 3");
    CU_ASSERT_EQUAL(few.room[0], -1);
    CU_ASSERT_EQUAL(few.behind, -77);
    CHECK_ERR(CADRE_ETYPE,
              cadre_pool_map(pool, CADRE_FN(square), 4, CADRE_EACH(in),
                             CADRE_INTO(out, real)));
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

static void arrays_too_short_for_their_lengths_are_errors(void)
{
    struct cadre_pool *pool = pool_of(1);
    size_t n[] = {2, 2};
    double x[3] = {1, 2, 3}, out[2];
    int lengths[] = {2, 2}, from[] = {0, 0}, got[2];
    struct {
        int room[3], behind;
    } few = {{-1, -1, -1}, -77};

    CHECK_ERR(CADRE_ETYPE,
              cadre_pool_starmap(pool, CADRE_FN(sum), 2,
                                 CADRE_COLUMNS(CADRE_EACH(n), CADRE_EACH(x)),
                                 CADRE_INTO(out)));
    CHECK_SAYS("`x`");
    CHECK_ERR(CADRE_ETYPE, cadre_pool_starmap(pool, CADRE_FN(ramp), 2,
                                              CADRE_COLUMNS(CADRE_EACH(lengths),
                                                            CADRE_EACH(from)),
                                              CADRE_INTO(got, few.room)));
    CHECK_SAYS("`y`");
    CU_ASSERT_EQUAL(few.room[0], -1);
    CU_ASSERT_EQUAL(few.behind, -77);
    lengths[1] = -1;
    CHECK_ERR(CADRE_ETYPE, cadre_pool_starmap(pool, CADRE_FN(ramp), 2,
                                              CADRE_COLUMNS(CADRE_EACH(lengths),
                                                            CADRE_EACH(from)),
                                              CADRE_INTO(got, few.room)));
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

static void columns_that_do_not_belong_are_errors(void)
{
    struct cadre_pool *pool = pool_of(1);
    int i[] = {1, 2}, out[2];

    CHECK_ERR(CADRE_ETYPE,
              cadre_pool_starmap(
                  pool, CADRE_FN(add), 2,
                  CADRE_COLUMNS(CADRE_EACH(i), CADRE_NAMED("k", CADRE_EACH(i))),
                  CADRE_INTO(out)));
    CHECK_SAYS("called k");
    CHECK_ERR(CADRE_ETYPE,
              cadre_pool_starmap(
                  pool, CADRE_FN(add), 2,
                  CADRE_COLUMNS(CADRE_EACH(i), CADRE_NAMED("i", CADRE_EACH(i))),
                  CADRE_INTO(out)));
    CHECK_SAYS("`i` has two columns");
    CHECK_ERR(
        CADRE_ETYPE,
        cadre_pool_starmap(
            pool, CADRE_FN(comm_size), 2,
            CADRE_COLUMNS(CADRE_EACH(i), CADRE_NAMED("comm", CADRE_EACH(i))),
            CADRE_INTO(out)));
    CHECK_SAYS("not the caller's to give");
    cadre_pool_destroy(pool);
}

const struct check_test column_tests[] = {
    CHECK(every_scalar_type_goes_there_and_back),
    CHECK(types_mix_and_columns_come_by_name),
    CHECK(arrays_of_fixed_length_lie_side_by_side),
    CHECK(arrays_of_different_lengths_are_one_after_another_or_pointers),
    CHECK(arrays_to_fill_are_one_after_another_or_pointers),
    CHECK(arrays_are_changed_in_place),
    CHECK(matrices_have_two_lengths),
    CHECK(megabytes_go_there_and_back),
    CHECK(strings_go_in_and_copies_come_out),
    CHECK(a_communicator_has_the_worker_alone),
    CHECK(wrong_types_and_sizes_are_errors_and_nothing_is_written),
    CHECK(arrays_too_short_for_their_lengths_are_errors),
    CHECK(columns_that_do_not_belong_are_errors),
    {NULL, NULL}};
