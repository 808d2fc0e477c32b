/* test_gang.c - which teams there are where tasks want different numbers of
 * ranks: single decisions, and a simulated pool. */
#include "check.h"

#include "gang.h"

#include <stdlib.h>
#include <string.h>

enum { MS = 1000000 };

static void decides(const struct cadre_gang_state *state,
                    enum cadre_gang_action action, int lane)
{
    struct cadre_gang_decision d = cadre_gang_decide(state);

    CU_ASSERT_EQUAL(d.action, action);
    if (action != CADRE_GANG_NONE)
        CU_ASSERT_EQUAL(d.lane, lane);
}

static void nothing_is_done_where_nobody_waits(void)
{
    struct cadre_lane_state lanes[] = {{.ranks = 1, .idle = 2},
                                       {.ranks = 2, .busy = 1}};

    decides(&(struct cadre_gang_state){.lanes = lanes, .nlanes = 2, .free = 4},
            CADRE_GANG_NONE, 0);
}

static void free_ranks_become_a_team(void)
{
    struct cadre_lane_state lanes[] = {{.ranks = 1}, {.ranks = 2}};
    struct cadre_gang_state state = {.lanes = lanes, .nlanes = 2, .free = 2};

    lanes[1].is_waiting = true;
    decides(&state, CADRE_GANG_FORM, 1);
}

static void a_lane_with_an_idle_team_needs_no_other(void)
{
    struct cadre_lane_state lanes[] = {
        {.ranks = 2, .is_waiting = true, .idle = 1}};

    decides(&(struct cadre_gang_state){.lanes = lanes, .nlanes = 1, .free = 2},
            CADRE_GANG_NONE, 0);
}

static void who_waits_longest_comes_first(void)
{
    struct cadre_lane_state lanes[] = {
        {.ranks = 1, .is_waiting = true, .since_ns = 20},
        {.ranks = 2, .is_waiting = true, .since_ns = 10},
        {.ranks = 3, .is_waiting = true, .since_ns = 30}};

    decides(&(struct cadre_gang_state){.lanes = lanes, .nlanes = 3, .free = 4},
            CADRE_GANG_FORM, 1);
}

static void the_idle_team_that_fits_best_is_given_up(void)
{
    struct cadre_lane_state lanes[] = {
        {.ranks = 1, .idle = 1},
        {.ranks = 2, .idle = 1},
        {.ranks = 4, .idle = 1},
        {.ranks = 3, .is_waiting = true, .since_ns = 1}};
    struct cadre_gang_state state = {.lanes = lanes, .nlanes = 4, .free = 1};

    decides(&state, CADRE_GANG_END_IDLE, 1);
    lanes[1].idle = 0;
    decides(&state, CADRE_GANG_END_IDLE, 2);
    lanes[2].idle = 0;
    decides(&state, CADRE_GANG_END_IDLE, 0);
}

static void busy_teams_leave_for_a_lane_without_a_team(void)
{
    struct cadre_lane_state lanes[] = {
        {.ranks = 1, .is_waiting = true, .since_ns = 5, .busy = 4},
        {.ranks = 3, .is_waiting = true, .since_ns = 1}};
    struct cadre_gang_state state = {.lanes = lanes, .nlanes = 2};

    decides(&state, CADRE_GANG_END_BUSY, 0);
    lanes[0].busy = 1;
    state.leaving = 3; /* as many as are missing */
    decides(&state, CADRE_GANG_NONE, 0);
    state.leaving = 0;
    lanes[1].busy = 1; /* it has its share */
    decides(&state, CADRE_GANG_NONE, 0);
}

static void what_is_kept_is_lent_to_short_tasks_only(void)
{
    struct cadre_lane_state lanes[] = {
        {.ranks = 1, .is_waiting = true, .since_ns = 5, .task_ns = 2 * MS},
        {.ranks = 3, .is_waiting = true, .since_ns = 1}};
    struct cadre_gang_state state = {
        .lanes = lanes, .nlanes = 2, .free = 1, .leaving = 2, .gap_ns = 9 * MS};

    decides(&state, CADRE_GANG_FORM_ONE, 0);
    state.gap_ns = MS;
    decides(&state, CADRE_GANG_NONE, 0);
    state.gap_ns = 9 * MS;
    lanes[0].task_ns = 0; /* nobody knows how long they take */
    decides(&state, CADRE_GANG_NONE, 0);
    state.leaving = 3; /* one more than is missing */
    decides(&state, CADRE_GANG_FORM, 0);
}

/* --- a simulated pool ------------------------------------------------------
 */

enum { LANES = 5, TEAMS = 16 };

/* A pool of `ranks`: teams of each lane, each with at most one task. */
struct pool {
    int ranks;
    struct {
        uint64_t tasks; /* that wait */
        uint64_t since_ns;
        uint64_t worst_ns; /* the longest that it waited for a start */
        uint64_t task_ns;
    } lanes[LANES];
    struct {
        int lane; /* -1: no such team */
        bool is_leaving, is_once;
        uint64_t until_ns; /* 0: idle */
    } teams[TEAMS];
    uint64_t now_ns, ended, busy_rank_ns;
};

