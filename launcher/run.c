/* run.c - `cadre run`: mpirun with the right settings and a true exit status.
 *
 * Under Open MPI's recovery, which Cadre needs, mpirun returns 0 whatever
 * happened, and waits for ever for ranks that hang when rank 0 is gone. So rank
 * 0 reports its status here (rank.c), and what follows is a small machine:
 *
 *     RUNNING     a signal: passed on to the program
 *                 a second signal: rank 0 is killed ──► TERMINATED
 *                 rank 0 has ended ──► ENDING
 *     ENDING      after 5 s, or 1 s ──► TERMINATED
 *     TERMINATED  after 2 s ──► KILLED
 *     any         mpirun has ended ──► done
 *
 * The other ranks have five seconds to end after rank 0, or one where it was
 * ended by a signal, or asked to.
 *
 * A terminal sends its signals to all of its foreground processes, which mpirun
 * is one of (it reads the terminal) and the ranks are not. mpirun would end
 * everything at once: so it has those blocked, which it does not undo, and
 * whose turn it is is decided here.
 */
#include "run.h"

#include "help.h"
#include "numbers.h"
#include "paths.h"
#include "rank.h"
#include "say.h"

#include <cadre/init.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RANKS_MAX = 100000,
    SPARE_SLOTS =
        1000,           /* for workers to be spawned: running out of slots
                           damages mpirun, and the library counts cores itself */
    PATIENCE_MS = 5000, /* for the other ranks to end after rank 0 */
    HASTE_MS = 1000,    /* the same where it did not end by itself */
    HARDER_MS = 2000,   /* then, from each means to the next */
    SAME_MS = 100, /* one signal, though it came twice: timeout(1) sends it to
                      the process and to its group */
    GO_ON = -1,
    OPT_RANK_WRAPPER = 256
};

struct options {
    int ranks;
    const char *report; /* --rank-wrapper, hidden: we are a rank */
    char **program;     /* and its arguments */
};

/* One run of mpirun. */
struct run {
    const struct options *options;
    char mpirun[PATH_MAX], self[PATH_MAX];
    char report[64]; /* the socket's name */
    int listener;
    int rank;        /* the connection to rank 0; -1: not yet, or no more */
    pid_t rank_pid;  /* what is at its other end */
    int signals;     /* signalfd */
    sigset_t before; /* the signal mask, for mpirun */
    pid_t mpirun_pid;
    int64_t deadline_ms; /* when to get harder; INT64_MAX: never */
    bool is_terminated;  /* SIGTERM was sent */
    bool has_reported;
    int wait_status;      /* of rank 0 */
    int passed_on;        /* the first signal that we were sent; 0: none */
    int64_t passed_on_ms; /* and when */
};

/* --- options -------------------------------------------------------------- */

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"rank-wrapper", required_argument, NULL, OPT_RANK_WRAPPER},
    {NULL, 0, NULL, 0},
};

static int set_option(struct options *o, int option, char **argv)
{
    uint64_t n;

    switch (option) {
    case 'n':
        if (!cadre_number_scan(optarg, 1, RANKS_MAX, &n))
            return cadre_complain_usage("-n %s: write a number from 1 to %d",
                                        optarg, RANKS_MAX);
        o->ranks = (int)n;
        return GO_ON;
    case 'h':
        return cadre_help_print(cadre_help_run);
    case OPT_RANK_WRAPPER:
        o->report = optarg;
        return GO_ON;
    case ':':
        return cadre_complain_option("wants a value", optopt, argv[optind - 1]);
    default:
        return cadre_complain_option("is unknown", optopt, argv[optind - 1]);
    }
}

static int read_options(struct options *o, int argc, char **argv)
{
    int option, status;

    *o = (struct options){.ranks = 1};
    opterr = 0;
    optind = 0; /* start anew, GNU */
    while ((option = getopt_long(argc, argv, "+:n:h", long_options, NULL)) !=
           -1)
        if ((status = set_option(o, option, argv)) != GO_ON)
            return status;
    o->program = argv + optind;
    if (optind == argc || argv[optind][0] == '\0')
        return cadre_complain_usage("which program?");
    return GO_ON;
}

/* --- checks --------------------------------------------------------------- */

