/* test-control.c - JSON-RPC 2.0 as its specification has it, and every method, over a real socket. */
#include "control-world.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "wire/protocol.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static World w;
static int fd;

static void setup(void) {
        world_setup(&w);
        fd = client_connect(&w);
}

static void teardown(void) {
        fd_close(fd);
        world_teardown(&w);
}

#define ASK(text) _cleanup_json_ json_t *answer = client_ask(&w, fd, (text))

static void add_pool(const char *name, const char *command, int workers, const char *more) {
        _cleanup_free_ char *text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":\"add\",\"method\":\"pool.add\",\"params\":{\"name\":\"%s\","
                                                 "\"command\":[\"%s\"],\"workers\":%d%s}}", name, command, workers, more);
        ASK(text);

        if (!at(answer, "result"))
                ck_abort_msg("%s", json_dumps(answer, 0));
        world_run(&w);
}

/* ---- the specification's examples, with methods of ours ---- */

static const struct {
        const char *sent;
        const char *answers[5]; /* parts that the answers, one a line, must hold */
} examples[] = {
        {"{\"jsonrpc\": \"2.0\", \"method\": \"status\", \"params\": [\"all\"], \"id\": 1}",
         {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"pools\":[],\"weakened\":"}},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"status\", \"params\": {\"select\": \"all\"}, \"id\": 3}",
         {"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"pools\":[],\"weakened\":"}},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"status\", \"params\": [\"all\"]}", {NULL}},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar\"}", {NULL}},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}",
         {"{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"error\":{\"code\":-32601,"}},
        {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]",
         {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"}},
        {"{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}",
         {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"}},
        {"[ {\"jsonrpc\": \"2.0\", \"method\": \"status\", \"params\": [\"all\"], \"id\": \"1\"},{\"jsonrpc\": \"2.0\", \"method\" ]",
         {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"}},
        {"[]", {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"}},
        {"[1]", {"[{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"}},
        {"[ {\"jsonrpc\": \"2.0\", \"method\": \"status\", \"params\": [\"all\"]}, {\"jsonrpc\": \"2.0\", \"method\": \"foobar\"} ]",
         {NULL}},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":null}", {"{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":"}},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":1.5}", {"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"result\":"}},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":\"\\u00e4\\n\"}",
         {"{\"jsonrpc\":\"2.0\",\"id\":\"\xc3\xa4\\n\",\"result\":"}},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":{}}", {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"}},
        {"{\"jsonrpc\":\"1.0\",\"method\":\"status\",\"id\":4}", {"{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32600,"}},
        {"{\"method\":\"status\",\"id\":4}", {"{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32600,"}},
        {"{\"jsonrpc\":\"2.0\",\"result\":1,\"id\":4}", {"{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32600,"}},
        {"7", {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"}},
};

START_TEST(test_specification) {
        static const char last[] = "\n{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":\"last\"}\n";
        size_t i = 0;

        client_send(&w, fd, examples[_i].sent);
        client_send(&w, fd, last);
        for (;; i++) {
                _cleanup_free_ char *line = client_line(&w, fd);

                ck_assert_ptr_nonnull(line);
                if (strstr(line, "\"last\""))
                        break;
                ck_assert_ptr_nonnull(examples[_i].answers[i]);
                if (strncmp(line, examples[_i].answers[i], strlen(examples[_i].answers[i])) != 0)
                        ck_abort_msg("%s\n  gives %s\n  not   %s", examples[_i].sent, line, examples[_i].answers[i]);
        }
        ck_assert_ptr_null(examples[_i].answers[i]);
}
END_TEST

START_TEST(test_batches) {
        ASK("[{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"params\":[\"all\"],\"id\":\"1\"},"
            "{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"params\":[\"all\"]},"
            "{\"jsonrpc\":\"2.0\",\"method\":\"config.show\",\"id\":\"2\"},"
            "{\"foo\": \"boo\"},"
            "{\"jsonrpc\":\"2.0\",\"method\":\"foo.get\",\"params\":{\"name\":\"myself\"},\"id\":\"5\"},"
            "{\"jsonrpc\":\"2.0\",\"method\":\"daemon.info\",\"id\":\"9\"}]");
        _cleanup_json_ json_t *three = client_ask(&w, fd, "[1,2,3]");
        char big[CONTROL_BATCH_MAX * 2 + 8] = "[1";

        ck_assert_uint_eq(json_array_size(answer), 5);
        ck_assert_int_eq(at_int(answer, "2.error.code"), -32600);
        ck_assert_int_eq(at_int(answer, "3.error.code"), -32601);
        ck_assert_str_eq(at_string(answer, "3.id"), "5");
        ck_assert_int_eq(at_int(answer, "4.result.limits.message_bytes"), 65536);
        ck_assert_uint_eq(json_array_size(three), 3);
        for (unsigned i = 0; i < CONTROL_BATCH_MAX; i++)
                memcpy(big + 2 + i * 2, ",1", 3);
        strncat(big, "]", 2);
        {
                _cleanup_json_ json_t *refused = client_ask(&w, fd, big);

                ck_assert_str_eq(at_string(refused, "error.data.name"), "limit");
        }
}
END_TEST

/* A member of a batch that has to wait holds the batch back, nothing else. */
START_TEST(test_batch_that_waits) {
        add_pool("slow", "/stay", 1, "");
        client_send(&w, fd, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\",\"params\":{\"select\":\"slow\"}},"
                            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"status\"}]\n");
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"status\"}");

                ck_assert_int_eq(at_int(answer, "id"), 3);
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"method\":\"stop\",\"params\":[\"slow\"]}");

                ck_assert_uint_eq(json_array_size(answer), 2);
                ck_assert_int_eq(at_int(answer, "1.result.workers.0.exitcode"), -15);
        }
}
END_TEST

/* ---- parameters ---- */

static const struct {
        const char *method, *params, *name, *part;
} refusals[] = {
        {"status", "{\"selekt\":\"x\"}", "invalid", "did you mean \\\"select\\\"?"},
        {"status", "{\"select\":7}", "invalid", "\\\"select\\\" must be a string or an array of strings"},
        {"status", "[\"all\",true,2]", "invalid", "at most 2 parameters"},
        {"stop", "{}", "invalid", "\\\"select\\\" is missing"},
        {"stop", "{\"select\":\"wob\"}", "not-found", "did you mean \\\"web\\\"?"},
        {"stop", "{\"select\":\"web/9\"}", "not-found", "web/9"},
        {"stop", "{\"select\":\"web\",\"timeout\":\"soon\"}", "invalid", "\\\"timeout\\\" must be a duration"},
        {"kill", "{\"select\":\"web\",\"signal\":\"NOSUCH\"}", "invalid", "\\\"signal\\\" must be a signal"},
        {"wait", "{}", "invalid", "not both"},
        {"wait", "{\"select\":\"web\",\"for\":\"redy\"}", "invalid", "did you mean \\\"ready\\\"?"},
        {"scale", "{\"pool\":\"nope\",\"workers\":1}", "not-found", "nope"},
        {"scale", "{\"pool\":\"web\",\"workers\":-1}", "invalid", "workers"},
        {"run", "{}", "invalid", "command"},
        {"run", "{\"command\":[\"/stay\"],\"comand\":1}", "invalid", "comand"},
        {"run", "{\"command\":[\"/stay\"],\"stdin\":\"relative\"}", "invalid", "absolute"},
        {"run", "{\"command\":[\"/stay\"],\"name\":\"web\"}", "exists", "web"},
        {"run", "{\"command\":[\"/stay\"],\"name\":\"Bad Name\"}", "invalid", "name"},
        {"run", "{\"command\":[\"/fail\"],\"name\":\"bad\"}", "failed", "/fail: No such file or directory"},
        {"logs", "{\"select\":\"web\",\"stream\":\"stdin\"}", "invalid", "stdout, stderr or both"},
        {"events", "{\"types\":\"worker.exitd\"}", "invalid", "did you mean \\\"worker.exited\\\"?"},
        {"events", "{\"since\":99999}", "invalid", "99999"},
        {"events", "{\"since\":0,\"snapshot\":true}", "invalid", "exclude each other"},
        {"pool.add", "{\"name\":\"web\",\"command\":[\"/stay\"]}", "exists", "web"},
        {"pool.remove", "{\"pool\":\"wob\"}", "not-found", "did you mean \\\"web\\\"?"},
        {"config.chek", "{}", "not-found", "did you mean \\\"config.check\\\"?"},
};

START_TEST(test_refusals) {
        _cleanup_free_ char *text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}",
                                                 refusals[_i].method, refusals[_i].params);
        _cleanup_free_ char *line = NULL;

        add_pool("web", "/stay", 1, "");
        client_send(&w, fd, text);
        client_send(&w, fd, "\n");
        line = client_line(&w, fd);
        ck_assert_ptr_nonnull(line);
        if (!strstr(line, refusals[_i].part) || !strstr(line, "\"error\""))
                ck_abort_msg("%s\n  gives %s\n  without %s", text, line, refusals[_i].part);
        text = (free(text), alloc_printf("\"data\":{\"name\":\"%s\"", refusals[_i].name));
        if (!strstr(line, text))
                ck_abort_msg("%s: not %s", line, refusals[_i].name);
}
END_TEST

/* ---- start, stop, restart, wait ---- */

START_TEST(test_start_stop) {
        add_pool("web", "/stay", 2, ",\"autostart\":false");
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"start\",\"params\":{\"select\":\"web\"}}");

                ck_assert_uint_eq(json_array_size(at(answer, "result.workers")), 2);
                ck_assert_str_eq(at_string(answer, "result.workers.1.state"), "running");
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"restart\",\"params\":{\"select\":\"web/1\"}}");

                ck_assert_str_eq(at_string(answer, "result.workers.0.state"), "running");
                ck_assert_int_eq(at_int(answer, "result.workers.0.pid"), 10003);
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"stop\",\"params\":{\"select\":[\"web/0\",\"web/1\"]}}");

                ck_assert_str_eq(at_string(answer, "result.workers.0.state"), "stopped");
                ck_assert_int_eq(at_int(answer, "result.workers.1.exitcode"), -15);
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"wait\",\"params\":{\"select\":\"web\",\"for\":\"exit\"}}");

                ck_assert_int_eq(at_int(answer, "result.workers.0.exitcode"), -15); /* ended already: at once */
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"wait\",\"params\":{\"select\":\"web\",\"for\":\"ready\"}}");

                ck_assert_str_eq(at_string(answer, "error.data.name"), "failed");
        }
}
END_TEST

