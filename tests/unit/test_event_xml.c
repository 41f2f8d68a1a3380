/* SPDX-License-Identifier: Apache-2.0 */
/* Events as Windows renders them, and texts that only look like them. */
#include "agent/core/event_xml.h"
#include "common/clock.h"

#include <check.h>

#define HEAD  "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>"
#define AFTER "<EventData><Data></Data></EventData></Event>"
#define SYSTEM(provider, id, time)                                                                 \
    HEAD "<System>" provider id "<Level>2</Level>" time                                            \
         "<EventRecordID>4711</EventRecordID><Channel>System</Channel></System>" AFTER
#define SRV  "<Provider Name='srv'/>"
#define ID   "<EventID Qualifiers='49152'>2019</EventID>"
#define TIME "<TimeCreated SystemTime='2026-11-21T01:58:11.1234567Z'/>"

static bool read_text(const char *text, struct event_xml *event)
{
    return event_xml_read(text, strlen(text), event);
}

START_TEST(event_of_srv_gives_provider_id_time_and_record)
{
    struct event_xml event;
    char at[TIME_TEXT_MAX];
    ck_assert(read_text(SYSTEM(SRV, ID, TIME), &event));
    ck_assert_str_eq(event.provider, "srv");
    ck_assert_uint_eq(event.id, 2019);
    ck_assert_uint_eq(event.record, 4711);
    time_format(event.at_us, at);
    ck_assert_str_eq(at, "2026-11-21T01:58:11.123456Z");
}
END_TEST

START_TEST(event_with_other_attributes_and_double_quotes_is_read)
{
    struct event_xml event;
    ck_assert(read_text(
        SYSTEM("<Provider Guid=\"{9988748e}\" Name=\"Microsoft-Windows-Resource-Exhaustion-"
               "Detector\"  />",
               "<EventID>2004</EventID>", TIME),
        &event));
    ck_assert_str_eq(event.provider, "Microsoft-Windows-Resource-Exhaustion-Detector");
    ck_assert_uint_eq(event.id, 2004);
}
END_TEST

START_TEST(event_provider_entities_are_replaced)
{
    struct event_xml event;
    ck_assert(read_text(SYSTEM("<Provider Name='a&amp;b&lt;c&gt;'/>", ID, TIME), &event));
    ck_assert_str_eq(event.provider, "a&b<c>");
}
END_TEST

START_TEST(event_elements_in_another_order_are_found)
{
    struct event_xml event;
    ck_assert(read_text(HEAD "<System>" TIME "<EventRecordID>9</EventRecordID>" ID SRV
                             "</System></Event>",
                        &event));
    ck_assert_uint_eq(event.record, 9);
}
END_TEST

START_TEST(event_attribute_whose_value_looks_like_a_tag_does_not_mislead)
{
    struct event_xml event;
    ck_assert(read_text(
        SYSTEM("<Provider Guid='<EventID>7</EventID> Name=x' Name='srv'/>", ID, TIME), &event));
    ck_assert_str_eq(event.provider, "srv");
    ck_assert_uint_eq(event.id, 2019);
}
END_TEST

