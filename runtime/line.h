/* line.h - PULSE frames beside a channel, for a thread of its own.
 *
 * A channel belongs to whoever does the work, and may be left alone for hours.
 * The line uses the channel's communicator with a tag of its own: nothing has
 * to be made for it, and nothing is collective. It needs MPI_THREAD_MULTIPLE.
 * Nothing here blocks. One thread uses a line at a time.
 */
#ifndef CADRE_RUNTIME_LINE_H
#define CADRE_RUNTIME_LINE_H

#include "frame.h"

#include <mpi.h>

struct cadre_line;

/* To the remote group of `comm` (borrowed, whose errors return). CADRE_ENOMEM,
 * CADRE_EMPI. */
cadre_err cadre_line_create(MPI_Comm comm, uint32_t generation,
                            struct cadre_line **line);

/* Local; before `comm` is freed. What has not left is left to MPI. NULL is
 * allowed. */
void cadre_line_destroy(struct cadre_line *line);

enum cadre_line_sent {
    CADRE_LINE_SENT,
    CADRE_LINE_LATE, /* the last one has not left yet: nothing was sent */
    CADRE_LINE_GONE  /* MPI says that there is nobody any more */
};
enum cadre_line_sent cadre_line_send(struct cadre_line *line, int peer,
                                     enum cadre_pulse_kind kind);

/* The next one that has arrived. What is damaged, or of another generation, is
 * passed over. */
bool cadre_line_receive(struct cadre_line *line, int *peer,
                        enum cadre_pulse_kind *kind);

#endif
