/* notify-parse.c - one datagram of sd_notify(3): lines KEY=VALUE. Pure; a fuzz target. */
#include "pool/notify.h"

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

static int parse_flag(const char *value, size_t length, bool *ret) {
        if (length != 1 || *value != '1')
                return -EBADMSG;
        *ret = true;
        return 0;
}

static int parse_line(const char *line, size_t length, NotifyMessage *m) {
        const char *equals = memchr(line, '=', length), *value;
        size_t key, n;

        if (!equals || equals == line)
                return -EBADMSG;
        key = (size_t) (equals - line);
        value = equals + 1;
        n = length - key - 1;
        if (key == 5 && memcmp(line, "READY", 5) == 0)
                return parse_flag(value, n, &m->is_ready);
        if (key == 8 && memcmp(line, "STOPPING", 8) == 0)
                return parse_flag(value, n, &m->is_stopping);
        if (key == 6 && memcmp(line, "STATUS", 6) == 0) {
                if (!status_is_valid(value, n, &m->status_length))
                        return -EBADMSG;
                m->status = value;
                return 0;
        }
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
