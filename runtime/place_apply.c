/* place_apply.c - this process goes to its place, and says where it is.
 */
#include "place_host.h"

#include "log.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- hwloc, for binding only ---------------------------------------------- */

/* Only PUs and NUMA nodes: quick to load. */
static cadre_err load(hwloc_topology_t *topology, struct cadre_error *error)
{
    hwloc_topology_t t;

    if (hwloc_topology_init(&t) != 0)
        return CADRE_ENOMEM;
    hwloc_topology_set_flags(t, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    hwloc_topology_set_all_types_filter(t, HWLOC_TYPE_FILTER_KEEP_NONE);
    if (hwloc_topology_load(t) != 0) {
        hwloc_topology_destroy(t);
        return cadre_error_set(error, CADRE_EIO,
                               "placement: hwloc cannot look at this host");
    }
    *topology = t;
    return CADRE_OK;
}

static hwloc_bitmap_t to_bitmap(const uint32_t *numbers, uint32_t count)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();

    for (uint32_t i = 0; set != NULL && i < count; i++)
        if (hwloc_bitmap_set(set, numbers[i]) != 0) {
            hwloc_bitmap_free(set);
            return NULL;
        }
    return set;
}

static cadre_err from_bitmap(hwloc_const_bitmap_t set, uint32_t **numbers,
                             uint32_t *count)
{
    int weight = hwloc_bitmap_weight(set), at = -1;
    uint32_t n = 0;

    if (weight < 0)
        weight = 0; /* infinite: everywhere */
    if ((*numbers = calloc((size_t)weight + 1, sizeof **numbers)) == NULL)
        return CADRE_ENOMEM;
    while (n < (uint32_t)weight && (at = hwloc_bitmap_next(set, at)) >= 0)
        (*numbers)[n++] = (uint32_t)at;
    *count = n;
    return CADRE_OK;
}

/* --- binding -------------------------------------------------------------- */

static cadre_err bind_cores(hwloc_topology_t t, const struct cadre_place *p,
                            struct cadre_error *error)
{
    char list[256];
    hwloc_bitmap_t set = to_bitmap(p->pus, p->npus);
    cadre_err err = CADRE_OK;

    if (set == NULL)
        return CADRE_ENOMEM;
    if (hwloc_set_cpubind(t, set, HWLOC_CPUBIND_PROCESS) != 0)
        err = cadre_error_set(
            error, CADRE_EIO,
            "placement: cannot bind to PUs %s of %s: %s: are they in this "
            "job's cgroup?",
            cadre_place_list(p->pus, p->npus, list, sizeof list), p->host_name,
            strerror(errno));
    hwloc_bitmap_free(set);
    return err;
}

static cadre_err bind_memory(hwloc_topology_t t, const struct cadre_place *p)
{
    bool is_strict = p->memory == CADRE_MEMORY_BIND;
    hwloc_bitmap_t set;

    if (p->memory == CADRE_MEMORY_ANY)
        return CADRE_OK;
    if ((set = to_bitmap(p->numa, p->nnuma)) == NULL)
        return CADRE_ENOMEM;
    if (hwloc_set_membind(t, set, HWLOC_MEMBIND_BIND,
                          HWLOC_MEMBIND_BYNODESET |
                              (is_strict ? HWLOC_MEMBIND_STRICT : 0)) != 0)
        cadre_log(is_strict ? CADRE_LOG_WARN : CADRE_LOG_INFO,
                  "memory is not bound to its NUMA node: %s", strerror(errno));
    hwloc_bitmap_free(set);
    return CADRE_OK;
}

/* What the process was bound to before the first time. */
static hwloc_bitmap_t unbound;

static void remember(hwloc_topology_t t)
{
    if (unbound != NULL || (unbound = hwloc_bitmap_alloc()) == NULL)
        return;
    if (hwloc_get_cpubind(t, unbound, HWLOC_CPUBIND_PROCESS) == 0)
        return;
    hwloc_bitmap_free(unbound);
    unbound = NULL;
}

static void unbind_process(void)
{
    hwloc_topology_t topology = NULL;

    if (unbound == NULL || load(&topology, NULL) != CADRE_OK)
        return;
    hwloc_set_cpubind(topology, unbound, HWLOC_CPUBIND_PROCESS);
    hwloc_set_membind(topology, hwloc_topology_get_topology_nodeset(topology),
                      HWLOC_MEMBIND_DEFAULT, HWLOC_MEMBIND_BYNODESET);
    hwloc_topology_destroy(topology);
}

