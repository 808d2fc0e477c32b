/* error.h - the sentence that goes with an error code, inside the library.
 *
 * A function whose error a person will read takes a `struct cadre_error *` as
 * its last argument and fills it on failure only. The pointer may be NULL.
 */
#ifndef CADRE_RUNTIME_ERROR_H
#define CADRE_RUNTIME_ERROR_H

#include <cadre/error.h>

#include <stddef.h>

enum {
    CADRE_ERROR_TEXT_MAX = 512,
    CADRE_ERR_LAST = CADRE_EEXIT /* the highest number */
};

struct cadre_error {
    char text[CADRE_ERROR_TEXT_MAX]; /* one line, no newline at the end */
};

/* No sentence yet. An initialiser would fill all of it with zeros, which is
 * felt where there is one for each task. */
static inline void cadre_error_clear(struct cadre_error *error)
{
    error->text[0] = '\0';
}

/* Write the sentence (cut to fit) and return `code`, so that a caller can
 * `return cadre_error_set(error, CADRE_EINVAL, ...)`. */
cadre_err cadre_error_set(struct cadre_error *error, cadre_err code,
                          const char *format, ...) CADRE_PRINTF(3, 4);

/* Put `format` in front of the sentence that is already there. */
cadre_err cadre_error_prefix(struct cadre_error *error, cadre_err code,
                             const char *format, ...) CADRE_PRINTF(3, 4);

/* Make `error` what cadre_error_text() tells this thread; returns `code`. */
cadre_err cadre_error_publish(const struct cadre_error *error, cadre_err code);

#ifdef __clang_analyzer__ /* it cannot see that they return `code` */
#define cadre_error_set(error, code, ...)                                      \
    (cadre_error_set((error), (code), __VA_ARGS__), (code))
#define cadre_error_prefix(error, code, ...)                                   \
    (cadre_error_prefix((error), (code), __VA_ARGS__), (code))
#endif

#endif
