/* util-daemon.c - see util-daemon.h. */
#include "util-daemon.h"

#include "base/clock.h"
#include "base/file.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE (20 * USEC_PER_SEC)

static char directory[64], socket_path[96], log_path[96], config_path[96];
static pid_t keeper;

static void make_directory(void);

const char *daemon_directory(void) {
        make_directory();
        return directory;
}

const char *pools(const char *format) {
        static char text[16384];
        size_t n = (size_t) snprintf(text, sizeof text, "\"pools\":{");

        for (const char *p = format; *p; p++) {
                ck_assert_uint_lt(n + 300, sizeof text);
                if (p[0] == '$' && (p[1] == 'H' || (p[1] == 'D' && p[2] == '/')))
                        n += (size_t) snprintf(text + n, sizeof text - n, "%s",
                                               *++p == 'H' ? test_helper() : daemon_directory());
                else
                        text[n++] = *p;
        }
        (void) snprintf(text + n, sizeof text - n, "}");
        return text;
}

const char *daemon_socket(void) {
        return socket_path;
}

const char *daemon_log(void) {
        return log_path;
}

pid_t daemon_keeper(void) {
        return keeper;
}

static const char *required_env(const char *name) {
        const char *v = getenv(name);

        ck_assert_msg(v != NULL, "$%s is not set: run this by meson test", name);
        return v;
}

const char *test_helper(void) {
        return required_env("DROVER_TEST_HELPER");
}

void daemon_write_config(const char *members) {
        char *text = NULL;
        int n = asprintf(&text, "{\"log_dir\":\"%s/log\",\"state_dir\":\"%s/state\",%s}\n", directory, directory, members);

        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(file_write_atomic(config_path, text, (size_t) n, 0600), 0);
        free(text);
}

static void make_directory(void) {
        if (directory[0])
                return;
        (void) snprintf(directory, sizeof directory, "/tmp/drover-story-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void) snprintf(socket_path, sizeof socket_path, "%s/control.sock", directory);
        (void) snprintf(log_path, sizeof log_path, "%s/programs.log", directory);
        (void) snprintf(config_path, sizeof config_path, "%s/drover.json", directory);
        /* Orphans come to this process, so that nothing stays unreaped where PID 1 does not reap. */
        ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
}

static pid_t spawn(const char *const *argv, int out) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid > 0)
                return pid;
        (void) dup2(out, 1);
        (void) dup2(out, 2);
        (void) execv(argv[0], (char **) argv);
        _exit(127);
}

static bool answers(void *data) {
        int fd = client_connect();

        (void) data;
        ck_assert_msg(waitpid(keeper, NULL, WNOHANG) == 0, "droverd ended at its start; see %s", log_path);
        if (fd < 0)
                return false;
        json_decref(client_call(fd, "daemon.info", NULL));
        (void) close(fd);
        return true;
}

void daemon_start(const char *members) {
        make_directory();
        daemon_write_config(members);
        const char *argv[] = {required_env("DROVER_TEST_DROVERD"), "-S", socket_path, "-c", config_path,
                              "--log-level", "debug", NULL};
        int out = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        ck_assert_int_ge(out, 0);
        keeper = spawn(argv, out);
        (void) close(out);
        await_true("droverd answers", answers, NULL);
}

int daemon_run_program(const char *const *argv, char **ret_output) {
        char path[] = "/tmp/drover-output-XXXXXX";
        int out = mkostemp(path, O_CLOEXEC), status;

        ck_assert_int_ge(out, 0);
        pid_t pid = spawn(argv, out);
        (void) close(out);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        if (ret_output)
                *ret_output = read_file(path);
        (void) unlink(path);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void) st, (void) type, (void) ftw;
        return remove(path);
}

void daemon_forget(void) {
        keeper = 0;
        (void) nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        directory[0] = 0;
}

void daemon_stop(void) {
        int status;

        ck_assert_int_eq(kill(keeper, SIGTERM), 0);
        ck_assert_int_eq(waitpid(keeper, &status, 0), keeper);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the keeper ended with status %#x; see %s", status,
                      log_path);
        /* Everything was reaped by the keeper: nothing came up to this subreaper. */
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
        daemon_forget();
}

