/* channel.c - frames over an intercommunicator: Isend out, Improbe in.
 *
 * Each outgoing message sits with its request in a `struct outgoing`; those
 * that are done give their buffer to the next. One incoming message at a time
 * is received into one buffer that grows to the largest.
 */
#include "channel.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TAG_FRAMES = 1,       /* the one tag: frames name their own type */
    SPARE_BYTES = 1 << 22 /* an idle buffer larger than this is given back */
};

/* A message under way. */
struct outgoing {
    struct outgoing *next;
    MPI_Request request;
    int peer;
    struct cadre_buffer buffer;
};

struct cadre_channel {
    MPI_Comm comm;
    MPI_Datatype unit; /* CADRE_FRAME_ALIGN bytes */
    int npeers;
    cadre_sent_fn sent;
    void *user;                /* for `sent` */
    struct cadre_buffer *open; /* one for each peer */
    int *filled;               /* peers that may have something to flush */
    int nfilled;
    bool *is_filled;
    bool *is_broken; /* by peer: a message was lost */
    int nbroken;
    struct outgoing *sending; /* oldest first */
    struct outgoing **sending_end;
    struct outgoing *spare;
    struct cadre_buffer incoming;
    MPI_Request receiving; /* of `incoming`, MPI_REQUEST_NULL: none */
    int receiving_from;
    size_t receiving_len;
};

