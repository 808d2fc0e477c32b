/* cadre/socket.h - speaking with other processes directly: start a program,
 * send it calls or messages of your own, receive what it answers. No queue, no
 * balancing: you say which process gets what.
 *
 *     struct cadre_socket *sock;
 *     struct cadre_reply reply;
 *
 *     cadre_socket_open(&(struct cadre_socket_options){.ranks = 1}, &sock);
 *     cadre_socket_call(sock, CADRE_FN(add), 2, 5);
 *     cadre_socket_receive(sock, &reply, 1000);
 *     cadre_reply_result(&reply, CADRE_INTO(&sum));
 *     cadre_socket_close(sock);
 *
 * What is at the other end is one of two:
 *
 *     a worker (this program, `cadre-worker`): it takes calls;
 *     a program of yours that begins with cadre_socket_accept(): it takes
 *     messages, and sends some.
 *
 * docs/protocol.md says what travels between the two. A socket is used from any
 * thread, by one at a time. Every wait has a limit, and ends when the other end
 * is lost.
 */
#ifndef CADRE_SOCKET_H
#define CADRE_SOCKET_H

#include <cadre/future.h>
#include <cadre/message.h>

struct cadre_socket;

/* Zero means the default. */
struct cadre_socket_options {
    /* What to run: a path, or a name found beside the library or in PATH;
     * default: this program, whose functions can be called. */
    const char *command;
    /* Its arguments, ended by NULL; default: none, and this program's own for
     * this program. */
    const char *const *args;
    /* How many processes; default 1. */
    int ranks;
    /* Their working directory; default: this one. */
    const char *cwd;
    /* Called on each of them before cadre_socket_open() returns; if it fails so
     * does that. */
    struct cadre_function *init_function;
    /* More ranks than cores are allowed. */
    bool oversubscribe;
    /* Starting them may take this long; default 60. */
    double spawn_timeout_s;
    /* Those that have not ended so long after cadre_socket_close() are ended;
     * default 5. */
    double close_timeout_s;
};

/* Get the processes: resident workers (mpirun -n N) if enough are free and
 * neither command, arguments nor directory are given, else new ones. `*socket`
 * is given: cadre_socket_close(). The controller only. Blocks.
 *
 * CADRE_EINVAL                   an option; the text names it.
 * CADRE_ENOTFOUND                no such program or directory.
 * CADRE_ESPAWN, CADRE_ETIMEOUT   they did not start.
 * CADRE_EVERSION, CADRE_EPROTO   they are of another version.
 * CADRE_ETASK                    the init function failed.
 */
CADRE_API cadre_err cadre_socket_open(
    const struct cadre_socket_options *options, struct cadre_socket **socket);

/* The other end: in a program that was started as a socket's command, first
 * thing in main(), instead of cadre_init(). Starts MPI unless the program has
 * done so, and waits at most `timeout_ms` (negative: for ever) for the
 * controller, who comes when all of the socket's processes have started. What
 * is sent from then on arrives. `*socket` is given: cadre_socket_close(). If
 * the controller ends, so does this process, 3 seconds later.
 *
 * CADRE_ESTATE    it was not started by a controller: call cadre_init(), if the
 *                 program is to be one itself.
 * CADRE_EVERSION  the controller is of another version.
 * CADRE_ETIMEOUT, CADRE_ELOST, CADRE_EMPI
 */
CADRE_API cadre_err cadre_socket_accept(int *argc, char ***argv,
                                        double timeout_ms,
                                        struct cadre_socket **socket);

/* How many there are at the other end. */
CADRE_API int cadre_socket_ranks(const struct cadre_socket *socket);

/* On the controller: let them go; who is busy is given a time
 * (close_timeout_s), then ended. Replies and messages that were not taken are
 * dropped. At the other end: ends MPI if cadre_socket_accept() started it. NULL
 * is allowed. */
CADRE_API void cadre_socket_close(struct cadre_socket *socket);

/* --- calls ---------------------------------------------------------------- */

/* Call a function on one of the workers: cadre_socket_call(sock, CADRE_FN(add),
 * 2, 5) on rank 0, cadre_socket_call_on(sock, rank, ...) on another. Arguments
 * are those of cadre_submit(). Sends and returns at once the number of the
 * call, 1 and up. Its reply is received in its turn, whatever becomes of it:
 * wrong arguments, a lost worker. A communicator that the function takes is
 * that of all ranks; each has to be called.
 *
 * 0: the socket is NULL or takes no calls, the rank is none of its own, or
 * memory is out; no reply will come, cadre_error_text() says why. */
#define cadre_socket_call(socket, ...)                                         \
    (cadre_socket_invoke((socket), 0, CADRE_CALL_(__VA_ARGS__)))
#define cadre_socket_call_on(socket, rank, ...)                                \
    (cadre_socket_invoke((socket), (rank), CADRE_CALL_(__VA_ARGS__)))
CADRE_API uint64_t cadre_socket_invoke(struct cadre_socket *socket, int rank,
                                       struct cadre_invocation call);

/* Call an init function on one of the workers: like any call, and the reply
 * says how it went. */
