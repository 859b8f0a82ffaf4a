/* test-hostile.c - clients that mean no good, or know no better: each is answered or dropped, and nobody else notices. */
#include "util-daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors of droverd: what must be as before when a client is gone. */
static size_t n_descriptors(void) {
        char command[64];
        size_t n = 0;
        json_t *info = daemon_call("daemon.info", NULL);

        (void) snprintf(command, sizeof command, "/proc/%lld/fd", at_int(info, "pid"));
        json_decref(info);
        for (int fd = 0; fd < 4096; fd++) {
                char path[96];
                (void) snprintf(path, sizeof path, "%s/%d", command, fd);
                n += access(path, F_OK) == 0 || errno == ELOOP;
        }
        return n;
}

static bool has_descriptors_back(void *data) {
        return n_descriptors() <= *(size_t *) data;
}

/* The JSON-RPC specification's own examples, on our methods. */
static const struct {
        const char *sent;
        long code;       /* of the error expected; 0: a result */
        bool has_answer;
} messages[] = {
        {"{\"jsonrpc\": \"2.0\", \"method\": \"status\", \"params\": [[\"w\"]], \"id\": 1}", 0, true},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"status\", \"id\": \"a string\"}", 0, true},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}", -32601, true},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]", -32700, true},
        {"{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}", -32600, true},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"status\", \"params\": \"bar\", \"id\": 1}", -32600, true},
        {"[{\"jsonrpc\": \"2.0\", \"method\": \"status\", \"id\": \"1\"},{\"jsonrpc\": \"2.0\", \"method\"", -32700, true},
        {"[]", -32600, true},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"status\"}", 0, false},
        {"[{\"jsonrpc\": \"2.0\", \"method\": \"status\"},{\"jsonrpc\": \"2.0\", \"method\": \"status\"}]", 0, false},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"selcet\":\"w\"}}", -32602, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"scale\",\"params\":{\"pool\":\"w\",\"workers\":-1}}", -32602, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"scale\",\"params\":{\"pool\":\"nope\",\"workers\":1}}", -32001, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"kill\",\"params\":{\"select\":\"w\",\"signal\":\"NOTASIGNAL\"}}", -32602, true},
        {"nonsense", -32700, true},
        {"\"text\"", -32600, true},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"select\":\"\\ud800\"}}", -32700, true},
        {"{\"id\":1,\"method\":\"status\"}", -32600, true},
};

START_TEST(test_messages) {
        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"]}"));
        for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
                int fd = client_connect();
                client_send(fd, messages[i].sent);
                /* A known call after it: what is answered first tells whether there was an answer. */
                client_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":\"after\",\"method\":\"daemon.info\"}");
                json_t *first = client_read(fd);
                ck_assert_ptr_nonnull(first);
                bool is_after = strcmp(at_string(first, "id"), "after") == 0;
                ck_assert_msg(is_after == !messages[i].has_answer, "message %zu: %s", i, messages[i].sent);
                if (messages[i].has_answer && messages[i].code != 0)
                        ck_assert_msg(at_int(first, "error/code") == messages[i].code, "%s: code %lld: %s", messages[i].sent,
                                      at_int(first, "error/code"), at_string(first, "error/message"));
                if (messages[i].has_answer && messages[i].code == 0)
                        ck_assert_ptr_nonnull(at(first, "result"));
                json_decref(first);
                (void) close(fd);
        }
        daemon_stop();
}
END_TEST

START_TEST(test_batch) {
        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"]}"));
        int fd = client_connect();
        client_send(fd, "[{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":\"1\"},{\"jsonrpc\":\"2.0\",\"method\":\"status\"},1,"
                        "{\"foo\":\"boo\"},{\"jsonrpc\":\"2.0\",\"method\":\"foo.get\",\"id\":\"5\"},"
                        "{\"jsonrpc\":\"2.0\",\"method\":\"daemon.info\",\"id\":\"9\"}]");
        json_t *answers = client_read(fd);
        ck_assert(json_is_array(answers));
        ck_assert_uint_eq(json_array_size(answers), 5);
        client_send(fd, "[1,2,3]");
        json_decref(answers);
        answers = client_read(fd);
        ck_assert_uint_eq(json_array_size(answers), 3);
        ck_assert_int_eq(at_int(answers, "2/error/code"), -32600);
        json_decref(answers);
        (void) close(fd);
        daemon_stop();
}
END_TEST

