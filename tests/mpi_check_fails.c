/* mpi_check_fails.c - CADRE_CHECK fails while a worker is busy: the program
 * ends with status 1, soon, and takes the workers along. */
#include <cadre.h>

#include <unistd.h>

CADRE_TASK(int, sleep_long, (int i))
{
    sleep(1000);
    return i;
}

int main(int argc, char **argv)
{
    struct cadre_pool *pool;

    CADRE_CHECK(cadre_init(&argc, &argv));
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2, .oversubscribe = true},
        &pool));
    cadre_submit(pool, CADRE_FN(sleep_long), 1);
    usleep(200000);
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = -1}, &pool));
    return 0;
}
