/* test-lifecycle.c - start, stop, restart, scale, states, exit codes, policies and failed starts on the real programs. */
#include "util-daemon.h"

#include <check.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(test_pool_comes_up) {
        daemon_start(pools("\"web\":{\"command\":[\"$H\",\"sleep\"],\"workers\":3}"));
        json_decref(daemon_call("wait", "{s:s,s:s,s:i}", "select", "web", "for", "ready", "timeout", 10));
        json_t *s = daemon_call("status", NULL);
        ck_assert_str_eq(at_string(s, "pools/0/name"), "web");
        ck_assert_str_eq(at_string(s, "pools/0/state"), "running");
        ck_assert_int_eq(at_int(s, "pools/0/ready"), 3);
        for (unsigned i = 0; i < 3; i++) {
                char path[64], name[16];
                (void) snprintf(path, sizeof path, "pools/0/workers/%u", i);
                (void) snprintf(name, sizeof name, "web/%u", i);
                json_t *w = at(s, path);
                ck_assert_str_eq(at_string(w, "name"), name);
                ck_assert_str_eq(at_string(w, "pool"), "web");
                ck_assert_int_eq(at_int(w, "slot"), i);
                ck_assert_str_eq(at_string(w, "state"), "running");
                ck_assert(json_is_true(at(w, "alive")));
                ck_assert(json_is_null(at(w, "exitcode")));
                ck_assert(pid_is_alive((pid_t) at_int(w, "pid")));
                ck_assert_int_eq(at_int(w, "ppid"), daemon_keeper());
                ck_assert_int_eq(at_int(w, "restarts"), 0);
                ck_assert(json_is_null(at(w, "last_exit")));
        }
        json_decref(s);
        daemon_stop();
}
END_TEST

START_TEST(test_stop_start_restart_scale) {
        daemon_start(pools("\"web\":{\"command\":[\"$H\",\"sleep\"],\"workers\":2}"));
        pid_t a = worker_await("web/0", "running", 0), b = worker_await("web/1", "running", 0);
        json_decref(daemon_call("stop", "{s:s}", "select", "web/1"));
        ck_assert(!pid_is_alive(b));
        ck_assert(pid_is_alive(a));
        json_t *w = worker_status("web/1");
        ck_assert_str_eq(at_string(w, "state"), "stopped");
        ck_assert_int_eq(at_int(w, "exitcode"), -SIGTERM);
        json_decref(w);
        json_decref(daemon_call("start", "{s:s}", "select", "web/1"));
        b = worker_await("web/1", "running", b);
        json_decref(daemon_call("restart", "{s:[s]}", "select", "web/0"));
        a = worker_await("web/0", "running", a);
        ck_assert_int_eq(worker_pid("web/1"), b);
        json_decref(daemon_call("scale", "{s:s,s:i}", "pool", "web", "workers", 4));
        (void) worker_await("web/3", "running", 0);
        ck_assert_int_eq(worker_pid("web/0"), a);
        json_decref(daemon_call("scale", "{s:s,s:i}", "pool", "web", "workers", 1));
        await_gone(b);
        ck_assert_int_eq(worker_pid("web/0"), a);
        daemon_stop();
}
END_TEST

START_TEST(test_killed_worker_is_replaced) {
        daemon_start(pools("\"web\":{\"command\":[\"$H\",\"sleep\"],\"restart\":{\"delay\":0}}"));
        pid_t old = worker_await("web/0", "running", 0);
        ck_assert_int_eq(kill(old, SIGKILL), 0);
        (void) worker_await("web/0", "running", old);
        json_t *w = worker_status("web/0");
        ck_assert_int_eq(at_int(w, "restarts"), 1);
        ck_assert_int_eq(at_int(w, "last_exit/exitcode"), -SIGKILL);
        ck_assert_str_eq(at_string(w, "last_exit/cause"), "killed by SIGKILL");
        json_decref(w);
        daemon_stop();
}
END_TEST

static const struct {
        const char *command, *restart, *state;
        int exitcode;
} ends[] = {
        {"\"exit\",\"0\"", "never", "exited", 0},
        {"\"exit\",\"3\"", "never", "exited", 3},
        {"\"exit\",\"255\"", "never", "exited", 255},
        {"\"signal\",\"6\"", "never", "exited", -6},
        {"\"signal\",\"9\"", "never", "exited", -9},
        {"\"exit\",\"0\"", "on-failure", "exited", 0},
};

START_TEST(test_ends) {
        char pool[256];

        (void) snprintf(pool, sizeof pool, "\"e\":{\"command\":[\"$H\",%s],\"restart\":{\"policy\":\"%s\"}}", ends[_i].command,
                        ends[_i].restart);
        daemon_start(pools(pool));
        (void) worker_await("e/0", ends[_i].state, 0);
        json_t *w = worker_status("e/0");
        ck_assert_int_eq(at_int(w, "exitcode"), ends[_i].exitcode);
        ck_assert(json_is_false(at(w, "alive")));
        ck_assert(json_is_null(at(w, "pid")));
        json_decref(w);
        daemon_stop();
}
END_TEST

