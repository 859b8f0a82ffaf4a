/* test-client.c - libdrover against a server that is this test itself: a listening socket whose other end is written
 * before or between the client's steps. Ids are 1, 2, ... on each connection's client, so answers can wait ahead. */
#include "drover.h"
#include "base/alloc.h"
#include "base/fd.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64], path[96];
static int listener = -EBADF, server = -EBADF;
static drover_client *client;
static drover_error *error;

static void server_listen(int type) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        (void) unlink(path);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(listener, (struct sockaddr *) &address, sizeof(address)), 0);
        if (type == SOCK_STREAM)
                ck_assert_int_eq(listen(listener, 8), 0);
}

static void server_accept(void) {
        server = fd_close(server);
        server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_ge(server, 0);
}

static void server_says(const char *lines) {
        ck_assert_int_eq(send(server, lines, strlen(lines), MSG_NOSIGNAL), (ssize_t) strlen(lines));
}

static const char *server_heard(void) {
        static char buf[4096];
        ssize_t n = recv(server, buf, sizeof(buf) - 1, MSG_DONTWAIT);

        buf[n > 0 ? n : 0] = 0;
        return buf;
}

static void set_up(void) {
        (void) snprintf(directory, sizeof(directory), "/tmp/drover-test-client-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void) snprintf(path, sizeof(path), "%s/s", directory);
        server_listen(SOCK_STREAM);
        ck_assert_int_eq(drover_connect(&client, path, NULL), 0);
        server_accept();
}

static void error_clear(void) {
        drover_error_free(error);
        error = NULL;
}

static void tear_down(void) {
        drover_close(client);
        client = NULL;
        error_clear();
        server = fd_close(server);
        listener = fd_close(listener);
        (void) unlink(path);
        ck_assert_int_eq(rmdir(directory), 0);
}

#define REPLY(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" result "}\n"
#define FAULT(id, code, text, data) \
        "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"error\":{\"code\":" #code ",\"message\":\"" text "\",\"data\":" data "}}\n"

/* What callbacks were told, in order: "b=2 " for a result, "b!name " for an error. Userdata is the letter. */
static char told[512];

static void on_reply(drover_client *c, json_t *result, const drover_error *e, void *userdata) {
        size_t n = strlen(told);

        if (e)
                (void) snprintf(told + n, sizeof(told) - n, "%s!%s ", (const char *) userdata, drover_error_name(e));
        else
                (void) snprintf(told + n, sizeof(told) - n, "%s=%lld ", (const char *) userdata, (long long) json_integer_value(result));
}

static void on_notify(drover_client *c, const char *kind, json_t *params, void *userdata) {
        size_t n = strlen(told);

        ck_assert_ptr_null(json_object_get(params, "call"));
        (void) snprintf(told + n, sizeof(told) - n, "%s:%s:%s ", (const char *) userdata, kind,
                        json_string_value(json_object_get(params, "line")));
}

static uint64_t call_async(const char *letter) {
        uint64_t id = 0;

        ck_assert_int_eq(drover_call_async(client, "m", NULL, on_reply, (void *) letter, &id, NULL), 0);
        return id;
}

START_TEST(a_call_and_its_result) {
        json_t *params = json_pack("{s:s}", "select", "web"), *result = NULL;

        server_says(REPLY(1, "{\"a\":5}"));
        ck_assert_int_eq(drover_call(client, "status", params, 5000, &result, &error), 0);
        ck_assert_int_eq(json_integer_value(json_object_get(result, "a")), 5);
        ck_assert_ptr_null(error);
        ck_assert_str_eq(server_heard(), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"select\":\"web\"}}\n");
        json_decref(result);
        json_decref(params);
        server_says(REPLY(2, "null"));
        ck_assert_int_eq(drover_call(client, "status", NULL, 5000, NULL, NULL), 0);
        ck_assert_str_eq(server_heard(), "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"status\",\"params\":{}}\n");
}
END_TEST

static const struct {
        const char *answer;
        int r, code;
        const char *name;
} errors[] = {
        {FAULT(1, -32001, "no pool", "{\"name\":\"not-found\"}"), -ENOENT, -32001, "not-found"},
        {FAULT(1, -32601, "no method", "{\"name\":\"not-found\"}"), -ENOENT, -32601, "not-found"},
        {FAULT(1, -32007, "too many", "{\"name\":\"limit\",\"max\":256}"), -ENOBUFS, -32007, "limit"},
        {FAULT(1, -32012, "going", "{\"name\":\"shutting-down\"}"), -ESHUTDOWN, -32012, "shutting-down"},
        {FAULT(1, -32602, "bad", "null"), -EINVAL, -32602, "invalid"},
        {FAULT(1, 7, "odd", "{\"name\":\"unheard-of\"}"), -EIO, 7, "failed"},
};

START_TEST(the_daemons_errors) {
        json_t *result = (json_t *) &error;

        server_says(errors[_i].answer);
        ck_assert_int_eq(drover_call(client, "m", NULL, 5000, &result, &error), errors[_i].r);
        ck_assert_ptr_eq(result, &error);
        ck_assert_int_eq(drover_error_errno(error), errors[_i].r);
        ck_assert_int_eq(drover_error_code(error), errors[_i].code);
        ck_assert_str_eq(drover_error_name(error), errors[_i].name);
        ck_assert_ptr_nonnull(strstr(errors[_i].answer, drover_error_message(error)));
        ck_assert_ptr_nonnull(drover_error_data(error));
}
END_TEST

START_TEST(a_timeout_leaves_a_good_connection) {
        json_t *result = NULL;

        ck_assert_int_eq(drover_call(client, "slow", NULL, 10, NULL, &error), -ETIMEDOUT);
        ck_assert_str_eq(drover_error_name(error), "timeout");
        ck_assert_uint_eq(drover_in_flight(client), 0);
        server_says(REPLY(1, "1") REPLY(2, "2"));
        ck_assert_int_eq(drover_call(client, "m", NULL, 5000, &result, NULL), 0);
        ck_assert_int_eq(json_integer_value(result), 2);
        json_decref(result);
}
END_TEST

START_TEST(many_in_flight_in_any_order) {
        uint64_t b;

        call_async("a");
        b = call_async("b");
        call_async("c");
        call_async("d");
        ck_assert_uint_eq(drover_in_flight(client), 4);
        ck_assert_int_eq(drover_cancel(client, b), 0);
        ck_assert_int_eq(drover_cancel(client, b), -ENOENT);
        ck_assert_str_eq(told, "");
        server_says(REPLY(4, "4") REPLY(2, "2") REPLY(1, "1") REPLY(77, "1") REPLY("x", "1") FAULT(3, -32005, "no", "{}"));
        ck_assert_int_eq(drover_poll(client, 5000), 6);
        ck_assert_str_eq(told, "d=4 a=1 c!failed ");
        ck_assert_int_eq(drover_process(client), 0);
        ck_assert_uint_eq(drover_in_flight(client), 0);
}
END_TEST

START_TEST(streams_are_told_apart) {
        uint64_t first = 0;

        ck_assert_int_eq(drover_subscribe(client, "logs", NULL, on_notify, on_reply, (void *) "a", &first, NULL), 0);
        ck_assert_int_eq(drover_subscribe(client, "logs", NULL, on_notify, on_reply, (void *) "b", NULL, NULL), 0);
        call_async("c");
#define LOG(call, text) "{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":{" call "\"line\":\"" text "\"}}\n"
        server_says(LOG("\"call\":2,", "x") LOG("\"call\":1,", "y") LOG("\"call\":3,", "-") LOG("\"call\":9,", "-") LOG("", "all")
                    REPLY(2, "0"));
        ck_assert_int_eq(drover_poll(client, 5000), 6);
        ck_assert_str_eq(told, "b:log:x a:log:y a:log:all b:log:all b=0 ");
        ck_assert_int_eq(drover_cancel(client, first), 0);
        server_says(LOG("\"call\":1,", "late"));
        ck_assert_int_eq(drover_poll(client, 5000), 1);
        ck_assert_str_eq(told, "b:log:x a:log:y a:log:all b:log:all b=0 ");
}
END_TEST

START_TEST(a_dying_daemon_and_a_new_one) {
        json_t *result = NULL;

        call_async("a");
        call_async("b");
        server_says(REPLY(1, "1"));
        server = fd_close(server);
        ck_assert_int_eq(drover_poll(client, 5000), 1);
        ck_assert_int_eq(drover_poll(client, 5000), -ECONNRESET);
        ck_assert_str_eq(told, "a=1 b!disconnected ");
        ck_assert_int_eq(drover_fd(client), -EBADF);
        ck_assert_int_eq(drover_events(client), 0);
        ck_assert_int_eq(drover_call(client, "m", NULL, 1000, NULL, &error), -ECONNRESET);
        ck_assert_str_eq(drover_error_name(error), "disconnected");
        error_clear();
        listener = fd_close(listener);
        ck_assert_int_eq(drover_reconnect(client, &error), -ECONNREFUSED);
        ck_assert_str_eq(drover_error_name(error), "no-daemon");
        server_listen(SOCK_STREAM);
        ck_assert_int_eq(drover_reconnect(client, NULL), 0);
        server_accept();
        server_says(REPLY(3, "3"));
        ck_assert_int_eq(drover_call(client, "m", NULL, 5000, &result, NULL), 0);
        ck_assert_int_eq(json_integer_value(result), 3);
        json_decref(result);
        call_async("c");
        ck_assert_int_eq(drover_reconnect(client, NULL), 0);
        ck_assert_str_eq(told, "a=1 b!disconnected c!disconnected ");
}
END_TEST

START_TEST(a_blocking_call_ends_with_the_connection) {
        server = fd_close(server);
        ck_assert_int_eq(drover_call(client, "m", NULL, -1, NULL, &error), -ECONNRESET);
        ck_assert_str_eq(drover_error_name(error), "disconnected");
}
END_TEST

static const struct {
        const char *line;
        int r;
        const char *name;
} hostile[] = {
        {"garbage\n", -EPROTO, "protocol"},
        {"{\"jsonrpc\":\"2.0\"}\n", -EPROTO, "protocol"},
        {"5\n", -EPROTO, "protocol"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n", -EPROTO, "protocol"},
        {FAULT(null, -32007, "the line is too long", "{\"name\":\"limit\"}"), -ENOBUFS, "limit"},
        {FAULT(null, -32700, "not JSON", "{\"name\":\"invalid\"}"), -EINVAL, "invalid"},
};

START_TEST(a_peer_that_breaks_the_protocol_is_left) {
        server_says(hostile[_i].line);
        ck_assert_int_eq(drover_call(client, "m", NULL, 5000, NULL, &error), hostile[_i].r);
        ck_assert_str_eq(drover_error_name(error), hostile[_i].name);
        ck_assert_int_eq(drover_process(client), -ECONNRESET);
}
END_TEST

/* Each is JSON, and nothing jansson can make a value of. */
static const char *const unheld[] = {"1180591620717411303424", "\"a\\u0000b\"", "\"\\ud800\"", "{\"a\":[-1180591620717411303424]}", "1e999"};

START_TEST(what_cannot_be_held_fails_its_call) {
        char line[256];

        told[0] = 0;
        (void) call_async("a");
        (void) call_async("b");
        ck_assert_int_eq(drover_subscribe(client, "task.map", NULL, on_notify, on_reply, (void *) "s", NULL, NULL), 0);
        (void) snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}\n", unheld[_i]);
        server_says(line);
        (void) snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"method\":\"result\",\"params\":{\"call\":3,\"results\":[%s]}}\n", unheld[_i]);
        server_says(line);
        server_says(REPLY(2, "7"));
        while (drover_in_flight(client) > 0)
                ck_assert_int_ge(drover_poll(client, 5000), 0);
        ck_assert_str_eq(told, "a!protocol s!protocol b=7 ");
}
END_TEST

