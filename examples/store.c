/* store.c - what the caller leaves out comes from the worker's store. */
#include <cadre.h>

#include <stdio.h>

CADRE_TASK(long, calc, (long i, long j, long k))
{
    return i + j + k;
}

CADRE_INIT(setup, (struct cadre_store *store))
{
    cadre_store_put(store, "j", 4L);
    cadre_store_put(store, "k", 3L);
    cadre_store_put(store, "l", 2L);
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_executor *ex;
    CADRE_CHECK(cadre_executor_create(
        &(struct cadre_executor_options){.init_function = CADRE_FN(setup)},
        &ex));

    /* k comes from the store; the j that is given wins. */
    struct cadre_future *f =
        cadre_submit(ex, CADRE_FN(calc), 2L, CADRE_ARG("j", 5L));
    long sum;
    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&sum)));
    printf("%ld\n", sum);

    cadre_future_free(f);
    cadre_executor_destroy(ex);
    return cadre_finalize();
}
