/* journal.c - the index of live records and the memfd behind it.
 *
 * An Entry is in one of these states:
 *   written   offset and length say where its last record is
 *   dirty     a newer value waits in memory, or its deletion does
 * A flush writes all dirty ones in one go at the end of the file; only a complete write counts, so what a failed one
 * left behind is cut off again. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->is_indexed = false)

#include "handover/journal.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/fd.h"
#include "base/file.h"
#include "handover/journal-record.h"
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#define COPY_BLOCK (64u << 10) /* what the heap may keep of it stays small */
#define OUT_KEPT_MAX (64u << 10)

typedef struct Entry {
        char *value; /* dirty: the new value; NULL: a deletion */
        bool is_dirty, is_indexed;
        size_t offset, length; /* of its last line in the file; 0: none */
        size_t formed;         /* of the line that is about to be written */
        struct Entry *prev, *next; /* in the list of dirty ones */
        UT_hash_handle hh; /* keeps the order of first appearance */
        char key[];
} Entry;

struct Journal {
        int fd;
        size_t size; /* bytes of the file that count */
        size_t live; /* bytes of its live records */
        bool is_given, is_stale;
        unsigned n_skipped;
        Entry *entries, *dirty;
        Text out; /* what a flush writes; kept for the next one */
        JournalHooks hooks;
        void *userdata;
};

static Entry *entry_find(Journal *j, const char *key, size_t length) {
        Entry *e;

        HASH_FIND(hh, j->entries, key, length, e);
        return e;
}

static Entry *entry_get(Journal *j, const char *key, size_t length) {
        Entry *e = entry_find(j, key, length);

        if (e)
                return e;
        e = alloc_zero(1, sizeof(Entry) + length + 1);
        if (!e)
                return NULL;
        memcpy(e->key, key, length);
        e->is_indexed = true;
        HASH_ADD_KEYPTR(hh, j->entries, e->key, length, e);
        if (e->is_indexed)
                return e;
        free(e);
        return NULL;
}

static void entry_clean(Journal *j, Entry *e) {
        if (e->is_dirty)
                DL_DELETE(j->dirty, e);
        e->is_dirty = false;
        free(e->value);
        e->value = NULL;
}

static void entry_remove(Journal *j, Entry *e) {
        entry_clean(j, e);
        j->live -= e->length;
        HASH_DEL(j->entries, e);
        free(e);
}

static void entry_written(Journal *j, Entry *e, size_t offset, size_t length) {
        entry_clean(j, e);
        j->live += length - e->length;
        e->offset = offset;
        e->length = length;
}

/* Take @r, found at @offset, into the index. */
static int load_record(Journal *j, const JournalRecord *r, size_t offset) {
        bool is_deletion = r->json_length == 4 && memcmp(r->json, "null", 4) == 0;
        Entry *e;

        if (is_deletion) {
                e = entry_find(j, r->key, r->key_length);
                if (e)
                        entry_remove(j, e);
                return 0;
        }
        e = entry_get(j, r->key, r->key_length);
        if (!e)
                return -ENOMEM;
        entry_written(j, e, offset, r->size);
        return 0;
}

static int journal_scan(Journal *j, const char *data, size_t size) {
        JournalRecord r;
        int k;

        while ((k = journal_record_parse(data + j->size, size - j->size, &r)) != 0) {
                if (k < 0)
                        j->n_skipped++;
                else if (load_record(j, &r, j->size) < 0)
                        return -ENOMEM;
                j->size += r.size;
        }
        return 0;
}

/* All of the file to read; nobody else writes to it. NULL: it is empty. */
static int journal_map(const Journal *j, size_t size, const char **ret) {
        void *m = size == 0 ? NULL : mmap(NULL, size, PROT_READ, MAP_SHARED, j->fd, 0);

        if (m == MAP_FAILED)
                return -errno;
        *ret = m;
        return 0;
}

static void journal_unmap(const char *data, size_t size) {
        if (data)
                (void) munmap((void *) data, size);
}

