/* test-journal.c - the journal over any kind of death: cut at every byte, flipped bits, a kill, full, compacted. */
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "handover/journal-record.h"
#include "handover/journal.h"
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Keeper { /* the keeper's part: it holds what it is given */
        int fd;
        int n_given, error;
} Keeper;

static int on_new_fd(Journal *j, int fd, void *userdata) {
        Keeper *k = userdata;

        if (k->error)
                return k->error;
        fd_close(k->fd);
        k->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        k->n_given++;
        return 0;
}

static const JournalHooks hooks = {on_new_fd};

static int collect(const char *key, json_t *value, void *userdata) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        text_appendf(userdata, "%s=%s;", key, text);
        free(text);
        return 0;
}

static int stop_at_first(const char *key, json_t *value, void *userdata) {
        ++*(int *) userdata;
        return -ECANCELED;
}

static Journal *open_fresh(Keeper *k) {
        Journal *j = NULL;

        *k = (Keeper){.fd = -EBADF};
        ck_assert_int_eq(journal_new(&j, -1, &hooks, k), 0);
        return j;
}

/* The next life over a duplicate of @fd; what it replays is left in @t. Return: skipped records. */
static int next_life(int fd, Text *t) {
        _cleanup_(journal_freep) Journal *j = NULL;
        Keeper k = {.fd = -EBADF};
        int r = journal_new(&j, fcntl(fd, F_DUPFD_CLOEXEC, 3), &hooks, &k);

        ck_assert_int_eq(r, 0);
        text_clear(t);
        text_append(t, "");
        r = journal_replay(j, "", collect, t);
        ck_assert_int_eq(k.n_given, 0);
        return r;
}

START_TEST(the_last_value_of_a_key_counts) {
        Keeper k;
        _cleanup_text_ Text t = {0};
        Journal *j = open_fresh(&k);
        int n = 0;

        journal_put(j, "pool:a", "{\"x\":1}");
        journal_put(j, "pool:b", "2");
        journal_put(j, "pool:a", "{\"x\":3}");
        ck_assert_int_eq(journal_flush(j), 0);
        ck_assert_int_eq(journal_flush(j), 0);
        ck_assert_int_eq(k.n_given, 1);
        journal_put(j, "seq", "1000");
        journal_put(j, "gone", "1");
        journal_delete(j, "gone");
        journal_delete(j, "never");
        journal_delete(j, "pool:b");
        ck_assert_int_eq(journal_flush(j), 0);
        journal_put(j, "lost", "\"not flushed\"");
        ck_assert_int_eq(next_life(k.fd, &t), 0);
        ck_assert_str_eq(t.data, "pool:a={\"x\":3};seq=1000;");
        journal_put(j, "pool:b", "4");
        ck_assert_int_eq(journal_flush(j), 0);
        ck_assert_int_eq(next_life(k.fd, &t), 0);
        ck_assert_str_eq(t.data, "pool:a={\"x\":3};seq=1000;lost=\"not flushed\";pool:b=4;");
        ck_assert_int_eq(journal_replay(j, "", stop_at_first, &n), -ECANCELED);
        ck_assert_int_eq(n, 1);
        text_clear(&t);
        ck_assert_int_eq(journal_replay(j, "pool:", collect, &t), 0);
        ck_assert_str_eq(t.data, "pool:a={\"x\":3};pool:b=4;");
        journal_free(j);
        fd_close(k.fd);
}
END_TEST

