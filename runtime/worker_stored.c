/* worker_stored.c - values that the controller puts and reads. */
#include "worker_stored.h"

#include "function.h"
#include "worker.h"

CADRE_TASK(void, cadre_stored_put_,
           (int rank, size_t n, const unsigned char value[n], cadre_task *self,
            struct cadre_store *store))
{
    struct cadre_error error = {""};
    struct cadre_task_info info;
    struct cadre_kept kept;
    const char *name;

    cadre_worker_describe(self, &info);
    if (rank >= 0 && rank != info.rank)
        return;
    if (cadre_kept_decode(value, n, &name, &kept, &error) != CADRE_OK ||
        cadre_store_keep(store, name, &kept, &error) != CADRE_OK)
        cadre_worker_fail_task(0, error.text);
}

/* What it brings has been filled in. */
CADRE_TASK(void, cadre_stored_get_,
           (int rank, const char *name, size_t n, unsigned char value[n]))
{
    (void)rank;
    (void)name;
    (void)n;
    (void)value;
}

void cadre_stored_register(void)
{
    static const struct cadre_task_record *const all[] = {
        &cadre_record_cadre_stored_put_, &cadre_record_cadre_stored_get_};

    cadre_builtins_register(all, all + sizeof all / sizeof all[0]);
}

cadre_err cadre_stored_show(const struct cadre_store *store, const char *name,
                            bool is_wanted, struct cadre_store *shown,
                            struct cadre_error *error)
{
    const struct cadre_kept *kept = NULL;
    struct cadre_buffer bytes = {0};
    cadre_err err = CADRE_OK;

    if (is_wanted &&
        (err = cadre_store_require(store, name, &kept, error)) == CADRE_OK)
        err = cadre_kept_encode(name, kept, &bytes, error);
    if (err == CADRE_OK)
        err = cadre_store_keep(shown, "value",
                               &(struct cadre_kept){.kind = CADRE_KEPT_ARRAY,
                                                    .type = CADRE_UINT8,
                                                    .count = bytes.len,
                                                    .data = bytes.data},
                               error);
    cadre_buffer_fini(&bytes);
    return err;
}
