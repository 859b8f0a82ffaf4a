/* util-daemon.h - the real programs in a directory of their own, driven by JSON on the socket.
 *
 * One daemon at a time. Every helper fails the running libcheck test when something is not as it must be. Waiting is
 * for events and conditions, with a deadline of 20 s that no passing test comes near. */
#ifndef DROVER_UTIL_DAEMON_H
#define DROVER_UTIL_DAEMON_H

#include <check.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* "\"pools\":{" @format "}" with every $H replaced by the helper's path and $D/ by the test's directory; a static buffer. */
const char *pools(const char *format);

/* Start droverd on {"log_dir", "state_dir", @members}; @members is JSON text like "\"pools\": {...}", %s is no format. */
void daemon_start(const char *members);
void daemon_write_config(const char *members); /* a new configuration file; nothing is told to the daemon */
/* SIGTERM to the keeper and wait: it must end with 0 and leave no process. Frees the directory. */
void daemon_stop(void);
void daemon_forget(void); /* after the test itself ended it: removes the directory */
/* Start droverd with these arguments in the daemon's environment; output goes to @ret_output (malloc'ed) if not NULL. */
int daemon_run_program(const char *const *argv, char **ret_output);

const char *daemon_directory(void); /* made when first asked for */
const char *daemon_socket(void);
const char *daemon_log(void); /* path of what the programs said themselves */
pid_t daemon_keeper(void);
pid_t daemon_pid_of(const char *key); /* "pid", "keeper_pid", "logger_pid" of daemon.info, asked now */
const char *test_helper(void);        /* path of tests/helper/worker-helper */

/* A connection; the daemon's own default one is 0 of daemon_call. Reconnects are the caller's. */
int client_connect(void);
void client_send(int fd, const char *text); /* as is, newline added */
json_t *client_read(int fd);                /* the next line; NULL at the end */
/* A call by connection: the result (new reference). Fails the test on an error answer. @format: json_pack(), or NULL. */
json_t *daemon_call(const char *method, const char *format, ...);
json_t *daemon_call_error(const char *method, const char *format, ...); /* the error object */
json_t *client_call(int fd, const char *method, const char *format, ...);

/* Borrowed value at a path of keys and indices: "pools/0/workers/1/pid"; NULL when there is none. */
json_t *at(const json_t *v, const char *path);
const char *at_string(const json_t *v, const char *path); /* "" when it is none */
long long at_int(const json_t *v, const char *path);      /* LLONG_MIN when it is none */

/* The WORKER object of "web/0", new reference. */
json_t *worker_status(const char *name);
pid_t worker_pid(const char *name);
/* Until the worker is in @state (and, if @not_pid > 0, has another pid): its pid. */
pid_t worker_await(const char *name, const char *state, pid_t not_pid);
/* Until @condition(data) is true; polled. */
void await_true(const char *what, bool (*condition)(void *data), void *data);
bool pid_is_alive(pid_t pid);
void await_gone(pid_t pid);
/* Until the file holds @text; returns nothing. */
void await_in_file(const char *path, const char *text);
char *read_file(const char *path); /* "" when it is not there; malloc'ed */
size_t count_in(const char *text, const char *word);

/* One libcheck suite of one case; the exit status for main(). */
int run_tests(const char *name, void (*add)(TCase *t));

#endif
