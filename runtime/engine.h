/* engine.h - one process's runtime: its crews, and who moves things along.
 *
 * Everything of a controller hangs on one engine, behind one lock. MPI is
 * called under that lock only (but for the thread that spawns).
 *
 * Who drives: a thread that waits for something (cadre_engine_wait) makes
 * progress itself, so that no hand-over stands between a result and the one who
 * wants it; a second one sleeps until the first has something for it or leaves.
 * When nobody waits, a background thread sleeps at the bell and is woken by
 * whatever comes in. It needs MPI_THREAD_MULTIPLE; with less, things move only
 * inside Cadre's functions.
 *
 * How to wait: poll for a while, then sleep at the bell. Where the schedulers
 * expect nothing soon (a batch takes milliseconds), sleep at once, so that a
 * waiting controller leaves the cores to its workers.
 */
#ifndef CADRE_RUNTIME_ENGINE_H
#define CADRE_RUNTIME_ENGINE_H

#include "crew.h"
#include "place.h"
#include "sched.h"

#include <pthread.h>

struct cadre_engine;

/* What the owner of a worker (worker->team, worker->events) is told of it,
 * under the lock. */
struct cadre_engine_events {
    void (*on_results)(struct cadre_worker *worker,
                       const struct cadre_frame *frame);
    void (*on_ready)(struct cadre_worker *worker,
                     const struct cadre_frame *frame);
    void (*on_news)(struct cadre_worker *worker,
                    const struct cadre_frame *frame);
    /* Results have come whose bulks have not: where are these wanted? NULL:
     * nowhere in particular. */
    void (*on_place)(struct cadre_worker *worker,
                     const struct cadre_frame *frame);
    void (*on_letter)(struct cadre_worker *worker,
                      const struct cadre_frame *frame); /* NULL: nobody's */
    void (*on_lost)(struct cadre_worker *worker);       /* it is gone */
};

/* Something to be done soon by whoever drives, outside of what is being done
 * now. Lives in its owner until it is run. */
struct cadre_later {
    struct cadre_later *next;
    /* Called under the lock, which it may let go and take again. */
    void (*run)(struct cadre_later *later);
};

/* Called now and then, under the lock. */
typedef void (*cadre_check_fn)(struct cadre_engine *engine, uint64_t now_ns);

/* What is known of the workers that were started last. */
struct cadre_starts {
    char *program; /* NULL: none yet; "": this one */
    int most;      /* processes at once */
    double slowest_s;
};

struct cadre_engine {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something arrived, or the driver left */
    pthread_cond_t quiet;   /* nobody waits any more for what comes */
    _Atomic int wanting;    /* threads about to take the lock */

    int thread_level; /* of MPI */
    bool keep_environment;
    bool avoids_memory; /* new workers do without shared memory, where
                           messages do not come any more (touch.h) */
    bool is_closed;     /* finalize has begun */
    struct cadre_starts starts;
    _Atomic bool is_leaving; /* nobody is to wait for workers that start */
    char lost_host[CADRE_HOST_NAME_MAX]; /* with its part of mpirun; "": none */

    struct cadre_bells *bells; /* NULL: polling only */
    uint8_t bell_used[CADRE_BELLS_MAX];
    uint32_t last_generation, last_object, last_team; /* numbers given out */
    int expecting; /* threads that wait for what no scheduler knows of */
    struct cadre_farm *farms;    /* farm.c's list */
    struct cadre_ledger *ledger; /* who holds which cores; NULL: nobody yet */
    bool has_free_residents;     /* some may have become free */
    bool has_unused;             /* a crew is to be dismissed */
    struct cadre_crew *crews;
    struct cadre_crew *gone; /* dismissed a while ago, the last one first */
    bool all_have_bells;     /* every worker can wake us */
    uint32_t cores;          /* that this program may use */
    cadre_check_fn on_check;

    struct cadre_sched_list *scheds; /* of the farms; see engine.c */
    struct cadre_later *later,
        *last_later; /* in the order in which they came */

    bool is_driving; /* a thread is in the loop */
    int waiters;     /* threads in cadre_engine_wait() */
    pthread_t background;
    bool has_background;
    bool driver_sleeps;     /* at the bell */
    bool driver_has_slept;  /* since it drives */
    bool background_sleeps; /* at the bell */
    bool background_waits;  /* for `quiet` */
    uint64_t next_check_ns; /* look for dead workers then */
    uint64_t due_ns;        /* the farms want to be asked by then */
};

