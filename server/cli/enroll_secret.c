/* SPDX-License-Identifier: Apache-2.0 */
/* enroll-secret create|list|revoke: what agents enroll with. create prints the secret alone, so
 * that a script can take it. */
#include "server/cli/cli.h"
#include "server/store/store_enroll.h"

#include <errno.h>
#include <string.h>

static enum status parse_expires(const char *text, int64_t *ret_us, struct err *err)
{
    int64_t after_us;
    int64_t at_us;
    if (!config_duration(text, &after_us) || after_us <= 0 ||
        __builtin_add_overflow(clock_wall_us(), after_us, &at_us) ||
        after_us > 36500 * US_PER_DAY) /* beyond a century it is a typing error */
        return err_set(err, ST_USAGE, "--expires \"%s\": a duration such as 12h or 90d is wanted",
                       text);
    *ret_us = at_us;
    return ST_OK;
}

static enum status parse_uses(const char *text, int64_t *ret_uses, struct err *err)
{
    errno = 0;
    long long uses = strtoll(text, NULL, 10);
    if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || errno != 0 || uses == 0)
        return err_set(err, ST_USAGE, "--max-uses \"%s\": a number from 1 on is wanted", text);
    *ret_uses = uses;
    return ST_OK;
}

struct making {
    const char *name;
    int64_t expires_at_us;
    int64_t uses;
    char secret[ENROLL_TEXT_MAX];
};

static enum status create_tx(struct db *db, void *arg, struct err *err)
{
    struct making *making = arg;
    return store_enroll_secret_create(db, making->name, making->expires_at_us, making->uses,
                                      making->secret, NULL, err);
}

static enum status create(struct db *db, struct config_args *args, struct err *err)
{
    const char *expires;
    const char *max_uses;
    struct making making = {.expires_at_us = TIME_UNKNOWN, .uses = -1};
    enum status status = cli_option(args, "--name", &making.name, err);
    if (status == ST_OK)
        status = cli_option(args, "--expires", &expires, err);
    if (status == ST_OK)
        status = cli_option(args, "--max-uses", &max_uses, err);
    if (status == ST_OK)
        status = cli_end(args, 0, err);
    if (status == ST_OK && making.name == NULL)
        status = err_set(err, ST_USAGE, "enroll-secret create needs --name NAME");
    if (status == ST_OK && expires != NULL)
        status = parse_expires(expires, &making.expires_at_us, err);
    if (status == ST_OK && max_uses != NULL)
        status = parse_uses(max_uses, &making.uses, err);
    if (status != ST_OK)
        return status;
    struct audit_entry entry = cli_audit("enroll_secret.create", making.name);
    status = store_audited(db, &entry, create_tx, &making, err);
    if (status == ST_INVALID)
        err->code = status = ST_USAGE;
    if (status == ST_OK)
        printf("%s\n", making.secret);
    return status;
}

static void put_time(struct strbuf *out, const char *name, int64_t us)
{
    char text[TIME_TEXT_MAX];
    strbuf_printf(out, ",\"%s\":", name);
    if (us == TIME_UNKNOWN) {
        strbuf_puts(out, "null");
        return;
    }
    time_format(us, text);
    strbuf_json(out, text);
}

static void put_json(struct strbuf *out, const struct store_enroll_secret *secret, int64_t now_us)
{
    strbuf_printf(out, "{\"id\":%lld,\"name\":", (long long)secret->secret_id);
    strbuf_json(out, secret->name);
    strbuf_printf(out, ",\"state\":\"%s\",\"uses\":%lld,\"max_uses\":",
                  store_enroll_secret_state(secret, now_us), (long long)secret->uses);
    if (secret->max_uses < 0)
        strbuf_puts(out, "null");
    else
        strbuf_i64(out, secret->max_uses);
    put_time(out, "created_at", secret->created_at_us);
    put_time(out, "last_used_at", secret->last_used_at_us);
    put_time(out, "expires_at", secret->expires_at_us);
    put_time(out, "revoked_at", secret->revoked_at_us);
    strbuf_putc(out, '}');
}

static void put_row(struct strbuf *out, const struct store_enroll_secret *secret, int64_t now_us)
{
    char created[TIME_TEXT_MAX];
    char used[TIME_TEXT_MAX];
    char expires[TIME_TEXT_MAX];
    char uses[48]; /* two numbers of at most 20 digits */
    snprintf(uses, sizeof uses, secret->max_uses < 0 ? "%lld" : "%lld of %lld",
             (long long)secret->uses, (long long)secret->max_uses);
    strbuf_printf(out, "%-4lld %-24s %-9s %-12s %-21s %-21s %s\n", (long long)secret->secret_id,
                  secret->name, store_enroll_secret_state(secret, now_us), uses,
                  cli_time(secret->created_at_us, created), cli_time(secret->last_used_at_us, used),
                  cli_time(secret->expires_at_us, expires));
}

static enum status list(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_ENROLL_SECRETS struct store_enroll_secrets secrets = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t now_us = clock_wall_us();
    bool json = cli_flag(args, "--json");
    enum status status = cli_end(args, 0, err);
    if (status == ST_OK)
        status = store_enroll_secret_list(db, &secrets, err);
    if (status != ST_OK)
        return status;
    if (json)
        strbuf_putc(&out, '[');
    else
        strbuf_printf(&out, "%-4s %-24s %-9s %-12s %-21s %-21s %s\n", "id", "name", "state", "uses",
                      "created", "last used", "expires");
    for (size_t i = 0; i < secrets.count; i++) {
        if (json && i > 0)
            strbuf_putc(&out, ',');
        (json ? put_json : put_row)(&out, &secrets.items[i], now_us);
    }
    if (json)
        strbuf_puts(&out, "]\n");
    return cli_print(&out, err);
}

/* Digits are an id. */
static enum status revoke_tx(struct db *db, void *arg, struct err *err)
{
    const char *which = arg;
    if (strspn(which, "0123456789") != strlen(which))
        return store_enroll_secret_revoke_name(db, which, err);
    errno = 0;
    long long id = strtoll(which, NULL, 10);
    return store_enroll_secret_revoke(db, errno == 0 ? id : -1, err);
}

static enum status revoke(struct db *db, struct config_args *args, struct err *err)
{
    enum status status = cli_end(args, 1, err);
    if (status != ST_OK)
        return status;
    if (args->count != 1 || args->items[0][0] == '\0')
        return err_set(err, ST_USAGE, "enroll-secret revoke needs the secret's name or id");
    const char *which = args->items[0];
    if (strncmp(which, ENROLL_PREFIX, strlen(ENROLL_PREFIX)) == 0)
        return err_set(err, ST_USAGE,
                       "enroll-secret revoke needs the secret's name or id, not the secret");
    struct audit_entry entry = cli_audit("enroll_secret.revoke", which);
    return store_audited(db, &entry, revoke_tx, args->items[0], err);
}

enum status cli_enroll_secret(const struct config *config, struct config_args *args,
                              struct err *err)
{
    static const struct cli_action actions[] = {
        {"create", create}, {"list", list}, {"revoke", revoke}, {NULL, NULL}};
    return cli_run_action(config, args, actions, "one of create, list, revoke is wanted", err);
}
