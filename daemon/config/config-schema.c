/* config-schema.c - the JSON Schema of drover.json, from the key table. */
#include "base/alloc.h"
#include "base/json.h"
#include "config/config-document.h"
#include "config/config-key.h"

/* What several keys refer to. Patterns are a help while typing; droverd itself is stricter. */
static const struct {
        const char *name, *json;
} definitions[] = {
        { "duration", "{\"anyOf\":[{\"type\":\"number\",\"minimum\":0},"
                      "{\"type\":\"string\",\"pattern\":\"^([0-9]+([.][0-9]+)?[a-z]*)+$|^infinity$\"}]}" },
        { "size", "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},"
                  "{\"type\":\"string\",\"pattern\":\"^[0-9]+([.][0-9]+)?[KMGTkmgt]?$\"}]}" },
        { "path", "{\"type\":\"string\",\"pattern\":\"^/\"}" },
        { "signal", "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":64},"
                    "{\"type\":\"string\",\"pattern\":\"^[A-Z0-9+-]+$\"}]}" },
        { "identity", "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967294},"
                      "{\"type\":\"string\",\"pattern\":\"^([A-Za-z_][A-Za-z0-9_.-]*|0|[1-9][0-9]*)$\"}]}" },
        { "address", "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":65535},"
                     "{\"type\":\"string\",\"pattern\":\"^(/.*|([0-9.]+|localhost|[*]|\\\\[[0-9a-fA-F:.]+\\\\]):[0-9]+|[0-9]+)$\"}]}" },
        { "limit-count-value", "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},{\"const\":\"infinity\"}]}" },
        { "limit-size-value", "{\"anyOf\":[{\"$ref\":\"#/$defs/size\"},{\"const\":\"infinity\"}]}" },
        { "limit-count", "{\"anyOf\":[{\"$ref\":\"#/$defs/limit-count-value\"},{\"type\":\"array\",\"minItems\":2,"
                         "\"maxItems\":2,\"items\":{\"$ref\":\"#/$defs/limit-count-value\"}}]}" },
        { "limit-size", "{\"anyOf\":[{\"$ref\":\"#/$defs/limit-size-value\"},{\"type\":\"array\",\"minItems\":2,"
                        "\"maxItems\":2,\"items\":{\"$ref\":\"#/$defs/limit-size-value\"}}]}" },
};

static void put_members(Text *t, ConfigScope scope, const char *prefix);

static void put_object(Text *t, const ConfigKey *key) {
        if (!key->short_type) {
                put_members(t, key->scope, key->path);
                return;
        }
        json_put_array(t, "anyOf");
        json_put_object(t, NULL);
        key->short_type->schema(key, t);
        json_end_object(t);
        json_put_object(t, NULL);
        put_members(t, key->scope, key->path);
        json_end_object(t);
        json_end_array(t);
}

static void put_key(Text *t, const ConfigKey *key) {
        json_put_object(t, config_key_name(key));
        json_put_string(t, "description", key->help);
        if (key->default_json)
                json_put_raw(t, "default", key->default_json);
        if (config_key_is_object(key))
                put_object(t, key);
        else
                key->type->schema(key, t);
        json_end_object(t);
}

static void put_members(Text *t, ConfigScope scope, const char *prefix) {
        json_put_string(t, "type", "object");
        json_put_object(t, "properties");
        for (size_t i = 0; i < n_config_keys; i++)
                if (config_key_parent_is(&config_keys[i], scope, prefix))
                        put_key(t, &config_keys[i]);
        json_end_object(t);
        json_put_bool(t, "additionalProperties", false);
}

static void put_definitions(Text *t) {
        json_put_object(t, "$defs");
        for (size_t i = 0; i < ARRAY_SIZE(definitions); i++)
                json_put_raw(t, definitions[i].name, definitions[i].json);
        json_put_object(t, "pool");
        put_members(t, CONFIG_SCOPE_POOL, "");
        json_put_raw(t, "oneOf", "[{\"required\":[\"command\"]},{\"required\":[\"module\"]}]");
        json_end_object(t);
        json_put_object(t, "listen");
        put_members(t, CONFIG_SCOPE_LISTEN, "");
        json_end_object(t);
        json_put_object(t, "hook");
        put_members(t, CONFIG_SCOPE_HOOK, "");
        json_put_raw(t, "required", "[\"events\",\"command\"]");
        json_end_object(t);
        json_end_object(t);
}

char *config_schema(void) {
        _cleanup_text_ Text t = { 0 };
        _cleanup_json_ json_t *schema = NULL;
        _cleanup_free_ char *indented = NULL;

        json_put_object(&t, NULL);
        json_put_string(&t, "$schema", "https://json-schema.org/draft/2020-12/schema");
        json_put_string(&t, "title", "drover.json");
        put_members(&t, CONFIG_SCOPE_TOP, "");
        put_definitions(&t);
        json_end_object(&t);
        if (text_check(&t) < 0)
                return NULL;
        /* a build tool reading what it wrote itself: there is no peer to be bounded */
        schema = json_loads(t.data, JSON_REJECT_DUPLICATES, NULL);
        indented = schema ? json_dumps(schema, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
        return indented ? alloc_printf("%s\n", indented) : NULL;
}
