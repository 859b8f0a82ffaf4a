/* test-logger.c - the real drover-logger, driven through its two lines (logger-rig.h). */
#include "logger-rig.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static Rig rig;
static char *dir;
static char base[400], out[420], err[420];

static void setup(void) {
        dir = rig_directory();
        snprintf(base, sizeof base, "%s/web/0", dir);
        snprintf(out, sizeof out, "%s.stdout.log", base);
        snprintf(err, sizeof err, "%s.stderr.log", base);
}

static void teardown(void) {
        rig_stop(&rig);
        rig_remove(dir);
}

static void assert_file(const char *path, const char *want) {
        char *text;
        size_t n;
        rig_slurp(path, &text, &n);
        ck_assert_str_eq(text, want);
        free(text);
}

static void assert_mode(const char *path, mode_t mode) {
        struct stat st;
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, mode);
}

START_TEST(writes_both_streams) {
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 1 << 20, 3);
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT | LOG_STREAM_STDERR);
        rig_print(&rig, 0, 0, "one\ntwo");
        rig_print(&rig, 0, 1, "a much longer line of trouble\n");
        rig_wait_bytes(out, 7);
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        assert_file(out, "one\ntwo");
        assert_file(err, "a much longer line of trouble\n");
        assert_mode(out, 0640);
        snprintf(err, sizeof err, "%s/web", dir);
        assert_mode(err, 0750);
        /* The next life does not go on in the middle of a line. */
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        rig_print(&rig, 0, 0, "three\n");
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        assert_file(out, "one\ntwo\nthree\n");
        ck_assert_int_eq(rig_finish(&rig), 0);
}
END_TEST

START_TEST(raw_bytes) {
        static const char odd[] = "\xff\xfe\0\x1b[31m\r\r\xc3(\n";
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 0, 0);
        char *text;
        size_t n;
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        rig_write(&rig, 0, 0, odd, sizeof odd);
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        rig_slurp(out, &text, &n);
        ck_assert_uint_eq(n, sizeof odd);
        ck_assert_int_eq(memcmp(text, odd, n), 0);
        free(text);
}
END_TEST

/* Every file but the last ends with a newline and is at most a line longer than its size. */
static void assert_bounded(const char *path, size_t max, int n_files, bool cut_at_lines) {
        char name[600], *text;
        for (int i = 1; i <= n_files + 1; i++) {
                size_t n;
                snprintf(name, sizeof name, "%s.%d", path, i);
                int r = file_read(name, 1 << 30, &text, &n);
                if (r == -ENOENT) {
                        ck_assert_int_le(i, n_files + 1);
                        return;
                }
                ck_assert_int_eq(r, 0);
                ck_assert_int_le(i, n_files);
                ck_assert_uint_le(n, max);
                if (cut_at_lines)
                        ck_assert_int_eq(text[n - 1], '\n');
                free(text);
        }
}

START_TEST(rotates_at_lines) {
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 1000, 500);
        Rig *r = &rig;
        char line[300], *all = NULL, *text;
        size_t n_all = 0, n;
        rig_start(r);
        rig_attach(r, 0, &s, LOG_STREAM_STDOUT);
        all = malloc(400 * 300);
        for (int i = 0; i < 400; i++) {
                int k = snprintf(line, sizeof line, "%d %*d\n", i, i % 200 + 1, i);
                memcpy(all + n_all, line, (size_t) k);
                n_all += (size_t) k;
        }
        rig_write(r, 0, 0, all, n_all);
        rig_close(r, 0);
        rig_wait_detached(r, 0);
        rig_slurp(out, &text, &n);
        ck_assert_uint_eq(n, n_all);
        ck_assert_int_eq(memcmp(text, all, n), 0);
        assert_bounded(out, 1000, 500, true);
        free(text);
        free(all);
}
END_TEST

START_TEST(keeps_so_many_files) {
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 100, 2);
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        for (int i = 0; i < 1000; i++) {
                char line[40];
                snprintf(line, sizeof line, "line number %06d\n", i);
                rig_print(&rig, 0, 0, line);
        }
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        assert_bounded(out, 100, 2, true);
        char *text;
        size_t n;
        rig_slurp(out, &text, &n);
        ck_assert(n > 100 && n <= 300);
        ck_assert_str_eq(text + n - 19, "line number 000999\n");
        free(text);
}
END_TEST

