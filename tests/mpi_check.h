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

#endif
