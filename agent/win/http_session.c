/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before the first request: which server, over which proxy, with which TLS. A server on this
 * machine itself is reached without a proxy, and only such a one over plain http.
 */
#include "agent/win/http.h"
#include "agent/win/wide.h"

#include <winhttp.h>

#define HTTP_HEADER_BYTES      65536u
#define HTTP_URL_MAX           512
#define ACCEPTED_TLS12         0x00000800u
#define ACCEPTED_TLS13         0x00002000u
#define RESOLVE_AND_CONNECT_MS 15000
#define SEND_MS                30000
#define RECEIVE_MS             30000
#define LOOPBACK_COUNT         3

/* Names of this host itself: plain http is for them alone, and no proxy stands between. */
static bool host_is_loopback(const wchar_t *host)
{
    static const wchar_t *const names[LOOPBACK_COUNT] = {L"localhost", L"127.0.0.1", L"[::1]"};
    for (size_t i = 0; i < LOOPBACK_COUNT; i++) {
        if (_wcsicmp(host, names[i]) == 0)
            return true;
    }
    return false;
}

static enum status url_read(struct win_http *http, const char *url, INTERNET_PORT *ret_port,
                            struct err *err)
{
    wchar_t path[8], user[8];
    URL_COMPONENTS parts = {0};
    parts.dwStructSize = sizeof parts;
    parts.lpszHostName = http->host;
    parts.dwHostNameLength = sizeof http->host / sizeof http->host[0];
    parts.lpszUrlPath = path;
    parts.dwUrlPathLength = sizeof path / sizeof path[0];
    parts.lpszUserName = user;
    parts.dwUserNameLength = sizeof user / sizeof user[0];
    wchar_t *wide AUTO_FREE = wide_from_utf8(url);
    if (wide == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    if (*url == '\0')
        return err_set(err, ST_INVALID, "ServerUrl is not set");
    if (strlen(url) > HTTP_URL_MAX || !http_header_fits(url) ||
        !WinHttpCrackUrl(wide, 0, 0, &parts) || parts.dwHostNameLength == 0 ||
        parts.dwUserNameLength != 0 || (path[0] != L'\0' && wcscmp(path, L"/") != 0))
        return err_set(err, ST_INVALID,
                       "ServerUrl: \"%.100s\" is not of the form \"https://host\" or "
                       "\"https://host:port\"",
                       http_header_fits(url) ? url : "...");
    http->secure = parts.nScheme == INTERNET_SCHEME_HTTPS;
    if (!http->secure && !host_is_loopback(http->host))
        return err_set(err, ST_INVALID,
                       "ServerUrl: \"%.100s\" needs https: plain http is for a server on this "
                       "machine only",
                       url);
    snprintf(http->where, sizeof http->where, "\"%.100s\"", url);
    *ret_port = parts.nPort;
    return ST_OK;
}

/* "http://host:port/" -> L"host:port": WinHTTP's own form. */
static wchar_t *proxy_address(const char *proxy)
{
    static const char scheme[] = "http://";
    if (strncmp(proxy, scheme, sizeof scheme - 1) == 0)
        proxy += sizeof scheme - 1;
    wchar_t *wide = wide_from_utf8(proxy);
    size_t length = wide == NULL ? 0 : wcslen(wide);
    if (length > 0 && wide[length - 1] == L'/')
        wide[length - 1] = L'\0';
    return wide;
}

static enum status session_open(struct win_http *http, const char *proxy, struct err *err)
{
    static const wchar_t name[] = L"poolfleet-agent";
    wchar_t *named AUTO_FREE = NULL;
    if (host_is_loopback(http->host) || strcmp(proxy, "none") == 0) {
        http->session = WinHttpOpen(name, WINHTTP_ACCESS_TYPE_NO_PROXY, WINHTTP_NO_PROXY_NAME,
                                    WINHTTP_NO_PROXY_BYPASS, WINHTTP_FLAG_ASYNC);
    } else if (*proxy != '\0') {
        named = proxy_address(proxy);
        if (named == NULL)
            return err_set(err, ST_NOMEM, "out of memory");
        http->session = WinHttpOpen(name, WINHTTP_ACCESS_TYPE_NAMED_PROXY, named,
                                    WINHTTP_NO_PROXY_BYPASS, WINHTTP_FLAG_ASYNC);
    } else {
        http->session =
            WinHttpOpen(name, WINHTTP_ACCESS_TYPE_AUTOMATIC_PROXY, WINHTTP_NO_PROXY_NAME,
                        WINHTTP_NO_PROXY_BYPASS, WINHTTP_FLAG_ASYNC);
        if (http->session == NULL) /* before Windows 8.1 */
            http->session =
                WinHttpOpen(name, WINHTTP_ACCESS_TYPE_DEFAULT_PROXY, WINHTTP_NO_PROXY_NAME,
                            WINHTTP_NO_PROXY_BYPASS, WINHTTP_FLAG_ASYNC);
    }
    if (http->session == NULL && *proxy != '\0')
        return err_set(err, ST_INVALID, "Proxy: \"%.100s\" is not \"none\" or \"http://host:port\"",
                       http_header_fits(proxy) ? proxy : "...");
    if (http->session == NULL)
        return wide_last_error(err, "start WinHTTP");
    return ST_OK;
}

static enum status session_prepare(struct win_http *http, struct err *err)
{
    DWORD protocols = ACCEPTED_TLS12 | ACCEPTED_TLS13;
    DWORD header_bytes = HTTP_HEADER_BYTES;
    if (!WinHttpSetTimeouts(http->session, RESOLVE_AND_CONNECT_MS, RESOLVE_AND_CONNECT_MS, SEND_MS,
                            RECEIVE_MS))
        return wide_last_error(err, "set WinHTTP's time limits");
    if (!WinHttpSetOption(http->session, WINHTTP_OPTION_SECURE_PROTOCOLS, &protocols,
                          sizeof protocols)) {
        protocols = ACCEPTED_TLS12;
        if (!WinHttpSetOption(http->session, WINHTTP_OPTION_SECURE_PROTOCOLS, &protocols,
                              sizeof protocols) &&
            http->secure)
            return err_set(err, ST_UNSUPPORTED,
                           "this Windows has no TLS 1.2: update it (KB3140245), or send through a "
                           "relay");
    }
    WinHttpSetOption(http->session, WINHTTP_OPTION_MAX_RESPONSE_HEADER_SIZE, &header_bytes,
                     sizeof header_bytes);
    WinHttpSetOption(http->session, WINHTTP_OPTION_MAX_RESPONSE_DRAIN_SIZE, &header_bytes,
                     sizeof header_bytes);
    if (WinHttpSetStatusCallback(
            http->session, http_on_status,
            WINHTTP_CALLBACK_FLAG_ALL_COMPLETIONS | WINHTTP_CALLBACK_FLAG_HANDLES |
                WINHTTP_CALLBACK_FLAG_SECURE_FAILURE | WINHTTP_CALLBACK_FLAG_SEND_REQUEST,
            0) == WINHTTP_INVALID_STATUS_CALLBACK)
        return wide_last_error(err, "listen to WinHTTP");
    return ST_OK;
}

enum status http_prepare(struct win_http *http, const struct settings *settings, struct err *err)
{
    INTERNET_PORT port = 0;
    InitializeCriticalSection(&http->lock);
    http->abort = CreateEventW(NULL, TRUE, FALSE, NULL);
    http->idle = CreateEventW(NULL, TRUE, TRUE, NULL);
    if (http->abort == NULL || http->idle == NULL)
        return wide_last_error(err, "make an event");
    enum status st = url_read(http, settings_text(settings, SETTING_SERVER_URL), &port, err);
    if (st == ST_OK)
        st = http_trust_open(settings, &http->trust, err);
    if (st == ST_OK)
        st = session_open(http, settings_text(settings, SETTING_PROXY), err);
    if (st == ST_OK)
        st = session_prepare(http, err);
    if (st != ST_OK)
        return st;
    http->connect = WinHttpConnect(http->session, http->host, port, 0);
    if (http->connect == NULL)
        return wide_last_error(err, "use ServerUrl");
    return ST_OK;
}
