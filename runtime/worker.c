/* worker.c - runs batches of tasks.
 *
 *     HELLO    -> WELCOME, or REFUSE where the versions differ
 *     FUNCTION -> found by library and symbol; what is wrong with it is
 *                 remembered and becomes the failure of each of its tasks
 *     TEAM     -> formed together with the other members
 *     STORE_PUT -> kept in the store of the team's object
 *     INIT     -> the init function fills the store; READY says how it went
 *     BATCH    -> called row by row; RESULTS when it is done, and in between
 *                 when it takes long
 *     DISBAND, CLOSE -> the team, the store are forgotten
 *     BYE      -> return
 */
#include "worker.h"

#include "bell.h"
#include "call.h"
#include "environment.h"
#include "function.h"
#include "isolate.h"
#include "log.h"
#include "pack.h"
#include "sentinel.h"
#include "trap.h"
#include "worker_place.h"
#include "worker_stored.h"
#include "worker_team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    FLUSH_MS = 20,    /* results wait no longer for the rest of a batch */
    LOOKS_MAX = 1024, /* rows between looks at the clock, at most */
    LOOK_US = 500,    /* aim at a look this often */
    SLEEP_MS = 1000,  /* at the bell: a limit, in case a ring is lost */
    POLL_MS = 2,      /* between polls without a bell */
    SPIN_FEW = 5000, /* empty polls before giving others the core: giving it too
                        soon puts both ends of a dialogue on one core */
    SPIN_CROWDED = 16, /* the same for workers that share cores: another has
                          what its controller waits for, which does not */
    LOOKS = 3,         /* polls before sleeping */
    BUSY_NAP_US = 50,  /* between polls while MPI has a message under way */
    NEWS_MS = 50,      /* between two messages about a task's progress */
    CANCEL_MS = 200, /* for a task that runs apart to return when it is told */
    SETTLE_MS = 100, /* for results to leave before the next task begins */
    LAST_WORD_S = 2, /* for what a task that crashes leaves to be said */
    RESERVE = 32 << 20, /* bytes for MPI to say it with */
    LINGER_MS = 100     /* for that to leave the sockets */
};

static const uint64_t US = 1000, MS = 1000000;

/* The running task. */
struct cadre_task {
    struct worker *worker;
    struct cadre_workteam *team;
    uint64_t job;
    uint64_t row;
    uint32_t number; /* of the task in its batch, from 1 */
    uint32_t attempt;
    uint64_t told_ns; /* when it told its progress last */
    bool has_failed;
    int kind;
    char text[CADRE_ERROR_TEXT_MAX];
};

static _Thread_local struct cadre_task *current_task;

static _Atomic bool is_at_work; /* this process is a worker now */

/* A function as this worker knows it. */
struct known {
    struct worker *worker;
    struct cadre_proto *proto;
    struct cadre_call *call; /* NULL: `err` says why it cannot be called */
    struct cadre_rows *rows;
    bool has_specials; /* parameters that the worker fills in */
    bool has_fills;    /* and those of this batch that come from the store */
    bool is_builtin;   /* the library's own: never runs apart */
    bool is_reader;    /* cadre_stored_get_() */
    cadre_err err;
    struct cadre_error error;
};

/* A row that failed and was not reported yet. */
struct failed_row {
    uint64_t row; /* in the job */
    cadre_err err;
    int kind;
    char *text;
};

struct worker {
    struct cadre_channel *channel;
    int rank;
    uint32_t generation;
    bool is_greeted;
    bool is_dismissed; /* BYE has come */
    cadre_err refused; /* why this worker goes no further; CADRE_OK: it does */
    struct cadre_error *why; /* the same in words; the caller's */
    bool has_pulse; /* the sentinel and the controller listen to each other */
    struct cadre_bells *bells;
    uint32_t bell;
    uint64_t spin_ns;
    struct cadre_workteams teams;
    struct cadre_workplace place;
    uint32_t batches;         /* that have come */
    struct known **functions; /* by id */
    uint32_t functions_max;
    struct failed_row *failures;
    size_t nfailures, failures_max;
    struct cadre_crash crash;
    void *reserve;                 /* address space; MAP_FAILED: none */
    struct known *running;         /* the function of the running task */
    struct cadre_isolate *isolate; /* NULL: no task ran apart so far */
    bool is_child;                 /* this process runs one task apart */
    const void *outputs; /* of the task that has run apart; lent by `isolate`;
                            NULL: they are in the rows */
    size_t outputs_len;
    uint64_t cancelled_ns; /* since when the task that runs apart is; 0: it is
                              not */
    uint64_t begun_ns;     /* when the batch began */
    uint64_t sent;         /* tasks of the batch before this are reported */
    struct cadre_keeper leaving; /* large outputs, on their way out */
    struct cadre_store *shown;   /* what a reader is filled from; NULL: there
                                    was none so far */
    struct cadre_task task;
    cadre_task *task_pointer; /* what a `cadre_task *` parameter is given */
};

/* --- the task's own view ---------------------------------------------------
 */

void cadre_worker_fail_task(int kind, const char *text)
{
    struct cadre_task *t = current_task;

    if (t == NULL || t->has_failed)
        return;
    t->has_failed = true;
    t->kind = kind;
    snprintf(t->text, sizeof t->text, "%s", text);
}

bool cadre_worker_is_in_task(void)
{
    return current_task != NULL;
}

/* More often than people can read it is not sent. */
void cadre_worker_progress(cadre_task *task, double progress, const char *text)
{
    struct worker *w = task->worker;
    struct cadre_msg_news msg = {.job = task->job,
                                 .row = task->row,
                                 .progress = progress,
                                 .text = text != NULL ? text : ""};
    uint64_t now = cadre_now_ns();

    if (task != current_task || task->number == 0 || w->is_child ||
        (progress < 1 && now - task->told_ns < NEWS_MS * MS))
        return;
    task->told_ns = now;
    if (cadre_news_encode(&msg, w->generation,
                          cadre_channel_buffer(w->channel, 0)) == CADRE_OK)
        cadre_channel_flush(w->channel, NULL);
}

