/* sched.h - which task runs where and when, as a pure function of events.
 *
 * An event goes in, actions come out. Here is no MPI, no clock, no thread and
 * no file: time is a number in the event. So a test plays a thousand teams and
 * their deaths in a second.
 *
 * Words: a *job* is a number of tasks of one function, numbered from 0, handed
 * over together (a map of a million rows, or a single task). A *team* runs one
 * task at a time. A *batch* is a run of consecutive tasks of one job sent to a
 * team together.
 *
 * Policy, all of it here:
 *
 * - First in, first out: a task of a later job is sent only when every task of
 *   the earlier jobs has been sent; within a job in ascending order. Tasks that
 *   come back unsent go before all others, in the order in which they came.
 * - Balance: an idle team is served before one that has work; of several idle
 *   teams the one that worked last (its caches are warm).
 * - Batches: nobody chooses a chunk size. A batch holds as many tasks as keep a
 *   team busy for `batch_ns`, judged by the measured times of tasks of the same
 *   kind; a kind not measured yet starts with one task per batch, and a batch
 *   grows by at most a factor of 16 over the longest one finished. Towards the
 *   end it shrinks: never more than a fair part of the work that waits (half of
 *   it divided by the teams), so that nobody waits for the last one, and never
 *   less than `min_batch_ns` of work. A job may fix its chunk instead.
 * - Send-ahead: a team has further batches waiting while it works, as long as
 *   what it holds is worth less than `ahead_ns`, towards the end less than its
 *   fair part: tasks that are long, or of unmeasured length, are not sent
 *   ahead, so that none waits behind another while a team is idle elsewhere.
 *   Nothing is sent ahead to a team that is late; none gets more than 16 times
 *   as many tasks as were measured so far, nor more than 4096 batches.
 *   Single-task jobs go out as one SEND each, many in one step.
 * - Bounded bytes: what a team holds weighs at most `inflight_bytes`, except
 *   that one task is always allowed. A batch of more than one task weighs at
 *   most half of that, so that the next one can be on its way.
 * - A lost team's tasks that it had not begun wait again, as if they had not
 *   been sent. Those that it had begun are dropped, unless they may be tried
 *   again; so are all it held where nobody knows what it had begun. Nobody is
 *   left to run the others if it was the last team: they wait, and the caller
 *   decides.
 * - Retries: a task that failed in a way that its job retries, and has attempts
 *   left, runs again, alone in its batch, not before its back-off has passed
 *   (doubled with each further attempt); then it goes before all that was never
 *   sent. A task of a cancelled job is not tried again.
 * - Holds: a job that waits for others is not queued before as many RELEASEs
 *   have come as it has holds. Its place in the queue is that of the last one.
 * - Seats: a team may have a seat, which another takes when it is lost. A job
 *   for one seat goes to the team that has it, busy or not, when it is the next
 *   in the queue: behind all that went there before it, before all that comes
 *   later. While the seat is empty it waits, and what is behind it with it;
 *   where the seat is closed it is dropped.
 */
#ifndef CADRE_RUNTIME_SCHED_H
#define CADRE_RUNTIME_SCHED_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t cadre_job_id;  /* unique within one scheduler, never 0 */
typedef uint32_t cadre_team_id; /* likewise */

/* Zero means the default. */
struct cadre_sched_options {
    uint64_t batch_ns;       /* 5 ms */
    uint64_t min_batch_ns;   /* 50 us */
    uint64_t ahead_ns;       /* 10 ms */
    uint64_t inflight_bytes; /* 16 MiB per team */
};

enum cadre_event_type {
    CADRE_EV_SUBMIT = 1,  /* a job has come */
    CADRE_EV_TEAM_READY,  /* a team has come, idle */
    CADRE_EV_RESULTS,     /* a team has finished some tasks */
    CADRE_EV_TEAM_LOST,   /* a team is gone with all it held */
    CADRE_EV_TEAM_RETIRE, /* a team gets no more tasks and leaves when idle */
    CADRE_EV_CANCEL,      /* a job's tasks that were not sent are not to run */
    CADRE_EV_TICK,        /* time has passed; nothing else happened */
    CADRE_EV_UNSENT, /* a SEND could not be done; its tasks are to wait again */
    CADRE_EV_RELEASE, /* one of the things that a job waits for is there */
    CADRE_EV_SEAT     /* a seat is closed, or open again */
};

struct cadre_ev_submit {
    cadre_job_id job;
    uint64_t count; /* tasks, 1 to 2^48 */
    uint64_t chunk; /* tasks in a batch; 0: adaptive */
    uint32_t kind;  /* jobs of one kind (one function) take alike long */
    uint64_t bytes_per_task; /* up to 2^48 */
    const uint64_t *bytes; /* or, where tasks differ, count + 1 running totals;
                              lent until the job's last action */
    uint32_t holds;        /* RELEASEs that must come first */
    uint32_t retries;      /* each task may be tried again so many times; such a
                              job has at most 2^32 tasks */
    uint32_t retry_on;     /* for these failures: bits 1 << cadre_err */
    uint64_t retry_wait_ns; /* the first back-off, up to 2^50 */
    uint32_t seat;          /* of the team that is to run it; such a job has one
                               task. 0: any team */
};

/* A task that has run and failed. */
struct cadre_failed_task {
    uint64_t task;
    cadre_err err;
};

/* Tasks [first, first + count) of one job: a batch, or a part of one. The
 * batches of a team end in the order in which they were sent, the parts of a
 * batch in ascending order. */
