/* cmd-top.c - `top`: the live table, its keys, and what they do.
 *
 * What is on the screen is one of three pages: the table, its help, or a worker's log. Keys go to the page that is
 * shown. Calls made by keys do not wait: what they bring about is seen in the table. */
#include "ctl/command.h"
#include "ctl/live.h"
#include "ctl/output.h"
#include "ctl/screen.h"
#include "ctl/top-log.h"
#include "ctl/top-view.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define MESSAGE_TIME (4 * USEC_PER_SEC)

typedef struct Top {
        Ctl *ctl;
        Live live;
        TopView view;
        TopLog log;
        bool has_help, is_done;
        int status;
        usec_t message_until; /* CLOCK_MONOTONIC; 0: none */
        unsigned rows, columns;
} Top;

_printf_(2, 3) static void say(Top *t, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(t->view.message, sizeof(t->view.message), fmt, ap);
        va_end(ap);
        t->message_until = usec_add(clock_now(), MESSAGE_TIME);
}

static void end(Top *t, int status) {
        t->is_done = true;
        t->status = status;
}

static void on_acted(_unused_ json_t *result, const CallError *error, void *userdata) {
        Top *t = userdata;

        if (t->is_done)
                return;
        if (error)
                say(t, "%s", error->message ? error->message : "the call failed");
        live_ask(&t->live);
}

static void act(Top *t, const char *method, const char *select, const char *what) {
        bool waits = !streq(method, "pause") && !streq(method, "resume");
        _cleanup_json_ json_t *params = json_pack("{s:[s]}", "select", select);

        if (!params || (waits && json_object_set_new(params, "wait", json_false()) < 0))
                return;
        say(t, "%s %s", what, select);
        if (session_call_async(t->live.ctl->session, method, params, on_acted, t) < 0)
                say(t, "the daemon is away");
}

/* Keys of the table that do something to the chosen worker. */
static bool act_on_key(Top *t, unsigned key) {
        static const struct {
                unsigned key;
                const char *method, *what;
                bool is_of_pool;
        } actions[] = {
                {'s', "stop", "stopping", false},
                {'S', "start", "starting", false},
                {'r', "restart", "restarting", false},
                {'R', "reload", "reloading", true},
        };
        const json_t *w = top_view_chosen(&t->view);
        const char *name = member_text(w, "name", NULL), *pool = member_text(w, "pool", name);

        if (!name)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
                if (actions[i].key == key) {
                        act(t, actions[i].method, actions[i].is_of_pool ? pool : name, actions[i].what);
                        return true;
                }
        if (key == 'p') {
                bool is_paused = member_bool(w, "paused");
                act(t, is_paused ? "resume" : "pause", name, is_paused ? "resuming" : "pausing");
        } else if (key == 'f' || key == KEY_ENTER)
                (void) top_log_start(&t->log, t->live.ctl->session, name);
        else
                return false;
        return true;
}

static void sort_by(Top *t, TopSort sort) {
        t->view.sort = sort;
        if (t->live.status)
                (void) top_view_take(&t->view, t->live.status);
}

static void choose_by_key(Top *t, unsigned key) {
        long page = t->rows > 5 ? (long) t->rows - 5 : 1, all = (long) t->view.n_rows;
        const struct {
                unsigned key;
                long by;
        } moves[] = {
                {KEY_UP, -1}, {'k', -1}, {KEY_DOWN, 1}, {'j', 1}, {KEY_PAGE_UP, -page}, {KEY_PAGE_DOWN, page},
                {' ', page}, {KEY_HOME, -all}, {'g', -all}, {KEY_END, all}, {'G', all},
        };
        for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
                if (moves[i].key == key)
                        top_view_move(&t->view, moves[i].by);
}

static void set_filter(Top *t, size_t length) {
        t->view.filter[length] = '\0';
        sort_by(t, t->view.sort);
}

static void table_key(Top *t, unsigned key) {
        if (key == 'q')
                end(t, CTL_DONE);
        else if (key == '?' || key == 'h')
                t->has_help = true;
        else if (key == '/') {
                t->view.is_typing = true;
                set_filter(t, 0);
        } else if (key == KEY_ESCAPE)
                set_filter(t, 0);
        else if (key == 'c' || key == 'm' || key == 'n')
                sort_by(t, key == 'c' ? TOP_BY_CPU : key == 'm' ? TOP_BY_MEMORY : TOP_BY_NAME);
        else if (!act_on_key(t, key))
                choose_by_key(t, key);
}

static void filter_key(Top *t, unsigned key) {
        size_t n = strlen(t->view.filter);

        if (key == KEY_ENTER || key == KEY_ESCAPE)
                t->view.is_typing = false;
        if (key == KEY_ESCAPE)
                set_filter(t, 0);
        else if (key == KEY_BACKSPACE && n)
                set_filter(t, n - 1);
        else if (key >= ' ' && key < 0x7f && n + 1 < sizeof(t->view.filter)) { /* names are ASCII */
                t->view.filter[n] = (char) key;
                set_filter(t, n + 1);
        }
}

