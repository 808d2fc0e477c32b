/* paths.h - where programs are. */
#ifndef CADRE_LAUNCHER_PATHS_H
#define CADRE_LAUNCHER_PATHS_H

#include <stdbool.h>
#include <stddef.h>

/* The program `name` next to this one, if it is there; else just `name`, to be
 * searched for. */
void cadre_path_beside(const char *name, char *path, size_t room);

/* Find the program `name` as a shell does: a path with a slash, or a name in
 * PATH. False: errno is ENOENT, or EACCES where there is a file of that name
 * that cannot be executed. */
bool cadre_path_find(const char *name, char *path, size_t room);

/* Is this process in a folder? One that was removed would take MPI's start
 * along. Complains if not. */
bool cadre_path_has_folder(void);

/* The path of this very program. */
bool cadre_path_self(char *path, size_t room);

#endif