cadre_err cadre_mpi_err(int code, const char *what, struct cadre_error *error)
{
    char text[MPI_MAX_ERROR_STRING];
    int len = 0;

    if (code == MPI_SUCCESS)
        return CADRE_OK;
    if (MPI_Error_string(code, text, &len) != MPI_SUCCESS)
        len = 0;
    return cadre_error_set(error, CADRE_EMPI, "%s: %.*s", what, len, text);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void free_list(struct outgoing *o)
{
    while (o != NULL) {
        struct outgoing *next = o->next;

        cadre_buffer_fini(&o->buffer);
        free(o);
        o = next;
    }
}

/* Give the buffer of a message that has left to the next one. */
static void recycle(struct cadre_channel *s, struct outgoing *o)
{
    if (o->buffer.capacity > SPARE_BYTES)
        cadre_buffer_fini(&o->buffer);
    o->buffer.len = 0;
    o->next = s->spare;
    s->spare = o;
}

/* Take messages that have left off the list; the others keep their order. */
static void complete_sends(struct cadre_channel *s)
{
    struct outgoing **at = &s->sending;

    while (*at != NULL) {
        struct outgoing *o = *at;
        int done = 0;

        /* An error means that the peer is gone: there is nobody to send to. */
        if (MPI_Test(&o->request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            done = 1;
        /* It may only now have reached the peer, who may be asleep. */
        if (s->sent != NULL)
            s->sent(s->user, o->peer);
        if (done) {
            *at = o->next;
            recycle(s, o);
        } else {
            at = &o->next;
        }
    }
    s->sending_end = at;
}

/* What has not left after `linger_ms` is left to MPI: its memory is not freed,
 * for MPI may still read it. */
static void linger(struct cadre_channel *s, double linger_ms)
{
    double deadline = now_ms() + linger_ms;

    complete_sends(s);
    while (s->sending != NULL && now_ms() < deadline)
        complete_sends(s);
    for (struct outgoing *o = s->sending; o != NULL; o = o->next)
        MPI_Request_free(&o->request);
    if (s->receiving != MPI_REQUEST_NULL) {
        MPI_Cancel(&s->receiving);
        MPI_Request_free(&s->receiving);
        s->incoming.data = NULL;
    }
}

void cadre_channel_destroy(struct cadre_channel *channel, double linger_ms)
{
    if (channel == NULL)
        return;
    linger(channel, linger_ms);
    for (int i = 0; i < channel->npeers && channel->open != NULL; i++)
        cadre_buffer_fini(&channel->open[i]);
    free_list(channel->spare);
    cadre_buffer_fini(&channel->incoming);
    free(channel->open);
    free(channel->filled);
    free(channel->is_filled);
    free(channel->is_broken);
    if (channel->unit != MPI_DATATYPE_NULL)
        MPI_Type_free(&channel->unit);
    if (channel->comm != MPI_COMM_NULL)
        MPI_Comm_free(&channel->comm);
    free(channel);
}

static cadre_err prepare(struct cadre_channel *s, struct cadre_error *error)
{
    cadre_err err;

    if ((err =
             cadre_mpi_err(MPI_Comm_set_errhandler(s->comm, MPI_ERRORS_RETURN),
                           "error handler", error)) != CADRE_OK ||
        (err = cadre_mpi_err(MPI_Comm_remote_size(s->comm, &s->npeers),
                             "remote size", error)) != CADRE_OK ||
        (err = cadre_mpi_err(
             MPI_Type_contiguous(CADRE_FRAME_ALIGN, MPI_BYTE, &s->unit),
             "data type", error)) != CADRE_OK ||
        (err = cadre_mpi_err(MPI_Type_commit(&s->unit), "data type", error)) !=
            CADRE_OK)
        return err;
    s->open = calloc((size_t)s->npeers, sizeof *s->open);
    s->filled = calloc((size_t)s->npeers, sizeof *s->filled);
    s->is_filled = calloc((size_t)s->npeers, sizeof *s->is_filled);
    s->is_broken = calloc((size_t)s->npeers, sizeof *s->is_broken);
    if (s->open == NULL || s->filled == NULL || s->is_filled == NULL ||
        s->is_broken == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    return CADRE_OK;
}

cadre_err cadre_channel_create(MPI_Comm comm, cadre_sent_fn sent, void *user,
                               struct cadre_channel **channel,
                               struct cadre_error *error)
{
    struct cadre_channel *s;
    cadre_err err;

    if ((s = calloc(1, sizeof *s)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    s->comm = comm;
    s->sent = sent;
    s->user = user;
    s->unit = MPI_DATATYPE_NULL;
    s->receiving = MPI_REQUEST_NULL;
    s->sending_end = &s->sending;
    if ((err = prepare(s, error)) != CADRE_OK) {
        s->comm = MPI_COMM_NULL; /* on failure it stays the caller's */
        cadre_channel_destroy(s, 0);
        return err;
    }
    *channel = s;
    return CADRE_OK;
}

int cadre_channel_peers(const struct cadre_channel *channel)
{
    return channel->npeers;
}

struct cadre_buffer *cadre_channel_buffer(struct cadre_channel *channel,
                                          int peer)
{
    assert(peer >= 0 && peer < channel->npeers);
    if (!channel->is_filled[peer]) {
        channel->is_filled[peer] = true;
        channel->filled[channel->nfilled++] = peer;
    }
    return &channel->open[peer];
}

static struct outgoing *take_outgoing(struct cadre_channel *s)
{
    struct outgoing *o = s->spare;

    if (o != NULL)
        s->spare = o->next;
    else
        o = calloc(1, sizeof *o);
    return o;
}

static void note_broken(struct cadre_channel *s, int peer)
{
    s->nbroken += !s->is_broken[peer];
    s->is_broken[peer] = true;
}

int cadre_channel_take_broken(struct cadre_channel *channel)
{
    for (int i = 0; channel->nbroken > 0 && i < channel->npeers; i++) {
        if (channel->is_broken[i]) {
            channel->is_broken[i] = false;
            channel->nbroken--;
            return i;
        }
    }
    return -1;
}

/* Give up receiving; MPI may still write to the memory, so it is left. */
static void abandon_receive(struct cadre_channel *s)
{
    MPI_Cancel(&s->receiving);
    MPI_Request_free(&s->receiving);
    s->receiving = MPI_REQUEST_NULL;
    s->incoming = (struct cadre_buffer){0};
}

void cadre_channel_drop_peer(struct cadre_channel *channel, int peer)
{
    struct outgoing **at = &channel->sending;

    while (*at != NULL) {
        struct outgoing *o = *at;

        if (o->peer == peer) { /* MPI may still read its buffer */
            *at = o->next;
            MPI_Request_free(&o->request);
            free(o);
        } else {
            at = &o->next;
        }
    }
    channel->sending_end = at;
    channel->open[peer].len = 0;
    if (channel->receiving != MPI_REQUEST_NULL &&
        channel->receiving_from == peer)
        abandon_receive(channel);
}

/* Send what stands in the open buffer of `peer` and leave an empty one. */
static cadre_err send_open(struct cadre_channel *s, int peer,
                           struct cadre_error *error)
{
    struct cadre_buffer *open = &s->open[peer];
    struct cadre_buffer empty;
    struct outgoing *o;
    int done = 0;
    cadre_err err;

    if ((o = take_outgoing(s)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    empty = o->buffer;
    o->buffer = *open;
    *open = empty;
    err = cadre_mpi_err(
        MPI_Isend(o->buffer.data, (int)(o->buffer.len / CADRE_FRAME_ALIGN),
                  s->unit, peer, TAG_FRAMES, s->comm, &o->request),
        "send", error);
    if (err == CADRE_OK && s->sent != NULL)
        s->sent(s->user, peer);
    if (err == CADRE_OK && s->sending == NULL &&
        MPI_Test(&o->request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
        done = 1;
    if (err != CADRE_OK || done) {
        recycle(s, o);
        return err;
    }
    o->next = NULL;
    o->peer = peer;
    *s->sending_end = o;
    s->sending_end = &o->next;
    return CADRE_OK;
}

cadre_err cadre_channel_flush(struct cadre_channel *channel,
                              struct cadre_error *error)
{
    cadre_err result = CADRE_OK;

    while (channel->nfilled > 0) {
        int peer = channel->filled[channel->nfilled - 1];
        cadre_err err = CADRE_OK;

        if (channel->open[peer].len > 0)
            err = send_open(channel, peer, error);
        if (err == CADRE_ENOMEM)
            return err;
        if (err != CADRE_OK) {
            note_broken(channel, peer);
            result = err;
        }
        channel->is_filled[peer] = false;
        channel->nfilled--;
    }
    return result;
}

/* Look for a message; if one has arrived, start to receive it. */
static bool begin_receive(struct cadre_channel *s)
{
    MPI_Message matched;
    MPI_Status status;
    int found = 0, units = 0;

    if (MPI_Improbe(MPI_ANY_SOURCE, TAG_FRAMES, s->comm, &found, &matched,
                    &status) != MPI_SUCCESS ||
        !found)
        return false;
    MPI_Get_count(&status, s->unit, &units);
    s->receiving_from = status.MPI_SOURCE;
    s->receiving_len = (size_t)units * CADRE_FRAME_ALIGN;
    s->incoming.len = 0;
    if (cadre_buffer_reserve(&s->incoming, s->receiving_len) != CADRE_OK) {
        /* No room for it: take it off the queue, shortened to nothing. */
        MPI_Imrecv(NULL, 0, s->unit, &matched, &s->receiving);
        MPI_Wait(&s->receiving, MPI_STATUS_IGNORE); /* an error: cut short */
        s->receiving = MPI_REQUEST_NULL;
        note_broken(s, s->receiving_from);
        return false;
    }
    return MPI_Imrecv(s->incoming.data, units, s->unit, &matched,
                      &s->receiving) == MPI_SUCCESS;
}

bool cadre_channel_receive(struct cadre_channel *channel,
                           struct cadre_message *message)
{
    int done = 0;

    if (channel->sending != NULL)
        complete_sends(channel);
    if (channel->receiving == MPI_REQUEST_NULL && !begin_receive(channel))
        return false;
    if (MPI_Test(&channel->receiving, &done, MPI_STATUS_IGNORE) !=
        MPI_SUCCESS) {
        channel->receiving = MPI_REQUEST_NULL; /* it died while sending */
        note_broken(channel, channel->receiving_from);
        return false;
    }
    if (!done)
        return false;
    *message = (struct cadre_message){.peer = channel->receiving_from,
                                      .data = channel->incoming.data,
                                      .len = channel->receiving_len};
    return true;
}

bool cadre_channel_settle(struct cadre_channel *channel, double limit_ms)
{
    double deadline;

    if (channel->sending == NULL)
        return true;
    deadline = now_ms() + limit_ms;
    complete_sends(channel);
    while (channel->sending != NULL && now_ms() < deadline) {
        sched_yield(); /* perhaps to the one who is to take it */
        complete_sends(channel);
    }
    return channel->sending == NULL;
}

bool cadre_channel_is_busy(const struct cadre_channel *channel)
{
    return channel->sending != NULL || channel->receiving != MPI_REQUEST_NULL;
}
