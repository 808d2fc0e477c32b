/* place.h - every rank in its place: which cores, memory and GPUs it gets.
 *
 * All here is pure: a machine is plain data, and planning changes only the
 * ledger. place_host.h reads the machine we are on and binds a process; it
 * alone knows hwloc.
 *
 *     controller                                     worker
 *     cadre_ledger_create(&ledger)
 *     cadre_ledger_add_this_host(ledger)  [place_host.h]
 *         cadre_ledger_add(ledger, machine) <------- cadre_machine_encode()
 *     cadre_ledger_reserve(ledger, &request, &plan)      of another host
 *     cadre_place_encode(plan, rank, &buffer) -----> cadre_place_decode()
 *                                                    cadre_place_apply()
 *     cadre_ledger_release(ledger, plan)
 *
 * A ledger has no lock of its own; plans stay as they are until released, so
 * that another thread may read them.
 *
 * A machine is a tree in preorder: package, NUMA node, shared caches, cores,
 * hardware threads (PUs). What holds only what its child holds has the same
 * cores; the deeper of two is the nearer. GPUs hang at the deepest node that
 * is near them as a whole.
 *
 * The plan. A rank's threads get a core each, with all its hardware threads.
 * Where free cores are too few, they get a hardware thread each, if need be
 * beside those of others (CADRE_PLACE_CORES forbids both). Then
 *
 * 1. for every kind of node at once (L2, L3, NUMA node, package, machine), as
 *    many teams stay within one as is possible at all, their GPUs included;
 * 2. within the node that a team got, each rank in turn gets the innermost
 *    node that has its cores and GPUs, in there the innermost that has its
 *    cores, and then the nearest GPUs, those behind one switch together;
 * 3. fast cores come before slow ones, and no rank mixes them if it can be
 *    helped;
 * 4. what is still open, the policy decides.
 *
 * The greedy choice from the innermost nodes outwards reaches 1 exactly,
 * because all teams of a request are of the same size: a node with f free cores
 * and g GPUs holds min(f / c, g / d) teams of c cores and d GPUs however its
 * inner nodes were filled. Teams of several ranks are placed as a whole first,
 * so a rank of a team may cross a boundary that it would not cross alone.
 */
#ifndef CADRE_RUNTIME_PLACE_H
#define CADRE_RUNTIME_PLACE_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

struct cadre_buffer; /* frame.h */

enum {
    CADRE_MACHINE_HOST_MAX = 64,
    CADRE_MACHINE_NODES_MAX = 1 << 20,
    CADRE_MACHINE_GPUS_MAX = 1024,
    CADRE_CORE_KINDS_MAX = 256,
    CADRE_GPU_PCI_MAX = 20,  /* "0000:81:00.0" */
    CADRE_GPU_UUID_MAX = 64, /* "GPU-8f4b..." */
    CADRE_PLACE_RANKS_MAX = 1 << 24,
    CADRE_PLACE_TEXT_MAX = 512
};

/* The numbers travel between processes: never renumber. */
enum cadre_node_type {
    CADRE_NODE_MACHINE = 1,
    CADRE_NODE_PACKAGE = 2,
    CADRE_NODE_GROUP = 3, /* a die or another group of cores */
    CADRE_NODE_NUMA = 4,
    CADRE_NODE_L3 = 5, /* a cache that several cores share */
    CADRE_NODE_L2 = 6,
    CADRE_NODE_KIND = 7, /* cores of one kind among others, fast or slow */
    CADRE_NODE_CORE = 8,
    CADRE_NODE_PU = 9 /* a hardware thread; always a leaf, always in a core */
};

enum cadre_gpu_vendor {
    CADRE_GPU_NVIDIA = 1,
    CADRE_GPU_AMD = 2,
    CADRE_GPU_INTEL = 3
};

struct cadre_node {
    enum cadre_node_type type;
    uint32_t index;  /* PU, NUMA node: the system's number; others: counted from
                        0 among their type */
    uint32_t parent; /* its place in `nodes`; the root's own is 0 */
    uint32_t end;    /* after its last descendant */
    uint32_t level;  /* PU 0, core 1, else one above its highest child */
    uint32_t kind;   /* core: 0 is the slowest; PU: its core's; others: the
                        lowest inside */
    bool is_allowed; /* PU: this job may use it; others: has such a PU */
};

