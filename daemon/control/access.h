/* access.h - who may do what. Pure.
 *
 * Identity is the kernel's, taken once at accept (SO_PEERCRED names who called connect(2), whoever writes later). */
#ifndef DROVER_CONTROL_ACCESS_H
#define DROVER_CONTROL_ACCESS_H

#include "base/macro.h"
#include <sys/types.h>

/* What a method needs; grows in this order. */
typedef enum AccessClass {
        ACCESS_OBSERVE,    /* reads */
        ACCESS_OPERATE,    /* changes what runs */
        ACCESS_ADMINISTER, /* changes what may run, or ends the daemon */
} AccessClass;
const char *access_class_to_string(AccessClass c); /* "observe" "operate" "administer" */

/** access_peer() - the kernel's word on the other end of @fd. -errno: to be treated as a refusal. */
int access_peer(int fd, uid_t *ret_uid, pid_t *ret_pid);
/**
 * access_check() - may @peer use methods of class @c of a daemon of user @own
 * Root and the daemon's own user may do everything, nobody else anything.
 */
bool access_check(uid_t peer, uid_t own, AccessClass c);

#endif
