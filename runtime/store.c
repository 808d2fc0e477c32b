/* store.c - names and values in the order of putting. */
#include "store.h"

#include "bytes.h"
#include "convert.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 16 }; /* bytes before the name, when encoded */

/* A value with its name; does not move while it is in the store. */
struct entry {
    struct cadre_kept kept; /* of arrays and strings, data is from malloc() */
    uint64_t capacity;      /* elements there is room for */
    uint64_t hash;          /* of the name */
    _Alignas(16) unsigned char number[32];
    char name[];
};

struct cadre_store {
    struct entry **entries; /* in the order of putting */
    size_t count, capacity;
    bool is_emptying;
};

struct cadre_kept_label cadre_kept_label(const struct cadre_kept *kept)
{
    struct cadre_kept_label label;

    if (kept->kind == CADRE_KEPT_OBJECT)
        snprintf(label.text, sizeof label.text, "an object");
    else
        snprintf(label.text, sizeof label.text, "%s%s",
                 kept->kind == CADRE_KEPT_ARRAY ? "an array of " : "",
                 cadre_type_name(kept->type));
    return label;
}

/* FNV-1a. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash;
}

/* Where `name` stands; `count` if nowhere. */
static size_t index_of(const struct cadre_store *store, const char *name)
{
    uint64_t hash = hash_of(name);
    size_t i;

    for (i = 0; i < store->count; i++)
        if (store->entries[i]->hash == hash &&
            strcmp(store->entries[i]->name, name) == 0)
            break;
    return i;
}

/* --- entries -------------------------------------------------------------- */

/* Free `entry`, which is in no store any more: a destructor may use the store.
 */
static void free_entry(struct entry *entry)
{
    if (entry->kept.kind == CADRE_KEPT_OBJECT) {
        if (entry->kept.destructor != NULL && entry->kept.data != NULL)
            entry->kept.destructor(entry->kept.data);
    } else if (entry->kept.data != entry->number) {
        free(entry->kept.data);
    }
    free(entry);
}

/* Bytes of the payload of `kept`; false if they are more than there can be. */
static bool size_of(const struct cadre_kept *kept, uint64_t *bytes)
{
    if (kept->kind == CADRE_KEPT_STRING) {
        *bytes = kept->data != NULL ? strlen(kept->data) + 1 : 0;
        return true;
    }
    return !__builtin_mul_overflow(kept->count, cadre_type_size(kept->type),
                                   bytes) &&
           *bytes <= PTRDIFF_MAX;
}

/* Copy the value behind `value->data` into `entry`. */
static cadre_err copy_value(struct entry *entry, const struct cadre_kept *value)
{
    uint64_t bytes;

    entry->kept = *value;
    if (value->kind == CADRE_KEPT_OBJECT)
        return CADRE_OK;
    entry->kept.destructor = NULL;
    entry->kept.data = NULL;
    if (value->kind == CADRE_KEPT_SCALAR) {
        entry->kept.data = entry->number;
        memcpy(entry->number, value->data, cadre_type_size(value->type));
        return CADRE_OK;
    }
    if (!size_of(value, &bytes))
        return CADRE_ENOMEM;
    if (value->kind == CADRE_KEPT_STRING && bytes == 0)
        return CADRE_OK;
    entry->capacity = value->count;
    if (value->data == NULL)
        entry->kept.data = calloc(1, bytes > 0 ? bytes : 1);
    else
        entry->kept.data = malloc(bytes > 0 ? bytes : 1);
    if (entry->kept.data == NULL)
        return CADRE_ENOMEM;
    if (value->data != NULL && bytes > 0)
        memcpy(entry->kept.data, value->data, bytes);
    return CADRE_OK;
}

static struct entry *new_entry(const char *name, const struct cadre_kept *value)
{
    size_t len = strlen(name);
    struct entry *entry = calloc(1, sizeof *entry + len + 1);

    if (entry == NULL)
        return NULL;
    memcpy(entry->name, name, len);
    entry->hash = hash_of(name);
    if (copy_value(entry, value) == CADRE_OK)
        return entry;
    free(entry);
    return NULL;
}

/* --- the store ------------------------------------------------------------ */

struct cadre_store *cadre_store_new(void)
{
    return calloc(1, sizeof(struct cadre_store));
}

