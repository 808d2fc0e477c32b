/* store.c - the public face of a worker's store. */
#include "internal.h"

#include "runtime/convert.h"

#include <cadre/store.h>

#include <string.h>

/* Say it in cadre_error_text() too. */
static cadre_err told(cadre_err err, const struct cadre_error *error)
{
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(error, err);
}

static cadre_err check(const struct cadre_store *store, const char *name,
                       const void *pointer, struct cadre_error *error)
{
    const char *what = store == NULL  ? "the store"
                       : name == NULL ? "the name"
                                      : "a pointer";

    if (store != NULL && name != NULL && pointer != NULL)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EINVAL, "%s%s%s is NULL",
                           name != NULL ? name : "", name != NULL ? ": " : "",
                           what);
}

/* --- seeing what the caller has ------------------------------------------- */

cadre_err cadre_value_see(const char *name, const struct cadre_value *value,
                          struct cadre_number *number, struct cadre_kept *kept,
                          struct cadre_error *error)
{
    *kept = (struct cadre_kept){.type = value->type, .count = 1};
    if (value->is_array)
        return cadre_error_set(error, CADRE_ETYPE,
                               "`%s`: an array of %s needs its length: write "
                               "..._array(store, \"%s\", length, array)",
                               name, cadre_type_name(value->type), name);
    if (value->type == CADRE_STRING) {
        kept->kind = CADRE_KEPT_STRING;
        kept->data = (char *)(uintptr_t)value->string; /* it is only copied */
        return CADRE_OK;
    }
    if (!cadre_value_write(value, value->type, number->bytes))
        return cadre_error_set(error, CADRE_ETYPE,
                               "`%s`: not a number and not a string", name);
    kept->kind = CADRE_KEPT_SCALAR;
    kept->data = number->bytes;
    return CADRE_OK;
}

cadre_err cadre_array_see(const char *name, const struct cadre_numbers *array,
                          struct cadre_kept *kept, struct cadre_error *error)
{
    size_t size = cadre_type_size(array->type);

    if (array->is_pointers || !cadre_type_is_arithmetic(array->type))
        return cadre_error_set(
            error, CADRE_ETYPE,
            "`%s`: only numbers one after another can be stored as an "
            "array",
            name);
    if (array->data != NULL && array->bytes != SIZE_MAX &&
        array->bytes / size < array->count)
        return cadre_error_set(error, CADRE_ETYPE,
                               "`%s`: the array has %zu elements of %s, not "
                               "%zu",
                               name, array->bytes / size,
                               cadre_type_name(array->type), array->count);
    *kept = (struct cadre_kept){
        .kind = CADRE_KEPT_ARRAY,
        .type = array->type,
        .count = array->count,
        .data = (void *)(uintptr_t)array->data}; /* it is only copied */
    return CADRE_OK;
}

/* --- the store itself ----------------------------------------------------- */

cadre_err cadre_store_create(struct cadre_store **store)
{
    struct cadre_store *created;

    if (store == NULL)
        return cadre_error_publish(
            &(struct cadre_error){"store_create: the pointer is NULL"},
            CADRE_EINVAL);
    if ((created = cadre_store_new()) == NULL)
        return cadre_error_publish(
            &(struct cadre_error){"no memory for a store"}, CADRE_ENOMEM);
    *store = created;
    return CADRE_OK;
}

void cadre_store_destroy(struct cadre_store *store)
{
    cadre_store_free(store);
}

void cadre_store_clear(struct cadre_store *store)
{
    if (store != NULL)
        cadre_store_empty(store);
}

/* --- putting -------------------------------------------------------------- */

/* What becomes of a value that was seen. */
typedef cadre_err (*use_fn)(struct cadre_store *store, const char *name,
                            const struct cadre_kept *kept,
                            struct cadre_error *error);

static cadre_err use_value(struct cadre_store *store, const char *name,
                           const struct cadre_value *value, use_fn use)
{
    struct cadre_error error = {""};
    struct cadre_number number;
    struct cadre_kept kept;
    cadre_err err;

    if ((err = check(store, name, "", &error)) == CADRE_OK &&
        (err = cadre_value_see(name, value, &number, &kept, &error)) ==
            CADRE_OK)
        err = use(store, name, &kept, &error);
    return told(err, &error);
}

