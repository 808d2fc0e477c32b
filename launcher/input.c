/* input.c - reads rows: blocks from a descriptor, lines from the block, fields
 * from the line.
 *
 *     read(2) ──► buffer ──► line ──► CSV: libcsv, fields copied to `copies`
 *                              └────► others: split in place
 *
 * A line is a borrowed piece of the buffer, its end overwritten by a zero byte.
 * CSV is fed to libcsv line by line, so that a row is complete when its
 * callback has been called and the parser never runs ahead of the row being
 * asked for; a quoted line end just asks for one more line. Libcsv runs in its
 * strict mode: a quote where none may be is an error of that row, not a strange
 * value.
 */
#include "input.h"

#include "text.h"

#include <assert.h>
#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK = 1 << 18,         /* bytes asked of read() at once */
    ROW_BYTES_MAX = 1 << 28, /* of one row: more is not a table of rows */
    CSV_BLOCK = 1 << 12      /* libcsv's field buffer grows by this */
};

struct cadre_input {
    struct cadre_input_options options;
    int stdin_fd;                   /* what descriptor 0 was; -1: not used */
    size_t next_file;               /* index of the file to open next */
    int fd;                         /* -1: none is open */
    const char *name;               /* of the open file, for messages */
    enum cadre_input_format format; /* of the open file */
    bool wants_header;              /* the next row is one */
    bool is_at_end;                 /* read() has returned 0 */
    uint64_t line;                  /* lines taken from the open file */
    uint64_t number;                /* rows so far */
    uint64_t bytes;                 /* of lines taken, all files */
    char *buffer;                   /* one byte longer than `capacity` */
    size_t start, end, capacity;    /* [start, end) is not taken yet */
    struct csv_parser csv;
    bool has_csv;             /* `csv` must be freed */
    bool is_row_complete;     /* libcsv's row callback came */
    struct cadre_text copies; /* libcsv's fields, one after another */
    struct cadre_input_field *fields;
    size_t nfields, max_fields;
};

enum line_result { LINE_TAKEN, LINE_NONE, LINE_FAILED, LINE_STOPPED };

/* A line, lent until the next one is taken. */
struct line {
    char *text;
    size_t len; /* without its end */
};

/* --- blocks and lines ----------------------------------------------------- */

/* Move what is left to the front and make room for another block. */
static void make_room(struct cadre_input *in)
{
    size_t kept = in->end - in->start;

    if (in->start > 0)
        memmove(in->buffer, in->buffer + in->start, kept);
    in->start = 0;
    in->end = kept;
    if (in->capacity - kept >= BLOCK / 2)
        return;
    in->capacity = in->capacity == 0 ? BLOCK : 2 * in->capacity;
    if ((in->buffer = realloc(in->buffer, in->capacity + 1)) == NULL)
        cadre_out_of_memory();
}

static bool is_stopped(const struct cadre_input *in)
{
    return in->options.stop != NULL && *in->options.stop != 0;
}

/* Read another block behind what is there. */
static enum line_result fill(struct cadre_input *in, struct cadre_why *why)
{
    ssize_t got;

    make_room(in);
    do {
        if (is_stopped(in))
            return LINE_STOPPED;
        got = read(in->fd, in->buffer + in->end, in->capacity - in->end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        cadre_why_set(why, "%s cannot be read: %s", in->name, strerror(errno));
        return LINE_FAILED;
    }
    in->is_at_end = got == 0;
    in->end += (size_t)got;
    return LINE_TAKEN;
}

static void take(struct cadre_input *in, size_t len, bool has_end,
                 struct line *line)
{
    line->text = in->buffer + in->start;
    line->len = len;
    line->text[len] = '\0'; /* over the line's end, or the spare byte */
    in->start += len + has_end;
    in->bytes += len + has_end;
    in->line++;
}

static int end_of_line(const struct cadre_input *in)
{
    return in->options.is_null_ended ? '\0' : '\n';
}

/* Take the next line out of the buffer, reading as needed. */
static enum line_result next_line(struct cadre_input *in, struct line *line,
                                  struct cadre_why *why)
{
    size_t seen = 0; /* bytes of the line that hold no end */
    enum line_result got;