static int ranks_of(int lane)
{
    return lane + 1;
}

static void look(const struct pool *p, struct cadre_gang_state *s)
{
    s->nlanes = LANES;
    s->free = p->ranks;
    s->leaving = 0;
    s->gap_ns = 0;
    for (int i = 0; i < LANES; i++)
        s->lanes[i] =
            (struct cadre_lane_state){.ranks = ranks_of(i),
                                      .is_waiting = p->lanes[i].tasks > 0,
                                      .since_ns = p->lanes[i].since_ns,
                                      .task_ns = p->lanes[i].task_ns};
    for (int i = 0; i < TEAMS; i++) {
        uint64_t left = p->teams[i].until_ns - p->now_ns;

        if (p->teams[i].lane < 0)
            continue;
        s->free -= ranks_of(p->teams[i].lane);
        if (p->teams[i].until_ns > 0 && (s->gap_ns == 0 || left < s->gap_ns))
            s->gap_ns = left;
        if (p->teams[i].is_leaving)
            s->leaving += ranks_of(p->teams[i].lane);
        else if (p->teams[i].until_ns > 0)
            s->lanes[p->teams[i].lane].busy++;
        else
            s->lanes[p->teams[i].lane].idle++;
    }
    CU_ASSERT_FATAL(s->free >= 0);
}

/* Idle teams take what waits. */
static void start(struct pool *p)
{
    for (int i = 0; i < TEAMS; i++) {
        int lane = p->teams[i].lane;
        uint64_t waited;

        if (lane < 0 || p->teams[i].until_ns > 0 || p->teams[i].is_leaving ||
            p->lanes[lane].tasks == 0)
            continue;
        waited = p->now_ns - p->lanes[lane].since_ns;
        if (waited > p->lanes[lane].worst_ns)
            p->lanes[lane].worst_ns = waited;
        p->lanes[lane].tasks--;
        p->lanes[lane].since_ns = p->now_ns;
        p->teams[i].until_ns = p->now_ns + 1 + p->lanes[lane].task_ns;
        p->busy_rank_ns +=
            (p->teams[i].until_ns - p->now_ns) * (uint64_t)ranks_of(lane);
        p->teams[i].is_leaving = p->teams[i].is_once;
    }
}

static int team_of(const struct pool *p, int lane, bool is_idle)
{
    for (int i = 0; i < TEAMS; i++) {
        if (p->teams[i].lane == lane && !p->teams[i].is_leaving &&
            (p->teams[i].until_ns == 0) == is_idle)
            return i;
    }
    return -1;
}

static void form(struct pool *p, int lane, bool is_once)
{
    int i = 0;

    while (i < TEAMS && p->teams[i].lane >= 0)
        i++;
    CU_ASSERT_FATAL(i < TEAMS);
    p->teams[i].lane = lane;
    p->teams[i].is_once = is_once;
    p->teams[i].is_leaving = false;
    p->teams[i].until_ns = 0;
}

/* Do what is decided, as often as there is something. */
static void arrange(struct pool *p)
{
    struct cadre_lane_state lanes[LANES];
    struct cadre_gang_state s = {.lanes = lanes};
    struct cadre_gang_decision d;
    int i;

    start(p);
    for (int steps = 0; steps < 1000; steps++) {
        look(p, &s);
        d = cadre_gang_decide(&s);
        switch (d.action) {
        case CADRE_GANG_NONE:
            return;
        case CADRE_GANG_FORM:
        case CADRE_GANG_FORM_ONE:
            CU_ASSERT_FATAL(ranks_of(d.lane) <= s.free);
            form(p, d.lane, d.action == CADRE_GANG_FORM_ONE);
            start(p);
            break;
        case CADRE_GANG_END_IDLE:
        case CADRE_GANG_END_BUSY:
            i = team_of(p, d.lane, d.action == CADRE_GANG_END_IDLE);
            CU_ASSERT_FATAL(i >= 0);
            if (d.action == CADRE_GANG_END_IDLE)
                p->teams[i].lane = -1;
            else
                p->teams[i].is_leaving = true;
            break;
        }
    }
    CU_FAIL("it never comes to rest");
}

/* On to the next end of a task; false: none is running. */
static bool pass_time(struct pool *p)
{
    int next = -1;

    for (int i = 0; i < TEAMS; i++) {
        if (p->teams[i].lane >= 0 && p->teams[i].until_ns > 0 &&
            (next < 0 || p->teams[i].until_ns < p->teams[next].until_ns))
            next = i;
    }
    if (next < 0)
        return false;
    p->now_ns = p->teams[next].until_ns;
    p->teams[next].until_ns = 0;
    p->ended++;
    if (p->teams[next].is_leaving)
        p->teams[next].lane = -1;
    return true;
}

