/* place_fit.h - one machine: how many teams fit, and taking them.
 *
 * The part of the planner that knows the tree; place.h says what it reaches and
 * why. All teams have the same shape.
 *
 *     cadre_fit_init(&fit, machine)
 *     cadre_fit_count(&fit, &use, &shape)      fit.teams, fit.ranks
 *     cadre_fit_take(&fit, n, &out)            n <= fit.teams
 */
#ifndef CADRE_RUNTIME_PLACE_FIT_H
#define CADRE_RUNTIME_PLACE_FIT_H

#include "place.h"

/* Who holds what on one host. */
struct cadre_use {
    uint32_t *pus;  /* for each node: ranks that hold it; only PUs count */
    uint32_t *gpus; /* for each GPU: 0 or 1 */
};

/* What a team wants, and what is free. */
struct cadre_shape {
    enum cadre_place_unit unit; /* core or PU */
    uint32_t threads;           /* of a rank */
    uint32_t gpus;              /* of a rank */
    uint32_t ranks;             /* of a team */
    enum cadre_place_policy policy;
    uint32_t limit;  /* a PU is free if fewer ranks hold it */
    bool free_cores; /* PUs only of cores that nobody holds */
};

/* Some columns for each node of one machine, and the request being looked at.
 * `leaf` is a core or a PU, as the shape's unit says. */
struct cadre_fit {
    const struct cadre_machine *machine;
    struct cadre_use *use; /* borrowed until the next count */
    struct cadre_shape shape;
    uint32_t teams; /* that fit */
    uint32_t ranks; /* that fit, were they alone */

    uint32_t *columns; /* what follows lies in here */
    uint32_t *total;   /* leaves that the job may use */
    uint32_t *free;    /* leaves that are free */
    uint32_t *gpus;    /* GPUs that are free */
    uint32_t *bundles; /* ranks, by cores alone */
    uint32_t *own;     /* teams that fit here but in no single child */
    uint32_t *open;    /* slots still to be given out, here and below */
    uint32_t *given;   /* teams given out, here and below */
};

/* What one rank took: positions in `nodes` and `gpus` of the output. */
struct cadre_taken {
    uint32_t pus, npus;
    uint32_t gpus, ngpus;
};

/* Ranks one after another, those of a team together. Zeroed is empty. */
struct cadre_taken_list {
    struct cadre_taken *ranks;
    uint32_t nranks, ranks_room;
    uint32_t *nodes; /* PUs: places in the machine's nodes, ascending */
    uint32_t nnodes, nodes_room;
    uint32_t *gpus; /* places in the machine's GPUs, ascending */
    uint32_t ngpus, gpus_room;
};

void cadre_taken_list_fini(struct cadre_taken_list *list);

cadre_err cadre_fit_init(struct cadre_fit *fit,
                         const struct cadre_machine *machine);
void cadre_fit_fini(struct cadre_fit *fit); /* zeroed is allowed */

/* How many fit now? `use` is borrowed. */
void cadre_fit_count(struct cadre_fit *fit, struct cadre_use *use,
                     const struct cadre_shape *shape);

/* Take `count` teams: mark them in `use`, append their ranks to `out`. For
 * `scatter` in the order in which they were dealt, else from the first core to
 * the last. Once for each count. CADRE_ENOMEM leaves use as it was. */
cadre_err cadre_fit_take(struct cadre_fit *fit, uint32_t count,
                         struct cadre_taken_list *out);

/* GPUs alone, for `count` ranks that are not bound. As above. */
cadre_err cadre_fit_take_gpus(struct cadre_fit *fit, uint32_t count,
                              struct cadre_taken_list *out);

/* Give back what rank `rank` of the list took. */
void cadre_fit_give_back(const struct cadre_taken_list *list, uint32_t rank,
                         struct cadre_use *use);

#endif
