/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/http.h"

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_NONE] = "none",     [ROLE_HOST] = "host",         [ROLE_INGEST] = "ingest",
    [ROLE_VIEWER] = "viewer", [ROLE_OPERATOR] = "operator", [ROLE_ADMIN] = "admin",
    [ROLE_ENROLL] = "enroll",
};

/* Row: who asks; bit 1 << enum role: what that one may do. */
#define MAY(role) (1u << (role))
static const unsigned rights[ROLE_COUNT] = {
    [ROLE_NONE] = MAY(ROLE_NONE),
    [ROLE_HOST] = MAY(ROLE_NONE) | MAY(ROLE_HOST),
    [ROLE_INGEST] = MAY(ROLE_NONE) | MAY(ROLE_INGEST),
    [ROLE_VIEWER] = MAY(ROLE_NONE) | MAY(ROLE_VIEWER),
    [ROLE_OPERATOR] = MAY(ROLE_NONE) | MAY(ROLE_VIEWER) | MAY(ROLE_OPERATOR),
    [ROLE_ADMIN] = MAY(ROLE_NONE) | MAY(ROLE_HOST) | MAY(ROLE_INGEST) | MAY(ROLE_VIEWER) |
                   MAY(ROLE_OPERATOR) | MAY(ROLE_ADMIN),
    [ROLE_ENROLL] = MAY(ROLE_NONE) | MAY(ROLE_ENROLL),
};

const char *role_name(enum role role)
{
    return (unsigned)role < ROLE_COUNT ? role_names[role] : "none";
}

bool role_parse(const char *name, enum role *ret_role)
{
    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        if (strcmp(role_names[i], name) == 0) {
            *ret_role = (enum role)i;
            return true;
        }
    }
    return false;
}

bool role_allows(enum role have, enum role needed)
{
    if ((unsigned)have >= ROLE_COUNT || (unsigned)needed >= ROLE_COUNT)
        return false;
    return (rights[have] & MAY(needed)) != 0;
}

static const char *const method_names[METHOD_COUNT] = {
    [METHOD_GET] = "GET", [METHOD_POST] = "POST",     [METHOD_PATCH] = "PATCH",
    [METHOD_PUT] = "PUT", [METHOD_DELETE] = "DELETE",
};

const char *method_name(enum method method)
{
    return (unsigned)method < METHOD_COUNT ? method_names[method] : "GET";
}

bool method_parse(const char *name, enum method *ret_method)
{
    for (unsigned i = 0; i < METHOD_COUNT; i++) {
        if (strcmp(method_names[i], name) == 0) {
            *ret_method = (enum method)i;
            return true;
        }
    }
    return false;
}

const char *media_type(enum media media)
{
    switch (media) {
    case MEDIA_NDJSON:
        return "application/x-ndjson";
    case MEDIA_CSV:
        return "text/csv; charset=utf-8";
    case MEDIA_TEXT:
        return "text/plain; charset=utf-8";
    case MEDIA_HTML:
        return "text/html; charset=utf-8";
    case MEDIA_MARKDOWN:
        return "text/markdown; charset=utf-8";
    case MEDIA_PROMETHEUS:
        return "text/plain; version=0.0.4; charset=utf-8";
    case MEDIA_CBOR:
        return "application/cbor";
    case MEDIA_CBOR_SEQ:
        return "application/cbor-seq";
    case MEDIA_NONE:
    case MEDIA_JSON:
        break;
    }
    return "application/json";
}
