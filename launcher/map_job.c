/* map_job.c - pulls rows, prints results, keeps the books; see map_job.h.
 *
 * Rows, tasks and lines: a row that cannot be read or bound becomes no task
 * but, if it is passed over, still a line. `skips` knows how many such rows
 * stand before each task, so that task i is row i + 1 + skipped rows before it.
 */
#include "map_job.h"

#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAMED_MAX = 20 }; /* failed rows that are named one by one */

bool cadre_map_job_init(struct cadre_map_job *job,
                        const struct cadre_map_options *options,
                        const struct cadre_parameter *params, size_t nparams,
                        const volatile sig_atomic_t *stop,
                        struct cadre_why *why)
{
    struct cadre_input_options input = options->input;

    *job = (struct cadre_map_job){.options = options, .stop = stop};
    cadre_output_file_init(&job->out, STDOUT_FILENO);
    if (!cadre_binding_init(&job->binding, params, nparams, &options->binding,
                            why))
        return false;
    /* The name of a file may hold anything but a line's end. */
    if (options->binding.has_files && job->binding.nwanted == 1 &&
        !input.has_header && input.format == CADRE_INPUT_AUTO)
        input.format = CADRE_INPUT_LINE;
    input.stop = stop;
    job->input = cadre_input_create(&input);
    return true;
}

void cadre_map_job_fini(struct cadre_map_job *job)
{
    cadre_progress_destroy(job->progress);
    cadre_input_destroy(job->input);
    cadre_binding_fini(&job->binding);
    cadre_output_file_fini(&job->out);
    cadre_skips_fini(&job->skips);
    cadre_text_fini(&job->line);
}

/* --- failures ------------------------------------------------------------- */

static void say(struct cadre_map_job *job, const char *where, const char *why,
                const char *remedy)
{
    if (job->progress != NULL)
        cadre_progress_pause(job->progress);
    cadre_complain("%s: %s%s", where, why, remedy);
    if (job->progress != NULL)
        cadre_progress_resume(job->progress);
}

static void set_status(struct cadre_map_job *job, int status)
{
    if (job->status == 0)
        job->status = status;
}

/* Take no more rows; those before this one still have their results. */
static void end_input(struct cadre_map_job *job, int status)
{
    set_status(job, status);
    job->is_at_end = true;
}

static void end(struct cadre_map_job *job, int status)
{
    end_input(job, status);
    job->is_ending = true;
}

/* A row has failed. */
static void name_row(struct cadre_map_job *job, const char *where,
                     const char *why)
{
    if (++job->failed <= NAMED_MAX)
        say(job, where, why,
            job->options->keeps_going ? ""
            : job->options->journal != NULL
                ? "; --keep-going passes over failing rows, --retry-failed "
                  "runs them again"
                : "; --keep-going passes over failing rows");
}

/* "row 17 (points.csv line 18)" */
static void put_place(const struct cadre_input_row *row, char *to, size_t room)
{
    char number[32];

    if (row->is_header)
        snprintf(number, sizeof number, "header");
    else
        snprintf(number, sizeof number, "row %" PRIu64, row->number);
    snprintf(to, room, "%s (%s line %" PRIu64 ")", number, row->file,
             row->line);
}

/* --- rows ----------------------------------------------------------------- */

/* The next row of data, bound to the parameters. */
static enum cadre_input_result pull(struct cadre_map_job *job)
{
    enum cadre_input_result got;

    while ((got = cadre_input_next(job->input, &job->row, &job->why)) ==
               CADRE_INPUT_ROW &&
           job->row.is_header)
        if (!cadre_binding_header(&job->binding, &job->row, &job->why))
            return CADRE_INPUT_FAILED;
    if (got == CADRE_INPUT_BAD && job->row.is_header)
        return CADRE_INPUT_FAILED;
    if (got == CADRE_INPUT_ROW &&
        !cadre_binding_row(&job->binding, &job->row, &job->why))
        return CADRE_INPUT_BAD;
    return got;
}

bool cadre_map_job_look_ahead(struct cadre_map_job *job, struct cadre_why *why)
{
    char place[CADRE_WHY_MAX / 2];

    job->ahead = pull(job);
    job->has_ahead = true;
    job->separator =
        cadre_input_format(job->input) == CADRE_INPUT_CSV ? ',' : '\t';
    if (job->ahead == CADRE_INPUT_FAILED)
        return cadre_why_set(why, "%s", job->why.text);
    if (job->ahead != CADRE_INPUT_BAD || job->options->keeps_going)
        return true;
    put_place(&job->row, place, sizeof place);
    return cadre_why_set(why, "%.200s: %.300s", place, job->why.text);
}

static void tell_progress(struct cadre_map_job *job)
{
    uint64_t read = cadre_input_bytes_read(job->input);

    cadre_progress_set(job->progress, job->given, job->done, read);
}

static bool give(struct cadre_map_job *job, struct cadre_row *row)
{
    struct cadre_values values = {.count = job->binding.nvalues,
                                  .list = job->binding.values};
    char place[CADRE_WHY_MAX / 2];

    if (cadre_row_give_values(row, values) == CADRE_OK) {
        job->given++;
        tell_progress(job);
        return true;
    }
    put_place(&job->row, place, sizeof place);
    say(job, place, cadre_error_text(), "");
    job->failed++;
    end(job, CADRE_EXIT_ROWS);
    return false;
}

static void skip(struct cadre_map_job *job)
{
    char place[CADRE_WHY_MAX / 2];

    put_place(&job->row, place, sizeof place);
    name_row(job, place, job->why.text);
    if (job->options->max_failures > 0 &&
        job->failed >= job->options->max_failures)
        end_input(job, CADRE_EXIT_ROWS);
    else if (job->options->keeps_going)
        cadre_skips_add(&job->skips, job->given);
    else
        end_input(job, CADRE_EXIT_ROWS);
}

