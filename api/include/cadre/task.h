/* cadre/task.h - writing a function that runs on a worker.
 *
 *     CADRE_TASK(double, norm, (size_t n, const double x[n]))
 *     {
 *         ...
 *     }
 *
 * is the plain C function `double norm(size_t n, const double x[n])` and a
 * record of its prototype. CADRE_FN(norm) is the handle to give to a pool.
 *
 * Parameters may be
 *
 *     scalars            every arithmetic type of C, complex ones too
 *     struct point p     a struct that is declared (cadre/struct.h)
 *     const char *s      a string
 *     const T x[n]       an array to read; n is an integer parameter before it,
 *                        or a constant
 *     T x[n]             an array that is sent, changed, and sent back
 *     CADRE_OUT T x[n]   an array to fill; nothing is sent
 *
 *     MPI_Comm comm      the team's communicator
 *     cadre_store *s     what the worker keeps between tasks (cadre/store.h)
 *     struct thing *p    an object in that store, found by the parameter's name
 *
 * What the caller leaves out is taken from the store, by the parameter's name,
 * where the workers have one. An array taken from there is the stored one
 * itself: without const, what the function writes stays, and goes back to the
 * caller as an output too. The function must then not change the array's size
 * in the store and go on using its parameter.
 *
 * T is a number or a struct, and an array may have up to 8 dimensions
 * (x[rows][cols]). The result is any arithmetic type, a struct, `const char *`
 * (copied) or `char *` (copied, then freed).
 */
#ifndef CADRE_TASK_H
#define CADRE_TASK_H

#include <cadre/error.h>
#include <cadre/macros.h>
#include <cadre/struct.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct cadre_task cadre_task;   /* the running task */
typedef struct cadre_store cadre_store; /* what a worker keeps between tasks */

/* In front of an array parameter: the function fills it and reads nothing. */
#define CADRE_OUT

/* What the program knows of one of its tasks. */
struct cadre_task_record {
    const char *name;
    const char *written;  /* the prototype as its author wrote it */
    const char *expanded; /* and after the preprocessor */
    void (*fn)(void);
    /* The structs that the program or library around the task declares. */
    const struct cadre_struct_record *const *structs, *const *structs_end;
};

/* Define a task function; its body follows. Not inside a function. */
#define CADRE_TASK(result, name, params)                                       \
    CADRE_DECLARE(result, name, params);                                       \
    const struct cadre_task_record cadre_record_##name = {                     \
        #name,                                                                 \
        #result " " #name " " #params,                                         \
        CADRE_STRING_(result name params),                                     \
        (void (*)(void))name,                                                  \
        __start_cadre_structs,                                                 \
        __stop_cadre_structs};                                                 \
    static const struct cadre_task_record *const cadre_entry_##name            \
        __attribute__((section("cadre_tasks"), used)) = &cadre_record_##name;  \
    result name params

/* Define an init function, which every worker of an executor runs once before
 * its first task, to fill its store (cadre/store.h); its body follows:
 *
 *     CADRE_INIT(setup, (struct cadre_store *store))
 *     {
 *         cadre_store_put(store, "k", 3L);
 *     }
 *
 * It takes `struct cadre_store *`, `MPI_Comm`, `cadre_task *`, or fewer, and
 * nothing else. It may call cadre_task_fail(). */
#define CADRE_INIT(name, params) CADRE_TASK(void, name, params)

/* Declare, in a header, a task that CADRE_TASK defines elsewhere. */
#define CADRE_DECLARE(result, name, params)                                    \
    extern const struct cadre_task_record cadre_record_##name;                 \
    result name params

/* From inside a task: this task has failed. `kind` is a number of your own that
 * the caller will see; the text should say what was wrong. The function still
 * has to return; its outputs are dropped. The first failure counts. Does
 * nothing outside a task. */
CADRE_API void cadre_task_fail(int kind, const char *format, ...)
    CADRE_PRINTF(2, 3);

/* A GPU that a task may use. */
struct cadre_task_gpu {
    const char *vendor; /* "NVIDIA", "AMD" or "Intel" */
    const char *pci;    /* on which bus: "0000:81:00.0"; "": not known */
    const char *uuid;   /* "GPU-8f4b..."; "": not known */
};

/* Where and as what a task runs. A function gets its `cadre_task *self` by
 * having such a parameter, which no caller gives. */
struct cadre_task_info {
    uint64_t index;    /* in its map; of a single task: 0 */
    int rank, size;    /* in the team that runs it */
    int worker;        /* this process's number among those started with it */
    int attempt;       /* 1, or more where it is tried again */
    const char *host;  /* lent for ever */
    const char *place; /* the cores, memory and GPUs it is bound to, as text:
                          "node1: PUs 0-3, NUMA node 0"; "": not bound */

    /* The same as numbers: 0 and NULL where its pool or executor has no wish.
     * Lent, like the text, while the task runs. */
    int threads;         /* that this rank should use, for each a core or, where
                            those are too few, a hardware thread */
    int npus;            /* hardware threads it is bound to; 0: not bound */
    const uint32_t *pus; /* their numbers, the system's own, ascending */
    int ngpus;           /* GPUs it was given, for itself alone */
    const struct cadre_task_gpu *gpus;
};

CADRE_API void cadre_task_describe(const cadre_task *self,
                                   struct cadre_task_info *info);

/* Tell how far the task is, 0 to 1, and in words (NULL: none); readable on its
 * future. What comes within 50 ms of the last is not sent, but for 1. */
CADRE_API void cadre_task_progress(cadre_task *self, double progress,
                                   const char *text);

/* Has it been cancelled since it began? A long task asks now and then, and
 * returns; its outputs are dropped. Costs a memory access. */
CADRE_API bool cadre_task_is_cancelled(const cadre_task *self);

#endif
