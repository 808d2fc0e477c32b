/* mpi_futures.c - futures as arguments, callbacks, cancelling, waiting for
 * many, and further attempts; with real workers, however the program was
 * started. */
#include "mpi_check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

CADRE_TASK(int, add, (int i, int j))
{
    return i + j;
}

CADRE_TASK(int, nap, (int i, int ms))
{
    usleep((useconds_t)ms * 1000);
    return i;
}

CADRE_TASK(int, half_way, (int ms, cadre_task *self))
{
    cadre_task_progress(self, 0.5, "half of it");
    usleep((useconds_t)ms * 1000);
    return ms;
}

CADRE_TASK(int, refuse, (int i))
{
    cadre_task_fail(40 + i, "%d is not to my taste", i);
    return i;
}

CADRE_TASK(void, five, (int from, CADRE_OUT int v[5]))
{
    for (int i = 0; i < 5; i++)
        v[i] = from + i;
}

CADRE_TASK(int, one_more, (int at, const int v[5]))
{
    return v[at] + 1;
}

CADRE_TASK(int, sum, (int a, int b, int c, int d, int e))
{
    return a + b + c + d + e;
}

CADRE_TASK(double, total, (int n, const int v[n]))
{
    double t = 0;

    for (int i = 0; i < n; i++)
        t += v[i];
    return t + 0.5;
}

CADRE_TASK(int, parts, (int n, CADRE_OUT int v[n], CADRE_OUT double w[2]))
{
    for (int i = 0; i < n; i++)
        v[i] = i;
    w[0] = w[1] = n;
    return -n;
}

CADRE_TASK(char *, twice, (const char *s))
{
    char *text = NULL;

    return asprintf(&text, "%s%s", s, s) < 0 ? NULL : text;
}

/* Every argument counts differently. */
CADRE_TASK(double, combine, (signed char p1, unsigned char p2, short p3, unsigned short p4, int p5, unsigned p6, long p7, unsigned long p8, float p9, double p10, signed char p11, unsigned char p12, const char *p13, bool p14, int p15, int64_t p16, long p17, unsigned long p18, float p19, double p20, signed char p21, unsigned char p22, short p23, unsigned short p24, int p25, int p26, const double p27[p26], unsigned long p28, float p29, double p30, signed char p31, unsigned char p32, short p33, unsigned short p34, int p35, unsigned p36, long p37, unsigned long p38, float p39))
{
    double x[] = {
        (double)p1,     (double)p2,  (double)p3,      (double)p4,
        (double)p5,     (double)p6,  (double)p7,      (double)p8,
        (double)p9,     (double)p10, (double)p11,     (double)p12,
        (double)p13[0], (double)p14, (double)p15,     (double)(p16 - INT64_MIN),
        (double)p17,    (double)p18, (double)p19,     (double)p20,
        (double)p21,    (double)p22, (double)p23,     (double)p24,
        (double)p25,    (double)p26, p27[0] + p27[1], (double)p28,
        (double)p29,    (double)p30, (double)p31,     (double)p32,
        (double)p33,    (double)p34, (double)p35,     (double)p36,
        (double)p37,    (double)p38, (double)p39};
    double sum = 0;

    for (int i = 0; i < 39; i++)
        sum += (i + 1) * x[i];
    return sum;
}

/* Leaves a mark, so that a test can see that it ran. */
CADRE_TASK(int, mark, (const char *path, int i))
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd < 0 || write(fd, "x", 1) != 1)
        cadre_task_fail(1, "cannot write to %s", path);
    close(fd);
    return i;
}

/* The bytes in the file at `path` are the attempts so far. */
static int attempts(const char *path)
{
    int fd = open(path, O_RDONLY);
    int n = fd < 0 ? 0 : (int)lseek(fd, 0, SEEK_END);

    if (fd >= 0)
        close(fd);
    return n;
}

CADRE_TASK(int, right_after, (const char *path, int failures, bool by_dying))
{
    mark(path, 0);
    if (attempts(path) > failures)
        return attempts(path);
    if (by_dying)
        raise(SIGKILL);
    cadre_task_fail(7, "attempt %d", attempts(path));
    return 0;
}

/* A path where nothing is, to be removed. */
static void new_path(char path[32])
{
    int fd;

    strcpy(path, "/tmp/mpi_futures.XXXXXX");
    fd = mkstemp(path);
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
}

/* --- futures as arguments ---------------------------------------------------
 */

static void a_future_is_an_argument(void)
{
    for (int workers = 1; workers <= 3; workers += 2) {
        struct cadre_pool *pool = pool_of(workers);
        struct cadre_future *f1 = cadre_submit(pool, CADRE_FN(add), 1, 2);
        struct cadre_future *f2 = cadre_submit(pool, CADRE_FN(add), 1, f1);
        struct cadre_future *f3 =
            cadre_submit(pool, CADRE_FN(add), CADRE_ARG("j", f2), f1);

        CU_ASSERT_EQUAL(int_of(f2), 4);
        CU_ASSERT_EQUAL(int_of(f3), 7);
        f2 = cadre_submit(pool, CADRE_FN(add), f1, f1); /* it is done */
        CU_ASSERT_EQUAL(int_of(f2), 6);
        cadre_future_free(f1);
        cadre_pool_destroy(pool);
    }
}

