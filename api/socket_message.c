/* socket_message.c - messages of the programs' own: sent, received, read. */
#include "socket_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- sending -------------------------------------------------------------- */

/* One number as it lies in memory. */
struct number {
    _Alignas(16) unsigned char bytes[32];
};

static cadre_err see_number(const struct cadre_value *v, struct number *number,
                            struct cadre_error *error)
{
    struct cadre_param as_it_is = {.name = "", .type = v->type};

    return cadre_value_convert(v, &as_it_is, number->bytes, error);
}

static bool is_number(cadre_type type)
{
    return type >= CADRE_BOOL && type <= CADRE_LONG_DOUBLE_COMPLEX;
}

/* `v` as what travels; value number `n` in errors. */
static cadre_err see_value(const struct cadre_value *v, size_t n,
                           struct number *number, struct cadre_part *part,
                           struct cadre_error *error)
{
    *part = (struct cadre_part){
        .type = v->type, .is_array = v->is_array, .count = 1};
    if (!is_number(v->type) && (v->type != CADRE_STRING || v->is_array))
        return cadre_error_set(error, CADRE_ETYPE,
                               "value %zu is neither a number, a string, nor "
                               "an array of numbers",
                               n);
    if (v->is_array && v->bytes == SIZE_MAX)
        return cadre_error_set(error, CADRE_ETYPE,
                               "value %zu is an array of unknown length, or "
                               "has fewer elements than are to be sent: write "
                               "CADRE_ELEMENTS(x, n)",
                               n);
    if (v->is_array) {
        part->count = v->bytes / cadre_type_size(v->type);
        part->data = v->pointer;
        if (part->count > 0 && part->data == NULL)
            return cadre_error_set(error, CADRE_ETYPE,
                                   "value %zu is a null pointer", n);
        return CADRE_OK;
    }
    part->data = v->type == CADRE_STRING ? (const void *)v->string : number;
    return v->type == CADRE_STRING ? CADRE_OK : see_number(v, number, error);
}

static cadre_err see_values(struct cadre_values values,
                            struct cadre_msg_letter *msg,
                            struct number *numbers, struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    if (values.count > CADRE_PARTS_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "%zu values: a message can have %d",
                               values.count, CADRE_PARTS_MAX);
    msg->count = (uint32_t)values.count;
    for (size_t i = 0; i < values.count && err == CADRE_OK; i++)
        err = see_value(&values.list[i], i + 1, &numbers[i], &msg->parts[i],
                        error);
    return err;
}

static cadre_err check_rank(const struct cadre_socket *socket, int rank,
                            bool can_be_any, struct cadre_error *error)
{
    if (socket == NULL)
        return cadre_error_set(error, CADRE_EINVAL, "the socket is NULL");
    if ((rank == CADRE_ANY_RANK && can_be_any) ||
        (rank >= 0 && rank < cadre_socket_ranks(socket)))
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EINVAL, "rank %d is not below %d", rank,
                           cadre_socket_ranks(socket));
}

static cadre_err send(struct cadre_socket *s, int rank,
                      const struct cadre_msg_letter *msg,
                      struct cadre_error *error)
{
    cadre_err err;

    if (s->parent != NULL)
        return cadre_parent_send(s->parent, msg, error);
    cadre_engine_lock(s->engine);
    err = cadre_port_send(s->port, rank, msg, error);
    cadre_engine_unlock(s->engine);
    return err;
}

cadre_err cadre_socket_send_values(struct cadre_socket *socket, int rank,
                                   int tag, struct cadre_values values)
{
    struct number numbers[CADRE_PARTS_MAX];
    struct cadre_msg_letter msg = {.tag = tag};
    struct cadre_error error = {""};
    cadre_err err;

    if ((err = check_rank(socket, rank, false, &error)) == CADRE_OK &&
        (err = see_values(values, &msg, numbers, &error)) == CADRE_OK)
        err = send(socket, rank, &msg, &error);
    if (err == CADRE_OK)
        return CADRE_OK;
    cadre_error_prefix(&error, err, "send: ");
    return cadre_error_publish(&error, err);
}

/* --- receiving ------------------------------------------------------------ */

/* Whose message is waited for. */
struct awaited {
    struct cadre_socket *socket;
    int rank;
};

