/* socket.c - SocketInterface: its two ends, and calls. */
#include "socket_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_MAX = CADRE_BELLS_MAX / 2 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cadre_socket *open_sockets;

/* A call, and later its reply. */
struct call {
    struct cadre_request request; /* first: the port knows only this */
    struct cadre_future *future;  /* its arguments and outputs; NULL: it was
                                     wrong from the start */
};

struct cadre_reply_values_ {
    struct call call;
};

static void drop(struct cadre_request *request)
{
    struct call *c = (struct call *)request;

    if (c == NULL)
        return;
    cadre_future_free(c->future);
    free(c->request.text);
    free(c);
}

uint64_t cadre_deadline(double timeout_ms)
{
    if (timeout_ms >= 0 && timeout_ms < 1e12)
        return cadre_now_ns() + (uint64_t)(timeout_ms * 1e6);
    return UINT64_MAX;
}

bool cadre_socket_await(struct cadre_socket *socket, bool (*done)(void *arg),
                        void *arg, uint64_t deadline_ns)
{
    struct cadre_engine *e = socket->engine;
    bool is_done;

    cadre_engine_poll(e);
    e->expecting++;
    is_done = cadre_engine_wait(e, done, arg, deadline_ns);
    e->expecting--;
    return is_done;
}

/* --- opening -------------------------------------------------------------- */

static cadre_err check_limit(const char *name, double value,
                             struct cadre_error *error)
{
    if (value >= 0 && value < 1e6)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EINVAL,
                           "%s is %g: it can be 0 (the default) to 1e6 seconds",
                           name, value);
}

static cadre_err check_options(const struct cadre_socket_options *o,
                               struct cadre_error *error)
{
    cadre_err err;

    if ((err = cadre_option_check("ranks", o->ranks, RANKS_MAX, error)) !=
            CADRE_OK ||
        (err = check_limit("spawn_timeout_s", o->spawn_timeout_s, error)) !=
            CADRE_OK ||
        (err = check_limit("close_timeout_s", o->close_timeout_s, error)) !=
            CADRE_OK)
        return err;
    return o->init_function != NULL
               ? cadre_function_check_init(o->init_function, error)
               : CADRE_OK;
}

static cadre_err check_room(const struct cadre_socket_options *o,
                            const struct cadre_port_options *p, int residents,
                            struct cadre_error *error)
{
    int cores = cadre_host_cores();
    int room = cores > residents ? cores : residents;

    if (p->ranks <= room || o->oversubscribe)
        return CADRE_OK;
    return cadre_error_set(
        error, CADRE_EINVAL,
        "ranks is %d: there are %d cores and %d free resident "
        "workers; ask for fewer, or set oversubscribe",
        p->ranks, cores, residents);
}

static cadre_err open_port(struct cadre_socket *s,
                           const struct cadre_socket_options *o,
                           struct cadre_error *error)
{
    struct cadre_port_options p = {
        .ranks = o->ranks > 0 ? o->ranks : 1,
        .args = o->args,
        .cwd = o->cwd,
        .spawn_timeout_s = o->spawn_timeout_s > 0 ? o->spawn_timeout_s : 60,
        .only_spawned =
            o->command != NULL || o->args != NULL || o->cwd != NULL};
    char *program = NULL;
    cadre_err err;

    if ((err = check_room(o, &p,
                          p.only_spawned ? 0 : cadre_port_residents(s->engine),
                          error)) != CADRE_OK)
        return err;
    if (o->command != NULL &&
        (err = cadre_program_find(o->command, &program, error)) != CADRE_OK)
        return err;
    p.program = program;
    s->close_timeout_s = o->close_timeout_s > 0 ? o->close_timeout_s : 5;
    if ((s->is_loss_told = calloc((size_t)p.ranks, sizeof(bool))) == NULL)
        err = cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    else
        err = cadre_port_open(s->engine, &p, &s->port, error);
    free(program);
    return err;
}

