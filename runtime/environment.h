/* environment.h - what Open MPI 4.1 needs in its environment. */
#ifndef CADRE_RUNTIME_ENVIRONMENT_H
#define CADRE_RUNTIME_ENVIRONMENT_H

#include <stdbool.h>

/* Set the variables that are not set; does nothing where the environment says
 * to keep things as they are (a worker of a program that chose its own
 * transports). Where this process is the first of a run, that includes a folder
 * for MPI's files, which goes with the last process (folder.h). Before
 * MPI_Init, before there are threads. */
void cadre_environment_set(void);

/* MPI has been started: programs that this one starts from now on have nothing
 * to do with it. */
void cadre_environment_started(void);

/* Was this program started by mpirun without what keeps MPI_Comm_spawn from
 * hanging? Then nothing can be done from inside but to say so. */
bool cadre_environment_is_risky(void);

/* Do messages within a host go through shared memory, as far as is known? */
bool cadre_environment_has_memory(void);

#endif
