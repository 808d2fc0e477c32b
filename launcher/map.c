/* map.c - `cadre map`: checks everything that can be checked, starts workers,
 * lets the rows run, and says how it went.
 *
 *     options ─► function ─► binding ─► first row ─► [dry run ends here]
 *     ─► cadre_init ─► pool ─► run ─► report
 *
 * Up to the first row nothing has been started, and every mistake is exit
 * status 2.
 *
 * Signals, from handle_signals() on:
 *
 *     no rows yet   SIGINT, SIGTERM, SIGHUP ──► leave
 *     rows          the same ──► ending
 *     ending        no more input, what waits is dropped, what runs ends, what
 *                   is there is printed ──► report
 *                   a second signal, or --grace seconds ──► leave
 *
 * Who leaves takes the workers along: they are in a session of their own, where
 * the terminal's signals do not reach them, and end when they see that the
 * controller has. SIGPIPE gets a handler that does nothing, not SIG_IGN, which
 * the workers would inherit.
 */
#include "map.h"

#include "map_job.h"
#include "paths.h"
#include "probe.h"
#include "values.h"

#include <cadre/init.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    GRACE_S = 10, /* that rows have to end after a signal */
    LOAD_S = 60,  /* for the library to be loaded */
    HANGUP_S = 2, /* likewise, when the terminal has gone */
    SAME_MS = 100 /* one signal, though it came twice: timeout(1) sends it to
                     the process and to its group */
};

/* What a run needs; one per process. */
struct map {
    struct cadre_map_options options;
    struct cadre_function *function;
    struct cadre_map_job job;
    char worker[PATH_MAX]; /* the worker program */
    double started_s;      /* when the rows began to run */
    bool has_told;         /* how long rows have after a signal */
};

/* What the signal handlers know. */
static volatile sig_atomic_t stop_signal; /* the first that came */
static volatile sig_atomic_t has_rows;    /* they run */
static struct timespec stopped;           /* when it came */
static unsigned grace_s;
static char last_words[CADRE_WHY_MAX]; /* of who leaves because rows do not
                                          end */
static pthread_t main_thread;

/* --- signals -------------------------------------------------------------- */

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool is_same_signal(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - stopped.tv_sec) * 1000 +
               (now.tv_nsec - stopped.tv_nsec) / 1000000 <
           SAME_MS;
}

/* Any thread may be hit, but only the main one waits for input. */
static void on_stop(int number)
{
    if (!pthread_equal(pthread_self(), main_thread)) {
        pthread_kill(main_thread, number);
        return;
    }
    if (stop_signal != 0 && is_same_signal())
        return;
    if (stop_signal != 0 || !has_rows)
        _exit(CADRE_EXIT_SIGNAL + number);
    stop_signal = number;
    clock_gettime(CLOCK_MONOTONIC, &stopped);
    alarm(number == SIGHUP && grace_s > HANGUP_S ? HANGUP_S : grace_s);
}

/* An alarm, because whoever could look at a clock may be held up, by a reader
 * of the output for example. */
static void on_grace_over(int number)
{
    (void)number;
    if (write(STDERR_FILENO, last_words, strlen(last_words)) < 0)
        _exit(CADRE_EXIT_SIGNAL + stop_signal); /* nobody reads it */
    _exit(CADRE_EXIT_SIGNAL + stop_signal);
}

static void on_nothing(int number)
{
    (void)number;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}, before;

    sigemptyset(&action.sa_mask);
    sigaction(number, NULL, &before);
    if (before.sa_handler != SIG_IGN)     /* nohup and the like mean it */
        sigaction(number, &action, NULL); /* no SA_RESTART: end waits */
}

/* How the work goes on after a signal. */
static const char *advice(const struct map *m, char *text, size_t room)
{
    if (m->options.journal == NULL)
        return "with --journal FILE the same command can go on where it was";
    snprintf(text, room, "the same command goes on where it was, from %.200s",
             m->options.journal);
    return text;
}

static void handle_signals(const struct map *m)
{
    char text[CADRE_WHY_MAX / 2];

    grace_s = m->options.grace_s > 0 ? (unsigned)m->options.grace_s : GRACE_S;
    snprintf(last_words, sizeof last_words,
             "cadre map: ended: rows that still ran after %u s were given up; "
             "%s\n",
             grace_s, advice(m, text, sizeof text));
    main_thread = pthread_self();
    handle(SIGALRM, on_grace_over);
    handle(SIGINT, on_stop);
    handle(SIGTERM, on_stop);
    handle(SIGHUP, on_stop);
    handle(SIGPIPE, on_nothing);
}