/* `*engine` is given. Needs MPI. */
cadre_err cadre_engine_create(int thread_level, cadre_check_fn on_check,
                              struct cadre_engine **engine,
                              struct cadre_error *error);
/* Ends the background thread; crews must be gone. */
void cadre_engine_destroy(struct cadre_engine *engine);

void cadre_engine_lock(struct cadre_engine *engine);
void cadre_engine_unlock(struct cadre_engine *engine);

/* Drive, or wait for who does, until `done(arg)` or until `deadline_ns` on
 * cadre_now_ns()'s clock (UINT64_MAX: none). Called with the lock held, which
 * is let go in between; returns what done() said last. */
bool cadre_engine_wait(struct cadre_engine *engine, bool (*done)(void *arg),
                       void *arg, uint64_t deadline_ns);

/* The rest is called with the lock held. */

/* Let `later` be run by the thread that drives, or the background thread, or
 * the next cadre_engine_run_later(). */
void cadre_engine_later(struct cadre_engine *engine, struct cadre_later *later);

/* Run all that is to be done later, which may let the lock go. Whoever changed
 * something, or polled, says this before it unlocks. */
void cadre_engine_run_later(struct cadre_engine *engine);

/* Something was sent to workers, and the caller goes its way: what they answer
 * is for the background thread, which may be asleep without a bell. Not where
 * something that has arrived is being taken in. */
void cadre_engine_attend(struct cadre_engine *engine);

/* Take what has arrived, without waiting. */
void cadre_engine_poll(struct cadre_engine *engine);

/* Consider `sched` when deciding how to wait. CADRE_ENOMEM. */
cadre_err cadre_engine_add_sched(struct cadre_engine *engine,
                                 const struct cadre_sched *sched);
void cadre_engine_remove_sched(struct cadre_engine *engine,
                               const struct cadre_sched *sched);

/* Make a crew of the workers behind `comm` (taken) and greet them; wait until
 * all have answered or `deadline_ns`. `least` > 0: so many are enough then, and
 * those that have not answered are lost. Where it fails, spawned ones, who
 * carry `token` (NULL: they are no spawned ones), are ended, others dismissed.
 *
 * CADRE_EVERSION, CADRE_EPROTO  a worker refused, or spoke nonsense.
 * CADRE_ESPAWN                  one has died, or is out of touch.
 * CADRE_ETIMEOUT                not all have answered.
 */
cadre_err cadre_engine_add_crew(struct cadre_engine *engine, MPI_Comm comm,
                                const char *token, int least,
                                uint64_t deadline_ns, struct cadre_crew **crew,
                                struct cadre_error *error);

/* Start workers and make a crew of them, with a deadline for all together;
 * again, a few times, if one dies meanwhile. The lock is let go. Errors as
 * above and of cadre_crew_spawn(). */
cadre_err cadre_engine_spawn_crew(struct cadre_engine *engine,
                                  struct cadre_spawn *spawn,
                                  struct cadre_crew **crew,
                                  struct cadre_error *error);

/* If no worker of `crew`, a spawned one, has a team, it is dismissed soon: at
 * once by reap(), which must not be called from an event. */
void cadre_engine_tidy(struct cadre_engine *engine, struct cadre_crew *crew);
void cadre_engine_reap(struct cadre_engine *engine);

/* `on_check` is to be called by then, at the latest. */
void cadre_engine_check_by(struct cadre_engine *engine, uint64_t when_ns);

/* The ledger of this host's cores and GPUs, made when it is first asked for.
 * CADRE_EIO, CADRE_ENOMEM. */
cadre_err cadre_engine_ledger(struct cadre_engine *engine,
                              struct cadre_ledger **ledger,
                              struct cadre_error *error);

/* Can processes be started? CADRE_ESPAWN: not any more, and why. */
cadre_err cadre_engine_may_spawn(const struct cadre_engine *engine,
                                 struct cadre_error *error);

/* Something changed that no message tells of: let waiting threads look. */
void cadre_engine_wake(struct cadre_engine *engine);

/* Say BYE to the crew and forget it. */
void cadre_engine_dismiss(struct cadre_engine *engine, struct cadre_crew *crew);

/* `worker` of `crew` has ended or cannot be trusted: it is ended, and its owner
 * is told, once. */
void cadre_engine_lose(struct cadre_engine *engine, struct cadre_crew *crew,
                       struct cadre_worker *worker);

#endif
