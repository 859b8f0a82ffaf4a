/* interrupt.c - waiting that Ctrl-C ends. */
#include "ctl/interrupt.h"

#include "wire/protocol.h"
#include <signal.h>
#include <sys/signalfd.h>

int interrupt_open(void) {
        static int fd = -EBADF; /* of the process, as the signal mask is */
        sigset_t set;

        if (fd >= 0)
                return fd;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

typedef struct Waiting {
        bool is_done;
        json_t *result;
        CallError *error;
} Waiting;

static void on_reply(json_t *result, const CallError *error, void *userdata) {
        Waiting *w = userdata;

        if (!w->error) /* given up before */
                return;
        w->is_done = true;
        w->result = json_incref(result);
        if (!error)
                return;
        call_error_set(w->error, error->name, "%s", error->message ? error->message : "the call failed");
        w->error->code = error->code;
        w->error->data = json_incref(error->data);
}

/* After a turn without the reply: 0 to go on, or -errno with the reason. */
static int why_to_give_up(int r, bool is_interrupted, usec_t deadline, CallError *error) {
        if (is_interrupted) {
                call_error_set(error, "interrupted",
                               "stopped waiting; what was asked for goes on in the daemon");
                return -EINTR;
        }
        if (r < 0) {
                call_error_set(error, "disconnected", "the daemon went away");
                return r;
        }
        if (clock_now() < deadline)
                return 0;
        call_error_set(error, "timeout", "the daemon did not answer in time");
        return -ETIMEDOUT;
}

int interrupt_call(Session *s, const char *method, json_t *params, usec_t deadline, json_t **ret,
                   CallError *error) {
        return interrupt_call_ticking(s, method, params, deadline, NULL, ret, error);
}

int interrupt_call_ticking(Session *s, const char *method, json_t *params, usec_t deadline, const InterruptTick *tick,
                           json_t **ret, CallError *error) {
        struct pollfd signal_fd = {.fd = interrupt_open(), .events = POLLIN};
        /* A call given up here may still be answered: from session_free() at the latest. */
        static Waiting waiting;

        usec_t next = tick ? usec_add(clock_now(), tick->first) : USEC_INFINITY;

        waiting = (Waiting){.error = error};
        int r = session_call_async(s, method, params, on_reply, &waiting);
        if (r == -ENOBUFS)
                call_error_set(error, "limit", "that is too much for one call: a message to the daemon has at most %u bytes", PROTOCOL_LINE_MAX);
        else if (r < 0)
                call_error_set(error, "disconnected", "the daemon went away: %s", strerror(-r));
        while (r >= 0 && !waiting.is_done) {
                r = session_poll(s, &signal_fd, 1, MIN(deadline, next));
                if (!waiting.is_done)
                        r = why_to_give_up(r, signal_fd.revents & POLLIN, deadline, error);
                if (r >= 0 && !waiting.is_done && clock_now() >= next) {
                        tick->on_tick(s, tick->userdata);
                        next = usec_add(clock_now(), tick->period);
                }
        }
        waiting.error = NULL;
        if (!waiting.is_done)
                return r;
        if (!waiting.result)
                return -EREMOTEIO;
        *ret = waiting.result;
        return 0;
}

int interrupt_reopen(Session *s, usec_t deadline) {
        struct pollfd signal_fd = {.fd = interrupt_open(), .events = POLLIN};
        usec_t end = MIN(deadline, usec_add(clock_now(), REOPEN_TIMEOUT)), pause = 20 * USEC_PER_MSEC;

        for (;;) {
                if (session_reopen(s) >= 0)
                        return 0;
                if (clock_now() >= end)
                        return -ETIMEDOUT;
                if (poll(&signal_fd, 1, (int) (pause / USEC_PER_MSEC)) > 0)
                        return -EINTR;
                pause = MIN(pause * 2, 500 * USEC_PER_MSEC);
        }
}
