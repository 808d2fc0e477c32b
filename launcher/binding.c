/* binding.c - turns rows into arguments; see binding.h.
 *
 * Once: constants are read and checked, the file's parameter is chosen, lengths
 * that can be counted are left to counting, and what remains takes columns.
 * For each row: columns and files first, then the counts, which need them.
 */
#include "binding.h"

#include "values.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 300 }; /* bytes of a list of names in a message */

const char *cadre_binding_name(const struct cadre_binding *binding,
                               size_t param)
{
    static char nameless[32];

    if (binding->params[param].name[0] != '\0')
        return binding->params[param].name;
    snprintf(nameless, sizeof nameless, "parameter %zu", param + 1);
    return nameless;
}

/* --- the lists of names in messages --------------------------------------- */

static void add_name(char *list, const char *name)
{
    size_t used = strlen(list);

    snprintf(list + used, NAMES_MAX - used, "%s%s", used > 0 ? ", " : "", name);
}

static void list_inputs(const struct cadre_binding *b, char *list)
{
    list[0] = '\0';
    for (size_t i = 0; i < b->nparams; i++)
        if (b->params[i].is_input)
            add_name(list, cadre_binding_name(b, i));
}

static bool takes_column(const struct cadre_source *source)
{
    return source->kind == CADRE_SOURCE_COLUMN ||
           source->kind == CADRE_SOURCE_FILE;
}

static void list_wanted(const struct cadre_binding *b, char *list)
{
    list[0] = '\0';
    for (size_t i = 0; i < b->nparams; i++) {
        const struct cadre_leaves *leaves = &b->sources[i].leaves;

        if (!takes_column(&b->sources[i]))
            continue;
        for (size_t k = 0; k < leaves->count; k++)
            add_name(list, leaves->list[k].name);
        if (leaves->count == 0)
            add_name(list, cadre_binding_name(b, i));
    }
}

static void list_columns(const struct cadre_input_row *row, char *list)
{
    list[0] = '\0';
    for (size_t i = 0; i < row->count; i++)
        add_name(list, row->fields[i].text);
}

/* --- values --------------------------------------------------------------- */

static struct cadre_value *value_of(const struct cadre_binding *b, size_t param)
{
    return &b->values[b->sources[param].value];
}

/* Make the elements in the source's memory the parameter's value. */
static void use_elements(struct cadre_binding *b, size_t param)
{
    struct cadre_source *source = &b->sources[param];

    *value_of(b, param) = (struct cadre_value){
        .type = b->params[param].type,
        .is_array = b->params[param].is_array,
        .bytes = source->memory.len,
        .size = b->params[param].of != NULL ? b->params[param].of->size : 0,
        /* An array without elements still has an address. */
        .pointer = cadre_text_room(&source->memory, 1) - source->memory.len};
}

static bool scan_array(struct cadre_binding *b, size_t param, const char *text,
                       size_t len, struct cadre_why *why)
{
    const struct cadre_parameter *p = &b->params[param];
    struct cadre_source *source = &b->sources[param];

    source->memory.len = 0;
    if (p->of != NULL
            ? !cadre_structs_scan(p->of, text, len, &source->memory,
                                  &source->count, why)
            : !cadre_value_scan_array(p->type, text, len, &source->memory,
                                      &source->count, why))
        return false;
    if (p->constant > 0 && source->count != p->constant)
        return cadre_why_set(why,
                             "%zu elements are given, but the prototype wants "
                             "%" PRIu64,
                             source->count, p->constant);
    use_elements(b, param);
    return true;
}

/* A struct by value that stands in one place. */
static bool scan_struct(struct cadre_binding *b, size_t param, const char *text,
                        size_t len, struct cadre_why *why)
{
    const struct cadre_struct *of = b->params[param].of;
    struct cadre_source *source = &b->sources[param];

    source->memory.len = 0;
    if (!cadre_structs_scan(of, text, len, &source->memory, &source->count,
                            why))
        return false;
    if (source->count != 1)
        return cadre_why_set(why, "these are %zu of %s, not 1", source->count,
                             of->name);
    use_elements(b, param);
    return true;
}

