/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sim/options.h"
#include "agent/sim/scenario.h"
#include "common/clock.h"

#include <errno.h>

enum option_type {
    OPTION_TEXT,
    OPTION_SCENARIO,
    OPTION_COUNT,
    OPTION_NUMBER,
    OPTION_DURATION,
    OPTION_TIME,
    OPTION_FLAG
};

struct option_row {
    const char *name;
    enum option_type type;
    size_t offset;
    double min;
    double max;
    const char *value; /* name of the value in the help */
    const char *help;
};

#define AT(member) offsetof(struct sim_options, member)
static const struct option_row rows[] = {
    {"scenario", OPTION_SCENARIO, 0, 0, 0, "FILE", "a scenario, or a folder of them; repeatable"},
    {"hosts", OPTION_COUNT, AT(hosts), 0, 1e6, "N", "healthy hosts to add (0)"},
    {"tags", OPTION_COUNT, AT(tags), 50, 16000, "N", "rows per host, about (2500)"},
    {"backfill", OPTION_DURATION, AT(backfill_us), 0, 0, "DURATION", "history before now (0)"},
    {"backfill-interval", OPTION_DURATION, AT(backfill_interval_us), 0, 0, "DURATION",
     "between snapshots in the history (30m)"},
    {"fine", OPTION_DURATION, AT(fine_us), 0, 0, "DURATION",
     "end of the history that is at --interval (3h)"},
    {"interval", OPTION_DURATION, AT(interval_us), 0, 0, "DURATION", "between snapshots (5m)"},
    {"duration", OPTION_DURATION, AT(duration_us), 0, 0, "DURATION",
     "live part; 0: history only (until stopped; with --output 0)"},
    {"speed", OPTION_NUMBER, AT(speed), 0.001, 1e6, "X", "simulated seconds per second, live (1)"},
    {"server", OPTION_TEXT, AT(server), 0, 0, "URL", "where to post (POOLFLEET_SERVER)"},
    {"token-file", OPTION_TEXT, AT(token_file), 0, 0, "FILE",
     "token with the role ingest (POOLFLEET_TOKEN)"},
    {"connections", OPTION_COUNT, AT(connections), 1, 64, "N", "to the server (2)"},
    {"give-up", OPTION_DURATION, AT(give_up_us), 0, 0, "DURATION",
     "how long the server may be away (2m)"},
    {"gzip", OPTION_FLAG, AT(gzip), 0, 0, NULL, "compress bodies (only where not loopback)"},
    {"no-gzip", OPTION_FLAG, AT(no_gzip), 0, 0, NULL, "never compress bodies"},
    {"seed", OPTION_COUNT, AT(seed), 0, 9e15, "N", "another fleet (1)"},
    {"now", OPTION_TIME, AT(now_us), 0, 0, "TIME", "end of the history, RFC 3339 (the clock)"},
    {"output", OPTION_TEXT, AT(output), 0, 0, "FILE", "write NDJSON there instead; - is stdout"},
    {"expect", OPTION_TEXT, AT(expect), 0, 0, "FILE",
     "write the findings to expect there; - is stdout"},
    {"list", OPTION_FLAG, AT(list), 0, 0, NULL, "tell the scenarios, do nothing else"},
    {"progress", OPTION_FLAG, AT(progress), 0, 0, NULL, "tell on stderr how far it is"},
    {"help", OPTION_FLAG, AT(help), 0, 0, NULL, "this list"},
    {"version", OPTION_FLAG, AT(version), 0, 0, NULL, "the version"},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static enum status bad_value(const struct option_row *row, const char *text, struct err *err)
{
    static const char *const wanted[] = {
        [OPTION_COUNT] = "a whole number in range",
        [OPTION_NUMBER] = "a number in range",
        [OPTION_DURATION] = "a duration such as \"90s\", \"30m\" or \"7d\"",
        [OPTION_TIME] = "a time such as \"2026-11-21T02:00:00Z\"",
    };
    return err_set(err, ST_USAGE, "--%s \"%.80s\" is not %s", row->name, text, wanted[row->type]);
}

static bool read_count(const struct option_row *row, const char *text, uint64_t *ret_count)
{
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || (double)value < row->min || (double)value > row->max)
        return false;
    *ret_count = value;
    return true;
}

