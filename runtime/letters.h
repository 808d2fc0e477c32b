/* letters.h - letters that have come and nobody has taken yet. */
#ifndef CADRE_RUNTIME_LETTERS_H
#define CADRE_RUNTIME_LETTERS_H

#include "frame.h"

/* One letter, with bytes of its own behind it. */
struct cadre_letter {
    struct cadre_letter *next;
    int rank; /* who sent it */
    struct cadre_msg_letter msg;
    _Alignas(16) unsigned char bytes[];
};

/* A queue; zeroed memory is an empty one. */
struct cadre_letters {
    struct cadre_letter *first, *last;
};

/* A copy of the LETTER in `frame`, which `rank` sent, becomes the last.
 * CADRE_EPROTO, CADRE_ENOMEM. */
cadre_err cadre_letters_put(struct cadre_letters *letters, int rank,
                            const struct cadre_frame *frame,
                            struct cadre_error *error);

/* Is there one of `rank` (-1: of anybody)? */
bool cadre_letters_has(const struct cadre_letters *letters, int rank);

/* The oldest of `rank` (-1: of anybody), NULL if there is none. Given: free().
 */
struct cadre_letter *cadre_letters_take(struct cadre_letters *letters,
                                        int rank);

void cadre_letters_fini(struct cadre_letters *letters); /* frees all */

#endif