static cadre_err bind_process(const struct cadre_place *place,
                              struct cadre_error *error)
{
    hwloc_topology_t topology = NULL;
    cadre_err err;

    if (place->npus == 0)
        return CADRE_OK;
    if ((err = load(&topology, error)) != CADRE_OK)
        return err;
    remember(topology);
    if ((err = bind_cores(topology, place, error)) == CADRE_OK)
        err = bind_memory(topology, place);
    hwloc_topology_destroy(topology);
    return err;
}

/* --- OpenMP --------------------------------------------------------------- */

/* A program that is linked with OpenMP has read the environment when it was
 * loaded, long before it has a place. So its threads are asked for by call. */

/* What OpenMP would have started before it was told otherwise; 0: it was not.
 */
static int threads_before;

/* dlsym() returns an object pointer for a function. */
#define FIND(function, name)                                                   \
    (*(void **)&(function) = dlsym(RTLD_DEFAULT, (name)))

static void ask_openmp(uint32_t threads)
{
    void (*set)(int) = NULL;
    int (*get)(void) = NULL;

    FIND(set, "omp_set_num_threads");
    FIND(get, "omp_get_max_threads");
    if (set == NULL || get == NULL)
        return;
    if (threads_before == 0)
        threads_before = get();
    set((int)threads);
}

static void restore_openmp(void)
{
    if (threads_before > 0)
        ask_openmp((uint32_t)threads_before);
    threads_before = 0;
}

/* --- the environment ------------------------------------------------------ */

/* All that is set here, and what it was before. */
static struct variable {
    const char *name;
    bool is_ours; /* it has been set here */
    char *before; /* NULL: it was not set */
} variables[] = {
    {.name = "OMP_NUM_THREADS"},   {.name = "OMP_PLACES"},
    {.name = "OMP_PROC_BIND"},     {.name = "CUDA_VISIBLE_DEVICES"},
    {.name = "CUDA_DEVICE_ORDER"}, {.name = "ROCR_VISIBLE_DEVICES"},
    {.name = "ZE_AFFINITY_MASK"},  {.name = "ZE_ENABLE_PCI_ID_DEVICE_ORDER"}};
enum { VARIABLES = sizeof variables / sizeof variables[0] };

static cadre_err set_variable(const char *name, const char *value)
{
    const char *is = getenv(name);
    struct variable *v = variables;

    while (v < variables + VARIABLES - 1 && strcmp(v->name, name) != 0)
        v++;
    assert(strcmp(v->name, name) == 0);
    if (!v->is_ours && is != NULL && (v->before = strdup(is)) == NULL)
        return CADRE_ENOMEM;
    v->is_ours = true;
    return setenv(name, value, 1) == 0 ? CADRE_OK : CADRE_ENOMEM;
}

static void restore_variables(void)
{
    for (struct variable *v = variables; v < variables + VARIABLES; v++) {
        if (v->is_ours && v->before != NULL)
            setenv(v->name, v->before, 1);
        else if (v->is_ours)
            unsetenv(v->name);
        free(v->before);
        *v = (struct variable){.name = v->name};
    }
}

static cadre_err set_threads(const struct cadre_place *p)
{
    char count[16];
    bool is_bound = p->unit != CADRE_UNIT_NOTHING;
    cadre_err err = CADRE_OK;

    snprintf(count, sizeof count, "%u", p->threads);
    if (is_bound || getenv("OMP_NUM_THREADS") == NULL) {
        err = set_variable("OMP_NUM_THREADS", count);
        ask_openmp(p->threads);
    }
    if (!is_bound || err != CADRE_OK)
        return err;
    /* Both stay within what the process is bound to. */
    err = set_variable("OMP_PLACES",
                       p->unit == CADRE_UNIT_CORE ? "cores" : "threads");
    return err == CADRE_OK ? set_variable("OMP_PROC_BIND", "close") : err;
}

/* All GPUs of the vendor, by UUID if each has one, else by number. Returns how
 * many. */
