/* numbers.h - numbers on the command line. */
#ifndef CADRE_LAUNCHER_NUMBERS_H
#define CADRE_LAUNCHER_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal number and nothing else. */
bool cadre_number_scan(const char *text, uint64_t min, uint64_t max,
                       uint64_t *number);

/* A finite number above 0 and nothing else. */
bool cadre_seconds_scan(const char *text, double *seconds);

#endif
