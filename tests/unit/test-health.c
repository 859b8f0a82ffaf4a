/* test-health.c - ready by probe, health, watchdog, stop command, longer timeouts: workers over the fake keeper, real
 * sockets and real timers of some milliseconds. */
#include "pool-world.h"

#include "base/fd.h"
#include "pool/notify.h"
#include "pool/pool-internal.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int listener = -EBADF;
static unsigned port;

/* A port of our own; who listens there accepts nothing, which is enough. */
static void hold_port(void) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((in_port_t) port)};
        const int on = 1;
        socklen_t n = sizeof a;

        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
        ck_assert_int_eq(bind(listener, (struct sockaddr *) &a, sizeof a), 0);
        ck_assert_int_eq(getsockname(listener, (struct sockaddr *) &a, &n), 0);
        port = ntohs(a.sin_port);
}

static void serve(void) {
        ck_assert_int_eq(listen(listener, 4096), 0);
}

static void setup(void) {
        world_setup();
        port = 0;
        hold_port();
}

static void teardown(void) {
        world_teardown();
        listener = fd_close(listener);
}

/* @json with %u for the port. */
static Worker *add(const char *json) {
        _cleanup_text_ Text text = {0};
        const char *mark = strstr(json, "%u");
        Pool *p;

        text_append_n(&text, json, mark ? (size_t) (mark - json) : strlen(json));
        if (mark) {
                text_append_u64(&text, port);
                text_append(&text, mark + 2);
        }
        p = world_pool("web", text.data);
        pool_set_converge(world.set);
        text_clear(&world.told);
        return pool_worker(p, 0);
}

static Worker *add_started(const char *json) {
        Worker *w = add(json);

        fake_started(fake_child("web/0"), 500);
        pool_set_converge(world.set);
        return w;
}

static bool note_has(const Worker *w, const char *text) {
        char note[1024];

        return strstr(worker_note(w, note, sizeof note), text) != NULL;
}

#define until(condition)                                                                                     \
        while (!(condition))                                                                                 \
        world_round()

static void hear(Worker *w, const char *text) {
        NotifyMessage m;

        ck_assert_int_eq(notify_parse(text, strlen(text), &m), 0);
        worker_hear(w, &m);
}

/* ---- ready by probe ---- */

START_TEST(test_ready_by_probe) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"ready\":{\"tcp\":%u,\"interval\":\"10ms\"}}");

        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        until(note_has(w, "not ready yet: connect to 127.0.0.1:"));
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        serve();
        until(worker_state(w) == WORKER_RUNNING);
        ck_assert_told("worker.starting web/0\nworker.running web/0\n");
        ck_assert_ptr_null(w->health);
}
END_TEST

START_TEST(test_probe_says_no_too_long) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"ready\":{\"tcp\":%u,\"interval\":\"10ms\",\"timeout\":\"60ms\"}}");

        until(worker_state(w) == WORKER_STOPPING);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGTERM);
        ck_assert(note_has(w, "not ready in time: connect to 127.0.0.1:"));
        fake_ended(fake_child("web/0"), CLD_EXITED, 0);
        fake_drained(fake_child("web/0"));
        ck_assert_int_eq(worker_state(w), WORKER_BACKOFF);
        ck_assert(note_has(w, ": Connection refused, exited with code 0 just now, next try in "));
}
END_TEST

START_TEST(test_ready_by_command) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"env\":{\"A\":\"b\"},\"ready\":{\"exec\":[\"/bin/check\",\"me\"],\"interval\":\"10ms\"}}");
        Child *c;

        until((c = fake_child("web/0!check")) != NULL);
        ck_assert_str_eq(c->argv, "/bin/check\nme\n");
        ck_assert_str_eq(c->candidates, "/bin/check\n");
        ck_assert_ptr_nonnull(strstr(c->env, "A=b\n"));
        ck_assert_ptr_nonnull(strstr(c->env, "DROVER_POOL=web\nDROVER_WORKER=0\nDROVER_NAME=web/0\n"));
        ck_assert_ptr_nonnull(strstr(c->env, "\nMAINPID=500\n"));
        ck_assert_int_eq(c->log.kind, LOG_KIND_NONE);
        ck_assert_int_eq(c->ready_fd, -1);
        fake_started(c, 600);
        fake_ended(c, CLD_EXITED, 1);
        ck_assert(note_has(w, "not ready yet: /bin/check exited with code 1"));
        fake_drained(c);
        until(fake_child("web/0!check") != c);
        ck_assert(!c->is_used);
        c = fake_child("web/0!check");
        fake_started(c, 601);
        fake_ended(c, CLD_EXITED, 0);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
}
END_TEST