/* max_files 0: the file starts anew; a line without an end is cut at 1 MiB and uses no memory. */
START_TEST(endless_line) {
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 1 << 20, 100);
        char block[8192], *text;
        size_t n;
        memset(block, 'x', sizeof block);
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        for (int i = 0; i < 4096; i++)
                rig_write(&rig, 0, 0, block, sizeof block);
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        rig_slurp(out, &text, &n);
        ck_assert_uint_eq(n, 4096 * sizeof block);
        free(text);
        assert_bounded(out, 1 << 20, 100, false);
        snprintf(block, sizeof block, "/proc/%d/status", rig.pid);
        ck_assert_int_eq(file_read(block, 1 << 16, &text, &n), 0);
        ck_assert_uint_lt(strtoul(strstr(text, "VmRSS:") + 6, NULL, 10), 12000);
        free(text);
}
END_TEST

static void make_symlink(const char *path) {
        ck_assert_int_eq(symlink("victim", path), 0);
}
static void make_hardlink(const char *path) {
        char other[500];
        snprintf(other, sizeof other, "%s/other", dir);
        ck_assert_int_eq(file_write_atomic(other, "x", 1, 0600), 0);
        ck_assert_int_eq(link(other, path), 0);
}
static void make_fifo(const char *path) {
        ck_assert_int_eq(mkfifo(path, 0666), 0);
}
static void make_dir(const char *path) {
        ck_assert_int_eq(mkdir(path, 0755), 0);
}
static void make_middle_link(const char *path) {
        char middle[500], real[500];
        snprintf(middle, sizeof middle, "%s/web", dir);
        snprintf(real, sizeof real, "%s/real", dir);
        ck_assert_int_eq(rmdir(middle), 0);
        ck_assert_int_eq(mkdir(real, 0755), 0);
        ck_assert_int_eq(symlink("real", middle), 0);
}
static void (*const traps[])(const char *path) = {make_symlink, make_hardlink, make_fifo, make_dir, make_middle_link};

START_TEST(refuses_traps) {
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 1 << 20, 3);
        char web[500], block[4096];
        snprintf(web, sizeof web, "%s/web", dir);
        ck_assert_int_eq(mkdir(web, 0755), 0);
        traps[_i](out);
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        memset(block, 'y', sizeof block);
        for (int i = 0; i < 64; i++) /* 256 KiB: more than a pipe holds, so a worker is not stuck for ever */
                rig_write(&rig, 0, 0, block, sizeof block);
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        snprintf(block, sizeof block, "%s/web/victim", dir);
        ck_assert_int_ne(access(block, F_OK), 0);
        snprintf(block, sizeof block, "%s/real/0.stdout.log", dir);
        ck_assert_int_ne(access(block, F_OK), 0);
        snprintf(block, sizeof block, "%s/other", dir);
        struct stat st;
        if (stat(block, &st) == 0)
                ck_assert_int_eq(st.st_size, 1);
        ck_assert_int_eq(rig_finish(&rig), 0);
}
END_TEST

START_TEST(deleted_and_truncated_by_hand) {
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 1 << 20, 3);
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        rig_print(&rig, 0, 0, "a line of the first file\n");
        rig_wait_bytes(out, 25);
        ck_assert_int_eq(unlink(out), 0);
        rig_reopen(&rig);
        rig_print(&rig, 0, 0, "a line of the second file\n");
        rig_wait_bytes(out, 26);
        assert_file(out, "a line of the second file\n");
        ck_assert_int_eq(truncate(out, 0), 0);
        rig_print(&rig, 0, 0, "a line after the cut\n");
        rig_wait_bytes(out, 21);
        assert_file(out, "a line after the cut\n");
}
END_TEST

START_TEST(deleted_is_noticed_without_reopen) {
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 1 << 20, 3);
        usec_t end = clock_now() + RIG_WAIT_USEC;
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        rig_print(&rig, 0, 0, "a line of the first file\n");
        rig_wait_bytes(out, 25);
        ck_assert_int_eq(unlink(out), 0);
        while (access(out, F_OK) < 0) {
                ck_assert(clock_now() < end);
                rig_print(&rig, 0, 0, "the worker goes on\n");
                poll(NULL, 0, 20);
        }
}
END_TEST

/* A pipe that somebody else still holds: given up after the linger time, with all that was in it. */
START_TEST(linger) {
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 1 << 20, 3);
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT | LOG_STREAM_STDERR);
        rig_print(&rig, 0, 0, "the last words\n");
        usec_t start = clock_now();
        rig_linger(&rig, 0, 300 * USEC_PER_MSEC);
        rig_wait_detached(&rig, 0);
        ck_assert_uint_ge(clock_now() - start, 290 * USEC_PER_MSEC);
        assert_file(out, "the last words\n");
}
END_TEST

