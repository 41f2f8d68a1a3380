/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli/cli.h"

/* The settings were read already, so arriving here means that they are right. */
enum status cli_check_config(const struct config *config, struct config_args *args, struct err *err)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    bool sample = cli_flag(args, "--sample");
    enum status status = cli_end(args, 0, err);
    if (status != ST_OK)
        return status;
    if (sample)
        config_print_sample(&out);
    else
        config_print_effective(config, &out);
    return cli_print(&out, err);
}