/* ---- health ---- */

#define HEALTHY "{\"command\":[\"/x\"],\"restart\":{\"policy\":\"on-failure\",\"delay\":0,\"jitter\":0},\"health\":"

START_TEST(test_unhealthy) {
        Worker *w = add_started(HEALTHY "{\"tcp\":%u,\"interval\":\"10ms\",\"threshold\":3}}");
        char reason[512];

        ck_assert_told("worker.starting web/0\nworker.running web/0\n");
        until(note_has(w, "health check failed (1 of 3): connect to "));
        until(worker_state(w) == WORKER_STOPPING);
        ck_assert_told("worker.unhealthy web/0\nworker.stopping web/0\n");
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGTERM);
        ck_assert(note_has(w, "health check failed: connect to 127.0.0.1:"));
        ck_assert_ptr_null(w->health);
        fake_ended(fake_child("web/0"), CLD_EXITED, 0); /* clean, but the policy is told otherwise */
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        ck_assert_uint_eq(worker_n_restarts(w), 1);
        worker_describe_exit(w, reason, sizeof reason);
        ck_assert_ptr_nonnull(strstr(reason, "health check failed: connect to "));
        ck_assert_ptr_nonnull(strstr(reason, ": Connection refused, exited with code 0"));
}
END_TEST

START_TEST(test_failures_are_counted_in_a_row) {
        static const int codes[] = {1, 0, 1, 0, 1, 1};
        Worker *w = add_started(HEALTHY "{\"exec\":[\"check\"],\"interval\":\"10ms\",\"threshold\":2}}");
        Child *last = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
                ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
                until(fake_child("web/0!check") != last);
                last = fake_child("web/0!check");
                fake_started(last, 600);
                fake_ended(last, CLD_EXITED, codes[i]);
                fake_drained(last);
        }
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert(note_has(w, "health check failed: check exited with code 1"));
}
END_TEST

START_TEST(test_grace) {
        Worker *w = add_started(HEALTHY "{\"tcp\":%u,\"interval\":\"10ms\",\"threshold\":1,\"grace\":\"100ms\"}}");
        usec_t ready_at = clock_now();

        until(worker_state(w) == WORKER_STOPPING);
        ck_assert_uint_ge(clock_now() - ready_at, 90 * USEC_PER_MSEC);
}
END_TEST

START_TEST(test_checks_are_spread) {
        unsigned n_early = 0;
        uint64_t random = 88172645463325252;

        for (unsigned i = 0; i < 1000; i++) {
                usec_t first, next;

                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                first = health_next_check(USEC_PER_SEC, 5 * USEC_PER_SEC, true, random);
                next = health_next_check(USEC_PER_SEC, 5 * USEC_PER_SEC, false, random);
                ck_assert_uint_ge(first, 5 * USEC_PER_SEC);
                ck_assert_uint_lt(first, 6 * USEC_PER_SEC);
                ck_assert_uint_ge(next, 900 * USEC_PER_MSEC);
                ck_assert_uint_le(next, 1100 * USEC_PER_MSEC);
                n_early += first < 5500 * USEC_PER_MSEC;
        }
        ck_assert_uint_gt(n_early, 400);
        ck_assert_uint_lt(n_early, 600);
}
END_TEST

