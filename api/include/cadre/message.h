/* cadre/message.h - a message that came through a socket (cadre/socket.h). */
#ifndef CADRE_MESSAGE_H
#define CADRE_MESSAGE_H

#include <cadre/type.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CADRE_PARTS_MAX = 64 }; /* values of one message */

/* One value of a message: a number, a string, or an array of numbers. */
struct cadre_part {
    cadre_type type; /* of the number, or of one element */
    bool is_array;
    uint64_t count;   /* elements; else 1 */
    const void *data; /* the number; the characters (or NULL); the elements,
                         aligned to 16 */
};

struct cadre_socket_message {
    int rank; /* who sent it; on a worker: 0, the controller */
    int tag;
    size_t count; /* values */
    const struct cadre_part *parts;
};

#endif
