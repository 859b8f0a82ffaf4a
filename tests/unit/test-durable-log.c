/* test-durable-log.c - the file of durable tasks: written and synced behind the loop, read back after any cut, made anew. */
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "handover/durable-log.h"
#include "handover/journal-record.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test-durable-XXXXXX";
static sd_event *event;
static DurableLog *l;
static uint64_t synced;
static int failure;
static Text live; /* what put_some puts: "key json\n"... */
static unsigned slice = 1000; /* so many at a time */

static void on_synced(uint64_t ticket, void *userdata) {
        ck_assert_uint_gt(ticket, synced);
        synced = ticket;
}

static void on_failed(int error, void *userdata) {
        failure = error;
}

/* A line of it at a time, when there are many. */
static bool put_some(bool is_first, void *userdata) {
        static const char *at;

        at = is_first ? live.data : at;
        for (unsigned n = 0; at && *at && n < slice; n++) {
                const char *blank = strchr(at, ' '), *end = strchr(at, '\n');
                _cleanup_text_ Text key = {0}, json = {0};

                text_append_n(&key, at, (size_t) (blank - at));
                text_append_n(&json, blank + 1, (size_t) (end - blank - 1));
                durable_log_put(l, key.data, json.data);
                at = end + 1;
        }
        return !at || !*at;
}

static const DurableHooks hooks = {.on_synced = on_synced, .on_failed = on_failed, .put_some = put_some};

static void path_of(const char *name, char buf[static 128]) {
        (void) snprintf(buf, 128, "%s/%s", dir, name);
}

static void begin(void) {
        synced = 0;
        failure = 0;
        ck_assert_int_eq(durable_log_new(&l, event, dir, 0, &hooks, NULL), 0);
}

static void setup(void) {
        strcpy(dir + strlen(dir) - 6, "XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_ge(sd_event_new(&event), 0);
}

static void teardown(void) {
        char path[128];

        l = durable_log_free(l);
        sd_event_unref(event);
        text_done(&live);
        path_of("tasks.log", path);
        (void) unlink(path);
        ck_assert_int_eq(rmdir(dir), 0);
}

static void until_synced(uint64_t ticket) {
        durable_log_flush(l);
        while (synced < ticket && failure == 0)
                ck_assert_int_gt(sd_event_run(event, 10 * 1000 * 1000), 0);
}

static int collect(const char *key, json_t *value, void *userdata) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        text_appendf(userdata, "%s=%s;", key, text);
        free(text);
        return 0;
}

static void ck_assert_found(int n_spoilt, const char *expected) {
        _cleanup_text_ Text t = {0};

        text_append(&t, "");
        ck_assert_int_eq(durable_log_replay(dir, collect, &t), n_spoilt);
        ck_assert_str_eq(t.data, expected);
}

static size_t size_of(const char *name) {
        char path[128];
        struct stat st;

        path_of(name, path);
        return stat(path, &st) < 0 ? 0 : (size_t) st.st_size;
}

START_TEST(the_last_value_counts) {
        ck_assert(!durable_log_exists(dir));
        ck_assert_found(0, "");
        begin();
        ck_assert(durable_log_exists(dir));
        durable_log_put(l, "a", "{\"x\":1}");
        durable_log_put(l, "b", "2");
        ck_assert_int_eq(durable_log_reserve(l, 1000), 0);
        until_synced(durable_log_ticket(l));
        durable_log_put(l, "a", "3");
        durable_log_put(l, "b", "null");
        durable_log_put(l, "c", "4");
        until_synced(durable_log_ticket(l));
        ck_assert_uint_eq(synced, 5);
        ck_assert_found(0, "a=3;c=4;");
        durable_log_put(l, "d", "5"); /* its end syncs */
        l = durable_log_free(l);
        ck_assert_found(0, "a=3;c=4;d=5;");
}
END_TEST

/* Cut anywhere, it has what was whole, and what comes later is not spoilt by the torn end. */
START_TEST(any_cut) {
        static const char *const values[] = {"1", "{\"y\":\"z\"}", "null", "[1,2]"};
        static const char *const after[] = {"", "k=1;", "k=1;m={\"y\":\"z\"};", "m={\"y\":\"z\"};", "m={\"y\":\"z\"};n=[1,2];"};
        static const char *const keys[] = {"k", "m", "k", "n"};
        _cleanup_text_ Text all = {0};
        size_t ends[5] = {0};
        char path[128];

        for (size_t i = 0; i < 4; i++) {
                journal_record_format(&all, keys[i], values[i]);
                ends[i + 1] = all.length;
        }
        path_of("tasks.log", path);
        for (size_t cut = 0, n = 0; cut <= all.length; cut++) {
                _cleanup_text_ Text more = {0};

                ck_assert_int_eq(file_write_atomic(path, all.data, cut, 0600), 0);
                n += n < 4 && cut == ends[n + 1];
                ck_assert_found(cut != ends[n], after[n]);
                begin(); /* and it is killed before it is made anew */
                durable_log_put(l, "late", "9");
                l = durable_log_free(l);
                bool is_mended = n < 4 && cut + 1 == ends[n + 1]; /* only the end of the line was missing */

                text_appendf(&more, "%slate=9;", after[is_mended ? n + 1 : n]);
                ck_assert_found(cut != ends[n] && !is_mended, more.data);
        }
}
END_TEST

