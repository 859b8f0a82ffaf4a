/* audit.c - the rate, the record. */
#include "control/audit.h"
#include "base/alloc.h"
#include "base/log.h"
#include "control/control-call.h"
#include "control/control-room.h"

#include <stdio.h>

#define COMM_USEC USEC_PER_SEC
#define REQUEST_MAX 160 /* an id as text: 128 bytes and its quotes */

bool audit_admit(Audit *a, bool is_always, usec_t now, unsigned *ret_silent) {
        if (now >= usec_add(a->since, USEC_PER_SEC)) {
                a->since = now;
                a->n = 0;
        }
        if (!is_always && a->n >= AUDIT_PER_SEC) {
                a->n_silent++;
                return false;
        }
        a->n += !is_always;
        *ret_silent = a->n_silent;
        a->n_silent = 0;
        return true;
}

/* Everything about one call as text. */
typedef struct Record {
        char uid[16], pid[16], duration[24], request[REQUEST_MAX], comm[PEER_COMM_MAX];
        const char *method, *object, *result;
        unsigned n_silent;
} Record;

/* What the peer was called a moment ago will do: it takes ten system calls to know. */
static const char *comm_of(Connection *c) {
        usec_t now = clock_now();

        if (c->comm_at == 0 || now >= usec_add(c->comm_at, COMM_USEC)) {
                (void) peer_comm(stream_fd(c->stream), c->comm);
                c->comm_at = now;
        }
        return c->comm;
}

static void record_fill(Record *r, const Call *c, const char *result) {
        Connection *connection = c->connection;
        _cleanup_free_ char *id = c->id ? json_dumps(c->id, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

        (void) snprintf(r->uid, sizeof(r->uid), "%u", (unsigned) connection->peer.uid);
        (void) snprintf(r->pid, sizeof(r->pid), "%d", (int) connection->peer.pid);
        (void) snprintf(r->duration, sizeof(r->duration), "%.6f", (double) usec_sub(clock_now(), c->begun) / USEC_PER_SEC);
        (void) snprintf(r->request, sizeof(r->request), "%s", id ? id : "none");
        (void) snprintf(r->comm, sizeof(r->comm), "%s", comm_of(connection));
        r->method = protocol_methods[c->method].name;
        r->object = c->object;
        r->result = result;
}

static void record_log(const Record *r) {
        const LogField fields[] = {
                {"DROVER_AUDIT_UID", r->uid},       {"DROVER_AUDIT_PID", r->pid},
                {"DROVER_AUDIT_COMM", r->comm},     {"DROVER_AUDIT_METHOD", r->method},
                {"DROVER_AUDIT_OBJECT", r->object}, {"DROVER_AUDIT_RESULT", r->result},
                {"DROVER_AUDIT_DURATION", r->duration}, {"DROVER_AUDIT_REQUEST", r->request},
                {NULL, NULL},
        };

        if (r->n_silent > 0)
                log_record(LOG_NOTICE, NULL, "audit: %u more changing calls were not written down one by one", r->n_silent);
        log_record(LOG_NOTICE, fields, "audit: uid %s pid %s%s%s%s %s%s%s: %s (%s s, request %s)", r->uid, r->pid,
                   *r->comm ? " (" : "", r->comm, *r->comm ? ")" : "", r->method, *r->object ? " " : "", r->object, r->result,
                   r->duration, r->request);
}

static char *record_event(const Record *r, const Call *c) {
        _cleanup_text_ Text t = {0};

        json_put_object(&t, NULL);
        json_put_i64(&t, "uid", c->connection->peer.uid);
        json_put_i64(&t, "pid", c->connection->peer.pid);
        json_put_string(&t, "comm", r->comm);
        json_put_string(&t, "method", r->method);
        json_put_string(&t, "object", *r->object ? r->object : NULL);
        json_put_string(&t, "result", r->result);
        json_put_raw(&t, "duration", r->duration);
        json_put_string(&t, "request", r->request);
        if (r->n_silent > 0)
                json_put_u64(&t, "not_written", r->n_silent);
        json_end_object(&t);
        return text_take(&t);
}

/* Not what is refused to somebody else: he could fill the log with it. */
static bool is_always(const Method *m, const Call *c) {
        return (m->class >= ACCESS_ADMINISTER || m->is_rare) && call_level(c) >= ACCESS_ADMINISTER;
}

static bool is_refusal(const char *result) {
        return streq(result, protocol_error_name(ERROR_DENIED));
}

void audit_call(Call *c, const char *result) {
        const Method *m = methods[c->method];
        Audit *a = &call_control(c)->audit;
        Record r = {.n_silent = 0};

        if (!m->is_changing || c->is_audited || (m->is_unaudited && !is_refusal(result)))
                return;
        c->is_audited = true;
        if (!audit_admit(a, is_always(m, c), clock_now(), &r.n_silent))
                return;
        record_fill(&r, c, result);
        record_log(&r);
        if (alloc_grow(&a->events, &a->events_capacity, a->n_events + 1, sizeof(char *)) >= 0)
                a->events[a->n_events++] = record_event(&r, c);
}

void audit_emit(Audit *a, Hub *hub) {
        for (size_t i = 0; i < a->n_events; i++) {
                if (a->events[i])
                        hub_emit(hub, EVENT_AUDIT, NULL, NULL, a->events[i]);
                free(a->events[i]);
        }
        a->n_events = 0;
}

bool audit_is_pending(const Audit *a) {
        return a->n_events > 0;
}

void audit_done(Audit *a) {
        for (size_t i = 0; i < a->n_events; i++)
                free(a->events[i]);
        free(a->events);
        *a = (Audit){0};
}
