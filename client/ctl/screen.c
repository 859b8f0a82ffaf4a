/* screen.c - the terminal, taken and given back. */
#include "ctl/screen.h"

#include "base/fd.h"
#include "ctl/output.h"
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* Alternate buffer, cursor hidden, no wrapping; and back. */
#define FRESH "\033[?25l\033[?7l\033[H\033[2J"
#define ENTER "\033[?1049h" FRESH
#define LEAVE "\033[?7h\033[?25h\033[0m\033[?1049l"
#define CRASH_STACK 65536

static struct {
        bool is_on, has_keys, is_given_back; /* is_given_back: for as long as we are stopped */
        int signal_fd;
        struct termios before;
} screen = {.signal_fd = -EBADF};

static const int taken_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

bool screen_is_possible(void) {
        const char *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && term && *term && !streq(term, "dumb");
}

/* Only what a signal handler may do. */
static void give_back(void) {
        ssize_t n = write(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1);
        (void) n;
        if (screen.has_keys)
                (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.before);
}

/* SA_RESETHAND has put the default back, so the signal does now what it would have done. */
static void on_crash(int number) {
        give_back();
        (void) raise(number);
}

static void watch_crashes(bool is_on) {
        static char stack[CRASH_STACK];
        stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
        struct sigaction action = {.sa_handler = is_on ? on_crash : SIG_DFL,
                                   .sa_flags = (int) (SA_RESETHAND | SA_NODEFER | SA_ONSTACK)};

        if (is_on)
                (void) sigaltstack(&alternate, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
                (void) sigaction(crash_signals[i], &action, NULL);
}

/* Keys one by one and unseen; Ctrl-C and Ctrl-Z stay signals. */
static int take(void) {
        struct termios t = screen.before;

        t.c_lflag &= ~(tcflag_t) (ICANON | ECHO | IEXTEN);
        t.c_iflag &= ~(tcflag_t) (IXON | ICRNL | INLCR);
        t.c_cc[VMIN] = 0;
        t.c_cc[VTIME] = 0;
        if (screen.has_keys && tcsetattr(STDIN_FILENO, TCSADRAIN, &t) < 0)
                return -errno;
        const char *sequence = screen.is_on && !screen.is_given_back ? FRESH : ENTER;
        screen.is_given_back = false;
        return output_write(STDOUT_FILENO, &(Text){.data = (char *) sequence, .length = strlen(sequence)});
}

static void set_of(sigset_t *set) {
        sigemptyset(set);
        for (size_t i = 0; i < ARRAY_SIZE(taken_signals); i++)
                sigaddset(set, taken_signals[i]);
}

int screen_on(void) {
        _cleanup_fd_ int fd = -EBADF;
        sigset_t set;

        if (screen.is_on)
                return 0;
        set_of(&set);
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        screen.has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen.before) >= 0;
        watch_crashes(true);
        int r = take();
        if (r < 0) {
                give_back();
                watch_crashes(false);
                (void) sigprocmask(SIG_UNBLOCK, &set, NULL);
                return r;
        }
        screen.signal_fd = fd;
        fd = -EBADF;
        screen.is_on = true;
        return 0;
}

