/* test-config-load.c - files and drop-ins: all faults at once with exact places, trust, doubled pools, the dump, and a
 * pool put back without looking anything up. */
#include "base/alloc.h"
#include "base/json.h"
#include "config/config.h"
#include <check.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char *names[16];
static size_t n_names;

static char *path_of(const char *name) {
        char *path = alloc_printf("%s/%s", dir, name);
        ck_assert_ptr_nonnull(path);
        return path;
}

static void put_mode(const char *name, const char *text, mode_t mode) {
        _cleanup_free_ char *path = path_of(name);
        FILE *f = fopen(path, "we");

        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(text, f), 0);
        fclose(f);
        ck_assert_int_eq(chmod(path, mode), 0);
        names[n_names++] = TAKE_PTR(path);
}

static void put(const char *name, const char *text) {
        put_mode(name, text, 0644);
}

static void set_up(void) {
        snprintf(dir, sizeof(dir), "/tmp/drover-test-config-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        _cleanup_free_ char *sub = path_of("pools.d");
        ck_assert_int_eq(mkdir(sub, 0755), 0);
        ck_assert_int_eq(chmod(sub, 0755), 0);
}

static void tear_down(void) {
        _cleanup_free_ char *sub = path_of("pools.d");

        while (n_names > 0) {
                unlink(names[--n_names]);
                free(names[n_names]);
        }
        rmdir(sub);
        rmdir(dir);
}

static const ConfigContext *context(void) {
        static ConfigContext ctx;
        ctx = (ConfigContext){ .is_system = true, .uid = geteuid(), .log_dir = "/logs", .state_dir = "/state" };
        return &ctx;
}

static int load(Config **ret, ConfigFaults *faults) {
        _cleanup_free_ char *path = path_of("drover.json");
        return config_load(path, context(), ret, faults);
}

/* What config_fault_format() gives, without the directory. */
static void check_faults(const ConfigFaults *faults, const char *const *expected) {
        size_t i = 0;

        for (; expected[i] && i < faults->n; i++) {
                _cleanup_free_ char *text = config_fault_format(&faults->items[i]);
                const char *shown = strncmp(text, dir, strlen(dir)) == 0 ? text + strlen(dir) + 1 : text;
                ck_assert_msg(strncmp(shown, expected[i], strlen(expected[i])) == 0, "got  %s\nwant %s", shown, expected[i]);
        }
        ck_assert_uint_eq(faults->n, i);
        ck_assert_ptr_null(expected[i]);
}

/* What concerns several pools: the faults of each set of files. */
static const struct {
        const char *main, *drop_in;
        const char *faults[4];
} whole_cases[] = {
        { "{\"pools\":{\"a\":{\"command\":[\"x\"],\"requires\":[\"b\"]},\"b\":{\"command\":[\"x\"],\"after\":[\"c\"]}}}",
          "{\"pools\":{\"c\":{\"command\":[\"x\"]}}}", { NULL } },
        { "{\"pools\":{\n\"a\":{\"command\":[\"x\"],\n\"requires\":[\"bb\"]}}}", "{\"pools\":{\"bbb\":{\"command\":[\"x\"]}}}",
          { "drover.json:3:1: pools.a.requires: there is no pool \"bb\"; did you mean \"bbb\"?", NULL } },
        { "{\"pools\":{\"a\":{\"command\":[\"x\"],\"after\":[\"b\"]},\"b\":{\"command\":\"x\"}}}", NULL,
          { "drover.json:1:62: pools.b.command: expected an array", NULL } }, /* it is known, though faulty */
        { "{\"pools\":{\"a\":{\"command\":[\"x\"],\"requires\":[\"b\"]}}}", "{\"pools\":{\n\"b\":{\"command\":[\"x\"],\n\"after\":[\"a\"]}}}",
          { "pools.d/a.json:3:1: pools.b.after: a cycle; none of them could ever start: a -> b -> a", NULL } },
        { "{\"pools\":{\"a\":{\"command\":[\"x\"],\"requires\":[\"b\"]},\"b\":{\"command\":[\"x\"],\"after\":[\"c\",\"d\"]},"
          "\"c\":{\"command\":[\"x\"],\"after\":[\"d\"]},\"d\":{\"command\":[\"x\"],\"requires\":[\"b\"]}}}",
          NULL, { "drover.json:1:147: pools.d.requires: a cycle; none of them could ever start: b -> c -> d -> b", NULL } },
        { "{\"pools\":{\"a\":{\"command\":[\"x\"],\"listen\":{\"h\":80}},\"b\":{\"command\":[\"x\"],\"listen\":{\"i\":\"127.0.0.1:80\"}}}}", NULL,
          { "drover.json:1:72: pools.b.listen: \"i\": 127.0.0.1:80 is taken by \"h\" of pool a ([::]:80)", NULL } },
        { "{\"pools\":{\"a\":{\"command\":[\"x\"],\"listen\":{\"h\":\"127.0.0.2:80\",\"u\":{\"udp\":80}}},"
          "\"b\":{\"command\":[\"x\"],\"listen\":{\"i\":\"127.0.0.1:80\",\"j\":\"/a\"}}}}", NULL, { NULL } },
        { "{\"pools\":{\"a\":{\"command\":[\"x\"],\"listen\":{\"h\":\"/b\"}},\"b\":{\"command\":[\"x\"],\"listen\":{\"i\":{\"unix\":\"/b\"}}}}}",
          NULL, { "drover.json:1:74: pools.b.listen: \"i\": /b is taken by \"h\" of pool a (/b)", NULL } },
        { "{\"hooks\":{\"a\":{\"events\":[\"worker.faild\"],\"command\":[\"x\"]}}}", NULL,
          { "drover.json:1:26: hooks.a.events[0]: there is no event of this type; did you mean \"worker.failed\"?", NULL } },
        { "{\"hooks\":{\"a\":{\"events\":[\"worker.*\"],\"command\":[\"x\"],\"pools\":[\"web-*\"]}}}", "{\"hooks\":{\"b\":{\"events\":[\"*\"],\"command\":[\"x\"]}}}",
          { NULL } },
        { "{\"hooks\":{\"a\":{\"events\":[\"*\"],\"command\":[\"x\"]}}}", "{\"hooks\":{\"a\":{\"events\":[\"*\"],\"command\":[\"x\"]}}}",
          { "pools.d/a.json:1:11: hooks.a: this hook is already given at ", NULL } },
        { "{\"hooks\":{\"a\":{\"evnts\":[\"*\"]}}}", NULL,
          { "drover.json:1:11: hooks.a: a hook needs events", "drover.json:1:11: hooks.a: a hook needs a command",
            "drover.json:1:16: hooks.a.evnts: unknown key; did you mean \"events\"?", NULL } },
        { "{\"metrics_file\":\"x.prom\"}", NULL, { "drover.json:1:17: metrics_file: expected an absolute path", NULL } },
        { "{\"metrics_interval\":5}", NULL, { "drover.json:1:2: metrics_interval: an interval without a metrics_file", NULL } },
        { "{\"metrics_interval\":5}", "{\"metrics_file\":\"/x.prom\"}", { NULL } },
        { "{\"socket_group\":\"daemon\",\"socket_mode\":\"0600\"}", NULL, { "drover.json:1:26: socket_mode: with a socket_group the mode must let the group in", NULL } },
        { "{\"socket_group\":\"nobody-here\"}", NULL, { "drover.json:1:17: socket_group: there is no such group", NULL } },
        { "{\"access\":{\"observe\":[\"*\"],\"operate\":[\"group:daemon\"]}}", NULL, { NULL } },
        { "{\"pools\":{\"a\":{\"command\":[\"x\"],\"workers\":90},\"b\":{\"command\":[\"x\"],\"workers\":{\"max\":11}}}}", NULL,
          { "drover.json:1:32: pools.a.workers: all pools together want 101 workers, and there is room for 100: raise it", NULL } },
        { "{\"pools\":{\"a\":{\"command\":[\"x\"],\"workers\":90},\"b\":{\"command\":[\"x\"],\"workers\":{\"max\":10}}}}", NULL, { NULL } },
};

START_TEST(pools_fit_together) {
        static const char *const events[] = { "worker.failed", "worker.running", NULL };
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_(config_unrefp) Config *c = NULL;
        _cleanup_free_ char *path = path_of("drover.json");
        ConfigContext ctx = *context();

        ctx.event_types = events;
        ctx.workers_max = 100;
        ctx.workers_max_reason = "raise it";
        put("drover.json", whole_cases[_i].main);
        if (whole_cases[_i].drop_in)
                put("pools.d/a.json", whole_cases[_i].drop_in);
        int r = config_load(path, &ctx, &c, &faults);
        check_faults(&faults, whole_cases[_i].faults);
        ck_assert_int_eq(r, whole_cases[_i].faults[0] ? -EBADMSG : 0);
}
END_TEST

START_TEST(keys_of_the_file_are_stored_and_dumped) {
        static const char text[] = "{\"hooks\":{\"m\":{\"events\":[\"*\"],\"command\":[\"x\"],\"timeout\":3}},\"metrics_file\":\"/m.prom\","
                                   "\"socket_group\":\"daemon\",\"access\":{\"operate\":[\"uid:7\"]}}";
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_(config_unrefp) Config *c = NULL;
        _cleanup_json_ json_t *dump = NULL, *given = json_loads(text, 0, NULL);

        put("drover.json", text);
        ck_assert_int_eq(load(&c, &faults), 0);
        ck_assert_uint_eq(c->n_hooks, 1);
        ck_assert_str_eq(c->hooks[0].name, "m");
        ck_assert_uint_eq(c->hooks[0].timeout, 3 * USEC_PER_SEC);
        ck_assert_uint_eq(c->hooks[0].min_interval, USEC_PER_SEC);
        ck_assert_uint_eq(c->metrics_interval, 15 * USEC_PER_SEC);
        ck_assert_uint_eq(c->socket_mode, 0660);
        ck_assert_uint_eq(c->socket_gid, 1);
        ck_assert_uint_eq(c->access.roles[ROLE_OPERATE].uids[0], 7);
        ck_assert(!c->access.roles[ROLE_OBSERVE].is_given);
        dump = config_dump(c);
        json_object_del(dump, "log_dir");
        json_object_del(dump, "state_dir");
        json_object_del(dump, "pools");
        ck_assert(json_equal(dump, given));
}
END_TEST

START_TEST(all_faults_come_at_once_in_order) {
        static const char *const expected[] = {
                "drover.json:2:14: log_dir: expected an absolute path",
                "drover.json:4:5: pools.web: a pool needs a command",
                "drover.json:5:18: pools.web.workers: out of bounds: it may be 0 to 10000",
                "drover.json:6:7: pools.web.wrokers: unknown key; did you mean \"workers\"?",
                "drover.json:8:33: pools.web.restart.delay: expected a duration",
                "drover.json:8:41: pools.web.restart.limits: unknown key; did you mean \"limit\"?",
                "drover.json:10:5: pools.Web: not a name",
                "drover.json:10:39: pools.Web.command[1]: expected a string",
                "drover.json:12:3: pool: unknown key; did you mean \"pools\"?",
                "drover.json:13:3: this key stands twice in the same object; the first is at 12:3",
                "pools.d/b.json:2:2: nothing may follow",
                "pools.d/c.json:1:1: expected an object",
                "pools.d/d.json:1:11: pools.x: this pool is already given at ",
                NULL,
        };
        static const char main_text[] = "{ // all wrong\n"
                                        "  \"log_dir\": \"x\",\n"
                                        "  \"pools\": {\n"
                                        "    \"web\": {\n"
                                        "      \"workers\": 100000, /* too many */\n"
                                        "      \"wrokers\": 1,\n"
                                        "      # a comment with \"quotes\" { [\n"
                                        "      \"restart\": { \"delay\":     \"soon\", \"limits\": 1, },\n"
                                        "    },\n"
                                        "    \"Web\": { \"command\": [\"/bin/true\", 7] },\n"
                                        "  },\n"
                                        "  \"pool\": {},\n"
                                        "  \"pool\": {},\n"
                                        "}\n";
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        Config *c = NULL;

        put("drover.json", main_text);
        put("pools.d/a.json", "{\"pools\":{\"x\":{\"command\":[\"true\"]}}}");
        put("pools.d/b.json", "{\n}}");
        put("pools.d/c.json", "[]");
        put("pools.d/d.json", "{\"pools\":{\"x\":{\"command\":[\"true\"]}}}");
        put("pools.d/ignored.json.example", "{{{");
        put("pools.d/.hidden.json", "{{{");
        ck_assert_int_eq(load(&c, &faults), -EBADMSG);
        ck_assert_ptr_null(c);
        check_faults(&faults, expected);
        ck_assert_ptr_nonnull(strstr(faults.items[faults.n - 1].text, "pools.d/a.json:1:11"));
}
END_TEST

START_TEST(pools_of_all_files_are_one_sorted_set) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_(config_unrefp) Config *c = NULL;

        put("drover.json", "{\"pools\":{\"z\":{\"command\":[\"true\"]},\"m\":{\"command\":[\"true\"]}}, \"state_dir\":\"/other\"}");
        put("pools.d/2.json", "{\"pools\":{\"a.b\":{\"command\":[\"true\"]}}}");
        put("pools.d/1.json", "// nothing\n");
        ck_assert_int_eq(load(&c, &faults), 0);
        ck_assert_uint_eq(c->n_pools, 3);
        ck_assert_str_eq(c->pools[0]->name, "a.b");
        ck_assert_str_eq(c->pools[1]->name, "m");
        ck_assert_str_eq(c->pools[2]->name, "z");
        ck_assert_ptr_eq(config_find_pool(c, "m"), c->pools[1]);
        ck_assert_ptr_null(config_find_pool(c, "n"));
        ck_assert_str_eq(c->log_dir, "/logs");
        ck_assert_str_eq(c->state_dir, "/other");
        ck_assert_ptr_nonnull(strstr(c->files[1], "pools.d/1.json"));
        ck_assert_ptr_nonnull(strstr(c->files[2], "pools.d/2.json"));
        ck_assert_ptr_null(c->files[3]);
        _cleanup_json_ json_t *dump = config_dump(c);
        ck_assert_uint_eq(json_object_size(json_object_get(dump, "pools")), 3);
        ck_assert_str_eq(json_string_value(json_object_get(dump, "state_dir")), "/other");
}
END_TEST

