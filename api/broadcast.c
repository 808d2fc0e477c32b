/* broadcast.c - values that the stores of all workers are to have. */
#include "internal.h"

#include <cadre/object.h>

static cadre_err check_broadcast(const struct cadre_object *object,
                                 const char *name, struct cadre_error *error)
{
    if (object != NULL && name != NULL)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EINVAL, "broadcast: the %s is NULL",
                           object == NULL ? "object" : "name");
}

static cadre_err broadcast(struct cadre_object *object, const char *name,
                           const struct cadre_kept *kept,
                           struct cadre_error *error)
{
    struct cadre_engine *e = cadre_farm_engine(object->farm);
    cadre_err err;

    cadre_engine_lock(e);
    err = cadre_farm_broadcast(object->farm, name, kept, error);
    cadre_engine_run_later(e);
    cadre_engine_unlock(e);
    return err;
}

cadre_err cadre_object_broadcast(struct cadre_object *object, const char *name,
                                 struct cadre_value value)
{
    struct cadre_error error = {""};
    struct cadre_number number;
    struct cadre_kept kept;
    cadre_err err;

    if ((err = check_broadcast(object, name, &error)) == CADRE_OK &&
        (err = cadre_value_see(name, &value, &number, &kept, &error)) ==
            CADRE_OK)
        err = broadcast(object, name, &kept, &error);
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

cadre_err cadre_object_broadcast_array(struct cadre_object *object,
                                       const char *name,
                                       struct cadre_numbers array)
{
    struct cadre_error error = {""};
    struct cadre_kept kept;
    cadre_err err;

    if ((err = check_broadcast(object, name, &error)) == CADRE_OK &&
        (err = cadre_array_see(name, &array, &kept, &error)) == CADRE_OK)
        err = broadcast(object, name, &kept, &error);
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}
