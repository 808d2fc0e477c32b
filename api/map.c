/* map.c - runs one function over many items.
 *
 * The items travel as blocks; a block is a job of the farm over some rows of a
 * table. Three ways lead to blocks:
 *
 *     arrays in, arrays out          one block over the caller's own memory
 *     arrays in, callback            several blocks over one table
 *     iterator in, callback          a table for each block, made as workers
 *                                    need more
 *
 * Blocks wait in a list in the order of their items. The thread that called
 * makes new ones, hands finished ones to the callback (the first in the list,
 * or any if order does not matter), and otherwise waits, which is to say
 * drives.
 *
 * With a journal, a block's items are all in it or none: if they are, it is
 * finished from the start; if not, it is handed over when they are.
 */
#include "recorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BLOCK_ROWS = 4096,     /* at most in a block that is handed over */
    BLOCK_BYTES = 1 << 20, /* an iterator's block is sent when it is so full */
    BLOCK_FILL_MS = 2,     /* or when its first row has waited so long */
    WINDOW_ROWS = 400000,  /* of an iterator, pulled and not handed over */
    WINDOW_BYTES = 16 << 20, /* likewise */
    AHEAD_MS = 100,          /* pull as much as workers do in so long */
    ROWS_PER_WORKER = 4,     /* or at least so many for each */
    DRY_MS = 1,       /* ask an iterator that had nothing again so soon */
    DRY_MAX_MS = 16,  /* later each time, up to so late */
    END_MS = 50,      /* between looks whether something is to end */
    FAULTS_MAX = 4096 /* texts kept of one block */
};

static const uint64_t MS = 1000000;

/* A task that failed. */
struct fault {
    struct fault *next;    /* in ascending order of arrival */
    uint64_t first, count; /* rows in the table */
    cadre_err err;
    int kind;
    char text[];
};

struct run;

struct block {
    struct cadre_job job; /* first: the farm knows only this */
    struct block *next;
    struct run *run;
    struct cadre_table *table;
    struct cadre_feed_memory *memory; /* of an iterator's block; owned */
    uint64_t row0;                    /* the block's first row in the table */
    uint64_t index0;                  /* and the item it is */
    uint64_t count;
    size_t bytes;
    bool is_done;
    bool is_spoilt; /* outputs of it could not be taken */
    struct fault *faults;
    size_t nfaults;
    struct cadre_recording recording; /* with a journal */
};

struct run {
    struct cadre_farm *farm;
    struct cadre_engine *engine;
    const struct cadre_map *map;
    struct cadre_recorder *recorder; /* NULL: no journal */
    bool has_lost_journal;           /* and the run was stopped for it */
    struct block *blocks; /* not handed over yet, in the order of their items */
    struct block **blocks_end;
    struct cadre_keeper keeper; /* of the caller's arrays */
    uint64_t nblocks;
    uint64_t pulled;    /* items in blocks so far */
    uint64_t open_rows; /* items in the list */
    size_t open_bytes;
    uint64_t ended; /* items that have ended */
    uint64_t nfailed;
    uint64_t start_ns;
    uint64_t more_below; /* wake when fewer tasks wait; 0: never */
    uint64_t dry_ns;     /* the iterator had nothing: ask again after so long */
    bool has_stopped;    /* the callback said so, or an input was wrong */
    cadre_err limit;     /* CADRE_ETIMEOUT: its time is up; CADRE_ETASK: too
                            many items have failed; CADRE_ECANCELLED: it was
                            asked to stop; CADRE_OK: none of them */
    uint64_t end_ns;     /* when its time is up; UINT64_MAX: never */
    uint64_t nlate;      /* items that had not ended by then, or had not run
                            when it was asked to stop */
    bool is_cut;         /* there may be items that were not taken */
    cadre_err err;       /* what the map will say */
    uint64_t err_index;  /* of the first failed item */
    struct cadre_error error;
};

/* --- a block as the farm sees it --------------------------------------------
 */

static struct block *block_of(struct cadre_job *job)
{
    return (struct block *)job;
}

static cadre_err pack(struct cadre_job *job, uint64_t first, uint64_t count,
                      struct cadre_buffer *buffer)
{
    const struct block *b = block_of(job);

    return cadre_args_pack(b->table, b->row0 + first, count, buffer);
}

