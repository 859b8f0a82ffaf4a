/* clock.c - reading the clocks; spans and times as text. */
#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#define SPAN_FRACTION_DIGITS_MAX 9 /* more cannot change a µs of a day */

static usec_t clock_read(clockid_t id) {
        struct timespec ts;

        if (clock_gettime(id, &ts) < 0)
                return 0;
        return (usec_t) ts.tv_sec * USEC_PER_SEC + (usec_t) ts.tv_nsec / 1000;
}

usec_t clock_now(void) {
        return clock_read(CLOCK_MONOTONIC);
}

usec_t clock_realtime(void) {
        return clock_read(CLOCK_REALTIME);
}

usec_t usec_add(usec_t a, usec_t b) {
        usec_t sum;

        return __builtin_add_overflow(a, b, &sum) ? USEC_INFINITY : sum;
}

usec_t usec_sub(usec_t a, usec_t b) {
        if (a == USEC_INFINITY)
                return a;
        return a > b ? a - b : 0;
}

usec_t usec_mul(usec_t a, double factor) {
        double product;

        if (a == USEC_INFINITY)
                return a;
        product = (double) a * factor;
        if (!(product > 0))
                return 0;
        return product >= 0x1p64 ? USEC_INFINITY : (usec_t) product;
}

/* Longest name first where one begins another. */
static const struct {
        const char *name;
        usec_t usec;
} span_units[] = {
        {"usec", 1}, {"us", 1}, {"msec", USEC_PER_MSEC}, {"ms", USEC_PER_MSEC},
        {"sec", USEC_PER_SEC}, {"min", USEC_PER_MINUTE}, {"s", USEC_PER_SEC}, {"m", USEC_PER_MINUTE},
        {"h", USEC_PER_HOUR}, {"d", 24 * USEC_PER_HOUR}, {"w", 168 * USEC_PER_HOUR},
};

/* "1.5" at *s: whole part and fraction in units of 1e-9. */
static int number_parse(const char **s, uint64_t *ret_whole, uint64_t *ret_nano) {
        uint64_t whole = 0, nano = 0;
        const char *p = *s;
        int digits = 0;

        if (!isdigit((unsigned char) *p))
                return -EINVAL;
        for (; isdigit((unsigned char) *p); p++)
                if (__builtin_mul_overflow(whole, 10, &whole) ||
                    __builtin_add_overflow(whole, (uint64_t) (*p - '0'), &whole))
                        return -ERANGE;
        if (*p == '.') {
                if (!isdigit((unsigned char) *++p))
                        return -EINVAL;
                for (; isdigit((unsigned char) *p); p++)
                        if (digits < SPAN_FRACTION_DIGITS_MAX) {
                                nano = nano * 10 + (uint64_t) (*p - '0');
                                digits++;
                        }
                for (; digits < SPAN_FRACTION_DIGITS_MAX; digits++)
                        nano *= 10;
        }
        *s = p;
        *ret_whole = whole;
        *ret_nano = nano;
        return 0;
}

/* The unit at *s, or 0. */
static usec_t unit_parse(const char **s) {
        for (size_t i = 0; i < ARRAY_SIZE(span_units); i++) {
                size_t n = strlen(span_units[i].name);

                if (strncmp(*s, span_units[i].name, n) == 0 && !isalpha((unsigned char) (*s)[n])) {
                        *s += n;
                        return span_units[i].usec;
                }
        }
        return 0;
}

int span_parse(const char *s, usec_t *ret) {
        usec_t total = 0;
        bool is_first = true;

        if (streq(s, "infinity")) {
                *ret = USEC_INFINITY;
                return 0;
        }
        do {
                uint64_t whole, nano;
                usec_t unit, part;
                int r = number_parse(&s, &whole, &nano);

                if (r < 0)
                        return r;
                unit = is_first && *s == 0 ? USEC_PER_SEC : unit_parse(&s);
                if (unit == 0)
                        return -EINVAL;
                if (__builtin_mul_overflow(whole, unit, &part) || __builtin_add_overflow(total, part, &total))
                        return -ERANGE;
                part = (usec_t) ((unsigned __int128) nano * unit / 1000000000);
                if (__builtin_add_overflow(total, part, &total) || total == USEC_INFINITY)
                        return -ERANGE;
                is_first = false;
        } while (*s != 0);
        *ret = total;
        return 0;
}