/* As many as there may be: 39, with the function 40. */
static void many_arguments_arrive_in_their_places(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *made = cadre_submit(pool, CADRE_FN(add), -10, -20);
    double pair[] = {27, 0.5}, got = 0;
    struct cadre_future *f = cadre_submit(
        pool, CADRE_FN(combine), CADRE_ARG("p39", 39.5f), (signed char)-1,
        (unsigned char)2, (short)-3, (unsigned short)4, -5, 6u, -7l, 8ul, 9.5f,
        -10.25, (signed char)-11, (unsigned char)12, "thirteen", true, -15,
        INT64_MIN + 16, -17l, 18ul, 19.5f, -20.25, (signed char)-21,
        (unsigned char)22, (short)-23, (unsigned short)24, -25, 2, pair, 28ul,
        29.5f, made, (signed char)-31, (unsigned char)32, (short)-33,
        (unsigned short)34, -35, 36u, -37l, 38ul);

    CHECK_OK(cadre_future_result(f, CADRE_INTO(&got)));
    CU_ASSERT_EQUAL(
        got,
        combine((signed char)-1, (unsigned char)2, (short)-3, (unsigned short)4,
                -5, 6u, -7l, 8ul, 9.5f, -10.25, (signed char)-11,
                (unsigned char)12, "thirteen", true, -15, INT64_MIN + 16, -17l,
                18ul, 19.5f, -20.25, (signed char)-21, (unsigned char)22,
                (short)-23, (unsigned short)24, -25, 2, pair, 28ul, 29.5f, -30,
                (signed char)-31, (unsigned char)32, (short)-33,
                (unsigned short)34, -35, 36u, -37l, 38ul, 39.5f));
    cadre_future_free(f);
    cadre_future_free(made);
    cadre_pool_destroy(pool);
}

static void five_values_come_together_again(void)
{
    for (int workers = 1; workers <= 3; workers += 2) {
        struct cadre_pool *pool = pool_of(workers);
        struct cadre_future *made = cadre_submit(pool, CADRE_FN(five), 10);
        struct cadre_future *f[5], *all;

        for (int i = 0; i < 5; i++)
            f[i] = cadre_submit(pool, CADRE_FN(one_more), i, made);
        cadre_future_free(made);
        all = cadre_submit(pool, CADRE_FN(sum), f[0], f[1], f[2], f[3], f[4]);
        for (int i = 0; i < 5; i++)
            cadre_future_free(f[i]);
        CU_ASSERT_EQUAL(int_of(all), 10 + 11 + 12 + 13 + 14 + 5);
        cadre_pool_destroy(pool);
    }
}

static void a_chain_of_3000_ends(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(nap), 0, 300);

    for (int i = 0; i < 3000; i++) {
        struct cadre_future *next = cadre_submit(pool, CADRE_FN(add), f, 1);

        cadre_future_free(f);
        f = next;
    }
    CU_ASSERT_EQUAL(int_of(f), 3000);
    cadre_pool_destroy(pool);
}

static void a_chain_of_100000_fails(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *busy = cadre_submit(pool, CADRE_FN(nap), 0, 2000);
    struct cadre_future *first = cadre_submit(pool, CADRE_FN(add), busy, 1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(add), first, 1);

    for (int i = 0; i < 100000; i++) {
        struct cadre_future *next = cadre_submit(pool, CADRE_FN(add), f, 1);

        cadre_future_free(f);
        f = next;
    }
    CU_ASSERT(cadre_future_cancel(first));
    fails(f, CADRE_ECANCELLED, "argument `i` of add: argument `i`");
    cadre_future_free(first);
    CU_ASSERT_EQUAL(int_of(busy), 0);
    cadre_pool_destroy(pool);
}

static void pools_need_each_other(void)
{
    struct cadre_pool *a = pool_of(1), *b = pool_of(1);
    struct cadre_future *f = cadre_submit(a, CADRE_FN(nap), 0, 50);

    for (int i = 0; i < 20; i++) {
        struct cadre_future *next =
            cadre_submit(i % 2 == 0 ? b : a, CADRE_FN(add), f, 1);

        cadre_future_free(f);
        f = next;
    }
    cadre_pool_destroy(a); /* what it has waits for what `b` has */
    CU_ASSERT_EQUAL(int_of(f), 20);
    cadre_pool_destroy(b);
}

static void values_are_handed_on_as_the_prototypes_say(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *slow = cadre_submit(pool, CADRE_FN(nap), 4, 100);
    struct cadre_future *p = cadre_submit(pool, CADRE_FN(parts), slow);
    struct cadre_future *t = cadre_submit(pool, CADRE_FN(total), slow, p);
    struct cadre_future *less = cadre_submit(pool, CADRE_FN(total), 2, p);
    struct cadre_future *more = cadre_submit(pool, CADRE_FN(total), 5, p);
    struct cadre_future *back = cadre_submit(pool, CADRE_FN(add), p, 1);
    struct cadre_future *text = cadre_submit(pool, CADRE_FN(twice), "ab");
    struct cadre_future *longer = cadre_submit(pool, CADRE_FN(twice), text);
    struct cadre_future *lossy = cadre_submit(pool, CADRE_FN(add), t, 1);
    char *words[1];
    double x;

    CHECK_OK(cadre_future_result(t, CADRE_INTO(&x)));
    CU_ASSERT_EQUAL(x, 6.5);
    CHECK_OK(cadre_future_result(less, CADRE_INTO(&x)));
    CU_ASSERT_EQUAL(x, 1.5);
    fails(more, CADRE_ETYPE, "`v` has 4 elements, its lengths say 5");
    CU_ASSERT_EQUAL(int_of(back), -3);
    CHECK_OK(cadre_future_result(longer, CADRE_INTO(words)));
    CU_ASSERT_STRING_EQUAL(words[0], "abababab");
    free(words[0]);
    fails(lossy, CADRE_ETYPE, "`i` does not fit");
    cadre_future_free(slow);
    cadre_future_free(p);
    cadre_future_free(t);
    cadre_future_free(less);
    cadre_future_free(text);
    cadre_future_free(longer);
    cadre_pool_destroy(pool);
}

