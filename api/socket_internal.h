/* socket_internal.h - what the files of the socket share. */
#ifndef CADRE_API_SOCKET_INTERNAL_H
#define CADRE_API_SOCKET_INTERNAL_H

#include "internal.h"

#include "runtime/parent.h"
#include "runtime/port.h"

#include <cadre/socket.h>

/* One of the two ends: `port` on the controller, `parent` at the other. */
struct cadre_socket {
    struct cadre_socket *next; /* of the controller's open ones */
    struct cadre_engine *engine;
    struct cadre_port *port;
    struct cadre_parent *parent;
    double close_timeout_s;
    uint64_t last_number;        /* of a call */
    struct cadre_letter *letter; /* lent to the caller */
    struct call *reply;          /* likewise */
    bool *is_loss_told;          /* by rank */
};

/* The clock when `timeout_ms` is over; negative: never. */
uint64_t cadre_deadline(double timeout_ms);

/* Wait until `done(arg)`, making progress. Controller only. Under the lock.
 * Returns what done() said last. */
bool cadre_socket_await(struct cadre_socket *socket, bool (*done)(void *arg),
                        void *arg, uint64_t deadline_ns);

/* Is there a loss of a rank that receiving messages has not told? */
bool cadre_socket_has_loss(const struct cadre_socket *socket);

#endif
