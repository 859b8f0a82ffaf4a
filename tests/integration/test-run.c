/* test-run.c - `run` and `wait`: one process from a command, its exit code, its stdio, and what dies with its owner. */
#include "util-daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
        const char *script;
        int exitcode;
} scripts[] = {
        {"exit 0", 0}, {"exit 1", 1}, {"exit 255", 255}, {"kill -9 $$", -9}, {"kill -TERM $$", -15}, {"kill -SEGV $$", -11},
};

START_TEST(test_exit_codes) {
        daemon_start("\"pools\":{}");
        for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
                json_t *run = daemon_call("run", "{s:[s,s,s]}", "command", "/bin/sh", "-c", scripts[i].script);
                ck_assert_int_gt(at_int(run, "pid"), 0);
                json_t *end = daemon_call("wait", "{s:s}", "process", at_string(run, "process"));
                ck_assert_int_eq(at_int(end, "workers/0/exitcode"), scripts[i].exitcode);
                ck_assert_str_eq(at_string(end, "workers/0/state"), "exited");
                /* It can be asked again. */
                json_t *again = daemon_call("wait", "{s:s}", "process", at_string(run, "process"));
                ck_assert_int_eq(at_int(again, "workers/0/exitcode"), scripts[i].exitcode);
                json_decref(again);
                json_decref(end);
                json_decref(run);
        }
        daemon_stop();
}
END_TEST

START_TEST(test_named_process_and_its_life) {
        daemon_start("\"pools\":{}");
        json_t *run = daemon_call("run", "{s:[s,s],s:s,s:{s:s},s:s}", "command", test_helper(), "sleep", "name", "job", "env",
                                  "A", "b", "directory", "/");
        ck_assert_str_eq(at_string(run, "process"), "job");
        json_t *w = worker_status("job");
        ck_assert_str_eq(at_string(w, "name"), "job");
        ck_assert_str_eq(at_string(w, "state"), "running");
        ck_assert_int_eq(at_int(w, "pid"), at_int(run, "pid"));
        ck_assert(json_is_null(at(w, "exitcode")));
        json_decref(w);
        json_t *e = daemon_call_error("run", "{s:[s],s:s}", "command", "/bin/true", "name", "job");
        ck_assert_str_eq(at_string(e, "data/name"), "exists");
        json_decref(e);
        e = daemon_call_error("wait", "{s:s,s:f}", "process", "job", "timeout", 0.05);
        ck_assert_str_eq(at_string(e, "data/name"), "timeout");
        json_decref(e);
        json_decref(daemon_call("terminate", "{s:s}", "select", "job"));
        json_t *end = daemon_call("wait", "{s:s}", "process", "job");
        ck_assert_int_eq(at_int(end, "workers/0/exitcode"), -SIGTERM);
        json_decref(end);
        json_decref(run);
        daemon_stop();
}
END_TEST

START_TEST(test_what_cannot_run) {
        daemon_start("\"pools\":{}");
        json_t *e = daemon_call_error("run", "{s:[s]}", "command", "/no/such/program");
        ck_assert_str_eq(at_string(e, "data/name"), "failed");
        ck_assert_ptr_nonnull(strstr(at_string(e, "message"), "/no/such/program"));
        ck_assert_ptr_nonnull(strstr(at_string(e, "message"), "No such file or directory"));
        json_decref(e);
        e = daemon_call_error("run", "{s:[s],s:s}", "command", "/bin/true", "directroy", "/");
        ck_assert_int_eq(at_int(e, "code"), -32602);
        ck_assert_msg(strstr(at_string(e, "message"), "directory") != NULL, "%s", at_string(e, "message"));
        json_decref(e);
        e = daemon_call_error("run", "{s:s}", "command", "echo hello");
        ck_assert_int_eq(at_int(e, "code"), -32602);
        json_decref(e);
        daemon_stop();
}
END_TEST

/* daemon: true dies with the connection that ran it: closed, or its client killed. */
START_TEST(test_daemon_dies_with_its_owner) {
        daemon_start("\"pools\":{}");
        int fd = client_connect();
        json_t *run = client_call(fd, "run", "{s:[s,s],s:b}", "command", test_helper(), "ignore-term", "daemon", 1);
        json_t *w = worker_status(at_string(run, "process"));
        ck_assert(json_is_true(at(w, "daemon")));
        json_decref(w);
        (void) close(fd);
        json_decref(daemon_call("wait", "{s:s}", "process", at_string(run, "process")));
        ck_assert(!pid_is_alive((pid_t) at_int(run, "pid")));
        json_decref(run);

        int p[2];
        ck_assert_int_eq(pipe(p), 0);
        pid_t client = fork();
        if (client == 0) {
                fd = client_connect();
                run = client_call(fd, "run", "{s:[s,s],s:b}", "command", test_helper(), "sleep", "daemon", 1);
                pid_t pid = (pid_t) at_int(run, "pid");
                if (write(p[1], &pid, sizeof pid) != sizeof pid)
                        _exit(1);
                for (;;)
                        (void) pause();
        }
        pid_t pid;
        ck_assert_int_eq(read(p[0], &pid, sizeof pid), sizeof pid);
        ck_assert(pid_is_alive(pid));
        ck_assert_int_eq(kill(client, SIGKILL), 0);
        ck_assert_int_eq(waitpid(client, NULL, 0), client);
        await_gone(pid);
        (void) close(p[0]);
        (void) close(p[1]);
        daemon_stop();
}
END_TEST

START_TEST(test_many_at_once) {
        daemon_start("\"pools\":{}");
        int fd = client_connect();
        char call[256];
        for (int i = 0; i < 200; i++) {
                (void) snprintf(call, sizeof call,
                                "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"run\",\"params\":{\"name\":\"r%d\",\"command\":[\"/bin/sh\",\"-c\",\"exit %d\"]}}",
                                i, i, i % 100);
                client_send(fd, call);
        }
        /* Answers come as they are ready: those of the waits (ids from 1000 on) among those of the runs. */
        for (int n_ended = 0; n_ended < 200;) {
                json_t *reply = client_read(fd);
                long long id = at_int(reply, "id");
                ck_assert_msg(at(reply, "result") != NULL, "call %lld failed: %s", id, at_string(reply, "error/message"));
                if (id >= 1000) {
                        ck_assert_int_eq(at_int(reply, "result/workers/0/exitcode"), (id - 1000) % 100);
                        n_ended++;
                } else {
                        (void) snprintf(call, sizeof call,
                                        "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"wait\",\"params\":{\"process\":\"r%lld\"}}",
                                        1000 + id, id);
                        client_send(fd, call);
                }
                json_decref(reply);
        }
        (void) close(fd);
        daemon_stop();
}
END_TEST

static void add(TCase *t) {
        tcase_add_test(t, test_exit_codes);
        tcase_add_test(t, test_named_process_and_its_life);
        tcase_add_test(t, test_what_cannot_run);
        tcase_add_test(t, test_daemon_dies_with_its_owner);
        tcase_add_test(t, test_many_at_once);
}

int main(void) {
        return run_tests("run", add);
}
