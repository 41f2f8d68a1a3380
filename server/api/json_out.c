/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/json_out.h"

#include <math.h>
#include <stdio.h>

void json_comma(struct strbuf *out)
{
    if (out->length == 0)
        return;
    char last = out->data[out->length - 1];
    if (last != '{' && last != '[' && last != ':' && last != ',' && last != '\n')
        strbuf_putc(out, ',');
}

void json_open(struct strbuf *out, char bracket)
{
    json_comma(out);
    strbuf_putc(out, bracket);
}

void json_close(struct strbuf *out, char bracket)
{
    strbuf_putc(out, bracket);
}

void json_key(struct strbuf *out, const char *name)
{
    json_comma(out);
    strbuf_json(out, name);
    strbuf_putc(out, ':');
}

void json_key_open(struct strbuf *out, const char *name, char bracket)
{
    json_key(out, name);
    strbuf_putc(out, bracket);
}

void json_value_text(struct strbuf *out, const char *text)
{
    if (text == NULL)
        strbuf_puts(out, "null");
    else
        strbuf_json(out, text);
}

void json_value_i64(struct strbuf *out, int64_t value)
{
    if (value == NUMBER_ABSENT)
        strbuf_add(out, "null", 4);
    else
        strbuf_i64(out, value);
}

/* Ten digits of what most numbers are, as "%.10g" has them: printf would take longer than all the
 * rest of a table. `size` is not whole, and from a thousandth to 10^9. */
static void put_ten_digits(struct strbuf *out, double size)
{
    unsigned places = 10;
    double scale = 1e10;
    for (double one = 1; size >= one; one *= 10, scale /= 10)
        places--;
    for (double one = 0.1; size < one; one /= 10, scale *= 10)
        places++;
    uint64_t all = (uint64_t)llrint(size * scale), unit = (uint64_t)scale;
    char digits[16]; /* places is 1 to 12 */
    uint64_t rest = all % unit;
    size_t length = places;
    for (size_t i = places; i-- > 0; rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    while (length > 0 && digits[length - 1] == '0')
        length--;
    strbuf_u64(out, all / unit);
    if (length > 0)
        strbuf_putc(out, '.');
    strbuf_add(out, digits, length);
}

void json_value_real(struct strbuf *out, double value)
{
    double size = fabs(value);

    if (!isfinite(value)) {
        strbuf_add(out, "null", 4);
    } else if (value == floor(value) && size < 9e15) {
        strbuf_i64(out, (int64_t)value);
    } else if (size >= 1e-3 && size < 1e9) {
        if (value < 0)
            strbuf_putc(out, '-');
        put_ten_digits(out, size);
    } else {
        char text[32]; /* "%.10g" needs at most 17 */
        int length = snprintf(text, sizeof text, "%.10g", value);
        strbuf_add(out, text, (size_t)length);
    }
}

#define TENTHS_MAX 9999.0 /* nobody reads past it, and it bounds the text */

/* printf would take longer than all the rest of a table. */
void json_value_tenths(struct strbuf *out, double value)
{
    if (isnan(value)) {
        strbuf_add(out, "null", 4);
        return;
    }
    double cut = value > TENTHS_MAX ? TENTHS_MAX : value < -TENTHS_MAX ? -TENTHS_MAX : value;
    int64_t tenths = (int64_t)lround(cut * 10);
    if (tenths < 0)
        strbuf_putc(out, '-');
    strbuf_i64(out, (tenths < 0 ? -tenths : tenths) / 10);
    if (tenths % 10 != 0) {
        strbuf_putc(out, '.');
        strbuf_putc(out, (char)('0' + (tenths < 0 ? -tenths : tenths) % 10));
    }
}

void json_value_time(struct strbuf *out, int64_t us)
{
    char text[TIME_TEXT_MAX];

    if (us == TIME_UNKNOWN) {
        strbuf_puts(out, "null");
        return;
    }
    time_format(us, text);
    strbuf_putc(out, '"');
    strbuf_puts(out, text);
    strbuf_putc(out, '"');
}

void json_value_bool(struct strbuf *out, bool value)
{
    strbuf_puts(out, value ? "true" : "false");
}

void json_value_tag(struct strbuf *out, uint32_t tag)
{
    char text[TAG_TEXT_MAX];

    tag_format(tag, text);
    strbuf_json(out, text);
}

void json_value_seconds(struct strbuf *out, int64_t us)
{
    if (us == TIME_UNKNOWN)
        strbuf_puts(out, "null");
    else
        strbuf_i64(out, us / US_PER_SECOND);
}

void json_text(struct strbuf *out, const char *name, const char *text)
{
    json_key(out, name);
    json_value_text(out, text);
}

void json_i64(struct strbuf *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_value_i64(out, value);
}

void json_number(struct strbuf *out, const char *name, double value)
{
    json_key(out, name);
    json_value_real(out, value);
}

void json_time(struct strbuf *out, const char *name, int64_t us)
{
    json_key(out, name);
    json_value_time(out, us);
}

void json_bool(struct strbuf *out, const char *name, bool value)
{
    json_key(out, name);
    json_value_bool(out, value);
}

void json_tag(struct strbuf *out, const char *name, uint32_t tag)
{
    json_key(out, name);
    json_value_tag(out, tag);
}

void json_raw(struct strbuf *out, const char *name, const char *json)
{
    json_key(out, name);
    strbuf_puts(out, json == NULL ? "null" : json);
}
