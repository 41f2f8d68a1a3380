/* SPDX-License-Identifier: Apache-2.0 */
/* analyze: the server's own analysis over what was stored up to a moment; changes nothing. */
#include "server/api/finding_json.h"
#include "server/cli/cli.h"
#include "server/jobs/analysis_run.h"
#include "server/known/known_finding.h"
#include "server/store/store_known.h"
#include "server/store/store_rollups.h"
#include "server/store/store_tags.h"

#include <string.h>

static void print_known(const struct finding *finding, const struct known_list *known,
                        struct strbuf *out)
{
    struct known_match matches[KNOWN_MATCHES_MAX];
    size_t count = known_match_finding(known, finding, KNOWN_MATCHES_MAX, matches);

    for (size_t i = 0; i < count; i++)
        strbuf_printf(out, "          known, by %s: %s (%s)\n", known_fit_text(matches[i].fit),
                      matches[i].leak->title, matches[i].leak->source);
}

static void print_plain(const struct finding_list *list, const struct known_list *known,
                        int64_t as_of_us, struct strbuf *out)
{
    char when[TIME_TEXT_MAX];
    time_format(as_of_us, when);
    strbuf_printf(out, "as of %s: %zu finding%s\n", when, list->count, list->count == 1 ? "" : "s");
    for (size_t i = 0; i < list->count; i++) {
        const struct finding *f = &list->items[i];
        strbuf_printf(out, "\n%-8s  %s, confidence %.2f, %zu host%s\n          %s\n",
                      finding_severity_name(f->severity), finding_kind_name(f->kind), f->confidence,
                      f->host_count, f->host_count == 1 ? "" : "s", f->summary);
        for (size_t c = 0; c < f->cause_count && c < 3; c++)
            strbuf_printf(out, "          %s = %s: %zu of %zu affected, %zu of %zu others\n",
                          f->causes[c].attribute, f->causes[c].value, f->causes[c].affected_with,
                          f->causes[c].affected, f->causes[c].unaffected_with,
                          f->causes[c].unaffected);
        if (f->cause_note != NULL)
            strbuf_printf(out, "          %s\n", f->cause_note);
        print_known(f, known, out);
    }
}

static void print_faults(const struct finding_list *list, struct strbuf *out)
{
    for (size_t i = 0; i < list->fault_count; i++) {
        const struct finding_fault *fault = &list->faults[i];
        strbuf_printf(out, "\nfaulty    %s is left out: %s\n",
                      fault->host_name != NULL ? fault->host_name : fault->host_id, fault->reason);
    }
}

static enum status run(const struct config *config, int64_t as_of_us, bool json, struct err *err)
{
    struct cli_database database = {0};
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    AUTO_FINDINGS struct finding_list list = {0};
    AUTO_KNOWN struct known_list known = {0};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    int64_t newest_us = TIME_UNKNOWN;
    enum status status = cli_database_open(config, &database, err);
    if (status == ST_OK && dict == NULL)
        status = err_set(err, ST_NOMEM, "could not analyze: out of memory");
    if (status == ST_OK)
        status = tagdict_add_builtin(dict, err);
    if (status == ST_OK)
        status = store_tags_load(database.db, dict, err);
    if (status == ST_OK)
        status = store_known_load(database.db, &known, err);
    if (status == ST_OK && as_of_us == TIME_UNKNOWN)
        status = analysis_newest(database.db, &as_of_us, err);
    else if (status == ST_OK) /* the server's "now" was the newest snapshot it had, too */
        status = store_newest_taken_until(database.db, as_of_us, &newest_us, err);
    if (status == ST_OK && as_of_us == TIME_UNKNOWN)
        as_of_us = clock_wall_us(); /* nothing is stored, and so nothing found */
    if (status == ST_OK)
        status = analysis_run(database.pool, dict, newest_us == TIME_UNKNOWN ? as_of_us : newest_us,
                              &list, err);
    cli_database_close(&database);
    if (status != ST_OK)
        return status;
    if (json)
        findings_json_document(&list, &known, as_of_us, &out);
    else
        print_plain(&list, &known, as_of_us, &out);
    if (!json)
        print_faults(&list, &out);
    return cli_print(&out, err);
}

enum status cli_analyze(const struct config *config, struct config_args *args, struct err *err)
{
    const char *text;
    int64_t as_of_us = TIME_UNKNOWN;
    bool json = cli_flag(args, "--json");
    enum status status = cli_option(args, "--as-of", &text, err);
    if (status == ST_OK)
        status = cli_end(args, 0, err);
    if (status == ST_OK && text != NULL && !time_parse(text, strlen(text), &as_of_us))
        status = err_set(err, ST_USAGE,
                         "--as-of \"%s\": a time such as 2026-11-21T02:00:00Z is wanted", text);
    return status == ST_OK ? run(config, as_of_us, json, err) : status;
}
