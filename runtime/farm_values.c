/* farm_values.c - values that workers' stores are to have: what was broadcast,
 * and what was put into the stores of one team.
 *
 * A value is kept as the bytes that are sent. It has a number, and each worker
 * the number of the last one that it was sent: so a worker that comes later is
 * sent what it lacks, in the same order, and nobody is sent anything twice. One
 * that is replaced by another of its name is freed when it has left.
 *
 * What is put goes to the team that is there with a task, in its turn. Until
 * that has ended it is `putting`; its number is that of the moment at which the
 * task was sent. Then it is kept for those that take the team's place.
 */
#include "farm_internal.h"

#include "store.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct farm_value {
    struct farm_value *next;
    uint64_t number; /* from 1; of what is put: 0 until it was sent */
    struct cadre_farm_place place; /* its team is -1 where all are meant */
    const struct cadre_job *job;   /* that puts it */
    char *name;
    struct cadre_buffer bytes;
    struct cadre_keeper keeper; /* of the bytes */
    bool is_gone;               /* from the farm: only the keeper has it */
};

static void free_value(struct farm_value *v)
{
    if (v == NULL)
        return;
    cadre_buffer_fini(&v->bytes);
    free(v->name);
    free(v);
}

static void on_released(struct cadre_keeper *keeper)
{
    struct farm_value *v =
        (void *)((char *)keeper - offsetof(struct farm_value, keeper));

    if (v->is_gone)
        free_value(v);
}

static void let_go(struct farm_value *v)
{
    v->is_gone = true;
    if (v->keeper.count == 0)
        free_value(v);
}

static void free_list(struct farm_value **list)
{
    for (struct farm_value *v = *list, *next; v != NULL; v = next) {
        next = v->next;
        let_go(v);
    }
    *list = NULL;
}

void cadre_farm_free_values(struct cadre_farm *farm)
{
    free_list(&farm->values);
    free_list(&farm->putting);
}

/* Is `v` for all that `other` is for? */
static bool covers(const struct farm_value *v, const struct farm_value *other)
{
    return (v->place.team < 0 || v->place.team == other->place.team) &&
           (v->place.rank < 0 || v->place.rank == other->place.rank);
}

static bool is_for(const struct farm_value *v, const struct member *m)
{
    return (v->place.team < 0 || v->place.team + 1 == (int)m->team->seat) &&
           (v->place.rank < 0 || v->place.rank == (int)(m - m->team->members));
}

static cadre_err send_member(const struct member *m)
{
    struct cadre_worker *w = cadre_member_worker(m);
    struct cadre_buffer *buffer;
    cadre_err err = CADRE_OK;

    for (struct farm_value *v = m->team->farm->values;
         v != NULL && err == CADRE_OK; v = v->next) {
        struct cadre_msg_store_put msg = {.team = m->team->number,
                                          .data = v->bytes.data,
                                          .len = v->bytes.len,
                                          .keeper = &v->keeper};

        if (v->number <= w->last_value || !is_for(v, m))
            continue;
        buffer = cadre_channel_buffer(m->crew->channel, m->peer);
        err = cadre_store_put_encode(&msg, m->crew->generation, buffer);
        if (err == CADRE_OK)
            w->last_value = v->number;
    }
    return err;
}

cadre_err cadre_farm_send_values(const struct team *team)
{
    cadre_err err = CADRE_OK;

    for (int i = 0; i < team->size && err == CADRE_OK; i++)
        err = send_member(&team->members[i]);
    return err;
}

static void send_all(struct cadre_farm *farm)
{
    for (uint32_t i = 0; i < farm->nteams; i++) {
        struct team *t = farm->teams[i];

        if (t == NULL || (t->state != TEAM_WORKING && t->state != TEAM_LEAVING))
            continue;
        if (cadre_farm_send_values(t) != CADRE_OK) {
            t->is_starved = true;
            farm->has_starved = true;
        }
    }
}

/* Put `v` among the others, by its number, in place of what it covers; unless
 * it is covered itself by one that came later. */
static void add(struct cadre_farm *farm, struct farm_value *v)
{
    struct farm_value **at = &farm->values, *other;

    while ((other = *at) != NULL && other->number < v->number) {
        if (strcmp(other->name, v->name) == 0 && covers(v, other)) {
            *at = other->next;
            let_go(other);
        } else {
            at = &other->next;
        }
    }
    for (; other != NULL; other = other->next) {
        if (strcmp(other->name, v->name) == 0 && covers(other, v)) {
            let_go(v);
            return;
        }
    }
    v->next = *at;
    *at = v;
}

