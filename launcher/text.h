/* text.h - bytes that grow: a line being written, the elements of an array. */
#ifndef CADRE_LAUNCHER_TEXT_H
#define CADRE_LAUNCHER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* All zero is empty. Aligned for every C type. */
struct cadre_text {
    char *data; /* NULL while nothing was ever added */
    size_t len;
    size_t capacity;
};

void cadre_text_fini(struct cadre_text *text);

/* Where `len` more bytes may be written; `text->len` is then the caller's to
 * raise. Leaves the program if there is no memory. */
char *cadre_text_room(struct cadre_text *text, size_t len);

/* The same, but NULL if there is no memory: for what a single row asks for. */
char *cadre_text_try_room(struct cadre_text *text, size_t len);

void cadre_text_add(struct cadre_text *text, const void *data, size_t len);
void cadre_text_add_char(struct cadre_text *text, char c);

#endif
