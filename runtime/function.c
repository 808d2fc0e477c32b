/* function.c - the registry of functions. */
#include "function.h"

#include "structs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cadre_function *functions; /* newest first */
static uint32_t last_id;

/* Tasks that are found by their names alone. */
static struct tasks {
    const struct cadre_task_record *const *begin, *const *end;
} builtins, tasks;

void cadre_tasks_register(const struct cadre_task_record *const *begin,
                          const struct cadre_task_record *const *end)
{
    tasks = (struct tasks){.begin = begin, .end = end};
}

void cadre_builtins_register(const struct cadre_task_record *const *begin,
                             const struct cadre_task_record *const *end)
{
    builtins = (struct tasks){.begin = begin, .end = end};
}

static bool has(const struct tasks *all, const struct cadre_task_record *record)
{
    for (const struct cadre_task_record *const *t = all->begin; t < all->end;
         t++) {
        if (*t == record)
            return true;
    }
    return false;
}

static bool is_own_task(const struct cadre_task_record *record)
{
    return has(&builtins, record) || has(&tasks, record);
}

static const struct cadre_task_record *find_task(const struct tasks *all,
                                                 const char *name)
{
    for (const struct cadre_task_record *const *t = all->begin; t < all->end;
         t++) {
        if (strcmp((*t)->name, name) == 0)
            return *t;
    }
    return NULL;
}

cadre_err cadre_task_find(const char *library, const char *symbol,
                          cadre_symbol_fn *fn, struct cadre_error *error)
{
    const struct cadre_task_record *task = NULL;

    if (library[0] == '\0' && (task = find_task(&builtins, symbol)) == NULL)
        task = find_task(&tasks, symbol);
    if (task != NULL) {
        *fn = task->fn;
        return CADRE_OK;
    }
    return cadre_symbol_find(library, symbol, fn, error);
}

static void destroy(struct cadre_function *f)
{
    if (f == NULL)
        return;
    cadre_proto_destroy(f->proto);
    free(f->parameters);
    free(f->library);
    free(f->symbol);
    free(f->written);
    free(f->expanded);
    free(f->sent);
    free(f);
}

static struct cadre_function *create(const char *library, const char *symbol,
                                     const char *written, const char *expanded)
{
    struct cadre_function *f = calloc(1, sizeof *f);

    if (f == NULL)
        return NULL;
    f->library = strdup(library);
    f->symbol = strdup(symbol);
    f->written = strdup(written);
    f->expanded = strdup(expanded);
    if (f->library == NULL || f->symbol == NULL || f->written == NULL ||
        f->expanded == NULL) {
        destroy(f);
        return NULL;
    }
    return f;
}

/* Declare the structs of a program or library, [begin, end). */
static cadre_err declare(const struct cadre_struct_record *const *begin,
                         const struct cadre_struct_record *const *end,
                         struct cadre_error *error)
{
    cadre_err err;

    for (; begin < end; begin++) {
        err = cadre_struct_declare((*begin)->name, (*begin)->fields,
                                   (*begin)->size, error);
        if (err != CADRE_OK)
            return cadre_error_prefix(error, err,
                                      "struct %s: ", (*begin)->name);
    }
    return CADRE_OK;
}

/* What workers are told: a prototype that declares its structs itself. */
static cadre_err write_sent(struct cadre_function *f)
{
    const struct cadre_proto *p = f->proto;

    if (p->declarations[0] == '\0')
        return CADRE_OK;
    if (asprintf(&f->sent, "%s%s", p->declarations, p->text) >= 0)
        return CADRE_OK;
    f->sent = NULL;
    return cadre_error_set(&f->error, CADRE_ENOMEM, "out of memory");
}

/* What a program may know of the parameters. */
static cadre_err describe(struct cadre_function *f)
{
    const struct cadre_proto *p = f->proto;

    f->parameters = calloc((size_t)p->nparams + 1, sizeof *f->parameters);
    if (f->parameters == NULL)
        return cadre_error_set(&f->error, CADRE_ENOMEM, "out of memory");
    for (int i = 0; i < p->nparams; i++) {
        const struct cadre_param *param = &p->params[i];
        struct cadre_parameter *q = &f->parameters[i];
        uint64_t constant = 1, each = 1;
        int nlengths = 0;

        *q = (struct cadre_parameter){
            .name = param->name,
            .type = param->type,
            .of = param->of,
            .is_array = param->kind == CADRE_PARAM_ARRAY,
            .is_input = cadre_param_is_sent(param),
            .is_output = cadre_param_is_output(param),
            .length = -1,
        };
        for (int d = 0; d < param->ndims; d++) {
            const struct cadre_dim *dim = &param->dims[d];

            constant *= dim->param < 0 ? dim->count : 0;
            each *= dim->param < 0 ? dim->count : 1;
            if (dim->param >= 0 && nlengths++ == 0)
                q->length = dim->param;
        }
        q->constant = q->is_array ? constant : 0;
        if (nlengths > 1)
            q->length = -1;
        q->per_length = q->length >= 0 ? each : 0;
    }
    return write_sent(f);
}

