/* call.c - symbols by dlopen and dlsym, calls by libffi.
 *
 * A call whose arguments fit the registers goes by these (call_registers.h).
 * Any other is prepared once, in create (ffi_prep_cif), and an invoke is then
 * one ffi_call, except that a result smaller than a register passes through a
 * whole one: libffi widens integers to ffi_arg, and may write as many bytes for
 * a float.
 */
#include "call.h"

#include "call_registers.h"

#include <ctype.h>
#include <dlfcn.h>
#include <elf.h>
#include <ffi.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REASON_MAX = 256, /* bytes of the loader's own words in an error */
    HINT_MAX = 256
};

/* Libraries. */

/* What the loader last complained about, as one line. */
static void loader_reason(char reason[REASON_MAX])
{
    const char *text = dlerror();

    snprintf(reason, REASON_MAX, "%s",
             text != NULL ? text : "the loader gives no reason");
    for (char *c = reason; *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    }
}

/* What a person should check when `library` cannot be opened. */
static void library_hint(const char *library, char hint[HINT_MAX])
{
    size_t len = strlen(library);

    if (strchr(library, '/') != NULL && access(library, F_OK) != 0)
        snprintf(hint, HINT_MAX, "there is no such file here: check the path");
    else if (strchr(library, '/') != NULL)
        snprintf(hint, HINT_MAX,
                 "the file is there: check that it is a shared library for "
                 "this machine, and with ldd that all it needs is found");
    else if (access(library, F_OK) == 0)
        snprintf(hint, HINT_MAX,
                 "for the file in the current directory write './%.100s'",
                 library);
    else if (len > 3 && strcmp(library + len - 3, ".so") == 0)
        snprintf(hint, HINT_MAX,
                 "names ending in .so come with development packages: write "
                 "the version, such as '%.100s.1', or install the package",
                 library);
    else
        snprintf(hint, HINT_MAX,
                 "check the name, install its package, run ldconfig, set "
                 "LD_LIBRARY_PATH, or write its path");
}

static cadre_err fail_library(const char *library, struct cadre_error *error)
{
    char reason[REASON_MAX], hint[HINT_MAX];

    loader_reason(reason);
    library_hint(library, hint);
    return cadre_error_set(error, CADRE_ENOTFOUND,
                           "cannot open library '%.100s': %.180s (%s)", library,
                           reason, hint);
}

static cadre_err fail_symbol(const char *library, const char *symbol,
                             struct cadre_error *error)
{
    if (library != NULL)
        return cadre_error_set(
            error, CADRE_ENOTFOUND,
            "library '%.100s' has no function '%.100s': check the spelling "
            "with 'nm -D' (a static or C++ function has another name there)",
            library, symbol);
    return cadre_error_set(
        error, CADRE_ENOTFOUND,
        "no function '%.100s' in this program or the libraries it is linked "
        "with: define it with CADRE_TASK, or name its library",
        symbol);
}

/* Symbols. */

/* The symbol whose code or data starts at `address`, or NULL. */
static const ElfW(Sym) * symbol_at(void *address, Dl_info *info)
{
    void *extra = NULL;

    if (dladdr1(address, info, &extra, RTLD_DL_SYMENT) == 0 ||
        info->dli_sname == NULL || info->dli_saddr != address)
        return NULL;
    return extra;
}

/* Both ELF classes keep the type in the same bits. */
static bool is_data(const ElfW(Sym) * symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);

    return type == STT_OBJECT || type == STT_COMMON || type == STT_TLS;
}

static cadre_symbol_fn to_function(void *address)
{
    cadre_symbol_fn fn;

    /* POSIX promises this, ISO C does not allow the cast. */
    _Static_assert(sizeof fn == sizeof address, "code is not like data");
    memcpy(&fn, &address, sizeof fn);
    return fn;
}

static void *to_address(cadre_symbol_fn fn)
{
    void *address;

    memcpy(&address, &fn, sizeof address);
    return address;
}

cadre_err cadre_symbol_find(const char *library, const char *symbol,
                            cadre_symbol_fn *fn, struct cadre_error *error)
{
    void *handle = RTLD_DEFAULT, *address;
    const ElfW(Sym) * entry;
    Dl_info info;

    if (library != NULL && library[0] == '\0')
        library = NULL;
    if (library != NULL &&
        (handle = dlopen(library, RTLD_NOW | RTLD_LOCAL)) == NULL)
        return fail_library(library, error);
    if ((address = dlsym(handle, symbol)) == NULL)
        return fail_symbol(library, symbol, error);
    if ((entry = symbol_at(address, &info)) != NULL && is_data(entry))
        return cadre_error_set(error, CADRE_ENOTFOUND,
                               "'%.100s' in '%.100s' is data, not a function",
                               symbol, library != NULL ? library : "program");
    *fn = to_function(address);
    return CADRE_OK;
}