struct cadre_gpu {
    enum cadre_gpu_vendor vendor;
    uint32_t index;      /* among its vendor's GPUs, in the order of PCI */
    uint32_t node;       /* the nearest cores: a place in `nodes` */
    uint32_t pci_switch; /* those with the same number share one; 0: none */
    char pci[CADRE_GPU_PCI_MAX];   /* "" if unknown */
    char uuid[CADRE_GPU_UUID_MAX]; /* "" if unknown */
};

/* One host. */
struct cadre_machine {
    char host[CADRE_MACHINE_HOST_MAX];
    struct cadre_node *nodes; /* preorder; [0] is the machine */
    uint32_t nnodes;
    struct cadre_gpu *gpus; /* those that this job may use */
    uint32_t ngpus;
};

/* Fill in what follows from type, parent and the PUs: end, level, kind and
 * is_allowed of inner nodes; check the tree and the GPUs.
 *
 * CADRE_EINVAL  not a tree of this sort; `error` says where.
 */
cadre_err cadre_machine_finish(struct cadre_machine *machine,
                               struct cadre_error *error);

void cadre_machine_destroy(struct cadre_machine *machine); /* NULL is allowed */

/* Cores with a PU that may be used; and such PUs. */
uint32_t cadre_machine_cores(const struct cadre_machine *machine);
uint32_t cadre_machine_pus(const struct cadre_machine *machine);

/* "L3", "NUMA node"; lent for ever. */
const char *cadre_node_type_name(enum cadre_node_type type);
const char *cadre_gpu_vendor_name(enum cadre_gpu_vendor vendor);

/* What the environment says about the GPUs that this job was given. NULL where
 * a variable is not set. */
struct cadre_gpu_limits {
    const char *cuda;  /* CUDA_VISIBLE_DEVICES */
    const char *slurm; /* SLURM_JOB_GPUS: for vendors without their own */
    const char *rocr;  /* ROCR_VISIBLE_DEVICES */
    const char *ze;    /* ZE_AFFINITY_MASK */
};

/* Keep only the GPUs that the limits name, by number in the order of PCI or by
 * UUID (a beginning that is unambiguous will do). A number or a name that is
 * not there ends the list, as it does for CUDA. MIG instances of NVIDIA are
 * GPUs of their own, whose place is not known. CADRE_ENOMEM. */
cadre_err cadre_machine_limit_gpus(struct cadre_machine *machine,
                                   const struct cadre_gpu_limits *limits);

/* Append the machine to `buffer`, for another process. CADRE_ENOMEM. */
cadre_err cadre_machine_encode(const struct cadre_machine *machine,
                               struct cadre_buffer *buffer);

/* Given: cadre_machine_destroy(). CADRE_EPROTO if the bytes are damaged,
 * CADRE_EVERSION if they are of another version. */
cadre_err cadre_machine_decode(const void *data, size_t len,
                               struct cadre_machine **machine,
                               struct cadre_error *error);

/* --- who gets what --- */

enum cadre_place_policy {
    CADRE_PLACE_COMPACT = 0, /* near each other, the first cores first */
    CADRE_PLACE_SCATTER = 1, /* teams as far apart as can be: rank 0 in one
                                package, the next team in another */
    CADRE_PLACE_NUMA = 2,    /* dealt evenly to the NUMA nodes; no rank crosses
                                one, and its memory may not either */
    CADRE_PLACE_NONE = 3     /* cores are not bound; GPUs are given all the same
                              */
};

/* Zero means the default. */
struct cadre_place_request {
    uint32_t ranks;            /* 1 or more; a multiple of ranks_per_team */
    uint32_t threads_per_rank; /* default 1 */
    uint32_t gpus_per_rank;    /* default 0 */
    uint32_t ranks_per_team;   /* default 1 */
    enum cadre_place_policy policy;
    bool whole_cores;   /* never two threads on a core */
    bool oversubscribe; /* more threads than there are: nothing is bound */
    bool binds_oversubscribed; /* ... but it is: cores are shared evenly */
    const uint32_t *hosts; /* NULL, or the host of each rank (its number in the
                              ledger), where the ranks are already */
};

