/* sched_heap.h - a set of slots, the one with the least key first.
 *
 * A binary heap that knows where each slot sits, so that a key can change and a
 * slot can leave: O(log n) each. Of equal keys the lower slot comes first, so
 * that the order depends on nothing but what is in the heap.
 */
#ifndef CADRE_RUNTIME_SCHED_HEAP_H
#define CADRE_RUNTIME_SCHED_HEAP_H

#include "sched_slots.h"

#include <stdbool.h>

struct cadre_heap_entry {
    uint64_t key;
    uint32_t slot;
};

/* Zeroed memory is an empty heap. */
struct cadre_heap {
    struct cadre_heap_entry *entries;
    uint32_t entry_cap;
    uint32_t count;
    uint32_t *where; /* of each slot: its entry, or CADRE_NO_SLOT */
    uint32_t where_cap;
    uint32_t slots; /* entries of `where` that are set */
};

void cadre_heap_fini(struct cadre_heap *heap);

/* Make sure that each slot below `slots` can be put; CADRE_ENOMEM leaves the
 * heap as it was. */
cadre_err cadre_heap_reserve(struct cadre_heap *heap, uint32_t slots);

/* Put `slot` in with `key`, or change its key; reserve comes first. */
void cadre_heap_put(struct cadre_heap *heap, uint32_t slot, uint64_t key);

/* Take `slot` out if it is in. */
void cadre_heap_remove(struct cadre_heap *heap, uint32_t slot);

/* The entry with the least key; lent until the heap changes. NULL if empty. */
const struct cadre_heap_entry *cadre_heap_first(const struct cadre_heap *heap);

#endif
