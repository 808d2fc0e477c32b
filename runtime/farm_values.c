/* farm_values.c - values that every worker's store is to have.
 *
 * A value is kept as the bytes that are sent. It has a number, and each worker
 * the number of the last one that it was sent: so a worker that comes later is
 * sent what it lacks, in the same order, and nobody is sent anything twice. One
 * that is replaced by another of its name is freed when it has left.
 */
#include "farm_internal.h"

#include "store.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct farm_value {
    struct farm_value *next;
    uint64_t number; /* from 1 */
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

void cadre_farm_free_values(struct cadre_farm *farm)
{
    for (struct farm_value *v = farm->values, *next; v != NULL; v = next) {
        next = v->next;
        let_go(v);
    }
    farm->values = NULL;
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

        if (v->number <= w->last_value)
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

/* Put `v` behind all others, in place of the one of its name. */
static void add(struct cadre_farm *farm, struct farm_value *v)
{
    struct farm_value **at = &farm->values;

    while (*at != NULL) {
        struct farm_value *old = *at;

        if (strcmp(old->name, v->name) == 0) {
            *at = old->next;
            let_go(old);
        } else {
            at = &old->next;
        }
    }
    v->number = ++farm->last_value;
    *at = v;
}

cadre_err cadre_farm_broadcast(struct cadre_farm *farm, const char *name,
                               const struct cadre_kept *kept,
                               struct cadre_error *error)
{
    struct farm_value *v;
    cadre_err err;

    if ((err = cadre_farm_check_open(farm, error)) != CADRE_OK)
        return err;
    if ((v = calloc(1, sizeof *v)) == NULL || (v->name = strdup(name)) == NULL)
        err = cadre_error_set(error, CADRE_ENOMEM, "no memory for `%s`", name);
    else
        err = cadre_kept_encode(name, kept, &v->bytes, error);
    if (err != CADRE_OK) {
        free_value(v);
        return err;
    }
    v->keeper.released = on_released;
    add(farm, v);
    farm->options.has_store = true;
    send_all(farm);
    cadre_farm_flush(farm);
    return CADRE_OK;
}
