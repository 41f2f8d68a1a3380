/* SPDX-License-Identifier: Apache-2.0 */
/* The transport over libcurl: one keep-alive connection, one thread. Only http_curl.c sees curl. */
#ifndef AGENT_SIM_HTTP_CURL_H
#define AGENT_SIM_HTTP_CURL_H

#include "agent/core/transport.h"
#include "common/cleanup.h"

struct http_curl;

/* base: "http://127.0.0.1:8080". Plain http is for loopback only: ST_USAGE else, the token would
 * be readable on the way. token: NULL sends none. Call http_curl_global() once before. */
enum status http_curl_new(const char *base, const char *token, bool gzip,
                          struct http_curl **ret_http, struct err *err) MUST_CHECK;
void http_curl_free(struct http_curl *http);
static inline void cleanup_http_curl(struct http_curl **http)
{
    http_curl_free(*http);
}
#define AUTO_HTTP_CURL CLEANUP(cleanup_http_curl)

struct transport http_curl_transport(struct http_curl *http); /* borrowed from http */
bool http_curl_global(void); /* before the first thread; false when curl does not start */
bool http_url_is_loopback(const char *url);

#endif
