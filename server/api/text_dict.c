/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/text_dict.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bit. Texts come from hosts: colliding ones cost time of one request, no more than that
 * many texts a fleet. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
    return hash;
}

static size_t slot_of(const struct text_dict *dict, const char *text)
{
    size_t at = hash_of(text) & dict->mask;
    while (dict->slots[at] != 0 && strcmp(dict->texts[dict->slots[at] - 1], text) != 0)
        at = (at + 1) & dict->mask;
    return at;
}

static bool grow(struct text_dict *dict)
{
    size_t size = dict->slots == NULL ? 64 : (dict->mask + 1) * 2;
    size_t *slots = calloc(size, sizeof *slots);
    const char **texts = reallocarray(dict->texts, size, sizeof *texts);

    if (texts != NULL)
        dict->texts = texts;
    if (slots == NULL || texts == NULL) {
        free(slots);
        return false;
    }
    free(dict->slots);
    dict->slots = slots;
    dict->mask = size - 1;
    for (size_t i = 0; i < dict->count; i++)
        dict->slots[slot_of(dict, dict->texts[i])] = i + 1;
    return true;
}

int64_t text_dict_add(struct text_dict *dict, const char *text)
{
    if ((dict->slots == NULL || dict->count * 2 > dict->mask) && !grow(dict))
        return -1;
    size_t slot = slot_of(dict, text);
    if (dict->slots[slot] == 0) {
        dict->texts[dict->count] = text;
        dict->slots[slot] = ++dict->count;
    }
    return (int64_t)(dict->slots[slot] - 1);
}

void text_dict_done(struct text_dict *dict)
{
    free(dict->texts);
    free(dict->slots);
    *dict = (struct text_dict){0};
}
