/* farm.h - one object's queue and teams: where decisions become messages.
 *
 * A farm has a scheduler of its own and the teams it was given. It turns the
 * scheduler's actions into frames, and frames into the scheduler's events. What
 * a job's arguments and results are it does not know: the job packs and unpacks
 * itself.
 *
 * A team that is lost with one of its members is replaced; its tasks fail. The
 * others of its members are ended if they may hang in a collective call.
 *
 * All functions are called under the engine's lock but create and destroy.
 */
#ifndef CADRE_RUNTIME_FARM_H
#define CADRE_RUNTIME_FARM_H

#include "engine.h"
#include "function.h"

struct cadre_farm;
struct cadre_job;

/* Tasks of a job that failed, all in the same way. Lent during the call. */
struct cadre_fault {
    uint64_t first;
    uint64_t count;
    cadre_err err;
    int kind;         /* the function's own number */
    int rank;         /* in the team; -1: none in particular */
    const char *host; /* where it ran; "": nowhere */
    const char *text; /* with where it happened */
};

/* What a job can do, called under the engine's lock. */
struct cadre_job_ops {
    /* Append the arguments of tasks [first, first + count). CADRE_ENOMEM. */
    cadre_err (*pack)(struct cadre_job *job, uint64_t first, uint64_t count,
                      struct cadre_buffer *buffer);
    /* Take the outputs of these tasks from rank `rank` of the team that ran
     * them; an error makes them fail. */
    cadre_err (*unpack)(struct cadre_job *job, int rank, uint64_t first,
                        uint64_t count, const void *outputs, size_t len,
                        struct cadre_bulks *bulks, struct cadre_error *error);
    /* Such outputs have come, but not the large arrays: say where they are
     * wanted (cadre_outputs_place()). The job is not to end while a keeper of
     * its memory holds it. NULL: unpack() takes them from where they are. */
    void (*place)(struct cadre_job *job, uint64_t first, uint64_t count,
                  const void *outputs, size_t len, struct cadre_bulks *bulks);
    /* These tasks have ended well, on every rank and for good: none of them
     * runs again. NULL: not wanted. */
    void (*ended)(struct cadre_job *job, uint64_t first, uint64_t count);
    /* These tasks failed (after unpack, if they ran). */
    void (*failed)(struct cadre_job *job, const struct cadre_fault *fault);
    /* How far task `index` is, 0 to 1, as it says itself. NULL: not wanted. */
    void (*news)(struct cadre_job *job, uint64_t index, double progress,
                 const char *text);
    /* A team is sent these tasks. NULL: of no interest. */
    void (*started)(struct cadre_job *job, uint64_t first, uint64_t count);
    /* These tasks wait again: they failed and are to be tried once more, or
     * were not begun after all. What unpack() and failed() said of them is
     * void. NULL: of no interest. */
    void (*again)(struct cadre_job *job, uint64_t first, uint64_t count);
    /* How long each task may take, in ns; 0: for ever. NULL: for ever. */
    uint64_t (*deadline)(struct cadre_job *job);
    /* Every task has ended. The farm's last word: the job may free itself. */
    void (*done)(struct cadre_job *job);
};

/* The first member of whatever is submitted. */
struct cadre_job {
    const struct cadre_job_ops *ops;
    struct cadre_function *function;
};

