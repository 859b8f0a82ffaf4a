/* cmd-watch.c - `status -w`. */
#include "ctl/cmd-watch.h"

#include "ctl/interrupt.h"
#include "ctl/live.h"
#include "ctl/output.h"
#include "ctl/screen.h"
#include <signal.h>
#include <unistd.h>

typedef struct Watch {
        Ctl *ctl;
        Live live;
        watch_put_cb put;
        Text shown; /* the last text */
        bool is_screen, is_first;
        int status;
        bool is_done;
} Watch;

static void end(Watch *w, int status) {
        w->is_done = true;
        w->status = status;
}

/* The whole table may be longer than the screen: its last line says so then. */
static void draw(Watch *w) {
        _cleanup_text_ Text frame = {};
        unsigned rows, columns, n = 0;
        const char *p = w->shown.data ? w->shown.data : "";

        screen_size(&rows, &columns);
        for (const char *q = p; *q; q++)
                n += *q == '\n';
        unsigned n_shown = n <= rows ? n : rows - 1;
        for (unsigned i = 0; i < n_shown; i++) {
                size_t length = strcspn(p, "\n") + 1;
                text_append_n(&frame, p, length);
                p += length;
        }
        if (w->live.is_away && n_shown < rows)
                text_append(&frame, "(the daemon is away; waiting for it)\n");
        else if (n_shown < n)
                text_appendf(&frame, "(%u more lines; droverctl top scrolls)\n", n - n_shown);
        if (screen_draw(&frame) < 0)
                end(w, CTL_FAILED);
}

static void print(Watch *w, const Text *now) {
        bool is_json = w->ctl->show == SHOW_JSON || w->ctl->show == SHOW_JSONL;
        _cleanup_text_ Text out = {};

        if (!w->is_first && !w->live.is_change)
                return; /* only the figures are newer */
        text_append(&out, w->is_first || is_json ? "" : "\n");
        text_append_n(&out, now->data ? now->data : "", now->length);
        if (output_write(STDOUT_FILENO, &out) < 0)
                end(w, CTL_FAILED);
}

/* The first answer decides whether there is anything to watch; a name that goes away later is waited for. */
static void show(Watch *w) {
        _cleanup_text_ Text now = {};

        if (w->live.error.message && w->is_first) {
                screen_off();
                end(w, ctl_fail(w->ctl, &w->live.error));
                return;
        }
        if (w->live.error.message) {
                escape_append(&now, w->live.error.message);
                text_append_char(&now, '\n');
        } else
                w->put(w->ctl, &now, w->live.status);
        if (!w->is_screen)
                print(w, &now);
        w->is_first = false;
        text_clear(&w->shown);
        text_append_n(&w->shown, now.data ? now.data : "", now.length);
}

static void take_screen_events(Watch *w, const struct pollfd *extra) {
        unsigned keys[16];

        if (extra[0].revents) {
                int number = screen_signal();
                unsigned rows;
                screen_size(&rows, &w->ctl->width);
                if (number)
                        end(w, number == SIGINT ? CTL_INTERRUPTED : 128 + number);
        }
        if (!extra[1].revents)
                return;
        int n = screen_keys(keys, ARRAY_SIZE(keys));
        if (n < 0)
                end(w, CTL_FAILED);
        for (int i = 0; i < n; i++)
                if (keys[i] == 'q')
                        end(w, CTL_DONE);
}

static void take_plain_events(Watch *w, const struct pollfd *extra) {
        if (extra[0].revents)
                end(w, CTL_INTERRUPTED);
        else if (extra[1].revents & POLLERR) /* nobody reads */
                end(w, CTL_DONE);
}

static void turn(Watch *w, usec_t deadline) {
        struct pollfd extra[] = {
                {.fd = w->is_screen ? screen_fd() : interrupt_open(), .events = POLLIN},
                {.fd = w->is_screen ? screen_keys_fd() : STDOUT_FILENO, .events = w->is_screen ? POLLIN : 0},
        };
        bool was_away = w->live.is_away;
        int status = live_turn(&w->live, extra, ARRAY_SIZE(extra), deadline);

        if (status != CTL_DONE)
                end(w, status);
        w->is_screen ? take_screen_events(w, extra) : take_plain_events(w, extra);
        bool is_resized = w->is_screen && extra[0].revents && w->live.status;
        if (!w->is_done && (w->live.is_new || is_resized))
                show(w);
        if (!w->is_done && w->is_screen && (w->live.is_new || extra[0].revents || w->live.is_away != was_away))
                draw(w);
        if (!w->is_done && clock_now() >= deadline)
                end(w, CTL_DONE);
}

int watch_run(Ctl *c, watch_put_cb put) {
        Watch w = {.ctl = c, .put = put, .is_first = true};
        usec_t deadline = c->has_timeout ? usec_add(clock_now(), c->timeout) : USEC_INFINITY;

        int status = live_start(&w.live, c);
        if (status != CTL_DONE)
                return status;
        bool is_for_people = c->show == SHOW_TABLE || c->show == SHOW_WIDE;
        w.is_screen = is_for_people && screen_is_possible() && screen_on() >= 0;
        while (!w.is_done)
                turn(&w, deadline);
        screen_off();
        if (w.is_screen && w.shown.length)
                (void) output_write(STDOUT_FILENO, &w.shown);
        if (w.status == CTL_NO_DAEMON)
                ctl_say("the daemon went away and did not come back");
        text_done(&w.shown);
        live_done(&w.live);
        return w.status;
}
