/* test-parse.c - strict parsing: tables of what is taken and what is not. */
#include "base/parse.h"

#include <check.h>
#include <signal.h>

static const struct {
        const char *text;
        int r;
        int64_t value;
} numbers[] = {
        {"0", 0, 0}, {"42", 0, 42}, {"-42", 0, -42}, {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN}, {"9223372036854775808", -ERANGE, 0}, {"-9223372036854775809", -ERANGE, 0},
        {"", -EINVAL, 0}, {"-", -EINVAL, 0}, {"+1", -EINVAL, 0}, {" 1", -EINVAL, 0}, {"1 ", -EINVAL, 0},
        {"0x10", -EINVAL, 0}, {"--1", -EINVAL, 0}, {"1,5", -EINVAL, 0}, {"99999999999999999999999", -ERANGE, 0},
};

START_TEST(number) {
        int64_t v = 7;
        uint64_t u = 7;

        ck_assert_msg(parse_i64(numbers[_i].text, &v) == numbers[_i].r, "%s", numbers[_i].text);
        ck_assert_int_eq(v, numbers[_i].r < 0 ? 7 : numbers[_i].value);
        if (numbers[_i].r == 0 && numbers[_i].value >= 0) {
                ck_assert_int_eq(parse_u64(numbers[_i].text, &u), 0);
                ck_assert_uint_eq(u, (uint64_t) numbers[_i].value);
        }
}
END_TEST

static const struct {
        const char *text;
        int r;
        uint64_t value;
} sizes[] = {
        {"100", 0, 100}, {"512K", 0, 524288}, {"64M", 0, 67108864}, {"1G", 0, 1073741824}, {"1T", 0, 1099511627776},
        {"1k", 0, 1024}, {"infinity", 0, UINT64_MAX}, {"0", 0, 0}, {"15E", 0, 15ull << 60},
        {"", -EINVAL, 0}, {"M", -EINVAL, 0}, {"1.5G", -EINVAL, 0}, {"1MB", -EINVAL, 0}, {"-1", -EINVAL, 0},
        {"16E", -ERANGE, 0}, {"18446744073709551616", -ERANGE, 0}, {"123456789012345678901234567890", -EINVAL, 0},
};

START_TEST(size) {
        uint64_t v = 7;

        ck_assert_msg(parse_size(sizes[_i].text, &v) == sizes[_i].r, "%s", sizes[_i].text);
        ck_assert_uint_eq(v, sizes[_i].r < 0 ? 7 : sizes[_i].value);
}
END_TEST

static const struct {
        uint64_t bytes;
        const char *text;
} shown[] = {
        {0, "0"}, {512, "512"}, {1023, "1023"}, {1024, "1K"}, {1536, "1.5K"}, {325058560, "310M"}, {1288490189, "1.2G"},
        {10737418240, "10G"}, {UINT64_MAX - 1, "15E"}, {UINT64_MAX, "infinity"},
};

START_TEST(size_is_formatted) {
        char buf[16];

        ck_assert_str_eq(size_format(buf, shown[_i].bytes), shown[_i].text);
}
END_TEST

START_TEST(booleans_and_modes) {
        bool b = false;
        unsigned mode = 1;

        ck_assert_int_eq(parse_bool("yes", &b), 0);
        ck_assert(b);
        ck_assert_int_eq(parse_bool("0", &b), 0);
        ck_assert(!b);
        ck_assert_int_eq(parse_bool("YES", &b), -EINVAL);
        ck_assert_int_eq(parse_octal_mode("022", &mode), 0);
        ck_assert_uint_eq(mode, 022);
        ck_assert_int_eq(parse_octal_mode("0o7777", &mode), 0);
        ck_assert_uint_eq(mode, 07777);
        ck_assert_int_eq(parse_octal_mode("10000", &mode), -ERANGE);
        ck_assert_int_eq(parse_octal_mode("8", &mode), -EINVAL);
        ck_assert_int_eq(parse_octal_mode("", &mode), -EINVAL);
        ck_assert_uint_eq(mode, 07777);
}
END_TEST

