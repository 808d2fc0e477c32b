/* map.h - `cadre map`. */
#ifndef CADRE_LAUNCHER_MAP_H
#define CADRE_LAUNCHER_MAP_H

/* `argv` is ("map", ...). Returns the exit status. */
int cadre_map_main(int argc, char **argv);

#endif
