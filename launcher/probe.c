/* probe.c - tries something in a child; see probe.h. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    CAME_BACK = 73, /* the status that says so: no usual one of exit() */
    LOOK_MS = 2
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

_Noreturn static void be_child(void (*attempt)(void *arg), void *arg)
{
    int nothing = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    for (int fd = 0; nothing >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
    attempt(arg);
    _exit(CAME_BACK);
}

/* False: it has not ended in time, and is ended. */
static bool await(pid_t child, double limit_s, int *wait_status)
{
    double until_s = now_s() + limit_s;

    while (waitpid(child, wait_status, WNOHANG) == 0) {
        if (now_s() > until_s) {
            kill(child, SIGKILL);
            waitpid(child, wait_status, 0);
            return false;
        }
        poll(NULL, 0, LOOK_MS);
    }
    return true;
}

bool cadre_probe(void (*attempt)(void *arg), void *arg, double limit_s,
                 struct cadre_why *why)
{
    pid_t child = fork();
    int status = 0;

    if (child < 0)
        return true;
    if (child == 0)
        be_child(attempt, arg);
    if (!await(child, limit_s, &status))
        return cadre_why_set(why, "has not ended within %g s", limit_s);
    if (WIFSIGNALED(status))
        return cadre_why_set(why, "crashes (%s)", strsignal(WTERMSIG(status)));
    if (WIFEXITED(status) && WEXITSTATUS(status) != CAME_BACK)
        return cadre_why_set(why, "calls exit(%d)", WEXITSTATUS(status));
    return true;
}
