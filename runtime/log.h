/* log.h - one sink for what the runtime has to say; by default stderr.
 *
 * Each line: seconds since start, role and rank, level, text. The level shown
 * is set by the environment variable CADRE_LOG (error, warn, info, debug,
 * trace); without it, warn.
 */
#ifndef CADRE_RUNTIME_LOG_H
#define CADRE_RUNTIME_LOG_H

#include <cadre/error.h>

enum cadre_log_level {
    CADRE_LOG_ERROR = 0, /* this run cannot go on as asked */
    CADRE_LOG_WARN = 1,  /* it can */
    CADRE_LOG_INFO = 2,  /* a few per run */
    CADRE_LOG_DEBUG = 3, /* a few per worker */
    CADRE_LOG_TRACE = 4  /* each message */
};

/* Write one line; from any thread. `errno` is kept. */
void cadre_log(enum cadre_log_level level, const char *format, ...)
    CADRE_PRINTF(2, 3);

/* What this process calls itself in the lines: "controller", "worker 3". Call
 * before there are threads. */
void cadre_log_role(const char *role);

#endif
