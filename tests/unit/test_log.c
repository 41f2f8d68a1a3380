/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

Suite *log_suite(void);

/* stderr goes into a file for a while. */
static FILE *capture;
static int saved_stderr;

static void start_capture(void)
{
    capture = tmpfile();
    ck_assert_ptr_nonnull(capture);
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(fileno(capture), STDERR_FILENO), 0);
}

static const char *end_capture(void)
{
    static char text[65536]; /* the tests write less; what is more would be cut */
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    fseek(capture, 0, SEEK_SET);
    size_t length = fread(text, 1, sizeof text - 1, capture);
    text[length] = '\0';
    fclose(capture);
    return text;
}

static void reset(void)
{
    log_set_level(LOG_LEVEL_INFO);
    log_context_set(NULL);
}

START_TEST(line_has_prefix_level_and_pairs)
{
    start_capture();
    log_info("server started", "listen", "127.0.0.1:8080", "workers", "4");
    ck_assert_str_eq(end_capture(), "<6>info server started listen=127.0.0.1:8080 workers=4\n");
}
END_TEST

START_TEST(level_has_systemd_digit)
{
    log_set_level(LOG_LEVEL_DEBUG);
    start_capture();
    log_error("a");
    log_warning("b");
    log_info("c");
    log_debug("d");
    ck_assert_str_eq(end_capture(), "<3>error a\n<4>warning b\n<6>info c\n<7>debug d\n");
}
END_TEST

START_TEST(level_below_threshold_is_silent)
{
    start_capture();
    log_debug("not by default");
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("not now");
    log_error("this");
    ck_assert_str_eq(end_capture(), "<3>error this\n");
}
END_TEST