/* Two neighbouring units are enough for people. */
static char *span_format_pair(char *buf, usec_t span, usec_t big, char big_name, usec_t small, char small_name) {
        unsigned long long whole = span / big, rest = span % big / small;

        if (rest > 0)
                (void) snprintf(buf, SPAN_TEXT_MAX, "%llu%c%llu%c", whole, big_name, rest, small_name);
        else
                (void) snprintf(buf, SPAN_TEXT_MAX, "%llu%c", whole, big_name);
        return buf;
}

char *span_format(char buf[static SPAN_TEXT_MAX], usec_t span) {
        if (span == USEC_INFINITY)
                return memcpy(buf, "infinity", sizeof("infinity"));
        if (span >= 24 * USEC_PER_HOUR)
                return span_format_pair(buf, span, 24 * USEC_PER_HOUR, 'd', USEC_PER_HOUR, 'h');
        if (span >= USEC_PER_HOUR)
                return span_format_pair(buf, span, USEC_PER_HOUR, 'h', USEC_PER_MINUTE, 'm');
        if (span >= USEC_PER_MINUTE)
                return span_format_pair(buf, span, USEC_PER_MINUTE, 'm', USEC_PER_SEC, 's');
        if (span == 0 || span >= USEC_PER_SEC) {
                unsigned tenth = (unsigned) (span % USEC_PER_SEC / (100 * USEC_PER_MSEC));

                if (tenth > 0 && span < 10 * USEC_PER_SEC)
                        (void) snprintf(buf, SPAN_TEXT_MAX, "%u.%us", (unsigned) (span / USEC_PER_SEC), tenth);
                else
                        (void) snprintf(buf, SPAN_TEXT_MAX, "%us", (unsigned) (span / USEC_PER_SEC));
                return buf;
        }
        if (span >= USEC_PER_MSEC)
                (void) snprintf(buf, SPAN_TEXT_MAX, "%ums", (unsigned) (span / USEC_PER_MSEC));
        else
                (void) snprintf(buf, SPAN_TEXT_MAX, "%uus", (unsigned) span);
        return buf;
}

/* Days since 1970-01-01 to a date of the proleptic Gregorian calendar; gmtime_r() takes a lock and reads TZ. The
 * year is taken to begin in March, so that the leap day is its last. */
static void civil_from_days(uint64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day) {
        uint64_t z = days + 719468; /* from 0000-03-01 */
        uint64_t era = z / 146097, doe = z % 146097;
        uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        uint64_t mp = (5 * doy + 2) / 153;

        *ret_day = (unsigned) (doy - (153 * mp + 2) / 5 + 1);
        *ret_month = (unsigned) (mp < 10 ? mp + 3 : mp - 9);
        *ret_year = (unsigned) (yoe + era * 400 + (*ret_month <= 2));
}

/* @n digits of @v at @p; returns what follows them. */
static char *put_digits(char *p, unsigned v, int n, char after) {
        for (int i = n - 1; i >= 0; i--, v /= 10)
                p[i] = (char) ('0' + v % 10);
        p[n] = after;
        return p + n + 1;
}