static cadre_err unpack(struct cadre_job *job, int rank, uint64_t first,
                        uint64_t count, const void *outputs, size_t len,
                        struct cadre_bulks *bulks, struct cadre_error *error)
{
    struct block *b = block_of(job);
    cadre_err err;

    if (rank != 0)
        return CADRE_OK;

    b->run->ended += count;
    err = cadre_outputs_unpack_with(b->table, b->row0 + first, count, outputs,
                                    len, bulks, error);
    b->is_spoilt |= err != CADRE_OK;
    return err;
}

static void place(struct cadre_job *job, uint64_t first, uint64_t count,
                  const void *outputs, size_t len, struct cadre_bulks *bulks)
{
    const struct block *b = block_of(job);

    cadre_outputs_place(b->table, b->row0 + first, count, outputs, len, bulks);
}

static void on_ended(struct cadre_job *job, uint64_t first, uint64_t count)
{
    struct block *b = block_of(job);

    if (b->run->recorder != NULL && !b->is_spoilt)
        cadre_recorder_done(b->run->recorder, &b->recording, first, count);
}

/* Remember the fault for the callback. */
static void keep_fault(struct block *b, const struct cadre_fault *fault)
{
    size_t len = b->nfaults < FAULTS_MAX ? strlen(fault->text) : 0;
    struct fault *f = malloc(sizeof *f + len + 1);

    if (f == NULL)
        return;
    *f = (struct fault){.next = b->faults,
                        .first = b->row0 + fault->first,
                        .count = fault->count,
                        .err = fault->err,
                        .kind = fault->kind};
    memcpy(f->text, fault->text, len);
    f->text[len] = '\0';
    b->faults = f;
    b->nfaults++;
}

/* Does an item count that failed like this? Not one that did not run because
 * the run was being ended. */
static bool is_failure(const struct run *r, const struct cadre_fault *fault)
{
    return fault->err != CADRE_ECANCELLED ||
           !(r->has_stopped || r->limit == CADRE_ETASK ||
             r->limit == CADRE_ECANCELLED);
}

static void note_fault(struct block *b, const struct cadre_fault *fault)
{
    struct run *r = b->run;
    uint64_t index = b->index0 + fault->first;

    if (is_failure(r, fault)) {
        if (r->err == CADRE_OK || index < r->err_index) {
            r->err = fault->err;
            r->err_index = index;
            cadre_error_set(&r->error, fault->err, "item %" PRIu64 ": %.440s",
                            index, fault->text);
        }
        r->nfailed += fault->count;
    } else if (r->limit == CADRE_ECANCELLED) {
        r->nlate += fault->count;
    }
    for (uint64_t i = 0; r->map->errors != NULL && i < fault->count; i++)
        r->map->errors[index + i] = fault->err;
    if (r->map->on_item != NULL)
        keep_fault(b, fault);
}

/* Was the item ended, or kept from running, because the map's time is up? */
static bool is_late(const struct run *r, const struct cadre_fault *fault)
{
    return r->limit == CADRE_ETIMEOUT &&
           (fault->err == CADRE_ETIMEOUT || fault->err == CADRE_ECANCELLED ||
            fault->err == CADRE_ELOST);
}

static void note_late(struct block *b, const struct cadre_fault *fault)
{
    struct cadre_fault late = *fault;
    char text[80];

    snprintf(text, sizeof text, "the map has not ended within %g s",
             b->run->map->timeout_s);
    late.err = CADRE_ETIMEOUT;
    late.kind = 0;
    late.text = text;
    b->run->nlate += fault->count;
    note_fault(b, &late);
}

/* What was cancelled or ran nowhere need not be in the journal; and workers
 * that die while the run is being ended say nothing of their items. */
static void on_failed(struct cadre_job *job, const struct cadre_fault *fault)
{
    struct block *b = block_of(job);
    struct run *r = b->run;

    if (is_late(r, fault)) {
        note_late(b, fault);
        return;
    }
    note_fault(b, fault);
    if (r->recorder == NULL || fault->host[0] == '\0' ||
        fault->err == CADRE_ECANCELLED ||
        (fault->err == CADRE_ELOST && r->has_stopped))
        return;
    cadre_recorder_failed(r->recorder, &b->recording, fault);
}

static uint64_t deadline_of(struct cadre_job *job)
{
    return cadre_ns_of(block_of(job)->run->map->task_timeout_s);
}

