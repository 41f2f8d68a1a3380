/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page's files: those inside the program (packed once at start), or a folder while developing.
 * Paths that name no file, have no file's extension and are asked for as HTML are views of the page
 * and get index.html. Thread-safe after assets_new.
 */
#ifndef SERVER_HTTP_ASSETS_H
#define SERVER_HTTP_ASSETS_H

#include "server/embedded.h"
#include "server/http/reply.h"

struct assets;

/* web_root NULL or "": the embedded files. ST_IO: no such folder. */
enum status assets_new(const struct embedded_file *files, const char *web_root,
                       struct assets **ret_assets, struct err *err) MUST_CHECK;
void assets_free(struct assets *assets);
/* `path` is raw ("/lib/ui.js"). ST_NOT_FOUND, ST_IO, ST_TOO_LARGE, ST_NOMEM. */
enum status assets_get(struct assets *assets, const char *path, size_t length, const char *accept,
                       const struct reply_wishes *wishes, struct reply *reply,
                       struct err *err) MUST_CHECK;

#endif
