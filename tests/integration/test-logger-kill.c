/* test-logger-kill.c - SIGKILL of the logger at random moments, again and again: every line is there once, in order.
 *
 * Writers are processes of their own that number their lines and never stop; one writes large blocks, one a few bytes at a
 * time, one into a file that rotates all the time, two share a file; some lines get a time or become JSON on their way,
 * into files that are compressed once they are rotated. $DROVER_TEST_ROUNDS: how many kills; $DROVER_TEST_PAUSE_NSEC: the longest life. */
#include "logger-rig.h"
#include "base/fd.h"
#include "base/file.h"
#include "logger/log-format.h"
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 300

typedef struct Writer {
        const char *name;
        uint32_t kind;
        uint64_t max_size;
        uint32_t lines_per_write; /* 0: byte by byte */
        uint32_t width;
        uint16_t format, has_timestamps, compress;
} Writer;

static const Writer writers[] = {
        {"blocks", LOG_KIND_FILE, 0, 200, 90},
        {"bytes", LOG_KIND_FILE, 0, 0, 1},
        {"turning", LOG_KIND_FILE, 20000, 10, 40},
        {"shared", LOG_KIND_SHARED, 0, 3, 30},
        {"shared", LOG_KIND_SHARED, 0, 1, 30},
        {"stamped", LOG_KIND_FILE, 100000, 20, 70, .has_timestamps = 1, .compress = LOG_COMPRESS_GZIP},
        {"json", LOG_KIND_FILE, 200000, 100, 90, .format = LOG_FORMAT_JSON, .compress = LOG_COMPRESS_ZSTD},
        {"json-bytes", LOG_KIND_FILE, 0, 0, 1, .format = LOG_FORMAT_JSON},
        {"json-shared", LOG_KIND_SHARED, 0, 3, 30, .format = LOG_FORMAT_JSON},
        {"json-shared", LOG_KIND_SHARED, 0, 1, 30, .format = LOG_FORMAT_JSON},
};

static _Noreturn void write_for_ever(const Writer *w, char letter, int fd, int stop_fd) {
        static char block[64 * 1024];
        struct pollfd p = {.fd = stop_fd, .events = POLLIN};
        for (uint64_t i = 0;;) {
                size_t n = 0;
                for (uint32_t k = 0; k < MAX(w->lines_per_write, 1u); k++, i++)
                        n += (size_t) snprintf(block + n, sizeof block - n, "%c %0*llu\n", letter, (int) w->width,
                                               (unsigned long long) i);
                for (size_t at = 0; at < n;) {
                        size_t step = w->lines_per_write ? n : 1 + i % 3;
                        ssize_t k = write(fd, block + at, MIN(step, n - at));
                        if (k < 0)
                                _exit(1);
                        at += (size_t) k;
                }
                if (poll(&p, 1, w->lines_per_write ? 0 : 1) == 1)
                        _exit(0);
        }
}

/* What stands in a formatted file as the worker wrote it; every line must be whole and in its form. */
static void unformat(const LogSpec *spec, char **text, size_t *n) {
        LogStyle style = {.worker = "w/0", .format = (uint8_t) spec->format, .has_timestamps = spec->has_timestamps};
        Text all = {}, plain = {};
        if (log_style_is_raw(&style))
                return;
        for (const char *p = *text, *end; p < *text + *n; p = end + 1) {
                LoggerLine line;
                bool is_mine;
                end = memchr(p, '\n', (size_t) (*text + *n - p));
                ck_assert_msg(end != NULL, "the last line has no end: %.60s", p);
                ck_assert_msg(log_format_parse(&style, (const uint8_t *) p, (size_t) (end - p), &plain, &line, &is_mine),
                              "not in its form: %.*s", (int) (end - p), p);
                bool is_cut = line.is_continued;
                if (plain.length > 6 && memcmp(plain.data + plain.length - 6, LOG_CUT_MARK, 6) == 0) {
                        plain.length -= 6;
                        is_cut = true;
                }
                text_append_n(&all, plain.data ? plain.data : "", plain.length);
                if (!is_cut)
                        text_append_char(&all, '\n');
        }
        free(*text);
        text_done(&plain);
        *n = all.length;
        *text = text_take(&all);
}

static size_t check_lines(const char *text, size_t n, char letter) {
        uint64_t next = 0;
        for (const char *p = text; p < text + n;) {
                const char *end = memchr(p, '\n', (size_t) (text + n - p));
                ck_assert_msg(end != NULL, "the last line has no end: %.60s", p);
                if (*p == letter) {
                        ck_assert_msg(p[1] == ' ' && strtoull(p + 2, NULL, 10) == next, "line %llu of %c is %.*s",
                                      (unsigned long long) next, letter, (int) (end - p), p);
                        next++;
                }
                p = end + 1;
        }
        return next;
}

static int number(const char *variable, int otherwise) {
        const char *text = getenv(variable);
        return text ? atoi(text) : otherwise;
}

START_TEST(no_line_lost) {
        static Rig rig;
        static char path[ARRAY_SIZE(writers)][400], log[ARRAY_SIZE(writers)][4096];
        pid_t pids[ARRAY_SIZE(writers)];
        char *dir = rig_directory();
        int stop[2];
        unsigned seed = (unsigned) getpid();
        ck_assert_int_eq(pipe2(stop, O_CLOEXEC), 0); /* closed: the writers end */
        rig_start(&rig);
        for (uint32_t i = 0; i < ARRAY_SIZE(writers); i++) {
                bool is_file = writers[i].kind == LOG_KIND_FILE;
                snprintf(path[i], sizeof path[i], "%s/%s", dir, writers[i].name);
                snprintf(log[i], sizeof log[i], "%s%s", path[i], is_file ? ".stdout.log" : "");
                LogSpec s = rig_spec(writers[i].kind, "w/0", path[i], writers[i].max_size, 100000);
                s.format = writers[i].format;
                s.has_timestamps = writers[i].has_timestamps;
                s.compress = writers[i].compress;
                rig_attach(&rig, i, &s, LOG_STREAM_STDOUT);
                pids[i] = fork();
                if (pids[i] == 0) {
                        fd_close(stop[1]);
                        write_for_ever(&writers[i], (char) ('a' + (int) i), rig.outputs[i].write_fds[0], stop[0]);
                }
                rig_close(&rig, i);
        }
        for (int round = 0; round < number("DROVER_TEST_ROUNDS", ROUNDS); round++) {
                struct timespec pause = {.tv_nsec = rand_r(&seed) % number("DROVER_TEST_PAUSE_NSEC", 4000000)};
                ppoll(NULL, 0, &pause, NULL);
                rig_restart(&rig);
        }
        fd_close(stop[1]);
        for (uint32_t i = 0; i < ARRAY_SIZE(writers); i++)
                ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
        for (uint32_t i = 0; i < ARRAY_SIZE(writers); i++)
                rig_wait_detached(&rig, i);
        rig_kill(&rig); /* names stand still now */
        for (uint32_t i = 0; i < ARRAY_SIZE(writers); i++) {
                char *text;
                size_t n;
                rig_slurp(log[i], &text, &n);
                unformat(&rig.outputs[i].spec, &text, &n);
                ck_assert_uint_gt(check_lines(text, n, (char) ('a' + (int) i)), 0);
                free(text);
        }
        rig_stop(&rig);
        rig_remove(dir);
}
END_TEST

int main(void) {
        Suite *s = suite_create("logger-kill");
        TCase *t = tcase_create("logger-kill");
        tcase_set_timeout(t, 280);
        tcase_add_test(t, no_line_lost);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
