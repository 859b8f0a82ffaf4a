/* test-logger-keep.c - what the real drover-logger does with files besides writing them: compress, keep within a quota,
 * rotate by the clock and by request, clear, format, drop on a full disk. */
#include "logger-rig.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "logger/log-format.h"
#include "logger/log-pack.h"
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOTH (LOG_STREAM_STDOUT | LOG_STREAM_STDERR)
#define PLENTY (1u << 30)

static Rig rig;
static char *dir;
static char base[400], out[420];
static LogSpec spec;

static void setup(void) {
        dir = rig_directory();
        snprintf(base, sizeof base, "%s/web/0", dir);
        snprintf(out, sizeof out, "%s.stdout.log", base);
        spec = rig_spec(LOG_KIND_FILE, "web/0", base, 10000, 30);
}

static void teardown(void) {
        rig_stop(&rig);
        rig_remove(dir);
}

static const char *named(const char *suffix) {
        static char name[960];
        snprintf(name, sizeof name, "%s%s", out, suffix);
        return name;
}

/* The directory of files that a user names is the user's. */
static void make_web(void) {
        char web[420];
        snprintf(web, sizeof web, "%s/web", dir);
        ck_assert_int_eq(mkdir(web, 0755), 0);
}

static void wait_taken(uint32_t slot, int stream) {
        usec_t end = clock_now() + RIG_WAIT_USEC;
        while (rig_pipe_bytes(&rig, slot, stream) > 0)
                ck_assert((poll(NULL, 0, 2), clock_now() < end));
}

/* Lines of 100 bytes, numbered. */
static void say(uint32_t slot, size_t from, size_t to) {
        char line[101];
        for (size_t i = from; i < to; i++) {
                snprintf(line, sizeof line, "%099zu\n", i);
                rig_write(&rig, slot, 0, line, 100);
        }
}

static void assert_numbers(const LogSpec *s, uint64_t n_lines, size_t from, size_t to) {
        RigLines l = {};
        rig_read(&rig, 7, s, BOTH, n_lines, false, PLENTY);
        rig_collect(&rig, 7, &l, 0, false);
        ck_assert_int_eq(l.error, 0);
        ck_assert_uint_eq(l.n_dropped, 0);
        ck_assert_uint_eq(l.n_lines, to - from);
        ck_assert_uint_eq(l.n_timeless, 0);
        for (size_t i = 0; i < l.n_lines; i++)
                ck_assert_uint_eq(strtoull(l.text + i * 102 + 2, NULL, 10), from + i);
        rig_lines_done(&l);
}

static const LogCompress methods[] = {LOG_COMPRESS_GZIP, LOG_COMPRESS_ZSTD};
static const char *const packed[] = {".gz", ".zst"};

START_TEST(compresses) {
        char name[16];
        spec.compress = (uint16_t) methods[_i];
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        say(0, 0, 1050);
        rig_wait_name(named(".10"), false); /* never there, or no longer */
        for (int i = 1; i <= 10; i++) {
                snprintf(name, sizeof name, ".%d%s", i, packed[_i]);
                rig_wait_name(named(name), true);
                snprintf(name, sizeof name, ".%d", i);
                rig_wait_name(named(name), false);
        }
        rig_wait_name(named(".compressing"), false);
        assert_numbers(&spec, UINT64_MAX, 0, 1050);
        assert_numbers(&spec, 1, 1049, 1050);
        assert_numbers(&spec, 50, 1000, 1050);
        assert_numbers(&spec, 51, 999, 1050);
        assert_numbers(&spec, 150, 900, 1050);
        assert_numbers(&spec, 333, 717, 1050);
        assert_numbers(&spec, 1050, 0, 1050);
        assert_numbers(&spec, 2000, 0, 1050);
}
END_TEST

