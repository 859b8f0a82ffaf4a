/* test-log-format.c - lines as they stand in formatted files, and back. */
#include "logger/log-format.h"
#include <check.h>
#include <stdio.h>

#define T "2026-01-02T03:04:05.678901Z"
#define J "{\"time\":\"" T "\",\"worker\":\"web/0\",\"stream\":"

static const LogStyle raw = {.worker = "web/0"}, timed = {.worker = "web/0", .has_timestamps = true},
                      json = {.worker = "web/0", .format = LOG_FORMAT_JSON};

static usec_t some_time(void) {
        usec_t t;
        ck_assert_int_eq(time_parse(T, &t), 0);
        return t;
}

static const struct {
        const LogStyle *style;
        const char *data;
        bool is_cut;
        const char *text;
} forms[] = {
        {&timed, "one\n", false, T " one\n"},
        {&timed, "\n", false, T " \n"},
        {&timed, "one\ntwo\n", false, T " one\n" T " two\n"},
        {&timed, "one\nhalf\n", true, T " one\n" T " half" LOG_CUT_MARK "\n"},
        {&timed, "\xff\xfe\x01\n", false, T " \xff\xfe\x01\n"},
        {&json, "one\n", false, J "\"stdout\",\"line\":\"one\"}\n"},
        {&json, "\n", false, J "\"stdout\",\"line\":\"\"}\n"},
        {&json, "\"q\\\t\x01\n", false, J "\"stdout\",\"line\":\"\\\"q\\\\\\t\\u0001\"}\n"},
        {&json, "a\xff" "b\n", false, J "\"stdout\",\"line\":\"a\xef\xbf\xbd" "b\"}\n"},
        {&json, "half\n", true, J "\"stdout\",\"line\":\"half\",\"is_continued\":true}\n"},
};

START_TEST(form) {
        Text out = {};
        LogChunk c = {.data = (const uint8_t *) forms[_i].data, .n = strlen(forms[_i].data), .is_cut = forms[_i].is_cut,
                      .stream = LOG_STREAM_STDOUT, .time = some_time()};
        ck_assert_uint_eq(log_format(forms[_i].style, &c, SIZE_MAX, &out), c.n);
        ck_assert_str_eq(out.data, forms[_i].text);
        text_done(&out);
}
END_TEST

/* As many lines as fit, one at least. */
START_TEST(bounded) {
        Text out = {};
        LogChunk c = {.data = (const uint8_t *) "one\ntwo\nthree\n", .n = 14, .stream = LOG_STREAM_STDOUT, .time = some_time()};
        ck_assert_uint_eq(log_format(&timed, &c, 0, &out), 4);
        text_clear(&out);
        ck_assert_uint_eq(log_format(&timed, &c, 64, &out), 8);
        ck_assert_uint_eq(out.length, 64);
        text_clear(&out);
        ck_assert_uint_eq(log_format(&timed, &c, 63, &out), 4);
        text_done(&out);
}
END_TEST

/* A line of any length comes back, in pieces of LOGGER_LINE_MAX at most, cut between characters. */
static const struct {
        const char *unit;
        size_t n_bytes;
} huge[] = {
        {"x", LOGGER_LINE_MAX - 1}, {"x", LOGGER_LINE_MAX}, {"x", LOGGER_LINE_MAX + 1}, {"x", 200000},
        {"\xe2\x82\xac", 50001},    {"\xff", 65536},        {"\x01", 65535},            {"\xf0\x9f\x98\x80", 40000},
};

START_TEST(huge_lines) {
        static uint8_t line[200001];
        size_t n_unit = strlen(huge[_i].unit), n = huge[_i].n_bytes, n_back = 0;
        for (int is_json = 0; is_json < 2; is_json++) {
                const LogStyle *s = is_json ? &json : &timed;
                Text out = {}, plain = {};
                for (size_t i = 0; i < n; i++)
                        line[i] = (uint8_t) huge[_i].unit[i % n_unit];
                line[n] = '\n';
                LogChunk c = {.data = line, .n = n + 1, .stream = LOG_STREAM_STDERR, .time = some_time()};
                ck_assert_uint_eq(log_format(s, &c, SIZE_MAX, &out), n + 1);
                n_back = 0;
                for (char *p = out.data, *end; *p; p = end + 1) {
                        LoggerLine l = {};
                        bool is_mine;
                        end = strchr(p, '\n');
                        ck_assert_uint_le((size_t) (end - p), LOG_FORMAT_LINE_MAX);
                        ck_assert(log_format_parse(s, (uint8_t *) p, (size_t) (end - p), &plain, &l, &is_mine));
                        ck_assert(is_mine);
                        ck_assert_uint_eq(l.time_usec, some_time());
                        bool is_last = end[1] == '\0';
                        ck_assert_int_eq(is_json ? !l.is_continued : !strstr(plain.data, LOG_CUT_MARK), is_last);
                        n_back += plain.length - (is_json || is_last ? 0 : strlen(LOG_CUT_MARK));
                        if (!is_json && n_unit > 1) /* no half character */
                                ck_assert_uint_gt(utf8_sequence(plain.data, plain.length), 0);
                }
                ck_assert_uint_eq(n_back, is_json && huge[_i].unit[0] == '\xff' ? 3 * n : n);
                text_done(&out);
                text_done(&plain);
        }
}
END_TEST

