/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of poolfleetd, one file each. A verb gets its settings and what is left of the command
 * line, prints its result on stdout, and returns a status that main.c turns into the exit code.
 */
#ifndef SERVER_CLI_CLI_H
#define SERVER_CLI_CLI_H

#include "common/clock.h"
#include "server/config.h"
#include "server/store/db.h"
#include "server/store/store_audit.h"

typedef enum status (*cli_verb)(const struct config *config, struct config_args *args,
                                struct err *err);

enum status cli_serve(const struct config *config, struct config_args *args, struct err *err);
enum status cli_migrate(const struct config *config, struct config_args *args, struct err *err);
enum status cli_check_config(const struct config *config, struct config_args *args,
                             struct err *err);
enum status cli_token(const struct config *config, struct config_args *args, struct err *err);
enum status cli_enroll_secret(const struct config *config, struct config_args *args,
                              struct err *err);
enum status cli_user(const struct config *config, struct config_args *args, struct err *err);
enum status cli_notify(const struct config *config, struct config_args *args, struct err *err);
enum status cli_tags(const struct config *config, struct config_args *args, struct err *err);
enum status cli_known_leaks(const struct config *config, struct config_args *args, struct err *err);
enum status cli_analyze(const struct config *config, struct config_args *args, struct err *err);
enum status cli_diagnose(const struct config *config, struct config_args *args, struct err *err);
enum status cli_routes(const struct config *config, struct config_args *args, struct err *err);

/* One connection to a database whose schema is this program's, for a verb's whole run. */
struct cli_database {
    struct db_pool *pool;
    struct db *db;
};
/* ST_DB when it cannot be reached, ST_CONFLICT with a hint when it wants migrating. Close it in
 * any case. */
enum status cli_database_open(const struct config *config, struct cli_database *ret_database,
                              struct err *err);
void cli_database_close(struct cli_database *database);

/* What comes after a verb such as `token`; each needs the database. */
struct cli_action {
    const char *name;
    enum status (*run)(struct db *db, struct config_args *args, struct err *err);
};
/* Runs the action that the first argument names, with the others; actions end with a NULL name.
 * ST_USAGE with `usage` as its message when it names none. */
enum status cli_run_action(const struct config *config, struct config_args *args,
                           const struct cli_action *actions, const char *usage, struct err *err);

/* An entry for the log of changes, by the system account that runs us; texts borrowed. */
struct audit_entry cli_audit(const char *action, const char *object);

/* A moment in a table, to the second, "-" when unknown; borrowed from text or static. */
const char *cli_time(int64_t us, char text[TIME_TEXT_MAX]);

/* Takes --name (with its value: "--name v" or "--name=v") out of args; NULL when absent. */
enum status cli_option(struct config_args *args, const char *name, const char **ret_value,
                       struct err *err);
/* Takes the bare flag --name out of args. */
bool cli_flag(struct config_args *args, const char *name);
/* ST_USAGE naming the first argument that is left, when there are more than `max`. */
enum status cli_end(const struct config_args *args, int max, struct err *err);

/* Writes all of out to stdout; ST_IO when that fails. */
enum status cli_print(const struct strbuf *out, struct err *err);
/* A whole file, or standard input for "-", up to max_bytes (ST_TOO_LARGE). */
enum status cli_read_file(const char *path, size_t max_bytes, struct strbuf *ret_text,
                          struct err *err);

#endif