START_TEST(test_crash_loop_gives_up) {
        daemon_start(pools("\"c\":{\"command\":[\"$H\",\"exit\",\"3\"],\"restart\":{\"delay\":\"10ms\",\"limit\":4,\"window\":\"60s\"}}"));
        (void) worker_await("c/0", "failed", 0);
        json_t *s = daemon_call("status", NULL);
        ck_assert_str_eq(at_string(s, "pools/0/state"), "failed");
        ck_assert_int_eq(at_int(s, "pools/0/workers/0/restarts"), 3);
        json_decref(s);
        /* It may be asked for again: four more starts. */
        json_decref(daemon_call("start", "{s:s}", "select", "c"));
        (void) worker_await("c/0", "failed", 0);
        daemon_stop();
}
END_TEST

static const struct {
        const char *pool, *sentence;
} failures[] = {
        {"\"f\":{\"command\":[\"/nowhere/at/all\"],\"restart\":\"never\"}", "No such file or directory"},
        {"\"f\":{\"command\":[\"$H\",\"sleep\"],\"directory\":\"/srv/not/there\",\"restart\":\"never\"}",
         "cannot change to directory /srv/not/there: No such file or directory"},
        {"\"f\":{\"command\":[\"/etc/passwd\"],\"restart\":\"never\"}", "Permission denied"},
        {"\"f\":{\"command\":[\"no-such-program-anywhere\"],\"restart\":\"never\"}", "no-such-program-anywhere"},
};

START_TEST(test_failed_start_says_why) {
        daemon_start(pools(failures[_i].pool));
        (void) worker_await("f/0", "failed", 0);
        json_t *e = daemon_call_error("start", "{s:s}", "select", "f/0");
        ck_assert_str_eq(at_string(e, "data/name"), "failed");
        ck_assert_msg(strstr(at_string(e, "message"), failures[_i].sentence) != NULL, "%s", at_string(e, "message"));
        ck_assert_msg(strstr(at_string(e, "message"), "f/0") != NULL, "%s", at_string(e, "message"));
        json_decref(e);
        daemon_stop();
}
END_TEST

START_TEST(test_stubborn_is_killed) {
        daemon_start(pools("\"s\":{\"command\":[\"$H\",\"ignore-term\"],\"stop\":{\"timeout\":\"200ms\"}},"
                           "\"z\":{\"command\":[\"$H\",\"stop-self\"]}"));
        (void) worker_await("s/0", "running", 0);
        char log[160];
        (void) snprintf(log, sizeof log, "%s/log/s/0.stdout.log", daemon_directory());
        await_in_file(log, "ignoring");
        json_decref(daemon_call("stop", "{s:s}", "select", "s"));
        json_t *w = worker_status("s/0");
        ck_assert_int_eq(at_int(w, "exitcode"), -SIGKILL);
        json_decref(w);
        (void) worker_await("z/0", "running", 0);
        json_decref(daemon_call("stop", "{s:s,s:i}", "select", "z", "timeout", 5));
        w = worker_status("z/0");
        ck_assert_int_eq(at_int(w, "exitcode"), -SIGTERM);
        json_decref(w);
        daemon_stop();
}
END_TEST

START_TEST(test_grandchild_goes_with_its_worker) {
        char file[160], pool[512];

        (void) snprintf(file, sizeof file, "/tmp/drover-grandchild-%d", getpid());
        (void) snprintf(pool, sizeof pool, "\"g\":{\"command\":[\"$H\",\"grandchild\",\"%s\"]}", file);
        daemon_start(pools(pool));
        await_in_file(file, "\n");
        char *pid_text = read_file(file);
        pid_t grandchild = atoi(pid_text);
        free(pid_text);
        ck_assert(pid_is_alive(grandchild));
        ck_assert_int_eq(unlink(file), 0);
        /* A crash of the main process takes it along, before the replacement starts ... */
        pid_t old = worker_pid("g/0");
        ck_assert_int_eq(kill(old, SIGKILL), 0);
        (void) worker_await("g/0", "running", old);
        ck_assert(!pid_is_alive(grandchild));
        await_in_file(file, "\n");
        pid_text = read_file(file);
        grandchild = atoi(pid_text);
        free(pid_text);
        /* ... and so does a stop. */
        json_decref(daemon_call("stop", "{s:s}", "select", "g"));
        await_gone(grandchild);
        (void) unlink(file);
        daemon_stop();
}
END_TEST

