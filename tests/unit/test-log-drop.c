/* test-log-drop.c - what a full disk does not take is counted, told of exactly once, and survives the logger.
 * The disk is full at RLIMIT_FSIZE; the logger dies by leaving everything but the scratch behind. */
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "link/logger-protocol.h"
#include "logger/log-copy.h"
#include "logger/log-drop.h"
#include <check.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static LogLoop loop;
static LogSinkTable sinks;
static LogCopier copier;
static LogTarget target;
static LogSink *sink;
static LogSpec spec;
static char dir[64], out[128];
static int scratch;
static unsigned n_begun, n_over;
static uint64_t n_lines_told;

static const LogFormat forms[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON};

static void on_dropped(LogSinkTable *t, const LogMessageDropped *d) {
        n_begun += !d->is_over;
        n_over += d->is_over;
        n_lines_told += d->is_over ? d->n_lines : 0;
        ck_assert_str_eq(d->worker, "web/0");
        ck_assert_int_eq(d->error, EFBIG);
}

static void logger_begin(void) {
        ck_assert_int_eq(log_loop_init(&loop), 0);
        log_sink_table_init(&sinks, &loop);
        sinks.on_dropped = on_dropped;
        ck_assert_int_eq(log_copier_init(&copier, &loop, &sinks, scratch), 0);
        ck_assert_int_eq(log_target_init(&target, &spec), 0);
        ck_assert_int_eq(log_sink_get(&sinks, &target, LOG_STREAM_STDOUT, &sink), 0);
}

/* By SIGKILL it would write nothing more: so there is no room for that. */
static void logger_die(void) {
        sink = log_sink_unref(sink);
        log_target_done(&target);
        log_copier_done(&copier);
        log_sink_table_done(&sinks);
        log_loop_done(&loop);
}

