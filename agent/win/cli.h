/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: a table of verbs (main.c), each with its flags and one function in cmd_*.c. A
 * verb gets what was given already checked: flags by their place in its table, settings as a layer
 * of their own, what is left as operands.
 */
#ifndef AGENT_WIN_CLI_H
#define AGENT_WIN_CLI_H

#include "agent/core/poolmon.h"
#include "agent/win/win.h"

#define CLI_FLAGS_MAX    6
#define CLI_OPERANDS_MAX 256

struct cli_flag {
    const char *name;  /* "--json"; NULL ends a table */
    const char *value; /* what its value is called in the help; NULL: it has none */
    const char *help;
};

struct cli {
    const struct cli_verb *verb;
    struct settings settings;         /* flags over policy, registry, file, built-in */
    const char *flags[CLI_FLAGS_MAX]; /* NULL: not given; "" or its value */
    struct poolmon_options poolmon;
    size_t operand_count;
    const char *operands[CLI_OPERANDS_MAX];
};

struct cli_verb {
    const char *name;
    const char *operands; /* as the help shows them; "": none */
    const char *summary;
    const char *text; /* more of the help; may be "" */
    unsigned takes;   /* CLI_SETTINGS | ... */
    struct cli_flag flags[CLI_FLAGS_MAX + 1];
    enum status (*run)(struct cli *cli, struct err *err);
};
enum {
    CLI_SETTINGS = 1, /* --server-url and so on */
    CLI_OPERANDS = 2, /* words that are no options */
    CLI_POOLMON = 4,  /* poolmon's options */
    CLI_HIDDEN = 8,
    CLI_QUIET = 16 /* faults of settings are not told here */
};

/* ST_USAGE and its like end with exit code 2, ST_TIMEOUT (the server) with 3, others with 1. */
enum status cmd_run(struct cli *cli, struct err *err) MUST_CHECK;
enum status cmd_install(struct cli *cli, struct err *err) MUST_CHECK;
enum status cmd_uninstall(struct cli *cli, struct err *err) MUST_CHECK;
enum status cmd_enroll(struct cli *cli, struct err *err) MUST_CHECK;
enum status cmd_snapshot(struct cli *cli, struct err *err) MUST_CHECK;
enum status cmd_scan_drivers(struct cli *cli, struct err *err) MUST_CHECK;
enum status cmd_status(struct cli *cli, struct err *err) MUST_CHECK;

/* ---- cli.c */
/* Fills ret_cli from what follows the verb. ST_USAGE: unknown option, value missing, bad value.
 * ST_NOT_FOUND: help was asked for. Done with cli_done in any case. */
enum status cli_parse(const struct cli_verb *verb, int count, char *const *arguments,
                      struct cli *ret_cli, struct err *err) MUST_CHECK;
void cli_done(struct cli *cli);
void cli_help_verb(const struct cli_verb *verb, struct strbuf *out);
/* "--server-url" of "ServerUrl". */
void cli_setting_flag(const char *name, struct strbuf *out);
void cli_put(enum win_stream stream, const struct strbuf *text);

#endif
