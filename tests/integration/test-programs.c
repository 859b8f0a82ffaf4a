/* test-programs.c - real programs as pools: python's web server, redis, a shell loop; each killed -9 comes back and
 * answers again. */
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

START_TEST(test_real_programs) {
        static struct question web0 = {18180, "GET / HTTP/1.0\r\n\r\n", "200 OK"}, web1 = {18181, "GET / HTTP/1.0\r\n\r\n", "200 OK"},
                               redis = {16479, "PING\r\n", "+PONG"};

        daemon_start(pools("\"web\":{\"command\":[\"/bin/sh\",\"-c\",\"exec python3 -m http.server --bind 127.0.0.1 $((18180+DROVER_WORKER))\"],"
                           "\"workers\":2,\"directory\":\"/usr/share\",\"restart\":{\"delay\":0}},"
                           "\"redis\":{\"command\":[\"redis-server\",\"--port\",\"16479\",\"--save\",\"\"],\"restart\":{\"delay\":0}},"
                           "\"ticker\":{\"command\":[\"/bin/sh\",\"-c\",\"while :; do echo tick; sleep 0.05; done\"],\"restart\":{\"delay\":0}}"));
        for (unsigned round = 0; round < 2; round++) {
                await_true("web/0 answers", is_answered, &web0);
                await_true("web/1 answers", is_answered, &web1);
                await_true("redis answers", is_answered, &redis);
                static const char *const names[] = {"web/0", "web/1", "redis/0", "ticker/0"};
                for (size_t i = 0; i < 4; i++) {
                        pid_t old = worker_await(names[i], "running", 0);
                        ck_assert_int_eq(kill(old, SIGKILL), 0);
                        (void) worker_await(names[i], "running", old);
                }
        }
        await_true("web/0 answers", is_answered, &web0);
        await_true("redis answers", is_answered, &redis);
        daemon_stop();
}
END_TEST

static void add(TCase *t) {
        tcase_add_test(t, test_real_programs);
}

int main(void) {
        return run_tests("programs", add);
}
