/* test-programs.c - real programs as pools: python's web server, redis, a shell loop, and bad company; each is killed -9
 * and everything ends where it must. */
#include "util-daemon.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct question {
        unsigned short port;
        const char *ask, *answer;
};

static bool is_answered(void *data) {
        struct question *q = data;
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(q->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char buffer[512] = "";
        bool yes = false;

        if (connect(fd, (struct sockaddr *) &a, sizeof a) == 0 &&
            send(fd, q->ask, strlen(q->ask), MSG_NOSIGNAL) == (ssize_t) strlen(q->ask) &&
            read(fd, buffer, sizeof buffer - 1) > 0)
                yes = strstr(buffer, q->answer) != NULL;
        (void) close(fd);
        return yes;
}

/* A port that nobody uses now: other tests run on this machine too. */
static unsigned short free_port(void) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof a;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(bind(fd, (struct sockaddr *) &a, sizeof a), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &a, &size), 0);
        (void) close(fd);
        return ntohs(a.sin_port);
}

static void kill_and_await(const char *name) {
        pid_t old = worker_await(name, "running", 0);

        ck_assert_int_eq(kill(old, SIGKILL), 0);
        (void) worker_await(name, "running", old);
        json_t *w = worker_status(name);
        ck_assert_int_eq(at_int(w, "last_exit/exitcode"), -SIGKILL);
        ck_assert_str_eq(at_string(w, "last_exit/cause"), "killed by SIGKILL");
        json_decref(w);
}

START_TEST(test_real_programs) {
        struct question web[] = {{free_port(), "GET / HTTP/1.0\r\n\r\n", "200 OK"},
                                 {free_port(), "GET / HTTP/1.0\r\n\r\n", "200 OK"}},
                        redis = {free_port(), "PING\r\n", "+PONG"};
        char text[1024];

        (void) snprintf(text, sizeof text,
                        "\"web\":{\"command\":[\"/bin/sh\",\"-c\",\"exec python3 -m http.server --bind 127.0.0.1 $((DROVER_WORKER ? %u : %u))\"],"
                        "\"workers\":2,\"directory\":\"/usr/share\",\"restart\":{\"delay\":0}},"
                        "\"redis\":{\"command\":[\"redis-server\",\"--port\",\"%u\",\"--save\",\"\"],\"restart\":{\"delay\":0}},"
                        "\"ticker\":{\"command\":[\"/bin/sh\",\"-c\",\"while :; do echo tick; sleep 0.05; done\"],\"restart\":{\"delay\":0}}",
                        web[1].port, web[0].port, redis.port);
        daemon_start(pools(text));
        for (unsigned round = 0; round < 2; round++) {
                await_true("web/0 answers", is_answered, &web[0]);
                await_true("web/1 answers", is_answered, &web[1]);
                await_true("redis answers", is_answered, &redis);
                static const char *const names[] = {"web/0", "web/1", "redis/0", "ticker/0"};
                for (size_t i = 0; i < 4; i++)
                        kill_and_await(names[i]);
        }
        await_true("web/0 answers", is_answered, &web[0]);
        await_true("redis answers", is_answered, &redis);
        daemon_stop();
}
END_TEST

static bool is_rotated(void *data) {
        return access(data, F_OK) == 0;
}

/* The number in a file that a grandchild renames to its place; the file is taken away. */
static pid_t take_pid(const char *path) {
        await_in_file(path, "\n");
        char *text = read_file(path);
        pid_t pid = atoi(text);

        free(text);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert(pid_is_alive(pid));
        return pid;
}

/* One crashes, one ignores SIGTERM, one leaves a double-forked grandchild in a session of its own, one closes its
 * output, one floods it. */
START_TEST(test_bad_company) {
        char grandchild_file[128], rotated[128];

        daemon_start(pools("\"crasher\":{\"command\":[\"$H\",\"exit\",\"3\"],\"restart\":{\"delay\":\"5ms\",\"limit\":5}},"
                           "\"stubborn\":{\"command\":[\"$H\",\"ignore-term\"],\"restart\":{\"delay\":0},\"stop\":{\"timeout\":\"200ms\"}},"
                           "\"runaway\":{\"command\":[\"$H\",\"grandchild\",\"$D/grandchild\"],\"restart\":{\"delay\":0}},"
                           "\"mute\":{\"command\":[\"$H\",\"close-stdout\"],\"restart\":{\"delay\":0}},"
                           "\"flood\":{\"command\":[\"$H\",\"flood\"],\"restart\":{\"delay\":0},"
                           "\"output\":{\"to\":\"log\",\"max_size\":\"64K\",\"max_files\":2}}"));
        (void) snprintf(grandchild_file, sizeof grandchild_file, "%s/grandchild", daemon_directory());
        (void) snprintf(rotated, sizeof rotated, "%s/log/flood/0.stdout.log.2", daemon_directory());
        pid_t grandchild = take_pid(grandchild_file);
        static const char *const names[] = {"stubborn/0", "runaway/0", "mute/0", "flood/0"};
        for (size_t i = 0; i < 4; i++)
                kill_and_await(names[i]);
        await_gone(grandchild); /* killed with its worker; an orphan, so reaped a moment later */
        grandchild = take_pid(grandchild_file);
        await_true("the flood's files are rotated", is_rotated, rotated);

        (void) worker_await("crasher/0", "failed", 0);
        json_t *w = worker_status("crasher/0");
        ck_assert_int_eq(at_int(w, "last_exit/exitcode"), 3);
        ck_assert_int_eq(at_int(w, "restarts"), 4);
        json_decref(w);

        json_decref(daemon_call("stop", "{s:s}", "select", "all"));
        await_gone(grandchild);
        for (size_t i = 0; i < 4; i++) {
                w = worker_status(names[i]);
                ck_assert_str_eq(at_string(w, "state"), "stopped");
                ck_assert_int_eq(at_int(w, "exitcode"), i == 0 ? -SIGKILL : -SIGTERM);
                json_decref(w);
        }
        daemon_stop();
}
END_TEST

static void add(TCase *t) {
        tcase_add_test(t, test_real_programs);
        tcase_add_test(t, test_bad_company);
}

int main(void) {
        return run_tests("programs", add);
}
