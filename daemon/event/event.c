/* event.c - the table of kinds and the one place where an event becomes JSON. */
#include "event/event.h"

static const struct {
        const char *name, *help;
} event_kinds[_EVENT_KIND_MAX] = {
#define X(id, name, help) [EVENT_##id] = {name, help},
        EVENT_KINDS(X)
#undef X
};

static bool kind_is_valid(EventKind k) {
        return (unsigned) k < _EVENT_KIND_MAX;
}

const char *event_kind_to_string(EventKind k) {
        return kind_is_valid(k) ? event_kinds[k].name : NULL;
}

const char *event_kind_help(EventKind k) {
        return kind_is_valid(k) ? event_kinds[k].help : NULL;
}

int event_kind_from_string(const char *s) {
        for (int k = 0; k < _EVENT_KIND_MAX; k++)
                if (streq(event_kinds[k].name, s))
                        return k;
        return -EINVAL;
}

void event_put(const Event *e, Text *t) {
        char when[TIME_TEXT_MAX];

        json_put_u64(t, "seq", e->seq);
        json_put_string(t, "time", time_format(when, e->time));
        json_put_string(t, "event", event_kind_to_string(e->kind));
        if (e->pool)
                json_put_string(t, "pool", e->pool);
        if (e->worker)
                json_put_string(t, "worker", e->worker);
        json_put_raw(t, "data", e->data);
}

char *event_text(const Event *e) {
        _cleanup_text_ Text t = {0};

        json_put_object(&t, NULL);
        event_put(e, &t);
        json_end_object(&t);
        return text_take(&t);
}