/* Absolute paths of libraries that were opened by a relative one. They are lent
 * for ever, so each is kept once, here. */
struct known_path {
    struct known_path *next;
    char path[];
};

static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;
static struct known_path *known_paths;

static const char *keep_path(const char *path)
{
    struct known_path *k;

    pthread_mutex_lock(&known_lock);
    for (k = known_paths; k != NULL && strcmp(k->path, path) != 0; k = k->next)
        ;
    if (k == NULL && (k = malloc(sizeof *k + strlen(path) + 1)) != NULL) {
        strcpy(k->path, path);
        k->next = known_paths;
        known_paths = k;
    }
    pthread_mutex_unlock(&known_lock);
    return k != NULL ? k->path : NULL;
}

/* Does `symbol` of `library` lead to `address`? Keeps the library open. */
static bool leads_to(const char *library, const char *symbol, void *address)
{
    void *handle =
        dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD | RTLD_NODELETE);
    bool does = handle != NULL && dlsym(handle, symbol) == address;

    if (handle != NULL)
        dlclose(handle);
    return does;
}

/* The path by which any process finds the library of `map`, lent for ever. */
static cadre_err absolute_path(const struct link_map *map, const char **path,
                               struct cadre_error *error)
{
    char absolute[PATH_MAX];
    const char *kept;

    if (map->l_name[0] == '/') {
        *path = map->l_name;
        return CADRE_OK;
    }
    if (realpath(map->l_name, absolute) == NULL)
        return cadre_error_set(error, CADRE_ENOTFOUND,
                               "library '%.200s' is not found any more from "
                               "the current directory",
                               map->l_name);
    if ((kept = keep_path(absolute)) == NULL)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "no memory for a library's path");
    *path = kept;
    return CADRE_OK;
}

cadre_err cadre_symbol_locate(cadre_symbol_fn fn, const char **library,
                              const char **symbol, struct cadre_error *error)
{
    void *address = to_address(fn);
    struct link_map *map = NULL;
    const char *path;
    Dl_info info;
    cadre_err err;

    if (dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 ||
        map == NULL)
        return cadre_error_set(error, CADRE_ENOTFOUND,
                               "address %p is in no program or library",
                               address);
    if (map->l_name[0] == '\0')
        return cadre_error_set(
            error, CADRE_ENOTFOUND,
            "the function at %p is part of this program, not of a shared "
            "library: define it with CADRE_TASK, or name it with its library",
            address);
    if (symbol_at(address, &info) == NULL)
        return cadre_error_set(
            error, CADRE_ENOTFOUND,
            "the function at %p in '%.200s' has no name that other processes "
            "could find: it is static, or chosen for this processor; name it "
            "with its library and prototype",
            address, map->l_name);
    if ((err = absolute_path(map, &path, error)) != CADRE_OK)
        return err;
    if (!leads_to(path, info.dli_sname, address))
        return cadre_error_set(
            error, CADRE_ENOTFOUND,
            "symbol '%.100s' of '%.200s' is another function than the one at "
            "%p: name it with its library and prototype",
            info.dli_sname, path, address);
    *library = path;
    *symbol = info.dli_sname;
    return CADRE_OK;
}

/* Calls. */

/* A struct as libffi knows it, for one call. */
struct ffi_struct {
    struct ffi_struct *next;
    const struct cadre_struct *of;
    ffi_type type;
    ffi_type *elements[]; /* ended by NULL */
};

struct cadre_call {
    cadre_symbol_fn fn;
    bool fits_registers;
    struct cadre_registers registers; /* if so; else what follows */
    ffi_cif cif;
    cadre_type narrow;          /* result type if a number smaller than ffi_arg,
                                   else VOID */
    struct ffi_struct *structs; /* owned; `cif` borrows them */
    ffi_type *params[];         /* borrowed by `cif` */
};

