/* recorder.h - a map's journal: what it has is not run again, what ends goes
 * into it.
 *
 * Outcomes arrive under the engine's lock and wait in a list. A thread of the
 * recorder's own takes them all together, writes them in one transaction, and
 * only then lets their blocks be handed over. So whatever a caller has seen is
 * in the journal, and a slow disk holds up neither workers nor messages.
 *
 *     farm ── done(), failed() ──► list ── thread ──► journal
 *                                             └─────► wakes who waits
 */
#ifndef CADRE_API_RECORDER_H
#define CADRE_API_RECORDER_H

#include "internal.h"

#include "runtime/journal.h"

struct cadre_recorder;

/* A block's part. Zeroed memory is empty. */
struct cadre_recording {
    const struct cadre_table *table;
    uint64_t row0;  /* the block's first row in the table */
    uint64_t item0; /* and the item it is */
    uint64_t count;
    struct cadre_digest *digests; /* one per row; owned */
    uint64_t waiting;             /* outcomes that are not in the journal yet */
};

/* Open `map`'s journal. `*recorder` is given. Errors as cadre_journal_open().
 */
cadre_err cadre_recorder_create(struct cadre_engine *engine,
                                const struct cadre_map *map,
                                struct cadre_recorder **recorder,
                                struct cadre_error *error);
/* When no recording is left. NULL is allowed. */
void cadre_recorder_destroy(struct cadre_recorder *recorder);

/* One more than the last item that the journal had; its path. */
uint64_t cadre_recorder_end(const struct cadre_recorder *recorder);
const char *cadre_recorder_path(const struct cadre_recorder *recorder);

/* Shorten `*count`, so that of the items from `first` on either all are to be
 * run or none. CADRE_EIO. */
cadre_err cadre_recorder_span(struct cadre_recorder *recorder, uint64_t first,
                              uint64_t *count, bool *is_recorded,
                              struct cadre_error *error);

/* Begin on a block within one span: `recording` has its first four fields. What
 * the journal has of it goes to the table's outputs, or failed to
 * `on_failed(user, ...)` with rows counted from the block's first; then
 * `*is_recorded`. fini is needed in any case.
 *
 * CADRE_EINVAL  an item's arguments are not those that were recorded.
 * CADRE_EIO, CADRE_ENOMEM
 */
cadre_err
cadre_recorder_recall(struct cadre_recorder *recorder,
                      struct cadre_recording *recording,
                      void (*on_failed)(void *user, const struct cadre_fault *),
                      void *user, bool *is_recorded, struct cadre_error *error);
void cadre_recording_fini(struct cadre_recording *recording);

/* The rest is called under the engine's lock. */

/* Rows [first, first + count) of the block have ended well, and their outputs
 * are in the table, which keeps them until the block does not wait any more; or
 * they have failed. */
void cadre_recorder_done(struct cadre_recorder *recorder,
                         struct cadre_recording *recording, uint64_t first,
                         uint64_t count);
void cadre_recorder_failed(struct cadre_recorder *recorder,
                           struct cadre_recording *recording,
                           const struct cadre_fault *fault);

/* What went wrong in writing: nothing is recorded any more, and blocks no
 * longer wait. */
cadre_err cadre_recorder_error(const struct cadre_recorder *recorder,
                               struct cadre_error *error);

#endif
