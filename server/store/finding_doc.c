/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/finding_doc.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static void write_text(struct strbuf *out, const char *name, const char *text)
{
    if (text == NULL)
        return;
    if (!out->failed && out->data[out->length - 1] != '{')
        strbuf_putc(out, ',');
    strbuf_json(out, name);
    strbuf_putc(out, ':');
    strbuf_json(out, text);
}

static void write_cause(const struct finding_cause *cause, struct strbuf *out)
{
    strbuf_putc(out, '{');
    write_text(out, "attribute", cause->attribute);
    write_text(out, "value", cause->value);
    strbuf_printf(out, ",\"counts\":[%zu,%zu,%zu,%zu]", cause->affected, cause->affected_with,
                  cause->unaffected, cause->unaffected_with);
    if (isfinite(cause->risk_ratio))
        strbuf_printf(out, ",\"risk_ratio\":%.17g", cause->risk_ratio);
    if (isfinite(cause->q_value))
        strbuf_printf(out, ",\"q_value\":%.17g", cause->q_value);
    write_text(out, "and_attribute", cause->and_attribute);
    write_text(out, "and_value", cause->and_value);
    write_text(out, "first_bad", cause->first_bad);
    write_text(out, "last_good", cause->last_good);
    write_text(out, "first_good", cause->first_good);
    if (cause->changed_hosts > 0 && isfinite(cause->rate_before) && isfinite(cause->rate_after))
        strbuf_printf(out, ",\"changed\":[%zu,%.17g,%.17g]", cause->changed_hosts,
                      cause->rate_before, cause->rate_after);
    strbuf_putc(out, '}');
}

void finding_doc_write(const struct finding *finding, struct strbuf *out)
{
    strbuf_putc(out, '{');
    write_text(out, "owner_driver", finding->owner_driver);
    write_text(out, "owner_description", finding->owner_description);
    write_text(out, "owner_source", finding->owner_source);
    write_text(out, "cause_note", finding->cause_note);
    if (!out->failed && out->data[out->length - 1] != '{')
        strbuf_putc(out, ',');
    strbuf_puts(out, "\"causes\":[");
    for (size_t i = 0; i < finding->cause_count; i++) {
        strbuf_puts(out, i == 0 ? "" : ",");
        write_cause(&finding->causes[i], out);
    }
    strbuf_puts(out, "],\"evidence\":[");
    for (size_t i = 0; i < finding->evidence_count; i++) {
        strbuf_puts(out, i == 0 ? "" : ",");
        strbuf_json(out, finding->evidence[i]);
    }
    strbuf_puts(out, "]}");
}

/* ---- reading ---------------------------------------------------------------- */

static void cleanup_json(json_t **json)
{
    json_decref(*json);
}

static const char *read_text(const json_t *object, const char *name, struct arena *arena,
                             bool *failed)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL)
        return NULL;
    const char *copy = arena_strdup(arena, text);
    *failed = *failed || copy == NULL;
    return copy;
}

static double read_real(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static size_t read_count(const json_t *counts, size_t index)
{
    json_int_t value = json_integer_value(json_array_get(counts, index));
    return value > 0 ? (size_t)value : 0;
}

static double read_rate(const json_t *list, size_t index)
{
    const json_t *value = json_array_get(list, index);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void read_cause(const json_t *json, struct arena *arena, struct finding_cause *cause,
                       bool *failed)
{
    const json_t *counts = json_object_get(json, "counts");

    cause->attribute = read_text(json, "attribute", arena, failed);
    cause->value = read_text(json, "value", arena, failed);
    cause->affected = read_count(counts, 0);
    cause->affected_with = read_count(counts, 1);
    cause->unaffected = read_count(counts, 2);
    cause->unaffected_with = read_count(counts, 3);
    cause->risk_ratio = read_real(json, "risk_ratio");
    cause->q_value = read_real(json, "q_value");
    cause->and_attribute = read_text(json, "and_attribute", arena, failed);
    cause->and_value = read_text(json, "and_value", arena, failed);
    cause->first_bad = read_text(json, "first_bad", arena, failed);
    cause->last_good = read_text(json, "last_good", arena, failed);
    cause->first_good = read_text(json, "first_good", arena, failed);
    const json_t *changed = json_object_get(json, "changed"); /* missing in older documents */
    cause->changed_hosts = read_count(changed, 0);
    cause->rate_before = json_is_array(changed) ? read_rate(changed, 1) : NAN;
    cause->rate_after = json_is_array(changed) ? read_rate(changed, 2) : NAN;
}

enum status finding_doc_read(const char *text, struct arena *arena, struct finding *ret_finding,
                             struct err *err)
{
    CLEANUP(cleanup_json) json_t *json = json_loads(text == NULL ? "" : text, 0, NULL);
    bool failed = false;

    if (!json_is_object(json))
        return err_set(err, ST_BUG, "could not read a finding's document: not an object");
    const json_t *causes = json_object_get(json, "causes");
    const json_t *evidence = json_object_get(json, "evidence");
    size_t cause_count = json_array_size(causes), evidence_count = json_array_size(evidence);
    const char **sentences = arena_alloc(arena, evidence_count, sizeof *sentences);
    ret_finding->causes = arena_alloc(arena, cause_count, sizeof *ret_finding->causes);
    failed = sentences == NULL || ret_finding->causes == NULL;
    for (size_t i = 0; !failed && i < cause_count; i++)
        read_cause(json_array_get(causes, i), arena, &ret_finding->causes[i], &failed);
    for (size_t i = 0; !failed && i < evidence_count; i++) {
        const char *sentence = json_string_value(json_array_get(evidence, i));
        sentences[i] = arena_strdup(arena, sentence == NULL ? "" : sentence);
        failed = sentences[i] == NULL;
    }
    ret_finding->cause_count = cause_count;
    ret_finding->evidence = sentences;
    ret_finding->evidence_count = evidence_count;
    ret_finding->owner_driver = read_text(json, "owner_driver", arena, &failed);
    ret_finding->owner_description = read_text(json, "owner_description", arena, &failed);
    ret_finding->owner_source = read_text(json, "owner_source", arena, &failed);
    ret_finding->cause_note = read_text(json, "cause_note", arena, &failed);
    if (failed)
        return err_set(err, ST_NOMEM, "could not read a finding's document: out of memory");
    return ST_OK;
}