/* Every rank fills its store, in `limit_s`; the first error is the outcome. */
static cadre_err init_all(struct cadre_socket *s, struct cadre_function *init,
                          double limit_s, struct cadre_error *error)
{
    uint64_t deadline = cadre_deadline(limit_s * 1e3);
    int ranks = cadre_port_ranks(s->port);
    cadre_err err = CADRE_OK;

    for (int i = 0; i < ranks; i++) {
        if (cadre_socket_init(s, i, init) == 0)
            return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    }
    for (int i = 0; i < ranks; i++) {
        uint64_t now = cadre_now_ns();
        double left_ms = deadline > now ? (double)(deadline - now) / 1e6 : 0;
        struct cadre_reply reply = {.rank = -1};

        if (cadre_socket_receive(s, &reply, left_ms) != CADRE_OK)
            return cadre_error_set(error, CADRE_ETIMEOUT,
                                   "the init function has not ended in time, "
                                   "%g s (spawn_timeout_s)",
                                   limit_s);
        if (reply.err != CADRE_OK && err == CADRE_OK)
            err =
                cadre_error_set(error, reply.err,
                                "the init function failed: %.400s", reply.text);
    }
    s->last_number = 0;
    return err;
}

static void put_on(struct cadre_socket *s)
{
    pthread_mutex_lock(&lock);
    s->next = open_sockets;
    open_sockets = s;
    pthread_mutex_unlock(&lock);
}

static void take_off(const struct cadre_socket *s)
{
    struct cadre_socket **at = &open_sockets;

    pthread_mutex_lock(&lock);
    while (*at != NULL && *at != s)
        at = &(*at)->next;
    if (*at != NULL)
        *at = s->next;
    pthread_mutex_unlock(&lock);
}

static void free_socket(struct cadre_socket *s)
{
    if (s == NULL)
        return;
    cadre_port_close(s->port, s->close_timeout_s, drop);
    cadre_parent_destroy(s->parent);
    drop(s->reply != NULL ? &s->reply->request : NULL);
    free(s->letter);
    free(s->is_loss_told);
    free(s);
}

cadre_err cadre_socket_open(const struct cadre_socket_options *options,
                            struct cadre_socket **socket)
{
    static const struct cadre_socket_options defaults;
    const struct cadre_socket_options *o =
        options != NULL ? options : &defaults;
    struct cadre_socket *s = calloc(1, sizeof *s);
    struct cadre_error error = {""};
    cadre_err err;

    if (socket == NULL)
        err = cadre_error_set(&error, CADRE_EINVAL, "no place for the result");
    else if (s == NULL)
        err = cadre_error_set(&error, CADRE_ENOMEM, "out of memory");
    else if ((err = check_options(o, &error)) == CADRE_OK &&
             (err = cadre_engine_current(&s->engine, &error)) == CADRE_OK &&
             (err = open_port(s, o, &error)) == CADRE_OK &&
             o->init_function != NULL)
        err =
            init_all(s, o->init_function,
                     o->spawn_timeout_s > 0 ? o->spawn_timeout_s : 60, &error);
    if (err != CADRE_OK) {
        free_socket(s);
        cadre_error_prefix(&error, err, "socket: ");
        return cadre_error_publish(&error, err);
    }
    put_on(s);
    *socket = s;
    return CADRE_OK;
}

cadre_err cadre_socket_accept(int *argc, char ***argv, double timeout_ms,
                              struct cadre_socket **socket)
{
    struct cadre_socket *s = calloc(1, sizeof *s);
    struct cadre_error error = {""};
    MPI_Comm comm;
    cadre_err err;

    if (s == NULL)
        return cadre_error_publish(&(struct cadre_error){"out of memory"},
                                   CADRE_ENOMEM);
    if ((err = cadre_child_begin(argc, argv, &comm, &error)) == CADRE_OK)
        err = cadre_parent_create(comm, cadre_deadline(timeout_ms), &s->parent,
                                  &error);
    if (err != CADRE_OK) {
        free(s);
        cadre_error_prefix(&error, err, "socket: ");
        return cadre_error_publish(&error, err);
    }
    *socket = s;
    return CADRE_OK;
}

int cadre_socket_ranks(const struct cadre_socket *socket)
{
    return socket->port != NULL ? cadre_port_ranks(socket->port) : 1;
}

void cadre_socket_close(struct cadre_socket *socket)
{
    bool is_child;

    if (socket == NULL)
        return;
    is_child = socket->parent != NULL;
    take_off(socket);
    free_socket(socket);
    if (is_child)
        cadre_child_end();
}

void cadre_sockets_close_all(void)
{
    for (;;) {
        struct cadre_socket *s;

        pthread_mutex_lock(&lock);
        s = open_sockets;
        pthread_mutex_unlock(&lock);
        if (s == NULL)
            return;
        cadre_socket_close(s);
    }
}

/* --- calls ---------------------------------------------------------------- */

