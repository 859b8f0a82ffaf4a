/* test-log-sink-journal.c - entries as journald gets them; journald slow, away and back. The test plays journald. */
#include "base/fd.h"
#include "base/file.h"
#include "link/logger-protocol.h"
#include "logger/log-copy.h"
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static LogLoop loop;
static LogSinkTable sinks;
static LogCopier copier;
static char path[100];
static int journald, pipe_fds[2];
static LogCopySource source;
static LogTarget target;

static void journald_start(void) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
        journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(journald, (struct sockaddr *) &a, sizeof a), 0);
}

static void journald_stop(void) {
        journald = fd_close(journald);
        unlink(path);
}

static void setup(void) {
        LogSpec spec = {.kind = LOG_KIND_JOURNAL, .worker = "web/3"};
        _cleanup_fd_ int scratch = memfd_new("scratch");
        snprintf(path, sizeof path, "/tmp/drover-test-journal-%d", (int) getpid());
        unlink(path);
        ck_assert_int_eq(ftruncate(scratch, LOGGER_SCRATCH_BYTES), 0);
        ck_assert_int_eq(log_loop_init(&loop), 0);
        log_sink_table_init(&sinks, &loop);
        sinks.journal_path = path;
        ck_assert_int_eq(log_copier_init(&copier, &loop, &sinks, scratch), 0);
        ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
        ck_assert_int_eq(log_target_init(&target, &spec), 0);
        source = (LogCopySource){.fd = pipe_fds[0],
                                 .id = {.slot = 1, .stream = LOG_STREAM_STDERR, .generation = 5},
                                 .target = &target,
                                 .writer = 1};
        ck_assert_int_eq(log_sink_get(&sinks, &target, LOG_STREAM_STDERR, &source.sink), 0);
        journald_start();
}

static void teardown(void) {
        journald_stop();
        source.sink = log_sink_unref(source.sink);
        log_target_done(&target);
        fd_close_many(pipe_fds, 2);
        log_copier_done(&copier);
        log_sink_table_done(&sinks);
        log_loop_done(&loop);
}

static void say(const char *text) {
        ck_assert_int_eq(write(pipe_fds[1], text, strlen(text)), (ssize_t) strlen(text));
}

static const char *heard(void) {
        static char entry[70000];
        ssize_t n = recv(journald, entry, sizeof entry - 1, 0);
        if (n < 0)
                return NULL;
        entry[n] = '\0';
        return entry;
}

#define FIELDS "PRIORITY=5\nSYSLOG_IDENTIFIER=web\nDROVER_POOL=web\nDROVER_WORKER=web/3\nDROVER_STREAM=stderr\n"

START_TEST(one_entry_a_line) {
        say("one\n\ntwo\nhal");
        ck_assert_int_eq(log_copy(&copier, &source, 65536, false), 9);
        ck_assert_str_eq(heard(), FIELDS "MESSAGE=one\n");
        ck_assert_str_eq(heard(), FIELDS "MESSAGE=\n");
        ck_assert_str_eq(heard(), FIELDS "MESSAGE=two\n");
        ck_assert_ptr_null(heard());
        ck_assert_int_eq(log_copy(&copier, &source, 65536, false), 0); /* stays in the pipe */
        say("f\n");
        ck_assert_int_eq(log_copy(&copier, &source, 65536, false), 5);
        ck_assert_str_eq(heard(), FIELDS "MESSAGE=half\n");
        say("last words");
        ck_assert_int_eq(log_copy(&copier, &source, 65536, true), 10);
        ck_assert_str_eq(heard(), FIELDS "MESSAGE=last words\n");
}
END_TEST

/* A queue that is full takes what it can; the rest stays in the pipe and is neither lost nor repeated. */
START_TEST(slow) {
        char line[32];
        int n_heard = 0;
        for (int i = 0; i < 2000; i++) {
                snprintf(line, sizeof line, "line %06d\n", i);
                say(line);
        }
        while (n_heard < 2000) {
                const char *entry;
                ssize_t r = log_copy(&copier, &source, 65536, false);
                ck_assert(r > 0 || r == -EAGAIN);
                while ((entry = heard())) {
                        snprintf(line, sizeof line, "MESSAGE=line %06d\n", n_heard++);
                        ck_assert_ptr_nonnull(strstr(entry, line));
                }
        }
        ck_assert_int_eq(log_copy(&copier, &source, 65536, false), -EAGAIN); /* the pipe is empty */
}
END_TEST

START_TEST(away_and_back) {
        journald_stop();
        say("nobody listens\n");
        ck_assert_int_eq(log_copy(&copier, &source, 65536, false), -ENOENT);
        journald_start();
        ck_assert_int_eq(log_copy(&copier, &source, 65536, false), 15);
        ck_assert_str_eq(heard(), FIELDS "MESSAGE=nobody listens\n");
        journald_stop();
        journald_start();
        say("a new one\n");
        ck_assert_int_lt(log_copy(&copier, &source, 65536, false), 0); /* the old socket's end is noticed */
        ck_assert_int_eq(log_copy(&copier, &source, 65536, false), 10);
        ck_assert_str_eq(heard(), FIELDS "MESSAGE=a new one\n");
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-sink-journal");
        TCase *t = tcase_create("log-sink-journal");
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, one_entry_a_line);
        tcase_add_test(t, slow);
        tcase_add_test(t, away_and_back);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