static void on_done(struct cadre_job *job)
{
    block_of(job)->is_done = true;
}

static const struct cadre_job_ops block_ops = {.pack = pack,
                                               .unpack = unpack,
                                               .place = place,
                                               .ended = on_ended,
                                               .failed = on_failed,
                                               .deadline = deadline_of,
                                               .done = on_done};

static void free_block(struct block *b)
{
    for (struct fault *f = b->faults, *next; f != NULL; f = next) {
        next = f->next;
        free(f);
    }
    cadre_feed_release(b->memory);
    cadre_recording_fini(&b->recording);
    free(b);
}

static void stop(struct run *r, cadre_err err, bool overrides,
                 const struct cadre_error *error);

static void on_recorded_fault(void *user, const struct cadre_fault *fault)
{
    struct block *b = user;

    cadre_engine_lock(b->run->engine);
    note_fault(b, fault);
    cadre_engine_unlock(b->run->engine);
}

/* Take what the journal has of `b`. If that cannot be, the run ends. */
static cadre_err recall(struct run *r, struct block *b,
                        struct cadre_error *error)
{
    cadre_err err;

    if (r->recorder == NULL)
        return CADRE_OK;
    b->recording = (struct cadre_recording){.table = b->table,
                                            .row0 = b->row0,
                                            .item0 = b->index0,
                                            .count = b->count};
    err = cadre_recorder_recall(r->recorder, &b->recording, on_recorded_fault,
                                b, &b->is_done, error);
    if (err != CADRE_OK)
        stop(r, err, true, error);
    return err;
}

static cadre_err send(struct run *r, struct block *b, struct cadre_error *error)
{
    const uint64_t *totals =
        b->table->row_bytes != NULL ? b->table->row_bytes + b->row0 : NULL;
    struct cadre_submission how = {
        .count = b->count,
        .chunk = r->map->chunk_size,
        .bytes_per_task = b->table->bytes_per_row,
        .bytes = totals,
        .retries = (uint32_t)r->map->retries,
        .retry_on = cadre_retry_errors(r->map->retry_on),
        .retry_wait_ns = cadre_ns_of(r->map->retry_wait_s),
        .deadline_ns = cadre_ns_of(r->map->task_timeout_s)};
    cadre_err err;

    cadre_engine_lock(r->engine);
    err = cadre_farm_submit(r->farm, &b->job, &how, error);
    cadre_engine_unlock(r->engine);
    return err;
}

/* Queue rows [row0, row0 + count) of `table`. Takes `memory` if it succeeds. */
static cadre_err submit(struct run *r, struct cadre_table *table, uint64_t row0,
                        uint64_t count, struct cadre_feed_memory *memory,
                        size_t bytes, struct cadre_error *error)
{
    struct block *b = calloc(1, sizeof *b);
    cadre_err err;

    if (b == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    *b = (struct block){.job = {.ops = &block_ops, .function = r->map->fn},
                        .run = r,
                        .table = table,
                        .row0 = row0,
                        .index0 = r->pulled,
                        .count = count,
                        .bytes = bytes};
    err = recall(r, b, error);
    if (err == CADRE_OK && !b->is_done)
        err = send(r, b, error);
    if (err != CADRE_OK) {
        free_block(b);
        return err;
    }
    b->memory = memory;
    *r->blocks_end = b;
    r->blocks_end = &b->next;
    r->nblocks++;
    r->pulled += count;
    r->open_rows += count;
    r->open_bytes += bytes;
    return CADRE_OK;
}

/* --- handing over -----------------------------------------------------------
 */

static const struct fault *fault_of(const struct block *b, uint64_t row)
{
    for (const struct fault *f = b->faults; f != NULL; f = f->next) {
        if (row >= f->first && row - f->first < f->count)
            return f;
    }
    return NULL;
}

/* The outputs of `row`, as the callback sees them. */
static void show_outputs(const struct cadre_table *t, uint64_t row,
                         struct cadre_item_output *outputs, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        const struct cadre_view *v = &t->outputs[k];
        int p = cadre_proto_output_param(t->proto, (int)k);
        cadre_type type = p < 0 ? t->proto->result : t->proto->params[p].type;
        const struct cadre_struct *of =
            p < 0 ? t->proto->result_of : t->proto->params[p].of;
        uint64_t start = cadre_output_start(t, (int)k, row);

        outputs[k] = (struct cadre_item_output){
            .type = type,
            .of = of,
            .count = cadre_output_length(t, (int)k, row)};
        if (v->form == CADRE_FORM_ABSENT) { /* it was not wanted */
            outputs[k].count = 0;
            continue;
        }
        if (v->form == CADRE_FORM_POINTERS)
            outputs[k].data = ((void *const *)v->data)[row];
        else
            outputs[k].data = (const unsigned char *)v->data +
                              start * cadre_output_size(t->proto, (int)k);
    }
}

