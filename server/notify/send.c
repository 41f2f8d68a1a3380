/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notify/send.h"

#include "server/notify/mail.h"

#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX     65536 /* bytes of an answer we read at all */
#define ANSWER_SHOWN   160   /* of it in an error */
#define RETRY_MAX_US   US_PER_HOUR
#define URL_MEDIA_JSON "Content-Type: application/json"

/* ---- settings --------------------------------------------------------------- */

static enum status read_password(const char *path, char ret_password[256], struct err *err)
{
    ret_password[0] = '\0';
    if (path[0] == '\0')
        return ST_OK;
    AUTO_FILE FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_field(err, ST_USAGE, "smtp_password_file", "could not open \"%s\": %s", path,
                         strerror(errno));
    if (fgets(ret_password, 256, file) == NULL)
        return err_field(err, ST_USAGE, "smtp_password_file", "\"%s\" is empty", path);
    ret_password[strcspn(ret_password, "\r\n")] = '\0';
    return ST_OK;
}

static enum status read_smtp(const struct config *config, struct notify_settings *settings,
                             struct err *err)
{
    const char *url = config->smtp_url;

    if (url[0] == '\0')
        return ST_OK;
    if (strncmp(url, "smtp://", 7) != 0 && strncmp(url, "smtps://", 8) != 0)
        return err_field(err, ST_USAGE, "smtp_url",
                         "a URL such as smtp://mail.example.com:587 is wanted");
    if (!mail_address_ok(config->smtp_from))
        return err_field(err, ST_USAGE, "smtp_from", "mails need the address they come from");
    return read_password(config->smtp_password_file, settings->smtp_password, err);
}

static enum status read_digest(const char *text, int *ret_minute, struct err *err)
{
    *ret_minute = -1;
    if (text[0] == '\0')
        return ST_OK;
    if (strlen(text) != 5 || text[2] != ':' || strspn(text, "0123456789:") != 5 || text[0] > '2' ||
        text[3] > '5' || text[1] == ':' || text[4] == ':')
        return err_field(err, ST_USAGE, "digest_at", "\"%s\": a time such as 07:30 is wanted",
                         text);
    int hour = (text[0] - '0') * 10 + text[1] - '0';
    if (hour > 23)
        return err_field(err, ST_USAGE, "digest_at", "\"%s\": a time such as 07:30 is wanted",
                         text);
    *ret_minute = hour * 60 + (text[3] - '0') * 10 + text[4] - '0';
    return ST_OK;
}

static enum status check_public_url(const char *url, struct err *err)
{
    if (url[0] != '\0' && ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) ||
                           url[strlen(url) - 1] == '/' || strcspn(url, " \"<>") != strlen(url)))
        return err_field(err, ST_USAGE, "public_url",
                         "a URL such as https://poolfleet.example.com is wanted, without a slash "
                         "at its end");
    return ST_OK;
}

enum status notify_settings_read(const struct config *config, struct notify_settings *ret_settings,
                                 struct err *err)
{
    struct notify_settings settings = {
        .guard = {.allow_http = config->notify_allow_http, .resolve = notify_resolve_system},
        .timeout_us = config->notify_timeout_us,
        .ca_file = config->notify_ca,
        .public_url = config->public_url,
        .smtp_url = config->smtp_url,
        .smtp_from = config->smtp_from,
        .smtp_user = config->smtp_user,
        .smtp_plain = config->smtp_plain,
    };
    enum status status =
        notify_allow_parse(config->notify_allow_private, &settings.guard.allow, err);

    if (status == ST_OK && settings.ca_file[0] != '\0' && access(settings.ca_file, R_OK) != 0)
        status = err_field(err, ST_USAGE, "notify_ca", "could not read \"%s\": %s",
                           settings.ca_file, strerror(errno));
    if (status == ST_OK)
        status = check_public_url(config->public_url, err);
    if (status == ST_OK)
        status = read_smtp(config, &settings, err);
    if (status == ST_OK)
        status = read_digest(config->digest_at, &settings.digest_minute, err);
    if (status == ST_OK)
        *ret_settings = settings;
    return status;
}

