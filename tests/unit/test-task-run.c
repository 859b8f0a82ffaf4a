/* test-task-run.c - requests to a module's targets and their answers; the loop of a worker over a real socket. */
#include "drover.h"
#include "worker/module.h"
#include "worker/task-run.h"
#include "worker/taskio.h"

#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static json_t *square(drover_task *task, json_t *args, json_t *kwargs) {
        json_t *x = json_array_get(args, 0), *base = json_object_get(kwargs, "base");

        if (!json_is_integer(x))
                return drover_raise(task, "TypeError", "%s() takes an integer, not \"%s\"", drover_task_target(task),
                                    json_string_value(x));
        return json_integer(json_integer_value(x) * json_integer_value(x) + json_integer_value(base));
}

static json_t *nothing(drover_task *task, json_t *args, json_t *kwargs) {
        return NULL;
}

static json_t *nan_(drover_task *task, json_t *args, json_t *kwargs) {
        return json_real(NAN);
}

static json_t *cycle(drover_task *task, json_t *args, json_t *kwargs) {
        static json_t *a, *b;

        if (!a) {
                a = json_array();
                b = json_array();
                (void) json_array_append(a, b);
                (void) json_array_append(b, a);
        }
        return json_incref(a);
}

static json_t *echo(drover_task *task, json_t *args, json_t *kwargs) {
        return json_pack("[O,O]", args, kwargs);
}

static json_t *count(drover_task *task, json_t *args, json_t *kwargs) {
        return json_integer(++*(int *) drover_task_state(task));
}

static json_t *leave(drover_task *task, json_t *args, json_t *kwargs) {
        exit((int) json_integer_value(json_array_get(args, 0)));
}

static json_t *stuck(drover_task *task, json_t *args, json_t *kwargs) {
        (void) raise(SIGUSR2);
        return json_null();
}

static const drover_target targets[] = {
        {"square", square, "x * x + base"}, {"nothing", nothing, NULL}, {"nan", nan_, NULL}, {"cycle", cycle, NULL},
        {"echo", echo, NULL},               {"count", count, NULL},     {"leave", leave, NULL}, {"stuck", stuck, NULL},
        {NULL},
};
static const drover_module math = {.abi = DROVER_MODULE_ABI, .name = "math", .targets = targets};
static const TaskRunner plain = {.module = &math};

static const struct {
        const char *request, *answer; /* the answer up to the traceback, which has addresses */
} exchanges[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"square\",\"params\":{\"args\":[5],\"kwargs\":{}}}",
         "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":25}\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"square\",\"params\":{\"args\":[5],\"kwargs\":{\"base\":2}}}",
         "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":27}\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"square\",\"params\":[6]}", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":36}\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[[],{}]}\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"args\":[\"\\u00e9\\n\",null,1.5]}}",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[[\"\xc3\xa9\\n\",null,1.5],{}]}\n"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"square\",\"params\":[6]}", ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"square\",\"params\":[\"x\"]}",
         "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1,\"message\":\"TypeError: square() takes an integer, not \\\"x\\\"\",\"data\":"
         "{\"type\":\"TypeError\",\"traceback\":\"#0 "},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"nothing\"}",
         "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1,\"message\":\"RuntimeError: it returned NULL and raised nothing: "},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"nan\"}",
         "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1,\"message\":\"RuntimeError: it returned NULL and raised nothing: "},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"cycle\"}",
         "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1,\"message\":\"TypeError: the result cannot be written as JSON: "},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"sqare\"}",
         "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32601,\"message\":\"math has no target \\\"sqare\\\"; did you mean \\\"square\\\"?\"}}\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"square\",\"params\":{\"args\":5}}",
         "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32602,"},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":5}", "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32600,"},
        {"[]", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
        {"nonsense", "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"},
        {"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"square\",\"params\":{\"items\":[1,2,3]}}",
         "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{\"items\":[1,4,9]}}\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"square\",\"params\":{\"items\":[]}}",
         "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{\"items\":[]}}\n"},
        {"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"square\",\"params\":{\"items\":[1,\"x\",3,\"y\"]}}",
         "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{\"items\":[1,null,9,null],\"errors\":{\"1\":{\"code\":1,\"message\":\"TypeError: "},
};

