/* channel.c - frames over an intercommunicator: Isend out, Improbe in.
 *
 * Each outgoing message sits with its request in a `struct outgoing`; those
 * that are done give their buffer to the next. One incoming message at a time
 * is received into one buffer that grows to the largest.
 */
#include "channel.h"

#include "bytes.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TAG_FRAMES = 1, /* frames name their own type */
    TAG_BULK = 2,   /* pieces of what the last frames announced */
    PIECE_BYTES = 1 << 30,
    ANNOUNCE_HEADER = 16, /* bytes, and of each bulk announced */
    DROP_MS = 200,        /* for a receive from a peer that is dropped */
    SPARE_BYTES = 1 << 22 /* an idle buffer larger than this is given back */
};

static const unsigned char announce_magic[4] = {'C', 'D', 'R', 'B'};

/* Requests of the pieces of bulks. */
struct pieces {
    MPI_Request *list;
    size_t count;
    size_t missing; /* bytes that have not come; 0 for those that leave */
    bool has_failed;
};

/* A message under way. */
struct outgoing {
    struct outgoing *next;
    MPI_Request request;
    int peer;
    size_t burden; /* its bytes, while they are counted as under way */
    struct cadre_buffer buffer;
    struct pieces pieces; /* of its bulks */
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
    bool *is_broken;               /* by peer: a message was lost */
    bool *has_gap;                 /* by peer: one that came */
    struct cadre_traffic *traffic; /* by peer */
    int nbroken;
    struct outgoing *sending; /* oldest first */
    struct outgoing **sending_end;
    struct outgoing *spare;
    struct cadre_buffer incoming;
    MPI_Request receiving; /* of `incoming`, MPI_REQUEST_NULL: none */
    int receiving_from;
    size_t receiving_len;
    struct cadre_bulks bulks;       /* of the message being received, or lent */
    struct pieces arriving;         /* of them */
    size_t announce_len;            /* bytes before the frames of `incoming` */
    struct cadre_bulks spare_bulks; /* owned memory for the next ones */
    cadre_place_fn place;           /* NULL: bulks come for nobody */
    void *place_user;
    bool *is_dropped;         /* by peer */
    _Atomic uint64_t *burden; /* by peer: bytes under way */
    size_t arriving_burden;   /* those of it that are being received */
    uint64_t pressed_until;   /* ms: see is_pressed() */
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

/* --- bytes under way ------------------------------------------------------ */

static size_t bytes_of(const struct cadre_bulks *bulks)
{
    size_t bytes = 0;

    for (size_t i = 0; i < bulks->count; i++)
        bytes += bulks->list[i].len;
    return bytes;
}

static void burden_sending(struct cadre_channel *s, struct outgoing *o)
{
    o->burden = o->buffer.len + bytes_of(&o->buffer.bulks);
    atomic_fetch_add(&s->burden[o->peer], o->burden);
}

static void unburden_sending(struct cadre_channel *s, struct outgoing *o)
{
    atomic_fetch_sub(&s->burden[o->peer], o->burden);
    o->burden = 0;
}

/* `bytes` more are being received. */
static void burden_receiving(struct cadre_channel *s, size_t bytes)
{
    s->arriving_burden += bytes;
    atomic_fetch_add(&s->burden[s->receiving_from], bytes);
}

static void unburden_receiving(struct cadre_channel *s)
{
    if (s->arriving_burden > 0)
        atomic_fetch_sub(&s->burden[s->receiving_from], s->arriving_burden);
    s->arriving_burden = 0;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* --- pieces of bulks ------------------------------------------------------ */

static size_t pieces_of(const struct cadre_bulks *bulks)
{
    size_t n = 0;

    for (size_t i = 0; i < bulks->count; i++)
        n += bulks->list[i].len / PIECE_BYTES +
             (bulks->list[i].len % PIECE_BYTES > 0);
    return n;
}

static bool make_pieces(const struct cadre_bulks *bulks, struct pieces *pieces)
{
    size_t n = pieces_of(bulks);

    *pieces = (struct pieces){0};
    return n == 0 || (pieces->list = calloc(n, sizeof(MPI_Request))) != NULL;
}

/* Start one transfer of `data` after another; there is room for them. */
static int start_pieces(struct cadre_channel *s, int peer, bool is_out,
                        const struct cadre_bulks *bulks, struct pieces *pieces)
{
    int code = MPI_SUCCESS;

    for (size_t i = 0; i < bulks->count; i++) {
        unsigned char *data = bulks->list[i].data;
        size_t len = bulks->list[i].len, n;

        for (size_t at = 0; at < len && code == MPI_SUCCESS; at += n) {
            MPI_Request *r = &pieces->list[pieces->count];

            n = len - at < PIECE_BYTES ? len - at : PIECE_BYTES;
            code = is_out ? MPI_Isend(data + at, (int)n, MPI_BYTE, peer,
                                      TAG_BULK, s->comm, r)
                          : MPI_Irecv(data + at, (int)n, MPI_BYTE, peer,
                                      TAG_BULK, s->comm, r);
            pieces->count += code == MPI_SUCCESS;
        }
    }
    return code;
}

static void forget_pieces(struct pieces *pieces)
{
    free(pieces->list);
    *pieces = (struct pieces){0};
}

/* Those of the last piece, which has come, are not missing any more. */
static void count_bytes(struct pieces *pieces, const MPI_Status *status)
{
    int n = 0;

    if (pieces->missing == 0)
        return;
    MPI_Get_count(status, MPI_BYTE, &n);
    pieces->missing -= n > 0 ? (size_t)n : 0;
}

/* Are they all through, well or not? */
static bool test_pieces(struct pieces *pieces)
{
    while (pieces->count > 0) {
        MPI_Status status;
        int done = 0;

        if (MPI_Test(&pieces->list[pieces->count - 1], &done, &status) !=
            MPI_SUCCESS)
            pieces->has_failed = true;
        else if (done)
            count_bytes(pieces, &status);
        else
            return false;
        pieces->count--;
    }
    return true;
}

/* Those that are not through are left to MPI. */
static void leave_pieces(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++)
        if (pieces->list[i] != MPI_REQUEST_NULL)
            MPI_Request_free(&pieces->list[i]);
    forget_pieces(pieces);
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
    forget_pieces(&o->pieces);
    cadre_bulks_cut(&o->buffer.bulks, 0);
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
        done = done && test_pieces(&o->pieces);
        /* It may only now have reached the peer, who may be asleep. */
        if (s->sent != NULL)
            s->sent(s->user, o->peer);
        if (done) {
            *at = o->next;
            unburden_sending(s, o);
            recycle(s, o);
        } else {
            at = &o->next;
        }
    }
    s->sending_end = at;
}

