/* metrics.h - what is counted and measured, as text for Prometheus and its relatives.
 *
 * Owner: Supervisor. Most values are read from the pools at the moment they are asked for; only events are counted here,
 * by a subscription of the hub. Two ways of writing the same families:
 *
 *   METRICS_TEXT         Prometheus text format 0.0.4 with OpenMetrics' end mark: what `promtool check metrics`, the
 *                        node exporter's textfile collector and a scraper take. A counter's family has its "_total".
 *   METRICS_OPENMETRICS  OpenMetrics 1.0 to the letter: families without "_total", units named.
 *
 * With a file configured, the text is written to it every interval (temporary file, then rename, so that a reader sees
 * a whole one); without one no timer exists. */
#ifndef DROVER_METRICS_METRICS_H
#define DROVER_METRICS_METRICS_H

#include "config/config.h"
#include "event/hub.h"
#include "pool/pool.h"

typedef struct Metrics Metrics;

typedef enum MetricsFormat { METRICS_TEXT, METRICS_OPENMETRICS } MetricsFormat;

/* What the collector reads; borrowed, outliving it. */
typedef struct MetricsWorld {
        sd_event *event;
        PoolSet *pools;
        Hub *hub;
        const char *version;
        usec_t started_usec; /* CLOCK_REALTIME of the keeper's start */
        unsigned n_lives;    /* of droverd under it */
} MetricsWorld;

/** metrics_new() - -ENOMEM or 0. */
int metrics_new(Metrics **ret, const MetricsWorld *world);
Metrics *metrics_free(Metrics *m); /* the file stays */
DEFINE_CLEANUP(Metrics, metrics_free);
/**
 * metrics_set_file() - write to @path every @interval from now on; NULL: to none
 * What cannot be written is said once, and again when it works; the timer goes on.
 */
int metrics_set_file(Metrics *m, const char *path, usec_t interval);
/** metrics_write() - append all families to @t. Short of memory: text_check() says so. */
void metrics_write(Metrics *m, MetricsFormat format, Text *t);

#endif