bool cadre_worker_is_cancelled(const cadre_task *task)
{
    const struct worker *w = task->worker;

    return w->bells != NULL && task->number > 0 &&
           cadre_board_is_cancelled(w->bells, w->bell, w->batches);
}

void cadre_worker_describe(const cadre_task *task, struct cadre_task_info *info)
{
    static struct cadre_process self;

    if (self.pid == 0)
        cadre_process_self(&self);
    *info = (struct cadre_task_info){.index = task->row,
                                     .rank = task->team->rank,
                                     .size = task->team->size,
                                     .worker = task->worker->rank,
                                     .attempt = (int)task->attempt,
                                     .host = self.host};
    cadre_workplace_tell(&task->worker->place, info);
}

/* --- results ---------------------------------------------------------------
 */

static void forget_failures(struct worker *w)
{
    for (size_t i = 0; i < w->nfailures; i++)
        free(w->failures[i].text);
    w->nfailures = 0;
}

static cadre_err note_failure(struct worker *w, uint64_t row, cadre_err err,
                              int kind, const char *text)
{
    if (w->nfailures == w->failures_max) {
        size_t max = w->failures_max * 2 + 16;
        struct failed_row *grown = realloc(w->failures, max * sizeof *grown);

        if (grown == NULL)
            return CADRE_ENOMEM;
        w->failures = grown;
        w->failures_max = max;
    }
    w->failures[w->nfailures++] = (struct failed_row){
        .row = row, .err = err, .kind = kind, .text = strdup(text)};
    return CADRE_OK;
}

static cadre_err encode_failures(struct worker *w, struct cadre_buffer *buffer,
                                 size_t mark)
{
    cadre_err err = CADRE_OK;

    for (size_t i = 0; i < w->nfailures && err == CADRE_OK; i++) {
        const struct failed_row *f = &w->failures[i];
        struct cadre_failure failure = {
            .row = f->row,
            .err = (int32_t)f->err,
            .kind = f->kind,
            .text = f->text != NULL ? f->text : "(out of memory)"};

        err = cadre_failure_add(&failure, buffer, mark);
    }
    return err;
}

/* Of a team that gives one result for each task, only the first rank's is
 * sent. */
static cadre_err flush_outputs(struct worker *w, struct known *k,
                               struct cadre_buffer *buffer)
{
    const struct cadre_workteam *t = w->task.team;
    size_t len = buffer->len;
    cadre_err err = cadre_rows_flush(k->rows, buffer);

    if (t->rank > 0 && !t->has_all)
        cadre_buffer_cut(buffer, len);
    if (err != CADRE_OK || w->outputs == NULL)
        return err;
    cadre_buffer_cut(buffer, len);
    if (cadre_buffer_reserve(buffer, w->outputs_len) != CADRE_OK)
        return CADRE_ENOMEM;
    memcpy(buffer->data + len, w->outputs, w->outputs_len);
    buffer->len = len + w->outputs_len;
    w->outputs = NULL;
    return CADRE_OK;
}

static void nap(uint64_t ns)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = (long)ns};

    nanosleep(&t, NULL);
}

/* Nothing to do but to wait: what was sent should have arrived; and what was
 * sent to this process, if it `has_looked` for it. */
static void tell_rest(struct worker *w, bool has_looked)
{
    struct cadre_traffic t = cadre_channel_traffic(w->channel, 0);
    struct cadre_rest rest = {
        .generation = w->generation, .sent = t.sent, .came = t.came};

    if (w->bells != NULL)
        cadre_board_rest(w->bells, w->bell, &rest, has_looked);
}

/* Large outputs leave from where they are, and rows to come need the place. (If
 * the controller ends, the sentinel ends the wait with the process.) */
static void await_outputs(struct worker *w)
{
    uint64_t start = cadre_now_ns();

    while (w->leaving.count > 0) {
        cadre_channel_push(w->channel);
        if (cadre_now_ns() - start > SLEEP_MS * MS)
            tell_rest(w, false);
        if (cadre_channel_is_pressed(w->channel))
            sched_yield();
        else
            nap(BUSY_NAP_US * US);
    }
}

/* Send the rows that have ended since the last time: `count` of them from
 * `first`. */
static cadre_err send_results(struct worker *w, struct known *k, uint64_t job,
                              uint64_t first, uint64_t elapsed_ns)
{
    struct cadre_buffer *buffer = cadre_channel_buffer(w->channel, 0);
    struct cadre_msg_results msg = {.job = job, .first = first};
    uint64_t count = cadre_rows_unflushed(k->rows);
    struct cadre_error error;
    size_t mark;
    cadre_err err;

    cadre_error_clear(&error);
    if ((err = cadre_results_begin(&msg, w->generation, buffer, &mark)) !=
        CADRE_OK)
        return err;
    if ((err = encode_failures(w, buffer, mark)) != CADRE_OK ||
        (err = cadre_results_outputs(buffer, mark)) != CADRE_OK ||
        (err = flush_outputs(w, k, buffer)) != CADRE_OK ||
        (err = cadre_results_end(buffer, mark, count, elapsed_ns)) !=
            CADRE_OK) {
        cadre_frame_abort(buffer, mark);
        return err;
    }
    forget_failures(w);
    if (__fpending(stdout) > 0)
        fflush(stdout);
    err = cadre_channel_flush(w->channel, &error);
    await_outputs(w);
    return err;
}

/* --- batches ---------------------------------------------------------------
 */

