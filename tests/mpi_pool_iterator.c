/* mpi_pool_iterator.c - inputs pulled one by one, results handed over one by
 * one. */
#include "mpi_pool.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

CADRE_TASK(double, weigh,
           (const char *name, size_t n, const double x[n], double by))
{
    double sum = (double)strlen(name);

    for (size_t i = 0; i < n; i++)
        sum += x[i] * by;
    return sum;
}

/* The numbers from 0, and what came of them. */
struct stream {
    int64_t next, end; /* end < 0: no end */
    int64_t seen, stop_at;
    int64_t disorder; /* results that came before an earlier one's */
    uint64_t last;
    int64_t wrong;
    double sum;
};

static bool next_number(void *user, struct cadre_row *row)
{
    struct stream *s = user;

    if (s->end >= 0 && s->next == s->end)
        return false;
    return cadre_row_give(row, s->next++) == CADRE_OK;
}

static bool take_square(void *user, const struct cadre_item *item)
{
    struct stream *s = user;
    int64_t index = (int64_t)item->index;

    if (item->err != CADRE_OK || item->noutputs != 1 ||
        item->outputs[0].type != CADRE_INT64 || item->outputs[0].count != 1 ||
        *(const int64_t *)item->outputs[0].data != index * index)
        s->wrong++;
    s->disorder += s->seen > 0 && item->index < s->last;
    s->last = item->index;
    s->sum += (double)index;
    return ++s->seen != s->stop_at;
}

/* The most memory this process has had, in bytes. */
CADRE_TASK(int64_t, peak_bytes, (void))
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kb = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    }
    if (f != NULL)
        fclose(f);
    return kb * INT64_C(1024);
}

/* From here on the peak is new, and what other tests have freed is no room. */
static void forget_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    malloc_trim(0);
    CU_ASSERT(fputs("5", f) >= 0);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

/* The peak of a pool's only worker. */
static int64_t workers_peak(struct cadre_pool *pool)
{
    int64_t peak = 0;

    CHECK_OK(
        cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(peak_bytes),
                                                 .count = 1,
                                                 .into = CADRE_INTO(&peak)}));
    return peak;
}

static void stream_numbers(struct cadre_pool *pool, int64_t n, bool unordered)
{
    struct stream s = {.end = n};

    CHECK_OK(cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                                      .next = next_number,
                                                      .on_item = take_square,
                                                      .unordered = unordered,
                                                      .user = &s}));
    CU_ASSERT_EQUAL(s.seen, n);
    CU_ASSERT_EQUAL(s.wrong, 0);
    CU_ASSERT_EQUAL(s.sum, (double)n * (double)(n - 1) / 2);
    if (!unordered)
        CU_ASSERT_EQUAL(s.disorder, 0);
}

/* What is freed waits long before it is used again under the sanitizers. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { BYTES = 64 };
#else
enum { BYTES = 10 };
#endif

/* After the first ones no number costs memory that stays: neither here nor at a
 * worker (which is one alone, so that it has them all) BYTES each. How many
 * are on their way at a time differs, up to 16 MiB: there must be so many that
 * this does not hide what stays. */
static void stream_millions(int workers, bool unordered)
{
    enum { FIRST = 1000000, N = 4000000 };
    struct cadre_pool *pool = pool_of(workers);
    int64_t ours, theirs = 0;

    forget_peak();
    stream_numbers(pool, FIRST, unordered);
    if (workers == 1)
        theirs = workers_peak(pool);
    ours = peak_bytes();
    stream_numbers(pool, N, unordered);
    ours = peak_bytes() - ours;
    if (workers == 1)
        theirs = workers_peak(pool) - theirs;
    printf("  %d numbers, %d workers: %.1f MB more, a worker %.1f MB\n", N,
           workers, (double)ours / 1e6, (double)theirs / 1e6);
    CU_ASSERT(ours < BYTES * N);
    CU_ASSERT(theirs < BYTES * N);
    cadre_pool_destroy(pool);
}

