/* test_isolate.c - calls in a process of their own, and what stays outside. */
#include "isolate.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define HAS_SANITIZER 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

#define WRONG                                                                  \
    __attribute__((noinline, no_sanitize("undefined"), no_sanitize("address"), \
                   no_sanitize("thread")))

enum { MIB = 1024 * 1024 };

static struct cadre_isolate *isolate;
static struct cadre_isolate_result result;
static struct cadre_error error;

static enum cadre_isolate_end run(cadre_isolate_fn fn, void *arg,
                                  const struct cadre_isolate_limits *limits)
{
    cadre_err err =
        cadre_isolate_run(isolate, fn, arg, limits, &result, &error);

    if (err != CADRE_OK)
        CU_FAIL_FATAL(error.text);
    errno = 0;
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
    CU_ASSERT_EQUAL(errno, ECHILD);
    return result.end;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- calls -----------------------------------------------------------------
 */

static int *volatile nowhere;
static volatile int sink;

static int put_squares(void *arg, struct cadre_isolate_out *out)
{
    int n = *(int *)arg;

    *(int *)arg = -1; /* the child's copy */
    for (int i = 0; i < n; i++) {
        int square = i * i;

        if (cadre_isolate_put(out, &square, sizeof square) != CADRE_OK)
            return 1;
    }
    return 0;
}

static int put_many(void *arg, struct cadre_isolate_out *out)
{
    size_t len = *(size_t *)arg, block = 8 * MIB;
    unsigned char *bytes = malloc(block);

    for (size_t at = 0; bytes != NULL && at < len; at += block) {
        memset(bytes, (int)(at / block + 1), block);
        if (cadre_isolate_put(out, bytes, block) != CADRE_OK)
            return 1;
    }
    free(bytes);
    return bytes == NULL;
}

static int fail(void *arg, struct cadre_isolate_out *out)
{
    cadre_isolate_put(out, arg, strlen(arg) + 1);
    return 5;
}

static int leave(void *arg, struct cadre_isolate_out *out)
{
    (void)out;
    exit(*(int *)arg);
}

static int leave_at_once(void *arg, struct cadre_isolate_out *out)
{
    (void)out;
    _exit(*(int *)arg);
}

WRONG static int write_to_null(void *arg, struct cadre_isolate_out *out)
{
    (void)out;
    printf("%s", (const char *)arg);
    *nowhere = 1;
    return 0;
}

WRONG static int free_twice(void *arg, struct cadre_isolate_out *out)
{
    void *volatile bytes = malloc(64);

    (void)arg, (void)out;
    free(bytes);
    free(bytes);
    return 0;
}

WRONG static int ruin_heap(void *arg, struct cadre_isolate_out *out)
{
    volatile char *block = malloc(100000);

    (void)arg, (void)out;
    for (int i = 0; i < 64; i++) /* how much is left of the heap */
        block[100000 + i] = (char)0xff;
    for (int i = 0; i < 10; i++)
        nowhere = malloc(100000);
    return 0;
}

static int send_kill(void *arg, struct cadre_isolate_out *out)
{
    (void)arg, (void)out;
    raise(SIGKILL);
    return 0;
}

static int leak(void *arg, struct cadre_isolate_out *out)
{
    size_t len = *(size_t *)arg;

    (void)out;
    for (size_t at = 0; at < len; at += 16 * MIB) {
        char *volatile bytes = malloc(16 * MIB); /* really */

        if (bytes == NULL)
            return 1;
        memset(bytes, 1, 16 * MIB);
    }
    return 0;
}

WRONG static int allocate_blindly(void *arg, struct cadre_isolate_out *out)
{
    (void)arg, (void)out;
    for (int i = 0; i < 100; i++) {
        volatile char *bytes = malloc(16 * MIB);

        bytes[0] = 1;
    }
    return 0;
}

static int spin(void *arg, struct cadre_isolate_out *out)
{
    (void)arg, (void)out;
    for (;;)
        sink++;
    return 0;
}

static int sleep_long(void *arg, struct cadre_isolate_out *out)
{
    (void)arg, (void)out;
    for (int i = 0; i < 100; i++)
        sleep(1);
    return 0;
}

/* Tell by a pipe who was started, and stay. */
static int start_another(void *arg, struct cadre_isolate_out *out)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    (void)arg;
    return cadre_isolate_put(out, &pid, sizeof pid) != CADRE_OK;
}

static int say(void *arg, struct cadre_isolate_out *out)
{
    (void)out;
    printf("%s", (const char *)arg);
    return 0;
}

/* --- tests -----------------------------------------------------------------
 */

