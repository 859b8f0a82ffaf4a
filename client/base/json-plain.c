/* json-plain.c - a parser that gives up at whatever is not plain: jansson's own has the last word on that, and on faults. */
#include "base/json-plain.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define DIGITS_MAX 18u /* any such number fits 64 bits */

typedef struct Plain {
        const char *at, *end;
        bool has_no_memory;
} Plain;

static json_t *value_read(Plain *p);

/* The next byte that is no blank; NUL at the end. */
static char next(Plain *p) {
        while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
                p->at++;
        return p->at < p->end ? *p->at : '\0';
}

static bool take(Plain *p, char c) {
        bool is_there = next(p) == c;

        p->at += is_there;
        return is_there;
}

/* A new value, or why there is none. */
static json_t *made(Plain *p, json_t *v) {
        p->has_no_memory |= !v;
        return v;
}

/* The string that begins here, in place. */
static bool string_take(Plain *p, const char **ret, size_t *ret_n) {
        const char *s;

        if (!take(p, '"'))
                return false;
        for (s = p->at; s < p->end && (signed char) *s >= 0x20 && *s != '"' && *s != '\\'; s++) /* negative: no ASCII */
                ;
        if (s == p->end || *s != '"')
                return false;
        *ret = p->at;
        *ret_n = (size_t) (s - p->at);
        p->at = s + 1;
        return true;
}

static json_t *string_read(Plain *p) {
        const char *s;
        size_t n;

        return string_take(p, &s, &n) ? made(p, json_stringn_nocheck(s, n)) : NULL;
}

static json_t *number_read(Plain *p) {
        bool is_negative = *p->at == '-';
        const char *first = p->at + is_negative, *s = first;
        json_int_t v = 0;

        for (; s < p->end && *s >= '0' && *s <= '9'; s++) {
                if (s - first == DIGITS_MAX)
                        return NULL;
                v = v * 10 + (*s - '0');
        }
        if (s == first || (*first == '0' && s - first > 1))
                return NULL;
        if (s < p->end && (*s == '.' || *s == 'e' || *s == 'E'))
                return NULL;
        p->at = s;
        return made(p, json_integer(is_negative ? -v : v));
}

static bool member_read(Plain *p, json_t *object) {
        size_t n, size = json_object_size(object);
        const char *key;
        json_t *v;

        if (!string_take(p, &key, &n) || !take(p, ':'))
                return false;
        v = value_read(p);
        if (!v)
                return false;
        if (json_object_setn_new_nocheck(object, key, n, v) < 0) {
                p->has_no_memory = true;
                return false;
        }
        return json_object_size(object) > size; /* or the key was there before */
}

static bool item_read(Plain *p, json_t *array) {
        json_t *v = value_read(p);

        if (!v)
                return false;
        if (json_array_append_new(array, v) == 0)
                return true;
        p->has_no_memory = true;
        return false;
}

/* @container_take with all its members up to @close. */
static json_t *container_read(Plain *p, json_t *container_take, bool (*read)(Plain *p, json_t *container), char close) {
        if (!made(p, container_take))
                return NULL;
        p->at++;
        if (take(p, close))
                return container_take;
        while (read(p, container_take)) {
                if (take(p, close))
                        return container_take;
                if (!take(p, ','))
                        break;
        }
        json_decref(container_take);
        return NULL;
}

static json_t *word_read(Plain *p, const char *word, json_t *v) {
        size_t n = strlen(word);

        if ((size_t) (p->end - p->at) < n || memcmp(p->at, word, n) != 0)
                return NULL;
        p->at += n;
        return v;
}

static json_t *value_read(Plain *p) {
        switch (next(p)) {
        case '"':
                return string_read(p);
        case '{':
                return container_read(p, json_object(), member_read, '}');
        case '[':
                return container_read(p, json_array(), item_read, ']');
        case 't':
                return word_read(p, "true", json_true());
        case 'f':
                return word_read(p, "false", json_false());
        case 'n':
                return word_read(p, "null", json_null());
        case '-':
        case '0' ... '9':
                return number_read(p);
        default:
                return NULL;
        }
}

int json_plain_load(const char *text, size_t size, json_t **ret) {
        Plain p = {.at = text, .end = text + size};
        json_t *v = value_read(&p);

        if (!v)
                return p.has_no_memory ? -ENOMEM : 0;
        if (next(&p) != '\0' || p.at < p.end) {
                json_decref(v);
                return 0;
        }
        *ret = v;
        return 1;
}
