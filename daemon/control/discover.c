/* discover.c - OpenRPC 1.2.6, as far as a table of methods can fill it. */
#include "control/discover.h"
#include "config/config-key.h"
#include "build-config.h"
#include "control/method.h"

static const char *const field_schemas[] = {
        [JSON_FIELD_STRING] = "{\"type\":\"string\"}",
        [JSON_FIELD_BOOL] = "{\"type\":\"boolean\"}",
        [JSON_FIELD_SPAN] = "{\"$ref\":\"#/components/schemas/Duration\"}",
        [JSON_FIELD_SIGNAL] = "{\"type\":[\"string\",\"integer\"]}",
        [JSON_FIELD_VALUE] = "{}",
        [JSON_FIELD_OBJECT] = "{\"type\":\"object\"}",
        [JSON_FIELD_ARRAY] = "{\"type\":\"array\"}",
        [JSON_FIELD_STRINGS] = "{\"$ref\":\"#/components/schemas/Strings\"}",
};

static void put_schema(const JsonField *f, Text *t) {
        if (f->type != JSON_FIELD_I64) {
                json_put_raw(t, "schema", field_schemas[f->type]);
                return;
        }
        json_put_object(t, "schema");
        json_put_string(t, "type", "integer");
        if (f->min != 0 || f->max != 0) {
                json_put_i64(t, "minimum", f->min);
                json_put_i64(t, "maximum", f->max);
        }
        json_end_object(t);
}

static void put_method(const ProtocolMethod *name, const Method *m, Text *t) {
        json_put_object(t, NULL);
        json_put_string(t, "name", name->name);
        json_put_string(t, "summary", name->help);
        json_put_string(t, "paramStructure", m->takes_config ? "by-name" : "either");
        json_put_array(t, "params");
        for (const JsonField *f = m->fields; f && f->name; f++) {
                json_put_object(t, NULL);
                json_put_string(t, "name", f->name);
                json_put_string(t, "description", f->help);
                if (f->required)
                        json_put_bool(t, "required", true);
                put_schema(f, t);
                json_end_object(t);
        }
        json_end_array(t);
        json_put_object(t, "result");
        json_put_string(t, "name", "result");
        json_put_string(t, "description", m->result);
        json_put_raw(t, "schema", "{}");
        json_end_object(t);
        json_put_string(t, "x-access", access_class_to_string(m->class));
        json_put_bool(t, "x-takes-pool-keys", m->takes_config);
        json_end_object(t);
}

static void put_errors(Text *t) {
        static const struct {
                const char *symbol, *name, *meaning;
                int code;
        } errors[] = {
#define X(symbol_, code_, name_, meaning_) {#symbol_, (name_), (meaning_), (code_)},
                PROTOCOL_ERRORS(X)
#undef X
        };

        json_put_object(t, "errors");
        for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
                json_put_object(t, errors[i].symbol);
                json_put_i64(t, "code", errors[i].code);
                json_put_string(t, "message", errors[i].meaning);
                json_put_object(t, "data");
                json_put_string(t, "name", errors[i].name);
                json_end_object(t);
                json_end_object(t);
        }
        json_end_object(t);
}

/* What x-takes-pool-keys and config.set mean; the whole schema is installed as schema.json. */
static void put_pool_keys(Text *t) {
        json_put_array(t, "x-pool-keys");
        for (size_t i = 0; i < n_config_keys; i++) {
                const ConfigKey *key = &config_keys[i];

                if (key->scope != CONFIG_SCOPE_POOL)
                        continue;
                json_put_object(t, NULL);
                json_put_string(t, "key", key->path);
                json_put_string(t, "description", key->help);
                if (key->words) {
                        json_put_array(t, "values");
                        for (const ConfigWord *w = key->words; w->text; w++)
                                json_put_string(t, NULL, w->text);
                        json_end_array(t);
                }
                json_end_object(t);
        }
        json_end_array(t);
}

void discover_put_json(Text *t) {
        json_put_object(t, NULL);
        json_put_string(t, "openrpc", "1.2.6");
        json_put_object(t, "info");
        json_put_string(t, "title", "drover");
        json_put_string(t, "version", DROVER_VERSION);
        json_end_object(t);
        json_put_array(t, "methods");
        for (int i = 0; i < _METHOD_MAX; i++)
                put_method(&protocol_methods[i], methods[i], t);
        json_end_array(t);
        json_put_object(t, "components");
        json_put_object(t, "schemas");
        json_put_raw(t, "Duration", "{\"type\":[\"string\",\"number\"],\"description\":\"\\\"10s\\\" or a number of seconds\"}");
        json_put_raw(t, "Strings", "{\"type\":[\"string\",\"array\"],\"items\":{\"type\":\"string\"}}");
        json_end_object(t);
        put_errors(t);
        put_pool_keys(t);
        json_end_object(t);
        json_end_object(t);
}
