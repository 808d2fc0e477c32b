/* test_sched.c - the scheduler, an event at a time: the events of a test, and
 * the actions that must follow, a line for each. */
#include "alloc.h"
#include "check.h"
#include "sched.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US UINT64_C(1000)
#define MS (1000 * US)
#define SECOND (1000 * MS)

/* The scheduler under test, its clock, and what it said. */
static struct cadre_sched *s;
static uint64_t now_ns;
static char trace[16384];
static uint64_t sends;                 /* SEND actions of the last step */
static struct cadre_action sent[1024]; /* the first SEND actions */
static unsigned sent_count;

static void note(const char *format, ...) CADRE_PRINTF(1, 2);

static void note(const char *format, ...)
{
    size_t len = strlen(trace);
    va_list args;

    va_start(args, format);
    vsnprintf(trace + len, sizeof trace - len, format, args);
    va_end(args);
}

static void note_tasks(const struct cadre_action *a)
{
    note("job %" PRIu64, a->job);
    if (a->count == 1)
        note(" task %" PRIu64, a->first);
    else
        note(" tasks %" PRIu64 "-%" PRIu64, a->first, a->first + a->count - 1);
}

static void note_action(const struct cadre_action *a)
{
    switch (a->type) {
    case CADRE_ACT_SEND:
        sends++;
        if (sent_count < 1024)
            sent[sent_count++] = *a;
        note_tasks(a);
        note(" -> team %" PRIu32, a->team);
        note(a->attempt == 1 ? "\n" : " (%" PRIu32 ")\n", a->attempt);
        break;
    case CADRE_ACT_DROP:
        note_tasks(a);
        note(a->err == CADRE_ELOST      ? " lost\n"
             : a->err == CADRE_ETIMEOUT ? " too late\n"
                                        : " cancelled\n");
        break;
    case CADRE_ACT_AGAIN:
        note_tasks(a);
        note(" again (%" PRIu32 ")\n", a->attempt);
        break;
    case CADRE_ACT_JOB_DONE:
        note("job %" PRIu64 " done\n", a->job);
        break;
    case CADRE_ACT_TEAM_OUT:
        note("team %" PRIu32 " out\n", a->team);
        break;
    }
}

static cadre_err step(struct cadre_event event)
{
    struct cadre_actions actions;
    cadre_err err;

    event.now_ns = now_ns;
    trace[0] = '\0';
    sends = 0;
    if ((err = cadre_sched_step(s, &event, &actions)) != CADRE_OK) {
        note("error %d\n", (int)err);
        return err;
    }
    for (size_t i = 0; i < actions.count; i++)
        note_action(&actions.list[i]);
    return CADRE_OK;
}

static void begin_with(struct cadre_sched_options options)
{
    now_ns = 0;
    sent_count = 0;
    CU_ASSERT_EQUAL_FATAL(cadre_sched_create(&options, &s), CADRE_OK);
}

static void begin(void)
{
    begin_with((struct cadre_sched_options){0});
}

static void end(void)
{
    cadre_sched_destroy(s);
    s = NULL;
}

static cadre_err submit(cadre_job_id job, uint64_t count)
{
    return step((struct cadre_event){
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = job, .count = count, .kind = 1}});
}

static cadre_err submit_kind(cadre_job_id job, uint64_t count, uint32_t kind)
{
    return step((struct cadre_event){
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = job, .count = count, .kind = kind}});
}

static cadre_err submit_chunks(cadre_job_id job, uint64_t count, uint64_t chunk)
{
    return step((struct cadre_event){
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = job, .count = count, .kind = 1, .chunk = chunk}});
}

static cadre_err team_event(enum cadre_event_type type, cadre_team_id team)
{
    return step((struct cadre_event){.type = type, .team = team});
}

static cadre_err ready(cadre_team_id team)
{
    return team_event(CADRE_EV_TEAM_READY, team);
}

static cadre_err lost(cadre_team_id team)
{
    return step((struct cadre_event){.type = CADRE_EV_TEAM_LOST,
                                     .lost = {.team = team}});
}

static cadre_err retire(cadre_team_id team)
{
    return team_event(CADRE_EV_TEAM_RETIRE, team);
}

static cadre_err cancel(cadre_job_id job)
{
    return step((struct cadre_event){.type = CADRE_EV_CANCEL, .job = job});
}

static cadre_err tick(void)
{
    return step((struct cadre_event){.type = CADRE_EV_TICK});
}

static cadre_err results(cadre_team_id team, cadre_job_id job, uint64_t first,
                         uint64_t count, uint64_t elapsed_ns)
{
    return step((struct cadre_event){.type = CADRE_EV_RESULTS,
                                     .results = {.team = team,
                                                 .job = job,
                                                 .first = first,
                                                 .count = count,
                                                 .elapsed_ns = elapsed_ns}});
}

/* One task of the job was all, and it failed. */
static cadre_err failed(cadre_team_id team, cadre_job_id job, uint64_t task,
                        cadre_err err)
{
    struct cadre_failed_task f = {.task = task, .err = err};

    return step((struct cadre_event){.type = CADRE_EV_RESULTS,
                                     .results = {.team = team,
                                                 .job = job,
                                                 .first = task,
                                                 .count = 1,
                                                 .elapsed_ns = SECOND,
                                                 .failed = &f,
                                                 .nfailed = 1}});
}

/* The team is lost, and had begun so many tasks. */
static cadre_err lost_after(cadre_team_id team, uint64_t begun, cadre_err err)
{
    return step((struct cadre_event){
        .type = CADRE_EV_TEAM_LOST,
        .lost = {.team = team, .is_known = true, .begun = begun, .err = err}});
}

/* A job whose tasks may be tried three times, whatever happens to them. */
static cadre_err submit_tough(cadre_job_id job, uint64_t count,
                              uint64_t wait_ns)
{
    return step((struct cadre_event){.type = CADRE_EV_SUBMIT,
                                     .submit = {.job = job,
                                                .count = count,
                                                .kind = 1,
                                                .retries = 2,
                                                .retry_on = UINT32_MAX,
                                                .retry_wait_ns = wait_ns}});
}

static cadre_err submit_held(cadre_job_id job, uint64_t count, uint32_t holds)
{
    return step((struct cadre_event){
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = job, .count = count, .kind = 1, .holds = holds}});
}

/* A task for the team that has `seat`, tried again if that is lost with it. */
static cadre_err submit_for(cadre_job_id job, uint32_t seat)
{
    return step((struct cadre_event){
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = job,
                   .count = 1,
                   .kind = 2,
                   .seat = seat,
                   .retries = 1,
                   .retry_on = UINT32_C(1) << CADRE_ELOST}});
}

static cadre_err ready_at(cadre_team_id team, uint32_t seat)
{
    return step((struct cadre_event){
        .type = CADRE_EV_TEAM_READY, .team = team, .seat = seat});
}

static cadre_err close_seat(uint32_t seat, bool is_closed)
{
    return step((struct cadre_event){
        .type = CADRE_EV_SEAT,
        .of_seat = {.seat = seat, .is_closed = is_closed}});
}

