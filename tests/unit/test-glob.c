/* test-glob.c - patterns: what matches, the same words as fnmatch(3), and no pattern that takes long. */
#include "base/glob.h"

#include <check.h>
#include <fnmatch.h>
#include <stdio.h>

static const struct {
        const char *glob, *text;
        bool plain, path;
} cases[] = {
        {"", "", true, true},          {"", "a", false, false},        {"a", "", false, false},
        {"web", "web", true, true},    {"web", "webs", false, false},  {"*", "", true, true},
        {"*", "web", true, true},      {"*", "web/0", true, false},    {"*/*", "web/0", true, true},
        {"web/*", "web/12", true, true}, {"w*/0", "web/0", true, true}, {"*b*", "aabaa", true, true},
        {"a*b*c", "a-b-b-c", true, true}, {"a*b*c", "a-b-b-", false, false}, {"**a", "bbba", true, true},
        {"?", "a", true, true},        {"?", "", false, false},        {"web?0", "web/0", true, false},
        {"[ab]x", "bx", true, true},   {"[!ab]x", "bx", false, false}, {"[^ab]x", "cx", true, true},
        {"[a-c]", "b", true, true},    {"[a-c]", "d", false, false},   {"[]]", "]", true, true},
        {"[!]]", "]", false, false},   {"[a-]", "-", true, true},      {"web[/]0", "web/0", true, false},
        {"\\*", "*", true, true},      {"\\*", "a", false, false},     {"a\\?b", "a?b", true, true},
        {"*x/*y", "x/y", true, true},  {"*x/*y", "axx/byy", true, true}, {"*x/*y", "ax/b/y", true, false},
        {"worker.*", "worker.exited", true, true}, {"*.exited", "worker.exited", true, true},
};

START_TEST(test_case) {
        ck_assert_msg(glob_match(cases[_i].glob, cases[_i].text, 0) == cases[_i].plain, "%s %s", cases[_i].glob, cases[_i].text);
        ck_assert_msg(glob_match(cases[_i].glob, cases[_i].text, GLOB_PATH) == cases[_i].path, "%s %s, path", cases[_i].glob,
                      cases[_i].text);
}
END_TEST

/* Every pattern and every text of up to four letters of a small alphabet, against fnmatch(3). */
static void spell(char *buf, unsigned n, const char *alphabet) {
        size_t base = strlen(alphabet) + 1;

        for (; n > 0; n /= (unsigned) base)
                if (n % base > 0)
                        *buf++ = alphabet[n % base - 1];
        *buf = 0;
}

START_TEST(test_as_fnmatch) {
        for (unsigned g = 0; g < 7 * 7 * 7 * 7; g++)
                for (unsigned t = 0; t < 4 * 4 * 4 * 4; t++) {
                        char glob[8], text[8];

                        spell(glob, g, "*?ab/*");
                        spell(text, t, "ab/");
                        ck_assert_msg(glob_match(glob, text, 0) == (fnmatch(glob, text, 0) == 0), "%s %s", glob, text);
                        ck_assert_msg(glob_match(glob, text, GLOB_PATH) == (fnmatch(glob, text, FNM_PATHNAME) == 0), "%s %s, path",
                                      glob, text);
                }
}
END_TEST

/* Would be days with fnmatch(3). */
START_TEST(test_hostile) {
        char glob[64] = "", text[64];

        for (int i = 0; i < 30; i++)
                (void) strcat(glob, "*a");
        (void) strcat(glob, "*b");
        memset(text, 'a', 63);
        text[63] = 0;
        for (int i = 0; i < 10000; i++)
                ck_assert(!glob_match(glob, text, 0));
        ck_assert(!glob_match("[", "a", 0) && glob_match("[", "[", 0) && glob_match("[a", "[a", 0) && !glob_match("[a-", "a", 0));
        ck_assert(!glob_match("[a\\", "a", 0) && !glob_match("\\", "a", 0) && glob_match("\\", "\\", 0));
}
END_TEST

int main(void) {
        Suite *s = suite_create("glob");
        TCase *t = tcase_create("glob");
        SRunner *r;
        int failed;

        tcase_add_loop_test(t, test_case, 0, ARRAY_SIZE(cases));
        tcase_add_test(t, test_as_fnmatch);
        tcase_add_test(t, test_hostile);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed != 0;
}
