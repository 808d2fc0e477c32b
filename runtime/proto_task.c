/* proto_task.c - one prototype from the two texts of a task.
 *
 * Both are cut into pieces: the result and name, then each parameter. The n-th
 * pieces belong together, and CADRE_OUT is put back into the expanded one.
 */
#include "proto_parser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECES_MAX = CADRE_PARAMS_MAX + 1,
    CONTEXT_MAX = 256 /* bytes of the text that an error quotes */
};

static const char out_word[] = "CADRE_OUT";

/* Where the pieces of a text start, and which contain CADRE_OUT. */
struct pieces {
    size_t n;
    size_t starts[PIECES_MAX];
    bool is_out[PIECES_MAX];
    size_t first_out; /* offset of the first CADRE_OUT, or SIZE_MAX */
};

static void add_piece(struct pieces *pieces, size_t start)
{
    if (pieces->n < PIECES_MAX) {
        pieces->starts[pieces->n] = start;
        pieces->is_out[pieces->n] = false;
    }
    pieces->n++;
}

/* The parameters are what the last outer parentheses contain that are not an
 * attribute's: others may stand before them, in a macro. */
static void cut(const char *text, struct pieces *pieces)
{
    bool is_attribute = false;
    size_t depth = 0;

    memset(pieces, 0, sizeof *pieces);
    add_piece(pieces, 0);
    pieces->first_out = SIZE_MAX;
    for (struct token t = cadre_token_next(text, 0); t.kind != TOKEN_END;
         t = cadre_token_next(text, t.at + t.len)) {
        if (cadre_token_is(text, t, "(")) {
            if (depth++ == 0 && !is_attribute) {
                pieces->n = 1;
                add_piece(pieces, t.at + 1);
            }
        } else if (cadre_token_is(text, t, ")") && depth > 0) {
            depth--;
        } else if (cadre_token_is(text, t, ",") && depth == 1) {
            add_piece(pieces, t.at + 1);
        } else if (cadre_token_is(text, t, out_word) &&
                   pieces->n <= PIECES_MAX) {
            pieces->is_out[pieces->n - 1] = true;
            if (pieces->first_out == SIZE_MAX)
                pieces->first_out = t.at;
        }
        is_attribute = cadre_token_is(text, t, "__attribute__");
    }
}

/* `expanded` with CADRE_OUT in front of the pieces that have it in `written`.
 * `*merged` is given: free(). */
static cadre_err merge(const char *written, const char *expanded, char **merged,
                       struct cadre_error *error)
{
    struct pieces from, to;
    size_t done = 0;
    char *s;

    cut(written, &from);
    cut(expanded, &to);
    if (from.first_out != SIZE_MAX && from.n != to.n)
        return cadre_error_set(error, CADRE_EPARSE,
                               "column %zu: a macro changes the number of "
                               "parameters from %zu to %zu, so it is not clear "
                               "which one CADRE_OUT belongs to",
                               from.first_out + 1, from.n - 1, to.n - 1);
    if ((s = malloc(strlen(expanded) + PIECES_MAX * sizeof out_word + 1)) ==
        NULL)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "no memory for a prototype");
    *merged = s;
    for (size_t i = 0; i < from.n && i < PIECES_MAX; i++) {
        if (from.is_out[i] && !to.is_out[i]) {
            size_t start = cadre_token_skip_space(expanded, to.starts[i]);

            s = mempcpy(s, expanded + done, start - done);
            s = stpcpy(s, out_word);
            *s++ = ' ';
            done = start;
        }
    }
    strcpy(s, expanded + done);
    return CADRE_OK;
}

cadre_err cadre_proto_parse_task(const char *written, const char *expanded,
                                 struct cadre_proto **proto,
                                 struct cadre_error *error)
{
    char *merged = NULL, shown[CONTEXT_MAX];
    cadre_err err;

    if (expanded[0] == '\0' || strcmp(written, expanded) == 0)
        return cadre_proto_parse(written, proto, error);
    if ((err = merge(written, expanded, &merged, error)) != CADRE_OK)
        return err;
    err = cadre_proto_parse(merged, proto, error);
    if (err == CADRE_EPARSE && error != NULL) {
        size_t len = strlen(error->text);

        cadre_parser_quote(merged, 0, strlen(merged), shown, sizeof shown);
        snprintf(error->text + len, sizeof error->text - len, " (in '%s')",
                 shown);
    }
    free(merged);
    return err;
}
