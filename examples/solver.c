/* solver.c - a solver that stays in its process between calls: heat spreads
 * along a rod, some steps at a time, and the rod never travels. */
#include <cadre.h>

#include <stdio.h>
#include <stdlib.h>

enum { CELLS = 101 };

struct solver {
    double heat[CELLS];
    int steps;
};

static struct solver *solver_new(void)
{
    struct solver *s = calloc(1, sizeof *s);

    if (s != NULL)
        s->heat[CELLS / 2] = 1;
    return s;
}

static void solver_free(struct solver *s)
{
    free(s);
}

static void step(struct solver *s)
{
    double left = 0;

    for (int i = 1; i < CELLS - 1; i++) {
        double here = s->heat[i];

        s->heat[i] += (left - 2 * here + s->heat[i + 1]) / 4;
        left = here;
    }
    s->steps++;
}

CADRE_INIT(open_solver, (struct cadre_store *store))
{
    cadre_store_put_object(store, "solver", solver_new(), solver_free);
}

/* The solver is found in the store, by the parameter's name. */
CADRE_TASK(double, advance, (struct solver *solver, int steps))
{
    for (int n = 0; n < steps; n++)
        step(solver);
    return solver->heat[CELLS / 2];
}

CADRE_TASK(int, steps_done, (struct solver *solver))
{
    return solver->steps;
}

int main(int argc, char **argv)
{
    CADRE_CHECK(cadre_init(&argc, &argv));

    struct cadre_executor *ex;
    CADRE_CHECK(cadre_executor_create(
        &(struct cadre_executor_options){.init_function =
                                             CADRE_FN(open_solver)},
        &ex));

    struct cadre_future *f[4];
    for (int n = 0; n < 3; n++)
        f[n] = cadre_submit(ex, CADRE_FN(advance), 100);
    f[3] = cadre_submit(ex, CADRE_FN(steps_done));

    double middle[3];
    int steps;
    CADRE_CHECK(cadre_gather(f, 3, CADRE_INTO(middle)));
    CADRE_CHECK(cadre_future_result(f[3], CADRE_INTO(&steps)));
    printf("in the middle %.4f, %.4f, %.4f after %d steps\n", middle[0],
           middle[1], middle[2], steps);

    for (int n = 0; n < 4; n++)
        cadre_future_free(f[n]);
    cadre_executor_destroy(ex);
    return cadre_finalize();
}
