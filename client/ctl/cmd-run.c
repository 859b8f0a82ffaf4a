/* cmd-run.c - run: one command, or target of a module, under the daemon, as if it had been run here.
 *
 * The order: `run` with the paths of our FIFOs, then `wait` for the process, while the pumps carry its input
 * and output and signals are passed on as `kill` calls. The name is always chosen here, so that after the
 * answer to `run` was lost with the daemon, `status` can tell whether it had been started: one of that name
 * and not from before.
 *
 *   ASKING --reply--> RUNNING --wait's reply--> ENDED --all output written--> exit with its code
 *
 * When the daemon goes away in ASKING or RUNNING, the pumps go on, and every 20..500 ms we try to connect
 * again and repeat the call; after REOPEN_TIMEOUT we give up. */
#include "base/alloc.h"
#include "base/parse.h"
#include "ctl/command.h"
#include "ctl/interrupt.h"
#include "ctl/output.h"
#include "ctl/pool-params.h"
#include "ctl/run-signal.h"
#include "ctl/run-stdio.h"
#include "ctl/view.h"
#include <stdio.h>
#include <sys/random.h>

typedef enum RunState { RUN_ASKING, RUN_RUNNING, RUN_ENDED } RunState;

typedef struct Run {
        Ctl *ctl;
        RunState state;
        char name[NAME_LENGTH_MAX + 1];
        json_t *params;  /* of `run` */
        RunStdio *stdio; /* NULL when detached */
        RunSignals signals;
        unsigned n_ending;            /* signals that meant to end it, before the start */
        usec_t asked_at;              /* CLOCK_REALTIME */
        usec_t reopen_at, give_up_at; /* while the daemon is away */
        usec_t reopen_pause;
        json_t *worker; /* as `wait` had it */
        int status;
} Run;

static void run_done(Run *r) {
        run_signals_done(&r->signals);
        r->stdio = run_stdio_free(r->stdio);
        json_decref(r->params);
        json_decref(r->worker);
}

