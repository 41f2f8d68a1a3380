/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One POST at a time over WinHTTP, asynchronous inside, so that two promises hold that the
 * synchronous mode cannot give: a whole request has one deadline however slowly bytes trickle in,
 * and another thread can end it at once.
 *
 * A request's state (struct exchange) is shared with WinHTTP's threads and counted: ours and that
 * of the request handle, which is dropped when WinHTTP says HANDLE_CLOSING, its last word. So a
 * post() that gives up returns at once and no callback touches freed memory; request body and read
 * buffer are the exchange's own for the same reason.
 *
 * With CaFile or Pin our own check runs in the callback between handshake and request
 * (exchange_check_trust) and closes the request when it fails. The first contact goes further: a
 * HEAD without token or body must pass it before anything of ours is sent (http_prove), and no body
 * is given to WinHTTP before the check has passed.
 *
 * Redirects are not followed: the API of a POST has none, and a token must not travel to where an
 * answer points. A 3xx is a fault that names the place.
 */
#include "agent/win/http.h"
#include "agent/win/wide.h"

#include <winhttp.h>

#define HTTP_DEADLINE_MS     60000u
#define HTTP_REPLY_BYTES     (1u << 20)
#define HTTP_CLOSE_MS        1000u /* a service has 2 s to stop */
#define HTTP_SENDS_MAX       3     /* 12032: a proxy's handshake wants the request again */
#define READ_BYTES           16384u
#define AUTOLOGON_PROXY_ONLY 3u /* since Windows 10; missing from our headers */
#define HEADER_TEXT_MAX      256

struct exchange {
    struct win_http *http; /* borrowed: win_http_close waits for it */
    volatile LONG references;
    HINTERNET volatile request; /* taken by the one who closes it */
    HANDLE signal;              /* the step under way has ended */
    DWORD started;
    /* Written by callbacks before signal is set. */
    DWORD error, secure, got;
    volatile LONG trusted; /* the key was checked, or need not be */
    bool refused;
    struct err refusal;
    wchar_t *headers;
    size_t headers_length;
    char *body;
    size_t body_length;
    unsigned char buffer[READ_BYTES];
};

/* ---- one exchange's life */

static void exchange_drop(struct exchange *ex)
{
    struct win_http *http = ex->http;
    if (InterlockedDecrement(&ex->references) != 0)
        return;
    if (ex->headers != NULL) {
        SecureZeroMemory(ex->headers, ex->headers_length * sizeof *ex->headers);
        free(ex->headers);
    }
    if (ex->signal != NULL)
        CloseHandle(ex->signal);
    free(ex->body);
    free(ex);
    EnterCriticalSection(&http->lock);
    if (--http->exchanges == 0)
        SetEvent(http->idle);
    LeaveCriticalSection(&http->lock);
}

static void exchange_close_request(struct exchange *ex)
{
    HINTERNET request = InterlockedExchangePointer((PVOID volatile *)&ex->request, NULL);
    if (request != NULL)
        WinHttpCloseHandle(request);
}

/* Between handshake and request: the last moment at which nothing has been told. A connection
 * that is still a proxy's has no certificate yet; the call comes again when it has. */
static void exchange_check_trust(struct exchange *ex, HINTERNET request)
{
    PCCERT_CONTEXT certificate = NULL;
    DWORD size = sizeof certificate;
    if (ex->trusted != 0)
        return;
    if (!WinHttpQueryOption(request, WINHTTP_OPTION_SERVER_CERT_CONTEXT, &certificate, &size)) {
        if (GetLastError() == ERROR_WINHTTP_INCORRECT_HANDLE_STATE)
            return;
        (void)err_set(&ex->refusal, ST_FORBIDDEN, "the server's certificate cannot be read");
    } else {
        enum status st =
            http_trust_check(ex->http->trust, certificate, ex->http->host, &ex->refusal);
        CertFreeCertificateContext(certificate);
        if (st == ST_OK) {
            InterlockedExchange(&ex->trusted, 1);
            return;
        }
    }
    ex->refused = true;
    exchange_close_request(ex); /* nothing more is sent */
    SetEvent(ex->signal);
}

