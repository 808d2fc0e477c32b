/* trap.c - signal handlers that jump back, and what they saw.
 *
 *     handler    addresses into the crash; siglongjmp        (signal safe)
 *     caller     asks the helper thread for the text         (trusts no heap)
 *     helper     forks: its own heap is sound
 *     child      reads symbols, writes the text to a pipe
 *
 * The handler runs on a stack of its own (sigaltstack), and with its signal
 * unblocked (SA_NODEFER): a stack too damaged to be walked ends the walk, not
 * the process. The mask of blocked signals is in the handler's context, so that
 * nothing need be saved before a call.
 */
#include "trap.h"

#include "symbols.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    STACK_SIZE = 128 * 1024,  /* of a handler, and what the CPU saves */
    STACK_MIN = 32 * 1024,    /* of one that is there already */
    GUARD_SIZE = 1024 * 1024, /* the kernel's gap below a main stack */
    PAGE_MIN = 4096,
    FRAME_MAX = 1024 * 1024 * 1024, /* of a function, at most */
    HELPER_STACK = 1024 * 1024,
    CUSHION = 4096,
    DESCRIBE_MS = 2000,
    EXTRA_FRAMES = 8 /* of the handler, above the crash */
};

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* A protected call that is running. */
struct protection {
    sigjmp_buf jump;
    struct cadre_crash *crash; /* the caller's */
    struct protection *outer;
    pid_t thread;
    sigset_t mask; /* of blocked signals at the crash */
    uintptr_t end; /* return address: frames from here on are the caller's */
};

/* What a handler must know about its thread; initial-exec, because the other
 * way to reach such a variable may allocate. */
struct thread {
    struct protection *current;
    bool is_ready;
    pid_t id;
    uintptr_t stack_low, stack_high;
    volatile bool is_walking;
    sigjmp_buf walk;
};

static _Thread_local struct thread self
    __attribute__((tls_model("initial-exec")));

/* The signals belong to the process, hence these. */
static struct sigaction previous[SIGNALS];
static pid_t owner; /* the process that is protected, not a fork of it */
static struct protection *_Atomic running; /* the call started last */

/* A crash of a thread that is not protected, for the one that is. */
static struct cadre_crash elsewhere;
static atomic_int has_elsewhere;

static struct {
    void (*hook)(int status, void *arg);
    void *arg;
} leaving;

/* --- names -----------------------------------------------------------------
 */

static const char *code_text(int signal, int code)
{
    static const struct {
        int signal, code;
        const char *text;
    } texts[] = {
        {SIGSEGV, SEGV_MAPERR, "address not mapped"},
        {SIGSEGV, SEGV_ACCERR, "access not permitted"},
        {SIGSEGV, SI_KERNEL, "no valid address"},
        {SIGBUS, BUS_ADRALN, "address not aligned"},
        {SIGBUS, BUS_ADRERR, "nothing behind the address (end of file?)"},
        {SIGBUS, BUS_OBJERR, "hardware error"},
        {SIGBUS, BUS_MCEERR_AR, "memory error"},
        {SIGFPE, FPE_INTDIV, "integer division by zero"},
        {SIGFPE, FPE_INTOVF, "integer overflow"},
        {SIGFPE, FPE_FLTDIV, "floating-point division by zero"},
        {SIGFPE, FPE_FLTOVF, "floating-point overflow"},
        {SIGFPE, FPE_FLTUND, "floating-point underflow"},
        {SIGFPE, FPE_FLTINV, "invalid floating-point operation"},
        {SIGILL, ILL_ILLOPC, "illegal instruction"},
        {SIGILL, ILL_ILLOPN, "illegal operand"},
        {SIGILL, ILL_ILLTRP, "illegal trap"},
        {SIGILL, ILL_PRVOPC, "privileged instruction"},
    };

    if (signal == SIGABRT && code == SI_TKILL)
        return "abort() was called";
    if (code == SI_USER || code == SI_TKILL || code == SI_QUEUE)
        return "sent by a process";
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].signal == signal && texts[i].code == code)
            return texts[i].text;
    return strsignal(signal);
}