/* A reader in the middle of a file that is compressed under it, and a follower of the same, miss nothing. */
START_TEST(compressed_under_a_reader) {
        RigLines l = {};
        LogSpec plain = spec;
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        say(0, 0, 950);
        rig_wait_bytes(out, 95000);
        rig_read(&rig, 7, &plain, BOTH, UINT64_MAX, true, 4000); /* it stands in the oldest file */
        rig_collect(&rig, 7, &l, 20, false);
        spec.compress = LOG_COMPRESS_GZIP;
        rig_respec(&rig, 0, &spec);
        rig_wait_name(named(".9"), false);
        rig_wait_name(named(".9.gz"), true);
        rig_credit(&rig, 7, PLENTY);
        say(0, 950, 1000);
        rig_collect(&rig, 7, &l, 1000, false);
        ck_assert_uint_eq(l.n_lines, 1000);
        ck_assert_uint_eq(l.n_dropped, 0);
        for (size_t i = 0; i < 1000; i++)
                ck_assert_uint_eq(strtoull(l.text + i * 102 + 2, NULL, 10), i);
        rig_lines_done(&l);
}
END_TEST

static void pack_file(const char *from, const char *to, size_t n_max) {
        LogPacker *p;
        struct stat st;
        char *text;
        size_t n;
        ck_assert_int_eq(stat(from, &st), 0);
        ck_assert_int_eq(file_read(from, 1 << 20, &text, &n), 0);
        int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        ck_assert_int_eq(log_packer_new(&p, LOG_COMPRESS_GZIP, fd, st.st_ino), 0);
        ck_assert_int_eq(log_packer_write(p, text, MIN(n, n_max)), 0);
        ck_assert_int_eq(log_packer_finish(p), 0);
        log_packer_free(p);
        fd_close(fd);
        free(text);
}

/* A logger died while it compressed, and another one between the rename and the removal. */
START_TEST(dead_loggers_work) {
        char from[500], to[500];
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        say(0, 0, 350);
        rig_wait_bytes(out, 35000);
        rig_kill(&rig);
        snprintf(from, sizeof from, "%s.2", out);
        snprintf(to, sizeof to, "%s.compressing", out);
        pack_file(from, to, 777);
        snprintf(from, sizeof from, "%s.1", out);
        snprintf(to, sizeof to, "%s.1.gz", out);
        pack_file(from, to, SIZE_MAX);
        rig.outputs[0].spec.compress = spec.compress = LOG_COMPRESS_GZIP;
        rig_resume(&rig);
        assert_numbers(&spec, UINT64_MAX, 0, 350);
        for (int i = 1; i <= 3; i++) {
                snprintf(from, sizeof from, ".%d", i);
                rig_wait_name(named(from), false);
                snprintf(from, sizeof from, ".%d.gz", i);
                rig_wait_name(named(from), true);
        }
        rig_wait_name(named(".compressing"), false);
        assert_numbers(&spec, UINT64_MAX, 0, 350);
}
END_TEST

/* A logger died in a rotation: the log has its new names, its index none of them (0), or some (1). */
START_TEST(half_rotated) {
        char from[500], to[500];
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        say(0, 0, 350);
        rig_wait_bytes(out, 35000);
        rig_kill(&rig);
        for (int i = 3; i >= 0; i--) {
                snprintf(from, sizeof from, i ? "%s.stdout.log.%d" : "%s.stdout.log", base, i);
                snprintf(to, sizeof to, "%s.stdout.log.%d", base, i + 1);
                ck_assert_int_eq(rename(from, to), 0);
        }
        for (int i = 3; _i && i >= 2; i--) {
                snprintf(from, sizeof from, "%s.stdout.idx.%d", base, i);
                snprintf(to, sizeof to, "%s.stdout.idx.%d", base, i + 1);
                ck_assert_int_eq(rename(from, to), 0);
        }
        rig_resume(&rig);
        rig_attach(&rig, 1, &(LogSpec){.kind = LOG_KIND_NONE}, 0); /* taken in order: what came before is done */
        rig_wait_detached(&rig, 1);
        assert_numbers(&spec, UINT64_MAX, 0, 350);
        say(0, 350, 470);
        rig_wait_bytes(out, 47000);
        assert_numbers(&spec, UINT64_MAX, 0, 470);
}
END_TEST

