/* SPDX-License-Identifier: Apache-2.0 */
/* Worker threads and connection deadlines. */
#include "common/clock.h"
#include "server/http/deadlines.h"
#include "server/http/workers.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

Suite *http_threads_suite(void);

struct job {
    struct work work;
    _Atomic int *done;
    pthread_mutex_t *gate; /* waits for it; NULL: does not */
};

static void run_job(struct work *work)
{
    struct job *job = (struct job *)(void *)work;
    if (job->gate != NULL) {
        pthread_mutex_lock(job->gate);
        pthread_mutex_unlock(job->gate);
    }
    atomic_fetch_add(job->done, 1);
}

START_TEST(workers_free_runs_what_is_queued)
{
    enum { JOBS = 500 };
    static struct job jobs[JOBS];
    static _Atomic int done;
    struct workers *workers;
    struct err err;
    ck_assert_int_eq(workers_new(4, JOBS, &workers, &err), ST_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){{run_job, NULL}, &done, NULL};
        ck_assert(workers_add(workers, &jobs[i].work));
    }
    workers_free(workers);
    ck_assert_int_eq(atomic_load(&done), JOBS);
}
END_TEST

START_TEST(workers_add_full_queue_is_refused)
{
    enum { JOBS = 8 };
    static struct job jobs[JOBS];
    static _Atomic int done;
    static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct workers *workers;
    struct err err;
    int taken = 0;
    pthread_mutex_lock(&gate);
    ck_assert_int_eq(workers_new(1, 3, &workers, &err), ST_OK);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){{run_job, NULL}, &done, &gate};
        taken += workers_add(workers, &jobs[i].work);
    }
    /* Three wait; a fourth may have been taken out by the thread before the queue was full. */
    ck_assert_int_ge(taken, 3);
    ck_assert_int_le(taken, 4);
    ck_assert_uint_le(workers_queued(workers), 3);
    pthread_mutex_unlock(&gate);
    workers_free(workers);
    ck_assert_int_eq(atomic_load(&done), taken);
}
END_TEST

static bool ends_within(int fd, int ms)
{
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    char byte;
    return poll(&watched, 1, ms) == 1 && read(fd, &byte, 1) == 0;
}

START_TEST(deadlines_only_late_connections_are_cut)
{
    int late[2];
    int early[2];
    int never[2];
    struct deadlines *deadlines;
    struct err err;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, late), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, early), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, never), 0);
    ck_assert_int_eq(deadlines_new(&deadlines, &err), ST_OK);
    int64_t now = clock_mono_us();
    struct conn *a = deadlines_add(deadlines, early[0], now + 60 * US_PER_SECOND);
    struct conn *b = deadlines_add(deadlines, late[0], now + 60 * US_PER_SECOND);
    struct conn *c = deadlines_add(deadlines, never[0], now);
    deadlines_set(c, DEADLINE_NEVER);
    deadlines_set(b, now - 1);
    ck_assert_uint_eq(deadlines_count(deadlines), 3);
    ck_assert(ends_within(late[1], 10000));
    ck_assert(!ends_within(early[1], 0));
    ck_assert(!ends_within(never[1], 0));
    ck_assert_uint_eq(deadlines_cut(deadlines), 1);
    deadlines_remove(deadlines, b);
    deadlines_remove(deadlines, c);
    deadlines_remove(deadlines, a);
    deadlines_remove(deadlines, NULL);
    ck_assert_uint_eq(deadlines_count(deadlines), 0);
    deadlines_free(deadlines);
    for (int i = 0; i < 2; i++) {
        close(late[i]);
        close(early[i]);
        close(never[i]);
    }
}
END_TEST

Suite *http_threads_suite(void)
{
    Suite *suite = suite_create("http_threads");
    TCase *tc = tcase_create("threads");
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, workers_free_runs_what_is_queued);
    tcase_add_test(tc, workers_add_full_queue_is_refused);
    tcase_add_test(tc, deadlines_only_late_connections_are_cut);
    suite_add_tcase(suite, tc);
    return suite;
}
