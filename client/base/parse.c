/* parse.c - strict parsing of small things. Locale plays no part: digits and letters are ASCII. */
#include "base/parse.h"

#include <signal.h>
#include <stdio.h>

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

int parse_u64(const char *s, uint64_t *ret) {
        uint64_t v = 0;

        if (!is_digit(*s))
                return -EINVAL;
        for (; is_digit(*s); s++)
                if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
                        return -ERANGE;
        if (*s)
                return -EINVAL;
        *ret = v;
        return 0;
}

int parse_i64(const char *s, int64_t *ret) {
        bool is_negative = *s == '-';
        uint64_t v;
        int r = parse_u64(s + is_negative, &v);

        if (r < 0)
                return r;
        if (v > (uint64_t) INT64_MAX + is_negative)
                return -ERANGE;
        *ret = is_negative ? (int64_t) (0 - v) : (int64_t) v;
        return 0;
}

/* Bits to shift for a unit letter, or -EINVAL. */
static int size_shift(char c) {
        static const char letters[] = "KMGTPE";
        const char *p = c ? strchr(letters, c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) : NULL;

        return p ? 10 * (int) (p - letters + 1) : -EINVAL;
}

int parse_size(const char *s, uint64_t *ret) {
        char digits[24];
        size_t n = strlen(s);
        uint64_t v;
        int r, shift = 0;

        if (streq(s, "infinity")) {
                *ret = UINT64_MAX;
                return 0;
        }
        if (n == 0 || n >= sizeof(digits))
                return -EINVAL;
        memcpy(digits, s, n + 1);
        if (!is_digit(digits[n - 1])) {
                shift = size_shift(digits[n - 1]);
                if (shift < 0)
                        return shift;
                digits[n - 1] = 0;
        }
        r = parse_u64(digits, &v);
        if (r < 0)
                return r;
        if (v > (UINT64_MAX >> shift))
                return -ERANGE;
        *ret = v << shift;
        return 0;
}

char *size_format(char buf[static 16], uint64_t bytes) {
        static const char letters[] = "KMGTPE";
        uint64_t tenths;
        size_t unit = 0;

        if (bytes == UINT64_MAX)
                return memcpy(buf, "infinity", sizeof("infinity"));
        if (bytes < 1024) {
                (void) snprintf(buf, 16, "%u", (unsigned) bytes);
                return buf;
        }
        while (unit + 1 < sizeof(letters) - 1 && bytes >> (10 * (unit + 2)) > 0)
                unit++;
        tenths = (uint64_t) ((unsigned __int128) bytes * 10 >> (10 * (unit + 1)));
        if (tenths < 100 && tenths % 10 > 0)
                (void) snprintf(buf, 16, "%u.%u%c", (unsigned) (tenths / 10), (unsigned) (tenths % 10), letters[unit]);
        else
                (void) snprintf(buf, 16, "%u%c", (unsigned) (tenths / 10), letters[unit]);
        return buf;
}

int parse_bool(const char *s, bool *ret) {
        static const struct {
                const char *word;
                bool value;
        } words[] = {
                {"true", true}, {"yes", true}, {"on", true}, {"1", true},
                {"false", false}, {"no", false}, {"off", false}, {"0", false},
        };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (streq(s, words[i].word)) {
                        *ret = words[i].value;
                        return 0;
                }
        return -EINVAL;
}

int parse_octal_mode(const char *s, unsigned *ret) {
        unsigned v = 0;

        if (s[0] == '0' && s[1] == 'o')
                s += 2;
        if (!*s)
                return -EINVAL;
        for (; *s >= '0' && *s <= '7'; s++) {
                v = v * 8 + (unsigned) (*s - '0');
                if (v > 07777)
                        return -ERANGE;
        }
        if (*s)
                return -EINVAL;
        *ret = v;
        return 0;
}

#define SIGNAL_LAST 64
#define SIGNAL_RTMIN 34 /* SIGRTMIN of glibc, which keeps 32 and 33 for itself; musl's is 35 */