static uint64_t bytes_of(const char *stem, int *ret_n) {
        char name[500];
        struct stat st;
        uint64_t n = 0;
        *ret_n = 0;
        for (int i = 0; i < 40; i++) {
                snprintf(name, sizeof name, i ? "%s.%d" : "%s", stem, i);
                if (stat(name, &st) < 0)
                        continue;
                n += (uint64_t) st.st_size;
                *ret_n += i > 0;
        }
        return n;
}

/* The oldest rotated files of any worker go; another pool's, and current ones, never. */
START_TEST(quota) {
        char other[420], other_log[440], alien[420];
        int n0, n1;
        spec.max_total = 40000;
        snprintf(other, sizeof other, "%s/web/1", dir);
        snprintf(other_log, sizeof other_log, "%s.stdout.log", other);
        LogSpec s1 = rig_spec(LOG_KIND_FILE, "web/1", other, 10000, 30);
        s1.max_total = 40000;
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        rig_attach(&rig, 1, &s1, LOG_STREAM_STDOUT);
        say(0, 0, 250); /* two rotated ones */
        rig_wait_bytes(out, 25000);
        snprintf(alien, sizeof alien, "%s/web/notes.stdout.log.1", dir);
        ck_assert_int_eq(file_write_atomic(alien, "mine", 4, 0600), 0);
        poll(NULL, 0, 20); /* so that the other worker's files are younger, whatever the file system's clock */
        say(1, 0, 350);
        rig_wait_name(named(".1"), false); /* the first worker's rotated files were the oldest */
        rig_wait_name(named(".2"), false);
        usec_t end = clock_now() + RIG_WAIT_USEC;
        while (bytes_of(out, &n0) + bytes_of(other_log, &n1) > 40000 || n1 < 2) {
                ck_assert_msg(clock_now() < end, "%llu and %llu bytes, %d and %d files",
                              (unsigned long long) bytes_of(out, &n0), (unsigned long long) bytes_of(other_log, &n1), n0, n1);
                poll(NULL, 0, 2);
        }
        assert_numbers(&spec, UINT64_MAX, 200, 250);
        ck_assert_int_eq(access(alien, F_OK), 0);
        ck_assert_int_eq(access(other_log, F_OK), 0);
}
END_TEST

/* By the clock: a new file at each second, at the end of a line, and no rotation of an empty one. */
START_TEST(rotates_by_time) {
        spec.rotate_usec = USEC_PER_SEC;
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        rig_print(&rig, 0, 0, "first\n");
        rig_wait_name(named(".1"), true);
        rig_print(&rig, 0, 0, "second, ");
        rig_wait_bytes(out, 14);
        rig_restart(&rig);
        poll(NULL, 0, 1100); /* a second passes in the middle of the line */
        ck_assert_int_lt(access(named(".2"), F_OK), 0);
        rig_print(&rig, 0, 0, "its end\n");
        rig_wait_name(named(".2"), true);
        char *text;
        size_t n;
        rig_slurp(out, &text, &n);
        ck_assert_str_eq(text, "first\nsecond, its end\n");
        free(text);
}
END_TEST

/* rotate, clear, other bounds: a follower sees every line and nothing twice. */
START_TEST(requests_under_a_follower) {
        RigLines l = {};
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        ck_assert_int_eq(rig_act(&rig, LOGGER_ROTATE, &spec), 0); /* nothing there yet */
        rig_print(&rig, 0, 0, "one\n");
        rig_wait_bytes(out, 4);
        ck_assert_int_eq(rig_act(&rig, LOGGER_ROTATE, &spec), 0);
        ck_assert_int_eq(access(named(".1"), F_OK), 0);
        ck_assert_int_eq(rig_act(&rig, LOGGER_ROTATE, &spec), 0); /* an empty one stays */
        ck_assert_int_lt(access(named(".2"), F_OK), 0);
        rig_read(&rig, 8, &spec, BOTH, UINT64_MAX, true, PLENTY);
        rig_collect(&rig, 8, &l, 1, false);
        rig_print(&rig, 0, 0, "two\n");
        rig_collect(&rig, 8, &l, 2, false);
        ck_assert_int_eq(rig_act(&rig, LOGGER_CLEAR, &spec), 0);
        ck_assert_int_lt(access(named(".1"), F_OK), 0);
        rig_print(&rig, 0, 0, "three, half");
        rig_wait_bytes(out, 11);
        ck_assert_int_eq(rig_act(&rig, LOGGER_ROTATE, &spec), 0); /* waits for the line's end */
        ck_assert_int_lt(access(named(".1"), F_OK), 0);
        rig_print(&rig, 0, 0, " and whole\n");
        rig_wait_name(named(".1"), true);
        rig_print(&rig, 0, 0, "four\n");
        rig_collect(&rig, 8, &l, 4, false);
        ck_assert_str_eq(l.text, "1:one\n1:two\n1:three, half and whole\n1:four\n");
        spec.max_files = 0;
        rig_respec(&rig, 0, &spec);
        rig_wait_name(named(".1"), false);
        rig_lines_done(&l);
}
END_TEST