enum cadre_place_memory {
    CADRE_MEMORY_ANY = 0,    /* the system's default */
    CADRE_MEMORY_PREFER = 1, /* the NUMA nodes named, others when full */
    CADRE_MEMORY_BIND = 2    /* these NUMA nodes only */
};

enum cadre_place_unit {
    CADRE_UNIT_NOTHING = 0, /* not bound */
    CADRE_UNIT_CORE = 1,    /* a core for each thread */
    CADRE_UNIT_PU = 2       /* a hardware thread for each */
};

/* One rank's place. The arrays belong to whoever the place came from. */
struct cadre_place {
    const char *host_name;
    uint32_t host;    /* its number in the ledger; 0 when decoded */
    uint32_t threads; /* OMP_NUM_THREADS */
    enum cadre_place_unit unit;
    enum cadre_place_memory memory;
    const uint32_t *pus; /* the system's numbers, ascending; none: not bound */
    uint32_t npus;
    const uint32_t *numa; /* NUMA nodes, likewise */
    uint32_t nnuma;
    const struct cadre_gpu *gpus;
    uint32_t ngpus;
};

/* What a request got. */
struct cadre_plan {
    struct cadre_place *places; /* one for each rank */
    uint32_t nplaces;
    bool is_oversubscribed;
    bool must_say; /* ... and this ledger has not said so yet: log `note` */
    char note[CADRE_PLACE_TEXT_MAX]; /* "" if there is nothing to say */
    struct cadre_plan_own *own;      /* the arrays, and what was taken */
};

struct cadre_ledger; /* the hosts of a program and who holds what there */

/* Given: cadre_ledger_destroy(), after all plans were released. */
cadre_err cadre_ledger_create(struct cadre_ledger **ledger);
void cadre_ledger_destroy(struct cadre_ledger *ledger); /* NULL is allowed */

/* Add a host; `*host` is its number, from 0. The machine is taken; one of the
 * same name must not be there yet.
 *
 * CADRE_EINVAL  no core that may be used, or the name is there.
 */
cadre_err cadre_ledger_add(struct cadre_ledger *ledger,
                           struct cadre_machine *machine, uint32_t *host,
                           struct cadre_error *error);

/* Another host with a machine like host `like`, under its own name. */
cadre_err cadre_ledger_add_like(struct cadre_ledger *ledger, uint32_t like,
                                const char *name, uint32_t *host,
                                struct cadre_error *error);

uint32_t cadre_ledger_hosts(const struct cadre_ledger *ledger);
const struct cadre_machine *
cadre_ledger_machine(const struct cadre_ledger *ledger, uint32_t host);

/* The host of that name, or -1. */
int64_t cadre_ledger_find(const struct cadre_ledger *ledger, const char *name);

/* Plan the request and take what it gets. `*plan` is given:
 * cadre_ledger_release().
 *
 * CADRE_EINVAL  the request contradicts itself, or there is not enough:
 *               `error` tells what was asked for and what is there. Nothing is
 *               taken.
 */
cadre_err cadre_ledger_reserve(struct cadre_ledger *ledger,
                               const struct cadre_place_request *request,
                               struct cadre_plan **plan,
                               struct cadre_error *error);

/* Give all back and free the plan. NULL is allowed. */
void cadre_ledger_release(struct cadre_ledger *ledger, struct cadre_plan *plan);

/* --- one rank's place as bytes and as text --- */

/* Append the place of `rank` to `buffer`; a replacement gets the same bytes. */
cadre_err cadre_place_encode(const struct cadre_plan *plan, uint32_t rank,
                             struct cadre_buffer *buffer);

/* `*place` is given: cadre_place_destroy(). CADRE_EPROTO, CADRE_EVERSION. */
cadre_err cadre_place_decode(const void *data, size_t len,
                             struct cadre_place **place,
                             struct cadre_error *error);
void cadre_place_destroy(struct cadre_place *place); /* of decode; NULL too */

/* One line, cut to fit: "node1: PUs 0-3, NUMA node 0, GPU 0000:81:00.0".
 * Returns `text`. */
const char *cadre_place_describe(const struct cadre_place *place, char *text,
                                 size_t room);

/* "0-3,8", cut to fit; `numbers` ascend. Returns `text`. */
const char *cadre_place_list(const uint32_t *numbers, uint32_t count,
                             char *text, size_t room);

#endif
