/* backlog.c - see backlog.h. Nothing here blocks: the kernel has answered a netlink question when send(2) returns. */
#include "pool/backlog.h"

#include "base/fd.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

static int tcp_backlog(int fd) {
        struct tcp_info info = {0};
        socklen_t size = sizeof info;

        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return -errno;
        return (int) MIN(info.tcpi_unacked, (uint32_t) INT32_MAX);
}

static int datagram_backlog(int fd) {
        uint32_t info[SK_MEMINFO_VARS] = {0};
        socklen_t size = sizeof info;

        if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0)
                return -errno;
        return info[SK_MEMINFO_RMEM_ALLOC] > 0;
}

static int unix_answer(const char *buf, size_t n) {
        const struct nlmsghdr *h = (const struct nlmsghdr *) buf;
        const struct unix_diag_msg *m;
        const struct rtattr *a;
        size_t left;

        if (!NLMSG_OK(h, n) || h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len < NLMSG_LENGTH(sizeof *m))
                return -ENOENT;
        m = NLMSG_DATA(h);
        a = (const struct rtattr *) (m + 1);
        left = h->nlmsg_len - NLMSG_LENGTH(sizeof *m);
        for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
                if (a->rta_type == UNIX_DIAG_RQLEN && RTA_PAYLOAD(a) >= sizeof(struct unix_diag_rqlen))
                        return (int) ((const struct unix_diag_rqlen *) RTA_DATA(a))->udiag_rqueue;
        return -ENOENT;
}

static int unix_backlog(int fd) {
        _cleanup_fd_ int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
        struct {
                struct nlmsghdr head;
                struct unix_diag_req question;
        } request = {0};
        char buf[512] __attribute__((aligned(8)));
        struct stat st;
        ssize_t n;

        if (netlink < 0 || fstat(fd, &st) < 0)
                return -errno;
        request.head.nlmsg_len = sizeof request;
        request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
        request.head.nlmsg_flags = NLM_F_REQUEST;
        request.question.sdiag_family = AF_UNIX;
        request.question.udiag_states = UINT32_MAX;
        request.question.udiag_ino = (uint32_t) st.st_ino;
        request.question.udiag_show = UDIAG_SHOW_RQLEN;
        request.question.udiag_cookie[0] = request.question.udiag_cookie[1] = UINT32_MAX;
        if (send(netlink, &request, sizeof request, MSG_NOSIGNAL) < 0)
                return -errno;
        n = recv(netlink, buf, sizeof buf, MSG_DONTWAIT);
        return n < 0 ? -errno : unix_answer(buf, (size_t) n);
}

int backlog_read(int fd) {
        int domain, type;
        socklen_t size = sizeof(int);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
                return -errno;
        if (type == SOCK_DGRAM)
                return datagram_backlog(fd);
        return domain == AF_UNIX ? unix_backlog(fd) : tcp_backlog(fd);
}
