/* mpi_pool_library.c - functions of libraries that know nothing of Cadre. */
#include "mpi_pool.h"

#include <math.h>
#include <string.h>

/* CRC-32 as zlib defines it, to compare with. */
static unsigned long crc_of(const uint8_t *bytes, unsigned len)
{
    uint32_t crc = 0xffffffffu;

    for (unsigned i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int b = 0; b < 8; b++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return crc ^ 0xffffffffu;
}

static void check_lgamma(struct cadre_pool *pool)
{
    struct cadre_function *fn;
    double x[] = {0.5, 1, 2.5, 10, 171}, out[5];

    CHECK_OK(cadre_function_open("libm.so.6", "double lgamma(double x)", &fn));
    CHECK_OK(cadre_pool_map(pool, fn, 5, CADRE_EACH(x), CADRE_INTO(out)));
    for (int i = 0; i < 5; i++)
        CU_ASSERT_DOUBLE_EQUAL(out[i], lgamma(x[i]), 1e-12 * fabs(out[i]));
}

static void check_crc32(struct cadre_pool *pool)
{
    struct cadre_function *fn;
    unsigned long crc = 0, out[3];
    unsigned len[] = {9, 0, 4};
    uint8_t bytes[13];
    const uint8_t *pointers[] = {bytes, bytes, bytes + 9};

    CHECK_OK(cadre_function_open("libz.so.1",
                                 "unsigned long crc32(unsigned long crc, const "
                                 "uint8_t buf[len], unsigned int len)",
                                 &fn));
    memcpy(bytes, "123456789abcd", 13);
    CHECK_OK(cadre_pool_starmap(
        pool, fn, 3,
        CADRE_COLUMNS(CADRE_SAME(&crc), CADRE_EACH(bytes), CADRE_EACH(len)),
        CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[0], 0xcbf43926ul);
    CU_ASSERT_EQUAL(out[1], 0);
    CU_ASSERT_EQUAL(out[2], crc_of(bytes + 9, 4));
    out[0] = out[2] = 0;
    CHECK_OK(cadre_pool_starmap(
        pool, fn, 3,
        CADRE_COLUMNS(CADRE_SAME(&crc), CADRE_EACH(pointers), CADRE_EACH(len)),
        CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[0], 0xcbf43926ul);
    CU_ASSERT_EQUAL(out[2], crc_of(bytes + 9, 4));
}

static void libraries_are_called_by_workers_of_this_program(void)
{
    struct cadre_pool *pool = pool_of(2);

    check_lgamma(pool);
    check_crc32(pool);
    cadre_pool_destroy(pool);
}

static void libraries_are_called_by_the_worker_program(void)
{
    struct cadre_pool *pool;
    int64_t in[] = {1, 2}, out[2];

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2,
                                     .oversubscribe = true,
                                     .worker_program = WORKER_PROGRAM},
        &pool));
    check_lgamma(pool);
    check_crc32(pool);
    /* It does not know the functions of this program, and says so. */
    CHECK_ERR(CADRE_ENOTFOUND, cadre_pool_map(pool, CADRE_FN(square), 2,
                                              CADRE_EACH(in), CADRE_INTO(out)));
    CHECK_SAYS("square");
    check_lgamma(pool);
    cadre_pool_destroy(pool);
}

static void what_cannot_be_opened_is_named(void)
{
    struct cadre_function *fn, *again;

    CHECK_ERR(CADRE_ENOTFOUND, cadre_function_open("libnowhere.so.1",
                                                   "double f(double x)", &fn));
    CHECK_SAYS("libnowhere.so.1");
    CHECK_ERR(
        CADRE_ENOTFOUND,
        cadre_function_open("libm.so.6", "double no_such_one(double x)", &fn));
    CHECK_SAYS("no_such_one");
    CHECK_ERR(CADRE_EPARSE,
              cadre_function_open("libm.so.6", "double lgamma(", &fn));
    CHECK_OK(cadre_function_open("libm.so.6", "double lgamma(double x)", &fn));
    CHECK_OK(
        cadre_function_open("libm.so.6", "double lgamma(double x)", &again));
    CU_ASSERT_PTR_EQUAL(fn, again);
    CU_ASSERT_STRING_EQUAL(cadre_function_name(fn), "lgamma");
}

const struct check_test library_tests[] = {
    CHECK(libraries_are_called_by_workers_of_this_program),
    CHECK(libraries_are_called_by_the_worker_program),
    CHECK(what_cannot_be_opened_is_named),
    {NULL, NULL}};
