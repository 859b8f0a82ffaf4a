/* peer.h - who is at the other end, by the kernel's word alone, asked once: at accept.
 *
 * SO_PEERCRED and SO_PEERGROUPS name who called connect(2), whoever writes later and whatever it has become since.
 * Nothing is ever looked up by the pid: it may be another's by then. */
#ifndef DROVER_CONTROL_PEER_H
#define DROVER_CONTROL_PEER_H

#include "base/macro.h"
#include <sys/types.h>

#define PEER_NONE ((uid_t) -1) /* nobody: matches no rule */
#define PEER_COMM_MAX 64       /* 15 letters of the kernel's, and room for what escapes them */

typedef struct Peer {
        uid_t uid;
        gid_t gid;
        pid_t pid; /* for people; never a key to anything */
        gid_t *groups; /* supplementary, of the process, not of /etc/group */
        size_t n_groups;
} Peer;

/** peer_read() - ask the kernel. -errno: to be treated as a refusal; *ret is left alone. */
int peer_read(int fd, Peer *ret);
void peer_done(Peer *p);
bool peer_has_group(const Peer *p, gid_t gid);
/**
 * peer_comm() - the name the peer's process goes by, for an audit line; it is of the peer's own choosing
 * By SO_PEERPIDFD (6.5), so that it is never another's: asked by pid, and believed only when the process of the pidfd is
 * still there afterwards. Return: @buf; "" when the kernel cannot tell or the process is gone.
 */
const char *peer_comm(int fd, char buf[static PEER_COMM_MAX]);

#endif
