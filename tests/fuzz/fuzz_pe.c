/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a driver file: facts, then the scan with and without a list of tags. The first byte
 * chooses a service name and is not part of the file. */
#include "agent/pe/tag_scan.h"
#include "common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

static void check_text(const char *text)
{
    size_t length = strlen(text);
    CHECK(length <= LIMIT_TEXT_BYTES && utf8_valid(text, length));
}

static void check_facts(const struct pe *pe)
{
    static struct pe_facts facts;
    pe_facts(pe, &facts);
    check_text(facts.version);
    check_text(facts.company);
    check_text(facts.product);
    check_text(facts.description);
    check_text(facts.original_name);
    check_text(facts.symbols);
    CHECK(strpbrk(facts.symbols, "\\:") == NULL);
}

static void check_scan(const struct pe *pe, const uint32_t *wanted, size_t count,
                       const uint32_t *live, const char *service)
{
    static struct tag_scan scan;
    tag_scan(pe, wanted, count, live, live == NULL ? 0 : 3, service, &scan);
    CHECK(scan.count <= TAG_SCAN_HITS_MAX);
    for (size_t i = 0; i < scan.count; i++) {
        const struct tag_hit *hit = &scan.hits[i];
        CHECK(hit->count > 0 && hit->tag < 0x80000000u);
        CHECK((hit->evidence == TAG_CALL) <= (hit->api[0] != '\0'));
        CHECK(i == 0 || scan.hits[i - 1].evidence >= hit->evidence);
        for (size_t other = 0; other < i; other++)
            CHECK(scan.hits[other].tag != hit->tag);
        bool asked = false;
        for (size_t w = 0; w < count; w++)
            asked |= wanted[w] == hit->tag;
        CHECK(wanted == NULL || asked);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const SERVICES[] = {NULL, "usbxhci", "WDFabcd", ""};
    static const uint32_t TAGS[] = {0, 0x41414141, 0x6b61654c};
    struct pe pe;
    struct err err = {0};
    if (size == 0)
        return 0;
    const char *service = SERVICES[data[0] & 3];
    if (pe_open(data + 1, size - 1, &pe, &err) != ST_OK) {
        CHECK(err.message[0] != '\0');
        return 0;
    }
    check_facts(&pe);
    check_scan(&pe, NULL, 0, NULL, service);
    check_scan(&pe, NULL, 0, TAGS, service);
    check_scan(&pe, TAGS, 3, NULL, service);
    return 0;
}
