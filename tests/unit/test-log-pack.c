/* test-log-pack.c - what is compressed comes back; a file that is cut short or damaged ends where it is. */
#include "base/fd.h"
#include "base/file.h"
#include "logger/log-pack.h"
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

static const LogCompress methods[] = {LOG_COMPRESS_GZIP, LOG_COMPRESS_ZSTD};
static const size_t sizes[] = {0, 1, 2, 17, 4095, 4096, 32767, 32768, 32769, 65537, 300001, 3000000};
#define BYTES_MAX 3000000u
static uint8_t data[BYTES_MAX], back[BYTES_MAX + 1];

/* Half of it like text, half like noise; without a newline, so one huge line. */
static void fill(void) {
        uint32_t x = 1;
        for (size_t i = 0; i < BYTES_MAX; i++) {
                x = x * 1664525u + 1013904223u;
                data[i] = i / 10000 % 2 ? (uint8_t) (x >> 24) : (uint8_t) ('a' + i % 23);
        }
}

static int pack(LogCompress method, size_t n, size_t step, uint64_t ino) {
        LogPacker *p;
        int fd = memfd_new("packed");
        ck_assert_int_eq(log_packer_new(&p, method, fd, ino), 0);
        for (size_t at = 0; at < n; at += step)
                ck_assert_int_eq(log_packer_write(p, data + at, MIN(step, n - at)), 0);
        ck_assert_int_eq(log_packer_finish(p), 0);
        log_packer_free(p);
        return fd;
}

/* Bytes that came back right; *ret_last: how it ended. */
static size_t unpack(LogUnpacker *u, size_t step, ssize_t *ret_last) {
        size_t n = 0;
        while ((*ret_last = log_unpacker_read(u, back + n, MIN(step, sizeof back - n))) > 0)
                n += (size_t) *ret_last;
        ck_assert_uint_eq(log_unpacker_position(u), n);
        ck_assert_int_eq(memcmp(back, data, MIN(n, (size_t) BYTES_MAX)), 0);
        return n;
}

START_TEST(round_trip) {
        static const size_t steps[] = {1 << 20, 32768, 777};
        LogCompress method = methods[_i % 2];
        size_t n = sizes[_i / 2];
        for (size_t k = 0; k < ARRAY_SIZE(steps); k++) {
                uint64_t ino = 0x123456789abcdef0u + k, origin;
                _cleanup_fd_ int fd = pack(method, n, steps[k], ino);
                LogUnpacker *u;
                ssize_t last;
                ck_assert_int_eq(log_unpacker_new(&u, method, fd, &origin), 0);
                ck_assert_uint_eq(origin, ino);
                ck_assert_uint_eq(log_pack_origin(fd, method), ino);
                for (int again = 0; again < 2; again++) {
                        ck_assert_uint_eq(unpack(u, steps[(k + 1) % 3], &last), n);
                        ck_assert_int_eq(last, 0);
                        ck_assert_int_eq(log_unpacker_read(u, back, 10), 0);
                        ck_assert_int_eq(log_unpacker_rewind(u), 0);
                }
                log_unpacker_free(u);
        }
}
END_TEST

static off_t length_of(int fd) {
        return lseek(fd, 0, SEEK_END);
}

START_TEST(truncated) {
        LogCompress method = methods[_i];
        _cleanup_fd_ int whole = pack(method, 100000, 32768, 7);
        off_t end = length_of(whole);
        for (off_t at = 0; at < end; at += at < 64 || at > end - 64 ? 1 : end / 50) {
                uint64_t origin;
                LogUnpacker *u;
                ssize_t last;
                _cleanup_fd_ int fd = pack(method, 100000, 32768, 7);
                ck_assert_int_eq(ftruncate(fd, at), 0);
                ck_assert_int_eq(log_unpacker_new(&u, method, fd, &origin), 0);
                ck_assert_uint_le(unpack(u, 5000, &last), 100000);
                ck_assert_msg(last == -EBADMSG || (method == LOG_COMPRESS_ZSTD && at == 20 && last == 0), "%d at %d of %d", (int) last, (int) at, (int) end);
                ck_assert_int_eq(log_unpacker_read(u, back, 10), 0); /* told once */
                log_unpacker_free(u);
        }
}
END_TEST

/* No byte that is wrong may crash it or make it run for ever. */
START_TEST(damaged) {
        LogCompress method = methods[_i];
        _cleanup_fd_ int fd = pack(method, 50000, 32768, 7);
        off_t end = length_of(fd);
        for (off_t at = 0; at < end; at += at < 64 ? 1 : 97) {
                uint8_t byte, wrong;
                uint64_t origin;
                LogUnpacker *u;
                size_t n = 0;
                ssize_t k;
                ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
                wrong = (uint8_t) ~byte;
                ck_assert_int_eq(pwrite(fd, &wrong, 1, at), 1);
                ck_assert_int_eq(log_unpacker_new(&u, method, fd, &origin), 0);
                while ((k = log_unpacker_read(u, back, sizeof back)) > 0)
                        ck_assert_uint_lt(n += (size_t) k, 64u << 20);
                ck_assert(k == 0 || k == -EBADMSG);
                log_unpacker_free(u);
                ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
        }
}
END_TEST

/* gzip and zstd may write several members; a zero-length file holds nothing at all. */
START_TEST(several) {
        LogCompress method = methods[_i];
        _cleanup_fd_ int fd = pack(method, 1000, 1000, 7);
        LogPacker *p;
        LogUnpacker *u;
        uint64_t origin;
        ssize_t last;
        ck_assert_int_eq(log_packer_new(&p, method, fd, 8), 0); /* at the descriptor's place: behind the first */
        ck_assert_int_eq(log_packer_write(p, data + 1000, 500), 0);
        ck_assert_int_eq(log_packer_finish(p), 0);
        log_packer_free(p);
        ck_assert_int_eq(log_unpacker_new(&u, method, fd, &origin), 0);
        ck_assert_uint_eq(origin, 7);
        ck_assert_uint_eq(unpack(u, 100, &last), 1500);
        ck_assert_int_eq(last, 0);
        log_unpacker_free(u);
        ck_assert_int_eq(log_packer_new(&p, LOG_COMPRESS_NONE, fd, 8), -EINVAL);
        ck_assert_int_eq(log_unpacker_new(&u, (LogCompress) 3, fd, &origin), -EINVAL);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-pack");
        TCase *t = tcase_create("log-pack");
        fill();
        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, round_trip, 0, 2 * ARRAY_SIZE(sizes));
        tcase_add_loop_test(t, truncated, 0, 2);
        tcase_add_loop_test(t, damaged, 0, 2);
        tcase_add_loop_test(t, several, 0, 2);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
