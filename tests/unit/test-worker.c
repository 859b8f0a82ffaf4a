/* test-worker.c - one worker through its states, each event given by the test in the keeper's place. */
#include "pool-world.h"
#include "pool/pool-internal.h"

#define PLAIN "{\"command\":[\"/bin/x\"],\"restart\":{\"delay\":0,\"jitter\":0}"

static Worker *add(const char *json) {
        Pool *p = world_pool("web", json);

        pool_set_converge(world.set);
        text_clear(&world.told);
        return pool_worker(p, 0);
}

static Worker *add_running(const char *json) {
        Worker *w = add(json);

        fake_started(fake_child("web/0"), 500);
        text_clear(&world.told);
        return w;
}

START_TEST(test_comes_up) {
        Worker *w = pool_worker(world_pool("web", PLAIN "}"), 0);

        ck_assert_int_eq(worker_state(w), WORKER_CREATED);
        ck_assert_told("pool.added web\n");
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        ck_assert_str_eq(worker_state_to_string(worker_state(w)), "starting");
        ck_assert(!worker_is_alive(w));
        fake_started(fake_child("web/0"), 500);
        ck_assert_told("worker.starting web/0\nworker.running web/0\n");
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_int_eq(worker_pid(w), 500);
        ck_assert(worker_is_alive(w) && worker_is_ready(w) && worker_is_wanted(w));
        ck_assert_ptr_null(worker_last_exit(w));
}
END_TEST

START_TEST(test_environment) {
        Child *c;

        add("{\"command\":[\"x\",\"y\"],\"ready\":\"notify\",\"clear_env\":true,"
            "\"env\":{\"A\":\"b\",\"PATH\":\"/one::rel:/two\"}}");
        c = fake_child("web/0");
        ck_assert_str_eq(c->argv, "x\ny\n");
        ck_assert_str_eq(c->candidates, "/one/x\n/two/x\n");
        ck_assert_ptr_nonnull(strstr(c->env, "A=b\n"));
        ck_assert_ptr_nonnull(strstr(c->env, "\nDROVER_POOL=web\nDROVER_WORKER=0\nDROVER_NAME=web/0\n"
                                             "DROVER_SOCKET=/run/drover/control.sock\n"
                                             "NOTIFY_SOCKET=/run/drover/control.sock.notify\n"));
        ck_assert_int_eq(c->log.kind, LOG_KIND_FILE);
        ck_assert_str_eq(c->log.path, "/var/log/drover/web/0");
        ck_assert_str_eq(c->log.worker, "web/0");
        ck_assert_int_eq(c->ready_fd, -1);
}
END_TEST

START_TEST(test_relative_command) {
        add("{\"command\":[\"bin/x\"],\"directory\":\"/srv\",\"ready\":{\"fd\":5},\"output\":\"null\"}");
        ck_assert_str_eq(fake_child("web/0")->candidates, "/srv/bin/x\n");
        ck_assert_ptr_null(strstr(fake_child("web/0")->env, "NOTIFY_SOCKET"));
        ck_assert_int_eq(fake_child("web/0")->ready_fd, 5);
        ck_assert_int_eq(fake_child("web/0")->log.kind, LOG_KIND_NONE);
}
END_TEST

/* The next process does not wait for the last line of the one before; the events do. */
START_TEST(test_restart_at_once) {
        Worker *w = add_running(PLAIN "}");
        Child *old = fake_child("web/0"), *new;

        fake_ended(old, CLD_KILLED, SIGKILL);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        pool_set_converge(world.set);
        new = fake_child("web/0");
        ck_assert_ptr_ne(new, old);
        fake_started(new, 501);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_told("");
        ck_assert(!worker_is_settled(w));
        fake_drained(old);
        ck_assert_told("worker.exited web/0\nworker.starting web/0\nworker.running web/0\n");
        ck_assert(old->is_used);
        pool_set_converge(world.set);
        ck_assert(!old->is_used);
        ck_assert_uint_eq(worker_n_restarts(w), 1);
        ck_assert_int_eq(exit_status_exitcode(worker_last_exit(w)), -9);
        ck_assert(worker_generation(w) > old->generation);
}
END_TEST

