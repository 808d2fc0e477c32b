/* trap.h - a call that crashes comes back to its caller, with the reason.
 *
 * SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT and a stack overflow inside a
 * protected call end that call only. The process is not sound afterwards: its
 * heap may be damaged and locks may be held for ever. Say what happened and
 * leave by _exit(), within a deadline of your own.
 *
 * A signal that comes while no protected call runs goes to the handler that was
 * there before. If a thread that the call started crashes (OpenMP), it stays
 * where it is for ever and the protected call ends in its place. Children that
 * the call forks are not protected.
 */
#ifndef CADRE_RUNTIME_TRAP_H
#define CADRE_RUNTIME_TRAP_H

#include "error.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    CADRE_CRASH_FRAMES_MAX = 48,
    CADRE_CRASH_WHAT_MAX = 128,
    CADRE_CRASH_TEXT_MAX = 4096
};

/* Why a call was cut short. */
struct cadre_crash {
    int signal;
    int code;          /* si_code of the signal */
    uintptr_t address; /* that could not be accessed, or of the instruction */
    int error_number;  /* errno at that moment */
    bool is_overflow;  /* the stack was full */
    bool is_elsewhere; /* it was another thread of the process */
    uint32_t count;    /* of `frames`, innermost first, down to the call */
    uintptr_t frames[CADRE_CRASH_FRAMES_MAX];
    char what[CADRE_CRASH_WHAT_MAX]; /* "SIGSEGV: address not mapped ..." */
    char backtrace[CADRE_CRASH_TEXT_MAX]; /* a line for each frame; see
                                             symbols.h */
};

/* Get ready to protect calls: install the signal handlers and start the thread
 * that looks up symbols (of its own so that it has a heap of its own). Once,
 * in a process that runs tasks, after MPI_Init(); later calls put the handlers
 * back on top of what replaced them and cost a microsecond or two.
 *
 * CADRE_ESTATE  a library keeps the signals for itself.
 * CADRE_EIO     the system refuses a handler or the thread.
 */
cadre_err cadre_trap_install(struct cadre_error *error);

/* Only the handlers, without the thread; for the child of a fork. */
cadre_err cadre_trap_arm(struct cadre_error *error);

/* What handlers need later and must not ask for then: on this thread. Implied
 * by the other functions; call it before a fork to spare the child the work. */
void cadre_trap_prime(void);

/* Call `fn(arg)`. false if a signal cut it short; `*crash` says which then and
 * is untouched otherwise. Costs some 20 ns. Calls may be nested, and made in
 * several threads. */
bool cadre_trap_run(void (*fn)(void *arg), void *arg,
                    struct cadre_crash *crash);

/* The same without `backtrace`: see cadre_crash_describe(). */
bool cadre_trap_catch(void (*fn)(void *arg), void *arg,
                      struct cadre_crash *crash);

/* Fill `crash->backtrace` from its frames, which are of process `pid`: this one
 * or a child of it that is still there. Takes milliseconds, two seconds at
 * most; where the symbols cannot be had in time, addresses and the names of
 * exported functions serve. */
void cadre_crash_describe(struct cadre_crash *crash, int32_t pid);

/* Put "SIGTERM: ..." for `signal` and its `code` in `what`. */
void cadre_crash_name(int signal, int code, uintptr_t address, char *what,
                      size_t size);

/* If a protected call leaves the process by exit(), call `hook(status, arg)`
 * first, in its thread; it may say a last word and _exit(). Exit handlers that
 * were registered after cadre_trap_install() run before it. Not noticed:
 * _exit(), quick_exit() and what a child of the process does. */
void cadre_trap_on_exit(void (*hook)(int status, void *arg), void *arg);

#endif