static cadre_err release(cadre_job_id job)
{
    return step((struct cadre_event){.type = CADRE_EV_RELEASE,
                                     .release = {.job = job}});
}

static cadre_err unsent(cadre_team_id team, cadre_job_id job, uint64_t first,
                        uint64_t count)
{
    return step((struct cadre_event){
        .type = CADRE_EV_UNSENT,
        .unsent = {.team = team, .job = job, .first = first, .count = count}});
}

#define EXPECT(lines) CU_ASSERT_STRING_EQUAL(trace, lines)

/* Make kind 1 known to take `ns` a task, and batches of `longest` proven; team
 * `team` is idle before and after. */
static void teach(cadre_team_id team, uint64_t ns, uint64_t longest)
{
    submit_chunks(1000000, longest, longest);
    results(team, 1000000, 0, longest, ns * longest);
    EXPECT("job 1000000 done\n");
}

static void tasks_wait_for_a_team(void)
{
    begin();
    submit(1, 1);
    EXPECT("");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 1);
    CU_ASSERT_EQUAL(cadre_sched_teams(s), 0);
    ready(7);
    EXPECT("job 1 task 0 -> team 7\n");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 0);
    CU_ASSERT_EQUAL(cadre_sched_running(s), 1);
    CU_ASSERT_EQUAL(cadre_sched_teams(s), 1);
    results(7, 1, 0, 1, 5 * US);
    EXPECT("job 1 done\n");
    CU_ASSERT_EQUAL(cadre_sched_running(s), 0);
    end();
}

static void unmeasured_tasks_go_one_to_each_idle_team(void)
{
    begin();
    ready(1);
    ready(2);
    submit(1, 10);
    EXPECT("job 1 task 0 -> team 1\n"
           "job 1 task 1 -> team 2\n");
    submit(2, 10);
    EXPECT("");
    end();
}

static void team_that_worked_last_is_served_first(void)
{
    begin();
    ready(1);
    ready(2);
    ready(3);
    submit(1, 2);
    results(1, 1, 0, 1, SECOND);
    results(2, 1, 1, 1, SECOND);
    submit(2, 3);
    EXPECT("job 2 task 0 -> team 2\n"
           "job 2 task 1 -> team 1\n"
           "job 2 task 2 -> team 3\n");
    end();
}

static void batches_grow_by_a_factor_of_16(void)
{
    begin();
    ready(1);
    submit(1, 100000000);
    EXPECT("job 1 task 0 -> team 1\n");
    results(1, 1, 0, 1, 20);
    EXPECT("job 1 tasks 1-16 -> team 1\n");
    results(1, 1, 1, 16, 16 * 20);
    EXPECT("job 1 tasks 17-272 -> team 1\n"
           "job 1 tasks 273-528 -> team 1\n");
    end();
}

static void batch_lasts_5_ms_and_10_ms_are_held(void)
{
    begin();
    ready(1);
    teach(1, MS, 10);
    submit(1, 1000);
    EXPECT("job 1 tasks 0-4 -> team 1\n"
           "job 1 tasks 5-9 -> team 1\n");
    results(1, 1, 0, 5, 5 * MS);
    EXPECT("job 1 tasks 10-14 -> team 1\n");
    end();
}

static void batches_shrink_towards_the_end(void)
{
    begin();
    ready(1);
    ready(2);
    teach(1, MS, 100);
    submit(1, 18); /* a batch is a quarter of what waits: 18, 14, 11 ... */
    EXPECT("job 1 tasks 0-3 -> team 1\n"
           "job 1 tasks 4-6 -> team 2\n");
    results(2, 1, 4, 3, 3 * MS);
    EXPECT("job 1 tasks 7-8 -> team 2\n"
           "job 1 tasks 9-10 -> team 2\n");
    results(1, 1, 0, 4, 4 * MS);
    EXPECT("job 1 task 11 -> team 1\n"
           "job 1 task 12 -> team 1\n");
    results(1, 1, 11, 1, MS);
    EXPECT("job 1 task 13 -> team 1\n");
    results(1, 1, 12, 1, MS); /* 1 ms is a quarter of what waits: no more */
    EXPECT("");
    end();
}

static void work_of_other_jobs_counts_as_left(void)
{
    begin();
    ready(1);
    teach(1, MS, 100);
    submit_kind(1, 1, 2); /* of unknown length: occupies the team */
    submit(2, 6);
    submit(3, 1000);
    EXPECT("");
    results(1, 1, 0, 1, SECOND);
    EXPECT("job 1 done\n"
           "job 2 tasks 0-4 -> team 1\n"
           "job 2 task 5 -> team 1\n"
           "job 3 tasks 0-4 -> team 1\n");
    end();
}

static void long_tasks_are_not_sent_ahead(void)
{
    begin();
    ready(1);
    teach(1, SECOND, 10);
    submit(1, 10);
    EXPECT("job 1 task 0 -> team 1\n");
    results(1, 1, 0, 1, SECOND);
    EXPECT("job 1 task 1 -> team 1\n");
    end();
}

static void unmeasured_tasks_are_not_sent_ahead(void)
{
    begin();
    ready(1);
    teach(1, 10 * US, 10);
    submit(1, 2);
    EXPECT("job 1 tasks 0-1 -> team 1\n");
    submit_kind(2, 1, 2);
    submit(3, 1); /* short, but behind job 2 */
    EXPECT("");
    results(1, 1, 0, 2, 20 * US);
    EXPECT("job 1 done\n"
           "job 2 task 0 -> team 1\n");
    end();
}

static void later_job_waits_for_the_earlier_one(void)
{
    begin();
    ready(1);
    ready(2);
    submit(1, 3);
    submit(2, 2);
    results(2, 1, 1, 1, SECOND);
    EXPECT("job 1 task 2 -> team 2\n");
    results(1, 1, 0, 1, SECOND);
    EXPECT("job 2 task 0 -> team 1\n");
    results(2, 1, 2, 1, SECOND);
    EXPECT("job 1 done\n"
           "job 2 task 1 -> team 2\n");
    end();
}

static void job_may_fix_its_chunk(void)
{
    begin();
    ready(1);
    ready(2);
    submit_chunks(1, 10, 4);
    EXPECT("job 1 tasks 0-3 -> team 1\n"
           "job 1 tasks 4-7 -> team 2\n");
    results(1, 1, 0, 4, 4 * US);
    EXPECT("job 1 tasks 8-9 -> team 1\n");
    end();
}

static void single_task_jobs_are_sent_ahead_together(void)
{
    begin();
    ready(1);
    submit_kind(1, 1, 1);
    for (cadre_job_id job = 2; job <= 1000; job++)
        submit(job, 1);
    EXPECT("");
    results(1, 1, 0, 1, US); /* one was measured: 16 may be held */
    CU_ASSERT_EQUAL(sends, 16);
    for (cadre_job_id job = 2; job < 17; job++)
        results(1, job, 0, 1, US);
    CU_ASSERT(cadre_sched_running(s) >= 200);
    results(1, 17, 0, 1, US);
    CU_ASSERT(strstr(trace, "job 17 done\n") != NULL);
    end();
}

