/* bell.h - wakes a sleeping process of the same host at once; and a board where
 * it can be seen what each is doing.
 *
 * A set of bells lies in memory shared by a controller (who creates it) and its
 * workers. Whoever has nothing to do sleeps at its own bell; whoever has sent
 * it something rings. MPI carries all data; a bell only says 'look'. Ringing
 * costs a memory access unless somebody sleeps there.
 *
 * The memory has no name: the workers open it through the controller's file
 * descriptors in /proc. So nothing is left behind however anybody dies.
 *
 *     sleeper                            ringer
 *     ticket = prepare(bell)             send the message
 *     look once more; nothing there      ring(bell): asleep? count up and wake
 *     sleep(bell, ticket, timeout)
 *     awake(bell)
 *
 * No ring is lost: what is sent after `prepare` changes the count that `sleep`
 * compares with the ticket.
 */
#ifndef CADRE_RUNTIME_BELL_H
#define CADRE_RUNTIME_BELL_H

#include "error.h"
#include "touch.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CADRE_BELLS_MAX =
        8192 /* bells in one set: the controller and its workers */
};

struct cadre_bells;

/* `*bells` is given. CADRE_EIO, CADRE_ENOMEM: go on without; waiting polls. */
cadre_err cadre_bells_create(struct cadre_bells **bells);

/* The set that process `pid` of this host created as its descriptor `fd`. */
cadre_err cadre_bells_open(pid_t pid, int fd, struct cadre_bells **bells);
void cadre_bells_destroy(struct cadre_bells *bells); /* NULL is allowed */
int cadre_bells_fd(const struct cadre_bells *bells);

/* Wake who sleeps at bell `index`, if anybody does. */
void cadre_bell_ring(struct cadre_bells *bells, uint32_t index);

/* For who sleeps at `index` where others see to what comes: it is rung only if
 * one of them says so. */
uint32_t cadre_bell_ticket(const struct cadre_bells *bells, uint32_t index);

/* Say that this process is about to sleep at `index`; from now on it is rung.
 */
uint32_t cadre_bell_prepare(struct cadre_bells *bells, uint32_t index);

/* Sleep until rung since `ticket` was drawn, or until `timeout_ns` has passed.
 * True if rung. Several threads may sleep at one bell; all wake. */
bool cadre_bell_sleep(struct cadre_bells *bells, uint32_t index,
                      uint32_t ticket, uint64_t timeout_ns);

/* No longer asleep: ringing is free again. */
void cadre_bell_awake(struct cadre_bells *bells, uint32_t index);

/* Is there one who sleeps, or is about to? */
bool cadre_bell_is_wanted(const struct cadre_bells *bells, uint32_t index);

/* Beside each bell is a board on which its worker writes what it does, so that
 * the controller can read it at any time, even after the worker's death. */

/* The controller: its workers here and itself are more than there are cores, so
 * that a worker that polls keeps another from its turn. The workers: is it so?
 */
void cadre_board_set_crowded(struct cadre_bells *bells, bool is_crowded);
bool cadre_board_is_crowded(const struct cadre_bells *bells);

/* What a worker has begun. */
struct cadre_begun {
    uint32_t batch; /* batches, since it was greeted; the last one runs */
    uint32_t tasks; /* of that batch (at most 2^32 - 1 are counted) */
    uint64_t
        since_ns; /* when the batch began (cadre_now_ns()); 0: nobody says */
};

/* The worker: task number `tasks` of batch number `batch` begins; both count
 * from 1. */
void cadre_board_begin(struct cadre_bells *bells, uint32_t index,
                       struct cadre_begun begun);

/* The controller: what has begun; zeros before the first. */
struct cadre_begun cadre_board_begun(const struct cadre_bells *bells,
                                     uint32_t index);

/* The controller: batch number `batch` is cancelled, though it runs. The
 * worker: is it? */
void cadre_board_cancel(struct cadre_bells *bells, uint32_t index,
                        uint32_t batch);
bool cadre_board_is_cancelled(const struct cadre_bells *bells, uint32_t index,
                              uint32_t batch);

/* The worker: it has nothing to do. `times` is counted here: it `has_looked`
 * for messages. */
void cadre_board_rest(struct cadre_bells *bells, uint32_t index,
                      const struct cadre_rest *rest, bool has_looked);

/* The controller: what a worker of crew `generation` said last; zeros: nothing
 * yet. */
struct cadre_rest cadre_board_rested(const struct cadre_bells *bells,
                                     uint32_t index, uint32_t generation);

/* The controller: this bell and board get another owner. */
void cadre_board_clear(struct cadre_bells *bells, uint32_t index);

#endif
