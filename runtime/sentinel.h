/* sentinel.h - a worker's thread that ends its process when the controller is
 * gone, so that no orphan outlives a job, whatever the main thread does.
 *
 * Of a controller on this host it watches the process, and calls no MPI. One on
 * another host is listened to (pulse.h): each side sends the other a beat now
 * and then. The process ends
 *
 *   at once             when the controller says END, or has been silent for
 *                       too long
 *   after GRACE_MS      when the controller's process has ended, or MPI cannot
 *                       send to it: the main thread may be about to end, too
 *   after STARTING_S    when a controller that has started this process on
 *                       another host does not greet it
 */
#ifndef CADRE_RUNTIME_SENTINEL_H
#define CADRE_RUNTIME_SENTINEL_H

#include "channel.h"
#include "host.h"
#include "pulse.h"

/* Watch over `controller`, if it is on this host; else wait for its greeting if
 * it `will_greet`. Once for a process: later calls do nothing. */
void cadre_sentinel_start(const struct cadre_process *controller,
                          bool will_greet);

/* The controller behind `channel` (borrowed until the sentinel is deaf again)
 * has greeted. If it is on another host it is listened to from now on, and
 * sent beats. False: it is not (it is near, or this process or the controller
 * has not MPI_THREAD_MULTIPLE). */
bool cadre_sentinel_listen(const struct cadre_process *controller,
                           const struct cadre_channel *channel,
                           uint32_t generation,
                           const struct cadre_pulse_terms *terms);

/* The controller has said BYE: do not listen any more. */
void cadre_sentinel_deafen(void);

/* Was there a controller to listen to? */
bool cadre_sentinel_has_listened(void);

#endif