static void team_holds_4096_batches_at_most(void)
{
    begin_with((struct cadre_sched_options){.min_batch_ns = SECOND});
    ready(1);
    teach(1, 20, 100000);
    for (cadre_job_id job = 2; job <= 10000; job++)
        submit(job, 1);
    CU_ASSERT_EQUAL(cadre_sched_running(s), 4096);
    results(1, 2, 0, 1, 20);
    EXPECT("job 2 done\n"
           "job 4098 task 0 -> team 1\n");
    end();
}

static void least_loaded_team_gets_more_first(void)
{
    begin();
    ready(1);
    ready(2);
    teach(1, MS, 100);
    submit_chunks(1, 3, 3);
    submit_chunks(2, 2, 2);
    submit(3, 100);
    EXPECT("job 3 tasks 0-4 -> team 2\n" /* it held 2 ms, now 7 */
           "job 3 tasks 5-9 -> team 1\n"
           "job 3 tasks 10-14 -> team 2\n"
           "job 3 tasks 15-19 -> team 1\n");
    end();
}

static void late_team_gets_nothing_ahead(void)
{
    begin();
    ready(1);
    teach(1, 10 * US, 100);
    submit(1, 2);
    now_ns = 6 * MS;
    submit(2, 2);
    EXPECT("");
    results(1, 1, 0, 1, 10 * US); /* there it is: not late any more */
    EXPECT("job 2 tasks 0-1 -> team 1\n");
    end();
}

static void held_bytes_are_bounded_but_for_one_task(void)
{
    struct cadre_event big = {
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = 1, .count = 3, .kind = 1, .bytes_per_task = 5000}};
    struct cadre_event fit = {
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = 2, .count = 100, .kind = 1, .bytes_per_task = 100}};

    begin_with((struct cadre_sched_options){.inflight_bytes = 1000});
    ready(1);
    teach(1, 10, 1000);
    step(big);
    EXPECT("job 1 task 0 -> team 1\n");
    results(1, 1, 0, 1, 10);
    EXPECT("job 1 task 1 -> team 1\n");
    results(1, 1, 1, 1, 10);
    results(1, 1, 2, 1, 10);
    step(fit); /* half of the bytes in a batch, and two batches */
    EXPECT("job 2 tasks 0-4 -> team 1\n"
           "job 2 tasks 5-9 -> team 1\n");
    results(1, 2, 0, 2, 20);
    EXPECT("job 2 tasks 10-11 -> team 1\n");
    end();
}

static void tasks_of_different_weight_are_added_up(void)
{
    static const uint64_t totals[] = {0, 100, 200, 450, 450, 451, 9000, 9001};
    struct cadre_event event = {
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = 1, .count = 7, .kind = 1, .bytes = totals}};

    begin_with((struct cadre_sched_options){.inflight_bytes = 900});
    ready(1);
    teach(1, 10, 1000);
    step(event); /* task 5 weighs 8549 */
    EXPECT("job 1 tasks 0-3 -> team 1\n"
           "job 1 task 4 -> team 1\n");
    results(1, 1, 0, 4, 40);
    EXPECT("");
    results(1, 1, 4, 1, 10);
    EXPECT("job 1 task 5 -> team 1\n");
    results(1, 1, 5, 1, 10);
    EXPECT("job 1 task 6 -> team 1\n");
    end();
}

static void results_may_come_in_parts(void)
{
    begin();
    ready(1);
    teach(1, 10 * US, 10);
    submit(1, 4);
    EXPECT("job 1 tasks 0-3 -> team 1\n");
    results(1, 1, 0, 1, 10 * US);
    EXPECT("");
    CU_ASSERT_EQUAL(cadre_sched_running(s), 3);
    results(1, 1, 1, 2, 20 * US);
    EXPECT("");
    results(1, 1, 3, 1, 10 * US);
    EXPECT("job 1 done\n");
    end();
}

static void results_that_a_team_cannot_have_are_refused(void)
{
    begin();
    ready(1);
    ready(2);
    teach(1, 10 * US, 10);
    submit(1, 4);
    EXPECT("job 1 tasks 0-3 -> team 1\n");
    CU_ASSERT_EQUAL(results(1, 1, 0, 5, US), CADRE_EINVAL);
    CU_ASSERT_EQUAL(results(1, 1, 1, 1, US), CADRE_EINVAL);
    CU_ASSERT_EQUAL(results(1, 1, 0, 0, US), CADRE_EINVAL);
    CU_ASSERT_EQUAL(results(1, 2, 0, 1, US), CADRE_EINVAL);
    CU_ASSERT_EQUAL(results(2, 1, 0, 1, US), CADRE_EINVAL);
    CU_ASSERT_EQUAL(results(3, 1, 0, 1, US), CADRE_EINVAL);
    CU_ASSERT_EQUAL(cadre_sched_running(s), 4);
    results(1, 1, 0, 4, US);
    EXPECT("job 1 done\n");
    CU_ASSERT_EQUAL(results(1, 1, 0, 4, US), CADRE_EINVAL);
    end();
}

static void contradictions_are_refused(void)
{
    begin();
    CU_ASSERT_EQUAL(lost(1), CADRE_EINVAL);
    CU_ASSERT_EQUAL(retire(1), CADRE_EINVAL);
    CU_ASSERT_EQUAL(ready(0), CADRE_EINVAL);
    CU_ASSERT_EQUAL(ready(1), CADRE_OK);
    CU_ASSERT_EQUAL(ready(1), CADRE_EINVAL);
    CU_ASSERT_EQUAL(submit(0, 1), CADRE_EINVAL);
    CU_ASSERT_EQUAL(submit(1, 0), CADRE_EINVAL);
    CU_ASSERT_EQUAL(submit(1, UINT64_MAX), CADRE_EINVAL);
    CU_ASSERT_EQUAL(cancel(1), CADRE_EINVAL);
    CU_ASSERT_EQUAL(submit(1, 1), CADRE_OK);
    CU_ASSERT_EQUAL(submit(1, 1), CADRE_EINVAL);
    CU_ASSERT_EQUAL(step((struct cadre_event){.type = 99}), CADRE_EINVAL);
    CU_ASSERT_EQUAL(cadre_sched_running(s), 1);
    CU_ASSERT_EQUAL(cadre_sched_teams(s), 1);
    end();
}

static void id_of_a_job_that_is_done_is_free_again(void)
{
    begin();
    ready(1);
    submit(1, 1);
    results(1, 1, 0, 1, US);
    EXPECT("job 1 done\n");
    submit(1, 1);
    EXPECT("job 1 task 0 -> team 1\n");
    end();
}

static void tasks_of_a_lost_team_are_dropped(void)
{
    begin();
    ready(1);
    ready(2);
    teach(1, MS, 100);
    submit(1, 40);
    EXPECT("job 1 tasks 0-4 -> team 1\n"
           "job 1 tasks 5-9 -> team 2\n"
           "job 1 tasks 10-14 -> team 1\n"
           "job 1 tasks 15-19 -> team 2\n");
    lost(1);
    EXPECT("job 1 tasks 0-4 lost\n"
           "job 1 tasks 10-14 lost\n");
    CU_ASSERT_EQUAL(cadre_sched_running(s), 10);
    CU_ASSERT_EQUAL(results(1, 1, 0, 5, 5 * MS), CADRE_EINVAL);
    results(2, 1, 5, 5, 5 * MS);
    EXPECT("job 1 tasks 20-24 -> team 2\n");
    end();
}

