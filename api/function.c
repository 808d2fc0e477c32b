/* function.c - the public face of the function registry. */
#include "runtime/function.h"

#include "runtime/structs.h"
#include "runtime/worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct cadre_function *cadre_function_of(const struct cadre_task_record *record)
{
    static struct cadre_function no_memory = {.err = CADRE_ENOMEM,
                                              .error = {"out of memory"}};
    struct cadre_function *f = cadre_function_of_record(record);

    return f != NULL ? f : &no_memory;
}

cadre_err cadre_function_open(const char *library, const char *prototype,
                              struct cadre_function **function)
{
    struct cadre_error error = {""};
    cadre_err err;

    if (prototype == NULL || function == NULL)
        return cadre_error_publish(
            &(struct cadre_error){"function_open: prototype and function must "
                                  "not be NULL"},
            CADRE_EINVAL);
    err = cadre_function_find(library, prototype, function, &error);
    return err == CADRE_OK ? err : cadre_error_publish(&error, err);
}

cadre_err cadre_struct(const char *name, const char *fields)
{
    struct cadre_error error = {""};
    cadre_err err;

    if (name == NULL || fields == NULL)
        return cadre_error_publish(
            &(struct cadre_error){"struct: name and fields must not be NULL"},
            CADRE_EINVAL);
    err = cadre_struct_declare(name, fields, 0, &error);
    if (err == CADRE_OK)
        return err;
    cadre_error_prefix(&error, err, "struct '%.60s': ", name);
    return cadre_error_publish(&error, err);
}

const struct cadre_struct *cadre_struct_of(const char *name)
{
    static const char prefix[] = "struct ";

    if (name == NULL)
        return NULL;
    if (strncmp(name, prefix, strlen(prefix)) == 0)
        name += strlen(prefix);
    return cadre_struct_find(name, strlen(name));
}

/* What is wrong with one is said by the first function that needs it. */
void cadre_structs_register(const struct cadre_struct_record *const *begin,
                            const struct cadre_struct_record *const *end)
{
    for (; begin < end; begin++)
        (void)cadre_struct_declare((*begin)->name, (*begin)->fields,
                                   (*begin)->size, NULL);
}

const char *cadre_function_name(const struct cadre_function *function)
{
    return function->symbol != NULL ? function->symbol : "";
}

const char *cadre_function_prototype(const struct cadre_function *function)
{
    return function->written != NULL ? function->written : "";
}

const struct cadre_parameter *
cadre_function_parameters(const struct cadre_function *function, size_t *count)
{
    *count = function->proto != NULL ? (size_t)function->proto->nparams : 0;
    return function->parameters;
}

cadre_type cadre_function_result(const struct cadre_function *function)
{
    return function->proto != NULL ? function->proto->result : CADRE_VOID;
}

void cadre_task_fail(int kind, const char *format, ...)
{
    char text[CADRE_ERROR_TEXT_MAX];
    va_list ap;

    if (!cadre_worker_is_in_task())
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    cadre_worker_fail_task(kind, text);
}