void cadre_crash_name(int signal, int code, uintptr_t address, char *what,
                      size_t size)
{
    const char *name = sigabbrev_np(signal);
    bool has_address = code > 0 && code != SI_KERNEL &&
                       (signal == SIGSEGV || signal == SIGBUS);

    snprintf(what, size, "SIG%s: %s", name != NULL ? name : "?",
             code_text(signal, code));
    if (has_address && strlen(what) + 24 < size)
        snprintf(what + strlen(what), size - strlen(what), " (0x%" PRIxPTR ")",
                 address);
}

static void name(struct cadre_crash *crash)
{
    cadre_crash_name(crash->signal, crash->code, crash->address, crash->what,
                     sizeof crash->what);
    if (crash->is_overflow)
        snprintf(crash->what, sizeof crash->what,
                 "SIG%s: stack overflow (0x%" PRIxPTR ")",
                 sigabbrev_np(crash->signal), crash->address);
    if (crash->is_elsewhere)
        strncat(crash->what, ", in another thread",
                sizeof crash->what - strlen(crash->what) - 1);
}

/* --- in the handler: nothing that allocates or locks -----------------------
 */

/* Where the thread was, and its stack pointer. */
#if defined __x86_64__
static uintptr_t sp_of(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

static greg_t *pc_of(ucontext_t *context)
{
    return &context->uc_mcontext.gregs[REG_RIP];
}

/* After a call of an address where no code is: back to the caller, so that the
 * walk can begin there. */
static void leave_bad_call(ucontext_t *context)
{
    greg_t *registers = context->uc_mcontext.gregs;

    registers[REG_RIP] = *(greg_t *)registers[REG_RSP] - 1;
    registers[REG_RSP] += 8;
}
#elif defined __aarch64__
static uintptr_t sp_of(const ucontext_t *context)
{
    return (uintptr_t)context->uc_mcontext.sp;
}

static unsigned long long *pc_of(ucontext_t *context)
{
    return &context->uc_mcontext.pc;
}

static void leave_bad_call(ucontext_t *context)
{
    context->uc_mcontext.pc = context->uc_mcontext.regs[30] - 4;
}
#else
#error "trap: name the program counter of this processor's ucontext_t"
#endif

/* Keep what of `frames` belongs to the call. */
static void keep_frames(struct cadre_crash *crash, void *const *frames,
                        int count, uintptr_t pc, uintptr_t end)
{
    int first = 0;

    while (first < count && (uintptr_t)frames[first] != pc)
        first++;
    if (first == count) { /* the walk did not get there */
        crash->frames[crash->count++] = pc;
        return;
    }
    for (int i = first; i < count && crash->count < CADRE_CRASH_FRAMES_MAX;
         i++) {
        if (i + 2 < count && (uintptr_t)frames[i + 2] == end)
            return; /* this one is call(), the next cadre_trap_catch() */
        crash->frames[crash->count++] = (uintptr_t)frames[i];
    }
}

static void walk(struct cadre_crash *crash, ucontext_t *context, uintptr_t end)
{
    void *frames[CADRE_CRASH_FRAMES_MAX + EXTRA_FRAMES] = {NULL};
    volatile uintptr_t pc = (uintptr_t)*pc_of(context); /* kept by the jump */
    int count = 0;

    self.is_walking = true;
    if (sigsetjmp(self.walk, 0) == 0) {
        if (crash->signal == SIGSEGV && crash->address == pc) {
            crash->frames[crash->count++] = pc;
            leave_bad_call(context);
            pc = (uintptr_t)*pc_of(context);
        }
        backtrace(frames, CADRE_CRASH_FRAMES_MAX + EXTRA_FRAMES);
    }
    self.is_walking = false;
    while (count < CADRE_CRASH_FRAMES_MAX + EXTRA_FRAMES &&
           frames[count] != NULL)
        count++;
    keep_frames(crash, frames, count, pc, end);
}

/* Is `address`, which cannot be accessed, one of the stack, which did not grow
 * so far? It is near the guard, or the stack pointer itself is out of bounds
 * (one large array); coroutines, with stacks anywhere, are out of the way. */
static bool is_of_stack(uintptr_t address, uintptr_t sp)
{
    uintptr_t low = self.stack_low;

    if (!self.is_ready || address >= self.stack_high || address + PAGE_MIN < sp)
        return false;
    return address + GUARD_SIZE >= low || (sp < low && low - sp < FRAME_MAX);
}

static void capture(struct cadre_crash *crash, const siginfo_t *info,
                    ucontext_t *context, int error_number, uintptr_t end)
{
    memset(crash, 0, offsetof(struct cadre_crash, backtrace) + 1);
    crash->signal = info->si_signo;
    crash->code = info->si_code;
    crash->error_number = error_number;
    if (info->si_code > 0)
        crash->address = (uintptr_t)info->si_addr;
    crash->is_overflow =
        (info->si_signo == SIGSEGV || info->si_signo == SIGBUS) &&
        info->si_code > 0 && is_of_stack(crash->address, sp_of(context));
    walk(crash, context, end);
}

/* As if our handler were not there. */
static void chain(int signal, siginfo_t *info, void *context)
{
    const struct sigaction *old = NULL;
    struct sigaction by_default = {.sa_handler = SIG_DFL};

    for (int i = 0; i < SIGNALS; i++)
        if (signals[i] == signal)
            old = &previous[i];
    if (old == NULL)
        return;
    if ((old->sa_flags & SA_SIGINFO) != 0) {
        old->sa_sigaction(signal, info, context);
    } else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
        old->sa_handler(signal);
    } else if (old->sa_handler == SIG_DFL || info->si_code > 0) {
        sigaction(signal, &by_default, NULL);
        if (info->si_code <= 0) /* else the instruction is tried again */
            syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal);
    }
}

