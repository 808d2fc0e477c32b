/* messages.c - two programs that exchange messages of their own, with nothing
 * else of Cadre. One file holds both: started with the word 'helper' it is the
 * other end. The helper finds roots of x^2 = a by Newton's steps, as many as it
 * is asked for. */
#include <cadre.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK = 1, ANSWER = 2 };

/* The helper: an estimate after each step, until the other end closes. */
static int help(int argc, char **argv)
{
    struct cadre_socket_message question;
    struct cadre_socket *sock;

    CADRE_CHECK(cadre_socket_accept(&argc, &argv, 10000, &sock));
    while (cadre_socket_receive_message(sock, 0, &question, -1) == CADRE_OK) {
        double a, x[16];
        int steps;
        char *name;

        CADRE_CHECK(
            cadre_message_read(&question, CADRE_INTO(&a, &steps, &name)));
        steps = steps < 15 ? steps : 15;
        x[0] = a;
        for (int i = 1; i <= steps; i++)
            x[i] = (x[i - 1] + a / x[i - 1]) / 2;
        CADRE_CHECK(cadre_socket_send(sock, 0, ANSWER, name,
                                      CADRE_ELEMENTS(x, steps + 1)));
        free(name);
    }
    cadre_socket_close(sock);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "helper") == 0)
        return help(argc, argv);
    CADRE_CHECK(cadre_init(&argc, &argv));

    const char *const args[] = {"helper", NULL};
    struct cadre_socket *sock;
    CADRE_CHECK(
        cadre_socket_open(&(struct cadre_socket_options){.args = args}, &sock));

    CADRE_CHECK(cadre_socket_send(sock, 0, ASK, 2.0, 3, "the diagonal"));
    CADRE_CHECK(cadre_socket_send(sock, 0, ASK, 9.0, 5, "the side"));
    for (int i = 0; i < 2; i++) {
        struct cadre_socket_message answer;

        CADRE_CHECK(cadre_socket_receive_message(sock, 0, &answer, 10000));
        const char *name = answer.parts[0].data;
        const double *x = answer.parts[1].data;
        uint64_t last = answer.parts[1].count - 1;

        printf("%s: %.4f after %d steps\n", name, x[last], (int)last);
    }

    cadre_socket_close(sock);
    return cadre_finalize();
}