static void disk(rlim_t n) {
        struct rlimit l = {n, RLIM_INFINITY};
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void setup(void) {
        signal(SIGXFSZ, SIG_IGN);
        n_begun = n_over = 0;
        n_lines_told = 0;
        snprintf(dir, sizeof dir, "/tmp/drover-test-XX" "XXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        snprintf(out, sizeof out, "%s/0.stdout.log", dir);
        spec = (LogSpec){.kind = LOG_KIND_FILE, .on_full = LOG_ON_FULL_DROP, .worker = "web/0"};
        snprintf(spec.path, sizeof spec.path, "%s/0", dir);
        scratch = memfd_new("scratch");
        ck_assert_int_eq(ftruncate(scratch, LOGGER_SCRATCH_BYTES), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
        return remove(path);
}

static void teardown(void) {
        disk(RLIM_INFINITY);
        fd_close(scratch);
        nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_block(const char *text) {
        LogStreamId id = {.slot = 1, .stream = LOG_STREAM_STDOUT, .generation = 2};
        ScratchNote *note = copier.scratch.fast;
        size_t n = strlen(text);
        memcpy(copier.scratch.fast_block, text, n);
        scratch_begin(&copier.scratch, note, SCRATCH_READING, &id, (uint32_t) n);
        memcpy(copier.scratch.fast_block, text, n);
        LogWrite w = {.note = note, .target = &target, .data = copier.scratch.fast_block, .n_bytes = n,
                      .stream = LOG_STREAM_STDOUT, .writer = 1};
        ck_assert_int_eq(log_drop_write(sink, &w), 0);
        ck_assert_uint_eq(scratch_place(note)->done, n);
        scratch_set_state(note, SCRATCH_IDLE);
}

static void second_passes(void) {
        loop.now = usec_add(loop.now, LOG_DROP_USEC + 1);
}

/* How often the text occurs in the file. */
static unsigned count(const char *text) {
        _cleanup_free_ char *all = NULL;
        size_t n;
        unsigned found = 0;
        ck_assert_int_eq(file_read(out, 1 << 20, &all, &n), 0);
        for (const char *p = all; (p = strstr(p, text)); p++)
                found++;
        return found;
}

START_TEST(told_once) {
        spec.format = (uint16_t) forms[_i];
        logger_begin();
        write_block("kept\n");
        disk(10);
        write_block("one\ntwo\nthr");
        write_block("ee\nfour\n");
        ck_assert_uint_eq(n_begun, 1);
        ck_assert_uint_eq(n_over, 0);
        disk(RLIM_INFINITY);
        write_block("five\n"); /* within the second: dropped too */
        second_passes();
        write_block("kept too\n");
        ck_assert_uint_eq(n_over, 1);
        ck_assert_uint_eq(n_lines_told, _i ? 5 : 4); /* raw: the file has what there was room for */
        ck_assert_uint_eq(count(_i ? "drover: 5 lines (24 bytes) dropped" : "drover: 4 lines (19 bytes) dropped"), 1);
        ck_assert_uint_eq(count("kept"), 2);
        second_passes();
        write_block("and on\n");
        ck_assert_uint_eq(count("dropped"), 1);
        logger_die();
}
END_TEST

/* In the middle of a line: its rest is dropped, even where there is room again. */
START_TEST(whole_lines) {
        spec.format = (uint16_t) forms[_i];
        logger_begin();
        write_block("kept\n");
        disk(5);
        write_block("half");
        disk(RLIM_INFINITY);
        second_passes();
        write_block(" a line, ");
        second_passes();
        write_block("and its end\nkept\n");
        ck_assert_uint_eq(count("kept"), 2);
        ck_assert_uint_eq(count("end"), 0);
        ck_assert_uint_eq(count("drover: 1 lines (25 bytes) dropped"), 1);
        logger_die();
}
END_TEST

static LogDropCount *counted(void) {
        LogDropRecord *r = sink->drop->record;
        return &r->count[r->index & 1];
}

/* SIGKILL after the count, and before the line: the next logger writes it. Twice dead, once told. */
START_TEST(survives) {
        spec.format = (uint16_t) forms[_i];
        logger_begin();
        write_block("kept\n");
        disk(5);
        write_block("one\ntwo\n");
        logger_die();
        logger_begin();
        write_block("three\n");
        logger_die();
        disk(RLIM_INFINITY);
        logger_begin();
        ck_assert_uint_eq(counted()->n_lines, 3);
        second_passes();
        write_block("kept\n");
        ck_assert_uint_eq(count("drover: 3 lines (14 bytes) dropped"), 1);
        logger_die();
        ck_assert_uint_eq(count("dropped"), 1);
        ck_assert_uint_eq(count("kept"), 2);
}
END_TEST

/* SIGKILL between the line and the forgetting of its count: the line is found, not written again, whether it stands in
 * the file or in the rotated one; what a dead logger wrote of it in part is cut off first. */
START_TEST(not_doubled) {
        int n_cut = _i / 2 == 1 ? 5 : 0;
        bool is_rotated = _i / 2 == 2;
        char rotated[160];
        LogDropRecord before, *record;
        struct stat st;
        spec.format = (uint16_t) forms[_i % 2];
        logger_begin();
        write_block("kept\n");
        ck_assert_int_eq(stat(out, &st), 0);
        disk((rlim_t) st.st_size);
        write_block("one\ntwo\n");
        record = sink->drop->record;
        before = *record;
        disk(RLIM_INFINITY);
        second_passes();
        write_block("");
        ck_assert_ptr_null(sink->drop);
        before.count[before.index & 1].mark = (LogMarkPlace){.dev = st.st_dev, .ino = st.st_ino, .offset = (uint64_t) st.st_size};
        if (_i % 2) { /* its time is part of it */
                _cleanup_free_ char *all = NULL;
                size_t n;
                ck_assert_int_eq(file_read(out, 1 << 20, &all, &n), 0);
                char *time = strstr(all + st.st_size, "time\":\"");
                ck_assert_ptr_nonnull(time);
                time[7 + 27] = '\0';
                ck_assert_int_eq(time_parse(time + 7, &before.count[before.index & 1].mark.time_usec), 0);
        }
        *record = before;
        logger_die();
        ck_assert_uint_eq(count("dropped"), 1);
        ck_assert_uint_eq(n_over, 1);
        ck_assert_int_eq(stat(out, &st), 0);
        if (n_cut)
                ck_assert_int_eq(truncate(out, st.st_size - n_cut), 0);
        snprintf(rotated, sizeof rotated, "%s.1", out);
        if (is_rotated)
                ck_assert_int_eq(rename(out, rotated), 0);
        logger_begin();
        if (!n_cut)
                ck_assert_uint_eq(counted()->n_lines, 0);
        second_passes();
        write_block("kept\n");
        logger_die();
        ck_assert_uint_eq(count("drover: 2 lines (8 bytes) dropped"), is_rotated ? 0 : 1);
        ck_assert_uint_eq(count("kept"), is_rotated ? 1 : 2);
        ck_assert_uint_eq(count("dropp"), is_rotated ? 0 : 1);
}
END_TEST

/* With "block" nothing is dropped. */
START_TEST(blocks) {
        spec.on_full = LOG_ON_FULL_BLOCK;
        logger_begin();
        disk(5);
        LogStreamId id = {.slot = 1, .stream = LOG_STREAM_STDOUT, .generation = 2};
        ScratchNote *note = copier.scratch.peek;
        memcpy(copier.scratch.peek_block, "one\ntwo\n", 8);
        scratch_begin(&copier.scratch, note, SCRATCH_WRITING, &id, 8);
        LogWrite w = {.note = note, .target = &target, .data = copier.scratch.peek_block, .n_bytes = 8,
                      .stream = LOG_STREAM_STDOUT, .writer = 1};
        ck_assert_int_eq(log_drop_write(sink, &w), -EFBIG);
        ck_assert_uint_eq(scratch_place(note)->done, 5);
        ck_assert_ptr_null(sink->drop);
        disk(RLIM_INFINITY);
        ck_assert_int_eq(log_drop_write(sink, &w), 0);
        ck_assert_uint_eq(count("one\ntwo\n"), 1);
        ck_assert_uint_eq(n_begun, 0);
        scratch_set_state(note, SCRATCH_IDLE);
        logger_die();
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-drop");
        TCase *t = tcase_create("log-drop");
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, told_once, 0, 2);
        tcase_add_loop_test(t, whole_lines, 0, 2);
        tcase_add_loop_test(t, survives, 0, 2);
        tcase_add_loop_test(t, not_doubled, 0, 6);
        tcase_add_test(t, blocks);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