static void take_key(Top *t, unsigned key) {
        if (t->log.session) {
                if (key == 'q' || key == 'f' || key == KEY_ESCAPE)
                        top_log_stop(&t->log);
        } else if (t->has_help)
                t->has_help = false;
        else if (t->view.is_typing)
                filter_key(t, key);
        else
                table_key(t, key);
}

static void take_keys(Top *t) {
        unsigned keys[64];
        int n = screen_keys(keys, ARRAY_SIZE(keys));

        if (n < 0)
                end(t, CTL_FAILED);
        for (int i = 0; i < n && !t->is_done; i++)
                take_key(t, keys[i]);
}

static void draw(Top *t) {
        _cleanup_text_ Text frame = {};

        screen_size(&t->rows, &t->columns);
        t->view.is_away = t->live.is_away;
        if (t->message_until && clock_now() >= t->message_until) {
                t->message_until = 0;
                t->view.message[0] = '\0';
        }
        if (t->log.session)
                top_log_put(&t->log, &frame, t->rows, t->columns);
        else if (t->has_help)
                top_view_help(&frame, t->rows, t->columns);
        else
                top_view_put(&t->view, &frame, t->live.status, t->rows, t->columns, clock_realtime());
        if (text_check(&frame) < 0 || screen_draw(&frame) < 0)
                end(t, CTL_FAILED);
}

/* A name that is not there is an error at the start, and a message later. */
static void take_status(Top *t) {
        if (t->live.error.message && !t->live.status) {
                screen_off();
                end(t, ctl_fail(t->ctl, &t->live.error));
        } else if (t->live.error.message)
                say(t, "%s", t->live.error.message);
        else if (top_view_take(&t->view, t->live.status) < 0)
                end(t, CTL_FAILED);
}

static void turn(Top *t, usec_t deadline) {
        struct pollfd extra[] = {{.fd = screen_fd(), .events = POLLIN}, {.fd = screen_keys_fd(), .events = POLLIN}};
        usec_t until = MIN(deadline, t->message_until ? t->message_until : USEC_INFINITY);
        bool was_away = t->live.is_away;
        int status = live_turn(&t->live, extra, ARRAY_SIZE(extra), until);

        if (status != CTL_DONE)
                end(t, status);
        if (was_away && !t->live.is_away)
                top_log_again(&t->log);
        if (extra[0].revents) {
                int number = screen_signal();
                if (number)
                        end(t, number == SIGINT ? CTL_DONE : 128 + number);
        }
        if (!t->is_done && t->live.is_new)
                take_status(t);
        if (!t->is_done && extra[1].revents)
                take_keys(t);
        if (!t->is_done && clock_now() >= deadline)
                end(t, CTL_DONE);
        if (!t->is_done)
                draw(t);
}

static int run_screen(Top *t) {
        usec_t deadline = t->ctl->has_timeout ? usec_add(clock_now(), t->ctl->timeout) : USEC_INFINITY;

        int status = live_start(&t->live, t->ctl);
        if (status != CTL_DONE)
                return status;
        while (!t->is_done)
                turn(t, deadline);
        screen_off();
        if (t->status == CTL_NO_DAEMON)
                ctl_say("the daemon went away and did not come back");
        top_log_stop(&t->log);
        live_done(&t->live);
        return t->status;
}

/* Without a terminal: all rows, once; "%CPU" is then that since each process began. */
static int print_once(Top *t) {
        _cleanup_json_ json_t *result = NULL;
        _cleanup_text_ Text out = {};
        UsageBook usage = {};

        int status = ctl_call(t->ctl, "status", ctl_select_params(t->ctl), &result);
        if (status != CTL_DONE)
                return status;
        usage_book_add(&usage, result, clock_now());
        usage_book_done(&usage);
        if (t->ctl->show == SHOW_JSON || t->ctl->show == SHOW_JSONL)
                json_append(&out, result, t->ctl->show == SHOW_JSON);
        else if (top_view_take(&t->view, result) < 0)
                return CTL_FAILED;
        else
                top_view_print(&t->view, &out, result, t->ctl->width, clock_realtime());
        return ctl_put_text(&out, CTL_DONE);
}

int cmd_top(Ctl *c) {
        Top t = {.ctl = c};

        t.view.sort = cli_given(&c->args, OPT_SORT) ? (TopSort) c->args.number[OPT_SORT] : TOP_BY_NAME;
        t.view.with_ended = cli_given(&c->args, OPT_ALL);
        t.view.is_color = c->use_color;
        bool is_for_people = c->show == SHOW_TABLE || c->show == SHOW_WIDE;
        int opened = ctl_open(c); /* a complaint about that belongs on the screen that stays */
        if (opened != CTL_DONE)
                return opened;
        if (is_for_people && isatty(STDIN_FILENO) && screen_is_possible() && screen_on() >= 0) {
                int status = run_screen(&t);
                screen_off();
                top_view_done(&t.view);
                return status;
        }
        int status = print_once(&t);
        top_view_done(&t.view);
        return status;
}
