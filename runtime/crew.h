/* crew.h - gets crews of workers, and lets them go.
 *
 * The only module that manages processes with MPI. Two doors lead to a crew:
 *
 *   spawn   MPI_Comm_spawn starts new processes, with a fuse: everything that
 *           can be checked is checked before, the call has a deadline, and what
 *           was started in vain is ended.
 *   carve   the other ranks of an SPMD start are workers already.
 *
 * Behind both is an intercommunicator with the controller alone on one side and
 * the workers on the other. Whoever holds a crew does not see which door it
 * came through.
 *
 * A crew's life: create (door) -> greet: HELLO to every worker, WELCOME from
 * every worker -> work -> dismiss: BYE to every worker, the channel is freed,
 * which is local: nobody waits for a worker that has died.
 */
#ifndef CADRE_RUNTIME_CREW_H
#define CADRE_RUNTIME_CREW_H

#include "bell.h"
#include "host.h"
#include "channel.h"
#include "lookout.h"

struct cadre_engine_events; /* engine.h */

/* One process of a crew, seen from the controller. */
struct cadre_worker {
    struct cadre_process process; /* known once it is welcome */
    bool is_welcome;              /* WELCOME has come */
    bool is_lost;                 /* it has ended, or speaks nonsense */
    bool is_cut_off;              /* nothing can be sent to it */
    bool has_died;                /* lost, and not because we have ended it */
    bool has_bell;                /* it can be woken */
    uint64_t ended_ns;            /* when its process was found to have ended */
    int watch; /* cadre_process_watch(); -1: not near, and then the lookout
                  knows, if it answers it */
    uint32_t bell;
    struct cadre_touch touch; /* do messages still arrive? */
    uint32_t batches;         /* that it was sent */
    uint64_t last_value;      /* of its farm's values, that it was sent */
    uint32_t place;           /* in its farm's plan, from 1; 0: none */
    void *team; /* its owner's, while it works for one; else NULL */
    const struct cadre_engine_events *events; /* the owner's, with `team` */
    uint64_t *functions; /* set of function ids it has been told */
    uint32_t functions_max;
};

struct cadre_crew {
    struct cadre_crew *next;
    struct cadre_channel *channel;
    struct cadre_lookout *lookout;  /* NULL: no worker is far */
    struct cadre_pulse_terms pulse; /* what they are offered */
    struct cadre_bells *bells;      /* borrowed; NULL: none */
    uint32_t generation;
    bool is_resident; /* carved: goes back to the others when let go */
    bool is_unused;   /* to be dismissed */
    uint64_t gone_ns; /* when it was dismissed */
    int nworkers;
    struct cadre_worker *workers;
    cadre_err refused; /* a worker cannot work with this controller ... */
    struct cadre_error refusal; /* ... and why */
};

/* How to start workers. */
struct cadre_spawn {
    const char *program; /* path or name (cadre_program_find); NULL: this one */
    const char *const *args; /* of the program, ended by NULL; NULL: none, or
                                those of this one */
    int count;
    int least;       /* so many are enough if no more answer; 0: all */
    const char *cwd; /* NULL: this one */
    double timeout_s;
    bool may_stray;  /* if it does not come back others start all the same */
    bool use_thread; /* a thread makes the blocking call, so that the deadline
                        holds (needs MPI_THREAD_MULTIPLE) */
    bool keep_environment; /* the transports were the program's choice */
    const _Atomic bool *is_called_off; /* as soon as it is true the deadline
                                          counts as passed; NULL: never */
    bool avoid_memory; /* no messages through shared memory (touch.h) */
};

/* The outcome of one MPI_Comm_spawn. */
struct cadre_spawned {
    MPI_Comm comm;  /* to the new processes */
    char token[64]; /* in their environment, to find them again */
};

/* The file that workers are to run: `name` itself if it has a slash, else
 * looked for beside this program, where Cadre is installed, and in PATH. `path`
 * is given: free(). CADRE_ENOTFOUND. */
cadre_err cadre_program_find(const char *name, char **path,
                             struct cadre_error *error);

/* Start processes. Blocks, at most until the deadline. `*spawned` is set in any
 * case.
 *
 * CADRE_ENOTFOUND  no such program or directory; nothing was started.
 * CADRE_ESPAWN     MPI said no.
 * CADRE_ETIMEOUT   it did not come back in time; what it started is ended.
 */
cadre_err cadre_crew_spawn(const struct cadre_spawn *spawn,
                           struct cadre_spawned *spawned,
                           struct cadre_error *error);

/* Is a start under way that was given up, and was not to stray? Until MPI has
 * given it up as well no other is tried: MPI may be waiting in a place that all
 * starts come through. */
bool cadre_crew_spawn_is_stuck(void);

/* Is any? MPI cannot be ended before it has come back. */
bool cadre_crew_spawn_is_out(void);

/* The processes that carry `token`, on this host: end them, but for those that
 * are workers of `crew` (NULL: of none); how many live. */
void cadre_crew_end_strays(const char *token, const struct cadre_crew *crew);
int cadre_crew_count_strays(const char *token);

/* Are all processes that MPI starts on this host? (False: perhaps not.) */
bool cadre_crew_is_on_one_host(void);

/* Is this process the child of a cadre_crew_spawn()? Then `*controller` says
 * whose. */
bool cadre_crew_is_spawned(struct cadre_process *controller);

/* The intercommunicator between rank 0 of `comm` and all its other ranks, and
 * `*side`, a communicator of those (on rank 0: of it alone). **Collective**
 * over `comm`, which is not kept. */
cadre_err cadre_crew_carve(MPI_Comm comm, MPI_Comm *inter, MPI_Comm *side,
                           struct cadre_error *error);

/* A crew behind `comm` (taken). Bells [bell_base, bell_base + workers) are its
 * workers'. */
cadre_err cadre_crew_create(MPI_Comm comm, uint32_t generation,
                            struct cadre_bells *bells, uint32_t bell_base,
                            struct cadre_crew **crew,
                            struct cadre_error *error);
/* NULL is allowed. Does not say BYE. */
void cadre_crew_destroy(struct cadre_crew *crew, double linger_ms);

/* Say HELLO to every worker. */
cadre_err cadre_crew_greet(struct cadre_crew *crew, uint32_t spin_us,
                           struct cadre_error *error);

/* A WELCOME or REFUSE of worker `peer`. */
cadre_err cadre_crew_on_welcome(struct cadre_crew *crew, int peer,
                                const struct cadre_frame *frame,
                                struct cadre_error *error);
cadre_err cadre_crew_on_refuse(struct cadre_crew *crew, int peer,
                               const struct cadre_frame *frame,
                               struct cadre_error *error);

/* Has `worker` ended, as far as can be known without its saying so? */
bool cadre_crew_has_lost(const struct cadre_crew *crew, int worker);

/* End the process of `worker`. */
void cadre_crew_end(struct cadre_crew *crew, int worker);

/* Say BYE to every living worker, and do not watch over them any more. */
void cadre_crew_say_bye(struct cadre_crew *crew);

/* Has `worker` been told function `id`? After the call it counts as told.
 * CADRE_ENOMEM. */
cadre_err cadre_worker_learns(struct cadre_worker *worker, uint32_t id,
                              bool *knew);

#endif
