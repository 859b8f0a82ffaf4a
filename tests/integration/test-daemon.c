/* test-daemon.c - the three programs themselves: twice on one socket, a stale socket, reload and apply, faulty files,
 * stop in order, as an ordinary user. */
#include "util-daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(test_second_one_is_refused) {
        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"]}"));
        pid_t pid = worker_await("w/0", "running", 0);
        const char *argv[] = {getenv("DROVER_TEST_DROVERD"), "-S", daemon_socket(), NULL};
        char *said;
        ck_assert_int_ne(daemon_run_program(argv, &said), 0);
        ck_assert_msg(strstr(said, daemon_socket()) != NULL, "%s", said);
        free(said);
        ck_assert_int_eq(worker_pid("w/0"), pid);
        daemon_stop();
}
END_TEST

START_TEST(test_stale_socket_is_taken_over) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) snprintf(a.sun_path, sizeof a.sun_path, "%s/control.sock", daemon_directory());
        ck_assert_int_eq(bind(fd, (struct sockaddr *) &a, sizeof a), 0);
        (void) close(fd); /* the file stays, nobody listens */
        daemon_start("\"pools\":{}");
        struct stat st;
        ck_assert_int_eq(stat(daemon_socket(), &st), 0);
        ck_assert_int_eq(st.st_mode & 0007, 0);
        char path[128];
        (void) snprintf(path, sizeof path, "%s", daemon_socket());
        ck_assert_int_eq(kill(daemon_keeper(), SIGTERM), 0);
        ck_assert_int_eq(waitpid(daemon_keeper(), NULL, 0), daemon_keeper());
        ck_assert_int_ne(access(path, F_OK), 0);
        daemon_forget();
}
END_TEST

static bool has_pool_new(void *data) {
        json_t *s = daemon_call("status", NULL);
        bool yes = false;

        (void) data;
        for (size_t i = 0; i < json_array_size(at(s, "pools")); i++)
                yes |= strcmp(json_string_value(json_object_get(json_array_get(at(s, "pools"), i), "name")), "new") == 0;
        json_decref(s);
        return yes;
}

START_TEST(test_reload_by_difference) {
        daemon_start(pools("\"same\":{\"command\":[\"$H\",\"sleep\"]},\"gone\":{\"command\":[\"$H\",\"sleep\"]},"
                           "\"size\":{\"command\":[\"$H\",\"sleep\"]},\"env\":{\"command\":[\"$H\",\"sleep\"]}"));
        pid_t same = worker_await("same/0", "running", 0), gone = worker_await("gone/0", "running", 0);
        pid_t size = worker_await("size/0", "running", 0), env = worker_await("env/0", "running", 0);
        daemon_write_config(pools("/* reformatted */ \"same\": { \"command\": [ \"$H\", \"sleep\", ], },"
                                  "\"size\":{\"command\":[\"$H\",\"sleep\"],\"workers\":2},"
                                  "\"env\":{\"command\":[\"$H\",\"sleep\"],\"env\":{\"A\":\"1\"}},"
                                  "\"new\":{\"command\":[\"$H\",\"sleep\"]}"));
        ck_assert_int_eq(kill(daemon_keeper(), SIGHUP), 0);
        await_true("the new pool exists", has_pool_new, NULL);
        (void) worker_await("new/0", "running", 0);
        (void) worker_await("size/1", "running", 0);
        (void) worker_await("env/0", "running", env);
        await_gone(gone);
        ck_assert_int_eq(worker_pid("same/0"), same);
        ck_assert_int_eq(worker_pid("size/0"), size);
        daemon_stop();
}
END_TEST

START_TEST(test_faulty_files_change_nothing) {
        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"]}"));
        pid_t pid = worker_await("w/0", "running", 0);
        daemon_write_config(pools("\"w\":{\"comand\":[\"$H\"],\"workers\":\"many\"},\n\"x\":{\"command\":\"sleep 1\"}"));
        json_t *e = daemon_call_error("config.apply", NULL);
        ck_assert_str_eq(at_string(e, "data/name"), "invalid");
        json_decref(e);
        char config[128], *said;
        (void) snprintf(config, sizeof config, "%s/drover.json", daemon_directory());
        const char *argv[] = {getenv("DROVER_TEST_DROVERD"), "-c", config, "--check", NULL};
        ck_assert_int_eq(daemon_run_program(argv, &said), 2);
        ck_assert_msg(strstr(said, "did you mean") && strstr(said, "command"), "%s", said);
        ck_assert_msg(strstr(said, "drover.json:1:") && strstr(said, "drover.json:2:"), "%s", said);
        ck_assert_msg(strstr(said, "workers"), "%s", said);
        free(said);
        ck_assert_int_eq(kill(daemon_keeper(), SIGHUP), 0);
        await_in_file(daemon_log(), "did you mean");
        ck_assert_int_eq(worker_pid("w/0"), pid);
        daemon_stop();
}
END_TEST