static void a_call_hands_back_its_bytes(void)
{
    int n = 100;
    const int *squares;

    CU_ASSERT_EQUAL_FATAL(run(put_squares, &n, NULL), CADRE_ISOLATE_DONE);
    CU_ASSERT_EQUAL_FATAL(result.len, 100 * sizeof(int));
    squares = result.bytes;
    CU_ASSERT_EQUAL(squares[99], 99 * 99);
    CU_ASSERT_EQUAL(n, 100);
    CU_ASSERT_STRING_EQUAL(result.text, "");
}

static void a_call_may_hand_back_nothing(void)
{
    int n = 0;

    CU_ASSERT_EQUAL(run(put_squares, &n, NULL), CADRE_ISOLATE_DONE);
    CU_ASSERT_EQUAL(result.len, 0);
}

static void small_pieces_may_become_a_large_result(void)
{
    int n = 20000; /* past what the shared mapping holds */
    const int *squares;

    CU_ASSERT_EQUAL_FATAL(run(put_squares, &n, NULL), CADRE_ISOLATE_DONE);
    CU_ASSERT_EQUAL_FATAL(result.len, 20000 * sizeof(int));
    squares = result.bytes;
    for (int i = 0; i < n; i++)
        if (squares[i] != i * i)
            CU_FAIL_FATAL("a wrong square");
    a_call_hands_back_its_bytes();
}

static void a_result_may_have_half_a_gigabyte(void)
{
    size_t len = (size_t)512 * MIB;
    const unsigned char *bytes;

    CU_ASSERT_EQUAL_FATAL(run(put_many, &len, NULL), CADRE_ISOLATE_DONE);
    CU_ASSERT_EQUAL_FATAL(result.len, len);
    bytes = result.bytes;
    for (size_t at = 0; at < len; at += 4096)
        if (bytes[at] != (unsigned char)(at / (8 * MIB) + 1))
            CU_FAIL_FATAL("a wrong byte");
    a_call_may_hand_back_nothing(); /* and its memory is free again */
}

static void a_call_that_fails_may_say_why(void)
{
    char why[] = "no such model";

    CU_ASSERT_EQUAL_FATAL(run(fail, why, NULL), CADRE_ISOLATE_FAILED);
    CU_ASSERT_EQUAL(result.value, 5);
    CU_ASSERT_STRING_EQUAL(result.bytes, why);
    CU_ASSERT_STRING_EQUAL(result.text, "failed with 5");
}

static void exit_ends_the_call_only(void)
{
    int status = 3;

    CU_ASSERT_EQUAL(run(leave, &status, NULL), CADRE_ISOLATE_EXITED);
    CU_ASSERT_EQUAL(result.value, 3);
    CU_ASSERT_STRING_EQUAL(result.text, "exited with status 3");
    status = 0;
    CU_ASSERT_EQUAL(run(leave, &status, NULL), CADRE_ISOLATE_EXITED);
    CU_ASSERT_EQUAL(result.value, 0);
    status = 4;
    CU_ASSERT_EQUAL(run(leave_at_once, &status, NULL), CADRE_ISOLATE_EXITED);
    CU_ASSERT_EQUAL(result.value, 4);
}

static void a_crash_is_told_with_its_place(void)
{
    char nothing[] = "";

    CU_ASSERT_EQUAL_FATAL(run(write_to_null, nothing, NULL),
                          CADRE_ISOLATE_SIGNAL);
    CU_ASSERT_EQUAL(result.value, SIGSEGV);
    CU_ASSERT_TRUE(result.has_crash);
    CU_ASSERT_STRING_EQUAL(result.text, "SIGSEGV: address not mapped (0x0)");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(result.crash.backtrace, "#0 write_to_null (test_isolate.c:"));
}

static void a_ruined_heap_stays_in_the_child(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), old = dup(2);

    if (HAS_SANITIZER) {
        close(null);
        close(old);
        CU_PASS("the sanitizer ends the child itself");
        return;
    }
    dup2(null, 2); /* glibc's own words */
    CU_ASSERT_EQUAL(run(free_twice, NULL, NULL), CADRE_ISOLATE_SIGNAL);
    CU_ASSERT_EQUAL(result.value, SIGABRT);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.crash.backtrace, " free_twice ("));
    CU_ASSERT_EQUAL(run(ruin_heap, NULL, NULL), CADRE_ISOLATE_SIGNAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.crash.backtrace, " ruin_heap ("));
    dup2(old, 2);
    close(null);
    close(old);
    for (int i = 0; i < 1000; i++)
        free(malloc((size_t)i * 100)); /* the parent's is sound */
    a_call_hands_back_its_bytes();
}

