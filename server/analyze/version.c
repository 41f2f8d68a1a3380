/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/version.h"

#include <stddef.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of a run of digits without its leading zeros, which are passed over. */
static size_t digits(const char **at)
{
    size_t length = 0;
    while (**at == '0' && is_digit((*at)[1]))
        (*at)++;
    while (is_digit((*at)[length]))
        length++;
    return length;
}

int version_compare(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (is_digit(*a) && is_digit(*b)) {
            size_t x = digits(&a);
            size_t y = digits(&b);
            int order = x != y ? (x < y ? -1 : 1) : memcmp(a, b, x);
            if (order != 0)
                return order;
            a += x;
            b += y;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return (*a != '\0') - (*b != '\0');
}

bool version_is(const char *text)
{
    return is_digit(text[0]) && strchr(text, '.') != NULL;
}
