/* place_machine.c - a machine as a tree: what follows from its parts, which of
 * its GPUs the job was given, and how it travels.
 */
#include "place.h"

#include "bytes.h"
#include "frame.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAGIC = 0x4d434443, /* "CDCM" */
    VERSION = 1,
    HEADER = 16 + CADRE_MACHINE_HOST_MAX,
    NODE_BYTES = 16,
    GPU_BYTES = 16 + CADRE_GPU_PCI_MAX + CADRE_GPU_UUID_MAX
};

const char *cadre_node_type_name(enum cadre_node_type type)
{
    switch (type) {
    case CADRE_NODE_MACHINE:
        return "machine";
    case CADRE_NODE_PACKAGE:
        return "package";
    case CADRE_NODE_GROUP:
        return "group";
    case CADRE_NODE_NUMA:
        return "NUMA node";
    case CADRE_NODE_L3:
        return "L3";
    case CADRE_NODE_L2:
        return "L2";
    case CADRE_NODE_KIND:
        return "kind";
    case CADRE_NODE_CORE:
        return "core";
    case CADRE_NODE_PU:
        return "PU";
    }
    return "?";
}

const char *cadre_gpu_vendor_name(enum cadre_gpu_vendor vendor)
{
    switch (vendor) {
    case CADRE_GPU_NVIDIA:
        return "NVIDIA";
    case CADRE_GPU_AMD:
        return "AMD";
    case CADRE_GPU_INTEL:
        return "Intel";
    }
    return "?";
}

void cadre_machine_destroy(struct cadre_machine *machine)
{
    if (machine == NULL)
        return;
    free(machine->nodes);
    free(machine->gpus);
    free(machine);
}

/* --- the tree ------------------------------------------------------------- */

static bool may_hold(enum cadre_node_type parent, enum cadre_node_type child)
{
    if (child == CADRE_NODE_PU)
        return parent == CADRE_NODE_CORE;
    return parent < CADRE_NODE_CORE && child != CADRE_NODE_MACHINE;
}

/* In preorder a node's parent is the node before it or one of that one's
 * ancestors. */
static bool is_preorder(const struct cadre_node *nodes, uint32_t i)
{
    uint32_t at = i - 1;

    while (at != nodes[i].parent && at != 0)
        at = nodes[at].parent;
    return at == nodes[i].parent;
}

static cadre_err check_node(const struct cadre_node *nodes, uint32_t i,
                            struct cadre_error *error)
{
    const struct cadre_node *n = &nodes[i];

    if (n->type < CADRE_NODE_MACHINE || n->type > CADRE_NODE_PU)
        return cadre_error_set(error, CADRE_EINVAL,
                               "machine: node %u is of unknown type %d", i,
                               (int)n->type);
    if (n->type == CADRE_NODE_CORE && n->kind >= CADRE_CORE_KINDS_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "machine: core %u is of kind %u of %d", i,
                               n->kind, CADRE_CORE_KINDS_MAX);
    if (i == 0 ? n->type != CADRE_NODE_MACHINE || n->parent != 0
               : n->parent >= i || !is_preorder(nodes, i) ||
                     !may_hold(nodes[n->parent].type, n->type))
        return cadre_error_set(error, CADRE_EINVAL,
                               "machine: node %u (%s) is in the wrong place", i,
                               cadre_node_type_name(n->type));
    return CADRE_OK;
}

/* Children come after their parents: from the end every node is complete when
 * it is added to its parent. */
static void fill_in(struct cadre_machine *m)
{
    struct cadre_node *n = m->nodes;

    for (uint32_t i = 0; i < m->nnodes; i++) {
        bool is_leaf = n[i].type == CADRE_NODE_PU;
        n[i].end = i + 1;
        n[i].level = is_leaf ? 0 : 1;
        n[i].is_allowed = is_leaf && n[i].is_allowed;
        if (is_leaf)
            n[i].kind = n[n[i].parent].kind;
        else if (n[i].type != CADRE_NODE_CORE)
            n[i].kind = UINT32_MAX;
    }
    for (uint32_t i = m->nnodes; i-- > 1;) {
        struct cadre_node *parent = &n[n[i].parent];
        if (parent->end < n[i].end)
            parent->end = n[i].end;
        if (parent->level <= n[i].level)
            parent->level = n[i].level + 1;
        if (parent->kind > n[i].kind)
            parent->kind = n[i].kind;
        parent->is_allowed = parent->is_allowed || n[i].is_allowed;
    }
}

