/* test-config-module.c - pools of worker modules: the file that is found, the command that is made, what goes together. */
#include "base/alloc.h"
#include "config/config-key.h"
#include <check.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[] = "/tmp/drover-module-XXXXXX";

/* @text with every DIR replaced by the place; NULL with *ret_fault (the caller's) when it is refused. */
static PoolConfig *make(const char *text, bool is_run, const ConfigContext *ctx, char **ret_fault) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_text_ Text t = { 0 };
        PoolConfig *p = NULL;

        for (const char *s = text; *s;) {
                bool is_dir = strncmp(s, "DIR", 3) == 0;
                text_append_n(&t, is_dir ? place : s, is_dir ? strlen(place) : 1);
                s += is_dir ? 3 : 1;
        }
        _cleanup_json_ json_t *o = json_loads(t.data, 0, NULL);
        ck_assert_msg(o != NULL, "%s", t.data);
        *ret_fault = NULL;
        if (pool_config_from_json("p", o, is_run, ctx, &p, &faults) < 0) {
                ck_assert_uint_eq(faults.n, 1);
                *ret_fault = alloc_printf("%s: %s", faults.items[0].key, faults.items[0].text);
        }
        return p;
}

static ConfigContext context(void) {
        return (ConfigContext){ .is_system = true, .host_program = "/libexec/drover-host", .module_path = place };
}

static const struct {
        const char *pool, *command; /* joined by blanks, without DIR */
        bool is_task_pool;
} good_cases[] = {
        { "{\"module\":\"DIR/m.so\"}", "--template --module DIR/m.so", true },
        { "{\"module\":\"m.so\"}", "--template --module DIR/m.so", true },
        { "{\"module\":\"m.so\",\"start_method\":\"spawn\"}", "--module DIR/m.so", true },
        { "{\"module\":\"m.so\",\"workers\":\"cpus\",\"tasks\":{\"attempts\":3,\"prefetch\":4}}", "--template --module DIR/m.so", true },
        { "{\"module\":\"m.so\",\"target\":\"square\"}", "--template --module DIR/m.so", false },
        { "{\"module\":\"m.so\",\"target\":\"square\",\"start_method\":\"fork\"}", "--template --module DIR/m.so", false },
        { "{\"module\":\"m.so\",\"target\":\"f\",\"args\":[5,\"a b\",null],\"kwargs\":{\"base\":2.5},\"start_method\":\"spawn\"}",
          "--module DIR/m.so --target f --args [5,\"a b\",null] --kwargs {\"base\":2.5}", false },
};

START_TEST(a_module_becomes_the_command_of_its_host) {
        ConfigContext ctx = context();
        _cleanup_free_ char *fault = NULL;
        _cleanup_(pool_config_unrefp) PoolConfig *p = make(good_cases[_i].pool, false, &ctx, &fault), *back = NULL;
        _cleanup_text_ Text joined = { 0 };
        const char *want = good_cases[_i].command, *dir = strstr(want, "DIR");

        ck_assert_msg(p != NULL, "%s", fault);
        for (char **s = p->command; *s; s++)
                text_appendf(&joined, "%s%s", s == p->command ? "" : " ", *s);
        _cleanup_free_ char *expected = alloc_printf("/libexec/drover-host %.*s%s%s", (int) (dir - want), want, place, dir + 3);
        ck_assert_str_eq(joined.data, expected);
        ck_assert_int_eq(p->is_task_pool, good_cases[_i].is_task_pool);

        /* and over the death of droverd, when the file has gone meanwhile and nobody knows where to look */
        _cleanup_json_ json_t *packed = pool_config_pack(p);
        _cleanup_free_ char *file = alloc_printf("%s/m.so", place), *away = alloc_printf("%s/away", place);
        ConfigContext later = { .is_system = true, .host_program = ctx.host_program };
        ck_assert_int_eq(rename(file, away), 0);
        ck_assert_int_eq(pool_config_unpack("p", packed, &later, &back), 0);
        ck_assert_int_eq(rename(away, file), 0);
        ck_assert_str_eq(back->module, p->module);
        ck_assert_int_eq(back->is_task_pool, p->is_task_pool);
        ck_assert(json_equal(back->source, p->source));
        for (size_t i = 0; p->command[i] || back->command[i]; i++)
                ck_assert_str_eq(p->command[i], back->command[i]);
}
END_TEST

