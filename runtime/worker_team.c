/* worker_team.c - see worker_team.h. */
#include "worker_team.h"

#include "channel.h"

#include <stdlib.h>

cadre_err cadre_workteams_init(struct cadre_workteams *teams, MPI_Comm crew,
                               MPI_Comm_errhandler_function *on_error,
                               struct cadre_error *error)
{
    cadre_err err;

    *teams = (struct cadre_workteams){
        .crew = crew, .self = MPI_COMM_NULL, .handler = MPI_ERRHANDLER_NULL};
    err = cadre_mpi_err(MPI_Comm_dup(MPI_COMM_SELF, &teams->self),
                        "communicator of one", error);
    if (err == CADRE_OK)
        err =
            cadre_mpi_err(MPI_Comm_create_errhandler(on_error, &teams->handler),
                          "error handler", error);
    if (err == CADRE_OK)
        MPI_Comm_set_errhandler(teams->self, teams->handler);
    return err;
}

static void free_team(struct cadre_workteam *t)
{
    if (t->size > 1 && t->comm != MPI_COMM_NULL)
        MPI_Comm_free(&t->comm);
    free(t);
}

/* The store of object `number`, made if there is none. NULL: out of memory. */
static struct cadre_workstore *store_of(struct cadre_workteams *teams,
                                        uint32_t number)
{
    struct cadre_workstore *s = teams->stores;

    while (s != NULL && s->object != number)
        s = s->next;
    if (s != NULL || (s = calloc(1, sizeof *s)) == NULL)
        return s;
    if ((s->store = cadre_store_new()) == NULL) {
        free(s);
        return NULL;
    }
    s->object = number;
    s->next = teams->stores;
    teams->stores = s;
    return s;
}

void cadre_workteams_close(struct cadre_workteams *teams, uint32_t number)
{
    struct cadre_workstore **at = &teams->stores, *gone;
    struct cadre_workteam **t = &teams->list;

    while (*at != NULL && (*at)->object != number)
        at = &(*at)->next;
    if ((gone = *at) == NULL)
        return;
    cadre_store_empty(gone->store); /* destructors may use communicators */
    while (*t != NULL) {
        struct cadre_workteam *team = *t;

        if (team->store == gone) {
            *t = team->next;
            free_team(team);
        } else {
            t = &team->next;
        }
    }
    *at = gone->next;
    cadre_store_free(gone->store);
    free(gone);
}

/* Destructors may use communicators: they run before those are freed. */
void cadre_workteams_fini(struct cadre_workteams *teams)
{
    for (struct cadre_workstore *s = teams->stores; s != NULL; s = s->next)
        cadre_store_empty(s->store);
    for (struct cadre_workteam *t = teams->list, *next; t != NULL; t = next) {
        next = t->next;
        free_team(t);
    }
    teams->list = NULL;
    while (teams->stores != NULL)
        cadre_workteams_close(teams, teams->stores->object);
    if (teams->self != MPI_COMM_NULL)
        MPI_Comm_free(&teams->self);
    if (teams->handler != MPI_ERRHANDLER_NULL)
        MPI_Errhandler_free(&teams->handler);
}

struct cadre_workteam *cadre_workteam_find(struct cadre_workteams *teams,
                                           uint32_t number)
{
    struct cadre_workteam **at = &teams->list, *found;

    while (*at != NULL && (*at)->number != number)
        at = &(*at)->next;
    if ((found = *at) != NULL && at != &teams->list) {
        *at = found->next;
        found->next = teams->list;
        teams->list = found;
    }
    return found;
}

void cadre_workteam_disband(struct cadre_workteams *teams, uint32_t number)
{
    struct cadre_workteam *t = cadre_workteam_find(teams, number);

    if (t == NULL)
        return;
    teams->list = t->next;
    free_team(t);
}

/* The members' ranks in the crew. NULL: out of memory, no such worker, or this
 * one is not just where it should be: it would wait for itself. */
static int *members_of(const struct cadre_workteams *teams,
                       const struct cadre_msg_team *msg)
{
    int *ranks = malloc(msg->size * sizeof *ranks);
    int crew = 0, self = 0;

    MPI_Comm_size(teams->crew, &crew);
    MPI_Comm_rank(teams->crew, &self);
    for (uint32_t i = 0; ranks != NULL && i < msg->size; i++) {
        uint32_t member = cadre_team_member(msg, i);

        if (member >= (uint32_t)crew ||
            (member == (uint32_t)self) != (i == msg->rank)) {
            free(ranks);
            return NULL;
        }
        ranks[i] = (int)member;
    }
    return ranks;
}

/* The error handler of the crew's communicator is inherited: errors come back,
 * which is not what a program expects of its communicators. MPI's own that ends
 * the program would end all processes that were started with this one. */
static cadre_err make_comm(struct cadre_workteams *teams, const int *ranks,
                           struct cadre_workteam *t)
{
    MPI_Group all = MPI_GROUP_NULL, group = MPI_GROUP_NULL;
    cadre_err err;

    err = cadre_mpi_err(MPI_Comm_group(teams->crew, &all), "group of the crew",
                        &t->error);
    if (err == CADRE_OK)
        err = cadre_mpi_err(MPI_Group_incl(all, t->size, ranks, &group),
                            "group of the team", &t->error);
    if (err == CADRE_OK)
        err = cadre_mpi_err(MPI_Comm_create_group(teams->crew, group,
                                                  (int)(t->number & 0x3fff),
                                                  &t->comm),
                            "communicator of the team", &t->error);
    if (err == CADRE_OK)
        MPI_Comm_set_errhandler(t->comm, teams->handler);
    if (group != MPI_GROUP_NULL)
        MPI_Group_free(&group);
    if (all != MPI_GROUP_NULL)
        MPI_Group_free(&all);
    return err;
}

cadre_err cadre_workteam_form(struct cadre_workteams *teams,
                              const struct cadre_msg_team *msg,
                              struct cadre_workteam **team,
                              struct cadre_error *error)
{
    int *ranks = members_of(teams, msg);
    struct cadre_workstore *store = store_of(teams, msg->object);
    struct cadre_workteam *t = calloc(1, sizeof *t);

    if (ranks == NULL || t == NULL || store == NULL ||
        cadre_workteam_find(teams, msg->team) != NULL) {
        free(ranks);
        free(t);
        return cadre_error_set(error, CADRE_EPROTO, "team %u cannot be formed",
                               (unsigned)msg->team);
    }
    *t = (struct cadre_workteam){.next = teams->list,
                                 .number = msg->team,
                                 .store = store,
                                 .rank = (int)msg->rank,
                                 .size = (int)msg->size,
                                 .has_all = msg->has_all != 0,
                                 .isolates = msg->isolates != 0,
                                 .cpu_ms = msg->cpu_ms,
                                 .memory = msg->memory,
                                 .comm = teams->self};
    if (t->size > 1) {
        t->comm = MPI_COMM_NULL;
        t->err = make_comm(teams, ranks, t);
    }
    if (t->err == CADRE_OK && store->err != CADRE_OK) {
        t->err = store->err;
        t->error = store->error;
    }
    free(ranks);
    teams->list = t;
    *team = t;
    return CADRE_OK;
}
