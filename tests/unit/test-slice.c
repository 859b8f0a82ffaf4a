/* test-slice.c - what is JSON, and where its parts are. */
#include "wire/slice.h"

#include <check.h>
#include <stdio.h>

static const struct {
        const char *text;
        bool is_good;
} values[] = {
        {"1", true}, {"-0.5e+10", true}, {" [1, 2 ,{\"a\":null}] ", true}, {"\"\\u00e9\\n\xc3\xa9\"", true}, {"true", true}, {"{}", true},
        {"[]", true}, {"[ ]", true}, {"1e400", true}, {"123456789012345678901234567890", true},
        {"", false}, {"01", false}, {"1.", false}, {"-", false}, {"1e", false}, {"NaN", false}, {"Infinity", false}, {"[1,]", false},
        {"{\"a\":1,}", false}, {"{a:1}", false}, {"[1 2]", false}, {"\"a", false}, {"\"\\x\"", false}, {"\"\\u12g4\"", false}, {"\"\xff\"", false},
        {"\"a\nb\"", false}, {"1 2", false}, {"[", false}, {"nul", false}, {"{\"a\"}", false}, {"]", false}, {"'a'", false},
        {"\"\xed\xa0\x80\"", false},
};

START_TEST(test_values) {
        SliceFault fault;
        Slice s = {0};
        int r = slice_value(values[_i].text, strlen(values[_i].text), &s, &fault);

        ck_assert_msg((r == 0) == values[_i].is_good, "%s: %d", values[_i].text, r);
        if (r < 0) {
                ck_assert_ptr_nonnull(fault.text);
                ck_assert_uint_le(fault.offset, strlen(values[_i].text));
                ck_assert_ptr_null(s.at);
        }
}
END_TEST

START_TEST(test_depth) {
        char text[2 * 100 + 1];
        Slice s;

        for (unsigned n = 1; n <= 100; n++) {
                memset(text, '[', n);
                memset(text + n, ']', n);
                ck_assert_int_eq(slice_value(text, 2 * n, &s, NULL) == 0, n <= SLICE_DEPTH_MAX);
        }
}
END_TEST

/* However it is cut, nothing beyond is read and nothing is taken for whole. */
START_TEST(test_cut) {
        static const char text[] = "{\"id\":7,\"result\":{\"a\":[1,\"\\u00e9\",true]},\"x\":-1.5e3}";
        SliceMember m[] = {{.key = "id"}, {.key = "result"}};

        for (size_t n = 0; n < sizeof text - 1; n++) {
                char *copy = malloc(n + 1);

                memcpy(copy, text, n);
                ck_assert_int_lt(slice_object(copy, n, m, 2, NULL), 0);
                free(copy);
        }
        ck_assert_int_eq(slice_object(text, sizeof text - 1, m, 2, NULL), 0);
        ck_assert_uint_eq(m[1].value.n, strlen("{\"a\":[1,\"\\u00e9\",true]}"));
        ck_assert_int_eq(memcmp(m[1].value.at, "{\"a\"", 4), 0);
}
END_TEST

START_TEST(test_object) {
        static const char fault_behind[] = "{\"id\": 12 , \"result\": NaN}", twice[] = "{\"id\":1,\"id\":2}";
        SliceMember m[] = {{.key = "id"}, {.key = "result"}};
        SliceFault fault;
        uint64_t id = 0;

        ck_assert_int_lt(slice_object(fault_behind, strlen(fault_behind), m, 2, &fault), 0);
        ck_assert_int_eq(slice_u64(m[0].value, &id), 0);
        ck_assert_uint_eq(id, 12);
        ck_assert_ptr_null(m[1].value.at);
        ck_assert_int_lt(slice_object(twice, strlen(twice), m, 2, &fault), 0);
        ck_assert_int_lt(slice_object("[1]", 3, m, 2, &fault), 0);
}
END_TEST

START_TEST(test_array) {
        static const char text[] = "[ 1, [2,3] ,\"x\"]";
        uint32_t ends[3];
        size_t first;

        ck_assert_int_eq(slice_array(text, strlen(text), ends, 3, &first, NULL), 3);
        ck_assert_uint_eq(first, 2);
        ck_assert_uint_eq(ends[0], 3);
        ck_assert_uint_eq(ends[1], 10);
        ck_assert_uint_eq(ends[2], 15);
        ck_assert_int_eq(slice_array(text, strlen(text), ends, 2, &first, NULL), -E2BIG);
        ck_assert_int_eq(slice_array("[]", 2, NULL, 0, &first, NULL), 0);
        ck_assert_int_lt(slice_array("{}", 2, NULL, 9, &first, NULL), 0);
}
END_TEST

START_TEST(test_numbers) {
        static const char *const bad[] = {"", "-1", "1.0", "\"1\"", "99999999999999999999", "1e3"};
        uint64_t v = 5;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                ck_assert_int_eq(slice_u64(slice_of(bad[i]), &v), -EINVAL);
        ck_assert_uint_eq(v, 5);
        ck_assert_int_eq(slice_u64(slice_of("9223372036854775807"), &v), 0);
        ck_assert_uint_eq(v, INT64_MAX);
}
END_TEST

START_TEST(test_append) {
        static const char *const texts[][2] = {
                {"[1]", "[1]"}, {"[\r1,\r\n2]\r", "[ 1, \n2] "}, {"\"\xe2\x80\xa8 \xe2\x80\xa9\"", "\"\\u2028 \\u2029\""},
                {"\"\xe2\x80\xa6\xe2\x80\xa8\xe2\x81\xa8\"", "\"\xe2\x80\xa6\\u2028\xe2\x81\xa8\""},
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_text_ Text t = {0};

                slice_append(&t, slice_of(texts[i][0]));
                ck_assert_int_eq(text_check(&t), 0);
                ck_assert_str_eq(t.data, texts[i][1]);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("slice");
        TCase *t = tcase_create("slice");
        SRunner *runner;
        int failed;

        tcase_add_loop_test(t, test_values, 0, ARRAY_SIZE(values));
        tcase_add_test(t, test_depth);
        tcase_add_test(t, test_cut);
        tcase_add_test(t, test_object);
        tcase_add_test(t, test_array);
        tcase_add_test(t, test_numbers);
        tcase_add_test(t, test_append);
        suite_add_tcase(s, t);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