int client_connect(void) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        (void) snprintf(a.sun_path, sizeof a.sun_path, "%s", socket_path);
        if (connect(fd, (struct sockaddr *) &a, sizeof a) == 0)
                return fd;
        (void) close(fd);
        return -1;
}

void client_send(int fd, const char *text) {
        struct iovec iov[2] = {{(void *) text, strlen(text)}, {(void *) "\n", 1}};
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

        ck_assert_int_eq(sendmsg(fd, &m, MSG_NOSIGNAL), (ssize_t) strlen(text) + 1);
}

json_t *client_read(int fd) {
        size_t n = 0, capacity = 4096;
        char *line = malloc(capacity);

        for (;; n++) {
                if (n + 1 == capacity)
                        line = realloc(line, capacity *= 2);
                struct pollfd p = {.fd = fd, .events = POLLIN};
                ck_assert_msg(poll(&p, 1, (int) (DEADLINE / USEC_PER_MSEC)) == 1, "no answer within the deadline");
                if (read(fd, line + n, 1) != 1) {
                        free(line);
                        return NULL;
                }
                if (line[n] == '\n')
                        break;
        }
        json_error_t e;
        json_t *v = json_loadb(line, n, JSON_DECODE_ANY, &e);
        ck_assert_msg(v != NULL, "not JSON: %s: %.*s", e.text, (int) n, line);
        free(line);
        return v;
}

/* One call, one reply: the whole reply object. Notifications before it are passed over. */
static json_t *exchange(int fd, const char *method, const char *format, va_list ap) {
        json_error_t e;
        json_t *params = format ? json_vpack_ex(&e, 0, format, ap) : NULL;

        ck_assert_msg(!format || params, "bad format: %s", format ? e.text : "");
        json_t *call = json_pack("{s:s,s:i,s:s,s:o*}", "jsonrpc", "2.0", "id", 1, "method", method, "params", params);
        char *text = json_dumps(call, JSON_COMPACT);
        client_send(fd, text);
        free(text);
        json_decref(call);
        for (;;) {
                json_t *reply = client_read(fd);
                ck_assert_msg(reply != NULL, "%s: the connection ended", method);
                if (json_object_get(reply, "id"))
                        return reply;
                json_decref(reply);
        }
}

static json_t *take_member(json_t *reply, const char *key, const char *method) {
        json_t *v = json_object_get(reply, key);

        if (!v) {
                char *text = json_dumps(reply, 0);
                ck_abort_msg("%s: no %s in the answer: %s", method, key, text);
        }
        json_incref(v);
        json_decref(reply);
        return v;
}

json_t *client_call(int fd, const char *method, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        json_t *reply = exchange(fd, method, format, ap);
        va_end(ap);
        return take_member(reply, "result", method);
}

json_t *daemon_call(const char *method, const char *format, ...) {
        int fd = client_connect();
        va_list ap;

        ck_assert_msg(fd >= 0, "cannot connect: %s", strerror(errno));
        va_start(ap, format);
        json_t *reply = exchange(fd, method, format, ap);
        va_end(ap);
        (void) close(fd);
        return take_member(reply, "result", method);
}

json_t *daemon_call_error(const char *method, const char *format, ...) {
        int fd = client_connect();
        va_list ap;

        ck_assert_int_ge(fd, 0);
        va_start(ap, format);
        json_t *reply = exchange(fd, method, format, ap);
        va_end(ap);
        (void) close(fd);
        return take_member(reply, "error", method);
}

json_t *at(const json_t *v, const char *path) {
        char key[64];

        while (v && *path) {
                size_t n = strcspn(path, "/");
                ck_assert_uint_lt(n, sizeof key);
                memcpy(key, path, n);
                key[n] = 0;
                v = json_is_array(v) ? json_array_get(v, strtoul(key, NULL, 10)) : json_object_get(v, key);
                path += n + (path[n] == '/');
        }
        return (json_t *) v;
}

