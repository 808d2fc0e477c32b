/* worker.h - the worker's side: frames in, calls, frames out.
 *
 * The main thread takes frames from the controller and runs the functions; it
 * polls for a while, then sleeps at its bell. The sentinel, a thread that calls
 * no MPI, sleeps until the controller's process has ended and then ends this
 * one, so that no orphan outlives a job.
 */
#ifndef CADRE_RUNTIME_WORKER_H
#define CADRE_RUNTIME_WORKER_H

#include "host.h"
#include "channel.h"

/* Watch over `controller`, if it is on this host: when it has ended, this
 * process gets a moment to end by itself and then is ended. */
void cadre_sentinel_start(const struct cadre_process *controller);

/* Work for the controller behind `comm` (taken) until it says BYE. `rank` is
 * this worker's number, for messages. CADRE_EMPI, CADRE_ENOMEM; CADRE_EPROTO:
 * the other side speaks nonsense, and has been told so. */
cadre_err cadre_worker_run(MPI_Comm comm, int rank, struct cadre_error *error);

/* See cadre_task_fail() in cadre/task.h. */
void cadre_worker_fail_task(int kind, const char *text);

/* Is a task running in this thread? */
bool cadre_worker_is_in_task(void);

#endif