START_TEST(test_start_that_fails) {
        add_pool("bad", "/fail", 3, ",\"autostart\":false");
        ASK("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"start\",\"params\":{\"select\":\"bad\"}}");

        ck_assert_str_eq(at_string(answer, "error.data.name"), "failed");
        ck_assert_ptr_nonnull(strstr(at_string(answer, "error.message"), "bad/0"));
        ck_assert_ptr_nonnull(strstr(at_string(answer, "error.message"), "No such file or directory"));
        ck_assert_ptr_nonnull(strstr(at_string(answer, "error.message"), "(and 2 more)"));
        ck_assert_uint_eq(json_array_size(at(answer, "error.data.failed")), 3);
}
END_TEST

START_TEST(test_timeout) {
        add_pool("mule", "/stubborn", 1, "");
        ASK("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\",\"params\":{\"select\":\"mule\",\"timeout\":\"5ms\"}}");

        ck_assert_str_eq(at_string(answer, "error.data.name"), "timeout");
        ck_assert_str_eq(at_string(answer, "error.data.missing.0"), "mule/0");
        ck_assert_ptr_nonnull(strstr(at_string(answer, "error.message"), "mule/0 is stopping"));
}
END_TEST

START_TEST(test_wait_no_wait_and_cancel) {
        add_pool("web", "/stay", 1, "");
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\",\"params\":{\"select\":\"web\",\"timeout\":0}}");

                ck_assert_str_eq(at_string(answer, "error.data.name"), "timeout");
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"stop\",\"params\":{\"select\":\"web\",\"wait\":false}}");

                ck_assert_str_eq(at_string(answer, "result.workers.0.state"), "stopping");
        }
        world_run(&w);
        add_pool("other", "/stay", 1, "");
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":\"w\",\"method\":\"wait\",\"params\":{\"select\":\"other\"}}\n");
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"call.cancel\",\"params\":{\"id\":\"w\"}}");
                _cleanup_json_ json_t *second = client_json(&w, fd);

                ck_assert_str_eq(at_string(answer, "id"), "w");
                ck_assert_str_eq(at_string(answer, "error.data.name"), "cancelled");
                ck_assert(json_is_true(at(second, "result.cancelled")));
        }
}
END_TEST

