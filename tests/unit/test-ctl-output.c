/* Tests of ctl/output, ctl/table and ctl/view: what a daemon says made harmless, columns, times. */
#include "ctl/map-progress.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/view.h"
#include <check.h>

static const struct {
        const char *in, *escaped, *line;
} texts[] = {
        {"plain", "plain", "plain"},
        {"\303\274ber \342\202\254", "\303\274ber \342\202\254", "\303\274ber \342\202\254"},
        {"a\tb\nc", "a\\tb\\nc", "a\tb\\nc"},
        {"\033[31mred\033[0m", "\\x1b[31mred\\x1b[0m", "\033[31mred\033[0m"},
        {"\033[2Jx", "\\x1b[2Jx", "\\x1b[2Jx"},
        {"\033]0;t\007", "\\x1b]0;t\\x07", "\\x1b]0;t\\x07"},
        {"\033[", "\\x1b[", "\\x1b["},
        {"\302\233m", "\\xc2\\x9bm", "\\xc2\\x9bm"},               /* C1 CSI */
        {"\377\300\257", "\\xff\\xc0\\xaf", "\\xff\\xc0\\xaf"},    /* no UTF-8 */
        {"\342\200\256x", "\\xe2\\x80\\xaex", "\\xe2\\x80\\xaex"}, /* right to left */
        {"\177", "\\x7f", "\\x7f"},
        {"", "", ""},
};

START_TEST(escapes) {
        _cleanup_text_ Text a = {0}, b = {0};

        escape_append(&a, texts[_i].in);
        escape_line(&b, texts[_i].in, strlen(texts[_i].in));
        ck_assert_str_eq(a.data ? a.data : "", texts[_i].escaped);
        ck_assert_str_eq(b.data ? b.data : "", texts[_i].line);
}
END_TEST

static const struct {
        const char *text;
        size_t columns, cut_at, cut;
} widths[] = {
        {"abc", 3, 2, 2},       {"\303\274x", 2, 1, 2}, {"\346\227\245\346\234\254", 4, 3, 3},
        {"e\314\201", 1, 1, 3}, {"", 0, 5, 0},
};

START_TEST(columns) {
        ck_assert_uint_eq(text_columns(widths[_i].text), widths[_i].columns);
        ck_assert_uint_eq(text_cut(widths[_i].text, widths[_i].cut_at), widths[_i].cut);
}
END_TEST

START_TEST(json_is_harmless) {
        json_t *j = json_pack("{s:s, s:f, s:b}", "a", "\033\177\302\233\303\274", "x", 0.1, "y", 1);
        _cleanup_text_ Text t = {0};

        json_append(&t, j, false);
        ck_assert_str_eq(t.data, "{\"a\":\"\\u001B\\u007f\\u009b\303\274\",\"x\":0.1,\"y\":true}\n");
        json_decref(j);
}
END_TEST

static const struct {
        const char *in, *out; /* NULL: as it came */
} exact[] = {
        {"7", NULL}, {"-9223372036854775808", NULL}, {"0.1", NULL}, {"0.30000000000000004", NULL}, {"1e+300", NULL}, {"5e-324", "4.94065645841247e-324"},
        {"2.0", NULL}, {"-0.0", NULL}, {"100000.0", NULL}, {"null", NULL}, {"true", NULL}, {"\"\"", NULL}, {"\"a\\nb\"", NULL},
        {"[]", NULL}, {"{}", NULL}, {"[[],{},[1,[2,{\"a\":[null,false]}]],\"x\"]", NULL}, {"{\"b\":1,\"a\":{\"c\":[1.5,\"]\"]}}", NULL},
        {"\"\177\302\233\303\274\"", "\"\\u007f\\u009b\303\274\""},
};

START_TEST(values_are_exact) {
        json_t *j = json_loads(exact[_i].in, JSON_DECODE_ANY, NULL);
        _cleanup_text_ Text t = {0};

        text_append(&t, "{\"result\":");
        json_append_exact(&t, j);
        ck_assert_int_eq(text_check(&t), 0);
        t.data[t.length - 1] = 0;
        ck_assert_str_eq(t.data + strlen("{\"result\":"), exact[_i].out ? exact[_i].out : exact[_i].in);
        json_decref(j);
}
END_TEST

static const struct {
        MapProgress p;
        usec_t elapsed;
        size_t columns;
        const char *line;
} bars[] = {
        {{.n_done = 120, .n_total = SIZE_MAX}, 2 * USEC_PER_SEC, 79, "120 done  60/s  2s"},
        {{.n_done = 5, .n_failed = 2, .n_total = SIZE_MAX}, USEC_PER_SEC / 2, 79, "5 done  10/s  0s  2 failed"},
        {{.n_done = 0, .n_total = 100}, USEC_PER_SEC, 40, "  0% [---------------------]  0/100  0/s"},
        {{.n_done = 50, .n_total = 100}, 10 * USEC_PER_SEC, 79, " 50% [####################--------------------]  50/100  5/s  10s left"},
        {{.n_done = 100, .n_failed = 1, .n_total = 100}, USEC_PER_SEC, 79, "100% [########################################]  100/100  100/s  1 failed"},
        {{.n_done = 50, .n_total = 100}, 10 * USEC_PER_SEC, 30, " 50%  50/100  5/s  10s left"},
        {{.n_done = 50, .n_total = 100}, 10 * USEC_PER_SEC, 8, " 50%  50"},
        {{.n_done = 0, .n_total = 0}, 0, 79, "0 done  0/s  0s"},
};

