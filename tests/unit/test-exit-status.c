/* test-exit-status.c - how an end is decoded, judged and told. */
#include "process/exit-status.h"
#include <check.h>
#include <signal.h>
#include <sys/resource.h>

static const struct {
        int code, status;
        int exitcode;
        const char *text;
} ends[] = {
        {CLD_EXITED, 0, 0, "exited with code 0"},
        {CLD_EXITED, 3, 3, "exited with code 3"},
        {CLD_EXITED, 255, 255, "exited with code 255"},
        {CLD_KILLED, SIGKILL, -9, "killed by SIGKILL"},
        {CLD_DUMPED, SIGSEGV, -11, "killed by SIGSEGV (core dumped)"},
};

START_TEST(ends_are_told) {
        ExitStatus e = {.exit = {.code = ends[_i].code, .status = ends[_i].status}};
        const int codes[] = {0, -9};
        char text[200];

        ck_assert_int_eq(exit_status_exitcode(&e), ends[_i].exitcode);
        exit_status_describe(&e, NULL, text, sizeof(text));
        ck_assert_str_eq(text, ends[_i].text);
        ck_assert_int_eq(exit_status_is_clean(&e, codes, 2), ends[_i].exitcode == 0 || ends[_i].exitcode == -9);
        ck_assert(!exit_status_is_clean(&e, NULL, 0));
}
END_TEST

static const struct {
        KeeperExit exit;
        const char *text, *killer;
} circumstances[] = {
        {{.code = CLD_KILLED, .status = SIGKILL, .sent = SIGKILL}, "killed by SIGKILL on request", "drover"},
        {{.code = CLD_KILLED, .status = SIGKILL, .sent = SIGTERM}, "killed by SIGKILL", "other"},
        {{.code = CLD_EXITED, .status = 3, .sent = 3}, "exited with code 3", NULL},
        {{.code = CLD_KILLED, .status = SIGKILL, .oom = KEEPER_OOM_CGROUP}, "killed by SIGKILL: out of memory", "kernel"},
        {{.code = CLD_KILLED, .status = SIGKILL, .oom = KEEPER_OOM_CGROUP, .memory_limit = 1 << 26},
         "killed by SIGKILL: out of memory (limit 64M)", "kernel"},
        {{.code = CLD_KILLED, .status = SIGKILL, .oom = KEEPER_OOM_CGROUP, .memory_limit = 1 << 26, .memory_peak = 1 << 25},
         "killed by SIGKILL: out of memory (limit 64M, peak 32M)", "kernel"},
        {{.code = CLD_EXITED, .status = 1, .oom = KEEPER_OOM_CGROUP, .memory_limit = 1 << 26},
         "exited with code 1, one of its processes was killed: out of memory (limit 64M)", NULL},
        {{.code = CLD_KILLED, .status = SIGKILL, .oom = KEEPER_OOM_MACHINE},
         "killed by SIGKILL, perhaps by the kernel: this machine ran out of memory", "other"},
};

START_TEST(circumstances_are_told) {
        ExitStatus e = {.exit = circumstances[_i].exit};
        char text[200];

        exit_status_describe(&e, NULL, text, sizeof(text));
        ck_assert_str_eq(text, circumstances[_i].text);
        ck_assert_pstr_eq(exit_status_killer(&e), circumstances[_i].killer);
}
END_TEST

static char *hidden[] = {(char *) "/a", (char *) "/b", NULL};
static char *argv[] = {(char *) "/usr/bin/nothing", NULL};
static const LaunchSpec spec = {
        .argv = argv,
        .directory = "/srv/x",
        .stdio_path = {"/in", NULL, NULL},
        .paths = {[LAUNCH_PATH_INACCESSIBLE] = hidden},
        .uid = 33,
        .gid = 44,
};

