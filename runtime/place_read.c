/* place_read.c - a machine as hwloc sees it: this one, a file, a description.
 *
 * What hwloc knows and a plan does not need is left out: caches of a single
 * core, groups that hold what their parent holds. A NUMA node, which hwloc
 * hangs beside the tree, becomes the only child of what it belongs to. Cores of
 * several kinds side by side get a node for each kind.
 *
 * hwloc's plug-ins for CUDA, OpenCL and GL are left out: they would initialise
 * these libraries in the controller. So is the one for libpciaccess, which
 * leaks; the kernel's files tell the same.
 */
#include "place_host.h"

#include "place_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- nodes ---------------------------------------------------------------- */

static cadre_err grow(struct cadre_reading *r)
{
    uint32_t room = r->room > 0 ? 2 * r->room : 64;
    struct cadre_machine *m = r->machine;
    struct cadre_node *nodes;
    hwloc_obj_t *objects;

    if (m->nnodes < r->room)
        return CADRE_OK;
    if ((nodes = realloc(m->nodes, room * sizeof *nodes)) == NULL)
        return CADRE_ENOMEM;
    m->nodes = nodes;
    if ((objects = realloc(r->objects, room * sizeof *objects)) == NULL)
        return CADRE_ENOMEM;
    r->objects = objects;
    r->room = room;
    return CADRE_OK;
}

/* Append a node below `*at`, which becomes it. */
static cadre_err add_node(struct cadre_reading *r, enum cadre_node_type type,
                          hwloc_obj_t object, uint32_t *at)
{
    struct cadre_machine *m = r->machine;
    cadre_err err = grow(r);

    if (err != CADRE_OK)
        return err;
    r->objects[m->nnodes] = object;
    m->nodes[m->nnodes] = (struct cadre_node){
        .type = type, .index = r->counts[type]++, .parent = *at};
    if (type == CADRE_NODE_NUMA || type == CADRE_NODE_PU)
        m->nodes[m->nnodes].index = object->os_index;
    *at = m->nnodes++;
    return CADRE_OK;
}

static int count_cores(struct cadre_reading *r, hwloc_obj_t object)
{
    int cores = hwloc_get_nbobjs_inside_cpuset_by_type(
        r->topology, object->cpuset, HWLOC_OBJ_CORE);

    return cores > 0 ? cores
                     : hwloc_get_nbobjs_inside_cpuset_by_type(
                           r->topology, object->cpuset, HWLOC_OBJ_PU);
}

/* What a plan calls the object; 0: nothing, its children take its place. */
static int type_of(struct cadre_reading *r, hwloc_obj_t object)
{
    switch (object->type) {
    case HWLOC_OBJ_MACHINE:
        return CADRE_NODE_MACHINE;
    case HWLOC_OBJ_PACKAGE:
        return CADRE_NODE_PACKAGE;
    case HWLOC_OBJ_CORE:
        return CADRE_NODE_CORE;
    case HWLOC_OBJ_PU:
        return CADRE_NODE_PU;
    case HWLOC_OBJ_L3CACHE:
        return count_cores(r, object) > 1 ? CADRE_NODE_L3 : 0;
    case HWLOC_OBJ_L2CACHE:
        return count_cores(r, object) > 1 ? CADRE_NODE_L2 : 0;
    case HWLOC_OBJ_GROUP:
    case HWLOC_OBJ_DIE:
        return object->parent != NULL && count_cores(r, object) > 1 &&
                       !hwloc_bitmap_isequal(object->cpuset,
                                             object->parent->cpuset)
                   ? CADRE_NODE_GROUP
                   : 0;
    default:
        return 0;
    }
}

/* The first NUMA node among the memory of `object`, or NULL. */
static hwloc_obj_t numa_of(hwloc_obj_t object)
{
    hwloc_obj_t memory = object->memory_first_child;

    while (memory != NULL && memory->type != HWLOC_OBJ_NUMANODE)
        memory = memory->memory_first_child;
    return memory;
}

/* How fast are the cores of the set: a rank from 0; -1: they differ. */
static int kind_of(struct cadre_reading *r, hwloc_const_cpuset_t set)
{
    int efficiency = -1,
        kind = hwloc_cpukinds_get_by_cpuset(r->topology, set, 0);

    if (kind < 0)
        return errno == EXDEV ? -1 : 0;
    hwloc_cpukinds_get_info(r->topology, (unsigned)kind, NULL, &efficiency,
                            NULL, NULL, 0);
    return efficiency < 0 || kind >= CADRE_CORE_KINDS_MAX ? 0 : kind;
}

static cadre_err add_object(struct cadre_reading *r, hwloc_obj_t object,
                            uint32_t parent);

/* Children from `first` on that are of one kind; ends before `*end`. */
static uint32_t same_kind(struct cadre_reading *r, hwloc_obj_t first,
                          hwloc_obj_t *end)
{
    int kind = kind_of(r, first->cpuset);
    uint32_t count = 0;

    for (*end = first; *end != NULL && kind_of(r, (*end)->cpuset) == kind;
         *end = (*end)->next_sibling)
        count++;
    return kind < 0 ? 0 : count;
}

