/* skips.h - which rows of the input never became a task.
 *
 * Tasks are numbered without gaps, rows are not: a row that cannot be read gets
 * no task. Memory: 16 bytes for each run of such rows.
 */
#ifndef CADRE_LAUNCHER_SKIPS_H
#define CADRE_LAUNCHER_SKIPS_H

#include <stddef.h>
#include <stdint.h>

/* All zero is empty. */
struct cadre_skips {
    struct cadre_skip *list; /* in the order of the input */
    size_t count, capacity;
    uint64_t forgotten; /* rows that cadre_skips_forget() has dropped */
};

void cadre_skips_fini(struct cadre_skips *skips);

/* One more row is skipped, right before `task` (the next one to be made). */
void cadre_skips_add(struct cadre_skips *skips, uint64_t task);

/* Skipped rows before `task`, all together. */
uint64_t cadre_skips_before(const struct cadre_skips *skips, uint64_t task);

/* Nobody will ask about tasks before `task` any more. */
void cadre_skips_forget(struct cadre_skips *skips, uint64_t task);

#endif
