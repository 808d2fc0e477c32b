/* cadre/error.h - what can go wrong, as a number and as a sentence.
 *
 * Every function that can fail returns a cadre_err. The sentence that goes with
 * it (what was wrong, where, what to do) is cadre_error_text(), kept for each
 * thread until its next failing call.
 */
#ifndef CADRE_ERROR_H
#define CADRE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define CADRE_API __attribute__((visibility("default")))
#define CADRE_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* What went wrong. The numbers travel between processes: never renumber. */
typedef enum cadre_err {
    CADRE_OK = 0,
    CADRE_ENOMEM = 1,      /* out of memory */
    CADRE_EINVAL = 2,      /* an argument is out of its documented range */
    CADRE_ESTATE = 3,      /* not allowed now: before init, on a worker, ... */
    CADRE_ECLOSED = 4,     /* the object has been shut down */
    CADRE_EPARSE = 5,      /* a prototype that cannot be read */
    CADRE_ETYPE = 6,       /* a value of the wrong type, count or size */
    CADRE_ENOTFOUND = 7,   /* no such library, symbol, program or file */
    CADRE_ESPAWN = 8,      /* workers could not be started */
    CADRE_ETIMEOUT = 9,    /* a deadline passed */
    CADRE_EPROTO = 10,     /* a damaged or foreign frame */
    CADRE_EVERSION = 11,   /* the other side is of another version */
    CADRE_EMPI = 12,       /* MPI reported an error */
    CADRE_EIO = 13,        /* the operating system reported an error */
    CADRE_ETASK = 14,      /* the task function said that it failed */
    CADRE_ELOST = 15,      /* the worker that ran the task is gone */
    CADRE_ECANCELLED = 16, /* cancelled before it ran, or while it did */
    CADRE_ECRASH = 17,     /* a signal ended the task: SIGSEGV, SIGABRT, ... */
    CADRE_EEXIT = 18       /* the task ended its process by exit() */
} cadre_err;

/* A few words for `err`; lent for ever. */
CADRE_API const char *cadre_strerror(cadre_err err);

/* The sentence of this thread's last failed call; "" before the first one.
 * Lent until the next failing call of this thread. */
CADRE_API const char *cadre_error_text(void);

/* Report `err` of `call` at `file`:`line` on stderr, end the workers and leave
 * the program with status 1. */
CADRE_API _Noreturn void cadre_check_failed(cadre_err err, const char *call,
                                            const char *file, int line);

/* For examples and small programs: make `call`; if it fails, print why and
 * leave. A library returns the error to its caller instead. */
#define CADRE_CHECK(call)                                                      \
    do {                                                                       \
        cadre_err cadre_err_ = (call);                                         \
        if (cadre_err_ != CADRE_OK)                                            \
            cadre_check_failed(cadre_err_, #call, __FILE__, __LINE__);         \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
