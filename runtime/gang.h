/* gang.h - which teams to form and which to give up, where tasks of one object
 * want different numbers of ranks; a pure function.
 *
 * A *lane* is the tasks that want the same number of ranks. The lane that has
 * waited longest since it was served last comes first:
 *
 * - If there are free ranks enough, a team is formed for it.
 * - Else teams of other lanes that have nothing to do are given up.
 * - Else, if it has no team at all, as many busy teams of other lanes leave
 * when they have ended what they have, and what is free is kept for it, so that
 *   tasks of few ranks cannot starve one of many.
 * - Ranks that are kept, or more than needed, are lent to a later lane for one
 *   batch if its tasks are known to end before the others are free; so gaps are
 *   filled.
 */
#ifndef CADRE_RUNTIME_GANG_H
#define CADRE_RUNTIME_GANG_H

#include <stdbool.h>
#include <stdint.h>

struct cadre_lane_state {
    int ranks;         /* that each of its tasks wants */
    bool is_waiting;   /* tasks could start now */
    uint64_t since_ns; /* since then it waits */
    uint64_t task_ns;  /* a task takes so long; 0: not known */
    int idle;          /* teams with nothing to do */
    int busy;          /* others, but for those that leave */
};

struct cadre_gang_state {
    struct cadre_lane_state *lanes;
    int nlanes;
    int free;        /* ranks in no team */
    int leaving;     /* ranks of teams that leave */
    uint64_t gap_ns; /* until the first of those is free; 0: not known */
};

enum cadre_gang_action {
    CADRE_GANG_NONE,
    CADRE_GANG_FORM,     /* a team for `lane` */
    CADRE_GANG_FORM_ONE, /* a team for one batch of `lane` */
    CADRE_GANG_END_IDLE, /* an idle team of `lane` gives up its ranks */
    CADRE_GANG_END_BUSY  /* a busy one does when it has ended what it has */
};

struct cadre_gang_decision {
    enum cadre_gang_action action;
    int lane; /* index */
};

/* The next thing to do; asked again when it is done, until NONE. */
struct cadre_gang_decision
cadre_gang_decide(const struct cadre_gang_state *state);

/* The ranks of a team: `size` of the `n` whose host is not NULL (those are
 * free), the first ones, or, if `is_near`, the first ones that are all on one
 * host. `chosen` has room for `size` and gets their indices in ascending order.
 * False: there are not as many, and `chosen` holds nothing of use. */
bool cadre_gang_choose(const char *const *hosts, int n, int size, bool is_near,
                       int *chosen);

#endif
