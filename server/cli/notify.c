/* SPDX-License-Identifier: Apache-2.0 */
/* notify add|list|remove|test: who is told of findings. add prints the secret of a generic target
 * alone, when it made one, so that a script can take it. */
#include "server/notify/notify.h"
#include "server/cli/cli.h"
#include "server/store/store_tokens.h"

#include <curl/curl.h>
#include <string.h>

#define GENERIC_PREFIX "pfn_"

static enum status parse_kinds(const char *text, unsigned *ret_bits, struct err *err)
{
    unsigned bits = 0;

    for (bool more = text != NULL; more;) {
        char name[32];
        size_t length = strcspn(text, ",");
        enum finding_kind kind;
        snprintf(name, sizeof name, "%.*s", (int)(length < 31 ? length : 31), text);
        if (!finding_kind_parse(name, &kind))
            return err_set(err, ST_USAGE, "--kinds: \"%s\" is no kind of finding", name);
        bits |= 1u << kind;
        more = text[length] == ',';
        text += length + 1;
    }
    *ret_bits = bits;
    return ST_OK;
}

static enum status parse_attribute(char *text, struct notify_target *target, struct err *err)
{
    char *equals = text == NULL ? NULL : strchr(text, '=');

    if (text == NULL)
        return ST_OK;
    if (equals == NULL)
        return err_set(err, ST_USAGE, "--attribute needs NAME=VALUE, such as role=file-server");
    *equals = '\0';
    target->attribute = text;
    target->attribute_value = equals + 1;
    return ST_OK;
}

/* The file's first line; a generic target without one gets a random secret. */
static enum status find_secret(const char *path, enum notify_kind kind, struct strbuf *file,
                               char made[TOKEN_TEXT_MAX], const char **ret_secret, struct err *err)
{
    *ret_secret = NULL;
    if (path == NULL && kind != NOTIFY_GENERIC)
        return ST_OK;
    if (path == NULL) {
        *ret_secret = made;
        return secret_new(GENERIC_PREFIX, TOKEN_TEXT_MAX, made, err);
    }
    enum status status = cli_read_file(path, NOTIFY_SECRET_MAX, file, err);
    if (status == ST_OK) {
        file->data[strcspn(file->data, "\r\n")] = '\0';
        *ret_secret = file->data;
    }
    return status;
}

struct add_options {
    const char *name, *kind, *address, *severity, *kinds, *attribute, *secret;
};

static enum status read_options(struct config_args *args, struct add_options *options,
                                struct err *err)
{
    const struct {
        const char *name;
        const char **value;
        bool needed;
    } table[] = {
        {"--name", &options->name, true},
        {"--kinds", &options->kinds, false},
        {"--kind", &options->kind, true},
        {"--address", &options->address, true},
        {"--min-severity", &options->severity, false},
        {"--attribute", &options->attribute, false},
        {"--secret-file", &options->secret, false},
    };
    enum status status = ST_OK;

    for (size_t i = 0; status == ST_OK && i < sizeof table / sizeof table[0]; i++)
        status = cli_option(args, table[i].name, table[i].value, err);
    if (status == ST_OK)
        status = cli_end(args, 0, err);
    for (size_t i = 0; status == ST_OK && i < sizeof table / sizeof table[0]; i++)
        if (table[i].needed && *table[i].value == NULL)
            status = err_set(err, ST_USAGE, "notify add needs %s", table[i].name);
    return status;
}

static enum status add(struct db *db, struct config_args *args, struct err *err)
{
    struct add_options options = {0};
    struct notify_target target = {.enabled = true};
    AUTO_STRBUF struct strbuf file = STRBUF_INIT;
    AUTO_FREE char *attribute = NULL;
    char made[TOKEN_TEXT_MAX] = "";
    enum status status = read_options(args, &options, err);

    if (status != ST_OK)
        return status;
    if (!notify_kind_parse(options.kind, &target.kind))
        return err_set(err, ST_USAGE,
                       "--kind \"%s\": alertmanager, slack, teams, generic or email"
                       " is wanted",
                       options.kind);
    if (options.severity != NULL && !finding_severity_parse(options.severity, &target.min_severity))
        return err_set(err, ST_USAGE, "--min-severity \"%s\": info, warning or critical is wanted",
                       options.severity);
    attribute = options.attribute == NULL ? NULL : strdup(options.attribute);
    target.name = options.name;
    target.address = options.address;
    status = parse_kinds(options.kinds, &target.kinds, err);
    if (status == ST_OK)
        status = parse_attribute(attribute, &target, err);
    if (status == ST_OK)
        status = find_secret(options.secret, target.kind, &file, made, &target.secret, err);
    if (status == ST_OK)
        status = store_notify_create(db, &target, NULL, err);
    if (status == ST_INVALID)
        err->code = status = ST_USAGE;
    if (status == ST_OK && made[0] != '\0')
        printf("%s\n", made);
    return status;
}

