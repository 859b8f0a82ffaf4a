/* keeper-protocol.c - packet lengths of the line between droverd and drover-keeper. Pure. */
#include "link/keeper-protocol.h"
#include "base/macro.h"

#define HEAD offsetof(KeeperMessage, launch)
#define WITH(member) (HEAD + sizeof(((KeeperMessage *) 0)->member))

static const uint16_t sizes[] = {
        [KEEPER_LAUNCH] = WITH(launch),
        [KEEPER_SIGNAL] = WITH(signal),
        [KEEPER_KILL_TREE] = HEAD,
        [KEEPER_ACK] = HEAD,
        [KEEPER_KEEP] = WITH(kept),
        [KEEPER_DROP] = WITH(kept),
        [KEEPER_NOTIFY] = WITH(text),
        [KEEPER_PING] = HEAD,
        [KEEPER_QUIT] = WITH(quit),
        [KEEPER_REOPEN] = HEAD,
        [KEEPER_FREEZE] = HEAD,
        [KEEPER_THAW] = HEAD,
        [KEEPER_RESPEC] = WITH(respec),
        [KEEPER_SWEEP] = HEAD,
        [KEEPER_SET_CGROUP] = WITH(cgroup),
        [KEEPER_SET_LIMITS] = WITH(limits),
        [KEEPER_USE_SPARE] = WITH(use_spare),
        [KEEPER_SPARE_USED] = WITH(spare_used),
        [KEEPER_LOOK] = HEAD,

        [KEEPER_HELLO] = WITH(hello),
        [KEEPER_SLOT] = WITH(slot_info),
        [KEEPER_KEPT] = WITH(kept),
        [KEEPER_LOGGER] = WITH(logger),
        [KEEPER_QUIET_LINE] = HEAD,
        [KEEPER_TABLE_END] = HEAD,
        [KEEPER_STARTED] = WITH(started),
        [KEEPER_FAILED] = WITH(failed),
        [KEEPER_READY] = HEAD,
        [KEEPER_FROZEN] = WITH(frozen),
        [KEEPER_EXITED] = WITH(exited),
        [KEEPER_DRAINED] = HEAD,
        [KEEPER_RAN] = WITH(ran),
        [KEEPER_SPARE_BORN] = HEAD,
        [KEEPER_SHUTDOWN] = HEAD,
        [KEEPER_RELOAD] = HEAD,
};

size_t keeper_message_size(uint32_t type) {
        return type < ARRAY_SIZE(sizes) ? sizes[type] : 0;
}

size_t keeper_message_parts(const KeeperMessage *m, KeeperMessage ret[static KEEPER_PARTS_MAX]) {
        KeeperMessage part = {.slot = m->slot, .generation = m->generation};

        ret[0] = *m;
        if (m->type != KEEPER_RAN)
                return 1;
        ret[0] = ret[1] = ret[2] = part;
        ret[0].type = KEEPER_STARTED;
        ret[0].started.pid = m->ran.pid;
        ret[0].started.at_usec = m->ran.started_usec;
        ret[0].started.leaf = m->ran.leaf;
        ret[1].type = KEEPER_EXITED;
        ret[1].exited = m->ran.exited;
        ret[2].type = KEEPER_DRAINED;
        return KEEPER_PARTS_MAX;
}