/* Nobody knows how far it was: the batch that ran failed for that reason. */
static void what_an_unseen_team_was_ended_for_is_told(void)
{
    begin();
    ready(1);
    teach(1, MS, 100);
    submit(1, 40);
    EXPECT("job 1 tasks 0-4 -> team 1\n"
           "job 1 tasks 5-9 -> team 1\n");
    step((struct cadre_event){.type = CADRE_EV_TEAM_LOST,
                              .lost = {.team = 1, .err = CADRE_ETIMEOUT}});
    EXPECT("job 1 tasks 0-4 too late\n"
           "job 1 tasks 5-9 lost\n");
    end();
}

static void last_team_lost_leaves_the_rest_waiting(void)
{
    begin();
    ready(1);
    submit(1, 2);
    lost(1);
    EXPECT("job 1 task 0 lost\n");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 1);
    CU_ASSERT_EQUAL(cadre_sched_teams(s), 0);
    ready(1);
    EXPECT("job 1 task 1 -> team 1\n");
    lost(1);
    EXPECT("job 1 task 1 lost\n"
           "job 1 done\n");
    end();
}

static void part_that_had_results_is_not_dropped(void)
{
    begin();
    ready(1);
    teach(1, 10 * US, 10);
    submit(1, 4);
    submit(2, 1);
    EXPECT("job 2 task 0 -> team 1\n");
    results(1, 1, 0, 3, 30 * US);
    lost(1);
    EXPECT("job 1 task 3 lost\n"
           "job 1 done\n"
           "job 2 task 0 lost\n"
           "job 2 done\n");
    end();
}

static void retiring_team_leaves_when_it_holds_nothing(void)
{
    begin();
    ready(1);
    ready(2);
    submit(1, 2);
    retire(1);
    EXPECT("");
    CU_ASSERT_EQUAL(retire(1), CADRE_OK);
    EXPECT("");
    submit(2, 1);
    EXPECT("");
    CU_ASSERT_EQUAL(cadre_sched_teams(s), 2);
    results(1, 1, 0, 1, US);
    EXPECT("team 1 out\n");
    CU_ASSERT_EQUAL(cadre_sched_teams(s), 1);
    results(2, 1, 1, 1, US);
    EXPECT("job 1 done\n"
           "job 2 task 0 -> team 2\n");
    CU_ASSERT_EQUAL(retire(1), CADRE_EINVAL);
    end();
}

static void idle_team_retires_at_once(void)
{
    begin();
    ready(1);
    retire(1);
    EXPECT("team 1 out\n");
    submit(1, 1);
    EXPECT("");
    ready(1);
    EXPECT("job 1 task 0 -> team 1\n");
    end();
}

static void retiring_team_may_be_lost(void)
{
    begin();
    ready(1);
    submit(1, 1);
    retire(1);
    lost(1);
    EXPECT("job 1 task 0 lost\n"
           "job 1 done\n");
    CU_ASSERT_EQUAL(cadre_sched_teams(s), 0);
    end();
}

static void cancel_drops_what_was_not_sent(void)
{
    begin();
    ready(1);
    submit(1, 10);
    submit(2, 10);
    submit(3, 1);
    cancel(2);
    EXPECT("job 2 tasks 0-9 cancelled\n"
           "job 2 done\n");
    cancel(1);
    EXPECT("job 1 tasks 1-9 cancelled\n");
    CU_ASSERT_EQUAL(cancel(1), CADRE_OK);
    EXPECT("");
    results(1, 1, 0, 1, US);
    EXPECT("job 1 done\n"
           "job 3 task 0 -> team 1\n");
    CU_ASSERT_EQUAL(cancel(1), CADRE_EINVAL);
    end();
}

static void cancel_of_all_drops_every_job_that_waits(void)
{
    begin();
    ready(1);
    submit(1, 3);
    submit(2, 1);
    submit(3, 2);
    CU_ASSERT_EQUAL(cancel(0), CADRE_OK);
    EXPECT("job 1 tasks 1-2 cancelled\n"
           "job 2 task 0 cancelled\n"
           "job 2 done\n"
           "job 3 tasks 0-1 cancelled\n"
           "job 3 done\n");
    results(1, 1, 0, 1, US);
    EXPECT("job 1 done\n");
    CU_ASSERT_EQUAL(cancel(0), CADRE_OK);
    EXPECT("");
    end();
}

static void unsent_tasks_go_before_all_others_in_their_order(void)
{
    begin();
    ready(1);
    ready(2);
    submit(1, 1);
    submit(2, 1);
    submit(3, 2);
    unsent(1, 1, 0, 1);
    EXPECT("");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 3);
    CU_ASSERT_EQUAL(cadre_sched_running(s), 1);
    unsent(2, 2, 0, 1);
    EXPECT("");
    CU_ASSERT_EQUAL(unsent(2, 2, 0, 1), CADRE_EINVAL);
    tick();
    EXPECT("job 1 task 0 -> team 1\n"
           "job 2 task 0 -> team 2\n");
    results(2, 2, 0, 1, SECOND);
    EXPECT("job 2 done\n"
           "job 3 task 0 -> team 2\n");
    end();
}

static void unsent_batch_may_be_any_that_a_team_holds(void)
{
    begin();
    ready(1);
    teach(1, MS, 100);
    submit(1, 40);
    EXPECT("job 1 tasks 0-4 -> team 1\n"
           "job 1 tasks 5-9 -> team 1\n");
    unsent(1, 1, 5, 5);
    tick();
    EXPECT("job 1 tasks 5-9 -> team 1\n");
    unsent(1, 1, 0, 5);
    tick();
    EXPECT("job 1 tasks 0-4 -> team 1\n");
    results(1, 1, 5, 5, 5 * MS);
    EXPECT("job 1 tasks 10-14 -> team 1\n");
    end();
}

static void batch_with_results_was_not_unsent(void)
{
    begin();
    ready(1);
    teach(1, 10 * US, 10);
    submit(1, 4);
    results(1, 1, 0, 1, 10 * US);
    CU_ASSERT_EQUAL(unsent(1, 1, 0, 4), CADRE_EINVAL);
    CU_ASSERT_EQUAL(unsent(1, 1, 1, 3), CADRE_EINVAL);
    CU_ASSERT_EQUAL(unsent(2, 1, 1, 3), CADRE_EINVAL);
    end();
}

static void cancel_drops_what_came_back(void)
{
    begin();
    ready(1);
    ready(2);
    ready(3);
    submit(1, 5);
    unsent(1, 1, 0, 1);
    unsent(2, 1, 1, 1);
    cancel(1);
    EXPECT("job 1 task 0 cancelled\n"
           "job 1 task 1 cancelled\n"
           "job 1 tasks 3-4 cancelled\n");
    unsent(3, 1, 2, 1);
    EXPECT("job 1 task 2 cancelled\n"
           "job 1 done\n");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 0);
    end();
}

