/* listen.c - the listening sockets of a pool. See listen.h.
 *
 * Without reuse_port there is one socket for all workers of the pool: the kernel gives each connection to one of those
 * that accept, and a connection that waits is in nobody's hands. With reuse_port each slot has its own, with a queue of
 * its own. That queue would go with the socket, so it stays open while the slot's process is replaced, and is closed only
 * when the slot itself goes. */
#include "pool/backlog.h"
#include "pool/listen.h"
#include "pool/listen-open.h"
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "priority.h"
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KEY_PREFIX "listen."

typedef struct ListenSocket {
        unsigned n_ref;
        PoolSet *set;
        uint64_t identity;
        int fd;
        char key[KEEPER_KEPT_NAME_MAX]; /* the name it is kept under */
        char *path;                     /* of a Unix socket: unlinked with it */
        sd_event_source *watch;
} ListenSocket;

typedef struct ListenItem {
        const ListenConfig *config; /* in the set's config */
        ListenSocket **sockets;     /* by slot; one alone without reuse_port. NULL: not open */
        size_t n, capacity;
} ListenItem;

struct ListenSet {
        PoolSet *set;
        PoolConfig *config; /* counted */
        void (*on_arrival)(void *userdata);
        void *userdata;
        size_t n;
        ListenItem items[];
};

/* ---- one socket ---- */

static ListenSocket *listen_socket_ref(ListenSocket *s) {
        s->n_ref++;
        return s;
}

/* For everybody who has a duplicate: nobody is let in any more from this moment on. */
static void listen_socket_end(ListenSocket *s) {
        (void) shutdown(s->fd, SHUT_RDWR);
        (void) keeper_link_drop(s->set->world.keeper, s->key);
        if (s->path)
                (void) unlink(s->path);
}

static ListenSocket *listen_socket_unref(ListenSocket *s) {
        if (!s || --s->n_ref > 0)
                return NULL;
        sd_event_source_disable_unref(s->watch);
        if (!s->set->is_freeing)
                listen_socket_end(s);
        fd_close(s->fd);
        s->set->n_listening--;
        free(s->path);
        free(s);
        return NULL;
}

static bool ends_with(const char *text, const char *end) {
        size_t n = strlen(text), m = strlen(end);

        return n >= m && streq(text + n - m, end);
}

/* What the life before had open: by identity, whatever the socket was called then. */
static int take_kept(PoolSet *s, const char *suffix, char key[static KEEPER_KEPT_NAME_MAX]) {
        KeeperTable *t = s->inherited;

        for (size_t i = 0; t && i < t->n_kept; i++) {
                if (t->kept[i].fd < 0 || strncmp(t->kept[i].name, KEY_PREFIX, strlen(KEY_PREFIX)) != 0 ||
                    !ends_with(t->kept[i].name, suffix))
                        continue;
                memcpy(key, t->kept[i].name, KEEPER_KEPT_NAME_MAX);
                return TAKE_FD(t->kept[i].fd);
        }
        return -ENOENT;
}

/* Kept before any worker has it: no connection is lost with droverd. */
static int open_and_keep(ListenSocket *s, const ListenConfig *c, const char *pool, const char *suffix) {
        int r;

        if (s->set->n_listening >= LISTEN_SOCKETS_MAX)
                return -ENOSPC;
        if ((size_t) snprintf(s->key, sizeof(s->key), KEY_PREFIX "%s.%s%s", pool, c->name, suffix) >= sizeof(s->key))
                return -ENAMETOOLONG;
        s->fd = listen_open(c);
        if (s->fd < 0)
                return s->fd;
        r = keeper_link_keep(s->set->world.keeper, s->key, s->fd);
        if (r < 0 && s->path)
                (void) unlink(s->path);
        return r;
}

static int listen_socket_new(ListenSocket **ret, PoolSet *set, const PoolConfig *pool, const ListenConfig *c, unsigned slot) {
        ListenSocket *s = NEW0(ListenSocket);
        char suffix[40];
        int r = 0;

        if (!s)
                return -ENOMEM;
        *s = (ListenSocket){.n_ref = 1, .set = set, .fd = -EBADF, .identity = listen_identity(c, pool->name, slot)};
        s->path = c->kind == LISTEN_UNIX ? alloc_strdup(c->address) : NULL;
        if (c->kind == LISTEN_UNIX && !s->path)
                r = -ENOMEM;
        (void) snprintf(suffix, sizeof(suffix), ".%u.%016llx", slot, (unsigned long long) s->identity);
        if (r >= 0)
                s->fd = take_kept(set, suffix, s->key);
        if (r >= 0 && s->fd < 0)
                r = open_and_keep(s, c, pool->name, suffix);
        if (r < 0) {
                fd_close(s->fd);
                free(s->path);
                free(s);
                return r;
        }
        set->n_listening++;
        *ret = s;
        return 0;
}

