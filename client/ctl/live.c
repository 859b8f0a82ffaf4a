/* live.c - status, kept up to date. */
#include "ctl/live.h"

#define RETRY_PAUSE (250 * USEC_PER_MSEC)

/* The daemon samples a thousand workers in small portions: the first answer may come before the last of them. */
static bool is_incomplete(const json_t *status) {
        const json_t *p, *w;
        size_t i, k;

        json_array_foreach(json_object_get(status, "pools"), i, p)
                json_array_foreach(json_object_get(p, "workers"), k, w)
                        if (member_bool(w, "alive") && json_is_null(json_object_get(w, "cpu")))
                                return true;
        return false;
}

static void on_status(json_t *result, const CallError *error, void *userdata) {
        Live *l = userdata;

        l->is_asking = false;
        if (error && call_error_is(error, "disconnected"))
                return;
        call_error_done(&l->error);
        if (error) {
                call_error_set(&l->error, error->name, "%s", error->message ? error->message : "the call failed");
                l->error.code = error->code;
        } else {
                json_decref(l->status);
                l->status = json_incref(result);
                usage_book_add(&l->usage, result, clock_now());
                if (l->n_hurried < LIVE_HURRY_MAX && is_incomplete(result)) {
                        l->n_hurried++;
                        l->is_due = true;
                }
        }
        l->is_new = true;
}

static void on_event(_unused_ const char *kind, _unused_ json_t *params, void *userdata) {
        Live *l = userdata;

        l->is_due = true;
}

/* An event stream that ends or is refused leaves the second hand. */
static void on_end(_unused_ json_t *result, _unused_ const CallError *error, _unused_ void *userdata) {
}

static void ask_status(Live *l) {
        _cleanup_json_ json_t *params = ctl_select_params(l->ctl);

        l->asked_at = clock_now();
        l->is_change = l->is_due;
        l->is_due = false;
        if (params && session_call_async(l->ctl->session, "status", params, on_status, l) >= 0)
                l->is_asking = true;
}

static void subscribe(Live *l) {
        _cleanup_json_ json_t *params = ctl_select_params(l->ctl);

        if (params && json_object_set_new(params, "follow", json_true()) >= 0)
                (void) session_stream(l->ctl->session, "events", params, on_event, on_end, l);
        ask_status(l);
}

int live_start(Live *l, Ctl *c) {
        *l = (Live){.ctl = c};
        int status = ctl_open(c);
        if (status == CTL_DONE)
                subscribe(l);
        return status;
}

void live_done(Live *l) {
        /* What is still in flight would be told to us by session_free() later. */
        l->ctl->session = session_free(l->ctl->session);
        json_decref(l->status);
        call_error_done(&l->error);
        usage_book_done(&l->usage);
}

void live_ask(Live *l) {
        l->is_due = true;
        l->asked_at = 0;
}

static usec_t next_ask(const Live *l) {
        if (l->is_asking)
                return USEC_INFINITY;
        return usec_add(l->asked_at, l->is_due ? LIVE_PAUSE : LIVE_PERIOD);
}

/* Away: wait for @extra and try again now and then. */
static int turn_away(Live *l, struct pollfd *extra, size_t n_extra, usec_t deadline) {
        usec_t now = clock_now(), until = MIN(deadline, usec_add(l->tried_at, RETRY_PAUSE));

        if (now >= usec_add(l->away_since, LIVE_PATIENCE))
                return CTL_NO_DAEMON;
        if (until > now && poll(extra, n_extra, (int) ((until - now) / USEC_PER_MSEC) + 1) > 0)
                return CTL_DONE;
        l->tried_at = clock_now();
        if (session_reopen(l->ctl->session) < 0)
                return CTL_DONE;
        l->is_away = false;
        subscribe(l);
        return CTL_DONE;
}

int live_turn(Live *l, struct pollfd *extra, size_t n_extra, usec_t deadline) {
        l->is_new = false;
        for (size_t i = 0; i < n_extra; i++)
                extra[i].revents = 0;
        if (l->is_away)
                return turn_away(l, extra, n_extra, deadline);
        if (clock_now() >= next_ask(l))
                ask_status(l);
        int r = session_poll(l->ctl->session, extra, n_extra, MIN(deadline, next_ask(l)));
        if (r < 0) {
                l->is_away = true;
                l->is_asking = false;
                l->away_since = clock_now();
                l->tried_at = 0;
                l->is_due = true; /* what it says when it is back is news */
        }
        return CTL_DONE;
}