/* ---- the signature ---------------------------------------------------------- */

void notify_sign(const char *secret, int64_t at_us, const char *body, size_t length,
                 char ret_text[NOTIFY_SIGNATURE_MAX])
{
    unsigned char hash[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    char stamp[32], hex[2 * sizeof hash + 1];

    snprintf(stamp, sizeof stamp, "%lld.", (long long)(at_us / US_PER_SECOND));
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)stamp, strlen(stamp));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, length);
    crypto_auth_hmacsha256_final(&state, hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    stamp[strlen(stamp) - 1] = '\0';
    snprintf(ret_text, NOTIFY_SIGNATURE_MAX, "t=%s,v1=%s", stamp, hex);
}

/* ---- what both ways share --------------------------------------------------- */

struct attempt {
    CURL *curl;
    struct curl_slist *headers, *pins, *recipients;
    struct strbuf body; /* of the request, or the mail */
    size_t read;        /* of the mail */
    struct strbuf answer;
    size_t answered; /* bytes that came, also those not kept */
    struct notify_pin pin;
    const atomic_bool *stop;
    char error[CURL_ERROR_SIZE];
};

static void attempt_done(struct attempt *attempt)
{
    curl_easy_cleanup(attempt->curl);
    curl_slist_free_all(attempt->headers);
    curl_slist_free_all(attempt->pins);
    curl_slist_free_all(attempt->recipients);
    strbuf_done(&attempt->body);
    strbuf_done(&attempt->answer);
}

/* Past the bound the transfer ends: whoever answers so much has taken or refused it by then. */
static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
    struct attempt *attempt = arg;
    size_t bytes = size * count;

    attempt->answered += bytes;
    if (attempt->answered > ANSWER_MAX)
        return 0;
    if (attempt->answer.length < ANSWER_SHOWN) {
        size_t room = ANSWER_SHOWN - attempt->answer.length;
        strbuf_add(&attempt->answer, data, bytes < room ? bytes : room);
    }
    return bytes;
}

static int on_progress(void *arg, curl_off_t to_get, curl_off_t got, curl_off_t to_put,
                       curl_off_t put)
{
    const struct attempt *attempt = arg;
    (void)to_get, (void)got, (void)to_put, (void)put;
    return attempt->stop != NULL && atomic_load(attempt->stop);
}

/* The second line behind the resolve list: no socket but to an address that was checked. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    const struct attempt *attempt = arg;

    if (purpose != CURLSOCKTYPE_IPCXN || !notify_pin_has(&attempt->pin, &address->addr))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

#define SET(option, value) (ok = ok && curl_easy_setopt(curl, option, value) == CURLE_OK)

static bool set_common(struct attempt *attempt, const struct notify_settings *settings)
{
    CURL *curl = attempt->curl = curl_easy_init();
    bool ok = curl != NULL;
    long timeout_ms = (long)(settings->timeout_us / US_PER_MS);

    SET(CURLOPT_ERRORBUFFER, attempt->error);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_TIMEOUT_MS, timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    SET(CURLOPT_WRITEFUNCTION, on_answer);
    SET(CURLOPT_WRITEDATA, attempt);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, attempt);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (settings->ca_file[0] != '\0')
        SET(CURLOPT_CAINFO, settings->ca_file);
    return ok;
}

static void fail(struct notify_outcome *outcome, bool hopeless, const char *format, ...)
    PRINTF_LIKE(3, 4);
static void fail(struct notify_outcome *outcome, bool hopeless, const char *format, ...)
{
    va_list args;

    outcome->hopeless = hopeless;
    va_start(args, format);
    vsnprintf(outcome->error, sizeof outcome->error, format, args);
    va_end(args);
}

static void judge_failure(const struct attempt *attempt, CURLcode code,
                          struct notify_outcome *outcome)
{
    outcome->stopped = code == CURLE_ABORTED_BY_CALLBACK;
    fail(outcome, false, "%s",
         attempt->error[0] != '\0' ? attempt->error : curl_easy_strerror(code));
}

/* ---- HTTP ------------------------------------------------------------------- */

