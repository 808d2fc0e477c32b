/* mpi_pool.h - what the parts of the program mpi_pool share. */
#ifndef CADRE_TESTS_MPI_POOL_H
#define CADRE_TESTS_MPI_POOL_H

#include "mpi_check.h"

/* The parts' tables, each ended by a row of NULLs. */
extern const struct check_test case_tests[];
extern const struct check_test iterator_tests[];
extern const struct check_test column_tests[];
extern const struct check_test library_tests[];
extern const struct check_test future_tests[];
extern const struct check_test option_tests[];
extern const struct check_test fault_tests[];
extern const struct check_test struct_tests[];

/* Are the numbers 0, 1, ... squared right on this pool? */
bool pool_works(struct cadre_pool *pool);

CADRE_DECLARE(int64_t, square, (int64_t i));
CADRE_DECLARE(int, add, (int i, int j));
CADRE_DECLARE(int, nap, (int i, int ms));
CADRE_DECLARE(int64_t, fail_at, (int64_t i, int64_t at));

#endif
