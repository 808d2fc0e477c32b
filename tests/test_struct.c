/* test_struct.c - structs by value: declared, laid out, called.
 *
 * struct_cases.h, written by struct_cases.py, has some hundreds of structs as C
 * and as text; the compiler says how each lies in memory and what a call does.
 */
#include "call.h"
#include "structs.h"

#include "check.h"

#include <complex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct struct_case {
    const char *name;
    const char *fields; /* as text */
    size_t size, align, nfields;
    const size_t *offsets;
    const char *prototype; /* of `pass` */
    const char *before;    /* the types of its first parameters, digits */
    void (*fill)(void *to, int seed);
    bool (*holds)(const void *from, int seed);
    void (*pass)(void);
};

#include "struct_cases.h"

enum { NCASES = sizeof cases / sizeof cases[0], ROOM = 1 << 16 };

static struct cadre_error error;

/* The nth allocation from now on fails; 0: none does. */
static int failing;

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
    return failing > 0 && --failing == 0 ? NULL : __real_calloc(n, size);
}

void *__wrap_malloc(size_t size)
{
    return failing > 0 && --failing == 0 ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return failing > 0 && --failing == 0 ? NULL : __real_realloc(p, size);
}

static void declare_cases(void)
{
    for (int i = 0; i < NCASES; i++) {
        if (cadre_struct_declare(cases[i].name, cases[i].fields, cases[i].size,
                                 &error) != CADRE_OK)
            CU_FAIL_FATAL(error.text);
    }
}

static void a_struct_lies_in_memory_as_the_compiler_has_it(void)
{
    declare_cases();
    for (int i = 0; i < NCASES; i++) {
        const struct struct_case *c = &cases[i];
        const struct cadre_struct *s =
            cadre_struct_find(c->name, strlen(c->name));

        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        CU_ASSERT_STRING_EQUAL(s->name + strlen("struct "), c->name);
        CU_ASSERT_EQUAL(s->size, c->size);
        CU_ASSERT_EQUAL(s->align, c->align);
        CU_ASSERT_EQUAL_FATAL(s->nfields, c->nfields);
        for (size_t f = 0; f < s->nfields; f++)
            CU_ASSERT_EQUAL(s->fields[f].offset, c->offsets[f]);
    }
}

/* Call `c->pass` as `proto` says; the bytes behind the result stay. */
static void pass(const struct struct_case *c, const struct cadre_proto *proto)
{
    static _Alignas(16) unsigned char given[ROOM], got[ROOM], want[16];
    union {
        int i;
        double d;
        float f;
        long l;
        long double ld;
        int8_t i8;
        double complex dc;
    } before[16];
    void *args[32] = {NULL}, *args_before[32];
    struct cadre_call *call = NULL;
    int n = 0, last = 77;

    for (; c->before[n] != '\0'; n++) {
        switch (c->before[n]) {
        case '0':
            before[n].i = n + 1;
            break;
        case '1':
            before[n].d = n + 1;
            break;
        case '2':
            before[n].f = (float)(n + 1);
            break;
        case '3':
            before[n].l = n + 1;
            break;
        case '4':
            before[n].ld = n + 1;
            break;
        case '5':
            before[n].i8 = (int8_t)(n + 1);
            break;
        default:
            before[n].dc = n + 1;
        }
        args[n] = &before[n];
    }
    memset(given, 0, c->size);
    c->fill(given, 7);
    args[n] = given;
    args[n + 1] = &last;
    memset(want, 0xa5, sizeof want);
    memset(got, 0xa5, c->size + sizeof want);
    CU_ASSERT_EQUAL_FATAL(cadre_call_create(proto, c->pass, &call, &error),
                          CADRE_OK);
    arrived = false;
    memcpy(args_before, args, sizeof args);
    cadre_call_invoke(call, args, got);
    CU_ASSERT_EQUAL(memcmp(args_before, args, (size_t)(n + 2) * sizeof args[0]),
                    0);
    if (!arrived || !c->holds(got, 11))
        printf("\n    %s { %s }: %s\n", c->prototype, c->fields,
               arrived ? "comes back wrong" : "arrives wrong");
    CU_ASSERT_TRUE(arrived);
    CU_ASSERT_TRUE(c->holds(got, 11));
    CU_ASSERT_EQUAL(memcmp(got + c->size, want, sizeof want), 0);
    cadre_call_destroy(call);
}