/* Put `f` into the registry; it gets its id. Under the lock. */
static struct cadre_function *enter(struct cadre_function *f)
{
    f->id = ++last_id;
    f->next = functions;
    functions = f;
    return f;
}

static struct cadre_function *
find_record(const struct cadre_task_record *record)
{
    for (struct cadre_function *f = functions; f != NULL; f = f->next) {
        if (f->record == record)
            return f;
    }
    return NULL;
}

/* A task of the program is found by name; one of a shared library by the
 * library's path. */
static struct cadre_function *
create_of_record(const struct cadre_task_record *record)
{
    const char *library = "", *symbol = record->name;
    struct cadre_error error = {""};
    struct cadre_function *f;
    cadre_err err = CADRE_OK;

    if (!is_own_task(record))
        err = cadre_symbol_locate(record->fn, &library, &symbol, &error);
    if (err != CADRE_OK)
        library = "";
    f = create(library, symbol, record->written, record->expanded);
    if (f == NULL)
        return NULL;
    f->record = record;
    f->err = err;
    f->error = error;
    if (err == CADRE_OK)
        f->err = declare(record->structs, record->structs_end, &f->error);
    if (f->err == CADRE_OK)
        f->err = cadre_proto_parse_task(record->written, record->expanded,
                                        &f->proto, &f->error);
    if (f->err == CADRE_OK)
        f->err = describe(f);
    if (f->err != CADRE_OK)
        cadre_error_prefix(&f->error, f->err, "task %s: ", record->name);
    return f;
}

struct cadre_function *
cadre_function_of_record(const struct cadre_task_record *record)
{
    struct cadre_function *f;

    pthread_mutex_lock(&lock);
    f = find_record(record);
    if (f != NULL && f->err == CADRE_ENOTFOUND && is_own_task(record)) {
        f->record = NULL; /* asked for before cadre_init(): ask again */
        f = NULL;
    }
    if (f == NULL && (f = create_of_record(record)) != NULL)
        enter(f);
    pthread_mutex_unlock(&lock);
    return f;
}

/* A library named by a relative path must be found from any directory. */
static char *absolute(const char *library)
{
    char *path = NULL;

    if (strchr(library, '/') != NULL)
        path = realpath(library, NULL);
    return path != NULL ? path : strdup(library);
}

static cadre_err open_function(const char *library, const char *prototype,
                               struct cadre_function **function,
                               struct cadre_error *error)
{
    struct cadre_proto *proto;
    struct cadre_function *f;
    cadre_symbol_fn fn;
    cadre_err err;

    if ((err = cadre_proto_parse(prototype, &proto, error)) != CADRE_OK)
        return cadre_error_prefix(error, err, "prototype '%.80s': ", prototype);
    if ((err = cadre_symbol_find(library, proto->name, &fn, error)) !=
        CADRE_OK) {
        cadre_proto_destroy(proto);
        return err;
    }
    if ((f = create(library, proto->name, prototype, "")) == NULL) {
        cadre_proto_destroy(proto);
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    }
    f->proto = proto;
    if ((err = describe(f)) != CADRE_OK) {
        if (error != NULL)
            *error = f->error;
        destroy(f);
        return err;
    }
    *function = enter(f);
    return CADRE_OK;
}

cadre_err cadre_function_find(const char *library, const char *prototype,
                              struct cadre_function **function,
                              struct cadre_error *error)
{
    char *path = absolute(library != NULL ? library : "");
    struct cadre_function *f;
    cadre_err err = CADRE_OK;

    if (path == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    pthread_mutex_lock(&lock);
    for (f = functions; f != NULL; f = f->next) {
        if (f->record == NULL && strcmp(f->library, path) == 0 &&
            strcmp(f->written, prototype) == 0)
            break;
    }
    if (f != NULL)
        *function = f;
    else
        err = open_function(path, prototype, function, error);
    pthread_mutex_unlock(&lock);
    free(path);
    return err;
}
