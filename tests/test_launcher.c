/* test_launcher.c - the command line's smaller parts: numbers, options, skipped
 * rows, the progress line. */
#include "check.h"

#include "map_options.h"
#include "numbers.h"
#include "paths.h"
#include "progress.h"
#include "skips.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void numbers_are_strict(void)
{
    static const char *const bad[] = {
        "",  "0", "11", "-1", "+1", "1x", " 1", "0x1", "99999999999999999999",
        NULL};
    uint64_t n;

    CU_ASSERT(cadre_number_scan("10", 1, 10, &n) && n == 10);
    for (int i = 0; bad[i] != NULL; i++)
        CU_ASSERT_FALSE(cadre_number_scan(bad[i], 1, 10, &n));
}

static void seconds_are_finite_and_above_zero(void)
{
    static const char *const bad[] = {"", "0", "-1", "inf", "nan", "1s", NULL};
    double s;

    CU_ASSERT(cadre_seconds_scan("0.5", &s) && s == 0.5);
    for (int i = 0; bad[i] != NULL; i++)
        CU_ASSERT_FALSE(cadre_seconds_scan(bad[i], &s));
}

static void skipped_rows_shift_the_tasks(void)
{
    struct cadre_skips skips = {0};

    CU_ASSERT_EQUAL(cadre_skips_before(&skips, 5), 0);
    cadre_skips_add(&skips, 0); /* rows 1 and 2, before the first task */
    cadre_skips_add(&skips, 0);
    cadre_skips_add(&skips, 3);
    CU_ASSERT_EQUAL(cadre_skips_before(&skips, 0), 2);
    CU_ASSERT_EQUAL(cadre_skips_before(&skips, 2), 2);
    CU_ASSERT_EQUAL(cadre_skips_before(&skips, 3), 3);
    cadre_skips_forget(&skips, 2);
    CU_ASSERT_EQUAL(cadre_skips_before(&skips, 2), 2);
    CU_ASSERT_EQUAL(cadre_skips_before(&skips, 100), 3);
    cadre_skips_forget(&skips, 100);
    CU_ASSERT_EQUAL(cadre_skips_before(&skips, 100), 3);
    cadre_skips_add(&skips, 200);
    CU_ASSERT_EQUAL(cadre_skips_before(&skips, 199), 3);
    CU_ASSERT_EQUAL(cadre_skips_before(&skips, 200), 4);
    CU_ASSERT_EQUAL(skips.count, 1);
    cadre_skips_fini(&skips);
}

static const char *progress_at(struct cadre_progress_state state, int width)
{
    static char line[256];

    cadre_progress_format(&state, width, line, sizeof line);
    return line;
}

static void progress_knows_the_time_left(void)
{
    struct cadre_progress_state state = {.given = 20000,
                                         .done = 10000,
                                         .read = 1000,
                                         .bytes = 1000,
                                         .seconds = 60,
                                         .rate = 1234567};

    CU_ASSERT_STRING_EQUAL(
        progress_at(state, 80),
        " 50% [############............] 10.0k rows  1.2M/s  1:00 left");
}

static void progress_without_a_total_shows_the_time_passed(void)
{
    struct cadre_progress_state state = {
        .given = 950, .done = 950, .seconds = 3725, .rate = 42};

    CU_ASSERT_STRING_EQUAL(progress_at(state, 80), "950 rows  42/s  1:02:05");
}

static void progress_never_fills_the_last_column(void)
{
    struct cadre_progress_state state = {.bytes = 1};

    CU_ASSERT_EQUAL(strlen(progress_at(state, 20)), 19);
    CU_ASSERT_EQUAL(strlen(progress_at(state, 1)), 0);
}

static void programs_are_found_as_a_shell_does(void)
{
    char path[4096];

    CU_ASSERT(cadre_path_find("sh", path, sizeof path) && path[0] == '/');
    CU_ASSERT(cadre_path_find("/bin/sh", path, sizeof path));
    CU_ASSERT(!cadre_path_find("/bin", path, sizeof path) && errno == EACCES);
    CU_ASSERT(!cadre_path_find("/etc/passwd", path, sizeof path) &&
              errno == EACCES);
    CU_ASSERT(!cadre_path_find("no-such-program-here", path, sizeof path) &&
              errno == ENOENT);
    cadre_path_beside("no-such-program-here", path, sizeof path);
    CU_ASSERT_STRING_EQUAL(path, "no-such-program-here");
}

static struct cadre_map_options options;

/* The options' exit status, with stdout and stderr out of the way. */
static int read_options(int argc, char **argv)
{
    int out = dup(1), err = dup(2), null = open("/dev/null", O_WRONLY);
    int status;

    cadre_map_options_fini(&options);
    fflush(stdout);
    dup2(null, 1);
    dup2(null, 2);
    status = cadre_map_options_init(&options, argc, argv);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    close(null);
    return status;
}

#define OPTIONS(...)                                                           \
    read_options(                                                              \
        (int)(sizeof((char *[]){"map", __VA_ARGS__}) / sizeof(char *)),        \
        (char *[]){"map", __VA_ARGS__, NULL})

static void options_may_stand_anywhere(void)
{
    CU_ASSERT(OPTIONS("-n", "4", "lib", "proto", "--set", "n=1", "file",
                      "--set=m=2") < 0);
    CU_ASSERT_EQUAL(options.workers, 4);
    CU_ASSERT_STRING_EQUAL(options.library, "lib");
    CU_ASSERT_STRING_EQUAL(options.prototype, "proto");
    CU_ASSERT_EQUAL(options.binding.nsettings, 2);
    CU_ASSERT_STRING_EQUAL(options.binding.settings[1], "m=2");
    CU_ASSERT_EQUAL(options.input.nfiles, 1);
}

static void wrong_options_are_refused(void)
{
    CU_ASSERT_EQUAL(OPTIONS("-n", "0", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("-n", "-3", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("--chunk", "0", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("--spawn-timeout", "0", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("--format", "xml", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("--progress", "maybe", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("--no-such", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("-x", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("lib", "proto", "--set"), 2);
    CU_ASSERT_EQUAL(OPTIONS("lib"), 2);
    CU_ASSERT_EQUAL(OPTIONS("--file-param", "b", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("-0", "--format", "csv", "lib", "proto"), 2);
    CU_ASSERT_EQUAL(OPTIONS("--help"), 0);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(numbers_are_strict),
        CHECK(seconds_are_finite_and_above_zero),
        CHECK(skipped_rows_shift_the_tasks),
        CHECK(progress_knows_the_time_left),
        CHECK(progress_without_a_total_shows_the_time_passed),
        CHECK(progress_never_fills_the_last_column),
        CHECK(programs_are_found_as_a_shell_does),
        CHECK(options_may_stand_anywhere),
        CHECK(wrong_options_are_refused),
        {NULL, NULL}};
    int status = check_run("launcher", tests);

    cadre_map_options_fini(&options);
    return status;
}
