/* sched_queue.c - the queue of jobs, the ranges that came back, the estimates.
 *
 * An estimate is a moving mean: new tasks weigh as many as they are against the
 * last MEMORY ones, and at least a quarter, so that a slow first call (a
 * library is loaded, caches are cold) is soon forgotten.
 */
#include "sched_queue.h"

#include <assert.h>

#define CHUNK_MAX ((UINT32_C(1) << 29) - 1)
#define MEMORY 64 /* tasks */
#define ESTIMATE_MAX                                                           \
    1125899906842624.0 /* 2^50 ns: two weeks; sums stay small */

static struct cadre_range *range_at(const struct cadre_queue *queue,
                                    uint32_t range)
{
    return cadre_slots_at(&queue->ranges, range);
}

/* After a change of how many wait or how long they take. */
static void revalue(struct cadre_queue *queue, struct cadre_kind *kind)
{
    uint64_t worth_ns = cadre_kind_estimate(kind, kind->waiting);

    queue->worth_ns += worth_ns - kind->worth_ns;
    kind->worth_ns = worth_ns;
}

static void add_waiting(struct cadre_queue *queue, const struct cadre_job *job,
                        uint64_t count)
{
    struct cadre_kind *kind = cadre_queue_kind(queue, job);

    queue->waiting += count;
    kind->waiting += count;
    revalue(queue, kind);
}

static void sub_waiting(struct cadre_queue *queue, const struct cadre_job *job,
                        uint64_t count)
{
    struct cadre_kind *kind = cadre_queue_kind(queue, job);

    assert(kind->waiting >= count);
    queue->waiting -= count;
    kind->waiting -= count;
    revalue(queue, kind);
}

void cadre_queue_fini(struct cadre_queue *queue)
{
    cadre_slots_fini(&queue->jobs);
    cadre_slots_fini(&queue->kinds);
    cadre_slots_fini(&queue->ranges);
    cadre_terms_fini(&queue->terms);
}

void cadre_queue_init(struct cadre_queue *queue)
{
    *queue = (struct cadre_queue){.waiting = 0};
    cadre_slots_init(&queue->jobs, sizeof(struct cadre_job));
    cadre_slots_init(&queue->kinds, sizeof(struct cadre_kind));
    cadre_slots_init(&queue->ranges, sizeof(struct cadre_range));
    cadre_list_init(&queue->unsent);
    cadre_list_init(&queue->returned);
    cadre_terms_init(&queue->terms);
}

static bool has_terms(const struct cadre_ev_submit *submit)
{
    return submit->holds > 0 || submit->retries > 0 || submit->seat > 0;
}

struct cadre_terms *cadre_queue_terms(const struct cadre_queue *queue,
                                      const struct cadre_job *job)
{
    return job->has_terms ? cadre_terms_find(&queue->terms, job->slot.id)
                          : NULL;
}

cadre_err cadre_queue_reserve(struct cadre_queue *queue,
                              const struct cadre_ev_submit *submit)
{
    cadre_err err = cadre_slots_reserve(&queue->jobs);

    if (err == CADRE_OK)
        err = cadre_slots_reserve(&queue->kinds);
    if (err == CADRE_OK && has_terms(submit))
        err = cadre_slots_reserve(&queue->terms.jobs);
    return err;
}

/* What the job has waits from now on, after all others. */
static void enqueue(struct cadre_queue *queue, uint32_t slot)
{
    const struct cadre_job *job = cadre_queue_job(queue, slot);

    cadre_list_append(&queue->jobs, &queue->unsent, slot);
    add_waiting(queue, job, job->count);
}

void cadre_queue_push(struct cadre_queue *queue,
                      const struct cadre_ev_submit *submit)
{
    uint32_t kind = cadre_slots_find(&queue->kinds, submit->kind);
    uint32_t slot = cadre_slots_add(&queue->jobs, submit->job);
    struct cadre_job *job = cadre_queue_job(queue, slot);

    if (kind == CADRE_NO_SLOT)
        kind = cadre_slots_add(&queue->kinds, submit->kind);
    job->slot.tag = kind;
    job->count = submit->count;
    job->chunk =
        (uint32_t)(submit->chunk < CHUNK_MAX ? submit->chunk : CHUNK_MAX) &
        CHUNK_MAX;
    job->has_totals = submit->bytes != NULL;
    if (job->has_totals)
        job->bytes.totals = submit->bytes;
    else
        job->bytes.each = submit->bytes_per_task;
    job->returned = CADRE_NO_SLOT;
    job->has_terms = has_terms(submit);
    if (job->has_terms)
        cadre_terms_add(&queue->terms, submit, slot);
    if (submit->holds > 0)
        queue->aside += job->count;
    else
        enqueue(queue, slot);
}

