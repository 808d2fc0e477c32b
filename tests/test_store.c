/* test_store.c - what a worker keeps, and what its tasks get from there: from
 * the caller's values through pack, rows and the store to the C function and
 * back.
 */
#include "alloc.h"
#include "call.h"
#include "check.h"
#include "pack.h"
#include "store.h"

#include "api/internal.h"

#include <cadre/store.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cadre_store *store;

static void begin(void)
{
    CU_ASSERT_EQUAL_FATAL(cadre_store_create(&store), CADRE_OK);
}

static void end(void)
{
    cadre_store_destroy(store);
    store = NULL;
}

/* A call gave `err`, it should be `expected` with the text `words`. */
static void expect(cadre_err err, cadre_err expected, const char *words)
{
    CU_ASSERT_EQUAL(err, expected);
    CU_ASSERT_STRING_EQUAL(cadre_error_text(), words);
}

/* --- values ----------------------------------------------------------------
 */

static void a_number_comes_back_as_any_type_that_holds_it(void)
{
    signed char c = 0;
    uint64_t u = 0;
    double d = 0;
    long l = 0;
    bool b = false;
    float _Complex z = 0;

    begin();
    CU_ASSERT_EQUAL(cadre_store_put(store, "k", 3L), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_get(store, "k", &l), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_get(store, "k", &c), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_get(store, "k", &u), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_get(store, "k", &d), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_get(store, "k", &z), CADRE_OK);
    CU_ASSERT(l == 3 && c == 3 && u == 3 && d == 3 && __real__ z == 3);
    CU_ASSERT_EQUAL(cadre_store_put(store, "x", -2.0f), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_get(store, "x", &c), CADRE_OK);
    CU_ASSERT_EQUAL(c, -2);
    CU_ASSERT_EQUAL(cadre_store_put(store, "yes", (bool)true), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_get(store, "yes", &b), CADRE_OK);
    CU_ASSERT_TRUE(b);
    end();
}

static void a_number_that_would_change_is_refused_with_both_types(void)
{
    unsigned char c = 7;
    int i = 7;

    begin();
    cadre_store_put(store, "k", 300L);
    cadre_store_put(store, "x", 0.5);
    expect(cadre_store_get(store, "k", &c), CADRE_ETYPE,
           "`k` is stored as int64_t, and its value does not fit uint8_t");
    expect(cadre_store_get(store, "x", &i), CADRE_ETYPE,
           "`x` is stored as double, and its value does not fit int32_t");
    CU_ASSERT(c == 7 && i == 7);
    end();
}

static void a_string_is_copied(void)
{
    char text[] = "abc";
    const char *s = NULL;
    int i;

    begin();
    CU_ASSERT_EQUAL(cadre_store_put(store, "s", text), CADRE_OK);
    text[0] = 'x';
    CU_ASSERT_EQUAL(cadre_store_get(store, "s", &s), CADRE_OK);
    CU_ASSERT_STRING_EQUAL(s, "abc");
    expect(cadre_store_get(store, "s", &i), CADRE_ETYPE,
           "`s` is stored as char * and cannot be read as int32_t");
    CU_ASSERT_EQUAL(cadre_store_put(store, "s", (char *)NULL), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_get(store, "s", &s), CADRE_OK);
    CU_ASSERT_PTR_NULL(s);
    end();
}

static void an_array_is_copied_in_and_seen_in_place(void)
{
    double from[] = {1, 2, 3}, *x = NULL, *again = NULL;
    size_t n = 0;

    begin();
    CU_ASSERT_EQUAL(cadre_store_put_array(store, "x", 3, from), CADRE_OK);
    from[0] = 9;
    CU_ASSERT_EQUAL_FATAL(cadre_store_get_array(store, "x", &n, &x), CADRE_OK);
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_EQUAL(x[0], 1);
    x[2] = 30;
    CU_ASSERT_EQUAL(cadre_store_get_array(store, "x", NULL, &again), CADRE_OK);
    CU_ASSERT_PTR_EQUAL(again, x);
    CU_ASSERT_EQUAL(again[2], 30);
    end();
}

static void an_array_has_one_type_and_no_more_than_it_has(void)
{
    int table[2][3] = {{1, 2, 3}, {4, 5, 6}}, *t = NULL, i = 0;
    double *rows[2] = {NULL, NULL}, *x = NULL;
    char letters[] = {'a', 'b'}, *c = NULL;
    size_t n = 0;

    begin();
    CU_ASSERT_EQUAL(cadre_store_put_array(store, "t", 6, table), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_store_get_array(store, "t", &n, &t), CADRE_OK);
    CU_ASSERT(n == 6 && t[5] == 6);
    CU_ASSERT_EQUAL(cadre_store_put_array(store, "c", 2, letters), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_store_get_array(store, "c", &n, &c), CADRE_OK);
    CU_ASSERT(n == 2 && c[1] == 'b');
    expect(cadre_store_put_array(store, "t", 7, table), CADRE_ETYPE,
           "`t`: the array has 6 elements of int32_t, not 7");
    expect(cadre_store_put_array(store, "r", 2, rows), CADRE_ETYPE,
           "`r`: only numbers one after another can be stored as an array");
    expect(cadre_store_get_array(store, "t", &n, &x), CADRE_ETYPE,
           "`t` is stored as an array of int32_t and cannot be seen as an "
           "array of double");
    expect(cadre_store_get(store, "t", &i), CADRE_ETYPE,
           "`t` is stored as an array of int32_t and cannot be read as "
           "int32_t");
    expect(cadre_store_put(store, "y", &table[0][0]), CADRE_ETYPE,
           "`y`: an array of int32_t needs its length: write ..._array(store, "
           "\"y\", length, array)");
    CU_ASSERT_EQUAL(cadre_store_count(store), 2);
    end();
}

static void an_array_from_nothing_is_zero(void)
{
    size_t n = 0;
    float *x;

    begin();
    CU_ASSERT_EQUAL(cadre_store_put_array(store, "x", 5, (float *)NULL),
                    CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_store_get_array(store, "x", &n, &x), CADRE_OK);
    CU_ASSERT_EQUAL(n, 5);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(x[i], 0);
    CU_ASSERT_EQUAL(cadre_store_put_array(store, "e", 0, (float *)NULL),
                    CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_store_get_array(store, "e", &n, &x), CADRE_OK);
    CU_ASSERT(n == 0 && x != NULL);
    end();
}

static void an_array_grows_and_shrinks(void)
{
    double more[] = {1.5, 2.5}, *x = NULL;
    size_t n = 0;

    begin();
    cadre_store_put_array(store, "x", 1, (double[]){0.5});
    CU_ASSERT_EQUAL(cadre_store_append_array(store, "x", 2, more), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_append(store, "x", 3), CADRE_OK);
    for (int i = 4; i < 1000; i++)
        CU_ASSERT_EQUAL(cadre_store_append(store, "x", i), CADRE_OK);
    cadre_store_get_array(store, "x", &n, &x);
    CU_ASSERT(n == 1000 && x[0] == 0.5 && x[2] == 2.5 && x[999] == 999);
    CU_ASSERT_EQUAL(cadre_store_append_array(store, "x", 998, x + 2), CADRE_OK);
    cadre_store_get_array(store, "x", &n, &x);
    CU_ASSERT(n == 1998 && x[1000] == 2.5 && x[1997] == 999);
    CU_ASSERT_EQUAL(cadre_store_resize(store, "x", 1), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_resize(store, "x", 3), CADRE_OK);
    cadre_store_get_array(store, "x", &n, &x);
    CU_ASSERT(n == 3 && x[0] == 0.5 && x[1] == 0 && x[2] == 0);
    end();
}