static void a_struct_is_passed_and_returned_as_the_compiler_does(void)
{
    struct cadre_proto *proto;

    declare_cases();
    for (int i = 0; i < NCASES; i++) {
        CU_ASSERT_EQUAL_FATAL(
            cadre_proto_parse(cases[i].prototype, &proto, &error), CADRE_OK);
        CU_ASSERT_EQUAL(cadre_proto_result_size(proto), cases[i].size);
        pass(&cases[i], proto);
        cadre_proto_destroy(proto);
    }
}

/* What a worker gets. */
static char *self_contained(const struct cadre_proto *proto)
{
    char *text = NULL;

    CU_ASSERT_TRUE_FATAL(
        asprintf(&text, "%s%s", proto->declarations, proto->text) >= 0);
    return text;
}

static void declarations_travel_with_the_prototype(void)
{
    struct cadre_proto *proto, *again;
    char *text, *second;

    declare_cases();
    for (int i = 0; i < NCASES; i++) {
        CU_ASSERT_EQUAL_FATAL(
            cadre_proto_parse(cases[i].prototype, &proto, &error), CADRE_OK);
        CU_ASSERT_STRING_EQUAL(proto->text, cases[i].prototype);
        text = self_contained(proto);
        if (cadre_proto_parse(text, &again, &error) != CADRE_OK)
            CU_FAIL_FATAL(error.text);
        second = self_contained(again);
        CU_ASSERT_STRING_EQUAL(text, second);
        CU_ASSERT_STRING_EQUAL(again->text, cases[i].prototype);
        free(text);
        free(second);
        cadre_proto_destroy(again);
        cadre_proto_destroy(proto);
    }
}

static void a_declaration_may_stand_in_front_of_the_prototype(void)
{
    struct cadre_proto *proto;

    CU_ASSERT_EQUAL_FATAL(
        cadre_proto_parse("struct in_front { double x, y; char name[4]; };\n"
                          "typedef struct { struct in_front a[2]; } both;"
                          "double f(both b, const struct in_front p[3]);",
                          &proto, &error),
        CADRE_OK);
    CU_ASSERT_STRING_EQUAL(
        proto->declarations,
        "struct in_front { double x; double y; int8_t name[4]; }; "
        "struct both { struct in_front a[2]; }; ");
    CU_ASSERT_STRING_EQUAL(proto->text,
                           "double f(both b, const struct in_front p[3]);");
    CU_ASSERT_EQUAL(proto->params[0].kind, CADRE_PARAM_SCALAR);
    CU_ASSERT_EQUAL(proto->params[0].type, CADRE_AGGREGATE);
    CU_ASSERT_EQUAL(cadre_param_size(&proto->params[0]), 48);
    CU_ASSERT_EQUAL(proto->params[1].kind, CADRE_PARAM_ARRAY);
    CU_ASSERT_EQUAL(cadre_param_size(&proto->params[1]), 24);
    CU_ASSERT_PTR_NULL(cadre_struct_find("in_front", 8));
    cadre_proto_destroy(proto);
}

static void both_names_of_a_struct_are_understood(void)
{
    struct cadre_proto *proto;

    CU_ASSERT_EQUAL(
        cadre_struct_declare("struct point", "double x, double y", 0, &error),
        CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(
        cadre_proto_parse("point f(struct point a, const point b, "
                          "CADRE_OUT point c[3], point *d)",
                          &proto, &error),
        CADRE_OK);
    CU_ASSERT_STRING_EQUAL(proto->result_of->name, "struct point");
    for (int i = 0; i < 3; i++)
        CU_ASSERT_PTR_EQUAL(proto->params[i].of, proto->result_of);
    CU_ASSERT_EQUAL(proto->params[3].kind, CADRE_PARAM_OBJECT);
    cadre_proto_destroy(proto);
}

static void the_same_declaration_again_is_fine(void)
{
    CU_ASSERT_EQUAL(
        cadre_struct_declare("twice", "double x; double y;", 16, &error),
        CADRE_OK);
    CU_ASSERT_EQUAL(
        cadre_struct_declare("twice", "double x, y /* } */", 0, &error),
        CADRE_OK);
    CU_ASSERT_EQUAL(cadre_struct_declare("twice", "double x, z", 0, &error),
                    CADRE_EPARSE);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "'struct twice' has been declared with other "
                           "fields");
    CU_ASSERT_EQUAL(
        cadre_struct_declare("packed", "char c; double x", 9, &error),
        CADRE_EPARSE);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "'struct packed' has 9 bytes here, its fields make "
                           "16: is it packed or aligned by hand?");
}

