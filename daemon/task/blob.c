/* blob.c - see blob.h. Making, moving, reading; what is on record is in blob-record.c. */
#include "task/blob-internal.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MEMINFO_MAX 16384u

/* ---- the room ---- */

/* A quarter of the descriptors that droverd may have. */
static size_t count_max(void) {
        struct rlimit l;

        if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == RLIM_INFINITY)
                return BLOBS_IN_ALL_MAX;
        return MIN((size_t) l.rlim_cur / 4, (size_t) BLOBS_IN_ALL_MAX);
}

int blob_room_new(BlobRoom **ret, KeeperLink *keeper) {
        BlobRoom *r = NEW0(BlobRoom);

        if (!r)
                return -ENOMEM;
        r->keeper = keeper;
        r->n_max = count_max();
        r->user_n_max = BLOBS_PER_UID_MAX;
        r->user_bytes_max = BLOB_BYTES_PER_UID_MAX;
        r->memory = (uint64_t) sysconf(_SC_PHYS_PAGES) * (uint64_t) sysconf(_SC_PAGESIZE);
        *ret = r;
        return 0;
}

BlobRoom *blob_room_free(BlobRoom *r) {
        free(r);
        return NULL;
}

void blob_room_set_memory(BlobRoom *r, uint64_t total, uint64_t available) {
        r->memory = total > 0 ? total : r->memory;
        r->available = available;
}

void blob_room_set_quota(BlobRoom *r, size_t n, uint64_t bytes) {
        r->user_n_max = n;
        r->user_bytes_max = bytes;
}

size_t blob_room_n(const BlobRoom *r) {
        return r->n;
}

uint64_t blob_room_bytes(const BlobRoom *r) {
        return r->bytes;
}

/* MemAvailable; UINT64_MAX when nobody knows. */
static uint64_t memory_now(const BlobRoom *r) {
        _cleanup_free_ char *text = NULL;
        const char *at;
        size_t n;

        if (r->available > 0)
                return r->available;
        if (file_read("/proc/meminfo", MEMINFO_MAX, &text, &n) < 0 || !(at = strstr(text, "MemAvailable:")))
                return UINT64_MAX;
        return strtoull(at + strlen("MemAvailable:"), NULL, 10) * 1024;
}

/* ---- whose ---- */

/* Has @u (NULL: nobody yet) room for one more, without @n that are to go? */
static bool has_room(const BlobRoom *r, const BlobUser *u, uint64_t bytes, size_t n_gone, uint64_t bytes_gone) {
        size_t n = u ? u->n - MIN(n_gone, u->n) : 0;
        uint64_t held = u ? u->bytes - MIN(bytes_gone, u->bytes) : 0;

        return n < r->user_n_max && held <= r->user_bytes_max && bytes <= r->user_bytes_max - held;
}

static int charge(BlobRoom *r, uid_t uid, uint64_t bytes) {
        BlobUser *u = NULL;

        if (uid == BLOB_UID_NONE)
                return 0;
        HASH_FIND(hh, r->users, &uid, sizeof uid, u);
        if (!has_room(r, u, bytes, 0, 0))
                return -EDQUOT;
        if (!u) {
                u = NEW0(BlobUser);
                if (!u)
                        return -ENOMEM;
                u->uid = uid;
                HASH_ADD(hh, r->users, uid, sizeof u->uid, u);
        }
        u->n++;
        u->bytes += bytes;
        return 0;
}

static void discharge(BlobRoom *r, uid_t uid, uint64_t bytes) {
        BlobUser *u = NULL;

        if (uid == BLOB_UID_NONE)
                return;
        HASH_FIND(hh, r->users, &uid, sizeof uid, u);
        if (!u)
                return;
        u->bytes -= bytes;
        if (--u->n > 0)
                return;
        HASH_DEL(r->users, u);
        free(u);
}

static void set_add(BlobSet *s, Blob *b) {
        DL_APPEND(s->first, b);
        s->n++;
        s->bytes += b->size;
        b->set = s;
}

static void set_remove(Blob *b) {
        DL_DELETE(b->set->first, b);
        b->set->n--;
        b->set->bytes -= b->size;
        b->set = NULL;
}