static char *time_put(char buf[static TIME_TEXT_MAX], usec_t realtime, usec_t unit, unsigned n_digits) {
        static const usec_t last = 253402300799999999; /* 9999-12-31T23:59:59.999999 */
        uint64_t seconds;
        unsigned year, month, day, of_day;
        char *p = buf;

        realtime = MIN(realtime, last);
        seconds = realtime / USEC_PER_SEC;
        civil_from_days(seconds / 86400, &year, &month, &day);
        of_day = (unsigned) (seconds % 86400);
        p = put_digits(p, year, 4, '-');
        p = put_digits(p, month, 2, '-');
        p = put_digits(p, day, 2, 'T');
        p = put_digits(p, of_day / 3600, 2, ':');
        p = put_digits(p, of_day / 60 % 60, 2, ':');
        p = put_digits(p, of_day % 60, 2, '.');
        p = put_digits(p, (unsigned) (realtime % USEC_PER_SEC / unit), n_digits, 'Z');
        *p = 0;
        return buf;
}

char *time_format(char buf[static TIME_TEXT_MAX], usec_t realtime) {
        return time_put(buf, realtime, USEC_PER_MSEC, 3);
}

char *time_format_usec(char buf[static TIME_TEXT_MAX], usec_t realtime) {
        return time_put(buf, realtime, 1, 6);
}

/* Exactly @n digits, then one of @after (0: anything). */
static int digits_parse(const char **s, unsigned n, const char *after, unsigned *ret) {
        unsigned value = 0;

        for (unsigned i = 0; i < n; i++, (*s)++) {
                if (!isdigit((unsigned char) **s))
                        return -EINVAL;
                value = value * 10 + (unsigned) (**s - '0');
        }
        *ret = value;
        if (!after)
                return 0;
        return **s && strchr(after, *(*s)++) ? 0 : -EINVAL;
}

static int fraction_parse(const char **s, usec_t *ret) {
        usec_t unit = USEC_PER_SEC / 10;

        *ret = 0;
        if (**s != '.')
                return 0;
        if (!isdigit((unsigned char) *++*s))
                return -EINVAL;
        for (; isdigit((unsigned char) **s); (*s)++, unit /= 10)
                *ret += unit * (usec_t) (**s - '0');
        return 0;
}

/* "Z" or "+02:00" to the end: seconds east of Greenwich. */
static int zone_parse(const char *s, int64_t *ret) {
        unsigned hours, minutes;
        int sign = *s == '-' ? -1 : 1;

        *ret = 0;
        if ((*s == 'Z' || *s == 'z') && s[1] == 0)
                return 0;
        if (*s != '+' && *s != '-')
                return -EINVAL;
        s++;
        if (digits_parse(&s, 2, ":", &hours) < 0 || digits_parse(&s, 2, NULL, &minutes) < 0 || *s != 0 || hours > 23 ||
            minutes > 59)
                return -EINVAL;
        *ret = sign * (int64_t) (hours * 3600 + minutes * 60);
        return 0;
}

int time_parse(const char *s, usec_t *ret) {
        unsigned year, month, day, hour, minute, second;
        usec_t fraction;
        int64_t zone, total;
        struct tm tm;

        if (digits_parse(&s, 4, "-", &year) < 0 || digits_parse(&s, 2, "-", &month) < 0 ||
            digits_parse(&s, 2, "Tt ", &day) < 0 || digits_parse(&s, 2, ":", &hour) < 0 ||
            digits_parse(&s, 2, ":", &minute) < 0 || digits_parse(&s, 2, NULL, &second) < 0 ||
            fraction_parse(&s, &fraction) < 0 || zone_parse(s, &zone) < 0)
                return -EINVAL;
        if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
                return -EINVAL;
        tm = (struct tm){.tm_year = (int) year - 1900, .tm_mon = (int) month - 1, .tm_mday = (int) day,
                         .tm_hour = (int) hour, .tm_min = (int) minute, .tm_sec = (int) MIN(second, 59u)};
        total = (int64_t) timegm(&tm) + (second > 59) - zone;
        if (tm.tm_mday != (int) day)
                return -EINVAL; /* no such day in that month */
        if (total < 0)
                return -ERANGE;
        *ret = (usec_t) total * USEC_PER_SEC + fraction;
        return 0;
}