static int journal_load(Journal *j) {
        const char *data = NULL;
        struct stat st;
        int r = fstat(j->fd, &st) < 0 ? -errno : journal_map(j, (size_t) st.st_size, &data);

        if (r >= 0 && data)
                r = journal_scan(j, data, (size_t) st.st_size);
        journal_unmap(data, (size_t) st.st_size);
        if (r < 0)
                return r;
        /* A torn last line goes, so that the next record does not stick to it. */
        return ftruncate(j->fd, (off_t) j->size) < 0 ? -errno : 0;
}

int journal_new(Journal **ret, int fd_consume, const JournalHooks *hooks, void *userdata) {
        _cleanup_fd_ int fd = fd_consume;
        _cleanup_(journal_freep) Journal *j = NEW0(Journal);
        int r = 0;

        if (!j)
                return -ENOMEM;
        j->is_given = fd >= 0;
        j->fd = fd >= 0 ? TAKE_FD(fd) : memfd_new("drover-journal");
        j->hooks = *hooks;
        j->userdata = userdata;
        if (j->fd < 0)
                return j->fd;
        if (j->is_given)
                r = journal_load(j);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(j);
        return 0;
}

Journal *journal_free(Journal *j) {
        Entry *e, *next;

        if (!j)
                return NULL;
        HASH_ITER(hh, j->entries, e, next)
                entry_remove(j, e);
        fd_close(j->fd);
        text_done(&j->out);
        free(j);
        return NULL;
}

/* The line of @e as it is in the file. *ret is the caller's, not terminated. */
static int entry_read(Journal *j, const Entry *e, char **ret) {
        _cleanup_free_ char *line = alloc_zero(1, e->length + 1);

        if (!line)
                return -ENOMEM;
        if (pread(j->fd, line, e->length, (off_t) e->offset) != (ssize_t) e->length)
                return -EIO;
        *ret = TAKE_PTR(line);
        return 0;
}

/* Of one record: a pool with all that was looked up for it, twice what a file of pools may hold. */
static const JsonLimits value_limits = {.max_bytes = 16u << 20, .max_nodes = 400000, .max_depth = 64};

/* Return: 0 replayed, 1 unreadable, or what stops the replay. */
static int entry_replay(Journal *j, const Entry *e, journal_replay_callback cb, void *userdata) {
        _cleanup_free_ char *line = NULL;
        JournalRecord record;
        JsonFault fault;
        json_t *value;
        int r = entry_read(j, e, &line);

        if (r == -ENOMEM)
                return r;
        if (r < 0 || journal_record_parse(line, e->length, &record) <= 0)
                return 1;
        r = json_load_bounded(record.json, record.json_length, &value_limits, &value, &fault);
        if (r < 0)
                return r == -ENOMEM ? r : 1;
        r = cb(e->key, value, userdata);
        json_decref(value);
        return MIN(r, 0);
}

int journal_replay(Journal *j, const char *prefix, journal_replay_callback cb, void *userdata) {
        Entry *e, *next;
        unsigned n_skipped = j->n_skipped;
        size_t n = strlen(prefix);

        HASH_ITER(hh, j->entries, e, next) {
                bool is_wanted = e->length > 0 && strncmp(e->key, prefix, n) == 0;
                int r = is_wanted ? entry_replay(j, e, cb, userdata) : 0;

                if (r < 0)
                        return r;
                n_skipped += (unsigned) r;
        }
        return (int) n_skipped;
}

static bool key_is_valid(const char *key) {
        size_t n = strlen(key);

        if (n == 0 || n > JOURNAL_KEY_MAX)
                return false;
        for (size_t i = 0; i < n; i++)
                if ((unsigned char) key[i] <= ' ')
                        return false;
        return true;
}

static void journal_set(Journal *j, const char *key, const char *json_or_null) {
        _cleanup_free_ char *value = alloc_strdup(json_or_null);
        Entry *e = key_is_valid(key) ? entry_get(j, key, strlen(key)) : NULL;

        if (!e || (json_or_null && (!value || strchr(value, '\n')))) {
                j->is_stale = true;
                return;
        }
        free(e->value);
        e->value = TAKE_PTR(value);
        if (!e->is_dirty)
                DL_APPEND(j->dirty, e);
        e->is_dirty = true;
}

