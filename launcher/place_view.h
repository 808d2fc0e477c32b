/* place_view.h - a plan on its machine, as text and as a picture. */
#ifndef CADRE_LAUNCHER_PLACE_VIEW_H
#define CADRE_LAUNCHER_PLACE_VIEW_H

#include "../runtime/place.h"

#include <stdio.h>

/* What is drawn; everything is borrowed. */
struct cadre_place_view {
    const struct cadre_machine *machine;
    const struct cadre_plan *plan;
    const struct cadre_place_request *request; /* no field is 0 by default */
    uint32_t *ranks; /* for each node: its first rank + 1; 0: free */
    uint32_t *count; /* for each node: ranks that hold it */
};

bool cadre_place_view_init(struct cadre_place_view *view,
                           const struct cadre_machine *machine,
                           const struct cadre_plan *plan,
                           const struct cadre_place_request *request);
void cadre_place_view_fini(struct cadre_place_view *view);

/* The rank that got GPU `gpu` of the machine, or -1. */
int64_t cadre_place_view_gpu(const struct cadre_place_view *view, uint32_t gpu);

/* "16 cores, 32 hardware threads, 2 NUMA nodes, 4 GPUs". Returns `text`. */
const char *cadre_place_view_machine(const struct cadre_place_view *view,
                                     char *text, size_t room);

/* "4 ranks of 2 threads and 1 GPU, compact". Returns `text`. */
const char *cadre_place_view_request(const struct cadre_place_view *view,
                                     char *text, size_t room);

/* The machine in rows of cores, then a table of ranks. */
void cadre_place_view_text(const struct cadre_place_view *view, FILE *file);

/* The same as a picture: an SVG file of its own. */
bool cadre_place_view_svg(const struct cadre_place_view *view, FILE *file);

const char *cadre_place_policy_name(enum cadre_place_policy policy);

#endif