static void put_json(struct strbuf *out, const struct notify_target *target)
{
    char sent[TIME_TEXT_MAX] = "";

    strbuf_printf(out, "{\"id\":%lld,\"name\":", (long long)target->target_id);
    strbuf_json(out, target->name);
    strbuf_printf(out, ",\"kind\":\"%s\",\"address\":", notify_kind_names[target->kind]);
    strbuf_json(out, target->address);
    strbuf_printf(out, ",\"min_severity\":\"%s\",\"enabled\":%s,\"waiting\":%lld,\"given_up\":%lld",
                  finding_severity_name(target->min_severity), target->enabled ? "true" : "false",
                  (long long)target->waiting, (long long)target->given_up);
    strbuf_puts(out, ",\"last_sent_at\":");
    if (target->last_sent_at_us != TIME_UNKNOWN) {
        time_format(target->last_sent_at_us, sent);
        strbuf_json(out, sent);
    } else {
        strbuf_puts(out, "null");
    }
    strbuf_puts(out, ",\"last_error\":");
    if (target->last_error != NULL)
        strbuf_json(out, target->last_error);
    else
        strbuf_puts(out, "null");
    strbuf_putc(out, '}');
}

static void put_row(struct strbuf *out, const struct notify_target *target)
{
    char sent[TIME_TEXT_MAX];

    strbuf_printf(out, "%-24s %-12s %-8s %-8s %7lld %8lld  %-21s %s\n", target->name,
                  notify_kind_names[target->kind], finding_severity_name(target->min_severity),
                  target->enabled ? "on" : "off", (long long)target->waiting,
                  (long long)target->given_up, cli_time(target->last_sent_at_us, sent),
                  target->last_error == NULL ? "" : target->last_error);
}

static enum status list(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_NOTIFY_TARGETS struct notify_targets targets = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    bool json = cli_flag(args, "--json");
    enum status status = cli_end(args, 0, err);

    if (status == ST_OK)
        status = store_notify_list(db, &targets, err);
    if (status != ST_OK)
        return status;
    if (json)
        strbuf_putc(&out, '[');
    else
        strbuf_printf(&out, "%-24s %-12s %-8s %-8s %7s %8s  %-21s %s\n", "name", "kind", "from",
                      "state", "waiting", "given up", "last sent", "last error");
    for (size_t i = 0; i < targets.count; i++) {
        if (json && i > 0)
            strbuf_putc(&out, ',');
        (json ? put_json : put_row)(&out, &targets.items[i]);
    }
    if (json)
        strbuf_puts(&out, "]\n");
    return cli_print(&out, err);
}

static enum status find(struct db *db, struct config_args *args, const char *verb,
                        struct notify_targets *ret_targets, struct err *err)
{
    enum status status = cli_end(args, 1, err);

    if (status != ST_OK)
        return status;
    if (args->count != 1)
        return err_set(err, ST_USAGE, "notify %s needs the target's name", verb);
    return store_notify_get(db, -1, args->items[0], ret_targets, err);
}

static enum status remove_target(struct db *db, struct config_args *args, struct err *err)
{
    AUTO_NOTIFY_TARGETS struct notify_targets targets = {0};
    enum status status = find(db, args, "remove", &targets, err);

    return status == ST_OK ? store_notify_remove(db, targets.items[0].target_id, err) : status;
}

/* With this program's settings, not those of a server that runs. */
static enum status test(const struct config *config, struct config_args *args, struct err *err)
{
    AUTO_NOTIFY_TARGETS struct notify_targets targets = {0};
    struct config_args rest = {args->items + 1, args->count - 1};
    struct cli_database database = {0};
    struct notify_settings settings;
    struct notify_outcome outcome = {0};
    enum status status = notify_settings_read(config, &settings, err);

    if (status == ST_OK)
        status = cli_database_open(config, &database, err);
    if (status == ST_OK)
        status = find(database.db, &rest, "test", &targets, err);
    cli_database_close(&database);
    if (status != ST_OK)
        return status;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    notify_test_now(&settings, &targets.items[0], &outcome);
    curl_global_cleanup();
    if (!outcome.sent)
        return err_set(err, ST_IO, "could not notify: %s", outcome.error);
    printf("sent\n");
    return ST_OK;
}

enum status cli_notify(const struct config *config, struct config_args *args, struct err *err)
{
    static const struct cli_action actions[] = {
        {"add", add}, {"list", list}, {"remove", remove_target}, {NULL, NULL}};

    if (args->count > 0 && strcmp(args->items[0], "test") == 0)
        return test(config, args, err);
    return cli_run_action(config, args, actions, "one of add, list, remove, test is wanted", err);
}
