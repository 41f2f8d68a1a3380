/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an imported tag list, over the built-in one when the first byte is 1 (that one is slow to load). */
#include "common/limits.h"
#include "common/utf8.h"
#include "server/tagdict/pattern.h"
#include "server/tagdict/tagdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

static void complain(void *arg, size_t line, const char *text, size_t length, const char *reason)
{
    size_t *last = arg;
    CHECK(line > *last && reason[0] != '\0');
    *last = line;
    unsigned sum = 0;
    for (size_t i = 0; i < length; i++) /* so that a read past the end is seen */
        sum += (unsigned char)text[i];
    CHECK(sum <= length * 255);
}

static void check_text(const char *text)
{
    if (text == NULL)
        return;
    size_t length = strlen(text);
    CHECK(length > 0 && length <= LIMIT_TEXT_BYTES && utf8_valid(text, length));
}

static void check_entry(const struct tagdict *dict, const struct tagdict_entry *entry)
{
    uint32_t tag;
    unsigned char any;
    CHECK(pattern_parse(entry->pattern, strlen(entry->pattern), &tag, &any));
    CHECK(tag == entry->tag && any == entry->any);
    check_text(entry->driver);
    check_text(entry->description);
    const struct tagdict_entry *found = tagdict_find(dict, entry->tag);
    CHECK(found != NULL && ((found->tag ^ entry->tag) & pattern_mask(found->any)) == 0);
    CHECK(__builtin_popcount(found->any) <= __builtin_popcount(entry->any));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct tagdict_import result;
    struct err err;
    size_t last = 0;
    CHECK(dict != NULL);
    if (size > 0 && data[0] == 1)
        CHECK(tagdict_add_builtin(dict, &err) == ST_OK);
    size_t before = tagdict_count(dict);
    if (tagdict_import(dict, (const char *)data, size, complain, &last, &result, &err) != ST_OK)
        return 0;
    CHECK(result.lines == result.comments + result.entries + result.refused);
    CHECK(tagdict_count(dict) - before <= result.entries);
    for (size_t i = 0; i < tagdict_count(dict); i++)
        check_entry(dict, tagdict_at(dict, i));
    return 0;
}