static void what_cannot_be_appended_is_refused(void)
{
    size_t n = 0;
    int *x;

    begin();
    cadre_store_put_array(store, "x", 1, (int[]){5});
    cadre_store_put(store, "k", 1);
    expect(cadre_store_append(store, "x", 0.5), CADRE_ETYPE,
           "`x` is an array of int32_t: what is to be appended, double, has a "
           "value that does not fit");
    expect(cadre_store_append_array(store, "x", 2, ((double[]){1, 1e30})),
           CADRE_ETYPE,
           "`x` is an array of int32_t: what is to be appended, an array of "
           "double, has a value that does not fit");
    expect(cadre_store_append(store, "x", "text"), CADRE_ETYPE,
           "`x` is an array of int32_t: char * cannot be appended to it");
    expect(cadre_store_append(store, "k", 1), CADRE_ETYPE,
           "`k` is stored as int32_t, not as an array");
    expect(cadre_store_append(store, "y", 1), CADRE_ENOTFOUND,
           "the store has nothing called `y`");
    expect(cadre_store_resize(store, "x", SIZE_MAX / 4), CADRE_ENOMEM,
           "no memory for `x`, an array of int32_t of 4611686018427387903 "
           "elements");
    cadre_store_get_array(store, "x", &n, &x);
    CU_ASSERT(n == 1 && x[0] == 5);
    end();
}

/* --- objects ----------------------------------------------------------------
 */

struct thing {
    const char *name;
};

static char ended[64]; /* names of the things that were freed */

static void thing_free(struct thing *thing)
{
    strcat(strcat(ended, thing->name), " ");
}

static void an_object_is_kept_by_its_pointer(void)
{
    struct thing a = {"a"}, *found = NULL;
    int i = 0;

    begin();
    CU_ASSERT_EQUAL(cadre_store_put_object(store, "a", &a, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_store_get_object(store, "a", &found), CADRE_OK);
    CU_ASSERT_PTR_EQUAL(found, &a);
    cadre_store_put(store, "k", 1);
    expect(cadre_store_get_object(store, "k", &found), CADRE_ETYPE,
           "`k` is stored as int32_t, not as an object");
    expect(cadre_store_get(store, "a", &i), CADRE_ETYPE,
           "`a` is stored as an object and cannot be read as int32_t");
    expect(cadre_store_put_object(store, "n", (struct thing *)NULL, NULL),
           CADRE_EINVAL, "n: a pointer is NULL");
    end();
}

static void objects_end_in_the_reverse_order_of_putting(void)
{
    struct thing a = {"a"}, b = {"b"}, c = {"c"};

    ended[0] = '\0';
    begin();
    cadre_store_put_object(store, "a", &a, thing_free);
    cadre_store_put_object(store, "b", &b, thing_free);
    cadre_store_put(store, "k", 1);
    cadre_store_put_object(store, "c", &c, thing_free);
    cadre_store_clear(store);
    CU_ASSERT_STRING_EQUAL(ended, "c b a ");
    CU_ASSERT_EQUAL(cadre_store_count(store), 0);
    CU_ASSERT_EQUAL(cadre_store_put_object(store, "a", &a, thing_free),
                    CADRE_OK);
    end();
    CU_ASSERT_STRING_EQUAL(ended, "c b a a ");
}

static void replacing_and_removing_end_an_object(void)
{
    struct thing a = {"a"}, b = {"b"}, *found = NULL;

    ended[0] = '\0';
    begin();
    cadre_store_put_object(store, "x", &a, thing_free);
    CU_ASSERT_EQUAL(cadre_store_put_object(store, "x", &a, thing_free),
                    CADRE_OK);
    CU_ASSERT_STRING_EQUAL(ended, "");
    CU_ASSERT_EQUAL(cadre_store_put_object(store, "x", &b, thing_free),
                    CADRE_OK);
    CU_ASSERT_STRING_EQUAL(ended, "a ");
    cadre_store_get_object(store, "x", &found);
    CU_ASSERT_PTR_EQUAL(found, &b);
    CU_ASSERT_EQUAL(cadre_store_put(store, "x", 1), CADRE_OK);
    CU_ASSERT_STRING_EQUAL(ended, "a b ");
    cadre_store_put_object(store, "x", &a, thing_free);
    CU_ASSERT_EQUAL(cadre_store_remove(store, "x"), CADRE_OK);
    CU_ASSERT_STRING_EQUAL(ended, "a b a ");
    expect(cadre_store_remove(store, "x"), CADRE_ENOTFOUND,
           "the store has nothing called `x`");
    end();
    CU_ASSERT_STRING_EQUAL(ended, "a b a ");
}

static cadre_err put_while_emptying;
static bool has_other;

static void greedy_free(struct thing *thing)
{
    (void)thing;
    has_other = cadre_store_has(store, "other");
    put_while_emptying = cadre_store_put(store, "late", 1);
    cadre_store_clear(store);
}

static void a_destructor_may_look_but_not_put(void)
{
    struct thing other = {"other"}, greedy = {"greedy"};

    ended[0] = '\0';
    begin();
    cadre_store_put_object(store, "other", &other, thing_free);
    cadre_store_put_object(store, "greedy", &greedy, greedy_free);
    cadre_store_clear(store);
    CU_ASSERT_TRUE(has_other);
    CU_ASSERT_EQUAL(put_while_emptying, CADRE_ESTATE);
    CU_ASSERT_STRING_EQUAL(cadre_error_text(),
                           "`late` cannot be put: the store is being emptied");
    CU_ASSERT_STRING_EQUAL(ended, "other ");
    CU_ASSERT_EQUAL(cadre_store_count(store), 0);
    end();
}

/* --- names ------------------------------------------------------------------
 */

static void entries_are_listed_in_the_order_of_putting(void)
{
    struct cadre_store_entry e;

    begin();
    cadre_store_put(store, "a", 1);
    cadre_store_put_array(store, "b", 2, ((double[]){1, 2}));
    cadre_store_put(store, "c", "text");
    cadre_store_put(store, "a", 2.0);
    CU_ASSERT_EQUAL(cadre_store_count(store), 3);
    CU_ASSERT_EQUAL(cadre_store_entry(store, 0, &e), CADRE_OK);
    CU_ASSERT_STRING_EQUAL(e.name, "b");
    CU_ASSERT(e.type == CADRE_DOUBLE && e.is_array && e.count == 2);
    CU_ASSERT_EQUAL(cadre_store_entry(store, 2, &e), CADRE_OK);
    CU_ASSERT_STRING_EQUAL(e.name, "a");
    CU_ASSERT(e.type == CADRE_DOUBLE && !e.is_array && e.count == 1);
    expect(cadre_store_entry(store, 3, &e), CADRE_EINVAL,
           "the store has no entry 3, it has 3");
    end();
}

static void many_names_are_found(void)
{
    char name[16];
    int x = -1;

    begin();
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "n%d", i);
        CU_ASSERT_EQUAL(cadre_store_put(store, name, i), CADRE_OK);
    }
    for (int i = 0; i < 500; i += 7) {
        snprintf(name, sizeof name, "n%d", i);
        CU_ASSERT_EQUAL(cadre_store_get(store, name, &x), CADRE_OK);
        CU_ASSERT_EQUAL(x, i);
    }
    end();
}

