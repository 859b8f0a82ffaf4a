/* config-manual.c - the key list of drover.json(5), from the key table. */
#include "config/config-document.h"
#include "config/config-key.h"

/* No line may begin with a dot or a quote. */
static void put_line(Text *t, const char *s) {
        if (*s == '.' || *s == '\'')
                text_append(t, "\\&");
        text_append_manual(t, s);
        text_append_char(t, '\n');
}

static void put_words(Text *t, const ConfigKey *key) {
        if (!key->words || key->type == &config_type_object)
                return;
        for (const ConfigWord *w = key->words; w->text; w++) {
                text_append(t, ".br\n\\(dq");
                text_append_manual(t, w->text);
                text_append(t, "\\(dq: ");
                text_append_manual(t, w->help);
                text_append(t, w[1].text ? ";\n" : ".\n");
        }
}

static void put_cost(Text *t, const ConfigKey *key) {
        static const char *const texts[] = {
                [CONFIG_SAME] = NULL,
                [CONFIG_LIVE] = "A change takes effect at once.",
                [CONFIG_NEXT_START] = "A change takes effect when a worker starts the next time.",
                [CONFIG_RESTART] = "A change restarts the workers.",
        };
        if (key->scope == CONFIG_SCOPE_TOP && key->cost == CONFIG_RESTART)
                put_line(t, "A change needs a restart of droverd.");
        else if (texts[key->cost])
                put_line(t, texts[key->cost]);
}

static void put_key(Text *t, const ConfigKey *key) {
        const char *value = key->default_text ? key->default_text : key->default_json;
        char bounds[96];

        text_append(t, ".TP\n\\fB");
        text_append_manual(t, key->path);
        text_append(t, "\\fR (");
        text_append_manual(t, key->type->name);
        if (value) {
                text_append(t, "; default: ");
                text_append_manual(t, value);
        }
        text_append(t, ")\n");
        put_line(t, key->help);
        if (config_bounds_format(key, bounds, sizeof(bounds))[0]) {
                text_append(t, "Bounds: ");
                text_append_manual(t, bounds);
                text_append(t, ".\n");
        }
        put_words(t, key);
        put_cost(t, key);
}

static void put_scope(Text *t, ConfigScope scope, const char *title) {
        text_appendf(t, ".SS %s\n", title);
        for (size_t i = 0; i < n_config_keys; i++)
                if (config_keys[i].scope == scope)
                        put_key(t, &config_keys[i]);
}

char *config_manual(void) {
        _cleanup_text_ Text t = { 0 };

        put_scope(&t, CONFIG_SCOPE_TOP, "Keys of the file");
        put_scope(&t, CONFIG_SCOPE_POOL, "Keys of a pool");
        put_scope(&t, CONFIG_SCOPE_LISTEN, "Keys of a socket in listen");
        put_scope(&t, CONFIG_SCOPE_HOOK, "Keys of a hook");
        return text_check(&t) < 0 ? NULL : text_take(&t);
}
