/* test-json.c - the guard's count against jansson's tree, bounds, unpacking by table. */
#include "base/json.h"

#include <check.h>

static size_t count(const json_t *j) {
        size_t n = 1, i;
        const char *key;
        json_t *v;

        json_array_foreach((json_t *) j, i, v)
                n += count(v);
        json_object_foreach((json_t *) j, key, v)
                n += count(v);
        return n;
}

static const char *const texts[] = {
        "1", "\"a\"", "{}", "[]", "[1,2,3]", "{\"a\":1,\"b\":[{},{}]}", "[[[[[]]]]]", " { \"k\\\"\" : \"v,[{\" } ",
        "[true,false,null,-1.5e3,\"\\\\\"]", "{\"a\":{\"b\":{\"c\":\"d\"}}}", "[\"\\\\\\\"\",1]", "[ 1 , 2\t,\n3 ]",
};

START_TEST(guard_counts_what_jansson_builds) {
        JsonLimits limits = {.max_bytes = 1000, .max_nodes = 1000, .max_depth = 100};
        _cleanup_json_ json_t *j = NULL;
        JsonFault fault = {0};
        size_t size = strlen(texts[_i]);
        json_t *none = NULL;

        ck_assert_int_eq(json_load_bounded(texts[_i], size, &limits, &j, &fault), 0);
        limits.max_nodes = count(j);
        ck_assert_int_eq(json_guard(texts[_i], size, &limits, &fault), 0);
        limits.max_nodes--;
        ck_assert_int_eq(json_load_bounded(texts[_i], size, &limits, &none, &fault), -E2BIG);
        ck_assert_ptr_null(none);
}
END_TEST

static const struct {
        const char *text;
        int r, line, column;
} faults[] = {
        {"", -EBADMSG, 1, 0}, {"{", -EBADMSG, 1, 0}, {"[1,]", -EBADMSG, 1, 4}, {"{\"a\":1,\"a\":2}", -EBADMSG, 1, 0},
        {"nul", -EBADMSG, 1, 0}, {"1 2", -EBADMSG, 1, 0}, {"NaN", -EBADMSG, 1, 0}, {"\"\\u0000\"", -EBADMSG, 1, 0},
        {"\"\xff\"", -EBADMSG, 0, 0}, {"::::", -EBADMSG, 1, 0}, {"]]]", -EBADMSG, 1, 0}, {"\"open", -EBADMSG, 1, 0},
        {"[\n [[[", -ELOOP, 2, 4}, {"[1,1,\n1,1,1,1,1,1]", -E2BIG, 2, 5}, {"99999999999999999999", -EBADMSG, 1, 0},
        {"12345678901234567890123456789012345678901", -E2BIG, 1, 1},
};

START_TEST(faults_have_a_place) {
        static const JsonLimits limits = {.max_bytes = 40, .max_nodes = 5, .max_depth = 3};
        JsonFault fault = {0};
        json_t *j = NULL;

        ck_assert_msg(json_load_bounded(faults[_i].text, strlen(faults[_i].text), &limits, &j, &fault) == faults[_i].r, "%s",
                      faults[_i].text);
        ck_assert_ptr_null(j);
        ck_assert_str_ne(fault.text, "");
        if (faults[_i].column > 0) {
                ck_assert_int_eq(fault.line, faults[_i].line);
                ck_assert_int_eq(fault.column, faults[_i].column);
        }
}
END_TEST

START_TEST(a_cut_text_is_never_read_past_its_end) {
        static const char text[] = "{\"key\\\"\": [\"va\\\\lue\", {\"x\": -1.5e+10}, true]}";
        static const JsonLimits limits = {.max_bytes = 100, .max_nodes = 100, .max_depth = 10};

        for (size_t n = 0; n <= strlen(text); n++) {
                char *exact = malloc(n + (n == 0)); /* so that a sanitizer sees one byte too many */
                JsonFault fault = {0};
                json_t *j = NULL;
                int r;

                memcpy(exact, text, n);
                r = json_load_bounded(exact, n, &limits, &j, &fault);
                ck_assert_int_eq(r, n == strlen(text) ? 0 : -EBADMSG);
                json_decref(j);
                free(exact);
        }
}
END_TEST

typedef struct Target {
        const char *name;
        bool flag;
        int64_t number;
        usec_t timeout;
        int sig;
        json_t *any, *list, *object, *strings;
} Target;

static const JsonField fields[] = {
        {"name", JSON_FIELD_STRING, offsetof(Target, name), .required = true},
        {"flag", JSON_FIELD_BOOL, offsetof(Target, flag)},
        {"number", JSON_FIELD_I64, offsetof(Target, number), .min = 1, .max = 10},
        {"timeout", JSON_FIELD_SPAN, offsetof(Target, timeout)},
        {"signal", JSON_FIELD_SIGNAL, offsetof(Target, sig)},
        {"any", JSON_FIELD_VALUE, offsetof(Target, any)},
        {"list", JSON_FIELD_ARRAY, offsetof(Target, list)},
        {"object", JSON_FIELD_OBJECT, offsetof(Target, object)},
        {"strings", JSON_FIELD_STRINGS, offsetof(Target, strings)},
        {0},
};

