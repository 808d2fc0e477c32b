/* parent.h - the other end of a socket: a program that was started by a
 * controller and exchanges letters with it. It runs no functions for it.
 *
 *     HELLO  -> WELCOME, or REFUSE where the versions differ
 *     LETTER -> kept until it is taken
 *     TEAM   -> from now on letters may be sent
 *     DISBAND, CLOSE -> nothing to do
 *     BYE    -> nothing more comes, and nothing more can be sent
 *
 * One thread uses it at a time. If the controller ends without a word, on this
 * host, waiting ends with CADRE_ELOST; and cadre_sentinel_start() ends the
 * process a while later.
 */
#ifndef CADRE_RUNTIME_PARENT_H
#define CADRE_RUNTIME_PARENT_H

#include "channel.h"
#include "letters.h"

struct cadre_parent;

/* Wait for the greeting of the controller behind `comm` (taken), answer it, and
 * wait until letters may be sent, until `deadline_ns`. `*parent` is given.
 *
 * CADRE_EVERSION, CADRE_EPROTO  it is of another version, or speaks nonsense.
 * CADRE_ELOST, CADRE_ETIMEOUT, CADRE_EMPI, CADRE_ENOMEM
 */
cadre_err cadre_parent_create(MPI_Comm comm, uint64_t deadline_ns,
                              struct cadre_parent **parent,
                              struct cadre_error *error);
void cadre_parent_destroy(struct cadre_parent *parent); /* NULL is allowed */

/* CADRE_ECLOSED, CADRE_ELOST, ...: there is nobody to send to. */
cadre_err cadre_parent_send(struct cadre_parent *parent,
                            const struct cadre_msg_letter *msg,
                            struct cadre_error *error);

/* Wait until there is a letter to take. CADRE_ETIMEOUT; CADRE_ECLOSED: the
 * controller has closed the socket; CADRE_ELOST: it has ended. */
cadre_err cadre_parent_wait(struct cadre_parent *parent, uint64_t deadline_ns,
                            struct cadre_error *error);

struct cadre_letters *cadre_parent_letters(struct cadre_parent *parent);

#endif
