/* stored.c - a team's stored values: put and read by tasks of the library's own
 * (runtime/worker_stored.h), and what comes back.
 *
 * A value travels as its bytes (runtime/store.h): a task puts any type, and a
 * future that reads keeps them until somebody says what they are to become.
 */
#include "future.h"

#include "runtime/convert.h"
#include "runtime/worker_stored.h"

#include <cadre/stored.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cadre_farm_place place_of(struct cadre_where where)
{
    return (struct cadre_farm_place){.team = where.team, .rank = where.rank};
}

static cadre_err check(const struct cadre_object *object, const char *call,
                       const char *name, struct cadre_error *error)
{
    cadre_err err = cadre_object_check(object, call, error);

    if (err == CADRE_OK && name == NULL)
        err =
            cadre_error_set(error, CADRE_EINVAL, "%s: the name is NULL", call);
    return err;
}

/* --- putting -------------------------------------------------------------- */

/* Nobody looks at the future: destroying the object tells of a failure. */
static cadre_err put_on(struct cadre_farm *farm, struct cadre_farm_place place,
                        const char *name, const struct cadre_kept *kept,
                        const struct cadre_buffer *bytes,
                        struct cadre_error *error)
{
    struct cadre_invocation call = {
        .function = CADRE_FN(cadre_stored_put_),
        .values =
            CADRE_VALUES(place.rank, bytes->len, CADRE_ARRAY(bytes->data))};
    struct cadre_errand errand = {.place = place, .name = name, .kept = kept};
    struct cadre_future *f;
    cadre_err err = cadre_farm_run_errand(farm, call, &errand, &f, error);

    if (err == CADRE_OK)
        cadre_future_free(f);
    return err;
}

/* How many teams there are to be. */
static int count_teams(struct cadre_farm *farm)
{
    struct cadre_engine *e = cadre_farm_engine(farm);
    int n;

    cadre_engine_lock(e);
    n = cadre_farm_wanted(farm);
    cadre_engine_unlock(e);
    return n;
}

static cadre_err put(struct cadre_object *object, struct cadre_where where,
                     const char *name, const struct cadre_kept *kept,
                     struct cadre_error *error)
{
    struct cadre_farm_place place = place_of(where);
    int end = where.team + 1;
    struct cadre_buffer bytes = {0};
    cadre_err err = cadre_kept_encode(name, kept, &bytes, error);

    if (where.team == -1) {
        place.team = 0;
        end = count_teams(object->farm);
    }
    for (; err == CADRE_OK && place.team < end; place.team++)
        err = put_on(object->farm, place, name, kept, &bytes, error);
    cadre_buffer_fini(&bytes);
    return err;
}

cadre_err cadre_object_put(struct cadre_object *object,
                           struct cadre_where where, const char *name,
                           struct cadre_value value)
{
    struct cadre_error error = {""};
    struct cadre_number number;
    struct cadre_kept kept;
    cadre_err err;

    if ((err = check(object, "stored_put", name, &error)) == CADRE_OK &&
        (err = cadre_value_see(name, &value, &number, &kept, &error)) ==
            CADRE_OK)
        err = put(object, where, name, &kept, &error);
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

cadre_err cadre_object_put_array(struct cadre_object *object,
                                 struct cadre_where where, const char *name,
                                 struct cadre_numbers array)
{
    struct cadre_error error = {""};
    struct cadre_kept kept;
    cadre_err err;