static void a_signal_that_cannot_be_caught_is_told(void)
{
    CU_ASSERT_EQUAL(run(send_kill, NULL, NULL), CADRE_ISOLATE_SIGNAL);
    CU_ASSERT_EQUAL(result.value, SIGKILL);
    CU_ASSERT_FALSE(result.has_crash);
    CU_ASSERT_STRING_EQUAL(result.text, "SIGKILL: sent by a process");
}

/* Pages this process has in memory. */
static long resident(void)
{
    long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f != NULL) {
        if (fscanf(f, "%ld %ld", &size, &pages) != 2)
            pages = 0;
        fclose(f);
    }
    return pages;
}

static void a_leak_of_a_gigabyte_stays_in_the_child(void)
{
    size_t len = (size_t)1024 * MIB;
    long before = resident();

    CU_ASSERT_EQUAL(run(leak, &len, NULL), CADRE_ISOLATE_DONE);
    CU_ASSERT_TRUE(resident() - before < 4096); /* 16 MiB */
}

static void memory_beyond_the_limit_is_refused(void)
{
    struct cadre_isolate_limits limits = {.memory = (uint64_t)128 * MIB};
    size_t little = (size_t)64 * MIB, much = (size_t)256 * MIB;

    if (HAS_SANITIZER) {
        CU_PASS("a sanitizer's own memory counts too");
        return;
    }
    CU_ASSERT_EQUAL(run(leak, &little, &limits), CADRE_ISOLATE_DONE);
    CU_ASSERT_EQUAL(run(leak, &much, &limits), CADRE_ISOLATE_MEMORY);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.text, "134217728 bytes of memory"));
    CU_ASSERT_EQUAL(run(allocate_blindly, NULL, &limits), CADRE_ISOLATE_MEMORY);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(result.crash.backtrace, "#0 allocate_blindly ("));
}

static void other_crashes_are_not_blamed_on_the_limit(void)
{
    struct cadre_isolate_limits limits = {.memory = (uint64_t)128 * MIB};
    char nothing[] = "";

    if (HAS_SANITIZER) {
        CU_PASS("a sanitizer's own memory counts too");
        return;
    }
    CU_ASSERT_EQUAL(run(write_to_null, nothing, &limits), CADRE_ISOLATE_SIGNAL);
    CU_ASSERT_EQUAL(run(fail, nothing, &limits), CADRE_ISOLATE_FAILED);
}

static void cpu_time_beyond_the_limit_ends_the_call(void)
{
    struct cadre_isolate_limits limits = {.cpu_ms = 100};
    int64_t begin = now_ms();

    CU_ASSERT_EQUAL(run(spin, NULL, &limits), CADRE_ISOLATE_CPU);
    CU_ASSERT_TRUE(now_ms() - begin >= 90);
    CU_ASSERT_STRING_EQUAL(result.text, "has used its 100 ms of CPU time");
}

static void sleeping_costs_no_cpu_time(void)
{
    struct cadre_isolate_limits limits = {.cpu_ms = 100, .deadline_ms = 400};

    CU_ASSERT_EQUAL(run(sleep_long, NULL, &limits), CADRE_ISOLATE_DEADLINE);
}

static void a_deadline_ends_the_call(void)
{
    struct cadre_isolate_limits limits = {.deadline_ms = 150};
    int64_t begin = now_ms(), took;

    CU_ASSERT_EQUAL(run(sleep_long, NULL, &limits), CADRE_ISOLATE_DEADLINE);
    took = now_ms() - begin;
    CU_ASSERT_TRUE(took >= 150 && took < 5000);
    CU_ASSERT_STRING_EQUAL(result.text, "not done after 150 ms");
}

static bool after_some_questions(void *arg)
{
    return ++*(int *)arg > 10;
}

static void cancelling_ends_the_call(void)
{
    int asked = 0;
    struct cadre_isolate_limits limits = {.is_cancelled = after_some_questions,
                                          .cancel_arg = &asked,
                                          .deadline_ms = 20000};

    CU_ASSERT_EQUAL(run(sleep_long, NULL, &limits), CADRE_ISOLATE_CANCELLED);
    CU_ASSERT_EQUAL(asked, 11);
}

static void what_the_call_started_is_ended_with_it(void)
{
    pid_t other;

    CU_ASSERT_EQUAL_FATAL(run(start_another, NULL, NULL), CADRE_ISOLATE_DONE);
    memcpy(&other, result.bytes, sizeof other);
    for (int i = 0; i < 500; i++) { /* a zombie until its new parent looks */
        char path[64], state = 'Z';
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/stat", (int)other);
        if ((f = fopen(path, "r")) == NULL)
            break;
        if (fscanf(f, "%*d %*s %c", &state) != 1)
            state = 'Z';
        fclose(f);
        if (state == 'Z' || state == 'X')
            break;
        if (i == 499)
            CU_FAIL("it is still there");
        usleep(10000);
    }
}

