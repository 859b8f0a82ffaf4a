/* text.c - the growing buffer and the JSON writer.
 *
 * `status` of a thousand workers is some 400 KB of JSON inside 4 ms, so nothing here calls printf for a
 * number and strings are copied in runs: a table says for each byte whether it may be copied (0), needs an
 * escape (1), or begins a UTF-8 sequence to be checked (2). */
#include "base/text.h"
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_CAPACITY_MIN 256
#define NUMBER_MAX 24 /* sign and 20 digits of a 64-bit number */

enum { PLAIN, ESCAPE, MULTIBYTE };

static const uint8_t byte_class[256] = {
        [0 ... 0x1f] = ESCAPE,
        ['"'] = ESCAPE,
        ['\\'] = ESCAPE,
        [0x80 ... 0xff] = MULTIBYTE,
};

void text_done(Text *t) {
        free(t->data);
        *t = (Text){0};
}

void text_clear(Text *t) {
        t->length = 0;
        t->failed = false;
        if (t->data)
                t->data[0] = 0;
}

void text_truncate(Text *t, size_t length) {
        t->length = length;
        t->failed = false;
        if (t->data)
                t->data[length] = 0;
}

int text_check(const Text *t) {
        return t->failed ? -ENOMEM : 0;
}

char *text_take(Text *t) {
        char *data;

        if (!t->data && !t->failed)
                text_append_n(t, "", 0);
        if (t->failed) {
                text_done(t);
                return NULL;
        }
        data = TAKE_PTR(t->data);
        *t = (Text){0};
        return data;
}

static bool grow(Text *t, size_t need) {
        size_t capacity = MAX(MAX(need, t->capacity + t->capacity / 2), (size_t) TEXT_CAPACITY_MIN);
        bool has_overflowed = need < t->length;
        char *data = has_overflowed ? NULL : alloc_resize(t->data, capacity);

        if (!data) {
                t->failed = true;
                return false;
        }
        t->data = data;
        t->capacity = capacity;
        return true;
}

/* Room for @n bytes and the NUL. */
static inline bool reserve(Text *t, size_t n) {
        if (__builtin_expect(!t->failed && t->length + n < t->capacity && n < t->capacity, 1))
                return true;
        return !t->failed && grow(t, t->length + n + 1);
}

void text_append_n(Text *t, const void *bytes, size_t n) {
        if (!reserve(t, n))
                return;
        if (n > 0)
                memcpy(t->data + t->length, bytes, n);
        t->length += n;
        t->data[t->length] = 0;
}

void text_append(Text *t, const char *s) {
        text_append_n(t, s, strlen(s));
}

void text_append_char(Text *t, char c) {
        if (!reserve(t, 1))
                return;
        t->data[t->length++] = c;
        t->data[t->length] = 0;
}

/* Digits of @v, right-aligned before @end; returns where they begin. */
static char *format_u64(char *end, uint64_t v) {
        do
                *--end = (char) ('0' + v % 10);
        while (v /= 10);
        return end;
}

void text_append_u64(Text *t, uint64_t v) {
        char buf[NUMBER_MAX], *end = buf + sizeof(buf), *begin = format_u64(end, v);

        text_append_n(t, begin, (size_t) (end - begin));
}

void text_append_i64(Text *t, int64_t v) {
        if (v < 0)
                text_append_char(t, '-');
        text_append_u64(t, v < 0 ? 0 - (uint64_t) v : (uint64_t) v);
}

void text_appendf(Text *t, const char *fmt, ...) {
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        if (n < 0)
                t->failed = true;
        if (n < 0 || !reserve(t, (size_t) n))
                return;
        va_start(ap, fmt);
        (void) vsnprintf(t->data + t->length, (size_t) n + 1, fmt, ap);
        va_end(ap);
        t->length += (size_t) n;
}

static void begin_value(Text *t, const char *key) {
        size_t n;
        char last;

        last = t->length > 0 ? t->data[t->length - 1] : '\n';
        if (last != '{' && last != '[' && last != ':' && last != ',' && last != '\n')
                text_append_char(t, ',');
        if (!key)
                return;
        n = strlen(key);
        if (!reserve(t, n + 3))
                return;
        t->data[t->length++] = '"';
        memcpy(t->data + t->length, key, n);
        t->length += n;
        t->data[t->length++] = '"';
        t->data[t->length++] = ':';
        t->data[t->length] = 0;
}

