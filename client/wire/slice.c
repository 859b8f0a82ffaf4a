/* slice.c - see slice.h. Recursion is bounded by SLICE_DEPTH_MAX. */
#include "wire/slice.h"

#include "base/alloc.h"

#include "base/text.h"
#include <sys/types.h>

typedef struct Scan {
        const char *begin, *at, *end;
        const char *fault; /* static; what is wrong at .at */
} Scan;

static int wrong(Scan *s, const char *what) {
        s->fault = s->at < s->end ? what : "it ends in the middle";
        return -EBADMSG;
}

static int tell(const Scan *s, SliceFault *fault) {
        if (fault)
                *fault = (SliceFault){.offset = (size_t) (s->at - s->begin), .text = s->fault};
        return -EBADMSG;
}

static void skip_space(Scan *s) {
        while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r' || *s->at == '\n'))
                s->at++;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
        return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static int skip_escape(Scan *s) {
        s->at++;
        if (s->at < s->end && *s->at && strchr("\"\\/bfnrt", *s->at)) {
                s->at++;
                return 0;
        }
        if (s->end - s->at < 5 || *s->at != 'u')
                return wrong(s, "no such escape");
        for (int i = 1; i <= 4; i++)
                if (!is_hex(s->at[i]))
                        return wrong(s, "no such escape");
        s->at += 5;
        return 0;
}

static int skip_string(Scan *s) {
        s->at++;
        while (s->at < s->end) {
                uint8_t c = (uint8_t) *s->at;
                size_t n;

                if (c == '"') {
                        s->at++;
                        return 0;
                }
                if (c == '\\') {
                        if (skip_escape(s) < 0)
                                return -EBADMSG;
                        continue;
                }
                if (c < 0x20)
                        return wrong(s, "a control character in a string");
                n = c < 0x80 ? 1 : utf8_sequence(s->at, (size_t) (s->end - s->at));
                if (n == 0)
                        return wrong(s, "not UTF-8");
                s->at += n;
        }
        return wrong(s, "");
}

static int skip_digits(Scan *s) {
        if (s->at >= s->end || !is_digit(*s->at))
                return wrong(s, "a digit is missing");
        while (s->at < s->end && is_digit(*s->at))
                s->at++;
        return 0;
}

static int skip_number(Scan *s) {
        if (*s->at == '-')
                s->at++;
        if (s->at < s->end && *s->at == '0')
                s->at++;
        else if (skip_digits(s) < 0)
                return -EBADMSG;
        if (s->at < s->end && *s->at == '.') {
                s->at++;
                if (skip_digits(s) < 0)
                        return -EBADMSG;
        }
        if (s->at < s->end && (*s->at | 0x20) == 'e') {
                s->at++;
                if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
                        s->at++;
                return skip_digits(s);
        }
        return 0;
}

static int skip_word(Scan *s) {
        static const char *const words[] = {"true", "false", "null"};

        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                size_t n = strlen(words[i]);

                if ((size_t) (s->end - s->at) >= n && memcmp(s->at, words[i], n) == 0) {
                        s->at += n;
                        return 0;
                }
        }
        return wrong(s, "no value of JSON");
}

static int skip_value(Scan *s, unsigned depth);

/* Past the comma, or past @close: 1 more, 0 it was the last. */
static int skip_between(Scan *s, char close) {
        skip_space(s);
        if (s->at < s->end && *s->at == close) {
                s->at++;
                return 0;
        }
        if (s->at >= s->end || *s->at != ',')
                return wrong(s, "a comma is missing");
        s->at++;
        skip_space(s);
        return 1;
}

/* Past the opening bracket: 1 when something is in it, 0 when not, and then it is closed. */
static int skip_open(Scan *s, char close) {
        s->at++;
        skip_space(s);
        if (s->at >= s->end || *s->at != close)
                return 1;
        s->at++;
        return 0;
}

/* Key and colon; the key with its quotes. */
static int skip_key(Scan *s, Slice *ret) {
        const char *begin = s->at;

        if (s->at >= s->end || *s->at != '"')
                return wrong(s, "a name in quotes is missing");
        if (skip_string(s) < 0)
                return -EBADMSG;
        *ret = (Slice){.at = begin, .n = (size_t) (s->at - begin)};
        skip_space(s);
        if (s->at >= s->end || *s->at != ':')
                return wrong(s, "a colon is missing");
        s->at++;
        skip_space(s);
        return 0;
}

static int skip_container(Scan *s, unsigned depth) {
        bool is_object = *s->at == '{';
        char close = is_object ? '}' : ']';
        int r = depth == 0 ? wrong(s, "nested too deeply") : skip_open(s, close);
        Slice key;

        while (r > 0) {
                if (is_object && skip_key(s, &key) < 0)
                        return -EBADMSG;
                r = skip_value(s, depth - 1);
                if (r >= 0)
                        r = skip_between(s, close);
        }
        return r;
}

static int skip_value(Scan *s, unsigned depth) {
        if (s->at >= s->end)
                return wrong(s, "");
        switch (*s->at) {
        case '{':
        case '[':
                return skip_container(s, depth);
        case '"':
                return skip_string(s);
        case '-':
        case '0' ... '9':
                return skip_number(s);
        default:
                return skip_word(s);
        }
}

static int skip_end(Scan *s) {
        skip_space(s);
        if (s->at == s->end)
                return 0;
        s->fault = "something follows";
        return -EBADMSG;
}

static Scan scan_begin(const char *text, size_t size) {
        Scan s = {.begin = text, .at = text, .end = text + size};

        skip_space(&s);
        return s;
}

