/* SPDX-License-Identifier: Apache-2.0 */
/* token create|list|revoke: API tokens. create prints the token alone, so that a script can take
 * it. */
#include "server/cli/cli.h"
#include "server/store/migrate.h"
#include "server/store/store_tokens.h"

#include <errno.h>
#include <string.h>

struct making {
    const char *role;
    const char *name;
    const char *host;
    char secret[TOKEN_TEXT_MAX];
};

static enum status create_tx(struct db *db, void *arg, struct err *err)
{
    struct making *making = arg;
    return store_token_create(db, making->name, making->role, making->host, TIME_UNKNOWN,
                              making->secret, NULL, err);
}

static enum status create(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_STRBUF struct strbuf detail = STRBUF_INIT;
    struct making making;
    enum status status = cli_option(args, "--role", &making.role, err);
    if (status == ST_OK)
        status = cli_option(args, "--name", &making.name, err);
    if (status == ST_OK)
        status = cli_option(args, "--host", &making.host, err);
    if (status == ST_OK)
        status = cli_end(args, 0, err);
    if (status != ST_OK)
        return status;
    if (making.role == NULL || making.name == NULL)
        return err_set(err, ST_USAGE, "token create needs --role ROLE and --name NAME");
    struct audit_entry entry = cli_audit("token.create", making.name);
    strbuf_puts(&detail, "{\"role\":");
    strbuf_json(&detail, making.role);
    strbuf_puts(&detail, "}");
    entry.detail = detail.data;
    status = store_audited(db, &entry, create_tx, &making, err);
    if (status == ST_INVALID)
        err->code = status = ST_USAGE;
    if (status == ST_OK)
        printf("%s\n", making.secret);
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

/* Digits are an id. */
static enum status revoke_tx(struct db *db, void *arg, struct err *err)
{
    const char *which = arg;
    char *end;
    errno = 0;
    long long id = strtoll(which, &end, 10);
    if (*end == '\0' && end != which && errno == 0)
        return store_token_revoke(db, id, err);
    return store_token_revoke_name(db, which, err);
}

static enum status revoke(struct db *db, struct config_args *args, struct err *err)
{
    enum status status = cli_end(args, 1, err);
    if (status != ST_OK)
        return status;
    if (args->count != 1)
        return err_set(err, ST_USAGE, "token revoke needs the token's id or name");
    struct audit_entry entry = cli_audit("token.revoke", args->items[0]);
    return store_audited(db, &entry, revoke_tx, args->items[0], err);
}

enum status cli_token(const struct config *config, struct config_args *args, struct err *err)
{
    static const struct cli_action actions[] = {
        {"create", create}, {"list", list}, {"revoke", revoke}, {NULL, NULL}};
    return cli_run_action(config, args, actions, "one of create, list, revoke is wanted", err);
}