START_TEST(an_exchange) {
        Text out = {0};
        size_t n = strlen(exchanges[_i].answer);
        bool is_whole = n == 0 || exchanges[_i].answer[n - 1] == '\n';

        ck_assert_int_eq(task_run(&plain, exchanges[_i].request, strlen(exchanges[_i].request), &out), 0);
        if (is_whole)
                ck_assert_str_eq(out.data ? out.data : "", exchanges[_i].answer);
        else {
                json_t *o = json_loads(out.data, 0, NULL);

                ck_assert_ptr_nonnull(o);
                json_decref(o);
                ck_assert_msg(strncmp(out.data, exchanges[_i].answer, n) == 0, "%s", out.data);
                ck_assert_ptr_eq(strchr(out.data, '\n'), out.data + out.length - 1);
        }
        text_done(&out);
}
END_TEST

START_TEST(a_traceback_names_the_target) {
        Text out = {0};
        const char *request = "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"square\",\"params\":[null]}";
        json_t *o;
        const char *traceback;

        ck_assert_int_eq(task_run(&plain, request, strlen(request), &out), 0);
        o = json_loads(out.data, 0, NULL);
        traceback = json_string_value(json_object_get(json_object_get(json_object_get(o, "error"), "data"), "traceback"));
        ck_assert_msg(strncmp(traceback, "#0 square (", 11) == 0, "%s", traceback);
        ck_assert_msg(strstr(traceback, "test-task-run.c:"), "%s", traceback);
        json_decref(o);
        text_done(&out);
}
END_TEST

START_TEST(calls_are_counted_on_the_page) {
        static TaskPage page;
        int state = 0;
        const TaskRunner runner = {.module = &math, .state = &state, .page = &page};
        Text out = {0};
        const char *request = "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"count\",\"params\":{\"items\":[0,0,0]}}";

        ck_assert_int_eq(task_run(&runner, request, strlen(request), &out), 0);
        ck_assert_str_eq(out.data, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"items\":[1,2,3]}}\n");
        ck_assert_uint_eq(page.n_started, 3);
        ck_assert_uint_eq(page.n_done, 3);
        ck_assert_uint_eq(page.n_kept, out.length);
        ck_assert_int_eq(memcmp(page.kept, out.data, out.length), 0);
        text_done(&out);
}
END_TEST

static const struct {
        const char *before, *after; /* in the page when the fourth item is begun; added by then */
} in_the_making[] = {
        {"[1,2,3,0]", "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"items\":[1,4,9"},
        {"[1,\"x\",3,0]", "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"from\":2,\"items\":[9"},
};

/* Dies of 0, of all others makes a square. */
static json_t *square_or_die(drover_task *task, json_t *args, json_t *kwargs) {
        if (json_is_integer(json_array_get(args, 0)) && json_integer_value(json_array_get(args, 0)) == 0)
                (void) raise(SIGKILL);
        return square(task, args, kwargs);
}

START_TEST(finished_items_outlive_the_worker) {
        static const drover_target mortal[] = {{"square", square_or_die, NULL}, {NULL}};
        static const drover_module module = {.abi = DROVER_MODULE_ABI, .name = "math", .targets = mortal};
        TaskPage *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        const TaskRunner runner = {.module = &module, .page = page};
        const char *last;
        char request[128];
        int status;
        pid_t pid;
        Text out = {0};

        (void) snprintf(request, sizeof request, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"square\",\"params\":{\"items\":%s}}",
                        in_the_making[_i].before);
        pid = fork();
        if (pid == 0)
                _exit(task_run(&runner, request, strlen(request), &out));
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        ck_assert_uint_eq(page->n_started, 4);
        last = memrchr(page->kept, '\n', page->n_kept);
        last = last ? last + 1 : page->kept;
        ck_assert_str_eq(last, in_the_making[_i].after);
        (void) munmap(page, sizeof *page);
}
END_TEST

