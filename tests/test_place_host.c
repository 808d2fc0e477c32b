/* test_place_host.c - this machine as it is, and processes that really bind.
 *
 * Every case that binds does so in a child, which reads back what the system
 * says and tells by its exit status.
 */
#include "place_host.h"

#include "check.h"
#include "frame.h"
#include "worker_place.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct cadre_error error;

/* Run `body` in a child; its result is the exit status, 0: all is well. */
static int in_child(int (*body)(void))
{
    int status = -1;
    pid_t pid;

    fflush(NULL);
    if ((pid = fork()) == 0) {
        alarm(20);
        _exit(body());
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

/* Leave the child with the line's number where `holds` is false. */
#define MUST(holds)                                                            \
    do {                                                                       \
        if (!(holds)) {                                                        \
            fprintf(stderr, "line %d: %s [%s]\n", __LINE__, #holds,            \
                    error.text);                                               \
            return __LINE__ % 255 + 1;                                         \
        }                                                                      \
    } while (0)

static bool is_variable(const char *name, const char *value)
{
    const char *is = getenv(name);

    return is != NULL && strcmp(is, value) == 0;
}

/* A field of /proc/self/status. */
static bool read_status(const char *field, char *value, size_t room)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[4096];
    size_t len = strlen(field);
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        found = strncmp(line, field, len) == 0 && line[len] == ':';
        if (found)
            snprintf(value, room, "%.*s", (int)strcspn(line + len + 2, "\n"),
                     line + len + 2);
    }
    if (file != NULL)
        fclose(file);
    return found;
}

/* --- reading -------------------------------------------------------------- */

static void this_machine_has_the_cores_that_we_may_use(void)
{
    struct cadre_machine *machine = NULL;
    cpu_set_t set;

    CU_ASSERT_EQUAL_FATAL(cadre_machine_read(&machine, &error), CADRE_OK);
    CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof set, &set), 0);
    CU_ASSERT_EQUAL(cadre_machine_pus(machine), (uint32_t)CPU_COUNT(&set));
    for (uint32_t i = 0; i < machine->nnodes; i++)
        if (machine->nodes[i].type == CADRE_NODE_PU)
            CU_ASSERT_EQUAL(machine->nodes[i].is_allowed,
                            CPU_ISSET(machine->nodes[i].index, &set) != 0);
    cadre_machine_destroy(machine);
}

/* A sanitizer's own thread stays unbound, and counts as the process's. */
#ifdef __SANITIZE_THREAD__
enum { HAS_OTHER_THREADS = 1 };
#else
enum { HAS_OTHER_THREADS = 0 };
#endif

static int read_when_bound(void)
{
    struct cadre_machine *machine = NULL;
    cpu_set_t all, one;
    int pu = 0;

    unsetenv("OMPI_COMM_WORLD_SIZE");
    MUST(sched_getaffinity(0, sizeof all, &all) == 0);
    while (!CPU_ISSET(pu, &all))
        pu++;
    CPU_ZERO(&one);
    CPU_SET(pu, &one);
    MUST(sched_setaffinity(0, sizeof one, &one) == 0);
    MUST(cadre_machine_read(&machine, &error) == CADRE_OK);
    MUST(cadre_machine_pus(machine) == 1);
    cadre_machine_destroy(machine);
    /* a rank of mpirun: what mpirun may use counts, here the parent */
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
    MUST(cadre_machine_read(&machine, &error) == CADRE_OK);
    MUST(cadre_machine_pus(machine) == (uint32_t)CPU_COUNT(&all));
    cadre_machine_destroy(machine);
    return 0;
}

static void the_binding_of_the_job_limits_what_there_is(void)
{
    CU_ASSERT(HAS_OTHER_THREADS || in_child(read_when_bound) == 0);
}

static void what_is_not_a_topology_is_named(void)
{
    struct cadre_machine *machine = NULL;

    CU_ASSERT_EQUAL(cadre_machine_read_file("/no/such.xml", &machine, &error),
                    CADRE_ENOTFOUND);
    CU_ASSERT_STRING_EQUAL(
        error.text, "/no/such.xml cannot be read: No such file or directory");
    CU_ASSERT_EQUAL(cadre_machine_read_synthetic("core", &machine, &error),
                    CADRE_EPARSE);
    CU_ASSERT_STRING_EQUAL(error.text,
                           "\"core\" describes no machine: write for example "
                           "\"package:2 core:8 pu:2\"");
    CU_ASSERT_PTR_NULL(machine);
}