void cadre_store_empty(struct cadre_store *store)
{
    bool was_emptying = store->is_emptying; /* by a destructor, for one */

    store->is_emptying = true;
    while (store->count > 0)
        free_entry(store->entries[--store->count]);
    store->is_emptying = was_emptying;
}

void cadre_store_free(struct cadre_store *store)
{
    if (store == NULL)
        return;
    cadre_store_empty(store);
    free(store->entries);
    free(store);
}

static cadre_err check_name(const char *name, struct cadre_error *error)
{
    size_t len = strlen(name);

    if (len > 0 && len <= CADRE_STORE_NAME_MAX)
        return CADRE_OK;
    return cadre_error_set(error, CADRE_EINVAL,
                           "a name in the store has 1 to %d bytes, '%.40s%s' "
                           "has %zu",
                           CADRE_STORE_NAME_MAX, name, len > 40 ? "..." : "",
                           len);
}

static cadre_err make_room(struct cadre_store *store)
{
    size_t capacity = store->capacity > 0 ? store->capacity * 2 : 8;
    struct entry **grown;

    if (store->count < store->capacity)
        return CADRE_OK;
    if ((grown = realloc(store->entries, capacity * sizeof *grown)) == NULL)
        return CADRE_ENOMEM;
    store->entries = grown;
    store->capacity = capacity;
    return CADRE_OK;
}

static struct entry *take_out(struct cadre_store *store, size_t index)
{
    struct entry *entry = store->entries[index];

    memmove(&store->entries[index], &store->entries[index + 1],
            (--store->count - index) * sizeof entry);
    return entry;
}

static bool is_same_object(const struct cadre_kept *a,
                           const struct cadre_kept *b)
{
    return a->kind == CADRE_KEPT_OBJECT && b->kind == CADRE_KEPT_OBJECT &&
           a->data == b->data;
}

cadre_err cadre_store_keep(struct cadre_store *store, const char *name,
                           const struct cadre_kept *value,
                           struct cadre_error *error)
{
    struct entry *entry, *old = NULL;
    size_t index;
    cadre_err err;

    if ((err = check_name(name, error)) != CADRE_OK)
        return err;
    if (store->is_emptying)
        return cadre_error_set(error, CADRE_ESTATE,
                               "`%s` cannot be put: the store is being emptied",
                               name);
    if ((entry = new_entry(name, value)) == NULL ||
        make_room(store) != CADRE_OK) {
        if (entry != NULL && entry->kept.kind == CADRE_KEPT_OBJECT)
            entry->kept.destructor = NULL; /* the caller still owns it */
        if (entry != NULL)
            free_entry(entry);
        return cadre_error_set(
            error, CADRE_ENOMEM,
            "no memory to store `%s`, %s of %" PRIu64 " elements", name,
            cadre_kept_label(value).text, value->count);
    }
    if ((index = index_of(store, name)) < store->count)
        old = take_out(store, index);
    store->entries[store->count++] = entry;
    if (old != NULL && is_same_object(&old->kept, value))
        old->kept.destructor = NULL;
    if (old != NULL)
        free_entry(old);
    return CADRE_OK;
}

const struct cadre_kept *cadre_store_find(const struct cadre_store *store,
                                          const char *name)
{
    size_t index = index_of(store, name);

    return index < store->count ? &store->entries[index]->kept : NULL;
}

cadre_err cadre_store_require(const struct cadre_store *store, const char *name,
                              const struct cadre_kept **kept,
                              struct cadre_error *error)
{
    const struct cadre_kept *found = cadre_store_find(store, name);

    if (found == NULL)
        return cadre_error_set(error, CADRE_ENOTFOUND,
                               "the store has nothing called `%.255s`", name);
    *kept = found;
    return CADRE_OK;
}

size_t cadre_store_size(const struct cadre_store *store)
{
    return store->count;
}

const char *cadre_store_name_at(const struct cadre_store *store, size_t index)
{
    return index < store->count ? store->entries[index]->name : NULL;
}

cadre_err cadre_store_drop(struct cadre_store *store, const char *name,
                           struct cadre_error *error)
{
    const struct cadre_kept *kept = NULL;
    cadre_err err;

    if ((err = cadre_store_require(store, name, &kept, error)) != CADRE_OK)
        return err;
    free_entry(take_out(store, index_of(store, name)));
    return CADRE_OK;
}

/* --- arrays that change their size ---------------------------------------- */

static cadre_err find_array(struct cadre_store *store, const char *name,
                            struct entry **entry, struct cadre_error *error)
{
    const struct cadre_kept *kept = NULL;
    cadre_err err;

