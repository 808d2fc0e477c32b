/* main.c - a program outside this tree, built with what pkg-config says about
 * the installed library and nothing else: its own task, and one of libm's
 * functions, on two workers. */
#include <cadre.h>

#include <stdio.h>

enum { COUNT = 1000 };

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

int main(int argc, char **argv)
{
    struct cadre_pool *pool;
    struct cadre_function *root;
    static int64_t in[COUNT], squares[COUNT];
    static double x[COUNT], roots[COUNT];
    int wrong = 0, status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    CADRE_CHECK(
        cadre_function_open("libm.so.6", "double sqrt(double x)", &root));
    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2, .oversubscribe = true},
        &pool));
    for (int i = 0; i < COUNT; i++) {
        in[i] = i;
        x[i] = (double)i * i;
    }
    CADRE_CHECK(cadre_pool_map(pool, CADRE_FN(square), COUNT, CADRE_EACH(in),
                               CADRE_INTO(squares)));
    CADRE_CHECK(
        cadre_pool_map(pool, root, COUNT, CADRE_EACH(x), CADRE_INTO(roots)));
    for (int i = 0; i < COUNT; i++)
        wrong += squares[i] != in[i] * in[i] || roots[i] != i;
    cadre_pool_destroy(pool);
    status = cadre_finalize();
    printf("outside, Cadre %s: %d of %d wrong\n", cadre_version(), wrong,
           2 * COUNT);
    return wrong == 0 ? status : 1;
}