/* Run `fn` with stdout in a file; what the file holds then. */
static const char *output_of(cadre_isolate_fn fn, char *arg)
{
    static char text[256];
    int file = memfd_create("out", MFD_CLOEXEC), old;
    ssize_t n;

    fflush(stdout);
    old = dup(1);
    dup2(file, 1);
    printf("before ");
    run(fn, arg, NULL);
    printf("after");
    fflush(stdout);
    dup2(old, 1);
    close(old);
    n = pread(file, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(file);
    return text;
}

static void output_comes_out_once_and_in_order(void)
{
    char words[] = "inside ";

    CU_ASSERT_STRING_EQUAL(output_of(say, words), "before inside after");
}

static void output_before_a_crash_is_not_lost(void)
{
    char words[] = "inside ";

    CU_ASSERT_STRING_EQUAL(output_of(write_to_null, words),
                           "before inside after");
}

static void on_exit_of_the_program(void)
{
    if (isolate != NULL) /* main() ends without */
        printf("an exit handler of the program ran in the child\n");
}

static void exit_handlers_of_the_program_do_not_run(void)
{
    static char words[] = "x";
    static bool is_set;

    if (!is_set)
        is_set = atexit(on_exit_of_the_program) == 0;
    CU_ASSERT_TRUE(is_set);
    CU_ASSERT_STRING_EQUAL(output_of(say, words), "before xafter");
    CU_ASSERT_EQUAL(run(leave, &(int){0}, NULL), CADRE_ISOLATE_EXITED);
    CU_ASSERT_STRING_EQUAL(output_of(leave, (char *)&(int){1}), "before after");
}

/* Start a call that sleeps in a child that dies; who was it? */
static void the_call_dies_with_its_parent(void)
{
    int ends[2];
    struct cadre_isolate *mine;
    char byte;
    pid_t child;

    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    fflush(NULL);
    if ((child = fork()) == 0) {
        close(ends[0]);
        if (cadre_isolate_create(&mine, &error) == CADRE_OK)
            cadre_isolate_run(mine, sleep_long, NULL, NULL, &result, &error);
        _exit(1);
    }
    close(ends[1]);
    usleep(200000);
    kill(child, SIGKILL);
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    alarm(10); /* the pipe's end comes when the last of them is gone */
    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 0);
    alarm(0);
    close(ends[0]);
}

static void a_thousand_calls_leave_nothing(void)
{
    int n = 10, first = dup(0), last;

    close(first);
    for (int i = 0; i < (HAS_SANITIZER ? 50 : 1000); i++)
        if (run(put_squares, &n, NULL) != CADRE_ISOLATE_DONE)
            CU_FAIL_FATAL(result.text);
    last = dup(0);
    close(last);
    CU_ASSERT_EQUAL(first, last);
}

static const struct check_test tests[] = {
    CHECK(a_call_hands_back_its_bytes),
    CHECK(a_call_may_hand_back_nothing),
    CHECK(small_pieces_may_become_a_large_result),
    CHECK(a_result_may_have_half_a_gigabyte),
    CHECK(a_call_that_fails_may_say_why),
    CHECK(exit_ends_the_call_only),
    CHECK(a_crash_is_told_with_its_place),
    CHECK(a_ruined_heap_stays_in_the_child),
    CHECK(a_signal_that_cannot_be_caught_is_told),
    CHECK(a_leak_of_a_gigabyte_stays_in_the_child),
    CHECK(memory_beyond_the_limit_is_refused),
    CHECK(other_crashes_are_not_blamed_on_the_limit),
    CHECK(cpu_time_beyond_the_limit_ends_the_call),
    CHECK(sleeping_costs_no_cpu_time),
    CHECK(a_deadline_ends_the_call),
    CHECK(cancelling_ends_the_call),
    CHECK(what_the_call_started_is_ended_with_it),
    CHECK(output_comes_out_once_and_in_order),
    CHECK(output_before_a_crash_is_not_lost),
    CHECK(exit_handlers_of_the_program_do_not_run),
    CHECK(the_call_dies_with_its_parent),
    CHECK(a_thousand_calls_leave_nothing),
    {NULL, NULL}};

int main(void)
{
    int status;

    if (cadre_isolate_create(&isolate, &error) != CADRE_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    status = check_run("isolate", tests);
    cadre_isolate_destroy(isolate);
    isolate = NULL;
    return status;
}
