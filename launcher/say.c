/* say.c - errors of one line: "cadre map: what was wrong, where: what to do".
 *
 * A line is put together first and written with one call, so that lines of
 * several processes do not mix.
 */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *speaker = "cadre"; /* set once, when the command is known */

bool cadre_why_set(struct cadre_why *why, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(why->text, sizeof why->text, format, ap);
    va_end(ap);
    return false;
}

void cadre_say_as(const char *who)
{
    speaker = who;
}

/* A value from a file may hold anything: keep the line one line. */
static void make_one_line(char *line)
{
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

static void say(const char *format, va_list ap, const char *more)
{
    char line[2 * CADRE_WHY_MAX];
    size_t room = sizeof line - 1;
    int len = snprintf(line, room, "%s: ", speaker);
    size_t used = (size_t)len;

    vsnprintf(line + used, room - used, format, ap);
    used = strlen(line);
    snprintf(line + used, room - used, "%s", more);
    make_one_line(line);
    strcat(line, "\n");
    if (write(STDERR_FILENO, line, strlen(line)) < 0)
        return; /* there is nobody left to tell */
}

void cadre_complain(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    say(format, ap, "");
    va_end(ap);
}

int cadre_complain_usage(const char *format, ...)
{
    char more[64];
    va_list ap;

    snprintf(more, sizeof more, "; see %s --help", speaker);
    va_start(ap, format);
    say(format, ap, more);
    va_end(ap);
    return CADRE_EXIT_USAGE;
}

int cadre_complain_option(const char *what, int letter, const char *word)
{
    if (letter > 0 && letter < 128) /* one of several behind one dash, maybe */
        return cadre_complain_usage("option -%c %s", letter, what);
    return cadre_complain_usage("option %s %s", word, what);
}

void cadre_out_of_memory(void)
{
    cadre_complain("out of memory");
    exit(CADRE_EXIT_RUNTIME);
}