/* The loss to tell who waits for messages of `rank`; NULL: none. */
static const char *loss(struct cadre_socket *s, int rank, bool tells)
{
    int ranks = cadre_port_ranks(s->port), lost = 0;
    const char *why = NULL;

    for (int i = 0; i < ranks; i++) {
        const char *text = cadre_port_lost(s->port, i);

        if (text == NULL)
            continue;
        lost++;
        why = text;
        if (rank == i)
            return text;
        if (rank == CADRE_ANY_RANK && !s->is_loss_told[i]) {
            s->is_loss_told[i] = tells;
            return text;
        }
    }
    return rank == CADRE_ANY_RANK && lost == ranks ? why : NULL;
}

bool cadre_socket_has_loss(const struct cadre_socket *socket)
{
    return loss((struct cadre_socket *)socket, CADRE_ANY_RANK, false) != NULL;
}

static bool has_come(void *arg)
{
    const struct awaited *a = arg;

    return cadre_letters_has(cadre_port_letters(a->socket->port), a->rank) ||
           loss(a->socket, a->rank, false) != NULL;
}

static cadre_err take_at_port(struct cadre_socket *s, int rank,
                              uint64_t deadline_ns,
                              struct cadre_letter **letter,
                              struct cadre_error *error)
{
    struct awaited awaited = {.socket = s, .rank = rank};
    cadre_err err = CADRE_OK;

    cadre_engine_lock(s->engine);
    if (!cadre_socket_await(s, has_come, &awaited, deadline_ns))
        err = cadre_error_set(error, CADRE_ETIMEOUT,
                              "no message has come in time");
    else if ((*letter = cadre_letters_take(cadre_port_letters(s->port),
                                           rank)) == NULL)
        err = cadre_error_set(error, CADRE_ELOST, "%s", loss(s, rank, true));
    cadre_engine_unlock(s->engine);
    return err;
}

static cadre_err take(struct cadre_socket *s, int rank, uint64_t deadline_ns,
                      struct cadre_letter **letter, struct cadre_error *error)
{
    cadre_err err;

    if (s->port != NULL)
        return take_at_port(s, rank, deadline_ns, letter, error);
    if ((err = cadre_parent_wait(s->parent, deadline_ns, error)) == CADRE_OK)
        *letter = cadre_letters_take(cadre_parent_letters(s->parent), -1);
    return err;
}

cadre_err cadre_socket_receive_message(struct cadre_socket *socket, int rank,
                                       struct cadre_socket_message *message,
                                       double timeout_ms)
{
    struct cadre_error error = {""};
    struct cadre_letter *l = NULL;
    cadre_err err;

    if ((err = check_rank(socket, rank, true, &error)) == CADRE_OK)
        err = take(socket, rank, cadre_deadline(timeout_ms), &l, &error);
    if (err != CADRE_OK) {
        cadre_error_prefix(&error, err, "receive: ");
        return cadre_error_publish(&error, err);
    }
    free(socket->letter);
    socket->letter = l;
    *message = (struct cadre_socket_message){.rank = l->rank,
                                             .tag = l->msg.tag,
                                             .count = l->msg.count,
                                             .parts = l->msg.parts};
    return CADRE_OK;
}

/* --- reading -------------------------------------------------------------- */

static void describe(char *text, size_t len, cadre_type type, bool is_array,
                     uint64_t count)
{
    if (is_array)
        snprintf(text, len, "an array of %llu %s", (unsigned long long)count,
                 cadre_type_name(type));
    else
        snprintf(text, len, "%s", cadre_type_name(type));
}

static cadre_err check_place(const struct cadre_part *part,
                             const struct cadre_output *o, size_t n,
                             struct cadre_error *error)
{
    size_t size = cadre_type_size(part->type);
    size_t places = o->type > CADRE_VOID && o->type <= CADRE_STRING
                        ? o->bytes / cadre_type_size(o->type)
                        : 0;
    bool is_string = part->type == CADRE_STRING;
    char given[64], wanted[64];

