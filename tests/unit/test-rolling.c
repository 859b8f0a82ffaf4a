/* test-rolling.c - how a rolling replacement goes on: the pure decision as a table, and pools over the fake keeper. */
#include "pool-world.h"

#include "pool/pool-internal.h"

#define ONE {.max_unavailable = 1}
#define SURGE {.max_surge = 2}
#define SOAKING {.max_unavailable = 2, .soak = USEC_PER_SEC}

static const struct {
        RollingFacts facts;
        RollingBounds bounds;
        RollingStep step;
        unsigned n;
} steps[] = {
        {{0}, ONE, ROLLING_DONE, 0},
        {{.n_leaving = 1}, ONE, ROLLING_WAIT, 0},
        {{.n_due = 3}, ONE, ROLLING_TAKE, 1},
        {{.n_due = 3}, SURGE, ROLLING_TAKE, 2},
        {{.n_due = 1}, SURGE, ROLLING_TAKE, 1},
        {{.n_due = 3}, {0}, ROLLING_TAKE, 1}, /* nothing given: one */
        {{.n_due = 3, .n_due_down = 1}, SURGE, ROLLING_TAKE, 1}, /* what is down goes first, by itself */
        {{.n_due = 3, .n_leaving = 1}, ONE, ROLLING_TAKE, 1},
        {{.n_due = 2, .n_batch = 1}, ONE, ROLLING_WAIT, 0},
        {{.n_due = 2, .n_batch = 1, .n_batch_ready = 1}, ONE, ROLLING_COMMIT, 0},
        {{.n_batch = 2, .n_batch_ready = 2}, SOAKING, ROLLING_SOAK, 0},
        {{.n_batch = 2, .n_batch_ready = 1, .is_soaked = true}, SOAKING, ROLLING_WAIT, 0},
        {{.n_batch = 2, .n_batch_ready = 2, .is_soaked = true}, SOAKING, ROLLING_COMMIT, 0},
        {{.n_due = 2, .n_batch = 2, .n_batch_ready = 1, .n_batch_bad = 1}, SURGE, ROLLING_PUT_BACK, 0},
        {{.n_batch = 1, .n_batch_bad = 1, .is_soaked = true}, SOAKING, ROLLING_PUT_BACK, 0},
        {{.n_back = 2, .n_back_settled = 1, .is_putting_back = true}, ONE, ROLLING_WAIT, 0},
        {{.n_back = 2, .n_back_settled = 2, .is_putting_back = true}, ONE, ROLLING_FAILED, 0},
        {{.n_due = 2, .is_putting_back = true}, ONE, ROLLING_FAILED, 0}, /* nobody left to put back */
};

START_TEST(test_next) {
        unsigned n = 0;

        ck_assert_int_eq(rolling_next(&steps[_i].facts, &steps[_i].bounds, &n), steps[_i].step);
        ck_assert_uint_eq(n, steps[_i].n);
}
END_TEST

static const struct {
        ReloadConfig config;
        unsigned size, unavailable, surge;
} bounds[] = {
        {{.max_unavailable = 1}, 10, 1, 0},
        {{.max_unavailable = 25, .is_unavailable_percent = true}, 10, 2, 0}, /* down */
        {{.max_unavailable = 25, .is_unavailable_percent = true}, 3, 1, 0},  /* but one */
        {{.max_surge = 25, .is_surge_percent = true}, 10, 0, 3},             /* up */
        {{.max_surge = 25, .is_surge_percent = true}, 0, 1, 0},
        {{.max_unavailable = 3, .max_surge = 2}, 10, 3, 2},
        {{0}, 10, 1, 0},
};

START_TEST(test_bounds) {
        RollingBounds b = rolling_bounds(&bounds[_i].config, bounds[_i].size);

        ck_assert_uint_eq(b.max_unavailable, bounds[_i].unavailable);
        ck_assert_uint_eq(b.max_surge, bounds[_i].surge);
}
END_TEST

/* ---- over the fake keeper ---- */

#define WEB "{\"command\":[\"/bin/x\"],\"workers\":3,\"restart\":{\"delay\":0}"

