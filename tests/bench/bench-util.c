/* bench-util.c - see bench-util.h. */
#include "bench-util.h"

#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *bench_name;
static char directory[64], socket_path[96];
static pid_t daemon_pid;

void bench_die(const char *what) {
        fprintf(stderr, "bench %s: %s: %s\n", bench_name, what, strerror(errno));
        if (daemon_pid > 0)
                (void) kill(daemon_pid, SIGTERM);
        exit(1);
}

void bench_init(const char *name) {
        bench_name = name;
        (void) signal(SIGPIPE, SIG_IGN);
        if (fd_raise_limit(NULL, NULL) < 0)
                bench_die("cannot raise the limit of descriptors");
}

size_t bench_size(size_t full, size_t smoke) {
        return getenv("DROVER_BENCH_SMOKE") ? smoke : full;
}

double bench_now(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static const char *required_env(const char *name) {
        const char *v = getenv(name);

        if (!v) {
                fprintf(stderr, "bench %s: $%s is not set: run it by tests/bench/run.sh\n", bench_name, name);
                exit(1);
        }
        return v;
}

const char *bench_tiny(void) {
        return required_env("DROVER_BENCH_TINY");
}

const char *bench_directory(void) {
        return directory;
}

const char *bench_socket(void) {
        return socket_path;
}

int bench_connect(const char *path) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
        if (fd < 0)
                bench_die("socket");
        if (connect(fd, (struct sockaddr *) &a, sizeof a) < 0) {
                (void) close(fd);
                return -1;
        }
        return fd;
}

static void write_config(const char *pools_json) {
        char path[128], *text = NULL;
        int n;

        (void) snprintf(path, sizeof path, "%s/drover.json", directory);
        n = asprintf(&text, "{\"log_dir\":\"%s/log\",\"state_dir\":\"%s/state\",\"pools\":%s}", directory, directory,
                     pools_json);
        if (n < 0 || file_write_atomic(path, text, (size_t) n, 0600) < 0)
                bench_die("cannot write the configuration");
        free(text);
}

static void exec_daemon(void) {
        char config[128], log[128];
        int fd;

        (void) snprintf(config, sizeof config, "%s/drover.json", directory);
        (void) snprintf(log, sizeof log, "%s/droverd.log", directory);
        fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd >= 0) {
                (void) dup2(fd, 1);
                (void) dup2(fd, 2);
        }
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        const char *droverd = required_env("DROVER_BENCH_DROVERD");
        (void) execl(droverd, droverd, "-S", socket_path, "-c", config, (char *) NULL);
        _exit(127);
}

pid_t bench_daemon_start(const char *pools_json) {
        double deadline = bench_now() + 20;
        int fd;

        (void) snprintf(directory, sizeof directory, "/tmp/drover-bench-XXXXXX");
        if (!mkdtemp(directory))
                bench_die("mkdtemp");
        (void) snprintf(socket_path, sizeof socket_path, "%s/control.sock", directory);
        write_config(pools_json);
        daemon_pid = fork();
        if (daemon_pid < 0)
                bench_die("fork");
        if (daemon_pid == 0)
                exec_daemon();
        while ((fd = bench_connect(socket_path)) < 0) {
                if (bench_now() > deadline || waitpid(daemon_pid, NULL, WNOHANG) != 0)
                        bench_die("droverd does not answer");
                (void) poll(NULL, 0, 5);
        }
        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.info\"}"));
        (void) close(fd);
        return daemon_pid;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void) st, (void) type, (void) ftw;
        return remove(path);
}

void bench_daemon_stop(void) {
        if (daemon_pid <= 0)
                return;
        (void) kill(daemon_pid, SIGTERM);
        (void) waitpid(daemon_pid, NULL, 0);
        daemon_pid = 0;
        (void) nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void bench_daemon_pids(pid_t ret[3]) {
        static const char *const keys[3] = {"pid", "keeper_pid", "logger_pid"};
        int fd = bench_connect(socket_path);
        char *text = bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.info\"}");
        json_t *o = json_loads(text, 0, NULL);

        for (int i = 0; i < 3; i++)
                ret[i] = (pid_t) json_integer_value(json_object_get(json_object_get(o, "result"), keys[i]));
        json_decref(o);
        free(text);
        (void) close(fd);
}

static size_t read_line(int fd, char **buffer, size_t *capacity) {
        size_t n = 0;

        for (;;) {
                if (n + 65536 > *capacity) {
                        *capacity = *capacity * 2 + 131072;
                        *buffer = realloc(*buffer, *capacity);
                        if (!*buffer)
                                bench_die("out of memory");
                }
                ssize_t r = read(fd, *buffer + n, *capacity - n - 1);
                if (r <= 0)
                        bench_die("the connection ended");
                n += (size_t) r;
                if ((*buffer)[n - 1] == '\n')
                        break;
        }
        (*buffer)[n - 1] = 0;
        return n - 1;
}

static void send_line(int fd, const char *line, size_t length) {
        if (send(fd, line, length, MSG_NOSIGNAL) != (ssize_t) length)
                bench_die("send");
}

char *bench_call(int fd, const char *line) {
        char *buffer = NULL, *out = NULL;
        size_t capacity = 0;
        int n = asprintf(&out, "%s\n", line);

        if (n < 0)
                bench_die("out of memory");
        send_line(fd, out, (size_t) n);
        free(out);
        (void) read_line(fd, &buffer, &capacity);
        if (strstr(buffer, "\"error\":{")) {
                fprintf(stderr, "bench %s: %s\n answered: %.500s\n", bench_name, line, buffer);
                errno = EPROTO;
                bench_die("an error answer");
        }
        return buffer;
}

size_t bench_exchange(int fd, const char *line, size_t length) {
        static char *buffer;
        static size_t capacity;

        send_line(fd, line, length);
        return read_line(fd, &buffer, &capacity);
}

pid_t bench_vfork_tiny(const char *const *argv) {
        const char *path = bench_tiny();
        pid_t pid = vfork();

        if (pid == 0) {
                (void) execv(path, (char **) argv);
                _exit(127);
        }
        if (pid < 0)
                bench_die("vfork");
        return pid;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return (x > y) - (x < y);
}

double bench_median(double *v, size_t n) {
        qsort(v, n, sizeof *v, compare);
        return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double bench_percentile(double *sorted, size_t n, double p) {
        size_t i = (size_t) (p * (double) n);

        return sorted[i < n ? i : n - 1];
}

static void print(const char *figure, const char *unit, double value, double floor, double goal, bool more_is_better) {
        printf("{\"bench\":\"%s\",\"figure\":\"%s\",\"unit\":\"%s\",\"value\":%.6g", bench_name, figure, unit, value);
        double measure = value;
        if (floor > 0) {
                measure = value / floor;
                printf(",\"floor\":%.6g,\"ratio\":%.3f", floor, measure);
        }
        if (goal > 0)
                printf(",\"goal\":\"%s%g\",\"met\":%s", more_is_better ? ">=" : "<=", goal,
                       (more_is_better ? measure >= goal : measure <= goal) ? "true" : "false");
        printf("}\n");
        (void) fflush(stdout);
}

void bench_print(const char *figure, const char *unit, double value, double floor, double goal) {
        print(figure, unit, value, floor, goal, false);
}

void bench_print_rate(const char *figure, const char *unit, double value, double floor, double goal) {
        print(figure, unit, value, floor, goal, true);
}