/* `needed`: a pointer that must not be NULL. */
static cadre_err use_array(struct cadre_store *store, const char *name,
                           const struct cadre_numbers *array,
                           const void *needed, use_fn use)
{
    struct cadre_error error = {""};
    struct cadre_kept kept;
    cadre_err err;

    if ((err = check(store, name, needed, &error)) == CADRE_OK &&
        (err = cadre_array_see(name, array, &kept, &error)) == CADRE_OK)
        err = use(store, name, &kept, &error);
    return told(err, &error);
}

cadre_err cadre_store_put_value(struct cadre_store *store, const char *name,
                                struct cadre_value value)
{
    return use_value(store, name, &value, cadre_store_keep);
}

cadre_err cadre_store_put_elements(struct cadre_store *store, const char *name,
                                   struct cadre_numbers array)
{
    return use_array(store, name, &array, "", cadre_store_keep);
}

cadre_err cadre_store_put_pointer(struct cadre_store *store, const char *name,
                                  void *object, void (*destructor)(void *))
{
    struct cadre_kept kept = {.kind = CADRE_KEPT_OBJECT,
                              .count = 1,
                              .data = object,
                              .destructor = destructor};
    struct cadre_error error = {""};
    cadre_err err;

    if ((err = check(store, name, object, &error)) == CADRE_OK)
        err = cadre_store_keep(store, name, &kept, &error);
    return told(err, &error);
}

/* --- getting -------------------------------------------------------------- */

static cadre_err convert(const char *name, const struct cadre_kept *kept,
                         cadre_type type, bool is_pointer, void *to,
                         struct cadre_error *error)
{
    if (kept->kind == CADRE_KEPT_STRING && type == CADRE_STRING) {
        memcpy(to, &kept->data, sizeof kept->data);
        return CADRE_OK;
    }
    if (kept->kind != CADRE_KEPT_SCALAR || is_pointer)
        return cadre_error_set(
            error, CADRE_ETYPE,
            "`%s` is stored as %s and cannot be read as "
            "%s%s",
            name, cadre_kept_label(kept).text,
            is_pointer && type != CADRE_STRING ? "a pointer to " : "",
            cadre_type_name(type));
    if (!cadre_convert(kept->type, kept->data, type, to))
        return cadre_error_set(error, CADRE_ETYPE,
                               "`%s` is stored as %s, and its value does not "
                               "fit %s",
                               name, cadre_kept_label(kept).text,
                               cadre_type_name(type));
    return CADRE_OK;
}

cadre_err cadre_store_get_scalar(const struct cadre_store *store,
                                 const char *name, cadre_type type,
                                 bool is_pointer, void *to)
{
    const struct cadre_kept *kept = NULL;
    struct cadre_error error = {""};
    struct cadre_number number;
    cadre_err err;

    if ((err = check(store, name, to, &error)) == CADRE_OK &&
        (err = cadre_store_require(store, name, &kept, &error)) == CADRE_OK &&
        (err = convert(name, kept, type, is_pointer, number.bytes, &error)) ==
            CADRE_OK)
        memcpy(to, number.bytes, cadre_type_size(type));
    return told(err, &error);
}

cadre_err cadre_store_get_elements(const struct cadre_store *store,
                                   const char *name, cadre_type type,
                                   bool is_pointers, size_t *count, void *x)
{
    const struct cadre_kept *kept = NULL;
    struct cadre_error error = {""};
    cadre_err err;

    if ((err = check(store, name, x, &error)) == CADRE_OK)
        err = cadre_store_require(store, name, &kept, &error);
    if (err == CADRE_OK &&
        (kept->kind != CADRE_KEPT_ARRAY || kept->type != type || is_pointers))
        err = cadre_error_set(&error, CADRE_ETYPE,
                              "`%s` is stored as %s and cannot be seen as an "
                              "array of %s%s",
                              name, cadre_kept_label(kept).text,
                              is_pointers ? "pointers to " : "",
                              cadre_type_name(type));
    if (err != CADRE_OK)
        return told(err, &error);
    memcpy(x, &kept->data, sizeof kept->data);
    if (count != NULL)
        *count = kept->count;
    return CADRE_OK;
}