static cadre_err add_children(struct cadre_reading *r, hwloc_obj_t object,
                              uint32_t parent)
{
    bool is_mixed = kind_of(r, object->cpuset) < 0;
    cadre_err err = CADRE_OK;

    for (hwloc_obj_t c = object->first_child, end; c != NULL;) {
        uint32_t at = parent;
        uint32_t count = same_kind(r, c, &end);
        if (is_mixed && count > 1)
            err = add_node(r, CADRE_NODE_KIND, NULL, &at);
        for (; c != end && err == CADRE_OK; c = c->next_sibling)
            err = add_object(r, c, at);
        if (err != CADRE_OK)
            break;
    }
    return err;
}

/* A PU; some machines do not tell which core it is in: then in one of its own.
 */
static cadre_err add_pu(struct cadre_reading *r, hwloc_obj_t pu,
                        uint32_t parent)
{
    cadre_err err = CADRE_OK;

    if (r->machine->nodes[parent].type != CADRE_NODE_CORE)
        err = add_node(r, CADRE_NODE_CORE, pu, &parent);
    if (err == CADRE_OK)
        err = add_node(r, CADRE_NODE_PU, pu, &parent);
    if (err == CADRE_OK)
        r->machine->nodes[parent].is_allowed =
            hwloc_bitmap_isset(r->allowed, pu->os_index);
    return err;
}

static cadre_err add_object(struct cadre_reading *r, hwloc_obj_t object,
                            uint32_t parent)
{
    hwloc_obj_t numa = numa_of(object);
    int type = type_of(r, object), kind;
    cadre_err err = CADRE_OK;

    if (type == CADRE_NODE_PU)
        return add_pu(r, object, parent);
    if (type != 0 && type != CADRE_NODE_CORE)
        err = add_node(r, (enum cadre_node_type)type, object, &parent);
    if (err == CADRE_OK && numa != NULL)
        err = add_node(r, CADRE_NODE_NUMA, numa, &parent);
    if (err == CADRE_OK && type == CADRE_NODE_CORE) {
        err = add_node(r, CADRE_NODE_CORE, object, &parent);
        kind = kind_of(r, object->cpuset);
        if (err == CADRE_OK)
            r->machine->nodes[parent].kind = kind < 0 ? 0 : (uint32_t)kind;
    }
    return err == CADRE_OK ? add_children(r, object, parent) : err;
}

/* --- a topology ----------------------------------------------------------- */

static void fini(struct cadre_reading *r)
{
    cadre_machine_destroy(r->machine);
    hwloc_bitmap_free(r->allowed);
    free(r->objects);
    if (r->topology != NULL)
        hwloc_topology_destroy(r->topology);
}