const char *at_string(const json_t *v, const char *path) {
        const char *s = json_string_value(at(v, path));

        return s ? s : "";
}

long long at_int(const json_t *v, const char *path) {
        const json_t *n = at(v, path);

        return json_is_integer(n) ? json_integer_value(n) : LLONG_MIN;
}

pid_t daemon_pid_of(const char *key) {
        json_t *info = daemon_call("daemon.info", NULL);
        pid_t pid = (pid_t) at_int(info, key);

        json_decref(info);
        return pid;
}

json_t *worker_status(const char *name) {
        json_t *status = daemon_call("status", "{s:[s]}", "select", name);
        json_t *worker = json_incref(at(status, "pools/0/workers/0"));

        ck_assert_msg(worker != NULL, "%s is not in status", name);
        json_decref(status);
        return worker;
}

pid_t worker_pid(const char *name) {
        json_t *w = worker_status(name);
        pid_t pid = json_is_integer(at(w, "pid")) ? (pid_t) at_int(w, "pid") : 0;

        json_decref(w);
        return pid;
}

struct wish {
        const char *name, *state;
        pid_t not_pid, pid;
};

static bool worker_is(void *data) {
        struct wish *wish = data;
        json_t *w = worker_status(wish->name);
        bool yes = strcmp(at_string(w, "state"), wish->state) == 0;

        wish->pid = json_is_integer(at(w, "pid")) ? (pid_t) at_int(w, "pid") : 0;
        json_decref(w);
        return yes && (wish->not_pid <= 0 || wish->pid != wish->not_pid);
}

pid_t worker_await(const char *name, const char *state, pid_t not_pid) {
        struct wish wish = {.name = name, .state = state, .not_pid = not_pid};
        char what[160];

        (void) snprintf(what, sizeof what, "%s is %s", name, state);
        await_true(what, worker_is, &wish);
        return wish.pid;
}

void await_true(const char *what, bool (*condition)(void *data), void *data) {
        usec_t deadline = usec_add(clock_now(), DEADLINE);

        while (!condition(data)) {
                ck_assert_msg(clock_now() < deadline, "not within 20 s: %s; see %s", what, log_path);
                (void) poll(NULL, 0, 5);
        }
}

bool pid_is_alive(pid_t pid) {
        return pid > 0 && kill(pid, 0) == 0;
}

static bool is_gone(void *data) {
        return !pid_is_alive(*(pid_t *) data);
}

void await_gone(pid_t pid) {
        await_true("a process is gone", is_gone, &pid);
}

char *read_file(const char *path) {
        char *text = NULL;
        size_t size;

        if (file_read(path, 1u << 30, &text, &size) < 0)
                return strdup("");
        return text;
}

struct in_file {
        const char *path, *text;
};

static bool is_in_file(void *data) {
        struct in_file *f = data;
        char *text = read_file(f->path);
        bool yes = strstr(text, f->text) != NULL;

        free(text);
        return yes;
}

void await_in_file(const char *path, const char *text) {
        struct in_file f = {path, text};

        await_true(text, is_in_file, &f);
}

size_t count_in(const char *text, const char *word) {
        size_t n = 0;

        for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
                n++;
        return n;
}

/* After a test that failed half-way: nothing of it is left for the next one. */
static void clean_up(void) {
        if (keeper > 0) {
                (void) kill(keeper, SIGTERM);
                for (int i = 0; i < 1000 && waitpid(keeper, NULL, WNOHANG) == 0; i++)
                        (void) poll(NULL, 0, 10);
                (void) kill(keeper, SIGKILL);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
        if (directory[0] && keeper <= 0)
                daemon_forget();
        keeper = 0;
        directory[0] = 0; /* a failed test's directory stays to be looked at */
}

int run_tests(const char *name, void (*add)(TCase *t)) {
        Suite *s = suite_create(name);
        TCase *t = tcase_create(name);

        tcase_set_timeout(t, 300);
        tcase_add_checked_fixture(t, NULL, clean_up);
        add(t);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed == 0 ? 0 : 1;
}
