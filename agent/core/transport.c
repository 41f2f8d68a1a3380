/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/transport.h"
#include "common/clock.h"

bool transport_code_retryable(int code)
{
    return code == 408 || code == 429 || (code >= 500 && code <= 599 && code != 501 && code != 505);
}

enum status deliver(const struct transport *transport, const struct transport_request *request,
                    struct backoff *backoff, const struct deliver_wait *wait,
                    struct transport_reply *reply, struct err *err)
{
    for (;;) {
        struct err reason = {0};
        strbuf_clear(&reply->body);
        reply->code = 0;
        reply->retry_after_us = BACKOFF_NO_RETRY_AFTER;
        enum status st = transport->post(transport->arg, request, reply, &reason);
        if (st == ST_OK && !transport_code_retryable(reply->code)) {
            backoff_reset(backoff);
            return ST_OK;
        }
        if (st == ST_OK)
            st = err_set(&reason, ST_BUSY, "the server answered %d", reply->code);
        int64_t wait_us = backoff_next(backoff, reply->retry_after_us);
        if (st != ST_BUSY && st != ST_IO) {
            if (err != NULL)
                *err = reason;
            return st;
        }
        if (!wait->wait(wait->arg, wait_us, &reason)) {
            if (err != NULL) {
                *err = reason;
                err->code = ST_TIMEOUT;
            }
            return ST_TIMEOUT;
        }
    }
}

/* "Sun, 06 Nov 1994 08:49:37 GMT"; the two older forms of HTTP dates are not sent by anyone we
 * talk to. */
static bool http_date_parse(const char *text, int64_t *ret_us)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4];
    char zone[4];
    int day, year, hour, minute, second, used = 0;
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3s%n", &day, month, &year, &hour,
               &minute, &second, zone, &used) != 7 ||
        text[used] != '\0' || strcmp(zone, "GMT") != 0)
        return false;
    const char *found = strstr(months, month);
    if (found == NULL || strlen(month) != 3 || (found - months) % 3 != 0)
        return false;
    char iso[TIME_TEXT_MAX + 32]; /* seven numbers of at most 11 digits cannot pass 2 + 4 digits */
    int length = snprintf(iso, sizeof iso, "%04d-%02d-%02dT%02d:%02d:%02dZ", year,
                          (int)(found - months) / 3 + 1, day, hour, minute, second);
    return length > 0 && (size_t)length < sizeof iso && time_parse(iso, (size_t)length, ret_us);
}

bool retry_after_parse(const char *text, int64_t now_us, int64_t *ret_us)
{
    while (*text == ' ' || *text == '\t')
        text++;
    if (*text >= '0' && *text <= '9') {
        int64_t seconds = 0;
        for (; *text >= '0' && *text <= '9'; text++) {
            if (seconds < 1000000000)
                seconds = seconds * 10 + (*text - '0');
        }
        if (*text != '\0')
            return false;
        *ret_us = seconds * US_PER_SECOND;
        return true;
    }
    int64_t at_us;
    if (!http_date_parse(text, &at_us))
        return false;
    *ret_us = at_us > now_us ? at_us - now_us : 0;
    return true;
}
