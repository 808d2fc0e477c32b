/* crew.c - a crew's members, its greeting and its farewell. */
#include "crew.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Something was sent to worker `peer`: wake it. */
static void on_sent(void *user, int peer)
{
    struct cadre_crew *crew = user;

    if (crew->bells != NULL)
        cadre_bell_ring(crew->bells, crew->workers[peer].bell);
}

void cadre_crew_destroy(struct cadre_crew *crew, double linger_ms)
{
    if (crew == NULL)
        return;
    cadre_lookout_destroy(crew->lookout);
    cadre_channel_destroy(crew->channel, linger_ms);
    for (int i = 0; i < crew->nworkers && crew->workers != NULL; i++) {
        if (crew->workers[i].watch >= 0)
            close(crew->workers[i].watch);
        free(crew->workers[i].functions);
    }
    free(crew->workers);
    free(crew);
}

cadre_err cadre_crew_create(MPI_Comm comm, uint32_t generation,
                            struct cadre_bells *bells, uint32_t bell_base,
                            struct cadre_crew **crew, struct cadre_error *error)
{
    struct cadre_crew *c;
    cadre_err err;

    if ((c = calloc(1, sizeof *c)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    c->generation = generation;
    c->bells = bells;
    if ((err = cadre_channel_create(comm, on_sent, c, &c->channel, error)) !=
        CADRE_OK)
        goto fail;
    c->nworkers = cadre_channel_peers(c->channel);
    if ((c->workers = calloc((size_t)c->nworkers, sizeof *c->workers)) ==
        NULL) {
        err = cadre_error_set(error, CADRE_ENOMEM, "out of memory");
        goto fail;
    }
    for (int i = 0; i < c->nworkers; i++) {
        c->workers[i].watch = -1;
        c->workers[i].bell = bell_base + (uint32_t)i;
    }
    *crew = c;
    return CADRE_OK;

fail:
    cadre_crew_destroy(c, 0);
    return err;
}

cadre_err cadre_crew_greet(struct cadre_crew *crew, uint32_t spin_us,
                           struct cadre_error *error)
{
    struct cadre_msg_hello hello = {
        .version = CADRE_VERSION, .bell_fd = -1, .spin_us = spin_us};
    struct cadre_process self;
    cadre_err err;

    crew->pulse = cadre_lookout_terms();
    hello.beat_ms = crew->pulse.beat_ms;
    hello.silence_ms = crew->pulse.silence_ms;
    cadre_process_self(&self);
    memcpy(hello.host, self.host, sizeof hello.host);
    hello.pid = self.pid;
    hello.pid_namespace = self.pid_namespace;
    if (crew->bells != NULL)
        hello.bell_fd = cadre_bells_fd(crew->bells);
    for (int i = 0; i < crew->nworkers; i++) {
        hello.bell_base = crew->workers[i].bell;
        err = cadre_hello_encode(&hello, crew->generation,
                                 cadre_channel_buffer(crew->channel, i));
        if (err != CADRE_OK)
            return cadre_error_set(error, err, "out of memory");
    }
    return cadre_channel_flush(crew->channel, error);
}

static cadre_err watch_far(struct cadre_crew *crew, int peer)
{
    cadre_err err = CADRE_OK;

    if (crew->lookout == NULL)
        err = cadre_lookout_create(crew->channel, crew->generation,
                                   &crew->pulse, &crew->lookout);
    if (err == CADRE_OK)
        cadre_lookout_watch(crew->lookout, peer);
    return err;
}

/* From now on its death is noticed, if it is on this host or has a pulse. */
static void watch(struct cadre_crew *crew, int peer, bool has_pulse)
{
    struct cadre_worker *w = &crew->workers[peer];
    struct cadre_process self;

    cadre_process_self(&self);
    if (cadre_process_is_near(&self, &w->process))
        w->watch = cadre_process_watch(w->process.pid);
    else if (!has_pulse || crew->pulse.beat_ms == 0 ||
             watch_far(crew, peer) != CADRE_OK)
        cadre_log(CADRE_LOG_WARN,
                  "the end of worker %d of crew %u, on %s, may go unnoticed: "
                  "it sends no beats",
                  peer, (unsigned)crew->generation, w->process.host);
}

/* Says how, once. */
static bool has_lost_far(const struct cadre_crew *crew, int worker)
{
    const struct cadre_worker *w = &crew->workers[worker];

    switch (cadre_lookout_state(crew->lookout, worker)) {
    case CADRE_LOOKOUT_GONE:
        if (w->ended_ns == 0)
            cadre_log(CADRE_LOG_INFO,
                      "worker %d of crew %u, process %d on %s, has ended",
                      worker, (unsigned)crew->generation, (int)w->process.pid,
                      w->process.host);
        return true;
    case CADRE_LOOKOUT_SILENT:
        if (w->ended_ns == 0)
            cadre_log(CADRE_LOG_WARN,
                      "worker %d of crew %u, process %d on %s, has said "
                      "nothing for %g s: taken for dead (CADRE_SILENCE_S)",
                      worker, (unsigned)crew->generation, (int)w->process.pid,
                      w->process.host, crew->pulse.silence_ms / 1e3);
        return true;
    case CADRE_LOOKOUT_NONE:
    case CADRE_LOOKOUT_ALIVE:
    case CADRE_LOOKOUT_ENDING:
    case CADRE_LOOKOUT_ENDED:
        break;
    }
    return false;
}

bool cadre_crew_has_lost(const struct cadre_crew *crew, int worker)
{
    return cadre_process_has_ended(crew->workers[worker].watch, 0) ||
           (crew->lookout != NULL && has_lost_far(crew, worker));
}

void cadre_crew_end(struct cadre_crew *crew, int worker)
{
    cadre_process_end(crew->workers[worker].watch);
    if (crew->lookout != NULL)
        cadre_lookout_end(crew->lookout, worker);
}

/* Does the library itself speak, and is it another? (Who has only the protocol
 * in common with it has a name that does not begin with a digit.) */
static bool is_other_library(const char *version)
{
    return version[0] >= '0' && version[0] <= '9' &&
           strcmp(version, CADRE_VERSION) != 0;
}

cadre_err cadre_crew_on_welcome(struct cadre_crew *crew, int peer,
                                const struct cadre_frame *frame,
                                struct cadre_error *error)
{
    struct cadre_worker *w = &crew->workers[peer];
    struct cadre_msg_welcome msg;
    cadre_err err;

    if ((err = cadre_welcome_decode(frame, &msg, error)) != CADRE_OK)
        return err;
    if (w->is_welcome)
        return cadre_error_set(error, CADRE_EPROTO, "welcome came twice");
    if (is_other_library(msg.version))
        return cadre_error_set(error, CADRE_EVERSION,
                               "the worker program is Cadre %s, the "
                               "controller %s: link both with the same",
                               msg.version, CADRE_VERSION);
    memcpy(w->process.host, msg.host, sizeof w->process.host);
    w->process.pid = msg.pid;
    w->process.pid_namespace = msg.pid_namespace;
    w->has_bell = msg.has_bell != 0;
    w->is_welcome = true;
    watch(crew, peer, msg.has_pulse != 0);
    cadre_log(CADRE_LOG_DEBUG, "worker %d of crew %u is process %d on %s", peer,
              (unsigned)crew->generation, (int)msg.pid, w->process.host);
    return CADRE_OK;
}

cadre_err cadre_crew_on_refuse(struct cadre_crew *crew, int peer,
                               const struct cadre_frame *frame,
                               struct cadre_error *error)
{
    struct cadre_msg_refuse msg;
    cadre_err err;

    if ((err = cadre_refuse_decode(frame, &msg, error)) != CADRE_OK)
        return err;
    crew->refused = msg.err > CADRE_OK && msg.err <= CADRE_ERR_LAST
                        ? (cadre_err)msg.err
                        : CADRE_EPROTO;
    cadre_error_set(&crew->refusal, crew->refused, "worker %d refuses: %s",
                    peer, msg.text);
    return CADRE_OK;
}

void cadre_crew_say_bye(struct cadre_crew *crew)
{
    cadre_lookout_stop(crew->lookout);
    for (int i = 0; i < crew->nworkers; i++) {
        if (!crew->workers[i].is_lost)
            cadre_bye_encode(crew->generation,
                             cadre_channel_buffer(crew->channel, i));
    }
    cadre_channel_flush(crew->channel, NULL);
}

cadre_err cadre_worker_learns(struct cadre_worker *worker, uint32_t id,
                              bool *knew)
{
    uint64_t bit = 1ull << (id % 64);

    if (id / 64 >= worker->functions_max) {
        uint32_t max = id / 64 + 1;
        uint64_t *grown = realloc(worker->functions, max * sizeof *grown);

        if (grown == NULL)
            return CADRE_ENOMEM;
        memset(grown + worker->functions_max, 0,
               (max - worker->functions_max) * sizeof *grown);
        worker->functions = grown;
        worker->functions_max = max;
    }
    *knew = (worker->functions[id / 64] & bit) != 0;
    worker->functions[id / 64] |= bit;
    return CADRE_OK;
}
