/* test_sched_sim.c - the scheduler against a simulated cluster.
 *
 *     test_sched_sim [SEEDS]     or CADRE_SIM_SEEDS; 3,000 if not given
 *
 * Each seed is a cluster of its own: teams that come, retire and die, jobs of
 * all sizes, some held until others are there, tasks of constant, random and
 * heavy-tailed length, some of which fail and are tried again, results in
 * parts, sends that fail, cancels, and workers that lie. A second, simple
 * record of what is where is kept beside the scheduler; after every step the
 * two must agree and the promises of sched.h must hold. A failure names its
 * seed. Other tests measure how well a cluster is used.
 *
 * The cluster: a batch reaches its team `latency_ns` after it was sent, the
 * team spends `overhead_ns` on opening it, works on a part of it, and the
 * results of the part arrive `latency_ns` after it ended. Nobody waits for
 * results but the controller.
 */
#include "check.h"
#include "sched.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US UINT64_C(1000)
#define MS (1000 * US)
#define SECOND (1000 * MS)

enum { KINDS = 5 };

enum task_state {
    WAITING, /* in the queue */
    HELD,    /* its job waits for others */
    DELAYED, /* it failed and waits for its time, or is in the queue again */
    SENT,
    ENDED
};

/* What the next actions must say of a task that was sent. */
enum fate {
    NO_FATE,
    FATE_RETRY,     /* AGAIN, as it failed */
    FATE_BACK,      /* AGAIN, as it never began */
    FATE_LOST,      /* DROP: CADRE_ELOST */
    FATE_ENDED,     /* DROP: what TEAM_LOST said */
    FATE_CANCELLED, /* DROP: CADRE_ECANCELLED */
};
enum shape { CONSTANT, RANDOM, HEAVY_TAILED, LAST_LONG };

struct kind {
    enum shape shape;
    double scale_ns;
};

struct job {
    uint64_t count;
    uint64_t chunk;
    uint64_t next; /* the first task that was never sent */
    uint64_t ended;
    uint64_t bytes_each;
    uint64_t *totals; /* or NULL */
    unsigned char *state;
    unsigned char *fate;
    unsigned char *made; /* attempts that failed */
    unsigned char *runs; /* times that it was sent for good */
    uint64_t *due_ns;
    uint32_t holds;
    uint32_t retries;
    uint32_t retry_on;
    uint64_t retry_wait_ns;
    uint32_t fails_per_1000;
    uint32_t kind;
    bool is_cancelled;
    bool is_done; /* JOB_DONE was seen */
};

struct batch {
    uint32_t job;
    uint64_t first;
    uint64_t count;
    uint64_t comes_ns; /* when the team has it */
    bool is_open;      /* the team has begun with it */
};

struct team {
    struct batch *held;
    size_t head; /* index of the first */
    size_t tail;
    size_t cap;
    uint64_t free_ns; /* the last part ended then */
    uint64_t part;    /* tasks whose results are on their way; 0: none */
    uint64_t part_ns;
    uint64_t tasks;
    uint64_t bytes;
    uint32_t life; /* raised with each death: events of before are void */
    bool lives;
    bool is_retiring;
};

/* The results of a team's part arrive. */
struct arrival {
    uint64_t at_ns;
    uint64_t order;
    uint32_t team;
    uint32_t life;
};

/* A task that waits for its time. */
struct delayed {
    uint32_t job;
    uint64_t task;
};

/* Tasks that came back and were never tried. */
struct returned {
    uint32_t job;
    uint64_t first;
    uint64_t count;
};

struct sim {
    struct cadre_sched *sched;
    uint64_t seed; /* named when something is wrong */
    uint64_t random;
    uint64_t now_ns;
    uint64_t inflight_bytes;
    uint64_t latency_ns;
    uint64_t overhead_ns;
    uint32_t unsent_per_1000; /* SENDs that fail */
    bool has_parts;

    struct kind kinds[KINDS];
    struct job *jobs; /* id: index + 1 */
    uint32_t job_count;
    uint32_t submitted; /* jobs */
    uint32_t *order;    /* jobs as they were queued */
    uint32_t queued;    /* jobs in it */
    uint32_t front;     /* the first of them that may have unsent tasks */
    uint32_t done;      /* jobs */
    uint32_t complete;  /* jobs all of whose tasks have ended */
    struct returned *returned;
    size_t returned_head, returned_tail, returned_cap;

    struct delayed *delayed;
    size_t delayed_count, delayed_cap;
    uint64_t next_due_ns; /* of the delayed */

    struct team *teams; /* id: index + 1 */
    uint32_t team_count;
    uint32_t living;   /* teams */
    uint32_t idle;     /* of them: hold nothing, not retiring */
    uint32_t retiring; /* of them */
    uint32_t finished; /* retiring ones that hold nothing */

    struct arrival *arrivals; /* binary heap */
    size_t arrival_count, arrival_cap;
    uint64_t arrivals_ever;

    uint64_t waiting; /* tasks, held and delayed ones too */
    uint64_t ready;   /* of them: in the queue, and never tried */
    uint64_t running;
    uint64_t fates;              /* tasks that have one */
    uint32_t lost;               /* the team that is being lost, + 1 */
    cadre_err lost_err;          /* of the task it was running */
    struct cadre_action *failed; /* SENDs of this step that could not be done */
    size_t failed_count, failed_cap;
    uint32_t *served; /* teams that got a SEND in this step */
    size_t served_count, served_cap;

    uint64_t events; /* in total */
    uint64_t sends;
};

static uint64_t seeds = 3000;
static uint64_t events_ever;

static void stop(const struct sim *sim, int line, const char *what)
{
    printf("\nseed %" PRIu64 ", event %" PRIu64 ", line %d: not true: %s\n",
           sim->seed, sim->events, line, what);
    CU_FAIL_FATAL("a promise was broken");
}