    if ((err = check(object, "stored_put", name, &error)) == CADRE_OK &&
        (err = cadre_array_see(name, &array, &kept, &error)) == CADRE_OK)
        err = put(object, where, name, &kept, &error);
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

/* --- reading -------------------------------------------------------------- */

struct cadre_future *cadre_object_get(struct cadre_object *object,
                                      struct cadre_where where,
                                      const char *name)
{
    struct cadre_errand errand = {.place = place_of(where), .name = name};
    struct cadre_error error = {""};
    struct cadre_future *f;
    cadre_err err = check(object, "stored_get", name, &error);

    if (err == CADRE_OK && where.team == -1)
        err = cadre_error_set(&error, CADRE_EINVAL,
                              "`%s`: read one team after another", name);
    if (err == CADRE_OK) {
        struct cadre_invocation call = {.function = CADRE_FN(cadre_stored_get_),
                                        .values =
                                            CADRE_VALUES(where.rank, name)};

        err = cadre_farm_run_errand(object->farm, call, &errand, &f, &error);
    }
    return err == CADRE_OK ? f : cadre_future_failed(err, &error);
}

bool cadre_future_is_read(const struct cadre_future *future)
{
    const struct cadre_function *f = future->job.function;

    return f != NULL && f->record == &cadre_record_cadre_stored_get_;
}

/* --- what was read -------------------------------------------------------- */

/* What one rank has. */
struct found {
    int rank;
    const char *name;
    struct cadre_kept kept; /* lent by the future */
};

static int ranks_of(const struct cadre_future *f)
{
    return f->more != NULL ? f->more->ranks : 1;
}

/* False, or `*err`: it was not asked for its value. */
static bool find(const struct cadre_future *f, int rank, struct found *found,
                 cadre_err *err, struct cadre_error *error)
{
    const struct cadre_outcome *o =
        rank == 0 ? f->outcome : f->more->rest[rank - 1];
    const void *data;
    uint64_t bytes;

    *err = CADRE_OK;
    if (o == NULL)
        return false;
    found->rank = rank;
    *err = cadre_outputs_find_with(f->job.function->proto, 0, o->outputs,
                                   o->len, &o->bulks, &data, &bytes, error);
    if (*err == CADRE_OK && bytes > 0)
        *err =
            cadre_kept_decode(data, bytes, &found->name, &found->kept, error);
    return *err == CADRE_OK && bytes > 0;
}

/* " of rank 1"; nothing where there is no other. */
struct rank_label {
    char text[32];
};

static struct rank_label label_of(const struct cadre_future *f,
                                  const struct found *found)
{
    struct rank_label label = {""};

    if (ranks_of(f) > 1)
        snprintf(label.text, sizeof label.text, " of rank %d", found->rank);
    return label;
}

static cadre_err is_other(const struct cadre_future *f,
                          const struct found *found,
                          const struct cadre_output *to,
                          struct cadre_error *error)
{
    bool is_text = to->type == CADRE_STRING;

    return cadre_error_set(
        error, CADRE_ETYPE,
        found->kept.kind == CADRE_KEPT_SCALAR && !to->is_pointers
            ? "`%s`%s is stored as %s, and its value does not fit %s%s"
            : "`%s`%s is stored as %s and cannot be read into %s%s",
        found->name, label_of(f, found).text,
        cadre_kept_label(&found->kept).text,
        to->is_pointers && !is_text ? "a pointer to " : "",
        cadre_type_name(to->type));
}

/* Elements that a rank's value takes of room that is not pointers. */
static uint64_t length_of(const struct found *found)
{
    return found->kept.kind == CADRE_KEPT_ARRAY ? found->kept.count : 1;
}

/* Can it become an element, or elements, of `to`? */
static cadre_err check_type(const struct cadre_future *f,
                            const struct found *found,
                            const struct cadre_output *to,
                            struct cadre_error *error)
{
    const struct cadre_kept *k = &found->kept;
    struct cadre_number number;
    bool fits = false;

    switch (k->kind) {
    case CADRE_KEPT_SCALAR:
        fits = !to->is_pointers && cadre_type_is_arithmetic(to->type) &&
               cadre_convert(k->type, k->data, to->type, number.bytes);
        break;
    case CADRE_KEPT_STRING:
        fits = to->is_pointers && to->type == CADRE_STRING;
        break;
    case CADRE_KEPT_ARRAY:
        fits = to->type == k->type;
        break;
    case CADRE_KEPT_OBJECT:
        break;
    }
    return fits ? CADRE_OK : is_other(f, found, to, error);
}

static size_t size_of(const struct cadre_output *to)
{
    return to->is_pointers ? sizeof(void *) : cadre_type_size(to->type);
}

/* All values of `f` are as long, and the room is for them. */
static cadre_err check_lengths(const struct found *all, int n,
                               const struct cadre_output *to, bool is_whole,
                               struct cadre_error *error)
{
    uint64_t length = to->is_pointers ? 1 : length_of(&all[0]);
    uint64_t need, room = to->bytes / size_of(to);

    for (int i = 1; i < n && !to->is_pointers; i++) {
        if (length_of(&all[i]) != length)
            return cadre_error_set(error, CADRE_ETYPE,
                                   "`%s` has %" PRIu64
                                   " elements on rank %d, %" PRIu64
                                   " on rank %d: read each into a pointer",
                                   all[0].name, length, all[0].rank,
                                   length_of(&all[i]), all[i].rank);
    }
    if (to->bytes == SIZE_MAX)
        return CADRE_OK;
    if (__builtin_mul_overflow(length, (uint64_t)n, &need))
        need = UINT64_MAX;
    if (need <= room && (need == room || !is_whole))
        return CADRE_OK;
    return cadre_error_set(error, CADRE_ETYPE,
                           "`%s` is stored as %s, %" PRIu64
                           " on each of %d ranks: the room is for %" PRIu64
                           ", not %" PRIu64,
                           all[0].name, cadre_kept_label(&all[0].kept).text,
                           length, n, room, need);
}

/* Strings are copied before any is given. CADRE_ENOMEM. */
static cadre_err take_strings(const struct found *all, int n, char **to,
                              struct cadre_error *error)
{
    int i;

