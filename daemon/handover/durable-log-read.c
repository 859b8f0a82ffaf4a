/* durable-log-read.c - a log of durable records read back: the last value of each key. See durable-log.h. */
#include "handover/durable-log-internal.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/json.h"
#include "handover/journal-record.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

int durable_open(int dir, const char *name, int flags) {
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

        return fd >= 0 && faccessat(fd, DURABLE_NEWEST, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
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
        _cleanup_fd_ int fd = dir < 0 ? -errno : durable_open(dir, DURABLE_NEWEST, O_RDONLY);
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
