/* method-daemon.c - daemon.info, daemon.shutdown, rpc.discover. */
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/discover.h"
#include "control/method.h"
#include "control/penalty.h"

static const ControlLimit limits[] = {
        {"message_bytes", "of one message", CONTROL_LINE_MAX},
        {"message_values", "JSON values in one message", CONTROL_NODES_MAX},
        {"message_depth", "of nesting", CONTROL_DEPTH_MAX},
        {"message_seconds", "to finish a line once begun, else the error timeout and the end", CONTROL_LINE_TIMEOUT_SEC},
        {"batch_requests", "in one batch", CONTROL_BATCH_MAX},
        {"calls_in_flight", "on one connection", CONTROL_CALLS_MAX},
        {"connections", "in all", CONTROL_CONNECTIONS_MAX},
        {"connections_reserved", "of these for root and the daemon's own user", CONTROL_CONNECTIONS_RESERVED},
        {"connections_per_user", "of one user", CONTROL_CONNECTIONS_PER_UID_MAX},
        {"unfinished_bytes_per_user", "of lines begun and not finished, on all connections of one user", CONTROL_INPUT_PER_UID_MAX},
        {"unread_bytes_per_user", "on all connections of one user who is no administrator", CONTROL_OUTPUT_PER_UID_MAX},
        {"calls_in_flight_per_user", "on all connections of such a user", CONTROL_CALLS_PER_UID_MAX},
        {"streams_per_user", "of these, logs and events", CONTROL_STREAMS_PER_UID_MAX},
        {"reads_per_user", "workers whose logs such a user reads at once", CONTROL_READS_PER_UID_MAX},
        {"reads", "by all together", CONTROL_READS_MAX},
        {"waits_per_user", "workers that calls in flight of such a user wait for", CONTROL_WATCHES_PER_UID_MAX},
        {"processes_per_user", "made by run and pool.add of such a user, alive at once", CONTROL_PROCESSES_PER_UID_MAX},
        {"pools_per_user", "made by pool.add of such a user", CONTROL_POOLS_PER_UID_MAX},
        {"blob_bytes", "of one blob", BLOB_SIZE_MAX},
        {"blob_bytes_per_user", "of all blobs of such a user, arguments and results together; beyond, his oldest results go, and no new arguments are taken", BLOB_BYTES_PER_UID_MAX},
        {"blobs_per_user", "their number", BLOBS_PER_UID_MAX},
        {"blobs_per_connection", "made there by blob.new and not used", BLOBS_OPEN_MAX},
        {"blobs_per_task", "of its arguments, and of its result", BLOBS_PER_TASK_MAX},
        {"blobs_on_record", "of all tasks that outlive droverd", BLOBS_KEPT_MAX},
        {"blob_bytes_inline", "of a long result for one who takes no descriptors", BLOB_INLINE_MAX},
        {"descriptors_unread", "on their way to one connection; beyond, it is dropped", CONTROL_ATTACHED_MAX},
        {"batch_answer_bytes", "of the answers to one batch; beyond, its further requests are refused", CONTROL_BATCH_OUTPUT_MAX},
        {"penalty_points", "of a user beyond which his new connections are refused for 1 s to 60 s; 5 a second are forgiven",
         PENALTY_THRESHOLD},
        {"unread_bytes_pause", "beyond which no request is read and streams pause", CONTROL_UNREAD_MARK},
        {"unread_bytes", "beyond which the connection is dropped", CONTROL_UNREAD_MAX},
        {"unread_seconds", "without reading any of them, while beyond the pause and no stream is open, until it is dropped",
         CONTROL_STALL_TIMEOUT_SEC},
};

const ControlLimit *control_limits(size_t *ret_n) {
        *ret_n = ARRAY_SIZE(limits);
        return limits;
}

static void put_limits(Text *t) {
        json_put_object(t, "limits");
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                json_put_u64(t, limits[i].name, limits[i].value);
        json_end_object(t);
}

static void put_you(const Call *c, Text *t) {
        json_put_object(t, "you");
        json_put_i64(t, "uid", c->connection->peer.uid);
        json_put_string(t, "role", access_class_to_string(call_level(c)));
        json_end_object(t);
}

static void handle_daemon_info(Call *c, const void *params) {
        Control *control = call_control(c);
        Text *t = call_begin(c);

        json_put_object(t, NULL);
        put_you(c, t);
        control->world.hooks.info_put_json(t, call_level(c) < ACCESS_OBSERVE, control->world.userdata);
        json_put_bool(t, "shutting_down", control->is_shutting_down);
        json_put_u64(t, "connections", uid_book_total(control->books, UID_CONNECTIONS));
        json_put_u64(t, "calls_waiting", waiter_set_size(control->waiters));
        put_limits(t);
        json_end_object(t);
        call_end(c);
}

const Method method_daemon_info = {
        .class = ACCESS_PUBLIC,
        .handler = handle_daemon_info,
        .result = "{\"you\":{\"uid\",\"role\"},\"version\",\"protocol\",\"pid\",\"keeper_pid\",\"logger_pid\",\"uptime\",\"socket\",...,\"limits\":{...}}",
};

typedef struct MetricsParams {
        const char *format;
} MetricsParams;

static const JsonField metrics_fields[] = {
        {"format", JSON_FIELD_STRING, offsetof(MetricsParams, format),
         .help = "\"text\" (default; the text format of Prometheus) or \"openmetrics\" (OpenMetrics 1.0 to the letter)"},
        {NULL},
};

static void handle_daemon_metrics(Call *c, const void *params) {
        const ControlWorld *world = &call_control(c)->world;
        const char *format = ((const MetricsParams *) params)->format;
        bool is_openmetrics = format && streq(format, "openmetrics");
        _cleanup_text_ Text metrics = {0};
        Text *t;

        if (format && !is_openmetrics && !streq(format, "text")) {
                call_fail(c, ERROR_PARAMS, "parameter format: \"%s\" is none; there are \"text\" and \"openmetrics\"", format);
                return;
        }
        world->hooks.metrics_put(is_openmetrics, &metrics, world->userdata);
        if (text_check(&metrics) < 0) {
                call_fail(c, ERROR_INTERNAL, "out of memory");
                return;
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_string(t, "content_type",
                        is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                       : "text/plain; version=0.0.4; charset=utf-8");
        json_put_string_n(t, "text", metrics.data, metrics.length);
        json_end_object(t);
        call_end(c);
}

const Method method_daemon_metrics = {
        .class = ACCESS_OBSERVE,
        .handler = handle_daemon_metrics,
        .fields = metrics_fields,
        .params_size = sizeof(MetricsParams),
        .result = "{\"content_type\",\"text\"}",
};

static void handle_daemon_shutdown(Call *c, const void *params) {
        const ControlWorld *world = &call_control(c)->world;
        Text *t;

        world->hooks.shutdown(world->userdata);
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_bool(t, "stopping", true);
        json_end_object(t);
        call_end(c);
}

const Method method_daemon_shutdown = {
        .class = ACCESS_ADMINISTER,
        .is_changing = true,
        .handler = handle_daemon_shutdown,
        .result = "{\"stopping\":true} at once; the connection ends when the daemon does",
};

static void handle_rpc_discover(Call *c, const void *params) {
        discover_put_json(call_begin(c));
        call_end(c);
}

const Method method_rpc_discover = {
        .class = ACCESS_PUBLIC,
        .handler = handle_rpc_discover,
        .result = "an OpenRPC document",
};
