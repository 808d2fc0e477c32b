/* check.h - a test program is a table of sentences and the functions that
 * prove them. */
#ifndef CADRE_TESTS_CHECK_H
#define CADRE_TESTS_CHECK_H

#include <CUnit/CUnit.h>

struct check_test {
    const char *name; /* the sentence it proves */
    void (*run)(void);
};

/* A row of the table: the function's name is the sentence. */
#define CHECK(function)                                                        \
    {                                                                          \
#function, function                                                    \
    }

/* Run all of `tests` (ended by a row of NULLs) as suite `suite`, say which
 * failed, and return main()'s exit status. */
int check_run(const char *suite, const struct check_test *tests);

#endif