/* This thread crashed, another one is protected: let that one come back. */
static void hand_over(const siginfo_t *info, ucontext_t *context,
                      int error_number)
{
    struct protection *p = atomic_load(&running);
    pid_t thread = p != NULL ? p->thread : 0;

    capture(&elsewhere, info, context, error_number, 0);
    elsewhere.is_elsewhere = true;
    if (p != NULL && atomic_load(&running) == p &&
        syscall(SYS_tgkill, owner, thread, SIGSEGV) == 0)
        for (;;)
            pause();
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    int error_number = errno;
    struct protection *p = self.current;

    if (self.is_walking)
        siglongjmp(self.walk, 1);
    if (getpid() == owner && p != NULL) {
        if (signal == SIGSEGV && info->si_code == SI_TKILL &&
            atomic_exchange(&has_elsewhere, 0) != 0)
            memcpy(p->crash, &elsewhere,
                   offsetof(struct cadre_crash, backtrace) + 1);
        else
            capture(p->crash, info, context, error_number, p->end);
        p->mask = ((ucontext_t *)context)->uc_sigmask;
        siglongjmp(p->jump, 1);
    }
    if (getpid() == owner && atomic_load(&running) != NULL &&
        atomic_exchange(&has_elsewhere, 1) == 0)
        hand_over(info, context, error_number);
    chain(signal, info, context);
    errno = error_number;
}

/* --- getting ready ---------------------------------------------------------
 */

static pthread_key_t stack_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static size_t stack_size(void)
{
    long least = sysconf(_SC_MINSIGSTKSZ);

    return STACK_SIZE + (least > 0 ? (size_t)least : 0) / 4096 * 4096;
}

static void free_stack(void *memory)
{
    stack_t now, off = {.ss_flags = SS_DISABLE};

    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == memory)
        sigaltstack(&off, NULL);
    munmap(memory, stack_size());
}

static void prime_process(void)
{
    void *frame[1];

    pthread_key_create(&stack_key, free_stack);
    backtrace(frame, 1); /* the first call loads a library */
}

/* A stack for the handler, unless the thread has one that is large enough. */
static void give_stack(void)
{
    stack_t stack = {.ss_size = stack_size()}, now;

    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0 &&
        now.ss_size >= STACK_MIN)
        return;
    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack.ss_sp == MAP_FAILED)
        return; /* only a stack overflow cannot be caught then */
    if (sigaltstack(&stack, NULL) != 0 ||
        pthread_setspecific(stack_key, stack.ss_sp) != 0)
        munmap(stack.ss_sp, stack.ss_size);
}

static void find_stack(void)
{
    pthread_attr_t attributes;
    void *low;
    size_t size;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &low, &size) == 0) {
        self.stack_low = (uintptr_t)low;
        self.stack_high = (uintptr_t)low + size;
    }
    pthread_attr_destroy(&attributes);
}

void cadre_trap_prime(void)
{
    pthread_once(&once, prime_process);
    if (self.is_ready)
        return;
    self.id = (pid_t)syscall(SYS_gettid);
    find_stack();
    give_stack();
    self.is_ready = true;
}

