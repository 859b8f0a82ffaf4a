/* test-output.c - logs: complete, bounded, rotated at line boundaries; readers and followers; floods and full disks. */
#include "util-daemon.h"

#include "base/clock.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *log_of(const char *name) {
        char path[200];

        (void) snprintf(path, sizeof path, "%s/log/%s", daemon_directory(), name);
        return read_file(path);
}

START_TEST(test_lines_are_complete_and_bounded) {
        daemon_start(pools("\"l\":{\"command\":[\"$H\",\"lines\",\"200000\"],\"restart\":\"never\","
                           "\"output\":{\"to\":\"log\",\"max_size\":\"256K\",\"max_files\":3}}"));
        (void) worker_await("l/0", "exited", 0);
        json_decref(daemon_call("wait", "{s:s,s:s}", "select", "l", "for", "exit"));
        static const char *const names[] = {"l/0.stdout.log.3", "l/0.stdout.log.2", "l/0.stdout.log.1", "l/0.stdout.log"};
        long next = -1;
        for (size_t i = 0; i < 4; i++) {
                char *text = log_of(names[i]), *p = text;
                ck_assert_uint_le(strlen(text), 256 * 1024 + 32);
                ck_assert_msg(*text != 0, "%s is empty", names[i]);
                for (char *end; (end = strchr(p, '\n')); p = end + 1) {
                        long n;
                        ck_assert_msg(sscanf(p, "line %ld\n", &n) == 1, "torn line in %s", names[i]);
                        ck_assert_msg(next < 0 || n == next, "%s: line %ld after %ld", names[i], n, next - 1);
                        next = n + 1;
                }
                ck_assert_msg(*p == 0, "%s ends within a line", names[i]);
                free(text);
        }
        ck_assert_int_eq(next, 200000);
        char *text = log_of("l/0.stdout.log.4");
        ck_assert_str_eq(text, "");
        free(text);
        daemon_stop();
}
END_TEST

START_TEST(test_last_words_come_before_the_end) {
        daemon_start("\"pools\":{}");
        for (unsigned i = 0; i < 50; i++) {
                json_t *run = daemon_call("run", "{s:[s,s,s]}", "command", "/bin/sh", "-c", "echo first; echo last words; exit 4");
                const char *name = at_string(run, "process");
                json_t *ended = daemon_call("wait", "{s:s}", "process", name);
                ck_assert_int_eq(at_int(ended, "workers/0/exitcode"), 4);
                json_decref(ended);
                int fd = client_connect();
                char call[256];
                (void) snprintf(call, sizeof call,
                                "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"logs\",\"params\":{\"select\":\"%s\",\"lines\":1}}", name);
                client_send(fd, call);
                json_t *note = client_read(fd);
                ck_assert_str_eq(at_string(note, "method"), "log");
                ck_assert_str_eq(at_string(note, "params/line"), "last words");
                ck_assert_str_eq(at_string(note, "params/stream"), "stdout");
                ck_assert_str_eq(at_string(note, "params/worker"), name);
                json_decref(note);
                json_t *reply = client_read(fd);
                ck_assert_int_eq(at_int(reply, "id"), 7);
                ck_assert_ptr_nonnull(at(reply, "result"));
                json_decref(reply);
                (void) close(fd);
                json_decref(run);
        }
        daemon_stop();
}
END_TEST

/* The worker says that it waits, which tells the follower is there, and goes on when somebody opens its FIFO. */
static const char follow_pool[] =
        "\"f\":{\"command\":[\"/bin/sh\",\"-c\",\"echo life $$ waits; read x <$D/go; i=0; "
        "while [ $i -lt 3000 ]; do echo life $$ line $i; i=$((i+1)); done; exec sleep 1000\"],"
        "\"restart\":{\"delay\":0},\"output\":{\"to\":\"log\",\"max_size\":\"16K\",\"max_files\":2}}";

static void expect_line(int fd, const char *expected) {
        json_t *note = client_read(fd);

        ck_assert_str_eq(at_string(note, "params/line"), expected);
        json_decref(note);
}

