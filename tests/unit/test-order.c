/* test-order.c - the graph of pools, and what requires and after mean for starts and stops. */
#include "pool-world.h"

#include "pool/order.h"
#include "pool/pool-internal.h"

/* ---- the graph ---- */

static void check_cycle(const OrderNode *nodes, size_t n, const char *name, const char *expected) {
        _cleanup_free_ char *path = NULL;

        ck_assert_int_eq(order_find_cycle(nodes, n, name, &path), 0);
        if (expected)
                ck_assert_str_eq(path, expected);
        else
                ck_assert_ptr_null(path);
}

START_TEST(test_cycles) {
        static char na[] = "a", nb[] = "b", nc[] = "c", nobody[] = "nobody";
        char *const a[] = {na, NULL}, *const b[] = {nb, NULL}, *const c[] = {nc, NULL}, *const bc[] = {nb, nc, NULL};
        char *const none[] = {NULL}, *const unknown[] = {nobody, NULL};
        const OrderNode self[] = {{"a", a, NULL}}, chain[] = {{"a", b, NULL}, {"b", NULL, c}, {"c", none, unknown}},
                        circle[] = {{"a", b, NULL}, {"b", NULL, c}, {"c", a, NULL}},
                        diamond[] = {{"a", bc, bc}, {"b", c, NULL}, {"c", NULL, NULL}, {"d", a, b}},
                        beside[] = {{"a", b, NULL}, {"b", c, NULL}, {"c", b, NULL}};

        check_cycle(NULL, 0, "a", NULL);
        check_cycle(self, 1, "a", "a -> a");
        check_cycle(self, 1, "b", NULL);
        check_cycle(chain, 3, "a", NULL);
        check_cycle(circle, 3, "a", "a -> b -> c -> a");
        check_cycle(circle, 3, "c", "c -> a -> b -> c");
        check_cycle(diamond, 4, "d", NULL);
        check_cycle(beside, 3, "a", NULL); /* not through a */
        check_cycle(beside, 3, "b", "b -> c -> b");
}
END_TEST

#define LONG_CHAIN 2000

START_TEST(test_a_long_chain) {
        static OrderNode nodes[LONG_CHAIN];
        static char names[LONG_CHAIN][8], *next[LONG_CHAIN][2];
        char *path = NULL;

        for (int i = 0; i < LONG_CHAIN; i++) {
                (void) snprintf(names[i], sizeof names[i], "p%05d", i);
                next[i][0] = names[(i + 1) % LONG_CHAIN];
                nodes[i] = (OrderNode){.name = names[i], .requires = next[i]};
        }
        ck_assert_int_eq(order_find_cycle(nodes, LONG_CHAIN, names[7], &path), 0);
        ck_assert_ptr_nonnull(path);
        ck_assert_uint_eq(strlen(path), LONG_CHAIN * 6u + 6 + LONG_CHAIN * 4u);
        free(path);
        nodes[LONG_CHAIN - 1].requires = NULL;
        check_cycle(nodes, LONG_CHAIN, names[0], NULL);
}
END_TEST

/* ---- pools ---- */

#define READY_FD_3 "\"command\":[\"/bin/x\"],\"ready\":{\"fd\":3}"

static char **take_names(json_t *o, const char *key) {
        json_t *names = json_object_get(o, key);
        char **v = names ? NEW0_ARRAY(char *, json_array_size(names) + 1) : NULL;

        for (size_t i = 0; i < json_array_size(names); i++)
                v[i] = alloc_strdup(json_string_value(json_array_get(names, i)));
        (void) json_object_del(o, key);
        return v;
}

/* Other pools need not be there: so it is after a removal. */
static PoolConfig *config_of(const char *name, const char *keys) {
        _cleanup_free_ char *json = alloc_printf("{" READY_FD_3 "%s}", keys), *rest = NULL;
        json_t *o = json_loads(json, 0, NULL);
        char **requires = take_names(o, "requires"), **after = take_names(o, "after");
        PoolConfig *c;

        rest = json_dumps(o, 0);
        json_decref(o);
        c = world_config(name, rest, false);
        c->requires = requires;
        c->after = after;
        return c;
}

