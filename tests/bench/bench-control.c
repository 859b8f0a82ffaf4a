/* bench-control.c - `status` of one worker of 1000 and of all: calls a second and p99 with 1 and 64 connections, against a
 * bare JSON-lines responder on jansson in the same run, driven by the same client. */
#include "bench-util.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS 64

static const char one[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"select\":[\"w/500\"]}}\n";
static const char all[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n";

/* The floor: parse a line with jansson, build an answer of a WORKER's size with jansson, write it. */
static void respond(int fd) {
        static char line[65536];
        ssize_t n = read(fd, line, sizeof line);

        if (n <= 0) {
                (void) close(fd);
                return;
        }
        json_t *call = json_loadb(line, (size_t) n, 0, NULL);
        json_t *worker = json_pack("{s:s,s:s,s:i,s:i,s:i,s:s,s:b,s:n,s:b,s:s,s:f,s:i,s:n,s:b,s:n,s:i,s:f,s:i,s:n}", "name",
                                   "w/500", "pool", "w", "slot", 500, "pid", 1234, "ppid", 1200, "state", "running",
                                   "alive", 1, "exitcode", "daemon", 0, "started_at", "2026-01-01T00:00:00.000Z",
                                   "uptime", 12.5, "restarts", 0, "last_exit", "busy", 0, "task", "tasks_done", 0, "cpu",
                                   0.1, "memory", 123456, "status_text");
        json_t *reply = json_pack("{s:s,s:O,s:{s:[{s:s,s:s,s:[o]}]}}", "jsonrpc", "2.0", "id", json_object_get(call, "id"),
                                  "result", "pools", "name", "w", "state", "running", "workers", worker);
        char *text = json_dumps(reply, JSON_COMPACT);
        size_t length = strlen(text);

        text[length] = '\n';
        if (send(fd, text, length + 1, MSG_NOSIGNAL) < 0)
                (void) close(fd); /* the client had enough */
        free(text);
        json_decref(reply);
        json_decref(call);
}

static void responder(const char *path) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int ep = epoll_create1(EPOLL_CLOEXEC), listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, got[CONNECTIONS + 1];

        (void) snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
        if (bind(listener, (struct sockaddr *) &a, sizeof a) < 0 || listen(listener, CONNECTIONS) < 0 ||
            epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e) < 0)
                bench_die("responder");
        for (;;) {
                int n = epoll_wait(ep, got, CONNECTIONS + 1, -1);
                for (int i = 0; i < n; i++) {
                        if (got[i].data.fd != listener) {
                                respond(got[i].data.fd);
                                continue;
                        }
                        e.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                        if (e.data.fd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e) < 0)
                                bench_die("responder: accept");
                }
        }
}

/* Round trips one after the other on one connection: median and p99 in µs. */
static double round_trips(int fd, const char *line, size_t n, double *ret_p99) {
        double *t = calloc(n, sizeof *t), median;

        for (size_t i = 0; i < n; i++) {
                double t0 = bench_now();
                (void) bench_exchange(fd, line, strlen(line));
                t[i] = (bench_now() - t0) * 1e6;
        }
        median = bench_median(t, n);
        *ret_p99 = bench_percentile(t, n, 0.99);
        free(t);
        return median;
}

/* 64 connections, one call in flight on each: calls a second. */
static double rate(const char *path, size_t n_calls) {
        int fds[CONNECTIONS], ep = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event e = {.events = EPOLLIN}, got[CONNECTIONS];
        static char sink[1 << 16];
        size_t done = 0;

        for (int i = 0; i < CONNECTIONS; i++) {
                fds[i] = bench_connect(path);
                e.data.fd = fds[i];
                if (fds[i] < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e) < 0)
                        bench_die("connect");
        }
        double t0 = bench_now();
        for (int i = 0; i < CONNECTIONS; i++)
                if (send(fds[i], one, sizeof one - 1, MSG_NOSIGNAL) < 0)
                        bench_die("send");
        while (done < n_calls) {
                int n = epoll_wait(ep, got, CONNECTIONS, 10000);
                if (n <= 0)
                        bench_die("no answer");
                for (int i = 0; i < n; i++) {
                        ssize_t r = read(got[i].data.fd, sink, sizeof sink);
                        if (r <= 0)
                                bench_die("the connection ended");
                        if (sink[r - 1] != '\n')
                                continue;
                        if (++done + CONNECTIONS > n_calls)
                                continue; /* the last answers come in, no more questions */
                        if (send(got[i].data.fd, one, sizeof one - 1, MSG_NOSIGNAL) < 0)
                                bench_die("send");
                }
        }
        double seconds = bench_now() - t0;
        for (int i = 0; i < CONNECTIONS; i++)
                (void) close(fds[i]);
        (void) close(ep);
        return (double) done / seconds;
}

int main(void) {
        bench_init("control");
        size_t workers = bench_size(1000, 501), calls = bench_size(20000, 50), rounds = bench_size(5, 1);
        double floor_trip[5], trip[5], floor_rate[5], drover_rate[5], p99[5], floor_p99[5], all_median[5], all_p99;
        char pools[512], path[100];

        (void) snprintf(pools, sizeof pools, "{\"w\":{\"command\":[\"%s\",\"pause\"],\"workers\":%zu}}", bench_tiny(), workers);
        (void) bench_daemon_start(pools);
        (void) snprintf(path, sizeof path, "%s/floor.sock", bench_directory());
        pid_t floor = fork();
        if (floor == 0)
                responder(path);
        int fd = bench_connect(bench_socket()), floor_fd;
        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\",\"params\":{\"select\":\"w\",\"for\":\"ready\",\"timeout\":60}}"));
        while ((floor_fd = bench_connect(path)) < 0)
                ;
        for (size_t i = 0; i < rounds; i++) {
                floor_trip[i] = round_trips(floor_fd, one, calls, &floor_p99[i]);
                trip[i] = round_trips(fd, one, calls, &p99[i]);
                floor_rate[i] = rate(path, calls * 3);
                drover_rate[i] = rate(bench_socket(), calls * 3);
                all_median[i] = round_trips(fd, all, bench_size(200, 3), &all_p99);
        }
        bench_print("status of one: round trip", "us", bench_median(trip, rounds), bench_median(floor_trip, rounds), 1.5);
        bench_print("status of one: p99", "us", bench_median(p99, rounds), bench_median(floor_p99, rounds), 0);
        bench_print_rate("status of one: 64 connections", "calls/s", bench_median(drover_rate, rounds),
                         bench_median(floor_rate, rounds), 0.7);
        bench_print("status of all 1000", "us", bench_median(all_median, rounds), 0, 4000);
        (void) kill(floor, SIGKILL);
        (void) waitpid(floor, NULL, 0);
        bench_daemon_stop();
        return 0;
}