START_TEST(spoilt_lines_are_skipped) {
        _cleanup_text_ Text all = {0};
        char path[128];

        journal_record_format(&all, "k", "1");
        journal_record_format(&all, "k", "2");
        journal_record_format(&all, "m", "3");
        all.data[all.length / 2] ^= 1;
        path_of("tasks.log", path);
        ck_assert_int_eq(file_write_atomic(path, all.data, all.length, 0600), 0);
        ck_assert_found(1, "k=1;m=3;");
        ck_assert_int_eq(chmod(path, 0666), 0);
        ck_assert_int_eq(durable_log_replay(dir, collect, NULL), -EPERM);
        ck_assert_int_eq(durable_log_new(&l, event, dir, 0, &hooks, NULL), -EPERM);
}
END_TEST

START_TEST(it_is_made_anew) {
        _cleanup_text_ Text value = {0};
        size_t largest = 0;

        begin();
        text_append(&live, "keep 1\n");
        for (int i = 0; i < 1000; i++)
                text_append(&value, i == 0 ? "\"" : "xxxxxxxx");
        text_append(&value, "\"");
        durable_log_put(l, "keep", "1");
        for (int i = 0; i < 1000; i++) {
                durable_log_put(l, "big", value.data);
                durable_log_put(l, "big", "null");
                until_synced(durable_log_ticket(l));
                ck_assert_int_eq(failure, 0);
                largest = MAX(largest, size_of("tasks.log"));
        }
        while (size_of("tasks.log.new") > 0)
                ck_assert_int_gt(sd_event_run(event, 10 * 1000 * 1000), 0);
        ck_assert_uint_lt(largest, 2 * DURABLE_COMPACT_MIN);
        ck_assert_found(0, "keep=1;");
        l = durable_log_free(l);
        begin(); /* opened: anew at once */
        while (size_of("tasks.log") > 100) {
                durable_log_flush(l);
                ck_assert_int_gt(sd_event_run(event, 10 * 1000 * 1000), 0);
        }
        ck_assert_found(0, "keep=1;");
}
END_TEST

/* What is done to it while it is made anew, a flush between each: with every step the last word on a key, whether that is
 * in the new file already or comes later. */
static const struct {
        const char *key, *json, *after;
} changes[] = {
        {"a", "10", "a=10;b=2;c=3;d=4;e=5;"},   {"e", "50", "a=10;b=2;c=3;d=4;e=50;"}, {"d", "null", "a=10;b=2;c=3;e=50;"},
        {"a", "null", "b=2;c=3;e=50;"},         {"n", "7", "b=2;c=3;e=50;n=7;"},       {"b", "20", "b=20;c=3;e=50;n=7;"},
        {"n", "null", "b=20;c=3;e=50;"},        {"c", "30", "b=20;c=30;e=50;"},        {"m", "8", "b=20;c=30;e=50;m=8;"},
};

/* Killed after _i of them, or when all is done. */
START_TEST(changes_while_it_is_made_anew) {
        size_t n = MIN((size_t) _i, ARRAY_SIZE(changes));

        begin();
        text_append(&live, "a 1\nb 2\nc 3\nd 4\ne 5\n");
        for (const char *at = live.data; *at; at += 4)
                durable_log_put(l, (char[]){at[0], 0}, (char[]){at[2], 0});
        until_synced(5);
        l = durable_log_free(l);
        slice = 1;
        begin();
        for (size_t i = 0; i < n; i++) {
                durable_log_put(l, changes[i].key, changes[i].json);
                durable_log_flush(l);
                ck_assert_int_eq(size_of("tasks.log.new") > 0, true);
        }
        if ((size_t) _i > ARRAY_SIZE(changes)) /* no flush drives it any more */
                while (size_of("tasks.log.new") > 0)
                        ck_assert_int_gt(sd_event_run(event, 10 * 1000 * 1000), 0);
        l = durable_log_free(l);
        slice = 1000;
        ck_assert_found(0, n == 0 ? "a=1;b=2;c=3;d=4;e=5;" : changes[n - 1].after);
}
END_TEST

START_TEST(the_disk_is_full) {
        struct rlimit old, small;

        begin();
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
        for (int i = 0; i < 5000; i++) /* libcheck writes to a file, too */
                durable_log_put(l, "a", "1");
        until_synced(5000);
        small = (struct rlimit){.rlim_cur = size_of("tasks.log") + 4, .rlim_max = old.rlim_max};
        (void) signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        ck_assert_int_eq(durable_log_fault(l), 0);
        durable_log_put(l, "b", "2");
        durable_log_flush(l);
        ck_assert_int_eq(failure, -EFBIG);
        ck_assert_int_eq(durable_log_fault(l), -EFBIG);
        ck_assert_found(0, "a=1;");
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
        failure = 0;
        durable_log_put(l, "c", "3");
        until_synced(5002);
        ck_assert_int_eq(durable_log_fault(l), 0);
        ck_assert_found(0, "a=1;b=2;c=3;");
}
END_TEST

int main(void) {
        Suite *s = suite_create("durable-log");
        TCase *c = tcase_create("all");
        SRunner *r;
        int n_failed;

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, the_last_value_counts);
        tcase_add_test(c, any_cut);
        tcase_add_test(c, spoilt_lines_are_skipped);
        tcase_add_test(c, it_is_made_anew);
        tcase_add_loop_test(c, changes_while_it_is_made_anew, 0, (int) ARRAY_SIZE(changes) + 2);
        tcase_add_test(c, the_disk_is_full);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n_failed = srunner_ntests_failed(r);
        srunner_free(r);
        return n_failed > 0;
}
