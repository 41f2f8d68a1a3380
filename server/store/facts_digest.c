/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/facts_digest.h"

#include <sodium.h>
#include <string.h>

bool facts_digest_read(const struct db_result *result, size_t row, size_t column,
                       unsigned char ret_digest[FACTS_DIGEST_BYTES])
{
    size_t length;
    const void *digest = db_bytes(result, row, column, &length);
    if (digest == NULL || length != FACTS_DIGEST_BYTES)
        return false;
    memcpy(ret_digest, digest, length);
    return true;
}

/* A text with its end, or a byte that no text has for NULL. */
static void digest_text(crypto_generichash_state *state, const char *text)
{
    if (text == NULL)
        crypto_generichash_update(state, (const unsigned char *)"\xff", 1);
    else
        crypto_generichash_update(state, (const unsigned char *)text, strlen(text) + 1);
}

void facts_attributes_digest(const struct snapshot *snapshot,
                             unsigned char ret_digest[FACTS_DIGEST_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, FACTS_DIGEST_BYTES);
    for (size_t i = 0; i < snapshot->attribute_count; i++) {
        digest_text(&state, snapshot->attributes[i].name);
        digest_text(&state, snapshot->attributes[i].value);
    }
    crypto_generichash_final(&state, ret_digest, FACTS_DIGEST_BYTES);
}

void facts_drivers_digest(const struct snapshot *snapshot,
                          unsigned char ret_digest[FACTS_DIGEST_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, FACTS_DIGEST_BYTES);
    for (size_t i = 0; i < snapshot->driver_count; i++) {
        const struct snapshot_driver *driver = &snapshot->drivers[i];
        digest_text(&state, driver->name);
        digest_text(&state, driver->version);
        digest_text(&state, driver->company);
        /* What older agents do not tell is left out, so that their digests stay what they were. */
        if (driver->sha256 != NULL || driver->product != NULL || driver->symbols != NULL) {
            digest_text(&state, driver->sha256);
            digest_text(&state, driver->product);
            digest_text(&state, driver->symbols);
            crypto_generichash_update(&state, (const unsigned char *)&driver->has_tags, 1);
        }
        uint64_t count = driver->tag_count;
        crypto_generichash_update(&state, (const unsigned char *)&count, sizeof count);
        if (count > 0)
            crypto_generichash_update(&state, (const unsigned char *)driver->tags,
                                      driver->tag_count * sizeof *driver->tags);
    }
    crypto_generichash_final(&state, ret_digest, FACTS_DIGEST_BYTES);
}
