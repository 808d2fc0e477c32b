/* worker_place.c - where a worker is: its cores, memory and GPUs.
 */
#include "worker_place.h"

#include "frame.h"
#include "log.h"
#include "place_host.h"
#include "place_wish.h"

#include <stdlib.h>

/* The bytes of the place that a wish comes to on this machine. */
static cadre_err plan_wish(const void *data, size_t len,
                           struct cadre_buffer *place,
                           struct cadre_error *error)
{
    struct cadre_place_wish wish;
    struct cadre_machine *machine;
    cadre_err err;

    if ((err = cadre_wish_decode(data, len, &wish, error)) != CADRE_OK ||
        (err = cadre_machine_read(&machine, error)) != CADRE_OK)
        return err;
    return cadre_wish_plan(&wish, machine, place, error);
}

static cadre_err decode(const void *data, size_t len,
                        struct cadre_place **place, struct cadre_error *error)
{
    struct cadre_buffer planned = {0};
    cadre_err err;

    if (!cadre_is_wish(data, len))
        return cadre_place_decode(data, len, place, error);
    if ((err = plan_wish(data, len, &planned, error)) == CADRE_OK)
        err = cadre_place_decode(planned.data, planned.len, place, error);
    cadre_buffer_fini(&planned);
    return err;
}

/* NULL: out of memory. */
static struct cadre_task_gpu *show_gpus(const struct cadre_place *place)
{
    struct cadre_task_gpu *gpus =
        calloc((size_t)place->ngpus + 1, sizeof *gpus);

    for (uint32_t i = 0; gpus != NULL && i < place->ngpus; i++)
        gpus[i] = (struct cadre_task_gpu){
            .vendor = cadre_gpu_vendor_name(place->gpus[i].vendor),
            .pci = place->gpus[i].pci,
            .uuid = place->gpus[i].uuid};
    return gpus;
}

cadre_err cadre_workplace_take(struct cadre_workplace *w, const void *data,
                               size_t len, struct cadre_error *error)
{
    struct cadre_workplace to = {0};
    cadre_err err = decode(data, len, &to.place, error);

    if (err == CADRE_OK && (to.gpus = show_gpus(to.place)) == NULL)
        err = CADRE_ENOMEM;
    if (err == CADRE_OK)
        err = cadre_place_apply(to.place, error);
    if (err != CADRE_OK) {
        cadre_workplace_fini(&to);
        return err;
    }
    cadre_place_describe(to.place, to.text, sizeof to.text);
    cadre_log(CADRE_LOG_INFO, "placed: %s", to.text);
    cadre_workplace_fini(w);
    *w = to;
    return CADRE_OK;
}

void cadre_workplace_leave(struct cadre_workplace *w)
{
    if (w->place != NULL)
        cadre_place_undo();
    cadre_workplace_fini(w);
}

void cadre_workplace_fini(struct cadre_workplace *w)
{
    cadre_place_destroy(w->place);
    free(w->gpus);
    *w = (struct cadre_workplace){0};
}

void cadre_workplace_tell(const struct cadre_workplace *w,
                          struct cadre_task_info *info)
{
    info->place = w->text;
    if (w->place == NULL)
        return;
    info->threads = (int)w->place->threads;
    info->npus = (int)w->place->npus;
    info->pus = w->place->pus;
    info->ngpus = (int)w->place->ngpus;
    info->gpus = w->gpus;
}