static const struct {
        const char *text;
        int r;
        __int128 value;
} integers[] = {
        {"0", 0, 0},
        {"-1", 0, -1},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"21333325333334000000", 0, (__int128) 21333325333334 * 1000000},
        {"170141183460469231731687303715884105727", 0, (__int128) (~(unsigned __int128) 0 >> 1)},
        {"-170141183460469231731687303715884105728", 0, -(__int128) (~(unsigned __int128) 0 >> 1) - 1},
        {"170141183460469231731687303715884105728", -ERANGE, 0},
        {"-170141183460469231731687303715884105729", -ERANGE, 0},
        {"99999999999999999999999999999999999999999999", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"1.5", -EINVAL, 0},
        {" 1", -EINVAL, 0},
};

START_TEST(an_integer_of_any_size) {
        json_t *o = json_string(integers[_i].text), *back;
        __int128 v = 42;

        ck_assert_int_eq(drover_integer_value(o, &v), integers[_i].r);
        ck_assert(v == (integers[_i].r == 0 ? integers[_i].value : 42));
        json_decref(o);
        if (integers[_i].r < 0)
                return;
        back = drover_integer(v);
        ck_assert_int_eq(drover_integer_value(back, &v), 0);
        ck_assert(v == integers[_i].value);
        ck_assert_int_eq(json_is_integer(back), v >= INT64_MIN && v <= INT64_MAX);
        if (json_is_string(back))
                ck_assert_str_eq(json_string_value(back), integers[_i].text);
        json_decref(back);
}
END_TEST

START_TEST(tables_that_are_none) {
        static const drover_target none[] = {{NULL}}, no_function[] = {{"x", NULL, NULL}, {NULL}};
        static const drover_module bad[] = {
                {.abi = 77, .name = "m", .targets = targets},
                {.abi = DROVER_MODULE_ABI, .name = "m", .targets = none},
                {.abi = DROVER_MODULE_ABI, .name = "m", .targets = no_function},
                {.abi = DROVER_MODULE_ABI, .targets = targets},
        };
        const drover_module *m = NULL;
        Text error = {0};

        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                ck_assert_int_eq(module_check(&bad[i], &error), -EINVAL);
        ck_assert_int_eq(module_check(&math, &error), 0);
        text_clear(&error);
        ck_assert_int_eq(module_open("/nonexistent/m.so", &m, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.data, "/nonexistent/m.so"));
        text_clear(&error);
        ck_assert_int_eq(module_open("libc.so.6", &m, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.data, DROVER_MODULE_SYMBOL));
        text_done(&error);
}
END_TEST

/* ---- a worker over its channel ---- */

static int *ended; /* shared with the worker's process: what its exit() was given */

static int init(void **ret_state) {
        static int state = 100;

        *ret_state = &state;
        return 0;
}

static void leave_in_order(void *state) {
        *ended = *(int *) state;
}

static int refuse(void **ret_state) {
        return -EACCES;
}

typedef struct WorkerProcess {
        pid_t pid;
        int fd, err_fd;
        FILE *in;
} WorkerProcess;

static WorkerProcess start_worker(const drover_module *m) {
        int pair[2], err[2];
        WorkerProcess w;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        ck_assert_int_eq(pipe(err), 0);
        w.pid = fork();
        ck_assert_int_ge(w.pid, 0);
        if (w.pid == 0) {
                char number[12];

                (void) close(pair[0]);
                (void) dup2(err[1], STDERR_FILENO);
                (void) snprintf(number, sizeof number, "%d", pair[1]);
                (void) setenv("DROVER_TASKS_FD", number, 1);
                _exit(drover_worker_run(m));
        }
        (void) close(pair[1]);
        (void) close(err[1]);
        w.fd = pair[0];
        w.err_fd = err[0];
        w.in = fdopen(dup(w.fd), "r");
        return w;
}

