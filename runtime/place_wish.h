/* place_wish.h - a place on a host that the controller does not see.
 *
 * The controller plans its own host. A worker on another one is told what its
 * object wants there, and which of the ranks there it is; it looks at its own
 * machine and makes the same plan as its neighbours do, so that each takes its
 * part of it. What other objects hold on that host is not known to them.
 */
#ifndef CADRE_RUNTIME_PLACE_WISH_H
#define CADRE_RUNTIME_PLACE_WISH_H

#include "place.h"

struct cadre_place_wish {
    struct cadre_place_request request; /* of the ranks there; `hosts` is not
                                           looked at */
    uint32_t index;                     /* which of them this is */
};

/* Append the wish to `buffer`. CADRE_ENOMEM. */
cadre_err cadre_wish_encode(const struct cadre_place_wish *wish,
                            struct cadre_buffer *buffer);

/* Are these bytes a wish, not a place? */
bool cadre_is_wish(const void *data, size_t len);

/* CADRE_EPROTO, CADRE_EVERSION. */
cadre_err cadre_wish_decode(const void *data, size_t len,
                            struct cadre_place_wish *wish,
                            struct cadre_error *error);

/* What the wish comes to on `machine` (taken): the bytes of a place.
 * CADRE_EINVAL: it has too little. */
cadre_err cadre_wish_plan(const struct cadre_place_wish *wish,
                          struct cadre_machine *machine,
                          struct cadre_buffer *place,
                          struct cadre_error *error);

#endif
