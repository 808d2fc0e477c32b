/* structs.c - the registry of structs. */
#include "structs.h"

#include "proto_struct.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cadre_declared *structs; /* newest first; guarded by `lock` */

const struct cadre_struct *cadre_struct_find(const char *name, size_t len)
{
    const struct cadre_struct *found = NULL;
    const struct cadre_declared *d;

    pthread_mutex_lock(&lock);
    for (d = structs; d != NULL && found == NULL; d = d->next) {
        const char *tag = strchr(d->type.name, ' ') + 1;

        if (strlen(tag) == len && memcmp(tag, name, len) == 0)
            found = &d->type;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Enter `declared`, which is taken, unless it is known. */
static cadre_err enter(struct cadre_declared *declared,
                       struct cadre_error *error)
{
    const char *name = declared->type.name;
    const struct cadre_declared *d;
    bool is_same = true;

    pthread_mutex_lock(&lock);
    for (d = structs; d != NULL && strcmp(d->type.name, name) != 0;)
        d = d->next;
    if (d == NULL) {
        declared->next = structs;
        structs = declared;
    } else {
        is_same = cadre_declared_equal(&d->type, &declared->type);
        name = d->type.name;
        cadre_declared_destroy(declared);
    }
    pthread_mutex_unlock(&lock);
    if (is_same)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EPARSE,
                           "'%.60s' has been declared with other fields", name);
}

cadre_err cadre_struct_declare(const char *name, const char *fields,
                               size_t size, struct cadre_error *error)
{
    struct cadre_declared *declared;
    cadre_err err = cadre_declared_parse(name, fields, &declared, error);

    if (err != CADRE_OK)
        return err;
    if (size != 0 && declared->type.size != size) {
        cadre_error_set(error, CADRE_EPARSE,
                        "'%.60s' has %zu bytes here, its fields make %zu: is "
                        "it packed or aligned by hand?",
                        declared->type.name, size, declared->type.size);
        cadre_declared_destroy(declared);
        return CADRE_EPARSE;
    }
    return enter(declared, error);
}
