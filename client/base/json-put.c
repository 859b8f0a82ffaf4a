/* json-put.c - a jansson value as text. json_dumps() calls back for each piece and keeps a table against loops, which
 * costs ten times as much for the few members of a request. */
#include "base/json.h"

#define PLAIN_DEPTH 4

static void put_member(Text *t, const char *key, const json_t *v) {
        json_put_string(t, NULL, key); /* it may need escapes */
        text_append_char(t, ':');
        json_put_value(t, NULL, v);
}

static void put_object(Text *t, const char *key, const json_t *v) {
        const char *name;
        json_t *member;

        json_put_object(t, key);
        json_object_foreach((json_t *) v, name, member)
                put_member(t, name, member);
        json_end_object(t);
}

static void put_array(Text *t, const char *key, const json_t *v) {
        json_put_array(t, key);
        for (size_t i = 0; i < json_array_size(v); i++)
                json_put_value(t, NULL, json_array_get(v, i));
        json_end_array(t);
}

static void put_real(Text *t, const char *key, const json_t *v) {
        char *text = json_dumps(v, JSON_ENCODE_ANY);

        if (text)
                json_put_raw(t, key, text);
        else
                t->failed = true;
        free(text);
}

void json_put_value(Text *t, const char *key, const json_t *v) {
        if (!v)
                t->failed = true;
        else if (json_is_object(v))
                put_object(t, key, v);
        else if (json_is_array(v))
                put_array(t, key, v);
        else if (json_is_string(v))
                json_put_string_n(t, key, json_string_value(v), json_string_length(v));
        else if (json_is_integer(v))
                json_put_i64(t, key, json_integer_value(v));
        else if (json_is_real(v))
                put_real(t, key, v);
        else if (json_is_boolean(v))
                json_put_bool(t, key, json_is_true(v));
        else
                json_put_null(t, key);
}

static bool is_ascii(const char *s, size_t n) {
        unsigned char seen = 0;

        for (size_t i = 0; i < n; i++)
                seen |= (unsigned char) s[i];
        return seen < 0x80;
}

static size_t key_length(const char *name) {
        return json_object_iter_key_len(json_object_key_to_iter(name));
}

/* Nothing that jansson would have to look at twice: no more than @depth containers in each other, so that none contains
 * itself, and no string that might be no UTF-8. */
static bool is_plain(const json_t *v, unsigned depth) {
        const char *name;
        json_t *member;

        if (json_is_string(v))
                return is_ascii(json_string_value(v), json_string_length(v));
        if (!json_is_object(v) && !json_is_array(v))
                return v != NULL;
        if (depth == 0)
                return false;
        for (size_t i = 0; i < json_array_size(v); i++)
                if (!is_plain(json_array_get(v, i), depth - 1))
                        return false;
        json_object_foreach((json_t *) v, name, member)
                if (!is_plain(member, depth - 1) || !is_ascii(name, strlen(name)) || strlen(name) != key_length(name))
                        return false;
        return true;
}

/* May json_put_value() write it behind what stands in @t, without a comma before it? */
static bool is_for_put(const Text *t, const json_t *v, size_t flags) {
        char last = t->length > 0 ? t->data[t->length - 1] : '\n';

        if (!strchr("{[:,\n", last) || (flags & ~(size_t) JSON_ENCODE_ANY) != JSON_COMPACT)
                return false;
        return (json_is_object(v) || json_is_array(v) || (flags & JSON_ENCODE_ANY)) && is_plain(v, PLAIN_DEPTH);
}

static int append(const char *bytes, size_t n, void *text) {
        text_append_n(text, bytes, n);
        return 0;
}

int json_dump_append(Text *t, const json_t *v, size_t flags) {
        size_t before = t->length;

        if (is_for_put(t, v, flags)) {
                json_put_value(t, NULL, v);
                return 0;
        }
        if (json_dump_callback(v, append, t, flags) == 0)
                return 0;
        text_truncate(t, before);
        return -EINVAL;
}
