/* environment.h - what Open MPI 4.1 needs in its environment. */
#ifndef CADRE_RUNTIME_ENVIRONMENT_H
#define CADRE_RUNTIME_ENVIRONMENT_H

#include <stdbool.h>

/* Set the variables that are not set; does nothing where the environment says
 * to keep things as they are (a worker of a program that chose its own
 * transports). Before MPI_Init, before there are threads. */
void cadre_environment_set(void);

/* Was this program started by mpirun without what keeps MPI_Comm_spawn from
 * hanging? Then nothing can be done from inside but to say so. */
bool cadre_environment_is_risky(void);

#endif
