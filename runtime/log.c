/* log.c - one line at a time to stderr. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"error", "warn", "info", "debug",
                                          "trace"};

static char role_name[32] = "program";
static _Atomic int threshold = -1; /* -1: CADRE_LOG has not been read */

static int read_threshold(void)
{
    const char *wanted = getenv("CADRE_LOG");
    int level = CADRE_LOG_WARN;

    for (int i = 0; wanted != NULL && i <= CADRE_LOG_TRACE; i++) {
        if (strcmp(wanted, level_names[i]) == 0)
            level = i;
    }
    atomic_store(&threshold, level);
    return level;
}

static double seconds(void)
{
    static struct timespec start;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (start.tv_sec == 0)
        start = now;
    return (double)(now.tv_sec - start.tv_sec) +
           1e-9 * (double)(now.tv_nsec - start.tv_nsec);
}

void cadre_log_role(const char *role)
{
    seconds(); /* the clock starts here */
    snprintf(role_name, sizeof role_name, "%s", role);
}

void cadre_log(enum cadre_log_level level, const char *format, ...)
{
    int limit = atomic_load(&threshold);
    int saved = errno;
    char text[1024];
    va_list ap;

    if (limit < 0)
        limit = read_threshold();
    if ((int)level > limit)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    fprintf(stderr, "%9.3f cadre %s %s: %s\n", seconds(), role_name,
            level_names[level], text);
    errno = saved;
}
