/* test-log-scratch.c - the notes that survive a SIGKILL, and rubbish in their place. */
#include "base/fd.h"
#include "base/file.h"
#include "link/logger-protocol.h"
#include "logger/log-scratch.h"
#include <check.h>
#include <unistd.h>

static const LogStreamId id = {.slot = 3, .stream = LOG_STREAM_STDERR, .generation = 99};

static int make(void) {
        int fd = memfd_new("scratch");
        ck_assert_int_eq(ftruncate(fd, LOGGER_SCRATCH_BYTES), 0);
        return fd;
}

START_TEST(canary) {
        _cleanup_fd_ int fd = make();
        LogScratch s = {}, t = {};
        ck_assert_int_eq(log_scratch_open(&s, fd), 0);
        s.fast->spec.kind = LOG_KIND_FILE;
        scratch_begin(&s, s.fast, SCRATCH_READING, &id, 100);
        ck_assert_int_eq(log_scratch_open(&t, fd), 0); /* the successor */
        ck_assert(scratch_is_of(t.fast, &id));
        ck_assert(!scratch_was_read(&t));
        memset(s.fast_block, 'd', 100);
        ck_assert(scratch_was_read(&t));
        scratch_set_place(s.fast, &(ScratchPlace){.done = 40, .ino = 7, .offset = 1000});
        ck_assert_uint_eq(scratch_place(t.fast)->done, 40);
        ck_assert_uint_eq(scratch_place(t.fast)->offset, 1000);
        scratch_set_state(t.fast, SCRATCH_IDLE);
        ck_assert(!scratch_is_of(s.fast, &id));
        log_scratch_close(&s);
        log_scratch_close(&t);
}
END_TEST

START_TEST(consumed) {
        _cleanup_fd_ int fd = make();
        LogScratch s = {};
        ck_assert_int_eq(log_scratch_open(&s, fd), 0);
        for (int c = 0; c < 256; c++) { /* one byte tells, whatever it is */
                s.peek_block[0] = (uint8_t) c;
                scratch_begin(&s, s.peek, SCRATCH_WRITING, &id, 1);
                ck_assert(!scratch_was_consumed(&s));
                scratch_mark_consuming(&s);
                ck_assert(!scratch_was_consumed(&s));
                s.peek_block[0] = (uint8_t) c;
                ck_assert(scratch_was_consumed(&s));
                scratch_set_state(s.peek, SCRATCH_IDLE);
        }
        log_scratch_close(&s);
}
END_TEST

START_TEST(rubbish) {
        _cleanup_fd_ int fd = make(), small = memfd_new("small");
        LogScratch s = {};
        uint8_t page[4096];
        ck_assert_int_eq(log_scratch_open(&s, small), -EBADMSG);
        memset(page, 0xee, sizeof page);
        ck_assert_int_eq(pwrite(fd, page, sizeof page, 0), sizeof page);
        ck_assert_int_eq(log_scratch_open(&s, fd), 0);
        ck_assert_uint_eq(s.fast->state, SCRATCH_IDLE);
        ck_assert_uint_eq(s.peek->state, SCRATCH_IDLE);
        log_scratch_close(&s);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-scratch");
        TCase *t = tcase_create("log-scratch");
        tcase_add_test(t, canary);
        tcase_add_test(t, consumed);
        tcase_add_test(t, rubbish);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