/* Two ends whose output is not written: the third start waits for the first to be drained. */
START_TEST(test_departed_are_bounded) {
        Worker *w = add_running(PLAIN "}");
        Child *first = fake_child("web/0"), *second;

        fake_ended(first, CLD_EXITED, 0);
        pool_set_converge(world.set);
        second = fake_child("web/0");
        fake_started(second, 501);
        fake_ended(second, CLD_EXITED, 0);
        pool_set_converge(world.set);
        pool_set_converge(world.set);
        ck_assert_ptr_eq(fake_child("web/0"), second);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        fake_drained(second);
        ck_assert_told(""); /* the first one's end comes before */
        pool_set_converge(world.set);
        ck_assert_ptr_ne(fake_child("web/0"), second);
        fake_drained(first);
        ck_assert_told("worker.exited web/0\nworker.starting web/0\nworker.running web/0\nworker.exited web/0\n");
}
END_TEST

START_TEST(test_back_off) {
        Worker *w = add_running("{\"command\":[\"/x\"],\"restart\":{\"delay\":\"20ms\",\"jitter\":0}}");
        Child *old = fake_child("web/0");
        char note[256];

        fake_ended(old, CLD_EXITED, 1);
        fake_drained(old);
        ck_assert_told("worker.exited web/0\nworker.backoff web/0\n");
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        ck_assert_ptr_nonnull(strstr(worker_note(w, note, sizeof note), "exited with code 1 just now, next try in "));
        ck_assert_ptr_nonnull(strstr(worker_reason(w, note, sizeof note), "exited with code 1, next try in "));
        ck_assert(worker_is_settled(w));
        while (worker_state(w) == WORKER_BACKOFF)
                world_round();
        ck_assert_ptr_ne(fake_child("web/0"), old);
        fake_started(fake_child("web/0"), 501);
        ck_assert_told("worker.starting web/0\nworker.running web/0\n");
        ck_assert_str_eq(worker_note(w, note, sizeof note), "");
}
END_TEST

/* Memory is short: a converge ends all the same, and the timer comes a moment later. */
START_TEST(test_back_off_without_memory) {
        Worker *w = add_running("{\"command\":[\"/x\"],\"restart\":{\"delay\":\"20ms\",\"jitter\":0}}");
        Child *old = fake_child("web/0");

        world.set->world.event = NULL; /* no source can be added */
        fake_ended(old, CLD_EXITED, 1);
        fake_drained(old);
        pool_set_converge(world.set);
        world_round(); /* tried once more, in vain */
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        ck_assert_ptr_null(w->timer);
        world.set->world.event = world.event;
        while (worker_state(w) == WORKER_BACKOFF)
                world_round();
        ck_assert_ptr_ne(fake_child("web/0"), old);
}
END_TEST

