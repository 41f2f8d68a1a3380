/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known-leaks list|import FILE|remove ID|export: the list that findings are compared with. Running
 * servers use a change with their next request.
 */
#include "common/limits.h"
#include "server/cli/cli.h"
#include "server/store/store_known.h"

#include <string.h>

static enum status import(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_KNOWN struct known_list list = {0};
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    enum status status = cli_end(args, 1, err);

    if (status == ST_OK && args->count != 1)
        status = err_set(err, ST_USAGE, "known-leaks import needs one FILE, or -");
    if (status == ST_OK)
        status = cli_read_file(args->items[0], LIMIT_BODY_BYTES, &text, err);
    if (status == ST_OK)
        status = known_add_file(&list, text.data, text.length, true, err);
    if (status == ST_OK && list.count == 0)
        status = err_set(err, ST_INVALID, "\"%s\" holds no known leak", args->items[0]);
    struct audit_entry entry =
        cli_audit("known_leak.import", status == ST_OK ? args->items[0] : "");
    if (status == ST_OK)
        status = store_known_put(db, &list, &entry, err);
    if (status == ST_OK)
        printf("%zu known leaks imported\n", list.count);
    return status;
}

static enum status remove_one(struct db *db, struct config_args *args, struct err *err)
{
    enum status status = cli_end(args, 1, err);

    if (status == ST_OK && args->count != 1)
        status = err_set(err, ST_USAGE, "known-leaks remove needs one ID");
    struct audit_entry entry =
        cli_audit("known_leak.delete", status == ST_OK ? args->items[0] : "");
    if (status == ST_OK)
        status = store_known_remove(db, args->items[0], &entry, err);
    if (status == ST_OK)
        printf("%s removed\n", args->items[0]);
    return status;
}

static void print_tags(const struct known_leak *leak, struct strbuf *out)
{
    for (size_t i = 0; i < leak->tag_count; i++) {
        char tag[TAG_TEXT_MAX];
        tag_format(leak->tags[i], tag);
        strbuf_printf(out, "%s\"%s\"", i == 0 ? "" : " ", tag);
    }
}

static enum status list_all(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_KNOWN struct known_list list = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    enum status status = cli_end(args, 0, err);

    if (status == ST_OK)
        status = store_known_load(db, &list, err);
    for (size_t i = 0; status == ST_OK && i < list.count; i++) {
        const struct known_leak *leak = &list.items[i];
        strbuf_printf(&out, "%-28s %-8s %s\n%38s", leak->id,
                      leak->imported ? "imported" : "builtin", leak->title, "");
        strbuf_printf(&out, "%s ", leak->driver == NULL ? "no driver named" : leak->driver);
        print_tags(leak, &out);
        strbuf_printf(&out, "; %s (%s)\n", leak->source, leak->confidence);
    }
    return status == ST_OK ? cli_print(&out, err) : status;
}

/* What is in use, as a file that can be edited and imported again. */
static enum status export_all(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_KNOWN struct known_list list = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    bool imported = cli_flag(args, "--imported");
    const char *comma = "";
    enum status status = cli_end(args, 0, err);

    if (status == ST_OK)
        status = store_known_load(db, &list, err);
    if (status != ST_OK)
        return status;
    strbuf_puts(&out, "{\"format\":1,\"leaks\":[");
    for (size_t i = 0; i < list.count; i++) {
        if (imported && !list.items[i].imported)
            continue;
        strbuf_printf(&out, "%s\n", comma);
        strbuf_puts(&out, list.items[i].json);
        comma = ",";
    }
    strbuf_puts(&out, "\n]}\n");
    return cli_print(&out, err);
}

enum status cli_known_leaks(const struct config *config, struct config_args *args, struct err *err)
{
    static const struct cli_action actions[] = {{"list", list_all},
                                                {"import", import},
                                                {"remove", remove_one},
                                                {"export", export_all},
                                                {NULL, NULL}};
    return cli_run_action(config, args, actions,
                          "one of list, import FILE, remove ID, export [--imported] is wanted",
                          err);
}
