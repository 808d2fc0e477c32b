/* touch.h - does what a process of this host sends still arrive? Pure.
 *
 * MPI's fast way within a host (UCX) is a ring in shared memory that all who
 * send to a process share. A sender takes a place in it, writes the message
 * there, and marks it as written. One that is killed in between, with SIGKILL
 * or by the kernel when memory is short, leaves a place that is never marked,
 * and the receiver waits at it for ever: nothing of what anybody sends it in
 * this way arrives any more. No error says so.
 *
 * So whenever a worker has nothing to do it writes on its board (bell.h) how
 * many messages it has sent and how many have come, and the controller
 * compares. What is under way arrives soon, as both poll; what does not for
 * seconds never will.
 */
#ifndef CADRE_RUNTIME_TOUCH_H
#define CADRE_RUNTIME_TOUCH_H

#include <stdbool.h>
#include <stdint.h>

/* Messages of one peer, both ways; the counts wrap. */
struct cadre_traffic {
    uint32_t sent;  /* handed to MPI */
    uint32_t came;  /* arrived whole */
    uint64_t bytes; /* of messages under way, either way */
    bool is_behind; /* one from another is being received, and what comes from
                       this one waits for it */
};

/* What a worker says of itself while it has nothing to do. */
struct cadre_rest {
    uint32_t generation; /* of its crew; 0: it has not said anything yet */
    uint32_t sent;       /* messages to the controller */
    uint32_t came;       /* messages from it */
    uint32_t times;      /* it has looked in vain so often; wraps */
};

enum cadre_touch_state {
    CADRE_TOUCH_FINE = 0, /* or nobody knows yet */
    CADRE_TOUCH_MUTE,     /* what it sends does not arrive here */
    CADRE_TOUCH_DEAF      /* what is sent to it does not arrive there */
};

/* What was seen when all was not well last; zeros: all is well. */
struct cadre_touch {
    uint64_t since_ns;
    uint32_t looks; /* since then */
    struct cadre_rest rest;
    uint32_t came; /* here */
};

/* Look again: every 0.1 s or so, having taken from MPI what has come. */
enum cadre_touch_state cadre_touch_look(struct cadre_touch *touch,
                                        const struct cadre_rest *rest,
                                        const struct cadre_traffic *traffic,
                                        uint64_t now_ns);

#endif
