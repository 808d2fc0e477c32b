/* journal.h - the outcome of each item of a map, kept in a file.
 *
 * The file is an SQLite database, so that it survives the death of its writer
 * at any moment, a torn write and a full disk, and so that people can query it
 * (docs/journal.md describes the tables). This module alone knows SQLite. What
 * an item's arguments and outputs are it does not know: a digest and bytes
 * (journal_item.h).
 *
 * One process at a time has a journal open; others may read it with SQLite. One
 * thread may read while another writes.
 */
#ifndef CADRE_RUNTIME_JOURNAL_H
#define CADRE_RUNTIME_JOURNAL_H

#include "error.h"
#include "journal_item.h"

#include <stdbool.h>
#include <stdint.h>

/* Of the tables and of what is in them. Raise it when the digest of the same
 * arguments or the bytes of the same outputs change, or a column's meaning. */
enum { CADRE_JOURNAL_VERSION = 1 };

struct cadre_journal;

/* Whose items they are. Borrowed. */
struct cadre_journal_function {
    const char *library; /* "": of the program itself */
    const char *symbol;
    const char *written;  /* the prototype as written, and */
    const char *expanded; /* after the preprocessor; "" */
};

/* How one item ended. Lent during the call. */
struct cadre_record {
    uint64_t item;
    struct cadre_digest digest; /* of its arguments */
    cadre_err err;              /* CADRE_OK, or how it failed */
    int kind;                   /* the function's own number */
    const char *text;           /* why it failed; "" */
    double ended;               /* when, in seconds since 1970 */
    struct cadre_slice slice;   /* its outputs; unused if it failed. `value` is
                                   for people, and not read back */
};

/* Open the journal at `path` for `function`, or make it. `*journal` is given.
 *
 * CADRE_EINVAL    the file is no journal, or one of another function.
 * CADRE_EVERSION  a journal of another version.
 * CADRE_ESTATE    it is in use.
 * CADRE_ENOTFOUND there is no such folder.
 * CADRE_EIO       it cannot be written or is damaged.
 * CADRE_ENOMEM
 */
cadre_err cadre_journal_open(const char *path,
                             const struct cadre_journal_function *function,
                             struct cadre_journal **journal,
                             struct cadre_error *error);

/* What has been committed stays. NULL is allowed. */
void cadre_journal_close(struct cadre_journal *journal);

/* As it was named when opened; lent. */
const char *cadre_journal_path(const struct cadre_journal *journal);

/* One more than the last item with a record when the journal was opened; 0:
 * there was none. */
uint64_t cadre_journal_end(const struct cadre_journal *journal);

/* How far do the items from `first` on go on like the first of them: with a
 * record (of failed ones, unless `retry_failed`) or without? Sets `*count` to
 * at least 1 and at most what it was. CADRE_EIO. */
cadre_err cadre_journal_span(struct cadre_journal *journal, uint64_t first,
                             bool retry_failed, uint64_t *count,
                             bool *is_recorded, struct cadre_error *error);

/* Call `take` for each record of the items [first, first + count), in their
 * order; an error from it ends the reading and is returned. CADRE_EIO. */
typedef cadre_err (*cadre_record_fn)(void *user,
                                     const struct cadre_record *record,
                                     struct cadre_error *error);
cadre_err cadre_journal_read(struct cadre_journal *journal, uint64_t first,
                             uint64_t count, cadre_record_fn take, void *user,
                             struct cadre_error *error);

/* Write: begin, put any number of records, commit. What was committed survives
 * whatever happens to this process or to the power. An error has undone all
 * since begin, and nothing can be written any more. A record of the same item
 * is replaced.
 *
 * CADRE_EIO  the disk is full, ...; `error` says what to do.
 */
cadre_err cadre_journal_begin(struct cadre_journal *journal,
                              struct cadre_error *error);
cadre_err cadre_journal_put(struct cadre_journal *journal,
                            const struct cadre_record *record,
                            struct cadre_error *error);
cadre_err cadre_journal_commit(struct cadre_journal *journal,
                               struct cadre_error *error);

#endif
