/* pulse.h - decides when to send a beat to a peer, and when it is taken for
 * dead. Pure: no clock, no MPI.
 *
 * Both sides send a beat every `beat_ns`, and count for how long nothing has
 * been heard of the other. What counts is only time in which this side ran
 * itself: between two looks at most two beats. So a process that was stopped,
 * or got no core for a while, does not blame the other for it.
 *
 * A beat travels behind what was sent before it. While many bytes are under way
 * to or from the peer it may be silent for longer: a second for every 8 MiB.
 */
#ifndef CADRE_RUNTIME_PULSE_H
#define CADRE_RUNTIME_PULSE_H

#include <stdint.h>

/* What two sides agree on; zeros: no pulse. */
struct cadre_pulse_terms {
    uint32_t beat_ms;
    uint32_t silence_ms; /* after which the other is lost */
};

/* One peer. */
struct cadre_pulse {
    uint64_t beat_ns;
    uint64_t silence_ns;
    uint64_t looked_ns; /* at the last look */
    uint64_t beaten_ns; /* at the last beat */
    uint64_t silent_ns; /* so long has nothing been heard */
};

enum cadre_pulse_act {
    CADRE_PULSE_REST,
    CADRE_PULSE_BEAT, /* send one now */
    CADRE_PULSE_LOST  /* it has been silent for too long */
};

/* The terms for a limit of `silence_ms`: a twentieth of it is a beat, but 50 ms
 * to a second. */
struct cadre_pulse_terms cadre_pulse_terms_for(uint32_t silence_ms);

/* From `now_ns` on. The first look beats. */
void cadre_pulse_begin(struct cadre_pulse *pulse,
                       const struct cadre_pulse_terms *terms, uint64_t now_ns);

/* Something was heard. */
void cadre_pulse_hear(struct cadre_pulse *pulse);

/* What to do, with `burden` bytes under way between the two. */
enum cadre_pulse_act cadre_pulse_look(struct cadre_pulse *pulse,
                                      uint64_t now_ns, uint64_t burden);

#endif
