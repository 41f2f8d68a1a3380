/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/win/cli.h"

#include <ctype.h>

void cli_setting_flag(const char *name, struct strbuf *out)
{
    strbuf_putc(out, '-');
    for (const char *c = name; *c != '\0'; c++) {
        if (isupper((unsigned char)*c))
            strbuf_putc(out, '-');
        strbuf_putc(out, (char)tolower((unsigned char)*c));
    }
}

void cli_put(enum win_stream stream, const struct strbuf *text)
{
    if (text->length > 0 && !strbuf_failed(text))
        win_write(stream, text->data, text->length);
}

void cli_done(struct cli *cli)
{
    settings_done(&cli->settings);
}

static enum status usage(struct err *err, const struct cli_verb *verb, const char *format,
                         const char *argument)
{
    char message[192];
    /* Callers pass literals with exactly one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(message, sizeof message, format, argument);
#pragma GCC diagnostic pop
    enum status st = err_set(err, ST_USAGE, "%s", message);
    if (err != NULL)
        snprintf(err->hint, sizeof err->hint, "poolfleet-agent help %s", verb->name);
    return st;
}

/* What follows name in argument: "=value" gives "value", nothing gives "". NULL: another name. */
static const char *match(const char *argument, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0)
        return NULL;
    if (argument[length] == '\0')
        return "";
    return argument[length] == '=' ? argument + length + 1 : NULL;
}

struct parse {
    struct cli *cli;
    int count;
    char *const *arguments;
    int at;
};

/* The value after "=" or in the next argument. */
static enum status take_value(struct parse *parse, const char *rest, const char **ret_value,
                              struct err *err)
{
    const char *argument = parse->arguments[parse->at];
    if (strchr(argument, '=') != NULL) {
        *ret_value = rest;
        return ST_OK;
    }
    if (parse->at + 1 >= parse->count)
        return usage(err, parse->cli->verb, "option \"%s\" needs a value", argument);
    *ret_value = parse->arguments[++parse->at];
    return ST_OK;
}

static enum status parse_flag(struct parse *parse, bool *ret_found, struct err *err)
{
    const struct cli_flag *flags = parse->cli->verb->flags;
    const char *argument = parse->arguments[parse->at];
    for (size_t i = 0; i < CLI_FLAGS_MAX && flags[i].name != NULL; i++) {
        const char *rest = match(argument, flags[i].name);
        if (rest == NULL)
            continue;
        *ret_found = true;
        if (flags[i].value != NULL)
            return take_value(parse, rest, &parse->cli->flags[i], err);
        if (strchr(argument, '=') != NULL)
            return usage(err, parse->cli->verb, "option \"%s\" takes no value", flags[i].name);
        parse->cli->flags[i] = "";
        return ST_OK;
    }
    return ST_OK;
}

static enum status parse_setting(struct parse *parse, bool *ret_found, struct err *err)
{
    const char *argument = parse->arguments[parse->at];
    for (int i = 0; i < SETTING_COUNT; i++) {
        AUTO_STRBUF struct strbuf flag = STRBUF_INIT;
        const char *value = NULL;
        cli_setting_flag(setting_name((enum setting)i), &flag);
        const char *rest = strbuf_failed(&flag) ? NULL : match(argument, flag.data);
        if (rest == NULL)
            continue;
        *ret_found = true;
        enum status st = take_value(parse, rest, &value, err);
        if (st == ST_OK)
            st = settings_set(&parse->cli->settings, LAYER_FLAG, setting_name((enum setting)i),
                              value, err);
        if (st == ST_INVALID)
            return ST_USAGE;
        return st;
    }
    return ST_OK;
}

static enum status parse_poolmon(struct parse *parse, bool *ret_found, struct err *err)
{
    struct err why = {0};
    enum status st = poolmon_option(&parse->cli->poolmon, parse->arguments[parse->at], &why);
    *ret_found = st != ST_NOT_FOUND;
    if (st == ST_OK || st == ST_NOT_FOUND)
        return ST_OK;
    return usage(err, parse->cli->verb, "%s", why.message);
}

static bool asks_help(const char *argument)
{
    static const char *const words[] = {"--help", "-h", "-?", "/?", "/h"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(argument, words[i]) == 0)
            return true;
    }
    return false;
}