    if ((err = cadre_store_require(store, name, &kept, error)) != CADRE_OK)
        return err;
    if (kept->kind != CADRE_KEPT_ARRAY)
        return cadre_error_set(error, CADRE_ETYPE,
                               "`%s` is stored as %s, not as an array", name,
                               cadre_kept_label(kept).text);
    *entry = store->entries[index_of(store, name)];
    return CADRE_OK;
}

/* Room for `count` elements, at least doubled when it grows, so that appending
 * one by one costs O(n). */
static cadre_err reserve(struct entry *entry, uint64_t count,
                         struct cadre_error *error)
{
    struct cadre_kept wanted = entry->kept;
    uint64_t bytes;
    void *data;

    if (count <= entry->capacity)
        return CADRE_OK;
    wanted.count =
        entry->capacity < count / 2 ? count : entry->capacity * 2 + 8;
    if (wanted.count < count)
        wanted.count = count;
    if (!size_of(&wanted, &bytes) ||
        (data = realloc(entry->kept.data, bytes > 0 ? bytes : 1)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "no memory for `%s`, %s of %" PRIu64 " elements",
                               entry->name, cadre_kept_label(&wanted).text,
                               count);
    entry->kept.data = data;
    entry->capacity = wanted.count;
    return CADRE_OK;
}

static unsigned char *element(const struct entry *entry, uint64_t index)
{
    return (unsigned char *)entry->kept.data +
           index * cadre_type_size(entry->kept.type);
}

cadre_err cadre_store_resize_array(struct cadre_store *store, const char *name,
                                   uint64_t count, struct cadre_error *error)
{
    struct entry *entry = NULL;
    cadre_err err;

    if ((err = find_array(store, name, &entry, error)) != CADRE_OK ||
        (err = reserve(entry, count, error)) != CADRE_OK)
        return err;
    if (count > entry->kept.count)
        memset(element(entry, entry->kept.count), 0,
               (count - entry->kept.count) * cadre_type_size(entry->kept.type));
    entry->kept.count = count;
    return CADRE_OK;
}

/* Write the elements of `more` after the array's own, for which there is room.
 */
static bool write_elements(struct entry *entry, const struct cadre_kept *more)
{
    size_t size = cadre_type_size(more->type);
    const unsigned char *from = more->data;

    if (more->type == entry->kept.type) {
        if (more->count > 0)
            memmove(element(entry, entry->kept.count), from,
                    more->count * size);
        return true;
    }
    for (uint64_t i = 0; i < more->count; i++)
        if (!cadre_convert(more->type, from + i * size, entry->kept.type,
                           element(entry, entry->kept.count + i)))
            return false;
    return true;
}

cadre_err cadre_store_extend(struct cadre_store *store, const char *name,
                             const struct cadre_kept *more,
                             struct cadre_error *error)
{
    struct cadre_kept source = *more;
    struct entry *entry = NULL;
    uint64_t count, offset;
    cadre_err err;

    if ((err = find_array(store, name, &entry, error)) != CADRE_OK)
        return err;
    if (more->kind != CADRE_KEPT_ARRAY && more->kind != CADRE_KEPT_SCALAR)
        return cadre_error_set(
            error, CADRE_ETYPE, "`%s` is %s: %s cannot be appended to it", name,
            cadre_kept_label(&entry->kept).text, cadre_kept_label(more).text);
    if (__builtin_add_overflow(entry->kept.count, more->count, &count))
        count = UINT64_MAX; /* for which there is no memory */
    offset = (uintptr_t)more->data - (uintptr_t)entry->kept.data;
    if ((err = reserve(entry, count, error)) != CADRE_OK)
        return err;
    if (more->kind == CADRE_KEPT_ARRAY &&
        offset < entry->kept.count * cadre_type_size(entry->kept.type))
        source.data = (unsigned char *)entry->kept.data + offset; /* its own */
    if (!write_elements(entry, &source))
        return cadre_error_set(error, CADRE_ETYPE,
                               "`%s` is %s: what is to be appended, %s, has a "
                               "value that does not fit",
                               name, cadre_kept_label(&entry->kept).text,
                               cadre_kept_label(more).text);
    entry->kept.count = count;
    return CADRE_OK;
}

/* --- bytes ---------------------------------------------------------------- */

/* Bytes of header and name, up to the payload. */
static size_t prefix_len(size_t name_len)
{
    return (HEADER + name_len + 1 + CADRE_FRAME_ALIGN - 1) / CADRE_FRAME_ALIGN *
           CADRE_FRAME_ALIGN;
}

cadre_err cadre_kept_encode(const char *name, const struct cadre_kept *kept,
                            struct cadre_buffer *buffer,
                            struct cadre_error *error)
{
    size_t name_len = strlen(name), prefix = prefix_len(name_len);
    unsigned char *at;
    uint64_t bytes, len;
    cadre_err err;

