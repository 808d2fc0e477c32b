/* isolate.c - fork, limits, wait, result.
 *
 * Both processes share one mapping, the note: how far the call has come, and
 * the result if it is small. A larger result goes to a file in memory (memfd),
 * which the parent maps. The child's end is seen by a pidfd.
 *
 *     child                             parent
 *       call                              waits: limits, cancelling
 *       returns: note, flush, _exit  ──►  takes note and status
 *       exit():  note, flush, _exit  ──►
 *       crash:   note, bell          ──►  reads symbols of the child, which
 *         flush, _exit               ◄──  is still there, and lets it go
 *
 * The child's heap may be ruined, so the parent believes nothing in the note
 * without a look at its size.
 */
#include "isolate.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    INLINE_MAX = 48 * 1024, /* result bytes in the note */
    CANCEL_MS = 3,          /* between questions */
    CPU_LOOK_MS = 50,       /* between looks at the child's clock, at most */
    LEAVE_MS = 1000,        /* for a crashed child's last output */
    NAP_US = 200
};

enum stage { RUNNING, RETURNED, EXITED, CRASHED };

struct note {
    atomic_int stage;
    atomic_bool is_described; /* the crashed child may go */
    bool is_short;            /* of memory, when it ended */
    int value;
    size_t len;
    struct cadre_crash crash;
    unsigned char bytes[INLINE_MAX]; /* unless len is larger */
};

struct cadre_isolate {
    struct note *note;
    int file;     /* memfd: a large result */
    int bell;     /* eventfd: the child has crashed */
    void *mapped; /* the last large result; NULL: none */
    size_t mapped_len;
};

struct cadre_isolate_out {
    struct cadre_isolate *isolate;
    size_t len;
};

/* --- in the child ----------------------------------------------------------
 */

/* What the exit handler must know. */
static struct child {
    struct cadre_isolate *isolate;
    const struct cadre_isolate_limits *limits;
    uint64_t space_max; /* RLIMIT_AS, or 0 */
    cadre_isolate_fn fn;
    void *arg;
    struct cadre_isolate_out out;
    int value;
} child;

static cadre_err write_all(int file, const void *bytes, size_t len, size_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(file, bytes, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return CADRE_ENOMEM;
        bytes = (const unsigned char *)bytes + n;
        at += (size_t)n;
        len -= (size_t)n;
    }
    return CADRE_OK;
}

cadre_err cadre_isolate_put(struct cadre_isolate_out *out, const void *bytes,
                            size_t len)
{
    struct cadre_isolate *s = out->isolate;
    cadre_err err = CADRE_OK;

    if (len > SIZE_MAX / 2 - out->len)
        return CADRE_ENOMEM;
    if (out->len + len <= INLINE_MAX) {
        if (len > 0)
            memcpy(s->note->bytes + out->len, bytes, len);
    } else {
        if (out->len <= INLINE_MAX) /* it has outgrown the note */
            err = write_all(s->file, s->note->bytes, out->len, 0);
        if (err == CADRE_OK)
            err = write_all(s->file, bytes, len, out->len);
    }
    if (err == CADRE_OK)
        out->len += len;
    return err;
}

/* Bytes of address space of this process. */
static uint64_t space_used(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL)
        return 0;
    if (fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Was the limit on memory met? An allocation was refused a moment ago, or one
 * would be now. */
static bool is_short(int error_number)
{
    void *probe;

    if (child.space_max == 0)
        return false;
    if (error_number == ENOMEM)
        return true;
    probe = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        return true;
    munmap(probe, 1 << 20);
    return false;
}

static _Noreturn void end(enum stage stage, int value, bool is_out_of_memory)
{
    struct note *note = child.isolate->note;

    note->value = value;
    note->len = child.out.len;
    note->is_short = is_out_of_memory;
    fflush(NULL);
    atomic_store(&note->stage, stage);
    _exit(stage == EXITED ? value : 0);
}

/* The first exit handler to run, but for those of the call itself. */
static void on_leaving(int status, void *unused)
{
    (void)unused;
    end(EXITED, status, is_short(errno));
}

static void limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit now;

    if (getrlimit(resource, &now) != 0)
        return;
    if (now.rlim_max == RLIM_INFINITY || hard < now.rlim_max)
        now.rlim_max = hard;
    now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
    setrlimit(resource, &now);
}

