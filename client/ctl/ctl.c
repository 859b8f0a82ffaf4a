/* ctl.c - what commands share: messages, statuses, calls. */
#include "ctl/ctl.h"

#include "ctl/command.h"
#include "ctl/interrupt.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A daemon answers within milliseconds; one that does not within this is stuck, and the user should know. */
#define CALL_TIMEOUT (30 * USEC_PER_SEC)
/* Over the daemon's own timeout, so that its answer can come first. */
#define CALL_GRACE (2 * USEC_PER_SEC)

static unsigned terminal_width(void) {
        struct winsize w = {};

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
                return 80;
        return w.ws_col;
}

void ctl_init(Ctl *c) {
        const CliArgs *a = &c->args;
        uint64_t color = cli_given(a, OPT_COLOR) ? a->number[OPT_COLOR] : 0; /* auto always never */
        const char *no_color = getenv("NO_COLOR");

        c->show = cli_given(a, OPT_OUTPUT) ? (ShowMode) a->number[OPT_OUTPUT] : SHOW_TABLE;
        c->is_quiet = cli_given(a, OPT_QUIET);
        c->no_wait = cli_given(a, OPT_NO_WAIT);
        c->has_timeout = cli_given(a, OPT_TIMEOUT);
        c->timeout = a->number[OPT_TIMEOUT];
        c->is_terminal = isatty(STDOUT_FILENO);
        c->use_color = color == 1 || (color == 0 && c->is_terminal && !(no_color && *no_color));
        c->width = c->is_terminal ? terminal_width() : 0;
}

void ctl_done(Ctl *c) {
        c->session = session_free(c->session);
        cli_args_done(&c->args);
}

_printf_(1, 0) static void say(const char *fmt, va_list ap) {
        _cleanup_text_ Text t = {};
        char buf[4096];

        vsnprintf(buf, sizeof(buf), fmt, ap);
        text_append(&t, "droverctl: ");
        escape_append(&t, buf);
        text_append_char(&t, '\n');
        if (text_check(&t) >= 0)
                (void) output_write(STDERR_FILENO, &t);
}

void ctl_say(const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        say(fmt, ap);
        va_end(ap);
}

void ctl_hint(const Ctl *c, const char *fmt, ...) {
        va_list ap;

        if (c->is_quiet)
                return;
        va_start(ap, fmt);
        say(fmt, ap);
        va_end(ap);
}

int ctl_usage(const Ctl *c, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        say(fmt, ap);
        va_end(ap);
        if (c->args.command)
                ctl_say("usage: droverctl %s%s%s; more with droverctl help %s", c->args.command->name,
                        c->args.command->usage && *c->args.command->usage ? " " : "",
                        c->args.command->usage ? c->args.command->usage : "", c->args.command->name);
        return CTL_USAGE;
}

/* -32601 is "method not found": it has the name not-found, but no pool is missing; the daemon is too old. */
#define CODE_METHOD_NOT_FOUND (-32601)

int ctl_status_of_error(const CallError *e) {
        static const struct {
                const char *name;
                CtlStatus status;
        } statuses[] = {
                {"not-found", CTL_NO_SUCH},       {"denied", CTL_DENIED},
                {"timeout", CTL_TIMED_OUT},       {"invalid", CTL_USAGE},
                {"no-daemon", CTL_NO_DAEMON},     {"disconnected", CTL_NO_DAEMON},
                {"interrupted", CTL_INTERRUPTED},
        };
        if (e->code == CODE_METHOD_NOT_FOUND)
                return CTL_FAILED;
        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
                if (call_error_is(e, statuses[i].name))
                        return (int) statuses[i].status;
        return CTL_FAILED;
}

int ctl_status_of_exitcode(json_int_t exitcode) {
        return exitcode >= 0 ? (int) (exitcode & 0xff) : 128 + (int) (-exitcode & 0x7f);
}

int ctl_fail(const Ctl *c, const CallError *e) {
        ctl_say("%s", e->message ? e->message : "the call failed");
        if (e->code == CODE_METHOD_NOT_FOUND)
                ctl_say("this droverd does not know it; compare `droverctl version`");
        return ctl_status_of_error(e);
}

int ctl_open(Ctl *c) {
        _cleanup_call_error_ CallError error = {};

        if (c->session)
                return CTL_DONE;
        if (session_open(&c->session, c->args.text[OPT_SOCKET], &error) < 0)
                return ctl_fail(c, &error);
        return CTL_DONE;
}