    for (;;) {
        char *from = in->buffer + in->start + seen;
        size_t len = in->end - in->start - seen;
        char *at = len > 0 ? memchr(from, end_of_line(in), len) : NULL;

        seen += at != NULL ? (size_t)(at - from) : len;
        if (at != NULL || (in->is_at_end && seen > 0)) {
            take(in, seen, at != NULL, line);
            return LINE_TAKEN;
        }
        if (in->is_at_end)
            return LINE_NONE;
        if (seen > ROW_BYTES_MAX) {
            cadre_why_set(why,
                          "%s line %" PRIu64 " is longer than %d MiB: give "
                          "large arrays as files (--each-file)",
                          in->name, in->line + 1, ROW_BYTES_MAX >> 20);
            return LINE_FAILED;
        }
        if ((got = fill(in, why)) != LINE_TAKEN)
            return got;
    }
}

/* --- fields --------------------------------------------------------------- */

static void add_field(struct cadre_input *in, const char *text, size_t len)
{
    if (in->nfields == in->max_fields) {
        in->max_fields = in->max_fields == 0 ? 16 : 2 * in->max_fields;
        in->fields =
            reallocarray(in->fields, in->max_fields, sizeof *in->fields);
        if (in->fields == NULL)
            cadre_out_of_memory();
    }
    in->fields[in->nfields++] =
        (struct cadre_input_field){.text = text, .len = len};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void split_at_blanks(struct cadre_input *in, struct line line)
{
    char *end = line.text + line.len;

    for (char *c = line.text; c < end;) {
        char *start;

        while (c < end && is_blank(*c))
            c++;
        for (start = c; c < end && !is_blank(*c);)
            c++;
        if (c > start)
            add_field(in, start, (size_t)(c - start));
        *c++ = '\0';
    }
}

static void split_at_tabs(struct cadre_input *in, struct line line)
{
    char *end = line.text + line.len;
    char *start = line.text;

    for (;;) {
        char *tab = memchr(start, '\t', (size_t)(end - start));
        char *stop = tab != NULL ? tab : end;

        *stop = '\0';
        add_field(in, start, (size_t)(stop - start));
        if (tab == NULL)
            return;
        start = tab + 1;
    }
}

/* --- CSV ------------------------------------------------------------------ */

/* The fields' addresses are not known before the row is complete, as the copies
 * may move: keep the length only. */
static void on_field(void *text, size_t len, void *user)
{
    struct cadre_input *in = user;

    add_field(in, NULL, len);
    cadre_text_add(&in->copies, text, len);
    cadre_text_add_char(&in->copies, '\0');
}

static void on_row(int end, void *user)
{
    struct cadre_input *in = user;

    (void)end;
    in->is_row_complete = true;
}

static int is_csv_space(unsigned char c)
{
    return is_blank((char)c);
}

static int is_csv_end(unsigned char c)
{
    return c == '\n';
}

/* Make the parser stand before a row, whatever state it is in. */
static void reset_csv(struct cadre_input *in)
{
    if (in->has_csv)
        csv_free(&in->csv);
    csv_init(&in->csv, CSV_STRICT);
    csv_set_space_func(&in->csv, is_csv_space);
    csv_set_term_func(&in->csv, is_csv_end);
    csv_set_blk_size(&in->csv, CSV_BLOCK);
    in->has_csv = true;
}

static bool feed_csv(struct cadre_input *in, struct line line,
                     struct cadre_why *why)
{
    line.text[line.len] = '\n'; /* for the parser only */
    if (csv_parse(&in->csv, line.text, line.len + 1, on_field, on_row, in) ==
        line.len + 1)
        return true;
    if (csv_error(&in->csv) == CSV_ENOMEM)
        cadre_out_of_memory();
    return cadre_why_set(why, "a quote (\") where CSV allows none");
}

static void place_copies(struct cadre_input *in)
{
    const char *text = in->copies.data;

    for (size_t i = 0; i < in->nfields; i++) {
        in->fields[i].text = text;
        text += in->fields[i].len + 1;
    }
}

/* `line` starts the row; take more lines while a quote is open. */
static enum cadre_input_result
split_csv(struct cadre_input *in, struct line line, struct cadre_why *why)
{
    in->copies.len = 0;
    in->is_row_complete = false;
    while (feed_csv(in, line, why)) {
        enum line_result got = LINE_NONE;

        if (in->is_row_complete) {
            place_copies(in);
            return CADRE_INPUT_ROW;
        }
        if (in->copies.len + in->csv.entry_pos > ROW_BYTES_MAX ||
            (got = next_line(in, &line, why)) == LINE_NONE) {
            cadre_why_set(why, "a quote (\") that is never closed");
            break;
        }
        if (got != LINE_TAKEN)
            return got == LINE_STOPPED ? CADRE_INPUT_STOPPED
                                       : CADRE_INPUT_FAILED;
    }
    reset_csv(in);
    in->nfields = 0;
    return CADRE_INPUT_BAD;
}

/* --- files ---------------------------------------------------------------- */

static size_t count_files(const struct cadre_input *in)
{
    return in->options.nfiles > 0 ? in->options.nfiles : 1;
}

static const char *file_name(const struct cadre_input *in, size_t i)
{
    return in->options.nfiles > 0 ? in->options.files[i] : "-";
}

static bool open_next(struct cadre_input *in, struct cadre_why *why)
{
    const char *path = file_name(in, in->next_file++);

    if (strcmp(path, "-") == 0) {
        in->name = "standard input";
        in->fd = in->stdin_fd;
        errno = EBADF; /* where it was closed */
    } else {
        in->name = path;
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (in->fd < 0)
        return cadre_why_set(why, "%s cannot be read: %s", in->name,
                             strerror(errno));
    in->format = in->options.format;
    in->wants_header = in->options.has_header;
    in->is_at_end = false;
    in->line = 0;
    in->start = in->end = 0;
    return true;
}

static void close_current(struct cadre_input *in)
{
    if (in->fd >= 0 && in->fd != in->stdin_fd)
        close(in->fd);
    in->fd = -1;
}

static void skip_byte_order_mark(struct cadre_input *in, struct line *line)
{
    if (in->line == 1 && strncmp(line->text, "\xEF\xBB\xBF", 3) == 0) {
        line->text += 3;
        line->len -= 3;
    }
}

static bool is_empty(const struct cadre_input *in, struct line line)
{
    if (in->format == CADRE_INPUT_TSV || in->format == CADRE_INPUT_LINE)
        return line.len == 0;
    for (size_t i = 0; i < line.len; i++)
        if (!is_blank(line.text[i]))
            return false;
    return true;
}

static enum cadre_input_format guess_format(struct line line)
{
    if (line.text[0] == '"' || memchr(line.text, ',', line.len) != NULL)
        return CADRE_INPUT_CSV;
    if (memchr(line.text, '\t', line.len) != NULL)
        return CADRE_INPUT_TSV;
    return CADRE_INPUT_SPACE;
}

/* Take the line that starts the next row: the first with anything in it. */
static enum line_result next_start(struct cadre_input *in, struct line *line,
                                   struct cadre_why *why)
{
    enum line_result got;

    while ((got = next_line(in, line, why)) == LINE_TAKEN) {
        skip_byte_order_mark(in, line);
        if (!in->options.is_null_ended && line->len > 0 &&
            line->text[line->len - 1] == '\r')
            line->text[--line->len] = '\0';
        if (is_empty(in, *line))
            continue;
        if (in->format == CADRE_INPUT_AUTO)
            in->format = guess_format(*line);
        return LINE_TAKEN;
    }
    return got;
}

static enum cadre_input_result split(struct cadre_input *in, struct line line,
                                     struct cadre_why *why)
{
    in->nfields = 0;
    switch (in->format) {
    case CADRE_INPUT_CSV:
        return split_csv(in, line, why);
    case CADRE_INPUT_TSV:
        split_at_tabs(in, line);
        return CADRE_INPUT_ROW;
    case CADRE_INPUT_LINE:
        add_field(in, line.text, line.len);
        return CADRE_INPUT_ROW;
    case CADRE_INPUT_SPACE:
    case CADRE_INPUT_AUTO:
        split_at_blanks(in, line);
        return CADRE_INPUT_ROW;
    }
    return CADRE_INPUT_FAILED;
}

static bool uses_stdin(const struct cadre_input *in)
{
    for (size_t i = 0; i < count_files(in); i++)
        if (strcmp(file_name(in, i), "-") == 0)
            return true;
    return false;
}

/* A closed descriptor 0 gives an error when it is read. */
static void take_stdin(struct cadre_input *in)
{
    int null;

    in->stdin_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in->stdin_fd >= 0 && null >= 0)
        dup2(null, STDIN_FILENO);
    if (null > STDIN_FILENO)
        close(null);
}

/* --- the interface -------------------------------------------------------- */

struct cadre_input *
cadre_input_create(const struct cadre_input_options *options)
{
    struct cadre_input *in = calloc(1, sizeof *in);

    if (in == NULL)
        cadre_out_of_memory();
    in->options = *options;
    in->fd = -1;
    in->stdin_fd = -1;
    if (uses_stdin(in))
        take_stdin(in);
    in->name = "standard input";
    in->format = options->format;
    make_room(in);
    reset_csv(in);
    return in;
}

void cadre_input_destroy(struct cadre_input *in)
{
    if (in == NULL)
        return;
    close_current(in);
    if (in->stdin_fd >= 0)
        close(in->stdin_fd);
    if (in->has_csv)
        csv_free(&in->csv);
    cadre_text_fini(&in->copies);
    free(in->fields);
    free(in->buffer);
    free(in);
}

/* The line that starts the next row of any file; sets `*result` if none. */
static bool find_row(struct cadre_input *in, struct line *line,
                     enum cadre_input_result *result, struct cadre_why *why)
{
    for (;;) {
        enum line_result got = LINE_NONE;

        if (in->fd >= 0)
            got = next_start(in, line, why);
        if (got == LINE_TAKEN)
            return true;
        *result = got == LINE_FAILED    ? CADRE_INPUT_FAILED
                  : got == LINE_STOPPED ? CADRE_INPUT_STOPPED
                                        : CADRE_INPUT_END;
        if (got != LINE_NONE)
            return false;
        close_current(in);
        if (in->next_file == count_files(in))
            return false;
        if (!open_next(in, why)) {
            *result = CADRE_INPUT_FAILED;
            return false;
        }
    }
}

bool cadre_input_is_ready(struct cadre_input *in)
{
    size_t seen = 0; /* bytes that hold no end of a line */
    struct cadre_why ignored;

    while (in->fd >= 0 && !in->is_at_end && !is_stopped(in)) {
        struct pollfd input = {.fd = in->fd, .events = POLLIN};
        size_t len = in->end - in->start;

        if (len > ROW_BYTES_MAX ||
            (len > seen && memchr(in->buffer + in->start + seen,
                                  end_of_line(in), len - seen) != NULL))
            return true;
        seen = len;
        if (poll(&input, 1, 0) == 0)
            return false;
        if (fill(in, &ignored) != LINE_TAKEN) /* it will fail again */
            return true;
    }
    return true;
}

enum cadre_input_result cadre_input_next(struct cadre_input *in,
                                         struct cadre_input_row *row,
                                         struct cadre_why *why)
{
    enum cadre_input_result result;
    struct line line;

    if (!find_row(in, &line, &result, why))
        return result;
    *row = (struct cadre_input_row){
        .is_header = in->wants_header, .file = in->name, .line = in->line};
    in->wants_header = false;
    if (!row->is_header)
        row->number = ++in->number;
    result = split(in, line, why);
    if (result == CADRE_INPUT_ROW) {
        row->count = in->nfields;
        row->fields = in->fields;
    }
    return result;
}

enum cadre_input_format cadre_input_format(const struct cadre_input *in)
{
    return in->format;
}

const char *cadre_input_format_name(enum cadre_input_format format)
{
    static const char *const names[] = {"auto", "csv", "tsv", "space", "line"};

    assert((size_t)format < sizeof names / sizeof names[0]);
    return names[format];
}

uint64_t cadre_input_bytes_read(const struct cadre_input *in)
{
    return in->bytes;
}

uint64_t cadre_input_bytes_total(const struct cadre_input *in)
{
    uint64_t total = 0;
    struct stat st;

    for (size_t i = 0; i < count_files(in); i++) {
        const char *path = file_name(in, i);
        bool is_stdin = strcmp(path, "-") == 0;

        if ((is_stdin ? fstat(in->stdin_fd, &st) : stat(path, &st)) != 0 ||
            !S_ISREG(st.st_mode))
            return 0;
        total += (uint64_t)st.st_size;
    }
    return total;
}
