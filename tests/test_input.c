/* test_input.c - rows out of files of every format. */
#include "input.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What came out: "1:a|b/2:c|d/" - number, fields; H for a header, ! for a row
 * that cannot be read, X for a failure. */
static char seen[4096];

static void note_row(enum cadre_input_result got,
                     const struct cadre_input_row *row)
{
    char *to = seen + strlen(seen);
    size_t room = sizeof seen - strlen(seen);

    if (row->is_header)
        to += snprintf(to, room, "H");
    else
        to += snprintf(to, room, "%d", (int)row->number);
    *to++ = got == CADRE_INPUT_BAD ? '!' : ':';
    *to = '\0';
    for (size_t i = 0; i < row->count; i++) {
        CU_ASSERT_EQUAL(row->fields[i].text[row->fields[i].len], '\0');
        sprintf(seen + strlen(seen), "%s%s", i > 0 ? "|" : "",
                row->fields[i].text);
    }
    strcat(seen, "/");
}

static struct cadre_why why;
static struct cadre_input_options options;
static enum cadre_input_format format;
static uint64_t bytes_read, bytes_total, last_line;

static void read_files(char *const *files, size_t nfiles)
{
    enum cadre_input_result got;
    struct cadre_input_row row;
    struct cadre_input *in;

    seen[0] = '\0';
    why.text[0] = '\0';
    options.files = files;
    options.nfiles = nfiles;
    in = cadre_input_create(&options);
    while ((got = cadre_input_next(in, &row, &why)) == CADRE_INPUT_ROW ||
           got == CADRE_INPUT_BAD) {
        note_row(got, &row);
        last_line = row.line;
    }
    if (got == CADRE_INPUT_FAILED)
        strcat(seen, "X");
    format = cadre_input_format(in);
    bytes_read = cadre_input_bytes_read(in);
    bytes_total = cadre_input_bytes_total(in);
    cadre_input_destroy(in);
}

static char *new_file(const void *text, size_t len)
{
    char *path = strdup("/tmp/cadre-test-input-XXXXXX");
    int fd = mkstemp(path);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, len), (ssize_t)len);
    close(fd);
    return path;
}

/* Read `text` with the options as set, which are cleared afterwards. */
static void read_bytes(const char *text, size_t len)
{
    char *path = new_file(text, len);

    read_files(&path, 1);
    CU_ASSERT(strchr(seen, 'X') != NULL || bytes_read == len);
    CU_ASSERT_EQUAL(bytes_total, len);
    unlink(path);
    free(path);
    options = (struct cadre_input_options){0};
}

static void read_text(const char *text)
{
    read_bytes(text, strlen(text));
}

static void blanks_separate_fields(void)
{
    read_text("1 2\t3\n  4   5 \n");
    CU_ASSERT_EQUAL(format, CADRE_INPUT_TSV); /* a tab in the first line */
    options.format = CADRE_INPUT_SPACE;
    read_text("1 2\t3\n  4   5 \n");
    CU_ASSERT_STRING_EQUAL(seen, "1:1|2|3/2:4|5/");
}

static void the_first_line_tells_the_format(void)
{
    read_text("1,2\n");
    CU_ASSERT_EQUAL(format, CADRE_INPUT_CSV);
    CU_ASSERT_STRING_EQUAL(seen, "1:1|2/");
    read_text("\n\na b\n1,2\n");
    CU_ASSERT_EQUAL(format, CADRE_INPUT_SPACE);
    CU_ASSERT_STRING_EQUAL(seen, "1:a|b/2:1,2/");
    read_text("a b\tc\n");
    CU_ASSERT_EQUAL(format, CADRE_INPUT_TSV);
    CU_ASSERT_STRING_EQUAL(seen, "1:a b|c/");
    read_text("\"a b\"\n");
    CU_ASSERT_EQUAL(format, CADRE_INPUT_CSV);
    CU_ASSERT_STRING_EQUAL(seen, "1:a b/");
}

static void csv_quotes_hold_commas_quotes_and_line_ends(void)
{
    read_text("\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\r\nx, y ,\r\n");
    CU_ASSERT_STRING_EQUAL(seen, "1:a,b|say \"hi\"|two\nlines/2:x|y|/");
}

static void csv_keeps_empty_fields(void)
{
    read_text(",,\n\"\",1,\n");
    CU_ASSERT_STRING_EQUAL(seen, "1:||/2:|1|/");
}

