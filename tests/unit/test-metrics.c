/* test-metrics.c - the text of the metrics, in both formats, and its file. */
#include "pool-world.h"

#include "base/file.h"
#include "base/log.h"
#include "metrics/metrics-family.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static Metrics *metrics;
static Text text;

static void setup(void) {
        world_setup();
        MetricsWorld w = {.event = world.event, .pools = world.set, .hub = world.hub, .version = "1.2\"3",
                          .started_usec = 1700000000500000, .n_lives = 2};

        ck_assert_int_eq(metrics_new(&metrics, &w), 0);
        text = (Text){0};
}

static void teardown(void) {
        metrics = metrics_free(metrics);
        text_done(&text);
        world_teardown();
}

static const char *written(MetricsFormat format) {
        text_clear(&text);
        metrics_write(metrics, format, &text);
        ck_assert_int_eq(text_check(&text), 0);
        return text.data;
}

#define ck_assert_has(haystack, needle) ck_assert_msg(strstr(haystack, needle), "no \"%s\" in\n%s", needle, haystack)
#define ck_assert_has_not(haystack, needle) ck_assert_msg(!strstr(haystack, needle), "\"%s\" in\n%s", needle, haystack)

START_TEST(of_the_daemon) {
        const char *t = written(METRICS_TEXT);

        ck_assert_has(t, "drover_build_info{version=\"1.2\\\"3\"} 1\n");
        ck_assert_has(t, "drover_start_time_seconds 1700000000.5\n");
        ck_assert_has(t, "drover_droverd_lives 2\n");
        ck_assert_has(t, "drover_pools 0\n");
        ck_assert_str_eq(t + strlen(t) - 6, "# EOF\n");
}
END_TEST

START_TEST(of_a_pool_and_its_workers) {
        (void) world_pool("web", "{\"command\":[\"true\"],\"workers\":2}");
        pool_set_converge(world.set);
        const char *t = written(METRICS_TEXT);

        ck_assert_has(t, "drover_pool_size{pool=\"web\"} 2\n");
        ck_assert_has(t, "drover_pool_wanted{pool=\"web\"} 2\n");
        ck_assert_has(t, "drover_pool_ready{pool=\"web\"} 0\n");
        ck_assert_has(t, "drover_worker_up{pool=\"web\",worker=\"web/1\"} 0\n");
        ck_assert_has(t, "drover_worker_restarts_total{pool=\"web\",worker=\"web/0\"} 0\n");
        ck_assert_has_not(t, "drover_worker_memory_bytes{"); /* no process, no sample */
        ck_assert_has_not(t, "drover_worker_last_exit_code{");
}
END_TEST

START_TEST(events_are_counted) {
        hub_emit(world.hub, EVENT_CONFIG_REFUSED, "web", NULL, NULL);
        hub_emit(world.hub, EVENT_CONFIG_REFUSED, "web", NULL, NULL);
        ck_assert_has(written(METRICS_TEXT), "drover_events_total{event=\"config.refused\"} 2\n");
}
END_TEST

/* Each family has its HELP and TYPE once and before its samples; only the names differ between the formats. */
START_TEST(families_in_both_formats) {
        for (size_t i = 0; i < n_metric_families; i++) {
                const MetricFamily *f = &metric_families[i];
                char line[256];

                (void) snprintf(line, sizeof line, "# TYPE %s%s %s\n", f->name, f->kind == METRIC_COUNTER ? "_total" : "",
                                f->kind == METRIC_COUNTER ? "counter" : "gauge");
                ck_assert_has(written(METRICS_TEXT), line);
                (void) snprintf(line, sizeof line, "# TYPE %s %s\n", f->name, f->kind == METRIC_COUNTER ? "counter" : "gauge");
                ck_assert_has(written(METRICS_OPENMETRICS), line);
                if (f->unit) { /* OpenMetrics: the unit is the end of the name */
                        ck_assert_str_eq(f->name + strlen(f->name) - strlen(f->unit), f->unit);
                        (void) snprintf(line, sizeof line, "# UNIT %s %s\n", f->name, f->unit);
                        ck_assert_has(text.data, line);
                        ck_assert_has_not(written(METRICS_TEXT), "# UNIT");
                }
                for (size_t j = 0; j < i; j++)
                        ck_assert_str_ne(f->name, metric_families[j].name);
        }
}
END_TEST

START_TEST(the_file) {
        char directory[] = "/tmp/drover-metrics-XXXXXX", path[64];
        char *data;
        struct stat st;

        ck_assert_ptr_nonnull(mkdtemp(directory));
        (void) snprintf(path, sizeof path, "%s/drover.prom", directory);
        ck_assert_int_eq(metrics_set_file(metrics, path, 20 * USEC_PER_MSEC), 0);
        for (unsigned i = 0; i < 2; i++) { /* the second time: after the interval */
                ck_assert_int_gt(sd_event_run(world.event, 5 * USEC_PER_SEC), 0);
                ck_assert_int_eq(file_read(path, 1 << 20, &data, NULL), 0);
                ck_assert_has(data, "drover_pools 0\n");
                free(data);
                ck_assert_int_eq(stat(path, &st), 0);
                ck_assert_int_eq(st.st_mode & 07777, 0644);
                ck_assert_int_eq(unlink(path), 0);
        }
        ck_assert_int_eq(rmdir(directory), 0); /* no temporary file is left */
        log_set_level(LOG_CRIT);
        ck_assert_int_gt(sd_event_run(world.event, 5 * USEC_PER_SEC), 0); /* said, and tried again */
        ck_assert_int_eq(mkdir(directory, 0700), 0);
        ck_assert_int_gt(sd_event_run(world.event, 5 * USEC_PER_SEC), 0);
        ck_assert_int_eq(metrics_set_file(metrics, NULL, 0), 0);
        ck_assert_int_eq(unlink(path), 0);
        ck_assert_int_eq(sd_event_run(world.event, 0), 0);
        ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("metrics");
        TCase *c = tcase_create("metrics");
        SRunner *runner = srunner_create(suite);
        int n_failed;

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, of_the_daemon);
        tcase_add_test(c, of_a_pool_and_its_workers);
        tcase_add_test(c, events_are_counted);
        tcase_add_test(c, families_in_both_formats);
        tcase_add_test(c, the_file);
        suite_add_tcase(suite, c);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}