static void wrong_futures_are_refused_at_once(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *busy = cadre_submit(pool, CADRE_FN(nap), 1, 300);
    struct cadre_future *v = cadre_submit(pool, CADRE_FN(five), 0);
    struct cadre_future *wrong;
    int list[] = {1, 2};

    wrong = cadre_submit(pool, CADRE_FN(add), v, 1);
    CU_ASSERT_EQUAL(cadre_future_state(wrong), CADRE_FUTURE_FAILED);
    fails(wrong, CADRE_ETYPE, "parameter `i` of add");
    wrong = cadre_submit(pool, CADRE_FN(total), 2, busy);
    CU_ASSERT_EQUAL(cadre_future_state(wrong), CADRE_FUTURE_FAILED);
    fails(wrong, CADRE_ETYPE, "parameter `v` of total");
    wrong = cadre_submit(pool, CADRE_FN(twice), busy);
    fails(wrong, CADRE_ETYPE, "parameter `s` of twice");
    wrong = cadre_submit(pool, CADRE_FN(total), busy, list);
    fails(wrong, CADRE_ETYPE, "the length `n` is not known yet");
    wrong = cadre_submit(pool, CADRE_FN(add), (struct cadre_future *)NULL, 1);
    fails(wrong, CADRE_EINVAL, "parameter `i` is NULL");
    wrong = cadre_submit(pool, CADRE_FN(add), 1);
    fails(cadre_submit(pool, CADRE_FN(add), 1, wrong), CADRE_ETYPE,
          "argument `j` of add: parameter `j` of add has");
    cadre_future_free(wrong);
    cadre_future_free(v);
    CU_ASSERT_EQUAL(int_of(busy), 1);
    cadre_pool_destroy(pool);
}

static void a_failed_argument_fails_the_task_without_running_it(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *busy = cadre_submit(pool, CADRE_FN(nap), 1, 100);
    struct cadre_future *bad = cadre_submit(pool, CADRE_FN(refuse), busy);
    struct cadre_failure_info info, origin;
    struct cadre_future *f, *g;
    char path[32];

    new_path(path);
    f = cadre_submit(pool, CADRE_FN(mark), path, bad);
    g = cadre_submit(pool, CADRE_FN(add), 1, f);
    CU_ASSERT_EQUAL(cadre_future_error(f, &info), CADRE_ETASK);
    CU_ASSERT_EQUAL(cadre_future_error(bad, &origin), CADRE_ETASK);
    CU_ASSERT_EQUAL(info.kind, 41);
    CU_ASSERT_EQUAL(info.rank, origin.rank);
    CU_ASSERT_STRING_EQUAL(info.host, origin.host);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(info.text, "argument `i` of mark: 1 is not to my taste"));
    CU_ASSERT_EQUAL(cadre_future_state(f), CADRE_FUTURE_FAILED);
    fails(g, CADRE_ETASK, "argument `j` of add: argument `i` of mark: 1 is");
    cadre_future_free(f);
    f = cadre_submit(pool, CADRE_FN(mark), path, bad); /* it has failed */
    fails(f, CADRE_ETASK, "argument `i` of mark: 1 is not to my taste");
    cadre_future_free(bad);
    CU_ASSERT_EQUAL(int_of(busy), 1);
    CU_ASSERT_EQUAL(attempts(path), 0);
    cadre_pool_destroy(pool);
    unlink(path);
}

/* --- states, errors, cancelling ----------------------------------------------
 */

static void a_future_says_how_its_task_is(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(nap), 1, 300);
    struct cadre_future *g = cadre_submit(pool, CADRE_FN(refuse), 2);
    struct cadre_future *h = cadre_submit(pool, CADRE_FN(add), 2, 3);
    struct cadre_failure_info info;
    int x = 0;

    for (int i = 0; i < 100 && cadre_future_state(f) == CADRE_FUTURE_PENDING;
         i++)
        usleep(2000);
    CU_ASSERT_EQUAL(cadre_future_state(f), CADRE_FUTURE_RUNNING);
    CU_ASSERT_EQUAL(cadre_future_state(g), CADRE_FUTURE_PENDING);
    CHECK_ERR(CADRE_ETIMEOUT, cadre_future_result_within(f, 0, CADRE_INTO(&x)));
    CHECK_ERR(CADRE_ETIMEOUT,
              cadre_future_result_within(f, 50, CADRE_INTO(&x)));
    CU_ASSERT_EQUAL(x, 0);
    CU_ASSERT(cadre_future_cancel(h));
    CU_ASSERT_FALSE(cadre_future_cancel(h));
    CU_ASSERT_EQUAL(cadre_future_state(h), CADRE_FUTURE_CANCELLED);
    CU_ASSERT_EQUAL(cadre_future_error(h, &info), CADRE_ECANCELLED);
    CU_ASSERT_STRING_EQUAL(info.host, "");
    CHECK_OK(cadre_future_result_within(f, 5000, CADRE_INTO(&x)));
    CU_ASSERT_EQUAL(x, 1);
    CU_ASSERT_EQUAL(cadre_future_state(f), CADRE_FUTURE_DONE);
    CU_ASSERT_EQUAL(cadre_future_error(f, &info), CADRE_OK);
    CU_ASSERT_EQUAL(info.err, CADRE_OK);
    CU_ASSERT_STRING_EQUAL(info.text, "");
    CU_ASSERT_EQUAL(cadre_future_error(g, &info), CADRE_ETASK);
    CU_ASSERT_EQUAL(cadre_future_state(g), CADRE_FUTURE_FAILED);
    CU_ASSERT_EQUAL(info.err, CADRE_ETASK);
    CU_ASSERT_EQUAL(info.kind, 42);
    CU_ASSERT_EQUAL(info.rank, 0);
    CU_ASSERT(info.host[0] != '\0');
    CU_ASSERT_PTR_NOT_NULL(strstr(info.text, "2 is not to my taste"));
    CU_ASSERT_EQUAL(cadre_future_error(g, NULL), CADRE_ETASK);
    cadre_future_free(f);
    cadre_future_free(g);
    cadre_future_free(h);
    cadre_pool_destroy(pool);
}

static void a_task_says_how_far_it_is(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(half_way), 500);
    char text[32] = "?";
    double progress = 0;

    for (int i = 0; i < 200 && progress == 0; i++) {
        usleep(2000);
        progress = cadre_future_progress(f, text, sizeof text);
    }
    CU_ASSERT_EQUAL(progress, 0.5);
    CU_ASSERT_STRING_EQUAL(text, "half of it");
    CU_ASSERT_FALSE(cadre_future_done(f));
    CHECK_OK(cadre_future_wait(f, -1));
    CU_ASSERT_EQUAL(cadre_future_progress(f, NULL, 0), 0.5);
    CU_ASSERT_EQUAL(int_of(f), 500);
    cadre_pool_destroy(pool);
}

