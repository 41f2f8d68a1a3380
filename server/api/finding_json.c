/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/finding_json.h"

#include "server/api/json_out.h"
#include "server/known/known_finding.h"

#include <math.h>

static int64_t whole(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static int64_t key_or_absent(int64_t key)
{
    return key == 0 ? NUMBER_ABSENT : key;
}

static void write_host(const struct finding_host *host, const struct finding_host_life *life,
                       bool stored, struct strbuf *out)
{
    bool cohort = host->cohort_hosts > 0;

    json_open(out, '{');
    json_text(out, "id", host->id);
    json_text(out, "name", host->name);
    json_i64(out, "bytes", whole(host->bytes));
    json_i64(out, "cohort_bytes", cohort ? whole(host->cohort_bytes) : NUMBER_ABSENT);
    json_i64(out, "cohort_hosts", (int64_t)host->cohort_hosts);
    json_number(out, "score", host->score);
    json_number(out, "rate_bytes_per_hour", host->rate_bytes_per_hour);
    json_time(out, "since", host->since_us);
    json_key(out, "exhausts_at");
    if (host->exhausts_p50_us == TIME_UNKNOWN) {
        json_value_text(out, NULL);
    } else {
        json_open(out, '{');
        json_time(out, "p10", host->exhausts_p10_us);
        json_time(out, "p50", host->exhausts_p50_us);
        json_time(out, "p90", host->exhausts_p90_us);
        json_close(out, '}');
    }
    json_text(out, "limit", host->limit);
    json_text(out, "process", host->process);
    json_i64(out, "process_handles",
             host->process_handles < 0 ? NUMBER_ABSENT : host->process_handles);
    if (stored)
        json_bool(out, "simulated", host->simulated);
    if (life != NULL)
        json_i64(out, "muted_by", key_or_absent(life->muted_by));
    json_close(out, '}');
}

static void write_cause(const struct finding_cause *cause, struct strbuf *out)
{
    json_open(out, '{');
    json_text(out, "attribute", cause->attribute);
    json_text(out, "value", cause->value);
    json_i64(out, "affected", whole(cause->affected));
    json_i64(out, "affected_with", whole(cause->affected_with));
    json_i64(out, "unaffected", whole(cause->unaffected));
    json_i64(out, "unaffected_with", whole(cause->unaffected_with));
    json_number(out, "risk_ratio", cause->risk_ratio);
    json_number(out, "q_value", cause->q_value);
    json_text(out, "and_attribute", cause->and_attribute);
    json_text(out, "and_value", cause->and_value);
    json_text(out, "first_bad", cause->first_bad);
    json_text(out, "last_good", cause->last_good);
    json_text(out, "first_good", cause->first_good);
    json_i64(out, "changed_hosts", whole(cause->changed_hosts));
    bool changed = cause->changed_hosts > 0;
    json_number(out, "rate_before", changed ? cause->rate_before : NAN);
    json_number(out, "rate_after", changed ? cause->rate_after : NAN);
    json_close(out, '}');
}

static void write_head(const struct finding *finding, struct strbuf *out)
{
    json_text(out, "id", finding->id);
    json_text(out, "kind", finding_kind_name(finding->kind));
    json_text(out, "status", finding_status_name(finding->status));
    json_text(out, "severity", finding_severity_name(finding->severity));
    json_number(out, "confidence", finding->confidence);
    json_text(out, "pool", pool_name(finding->pool));
    json_tag(out, "tag", finding->tag);
    json_key_open(out, "tags", '[');
    for (size_t i = 0; i < finding->tag_count; i++) {
        json_comma(out);
        json_value_tag(out, finding->tags[i]);
    }
    json_close(out, ']');
    json_text(out, "summary", finding->summary);
}

static void write_owner(const struct finding *finding, struct strbuf *out)
{
    json_key(out, "owner");
    if (finding->owner_driver == NULL && finding->owner_description == NULL) {
        json_value_text(out, NULL);
        return;
    }
    json_open(out, '{');
    json_text(out, "driver", finding->owner_driver);
    json_text(out, "description", finding->owner_description);
    json_text(out, "source", finding->owner_source);
    json_close(out, '}');
}

static void write_record(const struct finding_record *record, struct strbuf *out)
{
    static const struct finding_record none = {.muted_until_us = TIME_UNKNOWN,
                                               .opened_at_us = TIME_UNKNOWN,
                                               .resolved_at_us = TIME_UNKNOWN,
                                               .reopened_at_us = TIME_UNKNOWN};
    const struct finding_record *from = record == NULL ? &none : record;

    json_text(out, "note", from->note);
    json_time(out, "muted_until", from->muted_until_us);
    json_text(out, "acknowledged_by", from->acknowledged_by);
    json_time(out, "opened_at", from->opened_at_us);
    json_time(out, "resolved_at", from->resolved_at_us);
    json_time(out, "reopened_at", from->reopened_at_us);
    json_i64(out, "reopened_count", from->reopened_count);
    json_i64(out, "muted_by", key_or_absent(from->muted_by));
    json_bool(out, "born_muted", from->born_muted);
    json_i64(out, "muted_hosts", whole(from->muted_hosts));
    json_i64(out, "version", record == NULL ? NUMBER_ABSENT : from->version);
}

void finding_json_begin(const struct finding *finding, const struct finding_record *record,
                        size_t hosts_max, struct strbuf *out)
{
    size_t total = record != NULL ? record->host_total : finding->host_count;

    json_open(out, '{');
    write_head(finding, out);
    json_i64(out, "host_count", whole(total));
    json_key_open(out, "hosts", '[');
    for (size_t i = 0; i < finding->host_count && i < hosts_max; i++)
        write_host(&finding->hosts[i],
                   record == NULL || record->host_lives == NULL ? NULL : &record->host_lives[i],
                   record != NULL, out);
    json_close(out, ']');
    json_key_open(out, "explained_by", '[');
    for (size_t i = 0; i < finding->cause_count; i++)
        write_cause(&finding->causes[i], out);
    json_close(out, ']');
    json_text(out, "cause_note", finding->cause_note);
    write_owner(finding, out);
    json_key_open(out, "evidence", '[');
    for (size_t i = 0; i < finding->evidence_count; i++) {
        json_comma(out);
        json_value_text(out, finding->evidence[i]);
    }
    json_close(out, ']');
    json_time(out, "first_seen", finding->first_seen_us);
    json_time(out, "last_seen", finding->last_seen_us);
    write_record(record, out);
}

void finding_json_write(const struct finding *finding, const struct finding_record *record,
                        size_t hosts_max, struct strbuf *out)
{
    finding_json_begin(finding, record, hosts_max, out);
    json_close(out, '}');
}

void finding_json_matches(const struct known_match *matches, size_t count, struct strbuf *out)
{
    json_key_open(out, "known_leaks", '[');
    for (size_t i = 0; i < count; i++) {
        const struct known_leak *leak = matches[i].leak;
        json_open(out, '{');
        json_text(out, "id", leak->id);
        json_text(out, "title", leak->title);
        json_text(out, "fit", known_fit_text(matches[i].fit));
        json_text(out, "says", matches[i].says[0] == '\0' ? NULL : matches[i].says);
        json_text(out, "advice", leak->advice);
        json_text(out, "source", leak->source);
        json_text(out, "confidence", leak->confidence);
        json_close(out, '}');
    }
    json_close(out, ']');
}

void finding_json_known(const struct finding *finding, const struct known_list *known,
                        struct strbuf *out)
{
    struct known_match matches[KNOWN_MATCHES_MAX];
    size_t count = known_match_finding(known, finding, KNOWN_MATCHES_MAX, matches);

    finding_json_matches(matches, count, out);
}

void findings_json_document(const struct finding_list *list, const struct known_list *known,
                            int64_t as_of_us, struct strbuf *out)
{
    json_open(out, '{');
    json_time(out, "as_of", as_of_us);
    json_key_open(out, "findings", '[');
    for (size_t i = 0; i < list->count; i++) {
        finding_json_begin(&list->items[i], NULL, SIZE_MAX, out);
        finding_json_known(&list->items[i], known, out);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_key_open(out, "faulty_hosts", '[');
    for (size_t i = 0; i < list->fault_count; i++) {
        json_open(out, '{');
        json_text(out, "id", list->faults[i].host_id);
        json_text(out, "name", list->faults[i].host_name);
        json_text(out, "code", list->faults[i].code);
        json_text(out, "reason", list->faults[i].reason);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}
