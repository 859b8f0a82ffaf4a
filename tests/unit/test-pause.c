/* test-pause.c - frozen and draining processes: what a stop, an end and droverd's own death make of them. */
#include "pool-world.h"

#include "pool/pool-internal.h"

#define NOTIFIED "{\"command\":[\"/bin/x\"],\"ready\":{\"notify\":true,\"timeout\":\"20ms\"},\"restart\":{\"delay\":0}}"

static Worker *add_up(const char *json) {
        Pool *p = world_pool("web", json);

        pool_set_converge(world.set);
        fake_started(fake_child("web/0"), 500);
        pool_set_converge(world.set);
        text_clear(&world.told);
        return pool_worker(p, 0);
}

static Worker *add_running(void) {
        return add_up("{\"command\":[\"/bin/x\"],\"restart\":{\"delay\":0}}");
}

START_TEST(test_pause_and_resume) {
        Worker *w = add_running();
        Child *c = fake_child("web/0");

        ck_assert_int_eq(worker_pause(w), 1);
        ck_assert_int_eq(worker_pause(w), 1);
        ck_assert(c->is_frozen && c->n_freezes == 1 && worker_is_paused(w) && worker_is_freezing(w));
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_told("");
        fake_frozen(c, 0);
        ck_assert(!worker_is_freezing(w));
        ck_assert_told("worker.paused web/0\n");
        worker_resume(w);
        worker_resume(w);
        ck_assert(!c->is_frozen && c->n_freezes == 2 && !worker_is_paused(w) && worker_is_freezing(w));
        fake_frozen(c, 0);
        ck_assert(!worker_is_freezing(w));
        ck_assert_told("worker.resumed web/0\n");
}
END_TEST

/* What was asked for before what is asked for now may still be answered. */
START_TEST(test_old_answers_do_not_count) {
        Worker *w = add_running();
        Child *c = fake_child("web/0");

        (void) worker_pause(w);
        worker_resume(w);
        c->hooks.on_frozen(c, true, 0, c->userdata);
        ck_assert(worker_is_freezing(w));
        fake_frozen(c, 0);
        ck_assert(!worker_is_freezing(w) && !w->is_frozen);
        ck_assert_told("worker.resumed web/0\n");
}
END_TEST

START_TEST(test_what_cannot_stand_still_runs_on) {
        Worker *w = add_running();
        Child *c = fake_child("web/0");
        char text[256];

        (void) worker_pause(w);
        fake_frozen(c, -ETIMEDOUT);
        ck_assert(!worker_is_paused(w) && !c->is_frozen && c->n_freezes == 2);
        ck_assert_int_eq(worker_pause_error(w), -ETIMEDOUT);
        worker_describe_pause(w, text, sizeof text);
        ck_assert_str_eq(text, "it could not be paused and runs on: one of its processes sits in the kernel and does not come to rest");
        fake_frozen(c, 0);
        ck_assert_told("");
        ck_assert_int_eq(worker_pause(w), 1);
        ck_assert_int_eq(worker_pause_error(w), 0);
}
END_TEST

START_TEST(test_no_process_no_pause) {
        Worker *w = pool_worker(world_pool("web", NOTIFIED), 0);

        ck_assert_int_eq(worker_pause(w), 0);
        pool_set_converge(world.set); /* asked for, and without a pid yet */
        ck_assert_int_eq(worker_pause(w), 0);
        ck_assert_int_eq(worker_drain(w), 0);
        fake_started(fake_child("web/0"), 500);
        worker_want_stop(w);
        ck_assert_int_eq(worker_pause(w), 0);
        ck_assert_uint_eq(fake_child("web/0")->n_freezes, 0);
}
END_TEST

START_TEST(test_stop_thaws) {
        Worker *w = add_running();
        Child *c = fake_child("web/0");

        (void) worker_pause(w);
        worker_want_stop(w);
        pool_set_converge(world.set);
        ck_assert(!c->is_frozen && c->n_freezes == 2);
        ck_assert_int_eq(c->last_signal, SIGTERM);
        ck_assert(!worker_is_paused(w));
}
END_TEST

