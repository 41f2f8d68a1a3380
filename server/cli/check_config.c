/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli/cli.h"
#include "server/http/proxy.h"
#include "server/http/tls.h"
#include "server/notify/send.h"

/* On standard error, since standard output is for programs. */
static enum status check_tls(const struct config *config, struct err *err)
{
    struct tls_facts facts;
    char expires[TIME_TEXT_MAX];
    if (!tls_wanted(config->tls_cert, config->tls_key))
        return ST_OK;
    enum status status = tls_check(config->tls_cert, config->tls_key, &facts, err);
    if (status != ST_OK)
        return status;
    if (facts.expired)
        fprintf(stderr, "warning: the certificate is expired or not valid yet; it ends %s\n",
                cli_time(facts.expires_at_us, expires));
    if (facts.key_exposed)
        fprintf(stderr, "warning: everybody can read or write \"%s\"; chmod o-rw it\n",
                config->tls_key);
    return ST_OK;
}

/* The settings were read already, so arriving here means that their form is right. */
enum status cli_check_config(const struct config *config, struct config_args *args, struct err *err)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    bool sample = cli_flag(args, "--sample");
    struct notify_settings notify;
    enum status status = cli_end(args, 0, err);
    struct proxy proxy;
    if (status == ST_OK && !sample)
        status = check_tls(config, err);
    if (status == ST_OK && !sample)
        status = proxy_parse(config->trusted_proxy, config->proxy_user_header,
                             config->proxy_role_header, &proxy, err);
    if (status == ST_OK && !sample)
        status = notify_settings_read(config, &notify, err);
    if (status != ST_OK)
        return status;
    if (sample)
        config_print_sample(&out);
    else
        config_print_effective(config, &out);
    return cli_print(&out, err);
}