static void set_limits(const struct cadre_isolate_limits *limits)
{
    if (limits->memory > 0) {
        child.space_max = space_used() + limits->memory;
        limit(RLIMIT_AS, child.space_max, child.space_max);
    }
    if (limits->cpu_ms > 0) { /* the parent is more exact; this is for sure */
        uint64_t s = limits->cpu_ms / 1000 + 1;

        limit(RLIMIT_CPU, s, s + 1);
    }
}

static void make_call(void *unused)
{
    (void)unused;
    errno = 0;
    child.value = child.fn(child.arg, &child.out);
}

/* Stay until the parent has seen where, then try to save the output. */
static _Noreturn void report_crash(void)
{
    struct note *note = child.isolate->note;
    uint64_t one = 1;

    note->is_short = is_short(note->crash.error_number);
    atomic_store(&note->stage, CRASHED);
    if (write(child.isolate->bell, &one, sizeof one) == sizeof one)
        while (!atomic_load(&note->is_described))
            usleep(NAP_US);
    fflush(NULL); /* the parent waits no longer than LEAVE_MS */
    _exit(1);
}

static _Noreturn void be_child(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0);
    on_exit(on_leaving, NULL);
    cadre_trap_arm(NULL);
    set_limits(child.limits);
    if (!cadre_trap_catch(make_call, NULL, &child.isolate->note->crash))
        report_crash();
    end(RETURNED, child.value, child.value != 0 && is_short(errno));
}

/* --- in the parent ---------------------------------------------------------
 */

/* A child that runs, and why it was ended. */
struct wait {
    const struct cadre_isolate_limits *limits;
    pid_t pid;
    int watch;      /* pidfd */
    int64_t end_ms; /* of its time; INT64_MAX: none */
    bool is_killed, has_crashed;
    enum cadre_isolate_end why; /* if killed before it crashed */
    struct cadre_isolate_result *result;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t cpu_ms(pid_t pid)
{
    clockid_t clock;
    struct timespec t;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void end_child(struct wait *w, enum cadre_isolate_end why)
{
    if (!w->is_killed && !w->has_crashed)
        w->why = why;
    w->is_killed = true;
    kill(w->pid, SIGKILL);
}

/* Look at each limit; returns how many milliseconds to sleep until the next
 * look, -1: for ever. */
static int check_limits(struct wait *w)
{
    const struct cadre_isolate_limits *l = w->limits;
    int64_t left = INT64_MAX;

    if (w->is_killed)
        return -1;
    if (w->end_ms != INT64_MAX)
        left = w->end_ms - now_ms();
    if (left <= 0)
        end_child(w, CADRE_ISOLATE_DEADLINE);
    if (w->has_crashed)
        return w->is_killed ? -1 : (int)left;
    if (l->is_cancelled != NULL) {
        if (l->is_cancelled(l->cancel_arg))
            end_child(w, CADRE_ISOLATE_CANCELLED);
        left = left < CANCEL_MS ? left : CANCEL_MS;
    }
    if (l->cpu_ms > 0) {
        int64_t rest = (int64_t)l->cpu_ms - cpu_ms(w->pid);

        if (rest <= 0)
            end_child(w, CADRE_ISOLATE_CPU);
        rest = rest < CPU_LOOK_MS ? rest : CPU_LOOK_MS;
        left = left < rest ? left : rest;
    }
    if (w->is_killed || left == INT64_MAX)
        return -1;
    return left < INT32_MAX ? (int)left + 1 : INT32_MAX;
}

/* The child has crashed and waits for us to look. */
static void look_at_crash(struct cadre_isolate *s, struct wait *w)
{
    struct cadre_crash *crash = &w->result->crash;
    uint64_t rings;

    (void)!read(s->bell, &rings, sizeof rings);
    if (w->is_killed || atomic_load(&s->note->stage) != CRASHED)
        return;
    *crash = s->note->crash;
    if (crash->count > CADRE_CRASH_FRAMES_MAX)
        crash->count = CADRE_CRASH_FRAMES_MAX;
    crash->what[sizeof crash->what - 1] = '\0';
    cadre_crash_describe(crash, w->pid);
    w->has_crashed = w->result->has_crash = true;
    w->end_ms = now_ms() + LEAVE_MS;
    atomic_store(&s->note->is_described, true);
}

static void wait_for_end(struct cadre_isolate *s, struct wait *w)
{
    struct pollfd p[] = {{.fd = w->watch, .events = POLLIN},
                         {.fd = s->bell, .events = POLLIN}};

    for (;;) {
        int nap_ms = check_limits(w);

        if (poll(p, 2, nap_ms) < 0 && errno != EINTR)
            end_child(w, CADRE_ISOLATE_CANCELLED);
        if ((p[0].revents & POLLIN) != 0)
            return;
        if ((p[1].revents & POLLIN) != 0)
            look_at_crash(s, w);
        p[0].revents = p[1].revents = 0;
    }
}

/* Its status as of wait(); what it started and left behind goes too. */
static int reap(pid_t pid, struct rusage *usage)
{
    siginfo_t info;
    int status = 0;

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0)
        kill(-pid, SIGKILL);
    while (wait4(pid, &status, 0, usage) < 0 && errno == EINTR) {
    }
    return status;
}

static cadre_err take_bytes(struct cadre_isolate *s,
                            struct cadre_isolate_result *result,
                            struct cadre_error *error)
{
    size_t len = s->note->len;
    struct stat st;

