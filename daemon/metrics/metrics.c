/* metrics.c - counting events, and writing every family of the table. See metrics.h. */
#include "metrics/metrics-family.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "priority.h"
#include <math.h>

#define FILE_MODE 0644

struct Metrics {
        MetricsWorld world;
        HubSubscriber *subscriber;
        uint64_t n_events[_EVENT_KIND_MAX]; /* since this droverd was started */
        char *path;
        usec_t interval;
        sd_event_source *timer;
        bool is_failing;
};

const MetricsWorld *metrics_world(const Metrics *m) {
        return &m->world;
}

static void on_event(const Event *e, void *userdata) {
        ((Metrics *) userdata)->n_events[e->kind]++;
}

int metrics_new(Metrics **ret, const MetricsWorld *world) {
        _cleanup_(metrics_freep) Metrics *m = NEW0(Metrics);
        int r;

        if (!m)
                return -ENOMEM;
        m->world = *world;
        r = hub_subscribe(&m->subscriber, world->hub, on_event, m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

Metrics *metrics_free(Metrics *m) {
        if (!m)
                return NULL;
        sd_event_source_disable_unref(m->timer);
        if (m->subscriber)
                hub_unsubscribe(m->subscriber);
        free(m->path);
        free(m);
        return NULL;
}

/* ---- the text ---- */

static const char *const kinds[] = {[METRIC_GAUGE] = "gauge", [METRIC_COUNTER] = "counter"};

/* "# TYPE", "# UNIT" and "# HELP" of a family. */
static void put_head(Text *t, MetricsFormat format, const MetricFamily *f) {
        const char *suffix = format == METRICS_TEXT && f->kind == METRIC_COUNTER ? "_total" : "";

        text_appendf(t, "# HELP %s%s %s\n# TYPE %s%s %s\n", f->name, suffix, f->help, f->name, suffix, kinds[f->kind]);
        if (f->unit && format == METRICS_OPENMETRICS)
                text_appendf(t, "# UNIT %s %s\n", f->name, f->unit);
}

/* Names of pools and workers need no escapes but these; a name of `run` is as strict. */
static void put_label_value(Text *t, const char *value) {
        text_append_char(t, '"');
        for (const char *p = value; *p; p++) {
                if (*p == '\\' || *p == '"')
                        text_append_char(t, '\\');
                if (*p == '\n')
                        text_append(t, "\\n");
                else
                        text_append_char(t, *p);
        }
        text_append_char(t, '"');
}

static void put_sample(Text *t, const MetricFamily *f, const char *pool, const char *worker, double value) {
        text_append(t, f->name);
        if (f->kind == METRIC_COUNTER)
                text_append(t, "_total");
        if (pool) {
                text_append(t, "{pool=");
                put_label_value(t, pool);
                if (worker) {
                        text_append(t, ",worker=");
                        put_label_value(t, worker);
                }
                text_append_char(t, '}');
        }
        if (fabs(value) < 1e15 && value == trunc(value))
                text_appendf(t, " %.0f\n", value);
        else
                text_appendf(t, " %.17g\n", value);
}

static void put_of_pools(Metrics *m, const MetricFamily *f, Text *t) {
        for (Pool *p = pool_first(m->world.pools); p; p = pool_next(p)) {
                double value;

                if (f->of_pool(p, &value))
                        put_sample(t, f, pool_name(p), NULL, value);
        }
}

static void put_of_workers(Metrics *m, const MetricFamily *f, Text *t) {
        for (Pool *p = pool_first(m->world.pools); p; p = pool_next(p))
                for (size_t i = 0; i < pool_n_workers(p); i++) {
                        Worker *w = pool_worker(p, i);
                        WorkerMetrics values;
                        double value;

                        worker_metrics(w, &values);
                        if (f->of_worker(w, &values, &value))
                                put_sample(t, f, pool_name(p), worker_name(w), value);
                }
}

static void put_family(Metrics *m, MetricsFormat format, const MetricFamily *f, Text *t) {
        double value;

        put_head(t, format, f);
        if (f->scope == METRIC_OF_POOL)
                put_of_pools(m, f, t);
        else if (f->scope == METRIC_OF_WORKER)
                put_of_workers(m, f, t);
        else if (f->of_daemon(m, &value))
                put_sample(t, f, NULL, NULL, value);
}

static void put_build(Metrics *m, Text *t) {
        text_append(t, "# HELP drover_build_info The version of droverd; the value is always 1.\n"
                       "# TYPE drover_build_info gauge\ndrover_build_info{version=");
        put_label_value(t, m->world.version);
        text_append(t, "} 1\n");
}

static void put_events(Metrics *m, MetricsFormat format, Text *t) {
        static const MetricFamily family = {
                .name = "drover_events",
                .kind = METRIC_COUNTER,
                .help = "What happened since this droverd was started, by type of event.",
        };

        put_head(t, format, &family);
        for (unsigned k = 0; k < _EVENT_KIND_MAX; k++) {
                text_appendf(t, "drover_events_total{event=\"%s\"} ", event_kind_to_string((EventKind) k));
                text_append_u64(t, m->n_events[k]);
                text_append_char(t, '\n');
        }
}

void metrics_write(Metrics *m, MetricsFormat format, Text *t) {
        put_build(m, t);
        for (size_t i = 0; i < n_metric_families; i++)
                put_family(m, format, &metric_families[i], t);
        put_events(m, format, t);
        text_append(t, "# EOF\n");
}

/* ---- the file ---- */

static void write_file(Metrics *m) {
        _cleanup_text_ Text t = {0};
        int r;

        metrics_write(m, METRICS_TEXT, &t);
        r = text_check(&t);
        if (r >= 0)
                r = file_replace(m->path, t.data, t.length, FILE_MODE);
        if (r < 0 && !m->is_failing)
                log_warning("cannot write the metrics to %s: %s; trying again every interval", m->path, strerrordesc_np(-r));
        else if (r >= 0 && m->is_failing)
                log_notice("the metrics are written to %s again", m->path);
        m->is_failing = r < 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Metrics *m = userdata;

        write_file(m);
        (void) sd_event_source_set_time_relative(source, m->interval);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

int metrics_set_file(Metrics *m, const char *path, usec_t interval) {
        char *copy = path ? alloc_strdup(path) : NULL;
        int r;

        if (path && !copy)
                return -ENOMEM;
        free(m->path);
        m->path = copy;
        m->interval = interval;
        m->is_failing = false;
        m->timer = sd_event_source_disable_unref(m->timer);
        if (!path)
                return 0;
        r = sd_event_add_time_relative(m->world.event, &m->timer, CLOCK_MONOTONIC, 0, 0, on_timer, m);
        if (r >= 0)
                r = sd_event_source_set_priority(m->timer, PRIORITY_TIMER);
        return r < 0 ? r : 0;
}
