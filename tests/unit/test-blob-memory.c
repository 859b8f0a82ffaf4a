/* test-blob-memory.c - bytes of blobs, small and large: there and back, zeroed each time, and what cannot be. */
#include "wire/blob-memory.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/macro.h"
#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static const size_t sizes[] = {1,          4095,          32767,         32768,          65536,          65537,
                               131072,     131073,        BLOB_COPY_MAX, BLOB_COPY_MAX + 1, 1u << 20, (1u << 20) + 1};

static int make(size_t size) {
        int fd = memfd_new("test");

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, (off_t) size), 0);
        return fd;
}

static bool is_filled(const char *m, size_t size, size_t step, size_t first) {
        for (size_t i = 0; i < size; i++)
                if (m[i] != (char) (i * step + first))
                        return false;
        return true;
}

/* Twice: the second may get the buffer of the first. */
START_TEST(test_there_and_back) {
        size_t size = sizes[_i];

        for (int round = 0; round < 2; round++) {
                _cleanup_fd_ int fd = make(size);
                char *m = blob_memory_new(fd, size);

                ck_assert_ptr_nonnull(m);
                ck_assert(is_filled(m, size, 0, 0));
                for (size_t i = 0; i < size; i++)
                        m[i] = (char) (i * 7 + (size_t) round);
                ck_assert_int_eq(blob_memory_seal(fd, m, size), 0);
                ck_assert_int_ne(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, 0);
                ck_assert_int_lt(pwrite(fd, "x", 1, 0), 0);
                m = blob_memory_read(fd, size);
                ck_assert_ptr_nonnull(m);
                ck_assert(is_filled(m, size, 7, (size_t) round));
                blob_memory_free(m, size);
        }
}
END_TEST

START_TEST(test_many_at_once) {
        _cleanup_fd_ int fd = make(65536);
        void *m[8];

        for (size_t i = 0; i < 8; i++) {
                m[i] = blob_memory_new(fd, 65536);
                ck_assert_ptr_nonnull(m[i]);
                memset(m[i], (int) i, 65536);
                for (size_t k = 0; k < i; k++)
                        ck_assert_ptr_ne(m[i], m[k]);
        }
        for (size_t i = 0; i < 8; i++) {
                ck_assert_int_eq(((char *) m[i])[65535], (char) i);
                blob_memory_free(m[i], 65536);
        }
        blob_memory_free(NULL, 65536);
        blob_memory_free(NULL, BLOB_COPY_MAX + 1);
}
END_TEST

/* A peer that says more than there is, a descriptor that cannot be read, one that is mapped elsewhere. */
START_TEST(test_refused) {
        _cleanup_fd_ int fd = make(4096), other = make(4096);
        void *mapped;

        ck_assert_ptr_null(blob_memory_read(fd, 4097));
        ck_assert_int_eq(errno, EIO);
        ck_assert_ptr_null(blob_memory_read(-1, 65536));
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(fcntl(other, F_ADD_SEALS, F_SEAL_GROW), 0);
        ck_assert_int_eq(blob_memory_seal(other, calloc(1, 8192), 8192), -EPERM); /* it cannot grow */
        mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ck_assert_ptr_ne(mapped, MAP_FAILED);
        ck_assert_int_eq(blob_memory_seal(fd, NULL, 4096), -EBUSY);
        ck_assert_int_eq(munmap(mapped, 4096), 0);
        ck_assert_int_eq(blob_memory_seal(fd, NULL, 4096), 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("blob-memory");
        TCase *t = tcase_create("all");
        SRunner *r;
        int n;

        tcase_add_loop_test(t, test_there_and_back, 0, (int) ARRAY_SIZE(sizes));
        tcase_add_test(t, test_many_at_once);
        tcase_add_test(t, test_refused);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n != 0;
}
