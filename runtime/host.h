/* host.h - which host and process this is, and whether another one lives. */
#ifndef CADRE_RUNTIME_HOST_H
#define CADRE_RUNTIME_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { CADRE_HOST_NAME_MAX = 64 };

/* Names a process for others. Two processes see each other's pids and files if
 * host and pid_namespace are the same. */
struct cadre_process {
    char host[CADRE_HOST_NAME_MAX];
    uint64_t pid_namespace; /* inode of its PID namespace */
    int32_t pid;
};

/* This process. */
void cadre_process_self(struct cadre_process *process);

/* Are both on one host, so that pids, /proc and shared memory serve? Never with
 * CADRE_ALL_FAR in the environment: for tests. */
bool cadre_process_is_near(const struct cadre_process *a,
                           const struct cadre_process *b);

/* A descriptor that becomes readable when process `pid` of this host ends; -1
 * if it does not live any more or the kernel knows no such thing. close() it.
 */
int cadre_process_watch(int32_t pid);

/* Has the watched process ended? Waits up to `timeout_ms` (-1: for ever). */
bool cadre_process_has_ended(int watch, int timeout_ms);

/* End the watched process at once, if it still lives. */
void cadre_process_end(int watch);

/* Cores that this program may use, by its affinity; 1 or more. */
int cadre_host_cores(void);

/* Nanoseconds of the monotonic clock. */
uint64_t cadre_now_ns(void);

/* Wait for `cond`, at most until `deadline_ns` of that clock, which nobody
 * sets. False: it has come to that. */
bool cadre_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock,
                      uint64_t deadline_ns);

#endif
