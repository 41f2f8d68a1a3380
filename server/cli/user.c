/* SPDX-License-Identifier: Apache-2.0 */
/* user add|passwd|list|remove: people who sign in on the page. A password comes from standard
 * input, or is asked for without being shown; never from the command line, which others can read.
 */
#include "server/cli/cli.h"
#include "server/store/store_users.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MAX_BYTES (PASSWORD_MAX + 2) /* line end and NUL */

/* One line without its end. False at the end of the input or when it is too long. */
static bool read_line(char line[LINE_MAX_BYTES])
{
    if (fgets(line, LINE_MAX_BYTES, stdin) == NULL)
        return false;
    size_t length = strcspn(line, "\n");
    bool whole = line[length] == '\n' || feof(stdin);
    line[length] = '\0';
    if (length > 0 && line[length - 1] == '\r')
        line[length - 1] = '\0';
    return whole;
}

static bool ask(const char *prompt, char line[LINE_MAX_BYTES])
{
    struct termios shown;
    struct termios hidden;
    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return read_line(line);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    bool ok = read_line(line);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return ok;
}

static enum status read_password(char line[LINE_MAX_BYTES], struct err *err)
{
    char again[LINE_MAX_BYTES];
    bool terminal = isatty(STDIN_FILENO) == 1;
    if (!(terminal ? ask("password: ", line) : read_line(line)))
        return err_set(err, ST_USAGE,
                       "could not read the password: a line of at most %u bytes is wanted on "
                       "standard input",
                       PASSWORD_MAX);
    if (!terminal)
        return ST_OK;
    bool same = ask("again: ", again) && strcmp(line, again) == 0;
    sodium_memzero(again, sizeof again);
    return same ? ST_OK : err_set(err, ST_USAGE, "the passwords are not the same");
}

static enum status read_hash(const char *name, char ret_hash[PASSWORD_HASH_MAX], struct err *err)
{
    char line[LINE_MAX_BYTES];
    enum status status = read_password(line, err);
    if (status == ST_OK)
        status = password_check(name, line, strlen(line), err);
    if (status == ST_OK)
        status = password_hash(line, strlen(line), ret_hash, err);
    sodium_memzero(line, sizeof line);
    return status;
}

struct call {
    const char *name;
    const char *role;
    const char *hash;
    int64_t user_id;
};

static enum status add_tx(struct db *db, void *arg, struct err *err)
{
    const struct call *call = arg;
    return store_user_create(db, call->name, call->role, call->hash, NULL, err);
}

static enum status add(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_STRBUF struct strbuf detail = STRBUF_INIT;
    struct call call = {.name = NULL};
    char hash[PASSWORD_HASH_MAX];
    bool without = cli_flag(args, "--no-password");
    enum status status = cli_option(args, "--role", &call.role, err);
    if (status == ST_OK)
        status = cli_end(args, 1, err);
    if (status == ST_OK && (args->count != 1 || call.role == NULL))
        status = err_set(err, ST_USAGE, "user add needs NAME and --role ROLE");
    if (status != ST_OK)
        return status;
    call.name = args->items[0];
    if (!without)
        status = read_hash(call.name, hash, err);
    call.hash = without ? NULL : hash;
    strbuf_puts(&detail, "{\"role\":");
    strbuf_json(&detail, call.role);
    strbuf_puts(&detail, "}");
    struct audit_entry entry = cli_audit("user.create", call.name);
    entry.detail = detail.data;
    if (status == ST_OK)
        status = store_audited(db, &entry, add_tx, &call, err);
    if (status == ST_INVALID)
        err->code = status = ST_USAGE;
    return status;
}

/* The account that the only argument names. */
static enum status find(struct db *db, struct config_args *args, const char *usage,
                        struct call *ret_call, struct err *err)
{
    struct store_user user;
    char hash[PASSWORD_HASH_MAX];
    enum status status = cli_end(args, 1, err);
    if (status == ST_OK && args->count != 1)
        status = err_set(err, ST_USAGE, "%s", usage);
    if (status == ST_OK)
        status = store_user_find(db, args->items[0], &user, hash, err);
    if (status == ST_OK)
        *ret_call = (struct call){.name = args->items[0], .user_id = user.user_id};
    return status;
}