START_TEST(harmless_oddities_are_passed_over) {
        server_says("\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"you\"}\n[{}]\n" REPLY(-1, "0") REPLY(1.5, "0") REPLY(null, "0")
                    "{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":[1]}\n{\"jsonrpc\":\"2.0\",\"method\":\"news\"}\n" REPLY(1, "0"));
        ck_assert_int_eq(drover_call(client, "m", NULL, 5000, NULL, NULL), 0);
}
END_TEST

START_TEST(an_endless_line_is_bounded) {
        static char piece[256 * 1024];
        int r = 0;

        memset(piece, 'x', sizeof(piece));
        ck_assert_int_eq(fd_set_nonblock(server, true), 0);
        for (size_t sent = 0; r == 0; ) {
                ssize_t n = send(server, piece, sizeof(piece), MSG_NOSIGNAL);

                ck_assert(n > 0 || errno == EAGAIN);
                sent += n > 0 ? (size_t) n : 0;
                ck_assert_uint_lt(sent, (size_t) 66 << 20);
                r = drover_process(client);
        }
        ck_assert_int_eq(r, -EPROTO);
}
END_TEST

START_TEST(calls_have_bounds_too) {
        json_t *large = json_object(), *scalar = json_integer(1);
        static char text[70000];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = 0;
        json_object_set_new(large, "env", json_string(text));
        ck_assert_int_eq(drover_call(client, "m", large, 1000, NULL, &error), -ENOBUFS);
        ck_assert_str_eq(drover_error_name(error), "limit");
        error_clear();
        ck_assert_int_eq(drover_call_async(client, "m", scalar, on_reply, NULL, NULL, &error), -EINVAL);
        ck_assert_uint_eq(drover_in_flight(client), 0);
        ck_assert_str_eq(server_heard(), "");
        json_decref(large);
        json_decref(scalar);
        server_says(REPLY(1, "1"));
        ck_assert_int_eq(drover_call(client, "m", NULL, 5000, NULL, NULL), 0);
}
END_TEST

