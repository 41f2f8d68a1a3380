/* SPDX-License-Identifier: Apache-2.0 */
/* A document from anywhere: refused, or it encodes to a document that decodes to the same text. */
#include "common/snapshot_json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snapshot snapshot, again;
    struct err err;
    if (snapshot_json_decode((const char *)data, size, &snapshot, &err) != ST_OK)
        return 0;
    struct strbuf one = STRBUF_INIT, two = STRBUF_INIT;
    snapshot_json_encode(&snapshot, &one);
    if (strbuf_failed(&one) || snapshot_json_decode(one.data, one.length, &again, &err) != ST_OK)
        abort();
    snapshot_json_encode(&again, &two);
    if (one.length != two.length || memcmp(one.data, two.data, one.length) != 0)
        abort();
    snapshot_done(&snapshot);
    snapshot_done(&again);
    strbuf_done(&one);
    strbuf_done(&two);
    return 0;
}
