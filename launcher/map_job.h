/* map_job.h - the rows of one `cadre map` on their way through the pool.
 *
 *     input ──► binding ──► [pool] ──► output
 *                  │           │
 *                  └─ failed ──┴──► named on standard error
 *
 * The pool pulls rows by cadre_map_job_next() and hands results to
 * cadre_map_job_item(), both in the main thread.
 */
#ifndef CADRE_LAUNCHER_MAP_JOB_H
#define CADRE_LAUNCHER_MAP_JOB_H

#include "binding.h"
#include "input.h"
#include "map_options.h"
#include "output.h"
#include "progress.h"
#include "skips.h"

#include <cadre/pool.h>

struct cadre_map_job {
    const struct cadre_map_options *options; /* borrowed */
    const volatile sig_atomic_t *stop;       /* the signal that ends it, or 0 */
    struct cadre_input *input;
    struct cadre_binding binding;
    struct cadre_output_file out;
    struct cadre_progress *progress; /* NULL before the run */
    struct cadre_skips skips;        /* rows that failed before the pool */
    struct cadre_text line;          /* being put together */
    char separator;                  /* between the outputs of a row */
    bool has_struct_result; /* the first output is a struct by value, whose
                               fields are columns */

    /* The row that was read ahead, to check it before anything starts. */
    bool has_ahead;
    enum cadre_input_result ahead;
    struct cadre_input_row row;
    struct cadre_why why;

    uint64_t given, done; /* tasks */
    uint64_t unprinted;   /* done, but behind one that was not run */
    bool has_gap;         /* one was not run, because the run is to stop */
    uint64_t failed;      /* rows */
    uint64_t blanks;      /* lines printed for skipped rows */
    bool is_at_end;       /* take no more rows */
    bool is_ending;       /* and print no more results */
    bool was_cut_short;   /* there was no time, or too many rows failed */
    int status;           /* the first thing that went wrong; 0 so far */
};

/* Prepare to give rows to a function with these parameters; `options` and
 * `params` are borrowed until fini. False: `why`. fini is needed in any case.
 */
bool cadre_map_job_init(struct cadre_map_job *job,
                        const struct cadre_map_options *options,
                        const struct cadre_parameter *params, size_t nparams,
                        const volatile sig_atomic_t *stop,
                        struct cadre_why *why);
void cadre_map_job_fini(struct cadre_map_job *job);

/* Read the first row ahead and check it. A bad row is false, too, unless bad
 * rows are passed over; no row at all is true. */
bool cadre_map_job_look_ahead(struct cadre_map_job *job, struct cadre_why *why);

/* Callbacks for struct cadre_map; `user` is the job. */
bool cadre_map_job_next(void *user, struct cadre_row *row);
bool cadre_map_job_item(void *user, const struct cadre_item *item);

/* All results are in: print what is still owed and report the rest of what
 * failed. */
void cadre_map_job_finish(struct cadre_map_job *job);

#endif