static const struct {
        const char *pool, *fault;
        bool is_run;
} bad_cases[] = {
        { "{\"module\":\"DIR/none.so\"}", "module: DIR/none.so cannot be read: No such file" },
        { "{\"module\":\"DIR\"}", "module: DIR is no regular file" },
        { "{\"module\":\"none.so\"}", "module: there is no none.so in DIR" },
        { "{\"module\":\"./m.so\"}", "module: expected the absolute path" },
        { "{\"module\":\"\"}", "module: expected the absolute path" },
        { "{\"module\":5}", "module: expected the absolute path" },
        { "{\"module\":\"m.so\",\"command\":[\"x\"]}", "module: a pool runs a command or a module, not both" },
        { "{\"module\":\"m.so\",\"args\":[1]}", "args: arguments need a target" },
        { "{\"module\":\"m.so\",\"kwargs\":{}}", "kwargs: arguments need a target" },
        { "{\"module\":\"m.so\",\"target\":\"f\",\"args\":5}", "args: expected an array" },
        { "{\"module\":\"m.so\",\"target\":\"f\",\"args\":{}}", "args: expected an array" },
        { "{\"module\":\"m.so\",\"target\":\"f\",\"kwargs\":[]}", "kwargs: expected an object" },
        { "{\"module\":\"m.so\",\"target\":\"\"}", "target: expected the name" },
        { "{\"module\":\"m.so\",\"target\":\"--list\"}", "target: expected the name" },
        { "{\"module\":\"m.so\",\"target\":\"f\",\"protocol\":\"tasks\"}", "protocol: a target is called once" },
        { "{\"module\":\"m.so\",\"target\":\"f\",\"tasks\":{}}", "tasks: only of a pool that takes them" },
        { "{\"module\":\"m.so\",\"protocol\":\"none\"}", "protocol: the workers of a module without target take tasks" },
        { "{\"module\":\"m.so\"}", "module: run calls one target", true },
        { "{\"command\":[\"x\"],\"protocol\":\"tasks\"}", "protocol: run starts one process", true },
        { "{}", "command: a pool needs a command", true },
};

START_TEST(what_does_not_go_together_is_told) {
        ConfigContext ctx = context();
        _cleanup_free_ char *fault = NULL;
        const char *want = bad_cases[_i].fault, *dir = strstr(want, "DIR");
        _cleanup_free_ char *expected = dir ? alloc_printf("%.*s%s%s", (int) (dir - want), want, place, dir + 3) : alloc_strdup(want);

        ck_assert_ptr_null(make(bad_cases[_i].pool, bad_cases[_i].is_run, &ctx, &fault));
        if (strstr(want, "a pool needs")) /* at the pool itself */
                ck_assert_ptr_nonnull(strstr(fault, "a pool needs a command"));
        else
                ck_assert_msg(strncmp(fault, expected, strlen(expected)) == 0, "%s", fault);
}
END_TEST

START_TEST(arguments_have_the_kernels_bound) {
        ConfigContext ctx = context();
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        _cleanup_free_ char *text = malloc(131073);
        PoolConfig *p = NULL;

        ck_assert_ptr_nonnull(text);
        memset(text, 'x', 131072);
        text[131072] = 0;
        _cleanup_json_ json_t *o = json_pack("{s:s,s:s,s:[s]}", "module", "m.so", "target", "f", "args", text);
        ck_assert_int_eq(pool_config_from_json("p", o, false, &ctx, &p, &faults), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(faults.items[0].text, "131071 bytes"));
}
END_TEST

START_TEST(who_may_see_less_learns_nothing_of_files) {
        ConfigContext ctx = context();
        _cleanup_free_ char *fault = NULL;

        ctx.is_blind = true;
        _cleanup_(pool_config_unrefp) PoolConfig *p = make("{\"module\":\"/secret/none.so\",\"target\":\"f\"}", true, &ctx, &fault);
        ck_assert_msg(p != NULL, "%s", fault);
}
END_TEST

