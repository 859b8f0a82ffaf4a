/* test-protocol.c - the tables agree with themselves and with the contract. */
#include "wire/protocol.h"

#include <check.h>

START_TEST(every_method_is_found_and_described) {
        const ProtocolMethod *m = &protocol_methods[_i];

        ck_assert_int_eq(protocol_method_find(m->name), _i);
        ck_assert_ptr_nonnull(m->help);
        ck_assert_ptr_null(m->params[PROTOCOL_PARAMS_MAX]);
}
END_TEST

START_TEST(unknown_methods_get_a_hint) {
        ck_assert_int_eq(protocol_method_find("statsu"), _METHOD_INVALID);
        ck_assert_str_eq(protocol_method_nearest("statsu"), "status");
        ck_assert_str_eq(protocol_method_nearest("pool.ad"), "pool.add");
        ck_assert_ptr_null(protocol_method_nearest("qqqqqqqqqq"));
}
END_TEST

static const struct {
        int code;
        const char *name;
} errors[] = {
        {-32700, "invalid"}, {-32600, "invalid"}, {-32601, "not-found"}, {-32602, "invalid"}, {-32603, "failed"},
        {-32001, "not-found"}, {-32002, "exists"}, {-32003, "denied"}, {-32004, "invalid"}, {-32005, "failed"},
        {-32006, "timeout"}, {-32007, "limit"}, {-32008, "worker-died"}, {-32009, "task-failed"}, {-32010, "cancelled"},
        {-32011, "unsupported"}, {-32012, "shutting-down"},
};

START_TEST(errors_have_names) {
        ck_assert_str_eq(protocol_error_name(errors[_i].code), errors[_i].name);
        if (errors[_i].code > -32100)
                ck_assert_int_eq(protocol_error_from_name(errors[_i].name), errors[_i].code);
}
END_TEST

START_TEST(foreign_errors_are_failures) {
        ck_assert_str_eq(protocol_error_name(1), "failed");
        ck_assert_int_eq(protocol_error_from_name("strange"), ERROR_FAILED);
}
END_TEST

int main(void) {
        Suite *s = suite_create("protocol");
        TCase *t = tcase_create("protocol");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, every_method_is_found_and_described, 0, _METHOD_MAX);
        tcase_add_test(t, unknown_methods_get_a_hint);
        tcase_add_loop_test(t, errors_have_names, 0, ARRAY_SIZE(errors));
        tcase_add_test(t, foreign_errors_are_failures);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
