/* access.h - who may do what. Pure.
 *
 * A caller's level is the highest role that any rule grants him: rules only grant, none takes away, and a higher role has
 * all lower ones. Root and the daemon's own user administer everything. Members of the socket's group operate, unless
 * `access` names them otherwise. A pool's own `access` adds to the global one, for that pool.
 *
 * Who may not observe a pool is answered as if there were no such pool. */
#ifndef DROVER_CONTROL_ACCESS_H
#define DROVER_CONTROL_ACCESS_H

#include "config/config.h"
#include "control/peer.h"

/* What a method needs and what a caller has; grows in this order. */
typedef enum AccessClass {
        ACCESS_PUBLIC = -1,                 /* whoever may connect; the level of those without any role */
        ACCESS_OBSERVE = ROLE_OBSERVE,      /* reads */
        ACCESS_SUBMIT = ROLE_SUBMIT,        /* gives work to what runs */
        ACCESS_OPERATE = ROLE_OPERATE,      /* changes what runs */
        ACCESS_ADMINISTER = ROLE_ADMINISTER /* changes what may run, or ends the daemon */
} AccessClass;
const char *access_class_to_string(AccessClass c); /* "none" "observe" "submit" "operate" "administer" */

/* The rules that hold for everything. */
typedef struct AccessRules {
        uid_t own_uid;              /* the daemon's */
        const AccessConfig *access; /* NULL: nobody but root and the own user */
        bool has_socket_group;
        gid_t socket_gid;
} AccessRules;

/** access_granted() - the highest role that @access gives @p; ACCESS_PUBLIC when none. @access may be NULL. */
AccessClass access_granted(const AccessConfig *access, const Peer *p);
/** access_level() - what @p is to the daemon as a whole. */
AccessClass access_level(const AccessRules *rules, const Peer *p);
/** access_is_privileged() - root or the daemon's own user: no quota by rank, no penalty. */
bool access_is_privileged(const AccessRules *rules, const Peer *p);

#endif