static cadre_err arm(int i, struct cadre_error *error)
{
    struct sigaction ours = {.sa_sigaction = on_signal,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    struct sigaction old, now;

    if (sigaction(signals[i], NULL, &old) != 0)
        return cadre_error_set(error, CADRE_EIO, "SIG%s cannot be handled: %s",
                               sigabbrev_np(signals[i]), strerror(errno));
    if ((old.sa_flags & SA_SIGINFO) != 0 && old.sa_sigaction == on_signal)
        return CADRE_OK;
    previous[i] = old;
    if (sigaction(signals[i], &ours, NULL) != 0 ||
        sigaction(signals[i], NULL, &now) != 0 || now.sa_sigaction != on_signal)
        return cadre_error_set(error, CADRE_ESTATE,
                               "a library keeps SIG%s for itself; if it is "
                               "UCX, set UCX_ERROR_SIGNALS=\"\"",
                               sigabbrev_np(signals[i]));
    return CADRE_OK;
}

cadre_err cadre_trap_arm(struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    cadre_trap_prime();
    if (owner != getpid()) { /* a fork is inside no call of its own */
        owner = getpid();
        self.id = owner; /* the one thread that it has */
        self.current = NULL;
        atomic_store(&running, NULL);
        atomic_store(&has_elsewhere, 0);
    }
    for (int i = 0; i < SIGNALS && err == CADRE_OK; i++)
        err = arm(i, error);
    return err;
}

/* --- the text --------------------------------------------------------------
 */

/* Two threads meet here: one asks, the helper answers. */
static struct {
    pid_t process; /* that has a helper thread; 0: none */
    atomic_flag is_taken;
    sem_t asked, answered;
    struct cadre_crash *crash;
    int32_t pid;
    atomic_bool is_done;
} help = {.is_taken = ATOMIC_FLAG_INIT};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* In the child: a process of one thread that ends soon, whatever happens. */
static _Noreturn void write_symbols(const struct cadre_crash *crash,
                                    int32_t pid, int out)
{
    static char text[CADRE_CRASH_TEXT_MAX];
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigset_t none;
    ssize_t written = -1;

    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &by_default, NULL);
    sigaction(SIGALRM, &by_default, NULL);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    alarm(DESCRIBE_MS / 1000 + 1); /* should its parent be gone */
    unsetenv("DEBUGINFOD_URLS");   /* no download: there is a deadline */
    if (cadre_symbols_write(pid, crash->frames, crash->count, text,
                            sizeof text))
        written = write(out, text, strlen(text));
    _exit(written < 0);
}

