/* integer.c - integers beyond 64 bits as JSON. */
#include "drover.h"

#include "base/macro.h"

#define DIGITS_MAX 39 /* of 2^127 */

json_t *drover_integer(__int128 value) {
        char text[DIGITS_MAX + 2], *p = text + sizeof text;
        unsigned __int128 rest = value < 0 ? -(unsigned __int128) value : (unsigned __int128) value;

        if (value >= INT64_MIN && value <= INT64_MAX)
                return json_integer((json_int_t) value);
        *--p = 0;
        do
                *--p = (char) ('0' + (int) (rest % 10));
        while ((rest /= 10) > 0);
        if (value < 0)
                *--p = '-';
        return json_string(p);
}

int drover_integer_value(const json_t *value, __int128 *ret) {
        const unsigned __int128 max = ~(unsigned __int128) 0 >> 1;
        unsigned __int128 v = 0;
        const char *p = json_string_value(value);
        bool is_negative;

        if (json_is_integer(value)) {
                *ret = json_integer_value(value);
                return 0;
        }
        if (!p)
                return -EINVAL;
        is_negative = *p == '-';
        p += is_negative;
        if (!*p)
                return -EINVAL;
        for (; *p; p++) {
                if (*p < '0' || *p > '9')
                        return -EINVAL;
                if (v > (max + is_negative - (unsigned) (*p - '0')) / 10)
                        return -ERANGE;
                v = v * 10 + (unsigned) (*p - '0');
        }
        *ret = is_negative ? (__int128) -v : (__int128) v;
        return 0;
}
