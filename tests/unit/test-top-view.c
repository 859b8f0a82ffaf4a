/* Tests of what `top` shows: order, filter, the chosen row, every size of a screen; keys; CPU use; progress. */
#include "ctl/progress.h"
#include "ctl/screen.h"
#include "ctl/top-view.h"
#include "ctl/usage-book.h"
#include "base/json.h"
#include <check.h>
#include <stdio.h>

static json_t *worker(const char *name, const char *state, double cpu, double memory) {
        return json_pack("{s:s, s:s, s:s, s:b, s:i, s:f, s:f, s:f}", "name", name, "pool", "web", "state", state, "alive",
                         !strcmp(state, "running"), "pid", 7, "uptime", 10.0, "cpu_percent", cpu, "memory", memory);
}

static json_t *status_of(int n) {
        json_t *workers = json_array();
        char name[32];

        for (int i = 0; i < n; i++) {
                snprintf(name, sizeof(name), "web/%d", i);
                json_array_append_new(workers, worker(name, i == 1 ? "failed" : "running", i == 2 ? 90 : i, 1e6 * (n - i)));
        }
        return json_pack("{s:[{s:s, s:s, s:o}]}", "pools", "name", "web", "origin", "config", "workers", workers);
}

static const struct {
        TopSort sort;
        const char *filter, *first;
        size_t n;
} orders[] = {
        {TOP_BY_NAME, "", "web/0", 5},   {TOP_BY_CPU, "", "web/2", 5},   {TOP_BY_MEMORY, "", "web/0", 5},
        {TOP_BY_NAME, "FAIL", "web/1", 1}, {TOP_BY_CPU, "b/3", "web/3", 1}, {TOP_BY_CPU, "nobody", NULL, 0},
};

START_TEST(rows_are_ordered) {
        _cleanup_json_ json_t *status = status_of(5);
        TopView v = {.sort = orders[_i].sort};

        snprintf(v.filter, sizeof(v.filter), "%s", orders[_i].filter);
        ck_assert_int_eq(top_view_take(&v, status), 0);
        ck_assert_uint_eq(v.n_rows, orders[_i].n);
        if (orders[_i].first)
                ck_assert_str_eq(v.rows[0].name, orders[_i].first);
        else
                ck_assert_ptr_null(top_view_chosen(&v));
        top_view_done(&v);
}
END_TEST

START_TEST(the_chosen_one_stays) {
        _cleanup_json_ json_t *status = status_of(5), *fewer = status_of(2);
        TopView v = {0};

        ck_assert_int_eq(top_view_take(&v, status), 0);
        v.sort = TOP_BY_CPU; /* also the one that nobody chose stays: web/0 is the last now */
        ck_assert_int_eq(top_view_take(&v, status), 0);
        ck_assert_uint_eq(v.chosen, 4);
        v.sort = TOP_BY_NAME;
        ck_assert_int_eq(top_view_take(&v, status), 0);
        top_view_move(&v, -1);
        ck_assert_uint_eq(v.chosen, 0);
        top_view_move(&v, 3);
        v.sort = TOP_BY_CPU; /* 2 4 3 1 0 */
        ck_assert_int_eq(top_view_take(&v, status), 0);
        ck_assert_str_eq(json_string_value(json_object_get(top_view_chosen(&v), "name")), "web/3");
        ck_assert_uint_eq(v.chosen, 2);
        top_view_move(&v, 100);
        ck_assert_uint_eq(v.chosen, 4);
        ck_assert_int_eq(top_view_take(&v, fewer), 0);
        ck_assert_uint_lt(v.chosen, 2);
        top_view_done(&v);
}
END_TEST

/* Never more lines than there are, never wider, and the chosen row is always among them. */
START_TEST(every_size_fits) {
        _cleanup_json_ json_t *status = status_of(40);
        TopView v = {.is_color = true};

        ck_assert_int_eq(top_view_take(&v, status), 0);
        for (unsigned rows = 1; rows < 50; rows += rows < 12 ? 1 : 7)
                for (unsigned columns = 1; columns < 140; columns += columns < 30 ? 1 : 13) {
                        _cleanup_text_ Text out = {0};
                        unsigned n = 0;
                        top_view_move(&v, (long) (columns % 7) - 3);
                        top_view_put(&v, &out, status, rows, columns, 0);
                        ck_assert_int_eq(text_check(&out), 0);
                        for (const char *p = out.data; *p; n++) {
                                size_t length = strcspn(p, "\n"), width = 0;
                                for (size_t i = 0; i < length; i++)
                                        if (p[i] == '\033')
                                                i += strcspn(p + i, "m");
                                        else
                                                width++;
                                ck_assert_msg(width <= columns, "%ux%u: %zu: %.*s", columns, rows, width, (int) length, p);
                                p += length + 1;
                        }
                        ck_assert_uint_le(n, rows);
                        ck_assert_msg(strstr(out.data, "\033[7m") != NULL, "%ux%u:\n%s", columns, rows, out.data);
                }
        top_view_done(&v);
}
END_TEST

static const struct {
        const char *in, *out;
        size_t columns;
} cuts[] = {
        {"abcdef", "abc", 3}, {"\033[31mabc\033[0m", "\033[31mab\033[0m", 2}, {"\346\227\245x", "", 1}, {"\346\227\245x", "\346\227\245", 2}, {"", "", 5},
};