/* logrotate: moved away, and copied and truncated, without a word to us. */
START_TEST(logrotate) {
        spec.max_size = 0;
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        rig_print(&rig, 0, 0, "one\n");
        rig_wait_bytes(out, 4);
        ck_assert_int_eq(rename(out, named(".old")), 0);
        poll(NULL, 0, 250);
        rig_print(&rig, 0, 0, "two\n");
        rig_wait_name(out, true);
        rig_wait_bytes(out, 4);
        ck_assert_int_eq(truncate(out, 0), 0);
        poll(NULL, 0, 250);
        rig_print(&rig, 0, 0, "three\n");
        rig_wait_bytes(out, 6);
        char *text;
        size_t n;
        rig_slurp(out, &text, &n);
        ck_assert_str_eq(text, "three\n");
        free(text);
        RigLines l = {};
        rig_read(&rig, 7, &spec, BOTH, 10, false, PLENTY);
        rig_collect(&rig, 7, &l, 0, false);
        ck_assert_str_eq(l.text, "1:three\n");
        ck_assert_uint_eq(l.n_timeless, 0);
        rig_lines_done(&l);
}
END_TEST

/* In the file, and what comes back from it. A piece after a second without an end, one at the end of the worker. */
START_TEST(formats) {
        static const char *const styles[] = {"text", "json"};
        char *text, *line, *rest;
        size_t n;
        bool is_json = streq(styles[_i], "json");
        spec.format = is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
        spec.has_timestamps = 1;
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, BOTH);
        rig_write(&rig, 0, 0, "plain\n\"quo\\ted\"\t\n\xff\xc3\xa4\n\nprompt:", 29);
        rig_wait_bytes(out, is_json ? 450 : 150);
        rig_print(&rig, 0, 0, " answer\nlast");
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        RigLines l = {};
        rig_read(&rig, 7, &spec, BOTH, UINT64_MAX, false, PLENTY);
        rig_collect(&rig, 7, &l, 0, false);
        ck_assert_str_eq(l.text, is_json ? "1:plain\n1:\"quo\\ted\"\t\n1:\xef\xbf\xbd\xc3\xa4\n1:\n1:prompt:\\\n1: answer\n1:last\\\n"
                                         : "1:plain\n1:\"quo\\ted\"\t\n1:\xff\xc3\xa4\n1:\n1:prompt: [...]\n1: answer\n1:last [...]\n");
        ck_assert_uint_eq(l.n_timeless, 0);
        rig_lines_done(&l);
        rig_slurp(out, &text, &n);
        rest = text;
        line = strsep(&rest, "\n");
        ck_assert_str_eq(line + (is_json ? 9 + 27 : 27),
                         is_json ? "\",\"worker\":\"web/0\",\"stream\":\"stdout\",\"line\":\"plain\"}" : " plain");
        usec_t when;
        line[is_json ? 9 + 27 : 27] = '\0';
        ck_assert_int_eq(time_parse(line + (is_json ? 9 : 0), &when), 0);
        free(text);
}
END_TEST

