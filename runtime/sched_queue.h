/* sched_queue.h - what waits to be sent, in order, and how long it takes.
 *
 *     returned ranges         jobs with tasks that were never sent
 *     [job 3: 8..11] ...  ->  job 7 ------> job 8 ------> job 9 ...
 *     ^ front                 ^ its first unsent task is next
 *
 * Beside it stand the jobs that wait for others, and tasks that wait for their
 * next attempt (sched_terms.h): they are in neither list.
 *
 * Every job that lives has a record here, waiting or not; a job whose tasks
 * have all been sent is in no list. A range is a run of tasks of one job that
 * came back unsent; the ranges of one job form a ring, so that cancelling the
 * job finds them.
 */
#ifndef CADRE_RUNTIME_SCHED_QUEUE_H
#define CADRE_RUNTIME_SCHED_QUEUE_H

#include "sched.h"
#include "sched_slots.h"
#include "sched_terms.h"

/* How long tasks of one function take. */
struct cadre_kind {
    struct cadre_slot slot;
    double mean_ns;    /* estimate for one task; 0: not measured yet */
    uint64_t measured; /* tasks that the estimate has seen */
    uint64_t longest;  /* tasks in the longest batch finished */
    uint64_t waiting;  /* tasks that wait to be sent */
    uint64_t worth_ns; /* their estimate together */
};

/* A single-task job that waits costs this record and up to 6 bytes of the
 * table that finds it: 70 bytes. A million of them is common. */
struct cadre_job {
    struct cadre_slot slot; /* tag: slot of its kind; list: the jobs' queue */
    uint64_t count;
    uint64_t next;  /* the first task that was never sent */
    uint64_t ended; /* tasks that were done or dropped */
    union {
        uint64_t each;
        const uint64_t *totals;
    } bytes;
    uint32_t returned; /* the last of its ranges, or CADRE_NO_SLOT */
    uint32_t chunk : 29;
    uint32_t has_terms : 1; /* see sched_terms.h */
    uint32_t has_totals : 1;
    uint32_t is_cancelled : 1;
};
_Static_assert(sizeof(struct cadre_job) + 6 <= 72,
               "a job that waits is to stay small");

/* Tasks that came back. */
struct cadre_range {
    struct cadre_slot slot; /* tag: slot of its job; list: all ranges */
    uint64_t first;
    uint32_t count;
    uint32_t next; /* in the ring of its job's ranges */
};

/* Tasks at the front of the queue. */
struct cadre_run {
    uint32_t job; /* slot */
    uint64_t first;
    uint64_t count;
};

struct cadre_queue {
    struct cadre_slots jobs;    /* struct cadre_job */
    struct cadre_slots kinds;   /* struct cadre_kind; kept to the end */
    struct cadre_slots ranges;  /* struct cadre_range */
    struct cadre_list unsent;   /* jobs with tasks that were never sent */
    struct cadre_list returned; /* ranges */
    struct cadre_terms_set terms;
    uint64_t returns; /* ranges ever: their ids */
    uint64_t waiting; /* tasks */
    uint64_t aside; /* tasks of held jobs, and those that wait for their time */
    uint64_t worth_ns; /* estimate for all that waits; unmeasured: 0 */
};

/* A job is named by the slot of its record throughout. */

void cadre_queue_init(struct cadre_queue *queue);
void cadre_queue_fini(struct cadre_queue *queue);

static inline struct cadre_job *cadre_queue_job(const struct cadre_queue *queue,
                                                uint32_t job)
{
    return cadre_slots_at(&queue->jobs, job);
}

static inline struct cadre_kind *
cadre_queue_kind(const struct cadre_queue *queue, const struct cadre_job *job)
{
    return cadre_slots_at(&queue->kinds, job->slot.tag);
}

/* The terms of `job`; NULL: it has none. */
struct cadre_terms *cadre_queue_terms(const struct cadre_queue *queue,
                                      const struct cadre_job *job);

/* Add a job at the end, or put it aside if it waits for others;
 * cadre_queue_reserve first (CADRE_ENOMEM: as before). */
cadre_err cadre_queue_reserve(struct cadre_queue *queue,
                              const struct cadre_ev_submit *submit);
void cadre_queue_push(struct cadre_queue *queue,
                      const struct cadre_ev_submit *submit);

/* One of the things that a held job waits for is there. */
void cadre_queue_release(struct cadre_queue *queue,
                         const struct cadre_ev_release *release);

/* Forget a job whose tasks have all ended. */
void cadre_queue_remove(struct cadre_queue *queue, uint32_t slot);

/* What is next; false when nothing waits. */
bool cadre_queue_peek(const struct cadre_queue *queue, struct cadre_run *run);

/* The first `count` tasks of what is next wait no more; `count` is at most what
 * peek said. */
void cadre_queue_take(struct cadre_queue *queue, uint64_t count);

/* Tasks that were taken wait again, before all that were never sent;
 * cadre_slots_reserve(&queue->ranges) first. */
void cadre_queue_give_back(struct cadre_queue *queue, uint32_t slot,
                           uint64_t first, uint32_t count);

/* Task `task`, which was taken and failed, is to be tried again: it waits for
 * its time. Returns how often it was tried; cadre_attempts_reserve first. */
uint64_t cadre_queue_retry(struct cadre_queue *queue, uint32_t slot,
                           uint64_t task, uint64_t now_ns);

/* The job's one task, which is to be tried again, does not wait for its time
 * but before all that was never sent; cadre_slots_reserve(&queue->ranges)
 * first. */
void cadre_queue_hurry(struct cadre_queue *queue, uint32_t slot);

/* Let the tasks whose time has come wait with the others; stops where memory is
 * short. */
void cadre_queue_take_due(struct cadre_queue *queue, uint64_t now_ns);

/* A job that has a task that waits for its time; false: there is none. */
bool cadre_queue_delayed(const struct cadre_queue *queue, uint32_t *slot);

/* Take from the middle what waits of a job, a run at a time; false when nothing
 * is left. */
bool cadre_queue_withdraw(struct cadre_queue *queue, uint32_t slot,
                          struct cadre_run *run);

/* How many runs cadre_queue_withdraw() will find. */
size_t cadre_queue_runs(const struct cadre_queue *queue, uint32_t slot);

/* `count` tasks of `kind` took `elapsed_ns` together. */
void cadre_queue_measured(struct cadre_queue *queue, struct cadre_kind *kind,
                          uint64_t count, uint64_t elapsed_ns);

/* How long `count` tasks take, 2^50 ns at most; 0: not measured yet. */
uint64_t cadre_kind_estimate(const struct cadre_kind *kind, uint64_t count);

/* Bytes of tasks [first, first + count) of `job`. */
uint64_t cadre_job_bytes(const struct cadre_job *job, uint64_t first,
                         uint64_t count);

/* How many of the `count` tasks from `first` weigh at most `room` bytes. */
uint64_t cadre_job_fit(const struct cadre_job *job, uint64_t first,
                       uint64_t count, uint64_t room);

#endif
