/* unseen.h - failures that nobody has looked at.
 *
 * Every object has such a list. A task that fails puts its mishap on it, and
 * whoever asks for the result or the error takes it off. A future that is freed
 * before leaves it behind: of those the oldest is kept and the others are only
 * counted, so that the list needs memory for futures that live and no more.
 *
 * One lock for all lists, inside; from any thread, with the engine's lock or
 * without.
 */
#ifndef CADRE_API_UNSEEN_H
#define CADRE_API_UNSEEN_H

#include "runtime/error.h"

#include <stdint.h>

/* Zero is an empty one. */
struct cadre_unseen {
    struct cadre_mishap *first, *last; /* in the order of failing */
    struct cadre_mishap *left;         /* the oldest left behind; owned */
    uint64_t count;                    /* of all, those left behind too */
    uint64_t numbered;                 /* failures so far */
};

/* Why a task failed. */
struct cadre_mishap {
    struct cadre_unseen *unseen; /* it is on this list; NULL: on none */
    struct cadre_mishap *next, *previous;
    uint64_t number; /* on the list */
    cadre_err err;
    int kind;
    int rank;
    const char *host; /* behind the text */
    char text[];
};

/* NULL: out of memory. */
struct cadre_mishap *cadre_mishap_create(int kind, int rank, const char *host,
                                         const char *text);

/* The future is freed; or left to the list it is on. NULL is allowed. */
void cadre_mishap_free(struct cadre_mishap *mishap);

/* A task has failed with `err`. NULL is allowed for `mishap`. */
void cadre_unseen_add(struct cadre_unseen *unseen, struct cadre_mishap *mishap,
                      cadre_err err);

/* Somebody knows. NULL is allowed. */
void cadre_mishap_saw(struct cadre_mishap *mishap);

/* The list ends: the code of the oldest failure on it, CADRE_OK if there is
 * none; `error` says how many there are and why the oldest failed. */
cadre_err cadre_unseen_close(struct cadre_unseen *unseen,
                             struct cadre_error *error);

#endif