void CALLBACK http_on_status(HINTERNET handle, DWORD_PTR context, DWORD status, LPVOID info,
                             DWORD info_length)
{
    struct exchange *ex = (struct exchange *)context; /* NULL: session and connect handles */
    if (ex == NULL)
        return;
    InterlockedIncrement(&ex->references); /* what is called below may be the others' last word */
    switch (status) {
    case WINHTTP_CALLBACK_STATUS_SENDING_REQUEST:
        exchange_check_trust(ex, handle);
        break;
    case WINHTTP_CALLBACK_STATUS_SECURE_FAILURE:
        if (info != NULL)
            ex->secure = *(DWORD *)info;
        break;
    case WINHTTP_CALLBACK_STATUS_REQUEST_ERROR:
        ex->error = info == NULL ? ERROR_WINHTTP_INTERNAL_ERROR
                                 : ((const WINHTTP_ASYNC_RESULT *)info)->dwError;
        SetEvent(ex->signal);
        break;
    case WINHTTP_CALLBACK_STATUS_READ_COMPLETE:
        ex->got = info_length;
        SetEvent(ex->signal);
        break;
    case WINHTTP_CALLBACK_STATUS_SENDREQUEST_COMPLETE:
    case WINHTTP_CALLBACK_STATUS_WRITE_COMPLETE:
    case WINHTTP_CALLBACK_STATUS_HEADERS_AVAILABLE:
        SetEvent(ex->signal);
        break;
    case WINHTTP_CALLBACK_STATUS_HANDLE_CLOSING:
        exchange_drop(ex);
        break;
    default:
        break;
    }
    exchange_drop(ex);
}

/* Header values come from settings and from the server: nothing that could end a line. */
bool http_header_fits(const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value < 0x20 || *value > 0x7e)
            return false;
    }
    return true;
}

