/* config-place.c - a strict walk over JSON text that records where each key and value begins.
 *
 * It makes no values (jansson does), so it needs no more than one place a node, and its complaints can say what a
 * person should write. Recursion is bounded: config_text_parse() asks json_guard() first, and the walk counts again. */
#include "base/alloc.h"
#include "config/config-text.h"
#include <ctype.h>
#include <stdio.h>

typedef struct Walk {
        ConfigText *text;
        const char *s;
        size_t size, at;
        unsigned depth;
        ConfigSyntaxFault *fault;
} Walk;

static int walk_value(Walk *w, uint32_t place);

static int walk_fault(Walk *w, size_t offset, const char *text) {
        w->fault->offset = offset;
        snprintf(w->fault->text, sizeof(w->fault->text), "%s", text);
        return -EBADMSG;
}

static char walk_peek(Walk *w) {
        while (w->at < w->size && strchr(" \t\r\n", w->s[w->at]) && w->s[w->at])
                w->at++;
        return w->at < w->size ? w->s[w->at] : 0;
}

/* Index of a new place, linked after @previous or as the first child of @parent. */
static int walk_new_place(Walk *w, uint32_t parent, uint32_t previous, uint32_t *ret) {
        ConfigText *t = w->text;
        int r = alloc_grow(&t->places, &t->capacity, t->n_places + 1, sizeof(*t->places));
        if (r < 0)
                return r;
        uint32_t i = (uint32_t) t->n_places++;
        t->places[i] = (ConfigPlace){ .key = (uint32_t) w->at, .value = (uint32_t) w->at };
        if (previous)
                t->places[previous].next = i;
        else if (i != parent)
                t->places[parent].child = i;
        *ret = i;
        return 0;
}

static bool is_escape(Walk *w) {
        const char *p = w->s + w->at;
        if (w->at >= w->size || !*p || !strchr("\"\\/bfnrtu", *p))
                return false;
        if (*p != 'u')
                return true;
        for (size_t i = 1; i <= 4; i++)
                if (w->at + i >= w->size || !isxdigit((unsigned char) p[i]))
                        return false;
        w->at += 4;
        return true;
}

static int walk_string(Walk *w) {
        size_t start = w->at;

        for (w->at++; w->at < w->size; w->at++) {
                unsigned char c = (unsigned char) w->s[w->at];
                if (c == '"') {
                        w->at++;
                        return 0;
                }
                if (c == '\n')
                        break;
                if (c < 0x20)
                        return walk_fault(w, w->at, "a control character in a string; write \\t, \\n or \\u00XX");
                if (c == '\\') {
                        size_t escape = w->at++;
                        if (!is_escape(w))
                                return walk_fault(w, escape, "not an escape sequence; a backslash itself is written \\\\");
                }
        }
        return walk_fault(w, start, "this string is never closed with \"");
}

static void walk_digits(Walk *w) {
        while (w->at < w->size && isdigit((unsigned char) w->s[w->at]))
                w->at++;
}

static int walk_number(Walk *w) {
        size_t start = w->at, digits;

        if (w->s[w->at] == '-')
                w->at++;
        digits = w->at;
        walk_digits(w);
        if (w->at == digits)
                return walk_fault(w, start, "not a number");
        if (w->s[digits] == '0' && w->at > digits + 1)
                return walk_fault(w, start, "a number must not begin with 0; octal ones are written as a string");
        if (w->at < w->size && w->s[w->at] == '.') {
                w->at++;
                digits = w->at;
                walk_digits(w);
                if (w->at == digits)
                        return walk_fault(w, start, "not a number: digits must follow the point");
        }
        if (w->at < w->size && (w->s[w->at] == 'e' || w->s[w->at] == 'E')) {
                w->at++;
                if (w->at < w->size && strchr("+-", w->s[w->at]) && w->s[w->at])
                        w->at++;
                digits = w->at;
                walk_digits(w);
                if (w->at == digits)
                        return walk_fault(w, start, "not a number: digits must follow the e");
        }
        if (w->at < w->size && (isalnum((unsigned char) w->s[w->at]) || strchr("._", w->s[w->at])) && w->s[w->at])
                return walk_fault(w, start, "not a number; text, durations and sizes with a unit stand in \"double quotes\"");
        return 0;
}

static int walk_word(Walk *w) {
        static const char *const words[] = { "true", "false", "null" };
        size_t end = w->at;

        while (end < w->size && isalnum((unsigned char) w->s[end]))
                end++;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (end - w->at == strlen(words[i]) && memcmp(w->s + w->at, words[i], end - w->at) == 0) {
                        w->at = end;
                        return 0;
                }
        if (w->at >= w->size)
                return walk_fault(w, w->size, "the file ends here, but a value is missing");
        if (w->s[w->at] == '\'')
                return walk_fault(w, w->at, "strings stand in \"double quotes\"");
        return walk_fault(w, w->at, end > w->at ? "expected a value; text stands in \"double quotes\"" : "expected a value");
}

/* After a member or an item: 1 go on, 0 closed, or a fault. */
static int walk_separator(Walk *w, char closing, size_t opened) {
        char c = walk_peek(w);
        size_t at = w->at;
        bool is_object = closing == '}';

        if (c == closing) {
                w->at++;
                return 0;
        }
        if (c == 0 && at >= w->size)
                return walk_fault(w, opened, is_object ? "this { is never closed with }" : "this [ is never closed with ]");
        if (c != ',')
                return walk_fault(w, at, is_object ? "expected a comma or }" : "expected a comma or ]");
        w->at++;
        return 1;
}