START_TEST(shared_whole_lines) {
        snprintf(out, sizeof out, "%s/all.log", dir);
        LogSpec s = rig_spec(LOG_KIND_SHARED, "web/0", out, 0, 0);
        rig_start(&rig);
        for (uint32_t i = 0; i < 4; i++) {
                snprintf(s.worker, sizeof s.worker, "web/%u", i);
                rig_attach(&rig, i, &s, 3);
        }
        size_t n_want = 0;
        for (int i = 0; i < 200; i++) {
                for (uint32_t k = 0; k < 4; k++)
                        rig_print(&rig, k, i & 1, "half a li");
                for (uint32_t k = 0; k < 4; k++)
                        rig_print(&rig, k, i & 1, "ne and the rest\n");
                n_want += 4 * 25;
        }
        rig_print(&rig, 2, 0, "no end");
        for (uint32_t k = 0; k < 4; k++)
                rig_close(&rig, k);
        for (uint32_t k = 0; k < 4; k++)
                rig_wait_detached(&rig, k);
        char *text, *rest, *line;
        size_t n, n_lines = 0, n_odd = 0;
        rig_slurp(out, &text, &n);
        ck_assert_uint_eq(n, n_want + strlen("no end [...]\n"));
        rest = text;
        while ((line = strsep(&rest, "\n")) && rest) {
                n_lines++;
                n_odd += strcmp(line, "half a line and the rest") != 0;
        }
        ck_assert_uint_eq(n_lines, 801);
        ck_assert_uint_eq(n_odd, 1);
        free(text);
}
END_TEST

/* A partial line of a shared file is committed after a second, without its worker's end; a mark tells of it. */
START_TEST(shared_partial_line) {
        snprintf(out, sizeof out, "%s/all.log", dir);
        LogSpec s = rig_spec(LOG_KIND_SHARED, "web/0", out, 0, 0);
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        rig_print(&rig, 0, 0, "whole\npassword:");
        rig_wait_bytes(out, 22);
        assert_file(out, "whole\npassword: [...]\n");
}
END_TEST

START_TEST(descriptors_are_short) {
        char path[500];
        rig.n_fds_max = 128 + 64;
        rig_start(&rig);
        for (uint32_t i = 0; i < 50; i++) {
                snprintf(path, sizeof path, "%s/web/%u", dir, i);
                LogSpec s = rig_spec(LOG_KIND_FILE, "web/x", path, 1 << 20, 3);
                rig_attach(&rig, i, &s, 3);
        }
        for (int k = 0; k < 5; k++)
                for (uint32_t i = 0; i < 50; i++)
                        for (int stream = 0; stream < 2; stream++)
                                rig_print(&rig, i, stream, "a line for everybody\n");
        for (uint32_t i = 0; i < 50; i++) {
                rig_close(&rig, i);
                rig_wait_detached(&rig, i);
                for (int stream = 0; stream < 2; stream++) {
                        char *text;
                        size_t n;
                        snprintf(path, sizeof path, "%s/web/%u.%s.log", dir, i, stream ? "stderr" : "stdout");
                        rig_slurp(path, &text, &n);
                        ck_assert_uint_eq(n, 5 * 21);
                        free(text);
                }
        }
}
END_TEST

/* A full disk: the worker waits, another disk's log goes on, nothing is lost when there is room again. */
START_TEST(full_disk) {
        char full[380], ballast[420], quiet[500], quiet_log[520], line[101];
        snprintf(full, sizeof full, "%s/full", dir);
        ck_assert_int_eq(mkdir(full, 0755), 0);
        if (mount("none", full, "tmpfs", 0, "size=256k") < 0)
                return; /* not root: the limit of file sizes below stands for it */
        snprintf(ballast, sizeof ballast, "%s/ballast", full);
        char *zeros = NEW0_ARRAY(char, 200 * 1024);
        ck_assert_int_eq(file_write_atomic(ballast, zeros, 200 * 1024, 0600), 0);
        snprintf(base, sizeof base, "%s/0", full);
        snprintf(out, sizeof out, "%s.stdout.log", base);
        snprintf(quiet, sizeof quiet, "%s/quiet", dir);
        snprintf(quiet_log, sizeof quiet_log, "%s.stdout.log", quiet);
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 0, 0), q = rig_spec(LOG_KIND_FILE, "q/0", quiet, 0, 0);
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        rig_attach(&rig, 1, &q, LOG_STREAM_STDOUT);
        int fd = rig.outputs[0].write_fds[0];
        ck_assert_int_eq(fd_set_nonblock(fd, true), 0);
        size_t n_lines = 0;
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        while (poll(&p, 1, 300) == 1) { /* until the pipe stays full */
                snprintf(line, sizeof line, "%099zu\n", n_lines);
                if (write(fd, line, 100) == 100)
                        n_lines++;
        }
        ck_assert_uint_gt(rig_pipe_bytes(&rig, 0, 0), 50000);
        usec_t start = clock_now();
        rig_print(&rig, 1, 0, "the quiet one is not disturbed\n");
        rig_wait_bytes(quiet_log, 31);
        ck_assert_uint_lt(clock_now() - start, 100 * USEC_PER_MSEC);
        rig_restart(&rig); /* what was read and found no room survives this too */
        ck_assert_int_eq(unlink(ballast), 0);
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        char *text;
        size_t n;
        rig_slurp(out, &text, &n);
        ck_assert_uint_eq(n, n_lines * 100);
        for (size_t i = 0; i < n_lines; i++)
                ck_assert_uint_eq(strtoull(text + i * 100, NULL, 10), i);
        free(text);
        free(zeros);
        ck_assert_int_eq(umount2(full, MNT_DETACH), 0);
}
END_TEST

