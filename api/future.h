/* future.h - a single task, from its submission to its outcome.
 *
 * A future is the job itself: what the farm queues, with the arguments packed
 * behind it. A task that waits costs this struct and its scheduler entry; what
 * few tasks have (others that wait for it, callbacks, several ranks) stands in
 * a second struct, made when it is needed.
 *
 * The arguments lie in slots, one for each parameter in order: a scalar's
 * value, or a pointer to the string or the array. They are there until the task
 * has ended, and longer only where they are few bytes; the outcome is there
 * until the future is freed.
 *
 * References: the user has one until cadre_future_free(), the farm one until
 * the task has ended, each task that takes its value one until it has ended
 * itself, its callbacks one together until they have run, each one who watches
 * it one. Everything but `refs` and `state` is guarded by the engine's lock
 * until the task has ended, and does not change afterwards (but for callbacks).
 */
#ifndef CADRE_API_FUTURE_H
#define CADRE_API_FUTURE_H

#include "internal.h"
#include "unseen.h"

#include <assert.h>

/* Outputs of one rank, as they came. */
struct cadre_outcome {
    size_t len;
    struct cadre_bulks bulks; /* large arrays that came with them */
    _Alignas(16) unsigned char outputs[];
};

/* Parameter `param` of `owner` is what `on` brings. */
struct cadre_need {
    struct cadre_future *on;
    struct cadre_future *owner;
    struct cadre_need *next; /* of those that wait for `on` */
    int param;
    int output; /* of `on` */
};

/* `future` is looked at by somebody who waits for several. */
struct cadre_watcher {
    struct cadre_watcher *next, **at; /* of those of the future; `at` NULL: not
                                         among them */
    struct cadre_watcher *next_ended;
    struct cadre_watch *watch;
    struct cadre_future *future;
};

/* Somebody who waits for several futures; guarded by the engine's lock. */
struct cadre_watch {
    struct cadre_engine *engine;        /* NULL: all had ended before */
    struct cadre_watcher *first, *last; /* those that have ended, in order */
    size_t count;
    _Atomic size_t ended;
    size_t failed;
    struct cadre_watcher list[];
};

struct cadre_callback {
    struct cadre_callback *next;
    cadre_done_fn fn;
    void *user;
};

/* What few futures have. */
struct cadre_future_more {
    struct cadre_later later;   /* when it has ended */
    struct cadre_keeper keeper; /* of large arguments on their way; has a
                                   reference then */
    struct cadre_future *future;

    struct cadre_need *dependents, **last_dependent;
    struct cadre_watcher *watchers;
    struct cadre_callback *callbacks, **last_callback;
    _Atomic bool has_callbacks; /* they are still to be run, or are being run */

    double progress; /* what the task says itself, 0 to 1 */
    char news[64];

    uint64_t deadline_ns;  /* it may run for so long; 0: as the object says */
    bool may_be_cancelled; /* while it runs */

    int ranks;                   /* of the team */
    struct cadre_outcome **rest; /* outcomes of ranks 1, 2, ... */

    uint64_t absent; /* bit i: parameter i was left out, for the store */

    int nneeds;
    int missing; /* of them have not ended */
    struct cadre_need *needs;
    cadre_err broken; /* why it cannot run; CADRE_OK: it can */
    struct cadre_mishap *reason;
};

struct cadre_future {
    struct cadre_job job;           /* first: the farm knows only this */
    struct cadre_farm *farm;        /* lives until it has ended */
    struct cadre_future_more *more; /* NULL: it has nothing of it */
    union {
        struct cadre_outcome *outcome; /* of rank 0; NULL: no outputs */
        struct cadre_mishap *mishap;   /* where `err` is not CADRE_OK; NULL: no
                                          memory for it */
    };
    _Atomic uint32_t refs;
    int16_t err;
    _Atomic uint8_t state; /* enum cadre_future_state; set last when it ends */
    bool has_store;        /* the workers have; the farm may be gone */
    _Alignas(16) unsigned char args[];
};