START_TEST(test_faulty_start_says_so_and_ends) {
        char path[128], *said;

        (void) snprintf(path, sizeof path, "%s/drover.json", daemon_directory());
        daemon_write_config("\"pools\":{\"w\":{\"workers\":0}}");
        const char *argv[] = {getenv("DROVER_TEST_DROVERD"), "-S", daemon_socket(), "-c", path, NULL};
        ck_assert_int_ne(daemon_run_program(argv, &said), 0);
        ck_assert_msg(strstr(said, "command") != NULL, "%s", said);
        free(said);
        daemon_forget();
}
END_TEST

START_TEST(test_stop_in_order_leaves_nothing) {
        daemon_start(pools("\"web\":{\"command\":[\"$H\",\"sleep\"],\"workers\":50},"
                           "\"stubborn\":{\"command\":[\"$H\",\"ignore-term\"],\"stop\":{\"timeout\":\"300ms\"}},"
                           "\"crash\":{\"command\":[\"$H\",\"exit\",\"1\"],\"restart\":{\"delay\":\"1ms\",\"max_delay\":\"5ms\"}}"));
        json_decref(daemon_call("wait", "{s:s,s:s}", "select", "web", "for", "ready"));
        json_t *info = daemon_call("daemon.info", NULL);
        pid_t droverd = (pid_t) at_int(info, "pid"), logger = (pid_t) at_int(info, "logger_pid");
        ck_assert_int_eq(at_int(info, "keeper_pid"), daemon_keeper());
        json_decref(info);
        ck_assert_int_eq(kill(daemon_keeper(), SIGINT), 0);
        daemon_stop(); /* the second signal changes nothing */
        ck_assert(!pid_is_alive(droverd));
        ck_assert(!pid_is_alive(logger));
}
END_TEST

START_TEST(test_shutdown_by_call) {
        daemon_start(pools("\"w\":{\"command\":[\"$H\",\"sleep\"],\"workers\":3}"));
        pid_t pid = worker_await("w/2", "running", 0);
        int status;
        json_decref(daemon_call("daemon.shutdown", NULL));
        ck_assert_int_eq(waitpid(daemon_keeper(), &status, 0), daemon_keeper());
        ck_assert_int_eq(status, 0);
        ck_assert(!pid_is_alive(pid));
        daemon_forget();
}
END_TEST

START_TEST(test_options) {
        const char *droverd = getenv("DROVER_TEST_DROVERD");
        char *said;
        const char *help[] = {droverd, "--help", NULL}, *version[] = {droverd, "--version", NULL}, *bad[] = {droverd, "--sokcet", NULL};

        ck_assert_int_eq(daemon_run_program(help, &said), 0);
        ck_assert_ptr_nonnull(strstr(said, "--check"));
        free(said);
        ck_assert_int_eq(daemon_run_program(version, &said), 0);
        ck_assert_ptr_nonnull(strstr(said, "drover"));
        free(said);
        ck_assert_int_ne(daemon_run_program(bad, &said), 0);
        free(said);
}
END_TEST

static void add(TCase *t) {
        tcase_add_test(t, test_second_one_is_refused);
        tcase_add_test(t, test_stale_socket_is_taken_over);
        tcase_add_test(t, test_reload_by_difference);
        tcase_add_test(t, test_faulty_files_change_nothing);
        tcase_add_test(t, test_faulty_start_says_so_and_ends);
        tcase_add_test(t, test_stop_in_order_leaves_nothing);
        tcase_add_test(t, test_shutdown_by_call);
        tcase_add_test(t, test_options);
}

int main(void) {
        return run_tests("daemon", add);
}