/* A command that takes too long is ended with its tree; one whose worker is stopped, too. */
START_TEST(test_a_command_that_stays) {
        Worker *w = add_started(HEALTHY "{\"exec\":[\"check\"],\"interval\":\"10ms\",\"timeout\":\"30ms\",\"threshold\":2}}");
        Child *first, *second;

        until((first = fake_child("web/0!check")) != NULL);
        fake_started(first, 600);
        until(first->n_tree_kills > 0);
        ck_assert(note_has(w, "check had not ended after 30ms"));
        until((second = fake_child("web/0!check")) != first);
        worker_want_stop(w);
        pool_set_converge(world.set);
        ck_assert_uint_eq(second->n_tree_kills, 1);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert_int_eq(w->fault.kind, WORKER_FAULT_NONE);
        ck_assert(!pool_set_is_quiet(world.set));
        fake_ended(first, CLD_KILLED, SIGKILL);
        fake_drained(first);
        fake_ended(second, CLD_KILLED, SIGKILL);
        fake_drained(second);
        fake_ended(fake_child("web/0"), CLD_KILLED, SIGTERM);
        fake_drained(fake_child("web/0"));
        pool_set_converge(world.set);
        ck_assert(!first->is_used && !second->is_used);
        ck_assert(pool_set_is_quiet(world.set));
}
END_TEST

static unsigned n_checks_running(void) {
        unsigned n = 0;

        for (unsigned i = 0; i < fake.n_children; i++)
                n += strstr(fake.children[i].name, "!check") && !fake.children[i].is_ended;
        return n;
}

START_TEST(test_commands_are_bounded) {
        Pool *p = world_pool("many", "{\"command\":[\"/x\"],\"workers\":50,\"health\":{\"exec\":[\"check\"],\"interval\":\"10ms\",\"timeout\":\"1m\"}}");
        unsigned n_checked = 0;

        pool_set_converge(world.set);
        for (size_t i = 0; i < 50; i++)
                fake_started(fake_child(worker_name(pool_worker(p, i))), (pid_t) (500 + i));
        while (n_checked < 200) {
                until(n_checks_running() > 0);
                ck_assert_uint_le(n_checks_running(), ERRAND_CHECKS_MAX);
                for (unsigned i = 0; i < fake.n_children; i++)
                        if (strstr(fake.children[i].name, "!check") && !fake.children[i].is_ended) {
                                fake_started(fake.children + i, (pid_t) (9000 + i));
                                fake_ended(fake.children + i, CLD_EXITED, 0);
                                fake_drained(fake.children + i);
                                n_checked++;
                        }
        }
        ck_assert_uint_eq(pool_n_ready(p), 50);
}
END_TEST

START_TEST(test_a_command_that_cannot_run) {
        Worker *w = add_started(HEALTHY "{\"exec\":[\"check\"],\"interval\":\"10ms\",\"threshold\":2}}");
        Child *c;

        fake.refuse = -ENOSPC;
        until(note_has(w, "check cannot be started: No space left on device"));
        fake.refuse = 0;
        until((c = fake_child("web/0!check")) != NULL);
        fake_failed(c, LAUNCH_EXEC, ENOENT);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert(note_has(w, "health check failed: check: "));
}
END_TEST

START_TEST(test_no_checks_while_frozen) {
        Worker *w = add_started(HEALTHY "{\"tcp\":%u,\"interval\":\"10ms\",\"threshold\":1},\"watchdog\":\"20ms\"}");

        worker_set_unwatched(w, true);
        ck_assert_ptr_null(w->health);
        ck_assert_ptr_null(w->watchdog.timer);
        worker_set_unwatched(w, false);
        ck_assert_ptr_nonnull(w->health);
        ck_assert_ptr_nonnull(w->watchdog.timer);
        until(worker_state(w) == WORKER_STOPPING);
}
END_TEST

