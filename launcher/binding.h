/* binding.h - which value of a row goes to which parameter of a function.
 *
 * Each parameter that the caller gives gets its value from one of
 *
 *     a constant    --set n=3
 *     a column      by position, or by name where there is a header; several
 *                   for a struct (fields.h)
 *     a file        --each-file: the column holds the file's name
 *     a count       the elements of the array whose length the parameter is,
 *                   unless a constant or a column of that name says otherwise
 *
 * and every row becomes one list of values, in the order of the prototype.
 */
#ifndef CADRE_LAUNCHER_BINDING_H
#define CADRE_LAUNCHER_BINDING_H

#include "fields.h"
#include "input.h"
#include "say.h"
#include "text.h"

#include <cadre/function.h>
#include <cadre/value.h>

enum cadre_source_kind {
    CADRE_SOURCE_NONE, /* not the caller's to give */
    CADRE_SOURCE_CONSTANT,
    CADRE_SOURCE_COLUMN,
    CADRE_SOURCE_FILE,
    CADRE_SOURCE_COUNT
};

/* Where the value of one parameter comes from. */
struct cadre_source {
    enum cadre_source_kind kind;
    size_t column;              /* COLUMN, FILE: index in the row */
    struct cadre_leaves leaves; /* COLUMN of a struct by value: it takes several
                                   columns, ... */
    size_t *columns;            /* ... which are these */
    size_t array;               /* COUNT: the parameter whose elements count */
    struct cadre_text memory;   /* elements of an array; a struct; a constant
                                   string */
    size_t count;               /* elements in it */
    const char *text;           /* CONSTANT: as given; borrowed */
    size_t value;               /* index in `values` */
};

struct cadre_binding_options {
    size_t nsettings;
    char *const *settings;  /* "NAME=VALUE"; borrowed */
    bool has_header;        /* columns are found by name, by a later call */
    bool has_files;         /* --each-file */
    const char *file_param; /* --file-param, or NULL: the only array of bytes */
};

struct cadre_binding {
    const struct cadre_parameter *params; /* borrowed */
    size_t nparams;
    struct cadre_source *sources; /* one per parameter */
    bool is_by_name;
    bool is_bound;   /* columns are known */
    size_t ncolumns; /* that a row must have, or with a header at least */
    size_t nwanted;  /* columns that parameters take */
    struct cadre_value *values; /* of the latest row */
    size_t nvalues;
};

/* Work out where each value comes from. `params` is borrowed. False: `why` says
 * what is wrong; fini is needed all the same. */
bool cadre_binding_init(struct cadre_binding *binding,
                        const struct cadre_parameter *params, size_t nparams,
                        const struct cadre_binding_options *options,
                        struct cadre_why *why);
void cadre_binding_fini(struct cadre_binding *binding);

/* Find the columns by the names in `row`. Needed before the first row of each
 * file if the binding is by name. */
bool cadre_binding_header(struct cadre_binding *binding,
                          const struct cadre_input_row *row,
                          struct cadre_why *why);

/* Make `row` the binding's `values`; they are lent until the next call, as long
 * as `row` is. Reads files. `why` names column and value, but not the row. */
bool cadre_binding_row(struct cadre_binding *binding,
                       const struct cadre_input_row *row,
                       struct cadre_why *why);

/* "x", or "parameter 2" where the prototype has no name; lent until the next
 * call. */
const char *cadre_binding_name(const struct cadre_binding *binding,
                               size_t param);

#endif