/* Everything from `in` until its end or the deadline; true if that was text. */
static bool read_text(int in, char *text, size_t size, int64_t deadline_ms)
{
    size_t len = 0;

    for (;;) {
        struct pollfd p = {.fd = in, .events = POLLIN};
        int64_t left = deadline_ms - now_ms();
        ssize_t n;

        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            break;
        n = read(in, text + len, size - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    return len > 0;
}

static bool describe_by_child(struct cadre_crash *crash, int32_t pid)
{
    int ends[2];
    pid_t child;
    bool is_done;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    child = _Fork(); /* no handlers of others, no locks */
    if (child == 0)
        write_symbols(crash, pid, ends[1]);
    close(ends[1]);
    is_done =
        child > 0 && read_text(ends[0], crash->backtrace,
                               sizeof crash->backtrace, now_ms() + DESCRIBE_MS);
    close(ends[0]);
    if (child > 0) {
        kill(child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    return is_done;
}

static void *run_helper(void *unused)
{
    void *volatile memory = malloc(1); /* gives the thread its own heap */

    (void)unused;
    free(memory);
    for (;;) {
        while (sem_wait(&help.asked) != 0) {
        }
        atomic_store(&help.is_done, describe_by_child(help.crash, help.pid));
        sem_post(&help.answered);
    }
    return NULL;
}

static cadre_err start_helper(struct cadre_error *error)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, old;
    int failed;

    if (help.process == getpid())
        return CADRE_OK;
    sem_init(&help.asked, 0, 0);
    sem_init(&help.answered, 0, 0);
    atomic_flag_clear(&help.is_taken);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, HELPER_STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); /* signals are for the others */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&thread, &attributes, run_helper, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    if (failed != 0)
        return cadre_error_set(error, CADRE_EIO, "cannot start a thread: %s",
                               strerror(failed));
    help.process = getpid();
    return CADRE_OK;
}

static bool describe_by_helper(struct cadre_crash *crash, int32_t pid)
{
    struct timespec limit;

    help.crash = crash;
    help.pid = pid;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += DESCRIBE_MS / 1000 + 1;
    sem_post(&help.asked);
    while (sem_clockwait(&help.answered, CLOCK_MONOTONIC, &limit) != 0)
        if (errno != EINTR)
            return false; /* it stays taken */
    atomic_flag_clear(&help.is_taken);
    return atomic_load(&help.is_done);
}

/* Without symbols: what the dynamic linker knows, and addresses. */
static void describe_by_linker(struct cadre_crash *crash)
{
    size_t len = 0, size = sizeof crash->backtrace;

    crash->backtrace[0] = '\0';
    for (uint32_t i = 0; i < crash->count && len + 1 < size; i++) {
        uintptr_t address = crash->frames[i];
        Dl_info info = {.dli_fname = NULL};
        int n;

        if (dladdr((void *)address, &info) != 0 && info.dli_sname != NULL)
            n = snprintf(crash->backtrace + len, size - len,
                         "#%" PRIu32 " %s+0x%" PRIxPTR " (%s)\n", i,
                         info.dli_sname, address - (uintptr_t)info.dli_saddr,
                         info.dli_fname);
        else
            n = snprintf(crash->backtrace + len, size - len,
                         "#%" PRIu32 " 0x%" PRIxPTR " (%s)\n", i, address,
                         info.dli_fname != NULL ? info.dli_fname : "?");
        len += n > 0 ? (size_t)n : 0;
    }
}

void cadre_crash_describe(struct cadre_crash *crash, int32_t pid)
{
    bool is_done;

    if (help.process == getpid() && !atomic_flag_test_and_set(&help.is_taken))
        is_done = describe_by_helper(crash, pid);
    else
        is_done = describe_by_child(crash, pid);
    if (!is_done)
        describe_by_linker(crash);
}

/* --- the calls -------------------------------------------------------------
 */

static void on_leaving(int status, void *unused)
{
    (void)unused;
    if (atomic_load(&running) != NULL && owner == getpid() &&
        leaving.hook != NULL)
        leaving.hook(status, leaving.arg);
}

void cadre_trap_on_exit(void (*hook)(int status, void *arg), void *arg)
{
    leaving.hook = hook;
    leaving.arg = arg;
}

cadre_err cadre_trap_install(struct cadre_error *error)
{
    static bool is_watching;
    cadre_err err = cadre_trap_arm(error);

    if (err == CADRE_OK)
        err = start_helper(error);
    if (err == CADRE_OK && !is_watching)
        is_watching = on_exit(on_leaving, NULL) == 0;
    return err;
}

static void leave(struct protection *p)
{
    self.current = p->outer;
    atomic_store_explicit(&running, p->outer, memory_order_release);
}

/* Call `fn`, with room between its frames and what the way back needs, so that
 * an array of the task can be overrun by some kilobytes. */
__attribute__((noinline)) static void call(void (*fn)(void *arg), void *arg)
{
    char cushion[CUSHION];

    __asm__ volatile("" : : "r"(cushion) : "memory");
    fn(arg);
    __asm__ volatile("" : : "r"(cushion) : "memory"); /* not a tail call */
}

/* Not inlined: its return address tells where the caller's frames begin. */
__attribute__((noinline)) bool
cadre_trap_catch(void (*fn)(void *arg), void *arg, struct cadre_crash *crash)
{
    struct protection p;

    if (!self.is_ready)
        cadre_trap_prime();
    p.crash = crash;
    p.outer = self.current;
    p.thread = self.id;
    p.end =
        (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0));
    if (sigsetjmp(p.jump, 0) != 0) {
        pthread_sigmask(SIG_SETMASK, &p.mask, NULL); /* as if returned */
        leave(&p);
        name(crash);
        return false;
    }
    self.current = &p;
    atomic_store_explicit(&running, &p, memory_order_release);
    call(fn, arg);
    leave(&p);
    return true;
}

bool cadre_trap_run(void (*fn)(void *arg), void *arg, struct cadre_crash *crash)
{
    if (cadre_trap_catch(fn, arg, crash))
        return true;
    cadre_crash_describe(crash, getpid());
    return false;
}