START_TEST(fields_are_unpacked) {
        _cleanup_json_ json_t *o = json_loads("{\"name\":\"x\",\"flag\":true,\"number\":10,\"timeout\":1.5,\"signal\":\"HUP\","
                                              "\"any\":null,\"list\":[],\"object\":{},\"strings\":[\"a\"]}", 0, NULL);
        Target t = {0};
        JsonFault fault = {0};

        ck_assert_int_eq(json_unpack_fields(o, fields, &t, &fault), 0);
        ck_assert_str_eq(t.name, "x");
        ck_assert(t.flag);
        ck_assert_int_eq(t.number, 10);
        ck_assert_uint_eq(t.timeout, 1500000);
        ck_assert_int_eq(t.sig, 1);
        ck_assert(json_is_null(t.any) && json_is_array(t.list) && json_is_object(t.object) && json_is_array(t.strings));
}
END_TEST

START_TEST(absent_and_null_fields_are_left_alone) {
        _cleanup_json_ json_t *o = json_loads("{\"name\":\"x\",\"timeout\":null}", 0, NULL);
        Target t = {.timeout = 7, .number = 8};
        JsonFault fault = {0};

        ck_assert_int_eq(json_unpack_fields(o, fields, &t, &fault), 0);
        ck_assert_uint_eq(t.timeout, 7);
        ck_assert_int_eq(t.number, 8);
}
END_TEST

static const struct {
        const char *text, *fault;
} bad[] = {
        {"[]", "an object is wanted"},
        {"{}", "\"name\" is missing: a string"},
        {"{\"name\":null}", "\"name\" is missing: a string"},
        {"{\"name\":1}", "\"name\" must be a string"},
        {"{\"name\":\"x\",\"nubmer\":1}", "unknown \"nubmer\"; did you mean \"number\"?"},
        {"{\"name\":\"x\",\"zzzzzzzz\":1}", "unknown \"zzzzzzzz\"; there is name, flag, number, timeout, signal, any, list, object, strings"},
        {"{\"name\":\"x\",\"number\":11}", "\"number\" must be from 1 to 10"},
        {"{\"name\":\"x\",\"number\":1.5}", "\"number\" must be an integer"},
        {"{\"name\":\"x\",\"timeout\":-1}", "\"timeout\" must be a duration like \"10s\" or a number of seconds"},
        {"{\"name\":\"x\",\"timeout\":1e300}", "\"timeout\" must be a duration like \"10s\" or a number of seconds in range"},
        {"{\"name\":\"x\",\"signal\":0}", "\"signal\" must be a signal like \"TERM\" or a number from 1 to 64"},
        {"{\"name\":\"x\",\"strings\":[1]}", "\"strings\" must be a string or an array of strings"},
        {"{\"name\":\"x\",\"flag\":1}", "\"flag\" must be true or false"},
};

START_TEST(the_first_bad_field_is_named) {
        _cleanup_json_ json_t *o = json_loads(bad[_i].text, 0, NULL);
        Target t = {.number = 5}, before = t;
        JsonFault fault = {0};

        ck_assert_int_eq(json_unpack_fields(o, fields, &t, &fault), -EINVAL);
        ck_assert_str_eq(fault.text, bad[_i].fault);
        ck_assert_mem_eq(&t, &before, sizeof(t));
}
END_TEST

START_TEST(sizes_are_numbers_or_text) {
        _cleanup_json_ json_t *text = json_string("64M"), *number = json_integer(5), *negative = json_integer(-5), *real = json_real(1);
        uint64_t v = 0;

        ck_assert_int_eq(json_size(text, &v), 0);
        ck_assert_uint_eq(v, 64 << 20);
        ck_assert_int_eq(json_size(number, &v), 0);
        ck_assert_uint_eq(v, 5);
        ck_assert_int_eq(json_size(negative, &v), -ERANGE);
        ck_assert_int_eq(json_size(real, &v), -EINVAL);
}
END_TEST

static size_t countdown;

static void *failing_malloc(size_t size) {
        return countdown > 0 && --countdown == 0 ? NULL : malloc(size);
}

START_TEST(each_allocation_of_the_parser_can_fail) {
        static const char text[] = "{\"a\":[1,2.5,\"x\",{\"b\":null}],\"c\":true}";
        static const JsonLimits limits = {.max_bytes = 100, .max_nodes = 100, .max_depth = 10};
        json_t *j = NULL;

        json_set_alloc_funcs(failing_malloc, free);
        for (size_t n = 1; !j; n++) {
                JsonFault fault = {0};
                int r;

                countdown = n;
                r = json_load_bounded(text, strlen(text), &limits, &j, &fault);
                ck_assert(r == 0 || (!j && (r == -ENOMEM || r == -EBADMSG))); /* jansson does not always tell */
                ck_assert_uint_lt(n, 1000);
        }
        countdown = 0;
        json_decref(j);
        json_set_alloc_funcs(malloc, free);
}
END_TEST

