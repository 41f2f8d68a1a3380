/* SPDX-License-Identifier: Apache-2.0 */
#include "server/diagnose/diagnose.h"
#include "common/limits.h"
#include "server/cli/cli.h"

/* Needs no database and no server: a capture can be read anywhere. */
enum status cli_diagnose(const struct config *config, struct config_args *args, struct err *err)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    AUTO_DIAGNOSIS struct diagnosis diagnosis = {0};
    AUTO_KNOWN struct known_list known = {0};
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    (void)config;
    bool json = cli_flag(args, "--json");
    enum status status = cli_end(args, 1, err);
    if (status == ST_OK && args->count != 1)
        status = err_set(err, ST_USAGE, "diagnose needs one FILE, or - for standard input");
    if (status == ST_OK && dict == NULL)
        status = err_set(err, ST_NOMEM, "could not load the tag list: out of memory");
    if (status == ST_OK)
        status = tagdict_add_builtin(dict, err);
    if (status == ST_OK)
        status = cli_read_file(args->items[0], LIMIT_DIAGNOSE_BYTES, &text, err);
    if (status == ST_OK)
        status = diagnose_text(text.data, text.length, dict, &diagnosis, err);
    if (status == ST_OK)
        status = known_add_builtin(&known, err);
    if (status != ST_OK)
        return status;
    diagnose_add_known(&diagnosis, &known);
    if (json)
        diagnose_json(&diagnosis, NULL, &out);
    else
        diagnose_print(&diagnosis, &out);
    return cli_print(&out, err);
}