static int check_program(const char *name)
{
    char path[PATH_MAX];

    if (cadre_path_find(name, path, sizeof path))
        return GO_ON;
    if (errno == EACCES) {
        cadre_complain("%s cannot be executed: chmod +x it, or name a program",
                       name);
        return CADRE_EXIT_NOT_EXECUTABLE;
    }
    if (errno == ENOENT && strchr(name, '/') == NULL && access(name, X_OK) == 0)
        cadre_complain("there is no program %s in PATH: write ./%s for the one "
                       "in this folder",
                       name, name);
    else
        cadre_complain("there is no program %s: check the path", name);
    return CADRE_EXIT_NOT_FOUND;
}

static bool find_mpirun(struct run *r)
{
    if (cadre_path_find("mpirun", r->mpirun, sizeof r->mpirun) &&
        cadre_path_self(r->self, sizeof r->self))
        return true;
    cadre_complain("there is no mpirun in PATH: install Open MPI (Debian: "
                   "apt-get install openmpi-bin)");
    return false;
}

/* --- mpirun --------------------------------------------------------------- */

static void set_environment(void)
{
    cadre_set_mpi_environment();
    setenv("OMPI_MCA_orte_base_help_aggregate", "0", 0);
    if (geteuid() == 0) {
        setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
        setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    }
}

/* mpirun [settings] cadre run --rank-wrapper NAME -- program ... */
static char **make_command(struct run *r, char *ranks, char *host)
{
    char *const fixed[] = {
        r->mpirun,   "-n",   ranks,   "-H",  host,
        "--bind-to", "none", r->self, "run", "--rank-wrapper",
        r->report,   "--"};
    size_t nfixed = sizeof fixed / sizeof fixed[0], nprogram = 0;
    char **command;

    while (r->options->program[nprogram] != NULL)
        nprogram++;
    if ((command = calloc(nfixed + nprogram + 1, sizeof *command)) == NULL)
        cadre_out_of_memory();
    memcpy(command, fixed, sizeof fixed);
    memcpy(command + nfixed, r->options->program, nprogram * sizeof *command);
    return command;
}

/* What mpirun is not to get from the terminal. It ends everything at SIGTERM,
 * which it gets from us. */