static void a_machine_that_tells_no_cores_gets_one_for_each_thread(void)
{
    struct cadre_machine *machine = NULL;

    CU_ASSERT_EQUAL_FATAL(
        cadre_machine_read_synthetic("pu:4", &machine, &error), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_machine_cores(machine), 4);
    cadre_machine_destroy(machine);
}

static void this_host_is_looked_at_once(void)
{
    struct cadre_ledger *ledger = NULL;
    uint32_t first = 9, again = 9;

    CU_ASSERT_EQUAL_FATAL(cadre_ledger_create(&ledger), CADRE_OK);
    CU_ASSERT_EQUAL(cadre_ledger_add_this_host(ledger, &first, &error),
                    CADRE_OK);
    CU_ASSERT_EQUAL(cadre_ledger_add_this_host(ledger, &again, &error),
                    CADRE_OK);
    CU_ASSERT_EQUAL(first, 0);
    CU_ASSERT_EQUAL(again, 0);
    CU_ASSERT_EQUAL(cadre_ledger_hosts(ledger), 1);
    cadre_ledger_destroy(ledger);
}

/* --- binding -------------------------------------------------------------- */

static struct cadre_plan *plan_here(struct cadre_ledger *ledger,
                                    struct cadre_place_request request)
{
    struct cadre_plan *plan = NULL;
    uint32_t host;

    if (cadre_ledger_add_this_host(ledger, &host, &error) != CADRE_OK ||
        cadre_ledger_reserve(ledger, &request, &plan, &error) != CADRE_OK)
        return NULL;
    return plan;
}

/* Bind to the place of the last rank and look. */
static int bind_and_look(void)
{
    struct cadre_ledger *ledger = NULL;
    struct cadre_buffer buffer = {0};
    struct cadre_place_seen seen;
    struct cadre_task_info info = {0};
    struct cadre_workplace here = {0};
    const struct cadre_place *place;
    struct cadre_plan *plan;
    char list[256], told[256];

    unsetenv("OMPI_COMM_WORLD_SIZE");
    MUST(cadre_ledger_create(&ledger) == CADRE_OK);
    plan = plan_here(ledger, (struct cadre_place_request){.ranks = 1});
    MUST(plan != NULL);
    place = &plan->places[0];
    MUST(place->npus > 0);
    MUST(cadre_place_encode(plan, 0, &buffer) == CADRE_OK);
    MUST(cadre_workplace_take(&here, buffer.data, buffer.len, &error) ==
         CADRE_OK);
    cadre_workplace_tell(&here, &info);
    MUST(strstr(info.place, ": PU") != NULL);
    MUST(info.threads == 1 && info.npus == (int)place->npus);
    MUST(memcmp(info.pus, place->pus, place->npus * sizeof *place->pus) == 0);
    MUST(info.ngpus == 0);
    MUST(cadre_place_read_back(&seen, &error) == CADRE_OK);
    MUST(seen.npus == place->npus);
    MUST(memcmp(seen.pus, place->pus, seen.npus * sizeof *seen.pus) == 0);
    MUST(seen.last >= place->pus[0] &&
         seen.last <= place->pus[place->npus - 1]);
    MUST(read_status("Cpus_allowed_list", told, sizeof told));
    cadre_place_list(place->pus, place->npus, list, sizeof list);
    if (place->npus != 2) /* "0,1" and "0-1" are the same */
        MUST(strcmp(told, list) == 0);
    MUST(is_variable("OMP_NUM_THREADS", "1"));
    MUST(is_variable("OMP_PLACES", "cores"));
    MUST(is_variable("OMP_PROC_BIND", "close"));
    cadre_workplace_fini(&here);
    cadre_place_seen_fini(&seen);
    cadre_buffer_fini(&buffer);
    cadre_ledger_release(ledger, plan);
    cadre_ledger_destroy(ledger);
    return 0;
}

static void a_process_is_where_its_place_says(void)
{
    CU_ASSERT_EQUAL(in_child(bind_and_look), 0);
}

/* The memory policy is the kernel's word; some containers forbid it. */
static int bind_memory_and_look(void)
{
    struct cadre_ledger *ledger = NULL;
    struct cadre_place_seen seen;
    struct cadre_plan *plan;

    unsetenv("OMPI_COMM_WORLD_SIZE");
    MUST(cadre_ledger_create(&ledger) == CADRE_OK);
    plan = plan_here(ledger, (struct cadre_place_request){
                                 .ranks = 1, .policy = CADRE_PLACE_NUMA});
    MUST(plan != NULL && plan->places[0].memory == CADRE_MEMORY_BIND);
    MUST(cadre_place_apply(&plan->places[0], &error) == CADRE_OK);
    MUST(cadre_place_read_back(&seen, &error) == CADRE_OK);
    MUST(seen.nnuma == 0 || (seen.nnuma >= 1 && plan->places[0].nnuma == 1));
    if (seen.nnuma == 1)
        MUST(seen.numa[0] == plan->places[0].numa[0]);
    cadre_place_seen_fini(&seen);
    cadre_ledger_release(ledger, plan);
    cadre_ledger_destroy(ledger);
    return 0;
}