/* A worker that restarts for ever: wait means its next end, and not the one before. */
START_TEST(test_wait_for_next_end) {
        add_pool("web", "/stay", 1, ",\"restart\":{\"delay\":0}");
        world_end(&w, 10001, 3);
        world_run(&w);
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\",\"params\":{\"select\":\"web\"}}\n");
        ck_assert_ptr_null(client_json(&w, fd));
        world_end(&w, 10002, 7);
        {
                _cleanup_json_ json_t *answer = client_json(&w, fd);

                ck_assert_int_eq(at_int(answer, "result.workers.0.last_exit.exitcode"), 7);
        }
}
END_TEST

START_TEST(test_kill) {
        add_pool("web", "/stay", 2, ",\"restart\":{\"delay\":0}");
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"kill\",\"params\":{\"select\":\"web\"}}");

                ck_assert_int_eq(at_int(answer, "result.signalled"), 2);
        }
        world_run(&w);
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"status\",\"params\":{\"select\":\"web/0\"}}");

                ck_assert_str_eq(at_string(answer, "result.pools.0.workers.0.state"), "running"); /* by its policy */
                ck_assert_int_eq(at_int(answer, "result.pools.0.workers.0.last_exit.exitcode"), -9);
                ck_assert_uint_eq(json_array_size(at(answer, "result.pools.0.workers")), 1);
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"terminate\",\"params\":[\"web/0\",\"USR1\"]}");

                ck_assert_int_eq(at_int(answer, "result.signalled"), 1);
        }
}
END_TEST

