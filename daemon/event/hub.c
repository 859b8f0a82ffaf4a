/* hub.c - the ring and the subscribers.
 *
 * The ring is an array of slots used in a circle: `first` is the oldest, `n` how many are used. Each slot owns one
 * allocation: its JSON, then the two names. Numbers in the ring grow but may have holes, where memory was short.
 *
 * A subscriber that goes away while an event is handed out is only marked; hub_emit() frees it when the outermost
 * round is over, so that the list is never cut under the walker. */
#include "event/hub.h"
#include "base/alloc.h"
#include <utlist.h>

struct HubSubscriber {
        Hub *hub;
        hub_callback callback;
        void *userdata;
        bool is_gone;
        HubSubscriber *prev, *next;
};

struct Hub {
        Event *ring;
        size_t ring_capacity, max_bytes;
        size_t first, n, n_bytes;
        uint64_t last_seq;
        HubSubscriber *subscribers;
        unsigned n_rounds; /* rounds of handing out now on the stack */
        bool has_gone;
};

static size_t event_bytes(const Event *e) {
        return e->json_length + (e->pool ? strlen(e->pool) : 0) + (e->worker ? strlen(e->worker) : 0) + 3;
}

int hub_new(Hub **ret, size_t ring_max_events, size_t ring_max_bytes, uint64_t first_seq) {
        _cleanup_(hub_freep) Hub *h = NULL;

        if (ring_max_events == 0 || ring_max_bytes == 0 || first_seq == 0)
                return -EINVAL;
        h = NEW0(Hub);
        if (!h)
                return -ENOMEM;
        h->ring = NEW0_ARRAY(Event, ring_max_events);
        if (!h->ring)
                return -ENOMEM;
        h->ring_capacity = ring_max_events;
        h->max_bytes = ring_max_bytes;
        h->last_seq = first_seq - 1;
        *ret = TAKE_PTR(h);
        return 0;
}

static void ring_drop_oldest(Hub *h) {
        Event *e = &h->ring[h->first];

        h->n_bytes -= event_bytes(e);
        free((char *) e->json);
        *e = (Event){0};
        h->first = (h->first + 1) % h->ring_capacity;
        h->n--;
}

static void subscribers_sweep(Hub *h, bool all) {
        HubSubscriber *s, *next;

        DL_FOREACH_SAFE(h->subscribers, s, next) {
                if (!all && !s->is_gone)
                        continue;
                DL_DELETE(h->subscribers, s);
                free(s);
        }
        h->has_gone = false;
}

Hub *hub_free(Hub *h) {
        if (!h)
                return NULL;
        while (h->n > 0)
                ring_drop_oldest(h);
        subscribers_sweep(h, true);
        free(h->ring);
        free(h);
        return NULL;
}

/* Append @s with its terminator; @ret_offset says where it went. NULL takes no room. */
static void append_name(Text *t, const char *s, size_t *ret_offset) {
        *ret_offset = t->length;
        if (s)
                text_append_n(t, s, strlen(s) + 1);
}

/* One allocation for all text of an event; -ENOMEM leaves @ret alone. */
static int event_build(const Event *head, const char *data, Event *ret) {
        _cleanup_text_ Text t = {0};
        size_t length, at_pool, at_worker;
        Event e = *head;

        event_format(&t, e.seq, e.time, e.kind, e.pool, e.worker, data);
        length = t.length;
        text_append_n(&t, "", 1);
        append_name(&t, e.pool, &at_pool);
        append_name(&t, e.worker, &at_worker);
        if (text_check(&t) < 0)
                return -ENOMEM;
        e.json = text_take(&t);
        e.json_length = length;
        e.pool = e.pool ? e.json + at_pool : NULL;
        e.worker = e.worker ? e.json + at_worker : NULL;
        *ret = e;
        return 0;
}

static void ring_push(Hub *h, const Event *e) {
        size_t bytes = event_bytes(e);

        while (h->n > 0 && (h->n == h->ring_capacity || h->n_bytes + bytes > h->max_bytes))
                ring_drop_oldest(h);
        h->ring[(h->first + h->n) % h->ring_capacity] = *e;
        h->n++;
        h->n_bytes += bytes;
}

void hub_emit(Hub *h, EventKind k, const char *pool, const char *worker, const char *data) {
        Event head = {.seq = ++h->last_seq, .time = clock_realtime(), .kind = k, .pool = pool, .worker = worker}, e;
        HubSubscriber *s;

        if (event_build(&head, data, &e) < 0)
                return;
        ring_push(h, &e);
        h->n_rounds++;
        DL_FOREACH(h->subscribers, s) {
                if (!s->is_gone)
                        s->callback(&e, s->userdata);
        }
        if (--h->n_rounds == 0 && h->has_gone)
                subscribers_sweep(h, false);
}

uint64_t hub_last_seq(const Hub *h) {
        return h->last_seq;
}

uint64_t hub_replay(Hub *h, uint64_t since, hub_callback cb, void *userdata) {
        uint64_t n_expected = h->last_seq > since ? h->last_seq - since : 0, n_found = 0;
        size_t n = h->n;

        for (size_t i = 0; i < n; i++) {
                const Event *e = &h->ring[(h->first + i) % h->ring_capacity];

                if (e->seq <= since)
                        continue;
                cb(e, userdata);
                n_found++;
        }
        return n_expected - n_found;
}

int hub_subscribe(HubSubscriber **ret, Hub *h, hub_callback cb, void *userdata) {
        HubSubscriber *s = NEW0(HubSubscriber);

        if (!s)
                return -ENOMEM;
        *s = (HubSubscriber){.hub = h, .callback = cb, .userdata = userdata};
        DL_APPEND(h->subscribers, s);
        *ret = s;
        return 0;
}

HubSubscriber *hub_unsubscribe(HubSubscriber *s) {
        if (!s)
                return NULL;
        if (s->hub->n_rounds > 0) {
                s->is_gone = true;
                s->hub->has_gone = true;
                return NULL;
        }
        DL_DELETE(s->hub->subscribers, s);
        free(s);
        return NULL;
}
