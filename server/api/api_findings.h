/* SPDX-License-Identifier: Apache-2.0 */
/* Findings: list, one with its history, what people change, whether a fix works, and the report. */
#ifndef SERVER_API_API_FINDINGS_H
#define SERVER_API_API_FINDINGS_H

#include "server/http/http.h"

#define API_FINDINGS_BODY_MAX 8192u /* a note of 2,000 characters, escaped */

enum status api_findings_list(struct req *rq, struct resp *rs, struct err *err);
enum status api_findings_get(struct req *rq, struct resp *rs, struct err *err);
enum status api_findings_patch(struct req *rq, struct resp *rs, struct err *err);
enum status api_findings_fix(struct req *rq, struct resp *rs, struct err *err);
enum status api_findings_series(struct req *rq, struct resp *rs, struct err *err);
enum status api_findings_report(struct req *rq, struct resp *rs, struct err *err);

#define API_FINDINGS_ROUTES                                                                        \
    ROUTE(METHOD_GET, "/api/v1/findings", ROLE_VIEWER, 0, 0,                                       \
          MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_findings_list, "listFindings"),               \
        ROUTE(METHOD_GET, "/api/v1/findings/{finding_id}", ROLE_VIEWER, 0, 0, MEDIA_JSON,          \
              api_findings_get, "getFinding"),                                                     \
        ROUTE(METHOD_PATCH, "/api/v1/findings/{finding_id}", ROLE_OPERATOR, API_FINDINGS_BODY_MAX, \
              MEDIA_JSON, MEDIA_JSON, api_findings_patch, "patchFinding"),                         \
        ROUTE(METHOD_GET, "/api/v1/findings/{finding_id}/fix", ROLE_VIEWER, 0, 0,                  \
              MEDIA_JSON | MEDIA_NDJSON | MEDIA_CSV, api_findings_fix, "getFindingFix"),           \
        ROUTE(METHOD_GET, "/api/v1/findings/{finding_id}/series", ROLE_VIEWER, 0, 0, MEDIA_JSON,   \
              api_findings_series, "getFindingSeries"),                                            \
        ROUTE(METHOD_GET, "/api/v1/findings/{finding_id}/report", ROLE_VIEWER, 0, 0,               \
              MEDIA_MARKDOWN | MEDIA_HTML, api_findings_report, "getFindingReport")

#endif
