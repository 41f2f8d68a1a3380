/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes give a diagnosis whose JSON document is valid and whose tags are four bytes. */
#include "common/tag.h"
#include "common/utf8.h"
#include "server/diagnose/diagnose.h"

#include <jansson.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tags(const json_t *list)
{
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        const json_t *text = json_object_get(item, "tag");
        uint32_t tag = 0;
        if (!tag_parse(json_string_value(text), json_string_length(text), &tag))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diagnosis diagnosis CLEANUP(diagnosis_done) = {0};
    struct strbuf json CLEANUP(strbuf_done) = STRBUF_INIT;
    struct strbuf print CLEANUP(strbuf_done) = STRBUF_INIT;
    if (diagnose_text((const char *)data, size, NULL, &diagnosis, NULL) != ST_OK)
        return 0;
    diagnose_json(&diagnosis, NULL, &json);
    diagnose_print(&diagnosis, &print);
    json_t *document = json_loadb(json.data, json.length, JSON_REJECT_DUPLICATES, NULL);
    if (document == NULL || !utf8_valid(json.data, json.length))
        abort();
    size_t i = 0;
    const json_t *report = NULL;
    json_array_foreach(json_object_get(document, "reports"), i, report)
        check_tags(json_object_get(report, "rows"));
    check_tags(json_object_get(document, "suspects"));
    json_decref(document);
    return 0;
}
