/* test-text.c - the buffer, and JSON that any parser takes. */
#include "base/text.h"
#include "base/alloc.h"

#include <check.h>
#include <jansson.h>

static const struct {
        const char *in, *out;
} strings[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\t\r\b\f", "\"\\n\\t\\r\\b\\f\""},
        {"\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xe2\x82\xac \xf0\x9f\x90\x8e", "\"\xe2\x82\xac \xf0\x9f\x90\x8e\""},
        {"a\xff" "b", "\"a\xef\xbf\xbd" "b\""},
        {"\xc3", "\"\xef\xbf\xbd\""},                                     /* cut */
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                     /* overlong */
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},     /* surrogate */
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* past U+10FFFF */
};

START_TEST(string_becomes_json) {
        _cleanup_text_ Text t = {0};
        json_t *j;

        json_put_string(&t, NULL, strings[_i].in);
        ck_assert_str_eq(t.data, strings[_i].out);
        j = json_loads(t.data, JSON_DECODE_ANY, NULL);
        ck_assert_ptr_nonnull(j);
        json_decref(j);
}
END_TEST

START_TEST(every_byte_pair_is_valid_json) {
        _cleanup_text_ Text t = {0};

        for (int second = 0; second < 256; second++) {
                char pair[2] = {(char) _i, (char) second};
                json_t *j;

                text_clear(&t);
                json_put_string_n(&t, NULL, pair, sizeof(pair));
                j = json_loadb(t.data, t.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
                ck_assert_msg(j, "%02x %02x", _i, second);
                json_decref(j);
        }
}
END_TEST

START_TEST(commas_come_by_themselves) {
        _cleanup_text_ Text t = {0};

        json_put_object(&t, NULL);
        json_put_i64(&t, "min", INT64_MIN);
        json_put_u64(&t, "max", UINT64_MAX);
        json_put_i64(&t, "zero", 0);
        json_put_array(&t, "list");
        json_put_bool(&t, NULL, true);
        json_put_null(&t, NULL);
        json_put_object(&t, NULL);
        json_end_object(&t);
        json_put_array(&t, NULL);
        json_end_array(&t);
        json_put_string(&t, NULL, NULL);
        json_put_string(&t, NULL, "[");
        json_put_raw(&t, NULL, "{\"a\":1}");
        json_end_array(&t);
        json_end_object(&t);
        text_append_char(&t, '\n');
        json_put_object(&t, NULL);
        json_end_object(&t);
        ck_assert_str_eq(t.data, "{\"min\":-9223372036854775808,\"max\":18446744073709551615,\"zero\":0,\"list\":"
                                 "[true,null,{},[],null,\"[\",{\"a\":1}]}\n{}");
}
END_TEST

static const struct {
        uint64_t usec;
        const char *out;
} seconds[] = {
        {0, "0"}, {1, "0.000001"}, {1000000, "1"}, {1500000, "1.5"}, {100000, "0.1"}, {123456789, "123.456789"},
        {UINT64_MAX, "18446744073709.551615"},
};

START_TEST(seconds_have_up_to_six_decimals) {
        _cleanup_text_ Text t = {0};

        json_put_seconds(&t, NULL, seconds[_i].usec);
        ck_assert_str_eq(t.data, seconds[_i].out);
}
END_TEST

START_TEST(failure_is_sticky_until_cleared) {
        _cleanup_text_ Text t = {0};
        _cleanup_free_ char *taken = NULL;

        text_append(&t, "kept");
        alloc_fail_at(1);
        for (int i = 0; i < 1000; i++)
                text_append(&t, "much more than fits");
        ck_assert_int_eq(text_check(&t), -ENOMEM);
        text_truncate(&t, 4);
        ck_assert_int_eq(text_check(&t), 0);
        ck_assert_str_eq(t.data, "kept");
        text_appendf(&t, "-%s-%d", "x", 5);
        ck_assert_str_eq(t.data, "kept-x-5");
        taken = text_take(&t);
        ck_assert_str_eq(taken, "kept-x-5");
        ck_assert_ptr_null(t.data);
        alloc_fail_at(1);
        text_appendf(&t, "%d", 1);
        ck_assert_ptr_null(text_take(&t));
}
END_TEST

START_TEST(taking_nothing_gives_an_empty_string) {
        _cleanup_text_ Text t = {0};
        _cleanup_free_ char *taken = text_take(&t);

        ck_assert_str_eq(taken, "");
}
END_TEST

START_TEST(a_manual_shows_what_was_meant) {
        _cleanup_text_ Text t = {0};

        text_append_manual(&t, "a-b \\n \"c\"");
        ck_assert_str_eq(t.data, "a\\-b \\en \\(dqc\\(dq");
}
END_TEST

int main(void) {
        Suite *s = suite_create("text");
        TCase *t = tcase_create("text");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, string_becomes_json, 0, ARRAY_SIZE(strings));
        tcase_add_loop_test(t, every_byte_pair_is_valid_json, 0, 256);
        tcase_add_test(t, commas_come_by_themselves);
        tcase_add_loop_test(t, seconds_have_up_to_six_decimals, 0, ARRAY_SIZE(seconds));
        tcase_add_test(t, failure_is_sticky_until_cleared);
        tcase_add_test(t, taking_nothing_gives_an_empty_string);
        tcase_add_test(t, a_manual_shows_what_was_meant);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
