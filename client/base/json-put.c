/* json-put.c - a jansson value as text. json_dumps() calls back for each piece and keeps a table against loops, which
 * costs ten times as much for the few members of a request. */
#include "base/json.h"

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

static int append(const char *bytes, size_t n, void *text) {
        text_append_n(text, bytes, n);
        return 0;
}

int json_dump_append(Text *t, const json_t *v, size_t flags) {
        size_t before = t->length;

        if (json_dump_callback(v, append, t, flags) == 0)
                return 0;
        text_truncate(t, before);
        return -EINVAL;
}
