/* cadre/init.h - starting and ending.
 *
 *     int main(int argc, char **argv)
 *     {
 *         CADRE_CHECK(cadre_init(&argc, &argv));
 *         ...
 *         return cadre_finalize();
 *     }
 *
 * However the program is started, one process comes out of cadre_init(): the
 * controller. Started alone (./prog) or with mpirun -n 1, it starts workers
 * when an object asks for them. Started with mpirun -n 5, rank 0 is the
 * controller and the four others are workers already. Workers stay inside
 * cadre_init() and leave the program there.
 */
#ifndef CADRE_INIT_H
#define CADRE_INIT_H

#include <cadre/task.h>

#include <stdbool.h>

/* Become the controller, or a worker. Call it first in main(): what stands
 * before it is executed by every worker too. Starts MPI unless the program has
 * done so; then **collective** over MPI_COMM_WORLD, and see cadre/mpi.h for
 * other communicators.
 *
 * CADRE_ESTATE  called twice.
 * CADRE_EMPI    MPI would not start.
 */
#define cadre_init(argc, argv)                                                 \
    (cadre_structs_register(__start_cadre_structs, __stop_cadre_structs),      \
     cadre_init_program((argc), (argv), __start_cadre_tasks,                   \
                        __stop_cadre_tasks))

CADRE_API cadre_err cadre_init_program(
    int *argc, char ***argv, const struct cadre_task_record *const *tasks,
    const struct cadre_task_record *const *tasks_end);

/* The program's own tasks, collected by the linker; null without any. */
extern const struct cadre_task_record *const __start_cadre_tasks[]
    __attribute__((weak, visibility("hidden")));
extern const struct cadre_task_record *const __stop_cadre_tasks[]
    __attribute__((weak, visibility("hidden")));

/* End what is still open, release the workers, and end MPI if cadre_init()
 * started it. Returns main()'s exit status: 0. The controller's main thread.
 *
 * It always returns. Sockets are closed first, each within its close_timeout_s.
 * Tasks of objects that were left open have 10 seconds to
 * end, all together. Then those that wait are cancelled, and those that run are
 * told so (cadre_task_is_cancelled()) and, half a second later, ended with
 * their workers; a warning names them. Who wants to wait for tasks destroys or
 * shuts down their object before, or says how long: */
CADRE_API int cadre_finalize(void);

/* The same, but tasks have `timeout_ms`; negative: for ever. */
CADRE_API int cadre_finalize_within(double timeout_ms);

/* Is this process the controller (true between init and finalize)? A worker is
 * none, though its tasks may create pools and executors, with workers of their
 * own. */
CADRE_API bool cadre_is_controller(void);

/* Put into this process's environment what Open MPI 4.1 needs to start workers
 * quickly and reliably (docs/design.md, 'Open MPI'); what is set already stays.
 * MPI's files are then made in a folder that goes with this process and those
 * it starts; making it starts a process that waits for that. cadre_init() does
 * so itself in a program started alone; a launcher calls it before it starts
 * mpirun. Under a bare mpirun, and where the program has started MPI itself,
 * cadre_init() comes too late and warns of what is missing. */
CADRE_API void cadre_set_mpi_environment(void);

/* "0.1.0" */
CADRE_API const char *cadre_version(void);

#endif