static Pool *add_as(const char *name, const char *keys, bool start) {
        PoolConfig *c = config_of(name, keys);
        Pool *p = NULL;

        ck_assert_int_eq(pool_add(world.set, c, POOL_FROM_CALL, start, &p), 0);
        pool_config_unref(c);
        return p;
}

static Pool *add(const char *name, const char *keys) {
        return add_as(name, keys, true);
}

static Child *up(const char *name) {
        Child *c = fake_child(name);

        ck_assert_msg(c && !c->is_answered, "%s was not launched", name);
        fake_started(c, (pid_t) (1000 + fake.n_children + (unsigned) (c - fake.children)));
        return c;
}

static Child *ready(const char *name) {
        Child *c = up(name);

        c->hooks.on_ready(c, c->userdata);
        pool_set_converge(world.set);
        return c;
}

static void end(const char *name, int code, int status) {
        Child *c = fake_child(name);

        fake_ended(c, code, status);
        fake_drained(c);
        pool_set_converge(world.set);
}

static bool is_launched(const char *name) {
        Child *c = fake_child(name);

        return c && c->is_used && !c->is_ended;
}

static bool is_told_to_stop(const char *name) {
        return fake_child(name)->n_signals > 0;
}

static const char *note(Pool *p) {
        static char buf[512];

        return worker_note(pool_worker(p, 0), buf, sizeof buf);
}

START_TEST(test_chain) {
        Pool *a = add("a", ",\"requires\":[\"b\"]"), *b = add("b", ",\"requires\":[\"c\"]"), *c = add("c", "");

        pool_set_converge(world.set);
        ck_assert(!fake_child("a/0") && !fake_child("b/0"));
        ck_assert_str_eq(pool_state(a), "starting");
        ck_assert_str_eq(note(a), "waits for b");
        ck_assert_str_eq(note(b), "waits for c");
        up("c/0");
        pool_set_converge(world.set);
        ck_assert_ptr_null(fake_child("b/0")); /* spawned is not ready */
        fake_child("c/0")->hooks.on_ready(fake_child("c/0"), fake_child("c/0")->userdata);
        pool_set_converge(world.set);
        ck_assert_str_eq(note(c), "");
        ck_assert_ptr_null(fake_child("a/0"));
        ready("b/0");
        ready("a/0");
        ck_assert_str_eq(pool_state(a), "running");
}
END_TEST

START_TEST(test_all_workers_of_it) {
        Pool *db = add("db", ",\"workers\":2,\"restart\":{\"delay\":\"1h\"}");

        add("web", ",\"requires\":[\"db\"],\"workers\":2,\"restart\":{\"delay\":0}");
        pool_set_converge(world.set);
        ready("db/0");
        ck_assert_ptr_null(fake_child("web/0"));
        ready("db/1");
        ready("web/0");
        ready("web/1");
        /* Once up, it is up as long as one of it is. */
        end("db/1", CLD_EXITED, 1);
        ck_assert_str_eq(pool_state(db), "degraded");
        worker_want_restart(pool_worker(pool_find(world.set, "web"), 0));
        pool_set_converge(world.set);
        end("web/0", CLD_KILLED, SIGTERM);
        ck_assert(is_launched("web/0"));
        end("web/0", CLD_EXITED, 1);
        end("db/0", CLD_EXITED, 1);
        worker_want_start(pool_worker(pool_find(world.set, "web"), 0));
        pool_set_converge(world.set);
        ck_assert_str_eq(note(pool_find(world.set, "web")), "waits for db, which waits to be started again");
        ck_assert(!is_launched("web/0"));
}
END_TEST

