/* fields.h - structs as columns: each field that is one number takes a column,
 * a field that is an array one column with all its elements, and the fields of
 * a struct within it likewise.
 *
 *     struct segment { struct point a, b; int tags[3]; } s
 *
 * has the columns s.a.x s.a.y s.b.x s.b.y s.tags. Where a struct stands in one
 * column, all its numbers follow one another.
 */
#ifndef CADRE_LAUNCHER_FIELDS_H
#define CADRE_LAUNCHER_FIELDS_H

#include "say.h"
#include "text.h"

#include <cadre/type.h>

/* What takes one column. */
struct cadre_leaf {
    char *name;                      /* "s.a.x"; owned */
    const struct cadre_field *field; /* its type and count; borrowed */
    size_t offset;                   /* in the outermost struct */
};

struct cadre_leaves {
    size_t count;
    struct cadre_leaf *list;
};

/* The leaves of a parameter called `name`. Leaves the program if there is no
 * memory. */
void cadre_leaves_init(struct cadre_leaves *leaves, const char *name,
                       const struct cadre_struct *of);
void cadre_leaves_fini(struct cadre_leaves *leaves);

/* Read one column into the struct at `data`. `text` has `len` bytes and a zero
 * byte after them. */
bool cadre_leaf_scan(const struct cadre_leaf *leaf, const char *text,
                     size_t len, void *data, struct cadre_why *why);

/* Read structs, number by number, and append them to `elements`; `*count` of
 * them. `text` as above. */
bool cadre_structs_scan(const struct cadre_struct *of, const char *text,
                        size_t len, struct cadre_text *elements, size_t *count,
                        struct cadre_why *why);

/* Append the struct at `data` in text, `between` its columns. */
void cadre_struct_print(struct cadre_text *out, const struct cadre_struct *of,
                        const void *data, char between);

/* Append `count` structs in one column. */
void cadre_structs_print(struct cadre_text *out, const struct cadre_struct *of,
                         const void *data, uint64_t count);

#endif