/* A message that does not leave any more. Its memory is not freed, for MPI may
 * still read it; that of bulks is not ours. */
static void abandon_send(struct outgoing *o)
{
    if (o->request != MPI_REQUEST_NULL)
        MPI_Request_free(&o->request);
    leave_pieces(&o->pieces);
    cadre_bulks_fini(&o->buffer.bulks);
}

/* Bulks that arrive no more. MPI is given a moment to see that, as their memory
 * may be the user's; what it still may write to then is not freed. */
static void abandon_bulks(struct cadre_channel *s)
{
    double deadline = now_ms() + DROP_MS;

    for (size_t i = 0; i < s->arriving.count; i++)
        MPI_Cancel(&s->arriving.list[i]);
    while (!test_pieces(&s->arriving) && now_ms() < deadline) {
    }
    for (size_t i = 0; s->arriving.count > 0 && i < s->bulks.count; i++)
        s->bulks.list[i].is_owned = false;
    leave_pieces(&s->arriving);
    cadre_bulks_cut(&s->bulks, 0);
}

/* What has not left after `linger_ms` is left to MPI. */
static void linger(struct cadre_channel *s, double linger_ms)
{
    double deadline = now_ms() + linger_ms;

    complete_sends(s);
    while (s->sending != NULL && now_ms() < deadline)
        complete_sends(s);
    for (struct outgoing *o = s->sending; o != NULL; o = o->next)
        abandon_send(o);
    if (s->arriving.count > 0)
        abandon_bulks(s);
    if (s->receiving != MPI_REQUEST_NULL) {
        MPI_Cancel(&s->receiving);
        MPI_Request_free(&s->receiving);
        s->incoming.data = NULL;
    }
}

