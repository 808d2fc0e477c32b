/* mpi_journal.c - maps that go on where their journal ends.
 *
 * Tasks note each run as a line in a file, so that runs can be counted.
 */
#include "check.h"

#include <cadre.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { N = 10000, FEW = 200 };

static void note(const char *file, long i)
{
    char line[32];
    int len = snprintf(line, sizeof line, "%ld\n", i);
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd < 0 || write(fd, line, (size_t)len) != len)
        cadre_task_fail(1, "%s cannot be written", file);
    if (fd >= 0)
        close(fd);
}

/* Is there a file of that name with ".mended" added? */
static bool is_mended(const char *file)
{
    char name[256];

    snprintf(name, sizeof name, "%s.mended", file);
    return access(name, F_OK) == 0;
}

CADRE_TASK(int64_t, noted, (const char *file, int64_t i))
{
    note(file, i);
    return i * i;
}

CADRE_TASK(int64_t, weak, (const char *file, int64_t i))
{
    note(file, i);
    if (i % 50 == 3 && !is_mended(file))
        cadre_task_fail(42, "%d is too much", (int)i);
    return i * i;
}

CADRE_TASK(int64_t, fatal, (const char *file, int64_t i))
{
    note(file, i);
    if (i == 5 && !is_mended(file))
        raise(SIGKILL);
    return i;
}

CADRE_TASK(int64_t, sleepy, (const char *file, int64_t i))
{
    note(file, i);
    usleep(2000);
    return i;
}

CADRE_TASK(void, silent, (const char *file, int64_t i))
{
    note(file, i);
}

CADRE_TASK(char *, spell,
           (const char *file, int n, const int x[n], CADRE_OUT double half[n],
            CADRE_OUT int first[2]))
{
    char *text = NULL;

    note(file, n);
    for (int i = 0; i < n; i++)
        half[i] = x[i] / 2.0;
    first[0] = n > 0 ? x[0] : -1;
    first[1] = n;
    if (n == 3 || asprintf(&text, "%d elements", n) < 0)
        return NULL;
    return text;
}

static struct cadre_pool *pool;
static char folder[] = "/tmp/cadre-journal-XXXXXX";
static char journal[64], notes[64];
static char *file = notes;

/* --- helpers ----------------------------------------------------------------
 */

static void remove_file(const char *name, const char *end)
{
    char text[96];

    snprintf(text, sizeof text, "%s%s", name, end);
    unlink(text);
}

static void start_afresh(void)
{
    remove_file(journal, "");
    remove_file(journal, "-wal");
    remove_file(journal, "-shm");
    remove_file(notes, "");
    remove_file(notes, ".mended");
}

static void mend(void)
{
    char name[96];

    snprintf(name, sizeof name, "%s.mended", notes);
    close(open(name, O_WRONLY | O_CREAT, 0600));
}

/* Runs so far, and of each item in `runs` (N of them). */
static int count_runs(int *runs)
{
    FILE *f = fopen(notes, "r");
    int n = 0, i;

    memset(runs, 0, N * sizeof *runs);
    while (f != NULL && fscanf(f, "%d", &i) == 1) {
        n++;
        if (i >= 0 && i < N)
            runs[i]++;
    }
    if (f != NULL)
        fclose(f);
    return n;
}

static int runs[N];

static void check_ok(cadre_err got, cadre_err want, unsigned line)
{
    if (got != want)
        fprintf(stderr, "line %u: '%s', not '%s': %s\n", line,
                cadre_strerror(got), cadre_strerror(want), cadre_error_text());
    CU_assertImplementation(got == want, line, "error", __FILE__, "", CU_FALSE);
}
#define CHECK_OK(call) check_ok((call), CADRE_OK, __LINE__)
#define CHECK_ERR(err, call) check_ok((call), (err), __LINE__)

static void check_says(const char *part, unsigned line)
{
    bool says = strstr(cadre_error_text(), part) != NULL;

    if (!says)
        fprintf(stderr, "line %u: '%s' does not say '%s'\n", line,
                cadre_error_text(), part);
    CU_assertImplementation(says, line, part, __FILE__, "", CU_FALSE);
}
#define CHECK_SAYS(part) check_says((part), __LINE__)