/* The health check of a running worker changes with its pool; what was launched otherwise keeps its own. */
START_TEST(test_health_changes_live) {
        Worker *w = add_started("{\"command\":[\"/x\"]}");
        PoolConfig *c = world_config("web", "{\"command\":[\"/x\"],\"health\":{\"exec\":[\"check\"],\"interval\":\"10ms\"}}", false);
        PoolConfig *d = world_config("web", "{\"command\":[\"/x\"],\"start_for\":\"1s\",\"health\":{\"exec\":[\"check\"],\"threshold\":7}}", false);

        ck_assert_ptr_null(w->health);
        pool_reconfigure(worker_pool(w), c, CONFIG_LIVE);
        ck_assert_ptr_nonnull(w->health);
        ck_assert_ptr_eq(w->config, c);
        pool_reconfigure(worker_pool(w), d, CONFIG_NEXT_START);
        ck_assert_ptr_eq(w->config, c);
        ck_assert_ptr_eq(worker_live_config(w), d); /* what changes in life is taken all the same */
        ck_assert_ptr_nonnull(w->health);
        pool_config_unref(c);
        pool_config_unref(d);
}
END_TEST

/* ---- watchdog ---- */

#define GUARDED "{\"command\":[\"/x\"],\"restart\":{\"delay\":0,\"jitter\":0},\"ready\":\"notify\",\"watchdog\":\"40ms\"}"

START_TEST(test_silent) {
        Worker *w = add_started(GUARDED);
        char reason[512];

        ck_assert_ptr_nonnull(strstr(fake_child("web/0")->env, "\nNOTIFY_SOCKET=/run/drover/control.sock.notify\n"
                                                               "WATCHDOG_USEC=40000\nWATCHDOG_PID=\n"));
        ck_assert_ptr_null(w->watchdog.timer); /* not before it is ready */
        hear(w, "READY=1");
        text_clear(&world.told);
        until(worker_state(w) == WORKER_STOPPING);
        ck_assert_told("worker.watchdog web/0\nworker.stopping web/0\n");
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGABRT);
        ck_assert_uint_eq(fake_child("web/0")->n_signals, 1);
        ck_assert_ptr_null(w->watchdog.timer);
        fake_ended(fake_child("web/0"), CLD_DUMPED, SIGABRT);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        worker_describe_exit(w, reason, sizeof reason);
        ck_assert_str_eq(reason, "watchdog: silent for 40ms, killed by SIGABRT (core dumped)");
}
END_TEST

/* Pings move no timer; it moves itself when it fires. */
START_TEST(test_pings) {
        Worker *w = add_started(GUARDED);
        uint64_t first, due;
        usec_t began = clock_now();

        hear(w, "READY=1");
        ck_assert_int_ge(sd_event_source_get_time(w->watchdog.timer, &first), 0);
        hear(w, "WATCHDOG=1");
        ck_assert_int_ge(sd_event_source_get_time(w->watchdog.timer, &due), 0);
        ck_assert_uint_eq(due, first);
        while (clock_now() < began + 200 * USEC_PER_MSEC) {
                ck_assert_int_ge(sd_event_run(world.event, 5 * USEC_PER_MSEC), 0);
                hear(w, "WATCHDOG=1");
                w->watchdog.heard_at = clock_now() + 20 * USEC_PER_MSEC; /* however slow the machine is */
        }
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_int_ge(sd_event_source_get_time(w->watchdog.timer, &due), 0);
        ck_assert_uint_gt(due, first);
}
END_TEST

START_TEST(test_watchdog_left) {
        ck_assert_uint_eq(watchdog_left(100, 50, 120), 30);
        ck_assert_uint_eq(watchdog_left(100, 50, 150), 0);
        ck_assert_uint_eq(watchdog_left(100, 50, 1000), 0);
        ck_assert_uint_eq(watchdog_left(100, USEC_INFINITY - 50, 1000), USEC_INFINITY);
}
END_TEST

START_TEST(test_trigger) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"watchdog\":\"1h\"}");

        hear(w, "WATCHDOG=trigger");
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGABRT);
        ck_assert(note_has(w, "watchdog: triggered by the worker itself"));
        hear(w, "WATCHDOG=trigger");
        ck_assert_uint_eq(fake_child("web/0")->n_signals, 1);
}
END_TEST