/* Before a call: its @params could not be made when they are NULL. */
static int open_for(Ctl *c, const json_t *params) {
        if (params)
                return ctl_open(c);
        ctl_say("out of memory");
        return CTL_FAILED;
}

int ctl_call(Ctl *c, const char *method, json_t *params_consume, json_t **ret) {
        _cleanup_json_ json_t *params = params_consume;
        _cleanup_call_error_ CallError error = {};
        int status = open_for(c, params);
        if (status != CTL_DONE)
                return status;
        if (session_call(c->session, method, params, c->has_timeout ? c->timeout : CALL_TIMEOUT, ret,
                         &error) < 0)
                return ctl_fail(c, &error);
        return CTL_DONE;
}

static int put_wait_params(const Ctl *c, json_t *params, usec_t left) {
        if (c->no_wait && json_object_set_new(params, "wait", json_false()) < 0)
                return -ENOMEM;
        if (c->has_timeout &&
            json_object_set_new(params, "timeout", json_real((double) left / (double) USEC_PER_SEC)) < 0)
                return -ENOMEM;
        return 0;
}

int ctl_call_waiting(Ctl *c, const char *method, json_t *params_consume, bool is_repeatable, json_t **ret) {
        _cleanup_json_ json_t *params = params_consume;
        _cleanup_call_error_ CallError error = {};
        usec_t deadline = c->has_timeout ? usec_add(clock_now(), c->timeout) : USEC_INFINITY,
               left = c->timeout;
        int status = open_for(c, params);
        if (status != CTL_DONE)
                return status;
        for (;;) {
                if (put_wait_params(c, params, left) < 0)
                        return CTL_FAILED;
                call_error_done(&error);
                int r = progress_call(c, method, params, usec_add(deadline, CALL_GRACE), ret, &error);
                if (r >= 0)
                        return CTL_DONE;
                if (!is_repeatable || !call_error_is(&error, "disconnected"))
                        return ctl_fail(c, &error);
                if (interrupt_reopen(c->session, deadline) < 0)
                        return ctl_fail(c, &error);
                left = usec_sub(deadline, clock_now());
        }
}

int ctl_call_again(Ctl *c, const char *method, json_t *params_consume, json_t **ret) {
        usec_t timeout = c->has_timeout ? c->timeout : CALL_TIMEOUT, deadline = usec_add(clock_now(), timeout);
        _cleanup_json_ json_t *params = params_consume;
        _cleanup_call_error_ CallError error = {};
        int status = params ? ctl_open(c) : CTL_FAILED;

        if (status != CTL_DONE)
                return status;
        while (session_call(c->session, method, params, timeout, ret, &error) < 0) {
                if (!call_error_is(&error, "disconnected") || interrupt_reopen(c->session, deadline) < 0)
                        return ctl_fail(c, &error);
                call_error_done(&error);
                timeout = usec_sub(deadline, clock_now());
        }
        return CTL_DONE;
}

json_t *ctl_select_params(const Ctl *c) {
        _cleanup_json_ json_t *params = json_object(), *names = NULL;

        if (!c->args.n_names)
                return TAKE_PTR(params);
        names = json_array();
        for (size_t i = 0; i < c->args.n_names; i++)
                if (json_array_append_new(names, json_string(c->args.names[i])) < 0)
                        return NULL;
        return json_object_set(params, "select", names) < 0 ? NULL : TAKE_PTR(params);
}

int ctl_put_text(const Text *t, int status) {
        if (text_check(t) < 0) {
                ctl_say("out of memory");
                return CTL_FAILED;
        }
        int r = output_write(STDOUT_FILENO, t);
        if (r < 0 && r != -EPIPE)
                ctl_say("cannot write: %s", strerror(-r));
        return r < 0 ? CTL_FAILED : status;
}

const char *member_text(const json_t *o, const char *key, const char *otherwise) {
        const char *s = json_string_value(json_object_get(o, key));
        return s ? s : otherwise;
}

double member_number(const json_t *o, const char *key, double otherwise) {
        const json_t *v = json_object_get(o, key);
        return json_is_number(v) ? json_number_value(v) : otherwise;
}

bool member_bool(const json_t *o, const char *key) {
        return json_is_true(json_object_get(o, key));
}