static bool hand_over_row(struct run *r, const struct block *b, uint64_t i)
{
    struct cadre_item_output outputs[CADRE_PARAMS_MAX + 1];
    uint64_t row = b->row0 + i;
    const struct fault *f = b->nfaults > 0 ? fault_of(b, row) : NULL;
    struct cadre_item item = {
        .index = b->index0 + i, .text = "", .outputs = outputs};

    if (f != NULL) {
        item.err = f->err;
        item.kind = f->kind;
        item.text = f->text;
    } else {
        item.noutputs = (size_t)cadre_proto_noutputs(b->table->proto);
        show_outputs(b->table, row, outputs, item.noutputs);
    }
    return r->map->on_item(r->map->user, &item);
}

static void cancel_all(struct run *r)
{
    cadre_engine_lock(r->engine);
    for (struct block *b = r->blocks; b != NULL; b = b->next) {
        if (!b->is_done)
            cadre_farm_cancel(r->farm, &b->job);
    }
    cadre_engine_unlock(r->engine);
}

/* End the run with `err`, unless an item's failure came first; `overrides`: in
 * any case. Other threads may be noting failures at the same time. */
static void stop(struct run *r, cadre_err err, bool overrides,
                 const struct cadre_error *error)
{
    cadre_engine_lock(r->engine);
    r->has_stopped = true;
    if (r->err == CADRE_OK || overrides) {
        r->err = err;
        r->error = *error;
    }
    cadre_engine_unlock(r->engine);
    cancel_all(r);
}

/* The callback does not want any more. */
static void stop_by_callback(struct run *r, uint64_t index)
{
    struct cadre_error error;

    cadre_error_set(&error, CADRE_ECANCELLED,
                    "stopped by the callback at item %" PRIu64, index);
    stop(r, CADRE_ECANCELLED, false, &error);
}

/* Take a finished block off the list, tell the callback, free it. */
static void hand_over(struct run *r, struct block **at)
{
    struct block *b = *at;

    *at = b->next;
    if (r->blocks_end == &b->next)
        r->blocks_end = at;
    r->nblocks--;
    r->open_rows -= b->count;
    r->open_bytes -= b->bytes;
    for (uint64_t i = 0;
         r->map->on_item != NULL && !r->has_stopped && i < b->count; i++) {
        if (!hand_over_row(r, b, i))
            stop_by_callback(r, b->index0 + i);
    }
    free_block(b);
}

/* Has `b` ended, and does the journal know? (under the lock) */
static bool is_finished(const struct block *b)
{
    return b->is_done && b->recording.waiting == 0;
}

/* Why the journal failed, if the run does not know yet. (under the lock) */
static cadre_err new_journal_error(const struct run *r,
                                   struct cadre_error *error)
{
    if (r->recorder == NULL || r->has_lost_journal)
        return CADRE_OK;
    return cadre_recorder_error(r->recorder, error);
}

/* What the journal cannot take is not handed over. */
static void check_journal(struct run *r)
{
    struct cadre_error error;
    cadre_err err;

    cadre_engine_lock(r->engine);
    err = new_journal_error(r, &error);
    cadre_engine_unlock(r->engine);
    if (err == CADRE_OK)
        return;
    r->has_lost_journal = true;
    stop(r, err, true, &error);
}

/* --- limits ------------------------------------------------------------------
 */

/* What was sent is to end. Again and again: what a lost team had not begun may
 * have been sent once more. */
static void end_running(struct run *r)
{
    cadre_engine_lock(r->engine);
    for (struct block *b = r->blocks; b != NULL; b = b->next) {
        if (!b->is_done)
            cadre_farm_stop(r->farm, &b->job, CADRE_ETIMEOUT,
                            "the map has taken too long");
    }
    cadre_engine_unlock(r->engine);
}

