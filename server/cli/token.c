/* SPDX-License-Identifier: Apache-2.0 */
/* token create|list|revoke: API tokens. create prints the token alone, so that a script can take
 * it. */
#include "server/cli/cli.h"
#include "server/store/migrate.h"
#include "server/store/store_tokens.h"

#include <errno.h>
#include <string.h>

static enum status create(struct db *db, struct config_args *args, struct err *err)
{
    const char *role;
    const char *name;
    const char *host;
    char secret[TOKEN_TEXT_MAX];
    enum status status = cli_option(args, "--role", &role, err);
    if (status == ST_OK)
        status = cli_option(args, "--name", &name, err);
    if (status == ST_OK)
        status = cli_option(args, "--host", &host, err);
    if (status == ST_OK)
        status = cli_end(args, 0, err);
    if (status != ST_OK)
        return status;
    if (role == NULL || name == NULL)
        return err_set(err, ST_USAGE, "token create needs --role ROLE and --name NAME");
    status = store_token_create(db, name, role, host, TIME_UNKNOWN, secret, NULL, err);
    if (status == ST_INVALID)
        err->code = status = ST_USAGE;
    if (status == ST_OK)
        printf("%s\n", secret);
    return status;
}

static enum status list(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_TOKEN_LIST struct store_token_list tokens = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    enum status status = cli_end(args, 0, err);
    if (status == ST_OK)
        status = store_token_list(db, &tokens, err);
    if (status != ST_OK)
        return status;
    strbuf_printf(&out, "%-4s %-9s %-24s %-21s %-21s %s\n", "id", "role", "name", "created",
                  "last used", "state");
    for (size_t i = 0; i < tokens.count; i++) {
        const struct store_token *token = &tokens.items[i];
        char created[TIME_TEXT_MAX];
        char used[TIME_TEXT_MAX];
        strbuf_printf(&out, "%-4lld %-9s %-24s %-21s %-21s %s\n", (long long)token->token_id,
                      token->role, token->name, cli_time(token->created_at_us, created),
                      cli_time(token->last_used_at_us, used),
                      token->revoked_at_us == TIME_UNKNOWN ? "active" : "revoked");
    }
    return cli_print(&out, err);
}

static enum status revoke(struct db *db, struct config_args *args, struct err *err)
{
    char *end;
    enum status status = cli_end(args, 1, err);
    if (status != ST_OK)
        return status;
    if (args->count != 1)
        return err_set(err, ST_USAGE, "token revoke needs the token's id or name");
    errno = 0;
    long long id = strtoll(args->items[0], &end, 10);
    if (*end == '\0' && end != args->items[0] && errno == 0)
        return store_token_revoke(db, id, err);
    return store_token_revoke_name(db, args->items[0], err);
}

enum status cli_token(const struct config *config, struct config_args *args, struct err *err)
{
    static const struct cli_action actions[] = {
        {"create", create}, {"list", list}, {"revoke", revoke}, {NULL, NULL}};
    return cli_run_action(config, args, actions, "one of create, list, revoke is wanted", err);
}