/* --- checks before the start ---------------------------------------------- */

/* Rank 1 and up of an mpirun: they become workers, and the input is not theirs.
 */
static bool is_resident_worker(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");

    return rank != NULL && strcmp(rank, "0") != 0;
}

static bool check_files(const struct cadre_input_options *input)
{
    for (size_t i = 0; i < input->nfiles; i++) {
        const char *path = input->files[i];

        if (strcmp(path, "-") != 0 && access(path, R_OK) != 0) {
            cadre_complain("%s cannot be read: %s", path, strerror(errno));
            return false;
        }
    }
    return true;
}

/* --struct 'NAME: FIELDS' */
static bool declare_struct(const char *declaration)
{
    const char *colon = strchr(declaration, ':');
    char name[80];

    if (colon == NULL || colon == declaration ||
        colon - declaration >= (ptrdiff_t)sizeof name) {
        cadre_complain("--struct '%s': write --struct 'NAME: TYPE FIELD, ...'",
                       declaration);
        return false;
    }
    snprintf(name, sizeof name, "%.*s", (int)(colon - declaration),
             declaration);
    while (name[strlen(name) - 1] == ' ' && strlen(name) > 1)
        name[strlen(name) - 1] = '\0';
    if (cadre_struct(name, colon + 1) == CADRE_OK)
        return true;
    cadre_complain("--struct: %s", cadre_error_text());
    return false;
}

/* In a process of its own: what comes of it does not matter, if it comes. */
static void try_function(void *arg)
{
    const struct map *m = arg;
    struct cadre_function *function;

    if (cadre_function_open(m->options.library, m->options.prototype,
                            &function) != CADRE_OK)
        return;
}

static bool open_function(struct map *m)
{
    const char *library = m->options.library;
    double limit_s =
        m->options.spawn_timeout_s > 0 ? m->options.spawn_timeout_s : LOAD_S;
    struct cadre_why why;
    cadre_err err;

    for (size_t i = 0; i < m->options.nstructs; i++)
        if (!declare_struct(m->options.structs[i]))
            return false;
    if (!cadre_probe(try_function, m, limit_s, &why)) {
        cadre_complain("loading %s %s: it cannot be used as it is", library,
                       why.text);
        return false;
    }
    err = cadre_function_open(library, m->options.prototype, &m->function);
    if (err == CADRE_OK)
        return true;
    if (err == CADRE_ENOTFOUND && strchr(library, '/') == NULL &&
        access(library, R_OK) == 0)
        cadre_complain("%s; write ./%s for the file in this folder",
                       cadre_error_text(), library);
    else
        cadre_complain("%s", cadre_error_text());
    return false;
}

static bool prepare(struct map *m)
{
    const struct cadre_parameter *params;
    struct cadre_why why;
    size_t nparams;

    if (!check_files(&m->options.input) || !open_function(m))
        return false;
    params = cadre_function_parameters(m->function, &nparams);
    if (!cadre_map_job_init(&m->job, &m->options, params, nparams, &stop_signal,
                            &why) ||
        (!is_resident_worker() && !cadre_map_job_look_ahead(&m->job, &why))) {
        cadre_complain("%s", why.text);
        return false;
    }
    m->job.has_struct_result =
        cadre_function_result(m->function) == CADRE_AGGREGATE;
    if (m->options.worker_program != NULL)
        snprintf(m->worker, sizeof m->worker, "%s", m->options.worker_program);
    else
        cadre_path_beside("cadre-worker", m->worker, sizeof m->worker);
    return true;
}

/* --- the dry run ---------------------------------------------------------- */

static void print_source(const struct map *m, size_t param)
{
    const struct cadre_binding *b = &m->job.binding;
    const struct cadre_source *source = &b->sources[param];

    switch (source->kind) {
    case CADRE_SOURCE_NONE:
        printf(b->params[param].is_output ? "filled by the function\n"
                                          : "filled in by the worker\n");
        break;
    case CADRE_SOURCE_CONSTANT:
        printf("always %s (--set)\n", source->text);
        break;
    case CADRE_SOURCE_COLUMN:
        if (source->leaves.count > 1)
            printf("columns %zu to %zu\n", source->column + 1,
                   source->column + source->leaves.count);
        else
            printf("column %zu\n", source->column + 1);
        break;
    case CADRE_SOURCE_FILE:
        printf("the bytes of the file named in column %zu\n",
               source->column + 1);
        break;
    case CADRE_SOURCE_COUNT:
        printf("the number of elements of %s\n",
               cadre_binding_name(b, source->array));
        break;
    }
}