static void bad_names_and_null_pointers_are_refused(void)
{
    char name[300];
    int x;

    memset(name, 'n', sizeof name);
    name[256] = '\0';
    begin();
    expect(cadre_store_put(store, "", 1), CADRE_EINVAL,
           "a name in the store has 1 to 255 bytes, '' has 0");
    expect(cadre_store_put(store, name, 1), CADRE_EINVAL,
           "a name in the store has 1 to 255 bytes, "
           "'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...' has 256");
    name[255] = '\0';
    CU_ASSERT_EQUAL(cadre_store_put(store, name, 1), CADRE_OK);
    expect(cadre_store_put(NULL, "k", 1), CADRE_EINVAL, "k: the store is NULL");
    expect(cadre_store_put(store, NULL, 1), CADRE_EINVAL, "the name is NULL");
    expect(cadre_store_get(store, "k", (int *)NULL), CADRE_EINVAL,
           "k: a pointer is NULL");
    expect(cadre_store_get(store, "k", &x), CADRE_ENOTFOUND,
           "the store has nothing called `k`");
    expect(cadre_store_create(NULL), CADRE_EINVAL,
           "store_create: the pointer is NULL");
    CU_ASSERT_FALSE(cadre_store_has(NULL, "k"));
    CU_ASSERT_EQUAL(cadre_store_count(NULL), 0);
    cadre_store_clear(NULL);
    cadre_store_destroy(NULL);
    end();
}

static void without_memory_the_store_stays_as_it_was(void)
{
    static const double x[4] = {1, 2, 3, 4};
    struct thing a = {"a"};
    cadre_err errs[5], err = CADRE_ENOMEM;
    int k = 0;

    for (unsigned n = 1; err != CADRE_OK; n++) {
        begin();
        ended[0] = '\0';
        cadre_store_put(store, "k", 5);
        alloc_fail_at(n);
        errs[0] = cadre_store_put(store, "k", 6);
        errs[1] = cadre_store_put_array(store, "x", 4, x);
        errs[2] =
            errs[1] == CADRE_OK ? cadre_store_append(store, "x", 5) : CADRE_OK;
        errs[3] = cadre_store_put(store, "s", "text");
        errs[4] = cadre_store_put_object(store, "a", &a, thing_free);
        err = alloc_has_failed() ? CADRE_ENOMEM : CADRE_OK;
        for (int i = 0, failed = 0; i < 5; i++) {
            failed += errs[i] != CADRE_OK;
            CU_ASSERT(errs[i] == CADRE_OK || errs[i] == CADRE_ENOMEM);
            if (i == 4)
                CU_ASSERT_EQUAL(failed, err == CADRE_OK ? 0 : 1);
        }
        cadre_store_get(store, "k", &k);
        CU_ASSERT_EQUAL(k, errs[0] == CADRE_OK ? 6 : 5);
        CU_ASSERT_STRING_EQUAL(ended, "");
        end();
        CU_ASSERT_STRING_EQUAL(ended, errs[4] == CADRE_OK ? "a " : "");
    }
}

/* --- bytes ------------------------------------------------------------------
 */

/* `name` of the store to bytes, and into another store. */
static cadre_err carry(const char *name, struct cadre_store *to)
{
    const struct cadre_kept *kept = NULL;
    struct cadre_buffer buffer = {0};
    struct cadre_error error = {""};
    struct cadre_kept seen;
    const char *seen_name = NULL;
    cadre_err err;

    if ((err = cadre_store_require(store, name, &kept, &error)) == CADRE_OK &&
        (err = cadre_kept_encode(name, kept, &buffer, &error)) == CADRE_OK &&
        (err = cadre_kept_decode(buffer.data, buffer.len, &seen_name, &seen,
                                 &error)) == CADRE_OK) {
        CU_ASSERT_STRING_EQUAL(seen_name, name);
        err = cadre_store_keep(to, seen_name, &seen, &error);
    }
    cadre_buffer_fini(&buffer);
    return err == CADRE_OK ? err : cadre_error_publish(&error, err);
}

static void values_travel_from_store_to_store(void)
{
    struct cadre_store *to = NULL;
    struct thing a = {"a"};
    const char *s = NULL;
    double *x = NULL;
    size_t n = 9;
    long k = 0;

    begin();
    CU_ASSERT_EQUAL_FATAL(cadre_store_create(&to), CADRE_OK);
    cadre_store_put(store, "k", -7L);
    cadre_store_put(store, "a name of 15 b.", "text");
    cadre_store_put(store, "null", (char *)NULL);
    cadre_store_put_array(store, "x", 3, ((double[]){1, 2, 3}));
    cadre_store_put_array(store, "e", 0, (double *)NULL);
    cadre_store_put_object(store, "a", &a, NULL);
    CU_ASSERT_EQUAL(carry("k", to), CADRE_OK);
    CU_ASSERT_EQUAL(carry("a name of 15 b.", to), CADRE_OK);
    CU_ASSERT_EQUAL(carry("null", to), CADRE_OK);
    CU_ASSERT_EQUAL(carry("x", to), CADRE_OK);
    CU_ASSERT_EQUAL(carry("e", to), CADRE_OK);
    expect(carry("a", to), CADRE_ETYPE,
           "`a` is an object, which cannot leave its process");
    CU_ASSERT_EQUAL(cadre_store_get(to, "k", &k), CADRE_OK);
    CU_ASSERT_EQUAL(k, -7);
    CU_ASSERT_EQUAL(cadre_store_get(to, "a name of 15 b.", &s), CADRE_OK);
    CU_ASSERT_STRING_EQUAL(s, "text");
    CU_ASSERT_EQUAL(cadre_store_get(to, "null", &s), CADRE_OK);
    CU_ASSERT_PTR_NULL(s);
    CU_ASSERT_EQUAL_FATAL(cadre_store_get_array(to, "x", &n, &x), CADRE_OK);
    CU_ASSERT(n == 3 && x[2] == 3);
    CU_ASSERT_EQUAL(cadre_store_get_array(to, "e", &n, &x), CADRE_OK);
    CU_ASSERT_EQUAL(n, 0);
    cadre_store_destroy(to);
    end();
}

