/* droverd-line.c - what the keeper says to droverd, made from the table at the moment of sending.
 *
 * The greeting of a new life is one head bit and goes part by part as the socket drains. While it lasts, what
 * happens to a slot not yet told is simply part of its SLOT message; what happens to one already told is due
 * afterwards. */
#include "keeper/keeper.h"
#include "base/fd.h"
#include <signal.h>
#include <unistd.h>

#define RAN_BITS (1u << NOTICE_STARTED | 1u << NOTICE_END | 1u << NOTICE_DRAINED)
#define BORN_BIT (1u << NOTICE_SPARE_BORN)
#define READ_MAX 16 /* requests a turn: a launch takes about 0.2 ms, and deaths must not wait long */

static int say(Keeper *k, KeeperMessage *m, const int *fd) {
        return packet_send(k->to_droverd.fd, m, keeper_message_size(m->type), fd, fd ? 1 : 0);
}

static int say_hello(Keeper *k) {
        KeeperMessage m = {
                .type = KEEPER_HELLO,
                .hello = {
                        .version = KEEPER_PROTOCOL_VERSION,
                        .flags = (k->shutdown_wanted ? KEEPER_HELLO_SHUTDOWN : 0) |
                                (k->droverd.n_lives == 1 ? KEEPER_HELLO_FIRST : 0),
                        .tree_mode = k->tree.ops->mode,
                        .keeper_pid = getpid(),
                        .n_lives = k->droverd.n_lives,
                        .n_slots_max = KEEPER_SLOTS_MAX,
                        .started_usec = k->started_usec,
                        .watchdog_usec = k->watchdog_usec,
                        .ping_usec = k->ping_usec,
                        .n_fds_soft = k->n_fds_soft,
                },
        };

        memcpy(m.hello.tree_reason, k->tree.reason, sizeof(m.hello.tree_reason));
        m.hello.means = k->means.bits;
        m.hello.landlock_abi = k->means.landlock_abi;
        m.hello.controllers = k->tree.controllers.on;
        memcpy(m.hello.controllers_reason, k->tree.controllers.reason, sizeof(m.hello.controllers_reason));
        memcpy(m.hello.mount_reason, k->means.mount_reason, sizeof(m.hello.mount_reason));
        return say(k, &m, NULL);
}

static int say_slot(Keeper *k, const Slot *s, uint32_t index) {
        KeeperMessage m = {
                .type = KEEPER_SLOT,
                .slot = index,
                .generation = s->generation,
                .slot_info = {
                        .state = s->state,
                        .pid = s->state == KEEPER_SLOT_ENDED ? 0 : s->leader,
                        .started_usec = s->started_usec,
                        .leaf = s->leaf.generation,
                        .is_ready = s->is_ready,
                        .is_drained = s->is_drained,
                        .is_failed = s->state == KEEPER_SLOT_ENDED && s->is_failed,
                        .is_acked = s->is_acked,
                },
        };

        if (s->state == KEEPER_SLOT_ENDED && s->is_failed)
                m.slot_info.failed = s->failed;
        if (s->state == KEEPER_SLOT_ENDED)
                m.slot_info.exited = s->exited;
        memcpy(m.slot_info.name, s->name, sizeof(m.slot_info.name));
        return say(k, &m, NULL);
}

static int say_slots(Keeper *k) {
        for (; k->table_cursor < k->table->top; k->table_cursor++) {
                const Slot *s = &k->table->slots[k->table_cursor];
                int r = s->state == KEEPER_SLOT_FREE ? 0 : say_slot(k, s, k->table_cursor);

                if (r < 0)
                        return r;
                peer_link_forget_slot(&k->to_droverd, k->table_cursor);
        }
        k->table_cursor = 0;
        return 0;
}

static int say_kept(Keeper *k) {
        for (; k->table_cursor < k->kept->top; k->table_cursor++) {
                KeeperMessage m = {.type = KEEPER_KEPT};
                int fd = kept_fd(k->kept, k->table_cursor), r;

                if (fd < 0)
                        continue;
                memcpy(m.kept.name, k->kept->items[k->table_cursor].name, sizeof(m.kept.name));
                r = say(k, &m, &fd);
                if (r < 0)
                        return r;
        }
        k->table_cursor = 0;
        return 0;
}

static int say_logger(Keeper *k) {
        KeeperMessage m = {.type = KEEPER_LOGGER, .logger = {.pid = k->logger.pid}};
        int r;

        if (k->peer_fds[0] < 0)
                return 0;
        r = say(k, &m, &k->peer_fds[0]);
        if (r >= 0)
                k->peer_fds[0] = fd_close(k->peer_fds[0]);
        return r;
}

