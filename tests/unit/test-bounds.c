/* test-bounds.c - from a pool's keys and the keeper's means to a launch; what is said to be missing; live changes; promises. */
#include "pool-world.h"

#include "pool/bounds.h"
#include "pool/worker-internal.h"
#include "pool/promise.h"
#include <linux/capability.h>

#define CONFIG(members) "{\"command\":[\"/bin/x\"],\"restart\":{\"delay\":0,\"jitter\":0}" members "}"

static PoolConfig *config(const char *json) {
        return world_config("web", json, false);
}

static KeeperMessage with_means(uint32_t means, uint32_t controllers, uint32_t abi) {
        KeeperMessage m = {.type = KEEPER_HELLO, .hello = {.means = means, .controllers = controllers, .landlock_abi = abi}};

        (void) snprintf(m.hello.controllers_reason, sizeof m.hello.controllers_reason, "no memory, pids, cpu: used by v1");
        return m;
}

static const char isolated[] = CONFIG(",\"isolation\":{\"private_tmp\":true,\"read_only\":[\"/etc\"],\"read_write\":[\"/tmp/x\"],"
                                      "\"inaccessible\":[\"/home\"]}");

static const struct {
        uint32_t means, abi;
        LaunchIsolation isolation;
        bool private_tmp;
        size_t n_missing;
        const char *first;
} ways[] = {
        {KEEPER_CAN_MOUNT, 0, LAUNCH_ISOLATION_MOUNT, true, 0, NULL},
        {KEEPER_CAN_MOUNT, 3, LAUNCH_ISOLATION_MOUNT, true, 0, NULL},
        {0, 3, LAUNCH_ISOLATION_LANDLOCK, false, 3, "isolation.private_tmp"},
        {0, 0, LAUNCH_ISOLATION_NONE, false, 3, "isolation.private_tmp"},
};

START_TEST(test_isolation) {
        KeeperMessage hello = with_means(ways[_i].means, 0, ways[_i].abi);
        PoolConfig *c = config(isolated);
        Shortfall missing[SHORTFALLS_MAX];
        LaunchSpec spec = {.directory = "/tmp/work", .stdio_path = {NULL, "/var/tmp/run/out", "/srv/err"}};
        BoundsPaths room;

        ck_assert_int_eq(bounds_fill(&spec, c, &hello, "/run/drover/notify", &room), 0);
        ck_assert_int_eq(spec.isolation, ways[_i].isolation);
        ck_assert_int_eq(spec.private_tmp, ways[_i].private_tmp);
        ck_assert_int_eq(spec.paths[LAUNCH_PATH_INACCESSIBLE] != NULL, ways[_i].isolation != LAUNCH_ISOLATION_NONE);
        ck_assert_int_eq(spec.paths[LAUNCH_PATH_TMP] == NULL, true);
        if (ways[_i].private_tmp) { /* what it must reach below the covered directories comes along */
                char **rw = spec.paths[LAUNCH_PATH_READ_WRITE];

                ck_assert_str_eq(rw[0], "/tmp/x");
                ck_assert_str_eq(rw[1], "/tmp/work");
                ck_assert_str_eq(rw[2], "/var/tmp/run");
                ck_assert_ptr_null(rw[3]);
        }
        bounds_paths_done(&room);
        ck_assert_uint_eq(bounds_shortfalls(c, &hello, missing), ways[_i].n_missing);
        if (ways[_i].first) {
                ck_assert_str_eq(missing[0].key, ways[_i].first);
                ck_assert_int_eq(missing[1].is_off, ways[_i].isolation == LAUNCH_ISOLATION_NONE);
        }
        pool_config_unref(c);
}
END_TEST

START_TEST(test_nothing_wanted_nothing_missing) {
        KeeperMessage hello = with_means(0, 0, 0);
        PoolConfig *c = config(CONFIG(""));
        Shortfall missing[SHORTFALLS_MAX];
        LaunchSpec spec = {0};
        BoundsPaths room;

        ck_assert_int_eq(bounds_fill(&spec, c, &hello, NULL, &room), 0);
        ck_assert_int_eq(spec.isolation, LAUNCH_ISOLATION_NONE);
        ck_assert(!spec.set_capabilities);
        ck_assert_uint_eq(bounds_shortfalls(c, &hello, missing), 0);
        bounds_paths_done(&room);
        pool_config_unref(c);
}
END_TEST