/* The bytes of one value, damaged in one place, are refused. */
static void expect_damage(struct cadre_buffer *buffer, size_t offset, int value,
                          const char *words)
{
    unsigned char byte = buffer->data[offset];
    struct cadre_error error = {""};
    struct cadre_kept seen;
    const char *name;

    buffer->data[offset] = (unsigned char)value;
    CU_ASSERT_EQUAL(
        cadre_kept_decode(buffer->data, buffer->len, &name, &seen, &error),
        CADRE_EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, words));
    buffer->data[offset] = byte;
}

static void damaged_values_are_refused(void)
{
    enum { KIND, TYPE, NAME_LEN, ZERO = 4, BYTES = 8, NAME = 16, DATA = 32 };
    struct cadre_buffer buffer = {0};
    struct cadre_kept seen;
    const char *name;

    begin();
    cadre_store_put(store, "yes", (bool)true);
    cadre_store_put(store, "s", "text");
    cadre_kept_encode("yes", cadre_store_find(store, "yes"), &buffer, NULL);
    CU_ASSERT_EQUAL(buffer.len, DATA + 1);
    for (size_t len = 0; len < buffer.len; len++)
        CU_ASSERT_EQUAL(cadre_kept_decode(buffer.data, len, &name, &seen, NULL),
                        CADRE_EPROTO);
    expect_damage(&buffer, KIND, CADRE_KEPT_OBJECT, "unknown kind");
    expect_damage(&buffer, KIND, CADRE_KEPT_STRING, "does not fit its type");
    expect_damage(&buffer, TYPE, 99, "unknown kind or type");
    expect_damage(&buffer, TYPE, CADRE_INT16, "does not fit its type");
    expect_damage(&buffer, TYPE, CADRE_VOID, "does not fit its type");
    expect_damage(&buffer, NAME_LEN, 0, "impossible length");
    expect_damage(&buffer, NAME_LEN, 2, "damaged header");
    expect_damage(&buffer, NAME_LEN, 17, "not as long as it says");
    expect_damage(&buffer, NAME_LEN + 1, 1, "impossible length");
    expect_damage(&buffer, ZERO, 1, "damaged header");
    expect_damage(&buffer, BYTES, 2, "not as long as it says");
    expect_damage(&buffer, BYTES + 7, 0x80, "not as long as it says");
    expect_damage(&buffer, NAME, 0, "damaged header");
    expect_damage(&buffer, NAME + 3, 'x', "damaged header");
    expect_damage(&buffer, DATA - 1, 1, "damaged header");
    expect_damage(&buffer, DATA, 2, "does not fit its type");
    buffer.len = 0;
    cadre_kept_encode("s", cadre_store_find(store, "s"), &buffer, NULL);
    expect_damage(&buffer, DATA + 1, 0, "does not fit its type");
    expect_damage(&buffer, DATA + 4, 'x', "does not fit its type");
    expect_damage(&buffer, TYPE, CADRE_DOUBLE, "does not fit its type");
    cadre_buffer_fini(&buffer);
    end();
}

/* --- functions that can fill a store -----------------------------------------
 */

/* What is wrong with `prototype` as an init function; "": nothing. */
static const char *init_complaint(const char *prototype)
{
    static struct cadre_error error;
    struct cadre_function fn = {.err = CADRE_OK};

    error.text[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(cadre_proto_parse(prototype, &fn.proto, &error),
                          CADRE_OK);
    if (cadre_function_check_init(&fn, &error) == CADRE_OK)
        CU_ASSERT_STRING_EQUAL(error.text, "");
    cadre_proto_destroy(fn.proto);
    return error.text;
}

static void an_init_function_takes_what_the_worker_has(void)
{
    CU_ASSERT_STRING_EQUAL(
        init_complaint("void f(struct cadre_store *s, MPI_Comm c)"), "");
    CU_ASSERT_STRING_EQUAL(init_complaint("void f(cadre_task *t)"), "");
    CU_ASSERT_STRING_EQUAL(init_complaint("void f(void)"), "");
    CU_ASSERT_STRING_EQUAL(init_complaint("int f(cadre_store *s)"),
                           "f cannot be an init function: it returns int32_t, "
                           "not void");
    CU_ASSERT_STRING_EQUAL(init_complaint("void f(cadre_store *s, int x)"),
                           "f cannot be an init function: it may take `struct "
                           "cadre_store *`, `MPI_Comm` and `cadre_task *` "
                           "only, not `x`");
    CU_ASSERT_STRING_EQUAL(init_complaint("void f(struct thing *x)"),
                           "f cannot be an init function: it may take `struct "
                           "cadre_store *`, `MPI_Comm` and `cadre_task *` "
                           "only, not `x`");
}

CADRE_INIT(setup, (struct cadre_store *kept))
{
    cadre_store_put(kept, "j", 4L);
    cadre_store_put(kept, "k", 3L);
    cadre_store_put(kept, "l", 2L);
}

static void an_init_function_is_a_task_with_a_record(void)
{
    CU_ASSERT_STRING_EQUAL(cadre_record_setup.name, "setup");
    CU_ASSERT_STRING_EQUAL(init_complaint(cadre_record_setup.expanded), "");
}

/* --- filling in what the caller left out
 * --------------------------------------
 */

enum { ROWS = 4 };

/* A function, the caller's values, and the way to a worker with a store and
 * back. */
struct trip {
    struct cadre_function fn;
    struct cadre_call *call;
    struct cadre_table *table;
    struct cadre_rows *rows;
    struct cadre_buffer sent, returned;
    void *room; /* for the outputs */
    struct cadre_error error;
    char failures[ROWS][CADRE_ERROR_TEXT_MAX]; /* "": the row ran */
    uint64_t flush_after;                      /* rows; 0: all */
};

static void begin_trip(struct trip *t, const char *prototype, void (*fn)(void),
                       uint64_t count)
{
    *t = (struct trip){.fn = {.err = CADRE_OK}};
    CU_ASSERT_EQUAL_FATAL(cadre_proto_parse(prototype, &t->fn.proto, NULL),
                          CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_call_create(t->fn.proto, fn, &t->call, NULL),
                          CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_rows_create(t->fn.proto, &t->rows), CADRE_OK);
    t->table = cadre_table_new(t->fn.proto);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t->table);
    t->table->count = count;
    t->table->has_store = true;
}

static void end_trip(struct trip *t)
{
    cadre_table_free(t->table);
    cadre_rows_destroy(t->rows);
    cadre_call_destroy(t->call);
    cadre_proto_destroy(t->fn.proto);
    cadre_buffer_fini(&t->sent);
    cadre_buffer_fini(&t->returned);
    free(t->room);
}

static void give(struct trip *t, const char *name, enum cadre_form form,
                 const void *data)
{
    int param = cadre_proto_find(t->fn.proto, name);

    CU_ASSERT_FATAL(param >= 0);
    t->table->args[param] = (struct cadre_view){form, data};
}

/* Bring back the rows that have ended. */
static cadre_err come_back(struct trip *t)
{
    t->returned.len = 0;
    return cadre_rows_flush(t->rows, &t->returned);
}

