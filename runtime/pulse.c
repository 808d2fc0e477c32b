/* pulse.c - see pulse.h. */
#include "pulse.h"

enum {
    BEATS = 20, /* in the time after which the other is lost */
    BEAT_MIN_MS = 50,
    BEAT_MAX_MS = 1000,
    BYTES_PER_MS = 8 * 1024 * 1024 / 1000 /* of a slow network */
};

static const uint64_t MS = 1000000;

struct cadre_pulse_terms cadre_pulse_terms_for(uint32_t silence_ms)
{
    uint32_t beat = silence_ms / BEATS;

    if (beat < BEAT_MIN_MS)
        beat = BEAT_MIN_MS;
    if (beat > BEAT_MAX_MS)
        beat = BEAT_MAX_MS;
    return (struct cadre_pulse_terms){.beat_ms = beat,
                                      .silence_ms = silence_ms};
}

void cadre_pulse_begin(struct cadre_pulse *pulse,
                       const struct cadre_pulse_terms *terms, uint64_t now_ns)
{
    *pulse = (struct cadre_pulse){.beat_ns = terms->beat_ms * MS,
                                  .silence_ns = terms->silence_ms * MS,
                                  .looked_ns = now_ns};
}

void cadre_pulse_hear(struct cadre_pulse *pulse)
{
    pulse->silent_ns = 0;
}

enum cadre_pulse_act cadre_pulse_look(struct cadre_pulse *pulse,
                                      uint64_t now_ns, uint64_t burden)
{
    uint64_t passed = now_ns - pulse->looked_ns;

    if (passed > 2 * pulse->beat_ns)
        passed = 2 * pulse->beat_ns;
    pulse->looked_ns = now_ns;
    pulse->silent_ns += passed;
    if (pulse->silent_ns > pulse->silence_ns + burden / BYTES_PER_MS * MS)
        return CADRE_PULSE_LOST;
    if (pulse->beaten_ns != 0 && now_ns - pulse->beaten_ns < pulse->beat_ns)
        return CADRE_PULSE_REST;
    pulse->beaten_ns = now_ns;
    return CADRE_PULSE_BEAT;
}
