/* mpi_spawn_deadline.c - worker programs that never become workers.
 *
 * A program of its own, because MPI is stuck meanwhile, and gives up sooner
 * here than elsewhere.
 */
#include "check.h"

#include <cadre.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

CADRE_TASK(int, twice, (int i))
{
    return 2 * i;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Processes whose command line holds `part`, but for this one. */
static int running(const char *part)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int n = 0;

    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);
        char path[64], line[4096];
        size_t len;
        FILE *f;

        snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
        if (pid <= 0 || pid == (long)getpid() || (f = fopen(path, "r")) == NULL)
            continue;
        len = fread(line, 1, sizeof line, f);
        n += memmem(line, len, part, strlen(part)) != NULL;
        fclose(f);
    }
    if (proc != NULL)
        closedir(proc);
    return n;
}

static void wait_until_none_runs(const char *part)
{
    for (int i = 0; i < 20 && running(part) > 0; i++)
        usleep(100000);
    CU_ASSERT_EQUAL(running(part), 0);
}

/* Two workers of `program` do not start within `timeout_s`. */
static void does_not_start(const char *program, double timeout_s)
{
    struct cadre_pool *pool = NULL;
    double start = seconds();
    cadre_err err = cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 2,
                                     .oversubscribe = true,
                                     .worker_program = program,
                                     .spawn_timeout_s = timeout_s},
        &pool);

    CU_ASSERT_EQUAL(err, CADRE_ETIMEOUT);
    CU_ASSERT_PTR_NULL(pool);
    CU_ASSERT(seconds() - start >= timeout_s - 0.1);
    CU_ASSERT(seconds() - start < timeout_s + 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(cadre_error_text(), "cadre_init()"));
}

static void a_good_pool_works(void)
{
    struct cadre_pool *pool = NULL;
    struct cadre_future *f;
    int x = 0;
    cadre_err err = cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 1, .oversubscribe = true},
        &pool);

    CU_ASSERT_EQUAL_FATAL(err, CADRE_OK);
    f = cadre_submit(pool, CADRE_FN(twice), 21);
    err = cadre_future_result(f, CADRE_INTO(&x));
    CU_ASSERT_EQUAL(err, CADRE_OK);
    CU_ASSERT_EQUAL(x, 42);
    cadre_future_free(f);
    cadre_pool_destroy(pool);
}

static void a_program_without_cadre_init_meets_the_deadline(void)
{
    does_not_start(NOT_CADRE, 3);
    wait_until_none_runs(NOT_CADRE);
}

static void a_program_that_never_starts_mpi_meets_the_deadline(void)
{
    char path[] = "/tmp/cadre-sleeper-XXXXXX";
    int fd = mkstemp(path);
    struct cadre_pool *pool;
    cadre_err err;

    CU_ASSERT_FATAL(fd >= 0);
    dprintf(fd, "#!/bin/sh\nsleep 1000\n");
    fchmod(fd, 0700);
    close(fd);
    does_not_start(path, 3);
    wait_until_none_runs(path);
    unlink(path);
    /* MPI is still in that call: a further start is refused, not tried, ... */
    err = cadre_pool_create(
        &(struct cadre_pool_options){.max_workers = 1, .oversubscribe = true},
        &pool);
    CU_ASSERT_EQUAL(err, CADRE_ESPAWN);
    CU_ASSERT_PTR_NOT_NULL(strstr(cadre_error_text(), "has not come back"));
    /* ... until it has given up. */
    for (int i = 0; i < 300 && err == CADRE_ESPAWN; i++) {
        usleep(100000);
        err = cadre_pool_create(
            &(struct cadre_pool_options){.max_workers = 1,
                                         .oversubscribe = true},
            &pool);
    }
    CU_ASSERT_EQUAL(err, CADRE_OK);
    if (err == CADRE_OK)
        cadre_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    static const struct check_test tests[] = {
        CHECK(a_good_pool_works),
        CHECK(a_program_without_cadre_init_meets_the_deadline),
        {"a_good_pool_still_works", a_good_pool_works},
        CHECK(a_program_that_never_starts_mpi_meets_the_deadline),
        {"a_good_pool_works_again", a_good_pool_works},
        {NULL, NULL}};
    double start;
    int status;

    setenv("OMPI_MCA_pmix_base_exchange_timeout", "16", 1);
    CADRE_CHECK(cadre_init(&argc, &argv));
    status = check_run("spawn_deadline", tests);
    start = seconds();
    if (cadre_finalize() != 0 || seconds() - start > 5) {
        fprintf(stderr, "spawn_deadline: cadre_finalize is slow or failed\n");
        status = 1;
    }
    return status;
}
