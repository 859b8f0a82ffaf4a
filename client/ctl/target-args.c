/* target-args.c - see target-args.h. */
#include "ctl/target-args.h"

#include "base/alloc.h"
#include "base/json.h"
#include "ctl/pool-params.h"
#include <unistd.h>

#define NAME_BEGIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

json_t *target_value(const char *text, Text *error) {
        json_t *v = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

        if (!v)
                v = json_string(text);
        if (!v)
                text_append(error, "an argument is not UTF-8, and JSON carries nothing else");
        return v;
}

/* The length of the name in NAME=VALUE; 0: it is a value. */
static size_t name_length(const char *word) {
        size_t n = strspn(word, NAME_BEGIN "0123456789");

        return n > 0 && strspn(word, NAME_BEGIN) > 0 && word[n] == '=' ? n : 0;
}

static int put_word(const char *word, json_t *args, json_t *kwargs, Text *error) {
        size_t n = name_length(word);
        _cleanup_free_ char *name = n ? alloc_strndup(word, n) : NULL;
        _cleanup_json_ json_t *value = target_value(n ? word + n + 1 : word, error);

        if (!value)
                return -EINVAL;
        if (!n)
                return json_array_append(args, value) < 0 ? -ENOMEM : 0;
        if (!name)
                return -ENOMEM;
        if (json_object_get(kwargs, name)) {
                text_appendf(error, "the argument %s is given twice", name);
                return -EINVAL;
        }
        return json_object_set(kwargs, name, value) < 0 ? -ENOMEM : 0;
}

/* What an option has, or an empty one: a new reference. NULL with a sentence. */
static json_t *base_value(const CliArgs *a, OptionId id, Text *error) {
        bool is_array = id == OPT_ARGS;
        json_t *v;

        if (!cli_given(a, id))
                return is_array ? json_array() : json_object();
        v = json_loads(a->text[id], JSON_REJECT_DUPLICATES, NULL);
        if (v && (is_array ? json_is_array(v) : json_is_object(v)))
                return v;
        json_decref(v);
        text_appendf(error, "--%s takes JSON, %s", cli_option(id)->name, is_array ? "an array: '[5, \"x\"]'" : "an object: '{\"base\": 2}'");
        return NULL;
}

int target_args_put(const CliArgs *a, char *const *words, size_t n, json_t *params, Text *error) {
        _cleanup_json_ json_t *args = base_value(a, OPT_ARGS, error), *kwargs = base_value(a, OPT_KWARGS, error);
        int r = 0;

        if (!args || !kwargs)
                return -EINVAL;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = put_word(words[i], args, kwargs, error);
        if (r >= 0 && json_array_size(args) > 0 && json_object_set(params, "args", args) < 0)
                r = -ENOMEM;
        if (r >= 0 && json_object_size(kwargs) > 0 && json_object_set(params, "kwargs", kwargs) < 0)
                r = -ENOMEM;
        return r;
}

char *target_module_path(const char *text) {
        if (!strchr(text, '/') && access(text, F_OK) < 0)
                return alloc_strdup(text);
        return pool_params_directory(text);
}
