/* test-config-source.c - one key by its path: read as it is in force, put in, taken away; short forms opened. */
#include "base/alloc.h"
#include "base/json.h"
#include "config/config.h"
#include <check.h>

static json_t *parse(const char *text) {
        json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
        ck_assert_msg(v != NULL, "%s", text);
        return v;
}

static PoolConfig *pool(const char *text) {
        static const ConfigContext ctx = { .is_system = true };
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_json_ json_t *o = parse(text);
        PoolConfig *p = NULL;
        int r = pool_config_from_json("p", o, false, &ctx, &p, &faults);

        ck_assert_msg(r == 0, "%s: %s", text, faults.n > 0 ? faults.items[0].text : "");
        return p;
}

#define C "{\"command\":[\"a\"]"

static const struct {
        const char *pool, *path, *value; /* NULL: no such key */
} get_cases[] = {
        { C "}", "command", "[\"a\"]" },
        { C "}", "workers", "1" },
        { C ",\"workers\":\"2*cpus\"}", "workers", "\"2*cpus\"" },
        { C ",\"workers\":{\"max\":4}}", "workers.max", "4" },
        { C ",\"workers\":4}", "workers.max", "null" },
        { C "}", "restart.policy", "\"always\"" },
        { C ",\"restart\":\"never\"}", "restart.policy", "\"never\"" },
        { C ",\"restart\":\"never\"}", "restart.delay", "\"100ms\"" },
        { C ",\"restart\":{\"delay\":3}}", "restart.delay", "3" },
        { C ",\"restart\":{\"delay\":3}}", "restart", "{\"delay\":3}" },
        { C ",\"ready\":\"notify\"}", "ready.notify", "true" },
        { C ",\"ready\":{\"start_for\":\"2s\"}}", "start_for", "\"2s\"" },
        { C ",\"output\":\"/x\"}", "output.to", "\"/x\"" },
        { C ",\"output\":\"/x\"}", "output", "\"/x\"" },
        { C ",\"env\":{\"A.B\":\"1\"}}", "env.A.B", "\"1\"" },
        { C ",\"env\":{\"A\":\"1\"}}", "env.B", "null" },
        { C ",\"listen\":{\"a.b\":{\"tcp\":80,\"backlog\":5}}}", "listen.a.b.backlog", "5" },
        { C ",\"listen\":{\"a.b\":80}}", "listen.a.b", "80" },
        { C "}", "user", "null" },
        { C "}", "nonsense", NULL },
        { C "}", "restart.", NULL },
        { C "}", "restart.policy.x", NULL },
        { C "}", "env.", NULL },
        { C "}", "", NULL },
        { C "}", ".", NULL },
};

START_TEST(a_key_is_read_as_it_is_in_force) {
        _cleanup_(pool_config_unrefp) PoolConfig *p = pool(get_cases[_i].pool);
        _cleanup_json_ json_t *v = config_value_get(p, get_cases[_i].path);
        _cleanup_json_ json_t *wanted = get_cases[_i].value ? parse(get_cases[_i].value) : NULL;
        _cleanup_free_ char *text = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;

        ck_assert_msg((!v && !wanted) || json_equal(v, wanted), "%s %s: %s", get_cases[_i].pool, get_cases[_i].path, text ? text : "none");
}
END_TEST