static void retiring_team_leaves_when_its_batch_was_not_sent(void)
{
    begin();
    ready(1);
    submit(1, 1);
    retire(1);
    unsent(1, 1, 0, 1);
    EXPECT("team 1 out\n");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 1);
    end();
}

static void next_results_are_foretold(void)
{
    begin();
    ready(1);
    ready(2);
    CU_ASSERT_EQUAL(cadre_sched_next_results_ns(s), UINT64_MAX);
    submit(1, 1);
    CU_ASSERT_EQUAL(cadre_sched_next_results_ns(s), UINT64_MAX);
    now_ns = SECOND;
    results(1, 1, 0, 1, SECOND);
    submit(2, 1);
    CU_ASSERT_EQUAL(cadre_sched_next_results_ns(s), 2 * SECOND);
    now_ns = SECOND + MS;
    submit(3, 1);
    CU_ASSERT_EQUAL(cadre_sched_next_results_ns(s), 2 * SECOND);
    lost(1);
    CU_ASSERT_EQUAL(cadre_sched_next_results_ns(s), 2 * SECOND + MS);
    now_ns = 0; /* a time that is too early is taken as the last one */
    results(2, 3, 0, 1, SECOND);
    submit(4, 1);
    CU_ASSERT_EQUAL(cadre_sched_next_results_ns(s), 2 * SECOND + MS);
    end();
}

static void slow_first_call_is_soon_forgotten(void)
{
    unsigned i = 1;

    begin();
    ready(1);
    submit(1, 1000000);
    results(1, 1, 0, 1, 100 * MS); /* cold; 20 ns is the truth */
    for (; i < sent_count && cadre_sched_waiting(s) > 900000; i++)
        results(1, 1, sent[i].first, sent[i].count, 20 * sent[i].count);
    CU_ASSERT(i < 60);
    end();
}

static void tasks_a_lost_team_had_not_begun_wait_again(void)
{
    begin();
    ready(1);
    teach(1, MS, 100);
    submit(1, 40);
    EXPECT("job 1 tasks 0-4 -> team 1\n"
           "job 1 tasks 5-9 -> team 1\n");
    lost_after(1, 3, 0);
    EXPECT("job 1 tasks 0-2 lost\n"
           "job 1 tasks 3-4 again (1)\n"
           "job 1 tasks 5-9 again (1)\n");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 37);
    CU_ASSERT_EQUAL(cadre_sched_running(s), 0);
    ready(2);
    EXPECT("job 1 tasks 3-4 -> team 2\n"
           "job 1 tasks 5-9 -> team 2\n"
           "job 1 tasks 10-14 -> team 2\n");
    end();
}

static void the_task_that_ran_when_its_team_was_ended_fails_in_its_way(void)
{
    begin();
    ready(1);
    ready(2);
    teach(1, MS, 100);
    submit_chunks(1, 4, 4);
    EXPECT("job 1 tasks 0-3 -> team 1\n");
    results(1, 1, 0, 1, MS);
    lost_after(1, 2, CADRE_ETIMEOUT);
    EXPECT("job 1 task 1 lost\n" /* had ended, but nobody knows how */
           "job 1 task 2 too late\n"
           "job 1 task 3 again (1)\n"
           "job 1 task 3 -> team 2\n");
    lost_after(2, 99, CADRE_ETIMEOUT);
    EXPECT("job 1 task 3 too late\n"
           "job 1 done\n");
    end();
}

static void cancelled_tasks_of_a_lost_team_do_not_wait_again(void)
{
    begin();
    ready(1);
    teach(1, MS, 100);
    submit_chunks(1, 3, 3);
    cancel(1);
    lost_after(1, 1, 0);
    EXPECT("job 1 task 0 lost\n"
           "job 1 tasks 1-2 cancelled\n"
           "job 1 done\n");
    end();
}

static void a_task_that_fails_is_tried_again_until_its_attempts_are_used(void)
{
    begin();
    ready(1);
    submit_tough(1, 1, 0);
    EXPECT("job 1 task 0 -> team 1\n");
    failed(1, 1, 0, CADRE_ETASK);
    EXPECT("job 1 task 0 again (2)\n"
           "job 1 task 0 -> team 1 (2)\n");
    lost_after(1, 1, 0);
    EXPECT("job 1 task 0 again (3)\n");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 1);
    ready(2);
    EXPECT("job 1 task 0 -> team 2 (3)\n");
    lost(2);
    EXPECT("job 1 task 0 lost\n"
           "job 1 done\n");
    end();
}

static void a_task_whose_last_attempt_is_right_ends_right(void)
{
    begin();
    ready(1);
    submit_tough(1, 1, 0);
    failed(1, 1, 0, CADRE_ETASK);
    failed(1, 1, 0, CADRE_ETASK);
    EXPECT("job 1 task 0 again (3)\n"
           "job 1 task 0 -> team 1 (3)\n");
    results(1, 1, 0, 1, US);
    EXPECT("job 1 done\n");
    submit_tough(1, 1, 0); /* a new job of the same id starts afresh */
    EXPECT("job 1 task 0 -> team 1\n");
    failed(1, 1, 0, CADRE_ETASK);
    EXPECT("job 1 task 0 again (2)\n"
           "job 1 task 0 -> team 1 (2)\n");
    failed(1, 1, 0, CADRE_ETASK);
    failed(1, 1, 0, CADRE_ETASK);
    EXPECT("job 1 done\n"); /* its last failure is its end */
    end();
}

static void only_chosen_failures_are_tried_again(void)
{
    struct cadre_event event = {
        .type = CADRE_EV_SUBMIT,
        .submit = {.job = 1,
                   .count = 2,
                   .kind = 1,
                   .retries = 1,
                   .retry_on = UINT32_C(1) << CADRE_ELOST}};

    begin();
    ready(1);
    step(event);
    failed(1, 1, 0, CADRE_ETASK);
    EXPECT("job 1 task 1 -> team 1\n");
    lost_after(1, 1, CADRE_ELOST);
    EXPECT("job 1 task 1 again (2)\n");
    end();
}

static void tasks_tried_again_travel_alone_and_first(void)
{
    struct cadre_failed_task two[] = {{1, CADRE_ETASK}, {2, CADRE_ETASK}};
    struct cadre_event event = {.type = CADRE_EV_RESULTS,
                                .results = {.team = 1,
                                            .job = 1,
                                            .first = 0,
                                            .count = 5,
                                            .elapsed_ns = 5 * MS,
                                            .failed = two,
                                            .nfailed = 2}};

    begin();
    ready(1);
    teach(1, MS, 100);
    submit_tough(1, 1000, 0);
    EXPECT("job 1 tasks 0-4 -> team 1\n"
           "job 1 tasks 5-9 -> team 1\n");
    step(event);
    EXPECT("job 1 task 1 again (2)\n"
           "job 1 task 2 again (2)\n"
           "job 1 task 1 -> team 1 (2)\n"
           "job 1 task 2 -> team 1 (2)\n"
           "job 1 tasks 10-14 -> team 1\n");
    lost_after(1, 6, 0); /* 5-9 had ended without a word, 1 was running */
    EXPECT("job 1 task 5 again (2)\n"
           "job 1 task 6 again (2)\n"
           "job 1 task 7 again (2)\n"
           "job 1 task 8 again (2)\n"
           "job 1 task 9 again (2)\n"
           "job 1 task 1 again (3)\n"
           "job 1 task 2 again (2)\n" /* it had failed once, as before */
           "job 1 tasks 10-14 again (1)\n");
    end();
}

