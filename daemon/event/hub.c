/* hub.c - the ring and the subscribers.
 *
 * The ring is an array of slots used in a circle: `first` is the oldest, `n` how many are used. Each slot owns one
 * allocation: its data, then the two names; the JSON around them is made for who reads it. Numbers in the ring grow but
 * may have holes, where memory was short.
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

typedef struct RingSlot {
        Event event;
        size_t n_bytes; /* of its allocation, which begins with the data */
} RingSlot;

struct Hub {
        RingSlot *ring;
        size_t ring_capacity, max_bytes;
        size_t first, n, n_bytes;
        uint64_t last_seq;
        HubSubscriber *subscribers;
        unsigned n_rounds; /* rounds of handing out now on the stack */
        bool has_gone;
};

int hub_new(Hub **ret, size_t ring_max_events, size_t ring_max_bytes, uint64_t first_seq) {
        _cleanup_(hub_freep) Hub *h = NULL;

        if (ring_max_events == 0 || ring_max_bytes == 0 || first_seq == 0)
                return -EINVAL;
        h = NEW0(Hub);
        if (!h)
                return -ENOMEM;
        h->ring = NEW0_ARRAY(RingSlot, ring_max_events);
        if (!h->ring)
                return -ENOMEM;
        h->ring_capacity = ring_max_events;
        h->max_bytes = ring_max_bytes;
        h->last_seq = first_seq - 1;
        *ret = TAKE_PTR(h);
        return 0;
}

static void ring_drop_oldest(Hub *h) {
        RingSlot *slot = &h->ring[h->first];

        h->n_bytes -= slot->n_bytes;
        free((char *) slot->event.data);
        *slot = (RingSlot){0};
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

/* A copy of @s at *at, which goes on behind it; NULL takes no room. */
static const char *copy_text(char **at, const char *s, size_t n) {
        char *copy = *at;

        if (!s)
                return NULL;
        memcpy(copy, s, n);
        *at += n;
        return copy;
}

/* One allocation for all text of an event; -ENOMEM leaves @ret alone. */
static int slot_fill(const Event *e, RingSlot *ret) {
        size_t n_data = strlen(e->data) + 1, n_pool = e->pool ? strlen(e->pool) + 1 : 0, n_worker = e->worker ? strlen(e->worker) + 1 : 0;
        RingSlot slot = {.event = *e, .n_bytes = n_data + n_pool + n_worker};
        char *at = alloc_resize(NULL, slot.n_bytes);

        if (!at)
                return -ENOMEM;
        slot.event.data = copy_text(&at, e->data, n_data);
        slot.event.pool = copy_text(&at, e->pool, n_pool);
        slot.event.worker = copy_text(&at, e->worker, n_worker);
        *ret = slot;
        return 0;
}

static void ring_push(Hub *h, const RingSlot *slot) {
        while (h->n > 0 && (h->n == h->ring_capacity || h->n_bytes + slot->n_bytes > h->max_bytes))
                ring_drop_oldest(h);
        h->ring[(h->first + h->n) % h->ring_capacity] = *slot;
        h->n++;
        h->n_bytes += slot->n_bytes;
}

void hub_emit(Hub *h, EventKind k, const char *pool, const char *worker, const char *data) {
        Event e = {.seq = ++h->last_seq, .time = clock_realtime(), .kind = k, .pool = pool, .worker = worker, .data = data ? data : "{}"};
        HubSubscriber *s;
        RingSlot slot;

        if (slot_fill(&e, &slot) < 0)
                return;
        ring_push(h, &slot);
        h->n_rounds++;
        DL_FOREACH(h->subscribers, s) {
                if (!s->is_gone)
                        s->callback(&slot.event, s->userdata);
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
                const Event *e = &h->ring[(h->first + i) % h->ring_capacity].event;

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