static const struct {
    const char *value;
    const char *shown;
} values[] = {
    {"plain", "plain"},
    {"", "\"\""},
    {NULL, "null"},
    {"two words", "\"two words\""},
    {"a=b", "\"a=b\""},
    {"quote\"", "\"quote\\\"\""},
    {"back\\slash", "\"back\\\\slash\""},
    {"line\nbreak", "\"line\\nbreak\""},
    {"<3>error forged\n", "\"<3>error forged\\n\""},
    {"\x1b[31mred", "\"\\u001b[31mred\""},
    {"del\x7f", "\"del\\u007f\""},
    {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
    {"bad\xff", "\"bad\\ufffd\""},
};

START_TEST(value_from_outside_cannot_break_the_line)
{
    char want[128];
    start_capture();
    log_info("m", "k", values[_i].value, "z", "1");
    snprintf(want, sizeof want, "<6>info m k=%s z=1\n", values[_i].shown);
    ck_assert_str_eq(end_capture(), want);
}
END_TEST

START_TEST(value_longer_than_limit_is_cut)
{
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    start_capture();
    log_info("m", "k", longer);
    ck_assert_uint_eq(strlen(end_capture()), strlen("<6>info m k=\n") + 256);
}
END_TEST

START_TEST(context_is_added_until_unset)
{
    start_capture();
    log_context_set("r-1");
    log_info("a", "k", "v");
    log_context_set(NULL);
    log_info("b");
    ck_assert_str_eq(end_capture(), "<6>info a request=r-1 k=v\n<6>info b\n");
}
END_TEST

static void *log_elsewhere(void *unused)
{
    (void)unused;
    log_info("other");
    return NULL;
}

START_TEST(context_belongs_to_its_thread)
{
    pthread_t thread;
    log_context_set("r-1");
    start_capture();
    ck_assert_int_eq(pthread_create(&thread, NULL, log_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(end_capture(), "<6>info other\n");
}
END_TEST

START_TEST(errno_is_kept)
{
    struct err err;
    err_set(&err, ST_IO, "x");
    start_capture();
    errno = ENOSPC;
    log_info("a");
    log_err("b", &err);
    log_debug("silent");
    int after = errno;
    end_capture();
    ck_assert_int_eq(after, ENOSPC);
}
END_TEST

START_TEST(err_shows_what_is_set)
{
    struct err err;
    err_field(&err, ST_DB, "host.id", "could not connect: refused");
    start_capture();
    log_err("ingest failed", &err);
    snprintf(err.hint, sizeof err.hint, "run migrate");
    snprintf(err.sqlstate, sizeof err.sqlstate, "08001");
    err.field[0] = '\0';
    log_err("ingest failed", &err);
    ck_assert_str_eq(end_capture(),
                     "<3>error ingest failed reason=\"could not connect: refused\" field=host.id\n"
                     "<3>error ingest failed reason=\"could not connect: refused\" "
                     "hint=\"run migrate\" sqlstate=08001\n");
}
END_TEST

struct sunk {
    unsigned lines;
    enum log_level level;
    char text[256];
};

static void sink_into(void *arg, enum log_level level, const char *line, size_t length)
{
    struct sunk *sunk = arg;
    sunk->lines++;
    sunk->level = level;
    ck_assert_uint_lt(length, sizeof sunk->text);
    memcpy(sunk->text, line, length);
    sunk->text[length] = '\0';
}

START_TEST(sink_gets_lines_without_prefix_and_end_and_stderr_none)
{
    struct sunk sunk = {0};
    struct err err;
    err_set(&err, ST_IO, "no room");
    start_capture();
    log_set_sink(sink_into, &sunk);
    log_warning("disk", "left", "1 MB");
    ck_assert_str_eq(sunk.text, "warning disk left=\"1 MB\"");
    ck_assert_int_eq(sunk.level, LOG_LEVEL_WARNING);
    log_err("spool", &err);
    ck_assert_str_eq(sunk.text, "error spool reason=\"no room\"");
    log_debug("silent");
    log_set_sink(NULL, NULL);
    log_info("back");
    ck_assert_uint_eq(sunk.lines, 2);
    ck_assert_str_eq(end_capture(), "<6>info back\n");
}
END_TEST

enum { WRITERS = 4, LINES = 100 };

static void *write_many(void *name)
{
    for (unsigned i = 0; i < LINES; i++)
        log_info("together", "who", (const char *)name, "and", "some more text to make it long");
    return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
    static const char *const names[WRITERS] = {"a", "b", "c", "d"};
    pthread_t threads[WRITERS];
    unsigned count[WRITERS] = {0};
    start_capture();
    for (unsigned i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, (void *)(uintptr_t)names[i]),
                         0);
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    const char *text = end_capture();
    for (unsigned i = 0; i < WRITERS; i++) {
        char line[128];
        int n =
            snprintf(line, sizeof line,
                     "<6>info together who=%s and=\"some more text to make it long\"\n", names[i]);
        for (const char *at = text; (at = strstr(at, line)) != NULL; at += n)
            count[i]++;
        ck_assert_uint_eq(count[i], LINES);
    }
}
END_TEST

Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_checked_fixture(tcase, reset, reset);
    tcase_add_test(tcase, line_has_prefix_level_and_pairs);
    tcase_add_test(tcase, level_has_systemd_digit);
    tcase_add_test(tcase, level_below_threshold_is_silent);
    tcase_add_loop_test(tcase, value_from_outside_cannot_break_the_line, 0,
                        (int)(sizeof values / sizeof *values));
    tcase_add_test(tcase, value_longer_than_limit_is_cut);
    tcase_add_test(tcase, context_is_added_until_unset);
    tcase_add_test(tcase, context_belongs_to_its_thread);
    tcase_add_test(tcase, errno_is_kept);
    tcase_add_test(tcase, err_shows_what_is_set);
    tcase_add_test(tcase, sink_gets_lines_without_prefix_and_end_and_stderr_none);
    tcase_add_test(tcase, lines_of_threads_do_not_mix);
    suite_add_tcase(suite, tcase);
    return suite;
}