static void back_off_doubles_and_any_event_ends_it(void)
{
    begin();
    ready(1);
    submit_tough(1, 1, SECOND);
    CU_ASSERT_EQUAL(cadre_sched_next_retry_ns(s), UINT64_MAX);
    failed(1, 1, 0, CADRE_ETASK);
    EXPECT("job 1 task 0 again (2)\n");
    CU_ASSERT_EQUAL(cadre_sched_next_retry_ns(s), SECOND);
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 1);
    now_ns = SECOND - 1;
    tick();
    EXPECT("");
    submit(2, 1); /* nobody else waits for it */
    EXPECT("job 2 task 0 -> team 1\n");
    now_ns = SECOND;
    results(1, 2, 0, 1, US);
    EXPECT("job 2 done\n"
           "job 1 task 0 -> team 1 (2)\n");
    CU_ASSERT_EQUAL(cadre_sched_next_retry_ns(s), UINT64_MAX);
    failed(1, 1, 0, CADRE_ETASK);
    CU_ASSERT_EQUAL(cadre_sched_next_retry_ns(s), 3 * SECOND);
    now_ns = 3 * SECOND;
    tick();
    EXPECT("job 1 task 0 -> team 1 (3)\n");
    end();
}

static void cancel_ends_the_wait_for_another_attempt(void)
{
    begin();
    ready(1);
    submit_tough(1, 3, SECOND);
    submit_tough(2, 1, SECOND);
    failed(1, 1, 0, CADRE_ETASK);
    failed(1, 1, 1, CADRE_ETASK);
    cancel(1);
    EXPECT("job 1 task 0 cancelled\n"
           "job 1 task 1 cancelled\n");
    failed(1, 1, 2, CADRE_ETASK); /* no further attempt */
    EXPECT("job 1 done\n"
           "job 2 task 0 -> team 1\n");
    failed(1, 2, 0, CADRE_ETASK);
    CU_ASSERT_EQUAL(cancel(0), CADRE_OK);
    EXPECT("job 2 task 0 cancelled\n"
           "job 2 done\n");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 0);
    CU_ASSERT_EQUAL(cadre_sched_next_retry_ns(s), UINT64_MAX);
    end();
}

static void failures_that_cannot_be_are_refused(void)
{
    struct cadre_failed_task f[] = {{3, CADRE_ETASK}, {2, CADRE_ETASK}};
    struct cadre_event event = {
        .type = CADRE_EV_RESULTS,
        .results = {
            .team = 1, .job = 1, .count = 4, .failed = f, .nfailed = 2}};

    begin();
    ready(1);
    teach(1, MS, 100);
    submit_chunks(1, 4, 4);
    CU_ASSERT_EQUAL(step(event), CADRE_EINVAL); /* out of order */
    event.results.nfailed = 1;
    f[0].task = 4;
    CU_ASSERT_EQUAL(step(event), CADRE_EINVAL);
    f[0] = (struct cadre_failed_task){0, CADRE_OK};
    CU_ASSERT_EQUAL(step(event), CADRE_EINVAL);
    f[0].err = 32;
    CU_ASSERT_EQUAL(step(event), CADRE_EINVAL);
    f[0].err = CADRE_ETASK;
    CU_ASSERT_EQUAL(step(event), CADRE_OK);
    EXPECT("job 1 done\n");
    end();
}

static void held_job_is_queued_with_its_last_release(void)
{
    begin();
    ready(1);
    submit_held(1, 2, 2);
    EXPECT("");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 2);
    submit(2, 2);
    EXPECT("job 2 task 0 -> team 1\n");
    CU_ASSERT_EQUAL(release(1), CADRE_OK);
    EXPECT("");
    results(1, 2, 0, 1, SECOND);
    EXPECT("job 2 task 1 -> team 1\n");
    CU_ASSERT_EQUAL(release(1), CADRE_OK);
    EXPECT("");
    CU_ASSERT_EQUAL(release(1), CADRE_EINVAL);
    CU_ASSERT_EQUAL(release(2), CADRE_EINVAL);
    CU_ASSERT_EQUAL(release(3), CADRE_EINVAL);
    results(1, 2, 1, 1, SECOND);
    EXPECT("job 2 done\n"
           "job 1 task 0 -> team 1\n");
    end();
}

static void held_job_may_be_cancelled(void)
{
    begin();
    submit_held(1, 5, 1);
    submit_held(2, 1, 1);
    submit_held(3, 1, 1);
    submit(4, 1);
    cancel(1);
    EXPECT("job 1 tasks 0-4 cancelled\n"
           "job 1 done\n");
    CU_ASSERT_EQUAL(release(1), CADRE_EINVAL);
    CU_ASSERT_EQUAL(cancel(0), CADRE_OK);
    EXPECT("job 4 task 0 cancelled\n"
           "job 4 done\n"
           "job 2 task 0 cancelled\n"
           "job 2 done\n"
           "job 3 task 0 cancelled\n"
           "job 3 done\n");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 0);
    end();
}

static void held_work_does_not_count_as_work_that_waits(void)
{
    begin();
    ready(1);
    teach(1, MS, 100);
    submit_held(1, 1000, 1);
    submit(2, 8); /* batches as if job 1 were not there */
    EXPECT("job 2 tasks 0-3 -> team 1\n");
    end();
}

static void weight_of_a_held_job_may_come_with_its_release(void)
{
    struct cadre_event event = {.type = CADRE_EV_RELEASE,
                                .release = {.job = 1, .bytes_per_task = 5000}};

    begin_with((struct cadre_sched_options){.inflight_bytes = 1000});
    ready(1);
    teach(1, 10, 1000);
    submit_held(1, 10, 1);
    step(event);
    EXPECT("job 1 task 0 -> team 1\n"); /* too heavy for a second one */
    end();
}

static void a_task_for_a_seat_goes_to_its_team_in_its_turn(void)
{
    begin();
    ready_at(1, 1);
    ready_at(2, 2);
    submit_for(1, 2);
    EXPECT("job 1 task 0 -> team 2\n");
    submit(2, 1);
    EXPECT("job 2 task 0 -> team 1\n");
    submit_for(3, 1); /* behind what that has, of whatever length */
    EXPECT("job 3 task 0 -> team 1\n");
    submit(4, 1);
    submit_for(5, 2); /* but not before what came earlier */
    EXPECT("");
    results(2, 1, 0, 1, SECOND);
    EXPECT("job 1 done\njob 4 task 0 -> team 2\njob 5 task 0 -> team 2\n");
    CU_ASSERT_EQUAL(cadre_sched_running(s), 4);
    end();
}