START_TEST(test_after) {
        Pool *cache = add_as("cache", "", false), *web = add("web", ",\"after\":[\"cache\",\"nobody\"]");

        pool_set_converge(world.set);
        ck_assert(is_launched("web/0")); /* not wanted, not waited for */
        ck_assert(!fake_child("cache/0"));
        ready("web/0");
        pool_want_start(cache);
        worker_want_restart(pool_worker(web, 0));
        pool_set_converge(world.set);
        end("web/0", CLD_KILLED, SIGTERM);
        ck_assert_str_eq(note(web), "waits for cache");
        pool_want_stop(cache);
        pool_set_converge(world.set);
        ck_assert(is_launched("web/0"));
}
END_TEST

START_TEST(test_required_is_started) {
        Pool *c = add_as("c", "", false);

        add_as("b", ",\"requires\":[\"c\"]", false);
        add("a", ",\"requires\":[\"b\"]");
        add("d", ",\"after\":[\"c\"]");
        pool_set_converge(world.set);
        ck_assert(pool_n_wanted(c) == 1 && is_launched("c/0"));
        ck_assert(!fake_child("a/0") && !fake_child("b/0") && !fake_child("d/0"));
        ready("c/0");
        ck_assert(is_launched("b/0") && is_launched("d/0"));
}
END_TEST

START_TEST(test_required_fails) {
        Pool *db = add("db", ",\"restart\":{\"policy\":\"never\"}"), *web = add("web", ",\"requires\":[\"db\"]");

        pool_set_converge(world.set);
        fake_failed(fake_child("db/0"), LAUNCH_EXEC, ENOENT);
        fake_drained(fake_child("db/0"));
        pool_set_converge(world.set);
        ck_assert_str_eq(pool_state(db), "failed");
        ck_assert_str_eq(note(web), "waits for db, which failed");
        ck_assert_str_eq(pool_state(web), "starting");
        pool_want_start(db);
        pool_set_converge(world.set);
        ready("db/0");
        ready("web/0"); /* by itself */
        end("db/0", CLD_EXITED, 3);
        ck_assert_int_eq(worker_state(pool_worker(web, 0)), WORKER_RUNNING);
        ck_assert_str_eq(note(web), "runs without db, which ended");
        pool_set_forget(world.set, db);
        ck_assert_str_eq(note(web), "runs without db, which does not exist");
}
END_TEST

START_TEST(test_done_is_ready) {
        Pool *migrate = add("migrate", ",\"restart\":{\"policy\":\"never\"}");

        add("web", ",\"requires\":[\"migrate\"]");
        pool_set_converge(world.set);
        up("migrate/0");
        end("migrate/0", CLD_EXITED, 0);
        ck_assert_str_eq(pool_state(migrate), "exited");
        ck_assert(is_launched("web/0"));
}
END_TEST

/* ---- stops ---- */

static void add_diamond(void) {
        add("base", "");
        add("left", ",\"requires\":[\"base\"]");
        add("right", ",\"after\":[\"base\"]");
        add("top", ",\"requires\":[\"left\",\"right\"]");
        pool_set_converge(world.set);
        ready("base/0");
        ready("left/0");
        ready("right/0");
        ready("top/0");
}

START_TEST(test_shutdown_in_reverse) {
        add_diamond();
        pool_set_want_stop_all(world.set);
        pool_set_converge(world.set);
        ck_assert(is_told_to_stop("top/0") && !is_told_to_stop("left/0") && !is_told_to_stop("right/0"));
        ck_assert_str_eq(note(pool_find(world.set, "left")), "stops after top");
        end("top/0", CLD_KILLED, SIGTERM);
        ck_assert(is_told_to_stop("left/0") && is_told_to_stop("right/0") && !is_told_to_stop("base/0"));
        end("left/0", CLD_KILLED, SIGTERM);
        ck_assert(!is_told_to_stop("base/0"));
        end("right/0", CLD_KILLED, SIGTERM);
        ck_assert(is_told_to_stop("base/0"));
        end("base/0", CLD_KILLED, SIGTERM);
        ck_assert(pool_set_is_quiet(world.set));
}
END_TEST