START_TEST(test_cgroup_values) {
        KeeperMessage hello = with_means(KEEPER_CAN_SETPCAP, KEEPER_CONTROLLER_PIDS, 0);
        PoolConfig *c = config(CONFIG(",\"cgroup\":{\"memory_max\":\"64M\",\"cpu_max\":\"50%\",\"cpu_weight\":20,\"pids_max\":\"max\"},"
                                      "\"capabilities\":[\"cap_net_bind_service\"]"));
        Shortfall missing[SHORTFALLS_MAX];
        LaunchSpec spec = {0};
        BoundsPaths room;

        ck_assert_int_eq(bounds_fill(&spec, c, &hello, NULL, &room), 0);
        ck_assert_uint_eq(spec.cgroup.memory_max, 64 << 20);
        ck_assert_uint_eq(spec.cgroup.cpu_max, 50000);
        ck_assert_uint_eq(spec.cgroup.pids_max, UINT64_MAX);
        ck_assert_uint_eq(spec.cgroup.memory_high, 0);
        ck_assert(spec.set_capabilities);
        ck_assert_uint_eq(spec.capabilities, UINT64_C(1) << CAP_NET_BIND_SERVICE);
        ck_assert_uint_eq(bounds_shortfalls(c, &hello, missing), 3);
        ck_assert_str_eq(missing[0].key, "cgroup.memory_max");
        ck_assert_str_eq(missing[0].why, "no memory, pids, cpu: used by v1");
        bounds_paths_done(&room);
        pool_config_unref(c);
}
END_TEST

START_TEST(test_live_changes) {
        Pool *p = world_pool("web", CONFIG(",\"cgroup\":{\"memory_max\":\"64M\",\"pids_max\":5},\"limits\":{\"nofile\":100,\"core\":0}"));
        PoolConfig *next = config(CONFIG(",\"cgroup\":{\"memory_max\":\"32M\"},\"limits\":{\"nofile\":200,\"core\":0}"));
        Child *c;

        pool_set_converge(world.set);
        c = fake_child("web/0");
        fake_started(c, 500);
        ck_assert_uint_eq(c->cgroup.memory_max, 64 << 20);
        pool_reconfigure(p, next, CONFIG_LIVE);
        ck_assert_uint_eq(c->n_updates, 2);
        ck_assert_uint_eq(c->cgroup.memory_max, 32 << 20);
        ck_assert_uint_eq(c->cgroup.pids_max, UINT64_MAX); /* no longer bounded */
        ck_assert_int_eq(c->last_limit.resource, RLIMIT_NOFILE);
        ck_assert_uint_eq(c->last_limit.value.rlim_cur, 200);
        pool_reconfigure(p, next, CONFIG_LIVE); /* nothing new */
        ck_assert_uint_eq(c->n_updates, 2);
        pool_config_unref(next);
}
END_TEST

static PromiseState state_of(const PromiseFacts *f, const char *name) {
        Promise all[PROMISES_MAX];
        size_t n = promises_collect(f, all);

        for (size_t i = 0; i < n; i++)
                if (streq(all[i].name, name))
                        return all[i].state;
        ck_abort_msg("no promise %s", name);
}

/* Each row says why when it is not whole, and has a mechanism; names are single. */
static void check_rows(const PromiseFacts *f) {
        Promise all[PROMISES_MAX];
        size_t n = promises_collect(f, all), n_weak = 0;

        for (size_t i = 0; i < n; i++) {
                ck_assert_msg((all[i].state == PROMISE_FULL) == (*all[i].why == 0), "%s: why is \"%s\"", all[i].name, all[i].why);
                ck_assert(*all[i].mechanism && *all[i].text);
                n_weak += all[i].state != PROMISE_FULL;
                for (size_t j = 0; j < i; j++)
                        ck_assert_str_ne(all[i].name, all[j].name);
        }
        ck_assert_uint_eq(promises_n_weakened(f), n_weak);
}

START_TEST(test_promises) {
        KeeperMessage all = with_means(UINT32_MAX, UINT32_MAX, 5), none = with_means(0, 0, 0);
        PromiseFacts rich = {.hello = &all, .has_passrights = true, .has_systemd = true};
        PromiseFacts poor = {.hello = &none, .uid = 1000};

        none.hello.tree_mode = KEEPER_TREE_SWEEP;
        (void) snprintf(none.hello.tree_reason, sizeof none.hello.tree_reason, "no cgroup v2");
        check_rows(&rich);
        check_rows(&poor);
        ck_assert_uint_eq(promises_n_weakened(&rich), 1); /* keeper-death */
        ck_assert_int_eq(state_of(&poor, "memory-limits"), PROMISE_OFF);
        ck_assert_int_eq(state_of(&poor, "stopped-means-gone"), PROMISE_WEAKENED);
        ck_assert_int_eq(state_of(&poor, "droverd-death"), PROMISE_FULL);
        none.hello.means = KEEPER_CAN_MACHINE_OOM;
        ck_assert_int_eq(state_of(&poor, "oom-told"), PROMISE_WEAKENED);
        none.hello.landlock_abi = 1;
        ck_assert_int_eq(state_of(&poor, "paths"), PROMISE_WEAKENED);
        ck_assert_int_eq(state_of(&poor, "private-tmp"), PROMISE_OFF);
}
END_TEST

/* ---- ends ---- */

static const char *no_tail(const Worker *w, void *userdata) {
        return NULL;
}

static json_t *detail_of(Pool *p) {
        Text t = {0};
        json_t *o;

        pool_set_show_detail(world.set, no_tail, NULL);
        pool_put_json(p, &t, NULL, NULL, 0);
        pool_set_show_detail(world.set, NULL, NULL);
        o = json_loads(t.data, 0, NULL);
        ck_assert_msg(o != NULL, "%s", t.data);
        text_done(&t);
        return o;
}

