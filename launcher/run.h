/* run.h - `cadre run`. */
#ifndef CADRE_LAUNCHER_RUN_H
#define CADRE_LAUNCHER_RUN_H

/* `argv` is ("run", ...). Returns the exit status. */
int cadre_run_main(int argc, char **argv);

#endif
