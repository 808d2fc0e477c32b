/* farm_team.c - what a team was sent, and how far each of its members is.
 *
 *     ring:   [ job 7: 0..99 ][ job 7: 100..199 ][ job 9: 0 ]
 *                  ^ rank 1        ^ rank 0
 *              team->done
 *
 * Every member gets every batch and ends its tasks in order. The team has ended
 * what all have: where the last of them is.
 */
#include "farm_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct team *cadre_farm_team_new(struct cadre_farm *farm, int size)
{
    struct team *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->farm = farm;
    t->size = size;
    t->members = calloc((size_t)size, sizeof *t->members);
    if (t->members == NULL) {
        free(t);
        return NULL;
    }
    for (int i = 0; i < size; i++)
        t->members[i].team = t;
    return t;
}

void cadre_farm_team_free(struct team *team)
{
    if (team == NULL)
        return;
    free(team->members);
    free(team->ring);
    for (uint32_t i = 0; i < team->nfailed; i++)
        free(team->failed[i].text);
    free(team->failed);
    free(team);
}

struct cadre_worker *cadre_member_worker(const struct member *member)
{
    return &member->crew->workers[member->peer];
}

void cadre_member_name(const struct member *member, char *text, size_t len)
{
    const struct cadre_worker *w = cadre_member_worker(member);
    const struct team *t = member->team;
    char rank[32] = "";

    if (t->size > 1)
        snprintf(rank, sizeof rank, "rank %d of ", (int)(member - t->members));
    snprintf(text, len, "%s%s %d (process %d on %s)", rank,
             t->size > 1 ? "team" : "worker", (int)t->id - 1,
             (int)w->process.pid, w->process.host);
}

/* --- batches -------------------------------------------------------------- */

static struct sent *batch_at(const struct team *t, uint64_t batch)
{
    assert(batch - t->done.batch < t->held);
    return &t->ring[(t->head + (uint32_t)(batch - t->done.batch)) &
                    (t->ring_cap - 1)];
}

cadre_err cadre_farm_team_reserve_batch(struct team *team)
{
    uint32_t cap = team->ring_cap == 0 ? 4 : 2 * team->ring_cap;
    struct sent *ring;

    if (team->held < team->ring_cap)
        return CADRE_OK;
    if ((ring = calloc(cap, sizeof *ring)) == NULL)
        return CADRE_ENOMEM;
    for (uint32_t i = 0; i < team->held; i++)
        ring[i] = team->ring[(team->head + i) & (team->ring_cap - 1)];
    free(team->ring);
    team->ring = ring;
    team->ring_cap = cap;
    team->head = 0;
    return CADRE_OK;
}

void cadre_farm_team_push_batch(struct team *team, struct sent batch)
{
    assert(team->held < team->ring_cap);
    team->ring[(team->head + team->held) & (team->ring_cap - 1)] = batch;
    team->held++;
}

void cadre_farm_team_recall_batch(struct team *team)
{
    assert(team->held > 0);
    team->held--;
}

const struct sent *cadre_member_batch(const struct member *member)
{
    const struct team *t = member->team;

    return member->done.batch - t->done.batch < t->held
               ? batch_at(t, member->done.batch)
               : NULL;
}

void cadre_member_advance(struct member *member, uint64_t count)
{
    const struct sent *b = cadre_member_batch(member);

    member->done.task += count;
    if (member->done.task == b->count)
        member->done = (struct place){.batch = member->done.batch + 1};
}

/* Where the last of the members is. */
static struct place last_place(const struct team *t)
{
    struct place last = t->members[0].done;

    for (int i = 1; i < t->size; i++) {
        struct place p = t->members[i].done;

        if (p.batch < last.batch ||
            (p.batch == last.batch && p.task < last.task))
            last = p;
    }
    return last;
}

bool cadre_farm_team_next_done(struct team *team, struct sent *run)
{
    struct place last = last_place(team);
    const struct sent *b;
    uint64_t end;

    if (team->held == 0)
        return false;
    b = batch_at(team, team->done.batch);
    end = last.batch > team->done.batch ? b->count : last.task;
    if (end == team->done.task)
        return false;
    *run = (struct sent){.job = b->job,
                         .first = b->first + team->done.task,
                         .count = end - team->done.task};
    team->has_worked = true;
    team->done.task = end;
    if (end == b->count) {
        team->done = (struct place){.batch = team->done.batch + 1};
        team->head = (team->head + 1) & (team->ring_cap - 1);
        team->held--;
    }
    return true;
}

