/* output.c - escaping, widths, colours, JSON. */
#include "ctl/output.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* Length of the UTF-8 sequence at @s, its code point in *ret; 0 when it is not one. */
static size_t utf8_at(const char *s, size_t n, uint32_t *ret) {
        static const uint32_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
        size_t length = utf8_sequence(s, n);

        if (!length)
                return 0;
        uint32_t c = (unsigned char) s[0] & first_bits[length];
        for (size_t i = 1; i < length; i++)
                c = c << 6 | ((unsigned char) s[i] & 0x3fu);
        *ret = c;
        return length;
}

/* Controls, and the characters that turn the direction of what follows. */
static bool is_harmful(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
               (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void escape_bytes(Text *t, const char *s, size_t n) {
        for (size_t i = 0; i < n; i++) {
                unsigned char b = (unsigned char) s[i];
                if (b == '\n')
                        text_append(t, "\\n");
                else if (b == '\t')
                        text_append(t, "\\t");
                else
                        text_appendf(t, "\\x%02x", b);
        }
}

/* Length of "ESC [ digits and semicolons m" at @s; 0 when it is anything else. */
static size_t colour_at(const char *s, size_t n) {
        if (n < 3 || s[0] != '\033' || s[1] != '[')
                return 0;
        for (size_t i = 2; i < n && i < 24; i++) {
                if (s[i] == 'm')
                        return i + 1;
                if (!((s[i] >= '0' && s[i] <= '9') || s[i] == ';'))
                        return 0;
        }
        return 0;
}

static void escape(Text *t, const char *s, size_t n, bool is_line) {
        size_t plain = 0, i = 0; /* [plain, i) is harmless and not appended yet */

        while (i < n) {
                uint32_t c = 0;
                size_t length = utf8_at(s + i, n - i, &c);
                size_t pass = length && !is_harmful(c) ? length : 0;
                if (!pass && is_line)
                        pass = s[i] == '\t' ? 1 : colour_at(s + i, n - i);
                if (pass) {
                        i += pass;
                        continue;
                }
                length = length ? length : 1;
                text_append_n(t, s + plain, i - plain);
                escape_bytes(t, s + i, length);
                i += length;
                plain = i;
        }
        text_append_n(t, s + plain, n - plain);
}

void escape_append(Text *t, const char *s) {
        escape(t, s, strlen(s), false);
}

void escape_line(Text *t, const char *s, size_t n) {
        escape(t, s, n, true);
}

/* Columns of one character: combining marks none, East Asian wide and pictographs two. A locale would know
 * better, but costs more than the whole command. */
static size_t columns_of(uint32_t c) {
        static const struct {
                uint32_t from, to;
                size_t columns;
        } ranges[] = {
                {0x300, 0x36f, 0},     {0x200b, 0x200f, 0}, {0xfe00, 0xfe0f, 0}, {0x1100, 0x115f, 2},
                {0x2e80, 0x303e, 2},   {0x3041, 0xa4cf, 2}, {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2},
                {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2},
                {0x20000, 0x3fffd, 2},
        };
        if (c < 0x300)
                return 1;
        for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
                if (c >= ranges[i].from && c <= ranges[i].to)
                        return ranges[i].columns;
        return 1;
}

size_t text_cut(const char *s, size_t columns) {
        size_t n = strlen(s), i = 0, width = 0;

        while (i < n) {
                uint32_t c = 'x';
                size_t length = utf8_at(s + i, n - i, &c);
                width += columns_of(c);
                if (width > columns)
                        break;
                i += length ? length : 1;
        }
        return i;
}

size_t text_columns(const char *s) {
        size_t n = strlen(s), width = 0;

        for (size_t i = 0; i < n;) {
                uint32_t c = 'x';
                size_t length = utf8_at(s + i, n - i, &c);
                width += columns_of(c);
                i += length ? length : 1;
        }
        return width;
}

Tint tint_of_state(const char *state) {
        static const struct {
                const char *state;
                Tint tint;
        } tints[] = {
                {"running", TINT_GOOD},   {"starting", TINT_MOVING}, {"stopping", TINT_MOVING},
                {"backoff", TINT_MOVING}, {"degraded", TINT_MOVING}, {"failed", TINT_BAD},
                {"stopped", TINT_DIM},    {"created", TINT_DIM},     {"exited", TINT_DIM},
        };
        for (size_t i = 0; i < ARRAY_SIZE(tints); i++)
                if (streq(tints[i].state, state))
                        return tints[i].tint;
        return TINT_NONE;
}

const char *tint_on(Tint tint) {
        static const char *const on[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[1m", "\033[2m"};
        return on[tint];
}

const char *tint_off(Tint tint) {
        return tint == TINT_NONE ? "" : "\033[0m";
}

/* jansson escapes C0; DEL and the C1 controls (two bytes: C2 80..9F) are left to us. */
void json_append_harmless(Text *t, const char *s) {
        const char *plain = s;

        for (; *s; s++) {
                unsigned char next = (unsigned char) s[1];
                bool is_c1 = (unsigned char) *s == 0xc2 && next >= 0x80 && next < 0xa0;
                if (*s != 0x7f && !is_c1)
                        continue;
                text_append_n(t, plain, (size_t) (s - plain));
                text_appendf(t, "\\u%04x", is_c1 ? next : 0x7fu);
                s += is_c1;
                plain = s + 1;
        }
        text_append(t, plain);
}

void json_append(Text *t, const json_t *j, bool is_pretty) {
        /* 15 digits show 0.1 as 0.1. */
        size_t flags =
                JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) | (is_pretty ? JSON_INDENT(2) : JSON_COMPACT);
        _cleanup_free_ char *s = json_dumps(j, flags);

        if (!s) {
                t->failed = true;
                return;
        }
        json_append_harmless(t, s);
        text_append_char(t, '\n');
}

static void put_real(Text *t, double v) {
        char buf[40];

        for (int digits = 15; digits <= 17; digits++) {
                snprintf(buf, sizeof(buf), "%.*g", digits, v);
                if (strtod(buf, NULL) == v)
                        break;
        }
        json_put_raw(t, NULL, buf);
        if (!strpbrk(buf, ".e"))
                text_append(t, ".0");
}

static void put_exact(Text *t, const json_t *j);

static void put_members(Text *t, const json_t *j) {
        const char *key;
        json_t *v;

        json_object_foreach((json_t *) j, key, v) {
                json_put_string(t, NULL, key);
                text_append_char(t, ':');
                put_exact(t, v);
        }
}

/* As deep as libdrover lets a message be. */
static void put_exact(Text *t, const json_t *j) {
        const json_t *v;
        size_t i;

        switch (json_typeof(j)) {
        case JSON_INTEGER:
                json_put_i64(t, NULL, json_integer_value(j));
                break;
        case JSON_REAL:
                put_real(t, json_real_value(j));
                break;
        case JSON_STRING:
                json_put_string_n(t, NULL, json_string_value(j), json_string_length(j));
                break;
        case JSON_ARRAY:
                json_put_array(t, NULL);
                json_array_foreach(j, i, v)
                        put_exact(t, v);
                json_end_array(t);
                break;
        case JSON_OBJECT:
                json_put_object(t, NULL);
                put_members(t, j);
                json_end_object(t);
                break;
        default:
                json_put_raw(t, NULL, json_is_null(j) ? "null" : json_is_true(j) ? "true" : "false");
        }
}

void json_append_exact(Text *t, const json_t *j) {
        size_t begin = t->length;

        put_exact(t, j);
        if (!t->failed && strpbrk(t->data + begin, "\x7f\xc2")) {
                _cleanup_text_ Text plain = {};

                text_append_n(&plain, t->data + begin, t->length - begin);
                text_truncate(t, begin);
                if (text_check(&plain) >= 0)
                        json_append_harmless(t, plain.data);
                else
                        t->failed = true;
        }
        text_append_char(t, '\n');
}

int output_write(int fd, const Text *t) {
        size_t done = 0;

        while (done < t->length) {
                ssize_t n = write(fd, t->data + done, t->length - done);
                if (n >= 0) {
                        done += (size_t) n;
                        continue;
                }
                if (errno == EAGAIN) { /* someone made our terminal or pipe non-blocking */
                        struct pollfd p = {.fd = fd, .events = POLLOUT};
                        (void) poll(&p, 1, -1);
                } else if (errno != EINTR)
                        return -errno;
        }
        return 0;
}
