/* sched_terms.h - what few jobs have beyond the ordinary: they wait for others
 * to end, their tasks may be tried again, or one team is to run them.
 *
 *     held job --RELEASE x holds--> the queue
 *     task fails --> delayed, by when it is due --> the queue
 *
 * A job without holds, retries and seat has no record here, a task that never
 * failed none either.
 */
#ifndef CADRE_RUNTIME_SCHED_TERMS_H
#define CADRE_RUNTIME_SCHED_TERMS_H

#include "sched.h"
#include "sched_heap.h"
#include "sched_slots.h"

struct cadre_terms {
    struct cadre_slot slot; /* id: the job's; tag: its slot; list: held ones */
    uint64_t wait_ns;       /* before the second attempt */
    uint32_t holds;         /* RELEASEs that are still to come */
    uint32_t retries;
    uint32_t retry_on;
    uint32_t seat;             /* of the team that is to run it; 0: any */
    uint32_t tried;            /* its tasks that have a record */
    struct cadre_list delayed; /* of these: they wait for their time */
};

/* A task that failed before. */
struct cadre_attempt {
    struct cadre_slot slot; /* id: slot of the job << 32 | task; tag: slot of
                               the terms; list: the delayed ones of its job */
    uint64_t made;          /* attempts */
};

struct cadre_terms_set {
    struct cadre_slots jobs;     /* struct cadre_terms */
    struct cadre_slots attempts; /* struct cadre_attempt */
    struct cadre_list held;      /* terms of jobs that wait for others */
    struct cadre_heap due;       /* attempts by their time */
};

void cadre_terms_init(struct cadre_terms_set *set);
void cadre_terms_fini(struct cadre_terms_set *set);

/* The terms of the job called `job`; NULL: it has none. */
struct cadre_terms *cadre_terms_find(const struct cadre_terms_set *set,
                                     cadre_job_id job);
struct cadre_terms *cadre_terms_at(const struct cadre_terms_set *set,
                                   uint32_t slot);

/* Terms of a new job in `job_slot`; cadre_slots_reserve(&set->jobs) first. */
void cadre_terms_add(struct cadre_terms_set *set,
                     const struct cadre_ev_submit *submit, uint32_t job_slot);
void cadre_terms_remove(struct cadre_terms_set *set, struct cadre_terms *terms);

/* The job waits for nothing any more. */
void cadre_terms_unhold(struct cadre_terms_set *set, struct cadre_terms *terms);

/* Is a task of the job to run again that was tried `made` times and failed with
 * `err`? */
bool cadre_terms_allow(const struct cadre_terms *terms, uint64_t made,
                       cadre_err err);

/* How often the task was tried and failed. */
uint64_t cadre_attempts_made(const struct cadre_terms_set *set,
                             const struct cadre_terms *terms, uint64_t task);

/* Make sure that the next `count` delays succeed: CADRE_ENOMEM. */
cadre_err cadre_attempts_reserve(struct cadre_terms_set *set, uint64_t count);

/* The task has failed once more, and waits for its time; returns how often it
 * was tried. */
uint64_t cadre_attempt_delay(struct cadre_terms_set *set,
                             struct cadre_terms *terms, uint64_t task,
                             uint64_t now_ns);

/* When the first of the delayed tasks is due; UINT64_MAX: there is none. Of
 * which job it is, and which; it waits for its time no more. */
uint64_t cadre_attempts_due_ns(const struct cadre_terms_set *set);
struct cadre_terms *cadre_attempt_take(struct cadre_terms_set *set,
                                       uint64_t *task);

/* The job of the first delayed task; NULL: there is none. */
struct cadre_terms *cadre_attempts_first(const struct cadre_terms_set *set);

/* Take any delayed task of the job; false: there is none. */
bool cadre_attempt_withdraw(struct cadre_terms_set *set,
                            struct cadre_terms *terms, uint64_t *task);

/* The task has ended for good. */
void cadre_attempt_end(struct cadre_terms_set *set, struct cadre_terms *terms,
                       uint64_t task);

#endif
