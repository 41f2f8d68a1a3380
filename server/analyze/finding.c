/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/finding.h"

#include <string.h>

static const char *const kind_names[FINDING_KIND_COUNT] = {
    [FINDING_LEAK] = "leak",
    [FINDING_LEVEL] = "level",
    [FINDING_PLATEAU] = "plateau",
    [FINDING_EXHAUSTION] = "exhaustion",
    [FINDING_HANDLE_LEAK] = "handle_leak",
    [FINDING_SHIFT] = "shift",
};

static const char *const severity_names[SEVERITY_COUNT] = {
    [SEVERITY_INFO] = "info",
    [SEVERITY_WARNING] = "warning",
    [SEVERITY_CRITICAL] = "critical",
};

static const char *const status_names[FINDING_STATUS_COUNT] = {
    [FINDING_OPEN] = "open",
    [FINDING_ACKNOWLEDGED] = "acknowledged",
    [FINDING_MUTED] = "muted",
    [FINDING_RESOLVED] = "resolved",
};

static bool find_name(const char *const *names, size_t count, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

const char *finding_kind_name(enum finding_kind kind)
{
    return (size_t)kind < FINDING_KIND_COUNT ? kind_names[kind] : NULL;
}

const char *finding_severity_name(enum finding_severity severity)
{
    return (size_t)severity < SEVERITY_COUNT ? severity_names[severity] : NULL;
}

const char *finding_status_name(enum finding_status status)
{
    return (size_t)status < FINDING_STATUS_COUNT ? status_names[status] : NULL;
}

bool finding_kind_parse(const char *name, enum finding_kind *ret_kind)
{
    size_t index;
    if (!find_name(kind_names, FINDING_KIND_COUNT, name, &index))
        return false;
    *ret_kind = (enum finding_kind)index;
    return true;
}

bool finding_severity_parse(const char *name, enum finding_severity *ret_severity)
{
    size_t index;
    if (!find_name(severity_names, SEVERITY_COUNT, name, &index))
        return false;
    *ret_severity = (enum finding_severity)index;
    return true;
}

bool finding_status_parse(const char *name, enum finding_status *ret_status)
{
    size_t index;
    if (!find_name(status_names, FINDING_STATUS_COUNT, name, &index))
        return false;
    *ret_status = (enum finding_status)index;
    return true;
}

const char *finding_app_of(const char *attribute)
{
    bool is = strncmp(attribute, "app", 3) == 0 && (attribute[3] == '.' || attribute[3] == '/');
    return is ? attribute + 4 : NULL;
}

void finding_list_done(struct finding_list *list)
{
    arena_done(&list->arena);
    *list = (struct finding_list){0};
}
