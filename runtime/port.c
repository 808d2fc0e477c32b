/* port.c - see port.h. */
#include "port.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One of the port's workers; worker->team points here. */
struct seat {
    struct cadre_port *port;
    struct cadre_crew *crew; /* valid while the worker is not lost */
    int peer;
    struct cadre_request *first; /* calls whose replies were not taken */
    struct cadre_request **end;
    struct cadre_request *running; /* the first of them without an answer */
    bool is_lost;
    char why[CADRE_ERROR_TEXT_MAX]; /* it is lost */
};

struct cadre_port {
    struct cadre_engine *engine;
    struct cadre_crew *crew;
    uint32_t team, object; /* in the frames */
    struct cadre_letters letters;
    int next_rank; /* to look at first for a reply */
    int ranks;
    struct seat seats[];
};

static struct cadre_worker *worker_of(const struct seat *s)
{
    return &s->crew->workers[s->peer];
}

static struct cadre_buffer *buffer_of(const struct seat *s)
{
    return cadre_channel_buffer(s->crew->channel, s->peer);
}

static void flush(struct cadre_port *port)
{
    struct cadre_error error = {""};

    /* The engine loses a peer that cannot be sent to. */
    if (cadre_channel_flush(port->crew->channel, &error) != CADRE_OK)
        cadre_log(CADRE_LOG_WARN, "%s", error.text);
}

/* --- calls ---------------------------------------------------------------- */

static void answer(struct cadre_request *r, const struct cadre_fault *fault)
{
    r->is_done = true;
    r->err = fault->err;
    r->kind = fault->kind;
    r->text = strdup(fault->text);
    r->job->ops->failed(r->job, fault);
    r->job->ops->done(r->job);
}

static void fail(struct seat *s, struct cadre_request *r, cadre_err err,
                 const char *text)
{
    int rank = (int)(s - s->port->seats);

    answer(r,
           &(struct cadre_fault){
               .count = 1, .err = err, .rank = rank, .host = "", .text = text});
}

static void append(struct seat *s, struct cadre_request *r)
{
    r->next = NULL;
    *s->end = r;
    s->end = &r->next;
    if (s->running == NULL && !r->is_done)
        s->running = r;
}

/* The running call is answered: the next is running. */
static void advance(struct seat *s)
{
    while (s->running != NULL && s->running->is_done)
        s->running = s->running->next;
}

static cadre_err encode_call(const struct seat *s,
                             const struct cadre_request *r)
{
    const struct cadre_function *fn = r->job->function;
    struct cadre_buffer *buffer = buffer_of(s);
    struct cadre_msg_batch msg = {.job = r->number,
                                  .count = 1,
                                  .function = fn->id,
                                  .team = s->port->team,
                                  .attempt = 1};
    size_t mark;
    cadre_err err;

    if ((err = cadre_farm_introduce(s->crew, s->peer, fn)) != CADRE_OK ||
        (err = cadre_batch_begin(&msg, s->crew->generation, buffer, &mark)) !=
            CADRE_OK)
        return err;
    if ((err = r->job->ops->pack(r->job, 0, 1, buffer)) != CADRE_OK ||
        (err = cadre_batch_end(buffer, mark)) != CADRE_OK) {
        cadre_frame_abort(buffer, mark);
        return err;
    }
    worker_of(s)->batches++;
    return CADRE_OK;
}

void cadre_port_call(struct cadre_port *port, int rank,
                     struct cadre_request *request)
{
    struct seat *s = &port->seats[rank];
    bool is_sent = false;

    if (s->is_lost && !request->is_done)
        fail(s, request, CADRE_ELOST, s->why);
    else if (!request->is_done &&
             !(is_sent = encode_call(s, request) == CADRE_OK))
        fail(s, request, CADRE_ENOMEM, "out of memory to send the call");
    append(s, request);
    if (is_sent)
        flush(port);
}

bool cadre_port_has_reply(const struct cadre_port *port)
{
    for (int i = 0; i < port->ranks; i++) {
        if (port->seats[i].first != NULL && port->seats[i].first->is_done)
            return true;
    }
    return false;
}

bool cadre_port_awaits_reply(const struct cadre_port *port)
{
    for (int i = 0; i < port->ranks; i++) {
        if (port->seats[i].first != NULL)
            return true;
    }
    return false;
}

