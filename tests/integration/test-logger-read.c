/* test-logger-read.c - reads and follows of the real drover-logger: logs -n and logs -f as droverd asks for them. */
#include "logger-rig.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BOTH (LOG_STREAM_STDOUT | LOG_STREAM_STDERR)
#define PLENTY (1u << 30)

static Rig rig;
static char *dir;
static char base[400], out[420], err[420];
static LogSpec spec;

static void setup(void) {
        dir = rig_directory();
        snprintf(base, sizeof base, "%s/web/0", dir);
        snprintf(out, sizeof out, "%s.stdout.log", base);
        snprintf(err, sizeof err, "%s.stderr.log", base);
        spec = rig_spec(LOG_KIND_FILE, "web/0", base, 1 << 20, 3);
        rig_start(&rig);
}

static void teardown(void) {
        rig_stop(&rig);
        rig_remove(dir);
}

static void assert_lines(const LogSpec *s, uint32_t streams, uint64_t n, const char *want) {
        RigLines l = {};
        rig_read(&rig, 7, s, streams, n, false, PLENTY);
        rig_collect(&rig, 7, &l, 0, false);
        ck_assert_int_eq(l.error, 0);
        ck_assert_str_eq(l.text ? l.text : "", want);
        rig_lines_done(&l);
}

START_TEST(never_ran) {
        assert_lines(&spec, BOTH, 10, "");
        rig_attach(&rig, 0, &spec, BOTH);
        assert_lines(&spec, BOTH, 10, "");
}
END_TEST

/* Wait for the file, so that each line gets a time of its own in the index. */
static void say(int stream, const char *text, size_t *n) {
        *n += strlen(text);
        rig_print(&rig, 0, stream, text);
        rig_wait_bytes(stream ? err : out, *n);
        poll(NULL, 0, 12);
}

START_TEST(merged_by_time) {
        size_t n_out = 0, n_err = 0;
        rig_attach(&rig, 0, &spec, BOTH);
        say(0, "one\n", &n_out);
        say(1, "two\n", &n_err);
        say(0, "three\nfour\n", &n_out);
        say(1, "five\n", &n_err);
        say(1, "six\n", &n_err);
        say(0, "seven", &n_out);
        assert_lines(&spec, BOTH, 100, "1:one\n2:two\n1:three\n1:four\n2:five\n2:six\n1:seven\\\n");
        assert_lines(&spec, BOTH, 4, "1:four\n2:five\n2:six\n1:seven\\\n");
        assert_lines(&spec, BOTH, 1, "1:seven\\\n");
        assert_lines(&spec, BOTH, 0, "");
        assert_lines(&spec, LOG_STREAM_STDERR, 2, "2:five\n2:six\n");
        assert_lines(&spec, BOTH, UINT64_MAX, "1:one\n2:two\n1:three\n1:four\n2:five\n2:six\n1:seven\\\n");
}
END_TEST

START_TEST(across_rotated_files) {
        RigLines l = {};
        char line[64];
        spec.max_size = 500;
        spec.max_files = 1000;
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        for (int i = 0; i < 1000; i++) {
                snprintf(line, sizeof line, "line %d\n", i);
                rig_print(&rig, 0, 0, line);
        }
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        rig_read(&rig, 1, &spec, BOTH, 700, false, 100);
        rig_collect(&rig, 1, &l, 0, true);
        ck_assert_uint_eq(l.n_lines, 700);
        ck_assert_uint_eq(l.n_timeless, 0);
        ck_assert_uint_eq(l.n_dropped, 0);
        char *rest = l.text, *p;
        for (int i = 300; i < 1000; i++) {
                p = strsep(&rest, "\n");
                snprintf(line, sizeof line, "1:line %d", i);
                ck_assert_str_eq(p, line);
        }
        rig_lines_done(&l);
}
END_TEST

