/* bench_sched.c - what does the scheduler cost for each event, and does that
 * grow with the number of teams?
 *
 *     bench_sched [ROUNDS]
 *
 * Teams of 1, 1,000 and 100,000 are kept busy in two ways: with one job of very
 * many tasks (an event is the results of a batch, and the next batch follows),
 * and with jobs of a single task, a million of them queued (an event is a new
 * job, or the results of one, and the next job follows). Whose results come
 * next is random. Each row is the median of ROUNDS rounds of 200,000 events; no
 * MPI, one thread.
 *
 * It checks that every task that was sent and has not ended is still counted,
 * that every job is done once, and, against accidents of complexity, that
 * 100,000 teams cost at most 40 times what one does (log2 of 100,000 is 17;
 * the rest is for caches that are too small).
 */
#include "../runtime/sched.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MS UINT64_C(1000000)

enum {
    EVENTS = 200000, /* of a round */
    QUEUED = 1000000,
    HELD_MAX =
        32, /* batches of one team: 10 ms of tasks of 1 ms, and reserve */
    ROUNDS_MAX = 100
};

/* What a team was sent and has not finished. */
struct held {
    uint64_t job[HELD_MAX];
    uint64_t first[HELD_MAX];
    uint64_t count[HELD_MAX];
    unsigned head;
    unsigned tail;
};

struct bench {
    struct cadre_sched *sched;
    struct held *teams; /* id: index + 1 */
    uint32_t team_count;
    uint64_t now_ns;
    uint64_t random;
    uint64_t jobs; /* submitted */
    uint64_t done;
    uint64_t running; /* tasks */
    uint64_t events;
};

static void die(const char *why)
{
    fprintf(stderr, "bench_sched: %s\n", why);
    exit(1);
}

static uint64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void on_send(struct bench *b, const struct cadre_action *a)
{
    struct held *team = &b->teams[a->team - 1];
    unsigned at = team->tail++ % HELD_MAX;

    if (team->tail - team->head > HELD_MAX)
        die("a team was sent too much");
    team->job[at] = a->job;
    team->first[at] = a->first;
    team->count[at] = a->count;
    b->running += a->count;
}

static void step(struct bench *b, struct cadre_event event)
{
    struct cadre_actions actions;

    event.now_ns = b->now_ns += 100;
    b->events++;
    if (cadre_sched_step(b->sched, &event, &actions) != CADRE_OK)
        die("an event was refused");
    for (size_t i = 0; i < actions.count; i++) {
        if (actions.list[i].type == CADRE_ACT_SEND)
            on_send(b, &actions.list[i]);
        else if (actions.list[i].type == CADRE_ACT_JOB_DONE)
            b->done++;
    }
}

static void submit(struct bench *b, uint64_t count)
{
    step(b, (struct cadre_event){
                .type = CADRE_EV_SUBMIT,
                .submit = {.job = ++b->jobs, .count = count, .kind = 1}});
}

/* The first batch of some team is finished. */
static void finish(struct bench *b)
{
    struct held *team;
    uint32_t i;
    unsigned at;

    do { /* xorshift */
        b->random ^= b->random << 13;
        b->random ^= b->random >> 7;
        b->random ^= b->random << 17;
        i = (uint32_t)(b->random % b->team_count);
        team = &b->teams[i];
    } while (team->head == team->tail);
    at = team->head++ % HELD_MAX;
    b->running -= team->count[at];
    step(b,
         (struct cadre_event){.type = CADRE_EV_RESULTS,
                              .results = {.team = i + 1,
                                          .job = team->job[at],
                                          .first = team->first[at],
                                          .count = team->count[at],
                                          .elapsed_ns = team->count[at] * MS}});
}

static void many_tasks(struct bench *b)
{
    while (b->events < EVENTS)
        finish(b);
}

static void many_jobs(struct bench *b)
{
    while (b->events < EVENTS) {
        submit(b, 1);
        finish(b);
    }
}

/* All teams are busy and the length of a task is known. */
static void start(struct bench *b, uint32_t teams, bool has_many_jobs)
{
    *b = (struct bench){.team_count = teams, .random = 88172645463325252};
    b->teams = calloc(teams, sizeof *b->teams);
    if (b->teams == NULL || cadre_sched_create(NULL, &b->sched) != CADRE_OK)
        die("out of memory");
    if (!has_many_jobs)
        submit(b, UINT64_C(1) << 40);
    for (uint64_t i = 0; has_many_jobs && i < QUEUED + 10 * (uint64_t)teams;
         i++)
        submit(b, 1);
    for (uint32_t team = 1; team <= teams; team++)
        step(b,
             (struct cadre_event){.type = CADRE_EV_TEAM_READY, .team = team});
    for (uint32_t i = 0; i < 4 * teams + 1000; i++)
        finish(b);
}

static void check(const struct bench *b)
{
    if (cadre_sched_running(b->sched) != b->running)
        die("tasks were lost");
    if (b->jobs > 1 &&
        b->done + b->running + cadre_sched_waiting(b->sched) != b->jobs)
        die("jobs were lost");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Print a row; returns the median. */
static double measure(const char *what, void (*work)(struct bench *),
                      uint32_t teams, int rounds)
{
    double ns[ROUNDS_MAX];
    struct bench b;

    start(&b, teams, work == many_jobs);
    for (int i = 0; i < rounds; i++) {
        uint64_t begin = clock_ns();

        b.events = 0;
        work(&b);
        ns[i] = (double)(clock_ns() - begin) / (double)b.events;
        check(&b);
    }
    cadre_sched_destroy(b.sched);
    free(b.teams);
    qsort(ns, (size_t)rounds, sizeof *ns, compare);
    printf("%-18s %8" PRIu32 " %10.1f %10.1f-%.1f  ns/event\n", what, teams,
           ns[rounds / 2], ns[0], ns[rounds - 1]);
    return ns[rounds / 2];
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*work)(struct bench *);
    } ways[] = {{"one large job", many_tasks}, {"single-task jobs", many_jobs}};
    int rounds = argc > 1 ? atoi(argv[1]) : 11;

    if (rounds < 1 || rounds > ROUNDS_MAX)
        die("ROUNDS is 1 to 100");
    printf("%-18s %8s %10s %15s\n", "work", "teams", "median", "spread");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        double one = measure(ways[i].name, ways[i].work, 1, rounds);

        measure(ways[i].name, ways[i].work, 1000, rounds);
        if (measure(ways[i].name, ways[i].work, 100000, rounds) > 40 * one)
            die("the cost grows with the number of teams");
    }
    return 0;
}
