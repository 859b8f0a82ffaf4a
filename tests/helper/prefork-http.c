/* prefork-http.c - one worker of a preforked HTTP server, for tests: it accepts on the sockets it was handed.
 *
 *   prefork-http [--die-after-ready] [--never-ready] [--text TEXT]
 *
 * Each worker takes connections from the queue that all of them share (or from its own, with reuse_port), answers
 * requests with TEXT (its pid), keeps connections open as HTTP/1.1 does, and says READY=1 once it can accept. On SIGTERM
 * it takes no more: it finishes the requests it has begun, tells the peer of each connection with the next answer that it
 * closes (an idle connection gets a moment for that), and exits. Without sockets it exits with 2. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define LISTEN_START 3
#define GOODBYE_MS 2000 /* how long idle connections may go on asking after SIGTERM */

typedef struct Connection {
        int fd;
        char input[4096];
        size_t n;
} Connection;

static Connection connections[CONNECTIONS_MAX];
static size_t n_connections;
static char text[128];

static long long now_ms(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int count_listening(void) {
        const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

        return pid && n && atol(pid) == (long) getpid() ? atoi(n) : 0;
}

static void say_ready(void) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (!path || fd < 0)
                return;
        (void) snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        (void) sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *) &a, sizeof(a));
        (void) close(fd);
}

static void drop(size_t i) {
        (void) close(connections[i].fd);
        connections[i] = connections[--n_connections];
}

/* Answers every whole request in the buffer. Return: false when the connection is over. */
static bool answer(Connection *c, bool is_last) {
        char out[512], *end;

        while ((end = memmem(c->input, c->n, "\r\n\r\n", 4))) {
                size_t used = (size_t) (end + 4 - c->input);
                bool closes = is_last || memmem(c->input, used, "HTTP/1.0", 8) || memmem(c->input, used, "onnection: close", 16);
                int n = snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n%s",
                                 strlen(text), closes ? "close" : "keep-alive", text);

                if (send(c->fd, out, (size_t) n, MSG_NOSIGNAL) != n || closes)
                        return false;
                c->n -= used;
                memmove(c->input, c->input + used, c->n);
        }
        return c->n < sizeof(c->input);
}

static bool take_input(Connection *c, bool is_last) {
        ssize_t n = recv(c->fd, c->input + c->n, sizeof(c->input) - c->n, 0);

        if (n <= 0)
                return n < 0 && (errno == EAGAIN || errno == EINTR);
        c->n += (size_t) n;
        return answer(c, is_last);
}

static void take_connection(int listening) {
        int fd = n_connections < CONNECTIONS_MAX ? accept4(listening, NULL, NULL, SOCK_CLOEXEC) : -1;

        if (fd >= 0)
                connections[n_connections++] = (Connection) {.fd = fd};
}

static size_t fill(struct pollfd *p, int n_listening, int signal_fd, bool is_ending) {
        size_t n = 0;

        p[n++] = (struct pollfd) {.fd = signal_fd, .events = POLLIN};
        for (int i = 0; i < n_listening; i++)
                p[n++] = (struct pollfd) {.fd = is_ending || n_connections == CONNECTIONS_MAX ? -1 : LISTEN_START + i, .events = POLLIN};
        for (size_t i = 0; i < n_connections; i++)
                p[n++] = (struct pollfd) {.fd = connections[i].fd, .events = POLLIN};
        return n;
}

static int serve(int n_listening, int signal_fd) {
        struct pollfd p[CONNECTIONS_MAX + 32];
        long long until = 0;

        while (until == 0 || (n_connections > 0 && now_ms() < until)) {
                size_t first = 1 + (size_t) n_listening, n = fill(p, n_listening, signal_fd, until > 0);

                if (poll(p, (nfds_t) n, until > 0 ? (int) (until - now_ms() > 0 ? until - now_ms() : 0) : -1) < 0)
                        continue;
                for (size_t i = n; i > first; i--)
                        if (p[i - 1].revents && !take_input(&connections[i - 1 - first], until > 0))
                                drop(i - 1 - first);
                for (size_t i = 1; i < first; i++)
                        if (p[i].revents & POLLIN)
                                take_connection(p[i].fd);
                if (p[0].revents && until == 0) {
                        struct signalfd_siginfo info;

                        if (read(signal_fd, &info, sizeof(info)) > 0)
                                until = now_ms() + GOODBYE_MS;
                }
        }
        return 0;
}

int main(int argc, char **argv) {
        bool dies = false, is_shy = false;
        int n = count_listening();
        sigset_t set;

        (void) snprintf(text, sizeof(text), "%ld\n", (long) getpid());
        for (int i = 1; i < argc; i++) {
                dies |= strcmp(argv[i], "--die-after-ready") == 0;
                is_shy |= strcmp(argv[i], "--never-ready") == 0;
                if (strcmp(argv[i], "--text") == 0 && i + 1 < argc)
                        (void) snprintf(text, sizeof(text), "%s", argv[++i]);
        }
        if (n <= 0)
                return 2;
        for (int i = 0; i < n; i++) /* others accept on the same one: whoever comes too late must not wait there */
                (void) fcntl(LISTEN_START + i, F_SETFL, fcntl(LISTEN_START + i, F_GETFL) | O_NONBLOCK);
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        if (!is_shy)
                say_ready();
        if (dies)
                return 3;
        return serve(n, signalfd(-1, &set, SFD_CLOEXEC));
}
