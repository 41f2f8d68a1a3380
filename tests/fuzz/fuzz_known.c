/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a list of known leaks; what is accepted reads back the same and can be matched. */
#include "server/known/known.h"

#include "common/utf8.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

static void check_text(const char *text, size_t max)
{
    size_t length = text == NULL ? 0 : strlen(text);
    CHECK(length > 0 && length <= max && utf8_valid(text, length));
    for (size_t i = 0; i < length; i++)
        CHECK((unsigned char)text[i] >= 0x20);
}

/* Its own JSON is an entry again, and gives the same JSON. */
static void check_round(const struct known_leak *leak)
{
    AUTO_KNOWN struct known_list again = {0};
    struct err err;
    CHECK(known_add_entry(&again, leak->json, strlen(leak->json), leak->id, leak->imported, &err) ==
          ST_OK);
    CHECK(strcmp(again.items[0].json, leak->json) == 0);
    CHECK(again.items[0].tag_count == leak->tag_count && again.items[0].pool == leak->pool);
}

static void check_match(const struct known_list *list, const struct known_leak *leak)
{
    struct known_match matches[3];
    const char *version = leak->bad.count == 0              ? "1.2.3"
                          : leak->bad.items[0].from != NULL ? leak->bad.items[0].from
                                                            : leak->bad.items[0].to;
    const struct known_cause causes[] = {{"driver/x.sys", version, 1}, {"os.build", version, 0.5}};
    const struct known_query query = {.pool = leak->pool,
                                      .tags = leak->tags,
                                      .tag_count = leak->tag_count,
                                      .causes = causes,
                                      .cause_count = 2,
                                      .owner = leak->driver};
    size_t count = known_match(list, &query, 3, matches);
    CHECK(count >= 1 && count <= 3);
    for (size_t i = 0; i < count; i++) {
        CHECK(matches[i].overlap > 0 && matches[i].overlap <= 1);
        CHECK((unsigned)matches[i].fit < KNOWN_FIT_COUNT);
        CHECK(memchr(matches[i].says, '\0', sizeof matches[i].says) != NULL);
        CHECK((matches[i].fit == KNOWN_FIT_TAGS) == (matches[i].says[0] == '\0'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    if (known_add_file(&list, (const char *)data, size, true, &err) != ST_OK) {
        CHECK(err.message[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct known_leak *leak = &list.items[i];
        CHECK(known_id_valid(leak->id) && known_find(&list, leak->id) == leak);
        check_text(leak->title, KNOWN_TITLE_MAX);
        check_text(leak->advice, KNOWN_ADVICE_MAX);
        check_text(leak->source, KNOWN_SOURCE_MAX);
        check_round(leak);
        check_match(&list, leak);
    }
    return 0;
}