static bool read_double(const struct option_row *row, const char *text, double *ret_number)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= row->min && value <= row->max))
        return false;
    *ret_number = value;
    return true;
}

static enum status set_option(struct sim_options *o, const struct option_row *row, const char *text,
                              struct err *err)
{
    void *to = (char *)o + row->offset;
    bool ok = true;
    switch (row->type) {
    case OPTION_FLAG:
        *(bool *)to = true;
        break;
    case OPTION_TEXT:
        *(const char **)to = text;
        break;
    case OPTION_SCENARIO:
        if (o->scenario_count == OPTIONS_SCENARIOS_MAX)
            return err_set(err, ST_USAGE, "more than %d scenarios given; name their folder",
                           OPTIONS_SCENARIOS_MAX);
        o->scenarios[o->scenario_count++] = text;
        break;
    case OPTION_COUNT:
        ok = read_count(row, text, to);
        break;
    case OPTION_NUMBER:
        ok = read_double(row, text, to);
        break;
    case OPTION_DURATION:
        ok = duration_parse(text, to);
        break;
    case OPTION_TIME:
        ok = time_parse(text, strlen(text), to);
        break;
    }
    if (row->offset == AT(duration_us) && row->type == OPTION_DURATION)
        o->duration_given = true;
    return ok ? ST_OK : bad_value(row, text, err);
}

static enum status check_options(struct sim_options *o, struct err *err)
{
    if (o->interval_us < US_PER_SECOND || o->backfill_interval_us < US_PER_SECOND)
        return err_set(err, ST_USAGE, "--interval and --backfill-interval must be at least 1s");
    if (!o->duration_given && o->output != NULL)
        o->duration_us = 0;
    if (o->gzip && o->no_gzip)
        return err_set(err, ST_USAGE, "--gzip and --no-gzip exclude each other");
    if (o->speed > 1 && o->duration_us == INT64_MAX)
        return err_set(
            err, ST_USAGE,
            "--speed above 1 needs --duration: snapshots must not run ahead of the clock");
    return ST_OK;
}

enum status options_parse(int argc, char *const argv[], struct sim_options *ret_options,
                          struct err *err)
{
    struct sim_options o = {
        .tags = 2500,
        .backfill_interval_us = 30 * US_PER_MINUTE,
        .fine_us = 3 * US_PER_HOUR,
        .interval_us = 5 * US_PER_MINUTE,
        .speed = 1,
        .duration_us = INT64_MAX,
        .seed = 1,
        .now_us = TIME_UNKNOWN,
        .connections = 2,
        .give_up_us = 2 * US_PER_MINUTE,
    };
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strncmp(word, "--", 2) != 0 || word[2] == '\0')
            return err_set(err, ST_USAGE, "\"%.80s\" is not a flag; see --help", word);
        const char *equals = strchr(word, '=');
        size_t length = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word) - 2;
        const struct option_row *row = NULL;
        for (size_t r = 0; r < ROW_COUNT; r++) {
            if (strlen(rows[r].name) == length && strncmp(rows[r].name, word + 2, length) == 0)
                row = &rows[r];
        }
        if (row == NULL)
            return err_set(err, ST_USAGE, "flag \"%.80s\" is not known; see --help", word);
        const char *text = equals != NULL ? equals + 1 : NULL;
        if (row->type == OPTION_FLAG && text != NULL)
            return err_set(err, ST_USAGE, "--%s takes no value", row->name);
        if (row->type != OPTION_FLAG && text == NULL && ++i == argc)
            return err_set(err, ST_USAGE, "--%s needs a value", row->name);
        enum status st = set_option(&o, row, text != NULL ? text : argv[i], err);
        if (st != ST_OK)
            return st;
    }
    enum status st = check_options(&o, err);
    if (st == ST_OK)
        *ret_options = o;
    return st;
}

void options_help(struct strbuf *out)
{
    strbuf_puts(out, "Usage: poolfleet-sim [FLAGS]\n\n"
                     "Simulated hosts that post snapshots to a Poolfleet server.\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        AUTO_STRBUF struct strbuf name = STRBUF_INIT;
        strbuf_printf(&name, "--%s%s%s", rows[i].name, rows[i].value != NULL ? " " : "",
                      rows[i].value != NULL ? rows[i].value : "");
        strbuf_printf(out, "  %-29s %s\n", name.data != NULL ? name.data : "", rows[i].help);
    }
}
