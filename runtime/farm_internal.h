/* farm_internal.h - what the files of `farm` share.
 *
 *     farm.c        jobs, the scheduler's actions, what workers say
 *     farm_team.c   a team: its members, what it was sent, how far each is
 *     farm_staff.c  teams come and go: hiring, spawning, replacing
 *     farm_values.c what every worker's store is to have
 *     farm_gang.c   where tasks want different numbers of ranks: which teams
 *                   there are
 */
#ifndef CADRE_RUNTIME_FARM_INTERNAL_H
#define CADRE_RUNTIME_FARM_INTERNAL_H

#include "farm.h"

struct team;

/* A place in the batches that a team was sent: so many whole ones, counted from
 * the team's start, and so many tasks of the next. */
struct place {
    uint64_t batch;
    uint64_t task;
};

/* One of a team's workers; its number in the team is its index. */
struct member {
    struct team *team;
    struct cadre_crew *crew;
    int peer;
    struct place done;    /* tasks whose results have come */
    uint64_t first_batch; /* batches this worker was sent before the team's */
};

/* A batch that was sent. */
struct sent {
    struct cadre_job *job;
    uint64_t first;
    uint64_t count;
    uint64_t deadline_ns; /* it may take this long; 0: for ever */
    cadre_err stop_err;   /* it is to end as soon as it is the first, failing
                             like this; CADRE_OK: it is not */
    const char *stop_text;
};

/* A task that has failed on some rank, and how. Kept until all members have
 * ended it: it may be tried again, and then the job is not told. */
struct failed_task {
    uint64_t batch; /* as in struct place */
    uint64_t task;
    const struct cadre_job *job;
    uint64_t index; /* in the job */
    cadre_err err;
    int kind;
    int rank;
    const char *host; /* the worker's */
    char *text;       /* owned; NULL: out of memory */
};

/* The tasks that want the same number of ranks, and the teams that have it. */
struct lane {
    struct cadre_farm *farm;
    struct cadre_sched *sched;
    int ranks;
    uint64_t since_ns; /* when a task was sent last, or the first came */
};

enum team_state {
    TEAM_BENCH, /* one worker that belongs to no team */
    TEAM_WORKING,
    TEAM_LEAVING, /* gets no more tasks; goes when it has ended those it has */
    TEAM_GONE     /* its members are no longer its own */
};

struct team {
    struct cadre_farm *farm;
    struct lane *lane;
    cadre_team_id id; /* in the scheduler: its index in the farm + 1 */
    uint32_t seat;   /* its number among those at work + 1, and that of the team
                        that takes its place; 0: teams come and go */
    uint32_t number; /* in the frames */
    enum team_state state;
    bool is_starved; /* memory for its tasks is wanting */
    bool has_worked; /* a task has come back */
    bool is_once;    /* it leaves after its first batch */
    int size;
    struct member *members;
    struct sent *ring; /* sent and not ended by all members */
    uint32_t ring_cap; /* power of two */
    uint32_t head, held;
    struct place done; /* ended by all members; done.batch is the ring's head */
    struct failed_task *failed;
    uint32_t nfailed, failed_cap;
    uint64_t failed_ns; /* since then a rank may hang in one of them */
    cadre_err stop_err; /* batch `stop_batch` is to end; CADRE_OK: none is */
    uint64_t stop_batch;
    uint64_t stop_ns;  /* since then */
    uint64_t first_ns; /* since when the first batch is the first, where it
                          has a deadline */
    char stop_text[160];
};

/* A communicator that no team uses at the moment. */
struct kept_team {
    uint32_t number; /* in the frames */
    struct cadre_crew *crew;
    int size;
    int *peers;
};

enum {
    LANES_MAX = 64,
    KEPT_MAX = 32 /* communicators beyond those in use */
};

