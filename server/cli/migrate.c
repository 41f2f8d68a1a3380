/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/migrate.h"
#include "server/cli/cli.h"

enum status cli_migrate(const struct config *config, struct config_args *args, struct err *err)
{
    AUTO_STRBUF struct strbuf report = STRBUF_INIT;
    enum status status = cli_end(args, 0, err);
    if (status == ST_OK)
        status = migrate_run(config->database_url, &report, err);
    /* What was done before a failure is worth seeing too. */
    enum status printed = cli_print(&report, status == ST_OK ? err : NULL);
    return status == ST_OK ? printed : status;
}
