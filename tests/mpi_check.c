/* mpi_check.c - see mpi_check.h. */
#include "mpi_check.h"

#include <stdio.h>
#include <stdlib.h>
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

static int heard = -1, stderr_then = -1;

void listen_begin(void)
{
    char path[] = "/tmp/mpi_check.XXXXXX";

    heard = mkstemp(path);
    stderr_then = dup(STDERR_FILENO);
    CU_ASSERT_FATAL(heard >= 0 && stderr_then >= 0);
    unlink(path);
    fflush(stderr);
    dup2(heard, STDERR_FILENO);
}

void listen_end(char *said, size_t len)
{
    ssize_t n;

    fflush(stderr);
    dup2(stderr_then, STDERR_FILENO);
    n = pread(heard, said, len - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    fputs(said, stderr);
    close(heard);
    close(stderr_then);
}

int times(const char *text, const char *part)
{
    int n = 0;

    for (text = strstr(text, part); text != NULL; text = strstr(text + 1, part))
        n++;
    return n;
}