START_TEST(test_scale_and_remove) {
        add_pool("web", "/stay", 1, "");
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"scale\",\"params\":{\"pool\":\"web\",\"workers\":3}}");

                ck_assert_uint_eq(json_array_size(at(answer, "result.workers")), 3);
                ck_assert_str_eq(at_string(answer, "result.workers.2.state"), "running");
                ck_assert_int_eq(at_int(answer, "result.workers.0.pid"), 10001);
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"scale\",\"params\":[\"web\",0]}");

                ck_assert_uint_eq(json_array_size(at(answer, "result.workers")), 0);
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"status\",\"params\":{\"select\":\"web\"}}");

                ck_assert_str_eq(at_string(answer, "result.pools.0.name"), "web");
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"scale\",\"params\":[\"web\",2]}");

                ck_assert_uint_eq(json_array_size(at(answer, "result.workers")), 2);
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"pool.remove\",\"params\":{\"pool\":\"web\"}}");

                ck_assert_uint_eq(json_array_size(at(answer, "result.workers")), 2);
                ck_assert_str_eq(at_string(answer, "result.workers.0.state"), "stopped");
        }
        ck_assert_ptr_null(pool_find(w.pools, "web"));
        add_pool("web", "/stay", 1, "");
}
END_TEST

START_TEST(test_what_leaves_is_not_waited_for) {
        add_pool("web", "/stay", 1, "");
        add_pool("old", "/stay", 1, "");
        client_send(&w, fd, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pool.remove\",\"params\":[\"old\",false]},"
                            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"wait\",\"params\":{\"select\":\"all\",\"for\":\"ready\"}},"
                            "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"start\",\"params\":[\"all\"]}]\n");
        {
                _cleanup_json_ json_t *answer = client_json(&w, fd);

                ck_assert_uint_eq(json_array_size(answer), 3);
                for (int i = 0; i < 3; i++) {
                        ck_assert_ptr_nonnull(at(json_array_get(answer, i), "result"));
                        if (i > 0)
                                ck_assert_str_eq(at_string(json_array_get(answer, i), "result.workers.0.pool"), "web");
                }
        }
}
END_TEST

