/* wait.c - waiting for several futures.
 *
 * A watch stands in the list of each future that has not ended; whoever ends
 * moves its entry to the watch's own list. So nobody looks through the futures
 * again and again, however many there are.
 */
#include "future.h"

#include <stdlib.h>

/* --- watches ----------------------------------------------------------------
 */

static struct cadre_engine *engine_of(struct cadre_future *const *futures,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!cadre_future_has_ended(futures[i]))
            return cadre_engine_now();
    }
    return NULL;
}

static void add_ended(struct cadre_watch *watch, struct cadre_watcher *w)
{
    if (watch->first == NULL)
        watch->first = w;
    else
        watch->last->next_ended = w;
    watch->last = w;
    watch->failed += w->future->err != CADRE_OK;
    watch->ended++;
}

void cadre_watchers_tell(struct cadre_future *future)
{
    struct cadre_watcher *w;

    while ((w = future->more->watchers) != NULL) {
        future->more->watchers = w->next;
        if (w->next != NULL)
            w->next->at = &future->more->watchers;
        w->at = NULL;
        add_ended(w->watch, w);
    }
}

static cadre_err look_at(struct cadre_watch *watch, struct cadre_watcher *w,
                         struct cadre_future *f)
{
    w->watch = watch;
    w->future = cadre_future_ref(f);
    if (cadre_future_has_ended(f)) {
        add_ended(watch, w);
        return CADRE_OK;
    }
    if (cadre_future_need_more(f) != CADRE_OK)
        return CADRE_ENOMEM;
    w->next = f->more->watchers;
    w->at = &f->more->watchers;
    if (w->next != NULL)
        w->next->at = &w->next;
    f->more->watchers = w;
    return CADRE_OK;
}

static void look_away(struct cadre_watcher *w)
{
    if (w->at == NULL)
        return;
    *w->at = w->next;
    if (w->next != NULL)
        w->next->at = w->at;
    w->at = NULL;
}

/* The engine may be gone when all have ended. */
static void lock(const struct cadre_watch *watch)
{
    if (watch->engine != NULL)
        cadre_engine_lock(watch->engine);
}

static void unlock(const struct cadre_watch *watch)
{
    if (watch->engine != NULL)
        cadre_engine_unlock(watch->engine);
}

static void close_watch(struct cadre_watch *watch)
{
    if (watch->ended < watch->count) {
        lock(watch);
        for (size_t i = 0; i < watch->count; i++)
            look_away(&watch->list[i]);
        unlock(watch);
    }
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->list[i].future != NULL)
            cadre_future_unref(watch->list[i].future);
    }
    free(watch);
}

static cadre_err open_watch(struct cadre_future *const *futures, size_t count,
                            struct cadre_watch **watch,
                            struct cadre_error *error)
{
    struct cadre_watch *w;
    cadre_err err = CADRE_OK;

    for (size_t i = 0; i < count; i++) {
        if (futures[i] == NULL)
            return cadre_error_set(error, CADRE_EINVAL, "future %zu is NULL",
                                   i);
    }
    if ((w = calloc(1, sizeof *w + count * sizeof w->list[0])) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    w->count = count;
    w->engine = engine_of(futures, count);
    lock(w);
    for (size_t i = 0; i < count && err == CADRE_OK; i++)
        err = look_at(w, &w->list[i], futures[i]);
    unlock(w);
    if (err != CADRE_OK) {
        close_watch(w);
        return cadre_error_set(error, err, "out of memory");
    }
    *watch = w;
    return CADRE_OK;
}

/* --- wait
 * ---------------------------------------------------------------------
 */

static bool has_any(void *arg)
{
    return ((const struct cadre_watch *)arg)->ended > 0;
}

static bool has_all(void *arg)
{
    const struct cadre_watch *watch = arg;

    return watch->ended == watch->count;
}

static bool has_failed(void *arg)
{
    return ((const struct cadre_watch *)arg)->failed > 0 || has_all(arg);
}

cadre_err cadre_wait(struct cadre_future *const *futures, size_t count,
                     enum cadre_wait_for what, double timeout_ms, size_t *ended)
{
    static bool (*const done[])(void *) = {[CADRE_FIRST_DONE] = has_any,
                                           [CADRE_FIRST_FAILED] = has_failed,
                                           [CADRE_ALL_DONE] = has_all};
    struct cadre_error error = {"the tasks have not ended in time"};
    struct cadre_watch *watch = NULL;
    cadre_err err;

