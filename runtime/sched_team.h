/* sched_team.h - the teams, what each holds, and which one is next.
 *
 *     READY -> idle <--------> working, its batches in a ring
 *                 \               /
 *          RETIRE  \             /  RETIRE: works off what it holds
 *                   out  <------'
 *
 * A team that stays may have a seat, by which it is found; a retiring one has
 * left it. A seat can be closed.
 *
 * Idle teams are a list, the one that worked last first. Working teams are in
 * two heaps: `finish` by when their first batch should end, and `ahead` by the
 * estimate for all they hold. A team is not in `ahead` while it is to get no
 * more: it is retiring, it holds tasks of unmeasured length, or it was passed
 * over since it was ranked last.
 */
#ifndef CADRE_RUNTIME_SCHED_TEAM_H
#define CADRE_RUNTIME_SCHED_TEAM_H

#include "sched.h"
#include "sched_heap.h"
#include "sched_slots.h"

/* Tasks [first, first + count) were sent and have not ended. */
struct cadre_batch {
    uint64_t first;
    uint64_t est_ns; /* 0: not known */
    uint32_t job;    /* slot */
    uint32_t count;
    uint32_t sent; /* what `count` was at first */
};

struct cadre_team {
    struct cadre_slot slot; /* list: idle teams */
    struct cadre_batch *ring;
    uint32_t ring_cap;   /* power of two */
    uint32_t head;       /* index of the first batch */
    uint32_t held;       /* batches */
    uint32_t unmeasured; /* of them with no estimate */
    uint64_t tasks;      /* in the batches; likewise: */
    uint64_t est_ns;
    uint64_t bytes;
    uint64_t started_ns; /* when work on what is left of the first one began */
    uint32_t seat;       /* 0: none */
    bool is_retiring;
};

struct cadre_seat {
    struct cadre_slot slot; /* id: the seat; tag: its team's slot, CADRE_NO_SLOT
                               where it is closed */
};

struct cadre_teams {
    struct cadre_slots slots; /* struct cadre_team */
    struct cadre_slots seats; /* struct cadre_seat: those taken, or closed */
    struct cadre_list idle;
    struct cadre_heap ahead;
    struct cadre_heap finish;
    uint32_t retiring; /* teams */
};

void cadre_teams_init(struct cadre_teams *teams);
void cadre_teams_fini(struct cadre_teams *teams);

static inline struct cadre_team *cadre_team_at(const struct cadre_teams *teams,
                                               uint32_t slot)
{
    return cadre_slots_at(&teams->slots, slot);
}

/* The team of that id and its slot; NULL if there is none. */
struct cadre_team *cadre_team_find(const struct cadre_teams *teams,
                                   cadre_team_id id, uint32_t *slot);

/* Batch `i` of those it holds; lent until that changes. */
static inline struct cadre_batch *
cadre_team_batch(const struct cadre_team *team, uint32_t i)
{
    return &team->ring[(team->head + i) & (team->ring_cap - 1)];
}

/* A new team, idle, last in line; no team that stays has its `seat` (0: none).
 * CADRE_ENOMEM: as before. */
cadre_err cadre_teams_add(struct cadre_teams *teams, cadre_team_id id,
                          uint32_t seat);
void cadre_teams_remove(struct cadre_teams *teams, uint32_t slot);

/* Who has `seat`, a team's `*slot` if one has. */
enum cadre_seat_state { CADRE_SEAT_EMPTY, CADRE_SEAT_TAKEN, CADRE_SEAT_CLOSED };
enum cadre_seat_state cadre_seat_find(const struct cadre_teams *teams,
                                      uint32_t seat, uint32_t *slot);

/* Close a seat that is empty, or open it. CADRE_ENOMEM. */
cadre_err cadre_seat_close(struct cadre_teams *teams, uint32_t seat);
void cadre_seat_open(struct cadre_teams *teams, uint32_t seat);

/* Mark a team as retiring: it is neither idle nor in `ahead` any more, and its
 * seat is empty. */
void cadre_team_retire(struct cadre_teams *teams, uint32_t slot);

/* Put a team that holds nothing among the idle ones. */
void cadre_team_rest(struct cadre_teams *teams, uint32_t slot, bool is_warm);

/* Make sure that the next push succeeds: CADRE_ENOMEM. An idle team has room.
 */
cadre_err cadre_team_reserve(struct cadre_team *team);

/* The team gets one more batch, of `bytes`. */
void cadre_team_push(struct cadre_teams *teams, uint32_t slot,
                     struct cadre_batch batch, uint64_t bytes, uint64_t now_ns);

/* `count` tasks of the first batch, of `bytes`, have ended; the rest is to take
 * `est_ns`. The batch goes with its last task. */
void cadre_team_pop(struct cadre_teams *teams, uint32_t slot, uint32_t count,
                    uint64_t bytes, uint64_t est_ns, uint64_t now_ns);

/* Batch `i`, of `bytes`, was not sent after all. */
void cadre_team_recall(struct cadre_teams *teams, uint32_t slot, uint32_t i,
                       uint64_t bytes, uint64_t now_ns);

#endif
