/* fuzz_input.c - any bytes at all, read as rows, and each field as a value.
 *
 * The first byte chooses the format and the type, the rest is the file. Seeds
 * lie in fuzz/input/.
 */
#include "input.h"
#include "values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REQUIRE(condition)                                                     \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);            \
            abort();                                                           \
        }                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is printed reads back, and prints the same again. */
static void check_print(cadre_type type, const char *data, size_t count)
{
    struct cadre_text printed = {0}, again = {0}, elements = {0};
    struct cadre_why why;
    size_t found;

    cadre_value_print(&printed, type, data, count, false);
    cadre_text_add_char(&printed, '\0');
    REQUIRE(cadre_value_scan_array(type, printed.data, printed.len - 1,
                                   &elements, &found, &why));
    REQUIRE(found == count);
    cadre_value_print(&again, type, elements.data, found, false);
    REQUIRE(
        again.len == printed.len - 1 &&
        (again.len == 0 || memcmp(again.data, printed.data, again.len) == 0));
    cadre_text_fini(&printed);
    cadre_text_fini(&again);
    cadre_text_fini(&elements);
}

static void check_values(cadre_type type, const struct cadre_input_field *field)
{
    struct cadre_text elements = {0};
    struct cadre_value value = {.type = CADRE_VOID};
    struct cadre_why why = {""};
    size_t count;

    if (cadre_value_scan(type, field->text, field->len, &value, &why))
        REQUIRE(value.type == type);
    else
        REQUIRE(value.type == CADRE_VOID && why.text[0] != '\0');
    if (cadre_value_scan_array(type, field->text, field->len, &elements, &count,
                               &why)) {
        REQUIRE(elements.len == count * cadre_value_size(type));
        check_print(type, elements.data, count);
    }
    cadre_text_fini(&elements);
}

static void check_row(const struct cadre_input_row *row, size_t size,
                      uint64_t number, cadre_type type)
{
    size_t bytes = 0;

    REQUIRE(row->is_header ? row->number == 0 : row->number == number);
    REQUIRE(row->line >= number);
    REQUIRE(row->count > 0);
    for (size_t i = 0; i < row->count; i++) {
        REQUIRE(row->fields[i].text[row->fields[i].len] == '\0');
        bytes += row->fields[i].len;
        check_values(type, &row->fields[i]);
    }
    REQUIRE(bytes <= size);
}

static void read_rows(char *path, size_t size, unsigned choice)
{
    struct cadre_input_options options = {
        .format = (enum cadre_input_format)(choice % 5),
        .has_header = choice % 2,
        .is_null_ended = choice % 5 == CADRE_INPUT_LINE && choice % 3 == 0,
        .nfiles = 1,
        .files = &path};
    cadre_type type = (cadre_type)(CADRE_BOOL + choice % (CADRE_STRING - 1));
    struct cadre_input *in = cadre_input_create(&options);
    enum cadre_input_result got;
    struct cadre_input_row row;
    struct cadre_why why;
    uint64_t number = 0;

    while ((got = cadre_input_next(in, &row, &why)) == CADRE_INPUT_ROW ||
           got == CADRE_INPUT_BAD) {
        number += !row.is_header;
        if (got == CADRE_INPUT_ROW)
            check_row(&row, size, number, type);
    }
    REQUIRE(got == CADRE_INPUT_END);
    REQUIRE(cadre_input_bytes_read(in) == size);
    REQUIRE(cadre_input_bytes_total(in) == size);
    cadre_input_destroy(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[32];

    if (size == 0)
        return 0;
    if (fd < 0) {
        fd = memfd_create("rows", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    REQUIRE(ftruncate(fd, 0) == 0);
    REQUIRE(pwrite(fd, data + 1, size - 1, 0) == (ssize_t)size - 1);
    read_rows(path, size - 1, data[0]);
    return 0;
}
