/* letters.c - see letters.h. */
#include "letters.h"

#include <stdlib.h>
#include <string.h>

cadre_err cadre_letters_put(struct cadre_letters *letters, int rank,
                            const struct cadre_frame *frame,
                            struct cadre_error *error)
{
    /* The values stay as far from a multiple of 16 as they were in the frame,
     * whose body starts 8 bytes behind one. */
    size_t shift = CADRE_FRAME_HEADER % CADRE_FRAME_ALIGN;
    struct cadre_letter *l = malloc(sizeof *l + shift + frame->body_len);
    struct cadre_frame copy = *frame;
    cadre_err err;

    if (l == NULL)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "out of memory for a message");
    copy.body = memcpy(l->bytes + shift, frame->body, frame->body_len);
    if ((err = cadre_letter_decode(&copy, &l->msg, error)) != CADRE_OK) {
        free(l);
        return err;
    }
    l->next = NULL;
    l->rank = rank;
    if (letters->first == NULL)
        letters->first = l;
    else
        letters->last->next = l;
    letters->last = l;
    return CADRE_OK;
}

/* Where the oldest of `rank` hangs; the end if there is none. */
static struct cadre_letter **find(struct cadre_letters *letters, int rank,
                                  struct cadre_letter **before)
{
    struct cadre_letter **at = &letters->first;

    *before = NULL;
    while (*at != NULL && rank >= 0 && (*at)->rank != rank) {
        *before = *at;
        at = &(*at)->next;
    }
    return at;
}

bool cadre_letters_has(const struct cadre_letters *letters, int rank)
{
    struct cadre_letters all = *letters;
    struct cadre_letter *before;

    return *find(&all, rank, &before) != NULL;
}

struct cadre_letter *cadre_letters_take(struct cadre_letters *letters, int rank)
{
    struct cadre_letter *before, **at = find(letters, rank, &before);
    struct cadre_letter *l = *at;

    if (l == NULL)
        return NULL;
    *at = l->next;
    if (letters->last == l)
        letters->last = before;
    l->next = NULL;
    return l;
}

void cadre_letters_fini(struct cadre_letters *letters)
{
    struct cadre_letter *l;

    while ((l = cadre_letters_take(letters, -1)) != NULL)
        free(l);
}
