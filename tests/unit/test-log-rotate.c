/* test-log-rotate.c - where a file is cut, and how its names move on. */
#include "base/fd.h"
#include "base/file.h"
#include "logger/log-rotate.h"
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
        uint64_t size, line_bytes, max_size;
        const char *data;
        size_t n_write;
        bool rotate;
} cuts[] = {
        {0, 0, 0, "any\nthing\n", 10, false},      /* no bound */
        {0, 0, 10, "any\nthing\n", 10, false},     /* fits exactly */
        {1, 0, 10, "any\nthing\n", 4, true},       /* the last newline that fits */
        {9, 0, 10, "any\nthing\n", 0, true},       /* at the start of a line: that line belongs into the next file */
        {9, 3, 10, "any\nthing\n", 4, true},       /* in a line: its end belongs into this one */
        {20, 3, 10, "any\nthing\n", 4, true},      /* the size was made smaller meanwhile */
        {20, 0, 10, "any\nthing\n", 0, true},
        {0, 0, 2, "any\nthing\n", 4, true},        /* one line longer than the size */
        {0, 0, 2, "endless", 7, false},
        {9, 9, 10, "endless", 7, false},
        {LOG_LINE_CUT - 3, LOG_LINE_CUT - 3, 10, "endless", 3, true},
        {LOG_LINE_CUT, LOG_LINE_CUT, 10, "endless", 0, true},
        {LOG_LINE_CUT - 3, LOG_LINE_CUT - 3, 10, "en\nless", 3, true},
};

START_TEST(cut) {
        size_t n = strlen(cuts[_i].data);
        RotateCut c = log_rotate_cut(cuts[_i].size, cuts[_i].line_bytes, cuts[_i].max_size, (const uint8_t *) cuts[_i].data, n);
        ck_assert_uint_eq(c.n_write, cuts[_i].n_write);
        ck_assert_int_eq(c.rotate, cuts[_i].rotate);
}
END_TEST

#define H USEC_PER_HOUR

static const struct {
        usec_t begin, now, every;
        bool is_due;
        usec_t next;
} turns[] = {
        {5 * H, 50 * H, 0, false, USEC_INFINITY}, /* by size alone */
        {0, 50 * H, H, false, 51 * H},            /* nothing in it */
        {50 * H, 50 * H, H, false, 51 * H},
        {50 * H, 51 * H - 1, H, false, 51 * H},
        {50 * H, 51 * H, H, true, 52 * H},
        {51 * H - 1, 51 * H, H, true, 52 * H},
        {5 * H, 500 * H, H, true, 501 * H},       /* long ago */
        {51 * H, 50 * H, H, false, 51 * H},       /* the clock was set back */
        {47 * H, 48 * H, 24 * H, true, 72 * H},   /* midnight, in UTC */
        {48 * H, 71 * H, 24 * H, false, 72 * H},
        {1, USEC_INFINITY - 1, USEC_INFINITY - 1, true, USEC_INFINITY},
};

START_TEST(turn) {
        ck_assert_int_eq(log_rotate_is_due(turns[_i].begin, turns[_i].now, turns[_i].every), turns[_i].is_due);
        ck_assert_uint_eq(log_rotate_next(turns[_i].now, turns[_i].every), turns[_i].next);
}
END_TEST

static char *make_dir(void) {
        char *name = strdup("/tmp/drover-test-" "XX" "XX" "XX");
        ck_assert_ptr_nonnull(name);
        ck_assert_ptr_nonnull(mkdtemp(name));
        return name;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
        return remove(path);
}

static void remove_dir(char *dir) {
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(dir);
}

static void put(const char *dir, const char *name, const char *text) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", dir, name);
        ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600), 0);
}

static void assert_text(const char *dir, const char *name, const char *want) {
        char path[300], *text = NULL;
        size_t n;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        int r = file_read(path, 1000, &text, &n);
        if (want)
                ck_assert_str_eq(text, want);
        else
                ck_assert_int_eq(r, -ENOENT);
        free(text);
}

START_TEST(names) {
        char *dir = make_dir();
        _cleanup_fd_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        put(dir, "a.log", "new");
        put(dir, "a.log.1", "one");
        put(dir, "a.log.3", "three");
        ck_assert_int_eq(log_rotate_names(fd, "a.log", 3), 0); /* the gap is filled */
        assert_text(dir, "a.log", NULL);
        assert_text(dir, "a.log.1", "new");
        assert_text(dir, "a.log.2", "one");
        assert_text(dir, "a.log.3", "three");
        ck_assert_int_eq(log_rotate_names(fd, "a.log", 3), 0); /* nothing to rotate, a half-done one is mended */
        put(dir, "a.log", "newer");
        ck_assert_int_eq(log_rotate_names(fd, "a.log", 2), 0);
        assert_text(dir, "a.log.1", "newer");
        ck_assert_int_eq(log_rotate_names(fd, "a.log", 0), 0);
        put(dir, "a.log", "last");
        ck_assert_int_eq(log_rotate_names(fd, "a.log", 0), 0);
        assert_text(dir, "a.log", NULL);
        remove_dir(dir);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-rotate");
        TCase *t = tcase_create("log-rotate");
        tcase_add_loop_test(t, cut, 0, (int) ARRAY_SIZE(cuts));
        tcase_add_loop_test(t, turn, 0, (int) ARRAY_SIZE(turns));
        tcase_add_test(t, names);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
