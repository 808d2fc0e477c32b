/* numbers.c - numbers on the command line, strictly. */
#include "numbers.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

bool cadre_number_scan(const char *text, uint64_t min, uint64_t max,
                       uint64_t *number)
{
    uintmax_t x;
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    x = strtoumax(text, &end, 10);
    if (errno != 0 || *end != '\0' || x < min || x > max)
        return false;
    *number = x;
    return true;
}

bool cadre_seconds_scan(const char *text, double *seconds)
{
    char *end;
    double x = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(x) || !(x > 0))
        return false;
    *seconds = x;
    return true;
}