START_TEST(a_cut_at_every_byte) {
        Keeper k;
        _cleanup_text_ Text t = {0};
        Journal *j = open_fresh(&k);
        char data[512];
        ssize_t size;
        static const char *const states[] = {"", "a=1;", "a=1;b={\"y\":[1,2]};", "a=5;b={\"y\":[1,2]};"};
        size_t last = 0;

        journal_put(j, "a", "1");
        ck_assert_int_eq(journal_flush(j), 0);
        journal_put(j, "b", "{\"y\":[1,2]}");
        ck_assert_int_eq(journal_flush(j), 0);
        journal_put(j, "a", "5");
        ck_assert_int_eq(journal_flush(j), 0);
        size = pread(k.fd, data, sizeof(data), 0);
        ck_assert_int_gt(size, 0);
        for (ssize_t cut = 0; cut <= size; cut++) {
                _cleanup_fd_ int fd = memfd_new("cut");
                _cleanup_(journal_freep) Journal *after = NULL;
                struct stat st;

                ck_assert_int_eq(write_all(fd, data, (size_t) cut), 0);
                ck_assert_int_eq(next_life(fd, &t), 0);
                while (last + 1 < ARRAY_SIZE(states) && streq(t.data, states[last + 1]))
                        last++;
                ck_assert_str_eq(t.data, states[last]);
                /* and what is written next stands on a line of its own */
                ck_assert_int_eq(journal_new(&after, fcntl(fd, F_DUPFD_CLOEXEC, 3), &hooks, &k), 0);
                journal_put(after, "z", "true");
                ck_assert_int_eq(journal_flush(after), 0);
                ck_assert_int_eq(next_life(fd, &t), 0);
                ck_assert_ptr_nonnull(strstr(t.data, "z=true;"));
                ck_assert_int_eq(fstat(fd, &st), 0);
        }
        ck_assert_uint_eq(last, ARRAY_SIZE(states) - 1);
        journal_free(j);
        fd_close(k.fd);
}
END_TEST

START_TEST(every_flipped_bit_is_noticed) {
        _cleanup_text_ Text t = {0}, seen = {0};

        journal_record_format(&t, "a", "{\"n\":1}");
        journal_record_format(&t, "b", "2");
        journal_record_format(&t, "c", "3");
        for (size_t bit = 0; bit < t.length * 8; bit++) {
                _cleanup_fd_ int fd = memfd_new("flip");

                t.data[bit / 8] ^= (char) (1 << bit % 8);
                ck_assert_int_eq(write_all(fd, t.data, t.length), 0);
                t.data[bit / 8] ^= (char) (1 << bit % 8);
                /* the record itself, or at most it and its neighbour when the newline between them is gone */
                ck_assert_int_le(next_life(fd, &seen), 2);
                for (const char *p = seen.data; *p; p = strchr(p, ';') + 1)
                        ck_assert(strncmp(p, "a={\"n\":1};", 10) == 0 || strncmp(p, "b=2;", 4) == 0 ||
                                  strncmp(p, "c=3;", 4) == 0);
                ck_assert(strstr(seen.data, "c=3;") || strstr(seen.data, "a={"));
                ck_assert_str_ne(seen.data, "a={\"n\":1};b=2;c=3;");
        }
}
END_TEST

START_TEST(spoilt_lines_are_counted_and_skipped) {
        static const char text[] = "\n \n0000000g 1 a\n00000000 99999999999 a 1\n00000000 0 \nffffffff 3 a 1\n";
        _cleanup_text_ Text t = {0}, seen = {0};
        _cleanup_fd_ int fd = memfd_new("spoilt");

        journal_record_format(&t, "a", "1");
        journal_record_format(&t, "b", "{not json");
        ck_assert_int_eq(write_all(fd, text, sizeof(text) - 1), 0);
        ck_assert_int_eq(write_all(fd, t.data, t.length), 0);
        ck_assert_int_eq(next_life(fd, &seen), 7);
        ck_assert_str_eq(seen.data, "a=1;");
}
END_TEST

START_TEST(it_is_compacted) {
        Keeper k;
        _cleanup_text_ Text t = {0}, want = {0};
        Journal *j = open_fresh(&k);
        char json[1100], key[16];
        struct stat st;

        memset(json, '7', sizeof(json));
        json[0] = json[sizeof(json) - 2] = '"';
        json[sizeof(json) - 1] = '\0';
        for (int i = 0; i < 2000; i++) {
                (void) snprintf(key, sizeof(key), "k%d", i % 3);
                journal_put(j, key, json);
                journal_put(j, "i", i % 2 ? "1" : "2");
                ck_assert_int_eq(journal_flush(j), 0);
        }
        ck_assert_int_gt(k.n_given, 2);
        ck_assert_int_lt(k.n_given, 50);
        ck_assert_int_eq(fstat(k.fd, &st), 0);
        ck_assert_int_le(st.st_size, JOURNAL_COMPACT_MIN + 4096);
        ck_assert_int_eq(journal_replay(j, "", collect, &want), 0);
        ck_assert_int_eq(next_life(k.fd, &t), 0);
        ck_assert_str_eq(t.data, want.data);
        ck_assert_ptr_nonnull(strstr(t.data, "i=1;"));
        journal_free(j);
        fd_close(k.fd);
}
END_TEST