/* Have too many failed? (under the lock) */
static bool has_too_many(const struct run *r)
{
    return r->map->max_failures > 0 && r->limit == CADRE_OK &&
           r->nfailed >= r->map->max_failures;
}

static bool is_told_to_stop(const struct run *r)
{
    return r->map->stop != NULL && *r->map->stop != 0;
}

static void check_limits(struct run *r)
{
    bool is_late = r->end_ns != UINT64_MAX && cadre_now_ns() >= r->end_ns;
    cadre_err limit = CADRE_OK;

    cadre_engine_lock(r->engine);
    if (r->limit == CADRE_OK && is_late)
        limit = CADRE_ETIMEOUT;
    else if (r->limit == CADRE_OK && is_told_to_stop(r))
        limit = CADRE_ECANCELLED;
    else if (has_too_many(r))
        limit = CADRE_ETASK;
    if (limit != CADRE_OK)
        r->limit = limit;
    cadre_engine_unlock(r->engine);
    if (limit != CADRE_OK)
        cancel_all(r);
    if (is_late)
        end_running(r);
}

/* --- what has finished -------------------------------------------------------
 */

/* Hand over what is finished; true if anything was. */
static bool hand_over_finished(struct run *r)
{
    struct block **at = &r->blocks;
    bool any = false;

    check_limits(r);
    while (*at != NULL) {
        bool is_ready;

        cadre_engine_lock(r->engine);
        is_ready = is_finished(*at);
        cadre_engine_unlock(r->engine);
        if (r->recorder != NULL)
            check_journal(r);
        if (is_ready) {
            hand_over(r, at);
            any = true;
        } else if (r->map->unordered || r->has_stopped) {
            at = &(*at)->next;
        } else {
            break;
        }
    }
    return any;
}

/* Is there something for the calling thread to do? (under the lock) */
static bool has_news(void *arg)
{
    const struct run *r = arg;
    struct cadre_error ignored;

    if (new_journal_error(r, &ignored) != CADRE_OK || has_too_many(r))
        return true;
    if (r->more_below > 0 && cadre_farm_waiting(r->farm) < r->more_below)
        return true;
    for (const struct block *b = r->blocks; b != NULL; b = b->next) {
        if (is_finished(b))
            return true;
        if (!r->map->unordered && !r->has_stopped)
            break;
    }
    return r->blocks == NULL && r->dry_ns == 0;
}

static void wait_for_news(struct run *r)
{
    uint64_t now = cadre_now_ns(), deadline_ns = r->end_ns;

    if (deadline_ns <= now || r->map->stop != NULL)
        deadline_ns = now + END_MS * MS;
    if (r->dry_ns > 0 && now + r->dry_ns < deadline_ns)
        deadline_ns = now + r->dry_ns;
    cadre_engine_lock(r->engine);
    cadre_engine_wait(r->engine, has_news, r, deadline_ns);
    cadre_engine_unlock(r->engine);
}

/* --- arrays ------------------------------------------------------------------
 */

static cadre_err submit_table(struct run *r, struct cadre_table *t,
                              struct cadre_error *error)
{
    bool has_blocks = r->map->on_item != NULL || r->recorder != NULL;
    uint64_t most = has_blocks ? BLOCK_ROWS : t->count, size;
    cadre_err err = CADRE_OK;

    for (uint64_t row = 0; row < t->count && err == CADRE_OK; row += size) {
        uint64_t left = t->count - row;
        bool is_recorded;

        size = left < most ? left : most;
        if (r->recorder != NULL)
            err = cadre_recorder_span(r->recorder, row, &size, &is_recorded,
                                      error);
        if (err == CADRE_OK)
            err = submit(r, t, row, size, NULL, 0, error);
    }
    return err;
}

static cadre_err prepare_table(const struct cadre_map *map, bool has_store,
                               struct cadre_table *t, void **room,
                               struct cadre_error *error)
{
    cadre_err err;