/* Take a message off the queue without looking at it. If its sender has died in
 * the middle of it, its end is not waited for. (It is not tested either: Open
 * MPI would crash on the error that it was cut short.) */
static void discard(struct cadre_channel *s, MPI_Message *matched)
{
    MPI_Request request = MPI_REQUEST_NULL;

    if (MPI_Imrecv(NULL, 0, s->unit, matched, &request) == MPI_SUCCESS &&
        request != MPI_REQUEST_NULL)
        MPI_Request_free(&request);
}

/* What has come and was never asked for: MPI would keep it for the communicator
 * that gets this one's number next. */
static void purge(struct cadre_channel *s)
{
    enum {
        LOOKS = 3
    }; /* MPI_Improbe looks first and moves things afterwards */

    for (int i = 0; i < LOOKS; i++) {
        MPI_Message matched;
        int found = 0;

        while (MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, s->comm, &found,
                           &matched, MPI_STATUS_IGNORE) == MPI_SUCCESS &&
               found)
            discard(s, &matched);
    }
}

void cadre_channel_destroy(struct cadre_channel *channel, double linger_ms)
{
    if (channel == NULL)
        return;
    linger(channel, linger_ms);
    if (channel->comm != MPI_COMM_NULL)
        purge(channel);
    for (int i = 0; i < channel->npeers && channel->open != NULL; i++)
        cadre_buffer_fini(&channel->open[i]);
    free_list(channel->spare);
    cadre_buffer_fini(&channel->incoming);
    cadre_bulks_fini(&channel->bulks);
    cadre_bulks_fini(&channel->spare_bulks);
    free(channel->is_dropped);
    free(channel->burden);
    free(channel->open);
    free(channel->filled);
    free(channel->is_filled);
    free(channel->is_broken);
    free(channel->has_gap);
    free(channel->traffic);
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
    s->is_dropped = calloc((size_t)s->npeers, sizeof *s->is_dropped);
    s->has_gap = calloc((size_t)s->npeers, sizeof *s->has_gap);
    s->traffic = calloc((size_t)s->npeers, sizeof *s->traffic);
    s->burden = calloc((size_t)s->npeers, sizeof *s->burden);
    if (s->burden == NULL || s->has_gap == NULL || s->traffic == NULL ||
        s->is_dropped == NULL || s->open == NULL || s->filled == NULL ||
        s->is_filled == NULL || s->is_broken == NULL)
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

MPI_Comm cadre_channel_comm(const struct cadre_channel *channel)
{
    return channel->comm;
}

uint64_t cadre_channel_burden(const struct cadre_channel *channel, int peer)
{
    return atomic_load(&channel->burden[peer]);
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

static void note_broken(struct cadre_channel *s, int peer, bool came)
{
    s->nbroken += !s->is_broken[peer];
    s->is_broken[peer] = true;
    s->has_gap[peer] |= came;
}

int cadre_channel_take_broken(struct cadre_channel *channel, bool *can_come)
{
    for (int i = 0; channel->nbroken > 0 && i < channel->npeers; i++) {
        if (channel->is_broken[i]) {
            channel->is_broken[i] = false;
            channel->nbroken--;
            if (can_come != NULL)
                *can_come = !channel->has_gap[i];
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

        if (o->peer == peer) {
            *at = o->next;
            unburden_sending(channel, o);
            abandon_send(o);
            free(o);
        } else {
            at = &o->next;
        }
    }
    channel->sending_end = at;
    channel->is_dropped[peer] = true;
    cadre_buffer_cut(&channel->open[peer], 0);
    if (channel->arriving.count > 0 && channel->receiving_from == peer)
        abandon_bulks(channel);
    if (channel->receiving != MPI_REQUEST_NULL &&
        channel->receiving_from == peer)
        abandon_receive(channel);
    if (channel->receiving_from == peer)
        unburden_receiving(channel);
}

/* Write before the frames of `buffer` what follows them. */
static cadre_err announce(struct cadre_buffer *buffer)
{
    const struct cadre_bulks *bulks = &buffer->bulks;
    size_t len = ANNOUNCE_HEADER * (1 + bulks->count);
    unsigned char *at;

    if (cadre_buffer_reserve(buffer, len) != CADRE_OK)
        return CADRE_ENOMEM;
    at = buffer->data;
    memmove(at + len, at, buffer->len);
    memset(at, 0, len);
    memcpy(at, announce_magic, sizeof announce_magic);
    cadre_put_u32(at + 4, (uint32_t)bulks->count);
    for (size_t i = 0; i < bulks->count; i++)
        cadre_put_u64(at + ANNOUNCE_HEADER * (1 + i), bulks->list[i].len);
    buffer->len += len;
    return CADRE_OK;
}

/* What was begun is likely to be over so soon: see is_pressed(). */
static void press(struct cadre_channel *s, const struct cadre_bulks *bulks)
{
    enum { LEAST_MS = 20, BYTES_PER_MS = 1 << 20 };

    s->pressed_until =
        (uint64_t)now_ms() + LEAST_MS + bytes_of(bulks) / BYTES_PER_MS;
}

static cadre_err send_bulks(struct cadre_channel *s, struct outgoing *o,
                            int peer, struct cadre_error *error)
{
    press(s, &o->buffer.bulks);
    return cadre_mpi_err(
        start_pieces(s, peer, true, &o->buffer.bulks, &o->pieces), "send",
        error);
}

/* Send what stands in the open buffer of `peer` and leave an empty one. */
static cadre_err send_open(struct cadre_channel *s, int peer,
                           struct cadre_error *error)
{
    struct cadre_buffer *open = &s->open[peer];
    struct cadre_buffer empty;
    struct outgoing *o;
    int done = 0;
    bool has_bulks = open->bulks.count > 0;
    cadre_err err;

    if ((o = take_outgoing(s)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    if (has_bulks && (!make_pieces(&open->bulks, &o->pieces) ||
                      announce(open) != CADRE_OK)) {
        leave_pieces(&o->pieces);
        recycle(s, o);
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    }
    empty = o->buffer;
    o->buffer = *open;
    *open = empty;
    o->request = MPI_REQUEST_NULL;
    err = cadre_mpi_err(
        MPI_Isend(o->buffer.data, (int)(o->buffer.len / CADRE_FRAME_ALIGN),
                  s->unit, peer, TAG_FRAMES, s->comm, &o->request),
        "send", error);
    if (err == CADRE_OK && has_bulks)
        err = send_bulks(s, o, peer, error);
    s->traffic[peer].sent += err == CADRE_OK;
    if (err == CADRE_OK && s->sent != NULL)
        s->sent(s->user, peer);
    if (err == CADRE_OK && s->sending == NULL && !has_bulks &&
        MPI_Test(&o->request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
        done = 1;
    if (err != CADRE_OK && has_bulks) {
        abandon_send(o);
        free(o);
        return err;
    }
    if (err != CADRE_OK || done) {
        recycle(s, o);
        return err;
    }
    o->next = NULL;
    o->peer = peer;
    burden_sending(s, o);
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
            note_broken(channel, peer, false);
            result = err;
        }
        channel->is_filled[peer] = false;
        channel->nfilled--;
    }
    return result;
}

/* Look for a message of a peer that is not dropped. */
static bool match(struct cadre_channel *s, MPI_Message *matched,
                  MPI_Status *status)
{
    int found = 0;

    while (MPI_Improbe(MPI_ANY_SOURCE, TAG_FRAMES, s->comm, &found, matched,
                       status) == MPI_SUCCESS &&
           found) {
        if (!s->is_dropped[status->MPI_SOURCE])
            return true;
        discard(s, matched);
    }
    return false;
}

/* If a message has arrived, start to receive it. */
static bool begin_receive(struct cadre_channel *s)
{
    MPI_Message matched;
    MPI_Status status;
    int units = 0;

    if (!match(s, &matched, &status))
        return false;
    MPI_Get_count(&status, s->unit, &units);
    s->receiving_from = status.MPI_SOURCE;
    s->receiving_len = (size_t)units * CADRE_FRAME_ALIGN;
    s->incoming.len = 0;
    if (cadre_buffer_reserve(&s->incoming, s->receiving_len) != CADRE_OK) {
        discard(s, &matched); /* no room for it */
        note_broken(s, s->receiving_from, true);
        return false;
    }
    return MPI_Imrecv(s->incoming.data, units, s->unit, &matched,
                      &s->receiving) == MPI_SUCCESS;
}

/* --- bulks that come ------------------------------------------------------ */

void cadre_channel_trim(struct cadre_channel *channel)
{
    cadre_bulks_fini(&channel->spare_bulks);
}

/* The last message is not lent any more. What came for nobody is kept for the
 * next, but where bulks are placed they have few that are alike. */
static void let_go(struct cadre_channel *s)
{
    struct cadre_bulks *spare = &s->spare_bulks;

    cadre_bulks_cut(spare, 0);
    if (s->place == NULL && cadre_bulks_reserve(spare, s->bulks.count)) {
        for (size_t i = 0; i < s->bulks.count; i++) {
            struct cadre_bulk *b = &s->bulks.list[i];

            if (b->is_owned)
                spare->list[spare->count++] = *b;
            b->is_owned = false;
        }
    }
    cadre_bulks_cut(&s->bulks, 0);
}

/* Memory for `bulk`: that of a spare one of nearly its size, or new. */
static bool allocate(struct cadre_channel *s, struct cadre_bulk *bulk)
{
    struct cadre_bulks *spare = &s->spare_bulks;

    for (size_t i = 0; i < spare->count; i++) {
        struct cadre_bulk *b = &spare->list[i];

        if (b->capacity < bulk->len || b->capacity - bulk->len > bulk->len / 16)
            continue;
        bulk->data = b->data;
        bulk->capacity = b->capacity;
        bulk->is_owned = true;
        *b = spare->list[--spare->count];
        return true;
    }
    cadre_bulks_cut(spare, 0); /* never more than there is use for */
    bulk->data = malloc(bulk->len);
    bulk->capacity = bulk->len;
    bulk->is_owned = bulk->data != NULL;
    return bulk->is_owned;
}

/* Read what follows the message. False: nonsense, or no memory. */
static bool read_announcement(struct cadre_channel *s)
{
    const unsigned char *at = s->incoming.data;
    size_t len = s->receiving_len, count = cadre_get_u32(at + 4);

    if (count == 0 || count >= len / ANNOUNCE_HEADER ||
        !cadre_bulks_reserve(&s->bulks, count))
        return false;
    for (size_t i = 1; i <= count; i++) {
        uint64_t bytes = cadre_get_u64(at + i * ANNOUNCE_HEADER);

        if (bytes == 0 || bytes > PTRDIFF_MAX)
            return false;
        s->bulks.list[s->bulks.count++] = (struct cadre_bulk){.len = bytes};
    }
    s->announce_len = ANNOUNCE_HEADER * (1 + count);
    return true;
}

static struct cadre_message received(struct cadre_channel *s)
{
    return (struct cadre_message){.peer = s->receiving_from,
                                  .data = s->incoming.data + s->announce_len,
                                  .len = s->receiving_len - s->announce_len,
                                  .bulks = &s->bulks};
}

/* Find a place for each bulk and start to receive them. */
static bool begin_bulks(struct cadre_channel *s)
{
    struct cadre_message message;

    if (s->is_dropped[s->receiving_from] || !read_announcement(s))
        return false;
    message = received(s);
    if (s->place != NULL)
        s->place(s->place_user, &message);
    for (size_t i = 0; i < s->bulks.count; i++)
        if (s->bulks.list[i].data == NULL && !allocate(s, &s->bulks.list[i]))
            return false;
    if (!make_pieces(&s->bulks, &s->arriving))
        return false;
    s->arriving.missing = bytes_of(&s->bulks);
    if (start_pieces(s, s->receiving_from, false, &s->bulks, &s->arriving) ==
        MPI_SUCCESS)
        return true;
    abandon_bulks(s);
    return false;
}

/* The message has not come whole: it is as if there had been none. */
static bool lose_message(struct cadre_channel *s)
{
    cadre_bulks_cut(&s->bulks, 0);
    if (!s->is_dropped[s->receiving_from])
        note_broken(s, s->receiving_from, true);
    return false;
}

/* Are the bulks of the message all there? */
static bool has_bulks_now(struct cadre_channel *s)
{
    bool has_failed;

    if (!test_pieces(&s->arriving)) {
        if (s->arriving_burden == 0)
            burden_receiving(s, bytes_of(&s->bulks));
        return false;
    }
    unburden_receiving(s);
    has_failed = s->arriving.has_failed || s->arriving.missing > 0;
    forget_pieces(&s->arriving);
    return has_failed ? lose_message(s) : true;
}

/* The frames of a message have come; `true` if that is all of it. */
static bool on_frames(struct cadre_channel *s)
{
    s->announce_len = 0;
    if (s->receiving_len < ANNOUNCE_HEADER ||
        memcmp(s->incoming.data, announce_magic, sizeof announce_magic) != 0)
        return true;
    return begin_bulks(s) ? has_bulks_now(s) : lose_message(s);
}

/* Receive, as far as can be now; true: a message is there. */
static bool proceed(struct cadre_channel *s)
{
    int done = 0;

    if (s->arriving.count > 0)
        return has_bulks_now(s);
    if (s->bulks.count > 0)
        let_go(s);
    if (s->receiving == MPI_REQUEST_NULL && !begin_receive(s))
        return false;
    if (MPI_Test(&s->receiving, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
        s->receiving = MPI_REQUEST_NULL; /* it died while sending */
        unburden_receiving(s);
        note_broken(s, s->receiving_from, true);
        return false;
    }
    if (!done && s->arriving_burden == 0)
        burden_receiving(s, s->receiving_len);
    if (done)
        unburden_receiving(s);
    return done && on_frames(s);
}

bool cadre_channel_receive(struct cadre_channel *channel,
                           struct cadre_message *message)
{
    if (channel->sending != NULL)
        complete_sends(channel);
    if (!proceed(channel))
        return false;
    *message = received(channel);
    channel->traffic[message->peer].came++;
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

struct cadre_traffic cadre_channel_traffic(const struct cadre_channel *channel,
                                           int peer)
{
    struct cadre_traffic t = channel->traffic[peer];
    bool is_receiving =
        channel->receiving != MPI_REQUEST_NULL || channel->arriving.count > 0;

    t.bytes = atomic_load(&channel->burden[peer]);
    t.is_behind = is_receiving && channel->receiving_from != peer;
    return t;
}

void cadre_channel_push(struct cadre_channel *channel)
{
    if (channel->sending != NULL)
        complete_sends(channel);
}

void cadre_channel_set_place(struct cadre_channel *channel,
                             cadre_place_fn place, void *user)
{
    channel->place = place;
    channel->place_user = user;
}

bool cadre_channel_is_busy(const struct cadre_channel *channel)
{
    return channel->sending != NULL || channel->receiving != MPI_REQUEST_NULL ||
           channel->arriving.count > 0;
}

bool cadre_channel_is_pressed(const struct cadre_channel *channel)
{
    return channel->arriving.count > 0 ||
           (channel->pressed_until > 0 && channel->sending != NULL &&
            now_ms() < (double)channel->pressed_until);
}