#define MUST(condition)                                                        \
    do {                                                                       \
        if (!(condition))                                                      \
            stop(sim, __LINE__, #condition);                                   \
    } while (0)

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* A random number below `bound`. */
static uint64_t below(struct sim *sim, uint64_t bound)
{
    sim->random += UINT64_C(0x9E3779B97F4A7C15);
    return mix(sim->random) % bound;
}

static uint64_t task_ns(const struct sim *sim, uint32_t job, uint64_t task)
{
    const struct job *j = &sim->jobs[job];
    const struct kind *kind = &sim->kinds[j->kind];
    uint64_t hash = mix(sim->seed * 1000003 + job * UINT64_C(7919) + task + 1);
    double u = (double)((hash >> 11) + 1) / 9007199254740993.0;

    switch (kind->shape) {
    case CONSTANT:
        break;
    case RANDOM:
        return (uint64_t)(2 * u * kind->scale_ns);
    case HEAVY_TAILED:
        return (uint64_t)(kind->scale_ns / (u < 1e-3 ? 1e-3 : u));
    case LAST_LONG:
        return (uint64_t)kind->scale_ns * (task + 8 >= j->count ? 100 : 1);
    }
    return (uint64_t)kind->scale_ns;
}

static uint64_t bytes_of(const struct job *job, uint64_t first, uint64_t count)
{
    if (job->totals != NULL)
        return job->totals[first + count] - job->totals[first];
    return job->bytes_each * count;
}

/* Room for one more item of `size` bytes in an array. */
static void *grown(void *array, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return array;
    *cap = *cap == 0 ? 16 : 2 * *cap;
    array = realloc(array, *cap * size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(array);
    return array;
}

/* The heap of arrivals. */

static bool is_sooner(struct arrival a, struct arrival b)
{
    return a.at_ns < b.at_ns || (a.at_ns == b.at_ns && a.order < b.order);
}

static void expect_arrival(struct sim *sim, uint64_t at_ns, uint32_t team)
{
    struct arrival new = {at_ns, sim->arrivals_ever++, team,
                          sim->teams[team].life};
    size_t i = sim->arrival_count;

    sim->arrivals =
        grown(sim->arrivals, &sim->arrival_cap, i, sizeof *sim->arrivals);
    sim->arrival_count++;
    for (; i > 0 && is_sooner(new, sim->arrivals[(i - 1) / 2]); i = (i - 1) / 2)
        sim->arrivals[i] = sim->arrivals[(i - 1) / 2];
    sim->arrivals[i] = new;
}

static struct arrival next_arrival(struct sim *sim)
{
    struct arrival *heap = sim->arrivals, first = heap[0];
    struct arrival last = heap[--sim->arrival_count];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < sim->arrival_count) {
        if (child + 1 < sim->arrival_count &&
            is_sooner(heap[child + 1], heap[child]))
            child++;
        if (!is_sooner(heap[child], last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return first;
}

/* The record of what is where. */

static bool waits(enum task_state state)
{
    return state == WAITING || state == HELD || state == DELAYED;
}

static void mark(struct sim *sim, uint32_t job, uint64_t first, uint64_t count,
                 enum task_state from, enum task_state to)
{
    struct job *j = &sim->jobs[job];

    MUST(first + count <= j->count);
    for (uint64_t task = first; task < first + count; task++) {
        MUST(j->state[task] == from);
        j->state[task] = (unsigned char)to;
    }
    sim->waiting += (waits(to) ? count : 0) - (waits(from) ? count : 0);
    sim->ready += (to == WAITING ? count : 0) - (from == WAITING ? count : 0);
    sim->running += (to == SENT ? count : 0) - (from == SENT ? count : 0);
    j->ended += to == ENDED ? count : 0;
    sim->complete += to == ENDED && j->ended == j->count;
}

/* A task that was sent waits until `due_ns`. */
static void delay(struct sim *sim, uint32_t job, uint64_t task, uint64_t due_ns)
{
    mark(sim, job, task, 1, SENT, DELAYED);
    sim->jobs[job].due_ns[task] = due_ns;
    sim->delayed = grown(sim->delayed, &sim->delayed_cap, sim->delayed_count,
                         sizeof *sim->delayed);
    sim->delayed[sim->delayed_count++] = (struct delayed){job, task};
    if (due_ns < sim->next_due_ns)
        sim->next_due_ns = due_ns;
}

static void undelay(struct sim *sim, uint32_t job, uint64_t task,
                    enum task_state to)
{
    size_t i = 0;

    mark(sim, job, task, 1, DELAYED, to);
    while (sim->delayed[i].job != job || sim->delayed[i].task != task)
        i++;
    sim->delayed[i] = sim->delayed[--sim->delayed_count];
    if (sim->jobs[job].due_ns[task] > sim->next_due_ns)
        return;
    sim->next_due_ns = UINT64_MAX;
    for (i = 0; i < sim->delayed_count; i++) {
        struct delayed *d = &sim->delayed[i];
        uint64_t due_ns = sim->jobs[d->job].due_ns[d->task];

        if (due_ns < sim->next_due_ns)
            sim->next_due_ns = due_ns;
    }
}

static void doom(struct sim *sim, uint32_t job, uint64_t task, enum fate fate)
{
    MUST(sim->jobs[job].fate[task] == NO_FATE);
    sim->jobs[job].fate[task] = (unsigned char)fate;
    sim->fates++;
}

static void meet_fate(struct sim *sim, uint32_t job, uint64_t task,
                      enum fate fate)
{
    MUST(sim->jobs[job].fate[task] == (unsigned char)fate);
    sim->jobs[job].fate[task] = NO_FATE;
    sim->fates--;
}

/* Must the task, which failed with `err`, be tried again? */
static bool is_retried(const struct sim *sim, uint32_t job, uint64_t task,
                       cadre_err err)
{
    const struct job *j = &sim->jobs[job];

    return !j->is_cancelled && j->made[task] < j->retries &&
           (j->retry_on >> err & 1) != 0;
}

static void come_back(struct sim *sim, uint32_t job, uint64_t first,
                      uint64_t count)
{
    for (uint64_t task = first; task < first + count; task++)
        sim->jobs[job].runs[task]--;
    if (sim->jobs[job].made[first] > 0) { /* it travelled alone */
        MUST(count == 1);
        delay(sim, job, first, sim->now_ns);
        return;
    }
    mark(sim, job, first, count, SENT, WAITING);
    sim->returned = grown(sim->returned, &sim->returned_cap, sim->returned_tail,
                          sizeof *sim->returned);
    sim->returned[sim->returned_tail++] = (struct returned){job, first, count};
}

static void load(struct sim *sim, uint32_t team, struct batch batch)
{
    struct team *t = &sim->teams[team];

    if (t->tasks == 0 && !t->is_retiring)
        sim->idle--;
    t->held = grown(t->held, &t->cap, t->tail, sizeof *t->held);
    t->held[t->tail++] = batch;
    t->tasks += batch.count;
    t->bytes += bytes_of(&sim->jobs[batch.job], batch.first, batch.count);
}

/* `count` tasks of the job from `first` are not the team's any more. */
static void unload(struct sim *sim, uint32_t team, uint32_t job, uint64_t first,
                   uint64_t count)
{
    struct team *t = &sim->teams[team];

    t->tasks -= count;
    t->bytes -= bytes_of(&sim->jobs[job], first, count);
    if (t->tasks > 0)
        return;
    t->head = t->tail = 0;
    if (t->is_retiring)
        sim->finished++;
    else
        sim->idle++;
}

static void forget(struct sim *sim, uint32_t team)
{
    struct team *t = &sim->teams[team];

    sim->living--;
    sim->retiring -= t->is_retiring;
    sim->finished -= t->is_retiring && t->tasks == 0;
    sim->idle -= !t->is_retiring && t->tasks == 0;
    *t = (struct team){.held = t->held, .cap = t->cap, .life = t->life + 1};
}

/* Send-order: what came back goes first, then job after job. A task that failed
 * goes alone, when its time has come, before what was never sent. */
static void check_order(struct sim *sim, uint32_t job, uint64_t first,
                        uint64_t count)
{
    struct returned *r;
    struct job *j = &sim->jobs[job];

    if (j->made[first] > 0) {
        MUST(count == 1 && j->due_ns[first] <= sim->now_ns);
        undelay(sim, job, first, WAITING);
        return;
    }

    while (sim->returned_head < sim->returned_tail &&
           sim->returned[sim->returned_head].count == 0)
        sim->returned_head++;
    if (sim->returned_head < sim->returned_tail) {
        r = &sim->returned[sim->returned_head];
        MUST(r->job == job && r->first == first && r->count >= count);
        r->first += count;
        r->count -= count;
        return;
    }
    MUST(sim->next_due_ns > sim->now_ns);
    while (sim->jobs[sim->order[sim->front]].next ==
           sim->jobs[sim->order[sim->front]].count)
        sim->front++;
    MUST(job == sim->order[sim->front] && first == j->next);
    MUST(count <= j->count - j->next);
    j->next += count;
}

/* Let the team begin with the next part of what it holds. */
static void work(struct sim *sim, uint32_t team)
{
    struct team *t = &sim->teams[team];
    struct batch *batch = &t->held[t->head];

    if (!t->lives || t->part > 0 || t->head == t->tail)
        return;
    if (t->free_ns < batch->comes_ns)
        t->free_ns = batch->comes_ns;
    if (!batch->is_open)
        t->free_ns += sim->overhead_ns;
    batch->is_open = true;
    t->part = batch->count;
    if (sim->has_parts && below(sim, 2) == 0)
        t->part = 1 + below(sim, batch->count);
    t->part_ns = 0;
    for (uint64_t i = 0; i < t->part; i++)
        t->part_ns += task_ns(sim, batch->job, batch->first + i);
    t->free_ns += t->part_ns;
    expect_arrival(sim, t->free_ns + sim->latency_ns, team);
}

static void on_send(struct sim *sim, const struct cadre_action *a)
{
    uint32_t team = a->team - 1, job = (uint32_t)a->job - 1;
    const struct job *j = &sim->jobs[job];
    const struct team *t = &sim->teams[team];

    MUST(team < sim->team_count && job < sim->submitted && a->count > 0);
    MUST(t->lives && !t->is_retiring && !j->is_cancelled);
    MUST(j->chunk == 0 || a->count <= j->chunk);
    MUST(a->attempt == j->made[a->first] + 1U);
    check_order(sim, job, a->first, a->count);
    for (uint64_t task = a->first; task < a->first + a->count; task++)
        MUST(++j->runs[task] <= j->retries + 1);
    mark(sim, job, a->first, a->count, WAITING, SENT);
    load(sim, team,
         (struct batch){.job = job,
                        .first = a->first,
                        .count = a->count,
                        .comes_ns = sim->now_ns + sim->latency_ns});
    MUST(t->bytes <= sim->inflight_bytes || t->tasks == 1);
    sim->sends++;
    sim->served = grown(sim->served, &sim->served_cap, sim->served_count,
                        sizeof *sim->served);
    sim->served[sim->served_count++] = team;
    if (below(sim, 1000) >= sim->unsent_per_1000)
        return;
    sim->failed = grown(sim->failed, &sim->failed_cap, sim->failed_count,
                        sizeof *sim->failed);
    sim->failed[sim->failed_count++] = *a;
}

static void on_drop_lost(struct sim *sim, uint32_t job,
                         const struct cadre_action *a)
{
    enum fate fate = a->err == CADRE_ECANCELLED ? FATE_CANCELLED : FATE_LOST;

    MUST(sim->lost == a->team);
    MUST(a->err == CADRE_ELOST || a->err == CADRE_ECANCELLED ||
         a->err == sim->lost_err);
    if (a->err == CADRE_ETIMEOUT)
        fate = FATE_ENDED;
    for (uint64_t task = a->first; task < a->first + a->count; task++)
        meet_fate(sim, job, task, fate);
    mark(sim, job, a->first, a->count, SENT, ENDED);
    sim->teams[a->team - 1].tasks -= a->count;
}

static void on_drop(struct sim *sim, const struct cadre_action *a)
{
    uint32_t job = (uint32_t)a->job - 1;

    MUST(job < sim->submitted);
    if (sim->lost > 0) {
        on_drop_lost(sim, job, a);
        return;
    }
    MUST(a->err == CADRE_ECANCELLED && sim->jobs[job].is_cancelled);
    for (uint64_t task = a->first; task < a->first + a->count; task++) {
        enum task_state state = (enum task_state)sim->jobs[job].state[task];

        MUST(waits(state));
        if (state == DELAYED)
            undelay(sim, job, task, ENDED);
        else
            mark(sim, job, task, 1, state, ENDED);
    }
}

static void on_again(struct sim *sim, const struct cadre_action *a)
{
    uint32_t job = (uint32_t)a->job - 1;
    struct job *j = &sim->jobs[job];
    uint64_t wait_ns;

    MUST(job < sim->submitted && a->count > 0);
    MUST(sim->lost == 0 || sim->lost == a->team);
    if (sim->lost > 0)
        sim->teams[a->team - 1].tasks -= a->count;
    if (j->fate[a->first] == FATE_BACK) {
        MUST(a->attempt == j->made[a->first] + 1U);
        for (uint64_t task = a->first; task < a->first + a->count; task++)
            meet_fate(sim, job, task, FATE_BACK);
        come_back(sim, job, a->first, a->count);
        return;
    }
    meet_fate(sim, job, a->first, FATE_RETRY);
    wait_ns = j->retry_wait_ns << j->made[a->first]++;
    MUST(a->count == 1 && a->attempt == j->made[a->first] + 1U);
    delay(sim, job, a->first, sim->now_ns + wait_ns);
}

static void on_action(struct sim *sim, const struct cadre_action *a)
{
    switch (a->type) {
    case CADRE_ACT_SEND:
        on_send(sim, a);
        break;
    case CADRE_ACT_DROP:
        on_drop(sim, a);
        break;
    case CADRE_ACT_AGAIN:
        on_again(sim, a);
        break;
    case CADRE_ACT_JOB_DONE:
        MUST(a->job <= sim->submitted && !sim->jobs[a->job - 1].is_done);
        MUST(sim->jobs[a->job - 1].ended == sim->jobs[a->job - 1].count);
        sim->jobs[a->job - 1].is_done = true;
        sim->done++;
        break;
    case CADRE_ACT_TEAM_OUT:
        MUST(a->team <= sim->team_count && sim->teams[a->team - 1].lives);
        MUST(sim->teams[a->team - 1].is_retiring);
        MUST(sim->teams[a->team - 1].tasks == 0);
        forget(sim, a->team - 1);
        break;
    }
}

/* What must be true between any two events. */
static void check_all(struct sim *sim, enum cadre_event_type type)
{
    MUST(sim->waiting == cadre_sched_waiting(sim->sched));
    MUST(sim->running == cadre_sched_running(sim->sched));
    MUST(sim->living == cadre_sched_teams(sim->sched));
    MUST(sim->complete == sim->done);
    MUST(sim->finished == 0);
    MUST(sim->fates == 0);
    MUST(type == CADRE_EV_UNSENT || sim->idle == 0 ||
         (sim->ready == 0 && sim->next_due_ns > sim->now_ns));
    MUST(type == CADRE_EV_UNSENT ||
         cadre_sched_next_retry_ns(sim->sched) > sim->now_ns);
    MUST(cadre_sched_next_retry_ns(sim->sched) >= sim->next_due_ns);
    MUST(sim->running > 0 ||
         cadre_sched_next_results_ns(sim->sched) == UINT64_MAX);
}

static void step_once(struct sim *sim, struct cadre_event event)
{
    struct cadre_actions actions;

    event.now_ns = sim->now_ns;
    sim->events++;
    MUST(cadre_sched_step(sim->sched, &event, &actions) == CADRE_OK);
    for (size_t i = 0; i < actions.count; i++) {
        MUST(event.type != CADRE_EV_UNSENT ||
             actions.list[i].type != CADRE_ACT_SEND);
        on_action(sim, &actions.list[i]);
    }
    check_all(sim, event.type);
}

/* A SEND of the last step could not be done. */
static void give_back(struct sim *sim, struct cadre_action send)
{
    uint32_t team = send.team - 1, job = (uint32_t)send.job - 1;
    struct team *t = &sim->teams[team];
    size_t i = t->head;

    while (t->held[i].job != job || t->held[i].first != send.first)
        i++;
    memmove(&t->held[i], &t->held[i + 1], (t->tail - i - 1) * sizeof *t->held);
    t->tail--;
    unload(sim, team, job, send.first, send.count);
    come_back(sim, job, send.first, send.count);
    step_once(sim, (struct cadre_event){.type = CADRE_EV_UNSENT,
                                        .unsent = {.team = send.team,
                                                   .job = send.job,
                                                   .first = send.first,
                                                   .count = send.count}});
}

/* A step, and what must follow when sends fail: UNSENT for each, then a TICK.
 */
static void step(struct sim *sim, struct cadre_event event)
{
    size_t failed;

    step_once(sim, event);
    while ((failed = sim->failed_count) > 0) {
        for (size_t i = 0; i < failed; i++)
            give_back(sim, sim->failed[i]);
        sim->failed_count = 0;
        step_once(sim, (struct cadre_event){.type = CADRE_EV_TICK});
    }
    for (size_t i = 0; i < sim->served_count; i++)
        work(sim, sim->served[i]);
    sim->served_count = 0;
}

/* What happens to the cluster. */

static void submit(struct sim *sim)
{
    struct job *job = &sim->jobs[sim->submitted++];

    sim->waiting += job->count;
    if (job->holds > 0) {
        memset(job->state, HELD, job->count);
    } else {
        sim->ready += job->count;
        sim->order[sim->queued++] = sim->submitted - 1;
    }
    step(sim,
         (struct cadre_event){.type = CADRE_EV_SUBMIT,
                              .submit = {.job = sim->submitted,
                                         .count = job->count,
                                         .chunk = job->chunk,
                                         .kind = job->kind,
                                         .bytes_per_task = job->bytes_each,
                                         .bytes = job->totals,
                                         .holds = job->holds,
                                         .retries = job->retries,
                                         .retry_on = job->retry_on,
                                         .retry_wait_ns = job->retry_wait_ns}});
}

/* One of the things that a job waits for is there. */
static void release(struct sim *sim, uint32_t job)
{
    struct job *j = &sim->jobs[job];

    if (j->holds == 0)
        return;
    if (--j->holds == 0) {
        mark(sim, job, 0, j->count, HELD, WAITING);
        sim->order[sim->queued++] = job;
    }
    step(sim, (struct cadre_event){.type = CADRE_EV_RELEASE,
                                   .release = {.job = job + 1}});
}

static void add_team(struct sim *sim, uint32_t team)
{
    sim->teams[team].lives = true;
    sim->living++;
    sim->idle++;
    step(sim,
         (struct cadre_event){.type = CADRE_EV_TEAM_READY, .team = team + 1});
}

/* What is to become of the tasks of a lost team that had begun the first
 * `begun` of them. The last of these is the one that failed; where nobody knows
 * which that is, all of the first batch may be it. */
static void doom_all(struct sim *sim, const struct team *t, uint64_t begun,
                     bool is_known)
{
    uint64_t at = 0; /* tasks before this one */

    for (size_t i = t->head; i < t->tail; i++) {
        const struct batch *b = &t->held[i];

        for (uint64_t n = 0; n < b->count; n++, at++) {
            bool may_be_it = is_known ? at + 1 == begun : i == t->head;
            cadre_err err = may_be_it ? sim->lost_err : CADRE_ELOST;
            enum fate fate =
                may_be_it && err == CADRE_ETIMEOUT ? FATE_ENDED : FATE_LOST;

            if (at >= begun)
                fate =
                    sim->jobs[b->job].is_cancelled ? FATE_CANCELLED : FATE_BACK;
            else if (is_retried(sim, b->job, b->first + n, err))
                fate = FATE_RETRY;
            doom(sim, b->job, b->first + n, fate);
        }
    }
}

static void lose_team(struct sim *sim, uint32_t team)
{
    struct team *t = &sim->teams[team];
    uint64_t held = t->tasks;
    struct cadre_ev_lost lost = {.team = team + 1};

    sim->lost = team + 1;
    lost.is_known = below(sim, 3) > 0;
    lost.begun = lost.is_known ? below(sim, held + 1) : held;
    lost.err = below(sim, 2) == 0 ? CADRE_ETIMEOUT : CADRE_ELOST;
    sim->lost_err = lost.err;
    doom_all(sim, t, lost.begun, lost.is_known);
    sim->retiring -= t->is_retiring;
    if (held > 0 && t->is_retiring)
        t->is_retiring = false; /* none of the other counts has it */
    else if (held == 0)
        sim->idle--;
    t->lives = false;
    sim->living--;
    step(sim, (struct cadre_event){.type = CADRE_EV_TEAM_LOST, .lost = lost});
    MUST(t->tasks == 0);
    *t = (struct team){.held = t->held, .cap = t->cap, .life = t->life + 1};
    sim->lost = 0;
}

static void retire_team(struct sim *sim, uint32_t team)
{
    struct team *t = &sim->teams[team];

    if (!t->is_retiring) {
        t->is_retiring = true;
        sim->retiring++;
        sim->idle -= t->tasks == 0;
        sim->finished += t->tasks == 0;
    }
    step(sim,
         (struct cadre_event){.type = CADRE_EV_TEAM_RETIRE, .team = team + 1});
}

static void cancel(struct sim *sim, uint32_t job)
{
    struct job *j = &sim->jobs[job];

    if (j->is_done)
        return;
    j->is_cancelled = true;
    j->next = j->count;
    j->holds = 0;
    for (size_t i = sim->returned_head; i < sim->returned_tail; i++) {
        if (sim->returned[i].job == job)
            sim->returned[i].count = 0;
    }
    step(sim, (struct cadre_event){.type = CADRE_EV_CANCEL, .job = job + 1});
    for (uint64_t task = 0; task < j->count; task++)
        MUST(!waits((enum task_state)j->state[task]));
}

/* An event that is not true must be refused and leave no trace. */
static void lie(struct sim *sim)
{
    struct cadre_event event = {.type = CADRE_EV_RESULTS,
                                .now_ns = sim->now_ns};
    uint32_t team = (uint32_t)below(sim, sim->team_count);
    const struct team *t = &sim->teams[team];
    struct cadre_actions actions;

    event.results.team = team + 1;
    event.results.job = 1 + below(sim, sim->job_count);
    event.results.count = 1;
    event.results.first = UINT32_MAX; /* no job is that long */
    if (t->tasks > 0) {
        event.results.job = t->held[t->head].job + 1;
        event.results.first = t->held[t->head].first + 1;
        event.results.count = t->held[t->head].count;
    }
    MUST(cadre_sched_step(sim->sched, &event, &actions) == CADRE_EINVAL);
    if (t->lives) {
        event.type = CADRE_EV_TEAM_READY;
        event.team = team + 1;
        MUST(cadre_sched_step(sim->sched, &event, &actions) == CADRE_EINVAL);
    }
    check_all(sim, CADRE_EV_UNSENT); /* nothing was sent */
}

/* Which tasks of a part have failed; returns how many, in `failed`. */
static uint64_t fail_some(struct sim *sim, uint32_t job, uint64_t first,
                          uint64_t count, struct cadre_failed_task *failed)
{
    const struct job *j = &sim->jobs[job];
    uint64_t n = 0;

    for (uint64_t task = first; task < first + count; task++) {
        if (j->fails_per_1000 > 0 && below(sim, 1000) < j->fails_per_1000)
            failed[n++] = (struct cadre_failed_task){
                task, below(sim, 2) == 0 ? CADRE_ETASK : CADRE_ETYPE};
    }
    return n;
}

/* A part of the first batch has run: what has ended, and what failed and is to
 * run again. */
static void end_part(struct sim *sim, const struct cadre_ev_results *results)
{
    uint32_t job = (uint32_t)results->job - 1;
    uint64_t at = 0;

    for (uint64_t i = 0; i < results->count; i++) {
        uint64_t task = results->first + i;
        bool is_failed =
            at < results->nfailed && results->failed[at].task == task;

        if (is_failed && is_retried(sim, job, task, results->failed[at].err))
            doom(sim, job, task, FATE_RETRY);
        else
            mark(sim, job, task, 1, SENT, ENDED);
        at += is_failed;
    }
}

static void deliver(struct sim *sim)
{
    struct cadre_failed_task *failed;
    struct arrival arrival = next_arrival(sim);
    uint32_t team = arrival.team;
    struct team *t = &sim->teams[team];
    struct cadre_ev_results results;
    struct batch *batch;

    sim->now_ns = arrival.at_ns;
    if (arrival.life != t->life)
        return;
    batch = &t->held[t->head];
    results = (struct cadre_ev_results){.team = team + 1,
                                        .job = batch->job + 1,
                                        .first = batch->first,
                                        .count = t->part,
                                        .elapsed_ns = t->part_ns};
    failed = calloc(t->part, sizeof *failed);
    CU_ASSERT_PTR_NOT_NULL_FATAL(failed);
    results.failed = failed;
    results.nfailed = fail_some(sim, batch->job, batch->first, t->part, failed);
    batch->first += t->part;
    batch->count -= t->part;
    t->head += batch->count == 0;
    t->part = 0;
    end_part(sim, &results);
    unload(sim, team, (uint32_t)results.job - 1, results.first, results.count);
    work(sim, team);
    step(sim,
         (struct cadre_event){.type = CADRE_EV_RESULTS, .results = results});
    free(failed);
}

/* Setting up and cleaning up. */

static void sim_init(struct sim *sim, uint64_t seed, uint32_t teams,
                     uint32_t jobs)
{
    *sim = (struct sim){.seed = seed,
                        .random = mix(seed + 1),
                        .inflight_bytes = 16 << 20,
                        .next_due_ns = UINT64_MAX,
                        .team_count = teams,
                        .job_count = jobs};
    sim->teams = calloc(teams, sizeof *sim->teams);
    sim->jobs = calloc(jobs, sizeof *sim->jobs);
    sim->order = calloc(jobs, sizeof *sim->order);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sim->order);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sim->teams);
    CU_ASSERT_PTR_NOT_NULL_FATAL(sim->jobs);
}

static void sim_job(struct sim *sim, uint32_t job, uint64_t count,
                    uint32_t kind)
{
    struct job *j = &sim->jobs[job];

    j->count = count;
    j->kind = kind;
    j->state = calloc(4, count);
    j->due_ns = calloc(count, sizeof *j->due_ns);
    CU_ASSERT_PTR_NOT_NULL_FATAL(j->state);
    CU_ASSERT_PTR_NOT_NULL_FATAL(j->due_ns);
    j->fate = j->state + count;
    j->made = j->fate + count;
    j->runs = j->made + count;
}

static void sim_start(struct sim *sim)
{
    struct cadre_sched_options options = {.inflight_bytes =
                                              sim->inflight_bytes};

    MUST(cadre_sched_create(&options, &sim->sched) == CADRE_OK);
}

static void sim_fini(struct sim *sim)
{
    events_ever += sim->events;
    cadre_sched_destroy(sim->sched);
    for (uint32_t i = 0; i < sim->job_count; i++) {
        free(sim->jobs[i].state);
        free(sim->jobs[i].due_ns);
        free(sim->jobs[i].totals);
    }
    for (uint32_t i = 0; i < sim->team_count; i++)
        free(sim->teams[i].held);
    free(sim->jobs);
    free(sim->teams);
    free(sim->order);
    free(sim->delayed);
    free(sim->returned);
    free(sim->arrivals);
    free(sim->failed);
    free(sim->served);
}

static uint64_t random_count(struct sim *sim)
{
    switch (below(sim, 20)) {
    case 0:
        return 1 + below(sim, 3000);
    case 1:
    case 2:
    case 3:
        return 1 + below(sim, 300);
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        return 1 + below(sim, 20);
    default:
        return 1;
    }
}

static void random_bytes(struct sim *sim, struct job *job)
{
    job->bytes_each = below(sim, 3) == 0 ? below(sim, 600) : 0;
    if (below(sim, 3) > 0)
        return;
    job->totals = calloc(job->count + 1, sizeof *job->totals);
    CU_ASSERT_PTR_NOT_NULL_FATAL(job->totals);
    for (uint64_t i = 0; i < job->count; i++)
        job->totals[i + 1] = job->totals[i] + below(sim, 600);
}

static void random_terms(struct sim *sim, struct job *job)
{
    if (below(sim, 6) == 0)
        job->holds = 1 + (uint32_t)below(sim, 3);
    if (below(sim, 5) == 0)
        job->fails_per_1000 = (uint32_t)below(sim, 300);
    if (below(sim, 3) > 0)
        return;
    job->retries = 1 + (uint32_t)below(sim, 4);
    job->retry_on = below(sim, 2) == 0 ? UINT32_MAX
                                       : UINT32_C(1) << CADRE_ELOST |
                                             UINT32_C(1) << CADRE_ETASK;
    job->retry_wait_ns = below(sim, 2) * below(sim, 2 * MS);
}

static void random_cluster(struct sim *sim, uint64_t seed)
{
    uint32_t teams = 1 + (uint32_t)(mix(seed * 3 + 1) % 50);
    uint32_t jobs = 1 + (uint32_t)(mix(seed * 3 + 2) % 60);

    if (seed % 100 == 99)
        teams = 1000;
    sim_init(sim, seed, teams, teams == 1000 ? 20 * jobs : jobs);
    sim->latency_ns = below(sim, 2) * below(sim, 50 * US);
    sim->overhead_ns = below(sim, 10 * US);
    sim->has_parts = below(sim, 2) == 0;
    sim->unsent_per_1000 = below(sim, 3) == 0 ? (uint32_t)below(sim, 200) : 0;
    if (below(sim, 3) == 0)
        sim->inflight_bytes = 100 + below(sim, 5000);
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        sim->kinds[kind].shape = (enum shape)below(sim, 4);
        sim->kinds[kind].scale_ns = /* 20 ns to 0.3 s */
            (double)((20 + below(sim, 20)) << below(sim, 24));
    }
    for (uint32_t job = 0; job < sim->job_count; job++) {
        sim_job(sim, job, random_count(sim), (uint32_t)below(sim, KINDS));
        random_bytes(sim, &sim->jobs[job]);
        random_terms(sim, &sim->jobs[job]);
        if (below(sim, 8) == 0)
            sim->jobs[job].chunk = 1 + below(sim, 40);
    }
    sim_start(sim);
}

/* A living team, or `team_count`. */
static uint32_t random_team(struct sim *sim)
{
    uint32_t team = (uint32_t)below(sim, sim->team_count);

    return sim->teams[team].lives ? team : sim->team_count;
}

/* Something that nobody asked for. */
static void disturb(struct sim *sim)
{
    uint64_t what = below(sim, 10);
    uint32_t team = random_team(sim);

    if (sim->arrival_count > 0 && sim->arrivals[0].at_ns > sim->now_ns)
        sim->now_ns += below(sim, sim->arrivals[0].at_ns - sim->now_ns + 1);
    if (what < 2 && team < sim->team_count)
        lose_team(sim, team);
    else if (what == 2 && team < sim->team_count)
        retire_team(sim, team);
    else if (what == 3 && sim->submitted > 0)
        cancel(sim, (uint32_t)below(sim, sim->submitted));
    else if (what == 4)
        step(sim, (struct cadre_event){.type = CADRE_EV_TICK});
    else if (what == 5)
        lie(sim);
    else if (!sim->teams[team = (uint32_t)below(sim, sim->team_count)].lives)
        add_team(sim, team);
}

/* Something that many jobs wait for is there. */
static void release_one(struct sim *sim)
{
    uint32_t job = (uint32_t)below(sim, sim->submitted);

    for (uint32_t i = 0; i < sim->submitted; i++) {
        uint32_t at = (job + i) % sim->submitted;

        if (sim->jobs[at].holds > 0) {
            release(sim, at);
            return;
        }
    }
}

/* With nothing under way, what can still happen? */
static void go_on(struct sim *sim)
{
    MUST(sim->running == 0);
    if (sim->submitted < sim->job_count)
        submit(sim);
    else if (sim->next_due_ns == UINT64_MAX || below(sim, 2) == 0)
        release_one(sim);
    MUST(sim->ready == 0 || sim->idle == 0);
    if (sim->running == 0 && sim->next_due_ns != UINT64_MAX) {
        if (sim->now_ns < sim->next_due_ns)
            sim->now_ns = sim->next_due_ns;
        step(sim, (struct cadre_event){.type = CADRE_EV_TICK});
    }
    if (sim->living - sim->retiring == 0) {
        uint32_t team = 0;

        while (team < sim->team_count && sim->teams[team].lives)
            team++;
        MUST(team < sim->team_count);
        add_team(sim, team);
    }
}

static void run_cluster(struct sim *sim, uint64_t submits_per_100,
                        uint64_t disturbances_per_1000)
{
    while (sim->done < sim->job_count) {
        if (sim->submitted < sim->job_count &&
            below(sim, 100) < submits_per_100)
            submit(sim);
        if (sim->submitted > 0 && below(sim, 100) < submits_per_100)
            release(sim, (uint32_t)below(sim, sim->submitted));
        if (below(sim, 1000) < disturbances_per_1000)
            disturb(sim);
        if (sim->arrival_count > 0)
            deliver(sim);
        else
            go_on(sim);
    }
    MUST(sim->waiting == 0 && sim->running == 0);
}

static void promises_hold_in_every_cluster(void)
{
    for (uint64_t seed = 0; seed < seeds; seed++) {
        struct sim cluster, *sim = &cluster;
        uint64_t teams;

        random_cluster(sim, seed);
        teams = below(sim, sim->team_count + 1);
        for (uint32_t team = 0; team < teams; team++)
            add_team(sim, team);
        run_cluster(sim, 1 + below(sim, 100),
                    below(sim, 4) == 0 ? 0 : below(sim, 150));
        sim_fini(sim);
    }
    printf("%" PRIu64 " clusters, %" PRIu64 " events ", seeds, events_ever);
}

/* How well a cluster is used. */

/* All teams and jobs are there; returns when the last results came. */
static uint64_t makespan_ns(struct sim *sim)
{
    sim_start(sim);
    for (uint32_t team = 0; team < sim->team_count; team++)
        add_team(sim, team);
    while (sim->submitted < sim->job_count)
        submit(sim);
    run_cluster(sim, 0, 0);
    printf("%" PRIu64 " sends, %.3f ms ", sim->sends,
           (double)sim->now_ns / 1e6);
    return sim->now_ns;
}

static void million_tasks_of_20_ns_need_few_batches(void)
{
    struct sim sim;

    sim_init(&sim, 1, 2, 1);
    sim.kinds[0] = (struct kind){CONSTANT, 20};
    sim.overhead_ns = 5 * US;
    sim_job(&sim, 0, 1000000, 0);
    CU_ASSERT(makespan_ns(&sim) <= 10 * MS * 105 / 100);
    CU_ASSERT(sim.sends <= 60);
    sim_fini(&sim);
}

static void short_tasks_keep_two_teams_busy(void)
{
    struct sim sim;

    sim_init(&sim, 1, 2, 1);
    sim.kinds[0] = (struct kind){CONSTANT, 100 * (double)US};
    sim.overhead_ns = 5 * US;
    sim.latency_ns = 20 * US;
    sim_job(&sim, 0, 20000, 0);
    CU_ASSERT(makespan_ns(&sim) <= SECOND * 102 / 100);
    sim_fini(&sim);
}

static void random_tasks_keep_two_teams_busy(void)
{
    uint64_t ideal_ns = 0;
    struct sim sim;

    sim_init(&sim, 1, 2, 1);
    sim.kinds[0] = (struct kind){RANDOM, 100 * (double)US};
    sim.overhead_ns = 5 * US;
    sim.latency_ns = 20 * US;
    sim_job(&sim, 0, 20000, 0);
    for (uint64_t task = 0; task < 20000; task++)
        ideal_ns += task_ns(&sim, 0, task) / 2;
    CU_ASSERT(makespan_ns(&sim) <= ideal_ns * 102 / 100);
    sim_fini(&sim);
}

static void long_tasks_of_unknown_length_are_spread(void)
{
    struct sim sim;

    sim_init(&sim, 1, 2, 1);
    sim.kinds[0] = (struct kind){CONSTANT, (double)SECOND};
    sim_job(&sim, 0, 4, 0);
    CU_ASSERT_EQUAL(makespan_ns(&sim), 2 * SECOND);
    sim_fini(&sim);

    sim_init(&sim, 1, 2, 6);
    sim.kinds[0] = (struct kind){CONSTANT, (double)SECOND / 2};
    for (uint32_t job = 0; job < 6; job++)
        sim_job(&sim, job, 1, 0);
    CU_ASSERT_EQUAL(makespan_ns(&sim), 3 * SECOND / 2);
    sim_fini(&sim);
}

static void long_tasks_at_the_end_are_not_queued_up(void)
{
    const uint64_t long_ns = 10 * MS;
    struct sim sim;

    sim_init(&sim, 1, 4, 1);
    sim.kinds[0] = (struct kind){LAST_LONG, 100 * (double)US};
    sim.overhead_ns = 5 * US;
    sim.latency_ns = 20 * US;
    sim_job(&sim, 0, 10000, 0);
    /* 9,992 short ones and 8 long ones on 4 teams, and one long one late */
    CU_ASSERT(makespan_ns(&sim) <=
              (9992 * 100 * US + 8 * long_ns) / 4 * 102 / 100 + long_ns);
    sim_fini(&sim);
}

static void single_task_jobs_keep_teams_busy(void)
{
    struct sim sim;

    sim_init(&sim, 1, 2, 100000);
    sim.kinds[0] = (struct kind){CONSTANT, 10 * (double)US};
    sim.overhead_ns = US;
    sim.latency_ns = 100 * US;
    for (uint32_t job = 0; job < 100000; job++)
        sim_job(&sim, job, 1, 0);
    CU_ASSERT(makespan_ns(&sim) <= 550 * MS * 102 / 100);
    sim_fini(&sim);
}

static void thousand_teams_share_a_job(void)
{
    struct sim sim;

    sim_init(&sim, 1, 1000, 1);
    sim.kinds[0] = (struct kind){CONSTANT, (double)MS};
    sim.overhead_ns = 5 * US;
    sim.latency_ns = 50 * US;
    sim_job(&sim, 0, 1000000, 0);
    CU_ASSERT(makespan_ns(&sim) <= SECOND * 103 / 100);
    sim_fini(&sim);
}

static const struct check_test tests[] = {
    CHECK(promises_hold_in_every_cluster),
    CHECK(million_tasks_of_20_ns_need_few_batches),
    CHECK(short_tasks_keep_two_teams_busy),
    CHECK(random_tasks_keep_two_teams_busy),
    CHECK(long_tasks_of_unknown_length_are_spread),
    CHECK(long_tasks_at_the_end_are_not_queued_up),
    CHECK(single_task_jobs_keep_teams_busy),
    CHECK(thousand_teams_share_a_job),
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : getenv("CADRE_SIM_SEEDS");

    if (text != NULL)
        seeds = strtoull(text, NULL, 10);
    return check_run("sched_sim", tests);
}
