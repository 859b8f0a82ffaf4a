/* test-config-diff.c - a change is a change of meaning: kinds, costs and names of changes; none for another layout. */
#include "base/alloc.h"
#include "base/json.h"
#include "config/config-text.h"
#include "config/config.h"
#include <check.h>

/* A Config of one pool "p" from jsonc text; "" is a Config without pools. */
static Config *make(const char *text) {
        static const ConfigContext ctx = { .is_system = true };
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_config_text_ ConfigText parsed = { 0 };
        _cleanup_json_ json_t *o = NULL;
        ConfigSyntaxFault fault;
        Config *c = config_new();
        PoolConfig *p = NULL;

        if (!*text)
                return c;
        ck_assert_int_eq(config_text_parse(&parsed, "f", alloc_strdup(text), strlen(text), &o, &fault), 0);
        int r = pool_config_from_json("p", o, false, &ctx, &p, &faults);
        ck_assert_msg(r == 0, "%s: %s", text, faults.n > 0 ? faults.items[0].text : "");
        c->pools = NEW0_ARRAY(PoolConfig *, 1);
        c->pools[c->n_pools++] = p;
        return c;
}

#define C "{\"command\":[\"a\",\"b\"]"

static const struct {
        const char *from, *to;
} same_cases[] = {
        { "", "" },
        { C "}", C "}" },
        { C "}", "// x\n{\n\"command\": [ \"a\", // x\n\"b\", ],\n}" },
        { C "}", C ",\"workers\":1,\"autostart\":true,\"umask\":\"022\",\"directory\":\"/\"}" },
        { C "}", C ",\"restart\":{\"delay\":\"100ms\",\"policy\":\"always\"},\"ready\":\"exec\",\"output\":\"log\",\"env\":{}}" },
        { C ",\"restart\":\"never\"}", C ",\"restart\":{\"policy\":\"never\"}}" },
        { C ",\"restart\":{\"delay\":\"1s\"}}", C ",\"restart\":{\"delay\":1.0}}" },
        { C ",\"restart\":{\"window\":\"120s\"}}", C ",\"restart\":{\"window\":\"2m\"}}" },
        { C ",\"ready\":\"notify\"}", C ",\"ready\":{\"notify\":true}}" },
        { C ",\"start_for\":2}", C ",\"ready\":{\"start_for\":\"2s\"}}" },
        { C ",\"output\":\"/x\"}", C ",\"output\":{\"to\":\"/x\"}}" },
        { C ",\"env\":{\"A\":\"1\",\"B\":\"2\"}}", C ",\"env\":{\"B\":\"2\",\"A\":1}}" },
        { C ",\"stop\":{\"signal\":\"INT\"}}", C ",\"stop\":{\"signal\":2}}" },
        { C ",\"user\":\"daemon\"}", C ",\"user\":1}" },
        { C ",\"user\":\"daemon\",\"groups\":[\"sys\",\"bin\"]}", C ",\"user\":1,\"groups\":[2,3,2]}" },
        { C ",\"cpu_affinity\":[0,1,2]}", C ",\"cpu_affinity\":[\"0-2\"]}" },
        { C ",\"workers\":{\"max\":3}}", C ",\"workers\":{\"min\":1,\"max\":3,\"idle_timeout\":60}}" },
        { C ",\"listen\":{\"a\":80,\"b\":\"/x\"}}", C ",\"listen\":{\"b\":{\"unix\":\"/x\"},\"a\":{\"tcp\":\"*:80\",\"backlog\":4096}}}" },
        { C ",\"ready\":{\"tcp\":80}}", C ",\"ready\":{\"tcp\":\"localhost:80\",\"interval\":0.1}}" },
        { C ",\"requires\":[\"x\",\"y\"],\"after\":[]}", C ",\"requires\":[\"y\",\"x\"]}" },
        { C ",\"cgroup\":{\"cpu_max\":\"150%\"}}", C ",\"cgroup\":{\"cpu_max\":1.5}}" },
        { C ",\"access\":{\"observe\":[\"user:daemon\",\"uid:5\"]}}", C ",\"access\":{\"observe\":[\"uid:5\",\"uid:1\",\"uid:5\"]}}" },
        { C ",\"capabilities\":[\"cap_kill\",\"cap_chown\"]}", C ",\"capabilities\":[\"CHOWN\",\"kill\"]}" },
        { C ",\"isolation\":{\"read_only\":[\"/a\",\"/b\"]}}", C ",\"isolation\":{\"read_only\":[\"/b\",\"/a\"],\"private_tmp\":false}}" },
        { C ",\"limits\":{\"core\":\"1K\"}}", C ",\"limits\":{\"core\":[1024,1024]}}" },
        { C ",\"restart\":{\"success_codes\":[3,\"TERM\"]}}", C ",\"restart\":{\"success_codes\":[-15,3]}}" },
};