START_TEST(without_the_host_there_are_no_modules) {
        ConfigContext ctx = { .is_system = true, .module_path = place };
        _cleanup_free_ char *fault = NULL;

        ck_assert_ptr_null(make("{\"module\":\"m.so\"}", false, &ctx, &fault));
        ck_assert_ptr_nonnull(strstr(fault, "drover-host, which runs modules, was found nowhere"));
}
END_TEST

START_TEST(a_change_names_what_was_written) {
        ConfigContext ctx = context();
        _cleanup_free_ char *fault = NULL;
        _cleanup_(pool_config_unrefp) PoolConfig *a = make("{\"module\":\"m.so\",\"target\":\"f\",\"args\":[1]}", false, &ctx, &fault),
                                                 *b = make("{\"module\":\"m.so\",\"target\":\"f\",\"args\":[2]}", false, &ctx, &fault);
        ConfigDiff diff = { 0 };

        ck_assert_int_eq(config_diff_pool(a, b, &diff), 0);
        ck_assert_uint_eq(diff.n, 1);
        ck_assert_str_eq(diff.items[0].keys, "args");
        ck_assert_int_eq(diff.items[0].cost, CONFIG_RESTART);
        config_diff_done(&diff);
}
END_TEST

/* Of @o, with each allocation failing once. */
static void read_in_short_memory(const ConfigContext *ctx, json_t *o, bool is_run) {
        int r = -1;

        for (unsigned long n = 1; r != 0 && n < 200; n++) {
                _cleanup_config_faults_ ConfigFaults faults = { 0 };
                _cleanup_(pool_config_unrefp) PoolConfig *p = NULL;
                alloc_fail_at(n);
                r = pool_config_from_json("p", o, is_run, ctx, &p, &faults);
                alloc_fail_at(0);
                ck_assert_int_eq(r == 0, p != NULL);
                ck_assert_msg(r == 0 || r == -ENOMEM, "%lu: %d", n, r);
        }
        ck_assert_int_eq(r, 0);
}

START_TEST(short_memory_is_no_fault) {
        ConfigContext ctx = context();
        _cleanup_json_ json_t *o = json_pack("{s:s,s:s,s:[i],s:{s:i}}", "module", "m.so", "target", "f", "args", 1, "kwargs", "a", 1);

        read_in_short_memory(&ctx, o, false);
}
END_TEST

#define RUN "{\"module\":\"m.so\",\"target\":\"f\",\"start_method\":\"forkserver\",\"args\":["

START_TEST(a_run_like_the_one_before_borrows_its_words) {
        ConfigContext ctx = context();
        _cleanup_free_ char *fault = NULL;
        PoolConfig *first = make(RUN "1]}", true, &ctx, &fault), *second = make(RUN "2,[3]]}", true, &ctx, &fault);

        ck_assert_ptr_nonnull(second);
        ck_assert_ptr_eq(second->base, first->base ? first->base : first);
        pool_config_unref(first);
        ck_assert_str_eq(second->name, "p");
        ck_assert_str_eq(second->target, "f");
        ck_assert_int_eq(second->start_method, START_FORKSERVER);
        ck_assert_int_eq(second->restart.policy, RESTART_NEVER_AGAIN);
        ck_assert_int_eq(json_integer_value(json_array_get(second->args, 0)), 2);
        ck_assert_ptr_null(second->kwargs);
        _cleanup_free_ char *source = json_dumps(second->source, JSON_COMPACT | JSON_SORT_KEYS);
        ck_assert_str_eq(source, "{\"args\":[2,[3]],\"module\":\"m.so\",\"start_method\":\"forkserver\",\"target\":\"f\"}");
        pool_config_unref(second);
}
END_TEST

static const char *const unlike[] = {
        "{\"module\":\"m.so\",\"target\":\"g\",\"start_method\":\"forkserver\",\"args\":[]}",
        "{\"module\":\"m.so\",\"target\":\"f\",\"start_method\":\"fork\",\"args\":[]}",
        "{\"module\":\"m.so\",\"target\":\"f\",\"start_method\":\"forkserver\"}",
        RUN "],\"kwargs\":{}}", RUN "],\"nice\":1}", RUN "],\"env\":{\"A\":\"b\"}}",
};