static cadre_err create(const char *name, const struct cadre_kept *kept,
                        struct farm_value **value, struct cadre_error *error)
{
    struct farm_value *v = calloc(1, sizeof *v);
    cadre_err err;

    if (v == NULL || (v->name = strdup(name)) == NULL)
        err = cadre_error_set(error, CADRE_ENOMEM, "no memory for `%s`", name);
    else
        err = cadre_kept_encode(name, kept, &v->bytes, error);
    if (err != CADRE_OK) {
        free_value(v);
        return err;
    }
    v->keeper.released = on_released;
    *value = v;
    return CADRE_OK;
}

cadre_err cadre_farm_broadcast(struct cadre_farm *farm, const char *name,
                               const struct cadre_kept *kept,
                               struct cadre_error *error)
{
    struct farm_value *v;
    cadre_err err;

    if ((err = cadre_farm_check_open(farm, error)) != CADRE_OK ||
        (err = create(name, kept, &v, error)) != CADRE_OK)
        return err;
    v->place = (struct cadre_farm_place){.team = -1, .rank = -1};
    v->number = ++farm->last_value;
    add(farm, v);
    farm->options.has_store = true;
    send_all(farm);
    cadre_farm_flush(farm);
    return CADRE_OK;
}

/* --- what is put ---------------------------------------------------------- */

/* Where the value is that `job` puts; NULL: it puts none. */
static struct farm_value **find(struct cadre_farm *farm,
                                const struct cadre_job *job)
{
    struct farm_value **at = &farm->putting;

    if (job->function != farm->putter)
        return NULL;
    while (*at != NULL && (*at)->job != job)
        at = &(*at)->next;
    return *at != NULL ? at : NULL;
}

static struct farm_value *take_off(struct farm_value **at)
{
    struct farm_value *v = *at;

    *at = v->next;
    v->next = NULL;
    v->job = NULL;
    return v;
}

/* They end in the order in which they came, more or less: the oldest is first,
 * to be found at once. */
static void append_putting(struct cadre_farm *farm, struct farm_value *v)
{
    if (farm->putting == NULL)
        farm->putting_end = &farm->putting;
    *farm->putting_end = v;
    farm->putting_end = &v->next;
}

/* The same for one that is to be taken off. */
static struct farm_value *take_putting(struct cadre_farm *farm,
                                       struct farm_value **at)
{
    if (farm->putting_end == &(*at)->next)
        farm->putting_end = at;
    return take_off(at);
}

cadre_err cadre_farm_put(struct cadre_farm *farm, const struct cadre_job *job,
                         struct cadre_farm_place place, const char *name,
                         const struct cadre_kept *kept,
                         struct cadre_error *error)
{
    struct farm_value *v;
    cadre_err err;

    if ((err = cadre_farm_check_open(farm, error)) != CADRE_OK ||
        (err = cadre_farm_check_place(farm, place, error)) != CADRE_OK ||
        (err = create(name, kept, &v, error)) != CADRE_OK)
        return err;
    v->place = place;
    v->job = job;
    farm->putter = job->function;
    append_putting(farm, v);
    farm->options.has_store = true;
    return CADRE_OK;
}

void cadre_farm_unput(struct cadre_farm *farm, const struct cadre_job *job)
{
    cadre_farm_put_done(farm, job);
}

/* The members have all that came before, and this is on its way. */
void cadre_farm_put_sent(const struct team *team, const struct cadre_job *job)
{
    struct farm_value **at = find(team->farm, job);

    if (at == NULL)
        return;
    (*at)->number = ++team->farm->last_value;
    for (int i = 0; i < team->size; i++)
        cadre_member_worker(&team->members[i])->last_value = (*at)->number;
}

/* Who leaves has no successor. */
void cadre_farm_put_ended(const struct team *team, const struct cadre_job *job)
{
    struct farm_value **at = find(team->farm, job);

    if (at != NULL && team->state == TEAM_WORKING)
        add(team->farm, take_putting(team->farm, at));
}

void cadre_farm_put_done(struct cadre_farm *farm, const struct cadre_job *job)
{
    struct farm_value **at = find(farm, job);

    if (at != NULL)
        let_go(take_putting(farm, at));
}

void cadre_farm_drop_values(struct cadre_farm *farm, int teams)
{
    struct farm_value **at = &farm->values;

    while (*at != NULL) {
        if ((*at)->place.team >= teams)
            let_go(take_off(at));
        else
            at = &(*at)->next;
    }
}
