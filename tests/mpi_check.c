/* mpi_check.c - see mpi_check.h. */
#include "mpi_check.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool error_says(const char *part)
{
    if (strstr(cadre_error_text(), part) != NULL)
        return true;
    fprintf(stderr, "the error says '%s', not '%s'\n", cadre_error_text(),
            part);
    return false;
}

void check_err(cadre_err got, cadre_err want, const char *call, unsigned line,
               const char *file)
{
    if (got != want)
        fprintf(stderr, "%s:%u: '%s', not '%s': %s\n", file, line,
                cadre_strerror(got), cadre_strerror(want), cadre_error_text());
    CU_assertImplementation(got == want, line, call, file, "", CU_FALSE);
}

struct cadre_pool *pool_of(int workers)
{
    struct cadre_pool *pool;

    CADRE_CHECK(
        cadre_pool_create(&(struct cadre_pool_options){.max_workers = workers,
                                                       .oversubscribe = true},
                          &pool));
    return pool;
}

int int_of(struct cadre_future *f)
{
    int x = -77;

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&x)));
    cadre_future_free(f);
    return x;
}

void brings(struct cadre_future *f, int want)
{
    int got = ~want;

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&got)));
    CU_ASSERT_EQUAL(got, want);
    cadre_future_free(f);
}

void fails(struct cadre_future *f, cadre_err err, const char *part)
{
    CHECK_ERR(err, cadre_future_result(f, CADRE_NOTHING));
    CHECK_SAYS(part);
    cadre_future_free(f);
}

void await_state(struct cadre_future *f, enum cadre_future_state state)
{
    for (int i = 0; i < 10000 && cadre_future_state(f) < state; i++) {
        cadre_future_progress(f, NULL, 0);
        usleep(1000);
    }
    CU_ASSERT(cadre_future_state(f) >= state);
}
