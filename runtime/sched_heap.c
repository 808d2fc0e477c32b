/* sched_heap.c - the heap is an array: the children of i are 2i+1 and 2i+2. */
#include "sched_heap.h"

#include <stdlib.h>
#include <string.h>

static bool before(struct cadre_heap_entry a, struct cadre_heap_entry b)
{
    return a.key < b.key || (a.key == b.key && a.slot < b.slot);
}

static void place(struct cadre_heap *heap, uint32_t at,
                  struct cadre_heap_entry entry)
{
    heap->entries[at] = entry;
    heap->where[entry.slot] = at;
}

/* Place `entry` at `at` or nearer to the root. */
static void sift_up(struct cadre_heap *heap, uint32_t at,
                    struct cadre_heap_entry entry)
{
    while (at > 0 && before(entry, heap->entries[(at - 1) / 2])) {
        place(heap, at, heap->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(heap, at, entry);
}

/* Place `entry` at `at` or farther from the root. */
static void sift_down(struct cadre_heap *heap, uint32_t at,
                      struct cadre_heap_entry entry)
{
    uint32_t child;

    while ((child = 2 * at + 1) < heap->count) {
        if (child + 1 < heap->count &&
            before(heap->entries[child + 1], heap->entries[child]))
            child++;
        if (!before(heap->entries[child], entry))
            break;
        place(heap, at, heap->entries[child]);
        at = child;
    }
    place(heap, at, entry);
}

static void settle(struct cadre_heap *heap, uint32_t at,
                   struct cadre_heap_entry entry)
{
    if (at > 0 && before(entry, heap->entries[(at - 1) / 2]))
        sift_up(heap, at, entry);
    else
        sift_down(heap, at, entry);
}

void cadre_heap_fini(struct cadre_heap *heap)
{
    free(heap->entries);
    free(heap->where);
    memset(heap, 0, sizeof *heap);
}

cadre_err cadre_heap_reserve(struct cadre_heap *heap, uint32_t slots)
{
    cadre_err err = cadre_array_reserve(&heap->entries, &heap->entry_cap, slots,
                                        sizeof *heap->entries);

    if (err == CADRE_OK)
        err = cadre_array_reserve(&heap->where, &heap->where_cap, slots,
                                  sizeof *heap->where);
    while (err == CADRE_OK && heap->slots < slots)
        heap->where[heap->slots++] = CADRE_NO_SLOT;
    return err;
}

void cadre_heap_put(struct cadre_heap *heap, uint32_t slot, uint64_t key)
{
    struct cadre_heap_entry entry = {.key = key, .slot = slot};

    if (heap->where[slot] == CADRE_NO_SLOT) {
        heap->count++;
        sift_up(heap, heap->count - 1, entry);
    } else {
        settle(heap, heap->where[slot], entry);
    }
}

void cadre_heap_remove(struct cadre_heap *heap, uint32_t slot)
{
    uint32_t at = heap->where[slot];
    struct cadre_heap_entry last;

    if (at == CADRE_NO_SLOT)
        return;
    heap->where[slot] = CADRE_NO_SLOT;
    last = heap->entries[--heap->count];
    if (at < heap->count)
        settle(heap, at, last);
}

const struct cadre_heap_entry *cadre_heap_first(const struct cadre_heap *heap)
{
    return heap->count > 0 ? &heap->entries[0] : NULL;
}
