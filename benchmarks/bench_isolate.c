/* bench_isolate.c - what protecting and isolating a call costs.
 *
 *     bench_isolate [MIB]     memory in use for the second row; 1024
 *
 * A call of an empty function: direct, under the trap, and in a forked child;
 * in a process with little memory and in one that has touched MIB MiB in small
 * pages. A bare fork() and waitpid() tells what of it is the kernel's. Prints
 * the median of 11 rounds, and their spread.
 */
#include "runtime/isolate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 11, CALLS = 1000000, FORKS = 100 };

static struct cadre_isolate *isolate;
static struct cadre_isolate_result result;
static struct cadre_crash crash;
static volatile int sink;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_isolate: %s\n", what);
    exit(1);
}

static uint64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void empty(void *arg)
{
    (void)arg;
    sink++;
}

static int isolated(void *arg, struct cadre_isolate_out *out)
{
    empty(arg);
    return cadre_isolate_put(out, "12345678", 8) != CADRE_OK;
}

static void call_directly(void)
{
    void (*volatile fn)(void *) = empty;

    for (int i = 0; i < CALLS; i++)
        fn(NULL);
}

static void call_trapped(void)
{
    for (int i = 0; i < CALLS; i++)
        if (!cadre_trap_run(empty, NULL, &crash))
            die("the call crashed");
}

static void call_isolated(void)
{
    for (int i = 0; i < FORKS; i++)
        if (cadre_isolate_run(isolate, isolated, NULL, NULL, &result, NULL) !=
                CADRE_OK ||
            result.end != CADRE_ISOLATE_DONE)
            die(result.text);
}

static void fork_only(void)
{
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        if (pid < 0 || waitpid(pid, NULL, 0) != pid)
            die("cannot fork");
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Print a row; returns the median, in microseconds a call. */
static double measure(const char *what, void (*work)(void), int calls,
                      double direct)
{
    double us[ROUNDS];

    work(); /* warm */
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin = clock_ns();

        work();
        us[i] = (double)(clock_ns() - begin) / 1e3 / calls;
    }
    qsort(us, ROUNDS, sizeof *us, compare);
    printf("%-28s %10.4f %10.4f-%.4f us/call", what, us[ROUNDS / 2], us[0],
           us[ROUNDS - 1]);
    if (direct > 0)
        printf("  %.0f x direct", us[ROUNDS / 2] / direct);
    printf("\n");
    return us[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    size_t mib = argc > 1 ? (size_t)atol(argv[1]) : 1024;
    struct cadre_error error;
    char what[64];
    char *memory;
    double direct;

    if (mib < 1 || mib > 1 << 20)
        die("MIB is 1 to 1048576");
    if (cadre_trap_install(&error) != CADRE_OK ||
        cadre_isolate_create(&isolate, &error) != CADRE_OK)
        die(error.text);
    direct = measure("direct", call_directly, CALLS, 0);
    measure("trapped", call_trapped, CALLS, direct);
    measure("fork", fork_only, FORKS, direct);
    measure("isolated", call_isolated, FORKS, direct);
    memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        die("out of memory");
    madvise(memory, mib << 20, MADV_NOHUGEPAGE);
    memset(memory, 1, mib << 20);
    snprintf(what, sizeof what, "fork, %zu MiB touched", mib);
    measure(what, fork_only, FORKS, direct);
    snprintf(what, sizeof what, "isolated, %zu MiB touched", mib);
    measure(what, call_isolated, FORKS, direct);
    munmap(memory, mib << 20);
    cadre_isolate_destroy(isolate);
    return 0;
}
