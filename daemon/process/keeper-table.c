/* keeper-table.c - the keeper's table as it is read at the start of a life:
 * HELLO, SLOT..., KEPT..., LOGGER, QUIET_LINE, TABLE_END. */
#include "base/alloc.h"
#include "base/clock.h"
#include "process/keeper-link-internal.h"
#include <poll.h>

#define TABLE_TIMEOUT (10 * USEC_PER_SEC) /* the keeper writes it in one go */

typedef struct TableReader {
        KeeperLink *link;
        usec_t deadline;
        size_t slots_capacity, kept_capacity;
        bool has_hello, is_complete;
} TableReader;

static int wait_readable(int fd, usec_t deadline) {
        usec_t left = usec_sub(deadline, clock_now());
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int r = poll(&p, 1, (int) (left / USEC_PER_MSEC));

        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        return r == 0 ? -ETIMEDOUT : 0;
}

static int table_recv(TableReader *r, KeeperMessage *ret, int *ret_fd) {
        size_t n_fds = 0;
        int fd = -EBADF, k;
        ssize_t n;

        while ((n = packet_recv(r->link->fd, ret, sizeof(*ret), &fd, 1, &n_fds)) == -EAGAIN) {
                k = wait_readable(r->link->fd, r->deadline);
                if (k < 0)
                        return k;
        }
        if (n <= 0)
                return n == 0 ? -ECONNRESET : (int) n;
        *ret_fd = n_fds > 0 ? fd : -EBADF;
        return (size_t) n == keeper_message_size(ret->type) ? 0 : -EPROTO;
}

static int table_on_hello(TableReader *r, const KeeperMessage *m) {
        if (r->has_hello || m->hello.version != KEEPER_PROTOCOL_VERSION)
                return -EPROTO;
        r->has_hello = true;
        r->link->hello = r->link->table->hello = *m;
        r->link->last_generation = (uint64_t) MAX(m->hello.n_lives, 0) << 32;
        return 0;
}

static int table_on_slot(TableReader *r, const KeeperMessage *m) {
        KeeperTable *t = r->link->table;
        int k;

        if (m->slot >= KEEPER_SLOTS_MAX)
                return -EPROTO;
        k = alloc_grow(&t->slots, &r->slots_capacity, t->n_slots + 1, sizeof(t->slots[0]));
        if (k < 0)
                return k;
        t->slots[t->n_slots] = *m;
        t->slots[t->n_slots++].slot_info.name[KEEPER_NAME_MAX - 1] = '\0';
        keeper_slot_restore(r->link, m);
        return 0;
}

static int table_on_kept(TableReader *r, const KeeperMessage *m, int *fd) {
        KeeperTable *t = r->link->table;
        int k;

        if (*fd < 0 || t->n_kept == KEEPER_KEPT_MAX)
                return -EPROTO;
        k = alloc_grow(&t->kept, &r->kept_capacity, t->n_kept + 1, sizeof(t->kept[0]));
        if (k < 0)
                return k;
        memcpy(t->kept[t->n_kept].name, m->kept.name, sizeof(t->kept[0].name));
        t->kept[t->n_kept].name[sizeof(t->kept[0].name) - 1] = '\0';
        t->kept[t->n_kept++].fd = TAKE_FD(*fd);
        return 0;
}

/* What is no part of the table came early: it is delivered with the first batch. */
static int table_on_other(TableReader *r, const KeeperMessage *m, int *fd) {
        KeeperLink *l = r->link;

        if (l->n_inbox == KEEPER_INBOX_MAX)
                return -EPROTO;
        l->inbox[l->n_inbox++] = (KeeperNotice){.message = *m, .fd = TAKE_FD(*fd)};
        return 0;
}

static int table_on_message(TableReader *r, const KeeperMessage *m, int *fd) {
        if (!r->has_hello && m->type != KEEPER_HELLO)
                return -EPROTO;
        switch (m->type) {
        case KEEPER_HELLO:
                return table_on_hello(r, m);
        case KEEPER_SLOT:
                return table_on_slot(r, m);
        case KEEPER_KEPT:
                return table_on_kept(r, m, fd);
        case KEEPER_LOGGER:
                fd_close(r->link->table->logger_fd);
                r->link->table->logger_fd = TAKE_FD(*fd);
                r->link->table->logger_pid = m->logger.pid;
                return 0;
        case KEEPER_QUIET_LINE:
                fd_close(r->link->quiet_fd);
                r->link->quiet_fd = TAKE_FD(*fd);
                return 0;
        case KEEPER_TABLE_END:
                r->is_complete = true;
                return 0;
        default:
                return table_on_other(r, m, fd);
        }
}

int keeper_table_read(KeeperLink *l) {
        TableReader r = {.link = l, .deadline = usec_add(clock_now(), TABLE_TIMEOUT)};

        l->table = NEW0(KeeperTable);
        if (!l->table)
                return -ENOMEM;
        l->table->logger_fd = -EBADF;
        while (!r.is_complete) {
                _cleanup_fd_ int fd = -EBADF;
                KeeperMessage m;
                int k = table_recv(&r, &m, &fd);

                if (k >= 0)
                        k = table_on_message(&r, &m, &fd);
                if (k < 0)
                        return k;
        }
        return 0;
}

KeeperTable *keeper_table_free(KeeperTable *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n_kept; i++)
                fd_close(t->kept[i].fd);
        fd_close(t->logger_fd);
        free(t->slots);
        free(t->kept);
        free(t);
        return NULL;
}

int keeper_table_take_fd(KeeperTable *t, const char *name) {
        for (size_t i = 0; i < t->n_kept; i++)
                if (t->kept[i].fd >= 0 && streq(t->kept[i].name, name))
                        return TAKE_FD(t->kept[i].fd);
        return -ENOENT;
}
