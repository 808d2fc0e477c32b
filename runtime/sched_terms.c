/* sched_terms.c - jobs that wait for others, tasks that wait for another try.
 */
#include "sched_terms.h"

enum {
    DOUBLINGS_MAX = 30 /* of a back-off */
};

#define WAIT_MAX (UINT64_C(1) << 50) /* ns: two weeks */

struct cadre_terms *cadre_terms_at(const struct cadre_terms_set *set,
                                   uint32_t slot)
{
    return cadre_slots_at(&set->jobs, slot);
}

static struct cadre_attempt *attempt_at(const struct cadre_terms_set *set,
                                        uint32_t slot)
{
    return cadre_slots_at(&set->attempts, slot);
}

static uint64_t task_of(const struct cadre_attempt *attempt)
{
    return attempt->slot.id & UINT32_MAX;
}

static uint64_t attempt_id(const struct cadre_terms *terms, uint64_t task)
{
    return (uint64_t)terms->slot.tag << 32 | task;
}

void cadre_terms_fini(struct cadre_terms_set *set)
{
    cadre_slots_fini(&set->jobs);
    cadre_slots_fini(&set->attempts);
    cadre_heap_fini(&set->due);
}

void cadre_terms_init(struct cadre_terms_set *set)
{
    cadre_slots_init(&set->jobs, sizeof(struct cadre_terms));
    cadre_slots_init(&set->attempts, sizeof(struct cadre_attempt));
    cadre_list_init(&set->held);
    set->due = (struct cadre_heap){.count = 0};
}

struct cadre_terms *cadre_terms_find(const struct cadre_terms_set *set,
                                     cadre_job_id job)
{
    uint32_t slot = cadre_slots_find(&set->jobs, job);

    return slot == CADRE_NO_SLOT ? NULL : cadre_terms_at(set, slot);
}

void cadre_terms_add(struct cadre_terms_set *set,
                     const struct cadre_ev_submit *submit, uint32_t job_slot)
{
    uint32_t slot = cadre_slots_add(&set->jobs, submit->job);
    struct cadre_terms *terms = cadre_terms_at(set, slot);

    terms->slot.tag = job_slot;
    terms->wait_ns = submit->retry_wait_ns;
    terms->holds = submit->holds;
    terms->retries = submit->retries;
    terms->retry_on = submit->retry_on;
    terms->seat = submit->seat;
    cadre_list_init(&terms->delayed);
    if (terms->holds > 0)
        cadre_list_append(&set->jobs, &set->held, slot);
}

void cadre_terms_remove(struct cadre_terms_set *set, struct cadre_terms *terms)
{
    cadre_slots_remove(&set->jobs,
                       cadre_slots_find(&set->jobs, terms->slot.id));
}

void cadre_terms_unhold(struct cadre_terms_set *set, struct cadre_terms *terms)
{
    terms->holds = 0;
    cadre_list_remove(&set->jobs, &set->held,
                      cadre_slots_find(&set->jobs, terms->slot.id));
}

bool cadre_terms_allow(const struct cadre_terms *terms, uint64_t made,
                       cadre_err err)
{
    return made <= terms->retries && (terms->retry_on >> err & 1) != 0;
}

uint64_t cadre_attempts_made(const struct cadre_terms_set *set,
                             const struct cadre_terms *terms, uint64_t task)
{
    uint32_t slot = CADRE_NO_SLOT;

    if (terms->tried > 0)
        slot = cadre_slots_find(&set->attempts, attempt_id(terms, task));
    return slot == CADRE_NO_SLOT ? 0 : attempt_at(set, slot)->made;
}

cadre_err cadre_attempts_reserve(struct cadre_terms_set *set, uint64_t count)
{
    cadre_err err;

    if (count == 0)
        return CADRE_OK;
    err = cadre_slots_reserve_many(&set->attempts, count);
    if (err == CADRE_OK)
        err =
            cadre_heap_reserve(&set->due, set->attempts.made + (uint32_t)count);
    return err;
}

/* When a task is due that has failed now for the `made`th time. */
static uint64_t due_ns(const struct cadre_terms *terms, uint64_t made,
                       uint64_t now_ns)
{
    uint64_t doublings = made - 1 < DOUBLINGS_MAX ? made - 1 : DOUBLINGS_MAX;

    if (terms->wait_ns > WAIT_MAX >> doublings)
        return now_ns + WAIT_MAX;
    return now_ns + (terms->wait_ns << doublings);
}

uint64_t cadre_attempt_delay(struct cadre_terms_set *set,
                             struct cadre_terms *terms, uint64_t task,
                             uint64_t now_ns)
{
    uint64_t id = attempt_id(terms, task);
    uint32_t slot = cadre_slots_find(&set->attempts, id);
    struct cadre_attempt *attempt;

    if (slot == CADRE_NO_SLOT) {
        slot = cadre_slots_add(&set->attempts, id);
        attempt_at(set, slot)->slot.tag =
            cadre_slots_find(&set->jobs, terms->slot.id);
        terms->tried++;
    }
    attempt = attempt_at(set, slot);
    attempt->made++;
    cadre_list_append(&set->attempts, &terms->delayed, slot);
    cadre_heap_put(&set->due, slot, due_ns(terms, attempt->made, now_ns));
    return attempt->made;
}

uint64_t cadre_attempts_due_ns(const struct cadre_terms_set *set)
{
    const struct cadre_heap_entry *first = cadre_heap_first(&set->due);

    return first != NULL ? first->key : UINT64_MAX;
}

struct cadre_terms *cadre_attempts_first(const struct cadre_terms_set *set)
{
    const struct cadre_heap_entry *first = cadre_heap_first(&set->due);

    if (first == NULL)
        return NULL;
    return cadre_terms_at(set, attempt_at(set, first->slot)->slot.tag);
}

/* The task in `slot` does not wait for its time any more. */
static uint64_t undelay(struct cadre_terms_set *set, struct cadre_terms *terms,
                        uint32_t slot)
{
    cadre_list_remove(&set->attempts, &terms->delayed, slot);
    cadre_heap_remove(&set->due, slot);
    return task_of(attempt_at(set, slot));
}

struct cadre_terms *cadre_attempt_take(struct cadre_terms_set *set,
                                       uint64_t *task)
{
    uint32_t slot = cadre_heap_first(&set->due)->slot;
    struct cadre_terms *terms =
        cadre_terms_at(set, attempt_at(set, slot)->slot.tag);

    *task = undelay(set, terms, slot);
    return terms;
}

bool cadre_attempt_withdraw(struct cadre_terms_set *set,
                            struct cadre_terms *terms, uint64_t *task)
{
    if (terms->delayed.first == CADRE_NO_SLOT)
        return false;
    *task = undelay(set, terms, terms->delayed.first);
    return true;
}

void cadre_attempt_end(struct cadre_terms_set *set, struct cadre_terms *terms,
                       uint64_t task)
{
    uint32_t slot = CADRE_NO_SLOT;

    if (terms->tried > 0)
        slot = cadre_slots_find(&set->attempts, attempt_id(terms, task));
    if (slot == CADRE_NO_SLOT)
        return;
    cadre_slots_remove(&set->attempts, slot);
    terms->tried--;
}
