/* durable-log.c - the file, its copy in the making, and one sync at a time.
 *
 *   put      into `out`; while the copy is filled with all live records, into `copy.out`
 *   flush    `out` goes to the file and, when there is one, the copy; then a sync begins, unless one is on its way
 *   synced   the tickets that were written when it began are good; the copy comes next, if there is one
 *   swap     the copy was synced and nothing was written since: it is renamed over the file, the directory synced */
#include "handover/durable-log.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"
#include "handover/journal-record.h"
#include "handover/sync-behind.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#define NEWEST "tasks.log"
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
        bool is_filling; /* what is put goes to the copy only */
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

/* ---- reading ---- */

static int open_own(int dir, const char *name, int flags) {
        _cleanup_fd_ int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
                return -EPERM;
        return TAKE_FD(fd);
}

bool durable_log_exists(const char *dir) {
        _cleanup_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd >= 0 && faccessat(fd, NEWEST, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

typedef struct Found {
        const char *json;
        size_t length;
        UT_hash_handle hh;
        char key[];
} Found;

static int found_set(Found **all, const JournalRecord *r) {
        bool is_deletion = r->json_length == 4 && memcmp(r->json, "null", 4) == 0;
        Found *f;

        HASH_FIND(hh, *all, r->key, r->key_length, f);
        if (f && is_deletion) {
                HASH_DEL(*all, f);
                free(f);
        }
        if (is_deletion)
                return 0;
        if (!f) {
                f = alloc_zero(1, sizeof(Found) + r->key_length + 1);
                if (!f)
                        return -ENOMEM;
                memcpy(f->key, r->key, r->key_length);
                HASH_ADD_KEYPTR(hh, *all, f->key, r->key_length, f);
        }
        f->json = r->json;
        f->length = r->json_length;
        return 0;
}

/* Return: lines that were skipped. */
static int scan(const char *data, size_t size, Found **all) {
        JournalRecord r;
        int k, n = 0, error;

        for (size_t at = 0; at < size; at += r.size) {
                k = journal_record_parse(data + at, size - at, &r);
                if (k == 0)
                        return n + 1; /* a torn end */
                n += k < 0 && r.size > 1;
                if (k > 0 && (error = found_set(all, &r)) < 0)
                        return error;
        }
        return n;
}

static int tell_all(Found *all, durable_replay_callback cb, void *userdata) {
        static const JsonLimits limits = {.max_bytes = 16u << 20, .max_nodes = 400000, .max_depth = 64};
        int n_skipped = 0;

        for (Found *f = all; f; f = f->hh.next) {
                _cleanup_json_ json_t *v = NULL;
                JsonFault fault;
                int r = json_load_bounded(f->json, f->length, &limits, &v, &fault);

                if (r == -ENOMEM)
                        return r;
                n_skipped += r < 0;
                if (r == 0 && (r = cb(f->key, v, userdata)) < 0)
                        return r;
        }
        return n_skipped;
}

int durable_log_replay(const char *dir_path, durable_replay_callback cb, void *userdata) {
        _cleanup_fd_ int dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_fd_ int fd = dir < 0 ? -errno : open_own(dir, NEWEST, O_RDONLY);
        Found *all = NULL, *f, *next;
        struct stat st;
        void *data;
        int n, r;

        if (fd == -ENOENT)
                return 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return fd < 0 ? fd : -errno;
        if (st.st_size == 0)
                return 0;
        data = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
                return -errno;
        n = r = scan(data, (size_t) st.st_size, &all);
        if (n >= 0)
                r = tell_all(all, cb, userdata);
        HASH_ITER(hh, all, f, next) {
                HASH_DEL(all, f);
                free(f);
        }
        (void) munmap(data, (size_t) st.st_size);
        return r < 0 ? r : n + r;
}

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
        Text *t = l->is_filling ? &l->copy_out : &l->out;

        journal_record_format(t, key, json);
        if (!l->is_filling)
                l->n_put++;
        else if (l->copy_out.length >= COPY_BLOCK && l->copy.fd >= 0) {
                if (text_check(t) < 0 || tail_write(&l->copy, t->data, t->length) < 0)
                        l->copy.fd = fd_close(l->copy.fd);
                text_clear(t);
        }
}

uint64_t durable_log_ticket(const DurableLog *l) {
        return l->n_put;
}

int durable_log_fault(const DurableLog *l) {
        return l->fault;
}

static void copy_drop(DurableLog *l) {
        l->copy.fd = fd_close(l->copy.fd);
        (void) unlinkat(l->dir, FRESH, 0);
}

/* A file of all that is live. */
static int copy_begin(DurableLog *l) {
        int r = 0;

        if (unlinkat(l->dir, FRESH, 0) < 0 && errno != ENOENT)
                return -errno;
        l->copy = (Tail){.fd = openat(l->dir, FRESH, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (l->copy.fd < 0)
                return -errno;
        l->is_filling = true;
        l->is_old = false;
        text_clear(&l->copy_out);
        l->hooks.put_all(l->userdata);
        l->is_filling = false;
        if (l->copy.fd < 0 || text_check(&l->copy_out) < 0)
                r = -EIO;
        else
                r = tail_write(&l->copy, l->copy_out.data, l->copy_out.length);
        text_done(&l->copy_out);
        if (r < 0)
                copy_drop(l);
        l->copy_synced_at = SIZE_MAX;
        l->n_copy_rounds = 0;
        return r;
}

/* The copy is on the disk, whole. */
static int swap(DurableLog *l) {
        if (renameat(l->dir, FRESH, l->dir, NEWEST) < 0 || fsync(l->dir) < 0)
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

static void next_sync(DurableLog *l) {
        bool file = l->n_written > l->n_synced && !l->is_spoilt, copy = l->copy.fd >= 0;

        if (sync_behind_is_busy(l->sync) || (!file && !copy))
                return;
        l->is_syncing_copy = copy && (!file || !l->is_syncing_copy);
        l->n_syncing = l->n_written;
        if (l->is_syncing_copy)
                l->copy_synced_at = l->copy.size;
        sync_behind_begin(l->sync, l->is_syncing_copy ? l->copy.fd : l->file.fd);
}

void durable_log_flush(DurableLog *l) {
        int r = 0;

        if (text_check(&l->out) < 0) { /* what was put is known to the owner: all of it goes to a new file */
                text_clear(&l->out);
                l->is_spoilt = true;
                failed(l, -ENOMEM);
        }
        if (l->out.length > 0) {
                r = l->is_spoilt ? 0 : tail_write(&l->file, l->out.data, l->out.length);
                if (r >= 0 && l->copy.fd >= 0 && tail_write(&l->copy, l->out.data, l->out.length) < 0)
                        copy_drop(l);
                if (r >= 0) {
                        text_clear(&l->out);
                        l->n_written = l->n_put;
                        l->fault = l->is_spoilt ? l->fault : 0;
                } else {
                        failed(l, r);
                }
        }
        if (l->copy.fd < 0 && (l->is_spoilt || l->is_old || l->file.size > DURABLE_SLACK * MAX(l->base, (size_t) DURABLE_COMPACT_MIN / DURABLE_SLACK)))
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
        l->file.fd = open_own(l->dir, NEWEST, O_RDWR | O_CREAT);
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
        text_done(&l->out);
        text_done(&l->copy_out);
        free(l);
        return NULL;
}