/* Numbers from 0 to `count`, given one by one; results taken. */
struct series {
    int64_t next, count;
    int64_t stop_at; /* the callback says so at this item, and only half of
                        them are given; -1: never */
    bool is_unordered;
    int64_t wrong_at; /* this item is given another number; -1: none */
    uint64_t taken;
    int nfailed;
    bool seen[N];
};

static bool give(void *user, struct cadre_row *row)
{
    struct series *s = user;
    int64_t i = s->next;

    if (i >= s->count)
        return false;
    if (s->stop_at >= 0 && i >= s->count / 2)
        return true; /* nothing yet: it is going to be stopped */
    s->next++;
    return cadre_row_give(row, i == s->wrong_at ? i + 1 : i) == CADRE_OK;
}

static bool take(void *user, const struct cadre_item *item)
{
    struct series *s = user;
    int64_t i = (int64_t)item->index;

    CU_ASSERT_FATAL(i < N);
    CU_ASSERT(s->is_unordered || item->index == s->taken);
    CU_ASSERT_FALSE(s->seen[i]);
    s->seen[i] = true;
    s->taken++;
    if (item->err != CADRE_OK) {
        CU_ASSERT_EQUAL(item->err, CADRE_ETASK);
        CU_ASSERT_EQUAL(item->kind, 42);
        CU_ASSERT_PTR_NOT_NULL(strstr(item->text, "is too much"));
        s->nfailed++;
    } else {
        CU_ASSERT_EQUAL(item->noutputs, 1);
        CU_ASSERT_EQUAL(*(const int64_t *)item->outputs[0].data, i * i);
    }
    return i != s->stop_at;
}

static cadre_err run_series(struct series *s, struct cadre_function *fn,
                            bool retry_failed)
{
    return cadre_pool_run(
        pool, &(struct cadre_map){.fn = fn,
                                  .columns = CADRE_COLUMNS(
                                      CADRE_NAMED("file", CADRE_SAME(&file))),
                                  .next = give,
                                  .on_item = take,
                                  .user = s,
                                  .unordered = s->is_unordered,
                                  .journal = journal,
                                  .retry_failed = retry_failed});
}

static struct series series(int64_t count)
{
    return (struct series){.count = count, .stop_at = -1, .wrong_at = -1};
}

/* The numbers below `count` over arrays; `out` and `errors` may be NULL. */
static cadre_err run_array(struct cadre_function *fn, int64_t count,
                           int64_t *out, cadre_err *errors, bool retry_failed)
{
    static int64_t in[N];

    for (int64_t i = 0; i < N; i++)
        in[i] = i;
    return cadre_pool_run(
        pool, &(struct cadre_map){
                  .fn = fn,
                  .count = (uint64_t)count,
                  .columns = CADRE_COLUMNS(CADRE_SAME(&file), CADRE_EACH(in)),
                  .into = out != NULL ? CADRE_INTO(out) : CADRE_NOTHING,
                  .errors = errors,
                  .journal = journal,
                  .retry_failed = retry_failed});
}

/* --- going on ---------------------------------------------------------------
 */

static void check_goes_on(bool is_unordered)
{
    struct series s = series(N);

    start_afresh();
    s.is_unordered = is_unordered;
    s.stop_at = N / 100;
    CHECK_ERR(CADRE_ECANCELLED, run_series(&s, CADRE_FN(noted), false));
    CU_ASSERT(count_runs(runs) <= N / 2);
    CU_ASSERT(count_runs(runs) >= (int)s.taken);

    s = series(N);
    s.is_unordered = is_unordered;
    CHECK_OK(run_series(&s, CADRE_FN(noted), false));
    CU_ASSERT_EQUAL(s.taken, N);
    CU_ASSERT_EQUAL(count_runs(runs), N);
    for (int i = 0; i < N; i++)
        CU_ASSERT_EQUAL(runs[i], 1);
}

static void a_map_that_was_stopped_goes_on(void)
{
    check_goes_on(false);
}

static void an_unordered_map_goes_on_too(void)
{
    check_goes_on(true);
}