struct cadre_farm {
    struct cadre_farm *next; /* the engine's farms */
    struct cadre_engine *engine;
    struct lane *lanes[LANES_MAX]; /* the first: options.ranks */
    int nlanes;
    struct team **bench; /* workers in no team; only with options.max_ranks */
    int nbench, bench_cap;
    struct kept_team kept[KEPT_MAX]; /* the one used last first */
    int nkept;
    struct cadre_farm_options options; /* with strings of its own */
    uint32_t object;                   /* its number in the frames */
    struct team **teams;               /* by id; a gone one's place is empty */
    uint32_t nteams, teams_cap;
    int wanted;        /* teams */
    int alive;         /* teams that are working */
    int recruiting;    /* ranks that are being started */
    int barren;        /* teams lost in a row without having done anything */
    int failed_starts; /* of new workers, in a row ... */
    bool has_closed_seats;  /* of teams that nobody comes for */
    uint64_t next_start_ns; /* ... so that the next is not before then */
    bool is_closed;         /* takes no more jobs */
    bool is_ending;         /* hires no more */
    bool has_starved;
    uint8_t *place_used;              /* of each place of the plan */
    uint64_t njobs;                   /* submitted and not done; holds */
    cadre_err broken;                 /* no task can run any more ... */
    struct cadre_error cause;         /* ... and why */
    char last_lost[256];              /* what became of the team lost last */
    struct cadre_failed_task *failed; /* room for an event */
    size_t failed_cap;
    struct farm_value *values;  /* broadcast or put, the oldest first */
    struct farm_value *putting; /* by jobs that have not ended, all of ... */
    struct farm_value **putting_end;
    const struct cadre_function *putter; /* ... this function; NULL: none yet */
    uint64_t last_value;                 /* numbers given to them */
};

/* --- farm.c --------------------------------------------------------------- */

/* Let the lane's scheduler take `event` and do what it says. */
cadre_err cadre_farm_step(struct lane *lane, struct cadre_event *event);

/* What becomes of the teams' workers; `team` of each is its struct member. */
extern const struct cadre_engine_events cadre_farm_events;

/* Send what was encoded since the last time. */
void cadre_farm_flush(struct cadre_farm *farm);

/* Nothing can run any more: what waits fails with this error, and what is
 * submitted from now on too. */
void cadre_farm_break(struct cadre_farm *farm, cadre_err err,
                      const struct cadre_error *error);

/* Can it take something more? Else why not. */
cadre_err cadre_farm_check_open(const struct cadre_farm *farm,
                                struct cadre_error *error);

/* --- farm_values.c -------------------------------------------------------- */

/* Send the members of the team what was broadcast, or put into their stores,
 * and they do not have. CADRE_ENOMEM. */
cadre_err cadre_farm_send_values(const struct team *team);

/* `job` is sent to `team`; it has ended well there; it is done. Nothing happens
 * if it does not put a value. */
void cadre_farm_put_sent(const struct team *team, const struct cadre_job *job);
void cadre_farm_put_ended(const struct team *team, const struct cadre_job *job);
void cadre_farm_put_done(struct cadre_farm *farm, const struct cadre_job *job);

/* There are only so many teams from now on. */
void cadre_farm_drop_values(struct cadre_farm *farm, int teams);

/* Nobody will be sent them any more. */
void cadre_farm_free_values(struct cadre_farm *farm);

/* --- farm_team.c ---------------------------------------------------------- */

/* A team of `size` without members. NULL: out of memory. */
struct team *cadre_farm_team_new(struct cadre_farm *farm, int size);
void cadre_farm_team_free(struct team *team);

struct cadre_worker *cadre_member_worker(const struct member *member);

/* "worker 3 (process 123 on host)", with the rank in a team of several. */
void cadre_member_name(const struct member *member, char *text, size_t len);

/* Make sure that the next cadre_team_push() has room. CADRE_ENOMEM. */
cadre_err cadre_farm_team_reserve_batch(struct team *team);
void cadre_farm_team_push_batch(struct team *team, struct sent batch);
/* The batch pushed last was not sent. */
void cadre_farm_team_recall_batch(struct team *team);

/* The batch in which `member` is; NULL: it has ended all it was sent. */
const struct sent *cadre_member_batch(const struct member *member);

/* `count` tasks more have come back from `member`. */
void cadre_member_advance(struct member *member, uint64_t count);

/* What all members have ended and `team->done` does not say yet: a run of tasks
 * of one batch, after which it does. False: nothing. */
bool cadre_farm_team_next_done(struct team *team, struct sent *run);

/* Task `failed.task` of `member`'s batch has failed there; the first rank to
 * say so counts. The text is copied, batch, job and index are filled in.
 * CADRE_ENOMEM. */
cadre_err cadre_farm_team_note_failed(struct member *member,
                                      struct failed_task failed);

/* The failures of the tasks that have ended are of no use any more. */
void cadre_farm_team_forget_failed(struct team *team);

/* The failure that was noted for task `index` of `job`. NULL: none. */
const struct failed_task *cadre_farm_team_failure(const struct team *team,
                                                  const struct cadre_job *job,
                                                  uint64_t index);

