/* environment.c - Open MPI's settings, each with its reason.
 *
 * See docs/design.md, 'Open MPI'. Whatever the user has set stays.
 */
#include "environment.h"

#include "folder.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const uint64_t SHARED_MEMORY_MIN = UINT64_C(1) << 30; /* bytes */

struct setting {
    const char *name;
    const char *value;
};

static const struct setting settings[] = {
    /* Without it the runtime's event loop (libevent with epoll) loses the
     * connection of a new child now and then, and MPI_Comm_spawn hangs
     * (openpmix issue 2735). */
    {"EVENT_NOEPOLL", "1"},
    /* A process that dies takes nobody with it. */
    {"OMPI_MCA_orte_enable_recovery", "1"},
    {"OMPI_MCA_orte_abort_on_non_zero_status", "0"},
    /* We count slots ourselves; a spawn refused by mpirun can damage it. */
    {"OMPI_MCA_rmaps_base_oversubscribe", "1"},
    /* Its binding of spawned processes is uneven. */
    {"OMPI_MCA_hwloc_base_binding_policy", "none"},
    /* Children that never reach MPI_Init: the outer fuse; ours is shorter. */
    {"OMPI_MCA_pmix_base_exchange_timeout", "240"},
    /* Its help texts arrive garbled otherwise. */
    {"OMPI_MCA_orte_base_help_aggregate", "0"},
    /* UCX carries messages to spawned processes through shared memory, ten
     * times faster than anything else here, and survives the death of a peer.
     * Where it is missing, ob1 is taken. */
    {"OMPI_MCA_pml", "ucx,ob1"},
    {"OMPI_MCA_pml_ucx_tls", "any"},
    {"OMPI_MCA_pml_ucx_devices", "any"},
    {"OMPI_MCA_btl", "self,vader,tcp"},
    {"OMPI_MCA_mtl", "^ofi,psm,psm2"},
    {"OMPI_MCA_osc", "ucx"},
    /* UCX takes SIGHUP for a wish to be more talkative, and a program whose
     * terminal is closed would live on. */
    {"UCX_DEBUG_SIGNO", "0"},
    /* What it has to say of a process that died does not go among the results.
     */
    {"UCX_LOG_FILE", "stderr"},
};

/* Is there a fabric for UCX to choose? Then its choice is better than ours. */
static bool has_fast_fabric(void)
{
    return access("/sys/class/infiniband", F_OK) == 0 ||
           access("/sys/class/cxi", F_OK) == 0;
}

/* What workers receive into stays attached to the controller when they are
 * gone: Open MPI forgets no peer. System V has room for 4,096 segments on a
 * host, which 2,000 workers use up, and then nobody can start. Files in
 * /dev/shm (UCX has unlinked them by then) have no such limit, but containers
 * may allow them little memory: 64 MB is usual, and each process takes 4. */
static bool has_room_in_memory(void)
{
    struct statvfs fs;

    return statvfs("/dev/shm", &fs) == 0 && access("/dev/shm", W_OK) == 0 &&
           (uint64_t)fs.f_blocks * fs.f_frsize >= SHARED_MEMORY_MIN;
}