/* The last lines of one of several who write to a file: as many as are asked for, however far back they are. */
START_TEST(last_of_one) {
        RigLines l = {};
        LogSpec a = rig_spec(LOG_KIND_SHARED, "a/0", out, _i ? 20000 : 0, 100), b;
        a.format = LOG_FORMAT_JSON;
        a.compress = LOG_COMPRESS_GZIP;
        b = a;
        make_web();
        snprintf(b.worker, sizeof b.worker, "b/0");
        rig_start(&rig);
        rig_attach(&rig, 0, &a, BOTH);
        rig_attach(&rig, 1, &b, LOG_STREAM_STDOUT);
        for (int i = 0; i < 6; i++) {
                char text[40];
                snprintf(text, sizeof text, "a %d\n", i);
                rig_print(&rig, 0, i % 2, text);
                wait_taken(0, i % 2); /* the other stream is another pipe */
                say(1, 0, i == 3 ? 600 : 7);
        }
        wait_taken(1, 0);
        for (uint64_t n = 1; n <= 8; n++) {
                rig_read(&rig, 7, &a, BOTH, n, false, PLENTY);
                rig_collect(&rig, 7, &l, 0, false);
                ck_assert_uint_eq(l.n_lines, MIN(n, (uint64_t) 6));
                char first[20];
                int number = (int) (6 - MIN(n, (uint64_t) 6));
                snprintf(first, sizeof first, "%d:a %d\n", number % 2 + 1, number);
                ck_assert_msg(strncmp(l.text, first, strlen(first)) == 0, "of %d lines the first is %s", (int) n, l.text);
                rig_lines_done(&l);
        }
        rig_read(&rig, 7, &a, LOG_STREAM_STDERR, 2, false, PLENTY);
        rig_collect(&rig, 7, &l, 0, false);
        ck_assert_str_eq(l.text, "2:a 3\n2:a 5\n");
        rig_lines_done(&l);
        rig_read(&rig, 7, &a, BOTH, 4, true, PLENTY);
        rig_print(&rig, 0, 0, "a 6\n");
        rig_collect(&rig, 7, &l, 5, false);
        rig_lines_done(&l);
}
END_TEST

START_TEST(since) {
        RigLines l = {};
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        say(0, 0, 250);
        rig_wait_bytes(out, 25000);
        poll(NULL, 0, 30); /* times are kept for every 10 ms */
        usec_t between = clock_realtime();
        poll(NULL, 0, 30);
        say(0, 250, 260);
        rig_wait_bytes(out, 26000);
        rig_read_since(&rig, 7, &spec, BOTH, between);
        rig_collect(&rig, 7, &l, 0, false);
        ck_assert_uint_eq(l.n_lines, 10);
        ck_assert_uint_eq(strtoull(l.text + 2, NULL, 10), 250);
        rig_lines_done(&l);
        rig_read_since(&rig, 7, &spec, BOTH, clock_realtime() + USEC_PER_HOUR);
        rig_collect(&rig, 7, &l, 0, false);
        ck_assert_uint_eq(l.n_lines, 0);
        rig_lines_done(&l);
}
END_TEST

/* A process that starts in another form begins a new file; one that goes on after the logger's death does not, nor does
 * one whose file is shared while others write to it. */
static const struct {
        uint32_t kind;
        LogFormat from, to;
        bool from_timed, to_timed, has_index, rotates;
} form_changes[] = {
        {LOG_KIND_FILE, LOG_FORMAT_TEXT, LOG_FORMAT_JSON, false, false, true, true},
        {LOG_KIND_FILE, LOG_FORMAT_JSON, LOG_FORMAT_TEXT, false, false, true, true},
        {LOG_KIND_FILE, LOG_FORMAT_TEXT, LOG_FORMAT_TEXT, true, false, true, true},
        {LOG_KIND_FILE, LOG_FORMAT_TEXT, LOG_FORMAT_TEXT, false, true, true, true},
        {LOG_KIND_FILE, LOG_FORMAT_JSON, LOG_FORMAT_JSON, false, true, true, false},
        {LOG_KIND_FILE, LOG_FORMAT_TEXT, LOG_FORMAT_TEXT, false, false, true, false},
        {LOG_KIND_FILE, LOG_FORMAT_TEXT, LOG_FORMAT_TEXT, false, true, false, true},
        {LOG_KIND_FILE, LOG_FORMAT_TEXT, LOG_FORMAT_TEXT, true, false, false, false}, /* raw may look like that */
        {LOG_KIND_SHARED, LOG_FORMAT_TEXT, LOG_FORMAT_JSON, false, false, false, true},
        {LOG_KIND_SHARED, LOG_FORMAT_JSON, LOG_FORMAT_TEXT, false, false, false, true},
};

