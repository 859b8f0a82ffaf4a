/* access.c - the rules of access.h. */
#include "control/access.h"

#include <sys/socket.h>

const char *access_class_to_string(AccessClass c) {
        static const char *const names[] = {
                [ACCESS_OBSERVE] = "observe",
                [ACCESS_OPERATE] = "operate",
                [ACCESS_ADMINISTER] = "administer",
        };

        return names[c];
}

int access_peer(int fd, uid_t *ret_uid, pid_t *ret_pid) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        if (size != sizeof(peer) || peer.uid == (uid_t) -1)
                return -EACCES;
        *ret_uid = peer.uid;
        *ret_pid = peer.pid;
        return 0;
}

bool access_check(uid_t peer, uid_t own, AccessClass c) {
        return peer == 0 || peer == own;
}
