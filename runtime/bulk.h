/* bulk.h - large arrays that travel beside their frame, not in it.
 *
 * An array of CADRE_BULK_MIN bytes or more that lies in one piece is not copied
 * into the frame: the buffer notes where it is (buffer.c), its column says
 * which of the message's bulks it is (columns.h), and the channel sends it from
 * where it lies and receives it to where it is wanted.
 *
 * Whose memory it is has to keep it until the channel is through with it: that
 * is what a keeper counts. Guarded by whatever guards the channel.
 */
#ifndef CADRE_RUNTIME_BULK_H
#define CADRE_RUNTIME_BULK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CADRE_BULK_MIN = 1 << 20 }; /* bytes */

/* Bulks under way from or to somebody's memory. */
struct cadre_keeper {
    size_t count;
    /* The last one is through. NULL: nobody wants to know. */
    void (*released)(struct cadre_keeper *keeper);
};

/* One of them. */
struct cadre_bulk {
    void *data; /* aligned to 16 on arrival; NULL: not there (any more) */
    size_t len;
    size_t capacity; /* bytes allocated, where `is_owned` */
    size_t at;       /* going out: where its frame's columns start */
    bool is_owned;   /* `data` was allocated for it */
    struct cadre_keeper *keeper; /* holds `data`; NULL: none */
};

/* Those of a message, in the order in which they follow it. */
struct cadre_bulks {
    struct cadre_bulk *list;
    size_t count;
    size_t capacity;
};

static inline void cadre_keeper_hold(struct cadre_keeper *keeper)
{
    if (keeper != NULL)
        keeper->count++;
}

static inline void cadre_keeper_release(struct cadre_keeper *keeper)
{
    if (keeper != NULL && --keeper->count == 0 && keeper->released != NULL)
        keeper->released(keeper);
}

/* Room for `more`; false: out of memory, and nothing has changed. */
bool cadre_bulks_reserve(struct cadre_bulks *bulks, size_t more);

/* Forget those from number `count` on: keepers are released, owned memory is
 * freed. */
void cadre_bulks_cut(struct cadre_bulks *bulks, size_t count);

/* All of them, and the list. */
void cadre_bulks_fini(struct cadre_bulks *bulks);

#endif
