/* SPDX-License-Identifier: Apache-2.0 */
#include "server/known/known.h"

#include "server/embedded.h"

#include <string.h>

void known_list_done(struct known_list *list)
{
    arena_done(&list->arena);
    free(list->items);
    *list = (struct known_list){0};
}

enum status known_add_builtin(struct known_list *list, struct err *err)
{
    const struct embedded_file *file = embedded_find(embedded_schema, "known_leaks.json");

    if (file == NULL)
        return err_set(err, ST_BUG, "the built-in list of known leaks is missing");
    return known_add_file(list, (const char *)file->data, embedded_size(file), false, err);
}

const struct known_leak *known_find(const struct known_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].id, id) == 0)
            return &list->items[i];
    return NULL;
}

bool known_id_valid(const char *id)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(id);

    return length > 0 && length <= KNOWN_ID_MAX && strchr(first, id[0]) != NULL &&
           strspn(id, rest) == length;
}