/* Tasks that the team holds, and those of them that its first member has begun.
 * False: nobody knows. */
bool cadre_farm_team_begun(const struct team *team, uint64_t *held,
                           uint64_t *begun);

/* Is `job` among what the team was sent, and begun, as far as one knows? */
bool cadre_farm_team_has_begun(const struct team *team,
                               const struct cadre_job *job);

/* The first batch of `job` that the team was sent; NULL: none. */
struct sent *cadre_farm_team_find(const struct team *team,
                                  const struct cadre_job *job);

/* --- farm_staff.c --------------------------------------------------------- */

/* The first teams: resident workers that are free, then new ones. Under the
 * lock, which is let go meanwhile. */
cadre_err cadre_farm_staff(struct cadre_farm *farm, struct cadre_error *error);

/* Start as many workers as are missing, by a thread of their own. */
void cadre_farm_recruit(struct cadre_farm *farm);

enum cadre_hire {
    CADRE_HIRE_NEW,   /* none of them has been in a team of the farm's: their
                         stores are filled together */
    CADRE_HIRE_BENCH, /* from the bench: some may have been */
    CADRE_HIRE_ONCE   /* from there, for one batch */
};

/* A team of `lane` of these workers of `crew`. `number`: that of its
 * communicator if they have one, else 0. CADRE_ENOMEM. */
cadre_err cadre_farm_hire(struct lane *lane, struct cadre_crew *crew,
                          const int *peers, uint32_t number,
                          enum cadre_hire how);

/* `worker`, a member, is gone, and the team with it. */
void cadre_farm_team_lose(struct member *member);

/* Tell the team that its first batch is to end, and see to it. */
void cadre_farm_team_stop(struct team *team, cadre_err err, const char *text);

/* Is the batch in which `member` is to end? */
bool cadre_farm_team_is_stopped(const struct member *member);

/* After a task that has failed: a new communicator, as on the old one messages
 * may be under way that no rank expects. */
void cadre_farm_team_renew(struct team *team);

/* One rank has failed long ago and another does not come back: end the team. */
void cadre_farm_team_check(struct team *team, uint64_t now_ns);

/* The team gets no more tasks, and goes when it has ended those it has. May
 * free it. */
void cadre_farm_team_retire(struct team *team);

/* Its first batch is another one than before: a deadline runs, or it was to end
 * already. */
void cadre_farm_team_begin(struct team *team);

/* Its first task has a deadline, or is to end: see to it. May lose the team. */
void cadre_farm_team_watch(struct team *team, uint64_t now_ns);

/* A retired team holds nothing any more: its members are free. The caller of
 * the step that said so frees it. */
void cadre_farm_team_release(struct team *team);

/* All go. */
void cadre_farm_dismiss(struct cadre_farm *farm);

/* May `ranks` workers be started now, without whom some tasks cannot run? Where
 * they never may be, these fail. */
bool cadre_farm_may_start(struct cadre_farm *farm, int ranks);

/* Start `ranks` workers by a thread. False: it cannot be done. */
bool cadre_farm_start(struct cadre_farm *farm, int ranks);

/* A member is free: for others, or to be dismissed. */
void cadre_farm_send_off(struct member *member);

/* --- farm_gang.c ---------------------------------------------------------- */

/* The lane of tasks of `ranks` ranks (0: the farm's own), made if it is new. */
cadre_err cadre_farm_lane(struct cadre_farm *farm, int ranks,
                          struct lane **lane, struct cadre_error *error);
void cadre_farm_free_lanes(struct cadre_farm *farm);

/* Form teams and give them up as what waits wants it. Does nothing where there
 * is one lane and nobody on the bench. */
void cadre_farm_arrange(struct cadre_farm *farm);

/* A worker of the farm is in no team. CADRE_ENOMEM: it was sent off. */
cadre_err cadre_farm_bench(struct cadre_farm *farm, struct cadre_crew *crew,
                           int peer);

/* The worker on the bench is gone; frees its team. */
void cadre_farm_unbench(struct team *team);
void cadre_farm_clear_bench(struct cadre_farm *farm);

/* The team's communicator is kept for the next that has the same members. */
void cadre_farm_keep_comm(struct team *team);

/* The worker is gone: its communicators are of no use. */
void cadre_farm_forget_comms(struct cadre_farm *farm, struct cadre_crew *crew,
                             int peer);

#endif
