/* touch.c - see touch.h. */
#include "touch.h"

enum {
    LOOKS_LEAST = 20,    /* of ours: a process that was stopped sees no more */
    RESTS_LEAST = 3,     /* of the worker's, to call it deaf */
    LIMIT_MS = 6000,     /* for a message that is under way, ... */
    BYTES_PER_MS = 10000 /* ... and more for a large one */
};

static const uint64_t MS = 1000000;

/* Did something move since the last look? */
static bool has_moved(const struct cadre_touch *t,
                      const struct cadre_rest *rest,
                      const struct cadre_traffic *traffic)
{
    return traffic->is_behind || t->came != traffic->came ||
           t->rest.came != rest->came || t->rest.generation != rest->generation;
}

enum cadre_touch_state cadre_touch_look(struct cadre_touch *touch,
                                        const struct cadre_rest *rest,
                                        const struct cadre_traffic *traffic,
                                        uint64_t now_ns)
{
    bool is_mute = rest->sent != traffic->came;
    bool is_deaf = rest->came != traffic->sent;
    uint64_t limit = (LIMIT_MS + traffic->bytes / BYTES_PER_MS) * MS;

    if (rest->generation == 0 || (!is_mute && !is_deaf)) {
        touch->since_ns = 0;
        return CADRE_TOUCH_FINE;
    }
    if (touch->since_ns == 0 || has_moved(touch, rest, traffic)) {
        *touch = (struct cadre_touch){
            .since_ns = now_ns, .rest = *rest, .came = traffic->came};
        return CADRE_TOUCH_FINE;
    }
    if (++touch->looks < LOOKS_LEAST || now_ns - touch->since_ns < limit)
        return CADRE_TOUCH_FINE;
    if (is_mute && (int32_t)(rest->sent - traffic->came) > 0)
        return CADRE_TOUCH_MUTE;
    /* One that works takes nothing: it must have looked in vain since. */
    return is_deaf && rest->times - touch->rest.times >= RESTS_LEAST
               ? CADRE_TOUCH_DEAF
               : CADRE_TOUCH_FINE;
}