    if (what < CADRE_FIRST_DONE || what > CADRE_ALL_DONE)
        err = cadre_error_set(&error, CADRE_EINVAL,
                              "wait: %d is none of CADRE_FIRST_DONE, "
                              "CADRE_FIRST_FAILED, CADRE_ALL_DONE",
                              (int)what);
    else
        err = open_watch(futures, count, &watch, &error);
    if (err == CADRE_OK && watch->engine != NULL &&
        !cadre_await(watch->engine, done[what], watch, timeout_ms))
        err = CADRE_ETIMEOUT;
    if (watch != NULL) {
        if (ended != NULL)
            *ended = watch->ended;
        close_watch(watch);
    }
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}

/* --- as they end
 * ----------------------------------------------------------------
 */

struct cadre_completed {
    struct cadre_watch *watch;
    struct cadre_watcher *last; /* the one given last; NULL: none was */
    size_t given;
};

cadre_err cadre_as_completed(struct cadre_future *const *futures, size_t count,
                             struct cadre_completed **completed)
{
    struct cadre_error error = {"out of memory"};
    struct cadre_completed *c = calloc(1, sizeof *c);
    cadre_err err = CADRE_ENOMEM;

    if (c != NULL)
        err = open_watch(futures, count, &c->watch, &error);
    if (err != CADRE_OK) {
        free(c);
        return cadre_error_publish(&error, err);
    }
    *completed = c;
    return CADRE_OK;
}

static bool has_more(void *arg)
{
    const struct cadre_completed *c = arg;

    return c->watch->ended > c->given;
}

cadre_err cadre_completed_next(struct cadre_completed *completed,
                               double timeout_ms, struct cadre_future **future,
                               size_t *index)
{
    struct cadre_watch *watch = completed->watch;
    bool is_open =
        watch->ended < watch->count; /* else the engine is not needed */

    *future = NULL;
    if (completed->given == watch->count)
        return CADRE_OK;
    if (!has_more(completed) &&
        !cadre_await(watch->engine, has_more, completed, timeout_ms))
        return cadre_error_publish(
            &(struct cadre_error){"no task has ended in time"}, CADRE_ETIMEOUT);
    if (is_open)
        lock(watch);
    completed->last =
        completed->last == NULL ? watch->first : completed->last->next_ended;
    if (is_open)
        unlock(watch);
    completed->given++;
    *future = completed->last->future;
    if (index != NULL)
        *index = (size_t)(completed->last - watch->list);
    return CADRE_OK;
}

void cadre_completed_free(struct cadre_completed *completed)
{
    if (completed == NULL)
        return;
    close_watch(completed->watch);
    free(completed);
}

/* --- all results
 * ------------------------------------------------------------------
 */

static cadre_err gather(struct cadre_future *const *futures, size_t count,
                        struct cadre_room *room, struct cadre_error *error)
{
    cadre_err err;

    for (size_t i = 0; i < count; i++) {
        if (futures[i]->err != CADRE_OK)
            cadre_mishap_saw(futures[i]->mishap);
    }
    for (size_t i = 0; i < count; i++) {
        err = (cadre_err)futures[i]->err;
        if (err != CADRE_OK)
            return cadre_error_set(error, err, "future %zu: %s", i,
                                   cadre_future_text(futures[i]));
    }
    for (size_t i = 0; i < count; i++) {
        if ((err = cadre_future_take(futures[i], room, error)) != CADRE_OK)
            return cadre_error_prefix(error, err, "future %zu: ", i);
    }
    return CADRE_OK;
}

cadre_err cadre_gather(struct cadre_future *const *futures, size_t count,
                       struct cadre_outputs into)
{
    struct cadre_room room = {.into = into};
    struct cadre_error error = {""};
    cadre_err err;

    if (into.count > sizeof room.used / sizeof room.used[0])
        err = cadre_error_set(&error, CADRE_ETYPE,
                              "%zu outputs are wanted, no function has as many",
                              into.count);
    else if ((err = cadre_wait(futures, count, CADRE_ALL_DONE, -1, NULL)) !=
             CADRE_OK)
        return err; /* which has said why */
    else
        err = gather(futures, count, &room, &error);
    return err == CADRE_OK ? CADRE_OK : cadre_error_publish(&error, err);
}
