/* test_trap.c - calls that crash, for good, and the process that goes on. */
#include "trap.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__
#define HAS_ASAN 1
#elif defined __SANITIZE_THREAD__
#define HAS_TSAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#elif __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN 0
#endif
#ifndef HAS_TSAN
#define HAS_TSAN 0
#endif

/* Sanitizers would report the mistakes that are made here on purpose. */
#define WRONG                                                                  \
    __attribute__((noinline, no_sanitize("undefined"), no_sanitize("address"), \
                   no_sanitize("thread")))

static struct cadre_crash crash;
static struct cadre_error error;

/* --- ways to crash ---------------------------------------------------------
 */

static int *volatile nowhere;
static volatile int zero, sink;

WRONG static void write_to_null(void *arg)
{
    (void)arg;
    *nowhere = 1;
}

static inline __attribute__((always_inline)) void write_inlined(void)
{
    *nowhere = 2;
}

WRONG static void write_by_inlined(void *arg)
{
    (void)arg;
    write_inlined();
    sink = 1;
}

WRONG static void read_past_file(void *arg)
{
    (void)arg;
    int file = memfd_create("short", MFD_CLOEXEC);
    volatile char *bytes = mmap(NULL, 8192, PROT_READ, MAP_SHARED, file, 0);

    close(file);
    sink = bytes[4096];
}

WRONG static void divide_by_zero(void *arg)
{
    (void)arg;
    sink = 100 / zero; /* 1 / x would need no division */
}

WRONG static void run_nonsense(void *arg)
{
    (void)arg;
#if defined __x86_64__
    __asm__ volatile("ud2");
#else
    __asm__ volatile(".inst 0");
#endif
    sink = 1;
}

WRONG static void give_up(void *arg)
{
    (void)arg;
    abort();
}

WRONG static int recurse(int depth)
{
    volatile char room[4096];

    room[0] = (char)depth;
    if (zero == 0) /* always */
        room[1] = (char)(recurse(depth + 1) + room[0]);
    return room[1];
}

WRONG static void recurse_for_ever(void *arg)
{
    (void)arg;
    sink = recurse(0);
}

WRONG static void use_large_array(void *arg)
{
    volatile char room[64 * 1024 * 1024];

    (void)arg;
    __asm__ volatile("" : : "r"(room) : "memory"); /* all of it */
    room[0] = 1;
    sink = room[0];
}

WRONG static void call_nothing(void *arg)
{
    void (*volatile fn)(void) = NULL;

    (void)arg;
    fn();
    sink = 1;
}

WRONG static void smash_frame(void *arg)
{
    volatile uintptr_t *above = __builtin_frame_address(0);

    (void)arg;
    for (int i = 0; i < 64; i++)
        above[i] = 0xdeadbeefu; /* up to the protected call's own frames */
    *nowhere = 1;
}

static void *crash_in_thread(void *arg)
{
    write_to_null(arg);
    return NULL;
}

WRONG static void start_crashing_thread(void *arg)
{
    pthread_t thread;

    (void)arg;
    if (pthread_create(&thread, NULL, crash_in_thread, NULL) == 0)
        pthread_join(thread, NULL);
}

static void do_nothing(void *arg)
{
    ++*(int *)arg;
}

/* --- helpers ---------------------------------------------------------------
 */

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Run `fn`, which must crash by `signal`: `what` and a backtrace that begins
 * in `function` of this file. */
static void crashes(void (*fn)(void *), int signal, const char *what,
                    const char *function)
{
    char place[128], *found;

    memset(&crash, 0xa5, sizeof crash);
    snprintf(place, sizeof place, " %s (test_trap.c:", function);
    CU_ASSERT_FALSE_FATAL(cadre_trap_run(fn, NULL, &crash));
    CU_ASSERT_EQUAL(crash.signal, signal);
    CU_ASSERT_FALSE(crash.is_elsewhere);
    if (!has_prefix(crash.what, what))
        CU_FAIL(crash.what);
    CU_ASSERT_TRUE(has_prefix(crash.backtrace, "#0 "));
    found = strstr(crash.backtrace, place);
    if (found == NULL || strchr(crash.backtrace, '\n') < found) {
        fprintf(stderr, "want%s, have\n%s\n", place, crash.backtrace);
        CU_FAIL("not the function that crashed");
    }
    CU_ASSERT_PTR_NULL(strstr(crash.backtrace, "cadre_trap"));
    CU_ASSERT_PTR_NULL(strstr(crash.backtrace, " main "));
}

