/* output.c - a buffer in front of write(2); see output.h.
 *
 * Not stdio, because two threads write, and because of an error the number is
 * needed: a reader that has gone (EPIPE) is no mistake of anybody's.
 */
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { PIECE = 1 << 16 }; /* bytes that are worth a write */

void cadre_output_file_init(struct cadre_output_file *out, int fd)
{
    *out = (struct cadre_output_file){.fd = fd, .is_terminal = isatty(fd) == 1};
    pthread_mutex_init(&out->lock, NULL);
}

void cadre_output_file_fini(struct cadre_output_file *out)
{
    cadre_text_fini(&out->wait);
    pthread_mutex_destroy(&out->lock);
}

/* With the lock held. */
static void write_all(struct cadre_output_file *out)
{
    size_t done = 0;

    while (out->error == 0 && done < out->wait.len) {
        ssize_t n = write(out->fd, out->wait.data + done, out->wait.len - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN) /* somebody made it non-blocking */
            poll(&(struct pollfd){.fd = out->fd, .events = POLLOUT}, 1, -1);
        else if (errno != EINTR)
            out->error = errno;
    }
    out->wait.len = 0;
}

bool cadre_output_file_add(struct cadre_output_file *out, const char *text,
                           size_t len)
{
    bool is_well;

    pthread_mutex_lock(&out->lock);
    cadre_text_add(&out->wait, text, len);
    if (out->is_terminal || out->wait.len >= PIECE)
        write_all(out);
    is_well = out->error == 0;
    pthread_mutex_unlock(&out->lock);
    return is_well;
}

bool cadre_output_file_flush(struct cadre_output_file *out)
{
    bool is_well;

    pthread_mutex_lock(&out->lock);
    write_all(out);
    is_well = out->error == 0;
    pthread_mutex_unlock(&out->lock);
    return is_well;
}