    t->count = map->count;
    t->has_store = has_store;
    if ((err = cadre_columns_view(t, &map->columns, !has_store, error)) !=
            CADRE_OK ||
        (err = cadre_outputs_view(t, &map->into, error)) != CADRE_OK ||
        (err = cadre_table_measure(t, error)) != CADRE_OK ||
        (err = cadre_columns_check_sizes(t, &map->columns, error)) !=
            CADRE_OK ||
        (err = cadre_outputs_check_sizes(t, &map->into, error)) != CADRE_OK)
        return err;
    /* A journal keeps also what is not wanted this time. */
    if ((map->on_item != NULL && map->into.count == 0) || map->journal != NULL)
        err = cadre_table_own_outputs(t, room);
    if (err != CADRE_OK)
        return cadre_error_set(error, err, "out of memory");
    return CADRE_OK;
}

static bool is_free(void *arg)
{
    return ((const struct cadre_keeper *)arg)->count == 0;
}

/* Nothing large is on its way from or to the caller's arrays any more. */
static void await_keeper(struct run *r)
{
    cadre_engine_lock(r->engine);
    cadre_engine_wait(r->engine, is_free, &r->keeper, UINT64_MAX);
    cadre_engine_unlock(r->engine);
}

static cadre_err run_arrays(struct run *r, struct cadre_error *error)
{
    struct cadre_table *t = cadre_table_new(r->map->fn->proto);
    void *room = NULL;
    cadre_err err;

    if (t == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    err = prepare_table(r->map, cadre_farm_has_store(r->farm), t, &room, error);
    if (r->recorder == NULL) /* which needs the bytes of each item */
        t->keeper = &r->keeper;
    for (uint64_t i = 0;
         err == CADRE_OK && r->map->errors != NULL && i < t->count; i++)
        r->map->errors[i] = CADRE_OK;
    if (err == CADRE_OK && t->count > 0 &&
        (err = submit_table(r, t, error)) != CADRE_OK)
        cancel_all(r);
    while (r->blocks != NULL) {
        if (!hand_over_finished(r))
            wait_for_news(r);
    }
    if (r->keeper.count > 0)
        await_keeper(r);
    if (room != NULL && r->map->into.count == 0)
        cadre_table_free_strings(t);
    cadre_table_free(t);
    free(room);
    return err;
}

/* --- an iterator -------------------------------------------------------------
 */

/* How many tasks should wait for the workers: what they do in AHEAD_MS. */
static uint64_t wanted_rows(struct run *r)
{
    uint64_t least = (uint64_t)cadre_farm_teams(r->farm) * ROWS_PER_WORKER + 1;
    uint64_t elapsed = cadre_now_ns() - r->start_ns + 1;
    double wanted =
        (double)r->ended * (double)(AHEAD_MS * MS) / (double)elapsed;

    if (wanted < (double)least)
        return least;
    return wanted < WINDOW_ROWS ? (uint64_t)wanted : WINDOW_ROWS;
}

static uint64_t coarse_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The iterator has nothing yet, again and again if `since_long`. */
static void note_dry(struct run *r, bool since_long)
{
    uint64_t longer = 2 * r->dry_ns;

    if (r->dry_ns == 0 || !since_long)
        r->dry_ns = DRY_MS * MS;
    else
        r->dry_ns = longer < DRY_MAX_MS * MS ? longer : DRY_MAX_MS * MS;
}

/* Pull up to `rows` items; fewer if they are slow to come, or large. False:
 * there are no more, or one was wrong. */
static bool fill(struct run *r, struct cadre_row *row, uint64_t rows)
{
    uint64_t since = coarse_ns();
    struct cadre_error ignored;
    bool is_dry = false;

    while (!is_dry && cadre_feed_rows(row) < rows &&
           cadre_feed_bytes(row) < BLOCK_BYTES) {
        uint64_t before = cadre_feed_rows(row);

        if (!r->map->next(r->map->user, row) ||
            cadre_feed_error(row, &ignored) != CADRE_OK)
            return false;
        is_dry = cadre_feed_rows(row) == before;
        if (coarse_ns() - since > BLOCK_FILL_MS * MS)
            break;
    }
    if (is_dry)
        note_dry(r, cadre_feed_rows(row) == 0);
    else
        r->dry_ns = 0;
    return true;
}

/* Send what the iterator has given. */
static cadre_err submit_filled(struct run *r, struct cadre_row *row,
                               struct cadre_error *error)
{
    struct cadre_feed_memory *memory;
    struct cadre_table *table;
    size_t bytes = cadre_feed_bytes(row);
    cadre_err err;

    if (cadre_feed_rows(row) == 0)
        return CADRE_OK;
    if ((err = cadre_feed_take(row, &table, &memory, error)) != CADRE_OK)
        return err;
    err = submit(r, table, 0, table->count, memory, bytes, error);
    if (err != CADRE_OK)
        cadre_feed_release(memory);
    return err;
}

/* Let the next block, of up to `*size` rows, be all in the journal or not at
 * all. One that is costs the workers nothing: it may be large. */
static cadre_err size_by_journal(struct run *r, uint64_t *size,
                                 struct cadre_error *error)
{
    uint64_t count = BLOCK_ROWS;
    bool is_recorded;
    cadre_err err;

    if (r->recorder == NULL)
        return CADRE_OK;
    err = cadre_recorder_span(r->recorder, r->pulled, &count, &is_recorded,
                              error);
    if (err == CADRE_OK && (is_recorded || count < *size))
        *size = count;
    return err;
}

static bool has_room(const struct run *r)
{
    return r->open_rows < WINDOW_ROWS && r->open_bytes < WINDOW_BYTES;
}

/* Pull one block and send it, unless enough waits for the workers; only one, so
 * that what has finished is handed over while the iterator is slow.
 * `*has_more` becomes false at the end. */
static cadre_err pull(struct run *r, struct cadre_row *row, bool *has_more,
                      struct cadre_error *error)
{
    uint64_t wanted, waiting, size;
    cadre_err err;

    cadre_engine_lock(r->engine);
    wanted = wanted_rows(r);
    waiting = cadre_farm_waiting(r->farm);
    cadre_engine_unlock(r->engine);
    r->more_below = 0;
    if (!has_room(r) || waiting >= wanted) {
        r->dry_ns = 0;
        if (has_room(r))
            r->more_below = (wanted + 1) / 2;
        return CADRE_OK;
    }
    size = wanted / ROWS_PER_WORKER / 2;
    size = size > BLOCK_ROWS ? BLOCK_ROWS : size > 0 ? size : 1;
    if ((err = size_by_journal(r, &size, error)) != CADRE_OK)
        return err;
    *has_more = fill(r, row, size);
    return submit_filled(r, row, error);
}

/* The iterator gave something that cannot be a task's arguments. */
static void check_feed(struct run *r, const struct cadre_row *row)
{
    struct cadre_error wrong = {""};
    cadre_err err = cadre_feed_error(row, &wrong);

    if (err == CADRE_OK || r->has_stopped)
        return;
    cadre_error_prefix(&wrong, err, "item %" PRIu64 ": ", r->pulled);
    stop(r, err, true, &wrong);
}

static cadre_err run_iterator(struct run *r, struct cadre_error *error)
{
    struct cadre_row *row;
    bool has_more = true;
    cadre_err err;

    if ((err = cadre_feed_create(r->map->fn, &r->map->columns, &row, error)) !=
        CADRE_OK)
        return err;
    while (has_more || r->blocks != NULL) {
        uint64_t pulled = r->pulled;

        if (has_more && r->limit == CADRE_OK) {
            err = pull(r, row, &has_more, error);
            check_feed(r, row);
            if (err != CADRE_OK)
                cancel_all(r);
        }
        if (!has_more || r->has_stopped || r->limit != CADRE_OK ||
            err != CADRE_OK) {
            r->is_cut |= has_more;
            has_more = false;
            r->more_below = 0;
            r->dry_ns = 0;
        }
        if (!hand_over_finished(r) && r->pulled == pulled &&
            (has_more || r->blocks != NULL))
            wait_for_news(r);
    }
    cadre_feed_destroy(row);
    return err;
}

/* --- the whole
 * ---------------------------------------------------------------- */

static cadre_err check_limit_options(const struct cadre_map *map,
                                     struct cadre_error *error)
{
    const double most_s = 1e6;
    double timeout_s = map->task_timeout_s;

    if (!(map->timeout_s >= 0 && map->timeout_s <= most_s))
        timeout_s = map->timeout_s;
    if (!(timeout_s >= 0 && timeout_s <= most_s))
        return cadre_error_set(error, CADRE_EINVAL,
                               "a timeout is %g: it can be 0 (for ever) to %g "
                               "seconds",
                               timeout_s, most_s);
    if (map->retries > 0 && map->count > UINT32_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "retries go with up to 2^32 items");
    return cadre_task_options_check(
        &(struct cadre_task_options){.retries = map->retries,
                                     .retry_on = map->retry_on,
                                     .retry_wait_s = map->retry_wait_s},
        error);
}

static cadre_err check(const struct cadre_farm *farm,
                       const struct cadre_map *map, struct cadre_error *error)
{
    cadre_err err = cadre_farm_check(farm, map->fn, error);

    if (err != CADRE_OK)
        return err;
    if (map->next != NULL &&
        (map->count > 0 || map->into.count > 0 || map->errors != NULL))
        return cadre_error_set(error, CADRE_EINVAL,
                               "an iterator goes with on_item, not with count, "
                               "into or errors");
    if (map->next != NULL && map->on_item == NULL)
        return cadre_error_set(error, CADRE_EINVAL,
                               "an iterator needs on_item to take the results");
    if (map->retry_failed && map->journal == NULL)
        return cadre_error_set(error, CADRE_EINVAL,
                               "retry_failed goes with a journal");
    return check_limit_options(map, error);
}

/* With all items known: has the journal more of them? */
static cadre_err check_count(const struct run *r, uint64_t count,
                             struct cadre_error *error)
{
    if (r->recorder == NULL || count >= cadre_recorder_end(r->recorder))
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EINVAL,
                           "the input has %" PRIu64 " items, the journal %s "
                           "has item %" PRIu64 ": it is of another input",
                           count, cadre_recorder_path(r->recorder),
                           cadre_recorder_end(r->recorder) - 1);
}

