/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sim/expect.h"

static bool names_group(const struct scenario_expect *expect, const char *group)
{
    return strcmp(expect->group, group) == 0 ||
           (expect->also != NULL && strcmp(expect->also, group) == 0);
}

/* No expectation names the host: no finding should either. */
static bool silent(const struct sim_host *host)
{
    for (size_t i = 0; host->scenario != NULL && i < host->scenario->expect_count; i++) {
        if (names_group(&host->scenario->expects[i], host->group->name))
            return false;
    }
    return true;
}

static void put_key_text(struct strbuf *out, const char *key, const char *text)
{
    strbuf_printf(out, "\"%s\": ", key);
    strbuf_json(out, text);
}

/* Names of the hosts of an expectation, or else of a scenario, or else of the silent ones. */
static void put_hosts(struct strbuf *out, const struct world *world,
                      const struct scenario *scenario, const struct scenario_expect *expect)
{
    bool first = true;
    strbuf_putc(out, '[');
    for (size_t i = 0; i < world->count; i++) {
        const struct sim_host *host = &world->hosts[i];
        bool wanted = scenario == NULL ? silent(host) : host->scenario == scenario;
        if (!wanted || (expect != NULL && !names_group(expect, host->group->name)))
            continue;
        if (!first)
            strbuf_puts(out, ", ");
        strbuf_json(out, host->name);
        first = false;
    }
    strbuf_putc(out, ']');
}

static void put_tags(struct strbuf *out, const struct scenario_expect *expect)
{
    strbuf_putc(out, '[');
    for (size_t i = 0; i < expect->tag_count; i++) {
        char text[TAG_TEXT_MAX];
        tag_format(expect->tags[i], text);
        if (i > 0)
            strbuf_puts(out, ", ");
        strbuf_json(out, text);
    }
    strbuf_putc(out, ']');
}

static void put_finding(struct strbuf *out, const struct world *world,
                        const struct scenario *scenario, const struct scenario_expect *expect)
{
    strbuf_puts(out, "    {");
    put_key_text(out, "scenario", scenario->name);
    strbuf_puts(out, ", ");
    put_key_text(out, "source", scenario->source);
    strbuf_puts(out, ", \"kinds\": [");
    for (size_t i = 0; i < expect->kind_count; i++) {
        if (i > 0)
            strbuf_puts(out, ", ");
        strbuf_json(out, expect->kinds[i]);
    }
    strbuf_puts(out, "], \"pool\": ");
    if (expect->pool == POOL_UNKNOWN)
        strbuf_puts(out, "null");
    else
        strbuf_json(out, pool_name(expect->pool));
    strbuf_puts(out, ", \"tags\": ");
    put_tags(out, expect);
    strbuf_printf(out,
                  ", \"first_mover\": %s, \"hosts\": ", expect->first_mover ? "true" : "false");
    put_hosts(out, world, scenario, expect);
    strbuf_puts(out, ", \"cause\": ");
    if (expect->cause_attribute == NULL) {
        strbuf_puts(out, "null}");
        return;
    }
    strbuf_putc(out, '{');
    put_key_text(out, "attribute", expect->cause_attribute);
    strbuf_puts(out, ", ");
    put_key_text(out, "value", expect->cause_value);
    strbuf_puts(out, "}}");
}

static void put_scenario(struct strbuf *out, const struct world *world,
                         const struct scenario *scenario)
{
    strbuf_puts(out, "    {");
    put_key_text(out, "name", scenario->name);
    strbuf_puts(out, ", ");
    put_key_text(out, "story", scenario->story);
    strbuf_puts(out, ", ");
    put_key_text(out, "source", scenario->source);
    strbuf_printf(out,
                  ", \"silent\": %s, \"hosts\": ", scenario->expect_count == 0 ? "true" : "false");
    put_hosts(out, world, scenario, NULL);
    strbuf_putc(out, '}');
}

void expect_json(const struct world *world, const struct scenario_list *list, int64_t now_us,
                 uint64_t seed, struct strbuf *out)
{
    char at[TIME_TEXT_MAX];
    time_format(now_us, at);
    strbuf_printf(out, "{\n  \"as_of\": \"%s\",\n  \"seed\": ", at);
    strbuf_u64(out, seed);
    strbuf_printf(out, ",\n  \"hosts\": %zu,\n  \"findings\": [", world->count);
    bool first = true;
    for (size_t i = 0; i < list->count; i++) {
        for (size_t e = 0; e < list->items[i].expect_count; e++) {
            strbuf_puts(out, first ? "\n" : ",\n");
            put_finding(out, world, &list->items[i], &list->items[i].expects[e]);
            first = false;
        }
    }
    strbuf_puts(out, "\n  ],\n  \"silent\": ");
    put_hosts(out, world, NULL, NULL);
    strbuf_puts(out, ",\n  \"scenarios\": [");
    for (size_t i = 0; i < list->count; i++) {
        strbuf_puts(out, i == 0 ? "\n" : ",\n");
        put_scenario(out, world, &list->items[i]);
    }
    strbuf_puts(out, "\n  ]\n}\n");
}

static void text_expect(struct strbuf *out, const struct scenario_expect *expect)
{
    strbuf_puts(out, "  expected: ");
    for (size_t i = 0; i < expect->kind_count; i++)
        strbuf_printf(out, "%s%s", i > 0 ? " or " : "", expect->kinds[i]);
    if (expect->pool != POOL_UNKNOWN)
        strbuf_printf(out, ", %s pool", pool_name(expect->pool));
    for (size_t i = 0; i < expect->tag_count; i++) {
        char text[TAG_TEXT_MAX];
        tag_format(expect->tags[i], text);
        strbuf_printf(out, "%s\"%s\"", i == 0 ? ", " : " ", text);
    }
    strbuf_printf(out, ", on %s-*", expect->group);
    if (expect->also != NULL)
        strbuf_printf(out, " and %s-*", expect->also);
    if (expect->cause_attribute != NULL)
        strbuf_printf(out, ", explained by %s = %s", expect->cause_attribute, expect->cause_value);
    strbuf_putc(out, '\n');
}

void expect_text(const struct scenario_list *list, struct strbuf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct scenario *scenario = &list->items[i];
        size_t hosts = 0;
        for (size_t g = 0; g < scenario->group_count; g++)
            hosts += (size_t)scenario->groups[g].count;
        strbuf_printf(out, "%s%s (%zu hosts; %s)\n  %s\n", i > 0 ? "\n" : "", scenario->name, hosts,
                      scenario->source, scenario->story);
        for (size_t e = 0; e < scenario->expect_count; e++)
            text_expect(out, &scenario->expects[e]);
        if (scenario->expect_count == 0)
            strbuf_puts(out, "  expected: silence\n");
    }
}