static void an_iterators_results_come_in_order_and_memory_stays_flat(void)
{
    stream_millions(1, false);
    stream_millions(2, false);
}

static void unordered_results_come_once_each_and_memory_stays_flat(void)
{
    stream_millions(2, true);
}

static void an_endless_iterator_is_stopped_by_the_callback(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct stream s = {.end = -1, .stop_at = 1000};

    CHECK_ERR(CADRE_ECANCELLED,
              cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                                       .next = next_number,
                                                       .on_item = take_square,
                                                       .user = &s}));
    CHECK_SAYS("item 999");
    CU_ASSERT_EQUAL(s.seen, 1000);
    CU_ASSERT_EQUAL(s.wrong, 0);
    CU_ASSERT(s.next < 1000000);
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

static bool next_nap(void *user, struct cadre_row *row)
{
    int *pulled = user;

    return (*pulled)++ < 1000 && cadre_row_give(row, *pulled, 5) == CADRE_OK;
}

static bool stop_at_20(void *user, const struct cadre_item *item)
{
    (void)user;
    return item->index < 20;
}

static void slow_tasks_are_not_pulled_far_ahead(void)
{
    struct cadre_pool *pool = pool_of(2);
    int pulled = 0;

    CHECK_ERR(CADRE_ECANCELLED,
              cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(nap),
                                                       .next = next_nap,
                                                       .on_item = stop_at_20,
                                                       .user = &pulled}));
    CU_ASSERT(pulled >= 21);
    CU_ASSERT(pulled < 500);
    cadre_pool_destroy(pool);
}

/* The next number comes when the one before has its result. */
static bool next_after_result(void *user, struct cadre_row *row)
{
    struct stream *s = user;

    if (s->seen < s->next)
        return true;
    return next_number(user, row);
}

static void an_iterator_may_have_nothing_yet(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct stream s = {.end = 50};

    CHECK_OK(cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                                      .next = next_after_result,
                                                      .on_item = take_square,
                                                      .user = &s}));
    CU_ASSERT_EQUAL(s.seen, 50);
    CU_ASSERT_EQUAL(s.wrong, 0);
    cadre_pool_destroy(pool);
}

/* What has finished is handed over between the items of a slow iterator, even
 * when many were pulled at once before. */
static bool next_burst(void *user, struct cadre_row *row)
{
    struct stream *s = user;

    if (s->next % 100 == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        s->last = s->seen > 0 ? s->last : (uint64_t)s->next;
    }
    return next_number(user, row);
}

static bool take_first(void *user, const struct cadre_item *item)
{
    struct stream *s = user;

    (void)item;
    s->seen++;
    return true;
}

static void a_slow_iterator_holds_no_results_back(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct stream s = {.end = 5000};

    CHECK_OK(cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                                      .next = next_burst,
                                                      .on_item = take_first,
                                                      .user = &s}));
    CU_ASSERT_EQUAL(s.seen, 5000);
    CU_ASSERT(s.last < 2500); /* pulled when the first result came */
    cadre_pool_destroy(pool);
}

static void an_array_map_is_stopped_by_the_callback(void)
{
    enum { N = 100000 };
    struct cadre_pool *pool = pool_of(2);
    struct stream s = {.stop_at = 3};
    int64_t *in = malloc(N * sizeof *in);

    for (int i = 0; i < N; i++)
        in[i] = i;
    CHECK_ERR(
        CADRE_ECANCELLED,
        cadre_pool_run(
            pool,
            &(struct cadre_map){
                .fn = CADRE_FN(square),
                .count = N,
                .columns = CADRE_COLUMNS(((struct cadre_column){
                    .data = in, .type = CADRE_INT64, .bytes = N * sizeof *in})),
                .on_item = take_square,
                .user = &s}));
    CU_ASSERT_EQUAL(s.seen, 3);
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
    free(in);
}

