/* test-clock.c - spans and times. */
#include "base/clock.h"

#include <check.h>

static const struct {
        const char *text;
        int r;
        usec_t usec;
} parses[] = {
        {"500ms", 0, 500000}, {"10s", 0, 10000000}, {"5m", 0, 300000000}, {"2h", 0, 7200000000},
        {"1d", 0, 86400000000}, {"1h30m", 0, 5400000000}, {"infinity", 0, USEC_INFINITY}, {"2.5", 0, 2500000},
        {"0", 0, 0}, {"0.000001", 0, 1}, {"7us", 0, 7}, {"1.5h", 0, 5400000000}, {"1min", 0, 60000000},
        {"1w", 0, 604800000000}, {"0.0000001s", 0, 0},
        {"", -EINVAL, 0}, {"s", -EINVAL, 0}, {"10 s", -EINVAL, 0}, {"-1", -EINVAL, 0}, {"1h30", -EINVAL, 0},
        {"1.", -EINVAL, 0}, {".5", -EINVAL, 0}, {"1y", -EINVAL, 0}, {"1sm", -EINVAL, 0}, {"+1", -EINVAL, 0},
        {"1e3", -EINVAL, 0}, {"99999999999999999999", -ERANGE, 0}, {"18446744073709551615s", -ERANGE, 0},
        {"18446744073709551615us", -ERANGE, 0}, {"18446744073709551614us", 0, USEC_INFINITY - 1},
};

START_TEST(span_is_parsed) {
        usec_t usec = 42;

        ck_assert_msg(span_parse(parses[_i].text, &usec) == parses[_i].r, "%s", parses[_i].text);
        ck_assert_uint_eq(usec, parses[_i].r < 0 ? 42 : parses[_i].usec);
}
END_TEST

static const struct {
        usec_t usec;
        const char *text;
} formats[] = {
        {0, "0s"}, {7, "7us"}, {20000, "20ms"}, {999999, "999ms"}, {1500000, "1.5s"}, {1000000, "1s"}, {40000000, "40s"},
        {12345678, "12s"}, {90000000, "1m30s"}, {22320000000, "6h12m"}, {3600000000, "1h"}, {266400000000, "3d2h"},
        {USEC_INFINITY, "infinity"}, {USEC_INFINITY - 1, "213503982d8h"},
};

START_TEST(span_is_formatted) {
        char buf[SPAN_TEXT_MAX];

        ck_assert_str_eq(span_format(buf, formats[_i].usec), formats[_i].text);
}
END_TEST

static const struct {
        usec_t usec;
        const char *text;
} times[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {951782400000000, "2000-02-29T00:00:00.000Z"},
        {1767323045678999, "2026-01-02T03:04:05.678Z"},
        {4107542399999999, "2100-02-28T23:59:59.999Z"},
        {4107542400000000, "2100-03-01T00:00:00.000Z"},
        {USEC_INFINITY, "9999-12-31T23:59:59.999Z"},
};

START_TEST(time_is_rfc_3339) {
        char buf[TIME_TEXT_MAX];

        ck_assert_str_eq(time_format(buf, times[_i].usec), times[_i].text);
}
END_TEST