static void a_task_cancelled_before_it_starts_never_runs(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *busy = cadre_submit(pool, CADRE_FN(nap), 1, 200);
    struct cadre_future *f, *held, *needs;
    char path[32];

    new_path(path);
    f = cadre_submit(pool, CADRE_FN(mark), path, 1);
    held = cadre_submit(pool, CADRE_FN(mark), path, busy);
    needs = cadre_submit(pool, CADRE_FN(mark), path, f);
    CU_ASSERT_FALSE(cadre_future_cancel(busy)); /* it runs */
    CU_ASSERT(cadre_future_cancel(f));
    CU_ASSERT(cadre_future_cancel(held));
    CU_ASSERT_EQUAL(int_of(busy), 1);
    fails(f, CADRE_ECANCELLED, "cancelled");
    fails(held, CADRE_ECANCELLED, "cancelled");
    fails(needs, CADRE_ECANCELLED, "argument `i` of mark: cancelled");
    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(add), 1, 1)), 2);
    CU_ASSERT_EQUAL(attempts(path), 0);
    cadre_pool_destroy(pool);
    unlink(path);
}

static void four_long_tasks_cancelled_after_a_while_all_end(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f[4];
    double start = seconds();
    int cancelled = 0;

    for (int i = 0; i < 4; i++)
        f[i] = cadre_submit(pool, CADRE_FN(nap), i, 1000);
    CHECK_ERR(CADRE_ETIMEOUT, cadre_future_wait(f[0], 500));
    for (int i = 0; i < 4; i++)
        cancelled += cadre_future_cancel(f[i]);
    CU_ASSERT_EQUAL(cancelled, 2);
    CHECK_OK(cadre_wait(f, 4, CADRE_ALL_DONE, 5000, NULL));
    for (int i = 0; i < 4; i++) {
        CU_ASSERT(cadre_future_state(f[i]) == CADRE_FUTURE_DONE ||
                  cadre_future_state(f[i]) == CADRE_FUTURE_CANCELLED);
        cadre_future_free(f[i]);
    }
    CU_ASSERT(seconds() - start < 1.8);
    cadre_pool_destroy(pool);
}

static void *cancel_soon(void *arg)
{
    usleep(150000);
    cadre_future_cancel(arg);
    return NULL;
}

static void who_waits_sees_a_cancel_by_another_thread(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *busy = cadre_submit(pool, CADRE_FN(nap), 1, 1000);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(add), 1, 1);
    double start = seconds();
    pthread_t thread;

    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, cancel_soon, f), 0);
    fails(cadre_submit(pool, CADRE_FN(add), 1, f), CADRE_ECANCELLED,
          "argument `j`");
    CU_ASSERT(seconds() - start < 0.8);
    pthread_join(thread, NULL);
    cadre_future_free(f);
    cadre_future_free(busy);
    cadre_pool_destroy(pool);
}

/* --- callbacks
 * ----------------------------------------------------------------
 */

/* What callbacks saw, in order; callbacks of several futures may be in several
 * threads. */
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static char seen[64];

static void see(char what)
{
    size_t len;

    pthread_mutex_lock(&seen_lock);
    len = strlen(seen);
    if (len + 1 < sizeof seen) {
        seen[len] = what;
        seen[len + 1] = '\0';
    }
    pthread_mutex_unlock(&seen_lock);
}

static void on_done(struct cadre_future *future, void *user)
{
    see(cadre_future_done(future) ? *(const char *)user : '!');
}

static void callbacks_come_in_order_and_late_ones_at_once(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(nap), 1, 100);
    static char names[] = "abcdef";

    seen[0] = '\0';
    for (int i = 0; i < 5; i++)
        CHECK_OK(cadre_future_add_done_callback(f, on_done, &names[i]));
    CHECK_ERR(CADRE_EINVAL, cadre_future_add_done_callback(f, NULL, NULL));
    CU_ASSERT_STRING_EQUAL(seen, "");
    CHECK_OK(cadre_future_wait(f, -1));
    for (int i = 0; i < 100 && strlen(seen) < 5; i++)
        usleep(10000);
    CHECK_OK(cadre_future_add_done_callback(f, on_done, &names[5]));
    CU_ASSERT_STRING_EQUAL(seen, "abcdef");
    cadre_future_free(f);
    f = cadre_submit(pool, CADRE_FN(add), 1); /* failed at once */
    CHECK_OK(cadre_future_add_done_callback(f, on_done, &names[0]));
    CU_ASSERT_STRING_EQUAL(seen, "abcdefa");
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

static void on_done_slowly(struct cadre_future *future, void *user)
{
    usleep(200000);
    on_done(future, user);
}

static void destroying_a_pool_waits_for_callbacks(void)
{
    struct cadre_pool *pool = pool_of(2);
    static char name[] = "x";

    seen[0] = '\0';
    for (int i = 0; i < 3; i++) {
        struct cadre_future *f = cadre_submit(pool, CADRE_FN(nap), i, 50);

        CHECK_OK(cadre_future_add_done_callback(f, on_done_slowly, name));
        cadre_future_free(f);
    }
    cadre_pool_destroy(pool);
    CU_ASSERT_STRING_EQUAL(seen, "xxx");
}

struct again {
    struct cadre_pool *pool;
    int left;
    struct cadre_future *last;
};

/* Submits the next task, waits for another, and lets go of the future. */
static void submit_next(struct cadre_future *future, void *user)
{
    struct again *a = user;
    int x = -1;

    if (cadre_future_result(future, CADRE_INTO(&x)) != CADRE_OK || x != a->left)
        see('!');
    if (int_of(cadre_submit(a->pool, CADRE_FN(add), x, 1)) != x + 1)
        see('!');
    cadre_future_free(future);
    if (a->left-- == 0) {
        see('z');
        return;
    }
    future = cadre_submit(a->pool, CADRE_FN(add), a->left, 0);
    if (cadre_future_add_done_callback(future, submit_next, a) != CADRE_OK)
        see('!');
}

