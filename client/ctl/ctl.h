/* ctl.h - what every command of droverctl shares: the exit statuses, the global options and the connection.
 *
 * A Ctl lives as long as the process. ctl-main.c makes it from the arguments, hands it to one command and ends
 * with the status that command returns. Nothing here is touched by more than one thread. */
#ifndef DROVER_CTL_CTL_H
#define DROVER_CTL_CTL_H

#include "base/clock.h"
#include "base/json.h"
#include "base/macro.h"
#include "base/text.h"
#include "ctl/cli-option.h"
#include "ctl/session.h"

/* CONTRACT section 6; droverctl(1) lists them. */
typedef enum CtlStatus {
        CTL_DONE = 0,
        CTL_FAILED = 1,
        CTL_USAGE = 2,
        CTL_NOT_RUNNING = 3,
        CTL_NO_SUCH = 4,
        CTL_DENIED = 5,
        CTL_TIMED_OUT = 6,
        CTL_NO_DAEMON = 7,
        CTL_CANNOT_EXECUTE = 126, /* run: the command could not be started */
        CTL_COMMAND_NOT_FOUND = 127,
        CTL_INTERRUPTED = 130, /* Ctrl-C ended the waiting, not what was waited for */
} CtlStatus;

typedef enum ShowMode { SHOW_TABLE, SHOW_WIDE, SHOW_JSON, SHOW_JSONL, SHOW_NAME } ShowMode;

typedef struct Ctl {
        CliArgs args;
        ShowMode show;
        bool is_quiet, no_wait;
        bool has_timeout;
        usec_t timeout;   /* -T; meaningless without has_timeout */
        bool is_terminal; /* stdout */
        bool use_color;   /* on stdout */
        unsigned width;   /* columns of stdout's terminal; 0: as wide as it gets */
        Session *session; /* opened by the first call */
} Ctl;

/** ctl_init() - global options into @c; the arguments are parsed already. */
void ctl_init(Ctl *c);
void ctl_done(Ctl *c);

/** ctl_say() - "droverctl: text" on stderr, one line, control characters escaped. Not silenced by -q. */
void ctl_say(const char *fmt, ...) _printf_(1, 2);
/** ctl_hint() - as ctl_say(), but silent with -q: for what is good to know and no fault. */
void ctl_hint(const Ctl *c, const char *fmt, ...) _printf_(2, 3);
/** ctl_usage() - say what was wrong with the arguments of the verb and where its help is. Return: CTL_USAGE.
 */
int ctl_usage(const Ctl *c, const char *fmt, ...) _printf_(2, 3);
/** ctl_fail() - say @e and choose the exit status by its name. */
int ctl_fail(const Ctl *c, const CallError *e);
/** ctl_status_of_error() - pure: the exit status an error means. */
int ctl_status_of_error(const CallError *e);
/** ctl_status_of_exitcode() - pure: 0..255 as it is, -N as 128+N. */
int ctl_status_of_exitcode(json_int_t exitcode);

/** ctl_open() - connect unless connected. Return: CTL_DONE, or the status after having said why not. */
int ctl_open(Ctl *c);
/**
 * ctl_call() - one call that answers soon; client-side bound: -T or 30 s
 * @params_consume: a new reference, released whatever happens; NULL when memory was short
 * Return: CTL_DONE with a new reference in *ret; else the status, after having said why.
 */
int ctl_call(Ctl *c, const char *method, json_t *params_consume, json_t **ret);
/**
 * ctl_call_waiting() - one call that answers when something has become true
 * -T goes to the daemon as `timeout`, --no-wait as `wait`. Ctrl-C ends the waiting only and says so.
 * When the daemon restarts meanwhile and @is_repeatable, the call is made again on a new connection.
 */
int ctl_call_waiting(Ctl *c, const char *method, json_t *params_consume, bool is_repeatable, json_t **ret);

/** ctl_call_again() - as ctl_call(), but made again on a new connection when the daemon restarts meanwhile. */
int ctl_call_again(Ctl *c, const char *method, json_t *params_consume, json_t **ret);

/** ctl_select_params() - {"select":[names...]}, or {} without names. A new reference, NULL when memory is
 * short. */
json_t *ctl_select_params(const Ctl *c);
/** ctl_put_text() - write the text to stdout. Return: @status, or CTL_FAILED when memory or writing failed.
 */
int ctl_put_text(const Text *t, int status);

/* Borrowed members with a harmless answer for a missing or odd one: a peer's result is never trusted. */
const char *member_text(const json_t *o, const char *key, const char *otherwise);
double member_number(const json_t *o, const char *key, double otherwise);
bool member_bool(const json_t *o, const char *key);

#endif
