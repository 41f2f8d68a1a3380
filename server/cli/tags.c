/* SPDX-License-Identifier: Apache-2.0 */
/* tags import FILE: pooltag.txt or localtag.txt into the database; tags list: what is there. */
#include "common/limits.h"
#include "server/cli/cli.h"
#include "server/store/store_tags.h"

#include <string.h>

/* The reader's own bound; the largest list in circulation has 250 KB. */
#define LIST_BYTES_MAX ((size_t)LIMIT_BODY_BYTES)

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* A refused line, told on stderr; bytes that a terminal could take as commands are shown as \xNN.
 */
static void complain(void *arg, size_t line, const char *text, size_t length, const char *reason)
{
    AUTO_STRBUF struct strbuf shown = STRBUF_INIT;
    for (size_t i = 0; i < length && i < 120; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0x7f)
            strbuf_putc(&shown, (char)c);
        else
            strbuf_printf(&shown, "\\x%02x", c);
    }
    strbuf_puts(&shown, length > 120 ? "..." : "");
    if (!strbuf_failed(&shown))
        fprintf(stderr, "%s:%zu: %s: \"%s\"\n", (const char *)arg, line, reason, shown.data);
}

static enum status import_list(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct tagdict_import counts;
    enum status status = cli_end(args, 1, err);
    if (status == ST_OK && args->count != 1)
        status = err_set(err, ST_USAGE, "tags import needs one FILE");
    if (status == ST_OK && dict == NULL)
        status = err_set(err, ST_NOMEM, "could not read the tag list: out of memory");
    if (status == ST_OK)
        status = cli_read_file(args->items[0], LIST_BYTES_MAX, &text, err);
    if (status == ST_OK)
        status = (tagdict_is_tsv(text.data, text.length) ? tagdict_import_tsv : tagdict_import)(
            dict, text.data, text.length, complain, args->items[0], &counts, err);
    if (status != ST_OK)
        return status;
    if (counts.entries == 0)
        return err_set(err, ST_INVALID, "\"%s\" holds no tag that could be read", args->items[0]);
    struct audit_entry entry = cli_audit("tags.import", base_name(args->items[0]));
    status = store_tags_replace(db, base_name(args->items[0]), dict, &counts, &entry, err);
    if (status == ST_OK)
        printf("%zu lines: %zu tags imported, %zu comments and blank lines, %zu not read\n"
               "a running server uses the list within its next pass of jobs\n",
               counts.lines, counts.entries, counts.comments, counts.refused);
    return status;
}

static enum status list(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    enum status status = cli_end(args, 0, err);
    if (status == ST_OK)
        status = store_tags_lists(db, &result, err);
    if (status != ST_OK)
        return status;
    strbuf_printf(&out, "%-32s %-21s %8s %8s %8s\n", "list", "imported", "lines", "tags",
                  "not read");
    for (size_t i = 0; i < db_rows(result); i++) {
        struct store_tag_list item = store_tags_list_at(result, i);
        char when[TIME_TEXT_MAX];
        time_format(item.imported_at_us - item.imported_at_us % US_PER_SECOND, when);
        strbuf_printf(&out, "%-32s %-21s %8lld %8lld %8lld\n", item.name, when,
                      (long long)item.lines, (long long)item.entries, (long long)item.refused);
    }
    return cli_print(&out, err);
}

enum status cli_tags(const struct config *config, struct config_args *args, struct err *err)
{
    static const struct cli_action actions[] = {
        {"import", import_list}, {"list", list}, {NULL, NULL}};
    return cli_run_action(config, args, actions, "one of import FILE, list is wanted", err);
}