/* ---- the set ---- */

static ListenSocket *find_shared(ListenSet *share, uint64_t identity) {
        for (size_t i = 0; share && i < share->n; i++)
                for (size_t j = 0; j < share->items[i].n; j++)
                        if (share->items[i].sockets[j] && share->items[i].sockets[j]->identity == identity)
                                return share->items[i].sockets[j];
        return NULL;
}

static int item_open(ListenSet *l, ListenItem *item, unsigned slot, ListenSet *share) {
        size_t place = item->config->reuse_port ? slot : 0;
        ListenSocket *old;
        int r;

        if (place < item->n && item->sockets[place])
                return 0;
        r = alloc_grow(&item->sockets, &item->capacity, place + 1, sizeof(item->sockets[0]));
        if (r < 0)
                return r;
        while (item->n <= place)
                item->sockets[item->n++] = NULL;
        old = find_shared(share, listen_identity(item->config, l->config->name, (unsigned) place));
        if (!old)
                return listen_socket_new(&item->sockets[place], l->set, l->config, item->config, (unsigned) place);
        item->sockets[place] = listen_socket_ref(old);
        r = listen_adjust(old->fd, item->config);
        if (r < 0)
                log_warning("pool %s: cannot change mode, owner or backlog of %s: %s", l->config->name, item->config->address,
                            strerrordesc_np(-r));
        return 0;
}

void listen_describe(const ListenConfig *c, int error, char *buf, size_t size) {
        const char *why = error == EACCES && c->kind != LISTEN_UNIX
                                  ? "ports below 1024 need root or CAP_NET_BIND_SERVICE"
                          : error == EADDRINUSE && c->kind == LISTEN_UNIX ? "something answers there already"
                          : error == EEXIST                              ? "there is something else than a socket"
                          : error == ENOSPC                              ? "too many listening sockets"
                                                                          : strerrordesc_np(error);

        (void) snprintf(buf, size, "cannot listen on %s %s (socket \"%s\"): %s", listen_kind_to_string(c->kind), c->address,
                        c->name, why ? why : "unknown error");
}

static void set_fault(const ListenSet *l, const ListenItem *item, int error, char fault[static LISTEN_FAULT_MAX]) {
        int n = snprintf(fault, LISTEN_FAULT_MAX, "pool %s: ", l->config->name);

        listen_describe(item->config, -error, fault + n, LISTEN_FAULT_MAX - (size_t) n);
}

int listen_set_new(ListenSet **ret, PoolSet *s, PoolConfig *c, ListenSet *share, bool lazy, char fault[static LISTEN_FAULT_MAX]) {
        _cleanup_(listen_set_freep) ListenSet *l = NULL;
        int first = 0;

        fault[0] = '\0';
        if (c->n_listen == 0) {
                *ret = NULL;
                return 0;
        }
        l = alloc_zero(1, sizeof(ListenSet) + c->n_listen * sizeof(ListenItem));
        if (!l)
                return -ENOMEM;
        l->set = s;
        l->config = pool_config_ref(c);
        for (; l->n < c->n_listen; l->n++)
                l->items[l->n].config = &c->listen[l->n];
        for (size_t i = 0; i < l->n && (first == 0 || lazy); i++) {
                unsigned n_slots = l->items[i].config->reuse_port ? MAX(c->workers, 1u) : 1;

                for (unsigned slot = 0; slot < n_slots && (first == 0 || lazy); slot++) {
                        int r = item_open(l, &l->items[i], slot, share);

                        if (r < 0 && first == 0) {
                                first = r;
                                set_fault(l, &l->items[i], r, fault);
                        }
                }
        }
        if (first == 0 || lazy)
                *ret = TAKE_PTR(l);
        return first;
}