static_assert(sizeof(struct cadre_future) <= 48,
              "a queued task must stay small");

/* --- future.c --------------------------------------------------------------
 */

extern const struct cadre_job_ops cadre_future_ops;

bool cadre_future_has_ended(const struct cadre_future *future);

struct cadre_future *cadre_future_ref(struct cadre_future *future);
void cadre_future_unref(struct cadre_future *future);

/* Make sure that `future->more` is there. CADRE_ENOMEM. */
cadre_err cadre_future_need_more(struct cadre_future *future);

/* A future that has failed already; given. */
struct cadre_future *cadre_future_failed(cadre_err err,
                                         const struct cadre_error *error);

/* A task that `object` was given has failed. */
void cadre_future_unseen(struct cadre_object *object,
                         const struct cadre_future *future);
const char *cadre_future_text(const struct cadre_future *future);

/* Wait, from outside the lock, until `done(arg)`; `timeout_ms` as in
 * cadre_future_wait(). */
bool cadre_await(struct cadre_engine *engine, bool (*done)(void *arg),
                 void *arg, double timeout_ms);

/* How much of the room for outputs is used. */
struct cadre_room {
    struct cadre_outputs into;
    bool is_whole;                       /* for one future alone */
    uint64_t used[CADRE_PARAMS_MAX + 1]; /* elements, or pointers */
};

/* What is free of it, for `room->into.count` outputs. */
void cadre_room_rest(const struct cadre_room *room, struct cadre_output *list);

/* Take the outputs of a task that is done, rank after rank, to where the room
 * is free. */
cadre_err cadre_future_take(const struct cadre_future *future,
                            struct cadre_room *room, struct cadre_error *error);

/* --- submit.c --------------------------------------------------------------
 */

/* The future's arguments as a table of one row, measured: cadre_table_free().
 * All it needs must have ended. */
cadre_err cadre_future_table(const struct cadre_future *future,
                             struct cadre_table **table,
                             struct cadre_error *error);

/* The same, which costs less while the farm is told of the task. Under the
 * lock. */
cadre_err cadre_future_table_at_hand(const struct cadre_future *future,
                                     struct cadre_table **table,
                                     struct cadre_error *error);

/* Bytes of the task's own arguments. */
uint64_t cadre_future_weight(const struct cadre_future *future);

/* The task's own arguments are needed no more, those of many bytes are given
 * back. The slots stay good for measuring. Does nothing the second time. */
void cadre_args_drop(struct cadre_future *future);

/* Something that the task of `need->owner` needs has ended, well or not. Under
 * the lock. */
void cadre_need_ended(struct cadre_need *need);

/* The task needs nothing any more: it ends, or never was. Its slots stay good
 * for measuring. */
void cadre_needs_drop(struct cadre_future *future);

/* A task of the library's own, which a team runs to put a value into its stores
 * or to read one. */
struct cadre_errand {
    struct cadre_farm_place place;
    const char *name;
    const struct cadre_kept *kept; /* to put; NULL: it reads */
};

/* Queue it. `*future` is given. */
cadre_err cadre_farm_run_errand(struct cadre_farm *farm,
                                struct cadre_invocation call,
                                const struct cadre_errand *errand,
                                struct cadre_future **future,
                                struct cadre_error *error);

/* --- stored.c --------------------------------------------------------------
 */

/* Does it read what is stored? Then cadre_stored_take() takes what it brings.
 */
bool cadre_future_is_read(const struct cadre_future *future);
cadre_err cadre_stored_take(const struct cadre_future *future,
                            struct cadre_room *room, struct cadre_error *error);

/* --- wait.c ----------------------------------------------------------------
 */

/* The future has ended: those who watch it shall know. Under the lock. */
void cadre_watchers_tell(struct cadre_future *future);

#endif
