/* place_read.h - what place_read.c and place_gpu.c share: a machine being read
 * from hwloc. */
#ifndef CADRE_RUNTIME_PLACE_READ_H
#define CADRE_RUNTIME_PLACE_READ_H

#include "place.h"

#include <hwloc.h>

struct cadre_reading {
    hwloc_topology_t topology;
    hwloc_bitmap_t allowed; /* PUs that the job may use */
    struct cadre_machine *machine;
    hwloc_obj_t *objects; /* for each node what it stands for; NULL: none */
    uint32_t room;        /* of nodes and objects */
    uint32_t counts[CADRE_NODE_PU + 1]; /* nodes of each type so far */
};

/* Fill in the machine's GPUs; its nodes are there. CADRE_ENOMEM. */
cadre_err cadre_reading_gpus(struct cadre_reading *reading);

/* Does a rank's GPU of this machine answer here (driver and device file)? For
 * the host that we are on. Fills in the UUID if it is not known. */
bool cadre_gpu_answers(struct cadre_gpu *gpu);

#endif
