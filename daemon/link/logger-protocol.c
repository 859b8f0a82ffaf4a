/* logger-protocol.c - packet lengths of the lines of drover-logger. Pure. */
#include "link/logger-protocol.h"
#include "base/macro.h"

#define HEAD offsetof(LoggerMessage, attach)
#define WITH(member) (HEAD + sizeof(((LoggerMessage *) 0)->member))

static const uint16_t sizes[] = {
        [LOGGER_SCRATCH] = HEAD,
        [LOGGER_ATTACH] = WITH(attach),
        [LOGGER_LINGER] = WITH(linger_usec),
        [LOGGER_PEER] = HEAD,
        [LOGGER_REOPEN] = HEAD,
        [LOGGER_FINISH] = HEAD,
        [LOGGER_DETACHED] = HEAD,
        [LOGGER_REFUSED] = HEAD,
        [LOGGER_RESPEC] = WITH(respec),
        [LOGGER_NO_PEER] = HEAD,

        [LOGGER_READ] = WITH(read),
        [LOGGER_CANCEL] = HEAD,
        [LOGGER_CREDIT] = WITH(credit),
        [LOGGER_LINES] = WITH(lines),
        [LOGGER_END] = WITH(end),
        [LOGGER_ROTATE] = WITH(read),
        [LOGGER_CLEAR] = WITH(read),
        [LOGGER_DROPPED] = WITH(dropped),
};

size_t logger_message_size(uint32_t type) {
        return type < ARRAY_SIZE(sizes) ? sizes[type] : 0;
}