    assert(buffer->len % CADRE_FRAME_ALIGN == 0);
    if ((err = check_name(name, error)) != CADRE_OK)
        return err;
    if (kept->kind == CADRE_KEPT_OBJECT)
        return cadre_error_set(error, CADRE_ETYPE,
                               "`%s` is an object, which cannot leave its "
                               "process",
                               name);
    if (!size_of(kept, &bytes) || __builtin_add_overflow(prefix, bytes, &len) ||
        cadre_buffer_reserve(buffer, len) != CADRE_OK)
        return cadre_error_set(error, CADRE_ENOMEM, "no memory to send `%s`",
                               name);
    at = buffer->data + buffer->len;
    memset(at, 0, prefix);
    at[0] = (unsigned char)kept->kind;
    at[1] = (unsigned char)kept->type;
    cadre_put_u16(at + 2, (uint16_t)name_len);
    cadre_put_u64(at + 8, bytes);
    memcpy(at + HEADER, name, name_len);
    if (kept->data != NULL && bytes > 0)
        memcpy(at + prefix, kept->data, bytes);
    else if (bytes > 0)
        memset(at + prefix, 0, bytes);
    buffer->len += len;
    return CADRE_OK;
}

static cadre_err damaged(const char *what, struct cadre_error *error)
{
    return cadre_error_set(error, CADRE_EPROTO, "a value for the store %s",
                           what);
}

static bool is_zero(const unsigned char *at, const unsigned char *end)
{
    while (at < end)
        if (*at++ != 0)
            return false;
    return true;
}

/* Kind, type and payload fit each other? Sets the count. */
static bool fits(struct cadre_kept *kept, uint64_t bytes)
{
    size_t size = cadre_type_size(kept->type);
    const unsigned char *data = kept->data;

    if (kept->kind == CADRE_KEPT_STRING)
        return kept->type == CADRE_STRING &&
               (bytes == 0 || memchr(data, 0, bytes) == data + bytes - 1);
    if (!cadre_type_is_arithmetic(kept->type) || bytes % size != 0)
        return false;
    if (kept->kind == CADRE_KEPT_SCALAR)
        return bytes == size && (kept->type != CADRE_BOOL || *data <= 1);
    kept->count = bytes / size;
    return true;
}

cadre_err cadre_kept_decode(const void *data, size_t len, const char **name,
                            struct cadre_kept *kept, struct cadre_error *error)
{
    const unsigned char *at = data;
    struct cadre_kept found = {.count = 1};
    size_t name_len, prefix;

    assert((uintptr_t)data % CADRE_FRAME_ALIGN == 0);
    if (len < HEADER)
        return damaged("is cut short", error);
    name_len = cadre_get_u16(at + 2);
    prefix = prefix_len(name_len);
    if (name_len == 0 || name_len > CADRE_STORE_NAME_MAX)
        return damaged("has a name of impossible length", error);
    if (len < prefix || cadre_get_u64(at + 8) != len - prefix)
        return damaged("is not as long as it says", error);
    if (memchr(at + HEADER, 0, name_len) != NULL || !is_zero(at + 4, at + 8) ||
        !is_zero(at + HEADER + name_len, at + prefix))
        return damaged("has a damaged header", error);
    if (at[0] > CADRE_KEPT_ARRAY || !cadre_type_is_valid(at[1]))
        return damaged("is of an unknown kind or type", error);
    found.kind = (enum cadre_kept_kind)at[0];
    found.type = (cadre_type)at[1];
    /* It is only read from, or copied into a store. */
    found.data = (unsigned char *)(uintptr_t)at + prefix;
    if (!fits(&found, len - prefix))
        return damaged("does not fit its type", error);
    if (found.kind == CADRE_KEPT_STRING && len == prefix)
        found.data = NULL;
    *name = (const char *)at + HEADER;
    *kept = found;
    return CADRE_OK;
}
