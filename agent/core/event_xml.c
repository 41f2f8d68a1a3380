/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/event_xml.h"
#include "common/clock.h"
#include "common/utf8.h"

#include <string.h>

struct span {
    const char *text;
    size_t length;
};

static bool span_starts(struct span in, const char *text)
{
    size_t length = strlen(text);
    return in.length >= length && memcmp(in.text, text, length) == 0;
}

static struct span span_from(struct span in, size_t skip)
{
    return (struct span){in.text + skip, in.length - skip};
}

static size_t span_find(struct span in, const char *text)
{
    for (size_t i = 0; i < in.length; i++) {
        if (span_starts(span_from(in, i), text))
            return i;
    }
    return SIZE_MAX;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Length of the tag at the start of `in` up to and with its '>'; a '>' may stand inside quotes.
 * 0: it does not end. */
static size_t tag_length(struct span in)
{
    char quote = '\0';
    for (size_t i = 0; i < in.length; i++) {
        char c = in.text[i];
        if (quote != '\0') {
            if (c == quote)
                quote = '\0';
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            return i + 1;
        }
    }
    return 0;
}

/* The start tag "<name ...>" inside `in`; what follows it is in *ret_rest. */
static bool find_tag(struct span in, const char *name, struct span *ret_tag, struct span *ret_rest)
{
    size_t name_length = strlen(name);
    for (size_t at = 0; at < in.length;) {
        struct span here = span_from(in, at);
        if (here.text[0] != '<') {
            at++;
            continue;
        }
        size_t length = tag_length(here);
        if (length == 0)
            return false;
        if (length > name_length + 1 && memcmp(here.text + 1, name, name_length) == 0 &&
            (is_blank(here.text[name_length + 1]) || here.text[name_length + 1] == '>' ||
             here.text[name_length + 1] == '/')) {
            *ret_tag = (struct span){here.text, length};
            *ret_rest = span_from(here, length);
            return true;
        }
        at += length;
    }
    return false;
}

/* The value of name='...' or name="..." in a start tag. */
static bool find_attribute(struct span tag, const char *name, struct span *ret_value)
{
    size_t name_length = strlen(name);
    char quote = '\0';
    for (size_t i = 1; i < tag.length; i++) {
        char c = tag.text[i];
        if (quote != '\0') {
            if (c == quote)
                quote = '\0';
            continue;
        }
        if (c == '"' || c == '\'') {
            quote = c;
            continue;
        }
        struct span here = span_from(tag, i);
        if (!is_blank(tag.text[i - 1]) || !span_starts(here, name) ||
            here.length < name_length + 3 || here.text[name_length] != '=')
            continue;
        char mark = here.text[name_length + 1];
        if (mark != '"' && mark != '\'')
            return false;
        const char *value = here.text + name_length + 2;
        const char *end = memchr(value, mark, here.length - name_length - 2);
        if (end == NULL)
            return false;
        *ret_value = (struct span){value, (size_t)(end - value)};
        return true;
    }
    return false;
}

static const struct {
    const char *text;
    char c;
} entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};

/* A provider's name: entities replaced, no control characters, valid UTF-8. */
static bool read_provider(struct span value, char *out, size_t size)
{
    size_t used = 0;
    while (value.length > 0) {
        char c = value.text[0];
        size_t skip = 1;
        for (size_t i = 0; c == '&' && i < sizeof entities / sizeof entities[0]; i++) {
            if (span_starts(value, entities[i].text)) {
                c = entities[i].c;
                skip = strlen(entities[i].text);
                break;
            }
        }
        if ((unsigned char)c < 0x20 || (c == '&' && skip == 1) || used + 1 >= size)
            return false;
        out[used++] = c;
        value = span_from(value, skip);
    }
    out[used] = '\0';
    return used > 0 && utf8_valid(out, used);
}

/* The decimal number that is all the text of an element. */
static bool read_number(struct span rest, const char *end_tag, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t i = 0;
    for (; i < rest.length && rest.text[i] >= '0' && rest.text[i] <= '9'; i++) {
        unsigned digit = (unsigned)(rest.text[i] - '0');
        if (number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (i == 0 || !span_starts(span_from(rest, i), end_tag))
        return false;
    *ret_number = number;
    return true;
}

bool event_xml_read(const char *text, size_t length, struct event_xml *ret_event)
{
    struct span all = {text, length};
    struct span tag, system, rest, value;
    struct event_xml event;
    if (!find_tag(all, "Event", &tag, &rest) || !find_tag(rest, "System", &tag, &system))
        return false;
    size_t end = span_find(system, "</System>");
    if (end == SIZE_MAX)
        return false;
    system.length = end;
    if (!find_tag(system, "Provider", &tag, &rest) || !find_attribute(tag, "Name", &value) ||
        !read_provider(value, event.provider, sizeof event.provider))
        return false;
    uint64_t id;
    if (!find_tag(system, "EventID", &tag, &rest) ||
        !read_number(rest, "</EventID>", UINT16_MAX, &id))
        return false;
    event.id = (uint32_t)id;
    if (!find_tag(system, "EventRecordID", &tag, &rest) ||
        !read_number(rest, "</EventRecordID>", UINT64_MAX, &event.record))
        return false;
    if (!find_tag(system, "TimeCreated", &tag, &rest) ||
        !find_attribute(tag, "SystemTime", &value) ||
        !time_parse(value.text, value.length, &event.at_us))
        return false;
    *ret_event = event;
    return true;
}