static cadre_err run_row(struct trip *t, uint64_t row)
{
    struct cadre_error error = {""};
    bool has_failed = cadre_rows_fill(t->rows, store, &error) != CADRE_OK;
    cadre_err err;

    strcpy(t->failures[row], has_failed ? error.text : "");
    if (!has_failed)
        cadre_call_invoke(t->call, cadre_rows_args(t->rows),
                          cadre_rows_result(t->rows));
    if ((err = cadre_rows_store(t->rows, has_failed)) != CADRE_OK) {
        CU_ASSERT_EQUAL(cadre_rows_store(t->rows, true), CADRE_OK);
        return err;
    }
    return CADRE_OK;
}

/* To the worker and through all rows; the outputs are in `returned`. */
static cadre_err run_trip(struct trip *t)
{
    cadre_err err;
    uint64_t row = 0;

    cadre_table_fini(t->table);
    t->sent.len = 0;
    if ((err = cadre_table_measure(t->table, &t->error)) != CADRE_OK ||
        (err = cadre_args_pack(t->table, 0, t->table->count, &t->sent)) !=
            CADRE_OK ||
        (err = cadre_rows_load(t->rows, t->table->count, t->sent.data,
                               t->sent.len, &t->error)) != CADRE_OK)
        return err;
    while (cadre_rows_next(t->rows)) {
        if ((err = run_row(t, row++)) != CADRE_OK)
            return err;
        if (row == t->flush_after && (err = come_back(t)) != CADRE_OK)
            return err;
    }
    return come_back(t);
}

/* Outputs into room of the table's own. */
static cadre_err take_outputs(struct trip *t)
{
    cadre_err err;

    if ((err = cadre_table_learn(t->table, t->returned.data, t->returned.len,
                                 &t->error)) != CADRE_OK ||
        (err = cadre_table_own_outputs(t->table, &t->room)) != CADRE_OK)
        return err;
    return cadre_outputs_unpack(t->table, 0, t->table->count, t->returned.data,
                                t->returned.len, &t->error);
}