static void what_is_finished_does_not_run_again(void)
{
    static int64_t out[N];

    start_afresh();
    for (int round = 0; round < 3; round++) {
        memset(out, 0, sizeof out);
        CHECK_OK(run_array(CADRE_FN(noted), N, out, NULL, false));
        for (int64_t i = 0; i < N; i++)
            CU_ASSERT_EQUAL(out[i], i * i);
        CU_ASSERT_EQUAL(count_runs(runs), N);
    }
    CHECK_OK(run_array(CADRE_FN(noted), N, NULL, NULL, false));
    CU_ASSERT_EQUAL(count_runs(runs), N);
}

static void more_items_are_added_at_the_end(void)
{
    struct series s = series(N);
    static int64_t out[N];

    start_afresh();
    CHECK_OK(run_array(CADRE_FN(noted), FEW, out, NULL, false));
    CHECK_OK(run_series(&s, CADRE_FN(noted), false)); /* an iterator now */
    CU_ASSERT_EQUAL(s.taken, N);
    CU_ASSERT_EQUAL(count_runs(runs), N);
}

/* --- outputs of every kind --------------------------------------------------
 */

enum { ROWS = 6, ELEMENTS = 15 };

struct spelled {
    char *text[ROWS];
    double half[ELEMENTS];
    int first[ROWS][2];
};

static cadre_err run_spell(struct spelled *s)
{
    int n[ROWS] = {0, 1, 2, 3, 4, 5}, x[ELEMENTS];

    for (int i = 0; i < ELEMENTS; i++)
        x[i] = 10 * i;
    return cadre_pool_run(
        pool, &(struct cadre_map){
                  .fn = CADRE_FN(spell),
                  .count = ROWS,
                  .columns = CADRE_COLUMNS(CADRE_SAME(&file), CADRE_EACH(n),
                                           CADRE_EACH(x)),
                  .into = CADRE_INTO(s->text, s->half, s->first),
                  .journal = journal});
}

static void strings_and_arrays_come_back(void)
{
    struct spelled s;

    start_afresh();
    for (int round = 0; round < 2; round++) {
        memset(&s, 0, sizeof s);
        CHECK_OK(run_spell(&s));
        CU_ASSERT_STRING_EQUAL(s.text[0], "0 elements");
        CU_ASSERT_PTR_NULL(s.text[3]);
        CU_ASSERT_STRING_EQUAL(s.text[5], "5 elements");
        for (int i = 0; i < ELEMENTS; i++)
            CU_ASSERT_EQUAL(s.half[i], 5.0 * i);
        CU_ASSERT(s.first[0][0] == -1 && s.first[0][1] == 0);
        CU_ASSERT(s.first[5][0] == 100 && s.first[5][1] == 5);
        for (int i = 0; i < ROWS; i++)
            free(s.text[i]);
        CU_ASSERT_EQUAL(count_runs(runs), ROWS);
    }
}

static void a_function_without_outputs_is_recorded(void)
{
    start_afresh();
    for (int round = 0; round < 2; round++) {
        CHECK_OK(run_array(CADRE_FN(silent), FEW, NULL, NULL, false));
        CU_ASSERT_EQUAL(count_runs(runs), FEW);
    }
}

/* --- failures ---------------------------------------------------------------
 */

static void check_errors(const cadre_err *errors, const int64_t *out)
{
    for (int64_t i = 0; i < FEW; i++) {
        CU_ASSERT_EQUAL(errors[i], i % 50 == 3 ? CADRE_ETASK : CADRE_OK);
        if (errors[i] == CADRE_OK)
            CU_ASSERT_EQUAL(out[i], i * i);
    }
}