static int say_quiet_line(Keeper *k) {
        int r = 0;

        if (k->quiet_peer_fd >= 0)
                r = say(k, &(KeeperMessage) {.type = KEEPER_QUIET_LINE}, &k->quiet_peer_fd);
        if (r >= 0)
                k->quiet_peer_fd = fd_close(k->quiet_peer_fd);
        return r;
}

static int say_table_end(Keeper *k) {
        return say(k, &(KeeperMessage) {.type = KEEPER_TABLE_END}, NULL);
}

static int say_table(Keeper *k) {
        static int (*const parts[])(Keeper *) = {say_hello, say_slots, say_kept, say_logger, say_quiet_line, say_table_end};

        for (; k->table_part < ARRAY_SIZE(parts); k->table_part++) {
                int r = parts[k->table_part](k);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int say_of_line(unsigned bit, void *userdata) {
        Keeper *k = userdata;

        if (k->to_droverd.head != 0)
                return say_table(k);
        if (bit == NOTICE_LOGGER)
                return say_logger(k);
        return say(k, &(KeeperMessage) {.type = bit == NOTICE_SHUTDOWN ? KEEPER_SHUTDOWN : KEEPER_RELOAD}, NULL);
}

/* It began and ended since the last flush. */
static int say_ran(Keeper *k, const Slot *s, uint32_t index) {
        KeeperMessage m = {
                .type = KEEPER_RAN, .slot = index, .generation = s->generation,
                .ran = {.exited = s->exited, .started_usec = s->started_usec, .leaf = s->leaf.generation, .pid = s->leader},
        };
        int r = say(k, &m, NULL);

        if (r >= 0)
                peer_link_forget_slot(&k->to_droverd, index);
        return r;
}

static int say_spare_born(Keeper *k, const Slot *s, uint32_t index) {
        KeeperMessage m = {.type = KEEPER_SPARE_BORN, .slot = index, .generation = s->generation};

        if (!s->is_spare || s->pid <= 0 || s->is_failed || s->is_ending || s->state != KEEPER_SLOT_LAUNCHING || s->report_fd < 0)
                return 0;
        return say(k, &m, &s->report_fd);
}

static int say_of_slot(uint32_t index, unsigned bit, void *userdata) {
        Keeper *k = userdata;
        const Slot *s = &k->table->slots[index];
        KeeperMessage m = {.slot = index, .generation = s->generation};

        switch (bit) {
        case NOTICE_STARTED:
                if ((peer_link_slot_bits(&k->to_droverd, index) & ~BORN_BIT) == RAN_BITS && !s->is_failed)
                        return say_ran(k, s, index);
                m.type = KEEPER_STARTED;
                m.started.pid = s->leader;
                m.started.at_usec = s->started_usec;
                m.started.leaf = s->leaf.generation;
                break;
        case NOTICE_READY:
                m.type = KEEPER_READY;
                break;
        case NOTICE_FROZEN:
                m.type = KEEPER_FROZEN;
                m.frozen.is_frozen = s->is_frozen;
                m.frozen.error = -s->freeze_error;
                break;
        case NOTICE_SPARE_BORN:
                return say_spare_born(k, s, index);
        case NOTICE_END:
                m.type = s->is_failed ? KEEPER_FAILED : KEEPER_EXITED;
                if (s->is_failed)
                        m.failed = s->failed;
                else
                        m.exited = s->exited;
                break;
        default:
                m.type = KEEPER_DRAINED;
        }
        return say(k, &m, NULL);
}

const PeerLinkHooks droverd_line_hooks = {.send_line = say_of_line, .send_slot = say_of_slot};

void droverd_line_greet(Keeper *k) {
        k->table_part = 0;
        k->table_cursor = 0;
        peer_link_due_head(&k->to_droverd, NOTICE_TABLE);
}

void droverd_line_read(Keeper *k, bool to_the_end) {
        for (unsigned i = 0; k->to_droverd.fd >= 0 && (to_the_end || i < READ_MAX); i++) {
                int fds[PACKET_FDS_MAX];
                size_t n_fds = 0;
                KeeperMessage m;
                ssize_t n = packet_recv(k->to_droverd.fd, &m, sizeof(m), fds, ARRAY_SIZE(fds), &n_fds);

                if (n == -EMSGSIZE)
                        continue;
                if (n == 0 && !to_the_end) {
                        /* It is about to exit, with a status of its own; if not, it can hear nothing any more. */
                        keeper_unwatch(k, k->to_droverd.fd);
                        peer_link_close(&k->to_droverd);
                        keeper_set_timer(k, TIMER_WATCHDOG, PROGRAM_LINE_GRACE_USEC);
                }
                if (n <= 0)
                        return;
                if ((size_t) n >= sizeof(m.type) && (size_t) n == keeper_message_size(m.type))
                        request_handle(k, &m, fds, n_fds);
                fd_close_many(fds, n_fds);
        }
}