struct cadre_request *cadre_port_take_reply(struct cadre_port *port, int *rank)
{
    for (int i = 0; i < port->ranks; i++) {
        int k = (port->next_rank + i) % port->ranks;
        struct seat *s = &port->seats[k];
        struct cadre_request *r = s->first;

        if (r == NULL || !r->is_done)
            continue;
        if ((s->first = r->next) == NULL)
            s->end = &s->first;
        port->next_rank = (k + 1) % port->ranks;
        r->next = NULL;
        *rank = k;
        return r;
    }
    return NULL;
}

/* --- letters -------------------------------------------------------------- */

cadre_err cadre_port_send(struct cadre_port *port, int rank,
                          const struct cadre_msg_letter *msg,
                          struct cadre_error *error)
{
    struct seat *s = &port->seats[rank];

    if (s->is_lost)
        return cadre_error_set(error, CADRE_ELOST, "%s", s->why);
    if (cadre_letter_encode(msg, s->crew->generation, buffer_of(s)) != CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "out of memory for a message");
    return cadre_channel_flush(port->crew->channel, error);
}

struct cadre_letters *cadre_port_letters(struct cadre_port *port)
{
    return &port->letters;
}

/* --- what workers say ----------------------------------------------------- */

/* Who says what cannot be is not to be trusted. */
static void distrust(struct seat *s, const char *text)
{
    cadre_log(CADRE_LOG_WARN, "worker %d of a socket: %s",
              (int)(s - s->port->seats), text);
    cadre_engine_lose(s->port->engine, s->crew, worker_of(s));
}

static void name_of(const struct seat *s, char *text, size_t len)
{
    const struct cadre_process *p = &worker_of(s)->process;

    snprintf(text, len, "worker %d (process %d on %s)",
             (int)(s - s->port->seats), (int)p->pid, p->host);
}

static void take_results(struct seat *s, struct cadre_request *r,
                         const struct cadre_msg_results *msg)
{
    struct cadre_fault fault = {.count = 1,
                                .rank = (int)(s - s->port->seats),
                                .host = worker_of(s)->process.host};
    char text[CADRE_ERROR_TEXT_MAX], where[128];
    struct cadre_failure failure;
    struct cadre_error error = {""};
    size_t at = 0;

    name_of(s, where, sizeof where);
    if (cadre_failure_next(msg, &at, &failure)) {
        fault.err = (cadre_err)failure.err;
        fault.kind = failure.kind;
        snprintf(text, sizeof text, "%.360s [%s]", failure.text, where);
    } else {
        fault.err = r->job->ops->unpack(r->job, 0, 0, 1, msg->outputs,
                                        msg->outputs_len, msg->bulks, &error);
        snprintf(text, sizeof text, "%.360s [%s]", error.text, where);
    }
    fault.text = text;
    if (fault.err != CADRE_OK) {
        answer(r, &fault);
        return;
    }
    r->is_done = true;
    r->job->ops->done(r->job);
}

static void on_results(struct cadre_worker *worker,
                       const struct cadre_frame *frame)
{
    struct seat *s = worker->team;
    struct cadre_error error = {""};
    struct cadre_msg_results msg;

    if (cadre_results_decode(frame, &msg, &error) != CADRE_OK) {
        distrust(s, error.text);
        return;
    }
    if (s->running == NULL || msg.job != s->running->number || msg.first != 0 ||
        msg.count != 1) {
        distrust(s, "results of a call it does not have");
        return;
    }
    take_results(s, s->running, &msg);
    advance(s);
}

/* The team could not be formed: each call is answered with that error. */
static void on_ready(struct cadre_worker *worker,
                     const struct cadre_frame *frame)
{
    struct cadre_error error = {""};
    struct cadre_msg_ready msg;

    if (cadre_ready_decode(frame, &msg, &error) != CADRE_OK)
        distrust(worker->team, error.text);
    else if (msg.err != CADRE_OK)
        cadre_log(CADRE_LOG_WARN, "%s", msg.text);
}

/* Nobody reads how far a call is. */
static void on_news(struct cadre_worker *worker,
                    const struct cadre_frame *frame)
{
    (void)worker;
    (void)frame;
}

static void on_letter(struct cadre_worker *worker,
                      const struct cadre_frame *frame)
{
    struct seat *s = worker->team;
    struct cadre_error error = {""};

    if (cadre_letters_put(&s->port->letters, (int)(s - s->port->seats), frame,
                          &error) != CADRE_OK)
        distrust(s, error.text);
}

