/* sched_slots.c - blocks of records and the linear hash table over them. */
#include "sched_slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOAD = 2, /* records per bucket, on average at most */
    ARRAY_FIRST = 16
};

cadre_err cadre_array_reserve(void *array, uint32_t *cap, uint64_t need,
                              size_t size)
{
    uint64_t grown = *cap < ARRAY_FIRST ? ARRAY_FIRST : *cap;
    void *old, *new;

    if (need <= *cap)
        return CADRE_OK;
    while (grown < need)
        grown *= 2;
    if (grown > UINT32_MAX)
        return CADRE_ENOMEM;
    memcpy(&old, array, sizeof old); /* `array` is some T **: not a void ** */
    if ((new = realloc(old, grown * size)) == NULL)
        return CADRE_ENOMEM;
    memcpy(array, &new, sizeof new);
    *cap = (uint32_t)grown;
    return CADRE_OK;
}

static struct cadre_slot *record(const struct cadre_slots *slots, uint32_t slot)
{
    return cadre_slots_at(slots, slot);
}

/* Every bit of the result depends on every bit of `id`, be ids numbers in a row
 * or addresses. */
static uint32_t hash(uint64_t id)
{
    id = (id ^ (id >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    id = (id ^ (id >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(id ^ (id >> 31));
}

/* The bucket of `id`: buckets below bucket_count - half are split already. */
static uint32_t *bucket(const struct cadre_slots *slots, uint64_t id)
{
    uint32_t at = hash(id) & (2 * slots->half - 1);

    if (at >= slots->bucket_count)
        at &= slots->half - 1;
    return &slots->buckets[at];
}

/* One more bucket: it takes its part of the one `half` below. */
static void split(struct cadre_slots *slots)
{
    uint32_t next, slot;

    if (slots->bucket_count == 2 * slots->half)
        slots->half *= 2;
    slot = slots->buckets[slots->bucket_count - slots->half];
    slots->buckets[slots->bucket_count - slots->half] = CADRE_NO_SLOT;
    slots->buckets[slots->bucket_count++] = CADRE_NO_SLOT;
    for (; slot != CADRE_NO_SLOT; slot = next) {
        struct cadre_slot *r = record(slots, slot);
        uint32_t *b = bucket(slots, r->id);

        next = r->chain;
        r->chain = *b;
        *b = slot;
    }
}

void cadre_slots_fini(struct cadre_slots *slots)
{
    for (uint32_t i = 0; i < slots->block_count; i++)
        free(slots->blocks[i]);
    free(slots->blocks);
    free(slots->buckets);
    memset(slots, 0, sizeof *slots);
}

void cadre_slots_init(struct cadre_slots *slots, size_t record_size)
{
    assert(record_size >= sizeof(struct cadre_slot) && record_size % 8 == 0);
    memset(slots, 0, sizeof *slots);
    slots->record_size = record_size;
    slots->free = CADRE_NO_SLOT;
}

/* Room for `count` more buckets, and the first one. */
static cadre_err reserve_buckets(struct cadre_slots *slots, uint64_t count)
{
    cadre_err err =
        cadre_array_reserve(&slots->buckets, &slots->bucket_cap,
                            slots->bucket_count + count + 1, sizeof(uint32_t));

    if (err == CADRE_OK && slots->bucket_count == 0) {
        slots->buckets[0] = CADRE_NO_SLOT;
        slots->bucket_count = 1;
        slots->half = 1;
    }
    return err;
}

static cadre_err add_block(struct cadre_slots *slots)
{
    char *block;
    cadre_err err;

    if (slots->block_count == (CADRE_NO_SLOT >> CADRE_SLOTS_SHIFT))
        return CADRE_ENOMEM; /* four thousand million records */
    err = cadre_array_reserve(&slots->blocks, &slots->block_cap,
                              (uint64_t)slots->block_count + 1,
                              sizeof *slots->blocks);
    if (err != CADRE_OK)
        return err;
    if ((block = malloc(slots->record_size << CADRE_SLOTS_SHIFT)) == NULL)
        return CADRE_ENOMEM;
    slots->blocks[slots->block_count++] = block;
    return CADRE_OK;
}

cadre_err cadre_slots_reserve_many(struct cadre_slots *slots, uint64_t count)
{
    uint64_t need = slots->count + count; /* records, in slots old and new */
    cadre_err err = reserve_buckets(slots, count);

    while (err == CADRE_OK && need > (uint64_t)slots->block_count
                                         << CADRE_SLOTS_SHIFT)
        err = add_block(slots);
    return err;
}

cadre_err cadre_slots_reserve(struct cadre_slots *slots)
{
    return cadre_slots_reserve_many(slots, 1);
}

uint32_t cadre_slots_add(struct cadre_slots *slots, uint64_t id)
{
    uint32_t slot = slots->free, *b;
    struct cadre_slot *r;

    if (slots->count / LOAD >= slots->bucket_count)
        split(slots);
    if (slot == CADRE_NO_SLOT)
        slot = slots->made++;
    else
        slots->free = record(slots, slot)->next;
    r = record(slots, slot);
    memset(r, 0, slots->record_size);
    b = bucket(slots, id);
    r->id = id;
    r->chain = *b;
    *b = slot;
    slots->count++;
    return slot;
}

void cadre_slots_remove(struct cadre_slots *slots, uint32_t slot)
{
    struct cadre_slot *r = record(slots, slot);
    uint32_t *at = bucket(slots, r->id);

    while (*at != slot)
        at = &record(slots, *at)->chain;
    *at = r->chain;
    r->next = slots->free;
    slots->free = slot;
    slots->count--;
}

uint32_t cadre_slots_find(const struct cadre_slots *slots, uint64_t id)
{
    uint32_t slot;

    if (slots->count == 0)
        return CADRE_NO_SLOT;
    slot = *bucket(slots, id);
    while (slot != CADRE_NO_SLOT && record(slots, slot)->id != id)
        slot = record(slots, slot)->chain;
    return slot;
}

void cadre_list_init(struct cadre_list *list)
{
    list->first = CADRE_NO_SLOT;
    list->last = CADRE_NO_SLOT;
}

/* Put `slot` between its neighbours-to-be. */
static void insert(const struct cadre_slots *slots, struct cadre_list *list,
                   uint32_t slot, uint32_t prev, uint32_t next)
{
    struct cadre_slot *r = record(slots, slot);

    r->prev = prev;
    r->next = next;
    *(prev == CADRE_NO_SLOT ? &list->first : &record(slots, prev)->next) = slot;
    *(next == CADRE_NO_SLOT ? &list->last : &record(slots, next)->prev) = slot;
}

void cadre_list_append(const struct cadre_slots *slots, struct cadre_list *list,
                       uint32_t slot)
{
    insert(slots, list, slot, list->last, CADRE_NO_SLOT);
}

void cadre_list_prepend(const struct cadre_slots *slots,
                        struct cadre_list *list, uint32_t slot)
{
    insert(slots, list, slot, CADRE_NO_SLOT, list->first);
}

void cadre_list_remove(const struct cadre_slots *slots, struct cadre_list *list,
                       uint32_t slot)
{
    uint32_t prev = record(slots, slot)->prev, next = record(slots, slot)->next;

    *(prev == CADRE_NO_SLOT ? &list->first : &record(slots, prev)->next) = next;
    *(next == CADRE_NO_SLOT ? &list->last : &record(slots, next)->prev) = prev;
}

size_t cadre_list_length(const struct cadre_slots *slots,
                         const struct cadre_list *list)
{
    size_t count = 0;

    for (uint32_t at = list->first; at != CADRE_NO_SLOT;
         at = record(slots, at)->next)
        count++;
    return count;
}
