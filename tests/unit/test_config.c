/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"
#include "server/config.h"

#include <check.h>
#include <string.h>
#include <unistd.h>

Suite *config_suite(void);

static enum status load(struct config *config, struct config_args *rest, struct err *err, int argc,
                        const char *const *argv)
{
    static char copies[8][96]; /* long enough for the longest argument below */
    static char *pointers[8];
    for (int i = 0; i < argc; i++) {
        snprintf(copies[i], sizeof copies[i], "%s", argv[i]);
        pointers[i] = copies[i];
    }
    return config_load(argc, pointers, config, rest, err);
}

START_TEST(load_flags_wins_over_environment)
{
    AUTO_CONFIG struct config config = {0};
    struct config_args rest;
    setenv("POOLFLEET_LISTEN", "127.0.0.1:1", 1);
    setenv("POOLFLEET_RETENTION", "2d", 1);
    const char *argv[] = {"--listen", "127.0.0.1:2", "create", "--insecure-http", "--role", "x"};
    ck_assert_int_eq(load(&config, &rest, NULL, 6, argv), ST_OK);
    ck_assert_str_eq(config.listen, "127.0.0.1:2");
    ck_assert_int_eq(config.retention_us, 2 * US_PER_DAY);
    ck_assert(config.insecure_http);
    ck_assert_int_eq(rest.count, 3);
    ck_assert_str_eq(rest.items[0], "create");
    ck_assert_str_eq(rest.items[2], "x");
}
END_TEST

static const struct {
    const char *flag;
    const char *field;
} bad[] = {
    {"--http-threads=0", "http_threads"},     {"--http-threads=four", "http_threads"},
    {"--http-threads=4x", "http_threads"},    {"--retention=30", "retention"},
    {"--retention=99999999d", "retention"},   {"--retention=-1d", "retention"},
    {"--queue-bytes=1MB", "queue_bytes"},     {"--insecure-http=maybe", "insecure_http"},
    {"--analyze-interval=5x", "analyze_interval"},
};

START_TEST(load_bad_value_names_the_setting)
{
    struct config config = {0};
    struct config_args rest;
    struct err err = {0};
    const char *argv[] = {bad[_i].flag};
    ck_assert_int_eq(load(&config, &rest, &err, 1, argv), ST_USAGE);
    ck_assert_str_eq(err.field, bad[_i].field);
    ck_assert_ptr_nonnull(strstr(err.message, "from the flag"));
}
END_TEST

START_TEST(load_file_unknown_key_names_line_and_key)
{
    char path[] = "/tmp/poolfleet-config-XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "# comment\nlisten = 127.0.0.1:9\nlisen = 1\n";
    struct config config = {0};
    struct config_args rest;
    struct err err = {0};
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    const char *argv[] = {"--config", path};
    enum status status = load(&config, &rest, &err, 2, argv);
    unlink(path);
    ck_assert_int_eq(status, ST_USAGE);
    ck_assert_str_eq(err.field, "lisen");
    ck_assert_ptr_nonnull(strstr(err.message, "line 3"));
}
END_TEST

START_TEST(print_effective_hides_the_password)
{
    static const char *const urls[] = {"--database-url=postgresql://u:secret@h/d",
                                       "--database-url=host=h password=secret user=u"};
    AUTO_CONFIG struct config config = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct config_args rest;
    ck_assert_int_eq(load(&config, &rest, NULL, 1, &urls[_i]), ST_OK);
    config_print_effective(&config, &out);
    ck_assert_ptr_null(strstr(out.data, "secret"));
    ck_assert_ptr_nonnull(strstr(out.data, "***"));
    ck_assert_ptr_nonnull(strstr(out.data, "flag"));
}
END_TEST

Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *load_case = tcase_create("load");
    tcase_add_test(load_case, load_flags_wins_over_environment);
    tcase_add_loop_test(load_case, load_bad_value_names_the_setting, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(load_case, load_file_unknown_key_names_line_and_key);
    tcase_add_loop_test(load_case, print_effective_hides_the_password, 0, 2);
    suite_add_tcase(suite, load_case);
    return suite;
}