START_TEST(test_follow_over_rotation_and_restart) {
        char path[128], line[64];

        (void) snprintf(path, sizeof path, "%s/go", daemon_directory());
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        daemon_start(pools(follow_pool));
        int fd = client_connect();
        client_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logs\",\"params\":{\"select\":\"f\",\"lines\":1,\"follow\":true}}");
        pid_t pid = worker_await("f/0", "running", 0);
        for (unsigned life = 0; life < 2; life++) {
                (void) snprintf(line, sizeof line, "life %d waits", pid);
                expect_line(fd, line);
                (void) close(open(path, O_WRONLY | O_CLOEXEC));
                for (unsigned i = 0; i < 3000; i++) {
                        (void) snprintf(line, sizeof line, "life %d line %u", pid, i);
                        expect_line(fd, line);
                }
                ck_assert_int_eq(kill(pid, SIGKILL), 0);
                pid = worker_await("f/0", "running", pid);
        }
        (void) close(fd);
        ck_assert_int_eq(unlink(path), 0);
        daemon_stop();
}
END_TEST

START_TEST(test_flood_delays_nobody) {
        daemon_start(pools("\"flood\":{\"command\":[\"$H\",\"flood\"],\"workers\":2,\"output\":{\"to\":\"log\",\"max_size\":\"1M\",\"max_files\":1}},"
                           "\"quiet\":{\"command\":[\"$H\",\"sleep\"]}"));
        (void) worker_await("flood/1", "running", 0);
        usec_t start = clock_now();
        for (unsigned i = 0; i < 50; i++) {
                json_decref(worker_status("quiet/0"));
                json_t *run = daemon_call("run", "{s:[s,s]}", "command", "/bin/echo", "between the floods");
                json_decref(daemon_call("wait", "{s:s}", "process", at_string(run, "process")));
                json_decref(run);
        }
        /* A bound that only a stall would pass, on a loaded machine too. */
        ck_assert_uint_lt(clock_now() - start, 30 * USEC_PER_SEC);
        json_decref(daemon_call("stop", "{s:s}", "select", "flood"));
        glob_t g;
        char pattern[160];
        (void) snprintf(pattern, sizeof pattern, "%s/log/flood/1.stdout.log*", daemon_directory());
        ck_assert_int_eq(glob(pattern, 0, NULL, &g), 0);
        ck_assert_uint_eq(g.gl_pathc, 2);
        for (size_t i = 0; i < g.gl_pathc; i++) {
                struct stat st;
                ck_assert_int_eq(stat(g.gl_pathv[i], &st), 0);
                ck_assert_int_le(st.st_size, (1 << 20) + 128);
                ck_assert_int_eq(st.st_mode & 07777, 0640);
        }
        globfree(&g);
        daemon_stop();
}
END_TEST

START_TEST(test_other_outputs) {
        daemon_start(pools("\"p\":{\"command\":[\"/bin/sh\",\"-c\",\"echo out $DROVER_WORKER; echo err $DROVER_WORKER >&2\"],\"workers\":3,"
                           "\"restart\":\"never\",\"output\":\"$D/shared.log\"},"
                           "\"i\":{\"command\":[\"/bin/echo\",\"inherited words\"],\"restart\":\"never\",\"output\":\"inherit\"},"
                           "\"z\":{\"command\":[\"/bin/echo\",\"nowhere\"],\"restart\":\"never\",\"output\":\"null\"},"
                           "\"c\":{\"command\":[\"$H\",\"close-stdout\"]}"));
        json_decref(daemon_call("wait", "{s:[sss],s:s}", "select", "p", "i", "z", "for", "exit"));
        char path[160];
        (void) snprintf(path, sizeof path, "%s/shared.log", daemon_directory());
        char *text = read_file(path);
        for (unsigned i = 0; i < 3; i++) {
                char line[16];
                (void) snprintf(line, sizeof line, "out %u\n", i);
                ck_assert_uint_eq(count_in(text, line), 1);
                (void) snprintf(line, sizeof line, "err %u\n", i);
                ck_assert_uint_eq(count_in(text, line), 1);
        }
        free(text);
        await_in_file(daemon_log(), "inherited words");
        (void) snprintf(path, sizeof path, "%s/log/c/0.stdout.log", daemon_directory());
        await_in_file(path, "last words");
        pid_t pid = worker_await("c/0", "running", 0);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        (void) worker_await("c/0", "running", pid);
        daemon_stop();
}
END_TEST

static void add(TCase *t) {
        tcase_add_test(t, test_lines_are_complete_and_bounded);
        tcase_add_test(t, test_last_words_come_before_the_end);
        tcase_add_test(t, test_follow_over_rotation_and_restart);
        tcase_add_test(t, test_flood_delays_nobody);
        tcase_add_test(t, test_other_outputs);
}

int main(void) {
        return run_tests("output", add);
}
