/* test-state-file.c - the state file cut at every byte, at every step of a write, of other owners, on a full disk. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "handover/state-file.h"
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void set_up(void) {
        snprintf(dir, sizeof(dir), "/tmp/drover-test-state-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
}

static char *path_of(const char *name) {
        return alloc_printf("%s/%s", dir, name);
}

static void tear_down(void) {
        static const char *const names[] = { "state.json", "state.json.old", "state.json.new", "state.json.spare" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_free_ char *path = path_of(names[i]);
                if (unlink(path) < 0)
                        (void) rmdir(path);
        }
        ck_assert_int_eq(rmdir(dir), 0);
}

static void put(const char *name, const char *text, size_t size) {
        _cleanup_free_ char *path = path_of(name);
        ck_assert_int_eq(file_write_atomic(path, text, size, 0600), 0);
}

static void write_n(int n, bool keep) {
        char text[32];

        snprintf(text, sizeof(text), "{\"n\":%d}", n);
        ck_assert_int_eq(state_file_write(dir, text, strlen(text), keep), 0);
}

/* 0: nothing was found. */
static int read_n(StateFileReport *report) {
        _cleanup_json_ json_t *v = NULL;
        ck_assert_int_eq(state_file_read(dir, geteuid(), &v, report), 0);
        ck_assert(json_is_object(v));
        return (int) json_integer_value(json_object_get(v, "n"));
}

START_TEST(the_newest_counts_and_the_one_before_is_kept) {
        StateFileReport report;

        ck_assert_int_eq(read_n(&report), 0);
        ck_assert_str_eq(report.text, "");
        ck_assert(!report.is_newest_good);
        write_n(1, false);
        write_n(2, true);
        ck_assert_int_eq(read_n(&report), 2);
        ck_assert(report.is_newest_good);
        ck_assert_str_eq(report.text, "");
        write_n(3, true);
        put("state.json", "{", 1);
        ck_assert_int_eq(read_n(&report), 2);
        ck_assert(!report.is_newest_good);
        ck_assert_ptr_nonnull(strstr(report.text, "using the one before it"));
        write_n(4, false); /* what is damaged does not take the place of what is whole */
        put("state.json", "", 0);
        ck_assert_int_eq(read_n(&report), 2);
}
END_TEST

START_TEST(cut_anywhere_it_is_the_one_before) {
        static const char text[] = "{\"n\":2,\"pools\":{\"a\":{\"set\":{\"nice\":1}}}}";

        write_n(1, false);
        write_n(2, true);
        for (size_t n = 0; n < sizeof(text) - 1; n++) {
                StateFileReport report;
                put("state.json", text, n);
                ck_assert_int_eq(read_n(&report), 1);
        }
}
END_TEST

START_TEST(what_is_left_of_a_write_that_died_is_no_obstacle) {
        StateFileReport report;

        write_n(1, false);
        put("state.json.new", "{\"n\":7", 6);
        put("state.json.spare", "{\"n\":8}", 7);
        ck_assert_int_eq(read_n(&report), 1);
        write_n(2, true);
        ck_assert_int_eq(read_n(&report), 2);
        put("state.json", "x", 1);
        ck_assert_int_eq(read_n(&report), 1);
}
END_TEST

START_TEST(what_others_can_write_is_not_believed) {
        _cleanup_free_ char *path = path_of("state.json");
        StateFileReport report;

        write_n(1, false);
        write_n(2, true);
        ck_assert_int_eq(chmod(path, 0620), 0);
        ck_assert_int_eq(read_n(&report), 1);
        ck_assert_ptr_nonnull(strstr(report.text, "others can write"));
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(read_n(&report), 1);
        ck_assert_ptr_nonnull(strstr(report.text, "not a regular file"));
        write_n(3, false);
        ck_assert_int_eq(read_n(&report), 3);
}
END_TEST

START_TEST(a_write_that_fails_changes_nothing) {
        struct rlimit small = { 4, RLIM_INFINITY }, before;
        StateFileReport report;
        int r;

        write_n(1, false);
        signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
        small.rlim_max = before.rlim_max;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        r = state_file_write(dir, "{\"n\":2}", 7, true);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        ck_assert_int_eq(r, -EFBIG);
        ck_assert_int_eq(read_n(&report), 1);
        ck_assert_str_eq(report.text, "");
        ck_assert_int_eq(state_file_write("/nonexistent/x", "{}", 2, false), -ENOENT);
}
END_TEST

int main(void) {
        Suite *s = suite_create("state-file");
        TCase *t = tcase_create("state-file");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_test(t, the_newest_counts_and_the_one_before_is_kept);
        tcase_add_test(t, cut_anywhere_it_is_the_one_before);
        tcase_add_test(t, what_is_left_of_a_write_that_died_is_no_obstacle);
        tcase_add_test(t, what_others_can_write_is_not_believed);
        tcase_add_test(t, a_write_that_fails_changes_nothing);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