/* A line of @n bytes, then whatever the daemon says until it hangs up; it must go on for others. */
static void send_bytes(int fd, const char *bytes, size_t n) {
        for (size_t done = 0; done < n;) {
                ssize_t r = send(fd, bytes + done, n - done, MSG_NOSIGNAL);
                if (r < 0)
                        return; /* it hung up: its right */
                done += (size_t) r;
        }
}

START_TEST(test_sizes) {
        static char big[1 << 20];

        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"]}"));
        size_t before = n_descriptors();
        struct {
                const char *pattern;
                size_t n;
        } floods[] = {{"[", sizeof big}, {"x", sizeof big}, {"{\"a\":", sizeof big}, {"[{},{},", 60000}, {"\"\\u0000", 60000}};
        for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
                int fd = client_connect();
                for (size_t k = 0; k < floods[i].n; k++)
                        big[k] = floods[i].pattern[k % strlen(floods[i].pattern)];
                send_bytes(fd, big, floods[i].n);
                send_bytes(fd, "\n", 1);
                json_t *answer = client_read(fd);
                ck_assert_msg(answer == NULL || at(answer, "error") != NULL, "flood %zu was taken", i);
                json_decref(answer);
                (void) close(fd);
                json_decref(worker_status("w/0"));
        }
        await_true("droverd has its descriptors back", has_descriptors_back, &before);
        daemon_stop();
}
END_TEST

/* Passed descriptors: a lingering TCP socket closed by the daemon would stop its loop for the linger time. */
START_TEST(test_passed_descriptors) {
        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"]}"));
        size_t before = n_descriptors();
        for (unsigned i = 0; i < 50; i++) {
                int fd = client_connect(), extra[4] = {0, 0, 0, 0};
                char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n", control[CMSG_SPACE(sizeof extra)] = {0};
                struct iovec iov = {line, sizeof line - 1};
                struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
                struct cmsghdr *c = CMSG_FIRSTHDR(&m);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof extra);
                memcpy(CMSG_DATA(c), extra, sizeof extra);
                /* Refused by the kernel (SO_PASSRIGHTS, 6.16) or taken and closed: both are fine. */
                if (sendmsg(fd, &m, MSG_NOSIGNAL) > 0)
                        json_decref(client_read(fd));
                else
                        ck_assert_int_eq(errno, EPERM);
                (void) close(fd);
        }
        await_true("droverd has its descriptors back", has_descriptors_back, &before);
        daemon_stop();
}
END_TEST

START_TEST(test_slow_readers_harm_nobody) {
        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"],\"workers\":50}"));
        int deaf[8];
        for (unsigned i = 0; i < 8; i++) {
                deaf[i] = client_connect();
                for (unsigned k = 0; k < 200; k++)
                        if (send(deaf[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n", 43, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                                break;
        }
        for (unsigned i = 0; i < 100; i++)
                json_decref(worker_status("w/7"));
        for (unsigned i = 0; i < 8; i++)
                (void) close(deaf[i]);
        json_decref(worker_status("w/7"));
        daemon_stop();
}
END_TEST

START_TEST(test_connections_come_and_go) {
        static const char begun[] = "{\"jsonrpc\":\"2.0\"";
        static const char waits[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\","
                                    "\"params\":{\"select\":\"w\",\"for\":\"exit\"}}\n";

        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"]}"));
        size_t before = n_descriptors();
        for (unsigned i = 0; i < 2000; i++) {
                int fd = client_connect();
                ck_assert_int_ge(fd, 0);
                if (i % 3 == 0)
                        send_bytes(fd, begun, strlen(begun));
                if (i % 5 == 0)
                        send_bytes(fd, waits, strlen(waits));
                (void) close(fd);
        }
        json_decref(worker_status("w/0"));
        await_true("droverd has its descriptors back", has_descriptors_back, &before);
        daemon_stop();
}
END_TEST

static void add(TCase *t) {
        tcase_add_test(t, test_messages);
        tcase_add_test(t, test_batch);
        tcase_add_test(t, test_sizes);
        tcase_add_test(t, test_passed_descriptors);
        tcase_add_test(t, test_slow_readers_harm_nobody);
        tcase_add_test(t, test_connections_come_and_go);
}

int main(void) {
        return run_tests("hostile", add);
}