/* ---- one ---- */

static int check_new(const BlobRoom *r, uint64_t size) {
        if (size == 0)
                return -EINVAL;
        if (size > BLOB_SIZE_MAX)
                return -EFBIG;
        if (r->n >= r->n_max || size > r->memory / 2 - MIN(r->bytes, r->memory / 2))
                return -ENOBUFS;
        if (size >= BLOB_LOOK_SIZE && size + BLOB_MEMORY_LEFT > memory_now(r))
                return -ENOBUFS;
        return 0;
}

static int make_memfd(uint64_t size) {
        _cleanup_fd_ int fd = memfd_new("drover-blob");

        if (fd < 0)
                return TAKE_FD(fd);
        if (ftruncate(fd, (off_t) size) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int blob_adopt(BlobRoom *r, BlobSet *set, const Blob *like, Blob **ret) {
        Blob *b = NEW0(Blob);
        int error = b ? charge(r, like->uid, like->capacity) : -ENOMEM;

        if (error < 0) {
                free(b);
                return error;
        }
        *b = *like;
        b->room = r;
        r->n++;
        r->bytes += b->capacity;
        r->n_kept += b->is_kept;
        set_add(set, b);
        *ret = b;
        return 0;
}

int blob_new(BlobRoom *r, BlobSet *set, uid_t uid, uint64_t size, uint64_t generation, Blob **ret) {
        Blob like = {.number = r->last_number + 1, .generation = generation, .uid = uid, .capacity = size, .size = size};
        int error = check_new(r, size);

        if (error < 0)
                return error;
        like.fd = make_memfd(size);
        if (like.fd < 0)
                return like.fd;
        error = blob_adopt(r, set, &like, ret);
        if (error < 0)
                fd_close(like.fd);
        else
                r->last_number++;
        return error;
}

Blob *blob_free(Blob *b) {
        BlobRoom *r;

        if (!b)
                return NULL;
        r = b->room;
        blob_drop_kept(b);
        set_remove(b);
        discharge(r, b->uid, b->capacity);
        r->n--;
        r->bytes -= b->capacity;
        fd_close(b->fd);
        free(b);
        return NULL;
}

const char *blob_error(int error, char *buf, size_t size) {
        switch (error) {
        case -EINVAL: return "a blob has at least one byte";
        case -EFBIG: (void) snprintf(buf, size, "a blob has at most %u bytes; use several", BLOB_SIZE_MAX); return buf;
        case -EDQUOT:
                (void) snprintf(buf, size, "your blobs are too many: at most %u, of %llu bytes together; fetch results, or close connections",
                                BLOBS_PER_UID_MAX, (unsigned long long) BLOB_BYTES_PER_UID_MAX);
                return buf;
        case -ENOBUFS: return "the machine has no memory left for a blob of this size; try again when tasks are done";
        case -EBUSY: return "the blob is not sealed: unmap it, then fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)";
        case -ERANGE: return "\"size\" is more than the blob has";
        case -ENOENT: return "there is no such blob here: it is made by blob.new on the same connection, and used once";
        case -E2BIG: (void) snprintf(buf, size, "a task has at most %u blobs", BLOBS_PER_TASK_MAX); return buf;
        default: (void) snprintf(buf, size, "the blob cannot be had: %s", strerrordesc_np(-error)); return buf;
        }
}

const char *blob_id(const Blob *b, char buf[static BLOB_ID_MAX]) {
        (void) snprintf(buf, BLOB_ID_MAX, "blob-%llu", (unsigned long long) b->number);
        return buf;
}

size_t blob_size(const Blob *b) {
        return b->size;
}

Blob *blob_find(const BlobSet *set, Slice id) {
        uint64_t number;
        Blob *b;

        if (id.n <= 5 || memcmp(id.at, "blob-", 5) != 0 || slice_u64((Slice){id.at + 5, id.n - 5}, &number) < 0)
                return NULL;
        DL_FOREACH(set->first, b)
                if (b->number == number)
                        return b;
        return NULL;
}

Blob *blob_at(const BlobSet *set, size_t i) {
        Blob *b = set->first;

        while (b && i-- > 0)
                b = b->next;
        return b;
}

int blob_lend(const Blob *b) {
        int fd = fcntl(b->fd, F_DUPFD_CLOEXEC, 0);

        return fd < 0 ? -errno : fd;
}

/* Anew: neither the right to write nor the offset of the maker's. Not waiting: he might have taken a lease. */
int blob_open(const Blob *b) {
        char path[40];
        int fd;

        (void) snprintf(path, sizeof path, "/proc/self/fd/%d", b->fd);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        return fd < 0 ? -errno : fd;
}

int blob_use(Blob *b, BlobSet *to, uid_t uid, uint64_t size) {
        int seals = fcntl(b->fd, F_GET_SEALS), r = 0;

        if (seals < 0 || !(seals & F_SEAL_WRITE))
                return -EBUSY;
        if (size > b->size)
                return -ERANGE;
        if (uid != b->uid)
                r = charge(b->room, uid, b->capacity);
        if (r < 0)
                return r;
        if (uid != b->uid)
                discharge(b->room, b->uid, b->capacity);
        set_remove(b);
        b->uid = uid;
        b->size = size > 0 ? size : b->size;
        set_add(to, b);
        return 0;
}

bool blob_could_use(const Blob *b, uid_t uid, size_t n, uint64_t bytes) {
        BlobUser *u = NULL;

        HASH_FIND(hh, b->room->users, &uid, sizeof uid, u);
        return has_room(b->room, u, b->capacity, n, bytes);
}

int blob_read(const Blob *b, Text *ret) {
        _cleanup_free_ char *bytes = b->size <= BLOB_INLINE_MAX ? alloc_zero(1, b->size) : NULL;
        size_t at = 0;

        if (!bytes)
                return b->size > BLOB_INLINE_MAX ? -EFBIG : -ENOMEM;
        while (at < b->size) {
                ssize_t n = pread(b->fd, bytes + at, b->size - at, (off_t) at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                at += (size_t) n;
        }
        text_append_n(ret, bytes, b->size);
        return text_check(ret);
}

/* ---- sets ---- */

uint64_t blob_set_charged(const BlobSet *s) {
        uint64_t bytes = 0;
        const Blob *b;

        DL_FOREACH(s->first, b)
                bytes += b->capacity;
        return bytes;
}

void blob_set_done(BlobSet *s) {
        while (s->first)
                blob_free(s->first);
}

void blob_set_move(BlobSet *to, BlobSet *from) {
        while (from->first) {
                Blob *b = from->first;

                set_remove(b);
                set_add(to, b);
        }
}

void blob_set_put(const BlobSet *s, Text *t, const char *key, size_t first) {
        const Blob *b;

        json_put_array(t, key);
        for (b = blob_at(s, first); b; b = b->next) {
                json_put_object(t, NULL);
                json_put_u64(t, "size", b->size);
                json_end_object(t);
        }
        json_end_array(t);
}

/* ---- names ---- */

static int unquote(Slice text, Slice *ret) {
        if (text.n < 2 || text.at[0] != '"')
                return -EINVAL;
        *ret = (Slice){text.at + 1, text.n - 2};
        return 0;
}

int blob_name_text(Slice text, Slice *ret_id, uint64_t *ret_size) {
        SliceMember m[] = {{.key = "blob"}, {.key = "size"}};

        *ret_size = 0;
        if (text.n > 0 && text.at[0] == '"')
                return unquote(text, ret_id);
        if (slice_object(text.at, text.n, m, ARRAY_SIZE(m), NULL) < 0 || !m[0].value.at || unquote(m[0].value, ret_id) < 0)
                return -EINVAL;
        return m[1].value.at && slice_u64(m[1].value, ret_size) < 0 ? -EINVAL : 0;
}

int blob_name_json(const json_t *v, Slice *ret_id, uint64_t *ret_size) {
        const json_t *name = json_is_object(v) ? json_object_get(v, "blob") : v, *size = json_object_get(v, "size");

        if (!json_is_string(name) || (size && (!json_is_integer(size) || json_integer_value(size) < 1)))
                return -EINVAL;
        *ret_id = (Slice){json_string_value(name), json_string_length(name)};
        *ret_size = size ? (uint64_t) json_integer_value(size) : 0;
        return 0;
}