START_TEST(test_ready) {
        daemon_start(pools("\"n\":{\"command\":[\"$H\",\"ready-notify\"],\"ready\":\"notify\"},"
                           "\"f\":{\"command\":[\"$H\",\"ready-fd\",\"5\"],\"ready\":{\"fd\":5}},"
                           "\"never\":{\"command\":[\"$H\",\"never-ready\"],\"ready\":{\"notify\":true,\"timeout\":\"100ms\"},"
                           "\"restart\":{\"limit\":2,\"delay\":\"10ms\"},\"stop\":{\"timeout\":\"1s\"}}"));
        (void) worker_await("n/0", "running", 0);
        (void) worker_await("f/0", "running", 0);
        json_t *w = worker_status("n/0");
        ck_assert_str_eq(at_string(w, "status_text"), "open for business");
        json_decref(w);
        (void) worker_await("never/0", "failed", 0);
        daemon_stop();
}
END_TEST

START_TEST(test_nothing_leaks_in) {
        ck_assert_int_eq(setenv("LD_LIBRARY_PATH", "/nowhere", 1), 0);
        ck_assert_int_eq(setenv("SECRET_OF_THE_SHELL", "1", 1), 0);
        daemon_start(pools("\"r\":{\"command\":[\"$H\",\"report\"],\"restart\":\"never\",\"env\":{\"GREETING\":\"hi there\"}}"));
        (void) worker_await("r/0", "exited", 0);
        char path[160];
        (void) snprintf(path, sizeof path, "%s/log/r/0.stdout.log", daemon_directory());
        await_in_file(path, "end of report");
        char *report = read_file(path);
        ck_assert_msg(count_in(report, "\nfd ") == 2 && strncmp(report, "fd ", 3) == 0, "%s", report);
        ck_assert_ptr_nonnull(strstr(report, "fd 0 /dev/null"));
        ck_assert_ptr_nonnull(strstr(report, "status SigBlk:\t0000000000000000"));
        ck_assert_ptr_nonnull(strstr(report, "status SigIgn:\t0000000000000000"));
        ck_assert_ptr_nonnull(strstr(report, "env DROVER_POOL=r\n"));
        ck_assert_ptr_nonnull(strstr(report, "env DROVER_WORKER=0\n"));
        ck_assert_ptr_nonnull(strstr(report, "env DROVER_NAME=r/0\n"));
        ck_assert_ptr_nonnull(strstr(report, "env GREETING=hi there\n"));
        ck_assert_ptr_nonnull(strstr(report, "session own"));
        ck_assert_ptr_nonnull(strstr(report, "umask 022"));
        ck_assert_ptr_null(strstr(report, "LD_LIBRARY_PATH"));
        ck_assert_ptr_null(strstr(report, "SECRET_OF_THE_SHELL"));
        ck_assert_ptr_null(strstr(report, "DROVER_KEEPER_FD"));
        ck_assert_ptr_null(strstr(report, "NOTIFY_SOCKET"));
        free(report);
        daemon_stop();
}
END_TEST

START_TEST(test_pools_at_run_time) {
        daemon_start("\"pools\":{}");
        json_decref(daemon_call("pool.add", "{s:s,s:[ss],s:i}", "name", "late", "command", test_helper(), "sleep", "workers", 2));
        pid_t pid = worker_await("late/1", "running", 0);
        json_t *e = daemon_call_error("pool.add", "{s:s,s:[s]}", "name", "late", "command", "/bin/true");
        ck_assert_str_eq(at_string(e, "data/name"), "exists");
        json_decref(e);
        e = daemon_call_error("status", "{s:s}", "select", "lat");
        ck_assert_str_eq(at_string(e, "data/name"), "not-found");
        ck_assert_msg(strstr(at_string(e, "message"), "late") != NULL, "%s", at_string(e, "message"));
        json_decref(e);
        json_decref(daemon_call("pool.remove", "{s:s}", "pool", "late"));
        await_gone(pid);
        daemon_stop();
}
END_TEST

static void add(TCase *t) {
        tcase_add_test(t, test_pool_comes_up);
        tcase_add_test(t, test_stop_start_restart_scale);
        tcase_add_test(t, test_killed_worker_is_replaced);
        tcase_add_loop_test(t, test_ends, 0, (int) (sizeof ends / sizeof *ends));
        tcase_add_test(t, test_crash_loop_gives_up);
        tcase_add_loop_test(t, test_failed_start_says_why, 0, (int) (sizeof failures / sizeof *failures));
        tcase_add_test(t, test_stubborn_is_killed);
        tcase_add_test(t, test_grandchild_goes_with_its_worker);
        tcase_add_test(t, test_ready);
        tcase_add_test(t, test_nothing_leaks_in);
        tcase_add_test(t, test_pools_at_run_time);
}

int main(void) {
        return run_tests("lifecycle", add);
}