/* With a table the text outlives every call; strsignal() and sigabbrev_np() would need a buffer for the others. */
static const char *const signal_names[SIGNAL_LAST + 1] = {
        [0] = "signal 0",
        [SIGHUP] = "SIGHUP", [SIGINT] = "SIGINT", [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
        [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS", [SIGFPE] = "SIGFPE",
        [SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
        [SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM", [SIGSTKFLT] = "SIGSTKFLT",
        [SIGCHLD] = "SIGCHLD", [SIGCONT] = "SIGCONT", [SIGSTOP] = "SIGSTOP", [SIGTSTP] = "SIGTSTP",
        [SIGTTIN] = "SIGTTIN", [SIGTTOU] = "SIGTTOU", [SIGURG] = "SIGURG", [SIGXCPU] = "SIGXCPU",
        [SIGXFSZ] = "SIGXFSZ", [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF", [SIGWINCH] = "SIGWINCH",
        [SIGIO] = "SIGIO", [SIGPWR] = "SIGPWR", [SIGSYS] = "SIGSYS",
        [32] = "signal 32", [33] = "signal 33",
        [34] = "SIGRTMIN", "SIGRTMIN+1", "SIGRTMIN+2", "SIGRTMIN+3", "SIGRTMIN+4", "SIGRTMIN+5", "SIGRTMIN+6",
        "SIGRTMIN+7", "SIGRTMIN+8", "SIGRTMIN+9", "SIGRTMIN+10", "SIGRTMIN+11", "SIGRTMIN+12", "SIGRTMIN+13",
        "SIGRTMIN+14", "SIGRTMIN+15", "SIGRTMIN+16", "SIGRTMIN+17", "SIGRTMIN+18", "SIGRTMIN+19",
        "SIGRTMIN+20", "SIGRTMIN+21", "SIGRTMIN+22", "SIGRTMIN+23", "SIGRTMIN+24", "SIGRTMIN+25",
        "SIGRTMIN+26", "SIGRTMIN+27", "SIGRTMIN+28", "SIGRTMIN+29", "SIGRTMIN+30",
};

const char *signal_to_string(int sig) {
        return sig >= 0 && sig <= SIGNAL_LAST ? signal_names[sig] : "signal out of range";
}

/* "RTMIN", "RTMIN+3", "RTMAX", "RTMAX-2". */
static int realtime_signal_from_string(const char *s) {
        bool is_max = strncmp(s, "RTMAX", 5) == 0;
        uint64_t offset = 0;

        if (!is_max && strncmp(s, "RTMIN", 5) != 0)
                return -EINVAL;
        if (s[5] && (s[5] != (is_max ? '-' : '+') || parse_u64(s + 6, &offset) < 0))
                return -EINVAL;
        if (offset > SIGNAL_LAST - SIGNAL_RTMIN)
                return -EINVAL;
        return is_max ? SIGNAL_LAST - (int) offset : SIGNAL_RTMIN + (int) offset;
}

int signal_from_string(const char *s) {
        static const struct {
                const char *name;
                int number;
        } others[] = {{"CLD", SIGCHLD}, {"IOT", SIGABRT}, {"POLL", SIGPOLL}};
        uint64_t number;

        if (parse_u64(s, &number) >= 0)
                return number >= 1 && number <= SIGNAL_LAST ? (int) number : -EINVAL;
        if (strncmp(s, "SIG", 3) == 0)
                s += 3;
        for (int i = 1; i < 32; i++)
                if (streq(signal_names[i] + 3, s))
                        return i;
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (streq(others[i].name, s))
                        return others[i].number;
        return realtime_signal_from_string(s);
}

bool name_is_valid(const char *s) {
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.-");

        if (n == 0 || n > NAME_LENGTH_MAX || s[n])
                return false;
        return s[0] != '_' && s[0] != '.' && s[0] != '-' && !strstr(s, "..");
}

#define DISTANCE_WORD_MAX 63 /* longer words get no suggestion */

/* Edit distance in which swapping two neighbours counts once: three rows of the usual matrix are enough. */
static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b) {
        uint8_t rows[3][DISTANCE_WORD_MAX + 1];

        for (size_t j = 0; j <= n_b; j++)
                rows[0][j] = (uint8_t) j;
        for (size_t i = 1; i <= n_a; i++) {
                uint8_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

                now[0] = (uint8_t) i;
                for (size_t j = 1; j <= n_b; j++) {
                        uint8_t best = (uint8_t) (last[j - 1] + (a[i - 1] != b[j - 1]));

                        best = MIN(best, (uint8_t) (MIN(last[j], now[j - 1]) + 1));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                best = MIN(best, (uint8_t) (before[j - 2] + 1));
                        now[j] = best;
                }
        }
        return rows[n_a % 3][n_b];
}

const char *name_nearest(const char *word, const char *const *names) {
        size_t n = strlen(word), best;
        const char *nearest = NULL;

        if (n == 0 || n > DISTANCE_WORD_MAX)
                return NULL;
        best = n <= 3 ? 2 : n <= 5 ? 3 : 4; /* one fault in a tiny word, two in a short, three in a long one */
        for (; *names; names++) {
                size_t n_name = strlen(*names), distance;

                if (n_name > DISTANCE_WORD_MAX)
                        continue;
                distance = edit_distance(word, n, *names, n_name);
                if (distance < best && distance < n_name) {
                        best = distance;
                        nearest = *names;
                }
        }
        return nearest;
}
