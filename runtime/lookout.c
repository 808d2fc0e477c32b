/* lookout.c - see lookout.h. Only the thread uses the line and the pulses; what
 * it and others know of a worker is one atomic number. */
#include "lookout.h"

#include "host.h"
#include "line.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    SILENCE_MS = 5000,
    SILENCE_MIN_MS = 500,
    SILENCE_MAX_MS = 3600 * 1000,
    FAREWELL_MS = 100, /* for words that are late, when all ends */
    DRAIN_MS = 5       /* for beats that are on their way then */
};

struct cadre_lookout {
    const struct cadre_channel *channel;
    struct cadre_pulse_terms terms;
    struct cadre_line *line;
    struct cadre_pulse *pulses; /* by peer; begun at the first look */
    _Atomic int *states;        /* by peer: enum cadre_lookout_state */
    int npeers;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of the two below */
    pthread_cond_t changed;
    bool is_closing;
    bool has_orders; /* somebody is to end */
};

/* A number of the environment that is none, or absurd, is as if it were not
 * there. */
static uint32_t silence_ms(void)
{
    const char *text = getenv("CADRE_SILENCE_S");
    double ms = text != NULL ? 1e3 * strtod(text, NULL) : 0;

    return ms >= SILENCE_MIN_MS && ms <= SILENCE_MAX_MS ? (uint32_t)ms
                                                        : SILENCE_MS;
}

struct cadre_pulse_terms cadre_lookout_terms(void)
{
    int level;

    MPI_Query_thread(&level);
    return level == MPI_THREAD_MULTIPLE ? cadre_pulse_terms_for(silence_ms())
                                        : (struct cadre_pulse_terms){0};
}

/* Unless somebody else has decided on it meanwhile. */
static void find(struct cadre_lookout *l, int peer,
                 enum cadre_lookout_state state)
{
    int alive = CADRE_LOOKOUT_ALIVE;

    atomic_compare_exchange_strong(&l->states[peer], &alive, (int)state);
}

static void look_at(struct cadre_lookout *l, int peer, uint64_t now_ns)
{
    struct cadre_pulse *p = &l->pulses[peer];

    if (p->looked_ns == 0)
        cadre_pulse_begin(p, &l->terms, now_ns);
    switch (
        cadre_pulse_look(p, now_ns, cadre_channel_burden(l->channel, peer))) {
    case CADRE_PULSE_REST:
        break;
    case CADRE_PULSE_BEAT:
        if (cadre_line_send(l->line, peer, CADRE_PULSE_KIND_BEAT) ==
            CADRE_LINE_GONE)
            find(l, peer, CADRE_LOOKOUT_GONE);
        break;
    case CADRE_PULSE_LOST:
        find(l, peer, CADRE_LOOKOUT_SILENT);
        break;
    }
}

static void give_order(struct cadre_lookout *l, int peer)
{
    if (cadre_line_send(l->line, peer, CADRE_PULSE_KIND_END) != CADRE_LINE_LATE)
        atomic_store(&l->states[peer], CADRE_LOOKOUT_ENDED);
}

/* True: an order is late. */
static bool look_at_all(struct cadre_lookout *l)
{
    uint64_t now = cadre_now_ns();
    enum cadre_pulse_kind kind;
    bool is_late = false;
    int peer;

    while (cadre_line_receive(l->line, &peer, &kind))
        cadre_pulse_hear(&l->pulses[peer]);
    for (int i = 0; i < l->npeers; i++) {
        if (atomic_load(&l->states[i]) == CADRE_LOOKOUT_ALIVE)
            look_at(l, i, now);
        else if (atomic_load(&l->states[i]) == CADRE_LOOKOUT_ENDING)
            give_order(l, i);
        is_late |= atomic_load(&l->states[i]) == CADRE_LOOKOUT_ENDING;
    }
    return is_late;
}

/* Until the next beat, an order, or the end. Called with the lock. */
static void nap(struct cadre_lookout *l)
{
    uint64_t until_ns = cadre_now_ns() + l->terms.beat_ms * UINT64_C(1000000);

    while (!l->is_closing && !l->has_orders &&
           cadre_wait_until(&l->changed, &l->lock, until_ns)) {
    }
    l->has_orders = false;
}

