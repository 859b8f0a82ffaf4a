/* follow.c - print a stream until its end. */
#include "ctl/follow.h"

#include "ctl/interrupt.h"
#include "ctl/output.h"
#include <poll.h>

/* Written out when this much is gathered, so that a long answer does not fill memory. */
#define FOLLOW_FLUSH 65536

static void flush(Follow *f) {
        Text *texts[] = {&f->out, &f->err};

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                int r = text_check(texts[i]);
                if (r >= 0)
                        r = output_write(i == 0 ? STDOUT_FILENO : STDERR_FILENO, texts[i]);
                text_clear(texts[i]);
                if (r < 0 && !f->is_done) {
                        f->is_done = true;
                        f->status = CTL_FAILED;
                        if (r != -EPIPE)
                                ctl_say("cannot write: %s", strerror(-r));
                }
        }
}

void follow_put(Follow *f, int fd, const Text *line) {
        Text *mine = fd == STDOUT_FILENO ? &f->out : &f->err,
             *other = fd == STDOUT_FILENO ? &f->err : &f->out;

        if (other->length || mine->length > FOLLOW_FLUSH)
                flush(f);
        if (line->length)
                text_append_n(mine, line->data, line->length);
}

static void on_reply(json_t *result, const CallError *error, void *userdata) {
        Follow *f = userdata;

        if (f->is_done || (error && call_error_is(error, "disconnected")))
                return; /* asked again by follow_run() */
        f->is_done = true;
        if (!error)
                return;
        flush(f);
        f->status = ctl_fail(f->ctl, error);
}

static void on_message(const char *kind, json_t *params, void *userdata) {
        Follow *f = userdata;

        if (!f->is_done)
                f->on_notify(kind, params, f->userdata);
}

static int ask(Follow *f) {
        _cleanup_json_ json_t *params = f->make_params(f->userdata);

        if (!params)
                return -ENOMEM;
        return session_stream(f->ctl->session, f->method, params, on_message, on_reply, f);
}

/* One turn: what came from the daemon, written. */
static int turn(Follow *f, usec_t deadline) {
        struct pollfd extra[] = {
                {.fd = interrupt_open(), .events = POLLIN},
                {.fd = STDOUT_FILENO, .events = 0}, /* POLLERR: its reader has gone */
        };
        int r = session_poll(f->ctl->session, extra, ARRAY_SIZE(extra), deadline);

        flush(f);
        if (!f->is_done && extra[0].revents & POLLIN) {
                f->is_done = true;
                f->status = CTL_INTERRUPTED;
        }
        if (!f->is_done && extra[1].revents & POLLERR) {
                f->is_done = true;
                f->status = CTL_DONE;
        }
        if (!f->is_done && clock_now() >= deadline) {
                f->is_done = true;
                f->status = f->is_endless ? CTL_DONE : CTL_TIMED_OUT;
        }
        return r;
}

int follow_run(Follow *f) {
        usec_t deadline = f->ctl->has_timeout ? usec_add(clock_now(), f->ctl->timeout) : USEC_INFINITY;

        f->status = ctl_open(f->ctl);
        if (f->status != CTL_DONE)
                return f->status;
        int r = ask(f);
        while (!f->is_done) {
                if (r >= 0)
                        r = turn(f, deadline);
                if (r >= 0 || f->is_done)
                        continue;
                if (r == -ENOMEM || interrupt_reopen(f->ctl->session, deadline) < 0) {
                        ctl_say("the daemon went away and did not come back");
                        f->status = CTL_NO_DAEMON;
                        break;
                }
                r = ask(f);
        }
        f->is_done = true;
        f->ctl->session = session_free(f->ctl->session); /* a call may be open still: its last words find @f here */
        text_done(&f->out);
        text_done(&f->err);
        return f->status;
}
