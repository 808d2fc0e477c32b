/* line.c - see line.h. */
#include "line.h"

#include <stdlib.h>
#include <string.h>

enum {
    TAG_PULSE = 3,
    LOOKS = 3 /* MPI_Improbe may look first and only then take from the
                 transport what has arrived */
};

/* What goes to one peer. Its memory is MPI's until the request is done. */
struct outgoing {
    MPI_Request request;
    struct cadre_buffer buffer;
};

struct cadre_line {
    MPI_Comm comm;
    uint32_t generation;
    int npeers;
    struct outgoing *out; /* one for each peer */
    MPI_Request receiving;
    int receiving_from;
    unsigned char in[CADRE_PULSE_LEN];
};

/* A receive or a send that is left to MPI keeps its memory. */
void cadre_line_destroy(struct cadre_line *line)
{
    bool is_left;

    if (line == NULL)
        return;
    is_left = line->receiving != MPI_REQUEST_NULL;
    if (is_left)
        MPI_Request_free(&line->receiving);
    for (int i = 0; i < line->npeers && line->out != NULL; i++) {
        if (line->out[i].request != MPI_REQUEST_NULL)
            MPI_Request_free(&line->out[i].request);
        else
            cadre_buffer_fini(&line->out[i].buffer);
    }
    free(line->out);
    if (!is_left)
        free(line);
}

cadre_err cadre_line_create(MPI_Comm comm, uint32_t generation,
                            struct cadre_line **line)
{
    struct cadre_line *l = calloc(1, sizeof *l);

    if (l == NULL)
        return CADRE_ENOMEM;
    l->comm = comm;
    l->generation = generation;
    l->receiving = MPI_REQUEST_NULL;
    if (MPI_Comm_remote_size(comm, &l->npeers) != MPI_SUCCESS) {
        cadre_line_destroy(l);
        return CADRE_EMPI;
    }
    if ((l->out = calloc((size_t)l->npeers, sizeof *l->out)) == NULL) {
        cadre_line_destroy(l);
        return CADRE_ENOMEM;
    }
    for (int i = 0; i < l->npeers; i++)
        l->out[i].request = MPI_REQUEST_NULL;
    *line = l;
    return CADRE_OK;
}

/* Has what was sent last left? */
static enum cadre_line_sent has_left(struct outgoing *o)
{
    int done = 0;

    if (MPI_Test(&o->request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
        o->request = MPI_REQUEST_NULL;
        return CADRE_LINE_GONE;
    }
    return done ? CADRE_LINE_SENT : CADRE_LINE_LATE;
}

enum cadre_line_sent cadre_line_send(struct cadre_line *line, int peer,
                                     enum cadre_pulse_kind kind)
{
    struct outgoing *o = &line->out[peer];
    struct cadre_msg_pulse msg = {.kind = kind};
    enum cadre_line_sent last = has_left(o);

    if (last != CADRE_LINE_SENT)
        return last;
    cadre_buffer_cut(&o->buffer, 0);
    if (cadre_pulse_encode(&msg, line->generation, &o->buffer) != CADRE_OK)
        return CADRE_LINE_LATE;
    if (MPI_Isend(o->buffer.data, (int)o->buffer.len, MPI_BYTE, peer, TAG_PULSE,
                  line->comm, &o->request) != MPI_SUCCESS) {
        o->request = MPI_REQUEST_NULL; /* it is undefined after an error */
        return CADRE_LINE_GONE;
    }
    return has_left(o) == CADRE_LINE_GONE ? CADRE_LINE_GONE : CADRE_LINE_SENT;
}

/* Is a message there, or on its way in? */
static bool begin_receive(struct cadre_line *l)
{
    MPI_Message matched;
    MPI_Status status;
    int found = 0;

    if (l->receiving != MPI_REQUEST_NULL)
        return true;
    for (int i = 0; i < LOOKS && !found; i++) {
        if (MPI_Improbe(MPI_ANY_SOURCE, TAG_PULSE, l->comm, &found, &matched,
                        &status) != MPI_SUCCESS)
            return false;
    }
    if (!found)
        return false;
    l->receiving_from = status.MPI_SOURCE;
    memset(l->in, 0, sizeof l->in);
    if (MPI_Imrecv(l->in, sizeof l->in, MPI_BYTE, &matched, &l->receiving) ==
        MPI_SUCCESS)
        return true;
    l->receiving = MPI_REQUEST_NULL;
    return false;
}

/* What has come: is it what it should be? */
static bool read_pulse(const struct cadre_line *l, enum cadre_pulse_kind *kind)
{
    struct cadre_error ignored;
    struct cadre_msg_pulse msg;
    struct cadre_frame frame;

    if (cadre_frame_decode(l->in, sizeof l->in, &frame, &ignored) != CADRE_OK ||
        frame.type != CADRE_FRAME_PULSE || frame.generation != l->generation ||
        cadre_pulse_decode(&frame, &msg, &ignored) != CADRE_OK)
        return false;
    *kind = msg.kind;
    return true;
}

bool cadre_line_receive(struct cadre_line *line, int *peer,
                        enum cadre_pulse_kind *kind)
{
    while (begin_receive(line)) {
        int done = 0;
        bool is_good =
            MPI_Test(&line->receiving, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS;

        if (is_good && !done)
            return false;
        line->receiving = MPI_REQUEST_NULL;
        *peer = line->receiving_from;
        if (is_good && read_pulse(line, kind))
            return true;
    }
    return false;
}