int slice_value(const char *text, size_t size, Slice *ret, SliceFault *fault) {
        Scan s = scan_begin(text, size);
        const char *begin = s.at;
        Slice found;

        if (skip_value(&s, SLICE_DEPTH_MAX) < 0)
                return tell(&s, fault);
        found = (Slice){.at = begin, .n = (size_t) (s.at - begin)};
        if (skip_end(&s) < 0)
                return tell(&s, fault);
        *ret = found;
        return 0;
}

static SliceMember *member_find(SliceMember *members, size_t n, Slice key) {
        for (size_t i = 0; i < n; i++)
                if (strlen(members[i].key) == key.n - 2 && memcmp(members[i].key, key.at + 1, key.n - 2) == 0)
                        return &members[i];
        return NULL;
}

static int object_member(Scan *s, SliceMember *members, size_t n) {
        const char *begin;
        SliceMember *m;
        Slice key;

        if (skip_key(s, &key) < 0)
                return -EBADMSG;
        m = member_find(members, n, key);
        begin = s->at;
        if (m && m->value.at)
                return wrong(s, "a member is there twice");
        if (skip_value(s, SLICE_DEPTH_MAX) < 0)
                return -EBADMSG;
        if (m)
                m->value = (Slice){.at = begin, .n = (size_t) (s->at - begin)};
        return 0;
}

int slice_object(const char *text, size_t size, SliceMember *members, size_t n, SliceFault *fault) {
        Scan s = scan_begin(text, size);
        int r;

        for (size_t i = 0; i < n; i++)
                members[i].value = (Slice){0};
        r = s.at < s.end && *s.at == '{' ? skip_open(&s, '}') : wrong(&s, "not an object");
        while (r > 0) {
                r = object_member(&s, members, n);
                if (r >= 0)
                        r = skip_between(&s, '}');
        }
        if (r >= 0)
                r = skip_end(&s);
        return r < 0 ? tell(&s, fault) : 0;
}

ssize_t slice_array(const char *text, size_t size, uint32_t *ends, size_t max_n, size_t *ret_first, SliceFault *fault) {
        Scan s = scan_begin(text, size);
        size_t n = 0, first;
        int r = s.at < s.end && *s.at == '[' ? skip_open(&s, ']') : wrong(&s, "not an array");

        first = (size_t) (s.at - text);
        while (r > 0) {
                r = skip_value(&s, SLICE_DEPTH_MAX);
                if (r < 0)
                        break;
                if (n == max_n)
                        return -E2BIG;
                if (ends)
                        ends[n] = (uint32_t) (s.at - text);
                n++;
                r = skip_between(&s, ']');
        }
        if (r >= 0)
                r = skip_end(&s);
        if (r < 0)
                return tell(&s, fault);
        if (ret_first)
                *ret_first = first;
        return (ssize_t) n;
}

int slice_u64(Slice s, uint64_t *ret) {
        uint64_t v = 0;

        if (!s.at || s.n == 0 || s.n > 19)
                return -EINVAL;
        for (size_t i = 0; i < s.n; i++) {
                if (!is_digit(s.at[i]))
                        return -EINVAL;
                v = v * 10 + (uint64_t) (s.at[i] - '0');
        }
        *ret = v;
        return 0;
}

Slice slice_past(Slice s, const char *word) {
        size_t n = strlen(word);

        if (!s.at || s.n < n || memcmp(s.at, word, n) != 0)
                return (Slice){0};
        return (Slice){.at = s.at + n, .n = s.n - n};
}

Slice slice_past_u64(Slice s, uint64_t *ret) {
        size_t n = 0;

        while (n < s.n && is_digit(s.at[n]))
                n++;
        if (slice_u64((Slice){.at = s.at, .n = n}, ret) < 0)
                return (Slice){0};
        return (Slice){.at = s.at + n, .n = s.n - n};
}

Slice slice_before(Slice s, const char *word) {
        size_t n = strlen(word);

        if (!s.at || s.n < n || memcmp(s.at + s.n - n, word, n) != 0)
                return (Slice){0};
        return (Slice){.at = s.at, .n = s.n - n};
}

/* Nothing to do, nearly always. */
static bool has_odd_line_end(Slice s) {
        return memchr(s.at, '\r', s.n) || (memchr(s.at, 0xe2, s.n) && memmem(s.at, s.n, "\xe2\x80", 2));
}

void slice_append(Text *t, Slice s) {
        size_t from = 0;

        if (!has_odd_line_end(s)) {
                text_append_n(t, s.at, s.n);
                return;
        }
        for (size_t i = 0; i < s.n; i++) {
                bool is_separator = i + 2 < s.n && memcmp(s.at + i, "\xe2\x80", 2) == 0 && ((unsigned char) s.at[i + 2] | 1) == 0xa9;

                if (s.at[i] != '\r' && !is_separator)
                        continue;
                text_append_n(t, s.at + from, i - from);
                text_append(t, !is_separator ? " " : s.at[i + 2] & 1 ? "\\u2029" : "\\u2028");
                i += is_separator ? 2 : 0;
                from = i + 1;
        }
        text_append_n(t, s.at + from, s.n - from);
}

char *slice_dup(Slice s, size_t *ret_n) {
        _cleanup_text_ Text t = {0};

        *ret_n = s.n;
        if (!has_odd_line_end(s))
                return alloc_strndup(s.at, s.n);
        slice_append(&t, s);
        *ret_n = t.length;
        return text_take(&t);
}