/* Before the keeper said STARTED there is nothing to signal. */
START_TEST(test_trigger_early) {
        Worker *w = add("{\"command\":[\"/x\"],\"watchdog\":\"1h\"}");

        hear(w, "WATCHDOG=trigger");
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert_uint_eq(fake_child("web/0")->n_signals, 0);
        fake_started(fake_child("web/0"), 500);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGABRT);
}
END_TEST

START_TEST(test_watchdog_changes) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"restart\":{\"delay\":0},\"watchdog\":\"1h\"}");

        hear(w, "WATCHDOG_USEC=0");
        ck_assert_ptr_null(w->watchdog.timer);
        hear(w, "WATCHDOG_USEC=18446744073709551615");
        ck_assert_ptr_null(w->watchdog.timer);
        hear(w, "WATCHDOG_USEC=20000");
        until(worker_state(w) == WORKER_STOPPING);
        ck_assert(note_has(w, "watchdog: silent for 20ms"));
        fake_ended(fake_child("web/0"), CLD_KILLED, SIGABRT);
        pool_set_converge(world.set);
        fake_started(fake_child("web/0"), 501);
        ck_assert_uint_eq(w->watchdog.span, USEC_PER_HOUR); /* the next one begins as configured */
}
END_TEST

START_TEST(test_abort_then_kill) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"stop\":{\"timeout\":\"20ms\"},\"watchdog\":\"20ms\"}");

        until(fake_child("web/0")->n_tree_kills > 0);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGABRT);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
}
END_TEST

/* ---- longer timeouts ---- */

START_TEST(test_start_is_extended) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"ready\":{\"notify\":true,\"timeout\":\"10s\"}}");
        usec_t first = w->due;

        hear(w, "EXTEND_TIMEOUT_USEC=1000"); /* not before it would have come anyhow */
        ck_assert_uint_eq(w->due, first);
        hear(w, "EXTEND_TIMEOUT_USEC=60000000");
        ck_assert_uint_gt(w->due, first + 40 * USEC_PER_SEC);
        hear(w, "EXTEND_TIMEOUT_USEC=20000000"); /* a shorter one counts from now, too */
        ck_assert_uint_lt(w->due, first + 30 * USEC_PER_SEC);
        ck_assert_uint_gt(w->due, first);
        hear(w, "READY=1\nEXTEND_TIMEOUT_USEC=1000");
        ck_assert_uint_eq(w->due, 0);
}
END_TEST

START_TEST(test_start_is_extended_early) {
        Worker *w = add("{\"command\":[\"/x\"],\"ready\":{\"notify\":true,\"timeout\":\"1s\"}}");

        hear(w, "EXTEND_TIMEOUT_USEC=60000000");
        fake_started(fake_child("web/0"), 500);
        ck_assert_uint_gt(w->due, clock_now() + 50 * USEC_PER_SEC);
}
END_TEST

START_TEST(test_stop_is_extended) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"stop\":{\"timeout\":\"30ms\"}}");
        usec_t began = clock_now();

        worker_want_stop(w);
        pool_set_converge(world.set);
        hear(w, "EXTEND_TIMEOUT_USEC=150000");
        until(fake_child("web/0")->n_tree_kills > 0);
        ck_assert_uint_ge(clock_now() - began, 150 * USEC_PER_MSEC);
        hear(w, "EXTEND_TIMEOUT_USEC=60000000"); /* too late */
        ck_assert_uint_lt(w->due, clock_now() + 10 * USEC_PER_SEC);
}
END_TEST

/* A time to run that means ready is no timeout. */
START_TEST(test_start_for_is_not_extended) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"start_for\":\"10s\"}");
        usec_t due = w->due;

        hear(w, "EXTEND_TIMEOUT_USEC=60000000");
        ck_assert_uint_eq(w->due, due);
}
END_TEST

/* ---- stop command ---- */

#define TALKED "{\"command\":[\"/x\"],\"stop\":{\"command\":[\"/bin/ask\",\"nicely\"],\"timeout\":\"80ms\"}}"

