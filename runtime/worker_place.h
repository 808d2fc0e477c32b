/* worker_place.h - where a worker is: its cores, memory and GPUs.
 *
 * From the first team of an object that has a wish until the object ends; all
 * by the thread that runs the tasks.
 */
#ifndef CADRE_RUNTIME_WORKER_PLACE_H
#define CADRE_RUNTIME_WORKER_PLACE_H

#include "place.h"

#include <cadre/task.h>

struct cadre_workplace {
    struct cadre_place *place;   /* NULL: nowhere in particular */
    struct cadre_task_gpu *gpus; /* of `place`, as tasks see them */
    char text[256];              /* `place`, for people; "": nowhere */
};

/* Go to the place, or to what the wish (place_wish.h) comes to on this machine,
 * that `data` holds. Before any task, so that no library has looked at the GPUs
 * yet. On failure it is where it was, as far as tasks are told. CADRE_EPROTO,
 * CADRE_EVERSION, CADRE_EIO, CADRE_ENOMEM; CADRE_EINVAL: the machine has too
 * little. */
cadre_err cadre_workplace_take(struct cadre_workplace *w, const void *data,
                               size_t len, struct cadre_error *error);

/* Go back to where it was before the first. Does nothing if it is nowhere. */
void cadre_workplace_leave(struct cadre_workplace *w);

/* Forget it and stay. */
void cadre_workplace_fini(struct cadre_workplace *w);

/* Fill in the members that tell a task its place; lent until the next call of
 * the others. */
void cadre_workplace_tell(const struct cadre_workplace *w,
                          struct cadre_task_info *info);

#endif
