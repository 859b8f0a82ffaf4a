/* durable-log.c - the file, its copy in the making, and one sync at a time.
 *
 *   put      into `out`; while the owner puts what is live for the copy, into `copy_out`
 *   flush    `out` goes to the file and, when there is one, the copy; then a sync begins, unless one is on its way
 *   fill     the copy gets all live records, some with each flush or when nothing else is to be done. What is put meanwhile
 *            waits in `since` and follows them: whatever it says of a record that came before or after it is the last word
 *   synced   the tickets that were written when it began are good; the copy comes next, if there is one
 *   swap     the copy was synced and nothing was written since: it is renamed over the file, the directory synced */
#include "handover/durable-log-internal.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/text.h"
#include "handover/journal-record.h"
#include "handover/sync-behind.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRESH "tasks.log.new"
#define COPY_BLOCK (1u << 20)
#define COPY_ROUNDS_MAX 4 /* syncs of a copy that grows meanwhile; then the last one is waited for */

/* A file that is appended to. */
typedef struct Tail {
        int fd;
        size_t size, reserved; /* bytes written; and set aside behind them */
} Tail;

struct DurableLog {
        int dir;
        Tail file, copy; /* copy.fd < 0: there is none */
        Text out, copy_out;
        size_t base; /* of the file, when it was fresh */
        uint64_t n_put, n_written, n_syncing, n_synced;
        Text since;       /* put since the copy was begun, while it is being filled */
        bool is_filling;  /* the copy has not all live records yet */
        bool is_for_copy; /* what is put goes to the copy only */
        sd_event_source *filler; /* when nothing else is to be done */
        bool is_old;     /* of a life before: to be written anew */
        bool is_spoilt;  /* a sync of the file failed */
        bool is_syncing_copy;
        size_t copy_synced_at;
        unsigned n_copy_rounds;
        int fault;
        SyncBehind *sync;
        DurableHooks hooks;
        void *userdata;
};

/* ---- writing ---- */

/* All or nothing. */
static int tail_write(Tail *t, const char *data, size_t size) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = pwrite(t->fd, data + done, size - done, (off_t) (t->size + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        int error = n < 0 ? -errno : -EIO;

                        (void) (ftruncate(t->fd, (off_t) t->size) < 0);
                        t->reserved = 0;
                        return error;
                }
                done += (size_t) n;
        }
        t->size += size;
        t->reserved -= MIN(size, t->reserved);
        return 0;
}

int durable_log_reserve(DurableLog *l, size_t bytes) {
        size_t wanted = bytes + l->out.length;

        if (l->fault < 0)
                return l->fault;
        if (wanted <= l->file.reserved)
                return 0;
        wanted += COPY_BLOCK / 4; /* not for each one */
        if (fallocate(l->file.fd, FALLOC_FL_KEEP_SIZE, (off_t) l->file.size, (off_t) wanted) < 0)
                return errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG ? -errno : 0;
        l->file.reserved = wanted;
        return 0;
}

void durable_log_put(DurableLog *l, const char *key, const char *json) {
        Text *t = l->is_for_copy ? &l->copy_out : &l->out;

        journal_record_format(t, key, json);
        l->n_put += !l->is_for_copy;
}

uint64_t durable_log_ticket(const DurableLog *l) {
        return l->n_put;
}

int durable_log_fault(const DurableLog *l) {
        return l->fault;
}

/* ---- the copy ---- */

static void fill_done(DurableLog *l) {
        l->is_filling = false;
        text_done(&l->copy_out);
        text_done(&l->since);
        (void) sd_event_source_set_enabled(l->filler, SD_EVENT_OFF);
}

static void copy_drop(DurableLog *l) {
        fill_done(l);
        l->copy.fd = fd_close(l->copy.fd);
        (void) unlinkat(l->dir, FRESH, 0);
}

static int copy_append(DurableLog *l, Text *t) {
        int r = text_check(t) < 0 ? -ENOMEM : tail_write(&l->copy, t->data, t->length);

        text_clear(t);
        return r;
}

/* Some more of what is live; behind the last of it all that was put since. */
static void copy_fill(DurableLog *l, bool is_first) {
        bool is_all;
        int r;

        l->is_for_copy = true;
        is_all = l->hooks.put_some(is_first, l->userdata);
        l->is_for_copy = false;
        r = copy_append(l, &l->copy_out);
        if (r >= 0 && is_all)
                r = copy_append(l, &l->since);
        if (r < 0)
                copy_drop(l); /* the file goes on as it is */
        else if (is_all)
                fill_done(l);
}

