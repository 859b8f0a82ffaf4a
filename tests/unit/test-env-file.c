/* test-env-file.c - KEY=value lines. */
#include "base/alloc.h"
#include "config/env-file.h"
#include <check.h>
#include <stdio.h>

static const struct {
        const char *line, *key, *value; /* NULL: nothing there */
        int column;                     /* of the fault; 0: none */
} cases[] = {
        { "A=1", "A", "1", 0 },
        { "A=", "A", "", 0 },
        { "  A=1  \r", "A", "1", 0 },
        { "A= 1", "A", "1", 0 },
        { "A=b=c", "A", "b=c", 0 },
        { "A=a b # c", "A", "a b # c", 0 },
        { "export A=1", "A", "1", 0 },
        { "exported=1", "exported", "1", 0 },
        { "A='a \\ \" $b'", "A", "a \\ \" $b", 0 },
        { "A=\"a \\\"b\\\" \\\\ \\$x \\n\\t\\q\"", "A", "a \"b\" \\ $x \n\t\\q", 0 },
        { "A=\"\"", "A", "", 0 },
        { "A='x' # comment", "A", "x", 0 },
        { "", NULL, NULL, 0 },
        { "   ", NULL, NULL, 0 },
        { "# A=1", NULL, NULL, 0 },
        { "; A=1", NULL, NULL, 0 },
        { "A", NULL, NULL, 1 },
        { "=1", NULL, NULL, 1 },
        { "A =1", NULL, NULL, 3 },
        { "A='x", NULL, NULL, 3 },
        { "A=\"x\\\"", NULL, NULL, 3 },
        { "A='x'y", NULL, NULL, 6 },
};

typedef struct Seen {
        char key[64], value[64];
        int n, line, column, fault_line;
} Seen;

static int add(const char *key, const char *value, int line, void *userdata) {
        Seen *s = userdata;

        snprintf(s->key, sizeof(s->key), "%s", key);
        snprintf(s->value, sizeof(s->value), "%s", value);
        s->line = line;
        s->n++;
        return 0;
}

static void report(const EnvFileFault *fault, void *userdata) {
        Seen *s = userdata;

        s->column = fault->column;
        s->fault_line = fault->line;
}

START_TEST(lines_are_variables_comments_or_faults) {
        _cleanup_free_ char *text = alloc_printf("\n%s\n", cases[_i].line);
        Seen s = { 0 };

        ck_assert_int_eq(env_file_parse(text, add, report, &s), 0);
        ck_assert_int_eq(s.n, cases[_i].key ? 1 : 0);
        ck_assert_int_eq(s.column, cases[_i].column);
        ck_assert_int_eq(s.fault_line, cases[_i].column ? 2 : 0);
        if (cases[_i].key) {
                ck_assert_str_eq(s.key, cases[_i].key);
                ck_assert_str_eq(s.value, cases[_i].value);
                ck_assert_int_eq(s.line, 2);
        }
}
END_TEST

static int refuse(const char *key, const char *value, int line, void *userdata) {
        return -ENOMEM;
}

START_TEST(an_error_of_the_receiver_ends_it) {
        char text[] = "A=1\nB=2";
        ck_assert_int_eq(env_file_parse(text, refuse, report, NULL), -ENOMEM);
}
END_TEST

int main(void) {
        Suite *s = suite_create("env-file");
        TCase *t = tcase_create("env-file");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, lines_are_variables_comments_or_faults, 0, ARRAY_SIZE(cases));
        tcase_add_test(t, an_error_of_the_receiver_ends_it);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
