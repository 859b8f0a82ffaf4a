/* access.c - the rules of access.h. */
#include "control/access.h"

const char *access_class_to_string(AccessClass c) {
        static const char *const names[] = {
                [ACCESS_OBSERVE] = "observe",
                [ACCESS_SUBMIT] = "submit",
                [ACCESS_OPERATE] = "operate",
                [ACCESS_ADMINISTER] = "administer",
        };

        return c < ACCESS_OBSERVE || c > ACCESS_ADMINISTER ? "none" : names[c];
}

static bool list_has(const AccessList *l, const Peer *p) {
        if (p->uid == PEER_NONE)
                return false;
        for (size_t i = 0; i < l->n_uids; i++)
                if (l->uids[i] == p->uid)
                        return true;
        for (size_t i = 0; i < l->n_gids; i++)
                if (peer_has_group(p, l->gids[i]))
                        return true;
        return l->everybody;
}

AccessClass access_granted(const AccessConfig *access, const Peer *p) {
        for (int role = ROLE_ADMINISTER; access && role >= ROLE_OBSERVE; role--)
                if (list_has(&access->roles[role], p))
                        return (AccessClass) role;
        return ACCESS_PUBLIC;
}

static bool names_group(const AccessConfig *access, gid_t gid) {
        for (int role = ROLE_OBSERVE; access && role < _ROLE_MAX; role++)
                for (size_t i = 0; i < access->roles[role].n_gids; i++)
                        if (access->roles[role].gids[i] == gid)
                                return true;
        return false;
}

bool access_is_privileged(const AccessRules *rules, const Peer *p) {
        return p->uid != PEER_NONE && (p->uid == 0 || p->uid == rules->own_uid);
}

AccessClass access_level(const AccessRules *rules, const Peer *p) {
        AccessClass granted;

        if (access_is_privileged(rules, p))
                return ACCESS_ADMINISTER;
        granted = access_granted(rules->access, p);
        if (rules->has_socket_group && granted < ACCESS_OPERATE && peer_has_group(p, rules->socket_gid) &&
            !names_group(rules->access, rules->socket_gid))
                return ACCESS_OPERATE;
        return granted;
}