static void clear(struct pool *p, int ranks)
{
    memset(p, 0, sizeof *p);
    p->ranks = ranks;
    for (int i = 0; i < TEAMS; i++)
        p->teams[i].lane = -1;
}

static void every_task_ends_and_no_lane_starves(void)
{
    srand(1);
    for (int round = 0; round < 300; round++) {
        struct pool p;
        uint64_t submitted = 0, longest = 0;

        clear(&p, LANES + rand() % 4);
        for (int i = 0; i < LANES; i++) {
            p.lanes[i].tasks = (uint64_t)rand() % 60;
            p.lanes[i].task_ns = 1 + (uint64_t)(rand() % 1000) * 1000;
            submitted += p.lanes[i].tasks;
            if (p.lanes[i].task_ns > longest)
                longest = p.lanes[i].task_ns;
        }
        do
            arrange(&p);
        while (pass_time(&p));
        CU_ASSERT_EQUAL(p.ended, submitted);
        /* Each of the other lanes is served, and each of its teams ends. */
        for (int i = 0; i < LANES; i++)
            CU_ASSERT(p.lanes[i].worst_ns <= 2 * LANES * (longest + 1));
    }
}

/* However many tasks of one rank come, one of four starts soon. */
static void a_stream_of_narrow_tasks_does_not_keep_a_wide_one_waiting(void)
{
    struct pool p;

    clear(&p, 4);
    p.lanes[0].tasks = 1000;
    p.lanes[0].task_ns = MS;
    p.lanes[3].task_ns = MS;
    arrange(&p);
    p.lanes[3].tasks = 20;
    p.lanes[3].since_ns = p.now_ns;
    for (int i = 0; i < 600; i++) {
        pass_time(&p);
        arrange(&p);
    }
    CU_ASSERT_EQUAL(p.lanes[3].tasks, 0);
    CU_ASSERT(p.lanes[3].worst_ns <= 4 * (MS + 1));
}

/* The ranks that a wide task leaves are used by narrow ones meanwhile. */
static void narrow_tasks_fill_the_gaps(void)
{
    struct pool p;

    clear(&p, 4);
    for (int lane = 0; lane < 3; lane += 2) {
        p.lanes[lane].tasks = 300;
        p.lanes[lane].task_ns = MS;
    }
    do
        arrange(&p);
    while (pass_time(&p));
    CU_ASSERT_EQUAL(p.ended, 600);
    CU_ASSERT(p.busy_rank_ns * 10 >= 9 * p.now_ns * 4);
}

/* --- the ranks of a team -------------------------------------------------- */

/* The indices are the digits of `want`; "": none are found. */
static void chooses(const char *const *hosts, int n, int size, bool is_near,
                    const char *want)
{
    int chosen[8];
    char got[9] = "";

    if (cadre_gang_choose(hosts, n, size, is_near, chosen)) {
        for (int i = 0; i < size; i++)
            got[i] = (char)('0' + chosen[i]);
        got[size] = '\0';
    }
    CU_ASSERT_STRING_EQUAL(got, want);
}

static void near_ranks_are_on_one_host(void)
{
    const char *two[] = {"a", "b", "a", "b", "b"};

    chooses(two, 5, 2, true, "02");
    chooses(two, 5, 3, true, "134");
    chooses(two, 5, 4, true, "");
    chooses(two, 5, 1, true, "0");
    chooses(two, 0, 1, true, "");
}

static void else_the_first_free_ones_are_taken(void)
{
    const char *two[] = {"a", "b", "a", "b", "b"};

    chooses(two, 5, 4, false, "0123");
    chooses(two, 5, 5, false, "01234");
    chooses(two, 5, 6, false, "");
}

static void ranks_at_work_are_left_alone(void)
{
    const char *hosts[] = {NULL, "b", "a", "b", NULL, "a"};

    chooses(hosts, 6, 2, true, "13");
    chooses(hosts, 6, 3, true, "");
    chooses(hosts, 6, 3, false, "123");
    chooses(hosts, 6, 5, false, "");
    hosts[3] = NULL;
    chooses(hosts, 6, 2, true, "25");
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(nothing_is_done_where_nobody_waits),
        CHECK(free_ranks_become_a_team),
        CHECK(a_lane_with_an_idle_team_needs_no_other),
        CHECK(who_waits_longest_comes_first),
        CHECK(the_idle_team_that_fits_best_is_given_up),
        CHECK(busy_teams_leave_for_a_lane_without_a_team),
        CHECK(what_is_kept_is_lent_to_short_tasks_only),
        CHECK(every_task_ends_and_no_lane_starves),
        CHECK(a_stream_of_narrow_tasks_does_not_keep_a_wide_one_waiting),
        CHECK(narrow_tasks_fill_the_gaps),
        CHECK(near_ranks_are_on_one_host),
        CHECK(else_the_first_free_ones_are_taken),
        CHECK(ranks_at_work_are_left_alone),
        {NULL, NULL}};

    return check_run("gang", tests);
}