static const struct {
        const char *text;
        int result;
        usec_t time;
} time_parses[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"2026-01-02T03:04:05Z", 0, 1767323045000000},
        {"2026-01-02t03:04:05z", 0, 1767323045000000},
        {"2026-01-02 03:04:05Z", 0, 1767323045000000},
        {"2026-01-02T03:04:05.678901Z", 0, 1767323045678901},
        {"2026-01-02T03:04:05.6Z", 0, 1767323045600000},
        {"2026-01-02T03:04:05.6789019Z", 0, 1767323045678901}, /* no finer than a microsecond */
        {"2026-01-02T05:04:05+02:00", 0, 1767323045000000},
        {"2026-01-01T21:34:05-05:30", 0, 1767323045000000},
        {"2024-02-29T00:00:00Z", 0, 1709164800000000},
        {"2016-12-31T23:59:60Z", 0, 1483228800000000}, /* a leap second */
        {"9999-12-31T23:59:59Z", 0, 253402300799000000},
        {"2023-02-29T00:00:00Z", -EINVAL, 0},
        {"2026-04-31T00:00:00Z", -EINVAL, 0},
        {"2026-00-01T00:00:00Z", -EINVAL, 0},
        {"2026-13-01T00:00:00Z", -EINVAL, 0},
        {"2026-01-00T00:00:00Z", -EINVAL, 0},
        {"2026-01-02T24:00:00Z", -EINVAL, 0},
        {"2026-01-02T00:60:00Z", -EINVAL, 0},
        {"2026-01-02T00:00:61Z", -EINVAL, 0},
        {"2026-01-02T00:00:00+24:00", -EINVAL, 0},
        {"2026-01-02T00:00:00+00:60", -EINVAL, 0},
        {"2026-01-02T00:00:00+0000", -EINVAL, 0},
        {"2026-01-02T00:00:00.Z", -EINVAL, 0},
        {"2026-01-02T00:00:00", -EINVAL, 0},
        {"2026-01-02T00:00:00Zx", -EINVAL, 0},
        {"2026-01-02T00:00Z", -EINVAL, 0},
        {"2026-01-02", -EINVAL, 0},
        {"26-01-02T00:00:00Z", -EINVAL, 0},
        {" 2026-01-02T00:00:00Z", -EINVAL, 0},
        {"2026-1-2T00:00:00Z", -EINVAL, 0},
        {"yesterday", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"1969-12-31T23:59:59Z", -ERANGE, 0},
        {"1970-01-01T00:00:00+00:01", -ERANGE, 0},
};

START_TEST(time_is_parsed) {
        usec_t t = 42;

        ck_assert_int_eq(time_parse(time_parses[_i].text, &t), time_parses[_i].result);
        ck_assert_uint_eq(t, time_parses[_i].result == 0 ? time_parses[_i].time : 42);
}
END_TEST

START_TEST(arithmetic_saturates) {
        ck_assert_uint_eq(usec_add(1, 2), 3);
        ck_assert_uint_eq(usec_add(USEC_INFINITY, 1), USEC_INFINITY);
        ck_assert_uint_eq(usec_add(USEC_INFINITY - 1, 5), USEC_INFINITY);
        ck_assert_uint_eq(usec_sub(5, 3), 2);
        ck_assert_uint_eq(usec_sub(3, 5), 0);
        ck_assert_uint_eq(usec_sub(USEC_INFINITY, 5), USEC_INFINITY);
        ck_assert_uint_eq(usec_mul(10, 1.5), 15);
        ck_assert_uint_eq(usec_mul(10, 0), 0);
        ck_assert_uint_eq(usec_mul(USEC_INFINITY - 1, 2), USEC_INFINITY);
        ck_assert_uint_eq(usec_mul(10, -1), 0);
}
END_TEST

START_TEST(clocks_go) {
        usec_t before = clock_now();

        ck_assert_uint_gt(before, 0);
        ck_assert_uint_ge(clock_now(), before);
        ck_assert_uint_gt(clock_realtime(), 1577836800000000); /* 2020 */
}
END_TEST

int main(void) {
        Suite *s = suite_create("clock");
        TCase *t = tcase_create("clock");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, span_is_parsed, 0, ARRAY_SIZE(parses));
        tcase_add_loop_test(t, span_is_formatted, 0, ARRAY_SIZE(formats));
        tcase_add_loop_test(t, time_is_rfc_3339, 0, ARRAY_SIZE(times));
        tcase_add_loop_test(t, time_is_parsed, 0, ARRAY_SIZE(time_parses));
        tcase_add_test(t, arithmetic_saturates);
        tcase_add_test(t, clocks_go);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
