/* place_gpu.c - the GPUs of a machine: on the PCI bus by class and vendor, with
 * the UUIDs that hwloc's plug-ins or the drivers' files tell; without a bus
 * address, what the plug-ins show.
 */
#include "place_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CLASS_DISPLAY = 0x03,     /* upper byte of the PCI class */
    CLASS_ACCELERATOR = 0x12, /* "processing accelerators" */
    VENDOR_NVIDIA = 0x10de,
    VENDOR_AMD = 0x1002,
    VENDOR_INTEL = 0x8086
};

/* A GPU and where hwloc has it. */
struct found {
    struct cadre_gpu gpu;
    hwloc_obj_t object;
};

/* 0: not a GPU that we know. */
static int vendor_of(const struct hwloc_pcidev_attr_s *pci)
{
    int class = pci->class_id >> 8;

    if (class != CLASS_DISPLAY && class != CLASS_ACCELERATOR)
        return 0;
    switch (pci->vendor_id) {
    case VENDOR_NVIDIA:
        return CADRE_GPU_NVIDIA;
    case VENDOR_AMD:
        return CADRE_GPU_AMD;
    case VENDOR_INTEL:
        return CADRE_GPU_INTEL;
    default:
        return 0;
    }
}

static const char *const uuid_names[] = {"NVIDIAUUID", "AMDUUID",
                                         "LevelZeroUUID"};

static void find_uuid(hwloc_obj_t object, struct cadre_gpu *gpu)
{
    const char *uuid =
        hwloc_obj_get_info_by_name(object, uuid_names[gpu->vendor - 1]);

    if (uuid != NULL) /* ROCr wants it with its prefix, the plug-in has none */
        snprintf(gpu->uuid, sizeof gpu->uuid, "%s%s",
                 gpu->vendor == CADRE_GPU_AMD && uuid[0] != 'G' ? "GPU-" : "",
                 uuid);
    for (hwloc_obj_t c = object->io_first_child; c != NULL; c = c->next_sibling)
        find_uuid(c, gpu);
}

/* The deepest node that holds all cores near the object. */
static uint32_t node_near(const struct cadre_reading *r, hwloc_obj_t object)
{
    hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(r->topology, object);
    uint32_t best = 0;

    for (uint32_t i = 0; i < r->machine->nnodes; i++)
        if (r->machine->nodes[i].type < CADRE_NODE_CORE &&
            r->objects[i] != NULL &&
            hwloc_bitmap_isincluded(near->cpuset, r->objects[i]->cpuset))
            best = i;
    return best;
}

static void add(struct cadre_reading *r, struct found *all, hwloc_obj_t object,
                enum cadre_gpu_vendor vendor)
{
    struct found *f = &all[r->machine->ngpus];

    if (r->machine->ngpus == CADRE_MACHINE_GPUS_MAX)
        return;
    *f = (struct found){.gpu = {.vendor = vendor}, .object = object};
    f->gpu.node = node_near(r, object);
    find_uuid(object, &f->gpu);
    r->machine->ngpus++;
}

static void add_pci(struct cadre_reading *r, struct found *all)
{
    for (hwloc_obj_t o = NULL;
         (o = hwloc_get_next_pcidev(r->topology, o)) != NULL;) {
        const struct hwloc_pcidev_attr_s *pci = &o->attr->pcidev;
        uint32_t at = r->machine->ngpus;
        int vendor = vendor_of(pci);
        if (vendor == 0)
            continue;
        add(r, all, o, (enum cadre_gpu_vendor)vendor);
        if (r->machine->ngpus > at)
            snprintf(all[at].gpu.pci, sizeof all[at].gpu.pci,
                     "%04x:%02x:%02x.%01x", pci->domain & 0xffffffu, pci->bus,
                     pci->dev, pci->func & 0xfu);
    }
}

/* Which vendor's plug-in made this device, one that is on no bus? */
static int backend_of(hwloc_obj_t object)
{
    static const struct {
        const char *name;
        enum cadre_gpu_vendor vendor;
    } backends[] = {{"NVML", CADRE_GPU_NVIDIA},
                    {"RSMI", CADRE_GPU_AMD},
                    {"LevelZero", CADRE_GPU_INTEL}};
    const char *name = hwloc_obj_get_info_by_name(object, "Backend");

    for (hwloc_obj_t o = object; o != NULL; o = o->parent)
        if (o->type == HWLOC_OBJ_PCI_DEVICE)
            return 0;
    for (size_t i = 0; name != NULL && i < sizeof backends / sizeof *backends;
         i++)
        if (strcmp(name, backends[i].name) == 0)
            return (int)backends[i].vendor;
    return 0;
}

static void add_others(struct cadre_reading *r, struct found *all)
{
    for (hwloc_obj_t o = NULL;
         (o = hwloc_get_next_osdev(r->topology, o)) != NULL;) {
        int vendor = backend_of(o);
        if (vendor != 0)
            add(r, all, o, (enum cadre_gpu_vendor)vendor);
    }
}

/* By vendor, then in the order of PCI. */
static int compare(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    if (x->gpu.vendor != y->gpu.vendor)
        return (int)x->gpu.vendor - (int)y->gpu.vendor;
    return strcmp(x->gpu.pci, y->gpu.pci);
}

/* The graphics in an Intel processor is a GPU where there is no other. */
static bool is_integrated(const struct cadre_gpu *gpu)
{
    return gpu->vendor == CADRE_GPU_INTEL &&
           strcmp(gpu->pci, "0000:00:02.0") == 0;
}