/* Give every launch its answer; ready at once. */
static void settle(void) {
        bool again = true;

        while (again) {
                again = false;
                pool_set_converge(world.set);
                for (unsigned i = 0; i < fake.n_children; i++)
                        if (fake.children[i].is_used && !fake.children[i].is_answered && !fake.children[i].is_ended) {
                                fake_started(fake.children + i, (pid_t) (1000 + i));
                                again = true;
                        }
        }
}

/* End those that were told to, until nobody is. */
static void obey(void) {
        bool again = true;

        while (again) {
                again = false;
                settle();
                for (unsigned i = 0; i < fake.n_children; i++) {
                        Child *c = fake.children + i;

                        if (!c->is_used || c->is_ended || (c->n_signals == 0 && c->n_tree_kills == 0))
                                continue;
                        fake_ended(c, CLD_EXITED, 0);
                        fake_drained(c);
                        again = true;
                }
        }
}

static const ReloadConfig one = {.max_unavailable = 1}, surge = {.max_surge = 1};

START_TEST(test_one_after_the_other) {
        Pool *p = world_pool("web", WEB "}");

        settle();
        ck_assert_int_eq(pool_reload(p, _i ? &surge : &one, NULL, 0), 0);
        settle();
        ck_assert(pool_is_reloading(p));
        ck_assert_uint_eq(pool_n_ready(p), _i ? 3 : 2); /* never fewer with a surge */
        obey();
        ck_assert(!pool_is_reloading(p));
        ck_assert(pool_reload_outcome(p)->is_good);
        ck_assert_uint_eq(pool_reload_outcome(p)->n_replaced, 3);
        ck_assert_uint_eq(fake.n_children, 6);
        ck_assert_uint_eq(pool_n_ready(p), 3);
        ck_assert_uint_eq(p->n_elders, 0);
}
END_TEST

START_TEST(test_an_elder_takes_its_place_again) {
        Pool *p = world_pool("web", WEB "}");
        Worker *w = pool_worker(p, 0);
        pid_t before;

        settle();
        before = worker_pid(w);
        ck_assert_int_eq(pool_reload(p, &surge, NULL, 0), 0);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_elder_pid(w), before);
        fake_failed(fake_child("web/0"), LAUNCH_EXEC, ENOENT);
        settle();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_int_eq(worker_pid(w), before);
        ck_assert_int_eq(worker_elder_pid(w), 0);
        ck_assert(!pool_is_reloading(p));
        ck_assert(!pool_reload_outcome(p)->is_good);
        ck_assert_str_eq(pool_reload_outcome(p)->worker, "web/0");
        ck_assert_uint_eq(pool_reload_outcome(p)->n_put_back, 1);
        ck_assert_uint_eq(fake.n_children, 4); /* the other two were not touched */
}
END_TEST

START_TEST(test_a_stop_wins) {
        Pool *p = world_pool("web", WEB "}");

        settle();
        ck_assert_int_eq(pool_reload(p, _i ? &surge : &one, NULL, 0), 0);
        pool_set_converge(world.set);
        pool_want_stop(p);
        obey();
        ck_assert(!pool_is_reloading(p));
        ck_assert(!pool_reload_outcome(p)->is_good);
        ck_assert_str_eq(pool_state(p), "stopped");
        ck_assert_uint_eq(p->n_elders, 0);
        for (size_t i = 0; i < 3; i++)
                ck_assert(worker_is_settled(pool_worker(p, i)));
}
END_TEST

