/* mpi_hostile.c - workers that send what docs/protocol.md forbids
 * (mpi_hostile_worker.c) harm nobody else. */
#include "mpi_hostile.h"
#include "mpi_check.h"

#include <stdio.h>
#include <string.h>

CADRE_TASK(int64_t, square, (int64_t i))
{
    return i * i;
}

/* What the controller says of it, on stderr and in the error. */
static const struct {
    const char *name;
    cadre_err err;
    const char *says;
} modes[HOSTILE_MODES] = {
    [OF_NO_BATCH] = {"of no batch", CADRE_ELOST, "tasks it does not have"},
    [OF_OTHER_ROWS] = {"of other rows", CADRE_ELOST, "tasks it does not have"},
    [TOO_MANY] = {"too many", CADRE_ELOST, "tasks it does not have"},
    [TWICE] = {"twice", CADRE_OK, "tasks it does not have"},
    [OTHER_GENERATION] = {"other generation", CADRE_ELOST,
                          "another generation"},
    [UNKNOWN_TYPE] = {"unknown type", CADRE_ELOST, "unknown type 99"},
    [TOO_LONG] = {"too long", CADRE_ELOST, "cut short"},
    [LENGTH_OF_NOTHING] = {"length of nothing", CADRE_ELOST, "damaged"},
    [RANDOM] = {"random", CADRE_ELOST, "no frame"},
    [EMPTY] = {"empty", CADRE_ELOST, "no frame"},
    [ODD_LENGTH] = {"odd length", CADRE_ELOST, "worker"},
    [WELCOME_TWICE] = {"welcome twice", CADRE_ELOST, "twice"},
    [BULKS_TOO_LARGE] = {"bulks too large", CADRE_ELOST, "was lost"},
    [BULKS_WITHOUT_END] = {"bulks without end", CADRE_ELOST, "was lost"},
    [BULKS_OF_NOTHING] = {"bulks of nothing", CADRE_ELOST, "was lost"},
    [BULKS_THAT_STAY_OUT] = {"bulks that stay out", CADRE_ELOST, ""},
    [BULK_TOO_SHORT] = {"bulk too short", CADRE_ELOST, "was lost"},
    [BULK_TOO_LONG] = {"bulk too long", CADRE_ELOST, "was lost"},
    [UNKNOWN_BULK] = {"unknown bulk", CADRE_EPROTO, ""},
    [CUT_OUTPUTS] = {"cut outputs", CADRE_EPROTO, ""},
    [OUTPUTS_OF_MORE] = {"outputs of more", CADRE_ELOST, "cut short"},
    [FAILURES_OF_MORE] = {"failures of more", CADRE_ELOST, "cut short"},
    [FAILURE_ELSEWHERE] = {"failure elsewhere", CADRE_ELOST,
                           "out of order or range"},
    [OF_A_CONTROLLER] = {"of a controller", CADRE_ELOST,
                         "only controllers send"},
    [NEWS_OF_NO_TASK] = {"news of no task", CADRE_OK, ""},
    [PULSE_HERE] = {"pulse here", CADRE_ELOST, "only controllers send"}};

static struct cadre_pool *hostile_pool(int workers)
{
    struct cadre_pool *pool;

    CADRE_CHECK(cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = workers,
                                     .worker_program = HOSTILE_WORKER,
                                     .oversubscribe = true},
        &pool));
    return pool;
}

static void squares(struct cadre_pool *pool)
{
    enum { N = 100 };
    int64_t in[N], out[N] = {0};

    for (int i = 0; i < N; i++)
        in[i] = i;
    CHECK_OK(cadre_pool_map(pool, CADRE_FN(square), N, CADRE_EACH(in),
                            CADRE_INTO(out)));
    for (int i = 0; i < N; i++)
        CU_ASSERT_EQUAL_FATAL(out[i], in[i] * in[i]);
}

static void harm(struct cadre_pool *pool, int mode)
{
    int64_t in = HOSTILE + mode, out = 0;
    char said[4096];
    cadre_err err;

    listen_begin();
    err = cadre_pool_map(pool, CADRE_FN(square), 1, CADRE_EACH(&in),
                         CADRE_INTO(&out));
    printf("  %s: %s\n", modes[mode].name,
           err == CADRE_OK ? "no error" : cadre_error_text());
    fflush(stdout);
    squares(pool);
    listen_end(said, sizeof said);
    CU_ASSERT_EQUAL(err, modes[mode].err);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, modes[mode].says));
}

static void a_pool_survives_whatever_its_only_worker_sends(void)
{
    struct cadre_pool *pool = hostile_pool(1);

    squares(pool);
    for (int mode = 0; mode < HOSTILE_MODES; mode++)
        harm(pool, mode);
    cadre_pool_destroy(pool);
}

static void others_go_on_beside_a_worker_that_lies(void)
{
    struct cadre_pool *pool = hostile_pool(2), *good = pool_of(1);

    for (int mode = 0; mode < HOSTILE_MODES; mode += 5) {
        harm(pool, mode);
        squares(good);
    }
    cadre_pool_destroy(pool);
    squares(good);
    cadre_pool_destroy(good);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(a_pool_survives_whatever_its_only_worker_sends),
        CHECK(others_go_on_beside_a_worker_that_lies),
        {NULL, NULL}};
    int status;

    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("hostile", tests);
    return cadre_finalize() == 0 ? status : 1;
}