static int end_worker(WorkerProcess *w) {
        int status;

        (void) shutdown(w->fd, SHUT_WR);
        ck_assert_int_eq(waitpid(w->pid, &status, 0), w->pid);
        (void) fclose(w->in);
        (void) close(w->fd);
        (void) close(w->err_fd);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void say(WorkerProcess *w, const char *text) {
        ck_assert_int_eq(send(w->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t) strlen(text));
}

static void hear(WorkerProcess *w, const char *expected) {
        char *line = NULL;
        size_t size = 0;

        ck_assert_int_gt(getline(&line, &size, w->in), 0);
        ck_assert_msg(strncmp(line, expected, strlen(expected)) == 0, "%s", line);
        free(line);
}

static const drover_module with_state = {
        .abi = DROVER_MODULE_ABI, .name = "math", .targets = targets, .init = init, .exit = leave_in_order};

START_TEST(a_worker_serves_its_channel) {
        WorkerProcess w = start_worker(&with_state);

        *ended = 0;
        hear(&w, "{\"jsonrpc\":\"2.0\",\"method\":\"hello\",\"params\":{\"name\":\"math\",\"targets\":[{\"name\":\"square\",\"help\":\"x * x + base\"}");
        say(&w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"me");
        hear(&w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":101}");
        say(&w, "thod\":\"count\"}\n");
        hear(&w, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":102}");
        for (int round = 0; round < 40; round++) { /* few enough at once that they and their answers fit into the sockets */
                for (int i = 0; i < 50; i++)
                        say(&w, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"count\"}\n");
                for (int i = 0; i < 50; i++)
                        hear(&w, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":");
        }
        ck_assert_int_eq(end_worker(&w), 0);
        ck_assert_int_eq(*ended, 2102);
}
END_TEST

START_TEST(a_worker_that_cannot_begin) {
        const drover_module refusing = {.abi = DROVER_MODULE_ABI, .name = "math", .targets = targets, .init = refuse};
        WorkerProcess w = start_worker(&refusing);
        char text[256];
        ssize_t n = read(w.err_fd, text, sizeof text - 1);

        ck_assert_int_gt(n, 0);
        text[n] = 0;
        ck_assert_str_eq(text, "math: init failed: Permission denied\n");
        ck_assert_int_eq(end_worker(&w), 1);
}
END_TEST

START_TEST(a_stuck_task_says_where_it_is) {
        WorkerProcess w = start_worker(&math);
        char text[8192];
        size_t n = 0;

        hear(&w, "{\"jsonrpc\":\"2.0\",\"method\":\"hello\"");
        say(&w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stuck\"}\n");
        hear(&w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}");
        (void) shutdown(w.fd, SHUT_WR);
        for (ssize_t r; n < sizeof text - 1 && (r = read(w.err_fd, text + n, sizeof text - 1 - n)) > 0;)
                n += (size_t) r;
        text[n] = 0;
        ck_assert_ptr_nonnull(strstr(text, "the task lasts too long; it is here:\n"));
        ck_assert_ptr_nonnull(strstr(text, "test-task-run"));
        ck_assert_int_eq(end_worker(&w), 0);
}
END_TEST

START_TEST(a_line_without_an_end) {
        WorkerProcess w = start_worker(&math);
        static char text[TASKIO_LINE_MAX / 8];

        memset(text, 'x', sizeof text);
        hear(&w, "{\"jsonrpc\":\"2.0\",\"method\":\"hello\"");
        for (int i = 0; i < 12 && send(w.fd, text, sizeof text, MSG_NOSIGNAL) > 0; i++)
                ;
        ck_assert_int_eq(end_worker(&w), 1);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("task-run");
        TCase *c = tcase_create("task-run");
        SRunner *runner = srunner_create(suite);
        int n_failed;

        ended = mmap(NULL, sizeof *ended, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        tcase_add_loop_test(c, an_exchange, 0, (int) (sizeof exchanges / sizeof *exchanges));
        tcase_add_test(c, a_traceback_names_the_target);
        tcase_add_test(c, calls_are_counted_on_the_page);
        tcase_add_loop_test(c, finished_items_outlive_the_worker, 0, (int) (sizeof in_the_making / sizeof *in_the_making));
        tcase_add_loop_test(c, an_integer_of_any_size, 0, (int) (sizeof integers / sizeof *integers));
        tcase_add_test(c, tables_that_are_none);
        tcase_add_test(c, a_worker_serves_its_channel);
        tcase_add_test(c, a_worker_that_cannot_begin);
        tcase_add_test(c, a_stuck_task_says_where_it_is);
        tcase_add_test(c, a_line_without_an_end);
        suite_add_tcase(suite, c);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}