/* Declaring `struct s` with these fields fails with just this text. */
static void refused(const char *fields, const char *text)
{
    error.text[0] = '\0';
    CU_ASSERT_EQUAL(cadre_struct_declare("s", fields, 0, &error), CADRE_EPARSE);
    if (strncmp(error.text, text, strlen(text)) != 0)
        printf("\n    %s\n    gives    %s\n    expected %s\n", fields,
               error.text, text);
    CU_ASSERT_EQUAL(strncmp(error.text, text, strlen(text)), 0);
    CU_ASSERT_PTR_NULL(cadre_struct_find("s", 1));
}

static void what_a_struct_cannot_have_is_named_with_its_column(void)
{
    refused("", "column 1: a struct without fields");
    refused("double x; char *name", "column 11: 'char *' is a pointer");
    refused("int *p, q", "column 1: 'int *' is a pointer");
    refused("int p, *q", "column 1: 'int p, *' is a pointer");
    refused("void (*f)(int)", "column 1: 'void *' is a pointer");
    refused("int a : 3", "column 7: a bit-field");
    refused("int a, : 3", "column 8: a bit-field");
    refused("int n; double x[]", "column 16: a field without a length");
    refused("int n; double x[n]", "column 17: the length of a field");
    refused("double x[0]", "column 9: the length is 0");
    refused("double x, float x", "column 17: a second field called 'x'");
    refused("dobule x", "column 1: unknown type 'dobule': is it 'double'?");
    refused("struct nowhere n", "column 8: 'struct nowhere' is not declared");
    refused("double x; struct s next",
            "column 18: 'struct s' is incomplete here");
    refused("struct { int a; } b", "column 8: expected the name");
    refused("struct b { int a; } b", "column 10: a struct within a struct");
    refused("union u v", "column 1: 'union u' is a union");
    refused("void x", "column 1: 'void' cannot be a field");
    refused("MPI_Comm c", "column 1: 'MPI_Comm' cannot be a field");
    refused("CADRE_OUT int x[3]", "column 1: CADRE_OUT goes with");
    refused("char c; __attribute__((packed)) double x",
            "column 9: an attribute may change");
    refused("double x __attribute__((aligned(32)))",
            "column 10: an attribute may change");
    refused("double x }", "column 10: expected the end of the fields");
    refused("double x y", "column 10: expected ';' or ','");
    refused("double", "column 7: expected the name of a field");
    refused("double x[1000000000][1000000000][1000000000]",
            "column 1: the struct is larger than any memory");
}

static void a_bad_name_is_no_struct(void)
{
    CU_ASSERT_EQUAL(cadre_struct_declare("a b", "int x", 0, &error),
                    CADRE_EPARSE);
    CU_ASSERT_STRING_EQUAL(error.text, "'a b' is not a name for a struct");
    CU_ASSERT_EQUAL(cadre_struct_declare("", "int x", 0, &error), CADRE_EPARSE);
    CU_ASSERT_EQUAL(cadre_struct_declare("int", "int x", 0, &error),
                    CADRE_EPARSE);
}

/* Parsing fails with just this text. */
static void no_prototype(const char *text, const char *expected)
{
    struct cadre_proto *proto;

    error.text[0] = '\0';
    CU_ASSERT_EQUAL(cadre_proto_parse(text, &proto, &error), CADRE_EPARSE);
    if (strncmp(error.text, expected, strlen(expected)) != 0)
        printf("\n    %s\n    gives    %s\n    expected %s\n", text, error.text,
               expected);
    CU_ASSERT_EQUAL(strncmp(error.text, expected, strlen(expected)), 0);
}