static void memory_comes_from_the_nodes_of_the_cores(void)
{
    CU_ASSERT_EQUAL(in_child(bind_memory_and_look), 0);
}

static int stay_unbound(void)
{
    const struct cadre_place place = {.host_name = "here", .threads = 3};
    struct cadre_place_seen seen;
    cpu_set_t set;

    unsetenv("OMP_PLACES");
    unsetenv("OMP_NUM_THREADS");
    MUST(sched_getaffinity(0, sizeof set, &set) == 0);
    MUST(cadre_place_apply(&place, &error) == CADRE_OK);
    MUST(cadre_place_read_back(&seen, &error) == CADRE_OK);
    MUST(seen.npus == (uint32_t)CPU_COUNT(&set));
    cadre_place_seen_fini(&seen);
    MUST(is_variable("OMP_NUM_THREADS", "3"));
    MUST(getenv("OMP_PLACES") == NULL);
    return 0;
}

static void without_cores_nothing_is_bound(void)
{
    CU_ASSERT_EQUAL(in_child(stay_unbound), 0);
}

static int bind_to_what_is_not_there(void)
{
    const uint32_t far[] = {1023};
    const struct cadre_place place = {.host_name = "here",
                                      .threads = 1,
                                      .unit = CADRE_UNIT_CORE,
                                      .pus = far,
                                      .npus = 1};

    unsetenv("OMP_NUM_THREADS");
    MUST(cadre_place_apply(&place, &error) == CADRE_EIO);
    MUST(strncmp(error.text,
                 "placement: cannot bind to PUs 1023 of here: ", 44) == 0);
    MUST(getenv("OMP_NUM_THREADS") == NULL);
    return 0;
}

static void cores_that_are_not_there_are_named(void)
{
    CU_ASSERT_EQUAL(in_child(bind_to_what_is_not_there), 0);
}

/* --- GPUs ----------------------------------------------------------------- */

static int show_gpus(void)
{
    const struct cadre_gpu gpus[] = {
        {.vendor = CADRE_GPU_NVIDIA, .index = 2, .uuid = "GPU-aa"},
        {.vendor = CADRE_GPU_NVIDIA, .index = 5, .uuid = "GPU-bb"},
        {.vendor = CADRE_GPU_AMD, .index = 1},
        {.vendor = CADRE_GPU_INTEL, .index = 3, .uuid = "cc"}};
    struct cadre_place place = {
        .host_name = "here", .threads = 1, .gpus = gpus, .ngpus = 4};

    unsetenv("ROCR_VISIBLE_DEVICES");
    MUST(cadre_place_apply(&place, &error) == CADRE_OK);
    MUST(is_variable("CUDA_VISIBLE_DEVICES", "GPU-aa,GPU-bb"));
    MUST(is_variable("CUDA_DEVICE_ORDER", "PCI_BUS_ID"));
    MUST(is_variable("ROCR_VISIBLE_DEVICES", "1"));
    MUST(is_variable("ZE_AFFINITY_MASK", "3"));
    MUST(is_variable("ZE_ENABLE_PCI_ID_DEVICE_ORDER", "1"));
    return 0;
}

static int show_gpus_by_number(void)
{
    const struct cadre_gpu gpus[] = {
        {.vendor = CADRE_GPU_NVIDIA, .index = 2, .uuid = "GPU-aa"},
        {.vendor = CADRE_GPU_NVIDIA, .index = 5}};
    struct cadre_place place = {
        .host_name = "here", .threads = 1, .gpus = gpus, .ngpus = 2};

    setenv("ROCR_VISIBLE_DEVICES", "7", 1);
    MUST(cadre_place_apply(&place, &error) == CADRE_OK);
    MUST(is_variable("CUDA_VISIBLE_DEVICES", "2,5"));
    MUST(is_variable("ROCR_VISIBLE_DEVICES", "7")); /* none given: untouched */
    return 0;
}

static void a_rank_sees_its_gpus_only(void)
{
    CU_ASSERT_EQUAL(in_child(show_gpus), 0);
    CU_ASSERT_EQUAL(in_child(show_gpus_by_number), 0);
}