/* Follow over rotation, the logger's own writes, and the next life of the worker. */
START_TEST(follow) {
        RigLines l = {};
        char line[64];
        spec.max_size = 300;
        spec.max_files = 2;
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        rig_print(&rig, 0, 0, "before 1\nbefore 2\n");
        rig_wait_bytes(out, 18);
        rig_read(&rig, 9, &spec, BOTH, 1, true, PLENTY);
        rig_collect(&rig, 9, &l, 1, false);
        ck_assert_str_eq(l.text, "1:before 2\n");
        for (int i = 0; i < 500; i++) {
                snprintf(line, sizeof line, "line %d\n", i);
                rig_print(&rig, 0, 0, line);
        }
        rig_collect(&rig, 9, &l, 501, false);
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        rig_attach(&rig, 0, &spec, BOTH);
        rig_print(&rig, 0, 1, "the second life\n");
        rig_collect(&rig, 9, &l, 502, false);
        ck_assert_uint_eq(l.n_dropped, 0);
        ck_assert_uint_eq(l.n_timeless, 0);
        char *rest = l.text, *p = strsep(&rest, "\n");
        for (int i = 0; i < 500; i++) {
                p = strsep(&rest, "\n");
                snprintf(line, sizeof line, "1:line %d", i);
                ck_assert_str_eq(p, line);
        }
        ck_assert_str_eq(rest, "2:the second life\n");
        rig_cancel(&rig, 9);
        rig_lines_done(&l);
        assert_lines(&spec, LOG_STREAM_STDERR, 5, "2:the second life\n");
}
END_TEST

START_TEST(follow_before_the_first_life) {
        RigLines l = {};
        rig_read(&rig, 3, &spec, BOTH, 10, true, PLENTY);
        assert_lines(&spec, BOTH, 5, ""); /* the follow above is set up by now */
        rig_attach(&rig, 0, &spec, BOTH);
        rig_print(&rig, 0, 0, "first\n");
        rig_collect(&rig, 3, &l, 1, false);
        ck_assert_str_eq(l.text, "1:first\n");
        rig_lines_done(&l);
}
END_TEST

START_TEST(follow_partial_line) {
        RigLines l = {};
        size_t n = 0;
        rig_attach(&rig, 0, &spec, BOTH);
        say(0, "whole\npass", &n);
        rig_read(&rig, 3, &spec, BOTH, 10, true, PLENTY);
        rig_collect(&rig, 3, &l, 1, false);
        rig_print(&rig, 0, 0, "word:");
        rig_collect(&rig, 3, &l, 2, false); /* after a second */
        rig_print(&rig, 0, 0, " secret\n");
        rig_collect(&rig, 3, &l, 3, false);
        ck_assert_str_eq(l.text, "1:whole\n1:password:\\\n1: secret\n");
        rig_lines_done(&l);
}
END_TEST

START_TEST(long_lines_in_pieces) {
        RigLines l = {};
        char *line = NEW0_ARRAY(char, 40001);
        memset(line, 'q', 40000);
        line[39999] = '\n';
        rig_attach(&rig, 0, &spec, BOTH);
        rig_read(&rig, 4, &spec, BOTH, 0, true, PLENTY);
        assert_lines(&spec, BOTH, 5, "");
        rig_write(&rig, 0, 0, line, 40000);
        rig_collect(&rig, 4, &l, 3, false);
        ck_assert_uint_eq(l.n_lines, 3);
        ck_assert_uint_eq(l.length, 39999 + 3 * 3 + 2);
        rig_lines_done(&l);
        rig_cancel(&rig, 4);
        rig_read(&rig, 5, &spec, BOTH, 1, false, PLENTY);
        rig_collect(&rig, 5, &l, 0, false);
        ck_assert_uint_eq(l.n_lines, 3);
        ck_assert_uint_eq(l.length, 39999 + 3 * 3 + 2);
        rig_lines_done(&l);
        free(line);
}
END_TEST