static void a_misplaced_quote_spoils_its_row_only(void)
{
    read_text("1,2\n3,a\"b\n5,6\n");
    CU_ASSERT_STRING_EQUAL(seen, "1:1|2/2!/3:5|6/");
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "quote"));
}

static void a_quote_that_is_never_closed_is_bad(void)
{
    read_text("1,2\n\"3,4\n5,6\n");
    CU_ASSERT_STRING_EQUAL(seen, "1:1|2/2!/");
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "never closed"));
}

static void tabs_keep_empty_fields_and_blanks(void)
{
    options.format = CADRE_INPUT_TSV;
    read_text("a b\t\tc\n\t\n");
    CU_ASSERT_STRING_EQUAL(seen, "1:a b||c/2:|/");
}

static void a_line_can_be_one_field(void)
{
    options.format = CADRE_INPUT_LINE;
    read_text("a, b\tc\r\n\n \"d\n");
    CU_ASSERT_STRING_EQUAL(seen, "1:a, b\tc/2: \"d/");
}

static void lines_can_end_in_a_zero_byte(void)
{
    options.format = CADRE_INPUT_LINE;
    options.is_null_ended = true;
    read_bytes("a\nb\0c d\0", 8);
    CU_ASSERT_STRING_EQUAL(seen, "1:a\nb/2:c d/");
}

static void empty_lines_are_skipped_but_count_as_lines(void)
{
    read_text("1\n\n  \n2\n");
    CU_ASSERT_STRING_EQUAL(seen, "1:1/2:2/");
    CU_ASSERT_EQUAL(last_line, 4);
}

static void the_last_line_needs_no_end(void)
{
    read_text("1 2\n3 4");
    CU_ASSERT_STRING_EQUAL(seen, "1:1|2/2:3|4/");
    read_text("1,2\n3,4");
    CU_ASSERT_STRING_EQUAL(seen, "1:1|2/2:3|4/");
}

static void nothing_is_no_row(void)
{
    read_text("");
    CU_ASSERT_STRING_EQUAL(seen, "");
    read_text("\n\n");
    CU_ASSERT_STRING_EQUAL(seen, "");
}

static void a_byte_order_mark_is_not_part_of_the_first_field(void)
{
    read_text("\xEF\xBB\xBFx,y\n");
    CU_ASSERT_STRING_EQUAL(seen, "1:x|y/");
}

static void each_file_has_its_header_and_rows_count_on(void)
{
    char *files[] = {new_file("x,y\n1,2\n", 8), new_file("y x\n3 4", 7)};

    options.has_header = true;
    read_files(files, 2);
    options = (struct cadre_input_options){0};
    CU_ASSERT_STRING_EQUAL(seen, "H:x|y/1:1|2/H:y|x/2:3|4/");
    CU_ASSERT_EQUAL(bytes_total, 15);
    for (int i = 0; i < 2; i++) {
        unlink(files[i]);
        free(files[i]);
    }
}

static void a_missing_file_is_named(void)
{
    char *path = "/nowhere/at-all.csv";

    read_files(&path, 1);
    CU_ASSERT_STRING_EQUAL(seen, "X");
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, path));
}

static void a_folder_is_not_a_file(void)
{
    char *path = "/";

    read_files(&path, 1);
    CU_ASSERT_STRING_EQUAL(seen, "X");
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "directory"));
}

/* Longer than any block that is read at once, and cut by it anywhere. */
static void long_rows_come_whole(void)
{
    size_t len = 3 << 20;
    char *text = malloc(len + 1);
    struct cadre_input_row row;
    struct cadre_input *in;
    char *path;

    memset(text, 'x', len);
    text[len / 2] = ',';
    text[len - 2] = '\n';
    text[len] = '\0';
    path = new_file(text, len);
    options.files = &path;
    options.nfiles = 1;
    in = cadre_input_create(&options);
    CU_ASSERT_EQUAL(cadre_input_next(in, &row, &why), CADRE_INPUT_ROW);
    CU_ASSERT_EQUAL(row.count, 2);
    CU_ASSERT_EQUAL(row.fields[0].len, len / 2);
    CU_ASSERT_EQUAL(row.fields[1].len, len / 2 - 3);
    CU_ASSERT_EQUAL(cadre_input_next(in, &row, &why), CADRE_INPUT_ROW);
    CU_ASSERT_STRING_EQUAL(row.fields[0].text, "x");
    cadre_input_destroy(in);
    options = (struct cadre_input_options){0};
    unlink(path);
    free(path);
    free(text);
}