static void a_task_waits_for_who_takes_its_seat(void)
{
    begin();
    ready_at(1, 1);
    submit_for(1, 2);
    submit(2, 1); /* is behind it */
    EXPECT("");
    ready_at(2, 2);
    EXPECT("job 1 task 0 -> team 2\njob 2 task 0 -> team 1\n");
    retire(2);
    submit_for(3, 2); /* who leaves has no seat */
    EXPECT("");
    cancel(3);
    EXPECT("job 3 task 0 cancelled\njob 3 done\n");
    submit_for(4, 2);
    ready_at(3, 2);
    EXPECT("job 4 task 0 -> team 3\n");
    end();
}

static void a_task_for_a_closed_seat_is_dropped(void)
{
    begin();
    ready_at(1, 1);
    submit_for(1, 2);
    submit(2, 1);
    submit_for(3, 2);
    close_seat(2, true);
    EXPECT("job 1 task 0 lost\njob 1 done\njob 2 task 0 -> team 1\n"
           "job 3 task 0 lost\njob 3 done\n");
    submit_for(4, 2);
    EXPECT("job 4 task 0 lost\njob 4 done\n");
    close_seat(2, false);
    submit_for(5, 2);
    EXPECT("");
    close_seat(2, true);
    EXPECT("job 5 task 0 lost\njob 5 done\n");
    ready_at(2, 2); /* it is open */
    submit_for(6, 2);
    EXPECT("job 6 task 0 -> team 2\n");
    lost(2);
    EXPECT("job 6 task 0 again (2)\n");
    ready_at(3, 2);
    EXPECT("job 6 task 0 -> team 3 (2)\n");
    lost(3);
    EXPECT("job 6 task 0 lost\njob 6 done\n");
    end();
}

/* It goes before what was to see what it does, though it had begun. */
static void a_task_for_a_lost_team_keeps_its_place(void)
{
    begin();
    ready_at(1, 1);
    teach(1, US, 16);
    submit_for(1, 1);
    results(1, 1, 0, 1, US);
    submit(2, 1);
    submit_for(3, 1);
    submit(4, 1);
    EXPECT("job 4 task 0 -> team 1\n");
    lost_after(1, 2, 0);
    EXPECT("job 2 task 0 lost\njob 2 done\njob 3 task 0 again (2)\n"
           "job 4 task 0 again (1)\n");
    ready_at(2, 1);
    EXPECT("job 3 task 0 -> team 2 (2)\njob 4 task 0 -> team 2\n");
    end();
}

/* A team has room for so many bytes; what waits for it is not overtaken. */
static void a_task_for_a_seat_waits_for_room(void)
{
    begin_with((struct cadre_sched_options){.inflight_bytes = 100});
    ready_at(1, 1);
    for (cadre_job_id job = 1; job <= 3; job++)
        step((struct cadre_event){.type = CADRE_EV_SUBMIT,
                                  .submit = {.job = job,
                                             .count = 1,
                                             .kind = 1,
                                             .seat = 1,
                                             .bytes_per_task = 60}});
    CU_ASSERT_EQUAL(cadre_sched_running(s), 1);
    ready_at(2, 2);
    submit(4, 1);
    EXPECT("");
    results(1, 1, 0, 1, MS);
    EXPECT("job 1 done\njob 2 task 0 -> team 1\n");
    results(1, 2, 0, 1, MS);
    EXPECT("job 2 done\njob 3 task 0 -> team 1\njob 4 task 0 -> team 2\n");
    end();
}

static void seats_that_cannot_be_are_refused(void)
{
    begin();
    CU_ASSERT_EQUAL(ready_at(1, 1), CADRE_OK);
    CU_ASSERT_EQUAL(ready_at(2, 1), CADRE_EINVAL);
    CU_ASSERT_EQUAL(close_seat(1, true), CADRE_EINVAL);
    CU_ASSERT_EQUAL(close_seat(0, true), CADRE_EINVAL);
    CU_ASSERT_EQUAL(close_seat(2, true), CADRE_OK);
    CU_ASSERT_EQUAL(close_seat(2, true), CADRE_OK);
    CU_ASSERT_EQUAL(
        step((struct cadre_event){.type = CADRE_EV_SUBMIT,
                                  .submit = {.job = 1, .count = 2, .seat = 1}}),
        CADRE_EINVAL);
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 0);
    end();
}

static void absurd_numbers_do_no_harm(void)
{
    begin();
    ready(1);
    submit(1, UINT64_C(1) << 48);
    results(1, 1, 0, 1, UINT64_MAX);
    EXPECT("job 1 task 1 -> team 1\n");
    now_ns = UINT64_C(1) << 62;
    results(1, 1, 1, 1, 0);
    EXPECT("job 1 task 2 -> team 1\n");
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), (UINT64_C(1) << 48) - 3);
    end();
    begin();
    ready(1);
    submit(1, UINT64_C(1) << 48);
    results(1, 1, 0, 1, 0);
    EXPECT("job 1 tasks 1-16 -> team 1\n");
    end();
}

/* The steps of the sweep below. */
static cadre_err sweep_event(unsigned i)
{
    switch (i % 16) {
    case 0:
        return ready(i + 1);
    case 1:
        return ready(i + 2);
    case 8:
        return i > 16 ? retire(i - 16 - 7) : CADRE_OK;
    case 12:
        return cancel(i - 1);
    default:
        return submit_kind(i, i % 5 == 0 ? 300 : 5, i % 3);
    }
}

/* Let every allocation of `event` fail in turn, until it succeeds. */
static void sweep(cadre_err (*event)(unsigned), unsigned i)
{
    uint64_t waiting = cadre_sched_waiting(s);
    uint64_t running = cadre_sched_running(s);
    uint32_t teams = cadre_sched_teams(s);
    cadre_err err = CADRE_ENOMEM;

    for (unsigned n = 1; err == CADRE_ENOMEM; n++) {
        CU_ASSERT_EQUAL(cadre_sched_waiting(s), waiting);
        CU_ASSERT_EQUAL(cadre_sched_running(s), running);
        CU_ASSERT_EQUAL(cadre_sched_teams(s), teams);
        alloc_fail_at(n);
        err = event(i);
        CU_ASSERT(alloc_has_failed() || err != CADRE_ENOMEM);
    }
    CU_ASSERT_EQUAL(err, CADRE_OK);
}

static cadre_err unsent_first(unsigned team)
{
    return unsent(team, 1, 0, 1);
}

static cadre_err lose(unsigned team)
{
    return lost(team);
}

static cadre_err lose_some(unsigned team)
{
    return lost_after(team, 100, 0);
}

static cadre_err submit_special(unsigned job)
{
    return step((struct cadre_event){.type = CADRE_EV_SUBMIT,
                                     .submit = {.job = job,
                                                .count = 300,
                                                .chunk = 300,
                                                .kind = 1,
                                                .holds = job % 2,
                                                .retries = 1,
                                                .retry_on = UINT32_MAX}});
}