static Child *stop_by_command(Worker *w) {
        Child *c;

        worker_want_stop(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert_uint_eq(fake_child("web/0")->n_signals, 0);
        c = fake_child("web/0!stop");
        ck_assert_ptr_nonnull(c);
        ck_assert_str_eq(c->argv, "/bin/ask\nnicely\n");
        ck_assert_ptr_nonnull(strstr(c->env, "\nMAINPID=500\n"));
        fake_started(c, 600);
        return c;
}

START_TEST(test_stop_command) {
        Worker *w = add_started(TALKED);
        Child *c = stop_by_command(w);

        fake_ended(c, CLD_EXITED, 0);
        fake_drained(c);
        ck_assert_uint_eq(fake_child("web/0")->n_signals, 0);
        fake_ended(fake_child("web/0"), CLD_EXITED, 0);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
}
END_TEST

START_TEST(test_stop_command_fails) {
        Child *c = stop_by_command(add_started(TALKED));

        fake_ended(c, CLD_EXITED, 1);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGTERM);
}
END_TEST

START_TEST(test_stop_command_stays) {
        Worker *w = add_started(TALKED);
        Child *c = stop_by_command(w);

        until(c->n_tree_kills > 0);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGTERM);
        ck_assert_uint_eq(fake_child("web/0")->n_tree_kills, 0);
        until(fake_child("web/0")->n_tree_kills > 0); /* as ever */
        fake_ended(fake_child("web/0"), CLD_KILLED, SIGKILL);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPED);
}
END_TEST

START_TEST(test_stop_command_of_a_killed_one) {
        Worker *w = add_started(TALKED);
        Child *c = stop_by_command(w);

        worker_want_kill(w);
        pool_set_converge(world.set);
        ck_assert_uint_ge(fake_child("web/0")->n_tree_kills, 1);
        ck_assert_uint_ge(c->n_tree_kills, 1);
        fake_ended(c, CLD_KILLED, SIGKILL);
        ck_assert_uint_eq(fake_child("web/0")->n_signals, 0);
}
END_TEST

START_TEST(test_stop_command_cannot_run) {
        Worker *w = add_started(TALKED);

        fake.refuse = -ENOMEM;
        worker_want_stop(w);
        pool_set_converge(world.set);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGTERM);
}
END_TEST

/* ---- words, and the life after ---- */

START_TEST(test_words) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"recycle\":{\"tasks\":10}}");
        _cleanup_text_ Text t = {0};
        json_t *o;

        ck_assert_ptr_nonnull(strstr(fake_child("web/0")->env, "\nNOTIFY_SOCKET="));
        ck_assert_ptr_null(strstr(fake_child("web/0")->env, "WATCHDOG"));
        hear(w, "X_DROVER_BUSY=1\nX_DROVER_TASKS=41\nSTATUS=at it\nRELOADING=1\nMAINPID=7\nFDSTORE=1");
        worker_put_json(w, &t, NULL);
        o = json_loads(t.data, 0, NULL);
        ck_assert(json_is_true(json_object_get(o, "busy")));
        ck_assert_int_eq(json_integer_value(json_object_get(o, "tasks_done")), 41);
        ck_assert_str_eq(json_string_value(json_object_get(o, "status_text")), "at it");
        ck_assert_str_eq(json_string_value(json_object_get(o, "note")), "says it is reloading");
        json_decref(o);
        ck_assert_int_eq(worker_pid(w), 500);
        hear(w, "READY=1");
        ck_assert(!w->is_reloading);
        hear(w, "STOPPING=1");
        ck_assert(w->is_closing);
        fake_ended(fake_child("web/0"), CLD_EXITED, 0);
        ck_assert(!w->is_busy && w->tasks_done == 0);
}
END_TEST

