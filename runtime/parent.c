/* parent.c - see parent.h. */
#include "parent.h"

#include "bell.h"
#include "host.h"
#include "sentinel.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SPIN_US = 1000,  /* poll this long before sleeping */
    SPIN_FEW = 5000, /* empty polls before giving others the core */
    LOOKS = 3,       /* polls before sleeping */
    NAP_US = 50,     /* between polls while MPI has a message under way */
    POLL_MS = 2,     /* between polls without a bell */
    CHECK_MS = 100,  /* between looks whether the controller lives */
    LINGER_MS = 1000
};

static const uint64_t US = 1000, MS = 1000000;

struct cadre_parent {
    struct cadre_channel *channel;
    struct cadre_letters letters;
    struct cadre_bells *bells; /* NULL: polling only */
    uint32_t bell;
    uint32_t generation;
    int watch;      /* of the controller; -1: not near */
    bool has_pulse; /* the sentinel and the controller listen to each other */
    bool is_greeted;
    bool has_team;   /* TEAM has come: before, nobody takes what is sent */
    cadre_err ended; /* nothing comes any more ... */
    struct cadre_error cause;
};

struct cadre_letters *cadre_parent_letters(struct cadre_parent *parent)
{
    return &parent->letters;
}

static void end(struct cadre_parent *p, cadre_err err, const char *text)
{
    if (p->ended == CADRE_OK)
        p->ended = cadre_error_set(&p->cause, err, "%s", text);
}

/* --- what comes in -------------------------------------------------------- */

/* Who calls is watched, or listened to, and can be rung where it is near. */
static void meet(struct cadre_parent *p, const struct cadre_msg_hello *hello)
{
    struct cadre_pulse_terms terms = {.beat_ms = hello->beat_ms,
                                      .silence_ms = hello->silence_ms};
    struct cadre_process self,
        other = {.pid_namespace = hello->pid_namespace, .pid = hello->pid};

    memcpy(other.host, hello->host, sizeof other.host);
    p->has_pulse =
        cadre_sentinel_listen(&other, p->channel, p->generation, &terms);
    cadre_process_self(&self);
    if (p->watch >= 0 || !cadre_process_is_near(&self, &other))
        return;
    p->watch = cadre_process_watch(hello->pid);
    if (hello->bell_fd < 0 || hello->bell_base == 0 ||
        hello->bell_base >= CADRE_BELLS_MAX)
        return;
    if (cadre_bells_open(hello->pid, hello->bell_fd, &p->bells) == CADRE_OK)
        p->bell = hello->bell_base;
}

static cadre_err on_hello(struct cadre_parent *p,
                          const struct cadre_frame *frame,
                          struct cadre_error *error)
{
    struct cadre_msg_welcome welcome = {.version = CADRE_VERSION};
    struct cadre_msg_hello hello;
    struct cadre_process self;
    cadre_err err;

    if ((err = cadre_hello_decode(frame, &hello, error)) != CADRE_OK)
        return err;
    if (p->is_greeted)
        return cadre_error_set(error, CADRE_EPROTO, "HELLO came twice");
    if (strcmp(hello.version, CADRE_VERSION) != 0)
        return cadre_error_set(error, CADRE_EVERSION,
                               "the controller is Cadre %s, this program %s: "
                               "link both with the same",
                               hello.version, CADRE_VERSION);
    p->generation = frame->generation;
    p->is_greeted = true;
    meet(p, &hello);
    cadre_process_self(&self);
    memcpy(welcome.host, self.host, sizeof welcome.host);
    welcome.pid = self.pid;
    welcome.pid_namespace = self.pid_namespace;
    welcome.has_bell = p->bells != NULL;
    welcome.has_pulse = p->has_pulse;
    err = cadre_welcome_encode(&welcome, p->generation,
                               cadre_channel_buffer(p->channel, 0));
    return err == CADRE_OK ? cadre_channel_flush(p->channel, error) : err;
}

static cadre_err on_frame(struct cadre_parent *p,
                          const struct cadre_frame *frame,
                          struct cadre_error *error)
{
    switch (frame->type) {
    case CADRE_FRAME_HELLO:
        return on_hello(p, frame, error);
    case CADRE_FRAME_BYE:
        end(p, CADRE_ECLOSED, "the controller has closed the socket");
        return CADRE_OK;
    case CADRE_FRAME_LETTER:
        if (p->is_greeted)
            return cadre_letters_put(&p->letters, 0, frame, error);
        break;
    case CADRE_FRAME_TEAM:
        p->has_team = true;
        return CADRE_OK;
    case CADRE_FRAME_DISBAND:
    case CADRE_FRAME_CLOSE:
        return CADRE_OK;
    default:
        break;
    }
    return cadre_error_set(error, CADRE_EPROTO,
                           "this program takes messages, not calls "
                           "(cadre_socket_accept)");
}

/* Tell the controller that it goes no further. */
static void refuse(struct cadre_parent *p, cadre_err err,
                   const struct cadre_error *error)
{
    struct cadre_msg_refuse msg = {.err = (int32_t)err, .text = error->text};

    end(p, err, error->text);
    if (cadre_refuse_encode(&msg, p->generation,
                            cadre_channel_buffer(p->channel, 0)) == CADRE_OK)
        cadre_channel_flush(p->channel, NULL);
}

static void on_message(struct cadre_parent *p,
                       const struct cadre_message *message)
{
    const unsigned char *at = message->data;
    size_t left = message->len;
    struct cadre_error error = {""};
    struct cadre_frame frame;

    while (left > 0 && p->ended == CADRE_OK) {
        cadre_err err = cadre_frame_decode(at, left, &frame, &error);

        if (err == CADRE_OK)
            err = on_frame(p, &frame, &error);
        if (err != CADRE_OK) {
            refuse(p, err, &error);
            return;
        }
        at += frame.len;
        left -= frame.len;
    }
}