#define CRASHES(fn, signal, what) crashes(fn, signal, what, #fn)

/* What a sanitizer or glibc says of a crash is not for the log. */
static void hush(void)
{
    if (freopen("/dev/null", "w", stderr) == NULL)
        _exit(2);
}

/* Run `fn` in a child of fork(); its wait() status. */
static int status_of(void (*fn)(void))
{
    int status = -1;
    pid_t child;

    fflush(NULL);
    if ((child = fork()) == 0) {
        alarm(20);
        fn();
        _exit(0);
    }
    CU_ASSERT_TRUE_FATAL(child > 0);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    return status;
}

/* --- tests -----------------------------------------------------------------
 */

static void a_call_that_is_well_returns(void)
{
    int calls = 0;

    crash.signal = -1;
    CU_ASSERT_TRUE(cadre_trap_run(do_nothing, &calls, &crash));
    CU_ASSERT_EQUAL(calls, 1);
    CU_ASSERT_EQUAL(crash.signal, -1);
}

static void a_write_to_null_is_named(void)
{
    CRASHES(write_to_null, SIGSEGV, "SIGSEGV: address not mapped (0x0)");
    CU_ASSERT_EQUAL(crash.address, 0);
    CU_ASSERT_FALSE(crash.is_overflow);
}

static void a_page_that_a_file_lacks_is_named(void)
{
    CRASHES(read_past_file, SIGBUS, "SIGBUS: nothing behind the address");
}

static void a_division_by_zero_is_named(void)
{
#if defined __x86_64__
    CRASHES(divide_by_zero, SIGFPE, "SIGFPE: integer division by zero");
#else
    CU_PASS("division by zero is no fault here");
#endif
}

static void an_illegal_instruction_is_named(void)
{
    CRASHES(run_nonsense, SIGILL, "SIGILL: illegal");
}

static void abort_names_who_called_it(void)
{
    CU_ASSERT_FALSE_FATAL(cadre_trap_run(give_up, NULL, &crash));
    CU_ASSERT_STRING_EQUAL(crash.what, "SIGABRT: abort() was called");
    CU_ASSERT_PTR_NOT_NULL(strstr(crash.backtrace, "#0 abort"));
    CU_ASSERT_PTR_NOT_NULL(strstr(crash.backtrace, "#1 give_up (test_trap.c:"));
}

static void a_full_stack_is_told_from_a_wrong_address(void)
{
    crashes(recurse_for_ever, SIGSEGV, "SIGSEGV: stack overflow", "recurse");
    CU_ASSERT_TRUE(crash.is_overflow);
}

static void an_array_larger_than_the_stack_overflows_it(void)
{
    CRASHES(use_large_array, SIGSEGV, "SIGSEGV: stack overflow");
}

static void *overflow_here(void *arg)
{
    a_full_stack_is_told_from_a_wrong_address();
    a_write_to_null_is_named();
    return arg;
}

static void a_thread_has_its_own_stack_to_overflow(void)
{
    for (int i = 0; i < 3; i++) {
        pthread_t thread;

        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&thread, NULL, overflow_here, NULL), 0);
        CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    }
}

static void an_inlined_function_is_named_with_its_caller(void)
{
    crashes(write_by_inlined, SIGSEGV, "SIGSEGV", "write_inlined");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(crash.backtrace, "#1 write_by_inlined (test_trap.c:"));
}