void cadre_queue_release(struct cadre_queue *queue,
                         const struct cadre_ev_release *release)
{
    struct cadre_terms *terms = cadre_terms_find(&queue->terms, release->job);
    uint32_t slot = terms->slot.tag;
    struct cadre_job *job = cadre_queue_job(queue, slot);

    if (release->bytes_per_task > 0 && !job->has_totals)
        job->bytes.each = release->bytes_per_task;
    if (--terms->holds > 0)
        return;
    cadre_terms_unhold(&queue->terms, terms);
    queue->aside -= job->count;
    enqueue(queue, slot);
    if (terms->retries == 0 && terms->seat == 0) {
        cadre_terms_remove(&queue->terms, terms);
        job->has_terms = false;
    }
}

void cadre_queue_remove(struct cadre_queue *queue, uint32_t slot)
{
    const struct cadre_job *job = cadre_queue_job(queue, slot);

    if (job->has_terms)
        cadre_terms_remove(&queue->terms, cadre_queue_terms(queue, job));
    cadre_slots_remove(&queue->jobs, slot);
}

bool cadre_queue_peek(const struct cadre_queue *queue, struct cadre_run *run)
{
    if (queue->returned.first != CADRE_NO_SLOT) {
        struct cadre_range *range = range_at(queue, queue->returned.first);

        *run = (struct cadre_run){range->slot.tag, range->first, range->count};
        return true;
    }
    if (queue->unsent.first != CADRE_NO_SLOT) {
        struct cadre_job *job = cadre_queue_job(queue, queue->unsent.first);

        *run = (struct cadre_run){queue->unsent.first, job->next,
                                  job->count - job->next};
        return true;
    }
    return false;
}

/* Forget the first range of `job`; ranges of one job leave in the order in
 * which they came. */
static void drop_range(struct cadre_queue *queue, struct cadre_job *job)
{
    struct cadre_range *last = range_at(queue, job->returned);
    uint32_t slot = last->next;

    if (slot == job->returned)
        job->returned = CADRE_NO_SLOT;
    else
        last->next = range_at(queue, slot)->next;
    cadre_list_remove(&queue->ranges, &queue->returned, slot);
    cadre_slots_remove(&queue->ranges, slot);
}

static void take_range(struct cadre_queue *queue, uint64_t count)
{
    struct cadre_range *range = range_at(queue, queue->returned.first);
    struct cadre_job *job = cadre_queue_job(queue, range->slot.tag);

    assert(count <= range->count);
    sub_waiting(queue, job, count);
    range->first += count;
    range->count -= (uint32_t)count;
    if (range->count == 0)
        drop_range(queue, job);
}

void cadre_queue_take(struct cadre_queue *queue, uint64_t count)
{
    uint32_t slot = queue->unsent.first;
    struct cadre_job *job;

    if (queue->returned.first != CADRE_NO_SLOT) {
        take_range(queue, count);
        return;
    }
    job = cadre_queue_job(queue, slot);
    assert(count <= job->count - job->next);
    sub_waiting(queue, job, count);
    job->next += count;
    if (job->next == job->count)
        cadre_list_remove(&queue->jobs, &queue->unsent, slot);
}

void cadre_queue_give_back(struct cadre_queue *queue, uint32_t slot,
                           uint64_t first, uint32_t count)
{
    struct cadre_job *job = cadre_queue_job(queue, slot);
    uint32_t at = cadre_slots_add(&queue->ranges, ++queue->returns);
    struct cadre_range *range = range_at(queue, at);

    range->slot.tag = slot;
    range->first = first;
    range->count = count;
    range->next = at;
    if (job->returned != CADRE_NO_SLOT) {
        range->next = range_at(queue, job->returned)->next;
        range_at(queue, job->returned)->next = at;
    }
    job->returned = at;
    cadre_list_append(&queue->ranges, &queue->returned, at);
    add_waiting(queue, job, count);
}

uint64_t cadre_queue_retry(struct cadre_queue *queue, uint32_t slot,
                           uint64_t task, uint64_t now_ns)
{
    const struct cadre_job *job = cadre_queue_job(queue, slot);

    queue->aside++;
    return cadre_attempt_delay(&queue->terms, cadre_queue_terms(queue, job),
                               task, now_ns);
}

void cadre_queue_hurry(struct cadre_queue *queue, uint32_t slot)
{
    const struct cadre_job *job = cadre_queue_job(queue, slot);
    uint64_t task;

    if (!cadre_attempt_withdraw(&queue->terms, cadre_queue_terms(queue, job),
                                &task))
        return;
    queue->aside--;
    cadre_queue_give_back(queue, slot, task, 1);
}