static void on_lost(struct cadre_worker *worker)
{
    struct seat *s = worker->team;
    const struct cadre_crew *c = s->crew;
    char name[128];

    name_of(s, name, sizeof name);
    snprintf(s->why, sizeof s->why, "%s was lost%s%.300s", name,
             c->refused != CADRE_OK ? ": " : "",
             c->refused != CADRE_OK ? c->refusal.text : "");
    worker->team = NULL;
    s->is_lost = true;
    for (struct cadre_request *r = s->running; r != NULL; r = r->next) {
        if (!r->is_done)
            fail(s, r, CADRE_ELOST, s->why);
    }
    s->running = NULL;
}

static const struct cadre_engine_events port_events = {.on_results = on_results,
                                                       .on_ready = on_ready,
                                                       .on_news = on_news,
                                                       .on_letter = on_letter,
                                                       .on_lost = on_lost};

int cadre_port_ranks(const struct cadre_port *port)
{
    return port->ranks;
}

const char *cadre_port_lost(const struct cadre_port *port, int rank)
{
    return port->seats[rank].is_lost ? port->seats[rank].why : NULL;
}

/* --- opening -------------------------------------------------------------- */

static int free_workers(const struct cadre_crew *crew)
{
    int n = 0;

    for (int i = 0; i < crew->nworkers; i++)
        n += crew->workers[i].team == NULL && !crew->workers[i].is_lost;
    return n;
}

int cadre_port_residents(struct cadre_engine *engine)
{
    int n = 0;

    cadre_engine_lock(engine);
    for (const struct cadre_crew *c = engine->crews; c != NULL; c = c->next)
        n += c->is_resident ? free_workers(c) : 0;
    cadre_engine_unlock(engine);
    return n;
}

static struct cadre_crew *find_residents(const struct cadre_engine *e,
                                         int ranks)
{
    struct cadre_crew *c = e->crews;

    while (c != NULL && (!c->is_resident || free_workers(c) < ranks))
        c = c->next;
    return c;
}

/* The lock is let go meanwhile. */
static cadre_err spawn(struct cadre_engine *e,
                       const struct cadre_port_options *o,
                       struct cadre_crew **crew, struct cadre_error *error)
{
    struct cadre_spawn how = {.program = o->program,
                              .args = o->args,
                              .count = o->ranks,
                              .cwd = o->cwd,
                              .timeout_s = o->spawn_timeout_s};

    return cadre_engine_spawn_crew(e, &how, crew, error);
}

static void take_seats(struct cadre_port *port, struct cadre_crew *crew)
{
    int n = 0;

    port->crew = crew;
    for (int i = 0; i < crew->nworkers && n < port->ranks; i++) {
        struct cadre_worker *w = &crew->workers[i];
        struct seat *s = &port->seats[n];

        if (w->team != NULL || w->is_lost)
            continue;
        s->port = port;
        s->crew = crew;
        s->peer = i;
        s->end = &s->first;
        w->team = s;
        w->events = &port_events;
        n++;
    }
    port->ranks = n; /* fewer where one has died at once */
}

/* Tell all of them that they are a team. */
static cadre_err introduce(struct cadre_port *port)
{
    size_t bytes = (size_t)port->ranks * sizeof(uint32_t);
    unsigned char *members = malloc(bytes + 1);
    struct cadre_msg_team msg = {.team = port->team,
                                 .object = port->object,
                                 .size = (uint32_t)port->ranks,
                                 .has_all = 1,
                                 .members = members};
    cadre_err err = members != NULL ? CADRE_OK : CADRE_ENOMEM;

    for (int i = 0; i < port->ranks && err == CADRE_OK; i++)
        cadre_team_put_member(members, (uint32_t)i,
                              (uint32_t)port->seats[i].peer);
    for (int i = 0; i < port->ranks && err == CADRE_OK; i++) {
        msg.rank = (uint32_t)i;
        err = cadre_team_encode(&msg, port->crew->generation,
                                buffer_of(&port->seats[i]));
    }
    free(members);
    flush(port);
    return err;
}

static cadre_err get_crew(struct cadre_port *port,
                          const struct cadre_port_options *o,
                          struct cadre_error *error)
{
    struct cadre_engine *e = port->engine;
    struct cadre_crew *crew =
        o->only_spawned ? NULL : find_residents(e, o->ranks);
    cadre_err err = CADRE_OK;

