/* test-log-quota.c - which files a quota removes; what the janitor does when its job goes under it. */
#include "base/alloc.h"
#include "base/fd.h"
#include "logger/log-janitor.h"
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

typedef struct File {
        const char *name;
        unsigned size, age; /* bytes, seconds */
        bool goes;
} File;

static const struct {
        const char *prefix; /* of the paths */
        bool is_pool;
        uint64_t max_total;
        File files[14];
} quotas[] = {
        {"0", true, 1000, {{"0.stdout.log", 900, 0, false}, {"0.stdout.log.1", 100, 1, false}}}, /* it fits */
        {"0", true, 999, {{"0.stdout.log", 900, 0, false}, {"0.stdout.log.1", 100, 1, true}}},
        {"0", true, 10, {{"0.stdout.log", 900, 9, false}, {"1.stderr.log", 100, 9, false}}}, /* current ones stay */
        {"0", true, 1000, {{"0.stdout.log.1", 500, 1, false}, {"0.stdout.log.2", 500, 9, true}, {"7.stderr.log.1.gz", 400, 3, false},
                           {"7.stderr.log.2.zst", 300, 5, true}, {"7.stderr.idx.2", 50, 5, true}, {"0.stdout.idx.2", 50, 9, true},
                           {"0.stdout.idx", 60, 0, false}}},
        {"0", true, 100, {{"x.stdout.log.1", 900, 9, false}, {"0.stdout.log.1.xz", 900, 9, false}, {"0.stdout.log.0", 900, 9, false},
                          {"0.stdout.log.10000", 900, 9, false}, {"0.stdout.log.1x", 900, 9, false}, {"0stdout.log.1", 900, 9, false},
                          {".stdout.log.1", 900, 9, false}, {"0.stdout.txt.1", 900, 9, false}, {"00.notes", 900, 9, false}}},
        {"0", true, 300, {{"0.stdout.log.1", 100, 9, false}, {"0.stdout.log.2", 100, 1, false}, {"0.stdout.log.3", 200, 2, true},
                          {"0.stdout.log", 100, 0, false}}}, /* the highest number first, whatever its age */
        {"tick", false, 100, {{"tick.stdout.log.1", 90, 2, false}, {"tick.stderr.log.1", 90, 3, true}, {"tick.log", 500, 9, false},
                              {"tick2.stdout.log.1", 900, 9, false}}},
        {"a.log", false, 100, {{"a.log", 50, 0, false}, {"a.log.1", 50, 1, false}, {"a.log.2.gz", 50, 2, true}, {"a.logs.1", 900, 9, false}}},
        {"0", true, 1000, {{"0.stdout.log.compressing", 600, 0, false}, {"0.stdout.log.1", 300, 1, false}, {"0.stdout.log.2", 200, 2, true}}},
};

static char dir[64];
static LogLoop loop;
static LogJanitor janitor;

static void setup(void) {
        snprintf(dir, sizeof dir, "/tmp/drover-test-XX" "XXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(log_loop_init(&loop), 0);
        log_janitor_init(&janitor, &loop);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
        return remove(path);
}

static void teardown(void) {
        log_janitor_done(&janitor);
        log_loop_done(&loop);
        nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name) {
        static char path[200];
        snprintf(path, sizeof path, "%s/%s", dir, name);
        return path;
}

static void make(const char *name, size_t size, unsigned age) {
        struct timespec t[2];
        _cleanup_free_ char *data = NEW0_ARRAY(char, size + 1);
        _cleanup_fd_ int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        for (size_t i = 0; i < size; i++)
                data[i] = (char) ('a' + i * i % 23);
        ck_assert_int_eq(write(fd, data, size), (ssize_t) size);
        clock_gettime(CLOCK_REALTIME, &t[0]);
        t[0].tv_sec -= age;
        t[1] = t[0];
        ck_assert_int_eq(futimens(fd, t), 0);
}

static bool exists(const char *name) {
        return access(path_of(name), F_OK) == 0;
}

static void work(void) {
        while (janitor.current || janitor.jobs)
                ck_assert_int_eq(log_loop_turn(&loop), 0);
}

START_TEST(quota) {
        for (const File *f = quotas[_i].files; f->name; f++)
                make(f->name, f->size, f->age);
        _cleanup_free_ char *path = strdup(path_of(quotas[_i].prefix));
        ck_assert_int_eq(log_janitor_quota(&janitor, path, quotas[_i].is_pool, quotas[_i].max_total), 0);
        work();
        for (const File *f = quotas[_i].files; f->name; f++)
                ck_assert_msg(exists(f->name) == !f->goes, "%s %s", f->name, f->goes ? "stayed" : "is gone");
}
END_TEST

/* More than one look at the directory is needed. */
START_TEST(many) {
        char name[40];
        for (int i = 1; i <= 300; i++) {
                snprintf(name, sizeof name, "0.stdout.log.%d", i);
                make(name, 10, (unsigned) i);
        }
        ck_assert_int_eq(log_janitor_quota(&janitor, path_of("0"), true, 100), 0);
        work();
        ck_assert(exists("0.stdout.log.10"));
        ck_assert(!exists("0.stdout.log.11"));
        ck_assert(!exists("0.stdout.log.300"));
}
END_TEST

/* Cleared while it is compressed, at every step of that, on its way to the disk too; then there is nothing to do. */
START_TEST(forgotten) {
        make("0.stdout.log.1", 100000, 1);
        ck_assert_int_eq(log_janitor_compress(&janitor, path_of("0.stdout.log"), LOG_COMPRESS_GZIP), 0);
        ck_assert_int_eq(log_janitor_compress(&janitor, path_of("0.stderr.log"), LOG_COMPRESS_GZIP), 0);
        for (int i = 0; i < _i && (janitor.current || janitor.jobs); i++)
                ck_assert_int_eq(log_loop_turn(&loop), 0);
        log_janitor_forget(&janitor, path_of("0.stdout.log"));
        ck_assert(!exists("0.stdout.log.compressing"));
        make("0.stdout.log.1", 50, 0);
        for (int i = 0; i < 3 && (janitor.current || janitor.jobs || janitor.step.place); i++)
                ck_assert_int_eq(log_loop_turn(&loop), 0);
        work();
        ck_assert_int_eq(log_janitor_compress(&janitor, path_of("0.stdout.log"), LOG_COMPRESS_ZSTD), 0);
        work();
        ck_assert(!exists("0.stdout.log.1"));
        ck_assert(exists("0.stdout.log.1.zst") || exists("0.stdout.log.1.gz"));
}
END_TEST

/* A descriptor that cannot be synced is told; the plain file stays. */
START_TEST(sync_tells) {
        _cleanup_fd_ int fd = open(dir, O_PATH | O_CLOEXEC);
        LogSync *s = &janitor.sync;
        ck_assert_int_eq(log_sync_start(s, fd), 0);
        ck_assert(log_sync_is_on(s));
        log_sync_stop(s);
        ck_assert(!log_sync_is_on(s));
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-quota");
        TCase *t = tcase_create("log-quota");
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, quota, 0, ARRAY_SIZE(quotas));
        tcase_add_test(t, many);
        tcase_add_loop_test(t, forgotten, 0, 9);
        tcase_add_test(t, sync_tells);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
