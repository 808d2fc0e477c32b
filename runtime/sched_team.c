/* sched_team.c - rings of batches, the list of idle teams, two heaps. */
#include "sched_team.h"

#include <assert.h>
#include <stdlib.h>

enum {
    RING_FIRST = 4 /* batches; a power of two */
};

struct cadre_team *cadre_team_find(const struct cadre_teams *teams,
                                   cadre_team_id id, uint32_t *slot)
{
    *slot = cadre_slots_find(&teams->slots, id);
    return *slot == CADRE_NO_SLOT ? NULL : cadre_team_at(teams, *slot);
}

static bool is_idle(const struct cadre_team *team)
{
    return team->held == 0 && !team->is_retiring;
}

/* Make the heaps agree with what the team holds now. */
static void rank(struct cadre_teams *teams, uint32_t slot)
{
    struct cadre_team *team = cadre_team_at(teams, slot);
    uint64_t est_ns = team->held > 0 ? cadre_team_batch(team, 0)->est_ns : 0;

    if (est_ns > 0)
        cadre_heap_put(&teams->finish, slot, team->started_ns + est_ns);
    else
        cadre_heap_remove(&teams->finish, slot);
    if (team->held > 0 && team->unmeasured == 0 && !team->is_retiring)
        cadre_heap_put(&teams->ahead, slot, team->est_ns);
    else
        cadre_heap_remove(&teams->ahead, slot);
}

void cadre_teams_fini(struct cadre_teams *teams)
{
    for (uint32_t slot = 0; slot < teams->slots.made; slot++)
        free(cadre_team_at(teams, slot)->ring);
    cadre_slots_fini(&teams->slots);
    cadre_slots_fini(&teams->seats);
    cadre_heap_fini(&teams->ahead);
    cadre_heap_fini(&teams->finish);
}

void cadre_teams_init(struct cadre_teams *teams)
{
    *teams = (struct cadre_teams){.retiring = 0};
    cadre_slots_init(&teams->slots, sizeof(struct cadre_team));
    cadre_slots_init(&teams->seats, sizeof(struct cadre_seat));
    cadre_list_init(&teams->idle);
}

static struct cadre_seat *seat_at(const struct cadre_teams *teams,
                                  uint32_t slot)
{
    return cadre_slots_at(&teams->seats, slot);
}

enum cadre_seat_state cadre_seat_find(const struct cadre_teams *teams,
                                      uint32_t seat, uint32_t *slot)
{
    uint32_t at = cadre_slots_find(&teams->seats, seat);

    if (at == CADRE_NO_SLOT)
        return CADRE_SEAT_EMPTY;
    *slot = seat_at(teams, at)->slot.tag;
    return *slot == CADRE_NO_SLOT ? CADRE_SEAT_CLOSED : CADRE_SEAT_TAKEN;
}

void cadre_seat_open(struct cadre_teams *teams, uint32_t seat)
{
    uint32_t at = cadre_slots_find(&teams->seats, seat);

    if (at != CADRE_NO_SLOT && seat_at(teams, at)->slot.tag == CADRE_NO_SLOT)
        cadre_slots_remove(&teams->seats, at);
}

/* There is room for one seat. */
static void take_seat(struct cadre_teams *teams, uint32_t seat, uint32_t slot)
{
    cadre_seat_open(teams, seat);
    seat_at(teams, cadre_slots_add(&teams->seats, seat))->slot.tag = slot;
}

cadre_err cadre_seat_close(struct cadre_teams *teams, uint32_t seat)
{
    cadre_err err = cadre_slots_reserve(&teams->seats);

    if (err == CADRE_OK)
        take_seat(teams, seat, CADRE_NO_SLOT);
    return err;
}

/* The team does not have its seat any more. */
static void leave_seat(struct cadre_teams *teams, struct cadre_team *team)
{
    if (team->seat > 0)
        cadre_slots_remove(&teams->seats,
                           cadre_slots_find(&teams->seats, team->seat));
    team->seat = 0;
}

cadre_err cadre_teams_add(struct cadre_teams *teams, cadre_team_id id,
                          uint32_t seat)
{
    uint32_t made = teams->slots.made + 1, slot;
    struct cadre_batch *ring;
    struct cadre_team *team;
    cadre_err err;

    if ((err = cadre_slots_reserve(&teams->slots)) != CADRE_OK ||
        (err = cadre_heap_reserve(&teams->ahead, made)) != CADRE_OK ||
        (err = cadre_heap_reserve(&teams->finish, made)) != CADRE_OK ||
        (err = cadre_slots_reserve(&teams->seats)) != CADRE_OK)
        return err;
    if ((ring = malloc(RING_FIRST * sizeof *ring)) == NULL)
        return CADRE_ENOMEM;
    slot = cadre_slots_add(&teams->slots, id);
    team = cadre_team_at(teams, slot);
    team->ring = ring;
    team->ring_cap = RING_FIRST;
    team->seat = seat;
    if (seat > 0)
        take_seat(teams, seat, slot);
    cadre_team_rest(teams, slot, false);
    return CADRE_OK;
}

