/* host.c - process identity, liveness and time, from Linux. */
#include "host.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void cadre_process_self(struct cadre_process *process)
{
    struct stat st;

    memset(process, 0, sizeof *process);
    if (gethostname(process->host, sizeof process->host - 1) != 0)
        snprintf(process->host, sizeof process->host, "unknown");
    if (stat("/proc/self/ns/pid", &st) == 0)
        process->pid_namespace = (uint64_t)st.st_ino;
    process->pid = (int32_t)getpid();
}

bool cadre_process_is_near(const struct cadre_process *a,
                           const struct cadre_process *b)
{
    if (getenv("CADRE_ALL_FAR") != NULL)
        return false;
    return a->pid_namespace != 0 && a->pid_namespace == b->pid_namespace &&
           strcmp(a->host, b->host) == 0;
}

int cadre_process_watch(int32_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

bool cadre_process_has_ended(int watch, int timeout_ms)
{
    struct pollfd p = {.fd = watch, .events = POLLIN};

    return watch >= 0 && poll(&p, 1, timeout_ms) == 1;
}

void cadre_process_end(int watch)
{
    if (watch >= 0)
        syscall(SYS_pidfd_send_signal, watch, SIGKILL, NULL, 0);
}

int cadre_host_cores(void)
{
    /* mpirun binds each rank to a core or two; what the job may use is what
     * mpirun itself may. */
    pid_t whose = getenv("OMPI_COMM_WORLD_SIZE") != NULL ? getppid() : 0;
    cpu_set_t set;
    int cores = 1;

    if (sched_getaffinity(whose, sizeof set, &set) == 0 ||
        sched_getaffinity(0, sizeof set, &set) == 0)
        cores = CPU_COUNT(&set);
    else
        cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? cores : 1;
}

uint64_t cadre_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool cadre_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                      uint64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                             .tv_nsec = (long)(deadline_ns % 1000000000u)};

    return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &until) == 0;
}