static void expect_trip(struct trip *t)
{
    CU_ASSERT_EQUAL(run_trip(t), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(take_outputs(t), CADRE_OK);
}

static const void *output(const struct trip *t, int index)
{
    return t->table->outputs[index].data;
}

#define FUNCTION(name) ((void (*)(void))(name))

/* A trip of `count` rows of the task `name`. */
#define BEGIN_TRIP(t, name, count)                                             \
    begin_trip((t), cadre_record_##name.expanded, FUNCTION(name), (count))

CADRE_TASK(long, calc, (long i, long j, long k))
{
    return i + j + k;
}

static void stored_names_fill_what_was_left_out_and_given_ones_win(void)
{
    long i = 2, j[ROWS] = {5, 6, 7, 8};
    struct trip t;

    begin();
    setup(store);
    BEGIN_TRIP(&t, calc, ROWS);
    give(&t, "i", CADRE_FORM_SAME, &i);
    give(&t, "j", CADRE_FORM_DENSE, j);
    expect_trip(&t);
    for (int row = 0; row < ROWS; row++) {
        CU_ASSERT_STRING_EQUAL(t.failures[row], "");
        CU_ASSERT_EQUAL(((const long *)output(&t, 0))[row], 5 + j[row]);
    }
    end_trip(&t);
    end();
}

CADRE_TASK(double, mixed, (float x, signed char n, const char *text))
{
    return (double)x + n + (text != NULL ? (double)strlen(text) : 100);
}

static void an_init_function_is_run_with_nothing_given(void)
{
    struct trip t;
    long k = 0;

    begin();
    BEGIN_TRIP(&t, setup, 1);
    CU_ASSERT_EQUAL_FATAL(cadre_rows_load_nothing(t.rows, 1, &t.error),
                          CADRE_OK);
    CU_ASSERT_TRUE_FATAL(cadre_rows_next(t.rows));
    CU_ASSERT_EQUAL(run_row(&t, 0), CADRE_OK);
    CU_ASSERT_FALSE(cadre_rows_next(t.rows));
    CU_ASSERT_EQUAL(cadre_store_get(store, "k", &k), CADRE_OK);
    CU_ASSERT_EQUAL(k, 3);
    end_trip(&t);
    end();
}

static void stored_numbers_are_converted_and_strings_lent(void)
{
    struct trip t;

    begin();
    cadre_store_put(store, "x", 0.5);
    cadre_store_put(store, "n", 7L);
    cadre_store_put(store, "text", "four");
    BEGIN_TRIP(&t, mixed, 1);
    expect_trip(&t);
    CU_ASSERT_EQUAL(*(const double *)output(&t, 0), 11.5);
    end_trip(&t);
    cadre_store_put(store, "text", (char *)NULL);
    BEGIN_TRIP(&t, mixed, 1);
    expect_trip(&t);
    CU_ASSERT_EQUAL(*(const double *)output(&t, 0), 107.5);
    end_trip(&t);
    end();
}

/* What row 0 of `t` says; it must have failed. */
static const char *failure(struct trip *t)
{
    CU_ASSERT_EQUAL(run_trip(t), CADRE_OK);
    return t->failures[0];
}

static void what_is_missing_or_does_not_fit_fails_the_task_and_is_named(void)
{
    struct trip t;

    begin();
    BEGIN_TRIP(&t, mixed, 1);
    CU_ASSERT_STRING_EQUAL(failure(&t), "`x` was neither given nor stored");
    cadre_store_put(store, "x", 1e300);
    CU_ASSERT_STRING_EQUAL(failure(&t),
                           "`x` is stored as double, and its value does not "
                           "fit the float that mixed takes");
    cadre_store_put(store, "x", "text");
    CU_ASSERT_STRING_EQUAL(failure(&t),
                           "`x` is stored as char *, mixed takes float");
    cadre_store_put(store, "x", 1);
    cadre_store_put(store, "n", 1);
    cadre_store_put_array(store, "text", 2, ((char[]){'a', 'b'}));
    CU_ASSERT_STRING_EQUAL(failure(&t), "`text` is stored as an array of "
                                        "int8_t, mixed takes char *");
    end_trip(&t);
    begin_trip(&t, "long calc(long, long, long)", FUNCTION(calc), 1);
    CU_ASSERT_STRING_EQUAL(failure(&t),
                           "parameter 1 was neither given nor stored");
    end_trip(&t);
    end();
}

static void without_a_store_the_task_fails_too(void)
{
    struct trip t;

    BEGIN_TRIP(&t, calc, 1);
    CU_ASSERT_STRING_EQUAL(failure(&t), "`i` was neither given nor stored");
    end_trip(&t);
}

/* Fails for want of `gone` where i is odd. */
CADRE_TASK(long, every_other, (struct cadre_store *kept, long i, long gone))
{
    if (i % 2 == 0)
        cadre_store_remove(kept, "gone");
    return gone;
}

static void one_failed_row_leaves_the_others(void)
{
    long i[ROWS] = {1, 0, 1, 1};
    struct trip t;

    begin();
    cadre_store_put(store, "gone", 9);
    BEGIN_TRIP(&t, every_other, ROWS);
    give(&t, "i", CADRE_FORM_DENSE, i);
    expect_trip(&t);
    CU_ASSERT_STRING_EQUAL(t.failures[1], "");
    CU_ASSERT_STRING_EQUAL(t.failures[2],
                           "`gone` was neither given nor stored");
    CU_ASSERT_EQUAL(((const long *)output(&t, 0))[1], 9);
    CU_ASSERT_EQUAL(((const long *)output(&t, 0))[3], 0);
    end_trip(&t);
    end();
}

/* --- arrays from the store ------------------------------------------------ */

static const void *seen_at; /* where the task found its array */

CADRE_TASK(double, total, (size_t n, const double x[n]))
{
    double sum = 0;

    seen_at = x;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static void a_stored_array_is_passed_in_place(void)
{
    double *x = NULL;
    struct trip t;

    begin();
    cadre_store_put_array(store, "x", 3, ((double[]){1, 2, 3}));
    cadre_store_get_array(store, "x", NULL, &x);
    BEGIN_TRIP(&t, total, 1);
    expect_trip(&t);
    CU_ASSERT_EQUAL(*(const double *)output(&t, 0), 6);
    CU_ASSERT_PTR_EQUAL(seen_at, x);
    end_trip(&t);
    end();
}

static void the_length_of_a_stored_array_must_be_right(void)
{
    uint64_t n = 2;
    struct trip t;

    begin();
    cadre_store_put_array(store, "x", 3, ((double[]){1, 2, 3}));
    cadre_store_put(store, "n", 3);
    BEGIN_TRIP(&t, total, 1);
    CU_ASSERT_STRING_EQUAL(failure(&t), "");
    cadre_store_put(store, "n", 4);
    CU_ASSERT_STRING_EQUAL(failure(&t),
                           "`x` is stored with 3 elements, its lengths say 4");
    cadre_store_put(store, "n", -1);
    CU_ASSERT_STRING_EQUAL(failure(&t),
                           "`n` is stored as int32_t, and its value does not "
                           "fit the uint64_t that total takes");
    give(&t, "n", CADRE_FORM_SAME, &n);
    CU_ASSERT_STRING_EQUAL(failure(&t),
                           "`x` is stored with 3 elements, its lengths say 2");
    cadre_store_put_array(store, "x", 2, ((float[]){1, 2}));
    CU_ASSERT_STRING_EQUAL(failure(&t), "`x` is stored as an array of float, "
                                        "total takes an array of double");
    cadre_store_put(store, "x", 1.0);
    CU_ASSERT_STRING_EQUAL(failure(&t), "`x` is stored as double, total takes "
                                        "an array of double");
    cadre_store_remove(store, "x");
    CU_ASSERT_STRING_EQUAL(failure(&t), "`x` was neither given nor stored");
    end_trip(&t);
    end();
}

CADRE_TASK(int, corner, (int rows, int cols, const int a[rows][cols]))
{
    return rows * 1000 + cols * 100 + a[rows - 1][cols - 1];
}

static void one_length_of_a_stored_table_is_worked_out(void)
{
    int rows = 2, cols = 2;
    struct trip t;

    begin();
    cadre_store_put_array(store, "a", 6, ((int[]){1, 2, 3, 4, 5, 6}));
    BEGIN_TRIP(&t, corner, 1);
    CU_ASSERT_STRING_EQUAL(failure(&t), "`rows` was neither given nor stored");
    cadre_store_put(store, "cols", 3);
    expect_trip(&t);
    CU_ASSERT_EQUAL(*(const int *)output(&t, 0), 2306);
    end_trip(&t);
    BEGIN_TRIP(&t, corner, 1);
    give(&t, "rows", CADRE_FORM_SAME, &rows);
    give(&t, "cols", CADRE_FORM_SAME, &cols);
    CU_ASSERT_STRING_EQUAL(failure(&t),
                           "`a` is stored with 6 elements, its lengths say 4");
    end_trip(&t);
    BEGIN_TRIP(&t, corner, 1);
    rows = 4;
    give(&t, "rows", CADRE_FORM_SAME, &rows);
    cadre_store_remove(store, "cols");
    CU_ASSERT_STRING_EQUAL(failure(&t),
                           "`a` is stored with 6 elements, its lengths say 4");
    end_trip(&t);
    end();
}

CADRE_TASK(void, chain,
           (int n, int m, const int x[n], const int a[n][m],
            CADRE_OUT int y[m]))
{
    for (int i = 0; i < m; i++)
        y[i] = x[n - 1] + a[n - 1][i];
}

static void lengths_are_worked_out_from_each_other(void)
{
    struct trip t;

    begin();
    cadre_store_put_array(store, "x", 2, ((int[]){10, 20}));
    cadre_store_put_array(store, "a", 6, ((int[]){1, 2, 3, 4, 5, 6}));
    begin_trip(&t,
               "void chain(int n, int m, const int x[n], const int a[n][m], "
               "CADRE_OUT int y[m])",
               FUNCTION(chain), 1);
    expect_trip(&t);
    CU_ASSERT_EQUAL(cadre_output_length(t.table, 0, 0), 3);
    CU_ASSERT_EQUAL(((const int *)output(&t, 0))[2], 26);
    end_trip(&t);
    end();
}

CADRE_TASK(int, count_up, (int memory[1]))
{
    return ++memory[0];
}

static void what_a_task_changes_stays_and_comes_back(void)
{
    int *memory = NULL;
    struct trip t;

    begin();
    cadre_store_put_array(store, "memory", 1, ((int[]){5}));
    BEGIN_TRIP(&t, count_up, ROWS);
    expect_trip(&t);
    for (int row = 0; row < ROWS; row++) {
        CU_ASSERT_EQUAL(((const int *)output(&t, 0))[row], 6 + row);
        CU_ASSERT_EQUAL(((const int *)output(&t, 1))[row], 6 + row);
    }
    cadre_store_get_array(store, "memory", NULL, &memory);
    CU_ASSERT_EQUAL(memory[0], 9);
    end_trip(&t);
    end();
}

/* Doubles what is there and appends x. */
CADRE_TASK(void, grow, (struct cadre_store *kept, int x, int n, int memory[n]))
{
    for (int i = 0; i < n; i++)
        memory[i] *= 2;
    cadre_store_append(kept, "memory", x);
}

static void tasks_see_a_stored_array_grow(void)
{
    int x[3] = {1, 2, 3};
    struct trip t;

    begin();
    cadre_store_put_array(store, "memory", 1, ((int[]){4}));
    BEGIN_TRIP(&t, grow, 3);
    give(&t, "x", CADRE_FORM_DENSE, x);
    expect_trip(&t);
    for (uint64_t row = 0, at = 0; row < 3; row++) {
        CU_ASSERT_EQUAL(cadre_output_length(t.table, 0, row), row + 2);
        CU_ASSERT_EQUAL(cadre_output_start(t.table, 0, row), at);
        CU_ASSERT_EQUAL(((const int *)output(&t, 0))[at], 8 << row);
        at += row + 2;
        CU_ASSERT_EQUAL(((const int *)output(&t, 0))[at - 1], x[row]);
    }
    end_trip(&t);
    end();
}

CADRE_TASK(void, vanish, (struct cadre_store *kept, int memory[2]))
{
    memory[0] = 7;
    cadre_store_remove(kept, "memory");
}

static void an_array_that_the_task_removes_comes_back_empty(void)
{
    struct trip t;

    begin();
    cadre_store_put_array(store, "memory", 2, ((int[]){5, 6}));
    BEGIN_TRIP(&t, vanish, 2);
    expect_trip(&t);
    CU_ASSERT_STRING_EQUAL(t.failures[0], "");
    CU_ASSERT_STRING_EQUAL(t.failures[1],
                           "`memory` was neither given nor stored");
    CU_ASSERT_EQUAL(cadre_output_length(t.table, 0, 0), 0);
    CU_ASSERT_EQUAL(cadre_output_length(t.table, 0, 1), 0);
    end_trip(&t);
    end();
}

CADRE_TASK(const char *, iota,
           (int first, int n, CADRE_OUT long y[n], CADRE_OUT char z[2]))
{
    for (int i = 0; i < n; i++) {
        CU_ASSERT_EQUAL(y[i], 0);
        y[i] = first + i;
    }
    z[0] = 'a';
    z[1] = (char)('a' + n);
    return "done";
}

static const char iota_text[] = "const char *iota(int first, int n, CADRE_OUT "
                                "long y[n], CADRE_OUT char z[2])";

static void an_array_to_fill_may_have_its_length_from_the_store(void)
{
    int first[3] = {1, 11, 21};
    const long *y;
    struct trip t;

    begin();
    cadre_store_put(store, "n", 2);
    begin_trip(&t, iota_text, FUNCTION(iota), 3);
    give(&t, "first", CADRE_FORM_DENSE, first);
    expect_trip(&t);
    y = output(&t, 1);
    CU_ASSERT(y[0] == 1 && y[1] == 2 && y[2] == 11 && y[5] == 22);
    CU_ASSERT_EQUAL(((const char *)output(&t, 2))[5], 'c');
    CU_ASSERT_STRING_EQUAL(((char *const *)output(&t, 0))[2], "done");
    cadre_table_free_strings(t.table);
    end_trip(&t);

    cadre_store_put(store, "n", INT32_MAX);
    begin_trip(&t, "void iota(int first, int n, CADRE_OUT double y[n][n][99])",
               FUNCTION(iota), 1);
    give(&t, "first", CADRE_FORM_DENSE, first);
    CU_ASSERT_STRING_EQUAL(failure(&t), "parameter 3 `y`, row 0: more elements "
                                        "than there can be");
    end_trip(&t);
    end();
}

static void rows_of_any_length_come_back_in_pieces(void)
{
    int x[ROWS] = {1, 2, 3, 4};
    struct trip t;

    begin();
    cadre_store_put_array(store, "memory", 0, (int *)NULL);
    BEGIN_TRIP(&t, grow, ROWS);
    give(&t, "x", CADRE_FORM_DENSE, x);
    t.flush_after = 3;
    CU_ASSERT_EQUAL(run_trip(&t), CADRE_OK);
    /* The last piece: row 3 alone. */
    CU_ASSERT_EQUAL(cadre_outputs_unpack(t.table, 3, 1, t.returned.data,
                                         t.returned.len, &t.error),
                    CADRE_OK);
    t.table->count = 1;
    CU_ASSERT_EQUAL_FATAL(take_outputs(&t), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_output_length(t.table, 0, 0), 4);
    CU_ASSERT_EQUAL(((const int *)output(&t, 0))[0], 8);
    CU_ASSERT_EQUAL(((const int *)output(&t, 0))[3], 4);
    end_trip(&t);
    end();
}

static void damaged_lengths_in_outputs_are_refused(void)
{
    enum { HEAD = 8, COUNTS = 32 };
    int x[2] = {1, 2};
    struct trip t;

    begin();
    cadre_store_put_array(store, "memory", 0, (int *)NULL);
    BEGIN_TRIP(&t, grow, 2);
    give(&t, "x", CADRE_FORM_DENSE, x);
    CU_ASSERT_EQUAL_FATAL(run_trip(&t), CADRE_OK);
    CU_ASSERT_EQUAL(t.returned.data[HEAD], CADRE_FORM_COUNTED);
    CU_ASSERT_EQUAL(t.returned.data[COUNTS], 1);
    t.returned.data[COUNTS] = 2;
    CU_ASSERT_EQUAL(take_outputs(&t), CADRE_EPROTO);
    CU_ASSERT_EQUAL(cadre_outputs_unpack(t.table, 0, 2, t.returned.data,
                                         t.returned.len, &t.error),
                    CADRE_EPROTO);
    t.returned.data[COUNTS] = 1;
    t.returned.data[COUNTS + 7] = 0x80;
    CU_ASSERT_EQUAL(take_outputs(&t), CADRE_EPROTO);
    t.returned.data[COUNTS + 7] = 0;
    t.returned.data[HEAD] = CADRE_FORM_DENSE;
    CU_ASSERT_EQUAL(take_outputs(&t), CADRE_EPROTO);
    CU_ASSERT_STRING_EQUAL(t.error.text,
                           "outputs: parameter 4 `memory` has no lengths");
    t.returned.data[HEAD] = CADRE_FORM_COUNTED;
    CU_ASSERT_EQUAL(take_outputs(&t), CADRE_OK);
    t.returned.data[COUNTS] = 2; /* as many in all, but not as learned */
    t.returned.data[COUNTS + 8] = 1;
    CU_ASSERT_EQUAL(cadre_outputs_unpack(t.table, 0, 2, t.returned.data,
                                         t.returned.len, &t.error),
                    CADRE_EPROTO);
    end_trip(&t);
    end();
}

static void room_for_an_unknown_length_cannot_be_wanted(void)
{
    int x[2] = {1, 2}, out[8];
    struct trip t;

    BEGIN_TRIP(&t, grow, 2);
    give(&t, "x", CADRE_FORM_DENSE, x);
    t.table->outputs[0] = (struct cadre_view){CADRE_FORM_DENSE, out};
    CU_ASSERT_EQUAL(run_trip(&t), CADRE_ETYPE);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.error.text,
                                  "`memory` has its length from the workers' "
                                  "store"));
    end_trip(&t);
}

static void a_given_array_needs_its_length_given(void)
{
    double x[2] = {1, 2};
    struct trip t;

    BEGIN_TRIP(&t, total, 1);
    give(&t, "x", CADRE_FORM_SAME, x);
    CU_ASSERT_EQUAL(run_trip(&t), CADRE_EINVAL);
    CU_ASSERT_STRING_EQUAL(t.error.text,
                           "parameter 2 `x` has its length in parameter 1 `n`, "
                           "which has no value");
    end_trip(&t);
}

/* --- objects and the store itself ----------------------------------------- */

CADRE_TASK(int, visit,
           (struct thing * thing, void *handle, struct cadre_store *kept,
            int i))
{
    int visits = 0;

    cadre_store_get(kept, "visits", &visits);
    cadre_store_put(kept, "visits", visits + 1);
    return thing->name[0] + *(int *)handle + i;
}

static void objects_and_the_store_are_passed_by_name(void)
{
    struct thing thing = {"A"};
    int handle = 100, i[2] = {1, 2}, visits = 0;
    struct trip t;

    begin();
    BEGIN_TRIP(&t, visit, 2);
    give(&t, "i", CADRE_FORM_DENSE, i);
    CU_ASSERT_STRING_EQUAL(failure(&t), "`thing`, an object, is not stored");
    cadre_store_put(store, "thing", 1);
    CU_ASSERT_STRING_EQUAL(failure(&t), "`thing` is stored as int32_t, visit "
                                        "takes an object");
    cadre_store_put_object(store, "thing", &thing, NULL);
    cadre_store_put_object(store, "handle", &handle, NULL);
    expect_trip(&t);
    CU_ASSERT_EQUAL(((const int *)output(&t, 0))[1], 'A' + 102);
    cadre_store_get(store, "visits", &visits);
    CU_ASSERT_EQUAL(visits, 2);
    end_trip(&t);
    end();
}

static void without_memory_rows_with_a_store_fail_cleanly(void)
{
    int x[3] = {1, 2, 3};
    cadre_err err = CADRE_ENOMEM;
    struct trip t;
    unsigned n;

    for (n = 1; err != CADRE_OK; n++) {
        begin();
        cadre_store_put_array(store, "memory", 400, (int *)NULL);
        BEGIN_TRIP(&t, grow, 3);
        give(&t, "x", CADRE_FORM_DENSE, x);
        alloc_fail_at(n);
        if ((err = run_trip(&t)) == CADRE_OK)
            err = take_outputs(&t);
        /* grow() itself has no way to say so */
        if (alloc_has_failed() && err == CADRE_OK)
            err = CADRE_ENOMEM;
        CU_ASSERT(err == CADRE_OK || err == CADRE_ENOMEM);
        end_trip(&t);
        end();
    }
    CU_ASSERT(n > 8);
}

/* --- the caller's values ---------------------------------------------------
 */

/* What is wrong with `values` for `prototype`; "": nothing. */
static const char *complaint(const char *prototype, struct cadre_values values,
                             bool has_store)
{
    static struct cadre_error error;
    const struct cadre_value *by_param[CADRE_PARAMS_MAX];
    struct cadre_function fn = {.err = CADRE_OK};
    uint64_t length;
    cadre_err err;

    error.text[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(cadre_proto_parse(prototype, &fn.proto, &error),
                          CADRE_OK);
    err = cadre_values_bind(&fn, values, has_store, by_param, &error);
    for (int i = 0; i < fn.proto->nparams && err == CADRE_OK; i++)
        if (fn.proto->params[i].kind == CADRE_PARAM_ARRAY &&
            by_param[i] != NULL)
            err = cadre_values_length(fn.proto, i, by_param, &length, &error);
    CU_ASSERT(err == CADRE_OK || err == CADRE_ETYPE);
    cadre_proto_destroy(fn.proto);
    return error.text;
}

static void a_value_may_be_missing_where_there_is_a_store(void)
{
    static const char text[] = "long calc(long i, long j, long k)";
    static const char array[] = "double total(size_t n, const double x[n])";
    double x[2] = {1, 2};

    CU_ASSERT_STRING_EQUAL(
        complaint(text, CADRE_VALUES(2L, CADRE_ARG("k", 5L)), true), "");
    CU_ASSERT_STRING_EQUAL(complaint(text, CADRE_NO_VALUES, true), "");
    CU_ASSERT_STRING_EQUAL(complaint(text, CADRE_VALUES(2L, 3L), false),
                           "parameter `k` of calc has no value");
    CU_ASSERT_STRING_EQUAL(
        complaint(text, CADRE_VALUES(2L, CADRE_ARG("m", 5L)), true),
        "calc has no parameter called `m`: it is 'long calc(long i, long j, "
        "long k)'");
    CU_ASSERT_STRING_EQUAL(
        complaint(array, CADRE_VALUES(CADRE_ARG("x", x)), true),
        "the array `x` is given, so its length `n` must be too");
    CU_ASSERT_STRING_EQUAL(complaint(array, CADRE_VALUES(2, x), true), "");
}

static void only_where_there_is_a_store_is_it_passed(void)
{
    struct cadre_function fn = {.err = CADRE_OK};
    struct cadre_error error = {""};

    CU_ASSERT_EQUAL_FATAL(
        cadre_proto_parse("void f(struct solver *s)", &fn.proto, NULL),
        CADRE_OK);
    CU_ASSERT_EQUAL(cadre_function_check(&fn, true, &error), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_function_check(&fn, false, &error), CADRE_EINVAL);
    cadre_proto_destroy(fn.proto);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(a_number_comes_back_as_any_type_that_holds_it),
        CHECK(a_number_that_would_change_is_refused_with_both_types),
        CHECK(a_string_is_copied),
        CHECK(an_array_is_copied_in_and_seen_in_place),
        CHECK(an_array_has_one_type_and_no_more_than_it_has),
        CHECK(an_array_from_nothing_is_zero),
        CHECK(an_array_grows_and_shrinks),
        CHECK(what_cannot_be_appended_is_refused),
        CHECK(an_object_is_kept_by_its_pointer),
        CHECK(objects_end_in_the_reverse_order_of_putting),
        CHECK(replacing_and_removing_end_an_object),
        CHECK(a_destructor_may_look_but_not_put),
        CHECK(entries_are_listed_in_the_order_of_putting),
        CHECK(many_names_are_found),
        CHECK(bad_names_and_null_pointers_are_refused),
        CHECK(without_memory_the_store_stays_as_it_was),
        CHECK(values_travel_from_store_to_store),
        CHECK(damaged_values_are_refused),
        CHECK(an_init_function_takes_what_the_worker_has),
        CHECK(an_init_function_is_a_task_with_a_record),
        CHECK(stored_names_fill_what_was_left_out_and_given_ones_win),
        CHECK(an_init_function_is_run_with_nothing_given),
        CHECK(stored_numbers_are_converted_and_strings_lent),
        CHECK(what_is_missing_or_does_not_fit_fails_the_task_and_is_named),
        CHECK(without_a_store_the_task_fails_too),
        CHECK(one_failed_row_leaves_the_others),
        CHECK(a_stored_array_is_passed_in_place),
        CHECK(the_length_of_a_stored_array_must_be_right),
        CHECK(one_length_of_a_stored_table_is_worked_out),
        CHECK(lengths_are_worked_out_from_each_other),
        CHECK(what_a_task_changes_stays_and_comes_back),
        CHECK(tasks_see_a_stored_array_grow),
        CHECK(an_array_that_the_task_removes_comes_back_empty),
        CHECK(an_array_to_fill_may_have_its_length_from_the_store),
        CHECK(rows_of_any_length_come_back_in_pieces),
        CHECK(damaged_lengths_in_outputs_are_refused),
        CHECK(room_for_an_unknown_length_cannot_be_wanted),
        CHECK(a_given_array_needs_its_length_given),
        CHECK(objects_and_the_store_are_passed_by_name),
        CHECK(without_memory_rows_with_a_store_fail_cleanly),
        CHECK(a_value_may_be_missing_where_there_is_a_store),
        CHECK(only_where_there_is_a_store_is_it_passed),
        {NULL, NULL}};

    return check_run("store", tests);
}
