/* cadre/mpi.h - Cadre in a program that uses MPI itself. */
#ifndef CADRE_MPI_H
#define CADRE_MPI_H

#include <cadre/init.h>

#include <mpi.h>

/* Like cadre_init(), in a program that has called MPI_Init: rank 0 of `comm`
 * becomes the controller, its other ranks are workers until the controller
 * calls cadre_finalize(); then they return from here, cadre_is_controller() is
 * false there, and every rank goes on with its own program. Works on a
 * duplicate of `comm`, changes no error handler, never ends MPI. The program
 * should have asked for MPI_THREAD_MULTIPLE; with less, the runtime only works
 * inside its own functions.
 *
 * **Collective** over `comm`. Main thread.
 *
 * CADRE_ESTATE  called twice, or before MPI_Init.
 * CADRE_EMPI
 */
#define cadre_init_comm(comm)                                                  \
    (cadre_structs_register(__start_cadre_structs, __stop_cadre_structs),      \
     cadre_init_program_comm((comm), __start_cadre_tasks, __stop_cadre_tasks))

CADRE_API cadre_err cadre_init_program_comm(
    MPI_Comm comm, const struct cadre_task_record *const *tasks,
    const struct cadre_task_record *const *tasks_end);

#endif