static const struct {
        const char *text;
        int number;
} signals[] = {
        {"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"15", 15}, {"RTMIN", 34}, {"RTMIN+3", 37}, {"SIGRTMIN+30", 64},
        {"RTMAX", 64}, {"RTMAX-1", 63}, {"CLD", SIGCHLD}, {"64", 64},
        {"", -EINVAL}, {"SIG", -EINVAL}, {"term", -EINVAL}, {"0", -EINVAL}, {"65", -EINVAL}, {"RTMIN+31", -EINVAL},
        {"RTMIN-1", -EINVAL}, {"RTMIN+", -EINVAL}, {"-9", -EINVAL}, {"nal 0", -EINVAL}, {"signal 0", -EINVAL},
};

START_TEST(signal_names) {
        ck_assert_msg(signal_from_string(signals[_i].text) == signals[_i].number, "%s", signals[_i].text);
}
END_TEST

START_TEST(every_signal_has_a_name_and_comes_back) {
        for (int i = 1; i <= 64; i++)
                if (i != 32 && i != 33) /* glibc's own */
                        ck_assert_int_eq(signal_from_string(signal_to_string(i)), i);
        ck_assert_str_eq(signal_to_string(37), "SIGRTMIN+3");
        ck_assert_str_eq(signal_to_string(33), "signal 33");
        ck_assert_ptr_nonnull(signal_to_string(-1));
        ck_assert_ptr_nonnull(signal_to_string(65));
}
END_TEST

static const struct {
        const char *name;
        bool is_valid;
} names[] = {
        {"web", true}, {"a", true}, {"0", true}, {"a.b_c-d", true},
        {"123456789012345678901234567890123456789012345678901234567890123", true},
        {"1234567890123456789012345678901234567890123456789012345678901234", false},
        {"", false}, {".a", false}, {"-a", false}, {"_a", false}, {"a..b", false}, {"Web", false}, {"a/b", false},
        {"a b", false}, {"\xc3\xa4", false},
};

START_TEST(name) {
        ck_assert_msg(name_is_valid(names[_i].name) == names[_i].is_valid, "%s", names[_i].name);
}
END_TEST

static const struct {
        const char *word, *nearest;
} nearest[] = {
        {"comand", "command"}, {"workres", "workers"}, {"enviroment_file", NULL}, {"dirctory", "directory"}, {"evn", "env"},
        {"xyz", NULL}, {"", NULL}, {"commandcommandcommandcommandcommandcommandcommandcommandcommandcommand", NULL},
        {"umsak", "umask"}, {"job", NULL}, {"enb", "env"}, {"end_file", "env_file"},
};

START_TEST(nearest_name) {
        static const char *const known[] = {"command", "workers", "env", "env_file", "directory", "umask", NULL};
        const char *found = name_nearest(nearest[_i].word, known);

        if (nearest[_i].nearest)
                ck_assert_str_eq(found, nearest[_i].nearest);
        else
                ck_assert_ptr_null(found);
}
END_TEST

int main(void) {
        Suite *s = suite_create("parse");
        TCase *t = tcase_create("parse");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, number, 0, ARRAY_SIZE(numbers));
        tcase_add_loop_test(t, size, 0, ARRAY_SIZE(sizes));
        tcase_add_loop_test(t, size_is_formatted, 0, ARRAY_SIZE(shown));
        tcase_add_test(t, booleans_and_modes);
        tcase_add_loop_test(t, signal_names, 0, ARRAY_SIZE(signals));
        tcase_add_test(t, every_signal_has_a_name_and_comes_back);
        tcase_add_loop_test(t, name, 0, ARRAY_SIZE(names));
        tcase_add_loop_test(t, nearest_name, 0, ARRAY_SIZE(nearest));
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
