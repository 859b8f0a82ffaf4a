/* test-config-text.c - comments and commas out, places of everything, and what is said of broken text. */
#include "base/alloc.h"
#include "config/config-text.h"
#include <check.h>

static const struct {
        const char *raw, *clean;
} blank_cases[] = {
        { "{} // x", "{}     " },
        { "{}#x\n1", "{}  \n1" },
        { "{/* \n */}", "{   \n   }" },
        { "\"//#/**/\"", "\"//#/**/\"" },
        { "\"a\\\"//\"//", "\"a\\\"//\"  " },
        { "[1,]", "[1 ]" },
        { "[1, /* x */ ]", "[1          ]" },
        { "{\"a\":1,\n}", "{\"a\":1 \n}" },
        { "[1,,]", "[1,,]" },
        { "[,]", "[,]" },
        { "{,}", "{,}" },
        { "[1,2]", "[1,2]" },
        { "/", "/" },
        { "", "" },
        { "\xef\xbb\xbf{}", "   {}" },
        { "/**/", "    " },
};

START_TEST(blanking_keeps_every_byte_in_its_place) {
        char clean[64];
        ConfigSyntaxFault fault;
        size_t n = strlen(blank_cases[_i].raw);

        ck_assert_int_eq(config_text_blank(blank_cases[_i].raw, n, clean, &fault), 0);
        ck_assert_str_eq(clean, blank_cases[_i].clean);
        ck_assert_uint_eq(strlen(clean), n);
}
END_TEST

static const struct {
        const char *raw;
        int line, column;
        const char *text;
} fault_cases[] = {
        { "{} /* x", 1, 4, "never closed" },
        { "{", 1, 1, "{ is never closed" },
        { "{\n \"a\": [1, 2\n", 2, 7, "[ is never closed" },
        { "{\"a\" 1}", 1, 6, "colon" },
        { "{\"a\": 1 \"b\": 2}", 1, 9, "comma or }" },
        { "[1 2]", 1, 4, "comma or ]" },
        { "{a: 1}", 1, 2, "key in \"double quotes\"" },
        { "{'a': 1}", 1, 2, "key in \"double quotes\"" },
        { "{\"a\": 'b'}", 1, 7, "strings stand in" },
        { "{\"a\": yes}", 1, 7, "text stands in" },
        { "{\"a\": 10s}", 1, 7, "durations and sizes" },
        { "{\"a\": 022}", 1, 7, "begin with 0" },
        { "{\"a\": 1.}", 1, 7, "point" },
        { "{\"a\": 1e}", 1, 7, "the e" },
        { "{\"a\": -}", 1, 7, "not a number" },
        { "{\"a\": \"b}\n", 1, 7, "never closed with \"" },
        { "{\"a\": \"\\x\"}", 1, 8, "backslash" },
        { "{\"a\": \"\\u12\"}", 1, 8, "backslash" },
        { "{\"a\": \"\t\"}", 1, 8, "control character" },
        { "{} {}", 1, 4, "nothing may follow" },
        { "{\"a\":,}", 1, 6, "value" },
        { "[1,,]", 1, 4, "value" },
        { "{\n  \"a\": 1,\n  \"b\": { \"a\": 2 },\n  \"\\u0061\": 3\n}", 4, 3, "twice in the same object; the first is at 2:3" },
        /* columns are characters, not bytes */
        { "{\"\xc3\xa4\xc3\xb6\": x}", 1, 8, "value" },
        { "\xef\xbb\xbf{x}", 1, 2, "key" },
        { "{\"a\": \"\\u0000\"}", 1, 0, "" },
        { "{\"a\": \"\xff\"}", 1, 0, "" },
        { "{\"a\": 99999999999999999999}", 1, 0, "" },
        { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 1, 33, "deep" },
};