/* ---- run ---- */

START_TEST(test_a_brief_wait) {
        _cleanup_json_ json_t *want = json_pack("{s:[{s:s,s:s,s:i}]}", "workers", "name", "job", "state", "exited", "exitcode", 3);

        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"run\",\"params\":{\"command\":[\"/exit\",\"3\"],\"name\":\"job\"}}\n"
                            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"wait\",\"params\":{\"process\":\"job\",\"brief\":true}}\n");
        {
                _cleanup_json_ json_t *run = client_json(&w, fd), *wait = client_json(&w, fd);

                ck_assert_str_eq(at_string(run, "result.process"), "job");
                ck_assert(json_equal(json_object_get(wait, "result"), want));
        }
}
END_TEST

START_TEST(test_a_run_that_waits) {
        _cleanup_json_ json_t *want = json_pack("{s:[{s:s,s:s,s:i}]}", "workers", "name", "job", "state", "exited", "exitcode", 3);

        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"run\",\"params\":{\"command\":[\"/exit\",\"3\"],\"name\":\"job\",\"wait\":true}}\n"
                            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"run\",\"params\":{\"command\":[\"/fail\"],\"name\":\"bad\",\"wait\":true}}\n");
        {
                _cleanup_json_ json_t *one = client_json(&w, fd), *other = client_json(&w, fd);
                bool in_order = at_int(one, "id") == 1;

                ck_assert(json_equal(json_object_get(in_order ? one : other, "result"), want));
                ck_assert_str_eq(at_string(in_order ? other : one, "error.data.name"), "failed");
        }
}
END_TEST

START_TEST(test_run_and_wait) {
        /* both in one write, as libdrover does */
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"run\",\"params\":{\"command\":[\"/exit\",\"3\"],\"name\":\"job\"}}\n"
                            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"wait\",\"params\":{\"process\":\"job\"}}\n");
        {
                _cleanup_json_ json_t *run = client_json(&w, fd), *wait = client_json(&w, fd);

                ck_assert_str_eq(at_string(run, "result.process"), "job");
                ck_assert_int_eq(at_int(run, "result.pid"), 10001);
                ck_assert_str_eq(at_string(wait, "result.workers.0.name"), "job");
                ck_assert_int_eq(at_int(wait, "result.workers.0.exitcode"), 3);
                ck_assert_str_eq(at_string(wait, "result.workers.0.state"), "exited");
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"run\",\"params\":[[\"/stay\"]]}");

                ck_assert_str_eq(at_string(answer, "result.process"), "run-1");
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"run\",\"params\":{\"command\":[\"/exit\",\"0\"],\"name\":\"job\"}}");

                ck_assert_int_eq(at_int(answer, "result.pid"), 10003); /* the name of an ended one is free */
        }
}
END_TEST

START_TEST(test_daemon_dies_with_its_connection) {
        int second = client_connect(&w);
        _cleanup_json_ json_t *run = client_ask(&w, second, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"run\",\"params\":"
                                                            "{\"command\":[\"/stay\"],\"name\":\"child\",\"daemon\":true}}");
        _cleanup_json_ json_t *other = client_ask(&w, second, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"run\",\"params\":"
                                                              "{\"command\":[\"/stay\"],\"name\":\"free\"}}");

        ck_assert_int_gt(at_int(run, "result.pid"), 0);
        ck_assert_int_gt(at_int(other, "result.pid"), 0);
        fd_close(second);
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"wait\",\"params\":{\"process\":\"child\"}}");

                ck_assert_int_eq(at_int(answer, "result.workers.0.exitcode"), -15);
                ck_assert(json_is_true(at(answer, "result.workers.0.daemon")));
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"status\",\"params\":{\"select\":\"free\"}}");

                ck_assert_str_eq(at_string(answer, "result.pools.0.workers.0.state"), "running");
        }
}
END_TEST

