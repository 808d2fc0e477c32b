/* input.h - rows of fields, pulled one by one out of files or standard input.
 *
 *     in = cadre_input_create(&options);
 *     while ((got = cadre_input_next(in, &row)) != CADRE_INPUT_END)
 *         ...
 *     cadre_input_destroy(in);
 *
 * Only one row is in memory at a time, whatever the size of the input. Rows
 * without anything in them are skipped, but count as lines.
 */
#ifndef CADRE_LAUNCHER_INPUT_H
#define CADRE_LAUNCHER_INPUT_H

#include "say.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

struct cadre_input; /* the files that are still to be read */

enum cadre_input_format {
    CADRE_INPUT_AUTO = 0, /* by a file's first line: a comma, a tab, or else
                             white space */
    CADRE_INPUT_CSV,      /* RFC 4180, quoted fields may hold line ends */
    CADRE_INPUT_TSV,      /* tabs, no quoting */
    CADRE_INPUT_SPACE,    /* any blanks */
    CADRE_INPUT_LINE      /* one field: the whole line */
};

struct cadre_input_options {
    enum cadre_input_format format;
    bool has_header;    /* the first row of each file names the columns */
    bool is_null_ended; /* with LINE: lines end in a zero byte (find -print0) */
    size_t nfiles;      /* 0: standard input */
    char *const *files; /* borrowed until destroy; "-" is standard input */
    const volatile sig_atomic_t *stop; /* gives up a wait for more input when
                                          it becomes non-zero; may be NULL */
};

struct cadre_input_field {
    const char *text; /* ended by a zero byte that is not counted in `len` */
    size_t len;
};

/* A row; its fields are lent until the next call. */
struct cadre_input_row {
    bool is_header;
    uint64_t number;  /* from 1, over all files; headers do not count: 0 */
    const char *file; /* "points.csv", "standard input" */
    uint64_t line;    /* where it starts in that file, from 1 */
    size_t count;
    const struct cadre_input_field *fields;
};

enum cadre_input_result {
    CADRE_INPUT_ROW,
    CADRE_INPUT_END,    /* of the last file */
    CADRE_INPUT_BAD,    /* this row cannot be read (numbered, without fields);
                           the next one may */
    CADRE_INPUT_FAILED, /* a file cannot be read; no more rows come */
    CADRE_INPUT_STOPPED /* `stop` was set */
};

/* Given: cadre_input_destroy(). Opens no file yet, but takes over standard
 * input if it is among them: descriptor 0 is /dev/null from then on, because
 * Open MPI's daemon would read from it, too, and rows would be missing here. */
struct cadre_input *
cadre_input_create(const struct cadre_input_options *options);
void cadre_input_destroy(struct cadre_input *in); /* NULL is allowed */

/* Does cadre_input_next() have an answer without waiting? (Only the rest of a
 * quoted CSV field with line ends in it is still waited for.) */
bool cadre_input_is_ready(struct cadre_input *in);

/* The next row; waits for it. `why` is filled with BAD and FAILED. */
enum cadre_input_result cadre_input_next(struct cadre_input *in,
                                         struct cadre_input_row *row,
                                         struct cadre_why *why);

/* The format of the file that is being read; never AUTO once a row came. */
enum cadre_input_format cadre_input_format(const struct cadre_input *in);

/* "csv" */
const char *cadre_input_format_name(enum cadre_input_format format);

/* Bytes of the rows so far. */
uint64_t cadre_input_bytes_read(const struct cadre_input *in);

/* Bytes of all files; 0 where a pipe is among them. */
uint64_t cadre_input_bytes_total(const struct cadre_input *in);

#endif