/* Nobody's end waits for a disk: after the linger time what it does not take is lost, and another's log goes on. */
START_TEST(full_disk_of_the_dead) {
        char other[380], block[20000];
        snprintf(other, sizeof other, "%s/other", dir);
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 0, 0), q = rig_spec(LOG_KIND_FILE, "q/0", other, 0, 0);
        memset(block, 'x', sizeof block);
        rig.n_fsize_max = 10000;
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        rig_attach(&rig, 1, &q, LOG_STREAM_STDOUT);
        rig_write(&rig, 0, 0, block, sizeof block); /* is read at once and parked */
        rig_write(&rig, 0, 0, block, sizeof block); /* stays in the pipe */
        rig_close(&rig, 0);
        rig_linger(&rig, 0, 300 * USEC_PER_MSEC);
        rig_wait_detached(&rig, 0);
        rig_print(&rig, 1, 0, "fine\n");
        snprintf(out, sizeof out, "%s.stdout.log", other);
        rig_wait_bytes(out, 5);
        rig_close(&rig, 1);
        rig_wait_detached(&rig, 1);
}
END_TEST

/* A file at RLIMIT_FSIZE takes nothing, the signal kills nobody, and a second file goes on. */
START_TEST(file_too_big) {
        char other[500], other_log[520], block[1000];
        snprintf(other, sizeof other, "%s/other", dir);
        snprintf(other_log, sizeof other_log, "%s.stdout.log", other);
        LogSpec s = rig_spec(LOG_KIND_FILE, "web/0", base, 0, 0), o = rig_spec(LOG_KIND_FILE, "o/0", other, 0, 0);
        rig.n_fsize_max = 300000;
        rig_start(&rig);
        rig_attach(&rig, 0, &s, LOG_STREAM_STDOUT);
        rig_attach(&rig, 1, &o, LOG_STREAM_STDOUT);
        memset(block, 'z', sizeof block);
        for (int i = 0; i < 340; i++)
                rig_write(&rig, 0, 0, block, sizeof block);
        rig_wait_bytes(out, 300000);
        rig_print(&rig, 1, 0, "the other file goes on\n");
        rig_wait_bytes(other_log, 23);
        /* Room again, made by hand. */
        ck_assert_int_eq(truncate(out, 0), 0);
        rig_wait_bytes(out, 40000);
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        char *text;
        size_t n;
        rig_slurp(out, &text, &n);
        ck_assert_uint_eq(n, 40000);
        free(text);
}
END_TEST

int main(void) {
        Suite *s = suite_create("logger");
        TCase *t = tcase_create("logger");
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, writes_both_streams);
        tcase_add_test(t, raw_bytes);
        tcase_add_test(t, rotates_at_lines);
        tcase_add_test(t, keeps_so_many_files);
        tcase_add_test(t, endless_line);
        tcase_add_loop_test(t, refuses_traps, 0, (int) ARRAY_SIZE(traps));
        tcase_add_test(t, deleted_and_truncated_by_hand);
        tcase_add_test(t, deleted_is_noticed_without_reopen);
        tcase_add_test(t, linger);
        tcase_add_test(t, shared_whole_lines);
        tcase_add_test(t, shared_partial_line);
        tcase_add_test(t, descriptors_are_short);
        tcase_add_test(t, full_disk);
        tcase_add_test(t, full_disk_of_the_dead);
        tcase_add_test(t, file_too_big);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