    if (o->data != NULL && o->type == part->type &&
        o->is_pointers == is_string &&
        (o->bytes == SIZE_MAX || o->bytes == part->count * size))
        return CADRE_OK;
    if (o->data == NULL)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the place for value %zu is a null pointer", n);
    describe(given, sizeof given, part->type, part->is_array, part->count);
    describe(wanted, sizeof wanted, o->type,
             o->bytes != SIZE_MAX && places != 1, places);
    return cadre_error_set(
        error, CADRE_ETYPE, "value %zu is %s, its place is for %s%s", n, given,
        o->is_pointers && o->type != CADRE_STRING ? "pointers to " : "",
        wanted);
}

static cadre_err check_places(const struct cadre_socket_message *m,
                              const struct cadre_outputs *into,
                              struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    if (into->count != m->count)
        return cadre_error_set(error, CADRE_ETYPE,
                               "the message has %zu values, %zu are wanted",
                               m->count, into->count);
    for (size_t i = 0; i < m->count && err == CADRE_OK; i++)
        err = check_place(&m->parts[i], &into->list[i], i + 1, error);
    return err;
}

/* Copies of the strings; `copies` has a place for each value. */
static cadre_err copy_strings(const struct cadre_socket_message *m,
                              char **copies)
{
    for (size_t i = 0; i < m->count; i++) {
        const char *text = m->parts[i].data;

        if (m->parts[i].type != CADRE_STRING || text == NULL)
            continue;
        if ((copies[i] = strdup(text)) == NULL) {
            while (i > 0)
                free(copies[--i]);
            return CADRE_ENOMEM;
        }
    }
    return CADRE_OK;
}

static void copy_out(const struct cadre_socket_message *m,
                     const struct cadre_outputs *into, char *const *copies)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct cadre_part *part = &m->parts[i];
        size_t bytes = part->count * cadre_type_size(part->type);

        if (part->type == CADRE_STRING)
            *(char **)into->list[i].data = copies[i];
        else if (bytes > 0)
            memcpy(into->list[i].data, part->data, bytes);
    }
}

cadre_err cadre_message_read(const struct cadre_socket_message *message,
                             struct cadre_outputs into)
{
    char *copies[CADRE_PARTS_MAX] = {NULL};
    struct cadre_error error = {""};
    cadre_err err = check_places(message, &into, &error);

    if (err == CADRE_OK && (err = copy_strings(message, copies)) != CADRE_OK)
        cadre_error_set(&error, err, "out of memory");
    if (err == CADRE_OK) {
        copy_out(message, &into, copies);
        return CADRE_OK;
    }
    cadre_error_prefix(&error, err, "message %d of rank %d: ", message->tag,
                       message->rank);
    return cadre_error_publish(&error, err);
}

/* --- looking -------------------------------------------------------------- */

static unsigned events_of(struct cadre_socket *s)
{
    if (s->parent != NULL)
        return cadre_letters_has(cadre_parent_letters(s->parent), -1)
                   ? CADRE_HAS_MESSAGE
                   : 0;
    return (cadre_port_has_reply(s->port) ? CADRE_HAS_REPLY : 0u) |
           (cadre_letters_has(cadre_port_letters(s->port), -1)
                ? CADRE_HAS_MESSAGE
                : 0u) |
           (cadre_socket_has_loss(s) ? CADRE_HAS_LOSS : 0u);
}

static bool has_event(void *arg)
{
    return events_of(arg) != 0;
}

cadre_err cadre_socket_poll(struct cadre_socket *socket, double timeout_ms,
                            unsigned *events)
{
    uint64_t deadline = cadre_deadline(timeout_ms);
    struct cadre_error error = {"poll: nothing has come in time"};
    cadre_err err = CADRE_ETIMEOUT;
    unsigned found;

    if (socket->parent != NULL) {
        err = cadre_parent_wait(socket->parent, deadline, &error);
        found = events_of(socket);
        if (err != CADRE_OK && err != CADRE_ETIMEOUT)
            found |= CADRE_HAS_LOSS;
    } else {
        cadre_engine_lock(socket->engine);
        cadre_socket_await(socket, has_event, socket, deadline);
        found = events_of(socket);
        cadre_engine_unlock(socket->engine);
    }
    if (found == 0)
        return cadre_error_publish(&error, CADRE_ETIMEOUT);
    if (events != NULL)
        *events = found;
    return CADRE_OK;
}