void json_put_object(Text *t, const char *key) {
        begin_value(t, key);
        text_append_char(t, '{');
}

void json_end_object(Text *t) {
        text_append_char(t, '}');
}

void json_put_array(Text *t, const char *key) {
        begin_value(t, key);
        text_append_char(t, '[');
}

void json_end_array(Text *t) {
        text_append_char(t, ']');
}

size_t utf8_sequence(const char *s, size_t n) {
        const uint8_t *p = (const uint8_t *) s;
        size_t length;
        /* Bounds of the second byte: no overlong, no surrogate, not past U+10FFFF. */
        uint8_t low = 0x80, high = 0xbf;

        if (n == 0)
                return 0;
        if (p[0] < 0x80)
                return 1;
        if (p[0] < 0xc2 || p[0] > 0xf4)
                return 0;
        length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
        if (p[0] == 0xe0)
                low = 0xa0;
        else if (p[0] == 0xed)
                high = 0x9f;
        else if (p[0] == 0xf0)
                low = 0x90;
        else if (p[0] == 0xf4)
                high = 0x8f;
        if (n < length || p[1] < low || p[1] > high)
                return 0;
        for (size_t i = 2; i < length; i++)
                if (p[i] < 0x80 || p[i] > 0xbf)
                        return 0;
        return length;
}

static void append_escape(Text *t, uint8_t c) {
        static const char letter[0x20] = {
                ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
        };
        static const char hex[] = "0123456789abcdef";
        char buf[6] = {'\\', (char) c, '0', '0', hex[c >> 4], hex[c & 15]};

        if (c >= 0x20) { /* a quote or a backslash */
                text_append_n(t, buf, 2);
                return;
        }
        buf[1] = letter[c] ? letter[c] : 'u';
        text_append_n(t, buf, letter[c] ? 2 : sizeof(buf));
}

void json_put_string_n(Text *t, const char *key, const char *s, size_t n) {
        size_t i = 0, run = 0;

        if (!s) {
                json_put_null(t, key);
                return;
        }
        begin_value(t, key);
        text_append_char(t, '"');
        while (i < n) {
                size_t sequence = 0;
                uint8_t c = (uint8_t) s[i];

                if (byte_class[c] == PLAIN) {
                        i++;
                        continue;
                }
                if (byte_class[c] == MULTIBYTE && (sequence = utf8_sequence(s + i, n - i)) > 0) {
                        i += sequence;
                        continue;
                }
                text_append_n(t, s + run, i - run);
                if (byte_class[c] == ESCAPE)
                        append_escape(t, c);
                else
                        text_append(t, "\xef\xbf\xbd"); /* U+FFFD for one wrong byte */
                run = ++i;
        }
        text_append_n(t, s + run, n - run);
        text_append_char(t, '"');
}

void json_put_string(Text *t, const char *key, const char *s) {
        json_put_string_n(t, key, s, s ? strlen(s) : 0);
}

void json_put_i64(Text *t, const char *key, int64_t v) {
        begin_value(t, key);
        text_append_i64(t, v);
}

void json_put_u64(Text *t, const char *key, uint64_t v) {
        begin_value(t, key);
        text_append_u64(t, v);
}

void json_put_bool(Text *t, const char *key, bool v) {
        json_put_raw(t, key, v ? "true" : "false");
}

void json_put_null(Text *t, const char *key) {
        json_put_raw(t, key, "null");
}

void json_put_seconds(Text *t, const char *key, uint64_t usec) {
        char buf[8] = ".";
        uint64_t fraction = usec % 1000000;
        size_t n = 7;

        begin_value(t, key);
        text_append_u64(t, usec / 1000000);
        if (fraction == 0)
                return;
        for (size_t i = 6; i > 0; i--, fraction /= 10)
                buf[i] = (char) ('0' + fraction % 10);
        while (buf[n - 1] == '0')
                n--;
        text_append_n(t, buf, n);
}

void json_put_raw(Text *t, const char *key, const char *json) {
        begin_value(t, key);
        text_append(t, json);
}

void text_append_manual(Text *t, const char *s) {
        for (; *s; s++) {
                if (*s == '\\')
                        text_append(t, "\\e");
                else if (*s == '-')
                        text_append(t, "\\-");
                else if (*s == '"')
                        text_append(t, "\\(dq");
                else
                        text_append_char(t, *s);
        }
}
