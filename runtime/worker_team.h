/* worker_team.h - the teams that a worker belongs to.
 *
 * A team of one shares this worker's own communicator; one of several makes a
 * communicator of exactly its members, all at the same time, out of the crew's.
 * It is the tasks' alone: nothing of the runtime is ever sent on it.
 */
#ifndef CADRE_RUNTIME_WORKER_TEAM_H
#define CADRE_RUNTIME_WORKER_TEAM_H

#include "frame.h"
#include "store.h"

#include <mpi.h>

/* What the tasks of one object keep here. */
struct cadre_workstore {
    struct cadre_workstore *next;
    uint32_t object;
    struct cadre_store *store;
    bool is_filled;           /* the init function has run */
    cadre_err err;            /* and failed ... */
    struct cadre_error error; /* ... because of this */
};

struct cadre_workteam {
    struct cadre_workteam *next;
    uint32_t number;
    struct cadre_workstore *store; /* of its object */
    int rank, size;
    bool has_all;    /* every rank's outputs are wanted */
    bool isolates;   /* each task runs in a process of its own, */
    uint32_t cpu_ms; /* with these limits; 0: none */
    uint64_t memory;
    MPI_Comm comm;
    cadre_err err;            /* its tasks cannot run ... */
    struct cadre_error error; /* ... and why */
};

struct cadre_workteams {
    MPI_Comm crew;               /* all workers; borrowed */
    MPI_Comm self;               /* this one alone */
    MPI_Errhandler handler;      /* of the tasks' communicators */
    struct cadre_workteam *list; /* the one used last first */
    struct cadre_workstore *stores;
};

/* `on_error` is called when MPI refuses something that a task asks of its
 * communicator, or of one made of it; it does not return. */
cadre_err cadre_workteams_init(struct cadre_workteams *teams, MPI_Comm crew,
                               MPI_Comm_errhandler_function *on_error,
                               struct cadre_error *error);
void cadre_workteams_fini(struct cadre_workteams *teams);

/* Form the team that `msg` speaks of. **Collective** over its members. Where
 * MPI cannot, it stands with its `err`. CADRE_EPROTO: there is such a team, or
 * no such worker. */
cadre_err cadre_workteam_form(struct cadre_workteams *teams,
                              const struct cadre_msg_team *msg,
                              struct cadre_workteam **team,
                              struct cadre_error *error);

/* Team `number`; NULL: there is none. */
struct cadre_workteam *cadre_workteam_find(struct cadre_workteams *teams,
                                           uint32_t number);

/* Forget the team. Does nothing if there is none. */
void cadre_workteam_disband(struct cadre_workteams *teams, uint32_t number);

/* Forget what object `number` has stored, and its teams; destructors run. */
void cadre_workteams_close(struct cadre_workteams *teams, uint32_t number);

#endif