START_TEST(a_full_socket_is_written_later) {
        size_t n_calls = 0, n_lines = 0;

        while (!(drover_events(client) & POLLOUT)) {
                call_async("x");
                n_calls++;
        }
        for (int rounds = 0; n_lines < n_calls && rounds < 100000; rounds++) {
                for (const char *p = server_heard(); (p = strchr(p, '\n')); p++)
                        n_lines++;
                ck_assert_int_eq(drover_process(client), 0);
        }
        ck_assert_uint_eq(n_lines, n_calls);
        ck_assert_int_eq(drover_events(client), POLLIN);
}
END_TEST

START_TEST(a_forked_child_is_refused) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                int r = drover_call(client, "m", NULL, 0, NULL, &error) == -ECHILD && drover_process(client) == -ECHILD &&
                        streq(drover_error_name(error), "wrong-process") && drover_cancel(client, 1) == -ECHILD &&
                        drover_reconnect(client, NULL) == -ECHILD;

                drover_close(client);
                error_clear();
                _exit(r ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        server_says(REPLY(1, "1"));
        ck_assert_int_eq(drover_call(client, "m", NULL, 5000, NULL, NULL), 0);
}
END_TEST

static void on_reply_close(drover_client *c, json_t *result, const drover_error *e, void *userdata) {
        drover_close(c);
        client = NULL;
}