static uint32_t list_gpus(const struct cadre_place *p,
                          enum cadre_gpu_vendor vendor, bool by_uuid,
                          char *list)
{
    uint32_t count = 0;

    list[0] = '\0';
    for (uint32_t i = 0; i < p->ngpus; i++)
        by_uuid = by_uuid &&
                  (p->gpus[i].vendor != vendor || p->gpus[i].uuid[0] != '\0');
    for (uint32_t i = 0; i < p->ngpus; i++) {
        if (p->gpus[i].vendor != vendor)
            continue;
        list += sprintf(list, "%s", count++ > 0 ? "," : "");
        if (by_uuid)
            list += sprintf(list, "%s", p->gpus[i].uuid);
        else
            list += sprintf(list, "%u", p->gpus[i].index);
    }
    return count;
}

/* Numbers mean the order of PCI; the variable `order` says so, whose default is
 * another order. */
static cadre_err show_gpus(const struct cadre_place *p,
                           enum cadre_gpu_vendor vendor, bool by_uuid,
                           const char *name, const char *order,
                           const char *is_by_pci)
{
    char *list = calloc((size_t)p->ngpus + 1, CADRE_GPU_UUID_MAX + 1);
    cadre_err err = CADRE_OK;

    if (list == NULL)
        return CADRE_ENOMEM;
    if (list_gpus(p, vendor, by_uuid, list) > 0) {
        err = set_variable(name, list);
        if (err == CADRE_OK && order != NULL)
            err = set_variable(order, is_by_pci);
    }
    free(list);
    return err;
}

/* Level Zero takes numbers only. */
static cadre_err set_gpus(const struct cadre_place *p)
{
    cadre_err err = show_gpus(p, CADRE_GPU_NVIDIA, true, "CUDA_VISIBLE_DEVICES",
                              "CUDA_DEVICE_ORDER", "PCI_BUS_ID");

    if (err == CADRE_OK)
        err = show_gpus(p, CADRE_GPU_AMD, true, "ROCR_VISIBLE_DEVICES", NULL,
                        NULL);
    if (err == CADRE_OK)
        err = show_gpus(p, CADRE_GPU_INTEL, false, "ZE_AFFINITY_MASK",
                        "ZE_ENABLE_PCI_ID_DEVICE_ORDER", "1");
    return err;
}

cadre_err cadre_place_apply(const struct cadre_place *place,
                            struct cadre_error *error)
{
    cadre_err err = bind_process(place, error);

    if (err == CADRE_OK)
        err = set_gpus(place);
    if (err == CADRE_OK)
        err = set_threads(place);
    return err;
}

void cadre_place_undo(void)
{
    unbind_process();
    restore_variables();
    restore_openmp();
}

/* --- reading back --------------------------------------------------------- */

void cadre_place_seen_fini(struct cadre_place_seen *seen)
{
    free(seen->pus);
    free(seen->numa);
    *seen = (struct cadre_place_seen){0};
}

static cadre_err look(hwloc_topology_t t, hwloc_bitmap_t set,
                      struct cadre_place_seen *seen, struct cadre_error *error)
{
    hwloc_membind_policy_t policy;
    cadre_err err;

    if (hwloc_get_cpubind(t, set, HWLOC_CPUBIND_PROCESS) != 0)
        return cadre_error_set(error, CADRE_EIO,
                               "placement: the binding cannot be read: %s",
                               strerror(errno));
    if ((err = from_bitmap(set, &seen->pus, &seen->npus)) != CADRE_OK)
        return err;
    if (hwloc_get_last_cpu_location(t, set, HWLOC_CPUBIND_THREAD) != 0)
        return cadre_error_set(error, CADRE_EIO,
                               "placement: the core cannot be read: %s",
                               strerror(errno));
    seen->last = (uint32_t)hwloc_bitmap_first(set);
    if (hwloc_get_membind(t, set, &policy, HWLOC_MEMBIND_BYNODESET) != 0)
        hwloc_bitmap_zero(set); /* the system does not tell */
    return from_bitmap(set, &seen->numa, &seen->nnuma);
}

cadre_err cadre_place_read_back(struct cadre_place_seen *seen,
                                struct cadre_error *error)
{
    struct cadre_place_seen s = {0};
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    hwloc_topology_t topology = NULL;
    cadre_err err = set == NULL ? CADRE_ENOMEM : load(&topology, error);

    if (err == CADRE_OK) {
        err = look(topology, set, &s, error);
        hwloc_topology_destroy(topology);
    }
    hwloc_bitmap_free(set);
    if (err == CADRE_OK)
        *seen = s;
    else
        cadre_place_seen_fini(&s);
    return err;
}