/* A follower without credit loses lines and learns how many; the file has them all. */
START_TEST(slow_follower) {
        RigLines l = {};
        char block[1000];
        rig_attach(&rig, 0, &spec, BOTH);
        rig_read(&rig, 5, &spec, BOTH, 0, true, 1);
        assert_lines(&spec, BOTH, 5, "");
        memset(block, 'b', sizeof block);
        for (int i = 99; i < 1000; i += 100)
                block[i] = '\n';
        for (int i = 0; i < 800; i++)
                rig_write(&rig, 0, 0, block, sizeof block);
        rig_wait_bytes(out, 800000);
        rig_credit(&rig, 5, PLENTY);
        while (l.n_dropped == 0)
                rig_collect(&rig, 5, &l, SIZE_MAX, false);
        ck_assert_uint_lt(l.n_lines, 8000);
        rig_print(&rig, 0, 0, "here again\n");
        rig_collect(&rig, 5, &l, 8001 - l.n_dropped, false);
        ck_assert_uint_eq(l.n_lines + l.n_dropped, 8001);
        ck_assert_str_eq(l.text + l.length - 13, "1:here again\n");
        rig_lines_done(&l);
}
END_TEST

static const struct {
        uint32_t kind;
        const char *word;
} unreadable[] = {
        {LOG_KIND_JOURNAL, "journalctl DROVER_WORKER=web/0"}, {LOG_KIND_INHERIT, "daemon's own"}, {LOG_KIND_NONE, "null"}};

START_TEST(says_why_not) {
        RigLines l = {};
        spec.kind = unreadable[_i].kind;
        rig_read(&rig, 7, &spec, BOTH, 10, true, PLENTY);
        rig_collect(&rig, 7, &l, 0, false);
        ck_assert_int_ne(l.error, 0);
        ck_assert_ptr_nonnull(strstr(l.end_text, unreadable[_i].word));
        rig_lines_done(&l);
}
END_TEST

START_TEST(shared_file) {
        snprintf(out, sizeof out, "%s/all.log", dir);
        LogSpec s = rig_spec(LOG_KIND_SHARED, "web/0", out, 0, 0);
        rig_attach(&rig, 0, &s, BOTH);
        rig_print(&rig, 0, 0, "a\nb\n");
        rig_wait_bytes(out, 4);
        rig_print(&rig, 0, 1, "c\n");
        rig_wait_bytes(out, 6);
        assert_lines(&s, BOTH, 2, "0:b\n0:c\n");
}
END_TEST

START_TEST(truncated_while_followed) {
        RigLines l = {};
        size_t n = 0;
        rig_attach(&rig, 0, &spec, BOTH);
        say(0, "one\n", &n);
        rig_read(&rig, 3, &spec, BOTH, 10, true, PLENTY);
        rig_collect(&rig, 3, &l, 1, false);
        ck_assert_int_eq(truncate(out, 0), 0);
        rig_reopen(&rig);
        rig_print(&rig, 0, 0, "two\n");
        rig_collect(&rig, 3, &l, 2, false);
        ck_assert_str_eq(l.text, "1:one\n1:two\n");
        rig_lines_done(&l);
        rig_cancel(&rig, 3);
        assert_lines(&spec, BOTH, 10, "1:two\n");
}
END_TEST

int main(void) {
        Suite *s = suite_create("logger-read");
        TCase *t = tcase_create("logger-read");
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, never_ran);
        tcase_add_test(t, merged_by_time);
        tcase_add_test(t, across_rotated_files);
        tcase_add_test(t, follow);
        tcase_add_test(t, follow_before_the_first_life);
        tcase_add_test(t, follow_partial_line);
        tcase_add_test(t, long_lines_in_pieces);
        tcase_add_test(t, slow_follower);
        tcase_add_loop_test(t, says_why_not, 0, (int) ARRAY_SIZE(unreadable));
        tcase_add_test(t, shared_file);
        tcase_add_test(t, truncated_while_followed);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
