/* test_journal.c - what is committed stays, whatever happens; what is no
 * journal of ours is refused. */
#include "check.h"

#include "journal.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct cadre_journal_function square = {.library = "/lib/a.so",
                                                     .symbol = "square",
                                                     .written =
                                                         "long square(long i)",
                                                     .expanded = ""};

static char folder[] = "/tmp/cadre-journal-XXXXXX";
static char path[64]; /* of the journal in it */

static void remove_files(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[80];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static struct cadre_journal *open_journal(void)
{
    struct cadre_error error = {""};
    struct cadre_journal *j = NULL;

    if (cadre_journal_open(path, &square, &j, &error) != CADRE_OK)
        fprintf(stderr, "%s\n", error.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(j);
    return j;
}

static struct cadre_journal *new_journal(void)
{
    remove_files();
    return open_journal();
}

/* Opening for `function` must fail with `err` and a text with `part`. */
static void check_refused(const char *name,
                          const struct cadre_journal_function *function,
                          cadre_err err, const char *part)
{
    struct cadre_error error = {""};
    struct cadre_journal *j = NULL;
    cadre_err got = cadre_journal_open(name, function, &j, &error);

    if (got != err || strstr(error.text, part) == NULL)
        fprintf(stderr, "'%s' is not '%s' with '%s'\n", error.text,
                cadre_strerror(err), part);
    CU_ASSERT_EQUAL(got, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, part));
    cadre_journal_close(j);
}

/* The record that every test writes for `item`: what it holds follows from it;
 * every seventh has failed. */
static struct cadre_record record_of(uint64_t item)
{
    static int64_t value;
    struct cadre_record r = {.item = item,
                             .text = "",
                             .ended = 1000.5 + (double)item,
                             .slice = {.outputs = "some bytes",
                                       .len = 10,
                                       .type = CADRE_INT64,
                                       .value = &value}};

    value = (int64_t)(item * item);
    memset(r.digest.bytes, (int)item, sizeof r.digest.bytes);
    if (item % 7 == 6) {
        r.err = CADRE_ETASK;
        r.kind = 42;
        r.text = "a multiple of 7";
    }
    return r;
}

static cadre_err write_items(struct cadre_journal *j, uint64_t first,
                             uint64_t count, struct cadre_error *error)
{
    cadre_err err = cadre_journal_begin(j, error);

    for (uint64_t i = first; err == CADRE_OK && i < first + count; i++) {
        struct cadre_record r = record_of(i);

        if ((err = cadre_journal_put(j, &r, error)) != CADRE_OK)
            return err;
    }
    return err == CADRE_OK ? cadre_journal_commit(j, error) : err;
}

/* Counts records that are as they were written, in ascending order. */
struct seen {
    uint64_t count, next;
};

static cadre_err see(void *user, const struct cadre_record *record,
                     struct cadre_error *error)
{
    struct cadre_record want = record_of(record->item);
    struct seen *seen = user;

    (void)error;
    CU_ASSERT(record->item >= seen->next);
    CU_ASSERT_EQUAL(record->err, want.err);
    CU_ASSERT_EQUAL(record->kind, want.kind);
    CU_ASSERT_STRING_EQUAL(record->text, want.text);
    CU_ASSERT_EQUAL(record->ended, want.ended);
    CU_ASSERT_EQUAL(memcmp(&record->digest, &want.digest, sizeof want.digest),
                    0);
    if (want.err == CADRE_OK) {
        CU_ASSERT_EQUAL_FATAL(record->slice.len, want.slice.len);
        CU_ASSERT_EQUAL(
            memcmp(record->slice.outputs, want.slice.outputs, want.slice.len),
            0);
    }
    seen->next = record->item + 1;
    seen->count++;
    return CADRE_OK;
}

static uint64_t count_items(struct cadre_journal *j, uint64_t first,
                            uint64_t count)
{
    struct seen seen = {0};
    struct cadre_error error = {""};

    CU_ASSERT_EQUAL(cadre_journal_read(j, first, count, see, &seen, &error),
                    CADRE_OK);
    return seen.count;
}

/* --- what it keeps ----------------------------------------------------------
 */

static void what_is_committed_is_there_when_opened_again(void)
{
    struct cadre_journal *j = new_journal();

    CU_ASSERT_EQUAL(cadre_journal_end(j), 0);
    CU_ASSERT_EQUAL(write_items(j, 0, 20, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(write_items(j, 30, 5, NULL), CADRE_OK);
    cadre_journal_close(j);

    j = open_journal();
    CU_ASSERT_EQUAL(cadre_journal_end(j), 35);
    CU_ASSERT_EQUAL(count_items(j, 0, 100), 25);
    CU_ASSERT_EQUAL(count_items(j, 18, 13), 3);
    CU_ASSERT_EQUAL(count_items(j, 20, 10), 0);
    CU_ASSERT_EQUAL(count_items(j, 0, UINT64_MAX), 25);
    cadre_journal_close(j);
}

static void a_record_of_the_same_item_is_replaced(void)
{
    struct cadre_record r = record_of(6); /* has failed */
    struct cadre_journal *j = new_journal();

    r.err = CADRE_ELOST;
    CU_ASSERT_EQUAL(cadre_journal_begin(j, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_journal_put(j, &r, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_journal_commit(j, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(write_items(j, 6, 1, NULL), CADRE_OK);
    cadre_journal_close(j);
    j = open_journal();
    CU_ASSERT_EQUAL(count_items(j, 0, 100), 1);
    cadre_journal_close(j);
}

/* "3 run" or "5 recorded": the span of at most `most` items from `first` on. */
static const char *span_at(struct cadre_journal *j, uint64_t first,
                           uint64_t most, bool retry_failed)
{
    static char text[64];
    bool is_recorded;

    CU_ASSERT_EQUAL(
        cadre_journal_span(j, first, retry_failed, &most, &is_recorded, NULL),
        CADRE_OK);
    snprintf(text, sizeof text, "%llu %s", (unsigned long long)most,
             is_recorded ? "recorded" : "run");
    return text;
}

static void a_span_ends_where_the_records_do(void)
{
    struct cadre_journal *j = new_journal();

    write_items(j, 3, 10, NULL); /* 3 to 12; 6 has failed */
    write_items(j, 20, 1, NULL);
    CU_ASSERT_STRING_EQUAL(span_at(j, 0, 100, false), "100 run"); /* not seen */
    cadre_journal_close(j);

    j = open_journal();
    CU_ASSERT_STRING_EQUAL(span_at(j, 0, 100, false), "3 run");
    CU_ASSERT_STRING_EQUAL(span_at(j, 0, 2, false), "2 run");
    CU_ASSERT_STRING_EQUAL(span_at(j, 3, 100, false), "10 recorded");
    CU_ASSERT_STRING_EQUAL(span_at(j, 5, 4, false), "4 recorded");
    CU_ASSERT_STRING_EQUAL(span_at(j, 12, 100, false), "1 recorded");
    CU_ASSERT_STRING_EQUAL(span_at(j, 13, 100, false), "7 run");
    CU_ASSERT_STRING_EQUAL(span_at(j, 20, 100, false), "1 recorded");
    CU_ASSERT_STRING_EQUAL(span_at(j, 21, 100, false), "100 run");
    CU_ASSERT_STRING_EQUAL(span_at(j, 3, 100, true), "3 recorded");
    CU_ASSERT_STRING_EQUAL(span_at(j, 6, 100, true), "1 run");
    CU_ASSERT_STRING_EQUAL(span_at(j, 7, 100, true), "6 recorded");
    CU_ASSERT_STRING_EQUAL(span_at(j, 13, 100, true), "100 run");
    CU_ASSERT_STRING_EQUAL(span_at(j, 0, 100, true), "3 run");
    cadre_journal_close(j);
}

static void the_items_can_be_queried_while_it_is_open(void)
{
    static const char sql[] = "SELECT sum(value), min(error), count(*)"
                              " FROM items";
    struct cadre_journal *j = new_journal();
    sqlite3_stmt *s = NULL;
    sqlite3 *db = NULL;

    write_items(j, 0, 8, NULL);
    CU_ASSERT_EQUAL(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL),
                    SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_step(s), SQLITE_ROW);
    CU_ASSERT_EQUAL(sqlite3_column_int(s, 0), 0 + 1 + 4 + 9 + 16 + 25 + 49);
    CU_ASSERT_STRING_EQUAL(sqlite3_column_text(s, 1), "a multiple of 7");
    CU_ASSERT_EQUAL(sqlite3_column_int(s, 2), 8);
    sqlite3_finalize(s);
    sqlite3_close(db);
    CU_ASSERT_EQUAL(write_items(j, 8, 8, NULL), CADRE_OK);
    cadre_journal_close(j);
}

/* --- what it refuses --------------------------------------------------------
 */

static void set_version(int version)
{
    char sql[64];
    sqlite3 *db = NULL;

    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", version);
    CU_ASSERT_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void another_function_or_version_is_refused(void)
{
    struct cadre_journal_function other = square;
    struct cadre_journal *j = new_journal();

    cadre_journal_close(j);
    other.library = "/lib/b.so";
    check_refused(path, &other, CADRE_EINVAL,
                  "its library is '/lib/a.so', not '/lib/b.so'");
    other = square;
    other.written = "int square(int i)";
    check_refused(path, &other, CADRE_EINVAL,
                  "its prototype is 'long square(long i)', not 'int");
    other = square;
    other.symbol = "cube";
    check_refused(path, &other, CADRE_EINVAL, "not 'cube'");
    other = square;
    other.expanded = "long square(int i)";
    check_refused(path, &other, CADRE_EINVAL, "its expanded is ''");
    set_version(CADRE_JOURNAL_VERSION + 1);
    check_refused(path, &square, CADRE_EVERSION, "has version 2");
}

static void write_text(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
}

static void a_file_that_is_no_journal_is_left_as_it_is(void)
{
    char text[64] = "";
    sqlite3 *db = NULL;
    FILE *f;

    remove_files();
    write_text(path, "precious text, and more than a little of it: so there\n");
    check_refused(path, &square, CADRE_EINVAL, "is no journal");
    f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL(fgets(text, sizeof text, f));
    fclose(f);
    CU_ASSERT_EQUAL(strncmp(text, "precious text", 13), 0);

    remove_files();
    CU_ASSERT_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
    CU_ASSERT_EQUAL(
        sqlite3_exec(db, "CREATE TABLE items (item)", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    check_refused(path, &square, CADRE_EINVAL, "is no journal");
}

/* Run `child` in a process of its own; its exit status, or minus its signal. */
static int in_child(void (*child)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        child();
        _exit(0);
    }
    CU_ASSERT_FATAL(pid > 0);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool is_refused(const char *name, cadre_err err, const char *part)
{
    struct cadre_error error = {""};
    struct cadre_journal *j = NULL;

    return cadre_journal_open(name, &square, &j, &error) == err &&
           strstr(error.text, part) != NULL;
}

/* As somebody whom permissions stop. */
static void open_what_is_protected(void)
{
    char name[96];

    chmod(path, 0444);
    chmod(folder, 0555);
    if (geteuid() == 0 && setuid(65534) != 0)
        _exit(1);
    snprintf(name, sizeof name, "%s/other.db", folder);
    _exit(is_refused(path, CADRE_EIO, "Permission denied") &&
                  is_refused(name, CADRE_EIO, "Permission denied")
              ? 0
              : 2);
}

static void a_place_that_cannot_be_written_is_named(void)
{
    char name[96];

    remove_files();
    snprintf(name, sizeof name, "%s/none/j.db", folder);
    check_refused(name, &square, CADRE_ENOTFOUND, "No such file");
    check_refused(folder, &square, CADRE_EIO, "Is a directory");
    check_refused("/dev/null", &square, CADRE_EINVAL, "not a regular file");
    cadre_journal_close(open_journal());
    CU_ASSERT_EQUAL(in_child(open_what_is_protected), 0);
    chmod(folder, 0700);
}

/* A program of its own: this one, with an argument. */
static void open_what_is_in_use(void)
{
    execl("/proc/self/exe", "test_journal", path, NULL);
    _exit(1);
}

static void one_run_at_a_time_has_it(void)
{
    struct cadre_journal *j = new_journal();
    char other_name[80];

    check_refused(path, &square, CADRE_ESTATE, "in use by this program");
    snprintf(other_name, sizeof other_name, "%s/link.db", folder);
    CU_ASSERT_EQUAL(symlink(path, other_name), 0);
    check_refused(other_name, &square, CADRE_ESTATE, "in use by this program");
    unlink(other_name);
    CU_ASSERT_EQUAL(in_child(open_what_is_in_use), 0);
    CU_ASSERT_EQUAL(write_items(j, 0, 5, NULL), CADRE_OK);
    cadre_journal_close(j);
    cadre_journal_close(open_journal());
}

/* --- what it survives -------------------------------------------------------
 */

enum { COMMITS = 40 };

/* One item in each commit; then some that are not committed, and the end. */
static void write_and_die(void)
{
    struct cadre_journal *j = NULL;

    if (cadre_journal_open(path, &square, &j, NULL) != CADRE_OK)
        _exit(1);
    for (uint64_t i = 0; i < COMMITS; i++) {
        if (write_items(j, i, 1, NULL) != CADRE_OK)
            _exit(2);
    }
    cadre_journal_begin(j, NULL);
    for (uint64_t i = COMMITS; i < 2 * COMMITS; i++) {
        struct cadre_record r = record_of(i);

        cadre_journal_put(j, &r, NULL);
    }
    kill(getpid(), SIGKILL);
}

static void a_killed_writer_leaves_what_it_committed(void)
{
    struct cadre_journal *j;

    remove_files();
    CU_ASSERT_EQUAL(in_child(write_and_die), -SIGKILL);
    j = open_journal();
    CU_ASSERT_EQUAL(cadre_journal_end(j), COMMITS);
    CU_ASSERT_EQUAL(count_items(j, 0, 100), COMMITS);
    CU_ASSERT_EQUAL(write_items(j, COMMITS, 10, NULL), CADRE_OK);
    CU_ASSERT_EQUAL(count_items(j, 0, 100), COMMITS + 10);
    cadre_journal_close(j);
}

struct bytes {
    char *data;
    size_t len;
};

static struct bytes read_file(const char *name)
{
    struct bytes b = {NULL, 0};
    FILE *f = fopen(name, "r");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    b.data = malloc(1 << 22);
    b.len = fread(b.data, 1, 1 << 22, f);
    fclose(f);
    return b;
}

static void write_file(const char *name, struct bytes b, size_t len)
{
    FILE *f = fopen(name, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(b.data, 1, len, f), len);
    fclose(f);
}

/* Cut the write-ahead log anywhere, with rubbish behind the cut if `is_torn`:
 * some first commits are left, each whole. */
static void check_cuts(bool is_torn)
{
    char log_name[80];
    struct bytes db, log, torn;
    uint64_t before = 0;

    remove_files();
    snprintf(log_name, sizeof log_name, "%s-wal", path);
    CU_ASSERT_EQUAL(in_child(write_and_die), -SIGKILL);
    db = read_file(path);
    log = read_file(log_name);
    torn = (struct bytes){malloc(log.len), log.len};
    CU_ASSERT(log.len > 4096 * COMMITS);
    for (size_t cut = 0; cut <= log.len; cut += 1 + log.len / 61) {
        struct cadre_journal *j;
        uint64_t n;

        remove_files();
        memcpy(torn.data, log.data, log.len);
        memset(torn.data + cut, 0x5a, log.len - cut);
        write_file(path, db, db.len);
        write_file(log_name, torn, is_torn ? log.len : cut);
        j = open_journal();
        n = cadre_journal_end(j);
        CU_ASSERT_EQUAL(count_items(j, 0, 100), n);
        CU_ASSERT(n >= before && n <= COMMITS);
        before = n;
        CU_ASSERT_EQUAL(write_items(j, n, COMMITS, NULL), CADRE_OK);
        cadre_journal_close(j);
        j = open_journal();
        CU_ASSERT_EQUAL(count_items(j, 0, 100), n + COMMITS);
        cadre_journal_close(j);
    }
    CU_ASSERT(before > COMMITS / 2);
    free(db.data);
    free(log.data);
    free(torn.data);
}

static void a_torn_last_write_costs_only_itself(void)
{
    check_cuts(false);
    check_cuts(true);
}

static cadre_err count_any(void *user, const struct cadre_record *record,
                           struct cadre_error *error)
{
    (void)record;
    (void)error;
    ++*(uint64_t *)user;
    return CADRE_OK;
}

static void a_damaged_file_is_an_error_not_a_crash(void)
{
    struct cadre_journal *j = new_journal();
    struct bytes db;
    int nrefused = 0;

    write_items(j, 0, 2000, NULL);
    cadre_journal_close(j);
    db = read_file(path);
    CU_ASSERT(db.len > 100000);
    for (size_t cut = 100; cut < db.len; cut += db.len / 40) {
        struct cadre_error error = {""};
        uint64_t n = 0;
        cadre_err err;

        remove_files();
        write_file(path, db, cut);
        err = cadre_journal_open(path, &square, &j, &error);
        if (err == CADRE_OK) {
            err = cadre_journal_read(j, 0, 2000, count_any, &n, &error);
            cadre_journal_close(j);
        }
        CU_ASSERT(err != CADRE_OK || n == 2000);
        CU_ASSERT(err == CADRE_OK || strstr(error.text, path) != NULL);
        nrefused += err != CADRE_OK;
    }
    CU_ASSERT(nrefused >= 39);
    free(db.data);
}

/* Files may grow to 200 kB from here on: as on a full disk, writes fail. */
static void write_until_full(void)
{
    struct rlimit limit = {200000, 200000};
    struct cadre_error error = {""};
    struct cadre_journal *j = NULL;
    uint64_t n = 0;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    if (cadre_journal_open(path, &square, &j, NULL) != CADRE_OK)
        _exit(1);
    while (write_items(j, n, 10, &error) == CADRE_OK) {
        n += 10;
        if (n > 100000)
            _exit(2);
    }
    if (strstr(error.text, path) == NULL ||
        strstr(error.text, "cannot be written") == NULL)
        _exit(3);
    if (write_items(j, n, 1, &error) != CADRE_EIO)
        _exit(4);
    cadre_journal_close(j);
    _exit(n >= 100 ? (int)(n / 10 % 100) + 100 : 5);
}

static void a_full_disk_is_an_error_and_nothing_is_lost(void)
{
    struct cadre_journal *j;
    int status;
    uint64_t n;

    remove_files();
    status = in_child(write_until_full);
    CU_ASSERT(status >= 100 && status < 200);
    j = open_journal();
    n = cadre_journal_end(j);
    CU_ASSERT_EQUAL((int)(n / 10 % 100) + 100, status);
    CU_ASSERT_EQUAL(n % 10, 0);
    CU_ASSERT_EQUAL(count_items(j, 0, n), n);
    CU_ASSERT_EQUAL(write_items(j, n, 10, NULL), CADRE_OK);
    cadre_journal_close(j);
}

/* --- items ------------------------------------------------------------------
 */

/* Rows of f(a, n, x[n], s) -> string, y[n]: three rows with 2, 0 and 1
 * elements. */
struct rows {
    struct cadre_proto *proto;
    struct cadre_table table;
    struct cadre_view args[5], outputs[2];
    int32_t a[1];
    int64_t n[3];
    double x[3];
    const char *s[3];
    char *result[3];
    double y[3];
};

static void make_rows(struct rows *r)
{
    *r = (struct rows){
        .a = {5}, .n = {2, 0, 1}, .x = {1.5, 2.5, 3.5}, .s = {"one", NULL, ""}};
    CU_ASSERT_EQUAL_FATAL(
        cadre_proto_parse("char *f(int32_t a, int64_t n, const double x[n], "
                          "const char *s, CADRE_OUT double y[n])",
                          &r->proto, NULL),
        CADRE_OK);
    r->table = (struct cadre_table){
        .proto = r->proto, .count = 3, .args = r->args, .outputs = r->outputs};
    r->table.args[0] = (struct cadre_view){CADRE_FORM_SAME, r->a};
    r->table.args[1] = (struct cadre_view){CADRE_FORM_DENSE, r->n};
    r->table.args[2] = (struct cadre_view){CADRE_FORM_DENSE, r->x};
    r->table.args[3] = (struct cadre_view){CADRE_FORM_POINTERS, r->s};
    r->outputs[0] = (struct cadre_view){CADRE_FORM_POINTERS, r->result};
    r->outputs[1] = (struct cadre_view){CADRE_FORM_DENSE, r->y};
    CU_ASSERT_EQUAL_FATAL(cadre_table_measure(&r->table, NULL), CADRE_OK);
}

static void free_rows(struct rows *r)
{
    for (int i = 0; i < 3; i++)
        free(r->result[i]);
    cadre_table_fini(&r->table);
    cadre_proto_destroy(r->proto);
}

static bool same(const struct cadre_digest *a, const struct cadre_digest *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* How many of the three rows have other digests than `before`? */
static int changed(const struct rows *r, const struct cadre_digest *before)
{
    struct cadre_digest now[3];
    int n = 0;

    CU_ASSERT_EQUAL(cadre_digest_rows(&r->table, 0, 3, now), CADRE_OK);
    for (int i = 0; i < 3; i++)
        n += !same(&now[i], &before[i]);
    return n;
}

static void a_digest_follows_its_arguments_and_no_others(void)
{
    struct cadre_digest all[3], last;
    struct rows r;

    make_rows(&r);
    CU_ASSERT_EQUAL(cadre_digest_rows(&r.table, 0, 3, all), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_digest_rows(&r.table, 2, 1, &last), CADRE_OK);
    CU_ASSERT(same(&all[2], &last));
    CU_ASSERT_FALSE(same(&all[0], &all[1]) || same(&all[1], &all[2]));
    CU_ASSERT_EQUAL(changed(&r, all), 0);
    r.y[0] = 1; /* an output */
    CU_ASSERT_EQUAL(changed(&r, all), 0);
    r.x[1] = 2.25;
    CU_ASSERT_EQUAL(changed(&r, all), 1);
    r.x[1] = 2.5;
    r.s[1] = "";
    CU_ASSERT_EQUAL(changed(&r, all), 1);
    r.s[1] = NULL;
    r.a[0] = 6; /* all rows share it */
    CU_ASSERT_EQUAL(changed(&r, all), 3);
    free_rows(&r);
}

/* The digest is in files: it must be the same for ever, or the version of the
 * journal be raised. */
static void a_digest_stays_the_same_from_version_to_version(void)
{
    static const char want[] = "09457e21b2acb2e40591d069d486e2e0";
    struct cadre_digest d;
    struct rows r;
    char text[40];

    make_rows(&r);
    CU_ASSERT_EQUAL(cadre_digest_rows(&r.table, 0, 1, &d), CADRE_OK);
    for (int i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", d.bytes[i]);
    if (strcmp(text, want) != 0)
        fprintf(stderr, "the digest is %s\n", text);
    CU_ASSERT_STRING_EQUAL(text, want);
    free_rows(&r);
}

static void a_slice_gives_back_its_row(void)
{
    static char *const texts[] = {"first", NULL, ""};
    struct cadre_buffer buffer = {0};
    struct cadre_slice slice;
    struct rows r, back;

    make_rows(&r);
    make_rows(&back);
    for (int i = 0; i < 3; i++) {
        r.result[i] = texts[i] != NULL ? strdup(texts[i]) : NULL;
        r.y[i] = -1 - i;
    }
    for (uint64_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(cadre_slice_pack(&r.table, i, &buffer, &slice),
                        CADRE_OK);
        CU_ASSERT_EQUAL(slice.type, CADRE_STRING);
        CU_ASSERT_PTR_EQUAL(slice.value, r.result[i]);
        CU_ASSERT_EQUAL(cadre_outputs_unpack(&back.table, i, 1, slice.outputs,
                                             slice.len, NULL),
                        CADRE_OK);
    }
    CU_ASSERT_STRING_EQUAL(back.result[0], "first");
    CU_ASSERT_PTR_NULL(back.result[1]);
    CU_ASSERT_STRING_EQUAL(back.result[2], "");
    CU_ASSERT(back.y[0] == -1 && back.y[1] == -2 && back.y[2] == -3);
    cadre_buffer_fini(&buffer);
    free_rows(&r);
    free_rows(&back);
}

/* ----------------------------------------------------------------------------
 */

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(what_is_committed_is_there_when_opened_again),
        CHECK(a_record_of_the_same_item_is_replaced),
        CHECK(a_span_ends_where_the_records_do),
        CHECK(the_items_can_be_queried_while_it_is_open),
        CHECK(another_function_or_version_is_refused),
        CHECK(a_file_that_is_no_journal_is_left_as_it_is),
        CHECK(a_place_that_cannot_be_written_is_named),
        CHECK(one_run_at_a_time_has_it),
        CHECK(a_killed_writer_leaves_what_it_committed),
        CHECK(a_torn_last_write_costs_only_itself),
        CHECK(a_damaged_file_is_an_error_not_a_crash),
        CHECK(a_full_disk_is_an_error_and_nothing_is_lost),
        CHECK(a_digest_follows_its_arguments_and_no_others),
        CHECK(a_digest_stays_the_same_from_version_to_version),
        CHECK(a_slice_gives_back_its_row),
        {NULL, NULL}};
    int status;

    if (argc == 2)
        return is_refused(argv[1], CADRE_ESTATE, "another process") ? 0 : 1;
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/j.db", folder);
    status = check_run("journal", tests);
    remove_files();
    rmdir(folder);
    return status;
}