static void die_and_return(void) {
        _cleanup_text_ Text pool = {0}, worker = {0};
        Pool *p = pool_find(world.set, "web");
        const KeeperMessage **orphans = NULL;
        Child *c = fake_child("web/0");
        KeeperMessage slots[2] = {{.type = KEEPER_SLOT, .generation = c->generation}, {.type = KEEPER_SLOT, .generation = 9}};
        size_t n_orphans = 0;
        json_t *o;

        pool_serialize(p, &pool);
        worker_serialize(pool_worker(p, 0), &worker);
        slots[0].slot_info.state = KEEPER_SLOT_RUNNING;
        slots[0].slot_info.pid = c->pid;
        (void) snprintf(slots[0].slot_info.name, KEEPER_NAME_MAX, "web/0");
        slots[1].slot_info.state = KEEPER_SLOT_RUNNING;
        (void) snprintf(slots[1].slot_info.name, KEEPER_NAME_MAX, "web/0!check");
        ck_assert(errand_is_name("web/0!check") && !errand_is_name("web/0"));
        pool_set_free(world.set);
        world_set_new();
        o = json_loads(pool.data, 0, NULL);
        ck_assert_int_eq(pool_deserialize(world.set, o, &world_context, &p), 0);
        json_decref(o);
        o = json_loads(worker.data, 0, NULL);
        ck_assert_int_eq(worker_deserialize(pool_worker(p, 0), o), 0);
        json_decref(o);
        ck_assert_int_eq(pool_set_adopt(world.set, slots, 2, &orphans, &n_orphans), 0);
        ck_assert_uint_eq(n_orphans, 1); /* what was asked for in the life before is nobody's */
        free(orphans);
        pool_set_converge(world.set);
}

START_TEST(test_life_after) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"watchdog\":\"1h\",\"health\":{\"tcp\":%u,\"interval\":\"1m\"}}");

        hear(w, "WATCHDOG_USEC=50000\nX_DROVER_TASKS=3\nX_DROVER_BUSY=1");
        die_and_return();
        w = pool_worker(pool_find(world.set, "web"), 0);
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert(w->is_busy && w->tasks_done == 3);
        ck_assert_ptr_nonnull(w->health);
        ck_assert_uint_eq(w->watchdog.span, 50000);
        until(worker_state(w) == WORKER_STOPPING);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGABRT);
        die_and_return();
        w = pool_worker(pool_find(world.set, "web"), 0);
        ck_assert_int_eq(worker_state(w), WORKER_STOPPING);
        ck_assert_int_eq(fake_child("web/0")->last_signal, SIGABRT); /* once more */
        ck_assert(note_has(w, "watchdog: silent for 50ms"));
        fake_ended(fake_child("web/0"), CLD_KILLED, SIGABRT);
        die_and_return();
        w = pool_worker(pool_find(world.set, "web"), 0);
        ck_assert_str_eq(faulty_text(&w->ended_fault), "watchdog: silent for 50ms");
}
END_TEST

START_TEST(test_readiness_after) {
        Worker *w = add_started("{\"command\":[\"/x\"],\"ready\":{\"tcp\":%u,\"interval\":\"10ms\"}}");

        until(note_has(w, "not ready yet"));
        die_and_return();
        w = pool_worker(pool_find(world.set, "web"), 0);
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        serve();
        until(worker_state(w) == WORKER_RUNNING);
}
END_TEST

int main(void) {
        const TTest *const tests[] = {
                test_ready_by_probe, test_probe_says_no_too_long, test_ready_by_command, test_unhealthy,
                test_failures_are_counted_in_a_row, test_grace, test_checks_are_spread, test_a_command_that_stays,
                test_commands_are_bounded, test_a_command_that_cannot_run, test_no_checks_while_frozen,
                test_health_changes_live, test_silent, test_pings, test_watchdog_left, test_trigger, test_trigger_early,
                test_watchdog_changes, test_abort_then_kill, test_start_is_extended, test_start_is_extended_early,
                test_stop_is_extended, test_start_for_is_not_extended, test_stop_command, test_stop_command_fails,
                test_stop_command_stays, test_stop_command_of_a_killed_one, test_stop_command_cannot_run, test_words,
                test_life_after, test_readiness_after,
        };
        Suite *s = suite_create("health");
        TCase *t = tcase_create("health");
        SRunner *r;
        int n;

        tcase_add_checked_fixture(t, setup, teardown);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(t, tests[i]);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