    for (i = 0; i < n; i++) {
        to[i] = NULL;
        if (all[i].kept.data != NULL &&
            (to[i] = strdup(all[i].kept.data)) == NULL)
            break;
    }
    if (i == n)
        return CADRE_OK;
    while (i-- > 0) {
        free(to[i]);
        to[i] = NULL;
    }
    return cadre_error_set(error, CADRE_ENOMEM, "out of memory for a string");
}

static void take_numbers(const struct found *all, int n,
                         const struct cadre_output *to)
{
    unsigned char *at = to->data;

    for (int i = 0; i < n; i++) {
        const struct cadre_kept *k = &all[i].kept;
        size_t bytes = length_of(&all[i]) * cadre_type_size(to->type);

        if (k->kind == CADRE_KEPT_SCALAR)
            cadre_convert(k->type, k->data, to->type, at);
        else if (bytes > 0)
            memcpy(to->is_pointers ? ((void **)to->data)[i] : at, k->data,
                   bytes);
        at += bytes;
    }
}

/* Check all, then take all. */
static cadre_err take(const struct cadre_future *f, const struct found *all,
                      int n, const struct cadre_output *to, bool is_whole,
                      struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    if (to->data == NULL)
        return cadre_error_set(error, CADRE_ETYPE, "`%s`: the room is NULL",
                               all[0].name);
    for (int i = 0; i < n && err == CADRE_OK; i++)
        err = check_type(f, &all[i], to, error);
    if (err == CADRE_OK)
        err = check_lengths(all, n, to, is_whole, error);
    if (err != CADRE_OK)
        return err;
    if (to->type == CADRE_STRING)
        return take_strings(all, n, to->data, error);
    take_numbers(all, n, to);
    return CADRE_OK;
}

/* Those that were asked for their value. */
static cadre_err find_all(const struct cadre_future *f, struct found *all,
                          int *n, struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    *n = 0;
    for (int rank = 0; rank < ranks_of(f) && err == CADRE_OK; rank++)
        *n += find(f, rank, &all[*n], &err, error);
    if (err == CADRE_OK && *n == 0)
        err = cadre_error_set(error, CADRE_EPROTO, "no value has come");
    return err;
}

cadre_err cadre_stored_take(const struct cadre_future *future,
                            struct cadre_room *room, struct cadre_error *error)
{
    struct cadre_output to;
    struct found *all;
    cadre_err err;
    int n;

    if (room->into.count > 1)
        return cadre_error_set(error, CADRE_ETYPE,
                               "what is stored is one output, not %zu",
                               room->into.count);
    all = calloc((size_t)ranks_of(future), sizeof *all);
    if (all == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    cadre_room_rest(room, &to);
    if ((err = find_all(future, all, &n, error)) == CADRE_OK &&
        (err = take(future, all, n, &to, room->is_whole, error)) == CADRE_OK)
        room->used[0] +=
            (uint64_t)n * (to.is_pointers ? 1 : length_of(&all[0]));
    free(all);
    return err;
}

cadre_err cadre_stored_entry(struct cadre_future *future, int rank,
                             struct cadre_store_entry *entry)
{
    struct cadre_error error = {""};
    struct found found;
    cadre_err err = cadre_future_result(future, CADRE_NOTHING);

    if (err != CADRE_OK)
        return err;
    if (entry == NULL || !cadre_future_is_read(future) || rank < 0 ||
        rank >= ranks_of(future) ||
        (!find(future, rank, &found, &err, &error) && err == CADRE_OK))
        err = cadre_error_set(&error, CADRE_EINVAL,
                              entry == NULL ? "stored_entry: a pointer is NULL"
                              : !cadre_future_is_read(future)
                                  ? "stored_entry: the future is of another "
                                    "task"
                                  : "stored_entry: no value of rank %d was "
                                    "read",
                              rank);
    if (err != CADRE_OK)
        return cadre_error_publish(&error, err);
    *entry = (struct cadre_store_entry){.name = found.name,
                                        .type = found.kept.type,
                                        .is_array =
                                            found.kept.kind == CADRE_KEPT_ARRAY,
                                        .count = found.kept.count};
    return CADRE_OK;
}
