/* metrics-family.h - the one table of metrics: name, kind, unit, help, and where the value comes from. */
#ifndef DROVER_METRICS_METRICS_FAMILY_H
#define DROVER_METRICS_METRICS_FAMILY_H

#include "metrics/metrics.h"

typedef enum MetricKind { METRIC_GAUGE, METRIC_COUNTER } MetricKind;

/* What one sample of a family speaks of. */
typedef enum MetricScope { METRIC_OF_DAEMON, METRIC_OF_POOL, METRIC_OF_WORKER } MetricScope;

typedef struct MetricFamily {
        const char *name; /* without "_total" */
        const char *unit; /* "seconds", "bytes": the name's last part; NULL: none */
        const char *help;
        MetricKind kind;
        MetricScope scope;
        /* false: there is no value now, the sample is left out. One of them, by scope. */
        bool (*of_daemon)(const Metrics *m, double *ret);
        bool (*of_pool)(Pool *p, double *ret);
        bool (*of_worker)(Worker *w, const WorkerMetrics *values, double *ret);
} MetricFamily;

extern const MetricFamily metric_families[];
extern const size_t n_metric_families;

/* For the table. */
const MetricsWorld *metrics_world(const Metrics *m);

#endif
