/* submit.c - a call becomes a task: its arguments, and the tasks it needs.
 *
 * Strings and arrays are copied to behind the slots; many bytes of them to a
 * block of their own, which goes when the task has ended, so that who keeps a
 * million futures does not keep their arguments too. What the arguments of an
 * object's unfinished tasks weigh is counted, and bounded.
 *
 * Where arguments are futures the task is held by the scheduler until all of
 * them have ended; each that ends releases it once. With the last one their
 * values are put into the slots: numbers are converted, strings and arrays stay
 * where they are, in the outcome of the task that made them.
 */
#include "future.h"

#include "runtime/convert.h"

#include <stdlib.h>
#include <string.h>

static const size_t ALIGN = 16;

/* From so many bytes on strings and arrays stand in a block of their own. */
enum { APART_MIN = 256 };

static size_t padded(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t slot_size(const struct cadre_param *p)
{
    size_t size =
        p->kind == CADRE_PARAM_SCALAR ? cadre_param_size(p) : sizeof(void *);

    return cadre_param_is_sent(p) ? (size + 7) / 8 * 8 : 0;
}

static unsigned char *slot_of(struct cadre_future *f, int param)
{
    unsigned char *slot = f->args;

    for (int i = 0; i < param; i++)
        slot += slot_size(&f->job.function->proto->params[i]);
    return slot;
}

static const char *param_name(const struct cadre_param *p)
{
    return p->name[0] != '\0' ? p->name : "(unnamed)";
}

/* --- the arguments that are values ------------------------------------------
 */

/* Bytes of one argument behind the slots. */
static cadre_err extra_bytes(const struct cadre_proto *proto, int i,
                             const struct cadre_value *const *by_param,
                             size_t *bytes, struct cadre_error *error)
{
    const struct cadre_param *p = &proto->params[i];
    uint64_t length = 0;
    cadre_err err = CADRE_OK;

    *bytes = 0;
    if (by_param[i] == NULL || by_param[i]->is_future)
        return CADRE_OK;
    if (p->kind == CADRE_PARAM_STRING && by_param[i]->string != NULL)
        *bytes = strlen(by_param[i]->string) + 1;
    if (p->kind == CADRE_PARAM_ARRAY) { /* the caller's own */
        err = cadre_values_length(proto, i, by_param, &length, error);
        *bytes = length * cadre_param_size(p);
    }
    return err;
}

static size_t all_slots(const struct cadre_proto *proto)
{
    size_t bytes = 0;

    for (int i = 0; i < proto->nparams; i++)
        bytes += slot_size(&proto->params[i]);
    return bytes;
}

/* Bytes of all strings and arrays. */
static cadre_err measure(const struct cadre_proto *proto,
                         const struct cadre_value *const *by_param,
                         size_t *extra, struct cadre_error *error)
{
    cadre_err err = CADRE_OK;
    size_t bytes;

    *extra = 0;
    for (int i = 0; i < proto->nparams && err == CADRE_OK; i++) {
        err = extra_bytes(proto, i, by_param, &bytes, error);
        *extra += bytes > 0 ? padded(bytes) : 0;
    }
    return err;
}

/* Where strings and arrays begin that are not in a block of their own. How many
 * bytes they have is written before them, here and there. */
static size_t extra_offset(const struct cadre_proto *proto)
{
    return padded(all_slots(proto) + sizeof(size_t));
}

/* Room behind the future for the slots and what is to stand there, too. */
static size_t room_behind(const struct cadre_proto *proto, size_t extra)
{
    return extra > 0 && extra < APART_MIN ? extra_offset(proto) + extra
                                          : all_slots(proto);
}

/* Room for `bytes` of strings and arrays. NULL: out of memory. */
static unsigned char *place_extra(struct cadre_future *f, size_t bytes)
{
    unsigned char *block, *extra;

    if (bytes < APART_MIN) {
        extra = f->args + extra_offset(f->job.function->proto);
    } else {
        if (bytes > SIZE_MAX - ALIGN || (block = malloc(ALIGN + bytes)) == NULL)
            return NULL;
        extra = block + ALIGN;
    }
    memcpy(extra - sizeof bytes, &bytes, sizeof bytes);
    return extra;
}

/* Is parameter `param` another task's value? */
static bool is_needed(const struct cadre_future *f, int param)
{
    for (int i = 0; f->more != NULL && i < f->more->nneeds; i++) {
        if (f->more->needs[i].param == param)
            return true;
    }
    return false;
}

/* Where the task's own strings and arrays begin: the first of them. NULL: it
 * has none. */
static unsigned char *find_extra(const struct cadre_future *f)
{
    const struct cadre_proto *proto = f->job.function->proto;
    const unsigned char *slot = f->args;
    unsigned char *extra;

    for (int i = 0; i < proto->nparams;
         slot += slot_size(&proto->params[i++])) {
        if (proto->params[i].kind == CADRE_PARAM_SCALAR ||
            slot_size(&proto->params[i]) == 0 || is_needed(f, i))
            continue;
        memcpy(&extra, slot, sizeof extra);
        if (extra != NULL && extra != (const unsigned char *)f) /* blank() */
            return extra;
    }
    return NULL;
}

uint64_t cadre_future_weight(const struct cadre_future *future)
{
    const unsigned char *extra = find_extra(future);
    size_t bytes = 0;

    if (extra != NULL)
        memcpy(&bytes, extra - sizeof bytes, sizeof bytes);
    return all_slots(future->job.function->proto) + bytes;
}

static cadre_err put_args(struct cadre_future *f,
                          const struct cadre_value *const *by_param,
                          unsigned char *extra, struct cadre_error *error)
{
    const struct cadre_proto *proto = f->job.function->proto;
    unsigned char *slot = f->args;
    cadre_err err = CADRE_OK;

    for (int i = 0; i < proto->nparams && err == CADRE_OK; i++) {
        const struct cadre_param *p = &proto->params[i];
        size_t bytes;

        if (slot_size(p) == 0)
            continue;
        if (by_param[i] == NULL || by_param[i]->is_future) {
            memset(slot, 0, slot_size(p));
        } else if (p->kind == CADRE_PARAM_SCALAR) {
            err = cadre_value_convert(by_param[i], p, slot, error);
        } else {
            void *copy = NULL;

            extra_bytes(proto, i, by_param, &bytes, NULL);
            if (bytes > 0 && extra != NULL) {
                copy = memcpy(extra, by_param[i]->pointer, bytes);
                extra += padded(bytes);
            }
            memcpy(slot, &copy, sizeof copy);
        }
        slot += slot_size(p);
    }
    return err;
}

/* A task with its arguments, those that are values. */
static cadre_err new_task(struct cadre_function *fn, size_t extra_bytes,
                          const struct cadre_value *const *by_param,
                          struct cadre_future **future,
                          struct cadre_error *error)
{
    unsigned char *extra = NULL;
    struct cadre_future *f;
    cadre_err err;

    if ((f = malloc(sizeof *f + room_behind(fn->proto, extra_bytes))) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    *f = (struct cadre_future){
        .job = {.ops = &cadre_future_ops, .function = fn}, .refs = 1};
    if (extra_bytes > 0 && (extra = place_extra(f, extra_bytes)) == NULL)
        err = cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    else
        err = put_args(f, by_param, extra, error);
    if (err == CADRE_OK) {
        *future = f;
        return CADRE_OK;
    }
    if (extra != NULL && extra_bytes >= APART_MIN)
        free(extra - ALIGN);
    free(f);
    return err;
}

/* Is parameter `param` left to the store? */
static bool is_absent(const struct cadre_future *f, int param)
{
    return f->more != NULL && (f->more->absent >> param & 1) != 0;
}

/* Remember what is left to the store. */
static cadre_err put_absent(struct cadre_future *f,
                            const struct cadre_value *const *by_param,
                            struct cadre_error *error)
{
    const struct cadre_proto *proto = f->job.function->proto;

    for (int i = 0; i < proto->nparams; i++) {
        if (by_param[i] != NULL || slot_size(&proto->params[i]) == 0)
            continue;
        if (cadre_future_need_more(f) != CADRE_OK)
            return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
        f->more->absent |= UINT64_C(1) << i;
    }
    return CADRE_OK;
}

cadre_err cadre_future_table(const struct cadre_future *future,
                             struct cadre_table **table,
                             struct cadre_error *error)
{
    const struct cadre_proto *proto = future->job.function->proto;
    struct cadre_table *t = cadre_table_new(proto);
    const unsigned char *slot = future->args;
    cadre_err err;

    if (t == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    t->count = 1;
    t->has_store = future->has_store;
    for (int i = 0; i < proto->nparams; i++) {
        const struct cadre_param *p = &proto->params[i];

        if (slot_size(p) == 0)
            continue;
        if (!is_absent(future, i))
            t->args[i] = (struct cadre_view){
                .form = p->kind == CADRE_PARAM_SCALAR ? CADRE_FORM_DENSE
                                                      : CADRE_FORM_POINTERS,
                .data = slot};
        slot += slot_size(p);
    }
    if ((err = cadre_table_measure(t, error)) != CADRE_OK) {
        cadre_table_free(t);
        return err;
    }
    *table = t;
    return CADRE_OK;
}

/* --- the arguments that are futures ------------------------------------------
 */

/* Which output of `on` fits parameter `p`; -1: none. */
static int fitting_output(const struct cadre_proto *on,
                          const struct cadre_param *p)
{
    int n = cadre_proto_noutputs(on);

    if (p->kind == CADRE_PARAM_STRING)
        return on->result == CADRE_STRING ? 0 : -1;
    if (p->kind == CADRE_PARAM_SCALAR && p->of != NULL)
        return on->result_of != NULL && on->result_of->size == p->of->size ? 0
                                                                           : -1;
    if (p->kind == CADRE_PARAM_SCALAR)
        return cadre_type_size(on->result) > 0 && on->result != CADRE_STRING
                   ? 0
                   : -1;
    for (int i = 0; i < n; i++) {
        int param = cadre_proto_output_param(on, i);

        if (param >= 0)
            return on->params[param].type == p->type &&
                           cadre_param_size(&on->params[param]) ==
                               cadre_param_size(p)
                       ? i
                       : -1;
    }
    return -1;
}

static cadre_err check_need(const struct cadre_proto *proto, int param,
                            const struct cadre_future *on, int *output,
                            struct cadre_error *error)
{
    const struct cadre_param *p = &proto->params[param];
    bool is_array = p->kind == CADRE_PARAM_ARRAY;

    *output = 0;
    if (on != NULL && cadre_future_is_read(on))
        return cadre_error_set(error, CADRE_ETYPE,
                               "the future for parameter `%s` of %s reads what "
                               "is stored, which is no argument: leave the "
                               "parameter to the store, or take the value",
                               param_name(p), proto->name);
    if (on == NULL)
        return cadre_error_set(error, CADRE_EINVAL,
                               "the future for parameter `%s` is NULL",
                               param_name(p));
    if (on->job.function == NULL) /* its call was wrong: it has failed */
        return CADRE_OK;
    if ((*output = fitting_output(on->job.function->proto, p)) >= 0)
        return CADRE_OK;
    return cadre_error_set(
        error, CADRE_ETYPE,
        "parameter `%s` of %s is %s%s, which the future given cannot bring: "
        "its task is '%s'",
        param_name(p), proto->name, is_array ? "an array of " : "",
        cadre_type_name(p->type), on->job.function->proto->text);
}

/* List what the task needs. The futures are kept until it has ended. */
static cadre_err put_needs(struct cadre_future *f,
                           const struct cadre_value *const *by_param,
                           struct cadre_error *error)
{
    const struct cadre_proto *proto = f->job.function->proto;
    int count = 0, output;
    cadre_err err;

    for (int i = 0; i < proto->nparams; i++)
        count += by_param[i] != NULL && by_param[i]->is_future;
    if (count == 0)
        return CADRE_OK;
    if (cadre_future_need_more(f) != CADRE_OK ||
        (f->more->needs = calloc((size_t)count, sizeof *f->more->needs)) ==
            NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    for (int i = 0; i < proto->nparams; i++) {
        if (by_param[i] == NULL || !by_param[i]->is_future)
            continue;
        if ((err = check_need(proto, i, by_param[i]->future, &output, error)) !=
            CADRE_OK)
            return err;
        f->more->needs[f->more->nneeds++] =
            (struct cadre_need){.on = cadre_future_ref(by_param[i]->future),
                                .owner = f,
                                .param = i,
                                .output = output};
    }
    return CADRE_OK;
}

/* Let the slot of a string or an array point to nothing of another task's: what
 * an array holds is not looked at any more, only where it is. */
static void blank(struct cadre_future *f, int param)
{
    enum cadre_param_kind kind = f->job.function->proto->params[param].kind;
    const void *nothing = kind == CADRE_PARAM_ARRAY ? f : NULL;

    if (kind != CADRE_PARAM_SCALAR)
        memcpy(slot_of(f, param), &nothing, sizeof nothing);
}

void cadre_needs_drop(struct cadre_future *future)
{
    struct cadre_future_more *more = future->more;

    for (int i = 0; i < more->nneeds; i++) {
        struct cadre_need *need = &more->needs[i];

        if (need->on == NULL)
            continue;
        blank(future, need->param);
        cadre_future_unref(need->on);
        need->on = NULL;
    }
}

void cadre_args_drop(struct cadre_future *future)
{
    const struct cadre_proto *proto = future->job.function->proto;
    unsigned char *extra = find_extra(future);

    if (extra == NULL || extra == future->args + extra_offset(proto))
        return;
    for (int i = 0; i < proto->nparams; i++) {
        void *at;

        if (slot_size(&proto->params[i]) == 0 || is_needed(future, i))
            continue;
        memcpy(&at, slot_of(future, i), sizeof at);
        if (proto->params[i].kind != CADRE_PARAM_SCALAR && at != NULL)
            blank(future, i);
    }
    free(extra - ALIGN);
}

/* Where `need`'s value is; `*bytes` of it. */
static cadre_err find_value(const struct cadre_need *need, const void **data,
                            uint64_t *bytes, struct cadre_error *error)
{
    const struct cadre_future *on = need->on;

    return cadre_outputs_find_with(
        on->job.function->proto, need->output,
        on->outcome != NULL ? on->outcome->outputs : NULL,
        on->outcome != NULL ? on->outcome->len : 0,
        on->outcome != NULL ? &on->outcome->bulks : NULL, data, bytes, error);
}

static cadre_err fill_need(struct cadre_future *f,
                           const struct cadre_need *need,
                           struct cadre_error *error)
{
    const struct cadre_param *p = &f->job.function->proto->params[need->param];
    unsigned char *slot = slot_of(f, need->param);
    struct cadre_value value;
    const void *data;
    uint64_t bytes;
    cadre_err err;

    if ((err = find_value(need, &data, &bytes, error)) != CADRE_OK)
        return err;
    if (p->kind == CADRE_PARAM_SCALAR && p->of != NULL) {
        memcpy(slot, data, p->of->size);
        return CADRE_OK;
    }
    if (p->kind == CADRE_PARAM_SCALAR) {
        value = cadre_value_read(need->on->job.function->proto->result, data);
        return cadre_value_convert(&value, p, slot, error);
    }
    memcpy(slot, &data, sizeof data);
    return CADRE_OK;
}

/* Do the arrays that others made have what the lengths say? */
static cadre_err check_lengths(const struct cadre_future *f,
                               const struct cadre_table *t,
                               struct cadre_error *error)
{
    for (int i = 0; f->more != NULL && i < f->more->nneeds; i++) {
        const struct cadre_need *need = &f->more->needs[i];
        const struct cadre_param *p = &t->proto->params[need->param];
        uint64_t bytes = 0, length;
        const void *data;

        if (p->kind != CADRE_PARAM_ARRAY)
            continue;
        length = cadre_table_length(t, need->param, 0);
        find_value(need, &data, &bytes, NULL);
        if (bytes / cadre_param_size(p) < length)
            return cadre_error_set(
                error, CADRE_ETYPE,
                "the array for `%s` has %llu elements, its lengths say %llu",
                param_name(p),
                (unsigned long long)(bytes / cadre_param_size(p)),
                (unsigned long long)length);
    }
    return CADRE_OK;
}

/* The table of the task of which the farm is being told. It may be sent at
 * once, and need not be measured again for that. Under the lock. */
static struct {
    const struct cadre_future *future; /* NULL: there is none */
    struct cadre_table *table;
} at_hand;

static void put_away_table(void)
{
    if (at_hand.future != NULL)
        cadre_table_free(at_hand.table);
    at_hand.future = NULL;
}

cadre_err cadre_future_table_at_hand(const struct cadre_future *future,
                                     struct cadre_table **table,
                                     struct cadre_error *error)
{
    if (at_hand.future != future)
        return cadre_future_table(future, table, error);
    *table = at_hand.table;
    at_hand.future = NULL;
    return CADRE_OK;
}

/* All that the task needs is there: put it into the slots, and see how much it
 * weighs. Its table is at hand until put_away_table(). */
static cadre_err complete(struct cadre_future *f, uint64_t *bytes,
                          struct cadre_error *error)
{
    struct cadre_table *t;
    cadre_err err = CADRE_OK;

    put_away_table();
    for (int i = 0; f->more != NULL && i < f->more->nneeds; i++) {
        if ((err = fill_need(f, &f->more->needs[i], error)) != CADRE_OK)
            return err;
    }
    if ((err = cadre_future_table(f, &t, error)) != CADRE_OK)
        return err;
    *bytes = t->row_bytes != NULL ? t->row_bytes[1] : t->bytes_per_row;
    err = check_lengths(f, t, error);
    at_hand.future = f;
    at_hand.table = t;
    return err;
}

/* Why a task cannot run that needs one that failed. Who looks at this one's
 * failure sees that one's. */
static void explain(const struct cadre_need *need, struct cadre_error *error)
{
    const struct cadre_proto *proto = need->owner->job.function->proto;

    cadre_mishap_saw(need->on->mishap);
    cadre_error_set(error, CADRE_EINVAL, "argument `%s` of %s: %s",
                    param_name(&proto->params[need->param]), proto->name,
                    cadre_future_text(need->on));
}

/* The task cannot run. Under the lock; it has ended afterwards. */
static void give_up(struct cadre_future *f, cadre_err err,
                    const struct cadre_mishap *of, const char *text)
{
    f->more->broken = err;
    f->more->reason = cadre_mishap_create(of != NULL ? of->kind : 0,
                                          of != NULL ? of->rank : -1,
                                          of != NULL ? of->host : "", text);
    cadre_farm_cancel(f->farm, &f->job);
}

static void go_on_without(struct cadre_need *need)
{
    struct cadre_error error = {""};

    explain(need, &error);
    give_up(need->owner, (cadre_err)need->on->err, need->on->mishap,
            error.text);
}

static void go_on_with(struct cadre_future *f)
{
    struct cadre_error error = {"out of memory"};
    uint64_t bytes = 0;
    cadre_err err = CADRE_OK;

    if (f->more->missing == 0)
        err = complete(f, &bytes, &error);
    if (err == CADRE_OK)
        err = cadre_farm_release(f->farm, &f->job, bytes);
    put_away_table();
    if (err != CADRE_OK)
        give_up(f, err, NULL, error.text);
}

void cadre_need_ended(struct cadre_need *need)
{
    struct cadre_future *f = need->owner;

    f->more->missing--;
    if (!cadre_future_has_ended(f)) {
        if (need->on->err != CADRE_OK)
            go_on_without(need);
        else
            go_on_with(f);
    }
    cadre_future_unref(f); /* the one of the list of dependents */
}

/* --- submit
 * ---------------------------------------------------------------------
 */

/* What needs `ranks` outcomes. */
static cadre_err put_ranks(struct cadre_future *f, int ranks,
                           struct cadre_error *error)
{
    if (ranks <= 1)
        return CADRE_OK;
    if (cadre_future_need_more(f) != CADRE_OK ||
        (f->more->rest =
             calloc((size_t)ranks - 1, sizeof(struct cadre_outcome *))) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    f->more->ranks = ranks;
    return CADRE_OK;
}

/* Ranks whose outcomes come back. */
static int ranks_of(const struct cadre_farm *farm)
{
    const struct cadre_farm_options *o =
        farm != NULL ? cadre_farm_options_of(farm) : NULL;

    return o != NULL && o->has_all_ranks ? o->ranks : 1;
}

static cadre_err check_isolated(const struct cadre_farm *farm,
                                const struct cadre_function *fn,
                                struct cadre_error *error)
{
    if (!cadre_farm_options_of(farm)->isolates)
        return CADRE_OK;
    for (int i = 0; i < fn->proto->nparams; i++) {
        const struct cadre_param *p = &fn->proto->params[i];

        if (p->kind == CADRE_PARAM_COMM)
            return cadre_error_set(error, CADRE_EINVAL,
                                   "parameter `%s` of %s is a communicator, "
                                   "and isolated tasks have none",
                                   param_name(p), fn->proto->name);
    }
    return CADRE_OK;
}

cadre_err cadre_farm_check(const struct cadre_farm *farm,
                           const struct cadre_function *fn,
                           struct cadre_error *error)
{
    cadre_err err = cadre_function_check(fn, cadre_farm_has_store(farm), error);

    return err == CADRE_OK ? check_isolated(farm, fn, error) : err;
}

/* What its options say of how it ends. */
static cadre_err put_end(struct cadre_future *f,
                         const struct cadre_task_options *o,
                         struct cadre_error *error)
{
    if (o == NULL || (o->deadline_s <= 0 && !o->cancel_running))
        return CADRE_OK;
    if (cadre_future_need_more(f) != CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    f->more->deadline_ns = cadre_ns_of(o->deadline_s);
    f->more->may_be_cancelled = o->cancel_running;
    return CADRE_OK;
}

static cadre_err check_ranks(const struct cadre_farm_options *farm,
                             const struct cadre_task_options *o,
                             struct cadre_error *error)
{
    if (!farm->isolates || o->ranks <= 1)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EINVAL,
                           "ranks is %d: with isolate a task has 1", o->ranks);
}

/* Can it be run? `has_store`: what is left out may be in the store. */
static cadre_err check_call(const struct cadre_farm *farm,
                            const struct cadre_function *fn,
                            const struct cadre_task_options *o, bool has_store,
                            struct cadre_error *error)
{
    cadre_err err = cadre_function_check(fn, has_store, error);

    if (err == CADRE_OK && farm != NULL)
        err = check_isolated(farm, fn, error);
    if (err == CADRE_OK && farm != NULL)
        err = check_ranks(cadre_farm_options_of(farm), o, error);
    return err;
}

/* A task of `farm`, or of none (then `o` is NULL). */
static cadre_err create(struct cadre_farm *farm, struct cadre_invocation call,
                        const struct cadre_task_options *o, bool has_store,
                        struct cadre_future **future, struct cadre_error *error)
{
    const struct cadre_value *by_param[CADRE_PARAMS_MAX];
    struct cadre_future *f = NULL;
    size_t extra;
    cadre_err err;

    if ((err = check_call(farm, call.function, o, has_store, error)) !=
            CADRE_OK ||
        (err = cadre_values_bind(call.function, call.values, has_store,
                                 by_param, error)) != CADRE_OK ||
        (err = measure(call.function->proto, by_param, &extra, error)) !=
            CADRE_OK ||
        (err = new_task(call.function, extra, by_param, &f, error)) != CADRE_OK)
        return err;
    f->farm = farm;
    f->has_store = has_store;
    if ((err = put_absent(f, by_param, error)) != CADRE_OK ||
        (err = put_ranks(f, ranks_of(farm), error)) != CADRE_OK ||
        (err = put_end(f, o, error)) != CADRE_OK ||
        (err = put_needs(f, by_param, error)) != CADRE_OK) {
        cadre_future_unref(f);
        return err;
    }
    *future = f;
    return CADRE_OK;
}

cadre_err cadre_future_prepare(struct cadre_invocation call,
                               struct cadre_future **future,
                               struct cadre_job **job,
                               struct cadre_error *error)
{
    struct cadre_table *t = NULL;
    struct cadre_future *f;
    cadre_err err;

    /* Workers of a socket, which is no farm, have a store. */
    if ((err = create(NULL, call, NULL, true, &f, error)) != CADRE_OK)
        return err;
    if (f->more != NULL && f->more->nneeds > 0)
        err = cadre_error_set(error, CADRE_ETYPE,
                              "a future cannot be an argument here: take its "
                              "result first");
    else
        err = cadre_future_table(f, &t, error);
    if (err != CADRE_OK) {
        cadre_future_unref(f);
        return err;
    }
    cadre_table_free(t);
    *job = &cadre_future_ref(f)->job; /* done() lets go of this one */
    *future = f;
    return CADRE_OK;
}

/* Is anything there that has failed, or can no one wait for it? */
static cadre_err check_needs(struct cadre_future *f, struct cadre_error *error)
{
    for (int i = 0; f->more != NULL && i < f->more->nneeds; i++) {
        const struct cadre_need *need = &f->more->needs[i];

        if (need->on->err != CADRE_OK && cadre_future_has_ended(need->on)) {
            explain(need, error);
            return (cadre_err)need->on->err;
        }
        if (!cadre_future_has_ended(need->on)) {
            if (cadre_future_need_more(need->on) != CADRE_OK)
                return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
            f->more->missing++;
        }
    }
    return CADRE_OK;
}

/* Line up with those that wait for what the task needs. */
static void await_needs(struct cadre_future *f)
{
    for (int i = 0; f->more != NULL && i < f->more->nneeds; i++) {
        struct cadre_need *need = &f->more->needs[i];
        struct cadre_future_more *on = need->on->more;

        if (cadre_future_has_ended(need->on))
            continue;
        if (on->dependents == NULL)
            on->last_dependent = &on->dependents;
        *on->last_dependent = need;
        on->last_dependent = &need->next;
        cadre_future_ref(f);
    }
}

cadre_err cadre_task_options_check(const struct cadre_task_options *o,
                                   struct cadre_error *error)
{
    enum { RETRIES_MAX = 1000 };
    const double most_s = 1e6;
    const unsigned all =
        CADRE_RETRY_LOST | CADRE_RETRY_DEADLINE | CADRE_RETRY_FAILED;

    if (o->retries < 0 || o->retries > RETRIES_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "retries is %d: it can be 0 to %d", o->retries,
                               RETRIES_MAX);
    if ((o->retry_on & ~all) != 0)
        return cadre_error_set(error, CADRE_EINVAL,
                               "retry_on is %#x: it is made of CADRE_RETRY_*",
                               o->retry_on);
    if (!(o->retry_wait_s >= 0 && o->retry_wait_s <= most_s))
        return cadre_error_set(error, CADRE_EINVAL,
                               "retry_wait_s is %g: it can be 0 to %g seconds",
                               o->retry_wait_s, most_s);
    if (!(o->deadline_s >= 0 && o->deadline_s <= most_s))
        return cadre_error_set(
            error, CADRE_EINVAL,
            "deadline_s is %g: it can be 0 (for ever) to %g seconds",
            o->deadline_s, most_s);
    if (o->ranks < 0)
        return cadre_error_set(error, CADRE_EINVAL,
                               "ranks is %d: it can be 1 or more, or 0 for the "
                               "object's own",
                               o->ranks);
    return CADRE_OK;
}

uint32_t cadre_retry_errors(unsigned retry_on)
{
    uint32_t errors = 0;

    if (retry_on == 0 || (retry_on & CADRE_RETRY_LOST) != 0)
        errors |= UINT32_C(1) << CADRE_ELOST | UINT32_C(1) << CADRE_ECRASH |
                  UINT32_C(1) << CADRE_EEXIT;
    if (retry_on == 0 || (retry_on & CADRE_RETRY_DEADLINE) != 0)
        errors |= UINT32_C(1) << CADRE_ETIMEOUT;
    if (retry_on == 0 || (retry_on & CADRE_RETRY_FAILED) != 0)
        errors |= UINT32_C(1) << CADRE_ETASK;
    return errors;
}

static struct cadre_submission submission_of(const struct cadre_task_options *o)
{
    return (struct cadre_submission){
        .count = 1,
        .ranks = o->ranks,
        .retries = (uint32_t)o->retries,
        .retry_on = cadre_retry_errors(o->retry_on),
        .retry_wait_ns = cadre_ns_of(o->retry_wait_s),
        .deadline_ns = cadre_ns_of(o->deadline_s)};
}

static struct cadre_object *object_of(const struct cadre_farm *farm)
{
    return cadre_farm_options_of(farm)->owner;
}

/* Tell the farm of the task. Its table is still at hand then. */
static cadre_err hand_to_farm(struct cadre_future *f,
                              struct cadre_submission how,
                              struct cadre_error *error)
{
    cadre_err err;

    if ((err = check_needs(f, error)) != CADRE_OK)
        return err;
    if (f->more != NULL && f->more->missing > 0)
        how.holds = (uint32_t)f->more->missing;
    else
        err = complete(f, &how.bytes_per_task, error);
    if (err != CADRE_OK)
        return err;
    cadre_future_ref(f);
    object_of(f->farm)->bytes += cadre_future_weight(f);
    if ((err = cadre_farm_submit(f->farm, &f->job, &how, error)) != CADRE_OK) {
        object_of(f->farm)->bytes -= cadre_future_weight(f);
        cadre_future_unref(f);
    } else if (how.holds > 0 && !cadre_future_has_ended(f)) {
        await_needs(f);
    }
    return err;
}

/* Queue the task; the farm has a reference then. Under the lock. */
static cadre_err enqueue(struct cadre_future *f, struct cadre_submission how,
                         struct cadre_error *error)
{
    cadre_err err = hand_to_farm(f, how, error);

    put_away_table();
    return err;
}

/* A future that has failed because the call was wrong. */
static struct cadre_future *failed(struct cadre_object *object, cadre_err err,
                                   const struct cadre_error *error)
{
    struct cadre_future *f = cadre_future_failed(err, error);

    cadre_future_unseen(object, f);
    return f;
}

/* Where nothing waits to be sent a worker may be without work: then one more is
 * taken, whatever it weighs. And where it would be refused, at once. */
static bool has_room(void *arg)
{
    const struct cadre_farm *farm = arg;
    uint64_t most = cadre_farm_options_of(farm)->max_waiting;
    uint64_t waiting = cadre_farm_waiting(farm);
    const struct cadre_object *object = object_of(farm);

    if (waiting == 0 || !cadre_farm_is_open(farm))
        return true;
    return (most == 0 || waiting < most) && object->bytes < object->max_bytes;
}

/* Who is faster than the workers waits, so that memory stays bounded. Under the
 * lock, which is let go meanwhile: who destroys the object waits for this. */
static void await_room(struct cadre_farm *farm)
{
    if (!has_room(farm) && !cadre_is_in_callback())
        cadre_engine_wait(cadre_engine_now(), has_room, farm, UINT64_MAX);
}

/* Take the lock and wait for room. The farm stays until leave(), where whoever
 * destroys it has to wait. */
static void enter(struct cadre_farm *farm)
{
    cadre_engine_lock(cadre_engine_now());
    cadre_farm_hold(farm);
    await_room(farm);
}

static void leave(struct cadre_farm *farm)
{
    cadre_farm_unhold(farm);
    cadre_engine_run_later(cadre_engine_now());
    cadre_engine_attend(cadre_engine_now());
    cadre_engine_unlock(cadre_engine_now());
}

struct cadre_future *
cadre_farm_submit_call(struct cadre_farm *farm, struct cadre_invocation call,
                       const struct cadre_task_options *options)
{
    static const struct cadre_task_options defaults;
    const struct cadre_task_options *o = options != NULL ? options : &defaults;
    struct cadre_object *object = object_of(farm); /* outlives it */
    struct cadre_error error;
    struct cadre_future *f = NULL;
    cadre_err err;

    cadre_error_clear(&error);
    if ((err = cadre_task_options_check(o, &error)) != CADRE_OK ||
        (err = create(farm, call, o, cadre_farm_has_store(farm), &f, &error)) !=
            CADRE_OK)
        return failed(object, err, &error);
    enter(farm);
    err = enqueue(f, submission_of(o), &error);
    leave(farm);
    if (err == CADRE_OK)
        return f;
    cadre_future_unref(f);
    return failed(object, err, &error);
}

/* What puts a value may be done twice, what reads one too. */
static cadre_err enqueue_errand(struct cadre_future *f,
                                const struct cadre_errand *errand,
                                struct cadre_error *error)
{
    enum { RETRIES = 2 };
    struct cadre_submission how = {.count = 1,
                                   .is_for_team = true,
                                   .team = errand->place.team,
                                   .retries = RETRIES,
                                   .retry_on = UINT32_C(1) << CADRE_ELOST};
    cadre_err err = CADRE_OK;

    if (errand->kept != NULL)
        err = cadre_farm_put(f->farm, &f->job, errand->place, errand->name,
                             errand->kept, error);
    else
        err = cadre_farm_check_place(f->farm, errand->place, error);
    if (err != CADRE_OK)
        return err;
    if ((err = enqueue(f, how, error)) != CADRE_OK)
        cadre_farm_unput(f->farm, &f->job);
    return err;
}

cadre_err cadre_farm_run_errand(struct cadre_farm *farm,
                                struct cadre_invocation call,
                                const struct cadre_errand *errand,
                                struct cadre_future **future,
                                struct cadre_error *error)
{
    static const struct cadre_task_options defaults;
    struct cadre_future *f;
    cadre_err err;

    if ((err = create(farm, call, &defaults, true, &f, error)) != CADRE_OK)
        return err;
    enter(farm);
    err = enqueue_errand(f, errand, error);
    leave(farm);
    if (err == CADRE_OK)
        *future = f;
    else
        cadre_future_unref(f);
    return err;
}

struct cadre_future *
cadre_object_submit(struct cadre_object *object,
                    const struct cadre_task_options *options,
                    struct cadre_invocation call)
{
    struct cadre_error error;
    cadre_err err;

    cadre_error_clear(&error);
    err = cadre_object_check(object, "submit", &error);
    return err == CADRE_OK ? cadre_farm_submit_call(object->farm, call, options)
                           : cadre_future_failed(err, &error);
}