static cadre_err run_items(struct run *r, struct cadre_error *error)
{
    cadre_err err;

    if (r->map->next == NULL) {
        err = check_count(r, r->map->count, error);
        return err == CADRE_OK ? run_arrays(r, error) : err;
    }
    err = run_iterator(r, error);
    if (err == CADRE_OK && !r->has_stopped && r->limit == CADRE_OK)
        err = check_count(r, r->pulled, error);
    return err;
}

/* What the map says in the end. */
static cadre_err conclude(const struct run *r, struct cadre_error *error)
{
    size_t len;

    if (r->limit == CADRE_ETIMEOUT && (r->nlate > 0 || r->is_cut))
        return cadre_error_set(error, CADRE_ETIMEOUT,
                               "the map has not ended within %g s: %" PRIu64
                               " items were not finished%s",
                               r->map->timeout_s, r->nlate,
                               r->is_cut ? ", and no more were taken" : "");
    if (r->limit == CADRE_ECANCELLED && (r->nlate > 0 || r->is_cut))
        return cadre_error_set(
            error, CADRE_ECANCELLED,
            "the map was told to stop: %" PRIu64 " items were not run%s",
            r->nlate, r->is_cut ? ", and no more were taken" : "");
    if (r->err == CADRE_OK)
        return CADRE_OK;
    *error = r->error;
    if (r->limit == CADRE_ETASK && !r->has_stopped)
        return cadre_error_prefix(
            error, CADRE_ETASK,
            "stopped after %" PRIu64 " failed items, the first: ", r->nfailed);
    len = strlen(error->text);
    if (r->nfailed > 1 && !r->has_stopped)
        snprintf(error->text + len, sizeof error->text - len,
                 " (and %" PRIu64 " more failed)", r->nfailed - 1);
    return r->err;
}

cadre_err cadre_map_run(struct cadre_farm *farm, const struct cadre_map *map,
                        struct cadre_error *error)
{
    struct run r = {.farm = farm,
                    .engine = cadre_farm_engine(farm),
                    .map = map,
                    .start_ns = cadre_now_ns(),
                    .end_ns = UINT64_MAX};
    cadre_err err;

    r.blocks_end = &r.blocks;
    if ((err = check(farm, map, error)) != CADRE_OK)
        return err;
    if (map->timeout_s > 0)
        r.end_ns = r.start_ns + cadre_ns_of(map->timeout_s);
    if (map->journal != NULL &&
        (err = cadre_recorder_create(r.engine, map, &r.recorder, error)) !=
            CADRE_OK)
        return err;
    err = run_items(&r, error);
    cadre_recorder_destroy(r.recorder);
    if (err != CADRE_OK)
        return err;
    return conclude(&r, error);
}
