/* task-error.c - what went wrong with a task, as ERROR objects of the protocol. */
#include "task/task-internal.h"

#include "wire/protocol.h"
#include <signal.h>
#include <stdio.h>

/* Up to its data, which has a name. */
static void error_begin(Text *t, const char *key, int code, const char *message) {
        json_put_object(t, key);
        json_put_i64(t, "code", code);
        json_put_string(t, "message", message);
        json_put_object(t, "data");
        json_put_string(t, "name", protocol_error_name(code));
}

void error_plain(Text *t, const char *key, int code, const char *message) {
        error_begin(t, key, code, message);
        json_end_object(t);
        json_end_object(t);
}

#define SHORT_OF_MEMORY "{\"code\":-32603,\"message\":\"the daemon is short of memory\",\"data\":{\"name\":\"failed\"}}"

const char *error_text(Text *t) {
        return text_check(t) < 0 ? SHORT_OF_MEMORY : t->data;
}

const char *error_member(Text *t) {
        return text_check(t) < 0 ? "\"error\":" SHORT_OF_MEMORY : t->data;
}

static void put_slice(Text *t, const char *key, Slice s) {
        if (t->length > 0 && !strchr("{[:,", t->data[t->length - 1]))
                text_append_char(t, ',');
        text_appendf(t, "\"%s\":", key);
        slice_append(t, s);
}

/* What a worker's code means to the caller. */
static int code_of(Slice code) {
        if (code.n == 6 && memcmp(code.at, "-32601", 6) == 0)
                return ERROR_NOT_FOUND;
        if (code.n == 6 && memcmp(code.at, "-32602", 6) == 0)
                return ERROR_PARAMS;
        return ERROR_TASK_FAILED;
}

/* The members of the worker's "data" besides the name; what is no object goes into "value". */
static void put_data(Text *t, Slice data) {
        SliceMember name[] = {{.key = "name"}};

        if (!data.at)
                return;
        if (data.at[0] != '{' || slice_object(data.at, data.n, name, 1, NULL) < 0 || name[0].value.at) {
                put_slice(t, "value", data);
                return;
        }
        if (slice_is_empty(data) || data.n < 3)
                return;
        text_append_char(t, ',');
        slice_append(t, (Slice){.at = data.at + 1, .n = data.n - 2});
}

/* An object is only white space and braces when it has no name in it. */
static bool has_members(Slice object) {
        return memchr(object.at, '"', object.n) != NULL;
}

void error_from_worker(Text *t, const char *key, Slice error) {
        SliceMember m[] = {{.key = "code"}, {.key = "message"}, {.key = "data"}};
        int code;

        if (slice_object(error.at, error.n, m, ARRAY_SIZE(m), NULL) < 0) {
                json_put_object(t, key);
                json_put_i64(t, "code", ERROR_TASK_FAILED);
                json_put_string_n(t, "message", error.at, MIN(error.n, (size_t) 1024));
                m[2].value.at = NULL;
                code = ERROR_TASK_FAILED;
        } else {
                code = m[0].value.at ? code_of(m[0].value) : ERROR_TASK_FAILED;
                json_put_object(t, key);
                json_put_i64(t, "code", code);
                if (m[1].value.at && m[1].value.at[0] == '"')
                        put_slice(t, "message", m[1].value);
                else
                        json_put_string(t, "message", "the task failed, and its worker did not say why");
        }
        json_put_object(t, "data");
        json_put_string(t, "name", protocol_error_name(code));
        if (m[2].value.at && (m[2].value.at[0] != '{' || has_members(m[2].value)))
                put_data(t, m[2].value);
        json_end_object(t);
        json_end_object(t);
}

/* How it ended; of one that we killed ourselves also what for. */
static void describe_end(const Channel *c, const ExitStatus *e, char *buf, size_t size) {
        ExitStatus end = *e;
        size_t n;

        end.is_faulty = end.is_faulty || c->condemned_for; /* then "on request" says nothing */
        exit_status_describe(&end, NULL, buf, size);
        n = strlen(buf);
        if (c->condemned_for && exit_status_exitcode(e) == -SIGKILL)
                (void) snprintf(buf + n, size - n, ": %s", c->condemned_for);
}

void exit_put(Text *t, const Channel *c, const ExitStatus *e) {
        char cause[2 * KEEPER_TEXT_MAX], at[TIME_TEXT_MAX];

        describe_end(c, e, cause, sizeof cause);
        json_put_object(t, NULL);
        json_put_string(t, "worker", worker_name(c->worker));
        json_put_i64(t, "exitcode", exit_status_exitcode(e));
        json_put_string(t, "cause", cause);
        json_put_string(t, "at", time_format(at, e->at_usec));
        json_end_object(t);
}

void error_of_death(Text *t, const char *key, const Channel *c, const ExitStatus *e, unsigned n_deaths, const char *exits) {
        char cause[2 * KEEPER_TEXT_MAX], message[2 * KEEPER_TEXT_MAX + KEEPER_NAME_MAX + 64], who[64] = "the worker died with it";

        describe_end(c, e, cause, sizeof cause);
        if (n_deaths > 1)
                (void) snprintf(who, sizeof who, "%u workers died with it, the last one", n_deaths);
        (void) snprintf(message, sizeof message, "%s: %s %s", who, worker_name(c->worker), cause);
        error_begin(t, key, ERROR_WORKER_DIED, message);
        json_put_i64(t, "exitcode", exit_status_exitcode(e));
        json_put_string(t, "worker", worker_name(c->worker));
        json_put_array(t, "exits");
        if (exits)
                text_append(t, exits);
        else
                exit_put(t, c, e);
        json_end_array(t);
        json_end_object(t);
        json_end_object(t);
}