void cadre_teams_remove(struct cadre_teams *teams, uint32_t slot)
{
    struct cadre_team *team = cadre_team_at(teams, slot);

    if (is_idle(team))
        cadre_list_remove(&teams->slots, &teams->idle, slot);
    cadre_heap_remove(&teams->ahead, slot);
    cadre_heap_remove(&teams->finish, slot);
    teams->retiring -= team->is_retiring;
    leave_seat(teams, team);
    free(team->ring);
    team->ring = NULL; /* fini looks at every slot */
    cadre_slots_remove(&teams->slots, slot);
}

void cadre_team_retire(struct cadre_teams *teams, uint32_t slot)
{
    struct cadre_team *team = cadre_team_at(teams, slot);

    if (is_idle(team))
        cadre_list_remove(&teams->slots, &teams->idle, slot);
    team->is_retiring = true;
    teams->retiring++;
    leave_seat(teams, team);
    rank(teams, slot);
}

void cadre_team_rest(struct cadre_teams *teams, uint32_t slot, bool is_warm)
{
    assert(is_idle(cadre_team_at(teams, slot)));
    if (is_warm)
        cadre_list_prepend(&teams->slots, &teams->idle, slot);
    else
        cadre_list_append(&teams->slots, &teams->idle, slot);
}

cadre_err cadre_team_reserve(struct cadre_team *team)
{
    uint32_t cap = 2 * team->ring_cap;
    struct cadre_batch *ring;

    if (team->held < team->ring_cap)
        return CADRE_OK;
    if ((ring = malloc(cap * sizeof *ring)) == NULL)
        return CADRE_ENOMEM;
    for (uint32_t i = 0; i < team->held; i++)
        ring[i] = *cadre_team_batch(team, i);
    free(team->ring);
    team->ring = ring;
    team->ring_cap = cap;
    team->head = 0;
    return CADRE_OK;
}

void cadre_team_push(struct cadre_teams *teams, uint32_t slot,
                     struct cadre_batch batch, uint64_t bytes, uint64_t now_ns)
{
    struct cadre_team *team = cadre_team_at(teams, slot);

    assert(team->held < team->ring_cap);
    if (is_idle(team)) {
        cadre_list_remove(&teams->slots, &teams->idle, slot);
        team->started_ns = now_ns;
    }
    *cadre_team_batch(team, team->held++) = batch;
    team->unmeasured += batch.est_ns == 0;
    team->tasks += batch.count;
    team->est_ns += batch.est_ns;
    team->bytes += bytes;
    rank(teams, slot);
}

/* Take `batch` from the team's sums. */
static void unload(struct cadre_team *team, struct cadre_batch batch,
                   uint64_t bytes)
{
    team->unmeasured -= batch.est_ns == 0;
    team->tasks -= batch.count;
    team->est_ns -= batch.est_ns;
    team->bytes -= bytes;
}

static void drop_first(struct cadre_team *team)
{
    team->head = (team->head + 1) & (team->ring_cap - 1);
    team->held--;
}

void cadre_team_pop(struct cadre_teams *teams, uint32_t slot, uint32_t count,
                    uint64_t bytes, uint64_t est_ns, uint64_t now_ns)
{
    struct cadre_team *team = cadre_team_at(teams, slot);
    struct cadre_batch *batch = cadre_team_batch(team, 0);

    assert(count <= batch->count);
    unload(team, *batch, bytes);
    batch->first += count;
    batch->count -= count;
    batch->est_ns = est_ns;
    if (batch->count > 0) {
        team->unmeasured += est_ns == 0;
        team->tasks += batch->count;
        team->est_ns += est_ns;
    } else {
        drop_first(team);
    }
    team->started_ns = now_ns;
    rank(teams, slot);
}

void cadre_team_recall(struct cadre_teams *teams, uint32_t slot, uint32_t i,
                       uint64_t bytes, uint64_t now_ns)
{
    struct cadre_team *team = cadre_team_at(teams, slot);

    unload(team, *cadre_team_batch(team, i), bytes);
    if (i == 0)
        team->started_ns = now_ns;
    for (; i > 0; i--)
        *cadre_team_batch(team, i) = *cadre_team_batch(team, i - 1);
    drop_first(team);
    rank(teams, slot);
}
