/* mpi_check.c - see mpi_check.h. */
#include "mpi_check.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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