static cadre_err init(struct cadre_reading *r)
{
    *r = (struct cadre_reading){0};
    if (hwloc_topology_init(&r->topology) != 0) {
        r->topology = NULL;
        return CADRE_ENOMEM;
    }
    hwloc_topology_set_flags(r->topology,
                             HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    hwloc_topology_set_io_types_filter(r->topology,
                                       HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    r->machine = calloc(1, sizeof *r->machine);
    return r->machine == NULL ? CADRE_ENOMEM : CADRE_OK;
}

static void skip_components(hwloc_topology_t topology)
{
    static const char *const names[] = {"cuda", "opencl", "gl", "pci"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        hwloc_topology_set_components(
            topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, names[i]);
}

/* Where the job was put: under mpirun, which binds each rank to a core or two,
 * what mpirun itself may use. */
static void restrict_to_binding(struct cadre_reading *r)
{
    pid_t whose = getenv("OMPI_COMM_WORLD_SIZE") != NULL ? getppid() : getpid();
    hwloc_bitmap_t bound = hwloc_bitmap_alloc();

    if (bound != NULL &&
        (hwloc_get_proc_cpubind(r->topology, whose, bound, 0) == 0 ||
         hwloc_get_cpubind(r->topology, bound, HWLOC_CPUBIND_PROCESS) == 0) &&
        hwloc_bitmap_intersects(r->allowed, bound))
        hwloc_bitmap_and(r->allowed, r->allowed, bound);
    hwloc_bitmap_free(bound);
}

static void limit_to_job(struct cadre_gpu_limits *limits)
{
    *limits = (struct cadre_gpu_limits){.cuda = getenv("CUDA_VISIBLE_DEVICES"),
                                        .slurm = getenv("SLURM_JOB_GPUS"),
                                        .rocr = getenv("ROCR_VISIBLE_DEVICES"),
                                        .ze = getenv("ZE_AFFINITY_MASK")};
}

/* Of the GPUs that the bus shows, those that answer; they are numbered anew, as
 * their libraries do. False if some do not. */
static bool keep_answering(struct cadre_machine *m)
{
    uint32_t kept = 0, all = m->ngpus;

    for (uint32_t i = 0; i < all; i++) {
        if (!cadre_gpu_answers(&m->gpus[i]))
            continue;
        m->gpus[kept] = m->gpus[i];
        m->gpus[kept].index =
            kept > 0 && m->gpus[kept - 1].vendor == m->gpus[i].vendor
                ? m->gpus[kept - 1].index + 1
                : 0;
        kept++;
    }
    m->ngpus = kept;
    return kept == all;
}

static cadre_err read_gpus(struct cadre_reading *r)
{
    struct cadre_gpu_limits limits;
    cadre_err err = cadre_reading_gpus(r);

    if (err != CADRE_OK || !hwloc_topology_is_thissystem(r->topology))
        return err;
    limit_to_job(&limits);
    if (!keep_answering(r->machine)) /* the scheduler has hidden the others, */
        limits.slurm = NULL;         /* and counts them in its numbers */
    return cadre_machine_limit_gpus(r->machine, &limits);
}

/* The topology is loaded: the machine from it. */
static cadre_err read_loaded(struct cadre_reading *r, const char *name,
                             struct cadre_error *error)
{
    hwloc_obj_t root = hwloc_get_root_obj(r->topology);
    const char *host = hwloc_obj_get_info_by_name(root, "HostName");
    cadre_err err;

    snprintf(r->machine->host, sizeof r->machine->host, "%s",
             host != NULL ? host : name);
    r->allowed =
        hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(r->topology));
    if (r->allowed == NULL)
        return CADRE_ENOMEM;
    if (hwloc_topology_is_thissystem(r->topology))
        restrict_to_binding(r);
    err = add_object(r, root, 0);
    if (err == CADRE_OK)
        err = read_gpus(r);
    return err == CADRE_OK ? cadre_machine_finish(r->machine, error) : err;
}

static cadre_err finish(struct cadre_reading *r, const char *name,
                        cadre_err failure, const char *what,
                        struct cadre_machine **machine,
                        struct cadre_error *error)
{
    cadre_err err;

    if (hwloc_topology_load(r->topology) != 0)
        err = cadre_error_set(error, failure, "%s %s", name, what);
    else
        err = read_loaded(r, name, error);
    if (err == CADRE_OK) {
        *machine = r->machine;
        r->machine = NULL;
    }
    fini(r);
    return err;
}

cadre_err cadre_machine_read(struct cadre_machine **machine,
                             struct cadre_error *error)
{
    char name[CADRE_MACHINE_HOST_MAX] = "";
    struct cadre_reading r;
    cadre_err err = init(&r);

    if (err != CADRE_OK) {
        fini(&r);
        return err;
    }
    if (gethostname(name, sizeof name - 1) != 0)
        snprintf(name, sizeof name, "this host");
    skip_components(r.topology);
    return finish(&r, name, CADRE_EIO, "does not tell hwloc what it is made of",
                  machine, error);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

cadre_err cadre_machine_read_file(const char *path,
                                  struct cadre_machine **machine,
                                  struct cadre_error *error)
{
    struct cadre_reading r;
    cadre_err err = init(&r);

    if (err == CADRE_OK && access(path, R_OK) != 0)
        err = cadre_error_set(error, CADRE_ENOTFOUND, "%s cannot be read: %s",
                              path, strerror(errno));
    if (err == CADRE_OK && hwloc_topology_set_xml(r.topology, path) != 0)
        err = cadre_error_set(error, CADRE_EPARSE,
                              "%s is not a topology: make one with lstopo "
                              "FILE.xml",
                              path);
    if (err != CADRE_OK) {
        fini(&r);
        return err;
    }
    return finish(&r, base_name(path), CADRE_EPARSE,
                  "is not a topology: make one with lstopo FILE.xml", machine,
                  error);
}

cadre_err cadre_machine_read_synthetic(const char *text,
                                       struct cadre_machine **machine,
                                       struct cadre_error *error)
{
    struct cadre_reading r;
    cadre_err err = init(&r);

    if (err == CADRE_OK && hwloc_topology_set_synthetic(r.topology, text) != 0)
        err = cadre_error_set(error, CADRE_EPARSE,
                              "\"%s\" describes no machine: write for example "
                              "\"package:2 core:8 pu:2\"",
                              text);
    if (err != CADRE_OK) {
        fini(&r);
        return err;
    }
    return finish(&r, "synthetic", CADRE_EPARSE, "describes no machine",
                  machine, error);
}

cadre_err cadre_ledger_add_this_host(struct cadre_ledger *ledger,
                                     uint32_t *host, struct cadre_error *error)
{
    char name[CADRE_MACHINE_HOST_MAX] = "";
    struct cadre_machine *machine;
    cadre_err err;
    int64_t found;

    if (gethostname(name, sizeof name - 1) == 0 &&
        (found = cadre_ledger_find(ledger, name)) >= 0) {
        *host = (uint32_t)found;
        return CADRE_OK;
    }
    if ((err = cadre_machine_read(&machine, error)) != CADRE_OK)
        return err;
    memcpy(machine->host, name, sizeof name);
    if ((err = cadre_ledger_add(ledger, machine, host, error)) != CADRE_OK)
        cadre_machine_destroy(machine);
    return err;
}
