/* symbols.c - names and lines from ELF and DWARF, by libdw.
 *
 * Each frame is found in its module (the program or a library, by the map of
 * the process), then first by debug information, else by the symbol table,
 * which names static functions too.
 */
#include "symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 192, NAME_MAX_SHOWN = 80 };

/* Lines on their way out. */
struct lines {
    char *text;
    size_t size, len;
    unsigned first, next; /* numbers of `last` and of the next line */
    char last[LINE_SIZE]; /* not written yet: it may come again */
    bool has_last;
};

static void flush(struct lines *l)
{
    char line[LINE_SIZE + 32];
    int n;

    if (!l->has_last)
        return;
    if (l->next - l->first > 1)
        n = snprintf(line, sizeof line, "#%u to #%u %s\n", l->first,
                     l->next - 1, l->last);
    else
        n = snprintf(line, sizeof line, "#%u %s\n", l->first, l->last);
    l->has_last = false;
    if (n < 0 || l->len + (size_t)n >= l->size) {
        l->size = 0; /* no later line is to follow where one is missing */
        return;
    }
    memcpy(l->text + l->len, line, (size_t)n + 1);
    l->len += (size_t)n;
}

static void put(struct lines *l, const char *line)
{
    if (l->has_last && strcmp(l->last, line) == 0) {
        l->next++;
        return;
    }
    flush(l);
    snprintf(l->last, sizeof l->last, "%s", line);
    l->has_last = true;
    l->first = l->next++;
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static const char *module_name(Dwfl_Module *module)
{
    const char *name = module == NULL
                           ? NULL
                           : dwfl_module_info(module, NULL, NULL, NULL, NULL,
                                              NULL, NULL, NULL);

    return name != NULL ? base(name) : "?";
}

static void put_line(struct lines *l, const char *function, const char *file,
                     int number)
{
    char line[LINE_SIZE];

    if (file != NULL && number > 0)
        snprintf(line, sizeof line, "%.*s (%s:%d)", NAME_MAX_SHOWN, function,
                 base(file), number);
    else
        snprintf(line, sizeof line, "%.*s", NAME_MAX_SHOWN, function);
    put(l, line);
}

/* Where the inlined function `die` of `cu` was called. */
static const char *call_site(Dwarf_Die *cu, Dwarf_Die *die, int *number)
{
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files;
    size_t count;

    *number = 0;
    if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &file) ||
        dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &line) ||
        dwarf_getsrcfiles(cu, &files, &count) != 0 || file >= count)
        return NULL;
    *number = (int)line;
    return dwarf_filesrc(files, file, NULL, NULL);
}

/* The functions around `address`, inlined ones first. `scopes` lead from the
 * innermost block to the compilation unit. */
static bool put_scopes(struct lines *l, Dwarf_Die *cu, Dwarf_Die *scopes,
                       int count, const char *file, int number)
{
    for (int i = 0; i < count; i++) {
        int tag = dwarf_tag(&scopes[i]);
        const char *name;

        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        if ((name = dwarf_diename(&scopes[i])) == NULL)
            return false;
        put_line(l, name, file, number);
        if (tag == DW_TAG_subprogram)
            return true;
        file = call_site(cu, &scopes[i], &number);
    }
    return false;
}

/* The compilation unit of `address`. By the module's index, or by looking at
 * each of them: clang writes no index (.debug_aranges). */
static Dwarf_Die *unit_of(Dwfl_Module *module, Dwarf_Addr address,
                          Dwarf_Addr *bias)
{
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);

    if (unit != NULL)
        return unit;
    while ((unit = dwfl_module_nextcu(module, unit, bias)) != NULL)
        if (dwarf_haspc(unit, address - *bias) > 0)
            return unit;
    return NULL;
}

