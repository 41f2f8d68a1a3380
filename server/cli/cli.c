/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli/cli.h"
#include "server/store/migrate.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

static void take_out(struct config_args *args, int at, int count)
{
    for (int i = at; i + count < args->count; i++)
        args->items[i] = args->items[i + count];
    args->count -= count;
}

enum status cli_option(struct config_args *args, const char *name, const char **ret_value,
                       struct err *err)
{
    size_t length = strlen(name);
    *ret_value = NULL;
    for (int i = 0; i < args->count; i++) {
        const char *item = args->items[i];
        if (strncmp(item, name, length) != 0)
            continue;
        if (item[length] == '=') {
            *ret_value = item + length + 1;
            take_out(args, i, 1);
            return ST_OK;
        }
        if (item[length] != '\0')
            continue;
        if (i + 1 == args->count)
            return err_set(err, ST_USAGE, "%s needs a value", name);
        *ret_value = args->items[i + 1];
        take_out(args, i, 2);
        return ST_OK;
    }
    return ST_OK;
}

bool cli_flag(struct config_args *args, const char *name)
{
    for (int i = 0; i < args->count; i++) {
        if (strcmp(args->items[i], name) == 0) {
            take_out(args, i, 1);
            return true;
        }
    }
    return false;
}

enum status cli_end(const struct config_args *args, int max, struct err *err)
{
    for (int i = 0; i < args->count; i++) {
        if (strncmp(args->items[i], "--", 2) == 0)
            return err_set(err, ST_USAGE, "unknown option \"%s\"", args->items[i]);
    }
    if (args->count > max)
        return err_set(err, ST_USAGE, "unexpected argument \"%s\"", args->items[max]);
    return ST_OK;
}

enum status cli_database_open(const struct config *config, struct cli_database *ret_database,
                              struct err *err)
{
    const struct db_options options = {
        .url = config->database_url,
        .connections = 3, /* the verb's own, and what the analysis may lease beside it */
        .statement_timeout_us = 10 * US_PER_MINUTE,
        .application_name = "poolfleetd",
    };
    enum status status = db_pool_new(&options, &ret_database->pool, err);
    if (status == ST_OK)
        status = db_lease(ret_database->pool, 5 * US_PER_SECOND, &ret_database->db, err);
    if (status == ST_OK)
        status = migrate_check(ret_database->db, err);
    return status;
}

void cli_database_close(struct cli_database *database)
{
    db_release(database->db);
    db_pool_free(database->pool);
    *database = (struct cli_database){0};
}

enum status cli_run_action(const struct config *config, struct config_args *args,
                           const struct cli_action *actions, const char *usage, struct err *err)
{
    struct config_args rest = {args->items + 1, args->count - 1};
    struct cli_database database = {0};
    while (args->count > 0 && actions->name != NULL && strcmp(args->items[0], actions->name) != 0)
        actions++;
    if (args->count == 0 || actions->name == NULL)
        return err_set(err, ST_USAGE, "%s", usage);
    enum status status = cli_database_open(config, &database, err);
    if (status == ST_OK)
        status = actions->run(database.db, &rest, err);
    cli_database_close(&database);
    return status;
}

struct audit_entry cli_audit(const char *action, const char *object)
{
    /* Verbs run on one thread. */
    const struct passwd *account = getpwuid(geteuid());
    const char *name = account == NULL ? "unknown account" : account->pw_name;
    return (struct audit_entry){.actor = {"cli", name, NULL}, .action = action, .object = object};
}

const char *cli_time(int64_t us, char text[TIME_TEXT_MAX])
{
    if (us == TIME_UNKNOWN)
        return "-";
    time_format(us - us % US_PER_SECOND, text);
    return text;
}

enum status cli_print(const struct strbuf *out, struct err *err)
{
    if (strbuf_failed(out))
        return err_set(err, ST_NOMEM, "could not print: out of memory");
    if (out->length > 0 && fwrite(out->data, 1, out->length, stdout) != out->length)
        return err_set(err, ST_IO, "could not write to standard output: %s", strerror(errno));
    if (fflush(stdout) != 0)
        return err_set(err, ST_IO, "could not write to standard output: %s", strerror(errno));
    return ST_OK;
}

enum status cli_read_file(const char *path, size_t max_bytes, struct strbuf *ret_text,
                          struct err *err)
{
    static const size_t piece = 65536;
    AUTO_FILE FILE *opened = strcmp(path, "-") == 0 ? NULL : fopen(path, "rb");
    FILE *file = opened != NULL ? opened : stdin;
    if (opened == NULL && strcmp(path, "-") != 0)
        return err_set(err, ST_IO, "could not open \"%s\": %s", path, strerror(errno));
    for (;;) {
        if (!strbuf_reserve(ret_text, piece))
            return err_set(err, ST_NOMEM, "could not read \"%s\": out of memory", path);
        errno = 0;
        size_t got = fread(ret_text->data + ret_text->length, 1, piece, file);
        ret_text->length += got;
        ret_text->data[ret_text->length] = '\0';
        if (ferror(file))
            return err_set(err, ST_IO, "could not read \"%s\": %s", path, strerror(errno));
        if (ret_text->length > max_bytes)
            return err_set(err, ST_TOO_LARGE, "\"%s\" is over the limit of %zu bytes", path,
                           max_bytes);
        if (got == 0)
            return ST_OK;
    }
}