START_TEST(a_callback_may_close) {
        ck_assert_int_eq(drover_call_async(client, "m", NULL, on_reply_close, NULL, NULL, NULL), 0);
        call_async("a");
        server_says(REPLY(1, "1") REPLY(2, "2"));
        ck_assert_int_eq(drover_call(client, "m", NULL, 5000, NULL, &error), -ECANCELED);
        ck_assert_str_eq(told, "a!cancelled ");
        ck_assert_ptr_null(client);
}
END_TEST

static void on_reply_reconnect(drover_client *c, json_t *result, const drover_error *e, void *userdata) {
        ck_assert_int_eq(drover_reconnect(c, NULL), 0);
        call_async("new");
}

START_TEST(a_callback_may_reconnect) {
        ck_assert_int_eq(drover_call_async(client, "m", NULL, on_reply_reconnect, NULL, NULL, NULL), 0);
        call_async("a");
        server_says(REPLY(1, "1") REPLY(2, "2"));
        ck_assert_int_eq(drover_poll(client, 5000), 1);
        ck_assert_str_eq(told, "a!disconnected ");
        server_accept();
        server_says(REPLY(3, "3"));
        ck_assert_int_eq(drover_poll(client, 5000), 1);
        ck_assert_str_eq(told, "a!disconnected new=3 ");
}
END_TEST

START_TEST(a_lost_connection_may_be_renewed_in_its_callback) {
        ck_assert_int_eq(drover_call_async(client, "m", NULL, on_reply_reconnect, NULL, NULL, NULL), 0);
        call_async("a");
        server = fd_close(server);
        ck_assert_int_eq(drover_poll(client, 5000), -ECONNRESET);
        ck_assert_str_eq(told, "a!disconnected ");
        server_accept();
        server_says(REPLY(3, "3"));
        ck_assert_int_eq(drover_poll(client, 5000), 1);
        ck_assert_str_eq(told, "a!disconnected new=3 ");
}
END_TEST

