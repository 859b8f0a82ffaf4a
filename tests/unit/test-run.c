/* test-run.c - run and wait of libdrover, against a server played by the test on the other end of its socket. */
#include "drover.h"
#include "base/fd.h"

#include <check.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[64], path[96], told[256];
static int server = -EBADF;
static drover_client *client;
static json_t *what;

static void set_up(void) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        told[0] = 0;
        (void) snprintf(directory, sizeof(directory), "/tmp/drover-test-run-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void) snprintf(path, sizeof(path), "%s/s", directory);
        (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        ck_assert_int_eq(bind(listener, (struct sockaddr *) &address, sizeof(address)), 0);
        ck_assert_int_eq(listen(listener, 1), 0);
        ck_assert_int_eq(drover_connect(&client, path, NULL), 0);
        server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        listener = fd_close(listener);
        what = json_pack("{s:[s]}", "command", "/bin/true");
}

static void tear_down(void) {
        json_decref(what);
        drover_close(client);
        client = NULL;
        server = fd_close(server);
        (void) unlink(path);
        (void) rmdir(directory);
}

static void server_says(const char *lines) {
        ck_assert_int_eq(send(server, lines, strlen(lines), MSG_NOSIGNAL), (ssize_t) strlen(lines));
}

/* The request lines that have arrived, parsed. */
static json_t *server_heard(size_t index) {
        char buf[4096], *line = buf;
        ssize_t n = recv(server, buf, sizeof(buf) - 1, MSG_DONTWAIT | MSG_PEEK);

        ck_assert_int_gt(n, 0);
        buf[n] = 0;
        while (index-- > 0) {
                line = strchr(line, '\n') + 1;
                ck_assert_ptr_ne(line, (char *) 1);
        }
        *strchr(line, '\n') = 0;
        return json_loads(line, 0, NULL);
}

#define REPLY(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":" result "}\n"
#define FAULT(id, name) \
        "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"error\":{\"code\":-32005,\"message\":\"it is " name "\",\"data\":{\"name\":\"" name "\"}}}\n"
#define STARTED(id) REPLY(id, "{\"process\":\"p\",\"pid\":5}")
#define ENDED(id, code) REPLY(id, "{\"workers\":[{\"name\":\"p\",\"state\":\"exited\",\"exitcode\":" #code "}]}")

static void on_exit_tell(drover_client *c, const char *name, int exitcode, const drover_error *e, void *userdata) {
        size_t n = strlen(told);

        if (e)
                (void) snprintf(told + n, sizeof(told) - n, "!%s ", drover_error_name(e));
        else
                (void) snprintf(told + n, sizeof(told) - n, "%d ", exitcode);
        if (userdata)
                ck_assert_str_eq(name, userdata);
}

START_TEST(run_then_wait) {
        char *name = NULL;
        int exitcode = 99;
        json_t *request, *heard;

        server_says(STARTED(1));
        ck_assert_int_eq(drover_run(client, what, 5000, &name, NULL), 0);
        ck_assert_str_eq(name, "p");
        server_says(ENDED(2, -9));
        ck_assert_int_eq(drover_wait(client, name, 1500, &exitcode, NULL), 0);
        ck_assert_int_eq(exitcode, -9);
        free(name);
        request = server_heard(1);
        heard = json_object_get(request, "params");
        ck_assert_str_eq(json_string_value(json_object_get(heard, "process")), "p");
        ck_assert_double_eq(json_number_value(json_object_get(heard, "timeout")), 1.5);
        json_decref(request);
}
END_TEST

static const struct {
        const char *answer;
        int r;
} waits[] = {
        {ENDED(1, 0), 0},        {ENDED(1, 255), 0},   {ENDED(1, null), -EIO}, {REPLY(1, "{\"workers\":[]}"), -EPROTO},
        {REPLY(1, "7"), -EPROTO}, {FAULT(1, "timeout"), -ETIMEDOUT}, {FAULT(1, "not-found"), -ENOENT},
};

START_TEST(wait_gives_an_exit_code_or_an_error) {
        drover_error *error = NULL;
        int exitcode = 99;

        server_says(waits[_i].answer);
        ck_assert_int_eq(drover_wait(client, "web/0", -1, &exitcode, &error), waits[_i].r);
        ck_assert_int_eq(waits[_i].r < 0, error != NULL);
        ck_assert_int_eq(waits[_i].r < 0, exitcode == 99);
        drover_error_free(error);
}
END_TEST

static const struct {
        const char *answer, *told;
} runs[] = {
        {ENDED(1, 3), "3 "},
        {ENDED(1, -15), "-15 "},
        {FAULT(1, "exists"), "!exists "},
        {FAULT(1, "shutting-down"), "!shutting-down "},
        {ENDED(1, null), "!failed "},
        {REPLY(1, "{}"), "!protocol "},
        {"garbage\n", "!protocol "},
};

START_TEST(run_async_is_told_once) {
        ck_assert_int_eq(drover_run_async(client, what, on_exit_tell, NULL, NULL), 0);
        ck_assert_uint_eq(drover_in_flight(client), 1);
        server_says(runs[_i].answer);
        (void) drover_poll(client, 5000);
        ck_assert_str_eq(told, runs[_i].told);
        ck_assert_uint_eq(drover_in_flight(client), 0);
}
END_TEST

START_TEST(run_async_names_its_process) {
        json_t *run, *params;

        ck_assert_int_eq(drover_run_async(client, what, on_exit_tell, NULL, NULL), 0);
        run = server_heard(0);
        params = json_object_get(run, "params");
        ck_assert_int_eq(strncmp(json_string_value(json_object_get(params, "name")), "run-", 4), 0);
        ck_assert(json_is_true(json_object_get(params, "wait")));
        ck_assert_ptr_null(json_object_get(what, "name"));
        drover_close(client);
        client = NULL;
        ck_assert_str_eq(told, "!cancelled ");
        json_decref(run);
}
END_TEST

START_TEST(a_given_name_is_kept) {
        (void) json_object_set_new(what, "name", json_string("mine"));
        ck_assert_int_eq(drover_run_async(client, what, on_exit_tell, (void *) "mine", NULL), 0);
        ck_assert_int_eq(drover_run_async(client, NULL, on_exit_tell, NULL, NULL), -EINVAL);
        server_says(ENDED(1, 0));
        ck_assert_int_eq(drover_poll(client, 5000), 1);
        ck_assert_str_eq(told, "0 ");
}
END_TEST

int main(void) {
        Suite *s = suite_create("run");
        TCase *t = tcase_create("run");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_test(t, run_then_wait);
        tcase_add_loop_test(t, wait_gives_an_exit_code_or_an_error, 0, ARRAY_SIZE(waits));
        tcase_add_loop_test(t, run_async_is_told_once, 0, ARRAY_SIZE(runs));
        tcase_add_test(t, run_async_names_its_process);
        tcase_add_test(t, a_given_name_is_kept);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