START_TEST(a_keeper_that_refuses_is_asked_again) {
        Keeper k;
        _cleanup_text_ Text t = {0};
        Journal *j = open_fresh(&k);

        k.error = -ENOBUFS;
        journal_put(j, "a", "1");
        ck_assert_int_eq(journal_flush(j), -ENOBUFS);
        k.error = 0;
        ck_assert_int_eq(journal_flush(j), 0);
        ck_assert_int_eq(next_life(k.fd, &t), 0);
        ck_assert_str_eq(t.data, "a=1;");
        journal_free(j);
        fd_close(k.fd);
}
END_TEST

/* A file that cannot grow: all stays in memory, nothing half-written counts, and it heals. */
START_TEST(a_full_file) {
        Keeper k;
        _cleanup_text_ Text t = {0};
        Journal *j = open_fresh(&k);
        struct rlimit old, low = {40, RLIM_INFINITY};
        sigset_t xfsz;

        journal_put(j, "a", "1");
        ck_assert_int_eq(journal_flush(j), 0);
        sigemptyset(&xfsz);
        sigaddset(&xfsz, SIGXFSZ);
        ck_assert_int_eq(sigprocmask(SIG_BLOCK, &xfsz, NULL), 0);
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
        low.rlim_max = old.rlim_max;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
        journal_put(j, "b", "\"a long value, longer than what is left\"");
        ck_assert_int_lt(journal_flush(j), 0);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
        ck_assert_int_eq(next_life(k.fd, &t), 0);
        ck_assert_str_eq(t.data, "a=1;");
        journal_put(j, "b", "2");
        ck_assert_int_eq(journal_flush(j), 0);
        ck_assert_int_eq(next_life(k.fd, &t), 0);
        ck_assert_str_eq(t.data, "a=1;b=2;");
        journal_free(j);
        fd_close(k.fd);
}
END_TEST

START_TEST(short_memory_is_told) {
        for (unsigned long n = 1; n < 12; n++) {
                Keeper k;
                _cleanup_text_ Text t = {0};
                Journal *j = open_fresh(&k);
                int r;

                journal_put(j, "a", "1");
                ck_assert_int_eq(journal_flush(j), 0);
                alloc_fail_at(n);
                journal_put(j, "a", "2");
                journal_put(j, "b", "3");
                r = journal_flush(j);
                alloc_fail_at(0);
                ck_assert(r == 0 || r == -ESTALE || r == -ENOMEM);
                journal_put(j, "a", "2");
                journal_put(j, "b", "3");
                r = journal_flush(j);
                ck_assert(r == 0 || r == -ESTALE);
                ck_assert_int_eq(next_life(k.fd, &t), 0);
                ck_assert_str_eq(t.data, "a=2;b=3;");
                journal_free(j);
                fd_close(k.fd);
        }
}
END_TEST

START_TEST(keys_and_values_that_would_break_a_line_are_refused) {
        static const char *const keys[] = {"", "a b", "a\nb", "\x01"};
        Keeper k;
        _cleanup_text_ Text t = {0};
        Journal *j = open_fresh(&k);

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                journal_put(j, keys[i], "1");
                ck_assert_int_eq(journal_flush(j), -ESTALE);
        }
        journal_put(j, "a", "[1,\n2]");
        ck_assert_int_eq(journal_flush(j), -ESTALE);
        ck_assert_int_eq(journal_flush(j), 0);
        ck_assert_int_eq(next_life(k.fd, &t), 0);
        ck_assert_str_eq(t.data, "");
        journal_free(j);
        fd_close(k.fd);
}
END_TEST

