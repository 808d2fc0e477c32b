/* test_letters.c - letters are kept in order until somebody takes them. */
#include "alloc.h"
#include "check.h"
#include "letters.h"

#include <stdlib.h>
#include <string.h>

static const double values[] = {0.5, 1.5};

/* A letter with `tag`, as it comes in. */
static struct cadre_frame frame_of(struct cadre_buffer *buffer, int tag)
{
    struct cadre_msg_letter msg = {.tag = tag,
                                   .count = 2,
                                   .parts = {{CADRE_DOUBLE, true, 2, values},
                                             {CADRE_STRING, false, 1, "text"}}};
    struct cadre_frame frame = {0};

    buffer->len = 0;
    CU_ASSERT_EQUAL_FATAL(cadre_letter_encode(&msg, 9, buffer), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(
        cadre_frame_decode(buffer->data, buffer->len, &frame, NULL), CADRE_OK);
    return frame;
}

static void put(struct cadre_letters *letters, int rank, int tag)
{
    struct cadre_buffer buffer = {0};
    struct cadre_frame frame = frame_of(&buffer, tag);

    CU_ASSERT_EQUAL(cadre_letters_put(letters, rank, &frame, NULL), CADRE_OK);
    cadre_buffer_fini(&buffer);
}

/* The tag of the next letter of `rank`; -1: there is none. */
static int take(struct cadre_letters *letters, int rank)
{
    struct cadre_letter *l = cadre_letters_take(letters, rank);
    int tag = l != NULL ? l->msg.tag : -1;

    free(l);
    return tag;
}

static void letters_are_taken_in_the_order_they_came(void)
{
    struct cadre_letters letters = {0};

    CU_ASSERT_FALSE(cadre_letters_has(&letters, -1));
    for (int i = 0; i < 5; i++)
        put(&letters, i % 2, i);
    CU_ASSERT_TRUE(cadre_letters_has(&letters, -1));
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(take(&letters, -1), i);
    CU_ASSERT_EQUAL(take(&letters, -1), -1);
    put(&letters, 0, 7);
    CU_ASSERT_EQUAL(take(&letters, 0), 7);
}

static void those_of_one_rank_can_be_taken_out(void)
{
    struct cadre_letters letters = {0};

    for (int i = 0; i < 6; i++)
        put(&letters, i % 3, i);
    CU_ASSERT_FALSE(cadre_letters_has(&letters, 3));
    CU_ASSERT_EQUAL(take(&letters, 2), 2);
    CU_ASSERT_EQUAL(take(&letters, 2), 5); /* the last one of all */
    CU_ASSERT_EQUAL(take(&letters, 2), -1);
    put(&letters, 2, 6);
    CU_ASSERT_EQUAL(take(&letters, 0), 0);
    CU_ASSERT_EQUAL(take(&letters, -1), 1);
    CU_ASSERT_EQUAL(take(&letters, -1), 3);
    CU_ASSERT_EQUAL(take(&letters, -1), 4);
    CU_ASSERT_EQUAL(take(&letters, -1), 6);
    CU_ASSERT_FALSE(cadre_letters_has(&letters, -1));
}

static void values_outlive_the_message_and_are_aligned(void)
{
    struct cadre_letters letters = {0};
    struct cadre_buffer buffer = {0};
    struct cadre_frame frame = frame_of(&buffer, 1);
    struct cadre_letter *l;

    CU_ASSERT_EQUAL(cadre_letters_put(&letters, 4, &frame, NULL), CADRE_OK);
    memset(buffer.data, 0xff, buffer.len);
    cadre_buffer_fini(&buffer);
    l = cadre_letters_take(&letters, 4);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l);
    CU_ASSERT_EQUAL(l->rank, 4);
    CU_ASSERT_EQUAL_FATAL(l->msg.count, 2);
    CU_ASSERT_EQUAL(memcmp(l->msg.parts[0].data, values, sizeof values), 0);
    CU_ASSERT_EQUAL((uintptr_t)l->msg.parts[0].data % CADRE_FRAME_ALIGN, 0);
    CU_ASSERT_STRING_EQUAL(l->msg.parts[1].data, "text");
    free(l);
}

static void what_cannot_be_kept_leaves_the_queue_as_it_was(void)
{
    struct cadre_letters letters = {0};
    struct cadre_buffer buffer = {0};
    struct cadre_frame frame = frame_of(&buffer, 2);

    put(&letters, 0, 1);
    alloc_fail_at(1);
    CU_ASSERT_EQUAL(cadre_letters_put(&letters, 0, &frame, NULL), CADRE_ENOMEM);
    CU_ASSERT_TRUE(alloc_has_failed());
    frame.body_len -= CADRE_FRAME_ALIGN;
    CU_ASSERT_EQUAL(cadre_letters_put(&letters, 0, &frame, NULL), CADRE_EPROTO);
    CU_ASSERT_EQUAL(take(&letters, -1), 1);
    CU_ASSERT_EQUAL(take(&letters, -1), -1);
    put(&letters, 0, 3);
    cadre_letters_fini(&letters);
    CU_ASSERT_FALSE(cadre_letters_has(&letters, -1));
    cadre_buffer_fini(&buffer);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(letters_are_taken_in_the_order_they_came),
        CHECK(those_of_one_rank_can_be_taken_out),
        CHECK(values_outlive_the_message_and_are_aligned),
        CHECK(what_cannot_be_kept_leaves_the_queue_as_it_was),
        {NULL, NULL},
    };

    return check_run("letters", tests);
}
