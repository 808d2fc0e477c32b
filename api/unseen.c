/* unseen.c - see unseen.h. */
#include "unseen.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct cadre_mishap *cadre_mishap_create(int kind, int rank, const char *host,
                                         const char *text)
{
    size_t len = strlen(text) + 1;
    struct cadre_mishap *m = malloc(sizeof *m + len + strlen(host) + 1);

    if (m == NULL)
        return NULL;
    *m = (struct cadre_mishap){.kind = kind, .rank = rank};
    m->host = strcpy(m->text + len, host);
    memcpy(m->text, text, len);
    return m;
}

/* Under the lock, as what follows. */
static void take_off(struct cadre_mishap *m)
{
    struct cadre_unseen *u = m->unseen;

    *(m->previous != NULL ? &m->previous->next : &u->first) = m->next;
    *(m->next != NULL ? &m->next->previous : &u->last) = m->previous;
    m->unseen = NULL;
}

/* Of the two that were left behind one is kept. */
static void leave(struct cadre_unseen *u, struct cadre_mishap *m)
{
    struct cadre_mishap *younger = m;

    if (u->left == NULL || m->number < u->left->number) {
        younger = u->left;
        u->left = m;
    }
    free(younger);
}

void cadre_mishap_free(struct cadre_mishap *mishap)
{
    struct cadre_unseen *u;

    if (mishap == NULL)
        return;
    pthread_mutex_lock(&lock);
    if ((u = mishap->unseen) != NULL) {
        take_off(mishap);
        leave(u, mishap);
        mishap = NULL;
    }
    pthread_mutex_unlock(&lock);
    free(mishap);
}

void cadre_unseen_add(struct cadre_unseen *unseen, struct cadre_mishap *mishap,
                      cadre_err err)
{
    if (mishap == NULL)
        return;
    pthread_mutex_lock(&lock);
    mishap->unseen = unseen;
    mishap->err = err;
    mishap->number = unseen->numbered++;
    mishap->next = NULL;
    mishap->previous = unseen->last;
    *(unseen->last != NULL ? &unseen->last->next : &unseen->first) = mishap;
    unseen->last = mishap;
    unseen->count++;
    pthread_mutex_unlock(&lock);
}

void cadre_mishap_saw(struct cadre_mishap *mishap)
{
    if (mishap == NULL)
        return;
    pthread_mutex_lock(&lock);
    if (mishap->unseen != NULL) {
        mishap->unseen->count--;
        take_off(mishap);
    }
    pthread_mutex_unlock(&lock);
}

static cadre_err tell(const struct cadre_unseen *u, struct cadre_error *error)
{
    const struct cadre_mishap *oldest = u->first;

    if (oldest == NULL || (u->left != NULL && u->left->number < oldest->number))
        oldest = u->left;
    if (oldest == NULL)
        return CADRE_OK;
    if (u->count == 1)
        return cadre_error_set(error, oldest->err,
                               "a task failed and nobody looked at its result: "
                               "%s",
                               oldest->text);
    return cadre_error_set(error, oldest->err,
                           "%" PRIu64 " tasks failed and nobody looked at "
                           "their results; the first: %s",
                           u->count, oldest->text);
}

cadre_err cadre_unseen_close(struct cadre_unseen *unseen,
                             struct cadre_error *error)
{
    cadre_err err;

    pthread_mutex_lock(&lock);
    err = tell(unseen, error);
    for (struct cadre_mishap *m = unseen->first; m != NULL; m = m->next)
        m->unseen = NULL;
    free(unseen->left);
    *unseen = (struct cadre_unseen){.count = 0};
    pthread_mutex_unlock(&lock);
    return err;
}
