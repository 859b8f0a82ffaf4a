/* task-channel-open.c - a channel made, bound to its process, kept over droverd's death, freed. See task-channel.c. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "priority.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SOCKET_BUFFER (1 << 20)

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Channel *c = userdata;

        if (revents & EPOLLOUT) {
                (void) sd_event_source_set_io_events(s, EPOLLIN);
                channel_mark(c);
        }
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                answer_receive(c);
        return 0;
}

static int channel_map(Channel *c) {
        struct stat st;
        void *m;

        if (fstat(c->page_fd, &st) < 0)
                return -errno;
        if (st.st_size != (off_t) sizeof(TaskPage)) /* of another version */
                return -EPROTO;
        m = mmap(NULL, sizeof(TaskPage), PROT_READ | PROT_WRITE, MAP_SHARED, c->page_fd, 0);

        if (m == MAP_FAILED)
                return -errno;
        c->page = m;
        c->ledger = &c->page->ledger;
        return 0;
}

static int make_page(Channel *c) {
        c->page_fd = memfd_new("drover-task-page");
        if (c->page_fd < 0)
                return c->page_fd;
        if (ftruncate(c->page_fd, (off_t) sizeof(TaskPage)) < 0 ||
            fcntl(c->page_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        return channel_map(c);
}

static int make_socket(Channel *c) {
        int fds[2], size = SOCKET_BUFFER;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        c->fd = fds[0];
        c->worker_fd = fds[1];
        for (size_t i = 0; i < 2; i++) /* by force only for root; what others get is enough */
                if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
                        (void) setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        return fd_set_nonblock(c->fd, true);
}

static Channel *channel_blank(TaskPool *p, Worker *w) {
        Channel *c = NEW0(Channel);

        if (!c)
                return NULL;
        *c = (Channel){.pool = p, .worker = w, .fd = -EBADF, .page_fd = -EBADF, .worker_fd = -EBADF, .head = 1, .next_id = 1};
        c->bound_at = clock_now();
        DL_APPEND(p->channels, c);
        return c;
}

int channel_new(Channel **ret, TaskPool *p, Worker *w) {
        Channel *c = channel_blank(p, w);
        int r = c ? make_page(c) : -ENOMEM;

        if (r >= 0)
                r = make_socket(c);
        if (r < 0) {
                channel_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

Channel *channel_free(Channel *c) {
        TaskRoom *r;

        if (!c)
                return NULL;
        r = c->pool->room;
        DL_DELETE(c->pool->channels, c);
        if (c->is_dirty)
                DL_DELETE2(r->dirty, c, dirty_prev, dirty_next);
        if (c->generation > 0)
                HASH_DEL(r->channels, c);
        sd_event_source_disable_unref(c->io);
        if (c->page)
                (void) munmap(c->page, sizeof(TaskPage));
        fd_close(c->fd);
        fd_close(c->page_fd);
        fd_close(c->worker_fd);
        free(c->condemned_for);
        text_done(&c->out);
        attach_done(&c->attached);
        blob_set_done(&c->blobs);
        blob_set_done(&c->claimed);
        free(c);
        return NULL;
}

static int channel_watch(Channel *c) {
        int r = sd_event_add_io(c->pool->room->world.event, &c->io, c->fd, EPOLLIN, on_io, c);

        return r < 0 ? r : sd_event_source_set_priority(c->io, PRIORITY_TASKS);
}

static void channel_name(Channel *c) {
        (void) snprintf(c->name, sizeof c->name, "%s.%llu", worker_name(c->worker), (unsigned long long) c->generation);
}

/* "task.NAME.GENERATION", "page.NAME.GENERATION" */
static void kept_name(const Channel *c, const char *what, char buf[static KEEPER_KEPT_NAME_MAX]) {
        (void) snprintf(buf, KEEPER_KEPT_NAME_MAX, "%s.%s", what, c->name);
}

void channel_bind(Channel *c, uint64_t generation) {
        KeeperLink *keeper = c->pool->room->world.keeper;
        char name[KEEPER_KEPT_NAME_MAX];
        int r;

        c->worker_fd = fd_close(c->worker_fd);
        c->generation = generation;
        HASH_ADD(hh, c->pool->room->channels, generation, sizeof c->generation, c);
        channel_name(c);
        kept_name(c, "task", name);
        r = keeper_link_keep(keeper, name, c->fd);
        kept_name(c, "page", name);
        if (r >= 0)
                r = keeper_link_keep(keeper, name, c->page_fd);
        if (r >= 0)
                r = channel_watch(c);
        if (r < 0)
                log_warning("%s: its task channel cannot be kept: %s", worker_name(c->worker), strerrordesc_np(-r));
}

void channel_hello(Channel *c) {
        c->has_hello = c->ledger->hello & TASK_HELLO_SAID;
        c->takes_items = c->ledger->hello & TASK_HELLO_ITEMS;
        c->has_page = c->ledger->hello & TASK_HELLO_PAGE;
        c->takes_blobs = c->ledger->hello & TASK_HELLO_BLOBS;
        c->has_signal = c->ledger->hello & TASK_HELLO_SIGNAL;
}

/* What the life before had sent and not seen answered. */
static void inherit_ledger(Channel *c) {
        uint64_t begun = c->ledger->n_begun, sent = c->ledger->n_sent, claimed = TASK_CLAIM_ID(atomic_load(&c->page->claimed));
        TaskLedger *l = c->ledger;

        if (claimed > begun && begun == sent) /* taken back before they were sent */
                l->n_begun = l->n_sent = claimed;
        c->next_id = MAX(begun, claimed) + 1;
        c->head = c->next_id;
        c->n_calls_answered = c->n_done = c->n_given = l->n_calls_answered;
        channel_hello(c);
        c->is_ledger_old = l->recall_to > 0;
        for (uint64_t id = begun > PIECES_MAX ? begun - PIECES_MAX + 1 : 1; id <= begun; id++) {
                const TaskLedgerEntry *e = &l->entries[id % PIECES_MAX];

                if (e->id != id || e->n_calls == 0 || e->n_calls > UINT32_MAX || e->n_gone > UINT32_MAX)
                        continue;
                if (ledger_has_recalled(c, id)) {
                        c->pieces[id % PIECES_MAX].id = id;
                        continue;
                }
                c->pieces[id % PIECES_MAX] = (Piece){
                        .id = id, .n = (uint32_t) e->n_calls, .n_gone = (uint32_t) e->n_gone, .as_items = e->n_calls + e->n_gone > 1};
                c->n_open++;
                c->n_given += e->n_calls;
                c->head = MIN(c->head, id);
        }
        if (c->n_open > 0) /* its time goes on; what the life before forgot to say, or the worker wrote over, begins now */
                c->head_since = l->head_since > 0 ? MIN(l->head_since, clock_now()) : clock_now();
        if (begun != sent)
                c->is_closing = c->is_torn = true;
}

int channel_inherit(TaskRoom *r, Worker *w, uint64_t generation) {
        TaskPool *p = task_pool_get(r, worker_pool(w));
        Channel *c = p && r->inherited ? channel_blank(p, w) : NULL;
        char name[KEEPER_KEPT_NAME_MAX];
        int error = c ? 0 : -ENOENT;

        if (!c)
                return error;
        c->generation = generation;
        channel_name(c);
        kept_name(c, "task", name);
        c->generation = 0; /* not in the table yet */
        c->fd = keeper_table_take_fd(r->inherited, name);
        kept_name(c, "page", name);
        c->page_fd = keeper_table_take_fd(r->inherited, name);
        if (c->fd < 0 || c->page_fd < 0)
                error = -ENOENT;
        if (error >= 0)
                error = channel_map(c);
        if (error >= 0)
                error = channel_watch(c);
        if (error < 0) {
                channel_free(c);
                return error;
        }
        c->generation = generation;
        HASH_ADD(hh, r->channels, generation, sizeof c->generation, c);
        inherit_ledger(c);
        if (c->is_ledger_old)
                channel_mark(c);
        return 0;
}

void channel_drop_kept(Channel *c) {
        char name[KEEPER_KEPT_NAME_MAX];

        kept_name(c, "task", name);
        (void) keeper_link_drop(c->pool->room->world.keeper, name);
        kept_name(c, "page", name);
        (void) keeper_link_drop(c->pool->room->world.keeper, name);
}
