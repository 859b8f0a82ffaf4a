/* test-frame.c - lines, however the bytes are cut. */
#include "wire/frame.h"

#include <check.h>

#define LINE_MAX_TEST 8

static const struct {
        const char *in, *out; /* lines joined by '|', "!" for one that is too long */
} cases[] = {
        {"a\nbc\n", "a|bc|"},
        {"\n\n\r\na\r\n\n", "a|"},
        {"12345678\n123456789\nx\n", "12345678|!x|"},
        {"123456789012345678901234567890\nx\n", "!x|"},
        {"1234567\r\n12345678\r\nx\n", "1234567|!x|"},
        {"open", ""},
        {"toolongandopen", "!"},
        {"", ""},
};

/* Feeds @in in pieces of @step bytes through a buffer as a connection would. */
static void cut(const char *in, size_t step, char *out) {
        FrameCutter f = {.line_max = LINE_MAX_TEST};
        char buffer[64];
        size_t held = 0, n = strlen(in);

        *out = 0;
        for (size_t at = 0; at < n; at += step) {
                size_t piece = MIN(step, n - at);
                int r;

                memcpy(buffer + held, in + at, piece);
                held += piece;
                do {
                        const char *line = NULL;
                        size_t length = 0, consumed = SIZE_MAX;

                        r = frame_next(&f, buffer, held, &line, &length, &consumed);
                        ck_assert_uint_le(consumed, held);
                        if (r > 0) {
                                strncat(out, line, length);
                                strcat(out, "|");
                        } else if (r < 0) {
                                ck_assert_int_eq(r, -EMSGSIZE);
                                strcat(out, "!");
                        }
                        memmove(buffer, buffer + consumed, held - consumed);
                        held -= consumed;
                } while (r != 0);
                ck_assert_uint_le(held, LINE_MAX_TEST);
        }
}

START_TEST(lines_do_not_depend_on_the_pieces) {
        char out[128];

        for (size_t step = 1; step <= 40; step++) {
                cut(cases[_i].in, step, out);
                ck_assert_str_eq(out, cases[_i].out);
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("frame");
        TCase *t = tcase_create("frame");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, lines_do_not_depend_on_the_pieces, 0, ARRAY_SIZE(cases));
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
