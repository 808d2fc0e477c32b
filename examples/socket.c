/* socket.c - without a pool: this program says which process does what. */
#include <cadre.h>

#include <stdio.h>

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_socket *sock;
    CADRE_CHECK(
        cadre_socket_open(&(struct cadre_socket_options){.ranks = 1}, &sock));

    /* All are sent before the first reply is read. */
    for (int i = 1; i <= 4; i++)
        cadre_socket_call(sock, CADRE_FN(square), i);
    cadre_socket_call(sock, CADRE_FN(square), "five");

    for (int i = 1; i <= 5; i++) {
        struct cadre_reply reply;
        int64_t out;

        CADRE_CHECK(cadre_socket_receive(sock, &reply, 10000));
        if (cadre_reply_result(&reply, CADRE_INTO(&out)) == CADRE_OK)
            printf("call %d: %ld\n", (int)reply.number, (long)out);
        else
            printf("call %d: %s\n", (int)reply.number, reply.text);
    }

    cadre_socket_close(sock);
    return cadre_finalize();
}
