/* SPDX-License-Identifier: Apache-2.0 */
/* A document from anywhere: refused, or both encodings of what was read decode to the same. */
#include "common/snapshot_cbor.h"
#include "common/snapshot_json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snapshot snapshot, by_cbor, by_json;
    struct err err = {0};
    size_t span = 0;
    enum status well_formed = snapshot_cbor_span(data, size, &span, NULL);
    enum status status = snapshot_cbor_decode(data, size, &snapshot, &err);
    if (status != ST_OK) {
        /* Never without a reason, and what is cut off says so. */
        if (err.code != status || err.message[0] == '\0')
            abort();
        if ((well_formed != ST_OK || span != size) && status != ST_MALFORMED)
            abort();
        return 0;
    }
    struct strbuf cbor = STRBUF_INIT, json = STRBUF_INIT, again = STRBUF_INIT;
    snapshot_cbor_encode(&snapshot, &cbor);
    snapshot_json_encode(&snapshot, &json);
    if (strbuf_failed(&cbor) || strbuf_failed(&json) ||
        snapshot_cbor_decode(cbor.data, cbor.length, &by_cbor, &err) != ST_OK ||
        snapshot_json_decode(json.data, json.length, &by_json, &err) != ST_OK)
        abort();
    snapshot_json_encode(&by_cbor, &again);
    if (again.length != json.length || memcmp(again.data, json.data, json.length) != 0)
        abort();
    strbuf_clear(&again);
    snapshot_cbor_encode(&by_json, &again);
    if (again.length != cbor.length || memcmp(again.data, cbor.data, cbor.length) != 0)
        abort();
    snapshot_done(&snapshot);
    snapshot_done(&by_cbor);
    snapshot_done(&by_json);
    strbuf_done(&cbor);
    strbuf_done(&json);
    strbuf_done(&again);
    return 0;
}
