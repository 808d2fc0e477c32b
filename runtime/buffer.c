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

void cadre_buffer_fini(struct cadre_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct cadre_buffer){0};
}
