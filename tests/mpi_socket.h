/* mpi_socket.h - what the two ends in the tests of the socket share. */
#ifndef CADRE_TESTS_MPI_SOCKET_H
#define CADRE_TESTS_MPI_SOCKET_H

#include <cadre.h>

/* What a message asks for. */
enum { TAG_CHANGE = 1, TAG_STREAM, TAG_SUM, TAG_PID, TAG_DIE, TAG_HANG };

#endif
