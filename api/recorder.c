/* recorder.c - a map's journal; see recorder.h. */
#include "recorder.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GATHER_MS = 5 }; /* outcomes that come within it share a transaction */

/* Rows that ended together. */
struct outcome {
    struct outcome *next;
    struct cadre_recording *of;
    uint64_t first, count; /* rows of the block */
    double ended;          /* seconds since 1970 */
    cadre_err err;
    int kind;
    char text[]; /* why they failed; "" */
};

struct cadre_recorder {
    struct cadre_engine *engine;
    struct cadre_journal *journal;
    bool retry_failed;
    pthread_t thread;
    bool has_thread;
    struct cadre_buffer buffer; /* the thread's own */
    /* Under the engine's lock: */
    pthread_cond_t more; /* something waits, or is_closing */
    struct outcome *waiting, **waiting_end;
    bool is_closing;
    cadre_err err;
    struct cadre_error error;
};

/* --- taking outcomes -------------------------------------------------------
 */

static double seconds_since_1970(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void set_error(struct cadre_recorder *r, cadre_err err,
                      const struct cadre_error *error)
{
    if (r->err != CADRE_OK)
        return;
    r->err = err;
    r->error = *error;
}

/* Let `model` with `text` wait for the thread. */
static void add(struct cadre_recorder *r, const struct outcome *model,
                const char *text)
{
    size_t len = strlen(text) + 1;
    struct outcome *o;

    if (r->err != CADRE_OK)
        return;
    if ((o = malloc(sizeof *o + len)) == NULL) {
        set_error(r, CADRE_ENOMEM,
                  &(struct cadre_error){"out of memory for the journal"});
        return;
    }
    *o = *model;
    o->ended = seconds_since_1970();
    memcpy(o->text, text, len);
    o->of->waiting++;
    if (r->waiting == NULL)
        pthread_cond_signal(&r->more);
    *r->waiting_end = o;
    r->waiting_end = &o->next;
}

void cadre_recorder_done(struct cadre_recorder *recorder,
                         struct cadre_recording *recording, uint64_t first,
                         uint64_t count)
{
    add(recorder,
        &(struct outcome){.of = recording, .first = first, .count = count}, "");
}

void cadre_recorder_failed(struct cadre_recorder *recorder,
                           struct cadre_recording *recording,
                           const struct cadre_fault *fault)
{
    add(recorder,
        &(struct outcome){.of = recording,
                          .first = fault->first,
                          .count = fault->count,
                          .err = fault->err,
                          .kind = fault->kind},
        fault->text);
}

/* --- writing ----------------------------------------------------------------
 */

/* Write all rows of `o`. `*is_open`: a transaction is; put() closes it if it
 * fails. */
static cadre_err put(struct cadre_recorder *r, const struct outcome *o,
                     bool *is_open, struct cadre_error *error)
{
    const struct cadre_recording *of = o->of;
    struct cadre_record record = {
        .err = o->err, .kind = o->kind, .text = o->text, .ended = o->ended};
    cadre_err err = CADRE_OK;

    for (uint64_t i = o->first; i < o->first + o->count; i++) {
        record.item = of->item0 + i;
        record.digest = of->digests[i];
        if (o->err == CADRE_OK)
            err = cadre_slice_pack(of->table, of->row0 + i, &r->buffer,
                                   &record.slice);
        if (err != CADRE_OK)
            return cadre_error_set(error, err, "out of memory for the journal");
        err = cadre_journal_put(r->journal, &record, error);
        *is_open = err == CADRE_OK;
        if (err != CADRE_OK)
            return err;
    }
    return CADRE_OK;
}

/* Write all of `list` in one transaction. */
static cadre_err write_list(struct cadre_recorder *r,
                            const struct outcome *list,
                            struct cadre_error *error)
{
    bool is_open = true;
    cadre_err err = cadre_journal_begin(r->journal, error);

    if (err != CADRE_OK)
        return err;
    for (const struct outcome *o = list; o != NULL && err == CADRE_OK;
         o = o->next)
        err = put(r, o, &is_open, error);
    if (!is_open)
        return err;
    /* What could be put before something else failed is well. */
    if (err == CADRE_OK)
        return cadre_journal_commit(r->journal, error);
    cadre_journal_commit(r->journal, NULL);
    return err;
}

/* The blocks of `list` need not wait for it any more. With the lock held. */
static void publish(struct cadre_recorder *r, struct outcome *list)
{
    for (struct outcome *next; list != NULL; list = next) {
        next = list->next;
        list->of->waiting--;
        free(list);
    }
    cadre_engine_wake(r->engine);
}

static void gather(void)
{
    nanosleep(&(struct timespec){.tv_nsec = GATHER_MS * 1000000L}, NULL);
}

static void *run(void *arg)
{
    struct cadre_recorder *r = arg;
    struct cadre_error error = {""};
    struct outcome *list;
    cadre_err err;

    cadre_engine_lock(r->engine);
    while (r->waiting != NULL || !r->is_closing) {
        if (r->waiting == NULL) {
            pthread_cond_wait(&r->more, &r->engine->lock);
            continue;
        }
        cadre_engine_unlock(r->engine);
        gather();
        cadre_engine_lock(r->engine);
        list = r->waiting;
        err = r->err;
        r->waiting = NULL;
        r->waiting_end = &r->waiting;
        cadre_engine_unlock(r->engine);
        if (err == CADRE_OK)
            err = write_list(r, list, &error);
        cadre_engine_lock(r->engine);
        if (err != CADRE_OK)
            set_error(r, err, &error);
        publish(r, list);
    }
    cadre_engine_unlock(r->engine);
    return NULL;
}

/* --- create and destroy ----------------------------------------------------
 */

/* Signals are for the caller's threads; SIGXFSZ, which a limit on the size of
 * files sends to the one that writes, becomes an error. */
static int start_thread(struct cadre_recorder *r)
{
    sigset_t all, before;
    int number;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    number = pthread_create(&r->thread, NULL, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

void cadre_recorder_destroy(struct cadre_recorder *recorder)
{
    if (recorder == NULL)
        return;
    if (recorder->has_thread) {
        cadre_engine_lock(recorder->engine);
        recorder->is_closing = true;
        pthread_cond_signal(&recorder->more);
        cadre_engine_unlock(recorder->engine);
        pthread_join(recorder->thread, NULL);
    }
    assert(recorder->waiting == NULL);
    cadre_journal_close(recorder->journal);
    cadre_buffer_fini(&recorder->buffer);
    pthread_cond_destroy(&recorder->more);
    free(recorder);
}

cadre_err cadre_recorder_create(struct cadre_engine *engine,
                                const struct cadre_map *map,
                                struct cadre_recorder **recorder,
                                struct cadre_error *error)
{
    const struct cadre_function *fn = map->fn;
    struct cadre_journal_function function = {.library = fn->library,
                                              .symbol = fn->symbol,
                                              .written = fn->written,
                                              .expanded = fn->expanded};
    struct cadre_recorder *r = calloc(1, sizeof *r);
    cadre_err err;
    int number;

    if (r == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    r->engine = engine;
    r->retry_failed = map->retry_failed;
    r->waiting_end = &r->waiting;
    pthread_cond_init(&r->more, NULL);
    if ((err = cadre_journal_open(map->journal, &function, &r->journal,
                                  error)) != CADRE_OK)
        goto fail;
    if ((number = start_thread(r)) != 0) {
        err = cadre_error_set(error, CADRE_EIO,
                              "journal %s: no thread can be started: %s",
                              map->journal, strerror(number));
        goto fail;
    }
    r->has_thread = true;
    *recorder = r;
    return CADRE_OK;

fail:
    cadre_recorder_destroy(r);
    return err;
}

uint64_t cadre_recorder_end(const struct cadre_recorder *recorder)
{
    return cadre_journal_end(recorder->journal);
}

const char *cadre_recorder_path(const struct cadre_recorder *recorder)
{
    return cadre_journal_path(recorder->journal);
}

cadre_err cadre_recorder_error(const struct cadre_recorder *recorder,
                               struct cadre_error *error)
{
    if (recorder->err != CADRE_OK)
        *error = recorder->error;
    return recorder->err;
}

/* --- recalling --------------------------------------------------------------
 */

cadre_err cadre_recorder_span(struct cadre_recorder *recorder, uint64_t first,
                              uint64_t *count, bool *is_recorded,
                              struct cadre_error *error)
{
    return cadre_journal_span(recorder->journal, first, recorder->retry_failed,
                              count, is_recorded, error);
}

/* What the records of one block are compared with, and where they go. */
struct recall {
    struct cadre_recorder *recorder;
    struct cadre_recording *of;
    void (*on_failed)(void *user, const struct cadre_fault *fault);
    void *user;
    uint64_t taken; /* records that stand for a run */
};

/* One row of the block has the outcome `record`. */
static cadre_err restore(struct recall *r, const struct cadre_record *record,
                         struct cadre_error *error)
{
    uint64_t row = record->item - r->of->item0;
    cadre_err err;

    r->taken++;
    if (record->err != CADRE_OK) {
        r->on_failed(r->user, &(struct cadre_fault){.first = row,
                                                    .count = 1,
                                                    .err = record->err,
                                                    .kind = record->kind,
                                                    .rank = -1,
                                                    .host = "",
                                                    .text = record->text});
        return CADRE_OK;
    }
    err = cadre_outputs_unpack(r->of->table, r->of->row0 + row, 1,
                               record->slice.outputs, record->slice.len, error);
    if (err != CADRE_OK)
        cadre_error_prefix(error, err,
                           "journal %s, the outputs of item %" PRIu64 ": ",
                           cadre_recorder_path(r->recorder), record->item);
    return err;
}

static cadre_err take_record(void *user, const struct cadre_record *record,
                             struct cadre_error *error)
{
    struct recall *r = user;
    const struct cadre_digest *now =
        &r->of->digests[record->item - r->of->item0];

    if (memcmp(now->bytes, record->digest.bytes, sizeof now->bytes) != 0)
        return cadre_error_set(
            error, CADRE_EINVAL,
            "item %" PRIu64 " has other arguments than in the journal %s: it "
            "is of another input; name another journal, or give the same input",
            record->item, cadre_recorder_path(r->recorder));
    if (record->err != CADRE_OK && r->recorder->retry_failed)
        return CADRE_OK;
    return restore(r, record, error);
}

cadre_err
cadre_recorder_recall(struct cadre_recorder *recorder,
                      struct cadre_recording *recording,
                      void (*on_failed)(void *user, const struct cadre_fault *),
                      void *user, bool *is_recorded, struct cadre_error *error)
{
    struct recall r = {.recorder = recorder,
                       .of = recording,
                       .on_failed = on_failed,
                       .user = user};
    uint64_t n = recording->count;
    cadre_err err = CADRE_ENOMEM;

    recording->digests = calloc(n, sizeof *recording->digests);
    if (recording->digests != NULL)
        err = cadre_digest_rows(recording->table, recording->row0, n,
                                recording->digests);
    if (err != CADRE_OK)
        return cadre_error_set(error, err, "out of memory");
    err = cadre_journal_read(recorder->journal, recording->item0, n,
                             take_record, &r, error);
    *is_recorded = r.taken == n;
    assert(err != CADRE_OK || r.taken == 0 || r.taken == n);
    return err;
}

void cadre_recording_fini(struct cadre_recording *recording)
{
    free(recording->digests);
    *recording = (struct cadre_recording){0};
}
