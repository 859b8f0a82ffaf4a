/* fuzz-import.c - what droverctl import reads of others: supervisord's expansions and environments, and the relaxed JSON
 * of pm2. Whatever is written, what comes of it is valid and not out of proportion. */
#include "base/alloc.h"
#include "base/json.h"
#include "ctl/import-expand.h"
#include "ctl/json-relax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

static void check_expand(const char *text, size_t size) {
        const ExpandNames names = {.program = "p", .group = "g", .here = "/here", .process = 7, .n_processes = 9};
        _cleanup_text_ Text out = {0};
        char unknown[64];

        import_expand(&out, text, &names, unknown);
        require(strlen(unknown) < sizeof(unknown));
        require(text_check(&out) < 0 || out.length <= 64 + size * 128);
}

static void check_environment(const char *text) {
        _cleanup_json_ json_t *env = json_object();
        const char *key;
        json_t *value;

        if (!env || import_environment(text, env) < 0)
                return;
        json_object_foreach(env, key, value)
                require(*key && !strchr(key, '=') && json_is_string(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = malloc(size + 1);

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        check_expand(text, strlen(text));
        check_environment(text);
        json_relax(text, size);
        require(text[size] == 0);
        return 0;
}