/* --- failures ------------------------------------------------------------- */

static bool has_failed(const struct team *t, uint64_t batch, uint64_t task)
{
    for (uint32_t i = t->size > 1 ? 0 : t->nfailed; i < t->nfailed; i++) {
        if (t->failed[i].batch == batch && t->failed[i].task == task)
            return true;
    }
    return false;
}

cadre_err cadre_farm_team_note_failed(struct member *member,
                                      struct failed_task failed)
{
    struct team *t = member->team;
    uint32_t cap = 2 * t->failed_cap + 8;

    failed.batch = member->done.batch;
    failed.job = cadre_member_batch(member)->job;
    failed.index = cadre_member_batch(member)->first + failed.task;
    if (has_failed(t, failed.batch, failed.task))
        return CADRE_OK;
    if (t->nfailed == t->failed_cap) {
        struct failed_task *grown = reallocarray(t->failed, cap, sizeof *grown);

        if (grown == NULL)
            return CADRE_ENOMEM;
        t->failed = grown;
        t->failed_cap = cap;
    }
    if (t->nfailed == 0)
        t->failed_ns = cadre_now_ns();
    failed.text = strdup(failed.text);
    t->failed[t->nfailed++] = failed;
    return CADRE_OK;
}

static bool has_ended(const struct team *t, const struct failed_task *f)
{
    return f->batch < t->done.batch ||
           (f->batch == t->done.batch && f->task < t->done.task);
}

void cadre_farm_team_forget_failed(struct team *team)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < team->nfailed; i++) {
        if (has_ended(team, &team->failed[i]))
            free(team->failed[i].text);
        else
            team->failed[kept++] = team->failed[i];
    }
    team->nfailed = kept;
}

const struct failed_task *cadre_farm_team_failure(const struct team *team,
                                                  const struct cadre_job *job,
                                                  uint64_t index)
{
    for (uint32_t i = 0; i < team->nfailed; i++) {
        if (team->failed[i].job == job && team->failed[i].index == index)
            return &team->failed[i];
    }
    return NULL;
}

/* --- what runs ------------------------------------------------------------ */

/* The leader writes down, in memory shared with it, how many batches it has
 * begun and how many tasks of the last one. */
bool cadre_farm_team_begun(const struct team *team, uint64_t *held,
                           uint64_t *begun)
{
    const struct member *leader = &team->members[0];
    uint64_t out = 0, in = 0;
    struct cadre_begun b = {0};
    bool is_known =
        leader->crew->bells != NULL && cadre_member_worker(leader)->has_bell;

    if (is_known)
        b = cadre_board_begun(leader->crew->bells,
                              cadre_member_worker(leader)->bell);
    b.batch -= (uint32_t)leader->first_batch; /* the team's, from 1; 0: none */
    for (uint32_t i = 0; i < team->held; i++) {
        uint32_t number = (uint32_t)(team->done.batch + i + 1);
        const struct sent *s =
            &team->ring[(team->head + i) & (team->ring_cap - 1)];

        out += s->count;
        if ((int32_t)(b.batch - number) > 0)
            in += s->count;
        else if (b.batch == number)
            in += b.tasks < s->count ? b.tasks : s->count;
    }
    *held = out - (out > 0 ? team->done.task : 0);
    *begun = in > team->done.task ? in - team->done.task : 0;
    return is_known;
}

struct sent *cadre_farm_team_find(const struct team *team,
                                  const struct cadre_job *job)
{
    for (uint32_t i = 0; i < team->held; i++) {
        struct sent *s = batch_at(team, team->done.batch + i);

        if (s->job == job)
            return s;
    }
    return NULL;
}

bool cadre_farm_team_has_begun(const struct team *team,
                               const struct cadre_job *job)
{
    uint64_t held, begun, before = 0;
    bool is_known = cadre_farm_team_begun(team, &held, &begun);

    begun += team->done.task;
    for (uint32_t i = 0; i < team->held && (!is_known || before < begun); i++) {
        const struct sent *s =
            &team->ring[(team->head + i) & (team->ring_cap - 1)];

        if (s->job == job)
            return true;
        before += s->count;
    }
    return false;
}
