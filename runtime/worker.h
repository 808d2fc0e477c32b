/* worker.h - the worker's side: frames in, calls, frames out.
 *
 * The main thread takes frames from the controller and runs the functions; it
 * polls for a while, then sleeps at its bell. Beside it is the sentinel's
 * (sentinel.h).
 */
#ifndef CADRE_RUNTIME_WORKER_H
#define CADRE_RUNTIME_WORKER_H

#include "host.h"
#include "channel.h"

#include <cadre/task.h>

/* Work for the controller behind `comm` (taken) until it says BYE. `crew` is a
 * communicator of all workers of the crew, in which the rank is this worker's
 * number; teams are made of it. CADRE_EMPI, CADRE_ENOMEM; CADRE_EPROTO: the
 * other side speaks nonsense, and has been told so. */
cadre_err cadre_worker_run(MPI_Comm comm, MPI_Comm crew,
                           struct cadre_error *error);

/* See cadre_task_fail() in cadre/task.h. */
void cadre_worker_fail_task(int kind, const char *text);

/* Is a task running in this thread? */
bool cadre_worker_is_in_task(void);

/* See cadre_task_progress(), cadre_task_is_cancelled() and the others in
 * cadre/task.h; `task` is what the function was given. */
struct cadre_task_info;
void cadre_worker_progress(cadre_task *task, double progress, const char *text);
bool cadre_worker_is_cancelled(const cadre_task *task);
void cadre_worker_describe(const cadre_task *task,
                           struct cadre_task_info *info);

#endif