START_TEST(test_start_leaves_back_off) {
        Worker *w = add_running("{\"command\":[\"/x\"],\"restart\":{\"delay\":\"1h\",\"max_delay\":\"2h\"}}");

        fake_ended(fake_child("web/0"), CLD_EXITED, 1);
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        worker_want_start(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
}
END_TEST

START_TEST(test_stop_leaves_back_off) {
        Worker *w = add_running("{\"command\":[\"/x\"],\"restart\":{\"delay\":\"1h\",\"max_delay\":\"2h\"}}");

        fake_ended(fake_child("web/0"), CLD_EXITED, 1);
        worker_want_stop(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
}
END_TEST

START_TEST(test_stop) {
        Worker *w = add_running(PLAIN ",\"stop\":{\"signal\":\"INT\"}}");
        Child *c = fake_child("web/0");

        worker_want_stop(w);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert_int_eq(c->last_signal, SIGINT);
        ck_assert_uint_eq(c->n_continues, 1);
        pool_set_converge(world.set);
        ck_assert_uint_eq(c->n_signals, 1);
        fake_ended(c, CLD_KILLED, SIGINT);
        fake_drained(c);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
        ck_assert_told("worker.stopping web/0\nworker.exited web/0\nworker.stopped web/0\n");
        ck_assert_str_eq(pool_state(worker_pool(w)), "stopped");
        worker_want_start(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
}
END_TEST

START_TEST(test_stop_timeout) {
        Worker *w = add_running(PLAIN ",\"stop\":{\"timeout\":\"10ms\"}}");
        Child *c = fake_child("web/0");

        worker_want_stop(w);
        pool_set_converge(world.set);
        while (c->n_tree_kills == 0)
                world_round();
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        fake_ended(c, CLD_KILLED, SIGKILL);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
}
END_TEST

START_TEST(test_kill_wish) {
        Worker *w = add_running(PLAIN "}");
        Child *c = fake_child("web/0");

        worker_want_kill(w);
        pool_set_converge(world.set);
        ck_assert_uint_eq(c->n_tree_kills, 1);
        ck_assert_uint_eq(c->n_signals, 0);
        fake_ended(c, CLD_KILLED, SIGKILL);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
}
END_TEST

START_TEST(test_kill_wish_while_stopping) {
        Worker *w = add_running(PLAIN "}");
        Child *c = fake_child("web/0");

        worker_want_stop(w);
        pool_set_converge(world.set);
        ck_assert_uint_eq(c->n_tree_kills, 0);
        worker_want_kill(w);
        pool_set_converge(world.set);
        ck_assert_uint_eq(c->n_tree_kills, 1);
}
END_TEST

START_TEST(test_stop_before_its_turn) {
        Worker *w = pool_worker(world_pool("web", PLAIN "}"), 0);

        fake.n_launching = 1000; /* others' */
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        worker_want_stop(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
        fake.n_launching = 0;
        pool_set_converge(world.set);
        ck_assert_uint_eq(fake.n_children, 0);
}
END_TEST

START_TEST(test_stop_before_answer) {
        Worker *w = add(PLAIN "}");
        Child *c = fake_child("web/0");

        worker_want_stop(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert_uint_eq(c->n_signals, 0);
        fake_started(c, 500);
        ck_assert_int_eq(c->last_signal, SIGTERM);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        fake_ended(c, CLD_KILLED, SIGTERM);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
}
END_TEST

START_TEST(test_stop_and_failed_answer) {
        Worker *w = add(PLAIN "}");

        worker_want_stop(w);
        pool_set_converge(world.set);
        fake_failed(fake_child("web/0"), LAUNCH_EXEC, ENOENT);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
}
END_TEST

START_TEST(test_exit_before_stop_converges) {
        Worker *w = add_running(PLAIN "}");

        worker_want_stop(w);
        fake_ended(fake_child("web/0"), CLD_EXITED, 1);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
}
END_TEST

START_TEST(test_start_while_stopping) {
        Worker *w = add_running(PLAIN "}");
        Child *c = fake_child("web/0");

        worker_want_stop(w);
        pool_set_converge(world.set);
        worker_want_start(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        fake_ended(c, CLD_KILLED, SIGTERM);
        pool_set_converge(world.set);
        ck_assert_ptr_ne(fake_child("web/0"), c);
        ck_assert_uint_eq(worker_n_restarts(w), 0);
}
END_TEST

/* A start asked for while it is being launched is that launch, not another one after its end. */
START_TEST(test_start_on_its_way) {
        Worker *w = add("{\"command\":[\"/x\"],\"restart\":{\"policy\":\"never\"}}");
        Child *c = fake_child("web/0");

        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        worker_want_start(w);
        pool_set_converge(world.set);
        fake_started(c, 500);
        fake_ended(c, CLD_EXITED, 1);
        fake_drained(c);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_EXITED);
        ck_assert_ptr_eq(fake_child("web/0"), c);
}
END_TEST

START_TEST(test_wanted_restart) {
        Worker *w = add_running("{\"command\":[\"/x\"],\"restart\":{\"policy\":\"never\"}}");
        Child *c = fake_child("web/0");

        worker_want_restart(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        fake_ended(c, CLD_EXITED, 0);
        pool_set_converge(world.set);
        fake_started(fake_child("web/0"), 501);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_int_eq(worker_pid(w), 501);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
}
END_TEST

static const struct {
        const char *policy;
        int status;
        WorkerState state;
        const char *pool_state, *last_event;
} policy_rows[] = {
        { "never", 0, WORKER_EXITED, "exited", "worker.done web/0\n" },
        { "never", 1, WORKER_EXITED, "exited", "worker.done web/0\n" },
        { "on-failure", 0, WORKER_EXITED, "exited", "worker.done web/0\n" },
        { "on-failure", 1, WORKER_BACKOFF, "degraded", "worker.backoff web/0\n" },
        { "always", 0, WORKER_BACKOFF, "degraded", "worker.backoff web/0\n" },
};

START_TEST(test_policy) {
        char json[128];
        Worker *w;

        (void) snprintf(json, sizeof json, "{\"command\":[\"/x\"],\"restart\":{\"policy\":\"%s\",\"delay\":\"1h\"}}",
                        policy_rows[_i].policy);
        w = add_running(json);
        fake_ended(fake_child("web/0"), CLD_EXITED, policy_rows[_i].status);
        fake_drained(fake_child("web/0"));
        ck_assert_int_eq(worker_state(w), policy_rows[_i].state);
        ck_assert_str_eq(pool_state(worker_pool(w)), policy_rows[_i].pool_state);
        ck_assert_ptr_nonnull(strstr(world.told.data, policy_rows[_i].last_event));
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), policy_rows[_i].state);
        worker_want_start(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
}
END_TEST

START_TEST(test_failed_start) {
        Worker *w = add("{\"command\":[\"/x\"],\"restart\":{\"policy\":\"never\"}}");
        char note[256];

        fake_failed(fake_child("web/0"), LAUNCH_EXEC, ENOENT);
        fake_drained(fake_child("web/0"));
        ck_assert_told("worker.start-failed web/0\nworker.failed web/0\n");
        ck_assert_int_eq(worker_state(w), WORKER_FAILED);
        ck_assert_str_eq(pool_state(worker_pool(w)), "failed");
        ck_assert_ptr_nonnull(strstr(worker_note(w, note, sizeof note), "No such file or directory just now"));
        ck_assert_str_eq(worker_reason(w, note, sizeof note), "cannot execute /x: No such file or directory");
        ck_assert_int_eq(exit_status_exitcode(worker_last_exit(w)), 127);
}
END_TEST

/* Refused on this side: a failed start by policy, told at once, and not a spin though the delay is 0. */
START_TEST(test_refused_launch) {
        Worker *w = pool_worker(world_pool("web", PLAIN "}"), 0);

        text_clear(&world.told);
        fake.refuse = -EMFILE;
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        ck_assert_told("worker.start-failed web/0\nworker.backoff web/0\n");
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        fake.refuse = 0;
        while (worker_state(w) == WORKER_BACKOFF)
                world_round();
        fake_started(fake_child("web/0"), 500);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
}
END_TEST

START_TEST(test_start_limit) {
        Worker *w = add_running("{\"command\":[\"/x\"],\"restart\":{\"delay\":0,\"limit\":2}}");

        fake_ended(fake_child("web/0"), CLD_EXITED, 1);
        fake_drained(fake_child("web/0"));
        pool_set_converge(world.set);
        fake_started(fake_child("web/0"), 501);
        fake_ended(fake_child("web/0"), CLD_EXITED, 1);
        ck_assert_int_eq(worker_state(w), WORKER_FAILED);
        worker_want_start(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
}
END_TEST

START_TEST(test_start_for) {
        Worker *w = add(PLAIN ",\"start_for\":\"10ms\"}");

        fake_started(fake_child("web/0"), 500);
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        ck_assert_str_eq(pool_state(worker_pool(w)), "starting");
        while (worker_state(w) == WORKER_STARTING)
                world_round();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_uint_eq(fake_child("web/0")->n_signals, 0);
}
END_TEST

START_TEST(test_ready_pipe) {
        Worker *w = add(PLAIN ",\"ready\":{\"fd\":3}}");
        Child *c = fake_child("web/0");

        fake_started(c, 500);
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        c->hooks.on_ready(c, c->userdata);
        c->hooks.on_ready(c, c->userdata);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_told("worker.starting web/0\nworker.running web/0\n");
}
END_TEST

START_TEST(test_ready_too_late) {
        Worker *w = add("{\"command\":[\"/x\"],\"ready\":{\"fd\":3,\"timeout\":\"10ms\"},"
                        "\"restart\":{\"policy\":\"on-failure\",\"delay\":\"1h\"}}");
        Child *c = fake_child("web/0");
        char note[256];

        fake_started(c, 500);
        while (worker_state(w) == WORKER_STARTING)
                world_round();
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert_int_eq(c->last_signal, SIGTERM);
        ck_assert(worker_is_wanted(w));
        c->hooks.on_ready(c, c->userdata);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        fake_ended(c, CLD_EXITED, 0); /* clean, but it was a failure */
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        ck_assert_ptr_nonnull(strstr(worker_reason(w, note, sizeof note), "not ready in time, exited with code 0, next try in "));
}
END_TEST

START_TEST(test_signal) {
        Worker *w = add(PLAIN "}");
        Child *c = fake_child("web/0");

        ck_assert_int_eq(worker_signal(w, SIGHUP, false), 0);
        fake_started(c, 500);
        ck_assert_int_eq(worker_signal(w, SIGHUP, false), 1);
        ck_assert_int_eq(c->last_signal, SIGHUP);
        ck_assert_int_eq(worker_signal(w, SIGKILL, true), 1);
        ck_assert_uint_eq(c->n_tree_kills, 1);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
}
END_TEST

/* A wish that changes no state is told, too: the journal must have it. */
START_TEST(test_wish_is_told) {
        Worker *w = add_running("{\"command\":[\"/x\"],\"restart\":{\"policy\":\"never\"}}");
        unsigned before;

        fake_ended(fake_child("web/0"), CLD_EXITED, 0);
        pool_set_converge(world.set);
        before = world.n_changed;
        worker_want_stop(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_EXITED);
        ck_assert_uint_eq(world.n_changed, before + 1);
        pool_set_converge(world.set);
        ck_assert_uint_eq(world.n_changed, before + 1);
}
END_TEST

int main(void) {
        const TTest *const tests[] = {
                test_comes_up, test_environment, test_relative_command, test_restart_at_once,
                test_departed_are_bounded, test_back_off, test_back_off_without_memory, test_start_leaves_back_off, test_stop_leaves_back_off,
                test_stop, test_stop_timeout, test_kill_wish, test_kill_wish_while_stopping,
                test_stop_before_its_turn, test_stop_before_answer, test_stop_and_failed_answer,
                test_exit_before_stop_converges, test_start_while_stopping, test_start_on_its_way, test_wanted_restart, test_failed_start,
                test_refused_launch, test_start_limit, test_start_for, test_ready_pipe, test_ready_too_late,
                test_signal, test_wish_is_told,
        };
        Suite *s = suite_create("worker");
        TCase *t = tcase_create("worker");
        SRunner *r;
        int n;

        tcase_add_checked_fixture(t, world_setup, world_teardown);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(t, tests[i]);
        tcase_add_loop_test(t, test_policy, 0, (int) ARRAY_SIZE(policy_rows));
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
