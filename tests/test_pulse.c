/* test_pulse.c - beats, and who is taken for dead. */
#include "check.h"

#include "pulse.h"

static const uint64_t MS = 1000000;
static const struct cadre_pulse_terms terms = {.beat_ms = 100,
                                               .silence_ms = 1000};
static const uint64_t start = 5000000000;

static void a_beat_is_due_at_once_and_then_now_and_then(void)
{
    struct cadre_pulse p;
    int beats = 0;

    cadre_pulse_begin(&p, &terms, start);
    CU_ASSERT_EQUAL(cadre_pulse_look(&p, start, 0), CADRE_PULSE_BEAT);
    CU_ASSERT_EQUAL(cadre_pulse_look(&p, start + 99 * MS, 0), CADRE_PULSE_REST);
    CU_ASSERT_EQUAL(cadre_pulse_look(&p, start + 100 * MS, 0),
                    CADRE_PULSE_BEAT);
    for (uint64_t ms = 101; ms < 900; ms += 10)
        beats += cadre_pulse_look(&p, start + ms * MS, 0) == CADRE_PULSE_BEAT;
    CU_ASSERT_EQUAL(beats, 7);
}

/* After how many ms without a sound it is lost, where somebody looks every
 * `every_ms`. */
static uint64_t lost_after(struct cadre_pulse *p, uint64_t from_ns,
                           uint64_t every_ms, uint64_t burden)
{
    for (uint64_t ms = 0; ms < 1000000; ms += every_ms) {
        if (cadre_pulse_look(p, from_ns + ms * MS, burden) == CADRE_PULSE_LOST)
            return ms;
    }
    return UINT64_MAX;
}

static void who_is_silent_is_lost_after_the_limit(void)
{
    struct cadre_pulse p;

    cadre_pulse_begin(&p, &terms, start);
    CU_ASSERT_EQUAL(lost_after(&p, start, 100, 0), 1100);
}

static void whoever_is_heard_has_all_the_time_again(void)
{
    struct cadre_pulse p;

    cadre_pulse_begin(&p, &terms, start);
    for (uint64_t ms = 0; ms <= 900; ms += 100)
        CU_ASSERT_NOT_EQUAL(cadre_pulse_look(&p, start + ms * MS, 0),
                            CADRE_PULSE_LOST);
    cadre_pulse_hear(&p);
    CU_ASSERT_EQUAL(lost_after(&p, start + 900 * MS, 100, 0), 1100);
}

static void who_was_stopped_itself_blames_nobody(void)
{
    struct cadre_pulse p;

    cadre_pulse_begin(&p, &terms, start);
    cadre_pulse_look(&p, start, 0);
    CU_ASSERT_EQUAL(cadre_pulse_look(&p, start + 3600 * 1000 * MS, 0),
                    CADRE_PULSE_BEAT);
    /* Two beats of that hour count. */
    CU_ASSERT_EQUAL(lost_after(&p, start + 3600 * 1000 * MS, 100, 0), 900);
}

static void who_looks_seldom_counts_less(void)
{
    struct cadre_pulse p;

    cadre_pulse_begin(&p, &terms, start);
    CU_ASSERT_EQUAL(lost_after(&p, start, 1000, 0), 6000);
}

static void behind_a_large_array_one_may_be_silent(void)
{
    struct cadre_pulse p;
    uint64_t ms;

    cadre_pulse_begin(&p, &terms, start);
    ms = lost_after(&p, start, 100, 80 << 20);
    CU_ASSERT(ms > 10900 && ms < 11300);
}

static void the_beat_fits_the_limit(void)
{
    struct cadre_pulse_terms t = cadre_pulse_terms_for(5000);

    CU_ASSERT_EQUAL(t.silence_ms, 5000);
    CU_ASSERT_EQUAL(t.beat_ms, 250);
    CU_ASSERT_EQUAL(cadre_pulse_terms_for(500).beat_ms, 50);
    CU_ASSERT_EQUAL(cadre_pulse_terms_for(120000).beat_ms, 1000);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(a_beat_is_due_at_once_and_then_now_and_then),
        CHECK(who_is_silent_is_lost_after_the_limit),
        CHECK(whoever_is_heard_has_all_the_time_again),
        CHECK(who_was_stopped_itself_blames_nobody),
        CHECK(who_looks_seldom_counts_less),
        CHECK(behind_a_large_array_one_may_be_silent),
        CHECK(the_beat_fits_the_limit),
        {NULL, NULL}};

    return check_run("pulse", tests);
}