START_TEST(test_unkillable_holds_nobody) {
        Pool *web;

        add("db", "");
        web = add("web", ",\"requires\":[\"db\"]");
        pool_set_converge(world.set);
        ready("db/0");
        ready("web/0");
        pool_set_want_stop_all(world.set);
        pool_set_converge(world.set);
        for (int i = 0; i < 3; i++) { /* its timeouts, without waiting for them */
                ck_assert(!is_told_to_stop("db/0"));
                worker_handle(pool_worker(web, 0), WORKER_ON_TIMEOUT);
                pool_set_converge(world.set);
        }
        ck_assert(is_told_to_stop("db/0"));
}
END_TEST

static Worker **select_pool(const char *name, size_t *ret_n) {
        Worker **workers = NULL;
        const char *unknown;
        int n = pool_select(world.set, NULL, &name, 1, &workers, &unknown);

        ck_assert_int_ge(n, 0);
        *ret_n = (size_t) n;
        return workers;
}

/* Nor does drover's own end wait for it; what on_daemon_exit keeps is another matter. */
START_TEST(test_unkillable_holds_no_end) {
        Worker *w = pool_worker(world_pool("a", "{\"command\":[\"/bin/x\"],\"ready\":\"exec\"}"), 0);
        Worker *kept = pool_worker(world_pool("b", "{\"command\":[\"/bin/x\"],\"on_daemon_exit\":\"keep\"}"), 0);

        pool_set_converge(world.set);
        fake_started(fake_child("a/0"), 500);
        fake_started(fake_child("b/0"), 501);
        pool_set_want_stop_all(world.set);
        pool_set_converge(world.set);
        for (int i = 0; i < 6; i++) {
                ck_assert(!pool_set_is_quiet(world.set));
                worker_handle(w, WORKER_ON_TIMEOUT); /* of the stop, then of each SIGKILL */
        }
        ck_assert(pool_set_is_quiet(world.set));
        ck_assert(pool_set_keeps_any(world.set));
        ck_assert_int_eq(worker_state(kept), WORKER_RUNNING);
        fake_ended(fake_child("b/0"), CLD_EXITED, 0);
        ck_assert(!pool_set_keeps_any(world.set));
}
END_TEST

START_TEST(test_stop_and_return) {
        _cleanup_free_ Worker **workers = NULL, **back = NULL;
        size_t n, m;

        add_diamond();
        workers = select_pool("base", &n);
        ck_assert_int_eq(order_add_dependents(world.set, &workers, &n), 0);
        ck_assert_uint_eq(n, 3); /* base, left, top; right is only after it */
        worker_want_stop(workers[0]);
        for (size_t i = 1; i < n; i++)
                order_want_stop(workers[i]);
        pool_set_converge(world.set);
        ck_assert(is_told_to_stop("top/0") && !is_told_to_stop("right/0") && !is_told_to_stop("base/0"));
        end("top/0", CLD_KILLED, SIGTERM);
        end("left/0", CLD_KILLED, SIGTERM);
        end("base/0", CLD_KILLED, SIGTERM);
        ck_assert_str_eq(pool_state(pool_find(world.set, "top")), "stopped");
        worker_want_stop(pool_worker(pool_find(world.set, "top"), 0)); /* by hand: it stays */
        back = select_pool("base", &m);
        ck_assert_int_eq(order_add_returning(world.set, &back, &m), 0);
        ck_assert_uint_eq(m, 2);
        ck_assert_str_eq(worker_name(back[1]), "left/0");
        for (size_t i = 0; i < m; i++)
                worker_want_start(back[i]);
        pool_set_converge(world.set);
        ready("base/0");
        ready("left/0");
        ck_assert(!is_launched("top/0"));
}
END_TEST

START_TEST(test_part_of_a_pool) {
        _cleanup_free_ Worker **workers = NULL;
        size_t n;

        add("db", ",\"workers\":2");
        add("web", ",\"requires\":[\"db\"]");
        pool_set_converge(world.set);
        workers = select_pool("db/1", &n);
        ck_assert_int_eq(order_add_dependents(world.set, &workers, &n), 0);
        ck_assert_uint_eq(n, 1);
        worker_want_stop(workers[0]);
        free(TAKE_PTR(workers));
        workers = select_pool("db/0", &n);
        ck_assert_int_eq(order_add_dependents(world.set, &workers, &n), 0);
        ck_assert_uint_eq(n, 2); /* the last one that is wanted */
}
END_TEST

