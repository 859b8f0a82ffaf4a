/* test-path.c - links in a path: followed where they can be trusted, else not. */
#include "base/fd.h"
#include "base/path.h"
#include "base/alloc.h"

#include <check.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static void set_up(void) {
        (void) snprintf(directory, sizeof(directory), "/tmp/drover-test-path-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        ck_assert_int_eq(chdir(directory), 0);
        ck_assert_int_eq(mkdir("real", 0755) | mkdir("real/log", 0755) | mkdir("shared", 0755), 0);
        ck_assert_int_eq(chmod("shared", 0777), 0);
        ck_assert_int_eq(symlink("real", "relative") | symlink("../real/log", "real/up") | symlink("loop", "loop"), 0);
        ck_assert_int_eq(symlink("../real", "shared/anybody") | symlink("real/none", "dangling"), 0);
        ck_assert_int_eq(symlink("/", "root"), 0);
}

static void tear_down(void) {
        static const char *const links[] = {"relative", "real/up", "loop", "shared/anybody", "dangling", "root"};

        for (size_t i = 0; i < ARRAY_SIZE(links); i++)
                ck_assert_int_eq(unlink(links[i]), 0);
        ck_assert_int_eq(rmdir("real/log") | rmdir("real") | rmdir("shared"), 0);
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(rmdir(directory), 0);
}

static const struct {
        const char *path, *resolved;
        int r;
} cases[] = {
        {"real/log", "real/log", 0},
        {"relative/log", "real/log", 0},
        {"relative//./log/", "real/log", 0},
        {"relative/up/web/0", "real/log/web/0", 0},
        {"relative/../real/new/er", "real/new/er", 0},
        {"dangling/web", "real/none/web", 0},
        {"new", "new", 0},
        {"new/er//", "new/er", 0},
        {"loop/x", NULL, -ELOOP},
        {"shared/anybody/log", NULL, -EPERM},
        {"shared/own", "shared/own", 0},
};

START_TEST(links) {
        _cleanup_free_ char *path = alloc_printf("%s/%s", directory, cases[_i].path), *resolved = NULL, *expected = NULL;

        ck_assert_int_eq(path_resolve(path, &resolved), cases[_i].r);
        if (cases[_i].r < 0)
                return;
        expected = alloc_printf("%s/%s", directory, cases[_i].resolved);
        ck_assert_str_eq(resolved, expected);
}
END_TEST

START_TEST(the_root) {
        _cleanup_free_ char *path = alloc_printf("%s/root", directory), *a = NULL, *b = NULL, *c = NULL;

        ck_assert_int_eq(path_resolve(path, &a), 0);
        ck_assert_str_eq(a, "/");
        ck_assert_int_eq(path_resolve("/no-such-directory/x", &b), 0);
        ck_assert_str_eq(b, "/no-such-directory/x");
        ck_assert_int_eq(path_resolve("relative", &c), -EINVAL);
        ck_assert_ptr_null(c);
}
END_TEST

static const struct {
        const char *path, *name;
        int r;
} parents[] = {
        {"real/new", "new", 0},
        {"relative/new", "new", 0},
        {"shared/anybody/new", NULL, -EPERM},
        {"none/new", NULL, -ENOENT},
        {"real/", NULL, -EINVAL},
};

START_TEST(parent) {
        _cleanup_free_ char *path = alloc_printf("%s/%s", directory, parents[_i].path);
        _cleanup_fd_ int fd = -EBADF;
        const char *name;

        ck_assert_int_eq(path_open_parent(path, &fd, &name), parents[_i].r);
        if (parents[_i].r == 0)
                ck_assert_str_eq(name, parents[_i].name);
}
END_TEST

int main(void) {
        Suite *s = suite_create("path");
        TCase *t = tcase_create("path");
        SRunner *sr = srunner_create(s);
        int n;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_loop_test(t, links, 0, ARRAY_SIZE(cases));
        tcase_add_loop_test(t, parent, 0, ARRAY_SIZE(parents));
        tcase_add_test(t, the_root);
        suite_add_tcase(s, t);
        srunner_run_all(sr, CK_NORMAL);
        n = srunner_ntests_failed(sr);
        srunner_free(sr);
        return n ? 1 : 0;
}
