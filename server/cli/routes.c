/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli/cli.h"
#include "server/http/route.h"

enum status cli_routes(const struct config *config, struct config_args *args, struct err *err)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    (void)config;
    (void)cli_flag(args, "--json"); /* the only form there is */
    enum status status = cli_end(args, 0, err);
    if (status != ST_OK)
        return status;
    routes_print_json(&out);
    strbuf_putc(&out, '\n');
    return cli_print(&out, err);
}