static void print_parameters(const struct map *m)
{
    const struct cadre_binding *b = &m->job.binding;
    char name[80];

    for (size_t i = 0; i < b->nparams; i++) {
        snprintf(name, sizeof name, "%s", cadre_binding_name(b, i));
        printf("  %-10s %s%s: ", name,
               b->params[i].of != NULL
                   ? b->params[i].of->name
                   : cadre_value_type_name(b->params[i].type),
               b->params[i].is_array ? " array" : "");
        print_source(m, i);
    }
}

static void print_input(const struct map *m)
{
    const struct cadre_map_options *o = &m->options;

    printf("input        ");
    for (size_t i = 0; i < o->input.nfiles; i++)
        printf("%s ", o->input.files[i]);
    printf("%s(%s%s)\n", o->input.nfiles == 0 ? "standard input " : "",
           cadre_input_format_name(cadre_input_format(m->job.input)),
           o->input.has_header ? " with header" : "");
    printf("first row    %s\n", m->job.ahead == CADRE_INPUT_ROW ? "checked"
                                : m->job.ahead == CADRE_INPUT_END
                                    ? "there is none"
                                    : m->job.why.text);
}

static int cores(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static int print_plan(const struct map *m)
{
    const struct cadre_map_options *o = &m->options;

    printf("function     %s\n", o->prototype);
    printf("library      %s\n", o->library);
    print_parameters(m);
    print_input(m);
    if (o->workers > 0)
        printf("workers      %d (%s)\n", o->workers, m->worker);
    else
        printf("workers      %d, one per core (%s)\n", cores(), m->worker);
    printf("output       %s, %s\n",
           o->is_unordered ? "as results come" : "in the order of the input",
           o->keeps_going ? "passing over rows that fail"
                          : "ending at the first row that fails");
    if (o->timeout_s > 0)
        printf("time         at most %g s\n", o->timeout_s);
    if (o->journal != NULL)
        printf("journal      %s%s\n", o->journal,
               o->retries_failed ? ", failed rows run again" : "");
    if (fflush(stdout) == 0)
        return CADRE_EXIT_OK;
    cadre_complain("standard output: %s", strerror(errno));
    return CADRE_EXIT_RUNTIME;
}

/* --- the run -------------------------------------------------------------- */

/* Who has pressed Ctrl-C waits, and is to know for what. */
static void tell_grace(struct map *m)
{
    m->has_told = true;
    if (isatty(STDERR_FILENO) != 1)
        return;
    cadre_progress_pause(m->job.progress);
    cadre_complain("ending; rows that run have %u s for it, a second signal "
                   "ends them now",
                   grace_s);
    cadre_progress_resume(m->job.progress);
}

/* Ten times a second, in the progress line's thread. */
static void on_tick(void *user)
{
    struct map *m = user;

    if (stop_signal != 0 && !m->has_told)
        tell_grace(m);
    cadre_output_file_flush(&m->job.out);
}

static bool shows_progress(const struct map *m)
{
    if (m->options.progress == CADRE_AUTO)
        return isatty(STDERR_FILENO) == 1 && !m->job.out.is_terminal;
    return m->options.progress == CADRE_ALWAYS;
}

static bool start_progress(struct map *m)
{
    m->job.progress = cadre_progress_create(&(struct cadre_progress_options){
        .is_shown = shows_progress(m),
        .bytes = cadre_input_bytes_total(m->job.input),
        .on_tick = on_tick,
        .user = m});
    if (m->job.progress == NULL)
        cadre_complain("no thread could be started: %s", strerror(errno));
    return m->job.progress != NULL;
}

static bool start_workers(struct map *m, struct cadre_pool **pool)
{
    double began_s = now_s();
    cadre_err err = cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = m->options.workers,
                                     .min_workers = m->options.at_least,
                                     .oversubscribe = true,
                                     .worker_program = m->worker,
                                     .spawn_timeout_s =
                                         m->options.spawn_timeout_s},
        pool);

    if (err != CADRE_OK) {
        cadre_complain("%s", cadre_error_text());
        return false;
    }
    if (m->options.is_verbose)
        cadre_complain("%d workers (%s) after %.2f s",
                       cadre_pool_workers(*pool), m->worker, now_s() - began_s);
    return true;
}