static uint64_t no_call(cadre_err err, const char *format, int rank, int ranks)
{
    struct cadre_error error;

    cadre_error_set(&error, err, format, rank, ranks);
    cadre_error_publish(&error, err);
    return 0;
}

/* A call that cannot be made, with its reply. */
static void put_error(struct call *c, cadre_err err, const char *text)
{
    c->request.is_done = true;
    c->request.err = err;
    c->request.text = strdup(text);
}

static uint64_t invoke(struct cadre_socket *socket, int rank,
                       struct cadre_invocation call, bool is_init)
{
    struct cadre_error error = {""};
    cadre_err err = CADRE_OK;
    struct call *c;

    if (socket == NULL || socket->port == NULL)
        return no_call(CADRE_ESTATE,
                       "call: only the controller's end takes calls", 0, 0);
    if (rank < 0 || rank >= cadre_port_ranks(socket->port))
        return no_call(CADRE_EINVAL, "call: rank %d is not below %d", rank,
                       cadre_port_ranks(socket->port));
    if ((c = calloc(1, sizeof *c)) == NULL)
        return no_call(CADRE_ENOMEM, "call: out of memory", 0, 0);
    if (call.function == NULL)
        err = cadre_error_set(&error, CADRE_EINVAL,
                              "the first argument is not a function");
    if (err == CADRE_OK && is_init)
        err = cadre_function_check_init(call.function, &error);
    if (err == CADRE_OK)
        err = cadre_future_prepare(call, &c->future, &c->request.job, &error);
    if (err != CADRE_OK)
        put_error(c, err, error.text);
    c->request.number = ++socket->last_number;
    cadre_engine_lock(socket->engine);
    cadre_port_call(socket->port, rank, &c->request);
    cadre_engine_unlock(socket->engine);
    return socket->last_number;
}

uint64_t cadre_socket_invoke(struct cadre_socket *socket, int rank,
                             struct cadre_invocation call)
{
    return invoke(socket, rank, call, false);
}

uint64_t cadre_socket_init(struct cadre_socket *socket, int rank,
                           struct cadre_function *init_function)
{
    return invoke(socket, rank,
                  (struct cadre_invocation){.function = init_function,
                                            .values = CADRE_NO_VALUES},
                  true);
}

static bool has_reply(void *arg)
{
    return cadre_port_has_reply(((const struct cadre_socket *)arg)->port);
}

static cadre_err take_reply(struct cadre_socket *s, struct call **call,
                            int *rank, uint64_t deadline_ns,
                            struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    cadre_engine_lock(s->engine);
    if (!cadre_port_awaits_reply(s->port))
        err = cadre_error_set(error, CADRE_ESTATE,
                              "receive: every call has been answered");
    else if (!cadre_socket_await(s, has_reply, s, deadline_ns))
        err = cadre_error_set(error, CADRE_ETIMEOUT,
                              "receive: no reply has come in time");
    else
        *call = (struct call *)cadre_port_take_reply(s->port, rank);
    cadre_engine_unlock(s->engine);
    return err;
}

cadre_err cadre_socket_receive(struct cadre_socket *socket,
                               struct cadre_reply *reply, double timeout_ms)
{
    struct cadre_error error = {""};
    struct call *c = NULL;
    cadre_err err;
    int rank = 0;

    if (socket == NULL || socket->port == NULL || reply == NULL)
        return cadre_error_publish(
            &(struct cadre_error){"receive: the controller's end and a reply "
                                  "are needed"},
            CADRE_EINVAL);
    err = take_reply(socket, &c, &rank, cadre_deadline(timeout_ms), &error);
    if (err != CADRE_OK)
        return cadre_error_publish(&error, err);
    drop(socket->reply != NULL ? &socket->reply->request : NULL);
    socket->reply = c;
    *reply = (struct cadre_reply){
        .rank = rank,
        .number = c->request.number,
        .err = c->request.err,
        .kind = c->request.kind,
        .text = c->request.text != NULL ? c->request.text : "",
        .values = (const struct cadre_reply_values_ *)c};
    return CADRE_OK;
}

cadre_err cadre_reply_result(const struct cadre_reply *reply,
                             struct cadre_outputs into)
{
    struct cadre_error error;

    if (reply->err == CADRE_OK)
        return cadre_future_result(reply->values->call.future, into);
    cadre_error_set(&error, reply->err, "%s",
                    reply->text[0] != '\0' ? reply->text
                                           : cadre_strerror(reply->err));
    return cadre_error_publish(&error, reply->err);
}