cadre_err cadre_store_get_pointer(const struct cadre_store *store,
                                  const char *name, void *object)
{
    const struct cadre_kept *kept = NULL;
    struct cadre_error error = {""};
    cadre_err err;

    if ((err = check(store, name, object, &error)) == CADRE_OK)
        err = cadre_store_require(store, name, &kept, &error);
    if (err == CADRE_OK && kept->kind != CADRE_KEPT_OBJECT)
        err = cadre_error_set(&error, CADRE_ETYPE,
                              "`%s` is stored as %s, not as an object", name,
                              cadre_kept_label(kept).text);
    if (err == CADRE_OK)
        memcpy(object, &kept->data, sizeof kept->data);
    return told(err, &error);
}

/* --- changing ------------------------------------------------------------- */

cadre_err cadre_store_resize(struct cadre_store *store, const char *name,
                             size_t count)
{
    struct cadre_error error = {""};
    cadre_err err;

    if ((err = check(store, name, "", &error)) == CADRE_OK)
        err = cadre_store_resize_array(store, name, count, &error);
    return told(err, &error);
}

cadre_err cadre_store_append_value(struct cadre_store *store, const char *name,
                                   struct cadre_value value)
{
    return use_value(store, name, &value, cadre_store_extend);
}

cadre_err cadre_store_append_elements(struct cadre_store *store,
                                      const char *name,
                                      struct cadre_numbers array)
{
    return use_array(store, name, &array, array.count > 0 ? array.data : "",
                     cadre_store_extend);
}

cadre_err cadre_store_remove(struct cadre_store *store, const char *name)
{
    struct cadre_error error = {""};
    cadre_err err;

    if ((err = check(store, name, "", &error)) == CADRE_OK)
        err = cadre_store_drop(store, name, &error);
    return told(err, &error);
}

/* --- looking -------------------------------------------------------------- */

bool cadre_store_has(const struct cadre_store *store, const char *name)
{
    return store != NULL && name != NULL &&
           cadre_store_find(store, name) != NULL;
}

size_t cadre_store_count(const struct cadre_store *store)
{
    return store != NULL ? cadre_store_size(store) : 0;
}

cadre_err cadre_store_entry(const struct cadre_store *store, size_t index,
                            struct cadre_store_entry *entry)
{
    const struct cadre_kept *kept;
    struct cadre_error error = {""};
    const char *name = NULL;

    if (store != NULL && entry != NULL)
        name = cadre_store_name_at(store, index);
    if (name == NULL)
        return told(cadre_error_set(&error, CADRE_EINVAL,
                                    "the store has no entry %zu, it has %zu",
                                    index, cadre_store_count(store)),
                    &error);
    kept = cadre_store_find(store, name);
    *entry =
        (struct cadre_store_entry){.name = name,
                                   .type = kept->type,
                                   .is_array = kept->kind == CADRE_KEPT_ARRAY,
                                   .count = kept->count};
    return CADRE_OK;
}

/* --- init functions ------------------------------------------------------- */

cadre_err cadre_function_check_init(const struct cadre_function *fn,
                                    struct cadre_error *error)
{
    const struct cadre_param *p;
    cadre_err err;

    if ((err = cadre_function_check(fn, true, error)) != CADRE_OK)
        return err;
    if (fn->proto->result != CADRE_VOID)
        return cadre_error_set(error, CADRE_ETYPE,
                               "%s cannot be an init function: it returns %s, "
                               "not void",
                               fn->proto->name,
                               cadre_type_name(fn->proto->result));
    for (int i = 0; i < fn->proto->nparams; i++) {
        p = &fn->proto->params[i];
        if (p->kind != CADRE_PARAM_STORE && p->kind != CADRE_PARAM_COMM &&
            p->kind != CADRE_PARAM_TASK)
            return cadre_error_set(
                error, CADRE_ETYPE,
                "%s cannot be an init function: it may take `struct "
                "cadre_store *`, `MPI_Comm` and `cadre_task *` only, not `%s`",
                fn->proto->name, p->name);
    }
    return CADRE_OK;
}