ListenSet *listen_set_free(ListenSet *l) {
        if (!l)
                return NULL;
        listen_set_unwatch(l);
        for (size_t i = 0; i < l->n; i++) {
                for (size_t j = 0; j < l->items[i].n; j++)
                        listen_socket_unref(l->items[i].sockets[j]);
                free(l->items[i].sockets);
        }
        pool_config_unref(l->config);
        free(l);
        return NULL;
}

int listen_set_fds(ListenSet *l, unsigned slot, int fds[static LISTEN_MAX], size_t *ret_index) {
        for (size_t i = 0; l && i < l->n; i++) {
                int r = item_open(l, &l->items[i], slot, NULL);

                if (r < 0) {
                        *ret_index = i;
                        return r;
                }
                fds[i] = l->items[i].sockets[l->items[i].config->reuse_port ? slot : 0]->fd;
        }
        return l ? (int) l->n : 0;
}

void listen_set_forget_slot(ListenSet *l, unsigned slot) {
        for (size_t i = 0; l && i < l->n; i++)
                if (l->items[i].config->reuse_port && slot > 0 && slot < l->items[i].n)
                        l->items[i].sockets[slot] = listen_socket_unref(l->items[i].sockets[slot]);
}

/* ---- watching ---- */

static int watch_dispatch(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        ListenSet *l = userdata;

        listen_set_unwatch(l); /* level-triggered, and not ours to accept */
        l->on_arrival(l->userdata);
        return 0;
}

static int watch_socket(ListenSet *l, ListenSocket *s, sd_event *event) {
        int r = s->watch ? 0 : sd_event_add_io(event, &s->watch, s->fd, EPOLLIN, watch_dispatch, l);

        return r < 0 ? r : sd_event_source_set_priority(s->watch, PRIORITY_CONTROL);
}

int listen_set_watch(ListenSet *l, sd_event *event, void (*cb)(void *userdata), void *userdata) {
        int r = 0;

        l->on_arrival = cb;
        l->userdata = userdata;
        for (size_t i = 0; i < l->n && r >= 0; i++) {
                r = item_open(l, &l->items[i], 0, NULL);
                for (size_t j = 0; j < l->items[i].n && r >= 0; j++)
                        if (l->items[i].sockets[j])
                                r = watch_socket(l, l->items[i].sockets[j], event);
        }
        return r;
}

void listen_set_unwatch(ListenSet *l) {
        for (size_t i = 0; l && i < l->n; i++)
                for (size_t j = 0; j < l->items[i].n; j++)
                        if (l->items[i].sockets[j])
                                l->items[i].sockets[j]->watch =
                                        sd_event_source_disable_unref(l->items[i].sockets[j]->watch);
}

unsigned listen_set_backlog(const ListenSet *l) {
        unsigned sum = 0;

        for (size_t i = 0; i < l->n; i++)
                for (size_t j = 0; j < l->items[i].n; j++) {
                        int n = l->items[i].sockets[j] ? backlog_read(l->items[i].sockets[j]->fd) : 0;

                        sum += n > 0 ? (unsigned) n : 0;
                }
        return sum;
}

/* ---- over droverd's own death, and at its orderly end ---- */

void pool_set_unlisten(PoolSet *s) {
        for (size_t i = 0; i < s->n_pools; i++)
                if (s->pools[i]->config->on_daemon_exit != ON_DAEMON_EXIT_KEEP) {
                        s->pools[i]->rolling = rolling_free(s->pools[i]->rolling);
                        s->pools[i]->listen = listen_set_free(s->pools[i]->listen);
                }
}

/* A Unix socket of a pool that is gone leaves its file behind. */
static void unlink_kept(int fd) {
        struct sockaddr_un a = {0};
        socklen_t size = sizeof(a);

        if (getsockname(fd, (struct sockaddr *) &a, &size) >= 0 && a.sun_family == AF_UNIX && a.sun_path[0] == '/')
                (void) unlink(a.sun_path);
}

void pool_set_inherit(PoolSet *s, KeeperTable *t) {
        KeeperTable *old = s->inherited;

        s->inherited = t;
        for (size_t i = 0; !t && old && i < old->n_kept; i++) {
                if (old->kept[i].fd < 0 || strncmp(old->kept[i].name, KEY_PREFIX, strlen(KEY_PREFIX)) != 0)
                        continue;
                unlink_kept(old->kept[i].fd);
                (void) keeper_link_drop(s->world.keeper, old->kept[i].name);
        }
}
