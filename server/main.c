/* SPDX-License-Identifier: Apache-2.0 */
/* poolfleetd: the verbs, one row each. */
#include "server/cli/cli.h"

#include <signal.h>
#include <sodium.h>
#include <string.h>

static enum status cli_version(const struct config *config, struct config_args *args,
                               struct err *err)
{
    (void)config;
    enum status status = cli_end(args, 0, err);
    if (status == ST_OK)
        printf("poolfleetd %s\n", POOLFLEET_VERSION);
    return status;
}

static const struct {
    const char *name;
    const char *usage;
    const char *help;
    cli_verb run;
} verbs[] = {
    {"serve", "", "run the server", cli_serve},
    {"migrate", "", "create or update the database's tables", cli_migrate},
    {"check-config", "[--sample]", "read the settings and show where each came from",
     cli_check_config},
    {"token", "create --role ROLE --name NAME | list | revoke ID",
     "API tokens; create prints the token alone", cli_token},
    {"user", "add NAME --role ROLE [--no-password] | passwd NAME | list [--json] | remove NAME",
     "people who sign in; the password is read from standard input", cli_user},
    {"enroll-secret",
     "create --name NAME [--expires 90d] [--max-uses N] | list [--json] | revoke NAME",
     "what agents enroll with; create prints the secret alone", cli_enroll_secret},
    {"notify",
     "add --name NAME --kind KIND --address URL|MAIL [--min-severity S] [--kinds K,K]"
     " [--attribute NAME=VALUE] [--secret-file FILE|-] | list [--json] | remove NAME | test NAME",
     "who is told of findings; kinds: alertmanager, slack, teams, generic, email", cli_notify},
    {"tags", "import FILE | list", "pooltag.txt or localtag.txt into the tag list", cli_tags},
    {"known-leaks", "list | import FILE | remove ID | export [--imported]",
     "what findings are compared with; servers use a change at once", cli_known_leaks},
    {"analyze", "[--as-of TIME] [--json]", "what the analysis finds in what is stored",
     cli_analyze},
    {"diagnose", "FILE|- [--json]", "read a debugger or poolmon capture; needs no server",
     cli_diagnose},
    {"routes", "--json", "the API's route table", cli_routes},
    {"version", "", "print the version", cli_version},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static void print_help(FILE *to)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    strbuf_puts(&out, "poolfleetd watches the kernel pools of a fleet of Windows hosts.\n\n"
                      "usage: poolfleetd VERB [SETTINGS]\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        AUTO_STRBUF struct strbuf left = STRBUF_INIT;
        strbuf_printf(&left, "%s%s%s", verbs[i].name, verbs[i].usage[0] != '\0' ? " " : "",
                      verbs[i].usage);
        strbuf_printf(&out, left.length > 26 ? "  %s\n  %-26s %s\n" : "  %-26s %s%s\n", left.data,
                      left.length > 26 ? "" : verbs[i].help, left.length > 26 ? verbs[i].help : "");
    }
    strbuf_puts(&out, "\nsettings, as a flag, in the environment (POOLFLEET_DATABASE_URL), or in "
                      "the file of --config:\n\n");
    config_print_help(&out);
    strbuf_puts(&out, "\nexit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 no database\n");
    if (!strbuf_failed(&out))
        fputs(out.data, to);
}

static int fail(const char *verb, const struct err *err)
{
    fprintf(stderr, "poolfleetd%s%s: ", verb == NULL ? "" : " ", verb == NULL ? "" : verb);
    if (err->field[0] != '\0')
        fprintf(stderr, "%s: ", err->field);
    fprintf(stderr, "%s\n", err->message);
    if (err->hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", err->hint);
    return status_exit(err->code);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return argc > 1 && strcmp(argv[1], "help") == 0;
}

int main(int argc, char **argv)
{
    AUTO_CONFIG struct config config = {0};
    struct config_args args;
    struct err err = {0};
    size_t verb = 0;
    if (wants_help(argc, argv)) {
        print_help(stdout);
        return 0;
    }
    if (argc < 2) {
        print_help(stderr);
        return status_exit(ST_USAGE);
    }
    while (verb < VERB_COUNT && strcmp(verbs[verb].name, argv[1]) != 0)
        verb++;
    if (verb == VERB_COUNT) {
        fprintf(stderr, "poolfleetd: unknown verb \"%s\"; poolfleetd --help lists them\n", argv[1]);
        return status_exit(ST_USAGE);
    }
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is a write error, not our end */
    if (sodium_init() < 0) {
        fprintf(stderr, "poolfleetd: could not start libsodium\n");
        return status_exit(ST_BUG);
    }
    err.code = config_load(argc - 2, argv + 2, &config, &args, &err);
    if (err.code != ST_OK)
        return fail(verbs[verb].name, &err);
    enum status status = verbs[verb].run(&config, &args, &err);
    if (status == ST_OK)
        return 0;
    err.code = status;
    return fail(verbs[verb].name, &err);
}
