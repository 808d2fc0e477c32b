/* journal.c - a journal is an SQLite database; see journal.h.
 *
 * Writes go to a write-ahead log whose records carry checksums: a commit that
 * was cut off is as if it had never begun. Each commit waits for the disk
 * (synchronous = FULL).
 *
 * Who has the journal open holds an flock() on the file, besides SQLite's own
 * locks, which come and go so that others can read meanwhile. SQLite's are
 * locks of the process: closing any descriptor of the file drops them. So the
 * descriptor of the flock() lives longer than the connection, and a file that
 * this process has open already (`open_files`) is not opened again.
 */
#include "journal.h"

#include <complex.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x43445245, /* "CDRE", where file(1) finds it */
    BUSY_MS = 30000, /* somebody else writes with SQLite: wait so long */
    LOCK_MS = 1000,  /* a process that was killed may still be going */
    LOCK_NAP_MS = 20
};

struct cadre_journal {
    struct cadre_journal *next; /* of `open_files` */
    dev_t device;               /* the file's name to the kernel */
    ino_t inode;
    int fd;      /* holds the flock(); -1: none */
    char *path;  /* as given */
    char *real;  /* from the root */
    sqlite3 *db; /* with its statements guarded by `lock` */
    sqlite3_stmt *span, *read, *put;
    bool is_new;
    bool is_broken; /* nothing can be written any more */
    uint64_t end;
    pthread_mutex_t lock; /* a transaction holds it from begin to commit */
};

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cadre_journal *open_files;

/* --- errors ----------------------------------------------------------------
 */

/* What SQLite says, and the system if it was the system. (Of a commit SQLite
 * does not keep the system's number; `number` is errno then.) */
static void put_reason(sqlite3 *db, int number, char *text, size_t room)
{
    bool is_system = sqlite3_errcode(db) == SQLITE_IOERR ||
                     sqlite3_errcode(db) == SQLITE_FULL ||
                     sqlite3_errcode(db) == SQLITE_CANTOPEN;

    if (sqlite3_system_errno(db) != 0)
        number = sqlite3_system_errno(db);
    if (is_system && number != 0)
        snprintf(text, room, "%s: %s", sqlite3_errmsg(db), strerror(number));
    else
        snprintf(text, room, "%s", sqlite3_errmsg(db));
}