static void callbacks_may_submit_wait_and_free(void)
{
    struct again a = {.pool = pool_of(1), .left = 50};
    struct cadre_future *f = cadre_submit(a.pool, CADRE_FN(add), 50, 0);

    seen[0] = '\0';
    CHECK_OK(cadre_future_add_done_callback(f, submit_next, &a));
    for (int i = 0; i < 500 && seen[0] == '\0'; i++)
        usleep(10000);
    CU_ASSERT_STRING_EQUAL(seen, "z");
    cadre_pool_destroy(a.pool);
}

static void end_pool(struct cadre_future *future, void *user)
{
    (void)future;
    cadre_pool_destroy(user);
    see('e');
}

static void a_callback_may_end_its_own_pool(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f = cadre_submit(pool, CADRE_FN(nap), 1, 50);
    struct cadre_future *g = cadre_submit(pool, CADRE_FN(nap), 2, 50);

    seen[0] = '\0';
    CHECK_OK(cadre_future_add_done_callback(f, end_pool, pool));
    for (int i = 0; i < 500 && seen[0] == '\0'; i++)
        usleep(10000);
    CU_ASSERT_STRING_EQUAL(seen, "e");
    CU_ASSERT_EQUAL(int_of(f), 1);
    CU_ASSERT_EQUAL(int_of(g), 2);
}

/* --- many futures
 * -------------------------------------------------------------
 */

static void one_may_wait_for_the_first_or_for_all(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f[4] = {cadre_submit(pool, CADRE_FN(nap), 0, 400),
                                 cadre_submit(pool, CADRE_FN(nap), 1, 50),
                                 cadre_submit(pool, CADRE_FN(nap), 2, 100),
                                 cadre_submit(pool, CADRE_FN(refuse), 3)};
    struct cadre_future *none[1] = {NULL};
    double start = seconds();
    size_t ended = 77;

    CHECK_ERR(CADRE_ETIMEOUT, cadre_wait(f, 4, CADRE_FIRST_DONE, 0, &ended));
    CU_ASSERT_EQUAL(ended, 0);
    CHECK_OK(cadre_wait(f, 4, CADRE_FIRST_DONE, -1, &ended));
    CU_ASSERT_EQUAL(ended, 1);
    CU_ASSERT(cadre_future_done(f[1]));
    CHECK_ERR(CADRE_ETIMEOUT, cadre_wait(f, 3, CADRE_ALL_DONE, 20, NULL));
    CHECK_OK(cadre_wait(f, 4, CADRE_FIRST_FAILED, 3000, &ended));
    CU_ASSERT(cadre_future_done(f[3]));
    CU_ASSERT(seconds() - start < 0.35);
    CHECK_OK(cadre_wait(f, 3, CADRE_FIRST_FAILED, 3000, &ended)); /* none has */
    CU_ASSERT_EQUAL(ended, 3);
    CHECK_OK(cadre_wait(f, 4, CADRE_ALL_DONE, 0, &ended));
    CU_ASSERT_EQUAL(ended, 4);
    CU_ASSERT(seconds() - start >= 0.4);
    CHECK_OK(cadre_wait(f, 0, CADRE_ALL_DONE, -1, &ended));
    CHECK_OK(cadre_wait(f, 0, CADRE_FIRST_DONE, -1, &ended));
    CU_ASSERT_EQUAL(ended, 0);
    CHECK_ERR(CADRE_EINVAL, cadre_wait(none, 1, CADRE_ALL_DONE, -1, NULL));
    CHECK_SAYS("future 0 is NULL");
    CHECK_ERR(CADRE_EINVAL, cadre_wait(f, 4, (enum cadre_wait_for)9, -1, NULL));
    for (int i = 0; i < 4; i++)
        cadre_future_free(f[i]);
    cadre_pool_destroy(pool);
}

static void futures_come_as_they_end(void)
{
    struct cadre_pool *pool = pool_of(3);
    struct cadre_future *f[5] = {cadre_submit(pool, CADRE_FN(nap), 0, 300),
                                 cadre_submit(pool, CADRE_FN(add), 0, 1),
                                 cadre_submit(pool, CADRE_FN(nap), 2, 150)};
    static const size_t order[] = {1, 3, 4, 2, 0};
    struct cadre_completed *all;
    struct cadre_future *next;
    size_t index = 77;

    CHECK_OK(cadre_future_wait(f[1], -1));
    f[3] = cadre_submit(pool, CADRE_FN(add), 0); /* has failed */
    f[4] = cadre_submit(pool, CADRE_FN(nap), 4, 50);
    CHECK_OK(cadre_as_completed(f, 5, &all));
    for (int i = 0; i < 5; i++) { /* it keeps them */
        if (i != 2)
            cadre_future_free(f[i]);
    }
    for (int i = 0; i < 5; i++) {
        if (i == 2)
            CHECK_ERR(CADRE_ETIMEOUT,
                      cadre_completed_next(all, 1, &next, &index));
        CHECK_OK(cadre_completed_next(all, 3000, &next, &index));
        CU_ASSERT_EQUAL(index, order[i]);
        CU_ASSERT(cadre_future_done(next));
    }
    CHECK_OK(cadre_completed_next(all, -1, &next, &index));
    CU_ASSERT_PTR_NULL(next);
    cadre_completed_free(all);
    cadre_completed_free(NULL);
    CHECK_OK(cadre_as_completed(f, 0, &all));
    CHECK_OK(cadre_completed_next(all, -1, &next, NULL));
    CU_ASSERT_PTR_NULL(next);
    cadre_completed_free(all);
    cadre_future_free(f[2]);
    cadre_pool_destroy(pool);
}

static void a_watch_may_end_before_its_futures(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f[3];
    struct cadre_completed *all, *too;

    for (int i = 0; i < 3; i++)
        f[i] = cadre_submit(pool, CADRE_FN(nap), i, 50);
    CHECK_OK(cadre_as_completed(f, 3, &all));
    CHECK_OK(cadre_as_completed(f, 3, &too));
    cadre_completed_free(all);
    CHECK_OK(cadre_wait(f, 3, CADRE_ALL_DONE, -1, NULL));
    cadre_completed_free(too);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(int_of(f[i]), i);
    cadre_pool_destroy(pool);
}

