/* folder.h - one folder for all files that MPI makes, and its end.
 *
 * Open MPI and UCX keep files (session folders in /tmp, segments in /dev/shm)
 * and remove them at the end, if they get that far: a process that is killed
 * leaves its own. So all of them are put into one folder, which is locked by
 * the process that made it and by those that inherit the descriptor (mpirun, or
 * Open MPI's daemon), and which goes with the last of them:
 *
 *     make ─► folder, locked ─► `flock FOLDER rm -rf FOLDER` waits for the lock
 *
 * That command (util-linux) is a process of its own, child of nobody and in a
 * session of its own. Where it was killed, too, whoever makes the next folder
 * removes what nobody has locked.
 */
#ifndef CADRE_RUNTIME_FOLDER_H
#define CADRE_RUNTIME_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* Make a folder, in memory (/dev/shm) or where temporary files are, and write
 * its path to `path`. The lock is held by this process and those it
 * starts. Once in a process, before it has threads. False: without a folder
 * everything works, too. */
bool cadre_folder_make(bool in_memory, char *path, size_t room);

/* Programs that are started from now on do not keep the folder. */
void cadre_folder_close_on_exec(void);

#endif
