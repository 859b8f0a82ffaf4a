/* fuzz-config.c - one configuration file: text, places, validation, packing.
 *
 * Held: the walk refuses nothing that jansson takes; every fault has a place inside the text; a pool that was accepted
 * survives packing unchanged. */
#include "base/alloc.h"
#include "config/config-validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

static const ConfigContext context = { .is_system = true };

static void check_position(const ConfigText *t, size_t offset) {
        int line = 0, column = 0;

        require(offset <= t->size);
        config_text_position(t, offset, &line, &column);
        require(line >= 1 && column >= 1 && (size_t) line <= t->size + 1 && (size_t) column <= t->size + 1);
}

/* What was accepted is the same after a round through its packed form. */
static void check_round(PoolConfig *p) {
        _cleanup_(pool_config_unrefp) PoolConfig *back = NULL;
        _cleanup_json_ json_t *packed = pool_config_pack(p);
        Config from = { .pools = &p, .n_pools = 1 }, to = { .pools = &back, .n_pools = 1 };
        ConfigDiff diff = { 0 };

        require(packed && pool_config_unpack(p->name, packed, &context, &back) == 0);
        require(config_diff(&from, &to, &diff) == 0 && diff.n == 0);
        config_diff_done(&diff);
}

/* Every value can be asked for, taken away and put back. */
static void check_values(const PoolConfig *p) {
        _cleanup_json_ json_t *all = config_value_all(p), *source = json_deep_copy(p->source);

        require(all && source);
        for (size_t i = 0; i < n_config_keys; i++) {
                const char *path = config_keys[i].path;
                if (config_keys[i].scope != CONFIG_SCOPE_POOL)
                        continue;
                _cleanup_json_ json_t *v = config_value_get(p, path);
                require(v && config_source_set(source, path, NULL) == 0 && config_source_set(source, path, v) == 0);
        }
}

static bool nobody_is_known(const char *name, void *userdata) {
        return false;
}

static void whole_fault(const char *pool, const char *key, const char *text, void *userdata) {
        require(key && *text);
}

static void check_file(const ConfigText *t, json_t *root) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_(config_unrefp) Config *c = config_new();
        ConfigCheck check = { .ctx = &context, .faults = &faults, .text = t };
        Spot pools = { .key = "pools" };
        const char *name;
        json_t *v;

        require(c);
        config_validate_members(&check, NULL, root, CONFIG_SCOPE_TOP, "", c);
        c->pools = NEW0_ARRAY(PoolConfig *, json_object_size(json_object_get(root, "pools")) + 1);
        json_object_foreach(json_object_get(root, "pools"), name, v) {
                Spot here = { .up = &pools, .key = name };
                if (config_validate_pool(&check, &here, name, v, &c->pools[c->n_pools]) == 0)
                        c->n_pools++;
        }
        config_sort(c);
        ConfigWhole whole = { .check = &check, .config = c, .is_known = nobody_is_known, .fault = whole_fault };
        config_validate_whole(&whole);
}

static void check_pools(const ConfigText *t, json_t *root) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        ConfigCheck check = { .ctx = &context, .faults = &faults, .text = t };
        Spot pools = { .key = "pools" };
        const char *name;
        json_t *v;

        json_object_foreach(json_object_get(root, "pools"), name, v) {
                _cleanup_(pool_config_unrefp) PoolConfig *p = NULL;
                Spot here = { .up = &pools, .key = name };
                if (config_validate_pool(&check, &here, name, v, &p) == 0) {
                        check_round(p);
                        check_values(p);
                }
        }
        for (size_t i = 0; i < faults.n && i < CONFIG_FAULTS_MAX; i++) {
                _cleanup_free_ char *text = config_fault_format(&faults.items[i]);
                require(text && *faults.items[i].text);
                /* faults of an env_file have places in that file */
                require(!faults.items[i].file || !streq(faults.items[i].file, "f") || faults.items[i].line > 0);
        }
        config_faults_sort(&faults, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const JsonLimits limits = { CONFIG_FILE_MAX, CONFIG_NODES_MAX, CONFIG_DEPTH_MAX };
        _cleanup_config_text_ ConfigText t = { 0 };
        _cleanup_json_ json_t *root = NULL, *other = NULL;
        char *raw = alloc_zero(size + 1, 1);
        ConfigSyntaxFault fault = { 0 };
        JsonFault json = { 0 };
        int r;

        require(raw != NULL);
        memcpy(raw, data, size);
        r = config_text_parse(&t, "f", raw, size, &root, &fault);
        if (r == 0) {
                check_pools(&t, root);
                check_file(&t, root);
                return 0;
        }
        require(r == -EBADMSG && *fault.text);
        check_position(&t, fault.offset);
        /* what is no configuration is no JSON either */
        if (t.n_places > 0)
                require(json_load_bounded(t.clean, size, &limits, &other, &json) < 0);
        return 0;
}
