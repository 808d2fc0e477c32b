/* cadre/struct.h - structs by value, as parameters, results and in arrays.
 *
 *     CADRE_STRUCT(point, double x; double y;);
 *
 *     CADRE_TASK(double, norm, (struct point p))
 *     {
 *         return hypot(p.x, p.y);
 *     }
 *
 *     cadre_submit(pool, CADRE_FN(norm), p)
 *     cadre_pool_map(pool, CADRE_FN(norm), n, CADRE_EACH(points), ...)
 *
 * Fields are numbers, structs that have been declared before, and arrays of
 * both with constant lengths. A struct lies in memory as C has it: pointers,
 * bit-fields, unions and attributes are refused. In a prototype it may be
 * called `struct point` or `point`; workers learn of it with the prototype.
 */
#ifndef CADRE_STRUCT_H
#define CADRE_STRUCT_H

#include <cadre/error.h>
#include <cadre/macros.h>
#include <cadre/type.h>

/* Define `struct name` with these fields, and `name` for short, and declare it
 * to Cadre. At file scope, in a header too. */
#define CADRE_STRUCT(name, ...)                                                \
    typedef struct name name;                                                  \
    struct name {                                                              \
        __VA_ARGS__                                                            \
    };                                                                         \
    static const struct cadre_struct_record cadre_struct_record_##name = {     \
        #name, CADRE_STRING_(__VA_ARGS__), sizeof(struct name)};               \
    static const struct cadre_struct_record *const cadre_struct_entry_##name   \
        __attribute__((section("cadre_structs"), used)) =                      \
            &cadre_struct_record_##name

/* What the program knows of one of its structs. */
struct cadre_struct_record {
    const char *name;
    const char *fields; /* as text, after the preprocessor */
    size_t size;
};

/* Those of one program or library, collected by the linker; null without any.
 */
extern const struct cadre_struct_record *const __start_cadre_structs[]
    __attribute__((weak, visibility("hidden")));
extern const struct cadre_struct_record *const __stop_cadre_structs[]
    __attribute__((weak, visibility("hidden")));

/* cadre_init() does this for the program. */
CADRE_API void
cadre_structs_register(const struct cadre_struct_record *const *begin,
                       const struct cadre_struct_record *const *end);

/* Declare a struct of a library that knows nothing of Cadre:
 *
 *     cadre_struct("point", "double x, double y")
 *
 * The fields as in C, separated by ';' or ','. The same declaration again is
 * fine. From any thread, before or after cadre_init(); before the prototype
 * that uses it.
 *
 * CADRE_EPARSE  the text names the column in `fields`, or the struct has been
 *               declared with other fields.
 */
CADRE_API cadre_err cadre_struct(const char *name, const char *fields);

/* What has been declared under this name, or NULL; lent until the program ends.
 */
CADRE_API const struct cadre_struct *cadre_struct_of(const char *name);

#endif