START_TEST(nothing_hides_behind_a_nul) {
        static const JsonLimits limits = {.max_bytes = 40, .max_nodes = 5, .max_depth = 3};
        static const char text[] = "{}\0 rubbish";
        JsonFault fault = {0};
        json_t *j = NULL;

        ck_assert_int_eq(json_load_bounded(text, sizeof(text) - 1, &limits, &j, &fault), -EBADMSG);
        ck_assert_ptr_null(j);
        ck_assert_int_eq(fault.column, 3);
        ck_assert_str_eq(fault.text, "a NUL byte");
}
END_TEST

static const char *const values[] = {
        "{}", "[]", "null", "true", "false", "0", "-9223372036854775808", "1.5", "-1e300", "0.1", "\"\"", "[[],{},[1,[2]],\"a,b\"]",
        "{\"b\":1,\"a\":{\"x\":[true,null,\"{\"]},\"k\\\"ey\\n\":\"v\"}",
        "\"quote \\\" back \\\\ nul \\u0000 bell \\u0007 tab \\t \xc3\xa4 \xf0\x9f\x90\xbe / \"",
};

/* The very value, and no other bytes than a reader of one line takes. */
START_TEST(a_value_is_written_as_it_was_read) {
        _cleanup_json_ json_t *v = json_loads(values[_i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *again = NULL;
        _cleanup_text_ Text t = {0}, member = {0};

        ck_assert_ptr_nonnull(v);
        json_put_value(&t, NULL, v);
        ck_assert_int_eq(text_check(&t), 0);
        again = json_loads(t.data, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        ck_assert(json_equal(v, again));
        ck_assert_ptr_null(strchr(t.data, '\n'));
        json_put_object(&member, NULL);
        json_put_value(&member, "first", v);
        json_put_value(&member, "second", v);
        json_end_object(&member);
        {
                _cleanup_json_ json_t *o = json_loads(member.data, JSON_ALLOW_NUL, NULL);

                ck_assert_uint_eq(json_object_size(o), 2);
                ck_assert(json_equal(json_object_get(o, "first"), v));
                ck_assert(json_equal(json_object_get(o, "second"), v));
        }
}
END_TEST

/* Whichever way it is written. */
START_TEST(a_value_is_appended_as_it_is) {
        _cleanup_json_ json_t *v = json_loads(values[_i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *again = NULL;
        _cleanup_text_ Text t = {0};
        int r;

        text_append(&t, "{\"a\":");
        ck_assert_int_eq(json_dump_append(&t, v, JSON_COMPACT | JSON_ENCODE_ANY), 0);
        text_append(&t, ",\"b\": ");
        r = json_dump_append(&t, v, JSON_COMPACT);
        ck_assert_int_eq(r, json_is_object(v) || json_is_array(v) ? 0 : -EINVAL);
        text_append(&t, r < 0 ? "0}" : "}");
        again = json_loads(t.data, JSON_ALLOW_NUL, NULL);
        ck_assert(json_equal(json_object_get(again, "a"), v));
        ck_assert(r < 0 || json_equal(json_object_get(again, "b"), v));
}
END_TEST

START_TEST(what_is_no_value_is_not_appended) {
        _cleanup_json_ json_t *inner = json_array(), *o = json_pack("{s:[O]}", "loop", inner), *faulty = json_object();
        _cleanup_text_ Text t = {0};

        text_append(&t, "[");
        ck_assert_int_eq(json_array_append(inner, o), 0);
        ck_assert_int_eq(json_dump_append(&t, o, JSON_COMPACT), -EINVAL);
        (void) json_array_clear(inner);
        (void) json_object_set_new(faulty, "x", json_string_nocheck("\xff"));
        ck_assert_int_eq(json_dump_append(&t, faulty, JSON_COMPACT), -EINVAL);
        ck_assert_str_eq(t.data, "[");
}
END_TEST

START_TEST(no_value_is_a_failure) {
        _cleanup_text_ Text t = {0};

        json_put_value(&t, "key", NULL);
        ck_assert_int_eq(text_check(&t), -ENOMEM);
}
END_TEST

int main(void) {
        Suite *s = suite_create("json");
        TCase *t = tcase_create("json");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, guard_counts_what_jansson_builds, 0, ARRAY_SIZE(texts));
        tcase_add_test(t, nothing_hides_behind_a_nul);
        tcase_add_loop_test(t, faults_have_a_place, 0, ARRAY_SIZE(faults));
        tcase_add_test(t, a_cut_text_is_never_read_past_its_end);
        tcase_add_test(t, fields_are_unpacked);
        tcase_add_test(t, absent_and_null_fields_are_left_alone);
        tcase_add_loop_test(t, the_first_bad_field_is_named, 0, ARRAY_SIZE(bad));
        tcase_add_test(t, sizes_are_numbers_or_text);
        tcase_add_test(t, each_allocation_of_the_parser_can_fail);
        tcase_add_loop_test(t, a_value_is_written_as_it_was_read, 0, ARRAY_SIZE(values));
        tcase_add_test(t, no_value_is_a_failure);
        tcase_add_loop_test(t, a_value_is_appended_as_it_is, 0, ARRAY_SIZE(values));
        tcase_add_test(t, what_is_no_value_is_not_appended);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