START_TEST(broken_text_is_told_where_and_why) {
        _cleanup_config_text_ ConfigText t = { 0 };
        const char *raw = fault_cases[_i].raw;
        ConfigSyntaxFault fault;
        _cleanup_json_ json_t *root = NULL;
        int line, column;

        ck_assert_int_eq(config_text_parse(&t, "f", alloc_strdup(raw), strlen(raw), &root, &fault), -EBADMSG);
        ck_assert((root != NULL) == (strstr(fault.text, "twice") != NULL)); /* a doubled key hides no other fault */
        config_text_position(&t, fault.offset, &line, &column);
        ck_assert_int_eq(line, fault_cases[_i].line);
        if (fault_cases[_i].column)
                ck_assert_int_eq(column, fault_cases[_i].column);
        ck_assert_msg(strstr(fault.text, fault_cases[_i].text) != NULL, "%s: %s", raw, fault.text);
}
END_TEST

static void check_place(const ConfigText *t, const ConfigPlace *p, int key_line, int key_column, int line, int column) {
        int l, c;

        ck_assert_ptr_nonnull(p);
        config_text_position(t, p->key, &l, &c);
        ck_assert_int_eq(l, key_line);
        ck_assert_int_eq(c, key_column);
        config_text_position(t, p->value, &l, &c);
        ck_assert_int_eq(l, line);
        ck_assert_int_eq(c, column);
}

START_TEST(every_key_and_value_has_its_place) {
        static const char raw[] = "{ // comment\n"
                                  "  \"a\": [ 1, {\"x\": 2} ],\n"
                                  "  /* b */ \"b.c\"  :\n"
                                  "    \"text\",\n"
                                  "  \"q\\\"\": null,\n"
                                  "}\n";
        _cleanup_config_text_ ConfigText t = { 0 };
        _cleanup_json_ json_t *root = NULL;
        ConfigSyntaxFault fault;

        ck_assert_int_eq(config_text_parse(&t, "f", alloc_strdup(raw), strlen(raw), &root, &fault), 0);
        const ConfigPlace *top = &t.places[0], *a = config_place_member(&t, top, "a");
        check_place(&t, top, 1, 1, 1, 1);
        check_place(&t, a, 2, 3, 2, 8);
        check_place(&t, config_place_item(&t, a, 0), 2, 10, 2, 10);
        check_place(&t, config_place_member(&t, config_place_item(&t, a, 1), "x"), 2, 14, 2, 19);
        check_place(&t, config_place_member(&t, top, "b.c"), 3, 11, 4, 5);
        check_place(&t, config_place_member(&t, top, "q\""), 5, 3, 5, 10);
        ck_assert_ptr_null(config_place_member(&t, top, "b"));
        ck_assert_ptr_null(config_place_item(&t, a, 2));
        ck_assert_uint_eq(t.n_places, 7);
        ck_assert_uint_eq(json_object_size(root), 3);
}
END_TEST

static const char *const empty_cases[] = { "", " \n", "// nothing\n", "/* */", "# nothing" };

START_TEST(nothing_but_comments_is_an_empty_object) {
        _cleanup_config_text_ ConfigText t = { 0 };
        _cleanup_json_ json_t *root = NULL;
        ConfigSyntaxFault fault;
        const char *raw = empty_cases[_i];

        ck_assert_int_eq(config_text_parse(&t, "f", alloc_strdup(raw), strlen(raw), &root, &fault), 0);
        ck_assert(json_is_object(root));
        ck_assert_uint_eq(json_object_size(root), 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("config-text");
        TCase *t = tcase_create("config-text");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, blanking_keeps_every_byte_in_its_place, 0, ARRAY_SIZE(blank_cases));
        tcase_add_loop_test(t, broken_text_is_told_where_and_why, 0, ARRAY_SIZE(fault_cases));
        tcase_add_test(t, every_key_and_value_has_its_place);
        tcase_add_loop_test(t, nothing_but_comments_is_an_empty_object, 0, ARRAY_SIZE(empty_cases));
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