/* ---- logs and events ---- */

START_TEST(test_logs) {
        static const char *const lines[] = {"one", "tw\xffo", NULL};

        add_pool("web", "/stay", 1, "");
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":\"L\",\"method\":\"logs\",\"params\":{\"select\":\"web\",\"lines\":5}}\n");
        world_run(&w);
        ck_assert_uint_eq(w.log_read.read.n_lines, 5);
        world_log(&w, lines, true);
        {
                _cleanup_json_ json_t *a = client_json(&w, fd), *b = client_json(&w, fd), *end = client_json(&w, fd);

                ck_assert_str_eq(at_string(a, "method"), "log");
                ck_assert_str_eq(at_string(a, "params.call"), "L");
                ck_assert_str_eq(at_string(a, "params.worker"), "web/0");
                ck_assert_str_eq(at_string(a, "params.stream"), "stdout");
                ck_assert_str_eq(at_string(a, "params.line"), "one");
                ck_assert_str_eq(at_string(b, "params.line"), "tw\xef\xbf\xbdo");
                ck_assert_int_eq(at_int(end, "result.lines"), 2);
        }
}
END_TEST

START_TEST(test_logs_follow_and_cancel) {
        static const char *const lines[] = {"one", NULL};

        add_pool("web", "/stay", 1, "");
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logs\",\"params\":{\"select\":\"web\",\"follow\":true}}\n");
        world_run(&w);
        world_log(&w, lines, false);
        {
                _cleanup_json_ json_t *a = client_json(&w, fd);

                ck_assert_str_eq(at_string(a, "params.line"), "one");
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"call.cancel\",\"params\":[1]}");
                _cleanup_json_ json_t *second = client_json(&w, fd);

                ck_assert_int_eq(at_int(answer, "id"), 1);
                ck_assert_int_eq(at_int(answer, "result.lines"), 1);
                ck_assert_int_eq(at_int(second, "id"), 2);
        }
}
END_TEST

/* A group of imported pools, by its name or as supervisord writes it. */
START_TEST(test_group_is_offered) {
        static const char *const names[] = {"site", "site:web", "site:*"};

        add_pool("site.web", "/stay", 1, "");
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_free_ char *text = alloc_printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"select\":\"%s\"}}", names[i]);
                ASK(text);

                ck_assert_str_eq(at_string(answer, "error.data.name"), "not-found");
                ck_assert_ptr_nonnull(strstr(at_string(answer, "error.message"), "did you mean \"site.*\"?"));
        }
}
END_TEST

START_TEST(test_events) {
        add_pool("web", "/stay", 1, "");
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":{\"types\":[\"pool.*\"]}}\n");
        {
                _cleanup_json_ json_t *a = client_json(&w, fd), *end = client_json(&w, fd);

                ck_assert_str_eq(at_string(a, "params.event"), "pool.added");
                ck_assert_int_eq(at_int(a, "params.call"), 1);
                ck_assert_int_eq(at_int(end, "result.last"), (json_int_t) hub_last_seq(w.hub));
        }
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"events\",\"params\":{\"follow\":true,\"select\":\"web/*\"}}\n");
        world_run(&w);
        world_end(&w, 10001, 1);
        {
                _cleanup_json_ json_t *a = client_json(&w, fd);

                ck_assert_str_eq(at_string(a, "params.event"), "worker.exited");
                ck_assert_str_eq(at_string(a, "params.worker"), "web/0");
        }
}
END_TEST

