/* test-death.c - SIGKILL of droverd and of the logger at any moment: workers run on, every exit status is known, no line
 * is lost. */
#include "util-daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_new_pid(void *data) {
        pid_t old = *(pid_t *) data;
        int fd = client_connect();

        if (fd < 0)
                return false;
        client_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.info\"}");
        json_t *reply = client_read(fd);
        (void) close(fd);
        if (!reply) /* it was the old one's listener, just dying */
                return false;
        bool yes = at_int(reply, "result/pid") != old;
        json_decref(reply);
        return yes;
}

static bool has_new_logger(void *data) {
        return daemon_pid_of("logger_pid") != *(pid_t *) data;
}

static void kill_droverd(void) {
        pid_t old = daemon_pid_of("pid");

        ck_assert_int_eq(kill(old, SIGKILL), 0);
        await_true("a new droverd answers", has_new_pid, &old);
}

START_TEST(test_workers_run_on) {
        daemon_start(pools("\"web\":{\"command\":[\"$H\",\"sleep\"],\"workers\":20,\"restart\":{\"delay\":0}},"
                           "\"off\":{\"command\":[\"$H\",\"sleep\"],\"workers\":2},"
                           "\"n\":{\"command\":[\"$H\",\"ready-notify\"],\"ready\":\"notify\"}"));
        pid_t pids[20];
        char name[16];

        json_decref(daemon_call("wait", "{s:s,s:s}", "select", "all", "for", "ready"));
        json_decref(daemon_call("stop", "{s:s}", "select", "off/1"));
        json_decref(daemon_call("scale", "{s:s,s:i}", "pool", "web", "workers", 19));
        for (unsigned i = 0; i < 19; i++) {
                (void) snprintf(name, sizeof name, "web/%u", i);
                pids[i] = worker_pid(name);
        }
        pid_t notify = worker_await("n/0", "running", 0);
        for (unsigned round = 0; round < 5; round++) {
                kill_droverd();
                json_t *s = daemon_call("status", "{s:s}", "select", "web");
                ck_assert_uint_eq(json_array_size(at(s, "pools/0/workers")), 19);
                for (unsigned i = 0; i < 19; i++) {
                        char path[64];
                        (void) snprintf(path, sizeof path, "pools/0/workers/%u/pid", i);
                        ck_assert_int_eq(at_int(s, path), pids[i]);
                        (void) snprintf(path, sizeof path, "pools/0/workers/%u/state", i);
                        ck_assert_str_eq(at_string(s, path), "running");
                }
                json_decref(s);
                ck_assert_int_eq(worker_await("n/0", "running", 0), notify);
                json_t *w = worker_status("off/1");
                ck_assert_str_eq(at_string(w, "state"), "stopped");
                json_decref(w);
        }
        /* The new life supervises as the old one did. */
        ck_assert_int_eq(kill(pids[3], SIGKILL), 0);
        (void) worker_await("web/3", "running", pids[3]);
        daemon_stop();
}
END_TEST

/* Workers that end while there is no droverd: each status is known afterwards. */
START_TEST(test_ends_in_the_gap) {
        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"],\"workers\":40,\"restart\":\"never\"}"));
        json_decref(daemon_call("wait", "{s:s,s:s}", "select", "w", "for", "ready"));
        json_t *s = daemon_call("status", NULL);
        pid_t droverd = daemon_pid_of("pid");
        ck_assert_int_eq(kill(droverd, SIGKILL), 0);
        for (unsigned i = 0; i < 40; i++) {
                char path[64];
                (void) snprintf(path, sizeof path, "pools/0/workers/%u/pid", i);
                ck_assert_int_eq(kill((pid_t) at_int(s, path), (int) (i % 2 ? SIGKILL : SIGUSR1)), 0);
        }
        json_decref(s);
        await_true("a new droverd answers", has_new_pid, &droverd);
        for (unsigned i = 0; i < 40; i++) {
                char name[16];
                (void) snprintf(name, sizeof name, "w/%u", i);
                (void) worker_await(name, "exited", 0);
                json_t *w = worker_status(name);
                ck_assert_int_eq(at_int(w, "exitcode"), i % 2 ? -SIGKILL : -SIGUSR1);
                json_decref(w);
        }
        daemon_stop();
}
END_TEST

START_TEST(test_restarts_in_the_gap) {
        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"],\"workers\":10,\"restart\":{\"delay\":0}}"));
        json_decref(daemon_call("wait", "{s:s,s:s}", "select", "w", "for", "ready"));
        for (unsigned round = 0; round < 10; round++) {
                char name[16];
                (void) snprintf(name, sizeof name, "w/%u", round);
                pid_t old = worker_pid(name);
                pid_t droverd = daemon_pid_of("pid");
                /* Either order, close together. */
                ck_assert_int_eq(kill(round % 2 ? old : droverd, SIGKILL), 0);
                ck_assert_int_eq(kill(round % 2 ? droverd : old, SIGKILL), 0);
                await_true("a new droverd answers", has_new_pid, &droverd);
                (void) worker_await(name, "running", old);
        }
        json_t *s = daemon_call("status", NULL);
        ck_assert_int_eq(at_int(s, "pools/0/ready"), 10);
        ck_assert_int_eq(at_int(s, "pools/0/restarts"), 10);
        json_decref(s);
        daemon_stop();
}
END_TEST

/* Numbered lines over deaths of droverd and of the logger: each exactly once, in order. */
START_TEST(test_no_line_is_lost) {
        daemon_start(pools("\"n\":{\"command\":[\"$H\",\"number\",\"$D/number\"],\"output\":{\"to\":\"log\",\"max_size\":\"1G\"}}"));
        (void) worker_await("n/0", "running", 0);
        for (unsigned round = 0; round < 7; round++) { /* the keeper waits longer before each new logger */
                if (round % 4 == 0)
                        kill_droverd();
                pid_t logger = daemon_pid_of("logger_pid");
                ck_assert_int_eq(kill(logger, SIGKILL), 0);
                await_true("a new logger is known", has_new_logger, &logger);
        }
        json_decref(daemon_call("stop", "{s:s}", "select", "n"));
        char path[160];
        (void) snprintf(path, sizeof path, "%s/log/n/0.stdout.log", daemon_directory());
        char *log = read_file(path), *p = log;
        unsigned long expected = 0;
        for (char *end; (end = strchr(p, '\n')); p = end + 1, expected++) {
                char line[64];
                (void) snprintf(line, sizeof line, "number %lu of a line", expected);
                *end = 0;
                ck_assert_msg(strcmp(p, line) == 0, "line %lu is '%s'", expected, p);
        }
        (void) snprintf(path, sizeof path, "%s/number", daemon_directory());
        char *last = read_file(path);
        uint64_t written;
        memcpy(&written, last, sizeof written);
        ck_assert_msg(expected >= written && expected <= written + 1, "%lu lines, %llu written", expected,
                      (unsigned long long) written);
        ck_assert_uint_gt(expected, 1000);
        free(last);
        free(log);
        daemon_stop();
}
END_TEST

static void add(TCase *t) {
        tcase_add_test(t, test_workers_run_on);
        tcase_add_test(t, test_ends_in_the_gap);
        tcase_add_test(t, test_restarts_in_the_gap);
        tcase_add_test(t, test_no_line_is_lost);
}

int main(void) {
        return run_tests("death", add);
}