static void block_terminal(const struct run *r)
{
    sigset_t set = r->before;

    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

/* In the child. mpirun ends its ranks when it gets SIGTERM, and gets it even
 * if we are killed. */
_Noreturn static void become_mpirun(struct run *r, pid_t parent)
{
    char ranks[16], host[32];
    char **command;

    snprintf(ranks, sizeof ranks, "%d", r->options->ranks);
    snprintf(host, sizeof host, "localhost:%d",
             r->options->ranks + SPARE_SLOTS);
    command = make_command(r, ranks, host);
    block_terminal(r);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* killed before the line above */
        _exit(CADRE_EXIT_RUNTIME);
    execv(r->mpirun, command);
    cadre_complain("%s cannot be executed: %s", r->mpirun, strerror(errno));
    _exit(CADRE_EXIT_RUNTIME);
}

/* Not where it was ignored before: nohup and the like mean it. */
static void add_signal(sigset_t *set, int number)
{
    struct sigaction action;

    if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
        sigaddset(set, number);
}

static bool start(struct run *r)
{
    pid_t self = getpid();
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    add_signal(&set, SIGINT);
    add_signal(&set, SIGTERM);
    add_signal(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &r->before);
    r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    r->listener = cadre_report_listen(r->report, sizeof r->report);
    if (r->signals < 0 || r->listener < 0 || (r->mpirun_pid = fork()) < 0) {
        cadre_complain("mpirun could not be started: %s", strerror(errno));
        return false;
    }
    if (r->mpirun_pid == 0)
        become_mpirun(r, self);
    return true;
}

/* --- the machine ---------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void end_by(struct run *r, int64_t patience_ms)
{
    int64_t deadline_ms = now_ms() + patience_ms;

    if (deadline_ms < r->deadline_ms)
        r->deadline_ms = deadline_ms;
}

static void meet_rank(struct run *r)
{
    if (r->rank < 0 && !r->has_reported)
        r->rank = cadre_report_accept(r->listener, &r->rank_pid);
}

/* Rank 0 has said something. */
static void hear_rank(struct run *r)
{
    enum cadre_report report;

    if (r->rank < 0 || (report = cadre_report_read(r->rank, &r->wait_status)) ==
                           CADRE_REPORT_NONE)
        return;
    if (report == CADRE_REPORT_LOST)
        r->wait_status = SIGKILL; /* nothing else keeps it from reporting */
    r->has_reported = true;
    close(r->rank);
    r->rank = -1;
    end_by(r, WIFEXITED(r->wait_status) && r->passed_on == 0 ? PATIENCE_MS
                                                             : HASTE_MS);
}

/* The program decides what a signal means; not so for a terminal that has gone,
 * or when nothing has begun yet. */
static void pass_on(struct run *r, int number)
{
    r->passed_on = number;
    r->passed_on_ms = now_ms();
    if (r->rank >= 0)
        kill(r->rank_pid, number);
    if (number == SIGHUP || r->rank < 0)
        end_by(r, r->rank >= 0 ? HARDER_MS : 0);
}

static void on_signal(struct run *r, int number)
{
    if (r->passed_on == 0) {
        pass_on(r, number);
    } else if (now_ms() - r->passed_on_ms >= SAME_MS) {
        if (r->rank >= 0)
            kill(r->rank_pid, SIGKILL);
        end_by(r, 0);
    }
}

static void on_deadline(struct run *r)
{
    kill(r->mpirun_pid, r->is_terminated ? SIGKILL : SIGTERM);
    r->is_terminated = true;
    r->deadline_ms = now_ms() + HARDER_MS;
}

static int wait_time_ms(const struct run *r)
{
    int64_t left;

    if (r->deadline_ms == INT64_MAX)
        return -1;
    left = r->deadline_ms - now_ms();
    return left > 0 ? (int)left : 0;
}

static void hear_signals(struct run *r)
{
    struct signalfd_siginfo info;

    while (read(r->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            on_signal(r, (int)info.ssi_signo);
}

/* Until mpirun has ended; returns its wait status. */
static int watch(struct run *r)
{
    int wait_status;

    while (waitpid(r->mpirun_pid, &wait_status, WNOHANG) == 0) {
        struct pollfd fds[] = {{.fd = r->signals, .events = POLLIN},
                               {.fd = r->listener, .events = POLLIN},
                               {.fd = r->rank, .events = POLLIN}};

        if (r->rank >= 0 || r->has_reported)
            fds[1].fd = -1; /* nobody else is expected */
        poll(fds, 3, wait_time_ms(r));
        meet_rank(r);
        hear_rank(r);
        hear_signals(r);
        if (wait_time_ms(r) == 0)
            on_deadline(r);
    }
    meet_rank(r); /* the report may have come last */
    hear_rank(r);
    return wait_status;
}

/* Was mpirun ended before the program was, or has it taken the program along?
 * That is killed, then. */
static bool has_crashed(const struct run *r, int mpirun_status)
{
    if (!WIFSIGNALED(mpirun_status))
        return false;
    return !r->has_reported ||
           (!r->is_terminated && WTERMSIG(r->wait_status) == SIGKILL);
}

/* The status to leave with. */
static int conclude(const struct run *r, int mpirun_status)
{
    if (r->has_reported && WIFEXITED(r->wait_status))
        return WEXITSTATUS(r->wait_status);
    if (r->passed_on != 0)
        return CADRE_EXIT_SIGNAL + r->passed_on;
    if (has_crashed(r, mpirun_status))
        cadre_complain("mpirun was ended by signal %d (%s)%s: start it again",
                       WTERMSIG(mpirun_status),
                       strsignal(WTERMSIG(mpirun_status)),
                       r->has_reported ? ", and took the program with it" : "");
    if (r->has_reported)
        return CADRE_EXIT_SIGNAL + WTERMSIG(r->wait_status);
    if (WIFEXITED(mpirun_status))
        cadre_complain("mpirun ended with status %d before the program did",
                       WEXITSTATUS(mpirun_status));
    return CADRE_EXIT_RUNTIME;
}

int cadre_run_main(int argc, char **argv)
{
    struct options options;
    struct run r = {.options = &options,
                    .listener = -1,
                    .rank = -1,
                    .signals = -1,
                    .deadline_ms = INT64_MAX};
    int status = read_options(&options, argc, argv);

    if (status != GO_ON)
        return status;
    if (options.report != NULL)
        return cadre_rank_main(options.report, options.program);
    if ((status = check_program(options.program[0])) != GO_ON)
        return status;
    if (!cadre_path_has_folder() || !find_mpirun(&r))
        return CADRE_EXIT_RUNTIME;
    set_environment();
    if (!start(&r))
        return CADRE_EXIT_RUNTIME;
    return conclude(&r, watch(&r));
}
