/* text.c - a growable run of bytes; see text.h. */
#include "text.h"

#include "say.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

void cadre_text_fini(struct cadre_text *text)
{
    free(text->data);
    *text = (struct cadre_text){0};
}

char *cadre_text_try_room(struct cadre_text *text, size_t len)
{
    size_t capacity = text->capacity > 0 ? text->capacity : FIRST_CAPACITY;
    char *data;

    if (text->data != NULL && len <= text->capacity - text->len)
        return text->data + text->len;
    if (len > SIZE_MAX / 2 - text->len)
        return NULL;
    while (capacity - text->len < len)
        capacity *= 2;
    if ((data = realloc(text->data, capacity)) == NULL)
        return NULL;
    text->data = data;
    text->capacity = capacity;
    return text->data + text->len;
}

char *cadre_text_room(struct cadre_text *text, size_t len)
{
    char *room = cadre_text_try_room(text, len);

    if (room == NULL)
        cadre_out_of_memory();
    return room;
}

void cadre_text_add(struct cadre_text *text, const void *data, size_t len)
{
    if (len > 0)
        memcpy(cadre_text_room(text, len), data, len);
    text->len += len;
}

void cadre_text_add_char(struct cadre_text *text, char c)
{
    *cadre_text_room(text, 1) = c;
    text->len++;
}