static const struct {
        const char *before, *path, *value, *after; /* value NULL: taken away; after NULL: no such key */
} set_cases[] = {
        { "{}", "nice", "5", "{\"nice\":5}" },
        { "{\"nice\":3}", "nice", "5", "{\"nice\":5}" },
        { "{\"nice\":3}", "nice", NULL, "{}" },
        { "{}", "nice", NULL, "{}" },
        { "{}", "restart.delay", "5", "{\"restart\":{\"delay\":5}}" },
        { "{\"restart\":\"never\"}", "restart.delay", "5", "{\"restart\":{\"policy\":\"never\",\"delay\":5}}" },
        { "{\"restart\":{\"delay\":5}}", "restart.delay", NULL, "{}" },
        { "{\"restart\":\"never\"}", "restart.delay", NULL, "{\"restart\":{\"policy\":\"never\"}}" },
        { "{\"output\":\"/x\"}", "output.max_files", "5", "{\"output\":{\"to\":\"/x\",\"max_files\":5}}" },
        { "{\"ready\":\"notify\"}", "ready.timeout", "5", "{\"ready\":{\"notify\":true,\"timeout\":5}}" },
        { "{\"workers\":3}", "workers.max", "5", "{\"workers\":{\"max\":5}}" },
        { "{\"restart\":{\"delay\":5}}", "restart", "\"never\"", "{\"restart\":\"never\"}" },
        { "{}", "env.A.B", "\"x\"", "{\"env\":{\"A.B\":\"x\"}}" },
        { "{\"env\":{\"A\":\"1\",\"B\":\"2\"}}", "env.A", NULL, "{\"env\":{\"B\":\"2\"}}" },
        { "{}", "listen.http", "80", "{\"listen\":{\"http\":80}}" },
        { "{\"listen\":{\"h\":80}}", "listen.h.backlog", "5", "{\"listen\":{\"h\":{\"tcp\":80,\"backlog\":5}}}" },
        { "{\"listen\":{\"h\":\"/x\"}}", "listen.h.mode", "\"600\"", "{\"listen\":{\"h\":{\"unix\":\"/x\",\"mode\":\"600\"}}}" },
        { "{\"listen\":{\"h\":{\"tcp\":80}}}", "listen.h.tcp", NULL, "{\"listen\":{}}" },
        { "{}", "restart.dely", "5", NULL },
        { "{}", "pools", "{}", NULL },
        { "{}", "env", "{}", "{\"env\":{}}" },
};

START_TEST(a_key_is_put_in_and_taken_away) {
        _cleanup_json_ json_t *source = parse(set_cases[_i].before), *value = set_cases[_i].value ? parse(set_cases[_i].value) : NULL;
        _cleanup_json_ json_t *wanted = set_cases[_i].after ? parse(set_cases[_i].after) : NULL;
        int r = config_source_set(source, set_cases[_i].path, value);
        _cleanup_free_ char *text = json_dumps(source, 0);

        ck_assert_int_eq(r, wanted ? 0 : -ENOENT);
        ck_assert_msg(!wanted || json_equal(source, wanted), "%s", text);
}
END_TEST

START_TEST(all_values_make_the_same_pool) {
        _cleanup_(pool_config_unrefp) PoolConfig *p = pool(C ",\"restart\":\"never\",\"ready\":\"notify\",\"env\":{\"A\":\"1\"},\"listen\":{\"a\":80},"
                                                             "\"workers\":{\"max\":3},\"health\":{\"tcp\":80}}");
        _cleanup_json_ json_t *all = config_value_all(p);
        _cleanup_free_ char *text = json_dumps(all, 0);

        ck_assert_ptr_nonnull(strstr(text, "\"max_delay\": \"30s\""));
        ck_assert_ptr_nonnull(strstr(text, "\"policy\": \"never\""));
        ck_assert_ptr_nonnull(strstr(text, "\"max\": 3"));
        ck_assert_str_eq(config_path_nearest("restart.dely"), "restart.delay");
        ck_assert_str_eq(config_path_nearest("wrokers"), "workers");
        ck_assert_str_eq(config_path_nearest("max_delay"), "restart.max_delay");
        ck_assert_ptr_null(config_path_nearest("zzzzzzzzzzzzz"));
}
END_TEST

int main(void) {
        Suite *s = suite_create("config-source");
        TCase *t = tcase_create("config-source");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, a_key_is_read_as_it_is_in_force, 0, ARRAY_SIZE(get_cases));
        tcase_add_loop_test(t, a_key_is_put_in_and_taken_away, 0, ARRAY_SIZE(set_cases));
        tcase_add_test(t, all_values_make_the_same_pool);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
