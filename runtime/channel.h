/* channel.h - frames over an MPI intercommunicator.
 *
 * The only module that sends and receives with MPI. A channel connects this
 * process with the `peers` of the remote group (a controller with the workers
 * of a crew, or a worker with its controller as peer 0).
 *
 * Going out, frames for one peer are encoded one after another into its open
 * buffer; flush() sends each open buffer as one message, so that small frames
 * travel together. Coming in, receive() hands out whole messages, which hold
 * whole frames. Messages from one peer arrive in the order sent.
 *
 * A message is a multiple of 16 bytes, as frames are, and is counted in units
 * of 16: so one may exceed 2^31 bytes.
 *
 * The bulks (bulk.h) noted in a buffer follow its message as messages of their
 * own, from the memory where they are to the memory where they are wanted, in
 * pieces of at most 1 GiB. Such a message begins with what is to follow, all
 * numbers little-endian:
 *
 *     "CDRB", u32 number of bulks, u64 zero, then for each u64 bytes, u64 zero
 *
 * and is handed out when they are there. A bulk that comes for nobody, on a
 * worker, gets memory that is used again for the next one of its size.
 *
 * Nothing here blocks, nothing is collective, and no thread is made: the caller
 * serialises all calls on the channels of a process.
 */
#ifndef CADRE_RUNTIME_CHANNEL_H
#define CADRE_RUNTIME_CHANNEL_H

#include "frame.h"
#include "touch.h"

#include <mpi.h>

struct cadre_channel;

/* A message that has come in. */
struct cadre_message {
    int peer;
    void *data; /* aligned to 16; may be written to; lent until the channel's
                   next receive() */
    size_t len;
    struct cadre_bulks *bulks; /* lent likewise; who takes the memory of one
                                  sets is_owned to false */
};

/* Called when a message has come whose bulks have not: `data` of each may be
 * set (with its keeper held) to where it is to be received, `len` bytes. For
 * the others the channel allocates memory. */
typedef void (*cadre_place_fn)(void *user, const struct cadre_message *message);

/* The text of an MPI error code, as CADRE_EMPI (CADRE_OK for MPI_SUCCESS);
 * `what` says what was being done. */
cadre_err cadre_mpi_err(int code, const char *what, struct cadre_error *error);

/* Called when a message has been handed to MPI, to wake the peer; and again
 * each time it was seen to be still under way, or to have left: a first message
 * waits for the connection, a large one for the receiver, and what MPI puts off
 * can arrive long after it was handed over. */
typedef void (*cadre_sent_fn)(void *user, int peer);

/* A channel on `comm`, which is taken: freed by destroy, error handler set to
 * return. `sent` may be NULL. Local. */
cadre_err cadre_channel_create(MPI_Comm comm, cadre_sent_fn sent, void *user,
                               struct cadre_channel **channel,
                               struct cadre_error *error);

/* Local: unlike MPI_Comm_disconnect it cannot wait for a dead peer. Messages on
 * their way out are given `linger_ms` to leave. NULL is allowed. */
void cadre_channel_destroy(struct cadre_channel *channel, double linger_ms);

int cadre_channel_peers(const struct cadre_channel *channel);

/* What it is made of; lent. */
MPI_Comm cadre_channel_comm(const struct cadre_channel *channel);

/* Bytes that are under way to or from `peer`, as far as is known. May be called
 * by any thread. */
uint64_t cadre_channel_burden(const struct cadre_channel *channel, int peer);

/* The open buffer of `peer`: append frames to it. Lent until the next flush. */
struct cadre_buffer *cadre_channel_buffer(struct cadre_channel *channel,
                                          int peer);

/* Ask `place` about bulks. */
void cadre_channel_set_place(struct cadre_channel *channel,
                             cadre_place_fn place, void *user);

/* Give memory back that is kept for the next bulks. */
void cadre_channel_trim(struct cadre_channel *channel);

/* Complete sends, and nothing else: what was received last stays lent. */
void cadre_channel_push(struct cadre_channel *channel);

/* Is a bulk coming in, or was one sent so little ago that it is likely to be on
 * its way? Then MPI wants to be called all the time: it copies in small
 * pieces. */
bool cadre_channel_is_pressed(const struct cadre_channel *channel);

/* Send every open buffer. CADRE_EMPI: a peer's could not be sent and is
 * dropped; the others are on their way. CADRE_ENOMEM: those left stay open. */
cadre_err cadre_channel_flush(struct cadre_channel *channel,
                              struct cadre_error *error);

/* The next message that has arrived, if one has: `*message` is set and true
 * returned. Completes sends on the way. */
bool cadre_channel_receive(struct cadre_channel *channel,
                           struct cadre_message *message);

/* Nothing goes to or comes from `peer` any more (it has died, say): what is
 * under way is given up. Without this a message to the dead stays under way for
 * ever, and one that it had begun to send keeps all others out. */
void cadre_channel_drop_peer(struct cadre_channel *channel, int peer);

/* A peer with which a message was lost (MPI refused it, or there was no memory
 * for it), each once; -1: none. What was agreed with it holds no more. If
 * `*can_come` (NULL: not wanted), it was one to the peer, and what that has
 * sent before it died may still come. */
int cadre_channel_take_broken(struct cadre_channel *channel, bool *can_come);

/* Wait up to `limit_ms` until what was sent has left this process, so that it
 * arrives even if the process dies. True: it has. */
bool cadre_channel_settle(struct cadre_channel *channel, double limit_ms);

/* How many messages went to and came from `peer`. */
struct cadre_traffic cadre_channel_traffic(const struct cadre_channel *channel,
                                           int peer);

/* Is a message on its way out or in? Then progress must go on. */
bool cadre_channel_is_busy(const struct cadre_channel *channel);

#endif
