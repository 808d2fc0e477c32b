/* rank.c - a rank under `cadre run`; see rank.h.
 *
 *     cadre run ──fork──► mpirun ──fork──► rank 0: this ──fork──► program
 *       │ ▲                                  ▲ │  └─────signals──────►
 *       │ └────── wait status (socket) ──────│─┘
 *       └───────────── signals ──────────────┘
 *
 * Nobody may outlive the one above: each child asks the kernel to be killed
 * when its parent dies. The other ranks have mpirun as their parent and keep
 * that wish across exec.
 */
#include "rank.h"

#include "say.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What rank 0 says. Both ends are one program on one machine. */
struct report {
    uint32_t magic;
    int32_t wait_status;
};

enum { REPORT_MAGIC = 0x43445253 };

/* --- the socket ----------------------------------------------------------- */

/* An abstract name starts with a zero byte and has no end but its length. */
static socklen_t make_address(const char *name, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "%s", name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                       strlen(address->sun_path + 1));
}

int cadre_report_listen(char *name, size_t room)
{
    struct sockaddr_un address;
    uint64_t random = 0;
    socklen_t len;
    int fd;

    if (getrandom(&random, sizeof random, 0) < 0)
        return -1;
    snprintf(name, room, "cadre-run-%016" PRIx64, random);
    len = make_address(name, &address);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int cadre_report_accept(int listener, pid_t *pid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
        peer.uid == geteuid() && peer.pid > 0) {
        *pid = peer.pid;
        return fd;
    }
    close(fd);
    return -1;
}

/* The report is so short that it comes in one piece. */
enum cadre_report cadre_report_read(int fd, int *wait_status)
{
    struct report report = {0};
    ssize_t got = recv(fd, &report, sizeof report, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return CADRE_REPORT_NONE;
    if (got != sizeof report || report.magic != REPORT_MAGIC)
        return CADRE_REPORT_LOST;
    *wait_status = report.wait_status;
    return CADRE_REPORT_END;
}

/* -1: there is no `cadre run` any more. */
static int connect_to(const char *name)
{
    struct sockaddr_un address;
    socklen_t len = make_address(name, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, len) == 0)
        return fd;
    close(fd);
    return -1;
}

static void send_report(int fd, int wait_status)
{
    struct report report = {.magic = REPORT_MAGIC, .wait_status = wait_status};

    if (send(fd, &report, sizeof report, MSG_NOSIGNAL) < 0 && errno != EPIPE)
        cadre_complain("the program's exit status could not be passed on: %s",
                       strerror(errno));
}

/* --- rank 0 --------------------------------------------------------------- */

static volatile pid_t program_pid;

static bool is_of_terminal(int number)
{
    return number == SIGINT || number == SIGHUP || number == SIGQUIT;
}

/* What a terminal sends, it would send to the program's children, too: here
 * they are one group with us, and we hear our own signal again. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;
    bool has_group = getpgrp() == getpid();

    (void)context;
    if (program_pid <= 0 || info->si_pid == getpid())
        return;
    if (has_group && is_of_terminal(number))
        kill(0, number);
    if (!has_group || !is_of_terminal(number) ||
        getpgid(program_pid) != getpgrp())
        kill(program_pid, number);
    errno = error;
}

/* Signals that somebody may send on purpose. */
static const int passed_on[] = {SIGTERM, SIGINT,  SIGHUP, SIGQUIT,
                                SIGUSR1, SIGUSR2, SIGCONT};

static void block_signals(sigset_t *before)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        sigaddset(&set, passed_on[i]);
    sigprocmask(SIG_BLOCK, &set, before);
}

static void pass_signals_on(void)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_RESTART | SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        sigaction(passed_on[i], &action, NULL);
}

_Noreturn static void become(char **program, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before it could be told */
        _exit(CADRE_EXIT_RUNTIME);
    execvp(program[0], program);
    cadre_complain("%s cannot be executed: %s", program[0], strerror(errno));
    _exit(errno == ENOENT ? CADRE_EXIT_NOT_FOUND : CADRE_EXIT_NOT_EXECUTABLE);
}

/* End as the program did, so that mpirun says what it would have said. */
static int end_like(int wait_status)
{
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0}); /* one core file is enough */
    signal(WTERMSIG(wait_status), SIG_DFL);
    raise(WTERMSIG(wait_status));
    return CADRE_EXIT_SIGNAL + WTERMSIG(wait_status);
}

static int run_and_report(const char *name, char **program)
{
    pid_t self = getpid();
    sigset_t before;
    int wait_status, fd;

    block_signals(&before);
    if ((fd = connect_to(name)) < 0) {
        cadre_complain("cadre run cannot be reached: %s", strerror(errno));
        return CADRE_EXIT_RUNTIME;
    }
    program_pid = fork();
    if (program_pid == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        become(program, self);
    }
    pass_signals_on();
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (program_pid < 0) {
        cadre_complain("no process could be started: %s", strerror(errno));
        return CADRE_EXIT_RUNTIME;
    }
    while (waitpid(program_pid, &wait_status, 0) < 0)
        if (errno != EINTR)
            return CADRE_EXIT_RUNTIME;
    send_report(fd, wait_status);
    return end_like(wait_status);
}

int cadre_rank_main(const char *name, char **program)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    pid_t parent = getppid();

    if (rank != NULL && strcmp(rank, "0") != 0)
        become(program, parent);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return CADRE_EXIT_RUNTIME;
    return run_and_report(name, program);
}