struct cadre_farm_options {
    void *owner;        /* whose the farm is, for its jobs; not looked at */
    int teams;          /* how many */
    int ranks;          /* in each; 0: 1 */
    bool has_all_ranks; /* every rank's outputs are wanted, not only the
                           first's */
    bool is_fresh;      /* new processes for every task */
    int max_ranks;  /* in all; if not 0, tasks may want other numbers of ranks
                       than `ranks` */
    int min_ranks;  /* go on with so many if no more can be started; 0: all or
                       none */
    bool has_store; /* tasks may leave arguments to the workers' store */
    const struct cadre_function *init; /* fills each worker's store before its
                                          first task; NULL: none */
    const char
        *program; /* path of a spawned worker's program; NULL: this one */
    const char *cwd;
    double spawn_timeout_s;
    uint64_t deadline_ns; /* a task may take this long where its job does not
                             say how long; 0: for ever */
    uint64_t max_waiting; /* who submits single tasks waits while so many have
                             not been sent; 0: never (the caller's to keep) */
    bool isolates;        /* each task runs in a process of its own ... */
    uint64_t memory;      /* ... with so many bytes more than its worker has, */
    uint32_t cpu_ms;      /* and so much time on a core; 0: without limit */
    bool only_spawned; /* resident workers run the wrong program or directory */
    struct cadre_plan *plan; /* the place of each rank; taken, also where
                                cadre_farm_create() fails; NULL: anywhere */
    struct cadre_place_request request; /* what it came from, for workers that
                                           turn out to be on other hosts */
};

/* Get the teams: of resident workers first, the rest is spawned. `*farm` is
 * given. Errors as cadre_crew_spawn() and cadre_engine_add_crew(). */
cadre_err cadre_farm_create(struct cadre_engine *engine,
                            const struct cadre_farm_options *options,
                            struct cadre_farm **farm,
                            struct cadre_error *error);

/* Take no more jobs; `cancels`: what was not sent is not to run. */
void cadre_farm_close(struct cadre_farm *farm, bool cancels);

/* Wait until every job has ended. */
void cadre_farm_drain(struct cadre_farm *farm);

/* The same, at most until `deadline_ns`; has every job ended, and is nobody
 * being started? */
bool cadre_farm_drain_until(struct cadre_farm *farm, uint64_t deadline_ns);

/* What runs, and where, for a message: "nap on worker 0 (process 12 on a)". */
void cadre_farm_describe(const struct cadre_farm *farm, char *text, size_t len);

/* Let nothing run any more: what waits fails with CADRE_ECANCELLED and `why`;
 * what runs is told so, and ended with its worker half a second later, which is
 * not replaced. No more is taken. */
void cadre_farm_abort(struct cadre_farm *farm, const struct cadre_error *why);

/* Wait until every job has ended, then let the workers go and free the farm.
 * NULL is allowed. */
void cadre_farm_destroy(struct cadre_farm *farm);

/* The same after cadre_farm_abort(), but at most until `deadline_ns` and a
 * second: then the teams that still have tasks are ended. False: somebody holds
 * the farm, which stays. */
bool cadre_farm_destroy_by(struct cadre_farm *farm, uint64_t deadline_ns);

/* How a job is to run. */
struct cadre_submission {
    uint64_t count; /* tasks */
    uint64_t chunk; /* tasks sent together; 0: adaptive */
    uint64_t bytes_per_task;
    const uint64_t *bytes; /* or, where they differ, count + 1 running totals */
    int ranks;         /* that each task wants; 0: as the farm's options say */
    bool is_for_team;  /* it is one task, and the team of this number is to run
                          it: */
    int team;          /* 0 and up; one that is lost is waited for until another
                          has its place */
    uint32_t holds;    /* it waits for so many cadre_farm_release() */
    uint32_t retries;  /* each task may be tried again so often, */
    uint32_t retry_on; /* for these failures: bits 1 << cadre_err, */
    uint64_t retry_wait_ns; /* this long after the first failure, twice as long
                               after each further one */
    uint64_t deadline_ns;   /* each task may take this long; 0: for ever */
};

/* Queue `job` (lent until done()). Sends at once what can be sent.
 *
 * CADRE_ECLOSED  the farm was closed.
 * CADRE_EINVAL   more ranks than there are, or than the farm's where it has no
 *                max_ranks; no such team.
 * CADRE_ELOST    no worker is left, and none can be started; or whatever else
 *                made all tasks fail, like an init function.
 * CADRE_ENOMEM
 */
cadre_err cadre_farm_submit(struct cadre_farm *farm, struct cadre_job *job,
                            const struct cadre_submission *how,
                            struct cadre_error *error);

