/* SPDX-License-Identifier: Apache-2.0 */
/* Files inside the program, made by tools/embed.c: sorted by path, ended by a row without path. A
 * NUL byte follows each file's bytes, so texts can be used as strings. */
#ifndef SERVER_EMBEDDED_H
#define SERVER_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *path; /* inside its folder: "views/today.js" */
    const unsigned char *data;
    const unsigned char *end;
};

extern const struct embedded_file embedded_web[];        /* the page */
extern const struct embedded_file embedded_sql[];        /* migrations, "0001_base.sql" */
extern const struct embedded_file embedded_repeatable[]; /* views and functions */
extern const struct embedded_file embedded_schema[];     /* "pooltags.tsv", "openapi.yaml", ... */

static inline size_t embedded_size(const struct embedded_file *file)
{
    return (size_t)(file->end - file->data);
}

/* The file of that path, or NULL. */
const struct embedded_file *embedded_find(const struct embedded_file *list, const char *path);

#endif
