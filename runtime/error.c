/* error.c - error codes in words, and each thread's last sentence. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct cadre_error last_error;

const char *cadre_strerror(cadre_err err)
{
    switch (err) {
    case CADRE_OK:
        return "success";
    case CADRE_ENOMEM:
        return "out of memory";
    case CADRE_EINVAL:
        return "invalid argument";
    case CADRE_ESTATE:
        return "not allowed now";
    case CADRE_ECLOSED:
        return "closed";
    case CADRE_EPARSE:
        return "prototype cannot be read";
    case CADRE_ETYPE:
        return "wrong type, count or size";
    case CADRE_ENOTFOUND:
        return "not found";
    case CADRE_ESPAWN:
        return "workers could not be started";
    case CADRE_ETIMEOUT:
        return "deadline passed";
    case CADRE_EPROTO:
        return "damaged or foreign frame";
    case CADRE_EVERSION:
        return "version mismatch";
    case CADRE_EMPI:
        return "MPI error";
    case CADRE_EIO:
        return "system error";
    case CADRE_ETASK:
        return "task failed";
    case CADRE_ELOST:
        return "worker lost";
    case CADRE_ECANCELLED:
        return "cancelled";
    case CADRE_ECRASH:
        return "task crashed";
    case CADRE_EEXIT:
        return "task ended its process";
    }
    return "unknown error";
}

#undef cadre_error_set /* what error.h tells the analyzer */
#undef cadre_error_prefix

cadre_err cadre_error_set(struct cadre_error *error, cadre_err code,
                          const char *format, ...)
{
    va_list ap;

    if (error == NULL)
        return code;
    va_start(ap, format);
    vsnprintf(error->text, sizeof error->text, format, ap);
    va_end(ap);
    return code;
}

cadre_err cadre_error_prefix(struct cadre_error *error, cadre_err code,
                             const char *format, ...)
{
    char rest[CADRE_ERROR_TEXT_MAX];
    va_list ap;
    size_t len;

    if (error == NULL)
        return code;
    memcpy(rest, error->text, sizeof rest);
    va_start(ap, format);
    vsnprintf(error->text, sizeof error->text, format, ap);
    va_end(ap);
    len = strlen(error->text);
    snprintf(error->text + len, sizeof error->text - len, "%s", rest);
    return code;
}

cadre_err cadre_error_publish(const struct cadre_error *error, cadre_err code)
{
    if (error != &last_error)
        snprintf(last_error.text, sizeof last_error.text, "%s",
                 error->text[0] != '\0' ? error->text : cadre_strerror(code));
    return code;
}

const char *cadre_error_text(void)
{
    return last_error.text;
}