    result->len = len;
    result->bytes = s->note->bytes;
    if (len <= INLINE_MAX)
        return CADRE_OK;
    if (fstat(s->file, &st) != 0 || (uint64_t)st.st_size < len)
        return cadre_error_set(error, CADRE_EIO,
                               "the isolated call damaged its result");
    s->mapped = mmap(NULL, len, PROT_READ, MAP_SHARED, s->file, 0);
    if (s->mapped == MAP_FAILED) {
        s->mapped = NULL;
        return cadre_error_set(error, CADRE_ENOMEM,
                               "no room for a result of %zu bytes", len);
    }
    s->mapped_len = len;
    result->bytes = s->mapped;
    return CADRE_OK;
}

static enum cadre_isolate_end how_it_ended(const struct cadre_isolate *s,
                                           const struct wait *w, int status,
                                           const struct rusage *usage)
{
    const struct note *note = s->note;
    int stage = atomic_load(&note->stage);
    int64_t used_ms =
        (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
        (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;

    if (stage == RETURNED && note->value == 0)
        return CADRE_ISOLATE_DONE;
    if (stage != RUNNING && note->is_short)
        return CADRE_ISOLATE_MEMORY;
    if (stage == RETURNED)
        return CADRE_ISOLATE_FAILED;
    if (w->has_crashed || stage == CRASHED)
        return CADRE_ISOLATE_SIGNAL;
    if (w->is_killed)
        return w->why;
    if (WIFSIGNALED(status) && w->limits->cpu_ms > 0 &&
        used_ms >= w->limits->cpu_ms)
        return CADRE_ISOLATE_CPU;
    return WIFSIGNALED(status) ? CADRE_ISOLATE_SIGNAL : CADRE_ISOLATE_EXITED;
}

static void say_why(const struct wait *w, struct cadre_isolate_result *r)
{
    const struct cadre_isolate_limits *l = w->limits;
    char *text = r->text;
    size_t size = sizeof r->text;

    switch (r->end) {
    case CADRE_ISOLATE_DONE:
        text[0] = '\0';
        break;
    case CADRE_ISOLATE_FAILED:
        snprintf(text, size, "failed with %d", r->value);
        break;
    case CADRE_ISOLATE_EXITED:
        snprintf(text, size, "exited with status %d", r->value);
        break;
    case CADRE_ISOLATE_SIGNAL:
        snprintf(text, size, "%s", r->crash.what);
        break;
    case CADRE_ISOLATE_MEMORY:
        snprintf(text, size,
                 "needs more than its %" PRIu64 " bytes of memory%s%s",
                 l->memory, r->has_crash ? ": " : "",
                 r->has_crash ? r->crash.what : "");
        break;
    case CADRE_ISOLATE_CPU:
        snprintf(text, size, "has used its %" PRIu32 " ms of CPU time",
                 l->cpu_ms);
        break;
    case CADRE_ISOLATE_DEADLINE:
        snprintf(text, size, "not done after %" PRIu32 " ms", l->deadline_ms);
        break;
    case CADRE_ISOLATE_CANCELLED:
        snprintf(text, size, "cancelled while it ran");
        break;
    }
}

static cadre_err conclude(struct cadre_isolate *s, struct wait *w,
                          struct cadre_error *error)
{
    struct cadre_isolate_result *r = w->result;
    struct rusage usage = {.ru_maxrss = 0};
    int status = reap(w->pid, &usage);
    cadre_err err = CADRE_OK;

    r->end = how_it_ended(s, w, status, &usage);
    if (atomic_load(&s->note->stage) == RETURNED) {
        r->value = s->note->value;
        err = take_bytes(s, r, error);
    } else if (r->has_crash) {
        r->value = r->crash.signal;
    } else if (WIFSIGNALED(status)) {
        r->value = r->crash.signal = WTERMSIG(status);
        cadre_crash_name(r->value, SI_USER, 0, r->crash.what,
                         sizeof r->crash.what);
    } else {
        r->value = WEXITSTATUS(status);
    }
    say_why(w, r);
    return err;
}

/* Nothing is left of the call before. */
static void clear(struct cadre_isolate *s)
{
    struct stat st;
    uint64_t rings;

    if (s->mapped != NULL)
        munmap(s->mapped, s->mapped_len);
    s->mapped = NULL;
    if (fstat(s->file, &st) == 0 && st.st_size > 0)
        (void)!ftruncate(s->file, 0);
    (void)!read(s->bell, &rings, sizeof rings);
    atomic_store(&s->note->stage, RUNNING);
    atomic_store(&s->note->is_described, false);
    s->note->is_short = false;
    s->note->len = 0;
}

/* Fork; in the child this does not return. */
static cadre_err start(struct wait *w, struct cadre_error *error)
{
    pid_t parent = getpid();

    if (w->limits->deadline_ms > 0)
        w->end_ms = now_ms() + w->limits->deadline_ms;
    fflush(NULL);
    if ((w->pid = fork()) < 0)
        return cadre_error_set(error, CADRE_EIO, "cannot fork: %s",
                               strerror(errno));
    if (w->pid == 0)
        be_child(parent);
    setpgid(w->pid, w->pid); /* whichever of the two is first */
    if ((w->watch = (int)syscall(SYS_pidfd_open, w->pid, 0)) < 0) {
        int error_number = errno;

        kill(w->pid, SIGKILL);
        waitpid(w->pid, NULL, 0);
        return cadre_error_set(error, CADRE_EIO, "cannot watch a process: %s",
                               strerror(error_number));
    }
    return CADRE_OK;
}

cadre_err cadre_isolate_run(struct cadre_isolate *isolate, cadre_isolate_fn fn,
                            void *arg,
                            const struct cadre_isolate_limits *limits,
                            struct cadre_isolate_result *result,
                            struct cadre_error *error)
{
    static const struct cadre_isolate_limits none;
    struct wait w = {.limits = limits != NULL ? limits : &none,
                     .end_ms = INT64_MAX,
                     .result = result};
    cadre_err err;

    clear(isolate);
    child = (struct child){.isolate = isolate,
                           .limits = w.limits,
                           .fn = fn,
                           .arg = arg,
                           .out = {.isolate = isolate}};
    if ((err = start(&w, error)) != CADRE_OK)
        return err;
    result->has_crash = false;
    result->crash.what[0] = result->crash.backtrace[0] = '\0';
    result->crash.count = 0;
    result->bytes = NULL;
    result->len = 0;
    wait_for_end(isolate, &w);
    close(w.watch);
    return conclude(isolate, &w, error);
}

void cadre_isolate_destroy(struct cadre_isolate *isolate)
{
    if (isolate == NULL)
        return;
    if (isolate->mapped != NULL)
        munmap(isolate->mapped, isolate->mapped_len);
    if (isolate->note != NULL)
        munmap(isolate->note, sizeof *isolate->note);
    if (isolate->file >= 0)
        close(isolate->file);
    if (isolate->bell >= 0)
        close(isolate->bell);
    free(isolate);
}

cadre_err cadre_isolate_create(struct cadre_isolate **isolate,
                               struct cadre_error *error)
{
    struct cadre_isolate *s = calloc(1, sizeof *s);
    void *note;
    cadre_err err;

    if (s == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    s->file = s->bell = -1;
    note = mmap(NULL, sizeof *s->note, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (note == MAP_FAILED) {
        err = cadre_error_set(error, CADRE_ENOMEM, "out of memory");
        goto fail;
    }
    s->note = note;
    if ((s->file = memfd_create("cadre-result", MFD_CLOEXEC)) < 0 ||
        (s->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        err = cadre_error_set(error, CADRE_EIO,
                              "no descriptor for isolated calls: %s",
                              strerror(errno));
        goto fail;
    }
    cadre_trap_prime();
    *isolate = s;
    return CADRE_OK;

fail:
    cadre_isolate_destroy(s);
    return err;
}