START_TEST(a_top_level_key_is_given_once) {
        static const char *const expected[] = { "pools.d/1.json:1:2: log_dir: this key is already given at ", NULL };
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        Config *c = NULL;

        put("drover.json", "{\"log_dir\": \"/a\"}");
        put("pools.d/1.json", "{\"log_dir\": \"/a\"}");
        ck_assert_int_eq(load(&c, &faults), -EBADMSG);
        check_faults(&faults, expected);
}
END_TEST

START_TEST(a_named_file_must_exist_the_default_need_not) {
        static const char *const expected[] = { "drover.json: cannot open it: No such file", NULL };
        _cleanup_config_faults_ ConfigFaults faults = { 0 }, none = { 0 };
        _cleanup_(config_unrefp) Config *c = NULL;
        ConfigContext ctx = *context();
        Config *missing = NULL;

        ck_assert_int_eq(load(&missing, &faults), -EBADMSG);
        check_faults(&faults, expected);
        setenv("XDG_CONFIG_HOME", dir, 1);
        ctx.is_system = false;
        ck_assert_int_eq(config_load(NULL, &ctx, &c, &none), 0);
        ck_assert_uint_eq(c->n_pools, 0);
        ck_assert_ptr_nonnull(c->files);
        ck_assert_ptr_null(c->files[0]);
        _cleanup_free_ char *path = config_default_path(false), *system = config_default_path(true);
        ck_assert_int_eq(strncmp(path, dir, strlen(dir)), 0);
        ck_assert_str_eq(path + strlen(dir), "/drover/drover.json");
        ck_assert_ptr_nonnull(strstr(system, "/drover/drover.json"));
        unsetenv("XDG_CONFIG_HOME");
}
END_TEST

