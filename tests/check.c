/* check.c - runs a table of tests with CUnit and prints one line to count. */
#include "check.h"

#include <CUnit/Automated.h>
#include <CUnit/Basic.h>
#include <stdio.h>

int check_run(const char *suite, const struct check_test *tests)
{
    CU_pSuite s;
    unsigned failed;

    if (CU_initialize_registry() != CUE_SUCCESS ||
        (s = CU_add_suite(suite, NULL, NULL)) == NULL) {
        fprintf(stderr, "%s: %s\n", suite, CU_get_error_msg());
        return 2;
    }
    for (const struct check_test *t = tests; t->run != NULL; t++) {
        if (CU_add_test(s, t->name, t->run) == NULL) {
            fprintf(stderr, "%s: %s: %s\n", suite, t->name, CU_get_error_msg());
            return 2;
        }
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failed = CU_get_number_of_tests_failed();
    printf("%s: %u passed, %u failed\n", suite,
           CU_get_number_of_tests_run() - failed, failed);
    CU_cleanup_registry();
    fflush(stdout);
    return failed == 0 ? 0 : 1;
}
