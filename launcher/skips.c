/* skips.c - the rows between the tasks; see skips.h.
 *
 * Each entry stands for a run of skipped rows in front of one task and holds
 * the number of all skipped rows up to its end, so that a search by halves
 * answers for any task.
 */
#include "skips.h"

#include "say.h"

#include <stdlib.h>
#include <string.h>

struct cadre_skip {
    uint64_t task;  /* the run stands before it */
    uint64_t total; /* skipped rows up to here */
};

void cadre_skips_fini(struct cadre_skips *skips)
{
    free(skips->list);
    *skips = (struct cadre_skips){0};
}

static uint64_t total(const struct cadre_skips *skips)
{
    return skips->count > 0 ? skips->list[skips->count - 1].total
                            : skips->forgotten;
}

void cadre_skips_add(struct cadre_skips *skips, uint64_t task)
{
    uint64_t before = total(skips);

    if (skips->count > 0 && skips->list[skips->count - 1].task == task) {
        skips->list[skips->count - 1].total++;
        return;
    }
    if (skips->count == skips->capacity) {
        skips->capacity = skips->capacity == 0 ? 16 : 2 * skips->capacity;
        skips->list =
            reallocarray(skips->list, skips->capacity, sizeof *skips->list);
        if (skips->list == NULL)
            cadre_out_of_memory();
    }
    skips->list[skips->count++] =
        (struct cadre_skip){.task = task, .total = before + 1};
}

/* Entries that stand before `task`. */
static size_t entries_before(const struct cadre_skips *skips, uint64_t task)
{
    size_t low = 0, high = skips->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (skips->list[middle].task <= task)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t cadre_skips_before(const struct cadre_skips *skips, uint64_t task)
{
    size_t entries = entries_before(skips, task);

    return entries > 0 ? skips->list[entries - 1].total : skips->forgotten;
}

void cadre_skips_forget(struct cadre_skips *skips, uint64_t task)
{
    size_t entries = entries_before(skips, task);

    if (entries == 0)
        return;
    skips->forgotten = skips->list[entries - 1].total;
    skips->count -= entries;
    memmove(skips->list, skips->list + entries,
            skips->count * sizeof *skips->list);
}