/* Each lacks or breaks one thing. */
static const char *const refused[] = {
    "",
    "<",
    "no xml at all",
    HEAD,
    HEAD "<System>" SRV ID TIME "<EventRecordID>1</EventRecordID>", /* System does not end */
    "<Other><System>" SRV ID TIME "<EventRecordID>1</EventRecordID></System></Other>",
    SYSTEM("", ID, TIME),
    SYSTEM("<Provider/>", ID, TIME),
    SYSTEM("<Provider Name=''/>", ID, TIME),
    SYSTEM("<Provider Name=srv/>", ID, TIME),
    SYSTEM("<Provider XName='srv'/>", ID, TIME),
    SYSTEM("<Provider Name='srv", ID, TIME),
    SYSTEM("<Provider Name='a&#0;b'/>", ID, TIME),
    SYSTEM("<Provider Name='a\x01z'/>", ID, TIME),
    SYSTEM("<Provider Name='\xff\xfe'/>", ID, TIME),
    SYSTEM("<ProviderX Name='srv'/>", ID, TIME),
    SYSTEM(SRV, "", TIME),
    SYSTEM(SRV, "<EventID></EventID>", TIME),
    SYSTEM(SRV, "<EventID>-1</EventID>", TIME),
    SYSTEM(SRV, "<EventID>65536</EventID>", TIME),
    SYSTEM(SRV, "<EventID>99999999999999999999999</EventID>", TIME),
    SYSTEM(SRV, "<EventID>2019x</EventID>", TIME),
    SYSTEM(SRV, "<EventID>2019", TIME),
    SYSTEM(SRV, ID, ""),
    SYSTEM(SRV, ID, "<TimeCreated SystemTime='yesterday'/>"),
    SYSTEM(SRV, ID, "<TimeCreated SystemTime='2026-13-01T00:00:00Z'/>"),
    /* the facts stand only in what a program wrote, behind System */
    HEAD "<System></System><EventData>" SRV ID TIME
         "<EventRecordID>1</EventRecordID></EventData></Event>",
};

START_TEST(event_that_lacks_or_breaks_a_part_is_refused)
{
    struct event_xml event = {.id = 77};
    ck_assert_msg(!read_text(refused[_i], &event), "%s", refused[_i]);
    ck_assert_uint_eq(event.id, 77); /* outputs are written on success only */
}
END_TEST

START_TEST(event_provider_longer_than_its_room_is_refused)
{
    struct event_xml event;
    char text[1024];
    char name[EVENT_PROVIDER_MAX + 1];
    memset(name, 'p', sizeof name);
    name[EVENT_PROVIDER_MAX] = '\0';
    snprintf(text, sizeof text,
             HEAD "<System><Provider Name='%s'/>" ID TIME
                  "<EventRecordID>1</EventRecordID></System></Event>",
             name);
    ck_assert(!read_text(text, &event));
    name[EVENT_PROVIDER_MAX - 1] = '\0';
    snprintf(text, sizeof text,
             HEAD "<System><Provider Name='%s'/>" ID TIME
                  "<EventRecordID>1</EventRecordID></System></Event>",
             name);
    ck_assert(read_text(text, &event));
    ck_assert_str_eq(event.provider, name);
}
END_TEST

/* In memory of exactly its length, so that a read past the end is seen. */
START_TEST(event_cut_at_every_byte_is_never_read_past_its_end)
{
    const char *whole = SYSTEM(SRV, ID, TIME);
    size_t good = 0;
    for (size_t length = 0; length <= strlen(whole); length++) {
        struct event_xml event;
        char *copy = malloc(length + 1);
        memcpy(copy, whole, length);
        good += event_xml_read(copy, length, &event);
        free(copy);
    }
    ck_assert_uint_eq(good, strlen(AFTER) + 1); /* from the end of System on */
}
END_TEST

Suite *event_xml_suite(void);

Suite *event_xml_suite(void)
{
    Suite *suite = suite_create("event_xml");
    TCase *tc = tcase_create("event_xml");
    tcase_add_test(tc, event_of_srv_gives_provider_id_time_and_record);
    tcase_add_test(tc, event_with_other_attributes_and_double_quotes_is_read);
    tcase_add_test(tc, event_provider_entities_are_replaced);
    tcase_add_test(tc, event_elements_in_another_order_are_found);
    tcase_add_test(tc, event_attribute_whose_value_looks_like_a_tag_does_not_mislead);
    tcase_add_loop_test(tc, event_that_lacks_or_breaks_a_part_is_refused, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(tc, event_provider_longer_than_its_room_is_refused);
    tcase_add_test(tc, event_cut_at_every_byte_is_never_read_past_its_end);
    suite_add_tcase(suite, tc);
    return suite;
}
