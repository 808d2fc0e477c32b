/* place_bytes.c - one rank's place on its way to the rank, and as a line of
 * text.
 *
 *     offset  bytes
 *          0      4  magic
 *          4      4  version
 *          8      4  threads
 *         12      2  unit
 *         14      2  memory
 *         16      4  runs of PUs
 *         20      4  runs of NUMA nodes
 *         24      4  GPUs
 *         28      4  zero
 *         32     64  name of the host
 *         96      8  each run: first number, count
 *                 92 each GPU: vendor, index, PCI id, UUID
 */
#include "place.h"

#include "bytes.h"
#include "frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAGIC = 0x4c504443, /* "CDPL" */
    VERSION = 1,
    HEADER = 32 + CADRE_MACHINE_HOST_MAX,
    RUN_BYTES = 8,
    GPU_BYTES = 8 + CADRE_GPU_PCI_MAX + CADRE_GPU_UUID_MAX,
    NUMBER_MAX = 1 << 20 /* PUs and NUMA nodes are numbered below this */
};

/* A decoded place and its arrays in one piece. */
struct decoded {
    struct cadre_place place; /* first: destroy gets this address */
    char host[CADRE_MACHINE_HOST_MAX];
    uint32_t *numbers;
    struct cadre_gpu *gpus;
};

/* --- runs ----------------------------------------------------------------- */

/* The run that starts at entry `i`: how many numbers follow each other. */
static uint32_t run_at(const uint32_t *numbers, uint32_t count, uint32_t i)
{
    uint32_t len = 1;

    while (i + len < count && numbers[i + len] == numbers[i] + len)
        len++;
    return len;
}

static uint32_t count_runs(const uint32_t *numbers, uint32_t count)
{
    uint32_t runs = 0;

    for (uint32_t i = 0; i < count; i += run_at(numbers, count, i))
        runs++;
    return runs;
}

static unsigned char *put_runs(unsigned char *at, const uint32_t *numbers,
                               uint32_t count)
{
    for (uint32_t i = 0, len; i < count; i += len, at += RUN_BYTES) {
        len = run_at(numbers, count, i);
        cadre_put_u32(at, numbers[i]);
        cadre_put_u32(at + 4, len);
    }
    return at;
}

/* How many numbers the runs hold; -1 if they do not ascend. */
static int64_t check_runs(const unsigned char *at, uint32_t runs)
{
    uint64_t total = 0, next = 0;

    for (uint32_t i = 0; i < runs; i++, at += RUN_BYTES) {
        uint64_t first = cadre_get_u32(at), len = cadre_get_u32(at + 4);
        if (first < next || len == 0 || first + len > NUMBER_MAX)
            return -1;
        next = first + len;
        total += len;
    }
    return (int64_t)total;
}

static void get_runs(const unsigned char *at, uint32_t runs, uint32_t *numbers)
{
    for (uint32_t i = 0; i < runs; i++, at += RUN_BYTES)
        for (uint32_t k = 0; k < cadre_get_u32(at + 4); k++)
            *numbers++ = cadre_get_u32(at) + k;
}

/* --- encode --------------------------------------------------------------- */

static unsigned char *put_gpu(unsigned char *at, const struct cadre_gpu *gpu)
{
    cadre_put_u32(at, (uint32_t)gpu->vendor);
    cadre_put_u32(at + 4, gpu->index);
    memcpy(at + 8, gpu->pci, sizeof gpu->pci);
    memcpy(at + 8 + sizeof gpu->pci, gpu->uuid, sizeof gpu->uuid);
    return at + GPU_BYTES;
}

cadre_err cadre_place_encode(const struct cadre_plan *plan, uint32_t rank,
                             struct cadre_buffer *buffer)
{
    const struct cadre_place *p = &plan->places[rank];
    uint32_t pus = count_runs(p->pus, p->npus);
    uint32_t numa = count_runs(p->numa, p->nnuma);
    size_t len = HEADER + ((size_t)pus + numa) * RUN_BYTES +
                 (size_t)p->ngpus * GPU_BYTES;
    cadre_err err = cadre_buffer_reserve(buffer, len);
    unsigned char *at;