static enum status parse_one(struct parse *parse, struct err *err)
{
    const struct cli_verb *verb = parse->cli->verb;
    const char *argument = parse->arguments[parse->at];
    bool found = false;
    if (asks_help(argument))
        return ST_NOT_FOUND;
    enum status st = parse_flag(parse, &found, err);
    if (st == ST_OK && !found && (verb->takes & CLI_SETTINGS) != 0)
        st = parse_setting(parse, &found, err);
    if (st == ST_OK && !found && (verb->takes & CLI_POOLMON) != 0)
        st = parse_poolmon(parse, &found, err);
    if (st != ST_OK || found)
        return st;
    if (argument[0] == '-')
        return usage(err, verb, "unknown option \"%.64s\"", argument);
    if ((verb->takes & CLI_OPERANDS) == 0)
        return usage(err, verb, "unexpected argument \"%.64s\"", argument);
    if (parse->cli->operand_count == CLI_OPERANDS_MAX)
        return usage(err, verb, "too many arguments at \"%.64s\"", argument);
    parse->cli->operands[parse->cli->operand_count++] = argument;
    return ST_OK;
}

enum status cli_parse(const struct cli_verb *verb, int count, char *const *arguments,
                      struct cli *ret_cli, struct err *err)
{
    struct parse parse = {ret_cli, count, arguments, 0};
    *ret_cli = (struct cli){.verb = verb};
    settings_init(&ret_cli->settings);
    for (; parse.at < count; parse.at++) {
        enum status st = parse_one(&parse, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* ---- help */

static void help_line(struct strbuf *out, const char *flag, const char *value, const char *help)
{
    size_t start = out->length;
    strbuf_printf(out, "  %s%s%s", flag, value == NULL ? "" : " ", value == NULL ? "" : value);
    do
        strbuf_putc(out, ' ');
    while (out->length - start < 27 && !strbuf_failed(out));
    strbuf_printf(out, "%s\n", help);
}

static void help_settings(struct strbuf *out)
{
    strbuf_puts(out, "\nSettings, stronger here than from policy, registry or agent.ini:\n");
    for (int i = 0; i < SETTING_COUNT; i++) {
        AUTO_STRBUF struct strbuf flag = STRBUF_INIT;
        cli_setting_flag(setting_name((enum setting)i), &flag);
        if (!strbuf_failed(&flag))
            help_line(out, flag.data, "V", setting_help((enum setting)i));
    }
}

static const char poolmon_help[] =
    "\npoolmon's own options, with / or -:\n"
    "  /iTAG /xTAG              only, or without, tags of this pattern (* any run, ? one)\n"
    "  /p                       nonpaged pool; twice: paged pool\n"
    "  /t /a /f /d /b /m        sort by tag, allocs, frees, diff, bytes, bytes per alloc\n"
    "  /(                       sort by the change (with --diff)\n"
    "  /e                       totals\n"
    "and in words: --include=TAG --exclude=TAG --pool=nonpaged|paged|both\n"
    "  --sort=tag|allocs|frees|diff|bytes|per-alloc --by-change --totals --rows=N\n";

void cli_help_verb(const struct cli_verb *verb, struct strbuf *out)
{
    strbuf_printf(out, "Usage: poolfleet-agent %s%s%s%s\n\n%s.%s%s\n", verb->name,
                  verb->flags[0].name != NULL || (verb->takes & CLI_SETTINGS) != 0 ? " [options]"
                                                                                   : "",
                  *verb->operands == '\0' ? "" : " ", verb->operands, verb->summary,
                  *verb->text == '\0' ? "" : "\n", verb->text);
    if (verb->flags[0].name != NULL)
        strbuf_puts(out, "\nOptions:\n");
    for (size_t i = 0; i < CLI_FLAGS_MAX && verb->flags[i].name != NULL; i++) {
        if (verb->flags[i].help != NULL)
            help_line(out, verb->flags[i].name, verb->flags[i].value, verb->flags[i].help);
    }
    if ((verb->takes & CLI_POOLMON) != 0)
        strbuf_puts(out, poolmon_help);
    if ((verb->takes & CLI_SETTINGS) != 0)
        help_settings(out);
}