START_TEST(what_others_can_write_is_not_trusted) {
        static const struct {
                mode_t file, dir;
                const char *text;
        } cases[] = {
                { 0666, 0755, "drover.json: writable for everybody; run: chmod go-w" },
                { 0664, 0755, "drover.json: writable for its group" },
                { 0644, 0777, "pools.d: writable for everybody" },
                { 0640, 0755, NULL },
                { 0444, 0700, NULL },
        };
        _cleanup_free_ char *sub = path_of("pools.d");
        const char *const expected[] = { cases[_i].text, NULL };
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_(config_unrefp) Config *c = NULL;

        put_mode("drover.json", "{}", cases[_i].file);
        ck_assert_int_eq(chmod(sub, cases[_i].dir), 0);
        ck_assert_int_eq(load(&c, &faults), cases[_i].text ? -EBADMSG : 0);
        check_faults(&faults, expected);
}
END_TEST

START_TEST(only_a_regular_file_of_the_right_owner_is_read) {
        static const char *const fifo[] = { "drover.json: not a regular file", NULL };
        static const char *const owner[] = { "drover.json: owned by uid ", NULL };
        _cleanup_config_faults_ ConfigFaults faults = { 0 }, foreign = { 0 };
        _cleanup_free_ char *path = path_of("drover.json");
        ConfigContext ctx = *context();
        Config *c = NULL;

        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(load(&c, &faults), -EBADMSG);
        check_faults(&faults, fifo);
        ck_assert_int_eq(unlink(path), 0);
        if (geteuid() == 0) {
                put("drover.json", "{}");
                ck_assert_int_eq(chown(path, 12345, 0), 0);
                ck_assert_int_eq(config_load(path, &ctx, &c, &foreign), -EBADMSG);
                check_faults(&foreign, owner);
                ctx.uid = 12345;
                config_faults_done(&foreign);
                ck_assert_int_eq(config_load(path, &ctx, &c, &foreign), 0);
                config_unref(c);
        }
}
END_TEST

