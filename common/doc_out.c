/* SPDX-License-Identifier: Apache-2.0 */
#include "common/doc_out.h"
#include "common/cbor.h"
#include "common/clock.h"
#include "common/tag.h"
#include "common/utf8.h"

void doc_init(struct doc *doc, enum doc_form form, struct strbuf *out)
{
    *doc = (struct doc){.out = out, .form = form};
}

/* Before any element. True: it is to be written as JSON. */
static bool element(struct doc *doc)
{
    if (doc->form == DOC_CBOR)
        return false;
    if (doc->comma)
        strbuf_putc(doc->out, ',');
    doc->comma = true;
    return true;
}

static void json_open(struct doc *doc, char bracket)
{
    strbuf_putc(doc->out, bracket);
    doc->comma = false;
}

static void json_close(struct doc *doc, char bracket)
{
    strbuf_putc(doc->out, bracket);
    doc->comma = true;
}

void doc_map(struct doc *doc)
{
    if (element(doc))
        json_open(doc, '{');
    else
        cbor_put_map_open(doc->out);
}

void doc_map_end(struct doc *doc)
{
    if (doc->form == DOC_CBOR)
        cbor_put_break(doc->out);
    else
        json_close(doc, '}');
}

void doc_list(struct doc *doc, size_t count)
{
    if (element(doc))
        json_open(doc, '[');
    else
        cbor_put_array(doc->out, count);
}

void doc_list_end(struct doc *doc)
{
    if (doc->form == DOC_JSON)
        json_close(doc, ']');
}

void doc_key(struct doc *doc, const char *name)
{
    doc_text(doc, name);
    if (doc->form == DOC_JSON) {
        strbuf_putc(doc->out, ':');
        doc->comma = false;
    }
}

void doc_uint(struct doc *doc, uint64_t value)
{
    if (element(doc))
        strbuf_u64(doc->out, value);
    else
        cbor_put_uint(doc->out, value);
}

void doc_bool(struct doc *doc, bool value)
{
    if (element(doc))
        strbuf_puts(doc->out, value ? "true" : "false");
    else
        cbor_put_bool(doc->out, value);
}

void doc_null(struct doc *doc)
{
    if (element(doc))
        strbuf_puts(doc->out, "null");
    else
        cbor_put_null(doc->out);
}

/* CBOR has no escapes: what is not UTF-8 must be replaced before the length is written. */
static void put_repaired(struct strbuf *out, const char *text, size_t length)
{
    AUTO_STRBUF struct strbuf repaired = STRBUF_INIT;
    for (size_t i = 0; i < length;) {
        size_t used = utf8_sequence(text + i, length - i);
        if (used == 0)
            strbuf_puts(&repaired, "\xef\xbf\xbd");
        else
            strbuf_add(&repaired, text + i, used);
        i += used == 0 ? 1 : used;
    }
    if (strbuf_failed(&repaired))
        out->failed = true;
    else
        cbor_put_text_n(out, repaired.data, repaired.length);
}

void doc_text(struct doc *doc, const char *text)
{
    if (text == NULL) {
        doc_null(doc);
    } else if (element(doc)) {
        strbuf_json(doc->out, text);
    } else {
        size_t length = strlen(text);
        if (utf8_valid(text, length))
            cbor_put_text_n(doc->out, text, length);
        else
            put_repaired(doc->out, text, length);
    }
}

void doc_time(struct doc *doc, int64_t us)
{
    char text[TIME_TEXT_MAX];
    time_format(us, text);
    doc_text(doc, text);
}

void doc_tag(struct doc *doc, uint32_t tag)
{
    char text[TAG_TEXT_MAX];
    tag_format(tag, text);
    doc_text(doc, text);
}

void doc_finish(struct doc *doc)
{
    if (doc->form == DOC_JSON)
        strbuf_putc(doc->out, '\n');
}

void doc_put_uint(struct doc *doc, const char *name, uint64_t value)
{
    doc_key(doc, name);
    doc_uint(doc, value);
}

void doc_put_bool(struct doc *doc, const char *name, bool value)
{
    doc_key(doc, name);
    doc_bool(doc, value);
}

void doc_put_text(struct doc *doc, const char *name, const char *text)
{
    doc_key(doc, name);
    doc_text(doc, text);
}