START_TEST(another_layout_is_no_change) {
        _cleanup_(config_unrefp) Config *from = make(same_cases[_i].from), *to = make(same_cases[_i].to);
        ConfigDiff d = { 0 };

        ck_assert_int_eq(config_diff(from, to, &d), 0);
        ck_assert_msg(d.n == 0, "%s", d.n > 0 ? d.items[0].keys : "");
        config_diff_done(&d);
}
END_TEST

static const struct {
        const char *from, *to;
        ConfigCost cost;
        const char *keys;
} change_cases[] = {
        { C "}", "{\"command\":[\"a\"]}", CONFIG_RESTART, "command" },
        { C "}", "{\"command\":[\"a\",\"c\"]}", CONFIG_RESTART, "command" },
        { C "}", C ",\"workers\":2}", CONFIG_LIVE, "workers" },
        { C "}", C ",\"workers\":2,\"nice\":0}", CONFIG_RESTART, "workers, nice" },
        { C "}", C ",\"restart\":\"never\"}", CONFIG_LIVE, "restart.policy" },
        { C "}", C ",\"restart\":{\"delay\":\"1s\",\"limit\":3}}", CONFIG_LIVE, "restart.delay, restart.limit" },
        { C "}", C ",\"stop\":{\"timeout\":1}}", CONFIG_LIVE, "stop.timeout" },
        { C "}", C ",\"ready\":\"notify\"}", CONFIG_NEXT_START, "ready.notify" },
        { C ",\"ready\":{\"fd\":3}}", C ",\"ready\":{\"fd\":4}}", CONFIG_NEXT_START, "ready.fd" },
        { C "}", C ",\"start_for\":1}", CONFIG_NEXT_START, "start_for" },
        { C "}", C ",\"output\":\"/x\"}", CONFIG_RESTART, "output.to" },
        { C ",\"output\":\"/x\"}", C ",\"output\":\"/y\"}", CONFIG_RESTART, "output.to" },
        { C "}", C ",\"env\":{\"X\":\"1\"}}", CONFIG_RESTART, "env.X" },
        { C ",\"env\":{\"X\":\"1\",\"Y\":\"1\"}}", C ",\"env\":{\"X\":\"2\",\"Z\":\"1\"}}", CONFIG_RESTART, "env.X, env.Y, env.Z" },
        { C ",\"env\":{\"A\":\"1\"}}", C ",\"env\":{\"A\":\"1\",\"AB\":\"2\"}}", CONFIG_RESTART, "env.AB" },
        { C ",\"clear_env\":true}", C ",\"clear_env\":true,\"env\":{\"A\":1,\"B\":1,\"C\":1,\"D\":1,\"E\":1,\"F\":1,\"G\":1}}",
          CONFIG_RESTART, "env.A, env.B, env.C, env.D, env.E, 2 more variables" },
        { C ",\"limits\":{\"nofile\":1}}", C "}", CONFIG_NEXT_START, "limits.nofile" },
        { C ",\"limits\":{\"nofile\":9}}", C ",\"limits\":{\"nofile\":[4,8]}}", CONFIG_LIVE, "limits.nofile" },
        { C "}", C ",\"cgroup\":{\"memory_max\":\"64M\",\"cpu_max\":2}}", CONFIG_LIVE, "cgroup.memory_max, cgroup.cpu_max" },
        { C ",\"workers\":2}", C ",\"workers\":{\"min\":2,\"max\":4}}", CONFIG_LIVE, "workers" },
        { C ",\"workers\":{\"max\":3}}", C ",\"workers\":{\"max\":4,\"idle_timeout\":5}}", CONFIG_LIVE, "workers.max, workers.idle_timeout" },
        { C "}", C ",\"ready\":{\"tcp\":80}}", CONFIG_NEXT_START, "ready.tcp" },
        { C ",\"ready\":{\"http\":\"http://127.0.0.1:80/a\"}}", C ",\"ready\":{\"http\":\"http://127.0.0.1:80/b\"}}", CONFIG_NEXT_START, "ready.http" },
        { C ",\"health\":{\"tcp\":80}}", C ",\"health\":{\"tcp\":80,\"threshold\":5}}", CONFIG_LIVE, "health.threshold" },
        { C "}", C ",\"listen\":{\"a\":80}}", CONFIG_RESTART, "listen" },
        { C ",\"listen\":{\"a\":80}}", C ",\"listen\":{\"a\":{\"tcp\":80,\"backlog\":5}}}", CONFIG_RESTART, "listen" },
        { C "}", C ",\"requires\":[\"x\"],\"after\":[\"y\"]}", CONFIG_LIVE, "requires, after" },
        { C "}", C ",\"capabilities\":[]}", CONFIG_RESTART, "capabilities" },
        { C "}", C ",\"access\":{\"observe\":[]}}", CONFIG_LIVE, "access.observe" },
        { C "}", C ",\"reload\":{\"max_unavailable\":\"1%\"}}", CONFIG_LIVE, "reload.max_unavailable" },
        { C "}", C ",\"stop\":{\"command\":[\"x\"]}}", CONFIG_LIVE, "stop.command" },
        { C ",\"cpu_affinity\":[0]}", C ",\"cpu_affinity\":[1]}", CONFIG_RESTART, "cpu_affinity" },
        { C "}", C ",\"on_daemon_exit\":\"keep\",\"autostart\":false}", CONFIG_LIVE, "autostart, on_daemon_exit" },
        { C ",\"clear_env\":true}", C ",\"clear_env\":true,\"user\":\"root\",\"no_new_privileges\":false}", CONFIG_RESTART, "user" },
};

