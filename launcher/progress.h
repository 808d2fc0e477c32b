/* progress.h - one line on a terminal that says how far a run is: rows, rate,
 * time left.
 *
 * A thread of its own draws it, so that it moves while everybody waits for a
 * slow task. The thread also calls a function of the user's at every tick.
 */
#ifndef CADRE_LAUNCHER_PROGRESS_H
#define CADRE_LAUNCHER_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cadre_progress; /* the line and its thread */

struct cadre_progress_options {
    bool is_shown;               /* draw; on_tick() is called in any case */
    uint64_t bytes;              /* of input; 0: unknown */
    void (*on_tick)(void *user); /* ten times a second, from the thread */
    void *user;
};

/* Given: cadre_progress_destroy(), which also removes the line. NULL if the
 * thread cannot be started. */
struct cadre_progress *
cadre_progress_create(const struct cadre_progress_options *options);
void cadre_progress_destroy(struct cadre_progress *progress);

/* How far it is: rows handed out and back, bytes of input taken. From one
 * thread. Costs next to nothing. */
void cadre_progress_set(struct cadre_progress *progress, uint64_t given,
                        uint64_t done, uint64_t bytes);

/* Around anything written to the terminal in between: the line goes away and
 * does not come back before resume. */
void cadre_progress_pause(struct cadre_progress *progress);
void cadre_progress_resume(struct cadre_progress *progress);

/* What the line says, for tests: the state after `seconds` into `line`
 * (`room` bytes), at most `width` columns wide. */
struct cadre_progress_state {
    uint64_t given, done; /* rows */
    uint64_t read, bytes; /* of input; `bytes` 0: unknown */
    double seconds;       /* since the start */
    double rate;          /* rows per second, lately */
};
void cadre_progress_format(const struct cadre_progress_state *state, int width,
                           char *line, size_t room);

#endif
