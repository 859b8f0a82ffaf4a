/* log-index.c - see log-index.h. */
#include "logger/log-index.h"
#include "base/fd.h"
#include "logger/log-open.h"
#include <endian.h>
#include <fcntl.h>
#include <unistd.h>

static LogIndexRecord record_swap(LogIndexRecord r) {
        return (LogIndexRecord){htole64(r.offset), htole64(r.time_usec)};
}

static bool index_belongs(int fd, uint64_t ino, LogForm *ret_form) {
        LogIndexRecord r;
        if (pread(fd, &r, sizeof r, 0) != sizeof r)
                return false;
        uint64_t form = le64toh(r.offset) - LOG_INDEX_MAGIC;
        if (form > LOG_FORM_JSON || le64toh(r.time_usec) != ino)
                return false;
        *ret_form = (LogForm) form;
        return true;
}

uint64_t log_index_owner(int dir_fd, const char *name) {
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;
        LogIndexRecord r;
        if (log_file_open(dir_fd, name, O_RDONLY, &fd, &st) < 0 || pread(fd, &r, sizeof r, 0) != sizeof r)
                return 0;
        return le64toh(r.offset) - LOG_INDEX_MAGIC <= LOG_FORM_JSON ? le64toh(r.time_usec) : 0;
}

/* Truncated by hand: the log began anew in the same file. */
static bool index_is_ahead(int fd, off_t size, uint64_t offset) {
        LogIndexRecord r;
        off_t last = size - size % (off_t) sizeof r - (off_t) sizeof r;
        return last > 0 && pread(fd, &r, sizeof r, last) == sizeof r && le64toh(r.offset) > offset;
}

int log_index_append(int dir_fd, const char *name, uint64_t ino, LogForm form, const LogIndexRecord *record, bool check) {
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;
        LogForm old;
        LogIndexRecord out[2] = {record_swap((LogIndexRecord){LOG_INDEX_MAGIC + form, ino}), record_swap(*record)};
        int r = log_file_open(dir_fd, name, O_RDWR | O_CREAT | O_APPEND, &fd, &st);
        if (r < 0)
                return r;
        if (check && st.st_size > 0 &&
            (!index_belongs(fd, ino, &old) || index_is_ahead(fd, st.st_size, record->offset)))
                st.st_size = ftruncate(fd, 0) < 0 ? st.st_size : 0;
        /* A record that a full disk cut short. */
        if (st.st_size % (off_t) sizeof *out && ftruncate(fd, st.st_size - st.st_size % (off_t) sizeof *out) < 0)
                return -errno;
        bool is_new = st.st_size < (off_t) sizeof *out;
        size_t n = is_new ? sizeof out : sizeof *out;
        ssize_t w = write(fd, is_new ? out : out + 1, n);
        return w < 0 ? -errno : (size_t) w == n ? 0 : -ENOSPC;
}

void log_index_open(LogIndex *i, int dir_fd, const char *name, uint64_t ino) {
        struct stat st;
        *i = (LogIndex){.fd = -EBADF};
        if (log_file_open(dir_fd, name, O_RDONLY, &i->fd, &st) < 0)
                return;
        if (!index_belongs(i->fd, ino, &i->form)) {
                log_index_close(i);
                return;
        }
        i->n_records = (uint64_t) st.st_size / sizeof(LogIndexRecord) - 1;
}

void log_index_refresh(LogIndex *i) {
        struct stat st;
        if (i->fd >= 0 && fstat(i->fd, &st) == 0 && st.st_size >= (off_t) sizeof(LogIndexRecord))
                i->n_records = (uint64_t) st.st_size / sizeof(LogIndexRecord) - 1;
}

void log_index_close(LogIndex *i) {
        i->fd = fd_close(i->fd);
        i->n_records = i->n_window = i->at = 0;
}

static bool index_load(LogIndex *i, uint64_t base) {
        off_t where = (off_t) ((base + 1) * sizeof(LogIndexRecord));
        ssize_t n = pread(i->fd, i->window, sizeof i->window, where);
        i->base = base;
        i->at = 0;
        i->n_window = n > 0 ? MIN((uint64_t) n / sizeof(LogIndexRecord), i->n_records - base) : 0;
        for (size_t k = 0; k < i->n_window; k++)
                i->window[k] = record_swap(i->window[k]);
        return i->n_window > 0;
}

/* The last record with an offset not above @offset, by halving; then the window begins there. */
static bool index_seek(LogIndex *i, uint64_t offset) {
        uint64_t low = 0, high = i->n_records;
        while (high - low > 1) {
                uint64_t middle = low + (high - low) / 2;
                if (!index_load(i, middle))
                        return false;
                if (i->window[0].offset <= offset)
                        low = middle;
                else
                        high = middle;
        }
        return index_load(i, low);
}

static bool index_step(LogIndex *i, uint64_t offset) {
        for (;;) {
                if (i->at + 1 < i->n_window) {
                        if (i->window[i->at + 1].offset > offset)
                                return true;
                        i->at++;
                        continue;
                }
                uint64_t here = i->base + i->at;
                if (here + 1 >= i->n_records)
                        return true;
                if (!index_load(i, here) || i->n_window < 2)
                        return i->n_window > 0;
        }
}

usec_t log_index_time(LogIndex *i, uint64_t offset) {
        if (i->fd < 0 || i->n_records == 0)
                return 0;
        if (i->n_window == 0 || i->window[i->at].offset > offset)
                if (!index_seek(i, offset))
                        return 0;
        if (!index_step(i, offset) || i->window[i->at].offset > offset)
                return 0;
        return i->window[i->at].time_usec;
}

usec_t log_index_first(LogIndex *i) {
        return i->fd >= 0 && i->n_records > 0 && index_load(i, 0) ? i->window[0].time_usec : 0;
}