    if (err != CADRE_OK)
        return err;
    at = buffer->data + buffer->len;
    memset(at, 0, len);
    cadre_put_u32(at, MAGIC);
    cadre_put_u32(at + 4, VERSION);
    cadre_put_u32(at + 8, p->threads);
    cadre_put_u16(at + 12, (uint16_t)p->unit);
    cadre_put_u16(at + 14, (uint16_t)p->memory);
    cadre_put_u32(at + 16, pus);
    cadre_put_u32(at + 20, numa);
    cadre_put_u32(at + 24, p->ngpus);
    snprintf((char *)at + 32, CADRE_MACHINE_HOST_MAX, "%s", p->host_name);
    at = put_runs(at + HEADER, p->pus, p->npus);
    at = put_runs(at, p->numa, p->nnuma);
    for (uint32_t i = 0; i < p->ngpus; i++)
        at = put_gpu(at, &p->gpus[i]);
    buffer->len += len;
    return CADRE_OK;
}

/* --- decode --------------------------------------------------------------- */

static cadre_err damaged(struct cadre_error *error, const char *what)
{
    return cadre_error_set(error, CADRE_EPROTO, "place: %s", what);
}

static cadre_err check_header(const unsigned char *at, size_t len,
                              struct cadre_error *error)
{
    uint64_t runs, gpus;

    if (len < HEADER || cadre_get_u32(at) != MAGIC)
        return damaged(error, "not the bytes of a place");
    if (cadre_get_u32(at + 4) != VERSION)
        return cadre_error_set(error, CADRE_EVERSION,
                               "place: of version %u, but this is %d: use the "
                               "same Cadre on all hosts",
                               cadre_get_u32(at + 4), VERSION);
    runs = (uint64_t)cadre_get_u32(at + 16) + cadre_get_u32(at + 20);
    gpus = cadre_get_u32(at + 24);
    if (gpus > CADRE_MACHINE_GPUS_MAX ||
        len != HEADER + runs * RUN_BYTES + gpus * GPU_BYTES)
        return damaged(error, "its length is wrong");
    if (cadre_get_u32(at + 8) == 0 ||
        cadre_get_u32(at + 8) > CADRE_MACHINE_NODES_MAX)
        return damaged(error, "its threads are out of range");
    if (cadre_get_u16(at + 12) > CADRE_UNIT_PU ||
        cadre_get_u16(at + 14) > CADRE_MEMORY_BIND)
        return damaged(error, "its unit or memory is unknown");
    return CADRE_OK;
}