static void *run(void *arg)
{
    struct cadre_lookout *l = arg;
    struct timespec moment = {.tv_nsec = 1000000};

    pthread_mutex_lock(&l->lock);
    while (!l->is_closing) {
        pthread_mutex_unlock(&l->lock);
        look_at_all(l);
        pthread_mutex_lock(&l->lock);
        nap(l);
    }
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->npeers; i++)
        find(l, i, CADRE_LOOKOUT_NONE);
    for (int ms = 0; ms < FAREWELL_MS && look_at_all(l); ms++)
        nanosleep(&moment, NULL);
    return NULL;
}

void cadre_lookout_stop(struct cadre_lookout *lookout)
{
    if (lookout == NULL || !lookout->has_thread)
        return;
    pthread_mutex_lock(&lookout->lock);
    lookout->is_closing = true;
    pthread_cond_signal(&lookout->changed);
    pthread_mutex_unlock(&lookout->lock);
    pthread_join(lookout->thread, NULL);
    lookout->has_thread = false;
}

/* Beats that nobody takes are a complaint of the transport's at the end: take
 * them, and those of workers that have not read BYE yet. */
static void drain(struct cadre_lookout *l)
{
    struct timespec moment = {.tv_nsec = DRAIN_MS * 1000000L};
    enum cadre_pulse_kind kind;
    int peer;

    nanosleep(&moment, NULL);
    while (cadre_line_receive(l->line, &peer, &kind)) {
    }
}

void cadre_lookout_destroy(struct cadre_lookout *lookout)
{
    if (lookout == NULL)
        return;
    cadre_lookout_stop(lookout);
    if (lookout->line != NULL)
        drain(lookout);
    cadre_line_destroy(lookout->line);
    pthread_cond_destroy(&lookout->changed);
    pthread_mutex_destroy(&lookout->lock);
    free(lookout->pulses);
    free(lookout->states);
    free(lookout);
}

cadre_err cadre_lookout_create(const struct cadre_channel *channel,
                               uint32_t generation,
                               const struct cadre_pulse_terms *terms,
                               struct cadre_lookout **lookout)
{
    struct cadre_lookout *l = calloc(1, sizeof *l);
    cadre_err err = CADRE_ENOMEM;

    if (l == NULL)
        return CADRE_ENOMEM;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    l->channel = channel;
    l->terms = *terms;
    l->npeers = cadre_channel_peers(channel);
    l->pulses = calloc((size_t)l->npeers, sizeof *l->pulses);
    l->states = calloc((size_t)l->npeers, sizeof *l->states);
    if (l->pulses == NULL || l->states == NULL ||
        (err = cadre_line_create(cadre_channel_comm(channel), generation,
                                 &l->line)) != CADRE_OK)
        goto fail;
    err = CADRE_EIO;
    l->has_thread = pthread_create(&l->thread, NULL, run, l) == 0;
    if (!l->has_thread)
        goto fail;
    *lookout = l;
    return CADRE_OK;

fail:
    cadre_lookout_destroy(l);
    return err;
}

/* Let the thread look now. */
static void wake(struct cadre_lookout *l)
{
    pthread_mutex_lock(&l->lock);
    l->has_orders = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

void cadre_lookout_watch(struct cadre_lookout *lookout, int peer)
{
    atomic_store(&lookout->states[peer], CADRE_LOOKOUT_ALIVE);
    wake(lookout);
}

enum cadre_lookout_state
cadre_lookout_state(const struct cadre_lookout *lookout, int peer)
{
    return (enum cadre_lookout_state)atomic_load(&lookout->states[peer]);
}

void cadre_lookout_end(struct cadre_lookout *lookout, int peer)
{
    int state = atomic_load(&lookout->states[peer]);

    if (state == CADRE_LOOKOUT_NONE || state == CADRE_LOOKOUT_GONE)
        return;
    atomic_store(&lookout->states[peer], CADRE_LOOKOUT_ENDING);
    wake(lookout);
}
