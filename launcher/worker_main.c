/* worker_main.c - the program `cadre-worker`: a process that runs functions of
 * shared libraries for a controller. Workers never come out of cadre_init();
 * who does has been started by hand.
 */
#include <cadre.h>

#include <stdio.h>
#include <string.h>

static const char help[] =
    "cadre-worker - runs functions of shared libraries for a Cadre program\n"
    "\n"
    "It is started by `cadre map`, and by programs that name it as their\n"
    "worker_program; there is nothing for it to do when started by hand.\n"
    "\n"
    "  cadre-worker --help\n"
    "  cadre-worker --version\n"
    "\n"
    "See `cadre --help`.\n";

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return fputs(help, stdout) == EOF;
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return printf("cadre-worker %s\n", cadre_version()) < 0;
    if (cadre_init(&argc, &argv) != CADRE_OK) {
        fprintf(stderr, "cadre-worker: %s\n", cadre_error_text());
        return 3;
    }
    fprintf(stderr, "cadre-worker: not started by a Cadre program, so there is "
                    "nothing to do; see cadre-worker --help\n");
    cadre_finalize();
    return 2;
}