static void a_prototype_with_a_bad_struct_names_the_column(void)
{
    no_prototype("double f(struct nowhere p)",
                 "column 17: 'struct nowhere' is not declared: write");
    no_prototype("struct nowhere f(void)",
                 "column 8: 'struct nowhere' is not declared");
    no_prototype("struct later; double f(struct later p[3])",
                 "column 31: 'struct later' is not declared");
    no_prototype("struct d { int a; }; struct d { long a; }; void f(void)",
                 "column 29: 'struct d' has been declared with other fields");
    no_prototype("struct d { int a; } void f(void)",
                 "column 21: expected ';' behind the declaration");
    no_prototype("struct d { int a; void f(void)",
                 "column 19: 'void' cannot be a field");
    no_prototype("struct d { int a;",
                 "column 18: expected '}' behind the fields");
    no_prototype("struct { int a; } void f(void)",
                 "column 8: expected the name of the struct");
    no_prototype("typedef struct a { int a; } b; void f(b)",
                 "column 29: a struct and its typedef");
    no_prototype("typedef int b; void f(b)", "column 9: expected 'struct'");
    no_prototype("struct big { char c[65537]; }; void f(struct big b)",
                 "column 39: 'struct big b' has 65537 bytes");
    no_prototype("struct big { char c[65537]; }; struct big f(void)",
                 "column 32: 'struct big f' has 65537 bytes");
    no_prototype("struct big { char c[65537]; }; void f(const struct big "
                 "b[1000000000000000])",
                 "column 39: 'const struct big b");
    no_prototype("struct d { int a; }; void f(struct d n, const int x[n])",
                 "column 53: the length 'n' of 'x' is not an integer");
}

static void without_memory_nothing_is_declared_and_nothing_is_lost(void)
{
    static const char text[] = "struct m { struct twice a, b[2]; }; "
                               "struct m f(struct m a, struct twice b)";
    struct cadre_proto *proto = NULL;
    struct cadre_call *call = NULL;
    cadre_err err;
    int n = 0;

    do {
        failing = ++n;
        err = cadre_struct_declare("late", "int x", 0, &error);
        CU_ASSERT_EQUAL(cadre_struct_find("late", 4) != NULL, err == CADRE_OK);
    } while (err == CADRE_ENOMEM && n < 100);
    CU_ASSERT_EQUAL(err, CADRE_OK);
    CU_ASSERT_EQUAL(n, 2);
    n = 0;
    do {
        failing = ++n;
        err = cadre_proto_parse(text, &proto, &error);
    } while (err == CADRE_ENOMEM && n < 100);
    CU_ASSERT_EQUAL_FATAL(err, CADRE_OK);
    CU_ASSERT_TRUE(n > 4);
    n = 0;
    do {
        failing = ++n;
        err = cadre_call_create(proto, (void (*)(void))abort, &call, &error);
    } while (err == CADRE_ENOMEM && n < 100);
    failing = 0;
    CU_ASSERT_EQUAL_FATAL(err, CADRE_OK);
    CU_ASSERT_EQUAL(n, 4);
    cadre_call_destroy(call);
    cadre_proto_destroy(proto);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(a_struct_lies_in_memory_as_the_compiler_has_it),
        CHECK(a_struct_is_passed_and_returned_as_the_compiler_does),
        CHECK(declarations_travel_with_the_prototype),
        CHECK(a_declaration_may_stand_in_front_of_the_prototype),
        CHECK(both_names_of_a_struct_are_understood),
        CHECK(the_same_declaration_again_is_fine),
        CHECK(what_a_struct_cannot_have_is_named_with_its_column),
        CHECK(a_bad_name_is_no_struct),
        CHECK(a_prototype_with_a_bad_struct_names_the_column),
        CHECK(without_memory_nothing_is_declared_and_nothing_is_lost),
        {NULL, NULL}};

    return check_run("struct", tests);
}