START_TEST(very_many_faults_are_cut_off) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_free_ char *text = alloc_strndup("{\"pools\":{", 200000);
        Config *c = NULL;
        size_t n = 10;

        text = realloc(text, 200000);
        for (unsigned i = 0; i < 3000; i++)
                n += (size_t) snprintf(text + n, 200000 - n, "\"p%u\":{\"command\":1},", i);
        snprintf(text + n, 200000 - n, "}}");
        put("drover.json", text);
        ck_assert_int_eq(load(&c, &faults), -EBADMSG);
        ck_assert_uint_le(faults.n, 1001);
        ck_assert_ptr_null(c);
        bool told = false;
        for (size_t i = 0; i < faults.n; i++)
                told = told || strstr(faults.items[i].text, "more faults");
        ck_assert(told);
}
END_TEST

START_TEST(the_environment_is_built_from_nothing) {
        static const char *const expected[] = { "A=2",      "B=x y", "C=1",          "E=5", "HOME=/root", "LANG=C.UTF-8",
                                                "LOGNAME=root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                                "SHELL=",   "USER=root", NULL };
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_(config_unrefp) Config *c = NULL;
        _cleanup_free_ char *file = path_of("env"), *text = NULL;
        size_t i = 0;

        unsetenv("LANG");
        setenv("LD_PRELOAD_LIKE", "x", 1);
        put("env", "# comment\nA=1\nexport B=\"x y\"\nC='1' # one\n");
        text = alloc_printf("{\"pools\":{\"p\":{\"command\":[\"true\"],\"user\":\"root\",\"env_file\":\"%s\",\"env\":{\"A\":\"2\",\"E\":5}},"
                            "\"q\":{\"command\":[\"true\"],\"clear_env\":true,\"env\":{\"A\":\"\"}}}}", file);
        put("drover.json", text);
        ck_assert_int_eq(load(&c, &faults), 0);
        char **env = c->pools[0]->env;
        for (; env[i] && expected[i]; i++)
                ck_assert_msg(strncmp(env[i], expected[i], strlen(expected[i])) == 0, "%s", env[i]);
        ck_assert(!env[i] && !expected[i]);
        ck_assert_str_eq(c->pools[1]->env[0], "A=");
        ck_assert_ptr_null(c->pools[1]->env[1]);
}
END_TEST

START_TEST(faults_of_an_env_file_name_its_lines) {
        static const char *const expected[] = {
                "env:2:1: expected KEY=value", "env:3:3: this quote is never closed", "env:4:1: this variable stands twice; the first is in line 1",
                "env:5:1: drover sets this variable itself", "env:6:6: nothing but a comment", NULL };
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_free_ char *file = path_of("env"), *text = NULL;
        Config *c = NULL;

        put("env", "A=1\nnonsense\nB=\"x\nA=2\nDROVER_POOL=x\nC='1'2\n");
        text = alloc_printf("{\"pools\":{\"p\":{\"command\":[\"true\"],\"env_file\":\"%s\"}}}", file);
        put("drover.json", text);
        ck_assert_int_eq(load(&c, &faults), -EBADMSG);
        check_faults(&faults, expected);
}
END_TEST

START_TEST(a_pool_is_put_back_without_looking_anything_up) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_(config_unrefp) Config *c = NULL;
        _cleanup_(pool_config_unrefp) PoolConfig *back = NULL;
        _cleanup_free_ char *file = path_of("env"), *text = NULL, *packed = NULL;
        _cleanup_json_ json_t *pack = NULL, *again = NULL;

        put("env", "A=1\n");
        text = alloc_printf("{\"pools\":{\"p\":{\"command\":[\"true\"],\"env_file\":\"%s\",\"user\":\"daemon\",\"groups\":[\"sys\"],"
                            "\"workers\":\"2*cpus\",\"nice\":3,\"access\":{\"observe\":[\"user:daemon\",\"*\"],\"operate\":[]},"
                            "\"listen\":{\"a\":{\"unix\":\"/x\",\"user\":\"daemon\"},\"b\":80}}}}", file);
        put("drover.json", text);
        ck_assert_int_eq(load(&c, &faults), 0);
        pack = pool_config_pack(c->pools[0]);
        packed = json_dumps(pack, JSON_COMPACT);
        ck_assert_ptr_nonnull(packed);
        again = json_loads(packed, 0, NULL);
        ck_assert_int_eq(unlink(file), 0);
        ck_assert_int_eq(pool_config_unpack("p", again, context(), &back), 0);

        ConfigDiff d = { 0 };
        _cleanup_(config_unrefp) Config *after = config_new();
        after->pools = NEW0_ARRAY(PoolConfig *, 1);
        after->pools[after->n_pools++] = pool_config_ref(back);
        after->log_dir = alloc_strdup("/logs");
        after->state_dir = alloc_strdup("/state");
        ck_assert_int_eq(config_diff(c, after, &d), 0);
        ck_assert_msg(d.n == 0, "%s", d.n > 0 ? d.items[0].keys : "");
        config_diff_done(&d);
        ck_assert(json_equal(back->source, c->pools[0]->source));
        ck_assert_str_eq(back->user_name, "daemon");
        ck_assert(back->no_new_privs);
}
END_TEST