static void results_are_gathered_in_order(void)
{
    enum { N = 100 };
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f[N], *v[3];
    int sums[N], small[2] = {-77, -77}, all[3][5];

    for (int i = 0; i < N; i++)
        f[i] = cadre_submit(pool, CADRE_FN(add), i, i);
    CHECK_OK(cadre_gather(f, N, CADRE_INTO(sums)));
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(sums[i], 2 * i);
        cadre_future_free(f[i]);
    }
    for (int i = 0; i < 3; i++)
        v[i] = cadre_submit(pool, CADRE_FN(five), 10 * i);
    CHECK_OK(cadre_gather(v, 3, CADRE_INTO(all)));
    CU_ASSERT_EQUAL(all[0][4], 4);
    CU_ASSERT_EQUAL(all[2][0], 20);
    CU_ASSERT_EQUAL(all[2][4], 24);
    CHECK_ERR(CADRE_ETYPE, cadre_gather(v, 3, CADRE_INTO(small)));
    CHECK_SAYS("future 0");
    CU_ASSERT_EQUAL(small[0], -77);
    cadre_future_free(v[1]);
    v[1] = cadre_submit(pool, CADRE_FN(refuse), 5);
    CHECK_ERR(CADRE_ETASK, cadre_gather(v, 3, CADRE_INTO(all)));
    CHECK_SAYS("future 1: 5 is not to my taste");
    CHECK_OK(cadre_gather(v, 0, CADRE_NOTHING));
    for (int i = 0; i < 3; i++)
        cadre_future_free(v[i]);
    cadre_pool_destroy(pool);
}

static void an_executor_brings_a_row_for_each_rank(void)
{
    struct cadre_executor *ex;
    struct cadre_pool *pool = pool_of(1);
    struct cadre_future *f, *g, *both[2];
    int rows[2][5], sums[2], all[4], small[1];

    CADRE_CHECK(cadre_executor_create(
        &(struct cadre_executor_options){.cores = 2, .oversubscribe = true},
        &ex));
    f = cadre_submit(ex, CADRE_FN(five), 10);
    g = cadre_submit(pool, CADRE_FN(one_more), 2, f); /* of rank 0's row */
    CHECK_OK(cadre_future_result(f, CADRE_INTO(rows)));
    CU_ASSERT_EQUAL(rows[0][4], 14);
    CU_ASSERT_EQUAL(rows[1][0], 10);
    CU_ASSERT_EQUAL(rows[1][4], 14);
    CU_ASSERT_EQUAL(int_of(g), 13);
    cadre_future_free(f);
    both[0] = cadre_submit(ex, CADRE_FN(add), 1, 2);
    both[1] = cadre_submit(ex, CADRE_FN(add), 3, both[0]);
    CHECK_OK(cadre_future_result(both[0], CADRE_INTO(sums)));
    CU_ASSERT_EQUAL(sums[1], 3);
    CHECK_OK(cadre_gather(both, 2, CADRE_INTO(all)));
    CU_ASSERT_EQUAL(all[1], 3);
    CU_ASSERT_EQUAL(all[3], 6);
    CHECK_ERR(CADRE_ETYPE, cadre_future_result(both[0], CADRE_INTO(small)));
    cadre_future_free(both[0]);
    cadre_future_free(both[1]);
    fails(cadre_submit_with(ex, &(struct cadre_task_options){.ranks = 3},
                            CADRE_FN(add), 1, 2),
          CADRE_EINVAL, "ranks is 3: here every task has 2");
    cadre_executor_destroy(ex);
    cadre_pool_destroy(pool);
}

static void shutdown_returns_after_callbacks(void)
{
    struct cadre_pool_executor *ex;
    struct cadre_future *f, *held;
    static char name[] = "s";

    CADRE_CHECK(cadre_pool_executor_create(
        &(struct cadre_pool_executor_options){.max_workers = 1,
                                              .oversubscribe = true},
        &ex));
    seen[0] = '\0';
    f = cadre_submit(ex, CADRE_FN(nap), 1, 100);
    held = cadre_submit(ex, CADRE_FN(add), f, 1);
    CHECK_OK(cadre_future_add_done_callback(f, on_done_slowly, name));
    CHECK_OK(cadre_future_add_done_callback(held, on_done_slowly, name));
    for (int i = 0; i < 100 && cadre_pending(ex) > 1; i++)
        usleep(5000);
    CU_ASSERT_EQUAL(cadre_pending(ex), 1);
    CHECK_OK(cadre_shutdown(ex, CADRE_CANCEL_FUTURES));
    CU_ASSERT_STRING_EQUAL(seen, "ss");
    fails(held, CADRE_ECANCELLED, "cancelled");
    CU_ASSERT_EQUAL(int_of(f), 1);
    fails(cadre_submit(ex, CADRE_FN(add), 1, 1), CADRE_ECLOSED, "shut down");
    CHECK_OK(cadre_shutdown(ex, 0));
    cadre_pool_executor_destroy(ex);
}

struct worker {
    pthread_t thread;
    struct cadre_pool *pools[2];
    int number;
    int wrong;
};

static void count_calls(struct cadre_future *future, void *user)
{
    (void)future;
    __atomic_fetch_add((int *)user, 1, __ATOMIC_SEQ_CST);
}

/* Seconds until `count` callbacks have run, the caller doing nothing. */
static double until_called(const int *calls, int count)
{
    double start = seconds();

    while (__atomic_load_n(calls, __ATOMIC_SEQ_CST) < count &&
           seconds() - start < 10)
        usleep(1000);
    return seconds() - start;
}

/* Whoever waits takes what comes; when it has gone, the thread in the
 * background is to be rung again: for what was there already, and for what is
 * submitted later. Its own timer would let all of this take ten seconds. */