    if (crew == NULL && (err = spawn(e, o, &crew, error)) != CADRE_OK)
        return err;
    port->team = ++e->last_team;
    port->object = ++e->last_object;
    take_seats(port, crew);
    if (port->ranks < o->ranks)
        return cadre_error_set(error, CADRE_ESPAWN,
                               "a worker ended while it was started");
    if (introduce(port) != CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    return CADRE_OK;
}

cadre_err cadre_port_open(struct cadre_engine *engine,
                          const struct cadre_port_options *options,
                          struct cadre_port **port, struct cadre_error *error)
{
    size_t ranks = (size_t)options->ranks;
    struct cadre_port *p = calloc(1, sizeof *p + ranks * sizeof p->seats[0]);
    cadre_err err;

    if (p == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    p->engine = engine;
    p->ranks = options->ranks;
    cadre_engine_lock(engine);
    err = get_crew(p, options, error);
    cadre_engine_unlock(engine);
    if (err != CADRE_OK) {
        if (p->crew == NULL)
            p->ranks = 0;
        cadre_port_close(p, 1, NULL);
        return err;
    }
    *port = p;
    return CADRE_OK;
}

/* --- closing -------------------------------------------------------------- */

static bool is_idle(void *arg)
{
    const struct cadre_port *port = arg;

    for (int i = 0; i < port->ranks; i++) {
        if (port->seats[i].running != NULL)
            return false;
    }
    return true;
}

/* Those that are still in a call are ended. */
static void end_busy(struct cadre_port *port)
{
    for (int i = 0; i < port->ranks; i++) {
        struct seat *s = &port->seats[i];

        if (s->running != NULL)
            cadre_engine_lose(port->engine, s->crew, worker_of(s));
    }
}

/* The workers are free again, and forget the team. */
static void send_off(struct cadre_port *port)
{
    struct cadre_msg_end team = {.number = port->team};
    struct cadre_msg_end object = {.number = port->object};

    for (int i = 0; i < port->ranks; i++) {
        struct seat *s = &port->seats[i];

        if (s->is_lost)
            continue;
        worker_of(s)->team = NULL;
        if (cadre_disband_encode(&team, port->crew->generation, buffer_of(s)) !=
                CADRE_OK ||
            cadre_close_encode(&object, port->crew->generation, buffer_of(s)) !=
                CADRE_OK)
            cadre_log(CADRE_LOG_WARN, "out of memory to free a worker");
    }
    flush(port);
    port->engine->has_free_residents |= port->crew->is_resident;
}

/* Descriptors that tell of the workers' end, of spawned ones on this host. */
static int watch_all(const struct cadre_port *port, int *watches)
{
    int n = 0;

    for (int i = 0; i < port->ranks && !port->crew->is_resident; i++) {
        const struct seat *s = &port->seats[i];
        int watch = s->is_lost ? -1 : worker_of(s)->watch;

        if (watch >= 0 && (watch = dup(watch)) >= 0)
            watches[n++] = watch;
    }
    return n;
}

/* A program that does not leave when it is told so is ended. */
static void await_end(const int *watches, int n, uint64_t deadline_ns)
{
    for (int i = 0; i < n; i++) {
        uint64_t now = cadre_now_ns();
        int left_ms =
            deadline_ns > now ? (int)((deadline_ns - now) / 1000000) : 0;

        if (!cadre_process_has_ended(watches[i], left_ms)) {
            cadre_log(CADRE_LOG_WARN,
                      "a worker of a socket does not leave: it is ended");
            cadre_process_end(watches[i]);
        }
        close(watches[i]);
    }
}

static void drop_requests(struct cadre_port *port,
                          void (*drop)(struct cadre_request *request))
{
    struct cadre_request *r;
    int rank;

    while (drop != NULL && port->ranks > 0 &&
           (r = cadre_port_take_reply(port, &rank)) != NULL)
        drop(r);
}

void cadre_port_close(struct cadre_port *port, double limit_s,
                      void (*drop)(struct cadre_request *request))
{
    uint64_t deadline = cadre_now_ns() + (uint64_t)(limit_s * 1e9);
    int n = 0, *watches;
    struct cadre_engine *e;

    if (port == NULL)
        return;
    watches = calloc((size_t)port->ranks + 1, sizeof *watches);
    e = port->engine;
    cadre_engine_lock(e);
    if (port->crew != NULL) {
        cadre_engine_wait(e, is_idle, port, deadline);
        end_busy(port);
        n = watches != NULL ? watch_all(port, watches) : 0;
        send_off(port);
        cadre_engine_tidy(e, port->crew);
        cadre_engine_reap(e);
    }
    cadre_engine_unlock(e);
    await_end(watches, n, deadline);
    free(watches);
    drop_requests(port, drop);
    cadre_letters_fini(&port->letters);
    free(port);
}
