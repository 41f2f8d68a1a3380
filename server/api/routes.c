/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route table: one row per operation, with the role it needs. Each resource's header holds its
 * own rows beside the handlers they name. schema/openapi.yaml says the same; a test compares both.
 */
#include "server/api/api_agent.h"
#include "server/api/api_audit.h"
#include "server/api/api_diagnose.h"
#include "server/api/api_drivers.h"
#include "server/api/api_enroll.h"
#include "server/api/api_explain.h"
#include "server/api/api_findings.h"
#include "server/api/api_hosts.h"
#include "server/api/api_ingest.h"
#include "server/api/api_known.h"
#include "server/api/api_map.h"
#include "server/api/api_meta.h"
#include "server/api/api_mutes.h"
#include "server/api/api_notify.h"
#include "server/api/api_overview.h"
#include "server/api/api_server.h"
#include "server/api/api_session.h"
#include "server/api/api_tag_lists.h"
#include "server/api/api_tags.h"
#include "server/api/api_tokens.h"
#include "server/api/api_users.h"

const struct route routes[] = {
    API_ENROLL_ROUTES,   API_AGENT_ROUTES,    API_SESSION_ROUTES, API_INGEST_ROUTES,
    API_OVERVIEW_ROUTES, API_HOSTS_ROUTES,    API_TAGS_ROUTES,    API_FINDINGS_ROUTES,
    API_DRIVERS_ROUTES,  API_DIAGNOSE_ROUTES, API_KNOWN_ROUTES,   API_META_ROUTES,
    API_USERS_ROUTES,    API_TOKENS_ROUTES,   API_AUDIT_ROUTES,   API_NOTIFY_ROUTES,
    API_EXPLAIN_ROUTES,  API_MUTES_ROUTES,    API_SERVER_ROUTES,  API_TAG_LISTS_ROUTES,
    API_MAP_ROUTES,
};

const size_t route_count = sizeof routes / sizeof routes[0];