START_TEST(a_change_has_a_name_and_a_cost) {
        _cleanup_(config_unrefp) Config *from = make(change_cases[_i].from), *to = make(change_cases[_i].to);
        ConfigDiff d = { 0 };

        ck_assert_int_eq(config_diff(from, to, &d), 0);
        ck_assert_uint_eq(d.n, 1);
        ck_assert_uint_eq(d.items[0].kind, CONFIG_POOL_CHANGE);
        ck_assert_str_eq(d.items[0].keys, change_cases[_i].keys);
        ck_assert_uint_eq(d.items[0].cost, change_cases[_i].cost);
        ck_assert_ptr_eq(d.items[0].from, from->pools[0]);
        ck_assert_ptr_eq(d.items[0].to, to->pools[0]);
        config_diff_done(&d);
}
END_TEST

START_TEST(pools_come_and_go) {
        _cleanup_(config_unrefp) Config *empty = make(""), *one = make(C "}");
        ConfigDiff d = { 0 };

        ck_assert_int_eq(config_diff(NULL, one, &d), 0);
        ck_assert_uint_eq(d.n, 1);
        ck_assert_uint_eq(d.items[0].kind, CONFIG_POOL_ADD);
        ck_assert_str_eq(d.items[0].pool, "p");
        config_diff_done(&d);
        ck_assert_int_eq(config_diff(one, empty, &d), 0);
        ck_assert_uint_eq(d.n, 1);
        ck_assert_uint_eq(d.items[0].kind, CONFIG_POOL_REMOVE);
        ck_assert_ptr_null(d.items[0].to);
        config_diff_done(&d);
        ck_assert_int_eq(config_diff(empty, one, &d), 0);
        ck_assert_uint_eq(d.n, 1);
        config_diff_done(&d);
        ck_assert_str_eq(config_cost_to_string(CONFIG_NEXT_START), "next-start");
        ck_assert_str_eq(config_cost_to_string(CONFIG_SAME), "same");
}
END_TEST

int main(void) {
        Suite *s = suite_create("config-diff");
        TCase *t = tcase_create("config-diff");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, another_layout_is_no_change, 0, ARRAY_SIZE(same_cases));
        tcase_add_loop_test(t, a_change_has_a_name_and_a_cost, 0, ARRAY_SIZE(change_cases));
        tcase_add_test(t, pools_come_and_go);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