START_TEST(a_run_unlike_the_one_before_is_made_anew) {
        ConfigContext ctx = context(), other = context();
        _cleanup_free_ char *fault = NULL;
        _cleanup_(pool_config_unrefp) PoolConfig *first = make(RUN "1]}", true, &ctx, &fault), *next = make(unlike[_i], true, &ctx, &fault),
                                                 *again = make(RUN "1]}", true, &ctx, &fault), *blind = NULL, *pool = NULL;

        ck_assert(first && next && again);
        ck_assert_ptr_null(next->base);
        other.is_blind = true;
        blind = make(RUN "1]}", true, &other, &fault);
        ck_assert(blind && !blind->base);
        pool = make(RUN "1]}", false, &other, &fault);
        ck_assert(pool && !pool->base && pool->restart.policy == RESTART_ALWAYS);
}
END_TEST

START_TEST(a_fault_in_the_arguments_of_a_run_like_the_one_before_is_told) {
        static const char *const faulty[] = {"{\"module\":\"m.so\",\"target\":\"f\",\"args\":[]}", "{\"module\":\"m.so\",\"target\":\"f\",\"args\":{}}"};
        static const char method[] = ",\"start_method\":\"fork\"}";
        ConfigContext ctx = context();

        for (size_t i = 0; i < ARRAY_SIZE(faulty); i++) {
                _cleanup_free_ char *fault = NULL, *text = alloc_printf("%.*s%s", (int) strlen(faulty[i]) - 1, faulty[i], method);
                _cleanup_(pool_config_unrefp) PoolConfig *p = make(text, true, &ctx, &fault);

                ck_assert((p != NULL) == (i == 0));
                if (!p)
                        ck_assert_ptr_nonnull(strstr(fault, "args: expected an array"));
        }
}
END_TEST

START_TEST(short_memory_of_a_run_like_the_one_before_is_no_fault) {
        ConfigContext ctx = context();
        _cleanup_free_ char *fault = NULL;
        _cleanup_(pool_config_unrefp) _unused_ PoolConfig *first = make(RUN "1]}", true, &ctx, &fault);
        _cleanup_json_ json_t *o = json_loads(RUN "2]}", 0, NULL);

        read_in_short_memory(&ctx, o, true);
}
END_TEST

int main(void) {
        Suite *s = suite_create("config-module");
        TCase *t = tcase_create("config-module");
        SRunner *r = srunner_create(s);
        int failed;

        if (!mkdtemp(place))
                return 1;
        _cleanup_free_ char *file = alloc_printf("%s/m.so", place);
        FILE *f = fopen(file, "we");
        if (!f || fclose(f) != 0)
                return 1;
        tcase_add_loop_test(t, a_module_becomes_the_command_of_its_host, 0, ARRAY_SIZE(good_cases));
        tcase_add_loop_test(t, what_does_not_go_together_is_told, 0, ARRAY_SIZE(bad_cases));
        tcase_add_test(t, arguments_have_the_kernels_bound);
        tcase_add_test(t, who_may_see_less_learns_nothing_of_files);
        tcase_add_test(t, without_the_host_there_are_no_modules);
        tcase_add_test(t, a_change_names_what_was_written);
        tcase_add_test(t, short_memory_is_no_fault);
        tcase_add_test(t, a_run_like_the_one_before_borrows_its_words);
        tcase_add_loop_test(t, a_run_unlike_the_one_before_is_made_anew, 0, ARRAY_SIZE(unlike));
        tcase_add_test(t, a_fault_in_the_arguments_of_a_run_like_the_one_before_is_told);
        tcase_add_test(t, short_memory_of_a_run_like_the_one_before_is_no_fault);
        suite_add_tcase(s, t);
        srunner_set_fork_status(r, CK_NOFORK);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        (void) unlink(file);
        (void) rmdir(place);
        return failed != 0;
}