/* What a task on such a rank is told; then what it is told without a place. */
static int tell_gpus(void)
{
    const struct cadre_gpu gpus[] = {{.vendor = CADRE_GPU_NVIDIA,
                                      .index = 2,
                                      .pci = "0000:81:00.0",
                                      .uuid = "GPU-aa"},
                                     {.vendor = CADRE_GPU_AMD, .index = 1}};
    struct cadre_place place = {
        .host_name = "here", .threads = 3, .gpus = gpus, .ngpus = 2};
    const struct cadre_plan plan = {.places = &place, .nplaces = 1};
    struct cadre_task_info info = {0}, later = {0};
    struct cadre_workplace here = {0};
    struct cadre_buffer buffer = {0};

    MUST(cadre_place_encode(&plan, 0, &buffer) == CADRE_OK);
    MUST(cadre_workplace_take(&here, buffer.data, buffer.len, &error) ==
         CADRE_OK);
    cadre_buffer_fini(&buffer);
    cadre_workplace_tell(&here, &info);
    MUST(info.threads == 3 && info.npus == 0 && info.ngpus == 2);
    MUST(strcmp(info.gpus[0].vendor, "NVIDIA") == 0);
    MUST(strcmp(info.gpus[0].pci, "0000:81:00.0") == 0);
    MUST(strcmp(info.gpus[0].uuid, "GPU-aa") == 0);
    MUST(strcmp(info.gpus[1].vendor, "AMD") == 0);
    MUST(info.gpus[1].pci[0] == '\0' && info.gpus[1].uuid[0] == '\0');
    cadre_workplace_leave(&here);
    cadre_workplace_tell(&here, &later);
    MUST(later.place[0] == '\0' && later.threads == 0 && later.ngpus == 0 &&
         later.gpus == NULL);
    return 0;
}

static void a_task_is_told_its_gpus(void)
{
    CU_ASSERT_EQUAL(in_child(tell_gpus), 0);
}

/* --- and back ------------------------------------------------------------- */

static int go_and_come_back(void)
{
    const struct cadre_gpu gpus[] = {
        {.vendor = CADRE_GPU_NVIDIA, .index = 2, .uuid = "GPU-aa"},
        {.vendor = CADRE_GPU_AMD, .index = 1},
        {.vendor = CADRE_GPU_INTEL, .index = 3}};
    struct cadre_place place = {
        .host_name = "here", .threads = 1, .gpus = gpus, .ngpus = 3};

    setenv("CUDA_VISIBLE_DEVICES", "2,GPU-bb", 1);
    unsetenv("CUDA_DEVICE_ORDER");
    unsetenv("ROCR_VISIBLE_DEVICES");
    setenv("ZE_AFFINITY_MASK", "", 1);
    unsetenv("OMP_NUM_THREADS");
    for (int i = 0; i < 2; i++) { /* one object after another */
        MUST(cadre_place_apply(&place, &error) == CADRE_OK);
        MUST(cadre_place_apply(&place, &error) == CADRE_OK);
        MUST(is_variable("CUDA_VISIBLE_DEVICES", "GPU-aa"));
        MUST(is_variable("OMP_NUM_THREADS", "1"));
        cadre_place_undo();
        MUST(is_variable("CUDA_VISIBLE_DEVICES", "2,GPU-bb"));
        MUST(getenv("CUDA_DEVICE_ORDER") == NULL);
        MUST(getenv("ROCR_VISIBLE_DEVICES") == NULL);
        MUST(is_variable("ZE_AFFINITY_MASK", ""));
        MUST(getenv("ZE_ENABLE_PCI_ID_DEVICE_ORDER") == NULL);
        MUST(getenv("OMP_NUM_THREADS") == NULL);
    }
    return 0;
}

static void what_was_set_for_a_place_ends_with_it(void)
{
    CU_ASSERT_EQUAL(in_child(go_and_come_back), 0);
}

static const struct check_test tests[] = {
    CHECK(this_machine_has_the_cores_that_we_may_use),
    CHECK(the_binding_of_the_job_limits_what_there_is),
    CHECK(what_is_not_a_topology_is_named),
    CHECK(a_machine_that_tells_no_cores_gets_one_for_each_thread),
    CHECK(this_host_is_looked_at_once),
    CHECK(a_process_is_where_its_place_says),
    CHECK(memory_comes_from_the_nodes_of_the_cores),
    CHECK(without_cores_nothing_is_bound),
    CHECK(cores_that_are_not_there_are_named),
    CHECK(a_rank_sees_its_gpus_only),
    CHECK(a_task_is_told_its_gpus),
    CHECK(what_was_set_for_a_place_ends_with_it),
    {NULL, NULL},
};

int main(void)
{
    return check_run("place_host", tests);
}