static void on_reply_call(drover_client *c, json_t *result, const drover_error *e, void *userdata) {
        json_t *inner = NULL;

        server_says(REPLY(3, "3"));
        ck_assert_int_eq(drover_call(c, "inner", NULL, 5000, &inner, NULL), 0);
        ck_assert_int_eq(json_integer_value(inner), 3);
        ck_assert_int_eq(json_integer_value(result), 1);
        json_decref(inner);
}

START_TEST(a_callback_may_block) {
        ck_assert_int_eq(drover_call_async(client, "m", NULL, on_reply_call, NULL, NULL, NULL), 0);
        call_async("a");
        server_says(REPLY(1, "1") REPLY(2, "2"));
        ck_assert_int_eq(drover_poll(client, 5000), 1);
        ck_assert_str_eq(told, "a=2 ");
}
END_TEST

START_TEST(info_checks_the_protocol) {
        json_t *info = NULL;

        server_says(REPLY(1, "{\"protocol\":1,\"pid\":5}"));
        ck_assert_int_eq(drover_info(client, 5000, &info, NULL), 0);
        ck_assert_int_eq(json_integer_value(json_object_get(info, "pid")), 5);
        json_decref(info);
        server_says(REPLY(2, "{\"protocol\":2}"));
        ck_assert_int_eq(drover_info(client, 5000, &info, &error), -EPROTO);
        server_says(REPLY(3, "{}"));
        ck_assert_int_eq(drover_info(client, 5000, NULL, NULL), -EPROTO);
}
END_TEST

START_TEST(places_without_a_daemon) {
        static const struct {
                const char *name; /* in the directory; NULL: a path too long */
                int r;
                const char *word;
        } cases[] = {{"none", -ECONNREFUSED, "no-daemon"}, {"s/x", -ECONNREFUSED, "no-daemon"}, {"", -ECONNREFUSED, "no-daemon"},
                     {NULL, -EINVAL, "invalid"}};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char place[256];
                drover_client *none = NULL;

                memset(place, 'x', sizeof(place));
                place[sizeof(place) - 1] = 0;
                if (cases[i].name)
                        (void) snprintf(place, sizeof(place), "%s/%s", directory, cases[i].name);
                ck_assert_int_eq(drover_connect(&none, place, &error), cases[i].r);
                ck_assert_ptr_null(none);
                ck_assert_str_eq(drover_error_name(error), cases[i].word);
                error_clear();
        }
        listener = fd_close(listener);
        ck_assert_int_eq(drover_reconnect(client, &error), -ECONNREFUSED); /* a stale socket */
        error_clear();
        server_listen(SOCK_DGRAM);
        ck_assert_int_eq(drover_reconnect(client, &error), -EINVAL);
}
END_TEST

/* In the child: wait until the parent is at rest, which is in its connect(2), then let everybody in. */
static _Noreturn void let_in_when_waited_for(pid_t parent) {
        char name[40], line[512], state = 'R';

        (void) snprintf(name, sizeof(name), "/proc/%d/stat", (int) parent);
        while (state != 'S') {
                FILE *f = fopen(name, "re");
                char *end = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;

                state = end ? end[2] : 'X';
                if (f)
                        (void) fclose(f);
                if (state == 'X')
                        _exit(1);
        }
        while (accept4(listener, NULL, NULL, SOCK_CLOEXEC) >= 0)
                ;
        _exit(1);
}

/* A burst of others has filled the queue: connecting waits its time. */
START_TEST(a_full_queue_is_waited_for) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int others[64], n = 0;
        pid_t child;

        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        for (;; n++) {
                ck_assert_int_lt(n, 64);
                others[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (connect(others[n], (struct sockaddr *) &address, sizeof(address)) < 0)
                        break;
        }
        ck_assert_int_eq(errno, EAGAIN);
        child = fork();
        if (child == 0)
                let_in_when_waited_for(getppid());
        drover_close(client);
        client = NULL;
        ck_assert_int_eq(drover_connect(&client, path, &error), 0);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        fd_close_many(others, (size_t) n + 1);
}
END_TEST