static bool next_weight(void *user, struct cadre_row *row)
{
    static const double x[] = {1, 2, 3, 4, 5};
    static const char *const names[] = {"", "a", "ab"};
    int *i = user;

    if (*i == 100)
        return false;
    cadre_row_give(row, names[*i % 3], *i % 6, CADRE_ARG("x", x));
    (*i)++;
    return true;
}

static bool take_weight(void *user, const struct cadre_item *item)
{
    int i = (int)item->index, n = i % 6;
    double want = i % 3 + n * (n + 1);

    (void)user;
    CU_ASSERT_EQUAL_FATAL(item->err, CADRE_OK);
    CU_ASSERT_EQUAL(*(const double *)item->outputs[0].data, want);
    return true;
}

static void an_iterator_gives_strings_and_arrays_beside_constants(void)
{
    struct cadre_pool *pool = pool_of(2);
    double by = 2;
    int i = 0;

    CHECK_OK(cadre_pool_run(
        pool, &(struct cadre_map){
                  .fn = CADRE_FN(weigh),
                  .columns = CADRE_COLUMNS(CADRE_NAMED("by", CADRE_SAME(&by))),
                  .next = next_weight,
                  .on_item = take_weight,
                  .user = &i}));
    CU_ASSERT_EQUAL(i, 100);
    cadre_pool_destroy(pool);
}

static bool next_bad(void *user, struct cadre_row *row)
{
    int *i = user;

    if (++*i > 6)
        return false;
    if (*i == 6)
        return cadre_row_give(row, 1, 2.5) == CADRE_OK;
    return cadre_row_give(row, *i, 2) == CADRE_OK;
}

static bool count_item(void *user, const struct cadre_item *item)
{
    (void)user;
    return item->err == CADRE_OK || item->err == CADRE_ECANCELLED;
}

static void a_wrong_row_ends_the_map_and_is_named(void)
{
    struct cadre_pool *pool = pool_of(1);
    int i = 0;

    CHECK_ERR(CADRE_ETYPE,
              cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(add),
                                                       .next = next_bad,
                                                       .on_item = count_item,
                                                       .user = &i}));
    CHECK_SAYS("item 5");
    CHECK_SAYS("`j`");
    CU_ASSERT(pool_works(pool));
    cadre_pool_destroy(pool);
}

static void an_iterator_needs_a_callback_and_no_count(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct stream s = {.end = 3};

    CHECK_ERR(CADRE_EINVAL,
              cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                                       .next = next_number,
                                                       .user = &s}));
    CHECK_ERR(CADRE_EINVAL,
              cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                                       .next = next_number,
                                                       .count = 3,
                                                       .on_item = take_square,
                                                       .user = &s}));
    CU_ASSERT_EQUAL(s.next, 0);
    cadre_pool_destroy(pool);
}

static void an_empty_iterator_is_no_error(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct stream s = {.end = 0};

    CHECK_OK(cadre_pool_run(pool, &(struct cadre_map){.fn = CADRE_FN(square),
                                                      .next = next_number,
                                                      .on_item = take_square,
                                                      .user = &s}));
    CU_ASSERT_EQUAL(s.seen, 0);
    cadre_pool_destroy(pool);
}

const struct check_test iterator_tests[] = {
    CHECK(an_iterators_results_come_in_order_and_memory_stays_flat),
    CHECK(unordered_results_come_once_each_and_memory_stays_flat),
    CHECK(an_endless_iterator_is_stopped_by_the_callback),
    CHECK(slow_tasks_are_not_pulled_far_ahead),
    CHECK(an_iterator_may_have_nothing_yet),
    CHECK(a_slow_iterator_holds_no_results_back),
    CHECK(an_array_map_is_stopped_by_the_callback),
    CHECK(an_iterator_gives_strings_and_arrays_beside_constants),
    CHECK(a_wrong_row_ends_the_map_and_is_named),
    CHECK(an_iterator_needs_a_callback_and_no_count),
    CHECK(an_empty_iterator_is_no_error),
    {NULL, NULL}};