static void a_call_of_null_names_the_caller(void)
{
    CU_ASSERT_FALSE_FATAL(cadre_trap_run(call_nothing, NULL, &crash));
    CU_ASSERT_PTR_NOT_NULL(strstr(crash.backtrace, "#0 0x0"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(crash.backtrace, "#1 call_nothing (test_trap.c:"));
}

static void a_smashed_stack_still_names_the_place(void)
{
    if (HAS_ASAN) {
        CU_PASS("a jump out of it is not possible with address sanitizer");
        return;
    }
    CRASHES(smash_frame, SIGSEGV, "SIGSEGV: address not mapped");
}

static void a_crash_of_a_thread_of_the_call_ends_the_call(void)
{
    CU_ASSERT_FALSE_FATAL(cadre_trap_run(start_crashing_thread, NULL, &crash));
    CU_ASSERT_TRUE(crash.is_elsewhere);
    CU_ASSERT_PTR_NOT_NULL(strstr(crash.what, "another thread"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(crash.backtrace, "#0 write_to_null (test_trap.c:"));
}

static void crash_inside_crash(void *arg)
{
    struct cadre_crash inner;

    if (!cadre_trap_catch(write_to_null, NULL, &inner))
        *(int *)arg = inner.signal;
    give_up(NULL);
}

static void an_inner_call_ends_alone(void)
{
    int inner = 0;

    CU_ASSERT_FALSE(cadre_trap_catch(crash_inside_crash, &inner, &crash));
    CU_ASSERT_EQUAL(inner, SIGSEGV);
    CU_ASSERT_EQUAL(crash.signal, SIGABRT);
}

static void a_thousand_crashes_are_survived(void)
{
    for (int i = 0; i < 1000; i++)
        if (cadre_trap_catch(i % 2 != 0 ? write_to_null : recurse_for_ever,
                             NULL, &crash))
            CU_FAIL_FATAL("it did not crash");
    CU_PASS("all were caught");
}

static sigjmp_buf outside;

static void jump_outside(int signal)
{
    siglongjmp(outside, signal);
}

static void replace_and_crash(void)
{
    /* Below ours on the stack of handlers. */
    signal(SIGSEGV, jump_outside);
    if (cadre_trap_arm(&error) != CADRE_OK)
        _exit(2);
    if (sigsetjmp(outside, 1) == 0) {
        write_to_null(NULL);
        _exit(3);
    }
    _exit(cadre_trap_catch(write_to_null, NULL, &crash) ? 4 : 0);
}

static void a_signal_outside_a_call_goes_to_the_handler_before(void)
{
    CU_ASSERT_EQUAL(status_of(replace_and_crash), 0);
}

static void crash_unprotected(void)
{
    hush();
    if (cadre_trap_install(&error) == CADRE_OK)
        write_to_null(NULL);
}

static void a_signal_outside_a_call_kills_as_ever(void)
{
    int status = status_of(crash_unprotected);

    if (HAS_ASAN) /* its handler reports, and exits */
        status = WIFEXITED(status) && WEXITSTATUS(status) > 0 ? SIGSEGV : 0;
    CU_ASSERT_EQUAL(status & 0x7f, SIGSEGV);
}

static void fork_and_crash(void *arg)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        hush();
        write_to_null(NULL);
    }
    waitpid(child, &status, 0);
    *(int *)arg = status;
}

static void a_child_that_the_call_forks_crashes_alone(void)
{
    int status = 0;

    CU_ASSERT_TRUE(cadre_trap_run(fork_and_crash, &status, &crash));
    CU_ASSERT_NOT_EQUAL(status, 0);
}

static void note_exit(int status, void *arg)
{
    _exit(status == 7 && arg == &crash ? 42 : 1);
}

static void call_exit(void *arg)
{
    (void)arg;
    exit(7);
}

static void exit_in_call(void)
{
    cadre_trap_on_exit(note_exit, &crash);
    if (cadre_trap_arm(&error) == CADRE_OK)
        cadre_trap_run(call_exit, NULL, &crash);
}

