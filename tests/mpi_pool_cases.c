/* mpi_pool_cases.c - map and starmap: the cases that define Pool. */
#include "mpi_pool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

CADRE_TASK(void, touch, (int64_t i))
{
    (void)i;
}

static void squares_on(int workers)
{
    struct cadre_pool *pool = pool_of(workers);
    int64_t in[] = {1, 2, 3, 4}, out[4] = {0};

    CU_ASSERT_EQUAL(cadre_pool_workers(pool), workers);
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(square), 4, CADRE_EACH(in),
                            CADRE_INTO(out)));
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(out[i], in[i] * in[i]);
    cadre_pool_destroy(pool);
}

static void one_worker_squares_in_order(void)
{
    squares_on(1);
}

static void two_workers_square_in_order(void)
{
    squares_on(2);
}

static void starmap_takes_a_column_for_each_parameter(void)
{
    struct cadre_pool *pool = pool_of(2);
    int i[] = {1, 3, 5, 7}, j[] = {2, 4, 6, 8}, out[4] = {0};

    CHECK_OK(cadre_pool_starmap(pool, CADRE_FN(add), 4,
                                CADRE_COLUMNS(CADRE_EACH(i), CADRE_EACH(j)),
                                CADRE_INTO(out)));
    for (int k = 0; k < 4; k++)
        CU_ASSERT_EQUAL(out[k], 4 * k + 3);
    cadre_pool_destroy(pool);
}

static bool count_void(void *user, const struct cadre_item *item)
{
    int *seen = user;

    if (item->err == CADRE_OK && item->noutputs == 0 &&
        item->index == (uint64_t)*seen)
        (*seen)++;
    return true;
}

static void a_void_function_is_done_and_has_no_value(void)
{
    struct cadre_pool *pool = pool_of(2);
    int64_t in[] = {1, 2, 3, 4}, out[4];
    cadre_err errors[4];
    int seen = 0;

    memset(errors, 0xff, sizeof errors);
    CHECK_OK(cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(touch),
                                  .count = 4,
                                  .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                  .errors = errors}));
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(errors[i], CADRE_OK);
    CHECK_OK(cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(touch),
                                  .count = 4,
                                  .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                  .on_item = count_void,
                                  .user = &seen}));
    CU_ASSERT_EQUAL(seen, 4);
    CHECK_ERR(CADRE_ETYPE, cadre_pool_map(pool, CADRE_FN(touch), 4,
                                          CADRE_EACH(in), CADRE_INTO(out)));
    cadre_pool_destroy(pool);
}

static void a_failing_item_is_named_and_the_others_are_there(void)
{
    struct cadre_pool *pool = pool_of(2);
    int64_t in[] = {0, 1, 2, 3}, out[4] = {-1, -1, -1, -1}, at = 2;
    cadre_err errors[4];

    CHECK_ERR(CADRE_ETASK,
              cadre_pool_run(pool, &(struct cadre_map){
                                       .fn = CADRE_FN(fail_at),
                                       .count = 4,
                                       .columns = CADRE_COLUMNS(
                                           CADRE_EACH(in), CADRE_SAME(&at)),
                                       .into = CADRE_INTO(out),
                                       .errors = errors}));
    CHECK_SAYS("item 2");
    CHECK_SAYS("2 is not to my taste");
    CHECK_SAYS("[worker ");
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(errors[i], i == 2 ? CADRE_ETASK : CADRE_OK);
        if (i != 2)
            CU_ASSERT_EQUAL(out[i], 10 * i);
    }
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

struct failures {
    uint64_t index;
    int count, kind, good;
    char text[200];
};

static bool note_failure(void *user, const struct cadre_item *item)
{
    struct failures *f = user;

    if (item->err == CADRE_OK) {
        f->good += *(const int64_t *)item->outputs[0].data ==
                   10 * (int64_t)item->index;
        return true;
    }
    f->count++;
    f->index = item->index;
    f->kind = item->kind;
    strncpy(f->text, item->text, sizeof f->text - 1);
    return true;
}

static void a_failing_item_brings_its_kind_and_text(void)
{
    struct cadre_pool *pool = pool_of(2);
    int64_t in[] = {0, 1, 2, 3}, at = 2;
    struct failures f = {0};

    CHECK_ERR(CADRE_ETASK,
              cadre_pool_run(pool, &(struct cadre_map){
                                       .fn = CADRE_FN(fail_at),
                                       .count = 4,
                                       .columns = CADRE_COLUMNS(
                                           CADRE_EACH(in), CADRE_SAME(&at)),
                                       .on_item = note_failure,
                                       .user = &f}));
    CU_ASSERT_EQUAL(f.count, 1);
    CU_ASSERT_EQUAL(f.good, 3);
    CU_ASSERT_EQUAL(f.index, 2);
    CU_ASSERT_EQUAL(f.kind, 42);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "2 is not to my taste"));
    cadre_pool_destroy(pool);
}