static void callbacks_run_soon_where_nobody_waits_any_more(void)
{
    enum { ROUNDS = 20, N = 8 };
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f[N];
    double slept = 0;
    int calls = 0;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++) {
            f[i] = cadre_submit(pool, CADRE_FN(add), i, round);
            CHECK_OK(cadre_future_add_done_callback(f[i], count_calls, &calls));
        }
        CHECK_OK(cadre_future_wait(f[0], -1));
        slept += until_called(&calls, (round + 1) * (N + 1) - 1);
        for (int i = 0; i < N; i++)
            cadre_future_free(f[i]);
        f[0] = cadre_submit(pool, CADRE_FN(add), 1, round);
        CHECK_OK(cadre_future_wait(f[0], -1));
        cadre_future_free(f[0]);
        f[0] = cadre_submit(pool, CADRE_FN(add), 2, round);
        CHECK_OK(cadre_future_add_done_callback(f[0], count_calls, &calls));
        slept += until_called(&calls, (round + 1) * (N + 1));
        cadre_future_free(f[0]);
    }
    printf("  %d callbacks, %.3f s until they had run\n", calls, slept);
    CU_ASSERT(slept < 2);
    cadre_pool_destroy(pool);
}

static void *use_all(void *arg)
{
    struct worker *w = arg;
    struct cadre_future *f[20];
    int out[20], calls = 0;

    for (int round = 0; round < 20; round++) {
        f[0] = cadre_submit(w->pools[0], CADRE_FN(add), w->number, round);
        for (int i = 1; i < 20; i++) {
            f[i] = cadre_submit(w->pools[i % 2], CADRE_FN(add), f[i / 2], 1);
            cadre_future_add_done_callback(f[i], count_calls, &calls);
        }
        if (round % 3 == 0)
            cadre_future_cancel(f[19]);
        w->wrong += cadre_gather(f, 19, CADRE_INTO(out)) != CADRE_OK;
        w->wrong +=
            out[1] != w->number + round + 1 || out[18] != w->number + round + 5;
        cadre_future_wait(f[19], -1);
        for (int i = 0; i < 20; i++)
            cadre_future_free(f[i]);
    }
    for (int i = 0; i < 1000 && calls < 20 * 19; i++)
        usleep(10000);
    w->wrong += calls != 20 * 19;
    return NULL;
}

static void eight_threads_use_everything_at_once(void)
{
    struct cadre_pool *pools[2] = {pool_of(1), pool_of(2)};
    struct worker w[8];

    for (int i = 0; i < 8; i++) {
        w[i] = (struct worker){.pools = {pools[0], pools[1]}, .number = i};
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&w[i].thread, NULL, use_all, &w[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(w[i].thread, NULL);
        CU_ASSERT_EQUAL(w[i].wrong, 0);
    }
    cadre_pool_destroy(pools[0]);
    cadre_pool_destroy(pools[1]);
}

/* --- further attempts
 * -----------------------------------------------------------
 */

static void a_failing_task_is_tried_again_if_asked(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_task_options two = {.retries = 2};
    struct cadre_task_options lost = {.retries = 2,
                                      .retry_on = CADRE_RETRY_LOST};
    char path[32];

    new_path(path);
    fails(cadre_submit(pool, CADRE_FN(right_after), path, 2, false),
          CADRE_ETASK, "attempt 1"); /* not asked */
    CU_ASSERT_EQUAL(attempts(path), 1);
    CU_ASSERT_EQUAL(int_of(cadre_submit_with(pool, &two, CADRE_FN(right_after),
                                             path, 3, false)),
                    4);
    fails(cadre_submit_with(pool, &two, CADRE_FN(right_after), path, 99, false),
          CADRE_ETASK, "attempt 7"); /* 5, 6, 7 */
    CU_ASSERT_EQUAL(attempts(path), 7);
    fails(
        cadre_submit_with(pool, &lost, CADRE_FN(right_after), path, 99, false),
        CADRE_ETASK, "attempt 8"); /* not for such a failure */
    CU_ASSERT_EQUAL(attempts(path), 8);
    unlink(path);
    cadre_pool_destroy(pool);
}

static void further_attempts_wait_their_time(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_task_options options = {.retries = 2, .retry_wait_s = 0.15};
    double start = seconds();
    struct cadre_future *f, *g;
    char path[32];

    new_path(path);
    f = cadre_submit_with(pool, &options, CADRE_FN(right_after), path, 2,
                          false);
    CHECK_ERR(CADRE_ETIMEOUT, cadre_future_wait(f, 80));
    CU_ASSERT_EQUAL(cadre_future_state(f), CADRE_FUTURE_PENDING);
    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(add), 1, 1)), 2);
    CU_ASSERT_EQUAL(int_of(f), 3);
    CU_ASSERT(seconds() - start >= 0.45);
    CU_ASSERT(seconds() - start < 2);
    options.retry_wait_s = 100;
    g = cadre_submit_with(pool, &options, CADRE_FN(right_after), path, 9,
                          false);
    CHECK_ERR(CADRE_ETIMEOUT, cadre_future_wait(g, 80));
    CU_ASSERT(cadre_future_cancel(g));
    fails(g, CADRE_ECANCELLED, "cancelled");
    start = seconds();
    options.retry_wait_s = 0.2; /* nobody waits: the background thread does */
    g = cadre_submit_with(pool, &options, CADRE_FN(right_after), path, 5,
                          false);
    for (int i = 0; i < 300 && !cadre_future_done(g); i++)
        usleep(10000);
    CU_ASSERT(seconds() - start < 1);
    CU_ASSERT_EQUAL(int_of(g), 6);
    unlink(path);
    cadre_pool_destroy(pool);
}

static void options_out_of_range_are_refused(void)
{
    struct cadre_pool *pool = pool_of(1);
    struct cadre_task_options wrong[] = {
        {.retries = -1},      {.retries = 1001},   {.retry_on = 8},
        {.retry_wait_s = -1}, {.deadline_s = 1e9}, {.ranks = -1},
        {.ranks = 2}};
    static const char *const says[] = {"retries is -1",
                                       "retries is 1001",
                                       "retry_on is 0x8",
                                       "retry_wait_s is",
                                       "deadline_s is 1e+09",
                                       "ranks is -1",
                                       "ranks is 2: here every task has 1"};

    for (int i = 0; i < 7; i++)
        fails(cadre_submit_with(pool, &wrong[i], CADRE_FN(add), 1, 2),
              CADRE_EINVAL, says[i]);
    cadre_pool_destroy(pool);
}