static void exit_in_a_call_can_still_be_told(void)
{
    int status = status_of(exit_in_call);

    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

/* What follows the heap's last block says how much is left. */
WRONG static void ruin_heap(void *arg)
{
    volatile char *block = malloc(100000);

    (void)arg;
    for (int i = 0; i < 64; i++)
        block[100000 + i] = (char)0xff;
    for (int i = 0; i < 10; i++)
        nowhere = malloc(100000);
}

static void crash_with_ruined_heap(void)
{
    hush();
    if (cadre_trap_install(&error) != CADRE_OK)
        _exit(2);
    if (cadre_trap_run(ruin_heap, NULL, &crash))
        _exit(3);
    _exit(strstr(crash.backtrace, " ruin_heap (test_trap.c:") ? 0 : 4);
}

static void a_ruined_heap_does_not_keep_back_the_names(void)
{
    if (HAS_ASAN) {
        CU_PASS("address sanitizer has its own heap and ends at once");
        return;
    }
    CU_ASSERT_EQUAL(status_of(crash_with_ruined_heap), 0);
}

static void frames_of_nowhere_are_addresses(void)
{
    memset(&crash, 0, sizeof crash);
    crash.frames[0] = 0x1234;
    crash.count = 1;
    cadre_crash_describe(&crash, getpid());
    CU_ASSERT_STRING_EQUAL(crash.backtrace, "#0 0x1234 (?)\n");
}

static void without_the_process_exported_names_are_left(void)
{
    memset(&crash, 0, sizeof crash);
    crash.frames[0] = (uintptr_t)&getppid;
    crash.count = 1;
    cadre_crash_describe(&crash, 0x7fffffff);
    CU_ASSERT_PTR_NOT_NULL(strstr(crash.backtrace, "getppid+0x0"));
}

/* What the thread sanitizer can do: it keeps books of jumps, and loses those
 * that leave a handler. */
static const struct check_test without_jumps[] = {
    CHECK(a_call_that_is_well_returns),
    CHECK(exit_in_a_call_can_still_be_told),
    CHECK(frames_of_nowhere_are_addresses),
    CHECK(without_the_process_exported_names_are_left),
    {NULL, NULL}};

static const struct check_test tests[] = {
    CHECK(a_call_that_is_well_returns),
    CHECK(exit_in_a_call_can_still_be_told),
    CHECK(frames_of_nowhere_are_addresses),
    CHECK(without_the_process_exported_names_are_left),
    CHECK(a_write_to_null_is_named),
    CHECK(a_page_that_a_file_lacks_is_named),
    CHECK(a_division_by_zero_is_named),
    CHECK(an_illegal_instruction_is_named),
    CHECK(abort_names_who_called_it),
    CHECK(a_full_stack_is_told_from_a_wrong_address),
    CHECK(an_array_larger_than_the_stack_overflows_it),
    CHECK(a_thread_has_its_own_stack_to_overflow),
    CHECK(an_inlined_function_is_named_with_its_caller),
    CHECK(a_call_of_null_names_the_caller),
    CHECK(a_smashed_stack_still_names_the_place),
    CHECK(an_inner_call_ends_alone),
    CHECK(a_thousand_crashes_are_survived),
    CHECK(a_signal_outside_a_call_goes_to_the_handler_before),
    CHECK(a_signal_outside_a_call_kills_as_ever),
    CHECK(a_child_that_the_call_forks_crashes_alone),
    CHECK(a_ruined_heap_does_not_keep_back_the_names),
    CHECK(a_crash_of_a_thread_of_the_call_ends_the_call),
    {NULL, NULL}};

int main(void)
{
    struct rlimit stack;

    /* One that a recursion fills soon, whatever the shell allows. */
    if (getrlimit(RLIMIT_STACK, &stack) == 0) {
        stack.rlim_cur = 8 * 1024 * 1024;
        setrlimit(RLIMIT_STACK, &stack);
    }
    if (cadre_trap_install(&error) != CADRE_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    return check_run("trap", HAS_TSAN ? without_jumps : tests);
}