/* Can the team work, and the function be called? Else why not. */
static cadre_err check_row(const struct worker *w, const struct known *k,
                           const char **why)
{
    const struct cadre_workteam *t = w->task.team;

    if (t->err != CADRE_OK)
        *why = t->error.text;
    else if (k->call == NULL)
        *why = k->error.text;
    else
        return CADRE_OK;
    return t->err != CADRE_OK ? t->err : k->err;
}

/* --- a task that takes the process along ------------------------------------
 */

static void call_function(void *arg)
{
    struct known *k = arg;

    cadre_call_invoke(k->call, cadre_rows_args(k->rows),
                      cadre_rows_result(k->rows));
}

/* What has left MPI may still be in this process's sockets, and the system
 * throws it away if the process ends with something unread. */
static void linger(struct worker *w)
{
    uint64_t end = cadre_now_ns() + LINGER_MS * MS;
    struct cadre_message ignored;

    while (cadre_now_ns() < end) {
        cadre_channel_receive(w->channel, &ignored);
        nap(BUSY_NAP_US * US);
    }
}

/* A task may have used all memory that its limit allows. Then MPI has none to
 * send what is to be said, and UCX dies in the middle of it, which blocks the
 * shared memory for all (touch.h). So some is kept for it. */
static void take_reserve(struct worker *w)
{
    w->reserve = mmap(NULL, RESERVE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void give_reserve(struct worker *w)
{
    if (w->reserve != MAP_FAILED)
        munmap(w->reserve, RESERVE);
    w->reserve = MAP_FAILED;
}

/* The running task has ruined this process, whose heap and locks cannot be
 * trusted: say so, with what ended before it, and leave. If even that fails, an
 * alarm or another signal ends the process, and the controller is left with
 * what the board says. */
static _Noreturn void say_last_word(struct worker *w, cadre_err err,
                                    const char *text, int status)
{
    uint64_t end;

    give_reserve(w);
    signal(SIGALRM, SIG_DFL);
    alarm(LAST_WORD_S);
    if (note_failure(w, w->task.row, err, 0, text) == CADRE_OK &&
        cadre_rows_store(w->running->rows, true) == CADRE_OK)
        send_results(w, w->running, w->task.job, w->sent, 0);
    end = cadre_now_ns() + LAST_WORD_S * 1000 * MS;
    while (cadre_channel_is_busy(w->channel) && cadre_now_ns() < end) {
        cadre_channel_push(w->channel);
    }
    if (w->bells == NULL || !cadre_environment_has_memory())
        linger(w);
    fflush(stdout);
    _exit(status);
}

/* The lines of a backtrace that fit behind what happened. */
static void tell_crash(const struct cadre_crash *crash,
                       char text[CADRE_ERROR_TEXT_MAX])
{
    fprintf(stderr, "cadre: task ended by %s\n%s", crash->what,
            crash->backtrace);
    snprintf(text, CADRE_ERROR_TEXT_MAX, "%.100s; %.380s", crash->what,
             crash->backtrace);
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\n')
            *c = c[1] != '\0' ? ',' : '\0';
    }
}

static _Noreturn void die_of_crash(struct worker *w)
{
    char text[CADRE_ERROR_TEXT_MAX];

    tell_crash(&w->crash, text);
    say_last_word(w, CADRE_ECRASH, text, 1);
}

static void on_exit_in_task(int status, void *arg)
{
    struct worker *w = arg;
    char text[64];

    if (current_task == NULL)
        return;
    snprintf(text, sizeof text, "the task called exit(%d)", status);
    say_last_word(w, CADRE_EEXIT, text, status);
}

/* MPI is not to go on in this process, as something in it has said. In a thread
 * that a task has started nothing can be told. */
static _Noreturn void stop_mpi(cadre_err err, const char *text, int status)
{
    struct cadre_task *t = current_task;

    if (t != NULL && !t->worker->is_child && t->number > 0)
        say_last_word(t->worker, err, text, 1);
    fprintf(stderr, "cadre: %s\n", text);
    _exit(status != 0 ? status : 1);
}

/* MPI's own would end the other workers that were started with this one, which
 * have nothing to do with the task, and has been seen to take mpirun along. */
int MPI_Abort(MPI_Comm comm, int status)
{
    char text[64];

    if (!atomic_load(&is_at_work))
        return PMPI_Abort(comm, status);
    snprintf(text, sizeof text, "the task called MPI_Abort(%d)", status);
    stop_mpi(CADRE_EEXIT, text, status);
}

static void on_mpi_error(MPI_Comm *comm, int *code, ...)
{
    char reason[MPI_MAX_ERROR_STRING] = "", text[MPI_MAX_ERROR_STRING + 64];
    int len;

    (void)comm;
    MPI_Error_string(*code, reason, &len);
    snprintf(text, sizeof text, "MPI refuses what the task asks of it: %s",
             reason);
    stop_mpi(CADRE_EMPI, text, 1);
}

/* --- a task in a process of its own -----------------------------------------
 *
 *     fork:  invoke, store, flush  --> the outputs of the row, as they are sent
 *            or it has failed      --> its number and its words
 *
 * What it puts into a store stays in that process.
 */

enum { CHILD_DONE, CHILD_FAILED, CHILD_NO_MEMORY };

static int run_apart(void *arg, struct cadre_isolate_out *out)
{
    struct worker *w = arg;
    struct cadre_task *t = &w->task;
    struct cadre_buffer outputs = {0};

    w->is_child = true;
    cadre_rows_keep(w->running->rows, NULL); /* the outputs go by a pipe */
    call_function(w->running);
    if (t->has_failed)
        return cadre_isolate_put(out, &t->kind, sizeof t->kind) == CADRE_OK &&
                       cadre_isolate_put(out, t->text, strlen(t->text) + 1) ==
                           CADRE_OK
                   ? CHILD_FAILED
                   : CHILD_NO_MEMORY;
    if (cadre_rows_store(w->running->rows, false) != CADRE_OK ||
        cadre_rows_flush(w->running->rows, &outputs) != CADRE_OK ||
        cadre_isolate_put(out, outputs.data, outputs.len) != CADRE_OK)
        return CHILD_NO_MEMORY;
    return CHILD_DONE;
}

/* One that is cancelled has a while to return by itself. */
static bool is_to_end(void *arg)
{
    struct worker *w = arg;

    if (!cadre_worker_is_cancelled(&w->task))
        return false;
    if (w->cancelled_ns == 0)
        w->cancelled_ns = cadre_now_ns();
    return cadre_now_ns() - w->cancelled_ns > CANCEL_MS * MS;
}

static cadre_err run_isolated(struct worker *w,
                              struct cadre_isolate_result *result,
                              struct cadre_error *error)
{
    struct cadre_isolate_limits limits = {.memory = w->task.team->memory,
                                          .cpu_ms = w->task.team->cpu_ms,
                                          .is_cancelled = is_to_end,
                                          .cancel_arg = w};
    cadre_err err = CADRE_OK;

    w->cancelled_ns = 0;
    if (w->isolate == NULL)
        err = cadre_isolate_create(&w->isolate, error);
    return err == CADRE_OK ? cadre_isolate_run(w->isolate, run_apart, w,
                                               &limits, result, error)
                           : err;
}

/* How the call ended, where it did not end well. */
static cadre_err read_end(const struct cadre_isolate_result *r, int *kind,
                          char text[CADRE_ERROR_TEXT_MAX])
{
    snprintf(text, CADRE_ERROR_TEXT_MAX, "%s", r->text);
    switch (r->end) {
    case CADRE_ISOLATE_DONE:
        return CADRE_OK;
    case CADRE_ISOLATE_FAILED:
        if (r->value != CHILD_FAILED || r->len <= sizeof *kind)
            break;
        memcpy(kind, r->bytes, sizeof *kind);
        snprintf(text, CADRE_ERROR_TEXT_MAX, "%s",
                 (const char *)r->bytes + sizeof *kind);
        return CADRE_ETASK;
    case CADRE_ISOLATE_EXITED:
        return CADRE_EEXIT;
    case CADRE_ISOLATE_SIGNAL:
        if (r->has_crash)
            tell_crash(&r->crash, text);
        return CADRE_ECRASH;
    case CADRE_ISOLATE_MEMORY:
        return CADRE_ECRASH;
    case CADRE_ISOLATE_CPU:
    case CADRE_ISOLATE_DEADLINE:
        return CADRE_ETIMEOUT;
    case CADRE_ISOLATE_CANCELLED:
        return CADRE_ECANCELLED;
    }
    snprintf(text, CADRE_ERROR_TEXT_MAX, "out of memory for the result");
    return CADRE_ENOMEM;
}

/* Call the function in another process, and keep what it sends. */
static cadre_err call_apart(struct worker *w, uint64_t row, bool *has_failed)
{
    struct cadre_isolate_result result;
    struct cadre_error error = {""};
    int kind = 0;
    cadre_err err = run_isolated(w, &result, &error);

    if (err == CADRE_OK)
        err = read_end(&result, &kind, error.text);
    *has_failed = true; /* nothing is in the rows */
    if (err != CADRE_OK)
        return note_failure(w, row, err, kind, error.text);
    w->outputs = result.bytes;
    w->outputs_len = result.len;
    return CADRE_OK;
}

/* --- rows -------------------------------------------------------------------
 */

/* Call the function, all its arguments being there. */
static cadre_err call_row(struct worker *w, struct known *k, uint64_t row,
                          bool *has_failed)
{
    w->task.has_failed = false;
    w->task.row = row;
    w->running = k;
    if (w->task.team->isolates && !k->is_builtin)
        return call_apart(w, row, has_failed);
    if (!cadre_trap_run(call_function, k, &w->crash))
        die_of_crash(w);
    *has_failed = w->task.has_failed;
    return *has_failed
               ? note_failure(w, row, CADRE_ETASK, w->task.kind, w->task.text)
               : CADRE_OK;
}

static void tell_begun(struct worker *w)
{
    struct cadre_begun begun = {.batch = w->batches, .tasks = w->task.number};

    if (w->bells == NULL)
        return;
    if (begun.tasks == 1)
        begun.since_ns = w->begun_ns;
    cadre_board_begin(w->bells, w->bell, begun);
}

/* What the reader of stored values is filled from. */
static cadre_err show_stored(struct worker *w, const struct known *k,
                             struct cadre_error *error)
{
    void **args = cadre_rows_args(k->rows);
    int rank = *(const int *)args[0];
    const char *name = *(const char *const *)args[1];

    if (w->shown == NULL && (w->shown = cadre_store_new()) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    return cadre_stored_show(
        w->task.team->store->store, name != NULL ? name : "",
        rank < 0 || rank == w->task.team->rank, w->shown, error);
}

static cadre_err fill_row(struct worker *w, const struct known *k,
                          struct cadre_error *error)
{
    struct cadre_store *store = w->task.team->store->store;
    cadre_err err;

    if (!k->is_reader)
        return cadre_rows_fill(k->rows, store, error);
    err = show_stored(w, k, error);
    return err == CADRE_OK ? cadre_rows_fill(k->rows, w->shown, error) : err;
}

/* Run the task of the current row. */
static cadre_err run_row(struct worker *w, struct known *k, uint64_t row)
{
    struct cadre_error error;
    const char *why = error.text;
    bool has_failed = true;
    cadre_err err = check_row(w, k, &why);

    w->task.number++;
    tell_begun(w);
    if (err == CADRE_OK && w->task.number > 1 &&
        cadre_worker_is_cancelled(&w->task)) {
        err = CADRE_ECANCELLED;
        why = "cancelled before it ran";
    }
    if (err == CADRE_OK && k->has_fills)
        err = fill_row(w, k, &error);
    if (err == CADRE_OK) {
        err = call_row(w, k, row, &has_failed);
    } else {
        err = note_failure(w, row, err, 0, why);
    }
    if (err != CADRE_OK)
        return err;
    err = cadre_rows_store(k->rows, has_failed);
    if (k->is_reader && w->shown != NULL)
        cadre_store_empty(w->shown);
    if (err == CADRE_OK)
        return CADRE_OK;
    cadre_rows_store(k->rows, true);
    return note_failure(w, row, CADRE_ENOMEM, 0,
                        "out of memory for the result");
}

/* When to look at the clock next: rows are counted, because a look costs as
 * much as a small task. */
struct pace {
    uint64_t start_ns; /* of the rows not yet sent */
    uint64_t looked_ns;
    uint32_t rows; /* since the last look */
    uint32_t next; /* look after so many */
};

/* Rows that took long: is it time to send what is there? */
static bool is_time_to_send(struct pace *p)
{
    uint64_t now, spent;

    if (++p->rows < p->next)
        return false;
    now = cadre_now_ns();
    spent = now - p->looked_ns;
    if (spent < LOOK_US * US / 2 && p->next < LOOKS_MAX)
        p->next *= 2;
    else if (spent > LOOK_US * US * 2)
        p->next = p->next > 4 ? p->next / 4 : 1;
    p->looked_ns = now;
    p->rows = 0;
    return now - p->start_ns > FLUSH_MS * MS;
}

static cadre_err run_rows(struct worker *w, struct known *k,
                          const struct cadre_msg_batch *msg)
{
    uint64_t now = cadre_now_ns();
    struct pace pace = {.start_ns = now, .looked_ns = now, .next = 1};
    uint64_t row = msg->first, sent = msg->first;
    cadre_err err = CADRE_OK;

    current_task = &w->task;
    w->begun_ns = now;
    w->sent = sent;
    while (err == CADRE_OK && cadre_rows_next(k->rows)) {
        err = run_row(w, k, row++);
        if (err == CADRE_OK && row < msg->first + msg->count &&
            (is_time_to_send(&pace) || w->task.team->isolates)) {
            err = send_results(w, k, msg->job, sent,
                               pace.looked_ns - pace.start_ns);
            pace.start_ns = pace.looked_ns;
            w->sent = sent = row;
        }
    }
    current_task = NULL;
    if (err == CADRE_OK && sent < row)
        err =
            send_results(w, k, msg->job, sent, cadre_now_ns() - pace.start_ns);
    return err;
}

/* Parameters that the worker fills in itself. */
static void bind_specials(struct worker *w, struct known *k)
{
    for (int i = 0; k->has_specials && i < k->proto->nparams; i++) {
        if (k->proto->params[i].kind == CADRE_PARAM_COMM)
            cadre_rows_bind(k->rows, i, &w->task.team->comm);
        if (k->proto->params[i].kind == CADRE_PARAM_TASK)
            cadre_rows_bind(k->rows, i, &w->task_pointer);
    }
}

static void free_known(struct known *k)
{
    if (k == NULL)
        return;
    cadre_call_destroy(k->call);
    cadre_rows_destroy(k->rows);
    cadre_proto_destroy(k->proto);
    free(k);
}

/* The prototype must be understood; that the function is found need not be. */
static cadre_err learn(const struct cadre_msg_function *msg, struct known *k,
                       struct cadre_error *error)
{
    cadre_symbol_fn fn;
    cadre_err err;

    if (msg->expanded[0] != '\0')
        err = cadre_proto_parse_task(msg->written, msg->expanded, &k->proto,
                                     error);
    else
        err = cadre_proto_parse(msg->written, &k->proto, error);
    if (err == CADRE_OK)
        err = cadre_rows_create(k->proto, &k->rows);
    if (err != CADRE_OK)
        return err;
    for (int i = 0; i < k->proto->nparams; i++)
        k->has_specials |= !cadre_param_is_sent(&k->proto->params[i]);
    k->err = cadre_task_find(msg->library, msg->symbol, &fn, &k->error);
    k->is_reader =
        k->err == CADRE_OK && fn == (cadre_symbol_fn)cadre_stored_get_;
    k->is_builtin = k->is_reader || (k->err == CADRE_OK &&
                                     fn == (cadre_symbol_fn)cadre_stored_put_);
    if (k->err == CADRE_OK)
        k->err = cadre_call_create(k->proto, fn, &k->call, &k->error);
    return CADRE_OK;
}

static cadre_err on_function(struct worker *w, const struct cadre_frame *frame,
                             struct cadre_error *error)
{
    enum { FUNCTIONS_MAX = 1 << 20 };
    struct cadre_msg_function msg;
    struct known *k;
    cadre_err err;

    if ((err = cadre_function_decode(frame, &msg, error)) != CADRE_OK)
        return err;
    if (msg.id == 0 || msg.id > FUNCTIONS_MAX)
        return cadre_error_set(error, CADRE_EPROTO,
                               "a function has number %u: it can be 1 to %d",
                               (unsigned)msg.id, FUNCTIONS_MAX);
    if (msg.id < w->functions_max && w->functions[msg.id] != NULL)
        return cadre_error_set(error, CADRE_EPROTO, "function number %u twice",
                               (unsigned)msg.id);
    if (msg.id >= w->functions_max) {
        uint32_t max = msg.id * 2 + 16;
        struct known **grown = realloc(w->functions, max * sizeof *grown);

        if (grown == NULL)
            return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
        memset(grown + w->functions_max, 0,
               (max - w->functions_max) * sizeof *grown);
        w->functions = grown;
        w->functions_max = max;
    }
    if ((k = calloc(1, sizeof *k)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    k->worker = w;
    if ((err = learn(&msg, k, error)) != CADRE_OK) {
        free_known(k);
        return err;
    }
    w->functions[msg.id] = k;
    return CADRE_OK;
}

static struct known *find_known(const struct worker *w, uint32_t function)
{
    return function < w->functions_max ? w->functions[function] : NULL;
}

static cadre_err on_batch(struct worker *w, const struct cadre_frame *frame,
                          struct cadre_error *error)
{
    struct cadre_msg_batch msg;
    struct known *k;
    cadre_err err;

    if ((err = cadre_batch_decode(frame, &msg, error)) != CADRE_OK)
        return err;
    if ((k = find_known(w, msg.function)) == NULL ||
        (w->task.team = cadre_workteam_find(&w->teams, msg.team)) == NULL)
        return cadre_error_set(error, CADRE_EPROTO, "a batch of an unknown %s",
                               k == NULL ? "function" : "team");
    /* The next task may take this process along, but not what has ended. */
    cadre_channel_settle(w->channel, SETTLE_MS);
    w->batches++;
    w->task.job = msg.job;
    w->task.attempt = msg.attempt;
    w->task.number = 0;
    bind_specials(w, k);
    cadre_rows_keep(k->rows, &w->leaving);
    err = cadre_rows_load_with(k->rows, msg.count, (void *)(uintptr_t)msg.args,
                               msg.args_len, msg.bulks, error);
    k->has_fills = err == CADRE_OK && cadre_rows_has_fills(k->rows);
    if (err == CADRE_OK && (err = run_rows(w, k, &msg)) != CADRE_OK)
        cadre_error_set(error, err, "results: %s", cadre_strerror(err));
    return err;
}

/* --- teams ------------------------------------------------------------------
 */

static cadre_err send_ready(struct worker *w, uint32_t team, cadre_err err,
                            int kind, const char *text,
                            struct cadre_error *error)
{
    struct cadre_msg_ready msg = {
        .team = team, .err = (int32_t)err, .kind = kind, .text = text};

    if (cadre_ready_encode(&msg, w->generation,
                           cadre_channel_buffer(w->channel, 0)) != CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    return cadre_channel_flush(w->channel, error);
}

static cadre_err on_team(struct worker *w, const struct cadre_frame *frame,
                         struct cadre_error *error)
{
    struct cadre_workteam *team;
    struct cadre_msg_team msg;
    cadre_err err;

    if ((err = cadre_team_decode(frame, &msg, error)) != CADRE_OK)
        return err;
    if (msg.place_len > 0)
        err = cadre_workplace_take(&w->place, msg.place, msg.place_len, error);
    if (err != CADRE_OK ||
        (err = cadre_workteam_form(&w->teams, &msg, &team, error)) != CADRE_OK)
        return err;
    return team->err == CADRE_OK ? CADRE_OK
                                 : send_ready(w, team->number, team->err, 0,
                                              team->error.text, error);
}

static void call_init(void *arg)
{
    struct known *k = arg;
    struct worker *w = k->worker;

    current_task = &w->task;
    call_function(k);
    current_task = NULL;
}

/* An init function runs like a task without arguments of its own, once for a
 * store, whatever teams the worker is in. */
static cadre_err run_init(struct worker *w, struct known *k,
                          struct cadre_error *error)
{
    struct cadre_workteam *t = w->task.team;
    cadre_err err;

    if (k->call == NULL) {
        t->error = k->error;
        return t->err = k->err;
    }
    bind_specials(w, k);
    if ((err = cadre_rows_load_nothing(k->rows, 1, error)) != CADRE_OK)
        return err;
    w->task.has_failed = false;
    w->task.number = 0;
    if (!cadre_rows_next(k->rows))
        return CADRE_OK;
    if ((t->err = cadre_rows_fill(k->rows, t->store->store, &t->error)) !=
        CADRE_OK)
        return CADRE_OK;
    if (!cadre_trap_run(call_init, k, &w->crash))
        t->err = cadre_error_set(&t->error, CADRE_ECRASH,
                                 "the init function was ended by %.400s",
                                 w->crash.what);
    else if (w->task.has_failed)
        t->err =
            cadre_error_set(&t->error, CADRE_ETASK,
                            "the init function failed: %.400s", w->task.text);
    return CADRE_OK;
}

static cadre_err on_init(struct worker *w, const struct cadre_frame *frame,
                         struct cadre_error *error)
{
    struct cadre_msg_init msg;
    struct known *k;
    cadre_err err;

    if ((err = cadre_init_decode(frame, &msg, error)) != CADRE_OK)
        return err;
    if ((k = find_known(w, msg.function)) == NULL ||
        (w->task.team = cadre_workteam_find(&w->teams, msg.team)) == NULL)
        return cadre_error_set(error, CADRE_EPROTO, "an init of an unknown %s",
                               k == NULL ? "function" : "team");
    if (w->task.team->err == CADRE_OK && !w->task.team->store->is_filled) {
        if ((err = run_init(w, k, error)) != CADRE_OK)
            return err;
        w->task.team->store->is_filled = true;
        w->task.team->store->err = w->task.team->err;
        w->task.team->store->error = w->task.team->error;
    }
    return send_ready(w, msg.team, w->task.team->err, w->task.kind,
                      w->task.team->error.text, error);
}

static cadre_err on_store_put(struct worker *w, const struct cadre_frame *frame,
                              struct cadre_error *error)
{
    struct cadre_msg_store_put msg;
    struct cadre_workteam *team;
    struct cadre_kept kept;
    const char *name;
    cadre_err err;

    if ((err = cadre_store_put_decode(frame, &msg, error)) != CADRE_OK ||
        (err = cadre_kept_decode(msg.data, msg.len, &name, &kept, error)) !=
            CADRE_OK)
        return err;
    if ((team = cadre_workteam_find(&w->teams, msg.team)) == NULL)
        return cadre_error_set(error, CADRE_EPROTO,
                               "a value for an unknown team");
    return cadre_store_keep(team->store->store, name, &kept, error);
}

static void leave_object(struct worker *w, uint32_t number)
{
    cadre_workteams_close(&w->teams, number);
    cadre_workplace_leave(&w->place);
}

static cadre_err on_end(struct worker *w, const struct cadre_frame *frame,
                        struct cadre_error *error)
{
    struct cadre_msg_end msg;
    cadre_err err = cadre_end_decode(frame, &msg, error);

    if (err == CADRE_OK && frame->type == CADRE_FRAME_DISBAND)
        cadre_workteam_disband(&w->teams, msg.number);
    else if (err == CADRE_OK)
        leave_object(w, msg.number);
    return err;
}

/* --- the conversation ------------------------------------------------------
 */

/* What was sent wakes the controller. */
static void on_sent(void *user, int peer)
{
    struct worker *w = user;

    (void)peer;
    if (w->bells != NULL)
        cadre_bell_ring(w->bells, 0);
}

/* Who calls is watched over, or listened to, and can be rung where it is near.
 */
static void meet(struct worker *w, const struct cadre_msg_hello *hello)
{
    struct cadre_pulse_terms terms = {.beat_ms = hello->beat_ms,
                                      .silence_ms = hello->silence_ms};
    struct cadre_process self,
        other = {.pid_namespace = hello->pid_namespace, .pid = hello->pid};

    memcpy(other.host, hello->host, sizeof other.host);
    cadre_sentinel_start(&other, false);
    w->has_pulse =
        cadre_sentinel_listen(&other, w->channel, w->generation, &terms);
    cadre_process_self(&self);
    if (hello->bell_fd < 0 || hello->bell_base == 0 ||
        hello->bell_base >= CADRE_BELLS_MAX ||
        !cadre_process_is_near(&self, &other))
        return;
    if (cadre_bells_open(hello->pid, hello->bell_fd, &w->bells) == CADRE_OK)
        w->bell = hello->bell_base;
}

static cadre_err on_hello(struct worker *w, const struct cadre_frame *frame,
                          struct cadre_error *error)
{
    struct cadre_msg_welcome welcome = {.version = CADRE_VERSION};
    struct cadre_msg_hello hello;
    struct cadre_process self;
    cadre_err err;

    if ((err = cadre_hello_decode(frame, &hello, error)) != CADRE_OK)
        return err;
    if (w->is_greeted)
        return cadre_error_set(error, CADRE_EPROTO, "HELLO came twice");
    if (strcmp(hello.version, CADRE_VERSION) != 0)
        return cadre_error_set(error, CADRE_EVERSION,
                               "the controller is Cadre %s, the worker program "
                               "%s: link both with the same",
                               hello.version, CADRE_VERSION);
    w->generation = frame->generation;
    w->is_greeted = true;
    w->spin_ns = hello.spin_us * US;
    meet(w, &hello);
    cadre_process_self(&self);
    memcpy(welcome.host, self.host, sizeof welcome.host);
    welcome.pid = self.pid;
    welcome.pid_namespace = self.pid_namespace;
    welcome.has_bell = w->bells != NULL;
    welcome.has_pulse = w->has_pulse;
    err = cadre_welcome_encode(&welcome, w->generation,
                               cadre_channel_buffer(w->channel, 0));
    return err == CADRE_OK ? cadre_channel_flush(w->channel, error) : err;
}

static cadre_err on_frame(struct worker *w, const struct cadre_frame *frame,
                          struct cadre_error *error)
{
    if (frame->type != CADRE_FRAME_HELLO && frame->type != CADRE_FRAME_BYE &&
        !w->is_greeted)
        return cadre_error_set(error, CADRE_EPROTO, "no HELLO came first");
    switch (frame->type) {
    case CADRE_FRAME_HELLO:
        return on_hello(w, frame, error);
    case CADRE_FRAME_FUNCTION:
        return on_function(w, frame, error);
    case CADRE_FRAME_TEAM:
        return on_team(w, frame, error);
    case CADRE_FRAME_INIT:
        return on_init(w, frame, error);
    case CADRE_FRAME_BATCH:
        return on_batch(w, frame, error);
    case CADRE_FRAME_DISBAND:
    case CADRE_FRAME_CLOSE:
        return on_end(w, frame, error);
    case CADRE_FRAME_STORE_PUT:
        return on_store_put(w, frame, error);
    case CADRE_FRAME_LETTER:
        return cadre_error_set(error, CADRE_ESTATE,
                               "a message for a program that runs functions: "
                               "name one that takes messages "
                               "(cadre_socket_accept) as command");
    case CADRE_FRAME_BYE:
        w->is_dismissed = true;
        return CADRE_OK;
    case CADRE_FRAME_WELCOME:
    case CADRE_FRAME_REFUSE:
    case CADRE_FRAME_READY:
    case CADRE_FRAME_NEWS:
    case CADRE_FRAME_RESULTS:
    case CADRE_FRAME_PULSE: /* has a tag of its own */
        break;
    }
    return cadre_error_set(error, CADRE_EPROTO,
                           "a frame that only workers send");
}

/* Tell the controller, once, that this worker goes no further. What comes after
 * that is not looked at, but for BYE. */
static void refuse(struct worker *w, cadre_err err,
                   const struct cadre_error *error)
{
    struct cadre_msg_refuse msg = {.err = (int32_t)err, .text = error->text};

    if (w->refused != CADRE_OK)
        return;
    w->refused = err;
    *w->why = *error;
    cadre_log(CADRE_LOG_WARN, "%s", error->text);
    if (cadre_refuse_encode(&msg, w->generation,
                            cadre_channel_buffer(w->channel, 0)) == CADRE_OK)
        cadre_channel_flush(w->channel, NULL);
}

/* BYE may stand behind a frame that is refused. */
static void on_message(struct worker *w, const struct cadre_message *message)
{
    const unsigned char *at = message->data;
    size_t left = message->len;
    struct cadre_error error;
    struct cadre_frame frame;
    cadre_err err;

    cadre_error_clear(&error);
    while (left > 0 && !w->is_dismissed) {
        if ((err = cadre_frame_decode(at, left, &frame, &error)) != CADRE_OK) {
            refuse(w, err, &error);
            return;
        }
        frame.bulks = message->bulks;
        if ((w->refused == CADRE_OK || frame.type == CADRE_FRAME_BYE) &&
            (err = on_frame(w, &frame, &error)) != CADRE_OK)
            refuse(w, err, &error);
        at += frame.len;
        left -= frame.len;
    }
}

/* How this worker has waited since the last message. */
struct patience {
    unsigned empty;    /* polls that found nothing */
    uint64_t since_ns; /* the first of them */
    uint64_t now_ns;   /* when the clock was last looked at */
    bool is_crowded;   /* then, too */
};

/* Sleep at the bell. True if `*message` came just then. Who is rung polls again
 * for a while: MPI may deliver later than the bell rings. */
static bool sleep_at_bell(struct worker *w, struct patience *p,
                          struct cadre_message *message)
{
    uint32_t ticket = cadre_bell_prepare(w->bells, w->bell);
    bool has_come = false;

    /* MPI_Improbe may look first and only then take from the transport what has
     * arrived, so that one look finds nothing. */
    for (int i = 0; i < LOOKS && !has_come; i++)
        has_come = cadre_channel_receive(w->channel, message);
    if (!has_come && !cadre_channel_is_busy(w->channel)) {
        tell_rest(w, true);
        if (cadre_bell_sleep(w->bells, w->bell, ticket, SLEEP_MS * MS))
            p->empty = 0;
        else
            cadre_channel_trim(w->channel); /* it has nothing to do */
    }
    cadre_bell_awake(w->bells, w->bell);
    return has_come;
}

/* Nothing has come: poll on, or sleep. True if `*message` came meanwhile. */
static bool rest(struct worker *w, struct patience *p,
                 struct cadre_message *message)
{
    if (p->empty % 16 == 0) {
        p->now_ns = cadre_now_ns();
        p->is_crowded = w->bells != NULL && cadre_board_is_crowded(w->bells);
    }
    if (p->empty++ == 0)
        p->since_ns = p->now_ns;
    if (p->now_ns - p->since_ns > SLEEP_MS * MS && p->empty % 16 == 0)
        tell_rest(w, true);
    if (p->now_ns - p->since_ns < w->spin_ns) {
        if (p->empty > SPIN_FEW ||
            (p->is_crowded && p->empty % SPIN_CROWDED == 0))
            sched_yield();
    } else if (cadre_channel_is_pressed(w->channel)) {
        sched_yield();
    } else if (cadre_channel_is_busy(w->channel)) {
        nap(BUSY_NAP_US * US);
    } else if (w->bells == NULL) {
        if (p->now_ns - p->since_ns > SLEEP_MS * MS)
            cadre_channel_trim(w->channel);
        nap(POLL_MS * MS);
    } else {
        return sleep_at_bell(w, p, message);
    }
    return false;
}

/* The next message, however long it takes. (If the controller ends, the
 * sentinel ends the wait with the process.) CADRE_ENOMEM: there was no memory
 * for it. */
static cadre_err next_message(struct worker *w, struct cadre_message *message,
                              struct cadre_error *error)
{
    struct patience p = {0};

    while (!cadre_channel_receive(w->channel, message)) {
        if (cadre_channel_take_broken(w->channel, NULL) >= 0)
            return cadre_error_set(error, CADRE_ENOMEM,
                                   "no memory for a message from the "
                                   "controller, or it was damaged");
        if (rest(w, &p, message))
            break;
    }
    return CADRE_OK;
}

static void fini(struct worker *w)
{
    enum { LINGER_MS = 1000 };

    for (uint32_t i = 0; i < w->functions_max; i++)
        free_known(w->functions[i]);
    free(w->functions);
    forget_failures(w);
    free(w->failures);
    cadre_isolate_destroy(w->isolate);
    cadre_sentinel_deafen();
    cadre_channel_destroy(w->channel, LINGER_MS);
    cadre_bells_destroy(w->bells);
    cadre_store_free(w->shown);
    cadre_workteams_fini(&w->teams);
    cadre_workplace_fini(&w->place);
}

/* A task that crashes, or exits, is told about. */
static void guard(struct worker *w)
{
    struct cadre_error error = {""};

    if (cadre_trap_install(&error) != CADRE_OK)
        cadre_log(CADRE_LOG_WARN, "a task that crashes says nothing: %s",
                  error.text);
    cadre_trap_on_exit(on_exit_in_task, w);
}

cadre_err cadre_worker_run(MPI_Comm comm, MPI_Comm crew,
                           struct cadre_error *error)
{
    struct worker w = {0};
    struct cadre_message message;
    struct cadre_error trouble = {""};
    cadre_err err;

    w.spin_ns = MS;
    w.why = error;
    w.task_pointer = &w.task;
    w.task.worker = &w;
    MPI_Comm_rank(crew, &w.rank);
    if ((err = cadre_channel_create(comm, on_sent, &w, &w.channel, error)) !=
        CADRE_OK)
        return err;
    atomic_store(&is_at_work, true);
    take_reserve(&w);
    err = cadre_workteams_init(&w.teams, crew, on_mpi_error, &trouble);
    if (err == CADRE_OK)
        guard(&w);
    else
        refuse(&w, err, &trouble);
    while (!w.is_dismissed) {
        if ((err = next_message(&w, &message, &trouble)) == CADRE_OK)
            on_message(&w, &message);
        else
            refuse(&w, err, &trouble);
    }
    give_reserve(&w);
    fini(&w);
    atomic_store(&is_at_work, false);
    return w.refused;
}
