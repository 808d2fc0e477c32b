/* mpi_socket_peer.c - the other end of the messages in mpi_socket.c: a program
 * that does what each message's tag says, and never becomes a worker. */
#include "mpi_socket.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A number, three numbers and a text come back changed. */
static void change(struct cadre_socket *sock,
                   const struct cadre_socket_message *m)
{
    char *text, answer[64];
    double x[3];
    int i;

    CADRE_CHECK(cadre_message_read(m, CADRE_INTO(&i, x, &text)));
    for (int k = 0; k < 3; k++)
        x[k] *= 2;
    snprintf(answer, sizeof answer, "got %s", text);
    free(text);
    CADRE_CHECK(cadre_socket_send(sock, 0, m->tag, i + 1, CADRE_ELEMENTS(x, 3),
                                  (const char *)answer));
}

static void stream(struct cadre_socket *sock,
                   const struct cadre_socket_message *m)
{
    int n;

    CADRE_CHECK(cadre_message_read(m, CADRE_INTO(&n)));
    for (int i = 0; i < n; i++)
        CADRE_CHECK(cadre_socket_send(sock, 0, i, (int64_t)i * i));
}

/* The length is not known before. */
static void add_up(struct cadre_socket *sock,
                   const struct cadre_socket_message *m)
{
    const struct cadre_part *part = &m->parts[0];
    const double *x = part->data;
    double sum = 0;

    for (uint64_t i = 0; i < part->count; i++)
        sum += x[i];
    CADRE_CHECK(cadre_socket_send(sock, 0, m->tag, sum, part->count));
}

static void obey(struct cadre_socket *sock,
                 const struct cadre_socket_message *m)
{
    switch (m->tag) {
    case TAG_CHANGE:
        change(sock, m);
        break;
    case TAG_STREAM:
        stream(sock, m);
        break;
    case TAG_SUM:
        add_up(sock, m);
        break;
    case TAG_PID:
        CADRE_CHECK(cadre_socket_send(sock, 0, m->tag, (int)getpid()));
        break;
    case TAG_DIE:
        raise(SIGKILL);
        break;
    case TAG_HANG:
        for (;;)
            pause();
    }
}

/* All but the first process of a job come late. */
static void start_late(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");

    if (rank != NULL && strcmp(rank, "0") != 0)
        usleep(300000);
}

int main(int argc, char **argv)
{
    struct cadre_socket_message message;
    struct cadre_socket *sock;
    cadre_err err;

    start_late();
    CADRE_CHECK(cadre_socket_accept(&argc, &argv, 20000, &sock));
    if (argc > 1) /* an argument is the first message */
        CADRE_CHECK(
            cadre_socket_send(sock, 0, TAG_CHANGE, (const char *)argv[1]));
    while ((err = cadre_socket_receive_message(sock, 0, &message, 30000)) ==
           CADRE_OK)
        obey(sock, &message);
    cadre_socket_close(sock);
    return err == CADRE_ECLOSED ? 0 : 1;
}
