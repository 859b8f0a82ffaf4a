/* run-signal.c - signals passed on. */
#include "ctl/run-signal.h"

#include "base/fd.h"
#include "base/json.h"
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const struct {
        int number;
        int sent; /* instead */
        bool is_tree;
        bool is_ending;
        bool then_stop; /* ourselves, too */
} table[] = {
        {SIGINT, SIGINT, true, true, false},     {SIGQUIT, SIGQUIT, true, true, false},
        {SIGHUP, SIGHUP, true, true, false},     {SIGTERM, SIGTERM, false, true, false},
        {SIGUSR1, SIGUSR1, false, false, false}, {SIGUSR2, SIGUSR2, false, false, false},
        {SIGTSTP, SIGSTOP, true, false, true},   {SIGCONT, SIGCONT, true, false, false},
};

int run_signals_init(RunSignals *s, bool is_attached) {
        sigset_t set;

        s->fd = -EBADF;
        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (is_attached || table[i].number == SIGINT)
                        sigaddset(&set, table[i].number);
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return s->fd < 0 ? -errno : 0;
}

void run_signals_done(RunSignals *s) {
        if (s->fd > 0)
                s->fd = fd_close(s->fd);
}

int run_signals_fd(const RunSignals *s) {
        return s->fd;
}

/* The tree is stopped: now we may be. SIGSTOP returns when we are continued, and the SIGCONT is in the
 * descriptor. */
static void on_stopped(_unused_ json_t *result, const CallError *error, _unused_ void *userdata) {
        if (!error)
                (void) kill(getpid(), SIGSTOP);
}

/* A refusal means that the process has just ended, which `wait` will tell. */
static void on_sent(_unused_ json_t *result, _unused_ const CallError *error, _unused_ void *userdata) {
}

static void pass_on(RunSignals *s, size_t i) {
        _cleanup_json_ json_t *params = json_object(), *select = json_array();

        if (json_array_append_new(select, json_string(s->name)) < 0 ||
            json_object_set(params, "select", select) < 0 ||
            json_object_set_new(params, "signal", json_integer(table[i].sent)) < 0 ||
            json_object_set_new(params, "tree", json_boolean(table[i].is_tree)) < 0)
                return;
        (void) session_call_async(s->session, "kill", params, table[i].then_stop ? on_stopped : on_sent, s);
}

void run_signals_start(RunSignals *s, Session *session, const char *name) {
        s->session = session;
        s->name = name;
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (s->waiting & (UINT64_C(1) << table[i].number))
                        pass_on(s, i);
        s->waiting = 0;
}

bool run_signals_process(RunSignals *s) {
        struct signalfd_siginfo info;
        bool is_ending = false;

        while (read(s->fd, &info, sizeof(info)) == sizeof(info))
                for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                        if ((uint32_t) table[i].number != info.ssi_signo)
                                continue;
                        is_ending = is_ending || table[i].is_ending;
                        if (s->session)
                                pass_on(s, i);
                        else
                                s->waiting |= UINT64_C(1) << table[i].number;
                }
        return is_ending;
}