static const struct {
        unsigned stage;
        int error, detail;
        int exitcode;
        const char *with_spec, *without;
} failures[] = {
        {LAUNCH_FORK, EAGAIN, 0, 126, "cannot make a process: Resource temporarily unavailable", NULL},
        {LAUNCH_DIRECTORY, ENOENT, 0, 126, "cannot change to directory /srv/x: No such file or directory",
         "cannot change to directory: No such file or directory"},
        {LAUNCH_EXEC, EACCES, 0, 126, "cannot execute /usr/bin/nothing: Permission denied",
         "cannot execute the program: Permission denied"},
        {LAUNCH_KILLED, 0, 0, 126, "killed before it could execute /usr/bin/nothing",
         "killed before it could execute the program"},
        {LAUNCH_STDIO, ENOENT, 0, 126, "cannot open /in as standard input: No such file or directory",
         "cannot open /dev/null as standard input: No such file or directory"},
        {LAUNCH_STDIO, ENOENT, 7, 126, "cannot open /dev/null as standard stream: No such file or directory", NULL},
        {LAUNCH_LIMIT, EPERM, RLIMIT_NOFILE, 126, "cannot set limit nofile: Operation not permitted", NULL},
        {LAUNCH_LIMIT, EPERM, -3, 126, "cannot set limit: Operation not permitted", NULL},
        {LAUNCH_MOUNT, EPERM, LAUNCH_PATH_INACCESSIBLE << 16 | 1, 126, "cannot isolate /b: Operation not permitted",
         "cannot isolate its files: Operation not permitted"},
        {LAUNCH_MOUNT, EPERM, LAUNCH_PATH_INACCESSIBLE << 16 | 2, 126, "cannot isolate its files: Operation not permitted", NULL},
        {LAUNCH_MOUNT, EPERM, LAUNCH_PATH_TMP << 16 | 1, 126, "cannot isolate /var/tmp: Operation not permitted", NULL},
        {LAUNCH_LANDLOCK, EPERM, -1, 126, "cannot isolate its files: Operation not permitted", NULL},
        {LAUNCH_UID, EPERM, 0, 126, "cannot change to user 33: Operation not permitted",
         "cannot change to user: Operation not permitted"},
        {LAUNCH_GID, EPERM, 0, 126, "cannot change to group 44: Operation not permitted", NULL},
        {LAUNCH_DESCRIPTOR, EBADF, 5, 126, "cannot pass descriptor 5: Bad file descriptor", NULL},
        {LAUNCH_EXEC, ENOENT, 0, 127, "cannot execute /usr/bin/nothing: No such file or directory", NULL},
        {LAUNCH_EXEC, 9999, 0, 126, "cannot execute /usr/bin/nothing: error 9999", NULL},
        {_LAUNCH_STAGE_MAX, EPERM, 0, 126, "cannot be started: Operation not permitted", NULL},
};

START_TEST(failed_starts_are_told) {
        __typeof__(failures[0]) *c = &failures[_i];
        ExitStatus e = {.is_failure_to_start = true,
                        .failure = {.stage = c->stage, .error = c->error, .detail = c->detail}};
        const int codes[] = {126, 127};
        char text[200];

        ck_assert_int_eq(exit_status_exitcode(&e), c->exitcode);
        ck_assert(!exit_status_is_clean(&e, codes, 2));
        exit_status_describe(&e, &spec, text, sizeof(text));
        ck_assert_str_eq(text, c->with_spec);
        if (!c->without)
                return;
        exit_status_describe(&e, NULL, text, sizeof(text));
        ck_assert_str_eq(text, c->without);
}
END_TEST

START_TEST(every_stage_has_its_sentence) {
        KeeperFailure f = {.stage = (unsigned) _i, .error = EIO};
        char text[200];

        launch_failure_describe(&f, NULL, text, sizeof(text));
        ck_assert_ptr_null(strstr(text, "(null)"));
        ck_assert_ptr_nonnull(strstr(text, ": Input/output error"));
}
END_TEST

START_TEST(a_small_buffer_is_cut) {
        ExitStatus e = {.exit = {.code = CLD_KILLED, .status = SIGKILL}};
        char text[8];

        exit_status_describe(&e, NULL, text, sizeof(text));
        ck_assert_str_eq(text, "killed ");
}
END_TEST

int main(void) {
        Suite *s = suite_create("exit-status");
        TCase *t = tcase_create("exit-status");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, circumstances_are_told, 0, (int) ARRAY_SIZE(circumstances));
        tcase_add_loop_test(t, ends_are_told, 0, ARRAY_SIZE(ends));
        tcase_add_loop_test(t, failed_starts_are_told, 0, ARRAY_SIZE(failures));
        tcase_add_loop_test(t, every_stage_has_its_sentence, 0, _LAUNCH_STAGE_MAX);
        tcase_add_test(t, a_small_buffer_is_cut);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