/* How libffi calls `type`; NULL where it cannot on this machine. */
static ffi_type *ffi_type_of(cadre_type type)
{
    switch (type) {
    case CADRE_VOID:
        return &ffi_type_void;
    case CADRE_BOOL:
    case CADRE_UINT8:
        return &ffi_type_uint8;
    case CADRE_INT8:
        return &ffi_type_sint8;
    case CADRE_INT16:
        return &ffi_type_sint16;
    case CADRE_UINT16:
        return &ffi_type_uint16;
    case CADRE_INT32:
        return &ffi_type_sint32;
    case CADRE_UINT32:
        return &ffi_type_uint32;
    case CADRE_INT64:
        return &ffi_type_sint64;
    case CADRE_UINT64:
        return &ffi_type_uint64;
    case CADRE_FLOAT:
        return &ffi_type_float;
    case CADRE_DOUBLE:
        return &ffi_type_double;
    case CADRE_LONG_DOUBLE:
        return &ffi_type_longdouble;
    case CADRE_STRING:
        return &ffi_type_pointer;
#ifdef FFI_TARGET_HAS_COMPLEX_TYPE
    case CADRE_FLOAT_COMPLEX:
        return &ffi_type_complex_float;
    case CADRE_DOUBLE_COMPLEX:
        return &ffi_type_complex_double;
    case CADRE_LONG_DOUBLE_COMPLEX:
        return &ffi_type_complex_longdouble;
#else
    case CADRE_FLOAT_COMPLEX:
    case CADRE_DOUBLE_COMPLEX:
    case CADRE_LONG_DOUBLE_COMPLEX:
        return NULL;
#endif
    case CADRE_AGGREGATE:
        return NULL; /* see ffi_type_of_struct() */
    }
    return NULL;
}

/* What libffi has no word for is put together from what it has: an array in a
 * struct is its elements, a complex number its two parts. Both lie and travel
 * in the same way. */
static cadre_type part_of(cadre_type type, uint64_t *parts)
{
    *parts = 2;
    switch (type) {
    case CADRE_FLOAT_COMPLEX:
        return CADRE_FLOAT;
    case CADRE_DOUBLE_COMPLEX:
        return CADRE_DOUBLE;
    case CADRE_LONG_DOUBLE_COMPLEX:
        return CADRE_LONG_DOUBLE;
    default:
        *parts = 1;
        return type;
    }
}

static size_t count_elements(const struct cadre_struct *of)
{
    uint64_t n = 0, parts;

    for (size_t i = 0; i < of->nfields; i++) {
        part_of(of->fields[i].type, &parts);
        n += of->fields[i].count * parts;
    }
    return n;
}

/* One for each struct of the call; NULL: no memory. The size of one that is
 * passed by value bounds the number of its elements. */
static ffi_type *ffi_type_of_struct(struct cadre_call *c,
                                    const struct cadre_struct *of)
{
    struct ffi_struct *s = c->structs;
    size_t n = 0;

    while (s != NULL && s->of != of)
        s = s->next;
    if (s != NULL)
        return &s->type;
    s = calloc(1, sizeof *s + (count_elements(of) + 1) * sizeof s->elements[0]);
    if (s == NULL)
        return NULL;
    s->of = of;
    s->type.type = FFI_TYPE_STRUCT; /* libffi finds out size and alignment */
    s->type.elements = s->elements;
    s->next = c->structs;
    c->structs = s;
    for (size_t i = 0; i < of->nfields; i++) {
        const struct cadre_field *f = &of->fields[i];
        uint64_t parts;
        ffi_type *type = f->of != NULL ? ffi_type_of_struct(c, f->of)
                                       : ffi_type_of(part_of(f->type, &parts));

        if (type == NULL)
            return NULL;
        part_of(f->type, &parts);
        for (uint64_t k = 0; k < f->count * parts; k++)
            s->elements[n++] = type;
    }
    return &s->type;
}

#ifdef __x86_64__
/* Is one long double all there is in `of`? */
static bool is_long_double(const struct cadre_struct *of)
{
    const struct cadre_field *f = &of->fields[0];

    while (of->nfields == 1 && f->count == 1 && f->of != NULL) {
        of = f->of;
        f = &of->fields[0];
    }
    return of->nfields == 1 && f->count == 1 && f->type == CADRE_LONG_DOUBLE;
}
#endif

/* A struct of one long double comes back in a register of the x87, where libffi
 * (3.4) does not look for a struct, but does for a long double. */
static ffi_type *ffi_type_of_result(struct cadre_call *c,
                                    const struct cadre_proto *proto)
{
    if (proto->result_of == NULL)
        return ffi_type_of(proto->result);
#ifdef __x86_64__
    if (is_long_double(proto->result_of))
        return &ffi_type_longdouble;
#endif
    return ffi_type_of_struct(c, proto->result_of);
}

/* Numbers and structs go by value; all else, MPI_Comm too, is a pointer. */
static ffi_type *ffi_type_of_param(struct cadre_call *c,
                                   const struct cadre_param *param)
{
    if (param->kind != CADRE_PARAM_SCALAR)
        return &ffi_type_pointer;
    return param->of != NULL ? ffi_type_of_struct(c, param->of)
                             : ffi_type_of(param->type);
}

