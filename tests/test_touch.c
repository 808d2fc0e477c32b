/* test_touch.c - messages that do not arrive any more are found out. */
#include "check.h"

#include "touch.h"

static const uint64_t MS = 1000000;

/* Look every 100 ms for `ms`; what was seen last. */
static enum cadre_touch_state look_for(struct cadre_touch *touch,
                                       const struct cadre_rest *rest,
                                       const struct cadre_traffic *traffic,
                                       uint64_t *now_ns, uint64_t ms)
{
    enum cadre_touch_state state = CADRE_TOUCH_FINE;

    for (uint64_t i = 0; i < ms / 100 && state == CADRE_TOUCH_FINE; i++) {
        *now_ns += 100 * MS;
        state = cadre_touch_look(touch, rest, traffic, *now_ns);
    }
    return state;
}

static void who_says_nothing_is_left_alone(void)
{
    struct cadre_touch touch = {0};
    struct cadre_rest rest = {.sent = 7};
    struct cadre_traffic traffic = {.sent = 3};
    uint64_t now = 1;

    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 100000),
                    CADRE_TOUCH_FINE);
}

static void where_all_has_come_all_is_well(void)
{
    struct cadre_touch touch = {0};
    struct cadre_rest rest = {.generation = 1, .sent = 7, .came = 3};
    struct cadre_traffic traffic = {.sent = 3, .came = 7};
    uint64_t now = 1;

    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 100000),
                    CADRE_TOUCH_FINE);
}

static void what_does_not_arrive_for_seconds_never_will(void)
{
    struct cadre_touch touch = {0};
    struct cadre_rest rest = {.generation = 1, .sent = 8, .came = 3};
    struct cadre_traffic traffic = {.sent = 3, .came = 7};
    uint64_t now = 1;

    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 5900),
                    CADRE_TOUCH_FINE);
    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 400),
                    CADRE_TOUCH_MUTE);
}

static void who_still_gets_through_is_not_mute(void)
{
    struct cadre_touch touch = {0};
    struct cadre_rest rest = {.generation = 1, .sent = 80};
    struct cadre_traffic traffic = {0};
    uint64_t now = 1;

    for (int i = 0; i < 70; i++) { /* one message every 2 s */
        traffic.came++;
        CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 2000),
                        CADRE_TOUCH_FINE);
    }
}

static void a_large_message_may_take_longer(void)
{
    struct cadre_touch touch = {0};
    struct cadre_rest rest = {.generation = 1, .sent = 1};
    struct cadre_traffic traffic = {.bytes = 1000000000};
    uint64_t now = 1;

    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 105000),
                    CADRE_TOUCH_FINE);
    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 2000),
                    CADRE_TOUCH_MUTE);
}

static void who_waits_for_another_may_take_longer_still(void)
{
    struct cadre_touch touch = {0};
    struct cadre_rest rest = {.generation = 1, .sent = 1};
    struct cadre_traffic traffic = {.is_behind = true};
    uint64_t now = 1;

    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 600000),
                    CADRE_TOUCH_FINE);
    traffic.is_behind = false;
    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 7000),
                    CADRE_TOUCH_MUTE);
}

/* One that works takes nothing from MPI meanwhile. */
static void only_who_looks_in_vain_is_deaf(void)
{
    struct cadre_touch touch = {0};
    struct cadre_rest rest = {.generation = 1, .sent = 7, .came = 2};
    struct cadre_traffic traffic = {.sent = 3, .came = 7};
    uint64_t now = 1;

    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 100000),
                    CADRE_TOUCH_FINE);
    rest.times += 2;
    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 100000),
                    CADRE_TOUCH_FINE);
    rest.times++;
    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 100),
                    CADRE_TOUCH_DEAF);
}

static void a_controller_that_was_stopped_looks_again_first(void)
{
    struct cadre_touch touch = {0};
    struct cadre_rest rest = {.generation = 1, .sent = 8};
    struct cadre_traffic traffic = {.came = 7};
    uint64_t now = 1;

    look_for(&touch, &rest, &traffic, &now, 200);
    now += 3600 * 1000 * MS;
    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 1000),
                    CADRE_TOUCH_FINE);
}

static void the_counts_may_wrap(void)
{
    struct cadre_touch touch = {0};
    struct cadre_rest rest = {.generation = 1, .sent = 0, .times = UINT32_MAX};
    struct cadre_traffic traffic = {.came = UINT32_MAX};
    uint64_t now = 1;

    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 7000),
                    CADRE_TOUCH_MUTE);
    rest.sent = UINT32_MAX; /* the controller has more than was said */
    traffic.came = 1;
    CU_ASSERT_EQUAL(look_for(&touch, &rest, &traffic, &now, 100000),
                    CADRE_TOUCH_FINE);
}

static const struct check_test tests[] = {
    CHECK(who_says_nothing_is_left_alone),
    CHECK(where_all_has_come_all_is_well),
    CHECK(what_does_not_arrive_for_seconds_never_will),
    CHECK(who_still_gets_through_is_not_mute),
    CHECK(a_large_message_may_take_longer),
    CHECK(who_waits_for_another_may_take_longer_still),
    CHECK(only_who_looks_in_vain_is_deaf),
    CHECK(a_controller_that_was_stopped_looks_again_first),
    CHECK(the_counts_may_wrap),
    {NULL, NULL},
};

int main(void)
{
    return check_run("touch", tests);
}
