/* rank.h - what `cadre run` has mpirun start in place of the program: on rank 0
 * something that sees how the program ends.
 *
 * The report goes through an abstract Unix socket: nothing on disk, nothing
 * that outlives the processes.
 */
#ifndef CADRE_LAUNCHER_RANK_H
#define CADRE_LAUNCHER_RANK_H

#include <stdbool.h>
#include <stddef.h>

/* Listen for the report, and make `name` (`room` bytes, 40 are enough) what
 * rank 0 has to be told. Returns a descriptor, or -1 with errno. */
int cadre_report_listen(char *name, size_t room);

/* Take a connection that waits at `listener` and read the wait status of the
 * program from it. False if it was somebody else's, or nothing came. */
bool cadre_report_take(int listener, int *wait_status);

/* Be a rank: `program` with its arguments, NULL at the end. Rank 0 runs it as a
 * child, reports to `name` and returns the exit status; others become it. */
int cadre_rank_main(const char *name, char **program);

#endif