static enum status passwd_tx(struct db *db, void *arg, struct err *err)
{
    const struct call *call = arg;
    const struct user_change change = {
        .version = USER_VERSION_ANY, .password_hash = call->hash, .disabled = -1};
    return store_user_change(db, call->user_id, &change, err);
}

static enum status passwd(struct db *db, struct config_args *args, struct err *err)
{
    struct call call;
    char hash[PASSWORD_HASH_MAX];
    enum status status = find(db, args, "user passwd needs NAME", &call, err);
    if (status == ST_OK)
        status = read_hash(call.name, hash, err);
    if (status == ST_INVALID)
        err->code = status = ST_USAGE;
    if (status != ST_OK)
        return status;
    call.hash = hash;
    struct audit_entry entry = cli_audit("user.change", call.name);
    entry.detail = "{\"password\":\"set\"}";
    return store_audited(db, &entry, passwd_tx, &call, err);
}

/* Who has the database may shut everybody out: no look at who is left. */
static enum status remove_tx(struct db *db, void *arg, struct err *err)
{
    const struct call *call = arg;
    return store_user_delete(db, call->user_id, false, err);
}

static enum status remove_user(struct db *db, struct config_args *args, struct err *err)
{
    struct call call;
    enum status status = find(db, args, "user remove needs NAME", &call, err);
    if (status != ST_OK)
        return status;
    struct audit_entry entry = cli_audit("user.delete", call.name);
    return store_audited(db, &entry, remove_tx, &call, err);
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

static void put_json(struct strbuf *out, const struct store_user *user)
{
    strbuf_printf(out, "{\"id\":%lld,\"name\":", (long long)user->user_id);
    strbuf_json(out, user->name);
    strbuf_printf(out, ",\"role\":\"%s\",\"has_password\":%s", user->role,
                  user->has_password ? "true" : "false");
    put_time(out, "created_at", user->created_at_us);
    put_time(out, "last_sign_in_at", user->last_sign_in_at_us);
    put_time(out, "disabled_at", user->disabled_at_us);
    strbuf_putc(out, '}');
}

static void put_row(struct strbuf *out, const struct store_user *user)
{
    char created[TIME_TEXT_MAX];
    char last[TIME_TEXT_MAX];
    const char *state = user->disabled_at_us != TIME_UNKNOWN ? "disabled"
                        : user->has_password                 ? "active"
                                                             : "no password";
    strbuf_printf(out, "%-9s %-24s %-12s %-21s %s\n", user->role, user->name, state,
                  cli_time(user->created_at_us, created), cli_time(user->last_sign_in_at_us, last));
}

static enum status list(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_USERS struct store_users users = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    bool json = cli_flag(args, "--json");
    enum status status = cli_end(args, 0, err);
    if (status == ST_OK)
        status = store_user_list(db, &users, err);
    if (status != ST_OK)
        return status;
    if (json)
        strbuf_putc(&out, '[');
    else
        strbuf_printf(&out, "%-9s %-24s %-12s %-21s %s\n", "role", "name", "state", "created",
                      "last sign-in");
    for (size_t i = 0; i < users.count; i++) {
        if (json && i > 0)
            strbuf_putc(&out, ',');
        (json ? put_json : put_row)(&out, &users.items[i]);
    }
    if (json)
        strbuf_puts(&out, "]\n");
    return cli_print(&out, err);
}

enum status cli_user(const struct config *config, struct config_args *args, struct err *err)
{
    static const struct cli_action actions[] = {
        {"add", add}, {"passwd", passwd}, {"list", list}, {"remove", remove_user}, {NULL, NULL}};
    return cli_run_action(config, args, actions, "one of add, passwd, list, remove is wanted", err);
}
