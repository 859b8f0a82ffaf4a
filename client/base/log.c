/* log.c - the program's own diagnostics.
 *
 * State: one Log per program, set up by log_open() and used from its one thread.
 *
 * Connected to the journal ($JOURNAL_STREAM names stderr's device and inode) entries go there as datagrams of
 * the journal's native protocol, "FIELD=value" lines, sent without waiting: sd_journal_sendv() would block
 * the program for as long as journald does. What the journal does not take, and everything without a journal,
 * goes to stderr as one write of at most PIPE_BUF bytes, and only when stderr has room for it; so a stopped
 * reader costs lines (counted, and told with the next line that gets through), never time. */
#include "base/log.h"
#include "base/fd.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_TEXT_MAX 2048  /* bytes of one message; the rest is cut */
#define LOG_ENTRY_MAX 4096 /* of one entry; PIPE_BUF, so that a write is whole or not at all */
#define LOG_VALUE_MAX 257  /* of one field, with its end */
#define LOG_WAIT_MSEC 20   /* for a full stderr, until the first loss */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static struct Log {
        const char *program;
        int level;
        int journal_fd;
        unsigned long n_lost;
} the_log = {.program = "drover", .level = LOG_INFO, .journal_fd = -EBADF};

static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
               fstat(STDERR_FILENO, &st) >= 0 && st.st_dev == device && st.st_ino == inode;
}

static int journal_connect(void) {
        static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd >= 0 && connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                fd = fd_close(fd);
        return fd;
}

void log_open(const char *program) {
        the_log.program = program;
        the_log.journal_fd = fd_close(the_log.journal_fd);
        if (stderr_is_journal())
                the_log.journal_fd = journal_connect();
}

void log_set_level(int level) {
        the_log.level = level;
}

bool log_enabled(int level) {
        return level <= the_log.level;
}

int log_level_from_string(const char *s) {
        static const struct {
                const char *name;
                int level;
        } names[] = {
                {"error", LOG_ERR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
                {"info", LOG_INFO}, {"debug", LOG_DEBUG},
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (streq(names[i].name, s))
                        return names[i].level;
        return -EINVAL;
}

/* @text with control characters as \n, \t or \xNN: an entry is one line, and no terminal obeys a worker's
 * name. */
static void escape(char *out, size_t size, const char *text) {
        static const char hex[] = "0123456789abcdef";
        size_t n = 0;

        for (const uint8_t *p = (const uint8_t *) text; *p && n + 5 < size; p++) {
                if (*p >= 0x20 && *p != 0x7f && !(*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)) {
                        out[n++] = (char) *p;
                        continue;
                }
                out[n++] = '\\';
                if (*p == '\n' || *p == '\t') {
                        out[n++] = *p == '\n' ? 'n' : 't';
                        continue;
                }
                out[n++] = 'x';
                out[n++] = hex[*p >> 4];
                out[n++] = hex[*p & 15];
        }
        out[n] = 0;
}

/* "NAME=value\n" for each; no value can end its line. False: they do not fit. */
static bool put_fields(char *entry, size_t size, int *n, const LogField *fields) {
        char value[LOG_VALUE_MAX];

        for (; fields && fields->name; fields++) {
                if (!fields->value)
                        continue;
                escape(value, sizeof(value), fields->value);
                *n += snprintf(entry + *n, size - (size_t) *n, "%s=%s\n", fields->name, value);
                if ((size_t) *n >= size)
                        return false;
        }
        return true;
}

static bool journal_send(int level, const LogField *fields, const char *text) {
        char entry[LOG_ENTRY_MAX];
        int n;

        if (the_log.journal_fd < 0)
                return false;
        n = snprintf(entry, sizeof(entry), "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nMESSAGE=%s\n", level, the_log.program, text);
        if (n < 0 || (size_t) n >= sizeof(entry) || !put_fields(entry, sizeof(entry), &n, fields))
                return false;
        return send(the_log.journal_fd, entry, (size_t) n, MSG_DONTWAIT | MSG_NOSIGNAL) == n;
}

static bool stderr_send(const char *text) {
        struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
        char line[LOG_ENTRY_MAX], lost[64] = "";
        int n;

        if (poll(&ready, 1, the_log.n_lost > 0 ? 0 : LOG_WAIT_MSEC) <= 0 ||
            ready.revents != POLLOUT) /* an error or a hang-up besides would give SIGPIPE */
                return false;
        if (the_log.n_lost > 0)
                (void) snprintf(lost, sizeof(lost), " (%lu lines before this one were lost)", the_log.n_lost);
        n = snprintf(line, sizeof(line), "%s: %s%s\n", the_log.program, text, lost);
        return n > 0 && (size_t) n < sizeof(line) && write(STDERR_FILENO, line, (size_t) n) == n;
}

static void log_entry(int level, const LogField *fields, const char *fmt, va_list ap) {
        char text[LOG_TEXT_MAX], escaped[LOG_TEXT_MAX];
        int saved = errno;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void) vsnprintf(text, sizeof(text), fmt, ap); /* a literal of each caller, which the compiler has checked */
#pragma GCC diagnostic pop
        escape(escaped, sizeof(escaped), text);
        if (journal_send(level, fields, escaped) || stderr_send(escaped))
                the_log.n_lost = 0;
        else
                the_log.n_lost++;
        errno = saved;
}

void log_fields(int level, const char *pool, const char *worker, const char *fmt, ...) {
        const LogField fields[] = {{"DROVER_POOL", pool}, {"DROVER_WORKER", worker}, {NULL, NULL}};
        va_list ap;

        if (!log_enabled(level))
                return;
        va_start(ap, fmt);
        log_entry(level, fields, fmt, ap);
        va_end(ap);
}

void log_record(int level, const LogField *fields, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        log_entry(level, fields, fmt, ap);
        va_end(ap);
}