static void many_rows_need_no_more_memory(void)
{
    enum { ROWS = 300000 };
    char *text = malloc(ROWS * 8), *to = text, *path;
    struct cadre_input_row row;
    struct cadre_input *in;
    uint64_t sum = 0;

    for (int i = 0; i < ROWS; i++)
        to += sprintf(to, "%d\n", i);
    path = new_file(text, (size_t)(to - text));
    options.files = &path;
    options.nfiles = 1;
    in = cadre_input_create(&options);
    while (cadre_input_next(in, &row, &why) == CADRE_INPUT_ROW)
        sum += strtoul(row.fields[0].text, NULL, 10);
    CU_ASSERT_EQUAL(sum, (uint64_t)ROWS * (ROWS - 1) / 2);
    CU_ASSERT_EQUAL(row.number, ROWS);
    cadre_input_destroy(in);
    options = (struct cadre_input_options){0};
    unlink(path);
    free(path);
    free(text);
}

static void a_stop_ends_the_wait(void)
{
    static const volatile sig_atomic_t stop = 1;
    struct cadre_input_row row;
    struct cadre_input *in;

    options.stop = &stop;
    in = cadre_input_create(&options);
    CU_ASSERT_EQUAL(cadre_input_next(in, &row, &why), CADRE_INPUT_STOPPED);
    cadre_input_destroy(in);
    options = (struct cadre_input_options){0};
}

static void a_row_is_ready_when_it_is_whole(void)
{
    char *path = strdup("/dev/fd/00000");
    struct cadre_input_row row;
    struct cadre_input *in;
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    sprintf(path, "/dev/fd/%d", ends[0]);
    options.files = &path;
    options.nfiles = 1;
    in = cadre_input_create(&options);
    CU_ASSERT_EQUAL(write(ends[1], "1\n2\n3", 5), 5);
    CU_ASSERT_EQUAL(cadre_input_next(in, &row, &why), CADRE_INPUT_ROW);
    CU_ASSERT(cadre_input_is_ready(in));
    CU_ASSERT_EQUAL(cadre_input_next(in, &row, &why), CADRE_INPUT_ROW);
    CU_ASSERT_FALSE(cadre_input_is_ready(in));
    CU_ASSERT_EQUAL(write(ends[1], "4", 1), 1);
    CU_ASSERT_FALSE(cadre_input_is_ready(in));
    close(ends[1]);
    CU_ASSERT(cadre_input_is_ready(in));
    CU_ASSERT_EQUAL(cadre_input_next(in, &row, &why), CADRE_INPUT_ROW);
    CU_ASSERT_STRING_EQUAL(row.fields[0].text, "34");
    CU_ASSERT(cadre_input_is_ready(in));
    CU_ASSERT_EQUAL(cadre_input_next(in, &row, &why), CADRE_INPUT_END);
    cadre_input_destroy(in);
    close(ends[0]);
    options = (struct cadre_input_options){0};
    free(path);
}

int main(void)
{
    static const struct check_test tests[] = {
        CHECK(blanks_separate_fields),
        CHECK(the_first_line_tells_the_format),
        CHECK(csv_quotes_hold_commas_quotes_and_line_ends),
        CHECK(csv_keeps_empty_fields),
        CHECK(a_misplaced_quote_spoils_its_row_only),
        CHECK(a_quote_that_is_never_closed_is_bad),
        CHECK(tabs_keep_empty_fields_and_blanks),
        CHECK(a_line_can_be_one_field),
        CHECK(lines_can_end_in_a_zero_byte),
        CHECK(empty_lines_are_skipped_but_count_as_lines),
        CHECK(the_last_line_needs_no_end),
        CHECK(nothing_is_no_row),
        CHECK(a_byte_order_mark_is_not_part_of_the_first_field),
        CHECK(each_file_has_its_header_and_rows_count_on),
        CHECK(a_missing_file_is_named),
        CHECK(a_folder_is_not_a_file),
        CHECK(long_rows_come_whole),
        CHECK(many_rows_need_no_more_memory),
        CHECK(a_stop_ends_the_wait),
        CHECK(a_row_is_ready_when_it_is_whole),
        {NULL, NULL}};

    return check_run("input", tests);
}