static bool scan_param(struct cadre_binding *b, size_t param, const char *text,
                       size_t len, struct cadre_why *why)
{
    if (b->params[param].is_array)
        return scan_array(b, param, text, len, why);
    if (b->params[param].of != NULL)
        return scan_struct(b, param, text, len, why);
    return cadre_value_scan(b->params[param].type, text, len,
                            value_of(b, param), why);
}

/* --- constants ------------------------------------------------------------ */

static size_t find_param(const struct cadre_binding *b, const char *name,
                         size_t len)
{
    size_t i = 0;

    while (i < b->nparams && (strlen(b->params[i].name) != len ||
                              memcmp(b->params[i].name, name, len) != 0))
        i++;
    return i;
}

static bool set_constant(struct cadre_binding *b, const char *setting,
                         struct cadre_why *why)
{
    const char *equals = strchr(setting, '=');
    char names[NAMES_MAX];
    struct cadre_why reason;
    size_t param;

    if (equals == NULL || equals == setting)
        return cadre_why_set(why, "--set %s: write --set NAME=VALUE", setting);
    param = find_param(b, setting, (size_t)(equals - setting));
    if (param == b->nparams || !b->params[param].is_input) {
        list_inputs(b, names);
        return cadre_why_set(why, "--set %s: the function's inputs are %s",
                             setting, names[0] != '\0' ? names : "none");
    }
    if (b->sources[param].kind == CADRE_SOURCE_CONSTANT)
        return cadre_why_set(why, "--set %s: %s is set twice", setting,
                             b->params[param].name);
    b->sources[param].kind = CADRE_SOURCE_CONSTANT;
    b->sources[param].text = equals + 1;
    if (!scan_param(b, param, equals + 1, strlen(equals + 1), &reason))
        return cadre_why_set(why, "--set %s: %s", setting, reason.text);
    return true;
}

/* --- the parameter that takes the file ------------------------------------ */

static bool is_bytes(const struct cadre_parameter *p)
{
    return p->is_input && p->is_array &&
           (p->type == CADRE_INT8 || p->type == CADRE_UINT8);
}

static bool choose_named_file(struct cadre_binding *b, const char *name,
                              struct cadre_why *why)
{
    size_t param = find_param(b, name, strlen(name));

    if (param == b->nparams)
        return cadre_why_set(why,
                             "--file-param %s: the function has no such "
                             "parameter",
                             name);
    if (!is_bytes(&b->params[param]))
        return cadre_why_set(why,
                             "--file-param %s: a file can only go into an "
                             "input array of bytes (const uint8_t %s[n])",
                             name, name);
    if (b->sources[param].kind == CADRE_SOURCE_CONSTANT)
        return cadre_why_set(why, "--file-param %s: it has a value by --set",
                             name);
    b->sources[param].kind = CADRE_SOURCE_FILE;
    return true;
}

static bool choose_file(struct cadre_binding *b, struct cadre_why *why)
{
    size_t found = 0, param = 0;

    for (size_t i = 0; i < b->nparams; i++) {
        if (is_bytes(&b->params[i]) &&
            b->sources[i].kind != CADRE_SOURCE_CONSTANT) {
            param = i;
            found++;
        }
    }
    if (found == 0)
        return cadre_why_set(why, "--each-file: the function has no array of "
                                  "bytes to read: declare one as "
                                  "const uint8_t buf[len]");
    if (found > 1)
        return cadre_why_set(why,
                             "--each-file: the function has %zu arrays "
                             "of bytes: choose one with --file-param NAME",
                             found);
    b->sources[param].kind = CADRE_SOURCE_FILE;
    return true;
}

/* --- columns -------------------------------------------------------------- */

/* The first input array whose length parameter `param` holds; nparams: none. */
static size_t array_counted_by(const struct cadre_binding *b, size_t param)
{
    size_t i = 0;

    while (i < b->nparams && !(b->params[i].is_array && b->params[i].is_input &&
                               b->params[i].length == (int)param))
        i++;
    return i;
}

