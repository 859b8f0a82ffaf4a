/* metrics-family.c - the table. A new metric is a new row. */
#include "metrics/metrics-family.h"

/* ---- the daemon ---- */

static bool daemon_start_time(const Metrics *m, double *ret) {
        *ret = (double) metrics_world(m)->started_usec / USEC_PER_SEC;
        return true;
}

static bool daemon_lives(const Metrics *m, double *ret) {
        *ret = metrics_world(m)->n_lives;
        return true;
}

static bool daemon_pools(const Metrics *m, double *ret) {
        *ret = (double) pool_count(metrics_world(m)->pools);
        return true;
}

static bool daemon_processes(const Metrics *m, double *ret) {
        *ret = (double) pool_set_n_alive(metrics_world(m)->pools);
        return true;
}

/* ---- a pool ---- */

static bool pool_metric_size(Pool *p, double *ret) {
        *ret = pool_size(p);
        return true;
}

static bool pool_metric_wanted(Pool *p, double *ret) {
        *ret = pool_n_wanted(p);
        return true;
}

static bool pool_metric_ready(Pool *p, double *ret) {
        *ret = pool_n_ready(p);
        return true;
}

static bool pool_metric_busy(Pool *p, double *ret) {
        *ret = pool_n_busy(p);
        return true;
}

static bool pool_metric_queued(Pool *p, double *ret) {
        *ret = pool_n_queued(p);
        return true;
}

/* ---- a worker ---- */

static bool worker_metric_up(Worker *w, const WorkerMetrics *v, double *ret) {
        *ret = v->is_alive;
        return true;
}

static bool worker_metric_ready(Worker *w, const WorkerMetrics *v, double *ret) {
        *ret = v->is_ready;
        return true;
}

static bool worker_metric_busy(Worker *w, const WorkerMetrics *v, double *ret) {
        *ret = v->is_busy;
        return true;
}

static bool worker_metric_restarts(Worker *w, const WorkerMetrics *v, double *ret) {
        *ret = v->n_restarts;
        return true;
}

static bool worker_metric_tasks(Worker *w, const WorkerMetrics *v, double *ret) {
        *ret = (double) v->n_tasks_done;
        return true;
}

static bool worker_metric_start_time(Worker *w, const WorkerMetrics *v, double *ret) {
        *ret = (double) v->started_usec / USEC_PER_SEC;
        return v->is_alive;
}

static bool worker_metric_cpu(Worker *w, const WorkerMetrics *v, double *ret) {
        *ret = (double) v->cpu_usec / USEC_PER_SEC;
        return v->has_usage;
}

static bool worker_metric_memory(Worker *w, const WorkerMetrics *v, double *ret) {
        *ret = (double) v->memory_bytes;
        return v->has_usage;
}

static bool worker_metric_last_exit(Worker *w, const WorkerMetrics *v, double *ret) {
        *ret = v->exitcode;
        return v->has_exit;
}

#define DAEMON(n, u, k, f, h)                                                                                          \
        { .name = "drover_" n, .unit = u, .kind = METRIC_##k, .scope = METRIC_OF_DAEMON, .of_daemon = f, .help = h }
#define POOL(n, u, k, f, h)                                                                                            \
        { .name = "drover_pool_" n, .unit = u, .kind = METRIC_##k, .scope = METRIC_OF_POOL, .of_pool = f, .help = h }
#define WORKER(n, u, k, f, h)                                                                                          \
        { .name = "drover_worker_" n, .unit = u, .kind = METRIC_##k, .scope = METRIC_OF_WORKER, .of_worker = f, .help = h }

const MetricFamily metric_families[] = {
        DAEMON("start_time_seconds", "seconds", GAUGE, daemon_start_time, "When drover was started, in Unix time."),
        DAEMON("droverd_lives", NULL, GAUGE, daemon_lives, "How often droverd was started since then; 1 unless it died."),
        DAEMON("pools", NULL, GAUGE, daemon_pools, "Pools, processes of run included."),
        DAEMON("processes", NULL, GAUGE, daemon_processes, "Living worker processes."),
        POOL("size", NULL, GAUGE, pool_metric_size, "Workers it shall have."),
        POOL("wanted", NULL, GAUGE, pool_metric_wanted, "Workers that somebody wants to run."),
        POOL("ready", NULL, GAUGE, pool_metric_ready, "Workers that are ready."),
        POOL("busy", NULL, GAUGE, pool_metric_busy, "Workers that have work in hand."),
        POOL("queued", NULL, GAUGE, pool_metric_queued, "What waits for a worker."),
        WORKER("up", NULL, GAUGE, worker_metric_up, "1 when a process exists."),
        WORKER("ready", NULL, GAUGE, worker_metric_ready, "1 when it is ready."),
        WORKER("busy", NULL, GAUGE, worker_metric_busy, "1 when it has work in hand."),
        WORKER("restarts", NULL, COUNTER, worker_metric_restarts, "Starts after the first."),
        WORKER("tasks", NULL, COUNTER, worker_metric_tasks, "Tasks the present process has done."),
        WORKER("start_time_seconds", "seconds", GAUGE, worker_metric_start_time,
               "When the present process was started, in Unix time."),
        WORKER("cpu_seconds", "seconds", COUNTER, worker_metric_cpu, "CPU time of the present process, user and system."),
        WORKER("memory_bytes", "bytes", GAUGE, worker_metric_memory, "Resident memory of the present process."),
        WORKER("last_exit_code", NULL, GAUGE, worker_metric_last_exit, "How the last process ended: its code, or -N for signal N."),
};
const size_t n_metric_families = ARRAY_SIZE(metric_families);
