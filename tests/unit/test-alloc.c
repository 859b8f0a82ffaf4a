/* test-alloc.c - overflow, growth, and the failing n-th allocation. */
#include "base/alloc.h"

#include <check.h>

START_TEST(overflow_is_refused) {
        size_t capacity = 0;
        char *array = NULL;

        ck_assert_ptr_null(alloc_zero(SIZE_MAX, 2));
        ck_assert_int_eq(alloc_grow(&array, &capacity, SIZE_MAX / 2, 4), -EOVERFLOW);
        ck_assert_ptr_null(array);
        ck_assert_uint_eq(capacity, 0);
}
END_TEST

START_TEST(growth_zeroes_and_keeps) {
        _cleanup_free_ int *array = NULL;
        size_t capacity = 0;

        for (size_t n = 1; n <= 1000; n++) {
                ck_assert_int_eq(alloc_grow(&array, &capacity, n, sizeof(*array)), 0);
                ck_assert_uint_ge(capacity, n);
                ck_assert_int_eq(array[n - 1], 0);
                array[n - 1] = (int) n;
        }
        for (size_t n = 1; n <= 1000; n++)
                ck_assert_int_eq(array[n - 1], (int) n);
        alloc_fail_at(1);
        ck_assert_int_eq(alloc_grow(&array, &capacity, capacity + 1, sizeof(*array)), -ENOMEM);
        ck_assert_int_eq(array[999], 1000);
}
END_TEST

START_TEST(strings) {
        static const char *const v[] = {"a", "", "ccc", NULL};
        _cleanup_free_ char *s = alloc_strdup("hello"), *n = alloc_strndup("hello", 2), *p = alloc_printf("%d-%s", 7, "x");
        _cleanup_(strv_freep) char **copy = strv_copy(v);

        ck_assert_str_eq(s, "hello");
        ck_assert_str_eq(n, "he");
        ck_assert_str_eq(p, "7-x");
        ck_assert_ptr_null(alloc_strdup(NULL));
        ck_assert_uint_eq(strv_length((const char *const *) copy), 3);
        ck_assert_str_eq(copy[2], "ccc");
        ck_assert_uint_eq(strv_length(NULL), 0);
        ck_assert_ptr_null(strv_free(NULL));
}
END_TEST

START_TEST(variables) {
        _cleanup_free_ char *full = alloc_variable("NAME", "a=b"), *empty = alloc_variable("NAME", "");

        ck_assert_str_eq(full, "NAME=a=b");
        ck_assert_str_eq(empty, "NAME=");
        alloc_fail_at(1);
        ck_assert_ptr_null(alloc_variable("NAME", "x"));
        alloc_fail_at(0);
}
END_TEST

START_TEST(each_allocation_can_fail) {
        static const char *const v[] = {"a", "b", NULL};

        alloc_fail_at((unsigned long) _i);
        ck_assert_ptr_null(strv_copy(v)); /* one array, two strings */
        alloc_fail_at(0);
}
END_TEST

START_TEST(only_the_nth_fails) {
        _cleanup_free_ void *first = NULL, *second = NULL, *third = NULL;

        alloc_fail_at(2);
        first = alloc_zero(1, 1);
        second = alloc_zero(1, 1);
        third = alloc_zero(1, 1);
        ck_assert_ptr_nonnull(first);
        ck_assert_ptr_null(second);
        ck_assert_ptr_nonnull(third);
}
END_TEST

int main(void) {
        Suite *s = suite_create("alloc");
        TCase *t = tcase_create("alloc");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_test(t, overflow_is_refused);
        tcase_add_test(t, growth_zeroes_and_keeps);
        tcase_add_test(t, strings);
        tcase_add_test(t, variables);
        tcase_add_loop_test(t, each_allocation_can_fail, 1, 4);
        tcase_add_test(t, only_the_nth_fails);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