/* A struct by value gets a column for each of its fields. */
static void place_fields(struct cadre_binding *b, size_t param)
{
    struct cadre_source *source = &b->sources[param];
    size_t n;

    cadre_leaves_init(&source->leaves, cadre_binding_name(b, param),
                      b->params[param].of);
    n = source->leaves.count;
    source->columns = calloc(n, sizeof *source->columns);
    if (source->columns == NULL)
        cadre_out_of_memory();
    for (size_t k = 0; k < n; k++)
        source->columns[k] = b->nwanted++;
}

/* What no option speaks of: lengths are counted, the rest are columns. */
static void place_rest(struct cadre_binding *b)
{
    for (size_t i = 0; i < b->nparams; i++) {
        struct cadre_source *source = &b->sources[i];

        if (b->params[i].is_input && source->kind == CADRE_SOURCE_NONE) {
            source->array = array_counted_by(b, i);
            source->kind = source->array < b->nparams ? CADRE_SOURCE_COUNT
                                                      : CADRE_SOURCE_COLUMN;
        }
        if (!takes_column(source))
            continue;
        source->column = b->nwanted;
        if (b->params[i].of != NULL && !b->params[i].is_array)
            place_fields(b, i);
        else
            b->nwanted++;
    }
    b->ncolumns = b->nwanted;
}

static bool check_wanted(const struct cadre_binding *b, struct cadre_why *why)
{
    char names[NAMES_MAX];

    for (size_t i = 0; b->is_by_name && i < b->nparams; i++)
        if (takes_column(&b->sources[i]) && b->params[i].name[0] == '\0')
            return cadre_why_set(why,
                                 "--header: parameter %zu has no name in "
                                 "the prototype: give it one",
                                 i + 1);
    if (b->nwanted > 0)
        return true;
    list_inputs(b, names);
    return cadre_why_set(why,
                         "no parameter takes a value from the rows "
                         "(inputs: %s): leave one to the rows",
                         names[0] != '\0' ? names : "none");
}

static void allocate(struct cadre_binding *b)
{
    /* One more, as calloc(0) may return NULL. */
    b->sources = calloc(b->nparams + 1, sizeof *b->sources);
    b->values = calloc(b->nparams + 1, sizeof *b->values);
    if (b->sources == NULL || b->values == NULL)
        cadre_out_of_memory();
    for (size_t i = 0; i < b->nparams; i++)
        b->sources[i].value = b->params[i].is_input ? b->nvalues++ : 0;
}

bool cadre_binding_init(struct cadre_binding *binding,
                        const struct cadre_parameter *params, size_t nparams,
                        const struct cadre_binding_options *options,
                        struct cadre_why *why)
{
    *binding = (struct cadre_binding){.params = params,
                                      .nparams = nparams,
                                      .is_by_name = options->has_header,
                                      .is_bound = !options->has_header};
    allocate(binding);
    for (size_t i = 0; i < options->nsettings; i++)
        if (!set_constant(binding, options->settings[i], why))
            return false;
    if (options->has_files &&
        !(options->file_param != NULL
              ? choose_named_file(binding, options->file_param, why)
              : choose_file(binding, why)))
        return false;
    place_rest(binding);
    return check_wanted(binding, why);
}

void cadre_binding_fini(struct cadre_binding *binding)
{
    for (size_t i = 0; binding->sources != NULL && i < binding->nparams; i++) {
        cadre_text_fini(&binding->sources[i].memory);
        cadre_leaves_fini(&binding->sources[i].leaves);
        free(binding->sources[i].columns);
    }
    free(binding->sources);
    free(binding->values);
    *binding = (struct cadre_binding){0};
}

/* --- the header ----------------------------------------------------------- */

/* Index of the column called `name`; row->count if there is none. */
static size_t find_column(const struct cadre_input_row *row, const char *name)
{
    size_t i = 0;

    while (i < row->count && strcmp(row->fields[i].text, name) != 0)
        i++;
    return i;
}

static bool is_twice(const struct cadre_input_row *row, size_t column)
{
    for (size_t i = column + 1; i < row->count; i++)
        if (strcmp(row->fields[i].text, row->fields[column].text) == 0)
            return true;
    return false;
}

