/* template.c - see template.h: the template itself, which receives and forks. */
#include "worker/template.h"

#include "base/fd.h"
#include "base/parse.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESERVED_FIRST 3
#define RESERVED_LAST 31
#define NAMES_MAX 256

unsigned long long template_reserved;

int template_descriptor(void) {
        const char *text = getenv("DROVER_TEMPLATE_FD");
        uint64_t v;

        return text && parse_u64(text, &v) >= 0 && v <= INT32_MAX ? (int) v : -ENOENT;
}

bool template_loads_first(void) {
        const char *method = getenv("DROVER_START_METHOD");

        return method && streq(method, "forkserver");
}

/* Sockets and channels of a new process begin at 3; what a module opens in init() shall not be in their place. */
void template_reserve(void) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC), lowest;

        if (null < 0)
                return;
        while ((lowest = fcntl(null, F_DUPFD_CLOEXEC, RESERVED_FIRST)) >= 0 && lowest <= RESERVED_LAST)
                template_reserved |= 1ull << lowest;
        (void) fd_close(lowest);
        if (null > RESERVED_LAST)
                (void) fd_close(null);
        else
                template_reserved |= 1ull << null;
}

/* "request report stdout stderr cgroup": in this order come the first descriptors. For a spare there is no request. */
static int name_descriptors(char *names, const int *fds, size_t n, TemplateRequest *ret) {
        size_t i = 0;
        char *rest;

        *ret = (TemplateRequest){.text = -EBADF, .report = -EBADF, .out = -EBADF, .err = -EBADF, .cgroup = -EBADF};
        for (char *name = strtok_r(names, " \n", &rest); name && i < n; name = strtok_r(NULL, " \n", &rest), i++) {
                int *place = streq(name, "request") ? &ret->text
                        : streq(name, "report") ? &ret->report
                        : streq(name, "stdout") ? &ret->out
                        : streq(name, "stderr") ? &ret->err
                        : streq(name, "cgroup") ? &ret->cgroup : NULL;
                if (!place || *place >= 0)
                        return -EPROTO;
                *place = fds[i];
        }
        for (; i < n; i++)
                ret->extra[ret->n_extra++] = fds[i];
        return ret->report >= 0 && ret->out >= 0 && ret->err >= 0 && (ret->text >= 0 || ret->n_extra == 0) ? 0 : -EPROTO;
}

static void tell_failure(int report, int error) {
        char text[64];
        int n = snprintf(text, sizeof text, "failed fork %d 0", -error);

        (void) send(report, text, (size_t) n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int template_serve(int fd, const TemplateHooks *hooks, json_t **ret_request) {
        template_child_prepare();
        if (fd_set_cloexec(fd, true) < 0 || send(fd, "ready spare", 11, MSG_NOSIGNAL) != 11)
                return -errno;
        for (;;) {
                int fds[TEMPLATE_FDS_MAX], r;
                char names[NAMES_MAX];
                TemplateRequest request;
                size_t n_fds = 0;
                ssize_t n = packet_recv(fd, names, sizeof names - 1, fds, TEMPLATE_FDS_MAX, &n_fds);
                pid_t pid;

                if (n == -EINTR)
                        continue;
                if (n <= 0)
                        return (int) n;
                names[n] = '\0';
                r = name_descriptors(names, fds, n_fds, &request);
                if (r < 0 || (hooks->is_stale && hooks->is_stale(hooks->userdata))) {
                        (void) fd_close(fd); /* first: that this one is not answered is to be seen as our end */
                        fd_close_many(fds, n_fds);
                        return r;
                }
                (void) fflush(NULL); /* what it has not written yet is not to be written by each of them */
                pid = template_fork(request.cgroup);
                if (pid == 0) {
                        *ret_request = template_child(&request, fd, hooks);
                        return 1;
                }
                if (pid < 0)
                        tell_failure(request.report, pid);
                fd_close_many(fds, n_fds);
        }
}
