/* test-address.c - addresses as text: forms, bounds, what overlaps. */
#include "config/address.h"
#include <check.h>

static const struct {
        const char *text, *shown; /* NULL: refused */
        int error;
} parse_cases[] = {
        { "127.0.0.1:80", "127.0.0.1:80", 0 },
        { "localhost:80", "127.0.0.1:80", 0 },
        { "[::1]:65535", "[::1]:65535", 0 },
        { "[0:0::0]:1", "[::]:1", 0 },
        { "/run/x.sock", "/run/x.sock", 0 },
        { "127.0.0.1:0", NULL, -ERANGE },
        { "127.0.0.1:65536", NULL, -ERANGE },
        { "127.0.0.1:-1", NULL, -EINVAL },
        { "127.0.0.1: 1", NULL, -EINVAL },
        { "127.0.0.1", NULL, -EINVAL },
        { "1.2.3:80", NULL, -EINVAL },
        { "0127.0.0.1:80", NULL, -EINVAL },
        { "::1:80", NULL, -EINVAL },
        { "[::1]", NULL, -EINVAL },
        { "[::1]80", NULL, -EINVAL },
        { "[:80", NULL, -EINVAL },
        { "[]:80", NULL, -EINVAL },
        { "[127.0.0.1]:80", NULL, -EINVAL },
        { "[fe80::1%lo]:80", NULL, -EINVAL },
        { ":80", NULL, -EINVAL },
        { "", NULL, -EINVAL },
        { "example.org:80", NULL, -EINVAL },
        { "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:80", NULL, -EINVAL },
        { "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, -ENAMETOOLONG },
};

START_TEST(an_address_has_one_form) {
        char buf[ADDRESS_TEXT_MAX];
        Address a;

        ck_assert_int_eq(address_parse(parse_cases[_i].text, &a), parse_cases[_i].error);
        if (parse_cases[_i].shown)
                ck_assert_str_eq(address_format(&a, buf), parse_cases[_i].shown);
}
END_TEST

static const struct {
        const char *a, *b;
        bool overlaps;
} overlap_cases[] = {
        { "127.0.0.1:80", "127.0.0.1:80", true },  { "127.0.0.1:80", "127.0.0.2:80", false }, { "127.0.0.1:80", "0.0.0.0:80", true },
        { "127.0.0.1:80", "[::]:80", true },       { "0.0.0.0:80", "[::]:80", true },         { "0.0.0.0:80", "[::1]:80", false },
        { "[::1]:80", "[::]:80", true },           { "[::1]:80", "[::2]:80", false },         { "[::]:80", "[::]:81", false },
        { "/a", "/a", true },                      { "/a", "/b", false },                     { "/a", "[::]:80", false },
};

START_TEST(what_cannot_both_be_bound) {
        Address a, b;

        ck_assert_int_eq(address_parse(overlap_cases[_i].a, &a), 0);
        ck_assert_int_eq(address_parse(overlap_cases[_i].b, &b), 0);
        ck_assert_int_eq(address_overlaps(&a, &b), overlap_cases[_i].overlaps);
        ck_assert_int_eq(address_overlaps(&b, &a), overlap_cases[_i].overlaps);
}
END_TEST

int main(void) {
        Suite *s = suite_create("address");
        TCase *t = tcase_create("address");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, an_address_has_one_form, 0, ARRAY_SIZE(parse_cases));
        tcase_add_loop_test(t, what_cannot_both_be_bound, 0, ARRAY_SIZE(overlap_cases));
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
