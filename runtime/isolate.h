/* isolate.h - a call in a process of its own.
 *
 * The process forks; the child makes the call, hands bytes back and ends. What
 * the call does to its memory, its limits or itself stays in the child, which
 * makes no MPI call, runs no exit handler of the program and ends when the
 * thread that waits for it does. A fork copies page tables: some 0.1 ms, and
 * more for a process that uses much memory (benchmarks/bench_isolate.c).
 *
 * The child has one thread. OpenMP in the call works unless the parent has used
 * it before (libgomp's threads do not survive a fork).
 */
#ifndef CADRE_RUNTIME_ISOLATE_H
#define CADRE_RUNTIME_ISOLATE_H

#include "trap.h"

#include <stddef.h>

struct cadre_isolate;     /* opaque: what one call after another reuses */
struct cadre_isolate_out; /* opaque: where the call puts its bytes */

/* The call, in the child. Other than 0 says that it failed. */
typedef int (*cadre_isolate_fn)(void *arg, struct cadre_isolate_out *out);

/* Zero means no limit. */
struct cadre_isolate_limits {
    uint64_t memory; /* bytes of address space beyond what the parent has */
    uint32_t cpu_ms; /* of all threads of the child together */
    uint32_t deadline_ms; /* from the start on */

    /* Asked every few milliseconds, in the parent, unless NULL; true ends the
     * call. */
    bool (*is_cancelled)(void *arg);
    void *cancel_arg;
};

enum cadre_isolate_end {
    CADRE_ISOLATE_DONE,     /* returned 0 */
    CADRE_ISOLATE_FAILED,   /* returned something else: `value` */
    CADRE_ISOLATE_EXITED,   /* called exit() or _exit(): `value` */
    CADRE_ISOLATE_SIGNAL,   /* ended by signal `value`; see `crash` */
    CADRE_ISOLATE_MEMORY,   /* ended badly once its memory was used up */
    CADRE_ISOLATE_CPU,      /* used up its time on a core */
    CADRE_ISOLATE_DEADLINE, /* ended by us, as below */
    CADRE_ISOLATE_CANCELLED
};

struct cadre_isolate_result {
    enum cadre_isolate_end end;
    int value;
    const void *bytes; /* after DONE and FAILED; lent until the next run */
    size_t len;
    bool has_crash;           /* `crash` says where: it was caught */
    struct cadre_crash crash; /* else only `what` and `signal` are set */
    char text[256];           /* why it is not DONE, in one line; else "" */
};

/* Get ready for calls from this thread. Keeps two descriptors and 64 KiB, and
 * the memory of a large result until the next run.
 *
 * CADRE_ENOMEM  out of memory.
 * CADRE_EIO     no descriptor to be had.
 */
cadre_err cadre_isolate_create(struct cadre_isolate **isolate,
                               struct cadre_error *error);

/* `isolate` may be NULL. */
void cadre_isolate_destroy(struct cadre_isolate *isolate);

/* Make the call `fn(arg, out)` and wait for its end. Local; only by the thread
 * that created `isolate`. stdio's output buffers are written out before; what
 * the call wrote to them is at its end (after a crash too, where that is still
 * possible). When it returns, the child and all that it started in its process
 * group are gone.
 *
 * CADRE_EIO     cannot fork, or cannot read the result; `*result` is unset.
 * CADRE_ENOMEM  no room for the result in the parent.
 */
cadre_err cadre_isolate_run(struct cadre_isolate *isolate, cadre_isolate_fn fn,
                            void *arg,
                            const struct cadre_isolate_limits *limits,
                            struct cadre_isolate_result *result,
                            struct cadre_error *error);

/* In the call: add `len` bytes to the result.
 *
 * CADRE_ENOMEM  no room; the result is as it was.
 */
cadre_err cadre_isolate_put(struct cadre_isolate_out *out, const void *bytes,
                            size_t len);

#endif
