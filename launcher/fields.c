/* fields.c - structs to columns and back; see fields.h. */
#include "fields.h"

#include "values.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- leaves --------------------------------------------------------------- */

static void add_leaf(struct cadre_leaves *leaves, char *name,
                     const struct cadre_field *field, size_t offset)
{
    leaves->list =
        reallocarray(leaves->list, leaves->count + 1, sizeof leaves->list[0]);
    if (leaves->list == NULL)
        cadre_out_of_memory();
    leaves->list[leaves->count++] =
        (struct cadre_leaf){.name = name, .field = field, .offset = offset};
}

static void add_fields(struct cadre_leaves *leaves, const char *name,
                       const struct cadre_struct *of, size_t offset)
{
    for (size_t i = 0; i < of->nfields; i++) {
        const struct cadre_field *f = &of->fields[i];
        char *full;

        if (asprintf(&full, "%s.%s", name, f->name) < 0)
            cadre_out_of_memory();
        if (f->of == NULL || f->is_array) {
            add_leaf(leaves, full, f, offset + f->offset);
            continue;
        }
        add_fields(leaves, full, f->of, offset + f->offset);
        free(full);
    }
}

void cadre_leaves_init(struct cadre_leaves *leaves, const char *name,
                       const struct cadre_struct *of)
{
    *leaves = (struct cadre_leaves){.count = 0};
    add_fields(leaves, name, of, 0);
}

void cadre_leaves_fini(struct cadre_leaves *leaves)
{
    for (size_t i = 0; i < leaves->count; i++)
        free(leaves->list[i].name);
    free(leaves->list);
    *leaves = (struct cadre_leaves){.count = 0};
}

/* --- reading -------------------------------------------------------------- */

/* The numbers in one column. */
struct numbers {
    const char *at, *end;
    struct cadre_text one; /* the latest, as C stores it */
    struct cadre_why *why;
};

static bool is_separator(char c)
{
    return c == ',' || c == ';' || isspace((unsigned char)c);
}

static bool is_at_end(struct numbers *n)
{
    while (n->at < n->end && is_separator(*n->at))
        n->at++;
    return n->at == n->end;
}

/* The next number, of `field` or an element of it, to `data`. */
static bool take_number(struct numbers *n, const struct cadre_field *field,
                        char *data)
{
    const char *start = n->at;
    size_t count;

    while (n->at < n->end && !is_separator(*n->at))
        n->at++;
    n->one.len = 0;
    if (!cadre_value_scan_array(field->type, start, (size_t)(n->at - start),
                                &n->one, &count, n->why))
        return false;
    memcpy(data, n->one.data, n->one.len);
    return true;
}

static bool take_struct(struct numbers *n, const struct cadre_struct *of,
                        char *data);

static bool take_field(struct numbers *n, const struct cadre_field *field,
                       char *data)
{
    size_t size =
        field->of != NULL ? field->of->size : cadre_value_size(field->type);

    for (uint64_t i = 0; i < field->count; i++, data += size) {
        if (is_at_end(n))
            return cadre_why_set(n->why, "the numbers end before %s",
                                 field->name);
        if (!(field->of != NULL ? take_struct(n, field->of, data)
                                : take_number(n, field, data)))
            return false;
    }
    return true;
}

static bool take_struct(struct numbers *n, const struct cadre_struct *of,
                        char *data)
{
    for (size_t i = 0; i < of->nfields; i++) {
        if (!take_field(n, &of->fields[i], data + of->fields[i].offset))
            return false;
    }
    return true;
}

/* One number may have no number's separators: it goes the usual way. */
static bool scan_number(const struct cadre_leaf *leaf, const char *text,
                        size_t len, char *data, struct cadre_why *why)
{
    struct cadre_text one = {.len = 0};
    size_t count = 0;
    bool is_good =
        cadre_value_scan_array(leaf->field->type, text, len, &one, &count, why);

    if (is_good && count != 1)
        is_good =
            cadre_why_set(why,
                          "%zu numbers stand where one of type %s "
                          "should be",
                          count, cadre_value_type_name(leaf->field->type));
    if (is_good)
        memcpy(data, one.data, one.len);
    cadre_text_fini(&one);
    return is_good;
}

bool cadre_leaf_scan(const struct cadre_leaf *leaf, const char *text,
                     size_t len, void *data, struct cadre_why *why)
{
    char *at = (char *)data + leaf->offset;
    struct numbers n = {.at = text, .end = text + len, .why = why};
    bool is_good;

    if (!leaf->field->is_array)
        return scan_number(leaf, text, len, at, why);
    is_good = take_field(&n, leaf->field, at);
    if (is_good && !is_at_end(&n))
        is_good = cadre_why_set(why, "there are more numbers than %s has",
                                leaf->name);
    cadre_text_fini(&n.one);
    return is_good;
}

bool cadre_structs_scan(const struct cadre_struct *of, const char *text,
                        size_t len, struct cadre_text *elements, size_t *count,
                        struct cadre_why *why)
{
    struct numbers n = {.at = text, .end = text + len, .why = why};
    bool is_good = true;

    for (*count = 0; is_good && !is_at_end(&n); ++*count) {
        char *data = cadre_text_room(elements, of->size);

        memset(data, 0, of->size);
        elements->len += of->size;
        is_good = take_struct(&n, of, data);
    }
    cadre_text_fini(&n.one);
    return is_good;
}

/* --- printing ------------------------------------------------------------- */

/* `before` the first number (0: nothing), `between` the others. */
static void print_struct(struct cadre_text *out, const struct cadre_struct *of,
                         const char *data, char before, char between)
{
    for (size_t i = 0; i < of->nfields; i++, before = between) {
        const struct cadre_field *f = &of->fields[i];
        size_t size = f->of != NULL ? f->of->size : cadre_value_size(f->type);
        const char *at = data + f->offset;

        for (uint64_t k = 0; k < f->count; k++, at += size, before = ' ') {
            if (f->of != NULL) {
                print_struct(out, f->of, at, before,
                             f->is_array ? ' ' : between);
                continue;
            }
            if (before != 0)
                cadre_text_add_char(out, before);
            cadre_value_print(out, f->type, at, 1, false);
        }
    }
}

void cadre_struct_print(struct cadre_text *out, const struct cadre_struct *of,
                        const void *data, char between)
{
    print_struct(out, of, data, 0, between);
}

void cadre_structs_print(struct cadre_text *out, const struct cadre_struct *of,
                         const void *data, uint64_t count)
{
    const char *at = data;

    for (uint64_t i = 0; i < count; i++, at += of->size)
        print_struct(out, of, at, i > 0 ? ' ' : 0, ' ');
}