static void the_task_of_a_lost_worker_is_tried_again_if_asked(void)
{
    struct cadre_pool *pool = pool_of(3);
    struct cadre_task_options once = {.retries = 1};
    char path[32], poison[32];

    new_path(path);
    new_path(poison);
    CU_ASSERT_EQUAL(int_of(cadre_submit_with(pool, &once, CADRE_FN(right_after),
                                             path, 1, true)),
                    2);
    fails(cadre_submit(pool, CADRE_FN(right_after), poison, 99, true),
          CADRE_ELOST, "was lost"); /* not asked: one worker is left */
    CU_ASSERT_EQUAL(attempts(poison), 1);
    CU_ASSERT_EQUAL(int_of(cadre_submit(pool, CADRE_FN(add), 1, 1)), 2);
    unlink(path);
    unlink(poison);
    cadre_pool_destroy(pool);
}

/* --- back-pressure ----------------------------------------------------------
 */

static void submit_many(struct cadre_future *future, void *user)
{
    struct cadre_pool *pool = user;

    (void)future;
    for (int i = 0; i < 20; i++)
        cadre_future_free(cadre_submit(pool, CADRE_FN(add), i, 1));
}

static void who_submits_too_fast_is_slowed(void)
{
    enum { COUNT = 20, LIMIT = 5, MS = 50 };
    struct cadre_pool *pool;
    struct cadre_future *f[COUNT];
    double began;

    CHECK_OK(cadre_pool_create(
        &(struct cadre_pool_options){
            .max_workers = 1, .oversubscribe = true, .max_pending = LIMIT},
        &pool));
    int_of(cadre_submit(pool, CADRE_FN(nap), 0, MS));
    began = seconds();
    for (int i = 0; i < COUNT; i++)
        f[i] = cadre_submit(pool, CADRE_FN(nap), i, MS);
    CU_ASSERT(seconds() - began > 0.001 * MS * (COUNT - LIMIT - 5));
    CHECK_OK(cadre_future_add_done_callback(f[0], submit_many, pool));
    for (int i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL(int_of(f[i]), i);
    f[0] = cadre_submit(pool, CADRE_FN(nap), 1, MS);
    CHECK_OK(cadre_future_add_done_callback(f[0], submit_many, pool));
    CU_ASSERT_EQUAL(int_of(f[0]), 1);
    cadre_pool_destroy(pool);
}

/* --- the end
 * ----------------------------------------------------------------------
 */

static void futures_outlive_everything(void)
{
    struct cadre_pool *pool = pool_of(2);
    struct cadre_future *f[3] = {cadre_submit(pool, CADRE_FN(nap), 1, 50)};
    static char name[] = "f";
    struct cadre_completed *all;
    struct cadre_future *next;
    size_t count = 0;
    int out[2];

    seen[0] = '\0';
    f[1] = cadre_submit(pool, CADRE_FN(add), f[0], 1);
    f[2] = cadre_submit(pool, CADRE_FN(refuse), f[1]);
    CHECK_OK(cadre_as_completed(f, 3, &all));
    CHECK_OK(cadre_future_add_done_callback(f[1], on_done, name));
    CU_ASSERT_EQUAL(cadre_finalize(), 0);
    CU_ASSERT_STRING_EQUAL(seen, "f");
    CHECK_OK(cadre_gather(f, 2, CADRE_INTO(out)));
    CU_ASSERT_EQUAL(out[1], 2);
    CU_ASSERT_FALSE(cadre_future_cancel(f[0]));
    CHECK_OK(cadre_wait(f, 3, CADRE_ALL_DONE, -1, NULL));
    CHECK_OK(cadre_future_add_done_callback(f[2], on_done, name));
    CU_ASSERT_STRING_EQUAL(seen, "ff");
    while (cadre_completed_next(all, -1, &next, NULL) == CADRE_OK &&
           next != NULL)
        CU_ASSERT_PTR_EQUAL(next, f[count++]);
    CU_ASSERT_EQUAL(count, 3);
    cadre_completed_free(all);
    for (int i = 0; i < 3; i++)
        cadre_future_free(f[i]);
}

static const struct check_test tests[] = {
    CHECK(a_future_is_an_argument),
    CHECK(many_arguments_arrive_in_their_places),
    CHECK(five_values_come_together_again),
    CHECK(a_chain_of_3000_ends),
    CHECK(a_chain_of_100000_fails),
    CHECK(pools_need_each_other),
    CHECK(values_are_handed_on_as_the_prototypes_say),
    CHECK(wrong_futures_are_refused_at_once),
    CHECK(a_failed_argument_fails_the_task_without_running_it),
    CHECK(a_future_says_how_its_task_is),
    CHECK(a_task_says_how_far_it_is),
    CHECK(a_task_cancelled_before_it_starts_never_runs),
    CHECK(four_long_tasks_cancelled_after_a_while_all_end),
    CHECK(who_waits_sees_a_cancel_by_another_thread),
    CHECK(callbacks_come_in_order_and_late_ones_at_once),
    CHECK(destroying_a_pool_waits_for_callbacks),
    CHECK(callbacks_may_submit_wait_and_free),
    CHECK(a_callback_may_end_its_own_pool),
    CHECK(one_may_wait_for_the_first_or_for_all),
    CHECK(futures_come_as_they_end),
    CHECK(a_watch_may_end_before_its_futures),
    CHECK(results_are_gathered_in_order),
    CHECK(an_executor_brings_a_row_for_each_rank),
    CHECK(shutdown_returns_after_callbacks),
    CHECK(callbacks_run_soon_where_nobody_waits_any_more),
    CHECK(eight_threads_use_everything_at_once),
    CHECK(a_failing_task_is_tried_again_if_asked),
    CHECK(further_attempts_wait_their_time),
    CHECK(options_out_of_range_are_refused),
    CHECK(the_task_of_a_lost_worker_is_tried_again_if_asked),
    CHECK(who_submits_too_fast_is_slowed),
    CHECK(futures_outlive_everything),
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));
    return check_run("mpi_futures", tests);
}