static bool is_in_path(const char *program)
{
    const char *path = getenv("PATH");
    char file[4096];

    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");

        snprintf(file, sizeof file, "%.*s/%s", (int)len, path, program);
        if (access(file, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    return false;
}

/* Open MPI does not even start on this host without what it would start
 * processes on others with, unless it is told that there are none. */
static void set_launcher(void)
{
    if (!is_in_path("ssh") && !is_in_path("rsh") && !is_in_path("srun"))
        setenv("OMPI_MCA_plm", "isolated", 0);
}

/* By mpirun, or by another process as a worker? */
static bool is_started_by_mpi(void)
{
    return getenv("PMIX_RANK") != NULL;
}

/* Where files are made that a killed process leaves. */
static const char *const folders[] = {
    "OMPI_MCA_orte_tmpdir_base", "OMPI_MCA_btl_vader_backing_directory",
    "OMPI_MCA_osc_sm_backing_directory", "OMPI_MCA_osc_rdma_backing_directory",
    "UCX_POSIX_DIR"};

/* Under mpirun, and in a worker, it is too late: they have their folder. */
static void set_folders(void)
{
    char path[256];

    if (is_started_by_mpi() || getenv(folders[0]) != NULL ||
        !cadre_folder_make(has_room_in_memory(), path, sizeof path))
        return;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        setenv(folders[i], path, 0);
}

/* By 'cma' the kernel copies from one process to another: UCX ends the process
 * that copies when the other one has died. It is for messages that are fetched
 * by the receiver (rendezvous). On one host there are none, then: a large one
 * goes through shared memory in pieces. 'cma' is there all the same, as without
 * it UCX has 'tcp' for its place and asks the kernel for news at each poll,
 * which makes a trip between three processes ten times as long. */
static void set_transports(void)
{
    if (has_fast_fabric()) {
        setenv("UCX_TLS", "^cma", 0);
        /* A smaller message is on its way at once, even if the receiver is deep
         * in a task: otherwise both sides must look again and again meanwhile,
         * which takes a fifth of a core from the tasks. */
        setenv("UCX_RNDV_THRESH", "1m", 0);
        return;
    }
    setenv("UCX_TLS",
           has_room_in_memory() ? "posix,cma,self,tcp" : "sysv,cma,self,tcp",
           0);
    setenv("UCX_RNDV_THRESH", "inf", 0);
    /* By 'tcp' it sends large messages from where they are otherwise, and its
     * own check ends the process that sends to one that is killed then. */
    setenv("UCX_ZCOPY_THRESH", "inf", 0);
    /* What fits an element of its ring in shared memory goes with it; for the
     * rest the receiver looks at another place, which takes 0.3 us. With 128
     * bytes, UCX's own choice, not even a task without arguments fits. UCX
     * takes for granted that both ends of a ring have the same: so it is for
     * those to say that start all others. */
    if (!is_started_by_mpi()) {
        setenv("UCX_POSIX_FIFO_ELEM_SIZE", "512", 0);
        setenv("UCX_SYSV_FIFO_ELEM_SIZE", "512", 0);
    }
}

void cadre_environment_set(void)
{
    if (getenv("CADRE_KEEP_MPI_ENVIRONMENT") != NULL)
        return;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        setenv(settings[i].name, settings[i].value, 0);
    set_folders();
    set_launcher();
    set_transports();
    setenv("UCX_WARN_UNUSED_ENV_VARS", "n", 0);
    if (geteuid() == 0) { /* containers; mpirun would refuse */
        setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
        setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    }
}

void cadre_environment_started(void)
{
    cadre_folder_close_on_exec();
}

static const struct risk {
    const char *name;
    bool is_switch; /* its value matters, not only that it is there */
    const char *without;
} risks[] = {
    {"EVENT_NOEPOLL", false, "starting workers may hang"},
    {"OMPI_MCA_orte_enable_recovery", true,
     "a worker that dies ends the whole program"},
};

/* As Open MPI reads it: "0", "false", "no" and the like are off. */
static bool is_missing(const struct risk *risk)
{
    const char *value = getenv(risk->name);

    return value == NULL ||
           (risk->is_switch && strchr("0fFnNdD", value[0]) != NULL);
}

void cadre_environment_risks(bool is_started, char *text, size_t len)
{
    size_t n = 0;

    text[0] = '\0';
    if (!is_started && getenv("OMPI_COMM_WORLD_SIZE") == NULL)
        return;
    for (size_t i = 0; i < sizeof risks / sizeof risks[0] && n < len; i++) {
        if (is_missing(&risks[i]))
            n += (size_t)snprintf(text + n, len - n, "%swithout %s=1 (%s)",
                                  n > 0 ? ", " : "", risks[i].name,
                                  risks[i].without);
    }
}

bool cadre_environment_has_memory(void)
{
    const char *tls = getenv("UCX_TLS");

    if (tls == NULL)
        return true;
    if (tls[0] == '^')
        return strstr(tls, "mm") == NULL;
    return strstr(tls, "posix") != NULL || strstr(tls, "sysv") != NULL;
}