void screen_off(void) {
        sigset_t set;

        if (!screen.is_on)
                return;
        give_back();
        watch_crashes(false);
        screen.signal_fd = fd_close(screen.signal_fd);
        screen.is_on = false;
        set_of(&set);
        (void) sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int screen_fd(void) {
        return screen.signal_fd;
}

/* As if we had never been: the shell gets its terminal, and the SIGCONT that ends this takes it again. */
static void stop_here(void) {
        give_back();
        screen.is_given_back = true;
        (void) raise(SIGSTOP);
}

int screen_signal(void) {
        struct signalfd_siginfo info;
        int ending = 0;

        while (screen.is_on && read(screen.signal_fd, &info, sizeof(info)) == sizeof(info)) {
                int number = (int) info.ssi_signo;
                if (number == SIGTSTP)
                        stop_here();
                else if (number == SIGCONT)
                        (void) take(); /* whoever had the terminal meanwhile may have changed it */
                else if (number != SIGWINCH)
                        ending = number;
        }
        return ending;
}

void screen_size(unsigned *ret_rows, unsigned *ret_columns) {
        struct winsize w = {};

        (void) ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
        *ret_rows = w.ws_row ? w.ws_row : 24;
        *ret_columns = w.ws_col ? w.ws_col : 80;
}

int screen_keys_fd(void) {
        return screen.is_on && screen.has_keys ? STDIN_FILENO : -EBADF;
}

/* After "ESC [" or "ESC O": the final letter, or the number before "~". */
static unsigned key_of_sequence(unsigned number, char final) {
        static const struct {
                char final;
                unsigned number, key;
        } sequences[] = {
                {'A', 0, KEY_UP},      {'B', 0, KEY_DOWN},      {'C', 0, KEY_RIGHT}, {'D', 0, KEY_LEFT},
                {'H', 0, KEY_HOME},    {'F', 0, KEY_END},       {'~', 1, KEY_HOME},  {'~', 4, KEY_END},
                {'~', 7, KEY_HOME},    {'~', 8, KEY_END},       {'~', 5, KEY_PAGE_UP},
                {'~', 6, KEY_PAGE_DOWN}, {'M', 0, KEY_ENTER},
        };
        for (size_t i = 0; i < ARRAY_SIZE(sequences); i++)
                if (sequences[i].final == final && (final != '~' || sequences[i].number == number))
                        return sequences[i].key;
        return KEY_OTHER;
}

/* A lone escape is the key of that name: a sequence comes in one piece. */
static unsigned key_of_escape(const char **p, size_t *n) {
        const char *s = *p + 1, *end = *p + *n;
        unsigned number = 0, key = KEY_OTHER;

        if (s < end && (*s == '[' || *s == 'O')) {
                for (s++; s < end && ((*s >= '0' && *s <= '9') || *s == ';'); s++)
                        number = *s == ';' ? number : MIN(number * 10 + (unsigned) (*s - '0'), 999u);
                if (s < end)
                        key = key_of_sequence(number, *s++);
        } else if (s == end)
                key = KEY_ESCAPE;
        else
                s++; /* Alt and a key */
        *n -= (size_t) (s - *p);
        *p = s;
        return key;
}

static unsigned code_point(const char *s, size_t length) {
        static const unsigned first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
        unsigned c = (unsigned char) s[0] & first_bits[length];

        for (size_t i = 1; i < length; i++)
                c = c << 6 | ((unsigned char) s[i] & 0x3fu);
        return c;
}

unsigned screen_key_next(const char **p, size_t *n) {
        if (!*n)
                return KEY_NONE;
        if (**p == '\033')
                return key_of_escape(p, n);
        size_t length = utf8_sequence(*p, *n);
        unsigned key = length ? code_point(*p, length) : KEY_OTHER;
        *p += length ? length : 1;
        *n -= length ? length : 1;
        if (key == '\r' || key == '\n')
                return KEY_ENTER;
        if (key == 0x7f || key == '\b')
                return KEY_BACKSPACE;
        return key < 0x20 ? KEY_OTHER : key;
}

int screen_keys(unsigned *keys, size_t max) {
        char buf[256];
        const char *p = buf;
        size_t count = 0;
        ssize_t got = read(STDIN_FILENO, buf, sizeof(buf));

        if (got < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -EPIPE;
        size_t n = (size_t) got;
        while (n && count < max)
                keys[count++] = screen_key_next(&p, &n);
        return (int) count;
}

int screen_draw(const Text *frame) {
        _cleanup_text_ Text out = {};
        unsigned rows, columns, row = 0;
        const char *p = frame->data ? frame->data : "", *end = p + frame->length;

        screen_size(&rows, &columns);
        text_append(&out, "\033[H");
        while (p < end && row < rows) {
                size_t n = strcspn(p, "\n");
                /* Cleared before, not behind: after the last column the cursor still stands on it. */
                text_append(&out, row++ ? "\r\n\033[2K" : "\033[2K");
                text_append_n(&out, p, n);
                text_append(&out, "\033[0m");
                p += n + (p + n < end);
        }
        text_append(&out, row < rows ? "\r\n\033[J" : "");
        int r = text_check(&out);
        return r < 0 ? r : output_write(STDOUT_FILENO, &out);
}
