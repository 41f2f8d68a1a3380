/* SPDX-License-Identifier: Apache-2.0 */
/* agent/core/settings: values, layers, INI. */
#include "agent/core/settings.h"

#include <check.h>

Suite *settings_suite(void);

static enum status set(struct settings *s, enum settings_layer layer, const char *name,
                       const char *value, struct err *err)
{
    *err = (struct err){0};
    return settings_set(s, layer, name, value, err);
}

struct value_case {
    const char *name;
    const char *value;
    enum status want;
};

static const struct value_case value_cases[] = {
    {"ServerUrl", "https://pool.example.com", ST_OK},
    {"serverurl", "https://pool.example.com:8443", ST_OK},
    {"ServerUrl", "https://pool.example.com/", ST_OK},
    {"ServerUrl", "https://[2001:db8::1]:8443", ST_OK},
    {"ServerUrl", "http://127.0.0.1:8080", ST_OK},
    {"ServerUrl", "http://[::1]:8080", ST_OK},
    {"ServerUrl", "", ST_OK},
    {"ServerUrl", "http://pool.example.com", ST_INVALID},
    {"ServerUrl", "http://localhost.example.com", ST_INVALID},
    {"ServerUrl", "https://pool.example.com/path", ST_INVALID},
    {"ServerUrl", "https://user@pool.example.com", ST_INVALID},
    {"ServerUrl", "https://pool.example.com:0", ST_INVALID},
    {"ServerUrl", "https://pool.example.com:65536", ST_INVALID},
    {"ServerUrl", "https://", ST_INVALID},
    {"ServerUrl", "ftp://pool", ST_INVALID},
    {"Proxy", "", ST_OK},
    {"Proxy", "none", ST_OK},
    {"Proxy", "http://proxy:3128", ST_OK},
    {"Proxy", "proxy:3128", ST_INVALID},
    {"Pin", "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ST_OK},
    {"Pin",
     "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,"
     "sha256/BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=",
     ST_OK},
    {"Pin", "sha256/AAAA=", ST_INVALID},
    {"Pin", "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,", ST_INVALID},
    {"Pin", "sha1/AAAAAAAAAAAAAAAAAAAAAAAAAAA=", ST_INVALID},
    {"Tags", "role=file-server,site=berlin", ST_OK},
    {"Tags", "role=file server, site=Köln", ST_OK},
    {"Tags", "", ST_OK},
    {"Tags", "role", ST_INVALID},
    {"Tags", "=x", ST_INVALID},
    {"Tags", "a=1,b c=2", ST_INVALID},
    {"IntervalSeconds", "0", ST_OK},
    {"IntervalSeconds", "10", ST_OK},
    {"IntervalSeconds", "86400", ST_OK},
    {"IntervalSeconds", "9", ST_INVALID},
    {"IntervalSeconds", "86401", ST_INVALID},
    {"IntervalSeconds", "-1", ST_INVALID},
    {"IntervalSeconds", "5m", ST_INVALID},
    {"IntervalSeconds", "", ST_INVALID},
    {"IntervalSeconds", "99999999999999999999999", ST_INVALID},
    {"TopProcesses", "4096", ST_OK},
    {"TopProcesses", "4097", ST_INVALID},
    {"SpoolMegabytes", "0", ST_INVALID},
    {"SpoolMegabytes", "1024", ST_OK},
    {"SpoolDays", "91", ST_INVALID},
    {"ScanDrivers", "2", ST_INVALID},
    {"SessionPool", "1", ST_OK},
    {"LogLevel", "debug", ST_OK},
    {"LogLevel", "loud", ST_INVALID},
    {"DataFolder", "", ST_INVALID},
    {"CaFile", "C:\\ca\n.pem", ST_INVALID},
    {"CaFile", "C:\\\xff.pem", ST_INVALID},
    {"ServerUri", "https://pool.example.com", ST_NOT_FOUND},
    {"", "x", ST_NOT_FOUND},
};

START_TEST(settings_value_gives_its_status)
{
    const struct value_case *c = &value_cases[_i];
    struct settings s;
    struct err err;
    settings_init(&s);
    ck_assert_msg(set(&s, LAYER_POLICY, c->name, c->value, &err) == c->want, "%s=\"%s\": %s",
                  c->name, c->value, err.message);
    if (c->want == ST_INVALID) {
        ck_assert_msg(strstr(err.message, "policy") != NULL, "%s", err.message);
        ck_assert_msg(strstr(err.message, c->name) != NULL, "%s", err.message);
        for (int i = 0; i < SETTING_COUNT; i++)
            ck_assert_ptr_null(s.values[i].text);
    }
    settings_done(&s);
}
END_TEST

START_TEST(settings_stronger_layer_wins_in_any_order)
{
    struct settings s;
    struct err err;
    settings_init(&s);
    ck_assert_int_eq(set(&s, LAYER_POLICY, "SpoolDays", "3", &err), ST_OK);
    ck_assert_int_eq(set(&s, LAYER_FILE, "SpoolDays", "5", &err), ST_OK);
    ck_assert_int_eq(settings_number(&s, SETTING_SPOOL_DAYS), 3);
    ck_assert_int_eq(set(&s, LAYER_POLICY, "SpoolDays", "4", &err), ST_OK);
    ck_assert_int_eq(settings_number(&s, SETTING_SPOOL_DAYS), 4);
    /* A bad policy leaves the next layer down. */
    ck_assert_int_eq(set(&s, LAYER_FILE, "SpoolMegabytes", "7", &err), ST_OK);
    ck_assert_int_eq(set(&s, LAYER_POLICY, "SpoolMegabytes", "many", &err), ST_INVALID);
    ck_assert_int_eq(settings_number(&s, SETTING_SPOOL_MEGABYTES), 7);
    ck_assert_int_eq(s.values[SETTING_SPOOL_MEGABYTES].layer, LAYER_FILE);
    settings_done(&s);
}
END_TEST

START_TEST(settings_builtins_are_right_themselves)
{
    struct settings s;
    settings_init(&s);
    for (int i = 0; i < SETTING_COUNT; i++) {
        struct settings copy;
        struct err err;
        settings_init(&copy);
        ck_assert_str_ne(setting_name((enum setting)i), "");
        ck_assert_str_ne(setting_help((enum setting)i), "");
        ck_assert_msg(set(&copy, LAYER_FLAG, setting_name((enum setting)i),
                          settings_text(&s, (enum setting)i), &err) == ST_OK,
                      "%s", err.message);
        settings_done(&copy);
    }
    ck_assert_int_eq(settings_number(&s, SETTING_TOP_PROCESSES), 20);
    settings_done(&s);
}
END_TEST

struct faults {
    size_t count;
    char text[8][256];
};

static void fault(void *arg, const struct err *err)
{
    struct faults *faults = arg;
    if (faults->count < 8)
        snprintf(faults->text[faults->count], sizeof faults->text[0], "%s", err->message);
    faults->count++;
}

static void read_ini(struct settings *s, const char *text, struct faults *faults)
{
    *faults = (struct faults){0};
    settings_init(s);
    settings_read_ini(s, text, strlen(text), fault, faults);
}

START_TEST(ini_with_comments_section_and_quotes_is_read)
{
    struct settings s;
    struct faults faults;
    read_ini(&s,
             "\xef\xbb\xbf; comment\r\n# other\r\n\r\n[Agent]\r\n"
             " ServerUrl = https://pool.example.com/ \r\n"
             "CaFile=\"C:\\my folder\\ca.pem\"\r\nspooldays=\t7",
             &faults);
    ck_assert_uint_eq(faults.count, 0);
    ck_assert_str_eq(settings_text(&s, SETTING_SERVER_URL), "https://pool.example.com");
    ck_assert_str_eq(settings_text(&s, SETTING_CA_FILE), "C:\\my folder\\ca.pem");
    ck_assert_int_eq(settings_number(&s, SETTING_SPOOL_DAYS), 7);
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    settings_print(&s, &out);
    ck_assert_ptr_nonnull(strstr(out.data, "https://pool.example.com  (file)\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "TopProcesses     20  (built-in)\n"));
    settings_done(&s);
}
END_TEST

START_TEST(ini_faults_name_their_line_and_the_rest_is_read)
{
    struct settings s;
    struct faults faults;
    read_ini(&s,
             "nonsense\nSpoolDays = 1000\nNoSuch = 1\n[other]\nSpoolDays = 2\n[agent]\n"
             "TopProcesses = 5\n",
             &faults);
    ck_assert_uint_eq(faults.count, 4);
    ck_assert_int_eq(strncmp(faults.text[0], "line 1: ", 8), 0);
    ck_assert_int_eq(strncmp(faults.text[1], "line 2: ", 8), 0);
    ck_assert_int_eq(strncmp(faults.text[2], "line 3: ", 8), 0);
    ck_assert_int_eq(strncmp(faults.text[3], "line 4: ", 8), 0);
    ck_assert_int_eq(settings_number(&s, SETTING_SPOOL_DAYS), 14);
    ck_assert_int_eq(settings_number(&s, SETTING_TOP_PROCESSES), 5);
    settings_done(&s);
}
END_TEST

START_TEST(ini_of_utf16_or_noise_never_crashes)
{
    struct settings s;
    struct faults faults = {0};
    settings_init(&s);
    settings_read_ini(&s, "S\0e\0r\0v\0e\0r\0", 12, fault, &faults);
    ck_assert_uint_eq(faults.count, 1);
    uint64_t random = 1;
    for (int round = 0; round < 2000; round++) {
        char noise[200];
        for (size_t i = 0; i < sizeof noise; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            noise[i] = "=[]\n\r\";#aT \t\x80gs,"[random >> 60];
        }
        settings_read_ini(&s, noise, sizeof noise, fault, &faults);
    }
    settings_done(&s);
}
END_TEST

START_TEST(tags_are_taken_one_by_one)
{
    const char *text = "role=file server , site=,x/y=1";
    struct settings_tag tag;
    ck_assert(settings_next_tag(&text, &tag));
    ck_assert_uint_eq(tag.name_length, 4);
    ck_assert_uint_eq(tag.value_length, 11);
    ck_assert(settings_next_tag(&text, &tag));
    ck_assert_uint_eq(tag.value_length, 0);
    ck_assert(settings_next_tag(&text, &tag));
    ck_assert_int_eq(strncmp(tag.name, "x/y", tag.name_length), 0);
    ck_assert(!settings_next_tag(&text, &tag));
}
END_TEST

Suite *settings_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, settings_value_gives_its_status, 0,
                        sizeof value_cases / sizeof value_cases[0]);
    tcase_add_test(values, settings_stronger_layer_wins_in_any_order);
    tcase_add_test(values, settings_builtins_are_right_themselves);
    tcase_add_test(values, tags_are_taken_one_by_one);
    suite_add_tcase(suite, values);
    TCase *ini = tcase_create("ini");
    tcase_add_test(ini, ini_with_comments_section_and_quotes_is_read);
    tcase_add_test(ini, ini_faults_name_their_line_and_the_rest_is_read);
    tcase_add_test(ini, ini_of_utf16_or_noise_never_crashes);
    suite_add_tcase(suite, ini);
    return suite;
}
