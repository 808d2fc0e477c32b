/* fuzz_journal.c - any bytes may be in a journal.
 *
 * If the first byte is even, four bytes follow that say how long the database
 * is, then it, then its write-ahead log: whatever they are, the journal opens
 * or is refused, its records can be read, and one can be written. If it is odd,
 * the rest are the outputs of some rows, to be cut into those of each.
 */
#include "bytes.h"
#include "journal.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ROWS = 4 };

static const struct cadre_journal_function function = {
    .library = "libf.so", .symbol = "f", .written = "f", .expanded = ""};

/* char *f(int32_t n, OUT double x[n]) for rows of 0, 1, 2 and 3 elements */
static struct cadre_param params[] = {
    {.name = "n", .kind = CADRE_PARAM_SCALAR, .type = CADRE_INT32},
    {.name = "x",
     .kind = CADRE_PARAM_ARRAY,
     .direction = CADRE_DIR_OUT,
     .type = CADRE_DOUBLE,
     .ndims = 1,
     .dims = {{.param = 0}}}};
static const struct cadre_proto proto = {.text = "f",
                                         .name = "f",
                                         .result = CADRE_STRING,
                                         .nparams = 2,
                                         .params = params};
static int32_t n[ROWS] = {0, 1, 2, 3};
static char *results[ROWS];
static double x[6];
static struct cadre_view args[2] = {{CADRE_FORM_DENSE, n}};
static struct cadre_view outputs[2] = {{CADRE_FORM_POINTERS, results},
                                       {CADRE_FORM_DENSE, x}};
static struct cadre_table table = {
    .proto = &proto, .count = ROWS, .args = args, .outputs = outputs};

static char folder[] = "/dev/shm/fuzz-journal-XXXXXX";
static char path[64], log_path[64];

static void remove_files(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[80];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static void remove_all(void)
{
    remove_files();
    rmdir(folder);
}

static void prepare(void)
{
    if (path[0] != '\0')
        return;
    /* Each input is a connection: no pool of small memory, made anew for each
     * (and what lies in none, the sanitizer sees better). */
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (mkdtemp(folder) == NULL ||
        cadre_table_measure(&table, NULL) != CADRE_OK)
        abort();
    snprintf(path, sizeof path, "%s/j", folder);
    snprintf(log_path, sizeof log_path, "%s/j-wal", folder);
    atexit(remove_all);
}

static void write_file(const char *name, const uint8_t *data, size_t len)
{
    FILE *f = fopen(name, "w");

    if (f == NULL || fwrite(data, 1, len, f) != len)
        abort();
    fclose(f);
}

static void free_strings(void)
{
    for (int i = 0; i < ROWS; i++) {
        free(results[i]);
        results[i] = NULL;
    }
}

static cadre_err take(void *user, const struct cadre_record *record,
                      struct cadre_error *error)
{
    uint64_t *left = user;

    if (strlen(record->text) > 1 << 20 || record->item >= INT64_MAX)
        abort();
    if (record->err == CADRE_OK)
        cadre_outputs_unpack(&table, record->item % ROWS, 1,
                             record->slice.outputs, record->slice.len, error);
    free_strings();
    return --*left > 0 ? CADRE_OK : CADRE_ECANCELLED;
}

static void use_journal(struct cadre_journal *j)
{
    static const struct cadre_record record = {.item = 3, .text = ""};
    struct cadre_error error;
    uint64_t count = 100, left = 100;
    bool is_recorded;

    cadre_journal_span(j, 0, false, &count, &is_recorded, &error);
    if (count < 1 || count > 100)
        abort();
    cadre_journal_read(j, 0, UINT64_MAX, take, &left, &error);
    if (cadre_journal_begin(j, &error) == CADRE_OK &&
        cadre_journal_put(j, &record, &error) == CADRE_OK)
        cadre_journal_commit(j, &error);
}

static void open_bytes(const uint8_t *data, size_t len)
{
    struct cadre_error error = {""};
    struct cadre_journal *j = NULL;
    uint32_t size;

    if (len < 4)
        return;
    size = cadre_get_u32(data);
    data += 4;
    len -= 4;
    size = size < len ? size : (uint32_t)len;
    remove_files();
    write_file(path, data, size);
    if (len > size)
        write_file(log_path, data + size, len - size);
    if (cadre_journal_open(path, &function, &j, &error) == CADRE_OK)
        use_journal(j);
    else if (strstr(error.text, path) == NULL)
        abort();
    cadre_journal_close(j);
}

static void slice_bytes(const uint8_t *data, size_t len)
{
    struct cadre_buffer buffer = {0};
    struct cadre_slice slice;
    struct cadre_error error;
    uint8_t *copy = malloc(len + 1);
    char *text;

    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, data, len);
    if (cadre_outputs_unpack(&table, 0, ROWS, copy, len, &error) == CADRE_OK) {
        for (uint64_t row = 0; row < ROWS; row++) {
            if (cadre_slice_pack(&table, row, &buffer, &slice) != CADRE_OK)
                abort();
            text = results[row]; /* the next call makes another */
            if (cadre_outputs_unpack(&table, row, 1, slice.outputs, slice.len,
                                     &error) != CADRE_OK ||
                (text == NULL) != (results[row] == NULL) ||
                (text != NULL && strcmp(text, results[row]) != 0))
                abort();
            free(text);
        }
    }
    free_strings();
    cadre_buffer_fini(&buffer);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    prepare();
    if (len == 0)
        return 0;
    if (data[0] % 2 == 0)
        open_bytes(data + 1, len - 1);
    else
        slice_bytes(data + 1, len - 1);
    return 0;
}