static void nothing_to_map_is_no_error(void)
{
    struct cadre_pool *pool = pool_of(1);
    int64_t in[1] = {7}, out[1] = {7};
    double start = seconds();

    CHECK_OK(cadre_pool_map(pool, CADRE_FN(square), 0, CADRE_EACH(in),
                            CADRE_INTO(out)));
    CHECK_OK(cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                  .columns = CADRE_COLUMNS(CADRE_EACH(in))}));
    CU_ASSERT(seconds() - start < 1);
    CU_ASSERT_EQUAL(out[0], 7);
    cadre_pool_destroy(pool);
}

static void any_chunk_size_gives_the_same_results(void)
{
    enum { N = 1000 };
    static int64_t in[N], out[N];
    const uint64_t chunks[] = {1, 7, 333, 999, 1000, 1001, 1000000};
    struct cadre_pool *pool = pool_of(2);

    for (int i = 0; i < N; i++)
        in[i] = i;
    for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++) {
        int wrong = 0;

        memset(out, 0xff, sizeof out);
        CHECK_OK(cadre_pool_run(
            pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                      .count = N,
                                      .columns = CADRE_COLUMNS(CADRE_EACH(in)),
                                      .into = CADRE_INTO(out),
                                      .chunk_size = chunks[c]}));
        for (int i = 0; i < N; i++)
            wrong += out[i] != in[i] * in[i];
        CU_ASSERT_EQUAL(wrong, 0);
    }
    cadre_pool_destroy(pool);
}

static void a_million_items_come_back_in_order(void)
{
    enum { N = 1000000 };
    int64_t *in = malloc(N * sizeof *in), *out = calloc(N, sizeof *out);
    struct cadre_pool *pool = pool_of(2);
    int wrong = 0;

    for (int i = 0; i < N; i++)
        in[i] = i;
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(square), N, CADRE_EACH(in),
                            CADRE_INTO(out)));
    for (int i = 0; i < N; i++)
        wrong += out[i] != in[i] * in[i];
    CU_ASSERT_EQUAL(wrong, 0);
    cadre_pool_destroy(pool);
    free(in);
    free(out);
}

static void a_missing_column_is_named(void)
{
    struct cadre_pool *pool = pool_of(1);
    int i[] = {1, 2}, out[2] = {0};

    CHECK_ERR(CADRE_ETYPE, cadre_pool_starmap(pool, CADRE_FN(add), 2,
                                              CADRE_COLUMNS(CADRE_EACH(i)),
                                              CADRE_INTO(out)));
    CHECK_SAYS("`j`");
    CHECK_ERR(CADRE_ETYPE,
              cadre_pool_starmap(
                  pool, CADRE_FN(add), 2,
                  CADRE_COLUMNS(CADRE_EACH(i), CADRE_EACH(i), CADRE_EACH(i)),
                  CADRE_INTO(out)));
    CHECK_SAYS("column 3");
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

/* What is asked of a pool that is not there, or without a function. */
static void null_arguments_are_errors(void)
{
    struct cadre_pool *pool = pool_of(1);
    int64_t in[] = {1}, out[1];

    CHECK_ERR(CADRE_EINVAL, cadre_pool_map(NULL, CADRE_FN(square), 1,
                                           CADRE_EACH(in), CADRE_INTO(out)));
    CHECK_ERR(CADRE_EINVAL,
              cadre_pool_map(pool, NULL, 1, CADRE_EACH(in), CADRE_INTO(out)));
    CHECK_ERR(CADRE_EINVAL, cadre_pool_run(pool, NULL));
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
    cadre_pool_destroy(NULL);
}

const struct check_test case_tests[] = {
    CHECK(one_worker_squares_in_order),
    CHECK(two_workers_square_in_order),
    CHECK(starmap_takes_a_column_for_each_parameter),
    CHECK(a_void_function_is_done_and_has_no_value),
    CHECK(a_failing_item_is_named_and_the_others_are_there),
    CHECK(a_failing_item_brings_its_kind_and_text),
    CHECK(nothing_to_map_is_no_error),
    CHECK(any_chunk_size_gives_the_same_results),
    CHECK(a_million_items_come_back_in_order),
    CHECK(a_missing_column_is_named),
    CHECK(null_arguments_are_errors),
    {NULL, NULL}};
