/* place.h - `cadre place`. */
#ifndef CADRE_LAUNCHER_PLACE_H
#define CADRE_LAUNCHER_PLACE_H

/* `argv` is ("place", ...). Returns the exit status. */
int cadre_place_main(int argc, char **argv);

#endif