static void run_rows(struct map *m, struct cadre_pool *pool)
{
    struct cadre_map_job *job = &m->job;
    bool is_known;
    cadre_err err;

    m->started_s = now_s();
    has_rows = true;
    err = cadre_pool_run(
        pool, &(struct cadre_map){.fn = m->function,
                                  .next = cadre_map_job_next,
                                  .on_item = cadre_map_job_item,
                                  .unordered = m->options.is_unordered,
                                  .user = job,
                                  .chunk_size = m->options.chunk_size,
                                  .retries = (int)m->options.retries,
                                  .task_timeout_s = m->options.task_timeout_s,
                                  .timeout_s = m->options.timeout_s,
                                  .max_failures = m->options.max_failures,
                                  .stop = &stop_signal,
                                  .journal = m->options.journal,
                                  .retry_failed = m->options.retries_failed});
    has_rows = false;
    alarm(0);
    cadre_map_job_finish(job);
    /* What a row did wrong has been said; anything else has not. */
    is_known = job->status != 0;
    if (m->options.max_failures > 0 && job->failed >= m->options.max_failures)
        cadre_complain("stopped after %" PRIu64 " rows had failed",
                       job->failed);
    else if (job->was_cut_short)
        is_known = false;
    if (err != CADRE_OK && !is_known && stop_signal == 0) {
        cadre_complain("%s", cadre_error_text());
        if (job->status == 0)
            job->status = CADRE_EXIT_RUNTIME;
    }
}

static const char *signal_name(int number)
{
    return number == SIGINT   ? "SIGINT"
           : number == SIGHUP ? "SIGHUP"
                              : "SIGTERM";
}

/* What a signal has left to do. */
static void tell_stop(const struct map *m)
{
    const struct cadre_map_job *job = &m->job;
    char unprinted[80] = "", text[CADRE_WHY_MAX / 2];

    if (job->unprinted > 0)
        snprintf(unprinted, sizeof unprinted,
                 " (%" PRIu64 " of them not printed: one before was not run)",
                 job->unprinted);
    cadre_complain("ended by %s after %" PRIu64 " rows%s; %s",
                   signal_name(stop_signal),
                   job->done + cadre_skips_before(&job->skips, UINT64_MAX),
                   unprinted, advice(m, text, sizeof text));
}

static void summarize(const struct map *m)
{
    const struct cadre_map_job *job = &m->job;
    double seconds = now_s() - m->started_s;

    if (!m->options.is_verbose && isatty(STDERR_FILENO) != 1)
        return;
    cadre_complain(
        "%" PRIu64 " rows in %.2f s (%.0f rows/s), %" PRIu64 " failed",
        job->done + cadre_skips_before(&job->skips, UINT64_MAX), seconds,
        (double)job->done / (seconds > 0 ? seconds : 1), job->failed);
}

static int run(struct map *m)
{
    struct cadre_pool *pool;
    int status = CADRE_EXIT_RUNTIME;

    if (!cadre_path_has_folder())
        return CADRE_EXIT_RUNTIME;
    if (cadre_init(NULL, NULL) != CADRE_OK) {
        cadre_complain("%s", cadre_error_text());
        return CADRE_EXIT_RUNTIME;
    }
    handle_signals(m);
    if (start_progress(m) && start_workers(m, &pool)) {
        run_rows(m, pool);
        if (stop_signal != 0)
            tell_stop(m);
        cadre_pool_destroy(pool);
        summarize(m);
        status = m->job.status;
    }
    cadre_progress_destroy(m->job.progress);
    m->job.progress = NULL;
    if (cadre_finalize() != 0 && status == 0)
        status = CADRE_EXIT_RUNTIME;
    return stop_signal != 0 ? CADRE_EXIT_SIGNAL + stop_signal : status;
}

int cadre_map_main(int argc, char **argv)
{
    struct map m = {0};
    int status = cadre_map_options_init(&m.options, argc, argv);

    if (status < 0) {
        status = CADRE_EXIT_USAGE;
        if (prepare(&m))
            status = m.options.is_dry_run ? print_plan(&m) : run(&m);
        if (m.function != NULL)
            cadre_map_job_fini(&m.job);
    }
    cadre_map_options_fini(&m.options);
    return status;
}
