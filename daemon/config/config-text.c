/* config-text.c - comments and trailing commas out, positions kept; see the header. */
#include "config/config-text.h"
#include "base/alloc.h"
#include <stdio.h>

static const JsonLimits limits = {
        .max_bytes = CONFIG_FILE_MAX,
        .max_nodes = CONFIG_NODES_MAX,
        .max_depth = CONFIG_DEPTH_MAX,
};

/* The end of the string that begins at @i; an unterminated one ends with the line, and the walk will complain. */
static size_t skip_string(const char *s, size_t size, size_t i) {
        for (i++; i < size && s[i] != '\n'; i++) {
                if (s[i] == '\\')
                        i++;
                else if (s[i] == '"')
                        return i + 1;
        }
        return MIN(i, size);
}

/* The end of the comment that begins at @i, @i when there is none, SIZE_MAX when it is never closed. */
static size_t skip_comment(const char *s, size_t size, size_t i) {
        bool is_line = s[i] == '#' || (s[i] == '/' && i + 1 < size && s[i + 1] == '/');
        if (is_line) {
                while (i < size && s[i] != '\n')
                        i++;
                return i;
        }
        if (s[i] != '/' || i + 1 >= size || s[i + 1] != '*')
                return i;
        for (i += 2; i + 1 < size; i++)
                if (s[i] == '*' && s[i + 1] == '/')
                        return i + 2;
        return SIZE_MAX;
}

static void blank_range(char *clean, size_t from, size_t to) {
        for (size_t i = from; i < to; i++)
                if (clean[i] != '\n' && clean[i] != '\r')
                        clean[i] = ' ';
}

static bool is_space(char c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A comma is trailing when a value stands before it and a closing bracket is the next thing after it. */
static void blank_trailing_comma(char *clean, ssize_t comma, char before_comma, char closing) {
        if (comma >= 0 && (closing == '}' || closing == ']') && !strchr("[{,:", before_comma))
                clean[comma] = ' ';
}

int config_text_blank(const char *raw, size_t size, char *clean, ConfigSyntaxFault *fault) {
        ssize_t comma = -1; /* the last significant character, when it is a comma */
        char last = '[', before_comma = '[';
        size_t i = 0;

        memcpy(clean, raw, size);
        clean[size] = 0;
        if (size >= 3 && memcmp(raw, "\xef\xbb\xbf", 3) == 0) {
                blank_range(clean, 0, 3);
                i = 3;
        }
        while (i < size) {
                size_t end = skip_comment(raw, size, i);
                if (end == SIZE_MAX) {
                        fault->offset = i;
                        snprintf(fault->text, sizeof(fault->text), "this comment is never closed with */");
                        return -EBADMSG;
                }
                if (end > i) {
                        blank_range(clean, i, end);
                        i = end;
                        continue;
                }
                if (is_space(raw[i])) {
                        i++;
                        continue;
                }
                blank_trailing_comma(clean, comma, before_comma, raw[i]);
                comma = raw[i] == ',' ? (ssize_t) i : -1;
                before_comma = last;
                last = raw[i];
                i = raw[i] == '"' ? skip_string(raw, size, i) : i + 1;
        }
        return 0;
}

void config_text_position(const ConfigText *t, size_t offset, int *ret_line, int *ret_column) {
        size_t begin = t->size >= 3 && memcmp(t->raw, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, end = MIN(offset, t->size);
        int line = 1, column = 1;

        for (const char *p; begin < end && (p = memchr(t->raw + begin, '\n', end - begin)); line++)
                begin = (size_t) (p - t->raw) + 1;
        for (; begin < end; begin++)
                if (((unsigned char) t->raw[begin] & 0xc0) != 0x80)
                        column++; /* continuation bytes of UTF-8 are no characters of their own */
        *ret_line = line;
        *ret_column = column;
}

static bool is_blank(const char *s, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (!is_space(s[i]))
                        return false;
        return true;
}

/* jansson's own complaint, or, where it was about a doubled key, a better one; then true. */
static bool describe_load_fault(const ConfigText *t, const JsonFault *json, ConfigSyntaxFault *fault) {
        const ConfigPlace *first = NULL, *second = config_place_duplicate(t, &first);
        int line, column;

        if (!second) {
                fault->offset = json->offset;
                snprintf(fault->text, sizeof(fault->text), "%s", json->text);
                return false;
        }
        config_text_position(t, first->key, &line, &column);
        fault->offset = second->key;
        snprintf(fault->text, sizeof(fault->text), "this key stands twice in the same object; the first is at %d:%d",
                 line, column);
        return true;
}

int config_text_parse(ConfigText *t, const char *file, char *raw_consume, size_t size, json_t **ret,
                      ConfigSyntaxFault *fault) {
        JsonFault json = { 0 };
        int r;

        t->raw = raw_consume;
        t->size = size;
        t->file = alloc_strdup(file);
        t->clean = alloc_zero(size + 1, 1);
        if (!t->file || !t->clean)
                return -ENOMEM;
        r = config_text_blank(t->raw, size, t->clean, fault);
        if (r < 0)
                return r;
        if (is_blank(t->clean, size)) {
                json_t *empty = json_object();
                if (!empty)
                        return -ENOMEM;
                *ret = empty;
                return 0;
        }
        r = json_guard(t->clean, size, &limits, &json);
        if (r == -E2BIG || r == -ELOOP) {
                fault->offset = json.offset;
                snprintf(fault->text, sizeof(fault->text), "%s", json.text);
                return -EBADMSG;
        }
        r = config_place_walk(t, fault);
        if (r < 0)
                return r;
        r = json_load_bounded(t->clean, size, &limits, ret, &json);
        if (r < 0 && r != -ENOMEM) {
                /* Only here not json_load_bounded(), which refuses doubled keys: the last one counts, so that the rest can be
                 * looked at. json_guard() has bounded the same text a few lines above. */
                if (describe_load_fault(t, &json, fault))
                        *ret = json_loadb(t->clean, size, 0, NULL);
                return -EBADMSG;
        }
        return r;
}

void config_text_done(ConfigText *t) {
        free(t->file);
        free(t->raw);
        free(t->clean);
        free(t->places);
        *t = (ConfigText){ 0 };
}