START_TEST(bars_fit) {
        _cleanup_text_ Text t = {0};

        map_progress_put(&t, &bars[_i].p, bars[_i].elapsed, bars[_i].columns);
        ck_assert_str_eq(t.data, bars[_i].line);
        ck_assert_uint_le(t.length, bars[_i].columns);
}
END_TEST

static const TableColumn three[] = {{"NAME"}, {"N", true}, {"HIDDEN", false, 1}, {"NOTE"}};

static void fill(Table *t) {
        table_init(t, three, ARRAY_SIZE(three));
        table_cell(t, TINT_NONE, "web");
        table_cellf(t, TINT_GOOD, "%d", 7);
        table_cell(t, TINT_NONE, "h");
        table_cell(t, TINT_NONE, "a note that is long enough to be cut\n");
        for (int i = 0; i < 4; i++)
                table_cell(t, TINT_NONE, i ? NULL : "a-rather-long-name");
}

static const struct {
        unsigned width;
        bool is_wide, is_color;
        const char *out;
} tables[] = {
        {0, false, false,
         "NAME                N  NOTE\n"
         "web                 7  a note that is long enough to be cut\\n\n"
         "a-rather-long-name\n"},
        {40, false, false,
         "NAME              N  NOTE\n"
         "web               7  a note that is l...\n"
         "a-rather-long...\n"},
        {30, false, false,
         "NAME           N  NOTE\n"
         "web            7  a note th...\n"
         "a-rather-l...\n"},
        {1, true, false,
         "NAME      N  HIDDEN  NOTE\n"
         "web       7  h       a note th...\n"
         "a-rat...\n"},
        {0, true, true,
         "\033[1mNAME\033[0m                \033[1mN\033[0m  \033[1mHIDDEN\033[0m  \033[1mNOTE\033[0m\n"
         "web                 \033[32m7\033[0m  h       a note that is long enough to be cut\\n\n"
         "a-rather-long-name\n"},
};

START_TEST(table_fits) {
        _cleanup_table_ Table t = {0};
        _cleanup_text_ Text out = {0};

        fill(&t);
        table_print(&t, &out, tables[_i].width, tables[_i].is_wide, tables[_i].is_color);
        ck_assert_str_eq(out.data, tables[_i].out);
}
END_TEST

START_TEST(empty_columns_make_room) {
        _cleanup_table_ Table t = {0};
        _cleanup_text_ Text out = {0};

        table_init(&t, three, ARRAY_SIZE(three));
        for (int i = 0; i < 2; i++) {
                table_cell(&t, TINT_NONE, "web");
                table_cell(&t, TINT_NONE, "-");
                table_cell(&t, TINT_NONE, i ? "-" : "h");
                table_cell(&t, TINT_NONE, "a note");
        }
        table_print(&t, &out, 23, true, false);
        table_print(&t, &out, 22, true, false);
        ck_assert_str_eq(out.data, "NAME  N  HIDDEN  NOTE\nweb   -  h       a note\nweb   -  -       a note\n"
                                   "NAME  HIDDEN  NOTE\nweb   h       a note\nweb   -       a note\n");
}
END_TEST

static const struct {
        const char *text;
        usec_t time;
} times[] = {
        {"1970-01-01T00:00:00.000Z", 0},
        {"1970-01-01T00:00:01.500Z", 1500000},
        {"2026-01-02T03:04:05.678Z", 1767323045678000},
        {"2024-02-29T23:59:59Z", 1709251199000000},
        {"2026-01-02T03:04:05.678", 0},
        {"2026-13-02T03:04:05.678Z", 0},
        {"2026-01-02T03:04:nanZ", 0},
        {"", 0},
        {"yesterday", 0},
};

START_TEST(times_are_read) {
        ck_assert_uint_eq(view_time(times[_i].text), times[_i].time);
}
END_TEST

START_TEST(odd_json_does_no_harm) {
        static const char *const odd[] = {
                "null",
                "7",
                "[]",
                "{}",
                "{\"name\":7,\"workers\":7}",
                "{\"workers\":[null,7,{\"last_exit\":[]}]}",
                "{\"uptime\":-1,\"cpu\":1e308,\"memory\":1e308,\"alive\":true,\"state\":\"failed\"}"};
        for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
                json_t *j = json_loads(odd[i], JSON_DECODE_ANY, NULL);
                _cleanup_table_ Table p = {0}, w = {0};
                _cleanup_text_ Text t = {0};

                table_init(&p, view_pool_columns, VIEW_POOL_COLUMNS);
                table_init(&w, view_worker_columns, VIEW_WORKER_COLUMNS);
                view_pool_row(&p, j, 1);
                view_worker_row(&w, j, 1);
                table_print(&p, &t, 80, false, false);
                table_print(&w, &t, 80, true, true);
                view_put_pool(&t, j, j, 1, 80, true);
                view_put_worker(&t, j, j, 1, false);
                ck_assert_int_eq(text_check(&t), 0);
                json_decref(j);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("ctl-output");
        TCase *t = tcase_create("ctl-output");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, escapes, 0, ARRAY_SIZE(texts));
        tcase_add_loop_test(t, columns, 0, ARRAY_SIZE(widths));
        tcase_add_test(t, json_is_harmless);
        tcase_add_loop_test(t, values_are_exact, 0, ARRAY_SIZE(exact));
        tcase_add_loop_test(t, bars_fit, 0, ARRAY_SIZE(bars));
        tcase_add_loop_test(t, table_fits, 0, ARRAY_SIZE(tables));
        tcase_add_test(t, empty_columns_make_room);
        tcase_add_loop_test(t, times_are_read, 0, ARRAY_SIZE(times));
        tcase_add_test(t, odd_json_does_no_harm);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