START_TEST(test_a_bad_configuration_is_put_back) {
        Pool *p = world_pool("web", WEB ",\"reload\":{\"max_unavailable\":1}}");
        PoolConfig *bad = world_config("web", WEB ",\"reload\":{\"max_unavailable\":1},\"umask\":\"077\"}", false);
        PoolConfig *good = pool_config(p);

        settle();
        ck_assert_int_eq(pool_reconfigure(p, bad, CONFIG_RESTART), 0);
        pool_set_converge(world.set);
        fake_ended(fake_child("web/0"), CLD_EXITED, 0); /* told to stop */
        fake_drained(fake_child("web/0"));
        pool_set_converge(world.set);
        fake_failed(fake_child("web/0"), LAUNCH_EXEC, EACCES);
        fake_drained(fake_child("web/0"));
        obey();
        ck_assert(!pool_is_reloading(p));
        ck_assert_ptr_eq(pool_config(p), good);
        ck_assert(!pool_reload_outcome(p)->is_good);
        ck_assert_uint_eq(pool_reload_outcome(p)->n_put_back, 1);
        ck_assert_uint_eq(pool_n_ready(p), 3);
        ck_assert(!pool_can_roll_back(p));
        pool_config_unref(bad);
}
END_TEST

START_TEST(test_one_that_dies_before_its_turn_has_the_former_configuration) {
        Pool *p = world_pool("web", WEB ",\"reload\":{\"max_unavailable\":1}}");
        PoolConfig *other = world_config("web", WEB ",\"reload\":{\"max_unavailable\":1},\"umask\":\"077\"}", false);
        PoolConfig *former = pool_config_ref(pool_config(p));

        settle();
        ck_assert_int_eq(pool_reconfigure(p, other, CONFIG_RESTART), 0);
        pool_set_converge(world.set);
        fake_ended(fake_child("web/2"), CLD_KILLED, SIGSEGV);
        fake_drained(fake_child("web/2"));
        settle();
        ck_assert_ptr_eq(pool_worker(p, 2)->config, former);
        obey();
        ck_assert(pool_reload_outcome(p)->is_good);
        ck_assert_ptr_eq(pool_worker(p, 2)->config, other);
        ck_assert(pool_can_roll_back(p));
        pool_config_unref(former);
        pool_config_unref(other);
}
END_TEST

/* ---- droverd's own death between the two processes ---- */

/* What the keeper's table says of a child; the test's own list is the keeper. */
static KeeperMessage slot_of(const char *name, uint64_t generation, KeeperSlotState state, pid_t pid) {
        KeeperMessage m = {.type = KEEPER_SLOT, .generation = generation};

        m.slot_info.state = state;
        m.slot_info.pid = state == KEEPER_SLOT_RUNNING ? pid : 0;
        (void) snprintf(m.slot_info.name, sizeof m.slot_info.name, "%s", name);
        return m;
}

#define PAIR "{\"command\":[\"/bin/x\"],\"ready\":\"notify\",\"restart\":{\"delay\":0}}"
#define ELDER_PID 500
#define YOUNG_PID 501

/* A worker whose elder serves and whose younger process is so far. Return: it; the record of it in @record. */
static Worker *add_pair(WorkerState state, Text *record) {
        Worker *w = pool_worker(world_pool("web", PAIR), 0);

        pool_set_converge(world.set);
        fake_started(fake_child("web/0"), ELDER_PID);
        worker_handle(w, WORKER_ON_READY);
        worker_want_succession(w);
        pool_set_converge(world.set);
        ck_assert_uint_eq(fake.n_children, 2);
        if (state != WORKER_LAUNCHING)
                fake_started(fake_child("web/0"), YOUNG_PID);
        if (state == WORKER_RUNNING)
                worker_handle(w, WORKER_ON_READY);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), state);
        worker_serialize(w, record);
        return w;
}

static Worker *come_back(const Text *record, const KeeperMessage *slots, size_t n) {
        const KeeperMessage **orphans = NULL;
        size_t n_orphans = 0;
        json_t *o = json_loads(record->data, 0, NULL);
        Worker *w;

        pool_set_free(world.set);
        world_set_new();
        w = pool_worker(world_pool("web", PAIR), 0);
        ck_assert_ptr_nonnull(o);
        ck_assert_int_eq(worker_deserialize(w, o), 0);
        json_decref(o);
        ck_assert_int_eq(pool_set_adopt(world.set, slots, n, &orphans, &n_orphans), 0);
        ck_assert_uint_eq(n_orphans, 0);
        free(orphans);
        return w;
}