static int copy_begin(DurableLog *l) {
        if (unlinkat(l->dir, FRESH, 0) < 0 && errno != ENOENT)
                return -errno;
        l->copy = (Tail){.fd = openat(l->dir, FRESH, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (l->copy.fd < 0)
                return -errno;
        l->is_old = false;
        l->copy_synced_at = SIZE_MAX;
        l->n_copy_rounds = 0;
        l->is_filling = true;
        (void) sd_event_source_set_enabled(l->filler, SD_EVENT_ON);
        copy_fill(l, true);
        return 0;
}

/* What was put goes to both; to a copy that is being filled later. */
static void copy_follow(DurableLog *l) {
        if (l->is_filling)
                text_append_n(&l->since, l->out.data, l->out.length);
        else if (l->copy.fd >= 0 && tail_write(&l->copy, l->out.data, l->out.length) < 0)
                copy_drop(l);
}

/* The copy is on the disk, whole. */
static int swap(DurableLog *l) {
        if (renameat(l->dir, FRESH, l->dir, DURABLE_NEWEST) < 0 || fsync(l->dir) < 0)
                return -errno;
        fd_close(l->file.fd);
        l->file = l->copy;
        l->copy.fd = -EBADF;
        l->base = l->file.size;
        l->is_spoilt = false;
        return 0;
}

/* ---- syncing ---- */

static void failed(DurableLog *l, int error) {
        bool is_new = l->fault == 0;

        l->fault = error;
        if (is_new)
                l->hooks.on_failed(error, l->userdata);
}

static void good_up_to(DurableLog *l, uint64_t ticket) {
        if (ticket <= l->n_synced)
                return;
        l->n_synced = ticket;
        l->hooks.on_synced(ticket, l->userdata);
}

static void next_sync(DurableLog *l);

static void copy_synced(DurableLog *l, int error) {
        uint64_t written = l->n_written;

        if (error == 0 && l->copy_synced_at != l->copy.size && ++l->n_copy_rounds < COPY_ROUNDS_MAX)
                return; /* it grew: once more */
        if (error == 0 && l->copy_synced_at != l->copy.size && fdatasync(l->copy.fd) < 0)
                error = -errno;
        if (error == 0)
                error = swap(l);
        if (error < 0) {
                copy_drop(l);
                if (l->is_spoilt)
                        failed(l, error);
                return;
        }
        l->fault = 0;
        good_up_to(l, written);
}

static void on_sync(int error, void *userdata) {
        DurableLog *l = userdata;

        if (l->is_syncing_copy) {
                if (l->copy.fd >= 0)
                        copy_synced(l, error);
        } else if (error < 0) { /* the kernel may have dropped what it could not write: that file is not to be trusted */
                l->is_spoilt = true;
                failed(l, error);
        } else if (!l->is_spoilt) {
                good_up_to(l, l->n_syncing);
        }
        next_sync(l);
}

static int on_idle(sd_event_source *s, void *userdata) {
        DurableLog *l = userdata;

        if (l->is_filling)
                copy_fill(l, false);
        next_sync(l);
        return 0;
}

static void next_sync(DurableLog *l) {
        bool file = l->n_written > l->n_synced && !l->is_spoilt, copy = l->copy.fd >= 0 && !l->is_filling;

        if (sync_behind_is_busy(l->sync) || (!file && !copy))
                return;
        l->is_syncing_copy = copy && (!file || !l->is_syncing_copy);
        l->n_syncing = l->n_written;
        if (l->is_syncing_copy)
                l->copy_synced_at = l->copy.size;
        sync_behind_begin(l->sync, l->is_syncing_copy ? l->copy.fd : l->file.fd);
}

static bool is_to_be_copied(const DurableLog *l) {
        return l->is_spoilt || l->is_old || l->file.size > DURABLE_SLACK * MAX(l->base, (size_t) DURABLE_COMPACT_MIN / DURABLE_SLACK);
}

void durable_log_flush(DurableLog *l) {
        int r = 0;

        if (text_check(&l->out) < 0) { /* what was put is known to the owner: all of it goes to a new file */
                text_clear(&l->out);
                l->is_spoilt = true;
                if (l->copy.fd >= 0)
                        copy_drop(l);
                failed(l, -ENOMEM);
        }
        if (l->out.length > 0) {
                r = l->is_spoilt ? 0 : tail_write(&l->file, l->out.data, l->out.length);
                if (r >= 0) {
                        copy_follow(l);
                        text_clear(&l->out);
                        l->n_written = l->n_put;
                        l->fault = l->is_spoilt ? l->fault : 0;
                } else {
                        failed(l, r);
                }
        }
        if (l->is_filling)
                copy_fill(l, false);
        else if (l->copy.fd < 0 && is_to_be_copied(l))
                (void) copy_begin(l); /* failure: the file goes on as it is */
        next_sync(l);
}

/* ---- life ---- */

int durable_log_new(DurableLog **ret, sd_event *event, const char *dir, int64_t priority, const DurableHooks *hooks, void *userdata) {
        _cleanup_(durable_log_freep) DurableLog *l = NEW0(DurableLog);
        struct stat st;
        int r;

        if (!l)
                return -ENOMEM;
        *l = (DurableLog){.dir = -EBADF, .file.fd = -EBADF, .copy.fd = -EBADF, .hooks = *hooks, .userdata = userdata};
        l->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (l->dir < 0)
                return -errno;
        l->file.fd = durable_open(l->dir, DURABLE_NEWEST, O_RDWR | O_CREAT);
        if (l->file.fd < 0)
                return l->file.fd;
        if (fstat(l->file.fd, &st) < 0 || fsync(l->dir) < 0)
                return -errno;
        l->file.size = (size_t) st.st_size;
        if (l->file.size > 0) { /* a torn end shall not spoil what comes */
                r = tail_write(&l->file, "\n", 1);
                if (r < 0)
                        l->fault = r;
        }
        r = sync_behind_new(&l->sync, event, priority, on_sync, l);
        if (r >= 0)
                r = sd_event_add_defer(event, &l->filler, on_idle, l);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->filler, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(l->filler, SD_EVENT_PRIORITY_IDLE);
        if (r < 0)
                return r;
        l->is_old = st.st_size > 0;
        *ret = TAKE_PTR(l);
        return 0;
}

DurableLog *durable_log_free(DurableLog *l) {
        if (!l)
                return NULL;
        sync_behind_free(l->sync);
        if (l->file.fd >= 0 && l->out.length > 0 && text_check(&l->out) >= 0)
                (void) tail_write(&l->file, l->out.data, l->out.length);
        if (l->file.fd >= 0)
                (void) fdatasync(l->file.fd);
        if (l->copy.fd >= 0)
                copy_drop(l);
        fd_close(l->file.fd);
        fd_close(l->dir);
        sd_event_source_disable_unref(l->filler);
        text_done(&l->out);
        text_done(&l->copy_out);
        text_done(&l->since);
        free(l);
        return NULL;
}