bool cadre_map_job_next(void *user, struct cadre_row *row)
{
    struct cadre_map_job *job = user;

    while (!job->is_at_end && *job->stop == 0) {
        enum cadre_input_result got;

        if (!job->has_ahead && !cadre_input_is_ready(job->input))
            return true; /* nothing yet: results are handed over meanwhile */
        got = job->has_ahead ? job->ahead : pull(job);
        job->has_ahead = false;
        switch (got) {
        case CADRE_INPUT_ROW:
            return give(job, row);
        case CADRE_INPUT_BAD:
            skip(job);
            break;
        case CADRE_INPUT_FAILED:
            say(job, "input", job->why.text, "");
            end_input(job, CADRE_EXIT_RUNTIME);
            return false;
        case CADRE_INPUT_END:
        case CADRE_INPUT_STOPPED:
            return false;
        }
    }
    return false;
}

/* --- results -------------------------------------------------------------- */

static void write_line(struct cadre_map_job *job)
{
    bool is_mixed = job->out.is_terminal && job->progress != NULL;

    if (is_mixed)
        cadre_progress_pause(job->progress);
    if (!cadre_output_file_add(&job->out, job->line.data, job->line.len))
        end(job, job->out.error == EPIPE ? CADRE_EXIT_SIGNAL + SIGPIPE
                                         : CADRE_EXIT_RUNTIME);
    if (is_mixed)
        cadre_progress_resume(job->progress);
}

/* The lines of the rows up to `task` that were skipped. */
static void write_blanks(struct cadre_map_job *job, uint64_t task)
{
    uint64_t owed = cadre_skips_before(&job->skips, task);

    job->line.len = 0;
    cadre_text_add_char(&job->line, '\n');
    for (; job->blanks < owed && !job->is_ending; job->blanks++)
        write_line(job);
    cadre_skips_forget(&job->skips, task);
}

static void format_line(struct cadre_map_job *job,
                        const struct cadre_item *item, uint64_t row)
{
    struct cadre_text *line = &job->line;

    line->len = 0;
    if (job->options->is_unordered) {
        cadre_value_print(line, CADRE_UINT64, &row, 1, false);
        cadre_text_add_char(line, job->separator);
    }
    for (size_t i = 0; i < item->noutputs; i++) {
        const struct cadre_item_output *output = &item->outputs[i];

        if (i > 0)
            cadre_text_add_char(line, job->separator);
        if (output->of == NULL)
            cadre_value_print(line, output->type, output->data, output->count,
                              job->separator == ',');
        else if (i == 0 && job->has_struct_result)
            cadre_struct_print(line, output->of, output->data, job->separator);
        else
            cadre_structs_print(line, output->of, output->data, output->count);
    }
    cadre_text_add_char(line, '\n');
}

/* Has the run come to a limit, and this row with all that wait not been run?
 * What it was that took too long is only known where rows have no limit. */
static bool is_cut_short(const struct cadre_map_job *job,
                         const struct cadre_item *item)
{
    const struct cadre_map_options *o = job->options;

    return (o->max_failures > 0 && item->err == CADRE_ECANCELLED) ||
           (o->timeout_s > 0 && item->err == CADRE_ETIMEOUT &&
            strncmp(item->text, "the map", 7) == 0);
}

static void print_item(struct cadre_map_job *job, const struct cadre_item *item,
                       uint64_t row)
{
    if (!job->options->is_unordered)
        write_blanks(job, item->index);
    /* Without an order there is no place to keep for a row that failed. */
    if (item->err == CADRE_OK || !job->options->is_unordered) {
        format_line(job, item, row);
        if (!job->is_ending)
            write_line(job);
    }
}

bool cadre_map_job_item(void *user, const struct cadre_item *item)
{
    struct cadre_map_job *job = user;
    uint64_t row =
        item->index + 1 + cadre_skips_before(&job->skips, item->index);
    char place[32];

    if (*job->stop != 0 && item->err == CADRE_ECANCELLED) {
        job->has_gap = true;
        return true;
    }
    if (is_cut_short(job, item)) {
        job->was_cut_short = true;
        end(job, CADRE_EXIT_ROWS);
        return false;
    }
    job->done++;
    tell_progress(job);
    if (item->err != CADRE_OK) {
        snprintf(place, sizeof place, "row %" PRIu64, row);
        name_row(job, place,
                 item->text[0] != '\0' ? item->text
                                       : cadre_strerror(item->err));
        if (!job->options->keeps_going)
            end(job, CADRE_EXIT_ROWS);
    }
    if (job->has_gap && !job->options->is_unordered)
        job->unprinted++;
    else if (!job->is_ending)
        print_item(job, item, row);
    return !job->is_ending;
}

void cadre_map_job_finish(struct cadre_map_job *job)
{
    if (!job->options->is_unordered && !job->is_ending && *job->stop == 0)
        write_blanks(job, job->given);
    if (!cadre_output_file_flush(&job->out))
        end(job, job->out.error == EPIPE ? CADRE_EXIT_SIGNAL + SIGPIPE
                                         : CADRE_EXIT_RUNTIME);
    cadre_progress_destroy(job->progress);
    job->progress = NULL;
    if (job->out.error != 0 && job->out.error != EPIPE)
        cadre_complain("standard output: %s", strerror(job->out.error));
    if (job->failed > NAMED_MAX && job->options->keeps_going)
        cadre_complain("%" PRIu64 " more rows failed", job->failed - NAMED_MAX);
    if (job->failed > 0 && job->status == 0)
        job->status = CADRE_EXIT_ROWS;
}
