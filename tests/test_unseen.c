/* test_unseen.c - failures that nobody has looked at. */
#include "check.h"

#include "../api/unseen.h"

#include <stdio.h>

/* The nth failure of `u`. */
static struct cadre_mishap *fail(struct cadre_unseen *u, int n)
{
    char text[32];
    struct cadre_mishap *m;

    snprintf(text, sizeof text, "failure %d", n);
    m = cadre_mishap_create(n, n + 1, "here", text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    cadre_unseen_add(u, m, CADRE_ETASK);
    return m;
}

/* The list ends with this sentence; NULL: nothing is on it. */
static void tells(struct cadre_unseen *u, const char *want)
{
    struct cadre_error error = {""};

    CU_ASSERT_EQUAL(cadre_unseen_close(u, &error),
                    want != NULL ? CADRE_ETASK : CADRE_OK);
    CU_ASSERT_STRING_EQUAL(error.text, want != NULL ? want : "");
}

static void a_mishap_keeps_what_it_was_told(void)
{
    struct cadre_mishap *m = cadre_mishap_create(3, 4, "host", "why");

    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    CU_ASSERT(m->kind == 3 && m->rank == 4);
    CU_ASSERT_STRING_EQUAL(m->host, "host");
    CU_ASSERT_STRING_EQUAL(m->text, "why");
    cadre_mishap_saw(m); /* it is on no list */
    cadre_mishap_free(m);
}

static void nothing_failed_nothing_is_told(void)
{
    struct cadre_unseen u = {.count = 0};

    cadre_unseen_add(&u, NULL, CADRE_ETASK); /* there was no memory for it */
    cadre_mishap_saw(NULL);
    cadre_mishap_free(NULL);
    tells(&u, NULL);
}

static void what_was_seen_is_not_told(void)
{
    struct cadre_unseen u = {.count = 0};
    struct cadre_mishap *m[4];

    for (int i = 0; i < 4; i++)
        m[i] = fail(&u, i);
    cadre_mishap_saw(m[0]);
    cadre_mishap_saw(m[3]);
    cadre_mishap_saw(m[1]);
    cadre_mishap_saw(m[1]);
    tells(&u, "a task failed and nobody looked at its result: failure 2");
    for (int i = 0; i < 4; i++)
        cadre_mishap_free(m[i]);
}

static void the_oldest_is_told_though_its_future_is_freed(void)
{
    struct cadre_unseen u = {.count = 0};
    struct cadre_mishap *m[4];

    for (int i = 0; i < 4; i++)
        m[i] = fail(&u, i);
    cadre_mishap_saw(m[0]);
    cadre_mishap_free(m[0]);
    cadre_mishap_free(m[2]);
    cadre_mishap_free(m[1]);
    tells(&u, "3 tasks failed and nobody looked at their results; the first: "
              "failure 1");
    cadre_mishap_free(m[3]);
}

static void a_younger_one_left_behind_does_not_hide_an_older(void)
{
    struct cadre_unseen u = {.count = 0};
    struct cadre_mishap *first = fail(&u, 0);

    for (int i = 1; i < 1000; i++)
        cadre_mishap_free(fail(&u, i));
    CU_ASSERT_PTR_EQUAL(u.first, first);
    CU_ASSERT_PTR_EQUAL(u.last, first); /* the others need no memory */
    tells(&u, "1000 tasks failed and nobody looked at their results; the "
              "first: failure 0");
    cadre_mishap_saw(first); /* the list is closed */
    cadre_mishap_free(first);
    tells(&u, NULL);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(a_mishap_keeps_what_it_was_told),
        CHECK(nothing_failed_nothing_is_told),
        CHECK(what_was_seen_is_not_told),
        CHECK(the_oldest_is_told_though_its_future_is_freed),
        CHECK(a_younger_one_left_behind_does_not_hide_an_older),
        {NULL, NULL}};

    return check_run("unseen", tests);
}
