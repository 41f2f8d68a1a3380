/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins the suites of one kind. SUITES names a made list of SUITE(x) lines, one per test_x.c. Each
 * suite runs in a process of its own: Check keeps a record of every assertion, and forking a parent
 * that has grown to hundreds of megabytes under a sanitizer costs more than the tests. Ends with a
 * line of Check's own form over all suites. CK_RUN_SUITE chooses one.
 */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUITE(name) Suite *name##_suite(void);
#include SUITES
#undef SUITE

static Suite *(*const suites[])(void) = {
#define SUITE(name) name##_suite,
#include SUITES
#undef SUITE
};
#define SUITE_COUNT (sizeof suites / sizeof suites[0])

struct counts {
    int run;
    int failed;
    bool ended;
};

static void run_suite(Suite *(*make)(void), struct counts *counts)
{
    SRunner *runner = srunner_create(make());
    srunner_run_all(runner, CK_ENV);
    counts->run = srunner_ntests_run(runner);
    counts->failed = srunner_ntests_failed(runner);
    counts->ended = true;
    srunner_free(runner);
    exit(EXIT_SUCCESS);
}

int main(void)
{
    struct counts total = {0};
    struct counts *counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        return EXIT_FAILURE;
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        int status = 0;
        *counts = (struct counts){0};
        fflush(stdout);
        pid_t child = fork();
        if (child < 0)
            return EXIT_FAILURE;
        if (child == 0)
            run_suite(suites[i], counts);
        waitpid(child, &status, 0);
        total.run += counts->run;
        total.failed += counts->failed;
        if (!counts->ended || status != 0) {
            printf("suite %zu: ended with status %d\n", i, status);
            total.run++;
            total.failed++;
        }
    }
    printf("%d%%: Checks: %d, Failures: %d, Errors: 0\n",
           total.run > 0 ? 100 * (total.run - total.failed) / total.run : 0, total.run,
           total.failed);
    return total.failed == 0 && total.run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
