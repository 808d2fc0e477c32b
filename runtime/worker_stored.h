/* worker_stored.h - the controller's way to a team's stores: two tasks of the
 * library's own, which every worker has.
 *
 *     cadre_stored_put_  keeps a value in the store
 *     cadre_stored_get_  brings it back
 *
 * Both get and give the value as the bytes of store.h, so that one prototype
 * serves all types. That of the reader has a length and an array which the
 * caller leaves out: the worker fills them in from what cadre_stored_show()
 * has made of the value that is asked for.
 */
#ifndef CADRE_RUNTIME_WORKER_STORED_H
#define CADRE_RUNTIME_WORKER_STORED_H

#include "store.h"

/* `rank`: whose store; -1: every rank's. */
CADRE_DECLARE(void, cadre_stored_put_,
              (int rank, size_t n, const unsigned char value[n],
               cadre_task *self, struct cadre_store *store));
CADRE_DECLARE(void, cadre_stored_get_,
              (int rank, const char *name, size_t n, unsigned char value[n]));

/* Let both be found. Call before there are threads. */
void cadre_stored_register(void);

/* Put the bytes of `name` of `store` into `shown`, a store that the reader is
 * filled from; `is_wanted` false: no bytes. They are there until it is emptied.
 *
 * CADRE_ENOTFOUND  no such name.
 * CADRE_ETYPE      an object.
 * CADRE_ENOMEM
 */
cadre_err cadre_stored_show(const struct cadre_store *store, const char *name,
                            bool is_wanted, struct cadre_store *shown,
                            struct cadre_error *error);

#endif
