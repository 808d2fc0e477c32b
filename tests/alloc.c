/* alloc.c - malloc(), calloc() and realloc() as the linker's --wrap sees them.
 */
#include "alloc.h"

#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *data, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *data, size_t size);

static unsigned left; /* allocations up to and with the one that fails */
static bool failed;
static unsigned long count;

void alloc_fail_at(unsigned n)
{
    left = n;
    failed = false;
}

bool alloc_has_failed(void)
{
    left = 0;
    return failed;
}

unsigned long alloc_count(void)
{
    return count;
}

static bool fails(void)
{
    count++;
    if (left == 0 || --left > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *data, size_t size)
{
    return fails() ? NULL : __real_realloc(data, size);
}