/* Texts come back in error messages, variables and lists with commas. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~' || *text == ',')
            return false;
    return true;
}

static bool get_gpu(const unsigned char *at, struct cadre_gpu *gpu)
{
    *gpu =
        (struct cadre_gpu){.vendor = (enum cadre_gpu_vendor)cadre_get_u32(at),
                           .index = cadre_get_u32(at + 4)};
    memcpy(gpu->pci, at + 8, sizeof gpu->pci - 1);
    memcpy(gpu->uuid, at + 8 + sizeof gpu->pci, sizeof gpu->uuid - 1);
    return gpu->vendor >= CADRE_GPU_NVIDIA && gpu->vendor <= CADRE_GPU_INTEL &&
           gpu->index < CADRE_MACHINE_GPUS_MAX && is_plain(gpu->pci) &&
           is_plain(gpu->uuid);
}

static cadre_err get_parts(const unsigned char *at, struct decoded *d,
                           struct cadre_error *error)
{
    uint32_t pus = cadre_get_u32(at + 16), numa = cadre_get_u32(at + 20);
    const unsigned char *runs = at + HEADER;
    const unsigned char *gpus = runs + ((size_t)pus + numa) * RUN_BYTES;
    int64_t npus = check_runs(runs, pus);
    int64_t nnuma = check_runs(runs + (size_t)pus * RUN_BYTES, numa);

    if (npus < 0 || nnuma < 0)
        return damaged(error, "its numbers are out of order");
    d->numbers = calloc((size_t)(npus + nnuma) + 1, sizeof *d->numbers);
    d->gpus = calloc((size_t)d->place.ngpus + 1, sizeof *d->gpus);
    if (d->numbers == NULL || d->gpus == NULL)
        return CADRE_ENOMEM;
    get_runs(runs, pus, d->numbers);
    get_runs(runs + (size_t)pus * RUN_BYTES, numa, d->numbers + npus);
    for (uint32_t i = 0; i < d->place.ngpus; i++)
        if (!get_gpu(gpus + (size_t)i * GPU_BYTES, &d->gpus[i]))
            return damaged(error, "a GPU is out of range");
    d->place.pus = d->numbers;
    d->place.npus = (uint32_t)npus;
    d->place.numa = d->numbers + npus;
    d->place.nnuma = (uint32_t)nnuma;
    d->place.gpus = d->gpus;
    if ((d->place.npus > 0) != (d->place.unit != CADRE_UNIT_NOTHING) ||
        (d->place.nnuma == 0 && d->place.memory != CADRE_MEMORY_ANY))
        return damaged(error, "it binds to nothing");
    return CADRE_OK;
}

cadre_err cadre_place_decode(const void *data, size_t len,
                             struct cadre_place **place,
                             struct cadre_error *error)
{
    const unsigned char *at = data;
    cadre_err err = check_header(at, len, error);
    struct decoded *d;

    if (err != CADRE_OK)
        return err;
    if ((d = calloc(1, sizeof *d)) == NULL)
        return CADRE_ENOMEM;
    memcpy(d->host, at + 32, sizeof d->host - 1);
    d->place = (struct cadre_place){
        .host_name = d->host,
        .threads = cadre_get_u32(at + 8),
        .unit = (enum cadre_place_unit)cadre_get_u16(at + 12),
        .memory = (enum cadre_place_memory)cadre_get_u16(at + 14),
        .ngpus = cadre_get_u32(at + 24),
    };
    if ((err = get_parts(at, d, error)) != CADRE_OK) {
        cadre_place_destroy(&d->place);
        return err;
    }
    *place = &d->place;
    return CADRE_OK;
}

void cadre_place_destroy(struct cadre_place *place)
{
    struct decoded *d = (struct decoded *)place;

    if (d == NULL)
        return;
    free(d->numbers);
    free(d->gpus);
    free(d);
}

/* --- text ----------------------------------------------------------------- */

const char *cadre_place_list(const uint32_t *numbers, uint32_t count,
                             char *text, size_t room)
{
    size_t len = 0;

    if (room > 0)
        text[0] = '\0';
    for (uint32_t i = 0, run; i < count && len < room; i += run) {
        run = run_at(numbers, count, i);
        len += (size_t)snprintf(text + len, room - len, "%s%u",
                                i > 0 ? "," : "", numbers[i]);
        if (run > 1 && len < room)
            len += (size_t)snprintf(text + len, room - len, "%s%u",
                                    run > 2 ? "-" : ",", numbers[i + run - 1]);
    }
    return text;
}

/* The name that a person would look for. */
static const char *gpu_name(const struct cadre_gpu *gpu, char *text,
                            size_t room)
{
    if (gpu->pci[0] != '\0')
        snprintf(text, room, "%s", gpu->pci);
    else if (gpu->uuid[0] != '\0')
        snprintf(text, room, "%s", gpu->uuid);
    else
        snprintf(text, room, "%u", gpu->index);
    return text;
}

const char *cadre_place_describe(const struct cadre_place *place, char *text,
                                 size_t room)
{
    char list[256], name[CADRE_GPU_UUID_MAX];
    size_t len;

    if (place->npus == 0)
        snprintf(text, room, "%s: not bound", place->host_name);
    else
        snprintf(text, room, "%s: PU%s %s", place->host_name,
                 place->npus == 1 ? "" : "s",
                 cadre_place_list(place->pus, place->npus, list, sizeof list));
    len = strlen(text);
    if (place->nnuma > 0)
        snprintf(
            text + len, room - len, ", NUMA node%s %s",
            place->nnuma == 1 ? "" : "s",
            cadre_place_list(place->numa, place->nnuma, list, sizeof list));
    for (uint32_t i = 0; i < place->ngpus; i++) {
        len = strlen(text);
        snprintf(text + len, room - len, ", %s GPU %s",
                 cadre_gpu_vendor_name(place->gpus[i].vendor),
                 gpu_name(&place->gpus[i], name, sizeof name));
    }
    return text;
}