static void drop_integrated(struct cadre_machine *m, struct found *all)
{
    uint32_t kept = 0, integrated = 0;

    for (uint32_t i = 0; i < m->ngpus; i++)
        integrated += is_integrated(&all[i].gpu);
    if (integrated == m->ngpus)
        return;
    for (uint32_t i = 0; i < m->ngpus; i++)
        if (!is_integrated(&all[i].gpu))
            all[kept++] = all[i];
    m->ngpus = kept;
}

/* The innermost PCI bridge above both, not the one of the host; NULL: none. */
static hwloc_obj_t common_switch(hwloc_obj_t a, hwloc_obj_t b)
{
    for (; a != NULL; a = a->parent) {
        if (a->type != HWLOC_OBJ_BRIDGE ||
            a->attr->bridge.upstream_type != HWLOC_OBJ_BRIDGE_PCI)
            continue;
        for (hwloc_obj_t o = b; o != NULL; o = o->parent)
            if (o == a)
                return a;
    }
    return NULL;
}

static hwloc_obj_t switch_of(const struct found *all, uint32_t count,
                             uint32_t i)
{
    hwloc_obj_t best = NULL;

    for (uint32_t k = 0; k < count; k++) {
        hwloc_obj_t common =
            k == i ? NULL : common_switch(all[i].object, all[k].object);
        if (common != NULL && (best == NULL || common->attr->bridge.depth >
                                                   best->attr->bridge.depth))
            best = common;
    }
    return best;
}

static void number_switches(struct found *all, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        hwloc_obj_t mine = switch_of(all, count, i);
        if (mine != NULL)
            all[i].gpu.pci_switch = (uint32_t)mine->gp_index;
    }
}

cadre_err cadre_reading_gpus(struct cadre_reading *reading)
{
    struct cadre_machine *m = reading->machine;
    struct found *all = calloc(CADRE_MACHINE_GPUS_MAX, sizeof *all);

    if (all == NULL)
        return CADRE_ENOMEM;
    add_pci(reading, all);
    add_others(reading, all);
    qsort(all, m->ngpus, sizeof *all, compare);
    drop_integrated(m, all);
    number_switches(all, m->ngpus);
    if ((m->gpus = calloc((size_t)m->ngpus + 1, sizeof *m->gpus)) == NULL) {
        free(all);
        return CADRE_ENOMEM;
    }
    for (uint32_t i = 0; i < m->ngpus; i++) {
        bool is_new = i == 0 || all[i].gpu.vendor != all[i - 1].gpu.vendor;
        all[i].gpu.index = is_new ? 0 : all[i - 1].gpu.index + 1;
        m->gpus[i] = all[i].gpu;
    }
    free(all);
    return CADRE_OK;
}

/* --- the GPUs of this host ------------------------------------------------ */

/* Opening fails where the cgroup keeps us from the device; outside of a batch
 * job we do not wake it up for that. */
static bool can_open(const char *path)
{
    int fd;

    if (getenv("SLURM_JOB_ID") == NULL)
        return access(path, F_OK) == 0;
    if ((fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK)) < 0)
        return errno == EBUSY;
    close(fd);
    return true;
}

/* A line "KEY:   VALUE" of the driver's page. */
static bool get_field(const char *line, const char *key, char *value,
                      size_t room)
{
    size_t len = strlen(key);

    if (strncmp(line, key, len) != 0 || line[len] != ':')
        return false;
    line += len + 1;
    line += strspn(line, " \t");
    snprintf(value, room, "%.*s", (int)strcspn(line, " \t\n"), line);
    return true;
}

static bool nvidia_answers(struct cadre_gpu *gpu)
{
    char path[96], line[256], uuid[CADRE_GPU_UUID_MAX] = "", minor[16] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/driver/nvidia/gpus/%s/information",
             gpu->pci);
    if ((file = fopen(path, "re")) == NULL)
        return access("/dev/nvidiactl", F_OK) == 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (!get_field(line, "GPU UUID", uuid, sizeof uuid))
            get_field(line, "Device Minor", minor, sizeof minor);
    fclose(file);
    if (gpu->uuid[0] == '\0' && strchr(uuid, '?') == NULL) /* "GPU-????..." */
        memcpy(gpu->uuid, uuid, sizeof uuid);
    snprintf(path, sizeof path, "/dev/nvidia%s", minor);
    return minor[0] == '\0' || can_open(path);
}

static bool amd_answers(struct cadre_gpu *gpu)
{
    char path[96], id[32] = "";
    FILE *file;

    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/unique_id", gpu->pci);
    if (gpu->uuid[0] == '\0' && (file = fopen(path, "re")) != NULL) {
        if (fgets(id, sizeof id, file) != NULL && strcspn(id, "\n") == 16)
            snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%.16s", id);
        fclose(file);
    }
    return access("/dev/kfd", F_OK) == 0;
}

bool cadre_gpu_answers(struct cadre_gpu *gpu)
{
    if (gpu->pci[0] == '\0')
        return true; /* its plug-in has spoken to it */
    switch (gpu->vendor) {
    case CADRE_GPU_NVIDIA:
        return nvidia_answers(gpu);
    case CADRE_GPU_AMD:
        return amd_answers(gpu);
    case CADRE_GPU_INTEL:
        return access("/dev/dri", F_OK) == 0;
    }
    return false;
}
