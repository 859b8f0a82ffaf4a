/* Tests of ctl/cli-option: words to arguments, and the sentence about what is wrong. */
#include "ctl/cli-option.h"
#include "ctl/command.h"
#include <check.h>
#include <signal.h>

static char *words[16]; /* of the running test */

static int parse(CliArgs *a, Text *error, const char *line) {
        static char copy[256];
        int n = 0;

        ck_assert_uint_lt(strlen(line), sizeof(copy));
        memcpy(copy, line, strlen(line) + 1);
        for (char *rest = copy, *word; (word = strsep(&rest, " "));)
                words[n++] = word;
        return cli_parse(a, n, words, error);
}

static const struct {
        const char *line, *verb;
        size_t n_names, n_argv;
        uint64_t given;
} good[] = {
        {"x status", "status", 0, 0, 0},
        {"x ls web", "status", 1, 0, 0},
        {"x -q status web web/0 -o json", "status", 2, 0, OPT_BIT(OPT_QUIET) | OPT_BIT(OPT_OUTPUT)},
        {"x logs -fn5 web", "logs", 1, 0, OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_LINES)},
        {"x -f logs --lines=5 web", "logs", 1, 0, OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_LINES)},
        {"x status -- -q --", "status", 2, 0, 0},
        {"x status -", "status", 1, 0, 0},
        {"x run ls -l --all", "run", 0, 3, 0},
        {"x run -d -- ls -l", "run", 0, 2, OPT_BIT(OPT_DETACH)},
        {"x run -- -d", "run", 0, 1, 0},
        {"x add web -e A=1 -- ls -l", "add", 1, 2, OPT_BIT(OPT_ENV)},
        {"x add web ls -l", "add", 1, 2, 0},
        {"x --help", NULL, 0, 0, OPT_BIT(OPT_HELP)},
        {"x", NULL, 0, 0, 0},
};

START_TEST(words_become_arguments) {
        _cleanup_text_ Text error = {0};
        CliArgs a;

        ck_assert_int_eq(parse(&a, &error, good[_i].line), 0);
        ck_assert_uint_eq(error.length, 0);
        ck_assert(good[_i].verb ? a.command && streq(a.command->name, good[_i].verb) : !a.command);
        ck_assert_uint_eq(a.n_names, good[_i].n_names);
        ck_assert_uint_eq(a.n_argv, good[_i].n_argv);
        ck_assert_uint_eq(a.given, good[_i].given);
        cli_args_done(&a);
}
END_TEST

static const struct {
        const char *line, *says;
} bad[] = {
        {"x statsu", "did you mean \"status\""},
        {"x status --al", "did you mean --all"},
        {"x status --quiet=1", "--quiet takes no value"},
        {"x status -z", "unknown option \"-z\""},
        {"x -T", "-T wants a value: SPAN"},
        {"x --timeout", "--timeout wants a value: SPAN"},
        {"x -T never status", "no span of time"},
        {"x logs -n -1 web", "no number"},
        {"x logs -n 99999999999999999999 web", "no number"},
        {"x -o tabel status", "did you mean \"table\""},
        {"x kill -s BANG web", "no signal"},
        {"x kill -9 web", "-s 9"},
        {"x status -f", "status has no option --follow"},
        {"x run -e =1 ls", "KEY=VALUE"},
        {"x \033[2J", "unknown verb"},
};

START_TEST(what_is_wrong_is_said) {
        _cleanup_text_ Text error = {0};
        CliArgs a;

        ck_assert_int_eq(parse(&a, &error, bad[_i].line), -EINVAL);
        ck_assert_msg(error.data && strstr(error.data, bad[_i].says), "%s: %s", bad[_i].line, error.data);
        cli_args_done(&a);
}
END_TEST