#define WRITES_MAX 3000u /* before the first compaction: from then on the test would have to be handed the new file */

/* The child writes; killed anywhere, what is left is a consistent prefix of what it wrote. */
static void write_until_killed(int fd, int said) {
        Journal *j = NULL;
        Keeper k = {.fd = -EBADF};
        char json[64];

        if (journal_new(&j, fd, &hooks, &k) < 0)
                _exit(1);
        for (uint32_t i = 1; i <= WRITES_MAX; i++) {
                (void) snprintf(json, sizeof(json), "%u", i);
                journal_put(j, "first", json);
                journal_put(j, "second", json);
                if (journal_flush(j) < 0 || write(said, &i, sizeof(i)) != sizeof(i))
                        _exit(1);
        }
        for (;;)
                (void) pause();
}

START_TEST(a_kill_at_any_moment) {
        _cleanup_fd_ int fd = memfd_new("kill");
        _cleanup_text_ Text t = {0};
        int pipe_fds[2];
        uint32_t said = 0, i;
        unsigned first, second;
        pid_t pid;

        ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                write_until_killed(fcntl(fd, F_DUPFD_CLOEXEC, 3), pipe_fds[1]);
        close(pipe_fds[1]);
        while (said < 50u + 37u * (unsigned) _i && read(pipe_fds[0], &i, sizeof(i)) == sizeof(i))
                said = i;
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        while (read(pipe_fds[0], &i, sizeof(i)) == sizeof(i))
                said = i;
        close(pipe_fds[0]);
        ck_assert_int_eq(next_life(fd, &t), 0);
        ck_assert_int_eq(sscanf(t.data, "first=%u;second=%u;", &first, &second), 2);
        ck_assert_uint_ge(first, said); /* what was told to others is on record */
        ck_assert_uint_ge(second, said);
        ck_assert_uint_le(first - second, 1);
}
END_TEST

/* "k" and that many x in quotes; the sums are zlib's. What a daemon of another version wrote must be read. */
static const struct {
        size_t n;
        uint32_t crc;
} sums[] = {
        {0, 0x87fcee3a},
        {1, 0x81bd3eeb},
        {6, 0xc494c916},
        {7, 0xb3263a2f},
        {8, 0xec5400d4},
        {9, 0xc664597a},
        {15, 0x608739c2},
        {16, 0x323c3f12},
        {17, 0xb4bd56c0},
        {100, 0x66b8e3b6},
};

START_TEST(the_sum_is_that_of_zlib) {
        _cleanup_text_ Text json = {0}, t = {0};
        JournalRecord r;

        text_append_char(&json, '"');
        for (size_t i = 0; i < sums[_i].n; i++)
                text_append_char(&json, 'x');
        text_append_char(&json, '"');
        journal_record_format(&t, "k", json.data);
        ck_assert_uint_eq(strtoul(t.data, NULL, 16), sums[_i].crc);
        ck_assert_uint_eq(t.data[8], ' ');
        ck_assert_int_eq(journal_record_parse(t.data, t.length, &r), 1);
        ck_assert_uint_eq(r.size, t.length);
}
END_TEST

int main(void) {
        Suite *s = suite_create("journal");
        TCase *t = tcase_create("journal");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_test(t, the_last_value_of_a_key_counts);
        tcase_add_loop_test(t, the_sum_is_that_of_zlib, 0, ARRAY_SIZE(sums));
        tcase_add_test(t, a_cut_at_every_byte);
        tcase_add_test(t, every_flipped_bit_is_noticed);
        tcase_add_test(t, spoilt_lines_are_counted_and_skipped);
        tcase_add_test(t, it_is_compacted);
        tcase_add_test(t, a_keeper_that_refuses_is_asked_again);
        tcase_add_test(t, a_full_file);
        tcase_add_test(t, short_memory_is_told);
        tcase_add_test(t, keys_and_values_that_would_break_a_line_are_refused);
        tcase_add_loop_test(t, a_kill_at_any_moment, 0, 10);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
