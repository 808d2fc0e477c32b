/* socket.h - frames over an MPI intercommunicator.
 *
 * The only module that sends and receives with MPI. A socket connects this
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
 * Nothing here blocks, nothing is collective, and no thread is made: the caller
 * serialises all calls on the sockets of a process.
 */
#ifndef CADRE_RUNTIME_SOCKET_H
#define CADRE_RUNTIME_SOCKET_H

#include "frame.h"

#include <mpi.h>

struct cadre_socket;

/* A message that has come in. */
struct cadre_message {
    int peer;
    void *data; /* aligned to 16; may be written to; lent until the socket's
                   next receive() */
    size_t len;
};

/* The text of an MPI error code, as CADRE_EMPI (CADRE_OK for MPI_SUCCESS);
 * `what` says what was being done. */
cadre_err cadre_mpi_err(int code, const char *what, struct cadre_error *error);

/* Called when a message has been handed to MPI, to wake the peer; and again
 * each time it was seen to be still under way, or to have left: a first message
 * waits for the connection, a large one for the receiver, and what MPI puts off
 * can arrive long after it was handed over. */
typedef void (*cadre_sent_fn)(void *user, int peer);

/* A socket on `comm`, which is taken: freed by destroy, error handler set to
 * return. `sent` may be NULL. Local. */
cadre_err cadre_socket_create(MPI_Comm comm, cadre_sent_fn sent, void *user,
                              struct cadre_socket **socket,
                              struct cadre_error *error);

/* Local: unlike MPI_Comm_disconnect it cannot wait for a dead peer. Messages on
 * their way out are given `linger_ms` to leave. NULL is allowed. */
void cadre_socket_destroy(struct cadre_socket *socket, double linger_ms);

int cadre_socket_peers(const struct cadre_socket *socket);

/* The open buffer of `peer`: append frames to it. Lent until the next flush. */
struct cadre_buffer *cadre_socket_buffer(struct cadre_socket *socket, int peer);

/* Send every open buffer. CADRE_EMPI: a peer's could not be sent and is
 * dropped; the others are on their way. CADRE_ENOMEM: those left stay open. */
cadre_err cadre_socket_flush(struct cadre_socket *socket,
                             struct cadre_error *error);

/* The next message that has arrived, if one has: `*message` is set and true
 * returned. Completes sends on the way. */
bool cadre_socket_receive(struct cadre_socket *socket,
                          struct cadre_message *message);

/* Nothing goes to or comes from `peer` any more (it has died, say): what is
 * under way is given up. Without this a message to the dead stays under way for
 * ever, and one that it had begun to send keeps all others out. */
void cadre_socket_drop_peer(struct cadre_socket *socket, int peer);

/* A peer with which a message was lost (MPI refused it, or there was no memory
 * for it), each once; -1: none. What was agreed with it holds no more. */
int cadre_socket_take_broken(struct cadre_socket *socket);

/* Is a message on its way out or in? Then progress must go on. */
bool cadre_socket_is_busy(const struct cadre_socket *socket);

#endif
