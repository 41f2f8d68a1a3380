/* SPDX-License-Identifier: Apache-2.0 */
#include "server/report/names.h"

#include <stdlib.h>
#include <string.h>

static size_t host_number(const struct report_input *input, size_t host)
{
    const struct finding_host_life *lives = input->record->host_lives;
    return lives == NULL || lives[host].number <= 0 ? host + 1 : (size_t)lives[host].number;
}

static bool has_name(const struct report_names *names, const char *kind, const char *name,
                     size_t *ret_used)
{
    size_t used = 0;

    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].kind, kind) != 0)
            continue;
        used++;
        if (strcasecmp(names->items[i].name, name) == 0)
            return true;
    }
    *ret_used = used;
    return false;
}

static void add_once(struct report_names *names, const char *kind, const char *name)
{
    size_t used = 0;

    if (name != NULL && *name != '\0' && !has_name(names, kind, name, &used))
        names->items[names->count++] = (struct report_name){name, kind, used + 1};
}

/* A longer name first, so that "TS01.lan" is not read as "TS01" and the rest left standing. */
static int compare_length(const void *a, const void *b)
{
    size_t x = strlen(((const struct report_name *)a)->name);
    size_t y = strlen(((const struct report_name *)b)->name);
    return x < y ? 1 : x > y ? -1 : 0;
}

bool report_names_new(const struct report_input *input, struct report_names *ret_names)
{
    const struct finding *finding = &input->record->finding;
    size_t room = 3 * finding->host_count + finding->cause_count + 1;
    struct report_names names = {.show = input->show_names,
                                 .items = calloc(room, sizeof *names.items)};

    if (names.items == NULL)
        return false;
    for (size_t i = 0; i < finding->host_count; i++)
        add_once(&names, "process", finding->hosts[i].process);
    for (size_t i = 0; i < finding->cause_count; i++)
        add_once(&names, "app", finding_app_of(finding->causes[i].attribute));
    for (size_t i = 0; i < finding->host_count; i++) {
        const char *both[] = {finding->hosts[i].name, finding->hosts[i].id};
        for (size_t j = 0; j < 2; j++)
            if (both[j] != NULL && *both[j] != '\0')
                names.items[names.count++] =
                    (struct report_name){both[j], "host", host_number(input, i)};
    }
    qsort(names.items, names.count, sizeof *names.items, compare_length);
    *ret_names = names;
    return true;
}

void report_names_done(struct report_names *names)
{
    free(names->items);
    names->items = NULL;
}

const char *report_alias_host(const struct report_input *input, const struct report_names *names,
                              size_t host, char text[REPORT_ALIAS_MAX])
{
    const struct finding_host *at = &input->record->finding.hosts[host];

    if (names->show)
        return at->name != NULL ? at->name : at->id;
    snprintf(text, REPORT_ALIAS_MAX, "host %zu", host_number(input, host));
    return text;
}

const char *report_alias(const struct report_names *names, const char *name,
                         char text[REPORT_ALIAS_MAX])
{
    if (names->show || name == NULL)
        return name;
    for (size_t i = 0; i < names->count; i++)
        if (strcasecmp(names->items[i].name, name) == 0) {
            snprintf(text, REPORT_ALIAS_MAX, "%s %zu", names->items[i].kind,
                     names->items[i].number);
            return text;
        }
    return name;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || (unsigned char)c >= 0x80;
}

/* The name that stands at text[at] as a whole word. */
static const struct report_name *name_at(const struct report_names *names, const char *text,
                                         size_t at)
{
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i].name;
        size_t length = strlen(name);
        bool begins = at == 0 || !is_word(text[at - 1]) || !is_word(name[0]);
        if (begins && strncasecmp(text + at, name, length) == 0 &&
            (!is_word(text[at + length]) || !is_word(name[length - 1])))
            return &names->items[i];
    }
    return NULL;
}

void report_replace(const struct report_names *names, const char *text, struct strbuf *out)
{
    for (size_t at = 0; text[at] != '\0';) {
        const struct report_name *name = names->show ? NULL : name_at(names, text, at);
        if (name == NULL) {
            strbuf_putc(out, text[at++]);
            continue;
        }
        strbuf_printf(out, "%s %zu", name->kind, name->number);
        at += strlen(name->name);
    }
}