static bool progress(struct cadre_parent *p)
{
    struct cadre_message message;

    if (cadre_channel_receive(p->channel, &message)) {
        on_message(p, &message);
        return true;
    }
    if (cadre_channel_take_broken(p->channel, NULL) >= 0)
        end(p, CADRE_ELOST, "a message to or from the controller was lost");
    return false;
}

/* --- waiting -------------------------------------------------------------- */

static void nap(uint64_t ns)
{
    struct timespec t = {.tv_sec = 0, .tv_nsec = (long)ns};

    nanosleep(&t, NULL);
}

/* Sleep until rung, at most `limit_ns`. True if there is a reason to look for a
 * while: MPI may deliver later than the bell rings. */
static bool sleep_at_bell(struct cadre_parent *p, uint64_t limit_ns)
{
    uint32_t ticket = cadre_bell_prepare(p->bells, p->bell);
    bool has_come = false;

    /* MPI_Improbe may look first and only then take from the transport what has
     * arrived, so that one look finds nothing. */
    for (int i = 0; i < LOOKS && !has_come; i++)
        has_come = progress(p);
    if (!has_come && !cadre_channel_is_busy(p->channel))
        has_come = cadre_bell_sleep(p->bells, p->bell, ticket, limit_ns);
    cadre_bell_awake(p->bells, p->bell);
    return has_come;
}

/* Nothing has come since `*since_ns`: wait a little, in the way that fits. */
static void rest(struct cadre_parent *p, unsigned empty, uint64_t *since_ns,
                 uint64_t left_ns)
{
    uint64_t now = cadre_now_ns();
    uint64_t limit = left_ns < CHECK_MS * MS ? left_ns : CHECK_MS * MS;

    if (now - *since_ns < SPIN_US * US) {
        if (empty > SPIN_FEW)
            sched_yield();
        return;
    }
    if (cadre_process_has_ended(p->watch, 0))
        end(p, CADRE_ELOST, "the controller has ended");
    else if (cadre_channel_is_busy(p->channel))
        nap(NAP_US * US);
    else if (p->bells == NULL)
        nap(limit < POLL_MS * MS ? limit : POLL_MS * MS);
    else if (sleep_at_bell(p, limit))
        *since_ns = cadre_now_ns();
}

/* Wait for a letter, or until letters may be sent. False: the deadline has
 * passed. */
static bool wait(struct cadre_parent *p, bool for_letter, uint64_t deadline_ns)
{
    uint64_t since = cadre_now_ns();
    unsigned empty = 0;

    for (;;) {
        uint64_t now;

        while (progress(p)) {
            empty = 0;
            since = cadre_now_ns();
        }
        if (for_letter ? cadre_letters_has(&p->letters, -1) : p->has_team)
            return true;
        if (p->ended != CADRE_OK)
            return true;
        if ((now = cadre_now_ns()) >= deadline_ns)
            return false;
        rest(p, empty++, &since, deadline_ns - now);
    }
}

cadre_err cadre_parent_wait(struct cadre_parent *parent, uint64_t deadline_ns,
                            struct cadre_error *error)
{
    if (!wait(parent, true, deadline_ns))
        return cadre_error_set(error, CADRE_ETIMEOUT,
                               "no message has come in time");
    if (cadre_letters_has(&parent->letters, -1))
        return CADRE_OK;
    *error = parent->cause;
    return parent->ended;
}

cadre_err cadre_parent_send(struct cadre_parent *parent,
                            const struct cadre_msg_letter *msg,
                            struct cadre_error *error)
{
    progress(parent);
    if (parent->ended != CADRE_OK) {
        *error = parent->cause;
        return parent->ended;
    }
    if (cadre_letter_encode(msg, parent->generation,
                            cadre_channel_buffer(parent->channel, 0)) !=
        CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "out of memory for a message");
    return cadre_channel_flush(parent->channel, error);
}

/* --- life ----------------------------------------------------------------- */

/* What was sent wakes the controller. */
static void on_sent(void *user, int peer)
{
    struct cadre_parent *p = user;

    (void)peer;
    if (p->bells != NULL)
        cadre_bell_ring(p->bells, 0);
}

void cadre_parent_destroy(struct cadre_parent *parent)
{
    if (parent == NULL)
        return;
    cadre_sentinel_deafen();
    cadre_channel_destroy(parent->channel,
                          parent->ended == CADRE_ELOST ? 0 : LINGER_MS);
    cadre_letters_fini(&parent->letters);
    cadre_bells_destroy(parent->bells);
    if (parent->watch >= 0)
        close(parent->watch);
    free(parent);
}

cadre_err cadre_parent_create(MPI_Comm comm, uint64_t deadline_ns,
                              struct cadre_parent **parent,
                              struct cadre_error *error)
{
    struct cadre_parent *p = calloc(1, sizeof *p);
    cadre_err err;

    if (p == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    p->watch = -1;
    err = cadre_channel_create(comm, on_sent, p, &p->channel, error);
    if (err == CADRE_OK && !wait(p, false, deadline_ns))
        err = cadre_error_set(error, CADRE_ETIMEOUT,
                              "the controller has not greeted in time");
    if (err == CADRE_OK && (err = p->ended) != CADRE_OK)
        *error = p->cause;
    if (err != CADRE_OK) {
        cadre_parent_destroy(p);
        return err;
    }
    *parent = p;
    return CADRE_OK;
}