/* Find the column called `name`, which parameter `param` needs. */
static bool bind_name(struct cadre_binding *b, size_t param, const char *name,
                      size_t *found, const struct cadre_input_row *row,
                      struct cadre_why *why)
{
    size_t column = find_column(row, name);
    char names[NAMES_MAX];

    if (column == row->count) {
        list_columns(row, names);
        return cadre_why_set(why,
                             "%s has no column called '%s' (it has: %s): name "
                             "it in the header or give --set %s=VALUE",
                             row->file, name, names, b->params[param].name);
    }
    if (is_twice(row, column))
        return cadre_why_set(why, "%s has two columns called '%s'", row->file,
                             name);
    *found = column;
    if (b->ncolumns <= column)
        b->ncolumns = column + 1;
    return true;
}

static bool bind_column(struct cadre_binding *b, size_t param,
                        const struct cadre_input_row *row,
                        struct cadre_why *why)
{
    struct cadre_source *source = &b->sources[param];

    if (source->leaves.count == 0)
        return bind_name(b, param, b->params[param].name, &source->column, row,
                         why);
    for (size_t k = 0; k < source->leaves.count; k++)
        if (!bind_name(b, param, source->leaves.list[k].name,
                       &source->columns[k], row, why))
            return false;
    return true;
}

/* A column may give a length, too; a next file need not have it. */
static void choose_count_or_column(struct cadre_binding *b, size_t param,
                                   const struct cadre_input_row *row)
{
    struct cadre_source *source = &b->sources[param];

    if (b->params[param].name[0] == '\0' ||
        array_counted_by(b, param) == b->nparams ||
        source->kind == CADRE_SOURCE_CONSTANT)
        return;
    source->array = array_counted_by(b, param);
    source->kind = find_column(row, b->params[param].name) < row->count
                       ? CADRE_SOURCE_COLUMN
                       : CADRE_SOURCE_COUNT;
}

bool cadre_binding_header(struct cadre_binding *binding,
                          const struct cadre_input_row *row,
                          struct cadre_why *why)
{
    assert(binding->is_by_name);
    binding->ncolumns = 0;
    for (size_t i = 0; i < binding->nparams; i++) {
        choose_count_or_column(binding, i, row);
        if (takes_column(&binding->sources[i]) &&
            !bind_column(binding, i, row, why))
            return false;
    }
    binding->is_bound = true;
    return true;
}

/* --- rows ----------------------------------------------------------------- */

/* Read all of `fd` behind what is in `memory`. */
static bool read_all(int fd, struct cadre_text *memory)
{
    struct stat st;
    size_t want = 1 << 16;
    ssize_t got;

    if (fstat(fd, &st) == 0 && st.st_size > 0)
        want = (size_t)st.st_size + 1; /* so that the end is found at once */
    for (;;) {
        char *room = cadre_text_try_room(memory, want);

        if (room == NULL) {
            errno = ENOMEM;
            return false;
        }
        got = read(fd, room, want);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        memory->len += got > 0 ? (size_t)got : 0;
        want = 1 << 16;
    }
}

static bool read_file(struct cadre_binding *b, size_t param, const char *path,
                      struct cadre_why *why)
{
    struct cadre_source *source = &b->sources[param];
    const struct cadre_parameter *p = &b->params[param];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_read;

    source->memory.len = 0;
    is_read = fd >= 0 && read_all(fd, &source->memory);
    if (!is_read)
        cadre_why_set(why, "%s cannot be read: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (!is_read)
        return false;
    source->count = source->memory.len;
    if (p->constant > 0 && source->count != p->constant)
        return cadre_why_set(why,
                             "%s has %zu bytes, but the prototype wants "
                             "%" PRIu64,
                             path, source->count, p->constant);
    use_elements(b, param);
    return true;
}

static bool check_width(const struct cadre_binding *b,
                        const struct cadre_input_row *row,
                        struct cadre_why *why)
{
    char names[NAMES_MAX];

