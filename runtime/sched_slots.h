/* sched_slots.h - records found by their id, or by a small number, their slot.
 *
 * A record begins with a struct cadre_slot; it stays where it is in memory, and
 * keeps its slot, from add to remove. Slots are given out again, the one freed
 * last first. Memory grows in blocks, so that no record is ever copied, and is
 * given back at the end only.
 *
 * Finding is a linear hash table: buckets are chains through the records, and
 * each new record splits one bucket, so that no single call pays for all. This
 * costs at most 4 bytes per record beside the record itself.
 */
#ifndef CADRE_RUNTIME_SCHED_SLOTS_H
#define CADRE_RUNTIME_SCHED_SLOTS_H

#include "error.h"

#include <stdint.h>

#define CADRE_NO_SLOT UINT32_MAX

/* How every record begins. */
struct cadre_slot {
    uint64_t id;
    uint32_t chain; /* next record in its bucket */
    uint32_t next;  /* in the list that the record is in, if any */
    uint32_t prev;
    uint32_t tag; /* the user's, so that no byte is lost to padding */
};

struct cadre_slots {
    size_t record_size; /* bytes */
    char **blocks;
    uint32_t block_count;
    uint32_t block_cap;
    uint32_t made;  /* slots that were ever used */
    uint32_t free;  /* the slot freed last, chained through `next` */
    uint32_t count; /* records that live */
    uint32_t *buckets;
    uint32_t bucket_count;
    uint32_t bucket_cap;
    uint32_t half; /* power of two: half <= bucket_count < 2 * half */
};

/* `record_size` is a multiple of 8. */
void cadre_slots_init(struct cadre_slots *slots, size_t record_size);
void cadre_slots_fini(struct cadre_slots *slots); /* zeroed memory is fine */

/* Make sure that the next add succeeds; CADRE_ENOMEM leaves all as it was. */
cadre_err cadre_slots_reserve(struct cadre_slots *slots);

/* The same for the next `count` adds. */
cadre_err cadre_slots_reserve_many(struct cadre_slots *slots, uint64_t count);

/* A new record for `id`, zero but for the id; reserve comes first, and no
 * record of this id lives. */
uint32_t cadre_slots_add(struct cadre_slots *slots, uint64_t id);
void cadre_slots_remove(struct cadre_slots *slots, uint32_t slot);

/* The slot of `id`, or CADRE_NO_SLOT. */
uint32_t cadre_slots_find(const struct cadre_slots *slots, uint64_t id);

enum {
    CADRE_SLOTS_SHIFT = 8, /* of the records in a block: 16 KiB of jobs */
    CADRE_SLOTS_BLOCK = 1 << CADRE_SLOTS_SHIFT
};

/* The record in `slot`; lent until it is removed. */
static inline void *cadre_slots_at(const struct cadre_slots *slots,
                                   uint32_t slot)
{
    return slots->blocks[slot >> CADRE_SLOTS_SHIFT] +
           (slot & (CADRE_SLOTS_BLOCK - 1)) * slots->record_size;
}

/* A list of records; each is in one list at most. */
struct cadre_list {
    uint32_t first;
    uint32_t last; /* both CADRE_NO_SLOT: empty */
};

void cadre_list_init(struct cadre_list *list);
void cadre_list_append(const struct cadre_slots *slots, struct cadre_list *list,
                       uint32_t slot);
void cadre_list_prepend(const struct cadre_slots *slots,
                        struct cadre_list *list, uint32_t slot);
void cadre_list_remove(const struct cadre_slots *slots, struct cadre_list *list,
                       uint32_t slot);

/* How many; looks at each. */
size_t cadre_list_length(const struct cadre_slots *slots,
                         const struct cadre_list *list);

/* A larger array: `*array` of `*cap` items of `size` bytes gets room for at
 * least `need`, doubling. CADRE_ENOMEM leaves it as it was. */
cadre_err cadre_array_reserve(void *array, uint32_t *cap, uint64_t need,
                              size_t size);

#endif
