/* lookout.h - the controller's watch over those workers of a crew whose
 * processes it cannot see: on other hosts.
 *
 * A thread of its own exchanges beats (pulse.h) with the sentinels of these
 * workers, whatever the other threads do. It finds two things: that MPI cannot
 * send to a worker any more (with UCX, a beat after the death of its process),
 * and that a worker has been silent for too long (a host that hangs, a network
 * that is cut; with other transports a death, too). And it passes on that a
 * worker is to end.
 */
#ifndef CADRE_RUNTIME_LOOKOUT_H
#define CADRE_RUNTIME_LOOKOUT_H

#include "channel.h"
#include "pulse.h"

struct cadre_lookout;

enum cadre_lookout_state {
    CADRE_LOOKOUT_NONE,   /* it is not watched */
    CADRE_LOOKOUT_ALIVE,  /* as far as is known */
    CADRE_LOOKOUT_GONE,   /* there is nobody to send to */
    CADRE_LOOKOUT_SILENT, /* nothing was heard for too long */
    CADRE_LOOKOUT_ENDING, /* it is to be told to end */
    CADRE_LOOKOUT_ENDED   /* it was */
};

/* What this process offers its workers: none without MPI_THREAD_MULTIPLE. The
 * limit is 5 s, or CADRE_SILENCE_S of the environment. */
struct cadre_pulse_terms cadre_lookout_terms(void);

/* Beside `channel` (borrowed, and destroyed later), for the crew of
 * `generation`. CADRE_ENOMEM, CADRE_EIO (no thread), CADRE_EMPI. */
cadre_err cadre_lookout_create(const struct cadre_channel *channel,
                               uint32_t generation,
                               const struct cadre_pulse_terms *terms,
                               struct cadre_lookout **lookout);
void cadre_lookout_destroy(struct cadre_lookout *lookout); /* NULL: nothing */

/* Send no more beats: before BYE, so that none comes when nobody takes it any
 * more. Whoever is to be told to end is told before. NULL is allowed. */
void cadre_lookout_stop(struct cadre_lookout *lookout);

/* The rest may be called by any thread, and does not wait. */

/* From now on worker `peer` is watched. */
void cadre_lookout_watch(struct cadre_lookout *lookout, int peer);

enum cadre_lookout_state
cadre_lookout_state(const struct cadre_lookout *lookout, int peer);

/* Its sentinel is to end the process of `peer`, which gets no beat any more: if
 * this does not reach it, it ends of the silence. */
void cadre_lookout_end(struct cadre_lookout *lookout, int peer);

#endif