    if (b->is_by_name ? row->count >= b->ncolumns : row->count == b->ncolumns)
        return true;
    list_wanted(b, names);
    return cadre_why_set(why,
                         "%zu column%s where %s%zu %s wanted (%s): see "
                         "--format, --header and --set",
                         row->count, row->count == 1 ? "" : "s",
                         b->is_by_name ? "at least " : "", b->ncolumns,
                         b->ncolumns == 1 ? "is" : "are", names);
}

/* The columns of a struct. */
static bool take_fields(struct cadre_binding *b, size_t param,
                        const struct cadre_input_row *row,
                        struct cadre_why *why)
{
    const struct cadre_struct *of = b->params[param].of;
    struct cadre_source *source = &b->sources[param];
    struct cadre_why reason;
    char *data;

    source->memory.len = 0;
    data = cadre_text_room(&source->memory, of->size);
    memset(data, 0, of->size);
    source->memory.len = of->size;
    for (size_t k = 0; k < source->leaves.count; k++) {
        const struct cadre_leaf *leaf = &source->leaves.list[k];
        const struct cadre_input_field *field =
            &row->fields[source->columns[k]];

        if (!cadre_leaf_scan(leaf, field->text, field->len, data, &reason))
            return cadre_why_set(why, "column %zu (%s): %s",
                                 source->columns[k] + 1, leaf->name,
                                 reason.text);
    }
    use_elements(b, param);
    return true;
}

static bool take_column(struct cadre_binding *b, size_t param,
                        const struct cadre_input_row *row,
                        struct cadre_why *why)
{
    struct cadre_source *source = &b->sources[param];
    const struct cadre_input_field *field = &row->fields[source->column];
    struct cadre_why reason;

    if (source->leaves.count > 0)
        return take_fields(b, param, row, why);
    if (source->kind == CADRE_SOURCE_FILE)
        return read_file(b, param, field->text, why);
    if (scan_param(b, param, field->text, field->len, &reason))
        return true;
    return cadre_why_set(why, "column %zu (%s): %s", source->column + 1,
                         cadre_binding_name(b, param), reason.text);
}

/* Elements of array `param` for each 1 of its length. */
static uint64_t per_length(const struct cadre_binding *b, size_t param)
{
    return b->params[param].per_length > 1 ? b->params[param].per_length : 1;
}

/* Does the length given for array `param` say how many elements there are? */
static bool check_length(const struct cadre_binding *b, size_t param,
                         struct cadre_why *why)
{
    size_t length = (size_t)b->params[param].length;
    uint64_t wanted = cadre_value_to_count(value_of(b, length)), elements;
    char name[64], each[48] = "";

    if (!__builtin_mul_overflow(wanted, per_length(b, param), &elements) &&
        elements == b->sources[param].count)
        return true;
    snprintf(name, sizeof name, "%s", cadre_binding_name(b, param));
    if (per_length(b, param) > 1)
        snprintf(each, sizeof each, " of %" PRIu64 " elements each",
                 per_length(b, param));
    return cadre_why_set(why,
                         "%s has %zu elements, but %s, its length, is "
                         "%" PRIu64 "%s",
                         name, b->sources[param].count,
                         cadre_binding_name(b, length), wanted, each);
}

static bool count_elements(struct cadre_binding *b, struct cadre_why *why)
{
    for (size_t i = 0; i < b->nparams; i++) {
        struct cadre_source *source = &b->sources[i];

        if (source->kind == CADRE_SOURCE_COUNT &&
            !cadre_value_from_count(b->params[i].type,
                                    b->sources[source->array].count /
                                        per_length(b, source->array),
                                    value_of(b, i), why))
            return false;
    }
    for (size_t i = 0; i < b->nparams; i++)
        if (b->params[i].is_array && b->params[i].is_input &&
            b->params[i].length >= 0 && !check_length(b, i, why))
            return false;
    return true;
}

bool cadre_binding_row(struct cadre_binding *binding,
                       const struct cadre_input_row *row, struct cadre_why *why)
{
    assert(binding->is_bound);
    if (!check_width(binding, row, why))
        return false;
    for (size_t i = 0; i < binding->nparams; i++)
        if (takes_column(&binding->sources[i]) &&
            !take_column(binding, i, row, why))
            return false;
    return count_elements(binding, why);
}
