/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notify/mail.h"

#include "common/clock.h"

#include <string.h>
#include <time.h>

bool mail_address_ok(const char *text)
{
    const char *at = strchr(text, '@');
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f)
            return false;
    return at != NULL && at != text && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
           length <= 254 && strcspn(text, "\"(),:;<>[\\]") == length;
}

static void put_base64(struct strbuf *out, const char *data, size_t length, size_t line)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)data;
    size_t column = 0;

    for (size_t i = 0; i < length; i += 3) {
        uint32_t value = (uint32_t)at[i] << 16;
        value |= i + 1 < length ? (uint32_t)at[i + 1] << 8 : 0;
        value |= i + 2 < length ? at[i + 2] : 0;
        strbuf_putc(out, digits[value >> 18]);
        strbuf_putc(out, digits[value >> 12 & 63]);
        strbuf_putc(out, i + 1 < length ? digits[value >> 6 & 63] : '=');
        strbuf_putc(out, i + 2 < length ? digits[value & 63] : '=');
        column += 4;
        if (line > 0 && column >= line) {
            strbuf_puts(out, "\r\n");
            column = 0;
        }
    }
    if (line > 0 && column > 0)
        strbuf_puts(out, "\r\n");
}

/* RFC 2047: words of at most 75 characters, cut between letters. 42 bytes become 56 digits. */
#define WORD_BYTES 42

static void put_encoded(struct strbuf *out, const char *text)
{
    size_t length = strlen(text);

    for (size_t at = 0; at < length;) {
        size_t end = length - at < WORD_BYTES ? length : at + WORD_BYTES;
        while (end < length && end > at + 1 && ((unsigned char)text[end] & 0xc0) == 0x80)
            end--;
        strbuf_puts(out, at == 0 ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        put_base64(out, text + at, end - at, 0);
        strbuf_puts(out, "?=");
        at = end;
    }
}

static void put_header(struct strbuf *out, const char *name, const char *text)
{
    AUTO_STRBUF struct strbuf clean = STRBUF_INIT;
    bool plain = strlen(text) <= 70 && strstr(text, "=?") == NULL;

    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        strbuf_putc(&clean, *at < 0x20 || *at == 0x7f ? ' ' : (char)*at);
        plain = plain && *at < 0x7f;
    }
    strbuf_add(&clean, "", 0);
    strbuf_printf(out, "%s: ", name);
    if (plain)
        strbuf_add(out, clean.data, clean.length);
    else if (clean.data != NULL)
        put_encoded(out, clean.data);
    strbuf_puts(out, "\r\n");
}

static void put_date(struct strbuf *out, int64_t us)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(us / US_PER_SECOND);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strbuf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
                  months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void put_part(struct strbuf *out, const char *boundary, const char *type, const char *body)
{
    strbuf_printf(out, "--%s\r\nContent-Type: %s; charset=utf-8\r\n", boundary, type);
    strbuf_puts(out, "Content-Transfer-Encoding: base64\r\n\r\n");
    put_base64(out, body, strlen(body), 76);
}

void mail_write(const struct mail *mail, struct strbuf *out)
{
    const char *domain = strchr(mail->from, '@') + 1;
    AUTO_STRBUF struct strbuf boundary = STRBUF_INIT;

    strbuf_printf(&boundary, "poolfleet-%s", mail->key);
    if (strbuf_failed(&boundary)) {
        out->failed = true;
        return;
    }
    put_header(out, "From", mail->from);
    put_header(out, "To", mail->to);
    put_header(out, "Subject", mail->subject);
    put_date(out, mail->date_us);
    strbuf_printf(out, "Message-ID: <%s@%s>\r\n", mail->key, domain);
    if (mail->thread != NULL)
        strbuf_printf(out, "References: <%s@%s>\r\n", mail->thread, domain);
    strbuf_printf(out,
                  "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n"
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n",
                  boundary.data);
    put_part(out, boundary.data, "text/plain", mail->text);
    put_part(out, boundary.data, "text/html", mail->html);
    strbuf_printf(out, "--%s--\r\n", boundary.data);
}