static const struct {
        const LogStyle *style;
        const char *line, *plain; /* NULL: it is not in this style */
        uint32_t stream;
        bool is_mine, is_continued;
} parses[] = {
        {&timed, T " one", "one", 0, true, false},
        {&timed, T " ", "", 0, true, false},
        {&timed, T, NULL, 0, 0, 0},
        {&timed, "2026-01-02T03:04:05.678901+ one", NULL, 0, 0, 0},
        {&timed, "one", NULL, 0, 0, 0},
        {&timed, "", NULL, 0, 0, 0},
        {&json, J "\"stderr\",\"line\":\"a\\u0001\\n\\\"\\/\"}", "a\x01\n\"/", LOG_STREAM_STDERR, true, false},
        {&json, J "\"stdout\",\"line\":\"a\",\"is_continued\":true}", "a", LOG_STREAM_STDOUT, true, true},
        {&json, "{\"time\":\"" T "\",\"worker\":\"web/1\",\"stream\":\"stdout\",\"line\":\"a\"}", "a", LOG_STREAM_STDOUT, false, false},
        {&json, "{\"time\":\"" T "\",\"worker\":\"\",\"stream\":\"stdout\",\"line\":\"a\"}", "a", LOG_STREAM_STDOUT, false, false},
        {&json, J "\"stdout\",\"line\":\"a\"} ", NULL, 0, 0, 0},
        {&json, J "\"stdout\",\"line\":\"a\"", NULL, 0, 0, 0},
        {&json, J "\"stdout\",\"line\":\"a", NULL, 0, 0, 0},
        {&json, J "\"stdout\",\"line\":\"a\\", NULL, 0, 0, 0},
        {&json, J "\"stdout\",\"line\":\"a\\x\"}", NULL, 0, 0, 0},
        {&json, J "\"stdout\",\"line\":\"\\u00e4\"}", NULL, 0, 0, 0}, /* never written so */
        {&json, J "\"stdout\",\"line\":\"\\u00", NULL, 0, 0, 0},
        {&json, J "\"stdin\",\"line\":\"a\"}", NULL, 0, 0, 0},
        {&json, J, NULL, 0, 0, 0},
        {&json, "{}", NULL, 0, 0, 0},
        {&json, "", NULL, 0, 0, 0},
};

START_TEST(parse) {
        Text out = {};
        LoggerLine l = {};
        bool is_mine;
        char *exact = strdup(parses[_i].line); /* so that a sanitizer sees a byte too far */
        bool is_parsed = log_format_parse(parses[_i].style, (uint8_t *) exact, strlen(exact), &out, &l, &is_mine);
        ck_assert_int_eq(is_parsed, parses[_i].plain != NULL);
        if (is_parsed) {
                ck_assert_str_eq(out.data ? out.data : "", parses[_i].plain);
                ck_assert_uint_eq(l.n_bytes, strlen(parses[_i].plain));
                ck_assert_uint_eq(l.stream, parses[_i].stream);
                ck_assert_int_eq(is_mine, parses[_i].is_mine);
                ck_assert_int_eq(l.is_continued, parses[_i].is_continued);
        }
        free(exact);
        text_done(&out);
}
END_TEST

static const struct {
        const char *head;
        LogForm form;
} guesses[] = {
        {"", LOG_FORM_RAW}, {"any text", LOG_FORM_RAW}, {T " one", LOG_FORM_TIMED}, {T, LOG_FORM_RAW}, {T "x", LOG_FORM_RAW},
        {J, LOG_FORM_JSON}, {"{\"time\":\"now\",\"worker\":\"", LOG_FORM_RAW}, {"{\"time\":\"" T "\"", LOG_FORM_RAW},
};

START_TEST(guess) {
        ck_assert_int_eq(log_form_guess((const uint8_t *) guesses[_i].head, strlen(guesses[_i].head)), guesses[_i].form);
        ck_assert_int_eq(log_style_form(&raw), LOG_FORM_RAW);
        ck_assert_int_eq(log_style_form(&timed), LOG_FORM_TIMED);
        ck_assert_int_eq(log_style_form(&json), LOG_FORM_JSON);
}
END_TEST

static const struct {
        const char *data;
        size_t whole;
} wholes[] = {
        {"a", 1}, {"abc", 3}, {"a\xc3\xa4", 3}, {"a\xc3", 1}, {"a\xe2\x82", 1}, {"a\xe2\x82\xac", 4}, {"a\xf0\x9f\x98", 1},
        {"\xc3", 1}, {"\x80\x80\x80\x80", 4}, {"a\xff", 1}, {"ab\xff" "c", 4},
};

START_TEST(whole) {
        ck_assert_uint_eq(log_format_whole((const uint8_t *) wholes[_i].data, strlen(wholes[_i].data)), wholes[_i].whole);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-format");
        TCase *t = tcase_create("log-format");
        tcase_add_loop_test(t, form, 0, ARRAY_SIZE(forms));
        tcase_add_test(t, bounded);
        tcase_add_loop_test(t, huge_lines, 0, ARRAY_SIZE(huge));
        tcase_add_loop_test(t, parse, 0, ARRAY_SIZE(parses));
        tcase_add_loop_test(t, guess, 0, ARRAY_SIZE(guesses));
        tcase_add_loop_test(t, whole, 0, ARRAY_SIZE(wholes));
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
