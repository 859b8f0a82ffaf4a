/* lib-error.c - what went wrong, for a program (errno, name, code, data) and for a person (message). */
#include "lib/lib-error.h"
#include "base/alloc.h"
#include "wire/protocol.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX 512

struct drover_error {
        int error;        /* negative errno */
        int code;         /* JSON-RPC, 0 for our own */
        const char *name; /* static */
        char *message;
        json_t *data;
};

static drover_error no_memory = {.error = -ENOMEM, .name = "no-memory", .message = (char *) "out of memory"};

/* Our own errors: the errno says the name. */
static const struct {
        int error;
        const char *name;
} own_names[] = {
        {-ECONNREFUSED, "no-daemon"}, {-ECONNRESET, "disconnected"}, {-ETIMEDOUT, "timeout"},
        {-EACCES, "denied"},          {-EINVAL, "invalid"},          {-ENOBUFS, "limit"},
        {-EPROTO, "protocol"},        {-ECHILD, "wrong-process"},    {-ECANCELED, "cancelled"},
        {-ENOMEM, "no-memory"},
};

/* The daemon's errors: the name says the errno. */
static const struct {
        const char *name;
        int error;
} daemon_errors[] = {
        {"not-found", -ENOENT},
        {"exists", -EEXIST},
        {"denied", -EACCES},
        {"invalid", -EINVAL},
        {"failed", -EIO},
        {"timeout", -ETIMEDOUT},
        {"limit", -ENOBUFS},
        {"worker-died", -EOWNERDEAD},
        {"task-failed", -EREMOTEIO},
        {"cancelled", -ECANCELED},
        {"unsupported", -EOPNOTSUPP},
        {"shutting-down", -ESHUTDOWN},
};

static const char *own_name(int error) {
        for (size_t i = 0; i < ARRAY_SIZE(own_names); i++)
                if (own_names[i].error == error)
                        return own_names[i].name;
        return "failed";
}

static drover_error *error_make(int error, int code, const char *name, const char *message, json_t *data) {
        drover_error *e = NEW0(drover_error);

        if (!e)
                return &no_memory;
        e->message = alloc_strdup(message);
        if (!e->message) {
                free(e);
                return &no_memory;
        }
        e->error = error;
        e->code = code;
        e->name = name;
        e->data = json_incref(data);
        return e;
}

drover_error *lib_error_new(int error, const char *fmt, ...) {
        char message[MESSAGE_MAX];
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(message, sizeof(message), fmt, ap);
        va_end(ap);
        return error_make(error, 0, own_name(error), message, NULL);
}

drover_error *lib_error_from_reply(const Envelope *reply) {
        const char *name = json_string_value(json_object_get(reply->data, "name"));

        if (!name)
                name = protocol_error_name(reply->code);
        for (size_t i = 0; i < ARRAY_SIZE(daemon_errors); i++)
                if (streq(daemon_errors[i].name, name))
                        return error_make(daemon_errors[i].error, reply->code, daemon_errors[i].name,
                                          reply->message, reply->data);
        return error_make(-EIO, reply->code, "failed", reply->message, reply->data);
}

drover_error *lib_error_copy(const drover_error *e) {
        return e == &no_memory ? &no_memory : error_make(e->error, e->code, e->name, e->message, e->data);
}

int lib_fail(drover_error **ret_error, drover_error *e_consume) {
        int error = e_consume->error;

        if (ret_error)
                *ret_error = e_consume;
        else
                drover_error_free(e_consume);
        return error;
}

int lib_failf(drover_error **ret_error, int error, const char *fmt, ...) {
        char message[MESSAGE_MAX];
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(message, sizeof(message), fmt, ap);
        va_end(ap);
        return lib_fail(ret_error, lib_error_new(error, "%s", message));
}

const char *drover_error_name(const drover_error *error) {
        return error ? error->name : "none";
}

const char *drover_error_message(const drover_error *error) {
        return error ? error->message : "no error";
}

int drover_error_code(const drover_error *error) {
        return error ? error->code : 0;
}

int drover_error_errno(const drover_error *error) {
        return error ? error->error : 0;
}

json_t *drover_error_data(const drover_error *error) {
        return error ? error->data : NULL;
}

void drover_error_free(drover_error *error) {
        if (!error || error == &no_memory)
                return;
        json_decref(error->data);
        free(error->message);
        free(error);
}