static cadre_err submit_for_seat(unsigned job)
{
    return submit_for(job, job % 3 + 1);
}

static cadre_err take_seat(unsigned team)
{
    return ready_at(team, team);
}

static cadre_err close_third(unsigned unused)
{
    (void)unused;
    return close_seat(3, true);
}

static cadre_err cancel_last(unsigned team)
{
    (void)team;
    return cancel(399);
}

static cadre_err fast_results(unsigned team)
{
    return results(team, 1, 0, 1, US);
}

static void failed_step_changes_nothing(void)
{
    begin();
    for (unsigned i = 0; i < 600; i++)
        sweep(sweep_event, i);
    end();

    begin();
    ready(1);
    submit(1, 1);
    for (cadre_job_id job = 2; job < 400; job++)
        submit(job, 1);
    sweep(unsent_first, 1);
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 399);
    tick();
    EXPECT("job 1 task 0 -> team 1\n");
    sweep(fast_results, 1);
    tick(); /* if memory was short for sending ahead, this makes up for it */
    CU_ASSERT_EQUAL(cadre_sched_running(s), 16);
    sweep(lose, 1);
    CU_ASSERT_EQUAL(cadre_sched_running(s), 0);
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 399 - 17);
    sweep(cancel_last, 1);
    end();

    begin();
    for (unsigned job = 1; job < 600; job++)
        sweep(submit_special, job);
    ready(1);
    sweep(lose_some, 1);
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 599 * 300);
    end();

    begin();
    for (unsigned job = 3; job < 400; job++)
        sweep(submit_for_seat, job);
    sweep(take_seat, 1);
    sweep(take_seat, 2);
    tick();
    CU_ASSERT_EQUAL(cadre_sched_running(s), 2);
    sweep(close_third, 0);
    for (unsigned i = 0; i < 400; i++) /* where memory was short */
        tick();
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 0);
    CU_ASSERT_EQUAL(cadre_sched_running(s), 265);
    sweep(lose, 1);
    CU_ASSERT_EQUAL(cadre_sched_running(s), 132);
    end();

    begin();
    for (unsigned job = 1; job < 400; job++)
        submit_for(3 * job + 2, 3);
    sweep(close_third, 0);
    for (unsigned i = 0; i < 400; i++)
        tick();
    CU_ASSERT_EQUAL(cadre_sched_waiting(s), 0);
    end();
}

static void create_may_fail(void)
{
    struct cadre_sched *none = NULL;

    alloc_fail_at(1);
    CU_ASSERT_EQUAL(cadre_sched_create(NULL, &none), CADRE_ENOMEM);
    CU_ASSERT(alloc_has_failed());
    CU_ASSERT_PTR_NULL(none);
    cadre_sched_destroy(NULL);
}

/* Bytes in use, where the C library's own malloc is (not a sanitizer's). */
static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void queued_job_costs_72_bytes(void)
{
    size_t before = in_use();

    begin();
    for (cadre_job_id job = 1; job <= 1500000; job++) {
        submit(job, 1);
        if (job > 500000 && job % 1000 == 0)
            CU_ASSERT(in_use() - before <= 72 * job);
    }
    end();
}

static const struct check_test tests[] = {
    CHECK(tasks_wait_for_a_team),
    CHECK(unmeasured_tasks_go_one_to_each_idle_team),
    CHECK(team_that_worked_last_is_served_first),
    CHECK(batches_grow_by_a_factor_of_16),
    CHECK(batch_lasts_5_ms_and_10_ms_are_held),
    CHECK(batches_shrink_towards_the_end),
    CHECK(work_of_other_jobs_counts_as_left),
    CHECK(long_tasks_are_not_sent_ahead),
    CHECK(unmeasured_tasks_are_not_sent_ahead),
    CHECK(later_job_waits_for_the_earlier_one),
    CHECK(job_may_fix_its_chunk),
    CHECK(single_task_jobs_are_sent_ahead_together),
    CHECK(team_holds_4096_batches_at_most),
    CHECK(least_loaded_team_gets_more_first),
    CHECK(late_team_gets_nothing_ahead),
    CHECK(held_bytes_are_bounded_but_for_one_task),
    CHECK(tasks_of_different_weight_are_added_up),
    CHECK(results_may_come_in_parts),
    CHECK(results_that_a_team_cannot_have_are_refused),
    CHECK(contradictions_are_refused),
    CHECK(id_of_a_job_that_is_done_is_free_again),
    CHECK(tasks_of_a_lost_team_are_dropped),
    CHECK(what_an_unseen_team_was_ended_for_is_told),
    CHECK(last_team_lost_leaves_the_rest_waiting),
    CHECK(part_that_had_results_is_not_dropped),
    CHECK(retiring_team_leaves_when_it_holds_nothing),
    CHECK(idle_team_retires_at_once),
    CHECK(retiring_team_may_be_lost),
    CHECK(cancel_drops_what_was_not_sent),
    CHECK(cancel_of_all_drops_every_job_that_waits),
    CHECK(unsent_tasks_go_before_all_others_in_their_order),
    CHECK(unsent_batch_may_be_any_that_a_team_holds),
    CHECK(batch_with_results_was_not_unsent),
    CHECK(cancel_drops_what_came_back),
    CHECK(retiring_team_leaves_when_its_batch_was_not_sent),
    CHECK(next_results_are_foretold),
    CHECK(slow_first_call_is_soon_forgotten),
    CHECK(tasks_a_lost_team_had_not_begun_wait_again),
    CHECK(the_task_that_ran_when_its_team_was_ended_fails_in_its_way),
    CHECK(cancelled_tasks_of_a_lost_team_do_not_wait_again),
    CHECK(a_task_that_fails_is_tried_again_until_its_attempts_are_used),
    CHECK(a_task_whose_last_attempt_is_right_ends_right),
    CHECK(only_chosen_failures_are_tried_again),
    CHECK(tasks_tried_again_travel_alone_and_first),
    CHECK(back_off_doubles_and_any_event_ends_it),
    CHECK(cancel_ends_the_wait_for_another_attempt),
    CHECK(failures_that_cannot_be_are_refused),
    CHECK(held_job_is_queued_with_its_last_release),
    CHECK(held_job_may_be_cancelled),
    CHECK(held_work_does_not_count_as_work_that_waits),
    CHECK(weight_of_a_held_job_may_come_with_its_release),
    CHECK(a_task_for_a_seat_goes_to_its_team_in_its_turn),
    CHECK(a_task_waits_for_who_takes_its_seat),
    CHECK(a_task_for_a_closed_seat_is_dropped),
    CHECK(a_task_for_a_lost_team_keeps_its_place),
    CHECK(a_task_for_a_seat_waits_for_room),
    CHECK(seats_that_cannot_be_are_refused),
    CHECK(absurd_numbers_do_no_harm),
    CHECK(failed_step_changes_nothing),
    CHECK(create_may_fail),
    CHECK(queued_job_costs_72_bytes),
    {NULL, NULL},
};

int main(void)
{
    return check_run("sched", tests);
}