START_TEST(the_default_place) {
        char expected[64], *place;

        (void) unsetenv("DROVER_SOCKET");
        (void) setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
        place = drover_default_socket();
        ck_assert_str_eq(place, geteuid() == 0 ? "/run/drover/control.sock" : "/run/user/1/drover/control.sock");
        free(place);
        (void) unsetenv("XDG_RUNTIME_DIR");
        (void) snprintf(expected, sizeof(expected), "/tmp/drover-%u/control.sock", (unsigned) geteuid());
        place = drover_default_socket();
        ck_assert_str_eq(place, geteuid() == 0 ? "/run/drover/control.sock" : expected);
        free(place);
        (void) setenv("DROVER_SOCKET", "/x/y", 1);
        place = drover_default_socket();
        ck_assert_str_eq(place, "/x/y");
        free(place);
}
END_TEST

/* Connections that failed half-way wait before the one that counts. */
static void server_accept_last(void) {
        int fd;

        ck_assert_int_eq(fd_set_nonblock(listener, true), 0);
        while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                server = fd_close(server);
                server = fd;
        }
}

/* The n-th allocation of connect, call and answer fails: an error, nothing leaked, and the next time it works. */
START_TEST(each_allocation_can_fail) {
        int r = -ENOMEM;

        for (unsigned long n = 1; r < 0; n++) {
                drover_client *c = NULL;
                json_t *result = NULL;

                error_clear();
                alloc_fail_at(n);
                r = drover_connect(&c, path, &error);
                if (r >= 0) {
                        server_accept_last();
                        server_says(REPLY(1, "[1]"));
                        r = drover_call(c, "m", NULL, 5000, &result, &error);
                }
                alloc_fail_at(0);
                ck_assert_int_eq(r < 0, error != NULL);
                ck_assert(r == 0 || r == -ENOMEM);
                ck_assert_int_eq(r == 0, result != NULL);
                json_decref(result);
                drover_close(c);
                ck_assert_uint_lt(n, 100);
        }
}
END_TEST

START_TEST(nothing_is_an_answer_too) {
        drover_error_free(NULL);
        drover_close(NULL);
        ck_assert_str_eq(drover_error_name(NULL), "none");
        ck_assert_str_eq(drover_error_message(NULL), "no error");
        ck_assert_int_eq(drover_error_code(NULL), 0);
        ck_assert_int_eq(drover_error_errno(NULL), 0);
        ck_assert_ptr_null(drover_error_data(NULL));
        ck_assert_ptr_nonnull(strchr(drover_version(), '.'));
}
END_TEST

static void forget(void) {
        told[0] = 0;
}

int main(void) {
        Suite *s = suite_create("client");
        TCase *t = tcase_create("client");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_checked_fixture(t, forget, NULL);
        tcase_add_test(t, a_call_and_its_result);
        tcase_add_loop_test(t, the_daemons_errors, 0, ARRAY_SIZE(errors));
        tcase_add_test(t, a_timeout_leaves_a_good_connection);
        tcase_add_test(t, many_in_flight_in_any_order);
        tcase_add_test(t, streams_are_told_apart);
        tcase_add_test(t, a_dying_daemon_and_a_new_one);
        tcase_add_test(t, a_blocking_call_ends_with_the_connection);
        tcase_add_loop_test(t, a_peer_that_breaks_the_protocol_is_left, 0, ARRAY_SIZE(hostile));
        tcase_add_loop_test(t, what_cannot_be_held_fails_its_call, 0, ARRAY_SIZE(unheld));
        tcase_add_test(t, harmless_oddities_are_passed_over);
        tcase_add_test(t, an_endless_line_is_bounded);
        tcase_add_test(t, calls_have_bounds_too);
        tcase_add_test(t, a_full_socket_is_written_later);
        tcase_add_test(t, a_forked_child_is_refused);
        tcase_add_test(t, a_callback_may_close);
        tcase_add_test(t, a_callback_may_reconnect);
        tcase_add_test(t, a_lost_connection_may_be_renewed_in_its_callback);
        tcase_add_test(t, a_callback_may_block);
        tcase_add_test(t, info_checks_the_protocol);
        tcase_add_test(t, places_without_a_daemon);
        tcase_add_test(t, a_full_queue_is_waited_for);
        tcase_add_test(t, the_default_place);
        tcase_add_test(t, each_allocation_can_fail);
        tcase_add_test(t, nothing_is_an_answer_too);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
