/* test-listen-open.c - Unix sockets in a directory that belongs to somebody else. */
#include "base/alloc.h"
#include "base/fd.h"
#include "pool/listen-open.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOB 12345

static char directory[] = "/tmp/drover-test-listen-XXXXXX";
static char *path, *victim;
static int fd;
static ListenConfig config;

static void setup(void) {
        (void) snprintf(directory, sizeof(directory), "/tmp/drover-test-listen-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        path = alloc_printf("%s/s", directory);
        victim = alloc_printf("%s/victim", directory);
        fd_close(open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        config = (ListenConfig){.name = (char *) "s", .kind = LISTEN_UNIX, .address = path, .backlog = 5, .mode = 0600};
        if (geteuid() == 0) {
                config.has_owner = true;
                config.uid = config.gid = BOB;
        }
        fd = listen_open(&config);
        ck_assert_int_ge(fd, 0);
}

static void teardown(void) {
        struct stat st;

        ck_assert_int_eq(stat(victim, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        ck_assert_uint_eq(st.st_uid, geteuid());
        fd_close(fd);
        (void) unlink(path);
        (void) unlink(victim);
        ck_assert_int_eq(rmdir(directory), 0);
        free(path);
        free(victim);
}

START_TEST(mode_and_owner_change) {
        struct stat st;

        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_uid, geteuid() == 0 ? BOB : geteuid());
        config.mode = 0666;
        ck_assert_int_eq(listen_adjust(fd, &config), 0);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0666);
}
END_TEST

/* Its owner puts something else into its place: that is left as it is. */
static int (*const plants[])(const char *from, const char *to) = {symlink, link};

START_TEST(what_took_its_place_is_not_touched) {
        config.mode = 0666;
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(plants[_i](victim, path), 0);
        ck_assert_int_eq(listen_adjust(fd, &config), -EPERM);
}
END_TEST

int main(void) {
        Suite *s = suite_create("listen-open");
        TCase *t = tcase_create("all");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, mode_and_owner_change);
        tcase_add_loop_test(t, what_took_its_place_is_not_touched, 0, ARRAY_SIZE(plants));
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
