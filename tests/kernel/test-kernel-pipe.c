/* test-kernel-pipe.c - what the logger's lossless copy relies on: the sole reader of a pipe that asks for exactly what
 * FIONREAD said gets all of it or, killed before, nothing; never a part. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 32768

START_TEST(test_read_is_all_or_nothing_under_sigkill) {
        static char block[BLOCK];
        unsigned n_read = 0;

        memset(block, 'x', sizeof block);
        char *shared = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(shared, MAP_FAILED);
        for (unsigned round = 0; round < 300; round++) {
                int p[2], n, left;
                memset(shared, 0, BLOCK);
                ck_assert_int_eq(pipe(p), 0);
                ck_assert_int_eq(write(p[1], block, BLOCK), BLOCK);
                pid_t pid = fork();
                if (pid == 0) {
                        if (ioctl(p[0], FIONREAD, &n) == 0 && read(p[0], shared, (size_t) n) == n)
                                for (;;)
                                        (void) pause();
                        _exit(1);
                }
                for (volatile unsigned spin = 0; spin < (round * 7919) % 200000; spin++)
                        ;
                ck_assert_int_eq(kill(pid, SIGKILL), 0);
                ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
                ck_assert_int_eq(ioctl(p[0], FIONREAD, &left), 0);
                ck_assert_msg(left == 0 || left == BLOCK, "a part was read: %d of %d left", left, BLOCK);
                ck_assert_int_eq(shared[0], left == 0 ? 'x' : 0);
                ck_assert_int_eq(shared[BLOCK - 1], left == 0 ? 'x' : 0);
                n_read += left == 0;
                (void) close(p[0]);
                (void) close(p[1]);
        }
        ck_assert_uint_gt(n_read, 0);
        (void) munmap(shared, BLOCK);
}
END_TEST

int main(void) {
        Suite *s = suite_create("kernel-pipe");
        TCase *t = tcase_create("kernel-pipe");

        tcase_add_test(t, test_read_is_all_or_nothing_under_sigkill);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed == 0 ? 0 : 1;
}
