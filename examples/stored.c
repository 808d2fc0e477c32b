/* stored.c - what the workers keep, set and read by the controller. */
#include <cadre.h>

#include <stdio.h>

/* A simulation: its clock is in the store, and so is the step. */
CADRE_INIT(setup, (struct cadre_store *store))
{
    cadre_store_put(store, "t", 0.0);
    cadre_store_put(store, "dt", 0.5);
}

CADRE_TASK(void, advance, (int steps, double t, double dt,
                           struct cadre_store *store))
{
    cadre_store_put(store, "t", t + steps * dt);
}

static double time_of(struct cadre_hpc_executor *ex, int team)
{
    struct cadre_future *f = cadre_stored_get(ex, CADRE_TEAM(team), "t");
    double t;

    CADRE_CHECK(cadre_future_result(f, CADRE_INTO(&t)));
    cadre_future_free(f);
    return t;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_hpc_executor *ex;
    CADRE_CHECK(cadre_hpc_executor_create(
        &(struct cadre_hpc_executor_options){.max_workers = 2,
                                             .oversubscribe = true,
                                             .init_function = CADRE_FN(setup)},
        &ex));

    /* Team 1 starts later; from the second round on all take smaller steps. */
    CADRE_CHECK(cadre_stored_put(ex, CADRE_TEAM(1), "t", 100));
    for (int round = 0; round < 2; round++) {
        struct cadre_future *f = cadre_submit(ex, CADRE_FN(advance), 10);

        CADRE_CHECK(cadre_future_result(f, CADRE_NOTHING));
        cadre_future_free(f);
        CADRE_CHECK(cadre_stored_put(ex, CADRE_ALL_TEAMS, "dt", 0.1));
    }
    /* Whoever has done the two: together they are 6 ahead. */
    printf("%g\n", time_of(ex, 0) + time_of(ex, 1) - 100);

    cadre_hpc_executor_destroy(ex);
    return cadre_finalize();
}
