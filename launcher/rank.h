/* rank.h - what `cadre run` has mpirun start in place of the program: on rank 0
 * something that passes signals on to it and sees how it ends.
 *
 * The two are connected from the start to the end of the program through an
 * abstract Unix socket: nothing on disk, nothing that outlives the processes.
 */
#ifndef CADRE_LAUNCHER_RANK_H
#define CADRE_LAUNCHER_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Listen for rank 0, and make `name` (`room` bytes, 40 are enough) what it has
 * to be told. Returns a descriptor, or -1 with errno. */
int cadre_report_listen(char *name, size_t room);

/* Take rank 0's connection if it waits at `listener`: a descriptor, and in
 * `*pid` the process that passes signals on to the program, alive as long as
 * the connection is. -1: nothing came, or somebody else's. */
int cadre_report_accept(int listener, pid_t *pid);

enum cadre_report {
    CADRE_REPORT_NONE, /* it runs */
    CADRE_REPORT_END,  /* the program has ended */
    CADRE_REPORT_LOST  /* the connection has: the process was killed */
};

/* What has come through the connection; does not wait. */
enum cadre_report cadre_report_read(int fd, int *wait_status);

/* Be a rank: `program` with its arguments, NULL at the end. Rank 0 runs it as a
 * child, reports to `name` and returns the exit status; others become it. */
int cadre_rank_main(const char *name, char **program);

#endif