START_TEST(test_the_next_process_runs) {
        Worker *w = add_running();

        (void) worker_pause(w);
        (void) worker_drain(w);
        ck_assert(worker_is_draining(w));
        fake_ended(fake_child("web/0"), CLD_KILLED, SIGKILL);
        fake_drained(fake_child("web/0"));
        pool_set_converge(world.set);
        ck_assert(!worker_is_paused(w) && !worker_is_draining(w));
        fake_started(fake_child("web/0"), 501);
        ck_assert_uint_eq(fake_child("web/0")->n_freezes, 0);
}
END_TEST

/* The time to get ready does not run out while it is frozen. */
START_TEST(test_start_timeout_waits) {
        Worker *w = add_up(NOTIFIED);

        (void) worker_pause(w);
        world_round();
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        worker_resume(w);
        world_round();
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
}
END_TEST

static json_t *worker_json(Worker *w) {
        _cleanup_text_ Text t = {0};
        json_t *o;

        worker_put_json(w, &t, NULL);
        ck_assert_int_eq(text_check(&t), 0);
        o = json_loads(t.data, 0, NULL);
        ck_assert_ptr_nonnull(o);
        return o;
}

START_TEST(test_shown) {
        Worker *w = add_running();
        json_t *o;

        (void) worker_drain(w);
        o = worker_json(w);
        ck_assert(json_is_true(json_object_get(o, "draining")) && json_is_false(json_object_get(o, "paused")));
        ck_assert_str_eq(json_string_value(json_object_get(o, "note")), "draining");
        json_decref(o);
        (void) worker_pause(w);
        o = worker_json(w);
        ck_assert_str_eq(json_string_value(json_object_get(o, "note")), "pausing");
        json_decref(o);
        fake_frozen(fake_child("web/0"), 0);
        o = worker_json(w);
        ck_assert(json_is_true(json_object_get(o, "paused")));
        ck_assert_str_eq(json_string_value(json_object_get(o, "note")), "paused");
        json_decref(o);
}
END_TEST

START_TEST(test_over_a_death) {
        Worker *w = add_running();
        uint64_t generation = worker_generation(w);
        _cleanup_text_ Text record = {0};
        KeeperMessage m = {.generation = generation};
        const KeeperMessage **orphans = NULL;
        size_t n_orphans;
        json_t *o;

        (void) worker_pause(w);
        fake_frozen(fake_child("web/0"), 0);
        worker_serialize(w, &record);
        pool_set_free(world.set);
        world_set_new();
        w = pool_worker(world_pool("web", "{\"command\":[\"/bin/x\"],\"restart\":{\"delay\":0}}"), 0);
        o = json_loads(record.data, 0, NULL);
        ck_assert_int_eq(worker_deserialize(w, o), 0);
        json_decref(o);
        m.slot_info.state = KEEPER_SLOT_RUNNING;
        m.slot_info.pid = 500;
        (void) snprintf(m.slot_info.name, sizeof m.slot_info.name, "web/0");
        ck_assert_int_eq(pool_set_adopt(world.set, &m, 1, &orphans, &n_orphans), 0);
        ck_assert_uint_eq(n_orphans, 0);
        free(orphans);
        ck_assert(worker_is_paused(w) && fake_child("web/0")->is_frozen && worker_is_freezing(w));
        text_clear(&world.told);
        fake_frozen(fake_child("web/0"), 0);
        ck_assert(!worker_is_freezing(w));
        ck_assert_told(""); /* it was told in the life before */
}
END_TEST

int main(void) {
        static const TTest *const *tests[] = {&test_pause_and_resume, &test_old_answers_do_not_count, &test_what_cannot_stand_still_runs_on,
                &test_no_process_no_pause, &test_stop_thaws,
                &test_the_next_process_runs, &test_start_timeout_waits, &test_shown, &test_over_a_death};
        Suite *s = suite_create("pause");
        TCase *t = tcase_create("pause");
        SRunner *runner;
        int n_failed;

        tcase_add_checked_fixture(t, world_setup, world_teardown);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(t, *tests[i]);
        suite_add_tcase(s, t);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}
