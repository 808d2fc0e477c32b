/* say.h - how the program speaks to people: errors of one line, and the exit
 * statuses that go with them. */
#ifndef CADRE_LAUNCHER_SAY_H
#define CADRE_LAUNCHER_SAY_H

#include <cadre/error.h>

#include <stdbool.h>

/* Documented in `cadre --help` and cadre(1). */
enum {
    CADRE_EXIT_OK = 0,
    CADRE_EXIT_ROWS = 1,    /* a row failed */
    CADRE_EXIT_USAGE = 2,   /* bad usage or input; nothing has run */
    CADRE_EXIT_RUNTIME = 3, /* workers could not be started, or got lost */
    CADRE_EXIT_NOT_EXECUTABLE = 126,
    CADRE_EXIT_NOT_FOUND = 127,
    CADRE_EXIT_SIGNAL = 128 /* plus the signal's number */
};

enum { CADRE_WHY_MAX = 512 };

/* Why something did not work: a phrase without a full stop or a newline. */
struct cadre_why {
    char text[CADRE_WHY_MAX];
};

/* Write the phrase, cut to fit; returns false, so that a failing function can
 * `return cadre_why_set(why, ...)`. */
bool cadre_why_set(struct cadre_why *why, const char *format, ...)
    CADRE_PRINTF(2, 3);

/* Which command speaks: "cadre map". Lent for ever. */
void cadre_say_as(const char *who);

/* Print "WHO: ...\n" on stderr in one piece. */
void cadre_complain(const char *format, ...) CADRE_PRINTF(1, 2);

/* The same, then "see WHO --help"; returns CADRE_EXIT_USAGE. */
int cadre_complain_usage(const char *format, ...) CADRE_PRINTF(1, 2);

/* The same for an option that getopt_long() returned ':' or '?' for: its
 * optopt, and the last word it has read. */
int cadre_complain_option(const char *what, int letter, const char *word);

/* Say that there is no memory and leave with CADRE_EXIT_RUNTIME. */
_Noreturn void cadre_out_of_memory(void);

#endif
