/* fuzz_store.c - any bytes may come in as a value for the store.
 *
 * What is accepted is kept, found again, and becomes the same bytes again.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Keep the value, and make bytes of what is kept. */
static void carry(const char *name, const struct cadre_kept *kept,
                  struct cadre_buffer *again)
{
    struct cadre_store *store = cadre_store_new();
    const struct cadre_kept *found;

    if (store == NULL)
        return;
    if (cadre_store_keep(store, name, kept, NULL) != CADRE_OK ||
        (found = cadre_store_find(store, name)) == NULL ||
        strcmp(cadre_store_name_at(store, 0), name) != 0 ||
        cadre_kept_encode(name, found, again, NULL) != CADRE_OK)
        abort();
    if (found->kind == CADRE_KEPT_ARRAY &&
        cadre_store_extend(store, name, found, NULL) != CADRE_OK)
        abort();
    cadre_store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cadre_buffer again = {0};
    struct cadre_error error = {""};
    struct cadre_kept kept;
    unsigned char *copy;
    const char *name;
    cadre_err err;

    /* Aligned, and of exactly its size: a step beyond is seen. */
    if ((copy = malloc(len)) == NULL)
        return 0;
    memcpy(copy, data, len);
    err = cadre_kept_decode(copy, len, &name, &kept, &error);
    if (err == CADRE_OK) {
        carry(name, &kept, &again);
        if (again.len != len || memcmp(again.data, data, len) != 0)
            abort();
    } else if (err != CADRE_EPROTO || error.text[0] == '\0') {
        abort();
    }
    cadre_buffer_fini(&again);
    free(copy);
    return 0;
}
