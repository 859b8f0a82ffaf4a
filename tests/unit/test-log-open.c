/* test-log-open.c - what is opened, what is refused and by what word. */
#include "base/fd.h"
#include "logger/log-open.h"
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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

static int try_open(const char *dir, const char *name, bool make) {
        char path[300];
        _cleanup_fd_ int dir_fd = -EBADF, fd = -EBADF;
        const char *last;
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        int r = log_dir_open(path, make, &dir_fd, &last);
        return r < 0 ? r : log_file_open(dir_fd, last, O_WRONLY | O_CREAT | O_APPEND, &fd, &st);
}

static mode_t mode_of(const char *dir, const char *name) {
        char path[300];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        ck_assert_int_eq(stat(path, &st), 0);
        return st.st_mode & 07777;
}

START_TEST(makes_what_is_missing) {
        static const mode_t masks[] = {0, 022, 077};
        char *dir = make_dir();
        mode_t old = umask(masks[_i]);
        ck_assert_int_eq(try_open(dir, "a/b/c.log", false), -ENOENT);
        ck_assert_int_eq(try_open(dir, "a/b/c.log", true), 0);
        ck_assert_int_eq(try_open(dir, "a/b/c.log", false), 0);
        umask(old);
        ck_assert_uint_eq(mode_of(dir, "a/b/c.log"), 0640);
        ck_assert_uint_eq(mode_of(dir, "a"), 0750 & ~masks[_i]); /* the program itself runs with umask 0 */
        remove_dir(dir);
}
END_TEST

START_TEST(refuses) {
        char *dir = make_dir();
        _cleanup_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(try_open(dir, "plain", false), 0);
        ck_assert_int_eq(symlinkat("plain", fd, "link"), 0);
        ck_assert_int_eq(symlinkat("nowhere", fd, "dangling"), 0);
        ck_assert_int_eq(mkdirat(fd, "dir", 0755), 0);
        ck_assert_int_eq(symlinkat("dir", fd, "dirlink"), 0);
        ck_assert_int_eq(mkfifoat(fd, "fifo", 0666), 0);
        ck_assert_int_eq(try_open(dir, "twice", false), 0);
        ck_assert_int_eq(linkat(fd, "twice", fd, "thrice", 0), 0);
        static const struct {
                const char *name;
                int error;
        } cases[] = {{"link", -ELOOP},       {"dangling", -ELOOP}, {"dir", -EISDIR},  {"dirlink/x", -ELOOP},
                     {"fifo", -ENXIO},       {"twice", -EMLINK},   {"plain/x", -ENOTDIR}, {"dir/../plain", -EINVAL}};
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ck_assert_int_eq(try_open(dir, cases[i].name, true), cases[i].error);
                ck_assert(log_open_is_refusal(cases[i].error));
        }
        ck_assert(!log_open_is_refusal(-ENOSPC) && !log_open_is_refusal(-ENOENT) && !log_open_is_refusal(-EMFILE));
        ck_assert_int_eq(try_open(dir, "dirlink/made/x", true), -ELOOP);
        if (geteuid() == 0 && mknodat(fd, "null", S_IFCHR | 0666, makedev(1, 3)) == 0)
                ck_assert_int_eq(try_open(dir, "null", false), -ENXIO);
        if (geteuid() == 0 && fchownat(fd, "plain", 12345, 12345, 0) == 0)
                ck_assert_int_eq(try_open(dir, "plain", false), -EPERM);
        remove_dir(dir);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-open");
        TCase *t = tcase_create("log-open");
        tcase_add_loop_test(t, makes_what_is_missing, 0, 3);
        tcase_add_test(t, refuses);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