START_TEST(other_form) {
        RigLines l = {};
        char index[440];
        LogSpec after;
        spec = rig_spec(form_changes[_i].kind, "web/0", form_changes[_i].kind == LOG_KIND_SHARED ? out : base, 0, 5);
        make_web();
        after = spec;
        spec.format = (uint16_t) form_changes[_i].from;
        spec.has_timestamps = form_changes[_i].from_timed;
        after.format = (uint16_t) form_changes[_i].to;
        after.has_timestamps = form_changes[_i].to_timed;
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        rig_print(&rig, 0, 0, "one\n");
        rig_wait_bytes(out, 4);
        rig_restart(&rig);
        rig_print(&rig, 0, 0, "two, half");
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        ck_assert_int_lt(access(named(".1"), F_OK), 0);
        snprintf(index, sizeof index, "%s.stdout.idx", base);
        if (!form_changes[_i].has_index)
                (void) unlink(index);
        rig_attach(&rig, 0, &after, LOG_STREAM_STDOUT);
        rig_read(&rig, 7, &after, LOG_STREAM_STDOUT, 0, true, PLENTY);
        rig_print(&rig, 0, 0, "three\nfour\n");
        rig_collect(&rig, 7, &l, 2, false);
        ck_assert_int_eq(access(named(".1"), F_OK) == 0, form_changes[_i].rotates);
        ck_assert_int_lt(access(named(".2"), F_OK), 0);
        rig_lines_done(&l);
}
END_TEST

/* What is in the file, and what its marks tell of, is all that was written. */
static void count_all(const LogSpec *s, char *text, size_t *ret_lines, size_t *ret_bytes, size_t *ret_marks) {
        LogStyle style = {.worker = s->worker, .format = (uint8_t) s->format, .has_timestamps = s->has_timestamps};
        Text plain = {};
        LoggerLine info;
        bool is_mine;
        char *rest = text, *line;
        *ret_lines = *ret_bytes = *ret_marks = 0;
        while ((line = strsep(&rest, "\n")) && rest) {
                unsigned long long n_lines, n_bytes;
                if (!log_style_is_raw(&style)) {
                        ck_assert_msg(log_format_parse(&style, (uint8_t *) line, strlen(line), &plain, &info, &is_mine),
                                      "not in its form: %s", line);
                        line = plain.data;
                }
                if (sscanf(line, "drover: %llu lines (%llu bytes) dropped: ", &n_lines, &n_bytes) == 2) {
                        *ret_lines += n_lines;
                        *ret_bytes += n_bytes;
                        ++*ret_marks;
                } else {
                        *ret_lines += strlen(line) == 99;
                        *ret_bytes += strlen(line) == 99 ? 100 : strlen(line);
                }
        }
        text_done(&plain);
}

static void disk(rlim_t n) {
        struct rlimit l = {n, RLIM_INFINITY};
        ck_assert_int_eq(prlimit(rig.pid, RLIMIT_FSIZE, &l, NULL), 0);
}

/* A full disk and on_full "drop": the worker never waits, the logger is killed now and then, every line and byte is
 * accounted for. */
START_TEST(drops) {
        char *text;
        size_t n, n_lines, n_bytes, n_marks, total = 0;
        spec = rig_spec(LOG_KIND_FILE, "web/0", base, 0, 0);
        spec.on_full = LOG_ON_FULL_DROP;
        spec.format = _i == 1 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
        rig.n_fsize_max = 100037;
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        for (int i = 0; i < 10; i++, total += 500) {
                say(0, total, total + 500); /* never waits for long */
                if (i % 3 == 2)
                        rig_restart(&rig);
        }
        wait_taken(0, 0);
        disk(RLIM_INFINITY);
        poll(NULL, 0, 1200); /* the disk is tried again, though nobody writes */
        say(0, total, total + 10);
        total += 10;
        rig_close(&rig, 0);
        rig_wait_detached(&rig, 0);
        rig_slurp(out, &text, &n);
        count_all(&spec, text, &n_lines, &n_bytes, &n_marks);
        ck_assert_uint_ge(n_marks, 1);
        ck_assert_uint_eq(n_lines, total);
        ck_assert_uint_eq(n_bytes, total * 100);
        free(text);
}
END_TEST

