/* buffer.c - the growing byte buffer of frame.h.
 *
 * It at least doubles when it grows, so that appending n bytes piece by piece
 * costs O(n). malloc() aligns to 16 bytes on every machine with 64 bits.
 */
#include "frame.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

_Static_assert(alignof(max_align_t) >= CADRE_FRAME_ALIGN,
               "malloc() must align as frames need it");

cadre_err cadre_buffer_reserve(struct cadre_buffer *buffer, size_t more)
{
    size_t need, capacity;
    unsigned char *data;

    if (more <= buffer->capacity - buffer->len)
        return CADRE_OK;
    if (__builtin_add_overflow(buffer->len, more, &need))
        return CADRE_ENOMEM;
    capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
    if (capacity < need && __builtin_mul_overflow(capacity, 2, &capacity))
        capacity = need;
    if (capacity < need)
        capacity = need;
    if ((data = realloc(buffer->data, capacity)) == NULL)
        return CADRE_ENOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return CADRE_OK;
}

bool cadre_bulks_reserve(struct cadre_bulks *bulks, size_t more)
{
    size_t capacity = bulks->count + more;
    struct cadre_bulk *grown;

    if (capacity <= bulks->capacity)
        return true;
    if ((grown = reallocarray(bulks->list, capacity, sizeof *grown)) == NULL)
        return false;
    bulks->list = grown;
    bulks->capacity = capacity;
    return true;
}

void cadre_bulks_cut(struct cadre_bulks *bulks, size_t count)
{
    while (bulks->count > count) {
        struct cadre_bulk *b = &bulks->list[--bulks->count];

        if (b->is_owned)
            free(b->data);
        cadre_keeper_release(b->keeper);
    }
}

void cadre_bulks_fini(struct cadre_bulks *bulks)
{
    cadre_bulks_cut(bulks, 0);
    free(bulks->list);
    *bulks = (struct cadre_bulks){0};
}

void cadre_buffer_cut(struct cadre_buffer *buffer, size_t len)
{
    size_t count = buffer->bulks.count;

    while (count > 0 && buffer->bulks.list[count - 1].at >= len)
        count--;
    cadre_bulks_cut(&buffer->bulks, count);
    buffer->len = len;
}

void cadre_buffer_fini(struct cadre_buffer *buffer)
{
    cadre_bulks_fini(&buffer->bulks);
    free(buffer->data);
    *buffer = (struct cadre_buffer){0};
}
