/* peer.c - the socket options of peer.h. */
#include "control/peer.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define GROUPS_FIRST 32u
#define GROUPS_MAX 65536u /* NGROUPS_MAX of the kernel */

/* Too small a buffer is told with ERANGE and the size that is wanted. */
static int read_groups(int fd, gid_t **ret, size_t *ret_n) {
        size_t room = GROUPS_FIRST;

        for (int i = 0; i < 3; i++) {
                _cleanup_free_ gid_t *groups = NEW0_ARRAY(gid_t, room);
                socklen_t size = (socklen_t) (room * sizeof(gid_t));

                if (!groups)
                        return -ENOMEM;
                if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) >= 0) {
                        *ret_n = size / sizeof(gid_t);
                        *ret = *ret_n > 0 ? TAKE_PTR(groups) : NULL;
                        return 0;
                }
                if (errno != ERANGE || size / sizeof(gid_t) <= room || size / sizeof(gid_t) > GROUPS_MAX)
                        return errno == ERANGE ? -EACCES : -errno;
                room = size / sizeof(gid_t);
        }
        return -EACCES;
}

int peer_read(int fd, Peer *ret) {
        struct ucred credentials = {.uid = PEER_NONE};
        socklen_t size = sizeof(credentials);
        Peer p;
        int r;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
                return -errno;
        if (size != sizeof(credentials) || credentials.uid == PEER_NONE || credentials.gid == (gid_t) -1)
                return -EACCES;
        p = (Peer){.uid = credentials.uid, .gid = credentials.gid, .pid = credentials.pid};
        r = read_groups(fd, &p.groups, &p.n_groups);
        if (r < 0)
                return r;
        *ret = p;
        return 0;
}

void peer_done(Peer *p) {
        free(p->groups);
        *p = (Peer){.uid = PEER_NONE, .gid = (gid_t) -1};
}

bool peer_has_group(const Peer *p, gid_t gid) {
        if (p->uid == PEER_NONE)
                return false;
        for (size_t i = 0; i < p->n_groups; i++)
                if (p->groups[i] == gid)
                        return true;
        return p->gid == gid;
}

static pid_t pidfd_pid(int pidfd) {
        char path[48], line[512], *at;

        (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
        if (file_read_start(path, line, sizeof(line)) < 0)
                return 0;
        at = strstr(line, "\nPid:\t");
        return at ? (pid_t) strtol(at + 6, NULL, 10) : 0;
}

const char *peer_comm(int fd, char buf[static PEER_COMM_MAX]) {
        _cleanup_fd_ int pidfd = -EBADF;
        socklen_t size = sizeof(pidfd);
        char path[32];
        ssize_t n = -1;
        pid_t pid;

        buf[0] = 0;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
                return buf;
        pid = pidfd_pid(pidfd);
        if (pid > 0) {
                (void) snprintf(path, sizeof(path), "/proc/%d/comm", (int) pid);
                n = file_read_start(path, buf, PEER_COMM_MAX);
        }
        if (n > 0 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH)
                n = -1; /* gone meanwhile: it may have been another's */
        buf[n > 0 ? n : 0] = 0;
        buf[strcspn(buf, "\n")] = 0;
        return buf;
}
