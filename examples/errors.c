/* errors.c - an item that fails is reported; all others have their results. */
#include <cadre.h>

#include <stdio.h>
#include <string.h>

CADRE_TASK(int, divide, (int i, int by))
{
    if (by == 0) {
        cadre_task_fail(1, "cannot divide %d by nothing", i);
        return 0;
    }
    return i / by;
}

/* An error's text ends with where it happened, in brackets. */
static void print_error(void)
{
    const char *text = cadre_error_text();

    printf("error: %.*s\n", (int)strcspn(text, "["), text);
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_pool *pool;
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2}, &pool));

    int i[] = {10, 20, 30, 40}, by[] = {1, 2, 0, 4}, out[4];
    cadre_err errors[4];
    struct cadre_map map = {.fn = CADRE_FN(divide),
                            .count = 4,
                            .columns =
                                CADRE_COLUMNS(CADRE_EACH(i), CADRE_EACH(by)),
                            .into = CADRE_INTO(out),
                            .errors = errors};
    if (cadre_pool_run(pool, &map) != CADRE_OK)
        print_error();
    for (int n = 0; n < 4; n++) {
        if (errors[n] == CADRE_OK)
            printf("%d / %d = %d\n", i[n], by[n], out[n]);
        else
            printf("%d / %d: %s\n", i[n], by[n], cadre_strerror(errors[n]));
    }

    /* A mistake in the call itself: found before anything is sent. */
    if (cadre_pool_map(pool, CADRE_FN(divide), 4, CADRE_EACH(i),
                       CADRE_INTO(out)) != CADRE_OK)
        print_error();

    cadre_pool_destroy(pool);
    return cadre_finalize();
}