static const struct {
        WorkerState state;           /* on record */
        KeeperSlotState elder, young; /* in the table; FREE: not there */
        WorkerState then;            /* once the ends are heard */
        bool elder_serves, elder_is_told; /* to go */
} deaths[] = {
        {WORKER_LAUNCHING, KEEPER_SLOT_RUNNING, KEEPER_SLOT_FREE, WORKER_LAUNCHING, true, false},
        {WORKER_LAUNCHING, KEEPER_SLOT_RUNNING, KEEPER_SLOT_LAUNCHING, WORKER_LAUNCHING, true, false},
        {WORKER_LAUNCHING, KEEPER_SLOT_RUNNING, KEEPER_SLOT_RUNNING, WORKER_STARTING, true, false},
        {WORKER_LAUNCHING, KEEPER_SLOT_RUNNING, KEEPER_SLOT_ENDED, WORKER_RUNNING, false, false},
        {WORKER_STARTING, KEEPER_SLOT_RUNNING, KEEPER_SLOT_RUNNING, WORKER_STARTING, true, false},
        {WORKER_STARTING, KEEPER_SLOT_RUNNING, KEEPER_SLOT_ENDED, WORKER_RUNNING, false, false},
        {WORKER_STARTING, KEEPER_SLOT_ENDED, KEEPER_SLOT_RUNNING, WORKER_STARTING, false, false},
        {WORKER_STARTING, KEEPER_SLOT_ENDED, KEEPER_SLOT_ENDED, WORKER_BACKOFF, false, false},
        {WORKER_RUNNING, KEEPER_SLOT_RUNNING, KEEPER_SLOT_RUNNING, WORKER_RUNNING, false, true},
        {WORKER_RUNNING, KEEPER_SLOT_ENDED, KEEPER_SLOT_RUNNING, WORKER_RUNNING, false, false},
        {WORKER_RUNNING, KEEPER_SLOT_RUNNING, KEEPER_SLOT_ENDED, WORKER_LAUNCHING, false, true},
};

/* Each of them with the elder first and with the younger one first in the table. */
START_TEST(test_a_death_between_two) {
        const KeeperSlotState elder = deaths[_i / 2].elder, young = deaths[_i / 2].young;
        _cleanup_text_ Text record = {0};
        Worker *w = add_pair(deaths[_i / 2].state, &record);
        uint64_t generation = worker_generation(w), elder_generation = w->elder.generation;
        KeeperMessage slots[2];
        size_t n = 0, n_children;

        for (int k = 0; k < 2; k++) {
                bool is_elder = (k + _i) % 2 == 0;

                if ((is_elder ? elder : young) != KEEPER_SLOT_FREE)
                        slots[n++] = is_elder ? slot_of("web/0", elder_generation, elder, ELDER_PID)
                                              : slot_of("web/0", generation, young, YOUNG_PID);
        }
        n_children = fake.n_children;
        w = come_back(&record, slots, n);
        for (size_t i = 0; i < n; i++)
                if (slots[i].slot_info.state == KEEPER_SLOT_ENDED) {
                        fake_ended(fake.children + n_children + i, CLD_EXITED, 1);
                        fake_drained(fake.children + n_children + i);
                }
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), deaths[_i / 2].then);
        ck_assert(worker_elder_serves(w) == deaths[_i / 2].elder_serves);
        for (size_t i = 0; i < n; i++)
                ck_assert_int_eq(fake.children[n_children + i].n_signals,
                                 slots[i].generation == elder_generation && elder == KEEPER_SLOT_RUNNING &&
                                         deaths[_i / 2].elder_is_told);
        if (worker_elder_serves(w))
                ck_assert_int_eq(worker_elder_pid(w), ELDER_PID);
        if (young == KEEPER_SLOT_RUNNING)
                ck_assert_int_eq(worker_pid(w), YOUNG_PID);
        else if (deaths[_i / 2].then == WORKER_RUNNING) /* it has its place again */
                ck_assert_int_eq(worker_pid(w), ELDER_PID);
}
END_TEST