/* First what is, with its number; then what changes it: neither a gap nor a double. */
START_TEST(test_events_snapshot) {
        add_pool("web", "/stay", 2, "");
        add_pool("db", "/stay", 1, "");
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":{\"snapshot\":true,\"follow\":true,"
                            "\"types\":[\"worker.*\"],\"select\":[\"web/1\",\"db\"]}}\n");
        world_run(&w);
        {
                _cleanup_json_ json_t *a = client_json(&w, fd);

                ck_assert_str_eq(at_string(a, "method"), "event");
                ck_assert_int_eq(at_int(a, "params.call"), 1);
                ck_assert_str_eq(at_string(a, "params.event"), "snapshot");
                ck_assert_int_eq(at_int(a, "params.seq"), (json_int_t) hub_last_seq(w.hub));
                ck_assert_uint_eq(json_array_size(at(a, "params.pools")), 2);
                ck_assert_str_eq(at_string(a, "params.pools.0.name"), "db");
                ck_assert_uint_eq(json_array_size(at(a, "params.pools.1.workers")), 1);
                ck_assert_str_eq(at_string(a, "params.pools.1.workers.0.name"), "web/1");
                ck_assert_str_eq(at_string(a, "params.pools.1.workers.0.state"), "running");
        }
        hub_emit(w.hub, EVENT_POOL_SCALED, "db", NULL, NULL);
        hub_emit(w.hub, EVENT_WORKER_PAUSED, "web", "web/0", NULL);
        hub_emit(w.hub, EVENT_WORKER_PAUSED, "web", "web/1", NULL);
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"daemon.info\"}\n");
        {
                _cleanup_json_ json_t *a = client_json(&w, fd);

                ck_assert_str_eq(at_string(a, "params.event"), "worker.paused");
                ck_assert_str_eq(at_string(a, "params.worker"), "web/1");
                ck_assert_int_eq(at_int(a, "params.seq"), (json_int_t) hub_last_seq(w.hub));
        }
}
END_TEST

/* Who missed something is given the state again, so that he need not ask. */
START_TEST(test_events_snapshot_after_gap) {
        _cleanup_free_ char *data = alloc_printf("{\"text\":\"%0*d\"}", 2000, 0);
        json_int_t last = 0;
        int n_gaps = 0, n_snapshots = 0;

        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":{\"snapshot\":true,\"follow\":true}}\n");
        world_run(&w);
        for (int i = 0; i < 3000; i++) {
                hub_emit(w.hub, EVENT_POOL_SCALED, "web", NULL, data);
                if (i % 100 == 0)
                        world_run(&w);
        }
        while (last < 3000) {
                _cleanup_json_ json_t *a = client_json(&w, fd);

                if (!a)
                        ck_abort_msg("nothing after %lld", (long long) last);
                if (streq(at_string(a, "method"), "gap")) {
                        ck_assert_int_eq(at_int(a, "params.from"), last + 1);
                        last = at_int(a, "params.to");
                        n_gaps++;
                } else if (streq(at_string(a, "params.event"), "snapshot")) {
                        ck_assert_int_eq(n_snapshots++, n_gaps);
                        ck_assert_int_ge(at_int(a, "params.seq"), last);
                        last = at_int(a, "params.seq");
                } else {
                        ck_assert_int_eq(n_snapshots, n_gaps + 1);
                        ck_assert_int_eq(at_int(a, "params.seq"), ++last);
                }
        }
        ck_assert_int_gt(n_gaps, 0);
        ck_assert_int_eq(n_snapshots, n_gaps + 1);
}
END_TEST

/* A subscriber that does not read is told what it missed. */
START_TEST(test_events_gap) {
        _cleanup_free_ char *data = alloc_printf("{\"text\":\"%0*d\"}", 2000, 0);
        json_int_t last = 0, lost = 0;

        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":{\"since\":0,\"follow\":true}}\n");
        world_run(&w);
        for (int i = 0; i < 3000; i++) {
                hub_emit(w.hub, EVENT_POOL_SCALED, "web", NULL, data);
                if (i % 100 == 0)
                        world_run(&w);
        }
        while (last < 3000) {
                _cleanup_json_ json_t *a = client_json(&w, fd);

                if (!a)
                        ck_abort_msg("nothing after %lld", (long long) last);
                if (streq(at_string(a, "method"), "gap")) {
                        ck_assert_int_eq(at_int(a, "params.from"), last + 1);
                        lost += at_int(a, "params.lost");
                        last = at_int(a, "params.to");
                } else {
                        ck_assert_int_eq(at_int(a, "params.seq"), last + 1);
                        last++;
                }
        }
        ck_assert_int_gt(lost, 0);
}
END_TEST

