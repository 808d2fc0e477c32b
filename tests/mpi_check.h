/* mpi_check.h - what tests with real workers share. */
#ifndef CADRE_TESTS_MPI_CHECK_H
#define CADRE_TESTS_MPI_CHECK_H

#include "check.h"

#include <cadre.h>

double seconds(void);

/* Is `part` in the text of the last error? Prints the text if it is not. */
bool error_says(const char *part);

/* `call` must return CADRE_OK, or `err`. (CUnit's own macros make a string of
 * what CADRE_INTO and its like expand to.) */
#define CHECK_OK(call) check_err((call), CADRE_OK, #call, __LINE__, __FILE__)
#define CHECK_ERR(err, call) check_err((call), (err), #call, __LINE__, __FILE__)
void check_err(cadre_err got, cadre_err want, const char *call, unsigned line,
               const char *file);

#define CHECK_SAYS(part) CU_ASSERT(error_says(part))

/* A pool of `workers`, however few cores there are. Leaves the program if there
 * is none to be had. */
struct cadre_pool *pool_of(int workers);

/* Each of these frees the future but await_state(). It brings a number, or just
 * `want`; it fails with `err`, saying `part`. */
int int_of(struct cadre_future *f);
void brings(struct cadre_future *f, int want);
void fails(struct cadre_future *f, cadre_err err, const char *part);

/* Wait, 10 seconds at most, until it has come so far. */
void await_state(struct cadre_future *f, enum cadre_future_state state);

/* From here on what is said on stderr, the log too, goes where listen_end()
 * finds it, which then says it after all. */
void listen_begin(void);
void listen_end(char *said, size_t len);

/* How often `part` is in `text`. */
int times(const char *text, const char *part);

#endif