CADRE_API uint64_t cadre_socket_init(struct cadre_socket *socket, int rank,
                                     struct cadre_function *init_function);

/* What became of a call. */
struct cadre_reply {
    int rank;
    uint64_t number;  /* of the call */
    cadre_err err;    /* CADRE_OK, CADRE_ETYPE, CADRE_ETASK, CADRE_ELOST, ... */
    int kind;         /* the function's own (cadre_task_fail) */
    const char *text; /* why, and where; "" */
    const struct cadre_reply_values_ *values;
};

/* The next reply: of each worker in the order of the calls, of several workers
 * in the order they come. Waits at most `timeout_ms` (negative: until it
 * comes).
 * `*reply` is lent until the next receive, or close.
 *
 * CADRE_OK        one has come, whatever it says.
 * CADRE_ETIMEOUT
 * CADRE_ESTATE    every call has been answered.
 */
CADRE_API cadre_err cadre_socket_receive(struct cadre_socket *socket,
                                         struct cadre_reply *reply,
                                         double timeout_ms);

/* Take the outputs: cadre_reply_result(&reply, CADRE_INTO(&sum)). May be called
 * again. The reply's error if it has one; CADRE_ETYPE: the room is of the wrong
 * type or too small. */
CADRE_API cadre_err cadre_reply_result(const struct cadre_reply *reply,
                                       struct cadre_outputs into);

/* --- messages ------------------------------------------------------------- */

enum { CADRE_ANY_RANK = -1 };

/* Send values: cadre_socket_send(sock, rank, tag, 2, 0.5, "text",
 * CADRE_ELEMENTS(x, n)). Numbers, strings and arrays of numbers travel with
 * their types; `tag` is any number that tells the receiver what it is. Copied;
 * does not wait. The other end's only `rank` is 0.
 *
 * CADRE_EINVAL   no such rank, or too many values.
 * CADRE_ETYPE    a value that cannot be sent; the text says which.
 * CADRE_ELOST    the other end is lost; CADRE_ECLOSED: the controller has
 * closed the socket. CADRE_ENOMEM, CADRE_EMPI
 */
#define cadre_socket_send(socket, rank, tag, ...)                              \
    (cadre_socket_send_values((socket), (rank), (tag),                         \
                              CADRE_VALUES(__VA_ARGS__)))
/* The same with values from elsewhere, CADRE_NO_VALUES for none. */
CADRE_API cadre_err cadre_socket_send_values(struct cadre_socket *socket,
                                             int rank, int tag,
                                             struct cadre_values values);

/* The first `n` elements of `x`, an array or a pointer, as one value. */
#define CADRE_ELEMENTS(x, n)                                                   \
    ((struct cadre_value){                                                     \
        .type = CADRE_ELEMENT_TYPE_(x),                                        \
        .is_array = true,                                                      \
        .bytes = CADRE_IS_POINTERS_(x)                                         \
                     ? SIZE_MAX                                                \
                     : cadre_bytes_of_((n), sizeof((x)[0]), CADRE_BYTES_(x)),  \
        .pointer = (x)})

/* SIZE_MAX: there is no room for so many. */
static inline size_t cadre_bytes_of_(size_t n, size_t size, size_t room)
{
    size_t bytes;

    return __builtin_mul_overflow(n, size, &bytes) || bytes > room ? SIZE_MAX
                                                                   : bytes;
}

/* The next message of `rank` (CADRE_ANY_RANK: of anybody), in the order sent.
 * Waits at most `timeout_ms` (negative: until it comes). `*message` is lent
 * until the next one is received, or close.
 *
 * CADRE_ETIMEOUT
 * CADRE_ELOST     `rank` is lost and has sent nothing more; with CADRE_ANY_RANK
 *                 once for each that is lost, then when all are.
 * CADRE_ECLOSED   the controller has closed the socket.
 * CADRE_EINVAL    no such rank.
 */
CADRE_API cadre_err cadre_socket_receive_message(
    struct cadre_socket *socket, int rank, struct cadre_socket_message *message,
    double timeout_ms);

/* Copy the values: cadre_message_read(&message, CADRE_INTO(&i, x, &text)).
 * There must be as many of them as places, each of its place's type and, where
 * its size is known, with exactly as many elements; where you do not know them
 * before, look at message.parts. A string is a copy to free().
 *
 * CADRE_ETYPE   a mismatch; the text names both. Nothing was copied.
 * CADRE_ENOMEM
 */
CADRE_API cadre_err cadre_message_read(
    const struct cadre_socket_message *message, struct cadre_outputs into);

/* --- both ----------------------------------------------------------------- */

enum cadre_socket_events {
    CADRE_HAS_REPLY = 1,
    CADRE_HAS_MESSAGE = 2,
    CADRE_HAS_LOSS = 4 /* receiving a message will say what */
};

/* Wait until one of these is there, at most `timeout_ms` (0: just look, and let
 * things move; negative: until it is). `*events` may be NULL. CADRE_ETIMEOUT.
 */
CADRE_API cadre_err cadre_socket_poll(struct cadre_socket *socket,
                                      double timeout_ms, unsigned *events);

#endif