/* The journal could not be read or set up. */
static cadre_err bad(const struct cadre_journal *j, struct cadre_error *error)
{
    char reason[256];

    switch (sqlite3_errcode(j->db)) {
    case SQLITE_NOTADB:
        return cadre_error_set(error, CADRE_EINVAL,
                               "journal %s: this file is no journal; it is "
                               "left as it is",
                               j->path);
    case SQLITE_NOMEM:
        return cadre_error_set(error, CADRE_ENOMEM, "journal %s: out of memory",
                               j->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return cadre_error_set(error, CADRE_ESTATE,
                               "journal %s: another program has locked it",
                               j->path);
    case SQLITE_CORRUPT:
        return cadre_error_set(error, CADRE_EIO,
                               "journal %s is damaged; what can be saved of it "
                               "shows 'sqlite3 FILE .recover'",
                               j->path);
    default:
        put_reason(j->db, 0, reason, sizeof reason);
        return cadre_error_set(error, CADRE_EIO, "journal %s: %s", j->path,
                               reason);
    }
}

/* It could not be written: undo what is under way. */
static cadre_err broken(struct cadre_journal *j, struct cadre_error *error)
{
    int number = errno;
    char reason[256];

    put_reason(j->db, number, reason, sizeof reason);
    j->is_broken = true;
    if (sqlite3_get_autocommit(j->db) == 0)
        sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
    return cadre_error_set(error, CADRE_EIO,
                           "journal %s cannot be written: %s; what is in it "
                           "stays: run the same again when that is mended",
                           j->path, reason);
}

/* --- the file ---------------------------------------------------------------
 */

static bool is_open_here(const struct stat *file)
{
    for (const struct cadre_journal *j = open_files; j != NULL; j = j->next) {
        if (j->device == file->st_dev && j->inode == file->st_ino)
            return true;
    }
    return false;
}

static cadre_err in_use(const struct cadre_journal *j, const char *by,
                        struct cadre_error *error)
{
    return cadre_error_set(error, CADRE_ESTATE,
                           "journal %s is in use by %s; give each run a "
                           "journal of its own, or wait",
                           j->path, by);
}

static bool lock_file(int fd)
{
    struct timespec nap = {.tv_nsec = LOCK_NAP_MS * 1000000L};

    for (int ms = 0; ms <= LOCK_MS; ms += LOCK_NAP_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

/* Make the file this process's own; with `open_lock` held. */
static cadre_err claim_file(struct cadre_journal *j, struct cadre_error *error)
{
    struct stat file;
    int number;

    if (stat(j->path, &file) == 0 && is_open_here(&file))
        return in_use(j, "this program", error);
    j->fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    number = errno;
    if (j->fd < 0 || fstat(j->fd, &file) != 0)
        return cadre_error_set(error,
                               number == ENOENT ? CADRE_ENOTFOUND : CADRE_EIO,
                               "journal %s cannot be opened for writing: %s",
                               j->path, strerror(number));
    if (!S_ISREG(file.st_mode))
        return cadre_error_set(error, CADRE_EINVAL,
                               "journal %s is not a regular file", j->path);
    if (!lock_file(j->fd))
        return in_use(j, "another process", error);
    if ((j->real = realpath(j->path, NULL)) == NULL)
        return cadre_error_set(error, CADRE_EIO, "journal %s: %s", j->path,
                               strerror(errno));
    j->device = file.st_dev;
    j->inode = file.st_ino;
    j->next = open_files;
    open_files = j;
    return CADRE_OK;
}

static void release_file(struct cadre_journal *j)
{
    struct cadre_journal **at = &open_files;

    pthread_mutex_lock(&open_lock);
    while (*at != NULL && *at != j)
        at = &(*at)->next;
    if (*at == j)
        *at = j->next;
    if (j->fd >= 0)
        close(j->fd);
    pthread_mutex_unlock(&open_lock);
}

/* --- the tables ------------------------------------------------------------
 */

static const char schema[] =
    "CREATE TABLE journal (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE items ("
    " item INTEGER PRIMARY KEY,"
    " state TEXT NOT NULL,"
    " value,"
    " error TEXT,"
    " code INTEGER NOT NULL,"
    " kind INTEGER NOT NULL,"
    " ended REAL NOT NULL,"
    " arguments BLOB NOT NULL,"
    " outputs BLOB);";

static bool execute(struct cadre_journal *j, const char *sql)
{
    errno = 0;
    return sqlite3_exec(j->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* The one integer that `sql` gives. */
static bool ask(struct cadre_journal *j, const char *sql, int64_t *number)
{
    sqlite3_stmt *s = NULL;
    bool is_well = sqlite3_prepare_v2(j->db, sql, -1, &s, NULL) == SQLITE_OK &&
                   sqlite3_step(s) == SQLITE_ROW;

    if (is_well)
        *number = sqlite3_column_int64(s, 0);
    return sqlite3_finalize(s) == SQLITE_OK && is_well;
}

/* Is it a journal, or an empty file that can become one? */
static cadre_err check_kind(struct cadre_journal *j, struct cadre_error *error)
{
    int64_t id, version, tables;

    if (!ask(j, "PRAGMA application_id", &id) ||
        !ask(j, "PRAGMA user_version", &version) ||
        !ask(j, "SELECT count(*) FROM sqlite_master", &tables))
        return bad(j, error);
    j->is_new = id == 0 && tables == 0;
    if (!j->is_new && id != APPLICATION_ID)
        return cadre_error_set(error, CADRE_EINVAL,
                               "journal %s: this database is no journal; it is "
                               "left as it is",
                               j->path);
    if (!j->is_new && version != CADRE_JOURNAL_VERSION)
        return cadre_error_set(error, CADRE_EVERSION,
                               "journal %s has version %" PRId64
                               ", this Cadre knows %d: go on with the Cadre "
                               "that began it",
                               j->path, version, CADRE_JOURNAL_VERSION);
    return CADRE_OK;
}

static bool set_entry(struct cadre_journal *j, const char *name,
                      const char *value)
{
    static const char sql[] = "INSERT INTO journal VALUES (?1, ?2)";
    sqlite3_stmt *s = NULL;
    bool is_well =
        sqlite3_prepare_v2(j->db, sql, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_DONE;

    return sqlite3_finalize(s) == SQLITE_OK && is_well;
}

static cadre_err make_tables(struct cadre_journal *j,
                             const struct cadre_journal_function *f,
                             struct cadre_error *error)
{
    char numbers[128], began[32];
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(began, sizeof began, "%Y-%m-%d %H:%M:%S", &utc);
    snprintf(numbers, sizeof numbers,
             "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, CADRE_JOURNAL_VERSION);
    if (!execute(j, "BEGIN IMMEDIATE") || !execute(j, schema) ||
        !execute(j, numbers) || !set_entry(j, "library", f->library) ||
        !set_entry(j, "symbol", f->symbol) ||
        !set_entry(j, "prototype", f->written) ||
        !set_entry(j, "expanded", f->expanded) ||
        !set_entry(j, "cadre", CADRE_VERSION) ||
        !set_entry(j, "began", began) || !execute(j, "COMMIT"))
        return broken(j, error);
    return CADRE_OK;
}

/* Is entry `name` of the journal `want`? */
static cadre_err check_entry(struct cadre_journal *j, const char *name,
                             const char *want, struct cadre_error *error)
{
    static const char sql[] = "SELECT value FROM journal WHERE name = ?1";
    sqlite3_stmt *s = NULL;
    const char *have = NULL;
    cadre_err err = CADRE_OK;

    if (sqlite3_prepare_v2(j->db, sql, -1, &s, NULL) != SQLITE_OK ||
        sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC) != SQLITE_OK)
        err = bad(j, error);
    else if (sqlite3_step(s) == SQLITE_ROW)
        have = (const char *)sqlite3_column_text(s, 0);
    else if (sqlite3_errcode(j->db) != SQLITE_DONE)
        err = bad(j, error);
    if (err == CADRE_OK && (have == NULL || strcmp(have, want) != 0))
        err = cadre_error_set(error, CADRE_EINVAL,
                              "journal %s is of another function: its %s is "
                              "'%.120s', not '%.120s'",
                              j->path, name, have != NULL ? have : "", want);
    sqlite3_finalize(s);
    return err;
}

static cadre_err check_function(struct cadre_journal *j,
                                const struct cadre_journal_function *f,
                                struct cadre_error *error)
{
    cadre_err err;

    if ((err = check_entry(j, "library", f->library, error)) != CADRE_OK ||
        (err = check_entry(j, "symbol", f->symbol, error)) != CADRE_OK ||
        (err = check_entry(j, "prototype", f->written, error)) != CADRE_OK)
        return err;
    return check_entry(j, "expanded", f->expanded, error);
}

static cadre_err prepare(struct cadre_journal *j, struct cadre_error *error)
{
    static const char span[] = "SELECT item, code FROM items"
                               " WHERE item >= ?1 AND item < ?2 ORDER BY item";
    static const char read[] =
        "SELECT item, arguments, code, kind, error, ended, outputs FROM items"
        " WHERE item >= ?1 AND item < ?2 ORDER BY item";
    static const char put[] = "INSERT OR REPLACE INTO items"
                              " (item, state, value, error, code, kind, ended,"
                              "  arguments, outputs)"
                              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    const unsigned keep = SQLITE_PREPARE_PERSISTENT;
    int64_t end;

    if (sqlite3_prepare_v3(j->db, span, -1, keep, &j->span, NULL) !=
            SQLITE_OK ||
        sqlite3_prepare_v3(j->db, read, -1, keep, &j->read, NULL) !=
            SQLITE_OK ||
        sqlite3_prepare_v3(j->db, put, -1, keep, &j->put, NULL) != SQLITE_OK ||
        !ask(j, "SELECT coalesce(max(item) + 1, 0) FROM items", &end))
        return bad(j, error);
    j->end = end > 0 ? (uint64_t)end : 0;
    return CADRE_OK;
}

static cadre_err open_database(struct cadre_journal *j,
                               const struct cadre_journal_function *f,
                               struct cadre_error *error)
{
    cadre_err err;

    if (sqlite3_open_v2(j->real, &j->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return j->db != NULL
                   ? bad(j, error)
                   : cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    sqlite3_extended_result_codes(j->db, 0);
    sqlite3_busy_timeout(j->db, BUSY_MS);
    /* A file from elsewhere shall not do more than a journal does. */
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    if ((err = check_kind(j, error)) != CADRE_OK)
        return err;
    if (!j->is_new && (err = check_function(j, f, error)) != CADRE_OK)
        return err;
    /* Where there can be no write-ahead log SQLite goes on with its older way.
     */
    if (!execute(j, "PRAGMA synchronous = FULL") ||
        !execute(j, "PRAGMA journal_mode = WAL"))
        return bad(j, error);
    if (j->is_new && (err = make_tables(j, f, error)) != CADRE_OK)
        return err;
    return prepare(j, error);
}

void cadre_journal_close(struct cadre_journal *journal)
{
    if (journal == NULL)
        return;
    sqlite3_finalize(journal->span);
    sqlite3_finalize(journal->read);
    sqlite3_finalize(journal->put);
    sqlite3_close(journal->db);
    release_file(journal); /* only now: see above */
    pthread_mutex_destroy(&journal->lock);
    free(journal->real);
    free(journal->path);
    free(journal);
}

cadre_err cadre_journal_open(const char *path,
                             const struct cadre_journal_function *function,
                             struct cadre_journal **journal,
                             struct cadre_error *error)
{
    struct cadre_journal *j = calloc(1, sizeof *j);
    cadre_err err;

    if (j == NULL)
        return cadre_error_set(error, CADRE_ENOMEM, "out of memory");
    j->fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    if ((j->path = strdup(path)) == NULL) {
        err = cadre_error_set(error, CADRE_ENOMEM, "out of memory");
        goto fail;
    }
    pthread_mutex_lock(&open_lock);
    err = claim_file(j, error);
    pthread_mutex_unlock(&open_lock);
    if (err != CADRE_OK ||
        (err = open_database(j, function, error)) != CADRE_OK)
        goto fail;
    *journal = j;
    return CADRE_OK;

fail:
    cadre_journal_close(j);
    return err;
}

const char *cadre_journal_path(const struct cadre_journal *journal)
{
    return journal->path;
}

uint64_t cadre_journal_end(const struct cadre_journal *journal)
{
    return journal->end;
}

/* --- reading ----------------------------------------------------------------
 */

/* Let `s` run over the items [first, first + count). */
static void bind_range(sqlite3_stmt *s, uint64_t first, uint64_t count)
{
    uint64_t end = first + count;

    end = end < first || end > INT64_MAX ? INT64_MAX : end;
    sqlite3_bind_int64(s, 1,
                       first < INT64_MAX ? (sqlite3_int64)first : INT64_MAX);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)end);
}

/* Go over the records until their kind changes. `*like`: of the items so far;
 * `*end`: one after them. Returns what step() did, SQLITE_DONE after a change.
 */
static int walk(sqlite3_stmt *s, bool retry_failed, bool *is_recorded,
                uint64_t first, uint64_t *end)
{
    int status;

    *end = first;
    *is_recorded = false;
    while ((status = sqlite3_step(s)) == SQLITE_ROW) {
        uint64_t item = (uint64_t)sqlite3_column_int64(s, 0);
        bool is = sqlite3_column_int(s, 1) == CADRE_OK || !retry_failed;

        if (item == first)
            *is_recorded = is;
        else if (item > *end && *is_recorded)
            return SQLITE_DONE; /* a gap after records */
        if (is != *is_recorded) {
            *end = item;
            return SQLITE_DONE;
        }
        *end = item + 1;
    }
    if (!*is_recorded)
        *end = UINT64_MAX; /* no more records: the rest is to run */
    return status;
}

cadre_err cadre_journal_span(struct cadre_journal *journal, uint64_t first,
                             bool retry_failed, uint64_t *count,
                             bool *is_recorded, struct cadre_error *error)
{
    cadre_err err = CADRE_OK;
    uint64_t end;

    *is_recorded = false;
    if (first >= journal->end)
        return CADRE_OK;
    pthread_mutex_lock(&journal->lock);
    bind_range(journal->span, first, *count);
    if (walk(journal->span, retry_failed, is_recorded, first, &end) !=
        SQLITE_DONE)
        err = bad(journal, error);
    else if (end - first < *count)
        *count = end - first;
    sqlite3_reset(journal->span);
    pthread_mutex_unlock(&journal->lock);
    return err;
}

/* The record that `s` stands at; false if there can be no such record. */
static bool get_record(sqlite3_stmt *s, struct cadre_record *record)
{
    const void *digest = sqlite3_column_blob(s, 1);
    const char *text = (const char *)sqlite3_column_text(s, 4);
    int err = sqlite3_column_int(s, 2);

    if (digest == NULL || err < CADRE_OK || err > CADRE_ERR_LAST ||
        sqlite3_column_bytes(s, 1) != (int)sizeof record->digest.bytes)
        return false;
    *record = (struct cadre_record){
        .item = (uint64_t)sqlite3_column_int64(s, 0),
        .err = (cadre_err)err,
        .kind = sqlite3_column_int(s, 3),
        .text = text != NULL ? text : "",
        .ended = sqlite3_column_double(s, 5),
        .slice = {.outputs = sqlite3_column_blob(s, 6),
                  .len = (size_t)sqlite3_column_bytes(s, 6)}};
    memcpy(record->digest.bytes, digest, sizeof record->digest.bytes);
    return record->err != CADRE_OK || record->slice.outputs != NULL;
}

cadre_err cadre_journal_read(struct cadre_journal *journal, uint64_t first,
                             uint64_t count, cadre_record_fn take, void *user,
                             struct cadre_error *error)
{
    sqlite3_stmt *s = journal->read;
    cadre_err err = CADRE_OK;
    int status = SQLITE_DONE;

    if (first >= journal->end)
        return CADRE_OK;
    pthread_mutex_lock(&journal->lock);
    bind_range(s, first, count);
    while (err == CADRE_OK && (status = sqlite3_step(s)) == SQLITE_ROW) {
        struct cadre_record record;

        if (get_record(s, &record))
            err = take(user, &record, error);
        else
            err = cadre_error_set(
                error, CADRE_EIO,
                "journal %s: the record of item %" PRId64 " is damaged",
                journal->path, (int64_t)sqlite3_column_int64(s, 0));
    }
    if (err == CADRE_OK && status != SQLITE_DONE)
        err = bad(journal, error);
    sqlite3_reset(s);
    pthread_mutex_unlock(&journal->lock);
    return err;
}

/* --- writing ----------------------------------------------------------------
 */

cadre_err cadre_journal_begin(struct cadre_journal *journal,
                              struct cadre_error *error)
{
    pthread_mutex_lock(&journal->lock);
    if (!journal->is_broken && execute(journal, "BEGIN IMMEDIATE"))
        return CADRE_OK;
    broken(journal, error);
    pthread_mutex_unlock(&journal->lock);
    return CADRE_EIO;
}

/* Numbers become numbers and strings strings; what SQL has no number for
 * becomes text. */
static void bind_complex(sqlite3_stmt *s, int at, double re, double im)
{
    char text[96];

    snprintf(text, sizeof text, "%.17g%+.17gi", re, im);
    sqlite3_bind_text(s, at, text, -1, SQLITE_TRANSIENT);
}

static void bind_real(sqlite3_stmt *s, int at, double value)
{
    if (isnan(value)) /* which SQLite would store as NULL */
        sqlite3_bind_text(s, at, "nan", -1, SQLITE_STATIC);
    else
        sqlite3_bind_double(s, at, value);
}

static void bind_unsigned(sqlite3_stmt *s, int at, uint64_t value)
{
    char text[32];

    if (value <= INT64_MAX) {
        sqlite3_bind_int64(s, at, (sqlite3_int64)value);
        return;
    }
    snprintf(text, sizeof text, "%" PRIu64, value);
    sqlite3_bind_text(s, at, text, -1, SQLITE_TRANSIENT);
}

static void bind_value(sqlite3_stmt *s, int at, cadre_type type,
                       const void *value)
{
    union {
        bool b;
        int8_t i8;
        uint8_t u8;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
        float f;
        double d;
        long double l;
        float _Complex fc;
        double _Complex dc;
        long double _Complex lc;
    } v;

    sqlite3_bind_null(s, at);
    if (value == NULL || type == CADRE_VOID || type == CADRE_AGGREGATE)
        return;
    if (type != CADRE_STRING)
        memcpy(&v, value, cadre_type_size(type));
    switch (type) {
    case CADRE_VOID:
    case CADRE_AGGREGATE:
        break;
    case CADRE_BOOL:
        sqlite3_bind_int(s, at, v.u8 != 0);
        break;
    case CADRE_INT8:
        sqlite3_bind_int(s, at, v.i8);
        break;
    case CADRE_UINT8:
        sqlite3_bind_int(s, at, v.u8);
        break;
    case CADRE_INT16:
        sqlite3_bind_int(s, at, v.i16);
        break;
    case CADRE_UINT16:
        sqlite3_bind_int(s, at, v.u16);
        break;
    case CADRE_INT32:
        sqlite3_bind_int(s, at, v.i32);
        break;
    case CADRE_UINT32:
        sqlite3_bind_int64(s, at, v.u32);
        break;
    case CADRE_INT64:
        sqlite3_bind_int64(s, at, v.i64);
        break;
    case CADRE_UINT64:
        bind_unsigned(s, at, v.u64);
        break;
    case CADRE_FLOAT:
        bind_real(s, at, (double)v.f);
        break;
    case CADRE_DOUBLE:
        bind_real(s, at, v.d);
        break;
    case CADRE_LONG_DOUBLE:
        bind_real(s, at, (double)v.l);
        break;
    case CADRE_FLOAT_COMPLEX:
        bind_complex(s, at, (double)crealf(v.fc), (double)cimagf(v.fc));
        break;
    case CADRE_DOUBLE_COMPLEX:
        bind_complex(s, at, creal(v.dc), cimag(v.dc));
        break;
    case CADRE_LONG_DOUBLE_COMPLEX:
        bind_complex(s, at, (double)creall(v.lc), (double)cimagl(v.lc));
        break;
    case CADRE_STRING:
        sqlite3_bind_text(s, at, value, -1, SQLITE_STATIC);
        break;
    }
}

cadre_err cadre_journal_put(struct cadre_journal *journal,
                            const struct cadre_record *record,
                            struct cadre_error *error)
{
    const struct cadre_record *r = record;
    sqlite3_stmt *s = journal->put;
    bool is_done = r->err == CADRE_OK;
    int status;

    errno = 0;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)r->item);
    sqlite3_bind_text(s, 2, is_done ? "done" : "failed", -1, SQLITE_STATIC);
    bind_value(s, 3, is_done ? r->slice.type : CADRE_VOID, r->slice.value);
    sqlite3_bind_text(s, 4, is_done ? NULL : r->text, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 5, (int)r->err);
    sqlite3_bind_int(s, 6, r->kind);
    sqlite3_bind_double(s, 7, r->ended);
    sqlite3_bind_blob(s, 8, r->digest.bytes, sizeof r->digest.bytes,
                      SQLITE_STATIC);
    status = sqlite3_bind_blob64(s, 9, is_done ? r->slice.outputs : NULL,
                                 r->slice.len, SQLITE_STATIC);
    if (status == SQLITE_OK)
        status = sqlite3_step(s);
    if (status == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK)
        return CADRE_OK;
    broken(journal, error);
    sqlite3_reset(s);
    pthread_mutex_unlock(&journal->lock);
    return CADRE_EIO;
}

cadre_err cadre_journal_commit(struct cadre_journal *journal,
                               struct cadre_error *error)
{
    cadre_err err = CADRE_OK;

    if (!execute(journal, "COMMIT"))
        err = broken(journal, error);
    pthread_mutex_unlock(&journal->lock);
    return err;
}