START_TEST(rubbish_is_not_put_back) {
        static const char *const texts[] = { "{}", "[]", "{\"source\":{}}", "{\"source\":{\"command\":[\"x\"]}}",
                                             "{\"source\":{\"command\":[\"x\"]},\"resolved\":{\"workers\":\"x\"}}" };
        _cleanup_json_ json_t *o = json_loads(texts[_i], 0, NULL);
        PoolConfig *p = NULL;

        ck_assert_int_eq(pool_config_unpack("p", o, context(), &p), -EBADMSG);
        ck_assert_ptr_null(p);
}
END_TEST

int main(void) {
        Suite *s = suite_create("config-load");
        TCase *t = tcase_create("config-load");
        SRunner *r = srunner_create(s);
        int failed;

        umask(022);
        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_loop_test(t, pools_fit_together, 0, ARRAY_SIZE(whole_cases));
        tcase_add_test(t, keys_of_the_file_are_stored_and_dumped);
        tcase_add_test(t, all_faults_come_at_once_in_order);
        tcase_add_test(t, pools_of_all_files_are_one_sorted_set);
        tcase_add_test(t, a_top_level_key_is_given_once);
        tcase_add_test(t, a_named_file_must_exist_the_default_need_not);
        tcase_add_loop_test(t, what_others_can_write_is_not_trusted, 0, 5);
        tcase_add_test(t, only_a_regular_file_of_the_right_owner_is_read);
        tcase_add_test(t, very_many_faults_are_cut_off);
        tcase_add_test(t, the_environment_is_built_from_nothing);
        tcase_add_test(t, faults_of_an_env_file_name_its_lines);
        tcase_add_test(t, a_pool_is_put_back_without_looking_anything_up);
        tcase_add_loop_test(t, rubbish_is_not_put_back, 0, 5);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