static void a_failed_item_stays_failed_until_it_is_to_be_retried(void)
{
    static int64_t out[N];
    static cadre_err errors[N];
    struct series s = series(FEW);

    start_afresh();
    for (int round = 0; round < 2; round++) {
        CHECK_ERR(CADRE_ETASK,
                  run_array(CADRE_FN(weak), FEW, out, errors, false));
        CHECK_SAYS("item 3: 3 is too much");
        CHECK_SAYS("3 more failed");
        check_errors(errors, out);
        CU_ASSERT_EQUAL(count_runs(runs), FEW);
        mend();
    }
    CHECK_ERR(CADRE_ETASK, run_series(&s, CADRE_FN(weak), false));
    CU_ASSERT(s.taken == FEW && s.nfailed == 4);

    s = series(FEW);
    CHECK_OK(run_series(&s, CADRE_FN(weak), true));
    CU_ASSERT(s.taken == FEW && s.nfailed == 0);
    CU_ASSERT_EQUAL(count_runs(runs), FEW + 4);
    for (int i = 0; i < FEW; i++)
        CU_ASSERT_EQUAL(runs[i], i % 50 == 3 ? 2 : 1);
    CHECK_OK(run_array(CADRE_FN(weak), FEW, out, errors, true));
    CU_ASSERT_EQUAL(count_runs(runs), FEW + 4);
}

static void an_item_that_kills_its_worker_does_so_once(void)
{
    int64_t in[20], out[20];
    struct cadre_map map = {.fn = CADRE_FN(fatal),
                            .count = 20,
                            .chunk_size = 1,
                            .journal = journal};

    start_afresh();
    for (int i = 0; i < 20; i++)
        in[i] = i;
    map.columns = CADRE_COLUMNS(CADRE_SAME(&file), CADRE_EACH(in));
    map.into = CADRE_INTO(out);
    for (int round = 0; round < 2; round++) {
        CHECK_ERR(CADRE_ELOST, cadre_pool_run(pool, &map));
        CHECK_SAYS("item 5: ");
        count_runs(runs);
        CU_ASSERT_EQUAL(runs[5], 1);
        CU_ASSERT_EQUAL(runs[6], 1);
    }
    mend();
    map.retry_failed = true;
    CHECK_OK(cadre_pool_run(pool, &map));
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(out[i], i);
}

/* --- what is refused --------------------------------------------------------
 */

static void another_input_is_refused_by_the_item(void)
{
    static int64_t out[N];
    static char other_text[] = "/dev/null";
    struct series s = series(FEW);

    start_afresh();
    CHECK_OK(run_array(CADRE_FN(noted), FEW, out, NULL, false));
    s.wrong_at = 17;
    CHECK_ERR(CADRE_EINVAL, run_series(&s, CADRE_FN(noted), false));
    CHECK_SAYS("item 17 has other arguments than in the journal /tmp/");
    CU_ASSERT(s.taken <= 17);

    s = series(FEW - 1);
    CHECK_ERR(CADRE_EINVAL, run_series(&s, CADRE_FN(noted), false));
    CHECK_SAYS("the input has 199 items, the journal /tmp/");
    CHECK_ERR(CADRE_EINVAL,
              run_array(CADRE_FN(noted), FEW - 1, out, NULL, false));
    CHECK_SAYS("has item 199: it is of another input");

    file = other_text; /* what all share counts, too */
    CHECK_ERR(CADRE_EINVAL, run_array(CADRE_FN(noted), FEW, out, NULL, false));
    CHECK_SAYS("item 0 has other arguments");
    file = notes;
    CHECK_ERR(CADRE_EINVAL, run_array(CADRE_FN(weak), FEW, out, NULL, false));
    CHECK_SAYS("is of another function: its symbol is 'noted', not 'weak'");
    CHECK_OK(run_array(CADRE_FN(noted), FEW, out, NULL, false));
    CU_ASSERT_EQUAL(count_runs(runs), FEW);
}

static void a_journal_that_cannot_be_had_is_an_error(void)
{
    struct series s = series(FEW);
    struct cadre_map map = {.fn = CADRE_FN(noted),
                            .next = give,
                            .on_item = take,
                            .user = &s,
                            .retry_failed = true};

    start_afresh();
    CHECK_ERR(CADRE_EINVAL, cadre_pool_run(pool, &map));
    CHECK_SAYS("retry_failed");
    map.journal = "/no/such/folder/j.db";
    CHECK_ERR(CADRE_ENOTFOUND, cadre_pool_run(pool, &map));
    CHECK_SAYS("/no/such/folder/j.db");
    CU_ASSERT_EQUAL(s.next, 0);
    CU_ASSERT_EQUAL(count_runs(runs), 0);
}