static json_t *ends_of(json_t *o) {
        return json_object_get(json_array_get(json_object_get(o, "workers"), 0), "ends");
}

START_TEST(test_five_ends) {
        Pool *p = world_pool("web", CONFIG(""));
        Text record = {0};
        json_t *o, *r;

        for (int i = 0; i < 7; i++) {
                Child *c;

                pool_set_converge(world.set);
                c = fake_child("web/0");
                fake_started(c, 500 + i);
                fake_ended(c, CLD_EXITED, i);
                fake_drained(c);
        }
        o = detail_of(p);
        ck_assert_uint_eq(json_array_size(ends_of(o)), WORKER_ENDS_MAX);
        for (int i = 0; i < 5; i++)
                ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(ends_of(o), (size_t) i), "exitcode")), 6 - i);
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(ends_of(o), 0), "cause")), "exited with code 6");
        /* over droverd's death */
        worker_serialize(pool_worker(p, 0), &record);
        r = json_loads(record.data, 0, NULL);
        text_done(&record);
        worker_read_ends(pool_worker(p, 0), json_object_get(r, "ends")); /* five more push the five out, in the same order */
        json_decref(o);
        o = detail_of(p);
        ck_assert(json_equal(ends_of(o), json_object_get(r, "ends")));
        json_decref(r);
        json_decref(o);
}
END_TEST

static const char *cause_after(Child *c, Worker *w, KeeperExit exit) {
        static char text[KEEPER_TEXT_MAX];
        ExitStatus e = {.exit = exit, .at_usec = clock_realtime()};

        c->is_ended = true;
        c->pid = 0;
        c->hooks.on_end(c, &e, c->userdata);
        worker_describe_exit(w, text, sizeof text);
        return text;
}

START_TEST(test_sentences) {
        Pool *p = world_pool("web", CONFIG(",\"stop\":{\"timeout\":\"1ms\"}"));
        Worker *w = pool_worker(p, 0);
        Child *c;

        pool_set_converge(world.set);
        c = fake_child("web/0");
        fake_started(c, 500);
        ck_assert_str_eq(cause_after(c, w, (KeeperExit){.code = CLD_KILLED, .status = SIGKILL, .oom = KEEPER_OOM_CGROUP,
                                                              .memory_limit = 64 << 20, .memory_peak = 63 << 20}),
                         "killed by SIGKILL: out of memory (limit 64M, peak 63M)");
        fake_drained(c);
        pool_set_converge(world.set);
        c = fake_child("web/0");
        fake_started(c, 501);
        worker_want_stop(w);
        pool_set_converge(world.set);
        while (c->n_tree_kills == 0)
                world_round();
        ck_assert_str_eq(cause_after(c, w, (KeeperExit){.code = CLD_KILLED, .status = SIGKILL, .sent = SIGKILL}),
                         "did not end within 1ms of SIGTERM; killed by SIGKILL");
        fake_drained(c);
        worker_want_start(w);
        pool_set_converge(world.set);
        c = fake_child("web/0");
        fake_started(c, 502);
        ck_assert_str_eq(cause_after(c, w, (KeeperExit){.code = CLD_KILLED, .status = SIGTERM, .sent = SIGTERM}),
                         "killed by SIGTERM on request");
}
END_TEST

START_TEST(test_budget_of_last_words) {
        LastWordsBudget b = {0};
        usec_t now = 100 * USEC_PER_SEC;

        for (unsigned i = 0; i < LAST_WORDS_BURST; i++)
                ck_assert(last_words_afford(&b, now));
        ck_assert(!last_words_afford(&b, now));
        ck_assert(!last_words_afford(&b, now + LAST_WORDS_REFILL - 1));
        ck_assert(last_words_afford(&b, now + LAST_WORDS_REFILL));
        ck_assert(!last_words_afford(&b, now + LAST_WORDS_REFILL));
        now += USEC_PER_HOUR;
        for (unsigned i = 0; i < LAST_WORDS_BURST; i++)
                ck_assert(last_words_afford(&b, now));
        ck_assert(!last_words_afford(&b, now));
}
END_TEST

int main(void) {
        Suite *s = suite_create("bounds");
        TCase *t = tcase_create("all");
        SRunner *runner = srunner_create(s);
        int n_failed;

        tcase_add_checked_fixture(t, world_setup, world_teardown);
        tcase_add_loop_test(t, test_isolation, 0, (int) ARRAY_SIZE(ways));
        tcase_add_test(t, test_nothing_wanted_nothing_missing);
        tcase_add_test(t, test_cgroup_values);
        tcase_add_test(t, test_live_changes);
        tcase_add_test(t, test_promises);
        tcase_add_test(t, test_five_ends);
        tcase_add_test(t, test_sentences);
        tcase_add_test(t, test_budget_of_last_words);
        suite_add_tcase(s, t);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}