static bool add_line(struct curl_slist **list, const char *format, ...) PRINTF_LIKE(2, 3);
static bool add_line(struct curl_slist **list, const char *format, ...)
{
    char text[NOTIFY_SECRET_MAX + 64];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static bool add_headers(struct attempt *attempt, const struct notify_target *target,
                        const struct notify_message *message)
{
    struct curl_slist **list = &attempt->headers;
    bool ok = add_line(list, "%s", URL_MEDIA_JSON) && add_line(list, "Expect:") &&
              add_line(list, "Idempotency-Key: %s", message->key) &&
              add_line(list, "Poolfleet-Event: %s", notify_event_names[message->event]);

    if (target->kind == NOTIFY_GENERIC && target->secret != NULL) {
        char signature[NOTIFY_SIGNATURE_MAX];
        notify_sign(target->secret, clock_wall_us(), attempt->body.data, attempt->body.length,
                    signature);
        ok = ok && add_line(list, "Poolfleet-Signature: %s", signature);
    }
    if (target->kind == NOTIFY_ALERTMANAGER && target->secret != NULL)
        ok = ok && add_line(list, "Authorization: Bearer %s", target->secret);
    return ok;
}

static bool set_http(struct attempt *attempt, const struct notify_target *target)
{
    CURL *curl = attempt->curl;
    AUTO_STRBUF struct strbuf pins = STRBUF_INIT;
    bool ok = true;

    notify_pin_write(&attempt->pin, &pins);
    attempt->pins = strbuf_failed(&pins) ? NULL : curl_slist_append(NULL, pins.data);
    ok = attempt->pins != NULL;
    SET(CURLOPT_URL, target->address);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_RESOLVE, attempt->pins);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_OPENSOCKETDATA, attempt);
    SET(CURLOPT_USERAGENT, "poolfleetd/" POOLFLEET_VERSION);
    SET(CURLOPT_HTTPHEADER, attempt->headers);
    SET(CURLOPT_POSTFIELDS, attempt->body.data);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)attempt->body.length);
    return ok;
}

