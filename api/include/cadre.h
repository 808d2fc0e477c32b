/* cadre.h - farm C functions over MPI processes; pulls in all public headers
 * but cadre/mpi.h. Start with cadre/init.h, cadre/task.h and cadre/pool.h. */
#ifndef CADRE_H
#define CADRE_H

#include <cadre/error.h>
#include <cadre/executor.h>
#include <cadre/function.h>
#include <cadre/future.h>
#include <cadre/init.h>
#include <cadre/message.h>
#include <cadre/object.h>
#include <cadre/pool.h>
#include <cadre/socket.h>
#include <cadre/spawn_pool.h>
#include <cadre/struct.h>
#include <cadre/submit_all.h>
#include <cadre/store.h>
#include <cadre/stored.h>
#include <cadre/task.h>
#include <cadre/type.h>
#include <cadre/value.h>

#endif
