/* test-client-map.c - drover_map() against a server that is this test itself: results as they may come, items that do not
 * fit one message. The map is call 1. */
#include "drover.h"
#include "base/fd.h"
#include "base/text.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[64], path[96];
static int listener = -EBADF, server = -EBADF;
static drover_client *client;
static Text heard; /* by the server, not looked at yet */

static void set_up(void) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        (void) snprintf(directory, sizeof directory, "/tmp/drover-test-map-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void) snprintf(path, sizeof path, "%s/s", directory);
        (void) snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(listener, (struct sockaddr *) &address, sizeof address), 0);
        ck_assert_int_eq(listen(listener, 1), 0);
        ck_assert_int_eq(drover_connect(&client, path, NULL), 0);
        server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_ge(server, 0);
}

static void tear_down(void) {
        drover_close(client);
        server = fd_close(server);
        listener = fd_close(listener);
        text_done(&heard);
        (void) unlink(path);
        ck_assert_int_eq(rmdir(directory), 0);
}

static void server_says(const char *lines) {
        ck_assert_int_eq(send(server, lines, strlen(lines), MSG_NOSIGNAL), (ssize_t) strlen(lines));
}

/* The next message of the client, a new reference. */
static json_t *server_hears(void) {
        for (;;) {
                char buf[16384], *end = heard.length > 0 ? memchr(heard.data, '\n', heard.length) : NULL;
                ssize_t n;

                if (end) {
                        json_t *o = json_loadb(heard.data, (size_t) (end - heard.data), 0, NULL);
                        size_t gone = (size_t) (end - heard.data) + 1;

                        ck_assert_ptr_nonnull(o);
                        ck_assert_uint_le(gone, 64 * 1024);
                        memmove(heard.data, heard.data + gone, heard.length - gone);
                        text_truncate(&heard, heard.length - gone);
                        return o;
                }
                ck_assert_int_ge(drover_process(client), 0); /* it writes what the socket takes now */
                n = recv(server, buf, sizeof buf, MSG_DONTWAIT);
                ck_assert(n > 0 || errno == EAGAIN);
                text_append_n(&heard, buf, n > 0 ? (size_t) n : 0);
        }
}

static char told[4096];

static void on_results(drover_client *c, drover_results *r, void *userdata) {
        size_t n = strlen(told), length, count = drover_results_count(r);
        const char *text = drover_results_text(r, &length);
        json_t *values = drover_results_values(r), *errors = drover_results_errors(r);
        int64_t numbers[16];

        ck_assert(!values || json_array_size(values) == count); /* jansson knows no numbers beyond 64 bits */
        n += (size_t) snprintf(told + n, sizeof told - n, "%zu+%zu %.*s", drover_results_first(r), count, (int) length, text);
        if (drover_results_integers(r, numbers) == 0)
                for (size_t i = 0; i < count; i++)
                        ck_assert_int_eq(numbers[i], json_integer_value(json_array_get(values, i)));
        else
                n += (size_t) snprintf(told + n, sizeof told - n, " r=%d", drover_results_integers(r, numbers));
        if (errors)
                n += (size_t) snprintf(told + n, sizeof told - n, " %s",
                                       json_string_value(json_object_get(json_object_get(errors, "1"), "message")));
        (void) snprintf(told + n, sizeof told - n, ";");
        json_decref(values);
}

static void on_end(drover_client *c, json_t *result, const drover_error *error, void *userdata) {
        size_t n = strlen(told);

        (void) snprintf(told + n, sizeof told - n, "end %s", error ? drover_error_name(error) : "well");
}

static uint64_t map(json_t *what) {
        uint64_t id = 0;

        told[0] = 0;
        ck_assert_int_eq(drover_map(client, what, on_results, on_end, NULL, &id, NULL), 0);
        json_decref(what);
        return id;
}

#define RESULT(members) "{\"jsonrpc\":\"2.0\",\"method\":\"result\",\"params\":{" members "}}\n"
#define END "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"items\":1,\"failed\":0}}\n"

static const struct {
        const char *lines, *told;
} streams[] = {
        {END, "end well"},
        {RESULT("\"call\":1,\"index\":0,\"results\":[1,-2,3]") RESULT("\"call\":1,\"index\":3,\"results\":[9223372036854775807]") END,
         "0+3 [1,-2,3];3+1 [9223372036854775807];end well"},
        {RESULT("\"call\":1,\"index\":0,\"results\":[]") END, "0+0 [];end well"},
        {RESULT("\"call\":1,\"index\":7,\"results\":[-9223372036854775808, 1 ,2]") END, "7+3 [-9223372036854775808, 1 ,2];end well"},
        {RESULT("\"call\":1,\"index\":7,\"results\":[9223372036854775808]") END, "7+1 [9223372036854775808] r=-34;end well"},
        {RESULT("\"call\":1,\"index\":7,\"results\":[1.5]") END, "7+1 [1.5] r=-22;end well"},
        {RESULT("\"call\":1,\"index\":7,\"results\":[\"]}}\"]") END, "7+1 [\"]}}\"] r=-22;end well"},
        {RESULT("\"call\":1,\"index\":7,\"results\":[4,null],\"errors\":{\"1\":{\"message\":\"no\"}}") END,
         "7+2 [4,null] r=-22 no;end well"},
        {RESULT("\"results\":[5],\"call\":1,\"index\":2") END, "2+1 [5];end well"},
        {RESULT("\"call\":2,\"index\":7,\"results\":[4]") RESULT("\"index\":7,\"results\":[4]") END, "end well"},
        {RESULT("\"call\":1,\"index\":0,\"results\":[1") END, "end protocol"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32001,\"message\":\"no\",\"data\":{\"name\":\"not-found\"}}}\n", "end not-found"},
};