static void renew_peer(void) {
        LoggerMessage m = {.type = LOGGER_PEER, .generation = 2};
        int fds[2];
        ck_assert_int_eq(packet_pair(fds), 0);
        fd_close(rig.peer_fd);
        rig.peer_fd = fds[0];
        ck_assert_int_eq(packet_send(rig.keeper_fd, &m, logger_message_size(m.type), &fds[1], 1), 0);
        fd_close(fds[1]);
}

/* droverd is away, or its line is full, while lines are dropped: it hears of them afterwards, all at once. */
START_TEST(word_of_drops_waits) {
        RigLines l = {};
        LoggerMessage m;
        size_t n_fds = 0, n_bytes = _i ? 4000000 : 100;
        spec.max_size = 0;
        spec.on_full = LOG_ON_FULL_DROP;
        rig_start(&rig);
        rig_attach(&rig, 0, &spec, LOG_STREAM_STDOUT);
        say(0, 0, n_bytes / 100);
        rig_wait_bytes(out, n_bytes);
        if (_i)
                rig_read(&rig, 7, &spec, BOTH, UINT64_MAX, false, PLENTY); /* nobody takes it */
        else
                rig.peer_fd = fd_close(rig.peer_fd);
        disk(n_bytes);
        say(0, 1, 4);
        wait_taken(0, 0);
        disk(RLIM_INFINITY);
        rig_wait_bytes(out, n_bytes + 50); /* the line that tells of it */
        if (_i) {
                rig_collect(&rig, 7, &l, 0, false);
                ck_assert_uint_eq(l.n_lines, n_bytes / 100);
                uint64_t n_told = l.n_told;
                rig_lines_done(&l);
                if (n_told > 0)
                        return; /* it came between the lines */
        } else {
                renew_peer();
        }
        struct pollfd p = {.fd = rig.peer_fd, .events = POLLIN};
        do { /* their beginning may have found room */
                ck_assert_int_eq(poll(&p, 1, (int) (RIG_WAIT_USEC / 1000)), 1);
                ck_assert_int_eq(packet_recv(rig.peer_fd, &m, sizeof m, NULL, 0, &n_fds),
                                 (ssize_t) logger_message_size(LOGGER_DROPPED));
                ck_assert_uint_eq(m.type, LOGGER_DROPPED);
        } while (_i && !m.dropped.is_over);
        ck_assert_str_eq(m.dropped.worker, "web/0");
        ck_assert_uint_eq(m.dropped.n_lines, 3);
        ck_assert_uint_eq(m.dropped.n_bytes, 300);
        ck_assert_uint_eq(m.dropped.is_over, 1);
}
END_TEST

int main(void) {
        Suite *s = suite_create("logger-keep");
        TCase *t = tcase_create("logger-keep");
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, compresses, 0, 2);
        tcase_add_test(t, compressed_under_a_reader);
        tcase_add_test(t, dead_loggers_work);
        tcase_add_loop_test(t, half_rotated, 0, 2);
        tcase_add_test(t, quota);
        tcase_add_test(t, rotates_by_time);
        tcase_add_test(t, requests_under_a_follower);
        tcase_add_test(t, logrotate);
        tcase_add_loop_test(t, formats, 0, 2);
        tcase_add_loop_test(t, last_of_one, 0, 2);
        tcase_add_test(t, since);
        tcase_add_loop_test(t, other_form, 0, ARRAY_SIZE(form_changes));
        tcase_add_loop_test(t, word_of_drops_waits, 0, 2);
        tcase_add_loop_test(t, drops, 0, 2);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