/* By debug information; false if there is none for `address`. */
static bool put_by_debug(struct lines *l, Dwfl_Module *module,
                         Dwarf_Addr address)
{
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = unit_of(module, address, &bias);
    Dwarf_Die *found = NULL, *scopes = NULL;
    Dwarf_Line *line;
    const char *file = NULL;
    int number = 0, count;
    bool is_put = false;

    if (unit == NULL || dwarf_getscopes(unit, address - bias, &found) <= 0)
        return false;
    line = dwarf_getsrc_die(unit, address - bias);
    if (line != NULL && dwarf_lineno(line, &number) == 0)
        file = dwarf_linesrc(line, NULL, NULL);
    /* From the innermost on by nesting: the scopes found lead to where an
     * inlined function was written, not to its caller. */
    count = dwarf_getscopes_die(&found[0], &scopes);
    if (count > 0)
        is_put = put_scopes(l, unit, scopes, count, file, number);
    free(scopes);
    free(found);
    return is_put;
}

static void put_by_symbol(struct lines *l, Dwfl_Module *module,
                          Dwarf_Addr address, uintptr_t shown)
{
    char line[LINE_SIZE];
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char *name = module == NULL
                           ? NULL
                           : dwfl_module_addrinfo(module, address, &offset,
                                                  &symbol, NULL, NULL, NULL);

    if (name != NULL)
        snprintf(line, sizeof line, "%.*s+0x%" PRIx64 " (%s)", NAME_MAX_SHOWN,
                 name, (uint64_t)offset, module_name(module));
    else
        snprintf(line, sizeof line, "0x%" PRIxPTR " (%s)", shown,
                 module_name(module));
    put(l, line);
}

static void put_frame(struct lines *l, Dwfl *dwfl, uintptr_t address,
                      bool is_return)
{
    /* A call may be the last instruction of its function. */
    Dwarf_Addr inside = address - (is_return && address > 0 ? 1 : 0);
    Dwfl_Module *module = dwfl_addrmodule(dwfl, inside);

    if (module == NULL || !put_by_debug(l, module, inside))
        put_by_symbol(l, module, inside, address);
}

static bool is_in(Dwfl *dwfl, uintptr_t address, const char *library)
{
    Dwfl_Module *module = dwfl_addrmodule(dwfl, address - (address > 0));

    return strncmp(module_name(module), library, strlen(library)) == 0;
}

/* Frames up to libffi's outermost ones: those below belong to the caller of the
 * task. */
static size_t without_caller(Dwfl *dwfl, const uintptr_t *addresses,
                             size_t count)
{
    for (size_t i = count; i-- > 1;) {
        if (!is_in(dwfl, addresses[i], "libffi."))
            continue;
        while (i > 1 && is_in(dwfl, addresses[i - 1], "libffi."))
            i--;
        return i;
    }
    return count;
}

/* How many of the first frames lead from what the task called (abort, free,
 * an assertion) to the signal. */
static size_t inside_abort(Dwfl *dwfl, const uintptr_t *addresses, size_t count)
{
    size_t n = 0;

    while (n < count && is_in(dwfl, addresses[n], "libc."))
        n++;
    return n > 0 && n < count ? n - 1 : 0;
}

static Dwfl *open_process(int32_t pid)
{
    static char *no_path;
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_linux_proc_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &no_path,
    };
    Dwfl *dwfl = dwfl_begin(&callbacks);

    if (dwfl != NULL && (dwfl_linux_proc_report(dwfl, pid) != 0 ||
                         dwfl_report_end(dwfl, NULL, NULL) != 0)) {
        dwfl_end(dwfl);
        dwfl = NULL;
    }
    return dwfl;
}

bool cadre_symbols_write(int32_t pid, const uintptr_t *addresses, size_t count,
                         char *text, size_t size)
{
    struct lines lines = {.text = text, .size = size};
    Dwfl *dwfl = open_process(pid);
    size_t first;

    text[0] = '\0';
    if (dwfl == NULL)
        return false;
    count = without_caller(dwfl, addresses, count);
    first = inside_abort(dwfl, addresses, count);
    for (size_t i = first; i < count; i++)
        put_frame(&lines, dwfl, addresses[i], i > 0);
    flush(&lines);
    dwfl_end(dwfl);
    return lines.len > 0;
}
