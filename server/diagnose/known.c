/* SPDX-License-Identifier: Apache-2.0 */
/* Known leaks for the suspects of a capture. A capture tells no driver versions, so tags decide. */
#include "server/diagnose/diagnose.h"

#define TAGS_MAX 16 /* of all suspects together; the judge names fewer */

void diagnose_add_known(struct diagnosis *diagnosis, const struct known_list *known)
{
    for (size_t i = 0; i < diagnosis->suspect_count; i++) {
        struct diagnose_suspect *suspect = &diagnosis->suspects[i];
        struct known_match matches[DIAGNOSE_KNOWN_MAX];
        uint32_t tags[TAGS_MAX] = {suspect->tag};
        size_t count = 1;
        for (size_t j = 0; j < diagnosis->suspect_count && count < TAGS_MAX; j++)
            if (j != i && diagnosis->suspects[j].pool == suspect->pool)
                tags[count++] = diagnosis->suspects[j].tag;
        const struct known_query query = {
            .pool = suspect->pool, .tags = tags, .tag_count = count, .owner = suspect->driver};
        size_t found = known_match(known, &query, DIAGNOSE_KNOWN_MAX, matches);
        suspect->known_count = 0;
        for (size_t k = 0; k < found; k++)
            for (size_t t = 0; t < matches[k].leak->tag_count; t++)
                if (matches[k].leak->tags[t] == suspect->tag)
                    suspect->known[suspect->known_count++] = matches[k].leak;
    }
}