START_TEST(lines_are_cut) {
        _cleanup_text_ Text out = {0};

        top_line_cut(&out, cuts[_i].in, strlen(cuts[_i].in), cuts[_i].columns);
        ck_assert_str_eq(out.data ? out.data : "", cuts[_i].out);
}
END_TEST

static const struct {
        const char *bytes;
        unsigned keys[4];
} typed[] = {
        {"q", {'q'}},
        {"\033[A\033[Bj", {KEY_UP, KEY_DOWN, 'j'}},
        {"\033OA", {KEY_UP}},
        {"\033[5~\033[6~", {KEY_PAGE_UP, KEY_PAGE_DOWN}},
        {"\033", {KEY_ESCAPE}},
        {"\033[1;5C", {KEY_RIGHT}},
        {"\033[99999999999999999999~", {KEY_OTHER}},
        {"\033[", {KEY_OTHER}},
        {"\r\177\b", {KEY_ENTER, KEY_BACKSPACE, KEY_BACKSPACE}},
        {"\303\274x", {0xfc, 'x'}},
        {"\377x", {KEY_OTHER, 'x'}},
        {"\033xy", {KEY_OTHER, 'y'}},
};

START_TEST(keys_are_known) {
        const char *p = typed[_i].bytes;
        size_t n = strlen(p);

        for (size_t i = 0; typed[_i].keys[i]; i++)
                ck_assert_uint_eq(screen_key_next(&p, &n), typed[_i].keys[i]);
        ck_assert_uint_eq(screen_key_next(&p, &n), KEY_NONE);
}
END_TEST

static double use_of(UsageBook *b, int pid, double cpu, double uptime, double age, usec_t now) {
        _cleanup_json_ json_t *s = json_pack("{s:[{s:[{s:s, s:i, s:f, s:f, s:f}]}]}", "pools", "workers", "name", "a/0", "pid", pid,
                                             "cpu", cpu, "uptime", uptime, "usage_age", age);

        usage_book_add(b, s, now);
        const json_t *w = json_array_get(json_object_get(json_array_get(json_object_get(s, "pools"), 0), "workers"), 0);
        return json_real_value(json_object_get(w, "cpu_percent"));
}

START_TEST(use_is_that_between_samples) {
        UsageBook b = {0};
        const usec_t s = USEC_PER_SEC;

        ck_assert_double_eq_tol(use_of(&b, 7, 1, 100, 0, 100 * s), 1, 0.01);     /* since it began */
        ck_assert_double_eq_tol(use_of(&b, 7, 1, 100.1, 0.1, 100 * s + s / 10), 1, 0.01); /* the same sample */
        ck_assert_double_eq_tol(use_of(&b, 7, 1.5, 101, 0, 101 * s), 50, 0.01);
        ck_assert_double_eq_tol(use_of(&b, 7, 3.5, 103, 1, 103 * s), 200, 0.01);  /* 2 s of CPU in 1 s */
        ck_assert_double_eq_tol(use_of(&b, 8, 0.1, 1, 0, 104 * s), 10, 0.01);     /* another process */
        usage_book_done(&b);
}
END_TEST

static const struct {
        const char *method, *goal, *state, *said;
        int n_ready;
} waits[] = {
        {"start", NULL, "starting", "waiting for web/0: starting 3s"},
        {"start", NULL, "running", ""},
        {"stop", NULL, "running", "waiting for web/0: running 3s"},
        {"stop", NULL, "stopped", ""},
        {"wait", "exit", "running", "waiting for web/0: running 3s"},
        {"wait", "ready", "running", ""},
        {"wait", "ready", "backoff", "waiting for web/0: backoff 3s"},
        {"task.wait", NULL, "backoff", "waiting for web/0: backoff 3s"},
        {"task.wait", NULL, "backoff", "", 1}, /* another worker of the pool takes it */
        {"task.submit", NULL, "running", "", 1},
};

START_TEST(progress_names_who_is_awaited) {
        _cleanup_json_ json_t *status = json_pack("{s:[{s:i,s:[o]}]}", "pools", "ready", waits[_i].n_ready, "workers",
                                                   worker("web/0", waits[_i].state, 0, 0));
        _cleanup_text_ Text out = {0};

        progress_put(&out, status, waits[_i].method, waits[_i].goal, 3 * USEC_PER_SEC + 400000);
        ck_assert_str_eq(out.data ? out.data : "", waits[_i].said);
}
END_TEST

int main(void) {
        Suite *s = suite_create("top-view");
        TCase *t = tcase_create("all");

        tcase_add_loop_test(t, rows_are_ordered, 0, ARRAY_SIZE(orders));
        tcase_add_test(t, the_chosen_one_stays);
        tcase_add_test(t, every_size_fits);
        tcase_add_loop_test(t, lines_are_cut, 0, ARRAY_SIZE(cuts));
        tcase_add_loop_test(t, keys_are_known, 0, ARRAY_SIZE(typed));
        tcase_add_test(t, use_is_that_between_samples);
        tcase_add_loop_test(t, progress_names_who_is_awaited, 0, ARRAY_SIZE(waits));
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? 1 : 0;
}
