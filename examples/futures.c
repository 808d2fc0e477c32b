/* futures.c - tasks that need each other, a callback, and the first to end. */
#include <cadre.h>

#include <stdio.h>
#include <unistd.h>

CADRE_TASK(int, add, (int i, int j))
{
    return i + j;
}

CADRE_TASK(int, wait_ms, (int ms))
{
    usleep((useconds_t)ms * 1000);
    return ms;
}

static void on_done(struct cadre_future *f, void *user)
{
    int sum;

    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&sum)));
    printf("%s: %d\n", (const char *)user, sum);
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_pool *pool;
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2}, &pool));

    /* A future as an argument: the second task starts when the first is done.
     */
    struct cadre_future *f1 = cadre_submit(pool, CADRE_FN(add), 1, 2);
    struct cadre_future *f2 = cadre_submit(pool, CADRE_FN(add), 1, f1);
    int sum;

    CADRE_CHECK(cadre_future_result(f2, CADRE_INTO(&sum)));
    printf("1 + (1 + 2) = %d\n", sum);
    cadre_future_free(f1);

    /* It is done already: the callback is called here and now. */
    static char text[] = "the callback says";
    CADRE_CHECK(cadre_future_add_done_callback(f2, on_done, text));
    cadre_future_free(f2);

    /* As they end, whatever the order in which they were submitted. */
    struct cadre_future *f[] = {cadre_submit(pool, CADRE_FN(wait_ms), 1000),
                                cadre_submit(pool, CADRE_FN(wait_ms), 100),
                                cadre_submit(pool, CADRE_FN(wait_ms), 50)};
    struct cadre_completed *all;
    struct cadre_future *next;
    size_t index;

    CADRE_CHECK(cadre_as_completed(f, 3, &all));
    for (int n = 0; n < 2; n++) {
        CADRE_CHECK(cadre_completed_next(all, -1, &next, &index));
        CADRE_CHECK(cadre_future_result(next, CADRE_INTO(&sum)));
        printf("number %zu has ended after %d ms\n", index, sum);
    }
    cadre_completed_free(all);

    /* An error says why, and can be expected: another attempt may help. */
    struct cadre_future *again = cadre_submit_with(
        pool, &(struct cadre_task_options){.retries = 2}, CADRE_FN(add), 3, 4);
    struct cadre_failure_info info;

    if (cadre_future_error(again, &info) != CADRE_OK)
        printf("failed on %s: %s\n", info.host, info.text);
    CADRE_CHECK(cadre_gather(&again, 1, CADRE_INTO(&sum)));
    printf("in the end: %d\n", sum);
    cadre_future_free(again);

    for (int n = 0; n < 3; n++)
        cadre_future_free(f[n]);
    cadre_pool_destroy(pool);
    return cadre_finalize();
}
