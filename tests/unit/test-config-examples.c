/* test-config-examples.c - every file of conf/ is loadable as it is.
 *
 * $DROVER_CONF_DIR names conf/. The files are copied first: a checkout may belong to somebody else, or be writable for
 * a group, and then a configuration is refused. */
#include "base/alloc.h"
#include "base/file.h"
#include "config/config.h"
#include <check.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
        const char *file;
        size_t n_pools;
} cases[] = {
        { "drover.json", 0 },
        { "pools.d/web.json.example", 1 },
        { "pools.d/shell.json.example", 1 },
        { "pools.d/notify.json.example", 1 },
        { "pools.d/workers.json.example", 2 },
        { "pools.d/reload.json.example", 1 },
        { "pools.d/order.json.example", 2 },
        { "pools.d/isolated.json.example", 1 },
        { "pools.d/recycle.json.example", 1 },
        { "pools.d/hooks.json.example", 0 },
};

static void load(const char *path, size_t n_pools) {
        ConfigContext ctx = { .is_system = true, .uid = geteuid(), .log_dir = "/l", .state_dir = "/s" };
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_(config_unrefp) Config *c = NULL;
        int r = config_load(path, &ctx, &c, &faults);

        for (size_t i = 0; i < faults.n; i++) {
                _cleanup_free_ char *text = config_fault_format(&faults.items[i]);
                fprintf(stderr, "%s\n", text);
        }
        ck_assert_int_eq(r, 0);
        ck_assert_uint_eq(c->n_pools, n_pools);
}

START_TEST(every_example_is_loadable) {
        const char *conf = getenv("DROVER_CONF_DIR");
        char dir[] = "/tmp/drover-test-examples-XXXXXX";
        _cleanup_free_ char *from = NULL, *to = NULL, *data = NULL;
        size_t size;

        ck_assert_msg(conf != NULL, "DROVER_CONF_DIR is not set");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        from = alloc_printf("%s/%s", conf, cases[_i].file);
        to = alloc_printf("%s/drover.json", dir);
        ck_assert_int_eq(file_read(from, 1 << 20, &data, &size), 0);
        ck_assert_int_eq(file_write_atomic(to, data, size, 0644), 0);
        load(to, cases[_i].n_pools);
        unlink(to);
        rmdir(dir);
}
END_TEST

int main(void) {
        Suite *s = suite_create("config-examples");
        TCase *t = tcase_create("config-examples");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, every_example_is_loadable, 0, ARRAY_SIZE(cases));
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
