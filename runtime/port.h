/* port.h - the controller's end of a socket: a crew, or free resident workers,
 * that one program speaks with directly, without a scheduler.
 *
 *     calls     FUNCTION?, BATCH of one row -> RESULTS; each worker answers in
 *               the order asked
 *     letters   LETTER in both directions; kept until they are taken
 *
 * All workers of a port are one team, so that a function can be given a
 * communicator of them. A worker that is lost stays lost: what it was asked is
 * answered with CADRE_ELOST.
 *
 * All functions are called under the engine's lock but open and close.
 */
#ifndef CADRE_RUNTIME_PORT_H
#define CADRE_RUNTIME_PORT_H

#include "farm.h"
#include "letters.h"

struct cadre_port;

struct cadre_port_options {
    int ranks;
    const char *program; /* path; NULL: this one */
    const char *const *args;
    const char *cwd;
    double spawn_timeout_s;
    bool only_spawned; /* resident workers run the wrong program or directory */
};

/* One call, and what became of it. */
struct cadre_request {
    struct cadre_request *next; /* of the same worker */
    uint64_t number;            /* of the call, from 1 */
    struct cadre_job *job;      /* one task; packs and unpacks itself, is told
                                   when it has failed and when it is done */
    bool is_done;
    cadre_err err;
    int kind;   /* the function's own number (cadre_task_fail) */
    char *text; /* owned; NULL: none, or out of memory */
};

/* Free resident workers. */
int cadre_port_residents(struct cadre_engine *engine);

/* Take resident workers if there are enough, else start processes. `*port` is
 * given. Errors as cadre_crew_spawn() and cadre_engine_add_crew(). */
cadre_err cadre_port_open(struct cadre_engine *engine,
                          const struct cadre_port_options *options,
                          struct cadre_port **port, struct cadre_error *error);

/* Let the workers go and free the port. Those that have not ended what they do
 * `limit_s` later are ended. Requests that were not taken are given to `drop`
 * (which may be NULL if there are none). A port that is NULL is allowed. */
void cadre_port_close(struct cadre_port *port, double limit_s,
                      void (*drop)(struct cadre_request *request));

int cadre_port_ranks(const struct cadre_port *port);

/* Why `rank` is lost; NULL: it is not. */
const char *cadre_port_lost(const struct cadre_port *port, int rank);

/* Ask `rank` to run `request->job`. The request is taken: it comes back by
 * take_reply(), answered; what goes wrong here is its answer. One that is done
 * already, and has no job, comes back in its turn. */
void cadre_port_call(struct cadre_port *port, int rank,
                     struct cadre_request *request);

/* Has a reply come? Is one still to come? */
bool cadre_port_has_reply(const struct cadre_port *port);
bool cadre_port_awaits_reply(const struct cadre_port *port);

/* The next reply, of whom it may be; of each worker in the order asked. NULL:
 * none. Given. */
struct cadre_request *cadre_port_take_reply(struct cadre_port *port, int *rank);

/* CADRE_ELOST, CADRE_ENOMEM, CADRE_EMPI. */
cadre_err cadre_port_send(struct cadre_port *port, int rank,
                          const struct cadre_msg_letter *msg,
                          struct cadre_error *error);

/* Letters that have come. */
struct cadre_letters *cadre_port_letters(struct cadre_port *port);

#endif