static int walk_member(Walk *w, size_t opened, uint32_t parent, uint32_t *previous) {
        uint32_t place;
        int r;

        if (walk_peek(w) == 0 && w->at >= w->size)
                return walk_fault(w, opened, "this { is never closed with }");
        if (w->s[w->at] != '"')
                return walk_fault(w, w->at, "expected a key in \"double quotes\"");
        r = walk_new_place(w, parent, *previous, &place);
        if (r < 0)
                return r;
        *previous = place;
        r = walk_string(w);
        if (r < 0)
                return r;
        if (walk_peek(w) != ':')
                return walk_fault(w, w->at, "expected a colon after the key");
        w->at++;
        (void) walk_peek(w);
        w->text->places[place].has_key = true;
        w->text->places[place].value = (uint32_t) w->at;
        return walk_value(w, place);
}

static int walk_item(Walk *w, size_t opened, uint32_t parent, uint32_t *previous) {
        uint32_t place;
        int r;

        if (walk_peek(w) == 0 && w->at >= w->size)
                return walk_fault(w, opened, "this [ is never closed with ]");
        r = walk_new_place(w, parent, *previous, &place);
        if (r < 0)
                return r;
        *previous = place;
        return walk_value(w, place);
}

static int walk_container(Walk *w, uint32_t place, char closing) {
        size_t opened = w->at++;
        uint32_t previous = 0;
        int r = 1;

        if (++w->depth > CONFIG_DEPTH_MAX)
                return walk_fault(w, opened, "nested too deeply");
        if (walk_peek(w) == closing) {
                w->at++;
                r = 0;
        }
        while (r > 0) {
                r = closing == '}' ? walk_member(w, opened, place, &previous) : walk_item(w, opened, place, &previous);
                if (r < 0)
                        return r;
                r = walk_separator(w, closing, opened);
        }
        w->depth--;
        return r;
}

static int walk_value(Walk *w, uint32_t place) {
        char c = walk_peek(w);

        if (c == '{')
                return walk_container(w, place, '}');
        if (c == '[')
                return walk_container(w, place, ']');
        if (c == '"')
                return walk_string(w);
        if (c == '-' || isdigit((unsigned char) c))
                return walk_number(w);
        return walk_word(w);
}

int config_place_walk(ConfigText *t, ConfigSyntaxFault *fault) {
        Walk w = { .text = t, .s = t->clean, .size = t->size, .fault = fault };
        uint32_t root;
        int r;

        (void) walk_peek(&w);
        r = walk_new_place(&w, 0, 0, &root);
        if (r < 0)
                return r;
        r = walk_value(&w, root);
        if (r < 0)
                return r;
        (void) walk_peek(&w);
        if (w.at < w.size)
                return walk_fault(&w, w.at, "nothing may follow the end of the configuration");
        return 0;
}

/* The key of a place, decoded; a new json string or NULL. */
static json_t *place_key(const ConfigText *t, const ConfigPlace *p) {
        static const JsonLimits limits = { .max_bytes = CONFIG_FILE_MAX, .max_nodes = 1, .max_depth = 1 };
        JsonFault fault;
        json_t *key;
        Walk w = { .s = t->clean, .size = t->size, .at = p->key, .fault = &(ConfigSyntaxFault){ 0 } };

        if (walk_string(&w) < 0)
                return NULL;
        return json_load_bounded(t->clean + p->key, w.at - p->key, &limits, &key, &fault) < 0 ? NULL : key;
}

static const ConfigPlace *place_next(const ConfigText *t, uint32_t index) {
        return index ? &t->places[index] : NULL;
}

/* A key without escapes is compared in place; the others are rare enough to be decoded. */
static bool place_has_key(const ConfigText *t, const ConfigPlace *p, const char *key) {
        size_t n = strlen(key);
        const char *s = t->clean + p->key + 1;

        if (strncmp(s, key, n) == 0 && s[n] == '"' && !memchr(key, '\\', n))
                return true;
        if (!memchr(s, '\\', strcspn(s, "\"")))
                return false;
        _cleanup_json_ json_t *decoded = place_key(t, p);
        return decoded && streq(json_string_value(decoded), key);
}

const ConfigPlace *config_place_member(const ConfigText *t, const ConfigPlace *parent, const char *key) {
        for (const ConfigPlace *p = place_next(t, parent->child); p; p = place_next(t, p->next))
                if (p->has_key && place_has_key(t, p, key))
                        return p;
        return NULL;
}

const ConfigPlace *config_place_item(const ConfigText *t, const ConfigPlace *parent, size_t index) {
        for (const ConfigPlace *p = place_next(t, parent->child); p; p = place_next(t, p->next))
                if (!p->has_key && index-- == 0)
                        return p;
        return NULL;
}

static const ConfigPlace *duplicate_in(const ConfigText *t, const ConfigPlace *object, const ConfigPlace **ret_first) {
        _cleanup_json_ json_t *seen = json_object();

        for (const ConfigPlace *p = place_next(t, object->child); seen && p; p = place_next(t, p->next)) {
                if (!p->has_key)
                        return NULL;
                _cleanup_json_ json_t *key = place_key(t, p);
                if (!key)
                        return NULL;
                json_t *first = json_object_get(seen, json_string_value(key));
                if (first) {
                        *ret_first = &t->places[json_integer_value(first)];
                        return p;
                }
                if (json_object_set_new(seen, json_string_value(key), json_integer(p - t->places)) < 0)
                        return NULL;
        }
        return NULL;
}

const ConfigPlace *config_place_duplicate(const ConfigText *t, const ConfigPlace **ret_first) {
        for (size_t i = 0; i < t->n_places; i++) {
                const ConfigPlace *p = duplicate_in(t, &t->places[i], ret_first);
                if (p)
                        return p;
        }
        return NULL;
}
