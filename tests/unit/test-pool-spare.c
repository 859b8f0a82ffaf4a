/* test-pool-spare.c - processes that a template for `run` forks ahead: when they are asked for, who gets one, when they go. */
#include "pool-world.h"
#include "pool/pool-template-internal.h"

static Template *the_template(void) {
        return world.set->templates;
}

/* Up to the launch of its process. */
static Worker *run(const char *name, const char *more) {
        char json[256];
        PoolConfig *c;
        Pool *p = NULL;

        (void) snprintf(json, sizeof json, "{\"command\":[\"/bin/x\"],\"start_method\":\"fork\"%s}", more);
        c = world_config(name, json, true);
        ck_assert_int_eq(pool_add_run(world.set, c, &(RunOptions){0}, &p), 0);
        pool_config_unref(c);
        pool_set_converge(world.set);
        return pool_worker(p, 0);
}

static void bring_up(void) {
        Template *t = the_template();

        ck_assert_int_eq(t->state, TEMPLATE_STARTING);
        fake_started(t->child, 400);
        t->child->hooks.on_ready(t->child, t->child->userdata);
        pool_set_converge(world.set);
}

static void end_run(const char *name) {
        Child *c = fake_child(name);

        ck_assert_ptr_nonnull(c);
        fake_started(c, 600);
        fake_ended(c, CLD_EXITED, 0);
        fake_drained(c);
        pool_set_converge(world.set);
}

static unsigned n_spares(void) {
        unsigned n = 0;

        for (unsigned i = 0; i < fake.n_children; i++)
                n += fake.children[i].is_used && fake.children[i].is_spare;
        return n;
}

/* A template that has forked once and was asked a second time: its stock waits. */
static void stock_up(void) {
        run("a", "");
        bring_up();
        end_run("a");
        run("b", "");
        end_run("b");
        ck_assert_uint_eq(n_spares(), KEEPER_SPARES_MAX);
}

START_TEST(test_asked_for_and_used) {
        static const unsigned left[] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 16, 15}; /* filled up at four */
        char name[8];

        run("a", "");
        run("with-it", "");
        bring_up();
        ck_assert_uint_eq(n_spares(), 0); /* nothing says that there will be more */
        end_run("a");
        end_run("with-it");
        run("b", "");
        ck_assert(!fake_child("b")->was_spare);
        ck_assert_uint_eq(n_spares(), KEEPER_SPARES_MAX);
        end_run("b");
        for (unsigned i = 0; i < ARRAY_SIZE(left); i++) {
                (void) snprintf(name, sizeof name, "c%u", i);
                run(name, "");
                ck_assert(fake_child(name)->was_spare);
                ck_assert_uint_eq(n_spares(), left[i]);
                end_run(name);
        }
}
END_TEST

START_TEST(test_not_for_ever) {
        run("a", "");
        bring_up();
        end_run("a");
        the_template()->used_at = usec_sub(the_template()->used_at, USEC_PER_SEC);
        run("b", "");
        ck_assert_uint_eq(n_spares(), 0);
        end_run("b");
}
END_TEST

/* A spare has pipes for its output. */
START_TEST(test_without_pipes) {
        static const char *const outputs[] = {",\"output\":\"null\"", ",\"output\":\"inherit\""};

        run("a", "");
        bring_up();
        end_run("a");
        run("b", outputs[_i]);
        ck_assert_uint_eq(n_spares(), 0);
        end_run("b");
        run("c", "");
        end_run("c");
        ck_assert_uint_eq(n_spares(), KEEPER_SPARES_MAX);
        run("d", outputs[_i]);
        ck_assert(!fake_child("d")->was_spare);
        ck_assert_uint_eq(n_spares(), KEEPER_SPARES_MAX);
        end_run("d");
}
END_TEST

/* Nothing of its own has run: the launch is made anew, without a spare, and nobody hears of it. */
START_TEST(test_no_good) {
        static const int errors[] = {ESTALE, EOPNOTSUPP};
        Worker *w;
        Child *c;

        stock_up();
        w = run("c", "");
        c = fake_child("c");
        ck_assert(c->was_spare);
        text_clear(&world.told);
        fake_failed(c, LAUNCH_TEMPLATE, errors[_i]);
        pool_set_converge(world.set);
        ck_assert_told("");
        ck_assert_ptr_null(worker_last_exit(w));
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        ck_assert_ptr_ne(fake_child("c"), c);
        ck_assert(!fake_child("c")->was_spare);
        ck_assert_int_eq(the_template()->state, TEMPLATE_READY);
        ck_assert_uint_eq(n_spares(), errors[_i] == ESTALE ? KEEPER_SPARES_MAX : 0); /* new ones; one that cannot is not asked again */
        end_run("c");
        run("d", "");
        ck_assert_uint_eq(n_spares(), errors[_i] == ESTALE ? KEEPER_SPARES_MAX - 1 : 0);
        end_run("d");
}
END_TEST

START_TEST(test_dead_ones_are_not_used) {
        stock_up();
        for (unsigned i = 0; i < fake.n_children; i++)
                if (fake.children[i].is_spare) {
                        fake_failed(fake.children + i, LAUNCH_TEMPLATE, ESTALE);
                        fake_drained(fake.children + i);
                }
        run("c", "");
        ck_assert(!fake_child("c")->was_spare);
        end_run("c");
        run("d", ""); /* they are forgotten by now */
        ck_assert_uint_eq(n_spares(), KEEPER_SPARES_MAX);
        end_run("d");
}
END_TEST

START_TEST(test_cannot) {
        Child *spare;

        stock_up();
        spare = fake_child(KEEPER_SPARE_NAME);
        fake_failed(spare, LAUNCH_TEMPLATE, EOPNOTSUPP);
        fake_drained(spare);
        run("c", "");
        run("d", "");
        run("e", "");
        ck_assert_uint_eq(n_spares(), KEEPER_SPARES_MAX - 4); /* three used, none asked for */
        end_run("c");
        end_run("d");
        end_run("e");
}
END_TEST

START_TEST(test_go_with_their_template) {
        Child *spare;

        stock_up();
        spare = fake_child(KEEPER_SPARE_NAME);
        fake_ended(the_template()->child, CLD_KILLED, SIGKILL);
        pool_set_converge(world.set);
        ck_assert_uint_eq(n_spares(), 0);
        ck_assert_uint_eq(spare->n_tree_kills, 1);
}
END_TEST

int main(void) {
        const TTest *const tests[] = {
                test_asked_for_and_used, test_not_for_ever, test_without_pipes, test_no_good, test_dead_ones_are_not_used,
                test_cannot, test_go_with_their_template,
        };
        Suite *s = suite_create("pool-spare");
        TCase *t = tcase_create("pool-spare");
        SRunner *runner;
        int n_failed;

        tcase_add_checked_fixture(t, world_setup, world_teardown);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_loop_test(t, tests[i], 0, tests[i] == test_without_pipes || tests[i] == test_no_good ? 2 : 1);
        suite_add_tcase(s, t);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