static enum status headers_make(const struct transport_request *request, struct exchange *ex,
                                struct err *err)
{
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    const struct {
        const char *name, *value;
    } headers[] = {
        {"Content-Type: ", request->content_type},
        {"Content-Encoding: ", request->content_encoding},
        {"Accept: ", request->accept},
        {"Authorization: Bearer ", request->bearer},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (headers[i].value == NULL)
            continue;
        if (!http_header_fits(headers[i].value))
            return err_set(err, ST_INVALID,
                           "a header's value holds a character that cannot be "
                           "sent");
        strbuf_puts(&text, headers[i].name);
        strbuf_puts(&text, headers[i].value);
        strbuf_puts(&text, "\r\n");
    }
    if (!strbuf_failed(&text))
        ex->headers = wide_from_utf8(text.data == NULL ? "" : text.data);
    if (text.data != NULL)
        SecureZeroMemory(text.data, text.length);
    if (ex->headers == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    ex->headers_length = wcslen(ex->headers);
    return ST_OK;
}

static enum status request_open(struct win_http *http, const wchar_t *verb, const char *path,
                                struct exchange *ex, struct err *err)
{
    wchar_t *wide AUTO_FREE = wide_from_utf8(path);
    if (wide == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    HINTERNET request =
        WinHttpOpenRequest(http->connect, verb, wide, NULL, WINHTTP_NO_REFERER,
                           WINHTTP_DEFAULT_ACCEPT_TYPES, http->secure ? WINHTTP_FLAG_SECURE : 0);
    if (request == NULL)
        return http_error(err, http->where, GetLastError(), 0);
    DWORD disable = WINHTTP_DISABLE_REDIRECTS | WINHTTP_DISABLE_COOKIES;
    DWORD_PTR context = (DWORD_PTR)ex;
    DWORD pass = SECURITY_FLAG_IGNORE_UNKNOWN_CA; /* exchange_check_trust knows better */
    DWORD autologon = AUTOLOGON_PROXY_ONLY;
    if (!WinHttpSetOption(request, WINHTTP_OPTION_DISABLE_FEATURE, &disable, sizeof disable) ||
        (http->trust != NULL && http->secure &&
         !WinHttpSetOption(request, WINHTTP_OPTION_SECURITY_FLAGS, &pass, sizeof pass)) ||
        !WinHttpSetOption(request, WINHTTP_OPTION_CONTEXT_VALUE, &context, sizeof context)) {
        DWORD error = GetLastError();
        WinHttpCloseHandle(request);
        return http_error(err, http->where, error, 0);
    }
    /* From here on HANDLE_CLOSING comes with our context. */
    InterlockedIncrement(&ex->references);
    ex->request = request;
    /* The system's own credentials are not for a server that asks for them. */
    if (!WinHttpSetOption(request, WINHTTP_OPTION_AUTOLOGON_POLICY, &autologon, sizeof autologon)) {
        autologon = WINHTTP_AUTOLOGON_SECURITY_LEVEL_HIGH;
        WinHttpSetOption(request, WINHTTP_OPTION_AUTOLOGON_POLICY, &autologon, sizeof autologon);
    }
    if (http->secure) /* a server that merely offers to take one gets none; that is not a fault */
        WinHttpSetOption(request, WINHTTP_OPTION_CLIENT_CERT_CONTEXT,
                         WINHTTP_NO_CLIENT_CERT_CONTEXT, 0);
    return ST_OK;
}

static enum status exchange_open(struct win_http *http, const wchar_t *verb,
                                 const struct transport_request *request,
                                 struct exchange **ret_exchange, struct err *err)
{
    struct exchange *ex = calloc(1, sizeof *ex);
    if (ex == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    ex->http = http;
    ex->references = 1;
    ex->started = GetTickCount();
    ex->trusted = http->trust == NULL || !http->secure;
    EnterCriticalSection(&http->lock);
    http->exchanges++;
    ResetEvent(http->idle);
    LeaveCriticalSection(&http->lock);
    ex->signal = CreateEventW(NULL, FALSE, FALSE, NULL);
    ex->body = malloc(request->length + 1);
    ex->body_length = request->length;
    enum status st = ST_OK;
    if (ex->signal == NULL || ex->body == NULL)
        st = err_set(err, ST_NOMEM, "out of memory");
    if (st == ST_OK) {
        memcpy(ex->body, request->length == 0 ? "" : request->data, request->length);
        st = headers_make(request, ex, err);
    }
    if (st == ST_OK)
        st = request_open(http, verb, request->path, ex, err);
    if (st != ST_OK) {
        exchange_drop(ex);
        return st;
    }
    *ret_exchange = ex;
    return ST_OK;
}

/* ---- one exchange, step by step */

static enum status exchange_fault(struct exchange *ex, DWORD error, struct err *err)
{
    if (ex->refused) {
        enum status st =
            err_set(err, ST_IO, "could not trust %s: %s", ex->http->where, ex->refusal.message);
        if (err != NULL)
            snprintf(err->hint, sizeof err->hint,
                     "compare the server's certificate with the "
                     "settings CaFile and Pin");
        return st;
    }
    return http_error(err, ex->http->where, error, ex->secure);
}

/* Until the step under way has ended, well or not. */
static enum status exchange_wait(struct exchange *ex, struct err *err)
{
    DWORD limit = ex->http->limits.deadline_ms;
    DWORD past = GetTickCount() - ex->started; /* modular: right over the wrap after 49 days */
    HANDLE handles[] = {ex->http->abort, ex->signal};
    DWORD which = WaitForMultipleObjects(2, handles, FALSE, past < limit ? limit - past : 0);
    if (which == WAIT_OBJECT_0)
        return err_set(err, ST_IO, "could not wait for %s: the agent stops", ex->http->where);
    if (which == WAIT_TIMEOUT)
        return err_set(err, ST_IO, "could not reach %s: no complete answer within %lu s",
                       ex->http->where, (unsigned long)((limit + 999) / 1000));
    if (ex->refused || ex->error != 0)
        return exchange_fault(ex, ex->error, err);
    return ST_OK;
}

static enum status exchange_send_once(struct exchange *ex, struct err *err)
{
    HINTERNET request = ex->request;
    ex->error = 0;
    if (!WinHttpSendRequest(request, ex->headers, (DWORD)ex->headers_length,
                            WINHTTP_NO_REQUEST_DATA, 0, (DWORD)ex->body_length, (DWORD_PTR)ex))
        return exchange_fault(ex, GetLastError(), err);
    enum status st = exchange_wait(ex, err);
    if (st == ST_OK && ex->trusted == 0) /* cannot be; if it is, nothing more is said */
        st = err_set(err, ST_IO, "could not trust %s: its certificate was not shown",
                     ex->http->where);
    if (st == ST_OK && ex->body_length > 0) {
        if (!WinHttpWriteData(request, ex->body, (DWORD)ex->body_length, NULL))
            return exchange_fault(ex, GetLastError(), err);
        st = exchange_wait(ex, err);
    }
    if (st != ST_OK)
        return st;
    if (!WinHttpReceiveResponse(request, NULL))
        return exchange_fault(ex, GetLastError(), err);
    return exchange_wait(ex, err);
}

static enum status exchange_send(struct exchange *ex, struct err *err)
{
    enum status st;
    int sends = 0;
    do
        st = exchange_send_once(ex, err);
    while (st != ST_OK && ex->error == ERROR_WINHTTP_RESEND_REQUEST && ++sends < HTTP_SENDS_MAX);
    return st;
}

/* A header as printable ASCII; false when there is none. */
static bool header_text(struct exchange *ex, DWORD which, char *text, size_t size)
{
    wchar_t wide[HEADER_TEXT_MAX];
    DWORD bytes = sizeof wide;
    if (!WinHttpQueryHeaders(ex->request, which, WINHTTP_HEADER_NAME_BY_INDEX, wide, &bytes,
                             WINHTTP_NO_HEADER_INDEX))
        return false;
    size_t length = bytes / sizeof *wide;
    size_t i = 0;
    for (; i < length && i + 1 < size; i++)
        text[i] = wide[i] > 0x20 && wide[i] < 0x7f ? (char)wide[i] : ' ';
    text[i] = '\0';
    return true;
}

static enum status code_check(struct exchange *ex, int code, struct err *err)
{
    char place[HTTP_PLACE_MAX] = "another place";
    if (code == HTTP_STATUS_PROXY_AUTH_REQ) {
        enum status st = err_set(err, ST_IO,
                                 "could not reach %s: the proxy asks for a sign-in "
                                 "(407)",
                                 ex->http->where);
        if (err != NULL)
            snprintf(err->hint, sizeof err->hint,
                     "let this host through without one, or set Proxy to another one");
        return st;
    }
    if (code >= 300 && code <= 399 && code != HTTP_STATUS_NOT_MODIFIED) {
        header_text(ex, WINHTTP_QUERY_LOCATION, place, sizeof place);
        enum status st = err_set(err, ST_IO, "could not use %s: it redirects to \"%s\" (%d)",
                                 ex->http->where, place, code);
        if (err != NULL)
            snprintf(err->hint, sizeof err->hint,
                     "set ServerUrl to the server itself: redirects are not followed");
        return st;
    }
    return ST_OK;
}

static enum status exchange_read_head(struct exchange *ex, struct transport_reply *reply,
                                      struct err *err)
{
    DWORD code = 0, size = sizeof code;
    char text[64];
    if (!WinHttpQueryHeaders(ex->request, WINHTTP_QUERY_STATUS_CODE | WINHTTP_QUERY_FLAG_NUMBER,
                             WINHTTP_HEADER_NAME_BY_INDEX, &code, &size, WINHTTP_NO_HEADER_INDEX))
        return exchange_fault(ex, GetLastError(), err);
    reply->retry_after_us = BACKOFF_NO_RETRY_AFTER;
    int64_t wait_us;
    if (header_text(ex, WINHTTP_QUERY_RETRY_AFTER, text, sizeof text) &&
        retry_after_parse(text, clock_wall_us(), &wait_us))
        reply->retry_after_us = wait_us;
    reply->code = (int)code;
    return code_check(ex, reply->code, err);
}

static enum status exchange_read_body(struct exchange *ex, struct transport_reply *reply,
                                      struct err *err)
{
    size_t limit = ex->http->limits.reply_bytes;
    DWORD announced = 0, size = sizeof announced;
    bool counted = WinHttpQueryHeaders(
        ex->request, WINHTTP_QUERY_CONTENT_LENGTH | WINHTTP_QUERY_FLAG_NUMBER,
        WINHTTP_HEADER_NAME_BY_INDEX, &announced, &size, WINHTTP_NO_HEADER_INDEX);
    for (;;) {
        ex->got = 0;
        if (!WinHttpReadData(ex->request, ex->buffer, sizeof ex->buffer, NULL))
            return exchange_fault(ex, GetLastError(), err);
        enum status st = exchange_wait(ex, err);
        if (st != ST_OK)
            return st;
        if (ex->got == 0)
            break;
        if (ex->got > sizeof ex->buffer || reply->body.length + ex->got > limit)
            return err_set(err, ST_IO, "could not use the answer of %s: it is larger than %lu KB",
                           ex->http->where, (unsigned long)(limit / 1024));
        strbuf_add(&reply->body, ex->buffer, ex->got);
    }
    if (strbuf_failed(&reply->body))
        return err_set(err, ST_NOMEM, "out of memory");
    if (counted && reply->body.length > announced) /* what was promised is what is taken */
        reply->body.length = announced;
    if (counted && reply->body.length < announced)
        return err_set(err, ST_IO,
                       "could not use the answer of %s: it was cut off after %lu of "
                       "%lu bytes",
                       ex->http->where, (unsigned long)reply->body.length,
                       (unsigned long)announced);
    return ST_OK;
}

/* One request to its end, but for what the answer's code means. */
static enum status http_exchange(struct win_http *http, const wchar_t *verb,
                                 const struct transport_request *request,
                                 struct transport_reply *reply, struct err *err)
{
    struct exchange *ex = NULL;
    bool head = verb[0] == L'H';
    enum status st = exchange_open(http, verb, request, &ex, err);
    if (st != ST_OK)
        return st;
    strbuf_clear(&reply->body);
    st = exchange_send(ex, err);
    if (st == ST_OK && !head)
        st = exchange_read_head(ex, reply, err);
    if (st == ST_OK && !head)
        st = exchange_read_body(ex, reply, err);
    if (st != ST_OK)
        strbuf_clear(&reply->body);
    exchange_close_request(ex);
    exchange_drop(ex);
    return st;
}

static enum status http_prove(struct win_http *http, struct err *err)
{
    static const struct transport_request question = {.path = "/healthz"};
    struct transport_reply answer = {0};
    if (http->proven || http->trust == NULL || !http->secure)
        return ST_OK;
    enum status st = http_exchange(http, L"HEAD", &question, &answer, err);
    strbuf_done(&answer.body);
    http->proven = st == ST_OK;
    return st;
}

static enum status http_post(void *arg, const struct transport_request *request,
                             struct transport_reply *reply, struct err *err)
{
    struct win_http *http = arg;
    if (WaitForSingleObject(http->abort, 0) == WAIT_OBJECT_0)
        return err_set(err, ST_IO, "could not reach %s: the agent stops", http->where);
    if (request->length > UINT32_MAX)
        return err_set(err, ST_TOO_LARGE, "a request is larger than 4 GB");
    enum status st = http_prove(http, err);
    if (st != ST_OK)
        return st;
    st = http_exchange(http, L"POST", request, reply, err);
    if (st != ST_OK)
        http->proven = false;
    return st;
}

/* ---- life */

enum status win_http_open_limited(const struct settings *settings,
                                  const struct win_http_limits *limits, struct win_http **ret_http,
                                  struct err *err)
{
    struct win_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    http->limits = *limits;
    http->transport.arg = http;
    http->transport.post = http_post;
    enum status st = http_prepare(http, settings, err);
    if (st != ST_OK) {
        win_http_close(http);
        return st;
    }
    *ret_http = http;
    return ST_OK;
}

enum status win_http_open(const struct settings *settings, struct win_http **ret_http,
                          struct err *err)
{
    const struct win_http_limits limits = {HTTP_DEADLINE_MS, HTTP_REPLY_BYTES};
    return win_http_open_limited(settings, &limits, ret_http, err);
}

void win_http_close(struct win_http *http)
{
    if (http == NULL)
        return;
    if (http->connect != NULL)
        WinHttpCloseHandle(http->connect);
    if (http->session != NULL)
        WinHttpCloseHandle(http->session);
    /* A request that does not let go in time keeps what it may still touch: the process is about
     * to end, and a leak is better than a callback into freed memory. */
    if (http->idle != NULL && WaitForSingleObject(http->idle, HTTP_CLOSE_MS) != WAIT_OBJECT_0)
        return;
    EnterCriticalSection(&http->lock); /* who said "idle" has left it */
    LeaveCriticalSection(&http->lock);
    DeleteCriticalSection(&http->lock);
    if (http->abort != NULL)
        CloseHandle(http->abort);
    if (http->idle != NULL)
        CloseHandle(http->idle);
    http_trust_close(http->trust);
    free(http);
}

const struct transport *win_http_transport(struct win_http *http)
{
    return &http->transport;
}

void win_http_abort(struct win_http *http)
{
    SetEvent(http->abort);
}
