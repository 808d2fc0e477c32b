/* output.h - standard output in large pieces, shared with a thread that passes
 * on what has waited there for a while. */
#ifndef CADRE_LAUNCHER_OUTPUT_H
#define CADRE_LAUNCHER_OUTPUT_H

#include "text.h"

#include <pthread.h>
#include <stdbool.h>

struct cadre_output_file {
    int fd;                 /* borrowed */
    bool is_terminal;       /* then nothing waits */
    pthread_mutex_t lock;   /* of what follows */
    struct cadre_text wait; /* not written yet */
    int error;              /* errno of the first failed write; else 0 */
};

void cadre_output_file_init(struct cadre_output_file *out, int fd);
void cadre_output_file_fini(struct cadre_output_file *out); /* drops the rest */

/* Append; writes when much has gathered. From any thread. False once a write
 * has failed; see `error`. */
bool cadre_output_file_add(struct cadre_output_file *out, const char *text,
                           size_t len);

/* Write all that waits. From any thread; `false` as above. */
bool cadre_output_file_flush(struct cadre_output_file *out);

#endif