void journal_put(Journal *j, const char *key, const char *json) {
        journal_set(j, key, json);
}

void journal_delete(Journal *j, const char *key) {
        Entry *e = entry_find(j, key, strlen(key));

        if (!e)
                return;
        if (e->length == 0)
                entry_remove(j, e); /* never reached the file */
        else
                journal_set(j, key, NULL);
}

static int write_at(int fd, const char *data, size_t size, size_t offset) {
        while (size > 0) {
                ssize_t n = pwrite(fd, data, size, (off_t) offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
                offset += (size_t) n;
        }
        return 0;
}

/* All dirty entries as lines, in the order of their list. */
static int dirty_format(Journal *j) {
        Entry *e;

        text_clear(&j->out);
        DL_FOREACH(j->dirty, e) {
                size_t before = j->out.length;

                journal_record_format(&j->out, e->key, e->value ? e->value : "null");
                e->formed = j->out.length - before;
        }
        return text_check(&j->out);
}

static void dirty_settle(Journal *j) {
        while (j->dirty) {
                Entry *e = j->dirty;
                size_t n = e->formed;

                if (e->value)
                        entry_written(j, e, j->size, n);
                else
                        entry_remove(j, e);
                j->size += n;
        }
}

static int dirty_write(Journal *j) {
        int r;

        if (!j->dirty)
                return 0;
        r = dirty_format(j);
        if (r >= 0)
                r = write_at(j->fd, j->out.data, j->out.length, j->size);
        if (r < 0 || j->out.capacity > OUT_KEPT_MAX)
                text_done(&j->out);
        if (r < 0)
                return ftruncate(j->fd, (off_t) j->size) < 0 ? -errno : r;
        dirty_settle(j);
        return 0;
}

/* Copy the live records of @data into @fd and say in @offsets, in the order of the index, where they went. */
static int compact_copy(const Journal *j, const char *data, int fd, size_t *offsets) {
        _cleanup_text_ Text t = {0};
        size_t i = 0, written = 0;
        Entry *e, *next;
        int r = 0;

        HASH_ITER(hh, j->entries, e, next) {
                offsets[i++] = written + t.length;
                text_append_n(&t, data + e->offset, e->length);
                if (t.length < COPY_BLOCK && next)
                        continue;
                r = text_check(&t) < 0 ? -ENOMEM : write_at(fd, t.data, t.length, written);
                if (r < 0)
                        return r;
                written += t.length;
                text_clear(&t);
        }
        return 0;
}

/* Failure is harmless: the old file goes on. */
static void journal_compact(Journal *j) {
        _cleanup_free_ size_t *offsets = NEW0_ARRAY(size_t, HASH_COUNT(j->entries) + 1);
        _cleanup_fd_ int fd = memfd_new("drover-journal");
        const char *data = NULL;
        Entry *e, *next;
        size_t i = 0;
        int r = !offsets || fd < 0 ? -ENOMEM : journal_map(j, j->size, &data);

        if (r >= 0 && data)
                r = compact_copy(j, data, fd, offsets);
        journal_unmap(data, j->size);
        if (r < 0)
                return;
        if (j->hooks.on_new_fd(j, fd, j->userdata) < 0)
                return;
        HASH_ITER(hh, j->entries, e, next)
                e->offset = offsets[i++];
        fd_close(j->fd);
        j->fd = TAKE_FD(fd);
        j->size = j->live;
}

int journal_flush(Journal *j) {
        int r = 0;

        if (!j->is_given)
                r = j->hooks.on_new_fd(j, j->fd, j->userdata);
        j->is_given |= r >= 0;
        if (r >= 0)
                r = dirty_write(j);
        if (r < 0)
                return r;
        if (j->size > JOURNAL_COMPACT_MIN && j->size / JOURNAL_SLACK > j->live)
                journal_compact(j);
        if (!j->is_stale)
                return 0;
        j->is_stale = false;
        return -ESTALE;
}
