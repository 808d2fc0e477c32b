/* environment.h - what Open MPI 4.1 needs in its environment. */
#ifndef CADRE_RUNTIME_ENVIRONMENT_H
#define CADRE_RUNTIME_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Set the variables that are not set; does nothing where the environment says
 * to keep things as they are (a worker of a program that chose its own
 * transports). Where this process is the first of a run, that includes a folder
 * for MPI's files, which goes with the last process (folder.h). Before
 * MPI_Init, before there are threads. */
void cadre_environment_set(void);

/* MPI has been started: programs that this one starts from now on have nothing
 * to do with it. */
void cadre_environment_started(void);

/* What MPI was started without, and what that means, for the end of a sentence
 * ("without A=1 (so), without B=1 (thus)"); "": nothing is missing.
 * `is_started`: MPI has been started; where it has not, and not by mpirun
 * either, cadre_environment_set() helps. Else nothing can be done from inside
 * but to say so. */
void cadre_environment_risks(bool is_started, char *text, size_t len);

/* Do messages within a host go through shared memory, as far as is known? */
bool cadre_environment_has_memory(void);

#endif