/* "make-x7k2q9" from /usr/bin/make: what is no part of a name becomes '-'. */
static int make_name(Run *r) {
        static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32, none like another */
        const CliArgs *a = &r->ctl->args;
        const char *path = cli_given(a, OPT_TARGET) ? a->text[OPT_TARGET] : a->argv[0], *slash = strrchr(path, '/'),
                   *base = slash && slash[1] ? slash + 1 : path;
        unsigned char random[6];
        size_t n = 0;

        if (getrandom(random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        for (; *base && n < 32; base++) {
                char c = (char) (*base >= 'A' && *base <= 'Z' ? *base - 'A' + 'a' : *base);
                bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                if (is_plain || n)
                        r->name[n++] = is_plain ? c : '-';
        }
        r->name[n] = n ? '-' : 'p';
        n++;
        for (size_t i = 0; i < sizeof(random); i++)
                r->name[n++] = letters[random[i] % 32];
        r->name[n] = '\0';
        return 0;
}

static int choose_name(Run *r) {
        const char *name = r->ctl->args.text[OPT_NAME];

        if (!name)
                return make_name(r);
        if (!name_is_valid(name))
                return -EINVAL;
        snprintf(r->name, sizeof(r->name), "%s", name);
        return 0;
}

/* The command works where we are: not the daemon's idea of a directory. */
static int put_place(Run *r, Text *error) {
        _cleanup_free_ char *directory = NULL;

        if (json_object_get(r->params, "directory"))
                return 0;
        directory = pool_params_directory(NULL);
        if (!directory) {
                text_appendf(error, "the working directory: %s; choose one with --directory",
                             strerror(errno));
                return -EINVAL;
        }
        return json_object_set_new(r->params, "directory", json_string(directory)) < 0 ? -EINVAL : 0;
}

static int put_stdio(Run *r) {
        static const char *const keys[3] = {"stdin", "stdout", "stderr"};

        for (int i = 0; r->stdio && i < 3; i++)
                if (json_object_set_new(r->params, keys[i], json_string(run_stdio_path(r->stdio, i))) < 0)
                        return -ENOMEM;
        return 0;
}

static int make_params(Run *r, Text *error) {
        int ret;

        r->params = json_object();
        ret = pool_params_put(&r->ctl->args, r->params, error);
        if (ret >= 0)
                ret = put_place(r, error);
        if (ret >= 0)
                ret = put_stdio(r);
        if (ret >= 0 && json_object_set_new(r->params, "name", json_string(r->name)) < 0)
                ret = -ENOMEM;
        if (ret >= 0 && cli_given(&r->ctl->args, OPT_DAEMON) &&
            json_object_set_new(r->params, "daemon", json_true()) < 0)
                ret = -ENOMEM;
        return ret;
}

static void end(Run *r, int status) {
        r->state = RUN_ENDED;
        r->status = status;
}

/* A command that never came to life: the daemon's sentence is all there is. 126 and 127 as a shell has them.
 */
static void end_unstarted(Run *r, const char *sentence, json_int_t exitcode) {
        ctl_say("%s", sentence);
        end(r, exitcode == 127 ? CTL_COMMAND_NOT_FOUND : exitcode == 126 ? CTL_CANNOT_EXECUTE : CTL_FAILED);
}

static void on_ended(json_t *result, const CallError *error, void *userdata) {
        Run *r = userdata;
        json_t *worker = json_array_get(json_object_get(result, "workers"), 0);
        const json_t *last_exit = json_object_get(worker, "last_exit"),
                     *code = json_object_get(worker, "exitcode");

        if (r->state == RUN_ENDED || (error && call_error_is(error, "disconnected")))
                return;
        if (error) {
                end(r, ctl_fail(r->ctl, error));
                return;
        }
        r->worker = json_incref(worker);
        if (!json_is_integer(code)) {
                ctl_say("%s: %s, it has no exit code", r->name, member_text(worker, "state", "gone"));
                end(r, CTL_FAILED);
        } else if (json_is_null(json_object_get(worker, "started_at")))
                end_unstarted(r, member_text(last_exit, "cause", "the command could not be started"),
                              json_integer_value(code));
        else
                end(r, ctl_status_of_exitcode(json_integer_value(code)));
}

static void ask_wait(Run *r) {
        _cleanup_json_ json_t *params = json_object(), *select = json_array();

        if (json_array_append_new(select, json_string(r->name)) < 0 ||
            json_object_set(params, "select", select) < 0 ||
            json_object_set_new(params, "for", json_string("exit")) < 0)
                end(r, CTL_FAILED);
        else
                (void) session_call_async(r->ctl->session, "wait", params, on_ended,
                                          r); /* lost: asked again */
}

static void become_running(Run *r, bool has_opened) {
        r->state = RUN_RUNNING;
        if (r->stdio) {
                run_stdio_started(r->stdio, has_opened);
                run_signals_start(&r->signals, r->ctl->session, r->name);
                ask_wait(r);
        } else
                end(r, CTL_DONE);
}

/* The exit code of a process that could not be started, out of the error's data; -1 when it was something
 * else. */
static json_int_t failed_exitcode(const CallError *e) {
        const json_t *failed = json_array_get(json_object_get(e->data, "failed"), 0);
        const json_t *code = json_object_get(failed ? failed : e->data, "exitcode");

        return call_error_is(e, "failed") && json_is_integer(code) ? json_integer_value(code) : -1;
}

static void on_started(json_t *result, const CallError *error, void *userdata) {
        Run *r = userdata;

        if (r->state != RUN_ASKING || (error && call_error_is(error, "disconnected")))
                return;
        if (!error)
                become_running(r, true);
        else if (failed_exitcode(error) >= 0)
                end_unstarted(r, error->message, failed_exitcode(error));
        else
                end(r, ctl_fail(r->ctl, error));
        if (r->state == RUN_ENDED && r->status == CTL_DONE)
                r->worker = json_incref(result);
}

/* The answer to `run` was lost: is there a process of that name which is none from before? */
static void on_found(json_t *result, const CallError *error, void *userdata) {
        Run *r = userdata;
        const json_t *pool = json_array_get(json_object_get(result, "pools"), 0);
        const json_t *worker = json_array_get(json_object_get(pool, "workers"), 0);
        usec_t started = view_time(member_text(worker, "started_at", ""));
        usec_t ended = view_time(member_text(json_object_get(worker, "last_exit"), "at", ""));

        if (r->state != RUN_ASKING || (error && call_error_is(error, "disconnected")))
                return;
        if (error && !call_error_is(error, "not-found"))
                end(r, ctl_fail(r->ctl, error));
        else if (MAX(started, ended) >= r->asked_at)
                become_running(r, true);
        else if (streq(member_text(worker, "state", ""), "starting"))
                become_running(r, false);
        else
                (void) session_call_async(r->ctl->session, "run", r->params, on_started, r);
}

static void ask_again(Run *r) {
        _cleanup_json_ json_t *params = json_pack("{s:[s]}", "select", r->name);

        if (r->state == RUN_ASKING)
                (void) session_call_async(r->ctl->session, "status", params, on_found, r);
        else if (r->state == RUN_RUNNING)
                ask_wait(r);
}

static void ask(Run *r) {
        r->asked_at = clock_realtime() / USEC_PER_MSEC * USEC_PER_MSEC; /* as coarse as the daemon's times */
        (void) session_call_async(r->ctl->session, "run", r->params, on_started, r);
}

/* The daemon is away: try again when it is time. */
static void reconnect(Run *r) {
        usec_t now = clock_now();

        if (!r->give_up_at) {
                r->give_up_at = usec_add(now, REOPEN_TIMEOUT);
                r->reopen_at = now;
                r->reopen_pause = 20 * USEC_PER_MSEC;
        }
        if (now < r->reopen_at)
                return;
        if (session_reopen(r->ctl->session) >= 0) {
                r->give_up_at = 0;
                ask_again(r);
        } else if (now >= r->give_up_at) {
                ctl_say("the daemon went away and did not come back; %s may still run", r->name);
                end(r, CTL_NO_DAEMON);
        }
        r->reopen_at = usec_add(now, r->reopen_pause);
        r->reopen_pause = MIN(r->reopen_pause * 2, 500 * USEC_PER_MSEC);
}

/* Also without a session: the pumps and the signals go on. */
static void poll_once(Run *r, struct pollfd *fds, size_t n, usec_t deadline) {
        if (session_is_open(r->ctl->session)) {
                (void) session_poll(r->ctl->session, fds, n, deadline); /* its loss is seen next time */
                return;
        }
        usec_t left = usec_sub(MIN(r->reopen_at, deadline), clock_now());
        if (poll(fds, n, (int) (left / USEC_PER_MSEC) + 1) < 0)
                for (size_t i = 0; i < n; i++)
                        fds[i].revents = 0;
}

static void check_time(Run *r, usec_t deadline) {
        if (r->state == RUN_ENDED || clock_now() < deadline)
                return;
        ctl_say("stopped waiting; %s goes on in the daemon", r->name);
        end(r, CTL_TIMED_OUT);
}

/* Signals from before the start are passed on then. A second Ctrl-C, or one while the daemon is away: the
 * user wants out. */
static void check_signals(Run *r, const struct pollfd *fd) {
        if (!fd->revents || !run_signals_process(&r->signals) || r->state == RUN_ENDED)
                return;
        bool is_away = !session_is_open(r->ctl->session);
        if (is_away || (r->state == RUN_ASKING && r->n_ending++ > 0)) {
                ctl_say("stopped waiting; %s goes on in the daemon", r->name);
                end(r, CTL_INTERRUPTED);
        }
}

static void loop(Run *r) {
        usec_t deadline = r->ctl->has_timeout ? usec_add(clock_now(), r->ctl->timeout) : USEC_INFINITY;
        struct pollfd fds[RUN_STDIO_FDS + 1] = {};

        for (;;) {
                if (r->state != RUN_ENDED && !session_is_open(r->ctl->session))
                        reconnect(r);
                if (r->state == RUN_ENDED && (!r->stdio || run_stdio_finish(r->stdio)))
                        return;
                fds[RUN_STDIO_FDS] = (struct pollfd){.fd = run_signals_fd(&r->signals), .events = POLLIN};
                if (r->stdio)
                        run_stdio_watch(r->stdio, fds);
                else
                        for (size_t i = 0; i < RUN_STDIO_FDS; i++)
                                fds[i].fd = -1;
                poll_once(r, fds, ARRAY_SIZE(fds), r->state == RUN_ENDED ? USEC_INFINITY : deadline);
                if (r->stdio)
                        run_stdio_process(r->stdio, fds);
                check_signals(r, &fds[RUN_STDIO_FDS]);
                check_time(r, deadline);
        }
}

/* Detached: the name. Attached: nothing but what was asked for by -o. */
static int show(const Run *r) {
        _cleanup_text_ Text out = {};

        if (r->ctl->is_quiet)
                return r->status;
        if (r->ctl->show == SHOW_JSON || r->ctl->show == SHOW_JSONL) {
                if (r->worker)
                        json_append(&out, r->worker, r->ctl->show == SHOW_JSON);
        } else if (!r->stdio && r->status == CTL_DONE)
                text_appendf(&out, "%s\n", r->name);
        return ctl_put_text(&out, r->status);
}

static int check_options(const Ctl *c) {
        const CliArgs *a = &c->args;

        if (!a->n_argv && !cli_given(a, OPT_MODULE))
                return ctl_usage(c, "run what?");
        if (cli_given(a, OPT_MODULE) != cli_given(a, OPT_TARGET))
                return ctl_usage(c, "--module FILE.so and --target NAME go together; droverctl targets lists what a file has");
        if (!cli_given(a, OPT_MODULE) && (a->given & (OPT_BIT(OPT_ARGS) | OPT_BIT(OPT_KWARGS))))
                return ctl_usage(c, "--args and --kwargs are for a target of a --module");
        if (!cli_given(a, OPT_DETACH) && cli_given(a, OPT_RESTART) && !streq(a->text[OPT_RESTART], "never"))
                return ctl_usage(c, "--restart needs --detach: a command joined to a terminal runs once");
        if (cli_given(a, OPT_DETACH) && cli_given(a, OPT_DAEMON))
                return ctl_usage(
                        c, "--daemon and --detach contradict each other: the process would die at once");
        return CTL_DONE;
}

static int prepare(Run *r) {
        _cleanup_text_ Text error = {};
        const char *user = r->ctl->args.text[OPT_USER];
        int ret = choose_name(r);

        if (ret < 0)
                return ctl_usage(r->ctl, "--name: \"%s\" is no name: a-z, 0-9, '_', '.', '-', at most %d",
                                 r->ctl->args.text[OPT_NAME], NAME_LENGTH_MAX);
        if (!cli_given(&r->ctl->args, OPT_DETACH)) {
                ret = run_stdio_new(&r->stdio, user);
                if (ret < 0) {
                        ctl_say("cannot make a place for stdin and stdout: %s",
                                ret == -EINVAL ? "no such user" : strerror(-ret));
                        return CTL_FAILED;
                }
        }
        ret = make_params(r, &error);
        if (ret < 0)
                return ctl_usage(r->ctl, "%s", error.length ? error.data : strerror(-ret));
        ret = run_signals_init(&r->signals, r->stdio != NULL);
        if (ret < 0)
                ctl_say("cannot watch signals: %s", strerror(-ret));
        return ret < 0 ? CTL_FAILED : CTL_DONE;
}

int cmd_run(Ctl *c) {
        _cleanup_(run_done) Run r = {.ctl = c, .signals.fd = -EBADF};

        int status = check_options(c);
        if (status == CTL_DONE)
                status = ctl_open(c);
        if (status == CTL_DONE)
                status = prepare(&r);
        if (status != CTL_DONE)
                return status;
        ask(&r);
        loop(&r);
        status = show(&r);
        c->session = session_free(c->session); /* its last words still know r */
        return status;
}