/* One of the things that `job` waits for is there. With the last one it is
 * queued, and a task weighs `bytes_per_task` (0: as submitted). CADRE_ENOMEM:
 * it waits as before. */
cadre_err cadre_farm_release(struct cadre_farm *farm, struct cadre_job *job,
                             uint64_t bytes_per_task);

/* It is not drained before as many unholds as holds. */
void cadre_farm_hold(struct cadre_farm *farm);
void cadre_farm_unhold(struct cadre_farm *farm);

/* Has a worker begun with any task of `job`, as far as one knows? */
bool cadre_farm_has_begun(const struct cadre_farm *farm,
                          const struct cadre_job *job);

/* What was not sent is not to run: it fails with CADRE_ECANCELLED. */
void cadre_farm_cancel(struct cadre_farm *farm, struct cadre_job *job);

/* From now on so many teams: more are started, of too many those with the
 * highest numbers leave, those that are busy when they have ended their tasks.
 */
void cadre_farm_resize(struct cadre_farm *farm, int teams);

/* End the tasks of `job` that were sent: each is told so when it runs, gets
 * half a second to return, and then its team is ended and replaced. They fail
 * with `err` and `text`, which is lent until the job is done. What was sent and
 * not begun ends likewise when its turn comes. False: none was sent. */
bool cadre_farm_stop(struct cadre_farm *farm, struct cadre_job *job,
                     cadre_err err, const char *text);

/* Let the store of every worker, those to come too, have `kept` as `name`
 * before the tasks that are submitted from now on; it is copied. Each process
 * is sent it once. From now on tasks may leave arguments to the store.
 *
 * CADRE_ECLOSED, or why no task can run.
 * CADRE_EINVAL, CADRE_ETYPE  as cadre_kept_encode().
 * CADRE_ENOMEM
 */
struct cadre_kept;
cadre_err cadre_farm_broadcast(struct cadre_farm *farm, const char *name,
                               const struct cadre_kept *kept,
                               struct cadre_error *error);

/* Whose stores. */
struct cadre_farm_place {
    int team;
    int rank; /* -1: all of them */
};

/* `job`, which is to be submitted next for that team, puts a value into its
 * stores: once it has ended well, workers that come to that place are sent the
 * value before any task, in order with what is broadcast. `kept` is copied.
 * Errors as above; CADRE_EINVAL: no such team or rank. */
cadre_err cadre_farm_put(struct cadre_farm *farm, const struct cadre_job *job,
                         struct cadre_farm_place place, const char *name,
                         const struct cadre_kept *kept,
                         struct cadre_error *error);

/* It could not be submitted. */
void cadre_farm_unput(struct cadre_farm *farm, const struct cadre_job *job);

/* Is there that team, with that rank? CADRE_EINVAL; also where teams come and
 * go. */
cadre_err cadre_farm_check_place(const struct cadre_farm *farm,
                                 struct cadre_farm_place place,
                                 struct cadre_error *error);

/* Does it take jobs? Has it some, or is it held? */
bool cadre_farm_is_open(const struct cadre_farm *farm);
bool cadre_farm_is_busy(const struct cadre_farm *farm);

/* Tasks that wait to be sent; that have not begun, sent or not; teams at work.
 */
uint64_t cadre_farm_waiting(const struct cadre_farm *farm);
uint64_t cadre_farm_pending(const struct cadre_farm *farm);
int cadre_farm_teams(const struct cadre_farm *farm);
int cadre_farm_wanted(const struct cadre_farm *farm); /* teams, lost ones too */
const struct cadre_farm_options *
cadre_farm_options_of(const struct cadre_farm *farm);
bool cadre_farm_has_store(const struct cadre_farm *farm);
struct cadre_engine *cadre_farm_engine(const struct cadre_farm *farm);

/* Tell worker `peer` of `crew` what function `f` is, if it does not know. */
cadre_err cadre_farm_introduce(struct cadre_crew *crew, int peer,
                               const struct cadre_function *f);

/* For cadre_engine_create(). */
void cadre_farms_check(struct cadre_engine *engine, uint64_t now_ns);

#endif