static cadre_err check_gpu(const struct cadre_machine *m, uint32_t i,
                           struct cadre_error *error)
{
    const struct cadre_gpu *g = &m->gpus[i];

    if (g->vendor < CADRE_GPU_NVIDIA || g->vendor > CADRE_GPU_INTEL ||
        g->node >= m->nnodes || m->nodes[g->node].type >= CADRE_NODE_CORE)
        return cadre_error_set(error, CADRE_EINVAL,
                               "machine: GPU %u has no vendor or no place", i);
    return CADRE_OK;
}

cadre_err cadre_machine_finish(struct cadre_machine *machine,
                               struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    if (machine->nnodes == 0 || machine->nnodes > CADRE_MACHINE_NODES_MAX ||
        machine->ngpus > CADRE_MACHINE_GPUS_MAX)
        return cadre_error_set(error, CADRE_EINVAL,
                               "machine: %u nodes and %u GPUs: none or too "
                               "many",
                               machine->nnodes, machine->ngpus);
    for (uint32_t i = 0; i < machine->nnodes && err == CADRE_OK; i++)
        err = check_node(machine->nodes, i, error);
    for (uint32_t i = 0; i < machine->ngpus && err == CADRE_OK; i++)
        err = check_gpu(machine, i, error);
    if (err == CADRE_OK)
        fill_in(machine);
    return err;
}

static uint32_t count(const struct cadre_machine *m, enum cadre_node_type type)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->nnodes; i++)
        n += m->nodes[i].type == type && m->nodes[i].is_allowed;
    return n;
}

uint32_t cadre_machine_cores(const struct cadre_machine *machine)
{
    return count(machine, CADRE_NODE_CORE);
}

uint32_t cadre_machine_pus(const struct cadre_machine *machine)
{
    return count(machine, CADRE_NODE_PU);
}

/* --- the GPUs that the job was given -------------------------------------- */

