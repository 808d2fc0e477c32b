/* gpus.c - two workers with one GPU each list exactly their own.
 *
 * What is listed is what CUDA would show to the task: the driver's library,
 * loaded at run time, is asked for the devices that are visible, and NVML for
 * their UUIDs (NVML itself shows all of the machine). Where there is neither,
 * the worker says so.
 */
#include <cadre.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT = 1024 };

/* A list that is cut at its end rather than too long. */
struct list {
    char *text;
    size_t room;
};

static void add(struct list *list, const char *a, const char *b)
{
    size_t len = strlen(list->text);

    snprintf(list->text + len, list->room - len, "%s%s", a, b);
}

/* The few functions of the two libraries that we need; 0 is success. */
struct driver {
    void *cuda, *nvml;
    int (*init)(unsigned flags);
    int (*count)(int *count);
    int (*pci)(char *id, int len, int device);
    int (*name)(char *name, int len, int device);
    int (*nvml_init)(void);
    int (*nvml_find)(const char *pci, void **device);
    int (*nvml_uuid)(void *device, char *uuid, unsigned len);
};

static void *find(void *library, const char *name)
{
    return library != NULL ? dlsym(library, name) : NULL;
}

/* dlsym() returns an object pointer for a function. */
#define FIND(function, library, name)                                          \
    (*(void **)&(function) = find((library), (name)))

static int open_driver(struct driver *d)
{
    d->cuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    d->nvml = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    FIND(d->init, d->cuda, "cuInit");
    FIND(d->count, d->cuda, "cuDeviceGetCount");
    FIND(d->pci, d->cuda, "cuDeviceGetPCIBusId");
    FIND(d->name, d->cuda, "cuDeviceGetName");
    FIND(d->nvml_init, d->nvml, "nvmlInit_v2");
    FIND(d->nvml_find, d->nvml, "nvmlDeviceGetHandleByPciBusId_v2");
    FIND(d->nvml_uuid, d->nvml, "nvmlDeviceGetUUID");
    return d->init != NULL && d->count != NULL && d->pci != NULL &&
           d->name != NULL && d->init(0) == 0;
}

static void add_device(const struct driver *d, int device, struct list *list)
{
    char pci[32] = "", name[96] = "", uuid[96] = "";
    void *handle = NULL;

    d->pci(pci, sizeof pci, device);
    d->name(name, sizeof name, device);
    if (d->nvml_init != NULL && d->nvml_find != NULL && d->nvml_uuid != NULL &&
        d->nvml_init() == 0 && d->nvml_find(pci, &handle) == 0)
        d->nvml_uuid(handle, uuid, sizeof uuid);
    add(list, list->text[0] != '\0' ? "; " : "", name);
    add(list, " at ", pci);
    add(list, uuid[0] != '\0' ? ", " : "", uuid);
}

/* Write into `text` which GPUs of NVIDIA this process may use. */
static void list_gpus(char *text, size_t room)
{
    struct list list = {text, room};
    struct driver driver;
    int count = 0;

    text[0] = '\0';
    if (!open_driver(&driver)) {
        add(&list, "no NVIDIA driver on this machine", "");
        return;
    }
    if (driver.count(&count) != 0 || count == 0)
        add(&list, "no GPU for this worker", "");
    for (int i = 0; i < count; i++)
        add_device(&driver, i, &list);
}

CADRE_TASK(int, my_gpus, (int i, size_t n, CADRE_OUT char text[n]))
{
    list_gpus(text, n);
    usleep(200000); /* so that the other worker takes the other task */
    return i;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_pool *pool;
    cadre_err err = cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2, .gpus_per_worker = 1},
        &pool);
    if (err != CADRE_OK) { /* on a machine with fewer than two */
        printf("%s\n", cadre_error_text());
        return cadre_finalize();
    }

    int task[] = {0, 1}, done[2];
    size_t n[] = {TEXT, TEXT};
    static char texts[2 * TEXT];
    CADRE_CHECK(
        cadre_pool_starmap(pool, CADRE_FN(my_gpus), 2,
                           CADRE_COLUMNS(CADRE_EACH(task), CADRE_EACH(n)),
                           CADRE_INTO(done, texts)));
    for (int i = 0; i < 2; i++)
        printf("worker %d: %s\n", i, texts + (size_t)i * TEXT);

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
