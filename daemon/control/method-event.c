/* method-event.c - events, call.cancel.
 *
 * A call of `events` is an EventStream: it remembers the last number it has told. Whenever the connection is below its
 * mark it asks the hub's ring for what came since; while it is beyond, nothing is queued for it. So a slow subscriber
 * loses only what the ring no longer has, and numbers that are missing are told as a `gap` before the next event.
 *
 * With `snapshot` the first notification is the state itself, with the number it belongs to; after a gap another one
 * follows at once. So a client that takes each snapshot as the truth and then every event in its order is never wrong
 * for longer than the next message. */
#include "base/alloc.h"
#include "base/glob.h"
#include "base/parse.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/selection.h"


#define NOTIFY_GAP "gap"
#define EVENT_SNAPSHOT "snapshot"
#define SELECTORS_MAX 256 /* each is tried on each event */

typedef struct EventsParams {
        int64_t since;
        json_t *types;
        bool follow;
        json_t *select;
        bool snapshot;
} EventsParams;

static const EventsParams events_defaults = {.since = -1};

static const JsonField events_fields[] = {
        {"since", JSON_FIELD_I64, offsetof(EventsParams, since), .min = -1, .max = INT64_MAX,
         .help = "only those with a greater number (absent or -1: all that are kept; with follow: only new ones)"},
        {"types", JSON_FIELD_STRINGS, offsetof(EventsParams, types), .help = "names or globs like \"worker.*\" (all)"},
        {"follow", JSON_FIELD_BOOL, offsetof(EventsParams, follow), .help = "go on with new ones until call.cancel (false)"},
        {"select", JSON_FIELD_STRINGS, offsetof(EventsParams, select), .help = "only of these pools, workers, globs (all)"},
        {"snapshot", JSON_FIELD_BOOL, offsetof(EventsParams, snapshot),
         .help = "first, and again after each gap, the state as an event \"snapshot\" with \"pools\" as in status; not with since (false)"},
        {0},
};

typedef struct EventStream {
        Call *call;
        HubSubscriber *subscriber;
        uint64_t told;                  /* number of the last event told, filtered out, or counted as lost */
        bool begins_with_ring;          /* with whatever the oldest one is: no gap before it */
        bool has_snapshots, needs_snapshot;
        bool wanted[_EVENT_KIND_MAX];
        const char **selectors;         /* strings of the call's params; NULL: all */
        size_t n_selectors;
} EventStream;