/* A start during the ordered stop: the last wish counts. */
START_TEST(test_start_while_stopping) {
        Pool *db = add("db", ""), *web = add("web", ",\"requires\":[\"db\"]");

        pool_set_converge(world.set);
        ready("db/0");
        ready("web/0");
        pool_want_stop(db);
        pool_want_stop(web);
        pool_set_converge(world.set);
        ck_assert(!is_told_to_stop("db/0"));
        pool_want_start(web);
        pool_set_converge(world.set);
        ck_assert_uint_eq(pool_n_wanted(db), 1);
        end("web/0", CLD_KILLED, SIGTERM);
        ck_assert(!is_told_to_stop("db/0"));
        ready("web/0");
}
END_TEST

START_TEST(test_check) {
        static const struct {
                const char *name, *keys;
                int result;
                const char *text;
        } rows[] = {
                {"x", "", 0, NULL},
                {"x", ",\"requires\":[\"b\"]", 0, NULL},
                {"x", ",\"after\":[\"nobody\"]", -ENOENT, "after: there is no pool \"nobody\"; add it first"},
                {"late", ",\"requires\":[\"a\"]", -ELOOP,
                 "requires and after lead in a circle: late -> a -> b -> late; take one of them out"},
        };

        add_as("a", ",\"requires\":[\"b\"]", false);
        add_as("b", ",\"after\":[\"late\"]", false);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                PoolConfig *c = config_of(rows[i].name, rows[i].keys);
                _cleanup_free_ char *text = NULL;

                ck_assert_int_eq(order_check(world.set, c, &text), rows[i].result);
                ck_assert_str_eq(text ? text : "", rows[i].text ? rows[i].text : "");
                pool_config_unref(c);
        }
        ck_assert_str_eq(order_required_by(pool_find(world.set, "b")), "a");
        ck_assert_ptr_null(order_required_by(pool_find(world.set, "a")));
}
END_TEST

/* A circle that came about all the same: nobody starts, but a stop ends. */
START_TEST(test_circle_ends) {
        Pool *a = add_as("a", ",\"after\":[\"b\"]", false), *b;

        pool_want_start(a);
        pool_set_converge(world.set);
        ready("a/0");
        b = add_as("b", ",\"after\":[\"a\"]", false);
        pool_want_start(b);
        pool_set_converge(world.set);
        ready("b/0");
        pool_set_want_stop_all(world.set);
        pool_set_converge(world.set);
        ck_assert(is_told_to_stop("a/0") && is_told_to_stop("b/0"));
}
END_TEST

int main(void) {
        Suite *s = suite_create("order");
        TCase *graph = tcase_create("graph"), *pools = tcase_create("pools");
        SRunner *runner;
        int n_failed;

        tcase_add_test(graph, test_cycles);
        tcase_add_test(graph, test_a_long_chain);
        suite_add_tcase(s, graph);
        tcase_add_checked_fixture(pools, world_setup, world_teardown);
        tcase_add_test(pools, test_chain);
        tcase_add_test(pools, test_all_workers_of_it);
        tcase_add_test(pools, test_after);
        tcase_add_test(pools, test_required_is_started);
        tcase_add_test(pools, test_required_fails);
        tcase_add_test(pools, test_done_is_ready);
        tcase_add_test(pools, test_shutdown_in_reverse);
        tcase_add_test(pools, test_unkillable_holds_nobody);
        tcase_add_test(pools, test_unkillable_holds_no_end);
        tcase_add_test(pools, test_stop_and_return);
        tcase_add_test(pools, test_part_of_a_pool);
        tcase_add_test(pools, test_start_while_stopping);
        tcase_add_test(pools, test_check);
        tcase_add_test(pools, test_circle_ends);
        suite_add_tcase(s, pools);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}
