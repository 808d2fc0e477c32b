/* gang.c - see gang.h. */
#include "gang.h"

#include <stddef.h>
#include <string.h>

static const struct cadre_gang_decision none = {CADRE_GANG_NONE, 0};

static bool is_needy(const struct cadre_lane_state *l)
{
    return l->is_waiting && l->idle == 0;
}

/* The needy lane that has waited longest, later than `after` (-1: any). */
static int next_needy(const struct cadre_gang_state *s, int after)
{
    int best = -1;

    for (int i = 0; i < s->nlanes; i++) {
        const struct cadre_lane_state *l = &s->lanes[i];
        bool is_later = after < 0 || l->since_ns > s->lanes[after].since_ns ||
                        (l->since_ns == s->lanes[after].since_ns && i > after);

        if (is_needy(l) && is_later &&
            (best < 0 || l->since_ns < s->lanes[best].since_ns))
            best = i;
    }
    return best;
}

/* Do teams of `ranks` give what is missing more exactly than teams of `best`?
 */
static bool is_nearer(int ranks, int best, int missing)
{
    if (ranks >= missing)
        return best < missing || ranks < best;
    return best < missing && ranks > best;
}

/* A lane with idle teams. */
static int idle_lane(const struct cadre_gang_state *s, int missing)
{
    int best = -1;

    for (int i = 0; i < s->nlanes; i++) {
        const struct cadre_lane_state *l = &s->lanes[i];

        if (l->idle > 0 &&
            (best < 0 || is_nearer(l->ranks, s->lanes[best].ranks, missing)))
            best = i;
    }
    return best;
}

/* The lane other than `lane` that keeps most ranks busy. */
static int busy_lane(const struct cadre_gang_state *s, int lane)
{
    int best = -1;

    for (int i = 0; i < s->nlanes; i++) {
        const struct cadre_lane_state *l = &s->lanes[i];

        if (i != lane && l->busy > 0 &&
            (best < 0 ||
             l->ranks * l->busy > s->lanes[best].ranks * s->lanes[best].busy))
            best = i;
    }
    return best;
}

/* What can be lent of the free ranks while `first` waits for more. */
static struct cadre_gang_decision fill_gap(const struct cadre_gang_state *s,
                                           int first)
{
    const struct cadre_lane_state *f = &s->lanes[first];
    int spare = s->free + s->leaving - f->ranks;

    for (int i = next_needy(s, first); i >= 0; i = next_needy(s, i)) {
        const struct cadre_lane_state *l = &s->lanes[i];

        if (l->ranks > s->free)
            continue;
        if (f->busy > 0 || l->ranks <= spare)
            return (struct cadre_gang_decision){CADRE_GANG_FORM, i};
        if (l->task_ns > 0 && l->task_ns < s->gap_ns)
            return (struct cadre_gang_decision){CADRE_GANG_FORM_ONE, i};
    }
    return none;
}

struct cadre_gang_decision
cadre_gang_decide(const struct cadre_gang_state *state)
{
    int first = next_needy(state, -1), i, missing;
    const struct cadre_lane_state *f;

    if (first < 0)
        return none;
    f = &state->lanes[first];
    missing = f->ranks - state->free;
    if (missing <= 0)
        return (struct cadre_gang_decision){CADRE_GANG_FORM, first};
    if ((i = idle_lane(state, missing)) >= 0)
        return (struct cadre_gang_decision){CADRE_GANG_END_IDLE, i};
    if (f->busy == 0 && missing > state->leaving &&
        (i = busy_lane(state, first)) >= 0)
        return (struct cadre_gang_decision){CADRE_GANG_END_BUSY, i};
    return fill_gap(state, first);
}

/* As many of `size` as are free from `first` on, on its host if `is_near`. */
static int choose_from(const char *const *hosts, int n, int first, int size,
                       bool is_near, int *chosen)
{
    int count = 0;

    for (int i = first; i < n && count < size; i++) {
        if (hosts[i] != NULL &&
            (!is_near || strcmp(hosts[i], hosts[first]) == 0))
            chosen[count++] = i;
    }
    return count;
}

bool cadre_gang_choose(const char *const *hosts, int n, int size, bool is_near,
                       int *chosen)
{
    for (int first = 0; first + size <= n; first++) {
        if (hosts[first] != NULL &&
            choose_from(hosts, n, first, size, is_near, chosen) == size)
            return true;
    }
    return false;
}