/* Succeeded, and its stop command is under way. */
static Child *elder_asked(Pool *p, Child **ret_old) {
        Child *command;

        settle();
        *ret_old = fake_child("web/0");
        ck_assert_int_eq(pool_reload(p, &surge, NULL, 0), 0);
        settle();
        command = fake_child("web/0!stop-old");
        ck_assert_ptr_nonnull(command);
        ck_assert_ptr_nonnull(strstr(command->env, "\nMAINPID=1000\n"));
        ck_assert_uint_eq((*ret_old)->n_signals, 0);
        return command;
}

static const char talked[] = "{\"command\":[\"/bin/x\"],\"stop\":{\"command\":[\"/bin/ask\"],\"timeout\":\"1h\"}}";

START_TEST(test_an_elder_is_talked_to) {
        Pool *p = world_pool("web", talked);
        Child *old, *command = elder_asked(p, &old);

        fake_ended(command, CLD_EXITED, _i);
        fake_drained(command);
        ck_assert_uint_eq(old->n_signals, _i ? 1 : 0); /* it failed: the signal */
        fake_ended(old, CLD_EXITED, 0);
        fake_drained(old);
        settle();
        ck_assert(!pool_is_reloading(p));
        ck_assert_uint_eq(p->n_elders, 0);
}
END_TEST

START_TEST(test_an_elder_ends_while_it_is_talked_to) {
        Pool *p = world_pool("web", talked);
        Child *old, *command = elder_asked(p, &old);

        fake_ended(old, CLD_EXITED, 0);
        fake_drained(old);
        settle();
        ck_assert_uint_eq(command->n_tree_kills, 1); /* nobody waits for it any more */
        fake_ended(command, CLD_KILLED, SIGKILL);
        fake_drained(command);
        settle();
        ck_assert(!pool_is_reloading(p));
        ck_assert(!command->is_used);
}
END_TEST

/* Both are stopped: each has a command of its own, with a $MAINPID of its own. */
START_TEST(test_a_stop_talks_to_both) {
        Pool *p = world_pool("web", talked);
        Child *old, *command = elder_asked(p, &old), *young = fake_child("web/0");

        pool_want_stop(p);
        settle();
        ck_assert_ptr_ne(fake_child("web/0!stop"), NULL);
        ck_assert_ptr_nonnull(strstr(fake_child("web/0!stop")->env, "\nMAINPID=1001\n"));
        fake_ended(command, CLD_EXITED, 0);
        fake_drained(command);
        fake_ended(fake_child("web/0!stop"), CLD_EXITED, 0);
        fake_drained(fake_child("web/0!stop"));
        fake_ended(old, CLD_EXITED, 0);
        fake_drained(old);
        fake_ended(young, CLD_EXITED, 0);
        fake_drained(young);
        settle();
        ck_assert_uint_eq(young->n_signals + old->n_signals, 0);
        ck_assert_str_eq(pool_state(p), "stopped");
}
END_TEST

int main(void) {
        const TTest *const alike[] = {test_an_elder_takes_its_place_again, test_a_bad_configuration_is_put_back,
                                             test_one_that_dies_before_its_turn_has_the_former_configuration,
                                      test_an_elder_ends_while_it_is_talked_to, test_a_stop_talks_to_both};
        Suite *s = suite_create("rolling");
        TCase *t = tcase_create("all");
        SRunner *runner = srunner_create(s);
        int n_failed;

        tcase_add_checked_fixture(t, world_setup, world_teardown);
        tcase_add_loop_test(t, test_next, 0, (int) ARRAY_SIZE(steps));
        tcase_add_loop_test(t, test_bounds, 0, (int) ARRAY_SIZE(bounds));
        tcase_add_loop_test(t, test_one_after_the_other, 0, 2);
        tcase_add_loop_test(t, test_a_stop_wins, 0, 2);
        tcase_add_loop_test(t, test_a_death_between_two, 0, 2 * (int) ARRAY_SIZE(deaths));
        tcase_add_loop_test(t, test_an_elder_is_talked_to, 0, 2);
        for (size_t i = 0; i < ARRAY_SIZE(alike); i++)
                tcase_add_test(t, alike[i]);
        suite_add_tcase(s, t);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