/* Which GPU of `vendor` does the word name? -1: none, or more than one. */
static int64_t find_gpu(const struct cadre_machine *m,
                        enum cadre_gpu_vendor vendor, const char *word,
                        size_t len)
{
    bool is_number = len > 0 && len < 10 && isdigit((unsigned char)word[0]);
    int64_t found = -1;

    for (uint32_t i = 0; i < m->ngpus; i++) {
        const struct cadre_gpu *g = &m->gpus[i];
        if (g->vendor != vendor)
            continue;
        if (is_number ? g->index != strtoul(word, NULL, 10)
                      : len == 0 || strncmp(g->uuid, word, len) != 0)
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

/* The word at `*list`, without blanks; moves on to the next one. Level Zero
 * names a part of a device as "0.1": that is device 0. */
static bool next_word(const char **list, const char **word, size_t *len)
{
    const char *at = *list + strspn(*list, " \t");

    if (*at == '\0')
        return false;
    *word = at;
    *len = strcspn(at, ", \t");
    at += strcspn(at, ",");
    *list = *at == ',' ? at + 1 : at;
    return true;
}

/* A part of a GPU by its own UUID, whose place nobody tells. */
static void add_mig(struct cadre_gpu *gpu, const char *word, size_t len,
                    uint32_t index)
{
    *gpu = (struct cadre_gpu){.vendor = CADRE_GPU_NVIDIA, .index = index};
    if (len >= sizeof gpu->uuid)
        len = sizeof gpu->uuid - 1;
    memcpy(gpu->uuid, word, len);
}

struct keeping {
    struct cadre_gpu *kept; /* room for all, and for MIG instances */
    uint32_t count, room;
};

static void keep(struct keeping *k, const struct cadre_gpu *gpu)
{
    for (uint32_t i = 0; i < k->count; i++)
        if (memcmp(&k->kept[i], gpu, sizeof *gpu) == 0)
            return;
    if (k->count < k->room)
        k->kept[k->count++] = *gpu;
}

static void keep_listed(struct keeping *k, const struct cadre_machine *m,
                        enum cadre_gpu_vendor vendor, const char *list)
{
    struct cadre_gpu mig;
    const char *word;
    size_t len;
    uint32_t nmigs = 0;

    while (next_word(&list, &word, &len)) {
        int64_t found;
        if (vendor == CADRE_GPU_INTEL && memchr(word, '.', len) != NULL)
            len = (size_t)((const char *)memchr(word, '.', len) - word);
        if (vendor == CADRE_GPU_NVIDIA && strncmp(word, "MIG-", 4) == 0) {
            add_mig(&mig, word, len, nmigs++);
            keep(k, &mig);
            continue;
        }
        if ((found = find_gpu(m, vendor, word, len)) < 0)
            return;
        keep(k, &m->gpus[found]);
    }
}

static void keep_vendor(struct keeping *k, const struct cadre_machine *m,
                        enum cadre_gpu_vendor vendor, const char *list)
{
    if (list != NULL) {
        keep_listed(k, m, vendor, list);
        return;
    }
    for (uint32_t i = 0; i < m->ngpus; i++)
        if (m->gpus[i].vendor == vendor)
            keep(k, &m->gpus[i]);
}

cadre_err cadre_machine_limit_gpus(struct cadre_machine *machine,
                                   const struct cadre_gpu_limits *limits)
{
    struct keeping k = {.room = machine->ngpus + 64};
    const char *slurm = limits->slurm;

    if ((k.kept = calloc(k.room, sizeof *k.kept)) == NULL)
        return CADRE_ENOMEM;
    keep_vendor(&k, machine, CADRE_GPU_NVIDIA,
                limits->cuda != NULL ? limits->cuda : slurm);
    keep_vendor(&k, machine, CADRE_GPU_AMD,
                limits->rocr != NULL ? limits->rocr : slurm);
    keep_vendor(&k, machine, CADRE_GPU_INTEL,
                limits->ze != NULL ? limits->ze : slurm);
    free(machine->gpus);
    machine->gpus = k.kept;
    machine->ngpus = k.count;
    return CADRE_OK;
}

/* --- bytes ---------------------------------------------------------------- */

cadre_err cadre_machine_encode(const struct cadre_machine *machine,
                               struct cadre_buffer *buffer)
{
    size_t len = HEADER + (size_t)machine->nnodes * NODE_BYTES +
                 (size_t)machine->ngpus * GPU_BYTES;
    cadre_err err = cadre_buffer_reserve(buffer, len);
    unsigned char *at;

    if (err != CADRE_OK)
        return err;
    at = buffer->data + buffer->len;
    memset(at, 0, len);
    cadre_put_u32(at, MAGIC);
    cadre_put_u32(at + 4, VERSION);
    cadre_put_u32(at + 8, machine->nnodes);
    cadre_put_u32(at + 12, machine->ngpus);
    memcpy(at + 16, machine->host, CADRE_MACHINE_HOST_MAX);
    at += HEADER;
    for (uint32_t i = 0; i < machine->nnodes; i++, at += NODE_BYTES) {
        const struct cadre_node *n = &machine->nodes[i];
        cadre_put_u16(at, (uint16_t)n->type);
        cadre_put_u16(at + 2, n->is_allowed);
        cadre_put_u32(at + 4, n->index);
        cadre_put_u32(at + 8, n->parent);
        cadre_put_u32(at + 12, n->kind);
    }
    for (uint32_t i = 0; i < machine->ngpus; i++, at += GPU_BYTES) {
        const struct cadre_gpu *g = &machine->gpus[i];
        cadre_put_u32(at, (uint32_t)g->vendor);
        cadre_put_u32(at + 4, g->index);
        cadre_put_u32(at + 8, g->node);
        cadre_put_u32(at + 12, g->pci_switch);
        memcpy(at + 16, g->pci, sizeof g->pci);
        memcpy(at + 16 + sizeof g->pci, g->uuid, sizeof g->uuid);
    }
    buffer->len += len;
    return CADRE_OK;
}

static void get_node(const unsigned char *at, struct cadre_node *n)
{
    *n = (struct cadre_node){
        .type = (enum cadre_node_type)cadre_get_u16(at),
        .is_allowed = cadre_get_u16(at + 2) != 0,
        .index = cadre_get_u32(at + 4),
        .parent = cadre_get_u32(at + 8),
        .kind = cadre_get_u32(at + 12),
    };
}

static void get_gpu(const unsigned char *at, struct cadre_gpu *g)
{
    *g = (struct cadre_gpu){
        .vendor = (enum cadre_gpu_vendor)cadre_get_u32(at),
        .index = cadre_get_u32(at + 4),
        .node = cadre_get_u32(at + 8),
        .pci_switch = cadre_get_u32(at + 12),
    };
    memcpy(g->pci, at + 16, sizeof g->pci - 1);
    memcpy(g->uuid, at + 16 + sizeof g->pci, sizeof g->uuid - 1);
}

static cadre_err get_parts(const unsigned char *at, struct cadre_machine *m)
{
    m->nodes = calloc(m->nnodes, sizeof *m->nodes);
    m->gpus = calloc(m->ngpus + 1, sizeof *m->gpus);
    if (m->nodes == NULL || m->gpus == NULL)
        return CADRE_ENOMEM;
    memcpy(m->host, at + 16, sizeof m->host - 1);
    at += HEADER;
    for (uint32_t i = 0; i < m->nnodes; i++, at += NODE_BYTES)
        get_node(at, &m->nodes[i]);
    for (uint32_t i = 0; i < m->ngpus; i++, at += GPU_BYTES)
        get_gpu(at, &m->gpus[i]);
    return CADRE_OK;
}

static cadre_err check_header(const unsigned char *at, size_t len,
                              struct cadre_error *error)
{
    uint64_t nnodes, ngpus;

    if (len < HEADER || cadre_get_u32(at) != MAGIC)
        return cadre_error_set(error, CADRE_EPROTO,
                               "machine: not the bytes of a machine");
    if (cadre_get_u32(at + 4) != VERSION)
        return cadre_error_set(error, CADRE_EVERSION,
                               "machine: of version %u, but this is %d: use "
                               "the same Cadre on all hosts",
                               cadre_get_u32(at + 4), VERSION);
    nnodes = cadre_get_u32(at + 8);
    ngpus = cadre_get_u32(at + 12);
    if (nnodes == 0 || nnodes > CADRE_MACHINE_NODES_MAX ||
        ngpus > CADRE_MACHINE_GPUS_MAX ||
        len != HEADER + nnodes * NODE_BYTES + ngpus * GPU_BYTES)
        return cadre_error_set(error, CADRE_EPROTO,
                               "machine: %zu bytes do not hold %u nodes and "
                               "%u GPUs",
                               len, (unsigned)nnodes, (unsigned)ngpus);
    return CADRE_OK;
}

cadre_err cadre_machine_decode(const void *data, size_t len,
                               struct cadre_machine **machine,
                               struct cadre_error *error)
{
    const unsigned char *at = data;
    cadre_err err = check_header(at, len, error);
    struct cadre_machine *m;

    if (err != CADRE_OK)
        return err;
    if ((m = calloc(1, sizeof *m)) == NULL)
        return CADRE_ENOMEM;
    m->nnodes = cadre_get_u32(at + 8);
    m->ngpus = cadre_get_u32(at + 12);
    err = get_parts(at, m);
    if (err == CADRE_OK &&
        (err = cadre_machine_finish(m, error)) == CADRE_EINVAL)
        err = CADRE_EPROTO;
    if (err != CADRE_OK) {
        cadre_machine_destroy(m);
        return err;
    }
    *machine = m;
    return CADRE_OK;
}