/* 400, 413 and 422 are about this very body; all else may be put right by somebody. */
static void judge_answer(struct attempt *attempt, CURLcode code, struct notify_outcome *outcome)
{
    AUTO_STRBUF struct strbuf said = STRBUF_INIT;
    curl_off_t wait = 0;
    long answer = 0;

    curl_easy_getinfo(attempt->curl, CURLINFO_RESPONSE_CODE, &answer);
    if (answer >= 200 && answer < 300 && code != CURLE_ABORTED_BY_CALLBACK) {
        outcome->sent = true;
        return;
    }
    if (answer < 200) {
        judge_failure(attempt, code, outcome);
        return;
    }
    if (curl_easy_getinfo(attempt->curl, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
        outcome->retry_after_us =
            wait > RETRY_MAX_US / US_PER_SECOND ? RETRY_MAX_US : wait * US_PER_SECOND;
    if (attempt->answer.length > 0)
        notify_put_clean(&said, attempt->answer.data, ANSWER_SHOWN);
    fail(outcome, answer == 400 || answer == 413 || answer == 422,
         answer / 100 == 3 ? "the receiver answered %ld: redirects are not followed"
                           : "the receiver answered %ld%s%s",
         answer, said.length > 0 ? ": " : "", said.length > 0 ? said.data : "");
}

static void send_http(struct attempt *attempt, const struct notify_settings *settings,
                      const struct notify_target *target, const struct notify_message *message,
                      struct notify_outcome *outcome)
{
    struct err err = {0};

    notify_body_write(target->kind, message, &attempt->body);
    if (notify_guard_check(&settings->guard, target->address, &attempt->pin, &err) != ST_OK) {
        fail(outcome, false, "%s", err.message);
        return;
    }
    if (strbuf_failed(&attempt->body) || !set_common(attempt, settings) ||
        !add_headers(attempt, target, message) || !set_http(attempt, target)) {
        fail(outcome, false, "could not prepare the request: out of memory");
        return;
    }
    judge_answer(attempt, curl_easy_perform(attempt->curl), outcome);
}

/* ---- SMTP ------------------------------------------------------------------- */

static size_t on_mail(char *data, size_t size, size_t count, void *arg)
{
    struct attempt *attempt = arg;
    size_t left = attempt->body.length - attempt->read;
    size_t bytes = size * count < left ? size * count : left;

    memcpy(data, attempt->body.data + attempt->read, bytes);
    attempt->read += bytes;
    return bytes;
}

static bool make_mail(struct attempt *attempt, const struct notify_settings *settings,
                      const struct notify_target *target, const struct notify_message *message)
{
    AUTO_STRBUF struct strbuf subject = STRBUF_INIT, text = STRBUF_INIT, html = STRBUF_INIT;

    notify_body_mail(message, &subject, &text, &html);
    if (strbuf_failed(&subject) || strbuf_failed(&text) || strbuf_failed(&html))
        return false;
    const struct mail mail = {
        .from = settings->smtp_from,
        .to = target->address,
        .subject = subject.data,
        .text = text.data,
        .html = html.data,
        .key = message->key,
        .thread = message->record == NULL ? NULL : message->record->finding.id,
        .date_us = message->at_us,
    };
    mail_write(&mail, &attempt->body);
    return !strbuf_failed(&attempt->body);
}

static bool set_smtp(struct attempt *attempt, const struct notify_settings *settings)
{
    CURL *curl = attempt->curl;
    bool ok = attempt->recipients != NULL;

    SET(CURLOPT_URL, settings->smtp_url);
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_USE_SSL, (long)(settings->smtp_plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    SET(CURLOPT_MAIL_FROM, settings->smtp_from);
    SET(CURLOPT_MAIL_RCPT, attempt->recipients);
    if (settings->smtp_user[0] != '\0') {
        SET(CURLOPT_USERNAME, settings->smtp_user);
        SET(CURLOPT_PASSWORD, settings->smtp_password);
    }
    SET(CURLOPT_READFUNCTION, on_mail);
    SET(CURLOPT_READDATA, attempt);
    SET(CURLOPT_UPLOAD, 1L);
    return ok;
}

static void send_mail(struct attempt *attempt, const struct notify_settings *settings,
                      const struct notify_target *target, const struct notify_message *message,
                      struct notify_outcome *outcome)
{
    if (settings->smtp_url[0] == '\0') {
        fail(outcome, false, "mail is not set up (setting smtp-url)");
        return;
    }
    attempt->recipients = curl_slist_append(NULL, target->address);
    if (!set_common(attempt, settings) || !make_mail(attempt, settings, target, message) ||
        !set_smtp(attempt, settings)) {
        fail(outcome, false, "could not prepare the mail: out of memory");
        return;
    }
    CURLcode code = curl_easy_perform(attempt->curl);
    outcome->sent = code == CURLE_OK;
    if (!outcome->sent)
        judge_failure(attempt, code, outcome);
}

void notify_send(const struct notify_settings *settings, const struct notify_target *target,
                 const struct notify_message *message, const atomic_bool *stop,
                 struct notify_outcome *ret_outcome)
{
    CLEANUP(attempt_done) struct attempt attempt = {.stop = stop};

    *ret_outcome = (struct notify_outcome){.sent = false};
    if (target->kind == NOTIFY_EMAIL)
        send_mail(&attempt, settings, target, message, ret_outcome);
    else
        send_http(&attempt, settings, target, message, ret_outcome);
}