static cadre_err prepare(struct cadre_call *c, const struct cadre_proto *proto,
                         struct cadre_error *error)
{
    ffi_type *result = ffi_type_of_result(c, proto);
    const char *missing =
        result == NULL ? cadre_type_name(proto->result) : NULL;
    bool no_memory = result == NULL && proto->result_of != NULL;

    for (int i = 0; i < proto->nparams; i++) {
        if ((c->params[i] = ffi_type_of_param(c, &proto->params[i])) != NULL)
            continue;
        no_memory |= proto->params[i].of != NULL;
        missing = cadre_type_name(proto->params[i].type);
    }
    if (no_memory)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "no memory to call '%.100s'", proto->name);
    if (missing != NULL)
        return cadre_error_set(error, CADRE_EINVAL,
                               "'%.100s' cannot be called: libffi cannot pass "
                               "'%s' on this machine",
                               proto->name, missing);
    if (ffi_prep_cif(&c->cif, FFI_DEFAULT_ABI, (unsigned)proto->nparams, result,
                     c->params) != FFI_OK)
        return cadre_error_set(error, CADRE_EINVAL,
                               "'%.100s' cannot be called: libffi refuses its "
                               "prototype",
                               proto->name);
    for (const struct ffi_struct *s = c->structs; s != NULL; s = s->next) {
        if (s->type.size != s->of->size || s->type.alignment != s->of->align)
            return cadre_error_set(error, CADRE_EINVAL,
                                   "'%.100s' cannot be called: libffi lays out "
                                   "'%.60s' otherwise",
                                   proto->name, s->of->name);
    }
    return CADRE_OK;
}

void cadre_call_destroy(struct cadre_call *call)
{
    struct ffi_struct *next;

    if (call == NULL)
        return;
    for (struct ffi_struct *s = call->structs; s != NULL; s = next) {
        next = s->next;
        free(s);
    }
    free(call);
}

cadre_err cadre_call_create(const struct cadre_proto *proto, cadre_symbol_fn fn,
                            struct cadre_call **call, struct cadre_error *error)
{
    struct cadre_call *c;
    cadre_err err;

    c = calloc(1, sizeof *c + (size_t)proto->nparams * sizeof *c->params);
    if (c == NULL)
        return cadre_error_set(error, CADRE_ENOMEM,
                               "no memory to call '%.100s'", proto->name);
    c->fn = fn;
    c->narrow = CADRE_VOID;
    c->fits_registers = cadre_registers_plan(proto, &c->registers);
    if (proto->result_of == NULL &&
        cadre_type_size(proto->result) < sizeof(ffi_arg))
        c->narrow = proto->result;
    if (!c->fits_registers && (err = prepare(c, proto, error)) != CADRE_OK) {
        cadre_call_destroy(c);
        return err;
    }
    *call = c;
    return CADRE_OK;
}

/* A register's worth of result. */
union wide {
    ffi_arg integer;
    float real;
};

static void narrow(cadre_type type, const union wide *wide, void *result)
{
    switch (cadre_type_size(type)) {
    case 1:
        *(uint8_t *)result = (uint8_t)wide->integer;
        return;
    case 2:
        *(uint16_t *)result = (uint16_t)wide->integer;
        return;
    case 4:
        if (type == CADRE_FLOAT)
            *(float *)result = wide->real;
        else
            *(uint32_t *)result = (uint32_t)wide->integer;
        return;
    }
}

/* libffi (3.4) makes copies of large structs and points its arguments to them:
 * the caller's pointers stay. */
static void **keep_args(const struct cadre_call *call, void **args,
                        void **copies)
{
    if (call->structs == NULL)
        return args;
    return memcpy(copies, args, call->cif.nargs * sizeof *args);
}

/* libffi only reads the cif; its prototype lacks the const. */
static void invoke_by_ffi(const struct cadre_call *call, void **args,
                          void *result)
{
    ffi_cif *cif = (ffi_cif *)&call->cif;
    void *copies[CADRE_PARAMS_MAX];
    union wide wide;

    args = keep_args(call, args, copies);
    if (call->narrow == CADRE_VOID) {
        ffi_call(cif, call->fn, result, args);
        return;
    }
    ffi_call(cif, call->fn, &wide, args);
    narrow(call->narrow, &wide, result);
}

void cadre_call_invoke(const struct cadre_call *call, void **args, void *result)
{
    if (call->fits_registers)
        cadre_registers_invoke(&call->registers, call->fn, args, result);
    else
        invoke_by_ffi(call, args, result);
}