struct cadre_ev_results {
    cadre_team_id team;
    cadre_job_id job;
    uint64_t first;
    uint64_t count;
    uint64_t elapsed_ns; /* the team worked on them this long */
    const struct cadre_failed_task *failed; /* those of them that failed, in
                                               ascending order */
    uint64_t nfailed;
};

/* The tasks of a team in the order in which they were sent: the first `begun`
 * of them had been begun, and may have ended without a word. */
struct cadre_ev_lost {
    cadre_team_id team;
    bool is_known;  /* `begun` is; else any of them may have been begun */
    uint64_t begun; /* tasks */
    cadre_err err;  /* how the last one begun failed, or, if nobody knows which
                       that is, those of the first batch (the others:
                       CADRE_ELOST); 0: CADRE_ELOST */
};

/* No team will take the (empty) seat; or one may after all. TEAM_READY opens
 * it, too. */
struct cadre_ev_seat {
    uint32_t seat;
    bool is_closed;
};

struct cadre_ev_release {
    cadre_job_id job;
    uint64_t bytes_per_task; /* if known only now; 0: as submitted */
};

/* One SEND action as a whole, and nothing of it has run. The tasks go back to
 * the front (if their job is cancelled they are dropped). This step sends
 * nothing, so that a broken team does not get the same tasks again and again;
 * the next event of another type does, be it a TICK. */
struct cadre_ev_unsent {
    cadre_team_id team;
    cadre_job_id job;
    uint64_t first;
    uint64_t count;
};

struct cadre_event {
    enum cadre_event_type type;
    uint32_t seat;   /* TEAM_READY: that the team takes, from 1; 0: none */
    uint64_t now_ns; /* a time before the last event's counts as that one */
    union {
        struct cadre_ev_submit submit;
        struct cadre_ev_results results;
        struct cadre_ev_unsent unsent;
        struct cadre_ev_lost lost;
        struct cadre_ev_release release;
        struct cadre_ev_seat of_seat; /* SEAT */
        cadre_team_id team;           /* TEAM_READY, TEAM_RETIRE */
        cadre_job_id job; /* CANCEL; 0: every job (this one event may be taken
                             in part where memory is short) */
    };
};

enum cadre_action_type {
    CADRE_ACT_SEND =
        1,           /* send tasks [first, first + count) of `job` to `team` */
    CADRE_ACT_DROP,  /* these tasks will not run (again): they were on a lost
                        team (`err`: CADRE_ELOST, or what TEAM_LOST said), or
                        for a closed seat (no team, CADRE_ELOST), or cancelled
                        (CADRE_ECANCELLED) */
    CADRE_ACT_AGAIN, /* these tasks, which were sent, wait again: they failed
                        and are tried once more (that is not their end), or
                        their team was lost before it began with them */
    CADRE_ACT_JOB_DONE, /* every task of `job` has ended */
    CADRE_ACT_TEAM_OUT  /* a retired team holds nothing any more; its id is
                           forgotten (a lost team is, without this) */
};

/* Fields that a type does not speak of are zero. */
struct cadre_action {
    enum cadre_action_type type;
    cadre_err err; /* DROP */
    cadre_team_id
        team;         /* SEND, AGAIN, TEAM_OUT; DROP of tasks that were sent */
    uint32_t attempt; /* SEND: this is their first, second, ... (from 1); AGAIN:
                         likewise, the one to come */
    cadre_job_id job;
    uint64_t first;
    uint64_t count;
};

struct cadre_actions {
    const struct cadre_action *list; /* lent until the next step */
    size_t count;
};

struct cadre_sched;

/* `*sched` is given. CADRE_ENOMEM. */
cadre_err cadre_sched_create(const struct cadre_sched_options *options,
                             struct cadre_sched **sched);
void cadre_sched_destroy(struct cadre_sched *sched);

/* Take one event; `*actions` are to be done in order.
 *
 * Asking twice is fine: to retire a retiring team or to cancel a cancelled job
 * changes nothing. A job is forgotten with its JOB_DONE, and its id with it.
 * AGAIN actions for tasks of one RESULTS are in ascending order.
 *
 * CADRE_ENOMEM  the event was not taken; the scheduler is as before. (Where
 *               memory is short for sending ahead only, that waits.)
 * CADRE_EINVAL  the event contradicts what the scheduler knows (an unknown or
 *               repeated id, results for tasks that the team does not hold); it
 *               was not taken. This is how a worker that lies is found out.
 */
cadre_err cadre_sched_step(struct cadre_sched *sched,
                           const struct cadre_event *event,
                           struct cadre_actions *actions);

/* Tasks that were submitted and not sent (held ones and those that wait for
 * their next attempt, too); sent and not finished; teams, retiring ones too. */
uint64_t cadre_sched_waiting(const struct cadre_sched *sched);
uint64_t cadre_sched_running(const struct cadre_sched *sched);
uint32_t cadre_sched_teams(const struct cadre_sched *sched);

/* Teams with tasks of which it is known how long they take. */
uint32_t cadre_sched_busy(const struct cadre_sched *sched);

/* When the next results may be expected, on the events' clock; UINT64_MAX when
 * nothing runs or nothing is known of what runs; a time that has passed when
 * they are late. Whoever waits may sleep until shortly before. */
uint64_t cadre_sched_next_results_ns(const struct cadre_sched *sched);

/* Could a task be sent if a team were idle? `*task_ns` is how long one like it
 * takes, 0: not known. */
bool cadre_sched_is_ready(const struct cadre_sched *sched, uint64_t *task_ns);

/* When the next task that failed is to be tried again: an event from then on,
 * be it a TICK, lets it go. UINT64_MAX: none waits for its time. */
uint64_t cadre_sched_next_retry_ns(const struct cadre_sched *sched);

#endif