static EventStream *event_stream_free(EventStream *s) {
        if (!s)
                return NULL;
        hub_unsubscribe(s->subscriber);
        free(s->selectors);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(EventStream, event_stream_free);

static void event_stream_free_state(void *state) {
        event_stream_free(state);
}

/* @pool, @worker: NULL when it concerns none. */
static bool is_selected(const EventStream *s, const char *pool, const char *worker) {
        for (size_t i = 0; i < s->n_selectors; i++) {
                const char *selector = s->selectors[i];

                if (streq(selector, "all") || (pool && glob_match(selector, pool, GLOB_PATH)) ||
                    (worker && glob_match(selector, worker, GLOB_PATH)))
                        return true;
        }
        return !s->selectors;
}

/* Of a pool: who may observe it, now; of one that is no more, and of the daemon: who may observe everything. */
static bool is_permitted(const EventStream *s, const Event *e) {
        if (e->kind == EVENT_AUDIT)
                return call_level(s->call) >= ACCESS_ADMINISTER;
        return selection_sees(s->call, e->pool);
}

static bool is_wanted(const EventStream *s, const Event *e) {
        return s->wanted[e->kind] && is_permitted(s, e) && is_selected(s, e->pool, e->worker);
}

/* Every number up to @next - 1 that was not told is missing. */
static void tell_gap(EventStream *s, uint64_t next) {
        Text *t;

        if (next <= s->told + 1)
                return;
        t = call_notify_begin(s->call, NOTIFY_GAP);
        json_put_u64(t, "from", s->told + 1);
        json_put_u64(t, "to", next - 1);
        json_put_u64(t, "lost", next - 1 - s->told);
        call_notify_end(s->call);
        s->told = next - 1;
        s->needs_snapshot = s->has_snapshots;
}

/* The event object with "call" put in front: {"call":1,"seq":...}. */
static void tell_event(EventStream *s, const Event *e) {
        Text *t = call_notify_begin(s->call, PROTOCOL_NOTIFY_EVENT);

        event_put(e, t);
        call_notify_end(s->call);
}

/* The whole pool, those of its workers that are selected, or nothing. */
static void put_selected(const EventStream *s, Pool *p, Text *t) {
        _cleanup_free_ Worker **chosen = NULL;
        size_t n = 0;

        if (is_selected(s, pool_name(p), NULL)) {
                pool_put_json(p, t, NULL, NULL, 0);
                return;
        }
        chosen = NEW0_ARRAY(Worker *, pool_n_workers(p) + 1);
        for (size_t i = 0; chosen && i < pool_n_workers(p); i++)
                if (is_selected(s, NULL, worker_name(pool_worker(p, i))))
                        chosen[n++] = pool_worker(p, i);
        if (n > 0)
                pool_put_json(p, t, NULL, chosen, n);
}

/* The state now; everything up to the last number is in it. */
static void tell_snapshot(EventStream *s) {
        const ControlWorld *world = &call_control(s->call)->world;
        uint64_t last = hub_last_seq(world->hub);
        char when[TIME_TEXT_MAX];
        Text *t = call_notify_begin(s->call, PROTOCOL_NOTIFY_EVENT);

        json_put_u64(t, "seq", last);
        json_put_string(t, "time", time_format(when, clock_realtime()));
        json_put_string(t, "event", EVENT_SNAPSHOT);
        json_put_array(t, "pools");
        for (Pool *p = pool_first(world->pools); p; p = pool_next(p))
                if (selection_sees(s->call, pool_name(p)))
                        put_selected(s, p, t);
        json_end_array(t);
        call_notify_end(s->call);
        s->told = last;
        s->needs_snapshot = false;
}

static void event_stream_on_event(const Event *e, void *userdata) {
        EventStream *s = userdata;

        if (e->seq <= s->told || s->needs_snapshot || connection_is_full(s->call->connection))
                return;
        if (s->begins_with_ring)
                s->told = e->seq - 1;
        s->begins_with_ring = false;
        tell_gap(s, e->seq);
        if (s->needs_snapshot) { /* not here: events are handed out in the midst of a change */
                connection_hold(s->call->connection);
                return;
        }
        if (is_wanted(s, e))
                tell_event(s, e);
        s->told = e->seq;
}

/* From the ring what was not told, as far as the mark allows. */
static void event_stream_catch_up(EventStream *s) {
        Hub *hub = call_control(s->call)->world.hub;

        (void) hub_replay(hub, s->told, event_stream_on_event, s);
        if (connection_is_full(s->call->connection))
                return;
        if (s->begins_with_ring) /* it is empty */
                s->told = hub_last_seq(hub);
        if (!s->needs_snapshot)
                tell_gap(s, hub_last_seq(hub) + 1); /* numbers at the end that the ring never had */
        if (s->needs_snapshot)
                tell_snapshot(s);
}

static void event_stream_answer(EventStream *s) {
        Call *c = s->call;
        Text *t = call_begin(c);

        json_put_object(t, NULL);
        json_put_u64(t, "last", s->told);
        json_end_object(t);
        call_end(c);
}

/* Without `follow` it ends once everything there was is told. */
static void event_stream_go_on(EventStream *s) {
        event_stream_catch_up(s);
        if (!s->subscriber && s->told >= hub_last_seq(call_control(s->call)->world.hub))
                event_stream_answer(s);
}

static void event_stream_on_writable(Call *c, void *state) {
        event_stream_go_on(state);
}

static void event_stream_on_cancel(Call *c, void *state) {
        event_stream_answer(state);
}

static const CallOps event_stream_ops = {
        .is_stream = true,
        .free_state = event_stream_free_state,
        .on_writable = event_stream_on_writable,
        .on_cancel = event_stream_on_cancel,
};

static bool want_type(EventStream *s, const char *type) {
        bool any = false;

        for (int k = 0; k < _EVENT_KIND_MAX; k++)
                if (glob_match(type, event_kind_to_string((EventKind) k), 0))
                        any = s->wanted[k] = true;
        return any;
}

/* The name of no event, or NULL. */
static const char *want_types(EventStream *s, const json_t *types) {
        size_t i;
        json_t *v;

        if (!types)
                memset(s->wanted, true, sizeof(s->wanted));
        if (json_is_string(types) && !want_type(s, json_string_value(types)))
                return json_string_value(types);
        json_array_foreach(types, i, v)
                if (!want_type(s, json_string_value(v)))
                        return json_string_value(v);
        return NULL;
}

static void fail_unknown_type(Call *c, const char *type) {
        const char *names[_EVENT_KIND_MAX + 1] = {NULL}, *nearest;

        for (int k = 0; k < _EVENT_KIND_MAX; k++)
                names[k] = event_kind_to_string((EventKind) k);
        nearest = name_nearest(type, names);
        if (nearest)
                call_fail(c, ERROR_PARAMS, "events: no event is named \"%.40s\"; did you mean \"%s\"?", type, nearest);
        else
                call_fail(c, ERROR_PARAMS, "events: no event is named \"%.40s\"; drover-protocol(7) lists them", type);
}

/* Where to begin. -ERANGE: the number asked for has never been. */
static int first_told(const Hub *hub, const EventsParams *p, uint64_t *ret) {
        uint64_t last = hub_last_seq(hub);

        if (p->since > 0 && (uint64_t) p->since > last)
                return -ERANGE;
        *ret = p->since >= 0 ? (uint64_t) p->since : p->follow ? last : 0;
        return 0;
}

static int event_stream_new(EventStream **ret, Call *c, const EventsParams *p, const char **ret_unknown) {
        _cleanup_(event_stream_freep) EventStream *s = NEW0(EventStream);
        Hub *hub = call_control(c)->world.hub;
        int r;

        if (!s)
                return -ENOMEM;
        s->call = c;
        *ret_unknown = want_types(s, p->types);
        if (*ret_unknown)
                return -EINVAL;
        if (json_array_size(p->select) > SELECTORS_MAX)
                return -E2BIG;
        if (p->select) {
                s->selectors = selection_strings(p->select, &s->n_selectors);
                if (!s->selectors)
                        return -ENOMEM;
        }
        s->has_snapshots = s->needs_snapshot = p->snapshot;
        r = first_told(hub, p, &s->told);
        if (r >= 0 && p->follow)
                r = hub_subscribe(&s->subscriber, hub, event_stream_on_event, s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

static void handle_events(Call *c, const void *params) {
        const EventsParams *p = params;
        const char *unknown = NULL;
        EventStream *s;
        int r;

        if (!c->id) { /* a notification: nobody would know whose events they are */
                call_fail(c, ERROR_REQUEST, "events needs an id");
                return;
        }
        if (p->snapshot && p->since >= 0) {
                call_fail(c, ERROR_PARAMS, "events: since and snapshot exclude each other: a snapshot says itself to which number it belongs");
                return;
        }
        r = event_stream_new(&s, c, p, &unknown);
        if (unknown)
                fail_unknown_type(c, unknown);
        else if (r == -E2BIG)
                call_fail(c, ERROR_LIMIT, "events: select has %zu entries, more than %d; use globs", json_array_size(p->select), SELECTORS_MAX);
        else if (r == -ERANGE)
                call_fail(c, ERROR_INVALID, "event %lld has not been: the last one is %llu; the daemon was started anew since then",
                          (long long) p->since, (unsigned long long) hub_last_seq(call_control(c)->world.hub));
        else if (r < 0)
                call_errno(c, r, "cannot follow events");
        if (r < 0)
                return;
        call_keep(c, &event_stream_ops, s);
        s->begins_with_ring = p->since < 0 && !p->follow && !p->snapshot;
        if (p->snapshot)
                tell_snapshot(s);
        event_stream_go_on(s);
}

const Method method_events = {
        .class = ACCESS_OBSERVE,
        .scope = METHOD_OF_POOLS,
        .is_stream = true,
        .handler = handle_events,
        .fields = events_fields,
        .params_size = sizeof(EventsParams),
        .defaults = &events_defaults,
        .result = "{\"last\":SEQ} at the end; before it `event` notifications {\"call\",\"seq\",\"time\",\"event\",...} and, where "
                  "numbers are missing, `gap` notifications {\"call\",\"from\",\"to\",\"lost\"}; a snapshot is the event "
                  "{\"call\",\"seq\",\"time\",\"event\":\"snapshot\",\"pools\":[...]}, true up to that number. The end of a worker is told "
                  "only when its last line is in the log, so an event may tell again what a snapshot shows already",
};

/* ---- call.cancel ---- */

typedef struct CancelParams {
        json_t *id;
} CancelParams;

static const JsonField cancel_fields[] = {
        {"id", JSON_FIELD_VALUE, offsetof(CancelParams, id), .required = true, .help = "the id of the call"},
        {0},
};

static void handle_call_cancel(Call *c, const void *params) {
        const CancelParams *p = params;
        Call *other = call_find(c->connection, p->id);
        Text *t;

        if (other == c)
                other = NULL;
        if (other && other->ops && other->ops->on_cancel)
                other->ops->on_cancel(other, other->state);
        else if (other)
                call_fail(other, ERROR_CANCELLED, "%s was cancelled; what it had asked for goes on",
                          protocol_methods[other->method].name);
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_bool(t, "cancelled", other != NULL);
        json_end_object(t);
        call_end(c);
}

const Method method_call_cancel = {
        .class = ACCESS_PUBLIC,
        .handler = handle_call_cancel,
        .fields = cancel_fields,
        .params_size = sizeof(CancelParams),
        .result = "{\"cancelled\":BOOL}: a stream ends with its result, a wait with the error \"cancelled\"",
};
