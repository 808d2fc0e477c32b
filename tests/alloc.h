/* alloc.h - makes one allocation of a test fail.
 *
 * For programs linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc.
 */
#ifndef CADRE_TESTS_ALLOC_H
#define CADRE_TESTS_ALLOC_H

#include <stdbool.h>

/* Let the `n`th allocation from now on (1: the next) return NULL, once; 0: let
 * all succeed. */
void alloc_fail_at(unsigned n);

/* Has that allocation been asked for? Lets all later ones succeed. A test
 * raises n until this says no: then the whole path has been taken. */
bool alloc_has_failed(void);

/* Allocations so far, whether they failed or not. */
unsigned long alloc_count(void);

#endif