START_TEST(results_as_they_may_come) {
        (void) map(json_pack("{s:s,s:s,s:i}", "pool", "m", "target", "t", "count", 3));
        server_says(streams[_i].lines);
        while (!strstr(told, "end "))
                (void) drover_poll(client, 5000);
        ck_assert_str_eq(told, streams[_i].told);
}
END_TEST

static json_t *items_of(size_t n) {
        json_t *items = json_array();

        for (size_t i = 0; i < n; i++)
                (void) json_array_append_new(items, i % 3 == 0 ? json_integer((json_int_t) i) : i % 3 == 1 ? json_real(1.0 / (double) i) : json_string("\t\""));
        return json_pack("{s:s,s:s,s:o}", "pool", "m", "target", "t", "items", items);
}

static json_t *get(json_t *message, const char *key) {
        return json_object_get(json_object_get(message, "params"), key);
}

START_TEST(items_follow_as_there_is_room) {
        json_t *what = json_incref(items_of(30000)), *message, *got = json_array();
        bool more = true;

        (void) map(what);
        message = server_hears();
        ck_assert(json_is_true(get(message, "more")) && !get(message, "items"));
        json_decref(message);
        for (unsigned i = 0; more; i++) {
                char reply[80];

                message = server_hears();
                ck_assert_int_eq(json_integer_value(get(message, "call")), 1);
                (void) json_array_extend(got, get(message, "items"));
                more = json_is_true(get(message, "more"));
                (void) snprintf(reply, sizeof reply, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{}}\n",
                                (long long) json_integer_value(json_object_get(message, "id")));
                json_decref(message);
                ck_assert_uint_le(drover_in_flight(client), 3);
                server_says(reply);
        }
        ck_assert(json_equal(got, json_object_get(what, "items")));
        server_says(END);
        while (!strstr(told, "end "))
                (void) drover_poll(client, 5000);
        ck_assert_uint_eq(drover_in_flight(client), 0);
        json_decref(got);
        json_decref(what);
}
END_TEST

START_TEST(no_more_items_after_a_cancel) {
        uint64_t id = map(items_of(30000));
        size_t n = 0;
        bool more = true;

        ck_assert_int_eq(drover_cancel(client, id), 0);
        while (more) {
                json_t *message = server_hears();

                n += json_array_size(get(message, "items"));
                more = json_is_true(get(message, "more"));
                json_decref(message);
        }
        ck_assert_uint_lt(n, 30000);
        ck_assert_str_eq(told, "");
}
END_TEST

START_TEST(an_item_for_which_no_message_has_room) {
        char *text = malloc(100000);
        json_t *what;
        drover_error *error = NULL;

        memset(text, 'x', 99999);
        text[99999] = 0;
        what = json_pack("{s:s,s:s,s:[s]}", "pool", "m", "target", "t", "items", text);
        told[0] = 0;
        ck_assert_int_eq(drover_map(client, what, on_results, on_end, NULL, NULL, &error), -ENOBUFS);
        ck_assert_str_eq(drover_error_name(error), "limit");
        ck_assert_str_eq(told, "");
        drover_error_free(error);
        json_decref(what);
        free(text);
}
END_TEST

START_TEST(a_connection_that_goes) {
        (void) map(items_of(30000));
        server = fd_close(server);
        while (!strstr(told, "end "))
                (void) drover_poll(client, 5000);
        ck_assert_str_eq(told, "end disconnected");
        ck_assert_uint_eq(drover_in_flight(client), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("client-map");
        TCase *c = tcase_create("client-map");
        SRunner *runner = srunner_create(suite);
        int n_failed;

        tcase_add_checked_fixture(c, set_up, tear_down);
        tcase_add_loop_test(c, results_as_they_may_come, 0, (int) (sizeof streams / sizeof *streams));
        tcase_add_test(c, items_follow_as_there_is_room);
        tcase_add_test(c, no_more_items_after_a_cancel);
        tcase_add_test(c, an_item_for_which_no_message_has_room);
        tcase_add_test(c, a_connection_that_goes);
        suite_add_tcase(suite, c);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}