void cadre_queue_take_due(struct cadre_queue *queue, uint64_t now_ns)
{
    while (cadre_attempts_due_ns(&queue->terms) <= now_ns &&
           cadre_slots_reserve(&queue->ranges) == CADRE_OK) {
        const struct cadre_terms *terms;
        uint64_t task;

        terms = cadre_attempt_take(&queue->terms, &task);
        queue->aside--;
        cadre_queue_give_back(queue, terms->slot.tag, task, 1);
    }
}

bool cadre_queue_delayed(const struct cadre_queue *queue, uint32_t *slot)
{
    const struct cadre_terms *terms = cadre_attempts_first(&queue->terms);

    if (terms != NULL)
        *slot = terms->slot.tag;
    return terms != NULL;
}

/* Withdraw what of the job is not in the queue: all of it where it is held, a
 * task that waits for its time. */
static bool withdraw_aside(struct cadre_queue *queue, struct cadre_job *job,
                           struct cadre_run *run)
{
    struct cadre_terms *terms = cadre_queue_terms(queue, job);

    if (terms != NULL && terms->holds > 0) {
        cadre_terms_unhold(&queue->terms, terms);
        *run = (struct cadre_run){terms->slot.tag, 0, job->count};
        job->next = job->count;
    } else if (terms != NULL &&
               cadre_attempt_withdraw(&queue->terms, terms, &run->first)) {
        run->job = terms->slot.tag;
        run->count = 1;
    } else {
        return false;
    }
    queue->aside -= run->count;
    return true;
}

bool cadre_queue_withdraw(struct cadre_queue *queue, uint32_t slot,
                          struct cadre_run *run)
{
    struct cadre_job *job = cadre_queue_job(queue, slot);
    struct cadre_range *range;

    if (withdraw_aside(queue, job, run))
        return true;
    *run = (struct cadre_run){slot, job->next, job->count - job->next};
    if (job->returned != CADRE_NO_SLOT) {
        range = range_at(queue, range_at(queue, job->returned)->next);
        *run = (struct cadre_run){slot, range->first, range->count};
        drop_range(queue, job);
    } else if (run->count > 0) {
        job->next = job->count;
        cadre_list_remove(&queue->jobs, &queue->unsent, slot);
    }
    sub_waiting(queue, job, run->count);
    return run->count > 0;
}

size_t cadre_queue_runs(const struct cadre_queue *queue, uint32_t slot)
{
    const struct cadre_job *job = cadre_queue_job(queue, slot);
    const struct cadre_terms *terms = cadre_queue_terms(queue, job);
    size_t runs = job->next < job->count ? 1 : 0;
    uint32_t range = job->returned;

    if (terms != NULL)
        runs += cadre_list_length(&queue->terms.attempts, &terms->delayed);
    if (range == CADRE_NO_SLOT)
        return runs;
    do {
        runs++;
        range = range_at(queue, range)->next;
    } while (range != job->returned);
    return runs;
}

void cadre_queue_measured(struct cadre_queue *queue, struct cadre_kind *kind,
                          uint64_t count, uint64_t elapsed_ns)
{
    uint64_t memory = kind->measured < MEMORY ? kind->measured : MEMORY;
    double weight = (double)count / (double)(count + memory);
    double mean = (double)elapsed_ns / (double)count;

    if (weight < 0.25)
        weight = 0.25;
    kind->mean_ns += weight * (mean - kind->mean_ns);
    if (kind->mean_ns < 1) /* a clock that does not see it: 0 is 'unknown' */
        kind->mean_ns = 1;
    kind->measured += count;
    revalue(queue, kind);
}

uint64_t cadre_kind_estimate(const struct cadre_kind *kind, uint64_t count)
{
    double ns = kind->mean_ns * (double)count;

    return (uint64_t)(ns < ESTIMATE_MAX ? ns : ESTIMATE_MAX);
}

uint64_t cadre_job_bytes(const struct cadre_job *job, uint64_t first,
                         uint64_t count)
{
    if (job->has_totals)
        return job->bytes.totals[first + count] - job->bytes.totals[first];
    return job->bytes.each * count;
}

uint64_t cadre_job_fit(const struct cadre_job *job, uint64_t first,
                       uint64_t count, uint64_t room)
{
    uint64_t low = 0, high = count; /* `low` fit, `high` may */

    if (!job->has_totals) {
        uint64_t each = job->bytes.each;

        return each == 0 || room / each >= count ? count : room / each;
    }
    while (low < high) {
        uint64_t middle = high - (high - low) / 2;

        if (cadre_job_bytes(job, first, middle) <= room)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}