/* ---- the daemon ---- */

START_TEST(test_daemon_methods) {
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.info\"}");

                ck_assert_str_eq(at_string(answer, "result.version"), "test");
                ck_assert_int_eq(at_int(answer, "result.connections"), 1);
                ck_assert_int_eq(at_int(answer, "result.limits.calls_in_flight"), CONTROL_CALLS_MAX);
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"config.check\"}");

                ck_assert(json_is_true(at(answer, "result.ok")));
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"config.apply\"}");

                ck_assert(json_is_array(at(answer, "result.changes")));
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"logs.reopen\"}");

                ck_assert(json_is_object(at(answer, "result")));
                ck_assert_int_eq(w.n_reopen, 1);
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"daemon.shutdown\"}");

                ck_assert_int_eq(w.n_shutdown, 1);
                ck_assert(json_is_true(at(answer, "result.stopping")));
        }
        control_begin_shutdown(w.control);
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"run\",\"params\":{\"command\":[\"/stay\"]}}");

                ck_assert_str_eq(at_string(answer, "error.data.name"), "shutting-down");
        }
        {
                ASK("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"status\"}");

                ck_assert(json_is_array(at(answer, "result.pools")));
        }
}
END_TEST

/* Every method is described, in the same order of parameters as clients have it. */
START_TEST(test_discover) {
        ASK("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}");
        json_t *found = at(answer, "result.methods");

        ck_assert_uint_eq(json_array_size(found), _METHOD_MAX);
        for (size_t i = 0; i < _METHOD_MAX; i++) {
                json_t *m = json_array_get(found, i), *params = json_object_get(m, "params");

                ck_assert_str_eq(at_string(m, "name"), protocol_methods[i].name);
                ck_assert(*at_string(m, "summary") && *at_string(m, "result.description"));
                for (size_t k = 0; k < json_array_size(params) || protocol_methods[i].params[k]; k++) {
                        json_t *param = json_array_get(params, k);

                        ck_assert_ptr_nonnull(protocol_methods[i].params[k]);
                        ck_assert_str_eq(at_string(param, "name"), protocol_methods[i].params[k]);
                        ck_assert(*at_string(param, "description"));
                        ck_assert(json_is_object(json_object_get(param, "schema")));
                }
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("control");
        TCase *t = tcase_create("all");
        SRunner *sr;
        int n;

        tcase_set_timeout(t, 30);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, test_specification, 0, ARRAY_SIZE(examples));
        tcase_add_test(t, test_batches);
        tcase_add_test(t, test_batch_that_waits);
        tcase_add_loop_test(t, test_refusals, 0, ARRAY_SIZE(refusals));
        tcase_add_test(t, test_start_stop);
        tcase_add_test(t, test_start_that_fails);
        tcase_add_test(t, test_timeout);
        tcase_add_test(t, test_wait_no_wait_and_cancel);
        tcase_add_test(t, test_wait_for_next_end);
        tcase_add_test(t, test_kill);
        tcase_add_test(t, test_scale_and_remove);
        tcase_add_test(t, test_what_leaves_is_not_waited_for);
        tcase_add_test(t, test_a_brief_wait);
        tcase_add_test(t, test_a_run_that_waits);
        tcase_add_test(t, test_run_and_wait);
        tcase_add_test(t, test_daemon_dies_with_its_connection);
        tcase_add_test(t, test_logs);
        tcase_add_test(t, test_logs_follow_and_cancel);
        tcase_add_test(t, test_events);
        tcase_add_test(t, test_group_is_offered);
        tcase_add_test(t, test_events_gap);
        tcase_add_test(t, test_events_snapshot);
        tcase_add_test(t, test_events_snapshot_after_gap);
        tcase_add_test(t, test_daemon_methods);
        tcase_add_test(t, test_discover);
        suite_add_tcase(s, t);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_NORMAL);
        n = srunner_ntests_failed(sr);
        srunner_free(sr);
        return n > 0;
}