START_TEST(values_are_read) {
        _cleanup_text_ Text error = {0};
        CliArgs a;

        ck_assert_int_eq(parse(&a, &error, "x -T 1.5s -o jsonl kill -s USR1 web"), 0);
        ck_assert_uint_eq(a.number[OPT_TIMEOUT], 1500000);
        ck_assert_uint_eq(a.number[OPT_OUTPUT], SHOW_JSONL);
        ck_assert_uint_eq(a.number[OPT_SIGNAL], SIGUSR1);
        cli_args_done(&a);
        ck_assert_int_eq(parse(&a, &error, "x run -e A=1 --env=B -e C= ls"), 0);
        ck_assert_uint_eq(a.n_env, 3);
        ck_assert_str_eq(a.env[1], "B");
        cli_args_done(&a);
        ck_assert_int_eq(cli_parse(&a, 0, words, &error), 0); /* argc 0 */
        cli_args_done(&a);
}
END_TEST

START_TEST(tables_are_complete) {
        uint64_t used = OPT_GLOBAL;

        for (const CliCommand *c = command_table(); c->name; c++) {
                ck_assert_ptr_nonnull(c->run);
                ck_assert_ptr_nonnull(c->summary);
                ck_assert_msg(strstr(c->help, "    ") != NULL, "%s teaches by an example", c->name);
                ck_assert_msg(strstr(c->help, c->name) != NULL, "%s's example uses it", c->name);
                ck_assert_uint_eq(c->options & OPT_GLOBAL, 0);
                ck_assert_uint_le(c->min_names, c->max_names);
                ck_assert_ptr_eq(command_find(c->name), c);
                used |= c->options;
        }
        ck_assert_uint_eq(used, OPT_BIT(_OPT_MAX) - 1); /* no option without a verb */
        for (OptionId a = 0; a < _OPT_MAX; a++) {
                ck_assert_int_eq(cli_option(a)->kind == OPTION_FLAG, cli_option(a)->value == NULL);
                ck_assert_int_eq(cli_option(a)->kind == OPTION_CHOICE, cli_option(a)->choices != NULL);
                ck_assert_int_eq(cli_option_find(cli_option(a)->name), a);
                for (OptionId b = 0; b < a; b++)
                        ck_assert(!cli_option(a)->letter || cli_option(a)->letter != cli_option(b)->letter);
        }
}
END_TEST

static const struct {
        const char *name;
        int code, status;
} errors[] = {
        {"not-found", -32001, 4},
        {"not-found", -32601, 1},
        {"denied", -32003, 5},
        {"denied", 0, 5},
        {"timeout", 0, 6},
        {"invalid", -32602, 2},
        {"no-daemon", 0, 7},
        {"disconnected", 0, 7},
        {"failed", -32005, 1},
        {"limit", -32007, 1},
        {"shutting-down", -32012, 1},
        {"protocol", 0, 1},
        {"interrupted", 0, 130},
};

START_TEST(errors_have_their_status) {
        _cleanup_call_error_ CallError e = {0};

        call_error_set(&e, errors[_i].name, "why");
        e.code = errors[_i].code;
        ck_assert_int_eq(ctl_status_of_error(&e), errors[_i].status);
}
END_TEST

START_TEST(exitcodes_have_their_status) {
        ck_assert_int_eq(ctl_status_of_exitcode(0), 0);
        ck_assert_int_eq(ctl_status_of_exitcode(255), 255);
        ck_assert_int_eq(ctl_status_of_exitcode(-9), 137);
        ck_assert_int_eq(ctl_status_of_exitcode(-64), 192);
}
END_TEST

int main(void) {
        Suite *s = suite_create("cli-option");
        TCase *t = tcase_create("cli-option");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, words_become_arguments, 0, ARRAY_SIZE(good));
        tcase_add_loop_test(t, what_is_wrong_is_said, 0, ARRAY_SIZE(bad));
        tcase_add_test(t, values_are_read);
        tcase_add_test(t, tables_are_complete);
        tcase_add_loop_test(t, errors_have_their_status, 0, ARRAY_SIZE(errors));
        tcase_add_test(t, exitcodes_have_their_status);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
