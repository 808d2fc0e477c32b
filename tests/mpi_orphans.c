/* mpi_orphans.c - a controller with two busy workers, to be killed. */
#include <cadre.h>

#include <stdio.h>
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

int main(int argc, char **argv)
{
    struct cadre_pool *pool;
    struct cadre_future *f[3];

    CADRE_CHECK(cadre_init(&argc, &argv));
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2, .oversubscribe = true},
        &pool));
    f[0] = cadre_submit(pool, CADRE_FN(answer), 0);
    CADRE_CHECK(cadre_future_result(f[0], CADRE_NOTHING));
    f[1] = cadre_submit(pool, CADRE_FN(sleep_long), 1);
    f[2] = cadre_submit(pool, CADRE_FN(sleep_long), 2);
    printf("ready %ld\n", (long)getpid());
    fflush(stdout);
    CADRE_CHECK(cadre_future_wait(f[1], -1));
    return 1;
}
