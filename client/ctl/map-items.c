/* map-items.c - see map-items.h. */
#include "ctl/map-items.h"

#include "base/json.h"
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define READ_BYTES 32768

void map_items_done(MapItems *m) {
        text_done(&m->buffer);
}

bool map_items_wants(const MapItems *m) {
        return !m->is_over && m->is_hungry;
}

_printf_(2, 3) static void give_up(MapItems *m, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(m->fault, sizeof(m->fault), fmt, ap);
        va_end(ap);
        m->is_over = true;
        m->taken = m->buffer.length;
}

/* Only the begin of a line is left, as a rule. */
static void make_room(MapItems *m) {
        if (m->taken == 0)
                return;
        memmove(m->buffer.data, m->buffer.data + m->taken, m->buffer.length - m->taken);
        text_truncate(&m->buffer, m->buffer.length - m->taken);
        m->taken = 0;
}

void map_items_receive(MapItems *m) {
        char bytes[READ_BYTES];
        ssize_t n = read(m->fd, bytes, sizeof(bytes));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0)
                give_up(m, "cannot read stdin: %s", strerror(errno));
        if (n <= 0) {
                m->is_over = true;
                return;
        }
        m->is_hungry = false;
        make_room(m);
        text_append_n(&m->buffer, bytes, (size_t) n);
        if (text_check(&m->buffer) < 0)
                give_up(m, "out of memory");
}

/* The next whole line; the last one needs no newline. */
static bool next_line(MapItems *m, const char **ret, size_t *ret_length, size_t *ret_end) {
        size_t left = m->buffer.length - m->taken;
        const char *begin = left ? m->buffer.data + m->taken : NULL, *newline = left ? memchr(begin, '\n', left) : NULL;

        if (!newline && left > MAP_LINE_MAX)
                give_up(m, "line %zu has more than %u bytes", m->n_lines + 1, MAP_LINE_MAX);
        else if (newline || (left && m->is_over)) {
                *ret = begin;
                *ret_length = newline ? (size_t) (newline - begin) : left;
                *ret_end = m->taken + *ret_length + (newline != NULL);
                return true;
        }
        m->is_hungry = true;
        return false;
}

static bool is_blank(const char *s, size_t n) {
        while (n && (*s == ' ' || *s == '\t' || *s == '\r'))
                s++, n--;
        return n == 0;
}

/* Beyond 64 bits an integer travels as its digits, in a string. */
static json_t *big_integer(const char *s, size_t n) {
        size_t sign = n && *s == '-', digits = n - sign;

        while (digits && (s[sign + digits - 1] == '\r' || s[sign + digits - 1] == ' '))
                digits--;
        for (size_t i = 0; i < digits; i++)
                if (s[sign + i] < '0' || s[sign + i] > '9')
                        return NULL;
        return digits > 18 && s[sign] != '0' ? json_stringn(s, sign + digits) : NULL;
}

/* NULL: no item; then a fault unless the line is to be passed over. */
static json_t *item_of(MapItems *m, const char *line, size_t n) {
        json_error_t error;
        json_t *v;

        if (m->is_raw) {
                v = json_stringn(line, n);
                if (!v)
                        give_up(m, "line %zu is not UTF-8, and JSON carries nothing else", m->n_lines);
                return v;
        }
        if (is_blank(line, n))
                return NULL;
        v = json_loadb(line, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
        if (!v)
                v = big_integer(line, n);
        if (!v)
                give_up(m, "line %zu is no JSON value: %.60s; --raw takes lines as strings", m->n_lines, error.text);
        return v;
}

json_t *map_items_take(MapItems *m) {
        _cleanup_json_ json_t *items = json_array();
        size_t bytes = 0, n, end;
        const char *line;

        while (items && next_line(m, &line, &n, &end)) {
                m->n_lines++;
                _cleanup_json_ json_t *v = item_of(m, line, n);
                size_t size = v ? json_dumpb(v, NULL, 0, JSON_ENCODE_ANY | JSON_COMPACT) + 1 : 0;
                if (size > MAP_BATCH_BYTES) {
                        give_up(m, "line %zu has %zu bytes as JSON; an item has at most %u", m->n_lines, size - 1, MAP_BATCH_BYTES - 1);
                        break;
                }
                if (bytes + size > MAP_BATCH_BYTES) {
                        m->n_lines--;
                        break;
                }
                if (*m->fault)
                        break;
                m->taken = end;
                bytes += size;
                if (v && json_array_append(items, v) < 0)
                        give_up(m, "out of memory");
        }
        return json_array_size(items) ? TAKE_PTR(items) : NULL;
}

bool map_items_is_empty(const MapItems *m) {
        return m->is_over && m->taken == m->buffer.length;
}
