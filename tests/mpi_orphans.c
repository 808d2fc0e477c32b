/* mpi_orphans.c - a controller to be killed: `mpi_orphans busy` while two
 * workers are in a task, `idle` while they wait, `start` while they are being
 * started. */
#include <cadre.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

CADRE_TASK(int, sleep_long, (int i))
{
    sleep(1000);
    return i;
}

CADRE_TASK(int, answer, (int i))
{
    return i;
}

static void say_ready(void)
{
    printf("ready %ld\n", (long)getpid());
    fflush(stdout);
}

static void start_again_and_again(void)
{
    struct cadre_pool *pool;

    say_ready();
    for (;;) {
        CADRE_CHECK(cadre_pool_create(
            &(struct cadre_pool_options){.max_workers = 3,
                                         .oversubscribe = true},
            &pool));
        cadre_pool_destroy(pool);
    }
}

int main(int argc, char **argv)
{
    const char *moment = argc > 1 ? argv[1] : "busy";
    struct cadre_pool *pool;
    struct cadre_future *f[3];

    CADRE_CHECK(cadre_init(&argc, &argv));
    if (strcmp(moment, "start") == 0)
        start_again_and_again();
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2, .oversubscribe = true},
        &pool));
    f[0] = cadre_submit(pool, CADRE_FN(answer), 0);
    CADRE_CHECK(cadre_future_result(f[0], CADRE_NOTHING));
    if (strcmp(moment, "idle") == 0) {
        say_ready();
        sleep(1000);
    }
    f[1] = cadre_submit(pool, CADRE_FN(sleep_long), 1);
    f[2] = cadre_submit(pool, CADRE_FN(sleep_long), 2);
    say_ready();
    CADRE_CHECK(cadre_future_wait(f[1], -1));
    return 1;
}
