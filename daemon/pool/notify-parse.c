/* notify-parse.c - one datagram of sd_notify(3): lines KEY=VALUE. Pure; a fuzz target.
 *
 * Every key that drover understands stands in the table with what its value must look like; names that others may
 * understand are fine and counted. A value that cannot be is a datagram that counts for nothing. */
#include "pool/notify.h"

#include "base/clock.h"
#include "base/parse.h"

typedef int (*ParseValue)(const char *value, size_t length, size_t offset, NotifyMessage *m);

#define MEMBER(type, m, offset) ((type *) ((char *) (m) + (offset)))
#define NUMBER_TEXT_MAX 24u

static int parse_flag(const char *value, size_t length, size_t offset, NotifyMessage *m) {
        if (length != 1 || *value != '1')
                return -EBADMSG;
        *MEMBER(bool, m, offset) = true;
        return 0;
}

static int parse_number(const char *value, size_t length, size_t offset, NotifyMessage *m) {
        char text[NUMBER_TEXT_MAX];
        NotifyNumber n = {.is_said = true};

        if (length == 0 || length >= sizeof text)
                return -EBADMSG;
        memcpy(text, value, length);
        text[length] = 0;
        if (parse_u64(text, &n.value) < 0)
                return -EBADMSG;
        *MEMBER(NotifyNumber, m, offset) = n;
        return 0;
}

/* A number that only has two values. */
static int parse_switch(const char *value, size_t length, size_t offset, NotifyMessage *m) {
        if (length != 1 || (*value != '0' && *value != '1'))
                return -EBADMSG;
        *MEMBER(NotifyNumber, m, offset) = (NotifyNumber){.is_said = true, .value = *value == '1'};
        return 0;
}

static int parse_watchdog(const char *value, size_t length, size_t offset, NotifyMessage *m) {
        if (length == 7 && memcmp(value, "trigger", 7) == 0) {
                m->is_trigger = true;
                return 0;
        }
        return parse_flag(value, length, offset, m);
}

/* Checks all of it; *ret_kept is how much of it fits into NOTIFY_STATUS_MAX, cut between characters. */
static bool status_is_valid(const char *s, size_t size, size_t *ret_kept) {
        size_t i = 0, kept = 0;

        while (i < size) {
                size_t n = utf8_sequence(s + i, size - i);

                if (n == 0)
                        return false;
                i += n;
                if (i <= NOTIFY_STATUS_MAX)
                        kept = i;
        }
        *ret_kept = kept;
        return true;
}

static int parse_status(const char *value, size_t length, size_t offset, NotifyMessage *m) {
        if (!status_is_valid(value, length, &m->status_length))
                return -EBADMSG;
        m->status = value;
        return 0;
}

static const struct {
        const char *key;
        ParseValue parse;
        size_t offset;
} keys[] = {
        {"READY", parse_flag, offsetof(NotifyMessage, is_ready)},
        {"STOPPING", parse_flag, offsetof(NotifyMessage, is_stopping)},
        {"RELOADING", parse_flag, offsetof(NotifyMessage, is_reloading)},
        {"STATUS", parse_status, 0},
        {"WATCHDOG", parse_watchdog, offsetof(NotifyMessage, is_alive)},
        {"WATCHDOG_USEC", parse_number, offsetof(NotifyMessage, watchdog_usec)},
        {"EXTEND_TIMEOUT_USEC", parse_number, offsetof(NotifyMessage, extend_usec)},
        {"MAINPID", parse_number, offsetof(NotifyMessage, main_pid)},
        {"FDSTORE", parse_flag, offsetof(NotifyMessage, wants_store)},
        {"X_DROVER_TASKS", parse_number, offsetof(NotifyMessage, tasks)},
        {"X_DROVER_BUSY", parse_switch, offsetof(NotifyMessage, busy)},
};

static int parse_line(const char *line, size_t length, NotifyMessage *m) {
        const char *equals = memchr(line, '=', length);
        size_t n = equals ? (size_t) (equals - line) : 0;

        if (n == 0)
                return -EBADMSG;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (strlen(keys[i].key) == n && memcmp(line, keys[i].key, n) == 0)
                        return keys[i].parse(equals + 1, length - n - 1, keys[i].offset, m);
        m->n_unknown++;
        return 0;
}

int notify_parse(const char *text, size_t size, NotifyMessage *ret) {
        NotifyMessage m = {0};
        const char *p = text, *end = text + size;

        if (size == 0 || memchr(text, 0, size))
                return -EBADMSG;
        while (p < end) {
                const char *newline = memchr(p, '\n', (size_t) (end - p));
                size_t length = (size_t) ((newline ? newline : end) - p);
                int r = length > 0 ? parse_line(p, length, &m) : 0;

                if (r < 0)
                        return r;
                p += length + 1;
        }
        *ret = m;
        return 0;
}