/* A map that goes on until it is told to stop. */
static atomic_bool is_running, is_enough;

static bool give_slowly(void *user, struct cadre_row *row)
{
    int64_t *next = user;

    return !is_enough && cadre_row_give(row, ++*next) == CADRE_OK;
}

static bool take_one(void *user, const struct cadre_item *item)
{
    (void)user;
    is_running = true;
    return item->err == CADRE_OK;
}

static void *run_on(void *arg)
{
    int64_t next = 0;

    (void)arg;
    CHECK_OK(cadre_pool_run(
        pool, &(struct cadre_map){.fn = CADRE_FN(sleepy),
                                  .columns = CADRE_COLUMNS(
                                      CADRE_NAMED("file", CADRE_SAME(&file))),
                                  .next = give_slowly,
                                  .on_item = take_one,
                                  .user = &next,
                                  .journal = journal}));
    return NULL;
}

static void two_maps_at_once_cannot_share_a_journal(void)
{
    struct series s = series(FEW);
    pthread_t thread;

    start_afresh();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run_on, NULL), 0);
    for (int ms = 0; ms < 20000 && !is_running; ms++)
        usleep(1000);
    CU_ASSERT(is_running);
    CHECK_ERR(CADRE_ESTATE, run_series(&s, CADRE_FN(sleepy), false));
    CHECK_SAYS("is in use by this program");
    is_enough = true;
    pthread_join(thread, NULL);
}

static void damaged_outputs_are_an_error_not_a_crash(void)
{
    static const char sql[] = "UPDATE items SET outputs = x'01020304'"
                              " WHERE item = 7";
    static int64_t out[N];
    sqlite3 *db = NULL;

    start_afresh();
    CHECK_OK(run_array(CADRE_FN(noted), FEW, out, NULL, false));
    CU_ASSERT_EQUAL(sqlite3_open(journal, &db), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    CHECK_ERR(CADRE_EPROTO, run_array(CADRE_FN(noted), FEW, out, NULL, false));
    CHECK_SAYS("the outputs of item 7");
}

/* --- a full disk ------------------------------------------------------------
 */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void a_full_disk_ends_the_run_and_loses_nothing(void)
{
    struct series s = series(N);
    int before;

    start_afresh();
    limit_files(300000);
    CHECK_ERR(CADRE_EIO, run_series(&s, CADRE_FN(noted), false));
    limit_files(RLIM_INFINITY);
    CHECK_SAYS(journal);
    CHECK_SAYS("cannot be written");
    CHECK_SAYS("File too large");
    CU_ASSERT(s.taken < N); /* none, if the first to be written were too many */
    before = (int)s.taken;

    s = series(N);
    CHECK_OK(run_series(&s, CADRE_FN(noted), false));
    CU_ASSERT_EQUAL(s.taken, N);
    count_runs(runs);
    for (int i = 0; i < N; i++)
        CU_ASSERT(runs[i] == 1 || (i >= before && runs[i] == 2));
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(a_map_that_was_stopped_goes_on),
        CHECK(an_unordered_map_goes_on_too),
        CHECK(what_is_finished_does_not_run_again),
        CHECK(more_items_are_added_at_the_end),
        CHECK(strings_and_arrays_come_back),
        CHECK(a_function_without_outputs_is_recorded),
        CHECK(a_failed_item_stays_failed_until_it_is_to_be_retried),
        CHECK(another_input_is_refused_by_the_item),
        CHECK(a_journal_that_cannot_be_had_is_an_error),
        CHECK(two_maps_at_once_cannot_share_a_journal),
        CHECK(damaged_outputs_are_an_error_not_a_crash),
        CHECK(a_full_disk_ends_the_run_and_loses_nothing),
        CHECK(an_item_that_kills_its_worker_does_so_once), /* the last one */
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2, .oversubscribe = true},
        &pool));
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(journal, sizeof journal, "%s/j.db", folder);
    snprintf(notes, sizeof notes, "%s/notes", folder);
    status = check_run("mpi_journal", tests);
    start_afresh();
    rmdir(folder);
    return cadre_finalize() != 0 ? 1 : status;
}
