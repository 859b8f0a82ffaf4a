/* test-log.c - lines on stderr, caught through a pipe: escaped, bounded, never blocking. */
#include "base/log.h"
#include "base/fd.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int saved_stderr, reader;

static void set_up(void) {
        int pair[2];

        ck_assert_int_eq(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
        saved_stderr = dup(STDERR_FILENO);
        (void) dup2(pair[1], STDERR_FILENO);
        (void) close(pair[1]);
        reader = pair[0];
        (void) unsetenv("JOURNAL_STREAM");
        log_open("prog");
        log_set_level(LOG_INFO);
}

static void tear_down(void) {
        (void) dup2(saved_stderr, STDERR_FILENO);
        (void) close(saved_stderr);
        (void) close(reader);
}

static const char *written(void) {
        static char buf[65536];
        ssize_t n = read(reader, buf, sizeof(buf) - 1);

        buf[n > 0 ? n : 0] = 0;
        return buf;
}

START_TEST(lines_have_a_program_and_no_control_characters) {
        errno = EAGAIN;
        log_fields(LOG_INFO, "web", "web/0", "%s\n\x1b[31m\t%d \xc2\x9b", "one", 2);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_str_eq(written(), "prog: one\\n\\x1b[31m\\t2 \\xc2\x9b\n");
}
END_TEST

START_TEST(levels) {
        log_debug("no");
        log_info("yes");
        ck_assert_str_eq(written(), "prog: yes\n");
        log_set_level(LOG_DEBUG);
        log_debug("now");
        ck_assert_str_eq(written(), "prog: now\n");
        ck_assert_int_eq(log_level_from_string("warning"), LOG_WARNING);
        ck_assert_int_eq(log_level_from_string("loud"), -EINVAL);
}
END_TEST

START_TEST(long_messages_are_cut) {
        char text[10000];

        memset(text, 1, sizeof(text) - 1);
        text[sizeof(text) - 1] = 0;
        log_info("%s", text);
        ck_assert_uint_lt(strlen(written()), 4096);
}
END_TEST

START_TEST(a_full_stderr_costs_lines_but_tells) {
        for (int i = 0; i < 2000; i++)
                log_info("%0100d", i);
        while (*written())
                ;
        log_info("again");
        ck_assert_ptr_nonnull(strstr(written(), "prog: again ("));
        log_info("last");
        ck_assert_str_eq(written(), "prog: last\n");
}
END_TEST

START_TEST(a_gone_reader_does_not_kill) {
        reader = fd_close(reader);
        log_info("nobody reads");
        reader = open("/dev/null", O_RDONLY | O_CLOEXEC);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log");
        TCase *t = tcase_create("log");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_test(t, lines_have_a_program_and_no_control_characters);
        tcase_add_test(t, levels);
        tcase_add_test(t, long_messages_are_cut);
        tcase_add_test(t, a_full_stderr_costs_lines_but_tells);
        tcase_add_test(t, a_gone_reader_does_not_kill);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
