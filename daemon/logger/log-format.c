/* log-format.c - see log-format.h. */
#include "logger/log-format.h"

#define TIME_BYTES 27u /* 2026-01-02T03:04:05.678901Z */

static const char *stream_text(uint32_t stream) {
        return stream == LOG_STREAM_STDERR ? "stderr" : "stdout";
}

/* How many of @n bytes, which hold no newline, may stand in one line: at most LOGGER_LINE_MAX when read again. */
static size_t piece_bytes(const uint8_t *line, size_t n) {
        size_t clean = 0, i = 0;
        if (n <= LOGGER_LINE_MAX / 3)
                return n;
        while (i < n) {
                size_t k = utf8_sequence((const char *) line + i, n - i);
                clean += k ? k : 3;
                if (clean > LOGGER_LINE_MAX)
                        return i;
                i += k ? k : 1;
        }
        return n;
}

size_t log_format_whole(const uint8_t *data, size_t n) {
        for (size_t back = 1; back <= 3 && back < n; back++) {
                uint8_t c = data[n - back];
                if ((c & 0xc0) == 0x80)
                        continue;
                size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
                return want > back ? n - back : n;
        }
        return n;
}

static void put_line(const LogStyle *s, const LogChunk *c, const char *time, const uint8_t *line, size_t n,
                     bool is_continued, Text *out) {
        if (s->format == LOG_FORMAT_JSON) {
                json_put_object(out, NULL);
                json_put_string_n(out, "time", time, TIME_BYTES);
                json_put_string(out, "worker", s->worker);
                json_put_string(out, "stream", stream_text(c->stream));
                json_put_string_n(out, "line", (const char *) line, n);
                if (is_continued)
                        json_put_bool(out, "is_continued", true);
                json_end_object(out);
        } else {
                text_append_n(out, time, TIME_BYTES);
                text_append_char(out, ' ');
                text_append_n(out, line, n);
                if (is_continued)
                        text_append(out, LOG_CUT_MARK);
        }
        text_append_char(out, '\n');
}

size_t log_format(const LogStyle *s, const LogChunk *c, size_t max, Text *out) {
        char time[TIME_TEXT_MAX];
        size_t begin = out->length, at = 0;
        time_format_usec(time, c->time);
        while (at < c->n) {
                const uint8_t *line = c->data + at, *end = memchr(line, '\n', c->n - at);
                size_t n_line = end ? (size_t) (end - line) : c->n - at, n = piece_bytes(line, n_line);
                size_t n_taken = n < n_line || !end ? n : n + 1, before = out->length;
                put_line(s, c, time, line, n, n < n_line || (c->is_cut && at + n_taken == c->n), out);
                if (at > 0 && out->length - begin > max) {
                        text_truncate(out, before);
                        break;
                }
                at += n_taken;
        }
        return at;
}

/* ---- back again ---- */

typedef struct Scan {
        const char *p, *end;
} Scan;

static bool scan_text(Scan *s, const char *text) {
        size_t n = strlen(text);
        if ((size_t) (s->end - s->p) < n || memcmp(s->p, text, n) != 0)
                return false;
        s->p += n;
        return true;
}

static bool scan_time(Scan *s, uint64_t *ret) {
        char buf[TIME_BYTES + 1];
        if ((size_t) (s->end - s->p) < TIME_BYTES)
                return false;
        memcpy(buf, s->p, TIME_BYTES);
        buf[TIME_BYTES] = '\0';
        if (buf[TIME_BYTES - 1] != 'Z' || time_parse(buf, ret) < 0)
                return false;
        s->p += TIME_BYTES;
        return true;
}

static int hex_value(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The writer escapes control characters only: one byte each. */
static bool scan_unicode(Scan *s, Text *out) {
        int value = 0;
        for (int i = 0; i < 4; i++, s->p++) {
                int digit = s->p < s->end ? hex_value(*s->p) : -1;
                if (digit < 0)
                        return false;
                value = value * 16 + digit;
        }
        if (value >= 0x80)
                return false;
        text_append_char(out, (char) value);
        return true;
}

static bool scan_escape(Scan *s, Text *out) {
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        if (s->p >= s->end)
                return false;
        char c = *s->p++;
        if (c == 'u')
                return scan_unicode(s, out);
        const char *found = c ? strchr(from, c) : NULL;
        if (found)
                text_append_char(out, to[found - from]);
        return found != NULL;
}

/* The rest of a string, its closing quote too. */
static bool scan_string(Scan *s, Text *out) {
        while (s->p < s->end && *s->p != '"') {
                const char *stop = s->p;
                while (stop < s->end && *stop != '"' && *stop != '\\')
                        stop++;
                text_append_n(out, s->p, (size_t) (stop - s->p));
                s->p = stop;
                if (s->p < s->end && *s->p == '\\' && (s->p++, !scan_escape(s, out)))
                        return false;
        }
        return scan_text(s, "\"");
}

LogForm log_form_guess(const uint8_t *data, size_t n) {
        Scan timed = {(const char *) data, (const char *) data + n}, json = timed;
        uint64_t time;
        if (scan_text(&json, "{\"time\":\"") && scan_time(&json, &time) && scan_text(&json, "\",\"worker\":\""))
                return LOG_FORM_JSON;
        return scan_time(&timed, &time) && scan_text(&timed, " ") ? LOG_FORM_TIMED : LOG_FORM_RAW;
}

static bool parse_json(const LogStyle *style, Scan *s, Text *out, LoggerLine *ret, bool *ret_is_mine) {
        if (!scan_text(s, "{\"time\":\"") || !scan_time(s, &ret->time_usec) || !scan_text(s, "\",\"worker\":\"") ||
            !scan_string(s, out))
                return false;
        *ret_is_mine = streq(out->data ? out->data : "", style->worker);
        text_clear(out);
        if (scan_text(s, ",\"stream\":\"stdout\""))
                ret->stream = LOG_STREAM_STDOUT;
        else if (scan_text(s, ",\"stream\":\"stderr\""))
                ret->stream = LOG_STREAM_STDERR;
        else
                return false;
        if (!scan_text(s, ",\"line\":\"") || !scan_string(s, out))
                return false;
        ret->is_continued = scan_text(s, ",\"is_continued\":true");
        return scan_text(s, "}") && s->p == s->end;
}

bool log_format_parse(const LogStyle *s, const uint8_t *line, size_t n, Text *out, LoggerLine *ret, bool *ret_is_mine) {
        Scan scan = {(const char *) line, (const char *) line + n};
        text_clear(out);
        *ret_is_mine = true;
        ret->is_continued = 0;
        if (s->format == LOG_FORMAT_JSON) {
                if (!parse_json(s, &scan, out, ret, ret_is_mine))
                        return false;
        } else {
                if (!scan_time(&scan, &ret->time_usec) || !scan_text(&scan, " "))
                        return false;
                text_append_n(out, scan.p, (size_t) (scan.end - scan.p));
        }
        ret->n_bytes = (uint32_t) out->length;
        return !out->failed && out->length <= LOGGER_LINE_MAX + strlen(LOG_CUT_MARK);
}
